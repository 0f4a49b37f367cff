"""What one machine carries: how many of each request that a prompt takes there are in a second."""

import statistics
from collections.abc import Iterator

from forge_db.bench.results import NO_BAR, Result, spread
from forge_db.bench.special.pooling import PROMPTS
from forge_db.bench.stage import Stage

CLIENTS = 8
WHO = "\\set user random(1, least(100, :users))\n\\set text random(0, 75)"
# As PostgREST sends it: who asks, and the request.
REQUEST = """
begin;
select set_config('request.jwt.claims', '{{"sub":"' || bench.user_id(:user) || '"}}', true);
{}
end;"""
# So many of the texts that every benchmark has, which are of a dozen words each.
WORDS = "(select string_agg(user_input, ' ') from bench.texts where number between :text and :text + {})"
# The requests of one prompt: what they are, and their statements.
REQUESTS = {
    "limits": ("check_rate_limit()", ["select * from public.check_rate_limit('openai');"]),
    "prompt": (
        "a prompt of 60 words stored, and then its answer of 300",
        [
            "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) "
            f"values (bench.user_id(:user), 'roses', 'R.O.S.E.S', 'gpt-4o', 'openai', {WORDS.format(4)}) "
            "returning id as prompt \\gset",
            "update public.prompt_history "
            f"set status = 'completed', ai_response = {WORDS.format(24)}, tokens_used = 700 "
            "where id = :prompt;",
        ],
    ),
    "log": (
        "log_api_usage()",
        ["select public.log_api_usage('openai', '/v1/chat/completions', 1200, 3400, 850, 200);"],
    ),
    "page": (
        "a page of 20 prompts",
        ["select * from public.prompt_history order by created_at desc, id desc limit 20;"],
    ),
}


# What stays of a request on the disk, with everything that is kept beside it: rows of this table are counted.
KEPT = {"prompt": "public.prompt_history", "log": "public.api_usage_logs"}


def capacity(stage: Stage) -> Iterator[Result]:
    """What docs/benchmarks.md reckons with, without a bar: how much is enough, its reader knows."""
    stage.run(
        "update public.system_config set value = '100000' where key = 'max_api_requests_per_minute'",
        "update public.system_config set value = '10000000' where key = 'max_api_requests_per_day'",
        "update public.api_providers set max_requests_per_minute = 100000, max_requests_per_day = 10000000",
        "grant select on bench.texts to authenticated",
        PROMPTS,
    )
    speeds: dict[str, list[float]] = {name: [] for name in REQUESTS}
    octets: dict[str, list[float]] = {name: [] for name in KEPT}
    for _ in range(stage.size.rounds):
        for name, (_, statements) in REQUESTS.items():
            before = _size(stage, name)
            speeds[name].append(stage.pgbench("\n".join([WHO, *map(REQUEST.format, statements)]), clients=CLIENTS))
            if name in KEPT:
                grown, rows = (after - was for after, was in zip(_size(stage, name), before, strict=True))
                octets[name].append(grown / rows)
    for name, (what, _) in REQUESTS.items():
        yield Result(
            f"capacity_{name}", f"{CLIENTS} clients: {what}", spread(speeds[name]), "", "", NO_BAR, True,
            {"ours": speeds[name]},
        )  # fmt: skip
    for name, each in octets.items():
        yield Result(
            f"capacity_{name}_space", f"what stays on the disk: {REQUESTS[name][0]}",
            f"{statistics.median(each):,.0f} octets", "", "", NO_BAR, True, {"ours": each},
        )  # fmt: skip


def _size(stage: Stage, name: str) -> tuple[int, int]:
    """The octets of the database, and the rows of a request's table."""
    return (
        stage.value("select pg_database_size(current_database())"),
        stage.value(f"select count(*) from {KEPT[name]}") if name in KEPT else 0,
    )
