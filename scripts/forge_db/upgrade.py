"""The command upgrade: a legacy installation becomes a new one. The work is done by the files in supabase/upgrade."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from forge_db import migrations, sealing
from forge_db.errors import ForgeError, from_database, is_servers_trouble, visible
from forge_db.migrations import Say
from forge_db.paths import MIGRATIONS, UPGRADE
from forge_db.statements import split

BEFORE, AFTER = ("01_park.sql",), ("02_map.sql", "03_bridge.sql")
COPY, REPORT, UNDO = "04_copy.sql", "05_report.sql", "undo.sql"
ATTEMPTS = 60
PAUSE = 1.0


def upgrade(url: str, say: Say, directory: Path = MIGRATIONS) -> None:
    """Park, install, bridge in one transaction; then copy. Whatever was interrupted goes on where it was."""
    with migrations.connect(url, say) as connection, migrations.alone(url, say):
        connection.execute("set statement_timeout = 0")
        if _value(connection, "select to_regclass('legacy.progress') is null"):
            with _explained(connection, "Nothing was changed: clients work on the old tables. Run this again."):
                _patiently(say, lambda: switch(connection, say, directory))
            say("switched: clients work on the new tables")
    migrations.apply(url, directory, say)  # what came after 000 and 001, and is no part of the switch
    switched = (
        "The switch is made: clients work on the new tables, and what was copied stays. Run this again, and it goes on "
        "from there; forge-db upgrade --undo goes back instead."
    )
    with (
        migrations.connect(url, say) as connection,
        migrations.alone(url, say),
        _explained(connection, switched),
    ):
        if sealing.have_encryption_key(connection):
            say("made an encryption key; `forge-db secret --help` says where it is")
        copy(connection, say)


@contextmanager
def _explained(connection: psycopg.Connection, state: str) -> Iterator[None]:
    """When the server fails, and not the data: in what state that leaves the database."""
    try:
        yield
    except (ForgeError, psycopg.Error) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        said = error if isinstance(error, ForgeError) else from_database(error)
        if not isinstance(cause, psycopg.Error) or not is_servers_trouble(cause):
            raise
        if connection.closed:
            state = "The connection broke. Run this again when the server answers: it finds how far it had come."
        raise ForgeError(said.message, " ".join(it for it in (said.hint, state) if it)) from cause


def copy(connection: psycopg.Connection, say: Say) -> None:
    """The parked rows into the new tables, batch by batch."""
    with _telling(connection, say):
        _run(connection, COPY)


def undo(url: str, say: Say, *, discard: bool) -> None:
    """The legacy installation back as it was."""
    with (
        migrations.connect(url, say) as connection,
        migrations.alone(url, say),
        _telling(connection, say),
    ):
        connection.execute("set statement_timeout = 0")
        connection.execute("select set_config('forge.discard', %s, false)", ["newer-rows" if discard else ""])
        _patiently(say, lambda: _run(connection, UNDO))


def report(url: str) -> list[list[dict[str, Any]]]:
    """What 05_report.sql finds: what became of every row, and why some were kept aside."""
    with migrations.connect(url) as connection:
        if _value(connection, "select to_regprocedure('legacy.report()') is null"):
            raise ForgeError("no upgrade has copied anything in this database", "Run: forge-db upgrade")
        with connection.cursor(row_factory=dict_row) as cursor:
            return [cursor.execute(statement).fetchall() for statement in _statements(REPORT)]


def switch(connection: psycopg.Connection, say: Say, directory: Path) -> None:
    """The old tables out of the way, the new ones and the bridge in their place, at once."""
    with connection.transaction():
        with _telling(connection, say):
            for name in BEFORE:
                _run(connection, name)
        found = migrations.local(directory)
        waiting = migrations.pending(found, migrations.recorded(connection))
        for migration in waiting:
            if migration.version in ("000", "001"):
                migrations.run_within(connection, migration)
                say(f"applied {migration.path.name}")
        for name in AFTER:
            _run(connection, name)


def _patiently(say: Say, work: Callable[[], None]) -> None:
    """Again and again while somebody uses the tables: nobody is made to wait behind us for long."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            work()
        except ForgeError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            if attempt == ATTEMPTS:
                raise ForgeError(
                    f"the tables were in use in each of {ATTEMPTS} attempts; nothing was changed",
                    "Look for long transactions in pg_stat_activity, end them, and run this again.",
                ) from error
            say("the tables are in use; trying again")
            time.sleep(PAUSE)
        else:
            return


def _run(connection: psycopg.Connection, name: str) -> None:
    for statement in _statements(name):
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise from_database(error, name) from error


def _statements(name: str) -> list[bytes]:
    return [it.text.encode() for it in split((UPGRADE / name).read_text(encoding="utf-8")) if it.code]


@contextmanager
def _telling(connection: psycopg.Connection, say: Say) -> Iterator[None]:
    """Pass on what the files say about their progress."""

    def tell(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "NOTICE" and notice.message_primary:
            say(visible(notice.message_primary))

    connection.add_notice_handler(tell)
    try:
        yield
    finally:
        connection.remove_notice_handler(tell)


def _value(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    lines = [list(rows[0]), *([visible(str(value)) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


@click.command("upgrade")
@click.option(
    "--database-url",
    envvar="FORGE_DATABASE_URL",
    show_envvar=True,
    required=True,
    metavar="URL",
    help="Which database, and as whom: on Supabase the role postgres.",
)
@click.option("--undo", "undone", is_flag=True, help="Put the legacy installation back as it was.")
@click.option("--discard-newer-rows", is_flag=True, help="With --undo: lose what was written since the upgrade.")
@click.option("--report", "only_report", is_flag=True, help="Only say what became of every row.")
@click.option("--migrations", type=click.Path(path_type=Path), default=MIGRATIONS, help="Folder of migrations.")
def command(database_url: str, undone: bool, discard_newer_rows: bool, only_report: bool, migrations: Path) -> None:
    """Upgrade a legacy installation, with its data, while its clients work.

    Parks the old tables in the schema legacy, installs the migrations, lets the old client work on them through a
    bridge, copies every row and accounts for it. Clients wait for about a second. Stop it at any moment and run it
    again; a run after the last one changes nothing. docs/upgrade.md says what is mapped, and how to clean up.

    \b
    Examples:
      forge-db upgrade --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
      forge-db upgrade --report
      forge-db upgrade --undo
    """
    if (undone and only_report) or (discard_newer_rows and not undone):
        raise click.UsageError("--report and --undo go separately; --discard-newer-rows goes with --undo.")

    def say(line: str) -> None:
        click.echo(line, err=True)

    if undone:
        undo(database_url, say, discard=discard_newer_rows)
        return
    if not only_report:
        upgrade(database_url, say, migrations)
    _tell(*report(database_url))


def _tell(fates: list[dict[str, Any]], reasons: list[dict[str, Any]]) -> None:
    for rows in (fates, reasons):
        if rows:
            click.echo("\n".join(_table(rows)) + "\n")
    if wrong := [row["table_name"] for row in fates if row["wrong"]]:
        raise ForgeError(
            f"rows differ from what was parked, and nobody changed them: {', '.join(wrong)}",
            "Keep the parked tables, and look: select * from legacy.report(). forge-db upgrade --undo goes back.",
        )
    if waiting := [row["table_name"] for row in fates if row["waiting"]]:
        raise ForgeError(f"not all rows are copied yet: {', '.join(waiting)}", "Run: forge-db upgrade")
    click.echo("every row is accounted for")


commands: list[click.Command] = [command]
