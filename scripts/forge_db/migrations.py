"""Apply pending migrations to a database and record them as the Supabase CLI does, so that the two can be mixed."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from forge_db.errors import ForgeError, from_database, is_servers_trouble, visible
from forge_db.paths import MIGRATIONS
from forge_db.statements import Statement, split

Say = Callable[[str], None]

# The same four statements as the CLI's, so that the table is the same whoever makes it.
HISTORY = (
    "create schema if not exists supabase_migrations",
    "create table if not exists supabase_migrations.schema_migrations (version text not null primary key)",
    "alter table supabase_migrations.schema_migrations add column if not exists statements text[]",
    "alter table supabase_migrations.schema_migrations add column if not exists name text",
)
HISTORY_IS_COMPLETE = """
    select count(*) = 3
    from pg_catalog.pg_attribute
    where attrelid = pg_catalog.to_regclass('supabase_migrations.schema_migrations')
        and attname in ('version', 'statements', 'name')
        and not attisdropped
"""
RECORD = "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"
# Any number does, as long as nobody else takes it for a lock of their own.
LOCK = 7_311_920_418_552_201
# For as long as it takes; but where a machine has vanished from the net, its lock goes within a minute.
HOLDS_ON = {
    "statement_timeout": 0,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "tcp_keepalives_idle": 30,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 3,
}
HOLDER = """
    select activity.pid, activity.usename
    from pg_catalog.pg_locks as held inner join pg_catalog.pg_stat_activity as activity on held.pid = activity.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 1
        and activity.datname = pg_catalog.current_database()
        and (held.classid::bigint << 32 | held.objid::bigint) = %s
