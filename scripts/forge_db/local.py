"""The database on this machine: start it, look at it, stop it, begin again.

FORGE_DATABASE_URL puts a server that is running already in place of the project's own.
"""

import os
from contextlib import AbstractContextManager
from typing import NoReturn

import click
import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from forge_db import binaries, migrations, paths, platform, sealing
from forge_db.accounts import create_directory, lock
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER, Server

DATABASE = "postgres"  # the name it has on Supabase
INSTALL = "psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql"


@click.command()
def up() -> None:
    """Have the database running and up to date.

    Starts the server and applies the migrations that are new; what is there already stays. The server is the one
    installed with the project, and its files are in .forge/. FORGE_PG_BIN names the programs of another PostgreSQL
    (15 to 18), FORGE_PORT a port, FORGE_DATABASE_URL a server that is running already.

    \b
    Examples:
      forge-db up
      FORGE_PG_BIN=/usr/lib/postgresql/15/bin forge-db up
      FORGE_DATABASE_URL=postgresql://postgres:PASSWORD@localhost:5432/forge forge-db up
    """
    migrations.local(paths.MIGRATIONS)  # before anything is created, see that there is something to apply
    with _alone():
        _build()


@click.command()
def down() -> None:
    """Stop the project's own server. Its data stay for the next `up`.

    \b
    Examples:
      forge-db down
    """
    with _alone():
        server = _server()
        was_running = server.running
        server.stop()
    click.echo("stopped" if was_running else "not running")
    if _elsewhere():
        click.echo("FORGE_DATABASE_URL names another server, which is not ours to stop", err=True)


