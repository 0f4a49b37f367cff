"""`forge-db apply`: pending migrations, each whole or not at all, recorded as the Supabase CLI would record them.

test_supabase_cli.py compares the record with the CLI's own.
"""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from forge_db import assemble, migrations
from forge_db.bench.pgbouncer import PgBouncer
from forge_db.cli import main
from forge_db.errors import ForgeError
from forge_db.paths import MIGRATIONS
from harness.databases import SUPERUSER, Database, Platform

HISTORY = "select version, name, statements from supabase_migrations.schema_migrations order by version"
SCHEMAS = r"select nspname from pg_namespace where nspname !~ '^pg_' order by 1"
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes a folder of migrations: `folder(**{"000_one": "select 1;"})`."""

    def make(**files: str) -> Path:
        for name, sql in files.items():
            (tmp_path / f"{name}.sql").write_text(sql, encoding="utf-8")
        return tmp_path

    return make


def rows(database: Database, query: str) -> list[Any]:
    with database.connect() as connection:
        return connection.execute(query).fetchall()


def apply(url: str, directory: Path = MIGRATIONS) -> Result:
    return CliRunner().invoke(main, ["apply", "--database-url", url, f"--migrations={directory}"])


# What it does ---------------------------------------------------------------------------------------------------------


def test_pending_migrations_are_applied_in_order_and_recorded(empty_database: Database, folder: Folder) -> None:
    directory = folder(
        **{"001_second": "insert into one values (1);", "000_first": "-- why\ncreate table one (id int);"}
    )
    applied = migrations.apply(empty_database.url(), directory)
    assert [(it.version, it.name, it.path.name) for it in applied] == [
        ("000", "first", "000_first.sql"),
        ("001", "second", "001_second.sql"),
    ]
    assert rows(empty_database, HISTORY) == [
        ("000", "first", ["-- why\ncreate table one (id int)"]),
        ("001", "second", ["insert into one values (1)"]),
    ]


def test_only_what_is_pending_is_applied(empty_database: Database, folder: Folder) -> None:
    first = apply(empty_database.url(), folder(**{"000_first": "create table one (id int);"}))
    assert (first.exit_code, first.stdout, first.stderr) == (0, "1 applied\n", "applied 000_first.sql\n")
    second = apply(empty_database.url(), folder(**{"20260101000000_second": "create table two (id int);"}))
    assert (second.exit_code, second.stderr) == (0, "applied 20260101000000_second.sql\n")
    third = apply(empty_database.url(), folder())
    assert (third.exit_code, third.stdout, third.stderr) == (0, "the database is up to date\n", "")


def test_it_works_as_the_user_of_the_url(empty_database: Database, folder: Folder) -> None:
    migrations.apply(empty_database.url(), folder(**{"000_first": "create table one (id int);"}))
    assert rows(empty_database, "select tableowner from pg_tables where tablename in ('one', 'schema_migrations')") == [
        ("postgres",),
        ("postgres",),
    ]


def test_a_setting_of_one_file_does_not_reach_the_next(empty_database: Database, folder: Folder) -> None:
    directory = folder(
        **{
            "000_first": "set search_path = ''; set statement_timeout = '1s'; set app.mine = 'x';",
            "001_second": "create table seen as select current_setting('search_path') || current_setting"
            "('statement_timeout') || current_setting('app.mine', true) as it;",
        }
    )
    migrations.apply(empty_database.url(), directory)
    assert rows(empty_database, "select it from public.seen") == [('"$user", public, extensions0',)]


def test_warnings_are_passed_on_and_notices_are_not(empty_database: Database, folder: Folder) -> None:
    warn = "do $$ begin raise notice 'only so'; raise warning 'mind this'; end $$;"
    assert (
        apply(empty_database.url(), folder(**{"000_warn": warn})).stderr == "Warning: mind this\napplied 000_warn.sql\n"
    )


def test_two_runs_at_once_apply_each_file_once(empty_database: Database, folder: Folder) -> None:
    until_the_other_waits = """
        do $$ begin
            while not exists (select from pg_locks where locktype = 'advisory' and not granted and database = (
                select oid from pg_database where datname = current_database()
            )) loop
                perform pg_sleep(0.02);
            end loop;
        end $$;"""
    directory = folder(**{"000_slow": until_the_other_waits, "001_table": "create table one (id int);"})
    barrier = threading.Barrier(2)
    said: list[str] = []

    def run(_: int) -> int:
        barrier.wait()
        return len(migrations.apply(empty_database.url(), directory, said.append))

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(run, range(2))) == [0, 2]
    (waiting,) = (line for line in said if line.startswith("waiting"))
    assert re.fullmatch(r"waiting for another forge-db apply to finish \(process \d+ of postgres\)", waiting)


HELD = (
    "select count(*) from pg_locks where locktype = 'advisory' "
    "and database = (select oid from pg_database where datname = current_database())"
)
AT_WORK = (
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
    "and state = 'active' and query like '%sleep(600)%'"
)


def die_half_way(database: Database, url: str, directory: Path) -> None:
    """A run through an address, killed in the midst of a migration. What it held is free within a while."""
    program = str(Path(sys.executable).with_name("forge-db"))
    command = [program, "apply", "--database-url", url, "--migrations", str(directory)]
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with database.connect(autocommit=True) as watcher:

        def until(query: str, wanted: int) -> None:
            limit = time.monotonic() + 60
            while watcher.execute(query.encode()).fetchone() != (wanted,):
                assert time.monotonic() < limit, query
                time.sleep(0.05)

        until(AT_WORK, 1)
        assert watcher.execute(HELD).fetchone() == (1,)
        victim.kill()
        victim.wait()
        until(HELD, 0)
        until(AT_WORK, 0)
    (directory / "001_slow.sql").write_text("create table two (id int);", encoding="utf-8")
    assert [it.version for it in migrations.apply(url, directory)] == ["001"]


def test_a_run_that_dies_half_way_leaves_no_lock(empty_database: Database, folder: Folder) -> None:
    directory = folder(**{"000_table": "create table one (id int);", "001_slow": "select pg_sleep(600);"})
    die_half_way(empty_database, empty_database.url(), directory)


@pytest.mark.pgbouncer
def test_nor_through_a_pooler(empty_database: Database, folder: Folder) -> None:
    """Which keeps the session of a client that has gone, and gives it to the next one."""
    directory = folder(**{"000_table": "create table one (id int);", "001_slow": "select pg_sleep(600);"})
    with PgBouncer.before(empty_database.server, empty_database.name, user="postgres") as pooler:
        die_half_way(empty_database, pooler.url, directory)
        with empty_database.connect() as owner:
            assert owner.execute(HELD).fetchone() == (0,), "nor does one that ends well"


def test_what_no_transaction_can_hold_runs_outside(empty_database: Database, folder: Folder) -> None:
    directory = folder(
        **{
            "000_table": "create table one (id int);",
            "001_index": "create index concurrently one_id on one (id);",
            "002_both": "insert into one values (1); vacuum one; insert into one values (2);",
        }
    )
    assert len(migrations.apply(empty_database.url(), directory)) == 3
    assert rows(empty_database, "select id from one order by id") == [(1,), (2,)]
    assert len(rows(empty_database, HISTORY)) == 3


def test_bytes_that_editors_add_do_no_harm(empty_database: Database, tmp_path: Path) -> None:
    (tmp_path / "000_windows.sql").write_bytes(b"\xef\xbb\xbfcreate table one (\r\n    id int\r\n);\r\n")
    migrations.apply(empty_database.url(), tmp_path)
    assert rows(empty_database, HISTORY) == [("000", "windows", ["create table one (\r\n    id int\r\n)"])]


def test_an_older_history_table_is_completed(empty_database: Database, folder: Folder) -> None:
    with empty_database.connect() as connection:
        connection.execute("create schema supabase_migrations")
        connection.execute("create table supabase_migrations.schema_migrations (version text not null primary key)")
    migrations.apply(empty_database.url(), folder(**{"000_first": "select 1;"}))
    assert rows(empty_database, HISTORY) == [("000", "first", ["select 1"])]


# All or nothing -------------------------------------------------------------------------------------------------------


def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(empty_database: Database, folder: Folder) -> None:
    directory = folder(
        **{
            "000_good": "create table one (id int);",
            "001_bad": "create table two (id int);\n\n-- divides\nselect\n    1 / 0;\n",
            "002_never": "create table three (id int);",
        }
    )
    result = apply(empty_database.url(), directory)
    assert result.exit_code == 1
    assert result.stderr == "applied 000_good.sql\nError: 001_bad.sql, line 4: division by zero\n"
    assert [version for version, *_ in rows(empty_database, HISTORY)] == ["000"]
    tables = "select string_agg(tablename, ' ') from pg_tables where schemaname = 'public'"
    assert rows(empty_database, tables) == [("one",)]


def test_the_first_file_that_fails_leaves_no_trace_at_all(empty_database: Database, folder: Folder) -> None:
    before = rows(empty_database, SCHEMAS)
    assert apply(empty_database.url(), folder(**{"000_bad": "create schema mine; select 1 / 0;"})).exit_code == 1
    assert rows(empty_database, SCHEMAS) == before


def test_a_file_and_its_record_are_one_transaction(empty_database: Database, folder: Folder) -> None:
    """Here the record fails, after every statement of the file has passed."""
    migrations.apply(empty_database.url(), folder(**{"000_good": "select 1;"}))
    sql = "create table one (id int); insert into supabase_migrations.schema_migrations (version) values ('001');"
    result = apply(empty_database.url(), folder(**{"001_records_itself": sql}))
    assert result.exit_code == 1
    assert "duplicate key value" in result.stderr
    assert rows(empty_database, "select to_regclass('public.one')") == [(None,)]
    assert len(rows(empty_database, HISTORY)) == 1


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select 1;\n\n-- c\nselect no_such;", 'line 4: column "no_such" does not exist'),
        ("/* a\nb */\nselect 1,\n  2,\n  no_such;", 'line 5: column "no_such" does not exist'),
        (
            "do $$ begin raise 'no' using detail = 'Because.', hint = E'Do\\nthis.'; end $$;",
            "line 1: no (Because.)\nHint: Do this.",
        ),
    ],
)
def test_an_error_names_the_place_and_keeps_the_hint(
    empty_database: Database, folder: Folder, sql: str, said: str
) -> None:
    assert apply(empty_database.url(), folder(**{"000_bad": sql})).stderr == f"Error: 000_bad.sql, {said}\n"


# Refusals -------------------------------------------------------------------------------------------------------------


def test_versions_that_only_the_database_has_are_refused(empty_database: Database, folder: Folder) -> None:
    migrations.apply(empty_database.url(), folder(**{"000_one": "select 1;", "20250101000000_old": "select 1;"}))
    (folder() / "20250101000000_old.sql").unlink()
    result = apply(empty_database.url(), folder(**{"20260101000000_new": "create table new (id int);"}))
    assert result.exit_code == 1
    assert "Error: the database has migrations that are not in this project: 20250101000000\n" in result.stderr
    assert "supabase migration repair --status reverted 20250101000000\n" in result.stderr
    assert rows(empty_database, "select to_regclass('public.new')") == [(None,)]


def test_a_file_before_the_last_applied_one_is_refused(empty_database: Database, folder: Folder) -> None:
    migrations.apply(empty_database.url(), folder(**{"000_one": "select 1;", "20250101000000_two": "select 1;"}))
    result = apply(empty_database.url(), folder(**{"001_late": "select 1;", "20260101000000_new": "select 1;"}))
    assert result.exit_code == 1
    assert "come before the last one that the database has: 001_late.sql\nHint: " in result.stderr
    assert "supabase db push --include-all" in result.stderr
    assert len(rows(empty_database, HISTORY)) == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no migrations in "),
        ({"000_one": "", "000_two": ""}, "two migrations are numbered 000: 000_one.sql and 000_two.sql"),
    ],
)
def test_a_folder_that_makes_no_sense_is_refused(folder: Folder, files: dict[str, str], said: str) -> None:
    with pytest.raises(ForgeError, match=said):
        migrations.local(folder(**files))


def test_files_with_other_names_are_skipped_aloud(tmp_path: Path) -> None:
    for name in (
        "001_b.sql",
        "000_a_b.c.sql",
        "002.sql",
        "003-dash.sql",
        "name.sql",
        "readme.md",
        "20200101000000_x.sql",
    ):
        (tmp_path / name).write_text("select 1;", encoding="utf-8")
    (tmp_path / "004_folder.sql").mkdir()
    said: list[str] = []
    found = migrations.local(tmp_path, said.append)
    assert [(it.version, it.name) for it in found] == [("000", "a_b.c"), ("001", "b"), ("20200101000000", "x")]
    assert [line.split()[1] for line in said] == ["002.sql", "003-dash.sql", "name.sql", "readme.md"]


def test_versions_are_ordered_as_text(folder: Folder) -> None:
    directory = folder(**{"10_c": "", "1_b": "", "010_a": "", "9_d": ""})
    assert [it.version for it in migrations.local(directory)] == ["010", "1", "10", "9"]


def test_the_first_file_of_an_ancient_project_is_skipped_as_the_cli_does(folder: Folder) -> None:
    directory = folder(**{"20210101000000_init": "select 1;", "20220101000000_init": "select 1;"})
    assert [it.version for it in migrations.local(directory)] == ["20220101000000"]


@pytest.mark.parametrize(
    "sql",
    ["\ufeffbegin; create table one (id int); commit;", "create table one (id int); -- no\nrollback;"],
    ids=["begin", "rollback"],
)
def test_transaction_control_is_refused_before_anything_runs(
    empty_database: Database, folder: Folder, sql: str
) -> None:
    result = apply(empty_database.url(), folder(**{"000_own": sql}))
    assert result.exit_code == 1
    line = 1 + sql.count("\n")
    assert f"Error: 000_own.sql, line {line}: transaction control\nHint: Remove it" in result.stderr
    assert rows(empty_database, "select to_regclass('public.one')") == [(None,)]


def test_a_file_that_is_no_text_is_refused(empty_database: Database, tmp_path: Path) -> None:
    (tmp_path / "000_bad.sql").write_bytes(b"select '\xff';")
    assert apply(empty_database.url(), tmp_path).stderr.startswith("Error: 000_bad.sql is not UTF-8 at byte 8\nHint: ")


# Databases that cannot be used ----------------------------------------------------------------------------------------

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://postgres:{SECRET}@127.0.0.1:1/postgres",
        f"postgresql://postgres:{SECRET}@no-such-host.invalid/postgres",
        f"postgresql://postgres:a@{SECRET}@127.0.0.1/postgres",
        f"postgresql://postgres:a/{SECRET}@127.0.0.1/postgres",
        f"postgresql://postgres:a?{SECRET}@127.0.0.1/postgres",
        f"postgresql://postgres:1/{SECRET}@127.0.0.1/postgres",
        f"postgresql://postgres:%zz{SECRET}@127.0.0.1/postgres",
        f"postgresql://postgres:{SECRET}",
        f"postgres:{SECRET}@127.0.0.1",
        f"https://postgres:{SECRET}@127.0.0.1/postgres",
        f"host=127.0.0.1 port=1 password={SECRET}",
    ],
)
def test_an_unreachable_server_is_one_line_and_a_hint_without_the_password(folder: Folder, url: str) -> None:
    result = apply(url, folder(**{"000_one": "select 1;"}))
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert error.startswith(("Error: cannot connect: ", "Error: the database URL cannot be read"))
    assert hint.startswith("Hint: ")
    assert SECRET not in result.output


def test_a_wrong_password_or_name_is_one_line_and_a_hint(empty_database: Database, folder: Folder) -> None:
    url = empty_database.url()
    password = psycopg.conninfo.conninfo_to_dict(url)["password"]
    directory = folder(**{"000_one": "select 1;"})
    for wrong, said in [
        (url.replace(f":{password}@", f":{SECRET}@"), 'password authentication failed for user "postgres"'),
        (url.replace(empty_database.name, "no_such_database"), 'database "no_such_database" does not exist'),
    ]:
        error, hint = apply(wrong, directory).stderr.splitlines()
        assert error.startswith("Error: cannot connect: ")
        assert error.endswith(said)
        assert hint.startswith("Hint: Check the URL.")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The migrations of this project as its sources are now."""
    for name, text in assemble.build().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_plain_postgresql_is_refused_with_the_command_that_mends_it(
    platform: Platform, empty_database: Database, project: Path
) -> None:
    name = f"{empty_database.name}_plain"
    with empty_database.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute(f"create database {name} owner postgres template template0")
    try:
        plain = platform.database(name)
        before = rows(plain, SCHEMAS)
        result = apply(plain.url(), project)
        assert result.exit_code == 1
        error, hint = result.stderr.splitlines()
        assert error.startswith("Error: 000_initial_schema.sql, line ")
        assert "this database lacks what Supabase provides: schema auth" in error
        assert "psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql" in hint
        assert rows(plain, SCHEMAS) == before
    finally:
        with empty_database.connect(SUPERUSER, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")


def test_a_legacy_installation_is_refused_and_left_alone(empty_database: Database, project: Path) -> None:
    with empty_database.connect() as connection:
        connection.execute("create table public.profiles (id uuid primary key, user_id uuid, display_name text)")
    before = rows(empty_database, SCHEMAS)
    result = apply(empty_database.url(), project)
    assert result.exit_code == 1
    error, hint = result.stderr.splitlines()
    assert "this database holds a legacy PromptCraft Forge installation" in error
    assert hint.startswith("Hint: Nothing was changed.")
    assert rows(empty_database, SCHEMAS) == before


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("table public.user_profiles (id uuid)", "table public.user_profiles of authenticated"),
        ("function public.is_admin() returns boolean return false", "function public.is_admin() of authenticated"),
        ("type public.mood as enum ('good')", "type public.mood of authenticated"),
    ],
)
def test_what_a_role_of_the_api_has_made_beforehand_is_not_built_upon(
    empty_database: Database, project: Path, made: str, named: str
) -> None:
    """An old database lets everybody create in public; whoever owns a table or a function there keeps it."""
    with empty_database.connect(SUPERUSER) as admin:
        admin.execute("grant create on schema public to authenticated")
        admin.execute("set role authenticated")
        admin.execute(f"create {made}".encode())
    before = rows(empty_database, SCHEMAS)
    result = apply(empty_database.url(), project)
    assert result.exit_code == 1
    error, hint = result.stderr.splitlines()
    assert named in error
    assert hint.startswith("Hint: Nothing was changed.")
    assert rows(empty_database, SCHEMAS) == before


