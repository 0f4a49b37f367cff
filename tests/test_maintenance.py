"""daily_maintenance(): steps in order, each by itself, within a time budget, one run at a time."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from forge_db.paths import SCHEMA
from harness.databases import Database
from harness.figures import Raw, made_up
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

RUN = "select public.daily_maintenance()"
STEPS = "select name from private.maintenance_steps()"


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in report["steps"]}


def add_step(db: Session, body: str, *, place: int = 1, needs: str = "{}", is_brief: bool = False) -> None:
    """A step of the test's own, beside the real ones."""
    with db.aside():
        db.as_owner().run(
            f"""
            create or replace function private.step_probe_{place}(deadline timestamptz)
            returns table (rows bigint, is_complete boolean) language plpgsql as $$ begin {body} end $$;
            """
        )
        source = db.value("select prosrc from pg_proc where oid = 'private.maintenance_steps()'::regprocedure")
        line = f"values\n        ({place}, 'probe_{place}', '{needs}', {str(is_brief).lower()}),"
        db.run(
            "create or replace function private.maintenance_steps() "
            "returns table (place integer, name text, needs text[], is_brief boolean) "
            f"language sql immutable set search_path = pg_catalog, pg_temp as $${source.replace('values', line, 1)}$$"
        )


# What it reports ------------------------------------------------------------------------------------------------------


def test_every_step_is_taken_and_reported(db: Session) -> None:
    report = db.as_server().value(RUN)
    assert report["status"] == "ok"
    with db.aside():
        assert [step["name"] for step in report["steps"]] == db.as_owner().column(STEPS)
    assert set(statuses(report).values()) == {"ok"}, report
    for step in report["steps"]:
        assert set(step) == {"name", "status", "rows", "milliseconds", "error"}
        assert step["milliseconds"] >= 0
        assert step["error"] is None


def test_every_step_has_its_function_and_every_function_is_a_step(db: Session) -> None:
    found = "select substr(proname, 6) from pg_proc where pronamespace = 'private'::regnamespace and proname ~ '^step_'"
    assert sorted(db.as_owner().column(STEPS)) == sorted(db.column(found))
    needed = set(db.column("select distinct unnest(needs) from private.maintenance_steps()"))
    assert needed <= set(db.column(STEPS))


def test_a_run_is_recorded(db: Session) -> None:
    report = db.as_server().value(RUN)
    (run,) = db.as_owner().rows("select * from private.maintenance_runs")
    assert (run["status"], run["steps"]) == ("ok", report["steps"])
    assert run["started_at"] <= run["finished_at"]


def test_time_is_measured(db: Session) -> None:
    add_step(db, "perform pg_sleep(0.05); return query select 7::bigint, true;")
    step = db.as_server().value(RUN)["steps"][0]
    assert (step["name"], step["rows"]) == ("probe_1", 7)
    assert step["milliseconds"] >= 50


# A step that fails ----------------------------------------------------------------------------------------------------


def test_a_step_that_fails_is_reported_undone_and_stops_no_other(db: Session, alice: Person) -> None:
    db.add("user_sessions", user_id=alice.id, signed_in_at="2020-01-01")
    add_step(db, "delete from public.user_profiles where true; raise exception 'no luck';")
    report = db.as_server().value(RUN)
    assert report["status"] == "failed"
    assert report["steps"][0]["status"] == "failed"
    assert report["steps"][0]["error"] == "no luck (P0001)"
    assert set(statuses(report).values()) == {"failed", "ok"}
    assert db.truth("select count(*) from public.user_profiles") == 1
    assert db.truth("select count(*) from public.user_sessions") == 0
    assert db.truth("select status from private.maintenance_runs") == "failed"


def test_a_step_whose_forerunner_failed_is_skipped(db: Session) -> None:
    add_step(db, "raise exception 'no luck';", place=1)
    add_step(db, "raise exception 'was not to run';", place=2, needs="{probe_1}")
    report = db.as_server().value(RUN)
    assert [report["steps"][number]["status"] for number in (0, 1)] == ["failed", "skipped"]
    assert report["steps"][1]["error"] == "needs probe_1 to be complete"


# Time -----------------------------------------------------------------------------------------------------------------

SLOW = """
    while clock_timestamp() < deadline loop perform pg_sleep(0.05); end loop;
    return query select 1::bigint, false;
"""


