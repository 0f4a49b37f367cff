"""Timestamped migrations, proved: nothing to do on a new installation, there and back and there again on an old one."""

from pathlib import Path

from forge_db import drift, migrations
from harness import psql
from harness.databases import Database

BASE = ("000", "001")


def later(folder: Path) -> list[Path]:
    """The migrations after 000 and 001, in their order."""
    return [it.path for it in migrations.local(folder) if it.version not in BASE]


def shape(database: Database) -> str:
    return psql.dump(database, "--schema-only")


def same(one: Database, other: Database) -> list[str]:
    """What differs between the definitions of two databases."""
    with one.connect() as first, other.connect() as second:
        return list(drift.differences(drift.read(first), drift.read(second)))


def run(database: Database, paths: list[Path]) -> None:
    """Each file as the documents say, whatever the record of migrations holds."""
    assert "ERROR" not in (said := psql.files(database, paths)), said


def prove(new: Database, old: Database, folder: Path, rollback: Path) -> None:
    """`new` has 000 and 001 of the schema files as they are now; `old` is an installation that lacks the changes."""
    files = later(folder)
    back = [rollback / path.name for path in reversed(files)]
    assert [path for path in back if not path.exists()] == [], "a migration without its way back"

    before = shape(new)
    migrations.apply(new.url(), folder)
    assert shape(new) == before, "on a new installation there is nothing to do"

    before = shape(old)
    assert [it.path for it in migrations.apply(old.url(), folder)] == files
    assert same(new, old) == [], "an old installation becomes what the schema files say"
    after = shape(old)
    run(old, files)
    assert shape(old) == after, "a second run changes nothing"
    for _ in range(2):
        run(old, back)
        assert shape(old) == before, "back as it was"
    waiting = migrations.pending(migrations.local(folder), recorded(old))
    assert [it.path for it in waiting] == files, "off the record"
    migrations.apply(old.url(), folder)
    assert same(new, old) == []


def recorded(database: Database) -> list[str]:
    with database.connect() as owner:
        return migrations.recorded(owner)
