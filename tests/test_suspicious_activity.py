"""detect_suspicious_activity(): each rule finds what reaches its threshold, nothing below, and is recorded once."""

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

DETECT = "select * from public.detect_suspicious_activity()"
STEP = "select * from private.step_detect_suspicious_activity(clock_timestamp() + interval '1 minute')"
# In the middle of a minute, an hour and a day (UTC): what a test seeds together falls into one of each.
NOON = "date_trunc('hour', now(), 'UTC') - interval '3 hours' + interval '30 minutes 30 seconds'"


def threshold(db: Session, key: str, value: int) -> None:
    with db.aside():
        db.as_owner().run(
            "update public.system_config set min_value = 1, value = to_jsonb(%s::integer) where key = %s", [value, key]
        )


def refusals(db: Session, person: Person | None, count: int, tables: int = 1, **others: Any) -> None:
    for number in range(count):
        details = Jsonb({"role": "authenticator", "object": f"table_{number % tables}"})
        db.add(
            "security_events",
            **{
                "event_type": "statement_refused",
                "user_id": person and person.id,
                "details": details,
                "created_at": db.truth(f"select {NOON}"),
                **others,
            },
        )


def logged(db: Session, person: Person, count: int, status: int = 200) -> None:
    for _ in range(count):
        db.add("api_usage_logs", user_id=person.id, status_code=status, created_at=db.truth(f"select {NOON}"))


def signed_in(db: Session, person: Person, address: str | None, agent: str | None, age: str) -> None:
    db.add(
        "user_sessions", user_id=person.id, ip_address=address, user_agent=agent,
        signed_in_at=db.truth("select now() - %s::interval", [age]),
    )  # fmt: skip


def seed(db: Session, rule: str, person: Person, count: int) -> None:
    """What makes the rule count so far."""
    match rule:
        case "many_refusals":
            refusals(db, person, count)
        case "probing":
            refusals(db, person, count, tables=count)
        case "many_failed_sign_ins":
            for number in range(count):
                refusals(db, person, 1, event_type="sign_in_failed", ip_address=f"192.0.2.{number + 1}")
        case "many_addresses":
            for number in range(count):
                db.add("user_sessions", user_id=person.id, ip_address=f"192.0.2.{number + 1}",
                       signed_in_at=db.truth(f"select {NOON}"))  # fmt: skip
        case "many_failed_requests":
            logged(db, person, count, status=429)
        case "request_burst":
            logged(db, person, count)


RULES = {
    "many_refusals": "suspicious_denials_per_hour",
    "probing": "suspicious_denied_tables_per_hour",
    "many_failed_sign_ins": "suspicious_failed_sign_ins_per_hour",
    "many_addresses": "suspicious_addresses_per_day",
    "many_failed_requests": "suspicious_failures_per_hour",
    "request_burst": "suspicious_requests_per_minute",
}
rules = pytest.mark.parametrize("rule", RULES)


def found(db: Session, rule: str) -> list[dict[str, Any]]:
    with db.aside():
        return [row for row in db.as_server().rows(DETECT) if row["event_type"] == rule]


@rules
def test_the_threshold_is_what_the_configuration_says(db: Session, rule: str, alice: Person, bob: Person) -> None:
    threshold(db, RULES[rule], 3)
    seed(db, rule, alice, 3)
    seed(db, rule, bob, 2)
    ((user_id, details),) = [(row["user_id"], row["details"]) for row in found(db, rule)]
    assert user_id == alice.id
    assert (details["count"], details["threshold"]) == (3, 3)


@rules
def test_what_is_found_is_recorded_once(db: Session, rule: str, alice: Person) -> None:
    threshold(db, RULES[rule], 3)
    seed(db, rule, alice, 3)
    (expected,) = found(db, rule)
    for timezone in ("UTC", "Asia/Kolkata", "America/New_York"):
        db.as_owner().run("select set_config('timezone', %s, true)", [timezone])
        assert [row["is_complete"] for row in db.rows(STEP)] == [True]
    (row,) = db.as_owner().rows("select * from public.security_events where event_type = %s", [rule])
    assert (row["user_id"], row["severity"]) == (alice.id, expected["severity"])
    assert row["details"].items() >= expected["details"].items()
    assert row["details"]["since"].endswith("Z")


@rules
def test_what_is_spread_over_more_time_is_not_found(db: Session, rule: str, alice: Person) -> None:
    threshold(db, RULES[rule], 3)
    seed(db, rule, alice, 2)
    table = {"many_addresses": "user_sessions", "many_failed_requests": "api_usage_logs",
             "request_burst": "api_usage_logs"}.get(rule, "security_events")  # fmt: skip
    column = "signed_in_at" if table == "user_sessions" else "created_at"
    db.as_owner().run(f"alter table public.{table} disable trigger user")
    db.run(f"update public.{table} set {column} = {column} - interval '25 hours'")
    seed(db, rule, alice, 2)
    assert found(db, rule) == []


