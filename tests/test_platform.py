"""The stand-in for the platform: does it let pass what Supabase lets pass, and refuse what Supabase refuses?

Every test here logs in for real, as postgres unless it says otherwise, in a database with the platform and nothing of
ours. A stand-in that allows more than the platform would let migrations pass here that fail there.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from forge_db import paths
from forge_db import platform as standin
from forge_db.errors import ForgeError
from harness.clusters import Cluster
from harness.databases import SUPERUSER, Database, Platform

API_ROLES = ("anon", "authenticated", "service_role")
USER = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"


@pytest.fixture(scope="module")
def database(platform: Platform) -> Iterator[Database]:
    with platform.clone(f"{os.getpid()}_platform", migrated=False) as database:
        yield database


@contextmanager
def undone(database: Database, user: str) -> Iterator[psycopg.Connection]:
    with database.connect(user) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def postgres(database: Database) -> Iterator[psycopg.Connection]:
    with undone(database, "postgres") as connection:
        yield connection


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection]:
    with undone(database, SUPERUSER) as connection:
        yield connection


def column(connection: psycopg.Connection, query: str, parameters: Any = None) -> list[Any]:
    return [row[0] for row in connection.execute(query, parameters)]


def value(connection: psycopg.Connection, query: str, parameters: Any = None) -> Any:
    (found,) = column(connection, query, parameters)
    return found


def run_file(connection: psycopg.Connection, name: str) -> None:
    connection.execute((paths.PLATFORM / name).read_bytes())


def contents(database: Database) -> str:
    """Everything in a database, but for the random words that newer versions of pg_dump put around it."""
    dump = subprocess.run(
        [database.server.binaries.tool("pg_dump"), database.url(SUPERUSER)], capture_output=True, text=True, check=True
    ).stdout
    return "\n".join(line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def roles(connection: psycopg.Connection) -> list[Any]:
    """Attributes, settings and memberships of the platform's roles; passwords are none of the stand-in's business."""
    return [
        connection.execute(query, [list(ATTRIBUTES)]).fetchall()
        for query in (
            "select * from pg_roles where rolname = any (%s) order by rolname",
            "select setdatabase, setrole::regrole::text, setconfig from pg_db_role_setting "
            "where setrole::regrole::text = any (%s) order by 1, 2",
            "select roleid::regrole::text, member::regrole::text, grantor::regrole::text, admin_option "
            "from pg_auth_members where roleid::regrole::text <> 'app_admin' and member::regrole::text = any (%s) "
            "order by 1, 2, 3",
        )
    ]


# Roles ----------------------------------------------------------------------------------------------------------------

ATTRIBUTES = {
    "anon": "inherit",
    "authenticated": "inherit",
    "service_role": "inherit bypassrls",
    "authenticator": "login",
    "postgres": "login inherit createrole createdb replication bypassrls",
    "dashboard_user": "inherit createrole createdb replication",
    "supabase_admin": "superuser login inherit createrole createdb replication bypassrls",
    "supabase_auth_admin": "login",
    "supabase_storage_admin": "login createrole",
    "supabase_read_only_user": "login inherit bypassrls",
}


@pytest.mark.parametrize("role", ATTRIBUTES)
def test_role_has_the_attributes_of_the_platform(postgres: psycopg.Connection, role: str) -> None:
    attributes = """
        select concat_ws(' ',
            case when rolsuper then 'superuser' end, case when rolcanlogin then 'login' end,
            case when rolinherit then 'inherit' end, case when rolcreaterole then 'createrole' end,
            case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end,
            case when rolbypassrls then 'bypassrls' end)
        from pg_roles where rolname = %s
    """
    assert value(postgres, attributes, [role]) == ATTRIBUTES[role]


def test_postgres_may_pass_on_its_memberships_where_postgresql_asks_for_that(postgres: psycopg.Connection) -> None:
    members = "select roleid::regrole::text, admin_option from pg_auth_members where member = 'postgres'::regrole"
    found = {role: admin for role, admin in postgres.execute(members) if role != "app_admin"}
    needs_admin = postgres.info.server_version >= 160000
    expected = [*API_ROLES, "pg_monitor", "pg_read_all_data", "pg_signal_backend"]
    if needs_admin:
        expected += ["authenticator", "pg_create_subscription"]
    assert found == dict.fromkeys(expected, needs_admin) | {"supabase_privileged_role": False}


def test_authenticator_may_become_the_three_api_roles_and_has_no_rights_of_its_own(database: Database) -> None:
    with undone(database, "authenticator") as authenticator:
        for role in API_ROLES:
            authenticator.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            assert value(authenticator, "select current_user") == role
        for role in ("postgres", SUPERUSER, "supabase_auth_admin"):
            with pytest.raises(errors.InsufficientPrivilege), authenticator.transaction():
                authenticator.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))


SETTINGS = {
    "anon": ["statement_timeout=3s"],
    "authenticated": ["statement_timeout=8s"],
    "service_role": None,
    "authenticator": ["statement_timeout=8s", "lock_timeout=8s"],
    "postgres": ['search_path="$user", public, extensions'],
    "supabase_admin": ['search_path="$user", public, auth, extensions'],
    "supabase_auth_admin": ["search_path=auth", "idle_in_transaction_session_timeout=60s"],
}


@pytest.mark.parametrize("role", SETTINGS)
def test_role_has_the_settings_of_the_platform(postgres: psycopg.Connection, role: str) -> None:
    assert value(postgres, "select rolconfig from pg_roles where rolname = %s", [role]) == SETTINGS[role]


def test_settings_of_a_role_do_not_follow_set_role(database: Database) -> None:
    with undone(database, "authenticator") as authenticator:
        authenticator.execute("set local role anon")
        assert value(authenticator, "show statement_timeout") == "8s"


def test_postgres_makes_roles_of_its_own_that_requests_can_run_as(database: Database) -> None:
    with undone(database, "postgres") as postgres:
        postgres.execute("create role tester nologin; grant tester to authenticator; grant authenticated to tester")
        assert value(postgres, "select pg_has_role('authenticator', 'tester', 'member')")
        assert value(postgres, "select has_schema_privilege('tester', 'auth', 'usage')"), "as a member of authenticated"


@pytest.mark.parametrize("attribute", ["bypassrls", "replication"])
def test_what_postgres_has_it_may_give_from_16_on(postgres: psycopg.Connection, attribute: str) -> None:
    create = sql.SQL("create role tester {}").format(sql.SQL(attribute))
    if postgres.info.server_version >= 160000:
        postgres.execute(create)
    else:
        with pytest.raises(errors.InsufficientPrivilege):
            postgres.execute(create)


# Schemas --------------------------------------------------------------------------------------------------------------


def test_database_and_schemas_have_the_owners_of_the_platform(postgres: psycopg.Connection) -> None:
    owners = """
        select nspname, nspowner::regrole::text from pg_namespace where nspname in ('auth', 'extensions', 'public')
        union all
        select 'database', datdba::regrole::text from pg_database where datname = current_database()
    """
    assert dict(postgres.execute(owners).fetchall()) == {
        "database": "postgres",
        "public": "pg_database_owner",
        "extensions": "postgres",
        "auth": "supabase_admin",
    }


@pytest.mark.parametrize("role", API_ROLES)
def test_api_role_uses_public_auth_and_extensions_and_creates_nowhere(postgres: psycopg.Connection, role: str) -> None:
    may = "select has_schema_privilege(%s, %s, %s)"
    for schema in ("public", "auth", "extensions"):
        assert value(postgres, may, [role, schema, "usage"])
        assert not value(postgres, may, [role, schema, "create"])


def test_pgcrypto_is_in_extensions_and_not_ours_to_alter(postgres: psycopg.Connection) -> None:
    schema = "select extnamespace::regnamespace::text from pg_extension where extname = 'pgcrypto'"
    assert value(postgres, schema) == "extensions"
    assert value(postgres, "select extensions.digest('a', 'sha256') is not null")
    with pytest.raises(errors.InsufficientPrivilege, match="must be owner of extension"):
        postgres.execute("comment on extension pgcrypto is 'ours'")


# auth.users -----------------------------------------------------------------------------------------------------------


def test_users_has_the_columns_of_supabase_auth(postgres: psycopg.Connection) -> None:
    columns = "from pg_attribute where attrelid = 'auth.users'::regclass and attnum > 0"
    assert value(postgres, f"select count(*) {columns}") == 35
    assert set(column(postgres, f"select attname {columns} and attnotnull")) == {"id", "is_sso_user", "is_anonymous"}
    assert column(postgres, f"select attname {columns} and attgenerated <> ''") == ["confirmed_at"]


def test_users_is_shut_by_row_level_security_without_policies(postgres: psycopg.Connection) -> None:
    table = "select relowner::regrole::text, relrowsecurity from pg_class where oid = 'auth.users'::regclass"
    assert postgres.execute(table).fetchone() == ("supabase_auth_admin", True)
    assert column(postgres, "select polname from pg_policy where polrelid = 'auth.users'::regclass") == []


@pytest.mark.parametrize("role", API_ROLES)
def test_api_role_may_not_read_users(database: Database, role: str) -> None:
    with undone(database, "authenticator") as authenticator:
        authenticator.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for table users"):
            authenticator.execute("select id from auth.users")


def test_an_address_may_come_back_by_single_sign_on_only(postgres: psycopg.Connection) -> None:
    add = "insert into auth.users (id, email, is_sso_user) values (gen_random_uuid(), 'ada@example.com', %s)"
    postgres.execute(add, [False])
    postgres.execute(add, [True])
    with pytest.raises(errors.UniqueViolation) as refused:
        postgres.execute(add, [False])
    assert refused.value.diag.constraint_name == "users_email_partial_key"


OURS = "create function public.greet() returns trigger language plpgsql as 'begin return new; end'"
MAY = {
    "foreign key": "create table public.t (user_id uuid references auth.users (id) on delete cascade)",
    "trigger": f"{OURS}; create trigger t after insert on auth.users for each row execute function public.greet()",
    "or replace trigger": f"{OURS}; "
    + "create or replace trigger t after insert on auth.users for each row execute function public.greet(); " * 2,
    "insert": f"insert into auth.users (id) values ('{USER}')",
    "update": "update auth.users set role = 'app_admin'",
    "delete": "delete from auth.users",
    "select": "select * from auth.users",
    "grant select": "grant select on auth.users to authenticated",
    "own setting of the session": "select set_config('app.x', 'y', true)",
    "trusted extension": "create extension pg_trgm with schema extensions",
    "statement timeout of a request": "alter role anon set statement_timeout = '4s'",
}
OWNER_ONLY = "must be owner of "
MAY_NOT = {
    "disable trigger": ("alter table auth.users disable trigger all", OWNER_ONLY),
    "add column": ("alter table auth.users add column x text", OWNER_ONLY),
    "index": ("create index on auth.users (email)", OWNER_ONLY),
    "policy": ("create policy p on auth.users for select to authenticated using (true)", OWNER_ONLY),
    "row level security": ("alter table auth.users disable row level security", OWNER_ONLY),
    "table in auth": ("create table auth.t ()", "permission denied for schema auth"),
    "function in auth": ("create function auth.f() returns int language sql as 'select 1'", "denied for schema auth"),
    "replace auth.uid()": (
        "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'",
        "permission denied for schema auth",
    ),
    "own setting of a role": ("alter role anon set app.x = 'y'", "permission denied to set parameter"),
    "setting of PostgREST": ("alter role authenticator set pgrst.db_pre_request = 'f'", "denied"),
    "event trigger": (
        "create function public.e() returns event_trigger language plpgsql as 'begin end'; "
        "create event trigger e on ddl_command_end execute function public.e()",
        "permission denied to create event trigger",
    ),
    "untrusted extension": ("create extension dblink with schema extensions", "permission denied to create extension"),
    "superuser's program": ("copy (select 1) to program 'true'", "to COPY"),
    "superuser attribute": ("alter role anon nosuperuser", "must be superuser|permission denied to alter role"),
    "default grants of the platform": (
        "alter default privileges for role supabase_admin in schema public revoke all on tables from anon",
        "permission denied to change default privileges|must be member of role",
    ),
}


@pytest.mark.parametrize("statement", MAY.values(), ids=MAY)
def test_postgres_may(postgres: psycopg.Connection, statement: str) -> None:
    postgres.execute(statement.encode())


@pytest.mark.parametrize(("statement", "said"), MAY_NOT.values(), ids=MAY_NOT)
def test_postgres_may_not(postgres: psycopg.Connection, statement: str, said: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match=said):
        postgres.execute(statement.encode())


def test_postgres_stores_known_settings_with_its_database_and_no_others(
    database: Database, postgres: psycopg.Connection
) -> None:
    store = sql.SQL("alter database {} set {} = '5s'")
    postgres.execute(store.format(sql.Identifier(database.name), sql.SQL("statement_timeout")))
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied to set parameter"):
        postgres.execute(store.format(sql.Identifier(database.name), sql.SQL("app.settings")))


def test_trigger_on_users_is_not_ours_to_drop(postgres: psycopg.Connection) -> None:
    postgres.execute(MAY["trigger"].encode())
    with pytest.raises(errors.InsufficientPrivilege, match="must be owner of relation users"):
        postgres.execute("drop trigger t on auth.users")


def test_trigger_on_users_runs_as_supabase_auth_admin_who_has_no_rights_in_public(database: Database) -> None:
    write = """
        create table public.log (who text);
        create function public.write() returns trigger language plpgsql {security} set search_path = ''
        as 'begin insert into public.log values (current_user); return new; end';
        create trigger t after insert on auth.users for each row execute function public.write()
    """
    sign_up = "set local session authorization supabase_auth_admin; insert into users (id) values (gen_random_uuid())"
    with undone(database, SUPERUSER) as connection:
        connection.execute("set local session authorization postgres")
        connection.execute(write.format(security="security definer").encode())
        connection.execute("set local search_path = auth")
        connection.execute(sign_up)
        connection.execute("set local session authorization postgres")
        assert value(connection, "select who from public.log") == "postgres"
        connection.execute("alter function public.write() security invoker")
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for table log"):
            connection.execute(sign_up)


def test_passing_on_usage_of_auth_warns_and_gives_nothing(postgres: psycopg.Connection) -> None:
    notices: list[str | None] = []
    postgres.add_notice_handler(lambda notice: notices.append(notice.sqlstate))
    postgres.execute("create role tester; grant usage on schema auth to tester; grant select on auth.users to tester")
    assert notices == ["01007"]
    assert value(postgres, "select has_table_privilege('tester', 'auth.users', 'select')")
    assert not value(postgres, "select has_schema_privilege('tester', 'auth', 'usage')")


def test_postgres_may_analyze_users(postgres: psycopg.Connection) -> None:
    """As the owner of the database, and from 17 on by MAINTAIN as well. Refused, it would be a warning and no error."""
    postgres.execute(MAY["insert"].encode())
    postgres.execute("analyze auth.users")
    assert value(postgres, "select reltuples from pg_class where oid = 'auth.users'::regclass") == 1


# auth.uid() and the rest ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uid", "role", "email", "jwt"])
def test_function_is_as_plain_as_on_the_platform(postgres: psycopg.Connection, name: str) -> None:
    found = postgres.execute(
        """
            select l.lanname, p.provolatile, p.proparallel, p.prosecdef, p.proconfig, p.proowner::regrole::text,
                has_function_privilege('public', p.oid, 'execute')
            from pg_proc as p join pg_language as l on l.oid = p.prolang
            where p.oid = to_regprocedure(%s)
        """,
        [f"auth.{name}()"],
    ).fetchone()
    assert found == ("sql", "s", "u", False, None, "supabase_auth_admin", True)


@pytest.mark.parametrize(
    ("claims", "uid", "role", "jwt"),
    [
        (None, None, None, None),
        ("", None, None, None),
        ("{}", None, None, {}),
        ('{"role": "anon"}', None, "anon", {"role": "anon"}),
        ("[1]", None, None, [1]),
        ("1", None, None, 1),
        (f'{{"sub": "{USER}", "role": "anon"}}', USER, "anon", {"sub": USER, "role": "anon"}),
    ],
)
def test_functions_read_the_claims(
    postgres: psycopg.Connection, claims: str | None, uid: str | None, role: str | None, jwt: Any
) -> None:
    if claims is not None:
        postgres.execute("select set_config('request.jwt.claims', %s, true)", [claims])
    assert postgres.execute("select auth.uid()::text, auth.role(), auth.jwt()").fetchone() == (uid, role, jwt)


@pytest.mark.parametrize("claims", ['{"sub": ""}', '{"sub": "abc"}', "{", "no json"])
def test_a_claim_that_is_no_id_is_an_error(postgres: psycopg.Connection, claims: str) -> None:
    postgres.execute("select set_config('request.jwt.claims', %s, true)", [claims])
    with pytest.raises(errors.InvalidTextRepresentation):
        postgres.execute("select auth.uid()")


def test_the_older_setting_of_one_claim_wins(postgres: psycopg.Connection) -> None:
    settings = {"request.jwt.claims": f'{{"sub": "{USER}", "email": "new"}}', "request.jwt.claim.sub": OTHER}
    for name, text in settings.items():
        postgres.execute("select set_config(%s, %s, true)", [name, text])
    assert postgres.execute("select auth.uid()::text, auth.email()").fetchone() == (OTHER, "new")


def test_claims_are_the_empty_string_after_their_transaction(postgres: psycopg.Connection) -> None:
    postgres.execute("set local request.jwt.claims = '{}'")
    postgres.rollback()
    assert value(postgres, "select current_setting('request.jwt.claims', true)") == ""
    assert value(postgres, "select auth.uid()") is None


@pytest.mark.parametrize("is_member", [True, False])
def test_a_role_of_ours_reaches_the_functions_as_a_member_of_authenticated(database: Database, is_member: bool) -> None:
    with undone(database, SUPERUSER) as connection:
        connection.execute("create role tester")
        if is_member:
            connection.execute("grant authenticated to tester")
        connection.execute("set local role tester")
        if is_member:
            assert value(connection, "select auth.uid()") is None
        else:
            with pytest.raises(errors.InsufficientPrivilege, match="permission denied for schema auth"):
                connection.execute("select auth.uid()")


# Default grants -------------------------------------------------------------------------------------------------------

NEW = """
    create table public.t (id int);
    create view public.v as select 1 as one;
    create materialized view public.m as select 1 as one;
    create sequence public.s;
    create function public.f() returns int language sql as 'select 1';
    create schema other;
    create table other.t (id int);
