"""Other people's tools find nothing in the schema but what was weighed and accepted, with a reason for each.

Run by `make second-opinions`, which installs the tools. They need PostgreSQL 15 for the extensions that Debian builds.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from forge_db.errors import ForgeError
from harness.databases import Database, built_migrations
from second_opinions import pgrls, plpgsql, rlsautotest, squawk, supabase_cli, trespass
from second_opinions.findings import Finding, load, objections, unaccepted
from second_opinions.toolbox import Subject

pytestmark = pytest.mark.second_opinions

TOOLS: dict[str, Callable[[Subject], list[Finding]]] = {
    "supabase-advisors": supabase_cli.advisors,
    "supabase-db-lint": supabase_cli.db_lint,
    "plpgsql-check": plpgsql.check,
    "squawk": squawk.lint,
    "pgrls-lint": pgrls.lint,
    "pgrls-verify": pgrls.verify,
    "trespass": trespass.check,
    "rlsautotest": rlsautotest.suite,
}


@pytest.fixture
def subject(scratch: Database, tmp_path: Path) -> Subject:
    migrations = tmp_path / "migrations"
    folder = tmp_path / "work"
    for made in (migrations, folder):
        made.mkdir()
    for name, text in built_migrations().items():
        (migrations / name).write_text(text, encoding="utf-8")
    return Subject(scratch, migrations, folder)


def ask(tool: str, subject: Subject) -> list[Finding]:
    """What a tool found. One that does not run, or does not look at everything, fails the test with the cure."""
    try:
        return TOOLS[tool](subject)
    except ForgeError as error:
        pytest.fail(f"{error.message}. {error.hint or ''}".strip(), pytrace=False)


@pytest.mark.parametrize("tool", TOOLS)
def test_finds_nothing_but_what_was_accepted(tool: str, subject: Subject) -> None:
    if problems := objections(ask(tool, subject), load().get(tool, [])):
        pytest.fail("\n".join(problems), pytrace=False)


def test_every_accepted_finding_is_of_a_tool() -> None:
    assert set(load()) <= set(TOOLS)


class Hole(NamedTuple):
    """A mistake of a later migration, and what the tools that notice it must say: rule and place."""

    sql: str
    found_by: dict[str, tuple[str, str]]


HISTORY = "public.prompt_history"
KEYS = "public.api_configurations"
EMPTY_PATH = "language plpgsql set search_path = ''"

HOLES = {
    "row-level-security-off": Hole(
        "alter table public.user_profiles disable row level security",
        {
            "supabase-advisors": ("rls_disabled_in_public", "public.user_profiles"),
            "pgrls-lint": ("SEC032", "public.user_profiles"),
            "trespass": ("rls-disabled", "user_profiles: select as authenticated"),
            "rlsautotest": (
                "failed",
                "public.user_profiles: RLS must be enabled (table is reachable by anon/authenticated)",
            ),
        },
    ),
    "policy-for-everyone": Hole(
        "create policy planted on public.feedback for select using (true); grant select on public.feedback to anon",
        {
            "supabase-advisors": ("multiple_permissive_policies", "public.feedback"),
            "pgrls-lint": ("SEC038", "public.feedback.planted (select to public)"),
            "pgrls-verify": ("anon: leak", "public.feedback.planted (select to public) where true"),
            "trespass": ("tenant-read", "feedback: select as anon"),
        },
    ),
    "private-templates-shown": Hole(
        'alter policy "Visitors can view public templates" on public.prompt_templates using (is_active)',
        {
            "pgrls-verify": (
                "anon: leak",
                "public.prompt_templates.Visitors can view public templates (select to anon) where is_active = true",
            ),
            "trespass": ("tenant-read", "prompt_templates: select as anon, any row where `is_active` is true"),
        },
    ),
    "rows-for-others": Hole(
        f'alter policy "Users can insert own prompt history" on {HISTORY} with check ((select auth.uid()) is not null)',
        {
            "pgrls-lint": ("SEC005", f"{HISTORY}.Users can insert own prompt history (insert to authenticated)"),
            "pgrls-verify": (
                "write: unverified",
                f"{HISTORY}.Users can insert own prompt history (insert to authenticated)",
            ),
            "trespass": ("forgery", "prompt_history: insert as authenticated"),
            "rlsautotest": ("may", f"{HISTORY}: authenticated, not authorized: insert"),
        },
    ),
    "rows-given-away": Hole(
        f'alter policy "Users can update own prompt history" on {HISTORY} with check ((select auth.uid()) is not null)',
        {
            "pgrls-verify": (
                "write: leak",
                f"{HISTORY}.Users can update own prompt history (update to authenticated) where true",
            ),
            "trespass": ("forgery", "prompt_history: update as authenticated"),
        },
    ),
    "staff-read-prompts": Hole(
        f"create policy planted on {HISTORY} for select to app_admin using ((select public.is_admin()))",
        {"pgrls-lint": ("SEC005", f"{HISTORY}.planted (select to app_admin)")},
    ),
    "function-of-the-owner": Hole(
        f"create function public.planted(who uuid) returns setof {KEYS} language sql security definer "
        f"as $$ select * from {KEYS} where user_id = who $$",
        {
            "supabase-advisors": ("function_search_path_mutable", "public.planted"),
            "pgrls-lint": ("SEC014", "public.planted"),
            "pgrls-verify": ("escalation: leak", f"public.planted.{KEYS} where true"),
        },
    ),
    "view-of-the-owner": Hole(
        f"create view public.planted as select * from {KEYS}; grant select on public.planted to anon",
        {
            "supabase-advisors": ("security_definer_view", "public.planted"),
            "pgrls-lint": ("VIEW001", "public.planted"),
            "pgrls-verify": ("reachability: leak", f"{KEYS}.public.planted where true"),
        },
    ),
    "temporary-types": Hole(
        f"create function private.empty_path() returns void security definer {EMPTY_PATH} as $$ begin end $$",
        {"pgrls-lint": ("SEC015", "private.empty_path")},
    ),
    "owner-shut-out": Hole(
        'alter policy "Users can view own preferences" on public.user_preferences using (false)',
        {
            "pgrls-lint": (
                "SEC010",
                "public.user_preferences.Users can view own preferences (select to authenticated)",
            ),
            "rlsautotest": ("may", "public.user_preferences: authenticated, authorized: insert, update, delete"),
        },
    ),
    "too-many-columns": Hole(
        "grant update on public.api_configurations to authenticated",
        {
            "rlsautotest": (
                "failed",
                "public.api_configurations: CLS: authenticated UPDATE on public.api_configurations is column-scoped to "
                "[provider, api_key_encrypted, is_active, updated_at]; no column beyond that grant may be reachable "
                "(a broader grant would leak it) [emit-time leak: id, user_id, is_validated, last_validated_at, "
                "validation_error, usage_count, last_used_at, created_at]",
            )
        },
    ),
    "function-that-cannot-run": Hole(
        f"create function private.no_column() returns void {EMPTY_PATH} as $$ begin perform x from auth.users; end $$",
        {
            "supabase-db-lint": ("42703", 'private.no_column: column "x" does not exist'),
            "plpgsql-check": ("42703", 'private.no_column: column "x" does not exist'),
        },
    ),
    "trigger-that-cannot-run": Hole(
        f"create function private.no_field() returns trigger {EMPTY_PATH} as $$ begin new.x := 1; return new; end $$; "
        "create trigger no_field before update on public.feedback for each row execute function private.no_field()",
        {"plpgsql-check": ("42703", 'private.no_field on public.feedback: record "new" has no field "x"')},
    ),
    "injection": Hole(
        f"create function private.injection(x text) returns void {EMPTY_PATH} as $$ begin execute 'set ' || x; end $$",
        {"plpgsql-check": ("00000", "private.injection: text type variable is not sanitized")},
    ),
    "table-dropped": Hole(
        "drop table public.feedback_analytics cascade",
        {"squawk": ("ban-drop-table", "002_planted.sql: drop table public.feedback_analytics cascade;")},
    ),
}


PLANTED = "".join(f"{hole.sql};\n" for hole in HOLES.values())


@pytest.mark.parametrize("tool", TOOLS)
def test_finds_what_was_planted(tool: str, subject: Subject) -> None:
    """All holes at once, because most of these tools take their time."""
    (subject.migrations / "002_planted.sql").write_text(PLANTED, encoding="utf-8")
    with subject.database.connect() as connection:
        connection.execute(PLANTED.encode())
    new = {(it.rule, it.where) for it in unaccepted(ask(tool, subject), load().get(tool, []))}
    wanted = {name: hole.found_by[tool] for name, hole in HOLES.items() if tool in hole.found_by}
    assert {name: finding for name, finding in wanted.items() if finding not in new} == {}, sorted(new)


def test_every_tool_has_been_seen_to_find_something() -> None:
    assert {tool for hole in HOLES.values() for tool in hole.found_by} == set(TOOLS)


CONTENT = {"results": [], "violations": [], "tables": [], "findings": [], "tables_analyzed": 0, "policies_analyzed": 0}


@pytest.mark.parametrize("says", ["nothing", "that all is well"])
@pytest.mark.parametrize("tool", sorted(set(TOOLS) - {"plpgsql-check"}))
def test_a_tool_that_looked_at_nothing_is_not_believed(
    tool: str, says: str, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "" if says == "nothing" else json.dumps([] if tool == "squawk" else CONTENT)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, answer, ""))
    try:
        findings = TOOLS[tool](subject)
    except ForgeError:
        return
    assert objections(findings, load()[tool])


def test_functions_without_a_trigger_among_them_are_not_believed(subject: Subject) -> None:
    with subject.database.connect() as connection:
        connection.execute("drop schema public, private, archive cascade")
    with pytest.raises(ForgeError, match="no trigger"):
        plpgsql.check(subject)
