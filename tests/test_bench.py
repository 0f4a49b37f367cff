"""The benchmarks: every workload can run, on a little data, as whom it is measured. How fast is for `make bench`."""

import fcntl
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import click
import psycopg
import pytest
from click.testing import CliRunner

from forge_db.bench import cluster, comparison, data, document, growth, plans, resources, special
from forge_db.bench.kept import Kept
from forge_db.bench.results import NO_BAR, OUT_OF_REACH, Result
from forge_db.bench.sizes import FULL, QUICK, Size
from forge_db.bench.stage import Stage
from forge_db.cli import main
from forge_db.server import Server
from harness.databases import Database

pytestmark = pytest.mark.one_platform

LITTLE = Size(users=20, prompts=60, logged=50, rounds=1, seconds=1, quick=True)
WORKLOADS = comparison.workloads()
# Each once, in the order in which they are asked for.
FILES = list(
    dict.fromkeys(
        [
            *("load.sql", *data.GENERATED, *data.COPIES),
            *(name for workload in WORKLOADS.values() for name in workload["needs"]),
            *("growth.sql", "maintenance.sql"),
        ]
    )
)


def load(database: Database, *files: str) -> None:
    for name in files:
        with database.connect(data.account(name), autocommit=True) as connection:
            data.load(connection, name, LITTLE)


