"""private.record_refusal(): whether a refusal is recorded, and over which connection; without opening one.

That it is recorded, and what it must not disturb, is in test_security_events.
"""

from typing import Any

import pytest

from harness.figures import Raw, made_up
from harness.people import Person
from harness.session import Session

pytestmark = pytest.mark.one_platform

FUNCTION = "private.record_refusal(text, text, uuid, jsonb)"
RECORD = "select private.record_refusal('probe', 'info', %s, '{}')"
EVENT = """
    insert into public.security_events (event_type, severity, user_id, created_at)
    select %s, 'info', %s, clock_timestamp() - %s::interval from generate_series(1, %s)
"""
LOCKED = """
    select count(*) from pg_locks
    where relation = 'private.locks'::regclass and mode = 'ShareUpdateExclusiveLock' and pid = pg_backend_pid()
"""


def connected(db: Session, dsn: str | None = "host=db", *, dblink: str = "dblink", on_standby: bool = False) -> None:
    """What would be sent to the server is written down instead."""
    db.as_owner().run("create table private.sent (dsn text, statement text)")
    if dsn is not None:
        db.value("select private.keep_secret('maintenance_dsn', %s)", [dsn])
    made_up(
        db,
        FUNCTION,
        {
            "format('select recorded.id from %s.dblink($1, $2) as recorded (id uuid)', v_schema)": (
                "'insert into private.sent values ($1, $2)'"
            ),
            "pg_is_in_recovery()": str(on_standby).lower(),
        },
        pg_extension=[
            {"extname": "plpgsql", "extnamespace": Raw("'pg_catalog'::regnamespace")},
            {"extname": dblink, "extnamespace": Raw("'extensions'::regnamespace")},
        ],
    )


def sent(db: Session) -> list[str]:
    return db.column("select dsn from private.sent")


@pytest.mark.parametrize(
    ("dsn", "asked"),
    [
        ("host=db password=x?y", "host=db password=x?y connect_timeout=2"),
        ("postgres://db/app", "postgres://db/app?connect_timeout=2"),
        ("postgresql://db/app?sslmode=require", "postgresql://db/app?sslmode=require&connect_timeout=2"),
    ],
)
def test_nobody_waits_for_a_connection(db: Session, alice: Person, dsn: str, asked: str) -> None:
    connected(db, dsn)
    db.value(RECORD, [alice.id])
    assert sent(db) == [asked]
    (statement,) = db.column("select statement from private.sent")
    assert f"select private.log_security_event('probe', 'info', '{{}}'::jsonb, '{alice.id}'::uuid" in statement


@pytest.mark.parametrize("missing", [{"dsn": None}, {"dblink": "postgres_fdw"}])
def test_without_a_connection_nothing_is_tried(db: Session, alice: Person, missing: dict[str, Any]) -> None:
    connected(db, **missing)
    db.value(RECORD, [alice.id])
    assert sent(db) == []
    assert db.value(LOCKED) == 0


@pytest.mark.parametrize(("on_standby", "locks"), [(False, 1), (True, 0)])
def test_one_at_a_time_where_anybody_could_write(db: Session, alice: Person, on_standby: bool, locks: int) -> None:
    connected(db, on_standby=on_standby)
    db.value(RECORD, [alice.id])
    assert len(sent(db)) == 1
    assert db.value(LOCKED) == locks


@pytest.mark.parametrize(
    ("event_type", "own", "age", "number", "is_sent"),
    [
        ("probe", True, "1 second", 10, False),
        ("probe", True, "1 second", 9, True),
        ("other", True, "1 second", 10, True),
        ("probe", False, "1 second", 10, True),
        ("probe", True, "61 seconds", 10, True),
    ],
)
def test_ten_of_one_user_in_a_minute_are_enough(
    db: Session, alice: Person, bob: Person, event_type: str, own: bool, age: str, number: int, is_sent: bool
) -> None:
    connected(db)
    db.run(EVENT, [event_type, (alice if own else bob).id, age, number])
    db.value(RECORD, [alice.id])
    assert len(sent(db)) == is_sent


def test_nobody_is_one_as_well(db: Session, alice: Person) -> None:
    connected(db)
    db.run(EVENT, ["probe", alice.id, "1 second", 10])
    db.value(RECORD, [None])
    assert len(sent(db)) == 1
    db.run(EVENT, ["probe", None, "1 second", 10])
    db.value(RECORD, [None])
    assert len(sent(db)) == 1
