"""Two scripts that pgbench runs in turn: ours, and its baseline."""

import statistics
import tomllib
from collections.abc import Mapping
from typing import Any

from forge_db.bench.data import FOLDER
from forge_db.bench.results import Result, spread
from forge_db.bench.stage import Stage


def workloads() -> dict[str, Mapping[str, Any]]:
    return tomllib.loads((FOLDER / "workloads.toml").read_text(encoding="utf-8"))


def compare(stage: Stage, name: str, workload: Mapping[str, Any]) -> Result:
    """One workload against its baseline."""
    speeds: dict[str, list[float]] = {side: [] for side in ("ours", "baseline", "floor") if side in workload}
    for number in range(stage.size.rounds):
        for side in sorted(speeds, reverse=number % 2 == 0):
            stage.run(*workload.get("setup", []), *workload.get(f"{side}_setup", []))
            as_owner = side == "baseline" and workload.get("as_owner", False)
            speeds[side].append(stage.pgbench(workload[side], clients=workload.get("clients", 1), as_owner=as_owner))
    stage.run(*workload.get("teardown", []))
    ours, baseline = (statistics.median(speeds[side]) for side in ("ours", "baseline"))
    # What comes through the same layers and does nothing there says how far any design could get.
    best = f" (floor {statistics.median(speeds['floor']) / baseline:.2f})" if "floor" in speeds else ""
    if "speed" in workload:
        ratio, bar, holds = ours / baseline, f"≥ {workload['speed']}", ours / baseline >= workload["speed"]
    else:
        ratio, bar, holds = baseline / ours, f"≤ {workload['time']}", baseline / ours <= workload["time"]
    return Result(
        name, workload["what"], spread(speeds["ours"]), spread(speeds["baseline"]), f"{ratio:.2f}{best}", bar, holds,
        speeds,
    )  # fmt: skip
