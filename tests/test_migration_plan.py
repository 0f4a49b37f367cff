"""The migration plan in docs/DATABASE_STRUCTURE.md does what it says: its steps are taken from it, word for word."""

import re
import textwrap
from pathlib import Path

import pytest

from forge_db.paths import ROOT
from harness import legacy, psql
from harness.databases import Database
from harness.shell import sh

pytestmark = pytest.mark.one_platform
TEXT = (ROOT / "docs" / "DATABASE_STRUCTURE.md").read_text(encoding="utf-8")


def steps(title: str) -> list[str]:
    """The commands under a heading of the plan, in their order."""
    plan = TEXT.partition("\n## Migration plan\n")[2].partition("\n## ")[0]
    section = plan.partition(f"\n### {title}\n")[2].partition("\n### ")[0]
    found = re.findall(r"^ *```(?:sh|sql)\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def test_a_new_installation(empty_database: Database, scratch: Database) -> None:
    in_a_shell, inside_psql = steps("New installations")
    said = sh(empty_database, in_a_shell)
    assert "PASS" in said
    assert "FAIL" not in said
    once = psql.dump(empty_database)
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")
    sh(empty_database, in_a_shell)
    assert psql.dump(empty_database) == once, "every file can be run any number of times"
    again = psql.run(empty_database, typed=inside_psql)
    assert "ERROR" not in again, again
    assert psql.dump(empty_database) == once


def test_a_new_installation_from_inside_psql(empty_database: Database, scratch: Database) -> None:
    _, inside_psql = steps("New installations")
    said = psql.run(empty_database, typed=inside_psql)
    assert "PASS" in said, said
    assert not re.search("FAIL|ERROR", said), said
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")


def test_an_existing_installation(empty_database: Database, scratch: Database, tmp_path: Path) -> None:
    back_up, bring_over, look, undo, clean_up = steps("Existing installations")
    legacy.install(empty_database, "C")
    before = psql.dump(empty_database)
    for refused in steps("New installations")[0].splitlines()[:1]:
        with pytest.raises(AssertionError, match="this database holds a legacy PromptCraft Forge installation"):
            sh(empty_database, refused)
    assert psql.dump(empty_database) == before, "it is recognised, and nothing is changed"

    sh(empty_database, back_up, BACKUP=str(tmp_path / "backup"))
    assert (tmp_path / "backup").stat().st_size > 0
    assert sh(empty_database, bring_over).endswith("every row is accounted for\n")
    assert sh(empty_database, look).endswith("every row is accounted for\n")
    assert "the legacy installation is back" in sh(empty_database, undo)
    assert psql.dump(empty_database) == before
    sh(empty_database, bring_over)
    assert "FAIL" not in sh(empty_database, clean_up)
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")
