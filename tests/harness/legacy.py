"""Legacy installations as they are found: three shapes, with data in which every oddity occurs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from forge_db.paths import ROOT
from harness import databases
from harness.databases import Database

FOLDER = ROOT / "tests" / "legacy"
# A: a trigger refuses every prompt. B: the table made anew without it. C: the trigger again, over rows.
SHAPES: dict[str, Sequence[str]] = {
    "A": ("tables", "people"),
    "B": ("tables", "people", "history_fixed", "history"),
    "C": ("tables", "people", "history_fixed", "history", "trigger_again"),
}
TABLES = ("api_configurations", "feedback", "profiles", "prompt_history", "user_preferences")
VERSIONS = (
    "20250101000000",
    "20250101000001",
    "20250101000002",
    "20250101000003",
    "20250824183127",
    "20250824183209",
    "20250824183243",
    "20250824183244",
)
ADA, BOB, ANONYMOUS, PHONE, EVE, NO_PROFILE, LONG = (UUID(f"00000000-0000-4000-a000-{it:012}") for it in range(1, 8))


def install(database: Database, shape: str) -> None:
    """Run the files of a shape, as the owner of the database."""
    with database.connect() as owner:
        for name in SHAPES[shape]:
            owner.execute((FOLDER / f"{name}.sql").read_bytes())


def record(database: Database, versions: Sequence[str]) -> None:
    """Write versions into the record of migrations, as the tool of that time did."""
    with database.connect() as owner:
        owner.execute("create schema supabase_migrations")
        owner.execute(
            "create table supabase_migrations.schema_migrations "
            "(version text primary key, statements text[], name text, created_by text)"
        )
        for version in versions:
            owner.execute(
                "insert into supabase_migrations.schema_migrations values (%s, array['select 1'], %s, 'somebody')",
                [version, f"name of {version}"],
            )


def migrations(folder: Path) -> Path:
    """000 and 001 as built from the schema files as they are now."""
    for name, text in databases.built_migrations().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def rows(database: Database, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with database.connect() as owner:
        return owner.execute(query, parameters or None).fetchall()


def parked(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from legacy.{table}").fetchone()
    assert row is not None
    return int(row[0])
