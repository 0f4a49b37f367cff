"""audit_log: who changed what, from where; what is left out of it; and that nobody's write fails for it."""

import re
from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import shapes
from harness.examples import COMPONENT, EXAMPLES, MODEL, envelope, number
from harness.figures import made_up
from harness.people import Person, delete_account, sign_up
from harness.refusal import Guard
from harness.request import request
from harness.session import Session

NOBODY = "00000000-0000-4000-8000-00000000dead"
HIDDEN = {"old": "[hidden]", "new": "[hidden]"}

# What an update changes, for each table of which staff may change many rows at once.
CHANGES: dict[str, dict[str, Any]] = {
    "system_config": {"value": 31},
    "api_providers": {"max_requests_per_day": 123},
    "prompt_frameworks": {"sort_order": 7},
    "feedback_categories": {"is_active": False},
    "feedback_tags": {"color": "#000000"},
    "feedback": {"status": "in_progress"},
}
# Columns that no line holds: what the row is, and when; what people wrote, and who they are.
UNRECORDED = {
    "*": {"id", "user_id", "created_at", "updated_at"},
    "feedback": {
        "message", "feedback_type", "contact_email", "contact_name", "user_agent", "browser_info", "device_info",
        "admin_user_id", "responded_at", "rating",
    },
    "prompt_templates": {"usage_count"},
    "api_configurations": {"is_validated", "last_validated_at", "validation_error", "usage_count", "last_used_at"},
}  # fmt: skip

catalogue = pytest.mark.parametrize("table", CHANGES)


def lines(db: Session, **where: Any) -> list[dict[str, Any]]:
    """The lines of this transaction that these columns pick out."""
    condition = "".join(f" and {column} is not distinct from %s" for column in where)
    with db.aside():
        return db.as_owner().rows(
            f"select * from public.audit_log where created_at = now(){condition}",
            list(where.values()),
        )


def row(db: Session, table: str, **columns: Any) -> UUID:
    """A row that was there before, as far as the log is concerned."""
    found: UUID = db.add(table, **columns)
    return found


def update(table: str, row_id: UUID, changes: dict[str, Any]) -> tuple[str, list[Any]]:
    sets = ", ".join(f"{column} = %s" for column in changes)
    values = [Jsonb(value) if column == "value" else value for column, value in changes.items()]
    return f"update public.{table} set {sets} where id = %s", [*values, row_id]


# Who, when, from where ------------------------------------------------------------------------------------------------


def test_a_line_says_who_what_and_from_where(db: Session, carol: Person) -> None:
    row_id = row(db, "system_config")
    headers = {"cf-connecting-ip": "192.0.2.7", "user-agent": "Firefox", "sb-request-id": "r-1"}
    db.speak(request("app_admin", headers=headers, **carol.claims()))
    db.run(*update("system_config", row_id, {"value": 2, "description": "Two."}))
    (line,) = lines(db, row_id=row_id, action="update")
    assert line["actor_id"] == carol.id
    assert line["actor_role"] == "app_admin"
    assert line["table_name"] == "system_config"
    assert line["subject_id"] is None
    assert line["changes"] == {"value": {"old": 1, "new": 2}, "description": {"old": "For a test.", "new": "Two."}}
    assert (str(line["ip_address"]), line["user_agent"], line["request_id"]) == ("192.0.2.7", "Firefox", "r-1")


