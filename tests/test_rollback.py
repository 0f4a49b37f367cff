"""supabase/rollback: 001 and then 000 taken back, the database is what it was before; and nothing is lost unasked."""

import subprocess
from pathlib import Path

import pytest

from forge_db import assemble, migrations, platform, sealing
from forge_db.paths import ROLLBACK
from harness import clusters, psql
from harness.client import join
from harness.databases import SUPERUSER, Database, built_migrations
from harness.servers import Own

FIRST, SEED = ROLLBACK / "000_initial_schema.sql", ROLLBACK / "001_seed_data.sql"
ERROR = "these rows would be lost: "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in built_migrations().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def back(database: Database, path: Path, *discard: str) -> str:
    setting = ("-c", f"set forge.discard = '{','.join(discard)}'") if discard else ()
    return psql.run(database, "-1", "-v", "ON_ERROR_STOP=1", *setting, "-f", str(path))


def test_the_files_are_as_new_as_the_schema() -> None:
    for name, text in assemble.build_rollbacks().items():
        assert (ROLLBACK / name).read_text(encoding="utf-8") == text, "stale: run `make build-migrations` and commit"


def everything(database: Database) -> str:
    """What pg_dump writes of a database, and what it does not: which extensions there are, and whose."""
    with database.connect() as owner:
        extensions = owner.execute(
            "select extname, extowner::regrole::text, extnamespace::regnamespace::text, "
            "obj_description(oid, 'pg_extension') from pg_extension order by 1"
        ).fetchall()
    return f"{psql.dump(database)}{extensions}"


def test_afterwards_the_database_is_what_it_was(empty_database: Database, folder: Path) -> None:
    with empty_database.connect() as owner:
        owner.execute("create table public.somebody_elses (id integer primary key)")
        owner.execute("create function public.somebody_elses() returns integer language sql return 1")
    before = everything(empty_database)
    for _ in range(2):
        migrations.apply(empty_database.url(), folder)
        assert psql.dump(empty_database, "--schema-only") != before
        assert "later migrations have been applied: 001" in back(empty_database, FIRST)
        said = back(empty_database, SEED)
        assert "ERROR" not in said, said
        once = psql.dump(empty_database, "--exclude-table=*.audit_log")
        assert back(empty_database, SEED) == ""
        assert psql.dump(empty_database, "--exclude-table=*.audit_log") == once
        said = back(empty_database, FIRST)
        assert "ERROR" not in said, said
        assert everything(empty_database) == before
        assert "nothing to roll back" in back(empty_database, FIRST)
        assert everything(empty_database) == before


@pytest.mark.one_platform
def test_an_extension_that_was_there_stays(empty_database: Database, folder: Path) -> None:
    """Functions may use it, and PostgreSQL would not know."""
    with empty_database.connect() as owner:
        owner.execute("create extension btree_gin with schema extensions")
    before = everything(empty_database)
    migrations.apply(empty_database.url(), folder)
    assert back(empty_database, SEED) == ""
    assert "ERROR" not in back(empty_database, FIRST)
    assert everything(empty_database) == before


@pytest.mark.one_platform
@pytest.mark.parametrize("number", [pytest.param(0), pytest.param(-1, marks=pytest.mark.slow)])
def test_the_role_goes_with_the_last_database(tmp_path: Path, folder: Path, number: int) -> None:
    """On the newest PostgreSQL that is installed; the slow one is on the oldest."""
    server = Own(tmp_path / "server", clusters.installed()[number])
    server.start()
    try:
        database = Database(server, "forge")
        platform.install(server.url(SUPERUSER), "forge", passwords=server.passwords)

        def roles() -> str:
            command = [server.binaries.tool("pg_dumpall"), "--globals-only", "--no-role-passwords"]
            url = ("--restrict-key=promptcraft", "-d", server.url(SUPERUSER))
            return subprocess.run([*command, *url], capture_output=True, text=True, check=True).stdout

        before = roles()
        migrations.apply(database.url(), folder)
        assert "app_admin" in roles()
        with database.connect() as owner:
            ada = join(owner, "ada@example.com")
            owner.execute("update auth.users set role = 'app_admin' where id = %s", [ada.id])
        lost = ("public.user_profiles", "public.user_preferences", "public.audit_log", "staff")
        assert back(database, SEED) == ""
        assert back(database, FIRST, *lost) == ""
        assert roles() == before
        with database.connect() as owner:
            assert owner.execute("select role from auth.users").fetchall() == [("authenticated",)]
    finally:
        server.destroy()


@pytest.mark.one_platform
def test_rows_go_only_when_they_are_named(scratch: Database) -> None:
    assert back(scratch, SEED) == ""
    with scratch.connect() as owner:
        ada = join(owner, "ada@example.com")
        owner.execute("insert into public.feedback (user_id, message) values (%s, 'Please keep this')", [ada.id])
        assert sealing.have_encryption_key(owner)
        owner.execute("insert into public.security_events (event_type) values ('brute_force')")
        owner.execute(
            "insert into private.spent_costs (user_id, provider, tokens_used, cost_usd) values (%s, 'openai', 1, 1)",
            [ada.id],
        )
        owner.execute(
            "insert into public.audit_log (actor_role, action, table_name) values ('app_admin', 'delete', 'feedback')"
        )
    before = psql.dump(scratch)
    said = back(scratch, FIRST)
    assert ERROR in said, said
    names = said.partition("forge.discard=")[2].partition("'")[0].split(",")
    assert set(names) == {
        "figures",
        "private.secrets",
        "public.audit_log",
        "public.feedback",
        "public.security_events",
        "public.user_preferences",
        "public.user_profiles",
    }
    for missing in names:
        said = back(scratch, FIRST, *(name for name in names if name != missing))
        assert f"{ERROR}{missing}: 1\n" in said, said
        assert psql.dump(scratch) == before
    assert "WARNING:  the role app_admin stays" in back(scratch, FIRST, *names), "other databases use it"
    with scratch.connect() as owner:
        assert owner.execute("select to_regnamespace('private'), to_regclass('public.feedback')").fetchone() == (
            None,
            None,
        )
        assert owner.execute("select count(*) from auth.users").fetchone() == (1,)


