"""Installing by hand: any number of runs end the same, a wrong start says what is missing and creates nothing."""

import re
import shlex
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from forge_db.paths import SCHEMA
from forge_db.statements import split
from harness import databases, psql
from harness.clusters import Cluster
from harness.databases import PREFIX, REGIMES, SUPERUSER, Database, Platform

How = Callable[[Database, Iterable[Path]], str]

FILES = sorted(SCHEMA.glob("*.sql"))
HOW: dict[str, How] = {"psql -f": psql.files, "include": psql.include}

every_way = pytest.mark.parametrize("how", HOW.values(), ids=HOW)


@pytest.fixture
def migrations(tmp_path: Path) -> list[Path]:
    """000 and 001 as built from the schema files as they are now."""
    for name, text in databases.built_migrations().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return sorted(tmp_path.glob("*.sql"))


@pytest.fixture
def plain_database(platform: Platform) -> Iterable[Database]:
    """PostgreSQL without the platform; only its roles are there, because they belong to the server."""
    name = f"{PREFIX}plain_{uuid4().hex[:8]}"
    with psycopg.connect(platform.cluster.server.url(SUPERUSER), autocommit=True) as admin:
        admin.execute(f"create database {name} owner postgres template template0")
        yield platform.database(name)
        admin.execute(f"drop database {name} with (force)")


# Twice ----------------------------------------------------------------------------------------------------------------


@every_way
def test_schema_files_run_twice_and_the_second_run_changes_nothing(
    empty_database: Database, scratch: Database, how: How
) -> None:
    assert "ERROR" not in how(empty_database, FILES)
    once = psql.dump(empty_database)
    assert "COPY public.prompt_frameworks" in once
    assert "ERROR" not in how(empty_database, FILES)
    assert psql.dump(empty_database) == once
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")


def test_the_type_of_rate_limits_moves_to_public(scratch: Database) -> None:
    """It was in private, where clients' types could not describe it."""
    now = psql.dump(scratch, "--schema-only")
    with scratch.connect() as owner:
        owner.execute("alter type public.rate_limit_verdict set schema private")
    assert psql.dump(scratch, "--schema-only") != now
    assert "ERROR" not in psql.files(scratch, FILES)
    assert psql.dump(scratch, "--schema-only") == now


def test_each_schema_file_runs_twice_in_a_row(empty_database: Database) -> None:
    assert "ERROR" not in psql.files(empty_database, [file for file in FILES for _ in range(2)])


def test_migrations_run_twice_and_the_second_run_changes_nothing(
    empty_database: Database, scratch: Database, migrations: list[Path]
) -> None:
    assert "ERROR" not in psql.files(empty_database, migrations)
    once = psql.dump(empty_database)
    assert "ERROR" not in psql.files(empty_database, migrations)
    assert psql.dump(empty_database) == once
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")


def test_installing_says_nothing_but_notices(empty_database: Database) -> None:
    said = psql.files(empty_database, FILES)
    assert [line for line in said.splitlines() if "NOTICE" not in line] == []


# Who may do what, in both grant regimes -------------------------------------------------------------------------------

GRANTS = """
    with ours as (
        select oid, nspname from pg_namespace where nspname in ('public', 'private', 'archive')
    ),
    granted as (
        select 'schema ' || nspname as object, nspacl as acl from pg_namespace natural join ours
        union all
        select class.oid::regclass::text, relacl from pg_class as class inner join ours on ours.oid = relnamespace
        union all
        select attrelid::regclass || '.' || attname, attacl
        from pg_attribute
        inner join pg_class as class on class.oid = attrelid
        inner join ours on ours.oid = relnamespace
        union all
        select proc.oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner))
        from pg_proc as proc inner join ours on ours.oid = pronamespace
    )
    select object, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC'), privilege_type, is_grantable
    from granted, aclexplode(acl)
"""


def test_both_grant_regimes_end_in_the_same_grants(cluster: Cluster) -> None:
    ready = [databases.prepare(cluster, regime) for regime in REGIMES]
    found = []
    for platform in ready:
        with platform.clone(f"grants_{uuid4().hex[:8]}") as database, database.connect() as connection:
            found.append(set(connection.execute(GRANTS)))
    explicit, auto = found
    assert len(explicit) > 100
    assert explicit - auto == set()
    assert auto - explicit == set()


# Wrong starts ---------------------------------------------------------------------------------------------------------


@every_way
def test_a_file_that_comes_too_early_names_the_one_before_it_and_creates_nothing(
    empty_database: Database, how: How
) -> None:
    for left_out, early in pairwise(FILES):
        before = psql.traces(empty_database)
        said = how(empty_database, [early])
        assert f"{early.name} needs {left_out.name}, which has not been run to its end" in said
        assert f"psql -v ON_ERROR_STOP=1 -f supabase/schema/{left_out.name}" in said
        assert psql.traces(empty_database) == before
        assert "ERROR" not in how(empty_database, [left_out])


