"""The real Supabase CLI agrees with `forge-db apply`, row for row, and its advisors find nothing to say.

Run by `make test-supabase-cli`, which installs the CLI.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from forge_db import assemble, migrations
from forge_db.errors import ForgeError
from forge_db.paths import ROOT
from harness import legacy
from harness.databases import Database, Platform

pytestmark = pytest.mark.supabase_cli

HISTORY = "select version, name, statements from supabase_migrations.schema_migrations order by version"
# Everything that could be split or recorded in another way.
DIFFICULT = {
    "20260101000000_quotes.sql": (
        "-- head\n\nselect 'a;b', 'it''s;', e'it\\'s;', $$ ; $$, $t$ $$;$$ $t$ as \"c;\";;\n"
        "select e'one'\n  'two\\';'; -- tail\n/* ; /* nested; */ */ select 1;\n-- last; words\n"
    ),
    "20260102000000_bodies.sql": (
        "create function public.f() returns int language sql\n"
        "begin atomic select 1; select case when true then 2 end; end;\n"
        "create function public.g() returns void language sql BEGIN\nATOMIC END;\n"
        "do $body$ begin perform 1; /* commit; */ end $body$;\n"
        "create table public.t (a int, b text default ';');\n"
        "create rule r as on insert to public.t do also (select 1; select 2);\n"
    ),
    "20260103000000_two_words.v2.sql": "select 1",
    "20260104000000_.sql": "-- nothing here\n",
    "20260105000000_empty.sql": "",
    "20260106000000_windows.sql": "\ufeffcreate table public.w (\r\n    id int\r\n);\r\n\u00a0select 1;\r\n",
    "20260107000000_concurrently.sql": (
        "create table public.c (id int); create index concurrently i on public.c (id); insert into public.c values (1);"
    ),
    "20260108000000_alone.sql": "-- why\nvacuum public.c;\n",
    "20260109000000_setting.sql": "set search_path = ''; set statement_timeout = '1min';",
    "20260110000000_next.sql": "create table seen as select current_setting('search_path') as it;",
    "name.sql": "no sql",
    "002.sql": "no sql",
    "12-dash.sql": "no sql",
}


class Cli:
    """The CLI in a project folder of its own, aimed at one database."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.migrations = folder / "supabase" / "migrations"
        self.migrations.mkdir(parents=True)
        shutil.copy(ROOT / "supabase" / "config.toml", folder / "supabase")

    def write(self, files: dict[str, str]) -> None:
        for name, sql in files.items():
            (self.migrations / name).write_bytes(sql.encode())

    def run(self, database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments, f"--remote={database.url()}", "--output-format=json", "--yes"],
            cwd=self.folder,
            env={**os.environ, "SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def read(self, database: Database, *arguments: str) -> Any:
        """What the CLI answers; it must neither fail nor warn about our config.toml."""
        result = self.run(database, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "WARN" not in result.stderr
        return json.loads(result.stdout)

    def push(self, database: Database) -> list[str]:
        """Push, and return the files that it applied."""
        return [Path(path).name for path in self.read(database, "db", "push")["migrations"]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    program = os.environ.get("SUPABASE_CLI") or str(ROOT / "node_modules" / ".bin" / "supabase")
    if not Path(program).exists():
        pytest.fail(f"no Supabase CLI at {program}: run `make test-supabase-cli`, which installs it", pytrace=False)
    return Cli(program, tmp_path / "project")


@pytest.fixture
def other_database(platform: Platform) -> Iterator[Database]:
    """A second empty platform database."""
    with platform.clone(f"{os.getpid()}_other", migrated=False) as database:
        yield database


def history(database: Database) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(HISTORY).fetchall()


def test_push_applies_and_records_what_apply_does(
    cli: Cli, empty_database: Database, other_database: Database, platform: Platform
) -> None:
    cli.write(assemble.build())
    assert cli.push(empty_database) == ["000_initial_schema.sql", "001_seed_data.sql"]
    assert len(migrations.apply(other_database.url(), cli.migrations)) == 2
    assert history(empty_database) == history(other_database)
    assert dump(platform, empty_database) == dump(platform, other_database)


def test_a_second_push_has_nothing_to_do(cli: Cli, scratch: Database) -> None:
    """And so has a first one after `forge-db apply`, which made this database."""
    cli.write(assemble.build())
    before = history(scratch)
    assert cli.push(scratch) == []
    assert cli.push(scratch) == []
    assert history(scratch) == before


def test_migration_list_agrees_with_apply(cli: Cli, empty_database: Database) -> None:
    cli.write(assemble.build())

    def listed() -> list[tuple[str, str]]:
        found = cli.read(empty_database, "migration", "list")["migrations"]
        return [(row["local"], row["remote"]) for row in found]

    assert listed() == [("000", ""), ("001", "")]
    migrations.apply(empty_database.url(), cli.migrations)
    assert listed() == [("000", "000"), ("001", "001")]


def test_the_two_can_take_turns(cli: Cli, empty_database: Database) -> None:
    built = assemble.build()
    cli.write({"000_initial_schema.sql": built["000_initial_schema.sql"]})
    assert cli.push(empty_database) == ["000_initial_schema.sql"]
    cli.write({"001_seed_data.sql": built["001_seed_data.sql"]})
    assert [it.version for it in migrations.apply(empty_database.url(), cli.migrations)] == ["001"]
    cli.write({"20260101000000_later.sql": "create table public.later (id int);"})
    assert cli.push(empty_database) == ["20260101000000_later.sql"]
    assert migrations.apply(empty_database.url(), cli.migrations) == []


def test_difficult_files_are_recorded_the_same(cli: Cli, empty_database: Database, other_database: Database) -> None:
    cli.write(DIFFICULT)
    pushed = cli.push(empty_database)
    applied = migrations.apply(other_database.url(), cli.migrations)
    assert [it.path.name for it in applied] == pushed
    assert len(pushed) == 10
    assert history(other_database) == history(empty_database)


@pytest.mark.parametrize("gone", [True, False], ids=["not-found-locally", "inserted-before"])
def test_both_refuse_a_history_that_the_files_do_not_continue(cli: Cli, empty_database: Database, gone: bool) -> None:
    cli.write({"000_one.sql": "select 1;", "20250101000000_old.sql": "select 1;"})
    cli.push(empty_database)
    before = history(empty_database)
    if gone:
        (cli.migrations / "20250101000000_old.sql").unlink()
        said, raised = "Remote migration versions not found", "not in this project: 20250101000000"
    else:
        cli.write({"001_late.sql": "select 1;"})
        said, raised = "inserted before the last migration", "before the last one that the database has: 001_late.sql"
    refused = cli.run(empty_database, "db", "push")
    assert refused.returncode == 1
    assert said in refused.stdout
    with pytest.raises(ForgeError, match=raised):
        migrations.apply(empty_database.url(), cli.migrations)
    assert history(empty_database) == before


def test_the_repair_that_apply_suggests_works(cli: Cli, empty_database: Database) -> None:
    cli.write({"20250101000000_old.sql": "select 1;"})
    cli.push(empty_database)
    (cli.migrations / "20250101000000_old.sql").unlink()
    cli.write({"000_one.sql": "select 1;"})
    with pytest.raises(ForgeError) as refused:
        migrations.apply(empty_database.url(), cli.migrations)
    command = str(refused.value.hint).partition("supabase ")[2].split()
    cli.read(empty_database, *command)
    assert [it.version for it in migrations.apply(empty_database.url(), cli.migrations)] == ["000"]


# The record of migrations that a legacy installation may have.
RECORDS: dict[str, tuple[str, ...] | None] = {
    "no record": None,
    "an empty record": (),
    "some versions": legacy.VERSIONS[2:5],
    "all versions": legacy.VERSIONS,
    "a version of somebody else": (*legacy.VERSIONS, "20240101000000"),
}


@pytest.mark.one_platform
@pytest.mark.parametrize(
    "recorded",
    # The last holds what the others do.
    [*(pytest.param(it, marks=pytest.mark.slow) for it in list(RECORDS.values())[:-1]), list(RECORDS.values())[-1]],
    ids=RECORDS,
)
def test_a_legacy_project_is_brought_over_as_the_document_says(
    cli: Cli, empty_database: Database, scratch: Database, recorded: tuple[str, ...] | None
) -> None:
    text = (ROOT / "supabase" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## An existing project with the legacy tables")[2].partition("\n## ")[0]
    commands, repair = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    park, push, bring_over = commands.splitlines()
    legacy.install(empty_database, "B")
    if recorded is not None:
        legacy.record(empty_database, recorded)
    shutil.rmtree(cli.folder / "supabase")
    shutil.copytree(ROOT / "supabase", cli.folder / "supabase", ignore=shutil.ignore_patterns(".temp"))

    def sh(command: str, **variables: str) -> tuple[int, str]:
        programs = (cli.program, sys.executable, empty_database.server.binaries.tool("psql"))
        path = os.pathsep.join([*(str(Path(it).parent) for it in programs), os.environ["PATH"]])
        telling = {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1"}
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=cli.folder,
            env={**os.environ, **telling, "PATH": path, "DATABASE_URL": empty_database.url(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    early = sh(push)
    assert early[0] == 1, "before the tables are parked nothing is pushed"
    assert sh(park)[0] == 0
    code, said = sh(push)
    if foreign := [it for it in recorded or () if it not in legacy.VERSIONS]:
        assert code == 1
        assert f"migration repair --status reverted {' '.join(foreign)}" in said
        assert sh(repair, VERSIONS=" ".join(foreign))[0] == 0
        code, said = sh(push)
    assert code == 0, said
    code, said = sh(bring_over)
    assert (code, said.splitlines()[-1]) == (0, "every row is accounted for"), said
    assert sh(push)[0] == 0
    with empty_database.connect() as owner:
        assert migrations.recorded(owner) == ["000", "001"]
    assert history(empty_database) == history(scratch)


# Their bodies were bound when they were made, so no search_path changes what they mean: docs/decisions.md.
BOUND = [
    ("function_search_path_mutable", f"Function `{name}` has a role mutable search_path")
    for name in ("private.is_resealing", "private.seal_api_key", "public.check_rate_limit", "public.log_api_usage")
]


def test_the_advisors_find_nothing_but_what_the_readme_says(cli: Cli, scratch: Database) -> None:
    assert sorted(advice(cli, scratch)) == BOUND


def test_the_advisors_would_find_something(cli: Cli, scratch: Database) -> None:
    """A check that was never seen red proves nothing."""
    with scratch.connect() as connection:
        connection.execute("create table public.stray (id int, password text)")
        connection.execute("grant select on public.stray to anon")
    assert [lint for lint, message in advice(cli, scratch) if (lint, message) not in BOUND] == [
        "no_primary_key",
        "rls_disabled_in_public",
        "sensitive_columns_exposed",
    ]


def advice(cli: Cli, database: Database) -> list[tuple[str, str]]:
    """What the lints say, leaving out that no index of a fresh database has been used yet."""
    result = cli.run(database, "db", "advisors", "--type=all", "--level=info", "--fail-on=info")
    found = json.loads(result.stdout)["results"]
    assert result.returncode == (1 if found else 0)
    return sorted((lint["name"], lint["detail"]) for lint in found if lint["name"] != "unused_index")


def dump(platform: Platform, database: Database) -> str:
    """Everything the schema is: definitions, comments, owners, privileges."""
    command = [platform.cluster.binaries.tool("pg_dump"), "--schema-only", database.url()]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def test_dumps_tell_databases_apart(platform: Platform, scratch: Database) -> None:
    before = dump(platform, scratch)
    with psycopg.connect(scratch.url()) as connection:
        connection.execute("comment on schema private is 'changed'")
    assert dump(platform, scratch) != before
