"""SQL text into statements, split exactly where the Supabase CLI splits it.

PostgreSQL libraries exist for this, and they all differ from the CLI in what they keep: its history rows hold each
statement with the comments before it, and a comment after the last one as a statement of its own. Nothing here judges
SQL; the server does.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LETTER = r"a-z0-9_\x80-\U0010ffff"
# Nothing possessive: the first releases of Python 3.11 get that wrong.
_WORD = rf"[{_LETTER}][{_LETTER}$]*"
_MARKED = rf"(?:begin|atomic|end)(?![{_LETTER}$])"
_SIGN = rf"""[^{_LETTER}\s'"$();/\\-]"""
_TOKEN = re.compile(
    rf"""
      (?P<blank>[ \t\n\r\f\v]+|--[^\n\r]*)
    | (?P<comment>/\*)
    | (?P<string>
          e'(?:[^'\\]|\\.|'')*(?:'|\Z)(?:\s*[\n\r]\s*'(?:[^'\\]|\\.|'')*(?:'|\Z))*  # also continued on the next line
        | '[^']*(?:'|\Z)
        | "[^"]*(?:"|\Z) )
    | (?P<dollar>\$[{_LETTER}]*\$)
    | (?P<word>{_MARKED})
    | (?P<plain>(?:{_WORD}|{_SIGN})(?:[ \t\n\r\f\v]+|{_SIGN}|(?!e'|{_MARKED}){_WORD})*)  # as much as there is at once
    | (?P<meta>\\.?)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_NOT_IN_TRANSACTION = re.compile(
    r"create\s+(unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\b.*\bconcurrently"
    r"|vacuum\b|alter\s+system\b|cluster\b",
    re.DOTALL | re.IGNORECASE,
)
_TRANSACTION_CONTROL = re.compile(
    r"(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(\s+(work|transaction))?\s+to))\b",
    re.IGNORECASE,
)
# What JavaScript's trim() takes off.
_TRIMMED = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))


class Statement(NamedTuple):
    """One statement as the CLI records it, and where it stands in its file."""

    text: str
    code: str
    """The text without the comments before it; empty when there is nothing else."""
    line: int
    """Where the code begins, counted from 1."""
    terminated: bool
    """Whether a semicolon ends it."""

    @property
    def runs_alone(self) -> bool:
        """PostgreSQL refuses it inside a transaction."""
        return _NOT_IN_TRANSACTION.match(self.code) is not None

    @property
    def controls_transaction(self) -> bool:
        return _TRANSACTION_CONTROL.match(self.code) is not None


def split(sql: str) -> list[Statement]:
    """Split at each semicolon outside quotes, comments, brackets and `begin atomic … end` bodies."""
    statements: list[Statement] = []
    begin = 0  # of the statement
    code: int | None = None  # where its code begins
    bracket = atomic = False
    fresh = False  # nothing but comments yet in this statement of a body
    word = ""  # the one before
    line, counted = 1, 0  # up to where lines are counted: from the start each time would take as long as the database

    for kind, start, end in [*tokens(sql), ("end", len(sql), len(sql))]:
        if kind in ("blank", "comment"):
            continue
        token = sql[start:end].lower()
        if kind == "end" or (token == ";" and not bracket and not atomic):
            if text := _trim(sql[begin:end]):
                at = start if code is None else code
                line, counted = line + sql.count("\n", counted, at), at
                statements.append(Statement(text, _trim(sql[at:end]), line, kind != "end"))
            begin, code, word = end, None, ""
            continue
        code = start if code is None else code
        if token in ("(", ")"):
            bracket = token == "("  # one closing bracket closes all, as in the CLI
        opens = token == "atomic" and word == "begin" and not bracket
        closes = token == "end" and fresh
        atomic = opens or (atomic and not closes)
        fresh = opens or (atomic and token == ";")
        word = token if kind == "word" else ""
    return statements


def _trim(text: str) -> str:
    return text.rstrip(";").strip(_TRIMMED)


def tokens(sql: str) -> Iterator[tuple[str, int, int]]:
    """The kind, start and end of each token; together they cover the text."""
    position = 0
    while match := _TOKEN.match(sql, position):
        kind, start, position = str(match.lastgroup), match.start(), match.end()
        if kind == "comment":
            position = _end_of_comment(sql, start)
        elif kind == "dollar":
            found = sql.find(match.group(), position)
            position = len(sql) if found < 0 else found + len(match.group())
        yield kind, start, position


def _end_of_comment(sql: str, start: int) -> int:
    """Comments nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)
