"""`forge-db new`: each variant is whole as written, in the schema files as in the migration, and has a way back."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import errors

from forge_db import assemble, migrations, new
from forge_db.cli import main
from forge_db.paths import MIGRATIONS, ROLLBACK, ROOT
from harness import changes, psql
from harness.client import Client, join
from harness.databases import SUPERUSER, Database, Platform

VARIANTS = {
    "mistral": ["--provider", "mistral", "--base-url", "https://api.mistral.ai/v1"],
    "spark": [
        *("--framework", "spark", "--components", "situation,problem,action,result,key_point"),
        *("--description", "For incidents: what's up."),
    ],
    "cohere": ["--provider", "cohere", "--base-url", "https://api.cohere.com/v2", "--display-name", "Cohere"],
    "mood": ["--column", "feedback.mood", "--type", "text", "--description", "How the author feels."],
    "hasty": ["--column", "feedback.hasty", "--type", "boolean not null default false", "--description", "In a hurry."],
    "bookmarks": ["--table", "bookmarks", "--description", "Templates kept at hand.", "--in", "4"],
}
Command = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "supabase", tmp_path / "supabase")
    return tmp_path


@pytest.fixture
def command(project: Path) -> Command:
    return lambda *arguments: CliRunner().invoke(main, ["new", "--root", str(project), *arguments])


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a change of every kind; for tests that only read it."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "supabase", root / "supabase")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assemble, "build", lambda _: {})  # once is enough
        for title, options in VARIANTS.items():
            result = CliRunner().invoke(main, ["new", "--root", str(root), title, *options])
            assert result.exit_code == 0, result.output
    for _ in new.Change(new.Project(root), "built").write():
        pass
    return root


@pytest.fixture
def fresh(platform: Platform, changed: Path) -> Iterator[Database]:
    """A new installation of the changed project: 000 and 001, nothing else."""
    with platform.clone(f"{os.getpid()}_fresh", migrated=False) as database:
        folder = changed / "first"
        folder.mkdir(exist_ok=True)
        for path in (changed / "supabase" / "migrations").glob("00?_*.sql"):
            shutil.copy(path, folder)
        migrations.apply(database.url(), folder)
        yield database


def test_every_variant_there_and_back(changed: Path, fresh: Database, scratch: Database) -> None:
    supabase = changed / "supabase"
    with scratch.connect() as owner:
        ada = join(owner, "ada@example.com")
        owner.execute("insert into public.feedback (user_id, message) values (%s, 'Before the change')", [ada.id])
    changes.prove(fresh, scratch, supabase / "migrations", supabase / "rollback")
    with Client.of(scratch, ada) as client:
        assert client.value("select message from public.feedback") == "Before the change"
        assert client.value("select count(*) from public.api_providers where name in ('mistral', 'cohere')") == 2
    with scratch.connect() as owner:
        unread = "select conname from pg_constraint where not convalidated and connamespace = 'public'::regnamespace"
        assert owner.execute(unread).fetchall() == []


@pytest.mark.one_platform
def test_the_tests_that_it_writes_pass(changed: Path, fresh: Database) -> None:
    """In a project of their own, with the harness of this one."""
    tests = changed / "tests"
    (tests / "conftest.py").write_text(
        "from harness.people import sign_up\nfrom harness.session import Session\nimport psycopg, pytest\n"
        f"URL = {fresh.url(SUPERUSER)!r}\n"
        "@pytest.fixture\ndef db():\n"
        "    with psycopg.connect(URL, prepare_threshold=None) as connection, "
        "connection.transaction(force_rollback=True):\n"
        "        yield Session(connection)\n"
        "@pytest.fixture\ndef alice(db):\n    return sign_up(db, 'alice@example.com')\n"
        "@pytest.fixture\ndef bob(db):\n    return sign_up(db, 'bob@example.com')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/migrations"],
        cwd=changed,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(VARIANTS)} passed" in done.stdout


@pytest.mark.one_platform
def test_what_is_used_is_not_rolled_back(changed: Path, scratch: Database) -> None:
    supabase = changed / "supabase"
    migrations.apply(scratch.url(), supabase / "migrations")
    with scratch.connect() as owner:
        ada = join(owner, "ada@example.com")
        owner.execute("insert into public.bookmarks (user_id) values (%s)", [ada.id])
        owner.execute("insert into public.feedback (user_id, message, mood) values (%s, 'x', 'good')", [ada.id])
        owner.execute("update public.user_preferences set selected_model = 'mistral' where user_id = %s", [ada.id])
    before = psql.dump(scratch)

    def back(title: str, *options: str) -> str:
        (path,) = (supabase / "rollback").glob(f"*_{title}.sql")
        return psql.run(scratch, "-1", "-v", "ON_ERROR_STOP=1", *options, "-f", str(path))

    assert "later migrations have been applied: 2" in back("mood")
    assert "public.bookmarks holds 1 rows, which would be lost" in back("bookmarks")
    assert psql.dump(scratch) == before
    assert back("bookmarks", "-c", "set forge.discard = 'bookmarks'") == ""
    assert back("hasty") == ""
    assert "feedback.mood is set in 1 rows, which would be lost" in back("mood", "-c", "set forge.discard = 'other'")
    assert back("mood", "-c", "set forge.discard = 'feedback.mood'") == ""
    for title in ("cohere_validated", "cohere", "spark_validated", "spark", "mistral_validated"):
        assert back(title) == ""
    assert "mistral is used by 1 rows of public.user_preferences" in back("mistral")


@pytest.mark.one_platform
def test_a_value_that_is_unknown_is_refused_before_and_after(changed: Path, scratch: Database) -> None:
    """NOT VALID spares the old rows only."""
    (first,) = (changed / "supabase" / "migrations").glob("*_mistral.sql")
    changes.run(scratch, [first])
    with scratch.connect() as owner:
        ada = join(owner, "ada@example.com")
        with pytest.raises(errors.CheckViolation) as refused:
            owner.execute("update public.user_preferences set selected_model = 'grok' where user_id = %s", [ada.id])
        assert refused.value.diag.constraint_name == "user_preferences_model_is_known"


@pytest.mark.one_platform
def test_the_migrations_of_this_project_are_proved_too(platform: Platform, scratch: Database) -> None:
    """An installation from before them is had by going back."""
    if not changes.later(MIGRATIONS):
        return
    with platform.clone(f"{os.getpid()}_second") as old:
        back = [ROLLBACK / path.name for path in reversed(changes.later(MIGRATIONS))]
        changes.run(old, back)
        changes.prove(scratch, old, MIGRATIONS, ROLLBACK)


# What is asked wrongly ------------------------------------------------------------------------------------------------

WRONG = {
    "no name": (["Add Mood"], "is no name for a migration"),
    "two at once": (["x", "--table", "a", "--provider", "b"], "at a time"),
    "no type": (["x", "--column", "feedback.mood", "--description", "d"], "--column needs --type"),
    "a statement for a type": (
        ["x", "--column", "feedback.mood", "--type", "text; drop table public.feedback", "--description", "d"], "--type"
    ),
    "a command of psql for a type": (
        ["x", "--column", "feedback.mood", "--type", "text\n\\! touch stolen", "--description", "d"], "--type"
    ),
    "a clause for a type": (
        ["x", "--column", "feedback.mood", "--type", "text, drop column message", "--description", "d"], "--type"
    ),
    "no address": (["x", "--provider", "mistral"], "--provider needs --base-url"),
    "no table": (["x", "--column", "mood", "--type", "text", "--description", "d"], "lowercase letters"),
    "a component twice": (
        ["x", "--framework", "f", "--components", "role,task,role", "--description", "d"], "each once"
    ),
    "bad components": (
        ["x", "--framework", "f", "--components", "A b", "--description", "d"], "names in lowercase letters"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_wrong_use_writes_nothing(project: Path, command: Command, case: tuple[list[str], str]) -> None:
    arguments, says = case
    before = {path: path.read_bytes() for path in project.rglob("*.*") if path.is_file()}
    result = command(*arguments)
    assert (result.exit_code, says in result.stderr) == (2, True), result.output
    assert {path: path.read_bytes() for path in project.rglob("*.*") if path.is_file()} == before


REFUSED = {
    "known provider": (["x", "--provider", "gemini", "--base-url", "https://x.example"], "a provider gemini already"),
    "known column": (
        ["x", "--column", "feedback.rating", "--type", "text", "--description", "d"], "feedback has a column rating"
    ),
    "known table": (["x", "--table", "feedback", "--description", "d"], "there is a table feedback already"),
    "unknown table": (
        ["x", "--column", "nothing.mood", "--type", "text", "--description", "d"], "no schema file makes a table"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_added_is_refused(command: Command, case: tuple[list[str], str]) -> None:
    result = command(*case[0])
    assert (result.exit_code, case[1] in result.stderr) == (1, True), result.output


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("numeric(10, 2) not null default round((1, 2)::numeric, 1)", True),
        ("text default 'a, b) $' check (mood <> '''')", True),
        ('public."a, b"', True),
        ("text)", False),
        ("text default 'a", False),
        ("text check (mood <> ''", False),
        ("text default $$a$$", False),
        ("text, other text", False),
        ("text /* more", False),
    ],
)
def test_what_is_one_column(data_type: str, expected: bool) -> None:
    assert new.is_one_column(data_type) is expected


def test_what_is_shown_stands_in_no_comment(project: Path, command: Command) -> None:
    done = command("x", "--provider", "mistral", "--base-url", "https://x.example", "--display-name", "M\ndrop;")
    assert done.exit_code == 0
    written = [path.read_text(encoding="utf-8") for path in (project / "supabase").rglob("*_x*.sql")]
    assert written
    assert not any(re.search(r"^drop;", text.partition("insert into")[0], re.MULTILINE) for text in written)


@pytest.mark.parametrize("version", ["99991231235959", "20261399999999"])
def test_a_version_that_is_no_time_is_named(project: Path, command: Command, version: str) -> None:
    (project / "supabase" / "migrations" / f"{version}_later.sql").write_text("select 1;\n", encoding="utf-8")
    result = command("next")
    assert (result.exit_code, f"no time comes after the version {version}" in result.stderr) == (1, True)


def test_versions_follow_each_other(project: Path, command: Command) -> None:
    future = project / "supabase" / "migrations" / "29991231235958_later.sql"
    future.write_text("select 1;\n", encoding="utf-8")
    result = command("next")
    assert "29991231235959_next.sql" in result.output
    test = next((project / "tests" / "migrations").glob("*.py")).read_text(encoding="utf-8")
    assert "select false" in test, "an empty frame is red until it says what it is for"
