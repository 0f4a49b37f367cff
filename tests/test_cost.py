"""Cost: today's prices for what is asked now, the price of its day for what was asked before, and a budget."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import postgrest
from harness.examples import MODEL
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

ESTIMATE = "select public.estimate_cost(%s, %s, %s, %s)"
TODAY = datetime.now(UTC).date()


def price(begins: Any, prompt: Any, completion: Any) -> dict[str, Any]:
    return {"valid_from": str(begins), "input_usd_per_million": prompt, "output_usd_per_million": completion}


@pytest.fixture
def prices(db: Session) -> None:
    """A provider whose prices we know: they fell ten days ago, and rise tomorrow."""
    db.add(
        "api_providers",
        name="acme",
        supported_models=Jsonb(
            [
                MODEL
                | {
                    "id": "large",
                    "prices": [
                        price(TODAY + timedelta(days=1), 100, 100),
                        price(TODAY - timedelta(days=10), 1.25, 10),
                        price("2020-01-01", 30, 60),
                    ],
                },
                MODEL | {"id": "free", "is_default": False, "prices": [price(TODAY, 0, 0)]},
                MODEL | {"id": "soon", "is_default": False, "prices": [price(TODAY + timedelta(days=1), 1, 1)]},
                MODEL | {"id": "fine", "is_default": False, "prices": [price(TODAY, 0.075, 0.3)]},
            ]
        ),
    )


@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("model", "prompt", "completion", "cost"),
    [
        ("large", 1_000_000, 1_000_000, "11.25"),
        ("large", 1000, 500, "0.00625"),
        ("large", 1, 0, "0.000001"),
        ("large", 0, 0, "0"),
        ("large", 2**31 - 1, 2**31 - 1, "24159.191029"),
        ("free", 1_000_000, 1_000_000, "0"),
        ("fine", 1, 1, "0.000000"),
        ("fine", 7, 1, "0.000001"),
    ],
)
def test_the_price_that_holds_today_counts(
    db: Session, alice: Person, model: str, prompt: int, completion: int, cost: str
) -> None:
    assert db.as_user(alice).value(ESTIMATE, ["acme", model, prompt, completion]) == Decimal(cost)


def test_every_seeded_model_has_a_price_today(db: Session, alice: Person) -> None:
    models = """
        select name, entry ->> 'id' as model
        from public.api_providers, jsonb_array_elements(supported_models) as entry
    """
    found = db.as_user(alice).rows(models)
    assert len(found) > 8
    for row in found:
        cost = postgrest.call(
            db, "estimate_cost", provider=row["name"], model=row["model"], prompt_tokens=1000, completion_tokens=1000
        )
        assert 0 < cost < 1, row


@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("acme", "soon"),
        ("acme", "larger"),
        ("acme", "Large"),
        ("acme", ""),
        ("acme", None),
        ("ACME", "large"),
        ("nobody", "large"),
        (None, "large"),
        ("acme", "x" * 100000),
    ],
)
def test_what_has_no_price_is_not_found(db: Session, alice: Person, provider: str | None, model: str | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(ESTIMATE, [provider, model, 1, 1])
    assert refusal.value.diag.sqlstate == "PT404"
    assert refusal.value.diag.message_hint
    assert len(str(refusal.value)) < 400


@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize("tokens", [(-1, 0), (0, -1), (None, 0), (0, None)])
def test_numbers_of_tokens_are_numbers(db: Session, alice: Person, tokens: tuple[int | None, int | None]) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue):
        db.value(ESTIMATE, ["acme", "large", *tokens])


@pytest.mark.usefixtures("prices")
def test_a_provider_that_is_switched_off_has_no_price(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.api_providers set is_enabled = false where name = 'acme'")
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(ESTIMATE, ["acme", "large", 1, 1])
    assert refusal.value.diag.sqlstate == "PT404"


@pytest.mark.usefixtures("prices")
def test_users_and_the_server_ask_visitors_do_not(db: Session) -> None:
    assert db.as_server().value(ESTIMATE, ["acme", "large", 1000, 0]) == Decimal("0.00125")
    db.as_visitor()
    with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
        db.value(ESTIMATE, ["acme", "large", 1, 1])


@pytest.mark.usefixtures("prices")
def test_what_was_recorded_does_not_change_when_prices_do(db: Session, alice: Person) -> None:
    cost = db.as_user(alice).value(ESTIMATE, ["acme", "large", 1000, 500])
    db.add("prompt_history", user_id=alice.id, provider="acme", model="large", tokens_used=1500, cost_usd=cost)
    db.as_owner().run(
        "update public.api_providers set supported_models = jsonb_set(supported_models, '{0,prices}', %s) "
        "where name = 'acme'",
        [Jsonb([price("2020-01-01", 1000, 1000)])],
    )
    assert db.as_user(alice).value(ESTIMATE, ["acme", "large", 1000, 500]) == Decimal("1.5")
    assert db.value("select cost_usd from public.prompt_history") == cost
    assert db.value("select public.get_usage_summary(1)")["cost_usd"] == float(cost)


# The budget -----------------------------------------------------------------------------------------------------------


def budget(db: Session) -> Any:
    return db.value("select public.get_usage_summary(1) -> 'budget'")


def test_without_a_budget_nothing_is_exceeded(db: Session, alice: Person) -> None:
    db.add("prompt_history", user_id=alice.id, cost_usd="9999")
    assert budget(db.as_user(alice)) == {
        "monthly_budget_usd": None,
        "spent_this_month_usd": 9999,
        "is_exceeded": False,
    }
    db.run("delete from public.user_preferences")
    assert budget(db)["monthly_budget_usd"] is None


def test_passing_the_budget_shows(db: Session, alice: Person) -> None:
    assert postgrest.update(db.as_user(alice), "user_preferences", {"monthly_budget_usd": 5}) == 1
    db.add("prompt_history", user_id=alice.id, cost_usd="5")
    assert budget(db) == {"monthly_budget_usd": 5, "spent_this_month_usd": 5, "is_exceeded": False}
    db.add("prompt_history", user_id=alice.id, cost_usd="0.000001")
    assert budget(db) == {"monthly_budget_usd": 5, "spent_this_month_usd": 5.000001, "is_exceeded": True}
    assert postgrest.update(db, "user_preferences", {"monthly_budget_usd": None}) == 1
    assert budget(db)["is_exceeded"] is False
    assert postgrest.update(db, "user_preferences", {"monthly_budget_usd": 0}) == 1
    assert budget(db)["is_exceeded"] is True


def test_the_month_is_that_of_the_callers_time_zone(db: Session, alice: Person) -> None:
    for zone in ("UTC", "Asia/Kolkata", "America/Los_Angeles"):
        db.as_owner().run("delete from public.prompt_history")
        db.run("delete from private.spent_costs")
        begin = db.value("select date_trunc('month', now(), %s)", [zone])
        db.add("prompt_history", user_id=alice.id, created_at=begin, cost_usd="2")
        db.add("prompt_history", user_id=alice.id, created_at=begin - timedelta(microseconds=1), cost_usd="40")
        db.as_user(alice).run(f"set local timezone = '{zone}'")
        assert budget(db)["spent_this_month_usd"] == 2


@pytest.mark.parametrize("value", ["-0.01", "NaN", "Infinity", "100000000"])
def test_a_budget_is_an_amount(db: Session, alice: Person, value: str) -> None:
    db.as_user(alice)
    with db.refuses(errors.DataError if value in ("Infinity", "100000000") else errors.CheckViolation):
        db.run("update public.user_preferences set monthly_budget_usd = %s::numeric", [Decimal(value)])


@pytest.mark.usefixtures("carol")
def test_cleaning_up_does_not_fill_the_budget_again(db: Session, alice: Person, bob: Person) -> None:
    at = datetime.now(UTC).replace(hour=0, minute=20, second=0, microsecond=0)
    for minutes, provider, cost in ((0, "openai", "1.5"), (5, "openai", "2"), (20, "openai", "4"), (0, "gemini", "8")):
        db.add("prompt_history", user_id=alice.id, created_at=at + timedelta(minutes=minutes), provider=provider,
               cost_usd=cost, tokens_used=10)  # fmt: skip
    db.add("prompt_history", user_id=bob.id, created_at=at, cost_usd="100", tokens_used=10)
    db.add("prompt_history", user_id=alice.id, created_at=at, cost_usd=None, tokens_used=None)
    db.add("prompt_history", user_id=alice.id, created_at=at, provider="anthropic", cost_usd="16", tokens_used=0)
    db.add("prompt_history", user_id=alice.id, created_at=at + timedelta(minutes=20), provider="anthropic",
           cost_usd=0, tokens_used=3)  # fmt: skip
    before = db.as_user(alice).value("select public.get_usage_summary(2)")
    assert (before["cost_usd"], before["tokens"]) == (31.5, 43)
    assert db.run("delete from public.prompt_history where provider = 'openai'") == 4
    assert db.value("select public.get_usage_summary(2)") == before
    assert db.run("delete from public.prompt_history") == 3
    assert db.value("select public.get_usage_summary(2)") == before
    assert db.as_user(bob).value("select public.get_usage_summary(2)")["cost_usd"] == 100
    assert db.truth("select count(*) from private.spent_costs") == 5, (
        "one line for each quarter of an hour and provider"
    )