def test_a_wrong_order_typed_into_one_session_creates_nothing(empty_database: Database) -> None:
    before = psql.traces(empty_database)
    psql.include(empty_database, [FILES[1], FILES[0], *FILES[2:]])
    assert psql.traces(empty_database) == before


CALLABLE = """
    with recursive reached (oid) as (
        select bond.refobjid from pg_depend as bond join pg_proc as wrapper on bond.objid = wrapper.oid
        where bond.classid = 'pg_proc'::regclass and bond.refclassid = 'pg_proc'::regclass
            and wrapper.pronamespace = 'public'::regnamespace
        union
        select bond.refobjid from pg_depend as bond join reached on bond.objid = reached.oid
        where bond.classid = 'pg_proc'::regclass and bond.refclassid = 'pg_proc'::regclass
    )
    select worker.oid::regprocedure || ' by ' || role.rolname
    from pg_proc as worker cross join pg_roles as role
    where worker.oid in (select oid from reached) and worker.prosecdef
        and role.rolname in ('anon', 'authenticated', 'service_role')
        and has_function_privilege(role.oid, worker.oid, 'execute')
"""


@pytest.mark.one_platform
def test_wherever_an_installation_stops_nobody_calls_what_runs_as_its_owner(empty_database: Database) -> None:
    """A wrapper is bound to its worker, so nobody needs to look the worker's name up to call it."""
    found = dict[str, set[str]]()
    with empty_database.connect(autocommit=True) as owner:
        for path in sorted(SCHEMA.glob("*.sql")):
            for statement in split(path.read_text(encoding="utf-8")):
                owner.execute(statement.text.encode())
                if re.match("create or replace function public|grant execute", statement.code):
                    found[statement.code] = {name for (name,) in owner.execute(CALLABLE)}
        at_last = {name for (name,) in owner.execute(CALLABLE)}
    assert len(at_last) > 20
    assert [code[:80] for code, names in found.items() if names - at_last] == []


@pytest.mark.one_platform
def test_psql_that_runs_on_after_an_error_leaves_it_closed(empty_database: Database, scratch: Database) -> None:
    """Something of one's own is where a function of ours was to be, so what 07 says of many at once fails."""
    with empty_database.connect(autocommit=True) as owner, scratch.connect() as whole:
        owner.execute("create procedure public.get_slow_queries(max_rows integer) language sql as 'select 1'")
        assert "get_slow_queries(integer) is not a function" in psql.include(empty_database, FILES)
        names, meant = ({name for (name,) in it.execute(CALLABLE)} for it in (owner, whole))
    assert names < meant


@every_way
def test_plain_postgresql_gets_told_what_is_missing_and_the_command_that_is_told_works(
    plain_database: Database, how: How
) -> None:
    before = psql.traces(plain_database)
    said = how(plain_database, FILES)
    assert "this database lacks what Supabase provides: schema auth, table auth.users, function auth.uid()" in said
    assert psql.traces(plain_database) == before

    hint = re.search(r"HINT: .*?(psql .*)", said)
    assert hint is not None
    psql.run(plain_database, *shlex.split(hint[1])[1:], user=SUPERUSER)
    assert "ERROR" not in how(plain_database, FILES)


def test_the_migration_alone_tells_plain_postgresql_the_same(plain_database: Database, migrations: list[Path]) -> None:
    before = psql.traces(plain_database)
    assert "this database lacks what Supabase provides" in psql.files(plain_database, migrations)
    assert psql.traces(plain_database) == before


LEGACY = {
    "profiles": "create table public.profiles (user_id uuid)",
    "api_configurations": "create table public.api_configurations (user_id uuid, provider varchar(50))",
    "user_preferences": "create table public.user_preferences (user_id uuid, selected_model varchar(50))",
    "prompt_history": "create table public.prompt_history (user_id uuid, model varchar(50))",
    "feedback": "create table public.feedback (user_id uuid, message text)",
}


@every_way
def test_a_legacy_installation_is_recognised_by_any_of_its_tables_and_left_as_it_is(
    empty_database: Database, how: How
) -> None:
    for table, statement in LEGACY.items():
        with empty_database.connect() as postgres:
            postgres.execute(statement)
        before = psql.traces(empty_database)
        assert "this database holds a legacy PromptCraft Forge installation" in how(empty_database, FILES)
        assert psql.traces(empty_database) == before
        with empty_database.connect() as postgres:
            postgres.execute(f"drop table public.{table}")
