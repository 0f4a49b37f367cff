"""The prober sees every hole that is planted, for the right reason; and what it cannot try, it does not call safe.

Each hole is planted in a transaction and gone after it. Many of them hide: behind the SELECT policy, behind a grant
that somebody may give tomorrow, behind a function.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
import pytest

from forge_db.access import contract, prober
from forge_db.access.contract import PATH, Contract
from forge_db.access.failures import Failure
from forge_db.access.prober import Report
from forge_db.access.source import Source
from forge_db.access.stage import Stage
from forge_db.paths import ROOT
from harness.databases import Database

pytestmark = pytest.mark.one_platform

SECOND_LOCK = "given every grant"
MASKED = "blocked only by the SELECT policy"


class Hole(NamedTuple):
    """What is broken; the case that must see it; and what its failure must say."""

    planted: str
    case: str
    subject: str
    what: str
    observed: str
    row: str = ""
    column: str = ""
    note: str = ""
    contract: str = ""


def policy(name: str, table: str, change: str) -> str:
    return f'alter policy "{name}" on public.{table} {change}'


SIGNED_IN = "((select auth.uid()) is not null)"
OWN_PROMPTS = "((select auth.uid()) = user_id)"

# A function that reads as its owner, and what the contract would say of one that shows the caller's own prompts.
PROMPTS = """
    create function public.my_prompts(of_user uuid) returns setof text language sql stable security definer {settings}
    as $$ select user_input from public.prompt_history {where} $$;
    revoke all on function public.my_prompts(uuid) from public, anon, authenticated, service_role;
    grant execute on function public.my_prompts(uuid) to authenticated
"""
PROMPTS_CONTRACT = """
[[functions]]
names = ["public.my_prompts(uuid)"]
roles = "authenticated"
given = { of_user = "select id from auth.users" }
truth = "select user_input from public.prompt_history where user_id = :me"
"""
COUNT_CONTRACT = """
[[functions]]
names = ["public.count_prompts()"]
roles = "authenticated"
then  = "select true"
"""
VIEW = """
    create view public.my_feedback {options} as select id, message from public.feedback;
    revoke all on public.my_feedback from anon, authenticated, service_role;
    grant select on public.my_feedback to authenticated
