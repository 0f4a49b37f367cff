"""Attacks that worked once. Each was run against the schema before its mend, and succeeded there.

Some need a SQL session as an API role, which is more than PostgREST gives: then the API is not what protects us.
"""

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.examples import envelope
from harness.keys import ENCRYPTION_KEY, KEYS, configure, new_encryption_key
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

pytestmark = pytest.mark.access

# A type of the attacker's own under a name that a function uses. Its check runs as whoever evaluates it.
SHADOW = """
    create function pg_temp.spy() returns boolean language plpgsql as $$
    begin
        if current_user not in ('anon', 'authenticated', 'app_admin', 'service_role') then
            raise notice 'ran as %', current_user;
        end if;
        return true;
    end
    $$;
"""
SHADOWED = ("text", "jsonb", "uuid", "regconfig", "bytea", "name", "regclass", "date")
CALLS = """
    select format('select public.%%I(%%s)', proname, (
        select coalesce(string_agg(case format_type(type, null)
            when 'text' then '''openai''' when 'uuid' then 'gen_random_uuid()' when 'jsonb' then '''{}'''
            else 'null' end, ', '), '')
        from unnest(proargtypes) as argument (type)
    ))
    from pg_proc
    where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype
        and has_function_privilege(%s, oid, 'execute')
"""
WRITES = (
    "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input)"
    " values (auth.uid(), 'roses', 'R.O.S.E.S', 'gpt-4', 'openai', 'Hello.')",
    "insert into public.prompt_templates (user_id, name, framework_id, template_content)"
    " values (auth.uid(), 'Mine', 'roses', 'Hello {{name}}')",
    "update public.user_profiles set bio = 'Hello.'",
    "update public.user_preferences set theme = 'light'",
    "insert into public.feedback (user_id, message) values (auth.uid(), 'Hello.')",
)


@pytest.mark.parametrize("role", ["authenticated", "app_admin", "service_role"])
def test_a_temporary_type_runs_nothing_as_the_owner(
    db: Session, connection: psycopg.Connection, alice: Person, carol: Person, role: str
) -> None:
    speak = {
        "authenticated": lambda: db.as_user(alice),
        "app_admin": lambda: db.as_staff(carol),
        "service_role": db.as_server,
    }[role]
    statements = [*db.as_owner().column(CALLS, [role]), *WRITES]
    assert len(statements) > len(WRITES)
    speak().run(SHADOW)
    for name in SHADOWED:
        db.run(f'create domain pg_temp."{name}" as pg_catalog.{name} check (pg_temp.spy())')
    heard: list[str] = []

    def listen(notice: psycopg.errors.Diagnostic) -> None:
        heard.append(notice.message_primary or "")

    connection.add_notice_handler(listen)
    for statement in statements:
        # Refused for another reason, perhaps; what ran before that is what counts.
        with suppress(errors.Error), db.undone():
            db.run(statement)
        assert [said for said in heard if said.startswith("ran as")] == [], statement
    connection.remove_notice_handler(listen)


@pytest.mark.parametrize("column", ["user_input", "ai_response"])
def test_estimates_tell_nothing_of_what_others_wrote(db: Session, alice: Person, bob: Person, column: str) -> None:
    secret = "Draft the severance letter for Jane Doe"
    for _ in range(200):
        db.add("prompt_history", user_id=bob.id, **{"user_input": "x", column: secret})
    db.as_owner().run("analyze public.prompt_history")

    def estimate(text: str) -> Any:
        plan = db.value(f"explain (format json) select from public.prompt_history where {column} = %s", [text])
        return json.loads(plan)[0]["Plan"]["Plan Rows"] if isinstance(plan, str) else plan[0]["Plan"]["Plan Rows"]

    db.as_user(alice)
    assert estimate(secret) == estimate("Nobody ever wrote this")


def test_a_short_request_does_not_ask_for_a_gigabyte(db: Session, alice: Person) -> None:
    bomb = db.add(
        "prompt_templates",
        user_id=alice.id,
        template_content="{{a}}" * 400,
        variables=Jsonb([{"name": "a", "default": "x" * 60_000}]),
    )
    db.as_user(alice)
    with db.refuses(errors.ProgramLimitExceeded):
        db.run("select public.render_prompt_template(%s)", [bomb])


def test_a_text_of_placeholders_is_read_in_one_pass(db: Session, alice: Person) -> None:
    db.as_user(alice).run("set local statement_timeout = '5s'")
    db.run(
        "insert into public.prompt_templates (user_id, name, framework_id, template_content) values (%s, 'x', 'x', %s)",
        [alice.id, "{{a}}" * 20_000],
    )


