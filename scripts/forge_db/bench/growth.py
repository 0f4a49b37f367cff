"""How a cost grows: one call with one, two and four times the data, and the power of the rows that fits its time."""

import math
import statistics
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from forge_db.bench import data
from forge_db.bench.cluster import Cluster
from forge_db.bench.results import Result, seconds
from forge_db.bench.stage import Stage
from forge_db.errors import ForgeError

MAINTENANCE = "growth_maintenance"
MAINTENANCE_BAR = 1.05


def workloads() -> dict[str, Mapping[str, Any]]:
    return tomllib.loads((data.FOLDER / "growth.toml").read_text(encoding="utf-8"))


def names() -> list[str]:
    return [*workloads(), MAINTENANCE]


def measure(name: str, cluster: Cluster) -> Iterator[Result]:
    return maintenance(cluster) if name == MAINTENANCE else calls(name, cluster)


def exponent(times: Mapping[int, Sequence[float]]) -> float:
    """The slope of the medians where both scales are logarithmic: 0 if rows cost nothing, 1 if each costs the same."""
    rows = [math.log(share) for share in times]
    return statistics.linear_regression(rows, [math.log(statistics.median(it)) for it in times.values()]).slope


def result(name: str, what: str, times: Mapping[int, list[float]], bar: float) -> Result:
    found = exponent(times)
    shown = ", ".join(f"{statistics.median(it) * 1000:,.3g}" for it in times.values())
    return Result(
        name, f"{what}: milliseconds with {', '.join(f'{share}×' for share in times)} the data, and the exponent",
        f"{shown} ms", "", f"{found:.2f}", f"≤ {bar}", found <= bar,
        {f"{share}×": it for share, it in times.items()},
    )  # fmt: skip


def calls(name: str, cluster: Cluster) -> Iterator[Result]:
    workload = workloads()[name]
    clients = workload.get("clients", 1)
    for stage in cluster.grown.values():
        stage.load(["growth.sql"])
    times: dict[int, list[float]] = {share: [] for share in cluster.grown}
    for number in range(cluster.size.rounds + 1 if not cluster.size.quick else 1):
        for share in sorted(times, reverse=number % 2 == 0):
            speed = cluster.grown[share].pgbench(workload["ours"], clients=clients)
            if number or cluster.size.quick:  # the first round reads what is not in memory yet
                times[share].append(clients / speed)
    yield result(name, workload["what"], times, workload["exponent"])


def maintenance(cluster: Cluster) -> Iterator[Result]:
    """A day with one, two and four times the rows, in an installation that has no others."""
    day = cluster.size.logged // 200
    times: dict[int, list[float]] = {1: [], 2: [], 4: []}
    with cluster.apart("maintenance") as stage:
        stage.load(["maintenance.sql"])
        for number in range(min(cluster.size.rounds, 3)):
            for share in sorted(times, reverse=number % 2 == 0):
                _maintain(stage)  # what the round before has removed
                stage.run(f"call bench.work_for_a_day({share * day}, {cluster.size.users})")
                times[share].append(seconds(partial(_maintain, stage)))
                stage.run("call bench.forget_the_day()", "vacuum analyze")
    what = (
        f"daily_maintenance() after a day of {day:,} calls and {day // 4:,} prompts, and twice and four times as many"
    )
    yield result(MAINTENANCE, what, times, MAINTENANCE_BAR)


def _maintain(stage: Stage) -> None:
    status = stage.value("select public.daily_maintenance() ->> 'status'")
    if status != "ok":
        raise ForgeError(f"daily_maintenance() ended with {status}", "`select public.daily_maintenance()` says why.")