@pytest.mark.parametrize(
    ("setting", "headers", "address"),
    [
        (None, {"cf-connecting-ip": "192.0.2.7", "x-forwarded-for": "203.0.113.9"}, "192.0.2.7"),
        # The client wrote this one; nobody else did.
        (None, {"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9"}, None),
        ("x-real-ip", {"cf-connecting-ip": "203.0.113.9", "x-real-ip": "192.0.2.7"}, "192.0.2.7"),
        ("x-forwarded-for", {"x-forwarded-for": "203.0.113.9, 198.51.100.2, 192.0.2.7"}, "192.0.2.7"),
        ("none", {"cf-connecting-ip": "192.0.2.7", "none": "192.0.2.7"}, "192.0.2.7"),
        (None, {"cf-connecting-ip": "2001:db8::1"}, "2001:db8::1"),
        (None, {"cf-connecting-ip": "not an address"}, None),
        (None, {"cf-connecting-ip": ""}, None),
    ],
)
def test_the_address_comes_from_the_one_header_that_the_proxy_writes(
    db: Session, carol: Person, setting: str | None, headers: dict[str, str], address: str | None
) -> None:
    if setting:
        db.as_owner().run(
            "update public.system_config set value = to_jsonb(%s::text) where key = 'client_address_header'", [setting]
        )
    row_id = row(db, "feedback_tags")
    db.speak(request("app_admin", headers=headers, **carol.claims()))
    db.run(*update("feedback_tags", row_id, {"color": "#000000"}))
    (line,) = lines(db, row_id=row_id, action="update")
    assert line["ip_address"] == (address and ip_address(address))


def test_where_the_setting_is_missing_it_is_supabases_header(db: Session, carol: Person) -> None:
    db.as_owner().run("delete from public.system_config where key = 'client_address_header'")
    row_id = row(db, "feedback_tags")
    headers = {"cf-connecting-ip": "192.0.2.7", "x-forwarded-for": "203.0.113.9"}
    db.speak(request("app_admin", headers=headers, **carol.claims()))
    db.run(*update("feedback_tags", row_id, {"color": "#000000"}))
    assert [str(line["ip_address"]) for line in lines(db, row_id=row_id, action="update")] == ["192.0.2.7"]


def test_without_a_request_it_is_the_login_and_its_program(db: Session) -> None:
    row_id = row(db, "feedback_tags")
    db.as_owner().run("set local application_name = 'psql'")
    db.run(*update("feedback_tags", row_id, {"color": "#000000"}))
    (line,) = lines(db, row_id=row_id, action="update")
    assert (line["actor_id"], line["actor_role"], line["user_agent"]) == (None, "postgres", "psql")


def test_the_role_is_the_callers_also_inside_a_function_of_the_owner(db: Session, carol: Person) -> None:
    template = db.add("prompt_templates", user_id=sign_up(db, "u@example.com").id, is_public=True)
    db.as_staff(carol).run("select public.unpublish_prompt_template(%s)", [template])
    (line,) = lines(db, row_id=template)
    assert (line["actor_id"], line["actor_role"]) == (carol.id, "app_admin")


@pytest.mark.one_platform
@pytest.mark.parametrize(
    "claims", ["", "{}", '{"sub": "abc"}', "not json", '{"sub": "00000000-0000-4000-8000-00000000dead"}', "[1]"]
)
@pytest.mark.parametrize("headers", ["", "{}", "not json", "[1]", '{"cf-connecting-ip": 7, "user-agent": {}}'])
def test_claims_and_headers_that_make_no_sense_fail_nobodys_write(db: Session, claims: str, headers: str) -> None:
    row_id = row(db, "feedback_tags")
    db.as_token("service_role", claims).run("select set_config('request.headers', %s, true)", [headers])
    assert db.run(*update("feedback_tags", row_id, {"color": "#000000"})) == 1
    (line,) = lines(db, row_id=row_id, action="update")
    assert (line["actor_id"], line["actor_role"]) == (None, "service_role")


def test_what_clients_send_too_long_is_cut(db: Session, carol: Person) -> None:
    row_id = row(db, "feedback_tags")
    db.speak(request("app_admin", headers={"user-agent": "x" * 5000, "x-request-id": "y" * 5000}, **carol.claims()))
    db.run(*update("feedback_tags", row_id, {"color": "#000000"}))
    (line,) = lines(db, row_id=row_id, action="update")
    assert (len(line["user_agent"]), len(line["request_id"])) == (1000, 200)


