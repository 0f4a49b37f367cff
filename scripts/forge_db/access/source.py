"""The text of the contract: what it holds, and on which line something stands."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from forge_db.errors import ForgeError, one_line


class Source:
    """A TOML file that knows its lines, which tomllib forgets."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        # Without comments, so that a name is found where it is used.
        self._lines = [re.sub(r"^\s*#.*|\s#\s.*", "", line) for line in text.splitlines()]
        try:
            self.content: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ForgeError(f"{name} is not TOML: {one_line(str(error))}") from error

    @classmethod
    def read(cls, path: Path, name: str) -> "Source":
        try:
            return cls(path.read_text(encoding="utf-8"), name)
        except FileNotFoundError:
            raise ForgeError(f"{name} is missing", "It says who may do what; restore it from git.") from None

    def line(self, section: str, *words: str, nth: int = 1) -> int:
        """The line of the section where the words first stand one after the other; its heading when they do not."""
        headings = [
            number for number, line in enumerate(self._lines, 1) if re.match(rf"\[+{re.escape(section)}\]", line)
        ]
        if len(headings) < nth:
            return 1
        found = headings[nth - 1]
        after = (number for number, line in enumerate(self._lines, 1) if number > found and re.match(r"\[+\w", line))
        start, end = found + 1, next(after, len(self._lines) + 1)
        for word in words:
            pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
            found = next((number for number in range(start, end) if pattern.search(self._lines[number - 1])), found)
            start = max(start, found)
        return found

    def at(self, section: str, *words: str, nth: int = 1) -> str:
        return f"{self.name} line {self.line(section, *words, nth=nth)}"

    def error(self, message: str, section: str, *words: str, nth: int = 1, hint: str | None = None) -> ForgeError:
        return ForgeError(f"{self.at(section, *words, nth=nth)}: {message}", hint)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(names) or 'none'}."
