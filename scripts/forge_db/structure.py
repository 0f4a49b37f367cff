"""docs/DATABASE_STRUCTURE.md: its lists are read from a migrated database, by the queries in sql/structure."""

import difflib
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import jinja2
import psycopg
from psycopg.rows import dict_row

from forge_db import local, migrations
from forge_db.errors import ForgeError
from forge_db.paths import ROOT, SCHEMA

QUERIES = ROOT / "sql" / "structure"
TARGET = ROOT / "docs" / "DATABASE_STRUCTURE.md"

Row = dict[str, Any]


def render(connection: psycopg.Connection[Any]) -> str:
    """Return the document for the database that a connection leads to."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TARGET.parent), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["code"] = code
    found = read(connection)
    template = environment.get_template(f"{TARGET.name}.j2")
    text = template.render(files=files(found), functions=found["functions"])
    return re.sub(r"\n{3,}", "\n\n", text)


def read(connection: psycopg.Connection[Any]) -> dict[str, list[Row]]:
    """The rows of each query in sql/structure, by its name."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("set local search_path = ''")  # so that every name is written with its schema
        return {path.stem: cursor.execute(path.read_bytes()).fetchall() for path in sorted(QUERIES.glob("*.sql"))}


def refuse_others(connection: psycopg.Connection[Any]) -> None:
    """What documents the project is made from a database that holds the project alone."""
    files(read(connection))


def details(found: dict[str, list[Row]]) -> dict[str, dict[str, list[Row]]]:
    """What there is to each table, by kind and table."""
    return {
        kind: {name: list(rows) for name, rows in groupby(found[kind], key=lambda row: str(row["table_name"]))}
        for kind in ("columns", "constraints", "indexes", "policies", "triggers", "access")
    }


def files(found: dict[str, list[Row]]) -> list[Row]:
    """The schema files in order: what their first line says, and the tables that each makes, in its order."""
    by_table = details(found)
    descriptions = {str(row["table_name"]): row["description"] for row in found["tables"]}
    listed = []
    for path in sorted(SCHEMA.glob("*.sql")):
        summary, made = made_by(path)
        tables = [table(name, descriptions.pop(name), by_table) for name in made if name in descriptions]
        listed.append({"name": path.name, "summary": summary, "tables": tables})
    if descriptions:
        raise ForgeError(
            f"these tables are made by no schema file: {', '.join(sorted(descriptions))}",
            "Describe a database that holds this project alone, as `make up` makes it.",
        )
    return listed


def made_by(path: Path) -> tuple[str, list[str]]:
    """What the first line of a schema file says about it, and the tables that it makes, in its order."""
    sql = path.read_text(encoding="utf-8")
    made = re.findall(r"^create table if not exists (\S+)", sql, re.MULTILINE)
    return sql.partition("\n")[0].partition(": ")[2], made


def table(name: str, description: str, details: dict[str, dict[str, list[Row]]]) -> Row:
    access = details["access"].get(name, [])
    return {
        "name": name,
        "short": name.removeprefix("public."),
        "anchor": name.replace(".", ""),
        "description": description,
        # Without the column lists, for the overview.
        "commands": dict.fromkeys(("anon", "authenticated", "app_admin", "service_role"), "")
        | {str(row["role_name"]): re.sub(r" \([^)]*\)", "*", row["privileges"]) for row in access},
        **{kind: rows.get(name, []) for kind, rows in details.items()},
    }


def code(text: str | None) -> str:
    """As code in a Markdown table, where a bare | would end the cell."""
    return f"`{' '.join(text.split())}`".replace("|", "\\|") if text else ""


@click.command("structure")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option("--check", is_flag=True, help="Write nothing; show the difference and exit 1 if the document is stale.")
def command(database_url: str | None, check: bool) -> None:
    """Write docs/DATABASE_STRUCTURE.md from the catalogue.

    \b
    Examples:
      forge-db structure            describe the local database that `make up` started
      forge-db structure --check    what continuous integration runs
    """
    with migrations.connect(database_url or local.url()) as connection:
        wanted = render(connection)
    current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if wanted == current:
        click.echo(f"{TARGET.name} is up to date")
    elif check:
        lines = difflib.unified_diff(current.splitlines(), wanted.splitlines(), "as it is", "as the database is", n=1)
        click.echo("\n".join(lines))
        raise ForgeError(f"stale: {TARGET.name}", "Run `make docs` and commit the result.")
    else:
        TARGET.write_text(wanted, encoding="utf-8", newline="\n")
        click.echo(f"wrote {Path(TARGET).relative_to(ROOT)}")


commands: list[click.Command] = [command]
