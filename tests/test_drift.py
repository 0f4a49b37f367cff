"""`forge-db drift`: silent about what is as the schema files say, exact about what is not."""

import psycopg
import pytest
from click.testing import CliRunner, Result

from forge_db import drift
from forge_db.cli import main
from harness.databases import Database
from harness.session import Session
from test_cleanup import TAMPERED


def run(database: Database) -> Result:
    return CliRunner().invoke(main, ["drift", "--database-url", database.url()])


def test_the_command_finds_nothing_and_then_what_was_done(scratch: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = drift.wanted()
    monkeypatch.setattr(drift, "wanted", lambda: wanted)
    clean = run(scratch)
    assert (clean.exit_code, clean.output) == (0, "the database is what the schema files say\n")
    with scratch.connect() as owner:
        owner.execute("create table public.stray (id integer primary key)")
        owner.execute("insert into public.feedback_categories (name, description) values ('mine', 'Ours alone.')")
        owner.execute("alter table public.user_preferences drop constraint user_preferences_theme_is_known")
    found = run(scratch)
    assert found.exit_code == 1
    assert [line for line in found.stdout.splitlines() if not line.startswith(" ")] == [
        "extra    columns public.stray",
        "extra    constraints public.stray",
        "differs  constraints public.user_preferences",
        "extra    grants public.stray",
        "extra    index public.stray_pkey",
        "extra    keeping public.stray",
        "extra    policies public.stray",
    ]
    assert "    -user_preferences_theme_is_known CHECK" in found.stdout
    assert "7 objects differ from the schema files" in found.stderr


@pytest.mark.one_platform
def test_whatever_is_tampered_with_is_named(db: Session, connection: psycopg.Connection) -> None:
    before = drift.read(connection)
    assert list(drift.differences(before, drift.read(connection))) == []
    for statement, expected in TAMPERED.values():
        with db.undone():
            db.as_owner().execute(statement)
            with db.aside():
                connection.execute("reset role")
                said = list(drift.differences(before, drift.read(connection)))
            assert any(expected in line for line in said), (statement, said)


FUNCTION = "create function public.look() returns event_trigger language plpgsql as 'begin end';"
# What only a superuser, or the platform, can do to it.
PLANTED = {
    "statistics": (
        "alter table public.prompt_history alter column user_input set statistics 100",
        "differs  columns public.prompt_history",
    ),
    "statistics of more than a column": (
        "create statistics public.both on user_id, status from public.prompt_history",
        "extra    statistics public.prompt_history: both",
    ),
    "a collation": (
        'alter table public.feedback alter column message type text collate "C"',
        "differs  columns public.feedback",
    ),
    "storage parameters": (
        "alter table private.rate_limits set (autovacuum_enabled = off)",
        "differs  keeping private.rate_limits",
    ),
    "an owner": ("alter table public.feedback owner to supabase_admin", "differs  keeping public.feedback"),
    "an owner of a function": (
        "alter function public.is_admin() owner to supabase_admin",
        "differs  function public.is_admin()",
    ),
    "a leak": ("alter function public.is_admin() leakproof", "differs  function public.is_admin()"),
    "a cause that is gone": (
        "create rule quiet as on delete to public.feedback do instead nothing",
        "extra    rule public.feedback: quiet",
    ),
    "an event trigger": (
        FUNCTION + "create event trigger look on ddl_command_end execute function public.look()",
        "extra    event trigger look",
    ),
    "a publication": (
        "create publication outside for table public.feedback",
        "extra    publication outside of public.feedback",
    ),
    "a publication of everything": (
        "create publication outside for all tables",
        "extra    publication outside of private.secrets",
    ),
    "default privileges": (
        "alter default privileges for role postgres in schema private grant select on tables to anon",
        "extra    default privileges private: r",
    ),
    "a role without policies": ("alter role authenticated bypassrls", "differs  role authenticated"),
    "a role that makes roles": ("alter role anon createrole", "differs  role anon"),
    "a role of everything": ("alter role anon superuser", "differs  role anon"),
    "a role that copies": ("alter role anon replication", "differs  role anon"),
    "a role that makes databases": ("alter role anon createdb", "differs  role anon"),
    "a role in another": ("grant pg_read_all_data to app_admin", "differs  role app_admin"),
    "a setting of a role": ("alter role anon set search_path = 'x'", "differs  role anon"),
}


@pytest.mark.one_platform
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_whatever_is_planted_is_named(connection: psycopg.Connection, planted: tuple[str, str]) -> None:
    statement, expected = planted
    before = drift.read(connection)
    with connection.transaction(force_rollback=True):
        connection.execute(statement.encode())
        assert expected in list(drift.differences(before, drift.read(connection)))
    assert list(drift.differences(before, drift.read(connection))) == []


@pytest.mark.one_platform
def test_how_long_a_statement_may_take_is_no_drift(connection: psycopg.Connection) -> None:
    before = drift.read(connection)
    with connection.transaction(force_rollback=True):
        connection.execute("alter role anon set statement_timeout = '3s'")
        assert list(drift.differences(before, drift.read(connection))) == []


@pytest.mark.one_platform
def test_a_database_of_another_kind_is_not_compared(empty_database: Database) -> None:
    refused = run(empty_database)
    assert refused.exit_code == 1
    assert "does not hold the PromptCraft Forge schema" in refused.stderr
    assert "forge-db upgrade" in refused.stderr
