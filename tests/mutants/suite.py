"""The tests as killers: collected once, run one by one in whatever process has forked, against whatever database.

Only tests that ask a migrated database count. Left out are those that compare the catalogue with a committed file,
which would kill every mutant and prove nothing, and those that are about the tests' own tools.
"""

import copy
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from harness.databases import PREFIX, SUPERUSER, Database, Platform

ASKS_A_DATABASE = {"connection", "owner", "scratch"}
OF_ITS_OWN = {"owner", "scratch"}  # a test with one of these commits, in a copy that is made for it
RULES = "test_catalogue"
LEFT_OUT = {
    # A committed file against the catalogue.
    "test_access_matrix", "test_rulebook", "test_structure",
    # The schema is applied again, which may mend what is broken.
    "test_idempotence",
    # The prober runs by itself, narrowed to what is broken.
    "test_access_contract", "test_bridge",
    # Sequences at random: what they notice today they may not notice tomorrow.
    "test_non_interference",
    # It reads the server's log, which all mutants share.
    "test_secrets_stay_secret",
    # About the tools.
    "test_explain_access", "test_harness", "test_mutants", "test_platform", "test_prober_catches", "test_row_builder",
}  # fmt: skip
# The same, one test of its module.
LISTS = {"test_every_rule_has_its_cases", "test_no_column_is_forgotten_here"}

# What a test has used so far: tables read or written, partitions by the name of their parent, and functions called.
USED = """
    select sch.nspname || '.' || rel.relname
    from pg_catalog.pg_stat_xact_all_tables as used
    inner join pg_catalog.pg_class as rel on rel.oid = coalesce(pg_catalog.pg_partition_root(used.relid), used.relid)
    inner join pg_catalog.pg_namespace as sch on sch.oid = rel.relnamespace
    where sch.nspname in ('public', 'private', 'archive', 'auth')
        and used.seq_scan + coalesce(used.idx_scan, 0) + used.n_tup_ins + used.n_tup_upd + used.n_tup_del > 0
    union
    select sch.nspname || '.' || pro.proname || '(' || pg_catalog.oidvectortypes(pro.proargtypes) || ')'
    from pg_catalog.pg_stat_xact_user_functions as used
    inner join pg_catalog.pg_proc as pro on pro.oid = used.funcid
    inner join pg_catalog.pg_namespace as sch on sch.oid = pro.pronamespace
    where sch.nspname in ('public', 'private', 'archive')
"""


def wanted(item: pytest.Item) -> bool:
    """Whether a test can kill a mutant."""
    fixtures = set(getattr(item, "fixturenames", ()))
    left_out = module(item) in LEFT_OUT or getattr(item, "originalname", item.name) in LISTS
    return bool(fixtures & ASKS_A_DATABASE) and not left_out and "empty_database" not in fixtures


def module(item: pytest.Item) -> str:
    return item.path.stem


def commits(item: pytest.Item) -> bool:
    return bool(set(getattr(item, "fixturenames", ())) & OF_ITS_OWN)


class Watched(Database):
    """Counts what is called in the superuser's sessions, in which tests speak as everyone, and ends endless statements.

    For these sessions only: what is set for the database a test could see.
    """

    def connect(self, user: str = "postgres", **options: Any) -> psycopg.Connection:
        if user == SUPERUSER:
            options["options"] = "-c track_functions=all -c statement_timeout=20s"
        return super().connect(user, **options)


class Copy(Platform):
    """A platform whose template database is a copy that one process has to itself."""

    def __init__(self, original: Platform, name: str) -> None:
        self.__dict__.update(copy.copy(original.__dict__))
        self.template_dbname = name
        self.dbname = f"{PREFIX}{os.getpid()}_scratch"
        self.lends_itself = True

    @contextmanager
    def clone(self, name: str, *, migrated: bool = True) -> Iterator[Database]:
        """While no test of the process needs copies, what they share is the template itself."""
        if self.lends_itself and migrated and name.endswith("_worker"):
            yield Watched(self.cluster.server, self.template_dbname)
        else:
            with super().clone(name, migrated=migrated) as database:
                yield database


