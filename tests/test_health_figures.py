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
from harness.figures import Raw, made_up
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
        ({}, "critical", "Nothing has run in the 200.0 hours since the installation.", RUN),
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


# Asked of figures that are made up ------------------------------------------------------------------------------------

HERE = Raw("current_database()")


def block_reads(hits: int, reads: int) -> list[dict[str, Any]]:
    return [
        {"datname": HERE, "blks_hit": hits, "blks_read": reads},
        {"datname": "elsewhere", "blks_hit": 40000, "blks_read": 60000},
    ]


@pytest.mark.parametrize(
    ("hits", "reads", "status", "percent", "says"),
    [
        (9499, 500, "ok", None, "Too few blocks were read to tell."),
        (9500, 500, "ok", 95.0, "95.0 percent of 10000 block reads were served from memory."),
        (9490, 510, "warning", 94.9, "94.9 percent of 10000 block reads were served from memory."),
    ],
)
def test_the_cache_is_judged_by_its_hits(
    db: Session, hits: int, reads: int, status: str, percent: float | None, says: str
) -> None:
    made_up(db, "private.health__cache_hits()", pg_stat_database=block_reads(hits, reads))
    found = check(db, "cache_hits")
    assert found == {
        "status": status,
        "value": percent,
        "threshold": 95,
        "detail": says,
        "hint": None if status == "ok" else "select * from public.get_slow_queries();",
    }


def test_the_least_share_of_hits_is_configured(db: Session) -> None:
    made_up(db, "private.health__cache_hits()", pg_stat_database=block_reads(9000, 1000))
    configure(db, health_cache_hit_percent=90)
    assert check(db, "cache_hits")["status"] == "ok"
    configure(db, health_cache_hit_percent=90.1)
    assert check(db, "cache_hits")["status"] == "warning"
    # Whoever makes something else of it gets the default.
    db.run(
        "update public.system_config set min_value = null, max_value = null, value_type = 'text', value = '\"many\"' "
        "where key = 'health_cache_hit_percent'"
    )
    assert check(db, "cache_hits")["threshold"] == 95


def dead(relation: str, live: int, dead: int, schema: str = "public") -> dict[str, Any]:
    relid = Raw(f"'{relation}'::regclass")
    return {"relid": relid, "schemaname": schema, "n_live_tup": live, "n_dead_tup": dead}


@pytest.mark.parametrize(
    ("tables", "status", "percent", "says", "hint"),
    [
        ([dead("public.feedback", 1, 999)], "ok", None, "No table has many dead rows.", None),
        (
            [dead("public.feedback", 3000, 1000), dead("public.feedback_tags", 9000, 1000)],
            "warning",
            25.0,
            "Of public.feedback, 25.0 percent are dead rows: 1000.",
            "vacuum (analyze) public.feedback;",
        ),
        ([dead("pg_class", 1, 1000, "elsewhere")], "ok", None, "No table has many dead rows.", None),
        (
            [dead("public.feedback", 9000, 1000)],
            "ok",
            10.0,
            "Of public.feedback, 10.0 percent are dead rows: 1000.",
            None,
        ),
    ],
)
def test_dead_rows_are_those_of_the_worst_table(
    db: Session, tables: list[dict[str, Any]], status: str, percent: float | None, says: str, hint: str | None
) -> None:
    made_up(db, "private.health__dead_rows()", pg_stat_all_tables=tables)
    found = check(db, "dead_rows")
    assert found == {"status": status, "value": percent, "threshold": 20, "detail": says, "hint": hint}


def waiting(pid: int, seconds: int | None) -> dict[str, Any]:
    """A lock that is held, or waited for since then."""
    since = Raw(f"now() - interval '{seconds} seconds'" if seconds is not None else "null")
    return {"pid": pid, "granted": seconds is None, "waitstart": since}


@pytest.mark.parametrize(
    ("locks", "status", "seconds", "says", "hint"),
    [
        ([waiting(1, None)], "ok", None, "Nobody waits for a lock.", None),
        (
            [waiting(1, None), waiting(5, 20)],
            "ok",
            20.0,
            "Process 5 has waited for 20.0 seconds for process 6; 1 wait in all.",
            None,
        ),
        (
            [waiting(1, None), waiting(3, 30), waiting(5, 31)],
            "warning",
            31.0,
            "Process 5 has waited for 31.0 seconds for process 6; 2 wait in all.",
            "select pg_terminate_backend(6);",
        ),
        (
            [waiting(5, 300)],
            "critical",
            300.0,
            "Process 5 has waited for 300.0 seconds for process 6; 1 wait in all.",
            "select pg_terminate_backend(6);",
        ),
    ],
)
def test_the_longest_wait_is_told(
    db: Session, locks: list[dict[str, Any]], status: str, seconds: float | None, says: str, hint: str | None
) -> None:
    clock = {"statement_timestamp()": "now()", "pg_blocking_pids(held.pid)": "array[held.pid + 1]"}
    made_up(db, "private.health__lock_waits()", clock, pg_locks=locks)
    found = check(db, "lock_waits")
    assert found == {"status": status, "value": seconds, "threshold": 30, "detail": says, "hint": hint}


