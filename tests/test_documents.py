"""What the documents tell people to type works: every block of commands is taken from them and run.

Documents with tests of their own are named in TRIED_ELSEWHERE. What would test the tests, or reach out to a hosted
project, is a stand-in on the path, which at least sees that make knows the target and the CLI is asked for by name.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import click
import pytest
from psycopg.conninfo import conninfo_to_dict

from forge_db.cli import main
from forge_db.paths import ROOT
from harness.databases import Database

pytestmark = pytest.mark.one_platform
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "supabase/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
TRIED_ELSEWHERE = {
    "docs/backup.md": "test_recovery.py",
    "docs/client.md": "test_document_of_client.py",
    "docs/keys-and-limits.md": "test_document_of_keys_and_limits.py",
    "docs/scaling.md": "test_scaling.py",
    "docs/upgrade.md": "test_upgrade_document.py",
    "docs/access-testing.md": "test_prober_catches.py",
}
# Sections that are tried elsewhere, of documents that are tried here.
SECTIONS_ELSEWHERE = {
    "An existing project with the legacy tables": "test_supabase_cli.py",
    "Existing installations": "test_migration_plan.py",
    "New installations": "test_migration_plan.py",
}
# Nothing that one types: what is answered, drawn, or set in a file.
SHOWN = {"", "mermaid", "toml", "ini"}
STAND_INS = {
    "make": 'exec "$REAL_MAKE" --dry-run --no-print-directory "$@" > /dev/null',
    "supabase": "exit 0",
    "pre-commit": "exit 0",
    "pg_prove": "exit 0",
}
# Statements that need something besides, and what a refusal must then name.
NEEDS = {"select public.schedule_maintenance();": "pg_cron", "select public.vacuum_all_tables();": "maintenance_dsn"}


@dataclass(frozen=True)
class Block:
    document: str
    line: int
    section: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            before = text[: found.start()]
            section = re.findall(r"^#+ (.*)", before, re.MULTILINE)[-1]
            line = before.count("\n") + 1
            yield Block(path.relative_to(ROOT).as_posix(), line, section, found[1], found[2])


HERE = [it for it in blocks() if it.language not in SHOWN and it.document not in TRIED_ELSEWHERE]
HERE = [it for it in HERE if it.section not in SECTIONS_ELSEWHERE]
# In these two, what is shown ends in a file that names the table made in it; the commands around it are tried here.
HERE += [it for it in blocks() if it.document == "docs/access-testing.md" and it.language in ("sh", "bash")]
COMMANDS = [it for it in HERE if it.language in ("sh", "bash", "console")]
STATEMENTS = [it for it in HERE if it.language == "sql"]
SCHEDULES = [it for it in HERE if it.language == "cron"]


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    assert len(COMMANDS) >= 8
    assert len(STATEMENTS) >= 8
    languages = {it.language for it in HERE}
    assert languages <= {"sh", "bash", "console", "sql", "cron", "js"}
    # Nor does a command pass for something that is only shown.
    for it in blocks():
        if not it.language and it.document not in TRIED_ELSEWHERE:
            assert not re.search(
                r"^(?:\$ |[\d*]\S* \S+ \S+ \S+ \S+ )?(?:psql|forge-db|make|supabase) ", it.text, re.M
            ), it
    # JavaScript is in documents that have tests of their own; one call in another has its function checked below.
    for it in HERE:
        if it.language == "js":
            assert re.findall(r"supabase\.rpc\('(\w+)'", it.text), it


def test_documents_that_are_tried_elsewhere_are() -> None:
    for document, test in TRIED_ELSEWHERE.items():
        text = (ROOT / "tests" / test).read_text(encoding="utf-8")
        assert Path(document).name in text, f"{test} does not read {document}"
    for section, test in SECTIONS_ELSEWHERE.items():
        assert section in (ROOT / "tests" / test).read_text(encoding="utf-8"), f"{test} does not read {section}"


@pytest.fixture
def shell(scratch: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A path with the project's programs, and a database for whoever asks for one."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, script in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    url = scratch.url("postgres")
    (tmp_path / "services").write_text("[forge]\n" + "".join(f"{k}={v}\n" for k, v in parts(url)))
    programs = [folder, Path(sys.executable).parent, Path(scratch.server.binaries.tool("psql")).parent]
    monkeypatch.setenv("REAL_MAKE", str(shutil.which("make")))
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, programs), os.environ["PATH"]]))
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("FORGE_DATABASE_URL", url)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "forge")
    monkeypatch.setenv("EDITOR", "true")
    return scratch


def parts(url: str) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in conninfo_to_dict(url).items())


def sh(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text], cwd=ROOT, capture_output=True, text=True, check=False
    )


def typed(block: Block) -> str:
    """What a block has people type: in a session, what stands behind the prompt."""
    text = block.text
    if block.language == "console":
        text = "\n".join(re.findall(r"^\$ (.*)", text, re.MULTILINE))
    # Takes ten seconds and writes what is there already; test_access_matrix.py sees to it.
    text = re.sub(r"^(\.venv/bin/forge-db matrix)", r"\1 --help", text, flags=re.MULTILINE)
    return text.replace(".venv/bin/", "")


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_commands_run(block: Block, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    text = typed(block)
    if re.search(r"sql/platform/|migrations/00\d", text):
        # On a server of one's own, which has the platform already.
        empty = request.getfixturevalue("empty_database")
        monkeypatch.setenv("DATABASE_URL", empty.url("postgres"))
        text = re.sub(r"^psql .*sql/platform/.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^psql (?!.*DATABASE_URL)(.*)", r'psql \1 "$DATABASE_URL"', text, flags=re.MULTILINE)
    done = sh(text)
    assert done.returncode == 0, f"{block}\n{text}\n{done.stdout}{done.stderr}"


@pytest.mark.supabase_cli
def test_the_supabase_cli_has_the_commands_and_options_that_are_named() -> None:
    program = os.environ.get("SUPABASE_CLI") or str(ROOT / "node_modules" / ".bin" / "supabase")
    calls = [it for block in COMMANDS for it in re.findall(r"^supabase ([^#\n]+)", block.text, re.MULTILINE)]
    assert len(calls) > 4
    for call in calls:
        done = subprocess.run([program, *call.split(), "--help"], capture_output=True, text=True, check=False)
        names = " ".join(takewhile(str.isalpha, call.split()))
        assert re.search(rf"^  supabase {names}\b", done.stdout, re.MULTILINE), f"supabase {call}\n{done.stdout}"
        missing = [word for word in call.split() if word.startswith("--") and word not in done.stdout]
        assert missing == [], f"supabase {call}\n{done.stdout}"


@pytest.mark.parametrize("block", STATEMENTS, ids=str)
def test_statements_run(block: Block, shell: Database) -> None:
    text = block.text.replace("'…'", "'00000000-0000-4000-8000-000000000001'")
    if text.startswith("create table public.bookmarks"):
        text += "drop table public.bookmarks;\n"
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", shell.url("postgres")],
        cwd=ROOT, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    needed = NEEDS.get(text.strip().splitlines()[-1])
    if done.returncode and needed:
        assert needed in done.stderr
        assert "HINT" in done.stderr
    else:
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("block", SCHEDULES, ids=str)
def test_what_is_scheduled_runs(block: Block, tmp_path: Path) -> None:
    (tmp_path / "postgresql.json").touch()
    for line in block.text.splitlines():
        command = re.sub(r"^(?:[\d*/,-]+ +){5}(?:postgres +)?", "", line)
        done = sh(command.replace("/var/log/postgresql/", f"{tmp_path}/"))
        assert done.returncode == 0, f"{block}\n{command}\n{done.stdout}{done.stderr}"


# Within the text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_in_the_text_is_one_of_the_tool(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name, rest in re.findall(r"(?:^|[`/ (])forge-db ([a-z][a-z-]*)([^`\n|]*)", text, re.MULTILINE):
        command = main.commands.get(name)
        if command is None:
            assert "`" not in rest, name
            assert f"forge-db {name}{rest}`" not in text, f"there is no command forge-db {name}"
            continue
        known = {
            option for it in command.params if isinstance(it, click.Option) for option in (*it.opts, *it.secondary_opts)
        }
        used = re.findall(r"(?<=\s)(--[a-z][a-z-]*)", rest.partition(" #")[0].partition(" | ")[0])
        assert set(used) <= known | {"--help"}, f"forge-db {name} {rest}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_target_in_the_text_is_one_of_make(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"`make ((?:[a-z-]+ ?)+)", path.read_text(encoding="utf-8"))
    assert {word for words in named for word in words.split()} <= targets


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", it.lower().replace("`", "")).strip().replace(" ", "-") for it in headings}


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".html")} - {"README.md"}
    assert pages - set(re.findall(r"\]\(([\w.-]+)\)", index)) == set()


def test_glossary_is_in_order_and_explains_each_word_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    assert len(words) > 25
    assert words == sorted(set(words), key=str.lower)
