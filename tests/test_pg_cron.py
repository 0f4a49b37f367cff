"""The real pg_cron: it runs the maintenance as scheduled, and vacuums every table in a job of its own."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from forge_db.binaries import Binaries
from harness import clusters
from harness.databases import SUPERUSER
from harness.servers import own_database
from test_vacuum import counts, report

pytestmark = pytest.mark.pg_cron

# What Supabase does when a project switches the extension on.
AS_ON_SUPABASE = """
    create extension pg_cron with schema pg_catalog;
    grant usage on schema cron to postgres with grant option;
    grant execute on all functions in schema cron to postgres with grant option;
    grant select on cron.job to postgres;
    grant all on cron.job_run_details to postgres;
"""
PATIENCE = 150  # pg_cron looks at the clock once a minute


def with_pg_cron() -> Binaries:
    for found in clusters.installed():
        if any(Path(folder, "pg_cron.so").exists() for folder in (
            found.directory.parent / "lib", found.directory.parent / "lib" / "postgresql"
        )):  # fmt: skip
            return found
    pytest.fail("no PostgreSQL here has pg_cron. Run: apt install postgresql-15-cron", pytrace=False)


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    with own_database(
        tmp_path_factory.mktemp("cron"),
        with_pg_cron(),
        shared_preload_libraries="pg_cron",
        cron__database_name="forge",
        cron__use_background_workers="on",
        max_worker_processes="100",
    ) as database:
        with database.connect(SUPERUSER, autocommit=True) as superuser:
            superuser.execute(AS_ON_SUPABASE.encode())
        with database.connect(autocommit=True) as connection:
            yield connection


def test_the_maintenance_runs_as_scheduled(login: psycopg.Connection) -> None:
    said = login.execute("select public.schedule_maintenance()").fetchone()
    assert said == ('Scheduled: forge_daily_maintenance at "0 3 * * *" (UTC).',)
    login.execute("""update public.system_config set value = '"* * * * *"' where key = 'maintenance_schedule'""")
    login.execute("select public.schedule_maintenance()")
    jobs = login.execute("select jobname, schedule, username, database from cron.job").fetchall()
    assert jobs == [("forge_daily_maintenance", "* * * * *", "postgres", "forge")], "the earlier one is replaced"

    deadline = time.monotonic() + PATIENCE
    ended = "select status, steps from private.maintenance_runs where finished_at is not null"
    while not (runs := login.execute(ended).fetchall()) and time.monotonic() < deadline:
        time.sleep(1)
    login.execute("select cron.unschedule('forge_daily_maintenance')")
    assert [status for status, _ in runs[:1]] == ["ok"], runs
    states = "select status, return_message from cron.job_run_details where status not in ('running', 'starting')"
    while not (details := login.execute(states).fetchall()) and time.monotonic() < deadline:
        time.sleep(1)
    assert {status for status, _ in details} == {"succeeded"}, details


def test_every_table_is_vacuumed_by_a_job_of_its_own(login: psycopg.Connection) -> None:
    before = counts(login)
    entries = report(login)
    assert {entry["status"] for entry in entries} == {"scheduled"}
    assert {entry["table"] for entry in entries} == set(before)
    report(login)
    planned = login.execute("select jobname, schedule, command from cron.job").fetchall()
    assert {(name, command) for name, _, command in planned} == {
        (f"forge_vacuum {table}", f"vacuum (analyze) {table}") for table in before
    }, "the jobs of the first call are replaced"
    moments = [schedule for _, schedule, _ in planned]
    assert max(map(moments.count, moments)) <= 4, "most workers are left to others"
    # Not to wait for minutes: all of them in the next one.
    for (job,) in login.execute("select jobid from cron.job").fetchall():
        login.execute("select cron.alter_job(%s, schedule => '* * * * *')", [job])
    deadline = time.monotonic() + PATIENCE
    while any(counts(login)[table] <= before[table] for table in before) and time.monotonic() < deadline:
        time.sleep(1)
    after = counts(login)
    assert [table for table in before if after[table] <= before[table]] == []
