"""docs/access_matrix.md and .html: who may do what, as it was observed. Every square is a statement that was tried."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import jinja2
import psycopg

from forge_db import local, migrations
from forge_db.access import contract, grid, prober, routines
from forge_db.access.contract import COMMANDS, Contract
from forge_db.access.grid import Access, Sheet, Square
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError
from forge_db.paths import ROOT

DOCS = ROOT / "docs"
PAGES = ("access_matrix.md", "access_matrix.html")


def render(connection: psycopg.Connection[Any], terms: Contract) -> dict[str, str]:
    """The pages, by file name, for what a database does."""
    found = observe(connection, terms)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"words": words, "notes": notes}
    return {page: environment.get_template(f"{page}.j2").render(found) for page in PAGES}


def observe(connection: psycopg.Connection[Any], terms: Contract) -> dict[str, Any]:
    """What is on the pages: sheets, calls, roles, commands. Nothing of the probing remains in the database."""
    with Stage.on(connection, terms) as stage:
        for table in terms.tables.values():
            stage.relation(table)  # or the error says which name is wrong, and on which line
        for case in (it for it in prober.cases(terms) if it.subject in terms.tables):
            if untried := [it for it in case.run(stage).failures if it.what == prober.UNTRIED]:
                raise ForgeError(f"{case.name} could not be tried: {untried[0].observed}", "Run `make test-rls`.")
        for role in grid.roles(stage):
            list(routines.permissions(stage, role))
        return {
            "sheets": grid.sheets(stage, stage.observed),
            "calls": grid.calls(stage.observed),
            "roles": grid.roles(stage),
            "commands": COMMANDS,
        }


def words(squares: Sequence[Square]) -> str:
    """One role's squares in a cell of a Markdown table: what it may do; with an asterisk, on some columns."""
    if all(it.access is Access.NONE for it in squares):
        return "–"
    marks = {Access.ALL: "", Access.SOME: "\\*"}
    return ", ".join(f"{it.command}{marks[it.access]}" for it in squares if it.access in marks) or "nothing"


def notes(sheet: Sheet) -> list[str]:
    """What the asterisks of a table mean: each list of columns once, with those who have it."""
    found: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for line in sheet.lines:
        for it in line.squares:
            if it.access is Access.SOME:
                found.setdefault((it.command, it.columns), {})[f"{it.role} ({line.label})"] = None
    return [f"{command}\\* by {', '.join(who)}: {', '.join(columns)}" for (command, columns), who in found.items()]


@click.command("matrix")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option("--check", is_flag=True, help="Write nothing; show the difference and exit 1 if the pages are stale.")
def command(database_url: str | None, check: bool) -> None:
    """Write docs/access_matrix.md and .html from what roles can do when they try.

    Rows are made for it, and everything is rolled back; meanwhile the tables are locked.

    \b
    Examples:
      forge-db matrix            try it on the local database that `make up` started
      forge-db matrix --check    what continuous integration runs
    """
    with migrations.connect(database_url or local.url()) as connection:
        pages = render(connection, contract.load())
    stale = [page for page, text in pages.items() if not same(DOCS / page, text)]
    if not stale:
        click.echo(f"{' and '.join(PAGES)} are up to date")
    elif check:
        click.echo("\n".join(difference(DOCS / PAGES[0], pages[PAGES[0]])))
        raise ForgeError(f"stale: {', '.join(stale)}", "Look at the difference; if it is meant, run `forge-db matrix`.")
    else:
        for page in stale:
            (DOCS / page).write_text(pages[page], encoding="utf-8", newline="\n")
            click.echo(f"wrote docs/{page}")


def same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def difference(path: Path, text: str) -> list[str]:
    """The squares that changed, as lines of the Markdown page."""
    current = path.read_text(encoding="utf-8") if path.exists() else ""
    return list(
        difflib.unified_diff(current.splitlines(), text.splitlines(), "as it is", "as observed", n=1, lineterm="")
    )


commands: list[click.Command] = [command]