"""
RELATION_GRANTS = """
    select left(acl.privilege_type, 4)
    from pg_class, aclexplode(relacl) as acl
    where pg_class.oid = to_regclass(%s) and acl.grantee = to_regrole(%s)
"""
FUNCTION_GRANTS = """
    select left(acl.privilege_type, 4)
    from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl
    where pg_proc.oid = to_regprocedure(%s) and acl.grantee = coalesce(to_regrole(%s), 0)
"""


def grants(connection: psycopg.Connection, name: str, role: str) -> set[str]:
    return set(column(connection, FUNCTION_GRANTS if name.endswith("()") else RELATION_GRANTS, [name, role]))


def with_maintain(connection: psycopg.Connection, privileges: str) -> set[str]:
    return {*privileges.split(), *(["MAIN"] if connection.info.server_version >= 170000 else [])}


@pytest.mark.parametrize("role", API_ROLES)
@pytest.mark.parametrize("relation", ["public.t", "public.v", "public.m"])
def test_new_relation_gives_the_api_roles(
    platform: Platform, postgres: psycopg.Connection, relation: str, role: str
) -> None:
    postgres.execute(NEW)
    left = "REFE TRIG TRUN" + (" DELE INSE SELE UPDA" if platform.regime == "auto" else "")
    assert grants(postgres, relation, role) == with_maintain(postgres, left)


@pytest.mark.parametrize("role", API_ROLES)
def test_new_sequence_gives_the_api_roles(platform: Platform, postgres: psycopg.Connection, role: str) -> None:
    postgres.execute(NEW)
    assert grants(postgres, "public.s", role) == ({"SELE", "UPDA", "USAG"} if platform.regime == "auto" else {"UPDA"})


@pytest.mark.parametrize("role", API_ROLES)
def test_new_function_gives_the_api_roles(platform: Platform, postgres: psycopg.Connection, role: str) -> None:
    postgres.execute(NEW)
    assert grants(postgres, "public.f()", role) == ({"EXEC"} if platform.regime == "auto" else set())
    assert grants(postgres, "public.f()", "public") == {"EXEC"}, "the built-in default, in both regimes"
    assert value(postgres, "select has_function_privilege(%s, 'public.f()', 'execute')", [role])


@pytest.mark.parametrize("role", API_ROLES)
def test_new_object_of_supabase_admin_gives_everything(superuser: psycopg.Connection, role: str) -> None:
    superuser.execute(NEW)
    everything = "DELE INSE REFE SELE TRIG TRUN UPDA"
    assert grants(superuser, "public.t", role) == with_maintain(superuser, everything)
    assert grants(superuser, "public.s", role) == {"SELE", "UPDA", "USAG"}
    assert grants(superuser, "public.f()", role) == {"EXEC"}


@pytest.mark.parametrize("role", API_ROLES)
def test_other_schemas_give_nothing(postgres: psycopg.Connection, role: str) -> None:
    postgres.execute(NEW)
    assert grants(postgres, "other.t", role) == set()


def test_anybody_may_empty_a_new_table(postgres: psycopg.Connection) -> None:
    """Why every migration has to revoke: row level security does not stop TRUNCATE, and neither regime withholds it."""
    postgres.execute("create table public.t (id int); alter table public.t enable row level security")
    postgres.execute("insert into public.t values (1)")
    postgres.execute("set local role anon; truncate public.t; reset role")
    assert column(postgres, "select id from public.t") == []


# Installing -----------------------------------------------------------------------------------------------------------


def test_installing_again_changes_nothing(platform: Platform, database: Database) -> None:
    with database.connect(SUPERUSER) as connection:
        before = roles(connection), contents(database)
        connection.rollback()
        standin.install(database.server.url(SUPERUSER), database.name, regime=platform.regime)
        assert (roles(connection), contents(database)) == before


def test_the_regime_can_be_changed_and_changed_back(platform: Platform) -> None:
    other: standin.Regime = "auto" if platform.regime == "explicit" else "explicit"
    with platform.clone(f"{os.getpid()}_regime", migrated=False) as database:
        before = contents(database)
        standin.install(database.server.url(SUPERUSER), database.name, regime=other)
        assert contents(database) != before
        standin.install(database.server.url(SUPERUSER), database.name, regime=platform.regime)
        assert contents(database) == before


def test_psql_installs_the_same_as_the_tool(cluster: Cluster) -> None:
    """The files alone, on a database that PostgreSQL has just made, in the regime that is the default."""
    found = []
    for how in ("psql", "tool"):
        database = Database(cluster.server, f"forge_test_{os.getpid()}_by_{how}")
        with psycopg.connect(cluster.server.url(SUPERUSER), autocommit=True) as admin:
            admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(database.name)))
            try:
                if how == "psql":
                    assert psql(database, "roles.sql", "database.sql", "-v", "ON_ERROR_STOP=1").returncode == 0
                else:
                    standin.install(cluster.server.url(SUPERUSER), database.name)
                found.append(contents(database))
            finally:
                admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database.name)))
    assert found[0] == found[1]


def psql(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run files of the stand-in, with options for psql among them."""
    program = [database.server.binaries.tool("psql"), "-X", "-q", "-d", database.url(SUPERUSER)]
    for argument in arguments:
        program += ["-f", str(paths.PLATFORM / argument)] if argument.endswith(".sql") else [argument]
    return subprocess.run(program, capture_output=True, text=True, check=False)


