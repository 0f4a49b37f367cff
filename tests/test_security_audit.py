"""security_audit(): every lock that is opened is found, named, and the finding gone once the lock is shut again."""

from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from harness.checks import NAMES, Breakage, findings, prove, report, say
from harness.figures import made_up
from harness.keys import ENCRYPTION_KEY, configure, new_encryption_key
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session
from test_integrity_check import UNGUARDED

CAROL = "(select id from auth.users where email = 'carol@example.com')"
ALICE = "(select id from auth.users where email = 'alice@example.com')"

BREAKAGES = [
    Breakage(
        "definer_functions",
        """
        create function public.stray() returns int language sql security definer
            set search_path = pg_catalog, pg_temp as 'select 1';
        revoke execute on function public.stray() from public, anon, authenticated, service_role;
        grant execute on function public.stray() to anon;
        """,
        "drop function public.stray()",
        status="critical",
        says="public.stray() by anon",
    ),
    Breakage(
        "definer_functions",
        "grant execute on function private.unpublish_prompt_template(uuid) to authenticated",
        "revoke execute on function private.unpublish_prompt_template(uuid) from authenticated",
        status="critical",
        says="private.unpublish_prompt_template(uuid) by authenticated",
    ),
    Breakage(
        "definer_functions",
        "grant execute on function private.unpublish_prompt_template(uuid) to public",
        "revoke execute on function private.unpublish_prompt_template(uuid) from public",
        status="critical",
        says="private.unpublish_prompt_template(uuid) by public",
        also=("wide_grants",),
    ),
    Breakage(
        "definer_functions",
        """
        create procedure public.stray() language plpgsql security definer
            set search_path = pg_catalog, pg_temp as 'begin end';
        revoke execute on procedure public.stray() from public, anon, authenticated, service_role;
        grant execute on procedure public.stray() to anon;
        """,
        "drop procedure public.stray()",
        status="critical",
        says="public.stray() by anon",
    ),
    Breakage(
        "grants_regime",
        "alter default privileges for role postgres in schema public grant select on tables to anon",
        "alter default privileges for role postgres in schema public revoke select on tables from anon",
        says="SELECT on new tables",
    ),
    Breakage(
        "grants_regime",
        "alter default privileges for role postgres in schema public grant execute on functions to authenticated",
        "alter default privileges for role postgres in schema public revoke execute on functions from authenticated",
        says="EXECUTE on new functions",
    ),
    Breakage(
        "open_policies",
        "create policy stray on public.audit_log for select to authenticated using (true)",
        "drop policy stray on public.audit_log",
        status="critical",
        says="stray on public.audit_log",
    ),
    Breakage(
        "open_policies",
        "create policy stray on public.feedback for insert to anon with check (true)",
        "drop policy stray on public.feedback",
        status="critical",
    ),
    Breakage(
        "open_policies",
        "create policy stray on public.audit_log for select using (actor_id = (select auth.uid()))",
        "drop policy stray on public.audit_log",
        status="critical",
    ),
    *(
        Breakage(
            "open_policies",
            f"create policy stray on public.audit_log for {command} to authenticated {always}",
            "drop policy stray on public.audit_log",
            status="critical",
            says="stray on public.audit_log",
        )
        for command, always in (
            ("select", "using (1 = 1)"),
            ("insert", "with check (current_user is not null)"),
            ("all", "using (false) with check ('a' <> 'b')"),
        )
    ),
    Breakage(
        "owners",
        "alter table public.feedback owner to supabase_auth_admin",
        "alter table public.feedback owner to postgres",
        status="critical",
        says="public.feedback (supabase_auth_admin)",
        by="superuser",
    ),
    Breakage(
        "owners",
        "alter function public.is_admin() owner to supabase_auth_admin",
        "alter function public.is_admin() owner to postgres",
        status="critical",
        says="public.is_admin() (supabase_auth_admin)",
        by="superuser",
    ),
    Breakage(
        "owners",
        "alter schema private owner to supabase_auth_admin; grant usage, create on schema private to postgres",
        "alter schema private owner to postgres",
        status="critical",
        says="private (supabase_auth_admin)",
        by="superuser",
    ),
    Breakage(
        "plain_keys",
        UNGUARDED.format(alice=ALICE, key="sk-proj-Ab1_Ab1_Ab1_Ab1_Ab1_"),
        "delete from public.api_configurations",
        status="critical",
    ),
    Breakage(
        "plain_keys",
        UNGUARDED.format(alice=ALICE, key="enc:c1:c2stcHJvai1BYjFfQWIxX0FiMV9BYjFfQWIxX0FiMV9BYjFf"),
        "delete from public.api_configurations",
        status="critical",
    ),
    *(
        Breakage("roles", f"alter role {role} {power}", f"alter role {role} no{power}", "critical", says, "superuser")
        for role, power, says in (
            ("anon", "superuser", "anon has SUPERUSER"),
            ("authenticated", "createrole", "authenticated has CREATEROLE"),
            ("app_admin", "bypassrls", "app_admin has BYPASSRLS"),
            ("service_role", "login", "service_role has LOGIN"),
            ("authenticator", "createdb", "authenticator has CREATEDB"),
            ("app_admin", "replication", "app_admin has REPLICATION"),
        )
    ),
    *(
        Breakage("roles", f"grant {one} to {other}", f"revoke {one} from {other}", "critical", says, "superuser")
        for one, other, says in (
            ("service_role", "anon", "anon is a member of service_role"),
            ("service_role", "app_admin", "app_admin is a member of service_role"),
            ("pg_read_all_data", "authenticator", "authenticator is a member of pg_read_all_data"),
        )
    ),
    Breakage(
        "roles",
        "create role stray login; grant service_role to stray",
        "revoke service_role from stray; drop role stray",
        status="critical",
        says="stray is a member of service_role",
        by="superuser",
    ),
    Breakage(
        "roles",
        "create role stray login; set local role postgres; grant service_role to stray; set local role none",
        "drop role stray",
        status="critical",
        says="stray is a member of service_role",
        by="superuser",
    ),
    Breakage(
        "roles",
        "create role stray login bypassrls",
        "drop role stray",
        status="critical",
        says="stray has BYPASSRLS",
        by="superuser",
    ),
    Breakage(
        "row_security",
        "alter table public.feedback disable row level security",
        "alter table public.feedback enable row level security",
        status="critical",
        says="public.feedback",
    ),
    Breakage(
        "row_security",
        "alter table private.api_usage_logs_default disable row level security",
        "alter table private.api_usage_logs_default enable row level security",
        status="critical",
        says="private.api_usage_logs_default",
    ),
    Breakage(
        "search_path",
        "alter function private.require_user() reset search_path",
        "alter function private.require_user() set search_path = pg_catalog, pg_temp",
        says="private.require_user()",
    ),
    Breakage(
        "search_path",
        "alter function private.save_api_key(text, text) set search_path = ''",
        "alter function private.save_api_key(text, text) set search_path = pg_catalog, pg_temp",
        status="critical",
        says="private.save_api_key(text,text)",
    ),
    Breakage(
        "search_path",
        "create procedure private.stray() language plpgsql as 'begin end'; "
        "revoke execute on procedure private.stray() from public; "
        "create aggregate private.stray_sum (integer) (sfunc = int4pl, stype = integer); "
        "revoke execute on function private.stray_sum(integer) from public",
        "drop procedure private.stray(); drop aggregate private.stray_sum(integer)",
        says="private.stray()",
    ),
    *(
        Breakage("staff_accounts", f"update auth.users set {breaks} where id = {who}", mends, status, says)
        for who, breaks, mends, status, says in (
            (
                ALICE,
                "role = 'service_role'",
                f"update auth.users set role = 'authenticated' where id = {ALICE}",
                "critical",
                "tokens for the role service_role",
            ),
            *(
                (
                    CAROL,
                    breaks,
                    "update auth.users set is_anonymous = false, email_confirmed_at = now(), deleted_at = null, "
                    f"banned_until = null, last_sign_in_at = now() where id = {CAROL}",
                    "warning",
                    says,
                )
                for breaks, says in (
                    ("is_anonymous = true", "anonymous"),
                    ("email_confirmed_at = null", "not confirmed"),
                    ("deleted_at = now()", "deleted"),
                    ("banned_until = now() + interval '1 hour'", "banned"),
                    ("last_sign_in_at = now() - interval '91 days'", "not seen for long"),
                )
            ),
        )
    ),
    Breakage(
        "stored_secrets",
        "insert into private.secrets (name, secret) values ('app_encryption_key', repeat('k', 40))",
        "delete from private.secrets",
        says="app_encryption_key",
        shows=True,
    ),
    Breakage(
        "tables_without_policies",
        'drop policy "Admins can view feedback analytics" on public.feedback_analytics',
        Path("supabase/schema/07_security_and_rls.sql").read_text(encoding="utf-8"),
        says="public.feedback_analytics",
    ),
    Breakage(
        "tables_without_policies",
        "create table public.stray (id int primary key); alter table public.stray enable row level security; "
        "revoke all on public.stray from anon, authenticated, service_role",
        "drop table public.stray",
        says="public.stray",
        shows=True,  # of our own tables alone we know the policies
    ),
    Breakage(
        "triggers",
        "alter table public.audit_log disable trigger refuse_rewriting_audit_log",
        "alter table public.audit_log enable trigger refuse_rewriting_audit_log",
        status="critical",
        says="refuse_rewriting_audit_log on public.audit_log",
    ),
    Breakage(
        "triggers",
        "alter table auth.users disable trigger on_auth_user_created",
        "alter table auth.users enable trigger on_auth_user_created",
        status="critical",
        says="on_auth_user_created on auth.users",
        by="superuser",
    ),
    Breakage(
        "views",
        "create view public.stray as select message from public.feedback; "
        "revoke all on public.stray from anon, authenticated, service_role",
        "alter view public.stray set (security_invoker = true)",
        status="critical",
        says="public.stray",
    ),
    Breakage(
        "views",
        "create materialized view public.stray as select message from public.feedback; "
        "revoke all on public.stray from anon, authenticated, service_role",
        "drop materialized view public.stray",
        status="critical",
        says="public.stray",
    ),
    *(
        Breakage("wide_grants", f"grant {what} to {who}", f"revoke {what} from {who}", "critical", says)
        for what, who, says in (
            ("truncate on public.feedback", "service_role", "TRUNCATE on public.feedback to service_role"),
            ("update on public.user_profiles", "app_admin", "UPDATE on public.user_profiles to app_admin"),
            ("select on public.feedback", "public", "SELECT on public.feedback to public"),
            ("select on private.secrets", "service_role", "SELECT on private.secrets to service_role"),
            (
                "select (secret) on private.secrets",
                "authenticated",
                "SELECT (secret) on private.secrets to authenticat",
            ),
            ("usage on schema private", "anon", "USAGE on schema private to anon"),
            ("create on schema public", "authenticated", "CREATE on schema public to authenticated"),
            ("execute on function private.require_user()", "public", "EXECUTE on routine private.require_user() to pu"),
            ("usage on sequence public.probe", "anon", "USAGE on sequence public.probe to anon"),
            ("execute on procedure public.probe()", "public", "EXECUTE on routine public.probe() to public"),
        )
    ),
    Breakage(
        "wide_grants",
        "grant select on public.feedback_tags to anon with grant option",
        "revoke grant option for select on public.feedback_tags from anon",
        status="critical",
        says="SELECT on public.feedback_tags to anon",
    ),
    Breakage(
        "wide_grants",
        "grant select on public.feedback_tags to anon with grant option; "
        "set local role anon; grant select on public.feedback_tags to app_admin; set local role none",
        "revoke grant option for select on public.feedback_tags from anon cascade",
        status="critical",
        says="SELECT on public.feedback_tags to anon",
        by="superuser",
    ),
]


