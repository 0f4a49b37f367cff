"""Which tests a mutant meets, in what order, until one fails.

The prober first, narrowed to what is broken, where that is about who may do what. Then the tests that use what is
broken or speak of it: those that name the broken thing itself, then short ones. Then the prober for the rest. Rules
about the catalogue come then, and first where hardly anything else could see the difference; and at the very end the
tests that use everything, which are slow, and the contract's list of names.
"""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import psycopg
import pytest

from forge_db.access import prober, routines
from forge_db.access.contract import Contract
from forge_db.access.failures import Failure
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError
from harness.databases import SUPERUSER
from mutants.mutant import Kind, Mutant
from mutants.suite import Copy, Suite, commits, module

ABOUT_ACCESS = {Kind.POLICY, Kind.ROW_SECURITY, Kind.TABLE_GRANT, Kind.COLUMN_GRANT, Kind.VIEW}
# What a row owes, whoever writes it.
OF_ROWS = {Kind.CONSTRAINT, Kind.NOT_NULL, Kind.UNIQUE_INDEX, Kind.ACTION, Kind.DEFAULT}
# They use every table and function, and are about who is calling.
SWEEPING = {"test_bad_claims", "test_claims", "test_pooled_connections"}


# No statement of a caller's shows these, or hardly any: a rule does.
def _is_for_rules(mutant: Mutant) -> bool:
    return (
        mutant.kind is Kind.SEARCH_PATH
        or (mutant.kind is Kind.RIGHTS and mutant.change.startswith("definer"))
        or (mutant.kind is Kind.TABLE_GRANT and mutant.change.startswith("references"))
    )


class Kill(NamedTuple):
    """What noticed a mutant: the prober, a test or a rule; which; and what it said."""

    by: str
    which: str
    said: str


