"""The tests as killers: collected once, run one by one in whatever process has forked, against whatever database.

Only tests that ask a migrated database count. Left out are those that compare the catalogue with a committed file,
which would kill every mutant and prove nothing, and those that are about the tests' own tools.
"""

import copy
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from forge_db.errors import ForgeError
from harness.databases import PREFIX, SUPERUSER, Database, Platform
from mutants.watch import End, Watch

ASKS_A_DATABASE = {"connection", "owner", "scratch"}
OF_ITS_OWN = {"owner", "scratch"}  # a test with one of these commits, in a copy that is made for it
RULES = "test_catalogue"
LEFT_OUT = {
    # A committed file against the catalogue.
    "test_access_matrix", "test_cleanup", "test_client_types", "test_diagrams", "test_drift", "test_new_migrations",
    "test_rulebook", "test_structure",
    # The schema is applied again, which may mend what is broken.
    "test_idempotence",
    # The prober runs by itself, narrowed to what is broken.
    "test_access_contract", "test_bridge",
    # They call everything as everyone, which takes minutes, and look at who is calling.
    "test_claims", "test_pooled_connections",
    # About an old installation, or speed.
    "test_bench", "test_upgrade", "test_upgrade_document",
    # Sequences at random: what they notice today they may not notice tomorrow.
    "test_non_interference",
    # It reads the server's log, which all mutants share.
    "test_secrets_stay_secret",
    # About the tools, and what they make of the catalogue.
    "test_backup", "test_contract_file", "test_document_of_client", "test_documents", "test_explain_access",
    "test_harness", "test_hostile_names", "test_mutants", "test_pgtap", "test_platform", "test_prober_catches",
    "test_report", "test_rollback", "test_row_builder",
}  # fmt: skip
# What is left out, one test of its module.
LISTS = {
    "test_every_rule_has_its_cases", "test_no_column_is_forgotten_here", "test_no_rule_and_no_column_is_forgotten_here",
    "test_the_archive_has_the_rules_of_its_sources",
}  # fmt: skip

# Tests that need more than `make test` has, or much longer.
ELSEWHERE = ("browser", "pg_cron", "pgbouncer", "pgtap", "second_opinions", "slow", "supabase_cli")

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
    """Counts what is called in the superuser's sessions, in which tests speak as everyone.

    For these sessions only: what is set for the database a test could see.
    """

    def connect(self, user: str = "postgres", **options: Any) -> psycopg.Connection:
        if user == SUPERUSER:
            options["options"] = "-c track_functions=all"
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
        self.platform: Copy | None = None
        self.problem: BaseException | None = None
        self.connection: psycopg.Connection | None = None
        self._kept: psycopg.Connection | None = None
        self._statement = ""
        self._failed = ""
        self._ended: End | None = None
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
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        given = {"platform": self.platform, "connection": self.connection}.get(fixturedef.argname)
        if given is None:
            return None
        fixturedef.cached_result = (given, fixturedef.cache_key(request), None)
        return given

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
        platform.dbname = f"{PREFIX}{os.getpid()}_scratch"  # which of these processes makes it
        self.connection = None

    @contextmanager
    def breaking(self, statement: str) -> Iterator[None]:
        """While this lasts, each test that does not commit runs in a transaction that begins with the statement.

        To the test its own transaction is one as always: psycopg makes a savepoint of it.
        """
        self._statement = statement
        try:
            yield
        finally:
            self._statement = ""

    def first_failure(self, items: Sequence[pytest.Item], limits: Mapping[str, float]) -> tuple[str, str] | None:
        """Run tests until one fails: which, and why. Those that commit run in copies of the platform's template.

        A test that works many times as long as it should does not end; that is a failure as well, if it happens twice.
        One that waits has shown nothing.
        """
        assert self.platform is not None
        for item in items:
            self.platform.lends_itself = not commits(item)
            limit = 1.0 + 10 * limits.get(item.nodeid, 1.0)
            why = self._run(item, limit=limit)
            if why and self._ended:
                why = self._run(item, limit=limit)
            if why and self._ended is not End.WAITING:
                return item.nodeid, "it does not end" if self._ended else why
        return None

    def record(self, items: Iterable[pytest.Item], clean: Copy) -> dict[str, dict[str, Any]]:
        """Run tests on what is not broken: how long each takes, what it uses (if that can be seen), how it fails.

        What commits begins with a copy of what is clean: pages full of what was rolled back look different.
        """
        lent = self.platform
        assert lent is not None
        self._recording = True
        found: dict[str, dict[str, Any]] = {}
        for item in items:
            self.on(clean if commits(item) else lent)
            clean.lends_itself = False
            self._used, start = None, time.monotonic()
            failed = self._run(item, limit=60.0)
            seconds = time.monotonic() - start
            if failed:  # a busy machine
                failed = self._run(item, limit=60.0)
            found[item.nodeid] = {"seconds": seconds, "used": self._used, "failed": failed}
        self._recording = False
        return found

    def _run(self, item: pytest.Item, *, limit: float) -> str:
        """Run one test: why it fails, if it does. What is set up for more than one test is set up for each."""
        self._failed = ""
        self.connection = None
        if not commits(item):
            self.connection = self._begin()
        elif self._kept is not None:
            self._kept.close()  # nobody may look at what is copied
        assert self.platform is not None
        names = [self.platform.template_dbname, f"{PREFIX}{os.getpid()}_"]
        watch = Watch(self.platform.cluster.server.url(SUPERUSER), names, limit)
        try:
            with watch.over(self.connection):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        finally:
            if self.connection is not None and not self.connection.closed:
                self.connection.rollback()
        self._ended = watch.ended
        return self._failed

    def _begin(self) -> psycopg.Connection:
        assert self.platform is not None
        kept = self._kept
        if kept is None or kept.closed or kept.info.dbname != self.platform.template_dbname:
            watched = Watched(self.platform.cluster.server, self.platform.template_dbname)
            kept = self._kept = watched.connect(SUPERUSER, prepare_threshold=None)
        if self._statement:
            try:
                kept.execute(self._statement.encode())
            except psycopg.Error as error:
                kept.rollback()
                raise ForgeError(f"cannot be made: {error.diag.message_primary}") from None
        return kept


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
        *("-m", f"not {' and not '.join(ELSEWHERE)}"),
    ]
    pytest.main(arguments, plugins=[suite])
    if suite.problem is not None:
        raise suite.problem
    return suite
