"""`forge-db upgrade`: a legacy installation of every shape becomes a new one; no row is lost, and it can be undone."""

import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import errors
from psycopg.rows import dict_row

from forge_db import sealing, upgrade
from forge_db.cli import main
from forge_db.errors import ForgeError
from forge_db.migrations import silent
from forge_db.paths import UPGRADE
from harness import legacy, psql
from harness.client import Client
from harness.databases import Database, Platform
from harness.legacy import ADA, ANONYMOUS, BOB, EVE, LONG, NO_PROFILE, PHONE
from harness.people import Person

Fates = dict[str, dict[str, Any]]
Ready = Callable[[str], Database]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return legacy.migrations(tmp_path_factory.mktemp("migrations"))


@pytest.fixture
def old(empty_database: Database) -> Ready:
    """A legacy installation of a shape."""

    def install(shape: str) -> Database:
        legacy.install(empty_database, shape)
        return empty_database

    return install


@pytest.fixture(scope="module")
def upgraded(platform: Platform, folder: Path) -> Iterator[Database]:
    """Shape C, upgraded; for tests that only read."""
    with platform.clone("upgraded_reader_" + str(random.getrandbits(32)), migrated=False) as database:
        legacy.install(database, "C")
        upgrade.upgrade(database.url(), silent, folder)
        yield database


def run(database: Database, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["upgrade", "--database-url", database.url(), f"--migrations={folder}", *arguments])


def fates(database: Database) -> Fates:
    return {row["table_name"]: row for row in upgrade.report(database.url())[0]}


def whole(database: Database) -> str:
    """The database without what differs between two upgrades of the same: sealed keys, stamps, ids that are made up."""
    with database.connect() as owner:
        owner.execute("set local timezone to 'utc'")
        rows = owner.execute(
            """
            select 'profile', to_jsonb(it) - '{id, created_at, updated_at}'::text[] from public.user_profiles as it
            union all select 'preferences', to_jsonb(it) - '{id, created_at, updated_at}'::text[]
            from public.user_preferences as it
            union all select 'key', (to_jsonb(it) - '{api_key_encrypted, created_at, updated_at}'::text[])
                || jsonb_build_object(
                'key', private.open_api_key(it.api_key_encrypted, it.user_id, it.provider)
            ) from public.api_configurations as it
            union all select 'feedback', to_jsonb(it) - '{created_at, updated_at}'::text[] from public.feedback as it
            union all select 'kept', (to_jsonb(it) - '{id, legacy_id, created_at, legacy_row}'::text[])
                || to_jsonb(md5((it.legacy_row - '{id, created_at, updated_at}'::text[])::text))
            from archive.unmigrated as it
            union all select 'prompt', to_jsonb(it) - '{id, created_at, updated_at}'::text[]
            from public.prompt_history as it
            order by 1, 2
            """
        ).fetchall()
    return "\n".join(map(str, rows))


# What becomes of the rows ---------------------------------------------------------------------------------------------

EXPECTED = {
    "user_preferences": {"parked": 2, "copied": 2},
    "profiles": {"parked": 6, "copied": 5, "adjusted": 1},
    "api_configurations": {"parked": 8, "copied": 4, "adjusted": 4},
    "feedback": {"parked": 6, "copied": 3, "set_aside": 3},
    "prompt_history": {"parked": 408, "copied": 407, "set_aside": 1},
}
COUNTS = (
    "parked",
    "copied",
    "adjusted",
    "superseded",
    "set_aside",
    "changed_since",
    "deleted_since",
    "waiting",
    "wrong",
)


def expected(shape: str) -> Fates:
    wanted = EXPECTED | ({"prompt_history": {}} if shape == "A" else {})
    return {name: {"table_name": name} | dict.fromkeys(COUNTS, 0) | counts for name, counts in wanted.items()}


