"""A check is proved by breaking what it watches: clean, then found and nothing else besides, then clean again.

Its hint is run as it stands, and then less is found than before.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from forge_db.paths import ROOT
from harness.databases import SUPERUSER
from harness.session import Session

FUNCTIONS = {"health": "health_check", "integrity": "integrity_check", "security": "security_audit"}
NAMES = """
    select substr(proname, strpos(proname, '__') + 2) from pg_proc
    where pronamespace = 'private'::regnamespace and pronargs = 0 and starts_with(proname, %s || '__') order by 1
"""


@dataclass(frozen=True)
class Breakage:
    """How to break one thing, and how to mend it. `by` says who is able to: the owner of the schema, or a superuser.

    `number` is how many findings that makes. `shows` says that the hint mends nothing, because there is something to
    decide, and shows what; it must run all the same.
    """

    check: str
    breaks: str
    mends: str
    status: str = "warning"
    says: str = ""
    by: str = "owner"
    also: tuple[str, ...] = ()
    number: int = 1
    shows: bool = False

    def __str__(self) -> str:
        return f"{self.check}: {self.says or self.status}"


def report(db: Session, kind: str) -> dict[str, Any]:
    """What the owner is told, who on Supabase is no superuser."""
    answer: dict[str, Any] = db.as_owner().value(f"select public.{FUNCTIONS[kind]}()")
    return answer


def findings(db: Session, kind: str) -> dict[str, dict[str, Any]]:
    """The checks that found something, by name."""
    return {check["name"]: check for check in report(db, kind)["checks"] if check["status"] != "ok"}


def prove(db: Session, connection: psycopg.Connection, kind: str, breakage: Breakage) -> None:
    before = findings(db, kind)
    assert breakage.check not in before, before[breakage.check]
    say(db, connection, breakage.by, breakage.breaks)
    after = findings(db, kind)
    new = after.keys() - before.keys()
    assert new == {breakage.check, *breakage.also}, {name: after[name]["detail"] for name in new}
    found = after[breakage.check]
    assert found["status"] == breakage.status, found
    assert breakage.says in found["detail"], found
    assert found["value"] == breakage.number, found
    obey(db, connection, kind, breakage, found)
    say(db, connection, breakage.by, breakage.mends)
    assert findings(db, kind).keys() == before.keys()


def obey(db: Session, connection: psycopg.Connection, kind: str, breakage: Breakage, found: dict[str, Any]) -> None:
    """Do what the hint says, and no more; and undo it."""
    assert found["hint"], "a finding says what to do"
    with db.aside(), connection.transaction(force_rollback=True):
        say(db, connection, breakage.by, statements(found["hint"]))
        left = findings(db, kind).get(breakage.check, {"value": 0})["value"]
        assert breakage.shows or left < found["value"], f"{found['hint']} leaves {left} of {found['value']}"


def statements(hint: str) -> str:
    """The SQL of a hint. What is for a shell hands one of our files to psql."""
    in_shell = hint.removeprefix("psql -v ON_ERROR_STOP=1 -f ")
    return hint if in_shell == hint else (ROOT / in_shell).read_text(encoding="utf-8")


def say(db: Session, connection: psycopg.Connection, by: str, statements: str) -> None:
    if by == "owner":
        db.as_owner().execute(statements)
        return
    with db.aside():
        connection.execute(f"set local role none; set local session authorization {SUPERUSER}")
        connection.execute(statements)
