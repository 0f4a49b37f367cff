"""Settings: what is checked when they are written, what readers make of them, and the flags that functions honour."""

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.people import Person
from harness.session import Session

CHANGE = "update public.system_config set value = %s where key = %s"


def configure(db: Session, key: str, value: Any) -> None:
    with db.aside():
        assert db.as_owner().run(CHANGE, [Jsonb(value), key]) == 1


# Written --------------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Any, str]] = [
    ("retention_days_user_sessions", -5, "Allowed: whole days, 1 to 3650."),
    ("retention_days_user_sessions", 0, "Allowed: whole days, 1 to 3650."),
    ("retention_days_api_usage_logs", 30, "Allowed: 31 to 3650."),
    ("retention_days_audit_log", 3651, "Allowed: whole days, 1 to 3650."),
    ("max_prompt_history_days", 0, "Allowed: whole days, 1 to 3650."),
    ("maintenance_batch_size", -1, "Allowed: 100 to 100000."),
    ("maintenance_schedule", "at three", "Minute, hour, day of the month"),
    ("maintenance_schedule", "", "Minute, hour, day of the month"),
    ("maintenance_schedule", "0 3 * *", "Minute, hour, day of the month"),
    ("maintenance_schedule", "0 3 * * *; vacuum", "Minute, hour, day of the month"),
    ("maintenance_schedule", "0 3 * * *\n1 3 * * *", "Minute, hour, day of the month"),
    ("maintenance_schedule", 3, "Write it as JSON"),
    ("archive_enabled", "no", "Write it as JSON"),
    ("retention_days_user_sessions", "90", "Write it as JSON"),
    ("retention_days_user_sessions", 1.5, "Write it as JSON"),
    ("retention_days_user_sessions", None, "Write it as JSON"),
]


@pytest.mark.parametrize(("key", "value", "hint"), REFUSED)
def test_what_makes_no_sense_is_refused_and_the_range_is_told(
    db: Session, carol: Person, key: str, value: Any, hint: str
) -> None:
    before = db.as_staff(carol).value("select value from public.system_config where key = %s", [key])
    with db.refuses(errors.CheckViolation) as refusal:
        db.run(CHANGE, [Jsonb(value), key])
    assert str(refusal.value.diag.message_hint).startswith(hint)
    assert key in str(refusal.value.diag.message_primary)
    assert db.value("select value from public.system_config where key = %s", [key]) == before


@pytest.mark.parametrize("key", ["retention_days_audit_log", "retention_days_user_sessions", "max_prompt_history_days"])
@pytest.mark.parametrize("value", [-5, 0, 3651, 10**12, True, "90"])
def test_whoever_lifts_the_limits_of_a_retention_still_needs_days(db: Session, key: str, value: Any) -> None:
    db.as_owner().run(
        "update public.system_config set min_value = null, max_value = null, allowed_values = null where key = %s",
        [key],
    )
    with db.refuses(errors.CheckViolation):
        db.run(CHANGE, [Jsonb(value), key])
    kind = "boolean" if value is True else "text" if value == "90" else "number"
    db.run("delete from public.system_config where key = %s", [key])
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_in_range"):
        db.add("system_config", key=key, value=Jsonb(value), value_type=kind)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**30])
def test_an_integer_that_no_reader_could_hold_is_refused(db: Session, value: int) -> None:
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_in_range"):
        db.add("system_config", value=Jsonb(value))
    db.add("system_config", value=Jsonb(value), value_type="number")


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/10 0-6 1,15 * 1-5", "59 23 31 12 7"])
def test_a_schedule_is_a_cron_expression(db: Session, schedule: str) -> None:
    configure(db, "maintenance_schedule", schedule)


# Read -----------------------------------------------------------------------------------------------------------------

