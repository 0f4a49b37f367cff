"""What the health checks make of figures: each condition from both sides, in a transaction that nobody else sees.

That what goes wrong with a whole server is found is in test_health_check.
"""

import re
import threading
import time
from typing import Any

import psycopg
import pytest

from harness.databases import SUPERUSER, Database
from harness.session import Session


def check(db: Session, name: str) -> dict[str, Any]:
    """What the owner's worker of one check says."""
    answer: dict[str, Any] = db.as_owner().value(f"select private.health__{name}()")
    return answer


def configure(db: Session, **settings: float) -> None:
    for key, value in settings.items():
        change = "update public.system_config set min_value = least(min_value, %s), value = to_jsonb(%s::numeric)"
        assert db.as_owner().run(f"{change} where key = %s", [value, value, key]) == 1


# Growth ---------------------------------------------------------------------------------------------------------------


def snapshot(db: Session, days_ago: int, megabytes: int, name: str = "public.feedback") -> None:
    db.as_owner().run(
        "insert into private.size_snapshots (relation_name, taken_on, heap_bytes, index_bytes, total_bytes) "
        "values (%s, current_date - %s::integer, 0, 0, %s::bigint * 1048576)",
        [name, days_ago, megabytes],
    )


@pytest.mark.parametrize(
    ("snapshots", "status", "percent", "says"),
    [
        ({}, "ok", None, "no snapshots of two days"),
        ({0: 100}, "ok", None, "no snapshots of two days"),
        ({0: 200, 8: 100}, "ok", None, "no snapshots of two days"),
        ({0: 200, 7: 100}, "warning", 100, "100.0 percent (100 MB) more"),
        ({0: 200, 1: 100}, "warning", 100, "100.0 percent (100 MB) more"),
        ({0: 200, 1: 190, 6: 100, 9: 10}, "warning", 100, "100.0 percent (100 MB) more"),
        ({1: 200, 8: 100, 9: 10}, "warning", 100, "100.0 percent (100 MB) more"),
        ({0: 149, 7: 100}, "ok", 49, "49.0 percent (49 MB) more"),
        ({0: 100, 7: 51}, "ok", 96.1, "96.1 percent (49 MB) more"),
    ],
)
def test_growth_is_seen_over_a_week(
    db: Session, snapshots: dict[int, int], status: str, percent: float | None, says: str
) -> None:
    db.as_owner().run("delete from private.size_snapshots where true")
    configure(db, health_growth_percent=50, health_growth_mb=50)
    for days_ago, megabytes in snapshots.items():
        snapshot(db, days_ago, megabytes - 10)
        snapshot(db, days_ago, 10, "public.feedback_tags")  # all tables together count
    found = check(db, "growth")
    assert (found["status"], found["value"], found["threshold"]) == (status, percent, 50)
    assert says in found["detail"]


# Maintenance ----------------------------------------------------------------------------------------------------------

READ_STEPS, RUN = "select steps from private.maintenance_runs", "select public.daily_maintenance();"


@pytest.mark.parametrize(
    ("runs", "status", "says", "hint"),
    [
        ({}, "critical", "There was no run in the last 200.0 hours.", RUN),
        ({10: "ok"}, "ok", "The latest run: ok. The last that did all it should: 10.0 hours ago.", None),
        ({26: "ok"}, "warning", "The latest run: ok.", RUN),
        ({104: "ok"}, "critical", "The latest run: ok.", RUN),
        ({10: "ok", 5: "failed"}, "warning", "The latest run: failed. The last that did all it should: 10", READ_STEPS),
        ({10: "ok", 5: "interrupted"}, "warning", "The latest run: interrupted.", READ_STEPS),
        ({10: "ok", 5: "incomplete"}, "ok", "The latest run: incomplete. The last that did all it should: 10", None),
        ({110: "ok", 5: "failed"}, "critical", "The latest run: failed.", READ_STEPS),
        ({30: "ok", 5: "incomplete"}, "warning", "The latest run: incomplete.", RUN),
    ],
)
def test_maintenance_is_late_or_failed(
    db: Session, runs: dict[int, str], status: str, says: str, hint: str | None
) -> None:
    db.as_owner().run("delete from private.maintenance_runs where true")
    db.run("update public.system_config set created_at = now() - interval '200 hours' where true")
    for hours, came_to in runs.items():
        db.run(
            "insert into private.maintenance_runs (deadline, started_at, finished_at, status) "
            "select now(), moment, moment, %s from (select now() - make_interval(hours => %s)) as at (moment)",
            [came_to, hours],
        )
    found = check(db, "last_maintenance")
    assert (found["status"], found["threshold"]) == (status, 26)
    assert says in found["detail"]
    assert (found["hint"] or "").startswith(hint or "")
    assert bool(found["hint"]) is bool(hint)


# Jobs of pg_cron ------------------------------------------------------------------------------------------------------