def test_no_function_in_public_is_taken_for_one_of_postgresql(empty_database: Database, project: Path) -> None:
    """Where the types of its arguments fit better it would be: format() takes "any", this one takes what is there."""
    with empty_database.connect() as owner:
        owner.execute("create table public.called (statement text)")
        for types in ("text, text", "text, name", "text, text, text", "text, name, text", "text, text, text, text"):
            owner.execute(
                f"create function public.format({types}) returns text language plpgsql as $$ begin "
                "insert into public.called values (current_query()); return $1; end $$".encode()
            )
    assert apply(empty_database.url(), project).exit_code == 0
    assert rows(empty_database, "select left(statement, 200) from public.called") == []


def test_the_migrations_of_this_project_apply_to_a_platform_database(empty_database: Database, project: Path) -> None:
    result = apply(empty_database.url(), project)
    assert (result.exit_code, result.stdout) == (0, "2 applied\n")
    assert result.stderr == "applied 000_initial_schema.sql\napplied 001_seed_data.sql\n"
    assert [(version, name) for version, name, _ in rows(empty_database, HISTORY)] == [
        ("000", "initial_schema"),
        ("001", "seed_data"),
    ]


def test_the_first_one_keeps_nobody_from_signing_in_for_long(empty_database: Database, project: Path) -> None:
    """Behind a migration that waits for a lock on auth.users, every sign-in would wait as well."""
    before = rows(empty_database, SCHEMAS)
    first = project / "000_initial_schema.sql"
    impatient = first.read_text(encoding="utf-8").replace("lock_timeout = '5s'", "lock_timeout = '50ms'")
    first.write_text(impatient, encoding="utf-8")
    with empty_database.connect("supabase_auth_admin") as somebody:
        somebody.execute("insert into auth.users (id) values (gen_random_uuid())")
        result = apply(empty_database.url(), project)
    assert result.exit_code == 1
    assert "canceling statement due to lock timeout" in result.stderr
    assert rows(empty_database, SCHEMAS) == before


@pytest.mark.one_platform
def test_an_extension_that_the_platform_makes_its_own_stops_nothing(empty_database: Database) -> None:
    """As supautils does: postgres may create it, and somebody else owns it then."""
    with empty_database.connect(SUPERUSER, autocommit=True) as platform:
        platform.execute("drop extension pgcrypto cascade")
        platform.execute(
            """
            create function extensions.take() returns event_trigger language plpgsql security definer as $$
            begin
                update pg_catalog.pg_extension set extowner = 'supabase_admin'::regrole where extname = 'pgcrypto';
            end $$;
            create event trigger take on ddl_command_end when tag in ('CREATE EXTENSION')
            execute function extensions.take()
            """
        )
        migrations.apply(empty_database.url())
        found = platform.execute(
            "select extowner::regrole::text, obj_description(oid, 'pg_extension') from pg_extension "
            "where extname = 'pgcrypto'"
        )
        assert found.fetchone() == ("supabase_admin", "cryptographic functions")
