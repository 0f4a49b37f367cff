"""Own rows: what a table keeps for its owner, nobody else reads, changes, adds to or takes over.

For every table that users write. What is special about a table is in its own module.
"""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.request import request
from harness.rights import insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

# A change that the owner may make.
CHANGES: dict[str, dict[str, Any]] = {
    "api_configurations": {"is_active": False},
    "feedback": {"message": "Changed."},
    "prompt_history": {"error_code": "changed"},
    "prompt_templates": {"description": "Changed."},
    "user_preferences": {"language": "fr"},
    "user_profiles": {"bio": "Changed."},
}
# What staff may write beside what every user may.
STAFF_ONLY = {
    "feedback": {"status", "priority", "category_id", "admin_response"},
    "user_profiles": {"is_active"},
}
MADE_AT_SIGN_UP = ("user_preferences", "user_profiles")


@pytest.fixture(params=CHANGES)
def table(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def everyones(db: Session, table: str, alice: Person, bob: Person) -> None:
    """A row of Alice's and one of Bob's."""
    if table not in MADE_AT_SIGN_UP:
        db.add(table, user_id=alice.id)
        db.add(table, user_id=bob.id)


@pytest.fixture
def alices(request: pytest.FixtureRequest, db: Session, table: str, bob: Person) -> None:
    """A row of Alice's, and none of Bob's that could be hit instead."""
    request.getfixturevalue("everyones")
    with db.aside():
        db.as_owner().run(f"delete from public.{table} where user_id = %s", [bob.id])


def owners(db: Session, table: str) -> list[Any]:
    with db.aside():
        return db.as_owner().column(f"select user_id from public.{table} where user_id is not null")


def changed(db: Session, table: str) -> list[Any]:
    ((column, value),) = CHANGES[table].items()
    with db.aside():
        return db.as_owner().column(f"select user_id from public.{table} where {column} = %s", [value])


@pytest.mark.usefixtures("everyones")
def test_the_owner_reads_own_rows_and_no_other(db: Session, table: str, alice: Person) -> None:
    mine = f"select user_id from public.{table} where user_id is not null"
    assert db.as_user(alice).column(mine) == [alice.id]


@shapes.every_shape
@pytest.mark.usefixtures("everyones")
def test_the_owner_changes_own_rows_and_no_other(db: Session, table: str, shape: str, alice: Person) -> None:
    assert shapes.update(db.as_user(alice), table, CHANGES[table], shape) == 1
    assert changed(db, table) == [alice.id]


@shapes.every_shape
@pytest.mark.usefixtures("everyones")
def test_the_owner_deletes_own_rows_and_no_other(
    db: Session, table: str, shape: str, alice: Person, bob: Person
) -> None:
    assert shapes.delete(db.as_user(alice), table, shape) == 1
    assert owners(db, table) == [bob.id]


@shapes.every_insert
@pytest.mark.usefixtures("alices")
def test_the_owner_adds_a_row(db: Session, table: str, shape: str, alice: Person, bob: Person) -> None:
    db.as_user(bob)
    assert shapes.insert(db, table, example(table) | {"user_id": bob.id}, shape) == 1
    assert set(owners(db, table)) == {alice.id, bob.id}


@shapes.every_insert
@pytest.mark.usefixtures("alices")
def test_a_stranger_adds_nothing_in_the_owners_name(
    db: Session, table: str, shape: str, alice: Person, bob: Person
) -> None:
    with db.aside():
        db.as_owner().run(f"delete from public.{table} where user_id = %s", [alice.id])
    db.as_user(bob)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.insert(db, table, example(table) | {"user_id": alice.id}, shape)
    if shape == "bare":
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(db, table, example(table) | {"user_id": None}, shape)


@shapes.every_shape
@pytest.mark.usefixtures("alices")
def test_a_stranger_changes_nothing(db: Session, table: str, shape: str, bob: Person) -> None:
    assert shapes.update(db.as_user(bob), table, CHANGES[table], shape) == 0
    assert changed(db, table) == []


@shapes.every_shape
@pytest.mark.usefixtures("alices")
def test_a_stranger_deletes_nothing(db: Session, table: str, shape: str, alice: Person, bob: Person) -> None:
    assert shapes.delete(db.as_user(bob), table, shape) == 0
    assert owners(db, table) == [alice.id]


@shapes.every_shape
@pytest.mark.usefixtures("alices")
def test_a_row_cannot_be_given_away(db: Session, table: str, shape: str, alice: Person, bob: Person) -> None:
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        shapes.update(db, table, {"user_id": bob.id}, shape)
    # Behind the missing grant there is a second lock. In the bare shape nothing but WITH CHECK can refuse.
    with db.aside():
        db.as_owner().run(f"grant update (user_id) on public.{table} to authenticated")
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.update(db, table, {"user_id": bob.id}, shape)
    assert shapes.update(db.as_user(bob), table, {"user_id": bob.id}, shape) == 0
    assert owners(db, table) == [alice.id]


@pytest.mark.usefixtures("alices")
def test_staff_have_no_more_right_to_add_or_delete_than_strangers(
    db: Session, table: str, alice: Person, carol: Person
) -> None:
    db.as_staff(carol)
    for shape in shapes.WRITE_SHAPES:
        with db.undone():
            shapes.delete(db, table, shape)
            assert alice.id in owners(db, table)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.insert(db, table, example(table) | {"user_id": alice.id})


def test_staff_write_the_columns_of_users_and_few_more(db: Session, table: str, alice: Person, carol: Person) -> None:
    added, changed = set(insertable(db.as_user(alice), table)), set(updatable(db, table))
    db.as_staff(carol)
    assert set(insertable(db, table)) == added
    assert set(updatable(db, table)) == changed | STAFF_ONLY.get(table, set())


@pytest.mark.parametrize("name", [*CHANGES, "api_usage_logs", "user_sessions"])
@pytest.mark.one_platform
def test_a_visitors_token_that_names_a_user_opens_nothing(db: Session, alice: Person, name: str) -> None:
    """Not even should every grant slip in. The writes are bare, so that each policy stands alone."""
    if name not in MADE_AT_SIGN_UP:
        db.add(name, user_id=alice.id)
    db.as_owner().run("grant all on all tables in schema public to anon")
    db.run("grant execute on all functions in schema public, private to anon")
    db.speak(request("anon", **alice.claims()))
    assert db.value(f"select count(*) from public.{name} where user_id = %s", [alice.id]) == 0
    for column, value in CHANGES.get(name, {}).items():
        assert db.run(f"update public.{name} set {column} = %s", [value]) == 0
    assert db.run(f"delete from public.{name}") == 0
    if name in MADE_AT_SIGN_UP:
        with db.aside():
            db.as_owner().run(f"delete from public.{name}")
    row = example(name) | {"user_id": alice.id}
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        db.run(
            f"insert into public.{name} ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})", list(row.values())
        )