@pytest.mark.one_platform
def test_what_staff_changed_in_the_catalogue_goes_only_when_it_is_named(scratch: Database) -> None:
    with scratch.connect() as owner:
        ada = join(owner, "ada@example.com")
        owner.execute("update public.api_providers set max_requests_per_day = 7 where name = 'openai'")
        owner.execute("insert into public.feedback_categories (name, description) values ('ours', 'Ours.')")
        owner.execute(
            "insert into public.feedback (user_id, message, category_id) "
            "select %s, 'x', id from public.feedback_categories where name = 'bug_report'",
            [ada.id],
        )
    before = psql.dump(scratch)
    said = back(scratch, SEED)
    for lost in ("api_providers: 1 changed", "feedback_categories: pointed to by 1 of public.feedback"):
        assert lost in said, said
    assert "forge.discard=api_providers,feedback_categories" in said
    assert psql.dump(scratch) == before
    assert back(scratch, SEED, "api_providers", "feedback_categories") == ""
    with scratch.connect() as owner:
        assert owner.execute("select name from public.feedback_categories").fetchall() == [("ours",)]
        assert owner.execute("select count(*) from public.api_providers").fetchone() == (0,)
        assert owner.execute("select message, category_id from public.feedback").fetchall() == [("x", None)]


@pytest.mark.one_platform
def test_what_others_built_on_it_stops_it(scratch: Database) -> None:
    assert back(scratch, SEED) == ""
    with scratch.connect() as owner:
        owner.execute("create view public.theirs as select id from public.feedback")
    before = psql.dump(scratch)
    assert "cannot drop desired object(s) because other objects depend on them" in back(scratch, FIRST)
    assert psql.dump(scratch) == before


FOREIGN = {
    "a table in private": ("create table private.theirs (id integer)", "table private.theirs"),
    "a table in archive": ("create table archive.theirs (id integer)", "table archive.theirs"),
    "a function in private": (
        "create function private.theirs() returns integer language sql return 1", "function private.theirs()"
    ),
    "a trigger": (
        "create table public.theirs (id integer); create trigger theirs after truncate on public.theirs "
        "execute function private.tg_audit_truncate()",
        "trigger theirs on table public.theirs",
    ),
    "a default": (
        "create table public.theirs (is_staff boolean default private.is_staff_account())",
        "default value for column is_staff of table public.theirs",
    ),
    "a rule of rows": (
        "create table public.theirs (id integer); create policy theirs on public.theirs "
        "using (private.is_staff_account())",
        "policy theirs on table public.theirs",
    ),
    "a view": ("create view public.theirs as select name from private.locks", "rule _RETURN on view public.theirs"),
    "a function": (
        "create function public.theirs() returns boolean language sql return private.is_staff_account()",
        "function public.theirs()",
    ),
    "a foreign key": (
        "create table public.theirs (name text references private.locks)",
        "constraint theirs_name_fkey on table public.theirs",
    ),
    "a column of one of our types": (
        "create table public.theirs (lock private.locks)", "column lock of table public.theirs"
    ),
}  # fmt: skip


@pytest.mark.one_platform
def test_what_others_hung_on_the_hidden_schemas_stops_it(scratch: Database) -> None:
    """They are dropped with cascade."""
    assert back(scratch, SEED) == ""
    for made, named in FOREIGN.values():
        unsaved = f"begin;\n{made};\n\\i '{FIRST}'\n"
        said = psql.run(scratch, "-v", "ON_ERROR_STOP=1", typed=unsaved)
        assert f"what is not ours would go as well: {named}\n" in said, said


@pytest.mark.one_platform
def test_no_function_in_public_takes_part(scratch: Database) -> None:
    """An installation of that age may let everybody create in public, and its owner runs these files."""
    with scratch.connect() as owner:
        owner.execute("create table public.called (statement text)")
        for name, arguments in TAKEN_FOR_BUILT_IN.items():
            owner.execute(
                f"create function public.{name}({arguments}) returns text language plpgsql as $$ begin "
                "insert into public.called values (current_query()); return ''; end $$".encode()
            )
        owner.execute("select lower('x'::varchar(9))")
        assert owner.execute("select count(*) from public.called").fetchone() == (1,), "the trap must work"
        owner.execute("truncate public.called")
    for path in (SEED, FIRST):
        assert "ERROR" not in back(scratch, path)
    with scratch.connect() as owner:
        assert owner.execute("select left(statement, 200) from public.called").fetchall() == []


# Each fits better than the function of PostgreSQL where a name or a varchar is given.
TAKEN_FOR_BUILT_IN = {
    "lower": "varchar",
    "format": "text, name",
    "starts_with": "name, text",
    "split_part": "varchar, text, integer",
}
