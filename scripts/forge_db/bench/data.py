"""The SQL that fills a database: files of sql/bench, each run once, and large ones in parts on two connections."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise

import click
import psycopg

from forge_db import paths
from forge_db.bench.sizes import Size
from forge_db.server import SUPERUSER

FOLDER = paths.ROOT / "sql" / "bench"
# Word for word, and so in public, where ours are.
RULEBOOK = "baseline/rulebook_tables.sql"
# By the superuser, who alone may load without triggers.
UNTRIGGERED = ("history.sql", "usage.sql", "baseline/rulebook_rows.sql")
# What is loaded in parts: what there is of it, and how many rows a part has.
GENERATED = {"history.sql": ("prompts", 50_000), "usage.sql": ("logged", 100_000)}
# What the large database holds beside that.
COPIES = (RULEBOOK, "baseline/rulebook_rows.sql", "baseline/rulebook.sql")
AT_ONCE = 2

Connect = Callable[[str], psycopg.Connection]


@dataclass(frozen=True)
class Part:
    """Some rows of a file that makes rows: the first and the last."""

    file: str
    number: int
    first: int
    last: int


def script(name: str) -> str:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text.replace("public.", "rulebook.") if name == RULEBOOK else text


def account(name: str) -> str:
    """Who runs a file."""
    return SUPERUSER if name in UNTRIGGERED else "postgres"


def parts(name: str, size: Size) -> list[Part]:
    """The parts of a file: any beginning of them is spread as the whole is, and a quarter is whole parts too."""
    unit, rows = GENERATED[name]
    count = int(getattr(size, unit))
    number = 4 * -(-count // (4 * rows))
    ends = [count * place // number for place in range(number + 1)]
    return [Part(name, place, first + 1, last) for place, (first, last) in enumerate(pairwise(ends))]


def load(connection: psycopg.Connection, name: str, size: Size, part: Part | None = None) -> None:
    """Run a file, as the account it asks for, and remember in the same transaction that it was."""
    with connection.transaction():
        settings = size.settings()
        if name in GENERATED:
            first, last = (part.first, part.last) if part else (1, getattr(size, GENERATED[name][0]))
            settings |= {"bench.first": str(first), "bench.last": str(last)}
        for setting, value in settings.items():
            connection.execute("select set_config(%s, %s, true)", [setting, value])
        connection.execute(script(name).encode())
        connection.execute("insert into bench.loaded values (%s, %s)", [name, part.number if part else 0])


def is_loaded(connection: psycopg.Connection, name: str) -> bool:
    found = connection.execute("select from bench.loaded where name = %s and part = 0", [name])
    return found.fetchone() is not None


def load_parts(connect: Connect, wanted: Sequence[Part], size: Size, label: str) -> None:
    """Parts that are not there yet, several at once, with a bar that says how far it is."""
    with connect("postgres") as owner:
        there = set(owner.execute("select name, part from bench.loaded").fetchall())
    missing = [part for part in wanted if (part.file, part.number) not in there]
    if not missing:
        return
    pool = ThreadPoolExecutor(AT_ONCE)
    running = [pool.submit(_load_part, connect, part, size) for part in missing]
    try:
        with click.progressbar(length=len(wanted), label=label, file=sys.stderr) as bar:
            bar.update(len(wanted) - len(missing))
            for done in as_completed(running):
                done.result()
                bar.update(1)
    finally:
        pool.shutdown(cancel_futures=True)


def _load_part(connect: Connect, part: Part, size: Size) -> None:
    with connect(account(part.file)) as connection:
        load(connection, part.file, size, part)


def quarters(size: Size) -> Iterator[tuple[int, list[Part]]]:
    """What to load to have one, two and four quarters of the data."""
    every = {name: parts(name, size) for name in GENERATED}
    for share in (1, 2, 4):
        yield share, [part for found in every.values() for part in found[: len(found) * share // 4]]
