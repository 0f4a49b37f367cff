"""Rows of private and archive, which functions of ours write and nobody else: what they must hold, and are given."""

from typing import Any

import pytest
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from harness.people import Person
from harness.session import Session

pytestmark = pytest.mark.one_platform

A_DAY = "2026-01-01"
ID = "00000000-0000-4000-9000-000000000001"
ALICE = "Alice's account"
FIGURES = {"prompts": 3, "completed": 1, "failed": 1, "tokens_used": 1, "cost_usd": 1}

# What a row must say; it is whole with that.
NEEDED: dict[str, dict[str, Any]] = {
    "archive.api_usage_logs": {"user_id": ALICE, "provider": "openai"},
    "archive.prompt_history": {
        "user_id": ALICE,
        "framework_id": "roses",
        "framework_name": "R.O.S.E.S",
        "model": "gpt-4o",
        "provider": "openai",
        "user_input": "Write a haiku.",
    },
    "archive.unmigrated": {
        "legacy_table": "profiles",
        "legacy_id": ID,
        "outcome": "set aside",
        "reason": "It has no account.",
        "legacy_row": Jsonb({}),
    },
    "private.activity_daily": {"day": A_DAY, "sign_ins": 1, "active_users": 1},
    "private.changed_days": {"source": "usage", "day": A_DAY},
    "private.expired_prompts_daily": {"day": A_DAY, "dimension": "total", "label": "", **FIGURES},
    "private.latency_daily": {"day": A_DAY, "provider": "openai", "bucket": 1, "requests": 1},
    "private.locks": {"name": "unheard_of"},
    "private.log_files": {"first_line": "0" * 64, "read_to": 0},
    "private.maintenance_runs": {"deadline": A_DAY},
    "private.prompt_search": {"history_id": ID, "user_id": ALICE, "created_at": A_DAY, "words": "word"},
    "private.prompts_daily": {"day": A_DAY, "dimension": "total", "label": "", **FIGURES, "users": 1},
    "private.rate_limit_counters": {
        "user_id": ALICE,
        "provider": "openai",
        "minute_start": A_DAY,
        "minute_count": 1,
        "day_start": A_DAY,
        "day_count": 1,
    },
    "private.rate_limits": {"provider": "unheard-of", "per_minute": 1, "per_day": 1},
    "private.rollups": {"source": "usage", "rolled_up_to": A_DAY},
    "private.secrets": {"name": "maintenance_dsn", "secret": "x"},
    "private.size_snapshots": {
        "relation_name": "public.feedback",
        "taken_on": A_DAY,
        "heap_bytes": 1,
        "index_bytes": 1,
        "total_bytes": 2,
    },
    "private.spent_costs": {"user_id": ALICE, "provider": "openai", "tokens_used": 1, "cost_usd": 1},
    "private.uncounted_uses": {"template_id": ID},
    "private.usage_daily": {"day": A_DAY, "provider": "openai", "requests": 1, "errors": 1, "users": 1},
    "private.usage_requests": {"user_id": ALICE, "request_id": ID, "log_id": ID},
    "private.user_sign_ins_daily": {"day": A_DAY, "user_id": ALICE, "sign_ins": 1},
    "private.user_usage_daily": {"day": A_DAY, "user_id": ALICE, "provider": "openai", "requests": 1, "errors": 1},
}

# What it is given when it says no more, as SQL has it.
GIVEN: dict[str, dict[str, str]] = {
    "archive.api_usage_logs": {"created_at": "now()"},
    "archive.prompt_history": {
        "vibe_coding": "false",
        "status": "'pending'",
        "created_at": "now()",
        "updated_at": "now()",
        "archived_at": "now()",
    },
    "archive.unmigrated": {"created_at": "now()"},
    "private.changed_days": {"changed_by": "pg_current_xact_id()", "changed_at": "now()"},
    "private.expired_prompts_daily": {"expired_by": "pg_current_xact_id()"},
    "private.log_files": {"read_at": "now()"},
    "private.maintenance_runs": {
        "started_at": "now()",
        "status": "'running'",
        "steps": "'[]'",
        "backend_pid": "pg_backend_pid()",
        "statement_started_at": "now()",
    },
    "private.secrets": {"created_at": "now()", "updated_at": "now()"},
    "private.spent_costs": {"created_at": "now()"},
    "private.usage_requests": {"created_at": "now()"},
}
WITH_ID = (
    "archive.api_usage_logs",
    "archive.prompt_history",
    "archive.unmigrated",
    "private.maintenance_runs",
    "private.uncounted_uses",
)

