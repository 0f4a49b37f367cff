"""A person with a row in every table that can hold one of theirs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.examples import EXAMPLES
from harness.people import Person, sign_in
from harness.session import Session

# Every column that names an account, from the catalogue: a new one is looked after without anybody thinking of it.
ACCOUNT_COLUMNS = """
    select conrelid::regclass::text as table_name, attname::text as column_name
    from pg_constraint
    inner join pg_class on pg_class.oid = conrelid and not relispartition
    inner join pg_attribute on attrelid = conrelid and attnum = any (conkey)
    where contype = 'f' and confrelid = 'auth.users'::regclass
    order by 1, 2
"""

STEPS = (
    "step_roll_up_usage",
    "step_roll_up_prompts",
    "step_roll_up_activity",
    "step_feedback_analytics",
    "step_refresh_views",
)

MADE_AT_SIGN_UP = ("user_preferences", "user_profiles")


def account_columns(db: Session) -> list[tuple[str, str]]:
    with db.aside():
        return [(row["table_name"], row["column_name"]) for row in db.as_owner().rows(ACCOUNT_COLUMNS)]


def populate(db: Session, person: Person) -> dict[str, Any]:
    """One row of theirs in every table of the API, and what their use of the API leaves elsewhere. Returns the ids."""
    columns = account_columns(db)
    ids = {}
    for table in EXAMPLES:
        theirs = {column: person.id for owned, column in columns if owned == table}
        if table in MADE_AT_SIGN_UP:
            ids[table] = db.truth(f"select id from public.{table} where user_id = %s", [person.id])
        elif table == "feedback_tag_assignments":
            ids[table] = db.add(table, feedback_id=ids["feedback"], tag_id=db.add("feedback_tags"))
        else:
            ids[table] = db.add(table, **theirs)
    sign_in(db, person)
    costly = db.add("prompt_history", user_id=person.id, tokens_used=1000, cost_usd=0.5)
    with db.aside():
        db.as_user(person).rows("select * from public.check_rate_limit('openai')")
        db.rows("select public.log_api_usage('openai', request_id => gen_random_uuid())")
        db.run("delete from public.prompt_history where id = %s", [costly])
    roll_up(db)
    leave_in_archive(db, person)
    return ids


def leave_in_archive(db: Session, person: Person) -> None:
    """A call and a prompt so old that maintenance has archived them, and a row that an upgrade could not bring over."""
    for table in ("api_usage_logs", "prompt_history"):
        db.add(table, user_id=person.id, created_at=datetime.now(UTC) - timedelta(days=200))
    with db.aside():
        db.as_owner()
        for step in ("archive_prompts", "make_months", "archive_usage"):
            db.rows(f"select * from private.step_{step}('infinity')")
        db.run(
            "insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row) "
            "values (%s, 'feedback', gen_random_uuid(), 'set aside', 'blank', '{}')",
            [person.id],
        )


def roll_up(db: Session) -> None:
    """What maintenance does every day: the figures by day, and the views of them."""
    with db.aside():
        db.as_owner()
        for step in STEPS:
            assert db.value(f"select is_complete from private.{step}(null)"), step
