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


@pytest.mark.one_platform
def test_a_database_of_another_kind_is_not_compared(empty_database: Database) -> None:
    refused = run(empty_database)
    assert refused.exit_code == 1
    assert "does not hold the PromptCraft Forge schema" in refused.stderr
    assert "forge-db upgrade" in refused.stderr
