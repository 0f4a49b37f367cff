"""The access matrix: what was observed, table by table, as squares of kinds of rows and commands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from forge_db.access.causes import Cause
from forge_db.access.contract import COMMANDS, Table
from forge_db.access.observations import Observation
from forge_db.access.rules import Kind, said
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError

WHOSE = {"own": "own", "other": "another's", "unowned": "nobody's", "": "any"}
STATEMENTS = ("select *", "bare")


class Access(StrEnum):
    """How far a command comes."""

    ALL = "yes"
    SOME = "some columns"
    POLICY = "no row"
    GRANT = "no grant"
    NONE = "no such row"


@dataclass(frozen=True)
class Square:
    """One command of one role on one kind of row."""

    role: str
    command: str
    access: Access
    cause: str = ""
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.access:
            case Access.ALL:
                return "allowed"
            case Access.SOME:
                return f"allowed, {len(self.columns)} columns: {', '.join(self.columns)}"
            case Access.NONE:
                return "there is no such row for this role"
            case _:
                return f"refused: {self.cause}"


@dataclass(frozen=True)
class Line:
    """Kinds of rows that are treated alike."""

    label: str
    squares: tuple[Square, ...]

    def of(self, role: str) -> list[Square]:
        return [it for it in self.squares if it.role == role]


@dataclass(frozen=True)
class Sheet:
    """A table: its lines, by kind of row."""

    name: str
    lines: tuple[Line, ...]


def roles(stage: Stage) -> list[str]:
    """The roles that requests have."""
    return [name for name, role in stage.contract.roles.items() if not role.logs_in]


def sheets(stage: Stage, observations: Iterable[Observation]) -> list[Sheet]:
    """A sheet for each table that was probed."""
    by_table: dict[str, list[Observation]] = {}
    for it in observations:
        if it.kind is not None and not it.every_grant:
            by_table.setdefault(it.table, []).append(it)
    return [_sheet(stage, table, by_table.get(table.name, [])) for table in stage.contract.tables.values()]


def calls(observations: Iterable[Observation]) -> dict[str, dict[str, str]]:
    """What became of calls: function, role, cause; for those that somebody may call."""
    found: dict[str, dict[str, str]] = {}
    for it in observations:
        if it.command == "call":
            found.setdefault(it.table, {})[it.role] = str(it.outcome.cause)
    return {name: found[name] for name in sorted(found) if Cause.ALLOWED in found[name].values()}


def _sheet(stage: Stage, table: Table, observations: Sequence[Observation]) -> Sheet:
    kinds: list[Kind] = []
    squares: dict[tuple[int, str, str], Square] = {}
    for role in roles(stage):
        kinds += [kind for kind in stage.kinds(table, role) if kind not in kinds]
    kinds.sort(key=lambda kind: list(WHOSE).index(kind.owner))
    for role in roles(stage):
        seen = [it for it in observations if it.role == role]
        if not seen:
            raise ForgeError(f"nothing was observed of {role} on {table.name}")
        for place, kind in enumerate(kinds):
            for command in COMMANDS:
                squares[place, role, command] = _square(stage, table, role, command, kind, seen)
    lines = [
        Line("", tuple(squares[place, role, command] for role in roles(stage) for command in COMMANDS))
        for place in range(len(kinds))
    ]
    return Sheet(table.name, tuple(_merged(table, kinds, lines)))


def _square(stage: Stage, table: Table, role: str, command: str, kind: Kind, seen: Sequence[Observation]) -> Square:
    if kind not in stage.kinds(table, role):
        return Square(role, command, Access.NONE)
    of_command = [it for it in seen if it.command == command]
    plain = [it for it in of_command if it.shape in STATEMENTS and not it.column and not it.becomes]
    # A command that is not granted is refused before any row is looked at, so it was tried on one.
    first = next((it for it in plain if it.kind == kind), plain[0])
    if first.outcome.cause is not Cause.ALLOWED:
        by_grant = first.outcome.cause not in (Cause.FILTERED, Cause.POLICY, Cause.TRIGGER)
        return Square(role, command, Access.GRANT if by_grant else Access.POLICY, str(first.outcome.cause))
    relation = stage.relation(table)
    # For an insert columns were tried on one kind of row: what may be named does not depend on it.
    tried = [it for it in of_command if it.kind == kind or command == "insert"]
    named = {column for it in tried if it.outcome.cause is Cause.ALLOWED for column in it.columns}
    columns = tuple(name for name in relation.columns if name in named)
    every = [name for name, column in relation.columns.items() if command == "select" or not column.is_generated]
    if command == "delete" or list(columns) == every:
        return Square(role, command, Access.ALL)
    return Square(role, command, Access.SOME, columns=columns)


def _merged(table: Table, kinds: Sequence[Kind], lines: Sequence[Line]) -> Iterable[Line]:
    """One line for the kinds of one owner that are treated alike."""
    for owner, places in groupby(range(len(kinds)), key=lambda place: kinds[place].owner):
        alike: dict[tuple[Square, ...], list[Mapping[str, str]]] = {}
        for place in places:
            alike.setdefault(lines[place].squares, []).append(kinds[place].states)
        largest = max(map(len, alike.values()))
        for squares, states in alike.items():
            which = "; ".join(_named(table, it) for it in states)
            if len(alike) == 1:
                which = ""
            elif len(states) == largest > 1:
                which = "else"
            yield Line(", ".join(filter(None, [WHOSE[owner] if owner or not which else "", which])), squares)


def _named(table: Table, states: Mapping[str, str]) -> str:
    """The state of a row; a value that stands for all that no rule names is told as that."""
    words = []
    for column, value in states.items():
        named = table.asked[column]
        is_other = value not in named and value != "false"
        words.append(f"{column} not {' or '.join(map(repr, named))}" if is_other else said(column, value))
    return ", ".join(words)