@click.command("psql", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> NoReturn:
    """Open psql on the database as postgres.

    Arguments are psql's own.

    \b
    Examples:
      forge-db psql
      forge-db psql -c 'select name from public.prompt_frameworks'
      forge-db psql -f my.sql
    """
    # Through the environment: there other users do not see the password, and arguments can still choose otherwise.
    for option in pq.Conninfo.parse(url().encode()):
        if option.envvar and option.val is not None:
            os.environ[option.envvar.decode()] = option.val.decode()
    program = binaries.find().tool("psql")
    os.execv(program, [program, *arguments])


@click.command()
def status() -> None:
    """Show whether the database runs, and where.

    Exit status 1 if it does not run.

    \b
    Examples:
      forge-db status
      forge-db status > /dev/null || forge-db up
    """
    if outside := _elsewhere():
        _describe(outside, {"server": _where(outside)})
        return
    server = _server()
    if not server.running:
        found = f"its data are in {server.directory}" if server.data.exists() else "there are no data yet"
        click.echo(f"not running; {found}")
        raise SystemExit(1)
    _describe(
        server.url(),
        {"server": f"process {server.pid}, port {server.port}", "data": str(server.data), "connect": server.url()},
    )


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Delete the database, and build it again.

    Everything in it goes. It names its target and asks; what `up` has not made, a Supabase project above all, it
    leaves alone.

    \b
    Examples:
      forge-db reset
      forge-db reset --yes
    """
    migrations.local(paths.MIGRATIONS)
    if outside := _elsewhere():
        name = _droppable(outside)
        _ask(f'This drops database "{name}" on {_where(outside)} and builds it again.', yes)
        with _alone():
            _drop(outside, name)
            platform.install(_maintenance(outside), name)
            _build()
        return
    server = _server()
    size = sum(path.lstat().st_size for path in server.data.rglob("*")) if server.data.exists() else 0
    _ask(f"This deletes the local database in {server.data} ({size / 1e6:.0f} MB on disk) and builds it again.", yes)
    with _alone():
        server.destroy()
        _build()


commands: list[click.Command] = [up, down, psql, status, reset]


def url() -> str:
    """How to connect to the database that `up` has made, as postgres."""
    if outside := _elsewhere():
        return outside
    server = _server()
    if not server.running:
        raise ForgeError("the database is not running", "Run `make up`.")
    return server.url()


# steps ---------------------------------------------------------------------------------------------------------------


def _build() -> None:
    """Have a server, in it the platform, on it the schema; and say how to get there."""
    if outside := _elsewhere():
        owner = _prepare(outside)
        click.echo(f"Using {_where(outside)}")
    else:
        server = _server()
        server.start()
        platform.install(server.url(SUPERUSER), DATABASE, passwords=server.passwords)
        owner = server.url()
        click.echo(f"PostgreSQL {binaries.find().version} is running on port {server.port}, its data in {server.data}")
    applied = migrations.apply(owner, paths.MIGRATIONS, say=lambda line: click.echo(line, err=True))
    count = f"{len(applied)} migration{'' if len(applied) == 1 else 's'}"
    click.echo(f"{count} applied" if applied else "The database is up to date")
    if not outside and _can_seal(owner):
        click.echo("An encryption key for API keys was made; it is in private.secrets")
    address = "your FORGE_DATABASE_URL" if outside else owner
    click.echo(
        f"""
Connect
  psql              make psql
  anything else     {address}

Three things to try in psql
  select name, display_name from public.prompt_frameworks;
  insert into auth.users (id, email) values (gen_random_uuid(), 'ada@example.com') returning id;
  select * from public.user_profiles;    -- the sign-up has made one"""
    )


def _can_seal(owner: str) -> bool:
    """Have an encryption key, so that save_api_key() works. True if it was made now."""
    with _connect(owner) as connection:
        return sealing.have_encryption_key(connection)


def _prepare(url: str) -> str:
    """Have the platform in somebody's database, and say how to connect to it as the owner of the schema."""
    with _connect(url) as connection:
        info = connection.info
        if info.server_version < 150000:
            raise ForgeError(
                f"PostgreSQL 15 or newer is needed, {_where(url)} runs {info.parameter_status('server_version')}",
                "Upgrade that server, or unset FORGE_DATABASE_URL to use the one installed with the project.",
            )
        is_superuser = info.parameter_status("is_superuser") == "on"
        if connection.execute("select to_regclass('auth.users')").fetchone() == (None,):
            if not is_superuser:
                raise ForgeError(
                    f'database "{info.dbname}" on {_where(url)} lacks what Supabase provides, and {info.user} is not '
                    "a superuser, who could add it",
                    f"Run this as a superuser, from the project root: {INSTALL} -h {info.host} -p {info.port} "
                    f"-d {info.dbname}",
                )
            platform.install(url, info.dbname)
        # A superuser's tables would escape row level security and the default grants: let postgres own them.
        if is_superuser and platform.is_installed(connection):
            options = f"{conninfo_to_dict(url).get('options') or ''} -c role=postgres"
            return make_conninfo(url, options=options.strip())
    return url


def _droppable(url: str) -> str:
    """The name of the database, if it is one that `up` has made and this user may drop."""
    with _connect(url) as connection:
        info = connection.info
        if not platform.is_installed(connection):
            raise ForgeError(
                f'database "{info.dbname}" on {_where(url)} was not made by `make up`, and is not ours to drop',
                "A Supabase project is reset by its own tools, a database of your own by you.",
            )
        if info.parameter_status("is_superuser") != "on":
            raise ForgeError(
                f"a superuser is needed to build the database again, and {info.user} is not one",
                "Set FORGE_DATABASE_URL to connect as the superuser of that server.",
            )
        return info.dbname


def _drop(url: str, name: str) -> None:
    with _connect(_maintenance(url)) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _describe(url: str, facts: dict[str, str]) -> None:
    with _connect(url) as connection:
        found = migrations.recorded(connection)
        size = connection.execute("select pg_size_pretty(pg_database_size(current_database()))").fetchone()
        facts = {"running": f"PostgreSQL {connection.info.parameter_status('server_version')}"} | facts
    facts["size"] = str(size[0]) if size else "unknown"
    facts["migrations"] = ", ".join(found) or "none applied"
    for name, value in facts.items():
        click.echo(f"{name:<11} {value}")


# small helpers -------------------------------------------------------------------------------------------------------


def _server() -> Server:
    # PGHOSTADDR, PGSERVICE, PGSSLMODE and the like are meant for another server, and libpq would obey them.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    return Server(paths.STATE / "database", binaries.find(), port=_port())


def _port() -> int | None:
    text = os.environ.get("FORGE_PORT")
    if not text:
        return None
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise click.UsageError(f"FORGE_PORT is {text!r}, and not a port from 1024 to 65535")
    return int(text)


def _elsewhere() -> str | None:
    """The server to use instead of the project's own, if the user has one."""
    outside = os.environ.get("FORGE_DATABASE_URL")
    if not outside:
        return None
    try:
        conninfo_to_dict(outside)
    except psycopg.ProgrammingError:  # whose text may hold the password
        raise ForgeError(
            "FORGE_DATABASE_URL cannot be read",
            "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or unset it to use the project's own server.",
        ) from None
    return outside


def _connect(url: str) -> psycopg.Connection:
    try:
        return migrations.connect(url)
    except ForgeError as error:
        if _elsewhere() is None:
            raise
        hint = "Check FORGE_DATABASE_URL, or unset it to use the project's own server."
        raise ForgeError(error.message, hint) from error


def _alone() -> AbstractContextManager[None]:
    create_directory(paths.STATE)
    return lock(paths.STATE / "lock")


def _maintenance(url: str) -> str:
    return make_conninfo(url, dbname="template1")


def _where(url: str) -> str:
    """Host and port, which say enough and hold no password."""
    said = conninfo_to_dict(url)
    return f"{said.get('host') or 'localhost'}:{said.get('port') or 5432}"


def _ask(what: str, yes: bool) -> None:
    click.echo(what)
    if not yes:
        click.confirm("Continue?", abort=True)
