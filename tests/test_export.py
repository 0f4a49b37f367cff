"""Everything that is held about a user, and nothing of anybody else, and no secret: as one document, or as files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from psycopg import errors

from forge_db.cli import main
from harness import keys
from harness.client import Client, join
from harness.databases import Database
from harness.examples import EXAMPLES
from harness.keys import KEYS
from harness.people import Person, sign_in
from harness.refusal import Guard
from harness.session import Session
from harness.world import leave_in_archive, roll_up

EXPORT = "select public.export_my_data()"
PERSONAL = "select title, relation::oid as oid, hidden_columns from private.personal_tables()"

# Whatever has a column that says whose a row is, by its name or by what it points to.
OWNED = """
    select distinct attrelid::bigint as oid, relname
    from pg_attribute inner join pg_class on pg_class.oid = attrelid
    where relkind in ('r', 'p') and not relispartition and attnum > 0 and not attisdropped
        and relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and (
            attname in ('user_id', 'actor_id', 'owner_id', 'account_id', 'profile_id')
            or exists (
                select from pg_constraint
                where conrelid = attrelid and attnum = any (conkey) and contype = 'f'
                    and confrelid = 'auth.users'::regclass and attname <> 'admin_user_id'
            )
        )
"""


def missing(db: Session) -> set[str]:
    """Tables with an owner that are not in the export."""
    with db.aside():
        exported = {row["oid"] for row in db.as_owner().rows(PERSONAL)}
        return {row["relname"] for row in db.rows(OWNED) if row["oid"] not in exported}


# Complete -------------------------------------------------------------------------------------------------------------


def test_every_table_with_an_owner_is_in_the_export(db: Session) -> None:
    assert missing(db) == set()


@pytest.mark.parametrize(
    "table",
    [
        "create table public.stray (id uuid primary key, user_id uuid)",
        "create table private.stray (user_id uuid primary key, note text)",
        "create table archive.stray (id uuid, user_id uuid not null, created_at date) partition by range (created_at)",
        "create table public.stray (id uuid primary key, author uuid references auth.users (id))",
    ],
)
def test_one_that_is_not_would_be_missed(db: Session, table: str) -> None:
    db.as_owner().run(table)
    assert missing(db) == {"stray"}


def test_a_new_table_with_an_owner_is_in_it_by_itself(db: Session, alice: Person) -> None:
    db.as_owner().run("create table public.stray (id uuid primary key, user_id uuid references auth.users (id))")
    assert missing(db) == set()
    db.run("insert into public.stray values (%s, %s)", [alice.id, alice.id])
    assert db.as_user(alice).value(EXPORT)["stray"] == [{"id": str(alice.id), "user_id": str(alice.id)}]


def test_nothing_is_hidden_but_secrets_and_search_words(db: Session) -> None:
    hidden = {row["title"]: row["hidden_columns"] for row in db.as_owner().rows(PERSONAL) if row["hidden_columns"]}
    assert {title: sorted(columns) for title, columns in hidden.items()} == {
        "api_configurations": ["api_key_encrypted"],
        "archive.unmigrated": ["api_key_encrypted"],
        # Which of the staff it was is about somebody else.
        "audit_log_about_user": ["actor_id", "ip_address", "request_id", "user_agent"],
        "private.prompt_search": ["words"],
    }


OTHERS = {"audit_log": "actor_id", "audit_log_about_user": "subject_id"}


@pytest.fixture
def lives(db: Session, alice: Person, bob: Person) -> dict[str, int]:
    """Alice and Bob have a row in every table that has an owner. How many there are of each one's."""
    keys.configure(db)
    owned = db.as_owner().column(PERSONAL)
    relations = {
        row["title"]: row["name"]
        for row in db.as_owner().rows("select title, relation::text as name from private.personal_tables()")
    }
    for person in (alice, bob):
        sign_in(db, person)
        db.as_user(person).run("select public.save_api_key('openai', %s)", [KEYS["openai"]])
        db.run("select public.check_rate_limit('openai')")
        db.run("select public.log_api_usage('openai', request_id => %s)", [uuid4()])
        db.add("prompt_history", user_id=person.id, cost_usd=1)
        db.as_user(person).run("delete from public.prompt_history")
        for table in EXAMPLES:
            if table in owned and table not in ("api_configurations", "user_preferences", "user_profiles"):
                db.add(table, **{OTHERS.get(table, "user_id"): person.id})
        leave_in_archive(db, person)
    roll_up(db)
    rows = "select count(*) from {} where {} = %s"
    return {table: db.truth(rows.format(relations[table], OTHERS.get(table, "user_id")), [alice.id]) for table in owned}


