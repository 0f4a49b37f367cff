"""The mutants: every condition is found and turned around, every kind can be made, and no list hides a survivor."""

from pathlib import Path

import psycopg
import pytest

from forge_db.errors import ForgeError
from harness.session import Session
from mutants import derive, verdict
from mutants.guards import guards
from mutants.mutant import Kind, Mutant
from mutants.verdict import Verdict

pytestmark = pytest.mark.one_platform

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
    "insert into t values (1) on conflict (id) do update set a = 1 where b;": ["b"],
    "insert into t values (1) on conflict on constraint t_pkey do nothing;": [],
    "begin x; exception when unique_violation then y; end;": [],
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


# What is accepted -----------------------------------------------------------------------------------------------------

ONE = Mutant(Kind.TRIGGER, "public.feedback", "trigger a dropped", "select")
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
