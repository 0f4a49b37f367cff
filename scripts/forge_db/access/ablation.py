"""Which guard opens a cell, or closes it: found by taking guards away one at a time, and looking what becomes of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from forge_db.access import shapes
from forge_db.access.catalogue import Grant, Policy
from forge_db.access.causes import Cause, Outcome
from forge_db.access.contract import Table
from forge_db.access.expect import refined
from forge_db.access.rules import Kind
from forge_db.access.shapes import Shape
from forge_db.access.stage import Stage

GRANTS = (Cause.TABLE_GRANT, Cause.COLUMN_GRANT)


@dataclass(frozen=True)
class Explanation:
    """What became of a statement on one kind of row, and the guards that decided it, each in a line."""

    kind: Kind
    outcome: Outcome
    statement: str
    reasons: tuple[str, ...]


class Ablation:
    """One command of one role on one table."""

    def __init__(self, stage: Stage, table: Table, role: str, command: str, column: str | None = None) -> None:
        self.stage = stage
        self.session = stage.session
        self.table = table
        self.role = role
        self.command = command
        self.column = column
        self.relation = stage.relation(table)

    def explain(self) -> Iterator[Explanation]:
        """An explanation for every kind of row."""
        with self.session.undone():
            self.stage.empty(self.relation)
            for kind in self.stage.kinds(self.table, self.role):
                with self.session.undone():
                    yield self._explain(kind)

    def _explain(self, kind: Kind) -> Explanation:
        bare, returning, columns = self._statement(kind)

        def attempt(shape: Shape = bare) -> Outcome:
            said = self.session.attempt(self.stage.speaker(self.role), shape.text)
            return refined(said, self.command, shape, columns, self.stage.rights(self.role, self.relation))

        found = attempt()
        reasons = list(
            self._openers(attempt) if found.cause is Cause.ALLOWED else self._closers(attempt, found, columns)
        )
        if found.cause is Cause.ALLOWED and returning is not None:
            reading = attempt(returning)
            if reading.cause is not Cause.ALLOWED:
                reasons.append(
                    f"but       where it reads a column, as in RETURNING, SELECT rules it too: {reading.cause}"
                )
        return Explanation(kind, found, bare.text, tuple(reasons))

    def _statement(self, kind: Kind) -> tuple[Shape, Shape | None, list[str]]:
        """The bare shape, which says what the policies of this command say; the one that returns; the columns named."""
        builder, relation = self.stage.builder, self.relation
        values = builder.find(relation, self.stage.fixed(self.table, kind, self.role))
        if self.command == "insert":
            told = {name: value for name, value in values.items() if value != builder.default(relation, name)}
            if self.column and self.column not in told:
                with self.session.undone():
                    told |= builder.others(relation, builder.place(relation, values), [self.column])
            tried = {it.name: it for it in shapes.inserts(relation, told, next(iter(told)), "default")}
            return tried["bare"], tried["returning"], list(told)
        row = builder.place(relation, values)
        if self.command == "select":
            columns = [self.column] if self.column else list(relation.columns)
            named = relation.columns[self.column].quoted if self.column else "*"
            return Shape("bare", f"select {named} from {relation.name}", tuple(columns)), None, []
        if self.command == "delete":
            tried = {it.name: it for it in shapes.deletes(relation, row)}
            return tried["bare"], tried["returning"], []
        column = self.column or self._writable(kind)
        value = builder.others(relation, row, [column])[column]
        tried = {it.name: it for it in shapes.updates(relation, row, column, value)}
        return tried["bare"], tried["returning"], [column]

    def _writable(self, kind: Kind) -> str:
        """A column that the contract lets be written, if there is one: the question is about the row then."""
        columns = [name for name, it in self.relation.columns.items() if not it.is_generated]
        allowed = self.stage.contract.writable(self.table, self.role, "update", kind)
        allowed = allowed or self.stage.contract.granted(self.table, self.role, "update")
        plain = [name for name in columns if name not in (*self.table.owner, *self.table.asked, *self.relation.key)]
        return next((name for name in plain or columns if not allowed or name in allowed), columns[0])

    # What opens it ----------------------------------------------------------------------------------------------------

    def _openers(self, attempt: Callable[[], Outcome]) -> Iterator[str]:
        grants = self._grants()
        needed = [it for it in grants if self._without(attempt, [self._revoke(it)]).cause in GRANTS]
        for grant in needed or grants:
            yield f"grant     {spelt(grant)}"
        if self.stage.contract.roles[self.role].bypasses_policies:
            yield "policy    none holds this role: it bypasses row level security"
        elif not self.relation.has_row_security:
            yield "policy    none holds: row level security is off"
        else:
            deciding = self._deciding(attempt, [it for it in self._policies() if it.is_permissive])
            yield f"policy    {_names(deciding)}"

    def _deciding(self, attempt: Callable[[], Outcome], policies: Sequence[Policy]) -> list[Policy]:
        """The policy without which it is closed; where several would do, each that does it alone."""
        needed = [it for it in policies if self._without(attempt, [self._drop(it)]).cause is not Cause.ALLOWED]
        if needed:
            return needed
        rest = {it.name: [self._drop(other) for other in policies if other is not it] for it in policies}
        return [it for it in policies if self._without(attempt, rest[it.name]).cause is Cause.ALLOWED]

    # What closes it ---------------------------------------------------------------------------------------------------

    def _closers(self, attempt: Callable[[], Outcome], found: Outcome, columns: Sequence[str]) -> Iterator[str]:
        if found.cause in GRANTS:
            held = self.stage.rights(self.role, self.relation).columns[self.command]
            named = _list([name for name in columns if name not in held]) if held else ""
            yield f"grant     none of {self.command}{named} to {self.role}"
            given = self._without(attempt, [f"grant {self.command} on {self.relation.name} to {self.role}"])
            still = "" if given.cause is Cause.ALLOWED else "still refused, "
            yield f"with it   {still}{given}"
        elif found.cause is Cause.TRIGGER:
            for name in (it.name for it in self.relation.triggers):
                statement = f'alter table {self.relation.name} disable trigger "{name}"'
                if self._without(attempt, [statement]).cause is not Cause.TRIGGER:
                    yield f'trigger   "{name}" raises: {found.message}'
        elif found.cause in (Cause.FILTERED, Cause.POLICY):
            yield from self._closing_policies(attempt)
        else:
            yield f"error     {found.message}"

    def _closing_policies(self, attempt: Callable[[], Outcome]) -> Iterator[str]:
        policies = self._policies()
        restrictive = [it for it in policies if not it.is_permissive]
        closing = [it for it in restrictive if self._without(attempt, [self._drop(it)]).cause is Cause.ALLOWED]
        for policy in closing or restrictive:
            yield f'policy    "{policy.name}" is restrictive and refuses it'
        if closing:
            return
        others = [it for it in policies if it.is_permissive]
        there_is = f"{_names(others)}: for other rows" if others else f"there is none for {self.command}"
        yield f"policy    {there_is}"

    # With less, or more -----------------------------------------------------------------------------------------------

    def _without(self, attempt: Callable[[], Outcome], changes: Iterable[str]) -> Outcome:
        """What becomes of it after these changes, which are taken back."""
        with self.session.undone():
            for change in changes:
                self.session.own(change)
            return attempt()

    def _policies(self) -> list[Policy]:
        """The policies that speak about this command of this role."""
        names = {*self.stage.contract.held(self.role), ""}
        return [it for it in self.relation.policies if it.command in (self.command, "all") and names & set(it.roles)]

    def _grants(self) -> list[Grant]:
        """The grants by which the role, itself or as a member, holds this command."""
        names = {*self.stage.contract.held(self.role), ""}
        every = (it for it in self.stage.catalogue.grants if it.kind == "relation" and it.name == self.relation.name)
        return [it for it in every if it.privilege == self.command and it.grantee in names]

    def _drop(self, policy: Policy) -> str:
        quoted = policy.name.replace('"', '""')
        return f'drop policy "{quoted}" on {self.relation.name}'

    def _revoke(self, grant: Grant) -> str:
        column = f" ({self.relation.columns[grant.column_name].quoted})" if grant.column_name else ""
        return f"revoke {grant.privilege}{column} on {self.relation.name} from {grant.grantee or 'public'}"


def spelt(grant: Grant) -> str:
    return f"{grant.privilege}{_list([grant.column_name] if grant.column_name else ())} to {grant.grantee or 'public'}"


def _list(columns: Sequence[str]) -> str:
    return f" ({', '.join(columns)})" if columns else ""


def _names(policies: Sequence[Policy]) -> str:
    return " or ".join(f'"{it.name}"' for it in policies)
