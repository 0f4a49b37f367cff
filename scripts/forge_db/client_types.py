"""supabase/types: the database as TypeScript and Python see it.

The Supabase CLI generates database.types.ts and database_types.py; forge.types.ts and forge_types.py lie on top and say
what it leaves out, from the catalogue: the values that a CHECK lists, the shape of jsonb, what a user may write.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import jinja2
import psycopg

from forge_db import local, migrations, shapes, structure
from forge_db.access import candidates, contract
from forge_db.access import catalogue as catalogues
from forge_db.access.catalogue import Catalogue, Column, Relation
from forge_db.access.contract import Contract
from forge_db.access.session import Session
from forge_db.errors import ForgeError, one_line
from forge_db.paths import ROOT
from forge_db.shapes import Shapes

SOURCES = ROOT / "sql" / "types"
TARGET = ROOT / "supabase" / "types"
NODE = ROOT / "node_modules" / ".bin"
GENERATED = {"database.types.ts": "typescript", "database_types.py": "python"}
FIRST_WORDS = {"typescript": "export type Json", "python": "from __future__"}
WRITTEN = ("forge.types.ts", "forge_types.py")
USER = "authenticated"
READ = {
    "uuid": "uuid.UUID",
    "bool": "bool",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "numeric": "float",
    "timestamptz": "datetime.datetime",
    "date": "datetime.date",
    "json": "JsonValue",
    "jsonb": "JsonValue",
    "inet": "Any",  # psycopg has classes of its own for it, JSON a string
    "text": "str",
    "varchar": "str",
}
# What is sent may also be what JSON has for it.
WRITTEN_AS = READ | {
    "uuid": "uuid.UUID | str",
    "numeric": "decimal.Decimal | float",
    "timestamptz": "datetime.datetime | str",
    "date": "datetime.date | str",
    "json": "Any",
    "jsonb": "Any",
    "inet": "str",
}


# What the CLI generates -----------------------------------------------------------------------------------------------


def generate(url: str) -> dict[str, str]:
    """The types as the Supabase CLI generates them, formatted."""
    cli = os.environ.get("SUPABASE_CLI") or str(NODE / "supabase")
    found = {}
    for name, language in GENERATED.items():
        # In a folder of its own, where no project of the CLI's lies about.
        with tempfile.TemporaryDirectory() as folder:
            said = _run([cli, "gen", "types", f"--lang={language}", "--schema=public", f"--remote={url}"], folder)
        _, words, rest = said.partition(FIRST_WORDS[language])  # it may say first that the connection has no TLS
        if not words:
            raise ForgeError(f"the Supabase CLI generated no {language}: {one_line(said)[:200]}")
        found[name] = formatted(name, _mended(words + rest))
    return found


def _mended(text: str) -> str:
    """The generator for Python uses names of types that it has no word for, such as PgCatalogInet, and defines none."""
    unknown = sorted(set(re.findall(r"\bPgCatalog\w+", text)))
    return text.replace("\nclass ", "".join(f"\n{name}: TypeAlias = Any" for name in unknown) + "\n\n\nclass ", 1)


def formatted(name: str, text: str) -> str:
    if name.endswith(".py"):
        command = [sys.executable, "-m", "ruff", "format", f"--stdin-filename={TARGET / name}", "-"]
    else:
        command = [str(NODE / "prettier"), "--print-width=120", f"--stdin-filepath={name}"]
    return _run(command, ROOT, text)


def _run(command: list[str], folder: str | Path, text: str | None = None) -> str:
    quiet = {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, input=text, env={**os.environ, **quiet}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ForgeError(
            f"{command[0]} is not installed", "Run `make types`, which installs it; it needs Node.js 20 or newer."
        ) from None
    if done.returncode:
        raise ForgeError(f"{Path(command[0]).name} ended with {done.returncode}: {one_line(done.stderr)[-300:]}")
    return done.stdout


# What lies on top -----------------------------------------------------------------------------------------------------


def narrow(connection: psycopg.Connection[Any], terms: Contract) -> dict[str, str]:
    """The layer on top, by file name, from the catalogue of a database."""
    with Session.on(connection, terms.owner) as session:
        catalogue = catalogues.load(session, ["public"], terms.roles)
        tables = {it.name.removeprefix("public."): it for it in catalogue.tables}
        rows = sorted(tables.items())
        writable = {name: _writable(session, relation) for name, relation in rows}
    known = Shapes.load()
    unions = {
        _title(table, column): candidates.domain(relation, relation.columns[column])
        for table, relation in sorted(tables.items())
        for column in _listed(relation)
    }
    environment = _environment(known, unions)
    found: dict[str, Any] = {
        "unions": unions,
        "shapes": known.shapes,
        "narrowed": {name: narrowed for name, it in rows if (narrowed := _for_typescript(name, it, known))},
        "results": known.results,
        "arguments": _nested(known.arguments),
        "writable": {name: commands for name, commands in writable.items() if _is_reached(terms, name)},
        "callable": _callable(terms, catalogue),
        "tables": [_for_python(name, it, known, {**known.shapes, **unions}, writable[name]) for name, it in rows],
    }
    texts = {name: environment.get_template(f"{name}.j2").render(found) for name in WRITTEN}
    return {name: formatted(name, text) if name.endswith(".py") else text for name, text in texts.items()}


def _is_reached(terms: Contract, table: str) -> bool:
    """Whether a signed-in user reaches a table at all."""
    known = terms.tables.get(f"public.{table}")
    return known is not None and any(terms.cells(known, USER, command) for command in contract.COMMANDS)


def _environment(known: Shapes, unions: Mapping[str, object]) -> jinja2.Environment:
    names = {**known.shapes, **unions}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["typescript"] = lambda text: shapes.typescript(text, names)
    environment.filters["python"] = lambda text: shapes.python(text, names)
    return environment


def _title(*words: str) -> str:
    """A name of a type: feedback and feedback_type make FeedbackType."""
    first, *rest = words
    parts = first.split("_") + [part for word in rest for part in word.removeprefix(f"{first}_").split("_")]
    return "".join(part.capitalize() for part in parts)


def _listed(relation: Relation) -> list[str]:
    """The columns of text whose CHECK lists their values."""
    return [
        it.name
        for it in relation.columns.values()
        if it.base_type in candidates.TEXTS and candidates.domain(relation, it)
    ]


def _narrowed(table: str, relation: Relation, known: Shapes) -> dict[str, str]:
    """Columns with a type that says more than the catalogue's."""
    found = {column: _title(table, column) for column in _listed(relation)}
    for place, shape in known.columns.items():
        name, _, column = place.partition(".")
        if name == table:
            if column not in relation.columns:
                raise ForgeError(f"{shapes.PATH.name}: there is no column {place}")
            found[column] = shape
    return found