# What is recorded -----------------------------------------------------------------------------------------------------


@catalogue
def test_each_change_of_a_catalogue_is_a_line(db: Session, alice: Person, bob: Person, table: str) -> None:
    assert alice != bob, "others who have nothing to do with it"
    row_id = row(db, table)
    db.as_server().run(*update(table, row_id, CHANGES[table]))
    db.run(f"delete from public.{table} where id = %s", [row_id])
    found = {line["action"]: set(line["changes"]) for line in lines(db, table_name=table, row_id=row_id)}
    # A message that arrives is no change.
    assert set(found) == {"insert", "update", "delete"} - ({"insert"} if table == "feedback" else set())
    assert found["update"] == set(CHANGES[table])
    assert found["delete"] >= set(CHANGES[table])
    assert {line["subject_id"] for line in lines(db, table_name=table, row_id=row_id)} == {None}


@catalogue
def test_many_rows_in_one_statement_are_a_line_each(db: Session, table: str) -> None:
    ids = [row(db, table) for _ in range(3)]
    statement, values = update(table, ids[0], CHANGES[table])
    db.as_server().run(statement.replace("id = %s", "id = any(%s)"), [*values[:-1], ids[:2]])
    assert {line["row_id"] for line in lines(db, table_name=table, action="update")} == set(ids[:2])


@catalogue
def test_an_update_that_changes_nothing_is_no_line(db: Session, table: str) -> None:
    row_id = row(db, table)
    db.as_server().run(f"update public.{table} set id = id where id = %s", [row_id])
    column = next(iter(CHANGES[table]))
    db.run(f"update public.{table} set {column} = {column}, updated_at = now() where id = %s", [row_id])
    assert lines(db, table_name=table, action="update") == []
    # Also once the transaction has changed something.
    db.run(*update(table, row_id, CHANGES[table]))
    db.run(f"update public.{table} set id = id where id = %s", [row_id])
    assert len(lines(db, table_name=table, action="update")) == 1


def test_a_row_that_changes_its_id_is_one_that_goes_and_one_that_comes(db: Session) -> None:
    before, after = row(db, "feedback_tags"), uuid4()
    db.as_server().run("update public.feedback_tags set id = %s where id = %s", [after, before])
    assert sorted(line["action"] for line in lines(db, row_id=before)) == ["delete", "insert"]
    assert [line["action"] for line in lines(db, row_id=after)] == ["insert"]


def test_an_upsert_is_recorded_as_what_it_did(db: Session, carol: Person) -> None:
    name = f"tag {number()}"
    upsert = (
        "insert into public.feedback_tags (name, color) values (%s, %s) "
        "on conflict (name) do update set color = excluded.color"
    )
    db.as_staff(carol)
    for color in ("#000000", "#FFFFFF", "#FFFFFF"):
        db.run(upsert, [name, color])
    assert sorted(line["action"] for line in lines(db, table_name="feedback_tags")) == ["insert", "update"]


def test_what_is_rolled_back_is_not_recorded(db: Session) -> None:
    row_id = row(db, "feedback_tags")
    with db.undone():
        db.as_server().run(*update("feedback_tags", row_id, {"color": "#000000"}))
        assert lines(db, row_id=row_id, action="update")
    assert lines(db, row_id=row_id, action="update") == []


@pytest.mark.parametrize("table", [*CHANGES, "feedback_tag_assignments", "prompt_templates", "api_configurations"])
def test_emptying_a_table_is_a_line(db: Session, table: str) -> None:
    db.as_owner().run(f"truncate public.{table} cascade")
    (line,) = lines(db, table_name=table)
    assert (line["action"], line["row_id"], line["changes"]) == ("truncate", None, None)


