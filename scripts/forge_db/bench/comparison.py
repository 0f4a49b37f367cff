"""Two scripts that pgbench runs in turn: ours, and its baseline."""

import statistics
import tomllib
from collections.abc import Mapping
from typing import Any

from forge_db.bench import data, plans
from forge_db.bench.cluster import Cluster
from forge_db.bench.results import NO_BAR, OUT_OF_REACH, Result, spread
from forge_db.bench.stage import Stage

SIDES = ("ours", "baseline", "floor")


def workloads() -> dict[str, Mapping[str, Any]]:
    return tomllib.loads((data.FOLDER / "workloads.toml").read_text(encoding="utf-8"))


def stage_for(cluster: Cluster, workload: Mapping[str, Any]) -> Stage:
    """Where a workload runs: among all data, if it needs any of it."""
    large = {*data.GENERATED, *data.COPIES}
    stage = cluster.large if large & set(workload["needs"]) else cluster.small
    stage.load([name for name in workload["needs"] if name not in large])
    return stage


def paired(speeds: list[float], others: list[float]) -> float:
    """The median of the rounds' own ratios: what slows the machine down for a while slows both sides of a round."""
    return statistics.median(one / other for one, other in zip(speeds, others, strict=True))


def compare(stage: Stage, name: str, workload: Mapping[str, Any]) -> Result:
    """One workload against its baseline."""
    speeds: dict[str, list[float]] = {side: [] for side in SIDES if side in workload}
    explained: dict[str, plans.Explained] = {}
    for number in range(stage.size.rounds):
        for side in sorted(speeds, reverse=number % 2 == 0):
            stage.run(*workload.get("setup", []), *workload.get(f"{side}_setup", []))
            as_owner = side == "baseline" and workload.get("as_owner", False)
            if number == 0 and (found := plans.explain(stage, workload[side], as_owner=as_owner)):
                explained[side] = found
            speeds[side].append(stage.pgbench(workload[side], clients=workload.get("clients", 1), as_owner=as_owner))
    stage.run(*workload.get("teardown", []))
    ratio = paired(speeds["ours"], speeds["baseline"])
    # What comes through the same layers and does nothing there says how far any design could get.
    floor = paired(speeds["floor"], speeds["baseline"]) if "floor" in speeds else None
    best = f" (floor {floor:.2f})" if floor is not None else ""
    if "speed" in workload:
        bar, holds = f"≥ {workload['speed']}", ratio >= workload["speed"]
        if floor is not None and floor < workload["speed"]:
            bar, holds = f"{bar}{OUT_OF_REACH}", ratio >= floor / 2
    elif "time" in workload:
        ratio = 1 / ratio
        bar, holds = f"≤ {workload['time']}", ratio <= workload["time"]
    else:
        ratio, bar, holds = 1 / ratio, NO_BAR, True
    return Result(
        name, workload["what"], spread(speeds["ours"]), spread(speeds["baseline"]), f"{ratio:.2f}{best}", bar, holds,
        speeds, {side: it.buffers for side, it in explained.items()}, {side: it.plan for side, it in explained.items()},
    )  # fmt: skip
