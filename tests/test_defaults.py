"""What a row must say, what it is given when it says nothing, and that none of it can be null."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from psycopg import errors, sql

from harness.examples import EXAMPLES, example
from harness.people import Person
from harness.session import Session

pytestmark = pytest.mark.one_platform

# Columns without a default that cannot be null. Everything else that is not in DEFAULTS may be.
NEEDED: dict[str, str] = {
    "api_configurations": "user_id provider api_key_encrypted",
    "api_providers": "name display_name base_url",
    "api_usage_logs": "user_id provider",
    "audit_log": "actor_role action table_name",
    "feedback": "message",
    "feedback_analytics": "date",
    "feedback_categories": "name",
    "feedback_tag_assignments": "feedback_id tag_id",
    "feedback_tags": "name",
    "prompt_frameworks": "name display_name description components template",
    "prompt_history": "user_id framework_id framework_name model provider user_input",
    "prompt_templates": "name framework_id template_content",
    "security_events": "event_type",
    "system_config": "key category value value_type description",
    "user_preferences": "user_id selected_model",
    "user_profiles": "user_id",
    "user_sessions": "user_id",
}

# Beside id, created_at and updated_at.
DEFAULTS: dict[str, dict[str, Any]] = {
    "api_configurations": {"is_active": True, "is_validated": False, "usage_count": 0},
    "api_providers": {"is_enabled": True, "max_requests_per_minute": 60, "max_requests_per_day": 1000},
    "feedback": {"feedback_type": "general", "priority": "medium", "status": "open"},
    "feedback_analytics": {"total_feedback": 0, "resolved_feedback": 0},
    "feedback_categories": {"is_active": True, "sort_order": 0},
    "feedback_tags": {"color": "#3B82F6", "is_active": True},
    "prompt_frameworks": {"is_enabled": True, "sort_order": 0},
    "prompt_history": {"vibe_coding": False, "status": "pending"},
    "prompt_templates": {"is_public": False, "is_active": True, "usage_count": 0},
    "security_events": {"severity": "info"},
    "system_config": {"is_public": False},
    "user_preferences": {
        "selected_framework": "roses",
        "theme": "dark",
        "language": "en",
        "enable_notifications": True,
        "enable_analytics": True,
        "enable_history": True,
        "enable_feedback": True,
        "max_history_days": 30,
        "auto_cleanup": True,
        "vibe_coding": False,
    },
    "user_profiles": {"is_active": True},
}
# By the clock of the transaction.
STAMPS = {
    **dict.fromkeys(EXAMPLES, ("created_at", "updated_at")),
    **dict.fromkeys(("api_usage_logs", "audit_log", "feedback_tag_assignments", "security_events"), ("created_at",)),
    "user_sessions": ("created_at", "signed_in_at"),
}

COLUMNS = """
    select attname::text from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and attnotnull and not attisdropped
"""

every_table = pytest.mark.parametrize("table", sorted(EXAMPLES))
never_null = pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table in sorted(EXAMPLES)
        for column in ("id", *NEEDED[table].split(), *DEFAULTS.get(table, ()), *STAMPS[table])
    ],
)


@pytest.fixture
def row(db: Session, table: str, alice: Person) -> dict[str, Any]:
    """As short as it can be, and not there yet."""
    given = example(table)
    if "user_id" in NEEDED[table].split():
        given["user_id"] = alice.id
    if table == "feedback_tag_assignments":
        given = {"feedback_id": db.add("feedback"), "tag_id": db.add("feedback_tags")}
    db.as_owner()
    if table in ("user_profiles", "user_preferences"):
        db.run(f"delete from public.{table}")
    return {column: value for column, value in given.items() if column in NEEDED[table].split()}


def insert(db: Session, table: str, row: dict[str, Any]) -> dict[str, Any]:
    statement = sql.SQL("insert into {} ({}) values ({}) returning *").format(
        sql.Identifier("public", table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    (added,) = db.rows(statement.as_string(), list(row.values()))
    return added


@every_table
def test_a_row_that_says_no_more_than_it_must_is_given_the_rest(db: Session, table: str, row: dict[str, Any]) -> None:
    now: datetime = db.value("select now()")
    given = insert(db, table, row)
    assert isinstance(given["id"], UUID)
    expected = {**DEFAULTS.get(table, {}), **dict.fromkeys(STAMPS[table], now)}
    assert {column: given[column] for column in expected} == expected


@never_null
def test_what_a_row_must_have_is_never_null(db: Session, table: str, column: str, row: dict[str, Any]) -> None:
    # Some triggers refuse null as well, and would speak first.
    db.run(f"alter table public.{table} disable trigger user")
    with db.refuses(errors.NotNullViolation) as refusal:
        insert(db, table, {**row, column: None})
    assert refusal.value.diag.column_name == column


@every_table
def test_no_column_is_forgotten_here(db: Session, table: str) -> None:
    told = {"id", *NEEDED[table].split(), *DEFAULTS.get(table, ()), *STAMPS[table]}
    assert told == set(db.as_owner().column(COLUMNS, [f"public.{table}"]))


@every_table
def test_two_rows_never_have_the_same_id(db: Session, table: str, row: dict[str, Any]) -> None:
    added = insert(db, table, row)
    db.run(f"alter table public.{table} disable trigger user")
    # What else would have to be unique is dropped first, or it might be what refuses.
    rules = db.column(
        "select conname::text from pg_constraint where conrelid = %s::regclass and contype = 'u'", [f"public.{table}"]
    )
    for rule in rules:
        db.run(f"alter table public.{table} drop constraint {rule}")
    with db.refuses(errors.UniqueViolation):
        insert(db, table, row | {"id": added["id"]})
