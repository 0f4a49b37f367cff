"""Some mutants of every kind, and the few tests that can be asked about them at once.

A whole run first sees what every test uses, which takes minutes. A sample asks the tests that speak of what is broken,
so only those are seen to pass first; what they do not notice meets more of them, and then all as in a whole run.
"""

import random
from collections.abc import Sequence

import pytest

from mutants import probing
from mutants.killers import source
from mutants.mutant import Kind, Mutant
from mutants.suite import Suite, commits


def draw(mutants: Sequence[Mutant], size: int, seed: str) -> list[Mutant]:
    """Of each kind the same share, and at least one, or the many grants would be most of it."""
    drawn = random.Random(seed)
    pools = [drawn.sample(pool, len(pool)) for kind in Kind if (pool := [it for it in mutants if it.kind is kind])]
    taken: list[Mutant] = []
    while len(taken) < min(size, len(mutants)):
        for pool in pools:
            if pool and len(taken) < size:
                taken.append(pool.pop())
    return taken


def tests(suite: Suite, mutants: Sequence[Mutant], few: int) -> list[pytest.Item]:
    """The rules, and for each mutant a few of the tests that speak of what is broken: those that name it most."""
    inside = [it for it in suite.items if not commits(it)]
    sources = {it.nodeid: source(it) for it in inside}
    chosen: dict[str, pytest.Item] = {}
    for mutant in (it for it in mutants if it.kind not in probing.KINDS):
        words = (mutant.short, *mutant.words)
        # What stands in a test's name it is about.
        told = {it.nodeid: sum((word in sources[it.nodeid]) + (word in it.name) for word in words) for it in inside}
        named = sorted((it for it in inside if told[it.nodeid]), key=lambda it: -told[it.nodeid])
        chosen |= {it.nodeid: it for it in named[:few]}
    return [*chosen.values(), *suite.rules]
