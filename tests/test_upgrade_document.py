"""docs/upgrade.md does what it says: its commands are taken from it, word for word, and run in a shell."""

import re

import pytest

from forge_db.paths import ROOT, UPGRADE
from harness import legacy, psql
from harness.databases import Database
from harness.shell import sh

pytestmark = pytest.mark.one_platform
TEXT = (ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_both_ways_there_both_ways_back_and_the_end(empty_database: Database, scratch: Database) -> None:
    with_command, with_psql, undo, undo_with_psql, clean_up = BLOCKS
    legacy.install(empty_database, "C")
    before = psql.dump(empty_database)
    assert sh(empty_database, with_command).endswith("every row is accounted for\n")
    assert "the legacy installation is back" in sh(empty_database, undo)
    assert psql.dump(empty_database) == before
    assert re.search(r"prompt_history +\| +408 \| +407 \|", sh(empty_database, with_psql))
    assert "the legacy installation is back" in sh(empty_database, undo_with_psql)
    assert psql.dump(empty_database) == before
    sh(empty_database, with_psql)
    assert "2 applied" in sh(empty_database, 'forge-db apply --database-url "$DATABASE_URL"')
    assert "FAIL" not in sh(empty_database, clean_up)
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")


def test_files_and_columns_that_it_names_are_there() -> None:
    for path in re.findall(r"`?(supabase/[\w./]+\.sql)", TEXT):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"\]\((?!#)([\w./-]+)\)", TEXT):
        assert (ROOT / "docs" / name).exists(), name
    mapped = (UPGRADE / "02_map.sql").read_text(encoding="utf-8")
    for column in re.findall(r"^\| (?:\w+)\.(\w+)", TEXT, re.MULTILINE):
        assert column in mapped, column