def _for_typescript(table: str, relation: Relation, known: Shapes) -> dict[str, str]:
    """The same, and what the generator has no word for; null is in it where the table says so."""
    unknown = {it.name: "text" for it in relation.columns.values() if it.base_type == "inet"}
    found = {**unknown, **_narrowed(table, relation, known)}
    return {name: text if relation.columns[name].is_not_null else f"{text} or null" for name, text in found.items()}


def _writable(session: Session, relation: Relation) -> dict[str, list[str]]:
    columns = catalogues.rights(session, USER, relation).columns
    return {command: sorted(columns.get(command, ())) for command in ("insert", "update")}


def _callable(terms: Contract, catalogue: Catalogue) -> list[str]:
    """The public functions that a visitor or a user may call."""
    known = {name.partition("(")[0] for name in catalogue.functions}
    named = {it.name.partition("(")[0] for it in terms.functions if terms.is_for(it, USER)}
    return sorted(name.removeprefix("public.") for name in named & known)


def _nested(places: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for place, text in places.items():
        name, _, argument = place.partition(".")
        found.setdefault(name, {})[argument] = text
    return found


def _for_python(
    table: str, relation: Relation, known: Shapes, names: Mapping[str, object], writable: Mapping[str, list[str]]
) -> dict[str, Any]:
    narrowed = {name: shapes.python(text, names) for name, text in _narrowed(table, relation, known).items()}

    def typed(column: Column, types: Mapping[str, str]) -> str:
        text = narrowed.get(column.name) or types[column.base_type]
        return text if column.is_not_null or text == "Any" else f"{text} | None"

    return {
        "title": _title(table),
        "columns": [(it.name, typed(it, READ)) for _, it in sorted(relation.columns.items())],
        "writable": {
            command: [
                (
                    name,
                    typed(relation.columns[name], WRITTEN_AS),
                    command == "insert" and relation.columns[name].is_required,
                )
                for name in columns
            ]
            for command, columns in writable.items()
        },
    }


# The command ----------------------------------------------------------------------------------------------------------


@click.command("types")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is stale.")
def command(database_url: str | None, check: bool) -> None:
    """Write supabase/types: the database in TypeScript and Python.

    Needs the Supabase CLI and prettier, which `make types` installs.

    \b
    Examples:
      forge-db types            of the local database that `make up` started
      forge-db types --check    what continuous integration asks
    """
    url = database_url or f"{local.url()}?sslmode=disable"  # on this machine, without TLS
    with migrations.connect(url) as connection:
        structure.refuse_others(connection)
        wanted = narrow(connection, contract.load()) | generate(url)
    stale = sorted(name for name, text in wanted.items() if not _same(TARGET / name, text))
    if not stale:
        click.echo(f"{TARGET.relative_to(ROOT)} is up to date")
    elif check:
        raise ForgeError(f"stale: {', '.join(stale)}", "Run `make types` and commit the result.")
    for name in () if check else stale:
        TARGET.mkdir(exist_ok=True)
        (TARGET / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        click.echo(f"wrote supabase/types/{name}")


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


commands: list[click.Command] = [command]