def test_a_lock_of_a_prepared_transaction_is_nobodys_process(db: Session) -> None:
    clock = {"statement_timestamp()": "now()", "pg_blocking_pids(held.pid)": "array[0]"}
    made_up(db, "private.health__lock_waits()", clock, pg_locks=[waiting(5, 31)])
    found = check(db, "lock_waits")
    assert found["detail"] == "Process 5 has waited for 31.0 seconds for a prepared transaction; 1 wait in all."
    assert found["hint"] == "select gid, prepared, owner from pg_prepared_xacts order by prepared;"
    db.run(found["hint"])


def transaction(pid: int | Raw, minutes: int | None, kind: str = "client backend") -> dict[str, Any]:
    since = Raw(f"now() - interval '{minutes} minutes'" if minutes is not None else "null")
    return {"pid": pid, "usename": "somebody", "state": "active", "xact_start": since, "backend_type": kind}


OWN = transaction(Raw("pg_backend_pid()"), 90)
AUTOVACUUM = transaction(2, 90, "autovacuum worker")
IDLE = transaction(3, None)


@pytest.mark.parametrize(
    ("open_ones", "prepared", "status", "minutes", "says", "hint"),
    [
        ([OWN, AUTOVACUUM, IDLE], None, "ok", None, "No other transaction is open.", None),
        (
            [OWN, AUTOVACUUM, IDLE, transaction(4, 14), transaction(5, 3)],
            None,
            "ok",
            14.0,
            "The transaction of process 4 (somebody, active) has been open for 14.0 minutes.",
            None,
        ),
        (
            [OWN, transaction(4, 15)],
            None,
            "warning",
            15.0,
            "The transaction of process 4 (somebody, active) has been open for 15.0 minutes.",
            "select pg_terminate_backend(4);",
        ),
        (
            [OWN, transaction(4, 15)],
            60,
            "critical",
            60.0,
            "The prepared transaction 'left' has been open for 60.0 minutes.",
            "rollback prepared 'left';",
        ),
    ],
)
def test_the_oldest_transaction_of_somebody_else_is_told(
    db: Session,
    open_ones: list[dict[str, Any]],
    prepared: int | None,
    status: str,
    minutes: float | None,
    says: str,
    hint: str | None,
) -> None:
    left = Raw(f"now() - interval '{prepared} minutes'" if prepared is not None else "null")
    made_up(
        db,
        "private.health__long_transactions()",
        {"statement_timestamp()": "now()"},
        pg_stat_activity=open_ones,
        pg_prepared_xacts=[{"gid": "left", "prepared": left}],
    )
    found = check(db, "long_transactions")
    assert found == {"status": status, "value": minutes, "threshold": 15, "detail": says, "hint": hint}


def test_the_standby_that_is_farthest_behind_is_told(db: Session) -> None:
    on_it = {
        "pg_is_in_recovery()": "false",
        "pg_last_wal_receive_lsn()": "'0/2'::pg_lsn",
        "pg_last_wal_replay_lsn()": "'0/1'::pg_lsn",
        "pg_last_xact_replay_timestamp()": "(now() - interval '700 seconds')",
        "statement_timestamp()": "now()",
    }
    made_up(
        db,
        "private.health__replication_lag()",
        on_it,
        pg_stat_replication=[
            {"application_name": "first", "client_addr": "10.0.0.1", "replay_lag": Raw("interval '61 seconds'")},
            {"application_name": "", "client_addr": "10.0.0.2", "replay_lag": Raw("interval '62 seconds'")},
            {"application_name": "idle", "client_addr": "10.0.0.3", "replay_lag": Raw("null")},
        ],
    )
    found = check(db, "replication_lag")
    assert (found["status"], found["value"], found["threshold"]) == ("warning", 62.0, 60)
    assert found["detail"].startswith("The standby 10.0.0.2")
    assert found["hint"] == "select * from pg_stat_replication;"


