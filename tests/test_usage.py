"""Usage: what is logged, counted and summed up, and that nobody but log_api_usage() writes it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from harness import postgrest
from harness.client import Client, join
from harness.databases import Database
from harness.people import Person, delete_account
from harness.refusal import Guard
from harness.session import Session

LOG = "select public.log_api_usage(%s, %s, %s, %s, %s, %s, %s, %s)"
SUMMARY = "select public.get_usage_summary(%s)"
LOGGED = "select * from public.api_usage_logs"


def log(db: Session, provider: str | None = "openai", *others: Any, request_id: UUID | None = None) -> Any:
    """endpoint, request_size, response_size, response_time_ms, status_code, error_message."""
    return db.value(LOG, [provider, *others, *[None] * (6 - len(others)), request_id])


def counted(db: Session) -> Any:
    return db.truth("select coalesce(sum(usage_count), 0) from public.api_configurations")


# Logging --------------------------------------------------------------------------------------------------------------


def test_a_call_is_logged_stamped_and_counted(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id)
    log_id = postgrest.call(
        db.as_user(alice),
        "log_api_usage",
        provider="openai",
        endpoint="/v1/chat/completions",
        request_size=1200,
        response_size=3400,
        response_time_ms=850,
        status_code=200,
    )
    (row,) = db.rows(LOGGED)
    assert str(row.pop("id")) == log_id
    assert row.pop("created_at") == db.value("select now()")
    assert row == {
        "user_id": alice.id,
        "provider": "openai",
        "endpoint": "/v1/chat/completions",
        "request_size": 1200,
        "response_size": 3400,
        "response_time_ms": 850,
        "status_code": 200,
        "error_message": None,
    }
    used = db.rows("select usage_count, last_used_at = now() as just_now from public.api_configurations")
    assert used == [{"usage_count": 1, "just_now": True}]


def test_being_used_is_no_change_of_the_configuration(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id, updated_at="2020-01-01")
    log(db.as_user(alice))
    assert db.value("select updated_at = '2020-01-01' from public.api_configurations") is True


def test_only_the_callers_key_for_that_provider_is_counted(db: Session, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        for provider in ("openai", "gemini"):
            db.add("api_configurations", user_id=person.id, provider=provider)
    log(db.as_user(alice), "gemini")
    assert db.truth("select jsonb_agg(provider) from public.api_configurations where usage_count = 1") == ["gemini"]
    assert db.truth("select jsonb_agg(user_id) from public.api_configurations where usage_count = 1") == [str(alice.id)]


def test_a_call_without_a_stored_key_is_logged(db: Session, alice: Person) -> None:
    log(db.as_user(alice))
    assert len(db.rows(LOGGED)) == 1


def test_a_call_to_a_provider_that_was_switched_off_meanwhile_is_logged(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.api_providers set is_enabled = false where name = 'openai'")
    log(db.as_user(alice))
    assert len(db.rows(LOGGED)) == 1


BAD_CALLS: dict[str, list[Any]] = {
    "a negative request": ["openai", None, -1],
    "a negative response": ["openai", None, None, -1],
    "a negative time": ["openai", None, None, None, -1],
    "status 99": ["openai", None, None, None, None, 99],
    "status 600": ["openai", None, None, None, None, 600],
    "status 1000": ["openai", None, None, None, None, 1000],
    "status 0": ["openai", None, None, None, None, 0],
    "status -200": ["openai", None, None, None, None, -200],
}


@pytest.mark.parametrize("call", BAD_CALLS.values(), ids=BAD_CALLS)
def test_figures_that_cannot_be_are_refused_and_nothing_is_counted(db: Session, alice: Person, call: list[Any]) -> None:
    db.add("api_configurations", user_id=alice.id)
    db.as_user(alice)
    request_id = uuid4()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        log(db, *call, request_id=request_id)
    assert refusal.value.diag.message_hint
    assert db.rows(LOGGED) == []
    assert counted(db) == 0
    assert log(db, "openai", request_id=request_id), "what was refused has not used up its request id"


@pytest.mark.parametrize("figure", [2**31, -(2**31) - 1, 10**30])
def test_a_figure_that_is_no_integer_is_refused(db: Session, alice: Person, figure: int) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError):
        log(db, "openai", None, figure)
    assert db.rows(LOGGED) == []


@pytest.mark.parametrize("provider", ["OpenAI", "OPENAI", " openai", "acme", "", None, "x" * 100000])
def test_an_unknown_provider_names_the_ones_there_are(db: Session, alice: Person, provider: str | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        log(db, provider)
    assert refusal.value.diag.sqlstate == "PT404"
    assert refusal.value.diag.message_hint == "Providers: anthropic, gemini, openai. Names are lower case."
    assert db.rows(LOGGED) == []


def test_long_texts_are_cut_and_not_refused(db: Session, alice: Person) -> None:
    """An answer of a provider must not be able to make its own logging fail."""
    log(db.as_user(alice), "openai", "é" * 100000, None, None, None, 500, "x" * 100000)
    (row,) = db.rows(LOGGED)
    assert (row["endpoint"], row["error_message"]) == ("é" * 2048, "x" * 10000)


def test_zero_and_the_largest_are_figures(db: Session, alice: Person) -> None:
    for status in (100, 599, None):
        log(db.as_user(alice), "openai", "", 0, 2**31 - 1, 0, status, "")
    assert len(db.rows(LOGGED)) == 3


def test_only_who_is_signed_in_logs(db: Session) -> None:
    db.as_token("authenticated", '{"role": "authenticated"}')
    with db.refuses(errors.InvalidAuthorizationSpecification):
        log(db)
    for speak in (db.as_visitor, db.as_server):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            log(db)


@pytest.mark.parametrize(
    ("guard", "statement"),
    [
        (Guard.TABLE_GRANT, "insert into public.api_usage_logs (user_id, provider) values (%(id)s, 'openai')"),
        (Guard.TABLE_GRANT, "update public.api_usage_logs set status_code = 200"),
        (Guard.TABLE_GRANT, "delete from public.api_usage_logs"),
        (Guard.TABLE_GRANT, "truncate public.api_usage_logs"),
        (Guard.COLUMN_GRANT, "update public.api_configurations set usage_count = 0"),
        (Guard.COLUMN_GRANT, "update public.api_configurations set last_used_at = null"),
        (
            Guard.COLUMN_GRANT,
            "insert into public.api_configurations (user_id, provider, api_key_encrypted, usage_count) "
            "values (%(id)s, 'gemini', '', 7)",
        ),
    ],
)
def test_no_client_writes_usage_by_another_way(
    db: Session, alice: Person, carol: Person, guard: Guard, statement: str
) -> None:
    db.add("api_configurations", user_id=alice.id)
    log(db.as_user(alice), "openai", None, None, None, None, 500)
    for speak, person in ((db.as_user, alice), (db.as_staff, carol)):
        speak(person)
        with db.refuses(errors.InsufficientPrivilege, by=guard):
            db.run(statement, {"id": person.id})
    assert db.truth("select jsonb_agg(status_code) from public.api_usage_logs") == [500]
    assert counted(db) == 1


# The same request again -----------------------------------------------------------------------------------------------


def test_a_retry_is_logged_once_and_gets_the_same_answer(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id)
    request_id = uuid4()
    db.as_user(alice)
    answers = {log(db, "openai", "/v1", 1, 1, 1, 200, request_id=request_id) for _ in range(3)}
    assert [row["id"] for row in db.rows(LOGGED)] == list(answers)
    assert counted(db) == 1
    assert log(db, "openai", request_id=uuid4()) not in answers


def test_the_request_ids_of_two_users_do_not_collide(db: Session, alice: Person, bob: Person) -> None:
    request_id = uuid4()
    assert log(db.as_user(alice), request_id=request_id) != log(db.as_user(bob), request_id=request_id)
    assert db.truth("select count(*) from public.api_usage_logs") == 2


def test_request_ids_go_with_the_account(db: Session, alice: Person) -> None:
    log(db.as_user(alice), request_id=uuid4())
    delete_account(db, alice)
    assert db.truth("select count(*) from private.usage_requests") == 0


@pytest.fixture
def alices(scratch: Database) -> Person:
    with scratch.connect() as owner:
        return join(owner, "alice@example.com")


def test_retries_at_the_same_time_are_logged_once(scratch: Database, alices: Person) -> None:
    request_id, answers, problems = uuid4(), list[Any](), list[psycopg.Error]()
    ready = threading.Barrier(8)

    def send() -> None:
        with Client.of(scratch, alices) as client:
            ready.wait()
            try:
                answers.append(client.value("select public.log_api_usage('openai', request_id => %s)", [request_id]))
            except psycopg.Error as error:
                problems.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(answers) == 8
    assert len(set(answers)) == 1
    with scratch.connect() as owner:
        assert owner.execute("select id from public.api_usage_logs").fetchall() == [(answers[0],)]


def test_a_retry_takes_over_from_one_that_failed(scratch: Database, alices: Person) -> None:
    request_id = uuid4()
    call = "select public.log_api_usage('openai', request_id => %s)"
    answers: list[Any] = []
    with Client.of(scratch, alices) as first, Client.of(scratch, alices) as second:
        thread = threading.Thread(target=lambda: answers.append(second.value(call, [request_id])))
        with first.transaction() as request:
            request.execute(call, [request_id])
            thread.start()
            request.execute("rollback")
            request.execute("begin")
        thread.join()
    with scratch.connect() as owner:
        assert owner.execute("select id from public.api_usage_logs").fetchall() == [(answers[0],)]


# The summary ----------------------------------------------------------------------------------------------------------


def summary(db: Session, days: int = 3, zone: str = "UTC") -> dict[str, Any]:
    db.run(f"set local timezone = '{zone}'")
    found: dict[str, Any] = db.value(SUMMARY, [days])
    return found


def test_figures_by_day_and_provider(db: Session, alice: Person) -> None:
    now = datetime.now(UTC).replace(hour=12)
    yesterday = now - timedelta(days=1)
    for provider, at, status, ms, message in (
        ("openai", now, 200, 100, None),
        ("openai", now, 200, 200, None),
        ("openai", now, 500, 300, "boom"),
        ("openai", now, None, None, "no answer"),
        ("gemini", now, 404, 10, None),
        ("openai", yesterday, 200, 50, None),
        ("openai", now - timedelta(days=3), 200, 50, None),
    ):
        db.add("api_usage_logs", user_id=alice.id, provider=provider, created_at=at, status_code=status,
               response_time_ms=ms, error_message=message)  # fmt: skip
    db.add("prompt_history", user_id=alice.id, created_at=now, tokens_used=1000, cost_usd="0.25")
    db.add("prompt_history", user_id=alice.id, created_at=yesterday, tokens_used=10, cost_usd="0.000001")
    db.add("prompt_history", user_id=alice.id, created_at=now, provider="anthropic", tokens_used=None, cost_usd=None)

    found = summary(db.as_user(alice))
    assert [day["day"] for day in found["days"]] == [str((now - timedelta(days=ago)).date()) for ago in (2, 1, 0)], (
        "days without use are there as well"
    )
    assert found["days"][0] == {
        "day": str((now - timedelta(days=2)).date()), "requests": 0, "errors": 0, "error_rate": None, "tokens": 0,
        "cost_usd": 0, "providers": {},
    }  # fmt: skip
    today = found["days"][2]
    assert today["providers"]["openai"] == {
        "requests": 4, "errors": 2, "error_rate": 0.5, "p50_ms": 200, "p95_ms": 290, "p99_ms": 298, "tokens": 1000,
        "cost_usd": 0.25,
    }  # fmt: skip
    assert today["providers"]["gemini"]["error_rate"] == 1
    assert today["providers"]["anthropic"] == {
        "requests": 0, "errors": 0, "error_rate": None, "p50_ms": None, "p95_ms": None, "p99_ms": None, "tokens": 0,
        "cost_usd": 0,
    }  # fmt: skip
    assert {name: today[name] for name in ("requests", "errors", "error_rate", "tokens")} == {
        "requests": 5, "errors": 3, "error_rate": 0.6, "tokens": 1000,
    }  # fmt: skip
    assert {name: found[name] for name in ("requests", "errors", "error_rate", "tokens", "cost_usd")} == {
        "requests": 6, "errors": 3, "error_rate": 0.5, "tokens": 1010, "cost_usd": 0.250001,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "ago"), [("UTC", 0), ("Pacific/Auckland", 0), ("America/Los_Angeles", 1), ("Asia/Kolkata", 0)]
)
def test_days_are_those_of_the_callers_time_zone(db: Session, alice: Person, zone: str, ago: int) -> None:
    """At 03:00 UTC it is still yesterday in California."""
    at = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0)
    db.add("api_usage_logs", user_id=alice.id, created_at=at)
    db.add("prompt_history", user_id=alice.id, created_at=at, cost_usd="0.5")
    found = summary(db.as_user(alice), 4, zone)
    assert found["time_zone"] == zone
    expected = db.truth("select ((%s at time zone %s)::date)::text", [at, zone])
    (day,) = (day for day in found["days"] if day["requests"])
    assert (day["day"], day["cost_usd"]) == (expected, 0.5)
    assert (at - timedelta(days=ago)).date().isoformat() == expected


@pytest.mark.parametrize("days", [1, 31, 400])
def test_every_day_is_there_once(db: Session, alice: Person, days: int) -> None:
    found = summary(db.as_user(alice), days, "America/New_York")
    listed = [datetime.fromisoformat(day["day"]).date() for day in found["days"]]
    assert listed == [listed[0] + timedelta(days=number) for number in range(days)]
    assert (found["from"], found["to"]) == (str(listed[0]), str(listed[-1]))


@pytest.mark.parametrize("days", [0, -1, 3651, 100000, None])
def test_an_impossible_number_of_days_is_refused(db: Session, alice: Person, days: int | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(SUMMARY, [days])
    assert refusal.value.diag.message_hint == "Pass 1 to 3650."


def test_everybody_sees_their_own_use_staff_too(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    for person in (alice, bob, bob):
        log(db.as_user(person))
        db.add("prompt_history", user_id=person.id, cost_usd="0.5")
    assert summary(db.as_user(alice), 1)["requests"] == 1
    assert summary(db.as_user(alice), 1)["cost_usd"] == 0.5
    assert summary(db.as_user(bob), 1)["requests"] == 2
    assert summary(db.as_staff(carol), 1)["requests"] == 0
    assert summary(db.as_staff(carol), 1)["cost_usd"] == 0


def test_calls_that_were_archived_count_as_well(db: Session, alice: Person, bob: Person) -> None:
    for person, days in ((alice, 1), (alice, 1), (alice, 10), (bob, 1)):
        db.as_owner().run(
            "insert into archive.api_usage_logs (user_id, provider, created_at) "
            "values (%s, 'openai', now() - make_interval(days => %s))",
            [person.id, days],
        )
    assert summary(db.as_user(alice))["requests"] == 2
    assert summary(db.as_user(alice), 30)["requests"] == 3


def test_only_who_may_asks(db: Session) -> None:
    for speak in (db.as_visitor, db.as_server):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value(SUMMARY, [1])


@pytest.mark.one_platform
def test_a_year_of_heavy_use_is_summed_up_in_one_pass(db: Session, alice: Person) -> None:
    """In one that reads the logs again for each day it would take minutes."""
    db.as_owner().run(
        """
        insert into public.api_usage_logs (user_id, provider, response_time_ms, status_code, created_at)
        select %s, (array['openai', 'gemini', 'anthropic'])[1 + number %% 3], number, 200,
            now() - number * interval '25 minutes'
        from generate_series(1, 20000) as number
        """,
        [alice.id],
    )
    db.as_user(alice).run("set local statement_timeout = '8s'")
    found = summary(db, 365)
    year = "select count(*) from public.api_usage_logs where created_at >= (now() at time zone 'utc')::date - 364"
    assert found["requests"] == db.truth(year)