def test_a_label_that_is_exchanged_is_recorded(db: Session, carol: Person) -> None:
    message, old, new = db.add("feedback"), db.add("feedback_tags"), db.add("feedback_tags")
    assigned = db.add("feedback_tag_assignments", feedback_id=message, tag_id=old)
    db.as_staff(carol).run("update public.feedback_tag_assignments set tag_id = %s where id = %s", [new, assigned])
    (line,) = lines(db, row_id=assigned, action="update")
    assert line["changes"] == {"tag_id": {"old": str(old), "new": str(new)}}


def test_labels_on_messages_are_recorded(db: Session, carol: Person) -> None:
    message, tag = db.add("feedback"), db.add("feedback_tags")
    db.as_staff(carol)
    db.run("insert into public.feedback_tag_assignments (feedback_id, tag_id) values (%s, %s)", [message, tag])
    db.run("delete from public.feedback_tag_assignments where feedback_id = %s", [message])
    found = lines(db, table_name="feedback_tag_assignments")
    assert sorted(line["action"] for line in found) == ["delete", "insert"]
    assert {line["changes"]["tag_id"]["new"] or line["changes"]["tag_id"]["old"] for line in found} == {str(tag)}


def test_system_templates_are_recorded_and_those_of_users_not(db: Session, alice: Person) -> None:
    system = db.add("prompt_templates")
    own = db.add("prompt_templates", user_id=alice.id)
    for template in (system, own):
        db.as_server().run("update public.prompt_templates set name = 'Other' where id = %s", [template])
        db.run("update public.prompt_templates set usage_count = usage_count + 1 where id = %s", [template])
        db.run("delete from public.prompt_templates where id = %s", [template])
    assert sorted(line["action"] for line in lines(db, row_id=system)) == ["delete", "insert", "update"]
    assert lines(db, row_id=own) == []


def test_a_template_that_is_given_to_somebody_or_taken_is_recorded(db: Session, alice: Person) -> None:
    template = db.add("prompt_templates")
    db.as_server().run("update public.prompt_templates set user_id = %s where id = %s", [alice.id, template])
    assert [line["subject_id"] for line in lines(db, row_id=template, action="update")] == [alice.id]


def test_what_staff_do_to_rows_of_users_is_recorded(db: Session, alice: Person, carol: Person) -> None:
    template = db.add("prompt_templates", user_id=alice.id, is_public=True)
    db.as_staff(carol).run("select public.unpublish_prompt_template(%s)", [template])
    db.run("update public.user_profiles set is_active = false where user_id = %s", [alice.id])
    found = lines(db, subject_id=alice.id, actor_id=carol.id)
    assert {line["table_name"]: line["changes"] for line in found} == {
        "prompt_templates": {"is_public": {"old": True, "new": False}},
        "user_profiles": {"is_active": {"old": True, "new": False}},
    }


def test_what_users_do_to_their_own_rows_is_theirs(db: Session, alice: Person) -> None:
    template = db.add("prompt_templates", user_id=alice.id)
    db.as_user(alice).run("update public.prompt_templates set is_public = true where id = %s", [template])
    db.run("update public.user_profiles set bio = 'Me.' where user_id = %s", [alice.id])
    message = db.add("feedback", user_id=alice.id)
    db.run("update public.feedback set message = 'Better words.' where id = %s", [message])
    assert lines(db, actor_id=alice.id) == []


# What is left out -----------------------------------------------------------------------------------------------------


