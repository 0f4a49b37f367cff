"""What the report tells: read from the catalogue, the statistics and the figures by day. Never what somebody wrote."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from forge_db import health, matrix, structure
from forge_db.access import contract
from forge_db.access.grid import Sheet
from forge_db.diagrams import model
from forge_db.errors import ForgeError
from forge_db.paths import ROOT

QUERIES = ROOT / "sql" / "report"
SCHEMAS = ("public", "private", "archive")

Row = dict[str, Any]


def read(connection: psycopg.Connection[Any]) -> Row:
    """Everything but the access, which has to be tried."""
    answers = health.ask(connection)
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("set local search_path = ''")
        found: Row = {path.stem: cursor.execute(path.read_bytes()).fetchall() for path in sorted(QUERIES.glob("*.sql"))}
    described = structure.read(connection)
    names = known_names(described, found)
    words = {row["word"] for row in found["vocabulary"]}
    details = structure.details(described)
    return found | {
        "server": found["server"][0],
        "model": model.read(connection),
        "tables": {
            str(row["table_name"]): structure.table(row["table_name"], row["description"] or "", details)
            for row in described["tables"]
        },
        "functions": [*described["functions"], *found["trigger_functions"]],
        "checks": {name: [told(check, names, words) for check in answer["checks"]] for name, answer in answers.items()},
        "statuses": {name: answer["status"] for name, answer in answers.items()},
        "policies": sum(len(rows) for rows in details["policies"].values()),
    }


@dataclass(frozen=True)
class Access:
    """What became of statements that were tried; nothing, if none were."""

    sheets: Sequence[Sheet] = ()
    calls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    roles: Sequence[str] = ()


def observe(connection: psycopg.Connection[Any]) -> Access:
    """Every command of every role, tried and rolled back."""
    found = matrix.observe(connection, contract.load())
    return Access(found["sheets"], found["calls"], found["roles"])


def known_names(described: dict[str, list[Row]], found: Row) -> set[str]:
    """Names of the catalogue, which stand in migrations and so are nobody's data."""
    names = {row["table_name"] for row in described["tables"]} | {row["relation_name"] for row in found["relations"]}
    for kind, named in (("columns", "column_name"), ("constraints", "constraint_name"), ("triggers", "trigger_name"),
                        ("policies", "policy_name"), ("indexes", "index_name")):  # fmt: skip
        names |= {row[named] for row in described[kind]}
    names |= {row["index_name"] for row in found["indexes"]}
    names |= {f"{row['schema_name']}.{row['signature']}" for row in described["functions"] + found["trigger_functions"]}
    return {*names, *(name.partition(".")[2] for name in names), *SCHEMAS}


def told(check: Row, names: Collection[str], words: Collection[str]) -> Row:
    """A check in words of our own: names of the catalogue, words of our functions, figures. The rest could be data.

    What a check found stands in a list at its end, after a colon, and is told if the catalogue has it. The hints, which
    may hold the same, are left to forge-db health.
    """
    detail = check["detail"]
    subject = re.fullmatch(r"(Found \d+: [^:]+): (.*)\.", detail, re.DOTALL)
    if subject:
        shown = list(listed(subject[2].split(", "), names))
        detail = f"{subject[1]}{': ' * bool(shown)}{', '.join(shown)}."
    detail = re.sub(r"\w(?:[\w.]*\w)?", lambda it: it[0] if is_known(it[0], names, words) else "…", detail)
    return {**check, "detail": detail, "hint": None, "share": share(check)}


def is_known(word: str, names: Collection[str], words: Collection[str]) -> bool:
    return word.lower() in words or word in names or re.fullmatch(r"[\d.]+", word) is not None


def listed(items: Iterable[str], names: Collection[str]) -> Iterable[str]:
    """Those that name something of the catalogue, alone or with a remark."""
    return (item for item in items if re.split(r"[ (]", item)[0] in names or item in names)


def share(check: Row) -> float | None:
    """How far a figure has come towards its limit; nothing where the limit is one that it should be above."""
    value, threshold = check["value"], check["threshold"]
    if not isinstance(value, int | float) or not isinstance(threshold, int | float) or not threshold:
        return None
    if check["status"] == "ok" and value > threshold:
        return None
    return min(value / threshold, 1.0)


def benchmark(path: Path) -> list[Row]:
    """What `forge-db bench --json` has written; each ratio beside how much better it is than what is asked."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        return [{**it, "margin": margin(it["ratio"], it["bar"])} for it in results]
    except (ValueError, KeyError, TypeError) as error:
        raise ForgeError(
            f"{path} is not what forge-db bench has written", f"Run `forge-db bench --json {path}`."
        ) from error


def margin(ratio: str, bar: str) -> float | None:
    """2 where a ratio is twice as good as its bar; nothing where there is no ratio to compare."""
    asked = re.fullmatch(r"([≥≤]) (1/)?([\d.,]+)( \(out of reach\))?", bar)
    found = re.fullmatch(r"(1/)?([\d.,]+)( \(floor [\d.,]+\))?", ratio)
    if not asked or not found:
        return None
    limit, value = number(asked[3], bool(asked[2])), number(found[2], bool(found[1]))
    if not limit or not value:
        return None
    return value / limit if asked[1] == "≥" else limit / value


def number(text: str, inverted: bool) -> float:
    value = float(text.replace(",", ""))
    return 1 / value if inverted and value else value