"""
VIEW_CONTRACT = """
[[views]]
names = ["public.my_feedback"]
roles = "authenticated"
truth = "select id, message from public.feedback where user_id = :me or :role = 'app_admin'"
"""

HOLES = {
    "row level security off": Hole(
        "alter table public.user_profiles disable row level security",
        "user_profiles-authenticated", "public.user_profiles", "select by authenticated", "allowed",
        "another's, is_active",
    ),
    "select policy true": Hole(
        policy("Users can view own prompt history", "prompt_history", "using (true)"),
        "prompt_history-authenticated", "public.prompt_history", "select by authenticated", "allowed", "another's",
    ),
    "insert check signed in": Hole(
        policy("Users can insert own templates", "prompt_templates", f"with check {SIGNED_IN}"),
        "prompt_templates-authenticated", "public.prompt_templates", "insert by authenticated", "allowed",
        "another's, not is_active, not is_public", note=MASKED,
    ),
    "update check signed in, behind a column grant": Hole(
        policy("Users can update own templates", "prompt_templates", f"with check {SIGNED_IN}"),
        "prompt_templates-authenticated", "public.prompt_templates", SECOND_LOCK, "allowed",
        "own, not is_active, not is_public → another's, not is_active, not is_public", note=MASKED,
    ),
    "update check signed in, with the column granted": Hole(
        policy("Users can update own templates", "prompt_templates", f"with check {SIGNED_IN}")
        + "; grant update (user_id) on public.prompt_templates to authenticated",
        "prompt_templates-authenticated", "public.prompt_templates", "update by authenticated", "allowed",
        "own, is_active, is_public → another's, is_active, is_public",
    ),
    "update check true": Hole(
        policy("Users can update own prompt history", "prompt_history", "with check (true)"),
        "prompt_history-authenticated", "public.prompt_history", SECOND_LOCK, "allowed", "own → another's", note=MASKED,
    ),
    "update policy true": Hole(
        policy("Users can update own preferences", "user_preferences", "using (true) with check (true)"),
        "user_preferences-authenticated", "public.user_preferences", "update by authenticated", "allowed", "another's",
        note=MASKED,
    ),
    "update starts from any row and ends in own": Hole(
        policy("Users can update own prompt history", "prompt_history", "using (true)"),
        "prompt_history-authenticated", "public.prompt_history", SECOND_LOCK, "allowed", "another's → own",
    ),
    "delete policy signed in": Hole(
        policy("Users can delete own sessions", "user_sessions", f"using {SIGNED_IN}"),
        "user_sessions-authenticated", "public.user_sessions", "delete by authenticated", "allowed", "another's",
    ),
    "policy for everyone and a grant to visitors": Hole(
        'create policy "Service role can do all" on public.feedback using (true) with check (true); '
        "grant select on public.feedback to anon",
        "feedback-anon", "public.feedback", "select by anon", "allowed", "another's, status = 'open'",
    ),
    "policy for everyone, no grant yet": Hole(
        'create policy "Service role can do all" on public.feedback using (true) with check (true)',
        "feedback-anon", "public.feedback", SECOND_LOCK, "allowed", "another's, status = 'open'",
    ),
    "definer function, not named": Hole(
        PROMPTS.format(settings="", where="where user_id = of_user"),
        "catalogue", "public.my_prompts(uuid)", "function in the database", "has this function",
    ),
    "definer function that believes its argument": Hole(
        PROMPTS.format(settings="", where="where user_id = of_user"),
        "functions-authenticated", "public.my_prompts(uuid)", "call by authenticated", "probe",
        contract=PROMPTS_CONTRACT,
    ),
    "definer function without its where": Hole(
        PROMPTS.format(settings="set search_path = ''", where=""),
        "functions-authenticated", "public.my_prompts(uuid)", "with and without", "without them",
        contract=PROMPTS_CONTRACT,
    ),
    "definer function that only counts": Hole(
        "create function public.count_prompts() returns bigint language sql stable security definer "
        "set search_path = '' as 'select count(*) from public.prompt_history'; "
        "revoke all on function public.count_prompts() from public, anon, authenticated, service_role; "
        "grant execute on function public.count_prompts() to authenticated",
        "functions-authenticated", "public.count_prompts()", "with and without", "without them",
        contract=COUNT_CONTRACT,
    ),
    "our own definer function, its where removed": Hole(
        """
        create or replace function private.export_my_data() returns jsonb
        language sql stable security definer set search_path = ''
        as $$ select private.export_user_data((select user_id from public.prompt_history order by user_id limit 1)) $$
        """,
        "functions-app_admin", "public.export_my_data()", "call by app_admin", "probe",
    ),
    "our own definer function, open to users": Hole(
        "grant execute on function public.unpublish_prompt_template(uuid), private.unpublish_prompt_template(uuid) "
        "to authenticated",
        "functions-authenticated", "public.unpublish_prompt_template(uuid)", "call by authenticated", "allowed",
    ),
    "function that changes more than it says": Hole(
        """
        create or replace function private.unpublish_prompt_template(template_id uuid) returns boolean
        language plpgsql volatile security definer set search_path = ''
        as $$ begin update public.prompt_templates set is_public = false, is_active = false; return found; end $$
        """,
        "functions-app_admin", "public.unpublish_prompt_template(uuid)", "call by app_admin", "updates a row of",
    ),
    "view that reads as its owner, not named": Hole(
        VIEW.format(options=""), "catalogue", "public.my_feedback", "view in the database", "has this view",
    ),
    "view that reads as its owner": Hole(
        VIEW.format(options=""), "views-authenticated", "public.my_feedback", "call by authenticated", "rows",
        contract=VIEW_CONTRACT,
    ),
    "view that can be written through": Hole(
        VIEW.format(options="with (security_invoker = true)") + "; grant delete on public.my_feedback to authenticated",
        "catalogue", "public.my_feedback", "grant of delete to authenticated", "granted", contract=VIEW_CONTRACT,
    ),
    "update of the whole table": Hole(
        "grant update on public.feedback to authenticated",
        "feedback-authenticated", "public.feedback", "update by authenticated", "allowed", "own, status = 'open'",
        "admin_response",
    ),
    "update of the whole table makes lists of columns void": Hole(
        "grant update on public.feedback to authenticated",
        "catalogue", "public.feedback", "grant of update to authenticated", "granted on all of it", note="void",
    ),
    "update of one column more": Hole(
        "grant update (admin_response) on public.feedback to authenticated",
        "feedback-authenticated", "public.feedback", "update by authenticated", "allowed", "own, status = 'open'",
        "admin_response",
    ),
    "insert of columns more": Hole(
        "grant insert (status, admin_response) on public.feedback to authenticated",
        "feedback-authenticated", "public.feedback", "insert by authenticated", "allowed",
        "own, status = 'in_progress'",
    ),
    "select of one column": Hole(
        "grant select (api_key_encrypted) on public.api_configurations to anon",
        "catalogue", "public.api_configurations", "grant of select to anon", "granted on api_key_encrypted",
    ),
    "truncate": Hole(
        "grant truncate on public.user_sessions to authenticated",
        "user_sessions-authenticated", "public.user_sessions", "truncate by authenticated", "allowed",
    ),
    "trigger": Hole(
        "grant trigger on public.feedback to anon", "feedback-anon", "public.feedback", "trigger by anon", "allowed",
    ),
    "table in public, not named": Hole(
        "create table public.stray (id uuid primary key)", "catalogue", "public.stray", "table in the database", "has",
    ),
    "partition open by its own name": Hole(
        "drop policy \"Nobody reaches a partition directly\" on private.api_usage_logs_default; "
        "alter table private.api_usage_logs_default disable row level security",
        "closed-authenticated", "private.api_usage_logs_default", f"select by authenticated, {SECOND_LOCK}", "allowed",
    ),
    "secrets without their second lock": Hole(
        'drop policy "Nobody reaches secrets through the API" on private.secrets; '
        'create policy "Staff look" on private.secrets for select to app_admin using (true)',
        "closed-app_admin", "private.secrets", f"select by app_admin, {SECOND_LOCK}", "allowed",
    ),
    "closed schema opened": Hole(
        "grant usage on schema private to authenticated",
        "schemas-authenticated", "schema private", "usage by authenticated", "another error",
    ),
    "create in public": Hole(
        "grant create on schema public to authenticated",
        "schemas-authenticated", "schema public", "create by authenticated", "allowed",
    ),
    "new objects born open": Hole(
        "alter default privileges in schema private grant select on tables to anon",
        "catalogue", "new objects in private", "default select to anon", "born open",
    ),
    "sequence, not named": Hole(
        "create sequence public.stray", "catalogue", "public.stray", "sequence in the database", "has this sequence",
    ),
    "staff write what users said": Hole(
        "alter table public.feedback disable trigger limit_staff_update_of_feedback",
        "feedback-app_admin", "public.feedback", "update by app_admin", "allowed", "another's, status = 'open'",
        "message",
    ),
    "policy for a role of no contract": Hole(
        'create policy "Dashboard" on public.feedback for select to dashboard_user using (true)',
        "catalogue", "public.feedback", 'policy "Dashboard"', "dashboard_user",
    ),
    "users as the server": Hole(
        "set local session authorization supabase_admin; grant service_role to authenticated",
        "catalogue", "role authenticated", "is a member of", "service_role",
    ),
    "users held by no policy": Hole(
        "set local session authorization supabase_admin; alter role authenticated bypassrls",
        "feedback-authenticated", "public.feedback", "select by authenticated", "allowed", "another's, status = 'open'",
    ),
    "table of another owner": Hole(
        "set local session authorization supabase_admin; alter table public.feedback owner to authenticated",
        "catalogue", "public.feedback", "owner", "authenticated",
    ),
    # Too strict is as wrong as too open.
    "select policy compares the wrong column": Hole(
        policy("Users can view own prompt history", "prompt_history", "using ((select auth.uid()) = id)"),
        "prompt_history-authenticated", "public.prompt_history", "select by authenticated", "filtered", "own",
    ),
    "select policy false": Hole(
        policy("Users can view own profile", "user_profiles", "using (false)"),
        "user_profiles-authenticated", "public.user_profiles", "select by authenticated", "filtered", "own, is_active",
    ),
    "select policy asks for more": Hole(
        policy("Users can view own preferences", "user_preferences", f"using ({OWN_PROMPTS} and theme <> 'system')"),
        "user_preferences-authenticated", "public.user_preferences", "select by authenticated", "filtered", "own",
    ),
    "insert check false": Hole(
        policy("Visitors can insert feedback without an owner", "feedback", "with check (false)"),
        "feedback-anon", "public.feedback", "insert by anon", "policy check", "nobody's, status = 'open'",
    ),
    "no policy for deleting": Hole(
        'drop policy "Users can delete own feedback" on public.feedback',
        "feedback-authenticated", "public.feedback", "delete by authenticated", "filtered", "own, status = 'open'",
    ),
    "no grant to read": Hole(
        "revoke select on public.api_providers from anon",
        "api_providers-anon", "public.api_providers", "select by anon", "no grant on the table", "is_enabled",
    ),
    "no grant on one column": Hole(
        "revoke update (rating) on public.feedback from authenticated",
        "feedback-authenticated", "public.feedback", "update by authenticated", "no grant on a column",
        "own, status = 'open'", "rating",
    ),
    "no grant on what a check calls": Hole(
        "revoke execute on function private.is_web_url(text) from authenticated",
        "user_profiles-authenticated", "public.user_profiles", "insert by authenticated",
        "no grant on the function", "own, is_active",
    ),
    "function for nobody": Hole(
        "revoke execute on function public.get_public_config() from anon",
        "functions-anon", "public.get_public_config()", "call by anon", "no grant on the function",
    ),
    "function that answers too little": Hole(
        "create or replace function public.get_public_config() returns jsonb language sql stable security invoker "
        "set search_path = '' as $$ select '{}'::jsonb $$",
        "functions-anon", "public.get_public_config()", "call by anon", "{}",
    ),
}  # fmt: skip


def extended(text: str) -> Contract:
    return contract.parse(Source(PATH.read_text(encoding="utf-8") + text, "contract"))


@contextmanager
def planted(connection: psycopg.Connection, statements: str) -> Iterator[None]:
    """Have the owner do something, for the length of the block."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local session authorization postgres; {statements}".encode())
        connection.execute("set local session authorization default")
        yield


