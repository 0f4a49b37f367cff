"""A command in every shape that PostgreSQL checks differently.

Whoever reads a column, in WHERE, in RETURNING or as the target of ON CONFLICT, needs SELECT on it, and then the SELECT
policy holds for the row as well, before and after. So those shapes can hide a broken INSERT or UPDATE policy behind the
right error: only the bare one shows it, and only the others show what a client meets.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from forge_db.access.catalogue import Relation
from forge_db.access.rows import Row, insert


@dataclass(frozen=True)
class Shape:
    """A statement: what it needs SELECT on, and whether it may also update."""

    name: str
    text: str
    reads: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


def _key(relation: Relation) -> str:
    return ", ".join(relation.columns[name].quoted for name in relation.key)


def selects(relation: Relation, row: Row) -> list[Shape]:
    every = tuple(relation.columns)
    return [
        Shape("select *", f"select * from {relation.name}", every),
        Shape("count", f"select count(*) from {relation.name}", every),
        Shape("where", f"select 1 from {relation.name} where {row.match}", tuple(relation.key)),
    ]


def updates(relation: Relation, row: Row, column: str, value: str) -> list[Shape]:
    change = f"update {relation.name} set {relation.columns[column].quoted} = {value}"
    key = tuple(relation.key)
    return [
        Shape("bare", change),
        Shape("where", f"{change} where {row.match}", key),
        Shape("returning 1", f"{change} returning 1"),
        Shape("returning", f"{change} returning {_key(relation)}", key),
    ]


def moves(relation: Relation, row: Row, column: str, value: str) -> list[Shape]:
    """An update that makes another kind of row of it: for that RETURNING a constant is as good as the bare shape."""
    return [it for it in updates(relation, row, column, value) if it.name != "returning 1"]


def deletes(relation: Relation, row: Row) -> list[Shape]:
    delete = f"delete from {relation.name}"
    key = tuple(relation.key)
    return [
        Shape("bare", delete),
        Shape("where", f"{delete} where {row.match}", key),
        Shape("returning", f"{delete} returning {_key(relation)}", key),
    ]


def inserts(relation: Relation, values: Mapping[str, str], column: str, value: str) -> list[Shape]:
    add = insert(relation, values)
    key, target = tuple(relation.key), arbiter(relation, values)
    columns = ", ".join(relation.columns[name].quoted for name in target)
    change = f"{relation.columns[column].quoted} = {value}"
    return [
        Shape("bare", add),
        Shape("returning 1", f"{add} returning 1"),
        Shape("returning", f"{add} returning {_key(relation)}", key),
        Shape("on conflict do nothing", f"{add} on conflict do nothing"),
        Shape("on conflict (…) do nothing", f"{add} on conflict ({columns}) do nothing", target),
        Shape("on conflict (…) do update", f"{add} on conflict ({columns}) do update set {change}", target, (column,)),
    ]


def arbiter(relation: Relation, values: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of a unique rule that the values can break; else the key, which a new row never does."""
    for rule in relation.constraints:
        if rule.kind == "u" and not rule.is_partial and set(rule.column_names) <= values.keys():
            return tuple(rule.column_names)
    return tuple(relation.key)
