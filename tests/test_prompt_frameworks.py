"""prompt_frameworks: the nine of the seed, whole and well-formed. Access is in test_catalogues.py."""

import pytest
from psycopg import errors

from harness.people import Person
from harness.rights import insertable, updatable
from harness.session import Session

TABLE = "prompt_frameworks"
COLUMNS = ["name", "display_name", "description", "components", "template", "examples", "is_enabled", "sort_order"]

LETTERS = {
    "roses": ("R.O.S.E.S Framework", ["role", "objective", "steps", "expected_solution", "scenario"]),
    "ape": ("A.P.E Framework", ["action", "purpose", "expectation"]),
    "tag": ("T.A.G Framework", ["task", "action", "goal"]),
    "era": ("E.R.A Framework", ["expectation", "role", "action"]),
    "race": ("R.A.C.E Framework", ["role", "action", "context", "expectation"]),
    "rise": ("R.I.S.E Framework", ["request", "input", "scenario", "expectation"]),
    "care": ("C.A.R.E Framework", ["context", "action", "result", "example"]),
    "coast": ("C.O.A.S.T Framework", ["context", "objective", "actions", "steps", "task"]),
    "trace": ("T.R.A.C.E Framework", ["task", "role", "action", "context", "expectation"]),
}


@pytest.mark.access
def test_staff_write_every_column_but_the_id_and_the_clock(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, TABLE) == COLUMNS
    assert updatable(db, TABLE) == [*COLUMNS, "updated_at"]


def test_the_nine_are_there_in_order_with_their_letters(db: Session) -> None:
    rows = db.as_visitor().rows(
        "select name, display_name, components from public.prompt_frameworks order by sort_order"
    )
    found = {row["name"]: (row["display_name"], [part["name"] for part in row["components"]]) for row in rows}
    assert list(found.items()) == list(LETTERS.items())


@pytest.mark.parametrize("name", LETTERS)
def test_every_example_is_its_template_filled_in(db: Session, name: str) -> None:
    (row,) = db.as_visitor().rows("select * from public.prompt_frameworks where name = %s", [name])
    assert len(row["description"]) > 40
    assert row["examples"]
    for example in row["examples"]:
        assert list(example["values"]) != []
        filled = row["template"]
        for component, text in example["values"].items():
            filled = filled.replace(f"{{{{{component}}}}}", text)
        assert example["prompt"] == filled, example["title"]


def test_a_template_and_its_components_fit_together(db: Session) -> None:
    with db.refuses(errors.CheckViolation, constraint="placeholders_are_declared"):
        db.add(TABLE, template="Do {{something_else}}.")
