"""A prompt is completed: how often that stays on its page, and what it costs in WAL."""

from collections.abc import Iterator

from forge_db.bench.results import NO_BAR, Result
from forge_db.bench.stage import Stage
from forge_db.server import SUPERUSER


def updates(stage: Stage) -> Iterator[Result]:
    """Pending prompts completed one by one, in ours and in the rulebook's table with its indexes."""
    stage.load(["baseline/rulebook_tables.sql", "baseline/rulebook.sql", "updates.sql"])
    prompts = min(stage.value("select count(*) from rulebook.prompt_history") // 2, 5_000)
    hot = dict.fromkeys(("public", "rulebook"), 1.0)
    wal = dict[tuple[str, str], float]()
    for first, answer in ((1, "null"), (prompts + 1, "'An answer.'")):
        for schema in hot:
            table = f"'{schema}.prompt_history'::regclass"
            stage.run(f"vacuum analyze {schema}.prompt_history")
            stage.run(f"select pg_stat_reset_single_table_counters({table})", user=SUPERUSER)
            before = stage.value("select pg_current_wal_insert_lsn()")
            stage.run(f"call bench.complete({table}, {first}, {first + prompts - 1}, {answer})")
            written = stage.value(f"select pg_current_wal_insert_lsn() - '{before}'::pg_lsn")
            wal[schema, answer] = float(written) / prompts
            share = f"select pg_stat_get_tuples_hot_updated({table})::float / pg_stat_get_tuples_updated({table})"
            hot[schema] = min(hot[schema], stage.value(share))
    what = f"{prompts:,} prompts completed one by one, against the rulebook's table"
    yield Result(
        "updates_hot", f"{what}: share of HOT updates", f"{hot['public']:.1%}", f"{hot['rulebook']:.1%}", "", "≥ 95%",
        hot["public"] >= 0.95,
    )  # fmt: skip
    for name, answer, with_what, bar in (
        ("updates_wal", "null", "", "≤ 0.85"),
        # Its words are kept for the search, which the rulebook does without.
        ("updates_wal_answer", "'An answer.'", " with an answer that can be found", NO_BAR),
    ):
        ours, baseline = wal["public", answer], wal["rulebook", answer]
        yield Result(
            name, f"{what}{with_what}: octets of WAL each", f"{ours:.0f}", f"{baseline:.0f}",
            f"{ours / baseline:.2f}", bar, bar == NO_BAR or ours <= 0.85 * baseline,
        )  # fmt: skip
