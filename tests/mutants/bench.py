"""A process and a copy of the template database for each mutant, several at a time.

The processes are forked from the one that has collected the tests, so that each may begin at once.
"""

import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import psycopg
from psycopg import sql

from harness.databases import PREFIX, SUPERUSER, Platform, drop
from mutants.suite import Copy

PATIENCE = 900.0  # seconds that one mutant may take; more is an error, since a slow machine is no kill


class Answer(NamedTuple):
    """What a process has found out; `error` where it could not."""

    value: Any
    error: str
    seconds: float
    timed_out: bool = False


class _Child(NamedTuple):
    pid: int
    task: Any
    started: float
    received: bytearray


def each(
    tasks: Iterable[Any], work: Callable[[Any, Copy], Any], platform: Platform, jobs: int, patience: float = PATIENCE
) -> Iterator[tuple[Any, Answer]]:
    """Do some work for each task, in a process and a database of its own; in whatever order they end."""
    waiting = iter(tasks)
    with selectors.DefaultSelector() as selector:
        running: dict[int, _Child] = {}
        exhausted = False
        try:
            while True:
                while len(running) < jobs and not exhausted:
                    try:
                        task = next(waiting)
                    except StopIteration:
                        exhausted = True
                        break
                    child, pipe = _fork(task, work, platform)
                    running[pipe] = child
                    selector.register(pipe, selectors.EVENT_READ)
                if not running:
                    return
                for key, _ in selector.select(timeout=1.0):
                    data = os.read(key.fd, 65536)
                    if data:
                        running[key.fd].received.extend(data)
                        continue
                    child = running.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    os.waitpid(child.pid, 0)
                    yield child.task, _answer(child, platform)
                for pipe, child in list(running.items()):
                    if time.monotonic() - child.started > patience:
                        os.kill(child.pid, signal.SIGKILL)
                        os.waitpid(child.pid, 0)
                        running.pop(pipe)
                        selector.unregister(pipe)
                        os.close(pipe)
                        _drop_all(platform, child.pid)
                        yield child.task, Answer(None, "", time.monotonic() - child.started, timed_out=True)
        finally:
            for child in running.values():
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                _drop_all(platform, child.pid)


def _answer(child: _Child, platform: Platform) -> Answer:
    seconds = time.monotonic() - child.started
    try:
        told = json.loads(bytes(child.received))
    except ValueError:
        _drop_all(platform, child.pid)
        return Answer(None, "the process ended without an answer", seconds)
    return Answer(told["value"], told["error"], seconds)


def _fork(task: Any, work: Callable[[Any, Copy], Any], platform: Platform) -> tuple[_Child, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _in_child(task, work, platform, writing)
    os.close(writing)
    return _Child(pid, task, time.monotonic(), bytearray()), reading


def _in_child(task: Any, work: Callable[[Any, Copy], Any], platform: Platform, writing: int) -> NoReturn:
    """Answer, and end without whatever the parent would do at its end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
        value, error = None, ""
        try:
            with _copy(platform) as copy:
                value = work(task, copy)
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}".strip()
        with os.fdopen(writing, "w") as pipe:
            json.dump({"value": value, "error": error}, pipe)
        status = 0
    finally:
        os._exit(status)


@contextmanager
def _copy(platform: Platform) -> Iterator[Copy]:
    name = f"{PREFIX}{os.getpid()}_mutant"
    with psycopg.connect(platform.cluster.server.url(SUPERUSER), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} owner postgres template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(platform.template_dbname)
            )
        )
    try:
        yield Copy(platform, name)
    finally:
        _drop_all(platform, os.getpid())


def _drop_all(platform: Platform, pid: int) -> None:
    with psycopg.connect(platform.cluster.server.url(SUPERUSER), autocommit=True) as admin:
        named = admin.execute("select datname from pg_database where starts_with(datname, %s)", [f"{PREFIX}{pid}_"])
        for (name,) in named.fetchall():
            drop(admin, name)
