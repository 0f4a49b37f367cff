"""What a run costs in processor time, which says more than the clock of a machine that has other things to do."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from forge_db.server import Server

TICKS = os.sysconf("SC_CLK_TCK")


def seconds(server: Server) -> float:
    """Processor seconds so far: of this process, of those that it has started, and of the server with its own."""
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(it.ru_utime + it.ru_stime for it in ours) + sum(_of_server(server.pid))


def _of_server(pid: int | None) -> Iterator[float]:
    """Where the system tells (/proc): the server's own time, that of what has ended, and of what runs."""
    for path in Path("/proc").glob("[0-9]*/stat") if pid else ():
        if not (fields := _fields(path)):
            continue
        if int(path.parent.name) == pid:
            yield sum(map(int, fields[11:15])) / TICKS
        elif int(fields[1]) == pid:
            yield sum(map(int, fields[11:13])) / TICKS


def of_process(pid: int) -> float | None:
    """What a process has taken by itself, where the system tells."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return sum(map(int, fields[11:13])) / TICKS if fields else None


def _fields(path: Path) -> list[str]:
    """What follows the name of the program, in which there may be anything."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []
