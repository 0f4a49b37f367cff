"""Which guard refused: SQLSTATE 42501 alone does not tell a missing grant from a policy.

The server's message is translated and edited, so the raising function of the server's source decides; the message
gives no more than the kind of object.
"""

import re
from enum import StrEnum

import psycopg
from psycopg import errors


class Guard(StrEnum):
    """What stood in the way of a statement."""

    TABLE_GRANT = "no grant on the table"
    COLUMN_GRANT = "no grant on a column"
    SCHEMA_GRANT = "no grant on the schema"
    FUNCTION_GRANT = "no grant on the function"
    SEQUENCE_GRANT = "no grant on the sequence"
    OWNERSHIP = "not the owner"
    MEMBERSHIP = "not a member of the role"
    POLICY = "row level security policy"
    RAISED = "raised by one of our functions"
    INSIDE = "no grant for what a function or trigger of ours does inside"
    UNKNOWN = "unknown"


GRANTS = {
    "table": Guard.TABLE_GRANT,
    "column": Guard.COLUMN_GRANT,
    "view": Guard.TABLE_GRANT,
    "materialized": Guard.TABLE_GRANT,
    "schema": Guard.SCHEMA_GRANT,
    "function": Guard.FUNCTION_GRANT,
    "procedure": Guard.FUNCTION_GRANT,
    "sequence": Guard.SEQUENCE_GRANT,
}


def guard_of(refusal: errors.InsufficientPrivilege) -> Guard:
    """The guard, as far as the error tells: a missing column grant looks like a missing table grant."""
    said = refusal.diag
    match said.source_function:
        case "ExecWithCheckOptions":
            return Guard.POLICY
        case "exec_stmt_raise":
            return Guard.RAISED
        case "aclcheck_error" | "aclcheck_error_col":
            if said.context:
                return Guard.INSIDE
            words = (said.message_primary or "").split()
            return Guard.OWNERSHIP if words[2] == "owner" else GRANTS.get(words[3], Guard.UNKNOWN)
        case "call_string_check_hook":
            return Guard.MEMBERSHIP
        case _:
            return Guard.UNKNOWN


def told_apart(connection: psycopg.Connection, refusal: errors.InsufficientPrivilege, statement: str) -> Guard:
    """The guard, with the column told from the table: who holds a grant on some column lacks one on another."""
    guard = guard_of(refusal)
    command = re.search(r"\b(insert\s+into|update|delete\s+from|merge\s+into|truncate)\b", statement, re.IGNORECASE)
    verb = command[1].split()[0].lower() if command else "select"
    if guard is Guard.TABLE_GRANT and verb in ("insert", "update", "select"):
        table = re.search(r" (\S+)$", refusal.diag.message_primary or "")
        holds = "select bool_or(has_any_column_privilege(oid, %s)) from pg_class where relname = %s"
        row = connection.execute(holds, [verb, table[1] if table else ""]).fetchone()
        if row is not None and row[0]:
            return Guard.COLUMN_GRANT
    return guard
