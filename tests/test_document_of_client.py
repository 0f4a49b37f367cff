"""docs/client.md: its TypeScript compiles, its Python passes mypy, and both run against the database as a user."""

import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from forge_db.paths import ROOT
from harness import rest
from harness.client import JOIN, Client
from harness.databases import Database
from harness.node import compiled
from harness.people import Person

DOCUMENT = ROOT / "docs" / "client.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
ADA = Person(UUID("3f0c9b1e-5b1c-4a52-9d2e-1f0e6a1b2c3d"), "ada@example.com")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = ("preferences", "keys", "limits", "history", "usage", "templates", "feedback")

pytestmark = pytest.mark.one_platform


def program(language: str) -> str:
    """The blocks of a language, one after the other, as one file."""
    return "\n\n".join(text for name, text in BLOCK.findall(TEXT) if name == language)


@pytest.fixture
def database(scratch: Database) -> Database:
    """With a user in it, and a key to seal keys with."""
    with scratch.connect() as owner:
        owner.execute(JOIN, [ADA.id, ADA.email])
        owner.execute("select private.change_encryption_key()")
    return scratch


def test_every_section_has_both_languages() -> None:
    for section in SECTIONS:
        part = re.split(r"^## ", TEXT, flags=re.MULTILINE)[3 + SECTIONS.index(section)]
        assert part.lower().startswith(section)
        assert {name for name, _ in BLOCK.findall(part)} == {"ts", "python"}


@pytest.mark.supabase_cli
def test_typescript_compiles_and_does_what_it_says(database: Database, tmp_path: Path) -> None:
    lost = "POST rpc/log_api_usage"
    with (
        Client.of(database, ADA) as client,
        Client.server(database) as server,
        rest.server({"publishable-key": client, "secret-key": server}, lost) as (address, asked),
    ):
        text = program("ts").replace("https://example.supabase.co", address)
        assert compiled(tmp_path, {"client.ts": text}) == ""
        # supabase-js wants a browser, or Node.js 22: it opens a socket for no call of ours.
        (tmp_path / "browser.js").write_text("globalThis.WebSocket ??= class {};")
        done = subprocess.run(
            ["node", "--import", "./browser.js", "out/client.js"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + "\n".join(asked)
    assert asked.count(lost) == 2, "sent again, as its answer was lost; the document sees that it counts once"
    named = re.findall(r'(?:supabase|server)\s*\.(from|rpc)\("(\w+)"', text)
    missed = {f"{'rpc/' if how == 'rpc' else ''}{name}" for how, name in named} - {it.split()[1] for it in asked}
    assert not missed, "these were never called"


# What must not pass, with the word that mypy says about it.
WRONG = {
    'finish_prompt(USER, started, {"status": "done"})': "typeddict-item",
    'finish_prompt(USER, started, {"answer": "x"})': "typeddict-unknown-key",
    'start_prompt(USER, {"user_id": USER, "model": "gpt-4o"})': "typeddict-item",
    'save_theme(USER, "blue")': "arg-type",
    'send_feedback(USER, "x", "praise")': "arg-type",
    "load_preferences(USER).colour": "attr-defined",
    'may_call(USER, "openai")["permitted"]': "typeddict-item",
}


def test_python_passes_mypy_and_mistakes_do_not(tmp_path: Path) -> None:
    text = program("python") + "\n"
    (tmp_path / "right.py").write_text(text, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(text + "\n".join(WRONG), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", *map(str, tmp_path.glob("*.py"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    first = text.count("\n") + 1
    found = re.findall(r"(\w+)\.py:(\d+): error: .*?\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    assert found == [("wrong", str(first + line), word) for line, word in enumerate(WRONG.values())], done.stdout


def test_both_languages_know_the_codes_of_the_table() -> None:
    part = TEXT.partition("\n## Errors\n")[2].partition("\n## ")[0]
    typescript, python = (text for _, text in BLOCK.findall(part))
    code = re.compile(r"\b(?:PGRST|PT)?\d\w{2,4}\b")
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    table = [code.findall(row.replace("`PGRST000` to", "PGRST000 PGRST001 PGRST002")) for row in rows]
    assert sorted(code.findall(typescript.partition("];\n")[0])) == sorted(it for row in table for it in row)
    assert set(code.findall(python.partition("}\n")[0])) == {it for row in table for it in row if "PGRST" not in it}


# Of what may pass, twice; of what never will, once.
PATIENCE = """
time.sleep = lambda _: None
refusals = [psycopg.errors.SerializationFailure(), psycopg.errors.QueryCanceled()]

def ask():
    if refusals:
        raise refusals.pop()
    return "answered"

assert patiently(ask) == "answered"
refusals = [psycopg.errors.CheckViolation(), psycopg.errors.CheckViolation()]
try:
    patiently(ask)
except psycopg.errors.CheckViolation:
    assert len(refusals) == 1
else:
    raise AssertionError
"""


@pytest.fixture
def running(database: Database, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "client.py"
    url = database.url("authenticator")
    text = program("python").replace("postgresql://authenticator@localhost/postgres", url)
    file.write_text(text + PATIENCE, encoding="utf-8")
    return subprocess.run(
        # Its connection lasts as long as the program.
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", file],
        env={"PYTHONPATH": str(ROOT / "supabase" / "types")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_python_does_what_it_says(database: Database, running: subprocess.CompletedProcess[str]) -> None:
    assert (running.returncode, running.stderr) == (0, "")
    with database.connect() as owner:
        found = owner.execute("select message, feedback_type, user_id from public.feedback").fetchall()
    assert found == [("More frameworks, please.", "feature", ADA.id), ("I cannot sign up.", "general", None)]