def test_every_row_of_the_caller_is_in_it_and_no_other(
    db: Session, lives: dict[str, int], alice: Person, bob: Person
) -> None:
    assert all(lives.values()), f"the test is about nothing: {lives}"
    export = db.as_user(alice).value(EXPORT)
    assert set(export) == {"account", *lives}
    for table, count in lives.items():
        assert len(export[table]) == count, table
        assert {row[OTHERS.get(table, "user_id")] for row in export[table]} == {str(alice.id)}
    text = json.dumps(export)
    assert str(bob.id) not in text
    assert bob.email is not None
    assert bob.email not in text


def test_what_staff_did_to_ones_rows_is_in_it_but_not_who_of_them(db: Session, alice: Person, carol: Person) -> None:
    db.as_staff(carol).run("update public.user_profiles set is_active = false where user_id = %s", [alice.id])
    db.as_owner().run("update public.user_profiles set is_active = true where user_id = %s", [alice.id])
    export = db.as_user(alice).value(EXPORT)
    lines = [(line["actor_role"], line["changes"]["is_active"]) for line in export["audit_log_about_user"]]
    assert ("app_admin", {"old": True, "new": False}) in lines
    assert str(carol.id) not in json.dumps(export)


def test_the_rows_are_whole(db: Session, alice: Person) -> None:
    row_id = db.add("prompt_history", user_id=alice.id, user_input='é 🙂 \\ " \n', ai_response="x", temperature="0.7")
    expected = db.truth("select to_jsonb(item) from public.prompt_history as item where id = %s", [row_id])
    assert db.as_user(alice).value(EXPORT)["prompt_history"] == [expected]


def test_the_account_is_in_it_without_credentials(db: Session, alice: Person) -> None:
    account = db.as_user(alice).value(EXPORT)["account"]
    assert (account["id"], account["email"]) == (str(alice.id), "alice@example.com")
    assert set(account) == {"id", "email", "phone", "user_metadata", "created_at", "last_sign_in_at"}


@pytest.mark.usefixtures("lives")
def test_no_secret_is_in_it(db: Session, alice: Person) -> None:
    stored = db.truth("select api_key_encrypted from public.api_configurations where user_id = %s", [alice.id])
    export = db.as_user(alice).value(EXPORT)
    text = json.dumps(export)
    assert "api_configurations" in text
    for secret in (stored, KEYS["openai"], keys.ENCRYPTION_KEY):
        assert secret not in text
    for title in ("audit_log", "audit_log_about_user"):
        changes = [row.pop("changes") or {} for row in export[title]]
        assert {"old": None, "new": "[hidden]"} in [change.get("api_key_encrypted") for change in changes]
    assert "api_key_encrypted" not in json.dumps(export)


def test_staff_get_what_is_held_about_themselves(db: Session, alice: Person, carol: Person) -> None:
    db.add("prompt_history", user_id=alice.id)
    export = db.as_staff(carol).value(EXPORT)
    assert export["account"]["id"] == str(carol.id)
    assert export["prompt_history"] == []


def test_only_who_is_signed_in_gets_one(db: Session) -> None:
    db.as_token("authenticated", '{"role": "authenticated"}')
    with db.refuses(errors.InvalidAuthorizationSpecification):
        db.value(EXPORT)
    for speak in (db.as_visitor, db.as_server):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value(EXPORT)


@pytest.mark.one_platform
@pytest.mark.parametrize(
    "fill",
    [
        "insert into public.api_usage_logs (user_id, provider) select %s, 'openai' from generate_series(1, 100001)",
        "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, "
        "ai_response) select %s, 'roses', 'R', 'm', 'openai', 'x', repeat('x', 2000000) from generate_series(1, 26)",
        "insert into public.prompt_templates (user_id, name, framework_id, template_content) "
        "select %s, number, 'roses', repeat('x', 100000) from generate_series(1, 501) as number",
    ],
    ids=["rows", "history", "compressible rows"],
)
def test_what_is_too_much_for_a_document_is_refused_with_the_way_out(db: Session, alice: Person, fill: str) -> None:
    db.as_owner().run("alter table public.prompt_history disable trigger index_prompt_history_words")
    db.run(fill, [alice.id])
    db.as_user(alice).run("set local statement_timeout = '8s'")
    with db.refuses(errors.ProgramLimitExceeded) as refusal:
        db.value(EXPORT)
    assert "forge-db export-user" in (refusal.value.diag.message_hint or "")


