"""integrity_check(): whatever in the data stops agreeing with the rest is found, named, and gone once it is mended."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from harness.checks import NAMES, Breakage, findings, prove, report
from harness.examples import envelope
from harness.keys import configure
from harness.people import Person
from harness.session import Session
from harness.world import roll_up

ALICE = "(select id from auth.users where email = 'alice@example.com')"
NEITHER = "00000000-0000-4000-8000-00000000dead"
WITHOUT_TRIGGERS = "set local session_replication_role = replica; {} set local session_replication_role = origin;"
KNOWN = "(select supported_models -> 0 ->> 'id' from public.api_providers where name = 'openai')"
PROMPT = f"""
    insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input)
    values ({ALICE}, '{{}}', 'Name', {{}}, 'openai', 'Write a haiku.');
"""
LATELY = "now() - interval '5 days'"
DAY = (datetime.now(UTC) - timedelta(days=5)).date()
UNGUARDED = """
    alter table public.api_configurations disable trigger user;
    alter table public.api_configurations drop constraint api_configurations_key_is_encrypted;
    insert into public.api_configurations (user_id, provider, api_key_encrypted) values ({alice}, 'openai', '{key}');
    alter table public.api_configurations enable trigger user;
"""

BREAKAGES = [
    Breakage(
        "catalogue_lists",
        "delete from public.prompt_frameworks where name = 'era'",
        """
        insert into public.prompt_frameworks (name, display_name, description, components, template)
        values ('era', 'E.R.A', 'Short.', '[{"name": "task", "label": "A", "description": "B", "required": true}]',
            '{{task}}')
        """,
        says="era (user_preferences_framework_is_known allows it, prompt_frameworks lacks it)",
        also=("unknown_frameworks",),  # of a system template
        number=2,
    ),
    Breakage(
        "catalogue_lists",
        """
        insert into public.api_providers (name, display_name, base_url)
        values ('mistral', 'Mistral', 'https://api.example.com')
        """,
        "delete from public.api_providers where name = 'mistral'",
        says="mistral (in api_providers, not allowed by api_configurations_provider_is_known)",
        number=2,
        shows=True,
    ),
    Breakage(
        "catalogue_lists",
        """
        update public.system_config set allowed_values = allowed_values || '["other"]' where key = 'default_framework'
        """,
        "update public.system_config set allowed_values = allowed_values - 'other' where key = 'default_framework'",
        says="other (default_framework allows it",
    ),
    Breakage(
        "category_cycles",
        """
        alter table public.feedback_categories disable trigger user;
        update public.feedback_categories set parent_id = (
            select id from public.feedback_categories where name = 'bug_account'
        ) where name = 'bug_report';
        alter table public.feedback_categories enable trigger user;
        """,
        "update public.feedback_categories set parent_id = null where name = 'bug_report'",
        status="critical",
        says="bug_account, bug_report",
        number=2,
    ),
    Breakage(
        "key_envelopes",
        UNGUARDED.format(alice=ALICE, key="enc:v1:0123456789ab:" + envelope()[7:]),
        "delete from public.api_configurations",
        status="critical",
        says="sealed with a key that is not configured",
        shows=True,  # a test below does what it says
    ),
    Breakage(
        "key_envelopes",
        UNGUARDED.format(alice=ALICE, key="sk-proj-plain"),
        "delete from public.api_configurations",
        status="critical",
        says="not an envelope",
    ),
    Breakage(
        "missing_profiles",
        f"delete from public.user_profiles where user_id = {ALICE}",
        f"insert into public.user_profiles (user_id) values ({ALICE})",
        says="(user_profiles)",
    ),
    Breakage(
        "missing_profiles",
        f"delete from public.user_preferences where user_id = {ALICE}",
        f"insert into public.user_preferences (user_id, selected_model) values ({ALICE}, 'openai')",
        says="(user_preferences)",
    ),
    Breakage(
        "orphans",
        WITHOUT_TRIGGERS.format(f"insert into public.user_sessions (user_id) values ('{NEITHER}');"),
        f"delete from public.user_sessions where user_id = '{NEITHER}'",
        status="critical",
        says="1 in public.user_sessions (user_sessions_user_id_fkey)",
        by="superuser",
    ),
    Breakage(
        "prompt_search",
        PROMPT.format("roses", KNOWN) + "delete from private.prompt_search",
        "update public.prompt_history set user_input = user_input",
        says="prompts that the search does not know",
    ),
    Breakage(
        "prompt_search",
        PROMPT.format("roses", KNOWN) + "update private.prompt_search set created_at = created_at - interval '1 s'",
        "update private.prompt_search set created_at = created_at + interval '1 s'",
    ),
    Breakage(
        "rate_limits",
        "update private.rate_limits set per_day = per_day + 1 where provider = 'openai'",
        "select private.refresh_rate_limits()",
        says="openai",
    ),
    Breakage(
        "rate_limits",
        "delete from private.rate_limits where provider = 'gemini'",
        "select private.refresh_rate_limits()",
        says="gemini",
    ),
    *(
        Breakage(
            "rollups",
            f"{rows}; select public.daily_maintenance(); update {table} set {column} = {column} + 1",
            f"""
            insert into private.changed_days (source, day) select '{source}', (now() at time zone 'utc')::date - 5;
            select public.daily_maintenance();
            """,
            says=f"{says} (+1)",
        )
        for source, table, column, rows, says in (
            (
                "usage",
                "private.usage_daily",
                "requests",
                "insert into public.api_usage_logs (user_id, provider, created_at) "
                f"values ({ALICE}, 'openai', {LATELY})",
                f"requests of {DAY}",
            ),
            (
                "prompts",
                "private.prompts_daily",
                "prompts",
                PROMPT.format("roses", KNOWN) + f"update public.prompt_history set created_at = {LATELY}; "
                f"update private.prompt_search set created_at = {LATELY}",
                f"prompts of {DAY}",
            ),
            (
                "activity",
                "private.activity_daily",
                "sign_ins",
                f"insert into public.user_sessions (user_id, signed_in_at) values ({ALICE}, {LATELY})",
                f"sign-ins of {DAY}",
            ),
            (
                "feedback",
                "public.feedback_analytics",
                "total_feedback",
                f"insert into public.feedback (message, created_at) values ('x', {LATELY})",
                f"messages of {DAY}",
            ),
        )
    ),
    Breakage(
        "settings",
        """
        alter table public.system_config disable trigger user;
        update public.system_config set value = '0' where key = 'maintenance_batch_size';
        update public.system_config set value = '"blue"' where key = 'default_theme';
        update public.system_config set value = '1.5' where key = 'slow_query_ms';
        update public.system_config set value = '"on"' where key = 'maintenance_mode';
        alter table public.system_config enable trigger user;
        """,
        """
        update public.system_config set value = '10000' where key = 'maintenance_batch_size';
        update public.system_config set value = '"dark"' where key = 'default_theme';
        update public.system_config set value = '500' where key = 'slow_query_ms';
        update public.system_config set value = 'false' where key = 'maintenance_mode';
        """,
        says="Found 4: settings that break their own rules: default_theme, maintenance_batch_size, maintenance_mode, s",
        number=4,
        shows=True,
    ),
    Breakage(
        "unknown_frameworks",
        PROMPT.format("stars", KNOWN),
        "delete from public.prompt_history",
        says="stars (1 in prompt_history)",
        shows=True,
    ),
    Breakage(
        "unknown_models",
        PROMPT.format("roses", "'gpt-0'") * 2,
        "delete from public.prompt_history",
        says="openai: gpt-0 (2 in prompt_history)",
        shows=True,
    ),
    Breakage(
        "unknown_models",
        f"insert into public.api_usage_logs (user_id, provider) values ({ALICE}, 'mistral')",
        "delete from public.api_usage_logs",
        says="mistral (1 in api_usage_logs)",
        shows=True,
    ),
    Breakage(
        "unvalidated_rules",
        "alter table public.feedback add constraint feedback_is_old check (created_at < now()) not valid",
        "alter table public.feedback validate constraint feedback_is_old",
        says="feedback_is_old on public.feedback",
    ),
    Breakage(
        "usage_counters",
        f"""
        insert into public.api_configurations (user_id, provider, api_key_encrypted)
        values ({ALICE}, 'openai', '{envelope()}');
        insert into public.api_usage_logs (user_id, provider) values ({ALICE}, 'openai')
        """,
        "update public.api_configurations set usage_count = 1",
    ),
]


@pytest.mark.one_platform
@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
@pytest.mark.usefixtures("alice")
def test_what_is_broken_is_found_and_nothing_else(
    db: Session, connection: psycopg.Connection, breakage: Breakage
) -> None:
    prove(db, connection, "integrity", breakage)


def test_every_check_is_proved(db: Session) -> None:
    assert set(db.as_owner().column(NAMES, ["integrity"])) == {it.check for it in BREAKAGES}


def test_a_fresh_installation_is_clean(db: Session) -> None:
    answer = report(db, "integrity")
    assert answer["status"] == "ok"
    assert [check["name"] for check in answer["checks"]] == db.column(NAMES, ["integrity"])
    assert all(check.keys() == {"name", "status", "value", "threshold", "detail", "hint"} for check in answer["checks"])


def test_a_key_that_opens_is_none_to_find_until_it_is_damaged(db: Session, alice: Person) -> None:
    configure(db)
    db.as_user(alice).value("select public.save_api_key('openai', 'sk-proj-' || repeat('Ab1_', 30))")
    assert findings(db, "integrity") == {}
    # As long and as random as before, and no message of OpenPGP: its fifteenth octet is another.
    db.as_owner().run("""
        update public.api_configurations
        set api_key_encrypted = overlay(api_key_encrypted placing 'AAAA' from strpos(api_key_encrypted, ':v1:') + 33)
    """)
    found = findings(db, "integrity")
    assert found.keys() == {"key_envelopes"}
    assert "(damaged)" in found["key_envelopes"]["detail"]
    db.run(found["key_envelopes"]["hint"])
    assert findings(db, "integrity") == {}


def test_one_check_that_fails_does_not_cost_the_others(db: Session) -> None:
    db.as_owner().run("drop table private.rate_limits")
    answer = report(db, "integrity")
    (failed,) = (check for check in answer["checks"] if check["status"] != "ok")
    assert (failed["name"], failed["status"]) == ("rate_limits", "warning")
    assert failed["detail"].startswith("The check failed: relation")
    assert failed["hint"] == "select private.integrity__rate_limits();"
    assert len(answer["checks"]) == len(db.column(NAMES, ["integrity"]))


def test_a_long_list_is_counted_and_begun(db: Session) -> None:
    db.as_owner()
    db.run(
        "insert into public.prompt_templates (name, framework_id, template_content) "
        "select 'template ' || n, 'unknown ' || n, 'x' from generate_series(1, 7) as n"
    )
    found = findings(db, "integrity")["unknown_frameworks"]
    assert (found["value"], found["threshold"]) == (7, 0)
    assert found["detail"].endswith("unknown 5 (1 in prompt_templates), …")


def test_a_category_in_a_category_in_a_category_is_no_cycle(db: Session) -> None:
    parent = None
    for name in ("first", "second", "third", "fourth"):
        parent = db.add("feedback_categories", name=name, parent_id=parent)
    assert "category_cycles" not in findings(db, "integrity")


def test_what_a_catalogue_lacks_is_loaded_and_what_a_rule_lacks_is_read(db: Session) -> None:
    with db.undone():
        db.add("prompt_frameworks", name="unheard")
        hint = findings(db, "integrity")["catalogue_lists"]["hint"]
        assert hint.startswith("select conname, pg_get_constraintdef(oid) from pg_constraint")
    db.as_owner().run("delete from public.prompt_frameworks where name = 'roses'")
    hint = findings(db, "integrity")["catalogue_lists"]["hint"]
    assert hint == "psql -v ON_ERROR_STOP=1 -f supabase/schema/08_initial_data.sql"


def test_a_setting_that_allows_what_there_is_none_of_is_told_so(db: Session) -> None:
    db.as_owner().run("""
        update public.system_config set allowed_values = allowed_values || '["gone"]' where key = 'default_provider'
    """)
    found = findings(db, "integrity")["catalogue_lists"]
    assert "gone (default_provider allows it, api_providers lacks it)" in found["detail"]
    db.run(found["hint"])
    assert "catalogue_lists" not in findings(db, "integrity")


@pytest.mark.one_platform
def test_figures_that_wait_to_be_counted_again_are_no_finding(db: Session) -> None:
    """Of this source and this day."""
    roll_up(db)
    day = db.as_owner().value("select current_date - 10")
    db.run(
        "insert into private.usage_daily (day, provider, requests, errors, users) values (%s, 'openai', 1, 0, 1)", [day]
    )
    mark = "insert into private.changed_days (source, day) values (%s, %s)"
    cases = (("prompts", day, True), ("usage", day - timedelta(days=1), True), ("usage", day, False))
    for source, marked, is_found in cases:
        with db.undone():
            db.run(mark, [source, marked])
            assert ("rollups" in findings(db, "integrity")) is is_found, (source, marked)


@pytest.mark.one_platform
def test_prompts_that_are_gone_are_counted_once(db: Session) -> None:
    """In the total, of which every other dimension is a part."""
    roll_up(db)
    day = db.as_owner().value("select current_date - 10")
    for dimension, label, prompts in (("total", "", 5), ("provider", "openai", 3), ("model", "gpt-4o", 2)):
        figures = [day, dimension, label, prompts]
        columns = "day, dimension, label, prompts, completed, failed, tokens_used, cost_usd"
        db.run(f"insert into private.prompts_daily ({columns}, users) values (%s, %s, %s, %s, 0, 0, 0, 0, 1)", figures)
        db.run(f"insert into private.expired_prompts_daily ({columns}) values (%s, %s, %s, %s, 0, 0, 0, 0)", figures)
    assert "rollups" not in findings(db, "integrity")
    db.run("update private.expired_prompts_daily set prompts = 4 where dimension = 'total'")
    assert "prompts of " in findings(db, "integrity")["rollups"]["detail"]
