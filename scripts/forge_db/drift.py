"""Is a live database still what the schema files say? Compared by definition, object by object."""

import difflib
from collections.abc import Iterator
from typing import Any

import click
import psycopg

from forge_db import assemble, definitions, migrations
from forge_db.errors import ForgeError, visible
from forge_db.shadow import shadow

Definitions = dict[tuple[str, str], dict[str, Any]]
# An installation adds rows of its own; only one that is missing was meant to be there.
ADDED_BY_STAFF = "seed"


def read(connection: psycopg.Connection[Any]) -> Definitions:
    """The definitions of a database that holds our schema."""
    if connection.execute(
        "select to_regnamespace('private') is null or to_regclass('public.system_config') is null"
    ).fetchone() == (True,):
        raise ForgeError(
            f'database "{connection.info.dbname}" does not hold the PromptCraft Forge schema',
            "Check the URL. To install: forge-db apply. For a legacy installation: forge-db upgrade.",
        )
    return {(row["kind"], row["name"]): row for row in definitions.read(connection)}


def wanted() -> Definitions:
    """The definitions of the schema files as they are now."""
    with shadow() as server, psycopg.connect(server.build(assemble.build())) as connection:
        return read(connection)


def differences(wanted: Definitions, found: Definitions) -> Iterator[str]:
    """For each object that is not as it should be: what it is, then lines of a difference."""
    for key in sorted(wanted.keys() | found.keys()):
        kind, name = key
        expected, actual = wanted.get(key), found.get(key)
        if actual is None:
            yield f"missing  {kind} {name}"
        elif expected is None:
            if kind != ADDED_BY_STAFF:
                yield f"extra    {kind} {name}"
        elif expected["digest"] != actual["digest"]:
            yield f"differs  {kind} {name}"
            yield from _lines(expected["definition"], actual["definition"])


def _lines(expected: str | None, actual: str | None) -> Iterator[str]:
    lines = difflib.unified_diff((expected or "").splitlines(), (actual or "").splitlines(), n=0, lineterm="")
    yield from (f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


@click.command("drift")
@click.option(
    "--database-url",
    envvar="FORGE_DATABASE_URL",
    show_envvar=True,
    required=True,
    metavar="URL",
    help="The live database. Nothing in it is changed.",
)
def command(database_url: str) -> None:
    """Compare a live database with the schema files.

    Tables, columns, constraints, policies, grants, functions, triggers, indexes, views, seed rows, and whatever else
    decides who may do what, each by its definition. Prints what is missing, extra or different (- as the files say, +
    as it is) and then exits 1. Builds the schema on a server of its own to compare with, so it needs no other database.

    \b
    Examples:
      forge-db drift --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
      FORGE_DATABASE_URL=postgresql://... forge-db drift
    """
    with migrations.connect(database_url) as connection:
        found = read(connection)
    lines = list(differences(wanted(), found))
    for line in lines:
        click.echo(visible(line))
    if lines:
        count = sum(not line.startswith(" ") for line in lines)
        raise ForgeError(
            f"{count} object{'' if count == 1 else 's'} differ from the schema files",
            "If migrations are pending, run forge-db apply. Else run the schema file again that defines them, or "
            "write what was changed by hand into the schema files and a migration: forge-db diff.",
        )
    click.echo("the database is what the schema files say")


commands: list[click.Command] = [command]
