"""The mutants: every condition is found and turned around, every kind can be made, and no list hides a survivor."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from psycopg import errors

from forge_db import access
from forge_db.errors import ForgeError
from harness.databases import SUPERUSER, Database, Platform
from harness.session import Session
from mutants import costs, derive, probing, sample, steps, verdict
from mutants.guards import guards
from mutants.memory import Memory
from mutants.mutant import Kill, Kind, Mutant
from mutants.steps import Step
from mutants.suite import Copy, Suite
from mutants.verdict import Verdict
from mutants.watch import End, Watch

pytestmark = pytest.mark.one_platform

ONE = Mutant(Kind.TRIGGER, "public.feedback", "trigger a dropped", "select")

BODIES = {
    "if a then x; elsif b then y; end if;": ["a", "b"],
    "if a or (b and c) then x; end if;": ["a", "b", "c", "(b and c)"],
    "select x from t where a between b and c and d;": ["a between b and c", "d"],
    "select x from t join u on t.id = u.id where t.a is distinct from u.a;": [
        "t.id = u.id",
        "t.a is distinct from u.a",
    ],
    "x := case when a then 1 when b and c then 2 else 3 end;": ["a", "b", "c"],
    "x := case a when 1 then b or c else false end;": ["b", "c"],
    "select distinct on (a) a, b from t where c;": ["c"],
    "insert into t values (1) on conflict (id) do update set a = 1 where b;": ["b"],
    "insert into t values (1) on conflict on constraint t_pkey do nothing;": [],
    "begin x; exception when unique_violation then y; end;": [],
    "begin x; exception when query_canceled or others then if a or b then y; end if; end;": ["a", "b"],
    "loop exit when found; end loop; while a loop x; end loop;": ["found", "a"],
    "create table if not exists t (id int); if not exists (select from t where a) then x; end if;": [
        "a",
        "not exists (select from t where a)",
    ],
    "x := 'if a then'; -- if b then\n y := $$ where c $$;": [],
    "select count(*) filter (where a) from t having b;": ["a", "b"],
}


@pytest.mark.parametrize(("body", "conditions"), BODIES.items(), ids=BODIES)
def test_every_condition_is_found(body: str, conditions: list[str]) -> None:
    assert [guard.text for guard in guards(body)] == conditions


def test_what_a_boolean_function_answers_is_a_condition() -> None:
    assert [guard.text for guard in guards("return a(b);", answers_boolean=True)] == ["a(b)"]
    assert guards("return a(b);") == []


def test_a_condition_that_is_null_is_turned_around_as_well() -> None:
    body = "if a = b then raise; end if;"
    (guard,) = guards(body)
    assert guard.negated(body) == "if ((a = b) is not true) then raise; end if;"


def test_every_kind_can_be_made(db: Session, connection: psycopg.Connection) -> None:
    every = derive.mutants(connection)
    first = {kind: [it for it in every if it.kind is kind][:3] for kind in Kind}
    assert [kind for kind, found in first.items() if not found] in ([], [Kind.VIEW], [Kind.UNIQUE_INDEX])
    assert len({it.name for it in every}) == len(every)
    connection.execute("set session authorization default")
    for mutant in (it for found in first.values() for it in found):
        with db.undone():
            connection.execute(mutant.statement.encode())


# What the prober notices ----------------------------------------------------------------------------------------------

TABLE = "public.user_preferences"
READ = "private.effective_rate_limits()"
PLANTED = [
    Mutant(Kind.ROW_SECURITY, TABLE, "a", f"alter table {TABLE} disable row level security"),
    Mutant(Kind.TABLE_GRANT, TABLE, "truncate granted to anon", f"grant truncate on {TABLE} to anon", "anon"),
    Mutant(
        Kind.COLUMN_GRANT, TABLE, "update (user_id) granted to anon", f"grant update (user_id) on {TABLE} to anon",
        "anon", ("user_id",),
    ),
    Mutant(
        Kind.POLICY, TABLE, 'policy "Users can view own preferences" using true',
        f'alter policy "Users can view own preferences" on {TABLE} using (true)', "authenticated",
    ),
    Mutant(
        Kind.POLICY, "private.secrets", 'policy "Nobody reaches secrets through the API" dropped',
        'drop policy "Nobody reaches secrets through the API" on private.secrets',
    ),
    Mutant(Kind.EXECUTE, READ, "b", f"grant execute on function {READ} to anon", "anon"),
]  # fmt: skip
HARMLESS = [
    Mutant(Kind.ROW_SECURITY, TABLE, "comment", f"comment on table {TABLE} is 'x'"),
    Mutant(Kind.EXECUTE, READ, "comment", f"comment on function {READ} is 'x'"),
]
# No statement shows it while the schema is closed, so the contract's list has to.
LISTED = [
    Mutant(
        Kind.TABLE_GRANT, "private.secrets", "select granted to anon", "grant select on private.secrets to anon", "anon"
    ),
]


@pytest.fixture
def noticed(connection: psycopg.Connection) -> dict[str, Kill]:
    with connection.transaction(force_rollback=True):
        return probing.probe(connection, access.load(), [*PLANTED, *HARMLESS, *LISTED])


def test_the_prober_turned_inside_out_notices_what_is_broken_and_nothing_else(noticed: dict[str, Kill]) -> None:
    assert {name: kill.by for name, kill in noticed.items()} == {
        **{it.name: "prober" for it in PLANTED},
        **{it.name: "contract" for it in LISTED},
    }


def test_what_is_broken_lasts_for_one_statement(connection: psycopg.Connection, noticed: dict[str, Kill]) -> None:
    assert noticed
    with connection.transaction(force_rollback=True):
        query = "select has_column_privilege('anon', %s, 'user_id', 'update') or not relrowsecurity from pg_class"
        assert connection.execute(f"{query} where oid = %s::regclass", [TABLE, TABLE]).fetchone() == (False,)


# What is tried, and in what order -------------------------------------------------------------------------------------


def test_the_prober_begins_where_it_can_tell_and_who_survives_is_alone_at_the_end() -> None:
    every = [*PLANTED, ONE]
    at_first = steps.first(every)
    assert {it.name: task.step for task in at_first for it in task.mutants} == {
        **{it.name: Step.PROBER for it in PLANTED},
        ONE.name: Step.TESTS,
    }
    assert {task.step for task in steps.following(Step.PROBER, every)} == {Step.TESTS}
    assert {task.step for task in steps.dear(every)} == {Step.REST}
    assert {task.step for task in steps.following(Step.REST, every)} == {Step.COPIES}
    assert [task.mutants for task in steps.following(Step.COPIES, every)] == [[it] for it in every]


def test_a_verdict_is_kept_while_nothing_has_changed_that_it_depends_on(tmp_path: Path) -> None:
    test = "tests/test_feedback.py::test_a"
    kept, first = tmp_path / "kills.json", tmp_path / "killers.toml"

    def memory(schema: str = "1", module: str = "1") -> Memory:
        return Memory(schema, {"tests/test_feedback.py": module}, kept, first)

    before = memory()
    before.keep(ONE, Kill("test", test, "it says so"))
    before.save()
    before.write_first({ONE.name: ONE}, first)
    assert memory().verdict(ONE) == Kill("test", test, "it says so")
    assert memory(schema="2").verdict(ONE) is None
    assert memory(module="2").verdict(ONE) is None
    assert memory().verdict(replace(ONE, statement="another")) is None, "what is broken is not what it was"
    assert memory(schema="2").killer(ONE) == test, "whom to ask first outlives that"
    kept.unlink()
    assert memory().verdict(ONE) is None
    assert (memory().killer(ONE), memory().killers(ONE)) == ("", {test})


def test_who_survives_is_forgotten(tmp_path: Path) -> None:
    memory = Memory("1", {}, tmp_path / "kills.json", tmp_path / "killers.toml")
    memory.keep(ONE, Kill("rule", "a", "b"))
    assert memory.verdict(ONE) is not None
    assert memory.killers(ONE) == {"a"}
    memory.keep(ONE, None)
    assert memory.verdict(ONE) is None


def test_a_sample_has_some_of_every_kind_and_is_the_same_every_time() -> None:
    every = [*PLANTED, ONE]
    drawn = sample.draw(every, 6, "a")
    assert {it.kind for it in drawn} == {it.kind for it in every}
    assert drawn == sample.draw(every, 6, "a")
    assert sorted(it.name for it in sample.draw(every, 100, "a")) == sorted(it.name for it in every)


# What is accepted -----------------------------------------------------------------------------------------------------

EVERY = [ONE.name, *(f"public.feedback: trigger {number} dropped" for number in range(99))]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "equivalent.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        '[[equivalent]]\nmutant = "a"',
        '[[equivalent]]\nmutant = "a"\nreason = " "',
        '[[equivalent]]\nmutant = "a"\nreason = "b"\n' * 2,
        "[[equivalent",
    ],
    ids=["no reason", "an empty reason", "twice", "no TOML"],
)
def test_an_entry_needs_a_mutant_and_a_reason(tmp_path: Path, text: str) -> None:
    with pytest.raises(ForgeError):
        verdict.accepted(written(tmp_path, text))


def test_a_survivor_is_one_unless_it_is_accepted(tmp_path: Path) -> None:
    entries = verdict.accepted(written(tmp_path, f'[[equivalent]]\nmutant = "{ONE.name}"\nreason = "No one can see."'))
    assert verdict.survivors([Verdict(ONE)], {}) == [Verdict(ONE)]
    assert verdict.survivors([Verdict(ONE)], entries) == []
    assert verdict.objections(entries, EVERY, [Verdict(ONE)]) == []


def test_what_could_not_be_made_is_no_survivor_and_no_kill() -> None:
    failed = Verdict(ONE, error="cannot be made")
    assert not failed.survived
    assert not failed.by


@pytest.mark.parametrize(
    ("entries", "found", "told"),
    [
        ({"public.feedback: trigger b dropped": "x"}, [], "names no mutant"),
        ({ONE.name: "x"}, [Verdict(ONE, by="test", which="test_a")], "that test test_a notices"),
        (dict.fromkeys(EVERY[:3], "x"), [], "more than 2%"),
    ],
    ids=["unknown", "noticed", "too many"],
)
def test_the_list_hides_nothing(entries: dict[str, str], found: list[Verdict], told: str) -> None:
    assert any(told in text for text in verdict.objections(entries, EVERY, found))


# The end of a test that does not end ----------------------------------------------------------------------------------


@pytest.mark.skipif(costs.of_process(os.getpid()) is None, reason="this system does not tell what a process takes")
@pytest.mark.parametrize(
    ("statement", "waiting", "ended"),
    [
        ("do 'begin loop end loop; end'", 1000.0, End.BUSY),
        ("select pg_sleep(1000)", 0.2, End.WAITING),
    ],
)
def test_what_loops_is_told_from_what_waits(
    platform: Platform, scratch: Database, statement: str, waiting: float, ended: End
) -> None:
    watch = Watch(platform.cluster.server.url(SUPERUSER), [scratch.name, scratch.name], 0.2, waiting=waiting)
    with scratch.connect() as connection, watch.over(connection), pytest.raises(errors.QueryCanceled):
        connection.execute(statement.encode())
    assert watch.ended is ended


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[tuple[str, str] | None, int]]:
    """What a suite says of a test that comes to these ends, one each time that it is run; and how often it was run."""

    def ask(*ends: tuple[str, End | None]) -> tuple[tuple[str, str] | None, int]:
        suite, coming = Suite(None), list(ends)
        suite.platform = cast("Copy", SimpleNamespace(lends_itself=False))

        def run(*_: Any, **__: Any) -> str:
            why, suite._ended = coming.pop(0)
            return why

        monkeypatch.setattr(suite, "_run", run)
        found = suite.first_failure([cast("pytest.Item", SimpleNamespace(nodeid="a", fixturenames=[]))], {})
        return found, len(ends) - len(coming)

    return ask


def test_who_was_ended_is_asked_once_more(told: Callable[..., tuple[tuple[str, str] | None, int]]) -> None:
    busy, waits = ("canceled", End.BUSY), ("canceled", End.WAITING)
    assert told(("wrong", None), ("", None)) == (("a", "wrong"), 1)
    assert told(busy, ("", None)) == (None, 2), "it was the machine"
    assert told(busy, busy) == (("a", "it does not end"), 2)
    assert told(waits, ("wrong", None)) == (("a", "wrong"), 2)
    assert told(waits, waits) == (None, 2)
