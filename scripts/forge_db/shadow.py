"""Databases to compare with: built from files on a server of their own, which nobody else uses, and gone afterwards."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from forge_db import binaries, migrations, platform
from forge_db.accounts import create_directory, lock
from forge_db.paths import STATE
from forge_db.server import SUPERUSER, Server


class Shadow:
    """A server for a while."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.made: list[str] = []

    def build(self, files: Mapping[str, str], *, regime: platform.Regime = "explicit") -> str:
        """A database in which these migrations were applied; how to connect to it as their owner."""
        name = f"shadow_{secrets.token_hex(4)}"
        self.made.append(name)
        platform.install(self.server.url(SUPERUSER), name, regime=regime, passwords=self.server.passwords)
        url = self.server.url("postgres", name)
        with TemporaryDirectory() as folder:
            for file, text in files.items():
                Path(folder, file).write_text(text, encoding="utf-8", newline="\n")
            migrations.apply(url, Path(folder))
        return url

    def clear(self) -> None:
        with psycopg.connect(self.server.url(SUPERUSER), autocommit=True) as admin:
            for name in self.made:
                admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def shadow() -> Iterator[Shadow]:
    """One run at a time: the server is stopped at the end."""
    create_directory(STATE)
    with lock(STATE / "shadow.lock"):
        made = Shadow(Server(STATE / "shadow", binaries.find(), durable=False))
        made.server.start()
        try:
            yield made
            made.clear()
        finally:
            made.server.stop()
