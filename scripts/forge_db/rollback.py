"""The way back from 000 and 001, derived from the same schema files: what they make goes, and nothing else."""

import re
from collections.abc import Mapping
from pathlib import Path

import jinja2

from forge_db.paths import TEMPLATES
from forge_db.statements import split


def build(sources: Mapping[str, str], templates: Path = TEMPLATES) -> dict[str, str]:
    """The text of each rollback by file name, which is that of its migration; from the SQL that the migration holds."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates / "rollback"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    rollbacks = {}
    for name, sql in sources.items():
        # Every statement of ours begins a line; only rows are taken whole, for which the text must be split.
        statements = split(sql) if re.search(r"^insert into public\.", sql, re.MULTILINE) else []
        facts = {
            "tables": _all(r"^create table if not exists public\.(\w+)", sql),
            "hidden": sorted(_all(r"^create (?:[a-z]+ )*?(?:if not exists )?((?:private|archive)\.\w+)", sql)),
            # Its comment tells a function from others of its name; every function has one.
            "functions": sorted(_all(r"^comment on function public\.(\w+\([^)]*\))", sql)),
            "function_names": sorted(_all(r"^comment on function public\.(\w+)", sql)),
            "seeds": [_aside(it.code) for it in statements if "insert into public." in it.code],
            "seeded": _all(r"^insert into public\.(\w+)", sql),
        }
        rollbacks[name] = environment.get_template(f"{name}.j2").render(file=name, **facts)
    return rollbacks


def _all(pattern: str, sql: str) -> list[str]:
    """What each line that begins so names, in the order in which it was made."""
    return list(dict.fromkeys(re.findall(pattern, sql, re.MULTILINE)))


def _aside(code: str) -> str:
    """The same rows, into tables of the same name that only this session sees."""
    return re.sub(r"\b(insert into|from|join) public\.", r"\1 pg_temp.", code)
