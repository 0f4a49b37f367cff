"""The command new: a migration, its rollback and its test, from sql/templates/new; and the same in the schema files.

What a new provider or framework changes is found in the schema files: every list of names that holds one of them.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
import jinja2

from forge_db import assemble
from forge_db.errors import ForgeError
from forge_db.paths import ROOT, TEMPLATES
from forge_db.statements import split

# One name of each list. The lists that hold it hold them all.
KNOWN = {"provider": "openai", "framework": "roses"}
LIST = re.compile(r"\bin \(\s*('[a-z_0-9]+'(?:,\s*'[a-z_0-9]+')*)\s*\)")
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
# Where the parts of a new table go.
TABLE_PARTS = {"table.index.sql.j2": 6, "table.access.sql.j2": 7}


class Project(NamedTuple):
    """The folders that a change is written to."""

    root: Path

    @property
    def schema(self) -> Path:
        return self.root / "supabase" / "schema"

    @property
    def migrations(self) -> Path:
        return self.root / "supabase" / "migrations"

    @property
    def rollback(self) -> Path:
        return self.root / "supabase" / "rollback"

    @property
    def tests(self) -> Path:
        return self.root / "tests" / "migrations"

    def source(self, number: int) -> Path:
        (path,) = self.schema.glob(f"{number:02}_*.sql")
        return path


class Change:
    """What one call of the command writes: everything or nothing."""

    def __init__(self, project: Project, title: str) -> None:
        if not NAME.fullmatch(title):
            raise click.UsageError(f"{title!r} is no name for a migration: lowercase letters, digits, underscores")
        self.project = project
        self.title = title
        self.files: dict[Path, str] = {}
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES / "new"),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
        )
        self.environment.filters["literal"] = literal

    def render(self, template: str, **facts: Any) -> str:
        return self.environment.get_template(template).render(title=self.title, **facts)

    def migration(self, kind: str, what: str, *, suffix: str = "", test: bool = True, **facts: Any) -> str:
        """Add a migration and its rollback, with the next version; return the name of the file."""
        version = next_version([*self.project.migrations.glob("*.sql"), *self.files])
        file = f"{version}_{self.title}{suffix}.sql"
        facts |= {"version": version, "file": file, "what": what, "loses": facts.get("loses")}
        self.files[self.project.migrations / file] = self.render(f"{kind}.sql.j2", **facts)
        self.files[self.project.rollback / file] = self.render(f"{kind}.rollback.sql.j2", **facts)
        if test:
            name = f"test_{file.removesuffix('.sql')}.py"
            self.files[self.project.tests / name] = self.render(f"{kind}.test.py.j2", **facts)
        return file

    def read(self, path: Path) -> str:
        return self.files.get(path) or path.read_text(encoding="utf-8")

    def edit(self, path: Path, change: Callable[[str], str]) -> None:
        self.files[path] = change(self.read(path))

    def append(self, number: int, heading: str, sql: str) -> None:
        """A section at the end of a schema file."""
        rule = "-" * max(0, 80 - len(heading) - 4)
        self.edit(self.project.source(number), lambda text: f"{text.rstrip()}\n\n-- {heading} {rule}\n{sql}")

    def write(self) -> Iterator[Path]:
        for path, text in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            yield path
        built = {self.project.migrations / name: it for name, it in assemble.build(self.project.schema).items()}
        built |= {
            self.project.rollback / name: it for name, it in assemble.build_rollbacks(self.project.schema).items()
        }
        for path, text in built.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8", newline="\n")
                yield path


def next_version(taken: list[Path]) -> str:
    """Now, or just after the last one there is: migrations run in the order of their versions."""
    last = max((path.name.partition("_")[0] for path in taken if path.suffix == ".sql"), default="")
    now = datetime.now(UTC)
    if re.fullmatch(r"[0-9]{14}", last):
        try:
            now = max(now, datetime.strptime(last, "%Y%m%d%H%M%S").replace(tzinfo=UTC) + timedelta(seconds=1))
        except (ValueError, OverflowError) as error:
            raise ForgeError(
                f"no time comes after the version {last}", "Rename that migration, here and where it was applied."
            ) from error
    return now.strftime("%Y%m%d%H%M%S")


def is_one_column(data_type: str) -> bool:
    """Whether nothing in it ends the definition of a column, be it the statement or only this part of it."""
    bare = re.sub("'[^']*'|\"[^\"]*\"", "", data_type)
    while (shorter := re.sub(r"\([^()]*\)", "", bare)) != bare:
        bare = shorter
    return not re.search(r"[;\\\n\r]|--|/\*", data_type) and not re.search(r"[,()'\"$]", bare)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# The variants ---------------------------------------------------------------------------------------------------------


def add_table(change: Change, table: str, description: str, number: int) -> None:
    for path in sorted(change.project.schema.glob("*.sql")):
        if re.search(rf"create (table|view|materialized view) (if not exists )?public\.{table}\b", change.read(path)):
            raise ForgeError(f"there is a table {table} already", f"Look in {path}.")
    facts: dict[str, Any] = {"table": table, "description": description, "words": table.replace("_", " ")}
    change.migration("table", f"the table {table}.", loses=table, **facts)
    for template, place in {"table.part.sql.j2": number, **TABLE_PARTS}.items():
        change.append(place, table, change.render(template, **facts))


def add_column(change: Change, table: str, column: str, data_type: str, description: str) -> None:
    facts: dict[str, Any] = {"table": table, "column": column, "type": data_type, "description": description}
    change.migration("column", f"the column {table}.{column}.", loses=f"{table}.{column}", **facts)
    made = re.compile(
        rf"(create table if not exists public\.{table} \(\n.*?\n)(    created_at )"
        rf"(.*?)(comment on column public\.{table}\.created_at is)",
        re.DOTALL,
    )
    for path in sorted(change.project.schema.glob("*.sql")):
        text = change.read(path)
        if (found := made.search(text)) is None:
            continue
        if re.search(rf"^    {column} ", found[1], re.MULTILINE):
            raise ForgeError(f"{table} has a column {column}", f"Look in {path}.")
        comment = change.render("column.comment.sql.j2", **facts)
        new = f"{found[1]}    {column} {data_type},\n{found[2]}{found[3]}{comment}{found[4]}"
        change.files[path] = text[: found.start()] + new + text[found.end() :]
        return
    raise ForgeError(
        f"no schema file makes a table {table} with a column created_at",
        f"Name a table of {change.project.schema}, without its schema: feedback.mood.",
    )


def add_name(change: Change, kind: str, name: str, what: str, **facts: Any) -> None:
    """A provider or a framework: into every list of names, and a row of the seed."""
    lists, functions = _extend_lists(change, kind, name)
    facts |= {"name": name, "lists": lists, "functions": functions}
    first = change.migration(kind, what, **facts)
    change.migration("validate", what, suffix="_validated", test=False, first=first, lists=lists)
    change.append(8, f"{kind} {name}", change.render(f"{kind}.seed.sql.j2", **facts))


def _extend_lists(change: Change, kind: str, name: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Add a name to each list of the schema files that holds the known one; what that changes."""
    lists, functions = [], []
    for path in sorted(change.project.schema.glob("*.sql")):
        before = change.read(path)

        def longer(found: re.Match[str]) -> str:
            if f"'{KNOWN[kind]}'" not in found[1]:
                return found[0]
            if f"'{name}'" in found[1]:
                raise ForgeError(f"there is a {kind} {name} already", "Choose another name.")
            return found[0].replace(found[1], f"{found[1]}, '{name}'")

        after = LIST.sub(longer, before)
        if after == before:
            continue
        change.files[path] = after
        for old, new in zip(split(before), split(after), strict=True):
            if old.code == new.code:
                continue
            if table := re.match(r"create table if not exists (\S+)", old.code):
                pattern = rf"constraint (\w+) check \(\s*(\w+) {LIST.pattern}"
                lists += [
                    {"table": table[1], "name": rule[1], "column": rule[2], "before": rule[3], "after": now[3]}
                    for rule, now in zip(re.finditer(pattern, old.code), re.finditer(pattern, new.code), strict=True)
                    if rule[3] != now[3]
                ]
            elif old.code.startswith("create or replace function"):
                functions.append({"before": old.code, "after": new.code})
            else:
                raise ForgeError(
                    f"{path.name}, line {old.line}: neither a table nor a function lists the {kind}s here",
                    "Write this migration by hand: forge-db new NAME.",
                )
    return lists, functions