# What makes a database look like somebody else's, and what the refusal then names.
FOREIGN = {
    "schema auth": "comment on schema auth is null",
    "table auth.schema_migrations": "create table auth.schema_migrations (version text)",
    "role supabase_auth_admin": "comment on role supabase_auth_admin is null",
}


@pytest.mark.parametrize("file", ["roles.sql", "database.sql"])
@pytest.mark.parametrize("sign", FOREIGN)
def test_a_real_platform_is_refused(superuser: psycopg.Connection, sign: str, file: str) -> None:
    superuser.execute(FOREIGN[sign].encode())
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="has a platform of its own") as refused:
        run_file(superuser, file)
    assert f"(found: {sign})" in str(refused.value)
    assert "npx supabase db push" in (refused.value.diag.message_hint or "")


def test_a_real_platform_is_named_before_the_missing_superuser(superuser: psycopg.Connection) -> None:
    """Nobody is a superuser on a hosted project, so "connect as the superuser" would be the wrong advice there."""
    superuser.execute("comment on schema auth is null; set local role postgres")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="has a platform of its own"):
        run_file(superuser, "database.sql")


@pytest.mark.parametrize("file", ["roles.sql", "database.sql"])
def test_psql_that_runs_on_after_the_refusal_changes_nothing(platform: Platform, file: str) -> None:
    with platform.clone(f"{os.getpid()}_foreign", migrated=False) as database:
        with database.connect(SUPERUSER) as connection:
            connection.execute("comment on schema auth is null; drop function auth.jwt()")
        before = contents(database)
        said = psql(database, file).stderr
        assert "has a platform of its own" in said
        assert re.search("cannot execute (ALTER ROLE|CREATE FUNCTION) in a read-only transaction", said)
        assert contents(database) == before


