"""docs/keys-and-limits.md: every call in it works as it stands, in the order in which it stands there.

What a browser sends is read from the JavaScript and sent as PostgREST would.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest

from forge_db.paths import ROOT
from harness import postgrest
from harness.people import Person
from harness.session import Session

TEXT = (ROOT / "docs" / "keys-and-limits.md").read_text(encoding="utf-8")
ADA = Person(UUID("3f0c9b1e-5b1c-4a52-9d2e-1f0e6a1b2c3d"), "ada@example.com")

BLOCK = re.compile(r"^```(js|sql)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# supabase.rpc('name', {…}), or supabase.from('table').insert({…}).eq('column', value)
CALL = re.compile(
    r"supabase\.(?:rpc\('(?P<function>\w+)'(?:, (?P<arguments>\{.*?\}))?\)"
    r"|from\('(?P<table>\w+)'\)\.(?P<verb>\w+)\((?P<body>.*?)\)"
    r"(?:\s*\.eq\('(?P<column>\w+)', (?P<value>.*?)\))?(?:\.select\('(?P<returning>\w+)'\)\.single\(\))?"
    r");(?:\n// (?P<gives>[^\n]*))?",
    re.DOTALL,
)


def literal(text: str) -> Any:
    """What a literal of JavaScript is, as the document writes them: keys bare, strings in single quotes."""
    text = re.sub(r"([{,]\s*)(\w+): ", r'\1"\2": ', text).replace("'", '"')
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text))


class Browser:
    """Sends what the document sends, and remembers the id of what it stored."""

    def __init__(self, db: Session) -> None:
        self.db = db
        self.stored: Any = None

    def send(self, call: Mapping[str, str | None]) -> Any:
        table, verb = call["table"] or "", call["verb"]
        if call["function"]:
            arguments = literal((call["arguments"] or "{}").replace("template.id", f"'{self.stored}'"))
            sent = {name: json.dumps(it) if isinstance(it, dict) else it for name, it in arguments.items()}
            return postgrest.call(self.db, call["function"], **sent)
        body = literal(call["body"] or "")
        where = {call["column"]: literal(call["value"] or "")} if call["column"] else None
        if verb == "select":
            return postgrest.read(self.db, table, body, where)
        if verb == "insert":
            rows = postgrest.insert(self.db, table, body, returning=call["returning"] or "")
            self.stored = rows[0].get("id")
            return None
        assert verb == "update"
        assert postgrest.update(self.db, table, body, where) == 1, call
        return None


def say(db: Session, text: str) -> None:
    """Who speaks is said on the first line."""
    first = text.partition("\n")[0]
    speak: dict[str, Callable[[], Session]] = {
        "-- as the owner": db.as_owner,
        "-- as the server": db.as_server,
        "-- as a user": lambda: db.as_user(ADA),
    }
    speak[first]()
    for statement in filter(None, map(str.strip, text.split(";\n"))):
        cursor = db.execute(statement)
        if cursor.description and "search" not in statement:
            assert cursor.fetchall(), f"nothing comes back from\n{statement}"


@pytest.fixture
def ada(db: Session) -> Person:
    db.as_auth().run("insert into users (id, aud, role, email) values (%s, 'authenticated', 'authenticated', %s)",
                     [ADA.id, ADA.email])  # fmt: skip
    return ADA


def test_every_example_works(db: Session, ada: Person) -> None:
    browser = Browser(db)
    for language, text in BLOCK.findall(TEXT):
        if language == "sql":
            say(db, text)
            continue
        calls = list(CALL.finditer(text))
        assert len(calls) == text.count("supabase."), f"a call that this test cannot read is in\n{text}"
        for call in calls:
            db.as_user(ada)
            answer = browser.send(call.groupdict())
            if call["gives"]:
                assert answer == json.loads(call["gives"]), call[0]
    summary = db.as_user(ada).value("select public.get_usage_summary(1)")
    assert (summary["requests"], summary["cost_usd"]) == (1, 0.0075), "the examples have left their traces"


@pytest.mark.one_platform
def test_everything_a_user_calls_for_these_purposes_is_in_it(db: Session) -> None:
    """Whatever stands in the same files of the schema and may be called through the API."""
    called = db.as_owner().column(
        """
        select distinct proname from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', oid, 'execute')
            and proname ~ '(api_key|rate_limit|usage|cost|render|prompt_history|prompt_stats|export)'
        """
    )
    assert len(called) >= 10
    assert [name for name in called if not re.search(rf"\b{name}\b", TEXT)] == []


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{ a: 'x', b: 1,\n c: true, }", {"a": "x", "b": 1, "c": True}),
        ("{ v: [{ name: 'x' },], w: {} }", {"v": [{"name": "x"}], "w": {}}),
        ("'x'", "x"),
    ],
)
def test_javascript_is_read_as_it_is_written(text: str, value: Any) -> None:
    assert literal(text) == value
