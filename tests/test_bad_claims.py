"""Tokens that are missing, empty, malformed or foreign open nothing, and are answered, not stumbled over."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from harness.databases import Database
from harness.examples import EXAMPLES, example
from harness.people import Person
from harness.session import Session
from harness.world import populate

pytestmark = pytest.mark.access

ROLES = ("anon", "authenticated", "app_admin")
CLAIMS = {
    "missing": "",
    "empty": "{}",
    "role only": '{"role": "%(role)s"}',
    "another role": '{"role": "service_role"}',
    "null sub": '{"role": "%(role)s", "sub": null}',
    "empty sub": '{"role": "%(role)s", "sub": ""}',
    "sub that is no uuid": '{"role": "%(role)s", "sub": "alice"}',
    "sub that is an object": '{"role": "%(role)s", "sub": {"id": 1}}',
    "sub that is SQL": '{"role": "%(role)s", "sub": "\' or true --"}',
    "unknown user": '{"role": "%(role)s", "sub": "%(unknown)s"}',
    "user_metadata of an administrator": (
        '{"role": "%(role)s", "sub": "%(unknown)s", "user_metadata": {"role": "app_admin", "is_admin": true}}'
    ),
    "no JSON": "{not json",
    "array": "[1]",
    "number": "7",
    "text": '"text"',
    "null": "null",
}

# What PostgREST answers with 5xx: https://docs.postgrest.org/en/stable/references/errors.html
SERVER_ERRORS = ("08", "09", "25", "2D", "38", "39", "3B", "40", "53", "54", "55", "57", "58", "F0", "HV", "P0", "XX")

FUNCTIONS = """
    select format('select * from %s(%s)', oid::regproc,
        (select string_agg('null::' || argument::regtype, ', ') from unnest(proargtypes) as argument))
    from pg_proc
    where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype
"""

every_role = pytest.mark.parametrize("role", ROLES)


@pytest.fixture
def public(db: Session, alice: Person) -> dict[str, set[Any]]:
    """Rows of Alice's in every table, and which of them anybody may see."""
    populate(db, alice)
    return {table: readable(db.as_visitor(), table) for table in EXAMPLES}


def speakers(db: Session, role: str) -> Iterator[str]:
    """Speak with each of the tokens in turn."""
    for name, claims in CLAIMS.items():
        db.as_token(role, claims % {"role": role, "unknown": uuid4()})
        yield name


def readable(db: Session, table: str) -> set[Any]:
    try:
        with db.undone():
            return set(db.column(f"select id from public.{table}"))
    except (errors.InsufficientPrivilege, errors.InvalidTextRepresentation):
        return set()


def hit(db: Session, statement: str, parameters: list[Any] | None = None) -> int:
    """How many rows a write hits; a clear refusal hits none."""
    try:
        with db.undone():
            return db.run(statement, parameters)
    except psycopg.Error as error:
        if str(error.sqlstate).startswith(SERVER_ERRORS):
            raise
        return 0


@every_role
def test_it_shows_nothing_that_is_not_public(db: Session, role: str, public: dict[str, set[Any]]) -> None:
    shown = {name: {it for it in public if readable(db, it) - public[it]} for name in speakers(db, role)}
    assert {name: tables for name, tables in shown.items() if tables} == {}


def writes(db: Session, table: str) -> Iterator[str]:
    row = example(table)
    names, values = ", ".join(row) or "id", ", ".join(["%s"] * len(row)) or "default"
    attempts = {
        "delete": (f"delete from public.{table}", None),
        "update": (f"update public.{table} set updated_at = now()", None),
        "insert": (f"insert into public.{table} ({names}) values ({values})", list(row.values())),
    }
    return (f"{command} {table}" for command, attempt in attempts.items() if hit(db, *attempt))


@every_role
@pytest.mark.usefixtures("public")
def test_it_changes_nothing(db: Session, role: str) -> None:
    # Anybody who is nobody may tell us something.
    allowed = {"insert feedback"} if role == "anon" else set()
    changed = {name: {it for table in EXAMPLES for it in writes(db, table)} - allowed for name in speakers(db, role)}
    assert {name: commands for name, commands in changed.items() if commands} == {}


@every_role
@pytest.mark.usefixtures("public")
def test_every_function_answers_or_refuses(db: Session, role: str) -> None:
    calls = db.column(FUNCTIONS)
    assert len(calls) >= 5
    for _ in speakers(db, role):
        for call in calls:
            hit(db, call)


@every_role
def test_a_connection_that_never_had_a_token_shows_nothing(scratch: Database, role: str) -> None:
    """A new session has the setting unset, which is not the same as empty."""
    with scratch.connect("authenticator") as session:
        session.execute("select set_config('role', %s, true)", [role])
        assert session.execute("select auth.uid()").fetchone() == (None,)
        for table in ("feedback", "user_profiles", "audit_log"):
            try:
                with session.transaction():
                    assert session.execute(f"select * from public.{table}").fetchall() == []
            except errors.InsufficientPrivilege:
                continue


def test_a_claim_of_being_staff_makes_nobody_staff(db: Session, alice: Person, bob: Person) -> None:
    ids = populate(db, bob)
    db.as_user(alice, user_metadata={"role": "app_admin"}, app_metadata={"role": "app_admin"}, user_role="app_admin")
    assert db.value("select public.is_admin()") is False
    assert ids["feedback"] not in db.column("select id from public.feedback")


def test_staff_are_staff(db: Session, carol: Person) -> None:
    assert db.as_staff(carol).value("select public.is_admin()") is True
