"""Backup and restore by pg_dump and pg_restore: what belongs to us, and the accounts that our rows belong to.

A restore is one transaction: after whatever stops it, the database is as empty as before. It takes the target's default
privileges away meanwhile, for on a Supabase project they would hand new tables to everybody.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

from forge_db import assemble, binaries, definitions, drift, health, migrations
from forge_db.errors import ForgeError
from forge_db.migrations import Say
from forge_db.paths import MIGRATIONS
from forge_db.paths import SCHEMA as SCHEMA_FILES
from forge_db.statements import split

FORMAT = 1
PROJECT = "promptcraft-forge"
# The last one is there between an upgrade and its cleanup: what is parked, and what the bridge stands on.
SCHEMAS = ("public", "private", "archive", "supabase_migrations", "legacy")
# Who signs in; of the rest of auth nothing outlives a move to another project.
ACCOUNTS = ("users", "identities", "mfa_factors")
DATABASE, PEOPLE, HOOKS, MANIFEST, SUMS = "database.dump", "accounts.dump", "hooks.sql", "manifest.json", "SHA256SUMS"

TABLES = """
    select relnamespace::regnamespace || '.' || quote_ident(relname)
    from pg_catalog.pg_class
    where relkind in ('r', 'p') and not relispartition
        and (
            relnamespace = any(array(select oid from pg_catalog.pg_namespace where nspname = any(%s)))
            or oid = any(select to_regclass('auth.' || name) from unnest(%s::text[]) as name)
        )
        and not exists (
            select from pg_catalog.pg_depend
            where objid = pg_class.oid and classid = 'pg_class'::regclass and deptype = 'e'
        )
    order by 1
"""
# Triggers of ours on a table that is not: no dump of our schemas has them.
ON_ACCOUNTS = """
    select pg_get_triggerdef(pg_trigger.oid)
    from pg_catalog.pg_trigger
    inner join pg_catalog.pg_proc on pg_proc.oid = tgfoid
    where tgrelid = 'auth.users'::regclass and not tgisinternal
        and pronamespace = any(array(select oid from pg_catalog.pg_namespace where nspname in ('public', 'private')))
    order by tgname
"""
# psql takes what follows a backslash as a command of its own, one for the shell among them.
HOOK = re.compile(r"CREATE (CONSTRAINT )?TRIGGER [^;\\]+ ON auth\.users [^;\\]+;")
# What the target keeps as it is.
NOT_OURS = re.compile(r"^\d+; \d+ \d+ (DEFAULT ACL |(SCHEMA|ACL|COMMENT) - (SCHEMA )?public )")
DEFAULTS = """
    select format(
        'alter default privileges for role %I in schema %I {} %s on %s {} %s',
        defaclrole::regrole, defaclnamespace::regnamespace, privilege_type,
        case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end,
        case when grantee = 0 then 'public' else quote_ident(grantee::regrole::text) end
    )
    from pg_catalog.pg_default_acl
    cross join lateral aclexplode(defaclacl)
    where defaclrole = to_regrole(current_user) and defaclnamespace = 'public'::regnamespace
        and grantee <> defaclrole