@pytest.fixture
def _staff(db: Session, alice: Person, carol: Person) -> None:
    """One member of staff, as they should be, and a user."""
    assert alice != carol
    db.as_owner().run(f"update auth.users set email_confirmed_at = now(), last_sign_in_at = now() where id = {CAROL}")
    db.run("create sequence public.probe; revoke all on public.probe from public, anon, authenticated, service_role")
    db.run("""
        create procedure public.probe() language plpgsql set search_path = pg_catalog, pg_temp as 'begin end';
        revoke all on procedure public.probe() from public, anon, authenticated, service_role
    """)
    # Older projects hand out rights by themselves, which is a finding; see the test below.
    for what in ("tables", "functions"):
        db.run(
            f"alter default privileges for role postgres in schema public revoke all on {what} from anon, authenticated"
        )


@pytest.mark.one_platform
@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
@pytest.mark.usefixtures("_staff")
def test_what_is_broken_is_found_and_nothing_else(
    db: Session, connection: psycopg.Connection, breakage: Breakage
) -> None:
    prove(db, connection, "security", breakage)


def test_every_check_is_proved(db: Session) -> None:
    # The rotation of keys has a test of its own below.
    assert set(db.as_owner().column(NAMES, ["security"])) == {it.check for it in BREAKAGES} | {"key_rotation"}


