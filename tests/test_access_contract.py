"""The access contract holds: every role, on every table, kind of row, column and function, tried with real statements.

What the contract says is in access_contract.toml, how it is tried in scripts/forge_db/access, how to read a failure in
docs/access-testing.md.
"""

from collections.abc import Iterator

import psycopg
import pytest

from forge_db.access import contract, prober
from forge_db.access.contract import Contract
from forge_db.access.prober import Case
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError

pytestmark = pytest.mark.access


def load() -> Contract:
    try:
        return contract.load()
    except ForgeError as error:
        raise pytest.Collector.CollectError(f"{error.message}. {error.hint or ''}") from error


CONTRACT = load()


@pytest.fixture(scope="module")
def stage(connection: psycopg.Connection) -> Iterator[Stage]:
    """Accounts for every role. Each case takes back what it does, so all of them may share it."""
    with Stage.on(connection, CONTRACT) as stage:
        yield stage


@pytest.mark.parametrize("case", prober.cases(CONTRACT), ids=lambda case: case.name)
def test_database_does_what_the_contract_says(stage: Stage, case: Case) -> None:
    report = case.run(stage)
    if report.failures:
        pytest.fail(str(report), pytrace=False)


def test_every_role_and_table_has_its_case() -> None:
    names = {case.name for case in prober.cases(CONTRACT)}
    tables = {name.removeprefix("public.") for name in CONTRACT.tables}
    assert len(CONTRACT.roles) == 5
    assert {f"{table}-{role}" for table in tables for role in CONTRACT.roles} < names
