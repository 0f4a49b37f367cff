"""A new installation: the migrations, against the schema files in one run of psql."""

import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

from forge_db import migrations, paths, platform
from forge_db.bench.results import Result, seconds
from forge_db.bench.stage import Stage
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER

NAME = "measured_installation"
LIMIT = 2.0


def installation(stage: Stage) -> Iterator[Result]:
    """Each time in an empty database of the platform."""
    url = stage.server.url("postgres", NAME)
    work: dict[str, Callable[[], object]] = {
        "ours": partial(migrations.apply, url, paths.MIGRATIONS),
        "baseline": partial(_by_psql, stage, url),
    }
    times: dict[str, list[float]] = {side: [] for side in work}
    for number in range(stage.size.rounds):
        for side in sorted(work, reverse=number % 2 == 0):
            platform.install(stage.server.url(SUPERUSER), NAME, passwords=stage.server.passwords)
            times[side].append(seconds(work[side]))
            stage.run(f"drop database {NAME} with (force)", user=SUPERUSER)
    ours, baseline = (statistics.median(times[side]) for side in work)
    yield Result(
        "install", "forge-db apply in an empty database, against psql -1 of the eight schema files: time",
        f"{ours:.2f} s", f"{baseline:.2f} s", f"{ours / baseline:.2f}", "≤ 1.3", ours <= 1.3 * baseline, times,
    )  # fmt: skip
    yield Result("install_time", "the same in seconds", f"{ours:.2f} s", "", "", f"< {LIMIT:g} s", ours < LIMIT)


def _by_psql(stage: Stage, url: str) -> None:
    files = [f"--file={path}" for path in sorted(paths.SCHEMA.glob("*.sql"))]
    done = subprocess.run(
        [stage.server.binaries.tool("psql"), "-1Xq", "-v", "ON_ERROR_STOP=1", *files, url],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ForgeError(f"psql failed: {(done.stderr.strip().splitlines() or ['it gave no reason'])[-1]}")
