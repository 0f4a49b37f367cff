"""What a mutant goes through while nobody notices it, and how many share a process on the way."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from mutants import probing
from mutants.mutant import Mutant


class Step(Enum):
    """In whose hands a mutant is."""

    PROBER = auto()
    TESTS = auto()
    REST = auto()
    COPIES = auto()
    LAST = auto()


# How many share a process: the prober makes what it stands on once, tests are warm from the second one on.
TOGETHER = {Step.PROBER: 250, Step.TESTS: 12, Step.REST: 4, Step.COPIES: 4, Step.LAST: 1}
# What comes next for those that nobody has noticed.
NEXT = {Step.PROBER: Step.TESTS, Step.REST: Step.COPIES, Step.COPIES: Step.LAST}


class Task(NamedTuple):
    step: Step
    mutants: Sequence[Mutant]


def first(mutants: Sequence[Mutant]) -> deque[Task]:
    """Who begins where: with the prober whoever is about access."""
    probed = [it for it in mutants if it.kind in probing.KINDS]
    others = [it for it in mutants if it.kind not in probing.KINDS]
    return deque([*_together(Step.PROBER, probed), *_together(Step.TESTS, others)])


def following(step: Step, alive: Sequence[Mutant]) -> Iterator[Task]:
    """What comes next for those that a step has not noticed."""
    return _together(NEXT[step], alive)


def dear(alive: Sequence[Mutant]) -> deque[Task]:
    """Those that no likely test has noticed, on the rest of the way."""
    return deque(_together(Step.REST, alive))


def singly(task: Task) -> Iterator[Task]:
    """The same once more, one by one."""
    return (Task(task.step, [it]) for it in task.mutants)


def _together(step: Step, mutants: Iterable[Mutant]) -> Iterator[Task]:
    groups: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_function = step is Step.PROBER and "(" in mutant.subject
        groups.setdefault("functions" if by_function else mutant.subject, []).append(mutant)
    for group in groups.values():
        for at in range(0, len(group), TOGETHER[step]):
            yield Task(step, group[at : at + TOGETHER[step]])