def test_a_fresh_installation_is_clean_but_for_the_grants_of_older_projects(
    db: Session, request: pytest.FixtureRequest
) -> None:
    regime = request.node.callspec.params["platform"].partition("-")[2]
    found = findings(db, "security")
    assert found.keys() == ({"grants_regime"} if regime == "auto" else set())
    assert report(db, "security")["status"] == ("warning" if regime == "auto" else "ok")


def test_a_change_of_the_encryption_key_that_stopped_half_way_is_found(db: Session, alice: Person) -> None:
    configure(db)
    db.as_user(alice).value("select public.save_api_key('openai', 'sk-proj-' || repeat('Ab1_', 30))")
    assert "key_rotation" not in findings(db, "security")
    configure(db, ENCRYPTION_KEY, "app_encryption_key_previous")
    configure(db, new_encryption_key())
    found = findings(db, "security")["key_rotation"]
    assert (found["status"], found["value"], found["hint"]) == ("warning", 1, "forge-db rotate-keys")
    db.run("select public.rotate_api_keys()")
    assert "key_rotation" not in findings(db, "security")


def test_a_finding_never_shows_a_key(db: Session, connection: psycopg.Connection, alice: Person) -> None:
    key = "sk-proj-Ab1_Ab1_Ab1_Ab1_Ab1_"
    say(db, connection, "owner", UNGUARDED.format(alice=f"'{alice.id}'", key=key))
    assert key not in db.as_owner().value("select public.security_audit()::text || public.integrity_check()::text")


