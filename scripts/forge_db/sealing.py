"""Secrets on their way into a database, and keys from one encryption key to the next, without passing through any log.

A statement that names a secret is kept by the server's log, by pg_stat_statements and by the shell's history. So
secrets travel by COPY, whose data PostgreSQL does not log, or are made inside the database.
"""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

# The table allows everything: an error in COPY would show the line, and the log would keep it.
INCOMING = "create temporary table incoming_secret (secret text) on commit drop"
# Keys in one transaction: who stores one that is among them waits for a fifth of a second.
BATCH = 5000
KEEP = "select private.keep_secret(%s, (select secret from pg_temp.incoming_secret))"


def keep(connection: psycopg.Connection, name: str, text: str | None) -> str:
    """Put a secret in its place, or take it away. Says where that is."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(INCOMING)
        if text is not None:
            with cursor.copy("copy pg_temp.incoming_secret from stdin") as copy:
                copy.write_row([text])
        return str(_value(connection, KEEP, name))


def have_encryption_key(connection: psycopg.Connection) -> bool:
    """See that API keys can be sealed: make an encryption key unless there is one. True if it was made now."""
    if _value(connection, "select to_regprocedure('private.change_encryption_key()') is null"):
        return False  # a schema from before there were keys to seal
    if _value(connection, "select private.find_secret('app_encryption_key') is not null"):
        return False
    change_encryption_key(connection)
    return True


def change_encryption_key(connection: psycopg.Connection) -> str:
    """Make a new encryption key; the old one becomes the previous. Says where they are."""
    return str(_value(connection, "select private.change_encryption_key()"))


def stale(connection: psycopg.Connection) -> int:
    """How many keys are sealed with another encryption key than the current."""
    return int(_value(connection, "select private.stale_api_keys()"))


def rotate(connection: psycopg.Connection, batch_size: int, report: Callable[[int], object]) -> tuple[int, int]:
    """Seal all that is sealed with another key, a batch and a transaction at a time. How many, and how many cannot be.

    Reports the size of each batch that is done.
    """
    total = 0
    while True:
        done = unreadable = 0
        for batch_resealed, batch_unreadable in _batches(connection, batch_size):
            done += batch_resealed
            unreadable += batch_unreadable
            report(batch_resealed)
        total += done
        if done == 0:  # a whole pass has found nothing, not even what came during the one before
            return total, unreadable


def _batches(connection: psycopg.Connection, batch_size: int) -> Iterator[tuple[int, int]]:
    last_id = None
    while True:
        row = connection.execute("select * from public.rotate_api_keys(%s, %s)", [batch_size, last_id]).fetchone()
        assert row is not None
        resealed, unreadable, last_id = row
        yield resealed, unreadable
        if last_id is None:
            return


def _value(connection: psycopg.Connection, query: str, *values: object) -> Any:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]
