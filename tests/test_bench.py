"""The benchmarks: every workload can run, on a little data, as whom it is measured. How fast is for `make bench`."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from forge_db import bench
from forge_db.cli import main
from harness.databases import SUPERUSER, Database

pytestmark = pytest.mark.one_platform

LITTLE = bench.Size(users=20, logged=50, prompts=60, rounds=1, seconds=1)
FILES = ("load.sql", "rate_limits.sql", "usage.sql", "keys.sql", "audit.sql", "history.sql")


def run(database: Database, script: str, *, as_owner: bool) -> None:
    """What pgbench would send, once."""
    statements = re.sub(r"^\\set .*$", "", script, flags=re.MULTILINE)
    statements = re.sub(r"(?<!:):[a-z]+\b", "7", statements)
    with database.connect("postgres" if as_owner else "authenticator", autocommit=True) as connection:
        if not as_owner:
            connection.execute("set role authenticated")
            connection.execute("select set_config('request.jwt.claims', %s, false)", [bench.HOT_USER])
        connection.execute(statements.encode())


def test_every_workload_runs(scratch: Database) -> None:
    for name in FILES:
        with scratch.connect(SUPERUSER if name == "history.sql" else "postgres", autocommit=True) as connection:
            for setting, value in LITTLE.settings().items():
                connection.execute("select set_config(%s, %s, false)", [setting, value])
            connection.execute((bench.FOLDER / name).read_bytes())
    for workload in bench.workloads().values():
        assert set(workload["needs"]) <= set(FILES)
        for statement in workload.get("setup", []):
            with scratch.connect(autocommit=True) as owner:
                owner.execute(statement)
        run(scratch, workload["ours"], as_owner=False)
        if "floor" in workload:
            run(scratch, workload["floor"], as_owner=False)
        run(scratch, workload["baseline"], as_owner=workload.get("as_owner", False))


def test_every_file_is_used() -> None:
    used = {"load.sql", *(name for workload in bench.workloads().values() for name in workload["needs"])}
    special = Path(bench.__file__).read_text(encoding="utf-8")
    assert {path.name for path in bench.FOLDER.glob("*.sql") if f'"{path.name}"' not in special} <= used
    assert all((bench.FOLDER / name).exists() for name in used)


def test_every_workload_has_one_bar() -> None:
    for name, workload in bench.workloads().items():
        assert ("speed" in workload) is not ("time" in workload), name


@pytest.mark.parametrize(
    ("workload", "ours", "baseline", "holds"),
    [
        ({"speed": 2}, 20.0, 10.0, True),
        ({"speed": 2}, 19.0, 10.0, False),
        ({"time": 3}, 10.0, 30.0, True),
        ({"time": 3}, 10.0, 31.0, False),
    ],
)
def test_a_bar_is_a_bar(
    monkeypatch: pytest.MonkeyPatch, workload: dict[str, Any], ours: float, baseline: float, holds: bool
) -> None:
    measured = bench.Bench(None, LITTLE)  # type: ignore[arg-type]
    monkeypatch.setattr(measured, "run", lambda *_: None)
    monkeypatch.setattr(measured, "pgbench", lambda script, **_: {"a": ours, "b": baseline}[script])
    result = bench.compare(measured, "x", {"what": "x", "ours": "a", "baseline": "b"} | workload)
    assert result.holds is holds


def test_an_unknown_workload_is_a_wrong_call() -> None:
    said = CliRunner().invoke(main, ["bench", "--only", "misspelt"])
    assert said.exit_code == 2
    assert "there is no workload misspelt" in said.stderr
    assert all(name in said.stderr for name in bench.workloads())
