"""Tries what a role may do with a table: every command, kind of row, column and shape, with real statements.

A probe stands on one row and no other, so that a statement without WHERE says what the policies say, and its count is
the answer. What the contract refuses is refused twice, where policies can refuse it: so it is tried again with every
grant given, and the policies alone must hold.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from forge_db.access import shapes
from forge_db.access.candidates import domain
from forge_db.access.causes import Cause, Outcome
from forge_db.access.contract import Table
from forge_db.access.expect import Law, refined
from forge_db.access.observations import Observation
from forge_db.access.rows import Row, Values, insert
from forge_db.access.rules import Kind
from forge_db.access.session import literal
from forge_db.access.shapes import Shape
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError

# What policies answer, where they alone decide.
CLOSED = frozenset({Cause.FILTERED, Cause.POLICY})
# What no request needs. Row level security does not hold a TRUNCATE.
NEVER = {
    "truncate": ("truncate {table}", {Cause.TABLE_GRANT}),
    "trigger": (
        "create trigger probe before insert on {table} for each row "
        "execute function pg_catalog.suppress_redundant_updates_trigger()",
        {Cause.TABLE_GRANT},
    ),
    "maintain": ("reindex table {table}", {Cause.TABLE_GRANT, Cause.OWNERSHIP}),
    "alter": ("alter table {table} disable row level security", {Cause.OWNERSHIP}),
}


class TableProbe:
    """Everything that one role can try on one table."""

    def __init__(self, stage: Stage, table: Table, role: str) -> None:
        self.stage = stage
        self.session = stage.session
        self.table = table
        self.role = role
        self.law = Law(stage.contract, table, role)
        self.relation = stage.relation(table)
        self.rights = stage.rights(role, self.relation)
        self.kinds = stage.kinds(table, role)
        # Columns that make another kind of row of it, and so are tried as moves.
        owners = {kind.owner for kind in self.kinds}
        self.told = {*table.asked, *(table.owner[:1] if len(owners) > 1 else ())}
        self.pointers: Values = {}

    def run(self) -> list[Observation]:
        before = len(self.stage.observed)
        with self.session.undone():
            self.stage.empty(self.relation)
            self.pointers = self.stage.builder.pointers(self.relation)
            for command, (statement, causes) in NEVER.items():
                self._try(command, None, Shape("", statement.format(table=self.relation.name)), expected=causes)
            for kind in self.kinds:
                with self.session.undone():
                    self._try_kind(kind)
            for kind, prefer in self.variations():
                with self.session.undone():
                    self._try_variation(kind, prefer)
        return self.stage.observed[before:]

    # What is tried ---------------------------------------------------------------------------------------------------

    def _try_kind(self, kind: Kind) -> None:
        values = self.stage.builder.find(self.relation, self.stage.fixed(self.table, kind, self.role))
        with self.session.undone():
            row = self._place(values)
            others = self._others(row)
            self._try_select(kind, row)
            self._try_update(kind, row, others)
            self._try_moves(kind, row)
            self._try_delete(kind, row)
            self._try_upsert(kind, values, others)
            with self._every_grant() as given:
                if given:
                    self._try_with_every_grant(kind, row, others)
        self._try_insert(kind, values, others)

    def _try_variation(self, kind: Kind, prefer: Values) -> None:
        """The same kind of row with other values, on which nothing should depend."""
        row = self._place(self.stage.builder.find(self.relation, self.stage.fixed(self.table, kind, self.role), prefer))
        column = self.a_column(kind)
        value = self.pointers.get(column) or self.stage.builder.others(self.relation, row, [column])[column]
        self._try("select", kind, shapes.selects(self.relation, row)[0])
        self._try("update", kind, shapes.updates(self.relation, row, column, value)[0], [column])
        self._try("delete", kind, shapes.deletes(self.relation, row)[0])

    def _try_select(self, kind: Kind, row: Row) -> None:
        for shape in self._worth("select", kind, shapes.selects(self.relation, row)):
            self._try("select", kind, shape)
        if self._is_first("select", kind):
            for name, column in self.relation.columns.items():
                text = f"select {column.quoted} from {self.relation.name}"
                self._try("select", kind, Shape("bare", text, (name,)), column=name)

    def _try_update(self, kind: Kind, row: Row, others: Values) -> None:
        column = self.a_column(kind)
        for shape in self._worth("update", kind, shapes.updates(self.relation, row, column, others[column])):
            self._try("update", kind, shape, [column])
        for name in self._one_by_one("update", kind):
            shape = shapes.updates(self.relation, row, name, others[name])[0]
            self._try("update", kind, shape, [name], column=name)

    def _try_moves(self, kind: Kind, row: Row) -> None:
        """Try to make another kind of row of it: to give it away, to take it, to bring it into another state."""
        for target, column, value in self.targets(kind):
            if self.law.may_name("update", column) or kind == self.kinds[0]:
                for shape in shapes.moves(self.relation, row, column, value):
                    self._try("update", kind, shape, [column], becomes=target)

    def _try_delete(self, kind: Kind, row: Row) -> None:
        for shape in self._worth("delete", kind, shapes.deletes(self.relation, row)):
            self._try("delete", kind, shape)

    def _try_insert(self, kind: Kind, values: Values, others: Values) -> None:
        column = self.a_column(kind)
        told = self.insertable(values)
        for shape in self._worth("insert", kind, shapes.inserts(self.relation, told, column, others[column])):
            self._try("insert", kind, shape, told)
        for name in self._one_by_one("insert", kind):
            given = {**told, name: told.get(name, others[name])}
            self._try("insert", kind, Shape("bare", insert(self.relation, given)), given, column=name)
        with self._every_grant() as given_all:
            if given_all and not self.law.holds("insert", kind):
                self._try_anyway("insert", kind, [Shape("bare", insert(self.relation, values))])

    def _try_upsert(self, kind: Kind, values: Values, others: Values) -> None:
        """An insert that meets the row that is there, and would change it."""
        told = self.insertable(values)
        if shapes.arbiter(self.relation, told) != tuple(self.relation.key) and self.law.gives("insert"):
            column = self.a_column(kind)
            shape = shapes.inserts(self.relation, told, column, others[column])[-1]
            self._try("insert", kind, replace(shape, name="on conflict, which is met"), told, meets=kind)

    def _try_with_every_grant(self, kind: Kind, row: Row, others: Values) -> None:
        column = self.a_column(kind)
        tried = {
            "select": shapes.selects(self.relation, row)[0],
            "update": shapes.updates(self.relation, row, column, others[column])[0],
            "delete": shapes.deletes(self.relation, row)[0],
        }
        for command, shape in tried.items():
            if not self.law.holds(command, kind):
                self._try_anyway(command, kind, [shape])
        for target, name, value in self.targets(kind):
            if not (self.law.holds("update", kind) and self.law.holds("update", target)):
                self._try_anyway("update", kind, shapes.moves(self.relation, row, name, value), target)

    # With what -------------------------------------------------------------------------------------------------------

    def _place(self, values: Values) -> Row:
        """Have this row in the table, and no other."""
        row = self.stage.builder.place(self.relation, values)
        if self.session.own(f"select count(*) from {self.relation.name}") != (("1",),):
            raise ForgeError(f"{self.relation.name} does not hold the one row that was inserted")
        return row

    def _columns(self) -> list[str]:
        return [name for name, column in self.relation.columns.items() if not column.is_generated]

    def _others(self, row: Row) -> Values:
        """For every column a value that may replace what the row has."""
        columns = [name for name in self._columns() if name not in self.pointers]
        return self.stage.builder.others(self.relation, row, columns) | self.pointers

    def a_column(self, kind: Kind) -> str:
        """A column to change: one that may be changed in this kind of row, else in another, else any."""
        plain = set(self._columns()) - self.told - set(self.relation.key)
        unique = {name for rule in self.relation.constraints if rule.kind in "uf" for name in rule.column_names}
        granted = self.law.granted("update")

        def rank(name: str) -> tuple[bool, ...]:
            held = granted is None or name in granted
            return not self.law.writable("update", kind, [name]), not held, name not in plain, name in unique

        return min(self._columns(), key=rank)

    def insertable(self, values: Values) -> Values:
        """What an insert must say: not the states that a row has by default."""
        default = {name: self.stage.builder.default(self.relation, name) for name in self.table.asked}
        return {name: value for name, value in values.items() if name not in default or value != default[name]}

    def targets(self, kind: Kind) -> Iterator[tuple[Kind, str, str]]:
        """The kinds that one change makes of a row: the kind, the column, the value."""
        for owner in dict.fromkeys(it.owner for it in self.kinds):
            if owner != kind.owner:
                target = Kind(owner, kind.states)
                column = self.table.owner[0]
                yield target, column, self.stage.fixed(self.table, target, self.role)[column]
        for column, state in kind.states.items():
            for value in self.stage.domain(self.table, column):
                if value != state:
                    yield Kind(kind.owner, {**kind.states, column: value}), column, literal(value)

    def variations(self) -> Iterator[tuple[Kind, Values]]:
        """Rows for each owner with every value that can be listed, where the rules tell no difference."""
        domains = {name: domain(self.relation, self.relation.columns[name]) for name in self._columns()}
        free = {name: values for name, values in domains.items() if values and name not in self.told}
        for owner in dict.fromkeys(it.owner for it in self.kinds):
            of_owner = [it for it in self.kinds if it.owner == owner]
            kind = next((it for it in of_owner if self.law.holds("select", it)), of_owner[0])
            for turn in range(max(map(len, free.values()), default=0)):
                yield kind, {name: literal(values[turn % len(values)]) for name, values in free.items()}
            for name in self.table.asked:
                for value in sorted(set(domains[name]) - set(self.stage.told_apart(self.table, name))):
                    yield Kind(owner, {**kind.states, name: value}), {}

    # Which of it is worth a statement --------------------------------------------------------------------------------

    def _is_first(self, command: str, kind: Kind) -> bool:
        """Whether this is the kind on which to try what does not depend on the row."""
        return kind == next((it for it in self.kinds if self.law.holds(command, it)), self.kinds[0])

    def _worth(self, command: str, kind: Kind, all_shapes: list[Shape]) -> list[Shape]:
        """A command that is not granted is refused before any row is looked at, so it is tried on one."""
        return all_shapes if self.law.gives(command) or kind == self.kinds[0] else []

    def _one_by_one(self, command: str, kind: Kind) -> Iterable[str]:
        """The columns to try by themselves: a missing grant is tried on one kind of row, what is granted on each."""
        for name in self._columns():
            reached = self.law.may_name(command, name) and self.law.holds(command, kind)
            if name not in self.told and (reached or self._is_first(command, kind)):
                yield name

    # Trying ----------------------------------------------------------------------------------------------------------

    def _try(
        self,
        command: str,
        kind: Kind | None,
        shape: Shape,
        columns: Collection[str] = (),
        *,
        column: str = "",
        becomes: Kind | None = None,
        meets: Kind | None = None,
        expected: Collection[Cause] = (),
    ) -> None:
        if kind is not None and not expected:
            expected = {self.law.expects(command, kind, shape, columns, becomes, meets)}
        said = self.session.attempt(self.stage.speaker(self.role), shape.text)
        outcome = said if kind is None else refined(said, command, shape, columns, self.rights)
        named = tuple(columns) or shape.reads
        self._see(command, kind, shape, frozenset(expected), outcome, columns=named, column=column, becomes=becomes)

    def _try_anyway(self, command: str, kind: Kind, tried: Iterable[Shape], becomes: Kind | None = None) -> None:
        """Try what must be refused, where every grant is given."""
        for shape in tried:
            said = self.session.attempt(self.stage.speaker(self.role), shape.text)
            outcome = refined(said, "", shape, (), self.rights)
            self._see(command, kind, shape, CLOSED, outcome, becomes=becomes, every_grant=True)

    def _see(
        self, command: str, kind: Kind | None, shape: Shape, expected: frozenset[Cause], outcome: Outcome, **more: Any
    ) -> None:
        self.stage.observed.append(
            Observation(self.table.name, self.role, command, kind, shape.name, shape.text, expected, outcome, **more)
        )

    @contextmanager
    def _every_grant(self) -> Iterator[bool]:
        """Leave the refusing to the policies for a while; in vain for a role that none of them holds."""
        if self.stage.contract.roles[self.role].bypasses_policies:
            yield False
            return
        with self.session.undone():
            self.stage.leave_to_policies(self.relation, self.role)
            yield True
