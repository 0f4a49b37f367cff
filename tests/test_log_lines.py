"""private.ingest_log_lines(): which lines of the server's log become events, what they say, and how many of a minute.

How files are read is in test_log_ingestion.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from harness.session import Session

pytestmark = pytest.mark.one_platform

FILE, OTHER_FILE = "a" * 64, "b" * 64
EVENTS = """
    select event_type, severity, details, host(ip_address) as address, log_line from public.security_events
    order by created_at, log_line collate "C"
"""


@pytest.fixture
def now(db: Session) -> datetime:
    """As the log writes it: without a zone, which is the server's."""
    found: datetime = db.as_owner().value("select now() at time zone current_setting('log_timezone')")
    return found


def line(at: datetime, number: int = 1, **fields: Any) -> dict[str, Any]:
    """A statement that was refused in this database, unless it says otherwise."""
    return {
        "at": str(at),
        "session": "abc.1",
        "number": number,
        "sqlstate": "42501",
        "severity": "ERROR",
        "role": "authenticated",
        "address": "192.0.2.7",
        "object": None,
        **fields,
    }


def ingest(db: Session, *lines: dict[str, Any], file: str = FILE, read_to: int = 100) -> int:
    here = db.as_owner().value("select current_database()")
    rows: int = db.value(
        "select private.ingest_log_lines(%s, %s, %s)",
        [file, read_to, Jsonb([{"database": here, **it} for it in lines])],
    )
    return rows


SIGN_IN = {"severity": "FATAL", "sqlstate": "28P01"}


@pytest.mark.parametrize(
    ("fields", "event_type"),
    [
        ({}, "statement_refused"),
        (SIGN_IN, "authentication_failed"),
        ({"severity": "FATAL", "sqlstate": "28000"}, "authentication_failed"),
        ({**SIGN_IN, "database": "postgres"}, "authentication_failed"),
        ({"database": "postgres"}, None),
        ({"sqlstate": "42P01"}, None),
        ({"severity": "FATAL", "sqlstate": "57P01"}, None),
    ],
)
def test_refusals_here_and_sign_ins_anywhere_are_events(
    db: Session, now: datetime, fields: dict[str, Any], event_type: str | None
) -> None:
    assert ingest(db, line(now, **fields)) == (event_type is not None)
    found = [(event["event_type"], event["severity"]) for event in db.rows(EVENTS)]
    severity = "info" if event_type == "statement_refused" else "warning"
    assert found == ([(event_type, severity)] if event_type else [])


@pytest.mark.parametrize(
    ("days", "hours", "is_kept"),
    [(-365, 1, True), (-365, -1, False), (1, -1, True), (1, 1, False)],
    ids=["nearly too old", "too old", "a clock that is ahead", "from the future"],
)
def test_a_line_is_of_its_time(db: Session, now: datetime, days: int, hours: int, is_kept: bool) -> None:
    assert ingest(db, line(now + timedelta(days=days, hours=hours))) == is_kept


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"role": "hunter2"}, {}),
        ({"role": "anon"}, {"role": "anon"}),
        ({**SIGN_IN, "database": "hunter2"}, {}),
        ({**SIGN_IN, "database": "postgres"}, {"database": "postgres"}),
        ({"object": "hunter2"}, {}),
        ({"object": "feedback"}, {"object": "feedback"}),
        ({"object": "is_admin"}, {"object": "is_admin"}),
        ({"object": "private"}, {"object": "private"}),
    ],
)
def test_only_names_of_what_there_is_are_kept(
    db: Session, now: datetime, fields: dict[str, Any], told: dict[str, str]
) -> None:
    """Whoever mistypes a password as a name has it in the log."""
    ingest(db, line(now, **fields))
    (event,) = db.rows(EVENTS)
    (name,) = {"role", "database", "object"} & fields.keys() - ({"database"} if "object" in fields else set())
    assert {key: value for key, value in event["details"].items() if key == name} == told
    assert (event["address"], event["log_line"]) == ("192.0.2.7", "abc.1.1")


