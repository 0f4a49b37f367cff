"""The command forge-db bench."""

import inspect
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from forge_db import paths
from forge_db.bench import cluster as clusters
from forge_db.bench import document as documents
from forge_db.bench import growth, machine
from forge_db.bench.cluster import Cluster
from forge_db.bench.comparison import compare, stage_for, workloads
from forge_db.bench.kept import digest
from forge_db.bench.results import Result
from forge_db.bench.sizes import FULL, QUICK, Size
from forge_db.bench.special import SPECIAL
from forge_db.errors import ForgeError


@click.command("bench")
@click.option(
    "--quick", is_flag=True, help="Little data and one short round, to see that everything runs; never fails."
)
@click.option("--only", multiple=True, metavar="NAME", help="Only this workload (repeatable), measured anew.")
@click.option("--users", type=click.IntRange(min=10), metavar="N", help=f"Accounts. Default: {FULL.users:,}.")
@click.option(
    "--prompts", type=click.IntRange(min=100), metavar="N", help=f"In the history. Default: {FULL.prompts:,}."
)
@click.option("--calls", type=click.IntRange(min=100), metavar="N", help=f"Logged. Default: {FULL.logged:,}.")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N", help=f"Default: {FULL.rounds}.")
@click.option(
    "--seconds", type=click.IntRange(min=1), metavar="N", help=f"A round's, for each side. Default: {FULL.seconds}."
)
@click.option(
    "--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write every measurement there as well."
)
@click.option("--fresh", is_flag=True, help="Throw away what an interrupted run has loaded and measured.")
@click.option("--undo", metavar="NAME", help="Undo a design of sql/bench/designs.toml, and see the bars on it fail.")
@click.option(
    "--document", is_flag=True, help="Write docs/benchmarks.* whatever the size. Default: in the default size."
)
@click.option("--redraw", is_flag=True, help="Only write docs/benchmarks.md anew, from docs/benchmarks.json.")
def command(
    quick: bool,
    only: tuple[str, ...],
    file: Path | None,
    fresh: bool,
    undo: str | None,
    document: bool,
    redraw: bool,
    **sizes: int | None,
) -> None:
    """Measure the schema against its baselines, on a server of its own with durability on.

    A run that is interrupted goes on where it was when it is called again. A run of everything, in the default size,
    writes docs/benchmarks.md. Exit status 1 when a bar does not hold. Close other programs first: they take part in the
    measurement.

    \b
    Examples:
      forge-db bench --quick
      forge-db bench --only search_rare --only search_common
      forge-db bench --prompts 200000 --calls 500000 --json results.json
      forge-db bench --undo no_composite_index
    """
    if redraw:
        tell(documents.write(documents.read()))
        return
    if undo:
        see_fail(undo, chosen(QUICK if quick else FULL, sizes))
        return
    names = every()
    if unknown := sorted(set(only) - set(names)):
        raise click.UsageError(f"there is no workload {', '.join(unknown)}; there is {', '.join(names)}")
    size = chosen(QUICK if quick else FULL, sizes)
    wanted = [name for name in names if not only or name in only]
    with clusters.running(size, fresh=fresh) as cluster:
        results = [result for name in wanted for result in measure(cluster, name, anew=name in only)]
        found = {
            "made": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine.describe(cluster),
            "size": asdict(size),
            "results": [asdict(result) for result in results],
        }
        show(results)
        if file:
            file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if document or (size == FULL and not only):
            tell(documents.write(found))
        cluster.is_done = not only  # and all of it written down
    if not quick and not all(result.holds for result in results):
        raise ForgeError("a bar does not hold", "Run it again on a quiet machine before believing it.")


def tell(written: Sequence[Path]) -> None:
    for path in written:
        click.echo(f"wrote {path.relative_to(paths.ROOT)}", err=True)


def see_fail(name: str, size: Size) -> None:
    """Measure what rests on a design without it. It is a failure if a bar still holds."""
    designs = {design: it for design, it in documents.designs().items() if it["workloads"]}
    if name not in designs:
        raise click.UsageError(f"there is no such design with a workload; there is {', '.join(designs)}")
    with clusters.running(size, undo=designs[name]["undo"]) as cluster:
        results = [result for workload in designs[name]["workloads"] for result in _measure(cluster, workload)]
    show(results)
    if holding := [result.name for result in results if result.holds]:
        raise ForgeError(f"without it, {', '.join(holding)} still holds", "The bar says nothing about this design.")


def every() -> list[str]:
    """The names of all measurements, in the order in which they are made."""
    return [*SPECIAL, *workloads(), *growth.names()]


def chosen(size: Size, given: dict[str, int | None]) -> Size:
    names = {"calls": "logged"}
    changes: dict[str, Any] = {names.get(name, name): value for name, value in given.items() if value is not None}
    return replace(size, **changes)


def measure(cluster: Cluster, name: str, *, anew: bool) -> Sequence[Result]:
    """The lines of one measurement; those of an earlier run, if it measured the same and was not asked for by name."""
    key = digest(name, *source(name), cluster.small_key, cluster.large_key, cluster.size)
    found = None if anew else cluster.kept.get(key)
    if found is None:
        click.echo(f"measuring {name}", err=True)
        found = {"results": [asdict(result) for result in _measure(cluster, name)]}
        cluster.kept.put(key, found)
    return [Result(**result) for result in found["results"]]


def _measure(cluster: Cluster, name: str) -> list[Result]:
    if name in growth.names():
        return list(growth.measure(name, cluster))
    if name in SPECIAL:
        with cluster.apart(name) as stage:
            return list(SPECIAL[name](stage))
    workload = workloads()[name]
    return [compare(stage_for(cluster, workload), name, workload)]


def source(name: str) -> tuple[object, ...]:
    """What a measurement follows from, beside the data."""
    if name in growth.names():
        return (sorted(growth.workloads().get(name, {}).items()), inspect.getsource(growth))
    if name in SPECIAL:
        return (inspect.getsource(sys.modules[SPECIAL[name].__module__]),)
    return (sorted(workloads()[name].items()),)


def show(results: Sequence[Result]) -> None:
    columns = [("workload", "ours", "baseline", "ratio", "bar", "verdict")]
    columns += [(it.name, it.ours, it.baseline, it.ratio, it.bar, "holds" if it.holds else "FAILS") for it in results]
    widths = [max(len(row[column]) for row in columns) for column in range(6)]
    for row in columns:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    click.echo()
    for result in results:
        click.echo(f"{result.name}: {result.what}")
