"""system_config: each setting carries its own rules, and no secret is a setting. Access is in test_catalogues.py."""

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.people import Person
from harness.rights import insertable, updatable
from harness.session import Session

TABLE = "system_config"
RULES = ["min_value", "max_value", "allowed_values", "description", "is_public"]

FITS: list[tuple[str, Any]] = [
    ("boolean", True),
    ("integer", 30),
    ("integer", -1),
    ("number", 0.5),
    ("number", 30),
    ("text", "dark"),
    ("text", ""),
    ("object", {}),
    ("array", [1, "a"]),
]
WRONG: list[tuple[str, Any]] = [
    ("boolean", "true"),
    ("boolean", 1),
    ("integer", 0.5),
    ("integer", "30"),
    ("number", "0.5"),
    ("text", 7),
    ("text", None),
    ("object", []),
    ("array", {}),
    ("integer", True),
]


@pytest.mark.access
def test_staff_change_values_and_not_what_a_setting_is_or_allows(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, TABLE) == ["key", "category", "value", "value_type", *RULES]
    assert updatable(db, TABLE) == ["value", "description", "is_public", "updated_at"]


@pytest.mark.parametrize(("value_type", "value"), FITS)
def test_a_value_of_its_type_is_taken(db: Session, value_type: str, value: Any) -> None:
    db.add(TABLE, value_type=value_type, value=Jsonb(value))


@pytest.mark.parametrize(("value_type", "value"), WRONG)
def test_a_value_of_another_type_is_refused(db: Session, value_type: str, value: Any) -> None:
    with db.refuses(errors.CheckViolation, constraint="system_config_value_has_its_type") as refusal:
        db.add(TABLE, value_type=value_type, value=Jsonb(value))
    assert value_type in str(refusal.value.diag.message_primary)
    assert refusal.value.diag.message_hint


@pytest.mark.parametrize("value", [0, 366, -5])
def test_a_value_out_of_range_is_refused_and_the_range_is_told(db: Session, carol: Person, value: int) -> None:
    setting = db.add(TABLE, min_value=1, max_value=365, value=Jsonb(30))
    change = "update public.system_config set value = %s where id = %s"
    db.as_staff(carol)
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_in_range") as refusal:
        db.run(change, [Jsonb(value), setting])
    assert refusal.value.diag.message_hint == "Allowed: 1 to 365."
    for allowed in (1, 365):
        assert db.run(change, [Jsonb(allowed), setting]) == 1


@pytest.mark.parametrize("value", ["blue", "Dark", "dar", ""])
def test_a_value_that_is_not_on_the_list_is_refused_and_the_list_is_told(db: Session, value: str) -> None:
    setting = db.add(TABLE, value_type="text", value=Jsonb("dark"), allowed_values=Jsonb(["dark", "light"]))
    change = "update public.system_config set value = %s where id = %s"
    db.as_server()
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_allowed") as refusal:
        db.run(change, [Jsonb(value), setting])
    assert refusal.value.diag.message_hint == 'Allowed: ["dark", "light"].'
    assert db.run(change, [Jsonb("light"), setting]) == 1


def test_an_allowed_object_is_allowed_whole(db: Session) -> None:
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_allowed"):
        db.add(TABLE, value_type="object", value=Jsonb({"a": 1}), allowed_values=Jsonb([{"a": 1, "b": 2}]))


def test_rules_cannot_be_changed_so_that_the_value_breaks_them(db: Session) -> None:
    setting = db.add(TABLE, value=Jsonb(30))
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_in_range"):
        db.as_server().run("update public.system_config set max_value = 29 where id = %s", [setting])


@pytest.mark.access
def test_clients_read_public_settings_as_one_object(db: Session, alice: Person) -> None:
    db.as_owner().run("delete from public.system_config")
    db.add(TABLE, key="theme", value=Jsonb("dark"), value_type="text", is_public=True)
    db.add(TABLE, key="limit", value=Jsonb(3))
    for speak in (db.as_visitor, lambda: db.as_user(alice)):
        assert speak().value("select public.get_public_config()") == {"theme": "dark"}
    db.as_owner().run("update public.system_config set is_public = false")
    assert db.as_visitor().value("select public.get_public_config()") == {}


@pytest.mark.access
def test_a_flag_that_is_not_public_is_off_for_clients(db: Session, alice: Person, carol: Person) -> None:
    for key, value, is_public in (("shown", True, True), ("quietly_on", True, False), ("shown_off", False, True)):
        flag = {"category": "feature_flag", "value_type": "boolean", "value": Jsonb(value)}
        db.add(TABLE, key=key, is_public=is_public, **flag)
    enabled = "select public.is_feature_enabled(%s)"
    for speak in (db.as_visitor, lambda: db.as_user(alice)):
        speak()
        assert [db.value(enabled, [key]) for key in ("shown", "quietly_on", "shown_off", "unknown")] == [
            True,
            False,
            False,
            False,
        ]
    assert db.as_staff(carol).value(enabled, ["quietly_on"]) is True
    assert db.as_server().value(enabled, ["quietly_on"]) is True


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("key", "value_type", "value", "detail", "hint"),
    [
        ("probe", "integer", "x", "The value given is of the JSON type string.", "Write it as JSON, for example 30."),
        ("probe", "integer", 1.5, "The value given is a number with decimals.", "Write it as JSON, for example 30."),
        ("probe", "text", 1, "The value given is of the JSON type number.", 'Write it as JSON, for example "dark".'),
        ("probe", "integer", 2**31, "The value given is 2147483648.", "Allowed: -2147483648 to 2147483647."),
        ("retention_days_probe", "integer", 0, "The value given is 0.", "Allowed: whole days, 1 to 3650."),
        ("retention_days_probe", "number", 30, "The value given is 30.", "Allowed: whole days, 1 to 3650."),
    ],
)
def test_a_refusal_says_what_was_given_and_what_is_allowed(
    db: Session, key: str, value_type: str, value: Any, detail: str, hint: str
) -> None:
    with db.refuses(errors.CheckViolation) as refusal:
        db.add(TABLE, key=key, value_type=value_type, value=Jsonb(value))
    assert (refusal.value.diag.message_detail, refusal.value.diag.message_hint) == (detail, hint)
