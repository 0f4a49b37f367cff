"""Who sends requests over a shared connection, and what PostgREST tells the transaction of each: no more than that."""

from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from harness.databases import SUPERUSER, Database
from harness.people import sign_up
from harness.request import Request, request
from harness.session import Session

# One row about who is asking and whose prompts they see. A visitor may not ask for prompts.
WHO = "select current_user::text as role, auth.uid()::text as id, pg_backend_pid() as backend, {} as owners"
OWNERS = "array(select distinct user_id::text from public.prompt_history)"
ADD = (
    "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ({})"
)


@dataclass(frozen=True)
class Sender:
    """Somebody who sends requests."""

    role: str
    id: str | None
    settings: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, connection: psycopg.Connection, told: Request, user: str | None) -> "Sender":
        """For a visitor no claims are set: those that another one has left would show."""
        return cls(told.role, user, {name: value for name, value in told.told(connection).items() if value})

    def opening(self, *, is_local: bool = True) -> str:
        """What PostgREST says first. To say it to the session would be the mistake that a pool does not forgive."""
        calls = [
            sql.SQL("set_config({}, {}, {})").format(sql.Literal(name), sql.Literal(value), sql.Literal(is_local))
            for name, value in self.settings.items()
        ]
        return f"select {sql.SQL(', ').join(calls).as_string()}"

    @property
    def question(self) -> str:
        return WHO.format(OWNERS if self.id else "array[]::text[]")

    def objection(self, answer: tuple[str, str | None, int, list[str]]) -> str:
        """What is wrong with an answer: another's identity, or rows of others."""
        role, user, _, owners = answer
        found, wanted = (role, user, set(owners)), (self.role, self.id, {self.id} - {None})
        return "" if found == wanted else f"{self.role} {self.id} was answered as {found}"

    def adding(self, words: str) -> str:
        """A prompt of the sender's."""
        values = [self.id, "roses", "R.O.S.E.S", "gpt-4o", "openai", words]
        return ADD.format(sql.SQL(", ").join(map(sql.Literal, values)).as_string())


def senders(database: Database, users: int) -> list[Sender]:
    """A visitor and so many users with a prompt each, who are really there for every connection."""
    with database.connect(SUPERUSER) as connection:
        db = Session(connection)
        people = [sign_up(db, f"user{number}@example.com") for number in range(users)]
        for person in people:
            db.add("prompt_history", user_id=person.id)
        tokens = [(request("authenticated", **person.claims()), str(person.id)) for person in people]
        return [Sender.of(connection, *it) for it in [*tokens, (Request("authenticator"), None)]]