def owner_runs(database: Database, *statements: str) -> None:
    with database.connect(autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


def run(database: Database, script: str, *, as_owner: bool) -> plans.Explained | None:
    """What pgbench would send, explained where that is possible."""
    with database.connect("postgres" if as_owner else "authenticator", autocommit=True) as connection:
        return plans.explained(connection, script, as_owner=as_owner, times=1)


def test_every_workload_runs(scratch: Database) -> None:
    load(scratch, *FILES)
    for name, workload in WORKLOADS.items():
        for side in comparison.SIDES:
            owner_runs(scratch, *workload.get("setup", []), *workload.get(f"{side}_setup", []))
            if side in workload:
                as_owner = side == "baseline" and workload.get("as_owner", False)
                assert run(scratch, workload[side], as_owner=as_owner), (name, side)
        owner_runs(scratch, *workload.get("teardown", []))
    for name, workload in growth.workloads().items():
        assert run(scratch, workload["ours"], as_owner=False), name
    owner_runs(scratch, f"call bench.work_for_a_day(40, {LITTLE.users})", "call bench.forget_the_day()")


def test_every_file_is_used() -> None:
    folder = Path(special.__path__[0]).parent
    measured = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    files = {str(path.relative_to(data.FOLDER)) for path in data.FOLDER.rglob("*.sql")}
    assert set(FILES) <= files
    assert {name for name in files if f'"{name}"' not in measured} <= set(FILES)


def test_every_workload_has_one_bar_unless_it_is_there_to_compare_with() -> None:
    bars = {name: sum(bar in workload for bar in ("speed", "time")) for name, workload in WORKLOADS.items()}
    assert {name: count for name, count in bars.items() if count != 1} == {
        name: 0 for name in WORKLOADS if name.endswith("_snippet")
    }


@pytest.mark.parametrize(
    ("workload", "ours", "baseline", "holds"),
    [
        ({"speed": 2}, 20.0, 10.0, True),
        ({"speed": 2}, 19.0, 10.0, False),
        ({"time": 3}, 10.0, 30.0, True),
        ({"time": 3}, 10.0, 31.0, False),
        ({}, 10.0, 1000.0, True),
        ({"speed": 2, "floor": "c"}, 19.0, 10.0, False),  # the floor reaches 3
        ({"speed": 4, "floor": "c"}, 15.0, 10.0, True),
        ({"speed": 4, "floor": "c"}, 14.0, 10.0, False),
    ],
)
def test_a_bar_is_a_bar(
    monkeypatch: pytest.MonkeyPatch, workload: dict[str, Any], ours: float, baseline: float, holds: bool
) -> None:
    measured = Stage(cast(Server, None), LITTLE, "bench")
    monkeypatch.setattr(measured, "run", lambda *_: None)
    monkeypatch.setattr(plans, "explain", lambda *_, **__: plans.Explained("Result", 3))
    monkeypatch.setattr(measured, "pgbench", lambda script, **_: {"a": ours, "b": baseline, "c": 30.0}[script])
    result = comparison.compare(measured, "x", {"what": "x", "ours": "a", "baseline": "b"} | workload)
    assert result.holds is holds
    assert {side: result.buffers[side] for side in ("ours", "baseline")} == {"ours": 3, "baseline": 3}
    assert result.bar.endswith(OUT_OF_REACH) is ("floor" in workload and workload["speed"] > 3)


def test_what_slows_a_round_down_slows_both_of_its_sides() -> None:
    assert comparison.paired([10.0, 1.0, 10.0], [20.0, 2.0, 5.0]) == 0.5


def test_an_unknown_workload_is_a_wrong_call() -> None:
    said = CliRunner().invoke(main, ["bench", "--only", "misspelt"])
    assert said.exit_code == 2
    assert "there is no workload misspelt" in said.stderr
    assert all(name in said.stderr for name in WORKLOADS)
    assert all(name in said.stderr for name in growth.names())


# Data -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [100, 99_999, 200_001, 5_000_000])
@pytest.mark.parametrize("name", data.GENERATED)
def test_parts_are_all_rows_once(name: str, count: int) -> None:
    parts = data.parts(name, Size(users=1, prompts=count, logged=count, rounds=1, seconds=1))
    assert (parts[0].first, parts[-1].last) == (1, count)
    assert all(one.last + 1 == other.first for one, other in pairwise(parts))


def test_data_doubles_twice() -> None:
    shares = {share: sum(it.last - it.first + 1 for it in parts) for share, parts in data.quarters(FULL)}
    assert shares == {1: 1_750_000, 2: 3_500_000, 4: 7_000_000}


def test_a_load_that_was_interrupted_goes_on_where_it_was(scratch: Database) -> None:
    load(scratch, "load.sql")
    parts = [part for name in data.GENERATED for part in data.parts(name, LITTLE)]
    for share in (1, 2):
        data.load_parts(partial(connect, scratch), parts[: len(parts) * share // 2], LITTLE, "")
    rows = "select (select count(*) from public.prompt_history), (select count(*) from public.api_usage_logs)"
    with scratch.connect() as owner:
        assert owner.execute(rows).fetchone() == (LITTLE.prompts, LITTLE.logged)
        assert owner.execute("select count(*) from bench.loaded where name <> 'load.sql'").fetchone() == (len(parts),)


def test_a_part_that_fails_is_not_remembered(scratch: Database) -> None:
    load(scratch, "load.sql")
    owner_runs(scratch, "alter table public.prompt_history add constraint none_for_now check (false)")
    with pytest.raises(psycopg.errors.CheckViolation):
        data.load_parts(partial(connect, scratch), data.parts("history.sql", LITTLE), LITTLE, "")
    with scratch.connect() as owner:
        assert owner.execute("select count(*) from bench.loaded where name = 'history.sql'").fetchone() == (0,)


def connect(database: Database, user: str) -> psycopg.Connection:
    return database.connect(user, autocommit=True)


def test_rows_are_a_few_users_and_spread_over_the_months(scratch: Database) -> None:
    load(scratch, "load.sql")
    with scratch.connect() as owner:
        counted = owner.execute(
            "select bench.owner_of(number, 10000), count(*) from generate_series(1, 100000) as number group by 1"
        ).fetchall()
        shares = {str(user)[-5:].lstrip("0"): count for user, count in counted}
        assert [shares[user] for user in "123"] == [4600, 73, 4]
        assert shares["4"] > 10 * shares["9999"] > 0
        months = owner.execute(
            "select count(*) from generate_series(1, 14000) as number "
            "group by date_trunc('month', bench.moment(number))"
        ).fetchall()
        assert sum(count for (count,) in months) == 14_000
        assert sorted(months)[2:][0][0] > 850


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--prompts", "9" * 12], "of disk"), (["--quick", "--calls", "9" * 12], "of disk")]
)
def test_what_does_not_fit_is_said_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(cluster, "HOME", tmp_path / "bench")
    done = CliRunner().invoke(main, ["bench", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "--quick" in done.stderr
    assert not list(tmp_path.rglob("data"))


def test_memory_is_asked_for_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "memory_available", lambda: 100_000_000)
    with pytest.raises(click.UsageError, match=r"need 0\.6 GB of memory, and 0\.1 GB are available"):
        resources.demand(LITTLE, tmp_path, 0)
    assert resources.disk_wanted(FULL) > 2 * resources.disk_wanted(QUICK)


def test_two_at_once_would_measure_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "HOME", tmp_path)
    (tmp_path / "quick").mkdir()
    with (tmp_path / "quick" / "running").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = CliRunner().invoke(main, ["bench", "--quick"])
    assert (done.exit_code, "another forge-db bench is running" in done.stderr) == (1, True)


def test_what_was_measured_outlives_an_interruption(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    kept = Kept(file)
    kept.put("a", {"results": []})
    assert Kept(file).get("a") == {"results": []}
    assert Kept(file).get("b") is None
    file.write_text("{half")
    assert Kept(file).get("a") is None
    kept.forget()
    assert not file.exists()


@pytest.mark.parametrize(("times", "exponent"), [((1, 1, 1), 0), ((1, 2, 4), 1), ((4, 2, 1), -1), ((1, 4, 16), 2)])
def test_growth_is_an_exponent(times: tuple[float, ...], exponent: float) -> None:
    measured = {share: [time, time, 100 * time] for share, time in zip((1, 2, 4), times, strict=True)}
    assert growth.exponent(measured) == pytest.approx(exponent)


def test_pages_are_counted_once() -> None:
    plan = [
        "Limit (actual rows=1 loops=1)",
        "  Buffers: shared hit=30 read=12 dirtied=1, temp read=5 written=5",
        "  ->  Seq Scan on x",
        "        Buffers: shared hit=30 read=12",
    ]
    assert plans.touched(plan) == 42
    assert plans.touched(["Result"]) == 0


def test_a_design_that_is_unknown_cannot_be_undone() -> None:
    done = CliRunner().invoke(main, ["bench", "--undo", "misspelt"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no_composite_index" in done.stderr


# The document ---------------------------------------------------------------------------------------------------------


def test_the_document_is_what_was_measured() -> None:
    written = document.render(document.read())
    stale = [name for name, text in written.items() if (document.DOCS / name).read_text(encoding="utf-8") != text]
    assert not stale, "run `forge-db bench --redraw` and commit the result"


def test_what_one_machine_carries_is_reckoned() -> None:
    measured: dict[str, float] = {
        "limits": 2000,
        "prompt": 250,
        "log": 1000,
        "page": 4000,
        "prompt_space": 9750,
        "log_space": 250,
    }
    results = [
        asdict(Result(f"capacity_{name}", "", "", "", "", NO_BAR, True, {"ours": [it - 1, it, it + 100]}))
        for name, it in measured.items()
    ]
    carried = document.carried(results)
    assert carried
    assert carried["milliseconds"] == pytest.approx(0.5 + 4 + 1 + 0.25)
    assert carried["prompts"] == pytest.approx(1000 / 5.75)
    # 87 of them a second; three of each user's twenty in the busiest hour
    assert carried["users"] == pytest.approx(500 / 5.75 * 3600 / 3)
    assert carried["gigabytes"] == pytest.approx(carried["users"] * 20 * 10_000 / 1e9)
    assert carried["page_share"] == pytest.approx(0.25 / 5.75)
    found = {**document.read(), "results": results}
    page = document.render(found)["benchmarks.md"]
    assert "| `check_rate_limit()` | 2,000 | 1 |" in page
    assert "takes 5.8 ms of the machine, so it carries 170 prompts a second, or 87 when" in page
    assert "that is 100,000 users a day" in page
    assert "0 bars, of which 0 hold." in page


def test_every_line_of_a_run_is_in_the_document(tmp_path: Path) -> None:
    lines = [
        Result(
            "ours_wins", "a | b", "9/s", "1/s", "9.00", "≥ 3", True, {}, {"ours": 4, "baseline": 5}, {"ours": "Scan"}
        ),
        Result("ours_loses", "c", "1/s", "9/s", "9.00 (floor 4.00)", "≤ 3", False),
        Result("nobody_wins", "f", "1/s", "2/s", "0.50 (floor 0.90)", f"≥ 3{OUT_OF_REACH}", True),
        Result("growth_x", "d", "1, 1, 1 ms", "", "0.00", "≤ 0.1", True),
        Result("shown", "e", "1/s", "9/s", "9.00", NO_BAR, True),
    ]
    found: dict[str, Any] = {"made": "2026-01-02", "machine": {"processor": "one"}, "size": asdict(FULL)}
    found["results"] = [asdict(line) for line in lines]
    files = document.write(found, tmp_path)
    assert document.read(tmp_path) == found
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in document.write(found, tmp_path)] == before
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| `ours_wins` | 9/s | 1/s | 9.00 | ≥ 3 | holds | 4 / 5 |" in page
    assert "| 9.00 (floor 4.00) | ≤ 3 | **fails** |" in page
    assert "4 bars, of which 2 hold; these do not: `ours_loses`" in page
    assert "no design could meet, and ours is at more than half of the floor: `nobody_wins` (0.50" in page
    assert "| 0.50 (floor 0.90) | ≥ 3 (out of reach) |  |  |" in page
    assert "| `growth_x` | 1, 1, 1 ms | 0.00 | ≤ 0.1 | holds |" in page
    assert "| e | 1/s | 9/s | 9.00 |" in page
    chart = ElementTree.parse(tmp_path / "benchmarks.svg")
    drawn = " ".join(chart.getroot().itertext())
    assert "ours_wins" in drawn
    assert "growth_x" not in drawn
