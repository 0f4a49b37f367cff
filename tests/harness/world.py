"""A person with a row in every table that can hold one of theirs."""

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
    return ids
