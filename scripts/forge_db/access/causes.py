"""What became of a statement, and which guard refused it: SQLSTATE 42501 alone tells a missing grant from nothing.

The server's messages are translated and edited, so the raising function of its source decides; of the message only the
kind of object is read.
"""

from dataclasses import dataclass
from enum import StrEnum

from psycopg import pq

Field = pq.DiagnosticField


class Cause(StrEnum):
    """What let a statement through, or stood in its way."""

    ALLOWED = "allowed"
    SCHEMA_GRANT = "no grant on the schema"
    TABLE_GRANT = "no grant on the table"
    COLUMN_GRANT = "no grant on a column"
    FUNCTION_GRANT = "no grant on the function"
    SEQUENCE_GRANT = "no grant on the sequence"
    OWNERSHIP = "not the owner"
    FILTERED = "filtered to zero rows"
    POLICY = "policy check"
    TRIGGER = "trigger"
    CONSTRAINT = "constraint"
    OTHER = "another error"


# What the message of a missing grant calls the object.
OBJECTS = {
    "schema": Cause.SCHEMA_GRANT,
    "table": Cause.TABLE_GRANT,
    "view": Cause.TABLE_GRANT,
    "materialized": Cause.TABLE_GRANT,
    "column": Cause.COLUMN_GRANT,
    "function": Cause.FUNCTION_GRANT,
    "procedure": Cause.FUNCTION_GRANT,
    "sequence": Cause.SEQUENCE_GRANT,
}


@dataclass(frozen=True)
class Outcome:
    """What a statement did: how many rows, which answer, or what the server said when it refused."""

    cause: Cause
    count: int = 0
    rows: tuple[tuple[str | None, ...], ...] = ()
    message: str = ""
    advice: str = ""
    sqlstate: str = ""
    constraint: str = ""
    column: str = ""

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}" if self.message else str(self.cause)


def outcome(result: pq.abc.PGresult) -> Outcome:
    """Read a result of libpq. Zero rows are not judged here: whether that is a refusal depends on the statement."""
    if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        rows = tuple(
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        )
        return Outcome(Cause.ALLOWED, result.command_tuples or 0, rows)
    said = {field: _text(result.error_field(field)) or "" for field in Field}
    return Outcome(
        cause=_cause(said[Field.SQLSTATE], said[Field.SOURCE_FUNCTION], said[Field.MESSAGE_PRIMARY].split()),
        message=said[Field.MESSAGE_PRIMARY],
        advice=" ".join(filter(None, [said[Field.MESSAGE_DETAIL], said[Field.MESSAGE_HINT]])),
        sqlstate=said[Field.SQLSTATE],
        constraint=said[Field.CONSTRAINT_NAME],
        column=said[Field.COLUMN_NAME],
    )


def _cause(sqlstate: str, function: str, words: list[str]) -> Cause:
    if function == "exec_stmt_raise":
        return Cause.TRIGGER
    if sqlstate.startswith("23"):
        return Cause.CONSTRAINT
    if sqlstate != "42501":
        return Cause.OTHER
    if function == "ExecWithCheckOptions":
        return Cause.POLICY
    if function.startswith("aclcheck_error") and len(words) > 3:
        return Cause.OWNERSHIP if words[2] == "owner" else OBJECTS.get(words[3], Cause.OTHER)
    return Cause.OTHER


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
