"""What staff see of all that: right, of nobody in particular, and nobody else's business."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from psycopg import errors

from harness import postgrest
from harness.databases import Database
from harness.people import Person, sign_in, sign_up
from harness.refusal import Guard
from harness.session import Session
from harness.world import roll_up

FUNCTIONS = ("get_user_activity", "get_api_analytics", "get_prompt_analytics", "get_feedback_analytics")
TODAY = datetime.now(UTC).date()
MONDAY = TODAY - timedelta(days=TODAY.weekday())


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def ask(db: Session, carol: Person, function: str, days: int = 30) -> Any:
    return db.as_staff(carol).value(f"select public.{function}(%s)", [days])


# Who, and what they may pass ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_staff_only(db: Session, alice: Person, carol: Person, function: str) -> None:
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(alice)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows(f"select public.{function}(7)")
    # A token outlives a dismissal; and a role without an account is nobody.
    db.as_auth().run("update users set role = 'authenticated' where id = %s", [carol.id])
    for person in (carol, alice):
        db.as_staff(person)
        with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
            db.rows(f"select public.{function}(7)")


@pytest.mark.parametrize("days", [0, -1, 3651, 100000, None, -(2**31)])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.one_platform
def test_bad_days_are_refused(db: Session, carol: Person, function: str, days: int | None) -> None:
    db.as_staff(carol)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.rows(f"select public.{function}(%s)", [days])
    assert refusal.value.diag.message_hint == "Pass 1 to 3650."


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.one_platform
def test_nothing_is_an_answer_as_well(db: Session, carol: Person, function: str) -> None:
    """On a new installation; also through PostgREST, without an argument."""
    answer = postgrest.call(db.as_staff(carol), function)
    assert answer["days"] == 30
    assert date.fromisoformat(answer["to"]) - date.fromisoformat(answer["from"]) == timedelta(days=29)
    assert {answer.get(key, 0) for key in ("requests", "errors", "prompts", "messages", "sign_ins")} == {0}
    assert ask(db, carol, function, 1)["days"] == 1
    assert ask(db, carol, function, 3650)["days"] == 3650


@pytest.mark.parametrize("function", FUNCTIONS)
def test_readers_write_nothing(db: Session, carol: Person, function: str) -> None:
    """They run where nothing can be written, as on a hot standby."""
    db.as_staff(carol).run("set local transaction_read_only = on")
    assert db.value(f"select public.{function}(30)")


# Calls ----------------------------------------------------------------------------------------------------------------


def call(db: Session, person: Person, day: date, **columns: Any) -> None:
    db.add("api_usage_logs", user_id=person.id, created_at=at(day), **columns)


def test_calls_by_day_and_provider(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    call(db, alice, TODAY, status_code=200, response_time_ms=10)
    call(db, bob, TODAY, status_code=500, response_time_ms=20)
    call(db, alice, ago(2), provider="gemini", status_code=200, error_message="cut off", response_time_ms=None)
    call(db, alice, ago(3), status_code=200)
    roll_up(db)
    answer = ask(db, carol, "get_api_analytics", 3)
    assert {key: answer[key] for key in ("from", "to", "requests", "errors", "error_rate", "p50_ms", "p95_ms")} == {
        "from": str(ago(2)),
        "to": str(TODAY),
        "requests": 3,
        "errors": 2,
        "error_rate": 0.6667,
        "p50_ms": 10,
        "p95_ms": 20,
    }
    assert answer["by_provider"]["gemini"] == {
        "requests": 1,
        "errors": 1,
        "error_rate": 1.0,
        "p50_ms": None,
        "p95_ms": None,
        "p99_ms": None,
    }
    assert answer["by_provider"]["openai"]["requests"] == 2
    days = answer["by_day"]
    assert [day["day"] for day in days] == [str(ago(2)), str(ago(1)), str(TODAY)]
    assert days[1] == {"day": str(ago(1)), "requests": 0, "errors": 0, "providers": {}}
    assert (days[2]["requests"], days[2]["errors"], days[2]["providers"]["openai"]["p99_ms"]) == (2, 1, 20)
    assert set(days[0]["providers"]) == {"gemini"}


@pytest.mark.one_platform
def test_each_figure_is_of_its_day_and_its_provider(db: Session, alice: Person, carol: Person) -> None:
    cells = {(ago(1), "openai"): 5, (ago(1), "gemini"): 10, (TODAY, "openai"): 15, (TODAY, "gemini"): 20}
    times: dict[tuple[date | None, str | None], list[int]] = defaultdict(list)
    for number, ((day, provider), ms) in enumerate(cells.items(), 1):
        for _ in range(number):
            call(db, alice, day, provider=provider, status_code=200, response_time_ms=ms)
            for cell in ((day, provider), (day, None), (None, provider), (None, None)):
                times[cell].append(ms)
    roll_up(db)

    def figures(day: date | None, provider: str | None) -> dict[str, float]:
        found = sorted(times[day, provider])
        percentiles = {f"p{share}_ms": found[-(-len(found) * share // 100) - 1] for share in (50, 95, 99)}
        return {"requests": len(found), "errors": 0, "error_rate": 0, **percentiles}

    answer = ask(db, carol, "get_api_analytics", 2)
    providers = ("openai", "gemini")
    assert answer == {
        "days": 2,
        "from": str(ago(1)),
        "to": str(TODAY),
        **figures(None, None),
        "by_provider": {name: figures(None, name) for name in providers},
        "by_day": [
            {"day": str(day), **figures(day, None), "providers": {name: figures(day, name) for name in providers}}
            for day in (ago(1), TODAY)
        ],
    }


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    times=st.lists(
        st.one_of(st.integers(0, 30), st.integers(0, 100_000), st.integers(0, 2**31 - 1)), min_size=1, max_size=60
    )
)
@example(times=[1, 2])
@example(times=list(range(1, 21)))
@example(times=[1] * 99 + [25])
@pytest.mark.one_platform
def test_percentiles_are_within_two_percent(connection: psycopg.Connection, times: list[int]) -> None:
    with connection.transaction(force_rollback=True):
        db = Session(connection)
        carol = sign_up(db, "carol@example.com", role="app_admin")
        db.as_owner().run(
            "insert into public.api_usage_logs (user_id, provider, response_time_ms) "
            "select %s, 'openai', unnest(%s::integer[])",
            [carol.id, times],
        )
        roll_up(db)
        answer = ask(db, carol, "get_api_analytics", 1)
        for name, share in {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}.items():
            exact = db.truth(
                "select percentile_disc(%s) within group (order by response_time_ms) from public.api_usage_logs",
                [share],
            )
            for shown in (answer[name], answer["by_day"][0]["providers"]["openai"][name]):
                assert abs(shown - exact) <= 0.02 * exact + 0.5, (name, exact)
            assert exact > 25 or answer[name] == exact


# Activity -------------------------------------------------------------------------------------------------------------


def joined(db: Session, name: str, day: date) -> Person:
    person = sign_up(db, f"{name}@example.com")
    db.as_auth().run("update users set created_at = %s where id = %s", [at(day), person.id])
    return person


def test_activity_by_day(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    joined(db, "dora", ago(2))
    joined(db, "emil", ago(3))
    sign_in(db, alice)
    sign_in(db, alice)
    call(db, alice, TODAY)
    call(db, bob, ago(2))
    call(db, alice, ago(2))
    db.add("user_sessions", user_id=bob.id, signed_in_at=at(ago(3)))
    roll_up(db)
    answer = ask(db, carol, "get_user_activity", 3)
    assert answer["by_day"] == [
        {"day": str(ago(2)), "sign_ups": 1, "sign_ins": 0, "active_users": 2},
        {"day": str(ago(1)), "sign_ups": 0, "sign_ins": 0, "active_users": 0},
        {"day": str(TODAY), "sign_ups": 3, "sign_ins": 2, "active_users": 1},
    ]
    assert (answer["sign_ups"], answer["sign_ins"], answer["active_users"]) == (4, 2, 2)
    assert answer["active_days_per_active_user"] == 1.5


def test_retention_by_the_week_of_sign_up(db: Session, carol: Person) -> None:
    db.as_auth().run("update users set created_at = %s where id = %s", [at(MONDAY - timedelta(days=500)), carol.id])
    weeks = [MONDAY - timedelta(weeks=weeks) for weeks in range(4)]
    ann, ben = joined(db, "ann", weeks[3]), joined(db, "ben", weeks[3] + timedelta(days=6))
    cat = joined(db, "cat", weeks[1])
    for person, day in [
        (ann, weeks[3]),
        (ann, weeks[3] + timedelta(days=1)),
        (ben, weeks[3] + timedelta(days=6)),
        (ben, weeks[2]),
        (ann, weeks[0]),
        (cat, weeks[1]),
    ]:
        call(db, person, day)
    db.add("user_sessions", user_id=cat.id, signed_in_at=at(weeks[0]))
    roll_up(db)
    assert ask(db, carol, "get_user_activity", 30)["retention"] == [
        {"sign_up_week": str(weeks[3]), "accounts": 2, "active_users": [2, 1, 0, 1]},
        {"sign_up_week": str(weeks[1]), "accounts": 1, "active_users": [1, 1]},
    ]
    assert ask(db, carol, "get_user_activity", 1)["retention"] == []


@pytest.mark.one_platform
def test_an_account_on_its_way_out_is_not_counted(db: Session, carol: Person) -> None:
    gone = joined(db, "gone", TODAY)
    before = ask(db, carol, "get_user_activity", 1)["sign_ups"]
    db.as_auth().run("update users set deleted_at = now() where id = %s", [gone.id])
    roll_up(db)
    answer = ask(db, carol, "get_user_activity", 7)
    assert answer["sign_ups"] == before - 1
    assert [week["accounts"] for week in answer["retention"]] == [before - 1]


# Prompts --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(db: Session) -> list[Person]:
    return [sign_up(db, f"{number}@example.com") for number in range(8)]


def prompt(db: Session, person: Person, day: date, framework: str = "roses", **columns: Any) -> None:
    db.add("prompt_history", user_id=person.id, created_at=at(day), framework_id=framework, **columns)


@pytest.mark.one_platform
def test_prompts_of_enough_users(db: Session, people: list[Person], carol: Person) -> None:
    day = ago(1)
    for person in people[:5]:
        prompt(db, person, day, model="gpt-4o", status="completed", tokens_used=100, cost_usd="0.25")
    prompt(db, people[0], day, model="gpt-4o", status="failed")
    prompt(db, people[0], day, model="gpt-4o")
    for person in people[:6]:
        prompt(db, person, ago(8))
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    figures = {
        "prompts": 7,
        "completed": 5,
        "failed": 1,
        "pending": 1,
        "success_rate": 0.8333,
        "tokens_used": 500,
        "cost_usd": 1.25,
    }
    assert {key: answer[key] for key in figures} == figures
    assert answer["by_framework"] == {"roses": figures}
    assert answer["by_provider"] == {"openai": figures}
    assert answer["by_day"] == [{"day": str(day), **figures}]
    assert answer["days_with_too_few_users"] == 0
    assert ask(db, carol, "get_prompt_analytics", 8)["prompts"] == 13


@pytest.mark.one_platform
def test_of_fewer_than_five_users_nothing_is_shown(db: Session, people: list[Person], carol: Person) -> None:
    for number in range(20):
        prompt(db, people[number % 4], ago(1))
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    assert answer["prompts"] == 0
    assert answer["days_with_too_few_users"] == 1
    assert [answer[f"by_{part}"] for part in ("framework", "model", "provider", "day")] == [{}, {}, {}, []]


@pytest.mark.one_platform
def test_days_are_added_up_and_those_with_too_few_users_counted(
    db: Session, people: list[Person], carol: Person
) -> None:
    for day, number in ((ago(1), 5), (ago(2), 7), (ago(3), 4)):
        for person in people[:number]:
            prompt(db, person, day, tokens_used=number)
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    assert answer["days_with_too_few_users"] == 1
    assert (answer["prompts"], answer["tokens_used"]) == (12, 25 + 49)
    assert answer["by_framework"]["roses"]["prompts"] == 12
    assert [(day["day"], day["prompts"]) for day in answer["by_day"]] == [(str(ago(2)), 7), (str(ago(1)), 5)]


@pytest.mark.one_platform
def test_today_could_be_watched_growing_and_is_left_out(db: Session, people: list[Person], carol: Person) -> None:
    for person in people:
        prompt(db, person, TODAY)
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    assert (answer["prompts"], answer["to"]) == (0, str(ago(1)))
    assert db.truth("select count(*) from private.published_prompts") == 0


def test_a_small_group_is_no_difference_of_two_others(db: Session, people: list[Person], carol: Person) -> None:
    for person in people[:5]:
        prompt(db, person, ago(1), "roses")
    for person in people:
        prompt(db, person, ago(1), "ape")
    prompt(db, people[7], ago(1), "trace")
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    assert {name: part["prompts"] for name, part in answer["by_framework"].items()} == {"ape": 8, "few users": 6}


@pytest.mark.one_platform
def test_words_of_users_are_not_shown(db: Session, people: list[Person], carol: Person) -> None:
    """A framework or model may have any name."""
    for person in people[:5]:
        prompt(db, person, ago(1), "call me at 555", model="my secret model", provider="somewhere")
        prompt(db, person, ago(1), "roses")
    roll_up(db)
    answer = ask(db, carol, "get_prompt_analytics", 7)
    assert "555" not in str(answer)
    assert {name: part["prompts"] for name, part in answer["by_framework"].items()} == {"roses": 5, "other": 5}
    assert set(answer["by_provider"]) == {"openai", "other"}


def published(db: Session) -> dict[tuple[str, str], int]:
    rows = "select dimension, label, prompts from private.published_prompts"
    return {(row["dimension"], row["label"]): row["prompts"] for row in db.as_owner().rows(rows)}


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6))
@pytest.mark.one_platform
def test_whatever_can_be_worked_out_is_of_five_users(connection: psycopg.Connection, seed: int) -> None:
    """Each part, and each difference of the total and others: what is not shown by a name of its own."""
    dice = random.Random(seed)
    with connection.transaction(force_rollback=True):
        db = Session(connection)
        people = [sign_up(db, f"{number}@example.com") for number in range(12)]
        users: dict[str, set[str]] = defaultdict(set)
        names = ["roses", "ape", "tag", "made up", "made up as well"]
        weights = [dice.choice([0, 1, 1, 5, 20]) for _ in names]
        numbers: dict[str, int] = defaultdict(int)
        for _ in range(dice.randrange(60)):
            if not any(weights):
                break
            person, name = dice.choice(people), dice.choices(names, weights)[0]
            prompt(db, person, ago(1), name)
            shown = name if name in ("roses", "ape", "tag") else "other"
            users[shown].add(str(person.id))
            numbers[shown] += 1
        roll_up(db)
        found = published(db)
        everybody = set().union(*users.values())
        if len(everybody) < 5:
            assert found == {}
            return
        parts = {label: prompts for (dimension, label), prompts in found.items() if dimension == "framework"}
        assert sum(parts.values()) == found["total", ""] == sum(numbers.values())
        hidden = set(users) - set(parts)
        for label in set(parts) - {"few users"}:
            assert parts[label] == numbers[label]
            assert len(users[label]) >= 5
        assert ("few users" in parts) is bool(hidden)
        if hidden:
            assert parts["few users"] == sum(numbers[label] for label in hidden)
            assert len(set().union(*(users[label] for label in hidden))) >= 5


# Views ----------------------------------------------------------------------------------------------------------------


@pytest.mark.one_platform
def test_reading_does_not_wait_for_a_refresh(scratch: Database) -> None:
    with scratch.connect() as maintenance, scratch.connect() as reader:
        maintenance.execute("select private.step_refresh_views(null)")
        reader.execute("set lock_timeout = '1s'")
        for view in ("weekly_retention", "published_prompts"):
            reader.execute(f"select count(*) from private.{view}")
