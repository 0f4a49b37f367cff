"""The access contract: tests/access_contract.toml, read and checked as far as that needs no database.

What needs one, whether the tables, columns and functions exist, is the comparison's (equality.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from forge_db.access import rules
from forge_db.access.rules import Kind, Rule
from forge_db.access.source import Source, nearest
from forge_db.errors import ForgeError
from forge_db.paths import ROOT

PATH = ROOT / "tests" / "access_contract.toml"
COMMANDS = ("select", "insert", "update", "delete")
SECTIONS = ("roles", "schemas", "closed", "tables", "views", "functions", "sequences", "samples")


@dataclass(frozen=True)
class Role:
    name: str
    signs_in: bool = False
    bypasses_policies: bool = False
    logs_in: bool = False
    inherits: tuple[str, ...] = ()
    becomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """The rows that a role's command reaches, and the columns that it may name; None for the whole table."""

    rule: Rule
    columns: tuple[str, ...] | None


@dataclass(frozen=True)
class Table:
    """A table of the contract. `owner` is the path to the column with the account: user_id, or feedback_id, user_id."""

    name: str
    owner: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    @property
    def section(self) -> str:
        name = self.name.removeprefix("public.")
        return f'tables."{name}"' if "." in name else f"tables.{name}"

    @cached_property
    def asked(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that some rule asks for, and the values that they are asked for."""
        pairs = sorted(set().union(*(cell.rule.asked for cell in self.cells.values())))
        return {column: tuple(value for _, value in group) for column, group in groupby(pairs, key=itemgetter(0))}


@dataclass(frozen=True)
class Routine:
    """A function, or a view, which is asked and compared just so."""

    name: str
    roles: tuple[str, ...]
    section: str
    nth: int
    truth: str | None
    then: str | None
    before: str | None
    columns: str
    given: Mapping[str, str]
    changes: Mapping[str, Rule]
    reveals: Mapping[str, Rule]


@dataclass(frozen=True)
class Contract:
    source: Source
    roles: Mapping[str, Role]
    owner: str
    usage: Mapping[str, tuple[str, ...]]
    platform: tuple[str, ...]
    closed: tuple[str, ...]
    tables: Mapping[str, Table]
    functions: tuple[Routine, ...]
    views: tuple[Routine, ...]
    sequences: Mapping[str, Mapping[str, tuple[str, ...]]]
    samples: Mapping[str, str]

    def held(self, role: str) -> tuple[str, ...]:
        """The roles whose rights a role has: its own and what it inherits."""
        return (role, *(name for parent in self.roles[role].inherits for name in self.held(parent)))

    def is_for(self, routine: Routine, role: str) -> bool:
        """Whether a role may call a function, or read a view."""
        return not set(self.held(role)).isdisjoint(routine.roles)

    def cells(self, table: Table, role: str, command: str) -> list[Cell]:
        return [table.cells[name, command] for name in self.held(role) if (name, command) in table.cells]

    def rule(self, table: Table, role: str, command: str) -> Rule:
        """The rows that a command reaches, over all that the role holds."""
        cells = self.cells(table, role, command)
        if not cells:
            return rules.NOTHING
        if len(cells) == 1:
            return cells[0].rule
        return Rule(
            " or ".join(f"({cell.rule.text})" for cell in cells),
            frozenset().union(*(cell.rule.asked for cell in cells)),
            any(cell.rule.asks_owner for cell in cells),
            lambda kind: any(cell.rule.holds(kind) for cell in cells),
        )

    def granted(self, table: Table, role: str, command: str) -> set[str] | None:
        """The columns that a role may name in a command, on whichever rows; None for the whole table."""
        cells = self.cells(table, role, command)
        if any(cell.columns is None for cell in cells):
            return None
        return {column for cell in cells for column in cell.columns or ()}

    def writable(self, table: Table, role: str, command: str, kind: Kind) -> set[str] | None:
        """The columns that it may name on one kind of row; None for all."""
        cells = [cell for cell in self.cells(table, role, command) if cell.rule.holds(kind)]
        if any(cell.columns is None for cell in cells):
            return None
        return {column for cell in cells for column in cell.columns or ()}


def load(path: Path = PATH) -> Contract:
    """Read the contract of the project, or another one."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    return parse(Source.read(path, name))


def parse(source: Source) -> Contract:
    content = source.content
    for section in content:
        if section not in SECTIONS:
            raise source.error(f'unknown section "{section}"', section, hint=nearest(section, SECTIONS))
    schemas = content.get("schemas", {})
    roles = _roles(source)
    return Contract(
        source=source,
        roles=roles,
        owner=str(schemas.get("owner", "postgres")),
        usage={
            schema: _known(source, names(text), roles, "role", "schemas", schema)
            for schema, text in schemas.get("usage", {}).items()
        },
        platform=names(schemas.get("platform", "")),
        closed=tuple(f"{schema}.{name}" for schema, text in content.get("closed", {}).items() for name in names(text)),
        tables={it.name: it for it in (_table(source, roles, name) for name in content.get("tables", {}))},
        functions=tuple(_routines(source, roles, "functions")),
        views=tuple(_routines(source, roles, "views")),
        sequences={
            name: {role: names(text) for role, text in entry.items()}
            for name, entry in content.get("sequences", {}).items()
        },
        samples={str(name): str(value) for name, value in content.get("samples", {}).items()},
    )


def names(text: str) -> tuple[str, ...]:
    """A list as the contract writes it: names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _known(
    source: Source, given: Iterable[str], known: Iterable[str], what: str, *place: str, nth: int = 1
) -> tuple[str, ...]:
    """The names as they are, if all of them are known."""
    for name in given:
        if name not in known:
            raise source.error(
                f'unknown {what} "{name}"', place[0], *place[1:], name, nth=nth, hint=nearest(name, known)
            )
    return tuple(given)


def _roles(source: Source) -> dict[str, Role]:
    entries: dict[str, dict[str, Any]] = source.content.get("roles", {})
    fields = tuple(Role.__dataclass_fields__)[1:]
    roles = {}
    for name, entry in entries.items():
        _known(source, entry, fields, "key", "roles", name)
        related = {key: _known(source, names(entry.get(key, "")), entries, "role", "roles", name) for key in fields[3:]}
        roles[name] = Role(name, **{**entry, **related})
    return roles


def _table(source: Source, roles: Mapping[str, Role], name: str) -> Table:
    table = Table(qualified(name), (), {})
    entry = dict(source.content["tables"][name])
    owner = tuple(str(entry.pop("owner", "")).split(".")) if "owner" in entry else ()
    _known(source, entry, roles, "role", table.section)
    cells: dict[tuple[str, str], Cell] = {}
    for role, given in entry.items():
        # One string of commands: each of them on everything.
        commands: dict[str, Any] = dict.fromkeys(names(given), "all") if isinstance(given, str) else given
        _known(source, commands, COMMANDS, "command", table.section, role)
        for command, cell in commands.items():
            cells[role, command] = _cell(source, table, role, command, cell, entry)
    made = Table(table.name, owner, cells)
    for (role, command), cell in cells.items():
        if cell.rule.asks_owner and not owner:
            place = f"{role}.{command}"
            raise source.error(
                f'"{cell.rule.text}" asks whose the row is, and the table has no owner', table.section, place
            )
    return made


def _cell(source: Source, table: Table, role: str, command: str, given: Any, entry: Mapping[str, Any]) -> Cell:
    place = (table.section, f"{role}.{command}")
    given = {"rows": given} if isinstance(given, str) else given
    if not isinstance(given, dict):
        raise source.error(f"{place[1]} is neither a rule nor {{ rows, columns }}", *place)
    _known(source, given, ("rows", "columns"), "key", *place)
    try:
        rule = rules.parse(str(given.get("rows", "all")))
    except ForgeError as error:
        raise source.error(error.message, *place, hint=error.hint) from error
    columns = names(given["columns"]) if "columns" in given else None
    if columns and len(columns) == 1 and columns[0].startswith("as "):
        other = columns[0].removeprefix("as ")
        repeated = entry.get(other, {}).get(command) if isinstance(entry.get(other, {}), dict) else None
        if not isinstance(repeated, dict) or str(repeated.get("columns", "as ")).startswith("as "):
            raise source.error(f'"{columns[0]}" repeats nothing: {other}.{command} lists no columns', *place)
        columns = names(repeated["columns"])
    if columns is not None and command == "delete":
        raise source.error("a delete has no columns", *place)
    return Cell(rule, columns)


def _routines(source: Source, roles: Mapping[str, Role], section: str) -> Iterable[Routine]:
    keys = ("names", "roles", "truth", "then", "before", "columns", "given", "changes", "reveals")
    for nth, entry in enumerate(source.content.get(section, ()), 1):
        _known(source, entry, keys, "key", section, nth=nth)
        for name in entry.get("names", ()):
            yield Routine(
                name=name,
                roles=_known(source, names(entry.get("roles", "")), roles, "role", section, nth=nth),
                section=section,
                nth=nth,
                truth=entry.get("truth"),
                then=entry.get("then"),
                before=entry.get("before"),
                columns=entry.get("columns", "*"),
                given=entry.get("given", {}),
                changes=_rules(source, section, nth, "changes", entry),
                reveals=_rules(source, section, nth, "reveals", entry),
            )


def _rules(source: Source, section: str, nth: int, key: str, entry: Mapping[str, Any]) -> dict[str, Rule]:
    """Rules by table."""
    try:
        return {qualified(table): rules.parse(text) for table, text in entry.get(key, {}).items()}
    except ForgeError as error:
        raise source.error(error.message, section, key, nth=nth, hint=error.hint) from error
