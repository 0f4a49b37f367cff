"""docs/diagrams.md and docs/diagrams/: the tables and what they are to each other, drawn from a migrated database."""

from pathlib import Path

import click
import jinja2

from forge_db import local, migrations, structure
from forge_db.diagrams import drawing, model
from forge_db.diagrams.model import COMMANDS, ROLES, Grant, Model
from forge_db.errors import ForgeError
from forge_db.paths import ROOT

DOCS = ROOT / "docs"
PAGE = "diagrams.md"


def render(found: Model) -> dict[str, str]:
    """Every file, by its path in docs/."""
    pictures = {"overall": drawing.overall(found)} | {it.slug: drawing.domain(found, it) for it in found.domains}
    return {PAGE: page(found)} | {f"diagrams/{name}.svg": text for name, text in pictures.items()}


def page(found: Model) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"identifier": identifier, "word": word, "bare": bare, "letters": letters}
    text = environment.get_template(f"{PAGE}.j2").render(model=found, roles=ROLES.values(), hues=drawing.HUES)
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(lines).rstrip() + "\n"


def identifier(name: str) -> str:
    """A table in Mermaid, where a dot would end the name."""
    return bare(name).replace(".", "_")


def bare(name: str) -> str:
    return name.removeprefix("public.")


def word(data_type: str) -> str:
    """A type in Mermaid, which takes no spaces and no commas."""
    return data_type.partition("(")[0].replace(" ", "_")


def letters(grant: Grant) -> str:
    """What a role may do, in a cell of a Markdown table."""
    held = (name[0].upper() + "\\*" * (name in grant.partial) for name in COMMANDS if name in grant.commands)
    return " ".join(held) or "–"


@click.command("diagrams")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is stale, missing or too much.")
def command(database_url: str | None, check: bool) -> None:
    """Draw docs/diagrams.md and docs/diagrams/*.svg from the catalogue: one diagram for each subject, and one of all.

    \b
    Examples:
      forge-db diagrams            draw the local database that `make up` started
      forge-db diagrams --check    what continuous integration runs
    """
    with migrations.connect(database_url or local.url()) as connection:
        structure.refuse_others(connection)
        files = render(model.read(connection))
    stale, spare = differing(files), unknown(files)
    if not stale and not spare:
        click.echo("the diagrams are up to date")
    elif check:
        names = sorted([*stale, *(path.relative_to(DOCS).as_posix() for path in spare)])
        raise ForgeError(f"stale: {', '.join(names)}", "Run `make docs` and commit the result.")
    else:
        for name in stale:
            (DOCS / name).write_text(files[name], encoding="utf-8", newline="\n")
            click.echo(f"wrote docs/{name}")
        for path in spare:
            path.unlink()
            click.echo(f"removed docs/{path.relative_to(DOCS).as_posix()}")


def differing(files: dict[str, str]) -> list[str]:
    """Those that are not as they should be."""
    return [
        name
        for name, text in files.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    ]


def unknown(files: dict[str, str]) -> list[Path]:
    """Pictures of what is no more."""
    return sorted(set((DOCS / "diagrams").glob("*.svg")) - {DOCS / name for name in files})


commands: list[click.Command] = [command]
