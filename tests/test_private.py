"""The schema private: what lies there is out of reach, and shut a second time should a grant slip in."""

import pytest
from psycopg import errors

from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

pytestmark = pytest.mark.access

HIDDEN_TABLES = (
    "select oid::regclass::text from pg_class where relnamespace = 'private'::regnamespace and relkind in ('r', 'p')"
)
HIDDEN_FUNCTIONS = """
    select format('select %s(%s)', oid::regproc, rtrim(repeat('null, ', pronargs), ', '))
    from pg_proc where pronamespace = 'private'::regnamespace and prorettype <> 'trigger'::regtype
"""


def test_nobody_names_anything_in_private(db: Session, alice: Person, carol: Person) -> None:
    tables = [f"select * from {table}" for table in db.as_owner().column(HIDDEN_TABLES)]
    calls = db.column(HIDDEN_FUNCTIONS)
    assert len(tables) > 3
    assert len(calls) > 10
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        for statement in tables + calls:
            with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
                db.rows(statement)


def test_grants_that_slip_in_open_no_table(db: Session, alice: Person, carol: Person) -> None:
    db.as_owner().run("insert into private.secrets (name, secret) values ('app_encryption_key', 'x')")
    tables = db.column(HIDDEN_TABLES)
    roles = "anon, authenticated, app_admin"
    db.run(f"grant usage on schema private to {roles}; grant all on all tables in schema private to {roles}")
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        for table in tables:
            assert db.rows(f"select * from {table}") == []


@pytest.mark.parametrize("name", ["smtp_password", "app_encryption_keys", "APP_ENCRYPTION_KEY", ""])
def test_secrets_have_known_names(db: Session, name: str) -> None:
    db.as_owner()
    with db.refuses(errors.CheckViolation, constraint="secrets_name_is_known") as refusal:
        db.run("insert into private.secrets (name, secret) values (%s, 'swordfish')", [name])
    assert "swordfish" not in f"{refusal.value} {refusal.value.diag.message_detail}"


@pytest.mark.parametrize("secret", ["", "x" * 4097])
def test_secrets_have_content(db: Session, secret: str) -> None:
    db.as_owner()
    with db.refuses(errors.CheckViolation, constraint="secrets_secret_has_content") as refusal:
        db.run("insert into private.secrets (name, secret) values ('maintenance_dsn', %s)", [secret])
    assert refusal.value.diag.message_detail is None  # which shows the row
