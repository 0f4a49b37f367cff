"""The prober turned inside out: each probe is made once as it is, and then once with every mutant that it may notice.

A probe is a millisecond, and what it stands on is fifty. So what it stands on is made once for each table and role, and
a mutant lives for the length of one statement, in a savepoint. A probe that fails although nothing is broken is told.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg

from forge_db.access import equality, objects, prober, routines
from forge_db.access.catalogue import QUERIES, Grant
from forge_db.access.causes import Cause, Outcome
from forge_db.access.contract import Contract, Table
from forge_db.access.expect import refined
from forge_db.access.failures import Failure
from forge_db.access.rules import Kind as RowKind
from forge_db.access.session import Speaker
from forge_db.access.shapes import Shape
from forge_db.access.stage import Stage
from forge_db.access.tables import CLOSED, TableProbe
from forge_db.errors import ForgeError
from mutants.mutant import Kill, Kind, Mutant

GRANTS = (Kind.TABLE_GRANT, Kind.COLUMN_GRANT)
# What the prober can tell of at once, and the contract's list of grants of the rest.
KINDS = {Kind.POLICY, Kind.ROW_SECURITY, *GRANTS, Kind.EXECUTE}

Kills = dict[str, Kill]


def probe(connection: psycopg.Connection[Any], contract: Contract, mutants: Sequence[Mutant]) -> Kills:
    """What the prober notices of these, which are of KINDS; nothing remains of any of them."""
    kills: Kills = {}

    def alive() -> list[Mutant]:
        return [it for it in mutants if it.name not in kills]

    with Stage.on(connection, contract) as stage:
        for name in dict.fromkeys(it.subject for it in mutants):
            of_subject = [it for it in mutants if it.subject == name]
            if "(" in name:
                _of_function(stage, of_subject, kills)
            elif name in contract.tables:
                _of_table(stage, contract.tables[name], of_subject, kills)
            else:
                _of_closed(stage, name, of_subject, kills)
        _of_names(stage, alive(), kills)
    return kills


def _note(kills: Kills, mutant: Mutant, case: str, failure: Failure, by: str = "prober") -> None:
    said = f"{failure.subject}: {failure.what}: expected {failure.expected}, found {failure.observed}"
    kills[mutant.name] = Kill(by, case, said)


@contextmanager
def broken(stage: Stage, mutant: Mutant) -> Iterator[None]:
    with stage.session.undone():
        stage.session.own(mutant.statement)
        yield


# Tables that requests reach -------------------------------------------------------------------------------------------


def _of_table(stage: Stage, table: Table, mutants: Sequence[Mutant], kills: Kills) -> None:
    for role in stage.contract.roles:
        if any(it.name not in kills for it in mutants):
            Inverted(stage, table, role, mutants, kills).run()


class Inverted(TableProbe):
    """Every statement that one role can try on one table, with each mutant of that table."""

    def __init__(self, stage: Stage, table: Table, role: str, mutants: Sequence[Mutant], kills: Kills) -> None:
        super().__init__(stage, table, role)
        held = {*stage.contract.held(role), ""}
        is_held = not stage.contract.roles[role].bypasses_policies
        self.mutants = [it for it in mutants if it.role in held and (is_held or it.kind in GRANTS)]
        self.kills = kills
        self.commands = {
            it.name: policy.command
            for policy in self.relation.policies
            for it in mutants
            if it.change.startswith(f'policy "{policy.name}" ')
        }

    def _try(
        self,
        command: str,
        kind: RowKind | None,
        shape: Shape,
        columns: Collection[str] = (),
        *,
        column: str = "",
        becomes: RowKind | None = None,
        meets: RowKind | None = None,
        expected: Collection[Cause] = (),
    ) -> None:
        # What no mutant could change is not worth a statement.
        alive = self._alive() if not column else [it for it in self._alive() if it.kind in GRANTS]
        concerned = [it for it in alive if self._concerns(it, command, shape, columns)]
        if not concerned:
            return
        super()._try(
            command, kind, shape, columns, column=column, becomes=becomes, meets=meets, expected=expected
        )  # fmt: skip
        for mutant in concerned:
            with broken(self.stage, mutant):
                said = self.session.attempt(self.stage.speaker(self.role), shape.text)
                rights = self.rights
                if said.cause is Cause.TABLE_GRANT and mutant.kind in GRANTS:
                    rights = self.stage.rights(self.role, self.relation)
            self._judge(mutant, said if kind is None else refined(said, command, shape, columns, rights))

    def _try_anyway(self, command: str, kind: RowKind, tried: Iterable[Shape], becomes: RowKind | None = None) -> None:
        for shape in tried:
            concerned = [it for it in self._alive() if it.kind not in GRANTS and self._concerns(it, command, shape, ())]
            if not concerned:
                continue
            super()._try_anyway(command, kind, [shape], becomes)
            for mutant in concerned:
                with broken(self.stage, mutant):
                    said = self.session.attempt(self.stage.speaker(self.role), shape.text)
                self._judge(mutant, refined(said, "", shape, (), self.rights))

    def _alive(self) -> list[Mutant]:
        return [it for it in self.mutants if it.name not in self.kills]

    def _concerns(self, mutant: Mutant, command: str, shape: Shape, columns: Collection[str]) -> bool:
        """Whether a statement can tell the difference: it needs what is broken."""
        touched = {command, *(["select"] if shape.reads else []), *(["update"] if shape.updates else [])}
        if mutant.kind is Kind.POLICY:
            return self.commands.get(mutant.name, "all") in {*touched, "all"}
        if mutant.kind not in GRANTS:
            return True
        if mutant.change.partition(" ")[0] not in touched:
            return False
        return not mutant.words or mutant.words[0] in {*columns, *shape.reads, *shape.updates}

    def _judge(self, mutant: Mutant, outcome: Outcome) -> None:
        seen = self.stage.observed[-1]
        if not seen.is_as_expected:
            raise ForgeError(
                f"a probe fails although nothing is broken: {seen.table}: {seen.what}: {seen.outcome}",
                "Mend it first: `make test-rls`.",
            )
        if outcome.cause not in seen.expected:
            failure = Failure(seen.table, seen.what, " or ".join(sorted(seen.expected)), str(outcome))
            _note(self.kills, mutant, f"{self.table.name.removeprefix('public.')}-{self.role}", failure)


# Tables out of reach, functions ---------------------------------------------------------------------------------------


class _Watching:
    """Attempts what the session would, where the closed tables are tried: each statement meets each mutant."""

    def __init__(self, stage: Stage, role: str, mutants: Sequence[Mutant], kills: Kills) -> None:
        self.stage, self.role, self.mutants, self.kills = stage, role, mutants, kills

    def attempt(self, speaker: Speaker, statement: str) -> Outcome:
        found = self.stage.session.attempt(speaker, statement)
        for mutant in [it for it in self.mutants if it.name not in self.kills]:
            with broken(self.stage, mutant):
                said = self.stage.session.attempt(speaker, statement)
            if said.cause is Cause.ALLOWED and not said.count:
                said = Outcome(Cause.FILTERED)
            if said.cause not in CLOSED | {Cause.SCHEMA_GRANT}:
                failure = Failure(mutant.subject, f"{statement.split()[0]} by {self.role}", "closed", str(said))
                _note(self.kills, mutant, f"closed-{self.role}", failure)
        return found


def _of_closed(stage: Stage, name: str, mutants: Sequence[Mutant], kills: Kills) -> None:
    """What guards a table that nobody reaches: its policies, should every grant slip in."""
    relation = stage.catalogue.relations[name]
    for role, told in stage.contract.roles.items():
        held = {*stage.contract.held(role), ""}
        concerned = [
            it for it in mutants if it.kind not in GRANTS and it.name not in kills and (it.role in held or not it.role)
        ]
        if not concerned or told.bypasses_policies or not relation.is_table:
            continue
        watching = _Watching(stage, role, concerned, kills)
        with stage.session.undone():
            wrong = list(objects.with_every_grant(stage, role, relation, watching.attempt))
        if wrong:
            raise ForgeError(f"a probe fails although nothing is broken: {wrong[0]}", "Mend it first: `make test-rls`.")


def _of_function(stage: Stage, mutants: Sequence[Mutant], kills: Kills) -> None:
    """Who may call it."""
    whole = stage.contract
    narrowed = replace(whole, functions=tuple(it for it in whole.functions if alike(it.name, mutants[0].subject)))
    stage.contract = narrowed
    try:
        for mutant in mutants:
            with broken(stage, mutant):
                for role in sorted(narrowed.roles, key=lambda role: role != mutant.role):
                    if failure := next(routines.permissions(stage, role), None):
                        _note(kills, mutant, f"functions-{role}", failure)
                        break
    finally:
        stage.contract = whole


def _of_names(stage: Stage, mutants: Sequence[Mutant], kills: Kills) -> None:
    """What no statement shows while the schema, or what a function calls, is closed: the contract's list of grants."""
    query = (QUERIES / "grants.sql").read_text(encoding="utf-8")
    spelt = stage.spelt()
    for mutant in mutants:
        if mutant.kind not in (*GRANTS, Kind.EXECUTE):
            continue
        with suppress(ForgeError), broken(stage, mutant):
            rows = stage.session.query(query, {"schemas": list(stage.contract.usage)})
            catalogue = replace(stage.catalogue, grants=[Grant(**row) for row in rows])
            if found := equality.compare(stage.contract, catalogue, spelt):
                _note(kills, mutant, prober.CATALOGUE, found[0], by="contract")


def alike(name: str, subject: str) -> bool:
    """Whether the contract's spelling of a function means this one."""

    def plain(text: str) -> str:
        for full, short in (("timestamp with time zone", "timestamptz"), ("character varying", "varchar"), (" ", "")):
            text = text.replace(full, short)
        return text

    return plain(name) == plain(subject)
