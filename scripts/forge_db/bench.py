"""What the schema costs, as ratios: each workload against its baseline, interleaved in one run on a server of its own.

Durability is on, the order is reversed every other round, and the medians are compared: a ratio says more than a
figure, which depends on the machine. The workloads are in sql/bench/.
"""

import json
import os
import statistics
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import psycopg

from forge_db import binaries, migrations, paths, platform, sealing, upgrade
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER, Server

FOLDER = paths.ROOT / "sql" / "bench"
HOME = paths.STATE / "bench"
DATABASE = "bench"
# Memory for the data, room for the clients, and nothing in the background that would fall into one round only.
SETTINGS = {
    "shared_buffers": "512MB",
    "max_connections": "100",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
    "random_page_cost": "1.1",
}
HOT_USER = '{"sub":"00000000-0000-4000-8000-000000000001","role":"authenticated"}'


@dataclass(frozen=True)
class Size:
    """How much data, and how long to look."""

    users: int
    logged: int
    prompts: int
    rounds: int
    seconds: int

    def settings(self) -> dict[str, str]:
        return {f"bench.{name}": str(getattr(self, name)) for name in ("users", "logged", "prompts")}


FULL = Size(users=10_000, logged=300_000, prompts=1_000_000, rounds=7, seconds=5)
QUICK = Size(users=1_000, logged=20_000, prompts=40_000, rounds=3, seconds=1)


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    name: str
    what: str
    ours: str
    baseline: str
    ratio: str
    bar: str
    holds: bool
    measured: Mapping[str, list[float]] = field(default_factory=dict)