@pytest.mark.parametrize(
    ("state", "said", "hint"),
    [
        ("alter role supabase_auth_admin rename to x", "the roles of the platform are missing", "roles.sql"),
        ("alter extension pgcrypto set schema public", "pgcrypto is not in the schema extensions", "alter extension"),
        ("set local forge.grants_regime = 'open'", 'forge.grants_regime is "open"', "explicit or auto"),
    ],
)
def test_what_stands_in_the_way_is_named(superuser: psycopg.Connection, state: str, said: str, hint: str) -> None:
    superuser.execute(state.encode())
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match=said) as refused:
        run_file(superuser, "database.sql")
    assert hint in (refused.value.diag.message_hint or "")


def test_the_tool_says_what_the_files_say(database: Database) -> None:
    with pytest.raises(ForgeError, match="a superuser is needed") as refused:
        standin.install(database.url("postgres"), database.name)
    assert refused.value.hint is not None


def test_a_superuser_called_postgres_stays_one(superuser: psycopg.Connection) -> None:
    """On a server of one's own it is often the only superuser, so it is not ours to demote."""
    warnings: list[str | None] = []
    superuser.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
    superuser.execute("alter role postgres superuser; alter role postgres reset search_path")
    run_file(superuser, "roles.sql")
    assert value(superuser, "select rolsuper from pg_roles where rolname = 'postgres'")
    assert value(superuser, "select rolconfig from pg_roles where rolname = 'postgres'") is None
    assert warnings == ["postgres is a superuser here and stays one; on Supabase it is not"]
