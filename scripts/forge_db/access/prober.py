"""A run: everything that follows from the contract, as cases that can be run one by one or all together."""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from forge_db.access import equality, objects, routines
from forge_db.access.contract import COMMANDS, Contract, Table
from forge_db.access.failures import Failure, report
from forge_db.access.observations import Observation, failures
from forge_db.access.stage import Stage
from forge_db.access.tables import TableProbe
from forge_db.errors import ForgeError

CATALOGUE = "catalogue"
UNTRIED = "what could not be tried"


@dataclass
class Report:
    """What a run found."""

    failures: list[Failure] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    attempts: int = 0

    def __str__(self) -> str:
        return report(self.failures, self.attempts)


@dataclass(frozen=True)
class Case:
    """One part of a run: its name, the table or kind of object that it is about, and how it is found out."""

    name: str
    subject: str
    find: Callable[[Stage], Iterable[Failure]]

    def run(self, stage: Stage) -> Report:
        """Find the failures. What could not be tried is one, and so is having tried nothing."""
        attempts, seen = stage.session.attempts, len(stage.observed)
        try:
            found = list(self.find(stage))
        except ForgeError as error:
            reason = f"{error.message} ({error.hint})" if error.hint else error.message
            found = [Failure(self.subject, UNTRIED, f"{self.name} can be tried", reason)]
        attempts = stage.session.attempts - attempts
        if not attempts and not found and self.name != CATALOGUE:
            found = [Failure(self.subject, UNTRIED, f"{self.name} makes an attempt", "none was made")]
        return Report(found, stage.observed[seen:], attempts)


def cases(contract: Contract) -> list[Case]:
    """All cases of a contract."""
    found = [Case(CATALOGUE, CATALOGUE, _catalogue)]
    for table in contract.tables.values():
        short = table.name.removeprefix("public.")
        found += [Case(f"{short}-{role}", table.name, partial(_table, table, role)) for role in contract.roles]
    parts: dict[str, tuple[object, Callable[[Stage, str], Iterable[Failure]]]] = {
        "schemas": (contract.usage, objects.schemas),
        "closed": (contract.closed, objects.closed),
        "sequences": (contract.sequences, objects.sequences),
        "functions": (contract.functions, routines.functions),
        "views": (contract.views, routines.views),
    }
    for name, (named, find) in parts.items():
        if named:
            found += [Case(f"{name}-{role}", name, partial(_part, find, role)) for role in contract.roles]
    return found


def examine(connection: psycopg.Connection[Any], contract: Contract, only: Collection[str] | None = None) -> Report:
    """Run the cases on a connection, on which nothing remains of it.

    `only` narrows it to these tables, kinds of objects (schemas, closed, sequences, functions, views) or cases; the
    comparison with the catalogue is always made.
    """
    wanted = None if only is None else {CATALOGUE, *only}
    chosen = [it for it in cases(contract) if wanted is None or wanted & {it.subject, it.name}]
    done = Report()
    with Stage.on(connection, contract) as stage:
        for case in chosen:
            part = case.run(stage)
            done.failures += part.failures
            done.observations += part.observations
            done.attempts += part.attempts
    return done


def run(
    connect: Callable[[], AbstractContextManager[psycopg.Connection[Any]]],
    contract: Contract,
    only: Collection[str] | None = None,
) -> list[Failure]:
    """The failures alone, on a connection made for it."""
    with connect() as connection:
        return examine(connection, contract, only).failures


def _catalogue(stage: Stage) -> Iterable[Failure]:
    return equality.compare(stage.contract, stage.catalogue, stage.spelt())


def _table(table: Table, role: str, stage: Stage) -> Iterable[Failure]:
    probe = TableProbe(stage, table, role)
    yield from failures(probe.run())
    for command in (it for it in COMMANDS if probe.law.gives(it)):
        if not any(probe.law.holds(command, kind) for kind in probe.kinds):
            rule = stage.contract.rule(table, role, command)
            yield Failure(table.name, UNTRIED, f"{command} by {role} of: {rule.text}", "no kind of row meets this rule")


def _part(find: Callable[[Stage, str], Iterable[Failure]], role: str, stage: Stage) -> Iterable[Failure]:
    return find(stage, role)
