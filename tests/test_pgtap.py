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
from test_prober_catches import HOLES, SAFE, Hole, extended, planted

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


# Only the prober compares every row with what a function may change.
CHANGES = {"function that changes more than it says"}


@pytest.mark.pgtap
@pytest.mark.one_platform
@pytest.mark.parametrize("name", sorted(HOLES.keys() - CHANGES))
def test_hole_is_seen(tap: psycopg.Connection, files: dict[str, str], name: str) -> None:
    assert any(red(tap, files[file], HOLES[name].planted) for file in places(HOLES[name]))


@pytest.mark.pgtap
@pytest.mark.one_platform
def test_what_is_safe_stays_green(tap: psycopg.Connection) -> None:
    """A definer function that the contract names is no failure by itself."""
    planted_one, _, added = SAFE["definer function that asks who is calling"]
    found = {}
    for terms in ("", added):
        with planted(tap, planted_one), Stage.on(tap, extended(terms)) as stage:
            found[terms] = pgtap.catalogue(stage)
    assert red(tap, found[""], planted_one)
    assert red(tap, found[added], planted_one) == []


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