def test_a_key_is_recorded_without_any_part_of_it(db: Session, alice: Person) -> None:
    old, new = envelope(1), envelope(2)
    db.as_user(alice).run(
        "insert into public.api_configurations (user_id, provider, api_key_encrypted) values (%s, 'openai', %s)",
        [alice.id, old],
    )
    db.run("update public.api_configurations set api_key_encrypted = %s where user_id = %s", [new, alice.id])
    db.run("update public.api_configurations set is_active = false where user_id = %s", [alice.id])
    db.as_owner().run("update public.api_configurations set usage_count = 5 where user_id = %s", [alice.id])
    db.as_user(alice).run("delete from public.api_configurations where user_id = %s", [alice.id])
    found = lines(db, table_name="api_configurations", subject_id=alice.id)
    assert sorted(line["action"] for line in found) == ["delete", "insert", "update", "update"]
    assert {line["actor_id"] for line in found} == {alice.id}
    assert HIDDEN in [line["changes"].get("api_key_encrypted") for line in found]
    assert {"is_active": {"old": True, "new": False}} in [line["changes"] for line in found]
    text = str(found)
    assert "enc:" not in text
    assert old.removeprefix("enc:c1:")[:12] not in text


def test_a_secret_of_the_server_is_recorded_without_any_part_of_it(db: Session) -> None:
    db.as_owner().run("delete from private.secrets")
    db.run("insert into private.secrets (name, secret) values ('maintenance_dsn', 'host=swordfish')")
    db.run("update private.secrets set secret = 'host=hornet'")
    db.run("delete from private.secrets")
    found = lines(db, table_name="private.secrets")
    assert {line["action"] for line in found} == {"insert", "update", "delete"}
    assert HIDDEN in [line["changes"].get("secret") for line in found]
    assert not any(word in str(found) for word in ("swordfish", "hornet"))


def test_triage_is_recorded_and_nobodys_words(db: Session, alice: Person, carol: Person) -> None:
    message = db.add("feedback", user_id=alice.id, message="My secret.", contact_email="alice@example.com")
    db.as_staff(carol).run("select public.respond_to_feedback(%s, 'Our words.', 'closed')", [message])
    db.run("update public.feedback set priority = 'high' where id = %s", [message])
    db.as_server().run("delete from public.feedback where id = %s", [message])
    found = lines(db, table_name="feedback", row_id=message)
    assert {line["subject_id"] for line in found} == {alice.id}
    assert {"status": {"old": "open", "new": "closed"}, "admin_response": {"old": None, "new": "[hidden]"}} in [
        line["changes"] for line in found
    ]
    assert {"priority": {"old": "medium", "new": "high"}} in [line["changes"] for line in found]
    assert not any(word in str(found) for word in ("My secret", "Our words", "alice@example.com"))


def test_what_does_not_fit_is_recorded_by_name(db: Session) -> None:
    many = Jsonb({"text": "x" * 1_100_000})
    query = "select private.audit_diff(%s, %s, array['value', 'key'])"
    found = db.as_owner().value(query, [Jsonb({"value": 1, "key": 1}), Jsonb({"value": many.obj, "key": 1})])
    assert found == {"value": "[too long]"}


AUDITED = """
    select
        relname::text as table,
        array(select convert_from(word, 'utf8') from unnest(string_to_array(
            encode(tgargs, 'escape'), '\\000')) as item (escaped),
            lateral (select item.escaped::bytea) as read (word) where word <> '') as columns
    from pg_trigger inner join pg_class on pg_class.oid = tgrelid
    where tgfoid = 'private.tg_audit_row'::regproc
        and relnamespace = 'public'::regnamespace and tgname not like '%\\_moderation'
    union all
    select
        relname, array(select it[1] from regexp_matches(prosrc, 'case when before.(\\w+) is distinct', 'g') as it)
    from pg_trigger
    inner join pg_class on pg_class.oid = tgrelid
    inner join pg_proc on pg_proc.oid = tgfoid
    where proname = format('tg_audit_%s', relname)
"""


def test_every_column_is_either_recorded_or_left_out_on_purpose(db: Session) -> None:
    """A column that is added to an audited table must be thought of."""
    found = db.as_owner().rows(AUDITED)
    assert {line["table"] for line in found} == {
        *CHANGES, "prompt_templates", "api_configurations", "feedback_tag_assignments",
    }  # fmt: skip
    assert len({(line["table"], *sorted(line["columns"])) for line in found}) == 9, "the same for every kind of change"
    for line in found:
        columns = set(
            db.column(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                [f"public.{line['table']}"],
            )
        )
        recorded = set(line["columns"])
        assert recorded <= columns
        assert columns - recorded <= UNRECORDED["*"] | UNRECORDED.get(line["table"], set()), line["table"]
        assert not recorded & UNRECORDED.get(line["table"], set())


