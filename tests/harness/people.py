"""Accounts, made and unmade by supabase_auth_admin as Supabase Auth does it: our triggers fire for the right role."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from harness.session import Session

SIGN_UP = """
    insert into users (
        instance_id, id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,
        created_at, updated_at, phone, is_anonymous
    )
    values (
        %(instance_id)s, %(id)s, 'authenticated', %(role)s, %(email)s, '', %(app_metadata)s, %(user_metadata)s,
        now(), now(), %(phone)s, %(is_anonymous)s
    )
"""


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and the claims that Supabase Auth puts into their token."""

    id: UUID
    email: str | None
    role: str = "authenticated"
    is_anonymous: bool = False

    def claims(self) -> dict[str, Any]:
        return {
            "iss": "http://localhost/auth/v1",
            "aud": "authenticated",
            "sub": str(self.id),
            "email": self.email or "",
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": 1760000000}],
            "session_id": str(self.id),
            "is_anonymous": self.is_anonymous,
        }


def sign_up(db: "Session", email: str | None, *, role: str = "authenticated", **others: Any) -> Person:
    """A new account. Others: phone, is_anonymous, app_metadata, user_metadata."""
    person = Person(uuid4(), email, role, others.get("is_anonymous", False))
    row = {
        "instance_id": UUID(int=0),
        "id": person.id,
        "role": role,
        "email": email,
        "phone": others.get("phone"),
        "is_anonymous": person.is_anonymous,
        "app_metadata": Jsonb(others.get("app_metadata", {"provider": "email", "providers": ["email"]})),
        "user_metadata": Jsonb(others.get("user_metadata", {})),
    }
    with db.aside():
        db.as_auth().run(SIGN_UP, row)
    return person


def sign_in(db: "Session", person: Person) -> None:
    with db.aside():
        db.as_auth().run(
            "update users set last_sign_in_at = clock_timestamp(), updated_at = now() where id = %s", [person.id]
        )


def delete_account(db: "Session", person: Person) -> None:
    with db.aside():
        db.as_auth().run("delete from users where id = %s", [person.id])
