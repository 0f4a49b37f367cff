"""The rulebook's tables: same columns, types, lengths, defaults, checks, unique rules and cascades, to the letter.

sql/bench/baseline/rulebook_tables.sql holds its statements as they were written. They are created beside ours and
compared through the catalogue, so only what PostgreSQL understood counts. The deviations that were decided on are in
this file, each with its reason.
"""

from typing import Any

import pytest

from forge_db.bench import data
from harness.session import Session

# What ours have in addition.
ADDED = {
    ("feedback", "category_id"),  # the rulebook names categories and links nothing to them
    ("user_preferences", "monthly_budget_usd"),  # spending can be held against something
    ("user_preferences", "vibe_coding"),  # existing installations hold it and their client writes it
}

COLUMNS = """
    select
        class.relname as table_name,
        attribute.attname as name,
        format_type(attribute.atttypid, attribute.atttypmod) as type,
        attribute.attnotnull as is_not_null,
        pg_get_expr(given.adbin, given.adrelid) as default_value
    from pg_class as class
    inner join pg_attribute as attribute on attribute.attrelid = class.oid
    left join pg_attrdef as given on given.adrelid = class.oid and given.adnum = attribute.attnum
    where class.relnamespace = %s::regnamespace and class.relkind in ('r', 'p') and attribute.attnum > 0
    order by class.relname, attribute.attnum
"""

# A constraint is what it says, whatever its name and whichever of the two schemas it points into.
CONSTRAINTS = """
    select class.relname || ': ' || replace(pg_get_constraintdef(constraints.oid), 'rulebook.', 'public.')
    from pg_constraint as constraints
    inner join pg_class as class on class.oid = constraints.conrelid
    where class.relnamespace = %s::regnamespace and constraints.contype in ('c', 'f', 'p', 'u')
"""

DECIDED = {
    # Otherwise the account of a member of staff could never be deleted.
    "feedback: FOREIGN KEY (admin_user_id) REFERENCES auth.users(id)": (
        "feedback: FOREIGN KEY (admin_user_id) REFERENCES auth.users(id) ON DELETE SET NULL"
    ),
    # The key of a partitioned table holds the column it is partitioned by.
    "api_usage_logs: PRIMARY KEY (id)": "api_usage_logs: PRIMARY KEY (id, created_at)",
}


@pytest.fixture
def rulebook(db: Session) -> Session:
    db.as_owner().run("create schema rulebook")
    db.run("set local search_path = ''")
    db.run(data.script(data.RULEBOOK))
    return db


def decided(column: dict[str, Any]) -> dict[str, Any]:
    """A column of the rulebook's with the decided deviations."""
    if column["default_value"] == "timezone('utc'::text, now())":
        # Wrong by the session's offset wherever TimeZone is not UTC, and any client can set that.
        column = column | {"default_value": "now()"}
    # A null flag or counter is a third state that no rule covers.
    return column | {"is_not_null": column["is_not_null"] or column["default_value"] is not None}


def test_every_column_is_the_rulebooks(rulebook: Session) -> None:
    wanted = [decided(column) for column in rulebook.rows(COLUMNS, ["rulebook"])]
    tables = {column["table_name"] for column in wanted}
    ours = [column for column in rulebook.rows(COLUMNS, ["public"]) if column["table_name"] in tables]
    assert len(tables) == 12
    assert {(it["table_name"], it["name"]) for it in ours} - {(it["table_name"], it["name"]) for it in wanted} == ADDED
    assert [it for it in ours if (it["table_name"], it["name"]) not in ADDED] == wanted


def test_every_constraint_of_the_rulebook_holds(rulebook: Session) -> None:
    wanted = {DECIDED.get(rule, rule) for rule in rulebook.column(CONSTRAINTS, ["rulebook"])}
    assert len(wanted) > 30
    assert wanted - set(rulebook.column(CONSTRAINTS, ["public"])) == set()
