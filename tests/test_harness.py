"""The harness: it speaks as PostgREST does, leaves nothing behind, and cannot be green by accident."""

import psycopg
import pytest
from psycopg import errors

from harness.databases import Database, Platform
from harness.examples import EXAMPLES
from harness.people import Person, delete_account, sign_in
from harness.refusal import Guard
from harness.request import request
from harness.session import Session

WHO = "select session_user || ' as ' || current_user"


# Speakers -------------------------------------------------------------------------------------------------------------


def test_nobody_speaks_until_told_who(db: Session) -> None:
    with pytest.raises(AssertionError, match="say who speaks first"):
        db.value("select 1")


def test_each_speaker_is_who_they_say(db: Session, alice: Person, carol: Person) -> None:
    assert db.as_owner().value(WHO) == "postgres as postgres"
    assert db.as_auth().value(WHO) == "supabase_auth_admin as supabase_auth_admin"
    assert db.as_visitor().value(WHO) == "authenticator as anon"
    assert db.as_user(alice).value(WHO) == "authenticator as authenticated"
    assert db.as_staff(carol).value(WHO) == "authenticator as app_admin"
    assert db.as_server().value(WHO) == "authenticator as service_role"


def test_no_speaker_is_a_superuser(db: Session, alice: Person, carol: Person) -> None:
    for speak in (db.as_owner, db.as_auth, db.as_visitor, db.as_server):
        assert speak().value("show is_superuser") == "off"
    assert db.as_user(alice).value("show is_superuser") == "off"
    assert db.as_staff(carol).value("show is_superuser") == "off"


