"""One transaction in which a test seeds as the owner, then speaks as anyone, and sees what that one may."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import dict_row

from harness.examples import example
from harness.people import Person
from harness.refusal import Guard, told_apart
from harness.request import Request, Speaker, request

Parameters = Sequence[Any] | Mapping[str, Any] | None


class Session:
    """Speaks as nobody until told who. Nothing under test ever runs as the superuser who opened the connection."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._speaker: Speaker | None = None
        self._statement = ""

    # Who speaks -------------------------------------------------------------------

    def speak(self, speaker: Speaker) -> Self:
        """Log in as somebody else and, for a request, do what PostgREST does before the query."""
        self._connection.execute(
            # A plan that the owner's session has made would spare the next speaker its checks of names and rights.
            sql.SQL("set local role none; set local session authorization {}; discard plans").format(
                sql.Identifier(speaker.login)
            )
        )
        settings = speaker.settings(self._connection)
        calls = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(settings))
        self._connection.execute(
            sql.SQL("select {}").format(calls), [word for pair in settings.items() for word in pair]
        )
        self._speaker = speaker
        return self

    def as_owner(self) -> Self:
        """`postgres`, who runs the migrations: no superuser, but no policy holds it. For seeds and for the truth."""
        return self.speak(Speaker("postgres"))

    def as_auth(self) -> Self:
        """Supabase Auth, who signs people up and in and deletes accounts."""
        return self.speak(Speaker("supabase_auth_admin"))

    def as_user(self, person: Person, **claims: Any) -> Self:
        """A person who is signed in. Claims given here are added to the token, or replace its own."""
        return self.speak(request("authenticated", **{**person.claims(), **claims}))

    def as_staff(self, person: Person, **claims: Any) -> Self:
        """A person whose account has the role app_admin."""
        return self.speak(request("app_admin", **{**person.claims(), **claims}))

    def as_visitor(self) -> Self:
        """Somebody who has not signed in: the token is the project's public key."""
        return self.speak(request("anon", iss="supabase"))

    def as_server(self) -> Self:
        """Server code that holds the service key."""
        return self.speak(request("service_role", iss="supabase"))

    def as_token(self, role: str, claims: str) -> Self:
        """A request with these claims as they stand, well-formed or not."""
        return self.speak(Request("authenticator", role, claims))

    @contextmanager
    def aside(self) -> Iterator[Self]:
        """Say something as somebody else; afterwards whoever spoke before speaks again."""
        before = self._speaker
        yield self
        if before is not None:
            self.speak(before)

    # What is said -----------------------------------------------------------------

    def execute(self, statement: str, parameters: Parameters = None) -> psycopg.Cursor[dict[str, Any]]:
        assert self._speaker is not None, "say who speaks first: db.as_user(alice), db.as_visitor(), …"
        assert self._connection.info.parameter_status("is_superuser") == "off", "a superuser proves nothing"
        self._statement = statement
        return self._connection.cursor(row_factory=dict_row).execute(statement, parameters)

    def rows(self, query: str, parameters: Parameters = None) -> list[dict[str, Any]]:
        return self.execute(query, parameters).fetchall()

    def column(self, query: str, parameters: Parameters = None) -> list[Any]:
        """The first column of every row."""
        return [next(iter(row.values())) for row in self.rows(query, parameters)]

    def value(self, query: str, parameters: Parameters = None) -> Any:
        """The one value of the one row."""
        (value,) = self.column(query, parameters)
        return value

    def run(self, statement: str, parameters: Parameters = None) -> int:
        """Say it, and tell how many rows it hit."""
        return self.execute(statement, parameters).rowcount

    def add(self, table: str, **columns: Any) -> Any:
        """Seed a valid row as the owner, these columns as given, and return its id. The speaker stays."""
        row = example(table) | columns
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        values = sql.SQL(", ").join(sql.Placeholder() * len(row))
        insert = sql.SQL("insert into {} ({}) values ({}) returning id").format(
            sql.Identifier("public", table), names, values
        )
        with self.aside():
            return self.as_owner().value(insert.as_string(), list(row.values()))

    def truth(self, query: str, parameters: Parameters = None) -> Any:
        """What the owner finds, whoever speaks: zero rows is also what a test with a typo sees."""
        with self.aside():
            return self.as_owner().value(query, parameters)

    # What is expected -------------------------------------------------------------

    def sees(self, table: str, expected: Iterable[Any], *, by: str = "id") -> None:
        """The speaker reads exactly these rows of the table, no fewer and no more."""
        found, wanted = self.column(f"select {by} from public.{table}"), list(expected)
        missing = [row for row in wanted if row not in found]
        extra = [row for row in found if row not in wanted]
        told = f"{table}: missing {missing}, extra {extra}, {len(found)} rows instead of {len(wanted)}"
        assert (missing, extra, len(found)) == ([], [], len(wanted)), told

    @contextmanager
    def refuses(
        self, error: type[psycopg.Error], *, by: Guard | None = None, constraint: str | None = None
    ) -> Iterator[pytest.ExceptionInfo[psycopg.Error]]:
        """The block must fail with this error, by this guard or constraint; the transaction goes on after it.

        A refusal with 42501 has many causes, so the guard must be named.
        """
        assert error is not errors.InsufficientPrivilege or by is not None, (
            "say which guard refuses: by=Guard.POLICY, …"
        )
        before = self._speaker
        with pytest.raises(error) as caught, self._connection.transaction():
            yield caught
        self._speaker = before
        if by is not None and isinstance(caught.value, errors.InsufficientPrivilege):
            assert self.guard(caught.value) is by, str(caught.value)
        if constraint is not None:
            assert caught.value.diag.constraint_name == constraint, str(caught.value)

    def guard(self, refusal: errors.InsufficientPrivilege) -> Guard:
        """What refused the latest statement."""
        return told_apart(self._connection, refusal, self._statement)

    @contextmanager
    def undone(self) -> Iterator[Self]:
        """What the block does is taken back at its end, so that the next attempt meets the same rows."""
        before = self._speaker
        with self._connection.transaction(force_rollback=True):
            yield self
        self._speaker = before
