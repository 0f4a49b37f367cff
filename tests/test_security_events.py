"""security_events: what the server reports, within limits; and refusals, which outlive the rollback that they cause."""

import time
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import keys
from harness.databases import SUPERUSER, Database
from harness.people import Person
from harness.refusal import Guard
from harness.request import request
from harness.session import Session

LOG = "select public.log_security_event(%s, %s, %s)"
EVENTS = "select * from public.security_events where event_type = %s"


def events(db: Session, event_type: str) -> list[dict[str, Any]]:
    with db.aside():
        return db.as_owner().rows(EVENTS, [event_type])


# log_security_event() -------------------------------------------------------------------------------------------------


def test_the_server_reports_what_it_saw(db: Session, alice: Person) -> None:
    event = db.as_server().value(
        "select public.log_security_event("
        "event_type => 'sign_in_failed', severity => 'warning', details => %s, user_id => %s, "
        "ip_address => '192.0.2.7', user_agent => 'Firefox')",
        [Jsonb({"reason": "password"}), alice.id],
    )
    (row,) = events(db, "sign_in_failed")
    assert (row["id"], row["user_id"], row["severity"]) == (event, alice.id, "warning")
    assert (str(row["ip_address"]), row["user_agent"], row["details"]) == (
        "192.0.2.7",
        "Firefox",
        {"reason": "password"},
    )
    assert row["log_line"] is None


def test_nobody_else_does(db: Session, alice: Person, carol: Person) -> None:
    """What a client says about itself is no evidence, and what it says about others less."""
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.run(LOG, ["sign_in_failed", "info", None])


@pytest.mark.parametrize(
    ("event_type", "severity", "details"),
    [
        (None, "info", None),
        ("", "info", None),
        ("Sign in", "info", None),
        ("x'; drop table public.feedback; --", "info", None),
        ("x" * 51, "info", None),
        ("probe", None, None),
        ("probe", "fatal", None),
        ("probe", "info'; delete from public.security_events; --", None),
        ("probe", "info", Jsonb([])),
        ("probe", "info", Jsonb("text")),
        ("probe", "info", Jsonb({"long": "x" * 16384})),
    ],
)
def test_what_is_no_event_is_refused(db: Session, event_type: str | None, severity: str | None, details: Any) -> None:
    db.as_server()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.run(LOG, [event_type, severity, details])
    assert refusal.value.diag.message_hint
    assert db.truth("select count(*) from public.security_events") == 0


def test_an_account_that_is_not_there_is_not_found(db: Session) -> None:
    db.as_server()
    with db.refuses(psycopg.Error) as refusal:
        db.run("select public.log_security_event('probe', user_id => gen_random_uuid())")
    assert refusal.value.sqlstate == "PT404"


def test_details_are_kept_as_they_are(db: Session) -> None:
    details = {"text": 'it\'s "quoted" %s $1', "nested": {"n": [1, None, True]}}
    db.as_server().run(LOG, ["probe", "info", Jsonb(details)])
    assert [row["details"] for row in events(db, "probe")] == [details]


@pytest.mark.parametrize(
    "details",
    [
        {"message": "bad key sk-proj-abcdefghijklmnop", "n": 1},
        {"url": "https://example.com/?key=AIzaSyA1234567890", "n": 1},
        {"api_key": 12345678},
    ],
)
def test_what_looks_like_a_key_is_cut(db: Session, details: dict[str, Any]) -> None:
    db.as_server().run(LOG, ["probe", "info", Jsonb(details)])
    (row,) = events(db, "probe")
    assert not any(part in str(row["details"]) for part in ("abcdefgh", "AIza", "12345678"))


def test_a_flood_of_one_kind_is_cut_off_and_drowns_no_other(db: Session) -> None:
    db.as_owner().run("update public.system_config set value = '5' where key = 'security_events_per_minute'")
    db.as_server()
    recorded = [db.value(LOG, ["probe", "info", None]) for _ in range(12)]
    assert [event is None for event in recorded] == [False] * 5 + [True] * 7
    assert len(events(db, "probe")) == 5
    (dropped,) = events(db, "events_dropped")
    assert dropped["severity"] == "warning"
    assert dropped["details"] == {"event_type": "probe", "per_minute": 5}
    assert db.value(LOG, ["other", "critical", None])


def test_a_minute_later_there_is_room_again(db: Session) -> None:
    db.as_owner().run("update public.system_config set value = '5' where key = 'security_events_per_minute'")
    for _ in range(5):
        db.add("security_events", event_type="probe", created_at=db.value("select now() - interval '61 seconds'"))
    assert db.as_server().value(LOG, ["probe", "info", None])


