"""The report: one HTML file about a database, to be read anywhere. What it tells is gathered in facts.py."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import jinja2
import psycopg
from markupsafe import Markup

from forge_db import local, migrations, paths
from forge_db.access.contract import COMMANDS
from forge_db.diagrams import drawing
from forge_db.diagrams.model import Model
from forge_db.errors import shown
from forge_db.report import charts, facts
from forge_db.report.facts import Row

DOCS = paths.ROOT / "docs"
SECTIONS = {
    "overview": "Overview",
    "diagrams": "Diagrams",
    "tables": "Tables",
    "functions": "Functions",
    "access": "Who may do what",
    "checks": "Checks",
    "sizes": "Sizes and growth",
    "indexes": "Index use",
    "usage": "Usage and cost",
    "benchmarks": "Benchmarks",
}


def render(connection: psycopg.Connection[Any], *, try_access: bool = False, bench: Path | None = None) -> str:
    """The page about the database that a connection leads to."""
    # Read first: trying leaves dead rows behind, which the health check would find.
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        found = facts.read(connection)
    return page(found, facts.observe(connection) if try_access else facts.Access(), bench)


def page(found: Row, tried: facts.Access, bench: Path | None) -> str:
    found["bench"] = facts.benchmark(bench) if bench else []
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"octets": octets, "figure": figure, "pairs": pairs}
    return environment.get_template("report/page.html.j2").render(
        **found,
        sections=SECTIONS.items(),
        tried=tried,
        commands=COMMANDS,
        drawings=drawings(found["model"]),
        charts=pictures(found),
        hues=drawing.HUES,
        hues_on_dark=drawing.HUES_ON_DARK,
        style=source("style.css"),
        dark_colours=source("dark.css"),
        script=source("page.js"),
    )


def source(name: str) -> Markup:
    return Markup((DOCS / "report" / name).read_text(encoding="utf-8"))


def drawings(model: Model) -> list[tuple[str, str, Markup]]:
    """Every diagram, its names leading to the descriptions on the page."""
    whole = ("all", "The whole database", Markup(drawing.overall(model, "#table-")))
    return [whole, *((it.slug, it.title, Markup(drawing.domain(model, it, "#table-"))) for it in model.domains)]


def pictures(found: Row) -> Row:
    """The charts by section; none where there is nothing to draw."""
    largest = found["sizes"][:15]
    used = [it for it in found["indexes"] if it["scans"]][:20]
    measured = sorted((it for it in found["bench"] if it["margin"]), key=lambda it: it["margin"], reverse=True)
    drawn: Row = {
        "sizes": charts.bars(
            [it["table_name"] for it in largest],
            {"rows": [it["heap_bytes"] for it in largest], "indexes": [it["index_bytes"] for it in largest]},
            unit="B",
        ),
        "growth": None,
        "indexes": None,
        "usage": usage(found["usage"]),
        "bench": None,
    }
    if len(found["growth"]) > 1:
        days = [it["day"] for it in found["growth"]]
        series = {name: [it[f"{key}_bytes"] for it in found["growth"]] for name, key in
                  (("rows", "heap"), ("indexes", "index"))}  # fmt: skip
        drawn["growth"] = charts.over_time(days, series, unit="B")
    if used:
        drawn["indexes"] = charts.bars([it["index_name"] for it in used], {"scans": [it["scans"] for it in used]})
    if measured:
        drawn["bench"] = charts.times([it["name"] for it in measured], [it["margin"] for it in measured])
    return drawn


def usage(days: Sequence[Row]) -> list[tuple[str, Markup]]:
    """A chart for each kind of figure that there is."""
    began = next(
        (place for place, it in enumerate(days) if it["requests"] or it["prompts"] or it["active_users"]), None
    )
    if began is None:
        return []
    shown = days[max(0, began - 1) :]
    kinds = (
        ("Requests and errors by day", {"requests": "requests", "errors": "errors"}, ""),
        ("Active users and sign-ins by day", {"active users": "active_users", "sign-ins": "sign_ins"}, ""),
        ("Prompts by day", {"prompts": "prompts", "failed": "failed"}, ""),
        ("Tokens by day", {"tokens": "tokens_used"}, ""),
        ("Cost by day, in US dollars", {"cost": "cost_usd"}, "$"),
    )
    drawn = []
    for caption, series, unit in kinds:
        if any(it[key] for it in shown for key in series.values()):
            lines = {name: [it[key] for it in shown] for name, key in series.items()}
            drawn.append((caption, charts.over_time([it["day"] for it in shown], lines, unit)))
    return drawn


def octets(value: int | None) -> str:
    return "" if value is None else charts.octets(value)


def figure(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def pairs(rows: Sequence[Row], first: str, *others: str) -> list[tuple[Any, list[Any]]]:
    """Rows of a table on the page: the name, then the rest."""
    return [(row[first], [row[name] for name in others]) for row in rows]


@click.command("report")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option(
    "--try-access/--no-try-access",
    default=None,
    help="Try every statement as every role: makes rows, locks the tables for some seconds, and rolls it all back. "
    "Default: on the project's own local database only.",
)
@click.option(
    "--bench",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measurements of `forge-db bench --json`.",
)
def command(file: Path, database_url: str | None, try_access: bool | None, bench: Path | None) -> None:
    """Write a report on a database: one HTML file that needs nothing else.

    Diagrams, tables, functions, who may do what, checks, sizes, indexes, usage and cost, benchmarks. What people have
    stored is not in it. Unless access is tried, it writes nothing, and can be asked of a read replica.

    \b
    Examples:
      forge-db report report.html
      forge-db report --bench bench.json report.html
      forge-db report --database-url postgresql://postgres:PASSWORD@HOST:5432/postgres report.html
    """
    if try_access is None:
        try_access = not database_url and not os.environ.get("FORGE_DATABASE_URL")
    with migrations.connect(database_url or local.url()) as connection:
        text = render(connection, try_access=try_access, bench=bench)
    file.write_text(text, encoding="utf-8", newline="\n")
    click.echo(f"wrote {file}, {len(text.encode()) / 1e6:.1f} MB")


commands: list[click.Command] = [command]
