"""user_sessions: sign-ins are written down by a trigger; their user may see and clear the list, staff may read it."""

from typing import Any

import pytest

from harness import shapes
from harness.people import Person, sign_in
from harness.rights import by_caller
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "user_sessions"


@pytest.fixture
def sessions(db: Session, alice: Person, bob: Person) -> dict[str, Any]:
    return {"alice": db.add(TABLE, user_id=alice.id), "bob": db.add(TABLE, user_id=bob.id)}


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select delete",
        "staff": "select delete",
        "server": "select delete",
    }


def test_users_see_their_own_sign_ins(db: Session, alice: Person, sessions: dict[str, Any]) -> None:
    db.as_user(alice).sees(TABLE, [sessions["alice"]])


@shapes.every_shape
def test_users_clear_their_own_list_and_no_other(
    db: Session, alice: Person, sessions: dict[str, Any], shape: str
) -> None:
    assert shapes.delete(db.as_user(alice), TABLE, shape) == 1
    assert db.truth("select id from public.user_sessions") == sessions["bob"]


def test_staff_see_all_and_delete_their_own(db: Session, carol: Person, sessions: dict[str, Any]) -> None:
    db.as_staff(carol).sees(TABLE, sessions.values())
    assert db.run("delete from public.user_sessions") == 0


def test_the_server_sees_all(db: Session, sessions: dict[str, Any]) -> None:
    db.as_server().sees(TABLE, sessions.values())


def test_a_sign_in_is_written_down(db: Session, alice: Person, bob: Person) -> None:
    sign_in(db, alice)
    sign_in(db, alice)
    assert db.as_owner().column("select user_id from public.user_sessions") == [alice.id, alice.id]
    signed_in = "select last_sign_in_at from auth.users where id = %s"
    logged_in = "select last_login_at from public.user_profiles where user_id = %s"
    latest = "select max(signed_in_at) from public.user_sessions where user_id = %s"
    assert db.value(logged_in, [alice.id]) == db.value(latest, [alice.id]) == db.value(signed_in, [alice.id])
    assert db.value(logged_in, [bob.id]) is None


def test_other_changes_of_an_account_are_no_sign_in(db: Session, alice: Person) -> None:
    db.as_auth().run("update users set email = 'alice@elsewhere.example', updated_at = now() where id = %s", [alice.id])
    db.run("update users set last_sign_in_at = last_sign_in_at where id = %s", [alice.id])
    assert db.truth("select count(*) from public.user_sessions") == 0


def test_the_device_is_that_of_the_persons_newest_session(db: Session, alice: Person, bob: Person) -> None:
    """Where Supabase Auth keeps sessions: the stand-in for the platform has no such table."""
    db.as_auth().run("create table auth.sessions (user_id uuid, created_at timestamptz, ip inet, user_agent text)")
    db.run("grant select on auth.sessions to postgres")
    db.run(
        """
        insert into auth.sessions values
        (%(alice)s, now() - interval '2 hours', '192.0.2.1', 'old'),
        (%(alice)s, now() - interval '1 hour', '192.0.2.2', repeat('x', 1001)),
        (%(bob)s, now(), '192.0.2.3', 'of another')
        """,
        {"alice": alice.id, "bob": bob.id},
    )
    sign_in(db, alice)
    (known,) = db.as_owner().rows("select user_id, ip_address::text, user_agent from public.user_sessions")
    assert known == {"user_id": alice.id, "ip_address": "192.0.2.2/32", "user_agent": "x" * 1000}


def test_a_sign_in_that_cannot_be_written_down_succeeds(db: Session, alice: Person) -> None:
    db.as_owner().run("alter table public.user_sessions add constraint full_today check (false)")
    sign_in(db, alice)
    assert db.truth("select last_sign_in_at is not null from auth.users where id = %s", [alice.id])


def test_a_user_without_a_profile_can_sign_in(db: Session, alice: Person) -> None:
    db.as_owner().run("delete from public.user_profiles")
    sign_in(db, alice)
    assert db.truth("select count(*) from public.user_sessions") == 1
