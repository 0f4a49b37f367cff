"""supabase/cleanup_old_migrations.sql: it finds whatever is not as defined, and drops only after that."""

from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from forge_db import definitions, upgrade
from forge_db.migrations import silent
from forge_db.paths import ROOT
from forge_db.statements import split
from harness import legacy, psql
from harness.databases import Database
from harness.session import Session

SCRIPT = ROOT / "supabase" / "cleanup_old_migrations.sql"
FAILED = "select kind || ' ' || name || ': ' || detail from pg_temp.verdicts() where verdict <> 'PASS'"

# What is done to a database, and what must then fail.
TAMPERED = {
    "a column": ("alter table public.feedback alter column status set default 'closed'", "columns public.feedback"),
    "a column that is gone": ("alter table public.user_profiles drop column bio", "columns public.user_profiles"),
    "a constraint": (
        "alter table public.feedback drop constraint feedback_rating_is_1_to_5;"
        "alter table public.feedback add constraint feedback_rating_is_1_to_5 check (rating between 1 and 6)",
        "constraints public.feedback",
    ),
    "a policy": (
        'alter policy "Users can view own prompt history" on public.prompt_history using (true)',
        "policies public.prompt_history",
    ),
    "one policy more": (
        "create policy more on public.prompt_history for select to anon using (true)",
        "policies public.prompt_history",
    ),
    "no row security": ("alter table private.secrets disable row level security", "policies private.secrets"),
    "a grant": ("grant select (message) on public.feedback to anon", "grants public.feedback"),
    "a function": (
        "create or replace function public.is_admin() returns boolean language sql stable "
        "set search_path = pg_catalog, pg_temp return true",
        "function public",
    ),
    "a function for everybody": (
        "grant execute on function public.decrypt_api_key(uuid, text) to authenticated",
        "function public",
    ),
    "a function that runs as another": ("alter function public.is_admin() security definer", "function public"),
    "a trigger": (
        "alter table public.prompt_history disable trigger keep_prompt_history_status_forward",
        "triggers public.prompt_history",
    ),
    "a trigger that is gone": (
        "drop function private.tg_users__create_account() cascade",
        "triggers auth.users",
    ),
    "an index": ("drop index public.idx_feedback_category_id", "index public"),
    "a schema": ("grant usage on schema private to anon", "schema private"),
    "an unlogged table": ("alter table private.rate_limits set unlogged", "keeping private.rate_limits"),
    "an identity for subscribers": (
        "alter table public.feedback replica identity full",
        "keeping public.feedback",
    ),
    "a role that reads everything": ("grant app_admin to anon", "role anon"),
    "seed rows": ("delete from public.prompt_frameworks where name = 'roses'", "seed framework"),
}


def test_the_script_is_as_new_as_the_schema(connection: psycopg.Connection) -> None:
    assert SCRIPT.read_text(encoding="utf-8") == definitions.render(connection), "stale: run `make docs` and commit"


def verdicts(db: Session) -> None:
    """All of the script up to its first verdict."""
    for statement in split(SCRIPT.read_text(encoding="utf-8")):
        if statement.code.startswith("select"):
            return
        db.as_owner().execute(statement.text)


def test_a_new_installation_passes_and_stays_as_it_is(scratch: Database) -> None:
    before = psql.dump(scratch)
    for _ in range(2):
        said = psql.run(scratch, "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT))
        assert "ERROR" not in said
        assert "FAIL" not in said
        assert said.count("PASS") > 100
        assert psql.dump(scratch) == before


@pytest.mark.one_platform
def test_whatever_is_not_as_defined_fails(db: Session) -> None:
    verdicts(db)
    assert db.column(FAILED) == []
    for statement, expected in TAMPERED.values():
        with db.undone():
            for part in statement.split(";"):
                db.run(part)
            failed = [it.partition(": ")[0] for it in db.column(FAILED)]
            assert expected in failed, statement


@pytest.mark.one_platform
def test_a_failure_stops_before_anything_is_dropped(db: Session) -> None:
    verdicts(db)
    db.run("drop index public.idx_feedback_category_id")
    last = [it for it in split(SCRIPT.read_text(encoding="utf-8")) if it.code.startswith("do $$")][-1]
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refused:
        db.execute(last.text)
    assert "1 checks failed" in str(refused.value)
    assert "Nothing was dropped." in str(refused.value.diag.message_hint)


@pytest.mark.one_platform
def test_what_is_parked_goes_only_when_all_of_it_is_copied(
    empty_database: Database, scratch: Database, tmp_path: Path
) -> None:
    folder = legacy.migrations(tmp_path)
    legacy.install(empty_database, "C")

    def clean() -> str:
        return psql.run(empty_database, "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT))

    with empty_database.connect() as owner, owner.transaction():
        upgrade.switch(owner, silent, folder)
    said = clean()
    assert "nothing has been copied" in said
    assert "ERROR:  1 checks failed" in said
    upgrade.upgrade(empty_database.url(), silent, folder)

    with empty_database.connect() as owner:
        owner.execute(
            "update legacy.progress set blocks_left = blocks, finished_at = null where table_name = 'feedback'"
        )
        owner.execute("delete from public.feedback where message = 'Hi'")
    kept = psql.dump(empty_database)
    said = clean()
    assert "ERROR:  1 checks failed" in said
    assert "6 rows, 1 not copied, 0 wrong" in said
    assert psql.dump(empty_database) == kept

    upgrade.upgrade(empty_database.url(), silent, folder)
    with empty_database.connect() as owner:
        owner.execute("create view public.somebody_elses as select * from legacy.profiles")
    assert "view public.somebody_elses depends on table legacy.profiles" in clean()
    with empty_database.connect() as owner:
        owner.execute("drop view public.somebody_elses")
    rows = {table: legacy.rows(empty_database, f"select * from {table} order by 1") for table in NEW}
    said = clean()
    assert "ERROR" not in said
    assert psql.dump(empty_database, "--schema-only") == psql.dump(scratch, "--schema-only")
    assert {table: legacy.rows(empty_database, f"select * from {table} order by 1") for table in NEW} == rows
    assert "FAIL" not in clean()


NEW = (
    "archive.unmigrated",
    "public.api_configurations",
    "public.feedback",
    "public.prompt_history",
    "public.user_preferences",
    "public.user_profiles",
)