"""


# Backup ---------------------------------------------------------------------------------------------------------------


def backup(url: str, folder: Path, say: Say) -> dict[str, Any]:
    """Write a backup into a new folder: all of it from one moment."""
    if folder.exists():
        raise ForgeError(f"{folder} exists already", "Name a folder that is to be made, such as one with the date.")
    with migrations.connect(url) as connection:
        found = drift.read(connection)  # refuses what is not ours
        tool = _tool("pg_dump", connection)
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            snapshot = _value(connection, "select pg_export_snapshot()")
            tables = counts(connection)
            chosen = [f"--table={name}" for name in tables if name.startswith("auth.")]
            schemas = [f"--schema={name}" for name in SCHEMAS]
            for name, options in {DATABASE: schemas, PEOPLE: ["--data-only", *chosen]}.items():
                command = [tool, "--format=custom", f"--snapshot={snapshot}", f"--file={unfinished / name}", *options]
                _run(command, url, "pg_dump")
                say(f"wrote {name}")
            hooks = "".join(f"{row[0]};\n" for row in connection.execute(ON_ACCOUNTS))
            (unfinished / HOOKS).write_text(hooks, encoding="utf-8")
            manifest = {
                "project": PROJECT,
                "format": FORMAT,
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "server_version": connection.info.server_version,
                "migrations": migrations.recorded(connection),
                "rows": tables,
                "definitions_by": _digest(definitions.QUERY),
                "definitions": [[kind, name, row["digest"]] for (kind, name), row in sorted(found.items())],
            }
            if _value(connection, "select to_regclass('vault.secrets') is not null"):
                say("secrets in Vault are no part of a backup: keep the encryption key where you keep passwords")
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        files = (DATABASE, PEOPLE, HOOKS, MANIFEST)
        sums = "".join(f"{_digest(unfinished / name)}  {name}\n" for name in files)
        (unfinished / SUMS).write_text(sums, encoding="utf-8")
        for path in unfinished.iterdir():
            path.chmod(0o600)
        unfinished.rename(folder)
    return manifest


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """The rows of each table that a backup holds."""
    names = [row[0] for row in connection.execute(TABLES, [list(SCHEMAS), list(ACCOUNTS)])]
    return {name: _value(connection, f"select count(*) from {name}") for name in names}


# Restore --------------------------------------------------------------------------------------------------------------


def restore(url: str, folder: Path, say: Say) -> dict[str, Any]:
    """Put a backup into a database that has the platform and nothing of ours; then see that all of it is there."""
    read(folder)
    with migrations.connect(url) as connection:
        _refuse_what_is_in_use(connection)
        defaults = [row[0] for row in connection.execute(DEFAULTS)]
        restorer, psql = _tool("pg_restore", connection), _tool("psql", connection)
    with _room(), tempfile.TemporaryDirectory() as scratch:
        before, after = Path(scratch, "before.sql"), Path(scratch, "after.sql")
        before.write_text(_before(defaults), encoding="utf-8")
        after.write_text(_after(folder, defaults), encoding="utf-8")
        scripts = [before]
        for name in (PEOPLE, DATABASE):
            scripts.append(Path(scratch, f"{name}.sql"))
            _script(restorer, folder / name, scripts[-1])
        options = [f"--file={path}" for path in (*scripts, after)]
        # PostgreSQL 17 sets what older servers do not know.
        for path in scripts[1:]:
            _blank(path, b"SET transaction_timeout = 0;")
        command = [psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", *options]
        say("restoring, in one transaction")
        _run_restore(command, url, folder)
    return check(url, folder, say)


def check(url: str, folder: Path, say: Say) -> dict[str, Any]:
    """See that all of a backup is there."""
    manifest = read(folder)
    with migrations.connect(url) as connection:
        verify(connection, manifest, say)
    return manifest


def _run_restore(command: list[str], url: str, folder: Path) -> None:
    """psql says by its status whether the server undid it all, or the connection broke and nobody knows."""
    done = subprocess.run(command, env=_environment(url), capture_output=True, text=True, check=False)
    if done.returncode == 2:
        raise ForgeError(
            f"the connection broke, so it is not known whether the restore was committed: {_last(done.stderr)}",
            "It is all there or nothing is. When the server answers again, run this again: either it restores, or it "
            f"says that the schema is there already, and then forge-db restore {folder} --verify says whether it is "
            "whole.",
        )
    if done.returncode != 0:
        raise ForgeError(
            f"the restore; nothing was changed: {_last(done.stderr)}",
            "The database is as empty as before. Mend what it says and run this again.",
        )


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a backup that is whole and ours."""
    if not (folder / MANIFEST).is_file() or not (folder / SUMS).is_file():
        raise ForgeError(
            f"{folder} is no backup made by forge-db: it lacks {MANIFEST} or {SUMS}",
            "A dump of another kind is restored by pg_restore itself. A folder that ends in .unfinished is half a one.",
        )
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in (DATABASE, PEOPLE, HOOKS, MANIFEST):
        path = folder / name
        if not path.is_file() or listed.get(name) != _digest(path):
            raise ForgeError(
                f"{path} is {'missing' if not path.is_file() else 'not what was written'}",
                "The backup is damaged; nothing was changed. Use another one.",
            )
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest.get("project") != PROJECT:
        raise ForgeError(f"{folder} is a backup of {manifest.get('project')!r}", "Nothing was changed. Check the path.")
    known = {it.version for it in migrations.local(MIGRATIONS)}
    newer = sorted(set(manifest["migrations"]) - known)
    if manifest["format"] > FORMAT or newer:
        raise ForgeError(
            f"{folder} was made by a newer version of this project"
            + (f": it has the migrations {', '.join(newer)}" if newer else ""),
            "Nothing was changed. Update your checkout, then run this again.",
        )
    return manifest


