"""PostgreSQL's own logs, read line by line: which tell of a refusal or a failed sign-in, and how far one has read.

Both formats that a program can read, jsonlog and csvlog. Of a line only names and numbers are kept: no message, no
statement, no parameter leaves this module.
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

from forge_db.errors import ForgeError

REFUSED = {"42501", "28P01", "28000"}
# By position, in the order in which csvlog writes them.
COLUMNS = {
    "timestamp": 0, "user": 1, "dbname": 2, "remote_host": 4, "session_id": 5, "line_num": 6, "error_severity": 11,
    "state_code": 12, "message": 13,
}  # fmt: skip
FEWEST_COLUMNS = 23
LONGEST_RECORD = 10_000_000  # octets; what is longer is no record of ours, and not worth the memory
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}")
NAME = re.compile(r"[a-z_][a-z0-9_$]{0,62}", re.IGNORECASE)


@dataclass(frozen=True)
class Batch:
    """What some lines told, and where the file has been read to."""

    read_to: int
    refusals: list[dict[str, Any]]
    unreadable: int


def identity(path: Path) -> str | None:
    """A digest of the first line, which holds a time and a session: the same after rotation. None for an empty file."""
    with path.open("rb") as file:
        line = file.readline(LONGEST_RECORD)
    is_whole = line.endswith(b"\n") or len(line) == LONGEST_RECORD  # what comes after that does not matter any more
    return hashlib.sha256(line).hexdigest() if is_whole else None


def batches(path: Path, read_from: int, lines: int = 20_000) -> Iterator[Batch]:
    """The rest of a file, some lines at a time. A line that is still being written is left for the next run."""
    with path.open("rb") as file:
        is_json = file.read(1) == b"{"
        file.seek(read_from)
        records = _json_records(file) if is_json else _csv_records(file)
        count, refusals, unreadable, read_to = 0, [], 0, read_from
        for record, end in records:
            read_to = end
            count += 1
            if record is None:
                unreadable += 1
            elif refusal := _refusal(record):
                refusals.append(refusal)
            if count % lines == 0:
                yield Batch(read_to, refusals, unreadable)
                refusals, unreadable = [], 0
        if unreadable and unreadable == count:
            raise ForgeError(
                f"{path} is no log of PostgreSQL's in the format jsonlog or csvlog",
                "Set log_destination = 'jsonlog' and logging_collector = on, and name the file that ends in .json.",
            )
        if count % lines:
            yield Batch(read_to, refusals, unreadable)


def _json_records(file: IO[bytes]) -> Iterator[tuple[dict[str, Any] | None, int]]:
    is_long = False
    for line in iter(lambda: file.readline(LONGEST_RECORD), b""):
        is_long = is_long or len(line) >= LONGEST_RECORD
        if not line.endswith(b"\n"):
            continue
        try:
            # A client chooses the octets of the name that it signs in to: none of them may hide the line.
            record = None if is_long else json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            record = None
        is_long = False
        yield record if isinstance(record, dict) else None, file.tell()


def _csv_records(file: IO[bytes]) -> Iterator[tuple[dict[str, Any] | None, int]]:
    lines: list[bytes] = []
    octets = quotes = 0
    for line in iter(lambda: file.readline(LONGEST_RECORD), b""):
        octets += len(line)
        quotes += line.count(b'"')
        # A record that is too long is skipped to its end: in the middle of it stands what a client wrote.
        if octets < LONGEST_RECORD:
            lines.append(line)
        # Quotes are doubled inside of a value: while their number is odd, a line break belongs to one.
        if not line.endswith(b"\n") or quotes % 2:
            continue
        values = _values(b"".join(lines)) if octets < LONGEST_RECORD else []
        lines, octets, quotes = [], 0, 0
        if len(values) < FEWEST_COLUMNS:
            yield None, file.tell()
        else:
            found = {name: values[position] for name, position in COLUMNS.items()}
            found["remote_host"] = found["remote_host"].rpartition(":")[0]  # with the port; a socket has neither
            yield found, file.tell()


def _values(record: bytes) -> list[str]:
    # As long as a record: a statement that is longer than the limit of the module would hide its refusal.
    csv.field_size_limit(LONGEST_RECORD)
    try:
        return next(csv.reader([record.decode(errors="replace")], strict=True))
    except (csv.Error, StopIteration):
        return []


def _refusal(record: dict[str, Any]) -> dict[str, Any] | None:
    """What is kept of a line, if it is one; the database keeps of the names only those that it knows."""
    code = str(record.get("state_code"))
    if code not in REFUSED:
        return None
    # Without the zone: the server knows which one it writes.
    time = str(record.get("timestamp", "")).rsplit(" ", 1)[0]
    session, number = str(record.get("session_id", "")), str(record.get("line_num", ""))
    if not TIME.fullmatch(time):  # Python knows more ways to write one than PostgreSQL
        return None
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return None
    if not re.fullmatch(r"[0-9a-f]{1,16}\.[0-9a-f]{1,16}", session) or not re.fullmatch(r"[0-9]{1,18}", number):
        return None
    return {
        "at": time,
        "session": session,
        "number": int(number),
        "sqlstate": code,
        "severity": str(record.get("error_severity", "")),
        "role": _name(record.get("user")),
        "database": _name(record.get("dbname")),
        "address": _address(str(record.get("remote_host", ""))),
        "object": _name(str(record.get("message", "")).split(" ")[-1].strip('"')),
    }


def _name(word: Any) -> str | None:
    return word if isinstance(word, str) and NAME.fullmatch(word) else None


def _address(host: str) -> str | None:
    """None for a socket, and for a name."""
    try:
        # Without the zone of a link-local address, which PostgreSQL does not know.
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None
