"""Everything held about one user, as files: for an account that has too much for export_my_data().

One line of JSON for each row, read through a cursor: a history of any size passes through without being held.
"""

import shutil
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import sql

from forge_db import local, migrations
from forge_db.errors import ForgeError

FIND = "select id from auth.users where id::text = lower(%(user)s) or email = lower(%(user)s)"
TABLES = """
    select title, nspname, relname, owner_column, hidden_columns
    from private.personal_tables()
    inner join pg_class on pg_class.oid = relation
    inner join pg_namespace on pg_namespace.oid = relnamespace
"""
ROWS = "select (to_jsonb(item) - %s::text[])::text from {} as item where item.{} = %s"
AT_A_TIME = 1000


@click.command("export-user")
@click.argument("user")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--database-url", envvar="FORGE_DATABASE_URL", metavar="URL", help="Default: the local database.")
def command(user: str, directory: Path, database_url: str | None) -> None:
    """Write everything held about USER (id or e-mail address) into a new DIRECTORY, secrets excluded.

    One file for each table, one line of JSON for each row, as of one moment; and account.jsonl.

    \b
    Examples:
      forge-db export-user ada@example.com ada
      forge-db export-user 3f0c9b1e-5b1c-4a52-9d2e-1f0e6a1b2c3d /mnt/exports/ada
    """
    if directory.exists():
        raise ForgeError(f"{directory} is there already", "Name a directory that does not exist yet.")
    with migrations.connect(database_url or local.url()) as connection:
        written = export(connection, user, directory)
    for name, count in written.items():
        click.echo(f"{count:>9} {name}")


commands: list[click.Command] = [command]


def export(connection: psycopg.Connection, user: str, directory: Path) -> dict[str, int]:
    """Write the files, all or none of them. How many rows each holds."""
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)  # personal data: for nobody else's eyes
    try:
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            written = _write_all(connection, _find(connection, user), unfinished)
        unfinished.rename(directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return written


def _find(connection: psycopg.Connection, user: str) -> Any:
    row = connection.execute(FIND, {"user": user}).fetchone()
    if row is None:
        raise ForgeError(f"there is no account {user}", "Name the account's id or e-mail address.")
    return row[0]


def _write_all(connection: psycopg.Connection, user_id: Any, directory: Path) -> dict[str, int]:
    written = {
        "account": _write(connection, directory / "account.jsonl", "select private.account_data(%s)::text", user_id)
    }
    for title, schema, table, owner, hidden in connection.execute(TABLES).fetchall():
        query = sql.SQL(ROWS).format(sql.Identifier(schema, table), sql.Identifier(owner))
        written[title] = _write(connection, directory / f"{title}.jsonl", query, hidden, user_id)
    return written


def _write(connection: psycopg.Connection, path: Path, query: str | sql.Composed, *values: Any) -> int:
    with path.open("x", encoding="utf-8") as file, connection.cursor("export") as cursor:
        cursor.itersize = AT_A_TIME
        cursor.execute(query, values)
        return sum(bool(file.write(f"{line}\n")) for (line,) in cursor)
