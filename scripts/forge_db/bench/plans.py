"""What PostgreSQL says about one call of a script: its plan, and the pages it touches, whatever else is running."""

import re
from dataclasses import dataclass

import psycopg

from forge_db.bench.stage import HOT_USER, Stage
from forge_db.statements import split

MEASURABLE = re.compile(r"(select|insert|update|delete|with)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Explained:
    plan: str
    buffers: int


def once(script: str) -> str:
    """What pgbench would send, with a number for each of its variables."""
    statements = re.sub(r"^\\set .*$", "", script, flags=re.MULTILINE)
    return re.sub(r"(?<!:):[a-z]+\b", "7", statements)


def explain(stage: Stage, script: str, *, as_owner: bool = False) -> Explained | None:
    """The script's last statement, explained where the others have been run before it; None if it cannot be."""
    with stage.connect("postgres" if as_owner else "authenticator") as connection:
        # What is read into memory the first time, the catalogue too, is not what a call costs.
        return explained(connection, script, as_owner=as_owner, times=2)


def explained(connection: psycopg.Connection, script: str, *, as_owner: bool, times: int) -> Explained | None:
    """Run so many times; the last one counts."""
    statements = [it.code for it in split(once(script)) if MEASURABLE.match(it.code)]
    if not statements:
        return None
    *before, last = statements
    with connection.transaction(force_rollback=True):
        if not as_owner:
            connection.execute("set local role authenticated")
            connection.execute("select set_config('request.jwt.claims', %s, true)", [HOT_USER])
        for _ in range(times):
            for statement in before:
                connection.execute(statement.encode())
            lines = [line for (line,) in connection.execute(
                f"explain (analyze, buffers, costs off, timing off, summary off) {last}".encode()
            )]  # fmt: skip
    return Explained("\n".join(lines), touched(lines))


def touched(lines: list[str]) -> int:
    """The pages of the whole plan, whose first node counts those beneath it."""
    found = next((line for line in lines if line.strip().startswith("Buffers:")), "")
    return sum(int(number) for number in re.findall(r"\b(?:hit|read)=(\d+)", found.partition(", temp")[0]))
