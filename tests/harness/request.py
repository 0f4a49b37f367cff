"""Who speaks to the database, and what the session is told first: as a login, or as a request through PostgREST."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

# What ALTER ROLE and ALTER DATABASE stored. For a login the most special entry wins; PostgREST knows the role's own.
LOGIN_SETTINGS = """
    select split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)
    from pg_db_role_setting as stored, unnest(stored.setconfig) as entry
    where stored.setrole in (0, %s::regrole)
        and stored.setdatabase in (0, (select oid from pg_database where datname = current_database()))
    order by stored.setrole <> 0, stored.setdatabase <> 0
"""
ROLE_SETTINGS = """
    select split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)
    from pg_roles as role, unnest(role.rolconfig) as entry
    where role.rolname = %s
"""

# What holds where nothing is stored, and what an earlier speaker of the same transaction may have left.
UNTOLD = {
    "search_path": '"$user", public',
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "timezone": "UTC",
    "request.jwt.claims": "",
    "request.jwt.claim.sub": "",
    "request.method": "",
    "request.path": "",
    "request.headers": "",
    "request.cookies": "",
}


@dataclass(frozen=True)
class Speaker:
    """A login that speaks for itself."""

    login: str

    def settings(self, connection: psycopg.Connection) -> dict[str, str]:
        return UNTOLD | dict(connection.execute(LOGIN_SETTINGS, [self.login]).fetchall())


@dataclass(frozen=True)
class Request(Speaker):
    """A request: PostgREST's login, which takes the role that the token names for one transaction."""

    role: str = "anon"
    claims: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)

    def settings(self, connection: psycopg.Connection) -> dict[str, str]:
        return super().settings(connection) | self.told(connection)

    def told(self, connection: psycopg.Connection) -> dict[str, str]:
        """What PostgREST tells the transaction, in its order: the role's own settings while the login may set them."""
        return {
            "search_path": "public, extensions",
            **dict(connection.execute(ROLE_SETTINGS, [self.role]).fetchall()),
            "role": self.role,
            "request.jwt.claims": self.claims,
            "request.method": self.method,
            "request.path": "/",
            "request.headers": json.dumps({"host": "localhost", "user-agent": "tests", **self.headers}),
            "request.cookies": "{}",
        }


def request(role: str, *, method: str = "POST", headers: Mapping[str, str] | None = None, **claims: Any) -> Request:
    """A request whose token PostgREST has checked: `role` is always among the claims."""
    return Request("authenticator", role, json.dumps({**claims, "role": role}), method, headers or {})