# Accounts -------------------------------------------------------------------------------------------------------------


def test_a_change_of_role_is_recorded(db: Session, alice: Person) -> None:
    db.as_auth().run("update auth.users set role = 'app_admin' where id = %s", [alice.id])
    (line,) = lines(db, table_name="auth.users")
    assert line["changes"] == {"role": {"old": "authenticated", "new": "app_admin"}}
    assert (line["subject_id"], line["row_id"], line["actor_role"]) == (alice.id, None, "supabase_auth_admin")


def test_signing_up_is_not_recorded_unless_as_staff(db: Session) -> None:
    sign_up(db, "user@example.com")
    assert lines(db, table_name="auth.users") == []
    staff = sign_up(db, "staff@example.com", role="app_admin")
    assert [line["subject_id"] for line in lines(db, table_name="auth.users")] == [staff.id]


def test_locking_an_account_out_is_recorded_and_signing_in_is_not(db: Session, alice: Person) -> None:
    db.as_auth().run("update auth.users set last_sign_in_at = now(), email = 'new@example.com'")
    assert lines(db, table_name="auth.users") == []
    db.run("update auth.users set banned_until = '2030-01-01' where id = %s", [alice.id])
    db.run("update auth.users set deleted_at = now() where id = %s", [alice.id])
    assert sorted(str(set(line["changes"])) for line in lines(db, table_name="auth.users")) == [
        "{'banned_until'}",
        "{'deleted_at'}",
    ]


def test_that_an_account_was_deleted_is_recorded_and_not_whose(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id)
    delete_account(db, alice)
    (line,) = lines(db, table_name="auth.users", action="delete")
    assert (line["row_id"], line["subject_id"], line["actor_id"]) == (None, None, None)
    assert line["actor_role"] == "supabase_auth_admin"
    assert line["changes"] == {"role": {"old": "authenticated", "new": None}}
    assert lines(db, table_name="api_configurations", action="delete")
    assert str(alice.id) not in str(lines(db))


def test_who_deletes_the_own_account_leaves_no_address(db: Session, alice: Person) -> None:
    db.as_owner().run(
        "select set_config('request.jwt.claims', %s, true), set_config('request.headers', %s, true)",
        [f'{{"sub": "{alice.id}"}}', '{"cf-connecting-ip": "192.0.2.7", "user-agent": "Firefox"}'],
    )
    db.run("delete from auth.users where id = %s", [alice.id])
    (line,) = lines(db, table_name="auth.users", action="delete")
    assert (line["actor_id"], line["ip_address"], line["user_agent"]) == (None, None, None)


def test_what_was_done_to_an_account_outlives_it_without_its_name(db: Session, alice: Person, carol: Person) -> None:
    db.speak(request("app_admin", headers={"cf-connecting-ip": "192.0.2.7"}, **carol.claims()))
    db.run("update public.user_profiles set is_active = false where user_id = %s", [alice.id])
    (line,) = lines(db, subject_id=alice.id)
    delete_account(db, alice)
    with db.aside():
        (kept,) = db.as_owner().rows("select * from public.audit_log where id = %s", [line["id"]])
    # Staff stay responsible for it.
    assert (kept["subject_id"], kept["actor_id"], str(kept["ip_address"])) == (None, carol.id, "192.0.2.7")
    delete_account(db, carol)
    with db.aside():
        (kept,) = db.as_owner().rows("select * from public.audit_log where id = %s", [line["id"]])
    assert (kept["actor_id"], kept["ip_address"]) == (None, None)


