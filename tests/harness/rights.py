"""What the one who speaks has been granted, found by trying."""

import psycopg
from psycopg import errors

from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

COLUMNS = """
    select attname from pg_attribute
    where attrelid = to_regclass('public.' || quote_ident(%s)) and attnum > 0 and not attisdropped
    order by attnum
"""


def granted(db: Session, statement: str) -> bool:
    """Whether the grants let a statement through, whatever policies and rules make of it then."""
    try:
        with db.undone():
            db.run(statement)
    except errors.InsufficientPrivilege as refusal:
        return db.guard(refusal) not in (Guard.TABLE_GRANT, Guard.COLUMN_GRANT)
    except psycopg.Error:
        return True
    return True


def insertable(db: Session, table: str) -> list[str]:
    """The columns that may be given in an INSERT, in the table's order."""
    columns = db.column(COLUMNS, [table])
    return [name for name in columns if granted(db, f"insert into public.{table} ({name}) values (default)")]


def updatable(db: Session, table: str) -> list[str]:
    """The columns that may be set in an UPDATE, in the table's order."""
    columns = db.column(COLUMNS, [table])
    return [name for name in columns if granted(db, f"update public.{table} set {name} = default where false")]


def commands(db: Session, table: str) -> str:
    """The commands that are granted, for INSERT and UPDATE on some column at least."""
    tried = {
        "select": granted(db, f"select from public.{table} limit 0"),
        "insert": bool(insertable(db, table)),
        "update": bool(updatable(db, table)),
        "delete": granted(db, f"delete from public.{table} where false"),
        "truncate": granted(db, f"truncate public.{table}"),
    }
    return " ".join(command for command, allowed in tried.items() if allowed)


def by_caller(db: Session, table: str, user: Person, staff: Person) -> dict[str, str]:
    """The commands that each kind of caller has been granted."""
    return {
        "visitor": commands(db.as_visitor(), table),
        "user": commands(db.as_user(user), table),
        "staff": commands(db.as_staff(staff), table),
        "server": commands(db.as_server(), table),
    }
