"""vacuum_all_tables() and analyze_all_tables(): every table, through whatever can open a session.

That is pg_cron or, in private.vacuum_by_connection(), dblink.
"""

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from harness.databases import SUPERUSER, Database
from harness.session import Session

VACUUM = "select public.vacuum_all_tables()"
COUNTS = """
    select schemaname || '.' || relname, vacuum_count from pg_stat_user_tables
    where schemaname in ('public', 'private', 'archive')
        and relid in (select oid from pg_class where relkind in ('r', 'm'))
"""


@pytest.fixture
def login(scratch: Database) -> Iterator[psycopg.Connection]:
    with scratch.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def dblink(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as superuser:
        superuser.execute("create extension dblink with schema extensions")


def store(login: psycopg.Connection, dsn: str) -> None:
    login.execute("select private.keep_secret('maintenance_dsn', %s)", [dsn])


def report(login: psycopg.Connection, statement: str = VACUUM) -> list[dict[str, Any]]:
    row = login.execute(statement).fetchone()
    assert row is not None
    found: list[dict[str, Any]] = row[0]
    return found


def counts(login: psycopg.Connection) -> dict[str, int]:
    login.execute("select pg_stat_clear_snapshot()")
    return dict(login.execute(COUNTS).fetchall())


# Through a second session ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("dblink")
def test_every_table_is_vacuumed_through_a_second_session(scratch: Database, login: psycopg.Connection) -> None:
    """Scram, with a password, as the owner of the tables, who is no superuser."""
    store(login, scratch.url())
    before = counts(login)
    assert len(before) > 30
    assert set(before.values()) == {0}
    entries = report(login)
    assert {entry["status"] for entry in entries} == {"ok"}, entries
    assert {entry["table"] for entry in entries} == set(before)
    deadline = time.monotonic() + 60
    while (after := counts(login)) != dict.fromkeys(before, 1) and time.monotonic() < deadline:
        time.sleep(0.1)  # the other session tells its figures when it ends
    assert after == dict.fromkeys(before, 1)
    assert login.execute("select extensions.dblink_get_connections()").fetchone() == (None,), "nothing is left open"


@pytest.mark.usefixtures("dblink")
def test_a_table_that_is_locked_is_reported_and_holds_up_no_other(scratch: Database, login: psycopg.Connection) -> None:
    store(login, scratch.url())
    login.execute("update public.system_config set value = '100' where key = 'maintenance_lock_timeout_ms'")
    with scratch.connect() as user:
        user.execute("lock table public.feedback in share row exclusive mode")
        entries = {entry["table"]: entry for entry in report(login)}
    assert entries["public.feedback"]["status"] == "failed"
    assert "lock timeout" in entries["public.feedback"]["error"]
    assert {entry["status"] for table, entry in entries.items() if table != "public.feedback"} == {"ok"}


@pytest.mark.usefixtures("dblink")
def test_locks_of_ones_own_are_waited_for_no_longer_than_told(scratch: Database, login: psycopg.Connection) -> None:
    """ANALYZE and then VACUUM from another session, in one transaction: no deadlock detector would see it."""
    store(login, scratch.url())
    login.execute("update public.system_config set value = '100' where key = 'maintenance_lock_timeout_ms'")
    with login.transaction():
        login.execute("analyze public.feedback")
        statuses = {entry["table"]: entry["status"] for entry in report(login)}
    assert statuses.pop("public.feedback") == "failed"
    assert set(statuses.values()) == {"ok"}


@pytest.mark.usefixtures("dblink")
@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("@", "-wrong@"),
        lambda url: url.rsplit("/", 1)[0] + "/no_such_database",
        lambda _: "not a connection string at all",
        lambda _: "password=verysecret oops",
    ],
)
def test_a_connection_that_does_not_open_is_an_error_without_its_secret(
    scratch: Database, login: psycopg.Connection, change: Any
) -> None:
    dsn = change(scratch.url())
    store(login, dsn)
    with pytest.raises(errors.SqlclientUnableToEstablishSqlconnection) as refusal:
        login.execute(VACUUM)
    said = f"{refusal.value} {refusal.value.diag.message_detail} {refusal.value.diag.context}"
    assert scratch.server.passwords["postgres"] not in said
    assert "verysecret" not in said
    assert "maintenance_dsn" in str(refusal.value.diag.message_hint)


