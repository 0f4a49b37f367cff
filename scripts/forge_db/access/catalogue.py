"""What the database has: read once per run by the queries in sql/access, as plain objects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from forge_db.access.session import Session
from forge_db.paths import ROOT

QUERIES = ROOT / "sql" / "access"
ACCOUNTS = "auth.users"


@dataclass(frozen=True)
class Column:
    name: str
    quoted: str
    type_name: str
    base_type: str
    is_enum: bool
    is_not_null: bool
    has_default: bool
    is_generated: bool
    default_value: str | None
    max_length: int | None
    labels: list[str]

    @property
    def is_required(self) -> bool:
        return self.is_not_null and not self.has_default and not self.is_generated


@dataclass(frozen=True)
class Constraint:
    name: str
    kind: str
    column_names: list[str]
    definition: str
    target_name: str | None
    is_partial: bool


@dataclass(frozen=True)
class Policy:
    name: str
    command: str
    is_permissive: bool
    roles: list[str]


@dataclass(frozen=True)
class Trigger:
    name: str
    state: str
    definition: str


@dataclass(frozen=True)
class Relation:
    """A table, view, materialized view, foreign table or sequence."""

    oid: int
    name: str
    kind: str
    owner_name: str
    has_row_security: bool
    parent: int | None
    key: list[str]
    has_rules: bool
    bound: str | None
    partitioned_by: list[str]
    columns: dict[str, Column] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        return self.kind in ("r", "p")

    @property
    def is_partition(self) -> bool:
        return self.parent is not None

    @cached_property
    def checks(self) -> list[Constraint]:
        return [it for it in self.constraints if it.kind == "c"]

    @cached_property
    def foreign_keys(self) -> dict[str, str]:
        """Column to the table it points to, for keys of one column."""
        keys = (it for it in self.constraints if len(it.column_names) == 1)
        return {it.column_names[0]: it.target_name for it in keys if it.target_name}


@dataclass(frozen=True)
class Function:
    oid: int
    name: str
    owner_name: str
    is_definer: bool
    is_volatile: bool
    kind: str
    argument_names: list[str]
    argument_types: list[str]
    default_count: int

    @property
    def arguments(self) -> dict[str, str]:
        """Name to type of what a caller passes."""
        return dict(zip(self.argument_names, self.argument_types, strict=False))

    @property
    def schema(self) -> str:
        return self.name.partition(".")[0]

    @property
    def short(self) -> str:
        return self.name.partition("(")[0].rpartition(".")[2].strip('"')

    @property
    def required(self) -> list[str]:
        return self.argument_names[: len(self.argument_types) - self.default_count]


@dataclass(frozen=True)
class Grant:
    kind: str
    oid: int
    name: str
    column_name: str | None
    grantee: str
    privilege: str
    is_grantable: bool


@dataclass(frozen=True)
class Schema:
    name: str
    owner_name: str
    usable_by: list[str]
    creatable_by: list[str]


@dataclass(frozen=True)
class RoleFacts:
    name: str
    bypasses_policies: bool
    logs_in: bool
    is_inheriting: bool
    is_powerful: bool
    member_of: list[str]


@dataclass(frozen=True)
class Catalogue:
    relations: Mapping[str, Relation]
    functions: Mapping[str, Function]
    grants: list[Grant]
    schemas: Mapping[str, Schema]
    roles: Mapping[str, RoleFacts]

    @property
    def tables(self) -> list[Relation]:
        return [it for it in self.relations.values() if it.is_table and not it.is_partition]

    @property
    def partitions(self) -> list[Relation]:
        return [it for it in self.relations.values() if it.is_table and it.is_partition]


def load(session: Session, schemas: Iterable[str], roles: Iterable[str]) -> Catalogue:
    """Read the catalogue for these schemas and roles."""

    def query(name: str, **parameters: Any) -> list[dict[str, Any]]:
        return session.query((QUERIES / f"{name}.sql").read_text(encoding="utf-8"), parameters)

    within = {"schemas": list(schemas)}
    relations = {row["oid"]: Relation(**row) for row in query("relations", **within)}
    known = {"relations": list(relations)}
    for row in query("columns", **known):
        columns = relations[row.pop("relation")].columns
        columns[row["name"]] = Column(**row)
    for row in query("constraints", **known):
        constraints = relations[row.pop("relation")].constraints
        constraints.append(Constraint(**row))
    for row in query("policies", **within):
        policies = relations[row.pop("relation")].policies
        policies.append(Policy(**row))
    for row in query("triggers", **known):
        triggers = relations[row.pop("relation")].triggers
        triggers.append(Trigger(**row))
    return Catalogue(
        relations={it.name: it for it in relations.values()},
        functions={row["name"]: Function(**row) for row in query("functions", **within)},
        grants=[Grant(**row) for row in query("grants", **within)],
        schemas={row["name"]: Schema(**row) for row in query("schemas", roles=list(roles))},
        roles={row["name"]: RoleFacts(**row) for row in query("roles", roles=list(roles))},
    )


@dataclass(frozen=True)
class Rights:
    """What one role holds on one table at this moment: the columns of each command."""

    columns: Mapping[str, frozenset[str]]
    on_table: frozenset[str]

    def lacks(self, command: str, columns: Iterable[str]) -> str | None:
        """What a statement would be refused for: the table, a column, or nothing."""
        if command in self.on_table:
            return None
        held = self.columns.get(command, frozenset())
        if not held:
            return "table"
        return None if set(columns) <= held else "column"


def rights(session: Session, role: str, relation: Relation) -> Rights:
    text = (QUERIES / "privileges.sql").read_text(encoding="utf-8")
    rows = session.query(text, {"role": role, "relation": relation.oid})
    return Rights(
        columns={row["command"]: frozenset(row["column_names"]) for row in rows},
        on_table=frozenset(row["command"] for row in rows if row["on_table"]),
    )
