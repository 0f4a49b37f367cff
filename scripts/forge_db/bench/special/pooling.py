"""A pooler in front: many clients on few connections, against a connection for each of them."""

import statistics
from collections.abc import Iterator

import click

from forge_db.bench import pgbouncer
from forge_db.bench.cluster import SETTINGS
from forge_db.bench.results import Result, spread
from forge_db.bench.stage import Stage
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER

CONNECTIONS = 20
ROUNDS = 3
QUICK = 100  # clients; a thousand take long to log in
# Clients, and how many times the requests of so many direct connections there must be at least.
BARS = {10: 0.4, 100: 0.6, 1_000: 0.4}
PROMPTS = """
    insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input)
    select ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid, 'ape', 'A.P.E', 'm', 'openai', 'words'
    from generate_series(1, 100) as number, generate_series(1, 30)"""
# One request as PostgREST sends it: who asks, then a page of the history.
REQUEST = """
\\set user random(1, 100)
begin;
select set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', '{"sub":"00000000-0000-4000-8000-' || lpad(:user::text, 12, '0') || '"}', true);
select * from public.prompt_history order by created_at desc, id desc limit 20;
end;"""


def pooled(stage: Stage) -> Iterator[Result]:
    """Left out, with a word, where there is no PgBouncer."""
    try:
        pgbouncer.program()
    except ForgeError as missing:
        click.echo(f"pooling is left out: {missing.message}. {missing.hint}", err=True)
        return
    stage.run(PROMPTS, "vacuum analyze public.prompt_history")
    try:
        _restart(stage, 2 * max(BARS) + 50)  # those of the round before take a moment to end
        with pgbouncer.PgBouncer.before(
            stage.server, stage.database, connections=CONNECTIONS, clients=max(BARS) + 20
        ) as pooler:
            for clients, bar in BARS.items():
                if stage.size.quick and clients > QUICK:
                    continue
                yield _compared(stage, pooler.url, clients, bar)
    finally:
        _restart(stage, int(SETTINGS["max_connections"]))


def _compared(stage: Stage, pooler: str, clients: int, bar: float) -> Result:
    speeds: dict[str, list[float]] = {"ours": [], "baseline": []}
    urls = {"ours": pooler, "baseline": stage.server.url("authenticator", stage.database)}
    # Not for a time: a thousand clients need most of it to log in, and that is not what is measured.
    calls = max(5_000 * stage.size.seconds // clients, 10)
    for number in range(ROUNDS):
        for side in sorted(speeds, reverse=number % 2 == 0):
            speeds[side].append(stage.pgbench(REQUEST, clients=clients, calls=calls, url=urls[side]))
    ratio = statistics.median(speeds["ours"]) / statistics.median(speeds["baseline"])
    return Result(
        f"pooled_{clients}",
        f"history pages, {clients:,} clients on {CONNECTIONS} connections of a PgBouncer, against one for each",
        spread(speeds["ours"]), spread(speeds["baseline"]), f"{ratio:.2f}", f"≥ {bar}", ratio >= bar, speeds,
    )  # fmt: skip


def _restart(stage: Stage, connections: int) -> None:
    stage.run(f"alter system set max_connections = {connections}", user=SUPERUSER)
    stage.server.stop()
    stage.server.start()
