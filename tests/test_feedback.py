"""feedback: anyone sends, users correct their own while it is open, staff answer. More in test_own_rows.py."""

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import shapes
from harness.examples import example
from harness.people import Person, delete_account
from harness.refusal import Guard
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "feedback"
SENT = [
    "user_id",
    "message",
    "feedback_type",
    "contact_email",
    "contact_name",
    "user_agent",
    "browser_info",
    "device_info",
    "rating",
    "category_id",
]
TRIAGE = ["priority", "status", "admin_response", "category_id"]
ANSWER = (
    "select admin_response, admin_user_id, responded_at = now() as just_now, status from public.feedback where id = %s"
)


@pytest.fixture
def hers(db: Session, alice: Person) -> Any:
    return db.add(TABLE, user_id=alice.id)


@pytest.fixture
def his(db: Session, bob: Person) -> Any:
    return db.add(TABLE, user_id=bob.id)


@pytest.fixture
def nobodys(db: Session) -> Any:
    return db.add(TABLE, contact_email="visitor@example.com")


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "insert",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_each_caller_writes_these_columns(db: Session, alice: Person, carol: Person) -> None:
    assert insertable(db.as_visitor(), TABLE) == SENT
    assert insertable(db.as_user(alice), TABLE) == SENT
    assert updatable(db, TABLE) == ["message", "rating", "updated_at"]
    assert insertable(db.as_staff(carol), TABLE) == SENT
    assert set(updatable(db, TABLE)) == {"message", "rating", "updated_at", *TRIAGE}


# Visitors -------------------------------------------------------------------------------------------------------------


def test_a_visitor_sends_feedback_and_reads_none(db: Session, nobodys: Any) -> None:
    db.as_visitor()
    row = example(TABLE) | {"contact_email": "v@example.com", "browser_info": Jsonb({"name": "Firefox"}), "rating": 5}
    assert shapes.insert(db, TABLE, row) == 1
    for shape in ("returning", "on conflict"):
        with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
            shapes.insert(db, TABLE, row, shape)
    assert db.truth("select count(*) from public.feedback where id <> %s", [nobodys]) == 1


def test_a_visitor_sends_nothing_in_a_users_name(db: Session, alice: Person) -> None:
    db.as_visitor()
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id})


# Users ----------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("his", "nobodys")
def test_feedback_of_visitors_and_others_is_not_shown_to_users(db: Session, alice: Person, hers: Any) -> None:
    db.as_user(alice).sees(TABLE, [hers])


@shapes.every_shape
@pytest.mark.usefixtures("nobodys")
def test_users_take_over_and_change_nothing_of_visitors(db: Session, alice: Person, shape: str) -> None:
    db.as_owner().run("grant update (user_id) on public.feedback to authenticated")
    db.as_user(alice)
    assert shapes.update(db, TABLE, {"user_id": alice.id}, shape) == 0
    assert shapes.delete(db, TABLE, shape) == 0


@shapes.every_shape
@pytest.mark.parametrize("status", ["in_progress", "resolved", "closed"])
def test_what_is_not_open_any_more_cannot_be_changed(
    db: Session, alice: Person, hers: Any, status: str, shape: str
) -> None:
    db.as_owner().run("update public.feedback set status = %s where id = %s", [status, hers])
    db.as_user(alice)
    assert shapes.update(db, TABLE, {"message": "Something else."}, shape) == 0
    assert shapes.delete(db, TABLE, shape) == 1


@pytest.mark.usefixtures("hers")
def test_users_close_or_answer_nothing_themselves(db: Session, alice: Person) -> None:
    db.as_owner().run("grant update (status) on public.feedback to authenticated")
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.update(db, TABLE, {"status": "closed"})
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        shapes.update(db, TABLE, {"admin_response": "Done."})


# Staff ----------------------------------------------------------------------------------------------------------------


def test_staff_and_the_server_see_all(db: Session, carol: Person, hers: Any, his: Any, nobodys: Any) -> None:
    db.as_staff(carol).sees(TABLE, [hers, his, nobodys])
    db.as_server().sees(TABLE, [hers, his, nobodys])


@shapes.every_shape
@pytest.mark.usefixtures("hers", "nobodys")
def test_staff_triage(db: Session, carol: Person, shape: str) -> None:
    category = db.add("feedback_categories")
    db.as_staff(carol)
    for column, value in {"status": "in_progress", "priority": "urgent", "category_id": category}.items():
        assert shapes.update(db, TABLE, {column: value}, shape) == 2, column


@shapes.every_shape
@pytest.mark.usefixtures("hers", "nobodys")
def test_staff_change_no_word_of_others(db: Session, carol: Person, shape: str) -> None:
    db.as_staff(carol)
    words: tuple[dict[str, Any], ...] = ({"message": "Praise."}, {"rating": 5})
    for change in words:
        with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
            shapes.update(db, TABLE, change, shape)
    facts: tuple[dict[str, Any], ...] = (
        {"contact_email": "c@example.com"},
        {"user_id": carol.id},
        {"admin_user_id": None},
        {"responded_at": None},
    )
    for change in facts:
        with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
            shapes.update(db, TABLE, change, shape)


