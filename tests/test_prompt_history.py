"""prompt_history: what was asked stays, what came back is filled in, staff see nothing. More in test_own_rows.py."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "prompt_history"
ASKED = ["framework_id", "framework_name", "model", "provider", "user_input"]
HOW = ["tone", "length", "temperature", "max_tokens", "vibe_coding"]
FIGURES = ["processing_time_ms", "tokens_used", "cost_usd", "status", "error_message", "error_code"]


@pytest.fixture
def prompt(db: Session, alice: Person) -> Any:
    return db.add(TABLE, user_id=alice.id)


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_users_do_not_rewrite_what_they_asked(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert insertable(db, TABLE) == ["user_id", *ASKED, "ai_response", *HOW, *FIGURES]
    assert updatable(db, TABLE) == ["ai_response", *FIGURES, "updated_at"]


@pytest.mark.usefixtures("prompt")
def test_staff_never_see_a_prompt(db: Session, carol: Person) -> None:
    db.as_staff(carol).sees(TABLE, [])
    for shape in shapes.WRITE_SHAPES:
        assert shapes.update(db, TABLE, {"status": "failed"}, shape) == 0
        assert shapes.delete(db, TABLE, shape) == 0


def test_the_server_sees_every_prompt(db: Session, prompt: Any) -> None:
    db.as_server().sees(TABLE, [prompt])


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_prompt_that_is_done_stays_done(db: Session, alice: Person, prompt: Any, status: str) -> None:
    change = "update public.prompt_history set status = %s where id = %s"
    assert db.as_user(alice).run(change, [status, prompt]) == 1
    for other in {"pending", "completed", "failed"} - {status}:
        with db.refuses(errors.CheckViolation, constraint="prompt_history_status_runs_forward"):
            db.run(change, [other, prompt])
    assert db.run(change, [status, prompt]) == 1


def test_who_keeps_no_history_has_none(db: Session, alice: Person, bob: Person) -> None:
    db.as_user(alice).run("update public.user_preferences set enable_history = false")
    for shape in shapes.INSERT_SHAPES:
        with db.refuses(errors.DatabaseError) as refusal:
            shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id}, shape)
        assert refusal.value.diag.sqlstate == "PT403"
    assert shapes.insert(db.as_user(bob), TABLE, example(TABLE) | {"user_id": bob.id}) == 1


def test_who_deleted_the_preferences_has_a_history(db: Session, alice: Person) -> None:
    db.as_user(alice).run("delete from public.user_preferences")
    assert shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id}) == 1


def test_an_answer_stays_on_its_page(db: Session, alice: Person, prompt: Any) -> None:
    """pending to completed is a HOT update as long as no index holds a column that changes."""
    held = db.as_owner().column(
        "select distinct attname::text "
        "from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any (indkey) "
        "where indrelid = 'public.prompt_history'::regclass order by 1"
    )
    assert held == ["created_at", "id", "user_id"]
    assert db.as_user(alice).run("update public.prompt_history set status = 'completed' where id = %s", [prompt]) == 1
