"""The server that is measured on, and its databases: loaded ones, kept untouched, and copies to measure in.

A small one holds users and their keys, a large one all data, and a half and a quarter of it show how a cost grows. They
are named after what they were made from, so that a run never measures in what an older schema left, and they outlive a
run that is interrupted.
"""

import fcntl
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import FrameType

import click
import psycopg
from psycopg import sql

from forge_db import accounts, binaries, migrations, paths, platform
from forge_db.bench import data, resources
from forge_db.bench.kept import Kept, digest
from forge_db.bench.sizes import Size
from forge_db.bench.stage import Stage
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER, Server

HOME = paths.STATE / "bench"
# Room for the clients, and nothing in the background that would fall into one round only.
SETTINGS = {
    "max_connections": "100",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "512MB",
    "autovacuum": "off",
    "jit": "off",
    "random_page_cost": "1.1",
}
MEASURED = "measured_"
UNFINISHED = "loading"
SHARES = {1: "quarter", 2: "half", 4: "large"}


class Cluster:
    """A running server, with what earlier runs have kept on it."""

    def __init__(self, server: Server, size: Size, undo: Sequence[str] = ()) -> None:
        self.server = server
        self.size = size
        self.undo = undo
        self.is_done = False  # nothing is left for another run to go on with
        self.kept = Kept(server.home / "measured.json")
        sources = [path.read_text(encoding="utf-8") for folder in (paths.PLATFORM, paths.MIGRATIONS)
                   for path in sorted(folder.glob("*.sql"))]  # fmt: skip
        self.small_key = digest(server.binaries.version, *sources, data.script("load.sql"), *size.data)
        # Rows are spread over the months before: next month they are loaded anew.
        files = [data.script(name) for name in (*data.GENERATED, *data.COPIES)]
        self.large_key = digest(self.small_key, *files, f"{datetime.now(UTC):%Y-%m}")

    # databases to measure in -----------------------------------------------------------------------------------------

    @cached_property
    def small(self) -> Stage:
        """Users with their keys, for all who need no more."""
        return self._copy(self._small_source(), "small")

    @cached_property
    def large(self) -> Stage:
        """All data, in our tables and in the rulebook's."""
        return self._copy(self._large_source(4), "large")

    @cached_property
    def grown(self) -> dict[int, Stage]:
        """A quarter, a half and all of the data: one, two and four times as much."""
        return {share: self._copy(self._large_source(share), SHARES[share]) for share in (1, 2)} | {4: self.large}

    @contextmanager
    def apart(self, name: str) -> Iterator[Stage]:
        """Users with their keys, in a database of one's own."""
        stage = self._copy(self._small_source(), name)
        try:
            yield stage
        finally:
            self._drop(stage.database)

    # what they are copied from ---------------------------------------------------------------------------------------

    def _small_source(self) -> str:
        name = f"small_{self.small_key}"
        if name not in self._databases():
            click.echo(f"Installing, and {self.size.users:,} users with their keys", err=True)
            self._drop(UNFINISHED)
            platform.install(self.server.url(SUPERUSER), UNFINISHED, passwords=self.server.passwords)
            migrations.apply(self.server.url("postgres", UNFINISHED), paths.MIGRATIONS)
            with self._stage(UNFINISHED).connect() as owner:
                data.load(owner, "load.sql", self.size)
            self._administer(sql.SQL("alter database {} rename to {}"), UNFINISHED, name)
        return name

    def _large_source(self, wanted: int) -> str:
        """Loaded from the smallest share on, each kept as it is reached. All are made at once: one takes the others."""
        whole = f"large_{self.large_key}"
        if whole not in self._databases():
            self._copy_database(self._small_source(), whole)
        stage = self._stage(whole)
        for share, parts in data.quarters(self.size):
            name = f"{SHARES[share]}_{self.large_key}"
            if name != whole and name in self._databases():
                continue
            label = f"Loading {share} of 4 quarters of {self.size.prompts:,} prompts and {self.size.logged:,} calls"
            data.load_parts(stage.connect, parts, self.size, label)
            if name != whole:
                self._tidy(stage)
                self._copy_database(whole, name)
        stage.load([*data.COPIES])
        if stage.value("select count(*) = 0 from bench.loaded where name = 'tidied'"):
            self._tidy(stage)
            stage.run("insert into bench.loaded values ('tidied', 0)")
        return f"{SHARES[wanted]}_{self.large_key}"

    def _tidy(self, stage: Stage) -> None:
        click.echo("Vacuuming, once for all measurements", err=True)
        stage.run("vacuum analyze", user=SUPERUSER)

    # how -------------------------------------------------------------------------------------------------------------

    def _stage(self, database: str) -> Stage:
        return Stage(self.server, self.size, database)

    def _copy(self, source: str, name: str) -> Stage:
        target = f"{MEASURED}{name}"
        self._drop(target)
        self._copy_database(source, target)
        stage = self._stage(target)
        stage.run(*self.undo)
        return stage

    def _copy_database(self, source: str, target: str) -> None:
        self._administer(sql.SQL("create database {} owner postgres strategy file_copy template {}"), target, source)

    def _drop(self, name: str) -> None:
        self._administer(sql.SQL("drop database if exists {} with (force)"), name)

    def _databases(self) -> list[str]:
        with psycopg.connect(self.server.url(SUPERUSER)) as admin:
            return [name for (name,) in admin.execute("select datname from pg_database where not datistemplate")]

    def _administer(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self.server.url(SUPERUSER), autocommit=True) as admin:
            admin.execute(statement.format(*map(sql.Identifier, names)))

    def sweep(self) -> None:
        """Drop what was only there to measure in, and what was made from other sources than today's."""
        for name in self._databases():
            if name != "postgres" and not name.endswith((self.small_key, self.large_key)):
                self._drop(name)


@contextmanager
def running(size: Size, *, undo: Sequence[str] = (), fresh: bool = False) -> Iterator[Cluster]:
    """A server, as long as it is measured on; what was loaded stays for the next run. Undo: what changes the copies."""
    home = HOME / "quick" if size.quick else HOME
    server = Server(home, binaries.find())
    accounts.create_directory(home)
    with _alone(home), _ended_as_interrupted():
        if fresh or size.quick:
            server.destroy()
        resources.demand(size, server.directory, _octets(server.data))
        _start(server, size)
        cluster = Cluster(server, size, undo)
        if fresh:
            cluster.kept.forget()
        try:
            cluster.sweep()
            yield cluster
            cluster.sweep()
        finally:
            if size.quick or cluster.is_done:
                server.destroy()
                cluster.kept.forget()
            else:
                server.stop()


def _start(server: Server, size: Size) -> None:
    settings = SETTINGS | {"shared_buffers": f"{resources.memory_wanted(size) // 2**20}MB"}
    server.start()
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as admin:
        for name, value in settings.items():
            admin.execute(f"alter system set {name} = '{value}'".encode())
    server.stop()
    server.start()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two at once would measure each other."""
    with (home / "running").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ForgeError(
                "another forge-db bench is running", "Wait for it: it would measure this one too."
            ) from None
        yield


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Whoever ends the command (a supervisor, `timeout`) has it clean up as Ctrl-C does."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _octets(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*")) if folder.exists() else 0