def test_out_of_time_the_rest_is_skipped_but_for_what_is_brief(db: Session) -> None:
    add_step(db, SLOW)
    report = db.as_server().value("select public.daily_maintenance(1)")
    assert report["status"] == "incomplete"
    found = statuses(report)
    assert found.pop("probe_1") == "incomplete"
    # Not those that need a step for which there was no time.
    brief = db.as_owner().column("select name from private.maintenance_steps() where is_brief and needs = '{}'")
    assert brief
    assert found == {name: "ok" if name in brief else "skipped" for name in found}


def test_a_run_stops_before_the_servers_timeout_undoes_it(db: Session) -> None:
    add_step(db, SLOW)
    db.as_server().run("set local statement_timeout = '2s'")
    report = db.value(RUN)
    assert report["status"] == "incomplete"
    assert statuses(report)["probe_1"] == "incomplete"


@pytest.mark.parametrize("seconds", [0, -1, 21601])
def test_an_impossible_budget_is_refused(db: Session, seconds: int) -> None:
    db.as_server()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value("select public.daily_maintenance(%s)", [seconds])
    assert refusal.value.diag.message_hint == "Pass 1 to 21600 seconds, or null for the configured one."
    assert db.truth("select count(*) from private.maintenance_runs") == 0


# Slice by slice -------------------------------------------------------------------------------------------------------

# Two rows for each call, and done after three.
THREE_SLICES = """
    perform set_config('forge.calls', (coalesce(nullif(current_setting('forge.calls', true), ''), '0')::int + 1)::text,
        true);
    perform pg_sleep_until(deadline);
    return query select 2::bigint, current_setting('forge.calls')::int >= 3;
"""
# Has work left and gives way before its time is up.
GIVES_WAY = """
    perform set_config('forge.calls', (coalesce(nullif(current_setting('forge.calls', true), ''), '0')::int + 1)::text,
        true);
    return query select 2::bigint, false;
"""


def in_slices(db: Session) -> dict[str, Any]:
    db.as_owner()
    run = db.value("select private.begin_maintenance(60)")
    while db.value("select private.continue_maintenance(%s, '0.2 seconds')", [run]):
        pass
    report: dict[str, Any] = db.value("select private.finish_maintenance(%s)", [run])
    return report


def test_a_long_step_is_taken_slice_by_slice_and_reported_once(db: Session) -> None:
    add_step(db, THREE_SLICES)
    report = in_slices(db)
    assert report["status"] == "ok"
    assert [step["name"] for step in report["steps"]].count("probe_1") == 1
    step = report["steps"][0]
    assert (step["status"], step["rows"]) == ("ok", 6)
    assert step["milliseconds"] >= 600


def test_a_step_that_gives_way_is_left_for_the_next_run(db: Session) -> None:
    add_step(db, GIVES_WAY)
    report = in_slices(db)
    assert report["status"] == "incomplete"
    step = report["steps"][0]
    assert (step["name"], step["status"], step["rows"]) == ("probe_1", "incomplete", 2)
    assert db.value("select current_setting('forge.calls')") == "1"


def test_a_run_that_never_ended_is_marked_and_others_are_not(db: Session) -> None:
    db.as_owner().run(
        "insert into private.maintenance_runs (started_at, deadline, status) "
        "select now() - interval '1 day', now(), unnest(array['running', 'ok', 'failed'])"
    )
    db.as_server().value(RUN)
    found = db.as_owner().column("select status from private.maintenance_runs order by started_at, status")
    assert found == ["failed", "interrupted", "ok", "ok"]


@pytest.mark.one_platform
@pytest.mark.parametrize(("changes", "rows"), [(0, 5), (7, 12)])
def test_what_has_changed_is_analyzed_and_what_it_is_a_part_of(
    db: Session, connection: psycopg.Connection, changes: int, rows: int
) -> None:
    made_up(
        db,
        "private.step_analyze(timestamp with time zone)",
        pg_stat_user_tables=[
            {"relid": Raw(f"'{name}'::regclass"), "n_mod_since_analyze": changed}
            for name, changed in (
                ("public.feedback", 5),
                ("public.feedback_tags", 0),
                ("auth.users", 100),
                ("private.api_usage_logs_default", changes),
            )
        ],
    )
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        forgotten = "oid in ('public.api_usage_logs'::regclass, 'public.feedback_tags'::regclass)"
        connection.execute(f"update pg_class set reltuples = -1 where {forgotten}")
    assert db.rows("select * from private.step_analyze('-infinity')") == [{"rows": 0, "is_complete": False}]
    assert db.rows("select * from private.step_analyze(null)") == [{"rows": rows, "is_complete": True}]
    counted = "select reltuples >= 0 from pg_class where oid = %s::regclass"
    assert db.value(counted, ["public.api_usage_logs"]) is bool(changes)
    assert db.value(counted, ["public.feedback_tags"]) is False


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("select private.begin_maintenance(60)", "maintenance"),
        (
            "select private.take_up_maintenance((select run.id from private.maintenance_runs as run))::text",
            "maintenance",
        ),
        (
            "insert into public.feedback_categories (name, parent_id) "
            "select 'child', category.id from public.feedback_categories as category limit 1",
            "feedback_categories",
        ),
    ],
    ids=["begin", "take up", "a category in another"],
)
def test_what_one_session_may_do_at_a_time_locks_its_own_row(db: Session, statement: str, name: str) -> None:
    db.as_owner().run("insert into private.maintenance_runs (deadline) values (now())")
    marks = "select name, xmax::text as mark from private.locks"
    before = {row["name"]: row["mark"] for row in db.rows(marks)}
    db.execute(statement)
    assert [row["name"] for row in db.rows(marks) if row["mark"] != before[row["name"]]] == [name]