# The command ----------------------------------------------------------------------------------------------------------


@click.command("new")
@click.argument("title", metavar="NAME")
@click.option("--table", help="A table of users' own rows, with access for its owner only.")
@click.option("--in", "number", type=click.IntRange(2, 5), default=4, help="The schema file of --table: 2 to 5.")
@click.option("--column", metavar="TABLE.COLUMN", help="A column; needs --type.")
@click.option("--type", "data_type", metavar="TYPE", help="Of --column: 'text', 'boolean not null default false'.")
@click.option("--provider", metavar="NAME", help="An AI provider; needs --base-url.")
@click.option("--base-url", metavar="URL", help="Of --provider: where keys are sent to.")
@click.option("--framework", metavar="NAME", help="A prompt framework; needs --components.")
@click.option("--components", metavar="A,B,C", help="Of --framework, in the order of its letters.")
@click.option("--display-name", metavar="TEXT", help="Of --provider or --framework.")
@click.option("--description", metavar="TEXT", help="What it is for: the comment, or the text of a framework.")
@click.option("--root", type=click.Path(path_type=Path, exists=True), default=ROOT, help="The checkout.")
def command(title: str, root: Path, **options: Any) -> None:
    """Begin a change of the schema: a migration, its rollback and its test.

    Writes supabase/migrations/YYYYMMDDHHMMSS_NAME.sql, the same under supabase/rollback/, and
    tests/migrations/test_*.py; and makes the same change in supabase/schema. Without an option it is an empty frame.
    To write a migration from what you have changed in supabase/schema, see forge-db diff.

    \b
    Examples:
      forge-db new tidy_feedback
      forge-db new bookmarks --table bookmarks --description 'Templates that a user keeps at hand.'
      forge-db new mood --column feedback.mood --type text --description 'How the author feels.'
      forge-db new mistral --provider mistral --base-url https://api.mistral.ai/v1
      forge-db new spark --framework spark --components situation,problem,action,result,key \\
          --description 'For incidents: what happened, what it means, what to do.'
    """
    change = Change(Project(root), title)
    chosen = [it for it in ("table", "column", "provider", "framework") if options[it]]
    if len(chosen) > 1:
        raise click.UsageError("One of --table, --column, --provider and --framework at a time.")
    kind = chosen[0] if chosen else "plain"
    needed = {
        "plain": [],
        "table": ["description"],
        "column": ["data_type", "description"],
        "provider": ["base_url"],
        "framework": ["components", "description"],
    }[kind]
    if missing := [it for it in needed if not options[it]]:
        names = {"data_type": "type", "base_url": "base-url"}
        raise click.UsageError(f"--{kind} needs {', '.join(f'--{names.get(it, it)}' for it in missing)}.")
    _add(change, kind, options)
    for path in change.write():
        click.echo(f"wrote {path.relative_to(root)}")
    if kind == "table":
        click.echo("Say who may do what with it in tests/access_contract.toml: docs/access-testing.md says how.")
    click.echo("Read what was written; then make reset, make docs, make test.")


