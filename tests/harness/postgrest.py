"""Statements as PostgREST writes them: how it asks decides which rights a request needs.

A read lists its columns or takes all of them. A write takes its columns from the payload's keys, so those and no others
need a grant; without `returning` it returns the constant 1 and needs no SELECT. A filter needs SELECT on its column.
"""

import json
from collections.abc import Mapping
from typing import Any

from psycopg import sql

from harness.session import Session

Filters = Mapping[str, Any]  # column to value, or to (operator, value)

# Without a length: a value that is too long fails when it reaches the table.
TYPES = """
    select attname, format_type(atttypid, null)
    from pg_attribute
    where attrelid = to_regclass('public.' || quote_ident(%s)) and attnum > 0 and not attisdropped
"""


def read(
    db: Session,
    table: str,
    select: str = "*",
    where: Filters | None = None,
    *,
    order: str = "",
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """GET, in a transaction that may not write. `order` is a column, `desc` after it if meant."""
    name, values = _table(table), list[Any]()
    ordered = ""
    if order:
        column, _, direction = order.partition(" ")
        ordered = f" order by {name}.{_name(column)} {direction}"
    query = f"select {_columns(name, select)} from {name}{_filters(name, where, values)}{ordered}"
    if limit is not None:
        query += " limit %s offset 0"
        values.append(str(limit))
    with db.undone():
        db.run("set local transaction_read_only = on")
        return _body(db, query, values)


def insert(db: Session, table: str, row: Mapping[str, Any], *, returning: str = "") -> list[dict[str, Any]]:
    """POST. `returning` is what .select() asks for; nothing means return=minimal."""
    name = _table(table)
    columns = ", ".join(map(_name, row))
    taken = ", ".join(f"pgrst_body.{_name(column)}" for column in row)
    statement = f"insert into {name}({columns}) select {taken} {_payload(db, table, row, 'json_to_recordset')} "
    return _body(db, statement + _returning(name, returning), [json.dumps([row], default=str)])


def update(db: Session, table: str, row: Mapping[str, Any], where: Filters | None = None) -> int:
    """PATCH with return=minimal. How many rows it hit; none is a success to PostgREST."""
    name, values = _table(table), [json.dumps(row, default=str)]
    assignments = ", ".join(f"{_name(column)} = pgrst_body.{_name(column)}" for column in row)
    statement = f"update {name} set {assignments} {_payload(db, table, row, 'json_to_record')}"
    return len(_body(db, statement + _filters(name, where, values) + _returning(name, ""), values))


def delete(db: Session, table: str, where: Filters | None = None) -> int:
    """DELETE with return=minimal. How many rows it hit."""
    name, values = _table(table), list[Any]()
    return len(_body(db, f"delete from {name}{_filters(name, where, values)}" + _returning(name, ""), values))


def call(db: Session, function: str, **arguments: Any) -> Any:
    """POST to /rpc: arguments by name. The scalar, or the rows."""
    named = ", ".join(f"{_name(argument)} := %s" for argument in arguments)
    query = f"select pgrst_call.pgrst_scalar from (select {_table(function)}({named}) pgrst_scalar) pgrst_call"
    (row,) = _body(db, query, list(arguments.values()))
    return row["pgrst_scalar"]


def _body(db: Session, statement: str, values: list[Any]) -> list[dict[str, Any]]:
    """Around every query, PostgREST puts the same frame: the rows become one JSON document."""
    frame = (
        f"with pgrst_source as ({statement}) "
        "select pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body, "
        "nullif(current_setting('response.headers', true), '') as response_headers, "
        "nullif(current_setting('response.status', true), '') as response_status "
        "from (select * from pgrst_source) _postgrest_t"
    )
    (answer,) = db.rows(frame, values)
    rows: list[dict[str, Any]] = answer["body"]
    return rows


def _payload(db: Session, table: str, row: Mapping[str, Any], reader: str) -> str:
    types = {found["attname"]: found["format_type"] for found in db.rows(TYPES, [table])}
    columns = ", ".join(map(_name, row))
    typed = ", ".join(f"{_name(column)} {types[column]}" for column in row)
    return (
        "from (select %s::json as json_data) pgrst_payload, "
        f"lateral (select {columns} from {reader}(pgrst_payload.json_data) as _({typed})) pgrst_body"
    )


def _filters(name: str, where: Filters | None, values: list[Any]) -> str:
    terms = []
    for column, wanted in (where or {}).items():
        operator, value = wanted if isinstance(wanted, tuple) else ("=", wanted)
        terms.append(f"{name}.{_name(column)} {operator} %s")
        values.append(str(value).lower() if isinstance(value, bool) else str(value))
    return f" where {' and '.join(terms)}" if terms else ""


def _returning(name: str, columns: str) -> str:
    return f" returning {_columns(name, columns)}" if columns else " returning 1"


def _columns(name: str, listed: str) -> str:
    return ", ".join(f"{name}.{'*' if column == '*' else _name(column)}" for column in listed.split(", "))


def _table(name: str) -> str:
    return sql.Identifier("public", name).as_string()


def _name(name: str) -> str:
    return sql.Identifier(name).as_string()
