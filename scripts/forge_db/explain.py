"""The command explain-access: which grant and which policy let a role through, or which one stops it."""

from typing import Any

import click
import psycopg

from forge_db import local, migrations
from forge_db.access import contract
from forge_db.access.ablation import Ablation, Explanation
from forge_db.access.contract import COMMANDS, Contract, qualified
from forge_db.access.source import nearest
from forge_db.access.stage import Stage
from forge_db.errors import visible


def explain(
    connection: psycopg.Connection[Any],
    terms: Contract,
    role: str,
    command: str,
    table: str,
    user: str | None = None,
    column: str | None = None,
) -> list[Explanation]:
    """What becomes of a command on every kind of row of a table, and why. Nothing of it remains."""
    with Stage.on(connection, terms) as stage:
        relation = stage.relation(terms.tables[table])
        stage.refuse_large(relation)
        if column is not None and column not in relation.columns:
            raise click.BadParameter(
                f'{table} has no column "{column}". {nearest(column, relation.columns)}', param_hint="--column"
            )
        if user is not None:
            stage.accounts[role] = _account(stage, user)
        return list(Ablation(stage, terms.tables[table], role, command, column).explain())


def _account(stage: Stage, user: str) -> str:
    """The id of an account, by its id or its e-mail address."""
    query = "select id::text from auth.users where id::text = %(user)s or lower(email) = lower(%(user)s)"
    found = stage.session.query(query, {"user": user})
    if len(found) != 1:
        said = f"{len(found)} accounts are" if found else "no account is"
        raise click.BadParameter(f'{said} "{user}". Give the id or e-mail address of one.', param_hint="--as")
    return str(found[0]["id"])


@click.command("explain-access")
@click.argument("role")
@click.argument("command")
@click.argument("table")
@click.option("--as", "user", metavar="USER", help="Speak as this account: its id or e-mail address.")
@click.option("--column", metavar="NAME", help="Ask about this column.")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
def explain_access(
    role: str, command: str, table: str, user: str | None, column: str | None, database_url: str | None
) -> None:
    """Say which grant and which policy let ROLE do COMMAND on TABLE, or which guard stops it, for every kind of row.

    It finds out by taking guards away one at a time. Everything is rolled back; meanwhile the table is locked.

    \b
    Examples:
      forge-db explain-access authenticated update feedback
      forge-db explain-access anon select prompt_templates
      forge-db explain-access app_admin update user_profiles --column bio
      forge-db explain-access authenticated delete prompt_history --as ada@example.com
    """
    terms = contract.load()
    name = qualified(table)
    _choice("ROLE", role, terms.roles)
    _choice("COMMAND", command, COMMANDS)
    _choice("TABLE", name, terms.tables)
    if user and not terms.roles[role].signs_in:
        raise click.BadParameter(f"{role} has no account", param_hint="--as")
    with migrations.connect(database_url or local.url()) as connection:
        found = explain(connection, terms, role, command, name, user, column)
    click.echo(f"{command} on {name} by {role}")
    for it in found:
        click.echo(f"\n{it.kind}: {visible(str(it.outcome))}")
        for reason in it.reasons:
            click.echo(f"    {visible(reason)}")
        click.echo(f"    try       {it.statement}")


def _choice(what: str, given: str, known: object) -> None:
    names = [str(name) for name in known] if isinstance(known, (dict, tuple)) else []
    if given not in names:
        raise click.BadParameter(f'"{given}" is not known. {nearest(given, names)}', param_hint=what)


commands: list[click.Command] = [explain_access]