# One at a time --------------------------------------------------------------------------------------------------------


def test_the_second_run_says_that_one_is_running(scratch: Database) -> None:
    with scratch.connect() as first, scratch.connect(autocommit=True) as second:
        first.execute(RUN)
        with pytest.raises(psycopg.Error, match="maintenance is running already") as refusal:
            second.execute(RUN)
        assert refusal.value.diag.sqlstate == "PT409"
        assert str(first.info.backend_pid) in str(refusal.value.diag.message_detail)
        first.commit()
        row = second.execute("select public.daily_maintenance() ->> 'status'").fetchone()
        assert row == ("ok",)


@pytest.fixture
def slices(scratch: Database) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two sessions, and in the first a run with a commit after each step, at its first."""
    with scratch.connect() as first, scratch.connect(autocommit=True) as second:
        first.execute("select set_config('forge.run', private.begin_maintenance(60)::text, false)")
        first.commit()
        yield first, second


NEXT = "select private.continue_maintenance(current_setting('forge.run')::uuid, '1 second')"


def test_between_two_transactions_a_run_is_still_running(scratch: Database) -> None:
    """As the scheduled job does it, one statement with many commits; held up where it has no lock."""
    with scratch.connect(autocommit=True) as first, scratch.connect(autocommit=True) as second:
        (command,) = second.execute("select private.maintenance_command()").fetchone() or ("",)
        held_up = command.replace("commit;", "commit; perform pg_advisory_xact_lock(1); commit;", 1)
        waits = "select from pg_locks where pid = %s and locktype = 'advisory' and not granted"
        with ThreadPoolExecutor() as pool:
            with scratch.connect() as gate:
                gate.execute("select pg_advisory_xact_lock(1)")
                running = pool.submit(first.execute, held_up.encode())
                while not second.execute(waits, [first.info.backend_pid]).rowcount:
                    assert not running.done(), running.result()
                with pytest.raises(psycopg.Error, match="maintenance is running already") as refusal:
                    second.execute(RUN)
                assert str(first.info.backend_pid) in str(refusal.value.diag.message_detail)
            running.result()
        assert second.execute("select status from private.maintenance_runs").fetchall() == [("ok",)]


def test_whoever_went_away_between_two_transactions_stops_nobody(
    slices: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    """And should it come back, it finds that another has begun."""
    first, second = slices
    row = second.execute("select public.daily_maintenance() ->> 'status'").fetchone()
    assert row == ("ok",)
    with pytest.raises(psycopg.Error, match="another session has taken the maintenance over") as refusal:
        first.execute(NEXT)
    assert refusal.value.diag.sqlstate == "PT409"
    statuses = second.execute("select status from private.maintenance_runs order by started_at").fetchall()
    assert statuses == [("interrupted",), ("ok",)]


def test_who_has_locked_the_row_is_at_it(db: Session) -> None:
    """Named by its transaction, among others who hold other locks."""
    db.as_owner().rows("select from private.locks where name = 'maintenance' for update")
    here = Raw("(select lock.xmax from private.locks as lock where lock.name = 'maintenance')")

    def lock(pid: int | Raw, *, kind: str = "transactionid", granted: bool = True) -> dict[str, Any]:
        return {"pid": pid, "locktype": kind, "granted": granted, "transactionid": here}

    others = [lock(1, kind="tuple"), lock(2, granted=False), lock(Raw("pg_backend_pid()"))]
    made_up(db, "private.maintenance_backend()", pg_locks=[*others, lock(7)])
    assert db.value("select private.maintenance_backend()") == 7
    db.run("delete from pg_temp.pg_locks where pid = 7")
    assert db.value("select private.maintenance_backend()") is None


def test_another_lock_is_not_this_one(db: Session) -> None:
    db.as_owner().rows("select from private.locks where name = 'feedback_categories' for update")
    here = Raw("(select lock.xmax from private.locks as lock where lock.name = 'feedback_categories')")
    made_up(
        db,
        "private.maintenance_backend()",
        pg_locks=[{"pid": 7, "locktype": "transactionid", "granted": True, "transactionid": here}],
    )
    assert db.value("select private.maintenance_backend()") is None


@pytest.mark.parametrize(
    ("session", "pid"),
    [
        ({}, 7),
        ({"pid": 8}, None),
        ({"state": "idle"}, None),
        ({"query_start": Raw("now() + interval '1 second'")}, None),
        ({"pid": Raw("pg_backend_pid()")}, None),
    ],
)
@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_between_two_transactions_a_run_is_found_by_its_statement(
    db: Session, session: dict[str, Any], pid: int | None, status: str
) -> None:
    for backend in ("7", "pg_backend_pid()"):
        db.as_owner().run(
            "insert into private.maintenance_runs (deadline, status, backend_pid, statement_started_at) "
            f"values (now(), %s, {backend}, now())",
            [status],
        )
    here = {"pid": 7, "state": "active", "query_start": Raw("now()")}
    made_up(db, "private.maintenance_backend()", pg_stat_activity=[{**here, **session}])
    assert db.value("select private.maintenance_backend()") == (pid if status == "running" else None)


def test_no_lock_that_anybody_may_take_stops_it(scratch: Database) -> None:
    with scratch.connect("authenticator") as anybody, scratch.connect(autocommit=True) as owner:
        ((rollups,),) = owner.execute("select 'private.rollups'::regclass::oid::integer").fetchall()
        anybody.execute("set role anon")
        anybody.execute(
            "select pg_advisory_lock(hashtextextended('private.maintenance_runs', 0)), "
            "pg_advisory_lock(%s, hashtext('usage'))",
            [rollups],
        )
        row = owner.execute("select public.daily_maintenance() ->> 'status'").fetchone()
    assert row == ("ok",)


def test_nothing_of_ours_takes_an_advisory_lock(db: Session) -> None:
    found = "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace) "
    assert db.as_owner().column(f"{found} and prosrc ~ 'advisory'") == []


# Who may --------------------------------------------------------------------------------------------------------------


@pytest.mark.access
@pytest.mark.parametrize("function", ["daily_maintenance", "analyze_all_tables", "vacuum_all_tables"])
def test_only_the_server_maintains(db: Session, alice: Person, carol: Person, function: str) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.run(f"select public.{function}()")


# The platform's rules -------------------------------------------------------------------------------------------------

CHANGE = re.compile(r"\b(?:update\s+(?:only\s+)?[\w.%$]+(?:\s+as\s+\w+)?\s+set|delete\s+from)\b", re.IGNORECASE)


def without_where(text: str) -> list[str]:
    """The changes that the extension safeupdate, which Supabase loads for requests, would refuse."""
    text, found = re.sub(r"--[^\n]*", "", text), []
    for change in CHANGE.finditer(text):
        depth, words = 0, set[str]()
        for token in re.finditer(r"[();]|\w+", text[change.start() :]):
            depth += {"(": 1, ")": -1}.get(token[0], 0)
            if depth < 0 or (depth == 0 and token[0] == ";"):
                break
            if depth == 0:
                words.add(token[0].lower())
        if "where" not in words:
            found.append(change[0])
    return found


@pytest.mark.one_platform
@pytest.mark.parametrize("path", sorted(SCHEMA.glob("*.sql")), ids=lambda path: path.stem)
def test_no_change_of_ours_is_without_where(path: Path) -> None:
    assert without_where(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("delete from private.locks;", True),
        ("update public.feedback as item set status = (select 'new' from x where true);", True),
        ("with gone as (delete from x returning *) select from gone where true;", True),
        ("update only %1$s set a = 1 -- where b\n;", True),
        ("update x set a = 1 where b;", False),
        ("with gone as (delete from x where (true)) select from gone;", False),
        ("insert into x values (1) on conflict do update set a = 1;", False),
    ],
)
def test_what_safeupdate_refuses_is_found(text: str, is_refused: bool) -> None:
    assert bool(without_where(text)) is is_refused