def test_a_call_that_got_no_answer_has_failed(db: Session, alice: Person) -> None:
    threshold(db, "suspicious_failures_per_hour", 2)
    moment = db.truth(f"select {NOON}")
    for message in ("connection reset", "timeout", None):
        db.add("api_usage_logs", user_id=alice.id, status_code=None, error_message=message, created_at=moment)
    (row,) = found(db, "many_failed_requests")
    assert row["details"]["count"] == 2


def test_refusals_of_nobody_known_are_told_apart_by_address(db: Session) -> None:
    threshold(db, "suspicious_denials_per_hour", 3)
    refusals(db, None, 3, ip_address="192.0.2.1")
    refusals(db, None, 2, ip_address="192.0.2.2")
    (row,) = found(db, "many_refusals")
    assert (row["user_id"], str(row["ip_address"]), row["details"]["role"]) == (None, "192.0.2.1", "authenticator")


def test_guessing_a_password_from_many_addresses_is_found(db: Session) -> None:
    threshold(db, "suspicious_failed_sign_ins_per_hour", 3)
    for number in range(3):
        refusals(db, None, 1, event_type="authentication_failed", ip_address=f"192.0.2.{number}")
    (row,) = found(db, "many_failed_sign_ins")
    assert (row["severity"], row["details"]["role"]) == ("critical", "authenticator")


FIREFOX, NEWER, CHROME = "Mozilla/5.0 (X11) Firefox/130.0", "Mozilla/5.0 (X11) Firefox/131.2", "Chrome/130"


@pytest.mark.parametrize(
    ("address", "agent", "severity"),
    [
        ("192.0.2.99", NEWER, None),  # the same network, a newer version
        ("198.51.100.1", FIREFOX, "info"),
        ("192.0.2.1", CHROME, "info"),
        ("198.51.100.1", CHROME, "warning"),
        ("2001:db8::1", FIREFOX, "info"),
        (None, None, None),
    ],
)
def test_a_sign_in_from_elsewhere_is_found(
    db: Session, alice: Person, address: str | None, agent: str | None, severity: str | None
) -> None:
    for number in range(5):
        signed_in(db, alice, f"192.0.2.{number + 1}", FIREFOX, f"{number + 2} days")
    signed_in(db, alice, address, agent, "1 hour")
    assert [row["severity"] for row in found(db, "unusual_sign_in")] == ([severity] if severity else [])


def test_who_has_hardly_signed_in_yet_has_no_habits(db: Session, alice: Person, bob: Person) -> None:
    for number in range(4):
        signed_in(db, alice, "192.0.2.1", FIREFOX, f"{number + 2} days")
        signed_in(db, bob, "198.51.100.1", CHROME, f"{number + 2} days")
    signed_in(db, alice, "198.51.100.1", CHROME, "1 hour")
    assert found(db, "unusual_sign_in") == []
    threshold(db, "suspicious_usual_sign_ins", 4)
    assert [row["user_id"] for row in found(db, "unusual_sign_in")] == [alice.id]


def test_the_worst_comes_first(db: Session, alice: Person) -> None:
    for rule in ("many_refusals", "probing"):
        threshold(db, RULES[rule], 2)
    refusals(db, alice, 2, tables=2)
    assert [row["severity"] for row in db.as_server().rows(DETECT)] == ["critical", "warning"]


def test_looking_writes_nothing(db: Session, alice: Person) -> None:
    threshold(db, "suspicious_denials_per_hour", 2)
    refusals(db, alice, 2)
    db.as_server().run("set transaction read only")
    assert db.rows(DETECT)


def test_only_the_server_looks(db: Session, alice: Person, carol: Person) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.run(DETECT)


def test_the_step_stops_at_its_deadline_and_goes_on(db: Session, alice: Person) -> None:
    threshold(db, "suspicious_denials_per_hour", 2)
    refusals(db, alice, 2)
    db.as_owner()
    late = "select * from private.step_detect_suspicious_activity(clock_timestamp() - interval '1 second')"
    assert db.rows(late) == [{"rows": 0, "is_complete": False}]
    assert db.rows(STEP) == [{"rows": 1, "is_complete": True}]
    assert db.rows(STEP) == [{"rows": 0, "is_complete": True}]


def test_the_maintenance_takes_the_steps(db: Session) -> None:
    steps = db.as_owner().column("select name from private.maintenance_steps()")
    assert {"detect_suspicious_activity", "expire_audit_log", "expire_security_events"} <= set(steps)


@pytest.mark.parametrize("rule", [None, "", "x'; drop table public.feedback; --"])
def test_there_is_no_other_rule(db: Session, rule: str | None) -> None:
    db.as_owner()
    with db.refuses(errors.InvalidParameterValue):
        db.run("select * from private.find_suspicious(%s)", [rule])
