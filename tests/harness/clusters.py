"""Test servers: one cluster per PostgreSQL version, apart from the developer's own and shared by every worker.

Workers come and go, and several runs may overlap. So whoever uses a cluster holds a shared lock on it; whoever finds
that nobody else does may sweep it before the first test and stop it after the last one.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from forge_db import binaries
from forge_db.binaries import Binaries
from forge_db.errors import ForgeError
from forge_db.paths import STATE
from forge_db.server import Server

HOME = STATE / "test"


def installed() -> list[Binaries]:
    """Every PostgreSQL the tests run on: the one that FORGE_PG_BIN names, else all that are found."""
    found = [binaries.find()] if os.environ.get("FORGE_PG_BIN") else binaries.installed()
    if not found:
        raise ForgeError(
            "no PostgreSQL to test on", "Run `make install`, or set FORGE_PG_BIN to a bin directory of 15 to 18."
        )
    return found


class Cluster:
    """A running test server, and this process's share in it."""

    def __init__(self, chosen: Binaries) -> None:
        self.major = chosen.version
        self.binaries = chosen
        self.server = Server(HOME / str(self.major), chosen, durable=False)
        HOME.mkdir(parents=True, exist_ok=True)
        self._users = self._lock_file("users")

    def _lock_file(self, purpose: str) -> IO[bytes]:
        return (HOME / f"{self.major}.{purpose}.lock").open("ab")

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Keep other processes from starting, sweeping, building and stopping meanwhile."""
        with self._lock_file("setup") as setup:
            fcntl.flock(setup, fcntl.LOCK_EX)
            yield

    def acquire(self, sweep: Callable[[Server], None]) -> None:
        """Start the server unless it runs. What earlier runs left there is swept when nobody else is using it."""
        with self.setting_up():
            alone = self._is_only_user()
            if alone:
                # A run that was killed left it running, perhaps with programs that have been replaced since.
                self.server.stop()
            self.server.start()
            if alone:
                sweep(self.server)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give up this process's share; the last one stops the server."""
        with self.setting_up():
            if self._is_only_user():
                self.server.stop()
            self._users.close()

    def _is_only_user(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
