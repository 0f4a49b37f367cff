"""A run: the mutants go through their steps, several at a time, and each ends with a verdict."""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from forge_db import access
from forge_db.errors import ForgeError
from harness.databases import Platform
from mutants import baseline, bench, sample, steps, verdict
from mutants.killers import SWEEPING, Killers
from mutants.mutant import Kill, Mutant
from mutants.steps import Step, Task
from mutants.suite import Copy, Suite, commits, module
from mutants.verdict import Verdict

FEW = (6, 60)  # tests for each mutant of a sample, at first and then


@dataclass
class Run:
    """What all mutants of a run have in common."""

    suite: Suite
    platform: Platform
    jobs: int
    accepted: Mapping[str, str]
    report: Path

    def whole(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """Each mutant with every test that could notice it; the dear ones for what the others have not noticed."""
        cheap = [it for it in self.suite.items if not commits(it) and module(it) not in SWEEPING]
        found, alive = self._try(steps.first(mutants), self._killers([*cheap, *self.suite.rules]))
        if alive:
            found += self._try(steps.last(alive), self._killers([*self.suite.items, *self.suite.rules]))[0]
        return found

    def quick(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """Each mutant with a few tests that speak of it; those that survive these with more, and then with all."""
        found, alive = list[Verdict](), list(mutants)
        for few in FEW:
            if alive:
                some, alive = self._try(steps.first(alive), self._killers(sample.tests(self.suite, alive, few)))
                found += some
        return found + (self.whole(alive) if alive else [])

    def _killers(self, items: Sequence[pytest.Item]) -> Killers:
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
        return Killers(self.suite, records, access.load())

    def _try(self, waiting: deque[Task], killers: Killers) -> tuple[list[Verdict], list[Mutant]]:
        """What becomes of them, and who is alive although these killers have done what they can."""

        def meet(task: Task, lent: Copy) -> list[Kill | None]:
            match task.step:
                case Step.PROBER:
                    return killers.probe(task.mutants, lent)
                case Step.TESTS:
                    return killers.try_inside(task.mutants, lent)
                case Step.ALONE:
                    return [killers.try_alone(mutant, lent, self.platform) for mutant in task.mutants]

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
                kills = [Kill(*it) if it else None for it in answer.value or [None] * len(task.mutants)]
                alive = []
                for mutant, kill in zip(task.mutants, kills, strict=True):
                    if kill is None and not error and task.step is not Step.ALONE:
                        alive.append(mutant)
                        continue
                    killers.learn(mutant, kill)
                    seconds = answer.seconds / len(task.mutants)
                    fate = Verdict(mutant, *(kill or ("", "", "")), error=error, seconds=seconds)
                    verdicts.append(fate)
                    log.write(verdict.by_name([fate], self.accepted))
                    log.flush()
                    _tell(bar, fate, sum(it.survived for it in verdicts))
                if task.step is Step.PROBER:
                    waiting.extend(steps.following(alive))
                else:
                    survivors += alive
                    bar.update(len(alive))
        return verdicts, survivors


def _tell(bar: Any, fate: Verdict, survived: int) -> None:
    if not sys.stderr.isatty() and (fate.survived or fate.error):
        told = f"{'error' if fate.error else 'survived'}  {fate.mutant.name} ({fate.seconds:.1f} s)"
        click.echo(told, err=True)
    if survived:
        bar.label = f"Mutants ({survived} survived)"
    bar.update(1)
