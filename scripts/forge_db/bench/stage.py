"""The server that is measured on, with a database in it, and a way to put load on it."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from forge_db import binaries, migrations, paths, platform
from forge_db.bench import data
from forge_db.bench.sizes import Size
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER, Server

HOME = paths.STATE / "bench"
DATABASE = "bench"
# Memory for the data, room for the clients, and nothing in the background that would fall into one round only.
SETTINGS = {
    "shared_buffers": "512MB",
    "max_connections": "100",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
    "random_page_cost": "1.1",
}
HOT_USER = '{"sub":"00000000-0000-4000-8000-000000000001","role":"authenticated"}'


class Stage:
    """A running server with a database in it, and a way to measure on it."""

    def __init__(self, server: Server, size: Size) -> None:
        self.server = server
        self.size = size
        self._loaded: set[str] = set()

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.server.url(user, DATABASE), autocommit=True, prepare_threshold=None)

    def run(self, *statements: str, user: str = "postgres") -> None:
        with self.connect(user) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> Any:
        with self.connect() as owner:
            row = owner.execute(query.encode()).fetchone()
            return row and row[0]

    def load(self, files: list[str]) -> None:
        """Run files of sql/bench that have not been run yet."""
        for name in files:
            if name in self._loaded:
                continue
            click.echo(f"loading {name}", err=True)
            with self.connect(data.account(name)) as connection:
                data.load(connection, name, self.size)
            with self.connect() as owner:
                owner.execute("vacuum analyze public.prompt_history, private.prompt_search, public.api_configurations")
            self._loaded.add(name)

    def pgbench(self, script: str, *, clients: int = 1, as_owner: bool = False, calls: int | None = None) -> float:
        """Calls in a second of a script that several clients run at once."""
        options = "" if as_owner else f"-c role=authenticated -c request.jwt.claims={HOT_USER}"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            done = subprocess.run(
                [
                    self.server.binaries.tool("pgbench"),
                    *("--no-vacuum", "--protocol=prepared", f"--file={file.name}", f"--define=users={self.size.users}"),
                    *(f"--client={clients}", f"--jobs={min(clients, 2)}"),
                    f"--transactions={calls}" if calls else f"--time={self.size.seconds}",
                    self.server.url("postgres" if as_owner else "authenticator", DATABASE),
                ],
                env={**os.environ, "PGOPTIONS": options},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise ForgeError(f"pgbench failed: {(done.stderr.strip().splitlines() or ['it gave no reason'])[-1]}")
        return float(done.stdout.partition("tps = ")[2].split()[0])


@contextmanager
def running(size: Size) -> Iterator[Stage]:
    server = Server(HOME, binaries.find())
    server.destroy()  # whatever an interrupted run has left
    server.start()
    try:
        with psycopg.connect(server.url(SUPERUSER, "template1"), autocommit=True) as admin:
            for name, value in SETTINGS.items():
                admin.execute(f"alter system set {name} = '{value}'".encode())
        server.stop()
        server.start()
        platform.install(server.url(SUPERUSER, "template1"), DATABASE, passwords=server.passwords)
        migrations.apply(server.url("postgres", DATABASE), paths.MIGRATIONS)
        stage = Stage(server, size)
        stage.load(["load.sql"])
        yield stage
    finally:
        server.destroy()
