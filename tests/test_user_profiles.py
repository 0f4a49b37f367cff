"""user_profiles: users write their own words, staff read all and switch accounts off. More in test_own_rows.py."""

import pytest
from psycopg import errors

from harness import shapes
from harness.people import Person
from harness.refusal import Guard
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "user_profiles"
WORDS = ["display_name", "avatar_url", "bio", "preferences"]


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select insert update delete",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_users_write_their_words_and_no_facts(db: Session, alice: Person) -> None:
    db.as_user(alice)
    assert insertable(db, TABLE) == ["user_id", *WORDS]
    assert updatable(db, TABLE) == [*WORDS, "updated_at"]


def test_staff_read_every_profile(db: Session, alice: Person, carol: Person) -> None:
    db.as_staff(carol).sees(TABLE, [alice.id, carol.id], by="user_id")


def test_the_server_reads_every_profile(db: Session, alice: Person, bob: Person) -> None:
    db.as_server().sees(TABLE, [alice.id, bob.id], by="user_id")


@shapes.every_shape
def test_staff_switch_an_account_off(db: Session, alice: Person, carol: Person, shape: str) -> None:
    assert shapes.update(db.as_staff(carol), TABLE, {"is_active": False}, shape) == 2
    assert db.truth("select is_active from public.user_profiles where user_id = %s", [alice.id]) is False


@shapes.every_shape
@pytest.mark.parametrize("column", [*WORDS, "user_id", "last_login_at"])
def test_staff_change_no_word_and_no_fact_of_others(
    db: Session, alice: Person, carol: Person, column: str, shape: str
) -> None:
    value = {
        "user_id": carol.id,
        "last_login_at": "2020-01-01",
        "preferences": "{}",
        "avatar_url": "https://evil.example",
    }
    guard = Guard.RAISED if column in WORDS else Guard.COLUMN_GRANT
    db.as_owner().run("delete from public.user_profiles where user_id = %s", [carol.id])
    db.as_staff(carol)
    with db.refuses(errors.InsufficientPrivilege, by=guard):
        shapes.update(db, TABLE, {column: value.get(column, "Changed.")}, shape)
    assert db.truth("select display_name from public.user_profiles where user_id = %s", [alice.id]) == "alice"


def test_staff_are_users_too(db: Session, alice: Person, carol: Person) -> None:
    db.as_staff(carol)
    assert db.run("update public.user_profiles set bio = 'Mine.' where user_id = %s", [carol.id]) == 1
    assert db.run("delete from public.user_profiles") == 1
    assert db.truth("select user_id from public.user_profiles") == alice.id


def test_a_user_who_was_switched_off_cannot_switch_on_again(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.user_profiles set is_active = false")
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        db.run("update public.user_profiles set is_active = true")


@shapes.every_shape
def test_a_user_who_was_switched_off_cannot_begin_anew(db: Session, alice: Person, shape: str) -> None:
    db.as_owner().run("update public.user_profiles set is_active = false")
    assert shapes.delete(db.as_user(alice), TABLE, shape) == 0
    assert db.truth("select is_active from public.user_profiles where user_id = %s", [alice.id]) is False