@pytest.mark.parametrize("function", ["health_check", "integrity_check", "security_audit"])
def test_only_the_server_and_the_owner_ask(db: Session, alice: Person, carol: Person, function: str) -> None:
    call = f"select public.{function}() ->> 'status'"
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value(call)
    assert db.as_server().value(call) in ("ok", "warning")


@pytest.mark.parametrize("kind", ["", "secrets", "x'; drop table private.secrets; --", "health__connections", None])
def test_what_is_no_kind_of_check_is_refused(db: Session, kind: str | None) -> None:
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.as_owner().value("select private.run_checks(%s)", [kind])
    assert refusal.value.diag.message_hint == "Pass health, integrity or security."


def test_a_function_that_a_policy_calls_may_be_called(db: Session, carol: Person) -> None:
    """In private, where nobody reaches it by its name."""
    assert carol
    db.as_owner().execute("""
        create function private.stray() returns boolean language sql stable security definer
            set search_path = pg_catalog, pg_temp as 'select true';
        revoke execute on function private.stray() from public;
        grant execute on function private.stray() to authenticated
    """)
    assert "private.stray() by authenticated" in findings(db, "security")["definer_functions"]["detail"]
    db.run("create policy stray on public.feedback for delete to authenticated using (private.stray())")
    assert "definer_functions" not in findings(db, "security")


def test_where_vault_is_secrets_should_go_there(db: Session, connection: psycopg.Connection) -> None:
    configure(db)
    hint = findings(db, "security")["stored_secrets"]["hint"]
    assert hint == "select name, updated_at from private.secrets;"
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        connection.execute((Path(__file__).parent / "harness" / "vault.sql").read_bytes())
    hint = findings(db, "security")["stored_secrets"]["hint"]
    assert hint == "select private.keep_secret(name, secret) from private.secrets;"


def test_without_an_encryption_key_there_is_nothing_to_rotate(db: Session) -> None:
    rotation = "select private.security__key_rotation() ->> 'detail'"
    assert db.as_owner().value(rotation) == "No encryption key is configured."
    configure(db)
    assert db.as_owner().value(rotation) == "0 API keys are sealed with an older encryption key."