def _add(change: Change, kind: str, options: dict[str, Any]) -> None:
    value: str = options.get(kind) or ""
    table, _, column = value.rpartition(".") if kind == "column" else ("", "", value)
    for name in (table, column) if kind == "column" else (column,):
        if kind != "plain" and not NAME.fullmatch(name):
            raise click.UsageError(f"--{kind} {value}: lowercase letters, digits and underscores, please")
    if kind == "plain":
        change.migration("plain", f"{change.title.replace('_', ' ')}.")
    elif kind == "table":
        add_table(change, value, options["description"], options["number"])
    elif kind == "column":
        if not is_one_column(options["data_type"]):
            raise click.UsageError("--type: what stands after the name of a column, and nothing that ends it")
        add_column(change, table, column, options["data_type"], options["description"])
    elif kind == "provider":
        shown = options["display_name"] or value.replace("_", " ").title()
        facts = {"display_name": shown, "base_url": options["base_url"]}
        add_name(change, kind, value, f"the AI provider {value}.", **facts)
    else:
        components = [it.strip() for it in options["components"].split(",")]
        if not all(NAME.fullmatch(it) for it in components) or len(set(components)) < len(components):
            raise click.UsageError("--components: names in lowercase letters, each once, separated by commas")
        shown = options["display_name"] or ".".join(value.upper()) + " Framework"
        facts = {"display_name": shown, "description": options["description"], "components": components}
        add_name(change, kind, value, f"the prompt framework {value}.", **facts)


commands: list[click.Command] = [command]
