"""health_check(): what goes wrong with a whole server is found, named, and gone once it is mended.

On a server of the test's own, because elsewhere other tests are what goes wrong. One test breaks everything in turn, so
that the server is made once for each version.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import psycopg
import pytest

from harness import clusters
from harness.checks import NAMES, findings, report, say
from harness.clusters import Cluster
from harness.databases import SUPERUSER, Database
from harness.replicas import private_server, standby
from harness.session import Session

PATIENCE = 20.0  # seconds; figures reach the statistics with a delay
STAFF_READERS = ("get_user_activity", "get_api_analytics", "get_prompt_analytics", "get_feedback_analytics")
READERS = (
    "public.health_check()",
    "public.integrity_check()",
    "public.security_audit()",
    "public.get_database_stats()",
    "public.get_slow_queries()",
    "public.get_index_usage()",
    "public.get_index_advice()",
    "public.get_storage_growth()",
    "public.get_connection_stats()",
)
STUFF = "create table private.stuff as select n as id, n || repeat('x', 500) as words from generate_series(1, {}) as n"


class Ground:
    """A whole server: its owner, who asks, and a superuser, who can break what the owner cannot."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.owner = database.connect(autocommit=True)
        self.admin = database.connect(SUPERUSER, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.owner.close()
        self.admin.close()

    def set(self, **settings: int) -> None:
        for key, value in settings.items():
            changed = self.owner.execute(
                "update public.system_config set min_value = least(min_value, %(value)s), value = to_jsonb(%(value)s) "
                "where key = %(key)s",
                {"key": key, "value": value},
            )
            assert changed.rowcount == 1, key

    def check(self, name: str) -> dict[str, Any]:
        answer = value(self.owner, "select public.health_check()")
        (found,) = (it for it in answer["checks"] if it["name"] == name)
        return dict(found)

    def becomes(self, name: str, *statuses: str) -> dict[str, Any]:
        """Wait until the check says so, and only as long as figures may take to arrive."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.check(name))["status"] not in statuses and time.monotonic() < deadline:
            self.admin.execute("select pg_stat_force_next_flush()")
            self.owner.execute("select pg_stat_force_next_flush()")
            time.sleep(0.1)
        assert found["status"] in statuses, found
        return found


def value(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


Breaker = Callable[[Ground], Any]
BREAKERS: dict[str, tuple[Breaker, dict[str, int], str, bool]] = {}


def breaks(says: str, *, shows: bool = False, **settings: int) -> Callable[[Callable[[Ground], Iterator[None]]], None]:
    """Register how to break what the check of this name watches, and what it says then: the one or the other first.

    What its hint says mends it, unless the hint only shows what there is to decide.
    """

    def register(function: Callable[[Ground], Iterator[None]]) -> None:
        BREAKERS[function.__name__] = (contextmanager(function), settings, says, shows)

    return register


@breaks("connections are in use", shows=True, health_connections_percent=10)
def connections(ground: Ground) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(ground.database.connect(SUPERUSER))
        yield


@breaks("has been open for", health_transaction_minutes=0)
def long_transactions(ground: Ground) -> Iterator[None]:
    with ground.database.connect() as other:
        other.execute("select 1")
        yield
        other.close()


@breaks("for process", health_lock_wait_seconds=1)
def lock_waits(ground: Ground) -> Iterator[None]:
    with ground.database.connect() as holder, ground.database.connect() as waiter:
        holder.execute("lock table public.feedback")
        thread = threading.Thread(target=waiter.execute, args=["lock table public.feedback"])
        thread.start()
        yield
        holder.close()
        thread.join()


@breaks("Of private.stuff")
def dead_rows(ground: Ground) -> Iterator[None]:
    ground.owner.execute(STUFF.format(5000))
    ground.owner.execute("delete from private.stuff where id > 2000")
    yield
    ground.owner.execute("vacuum private.stuff")
    ground.becomes("dead_rows", "ok")
    ground.owner.execute("drop table private.stuff")


@breaks("Of private.stuff")
def bloat(ground: Ground) -> Iterator[None]:
    ground.owner.execute(STUFF.format(20000))
    ground.owner.execute("vacuum (analyze) private.stuff")
    ground.owner.execute("select private.step_snapshot_sizes(null)")
    assert ground.check("bloat")["status"] == "ok"
    ground.owner.execute("delete from private.stuff where id % 10 <> 0")
    ground.owner.execute("vacuum (analyze) private.stuff")
    yield
    ground.owner.execute("vacuum (full, analyze) private.stuff")
    assert ground.check("bloat")["status"] == "ok"
    ground.owner.execute("drop table private.stuff; delete from private.size_snapshots where true")


@breaks("private.secrets has used up")
def wraparound(ground: Ground) -> Iterator[None]:
    change = "update pg_class set relfrozenxid = %s::text::xid where oid = 'private.secrets'::regclass"
    before = value(ground.admin, "select relfrozenxid::text from pg_class where oid = 'private.secrets'::regclass")
    # As if 1.2 billion transactions had come since.
    ground.admin.execute(change, [(int(before) - 1_200_000_000) % 2**32])
    yield
    ground.admin.execute(change, [before])


@breaks("private.stuff_words_idx", health_unused_index_mb=1)
def unused_indexes(ground: Ground) -> Iterator[None]:
    ground.owner.execute(STUFF.format(5000))
    ground.owner.execute("create index on private.stuff (words)")
    assert ground.check("unused_indexes")["status"] == "ok", "it has not been there for long"
    ground.owner.execute("update public.system_config set created_at = created_at - interval '31 days' where true")
    yield
    ground.owner.execute("set enable_seqscan = off; select from private.stuff where words = 'x'; reset enable_seqscan")
    ground.becomes("unused_indexes", "ok")
    ground.owner.execute("update public.system_config set created_at = created_at + interval '31 days' where true")
    ground.owner.execute("drop table private.stuff")


@breaks("public.feedback_once_more (as public.idx_feedback_user_id_created_at)")
def duplicate_indexes(ground: Ground) -> Iterator[None]:
    ground.owner.execute("create index feedback_once_more on public.feedback (user_id)")
    yield
    assert value(ground.owner, "select to_regclass('public.feedback_once_more')") is None


@breaks("private.stuff_id")
def invalid_indexes(ground: Ground) -> Iterator[None]:
    ground.owner.execute("create table private.stuff as select 1 as id from generate_series(1, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ground.owner.execute("create unique index concurrently stuff_id on private.stuff (id)")
    ground.owner.execute("delete from private.stuff where ctid = '(0,1)'")
    yield
    ground.owner.execute("drop table private.stuff")


@breaks("percent of", shows=True)
def cache_hits(ground: Ground) -> Iterator[None]:
    ground.owner.execute(STUFF.format(40000))
    ground.owner.execute("vacuum full private.stuff")  # past the cache, and too large for a scan to fill it
    ground.admin.execute("select pg_stat_reset()")
    ground.owner.execute("set max_parallel_workers_per_gather = 0")
    for _ in range(5):
        ground.owner.execute("select count(*) from private.stuff")
    yield
    ground.owner.execute("drop table private.stuff")
    ground.admin.execute("select pg_stat_reset()")


@breaks("Slot forgotten (not in use) keeps", health_slot_wal_mb=1)
def replication_slots(ground: Ground) -> Iterator[None]:
    ground.admin.execute("checkpoint")  # from there on it keeps everything
    ground.admin.execute("select pg_create_physical_replication_slot('forgotten', true)")
    assert ground.check("replication_slots")["status"] == "ok", "it keeps nothing yet"
    ground.owner.execute(STUFF.format(5000))
    ground.owner.execute("drop table private.stuff")
    yield
    assert value(ground.admin, "select count(*) from pg_replication_slots") == 0


@breaks("nightly (ERROR: out of coffee)", shows=True)
def scheduled_jobs(ground: Ground) -> Iterator[None]:
    """The tables of pg_cron, as they are in 1.4 and later."""
    ground.admin.execute("""
        create schema cron;
        create table cron.job (jobid bigint primary key, command text not null, jobname name);
        create table cron.job_run_details (
            jobid bigint, runid bigint primary key, status text, return_message text, start_time timestamptz
        );
        grant usage on schema cron to postgres;
        grant select on all tables in schema cron to postgres;
        insert into cron.job values (1, 'select 1', 'nightly'), (2, 'select 2', null);
        insert into cron.job_run_details values
            (1, 1, 'succeeded', '1 row', now() - interval '2 hours'),
            (2, 2, 'failed', 'ERROR: long ago', now() - interval '30 days');
    """)
    assert ground.check("scheduled_jobs")["status"] == "ok"
    run = "insert into cron.job_run_details values (1, %s, %s, %s, now() - %s * interval '1 minute')"
    ground.admin.execute(run, [3, "failed", "ERROR: out of coffee", 60])
    yield
    ground.admin.execute(run, [4, "succeeded", "1 row", 1])
    assert ground.check("scheduled_jobs")["status"] == "ok"
    ground.admin.execute("drop schema cron cascade")


@breaks("The latest run: failed.", shows=True)
def last_maintenance(ground: Ground) -> Iterator[None]:
    run = (
        "insert into private.maintenance_runs (deadline, started_at, finished_at, status) values (now(), {0}, {0}, %s)"
    )
    ground.owner.execute(run.format("now() - interval '25 hours'"), ["ok"])
    assert ground.check("last_maintenance")["status"] == "ok"
    ground.owner.execute("update private.maintenance_runs set finished_at = now() - interval '26 hours' where true")
    ground.owner.execute("update public.system_config set created_at = created_at - interval '1 year' where true")
    found = ground.check("last_maintenance")
    assert (found["status"], found["value"], found["hint"]) == ("warning", 26, "select public.daily_maintenance();")
    ground.owner.execute("update private.maintenance_runs set finished_at = now() - interval '5 days' where true")
    assert ground.check("last_maintenance")["status"] == "critical"
    ground.owner.execute(found["hint"])
    assert ground.check("last_maintenance")["status"] == "ok"
    ground.owner.execute(run.format("clock_timestamp()"), ["failed"])
    yield
    ground.owner.execute("select public.daily_maintenance()")
    ground.owner.execute("delete from private.size_snapshots where true")


@breaks("percent (", shows=True, health_growth_percent=10, health_growth_mb=2)
def growth(ground: Ground) -> Iterator[None]:
    snapshot = "select private.step_snapshot_sizes(null)"
    ground.owner.execute(snapshot)
    ground.owner.execute("update private.size_snapshots set taken_on = taken_on - 7 where true")
    ground.owner.execute(STUFF.format(5000))
    ground.owner.execute(snapshot)
    yield
    ground.owner.execute(
        "drop table private.stuff; delete from private.size_snapshots where taken_on > now() - interval '2 d'"
    )
    ground.owner.execute(snapshot)


@breaks("are made for 0 months ahead")
def usage_months(ground: Ground) -> Iterator[None]:
    names = "select oid::regclass::text from pg_class where relname ~ '^api_usage_logs_[0-9_]+$' and relkind = 'r'"

    def forget_months() -> None:
        for (name,) in ground.owner.execute(f"{names} order by 1 offset 1").fetchall():
            ground.owner.execute(f"drop table {name}")

    forget_months()
    yield
    forget_months()
    # A row of a month that nobody made waits in the default partition; the command makes the month and moves it.
    ground.owner.execute("""
        insert into auth.users (id, aud, role) values (gen_random_uuid(), 'authenticated', 'authenticated');
        insert into public.api_usage_logs (user_id, provider, created_at)
        select id, 'openai', now() + interval '1 month' from auth.users
    """)
    found = ground.check("usage_months")
    assert "rows wait in the default partition" in found["detail"]
    ground.owner.execute(found["hint"])
    ground.owner.execute("delete from auth.users where true")


def test_what_is_broken_is_found(cluster: Cluster) -> None:
    with private_server(cluster.binaries) as database, Ground(database) as ground:
        answer = value(ground.owner, "select public.health_check()")
        assert answer["status"] == "ok", "a fresh installation is well"
        names = [name for (name,) in ground.owner.execute(NAMES, ["health"])]
        assert [it["name"] for it in answer["checks"]] == names
        # Replication has a test of its own below.
        assert {*BREAKERS, "replication_lag"} == set(names)

        for name, (breaker, settings, says, shows) in BREAKERS.items():
            ground.set(**settings)
            assert ground.check(name)["status"] == "ok", name
            with breaker(ground):
                found = ground.becomes(name, "warning", "critical")
                assert says in found["detail"], found
                assert found["hint"], "a finding says what to do"
                ground.owner.execute(found["hint"])
                if not shows:
                    ground.becomes(name, "ok")
            ground.becomes(name, "ok")


def test_readers_run_on_a_standby_and_say_how_far_it_is_behind() -> None:
    with ExitStack() as stack:
        database = stack.enter_context(private_server(clusters.installed()[0]))
        follower = stack.enter_context(standby(database.server))
        ground = stack.enter_context(Ground(database))
        replica = stack.enter_context(Ground(Database(follower, database.name)))
        assert value(replica.owner, "select pg_is_in_recovery()") is True
        with replica.database.connect("authenticator", autocommit=True) as server:
            server.execute("set role service_role")
            for reader in READERS:
                rows = server.execute(f"select * from {reader}").fetchall()
                assert "The check failed" not in str(rows), rows
                assert "Not available" not in str(rows), rows

        staff = "00000000-0000-4000-8000-00000000000a"
        ground.owner.execute(
            "insert into auth.users (id, aud, role, email) values (%s, 'authenticated', 'app_admin', 's@example.com')",
            [staff],
        )
        catch_up(ground, replica)
        with replica.database.connect("authenticator", autocommit=True) as dashboard:
            dashboard.execute("set role app_admin")
            dashboard.execute("select set_config('request.jwt.claims', %s, false)", [f'{{"sub": "{staff}"}}'])
            for reader in STAFF_READERS:
                assert dashboard.execute(f"select public.{reader}(7)").fetchone()

        ground.set(health_replication_lag_seconds=1)
        catch_up(ground, replica)  # the standby reads the setting from its own copy
        for side in (ground, replica):
            side.becomes("replication_lag", "ok")
        replica.admin.execute("select pg_wal_replay_pause()")
        while value(replica.admin, "select pg_get_wal_replay_pause_state()") != "paused":
            time.sleep(0.05)
        ground.owner.execute("create table private.stuff ()")
        for side in (ground, replica):
            found = side.becomes("replication_lag", "warning", "critical")
            assert "seconds behind" in found["detail"]
        replica.admin.execute("select pg_wal_replay_resume()")
        for side in (ground, replica):
            side.becomes("replication_lag", "ok")


def catch_up(ground: Ground, replica: Ground) -> None:
    """Wait until the standby has everything that is written by now."""
    written = value(ground.admin, "select pg_current_wal_insert_lsn()::text")
    while not value(replica.admin, f"select pg_last_wal_replay_lsn() >= '{written}'"):
        time.sleep(0.05)


def test_it_answers_while_tables_are_locked(db: Session, scratch: Database) -> None:
    """At such times somebody wants to know who holds the lock, and must not wait for it as well."""
    assert "The check failed" not in str(report(db, "health"))
    with scratch.connect() as holder, scratch.connect(autocommit=True) as asking:
        holder.execute("lock table private.size_snapshots, public.feedback, public.api_usage_logs")
        # Whoever waited for the holder would wait until then.
        asking.execute("set statement_timeout = '5min'")
        checks = {it["name"]: it for it in value(asking, "select public.health_check()")["checks"]}
        for name in ("bloat", "growth", "usage_months"):
            assert "lock timeout" in checks[name]["detail"]
        assert checks["connections"]["value"] > 0
        assert checks["lock_waits"]["status"] == "ok"


@pytest.mark.parametrize(
    ("measured", "expected"), [(None, "ok"), (9.9, "ok"), (10, "warning"), (19, "warning"), (20, "critical")]
)
def test_a_value_is_graded(db: Session, measured: float | None, expected: str) -> None:
    assert db.as_owner().value("select private.grade(%s::numeric, 10, 20)", [measured]) == expected
    assert db.value("select private.grade(%s::numeric, 10, null)", [measured]) == (
        "ok" if expected == "ok" else "warning"
    )


@pytest.mark.one_platform
def test_sessions_that_are_hidden_are_not_taken_for_none(db: Session, connection: psycopg.Connection) -> None:
    """The views show others' sessions to everybody, but with nothing in them."""
    db.as_owner()
    say(db, connection, "superuser", "revoke pg_monitor from postgres cascade")
    checks = {it["name"]: it for it in report(db, "health")["checks"]}
    for name in ("connections", "long_transactions", "replication_lag"):
        assert checks[name]["detail"].startswith("Not available: what other sessions do is shown to members"), name
        assert checks[name]["detail"].endswith("grant pg_monitor to postgres.")
        assert (checks[name]["status"], checks[name]["value"]) == ("ok", None)


def test_what_may_not_be_read_is_not_available_and_not_red(db: Session) -> None:
    db.as_owner().run("""
        create or replace function private.health__growth() returns jsonb language plpgsql stable
        set search_path = pg_catalog, pg_temp
        as $$ begin raise insufficient_privilege using message = 'permission denied for view x'; end $$
    """)
    (found,) = (it for it in report(db, "health")["checks"] if it["name"] == "growth")
    assert (found["status"], found["value"]) == ("ok", None)
    assert found["detail"] == "Not available: permission denied for view x."
    assert "growth" not in findings(db, "health")
