"""sql/types/shapes.toml, read: what jsonb holds, in the words of TypeScript and of Python."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from forge_db.errors import ForgeError
from forge_db.paths import ROOT

PATH = ROOT / "sql" / "types" / "shapes.toml"
LITERALS = re.compile(r"'[^']*'( \| '[^']*')*")
TYPESCRIPT = {
    "text": "string", "integer": "number", "number": "number", "boolean": "boolean",
    "day": "string", "time": "string", "json": "Json",
}  # fmt: skip
PYTHON = {
    "text": "str", "integer": "int", "number": "float", "boolean": "bool", "day": "str", "time": "str", "json": "Any",
}  # fmt: skip


@dataclass(frozen=True)
class Shapes:
    """Shapes by name, key to type; the types of columns, results and arguments."""

    shapes: Mapping[str, Mapping[str, str]]
    columns: Mapping[str, str]
    results: Mapping[str, str]
    arguments: Mapping[str, str]

    @classmethod
    def load(cls) -> "Shapes":
        return cls(**tomllib.loads(PATH.read_text(encoding="utf-8")))


def typescript(text: str, known: Mapping[str, object]) -> str:
    """A type in TypeScript."""
    if text.endswith(" or null"):
        return f"{typescript(text.removesuffix(' or null'), known)} | null"
    if text.startswith("map of "):
        return f"Record<string, {typescript(text.removeprefix('map of '), known)}>"
    if text.startswith("row of "):
        return f'Tables<"{text.removeprefix("row of ")}">'
    if text.endswith("[]"):
        return f"{typescript(text.removesuffix('[]'), known)}[]"
    if LITERALS.fullmatch(text):
        return text.replace("'", '"')
    return TYPESCRIPT.get(text) or _known(text, known)


def python(text: str, known: Mapping[str, object]) -> str:
    """A type in Python."""
    if text.endswith(" or null"):
        return f"{python(text.removesuffix(' or null'), known)} | None"
    if text.startswith("map of "):
        return f"dict[str, {python(text.removeprefix('map of '), known)}]"
    if text.endswith("[]"):
        return f"list[{python(text.removesuffix('[]'), known)}]"
    if LITERALS.fullmatch(text):
        return f"Literal[{text.replace(' |', ',')}]"
    return PYTHON.get(text) or _known(text, known)


def _known(text: str, known: Mapping[str, object]) -> str:
    if text not in known:
        raise ForgeError(f'{PATH.name}: no type is called "{text}"', f"There is {', '.join([*TYPESCRIPT, *known])}.")
    return text
