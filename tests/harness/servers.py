"""A server of a test's own, for what nobody else may feel: settings of its own, being killed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forge_db import migrations, platform
from forge_db.binaries import Binaries
from forge_db.server import Server
from harness.databases import SUPERUSER, Database, built_migrations


class Own(Server):
    """A server with settings besides the usual ones."""

    def __init__(self, home: Path, binaries: Binaries, **settings: str) -> None:
        super().__init__(home, binaries, durable=False)
        self.extra = {name.replace("__", "."): value for name, value in settings.items()}

    @property
    def _settings(self) -> dict[str, str]:
        return super()._settings | self.extra

    def kill(self) -> None:
        """As the kernel does when memory runs out: no goodbye."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while self.running:
            time.sleep(0.02)


@contextmanager
def own_database(home: Path, binaries: Binaries, **settings: str) -> Iterator[Database]:
    """The platform and our schema in a database called forge, on a server that goes with the block."""
    server = Own(home / "server", binaries, **settings)
    server.start()
    try:
        platform.install(server.url(SUPERUSER), "forge", passwords=server.passwords)
        folder = home / "migrations"
        folder.mkdir()
        for file, text in built_migrations().items():
            (folder / file).write_text(text, encoding="utf-8")
        migrations.apply(server.url("postgres", "forge"), folder)
        yield Database(server, "forge")
    finally:
        server.destroy()
