"""explain-access names the grant and policy that open a cell, or the guard that closes it; in a broken schema too."""

import psycopg
import pytest
from click.testing import CliRunner

from forge_db import access, explain
from forge_db.access.ablation import Explanation
from forge_db.cli import main
from forge_db.errors import ForgeError
from harness.databases import Database

pytestmark = pytest.mark.one_platform


def explained(
    connection: psycopg.Connection, role: str, command: str, table: str, broken: str = "select", **more: str
) -> dict[str, Explanation]:
    """What is said of each kind of row, in a schema that may have been broken before."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local session authorization postgres; {broken}".encode())
        connection.execute("set local session authorization default")
        found = explain.explain(connection, access.load(), role, command, f"public.{table}", **more)
    return {str(it.kind): it for it in found}


def test_what_opens_a_cell(connection: psycopg.Connection) -> None:
    found = explained(connection, "authenticated", "update", "feedback", column="message")
    own = found["own, status = 'open'"]
    assert str(own.outcome) == "allowed"
    assert own.reasons == (
        "grant     update (message) to authenticated",
        'policy    "Users can update own open feedback"',
    )
    assert own.statement.startswith("update public.feedback set message = ")


def test_policy_that_is_for_other_rows(connection: psycopg.Connection) -> None:
    found = explained(connection, "authenticated", "delete", "prompt_history")
    assert str(found["another's"].outcome) == "filtered to zero rows"
    assert found["another's"].reasons == ('policy    "Users can delete own prompt history": for other rows',)


def test_either_of_two_policies(connection: psycopg.Connection) -> None:
    found = explained(connection, "app_admin", "select", "user_sessions")
    assert found["own"].reasons == (
        "grant     select to authenticated",
        'policy    "Admins can view all sessions" or "Users can view own sessions"',
    )
    assert found["another's"].reasons[1] == 'policy    "Admins can view all sessions"'


def test_missing_grant_and_what_would_come_next(connection: psycopg.Connection) -> None:
    found = explained(connection, "anon", "select", "feedback")
    assert found["nobody's, status = 'open'"].reasons == (
        "grant     none of select to anon",
        "with it   still refused, filtered to zero rows",
    )
    found = explained(connection, "authenticated", "insert", "feedback", column="status")
    assert found["own, status = 'open'"].reasons == (
        "grant     none of insert (status) to authenticated",
        "with it   allowed",
    )


def test_trigger_that_raises(connection: psycopg.Connection) -> None:
    found = explained(connection, "app_admin", "update", "user_profiles", column="bio")
    (reason,) = found["another's, is_active"].reasons
    assert reason.startswith('trigger   "limit_staff_update_of_user_profiles" raises: staff may not change bio')


def test_insert_whose_row_cannot_be_read_back(connection: psycopg.Connection) -> None:
    found = explained(connection, "anon", "insert", "feedback")
    assert "SELECT rules it too: no grant on the table" in found["nobody's, status = 'open'"].reasons[-1]


def test_role_that_no_policy_holds(connection: psycopg.Connection) -> None:
    found = explained(connection, "service_role", "delete", "feedback_tags")
    assert found["is_active"].reasons[-1] == "policy    none holds this role: it bypasses row level security"


def test_row_level_security_that_is_off(connection: psycopg.Connection) -> None:
    broken = "alter table public.user_sessions disable row level security"
    found = explained(connection, "authenticated", "select", "user_sessions", broken)
    assert str(found["another's"].outcome) == "allowed"
    assert found["another's"].reasons[-1] == "policy    none holds: row level security is off"


def test_policy_that_let_it_through_is_named(connection: psycopg.Connection) -> None:
    broken = (
        'create policy "Service role can do all" on public.feedback using (true) with check (true); '
        "grant select on public.feedback to anon"
    )
    found = explained(connection, "anon", "select", "feedback", broken)
    assert found["another's, status = 'open'"].reasons == (
        "grant     select to anon",
        'policy    "Service role can do all"',
    )


def test_hole_that_only_the_select_policy_covers(connection: psycopg.Connection) -> None:
    broken = 'alter policy "Users can insert own prompt history" on public.prompt_history with check (true)'
    found = explained(connection, "authenticated", "insert", "prompt_history", broken)
    assert str(found["another's"].outcome) == "allowed"
    assert found["another's"].reasons[-1].endswith("SELECT rules it too: policy check")


def test_restrictive_policy_is_named(connection: psycopg.Connection) -> None:
    broken = 'create policy "Not today" on public.feedback_tags as restrictive for select to anon using (false)'
    found = explained(connection, "anon", "select", "feedback_tags", broken)
    assert found["is_active"].reasons == ('policy    "Not today" is restrictive and refuses it',)


def test_nothing_remains(connection: psycopg.Connection) -> None:
    before = connection.execute("select count(*) from auth.users").fetchone()
    explained(connection, "app_admin", "update", "feedback")
    assert connection.execute("select count(*) from auth.users").fetchone() == before
    assert connection.execute("select count(*) from pg_policies where tablename = 'feedback'").fetchone() == (7,)


# The command ----------------------------------------------------------------------------------------------------------


def call(database: Database, *arguments: str) -> tuple[int, str, str]:
    """As the owner, who is no superuser: that is who one is on a hosted project."""
    result = CliRunner().invoke(main, ["explain-access", *arguments, "--database-url", database.url("postgres")])
    return result.exit_code, result.stdout, result.stderr


def test_command_speaks_as_an_account(scratch: Database) -> None:
    with scratch.connect() as owner:
        owner.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'ada@example.com')")
    code, said, _ = call(scratch, "authenticated", "select", "user_preferences", "--as", "Ada@example.com")
    assert code == 0
    assert "own: allowed\n    grant     select to authenticated\n    policy    " in said
    with scratch.connect() as owner:
        assert owner.execute("select count(*) from public.user_preferences").fetchone() == (1,)


MISTAKES = {
    "role": (["anonn", "select", "feedback"], 2, '"anonn" is not known. Did you mean "anon"?'),
    "command": (["anon", "selct", "feedback"], 2, '"selct" is not known. Did you mean "select"?'),
    "table": (["anon", "select", "feedbak"], 2, 'Did you mean "public.feedback"?'),
    "no account": (["anon", "select", "feedback", "--as", "ada@example.com"], 2, "anon has no account"),
    "unknown account": (["authenticated", "select", "feedback", "--as", "eve"], 2, 'no account is "eve"'),
    "column": (["anon", "select", "feedback", "--column", "mesage"], 2, 'Did you mean "message"?'),
}


@pytest.mark.parametrize(("arguments", "code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_explained(scratch: Database, arguments: list[str], code: int, message: str) -> None:
    found, _, said = call(scratch, *arguments)
    assert (found, message in said) == (code, True), said


def test_large_table_is_left_alone(scratch: Database) -> None:
    with scratch.connect() as owner:
        owner.execute("insert into public.feedback (message) select 'hello' from generate_series(1, 10000)")
    code, _, said = call(scratch, "anon", "insert", "feedback")
    assert (code, "public.feedback holds 10000 rows or more" in said) == (1, True), said


def test_error_of_the_contract_is_one_line(monkeypatch: pytest.MonkeyPatch, scratch: Database) -> None:
    def broken() -> None:
        raise ForgeError("tests/access_contract.toml line 7: it is wrong")

    monkeypatch.setattr("forge_db.access.contract.load", broken)
    code, _, said = call(scratch, "anon", "insert", "feedback")
    assert (code, said) == (1, "Error: tests/access_contract.toml line 7: it is wrong\n")
