"""All rows of all tables, and which of them the contract shows to whom."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from forge_db.access.catalogue import Catalogue
from forge_db.access.contract import Contract
from forge_db.access.rules import NOTHING, Kind, Rule

Row = Mapping[str, Any]
Rows = Mapping[str, Mapping[str, Row]]


class Key(NamedTuple):
    table: str
    id: str


class Pointer(NamedTuple):
    """A row that points to another: by which column, and what happens to it when the other goes."""

    key: Key
    column: str
    on_delete: str


class Facts(NamedTuple):
    """What the contract's rules ask about a row, whoever the caller is."""

    key: Key
    owner: str | None
    states: Mapping[str, str]


@dataclass(frozen=True)
class Caller:
    """Who asks: the role that the token names, and the account."""

    role: str
    account: str | None = None


@dataclass(frozen=True)
class World:
    """The rows, in the order in which they were first seen, so that a pick by number means the same in every run.

    accounts    those that there are, with their roles
    people      those that there were at the beginning
    used        what an account has used up of something that no table of the API shows
    """

    contract: Contract
    catalogue: Catalogue
    rows: Rows = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    used: Counter[tuple[str, str]] = field(default_factory=Counter)

    def renewed(self, rows: Rows, accounts: Mapping[str, str]) -> "World":
        """The same world at a later time. The rows of a table that is as it was are the same object."""
        ordered = {}
        for table, found in rows.items():
            known = self.rows.get(table, {})
            order = dict.fromkeys([*known, *found])
            ordered[table] = known if found == known else {it: found[it] for it in order if it in found}
        return replace(self, rows=ordered, accounts=accounts)

    def __contains__(self, key: Key) -> bool:
        return key.id in self.rows.get(key.table, {})

    def __getitem__(self, key: Key) -> Row:
        return self.rows[key.table][key.id]

    def of(self, *tables: str) -> Iterator[tuple[Key, Row]]:
        """The rows of these tables; of all, where none is named."""
        for table in tables or self.rows:
            for row_id, row in self.rows.get(table, {}).items():
                yield Key(table, row_id), row

    # Who sees what ----------------------------------------------------------------

    def standing(self, caller: Caller) -> str:
        """The role that a caller has in fact: who is not of the staff any more is a user, whatever the token says."""
        if caller.role == "app_admin" and self.accounts.get(caller.account or "") != "app_admin":
            return "authenticated"
        return caller.role

    def rule(self, caller: Caller, command: str, table: str) -> Rule:
        """The rows that the contract lets a caller's command have. What it does not name, it lets nobody have."""
        terms = self.contract.tables.get(table)
        return self.contract.rule(terms, self.standing(caller), command) if terms else NOTHING

    def kind(self, caller: Caller, table: str, row: Row) -> Kind:
        """What a row is to a caller, in the words of the contract's rules."""
        return self._kind(caller, self._facts(Key(table, ""), row))

    def reaches(self, caller: Caller, command: str, table: str, row: Row) -> bool:
        """Whether the contract lets a caller's command have a row."""
        rule = self.rule(caller, command, table)
        return rule is not NOTHING and rule.holds(self.kind(caller, table, row))

    def sees(self, caller: Caller) -> set[Key]:
        """The rows that the contract shows to a caller."""
        seen = set()
        for table, rows in self._known.items():
            rule = self.rule(caller, "select", table)
            if rule is not NOTHING:
                seen |= {facts.key for facts in rows if rule.holds(self._kind(caller, facts))}
        return seen

    def owner(self, key: Key) -> str | None:
        """The account that a row belongs to."""
        return self._facts(key, self[key]).owner if key.table in self.contract.tables else None

    @cached_property
    def _known(self) -> Mapping[str, list[Facts]]:
        return {
            table: [self._facts(*row) for row in self.of(table)] for table in self.rows if table in self.contract.tables
        }

    def _facts(self, key: Key, row: Row) -> Facts:
        terms = self.contract.tables[key.table]
        states = {column: str(row[column]) for column in terms.asked}
        states |= {column: value.lower() for column, value in states.items() if isinstance(row[column], bool)}
        table = key.table
        for column in terms.owner[:-1]:
            table = self.catalogue.relations[table].foreign_keys[column]
            row = self.rows[table].get(row[column], {})
        return Facts(key, row.get(terms.owner[-1]) if terms.owner else None, states)

    def _kind(self, caller: Caller, facts: Facts) -> Kind:
        if not self.contract.tables[facts.key.table].owner:
            return Kind("", facts.states)
        is_own = facts.owner == caller.account
        return Kind("unowned" if facts.owner is None else "own" if is_own else "other", facts.states)

    # What hangs on what -----------------------------------------------------------

    def pointing_to(self, target: Key) -> Iterator[Pointer]:
        """The rows that point to a row, or to an account."""
        for relation in self.catalogue.tables:
            for rule in relation.constraints:
                if rule.kind == "f" and rule.target_name == target.table:
                    on_delete = rule.definition.partition(" ON DELETE ")[2].partition(" ON UPDATE ")[0]
                    (column,) = rule.column_names
                    for key, row in self.of(relation.name):
                        if row[column] == target.id:
                            yield Pointer(key, column, on_delete)
