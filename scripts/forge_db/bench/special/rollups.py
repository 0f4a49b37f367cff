"""The figures by day, and how they stay cheap while the log grows."""

import statistics
from collections.abc import Iterator

from forge_db.bench.results import Result, seconds
from forge_db.bench.stage import Stage
from forge_db.server import SUPERUSER


def rollups(stage: Stage) -> Iterator[Result]:
    """A day's new calls rolled up, beside little and much history, against refreshing a materialized view."""
    stage.load(["rollups.sql", "baseline/materialized_view.sql"])
    per_day, little, much = (200, 5, 20) if stage.size.quick else (stage.size.logged // 250, 50, 200)
    step = "select rows from private.step_roll_up_usage(null)"
    new = f"call bench.log_new_calls({per_day // 4}, {stage.size.users})"
    filled, taken = 0, dict[int, list[float]]()
    views: list[float] = []
    for days in (little, much):
        stage.run(f"select private.ensure_api_usage_months(current_date - {days}, {days // 28 + 2})")
        # Nobody logs a million calls of last month: without triggers, and the first run counts every day.
        stage.run(
            "set session_replication_role = replica",
            f"call bench.log_calls({per_day}, {filled}, {days - 1}, {stage.size.users})",
            "delete from private.rollups where source = 'usage'",
            user=SUPERUSER,
        )
        filled = days
        # The same rows a day: without what the rounds before have logged.
        stage.run(
            "delete from public.api_usage_logs where endpoint = '/new'",
            *("vacuum analyze public.api_usage_logs", step, "vacuum analyze private.user_usage_daily"),
        )
        if days == little:
            stage.run("refresh materialized view bench.user_usage")
        taken[days] = []
        for _ in range(stage.size.rounds):
            stage.run(new)
            taken[days].append(seconds(lambda: stage.run(step)))
            if days == little and len(views) < 3:
                views.append(seconds(lambda: stage.run("refresh materialized view concurrently bench.user_usage")))
    few, many, view = (statistics.median(it) for it in (taken[little], taken[much], views))
    rows = per_day * little
    yield Result(
        "rollup_growth", f"a day's calls rolled up, {rows * much // little:,} rows against {rows:,}",
        f"{many:.3f} s", f"{few:.3f} s", f"{many / few:.2f}", "≤ 1.25", many <= 1.25 * few,
        {"ours": taken[much], "baseline": taken[little]},
    )  # fmt: skip
    yield Result(
        "rollup_view", f"the same against refreshing a materialized view by user, {rows:,} rows",
        f"{few:.3f} s", f"{view:.3f} s", f"{view / few:.0f}", "≥ 30", view >= 30 * few,
        {"ours": taken[little], "baseline": views},
    )  # fmt: skip
    again = stage.value(step)
    yield Result("rollup_again", "rows that a second run writes", f"{again}", "", "", "0", again == 0)
    stage.run("truncate public.api_usage_logs")
