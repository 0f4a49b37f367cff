"""Figures of the server made up: a function is asked what it makes of rows of ours instead of a view of the system.

What it reads is a temporary table of the same name and types, in a transaction that is rolled back. So a check can be
shown what no test could bring about, and nothing depends on what else goes on in the server.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from harness.session import Session

Rows = Sequence[Mapping[str, Any]]


def made_up(db: Session, function: str, says: Mapping[str, str] | None = None, **views: Rows) -> None:
    """Let a function read these rows instead of the views, and these expressions instead of others.

    Every row has the columns that the function reads. The speaker is the owner afterwards.
    """
    body = db.as_owner().value("select pg_get_functiondef(%s::regprocedure)", [function])
    for view, rows in views.items():
        assert f"pg_catalog.{view} as" in body, f"{function} does not read {view}"
        body = body.replace(f"pg_catalog.{view} as", f"pg_temp.{view} as")
        columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
        table = sql.Identifier("pg_temp", view)
        db.run(f"drop table if exists pg_temp.{view}")
        source = sql.SQL("create table {} as select {} from {} with no data")
        db.run(source.format(table, columns, sql.Identifier("pg_catalog", view)).as_string())
        for row in rows:
            values = sql.SQL(", ").join(sql.SQL(it) if isinstance(it, Raw) else sql.Literal(it) for it in row.values())
            db.run(sql.SQL("insert into {} ({}) values ({})").format(table, columns, values).as_string())
    for asked, answer in (says or {}).items():
        assert asked in body, f"{function} does not ask {asked}"
        body = body.replace(asked, answer)
    db.run(body)


class Raw(str):
    """An expression, not a text."""