# As files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alices(scratch: Database) -> Person:
    with scratch.connect() as owner:
        alice, bob = join(owner, "alice@example.com"), join(owner, "bob@example.com")
        for person in (alice, bob):
            owner.execute(
                "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, "
                "user_input) select %s, 'roses', 'R', 'm', 'openai', 'line' || E'\\n' || number || E' \\\\ \\\\n é' "
                "from generate_series(1, 3) as number",
                [person.id],
            )
    return alice


def export(database: Database, user: str, directory: Path) -> Result:
    return CliRunner().invoke(main, ["export-user", user, str(directory)], env={"FORGE_DATABASE_URL": database.url()})


def read(directory: Path) -> dict[str, list[Any]]:
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in directory.iterdir()
    }


@pytest.mark.parametrize("by", ["id", "email"])
def test_the_files_hold_what_the_document_holds(scratch: Database, alices: Person, tmp_path: Path, by: str) -> None:
    target = tmp_path / "a directory" / "alice"
    said = export(scratch, str(getattr(alices, by)).upper(), target)
    assert said.exit_code == 0, said.output
    assert "        3 prompt_history\n" in said.output
    with Client.of(scratch, alices) as client:
        document = client.value(EXPORT)
    files = read(target)
    assert files.pop("account") == [document.pop("account")]
    assert {name: sorted(rows, key=json.dumps) for name, rows in files.items()} == {
        name: sorted(rows, key=json.dumps) for name, rows in document.items()
    }


def test_the_files_are_for_nobody_elses_eyes(scratch: Database, alices: Person, tmp_path: Path) -> None:
    assert export(scratch, str(alices.id), tmp_path / "alice").exit_code == 0
    assert (tmp_path / "alice").stat().st_mode & 0o077 == 0


def test_what_is_there_is_not_overwritten(scratch: Database, alices: Person, tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    said = export(scratch, str(alices.id), tmp_path / "alice")
    assert said.exit_code == 1
    assert "is there already" in said.output


@pytest.mark.one_platform
@pytest.mark.parametrize("user", ["nobody@example.com", "00000000-0000-4000-8000-000000000000", "", "' or true --"])
def test_an_unknown_user_leaves_nothing_behind(scratch: Database, tmp_path: Path, user: str) -> None:
    said = export(scratch, user, tmp_path / "nobody")
    assert said.exit_code == 1
    assert "there is no account" in said.output
    assert list(tmp_path.iterdir()) == []


UNREADABLE = """
    create type public.odd as enum ('odd');
    create function public.fail(odd public.odd) returns json language plpgsql as $$
    begin
        raise exception 'this row cannot be read';
    end
    $$;
    create cast (public.odd as json) with function public.fail(public.odd);
    create table public.zzz (user_id uuid references auth.users (id), odd public.odd);
"""


def test_a_failure_half_way_leaves_nothing_behind(scratch: Database, alices: Person, tmp_path: Path) -> None:
    with scratch.connect() as owner:
        owner.execute(UNREADABLE)
        owner.execute("insert into public.zzz values (%s, 'odd')", [alices.id])
    said = export(scratch, str(alices.id), tmp_path / "alice")
    assert said.exit_code == 1
    assert "this row cannot be read" in said.output
    assert list(tmp_path.iterdir()) == []


COMMAND = "from forge_db.cli import main; main()"
LITTLE_MEMORY = 64_000_000  # octets


@pytest.mark.one_platform
def test_more_rows_than_fit_a_document_pass_through_in_little_memory(
    scratch: Database, alices: Person, tmp_path: Path
) -> None:
    with scratch.connect() as owner:
        owner.execute(
            "insert into public.api_usage_logs (user_id, provider, endpoint) "
            "select %s, 'openai', repeat('x', 500) from generate_series(1, 150000)",
            [alices.id],
        )
    program = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, [{LITTLE_MEMORY}] * 2)\n{COMMAND}"
    subprocess.run(
        [sys.executable, "-c", program, "export-user", str(alices.id), str(tmp_path / "alice")],
        env={"FORGE_DATABASE_URL": scratch.url(), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    file = tmp_path / "alice" / "api_usage_logs.jsonl"
    assert file.stat().st_size > 1.5 * LITTLE_MEMORY
    with file.open() as lines:
        assert sum(1 for _ in lines) == 150000