def test_a_statement_of_the_superuser_is_refused(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner()
    connection.execute("set local session authorization default")
    with pytest.raises(AssertionError, match="a superuser proves nothing"):
        db.value("select 1")


def test_the_owner_is_held_by_no_policy_and_owns_the_database(db: Session) -> None:
    db.as_owner()
    assert db.value("select rolbypassrls and not rolsuper from pg_roles where rolname = current_user")
    assert db.value("select datdba = 'postgres'::regrole from pg_database where datname = current_database()")


def test_a_user_carries_the_claims_of_supabase_auth(db: Session, alice: Person) -> None:
    db.as_user(alice, aal="aal2")
    assert db.value("select auth.uid()") == alice.id
    claims = db.value("select auth.jwt()")
    assert (claims["role"], claims["aal"], claims["email"]) == ("authenticated", "aal2", "alice@example.com")


def test_a_visitor_has_a_role_and_no_identity(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert db.as_visitor().value("select auth.uid()") is None
    assert db.value("select auth.role()") == "anon"


def test_the_owner_does_not_inherit_the_claims_of_who_spoke_before(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert db.as_owner().value("select auth.uid()") is None
    assert db.value("show search_path") == '"$user", public, extensions'


def test_a_request_has_the_timeouts_of_its_role(db: Session, alice: Person) -> None:
    assert db.as_visitor().value("show statement_timeout") == "3s"
    assert db.as_user(alice).value("show statement_timeout") == "8s"
    assert db.value("show lock_timeout") == "8s"
    assert db.as_owner().value("show statement_timeout") == "0"


def test_a_request_has_the_settings_that_are_stored_now(db: Session) -> None:
    db.as_owner().run("alter role anon set statement_timeout = '1s'")
    assert db.as_visitor().value("show statement_timeout") == "1s"


def test_a_request_says_how_it_came(db: Session) -> None:
    db.speak(request("anon", method="GET", headers={"x-request-id": "7"}))
    assert db.value("select current_setting('request.method')") == "GET"
    assert db.value("select current_setting('request.headers')::json ->> 'x-request-id'") == "7"
    assert db.value("show search_path") == "public, extensions"


def test_a_request_cannot_take_a_role_that_the_login_lacks(db: Session) -> None:
    with db.refuses(errors.InsufficientPrivilege, by=Guard.MEMBERSHIP):
        db.speak(request("postgres"))


def test_who_spoke_before_speaks_again_after_an_aside(db: Session, alice: Person) -> None:
    db.as_user(alice)
    with db.aside():
        assert db.as_owner().value(WHO) == "postgres as postgres"
    assert db.value("select auth.uid()") == alice.id


# Expectations ---------------------------------------------------------------------------------------------------------


def test_the_transaction_goes_on_after_a_refusal(db: Session, alice: Person) -> None:
    db.as_user(alice)
    with db.refuses(errors.DivisionByZero):
        db.value("select 1 / 0")
    assert db.value("select auth.uid()") == alice.id


def test_a_refusal_that_does_not_come_fails(db: Session) -> None:
    db.as_visitor()
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"), db.refuses(errors.DivisionByZero):
        db.value("select 1")


def test_a_refusal_for_another_reason_fails(db: Session) -> None:
    db.as_owner()
    with pytest.raises(errors.NotNullViolation), db.refuses(errors.CheckViolation):
        db.run("insert into public.feedback (message) values (null)")
    with (
        pytest.raises(AssertionError, match="feedback_rating_is_1_to_5"),
        db.refuses(errors.CheckViolation, constraint="feedback_message_is_short"),
    ):
        db.run("insert into public.feedback (message, rating) values ('hello', 9)")


def test_a_refused_privilege_must_be_explained(db: Session) -> None:
    db.as_visitor()
    with pytest.raises(AssertionError, match="say which guard"), db.refuses(errors.InsufficientPrivilege):
        db.value("select 1")


GUARDS = {
    Guard.TABLE_GRANT: "select * from public.audit_log",
    Guard.COLUMN_GRANT: "update public.feedback set status = 'closed'",
    Guard.SCHEMA_GRANT: "select * from private.secrets",
    Guard.FUNCTION_GRANT: "select public.respond_to_feedback(null, 'Thank you.')",
    Guard.POLICY: "insert into public.feedback (message) values ('Whose is this?')",
    Guard.OWNERSHIP: "alter table public.feedback disable row level security",
    Guard.MEMBERSHIP: "set local role supabase_admin",
    Guard.INSIDE: "do $$ begin perform from public.audit_log; end $$",
    Guard.RAISED: "do $$ begin raise insufficient_privilege; end $$",
}


@pytest.mark.parametrize(("guard", "statement"), GUARDS.items(), ids=[guard.name for guard in GUARDS])
def test_guards_are_told_apart(db: Session, alice: Person, guard: Guard, statement: str) -> None:
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=guard):
        db.run(statement)
    other = Guard.POLICY if guard is Guard.TABLE_GRANT else Guard.TABLE_GRANT
    with pytest.raises(AssertionError), db.refuses(errors.InsufficientPrivilege, by=other):
        db.run(statement)


def test_sees_wants_every_row_and_no_other(db: Session, alice: Person) -> None:
    mine = db.add("feedback", user_id=alice.id)
    theirs = db.add("feedback")
    db.as_user(alice).sees("feedback", [mine])
    with pytest.raises(AssertionError, match="missing"):
        db.sees("feedback", [mine, theirs])
    with pytest.raises(AssertionError, match="extra"):
        db.sees("feedback", [])


def test_what_is_undone_leaves_the_rows_and_the_speaker(db: Session, alice: Person) -> None:
    feedback = db.add("feedback", user_id=alice.id)
    db.as_user(alice)
    with db.undone():
        assert db.run("delete from public.feedback") == 1
        db.as_visitor()
    db.sees("feedback", [feedback])


# People ---------------------------------------------------------------------------------------------------------------


def test_accounts_are_made_as_supabase_auth_makes_them(db: Session, alice: Person, carol: Person) -> None:
    db.as_owner()
    assert db.column("select user_id from public.user_profiles") == [alice.id, carol.id]
    assert db.value("select role from auth.users where id = %s", [carol.id]) == "app_admin"
    sign_in(db, alice)
    assert db.column("select user_id from public.user_sessions") == [alice.id]
    delete_account(db, alice)
    assert db.column("select id from auth.users") == [carol.id]


def test_a_seed_that_fails_is_an_error(db: Session) -> None:
    with pytest.raises(errors.NotNullViolation):
        db.add("prompt_history")


# Databases ------------------------------------------------------------------------------------------------------------


def test_every_table_of_the_api_has_an_example(db: Session) -> None:
    tables = db.as_owner().column(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    )
    assert set(tables) == set(EXAMPLES)


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_nothing_is_left_for_the_next_test(db: Session, attempt: str) -> None:
    assert db.as_owner().value("select count(*) from auth.users") == 0, attempt
    assert db.value("select count(*) from public.feedback") == 0, attempt
    db.add("feedback")


def test_the_server_is_the_one_that_was_asked_for(db: Session, platform: Platform) -> None:
    major = int(db.as_owner().value("show server_version_num")) // 10000
    granted = db.value(
        "select coalesce(bool_or(acl.privilege_type = 'SELECT'), false) "
        "from pg_default_acl, aclexplode(defaclacl) as acl "
        "where defaclrole = 'postgres'::regrole and defaclobjtype = 'r' and acl.grantee = 'anon'::regrole"
    )
    assert platform.name == f"pg{major}-{'auto' if granted else 'explicit'}"


def test_a_scratch_database_takes_real_logins_and_commits(scratch: Database) -> None:
    with scratch.connect("authenticator") as visitor:
        visitor.execute("set local role anon")
        visitor.execute("insert into public.feedback (message) values ('hello')")
    with scratch.connect() as postgres:
        assert postgres.execute("select message from public.feedback").fetchall() == [("hello",)]


def test_an_empty_database_has_the_platform_and_nothing_of_ours(empty_database: Database) -> None:
    with empty_database.connect() as postgres:
        assert postgres.execute("select to_regclass('auth.users') is not null").fetchone() == (True,)
        assert postgres.execute(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
        ).fetchone() == (0,)
        assert postgres.execute("create table public.mine ()").statusmessage == "CREATE TABLE"
