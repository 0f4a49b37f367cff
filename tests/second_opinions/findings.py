"""What a tool found, and what of it was weighed before.

A tool is right until somebody has written down why it is not. The list may not rot either: what matches nothing any
more is taken out, or it would one day let through something else.
"""

import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from forge_db.errors import ForgeError, one_line

ACCEPTED = Path(__file__).with_name("accepted.toml")


class Finding(NamedTuple):
    """One thing that a tool does not like."""

    rule: str
    where: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.rule} at {self.where}" + (f": {one_line(self.said)[:500]}" if self.said else "")


class Entry(NamedTuple):
    """Findings accepted for one reason: each of the rules at each of the places, where * stands for any text."""

    rules: tuple[str, ...]
    where: tuple[str, ...]
    reason: str

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return list(product(self.rules, self.where))


def load(path: Path = ACCEPTED) -> dict[str, list[Entry]]:
    """The accepted findings, by tool."""
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ForgeError(f"{path.name} is not valid TOML: {error}") from error
    return {tool: [_entry(f"{path.name}: [[{tool}]]", found) for found in entries] for tool, entries in tools.items()}


def _entry(origin: str, found: dict[str, Any]) -> Entry:
    match found:
        case {"rules": [_, *_] as rules, "where": [_, *_] as where, "reason": str(reason), **others} if not others:
            if all(isinstance(it, str) and it.strip() for it in (*rules, *where, reason)):
                return Entry(tuple(rules), tuple(where), reason)
    raise ForgeError(
        f"{origin} {found.get('rules', 'without rules')} is not as it should be",
        "An entry has rules = [...], where = [...] and a reason, none of them empty, and nothing else.",
    )


def objections(findings: Iterable[Finding], entries: Iterable[Entry]) -> list[str]:
    """What was found and not accepted, and what was accepted and not found."""
    findings, entries = sorted(set(findings)), list(entries)
    new = [str(finding) for finding in unaccepted(findings, entries)]
    stale = [
        f"accepted and not found any more: {rule} at {place}"
        for entry in entries
        for rule, place in entry.pairs
        if not any(_covers(rule, place, finding) for finding in findings)
    ]
    return new + stale


def unaccepted(findings: Iterable[Finding], entries: Iterable[Entry]) -> list[Finding]:
    accepted = [pair for entry in entries for pair in entry.pairs]
    return [finding for finding in findings if not any(_covers(*pair, finding) for pair in accepted)]


def _covers(rule: str, place: str, finding: Finding) -> bool:
    # Brackets stand for themselves: they are part of many a name, and no pattern here needs a set of characters.
    return rule == finding.rule and fnmatchcase(finding.where, place.replace("[", "[[]"))