def say_as_superuser(db: Session, connection: psycopg.Connection, statements: str) -> None:
    with db.aside():
        connection.execute(f"set local role none; set local session authorization {SUPERUSER}")
        connection.execute(statements.encode())


def test_without_pg_cron_no_job_fails(db: Session) -> None:
    assert check(db, "scheduled_jobs")["detail"] == "pg_cron is not installed."


def test_a_job_is_as_well_as_its_latest_run(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner()
    say_as_superuser(
        db,
        connection,
        """
        create schema cron;
        create table cron.job (jobid bigint primary key, command text not null, jobname name);
        create table cron.job_run_details (
            jobid bigint, runid bigint primary key, status text, return_message text, start_time timestamptz
        );
        grant usage on schema cron to postgres;
        grant select, insert on all tables in schema cron to postgres;
        insert into cron.job values (1, 'select 1', 'nightly'), (2, 'select 2', null), (3, 'select 3', 'hourly');
        insert into cron.job_run_details values
            (1, 1, 'failed', 'ERROR: before', now() - interval '2 hours'),
            (1, 2, 'succeeded', '1 row', now() - interval '1 hour'),
            (2, 3, 'failed', 'ERROR: long ago', now() - interval '9 days');
        """,
    )
    assert check(db, "scheduled_jobs")["status"] == "ok"
    db.run("insert into cron.job_run_details values (3, 4, 'succeeded', '1 row', now() - interval '3 hours')")
    db.run("insert into cron.job_run_details values (3, 5, 'failed', 'ERROR: no coffee', now() - interval '2 hours')")
    db.run("insert into cron.job_run_details values (2, 6, 'failed', null, now() - interval '7 days')")
    found = check(db, "scheduled_jobs")
    assert found["status"] == "warning"
    assert "select 2 (no message)" in found["detail"]
    assert "hourly (ERROR: no coffee)" in found["detail"]
    assert found["detail"].count("(") == 2, "one for each job that is not well"
    assert "jobid = 2 " in found["hint"]


# Months, bloat, transaction ids ---------------------------------------------------------------------------------------


def test_a_row_in_the_default_partition_is_told(db: Session, alice: Any) -> None:
    found = check(db, "usage_months")
    assert (found["status"], found["hint"]) == ("ok", None)
    assert "the default partition is empty" in found["detail"]
    db.run(
        "insert into public.api_usage_logs (user_id, provider, created_at) values (%s, 'openai', '2020-01-01')",
        [alice.id],
    )
    found = check(db, "usage_months")
    assert found["status"] == "warning"
    assert "rows wait in the default partition" in found["detail"]


def test_months_ahead_are_counted(db: Session) -> None:
    made = db.as_owner().value(
        "select count(*) from pg_class where relname ~ '^api_usage_logs_[0-9_]+$' and relkind = 'r' "
        "and relnamespace = 'private'::regnamespace "
        "and right(relname, 7) > to_char(statement_timestamp() at time zone 'utc', 'YYYY_MM')"
    )
    assert check(db, "usage_months")["value"] == made > 0


@pytest.mark.parametrize(
    ("rows", "earlier_rows", "pages", "status", "percent"),
    [
        (1000, 4000, 2048, "warning", 75.0),
        (3000, 4000, 2048, "ok", 25.0),
        (4000, 4000, 2048, "ok", None),
        (5000, 4000, 2048, "ok", None),
        (-1, 4000, 2048, "ok", None),  # never counted
        (500, 999, 2048, "ok", None),  # too few rows to say what one takes
        (250, 1000, 1024, "warning", 50.0),
        (249, 1000, 1023, "ok", None),  # not worth a lock
    ],
)
def test_bloat_is_what_rows_take_beyond_what_they_took(
    db: Session,
    connection: psycopg.Connection,
    rows: int,
    earlier_rows: int,
    pages: int,
    status: str,
    percent: float | None,
) -> None:
    db.as_owner().run("delete from private.size_snapshots where true")
    # 16 MB for all rows then; a day on which it took more is no measure.
    octets = 16 * 1048576
    db.run(
        "insert into private.size_snapshots (relation_name, taken_on, row_estimate, heap_bytes, index_bytes, "
        "total_bytes) values ('public.feedback', current_date - 1, %s, %s, 0, 0), "
        "('public.feedback', current_date - 2, 1000, 1073741824, 0, 0), "
        "('public.feedback_tags', current_date - 2, 1000000, 1, 0, 0)",
        [earlier_rows, octets],
    )
    change = f"set relpages = {pages}, reltuples = {rows} where oid = 'public.feedback'::regclass"
    say_as_superuser(db, connection, f"update pg_class {change}")
    found = check(db, "bloat")
    assert (found["status"], found["value"]) == (status, percent)
    told = f"Of public.feedback, {percent} percent" if percent else "No table takes more for each row than it once did."
    assert told in found["detail"]


def test_a_table_that_is_not_ours_may_be_bloated(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner().run("delete from private.size_snapshots where true")
    db.run(
        "insert into private.size_snapshots (relation_name, taken_on, row_estimate, heap_bytes, index_bytes, "
        "total_bytes) values ('auth.users', current_date - 1, 1000000, 1, 0, 0)"
    )
    change = "set relpages = 2048, reltuples = 10 where oid = 'auth.users'::regclass"
    say_as_superuser(db, connection, f"update pg_class {change}")
    assert check(db, "bloat")["value"] is None


# Who is connected, waits, holds up ------------------------------------------------------------------------------------


def test_connections_are_those_of_clients(db: Session) -> None:
    counted = db.as_owner().value(
        "select round(100.0 * count(*) / private.connection_limit(), 1) from pg_stat_activity "
        "where backend_type = 'client backend'"
    )
    assert check(db, "connections")["value"] == float(counted)


def asked(owner: psycopg.Connection, name: str) -> dict[str, Any]:
    row = owner.execute(f"select private.health__{name}(), pg_backend_pid()".encode()).fetchone()
    assert row is not None
    return {**row[0], "pid": row[1]}


def test_somebody_else_s_transaction_is_told(scratch: Database) -> None:
    """Whose, nobody can foretell where other tests run."""
    with scratch.connect() as holder, scratch.connect(autocommit=True) as owner:
        holder.execute("select 1")
        found = asked(owner, "long_transactions")
        told = re.fullmatch(
            r"The transaction of process (\d+) \(\w+, [^)]+\) has been open for (\S+) minutes.", found["detail"]
        )
        assert told is not None, found
        assert int(told[1]) != found["pid"]
        assert float(told[2]) == found["value"]


def test_a_wait_is_told_with_whom_it_waits_for(scratch: Database) -> None:
    with scratch.connect() as holder, scratch.connect() as waiter, scratch.connect(autocommit=True) as owner:
        holder.execute("lock table public.feedback")
        thread = threading.Thread(target=waiter.execute, args=["lock table public.feedback"])
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not owner.execute(
                "select from pg_locks where pid = %s and not granted and waitstart is not null",
                [waiter.info.backend_pid],
            ).rowcount:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            found = asked(owner, "lock_waits")
        finally:
            holder.rollback()
            thread.join()
    told = re.fullmatch(
        r"Process (\d+) has waited for (\S+) seconds for process (\d+); (\d+) wait in all.", found["detail"]
    )
    assert told is not None, found
    assert float(told[2]) == found["value"]
    assert int(told[4]) >= 1


def flushed(superuser: psycopg.Connection, owner: psycopg.Connection) -> None:
    for side in (superuser, owner):
        side.execute("select pg_stat_force_next_flush()")
        side.execute("select 1")


def test_dead_rows_are_worth_a_vacuum_from_a_thousand_on(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as superuser, scratch.connect(autocommit=True) as owner:
        owner.execute("create table private.stuff as select n from generate_series(1, 3000) as n")
        superuser.execute("create schema elsewhere; create table elsewhere.stuff as select generate_series(1, 9000)")
        superuser.execute("delete from elsewhere.stuff")
        owner.execute("delete from private.stuff where n <= 999")
        flushed(superuser, owner)
        found = asked(owner, "dead_rows")
        assert (found["status"], found["value"], found["detail"]) == ("ok", None, "No table has many dead rows.")
        owner.execute("delete from private.stuff where n <= 1200")
        flushed(superuser, owner)
        found = asked(owner, "dead_rows")
        assert (found["status"], found["value"]) == ("warning", 40.0)
        assert found["detail"] == "Of private.stuff, 40.0 percent are dead rows: 1200."


def test_the_cache_is_judged_after_ten_thousand_blocks(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as superuser, scratch.connect(autocommit=True) as owner:
        superuser.execute("select pg_stat_reset()")
        found = asked(owner, "cache_hits")
        assert (found["status"], found["value"]) == ("ok", None)
        assert found["detail"] == "Too few blocks were read to tell."
        superuser.execute(
            "do $$ begin for n in 1..11000 loop perform 1 from public.feedback_tags limit 1; end loop; end $$"
        )
        flushed(superuser, owner)
        found = asked(owner, "cache_hits")
        assert (found["status"], found["threshold"]) == ("ok", 95)
        assert 95 < found["value"] <= 100
        assert "block reads were served from memory" in found["detail"]
        changed = owner.execute(
            "update public.system_config set max_value = 200, value = '101' where key = 'health_cache_hit_percent'"
        )
        assert changed.rowcount == 1
        found = asked(owner, "cache_hits")
        assert (found["status"], found["threshold"]) == ("warning", 101)


def test_a_standby_that_is_not_there_is_not_told(db: Session) -> None:
    assert check(db, "replication_lag")["detail"] == "No standby is attached."
