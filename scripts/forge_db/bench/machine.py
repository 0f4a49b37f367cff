"""What it was measured on, as far as somebody who compares has to know."""

import os
import platform
from pathlib import Path

from forge_db.bench.cluster import SETTINGS, Cluster
from forge_db.bench.resources import GB


def describe(cluster: Cluster) -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    stage = cluster.small
    settings = {"shared_buffers": str(stage.value("show shared_buffers")), "fsync": "on", "synchronous_commit": "on"}
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory / GB:.0f} GB",
        "system": f"{platform.system()} {platform.release()} on {platform.machine()}",
        "PostgreSQL": str(stage.value("show server_version")),
        "settings": ", ".join(f"{name} = {value}" for name, value in (settings | SETTINGS).items()),
        "busy": f"{os.getloadavg()[0]:.1f} processes beside it on average in the minute before it ended",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
