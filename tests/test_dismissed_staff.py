"""Dismissed staff: a token outlives a dismissal, so whoever still holds one is from then on a user like others."""

from typing import Any

import pytest
from psycopg import errors

from forge_db import access
from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

pytestmark = pytest.mark.access

# A row that no user sees, but by being Alice.
HIDDEN: dict[str, dict[str, Any]] = {
    "api_providers": {"is_enabled": False},
    "feedback_categories": {"is_active": False},
    "feedback_tags": {"is_active": False},
    "prompt_frameworks": {"is_enabled": False},
    "system_config": {"is_public": False},
}
CONTRACT = access.load()
CELLS = {(name.removeprefix("public."), command): cell for name, table in CONTRACT.tables.items()
         for (role, command), cell in table.cells.items() if role == "app_admin"}  # fmt: skip


def tables(command: str) -> pytest.MarkDecorator:
    """Those in which staff may do this."""
    return pytest.mark.parametrize("table", [table for table, granted in CELLS if granted == command])


@pytest.fixture
def row(db: Session, table: str, alice: Person) -> Any:
    """A row of Alice's, or of nobody's, that staff may see."""
    if table == "user_profiles":
        return db.truth("select id from public.user_profiles where user_id = %s", [alice.id])
    if table == "feedback_tag_assignments":
        return db.add(table, feedback_id=db.add("feedback", user_id=alice.id), tag_id=db.add("feedback_tags"))
    needs_owner = table in ("user_sessions", "api_usage_logs")
    return db.add(table, **HIDDEN.get(table, {}), **({"user_id": alice.id} if needs_owner else {}))


@pytest.fixture
def dismissed(db: Session, carol: Person, row: Any) -> Session:
    """Carol, with the token that she got while she was staff."""
    assert row
    with db.aside():
        db.as_auth().run("update users set role = 'authenticated' where id = %s", [carol.id])
    return db.as_staff(carol)


@tables("select")
def test_they_see_what_users_see(db: Session, table: str, carol: Person, row: Any, dismissed: Session) -> None:
    assert row not in dismissed.column(f"select id from public.{table}")
    with db.aside():
        db.as_auth().run("update users set role = 'app_admin' where id = %s", [carol.id])
    assert row in db.as_staff(carol).column(f"select id from public.{table}")


@tables("insert")
def test_they_add_nothing(db: Session, table: str, dismissed: Session) -> None:
    added = example(table)
    if table == "feedback_tag_assignments":
        added = {"feedback_id": db.add("feedback"), "tag_id": db.add("feedback_tags")}
    for shape in shapes.INSERT_SHAPES:
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(dismissed, table, added, shape)


@tables("update")
def test_they_change_nothing_of_others(db: Session, table: str, carol: Person, dismissed: Session) -> None:
    if table == "user_profiles":
        db.truth("with gone as (delete from public.user_profiles where user_id = %s returning 1) select count(*) "
                 "from gone", [carol.id])  # fmt: skip
    column = (CELLS[table, "update"].columns or ())[-1]
    assert dismissed.run(f"update public.{table} set {column} = default") == 0


@tables("delete")
def test_they_delete_nothing(table: str, dismissed: Session) -> None:
    assert shapes.delete(dismissed, table) == 0


@pytest.mark.parametrize(("until", "is_staff"), [("-1 second", True), ("1 hour", False), (None, True)])
def test_a_ban_ends(db: Session, carol: Person, until: str | None, is_staff: bool) -> None:
    db.as_auth().run("update users set banned_until = now() + %s::interval where id = %s", [until, carol.id])
    assert db.as_staff(carol).value("select public.is_admin()") is is_staff


def test_a_refusal_says_who_may_change_what(db: Session, alice: Person, carol: Person) -> None:
    change = "update public.user_profiles set {} where user_id = %s"
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED) as refusal:
        db.run(change.format("bio = 'x'"), [alice.id])
    assert refusal.value.diag.message_primary == "staff may not change bio of another user's row"
    assert refusal.value.diag.message_hint == "Staff may change: is_active, updated_at."
    with db.aside():
        db.as_auth().run("update users set role = 'authenticated' where id = %s", [carol.id])
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED) as refusal:
        db.run(change.format("is_active = false"), [carol.id])
    assert refusal.value.diag.message_primary == "only staff may change is_active"
    assert refusal.value.diag.message_hint == "This account is not staff any more. Sign in again."
