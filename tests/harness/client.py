"""A user who sends requests through PostgREST's login, each in a transaction of its own, to a real database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from harness.databases import Database
from harness.people import Person
from harness.request import Request, request

JOIN = "insert into auth.users (id, aud, role, email) values (%s, 'authenticated', 'authenticated', %s)"
Parameters = Sequence[Any] | Mapping[str, Any] | None


class Client:
    """One pooled connection, speaking for one user."""

    def __init__(self, database: Database, speaker: Request) -> None:
        self.connection: psycopg.Connection[dict[str, Any]] = psycopg.connect(
            database.url("authenticator"), autocommit=True, row_factory=dict_row
        )
        with database.connect("postgres") as owner:
            self.settings = speaker.told(owner)

    @classmethod
    def of(cls, database: Database, person: Person) -> Self:
        return cls(database, request(person.role, **person.claims()))

    @classmethod
    def server(cls, database: Database) -> Self:
        """Server code that holds the service key."""
        return cls(database, request("service_role", iss="supabase"))

    def rows(self, query: str, parameters: Parameters = None) -> list[dict[str, Any]]:
        """One request."""
        with self.transaction():
            return self.connection.execute(query, parameters).fetchall()

    def value(self, query: str, parameters: Parameters = None) -> Any:
        ((value,),) = (row.values() for row in self.rows(query, parameters))
        return value

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        calls = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(self.settings))
        with self.connection.transaction():
            words = [word for pair in self.settings.items() for word in pair]
            self.connection.execute(sql.SQL("select {}").format(calls), words)
            yield self.connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def join(owner: psycopg.Connection, email: str) -> Person:
    """An account that is there to stay, made by the owner: for tests of what many users do at once."""
    user_id = uuid4()
    owner.execute(JOIN, [user_id, email])
    owner.commit()
    return Person(user_id, email)
