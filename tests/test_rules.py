"""Every rule of every table by its name: what it refuses, and what it must let through.

A rule that no case is about fails the run, so a new one brings its cases along.
"""

from typing import Any, NamedTuple

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.examples import COMPONENT, EXAMPLES, MODEL, PRICE, envelope, example
from harness.people import Person
from harness.session import Session


class Rule(NamedTuple):
    """A CHECK constraint: values that break it, and values as near to that as it allows."""

    column: str
    broken: list[Any]
    fine: list[Any]


def object_of(octets: int) -> Jsonb:
    """A JSON object that is so many octets long as text."""
    return Jsonb({"a": "x" * (octets - len('{"a": ""}'))})


def known(column: str, *values: str) -> Rule:
    return Rule(column, ["unknown", values[0].upper(), ""], list(values))


def at_most(column: str, length: int) -> Rule:
    return Rule(column, ["x" * (length + 1)], ["x" * length, "é" * length, None])


def small_object(column: str, octets: int) -> Rule:
    return Rule(
        column, [object_of(octets + 1), Jsonb([]), Jsonb("text"), Jsonb(None)], [object_of(octets), Jsonb({}), None]
    )


def not_negative(column: str) -> Rule:
    return Rule(column, [-1], [0, 1, None])


def model(**others: Any) -> Jsonb:
    return Jsonb([MODEL | others])


def component(**others: Any) -> Jsonb:
    return Jsonb([COMPONENT | others])


def variables(*listed: Any) -> Jsonb:
    return Jsonb(list(listed))


MODELS = Rule(
    "supported_models",
    [
        Jsonb({}),
        Jsonb([]),
        Jsonb(["gpt-4o"]),
        Jsonb([MODEL, MODEL]),
        Jsonb([MODEL, MODEL | {"id": "model-2"}]),
        model(is_default=False),
        model(id=""),
        model(id="x" * 51),
        model(id=None),
        model(display_name=None),
        model(context_window=0),
        model(max_output_tokens="many"),
        model(prices=[]),
        model(prices=None),
        model(prices=[PRICE, PRICE]),
        model(prices=[PRICE | {"valid_from": "2025-13-45"}]),
        model(prices=[PRICE | {"valid_from": None}]),
        model(prices=[PRICE | {"input_usd_per_million": -1}]),
        model(prices=[PRICE | {"output_usd_per_million": "10"}]),
        model(prices=[{"valid_from": "2025-01-01"}]),
        model(notes="x" * 262144),
    ],
    [
        None,
        model(),
        model(notes="x" * 100000),
        Jsonb([MODEL, MODEL | {"id": "model-2", "is_default": False}]),
        model(prices=[PRICE, PRICE | {"valid_from": "2025-06-01", "input_usd_per_million": 0}]),
    ],
)

COMPONENTS = Rule(
    "components",
    [
        Jsonb([]),
        Jsonb({}),
        Jsonb(["task"]),
        Jsonb([COMPONENT, COMPONENT]),
        component(name="Not snake"),
        component(name=None),
        component(label=None),
        component(description=1),
        component(required="yes"),
        component(description="x" * 65536),
    ],
    [component(), component(required=False), Jsonb([COMPONENT, COMPONENT | {"name": "role"}])],
)

VARIABLES = Rule(
    "variables",
    [
        Jsonb({}),
        variables("topic"),
        variables({}),
        variables({"name": "Not snake"}),
        variables({"name": "topic"}, {"name": "topic"}),
        variables({"name": "topic", "description": 1}),
        variables({"name": "topic", "required": "yes"}),
        variables({"name": "topic", "default": 1}),
        variables({"name": "topic", "max_length": 0}),
        variables({"name": "topic", "max_length": "long"}),
        variables(*({"name": f"topic_{number}"} for number in range(51))),
    ],
    [
        None,
        variables(),
        variables({"name": "topic"}),
        variables({"name": "topic", "description": "What", "required": True, "default": None, "max_length": 2000}),
        variables(*({"name": f"topic_{number}"} for number in range(50))),
    ],
)

KEYS = Rule(
    "api_key_encrypted",
    [
        "",
        "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
        "c2stcHJvai1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk=",
        "enc:c1:c2stcHJvai1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk=",
        "enc:v1:k1:c2stcHJvai1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk=",
        "enc:c1:sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
        "enc:c1://///w==",
        "enc:c1:",
        envelope().replace("c1", "c2"),
        envelope() + "\n",
        " " + envelope(),
        envelope() + "?",
    ],
    [envelope(), envelope().replace("c1", "v1:key-1")],
)