def test_an_export_does_not_outgrow_the_memory(db: Session, alice: Person) -> None:
    for number in range(600):
        db.add("prompt_templates", user_id=alice.id, name=f"{number}", template_content="x" * 100_000)
    db.as_user(alice)
    with db.refuses(errors.ProgramLimitExceeded):
        db.run("select public.export_my_data()")


@pytest.mark.parametrize("statement", [
    "update public.api_providers set base_url = 'https://evil.example' where name = 'openai'",
    "update public.api_providers set name = 'closed' where name = 'openai'",
    "update public.api_providers set name = 'openai' where name = 'other'",
    "insert into public.api_providers (name, display_name, base_url) values ('openai', 'OpenAI', 'https://evil.example')",
])  # fmt: skip
def test_staff_cannot_have_keys_sent_elsewhere(db: Session, carol: Person, statement: str) -> None:
    db.as_owner()
    if "insert" in statement or "'other'" in statement:
        db.run("delete from public.api_providers where name = 'openai'")
        db.add("api_providers", name="other")
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(statement)


@pytest.mark.parametrize("key", ["retention_days_audit_log", "retention_days_security_events"])
def test_staff_cannot_have_their_traces_deleted(db: Session, carol: Person, key: str) -> None:
    db.as_owner().run("update public.system_config set min_value = null where key = %s", [key])
    db.as_staff(carol)
    with db.refuses(errors.CheckViolation, constraint="system_config_records_are_kept"):
        db.run("update public.system_config set value = '1' where key = %s", [key])


@pytest.mark.parametrize("statement", [
    "update public.system_config set min_value = null",
    "update public.system_config set max_value = null",
    "update public.system_config set allowed_values = null",
    "delete from public.system_config",
])  # fmt: skip
def test_staff_cannot_lift_what_keeps_records_coming_and_maintenance_running(
    db: Session, carol: Person, statement: str
) -> None:
    """Such as security_events_per_minute = 0, or maintenance_time_budget_seconds = -1."""
    guard = Guard.TABLE_GRANT if statement.startswith("delete") else Guard.COLUMN_GRANT
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=guard):
        db.run(f"{statement} where key = 'security_events_per_minute'")


@pytest.mark.parametrize("statement", [
    "update public.api_providers set api_key_pattern = '^sk-proj-[A-F]'",
    "insert into public.api_providers (name, display_name, base_url, api_key_pattern) "
    "values ('other', 'Other', 'https://other.example', '^sk-proj-[A-F]')",
])  # fmt: skip
def test_staff_cannot_guess_keys_by_what_is_accepted(db: Session, carol: Person, statement: str) -> None:
    """A key that fits a pattern of theirs, or another provider's, is told by whether it was stored."""
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        db.run(statement)


@pytest.mark.parametrize(("table", "column"), [
    ("prompt_history", "cost_usd"),
    ("user_preferences", "monthly_budget_usd"),
])  # fmt: skip
def test_money_is_a_number(db: Session, alice: Person, table: str, column: str) -> None:
    db.as_owner()
    if table == "prompt_history":
        db.add(table, user_id=alice.id)
    db.as_user(alice)
    with db.refuses(errors.CheckViolation):
        db.run(f"update public.{table} set {column} = 'NaN'")


