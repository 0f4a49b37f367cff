"""supabase/tests says what the contract says, holds on a new installation, and turns red over what is planted."""

import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import tuple_row

from forge_db import access, cli, pgtap
from forge_db.access.stage import Stage
from forge_db.pgtap import SUFFIX, TARGET
from harness.databases import SUPERUSER, Database, Platform
from test_prober_catches import HOLES, PROMPTS, PROMPTS_CONTRACT, SAFE, VIEW, VIEW_CONTRACT, Hole, extended, planted

PACKAGES = "postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl"


def test_committed_files_are_up_to_date(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        # As in a local database that has been used.
        connection.execute("insert into private.secrets (name, secret) values ('app_encryption_key', %s)", ["k" * 40])
        written = pgtap.render(connection, access.load())
        assert connection.execute("select secret from private.secrets").fetchall() == [("k" * 40,)]
    committed = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*")}
    stale = sorted(name for name in written.keys() | committed.keys() if written.get(name) != committed.get(name))
    assert not stale, "run `forge-db emit-pgtap` and commit the result"


def install(database: psycopg.Connection) -> None:
    try:
        with database.transaction():
            database.execute("create extension if not exists pgtap schema extensions")
    except psycopg.Error as error:
        pytest.fail(f"{error}: apt install {PACKAGES}", pytrace=False)


def prove(platform: Platform, database: Database, *files: Path) -> subprocess.CompletedProcess[str]:
    """As `supabase test db` does it: as postgres."""
    psql = platform.cluster.binaries.tool("psql")
    command = ["pg_prove", f"--psql-bin={psql}", f"--dbname={database.url()}", "--ext", ".sql", "-r", *map(str, files)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except FileNotFoundError:
        pytest.fail(f"no pg_prove: apt install {PACKAGES}", pytrace=False)


@pytest.mark.pgtap
@pytest.mark.one_platform
def test_files_hold_and_a_hole_turns_them_red(platform: Platform, scratch: Database) -> None:
    with scratch.connect(SUPERUSER) as owner:
        install(owner)
    done = prove(platform, scratch, TARGET)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert f"Files={len(list(TARGET.glob('*')))}, " in done.stdout
    with scratch.connect() as owner:
        owner.execute("alter table public.user_profiles disable row level security")
    names = ["catalogue", "user_profiles", "user_sessions"]
    done = prove(platform, scratch, *(TARGET / f"{name}{SUFFIX}" for name in names))
    assert done.returncode == 1
    assert re.findall(r"^\S+/(\S+) +\(Wstat", done.stdout, re.MULTILINE) == [f"{name}{SUFFIX}" for name in names[:2]]


@pytest.fixture(scope="module")
def tap(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    install(connection)
    yield connection
    with connection.transaction():
        connection.execute("drop extension pgtap")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """As committed, which is as rendered: another test sees to that."""
    return {path.name: path.read_text(encoding="utf-8") for path in TARGET.iterdir()}


def red(tap: psycopg.Connection, text: str, statements: str) -> list[str]:
    """The assertions of a file that do not hold while something is planted."""
    body = text.partition("begin;")[2].rpartition("rollback;")[0]
    with planted(tap, statements), tap.cursor(row_factory=tuple_row) as cursor:
        tap.execute("set local session authorization postgres")
        cursor.execute(body.encode())
        said = []
        while True:
            if cursor.description:
                said += [str(value) for (value,) in cursor.fetchall() for value in str(value).splitlines()]
            if not cursor.nextset():
                break
        tap.execute("set local session authorization default")
    assert any(line.startswith("ok ") for line in said)
    return [line for line in said if line.startswith("not ok ")]


def places(hole: Hole) -> list[str]:
    """The files that may see a hole: its table's, that of everything there is, that of what functions answer."""
    table = hole.subject.removeprefix("public.")
    names = (table, "catalogue", "functions") if hole.case.startswith("functions-") else (table, "catalogue")
    return [f"{name}{SUFFIX}" for name in names if (TARGET / f"{name}{SUFFIX}").exists()]


@pytest.mark.pgtap
@pytest.mark.one_platform
@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_hole_is_seen(tap: psycopg.Connection, files: dict[str, str], hole: Hole) -> None:
    assert any(red(tap, files[file], hole.planted) for file in places(hole))


TRANSFER = "update public.{} set user_id = '70726f62-6500-4000-8000-000000000003'"

# Writes that a SELECT policy would hide, were they sent with WHERE or RETURNING, and the statement that must be red.
MASKED = {
    "insert check signed in": ("prompt_templates", "authenticated: insert"),
    "update check signed in, behind a column grant": (
        "prompt_templates",
        f"authenticated, given every grant: {TRANSFER.format('prompt_templates')}",
    ),
    "update check signed in, with the column granted": (
        "prompt_templates",
        f"authenticated: {TRANSFER.format('prompt_templates')}",
    ),
    "update check true": ("prompt_history", f"authenticated, given every grant: {TRANSFER.format('prompt_history')}"),
    "update policy true": ("user_preferences", "authenticated: update public.user_preferences set theme = 'light'"),
    "delete policy signed in": ("user_sessions", "authenticated: delete from public.user_sessions"),
}


@pytest.mark.pgtap
@pytest.mark.one_platform
@pytest.mark.parametrize("name", MASKED)
def test_masked_write_is_seen_by_its_bare_statement(tap: psycopg.Connection, files: dict[str, str], name: str) -> None:
    table, statement = MASKED[name]
    found = {line.partition(" - ")[2] for line in red(tap, files[f"{table}{SUFFIX}"], HOLES[name].planted)}
    assert statement in found


def emitted(tap: psycopg.Connection, statements: str, terms: str) -> dict[str, str]:
    """The tests of what there is and of what it answers, with more in the database and in the contract."""
    with planted(tap, statements), Stage.on(tap, extended(terms)) as stage:
        stage.session.own("delete from private.secrets")
        return {"catalogue": pgtap.catalogue(stage), "functions": pgtap.answers(stage)}


ASKS_WHO = "where user_id = (select auth.uid())"
OWN_VIEW = VIEW.format(options="with (security_invoker = true)")

# What the contract names, as it is safe; what is planted instead; and what is red then.
NAMED = {
    "definer function that believes its argument": (
        PROMPTS_CONTRACT,
        PROMPTS.format(settings="set search_path = ''", where=ASKS_WHO),
        PROMPTS.format(settings="set search_path = ''", where="where user_id = of_user"),
        ["authenticated asks public.my_prompts(uuid)", "app_admin asks public.my_prompts(uuid)"],
    ),
    "view that reads as its owner": (
        VIEW_CONTRACT,
        OWN_VIEW,
        VIEW.format(options=""),
        ["authenticated asks public.my_feedback"],
    ),
    "view that can be written through": (
        VIEW_CONTRACT,
        OWN_VIEW,
        f"{OWN_VIEW}; grant delete on public.my_feedback to authenticated",
        ["views: who may read them; nobody writes through them"],
    ),
    "view that visitors may read a column of": (
        VIEW_CONTRACT,
        OWN_VIEW,
        f"{OWN_VIEW}; grant select (message) on public.my_feedback to anon",
        ["views: who may read them; nobody writes through them"],
    ),
    "view for nobody": (
        VIEW_CONTRACT,
        OWN_VIEW,
        f"{OWN_VIEW}; revoke select on public.my_feedback from authenticated",
        ["views: who may read them; nobody writes through them", "authenticated asks public.my_feedback"],
    ),
}


@pytest.mark.pgtap
@pytest.mark.one_platform
@pytest.mark.parametrize(("terms", "safe", "hole", "expected"), NAMED.values(), ids=NAMED)
def test_what_the_contract_names_is_green_while_it_is_safe(
    tap: psycopg.Connection, terms: str, safe: str, hole: str, expected: list[str]
) -> None:
    texts = emitted(tap, safe, terms)
    assert [red(tap, text, safe) for text in texts.values()] == [[], []]
    found = [line.partition(" - ")[2] for text in texts.values() for line in red(tap, text, hole)]
    assert set(expected) <= set(found)


@pytest.mark.pgtap
@pytest.mark.one_platform
def test_what_the_contract_does_not_name_is_red(tap: psycopg.Connection) -> None:
    """Be it safe or not."""
    planted_one, _, _ = SAFE["definer function that asks who is calling"]
    assert red(tap, emitted(tap, planted_one, "")["catalogue"], planted_one)


@pytest.mark.one_platform
def test_command_writes_what_is_stale_and_nothing_else(
    connection: psycopg.Connection, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgtap, "ROOT", tmp_path)
    monkeypatch.setattr(pgtap, "TARGET", tmp_path / "tests")
    monkeypatch.setattr(pgtap, "render", lambda *_: {"new.test.sql": "new", "old.test.sql": "new", "same.test.sql": ""})
    (tmp_path / "tests").mkdir()
    for name in ("gone", "old", "same"):
        (tmp_path / "tests" / f"{name}{SUFFIX}").write_text("")
    url = f"--database-url={platform.database(connection.info.dbname).url()}"
    run = partial(CliRunner().invoke, cli.main, catch_exceptions=False)
    refused = run(["emit-pgtap", url, "--check"])
    assert refused.exit_code == 1
    assert "stale: gone.test.sql, new.test.sql, old.test.sql" in refused.output
    assert run(["emit-pgtap", url]).output.splitlines() == [
        "removed supabase/tests/gone.test.sql",
        "wrote supabase/tests/new.test.sql",
        "wrote supabase/tests/old.test.sql",
    ]
    written = {path.name: path.read_text() for path in (tmp_path / "tests").iterdir()}
    assert written == {"new.test.sql": "new", "old.test.sql": "new", "same.test.sql": ""}
    assert run(["emit-pgtap", url, "--check"]).output == "tests is up to date\n"