# By name: the table, and what breaks it.
RULES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "changed_days_source_is_known": ("private.changed_days", [{"source": "sources"}]),
    "locks_name_is_snake_case": ("private.locks", [{"name": "Maintenance"}, {"name": ""}, {"name": "a-b"}]),
    "log_files_first_line_is_a_digest": (
        "private.log_files",
        [{"first_line": "0" * 63}, {"first_line": "0" * 63 + "g"}, {"first_line": "A" * 64}],
    ),
    "log_files_read_to_is_a_position": ("private.log_files", [{"read_to": -1}]),
    "maintenance_runs_status_is_known": ("private.maintenance_runs", [{"status": "done"}]),
    "prompts_daily_dimension_is_known": ("private.prompts_daily", [{"dimension": "user"}]),
    "prompts_daily_outcomes_are_part_of_prompts": ("private.prompts_daily", [{"prompts": 1}]),
    "rollups_frozen_before_is_rolled_up": ("private.rollups", [{"frozen_before": "2026-01-02"}]),
    "rollups_source_is_known": ("private.rollups", [{"source": "sources"}]),
    "secrets_name_is_known": ("private.secrets", [{"name": "smtp_password"}]),
    "secrets_secret_has_content": ("private.secrets", [{"secret": ""}, {"secret": "x" * 4097}]),
    "unmigrated_outcome_is_known": ("archive.unmigrated", [{"outcome": "lost"}]),
    "usage_daily_errors_are_part_of_requests": ("private.usage_daily", [{"errors": 2}, {"errors": -1}]),
    "user_usage_daily_errors_are_part_of_requests": ("private.user_usage_daily", [{"errors": 2}, {"errors": -1}]),
    # The archive has the rules of its sources.
    "api_usage_logs_endpoint_is_short": ("archive.api_usage_logs", [{"endpoint": "x" * 2049}]),
    "api_usage_logs_error_message_is_short": ("archive.api_usage_logs", [{"error_message": "x" * 10001}]),
    "api_usage_logs_request_size_is_not_negative": ("archive.api_usage_logs", [{"request_size": -1}]),
    "api_usage_logs_response_size_is_not_negative": ("archive.api_usage_logs", [{"response_size": -1}]),
    "api_usage_logs_response_time_is_not_negative": ("archive.api_usage_logs", [{"response_time_ms": -1}]),
    "api_usage_logs_status_code_is_http": ("archive.api_usage_logs", [{"status_code": 99}, {"status_code": 600}]),
    "prompt_history_ai_response_is_under_2_mb": ("archive.prompt_history", [{"ai_response": "x" * 2097153}]),
    "prompt_history_cost_is_not_negative": ("archive.prompt_history", [{"cost_usd": -1}, {"cost_usd": "NaN"}]),
    "prompt_history_error_message_is_short": ("archive.prompt_history", [{"error_message": "x" * 10001}]),
    "prompt_history_max_tokens_is_positive": ("archive.prompt_history", [{"max_tokens": 0}]),
    "prompt_history_processing_time_is_not_negative": ("archive.prompt_history", [{"processing_time_ms": -1}]),
    "prompt_history_status_is_known": ("archive.prompt_history", [{"status": "lost"}]),
    "prompt_history_temperature_is_valid": ("archive.prompt_history", [{"temperature": 2.01}, {"temperature": -1}]),
    "prompt_history_tokens_used_is_not_negative": ("archive.prompt_history", [{"tokens_used": -1}]),
    "prompt_history_user_input_is_under_1_mb": ("archive.prompt_history", [{"user_input": "x" * 1048577}]),
}

