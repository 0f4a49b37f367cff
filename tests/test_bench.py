"""The benchmarks: every workload can run, on a little data, as whom it is measured. How fast is for `make bench`."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from forge_db.bench import comparison, data, special
from forge_db.bench.sizes import Size
from forge_db.bench.stage import HOT_USER, Stage
from forge_db.cli import main
from forge_db.server import Server
from harness.databases import Database

pytestmark = pytest.mark.one_platform

LITTLE = Size(users=20, logged=50, prompts=60, rounds=1, seconds=1)
WORKLOADS = comparison.workloads()
# Each once, in the order in which they are asked for.
FILES = list(dict.fromkeys(["load.sql", *(name for workload in WORKLOADS.values() for name in workload["needs"])]))


def run(database: Database, script: str, *, as_owner: bool) -> None:
    """What pgbench would send, once."""
    statements = re.sub(r"^\\set .*$", "", script, flags=re.MULTILINE)
    statements = re.sub(r"(?<!:):[a-z]+\b", "7", statements)
    with database.connect("postgres" if as_owner else "authenticator", autocommit=True) as connection:
        if not as_owner:
            connection.execute("set role authenticated")
            connection.execute("select set_config('request.jwt.claims', %s, false)", [HOT_USER])
        connection.execute(statements.encode())


def test_every_workload_runs(scratch: Database) -> None:
    for name in FILES:
        with scratch.connect(data.account(name), autocommit=True) as connection:
            data.load(connection, name, LITTLE)
    for workload in WORKLOADS.values():
        for side in ("ours", "floor", "baseline"):
            for statement in (*workload.get("setup", []), *workload.get(f"{side}_setup", [])):
                with scratch.connect(autocommit=True) as owner:
                    owner.execute(statement)
            if side in workload:
                run(scratch, workload[side], as_owner=side == "baseline" and workload.get("as_owner", False))
        for statement in workload.get("teardown", []):
            with scratch.connect(autocommit=True) as owner:
                owner.execute(statement)


def test_every_file_is_used() -> None:
    measured = "".join(path.read_text(encoding="utf-8") for path in Path(special.__path__[0]).glob("*.py"))
    files = {str(path.relative_to(data.FOLDER)) for path in data.FOLDER.rglob("*.sql")}
    assert set(FILES) <= files
    assert {name for name in files if f'"{name}"' not in measured} <= set(FILES)


def test_every_workload_has_one_bar() -> None:
    for name, workload in WORKLOADS.items():
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
    measured = Stage(cast(Server, None), LITTLE)
    monkeypatch.setattr(measured, "run", lambda *_: None)
    monkeypatch.setattr(measured, "pgbench", lambda script, **_: {"a": ours, "b": baseline}[script])
    result = comparison.compare(measured, "x", {"what": "x", "ours": "a", "baseline": "b"} | workload)
    assert result.holds is holds


def test_an_unknown_workload_is_a_wrong_call() -> None:
    said = CliRunner().invoke(main, ["bench", "--only", "misspelt"])
    assert said.exit_code == 2
    assert "there is no workload misspelt" in said.stderr
    assert all(name in said.stderr for name in WORKLOADS)
