"""api_usage_logs: everyone reads their own, staff read all, and nobody writes but functions of ours."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.rights import by_caller
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "api_usage_logs"
PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = 'public.api_usage_logs'::regclass"


@pytest.fixture
def logs(db: Session, alice: Person, bob: Person) -> dict[str, Any]:
    """Of both users one in a month that has its partition, and one of Alice's in none."""
    return {
        "alice": db.add(TABLE, user_id=alice.id),
        "long ago": db.add(TABLE, user_id=alice.id, created_at="1999-12-31 23:59:59+00"),
        "bob": db.add(TABLE, user_id=bob.id),
    }


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select",
        "staff": "select",
        "server": "select",
    }


def test_users_see_their_own(db: Session, alice: Person, logs: dict[str, Any]) -> None:
    db.as_user(alice).sees(TABLE, [logs["alice"], logs["long ago"]])


def test_staff_and_the_server_see_all(db: Session, carol: Person, logs: dict[str, Any]) -> None:
    db.as_staff(carol).sees(TABLE, logs.values())
    db.as_server().sees(TABLE, logs.values())


@pytest.mark.usefixtures("logs")
def test_a_grant_that_slips_in_opens_nothing(db: Session, alice: Person, carol: Person) -> None:
    db.as_owner().run("grant insert, update, delete on public.api_usage_logs to authenticated")
    for speak in (db.as_user, db.as_staff):
        speak(alice if speak == db.as_user else carol)
        assert shapes.update(db, TABLE, {"status_code": 500}) == 0
        assert shapes.delete(db, TABLE) == 0
        with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
            shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id})


def test_no_partition_is_reached_by_its_own_name(db: Session, alice: Person, carol: Person) -> None:
    partitions = db.as_owner().column(PARTITIONS)
    assert len(partitions) > 3
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        for partition in partitions:
            with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
                db.rows(f"select * from {partition}")


@pytest.mark.usefixtures("logs")
def test_a_grant_on_a_partition_opens_nothing(db: Session, alice: Person) -> None:
    db.as_owner().run("grant usage on schema private to authenticated")
    for partition in db.column(PARTITIONS):
        db.as_owner().run(f"grant all on {partition} to authenticated")
        assert db.as_user(alice).rows(f"select * from {partition}") == []


def test_rows_lie_in_the_partition_of_their_month(db: Session, logs: dict[str, Any]) -> None:
    where = "select tableoid::regclass::text from public.api_usage_logs where id = %s"
    month = db.as_owner().value("select to_char(now() at time zone 'utc', 'YYYY_MM')")
    assert db.value(where, [logs["alice"]]) == f"private.api_usage_logs_{month}"
    assert db.value(where, [logs["long ago"]]) == "private.api_usage_logs_default"


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("style", ["ISO", "SQL, DMY", "German"])  # which write India's time as that of Israel
def test_months_are_cut_in_utc_whatever_the_session_says_of_time(db: Session, zone: str, style: str) -> None:
    db.as_owner().run(f"set local timezone = '{zone}'; set local datestyle = '{style}'")
    db.run("select private.ensure_api_usage_months('2031-02-15', 2)")
    db.run("set local timezone = 'UTC'; set local datestyle = 'ISO'")
    bounds = db.column(
        "select pg_get_expr(relpartbound, oid) from pg_class "
        "where relname in ('api_usage_logs_2031_02', 'api_usage_logs_2031_03') order by relname"
    )
    assert bounds == [
        "FOR VALUES FROM ('2031-02-01 00:00:00+00') TO ('2031-03-01 00:00:00+00')",
        "FOR VALUES FROM ('2031-03-01 00:00:00+00') TO ('2031-04-01 00:00:00+00')",
    ]


def test_a_new_month_takes_its_rows_out_of_the_default_partition(db: Session, alice: Person) -> None:
    log = db.add(TABLE, user_id=alice.id, created_at="2031-02-10")
    assert db.truth("select private.ensure_api_usage_months('2031-02-01', 1)") == 1
    assert db.truth("select tableoid::regclass::text from public.api_usage_logs where id = %s", [log]) == (
        "private.api_usage_logs_2031_02"
    )
    assert db.truth("select private.ensure_api_usage_months('2031-02-01', 1)") == 0