def test_a_line_is_read_once(db: Session, now: datetime) -> None:
    assert ingest(db, line(now, 1)) == 1
    assert ingest(db, line(now, 1), line(now, 2)) == 1
    assert [event["log_line"] for event in db.rows(EVENTS)] == ["abc.1.1", "abc.1.2"]


def test_a_minute_has_room_for_so_many_of_each_kind(db: Session, now: datetime) -> None:
    """Those that others have reported count, of the kind and of the minute; the rest is told as a number."""
    db.as_owner().run("update public.system_config set value = '3' where key = 'security_events_per_minute'")
    minute = now.replace(second=0, microsecond=0)
    zone = "%s::timestamp at time zone current_setting('log_timezone')"
    insert = f"insert into public.security_events (event_type, severity, created_at) values (%s, 'info', {zone})"
    for event_type, seconds in (
        ("statement_refused", 0),
        ("statement_refused", -1),
        ("statement_refused", 60),
        ("authentication_failed", 59),
        ("probe", 5),
    ):
        db.run(insert, [event_type, minute + timedelta(seconds=seconds)])
    before = minute - timedelta(minutes=5)
    lines = [
        *(line(minute + timedelta(seconds=10), number) for number in range(1, 5)),
        *(line(minute + timedelta(seconds=20), number, **SIGN_IN) for number in range(5, 8)),
        *(line(before, number) for number in range(8, 11)),
    ]
    assert ingest(db, *lines) == 2 + 1 + 2 + 1 + 3
    found = db.rows(
        "select event_type, details, log_line, created_at from public.security_events "
        'where log_line is not null order by log_line collate "C"'
    )
    assert [(it["event_type"], it["log_line"]) for it in found] == [
        ("statement_refused", "abc.1.1"),
        ("statement_refused", "abc.1.10"),
        ("statement_refused", "abc.1.2"),
        ("events_dropped", "abc.1.3"),
        ("authentication_failed", "abc.1.5"),
        ("authentication_failed", "abc.1.6"),
        ("events_dropped", "abc.1.7"),
        ("statement_refused", "abc.1.8"),
        ("statement_refused", "abc.1.9"),
    ]
    assert [it["details"] for it in found if it["event_type"] == "events_dropped"] == [
        {"event_type": "statement_refused", "per_minute": 3, "dropped": 2},
        {"event_type": "authentication_failed", "per_minute": 3, "dropped": 1},
    ]


def test_who_floods_the_log_takes_turns(db: Session, now: datetime) -> None:
    db.as_owner().run("update public.system_config set value = '4' where key = 'security_events_per_minute'")
    flood = [line(now, number, address="192.0.2.66") for number in range(1, 10)]
    others = [line(now, 20, address="192.0.2.1"), line(now, 21, role="anon")]
    ingest(db, *flood, *others)
    kept = [it["log_line"] for it in db.rows(EVENTS) if it["event_type"] == "statement_refused"]
    assert sorted(kept) == ["abc.1.1", "abc.1.2", "abc.1.20", "abc.1.21"]


def test_how_far_a_file_was_read_is_kept_for_a_year(db: Session) -> None:
    ingest(db, file=FILE, read_to=100)
    ingest(db, file=OTHER_FILE, read_to=7)
    ingest(db, file=OTHER_FILE, read_to=5)
    read = "select first_line, read_to from private.log_files order by 1"
    expected = [{"first_line": FILE, "read_to": 100}, {"first_line": OTHER_FILE, "read_to": 5}]
    assert db.rows(read) == expected
    age = "update private.log_files set read_at = now() - interval '1 year' - %s::interval where first_line = %s"
    db.run(age, ["-1 minute", FILE])
    ingest(db, file=OTHER_FILE)
    assert len(db.rows(read)) == 2
    db.run(age, ["1 minute", FILE])
    ingest(db, file=OTHER_FILE)
    assert [it["first_line"] for it in db.rows(read)] == [OTHER_FILE]