class Suite:
    """A pytest plugin that hands the collected tests to `work` instead of running them."""

    def __init__(self, work: Any) -> None:
        self.work = work
        self.session: pytest.Session
        self.items: list[pytest.Item] = []
        self.rules: list[pytest.Item] = []
        self.broken: list[str] = []
        self.platform: Platform | None = None
        self.problem: BaseException | None = None
        self._failed = ""
        self._used: list[str] | None = None
        self._recording = False

    # What pytest calls ------------------------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(f"{report.nodeid}: {report.longreprtext.strip().splitlines()[-1]}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.session = session
        found = [item for item in session.items if wanted(item)]
        self.items = [item for item in found if module(item) != RULES]
        self.rules = [item for item in found if module(item) == RULES]
        hypothesis.settings.register_profile(
            "mutants", database=None, derandomize=True, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
        )
        hypothesis.settings.load_profile("mutants")
        try:
            self.work(self)
        except BaseException as problem:
            self.problem = problem  # pytest would print it at length, and go on
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Platform | None:
        if fixturedef.argname != "platform" or self.platform is None:
            return None
        fixturedef.cached_result = (self.platform, fixturedef.cache_key(request), None)
        return self.platform

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            lines = [line for line in report.longreprtext.splitlines() if line.startswith("E ")] or ["it fails"]
            self._failed = self._failed or lines[0].removeprefix("E").strip()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        connection = getattr(item, "funcargs", {}).get("connection")
        if self._recording and connection is not None:
            try:
                self._used = sorted(str(name) for (name,) in connection.execute(USED))
                connection.execute("select pg_catalog.pg_stat_force_next_flush()")
            except psycopg.Error:
                self._used = None

    # In a process of its own ------------------------------------------------------------------------------------------

    def on(self, platform: Copy) -> None:
        self.platform = platform

    def first_failure(self, items: Sequence[pytest.Item]) -> tuple[str, str] | None:
        """Run tests until one fails: which, and why. Those that commit run last."""
        assert isinstance(self.platform, Copy)
        inside = [item for item in items if not commits(item)]
        for lends_itself, part in ((True, inside), (False, [item for item in items if commits(item)])):
            self.platform.lends_itself = lends_itself
            for place, item in enumerate(part):
                if why := self._run(item, part[place + 1] if place + 1 < len(part) else None):
                    return item.nodeid, why
        return None

    def record(self, items: Iterable[pytest.Item]) -> dict[str, dict[str, Any]]:
        """Run tests on what is not broken: how long each takes, what it uses (if that can be seen), how it fails."""
        assert isinstance(self.platform, Copy)
        self._recording = True
        found: dict[str, dict[str, Any]] = {}
        ordered = sorted(items, key=commits)
        for place, item in enumerate(ordered):
            self.platform.lends_itself = not commits(item)
            following = ordered[place + 1] if place + 1 < len(ordered) else None
            if following is not None and commits(following) != commits(item):
                following = None
            self._used, start = None, time.monotonic()
            failed = self._run(item, following)
            found[item.nodeid] = {"seconds": time.monotonic() - start, "used": self._used, "failed": failed}
        return found

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> str:
        self._failed = ""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self._failed


def collect(work: Any, tests: Path, platform: str) -> Suite:
    """Collect the tests and have `work` done with them."""
    suite = Suite(work)
    arguments = [
        str(tests),
        *("--platform", platform),
        *("-o", "addopts=--strict-markers --strict-config"),
        *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--capture", "no"),
        *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
        *("-m", "not supabase_cli and not second_opinions and not pgbouncer and not slow"),
    ]
    pytest.main(arguments, plugins=[suite])
    if suite.problem is not None:
        raise suite.problem
    return suite
