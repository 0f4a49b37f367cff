"""The world set up on one connection: the cast, everything furnished, somebody to watch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg

from forge_db.access import catalogue, contract
from forge_db.access.catalogue import Catalogue
from forge_db.access.contract import Contract
from forge_db.access.session import Session as CatalogueSession
from harness.people import Person, sign_up
from harness.request import Request, request
from harness.session import Session
from world.furniture import defaults, furnish
from world.observer import Observer, Sight
from world.rows import Caller, Row, World

TRIGGERS = "select oid::int8 from pg_proc where prorettype = 'trigger'::regtype"


@dataclass(frozen=True)
class Actor:
    """One of the cast: as the model has them, and as the database hears them."""

    caller: Caller
    speaker: Request


@dataclass(frozen=True)
class Stage:
    db: Session
    people: Mapping[str, Person]
    cast: Mapping[str, Actor]
    observer: Observer
    defaults: Mapping[str, Row]
    beginning: Sight


@contextmanager
def staged(connection: psycopg.Connection, *, keep: bool = False) -> Iterator[Stage]:
    """Two users, two of the staff, a visitor and the server; in a transaction that is rolled back, unless kept."""
    agreed, known = terms(connection)
    try:
        with connection.transaction(force_rollback=not keep):
            yield _set_up(connection, agreed, known)
    finally:
        with connection.transaction():
            connection.execute("deallocate all")


def _set_up(connection: psycopg.Connection, agreed: Contract, known: Catalogue) -> Stage:
    db = Session(connection)
    people = {
        "alice": sign_up(db, "alice@example.com"),
        "bob": sign_up(db, "bob@example.com"),
        "carol": sign_up(db, "carol@example.com", role="app_admin"),
        "dan": sign_up(db, "dan@example.com", role="app_admin"),
    }
    cast = {name: Actor(Caller(it.role, str(it.id)), token(it)) for name, it in people.items()}
    cast["visitor"] = Actor(Caller("anon"), request("anon"))
    cast["server"] = Actor(Caller("service_role"), request("service_role"))
    furnish(db, agreed, known, list(people.values()))
    observer = Observer(connection, {name: actor.speaker for name, actor in cast.items()}, known)
    beginning = observer.look(Sight(World(agreed, known, people=tuple(str(it.id) for it in people.values()))))
    return Stage(db, people, cast, observer, defaults(db, agreed, known), beginning)


def token(person: Person) -> Request:
    return request(person.role, **person.claims())


def terms(connection: psycopg.Connection) -> tuple[Contract, Catalogue]:
    """The contract, and the tables and functions of the API as the database has them."""
    agreed = contract.load()
    with CatalogueSession.on(connection, agreed.owner) as session:
        known = catalogue.load(session, ["public"], agreed.roles)
        triggers = {oid for (oid,) in connection.execute(TRIGGERS)}
    functions = {name: it for name, it in known.functions.items() if it.oid not in triggers}
    return agreed, replace(known, functions=functions)
