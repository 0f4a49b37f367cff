"""The limiter under many clients: exact, silent when it denies, and small."""

from collections.abc import Iterator

from forge_db.bench.results import Result
from forge_db.bench.stage import Stage
from forge_db.server import SUPERUSER


def exact(stage: Stage) -> Iterator[Result]:
    """32 clients call 40 times each: exactly as many are allowed as the limit says."""
    stage.load(["rate_limits.sql"])
    script = "insert into bench.passed select 1 where (public.check_rate_limit('openai')).allowed;"
    wanted, found = 200, []
    for _ in range(5 if stage.size.quick else 20):
        stage.run(f"call bench.set_rate_limits(0, 100000, {wanted})")
        stage.pgbench(script, clients=32, calls=40)
        found.append(stage.value("select count(*) from bench.passed"))
    exact = found.count(wanted)
    yield Result(
        "rate_limit_exact", "check_rate_limit, 32 clients × 40 calls: runs in which exactly the limit passes",
        f"{exact} of {len(found)}", "", "", f"{len(found)} of {len(found)}", exact == len(found),
    )  # fmt: skip


def denied_wal(stage: Stage) -> Iterator[Result]:
    """A denial writes nothing."""
    stage.load(["rate_limits.sql"])
    stage.run("call bench.set_rate_limits(1000, 100000, 1000)")
    script = "select * from public.check_rate_limit('openai');"
    stage.pgbench(script, calls=100)  # what is left of the updates before is tidied up here
    written = min(_written(stage, script) for _ in range(3))
    yield Result(
        "rate_limit_denied_wal", "check_rate_limit, denied 2,000 times: octets of WAL", f"{written}", "", "", "0",
        written == 0,
    )  # fmt: skip


def _written(stage: Stage, script: str) -> int:
    """Octets of WAL, among them what the server writes by itself every fifteen seconds."""
    before = stage.value("select pg_current_wal_insert_lsn()")
    stage.pgbench(script, clients=4, calls=500)
    return int(stage.value(f"select pg_current_wal_insert_lsn() - '{before}'::pg_lsn"))


def growth(stage: Stage) -> Iterator[Result]:
    """The counters stay on their pages, however often they count."""
    stage.load(["rate_limits.sql"])
    size = "select pg_relation_size('private.rate_limit_counters')"
    stage.run(
        "call bench.set_rate_limits(0, 100000, 10000000)",
        "insert into private.rate_limit_counters "
        "select id, 'openai', date_trunc('minute', now()), 0, date_trunc('day', now(), 'UTC'), 0 from auth.users "
        "on conflict do nothing",
        "vacuum full private.rate_limit_counters",
    )
    stage.run("select pg_stat_reset_single_table_counters('private.rate_limit_counters'::regclass)", user=SUPERUSER)
    before = stage.value(size)
    calls = 10 * stage.size.users
    script = """
\\set user random(1, :users)
select set_config('request.jwt.claims', '{"sub":"' || bench.user_id(:user) || '"}', true);
select * from public.check_rate_limit('openai');"""
    stage.pgbench(f"begin;{script}\nend;", clients=8, calls=calls // 8)
    after = stage.value(size)
    hot = stage.value(
        "select n_tup_hot_upd::float / nullif(n_tup_upd, 0) from pg_stat_user_tables "
        "where relname = 'rate_limit_counters'"
    )
    what = f"check_rate_limit, {calls:,} updates of {stage.size.users:,} counters"
    yield Result("rate_limit_growth", f"{what}: size afterwards", f"{after // 8192} pages", f"{before // 8192} pages",
                 f"{after / before:.2f}", "≤ 2", after <= 2 * before)  # fmt: skip
    yield Result("rate_limit_hot", f"{what}: share of HOT updates", f"{hot:.1%}", "", "", "≥ 98%", hot >= 0.98)
