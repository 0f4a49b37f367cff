"""Values that a column might take, the likeliest first: from its checks, from its type, from the contract's samples."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from forge_db.access.catalogue import Column, Relation

TEXTS = ("text", "varchar", "bpchar")
NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")


def domain(relation: Relation, column: Column) -> list[str]:
    """All values, where they can be listed: of a boolean, an enum, a check that lists them. Else nothing."""
    if column.base_type == "bool":
        return ["false", "true"]
    if column.is_enum:
        return column.labels
    for check in relation.checks:
        listed = re.search(r"= ANY \(+ARRAY\[(.*?)\]", check.definition)
        if check.column_names == [column.name] and listed:
            return [text.replace("''", "'") for text in quoted(listed[1])]
    return []


def candidates(relation: Relation, column: Column, samples: Mapping[str, str], number: int) -> Iterable[str]:
    """Values to try, of which those made from `number` are in no other row."""
    checks = [check.definition for check in relation.checks if column.name in check.column_names]
    checking = [*checks, *(it.definition for it in relation.triggers if f"new.{column.name}" in it.definition)]
    for name, sample in samples.items():
        if name == f"{relation.name}.{column.name}" or any(f"{name}(" in check for check in checking):
            yield sample
    if column.name in relation.partitioned_by:
        yield from quoted(relation.bound or "")
    if listed := domain(relation, column):
        yield from listed
        return
    found = _of_type(column, number)
    if column.base_type in TEXTS:
        # A pattern holds words that match it: 'draft', say, in '^(draft|final)_[0-9]*'.
        found = [*found, *(word for check in checks for text in quoted(check) for word in re.findall(r"\w{2,}", text))]
    yield from (value for value in found if column.max_length is None or len(value) <= column.max_length)


def quoted(text: str) -> list[str]:
    """The string literals in a piece of SQL."""
    return re.findall(r"'((?:[^']|'')*)'", text)


def _of_type(column: Column, number: int) -> list[str]:
    """Values that a type takes: first one that no other row has, then such as checks commonly ask for."""
    if column.base_type.startswith("_"):
        return ["{}"]
    if column.base_type in TEXTS:
        shaped = [
            "en",
            "#12ab34",
            f"https://example.com/{number}",
            f"someone{number}@example.com",
            "1.0.0",
            "+15550100",
        ]
        return [f"probe_{number}", f"p{number}", *shaped]
    if column.base_type in NUMBERS:
        return [str(number % 100 + 1), "0", "1", "5", "100", "1000", "0.5"]
    if column.base_type in ("json", "jsonb"):
        return ["{}", "[]", '"text"', "1", "true"]
    others = {
        "uuid": f"00000000-0000-4000-a000-{number:012x}",
        "date": str(date(2001, 1, 1) + timedelta(days=number)),
        "timestamptz": f"2001-01-01 00:00:{number % 60:02}+00",
        "timestamp": f"2001-01-01 00:00:{number % 60:02}",
        "interval": "1 day",
        "inet": "192.0.2.1",
        "bytea": "\\x00",
        "tsvector": "probe",
        "name": f"probe_{number}",
    }
    return [others[column.base_type]] if column.base_type in others else []
