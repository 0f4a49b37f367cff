"""Fixtures: servers by version, platforms by grant regime, a database per worker, a transaction per test."""

import functools
import os
import re
import subprocess
from collections.abc import Callable, Iterator

import psycopg
import pytest
from pytest_postgresql import factories

from forge_db.errors import ForgeError
from harness import clusters, databases
from harness.clusters import Cluster
from harness.databases import REGIMES, SUPERUSER, Database, Platform
from harness.people import Person, sign_up
from harness.session import Session

# Which servers --------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--platform",
        action="append",
        metavar="pg17-explicit",
        help="run on this server and grant regime only (repeatable; default: see pytest_generate_tests)",
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    try:
        programs = [binaries.tool("postgres") for binaries in clusters.installed()]
    except ForgeError as error:
        return [f"servers: none. {explain(error)}"]
    versions = [subprocess.run([it, "--version"], capture_output=True, text=True, check=True).stdout for it in programs]
    left_out = re.findall(r"not (\w+)", config.option.markexpr or "")
    return [
        *([f"left out: {', '.join(left_out)}; `make help` names the target of each"] if left_out else []),
        *(f"server: {version.strip()} in {program}" for version, program in zip(versions, programs, strict=True)),
        f"platforms: {', '.join(chosen_platforms(config))}",
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for `platform` runs on every one that was chosen, what asks for `cluster` on every version of them.

    Unless told where to run, only who may do what, and what asks for it, is tried on every one: the rest on the first
    and the last, which differ in version and in regime, and so see each of both.
    """
    names = chosen_platforms(metafunc.config)
    if "platform" in metafunc.fixturenames:
        if metafunc.definition.get_closest_marker("one_platform"):
            names = names[:1]
        elif not metafunc.config.getoption("--platform") and not any(
            map(metafunc.definition.get_closest_marker, ("access", "every_platform"))
        ):
            names = list(dict.fromkeys([names[0], names[-1]]))
        metafunc.parametrize("platform", names, indirect=True, scope="session")
    elif "cluster" in metafunc.fixturenames:
        versions = list(dict.fromkeys(name.partition("-")[0] for name in names))
        metafunc.parametrize("cluster", versions, indirect=True, scope="session")


@functools.cache  # it is asked for each test
def chosen_platforms(config: pytest.Config) -> list[str]:
    try:
        known = [f"pg{binaries.version}-{regime}" for binaries in clusters.installed() for regime in REGIMES]
    except ForgeError:
        return ["no-server"]  # a test that needs one fails, and says what to do
    chosen: list[str] = config.getoption("--platform") or known
    if unknown := set(chosen) - set(known):
        raise pytest.UsageError(f"--platform: no {', '.join(sorted(unknown))} here; there is {', '.join(known)}")
    return chosen


def explain(error: ForgeError) -> str:
    return f"{error.message}. {error.hint or ''}".strip()


# Servers and databases ------------------------------------------------------------------------------------------------


def failure(error: ForgeError) -> BaseException:
    """What is wrong with the machine or the sources fails a test with the cure in one line, and never skips it."""
    return pytest.fail.Exception(explain(error), pytrace=False)


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[[str], Cluster]]:
    """Starts the server with this name, once. The last worker to leave stops it."""
    running: dict[str, Cluster] = {}

    def start_cluster(name: str) -> Cluster:
        if name not in running:
            chosen = {f"pg{binaries.version}": binaries for binaries in clusters.installed()}
            cluster = Cluster(chosen[name])
            cluster.acquire(databases.sweep)
            running[name] = cluster
        return running[name]

    yield start_cluster
    for cluster in running.values():
        cluster.release()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, start: Callable[[str], Cluster]) -> Cluster:
    """A running server of one version."""
    try:
        return start(request.param)
    except ForgeError as error:
        raise failure(error) from None


@pytest.fixture(scope="session")
def platform(request: pytest.FixtureRequest, start: Callable[[str], Cluster]) -> Platform:
    """A running server in one grant regime, with template databases built from the schema files as they are now."""
    name, _, regime = request.param.partition("-")
    try:
        return databases.prepare(start(name), regime)
    except ForgeError as error:
        raise failure(error) from None


@pytest.fixture(scope="session")
def connection(platform: Platform) -> Iterator[psycopg.Connection]:
    """To this worker's own copy of the template, as the superuser, who alone may speak as anyone in turn."""
    with (
        platform.clone(f"{os.getpid()}_worker") as database,
        database.connect(SUPERUSER, prepare_threshold=None) as connection,
    ):
        yield connection


@pytest.fixture
def db(connection: psycopg.Connection) -> Iterator[Session]:
    """A migrated and seeded database. What a test does in it is gone afterwards."""
    with connection.transaction(force_rollback=True):
        yield Session(connection)


# For what needs real logins and real commits: a copy of the template for one test, and a connection as its owner.
owner = factories.postgresql("platform")


@pytest.fixture
def scratch(platform: Platform, owner: psycopg.Connection) -> Database:
    """A migrated and seeded database of one's own."""
    return platform.database(owner.info.dbname)


@pytest.fixture
def empty_database(platform: Platform) -> Iterator[Database]:
    """A database of one's own with the platform and nothing of ours."""
    with platform.clone(f"{os.getpid()}_empty", migrated=False) as database:
        yield database


# The cast -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alice(db: Session) -> Person:
    """A user: the owner of what a test is about."""
    return sign_up(db, "alice@example.com")


@pytest.fixture
def bob(db: Session) -> Person:
    """Another user: the stranger."""
    return sign_up(db, "bob@example.com")


@pytest.fixture
def carol(db: Session) -> Person:
    """Staff."""
    return sign_up(db, "carol@example.com", role="app_admin")