def test_a_key_that_was_shown_is_recorded_with_where_to(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.system_config set value = 'true' where key = 'client_key_reveal'")
    keys.configure(db)
    db.as_user(alice).run("select public.save_api_key('openai', %s)", [keys.KEYS["openai"]])
    db.speak(
        request("authenticated", headers={"cf-connecting-ip": "192.0.2.7", "user-agent": "Firefox"}, **alice.claims())
    )
    db.run("select public.reveal_api_key('openai')")
    (row,) = events(db, "api_key_revealed")
    assert (row["user_id"], str(row["ip_address"]), row["user_agent"]) == (alice.id, "192.0.2.7", "Firefox")


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(owner: psycopg.Connection) -> Any:
    row = owner.execute(
        "insert into auth.users (id, role, email) values (gen_random_uuid(), 'authenticated', 'a@example.com') "
        "returning id"
    ).fetchone()
    owner.execute("delete from private.secrets where name = 'app_encryption_key'")
    owner.execute("insert into private.secrets (name, secret) values ('app_encryption_key', %s)", ["k" * 40])
    owner.commit()
    assert row is not None
    return row[0]


@pytest.fixture
def maintained(scratch: Database, owner: psycopg.Connection) -> Database:
    """With a maintenance connection: dblink, and a password."""
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute("create extension dblink with schema extensions")
    owner.execute("select private.keep_secret('maintenance_dsn', %s)", [scratch.url()])
    owner.commit()
    return scratch


def speak(connection: psycopg.Connection, role: str, person: Any) -> None:
    connection.execute(
        "select set_config('request.jwt.claims', %s, true), set_config('request.headers', %s, true), "
        "set_config('role', %s, true)",
        [f'{{"sub": "{person}"}}', '{"cf-connecting-ip": "192.0.2.7", "user-agent": "Firefox"}', role],
    )


def reveal(database: Database, person: Any) -> float:
    """Ask for the own key, which is refused. How long it took."""
    with database.connect("authenticator") as client:
        speak(client, "authenticated", person)
        begin = time.monotonic()
        with pytest.raises(errors.InsufficientPrivilege, match="keys are not revealed to clients"):
            client.execute("select public.reveal_api_key('openai')")
        return time.monotonic() - begin


def recorded(owner: psycopg.Connection, event_type: str) -> list[Any]:
    owner.rollback()
    return owner.execute(
        "select user_id, severity, details, ip_address::text, user_agent from public.security_events "
        "where event_type = %s",
        [event_type],
    ).fetchall()


def test_a_refusal_is_recorded_although_it_rolls_back(
    maintained: Database, owner: psycopg.Connection, person: Any
) -> None:
    reveal(maintained, person)
    assert recorded(owner, "api_key_refused") == [(person, "info", None, "192.0.2.7/32", "Firefox")]


def test_an_envelope_that_does_not_open_is_recorded(
    maintained: Database, owner: psycopg.Connection, person: Any
) -> None:
    """Somebody has put another row's ciphertext there, say."""
    owner.execute(
        "insert into public.api_configurations (user_id, provider, api_key_encrypted) "
        "select %s, 'openai', private.seal_api_key(gen_random_uuid(), 'openai', 'sk-x', key_id, secret) "
        "from private.encryption_keys()",
        [person],
    )
    owner.commit()
    with maintained.connect("authenticator") as client:
        speak(client, "service_role", None)
        client.execute("set transaction read only")
        with pytest.raises(errors.DataException) as refusal:
            client.execute("select public.decrypt_api_key(%s, 'openai')", [person])
    assert refusal.value.diag.message_primary == "the stored key cannot be opened"
    assert refusal.value.diag.message_hint
    ((user_id, severity, details, _, _),) = recorded(owner, "api_key_unreadable")
    assert (user_id, severity, details) == (person, "warning", {"provider": "openai"})


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://postgres:wrong@127.0.0.1:1/none",
        "host=127.0.0.1 port=1 password=x",
        "host=192.0.2.1 password=x",
        "this is no connection string",
        "",
    ],
    ids=["refused", "refused as words", "no answer", "nonsense", "none"],
)
def test_a_refusal_is_the_same_where_it_cannot_be_recorded(
    maintained: Database, owner: psycopg.Connection, person: Any, dsn: str
) -> None:
    owner.execute("select private.keep_secret('maintenance_dsn', %s)", [dsn or None])
    owner.commit()
    assert reveal(maintained, person) < 5
    assert recorded(owner, "api_key_refused") == []


@pytest.mark.usefixtures("maintained")
def test_a_refusal_does_not_wait_for_a_lock(scratch: Database, owner: psycopg.Connection, person: Any) -> None:
    with scratch.connect() as holder:
        holder.execute("lock table public.security_events in share mode")
        assert reveal(scratch, person) < 5
    assert recorded(owner, "api_key_refused") == []


