"""Feedback in figures: the table of days, which maintenance keeps, and what staff are told."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import errors

from harness import postgrest
from harness.people import Person, delete_account
from harness.refusal import Guard
from harness.session import Session
from harness.world import roll_up

GENERATE = "select (figures).* from (select public.generate_daily_feedback_analytics(%s) as figures) as it"
TABLE = "select * from public.feedback_analytics"
TODAY = datetime.now(UTC).date()
DAY = TODAY - timedelta(days=10)


def at(day: date, hour: float = 12) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def send(db: Session, hour: float = 12, day: date = DAY, **columns: Any) -> Any:
    return db.add("feedback", created_at=at(day, hour), **columns)


def generate(db: Session, day: date = DAY) -> dict[str, Any]:
    (row,) = db.as_server().rows(GENERATE, [day])
    return {key: value for key, value in row.items() if key not in ("id", "created_at", "updated_at")}


# The table of days ----------------------------------------------------------------------------------------------------


def test_a_day_in_figures(db: Session) -> None:
    send(db, feedback_type="bug", priority="high", rating=5, status="resolved", responded_at=at(DAY, 13))
    send(db, feedback_type="bug", rating=4, status="closed", responded_at=at(DAY, 14.5))
    send(db, feedback_type="feature", status="in_progress", rating=4)
    send(db)
    assert generate(db) == {
        "date": DAY,
        "total_feedback": 4,
        "resolved_feedback": 2,
        "avg_response_time_hours": 1.75,
        "avg_rating": Decimal("4.33"),
        "feedback_by_type": {"bug": 2, "feature": 1, "general": 1},
        "feedback_by_priority": {"high": 1, "medium": 3},
    }


@pytest.mark.one_platform
def test_a_day_begins_at_midnight_utc_whatever_the_session_says(db: Session) -> None:
    send(db, hour=0)
    send(db, hour=23.999)
    send(db, hour=24)
    send(db, hour=-0.001)
    db.as_server().run("set local timezone = 'Pacific/Kiritimati'")
    assert db.rows(GENERATE, [DAY])[0]["total_feedback"] == 2


@pytest.mark.one_platform
def test_without_answers_and_ratings_there_is_no_mean(db: Session) -> None:
    send(db)
    figures = generate(db)
    assert (figures["avg_response_time_hours"], figures["avg_rating"]) == (None, None)


@pytest.mark.parametrize(
    ("answered", "hours"),
    [(timedelta(days=400), "999.99"), (timedelta(hours=-5), "0.00"), (timedelta(0), "0.00")],
)
@pytest.mark.one_platform
def test_an_answer_after_years_or_before_the_question_fits(db: Session, answered: timedelta, hours: str) -> None:
    """The server may bring answers from elsewhere, with a time of theirs."""
    send(db, responded_at=at(DAY) + answered)
    assert str(generate(db)["avg_response_time_hours"]) == hours


@pytest.mark.one_platform
def test_a_day_without_messages_has_no_row(db: Session) -> None:
    row_id = send(db)
    generate(db)
    db.as_owner().run("delete from public.feedback where id = %s", [row_id])
    assert set(generate(db).values()) == {None}
    assert db.truth("select count(*) from public.feedback_analytics") == 0


@pytest.mark.one_platform
def test_doing_it_again_changes_nothing_and_a_change_one_row(db: Session) -> None:
    row_id = send(db)
    generate(db)
    (before,) = db.as_owner().rows(TABLE)
    db.run("alter table public.feedback_analytics disable trigger update_feedback_analytics_updated_at")
    db.run("update public.feedback_analytics set updated_at = '2020-01-01'")
    generate(db)
    assert db.truth("select updated_at = '2020-01-01' from public.feedback_analytics") is True
    db.as_owner().run("update public.feedback set rating = 3 where id = %s", [row_id])
    generate(db)
    (after,) = db.as_owner().rows(TABLE)
    assert (after["id"], after["avg_rating"]) == (before["id"], 3)


@pytest.mark.parametrize("day", [None, TODAY + timedelta(days=1), date(9999, 12, 31), "infinity", "-infinity"])
@pytest.mark.one_platform
def test_bad_days_are_refused(db: Session, day: Any) -> None:
    db.as_server()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.rows(GENERATE, [day])
    assert refusal.value.diag.message_hint == "Pass a day (UTC) up to today."
    assert db.truth("select count(*) from public.feedback_analytics") == 0


@pytest.mark.one_platform
def test_today_is_a_day(db: Session) -> None:
    db.add("feedback")
    assert generate(db, TODAY)["total_feedback"] == 1


def test_the_server_only(db: Session, alice: Person, carol: Person) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows(GENERATE, [DAY])


@pytest.mark.one_platform
def test_over_the_api(db: Session) -> None:
    send(db)
    answer = postgrest.call(db.as_server(), "generate_daily_feedback_analytics", day=str(DAY))
    assert answer["total_feedback"] == 1


# What staff are told --------------------------------------------------------------------------------------------------


def told(db: Session, carol: Person, days: int = 30) -> Any:
    return db.as_staff(carol).value("select public.get_feedback_analytics(%s)", [days])


def test_feedback_by_everything(db: Session, alice: Person, carol: Person) -> None:
    category = db.add("feedback_categories", name="Editor")
    tags = [db.add("feedback_tags", name=name) for name in ("urgent-ish", "copy")]
    first = send(db, feedback_type="bug", rating=2, category_id=category, user_id=alice.id)
    send(db, hour=1, day=DAY + timedelta(days=1), priority="low", status="resolved", responded_at=at(DAY, 26), rating=5)
    send(db, day=DAY + timedelta(days=1), status="closed", responded_at=at(DAY, 46))
    for tag in tags:
        db.add("feedback_tag_assignments", feedback_id=first, tag_id=tag)
    done = send(db, day=DAY + timedelta(days=1), status="resolved")
    db.add("feedback_tag_assignments", feedback_id=done, tag_id=tags[0])
    answer = told(db, carol)
    assert {key: answer[key] for key in ("messages", "resolved", "answered", "rated", "average_rating")} == {
        "messages": 4,
        "resolved": 3,
        "answered": 2,
        "rated": 2,
        "average_rating": 3.5,
    }
    # One after one hour, one after ten.
    assert (answer["average_response_hours"], answer["median_response_hours"]) == (5.5, 5.5)
    counts = {
        name: {label: part["messages"] for label, part in answer[f"by_{name}"].items()}
        for name in ("type", "priority", "status", "category", "tag", "day")
    }
    assert counts == {
        "type": {"bug": 1, "general": 3},
        "priority": {"medium": 3, "low": 1},
        "status": {"open": 1, "resolved": 2, "closed": 1},
        "category": {"Editor": 1, "none": 3},
        "tag": {"urgent-ish": 2, "copy": 1},
        "day": {str(DAY): 1, str(DAY + timedelta(days=1)): 3},
    }
    assert {name: tag["resolved"] for name, tag in answer["by_tag"].items()} == {"urgent-ish": 1, "copy": 0}
    assert answer["by_type"]["bug"] == {
        "messages": 1,
        "resolved": 0,
        "answered": 0,
        "rated": 1,
        "average_rating": 2.0,
        "average_response_hours": None,
        "median_response_hours": None,
    }


@pytest.mark.one_platform
def test_only_the_days_asked_for(db: Session, carol: Person) -> None:
    send(db)
    send(db, day=TODAY + timedelta(days=1))
    assert told(db, carol, 10)["messages"] == 0
    assert told(db, carol, 11)["messages"] == 1


@pytest.mark.one_platform
def test_what_a_deleted_account_sent_is_still_counted(db: Session, alice: Person, carol: Person) -> None:
    send(db, user_id=alice.id)
    delete_account(db, alice)
    roll_up(db)
    assert told(db, carol)["messages"] == 1
    assert db.truth("select total_feedback from public.feedback_analytics where date = %s", [DAY]) == 1


@pytest.mark.one_platform
def test_nobody_is_named(db: Session, alice: Person, carol: Person) -> None:
    send(db, user_id=alice.id, contact_email="alice@example.com", message="I am Alice.")
    said = str(told(db, carol))
    assert str(alice.id) not in said
    assert "alice" not in said.lower()
