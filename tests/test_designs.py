"""Figures that are the same on any machine hold their bars, and leave them when the design they rest on is undone.

How fast is for `make bench`; pages touched, octets of WAL and the share of HOT updates need no quiet machine.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from forge_db.bench import comparison, data, plans
from forge_db.bench.sizes import Size
from forge_db.bench.stage import HOT_USER
from harness.databases import SUPERUSER, Platform

pytestmark = pytest.mark.one_platform

SIZE = Size(users=500, prompts=8_000, logged=2_000, rounds=1, seconds=1, quick=True)
DESIGNS: dict[str, dict[str, Any]] = tomllib.loads((data.FOLDER / "designs.toml").read_text(encoding="utf-8"))
OWN = "user_id = '00000000-0000-4000-8000-000000000001'"
PAGE = "select id, framework_name, model, status, user_input, created_at from public.prompt_history {} " \
    "order by created_at desc, id desc limit 50"  # fmt: skip

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def loaded(platform: Platform) -> Iterator[psycopg.Connection]:
    """As the benchmarks have it, in small."""
    with platform.clone(f"{os.getpid()}_designs") as database:
        for name in ("load.sql", *data.GENERATED, *data.COPIES, "rate_limits.sql"):
            with database.connect(data.account(name), autocommit=True) as connection:
                data.load(connection, name, SIZE)
        with database.connect(SUPERUSER, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("vacuum analyze")
            connection.execute("set random_page_cost = 1.1")  # as where it is measured
            yield connection


@pytest.fixture
def db(loaded: psycopg.Connection) -> Iterator[psycopg.Connection]:
    # What a test before has taken back lies in the pages still, and would make room or take it.
    loaded.execute("vacuum full public.prompt_history, rulebook.prompt_history")
    with loaded.transaction(force_rollback=True):
        yield loaded


def pages(db: psycopg.Connection, script: str, *, as_owner: bool = False) -> int:
    found = plans.explained(db, script, as_owner=as_owner, times=2)
    assert found
    assert found.buffers
    return found.buffers


def wal(db: psycopg.Connection, statement: str) -> int:
    """The octets that a statement of one's own writes, whatever others write meanwhile."""
    lines = db.execute(f"explain (analyze, wal, costs off, timing off, summary off) {statement}".encode()).fetchall()
    found = re.search(r"WAL: .*bytes=(\d+)", "\n".join(line for (line,) in lines))
    return int(found[1]) if found else 0


def page(db: psycopg.Connection) -> float:
    return pages(db, PAGE.format("")) / pages(db, PAGE.format(f"where {OWN}"), as_owner=True)


def short_page(db: psycopg.Connection) -> float:
    few = "user_id = '00000000-0000-4000-8000-000000000400'"
    rows = one(db, f"select count(*) from public.prompt_history where {few}")
    assert 3 < rows < 20
    return float(pages(db, PAGE.format(f"where {few}"), as_owner=True) / rows)


def deep_page(db: psycopg.Connection) -> float:
    own = "user_id = '00000000-0000-4000-8000-000000000002'"  # who has 73
    last = f"select {{}} from public.prompt_history where {own} order by created_at desc, id desc limit 1 offset 20"
    place = ", ".join(f"'{one(db, last.format(column))}'" for column in ("created_at", "id"))
    return pages(db, PAGE.format(f"where {own} and (created_at, id) < ({place})"), as_owner=True) / 50


def status_hot(db: psycopg.Connection) -> float:
    counted = "select pg_stat_get_xact_tuples_{}updated('public.prompt_history'::regclass)"
    before = [one(db, counted.format(kind)) for kind in ("hot_", "")]
    db.execute("update public.prompt_history set status = 'completed' where status = 'pending'")
    hot, every = (one(db, counted.format(kind)) - count for kind, count in zip(("hot_", ""), before, strict=True))
    assert every > 200
    return float(hot / every)


def status_wal(db: psycopg.Connection) -> float:
    answered = "update {}.prompt_history set status = 'completed' where status = 'pending'"
    return wal(db, answered.format("public")) / wal(db, answered.format("rulebook"))


def logged_wal(db: psycopg.Connection) -> float:
    logged = "insert into {}.api_usage_logs (user_id, provider) select bench.user_id(1 + number % 50), 'openai' " \
        "from generate_series(1, 1000) as number"  # fmt: skip
    return wal(db, logged.format("public")) / wal(db, logged.format("rulebook"))


def denied_wal(db: psycopg.Connection) -> float:
    db.execute("call bench.set_rate_limits(10, 1000, 10)")
    with db.transaction(force_rollback=True):
        db.execute("set local role authenticated")
        db.execute("select set_config('request.jwt.claims', %s, true)", [HOT_USER])
        denied = "select * from public.check_rate_limit('openai')"
        db.execute(denied.encode())  # tidies up what the setting up has left
        return float(wal(db, denied))


def one(db: psycopg.Connection, query: str) -> Any:
    row = db.execute(query.encode()).fetchone()
    assert row
    return row[0]


# Each with its bar.
FIGURES: dict[str, tuple[Callable[[psycopg.Connection], float], Callable[[float], bool]]] = {
    "page": (page, lambda it: it <= 1.1),
    "short_page": (short_page, lambda it: it <= 2),
    "deep_page": (deep_page, lambda it: it <= 1.25),
    "status_hot": (status_hot, lambda it: it >= 0.95),
    "status_wal": (status_wal, lambda it: it <= 0.85),
    "logged_wal": (logged_wal, lambda it: it <= 0.85),
    "denied_wal": (denied_wal, lambda it: it == 0),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_holds_its_bar(db: psycopg.Connection, name: str) -> None:
    measure, holds = FIGURES[name]
    found = measure(db)
    assert holds(found), found


@pytest.mark.parametrize("name", DESIGNS)
def test_a_figure_leaves_its_bar_when_the_design_is_undone(db: psycopg.Connection, name: str) -> None:
    measure, holds = FIGURES[DESIGNS[name]["figure"]]
    db.execute("set local role postgres")
    for statement in DESIGNS[name]["undo"]:
        db.execute(statement)
    db.execute("reset role")
    found = measure(db)
    assert not holds(found), found


def test_every_figure_was_seen_to_fail() -> None:
    assert {it["figure"] for it in DESIGNS.values()} == FIGURES.keys()
    assert {name for it in DESIGNS.values() for name in it["workloads"]} <= comparison.workloads().keys()
