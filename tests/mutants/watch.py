"""The end of a test that does not end.

What is broken may loop for ever. That is told by the processor time that the server takes, not by the clock: on a busy
machine any test is slow. A test that waits is ended as well, much later, and that says nothing about what is broken.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto

import psycopg

from mutants import costs

WAITING = 45.0  # seconds by the clock
ACTIVE = """
    select pid from pg_catalog.pg_stat_activity
    where (datname = %s or starts_with(datname, %s)) and state = 'active' and pid <> pg_catalog.pg_backend_pid()
"""


class End(Enum):
    """Why a test was ended."""

    BUSY = auto()
    WAITING = auto()


class Watch:
    """`names`: the database that is looked at, and how the names of others begin."""

    def __init__(self, url: str, names: Sequence[str], limit: float, *, waiting: float = WAITING) -> None:
        self.url, self.names, self.limit, self.waiting = url, names, limit, max(waiting, limit)
        self.ended: End | None = None

    @contextmanager
    def over(self, kept: psycopg.Connection | None) -> Iterator[None]:
        """While this lasts; what a connection that is there already has taken before does not count."""
        before = {kept.info.backend_pid: costs.of_process(kept.info.backend_pid) or 0.0} if kept else {}
        done, start = threading.Event(), time.monotonic()

        def look() -> None:
            pause = self.limit
            while not done.wait(pause):
                pause = 0.5
                with psycopg.connect(self.url, autocommit=True) as admin:
                    active = [int(pid) for (pid,) in admin.execute(ACTIVE.encode(), self.names)]
                    passed = time.monotonic() - start
                    # A system that does not tell has the clock.
                    taken = {pid: costs.of_process(pid) for pid in active}
                    if any(
                        (passed if it is None else it - before.get(pid, 0.0)) > self.limit for pid, it in taken.items()
                    ):
                        self.ended = End.BUSY
                    elif passed > self.waiting:
                        self.ended = End.WAITING
                    else:
                        continue
                    for pid in active:
                        admin.execute("select pg_catalog.pg_cancel_backend(%s)", [pid])

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
