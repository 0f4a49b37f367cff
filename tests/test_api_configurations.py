"""api_configurations: a key belongs to its owner, its verdict and counters to nobody. More in test_own_rows.py."""

from typing import Any

import pytest

from harness import shapes
from harness.examples import envelope
from harness.people import Person
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "api_configurations"
VERDICT = "select is_validated, validation_error, usage_count from public.api_configurations"


@pytest.fixture
def key(db: Session, alice: Person) -> Any:
    return db.add(
        TABLE,
        user_id=alice.id,
        is_validated=True,
        last_validated_at="2025-01-01",
        validation_error="old",
        usage_count=7,
    )


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_users_write_the_key_and_no_fact_about_it(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert insertable(db, TABLE) == ["user_id", "provider", "api_key_encrypted", "is_active"]
    assert updatable(db, TABLE) == ["provider", "api_key_encrypted", "is_active", "updated_at"]


@pytest.mark.usefixtures("key")
def test_staff_never_see_a_key(db: Session, carol: Person) -> None:
    db.as_staff(carol).sees(TABLE, [])
    for shape in shapes.WRITE_SHAPES:
        assert shapes.update(db, TABLE, {"is_active": False}, shape) == 0
        assert shapes.delete(db, TABLE, shape) == 0


def test_the_server_sees_every_key_and_writes_its_verdict(db: Session, key: Any) -> None:
    db.as_server().sees(TABLE, [key])
    assert db.run("update public.api_configurations set is_validated = false, validation_error = 'refused'") == 1


@pytest.mark.parametrize(
    "change", [{"api_key_encrypted": envelope(9)}, {"provider": "gemini"}], ids=["key", "provider"]
)
@pytest.mark.usefixtures("key")
def test_another_key_has_no_verdict_yet_and_keeps_its_counter(
    db: Session, alice: Person, change: dict[str, Any]
) -> None:
    assert shapes.update(db.as_user(alice), TABLE, change) == 1
    assert db.rows(VERDICT) == [{"is_validated": False, "validation_error": None, "usage_count": 7}]


@pytest.mark.parametrize("change", [{"is_active": False}, {"api_key_encrypted": envelope()}], ids=["switched", "same"])
@pytest.mark.usefixtures("key")
def test_the_same_key_keeps_its_verdict(db: Session, alice: Person, change: dict[str, Any]) -> None:
    assert shapes.update(db.as_user(alice), TABLE, change) == 1
    assert db.rows(VERDICT) == [{"is_validated": True, "validation_error": "old", "usage_count": 7}]


@pytest.mark.usefixtures("key")
def test_the_server_stores_a_key_together_with_its_verdict(db: Session) -> None:
    db.as_server().run(
        "update public.api_configurations set api_key_encrypted = %s, is_validated = true, last_validated_at = now()",
        [envelope(9)],
    )
    assert db.value("select is_validated from public.api_configurations") is True
