"""Make a plain PostgreSQL server look like Supabase, by the files in sql/platform: the roles once, then a database."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import click
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from forge_db import errors, paths

Regime = Literal["explicit", "auto"]
NOBODY: Mapping[str, str] = MappingProxyType({})
# Any number, if all agree: two installations at once would trip over each other's roles.
INSTALLING = 7_064_001


def install(
    server_url_of_superuser: str,
    database: str,
    *,
    regime: Regime = "explicit",
    passwords: Mapping[str, str] = NOBODY,
) -> None:
    """Have the roles, the database (owned by postgres) and in it all that the platform brings. Repeating it is fine."""
    with psycopg.connect(server_url_of_superuser, autocommit=True) as server:
        server.add_notice_handler(_pass_on_warning)
        server.execute("select pg_advisory_lock(%s)", [INSTALLING])
        _run(server, "roles.sql")
        for role, password in passwords.items():
            _set_password(server, role, password)
        if server.execute("select from pg_database where datname = %s", [database]).fetchone() is None:
            server.execute(
                sql.SQL("create database {} owner postgres template template0").format(sql.Identifier(database))
            )
        with psycopg.connect(make_conninfo(server_url_of_superuser, dbname=database), autocommit=True) as inside:
            inside.execute("select set_config('forge.grants_regime', %s, false)", [regime])
            _run(inside, "database.sql")


def is_installed(connection: psycopg.Connection) -> bool:
    """Whether this database has the stand-in, which is not so on a real Supabase project."""
    found = connection.execute(
        "select obj_description(to_regnamespace('auth'), 'pg_namespace') like 'Stand-in for Supabase%'"
    ).fetchone()
    return found == (True,)


def _run(connection: psycopg.Connection, file: str) -> None:
    try:
        # Without parameters psycopg sends the file as it is, and PostgreSQL takes it as one transaction.
        connection.execute((paths.PLATFORM / file).read_bytes())
    except psycopg.Error as error:
        raise errors.from_database(error, file) from error


def _set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Only a hash travels, so that neither a log nor an error can show the password."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(hashed)),
    )


def _pass_on_warning(diagnostic: psycopg.errors.Diagnostic) -> None:
    if diagnostic.severity_nonlocalized == "WARNING":
        click.echo(f"Warning: {diagnostic.message_primary}", err=True)
