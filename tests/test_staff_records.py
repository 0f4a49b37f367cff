"""audit_log, security_events, feedback_analytics: staff read, nobody writes, and what happened is not rewritten."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person, delete_account
from harness.refusal import Guard
from harness.rights import by_caller
from harness.session import Session

pytestmark = pytest.mark.access

TABLES = ("audit_log", "security_events", "feedback_analytics")
# The column that says whose line it is.
HISTORY = {"audit_log": "actor_id", "security_events": "user_id"}

tables = pytest.mark.parametrize("table", TABLES)
history = pytest.mark.parametrize("table", HISTORY)


@pytest.fixture
def line(db: Session, table: str) -> Any:
    return db.add(table)


@tables
def test_each_caller_has_these_commands(db: Session, table: str, alice: Person, carol: Person) -> None:
    assert by_caller(db, table, alice, carol) == {"visitor": "", "user": "", "staff": "select", "server": "select"}


@tables
def test_staff_and_the_server_read(db: Session, table: str, carol: Person, line: Any) -> None:
    assert line in db.as_staff(carol).column(f"select id from public.{table}")
    assert line in db.as_server().column(f"select id from public.{table}")


@tables
def test_a_grant_that_slips_in_opens_nothing(db: Session, table: str, alice: Person, carol: Person, line: Any) -> None:
    db.as_owner().run(f"grant select, insert, update, delete on public.{table} to anon, authenticated")
    for speak in (db.as_visitor, lambda: db.as_user(alice)):
        speak().sees(table, [])
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        assert shapes.update(db, table, {"created_at": "2020-01-01"}) == 0
        assert shapes.delete(db, table) == 0
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(db, table, example(table))
    assert db.truth(f"select count(*) from public.{table} where id = %s", [line]) == 1


REWRITES = ["update public.{} set created_at = '2020-01-01'", "delete from public.{}", "truncate public.{}"]


@history
@pytest.mark.parametrize("statement", REWRITES, ids=["update", "delete", "truncate"])
@pytest.mark.usefixtures("line")
def test_history_is_not_rewritten_by_its_owner_either(db: Session, table: str, statement: str) -> None:
    db.as_owner()
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED) as refusal:
        db.run(statement.format(table))
    assert refusal.value.diag.message_primary == f"public.{table} is append-only"


@history
def test_the_line_outlives_the_account_without_what_points_to_the_person(
    db: Session, table: str, alice: Person
) -> None:
    line = db.add(table, **{HISTORY[table]: alice.id}, ip_address="192.0.2.7", user_agent="Firefox")
    delete_account(db, alice)
    (row,) = db.as_owner().rows(f"select * from public.{table} where id = %s", [line])
    assert (row[HISTORY[table]], row["ip_address"], row["user_agent"]) == (None, None, None)


@history
def test_an_account_is_not_erased_from_a_line_together_with_something_else(
    db: Session, table: str, alice: Person
) -> None:
    db.add(table, **{HISTORY[table]: alice.id})
    db.as_owner()
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(f"update public.{table} set {HISTORY[table]} = null, created_at = '2020-01-01'")
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(f"update public.{table} set user_agent = null")
