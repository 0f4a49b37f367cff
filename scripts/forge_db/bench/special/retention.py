"""Old months of usage logs go."""

import statistics
from collections.abc import Iterator
from functools import partial

from forge_db.bench.results import Result, seconds
from forge_db.bench.stage import Stage


def retention(stage: Stage) -> Iterator[Result]:
    """The oldest three of ten months go, against one DELETE of the same rows."""
    stage.load(["baseline/delete_retention.sql", "retention.sql"])
    rows, sides = stage.size.logged * 2 // 5, ("ours", "baseline")
    times: dict[str, list[float]] = {side: [] for side in sides}
    written: dict[str, list[float]] = {side: [] for side in sides}
    returned: list[float] = []
    work = {
        "ours": "select * from private.step_archive_usage('infinity')",
        "baseline": "delete from bench.plain_usage_logs where created_at < bench.retention_ends()",
    }
    size = "select coalesce(sum(pg_total_relation_size(relation)), 0)::bigint from private.usage_months('{}') {}"
    old = size.format("public.api_usage_logs", "where ends <= bench.retention_ends()")
    whole = size.format("public.api_usage_logs", "")
    for number in range(min(stage.size.rounds, 2)):  # filling them takes minutes
        stage.run(f"call bench.fill_usage_logs({rows})", "vacuum analyze bench.plain_usage_logs")
        before, going = stage.value(whole), stage.value(old)
        for side in sorted(sides, reverse=number % 2 == 0):
            begin = stage.value("select pg_current_wal_insert_lsn()::text")
            times[side].append(seconds(partial(stage.run, work[side])))
            written[side].append(float(stage.value(f"select pg_current_wal_insert_lsn() - '{begin}'::pg_lsn")))
        returned.append((before - stage.value(whole)) / going)
    what = f"the oldest 3 of 10 months of {rows:,} usage logs go, against one DELETE"
    for name, unit, figures, share in (("retention", "s", times, 5), ("retention_wal", " octets", written, 500)):
        ours, baseline = (statistics.median(figures[side]) for side in sides)
        in_seconds = unit == "s"
        shown = [f"{figure:,.3f}{unit}" if in_seconds else f"{figure:,.0f}{unit}" for figure in (ours, baseline)]
        yield Result(
            name, f"{what}: {'time' if in_seconds else 'WAL'}", shown[0], shown[1], f"1/{baseline / ours:,.0f}",
            f"≤ 1/{share}", ours * share <= baseline, figures,
        )  # fmt: skip
    yield Result(
        "retention_space", f"{what}: share of their space that is given back", f"{min(returned):.1%}", "", "", "≥ 95%",
        min(returned) >= 0.95,
    )  # fmt: skip