# Append-only ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["actor_id", "subject_id"])
def test_nobody_is_taken_out_of_a_line_while_the_account_is_there(db: Session, alice: Person, column: str) -> None:
    line = db.add("audit_log", **{column: alice.id})
    db.as_owner()
    for statement in (f"set {column} = null", f"set {column} = gen_random_uuid()"):
        with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
            db.run(f"update public.audit_log {statement} where id = %s", [line])


@pytest.mark.parametrize("table", ["audit_log", "security_events"])
@pytest.mark.parametrize(("days", "setting", "goes"), [(29, 30, False), (31, 30, True), (31, 60, False)])
def test_lines_go_when_their_time_is_over_and_not_before(
    db: Session, table: str, days: int, setting: int, goes: bool
) -> None:
    db.as_owner().run(
        f"update public.system_config set value = to_jsonb(%s::integer) where key = 'retention_days_{table}'", [setting]
    )
    line = db.add(table)
    old = db.add(table, created_at=db.value("select now() - make_interval(days => %s)", [days]))
    assert db.value("select rows from private." + f"step_expire_{table}(now() + interval '1 minute')") == int(goes)
    kept = db.column(f"select id from public.{table} where id = any(%s)", [[line, old]])
    assert set(kept) == ({line} if goes else {line, old})


@pytest.mark.parametrize("table", ["audit_log", "security_events"])
def test_not_even_retention_takes_a_line_of_this_month(db: Session, table: str) -> None:
    db.as_owner().run("alter table public.system_config drop constraint system_config_records_are_kept")
    db.run(f"update public.system_config set value = '1', min_value = 0 where key = 'retention_days_{table}'")
    line = db.add(table, created_at=db.value("select now() - interval '29 days'"))
    assert db.value(f"select private.forget_old_lines('public.{table}', 1000)") == 0
    # The floor is in the trigger as well.
    db.run("select set_config('forge.forgetting', 'on', true)")
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(f"delete from public.{table} where id = %s", [line])


@pytest.mark.parametrize("table", ["audit_log", "security_events"])
def test_an_old_line_is_not_deleted_by_the_way(db: Session, table: str) -> None:
    line = db.add(table, created_at="2020-01-01")
    db.as_owner()
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(f"delete from public.{table} where id = %s", [line])
    assert db.value(f"select private.forget_old_lines('public.{table}', 1)") == 1
    other = db.add(table, created_at="2020-01-01")
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.run(f"delete from public.{table} where id = %s", [other])


def test_retention_goes_on_where_the_deadline_stopped_it(db: Session) -> None:
    db.as_owner().run("update public.system_config set value = '100' where key = 'maintenance_batch_size'")
    for _ in range(150):
        db.add("audit_log", created_at="2020-01-01")
    first = db.rows("select * from private.step_expire_audit_log(now() - interval '1 minute')")
    assert first == [{"rows": 100, "is_complete": False}]
    assert db.rows("select * from private.step_expire_audit_log(clock_timestamp() + interval '1 minute')") == [
        {"rows": 50, "is_complete": True}
    ]


@pytest.mark.parametrize("relation", ["public.feedback", "private.secrets", None])
@pytest.mark.parametrize("size", [10, 0, -1, None])
def test_retention_takes_nothing_else(db: Session, relation: str | None, size: int | None) -> None:
    db.as_owner()
    with db.refuses(errors.InvalidParameterValue):
        db.run("select private.forget_old_lines(%s, %s)", [relation, size])
    with db.refuses(errors.InvalidParameterValue):
        db.run("select private.forget_old_lines('public.audit_log', 0)")


# Nobody's write fails for it ------------------------------------------------------------------------------------------


