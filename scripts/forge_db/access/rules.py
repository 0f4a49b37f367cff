"""Which rows a rule of the contract means: own, unowned, all, a boolean column, column = 'value', with and, or, not."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from forge_db.errors import ForgeError

TOKEN = re.compile(r"\s*(?:([a-z_][a-z0-9_]*)|'([^']*)'|([()=]))")
OWNED = ("own", "unowned")
Asked = set[tuple[str, str]]


class Kind(NamedTuple):
    """A kind of row as one caller sees it: whose it is (own, other, unowned; empty without owners), its state."""

    owner: str
    states: Mapping[str, str]

    def __str__(self) -> str:
        whose = {"own": "own", "other": "another's", "unowned": "nobody's", "": ""}[self.owner]
        return (
            ", ".join(filter(None, [whose, *(said(column, value) for column, value in self.states.items())])) or "any"
        )


def said(column: str, value: str) -> str:
    """A state in the words of a rule."""
    return {"true": column, "false": f"not {column}"}.get(value, f"{column} = '{value}'")


@dataclass(frozen=True)
class Rule:
    """What a rule says, the columns and their values that it asks for, and whether a kind of row is meant."""

    text: str
    asked: frozenset[tuple[str, str]]
    asks_owner: bool
    holds: Callable[[Kind], bool] = field(compare=False, repr=False)


NOTHING = Rule("none", frozenset(), False, lambda _: False)
EVERYTHING = Rule("all", frozenset(), False, lambda _: True)


def parse(text: str) -> Rule:
    """Read a rule; say what is wrong with it in words that point at the place."""
    asked: set[tuple[str, str]] = set()
    words = list(_words(text))
    test = _either(words, asked)
    if words:
        raise ForgeError(f'"{words[0]}" is not expected in the rule "{text}"')
    asks_owner = any(word in OWNED for word in re.findall(r"\w+", re.sub(r"'[^']*'", "", text)))
    return Rule(" ".join(text.split()), frozenset(asked), asks_owner, test)


def _words(text: str) -> Iterator[str]:
    position = 0
    while text[position:].strip():
        found = TOKEN.match(text, position)
        if found is None:
            raise ForgeError(f'"{text[position:].strip()}" is not understood in the rule "{text}"')
        yield found[0].strip()
        position = found.end()


def _either(words: list[str], asked: Asked) -> Callable[[Kind], bool]:
    parts = [_both(words, asked)]
    while words[:1] == ["or"]:
        words.pop(0)
        parts.append(_both(words, asked))
    return parts[0] if len(parts) == 1 else lambda kind: any(part(kind) for part in parts)


def _both(words: list[str], asked: Asked) -> Callable[[Kind], bool]:
    parts = [_one(words, asked)]
    while words[:1] == ["and"]:
        words.pop(0)
        parts.append(_one(words, asked))
    return parts[0] if len(parts) == 1 else lambda kind: all(part(kind) for part in parts)


def _one(words: list[str], asked: Asked) -> Callable[[Kind], bool]:
    if not words:
        raise ForgeError("a rule ends too early", "Write own, unowned, all, a boolean column or column = 'value'.")
    word = words.pop(0)
    if word == "not":
        inner = _one(words, asked)
        return lambda kind: not inner(kind)
    if word == "(":
        inner = _either(words, asked)
        if not words or words.pop(0) != ")":
            raise ForgeError("a bracket is not closed")
        return inner
    if word == "all":
        return EVERYTHING.holds
    if word in OWNED:
        return lambda kind: kind.owner == word
    if not re.fullmatch(r"\w+", word) or word in ("and", "or"):
        raise ForgeError(f'"{word}" is not expected', "Write own, unowned, all, a boolean column or column = 'value'.")
    value = "true"
    if words[:1] == ["="]:
        words.pop(0)
        if not words or not words[0].startswith("'"):
            raise ForgeError(f'"{word} =" wants a value in quotes')
        value = words.pop(0).strip("'")
    asked.add((word, value))
    return lambda kind: kind.states[word] == value