@pytest.mark.parametrize("piece", ["_a", "./", "~/", "<!--", "a_b-c1", "x", "\N{SNOWMAN}", "a@b.c/"])
def test_no_text_takes_the_search_index_long_or_too_far(db: Session, alice: Person, piece: str) -> None:
    text = piece * (50_000 // len(piece))
    db.as_user(alice).run("set local statement_timeout = '3s'")
    db.run(
        "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input)"
        " values (%s, 'roses', 'R.O.S.E.S', 'gpt-4', 'openai', %s)",
        [alice.id, text],
    )


def test_the_role_of_staff_alone_opens_nothing(db: Session, alice: Person) -> None:
    db.add("feedback", user_id=None)
    db.as_staff(alice)  # the token says app_admin, the account does not
    assert db.column("select id from public.feedback") == []
    assert db.value("select public.is_admin()") is False


STAFF_COLUMNS = {
    "user_profiles": ("bio = 'Mine.'", ["is_active = not is_active"]),
    "feedback": (
        "message = 'Changed.'",
        ["status = 'closed'", "priority = 'high'", "category_id = null", "admin_response = 'Thank you.'"],
    ),
}


@pytest.mark.parametrize("table", STAFF_COLUMNS)
def test_who_was_dismissed_has_no_more_than_a_user_on_own_rows(db: Session, carol: Person, table: str) -> None:
    """The token says app_admin for another hour, so the grants of staff are there; so is the own row."""
    if table == "feedback":
        db.add(table, user_id=carol.id, category_id=db.add("feedback_categories"))
    db.as_auth().run("update users set role = 'authenticated' where id = %s", [carol.id])
    db.as_staff(carol)
    of_users, of_staff = STAFF_COLUMNS[table]
    assert db.run(f"update public.{table} set {of_users}") == 1
    for assigned in of_staff:
        with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
            db.run(f"update public.{table} set {assigned}")


@pytest.mark.parametrize("setting", ["off", "on", ""])
def test_an_update_cannot_talk_its_way_out_of_the_audit(db: Session, carol: Person, setting: str) -> None:
    """RETURNING runs after each row and before the statement's triggers."""
    db.as_staff(carol)
    db.run(
        "update public.system_config set description = 'Mine.' where key = 'maintenance_schedule' "
        "returning set_config('forge.changed', %s, false)",
        [setting],
    )
    recorded = "select count(*) from public.audit_log where table_name = 'system_config' and actor_id = %s"
    assert db.truth(recorded, [carol.id]) == 1


# What private.rotate_api_keys() says of itself, said by somebody else.
FORGED = "select set_config('forge.resealing', 'on', false)"
REPLACEMENTS = "select count(*) from public.audit_log where table_name = 'api_configurations' and subject_id = %s"


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_who_says_that_keys_are_being_rotated_replaces_none_unseen(db: Session, alice: Person, role: str) -> None:
    """Neither said before the statement, nor by the statement and taken back before its end."""
    db.add("api_configurations", user_id=alice.id, is_validated=True)
    before = db.truth(REPLACEMENTS, [alice.id])
    replace = "update public.api_configurations set api_key_encrypted = %s where user_id = %s"
    _ = db.as_user(alice) if role == "authenticated" else db.as_server()
    db.run(FORGED)
    db.run(replace, [envelope(1), alice.id])
    assert db.truth("select is_validated from public.api_configurations where user_id = %s", [alice.id]) is False
    db.run("select set_config('forge.resealing', 'off', false)")
    said_and_taken_back = "and set_config('forge.resealing', 'on', false) = 'on' returning set_config(%s, 'off', false)"
    db.run(f"{replace} {said_and_taken_back}", [envelope(2), alice.id, "forge.resealing"])
    assert db.truth(REPLACEMENTS, [alice.id]) == before + 2


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_who_says_that_keys_are_being_rotated_stores_no_plain_key(db: Session, alice: Person, role: str) -> None:
    _ = db.as_user(alice) if role == "authenticated" else db.as_server()
    db.run(FORGED)
    insert = "insert into public.api_configurations (user_id, provider, api_key_encrypted) values (%s, 'openai', %s)"
    for stored in (KEYS["openai"], "enc:c1:" + b64encode(KEYS["openai"].encode()).decode()):
        with db.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted"):
            db.run(insert, [alice.id, stored])
    if role == "authenticated":
        with db.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted"):
            db.run(insert, [alice.id, "enc:v1:abc:" + envelope().removeprefix("enc:c1:")])


@pytest.mark.parametrize("is_there", [False, True])
def test_a_function_of_the_owner_is_not_told_that_keys_are_being_rotated(
    db: Session, alice: Person, *, is_there: bool
) -> None:
    """It runs with the owner's rights, for which the setting counts: what only a rotation can see is missing."""
    configure(db)
    if is_there:
        db.add("api_configurations", user_id=alice.id)
    stored = db.truth("select jsonb_agg(api_key_encrypted) from public.api_configurations")
    db.as_user(alice).run(FORGED)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run("select public.save_api_key('openai', %s)", [KEYS["openai"]])
    assert db.truth("select jsonb_agg(api_key_encrypted) from public.api_configurations") == stored


def test_nor_is_a_verdict_passed_unseen(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id)
    db.as_server().run(FORGED)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run("select public.record_api_key_validation(%s, 'openai', true)", [alice.id])


def test_a_rotation_leaves_nothing_behind_that_hides_what_follows(db: Session, alice: Person) -> None:
    configure(db)
    db.as_user(alice).run("select public.save_api_key('openai', %s)", [KEYS["openai"]])
    configure(db, ENCRYPTION_KEY, "app_encryption_key_previous")
    configure(db, new_encryption_key())
    before = db.truth(REPLACEMENTS, [alice.id])
    assert db.as_server().value("select resealed from public.rotate_api_keys()") == 1
    assert db.value("select current_setting('forge.resealing')") == "off"
    db.run(FORGED)
    db.run("update public.api_configurations set api_key_encrypted = %s where user_id = %s", [envelope(2), alice.id])
    assert db.truth(REPLACEMENTS, [alice.id]) == before + 1
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run("select public.save_api_key('openai', %s)", [KEYS["openai"]])


def test_the_owner_says_it_in_vain_too(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id)
    db.as_owner().run(FORGED)
    for change in ("api_key_encrypted = api_key_encrypted", "is_active = false", "updated_at = '2020-01-01'"):
        with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
            db.run(f"update public.api_configurations set {change}")
