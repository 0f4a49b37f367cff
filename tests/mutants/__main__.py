"""The command line: make test-mutants."""

import os
import random
import signal
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import click
import psycopg

from forge_db import access
from forge_db.access.source import nearest
from forge_db.errors import ForgeError
from forge_db.paths import ROOT, STATE
from harness import clusters, databases
from harness.clusters import Cluster
from harness.databases import SUPERUSER
from mutants import baseline, bench, derive, verdict
from mutants.killers import Kill, Killers
from mutants.mutant import Kind, Mutant
from mutants.suite import Copy, Suite, collect
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
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only so many, drawn from every kind.")
@click.option("--seed", type=int, default=0, help="Which sample. Default: the day's.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="How many at a time.")
@click.option("--list", "listing", is_flag=True, help="Name the mutants and try none.")
@click.option("--report", type=click.Path(path_type=Path), default=REPORT, help="Where every mutant's fate is written.")
def main(
    wanted: Sequence[str], skip: Sequence[str], sample: int | None, seed: int, jobs: int, listing: bool, report: Path
) -> None:
    """Break one thing at a time in a copy of the database, and see whether a test notices.

    Exit status: 0 every mutant was noticed or is accepted in tests/mutants/equivalent.toml, 1 not so, 2 called wrongly.

    \b
    Examples:
      make test-mutants                                            all of them
      make test-mutants ARGS="--only public.feedback:"             one table's
      make test-mutants ARGS="--only 'render_text' --list"         the names of one function's
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing of a run outlives it
    entries = verdict.accepted()
    cluster = _cluster()
    try:
        platform = databases.prepare(cluster, REGIME)
        with psycopg.connect(cluster.server.url(SUPERUSER, platform.template_dbname)) as connection:
            every = derive.mutants(connection)
        kept = [it for it in every if not any(word.lower() in it.name.lower() for word in skip)]
        chosen = _chosen(kept, wanted, sample, seed or int(time.time() // 86400))
        if listing:
            for mutant in chosen:
                click.echo(f"{mutant.name}")
            return
        started, done = time.monotonic(), []

        def work(suite: Suite) -> None:
            done.extend(_try_all(suite, chosen, platform, jobs, entries, report))

        suite = collect(work, ROOT / "tests", platform.name)
        if suite.broken:
            raise ForgeError(f"tests that cannot be collected: {'; '.join(suite.broken)}", "See `make test`.")
        if len(done) != len(chosen):
            raise ForgeError(f"{len(chosen) - len(done)} mutants were not tried", "See `make test`.")
    finally:
        cluster.release()
    _conclude(done, entries, [it.name for it in every], report, time.monotonic() - started)


def _cluster() -> Cluster:
    found = {it.version: it for it in clusters.installed()}
    if VERSION not in found:
        raise ForgeError(f"no PostgreSQL {VERSION} to test on", "Run `make install`, or set FORGE_PG_BIN.")
    cluster = Cluster(found[VERSION])
    cluster.acquire(databases.sweep)
    return cluster


def _chosen(every: list[Mutant], wanted: Collection[str], sample: int | None, seed: int) -> list[Mutant]:
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
    if sample is not None and sample < len(chosen):
        # Of each kind the same share, and at least one, or the many column grants would be most of it.
        drawn = random.Random(seed)
        pools = [drawn.sample(of_kind, len(of_kind)) for kind in Kind if (of_kind := _of(kind, chosen))]
        taken: list[Mutant] = []
        while len(taken) < sample:
            for pool in pools:
                if pool and len(taken) < sample:
                    taken.append(pool.pop())
        chosen = taken
    return chosen


def _of(kind: Kind, mutants: Sequence[Mutant]) -> list[Mutant]:
    return [it for it in mutants if it.kind is kind]


def _try_all(
    suite: Suite,
    chosen: Sequence[Mutant],
    platform: databases.Platform,
    jobs: int,
    entries: dict[str, str],
    report: Path,
) -> list[Verdict]:
    if suite.broken:
        return []
    contract = access.load()
    with click.progressbar(length=1, label="Unbroken", file=sys.stderr, show_eta=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = of
            bar.update(1 if done <= of else 0)

        records, failed = baseline.establish(suite, contract, platform, jobs, progress)
    if failed:
        told = "\n  ".join(failed[:20])
        raise ForgeError(
            f"{len(failed)} killers fail although nothing is broken:\n  {told}", "Mend them first: `make test`."
        )
    killers = Killers(suite, records, contract)

    def work(mutant: Mutant, copy: Copy) -> Kill | None:
        with psycopg.connect(copy.database(copy.template_dbname).url(SUPERUSER), autocommit=True) as connection:
            try:
                connection.execute(mutant.statement.encode())
            except psycopg.Error as error:
                raise ForgeError(f"cannot be made: {error.diag.message_primary}") from None
        return killers.meet(mutant, copy)

    verdicts: list[Verdict] = []
    survived = 0
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("")  # one by one as they end, and in order at the end
    with click.progressbar(length=len(chosen), label="Mutants ", file=sys.stderr) as bar:
        for mutant, answer in bench.each(chosen, work, platform, jobs):
            kill = Kill(*answer.value) if answer.value else None
            killers.learn(mutant, kill)
            error = f"no end after {answer.seconds:.0f} s" if answer.timed_out else answer.error
            fate = Verdict(mutant, *(kill or ("", "", "")), error=error, seconds=answer.seconds)
            verdicts.append(fate)
            with report.open("a", encoding="utf-8") as log:
                log.write(verdict.by_name([fate], entries))
            if not sys.stderr.isatty() and (fate.survived or fate.error):
                click.echo(f"{'error' if fate.error else 'survived'}  {mutant.name} ({fate.seconds:.1f} s)", err=True)
            survived += fate.survived
            bar.label = f"Mutants ({survived} survived)" if survived else "Mutants "
            bar.update(1)
    return verdicts


def _conclude(done: list[Verdict], entries: dict[str, str], every: list[str], report: Path, seconds: float) -> None:
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
    click.echo(f"\n{noticed} of {len(done)} mutants noticed in {seconds:.0f} s; by name in {report}")
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
