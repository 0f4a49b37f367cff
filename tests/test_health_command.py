"""`forge-db health`: the three checks as a table for people, as JSON for programs, and an exit code for cron."""

import json
import re

import click
import pytest
from click.testing import CliRunner, Result

from forge_db import health, paths
from forge_db.cli import main
from harness.checks import NAMES
from harness.databases import Database
from harness.session import Session

HEADING = re.compile(r"^### (\S+)$", re.MULTILINE)


def run(database: Database, *arguments: str, user: str = "postgres") -> Result:
    wide = {"COLUMNS": "160"}
    return CliRunner().invoke(main, ["health", *arguments, "--database-url", database.url(user)], env=wide)


def change(database: Database, statement: str) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute(statement)


@pytest.mark.one_platform
def test_it_prints_every_check_the_worst_first_and_what_to_do(scratch: Database) -> None:
    change(scratch, "insert into private.secrets (name, secret) values ('maintenance_dsn', 'x')")
    result = run(scratch)
    assert (result.exit_code, result.stderr) == (0, ""), "a warning is no failure"
    change(scratch, "alter table public.feedback disable row level security")
    result = run(scratch)
    assert (result.exit_code, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "critical  row_security             Found 1: tables without row level security: public.feedback."
    assert lines[1].strip() == "alter table public.feedback enable row level security;"
    statuses = [line.split()[0] for line in lines if re.match("(critical|warning|ok) ", line)]
    assert statuses == sorted(statuses, key=["critical", "warning", "ok"].index)
    with scratch.connect() as owner:
        names = [name for kind in ("health", "integrity", "security") for (name,) in owner.execute(NAMES, [kind])]
    assert len(statuses) == len(names)
    for name in names:
        assert re.search(rf"^(critical|warning|ok) +{name} ", result.stdout, re.MULTILINE), name
    assert re.fullmatch(r"1 critical, [1-9]\d* warning, \d+ ok", lines[-1])


@pytest.mark.one_platform
def test_json_is_what_the_functions_answer(scratch: Database) -> None:
    change(scratch, "alter table public.feedback disable row level security")
    result = run(scratch, "--json")
    assert result.exit_code == 1
    answers = json.loads(result.stdout)
    assert list(answers) == ["health_check", "integrity_check", "security_audit"]
    assert answers["security_audit"]["status"] == "critical"
    assert answers["security_audit"]["checks"][0]["name"] == "row_security"


def test_every_check_has_an_entry_in_the_operators_page(db: Session) -> None:
    page = (paths.ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = [name for kind in ("health", "integrity", "security") for name in db.as_owner().column(NAMES, [kind])]
    assert sorted(HEADING.findall(page)) == sorted(names)
    for reader in re.findall(r"get_\w+", page):
        assert db.value("select count(*) from pg_proc where proname = %s", [reader]) > 0, reader


@pytest.mark.one_platform
def test_a_database_without_the_functions_is_told_what_to_do(empty_database: Database) -> None:
    result = run(empty_database)
    assert result.exit_code == 1
    assert result.stderr == "Error: this database has no health_check()\nHint: Apply the migrations: forge-db apply\n"


@pytest.mark.one_platform
def test_whoever_may_not_ask_is_told_so(scratch: Database) -> None:
    result = run(scratch, user="authenticator")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: permission denied for function health_check")


def test_a_url_that_leads_nowhere_is_one_line() -> None:
    result = CliRunner().invoke(main, ["health", "--database-url", "postgresql://x:secret@127.0.0.1:1/x"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot connect")
    assert "secret" not in result.stderr


def test_long_details_are_folded_and_commands_are_not() -> None:
    check = {"status": "warning", "name": "x", "detail": "word " * 30, "threshold": 5, "hint": "do " * 60, "value": 6}
    lines = [click.unstyle(line) for line in health.table([check], 80)]
    assert all(len(line) <= 80 for line in lines if "do do" not in line)
    assert "(limit 5)" in "\n".join(lines)
    assert sum("do do" in line for line in lines) == 1
