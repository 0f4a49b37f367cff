"""What a run found: one failure per difference, and a text in which those of one cause are one paragraph."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

SHOWN = 12


@dataclass(frozen=True)
class Failure:
    """A difference between the contract and the database.

    subject     table, function, schema or role that it is about
    what        what was tried, and by whom; or what was compared
    expected    what the contract says
    observed    what the database did, or has
    row         the kind of row that it was tried on, and what that would become
    column      the column that it was about
    shape       the form of the statement
    statement   the statement, to try it by hand
    note        what explains it further
    """

    subject: str
    what: str
    expected: str
    observed: str
    row: str = ""
    column: str = ""
    shape: str = ""
    statement: str = ""
    note: str = ""

    def __str__(self) -> str:
        return paragraph([self])


def paragraph(failures: list[Failure]) -> str:
    """What failures have in common once, and where they differ all of it."""
    first = failures[0]
    told = {
        "contract": [first.expected],
        "database": [first.observed],
        "rows": [it.row for it in failures],
        "columns": [it.column for it in failures],
        "shapes": [it.shape for it in failures],
        "note": [first.note],
        "try": [" ".join(first.statement.split())],
    }
    lines = [f"{first.subject}: {first.what}"]
    for name, values in told.items():
        if text := "; ".join(dict.fromkeys(filter(None, values))):
            lines.append(f"    {name:<9} {text}")
    return "\n".join(lines)


def report(failures: Iterable[Failure], attempts: int) -> str:
    """All failures as a reader wants them."""

    def alike(it: Failure) -> tuple[str, ...]:
        return it.subject, it.what, it.expected, it.observed, it.note

    found = sorted(failures, key=alike)
    groups = [paragraph(list(group)) for _, group in groupby(found, key=alike)]
    text = "\n\n".join(groups[:SHOWN])
    more = f"\n\n… and {len(groups) - SHOWN} more like these" if len(groups) > SHOWN else ""
    return f"{len(found)} of {attempts} attempts differ from the access contract\n\n{text}{more}"
