"""A process for each task, several at a time, and copies of the template database for them.

The processes are forked from the one that has collected the tests, so that each may begin at once. Each is lent a copy
in which nothing of it may remain, for the next one gets the same.
"""

import json
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

import psycopg
from psycopg import sql

from harness.databases import PREFIX, SUPERUSER, Platform, drop
from mutants.suite import Copy

PATIENCE = 900.0  # seconds that one mutant may take; more is an error, since a slow machine is no kill
WORN = 10  # tasks, after which a copy is full of what was rolled back


class Answer(NamedTuple):
    """What a process has found out; `error` where it could not."""

    value: Any
    error: str
    seconds: float
    timed_out: bool = False


class _Child(NamedTuple):
    pid: int
    task: Any
    slot: int
    started: float
    received: bytearray


def each(
    tasks: deque[Any], work: Callable[[Any, Copy], Any], platform: Platform, jobs: int, patience: float = PATIENCE
) -> Iterator[tuple[Any, Answer]]:
    """Do some work for each task, in a process of its own and with a copy lent to it; in whatever order they end.

    Whoever listens may add tasks.
    """
    with selectors.DefaultSelector() as selector:
        running: dict[int, _Child] = {}
        copies = {slot: Lent(platform, slot) for slot in range(jobs)}

        def end(pipe: int, *, kill: bool) -> _Child:
            child = running.pop(pipe)
            if kill:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            selector.unregister(pipe)
            os.close(pipe)
            os.waitpid(child.pid, 0)
            if kill or not child.received:
                drop_all(platform, f"{child.pid}_")
                copies[child.slot].drop()
            return child

        try:
            while True:
                while len(running) < jobs and tasks:
                    slot = min(copies.keys() - {child.slot for child in running.values()})
                    child, pipe = _fork(tasks.popleft(), work, slot, copies[slot].copy())
                    running[pipe] = child
                    selector.register(pipe, selectors.EVENT_READ)
                if not running:
                    return
                for key, _ in selector.select(timeout=1.0):
                    if data := os.read(key.fd, 65536):
                        running[key.fd].received.extend(data)
                    else:
                        child = end(key.fd, kill=False)
                        yield child.task, _answer(child)
                for pipe, child in list(running.items()):
                    if time.monotonic() - child.started > patience:
                        end(pipe, kill=True)
                        yield child.task, Answer(None, "", time.monotonic() - child.started, timed_out=True)
        finally:
            for pipe in list(running):
                end(pipe, kill=True)
            for lent in copies.values():
                lent.drop()


class Lent:
    """The copy that the tasks of one slot share, one after another; now and then a new one."""

    def __init__(self, platform: Platform, slot: int) -> None:
        self.platform = platform
        self.name = f"{PREFIX}{os.getpid()}_lent{slot}"
        self.uses = 0

    def copy(self) -> Copy:
        if self.uses >= WORN:
            self.drop()
        if not self.uses:
            _create(self.platform, self.name, self.platform.template_dbname)
        self.uses += 1
        return Copy(self.platform, self.name)

    def drop(self) -> None:
        if self.uses:
            drop_all(self.platform, self.name.removeprefix(PREFIX))
        self.uses = 0


@contextmanager
def own_copy(platform: Platform, template: str) -> Iterator[Copy]:
    """A copy of one's own, in which something may remain."""
    name = f"{PREFIX}{os.getpid()}_mutant"
    _create(platform, name, template)
    try:
        yield Copy(platform, name)
    finally:
        drop_all(platform, f"{os.getpid()}_")


def _create(platform: Platform, name: str, template: str) -> None:
    with psycopg.connect(platform.cluster.server.url(SUPERUSER), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} owner postgres template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop_all(platform: Platform, start: str) -> None:
    """Drop the databases of ours whose names begin so."""
    with psycopg.connect(platform.cluster.server.url(SUPERUSER), autocommit=True) as admin:
        named = admin.execute("select datname from pg_database where starts_with(datname, %s)", [PREFIX + start])
        for (name,) in named.fetchall():
            drop(admin, name)


def _answer(child: _Child) -> Answer:
    seconds = time.monotonic() - child.started
    try:
        told = json.loads(bytes(child.received))
    except ValueError:
        return Answer(None, "the process ended without an answer", seconds)
    return Answer(told["value"], told["error"], seconds)


def _fork(task: Any, work: Callable[[Any, Copy], Any], slot: int, copy: Copy) -> tuple[_Child, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _in_child(task, work, copy, writing)
    os.close(writing)
    return _Child(pid, task, slot, time.monotonic(), bytearray()), reading


def _in_child(task: Any, work: Callable[[Any, Copy], Any], copy: Copy, writing: int) -> NoReturn:
    """Answer, and end without whatever the parent would do at its end."""
    os.setpgid(0, 0)  # what a test does to its process group it does to itself
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.stdout = sys.stderr = os.fdopen(nowhere, "w")
        value, error = None, ""
        try:
            value = work(task, copy)
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}".strip()
        with os.fdopen(writing, "w") as pipe:
            json.dump({"value": value, "error": error}, pipe)
        status = 0
    finally:
        os._exit(status)
