"""The archive: whole months of usage, prompts in slices, nothing lost or doubled, and all of it dropped in the end."""

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from harness.client import Client, join
from harness.databases import Database
from harness.people import Person, delete_account
from harness.session import Session
from test_configuration import configure
from test_retention import add_prompts, ago, step

NAMES = "select oid::regclass::text from pg_class where relname ~ '^{}_[0-9]' and relkind = 'r' order by 1"


def months(db: Session, table: str = "api_usage_logs") -> list[str]:
    with db.aside():
        return db.as_owner().column(NAMES.format(table))


def add_usage(db: Session, person: Person, at: Any) -> Any:
    return db.add("api_usage_logs", user_id=person.id, created_at=at)


def month_of(db: Session, days: int) -> str:
    return str(db.truth("select to_char((now() - make_interval(days => %s)) at time zone 'utc', 'YYYY_MM')", [days]))


# Usage ----------------------------------------------------------------------------------------------------------------


def test_a_month_past_its_days_moves_whole(db: Session, alice: Person) -> None:
    old, recent, today = (add_usage(db, alice, ago(db, days)) for days in (150, 60, 0))
    step(db, "make_months")
    name = month_of(db, 150)
    assert f"private.api_usage_logs_{name}" in months(db)
    _, is_complete = step(db, "archive_usage")
    assert is_complete
    assert f"archive.api_usage_logs_{name}" in months(db)
    assert f"private.api_usage_logs_{name}" not in months(db)
    db.as_owner()
    assert db.column("select id from archive.api_usage_logs") == [old]
    assert set(db.column("select id from public.api_usage_logs")) == {recent, today}
    assert step(db, "archive_usage") == (0, True)


def test_a_month_moves_when_its_last_day_is_past_and_not_before(db: Session, alice: Person) -> None:
    """The retention counts from the end of the month, so its first day stays longer."""
    end = "date_trunc('month', now() at time zone 'utc') at time zone 'utc'"
    add_usage(db, alice, db.truth(f"select {end} - interval '3 months'"))
    step(db, "make_months")
    over = db.truth(f"select extract(days from now() - ({end} - interval '2 months'))::integer")
    configure(db, "retention_days_api_usage_logs", over + 1)
    step(db, "archive_usage")
    assert db.truth("select count(*) from archive.api_usage_logs") == 0
    configure(db, "retention_days_api_usage_logs", over - 1)
    step(db, "archive_usage")
    assert db.truth("select count(*) from archive.api_usage_logs") == 1


def test_moving_a_month_reads_and_writes_none_of_its_rows(db: Session, alice: Person) -> None:
    add_usage(db, alice, ago(db, 150))
    step(db, "make_months")
    relation = f"private.api_usage_logs_{month_of(db, 150)}"
    node = db.truth("select relfilenode from pg_class where oid = %s::text::regclass", [relation])
    step(db, "archive_usage")
    moved = relation.replace("private", "archive")
    assert db.truth("select relfilenode from pg_class where oid = %s::text::regclass", [moved]) == node


def test_what_comes_late_joins_its_month(db: Session, alice: Person) -> None:
    for _ in range(2):
        add_usage(db, alice, ago(db, 150))
        step(db, "make_months")
        step(db, "archive_usage")
    assert db.truth("select count(*) from archive.api_usage_logs") == 2
    assert db.truth("select count(*) from public.api_usage_logs") == 0
    assert f"private.api_usage_logs_{month_of(db, 150)}" not in months(db)


def test_without_the_archive_a_month_is_dropped(db: Session, alice: Person) -> None:
    configure(db, "archive_enabled", False)
    add_usage(db, alice, ago(db, 150))
    step(db, "make_months")
    step(db, "archive_usage")
    assert not [name for name in months(db) if name.endswith(month_of(db, 150))]
    assert db.truth("select count(*) from archive.api_usage_logs") == 0


