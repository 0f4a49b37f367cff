"""The command diff: the migration, and the way back, from what was changed in the schema files.

The Supabase CLI compares two databases, one as it was and one as it is to be. What it writes runs once, on a database
that has all of the one and none of the other; here it is made to run anywhere any number of times, and tried.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import psycopg

from forge_db import assemble, drift, new
from forge_db.errors import ForgeError
from forge_db.paths import ROOT
from forge_db.platform import Regime
from forge_db.shadow import Shadow, shadow
from forge_db.statements import split

ENGINE = ROOT / "node_modules" / ".bin" / "supabase"
SCHEMAS = "public,private,archive"
WORD = r'"?\w+"?'
# Each makes a statement of the engine repeatable.
REPEATABLE = [
    (r"^CREATE (TABLE|(?:UNIQUE )?INDEX|SCHEMA|SEQUENCE|EXTENSION|MATERIALIZED VIEW) ", r"CREATE \1 IF NOT EXISTS "),
    (r"^CREATE (VIEW|TRIGGER|FUNCTION|PROCEDURE|AGGREGATE) ", r"CREATE OR REPLACE \1 "),
    (r"^DROP ([A-Z][A-Z ]*[A-Z]) (?=\S)", r"DROP \1 IF EXISTS "),
    (r"^ALTER TABLE ", "ALTER TABLE IF EXISTS "),
    (r"(?<=\n)  ADD COLUMN ", "  ADD COLUMN IF NOT EXISTS "),
    (r"(?<=\n)  DROP (COLUMN|CONSTRAINT) ", r"  DROP \1 IF EXISTS "),
    # What PostgreSQL calls a column that nobody has named.
    (r"\( ?SELECT (auth\.\w+\(\)) AS \w+\)", r"(SELECT \1)"),
    # Came with PostgreSQL 17.
    (r"(GRANT|REVOKE) (.*?)\bMAINTAIN, (?=.* ON )", r"\1 \2"),
]
# A list of varchar as PostgreSQL shows it, which it reads back as something else.
VARCHAR = "::character varying"
LIST = re.compile(rf"\(\((\w+)\)::text = ANY \(\(ARRAY\[((?:'[^']*'{VARCHAR}(?:, )?)+)\]\)::text\[\]\)\)")
# Mostly what somebody wrote, and repeatable as it is.
VERBATIM = re.compile(r"CREATE OR REPLACE (FUNCTION|PROCEDURE) |COMMENT ON ")
POLICY = re.compile(rf'CREATE POLICY ("(?:[^"]|"")+") ON ({WORD}\.{WORD})')
CONSTRAINT = re.compile(rf"ALTER TABLE ({WORD}\.({WORD}))\s+ADD CONSTRAINT ({WORD})\s+(CHECK|FOREIGN KEY)?")


class Sql(NamedTuple):
    """What the engine wrote, made repeatable, and the constraints that are still to be validated."""

    statements: list[str]
    unread: list[dict[str, str]]


def engine() -> str:
    program = Path(os.environ.get("SUPABASE_CLI") or ENGINE)
    if not program.exists():
        raise ForgeError(
            f"the Supabase CLI, which compares the schemas, is not at {program}",
            "Run `make install-supabase-cli`, or set SUPABASE_CLI to its path.",
        )
    return str(program)


def compare(before: str, after: str) -> str:
    """The SQL that makes one database like the other; empty if they are equal."""
    done = subprocess.run(
        [engine(), "db", "diff", "--from", before, "--to", after, "--schema", SCHEMAS],
        cwd=ROOT,
        env=os.environ | {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise ForgeError(f"the Supabase CLI could not compare: {(done.stderr or done.stdout).strip()[-500:]}")
    # What it says about its connections comes before the SQL.
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("│", "▲")))


def repeatable(sql: str, *, unread: bool) -> Sql:
    """The same statements, which change nothing where that has been done. `unread`: leave old rows to a later file."""
    statements: list[str] = []
    lists: list[dict[str, str]] = []
    for statement in split(sql):
        text = statement.code
        if not text or re.search(r'^(GRANT|REVOKE) .* (TO|FROM) "postgres"$', text):
            continue  # the owner has it all
        if policy := POLICY.match(text):
            statements.append(f"DROP POLICY IF EXISTS {policy[1]} ON {policy[2]}")
        if rule := CONSTRAINT.match(text):
            statements.append(f"ALTER TABLE IF EXISTS {rule[1]} DROP CONSTRAINT IF EXISTS {rule[3]}")
            if rule[4] and unread and not re.search(rf"CREATE TABLE {re.escape(rule[1])} ", sql):
                text += " NOT VALID"
                lists.append({"table": rule[1].replace('"', ""), "name": rule[3].strip('"')})
        if not VERBATIM.match(text):
            for pattern, repeatable in REPEATABLE:
                text = re.sub(pattern, repeatable, text)
            text = LIST.sub(lambda found: f"({found[1]} IN ({found[2].replace(VARCHAR, '')}))", text)
        statements.append(text)
    return Sql(statements, lists)


def released(project: new.Project, ref: str) -> dict[str, str]:
    """The migrations of a commit, and with them those that were written since."""
    listed = _git(project, "ls-tree", "-z", "--name-only", ref, "supabase/migrations/").split("\0")
    files = {Path(path).name: _git(project, "show", f"{ref}:{path}") for path in listed if path.endswith(".sql")}
    if not set(assemble.PLAN) <= files.keys():
        raise ForgeError(f"{ref} holds no migrations 000 and 001", "Name a commit that does: --since.")
    return _later(project) | files


def _later(project: new.Project) -> dict[str, str]:
    paths = [path for path in project.migrations.glob("*.sql") if path.name not in assemble.PLAN]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _git(project: new.Project, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=project.root, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise ForgeError("git is not installed", "forge-db diff asks it how the schema was before.") from error
    except subprocess.CalledProcessError as error:
        raise ForgeError(f"git {arguments[0]}: {error.stderr.decode().strip()}", "Check --since.") from error
    return done.stdout.decode()


def write(change: new.Change, before: dict[str, str], after: dict[str, str], server: Shadow) -> list[Path]:
    """Compare, and add the files to the change."""
    # Where every privilege is handed out by default, what is to be taken back shows.
    old, current = server.build(before, regime="auto"), server.build(after, regime="auto")
    forward = repeatable(compare(old, current), unread=True)
    if not forward.statements:
        raise ForgeError(
            "the schema files say what the migrations say; there is nothing to write",
            "Rows of 08_initial_data.sql are not compared. Name an earlier commit with --since.",
        )
    back = repeatable(compare(current, old), unread=False)
    facts: dict[str, Any] = {"statements": forward.statements, "statements_back": back.statements}
    what = f"{change.title.replace('_', ' ')}."
    first = change.migration("diff", what, **facts)
    if forward.unread:
        change.migration("validate", what, suffix="_validated", test=False, first=first, lists=forward.unread)
    return list(change.write())


def put_in_style(paths: list[Path]) -> str:
    """The style of the project's SQL, by its linter; what that cannot do by itself."""
    if not (targets := [str(path) for path in paths if path.suffix == ".sql"]):
        return ""
    linter = [sys.executable, "-m", "sqlfluff"]
    options = ["--config", str(ROOT / ".sqlfluff"), "--disable-progress-bar"]
    # From a folder without a .sqlfluffignore, for the checkout may be anywhere.
    place: dict[str, Any] = {"cwd": paths[0].anchor, "capture_output": True, "text": True, "check": False}
    subprocess.run([*linter, "fix", "--quiet", *options, *targets], **place)
    left = subprocess.run([*linter, "lint", "--nocolor", *options, *targets], **place)
    return (left.stdout or left.stderr).strip() if left.returncode else ""


