"""The conditions in a function's body, and the body with one of them negated.

A condition is what follows if, elsif, when, where, having, on or while, and each side of an and or an or, however deep
it stands. Negated it becomes `((condition) is not true)`, so that null is turned around as well. The reader of words
below knows just enough of SQL and PL/pgSQL to tell where a condition begins and ends; one that it got wrong does not
compile, and the run says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

WORD = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<text>(?:[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|"(?:[^"]|"")*")
  | (?P<open>[(\[])
  | (?P<close>[)\]])
  | (?P<word>[A-Za-z_]\w*|\$\d+)
  | (?P<mark>:=|=>|::|[,;])
  | (?P<other>\d[\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)

# After these a condition stands.
OPENERS = {"if", "elsif", "when", "where", "having", "on", "while"}
# Here one ends, and nothing of the kind begins.
BREAKS = {
    "select", "from", "group", "order", "limit", "offset", "union", "intersect", "except", "then", "else", "loop",
    "return", "returning", "set", "values", "using", "into", "begin", "as", "inner", "left", "right", "full", "cross",
    "join", "end", "for", "do", "perform", "raise", "insert", "update", "delete", "declare", "exit", "continue",
    "next", "filter", "over", "window", "with", ",", ";", ":=", "=>",
}  # fmt: skip
DISTINCT_ON = ("distinct", "on")
EXISTS_AFTER = {"table", "index", "schema", "trigger", "function", "view", "extension", "type", "column"}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind in ("word", "mark") else ""


class Guard(NamedTuple):
    """A condition, where it stands."""

    start: int
    end: int
    text: str

    def negated(self, body: str) -> str:
        return f"{body[: self.start]}(({self.text}) is not true){body[self.end :]}"


@dataclass
class Frame:
    """What stands between two brackets, or between case and end."""

    is_case: bool = False
    is_simple_case: bool = False
    is_condition: bool = False
    is_handler: bool = False
    names_errors: bool = False
    after_between: bool = False
    operand: list[Token] = field(default_factory=list)


def tokens(body: str) -> Iterator[Token]:
    for found in WORD.finditer(body):
        kind = str(found.lastgroup)
        if kind == "tag" or (kind != "space" and found["text"]):
            kind = "text"
        if kind != "space":
            yield Token(kind, found[0], found.start(), found.end())


def guards(body: str, *, answers_boolean: bool = False) -> list[Guard]:
    """Every condition in a body. What a function that answers true or false returns is one, too."""
    found: list[Guard] = []
    frames = [Frame()]
    words = [*tokens(body), Token("mark", ";", len(body), len(body))]

    def close(*, is_condition: bool) -> None:
        frame = frames[-1]
        if frame.operand and (frame.is_condition or is_condition):
            start, end = frame.operand[0].start, frame.operand[-1].end
            found.append(Guard(start, end, body[start:end]))
        frame.operand, frame.is_condition, frame.after_between = [], False, False

    previous, skip = "", False
    for place, token in enumerate(words):
        following = words[place + 1].word if place + 1 < len(words) else ""
        frame, word = frames[-1], token.word
        if skip:
            skip = False
        elif token.kind == "open":
            frame.operand.append(token)
            frames.append(Frame())
        elif token.kind == "close":
            close(is_condition=False)
            if len(frames) > 1:
                frames.pop()
            frames[-1].operand.append(token)
        elif word == "case":
            frame.operand.append(token)
            frames.append(Frame(is_case=True, is_simple_case=following != "when"))
        elif word == "end" and frame.is_case and following not in ("if", "loop"):
            close(is_condition=False)
            frames.pop()
            frames[-1].operand.append(token)
            skip = following == "case"
        elif word == "between":
            frame.after_between = True
            frame.operand.append(token)
        elif word == "and" and frame.after_between:
            frame.after_between = False
            frame.operand.append(token)
        elif word in ("and", "or"):
            close(is_condition=not frame.names_errors)
            frame.is_condition = not frame.names_errors
        elif word == "from" and previous == "distinct":
            frame.operand.append(token)
        elif word in OPENERS and not (word == "if" and previous in EXISTS_AFTER) and (previous, word) != DISTINCT_ON:
            close(is_condition=False)
            if word == "when":
                frame.names_errors = frame.is_handler and previous not in ("exit", "continue")
                frame.is_condition = not frame.is_simple_case and not frame.names_errors
            else:
                frame.is_condition = (
                    not (word == "on" and following in ("conflict", "constraint")) and previous != "end"
                )
        elif word in BREAKS:
            close(is_condition=False)
            answers = word == "return" or (word == "select" and place == 0)
            frame.is_condition = answers and answers_boolean and following not in ("query", "next")
            frame.is_handler = frame.is_handler and word != "end"
            frame.names_errors = frame.names_errors and word != "then"
        elif word == "exception" and previous in (";", "begin"):
            frame.is_handler = True
        else:
            frame.operand.append(token)
        previous = word
    return found