RULES = {
    "api_configurations_key_is_encrypted": KEYS,
    "api_configurations_provider_is_known": known("provider", "openai", "gemini", "anthropic"),
    "api_configurations_usage_count_is_a_count": Rule("usage_count", [-1], [0]),
    "api_configurations_validation_error_is_short": at_most("validation_error", 2000),
    "api_providers_base_url_is_https": Rule(
        "base_url",
        ["http://api.example.com", "javascript:alert(1)", "https://", "https://a b", "", "https://" + "x" * 2041],
        ["https://api.example.com/v1", "https://localhost:8443", "https://" + "x" * 2040],
    ),
    "api_providers_day_limit_is_positive": Rule("max_requests_per_day", [0, -1], [1]),
    "api_providers_key_pattern_compiles": Rule(
        "api_key_pattern", ["x" * 501], ["x" * 500, "^sk-(?!ant-)[A-Za-z0-9_-]+$", None]
    ),
    "api_providers_minute_limit_is_positive": Rule("max_requests_per_minute", [0, -1], [1]),
    "api_providers_models_are_priced": MODELS,
    "api_providers_name_is_lowercase": Rule("name", ["", "OpenAI", "open ai", "1ai", "ai\n"], ["ai", "open_ai_2"]),
    "api_providers_rules_are_small_object": small_object("validation_rules", 16384),
    "api_usage_logs_endpoint_is_short": at_most("endpoint", 2048),
    "api_usage_logs_error_message_is_short": at_most("error_message", 10000),
    "api_usage_logs_request_size_is_not_negative": not_negative("request_size"),
    "api_usage_logs_response_size_is_not_negative": not_negative("response_size"),
    "api_usage_logs_response_time_is_not_negative": not_negative("response_time_ms"),
    "api_usage_logs_status_code_is_http": Rule("status_code", [99, 600, 0], [100, 599, None]),
    "audit_log_action_is_known": known("action", "insert", "update", "delete", "truncate"),
    "audit_log_changes_are_small_object": small_object("changes", 1048576),
    "audit_log_request_id_is_short": at_most("request_id", 200),
    "audit_log_user_agent_is_short": at_most("user_agent", 1000),
    "feedback_admin_response_is_short": at_most("admin_response", 20000),
    "feedback_browser_info_is_small_object": small_object("browser_info", 16384),
    "feedback_contact_email_is_email": Rule(
        "contact_email",
        [
            "alice",
            "alice@",
            "@example.com",
            "alice@example",
            "a b@example.com",
            "a@b@example.com",
            "<a@example.com>",
            "",
        ],
        ["alice@example.com", "o'hara+tag@sub.example.co.uk", "ö@exämple.de", "a" * 242 + "@example.com", None],
    ),
    "feedback_device_info_is_small_object": small_object("device_info", 16384),
    "feedback_message_is_not_blank": Rule("message", ["", " ", "\t\n\r "], ["!", " x "]),
    "feedback_message_is_short": Rule("message", ["x" * 20001], ["x" * 20000, "é" * 20000]),
    "feedback_priority_is_known": known("priority", "low", "medium", "high", "urgent"),
    "feedback_rating_is_1_to_5": Rule("rating", [0, 6, -1], [1, 5, None]),
    "feedback_status_is_known": known("status", "open", "in_progress", "resolved", "closed"),
    "feedback_type_is_known": known("feedback_type", "bug", "feature", "general", "support"),
    "feedback_user_agent_is_short": at_most("user_agent", 1000),
    "feedback_analytics_avg_rating_is_1_to_5": Rule("avg_rating", [0, 5.01], [1, 5, None]),
    "feedback_analytics_by_priority_is_small_object": small_object("feedback_by_priority", 16384),
    "feedback_analytics_by_type_is_small_object": small_object("feedback_by_type", 16384),
    "feedback_analytics_resolved_is_part_of_total": Rule("resolved_feedback", [-1, 1], [0]),
    "feedback_analytics_response_time_is_not_negative": not_negative("avg_response_time_hours"),
    "feedback_categories_description_is_short": at_most("description", 1000),
    "feedback_categories_name_is_not_blank": Rule("name", ["", "  ", "\t\n"], ["x"]),
    "feedback_tags_color_is_hex": Rule("color", ["#12345", "#12345G", "123456", "red", ""], ["#3b82f6", "#FFFFFF"]),
    "feedback_tags_description_is_short": at_most("description", 1000),
    "feedback_tags_name_is_not_blank": Rule("name", ["", "  ", "\t\n"], ["x"]),
    "prompt_frameworks_components_are_listed": COMPONENTS,
    "prompt_frameworks_description_is_short": Rule("description", ["", "x" * 5001], ["x", "x" * 5000]),
    "prompt_frameworks_examples_are_a_small_list": Rule(
        "examples", [Jsonb({}), Jsonb("text"), Jsonb(["x" * 262144])], [Jsonb([]), Jsonb(["x" * 262140]), None]
    ),
    "prompt_frameworks_name_is_lowercase": Rule("name", ["", "ROSES", "r o", "1a"], ["a", "roses_2"]),
    "prompt_frameworks_template_is_short": Rule("template", ["", "x" * 20001], ["x", "x" * 20000]),
    "prompt_history_ai_response_is_under_2_mb": Rule(
        "ai_response", ["x" * 2097153], ["x" * 2097152, "x" * 500000, "", None]
    ),
    "prompt_history_cost_is_not_negative": not_negative("cost_usd"),
    "prompt_history_error_message_is_short": at_most("error_message", 10000),
    "prompt_history_max_tokens_is_positive": Rule("max_tokens", [0, -1], [1, 2000000, None]),
    "prompt_history_processing_time_is_not_negative": not_negative("processing_time_ms"),
    "prompt_history_status_is_known": known("status", "pending", "completed", "failed"),
    "prompt_history_temperature_is_valid": Rule("temperature", [-0.01, 2.01], [0, 0.7, 2, None]),
    "prompt_history_tokens_used_is_not_negative": not_negative("tokens_used"),
    "prompt_history_user_input_is_under_1_mb": Rule("user_input", ["x" * 1048577], ["x" * 1048576, "😀" * 200000, ""]),
    "prompt_templates_content_is_short": Rule("template_content", ["", "x" * 100001], ["x", "x" * 100000]),
    "prompt_templates_description_is_short": at_most("description", 5000),
    "prompt_templates_name_is_not_blank": Rule("name", ["", "  ", "\t\n"], ["x"]),
    "prompt_templates_usage_count_is_a_count": Rule("usage_count", [-1], [0]),
    "prompt_templates_variables_are_declared": VARIABLES,
    "security_events_details_are_small_object": small_object("details", 65536),
    "security_events_event_type_is_snake_case": Rule("event_type", ["", "Sign in", "1st"], ["a", "sign_in_2"]),
    "security_events_severity_is_known": known("severity", "info", "warning", "critical"),
    "security_events_user_agent_is_short": at_most("user_agent", 1000),
    "system_config_allowed_values_are_a_small_list": Rule(
        "allowed_values", [Jsonb({}), Jsonb(1), Jsonb(["x" * 16384])], [Jsonb([1, 2]), Jsonb(["x" * 16380]), None]
    ),
    "system_config_category_is_known": known(
        "category", "application", "rate_limit", "maintenance", "security", "analytics"
    ),
    "system_config_description_is_short": Rule("description", ["", "x" * 1001], ["x", "x" * 1000]),
    "system_config_feature_flag_is_boolean": Rule("category", ["feature_flag"], ["application"]),
    "system_config_holds_no_secrets": Rule(
        "key", ["smtp_password", "secret", "encryption_key", "openai_api_key"], ["key_reveal", "keys_per_user"]
    ),
    "system_config_key_is_snake_case": Rule("key", ["", "Theme", "a-b", "1a"], ["a", "a_2"]),
    "system_config_range_is_ordered": Rule("min_value", [], [1, None]),
    "system_config_records_are_kept": Rule("value", [], [Jsonb(1)]),
    "system_config_value_is_small": Rule("value", [], [Jsonb(1)]),
    "system_config_value_type_is_known": known("value_type", "integer", "number"),
    "user_preferences_budget_is_not_negative": Rule("monthly_budget_usd", [-0.01], [0, 99999999.99, None]),
    "user_preferences_framework_is_known": known(
        "selected_framework", "roses", "ape", "tag", "era", "race", "rise", "care", "coast", "trace"
    ),
    "user_preferences_history_days_are_sane": Rule("max_history_days", [0, 3651, -1], [1, 3650]),
    "user_preferences_language_is_a_tag": Rule(
        "language", ["", "e", "EN", "en_US", "en-"], ["en", "pt-BR", "zh-Hant", "fil"]
    ),
    "user_preferences_model_is_known": known("selected_model", "openai", "gemini", "anthropic"),
    "user_preferences_theme_is_known": known("theme", "light", "dark", "system"),
    "user_profiles_avatar_url_is_web_url": Rule(
        "avatar_url",
        ["javascript:alert(1)", "data:image/png;base64,AAAA", "ftp://example.com", "//example.com", "https://a b", ""],
        ["https://example.com/a.png?s=80", "http://localhost:3000/a.png", "https://" + "x" * 2040, None],
    ),
    "user_profiles_bio_is_short": at_most("bio", 5000),
    "user_profiles_preferences_are_small_object": small_object("preferences", 65536),
    "user_sessions_user_agent_is_short": at_most("user_agent", 1000),
}