def test_nobody_needs_a_right_for_it(db: Session, alice: Person, carol: Person) -> None:
    """Each role changes what it may change; none of them may write audit_log."""
    db.as_user(alice).run("select public.is_admin()")
    db.run(
        "insert into public.api_configurations (user_id, provider, api_key_encrypted) values (%s, 'openai', %s)",
        [alice.id, envelope()],
    )
    db.as_staff(carol).run("insert into public.feedback_tags (name) values ('new')")
    shapes.insert(
        db,
        "prompt_frameworks",
        {**EXAMPLES["prompt_frameworks"](), "components": Jsonb([COMPONENT])},
    )
    db.as_server().run("update public.api_providers set supported_models = %s", [Jsonb([MODEL])])
    db.as_auth().run("update auth.users set role = 'app_admin' where id = %s", [alice.id])
    assert {line["actor_role"] for line in lines(db)} >= {
        "authenticated", "app_admin", "service_role", "supabase_auth_admin",
    }  # fmt: skip


@pytest.mark.one_platform
@pytest.mark.parametrize("column", ["api_key_encrypted", "secret", "admin_response"])
def test_of_what_is_hidden_a_line_says_that_it_was_set_changed_or_cleared(db: Session, column: str) -> None:
    def diff(old: str | None, new: str | None) -> Any:
        rows = [Jsonb({column: value, "name": "x", "other": 1}) for value in (old, new)]
        return db.as_owner().value("select private.audit_diff(%s, %s, %s)", [*rows, [column, "name"]])

    assert diff(None, "a") == {column: {"old": None, "new": "[hidden]"}}
    assert diff("a", "b") == {column: HIDDEN}
    assert diff("a", None) == {column: {"old": "[hidden]", "new": None}}
    assert diff("a", "a") is None
    assert diff(None, None) is None


@pytest.mark.one_platform
@pytest.mark.parametrize("table", CHANGES)
def test_what_records_updates_is_made_the_same_once_more(db: Session, table: str) -> None:
    """It was made when the schema was: whoever changes the list of columns makes it again."""
    function = f"private.tg_audit_{table}()"
    made = "select pg_get_functiondef(%s::regprocedure)"
    before = db.as_owner().value(made, [function])
    columns = re.search(r"select id, (.*) from old_rows limit 2", before)
    assert columns is not None
    db.run(f"drop function {function} cascade")
    db.value("select private.audit_updates(%s::regclass, %s)::text", [f"public.{table}", columns[1].split(", ")])
    assert db.value(made, [function]) == before
    assert (
        db.value(
            "select count(*) from pg_trigger where tgrelid = %s::regclass and tgname = %s and not tgisinternal",
            [f"public.{table}", f"audit_{table}_update"],
        )
        == 1
    )


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("length", "is_short", "is_kept"),
    [(1000, False, True), (900_000, False, True), (1_200_000, True, True), (1_200_000, False, False)],
    ids=["small", "large", "long, but easily packed", "too long"],
)
def test_only_what_is_long_however_packed_is_left_out(db: Session, length: int, is_short: bool, is_kept: bool) -> None:
    """As it is stored, and as text."""
    made_up(
        db,
        "private.shorten_changes(jsonb)",
        {"pg_column_size(changes)": "100000" if is_short else "100001"},
    )
    changes = {"a": "x" * length, "b": 1}
    found = db.value("select private.shorten_changes(%s)", [Jsonb(changes)])
    assert found == (changes if is_kept else {"a": "[too long]", "b": "[too long]"})


@pytest.mark.one_platform
def test_a_new_system_template_and_a_new_label_are_lines(db: Session, alice: Person) -> None:
    count = "select count(*) from public.audit_log where table_name = %s and action = 'insert'"
    tables = ("prompt_templates", "feedback_tag_assignments")
    before = [db.truth(count, [table]) for table in tables]
    db.add("prompt_templates")
    db.add("feedback_tag_assignments", feedback_id=db.add("feedback", user_id=alice.id), tag_id=db.add("feedback_tags"))
    assert [db.truth(count, [table]) for table in tables] == [number + 1 for number in before]
