"""updated_at tells when a row last changed, whatever the writer sent."""

from typing import Any

import pytest

from harness.examples import EXAMPLES
from harness.people import Person
from harness.session import Session

# A change that everybody would call one.
CHANGES: dict[str, tuple[str, Any]] = {
    "api_configurations": ("is_active", False),
    "api_providers": ("is_enabled", False),
    "feedback": ("message", "Changed."),
    "feedback_analytics": ("total_feedback", 3),
    "feedback_categories": ("is_active", False),
    "feedback_tags": ("is_active", False),
    "prompt_frameworks": ("is_enabled", False),
    "prompt_history": ("ai_response", "Changed."),
    "prompt_templates": ("description", "Changed."),
    "system_config": ("description", "Changed."),
    "user_preferences": ("language", "fr"),
    "user_profiles": ("bio", "Changed."),
}
OWNED = ("api_configurations", "prompt_history", "user_preferences", "user_profiles")
# How often something was used is no change of it.
COUNTED = ("api_configurations", "prompt_templates")

STAMPED = "select updated_at = now() from public.{} where id = %s"


@pytest.fixture
def old_row(db: Session, alice: Person, table: str) -> Any:
    db.as_owner().run("delete from public.user_profiles; delete from public.user_preferences")
    owner = {"user_id": alice.id} if table in OWNED else {}
    return db.add(table, created_at="2020-01-01", updated_at="2020-01-01", **owner)


def test_every_table_with_updated_at_is_here(db: Session) -> None:
    found = db.as_owner().column(
        "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'updated_at'"
    )
    assert set(found) == set(CHANGES)
    assert set(EXAMPLES) > set(CHANGES)


@pytest.mark.parametrize("table", CHANGES)
def test_a_change_is_stamped_with_the_servers_time(db: Session, table: str, old_row: Any) -> None:
    column, value = CHANGES[table]
    db.as_owner().run(
        f"update public.{table} set {column} = %s, updated_at = '2099-01-01' where id = %s", [value, old_row]
    )
    assert db.value(STAMPED.format(table), [old_row])
    assert db.value(f"select created_at < '2021-01-01' from public.{table} where id = %s", [old_row])


@pytest.mark.parametrize("table", COUNTED)
def test_being_used_is_not_a_change(db: Session, table: str, old_row: Any) -> None:
    db.as_owner().run(f"update public.{table} set usage_count = usage_count + 1 where id = %s", [old_row])
    assert not db.value(STAMPED.format(table), [old_row])
