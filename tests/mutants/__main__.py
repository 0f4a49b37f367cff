"""The command line: make test-mutants."""

import os
import signal
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import click
import psycopg

from forge_db.access.source import nearest
from forge_db.errors import ForgeError
from forge_db.paths import ROOT, STATE
from harness import clusters, databases
from harness.clusters import Cluster
from harness.databases import SUPERUSER
from mutants import baseline, costs, derive, sample, verdict
from mutants.memory import Memory
from mutants.mutant import Kind, Mutant
from mutants.run import Run
from mutants.suite import Suite, collect
from mutants.verdict import Verdict

VERSION = 17
REGIME: databases.Regime = "explicit"
REPORT = STATE / "mutants" / "report.txt"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", "wanted", multiple=True, metavar="WORD",
    help="Only mutants of this kind, or with this in their name (repeatable: any of them).",
)  # fmt: skip
@click.option("--skip", multiple=True, metavar="WORD", help="Not those with this in their name (repeatable).")
@click.option("--sample", "size", type=click.IntRange(1), metavar="N", help="Only so many, drawn from every kind.")
@click.option("--seed", metavar="WORD", help="Which sample. Default: one for each state of the schema.")
@click.option(
    "--resume", is_flag=True, help="Not those that were noticed before, where nothing that matters has changed."
)
@click.option("--write-killers", is_flag=True, help="Write down which tests to ask first (tests/mutants/killers.toml).")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="How many at a time.")
@click.option("--list", "listing", is_flag=True, help="Name the mutants and try none.")
@click.option("--report", type=click.Path(path_type=Path), default=REPORT, help="Where every mutant's fate is written.")
def main(
    wanted: Sequence[str],
    skip: Sequence[str],
    size: int | None,
    seed: str | None,
    resume: bool,
    write_killers: bool,
    jobs: int,
    listing: bool,
    report: Path,
) -> None:
    """Break one thing at a time in a copy of the database, and see whether a test notices.

    Exit status: 0 every mutant was noticed or is accepted in tests/mutants/equivalent.toml, 1 not so, 2 called wrongly.

    \b
    Examples:
      make test-mutants                                            all of them
      make test-mutants ARGS="--only public.feedback:"             one table's
      make test-mutants ARGS="--only 'render_text' --list"         the names of one function's
      make test-mutants ARGS="--sample 60"                         some of every kind, in about a minute
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that nothing of a run outlives it
    entries = verdict.accepted()
    cluster = _cluster()
    try:
        platform = databases.prepare(cluster, REGIME)
        with psycopg.connect(cluster.server.url(SUPERUSER, platform.template_dbname)) as connection:
            every = derive.mutants(connection)
        kept = [it for it in every if not any(word.lower() in it.name.lower() for word in skip)]
        chosen = _chosen(kept, wanted, size, seed or platform.template_dbname)
        if listing:
            for mutant in chosen:
                click.echo(f"{mutant.name}")
            return
        started, spent, done = time.monotonic(), costs.seconds(cluster.server), []

        def work(suite: Suite) -> None:
            if not suite.broken:
                report.unlink(missing_ok=True)
                memory = Memory(baseline.stands_on(platform), baseline.modules())
                run = Run(suite, platform, jobs, entries, report, memory)
                done.extend(run.resumed(chosen) if resume else [])
                known = {it.mutant.name for it in done}
                left = [it for it in chosen if it.name not in known]
                done.extend(run.whole(left) if size is None else run.quick(left))
                if write_killers:
                    memory.write_first({it.name: it for it in every})

        suite = collect(work, ROOT / "tests", platform.name)
        if suite.broken:
            raise ForgeError(f"tests that cannot be collected: {'; '.join(suite.broken)}", "See `make test`.")
        if len(done) != len(chosen):
            raise ForgeError(f"{len(chosen) - len(done)} mutants were not tried", "See `make test`.")
        seconds = time.monotonic() - started
        took = f"{seconds:.0f} s, {costs.seconds(cluster.server) - spent:.0f} s of processor time"
    finally:
        cluster.release()
    _conclude(done, entries, [it.name for it in every], report, took)


def _cluster() -> Cluster:
    found = {it.version: it for it in clusters.installed()}
    if VERSION not in found:
        raise ForgeError(f"no PostgreSQL {VERSION} to test on", "Run `make install`, or set FORGE_PG_BIN.")
    cluster = Cluster(found[VERSION])
    cluster.acquire(databases.sweep)
    return cluster


def _chosen(every: list[Mutant], wanted: Collection[str], size: int | None, seed: str) -> list[Mutant]:
    kinds = {str(it).lower() for it in Kind}

    def has(mutant: Mutant, word: str) -> bool:
        if word.lower() in kinds:
            return word.lower() == mutant.kind
        return word.lower() in mutant.name.lower()

    for word in wanted:
        if not any(has(mutant, word) for mutant in every):
            known = sorted({it.subject for it in every} | {str(it) for it in Kind})
            raise click.UsageError(f"--only: no mutant has {word!r} in its name. {nearest(word, known)}")
    chosen = [it for it in every if not wanted or any(has(it, word) for word in wanted)]
    return chosen if size is None else sample.draw(chosen, size, seed)


def _conclude(done: list[Verdict], entries: dict[str, str], every: list[str], report: Path, took: str) -> None:
    report.write_text(verdict.by_name(done, entries), encoding="utf-8")
    click.echo(verdict.table(done, entries))
    alive = verdict.survivors(done, entries)
    errors = [it for it in done if it.error]
    objections = verdict.objections(entries, every, done)
    for it in alive:
        click.echo(f"\nsurvived  {it.mutant.name}\n    {_short(it.mutant)}")
    for it in errors:
        click.echo(f"\nerror     {it.mutant.name}\n    {it.error}")
    for text in objections:
        click.echo(f"\n{verdict.ACCEPTED.name} {text}")
    noticed = sum(bool(it.by) for it in done)
    click.echo(f"\n{noticed} of {len(done)} mutants noticed in {took}; by name in {report}")
    if alive or errors or objections:
        raise ForgeError(
            f"{len(alive)} survived, {len(errors)} errors, {len(objections)} objections",
            'docs/access-testing.md, "Read a survivor", says what to do.',
        )


def _short(mutant: Mutant) -> str:
    text = " ".join(mutant.statement.split())
    return text if len(text) <= 200 else f"{text[:199]}…"


if __name__ == "__main__":
    main(prog_name="make test-mutants")