def test_staff_are_users_too_and_no_more_than_that_on_their_own(db: Session, carol: Person) -> None:
    mine = db.add(TABLE, user_id=carol.id)
    change = "update public.feedback set message = 'Changed.' where id = %s"
    assert db.as_staff(carol).run(change, [mine]) == 1
    db.as_owner().run("update public.feedback set status = 'closed'")
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run("update public.feedback set message = 'Changed again.' where id = %s", [mine])
    assert db.run("delete from public.feedback") == 1


def test_an_answer_of_staff_says_who_and_when(db: Session, carol: Person, hers: Any) -> None:
    assert db.as_staff(carol).run("update public.feedback set admin_response = 'Thank you.'") == 1
    assert db.rows(ANSWER, [hers]) == [
        {"admin_response": "Thank you.", "admin_user_id": carol.id, "just_now": True, "status": "open"}
    ]


def test_the_server_brings_an_answer_from_elsewhere(db: Session, carol: Person, hers: Any) -> None:
    db.as_server().run(
        "update public.feedback set admin_response = 'Hello.', admin_user_id = %s, responded_at = '2025-01-01'",
        [carol.id],
    )
    assert db.rows(ANSWER, [hers])[0] == {
        "admin_response": "Hello.", "admin_user_id": carol.id, "just_now": False, "status": "open"
    }  # fmt: skip


# respond_to_feedback --------------------------------------------------------------------------------------------------


def test_responding_answers_and_resolves(db: Session, carol: Person, hers: Any) -> None:
    (row,) = db.as_staff(carol).rows("select * from public.respond_to_feedback(%s, 'Mended.')", [hers])
    assert (row["id"], row["status"], row["admin_user_id"]) == (hers, "resolved", carol.id)
    (row,) = db.rows("select * from public.respond_to_feedback(%s, 'Not yet.', 'in_progress')", [hers])
    assert (row["admin_response"], row["status"]) == ("Not yet.", "in_progress")


BAD_ANSWERS = [
    (None, "resolved", "22023"),
    ("", "resolved", "22023"),
    (" \t\n", "resolved", "22023"),
    ("x" * 20001, "resolved", "23514"),
    ("Fine.", None, "22023"),
    ("Fine.", "done", "23514"),
    ("Fine.", "x" * 300, "22001"),
]


@pytest.mark.parametrize(("response", "status", "sqlstate"), BAD_ANSWERS)
def test_a_bad_answer_is_refused_and_changes_nothing(
    db: Session, carol: Person, hers: Any, response: str | None, status: str | None, sqlstate: str
) -> None:
    db.as_staff(carol)
    with db.refuses(errors.DatabaseError) as refusal:
        db.rows("select * from public.respond_to_feedback(%s, %s, %s)", [hers, response, status])
    assert refusal.value.sqlstate == sqlstate
    assert db.truth("select status from public.feedback where id = %s", [hers]) == "open"


@pytest.mark.parametrize("feedback", ["00000000-0000-4000-8000-000000000000", None])
def test_an_answer_to_nothing_is_not_found(db: Session, carol: Person, feedback: str | None) -> None:
    db.as_staff(carol)
    with db.refuses(errors.DatabaseError) as refusal:
        db.rows("select * from public.respond_to_feedback(%s, 'Hello?')", [feedback])
    assert refusal.value.sqlstate == "PT404"


def test_nobody_but_staff_responds(db: Session, alice: Person, hers: Any) -> None:
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(alice)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows("select * from public.respond_to_feedback(%s, 'I resolve this.')", [hers])


# Once the account is gone ---------------------------------------------------------------------------------------------


def test_what_points_to_the_author_goes_with_the_account_and_the_message_stays(db: Session, alice: Person) -> None:
    personal = {
        "contact_email": "alice@example.com",
        "contact_name": "Alice",
        "user_agent": "Firefox",
        "browser_info": Jsonb({"name": "Firefox"}),
        "device_info": Jsonb({"model": "Phone"}),
    }
    feedback = db.add(TABLE, user_id=alice.id, admin_response="Mended.", **personal)
    delete_account(db, alice)
    (row,) = db.as_owner().rows("select * from public.feedback where id = %s", [feedback])
    assert {column: row[column] for column in ("user_id", *personal)} == dict.fromkeys(("user_id", *personal))
    assert (row["message"], row["admin_response"]) == ("The copy button does nothing.", "Mended.")


def test_an_answer_stays_when_its_author_in_staff_goes(db: Session, carol: Person, hers: Any) -> None:
    db.as_staff(carol).rows("select * from public.respond_to_feedback(%s, 'Mended.')", [hers])
    delete_account(db, carol)
    (row,) = db.as_owner().rows(ANSWER, [hers])
    assert (row["admin_response"], row["admin_user_id"], row["status"]) == ("Mended.", None, "resolved")
