"""Sign-up: every new account has a profile and preferences, and nothing of ours ever fails it."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from harness.people import sign_up
from harness.session import Session

PROFILE = "select display_name, avatar_url, bio, is_active, last_login_at from public.user_profiles where user_id = %s"
PREFERENCES = (
    "select selected_model, selected_framework, theme, vibe_coding from public.user_preferences where user_id = %s"
)

DEFAULTS = {"selected_model": "openai", "selected_framework": "roses", "theme": "dark", "vibe_coding": False}

NAMES: list[tuple[str | None, dict[str, Any], str | None]] = [
    ("alice@example.com", {"display_name": "Alice"}, "Alice"),
    ("alice@example.com", {"full_name": "Alice A.", "name": "A."}, "Alice A."),
    ("alice@example.com", {"name": " A. "}, "A."),
    ("alice@example.com", {"display_name": "  ", "full_name": ""}, "alice"),
    ("alice@example.com", {}, "alice"),
    ("alice@example.com", {"display_name": "é" * 101}, "é" * 100),
    ("alice@example.com", {"display_name": None}, "alice"),
    ("a" * 120 + "@example.com", {}, "a" * 100),
    (None, {}, None),
]


@pytest.mark.parametrize(("email", "metadata", "name"), NAMES)
def test_the_profile_takes_the_name_from_where_there_is_one(
    db: Session, email: str | None, metadata: dict[str, Any], name: str | None
) -> None:
    person = sign_up(db, email, user_metadata=metadata)
    (profile,) = db.as_owner().rows(PROFILE, [person.id])
    assert profile == {"display_name": name, "avatar_url": None, "bio": None, "is_active": True, "last_login_at": None}
    assert db.rows(PREFERENCES, [person.id]) == [DEFAULTS]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://example.com/alice.png", "https://example.com/alice.png"),
        ("javascript:alert(1)", None),
        ("x" * 5000, None),
        ("", None),
        (7, None),
    ],
)
def test_the_profile_takes_a_picture_only_from_the_web(db: Session, given: Any, taken: str | None) -> None:
    person = sign_up(db, "alice@example.com", user_metadata={"avatar_url": given})
    assert db.truth("select avatar_url from public.user_profiles where user_id = %s", [person.id]) == taken


@pytest.mark.parametrize(
    "metadata", [None, [], "text", 7, {"display_name": {"nested": 1}}, {"name": ["a"]}, {"name": "\\u0000"}]
)
def test_odd_metadata_costs_neither_profile_nor_preferences(db: Session, metadata: Any) -> None:
    person = sign_up(db, "alice@example.com", user_metadata=metadata)
    assert db.as_owner().column("select user_id from public.user_profiles") == [person.id]
    assert db.rows(PREFERENCES, [person.id]) == [DEFAULTS]


@pytest.mark.parametrize(
    "others",
    [{"email": None, "phone": "4915100000000"}, {"email": None, "is_anonymous": True}],
    ids=["phone", "anonymous"],
)
def test_accounts_without_e_mail_are_accounts(db: Session, others: dict[str, Any]) -> None:
    person = sign_up(db, **others)
    assert db.as_owner().column("select user_id from public.user_profiles") == [person.id]
    db.as_user(person).sees("user_preferences", [person.id], by="user_id")


def test_preferences_begin_as_staff_configured_them(db: Session) -> None:
    for key, value in {"default_provider": "gemini", "default_framework": "race", "default_theme": "light"}.items():
        assert db.as_owner().run("update public.system_config set value = %s where key = %s", [Jsonb(value), key]) == 1
    person = sign_up(db, "alice@example.com")
    expected = {"selected_model": "gemini", "selected_framework": "race", "theme": "light", "vibe_coding": False}
    assert db.as_owner().rows(PREFERENCES, [person.id]) == [expected]


# How a careless change could break what the trigger does, and what must still be there afterwards.
BREAKAGES = {
    "profiles refuse every row": ("alter table public.user_profiles add constraint closed check (false)", (0, 1)),
    "preferences refuse every row": ("alter table public.user_preferences add constraint closed check (false)", (1, 0)),
    "profiles are gone": ("drop table public.user_profiles cascade", (None, 1)),
    "preferences are gone": ("drop table public.user_preferences cascade", (1, None)),
    "settings are gone": ("drop table public.system_config cascade", (1, 1)),
    "a setting is unusable": (
        "alter table public.system_config disable trigger user; "
        """update public.system_config set value = '"mistral"' where key = 'default_provider'""",
        (1, 1),
    ),
    "a validator is gone": (
        "alter table public.user_profiles drop constraint user_profiles_avatar_url_is_web_url; "
        "alter table public.api_providers drop constraint api_providers_base_url_is_https; "
        "drop function private.is_web_url(text)",
        (1, 1),
    ),
}


@pytest.mark.parametrize(("breakage", "left"), BREAKAGES.values(), ids=BREAKAGES)
def test_nothing_of_ours_fails_a_sign_up(db: Session, breakage: str, left: tuple[int | None, int | None]) -> None:
    db.as_owner().run(breakage)
    person = sign_up(db, "alice@example.com")
    assert db.truth("select count(*) from auth.users where id = %s", [person.id]) == 1
    for table, rows in zip(("user_profiles", "user_preferences"), left, strict=True):
        if rows is not None:
            assert db.truth(f"select count(*) from public.{table}") == rows, table
