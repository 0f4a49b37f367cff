"""Deleting an account removes or anonymises everything of the person, staff included, and nothing of anybody else."""

import pytest

from harness.people import Person, delete_account
from harness.session import Session
from harness.world import account_columns, populate

TABLES = """
    select oid::regclass::text from pg_class
    where relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and relkind in ('r', 'p', 'm') and not relispartition
"""


@pytest.fixture(params=["alice", "carol"], ids=["user", "staff"])
def person(request: pytest.FixtureRequest) -> Person:
    found: Person = request.getfixturevalue(request.param)
    return found


def traces(db: Session, person: Person) -> dict[str, int]:
    """Where the account's id or address stands, in any column of any table."""
    assert person.email is not None
    db.as_owner()
    found = {
        table: db.value(
            f"select count(*) from {table} as row where strpos(row::text, %s) > 0 or strpos(row::text, %s) > 0",
            [str(person.id), person.email],
        )
        for table in db.column(TABLES)
    }
    return {table: count for table, count in found.items() if count}


def test_nothing_is_left_that_points_to_the_person(db: Session, person: Person) -> None:
    populate(db, person)
    db.add("feedback", user_id=person.id, contact_email=person.email)
    assert set(traces(db, person)) >= {table for table, _ in account_columns(db)}, (
        "a table without a row proves nothing"
    )
    delete_account(db, person)
    assert db.truth("select count(*) from auth.users where id = %s", [person.id]) == 0
    assert traces(db, person) == {}


def test_nothing_is_lost_that_is_anybody_elses(db: Session, person: Person, bob: Person) -> None:
    populate(db, bob)
    populate(db, person)
    before = traces(db, bob)
    delete_account(db, person)
    assert traces(db, bob) == before


def test_what_is_kept_is_kept_without_a_name(db: Session, person: Person) -> None:
    ids = populate(db, person)
    delete_account(db, person)
    kept = ("feedback", "audit_log", "security_events")
    assert [db.truth(f"select count(*) from public.{table} where id = %s", [ids[table]]) for table in kept] == [1, 1, 1]


def test_an_account_is_deleted_by_the_server_and_by_the_owner_as_well(db: Session, alice: Person, bob: Person) -> None:
    populate(db, alice)
    db.as_owner().run("delete from auth.users where id = %s", [alice.id])
    assert traces(db, alice) == {}
    assert traces(db, bob)