READERS = {
    "config_boolean": ("boolean", True, "false", False),
    "config_integer": ("integer", 30, "7", 7),
    "config_number": ("number", 0.5, "7.5", 7.5),
    "config_text": ("text", "dark", "'light'", "light"),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_finds_its_type_and_else_falls_back(db: Session, reader: str) -> None:
    kind, value, fallback, expected = READERS[reader]
    for other, (its_kind, its_value, *_) in READERS.items():
        db.add("system_config", key=f"of_{other}", value_type=its_kind, value=Jsonb(its_value))
    db.as_owner()
    read = f"select private.{reader}(%s, {fallback})"
    assert db.value(read, [f"of_{reader}"]) == value
    for other in READERS:
        if other != reader and (reader, other) != ("config_number", "config_integer"):
            assert db.value(read, [f"of_{other}"]) == expected, kind
    assert db.value(read, ["never_heard_of"]) == expected
    assert db.value(read, [None]) == expected


@pytest.mark.parametrize("key", ["'; drop table public.system_config; --", "%s", "a' or '1'='1", "\\", "x" * 100000])
def test_no_name_of_a_setting_becomes_sql(db: Session, key: str) -> None:
    db.as_owner()
    assert db.value("select private.config_integer(%s, 7)", [key]) == 7
    assert db.as_visitor().value("select public.is_feature_enabled(%s)", [key]) is False
    with db.refuses(errors.DatabaseError):
        db.add("system_config", key=key)
    assert db.truth("select count(*) > 0 from public.system_config") is True


# Flags ----------------------------------------------------------------------------------------------------------------


def refused(db: Session, statement: str, *parameters: Any) -> None:
    with db.refuses(errors.DatabaseError) as refusal:
        db.run(statement, parameters)
    assert refusal.value.diag.sqlstate == "PT403"
    assert refusal.value.diag.message_hint


def test_visitors_send_feedback_only_while_the_flag_is_on(db: Session, alice: Person) -> None:
    send = "insert into public.feedback (message) values ('Hello.')"
    db.as_visitor().run(send)
    configure(db, "anonymous_feedback", False)
    refused(db, send)
    refused(db.as_server(), send)
    db.as_user(alice).run("insert into public.feedback (user_id, message) values (%s, 'Hello.')", [alice.id])
    assert db.truth("select count(*) from public.feedback") == 2


def test_users_send_feedback_only_while_the_flag_is_on(db: Session, alice: Person, carol: Person) -> None:
    send = "insert into public.feedback (user_id, message) values (%s, 'Hello.')"
    db.as_user(alice).run(send, [alice.id])
    configure(db, "feedback", False)
    refused(db, send, alice.id)
    refused(db.as_staff(carol), send, carol.id)
    refused(db.as_server(), send, alice.id)
    db.as_visitor().run("insert into public.feedback (message) values ('Hello.')")
    assert db.truth("select count(*) from public.feedback") == 2


def test_prompts_are_stored_only_while_the_flag_is_on(db: Session, alice: Person, carol: Person) -> None:
    store = """
        insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input)
        values (%s, 'ape', 'A.P.E', 'gpt-4o', 'openai', 'Hello.')"""
    db.as_user(alice).run(store, [alice.id])
    configure(db, "history", False)
    refused(db, store, alice.id)
    refused(db.as_staff(carol), store, carol.id)
    refused(db.as_server(), store, alice.id)
    assert db.as_owner().run(store, [alice.id]) == 1, "what the owner copies is not judged"
    assert db.as_user(alice).run("update public.prompt_history set status = 'failed'") == 2


TEMPLATE = """
    insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public)
    values (%s, %s, 'ape', 'Do it.', %s) """


def test_templates_are_stored_and_rendered_only_while_the_flag_is_on(db: Session, alice: Person, carol: Person) -> None:
    own = db.as_user(alice).value(TEMPLATE + "returning id", [alice.id, "one", False])
    configure(db, "templates", False)
    refused(db, TEMPLATE, alice.id, "two", False)
    refused(db, "select public.render_prompt_template(%s)", own)
    refused(db.as_server(), TEMPLATE, alice.id, "two", False)
    assert db.as_staff(carol).run(TEMPLATE, [None, "system", True]) == 1, "system templates are staff's business"
    configure(db, "templates", True)
    assert db.as_user(alice).value("select public.render_prompt_template(%s)", [own]) == "Do it."


def test_templates_become_public_only_while_the_flag_is_on(db: Session, alice: Person) -> None:
    shared = db.as_user(alice).value(TEMPLATE + "returning id", [alice.id, "shared", True])
    own = db.value(TEMPLATE + "returning id", [alice.id, "own", False])
    configure(db, "template_sharing", False)
    publish = "update public.prompt_templates set is_public = true where id = %s"
    refused(db, publish, own)
    refused(db, TEMPLATE, alice.id, "another", True)
    refused(db.as_server(), publish, own)
    assert db.as_user(alice).run(publish, [shared]) == 1, "what is public stays so"
    assert db.run("update public.prompt_templates set is_public = false") == 2
    assert db.run(TEMPLATE, [alice.id, "another", False]) == 1
    configure(db, "template_sharing", True)
    assert db.run(publish, [own]) == 1


def test_a_flag_that_clients_cannot_read_holds_them_as_well(db: Session) -> None:
    configure(db, "anonymous_feedback", False)
    db.as_owner().run("update public.system_config set is_public = false where key = 'anonymous_feedback'")
    refused(db.as_visitor(), "insert into public.feedback (message) values ('Hello.')")


def test_a_flag_that_is_missing_switches_nothing_off(db: Session) -> None:
    db.as_owner().run("delete from public.system_config")
    assert db.as_visitor().run("insert into public.feedback (message) values ('Hello.')") == 1


def test_every_flag_says_what_it_does_to_the_database(db: Session) -> None:
    """Off: what is refused. Or it is for clients alone."""
    flags = "select description from public.system_config where category = 'feature_flag'"
    for description in db.as_owner().column(flags):
        assert ("Off: " in description) != description.endswith("For clients alone."), description