@pytest.mark.parametrize(
    ("received", "status", "seconds"),
    [("'0/2'::pg_lsn", "critical", 700.0), ("'0/1'::pg_lsn", "ok", 0.0)],
    ids=["behind", "up to date"],
)
def test_a_standby_says_how_far_itself_is_behind(db: Session, received: str, status: str, seconds: float) -> None:
    on_it = {
        "pg_is_in_recovery()": "true",
        "pg_last_wal_receive_lsn()": received,
        "pg_last_wal_replay_lsn()": "'0/1'::pg_lsn",
        "pg_last_xact_replay_timestamp()": "(now() - interval '700 seconds')",
        "statement_timestamp()": "now()",
    }
    made_up(db, "private.health__replication_lag()", on_it)
    found = check(db, "replication_lag")
    assert (found["status"], found["value"]) == (status, seconds)
    assert found["detail"] == f"This standby is {seconds} seconds behind."


def slot(name: str, *, active: bool, status: str, restart: str | None) -> dict[str, Any]:
    lsn = Raw(f"'{restart}'::pg_lsn" if restart else "null")
    return {"slot_name": name, "active": active, "wal_status": status, "restart_lsn": lsn}


NO_SLOT = [slot("none", active=False, status="lost", restart=None)]


@pytest.mark.parametrize("on_standby", [False, True])
@pytest.mark.parametrize(
    ("slots", "status", "megabytes", "says", "hint"),
    [
        ([], "ok", None, "There are no replication slots.", None),
        (
            [
                slot("used", active=True, status="reserved", restart="1/3FF00000"),
                slot("new", active=False, status="reserved", restart=None),
            ],
            "ok",
            1.0,
            "Slot used (in use) keeps 1.0 MB of WAL.",
            None,
        ),
        (
            [
                slot("used", active=True, status="reserved", restart="1/3FF00000"),
                slot("forgotten", active=False, status="extended", restart="1/00000000"),
            ],
            "warning",
            1024.0,
            "Slot forgotten (not in use) keeps 1024.0 MB of WAL.",
            "select pg_drop_replication_slot('forgotten');",
        ),
        (
            [
                slot("forgotten", active=False, status="extended", restart="1/00000000"),
                slot("gone", active=False, status="lost", restart=None),
            ],
            "critical",
            None,
            "Slot gone (not in use) keeps 0 MB of WAL.",
            "select pg_drop_replication_slot('gone');",
        ),
    ],
)
def test_the_slot_that_keeps_most_is_told(
    db: Session,
    on_standby: bool,
    slots: list[dict[str, Any]],
    status: str,
    megabytes: float | None,
    says: str,
    hint: str | None,
) -> None:
    here, elsewhere = "'1/40000000'::pg_lsn", "'0/0'::pg_lsn"
    of_server = {
        "pg_is_in_recovery()": str(on_standby).lower(),
        "pg_last_wal_replay_lsn()": here if on_standby else elsewhere,
        "pg_current_wal_lsn()": elsewhere if on_standby else here,
    }
    made_up(db, "private.health__replication_slots()", of_server, pg_replication_slots=slots or NO_SLOT)
    db.run("delete from pg_temp.pg_replication_slots where slot_name = 'none'")
    found = check(db, "replication_slots")
    assert found == {"status": status, "value": megabytes, "threshold": 1024, "detail": says, "hint": hint}


def test_an_index_that_could_not_be_built_is_told(db: Session, connection: psycopg.Connection) -> None:
    assert check(db, "invalid_indexes")["status"] == "ok"
    which = "where indexrelid = 'public.idx_feedback_user_id_created_at'::regclass"
    say_as_superuser(db, connection, f"update pg_index set indisvalid = false {which}")
    found = check(db, "invalid_indexes")
    assert (found["status"], found["value"]) == ("warning", 1)
    assert found["hint"] == "reindex index concurrently public.idx_feedback_user_id_created_at;"


def test_transactions_and_groups_of_them_are_counted(db: Session) -> None:
    """The older of the two, and of what has no number for one only the other."""
    made_up(
        db,
        "private.health__wraparound()",
        {"age(class.relfrozenxid)": "class.reltuples::integer", "mxid_age(class.relminmxid)": "class.relpages"},
        pg_class=[
            {"oid": Raw(f"'{name}'::regclass"), "relkind": kind, "reltuples": ids, "relpages": groups,
             "relfrozenxid": Raw("'3'::xid"), "relminmxid": Raw(f"'{first}'::xid")}
            for name, kind, ids, groups, first in (
                ("public.feedback", "r", 1000, 1288490189, 1),
                ("public.feedback_tags", "r", 1000, 2147483647, 0),
                ("public.api_usage_logs", "p", 2147483647, 2147483647, 1),
            )
        ],
    )  # fmt: skip
    found = check(db, "wraparound")
    assert (found["status"], found["value"]) == ("warning", 60.0)
    assert found["detail"] == "public.feedback has used up 60.0 percent of the transaction ids."
