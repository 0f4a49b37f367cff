"""Catalogues: everyone reads what is switched on, staff read and write all of it, users write nothing."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.rights import by_caller
from harness.session import Session

pytestmark = pytest.mark.access

# The column that switches a row on.
SWITCHES = {
    "api_providers": "is_enabled",
    "feedback_categories": "is_active",
    "feedback_tags": "is_active",
    "prompt_frameworks": "is_enabled",
    "system_config": "is_public",
}

# A setting that is gone could be made anew, with other limits.
LASTING = {"system_config"}

tables = pytest.mark.parametrize("table", SWITCHES)


@pytest.fixture
def rows(db: Session, table: str) -> dict[bool, Any]:
    """A row that is switched on and one that is off, and no other."""
    db.as_owner().run(f"delete from public.{table}")
    return {on: db.add(table, **{SWITCHES[table]: on}) for on in (True, False)}


@tables
def test_each_caller_has_these_commands(db: Session, table: str, alice: Person, carol: Person) -> None:
    assert by_caller(db, table, alice, carol) == {
        "visitor": "select",
        "user": "select",
        "staff": "select insert update" + ("" if table in LASTING else " delete"),
        "server": "select insert update delete",
    }


@tables
def test_visitors_and_users_see_what_is_switched_on(
    db: Session, table: str, alice: Person, rows: dict[bool, Any]
) -> None:
    db.as_visitor().sees(table, [rows[True]])
    db.as_user(alice).sees(table, [rows[True]])


@tables
def test_staff_and_the_server_see_all(db: Session, table: str, carol: Person, rows: dict[bool, Any]) -> None:
    db.as_staff(carol).sees(table, rows.values())
    db.as_server().sees(table, rows.values())


@tables
@pytest.mark.usefixtures("rows")
def test_users_and_visitors_write_nothing(db: Session, table: str, alice: Person) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice)):
        speak()
        for shape in shapes.WRITE_SHAPES:
            with db.refuses(errors.InsufficientPrivilege, by=Guard.TABLE_GRANT):
                shapes.update(db, table, {SWITCHES[table]: True}, shape)
            with db.refuses(errors.InsufficientPrivilege, by=Guard.TABLE_GRANT):
                shapes.delete(db, table, shape)
        with db.refuses(errors.InsufficientPrivilege, by=Guard.TABLE_GRANT):
            shapes.insert(db, table, example(table))


@tables
@pytest.mark.usefixtures("rows")
def test_a_grant_that_slips_in_opens_nothing(db: Session, table: str, alice: Person) -> None:
    """The policies are a second lock: none of them lets anybody but staff write."""
    db.as_owner().run(f"grant insert, update, delete on public.{table} to anon, authenticated")
    # What the rules and triggers of the table call, so that nothing but the policies can refuse.
    db.run("grant execute on all functions in schema private to anon, authenticated")
    for speak in (db.as_visitor, lambda: db.as_user(alice)):
        speak()
        assert shapes.update(db, table, {SWITCHES[table]: True}) == 0
        assert shapes.delete(db, table) == 0
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(db, table, example(table))


@tables
@pytest.mark.usefixtures("rows")
def test_staff_add_switch_and_delete(db: Session, table: str, carol: Person) -> None:
    db.as_staff(carol)
    for shape in shapes.INSERT_SHAPES:
        assert shapes.insert(db, table, example(table), shape) == 1, shape
    for shape in shapes.WRITE_SHAPES:
        assert shapes.update(db, table, {SWITCHES[table]: False}, shape) == 5, shape
    for shape in shapes.WRITE_SHAPES:
        if table in LASTING:
            with db.refuses(errors.InsufficientPrivilege, by=Guard.TABLE_GRANT):
                shapes.delete(db, table, shape)
            continue
        with db.undone():
            assert shapes.delete(db, table, shape) == 5, shape


@tables
@pytest.mark.usefixtures("rows")
def test_the_server_adds_and_changes(db: Session, table: str) -> None:
    db.as_server()
    assert shapes.insert(db, table, example(table), "returning") == 1
    assert shapes.update(db, table, {SWITCHES[table]: False}) == 3