def _refuse_what_is_in_use(connection: psycopg.Connection) -> None:
    name = connection.info.dbname
    if _value(connection, "select to_regclass('auth.users') is null"):
        raise ForgeError(
            f'database "{name}" lacks what Supabase provides',
            "Restore into a Supabase project, or into a database prepared by sql/platform (see README.md).",
        )
    if _value(
        connection, "select to_regnamespace('private') is not null or to_regclass('public.system_config') is not null"
    ):
        raise ForgeError(
            f'database "{name}" holds the schema already, and perhaps data',
            "Nothing was changed. If a restore of yours broke off, forge-db restore FOLDER --verify says whether it is "
            "whole. Else restore into a new database. To empty this one: supabase/rollback/001_seed_data.sql, "
            "then 000_initial_schema.sql; they say what would be lost.",
        )
    if _value(connection, "select exists (select from auth.users)"):
        raise ForgeError(
            f'database "{name}" has accounts, which the backup would collide with',
            "Nothing was changed. Restore into a new project or database.",
        )
    if _value(
        connection, "select exists (select from pg_tables where schemaname = 'public' and tablename = 'profiles')"
    ):
        raise ForgeError(f'database "{name}" holds a legacy installation', "Nothing was changed. Use a new database.")


def _before(defaults: list[str]) -> str:
    """The role and the extensions as the schema files make them; no default privileges; no triggers to fire yet."""
    made = [
        it.code.removesuffix(";")
        for source in assemble.read_sources(SCHEMA_FILES)
        if source.number < 5  # the later ones are long, and make none
        for it in split(source.sql)
        if it.code == "create schema if not exists extensions"
        or (it.code.startswith("do ") and re.search("create (role app_admin|extension) ", it.code))
    ]
    revoked = [it.format("revoke", "from") for it in defaults]
    return "set lock_timeout = '10s';\n" + "".join(f"{it};\n" for it in [*made, *revoked])


def _after(folder: Path, defaults: list[str]) -> str:
    granted = "".join(f"{it.format('grant', 'to')};\n" for it in defaults)
    hooks = (folder / HOOKS).read_text(encoding="utf-8")
    strange = [line for line in hooks.splitlines() if not HOOK.fullmatch(line)]
    if strange:
        raise ForgeError(
            f"{folder / HOOKS} holds more than triggers: {strange[0][:100]}",
            "Nothing was changed. A backup is run as you: restore only what you trust.",
        )
    # What pg_dump has set for itself.
    return "reset all;\n" + granted + hooks


def _script(restorer: str, dump: Path, target: Path) -> None:
    """The SQL of a dump, without what the target has already."""
    listed = subprocess.run([restorer, "--list", dump], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise ForgeError(f"pg_restore cannot read {dump}: {_last(listed.stderr)}", "Nothing was changed.")
    lines = [line for line in listed.stdout.splitlines() if not NOT_OURS.match(line)]
    contents = target.with_suffix(".list")
    contents.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [restorer, f"--use-list={contents}", f"--file={target}", dump], capture_output=True, check=False
    )
    if done.returncode != 0:
        said = _last(done.stderr.decode())
        if os.strerror(errno.ENOSPC) in said:
            raise OSError(errno.ENOSPC, said)
        raise ForgeError(f"pg_restore cannot read {dump}: {said}", "Nothing was changed. Use another backup.")
    with target.open("rb") as script:
        if b"\n\\restrict " not in script.read(4096):
            raise ForgeError(
                f"{restorer} is too old to be given a backup: what hides in one could run commands on this machine",
                "Nothing was changed. Install a newer minor version (17.6, 16.10, 15.14) or set FORGE_PG_BIN.",
            )


