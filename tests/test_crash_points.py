"""The server is killed with -9 at random moments of whatever changes a database. Then it is started and the work done
again, and the end is that of a run that nobody disturbed: nothing lost, nothing doubled.

A point of the quick ones always; fifty of each by `make test-slow`, in portions of ten. Only what was cut off counts.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

import test_key_rotation as rotation
import test_upgrade
from forge_db import backup, migrations, platform, upgrade
from forge_db.binaries import Binaries
from forge_db.cli import main
from forge_db.errors import ForgeError
from forge_db.migrations import silent
from harness import clusters, legacy, psql
from harness.client import join
from harness.clusters import Cluster
from harness.databases import SUPERUSER, Database
from harness.servers import Own, own_database

BARE, MIGRATED = "bare", "forge"


@dataclass(frozen=True)
class Operation:
    """What is done to a database, from which state, and what must be so afterwards."""

    start: str
    prepare: Callable[[Database, Path], None]
    work: Callable[[Database, Path], None]
    state: Callable[[Database], Any]


def nothing(_database: Database, _home: Path) -> None:
    """The start is enough."""


def install(database: Database, home: Path) -> None:
    migrations.apply(database.url(), home / "migrations")


def installed(database: Database) -> Any:
    with database.connect() as owner:
        rows = backup.counts(owner)
        # Each line of the audit is there once for each row that was seeded.
        return psql.dump(database, "--schema-only"), rows, migrations.recorded(owner)


def live_in_legacy(database: Database, _home: Path) -> None:
    legacy.install(database, "C")


def bring_over(database: Database, home: Path) -> None:
    upgrade.upgrade(database.url(), silent, home / "migrations")


def brought_over(database: Database) -> Any:
    return test_upgrade.fates(database), test_upgrade.whole(database)


def grow_old(database: Database, _home: Path) -> None:
    """Prompts past their days, and usage of months past theirs."""
    with database.connect(autocommit=True) as owner:
        ada = join(owner, "bob@example.com")
        owner.execute("update public.system_config set value = '100' where key = 'maintenance_batch_size'")
        owner.execute(
            "insert into public.prompt_history "
            "(user_id, framework_id, framework_name, model, provider, user_input, cost_usd, created_at) "
            "select %s, 'ape', 'A.P.E', 'm', 'openai', 'x', 0.5, now() - make_interval(days => 35 + n / 100) "
            "from generate_series(1, 2000) as n",
            [ada.id],
        )
        owner.execute(
            "insert into public.api_usage_logs (user_id, provider, endpoint, status_code, created_at) "
            "select %s, 'openai', '/v1', 200, now() - make_interval(days => 150 + n / 50) "
            "from generate_series(1, 2000) as n",
            [ada.id],
        )


def maintain(database: Database, _home: Path) -> None:
    """Twice: the first run makes the months that the second one archives."""
    with database.connect(autocommit=True) as owner:
        for _ in range(2):
            command = owner.execute("select private.maintenance_command()").fetchone()
            assert command is not None
            owner.execute(str(command[0]).encode())


def kept(database: Database) -> Any:
    with database.connect() as owner:
        return owner.execute(
            "select (select count(*) from public.prompt_history), (select count(*) from archive.prompt_history), "
            "(select count(distinct id) from archive.prompt_history), "
            "(select count(*) from public.api_usage_logs), (select count(*) from archive.api_usage_logs), "
            "(select count(distinct id) from archive.api_usage_logs), "
            "(select sum(cost_usd) from private.spent_costs), "
            "(select jsonb_agg(to_jsonb(it) - 'id' order by to_jsonb(it) - 'id') from private.usage_daily as it)"
        ).fetchall()


def hold_keys(database: Database, _home: Path) -> None:
    rotation.fill(database, 400)
    rotation.change(database)


def rotate(database: Database, _home: Path) -> None:
    result = CliRunner().invoke(main, ["rotate-keys", "--batch-size=10", "--database-url", database.url()])
    if result.exit_code != 0:
        raise ForgeError(result.output)


def rotated(database: Database) -> Any:
    asked = rotation.asked
    return (
        asked(database, "select count(*) from public.api_configurations"),
        asked(database, "select private.stale_api_keys()"),
        asked(database, rotation.WRONG),
    )


def back_up(database: Database, home: Path) -> None:
    backup.backup(Database(database.server, MIGRATED).url(), home / "backup", silent)


def put_back(database: Database, home: Path) -> None:
    try:
        backup.restore(database.url(), home / "backup", silent)
    except ForgeError as error:
        # Whole already: then the time of the kill was after the commit, and the verification is what is left.
        if "holds the schema already" not in error.message:
            raise
        with database.connect() as owner:
            backup.verify(owner, backup.read(home / "backup"), silent)


OPERATIONS = {
    "install": Operation(BARE, nothing, install, installed),
    "upgrade": Operation(BARE, live_in_legacy, bring_over, brought_over),
    "maintenance and archive": Operation(MIGRATED, grow_old, maintain, kept),
    "key rotation": Operation(MIGRATED, hold_keys, rotate, rotated),
    "restore": Operation(BARE, back_up, put_back, installed),
}
QUICK = ("install", "key rotation")


@contextmanager
def server(home: Path, programs: Binaries) -> Iterator[Database]:
    """A server to be killed, whose commits survive that, with a bare database and a migrated one."""
    with own_database(home, programs, synchronous_commit="on") as database:
        platform.install(database.server.url(SUPERUSER), BARE, passwords=database.server.passwords)
        with database.connect() as owner:
            join(owner, "ada@example.com")
        yield database


def copy(admin: psycopg.Connection, name: str, template: str) -> None:
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    admin.execute(
        sql.SQL("create database {} template {} owner postgres").format(sql.Identifier(name), sql.Identifier(template))
    )


def prove(any_database: Database, home: Path, operation: Operation, points: int, seed: int) -> None:
    own = any_database.server
    assert isinstance(own, Own)
    chance = random.Random(seed)

    def fresh(name: str, template: str) -> Database:
        with psycopg.connect(own.url(SUPERUSER), autocommit=True) as admin:
            copy(admin, name, template)
        return Database(own, name)

    operation.prepare(fresh("ready", operation.start), home)
    undisturbed = fresh("undisturbed", "ready")
    began = time.monotonic()
    operation.work(undisturbed, home)
    duration = time.monotonic() - began
    wanted = operation.state(undisturbed)

    cut_off = tries = 0
    while cut_off < points:
        tries += 1
        assert tries <= 5 * points + 5, f"only {cut_off} of {tries} runs were cut off"
        database = fresh("killed", "ready")
        failed: list[BaseException] = []

        def work(database: Database = database, failed: list[BaseException] = failed) -> None:
            try:
                operation.work(database, home)
            except (psycopg.Error, ForgeError) as error:
                failed.append(error)

        worker = threading.Thread(target=work)
        began = time.monotonic()
        worker.start()
        worker.join(chance.uniform(0, duration))
        if not worker.is_alive():
            duration = time.monotonic() - began  # the machine has less to do than it had
        own.kill()
        worker.join()
        own.start()
        cut_off += bool(failed)
        operation.work(database, home)
        assert operation.state(database) == wanted, f"try {tries} of seed {seed}"


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="forge-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.one_platform
def test_one_point_of_what_is_quick(home: Path) -> None:
    with server(home, clusters.installed()[0]) as database:
        for name in QUICK:
            prove(database, home, OPERATIONS[name], points=1, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("portion", range(5))
@pytest.mark.parametrize("name", OPERATIONS)
def test_fifty_points(home: Path, name: str, portion: int, cluster: Cluster) -> None:
    with server(home, cluster.binaries) as database:
        prove(database, home, OPERATIONS[name], points=10, seed=2026 + portion)