@pytest.mark.usefixtures("_staff")
def test_the_account_to_look_at_is_named_and_no_other(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    answer = "select private.security__staff_accounts()"
    assert db.as_owner().value(answer)["detail"] == "1 staff accounts, all in order."
    db.run("update auth.users set role = 'app_admin', email_confirmed_at = null where id = %s", [alice.id])
    found = db.value(answer)
    assert found["detail"] == f"Found 1: staff accounts to look at: {alice.id} (not confirmed)."
    assert found["hint"] == f"update auth.users set role = 'authenticated' where id = '{alice.id}';"
    # The worst first.
    db.run("update auth.users set role = 'service_role' where id = %s", [bob.id])
    found = db.value(answer)
    assert found["status"] == "critical"
    assert found["hint"].endswith(f"where id = '{bob.id}';")
    db.run("update auth.users set phone_confirmed_at = now() where id = %s", [alice.id])
    assert db.value(answer)["value"] == 1
    assert carol


POWERS = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls", "rolcanlogin")
# What a server has, and the owner is not called postgres.
ROLES: dict[str, tuple[int, set[str]]] = {
    "root": (10, {"rolsuper", "rolbypassrls", "rolcanlogin"}),
    "anon": (100, set()),
    "authenticated": (101, set()),
    "app_admin": (102, set()),
    "service_role": (103, {"rolbypassrls"}),
    "authenticator": (104, {"rolcanlogin"}),
    "our_owner": (200, {"rolcreaterole", "rolbypassrls", "rolcanlogin"}),
    "supabase_admin": (201, {"rolsuper", "rolbypassrls", "rolcanlogin"}),
    "somebody": (202, {"rolcanlogin", "rolcreatedb"}),
    "pg_read_all_data": (203, set()),
}
MEMBERS = [
    *(("authenticator", name) for name in ("anon", "authenticated", "app_admin", "service_role")),
    ("app_admin", "authenticated"),
    *((name, "service_role") for name in ("root", "our_owner", "supabase_admin")),
    ("root", "our_owner"),
    ("somebody", "pg_read_all_data"),
    ("somebody", "authenticated"),
]


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("role", "powers", "joins", "found"),
    [
        ("somebody", set(), None, None),
        ("somebody", {"rolsuper"}, None, "somebody has SUPERUSER"),
        ("somebody", {"rolsuper", "rolbypassrls"}, None, "somebody has SUPERUSER"),
        ("somebody", {"rolbypassrls"}, None, "somebody has BYPASSRLS"),
        ("somebody", set(), "service_role", "somebody is a member of service_role"),
        ("somebody", set(), "app_admin", "somebody is a member of app_admin"),
        ("somebody", set(), "authenticator", "somebody is a member of authenticator"),
        ("somebody", set(), "our_owner", "somebody is a member of our_owner"),
        ("our_owner", {"rolsuper"}, "app_admin", None),
        ("authenticator", {"rolcanlogin"}, "pg_read_all_data", "authenticator is a member of pg_read_all_data"),
        ("anon", {"rolcanlogin"}, None, "anon has LOGIN"),
        ("anon", set(), "authenticated", "anon is a member of authenticated"),
    ],
)
def test_roles_have_the_power_that_they_need(
    db: Session, role: str, powers: set[str], joins: str | None, found: str | None
) -> None:
    roles = ROLES | {role: (ROLES[role][0], ROLES[role][1] | powers)}
    members = [*MEMBERS, *([(role, joins)] if joins else [])]
    made_up(
        db,
        "private.security__roles()",
        {"current_user": "'our_owner'"},
        pg_roles=[
            {"oid": oid, "rolname": name, **{power: power in held for power in POWERS}}
            for name, (oid, held) in roles.items()
        ],
        pg_auth_members=[
            {"member": ROLES[member][0], "roleid": ROLES[granted][0], "grantor": 10} for member, granted in members
        ],
    )
    answer = db.as_owner().value("select private.security__roles()")
    assert (answer["value"], answer["status"]) == ((1, "critical") if found else (0, "ok")), answer
    assert found is None or answer["detail"].endswith(f": {found}.")
