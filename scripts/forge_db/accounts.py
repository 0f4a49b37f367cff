"""Whose files and processes they are: what there is to take care of when root starts what must not run as root.

Everything made in a project belongs to whoever owns the project. The server runs as an ordinary account, and what that
account cannot reach is kept elsewhere.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from forge_db import binaries as installations
from forge_db.binaries import Binaries
from forge_db.errors import ForgeError

# Where root keeps what the server's account cannot reach inside the project.
ELSEWHERE = Path("/var/lib/promptcraft-forge")


def create_directory(path: Path) -> None:
    """Make a directory and its parents, readable for all whatever the umask: the server's account must get through."""
    if not path.exists():
        create_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
        _inherit_owner(path)


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    _inherit_owner(unfinished)
    unfinished.replace(path)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let one process at a time do what follows. The system frees the lock when the process ends, however it does."""
    try:
        file = path.open("a")
    except PermissionError:
        raise belongs_to_other(path.parent) from None
    with file:
        _inherit_owner(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo("Waiting for another command to finish …", err=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _inherit_owner(path: Path) -> None:
    """What root makes belongs to the owner of the directory, so that `sudo make` locks nobody out of a project."""
    if os.geteuid() == 0:
        parent = path.parent.stat()
        os.chown(path, parent.st_uid, parent.st_gid)


def account_for(path: Path) -> pwd.struct_passwd | None:
    """Who runs a server whose data are, or will be, at a path: its owner if that is a user, else a system account."""
    if os.geteuid() != 0:
        return None
    uid = _nearest_existing(path).stat().st_uid
    known: list[pwd.struct_passwd] = []
    with suppress(KeyError):
        known.append(pwd.getpwuid(uid))
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            known.append(pwd.getpwnam(name))
    for account in known:
        if account.pw_uid != 0:
            return account
    raise ForgeError(
        "PostgreSQL does not run as root, and there is neither an account postgres nor one called nobody",
        "Run this as an ordinary user, or set FORGE_DATABASE_URL to a server that is running already.",
    )


def as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def may_enter(account: pwd.struct_passwd | None, directory: Path) -> bool:
    """Whether the account gets to a directory, or as far on the way there as there is one."""
    return _succeeds(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(_nearest_existing(directory))])


def may_run(account: pwd.struct_passwd | None, binaries: Binaries) -> bool:
    return account is None or _succeeds(account, [binaries.tool("postgres"), "--version"])


def _succeeds(account: pwd.struct_passwd | None, command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True, cwd="/", **as_user(account)).returncode == 0
    except PermissionError as error:
        if error.filename != command[0]:  # not the command is forbidden, but becoming that user
            raise ForgeError(
                "PostgreSQL does not run as root, and this container does not let root become another user",
                "Run this as an ordinary user, or set FORGE_DATABASE_URL to a server that is running already.",
            ) from error
        return False


def reachable_copy(binaries: Binaries) -> Binaries:
    """Put the programs where every account can run them. Once for each installation."""
    source = binaries.directory.parent
    if not all((source / part).is_dir() for part in ("lib", "share")):
        raise ForgeError(
            f"PostgreSQL does not run as root, and no other account can reach {binaries.directory}",
            "Run this as an ordinary user, or point FORGE_PG_BIN at programs that everybody can run.",
        )
    stamp = f"{source}:{(binaries.directory / 'postgres').stat().st_mtime_ns}"
    target = ELSEWHERE / f"postgresql-{binaries.version}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not target.exists():
        create_directory(ELSEWHERE)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        for part in ("bin", "lib", "share"):
            shutil.copytree(binaries.directory if part == "bin" else source / part, unfinished / part)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            unfinished.rename(target)
        except OSError:  # somebody else was faster
            shutil.rmtree(unfinished)
    return installations.at(target / "bin")


def _nearest_existing(path: Path) -> Path:
    """A path, or of its parents the nearest that exists."""
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())


def belongs_to_other(path: Path) -> ForgeError:
    try:
        owner = path.owner()
    except KeyError:
        owner = f"user {path.stat().st_uid}"
    return ForgeError(f"{path} belongs to {owner}", "Run this as that user, or as root.")
