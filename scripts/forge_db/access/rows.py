"""Builds a valid row of any table from what the catalogue says of it, and finds values that a column accepts.

Nothing here knows a table. A row is tried as the owner, with the likeliest value of every column that needs one; where
a rule refuses it, the columns of that rule move on to their next value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from forge_db.access.candidates import candidates, domain
from forge_db.access.catalogue import ACCOUNTS, Catalogue, Relation
from forge_db.access.causes import Outcome
from forge_db.access.session import Session, literal
from forge_db.errors import ForgeError

PATIENCE = 400
NOT_NULL_VIOLATION = "23502"
Values = dict[str, str]
Choices = dict[str, Sequence[str]]


@dataclass(frozen=True)
class Row:
    """A row that is there: its values as SQL literals, and a condition that finds it."""

    values: Values
    match: str


class Builder:
    """Builds rows of the tables of a catalogue, in the transaction of a session."""

    def __init__(self, session: Session, catalogue: Catalogue, samples: Mapping[str, str], account: str) -> None:
        self._session = session
        self._catalogue = catalogue
        self._samples = samples
        self._account = account
        self._numbers = count(1)
        self._positions: dict[tuple[str, str], int] = {}
        self._accepted: dict[tuple[str, str], list[str]] = {}
        self._defaults: dict[str, str] = {}

    # Rows ------------------------------------------------------------------------------------------------------------

    def find(self, relation: Relation, fixed: Mapping[str, str], prefer: Mapping[str, str] | None = None) -> Values:
        """Values that make a valid row. The rows that it points to are made; the row itself is not."""
        number, prefer = next(self._numbers), prefer or {}
        required = {column.name for column in relation.columns.values() if column.is_required}
        wanted = required | fixed.keys() | prefer.keys() | set(relation.partitioned_by)
        choices: Choices = {
            name: self._choices(relation, name, number, fixed, prefer) for name in relation.columns if name in wanted
        }
        place = {name: self._positions.get((relation.name, name), 0) % len(choices[name]) for name in choices}
        refused = ""
        for _ in range(PATIENCE):
            values = {name: choices[name][place[name]] for name in choices}
            done = self._session.rehearse(insert(relation, values))
            if not done.sqlstate:
                self._positions |= {(relation.name, name): place[name] for name in place if name not in fixed}
                return values
            refused = done.message
            if done.sqlstate != NOT_NULL_VIOLATION and _advance(place, choices, _culprits(relation, done, choices)):
                continue
            left_out = next((name for name in _concerned(relation, done) if name not in choices), None)
            if left_out is None:
                break
            choices[left_out] = self._choices(relation, left_out, number, fixed, prefer)
            place[left_out] = 0
        given = "".join(f", {name} = {value}" for name, value in fixed.items())
        raise ForgeError(
            f"no valid row of {relation.name}{given} was found: {refused}",
            "Add a sample for the function that checks it to [samples] of the access contract.",
        )

    def place(self, relation: Relation, values: Values) -> Row:
        """Make the row."""
        key = ", ".join(relation.columns[name].quoted for name in relation.key)
        made = self._session.own(f"{insert(relation, values)} returning {key}")
        if len(made) != 1:
            raise ForgeError(
                f"a row inserted into {relation.name} is not there", "Does a trigger refuse it in silence?"
            )
        pairs = zip(relation.key, made[0], strict=True)
        return Row(values, " and ".join(f"{relation.columns[name].quoted} = {literal(value)}" for name, value in pairs))

    def build(self, relation: Relation, fixed: Mapping[str, str]) -> str:
        """Make a row and return its key as a literal, for another row to point to."""
        if len(relation.key) != 1:
            raise ForgeError(f"{relation.name} has no key of one column, so nothing can point to a row of it")
        return self.place(relation, self.find(relation, fixed)).match.partition(" = ")[2]

    def pointers(self, relation: Relation) -> Values:
        """A row to point to for every column that points to another of our tables, and its key."""
        targets = {name: self._catalogue.relations.get(target) for name, target in relation.foreign_keys.items()}
        return {name: self.build(target, {}) for name, target in targets.items() if target and target is not relation}

    # Values ----------------------------------------------------------------------------------------------------------

    def others(self, relation: Relation, row: Row, columns: Sequence[str]) -> Values:
        """For each column a value that it accepts in this row, different from what is there if any is."""
        listed = ", ".join(f"{relation.columns[name].quoted}::text" for name in columns)
        (found,) = self._session.own(f"select {listed} from {relation.name} where {row.match}")
        current = dict(zip(columns, map(literal, found), strict=True))
        return {name: self._other(relation, row, name, current[name]) for name in columns}

    def _other(self, relation: Relation, row: Row, column: str, current: str) -> str:
        known = self._accepted.setdefault((relation.name, column), [])
        for value in dict.fromkeys([*known, *self._choices(relation, column, next(self._numbers), {}, {})]):
            change = f"update {relation.name} set {relation.columns[column].quoted} = {value} where {row.match}"
            if value != current and not self._session.rehearse(change).sqlstate:
                known[:] = dict.fromkeys([value, *known])
                return value
        return current

    def default(self, relation: Relation, column: str) -> str | None:
        """What a column holds when nothing is said, as a literal."""
        expression = relation.columns[column].default_value
        if expression is None:
            return None
        if expression not in self._defaults:
            ((value,),) = self._session.own(f"select ({expression})::text")
            self._defaults[expression] = literal(value)
        return self._defaults[expression]

    def _choices(
        self, relation: Relation, name: str, number: int, fixed: Mapping[str, str], prefer: Mapping[str, str]
    ) -> Sequence[str]:
        if name in fixed:
            return [fixed[name]]
        target = relation.foreign_keys.get(name)
        if target == ACCOUNTS:
            return [literal(self._account)]
        if target is not None:
            # A row of its own table would no longer be the only one there.
            pointed = self._catalogue.relations.get(target)
            return ["null" if pointed is None or pointed is relation else self.build(pointed, {})]
        found = map(literal, candidates(relation, relation.columns[name], self._samples, number))
        return list(dict.fromkeys([*([prefer[name]] if name in prefer else []), *found])) or ["null"]


def _concerned(relation: Relation, refused: Outcome) -> list[str]:
    """The columns of the rule that refused, as far as that is known."""
    named = [it.column_names for it in relation.constraints if it.name == refused.constraint]
    return named[0] if named else [name for name in relation.columns if name == refused.column]


def _culprits(relation: Relation, refused: Outcome, choices: Choices) -> list[str]:
    """Of these the ones to change; all, where they are not known: first those that can hold anything."""
    if concerned := _concerned(relation, refused):
        return [name for name in concerned if name in choices]
    columns = relation.columns
    return sorted(choices, key=lambda name: (columns[name].base_type != "jsonb", not domain(relation, columns[name])))


def _advance(place: dict[str, int], choices: Choices, culprits: Iterable[str]) -> bool:
    """Turn to the next combination of the culprits' values, like an odometer; False when all have been seen."""
    for name in culprits:
        place[name] = (place[name] + 1) % len(choices[name])
        if place[name]:
            return True
    return False


def insert(relation: Relation, values: Mapping[str, str]) -> str:
    """The statement that inserts these values, by whoever says it."""
    if not values:
        return f"insert into {relation.name} default values"
    columns = ", ".join(relation.columns[name].quoted for name in values)
    return f"insert into {relation.name} ({columns}) values ({', '.join(values.values())})"
