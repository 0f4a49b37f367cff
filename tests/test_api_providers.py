"""api_providers: the list that staff keep, and its three entries. Who may read and write it: test_catalogues.py."""

import re

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.examples import MODEL
from harness.people import Person
from harness.rights import insertable, updatable
from harness.session import Session

TABLE = "api_providers"
COLUMNS = [
    "name",
    "display_name",
    "base_url",
    "is_enabled",
    "max_requests_per_minute",
    "max_requests_per_day",
    "supported_models",
    "validation_rules",
]

# Shapes of real keys, made up.
KEYS = {
    "openai": [
        "sk-" + "a1B2" * 12,
        "sk-proj-" + "aB3_-dE4" * 18,
        "sk-svcacct-" + "aB3_-dE4" * 15,
    ],
    "gemini": ["AIza" + "aB3_-" * 7],
    "anthropic": ["sk-ant-api03-" + "aB3_-dE4" * 11 + "-aBcDeAA"],
}


@pytest.mark.access
def test_staff_write_every_column_but_the_id_the_clock_and_what_keys_look_like(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, TABLE) == COLUMNS
    assert updatable(db, TABLE) == [*COLUMNS, "updated_at"]


@pytest.mark.access
def test_staff_set_models_and_prices(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    change = "update public.api_providers set supported_models = %s, validation_rules = '{}' where name = 'openai'"
    assert db.run(change, [Jsonb([MODEL])]) == 1
    with db.refuses(errors.CheckViolation, constraint="api_providers_models_are_priced"):
        db.run(change, [Jsonb([])])


def test_a_pattern_that_does_not_compile_is_refused(db: Session) -> None:
    with db.refuses(errors.InvalidRegularExpression):
        db.add(TABLE, api_key_pattern="^sk-(")


def test_the_three_providers_are_there(db: Session) -> None:
    assert set(db.as_visitor().column("select name from public.api_providers")) == set(KEYS)


@pytest.mark.parametrize("provider", KEYS)
def test_a_key_fits_its_own_provider_and_no_other(db: Session, provider: str) -> None:
    for key in KEYS[provider]:
        fits = db.as_visitor().column("select name from public.api_providers where %s ~ api_key_pattern", [key])
        assert fits == [provider], key


def test_rules_and_pattern_agree(db: Session) -> None:
    for row in db.as_visitor().rows("select name, api_key_pattern, validation_rules from public.api_providers"):
        rules = row["validation_rules"]
        for key in KEYS[row["name"]]:
            assert rules["min_length"] <= len(key) <= rules["max_length"], key
            assert key.startswith(rules.get("prefix", "")), key
            assert not key.startswith(tuple(rules.get("not_prefixes", []))), key
            assert re.search(row["api_key_pattern"], key), key


def test_each_provider_has_one_default_model_with_prices(db: Session) -> None:
    for models in db.as_visitor().column("select supported_models from public.api_providers"):
        assert [model["id"] for model in models if model["is_default"]] != []
        for model in models:
            dates = [price["valid_from"] for price in model["prices"]]
            assert dates == sorted(dates)