def examine(connection: psycopg.Connection, statements: str, case: str, added: str = "") -> Report:
    with planted(connection, statements):
        return prober.examine(connection, extended(added), only=[case])


def is_about(failure: Failure, hole: Hole) -> bool:
    return (
        failure.subject == hole.subject
        and hole.what in failure.what
        and hole.observed in failure.observed
        and hole.row in ("", failure.row)
        and hole.column in ("", failure.column)
        and hole.note in failure.note
    )


@pytest.fixture(scope="module")
def whole() -> dict[str, Report]:
    """What the cases find where nothing is planted."""
    return {}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_hole_is_seen_for_the_right_reason(
    connection: psycopg.Connection, whole: dict[str, Report], hole: Hole
) -> None:
    assert hole.case in {case.name for case in prober.cases(extended(hole.contract))}
    if hole.case not in whole:
        whole[hole.case] = examine(connection, "select", hole.case)
    assert not any(is_about(failure, hole) for failure in whole[hole.case].failures), str(whole[hole.case])
    report = examine(connection, hole.planted, hole.case, hole.contract)
    assert any(is_about(failure, hole) for failure in report.failures), str(report)


SAFE = {
    "definer function that asks who is calling": (
        PROMPTS.format(settings="set search_path = ''", where="where user_id = (select auth.uid())"),
        "functions-authenticated", PROMPTS_CONTRACT,
    ),
    "view that reads as its reader": (
        VIEW.format(options="with (security_invoker = true)"), "views-authenticated", VIEW_CONTRACT,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("safe", "case", "added"), SAFE.values(), ids=SAFE)
def test_what_is_safe_is_green(connection: psycopg.Connection, safe: str, case: str, added: str) -> None:
    subjects = {"public.my_prompts(uuid)", "public.my_feedback"}
    report = examine(connection, safe, case, added)
    assert not [str(failure) for failure in report.failures if failure.subject in subjects]
    assert report.attempts >= 3


# What docs/access-testing.md tells its readers to write.
GUIDE = (ROOT / "docs" / "access-testing.md").read_text(encoding="utf-8")
BOOKMARKS = """
    alter table public.bookmarks enable row level security;
    revoke all on public.bookmarks from anon, authenticated, service_role;
    grant select, delete, insert (user_id, template_id, note, is_shared), update (note, is_shared)
    on public.bookmarks to authenticated;
    grant select, insert, update, delete on public.bookmarks to service_role;
    create policy view on public.bookmarks for select to authenticated
    using ((select auth.uid()) = user_id or is_shared);
    create policy add on public.bookmarks for insert to authenticated with check ((select auth.uid()) = user_id);
    create policy change on public.bookmarks for update to authenticated
    using ((select auth.uid()) = user_id) with check ({check});
    create policy remove on public.bookmarks for delete to authenticated using ((select auth.uid()) = user_id);
    create function private.count_bookmarks(template_id uuid) returns bigint
    language sql stable security definer set search_path = '' as $$
        select count(*) from public.bookmarks as mark
        where mark.template_id = $1 and (mark.user_id = (select auth.uid()) or {shared})
    $$;
    create function public.count_bookmarks(template_id uuid) returns bigint
    language sql stable security invoker set search_path = '' return private.count_bookmarks(template_id);
    revoke all on function private.count_bookmarks(uuid), public.count_bookmarks(uuid)
    from public, anon, authenticated, service_role;
    grant execute on function private.count_bookmarks(uuid), public.count_bookmarks(uuid) to authenticated
"""


def guided(connection: psycopg.Connection, check: str, shared: str) -> list[Failure]:
    """The guide's table and function, built and named as it says: what is found about them."""
    (table,) = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
    added = "\n".join(re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL))
    with planted(connection, table + BOOKMARKS.format(check=check, shared=shared)):
        only = ["public.bookmarks", "functions-authenticated"]
        report = prober.examine(connection, extended(added), only=only)
    return [failure for failure in report.failures if "bookmarks" in failure.subject]