class Bench:
    """A running server with a database in it, and a way to measure on it."""

    def __init__(self, server: Server, size: Size) -> None:
        self.server = server
        self.size = size
        self._loaded: set[str] = set()

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.server.url(user, DATABASE), autocommit=True, prepare_threshold=None)

    def run(self, *statements: str, user: str = "postgres") -> None:
        with self.connect(user) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> Any:
        with self.connect() as owner:
            row = owner.execute(query.encode()).fetchone()
            return row and row[0]

    def load(self, files: list[str]) -> None:
        """Run files of sql/bench that have not been run yet."""
        for name in files:
            if name in self._loaded:
                continue
            click.echo(f"loading {name}", err=True)
            with self.connect(SUPERUSER if name == "history.sql" else "postgres") as connection:
                for setting, value in self.size.settings().items():
                    connection.execute("select set_config(%s, %s, false)", [setting, value])
                connection.execute((FOLDER / name).read_bytes())
            with self.connect() as owner:
                owner.execute("vacuum analyze public.prompt_history, private.prompt_search, public.api_configurations")
            self._loaded.add(name)

    def pgbench(self, script: str, *, clients: int = 1, as_owner: bool = False, calls: int | None = None) -> float:
        """Calls in a second of a script that several clients run at once."""
        options = "" if as_owner else f"-c role=authenticated -c request.jwt.claims={HOT_USER}"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            done = subprocess.run(
                [
                    self.server.binaries.tool("pgbench"),
                    *("--no-vacuum", "--protocol=prepared", f"--file={file.name}", f"--define=users={self.size.users}"),
                    *(f"--client={clients}", f"--jobs={min(clients, 2)}"),
                    f"--transactions={calls}" if calls else f"--time={self.size.seconds}",
                    self.server.url("postgres" if as_owner else "authenticator", DATABASE),
                ],
                env={**os.environ, "PGOPTIONS": options},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise ForgeError(f"pgbench failed: {(done.stderr.strip().splitlines() or ['it gave no reason'])[-1]}")
        return float(done.stdout.partition("tps = ")[2].split()[0])


def compare(bench: Bench, name: str, workload: Mapping[str, Any]) -> Result:
    """One workload against its baseline."""
    speeds: dict[str, list[float]] = {side: [] for side in ("ours", "baseline", "floor") if side in workload}
    for number in range(bench.size.rounds):
        for side in sorted(speeds, reverse=number % 2 == 0):
            bench.run(*workload.get("setup", []))
            as_owner = side == "baseline" and workload.get("as_owner", False)
            speeds[side].append(bench.pgbench(workload[side], clients=workload.get("clients", 1), as_owner=as_owner))
    ours, baseline = (statistics.median(speeds[side]) for side in ("ours", "baseline"))
    # What comes through the same layers and does nothing there says how far any design could get.
    best = f" (floor {statistics.median(speeds['floor']) / baseline:.2f})" if "floor" in speeds else ""
    if "speed" in workload:
        ratio, bar, holds = ours / baseline, f"≥ {workload['speed']}", ours / baseline >= workload["speed"]
    else:
        ratio, bar, holds = baseline / ours, f"≤ {workload['time']}", baseline / ours <= workload["time"]
    return Result(
        name, workload["what"], _spread(speeds["ours"]), _spread(speeds["baseline"]), f"{ratio:.2f}{best}", bar, holds,
        speeds,
    )  # fmt: skip


def _spread(speeds: list[float]) -> str:
    middle = statistics.median(speeds)
    return f"{middle:,.0f}/s ±{(max(speeds) - min(speeds)) / 2 / middle:.0%}"


# Workloads that are no comparison of two scripts ----------------------------------------------------------------------


def rate_limit_exact(bench: Bench) -> Iterator[Result]:
    """32 clients call 40 times each: exactly as many are allowed as the limit says."""
    bench.load(["rate_limits.sql"])
    script = "insert into bench.passed select 1 where (public.check_rate_limit('openai')).allowed;"
    wanted, found = 200, []
    for _ in range(20 if bench.size is FULL else 5):
        bench.run(f"call bench.set_rate_limits(0, 100000, {wanted})")
        bench.pgbench(script, clients=32, calls=40)
        found.append(bench.value("select count(*) from bench.passed"))
    exact = found.count(wanted)
    yield Result(
        "rate_limit_exact", "check_rate_limit, 32 clients × 40 calls: runs in which exactly the limit passes",
        f"{exact} of {len(found)}", "", "", f"{len(found)} of {len(found)}", exact == len(found),
    )  # fmt: skip


def rate_limit_denied_wal(bench: Bench) -> Iterator[Result]:
    """A denial writes nothing."""
    bench.load(["rate_limits.sql"])
    bench.run("call bench.set_rate_limits(1000, 100000, 1000)")
    script = "select * from public.check_rate_limit('openai');"
    bench.pgbench(script, calls=100)  # what is left of the updates before is tidied up here
    before = bench.value("select pg_current_wal_insert_lsn()")
    bench.pgbench(script, clients=4, calls=500)
    written = bench.value(f"select pg_current_wal_insert_lsn() - '{before}'::pg_lsn")
    yield Result(
        "rate_limit_denied_wal", "check_rate_limit, denied 2,000 times: octets of WAL", f"{written}", "", "", "0",
        written == 0,
    )  # fmt: skip


def rate_limit_growth(bench: Bench) -> Iterator[Result]:
    """The counters stay on their pages, however often they count."""
    bench.load(["rate_limits.sql"])
    size = "select pg_relation_size('private.rate_limit_counters')"
    bench.run(
        "call bench.set_rate_limits(0, 100000, 10000000)",
        "insert into private.rate_limit_counters "
        "select id, 'openai', date_trunc('minute', now()), 0, date_trunc('day', now(), 'UTC'), 0 from auth.users "
        "on conflict do nothing",
        "vacuum full private.rate_limit_counters",
    )
    bench.run("select pg_stat_reset_single_table_counters('private.rate_limit_counters'::regclass)", user=SUPERUSER)
    before = bench.value(size)
    calls = 10 * bench.size.users
    script = """
\\set user random(1, :users)
select set_config('request.jwt.claims', '{"sub":"' || bench.user_id(:user) || '"}', true);
select * from public.check_rate_limit('openai');"""
    bench.pgbench(f"begin;{script}\nend;", clients=8, calls=calls // 8)
    after = bench.value(size)
    hot = bench.value(
        "select n_tup_hot_upd::float / nullif(n_tup_upd, 0) from pg_stat_user_tables "
        "where relname = 'rate_limit_counters'"
    )
    what = f"check_rate_limit, {calls:,} updates of {bench.size.users:,} counters"
    yield Result("rate_limit_growth", f"{what}: size afterwards", f"{after // 8192} pages", f"{before // 8192} pages",
                 f"{after / before:.2f}", "≤ 2", after <= 2 * before)  # fmt: skip
    yield Result("rate_limit_hot", f"{what}: share of HOT updates", f"{hot:.1%}", "", "", "≥ 98%", hot >= 0.98)


def rotation(bench: Bench) -> Iterator[Result]:
    """Sealing every key anew, in batches, against plain updates of the same rows; the floor only opens and seals."""
    bench.load(["keys.sql"])
    rows, times = bench.size.users, dict[str, list[float]](ours=[], flag=[], column=[], floor=[])
    work: dict[str, Callable[[], None]] = {
        "ours": lambda: _rotate(bench),
        "flag": lambda: bench.run("update public.api_configurations set is_validated = is_validated"),
        "column": lambda: bench.run("update public.api_configurations set api_key_encrypted = api_key_encrypted"),
        "floor": lambda: bench.run(
            "select count(private.seal_api_key(item.user_id, item.provider, private.unseal_api_key("
            "item.api_key_encrypted, item.user_id, item.provider, known.secret), known.key_id, known.secret)) "
            "from public.api_configurations as item cross join private.encryption_keys() as known "
            "where known.is_current"
        ),
    }
    for number in range(bench.size.rounds):
        for side in sorted(work, reverse=number % 2 == 0):
            if side == "ours":
                bench.run("select private.change_encryption_key()")
            bench.run("vacuum public.api_configurations")
            times[side].append(rows / _seconds(work[side]))
    ours, floor = (statistics.median(times[side]) for side in ("ours", "floor"))
    for name, side, updated in (
        ("rotation", "flag", "one plain update of the same rows"),
        ("rotation_column", "column", "one update that writes back the same column of the same rows"),
    ):
        baseline = statistics.median(times[side])
        yield Result(
            name, f"rotate_api_keys, {rows:,} keys, against {updated}", _spread(times["ours"]), _spread(times[side]),
            f"{ours / baseline:.2f} (floor {floor / baseline:.2f})", "≥ 0.3", ours / baseline >= 0.3, times,
        )  # fmt: skip


def _rotate(bench: Bench) -> None:
    with bench.connect() as owner:
        sealing.rotate(owner, 1000, lambda _: None)


def retention(bench: Bench) -> Iterator[Result]:
    """The oldest three of ten months go, against one DELETE of the same rows."""
    bench.load(["retention.sql"])
    rows, sides = 5 * bench.size.prompts, ("ours", "baseline")
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
    for number in range(min(bench.size.rounds, 2)):  # filling them takes minutes
        bench.run(f"call bench.fill_usage_logs({rows})", "vacuum analyze bench.plain_usage_logs")
        before, going = bench.value(whole), bench.value(old)
        for side in sorted(sides, reverse=number % 2 == 0):
            begin = bench.value("select pg_current_wal_insert_lsn()::text")
            times[side].append(_seconds(partial(bench.run, work[side])))
            written[side].append(float(bench.value(f"select pg_current_wal_insert_lsn() - '{begin}'::pg_lsn")))
        returned.append((before - bench.value(whole)) / going)
    what = f"the oldest 3 of 10 months of {rows:,} usage logs go, against one DELETE"
    for name, unit, figures, share in (("retention", "s", times, 5), ("retention_wal", " octets", written, 500)):
        ours, baseline = (statistics.median(figures[side]) for side in sides)
        seconds = unit == "s"
        shown = [f"{figure:,.3f}{unit}" if seconds else f"{figure:,.0f}{unit}" for figure in (ours, baseline)]
        yield Result(
            name, f"{what}: {'time' if seconds else 'WAL'}", shown[0], shown[1], f"1/{baseline / ours:,.0f}",
            f"≤ 1/{share}", ours * share <= baseline, figures,
        )  # fmt: skip
    yield Result(
        "retention_space", f"{what}: share of their space that is given back", f"{min(returned):.1%}", "", "", "≥ 95%",
        min(returned) >= 0.95,
    )  # fmt: skip


def _seconds(work: Callable[[], None]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def rollups(bench: Bench) -> Iterator[Result]:
    """A day's new calls rolled up, beside little and much history, against refreshing a materialized view."""
    bench.load(["rollups.sql"])
    per_day, little, much = (20_000, 50, 200) if bench.size is FULL else (200, 5, 20)
    step = "select rows from private.step_roll_up_usage(null)"
    new = f"call bench.log_new_calls({per_day // 4}, {bench.size.users})"
    filled, seconds = 0, dict[int, list[float]]()
    views: list[float] = []
    for days in (little, much):
        bench.run(f"select private.ensure_api_usage_months(current_date - {days}, {days // 28 + 2})")
        # Nobody logs a million calls of last month: without triggers, and the first run counts every day.
        bench.run(
            "set session_replication_role = replica",
            f"call bench.log_calls({per_day}, {filled}, {days - 1}, {bench.size.users})",
            "delete from private.rollups where source = 'usage'",
            user=SUPERUSER,
        )
        filled = days
        # The same rows a day: without what the rounds before have logged.
        bench.run(
            "delete from public.api_usage_logs where endpoint = '/new'",
            *("vacuum analyze public.api_usage_logs", step, "vacuum analyze private.user_usage_daily"),
        )
        if days == little:
            bench.run("refresh materialized view bench.user_usage")
        seconds[days] = []
        for _ in range(bench.size.rounds):
            bench.run(new)
            seconds[days].append(_seconds(lambda: bench.run(step)))
            if days == little and len(views) < 3:
                views.append(_seconds(lambda: bench.run("refresh materialized view concurrently bench.user_usage")))
    few, many, view = (statistics.median(it) for it in (seconds[little], seconds[much], views))
    rows = per_day * little
    yield Result(
        "rollup_growth", f"a day's calls rolled up, {rows * much // little:,} rows against {rows:,}",
        f"{many:.3f} s", f"{few:.3f} s", f"{many / few:.2f}", "≤ 1.25", many <= 1.25 * few,
        {"ours": seconds[much], "baseline": seconds[little]},
    )  # fmt: skip
    yield Result(
        "rollup_view", f"the same against refreshing a materialized view by user, {rows:,} rows",
        f"{few:.3f} s", f"{view:.3f} s", f"{view / few:.0f}", "≥ 30", view >= 30 * few,
        {"ours": seconds[little], "baseline": views},
    )  # fmt: skip
    again = bench.value(step)
    yield Result("rollup_again", "rows that a second run writes", f"{again}", "", "", "0", again == 0)
    bench.run("truncate public.api_usage_logs")


def upgraded(bench: Bench) -> Iterator[Result]:
    """A legacy history copied by the upgrade, against a bare insert … select into the same table with its indexes.

    The words for the search count as one of them, though they lie beside the table: nine tenths of the time is theirs.
    """
    rows, times = bench.size.prompts, dict[str, list[float]](ours=[], baseline=[])
    folder = paths.ROOT / "tests" / "legacy"
    name = "bench_upgrade"
    url = bench.server.url("postgres", name)
    for number in range(min(bench.size.rounds, 3)):
        with psycopg.connect(bench.server.url(SUPERUSER), autocommit=True) as admin:
            admin.execute(f"drop database if exists {name} with (force)".encode())
        platform.install(bench.server.url(SUPERUSER), name, passwords=bench.server.passwords)
        with psycopg.connect(url, autocommit=True) as owner:
            for file in (folder / "tables.sql", folder / "history_fixed.sql"):
                owner.execute(file.read_bytes())
            owner.execute("select set_config('bench.prompts', %s, false)", [str(rows)])
            owner.execute((FOLDER / "upgrade.sql").read_bytes())
        with migrations.connect(url) as owner:
            upgrade.switch(owner, migrations.silent, paths.MIGRATIONS)
            sealing.have_encryption_key(owner)
            owner.execute((FOLDER / "upgrade_baseline.sql").read_bytes())
            work: dict[str, Callable[[], Any]] = {
                "ours": partial(upgrade.copy, owner, migrations.silent),
                "baseline": partial(owner.execute, "call public.copy_plainly()"),
            }
            for side in sorted(work, reverse=number % 2 == 0):
                times[side].append(rows / _seconds(work[side]))
    ours, baseline = (statistics.median(times[side]) for side in ("ours", "baseline"))
    what = f"the upgrade's copy of {rows:,} legacy prompts, against one plain insert into each of the same tables: time"
    yield Result(
        "upgrade", what, _spread(times["ours"]), _spread(times["baseline"]), f"{baseline / ours:.2f}", "≤ 3",
        baseline <= 3 * ours, times,
    )  # fmt: skip


SPECIAL: dict[str, Callable[[Bench], Iterator[Result]]] = {
    "rate_limit_exact": rate_limit_exact,
    "rate_limit_denied_wal": rate_limit_denied_wal,
    "rate_limit_growth": rate_limit_growth,
    "rotation": rotation,
    "retention": retention,
    "rollups": rollups,
    "upgrade": upgraded,
}


# The command ----------------------------------------------------------------------------------------------------------


def workloads() -> dict[str, Mapping[str, Any]]:
    return tomllib.loads((FOLDER / "workloads.toml").read_text(encoding="utf-8"))


@click.command("bench")
@click.option("--quick", is_flag=True, help="Little data and short rounds, to see that everything runs; never fails.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this workload (repeatable).")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every measurement there as well.")
def command(quick: bool, only: tuple[str, ...], file: Path | None) -> None:
    """Measure the schema against its baselines, on a server of its own with durability on.

    Exit status 1 when a bar does not hold. Close other programs first: they take part in the measurement.

    \b
    Examples:
      forge-db bench --quick
      forge-db bench --only search_rare --only search_common
      forge-db bench --json results.json
    """
    compared = workloads()
    names = [*SPECIAL, *compared]
    if unknown := set(only) - set(names):
        raise click.UsageError(f"there is no workload {', '.join(sorted(unknown))}; there is {', '.join(names)}")
    results: list[Result] = []
    with _running(QUICK if quick else FULL) as bench:
        for name in names:
            if only and name not in only:
                continue
            click.echo(f"measuring {name}", err=True)
            if name in SPECIAL:
                results.extend(SPECIAL[name](bench))
            else:
                bench.load(compared[name]["needs"])
                results.append(compare(bench, name, compared[name]))
    _show(results)
    if file:
        file.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n", encoding="utf-8")
    if not quick and not all(result.holds for result in results):
        raise ForgeError("a bar does not hold", "Run it again on a quiet machine before believing it.")


commands: list[click.Command] = [command]


@contextmanager
def _running(size: Size) -> Iterator[Bench]:
    server = Server(HOME, binaries.find())
    server.destroy()  # whatever an interrupted run has left
    server.start()
    try:
        with psycopg.connect(server.url(SUPERUSER, "template1"), autocommit=True) as admin:
            for name, value in SETTINGS.items():
                admin.execute(f"alter system set {name} = '{value}'".encode())
        server.stop()
        server.start()
        platform.install(server.url(SUPERUSER, "template1"), DATABASE, passwords=server.passwords)
        migrations.apply(server.url("postgres", DATABASE), paths.MIGRATIONS)
        bench = Bench(server, size)
        bench.load(["load.sql"])
        yield bench
    finally:
        server.destroy()


def _show(results: list[Result]) -> None:
    columns = [("workload", "ours", "baseline", "ratio", "bar", "verdict")]
    columns += [(it.name, it.ours, it.baseline, it.ratio, it.bar, "holds" if it.holds else "FAILS") for it in results]
    widths = [max(len(row[column]) for row in columns) for column in range(6)]
    for row in columns:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    click.echo()
    for result in results:
        click.echo(f"{result.name}: {result.what}")
