"""Refused statements and failed sign-ins from the server's log into security_events: they rolled back what they did."""

from pathlib import Path

import click
import psycopg
from psycopg.types.json import Jsonb

from forge_db import local, log_files, migrations
from forge_db.errors import ForgeError

READ_TO = "select read_to from private.log_files where first_line = %s"
INGEST = "select private.ingest_log_lines(%s, %s, %s)"


@click.command("ingest-log")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--database-url", envvar="FORGE_DATABASE_URL", metavar="URL", help="Default: the local database.")
def command(files: tuple[Path, ...], database_url: str | None) -> None:
    """Record what the server's own log tells of refused statements and failed sign-ins in security_events.

    Reads jsonlog and csvlog. Each line is recorded once, however often a file is read and whatever it is called by
    then; each run goes on where the last one stopped. No message and no statement is copied.

    \b
    Examples:
      forge-db ingest-log /var/log/postgresql/postgresql.json
      forge-db ingest-log /var/log/postgresql/*.json    # with what rotation has renamed
    """
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise ForgeError(f"no such file: {', '.join(missing)}", "Name files; SHOW log_directory says where they are.")
    recorded = unreadable = 0
    with migrations.connect(database_url or local.url()) as connection:
        for path in files:
            new, lost = ingest(connection, path)
            recorded += new
            unreadable += lost
    if unreadable:
        click.echo(f"Warning: {unreadable} lines could not be read and were skipped", err=True)
    click.echo(f"{recorded} events recorded")


commands: list[click.Command] = [command]


def ingest(connection: psycopg.Connection, path: Path) -> tuple[int, int]:
    """Read what is new in a file. How many events were recorded, and how many lines nobody could read."""
    first_line = log_files.identity(path)
    if first_line is None:
        return 0, 0
    row = connection.execute(READ_TO, [first_line]).fetchone()
    # Farther than it goes is no place in this file: another one that began with the same line has been read.
    read_to = row[0] if row and row[0] <= path.stat().st_size else 0
    recorded = unreadable = 0
    for batch in log_files.batches(path, read_to):
        # Events and position in one statement: neither is there without the other.
        found = connection.execute(INGEST, [first_line, batch.read_to, Jsonb(batch.refusals)]).fetchone()
        recorded += found[0] if found else 0
        unreadable += batch.unreadable
    return recorded, unreadable