def trials(change: new.Change, before: dict[str, str], after: dict[str, str], server: Shadow) -> Iterator[str]:
    """What goes wrong with the files that were written, on an installation as it was and on a new one."""
    forward = [path for path in change.files if path.parent == change.project.migrations]
    back = [path for path in reversed(change.files) if path.parent == change.project.rollback]
    regimes: tuple[Regime, ...] = ("explicit", "auto")
    for regime in regimes:
        old, current = server.build(before, regime=regime), server.build(after, regime=regime)
        was, wanted = _definitions(old), _definitions(current)
        for url, paths, expected, say in (
            (old, forward, wanted, "an installation as it was does not become what the schema files say"),
            (old, forward, wanted, "a second run changes something"),
            (current, forward, wanted, "on a new installation it changes something"),
            (old, back, was, "the way back does not lead there"),
            (old, back, was, "the way back, taken twice, leads elsewhere"),
        ):
            try:
                _run(url, paths)
            except psycopg.Error as error:
                yield f"{say}: {str(error).splitlines()[0]}"
                return
            if lines := list(drift.differences(expected, _definitions(url))):
                yield "\n".join([f"{say}:", *lines])
                return


def _run(url: str, paths: list[Path]) -> None:
    for path in paths:
        with psycopg.connect(url) as connection:
            connection.execute(path.read_bytes())


def _definitions(url: str) -> drift.Definitions:
    with psycopg.connect(url) as connection:
        return drift.read(connection)


@click.command("diff")
@click.argument("title", metavar="NAME")
@click.option("--since", default="HEAD", show_default=True, metavar="COMMIT", help="How installations are now.")
@click.option("--root", type=click.Path(path_type=Path, exists=True), default=ROOT, help="The checkout.")
def command(title: str, since: str, root: Path) -> None:
    """Write a migration from what was changed in supabase/schema.

    Compares the schema files with the migrations of a commit, and with those written since, by the Supabase CLI's
    engine. Writes supabase/migrations/YYYYMMDDHHMMSS_NAME.sql, the same under supabase/rollback/, a test under
    tests/migrations/, and builds 000 and 001. Then tries it on an installation as it was and on a new one: there,
    again, and back. Rows are not compared: write what 08_initial_data.sql has gained into the migration yourself.

    \b
    Examples:
      forge-db diff feedback_mood
      forge-db diff feedback_mood --since v1.0
    """
    engine()
    change = new.Change(new.Project(root), title)
    before = released(change.project, since)
    after = _later(change.project) | assemble.build(change.project.schema)
    with shadow() as server:
        written = write(change, before, after, server)
        style = put_in_style([path for path in written if path in change.files])
        for path in written:
            click.echo(f"wrote {path.relative_to(root)}")
        if style:
            click.echo(f"The linter is not content, and cannot mend it:\n{style}")
        if problems := list(trials(change, before, after, server)):
            click.echo("\n".join(problems))
            raise ForgeError(
                "what was written does not do", "Mend it by hand: the files are there, and say above is what is wrong."
            )
    click.echo("tried on an installation as it was and on a new one: there, again, and back")
    click.echo("Read it, and say in its test what it is for.")


commands: list[click.Command] = [command]
