"""The copy of an old installation's history."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg

from forge_db import migrations, paths, platform, sealing, upgrade
from forge_db.bench.data import script
from forge_db.bench.results import Result, seconds, spread
from forge_db.bench.stage import Stage
from forge_db.server import SUPERUSER


def upgraded(stage: Stage) -> Iterator[Result]:
    """A legacy history copied by the upgrade, against a bare insert … select into the same table with its indexes.

    The words for the search count as one of them, though they lie beside the table: nine tenths of the time is theirs.
    """
    rows, times = stage.size.prompts // 40, dict[str, list[float]](ours=[], baseline=[])
    folder = paths.ROOT / "tests" / "legacy"
    name = "bench_upgrade"
    url = stage.server.url("postgres", name)
    for number in range(min(stage.size.rounds, 2)):
        with psycopg.connect(stage.server.url(SUPERUSER), autocommit=True) as admin:
            admin.execute(f"drop database if exists {name} with (force)".encode())
        platform.install(stage.server.url(SUPERUSER), name, passwords=stage.server.passwords)
        with psycopg.connect(url, autocommit=True) as owner:
            for file in (folder / "tables.sql", folder / "history_fixed.sql"):
                owner.execute(file.read_bytes())
            owner.execute("select set_config('bench.prompts', %s, false)", [str(rows)])
            owner.execute(script("upgrade.sql").encode())
        with migrations.connect(url) as owner:
            upgrade.switch(owner, migrations.silent, paths.MIGRATIONS)
            sealing.have_encryption_key(owner)
            owner.execute(script("baseline/plain_copy.sql").encode())
            work: dict[str, Callable[[], Any]] = {
                "ours": partial(upgrade.copy, owner, migrations.silent),
                "baseline": partial(owner.execute, "call public.copy_plainly()"),
            }
            for side in sorted(work, reverse=number % 2 == 0):
                times[side].append(rows / seconds(work[side]))
    ours, baseline = (statistics.median(times[side]) for side in ("ours", "baseline"))
    what = f"the upgrade's copy of {rows:,} legacy prompts, against one plain insert into each of the same tables: time"
    yield Result(
        "upgrade", what, spread(times["ours"]), spread(times["baseline"]), f"{baseline / ours:.2f}", "≤ 3",
        baseline <= 3 * ours, times,
    )  # fmt: skip