# Rules about several columns at once.
BROKEN_TOGETHER: dict[str, dict[str, Any]] = {
    "system_config_range_is_ordered": {"min_value": 2, "max_value": 1},
    "system_config_records_are_kept": {"key": "retention_days_audit_log", "value": Jsonb(29)},
    "system_config_value_is_small": {"value": Jsonb("x" * 65535), "value_type": "text"},
}

# What two rows may not share.
UNIQUE = {
    "api_configurations_one_key_per_provider": ("user_id", "provider"),
    "api_providers_name_is_unique": ("name",),
    "feedback_analytics_one_per_day": ("date",),
    "feedback_categories_name_is_unique": ("name",),
    "feedback_tag_assignments_once_per_feedback": ("feedback_id", "tag_id"),
    "feedback_tags_name_is_unique": ("name",),
    "prompt_frameworks_name_is_unique": ("name",),
    "system_config_key_is_unique": ("key",),
    "user_preferences_one_per_user": ("user_id",),
    "user_profiles_one_per_user": ("user_id",),
}

# A trigger looks at the same columns, and first.
BEHIND_A_TRIGGER = {
    "prompt_frameworks_components_are_listed",
    "prompt_frameworks_template_is_short",
    "prompt_templates_variables_are_declared",
    "system_config_allowed_values_are_a_small_list",
    "system_config_feature_flag_is_boolean",
    "system_config_range_is_ordered",
    "system_config_value_is_small",
    "system_config_value_type_is_known",
}

