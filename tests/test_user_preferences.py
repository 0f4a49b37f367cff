"""user_preferences: nobody's business but the user's. More in test_own_rows.py."""

import pytest

from harness.people import Person
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "user_preferences"
CHOICES = [
    "selected_model",
    "selected_framework",
    "theme",
    "language",
    "enable_notifications",
    "enable_analytics",
    "enable_history",
    "enable_feedback",
    "max_history_days",
    "auto_cleanup",
    "vibe_coding",
    "monthly_budget_usd",
]


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_users_write_every_choice_and_nothing_else(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert insertable(db, TABLE) == ["user_id", *CHOICES]
    assert updatable(db, TABLE) == [*CHOICES, "updated_at"]


def test_staff_read_and_change_their_own_and_no_other(db: Session, alice: Person, carol: Person) -> None:
    db.as_staff(carol).sees(TABLE, [carol.id], by="user_id")
    assert db.run("update public.user_preferences set theme = 'light'") == 1
    assert db.truth("select theme from public.user_preferences where user_id = %s", [alice.id]) == "dark"


def test_the_server_reads_all(db: Session, alice: Person, bob: Person) -> None:
    db.as_server().sees(TABLE, [alice.id, bob.id], by="user_id")