def test_the_archive_changes_no_summary(db: Session, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        for days in (1, 150, 200, 200):
            add_usage(db, person, ago(db, days))
    summary = "select public.get_usage_summary(400)"
    before = db.as_user(alice).value(summary)
    assert before["requests"] == 4
    step(db, "make_months")
    step(db, "archive_usage")
    assert db.truth("select count(*) from archive.api_usage_logs") == 6
    assert db.as_user(alice).value(summary) == before


# Prompts --------------------------------------------------------------------------------------------------------------


def test_an_archived_prompt_is_what_it_was(db: Session, alice: Person) -> None:
    (row_id,) = add_prompts(db, alice, 40)
    with db.aside():
        (before,) = db.as_owner().rows("select * from public.prompt_history")
    assert step(db, "archive_prompts") == (1, True)
    (after,) = db.as_owner().rows("select * from archive.prompt_history")
    assert after.pop("archived_at") == db.truth("select now()")
    assert after == before
    assert after["id"] == row_id
    assert db.truth("select count(*) from private.prompt_search") == 0


def test_the_archive_has_the_columns_of_its_sources_in_their_order(db: Session) -> None:
    """Rows move by position."""
    columns = """
        select array_agg((attname, format_type(atttypid, atttypmod)) order by attnum)::text from pg_attribute
        where attrelid = %s::text::regclass and attnum > 0 and not attisdropped and attname <> 'archived_at'"""
    for table in ("api_usage_logs", "prompt_history"):
        found = [db.as_owner().value(columns, [f"{schema}.{table}"]) for schema in ("public", "archive")]
        assert found[0] == found[1]


def test_the_archive_has_the_rules_of_its_sources(db: Session) -> None:
    """What could not have been stored is not archived either."""
    rules = """
        select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where conrelid = %(table)s::text::regclass and contype in ('c', 'f')
        union all
        select attname || ' ' || attnotnull || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = %(table)s::text::regclass and attnum > 0 and attname <> 'archived_at'
        order by 1"""
    for table in ("api_usage_logs", "prompt_history"):
        found = [db.as_owner().column(rules, {"table": f"{schema}.{table}"}) for schema in ("public", "archive")]
        assert found[0] == found[1]


def test_without_this_months_partition_prompts_wait(db: Session, alice: Person) -> None:
    (row_id,) = add_prompts(db, alice, 40)
    db.as_owner().run(f"drop table archive.prompt_history_{month_of(db, 0)}")
    assert step(db, "archive_prompts") == (0, False)
    assert db.truth("select id from public.prompt_history") == row_id
    step(db, "make_months")
    assert step(db, "archive_prompts") == (1, True)


def test_what_prompts_had_cost_stays_spent(db: Session, alice: Person) -> None:
    db.add("prompt_history", user_id=alice.id, created_at=ago(db, 40), cost_usd="1.5", tokens_used=10)
    summary = "select public.get_usage_summary(60)"
    before = db.as_user(alice).value(summary)
    assert before["cost_usd"] == 1.5
    step(db, "archive_prompts")
    assert db.truth("select count(*) from archive.prompt_history") == 1
    assert db.as_user(alice).value(summary) == before


# The end --------------------------------------------------------------------------------------------------------------


def test_months_of_the_archive_are_dropped_when_their_days_are_over(db: Session, alice: Person) -> None:
    for days in (500, 420):
        add_usage(db, alice, ago(db, days))
    step(db, "make_months")
    step(db, "archive_usage")
    at = db.truth("select date_trunc('month', now() at time zone 'utc')::date")
    for offset in (13, 14):
        db.as_owner().run(
            "select private.ensure_archive_months((%s - make_interval(months => %s))::date, 1)", [at, offset]
        )
    configure(db, "retention_days_archive", 365)
    # In the archive a month lies from its 90 days on: 455 days after its end it has been there for a year.
    _, is_complete = step(db, "drop_archive")
    assert is_complete
    left = [name for name in months(db) if name.startswith("archive.")]
    assert left == [f"archive.api_usage_logs_{month_of(db, 420)}"]
    assert len(
        [name for name in months(db, "prompt_history") if name < f"archive.prompt_history_{month_of(db, 0)}"]
    ) in (0, 1)
    configure(db, "retention_days_archive", 31)
    configure(db, "retention_days_api_usage_logs", 31)
    step(db, "drop_archive")
    assert not [name for name in months(db) if name.startswith("archive.")]
    assert f"archive.prompt_history_{month_of(db, 0)}" in months(db, "prompt_history")


def test_archived_rows_go_with_the_account(db: Session, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        add_usage(db, person, ago(db, 150))
        add_prompts(db, person, 40)
    for name in ("archive_prompts", "make_months", "archive_usage"):
        step(db, name)
    delete_account(db, alice)
    for table in ("api_usage_logs", "prompt_history"):
        assert db.truth(f"select array_agg(user_id) from archive.{table}") == [bob.id]


# Locks ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alices(scratch: Database) -> Person:
    with scratch.connect() as owner:
        return join(owner, "alice@example.com")


def old_month(owner: psycopg.Connection, person: Person) -> None:
    owner.execute(
        "insert into public.api_usage_logs (user_id, provider, created_at) "
        "values (%s, 'openai', now() - interval '150 days')",
        [person.id],
    )
    owner.execute("select private.step_make_months('infinity')")


def test_a_month_that_somebody_reads_is_left_for_the_next_run(scratch: Database, alices: Person) -> None:
    with scratch.connect() as owner, scratch.connect() as reader:
        old_month(owner, alices)
        owner.execute("update public.system_config set value = '100' where key = 'maintenance_lock_timeout_ms'")
        owner.commit()
        reader.execute("select count(*) from public.api_usage_logs")
        steps = (
            "select jsonb_path_query_array(private.daily_maintenance(null), '$.steps[*] ? (@.status != \"ok\").name')"
        )
        row = owner.execute(steps).fetchone()
        assert row == (["archive_usage"],)
        owner.commit()
        assert owner.execute("select count(*) from archive.api_usage_logs").fetchone() == (0,)
        reader.commit()
        row = owner.execute(steps).fetchone()
        assert row == ([],)
        assert owner.execute("select count(*) from archive.api_usage_logs").fetchone() == (1,)


def test_calls_are_logged_while_maintenance_moves_months(scratch: Database, alices: Person) -> None:
    """The small version: every row that clients were told is there, is there once."""
    move_while_inserting(scratch, alices, rows=20_000, batch=1000)


@pytest.mark.slow
def test_a_million_rows_move_while_clients_insert(scratch: Database, alices: Person) -> None:
    move_while_inserting(scratch, alices, rows=1_000_000, batch=10_000)


def move_while_inserting(scratch: Database, person: Person, *, rows: int, batch: int) -> None:
    with scratch.connect(autocommit=True) as owner:
        owner.execute("update public.system_config set value = %s where key = 'maintenance_batch_size'", [str(batch)])
        owner.execute(
            "insert into public.api_usage_logs (user_id, provider, created_at) "
            "select %s, 'openai', now() - interval '200 days' + n * interval '1 second' * %s "
            "from generate_series(0, %s) as n",
            [person.id, 70 * 86400 / rows, rows - 1],
        )
        owner.execute(
            "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, "
            "created_at) select %s, 'ape', 'A.P.E', 'm', 'openai', 'x' || n, now() - interval '40 days' "
            "from generate_series(1, %s) as n",
            [person.id, rows],
        )
        everything = """
            select (select sum(hashtext(id::text)::numeric) from (
                select id from public.{0} union all select id from archive.{0}) as row),
                (select count(*) from (select id from public.{0} union all select id from archive.{0}) as row),
                (select count(distinct id) from (select id from public.{0} union all select id from archive.{0}) as row)
        """
        before = {
            table: owner.execute(everything.format(table)).fetchone() for table in ("api_usage_logs", "prompt_history")
        }

        told: list[Any] = []
        waits: list[float] = []
        done = threading.Event()

        def insert() -> None:
            with Client.of(scratch, person) as client:
                while not done.is_set():
                    begun = datetime.now(UTC)
                    told.append(client.value("select public.log_api_usage('openai')"))
                    waits.append((datetime.now(UTC) - begun).total_seconds())

        threads = [threading.Thread(target=insert) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                ((command,),) = owner.execute("select private.maintenance_command()").fetchall()
                owner.execute(command)
        finally:
            done.set()
            for thread in threads:
                thread.join()

        assert owner.execute(
            "select array_agg(status order by started_at) from private.maintenance_runs"
        ).fetchone() == (["ok", "ok"],)
        assert len(told) == len(set(told)) > 10
        found = owner.execute("select array_agg(id) from public.api_usage_logs").fetchone()
        assert found is not None
        assert set(found[0]) == set(told), "what was logged meanwhile is there, and what is old is gone"
        owner.execute("delete from public.api_usage_logs where true")
        for table, sums in before.items():
            assert owner.execute(everything.format(table)).fetchone() == sums
            assert owner.execute(f"select count(*) from archive.{table}").fetchone() == (rows,)
        assert max(waits) < 2, "nobody waits for longer than a slice and its lock"


@pytest.mark.parametrize("style", ["ISO", "SQL, DMY", "German"])  # which write India's time as that of Israel
def test_its_months_are_cut_in_utc_whatever_the_session_says_of_time(db: Session, style: str) -> None:
    db.as_owner().run(f"set local timezone = 'Asia/Kolkata'; set local datestyle = '{style}'")
    db.run("select private.ensure_archive_months('2031-02-15', 1)")
    db.run("set local timezone = 'UTC'; set local datestyle = 'ISO'")
    bounds = "select pg_get_expr(relpartbound, oid) from pg_class where relname = 'prompt_history_2031_02'"
    assert db.value(bounds) == "FOR VALUES FROM ('2031-02-01 00:00:00+00') TO ('2031-03-01 00:00:00+00')"
