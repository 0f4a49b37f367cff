"""The three checks as a table: is the database well, does its data agree with itself, is every lock in place?"""

import json
import shutil
import textwrap
from typing import Any

import click
import psycopg

from forge_db import local, migrations
from forge_db.errors import NEWLINE, ForgeError, visible

CHECKS = ("health_check", "integrity_check", "security_audit")
# Worst first.
STATUSES = {"critical": "red", "warning": "yellow", "ok": "green"}
EXISTS = "select to_regprocedure('public.health_check()') is not null"
# Every row of most tables is read, and that takes as long as it takes.
PATIENCE = "select set_config('statement_timeout', '0', false)"

Row = dict[str, Any]


@click.command("health")
@click.option("--json", "as_json", is_flag=True, help="Print what the three functions answer, for a program.")
@click.option("--database-url", envvar="FORGE_DATABASE_URL", metavar="URL", help="Default: the local database.")
def command(as_json: bool, database_url: str | None) -> None:
    """Check the database's health, the integrity of its data, and its security. Exit code 1 if anything is critical.

    Writes nothing, and can be asked of a read replica. What to do about each finding: docs/operations.md.

    \b
    Examples:
      forge-db health
      forge-db health --json | jq '.security_audit.checks[] | select(.status != "ok")'
      forge-db health --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
    """
    with migrations.connect(database_url or local.url()) as connection:
        answers = ask(connection)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    else:
        width = min(max(shutil.get_terminal_size().columns, 60), 160)
        click.echo("\n".join(table(rows(answers), width)))
    if any(answer["status"] == "critical" for answer in answers.values()):
        click.get_current_context().exit(1)


commands: list[click.Command] = [command]


def ask(connection: psycopg.Connection) -> dict[str, Row]:
    """What each function answers."""
    if connection.execute(EXISTS).fetchone() != (True,):
        raise ForgeError("this database has no health_check()", "Apply the migrations: forge-db apply")
    connection.execute(PATIENCE)
    answers: dict[str, Row] = {}
    for name in CHECKS:
        row = connection.execute(f"select public.{name}()").fetchone()
        assert row is not None
        answers[name] = row[0]
    return answers


def rows(answers: dict[str, Row]) -> list[Row]:
    """Every check, the worst first."""
    found = [{"function": name, **check} for name, answer in answers.items() for check in answer["checks"]]
    return sorted(found, key=lambda check: list(STATUSES).index(check["status"]))


def table(checks: list[Row], width: int) -> list[str]:
    """A line for each check, what it found beside it; and for a finding the command that comes next."""
    words = max(len(status) for status in STATUSES)
    names = max((len(check["name"]) for check in checks), default=0)
    left = words + names + 4
    lines = []
    for check in checks:
        status = click.style(check["status"].ljust(words), fg=STATUSES[check["status"]])
        told = textwrap.wrap(visible(check["detail"] + figures(check), but=NEWLINE), max(width - left, 30)) or [""]
        lines.append(f"{status}  {check['name'].ljust(names)}  {told[0]}".rstrip())
        lines += [" " * left + line for line in told[1:]]
        if check["hint"]:
            # Not wrapped: it is there to be copied.
            lines.append(" " * left + click.style(visible(check["hint"]), bold=True))
    counts = {status: sum(check["status"] == status for check in checks) for status in STATUSES}
    lines += ["", ", ".join(f"{count} {status}" for status, count in counts.items())]
    return lines


def figures(check: Row) -> str:
    """The limit, where a finding has one to compare with."""
    if check["status"] == "ok" or not check["threshold"]:
        return ""
    return f" (limit {check['threshold']})"
