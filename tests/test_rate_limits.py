"""Rate limits: exactly as many calls as the limit says, whoever calls at once, whatever the clock does."""

import fcntl
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import postgrest
from harness.client import Client, join
from harness.clusters import HOME
from harness.databases import Database
from harness.examples import envelope
from harness.people import Person, delete_account
from harness.refusal import Guard
from harness.session import Session

CHECK = "select * from public.check_rate_limit(%s)"
CONSUME = "select * from private.consume_rate_limit('openai', %s)"
NOON = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)
PROVIDERS = ("openai", "gemini", "anthropic")
COUNTED = "select minute_count, day_count from private.rate_limit_counters where provider = 'openai'"


@pytest.fixture
def key(db: Session, alice: Person) -> None:
    """Alice has a key for OpenAI."""
    db.add("api_configurations", user_id=alice.id)


@pytest.fixture
def ask(db: Session, alice: Person, key: None) -> Callable[..., dict[str, Any]]:
    """Alice asks, at a moment of the test's choice."""
    assert key is None

    def ask_at(moment: datetime = NOON) -> dict[str, Any]:
        with db.aside():
            db.as_owner().value("select set_config('request.jwt.claims', %s, true)", [json.dumps(alice.claims())])
            (row,) = db.rows(CONSUME, [moment])
            return row

    return ask_at


def limit(db: Session, minute: int, day: int) -> None:
    """What OpenAI allows; the general limits are out of the way."""
    with db.aside():
        db.as_owner().run(
            "update public.api_providers set max_requests_per_minute = %s, max_requests_per_day = %s "
            "where name = 'openai'",
            [minute, day],
        )
        db.run("update public.system_config set value = '100000' where key like 'max_api_requests_per_%'")


def allowed(answer: dict[str, Any]) -> bool:
    return bool(answer["allowed"])


# What it says ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("key")
def test_it_counts_down_and_then_says_which_limit_and_when_to_retry(db: Session, alice: Person) -> None:
    limit(db, 2, 100)
    db.as_user(alice)
    first, second, last = (postgrest.call(db, "check_rate_limit", provider="openai") for _ in range(3))
    yes = {"allowed": True, "limit_scope": None, "retry_after_seconds": 0}
    assert first == yes | {"remaining_minute": 1, "remaining_day": 99}
    assert second == yes | {"remaining_minute": 0, "remaining_day": 98}
    assert 1 <= last.pop("retry_after_seconds") <= 60
    assert last == {"allowed": False, "limit_scope": "minute", "remaining_minute": 0, "remaining_day": 98}


def test_the_answer_is_exact_to_the_second(db: Session, ask: Callable[..., dict[str, Any]]) -> None:
    limit(db, 1, 2)
    assert ask(NOON) == {
        "allowed": True,
        "limit_scope": None,
        "remaining_minute": 0,
        "remaining_day": 1,
        "retry_after_seconds": 0,
    }
    assert ask(NOON + timedelta(seconds=0.5)) == {
        "allowed": False,
        "limit_scope": "minute",
        "remaining_minute": 0,
        "remaining_day": 1,
        "retry_after_seconds": 30,
    }
    assert allowed(ask(NOON + timedelta(seconds=30)))
    assert ask(NOON + timedelta(seconds=30)) == {
        "allowed": False,
        "limit_scope": "day",
        "remaining_minute": 0,
        "remaining_day": 0,
        "retry_after_seconds": 12 * 3600 - 60,
    }
    assert ask(NOON + timedelta(minutes=5))["remaining_minute"] == 1


def test_who_waits_as_told_is_allowed_and_who_comes_earlier_is_not(
    db: Session, ask: Callable[..., dict[str, Any]]
) -> None:
    limit(db, 1, 2)
    moment = NOON
    for _ in range(2):
        assert allowed(ask(moment))
        denied = ask(moment)
        wait = denied["retry_after_seconds"]
        assert not allowed(ask(moment + timedelta(seconds=wait - 1)))
        moment += timedelta(seconds=wait)
    assert allowed(ask(moment))


# Boundaries and clocks ------------------------------------------------------------------------------------------------