def test_who_cancels_a_refusal_is_left_with_no_connection_of_the_owner(
    maintained: Database, owner: psycopg.Connection, person: Any
) -> None:
    """What dblink has opened under a name outlives an error, and whoever the session is may go on in it."""
    with maintained.connect("authenticator") as client, maintained.connect() as holder:
        holder.execute("lock table public.security_events in share mode")  # what is to be recorded waits for this
        client.execute("set statement_timeout = 300")
        client.commit()
        speak(client, "authenticated", person)
        with pytest.raises(errors.QueryCanceled):
            client.execute("select public.reveal_api_key('openai')")
        client.rollback()
        speak(client, "authenticated", person)
        assert client.execute("select extensions.dblink_get_connections()").fetchone() == (None,)
    assert recorded(owner, "api_key_refused") == []


def test_without_dblink_it_is_the_same(scratch: Database, owner: psycopg.Connection, person: Any) -> None:
    owner.execute("select private.keep_secret('maintenance_dsn', %s)", [scratch.url()])
    owner.commit()
    assert reveal(scratch, person) < 5
    assert recorded(owner, "api_key_refused") == []


def test_who_is_refused_again_and_again_uses_up_nobody_elses_share(
    maintained: Database, owner: psycopg.Connection, person: Any
) -> None:
    other = owner.execute(
        "insert into auth.users (id, role, email) values (gen_random_uuid(), 'authenticated', 'b@example.com') "
        "returning id"
    ).fetchone()
    assert other is not None
    owner.execute(
        "insert into public.security_events (event_type, user_id) "
        "select 'api_key_refused', %s from generate_series(1, 40)",
        [other[0]],
    )
    owner.commit()
    for _ in range(12):
        reveal(maintained, person)
    reveal(maintained, other[0])
    assert sum(event[0] == person for event in recorded(owner, "api_key_refused")) == 10
    assert sum(event[0] == other[0] for event in recorded(owner, "api_key_refused")) == 40


def test_no_session_suppresses_the_record_of_its_own_refusal(
    maintained: Database, owner: psycopg.Connection, person: Any
) -> None:
    """By a connection of its own, by locks that it takes beforehand, or by reading only."""
    with maintained.connect("authenticator") as locker, maintained.connect("authenticator") as client:
        locker.execute("set role authenticated")
        locker.execute("select pg_advisory_lock(hashtextextended('private.record_refusal', 0))")
        client.execute("set app.maintenance_dsn = 'host=127.0.0.1 port=1 password=x'")
        client.commit()
        for mode in ("read write", "read only"):
            client.execute(f"set transaction {mode}".encode())
            speak(client, "authenticated", person)
            with pytest.raises(errors.InsufficientPrivilege, match="keys are not revealed to clients"):
                client.execute("select public.reveal_api_key('openai')")
            client.rollback()
    assert len(recorded(owner, "api_key_refused")) == 2


def test_no_session_lends_the_server_a_connection(scratch: Database, owner: psycopg.Connection, person: Any) -> None:
    """Where the owner has stored none, none is opened: what a session names is not looked at."""
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute("create extension dblink with schema extensions")
    with scratch.connect("authenticator") as client:
        speak(client, "authenticated", person)
        client.execute("select set_config('app.maintenance_dsn', %s, true)", [scratch.url()])
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("select public.reveal_api_key('openai')")
    assert recorded(owner, "api_key_refused") == []


def test_the_connection_is_closed_afterwards(maintained: Database, owner: psycopg.Connection, person: Any) -> None:
    sessions = "select count(*) from pg_stat_activity where datname = current_database()"
    for _ in range(3):
        reveal(maintained, person)
    deadline = time.monotonic() + 20
    while owner.execute(sessions).fetchone() != (1,):
        assert time.monotonic() < deadline, "it stays"
        owner.rollback()  # what pg_stat_activity shows is kept for a transaction
        time.sleep(0.02)
    assert len(recorded(owner, "api_key_refused")) == 3


def test_nothing_of_the_connection_string_shows(maintained: Database, owner: psycopg.Connection, person: Any) -> None:
    owner.execute("select private.keep_secret('maintenance_dsn', 'host=127.0.0.1 port=1 password=swordfish')")
    owner.commit()
    with maintained.connect("authenticator") as client:
        speak(client, "authenticated", person)
        with pytest.raises(errors.InsufficientPrivilege) as refusal:
            client.execute("select public.reveal_api_key('openai')")
    said = refusal.value.diag
    assert not any("swordfish" in (part or "") for part in (said.message_primary, said.message_detail, said.context))


def test_one_event_of_each_line_of_the_log(db: Session) -> None:
    db.add("security_events", log_line="6921c3a4.2b3f.12")
    with db.refuses(errors.UniqueViolation, constraint="security_events_once_per_log_line"):
        db.add("security_events", log_line="6921c3a4.2b3f.12")