# Rules with tests in the table's own module.
ELSEWHERE = {"feedback_categories_is_not_its_own_parent", "security_events_once_per_log_line"}

CONSTRAINTS = """
    select conname
    from pg_constraint inner join pg_class on pg_class.oid = conrelid
    where relnamespace = 'public'::regnamespace and contype in ('c', 'u', 'x')
"""


def table_of(name: str) -> str:
    """A rule is called after its table."""
    return max((table for table in EXAMPLES if name.startswith(f"{table}_")), key=len)


@pytest.fixture
def base(db: Session, alice: Person) -> dict[str, dict[str, Any]]:
    """What a row of a table needs beside its example."""
    db.as_owner().run("delete from public.user_profiles; delete from public.user_preferences")
    owned = (
        "api_configurations",
        "api_usage_logs",
        "prompt_history",
        "user_preferences",
        "user_profiles",
        "user_sessions",
    )
    return {table: {"user_id": alice.id} for table in owned} | {
        "feedback_tag_assignments": {"feedback_id": db.add("feedback"), "tag_id": db.add("feedback_tags")}
    }


def test_every_rule_has_its_cases(db: Session) -> None:
    found = {row["conname"] for row in db.as_owner().rows(CONSTRAINTS)}
    assert found == set(RULES) | set(UNIQUE) | ELSEWHERE


@pytest.mark.parametrize("name", RULES)
def test_rule_refuses_what_breaks_it_and_nothing_else(db: Session, base: dict[str, dict[str, Any]], name: str) -> None:
    rule, table = RULES[name], table_of(name)
    if name in BEHIND_A_TRIGGER:
        db.as_owner().run(f"alter table public.{table} disable trigger user")
    broken = [{rule.column: value} for value in rule.broken]
    if name in BROKEN_TOGETHER:
        broken.append(BROKEN_TOGETHER[name])
    assert broken
    for columns in broken:
        with db.refuses(errors.CheckViolation, constraint=name):
            db.add(table, **base.get(table, {}), **columns)
    for value in rule.fine:
        with db.undone():
            db.add(table, **base.get(table, {}), **{rule.column: value})


@pytest.mark.parametrize("name", UNIQUE)
def test_two_rows_may_not_share_what_is_unique(db: Session, base: dict[str, dict[str, Any]], name: str) -> None:
    table = table_of(name)
    row = example(table) | base.get(table, {})
    db.add(table, **row)
    with db.refuses(errors.UniqueViolation, constraint=name):
        db.add(table, **base.get(table, {}) | {column: row[column] for column in UNIQUE[name]})