@contextmanager
def _room() -> Iterator[None]:
    """The dump is laid out as SQL first, on this machine."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ForgeError(
            f"no room in {tempfile.gettempdir()}, where the backup is laid out before it is restored",
            "Nothing was changed. Make room there, or set TMPDIR to a folder that has more.",
        ) from error


def _blank(path: Path, statement: bytes) -> None:
    """Overwrite a statement at the head of a script, which may be too large to be written anew."""
    with path.open("r+b") as script:
        if (at := script.read(4096).find(statement)) >= 0:
            script.seek(at)
            script.write(b" " * len(statement))


def verify(connection: psycopg.Connection, manifest: dict[str, Any], say: Say) -> None:
    """Every table has its rows, every object its definition, and the three checks find nothing critical."""
    found = counts(connection)
    wrong = [
        f"{name}: {found.get(name, 'no table')} instead of {wanted}"
        for name, wanted in manifest["rows"].items()
        if found.get(name) != wanted
    ]
    if wrong:
        raise ForgeError(f"restored, but rows are missing: {'; '.join(wrong)}", "Do not use this database.")
    say(f"{sum(found.values())} rows in {len(found)} tables, as in the backup")
    if manifest["definitions_by"] == _digest(definitions.QUERY):
        wanted = {(kind, name): digest for kind, name, digest in manifest["definitions"]}
        actual = {key: row["digest"] for key, row in drift.read(connection).items()}
        if differ := sorted(" ".join(it) for it in wanted.keys() | actual.keys() if wanted.get(it) != actual.get(it)):
            raise ForgeError(f"restored, but defined differently: {'; '.join(differ)}", "Do not use this database.")
        say(f"{len(actual)} definitions, grants and policies among them, as in the backup")
    else:
        say("the backup is from another version of this tool: compare with forge-db drift")
    findings = [it for it in health.rows(health.ask(connection)) if it["status"] == "critical"]
    if findings:
        names = ", ".join(it["name"] for it in findings)
        raise ForgeError(f"restored and complete, but critical: {names}", "forge-db health says what to do.")
    say("health, integrity and security: nothing critical")


# Small helpers --------------------------------------------------------------------------------------------------------


def _tool(name: str, connection: psycopg.Connection) -> str:
    """A program that is not older than the server."""
    major = connection.info.server_version // 10000
    chosen = binaries.find()
    if chosen.version < major:
        raise ForgeError(
            f"the server is PostgreSQL {major}, and {name} in {chosen.directory} is {chosen.version}",
            f"Install PostgreSQL {major}'s client programs and set FORGE_PG_BIN to their directory.",
        )
    return chosen.tool(name)


def _run(command: list[str], url: str, what: str) -> None:
    done = subprocess.run(command, env=_environment(url), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ForgeError(f"{what}: {_last(done.stderr)}", "Mend what it says and run this again.")


def _environment(url: str) -> dict[str, str]:
    """How to connect, where other users of the machine do not see the password."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    names = {it.keyword.decode(): it.envvar.decode() for it in psycopg.pq.Conninfo.get_defaults() if it.envvar}
    return clean | {names[key]: str(value) for key, value in conninfo_to_dict(url).items() if key in names}


def _last(said: str) -> str:
    problems = [line for line in said.splitlines() if re.search(r"\b(error|ERROR|FATAL)\b", line)]
    return re.sub(
        r"^.*?\b(error|ERROR|FATAL): +", "", (problems or said.strip().splitlines() or ["no reason given"])[0]
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _value(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


# The commands ---------------------------------------------------------------------------------------------------------

_url = click.option(
    "--database-url",
    envvar="FORGE_DATABASE_URL",
    show_envvar=True,
    required=True,
    metavar="URL",
    help="Which database, and as whom: on Supabase the role postgres.",
)


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path))
@_url
def make(folder: Path, database_url: str) -> None:
    """Back up a database into a new folder.

    Schema and data of the project, and the accounts; as of one moment, while people work. Holds everything, so keep it
    like the database. docs/backup.md says what else there is to keep, and how to recover to a point in time.

    \b
    Examples:
      forge-db backup backups/2026-11-22 --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
      cd backups/2026-11-22 && sha256sum -c SHA256SUMS
    """
    manifest = backup(database_url, folder, _say)
    click.echo(f"{sum(manifest['rows'].values())} rows of {len(manifest['rows'])} tables are in {folder}")


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_url
@click.option("--verify", "only_verify", is_flag=True, help="Only compare a database with what was restored into it.")
def put_back(folder: Path, database_url: str, only_verify: bool) -> None:
    """Restore a backup into a new database, and verify it.

    The database has the Supabase platform and nothing else: a new project, or a local one without the schema. It is one
    transaction. Afterwards every table's rows are counted, every definition compared, and the three checks run.

    \b
    Examples:
      forge-db restore backups/2026-11-22 --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres
      forge-db restore backups/2026-11-22 --verify    after a restore that broke off at its end
    """
    (check if only_verify else restore)(database_url, folder, _say)
    click.echo("restored")


def _say(line: str) -> None:
    click.echo(line, err=True)


commands: list[click.Command] = [make, put_back]
