"""prompt_templates: own ones, shared ones, and system templates that nobody owns. More in test_own_rows.py."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "prompt_templates"
COLUMNS = ["user_id", "name", "description", "framework_id", "template_content", "variables", "is_public", "is_active"]


@pytest.fixture
def rows(db: Session, bob: Person) -> dict[str, Any]:
    """Bob's templates and the system's, and no other."""
    db.as_owner().run("delete from public.prompt_templates")
    return {
        f"{owner} {kind}": db.add(TABLE, user_id=user_id, **columns)
        for owner, user_id in (("bob", bob.id), ("system", None))
        for kind, columns in {
            "public": {"is_public": True},
            "private": {},
            "public inactive": {"is_public": True, "is_active": False},
        }.items()
    }


def mine(db: Session, person: Person, **columns: Any) -> Any:
    return db.add(TABLE, user_id=person.id, **columns)


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "select",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_users_write_everything_but_the_counter(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert insertable(db, TABLE) == COLUMNS
    assert updatable(db, TABLE) == [*COLUMNS[1:], "updated_at"]


def test_visitors_see_what_is_public_and_active(db: Session, rows: dict[str, Any]) -> None:
    db.as_visitor().sees(TABLE, [rows["bob public"], rows["system public"]])


def test_users_see_that_and_all_their_own(db: Session, alice: Person, bob: Person, rows: dict[str, Any]) -> None:
    hidden = mine(db, alice, is_active=False)
    db.as_user(alice).sees(TABLE, [rows["bob public"], rows["system public"], hidden])
    db.as_user(bob).sees(TABLE, [rows["system public"], *(rows[name] for name in rows if name.startswith("bob"))])


def test_staff_see_every_system_template_and_no_private_one(db: Session, carol: Person, rows: dict[str, Any]) -> None:
    db.as_staff(carol).sees(TABLE, [rows["bob public"], *(rows[name] for name in rows if name.startswith("system"))])


def test_the_server_sees_all(db: Session, rows: dict[str, Any]) -> None:
    db.as_server().sees(TABLE, rows.values())


@shapes.every_shape
def test_users_change_and_delete_no_shared_template_of_others(
    db: Session, alice: Person, rows: dict[str, Any], shape: str
) -> None:
    db.as_user(alice)
    assert shapes.update(db, TABLE, {"name": "Taken over."}, shape) == 0
    assert shapes.delete(db, TABLE, shape) == 0
    assert db.truth("select count(*) from public.prompt_templates") == len(rows)


@shapes.every_shape
def test_a_shared_template_cannot_be_given_away(db: Session, alice: Person, bob: Person, shape: str) -> None:
    """Shared, the row stays visible to both, so no SELECT policy can hide a broken WITH CHECK in any shape."""
    db.as_owner().run("delete from public.prompt_templates")
    mine(db, alice, is_public=True)
    db.as_owner().run("grant update (user_id) on public.prompt_templates to authenticated")
    db.as_user(alice)
    for other in (bob.id, None):
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.update(db, TABLE, {"user_id": other}, shape)


@shapes.every_insert
@pytest.mark.usefixtures("rows")
def test_a_shared_template_cannot_be_added_in_anothers_name(
    db: Session, alice: Person, bob: Person, shape: str
) -> None:
    for other in (bob.id, None):
        db.as_user(alice)
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(db, TABLE, example(TABLE) | {"user_id": other, "is_public": True}, shape)


@shapes.every_shape
def test_staff_change_system_templates_and_no_other(
    db: Session, carol: Person, rows: dict[str, Any], shape: str
) -> None:
    assert shapes.update(db.as_staff(carol), TABLE, {"description": "Changed."}, shape) == 3
    assert (
        db.truth("select count(*) from public.prompt_templates where user_id is not null and description is not null")
        == 0
    )
    assert shapes.delete(db, TABLE, shape) == 3
    assert db.truth("select count(*) from public.prompt_templates") == len(rows) - 3


@shapes.every_insert
def test_staff_add_system_templates_and_none_in_anothers_name(
    db: Session, alice: Person, carol: Person, shape: str
) -> None:
    db.as_staff(carol)
    assert shapes.insert(db, TABLE, example(TABLE) | {"user_id": None, "is_public": True}, shape) == 1
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id, "is_public": True}, shape)


@shapes.every_shape
@pytest.mark.usefixtures("rows")
def test_staff_give_no_system_template_away(db: Session, bob: Person, carol: Person, shape: str) -> None:
    db.as_owner().run("grant update (user_id) on public.prompt_templates to app_admin")
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.update(db, TABLE, {"user_id": bob.id}, shape)


def test_staff_take_a_shared_template_down(db: Session, bob: Person, carol: Person, rows: dict[str, Any]) -> None:
    take_down = "select public.unpublish_prompt_template(%s)"
    db.as_staff(carol)
    assert db.value(take_down, [rows["bob public"]]) is True
    assert db.value(take_down, [rows["bob private"]]) is False
    assert db.value(take_down, [rows["bob public"]]) is False
    assert db.truth("select is_public from public.prompt_templates where id = %s", [rows["bob public"]]) is False
    db.as_visitor().sees(TABLE, [rows["system public"]])
    assert len(db.as_user(bob).rows("select * from public.prompt_templates where user_id = %s", [bob.id])) == 3


def test_nobody_else_takes_a_template_down(db: Session, bob: Person, rows: dict[str, Any]) -> None:
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(bob)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value("select public.unpublish_prompt_template(%s)", [rows["system public"]])


def test_two_system_templates_may_not_share_a_name_and_two_of_users_may(
    db: Session, alice: Person, bob: Person
) -> None:
    db.add(TABLE, name="Weekly report")
    with db.refuses(errors.UniqueViolation, constraint="prompt_templates_system_name_key"):
        db.add(TABLE, name="Weekly report")
    for person in (alice, alice, bob):
        mine(db, person, name="Weekly report")


def test_variables_that_are_no_list_are_refused_by_the_rule_about_them(db: Session, alice: Person) -> None:
    for value in ("{}", '"topic"', "[1]"):
        db.as_user(alice)
        with db.refuses(errors.CheckViolation, constraint="prompt_templates_variables_are_declared"):
            shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id, "variables": value})


def test_placeholders_and_declared_variables_fit_together(db: Session, alice: Person) -> None:
    db.as_user(alice)
    for variables in ("[]", '[{"name": "other"}]', '[{"name": "topic"}, {"name": "other"}]'):
        with db.refuses(errors.CheckViolation, constraint="placeholders_are_declared"):
            shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id, "variables": variables})
    assert shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id, "variables": '[{"name": "topic"}]'}) == 1
    with db.refuses(errors.CheckViolation, constraint="placeholders_are_declared"):
        shapes.update(db, TABLE, {"template_content": "Write about {{nothing}}."})
