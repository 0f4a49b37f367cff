"""One write in every shape that PostgreSQL checks differently.

A WHERE clause that reads a column and a RETURNING clause apply the SELECT policy as well, to the old row and to the new
one. So they can hide a broken INSERT or UPDATE policy behind the right error: only the bare shape shows it, and only
the others show what a client meets.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from harness.session import Session

WRITE_SHAPES = ("bare", "where", "returning")
INSERT_SHAPES = ("bare", "returning", "on conflict")

every_shape = pytest.mark.parametrize("shape", WRITE_SHAPES)
every_insert = pytest.mark.parametrize("shape", INSERT_SHAPES)

_TAIL = {
    "bare": "",
    "where": " where id is not null",
    "returning": " returning id",
    "on conflict": " on conflict (id) do nothing",
}


def insert(db: Session, table: str, row: Mapping[str, Any], shape: str = "bare") -> int:
    placeholders = ", ".join(["%s"] * len(row))
    statement = f"insert into public.{table} ({', '.join(row)}) values ({placeholders}){_TAIL[shape]}"
    return db.run(statement, list(row.values()))


def update(db: Session, table: str, row: Mapping[str, Any], shape: str = "bare") -> int:
    assignments = ", ".join(f"{column} = %s" for column in row)
    return db.run(f"update public.{table} set {assignments}{_TAIL[shape]}", list(row.values()))


def delete(db: Session, table: str, shape: str = "bare") -> int:
    return db.run(f"delete from public.{table}{_TAIL[shape]}")
