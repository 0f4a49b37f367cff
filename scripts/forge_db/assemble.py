"""The assembler: numbered schema files in, migrations out. Pure text, no database."""

import difflib
import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import click
import jinja2

from forge_db import rollback
from forge_db.errors import ForgeError
from forge_db.paths import MIGRATIONS, SCHEMA, TEMPLATES
from forge_db.statements import split, tokens

# Which schema files make which migration. Its template has the same name plus .j2.
PLAN = {"000_initial_schema.sql": range(1, 8), "001_seed_data.sql": range(8, 9)}


class Source(NamedTuple):
    """A schema file: NN_name.sql."""

    number: int
    name: str
    sql: str


def build(schema_dir: Path = SCHEMA, templates_dir: Path = TEMPLATES) -> dict[str, str]:
    """Return the text of each migration by file name."""
    sources = read_sources(schema_dir)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    migrations = {}
    for name, numbers in PLAN.items():
        parts = [source for source in sources if source.number in numbers]
        digest = hashlib.sha256("".join(part.sql for part in parts).encode()).hexdigest()
        try:
            template = environment.get_template(f"{name}.j2")
            # SQL goes in as a value: braces in it mean nothing to Jinja.
            migrations[name] = template.render(name=name, sources=parts, digest=digest)
        except jinja2.TemplateError as error:
            raise ForgeError(f"template {name}.j2: {error}", f"Mend it in {templates_dir}.") from error
    return migrations


def build_rollbacks(schema_dir: Path = SCHEMA) -> dict[str, str]:
    """Return the text of the way back from each migration, by file name. Judges no source: build() does."""
    files = {int(path.name[:2]): path for path in schema_dir.glob("[0-9][0-9]_*.sql")}
    return rollback.build(
        {name: "\n".join(files[it].read_text(encoding="utf-8") for it in numbers) for name, numbers in PLAN.items()}
    )


def read_sources(folder: Path) -> list[Source]:
    """Read every schema file in order. Each number the plan needs must be there once, and no other."""
    sources = sorted(read_source(path) for path in folder.glob("*.sql"))
    hint = f"The files in {folder} are numbered 01, 02, 03 and so on: the number is the order in which they run."
    for one, other in pairwise(sources):
        if one.number == other.number:
            raise ForgeError(f"two schema files are numbered {one.number:02}: {one.name} and {other.name}", hint)
    needed = {number for numbers in PLAN.values() for number in numbers}
    if missing := sorted(needed - {source.number for source in sources}):
        raise ForgeError(f"no schema file is numbered {', '.join(f'{number:02}' for number in missing)}", hint)
    for source in sources:
        if source.number not in needed:
            raise ForgeError(f"{source.name} belongs to no migration", "Add its number to PLAN in assemble.py.")
    return sources


def read_source(path: Path) -> Source:
    match = re.fullmatch(r"([0-9]{2})_[a-z0-9_]+\.sql", path.name)
    if match is None:
        raise ForgeError(f"{path.name} is not named like 01_name.sql", f"Rename it, or move it out of {path.parent}.")
    try:
        sql = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"
        raise ForgeError(f"cannot read {path.name}: {reason}", f"Check the file in {path.parent}.") from error
    check_source(path.name, sql)
    return Source(int(match[1]), path.name, sql)


def check_source(name: str, sql: str) -> None:
    """Refuse what would not survive being one part of a file that runs as one transaction."""

    def refuse(line: int, what: str, hint: str) -> NoReturn:
        raise ForgeError(f"{name}, line {line}: {what}", hint)

    for kind, start, end in tokens(sql):
        if kind == "meta":
            line = 1 + sql.count("\n", 0, start)
            refuse(line, f"psql meta-command {sql[start:end]}", "Write SQL: only psql knows it.")
    statements = [statement for statement in split(sql) if statement.code]
    if not statements:
        refuse(1, "no statement", "Write one: a schema file has a job.")
    for statement in statements:
        if statement.controls_transaction:
            refuse(statement.line, "transaction control", "Remove it: whoever runs the file makes it one transaction.")
        if statement.runs_alone:
            refuse(statement.line, "this cannot run in a transaction", "Put it in a migration of its own.")
        if not statement.terminated:
            refuse(statement.line, "a statement without an end", "End it with a semicolon: the next file follows it.")


@click.command("build")
@click.option("--check", is_flag=True, help="Write nothing; show the difference and exit 1 if a migration is stale.")
@click.option("--schema", type=click.Path(path_type=Path), default=SCHEMA, help="Folder of schema files.")
@click.option("--migrations", type=click.Path(path_type=Path), default=MIGRATIONS, help="Folder to write to.")
def command(check: bool, schema: Path, migrations: Path) -> None:
    """Assemble the migrations from the schema files.

    \b
    Examples:
      forge-db build            write 000_initial_schema.sql and 001_seed_data.sql
      forge-db build --check    what continuous integration runs
    """
    stale = []
    made = {migrations / name: text for name, text in build(schema).items()}
    made |= {migrations.parent / "rollback" / name: text for name, text in build_rollbacks(schema).items()}
    for target, wanted in made.items():
        name = target.name if target.parent == migrations else f"rollback/{target.name}"
        current = target.read_text(encoding="utf-8") if target.exists() else ""
        if wanted == current:
            click.echo(f"{name} is up to date")
        elif check:
            stale.append(name)
            lines = difflib.unified_diff(
                current.splitlines(), wanted.splitlines(), f"{name} as it is", f"{name} as built", lineterm=""
            )
            click.echo("\n".join(lines))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted, encoding="utf-8", newline="\n")
            click.echo(f"wrote {target}")
    if stale:
        raise ForgeError(f"stale: {', '.join(stale)}", "Run `make build-migrations` and commit the result.")


commands: list[click.Command] = [command]