"""


class Migration(NamedTuple):
    """A file that the CLI would run: digits, underscore, name."""

    version: str
    name: str
    path: Path


def silent(line: str) -> None:
    """Say nothing."""


def apply(url: str, directory: Path = MIGRATIONS, say: Say = silent) -> list[Migration]:
    """Apply what is pending, each file in one transaction with its history row, and return it."""
    found = local(directory, say)
    with connect(url, say) as connection, alone(url, say):
        waiting = pending(found, recorded(connection))
        for migration in waiting:
            _run(connection, migration)
            say(f"applied {migration.path.name}")
    return waiting


def local(directory: Path, say: Say = silent) -> list[Migration]:
    """The migrations in a folder, in the CLI's order and with the CLI's reasons to skip a file."""
    files = sorted(path.name for path in directory.glob("*") if path.is_symlink() or not path.is_dir())
    migrations = []
    for index, name in enumerate(files):
        old = re.search(r"([0-9]{14})_init\.sql", name) if index == 0 else None
        match = re.fullmatch(r"([0-9]+)_(.*)\.sql", name)
        if old and int(old[1]) < 20211209000000:
            say(f'skipping {name} (replace "init" with a different file name to apply this migration)')
        elif match is None:
            say(f'skipping {name} (file name must match pattern "<timestamp>_name.sql")')
        else:
            migrations.append(Migration(match[1], match[2], directory / name))
    if not migrations:
        raise ForgeError(f"no migrations in {directory}", "Run `make build-migrations`.")
    migrations.sort(key=lambda migration: migration.version)
    for one, other in pairwise(migrations):
        if one.version == other.version:
            names = f"{one.path.name} and {other.path.name}"
            raise ForgeError(f"two migrations are numbered {one.version}: {names}", "Rename one.")
    return migrations


def recorded(connection: psycopg.Connection) -> list[str]:
    """The versions that the database says it has."""
    if connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone() == (None,):
        return []
    return sorted(row[0] for row in connection.execute("select version from supabase_migrations.schema_migrations"))


def pending(found: list[Migration], versions: list[str]) -> list[Migration]:
    """What is still to apply; refuse a history that the files do not continue, as `supabase db push` does."""
    known = {migration.version for migration in found}
    if unknown := [version for version in versions if version not in known]:
        raise ForgeError(
            f"the database has migrations that are not in this project: {', '.join(unknown)}",
            "Update your checkout. If an earlier installation left them behind, take them off the record: "
            f"supabase migration repair --status reverted {' '.join(unknown)}",
        )
    waiting = [migration for migration in found if migration.version not in versions]
    if early := [migration.path.name for migration in waiting if migration.version < max(versions, default="")]:
        raise ForgeError(
            f"these migrations come before the last one that the database has: {', '.join(early)}",
            "Give them later numbers, or apply them all the same: supabase db push --include-all",
        )
    return waiting


def connect(url: str, say: Say = silent) -> psycopg.Connection:
    """Connect without ever repeating a password in an error."""
    try:
        wanted = {"application_name": "forge-db", "connect_timeout": 10, **conninfo_to_dict(url)}
        if any("@" in str(wanted.get(key, "")) for key in ("host", "port", "dbname")):
            raise ValueError
    except (psycopg.Error, ValueError):
        message = "the database URL cannot be read"
        hint = "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE; in the password, %40 stands for @ and %2F for /."
        raise ForgeError(message, hint) from None

    def warn(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            say(f"Warning: {visible(notice.message_primary or '')}")

    try:
        connection = psycopg.connect(make_conninfo("", **wanted), autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        hint = "Check the URL. `make up` starts a local database, `make status` shows how to reach it."
        raise ForgeError(from_database(error, "cannot connect").message, hint) from error
    connection.add_notice_handler(warn)
    return connection


@contextmanager
def alone(url: str, say: Say) -> Iterator[None]:
    """Let one run at a time work on a database; a second one waits and then finds nothing to do.

    An advisory lock, because there may be nothing else in the database yet. Any session could take it, so who has it is
    said. It is held by a transaction of its own, open meanwhile: behind a pooler a session outlives its client, and
    with it a lock of the session's, but no transaction does.
    """
    with connect(url) as holder:
        holder.execute("begin isolation level read committed")
        for setting, value in HOLDS_ON.items():
            holder.execute(f"set local {setting} = {value}".encode())
        # Without parameters: a statement with some keeps its snapshot, and CREATE INDEX CONCURRENTLY waits for that.
        if holder.execute(f"select pg_try_advisory_xact_lock({LOCK})".encode()).fetchone() == (False,):
            other = holder.execute(HOLDER, [LOCK]).fetchone()
            say(
                "waiting for another forge-db apply to finish"
                + (f" (process {other[0]} of {other[1]})" if other else "")
            )
            holder.execute(f"select pg_advisory_xact_lock({LOCK})".encode())
        yield
        with suppress(psycopg.Error):  # what was to be done is done
            holder.execute("rollback")


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    statements = _read(migration)
    connection.execute("reset all")
    with suppress(psycopg.Error):  # where the system cannot tell
        # A statement ends when whoever sent it is gone, so that no later run meets it at work.
        connection.execute("set client_connection_check_interval = '2s'")
    *before, last = _batches(statements)
    for batch in before:
        with nullcontext() if batch[0].runs_alone else connection.transaction():
            _execute(connection, migration, batch)
    with connection.transaction():
        _execute(connection, migration, last)
        _record(connection, migration, statements)


def run_within(connection: psycopg.Connection, migration: Migration) -> None:
    """Apply and record a migration within the transaction that is going on."""
    statements = _read(migration)
    _execute(connection, migration, statements)
    _record(connection, migration, statements)


def _read(migration: Migration) -> list[Statement]:
    try:
        statements = split(migration.path.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise ForgeError(f"{migration.path.name} is not UTF-8 at byte {error.start}", "Save it as UTF-8.") from error
    for statement in statements:
        if statement.controls_transaction:
            message = f"{migration.path.name}, line {statement.line}: transaction control"
            raise ForgeError(message, "Remove it: a migration runs as one transaction with its row in the history.")
    return statements


def _batches(statements: list[Statement]) -> list[list[Statement]]:
    """One batch as a rule. What PostgreSQL refuses in a transaction stands alone and cuts the file, as in the CLI."""
    batches: list[list[Statement]] = [[]]
    for statement in statements:
        if statement.runs_alone:
            batches += [[statement], []]
        else:
            batches[-1].append(statement)
    return [batch for batch in batches[:-1] if batch] + batches[-1:]


def _execute(connection: psycopg.Connection, migration: Migration, statements: list[Statement]) -> None:
    for statement in statements:
        try:
            connection.execute(statement.text.encode())
        except psycopg.Error as error:
            line, position = statement.line, error.diag.statement_position
            if position is not None:  # counted from the comments before the statement
                lead = statement.text[: len(statement.text) - len(statement.code)]
                line += statement.text.count("\n", 0, int(position) - 1) - lead.count("\n")
            said = from_database(error, f"{migration.path.name}, line {line}")
            if is_servers_trouble(error):
                state = "What was applied before is recorded. Mend that and run this again: it goes on from there."
                said.hint = f"{said.hint} {state}" if said.hint else state
            raise said from error


def _record(connection: psycopg.Connection, migration: Migration, statements: list[Statement]) -> None:
    if connection.execute(HISTORY_IS_COMPLETE).fetchone() != (True,):
        for sql in HISTORY:
            connection.execute(sql)
    texts = [statement.text for statement in statements]
    connection.execute(RECORD, [migration.version, migration.name, texts])


@click.command("apply")
@click.option(
    "--database-url",
    envvar="FORGE_DATABASE_URL",
    show_envvar=True,
    required=True,
    metavar="URL",
    help="Which database, and as whom: on Supabase the role postgres.",
)
@click.option("--migrations", type=click.Path(path_type=Path), default=MIGRATIONS, help="Folder of migrations.")
def command(database_url: str, migrations: Path) -> None:
    """Apply pending migrations to a database.

    Each file is one transaction together with its row in supabase_migrations.schema_migrations, which reads as if
    `supabase db push` had written it: use either, in any order.

    \b
    Examples:
      forge-db apply --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
      FORGE_DATABASE_URL=postgresql://... forge-db apply
    """
    applied = apply(database_url, migrations, say=lambda line: click.echo(line, err=True))
    click.echo(f"{len(applied)} applied" if applied else "the database is up to date")


commands: list[click.Command] = [command]