def test_every_row_is_accounted_for(upgraded: Database) -> None:
    assert fates(upgraded) == expected("C")
    result = CliRunner().invoke(main, ["upgrade", "--report", "--database-url", upgraded.url()])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "every row is accounted for")


@pytest.mark.slow
@pytest.mark.every_platform
@pytest.mark.parametrize("versions", [(), legacy.VERSIONS[4:7], legacy.VERSIONS], ids=["none", "three", "all"])
@pytest.mark.parametrize("shape", legacy.SHAPES)
def test_every_shape_there_and_back(old: Ready, folder: Path, shape: str, versions: tuple[str, ...]) -> None:
    there_and_back(old(shape), folder, shape, versions)


@pytest.mark.one_platform
def test_an_empty_history_there_and_back(old: Ready, folder: Path) -> None:
    there_and_back(old("A"), folder, "A", legacy.VERSIONS[1:3])


def there_and_back(database: Database, folder: Path, shape: str, versions: tuple[str, ...]) -> None:
    legacy.record(database, versions)
    record = "select * from supabase_migrations.schema_migrations order by version"
    before, recorded = psql.dump(database), legacy.rows(database, record)
    result = run(database, folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("\nevery row is accounted for\n")
    assert fates(database) == expected(shape)
    assert [row[0] for row in legacy.rows(database, record)] == ["000", "001"]
    result = run(database, folder, "--undo")
    assert (result.exit_code, result.stderr) == (0, "the legacy installation is back\n"), result.output
    assert psql.dump(database) == before
    assert legacy.rows(database, record) == recorded


MAPPED = {
    "an account without profile gets one": (
        "select display_name from public.user_profiles where user_id = %s", NO_PROFILE, None
    ),
    "a profile without e-mail address": (
        "select display_name from public.user_profiles where user_id = %s", ANONYMOUS, None
    ),
    "an empty name": ("select display_name from public.user_profiles where user_id = %s", EVE, ""),
    "a long name is cut": ("select display_name from public.user_profiles where user_id = %s", LONG, "Zoë " * 25),
    "and kept": (
        "select legacy_row ->> 'display_name' from archive.unmigrated where user_id = %s", LONG, "Zoë " * 30
    ),
    "what is no address of a picture": (
        "select avatar_url from public.user_profiles where user_id = %s", LONG, None
    ),
    "preferences": (
        "select concat_ws(' ', selected_model, selected_framework, vibe_coding, auto_cleanup) "
        "from public.user_preferences where user_id = %s", ADA, "anthropic coast t f"
    ),
    "unknown vibes": ("select vibe_coding from public.user_preferences where user_id = %s", BOB, False),
    "preferences of somebody who had none": (
        "select selected_model || auto_cleanup from public.user_preferences where user_id = %s", PHONE, "openaifalse"
    ),
    "keys": (
        "select array_agg(concat_ws(' ', provider, is_active, is_validated, "
        "private.open_api_key(api_key_encrypted, user_id, provider)) order by provider) "
        "from public.api_configurations where user_id = %s and validation_error is null",
        ADA,
        [
            "anthropic f f sk-ant-api03-Wk3Lm8Xw1Rt6Vb2Nc9Kd4Fg7Hj0Ps5TyLegacyMarker",
            "gemini f f AIzaSy7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0TyGmn",
            "openai t f sk-proj-Zq7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0TyLegacyMarker1",
        ],
    ),
    "what is no key, or not this provider's": (
        "select array_agg(concat_ws(' ', provider, is_active, validation_error) order by provider) "
        "from public.api_configurations where user_id = %s",
        BOB,
        [
            "anthropic t This does not look like a key of this provider. Check it.",
            "gemini f This key could not be read when the database was upgraded. Enter it again.",
            "openai f This key could not be read when the database was upgraded. Enter it again.",
        ],
    ),
    "it is kept": (
        "select array_agg(api_key_encrypted order by api_key_encrypted) from archive.unmigrated where user_id = %s "
        "and legacy_table = 'api_configurations'",
        BOB,
        ["", "sk-proj-PlainPlainPlainPlainPlainPlainPlainPlain1"],
    ),
    "apart, where no export has it": (
        "select bool_or(legacy_row::text like '%%PlainPlain%%') from archive.unmigrated where user_id = %s", BOB, False
    ),
    "prompts": (
        "select array_agg(concat_ws('|', framework_id, model, provider, vibe_coding, status) order by created_at) "
        "from public.prompt_history where user_id = %s and user_input not like 'Prompt %%'",
        BOB,
        [
            "homemade|gpt-4|openai|t|completed",
            "era|claude-3-sonnet-20240229|anthropic|f|completed",
            "era|llama-3|unknown|f|completed",
        ],
    ),
    "prompts that wait": (
        "select array_agg(concat_ws('|', user_input, ai_response, status) order by created_at) "
        "from public.prompt_history where user_id = %s and status = 'pending'",
        ADA,
        ["Left alone.|Generating...|pending", "Just now.|Generating...|pending"],
    ),
    "texts in any script": (
        "select user_input from public.prompt_history where user_id = %s and status = 'failed'",
        ADA,
        "Ünïcödé 日本語 🙂 tab\there",
    ),
    "what is too long is kept whole": (
        "select length(legacy_row ->> 'user_input') from archive.unmigrated "
        "where user_id = %s and legacy_table = 'prompt_history'", BOB, 1048580
    ),
    "feedback": (
        "select array_agg(message) from public.feedback where user_id = %s and created_at = updated_at", BOB, ["Hi"]
    ),
    "feedback of nobody": (
        "select count(*) from public.feedback where user_id is null and message <> %s::text", ADA, 1
    ),
    "blank feedback is kept": (
        "select array_agg(legacy_row ->> 'message' order by 1) from archive.unmigrated "
        "where user_id = %s and legacy_table = 'feedback'", BOB, [" \n"]
    ),
}  # fmt: skip


@pytest.mark.one_platform
@pytest.mark.parametrize("case", MAPPED.values(), ids=MAPPED)
def test_rows_are_mapped(upgraded: Database, case: tuple[str, Any, Any]) -> None:
    query, user, found = case
    assert legacy.rows(upgraded, query, user) == [(found,)]


@pytest.mark.one_platform
def test_the_schema_is_that_of_a_new_installation(upgraded: Database, scratch: Database) -> None:
    """But for what is parked and the bridge."""

    def schema(database: Database) -> set[str]:
        entries = psql.dump(database, "--schema-only", "--exclude-schema=legacy").split("\n--\n-- Name: ")
        return {it for it in entries[1:] if "legacy." not in it and not re.match(r"(\w+ )?profiles\b", it)}

    assert {it.splitlines()[0] for it in schema(upgraded) ^ schema(scratch)} == set()


# Again, and back ------------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_and_undo_brings_all_back(old: Ready, folder: Path) -> None:
    database = old("C")
    before = psql.dump(database)
    assert run(database, folder).exit_code == 0
    once = psql.dump(database)
    again = run(database, folder)
    assert again.exit_code == 0, again.output
    assert psql.dump(database) == once
    assert run(database, folder, "--undo").exit_code == 0
    assert psql.dump(database) == before
    nothing = run(database, folder, "--undo")
    assert (nothing.exit_code, nothing.stderr) == (0, "nothing to undo: no legacy installation is parked here\n")
    assert psql.dump(database) == before


@pytest.mark.one_platform
def test_no_function_in_public_takes_part(old: Ready, folder: Path) -> None:
    """An installation of that age may let everybody create in public, and its owner runs these files."""
    database = old("A")
    with database.connect() as owner:
        owner.execute("create table public.called (statement text)")
        for types in ("text, text", "text, name", "text, text, text", "text, name, text", "text, text, text, text"):
            owner.execute(
                f"create function public.format({types}) returns text language plpgsql as $$ begin "
                "insert into public.called values (current_query()); return $1; end $$".encode()
            )
    assert run(database, folder).exit_code == 0
    psql.run(database, "-v", "ON_ERROR_STOP=1", "-f", str(UPGRADE.parent / "cleanup_old_migrations.sql"))
    with database.connect() as owner:
        assert owner.execute("select left(statement, 200) from public.called").fetchall() == []


def test_undo_loses_nothing_newer_unless_told_to(old: Ready, folder: Path) -> None:
    database = old("B")
    before = psql.dump(database)
    upgrade.upgrade(database.url(), silent, folder)
    with Client.of(database, Person(ADA, "ada@example.com")) as ada:
        ada.rows("update public.user_preferences set theme = 'light' where true returning 1")
        ada.rows("insert into public.feedback (user_id, message) values (auth.uid(), 'Newer') returning 1")
    after = psql.dump(database)
    refused = run(database, folder, "--undo")
    assert refused.exit_code == 1
    assert "would be lost: feedback: 1, user_preferences: 1" in refused.stderr
    assert "--discard-newer-rows" in refused.stderr
    assert psql.dump(database) == after
    assert run(database, folder, "--undo", "--discard-newer-rows").exit_code == 0
    assert psql.dump(database) == before


# Whatever happens meanwhile -------------------------------------------------------------------------------------------


def interrupt(database: Database, folder: Path, seed: int) -> None:
    """Upgrade, shot at a random moment, up to five times; then whole."""
    chance = random.Random(seed)
    program = shutil.which("forge-db", path=str(Path(sys.executable).parent)) or "forge-db"
    for _ in range(5):
        victim = subprocess.Popen(
            [program, "upgrade", f"--migrations={folder}", "--database-url", database.url()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.3, 2.5))
        with database.connect("supabase_admin", autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'forge-db' and datname = current_database()"
            )
        victim.kill()
        victim.wait()
    upgrade.upgrade(database.url(), silent, folder)


@pytest.mark.slow
@pytest.mark.one_platform
@pytest.mark.parametrize("seed", range(10))
def test_what_was_killed_goes_on_where_it_was(old: Ready, folder: Path, seed: int, upgraded: Database) -> None:
    database = old("C")
    interrupt(database, folder, seed)
    assert fates(database) == expected("C")
    assert whole(database) == whole(upgraded)


@pytest.mark.one_platform
def test_batches_that_were_lost_are_copied_again(old: Ready, folder: Path, upgraded: Database) -> None:
    """A connection that breaks in each batch, after the batch is copied and before it is committed."""
    database = old("C")
    path = UPGRADE / "04_copy.sql"
    functions = path.read_text(encoding="utf-8").rpartition("do $$")[0]
    with database.connect() as owner, owner.transaction():
        upgrade.switch(owner, silent, folder)
        sealing.have_encryption_key(owner)
    with database.connect() as owner:
        owner.execute(functions.encode())
    for _ in range(40):
        with database.connect() as owner:
            owner.execute("select legacy.copy_batch(8)")
            owner.rollback()
        with database.connect() as owner:
            row = owner.execute("select legacy.copy_batch(8)").fetchone()
        if row == (None,):
            break
    assert fates(database) == expected("C")
    assert whole(database) == whole(upgraded)


@pytest.mark.one_platform
def test_clients_wait_and_are_not_refused(old: Ready, folder: Path) -> None:
    """The old client asks and writes without a pause. Nothing of it fails, nothing is lost."""
    database = old("B")
    person = Person(ADA, "ada@example.com")
    done, failed, sent, slowest = threading.Event(), list[str](), list[str](), [0.0]

    def work() -> None:
        with Client.of(database, person) as client:
            while not done.is_set():
                began = time.monotonic()
                try:
                    ((row,),) = (
                        found.values()
                        for found in client.rows(
                            "insert into public.prompt_history (user_id, framework_id, framework_name, model, "
                            "user_input, ai_response, status, vibe_coding) values (auth.uid(), 'ape', 'A.P.E', "
                            "'openai', 'while upgrading', 'Generating...', 'generating', false) returning id"
                        )
                    )
                    answered = client.rows(
                        "update public.prompt_history set ai_response = 'answered', status = 'completed', "
                        "updated_at = now() where id = %s and user_id = auth.uid() returning 1",
                        [row],
                    )
                    sent.extend([str(row)] if answered else [])
                except psycopg.Error as error:
                    failed.append(str(error))
                slowest[0] = max(slowest[0], time.monotonic() - began)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        upgrade.upgrade(database.url(), silent, folder)
    finally:
        done.set()
        worker.join()
    assert failed == []
    assert len(sent) > 10
    ((found,),) = legacy.rows(
        database,
        "select count(*) from public.prompt_history where ai_response = 'answered' and status = 'completed' "
        "and id = any(%s::uuid[])",
        sent,
    )
    assert found == len(sent)
    report = fates(database)
    assert not any(row["wrong"] or row["waiting"] for row in report.values())


@pytest.mark.one_platform
def test_nobody_waits_behind_an_upgrade_that_waits(old: Ready, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = old("B")
    before = psql.dump(database)
    monkeypatch.setattr(upgrade, "ATTEMPTS", 2)
    said: list[str] = []
    with database.connect() as busy:
        busy.execute("update public.feedback set message = 'held' where id = '00000000-0000-4000-c000-000000000001'")
        with pytest.raises(ForgeError, match="in use in each of 2 attempts; nothing was changed") as refused:
            upgrade.upgrade(database.url(), said.append, folder)
        busy.rollback()
    assert "pg_stat_activity" in str(refused.value.hint)
    assert said == ["the tables are in use; trying again"]
    assert psql.dump(database) == before


@pytest.mark.one_platform
def test_the_copy_waits_for_an_encryption_key_and_what_users_make_meanwhile_stays(old: Ready, folder: Path) -> None:
    database = old("B")
    with database.connect() as owner, owner.transaction():
        upgrade.switch(owner, silent, folder)
    said = psql.run(database, "-v", "ON_ERROR_STOP=1", "-f", str(UPGRADE / "04_copy.sql"))
    assert "no encryption key is configured" in said
    assert legacy.rows(database, "select sum(copied) from legacy.progress") == [(None,)]
    with Client.of(database, Person(ADA, "ada@example.com")) as ada:
        ada.rows(
            "insert into public.user_preferences (user_id, selected_model, selected_framework, vibe_coding) "
            "values (auth.uid(), 'gemini', 'tag', false) returning 1"
        )
    upgrade.upgrade(database.url(), silent, folder)
    assert fates(database)["user_preferences"] == expected("B")["user_preferences"] | {"copied": 1, "superseded": 1}
    assert legacy.rows(
        database,
        "select selected_model, legacy_row ->> 'selected_model' from public.user_preferences "
        "inner join archive.unmigrated using (user_id) where user_id = %s",
        ADA,
    ) == [("gemini", "anthropic")]


@pytest.mark.one_platform
def test_accounts_come_and_go_between_parking_and_installing(old: Ready, folder: Path) -> None:
    """As with the Supabase CLI, which applies 000 in a transaction of its own."""
    database = old("B")
    assert "ERROR" not in psql.run(database, "-v", "ON_ERROR_STOP=1", "-f", str(UPGRADE / "01_park.sql"))
    with database.connect("supabase_auth_admin") as auth:
        auth.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'new@example.com')")
        auth.execute("delete from auth.users where id = %s", [EVE])
    upgrade.upgrade(database.url(), silent, folder)
    assert fates(database)["feedback"] == expected("B")["feedback"] | {"parked": 4, "set_aside": 1}
    assert legacy.rows(
        database,
        "select count(*) from auth.users left join public.user_profiles on user_id = users.id "
        "left join public.user_preferences as it on it.user_id = users.id "
        "where user_profiles.id is null or it.id is null",
    ) == [(0,)]


# What is there instead ------------------------------------------------------------------------------------------------


@pytest.mark.one_platform
def test_installations_that_stopped_early(empty_database: Database, folder: Path) -> None:
    """Some of the tables, without the column that came last, and functions of the first file."""
    legacy.install(empty_database, "B")
    with empty_database.connect() as owner:
        owner.execute("drop table public.feedback, public.api_configurations")
        owner.execute("alter table public.user_preferences drop column vibe_coding")
        owner.execute("drop function public.cleanup_old_prompt_history(), public.trigger_cleanup_old_prompt_history()")
    before = psql.dump(empty_database)
    upgrade.upgrade(empty_database.url(), silent, folder)
    wanted = expected("B")
    assert fates(empty_database) == {it: wanted[it] for it in ("user_preferences", "profiles", "prompt_history")}
    upgrade.undo(empty_database.url(), silent, discard=False)
    assert psql.dump(empty_database) == before


REFUSED = {
    "nothing": ("select 1", "there is no legacy installation in this database", "forge-db apply"),
    "half of each": (
        "create table public.profiles (user_id uuid); create table public.api_providers (id uuid)",
        "half a legacy installation and half a newer one (Legacy tables: profiles. Newer tables: api_providers",
        "Nothing was changed.",
    ),
    "another legacy": (
        "create table public.profiles (user_id uuid); create schema legacy",
        "there is a schema legacy already",
        "Rename that schema",
    ),
    "profiles of somebody else": (
        "create table public.profiles (name text)", "there is no legacy installation in this database", "forge-db apply"
    ),
}  # fmt: skip


@pytest.mark.one_platform
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_upgraded_is_left_alone(
    empty_database: Database, folder: Path, case: tuple[str, str, str]
) -> None:
    made, message, hint = case
    with empty_database.connect() as owner:
        owner.execute(made.encode())
    before = psql.dump(empty_database)
    result = run(empty_database, folder)
    assert result.exit_code == 1
    error, advice = result.stderr.splitlines()
    assert message in error
    assert hint in advice
    assert psql.dump(empty_database) == before


@pytest.mark.one_platform
def test_a_new_installation_is_left_alone(scratch: Database, folder: Path) -> None:
    before = psql.dump(scratch)
    result = run(scratch, folder)
    assert result.exit_code == 1
    assert "The new schema is installed; there is nothing to upgrade." in result.stderr
    assert psql.dump(scratch) == before


@pytest.mark.one_platform
def test_a_row_that_is_not_what_it_was_is_found(upgraded: Database) -> None:
    """The comparison must be able to fail, and the command with it."""
    with upgraded.connect() as owner, owner.transaction(force_rollback=True):
        owner.execute("alter table public.prompt_history disable trigger user")
        owner.execute(
            "update public.prompt_history set ai_response = 'forged' where id = %s",
            ["00000000-0000-4000-d000-000000000001"],
        )
        found = owner.cursor(row_factory=dict_row).execute("select * from legacy.report()").fetchall()
    assert [(row["table_name"], row["wrong"]) for row in found if row["wrong"]] == [("prompt_history", 1)]
    with pytest.raises(ForgeError, match="rows differ from what was parked, and nobody changed them: prompt_history"):
        upgrade._tell(found, [])


@pytest.mark.one_platform
def test_parked_tables_are_out_of_reach(upgraded: Database) -> None:
    with Client.of(upgraded, Person(ADA, "ada@example.com")) as ada:
        for table in (*legacy.TABLES, "progress", "parked"):
            with pytest.raises(errors.InsufficientPrivilege, match="permission denied for schema legacy"):
                ada.rows(f"select * from legacy.{table}")
