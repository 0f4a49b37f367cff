"""What a diagram shows, read from the catalogue: domains, their tables, what points where, who may do what."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import dict_row

from forge_db import structure
from forge_db.paths import ROOT, SCHEMA

QUERIES = ROOT / "sql" / "diagrams"
ACCESS = ROOT / "sql" / "structure" / "access.sql"
ROLES = {"anon": "visitor", "authenticated": "user", "app_admin": "staff", "service_role": "server"}
COMMANDS = ("select", "insert", "update", "delete")
# As one writes them in a definition.
SHORT = {
    "timestamp with time zone": "timestamptz",
    "character varying": "varchar",
    "boolean": "bool",
    "integer": "int",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str
    is_nullable: bool
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Grant:
    """What a role holds on a table: the commands, and those that are held on some columns only."""

    role: str
    commands: frozenset[str]
    partial: frozenset[str]


@dataclass(frozen=True)
class Table:
    name: str
    description: str
    has_row_security: bool
    is_partitioned: bool
    columns: tuple[Column, ...]
    grants: tuple[Grant, ...]

    @property
    def schema(self) -> str:
        return self.name.partition(".")[0]

    @property
    def short(self) -> str:
        return self.name.partition(".")[2]

    @property
    def is_closed(self) -> bool:
        """No role of the API may do anything with it."""
        return not any(grant.commands for grant in self.grants)


@dataclass(frozen=True)
class Link:
    """A foreign key: many rows, or a single one, of a table point to one row, or to none, of another."""

    table: str
    column: str
    target: str
    is_optional: bool
    is_single: bool


@dataclass(frozen=True)
class Domain:
    """The tables of one schema file, which are about one subject."""

    number: int
    file: str
    title: str
    summary: str
    tables: tuple[Table, ...]

    @property
    def slug(self) -> str:
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Model:
    domains: tuple[Domain, ...]
    links: tuple[Link, ...]

    @property
    def tables(self) -> dict[str, Table]:
        return {table.name: table for domain in self.domains for table in domain.tables}

    def domain_of(self, table: str) -> Domain | None:
        """Nothing for a table of the platform."""
        return next((it for it in self.domains if any(table == own.name for own in it.tables)), None)

    def links_of(self, domain: Domain) -> list[Link]:
        """Those that begin or end in it."""
        return [it for it in self.links if domain in (self.domain_of(it.table), self.domain_of(it.target))]


def read(connection: psycopg.Connection[Any]) -> Model:
    """The database that a connection leads to."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("set local search_path = ''")
        found = {path.stem: cursor.execute(path.read_bytes()).fetchall() for path in sorted(QUERIES.glob("*.sql"))}
        found["access"] = cursor.execute(ACCESS.read_bytes()).fetchall()
    columns, access = by_table(found["columns"]), by_table(found["access"])
    tables = {
        str(row["table_name"]): Table(
            row["table_name"],
            row["description"] or "",
            row["has_row_security"],
            row["is_partitioned"],
            tuple(map(column, columns.get(row["table_name"], []))),
            tuple(grants(access.get(row["table_name"], []))),
        )
        for row in found["tables"]
    }
    links = [
        Link(row["table_name"], row["column_name"], row["target_name"], row["is_optional"], row["is_single"])
        for row in found["links"]
    ]
    return Model(tuple(domains(tables)), tuple(links))


def by_table(rows: list[Row]) -> dict[str, list[Row]]:
    return {name: list(group) for name, group in groupby(rows, key=lambda row: str(row["table_name"]))}


def column(row: Row) -> Column:
    keys = {"PK": row["is_primary"], "FK": row["is_foreign"], "UK": row["is_unique"]}
    pattern = "|".join(SHORT)
    data_type = re.sub(pattern, lambda match: SHORT[match[0]], row["data_type"])
    return Column(row["column_name"], data_type, row["is_nullable"], tuple(key for key, held in keys.items() if held))


def grants(rows: list[Row]) -> Iterator[Grant]:
    """What sql/structure/access.sql says in words: a command, and in brackets the columns if it is not for all."""
    said: Mapping[str, str] = {row["role_name"]: row["privileges"] for row in rows}
    for role in ROLES:
        words = re.findall(r"(\w+)( \([^)]*\))?(?:, |$)", said.get(role, ""))
        yield Grant(role, frozenset(name for name, _ in words), frozenset(name for name, columns in words if columns))


def domains(tables: dict[str, Table]) -> Iterator[Domain]:
    """A domain for each schema file that makes tables; one more for what none of them makes."""
    left = dict(tables)
    for path in sorted(SCHEMA.glob("*.sql")):
        summary, names = structure.made_by(path)
        if own := tuple(left.pop(name) for name in names if name in left):
            number, _, title = path.stem.partition("_")
            title = title.replace("_", " ").replace("api", "API").replace("rls", "RLS")
            yield Domain(int(number), path.name, title[0].upper() + title[1:], summary, own)
    if left:
        yield Domain(0, "", "Other tables", "made by no schema file.", tuple(left.values()))
