"""A run: the mutants go through their steps, several at a time, and each ends with a verdict."""

import sys
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest

from forge_db import access
from forge_db.errors import ForgeError
from harness.databases import Platform
from mutants import baseline, bench, sample, steps, verdict
from mutants.killers import Killers
from mutants.memory import Memory
from mutants.mutant import Kill, Mutant
from mutants.steps import Step, Task
from mutants.suite import Copy, Suite, commits
from mutants.verdict import Verdict

NOBODY = Kill("", "", "")
FEW = (6, 60)  # tests for each mutant of a sample, at first and then


@dataclass
class Run:
    """What all mutants of a run have in common."""

    suite: Suite
    platform: Platform
    jobs: int
    accepted: Mapping[str, str]
    report: Path
    memory: Memory
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def whole(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """Each mutant with every test that could notice it; the dear ones for what the others have not noticed."""
        known, alive = self._known(mutants)
        cheap = [it for it in self.suite.items if not commits(it)]
        some, alive = self._try(steps.first(alive), self._killers([*cheap, *self.suite.rules])) if alive else ([], [])
        rest = self._try(steps.dear(alive), self._killers([*self.suite.items, *self.suite.rules]))[0] if alive else []
        return [*known, *some, *rest]

    def quick(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """Each mutant with a few tests that speak of it; those that survive these with more, and then with all."""
        found, alive = self._known(mutants)
        for few in FEW:
            if alive:
                some, alive = self._try(steps.first(alive), self._killers(sample.tests(self.suite, alive, few)))
                found += some
        return found + (self.whole(alive) if alive else [])

    def _known(self, mutants: Sequence[Mutant]) -> tuple[list[Verdict], list[Mutant]]:
        """Each mutant with those that have noticed it or its like before: only these need to pass first."""
        wanted = {mutant.name: self.memory.killers(mutant) for mutant in mutants}
        named = {test for tests in wanted.values() for test in tests}
        items = [it for it in self.suite.items if it.nodeid in named]
        dear = {it.nodeid for it in items if commits(it)}
        killers = self._killers([*items, *self.suite.rules], wanted)
        found, alive = self._try(steps.first(mutants), killers)
        later = [it for it in alive if wanted[it.name] & dear]
        some, left = self._try(steps.dear(later), killers, to=Step.COPIES)
        return [*found, *some], [*(it for it in alive if it not in later), *left]

    def resumed(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """What was noticed before, where nothing has changed that it depends on."""
        known = ((it, self.memory.verdict(it)) for it in mutants)
        return [Verdict(mutant, *kill) for mutant, kill in known if kill is not None]

    def _killers(self, items: Sequence[pytest.Item], wanted: Mapping[str, Collection[str]] | None = None) -> Killers:
        with click.progressbar(length=1, label="Unbroken", file=sys.stderr, show_eta=False) as bar:

            def progress(done: int, of: int) -> None:
                bar.length = of
                bar.update(1 if done <= of else 0)

            records, failed = baseline.establish(self.suite, items, self.platform, self.jobs, progress)
        if failed:
            told = "\n  ".join(failed[:20])
            raise ForgeError(
                f"{len(failed)} killers fail although nothing is broken:\n  {told}", "Mend them first: `make test`."
            )
        return Killers(self.suite, records, access.load(), self.memory, wanted)

    def _try(
        self, waiting: deque[Task], killers: Killers, *, to: Step = Step.LAST
    ) -> tuple[list[Verdict], list[Mutant]]:
        """What becomes of them, and who is alive although these killers have done what they can."""
        if not waiting:
            return [], []

        def meet(task: Task, lent: Copy) -> list[tuple[Kill | None, float]]:
            match task.step:
                case Step.PROBER:
                    start = time.monotonic()
                    kills = killers.probe(task.mutants, lent)
                    return [(kill, (time.monotonic() - start) / len(kills)) for kill in kills]
                case Step.TESTS:
                    return list(timed(killers.try_inside(task.mutants, lent)))
                case Step.REST:
                    return list(timed(killers.try_rest(task.mutants, lent)))
                case Step.COPIES:
                    return list(timed(killers.try_in_copy(it, self.platform) for it in task.mutants))
                case Step.LAST:
                    return list(timed(killers.try_at_last(it, lent) for it in task.mutants))

        verdicts: list[Verdict] = []
        survivors: list[Mutant] = []
        self.report.parent.mkdir(parents=True, exist_ok=True)
        with (
            self.report.open("a", encoding="utf-8") as log,  # one by one as they end; in order at the end
            click.progressbar(length=sum(len(it.mutants) for it in waiting), label="Mutants ", file=sys.stderr) as bar,
        ):
            for task, answer in bench.each(waiting, meet, self.platform, self.jobs):
                error = f"no end after {answer.seconds:.0f} s" if answer.timed_out else answer.error
                if error and len(task.mutants) > 1:
                    waiting.extend(steps.singly(task))
                    continue
                alive = []
                told = answer.value or [(None, answer.seconds)] * len(task.mutants)
                for mutant, (said, seconds) in zip(task.mutants, told, strict=True):
                    self.seconds[mutant.name] += seconds
                    kill = Kill(*said) if said else None
                    if kill is None and not error and task.step is not Step.LAST:
                        alive.append(mutant)
                        continue
                    killers.learn(mutant, kill)
                    self.memory.keep(mutant, kill)
                    fate = Verdict(mutant, *(kill or NOBODY), error=error, seconds=self.seconds[mutant.name])
                    verdicts.append(fate)
                    log.write(verdict.by_name([fate], self.accepted))
                    log.flush()
                    _tell(bar, fate, sum(it.survived for it in verdicts))
                self.memory.save()
                if task.step in steps.NEXT and task.step is not to:
                    waiting.extend(steps.following(task.step, alive))
                else:
                    survivors += alive
                    bar.update(len(alive))
        return verdicts, survivors


def timed(kills: Iterable[Kill | None]) -> Iterator[tuple[Kill | None, float]]:
    """Each with the seconds that it took."""
    start = time.monotonic()
    for kill in kills:
        yield kill, time.monotonic() - start
        start = time.monotonic()


def _tell(bar: Any, fate: Verdict, survived: int) -> None:
    if not sys.stderr.isatty() and (fate.survived or fate.error):
        told = f"{'error' if fate.error else 'survived'}  {fate.mutant.name} ({fate.seconds:.1f} s)"
        click.echo(told, err=True)
    if survived:
        bar.label = f"Mutants ({survived} survived)"
    bar.update(1)
