"""One transaction, never committed. What the owner does in it stays for a while, what a caller attempts does not."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq
from psycopg.rows import dict_row

from forge_db.access.causes import Outcome, outcome
from forge_db.errors import ForgeError, one_line

LOGIN = "authenticator"
Rows = tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Speaker:
    """Who sends a statement: a role and, for those who are signed in, an account."""

    role: str
    account: str | None = None

    @property
    def claims(self) -> str:
        """What PostgREST hands on from the token."""
        identity = {"sub": self.account, "aud": "authenticated", "aal": "aal1"} if self.account else {}
        return json.dumps({**identity, "role": self.role})


class Session:
    """Speaks as the owner of the schema, who is held by no policy, and for one attempt at a time as a caller.

    A superuser's connection logs in as everyone, by `set session authorization`. The owner's own connection, which is
    all that a hosted project gives, takes the roles by `set role`: policies and grants ask for the role, not the login.
    """

    def __init__(self, connection: psycopg.Connection[Any], owner: str) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._owner = owner
        self._is_superuser = connection.info.parameter_status("is_superuser") == "on"
        self._waiting = ""
        self._becoming: dict[Speaker, str] = {}
        self.attempts = 0

    @classmethod
    @contextmanager
    def on(cls, connection: psycopg.Connection[Any], owner: str) -> Iterator["Session"]:
        """A session on a connection, of which nothing remains."""
        with connection.transaction(force_rollback=True):
            session = cls(connection, owner)
            session.own(f"set local lock_timeout = '10s'; {session._return()}")
            yield session

    # The owner -------------------------------------------------------------------------------------------------------

    def own(self, statements: str) -> Rows:
        """Do something as the owner, where a failure is an error; the rows of the last statement."""
        done = outcome(self._execute(statements))
        if done.sqlstate:
            raise ForgeError(f"{done.message} ({done.sqlstate})", f"The statement was: {one_line(statements)}")
        return done.rows

    def query(self, text: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Ask the catalogue, or anything else, as the owner."""
        self._execute("")
        cursor = self._connection.cursor(row_factory=dict_row)
        return cursor.execute(text.encode(), parameters, prepare=False).fetchall()

    def try_own(self, statement: str) -> Outcome:
        """Do something as the owner, if that is possible."""
        found = outcome(self._execute(f"savepoint trial; {statement}"))
        self._later(("rollback to savepoint trial; " if found.sqlstate else "") + "release savepoint trial")
        return found

    def rehearse(self, statement: str) -> Outcome:
        """What would become of a statement of the owner's."""
        found = outcome(self._execute(f"savepoint trial; {statement}"))
        self._later("rollback to savepoint trial; release savepoint trial")
        return found

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is done in the block is taken back at its end."""
        self._later("savepoint stage")
        try:
            yield
        finally:
            self._later("rollback to savepoint stage; release savepoint stage")

    # Callers ---------------------------------------------------------------------------------------------------------

    def attempt(self, speaker: Speaker, statement: str) -> Outcome:
        """What becomes of a statement of somebody's. Whatever it did is taken back."""
        self.attempts += 1
        found = outcome(self._execute(f"savepoint attempt; {self._become(speaker)}; {statement}"))
        self._later("rollback to savepoint attempt; release savepoint attempt")
        return found

    @contextmanager
    def speaking(self, speaker: Speaker, statement: str, *, may_write: bool = True) -> Iterator[Outcome]:
        """The same, with a look at what it did before that is taken back.

        What may not write fails when it tries, as it does in the read-only transaction that PostgREST gives it.
        """
        with self.undone():
            self.attempts += 1
            mode = "" if may_write else "set local transaction_read_only = on; "
            found = outcome(self._execute(f"savepoint attempt; {self._become(speaker)}; {mode}{statement}"))
            self._later("rollback to savepoint attempt" if found.sqlstate else self._return())
            yield found

    def may_become(self, roles: Iterable[str]) -> None:
        """Let the owner take these roles until the end of the transaction, where it may not already."""
        if self._is_superuser:
            return
        for role in roles:
            if self.try_own(f"set local role {_name(role)}; set local role none").sqlstate:
                self.own(f"grant {_name(role)} to current_user")

    def _become(self, speaker: Speaker) -> str:
        """What makes a speaker of the session, as PostgREST does it for a request."""
        if speaker not in self._becoming:
            self._becoming[speaker] = self._introduction(speaker)
        return self._becoming[speaker]

    def _introduction(self, speaker: Speaker) -> str:
        role = "none" if speaker.role == LOGIN and self._is_superuser else speaker.role
        settings = {"search_path": "public, extensions", "role": role, "request.jwt.claims": speaker.claims}
        calls = ", ".join(f"set_config({literal(name)}, {literal(value)}, true)" for name, value in settings.items())
        return f"{self._login(LOGIN)}; select {calls}"

    def _return(self) -> str:
        """Be the owner again, where what a caller did is to be looked at."""
        settings = "set local search_path = ''; select set_config('request.jwt.claims', '', true)"
        return f"{self._login(self._owner)}; {settings}"

    def _login(self, name: str) -> str:
        """Be who logs in with this name, as far as that is possible here."""
        if self._is_superuser:
            return f"set local role none; set local session authorization {_name(name)}"
        return "set local role none"

    def _later(self, statements: str) -> None:
        """Say this together with what is said next: a journey to the server costs more than most statements."""
        self._waiting += f"{statements}; "

    def _execute(self, statements: str) -> pq.abc.PGresult:
        sent, self._waiting = self._waiting + statements, ""
        return self._pgconn.exec_(sent.encode())


def literal(value: str | None) -> str:
    """A text as an SQL literal, of no type yet."""
    if value is None:
        return "null"
    return "'" + value.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
