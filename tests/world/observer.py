"""Speaks as anyone, and sees what each one sees, on one connection and with few trips to the server.

Each role looks by a prepared statement of its own: a plan holds the policies of the role that it was made for.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.types.json import set_json_loads

from forge_db.access.catalogue import Catalogue, Relation
from harness.refusal import guard_of
from harness.request import Request, Speaker
from world.rows import Key, World

OWNER, AUTH = "the owner", "Supabase Auth"
READABLE = "select oid::int8 from pg_class where relkind in ('r', 'p') and has_table_privilege(%s, oid, 'select')"
LIVING = "select coalesce(json_object_agg(id, role), '{}') from auth.users where deleted_at is null"
WHOLE, IDS = "json_object_agg(it.{key}, to_jsonb(it))", "json_agg(it.{key})"
GLANCE = sql.SQL("""
    set local role none;
    set local session authorization {};
    set local role {};
    set local request.jwt.claims to {};
    set local request.jwt.claim.sub to '';
    set local request.jwt.claim.role to ''
""")


@dataclass(frozen=True)
class Outcome:
    """What became of a statement: so many rows, and these; or refused, by a guard where SQLSTATE 42501 has several."""

    count: int = 0
    rows: tuple[tuple[Any, ...], ...] = ()
    refusal: str = ""
    message: str = ""


@dataclass(frozen=True)
class Sight:
    """A moment: the rows as they are, and which of them each viewer sees. Policies hide rows, never a part of one."""

    world: World
    seen: Mapping[str, Set[Key]] = field(default_factory=dict)


class Observer:
    def __init__(self, connection: psycopg.Connection, viewers: Mapping[str, Request], catalogue: Catalogue) -> None:
        # Most tables are as they were the last time. Nobody changes what was read.
        set_json_loads(lru_cache(512)(json.loads), connection)
        self._connection = connection
        self._cursor = psycopg.ClientCursor(connection)
        self._viewers = viewers
        self._become: dict[str, str] = {}
        speakers = {OWNER: Speaker("postgres"), AUTH: Speaker("supabase_auth_admin"), **viewers}
        for name, speaker in speakers.items():
            self.introduce(name, speaker)
        for role, name in {viewer.role: name for name, viewer in viewers.items()}.items():
            readable = {oid for (oid,) in connection.execute(READABLE, [role])}
            seen = _each([table for table in catalogue.tables if table.oid in readable], IDS)
            connection.execute(f"{self._become[name]}; prepare seen_by_{role} as {seen}".encode())
        looks = [(_glance(viewer), f"execute seen_by_{viewer.role}") for viewer in viewers.values()]
        connection.execute(f"{self._become[OWNER]}; prepare whole as {_each(catalogue.tables, WHOLE)}".encode())
        self._rows = f"{self._become[OWNER]}; {LIVING}; execute whole".encode()
        self._views = "; ".join(step for look in looks for step in look).encode()

    # Speaking ---------------------------------------------------------------------

    def introduce(self, name: str, speaker: Speaker) -> None:
        """Let somebody speak under this name."""
        settings = {"request.jwt.claim.role": "", **speaker.settings(self._connection)}
        calls = [
            sql.SQL("set_config({}, {}, true)").format(sql.Literal(setting), sql.Literal(value))
            for setting, value in settings.items()
        ]
        text = sql.SQL("set local role none; set local session authorization {}; select {}")
        self._become[name] = text.format(sql.Identifier(speaker.login), sql.SQL(", ").join(calls)).as_string()

    def say(self, who: str, statement: str, parameters: Sequence[Any] = ()) -> Outcome:
        """A statement of somebody's. What is refused leaves nothing behind."""
        outcome = self._hear(f"savepoint said; {self._become[who]}", statement, parameters)
        end = "rollback to savepoint said; release savepoint said" if outcome.refusal else "release savepoint said"
        self._connection.execute(end.encode())
        return outcome

    @contextmanager
    def trying(self, who: str) -> Iterator[Callable[[str, Sequence[Any]], Outcome]]:
        """Somebody tries one statement after the other. Each is taken back before the next one."""
        self._connection.execute(f"savepoint trial; {self._become[who]}; savepoint said".encode())
        try:
            yield partial(self._hear, "rollback to savepoint said")
        finally:
            self._connection.execute("rollback to savepoint trial; release savepoint trial")

    def _hear(self, before: str, statement: str, parameters: Sequence[Any]) -> Outcome:
        said = self._cursor.mogrify(statement, parameters)
        try:
            *_, answer = self._connection.execute(f"{before}; {said}".encode()).results()
            return Outcome(answer.rowcount, tuple(answer) if answer.description else ())
        except psycopg.Error as refusal:
            by = guard_of(refusal) if isinstance(refusal, errors.InsufficientPrivilege) else refusal.sqlstate
            return Outcome(refusal=str(by), message=str(refusal))

    # Looking ----------------------------------------------------------------------

    def look(self, before: Sight) -> Sight:
        """The rows as they are now, and as everybody sees them. Where all rows are as before, that is the same."""
        _, ((living,),), whole = self._answers(self._rows)
        world = before.world.renewed({table: rows or {} for table, rows in whole}, living)
        if before.seen and (world.rows, world.accounts) == (before.world.rows, before.world.accounts):
            return before
        views = self._answers(self._views)
        return Sight(world, {name: _keys(view) for name, view in zip(self._viewers, views, strict=True)})

    def _answers(self, statements: bytes) -> list[list[Any]]:
        return [it.fetchall() for it in self._connection.execute(statements).results() if it.description]


def _keys(view: list[tuple[str, list[str] | None]]) -> set[Key]:
    return {Key(table, row_id) for table, ids in view for row_id in ids or ()}


def _glance(viewer: Request) -> str:
    """As much of speaking as policies ask for."""
    login, role, token = sql.Identifier(viewer.login), sql.Identifier(viewer.role), sql.Literal(viewer.claims)
    return GLANCE.format(login, role, token).as_string()


def _each(tables: list[Relation], wanted: str) -> str:
    """One row for each table: its name, and what is wanted of its rows."""
    parts = [f"select '{it.name}', {wanted.format(key=it.key[0])} from {it.name} as it" for it in tables]
    return " union all ".join(parts) or "select '', null::json where false"