COLUMNS = """
    select
        rel.oid::regclass::text as table_name,
        array_agg(attname::text) filter (where not atthasdef) as needed,
        array_agg(attname::text) filter (where atthasdef and attname <> 'id') as given
    from pg_attribute inner join pg_class as rel on attrelid = rel.oid
    where relnamespace in ('private'::regnamespace, 'archive'::regnamespace) and relkind in ('r', 'p')
        and not relispartition and attnum > 0 and attnotnull and not attisdropped
    group by rel.oid
"""
CHECKS = """
    select conname::text from pg_constraint inner join pg_class as rel on conrelid = rel.oid
    where relnamespace in ('private'::regnamespace, 'archive'::regnamespace) and contype = 'c' and not relispartition
"""

every_table = pytest.mark.parametrize("table", NEEDED)


@pytest.fixture
def row(db: Session, table: str, alice: Person) -> dict[str, Any]:
    """As short as it can be, and not there yet."""
    row = {column: alice.id if value is ALICE else value for column, value in NEEDED[table].items()}
    if "history_id" in row:
        row["history_id"] = db.add("prompt_history", user_id=alice.id)
    # Triggers refuse some of this as well, and would speak first.
    db.as_owner().run(f"alter table {table} disable trigger user; delete from {table}")
    return row


def insert(db: Session, table: str, row: dict[str, Any]) -> int:
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    return db.run(statement.as_string(), list(row.values()))


@every_table
def test_a_row_that_says_no_more_than_it_must_is_given_the_rest(db: Session, table: str, row: dict[str, Any]) -> None:
    assert insert(db, table, row) == 1
    for column, value in GIVEN.get(table, {}).items():
        assert db.value(f"select {column} = {value} from {table}"), column
    if table in WITH_ID:
        assert db.value(f"select count(id) from {table}") == 1


@every_table
def test_what_a_row_must_have_is_never_null(db: Session, table: str, row: dict[str, Any]) -> None:
    for column in (*row, *GIVEN.get(table, {}), *(["id"] if table in WITH_ID else [])):
        if column == "archived_at":
            continue  # no month holds null
        with db.refuses(errors.NotNullViolation) as refusal:
            insert(db, table, row | {column: None})
        assert refusal.value.diag.column_name == column


@every_table
def test_no_row_is_there_twice(db: Session, table: str, row: dict[str, Any]) -> None:
    again = row | ({"id": ID} if table in WITH_ID else {})
    insert(db, table, again)
    with db.refuses(errors.UniqueViolation) as refusal:
        insert(db, table, again)
    assert str(refusal.value.diag.constraint_name).endswith("_pkey")


@pytest.mark.parametrize(("name", "table", "broken"), [(name, *rule) for name, rule in RULES.items()], ids=RULES)
def test_rule_refuses_what_breaks_it(
    db: Session, table: str, row: dict[str, Any], name: str, broken: list[dict[str, Any]]
) -> None:
    for columns in broken:
        with db.refuses(errors.CheckViolation, constraint=name):
            insert(db, table, row | columns)
    assert insert(db, table, row) == 1


@pytest.mark.parametrize("table", ["archive.unmigrated"])
def test_a_row_of_the_old_installation_is_kept_once(db: Session, table: str, row: dict[str, Any]) -> None:
    insert(db, table, row)
    with db.refuses(errors.UniqueViolation, constraint="unmigrated_row_is_kept_once"):
        insert(db, table, row)


def test_no_rule_and_no_column_is_forgotten_here(db: Session) -> None:
    found = {row["table_name"]: row for row in db.as_owner().rows(COLUMNS)}
    assert {table: set(row["needed"] or ()) for table, row in found.items()} == {
        table: set(row) for table, row in NEEDED.items()
    }
    assert {table: set(row["given"] or ()) for table, row in found.items() if row["given"]} == {
        table: set(given) for table, given in GIVEN.items()
    }
    assert set(db.column(CHECKS)) == set(RULES)
