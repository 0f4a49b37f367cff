"""supabase/cleanup_old_migrations.sql: what it verifies is read from a new installation, by the query that it runs."""

from pathlib import Path
from typing import Any

import click
import jinja2
import psycopg
from psycopg.rows import dict_row

from forge_db import local, migrations, structure
from forge_db.errors import ForgeError
from forge_db.paths import ROOT, TEMPLATES

QUERY = ROOT / "sql" / "cleanup" / "definitions.sql"
TARGET = ROOT / "supabase" / "cleanup_old_migrations.sql"


def render(connection: psycopg.Connection[Any]) -> str:
    """Return the script for the schema of the database that a connection leads to."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["literal"] = lambda text: "'" + text.replace("'", "''") + "'"
    query = QUERY.read_text(encoding="utf-8")
    return environment.get_template(f"{TARGET.name}.j2").render(rows=read(connection), definitions=query)


def read(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Everything that makes the schema what it is: kind, name, digest, definition."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("set local search_path = pg_catalog, pg_temp")
        return cursor.execute(QUERY.read_bytes()).fetchall()


@click.command("definitions")
@click.option("--database-url", metavar="URL", help="A new installation. Default: the local database.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the script is stale.")
def command(database_url: str | None, check: bool) -> None:
    """Write supabase/cleanup_old_migrations.sql, which verifies that a database is what this one is.

    \b
    Examples:
      forge-db definitions            as the local database is that `make up` started
      forge-db definitions --check    whether it has changed
    """
    with migrations.connect(database_url or local.url()) as connection:
        structure.refuse_others(connection)
        wanted = render(connection)
    current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if wanted == current:
        click.echo(f"{TARGET.name} is up to date")
    elif check:
        raise ForgeError(f"stale: {TARGET.name}", "Run `make docs` and commit the result.")
    else:
        TARGET.write_text(wanted, encoding="utf-8", newline="\n")
        click.echo(f"wrote {Path(TARGET).relative_to(ROOT)}")


commands: list[click.Command] = [command]