END_OF_MINUTE = datetime(2026, 5, 4, 12, 0, 59, 999999, tzinfo=UTC)
END_OF_DAY = datetime(2026, 5, 4, 23, 59, 59, 999999, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize("end", [END_OF_MINUTE, END_OF_DAY, datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
def test_a_new_window_begins_on_the_instant(db: Session, ask: Callable[..., dict[str, Any]], end: datetime) -> None:
    limit(db, 2, 1000)
    assert [allowed(ask(end)) for _ in range(3)] == [True, True, False]
    assert ask(end)["retry_after_seconds"] == 1
    assert [allowed(ask(end + INSTANT)) for _ in range(3)] == [True, True, False]


def test_a_new_day_begins_at_midnight_utc(db: Session, ask: Callable[..., dict[str, Any]]) -> None:
    limit(db, 100, 2)
    assert [allowed(ask(END_OF_DAY)) for _ in range(3)] == [True, True, False]
    assert [allowed(ask(END_OF_DAY + INSTANT)) for _ in range(3)] == [True, True, False]


@pytest.mark.one_platform
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia"])
@pytest.mark.parametrize("day", ["2026-03-08", "2026-03-29", "2026-06-15", "2026-10-25", "2026-11-01"])
def test_the_time_zone_of_the_session_changes_nothing(
    db: Session, alice: Person, ask: Callable[..., dict[str, Any]], zone: str, day: str
) -> None:
    """Nor does the day on which its clocks change. A client may ask for any zone (Prefer: timezone=…)."""
    limit(db, 10, 1)
    moment = datetime.fromisoformat(f"{day}T06:30:15+00:00")

    def in_zone(at: datetime) -> dict[str, Any]:
        with db.aside():
            db.as_owner().value("select set_config('request.jwt.claims', %s, true)", [json.dumps(alice.claims())])
            db.value("select set_config('timezone', %s, true)", [zone])
            (row,) = db.rows(CONSUME, [at])
            return row

    assert allowed(ask(moment))
    denied = in_zone(moment)
    assert (denied["limit_scope"], denied["retry_after_seconds"]) == ("day", 17 * 3600 + 29 * 60 + 45)
    assert not allowed(in_zone(moment + timedelta(hours=17)))
    assert allowed(in_zone(moment + timedelta(hours=18)))


def test_who_asked_before_the_minute_turned_counts_in_the_new_one(
    db: Session, ask: Callable[..., dict[str, Any]]
) -> None:
    limit(db, 2, 1000)
    assert allowed(ask(END_OF_MINUTE + INSTANT))
    assert allowed(ask(END_OF_MINUTE))
    assert not allowed(ask(END_OF_MINUTE))
    assert not allowed(ask(END_OF_MINUTE + INSTANT))


@pytest.mark.parametrize("step", [timedelta(minutes=5), timedelta(hours=3), timedelta(days=40)])
def test_a_clock_that_is_put_back_locks_nobody_out(
    db: Session, ask: Callable[..., dict[str, Any]], step: timedelta
) -> None:
    limit(db, 2, 1000)
    assert [allowed(ask(NOON)) for _ in range(3)] == [True, True, False]
    assert [allowed(ask(NOON - step)) for _ in range(3)] == [True, True, False]
    assert ask(NOON - step)["retry_after_seconds"] == 30


def test_a_clock_that_is_put_back_within_the_day_keeps_the_days_count(
    db: Session, ask: Callable[..., dict[str, Any]]
) -> None:
    limit(db, 100, 2)
    assert [allowed(ask(NOON)) for _ in range(3)] == [True, True, False]
    assert not allowed(ask(NOON - timedelta(hours=3)))
    assert not allowed(ask(NOON + timedelta(hours=3)))


def test_a_clock_that_jumps_ahead_opens_new_windows(db: Session, ask: Callable[..., dict[str, Any]]) -> None:
    limit(db, 2, 3)
    assert [allowed(ask(NOON)) for _ in range(3)] == [True, True, False]
    assert [allowed(ask(NOON + timedelta(minutes=1))) for _ in range(2)] == [True, False]
    assert [allowed(ask(NOON + timedelta(days=400))) for _ in range(3)] == [True, True, False]


class Model:
    """The same in a few lines of Python: two windows, each with a count."""

    def __init__(self, minute: int, day: int) -> None:
        self.most = (minute, day)
        self.windows = [(datetime.min.replace(tzinfo=UTC), 0)] * 2

    def ask(self, moment: datetime) -> tuple[bool, str | None]:
        lengths = timedelta(minutes=1), timedelta(days=1)
        begins = moment.replace(second=0, microsecond=0), moment.replace(hour=0, minute=0, second=0, microsecond=0)
        found = [
            (start, count) if start in (begin, begin + length) else (begin, 0)
            for (start, count), begin, length in zip(self.windows, begins, lengths, strict=True)
        ]
        full = [count >= most for (_, count), most in zip(found, self.most, strict=True)]
        if any(full):
            return False, "day" if full[1] else "minute"
        self.windows = [(start, count + 1) for start, count in found]
        return True, None


STEPS = st.one_of(
    st.just(timedelta()),
    st.integers(1, 59).map(lambda seconds: timedelta(seconds=seconds)),
    st.sampled_from(
        [
            timedelta(minutes=1),
            timedelta(seconds=-1),
            timedelta(minutes=-1),
            timedelta(minutes=-2),
            timedelta(hours=1),
            timedelta(hours=-1),
            timedelta(days=1),
            timedelta(days=-1),
            timedelta(days=-2),
        ]
    ),
)


@pytest.mark.one_platform
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minute=st.integers(1, 4),
    day=st.integers(1, 8),
    start=st.sampled_from([NOON, END_OF_MINUTE, END_OF_DAY]),
    steps=st.lists(STEPS, max_size=25),
)
def test_it_does_what_a_model_of_it_does(
    db: Session, ask: Callable[..., dict[str, Any]], minute: int, day: int, start: datetime, steps: list[timedelta]
) -> None:
    limit(db, minute, day)
    db.as_owner().run("delete from private.rate_limit_counters")
    model, moment = Model(minute, day), start
    for step in steps:
        moment += step
        answer = ask(moment)
        assert (answer["allowed"], answer["limit_scope"]) == model.ask(moment)
        assert (answer["retry_after_seconds"] > 0) is not answer["allowed"]


# Which limit ----------------------------------------------------------------------------------------------------------


def limits(db: Session) -> Any:
    return db.truth(
        "select jsonb_object_agg(provider, jsonb_build_array(per_minute, per_day)) from private.rate_limits"
    )


def test_limits_are_the_providers_but_at_most_the_general_ones(db: Session) -> None:
    assert limits(db)["openai"] == [60, 1000]
    db.as_owner().run("update public.api_providers set max_requests_per_minute = 10 where name = 'openai'")
    assert limits(db)["openai"] == [10, 1000]
    db.run("update public.system_config set value = '5' where key = 'max_api_requests_per_minute'")
    db.run("update public.system_config set value = '200' where key = 'max_api_requests_per_day'")
    assert limits(db) == {name: [5, 200] for name in PROVIDERS}


def test_an_override_replaces_both(db: Session, carol: Person) -> None:
    override = "update public.system_config set value = %s where key = 'rate_limit_overrides'"
    db.as_staff(carol).run(
        override, [Jsonb({"openai": {"per_minute": 120}, "gemini": {"per_minute": 1, "per_day": 5000}})]
    )
    assert limits(db) == {"openai": [120, 1000], "gemini": [1, 5000], "anthropic": [60, 1000]}
    db.run(override, [Jsonb({})])
    assert limits(db) == {name: [60, 1000] for name in PROVIDERS}


BAD_OVERRIDES: list[Any] = [
    None,
    [],
    "openai",
    5,
    {"openai": 5},
    {"openai": None},
    {"openai": {}},
    {"openai": []},
    *({"openai": {"per_minute": bad}} for bad in (0, -1, 1.5, "60", None, [60], 10**12)),
    {"openai": {"per_hour": 60}},
    {"openai": {"per_minute": 60, "note": "x"}},
]


@pytest.mark.one_platform
@pytest.mark.parametrize("value", BAD_OVERRIDES, ids=json.dumps)
def test_an_override_that_is_no_list_of_limits_is_refused(db: Session, carol: Person, value: Any) -> None:
    """It is read before every call to a provider: a slip would stop them all."""
    before = limits(db)
    db.as_staff(carol)
    with db.refuses(errors.CheckViolation, constraint="system_config_value_has_its_type"):
        db.run("update public.system_config set value = %s where key = 'rate_limit_overrides'", [Jsonb(value)])
    assert limits(db) == before


def test_a_new_limit_holds_at_once(db: Session, ask: Callable[..., dict[str, Any]]) -> None:
    limit(db, 1, 1000)
    assert [allowed(ask()) for _ in range(2)] == [True, False]
    limit(db, 3, 1000)
    assert [allowed(ask()) for _ in range(3)] == [True, True, False]
    limit(db, 2, 1000)
    denied = ask()
    assert (denied["allowed"], denied["remaining_minute"]) == (False, 0)


def test_two_changes_of_limits_at_once_both_count(scratch: Database) -> None:
    """Each sees what the other has changed, although both began before either ended."""
    with scratch.connect() as one, scratch.connect() as other:
        one.execute("update public.api_providers set max_requests_per_day = 7 where name = 'openai'")

        def change() -> None:
            other.execute("update public.system_config set value = '3' where key = 'max_api_requests_per_minute'")
            other.commit()

        thread = threading.Thread(target=change)
        thread.start()
        time.sleep(0.3)
        one.commit()
        thread.join()
        found = one.execute("select per_minute, per_day from private.rate_limits where provider = 'openai'").fetchall()
    assert found == [(3, 7)]


def test_restored_or_emptied_catalogues_are_followed(db: Session) -> None:
    db.as_owner().run("delete from public.api_providers where name = 'gemini'")
    assert set(limits(db)) == {"openai", "anthropic"}
    db.run("truncate public.api_providers")
    assert limits(db) is None


# Errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("provider", ["acme", "OpenAI", "", None, "x" * 100000])
def test_an_unknown_provider_is_an_error_and_uses_nothing_up(db: Session, alice: Person, provider: str | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.rows(CHECK, [provider])
    assert refusal.value.diag.sqlstate == "PT404"
    assert refusal.value.diag.message_hint == "Providers: anthropic, gemini, openai. Names are lower case."
    assert db.truth("select count(*) from private.rate_limit_counters") == 0


@pytest.mark.usefixtures("key")
def test_a_provider_that_is_switched_off_is_an_error(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.api_providers set is_enabled = false where name = 'openai'")
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.rows(CHECK, ["openai"])
    assert refusal.value.diag.sqlstate == "PT404"
    db.as_owner().run("update public.api_providers set is_enabled = true where name = 'openai'")
    assert allowed(db.as_user(alice).rows(CHECK, ["openai"])[0])


@pytest.mark.parametrize("stored", [False, True], ids=["none", "switched off"])
def test_without_a_key_there_is_nothing_to_limit(db: Session, alice: Person, stored: bool) -> None:
    if stored:
        db.add("api_configurations", user_id=alice.id, is_active=False)
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.rows(CHECK, ["openai"])
    assert refusal.value.diag.sqlstate == "PT404"
    assert refusal.value.diag.message_primary == 'no active key for provider "openai" is stored'
    assert db.truth("select count(*) from private.rate_limit_counters") == 0


def test_only_who_is_signed_in_asks(db: Session) -> None:
    db.as_token("authenticated", '{"role": "authenticated"}')
    with db.refuses(errors.InvalidAuthorizationSpecification):
        db.rows(CHECK, ["openai"])
    for speak in (db.as_visitor, db.as_server):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows(CHECK, ["openai"])


@pytest.mark.usefixtures("key")
def test_nobody_reaches_the_counters_or_another_time(db: Session, alice: Person, carol: Person) -> None:
    for speak, person in ((db.as_user, alice), (db.as_staff, carol)):
        speak(person)
        for statement in ("delete from private.rate_limit_counters", "select * from private.rate_limits", COUNTED):
            with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
                db.run(statement)
        with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
            db.rows(CONSUME, [NOON])


def test_each_user_and_each_provider_has_limits_of_their_own(db: Session, alice: Person, bob: Person) -> None:
    limit(db, 1, 1000)
    for person in (alice, bob):
        db.add("api_configurations", user_id=person.id)
        db.as_user(person)
        assert [allowed(db.rows(CHECK, ["openai"])[0]) for _ in range(2)] == [True, False]
    db.add("api_configurations", user_id=alice.id, provider="gemini")
    assert allowed(db.as_user(alice).rows(CHECK, ["gemini"])[0])


def test_the_counters_go_with_the_account(db: Session, alice: Person, ask: Callable[..., dict[str, Any]]) -> None:
    ask()
    delete_account(db, alice)
    assert db.truth("select count(*) from private.rate_limit_counters") == 0


# Many at once ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def alices(scratch: Database) -> Person:
    """In a database with real commits: Alice, with a key."""
    with scratch.connect() as owner:
        alice = join(owner, "alice@example.com")
        owner.execute(
            "insert into public.api_configurations (user_id, provider, api_key_encrypted) values (%s, 'openai', %s)",
            [alice.id, envelope()],
        )
    return alice


@pytest.fixture
def alone() -> Iterator[None]:
    """A crowd needs most of the server's connections, so there is one at a time."""
    with (HOME / "crowd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_limits(database: Database, minute: int, day: int) -> None:
    with database.connect() as owner:
        owner.execute(
            "update public.api_providers set max_requests_per_minute = %s, max_requests_per_day = %s", [minute, day]
        )
        owner.execute("update public.system_config set value = '1000000' where key = 'max_api_requests_per_day'")
        owner.execute("update public.system_config set value = '100000' where key = 'max_api_requests_per_minute'")
        owner.execute("delete from private.rate_limit_counters")


def hammer(database: Database, person: Person, *, clients: int, calls: int) -> Counter[Any]:
    """So many clients, all at once, so many calls each. How often each answer came; an error is an answer too."""
    answers: Counter[Any] = Counter()
    crowd = [Client.of(database, person) for _ in range(clients)]
    ready = threading.Barrier(clients)

    def call(client: Client) -> None:
        ready.wait()
        for _ in range(calls):
            try:
                answer = client.rows(CHECK, ["openai"])[0]
                answers[answer["limit_scope"] or "allowed"] += 1
            except psycopg.Error as error:
                answers[str(error)] += 1

    threads = [threading.Thread(target=call, args=[client]) for client in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in crowd:
        client.connection.close()
    return answers


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("most", [1, 200])
def test_a_crowd_gets_exactly_as_much_as_the_day_allows(scratch: Database, alices: Person, most: int) -> None:
    set_limits(scratch, 100000, most)
    assert hammer(scratch, alices, clients=64, calls=8) == {"allowed": most, "day": 64 * 8 - most}


@pytest.mark.one_platform
@pytest.mark.usefixtures("alone")
def test_a_crowd_gets_exactly_as_much_as_the_minute_allows(scratch: Database, alices: Person) -> None:
    set_limits(scratch, 100, 100000)
    if (second := datetime.now(UTC).second) > 45:
        time.sleep(60 - second)  # the crowd needs a few seconds within one minute
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    answers = hammer(scratch, alices, clients=64, calls=8)
    minutes = (datetime.now(UTC).replace(second=0, microsecond=0) - before) // timedelta(minutes=1)
    assert set(answers) == {"allowed", "minute"}
    assert minutes or answers["allowed"] == 100
    assert answers["allowed"] <= 100 * (minutes + 1)


@pytest.mark.slow
def test_who_waited_for_more_than_a_minute_counts_in_the_minute_that_is(scratch: Database, alices: Person) -> None:
    """Else whoever holds the row for long would have the window set back, and the limit once more."""
    set_limits(scratch, 5, 1000)
    claims = json.dumps(alices.claims())
    moment = datetime.now(UTC).replace(second=59)
    later = moment.replace(second=0, microsecond=0) + timedelta(minutes=2)
    with scratch.connect() as holder, scratch.connect() as waiter:
        for session in (holder, waiter):
            session.execute("select set_config('request.jwt.claims', %s, false)", [claims])
            session.commit()
        for _ in range(5):
            holder.execute(CONSUME, [later])
        answer: list[Any] = []
        thread = threading.Thread(target=lambda: answer.append(waiter.execute(CONSUME, [moment]).fetchone()))
        thread.start()
        time.sleep(65)
        holder.commit()
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert answer[0][:2] == (False, "minute")


def test_a_denial_takes_no_lock_and_no_transaction_id(scratch: Database, alices: Person) -> None:
    set_limits(scratch, 1, 1000)
    with scratch.connect() as holder, Client.of(scratch, alices) as client:
        claims = json.dumps(alices.claims())
        moment = datetime.now(UTC) + timedelta(seconds=30)
        holder.execute("select set_config('request.jwt.claims', %s, false)", [claims])
        holder.execute(CONSUME, [moment])
        holder.commit()
        holder.execute("select * from private.rate_limit_counters for update")
        with client.transaction() as request:
            request.execute("set local lock_timeout = '1s'")
            denied = request.execute(CHECK, ["openai"]).fetchone()
            assert denied is not None
            assert denied["allowed"] is False
            assigned = request.execute("select pg_current_xact_id_if_assigned()::text as id").fetchone()
            assert assigned == {"id": None}


def test_counting_stays_on_the_page(scratch: Database, alices: Person) -> None:
    """Every update is a HOT update, so that the table does not grow with the calls. So many that they fit on a page:
    whether room is made there for more is up to whoever holds an old snapshot, in any database of the server."""
    set_limits(scratch, 100000, 100000)
    with Client.of(scratch, alices) as client:
        for _ in range(41):
            client.rows(CHECK, ["openai"])
        client.connection.execute("select pg_stat_force_next_flush()")
    with scratch.connect(autocommit=True) as owner:
        updates = owner.execute(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'rate_limit_counters'"
        ).fetchone()
    assert updates == (40, 40)


@pytest.mark.one_platform
@pytest.mark.parametrize("day", [1, 1000], ids=["denied", "allowed"])
def test_a_denial_writes_no_wal(scratch: Database, alices: Person, day: int) -> None:
    set_limits(scratch, 100000, day)
    with Client.of(scratch, alices) as client:
        for _ in range(3):
            client.rows(CHECK, ["openai"])  # hint bits are set, and are not what this is about
        plan = client.value("explain (analyze, wal, format json) select * from public.check_rate_limit('openai')")
    assert (plan[0]["Plan"].get("WAL Records", 0) == 0) is (day == 1)


# The short way --------------------------------------------------------------------------------------------------------


def test_the_second_call_takes_the_short_way(
    db: Session, connection: psycopg.Connection, ask: Callable[..., dict[str, Any]]
) -> None:
    """Where both windows have begun and one more fits in, nothing is asked but the counter and the key."""
    limit(db, 10, 100)

    def long_ways() -> int:
        return int(
            db.truth("select coalesce(pg_stat_get_xact_function_calls('private.require_user()'::regprocedure), 0)")
        )

    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        connection.execute("set local track_functions = 'all'")
    before = long_ways()
    ask()
    assert long_ways() == before + 1
    for seconds in (-20, 0, 29):
        assert allowed(ask(NOON + timedelta(seconds=seconds)))
    assert long_ways() == before + 1
    ask(NOON + timedelta(minutes=5))
    assert long_ways() == before + 2


@pytest.mark.parametrize("gone", ["is_active = false", "provider = 'gemini'", None])
def test_who_has_counted_needs_a_key_all_the_same(
    db: Session, alice: Person, bob: Person, ask: Callable[..., dict[str, Any]], gone: str | None
) -> None:
    """An own one, for this provider, that is switched on."""
    limit(db, 10, 100)
    db.add("api_configurations", user_id=bob.id)
    assert allowed(ask())
    whose = "where user_id = %s and provider = 'openai'"
    change = (
        f"update public.api_configurations set {gone} {whose}"
        if gone
        else (f"delete from public.api_configurations {whose}")
    )
    assert db.as_owner().run(change, [alice.id]) == 1
    with pytest.raises(psycopg.Error, match="no active key for provider") as refusal, db.undone():
        ask()
    assert refusal.value.sqlstate == "PT404"


def test_one_counter_is_counted_up_and_no_other(
    db: Session, alice: Person, bob: Person, ask: Callable[..., dict[str, Any]]
) -> None:
    limit(db, 10, 100)
    ask()
    for person, provider in ((alice, "gemini"), (bob, "openai"), (bob, "gemini")):
        db.as_owner().run(
            "insert into private.rate_limit_counters "
            "(user_id, provider, minute_start, minute_count, day_start, day_count) "
            "select %s, %s, minute_start, 3, day_start, 4 from private.rate_limit_counters "
            "where user_id = %s and provider = 'openai'",
            [person.id, provider, alice.id],
        )
    assert ask()["remaining_minute"] == 8
    rows = db.rows("select user_id, provider, minute_count, day_count from private.rate_limit_counters")
    counts = {(row["user_id"], row["provider"]): (row["minute_count"], row["day_count"]) for row in rows}
    assert counts == {
        (alice.id, "openai"): (2, 2),
        (alice.id, "gemini"): (3, 4),
        (bob.id, "openai"): (3, 4),
        (bob.id, "gemini"): (3, 4),
    }