class Killers:
    def __init__(self, suite: Suite, records: dict[str, dict[str, Any]], contract: Contract) -> None:
        self.suite = suite
        self.contract = contract
        self.records = records
        self.successes: Counter[tuple[str, str]] = Counter()
        self.used = {item.nodeid: self._used(item) for item in suite.items}

    def _used(self, item: pytest.Item) -> frozenset[str] | None:
        """What a test uses; one that commits at least what the others of its module use."""
        if (used := self.records[item.nodeid]["used"]) is not None:
            return frozenset(used)
        others = [
            self.records[it.nodeid]["used"] or []
            for it in self.suite.items
            if module(it) == module(item) and not commits(it)
        ]
        return frozenset(name for used in others for name in used) if others else None

    # In the process of the mutant -------------------------------------------------------------------------------------

    def meet(self, mutant: Mutant, platform: Copy) -> Kill | None:
        """Who notices first."""
        self.suite.on(platform)
        if _is_for_rules(mutant):
            order = [self._rules, self._tests, self._probe]
        elif mutant.kind in ABOUT_ACCESS or mutant.kind is Kind.EXECUTE:
            order = [self._probe, self._tests, self._rules]
        else:
            order = [self._tests, self._probe, self._rules]
        order += [self._sweeping_tests, self._names]
        for step in order:
            if kill := step(mutant, platform):
                return kill
        return None

    def _tests(self, mutant: Mutant, platform: Copy) -> Kill | None:
        del platform
        found = self.suite.first_failure([it for it in self.relevant(mutant) if module(it) not in SWEEPING])
        return Kill("test", *found) if found else None

    def _sweeping_tests(self, mutant: Mutant, platform: Copy) -> Kill | None:
        del platform
        found = self.suite.first_failure([it for it in self.relevant(mutant) if module(it) in SWEEPING])
        return Kill("test", *found) if found else None

    def _rules(self, mutant: Mutant, platform: Copy) -> Kill | None:
        del mutant, platform
        found = self.suite.first_failure(self.suite.rules)
        return Kill("rule", *found) if found else None

    def _names(self, mutant: Mutant, platform: Copy) -> Kill | None:
        """The contract's own list of what there is."""
        del mutant
        with self._stage(platform, self.contract) as stage:
            return _kill("contract", prober.CATALOGUE, self._case(prober.CATALOGUE).run(stage).failures)

    def _probe(self, mutant: Mutant, platform: Copy) -> Kill | None:
        narrowed, names = self._narrowed(mutant)
        if mutant.kind is Kind.EXECUTE:
            with self._stage(platform, narrowed) as stage:
                for role in sorted(narrowed.roles, key=lambda role: role != mutant.role):
                    if kill := _kill("prober", f"functions-{role}", list(routines.permissions(stage, role))):
                        return kill
        if names:
            with self._stage(platform, narrowed) as stage:
                for case in prober.cases(narrowed):
                    if case.name in names and (kill := _kill("prober", case.name, case.run(stage).failures)):
                        return kill
        return None

    @contextmanager
    def _stage(self, platform: Copy, contract: Contract) -> Iterator[Stage]:
        name = platform.template_dbname
        with psycopg.connect(platform.database(name).url(SUPERUSER), prepare_threshold=None) as connection:
            try:
                with Stage.on(connection, contract) as stage:
                    yield stage
            finally:
                connection.rollback()

    def _case(self, name: str) -> prober.Case:
        return next(it for it in prober.cases(self.contract) if it.name == name)

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
        found = [it for it in self.contract.functions if _alike(it.name, mutant.subject)]
        entries = {(it.section, it.nth) for it in found}
        kept = tuple(it for it in self.contract.functions if (it.section, it.nth) in entries)
        asked = any(it.truth or it.then for it in kept)
        if not asked and mutant.kind is not Kind.EXECUTE:
            return self.contract
        return replace(self.contract, functions=kept)

    def relevant(self, mutant: Mutant) -> list[pytest.Item]:
        """The tests that use what is broken, or speak of it; first those that have killed its like before."""
        short = mutant.subject.partition("(")[0].partition(".")[2]
        found = []
        for item in self.suite.items:
            used = self.used[item.nodeid]
            if module(item) in SWEEPING and mutant.kind in OF_ROWS:
                continue
            if commits(item) and "(" not in mutant.subject:
                # Crowds and competitors: about what functions do, unless they speak of the table.
                used = None
            if (used and mutant.subject in used) or short in _source(item):
                found.append(item)

        def order(item: pytest.Item) -> tuple[Any, ...]:
            source = _source(item)
            named = sum(word in source for word in mutant.words)
            seconds = self.records[item.nodeid]["seconds"]
            killed = self.successes[mutant.subject, item.nodeid]
            return (
                -bool(named and "(" not in mutant.subject),
                -min(killed, 3),
                short not in item.nodeid,
                round(seconds, 1),
                -named,
                len(self.used[item.nodeid] or ()),
            )

        return sorted(found, key=order)

    def learn(self, mutant: Mutant, kill: Kill | None) -> None:
        if kill is not None and kill.by == "test":
            self.successes[mutant.subject, kill.which] += 1


def _kill(by: str, which: str, failures: Sequence[Failure]) -> Kill | None:
    if not failures:
        return None
    # That something could not be tried is noticed as well, but says less than what was tried.
    tried = [it for it in failures if it.what != prober.UNTRIED] or failures
    first = tried[0]
    return Kill(by, which, f"{first.subject}: {first.what}: expected {first.expected}, found {first.observed}")


def _alike(name: str, subject: str) -> bool:
    """Whether the contract's spelling of a function means this one."""

    def plain(text: str) -> str:
        for short, full in (
            ("timestamptz", "timestamp with time zone"),
            ("varchar", "character varying"),
            (" ", ""),
        ):
            text = text.replace(full, short) if short != " " else text.replace(" ", "")
        return text

    return plain(name) == plain(subject)


@cache
def _source(item: pytest.Item) -> str:
    """What a test says, and what it is given."""
    try:
        text = inspect.getsource(item.obj)  # type: ignore[attr-defined]
    except (OSError, TypeError, AttributeError):
        text = ""
    return f"{item.nodeid}\n{text}"


__all__ = ["ForgeError", "Kill", "Killers"]
