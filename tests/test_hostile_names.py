"""Whoever may make a table may give it any name. The tool shows it as it is, and lets it do nothing.

A live database is read by an operator, whose terminal, browser and shell are what such a name would be after.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from forge_db import drift, report
from forge_db.cli import main
from harness.databases import Database

pytestmark = pytest.mark.one_platform

NAMES = [
    'x"; drop table public.feedback; --',
    "'; drop table public.feedback; --",
    "<script>alert(1)</script>",
    "]]></svg><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "%s %(x)s %I",
    "${7*7} `id` $(id)",
    "$$; --",
    "*/ drop table public.feedback; /*",
    '"""\nimport os',
    "two\nlines\n\\! id\n",
    "\x1b[2J\x1b[31mred\x07",
    "\u202eevil \u2066\u200b",
    "| a | --> ```",
    "\\",
]


@pytest.fixture
def hostile(scratch: Database) -> Database:
    """A table, a view, a function, a policy, an index, a trigger and comments of each name."""
    with scratch.connect(autocommit=True) as owner:
        for number, name in enumerate(NAMES):
            names = {"name": sql.Identifier(name), "text": sql.Literal(name), "other": sql.Identifier(f"n{number}")}
            for statement in (
                "create table public.{name} ({name} text, constraint {name} check ({name} <> {text}))",
                "alter table public.{name} enable row level security",
                "comment on table public.{name} is {text}",
                "comment on column public.{name}.{name} is {text}",
                "create policy {name} on public.{name} for select to authenticated using ({name} <> {text})",
                "grant select ({name}) on public.{name} to authenticated",
                "create index on public.{name} ({name})",
                "create view public.{other} as select {name} from public.{name}",
                "create function public.{name}({name} text) returns text language sql security definer return {text}",
                "create function public.{other}() returns trigger language plpgsql as 'begin return null; end'",
                "create trigger {name} after insert on public.{name} for each row execute function public.{other}()",
            ):
                owner.execute(sql.SQL(statement).format(**names))
    return scratch


def run(database: Database, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--database-url", database.url()], color=True)


def is_plain(text: str) -> bool:
    """A terminal shows it and does nothing, but for what the tool itself puts into colour."""
    return all(it.isprintable() or it == "\n" for it in re.sub(r"\x1b\[\d*m", "", text.replace("\x1b[2J", "\x1b")))


@pytest.mark.parametrize(
    "command",
    [("drift",), ("health",), ("explain-access", "authenticated", "update", "feedback")],
    ids=lambda command: command[0],
)
def test_a_terminal_shows_it_and_does_nothing(
    hostile: Database, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile.connect() as connection:
        known = drift.read(connection)
    monkeypatch.setattr(drift, "wanted", lambda: {key: row for key, row in known.items() if "public.n" in key[1]})
    result = run(hostile, *command)
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)
    assert result.output.count("\n") > 3
    assert is_plain(result.output)
    if command[0] == "drift":  # the others name a few, or none
        assert "\\u202eevil" in result.output


def test_a_page_shows_it_and_does_nothing(hostile: Database) -> None:
    with hostile.connect() as connection:
        page = report.render(connection)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert is_plain(page)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) > 3
    for picture in pictures:
        ET.fromstring(picture)


@pytest.mark.parametrize("command", ["structure", "diagrams", "definitions", "types"])
def test_no_document_of_the_project_is_made_of_it(hostile: Database, command: str) -> None:
    result = run(hostile, command, "--check")
    assert result.exit_code == 1
    assert "made by no schema file" in result.stderr
    assert is_plain(result.stderr)


def test_a_backup_holds_it_and_a_restore_brings_it_back(
    hostile: Database, empty_database: Database, tmp_path: Path
) -> None:
    with hostile.connect() as connection:
        before = drift.read(connection)
    assert run(hostile, "backup", str(tmp_path / "backup")).exit_code == 0
    run(empty_database, "restore", str(tmp_path / "backup"))  # the checks after it find functions of the owner's
    with empty_database.connect() as connection:
        assert list(drift.differences(before, drift.read(connection))) == []
