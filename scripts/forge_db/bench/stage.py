"""One database to measure in, and ways to put load on it."""

import os
import subprocess
import tempfile
from typing import Any

import click
import psycopg

from forge_db.bench import data
from forge_db.bench.sizes import Size
from forge_db.errors import ForgeError
from forge_db.server import Server

HOT_USER = '{"sub":"00000000-0000-4000-8000-000000000001","role":"authenticated"}'

# Each client's, where nobody looks at the time.
QUICK_CALLS = 5


class Stage:
    """A database of a running server."""

    def __init__(self, server: Server, size: Size, database: str) -> None:
        self.server = server
        self.size = size
        self.database = database

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.server.url(user, self.database), autocommit=True, prepare_threshold=None)

    def run(self, *statements: str, user: str = "postgres") -> None:
        with self.connect(user) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> Any:
        with self.connect() as owner:
            row = owner.execute(query.encode()).fetchone()
            return row and row[0]

    def load(self, files: list[str]) -> None:
        """Run files of sql/bench that have not been run in this database."""
        for name in files:
            with self.connect(data.account(name)) as connection:
                if not data.is_loaded(connection, name):
                    click.echo(f"loading {name}", err=True)
                    data.load(connection, name, self.size)
                    connection.execute("vacuum analyze public.prompt_history, public.api_configurations")

    def pgbench(
        self, script: str, *, clients: int = 1, as_owner: bool = False, calls: int | None = None, url: str | None = None
    ) -> float:
        """Calls in a second of a script that several clients run at once. Given a URL, the script says who it is."""
        if calls is None and self.size.quick:
            calls = QUICK_CALLS
        options = "" if as_owner or url else f"-c role=authenticated -c request.jwt.claims={HOT_USER}"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            done = subprocess.run(
                [
                    self.server.binaries.tool("pgbench"),
                    # Poolers older than PgBouncer 1.21 know no prepared statements.
                    *("--no-vacuum", f"--protocol={'simple' if url else 'prepared'}", f"--file={file.name}"),
                    f"--define=users={self.size.users}",
                    *(f"--client={clients}", f"--jobs={min(clients, 2)}"),
                    f"--transactions={calls}" if calls else f"--time={self.size.seconds}",
                    url or self.server.url("postgres" if as_owner else "authenticator", self.database),
                ],
                env={**os.environ, "PGOPTIONS": options},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            # The first says why, the last that it was so.
            said = [line for line in done.stderr.splitlines() if "error:" in line] or ["it gave no reason"]
            raise ForgeError(f"pgbench failed: {said[0]}")
        return float(done.stdout.partition("tps = ")[2].split()[0])