@pytest.mark.usefixtures("dblink")
def test_another_database_is_not_vacuumed_in_place_of_this_one(scratch: Database, login: psycopg.Connection) -> None:
    store(login, scratch.server.url("postgres", "postgres"))
    with pytest.raises(errors.SqlclientUnableToEstablishSqlconnection, match="another database"):
        login.execute(VACUUM)
    assert login.execute("select extensions.dblink_get_connections()").fetchone() == (None,)


def test_without_dblink_the_error_says_so(scratch: Database, login: psycopg.Connection) -> None:
    store(login, scratch.url())
    with pytest.raises(errors.FeatureNotSupported, match="dblink is not installed") as refusal:
        login.execute(VACUUM)
    assert "create extension dblink" in str(refusal.value.diag.message_hint)


def test_with_nothing_the_error_names_both_cures(db: Session) -> None:
    db.as_server()
    with db.refuses(errors.FeatureNotSupported) as refusal:
        db.run(VACUUM)
    hint = str(refusal.value.diag.message_hint)
    assert "maintenance_dsn" in hint
    assert "dblink" in hint
    assert "create extension pg_cron" in hint


# ANALYZE --------------------------------------------------------------------------------------------------------------


def test_every_table_is_analyzed_partitioned_ones_too(login: psycopg.Connection) -> None:
    entries = report(login, "select public.analyze_all_tables()")
    assert {entry["status"] for entry in entries} == {"ok"}, entries
    assert {entry["table"] for entry in entries} == {*counts(login), "public.api_usage_logs", "archive.api_usage_logs",
                                                     "archive.prompt_history"}  # fmt: skip
    never = "select relname from pg_stat_user_tables where schemaname in ('public', 'private') and analyze_count = 0"
    assert login.execute(never).fetchall() == []


def test_a_table_that_is_locked_is_not_analyzed_and_reported(scratch: Database, login: psycopg.Connection) -> None:
    with scratch.connect() as user:
        user.execute("lock table public.feedback in share row exclusive mode")
        failed = [entry for entry in report(login, "select public.analyze_all_tables()") if entry["status"] != "ok"]
    assert [entry["table"] for entry in failed] == ["public.feedback"]
    assert failed[0]["error"]


def test_the_step_analyzes_what_has_changed(login: psycopg.Connection) -> None:
    login.execute("insert into public.feedback (message) select 'x' from generate_series(1, 100)")
    login.execute("select pg_stat_force_next_flush()")
    login.execute("select 1")
    row = login.execute("select rows, is_complete from private.step_analyze('infinity')").fetchone()
    assert row is not None
    assert row[0] >= 100
    assert row[1]
    assert login.execute("select reltuples from pg_class where relname = 'feedback'").fetchone() == (100,)


# Which tables ---------------------------------------------------------------------------------------------------------

MAINTAINED = "select name from private.maintained_tables()"
OURS = """
    select format('%I.%I', nspname, relname) from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    where nspname in ('public', 'private', 'archive') and relkind in ('r', 'm')
"""


def test_what_is_maintained_is_every_table_of_ours_that_holds_rows(db: Session) -> None:
    db.as_owner()
    assert sorted(db.column(MAINTAINED)) == sorted(db.column(OURS))


def test_what_a_crash_empties_and_what_holds_no_rows_is_not_maintained(db: Session) -> None:
    before = db.as_owner().column(MAINTAINED)
    db.run("create unlogged table public.unlogged (id integer); create view public.looked as select 1 as one")
    db.run('create table public."Odd name" (id integer)')
    assert sorted(db.column(MAINTAINED)) == sorted([*before, 'public."Odd name"'])


# Scheduling -----------------------------------------------------------------------------------------------------------


def test_without_pg_cron_scheduling_says_what_to_do(db: Session) -> None:
    said = db.as_server().value("select public.schedule_maintenance()")
    assert said.startswith("Nothing is scheduled: pg_cron is not installed")
    assert "create extension pg_cron" in said
    assert 'psql -c "select public.daily_maintenance()"' in said
