"""What the contract says of one statement: PostgreSQL's order of checks, applied to the contract's rules."""

from collections.abc import Collection
from dataclasses import dataclass

from forge_db.access.catalogue import Rights
from forge_db.access.causes import Cause, Outcome
from forge_db.access.contract import Contract, Table
from forge_db.access.rules import Kind
from forge_db.access.shapes import Shape


@dataclass(frozen=True)
class Law:
    """The contract for one role and table."""

    contract: Contract
    table: Table
    role: str

    def holds(self, command: str, kind: Kind) -> bool:
        return self.contract.rule(self.table, self.role, command).holds(kind)

    def granted(self, command: str) -> set[str] | None:
        """The columns that may be named, on whichever rows; None for all."""
        return self.contract.granted(self.table, self.role, command)

    def gives(self, command: str) -> bool:
        """Whether it gives the command at all."""
        return self.granted(command) != set()

    def may_name(self, command: str, column: str) -> bool:
        columns = self.granted(command)
        return columns is None or column in columns

    def writable(self, command: str, kind: Kind, columns: Collection[str]) -> bool:
        """Whether these columns may be written on this kind of row."""
        allowed = self.contract.writable(self.table, self.role, command, kind)
        return allowed is None or set(columns) <= allowed

    def expects(
        self, command: str, kind: Kind, shape: Shape, columns: Collection[str], becomes: Kind | None, meets: Kind | None
    ) -> Cause:
        """What must come of a statement: the first check that refuses it, or that it is allowed."""
        schema = self.table.name.partition(".")[0]
        if self.role not in self.contract.usage.get(schema, ()):
            return Cause.SCHEMA_GRANT
        for needed, named in needs(command, shape, columns):
            granted = self.granted(needed)
            if not self.gives(needed) or (granted is not None and not set(named) <= granted):
                return Cause.COLUMN_GRANT if granted else Cause.TABLE_GRANT
        if self.contract.roles[self.role].bypasses_policies:
            return Cause.ALLOWED
        after = becomes or kind
        shown = not shape.reads or self.holds("select", after)
        match command:
            case "insert":
                if not (self.holds("insert", kind) and shown):
                    return Cause.POLICY
                if meets and not (self.holds("update", meets) and self.holds("select", meets)):
                    return Cause.POLICY
                changed = self.writable("insert", kind, columns) and (
                    not meets or self.writable("update", meets, shape.updates)
                )
                return Cause.ALLOWED if changed else Cause.TRIGGER
            case "update":
                if not self.holds("update", kind) or (shape.reads and not self.holds("select", kind)):
                    return Cause.FILTERED
                if not self.writable("update", kind, columns):
                    return Cause.TRIGGER
                return Cause.ALLOWED if self.holds("update", after) and shown else Cause.POLICY
            case _:
                return Cause.ALLOWED if self.holds(command, kind) and shown else Cause.FILTERED


def needs(command: str, shape: Shape, columns: Collection[str]) -> list[tuple[str, Collection[str]]]:
    """The grants that a statement needs, with the columns that it names, in the order in which they are asked for."""
    own: list[tuple[str, Collection[str]]] = [] if command == "select" else [(command, columns)]
    return own + [(other, named) for other, named in (("select", shape.reads), ("update", shape.updates)) if named]


def refined(outcome: Outcome, command: str, shape: Shape, columns: Collection[str], rights: Rights) -> Outcome:
    """The same, with zero rows as the refusal they are, and a missing grant on a column told from one on the table.

    A grant that is missing on neither is missing on something that a policy or a check reads: that is another error.
    """
    if outcome.cause is Cause.ALLOWED:
        answered = outcome.rows[0][0] if shape.name == "count" and outcome.rows else str(outcome.count)
        return outcome if answered != "0" else Outcome(Cause.FILTERED)
    if outcome.cause is Cause.TABLE_GRANT and command in ("select", "insert", "update", "delete"):
        lacking = next(
            filter(None, (rights.lacks(needed, named) for needed, named in needs(command, shape, columns))), None
        )
        cause = {"table": Cause.TABLE_GRANT, "column": Cause.COLUMN_GRANT, None: Cause.OTHER}[lacking]
        return Outcome(cause, message=outcome.message, sqlstate=outcome.sqlstate)
    return outcome
