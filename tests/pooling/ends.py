"""The ways in which a request can end, well and badly."""

from dataclasses import dataclass

import psycopg
from psycopg import errors


@dataclass(frozen=True)
class End:
    """A last statement, the error that it must raise, and what follows it."""

    statement: str = "select 1"
    error: type[psycopg.Error] | None = None
    then: str = "commit"

    @property
    def keeps(self) -> bool:
        """Whether what the request wrote is there afterwards."""
        return self.error is None and self.then == "commit"


ENDS = {
    "committed": End(),
    "rolled back": End(then="rollback"),
    "an error": End("select 1 / 0", errors.DivisionByZero, "rollback"),
    "an error, committed all the same": End("select 1 / 0", errors.DivisionByZero),
    "a syntax error": End("selec", errors.SyntaxError, "rollback"),
    "a refusal": End("truncate public.feedback", errors.InsufficientPrivilege, "rollback"),
    "a role that is not for requests": End("set local role postgres", errors.InsufficientPrivilege, "rollback"),
    "out of time": End("set local statement_timeout = 5; select pg_sleep(9)", errors.QueryCanceled, "rollback"),
    "another's token in a savepoint": End(
        "savepoint one; select set_config('request.jwt.claims', '{}', true); rollback to savepoint one"
    ),
    "settings of its own": End("set local timezone = 'Asia/Kolkata'; set local work_mem = '1MB'"),
    "reading only": End("set local transaction_read_only = on"),
    "a cursor left open": End("declare open cursor for select 1"),
    "a lock left to the end": End("select pg_advisory_xact_lock(1)"),
    "a table for the transaction": End("create temporary table mine on commit drop as select 1"),
}