def test_table_and_function_of_the_guide_are_green(connection: psycopg.Connection) -> None:
    found = guided(connection, "(select auth.uid()) = user_id", "mark.is_shared")
    assert not found, "\n".join(map(str, found))


def test_table_and_function_of_the_guide_are_red_when_broken(connection: psycopg.Connection) -> None:
    found = guided(connection, "true", "true")
    assert {failure.subject for failure in found} >= {"public.bookmarks", "public.count_bookmarks(uuid)"}
    assert any(failure.row == "own, is_shared → another's, is_shared" for failure in found)


# Never green by accident ---------------------------------------------------------------------------------------------

VAIN = {
    "a row that cannot be built": (
        "alter table public.feedback add check (message = md5(message))",
        "feedback-anon", "no valid row of public.feedback",
    ),
    "a row that vanishes": (
        "create function private.swallow() returns trigger language plpgsql as 'begin return null; end'; "
        "create trigger swallow before insert on public.feedback_tags for each row execute function private.swallow()",
        "feedback_tags-anon", "is not there",
    ),
    "a statement that fails for another reason": (
        "alter table public.feedback add constraint never check (1 / 0 > 0) not valid; "
        "alter table public.feedback drop constraint never; "
        "create function private.fail() returns trigger language plpgsql as "
        "'begin if current_user = ''anon'' then perform 1 / 0; end if; return new; end'; "
        "create trigger fail before insert on public.feedback for each row execute function private.fail()",
        "feedback-anon", "another error: division by zero",
    ),
    "a table that is gone": (
        "drop table public.feedback_analytics cascade", "feedback_analytics-anon", "has no such table",
    ),
    "a column that is gone": (
        "alter table public.feedback_tags drop column is_active cascade", "feedback_tags-anon", "has no such column",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("planted_one", "case", "said"), VAIN.values(), ids=VAIN)
def test_what_cannot_be_tried_is_a_failure(
    connection: psycopg.Connection, planted_one: str, case: str, said: str
) -> None:
    report = examine(connection, planted_one, case)
    assert any(said in failure.observed for failure in report.failures), str(report)


def test_function_that_is_never_called_is_a_failure(connection: psycopg.Connection) -> None:
    added = PROMPTS_CONTRACT.replace("select id from auth.users", "select id from auth.users where false")
    report = examine(connection, PROMPTS.format(settings="", where=""), "functions-authenticated", added)
    assert any("0 calls of public.my_prompts(uuid)" in failure.observed for failure in report.failures), str(report)


def test_function_of_which_nothing_is_said_is_a_failure(connection: psycopg.Connection) -> None:
    added = "\n".join(line for line in PROMPTS_CONTRACT.splitlines() if not line.startswith("truth"))
    report = examine(connection, PROMPTS.format(settings="", where=""), "functions-authenticated", added)
    assert any("nothing is said of what" in failure.observed for failure in report.failures), str(report)


def test_nothing_remains_of_a_run(connection: psycopg.Connection) -> None:
    count = "select (select count(*) from auth.users), (select count(*) from public.feedback)"
    before = connection.execute(count).fetchone()
    prober.examine(connection, extended(""), only=["feedback-authenticated"])
    assert connection.execute(count).fetchone() == before


def test_a_database_with_people_in_it_can_be_tried(connection: psycopg.Connection) -> None:
    """Ids such as these are what examples have."""
    people = """
        insert into auth.users (id, email)
        select ('00000000-0000-4000-8000-' || lpad(to_hex(number), 12, '0'))::uuid, number || '@example.com'
        from generate_series(1, 20) as number
    """
    assert not examine(connection, people, "feedback-authenticated").failures


def test_a_vacuum_that_has_begun_is_waited_for(scratch: Database) -> None:
    waits = "select 1 from pg_locks where pid = %s and not granted"
    with scratch.connect("postgres") as vacuum, scratch.connect("postgres") as probing, ThreadPoolExecutor() as other:
        asked = probing.info.backend_pid
        with Stage.on(probing, contract.load()) as stage:
            table = stage.catalogue.relations["public.prompt_history"]
            # As VACUUM does: the lock, and at the end a change of the table's row in pg_class.
            vacuum.execute("lock table public.prompt_history in share update exclusive mode")
            given = other.submit(stage.leave_to_policies, table, "app_admin")
            while not given.done() and not vacuum.execute(waits, [asked]).fetchone():
                time.sleep(0.02)
            vacuum.execute("alter table public.prompt_history set (fillfactor = 85)")
            vacuum.rollback()
            given.result()
