"""The command forge-db bench."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from forge_db.bench.comparison import compare, workloads
from forge_db.bench.results import Result
from forge_db.bench.sizes import FULL, QUICK
from forge_db.bench.special import SPECIAL
from forge_db.bench.stage import running
from forge_db.errors import ForgeError


@click.command("bench")
@click.option("--quick", is_flag=True, help="Little data and short rounds, to see that everything runs; never fails.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this workload (repeatable).")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every measurement there as well.")
def command(quick: bool, only: tuple[str, ...], file: Path | None) -> None:
    """Measure the schema against its baselines, on a server of its own with durability on.

    Exit status 1 when a bar does not hold. Close other programs first: they take part in the measurement.

    \b
    Examples:
      forge-db bench --quick
      forge-db bench --only search_rare --only search_common
      forge-db bench --json results.json
    """
    compared = workloads()
    names = [*SPECIAL, *compared]
    if unknown := set(only) - set(names):
        raise click.UsageError(f"there is no workload {', '.join(sorted(unknown))}; there is {', '.join(names)}")
    results: list[Result] = []
    with running(QUICK if quick else FULL) as stage:
        for name in names:
            if only and name not in only:
                continue
            click.echo(f"measuring {name}", err=True)
            if name in SPECIAL:
                results.extend(SPECIAL[name](stage))
            else:
                stage.load(compared[name]["needs"])
                results.append(compare(stage, name, compared[name]))
    _show(results)
    if file:
        file.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n", encoding="utf-8")
    if not quick and not all(result.holds for result in results):
        raise ForgeError("a bar does not hold", "Run it again on a quiet machine before believing it.")


def _show(results: list[Result]) -> None:
    columns = [("workload", "ours", "baseline", "ratio", "bar", "verdict")]
    columns += [(it.name, it.ours, it.baseline, it.ratio, it.bar, "holds" if it.holds else "FAILS") for it in results]
    widths = [max(len(row[column]) for row in columns) for column in range(6)]
    for row in columns:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    click.echo()
    for result in results:
        click.echo(f"{result.name}: {result.what}")
