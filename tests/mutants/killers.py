"""Which tests a mutant meets, in what order, until one fails.

The prober first, turned inside out, where that is about who may do what (see `probing`). Then the tests that use what
is broken or speak of it: those that name the broken thing itself, then short ones; each in a transaction that begins
with the breaking. Rules about the catalogue come then, and first where hardly anything else could see the difference.
What is alive by now gets a copy of the database to itself, for the tests that commit. The prober calling functions, and
the contract's list of names, are the end.
"""

import inspect
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from forge_db.access import prober
from forge_db.access.contract import Contract
from forge_db.access.failures import Failure
from forge_db.access.stage import Stage
from harness.databases import SUPERUSER, Platform
from mutants import bench, probing
from mutants.memory import Memory, stem
from mutants.mutant import FOR_RULES, Kill, Kind, Mutant
from mutants.suite import Copy, Suite, commits, module

# Seconds of tests that a mutant meets at first, beyond those that name it.
ENOUGH = 4.0


class Killers:
    def __init__(
        self,
        suite: Suite,
        records: dict[str, dict[str, Any]],
        contract: Contract,
        memory: Memory,
        wanted: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """`wanted`: for each mutant the only tests and rules that it is to meet."""
        self.suite = suite
        self.wanted = wanted
        self.contract = contract
        self.memory = memory
        self.records = records
        self.successes: Counter[tuple[str, str]] = Counter()
        self.items = [it for it in suite.items if it.nodeid in records]
        # Here, and not once more in every process.
        self.used = {item.nodeid: self._used(item) for item in self.items}
        self.sources = {item.nodeid: source(item) for item in self.items}
        self.sizes = Counter(map(module, self.items))
        self.successes.update(memory.counts())

    def _used(self, item: pytest.Item) -> frozenset[str] | None:
        """What a test uses; one that commits at least what the others of its module use."""
        if (used := self.records[item.nodeid]["used"]) is not None:
            return frozenset(used)
        others = [
            self.records[it.nodeid]["used"] or [] for it in self.items if module(it) == module(item) and not commits(it)
        ]
        return frozenset(name for used in others for name in used) if others else None

    # In a process of their own ----------------------------------------------------------------------------------------

    def probe(self, mutants: Sequence[Mutant], lent: Copy) -> list[Kill | None]:
        """What the prober notices of these, which are of probing.KINDS."""
        with _connect(lent) as connection:
            kills = probing.probe(connection, self.contract, mutants)
        return [kills.get(it.name) for it in mutants]

    def try_inside(self, mutants: Sequence[Mutant], lent: Copy) -> Iterator[Kill | None]:
        """What tests notice of these, each test in a transaction that is rolled back with what is broken."""
        self.suite.on(lent)
        for mutant in mutants:
            with self.suite.breaking(mutant.statement):
                steps = [self._likely, self._rules]
                kill = None
                for step in steps[::-1] if mutant.kind in FOR_RULES else steps:
                    kill = kill or step(mutant)
            self.learn(mutant, kill)
            yield kill

    def try_rest(self, mutants: Sequence[Mutant], lent: Copy) -> Iterator[Kill | None]:
        """What the tests notice that were too unlikely, in the same way."""
        self.suite.on(lent)
        for mutant in mutants:
            with self.suite.breaking(mutant.statement):
                kill = self._first(self._inside(mutant)[1], "test")
            self.learn(mutant, kill)
            yield kill

    def try_in_copy(self, mutant: Mutant, platform: Platform) -> Kill | None:
        """What tests notice that commit, in a copy in which it is broken for good."""
        committing = [it for it in self._wanted(mutant, self.relevant(mutant)) if commits(it)]
        if not committing:
            return None
        with bench.own_copy(platform, platform.template_dbname) as copy:
            with _connect(copy) as connection:
                connection.execute(mutant.statement.encode())
            self.suite.on(copy)
            return self._first(committing, "test")

    def try_at_last(self, mutant: Mutant, lent: Copy) -> Kill | None:
        """What the prober notices that calls functions, and the contract's own list of what there is."""
        return self._probe(mutant, lent) or self._names(mutant, lent)

    def _likely(self, mutant: Mutant) -> Kill | None:
        return self._first(self._inside(mutant)[0], "test")

    def _inside(self, mutant: Mutant) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """The tests that do not commit: the likely ones, and the rest."""
        inside = [it for it in self._wanted(mutant, self.relevant(mutant)) if not commits(it)]
        likely: list[pytest.Item] = []
        rest: list[pytest.Item] = []
        seconds = 0.0
        for item in inside:
            seconds += self._seconds(item)
            (likely if seconds < ENOUGH or _is_named(mutant, item) else rest).append(item)
        return likely, rest

    def _rules(self, mutant: Mutant) -> Kill | None:
        if mutant.kind is Kind.GUARD:
            return None  # no rule reads a body
        rules = self.suite.rules if mutant.kind in FOR_RULES else self._wanted(mutant, self.suite.rules)
        first, killed = self.memory.killer(mutant), self.successes
        rules = sorted(rules, key=lambda it: (it.nodeid != first, -killed[mutant.kind, it.nodeid]))
        return self._first(rules, "rule")

    def _wanted(self, mutant: Mutant, items: list[pytest.Item]) -> list[pytest.Item]:
        return items if self.wanted is None else [it for it in items if it.nodeid in self.wanted[mutant.name]]

    def _first(self, items: Sequence[pytest.Item], by: str) -> Kill | None:
        limits = {it.nodeid: self._seconds(it) for it in items}
        found = self.suite.first_failure(items, limits)
        return Kill(by, *found) if found else None

    def _seconds(self, item: pytest.Item) -> float:
        return float(self.records[item.nodeid]["seconds"])

    def _names(self, mutant: Mutant, lent: Copy) -> Kill | None:
        """The contract's own list of what there is."""
        catalogue = next(it for it in prober.cases(self.contract) if it.name == prober.CATALOGUE)
        with _broken(lent, mutant) as connection, Stage.on(connection, self.contract) as stage:
            return _kill("contract", prober.CATALOGUE, catalogue.run(stage).failures)

    def _probe(self, mutant: Mutant, lent: Copy) -> Kill | None:
        narrowed, names = self._narrowed(mutant)
        with _broken(lent, mutant) as connection, Stage.on(connection, narrowed) as stage:
            for case in prober.cases(narrowed):
                if case.name in names and (kill := _kill("prober", case.name, case.run(stage).failures)):
                    return kill
        return None

    # Which tests ------------------------------------------------------------------------------------------------------

    def _narrowed(self, mutant: Mutant) -> tuple[Contract, list[str]]:
        """The contract with no more functions than needed, and the cases that are about what is broken."""
        contract, short = self.contract, mutant.subject.removeprefix("public.")
        roles = sorted(contract.roles, key=lambda role: role != mutant.role)
        if mutant.subject in contract.tables:
            return contract, [f"{short}-{role}" for role in roles]
        if any(view.name == mutant.subject for view in contract.views):
            views = tuple(it for it in contract.views if it.name == mutant.subject)
            return replace(contract, views=views), [f"views-{role}" for role in roles]
        if "(" in mutant.subject:
            return self._of_function(mutant), [f"functions-{role}" for role in roles]
        return contract, [f"closed-{role}" for role in roles]

    def _of_function(self, mutant: Mutant) -> Contract:
        """With the function, and where it works for another one with that; with all where nobody says."""
        found = [it for it in self.contract.functions if probing.alike(it.name, mutant.subject)]
        entries = {(it.section, it.nth) for it in found}
        kept = tuple(it for it in self.contract.functions if (it.section, it.nth) in entries)
        asked = any(it.truth or it.then for it in kept)
        if not asked:
            return self.contract
        return replace(self.contract, functions=kept)

    def relevant(self, mutant: Mutant) -> list[pytest.Item]:
        """The tests that use what is broken, or speak of it; first those that have killed its like before."""
        # A check is called by what follows the two underscores.
        names = {mutant.short, mutant.short.rpartition("__")[2]}
        found = []
        # Who uses a trigger uses its function; all the others write to the table as well.
        subjects = {mutant.subject, *mutant.seen_in}
        if mutant.kind is Kind.TRIGGER:
            subjects = {f"{schema}.{word}()" for schema in ("private", "public") for word in mutant.words}
        for item in self.items:
            used = self.used[item.nodeid]
            if commits(item) and "(" not in mutant.subject:
                # Crowds and competitors: about what functions do, unless they speak of the table.
                used = None
            if (used and used & subjects) or any(name in self.sources[item.nodeid] for name in names):
                found.append(item)

        of_module = Counter(map(module, found))
        first = self.memory.killer(mutant)

        def order(item: pytest.Item) -> tuple[Any, ...]:
            told = self.sources[item.nodeid]
            named = sum(word in told for word in mutant.words)
            # A module is about what most of its tests use.
            affinity = of_module[module(item)] / self.sizes[module(item)]
            return (
                item.nodeid != first,
                -bool(named and "(" not in mutant.subject),
                -min(self.successes[mutant.subject, item.nodeid], 3),
                not _is_named(mutant, item),
                (0.05 + self._seconds(item)) / affinity**2 / (1 + self.successes[mutant.subject, module(item)]),
                -named,
            )

        return sorted(found, key=order)

    def learn(self, mutant: Mutant, kill: Kill | None) -> None:
        if kill is not None:
            self._count(mutant.subject, kill)
            self.successes[mutant.kind, kill.which] += 1

    def _count(self, subject: str, kill: Kill) -> None:
        self.successes.update(((subject, kill.which), (subject, stem(kill.which))))


@contextmanager
def _connect(copy: Copy) -> Iterator[psycopg.Connection]:
    url = copy.database(copy.template_dbname).url(SUPERUSER)
    with psycopg.connect(url, prepare_threshold=None, autocommit=True) as connection:
        yield connection


@contextmanager
def _broken(lent: Copy, mutant: Mutant) -> Iterator[psycopg.Connection]:
    with _connect(lent) as connection, connection.transaction(force_rollback=True):
        connection.execute(mutant.statement.encode())
        yield connection


def _is_named(mutant: Mutant, item: pytest.Item) -> bool:
    """Whether a test has it in its name: a check by what follows the two underscores."""
    return mutant.short.rpartition("__")[2] in item.nodeid.partition("::")[2]


def _kill(by: str, which: str, failures: Sequence[Failure]) -> Kill | None:
    if not failures:
        return None
    # That something could not be tried is noticed as well, but says less than what was tried.
    tried = [it for it in failures if it.what != prober.UNTRIED] or failures
    first = tried[0]
    return Kill(by, which, f"{first.subject}: {first.what}: expected {first.expected}, found {first.observed}")


def source(item: pytest.Item) -> str:
    """What a test says, and what it is given; and, where nobody sees what it uses, what its module says at first."""
    try:
        text = inspect.getsource(item.obj) if isinstance(item, pytest.Function) else ""
    except (OSError, TypeError):
        text = ""
    if isinstance(item, pytest.Function) and commits(item):
        text += inspect.getdoc(item.module) or ""
    return f"{item.nodeid}\n{text}"
