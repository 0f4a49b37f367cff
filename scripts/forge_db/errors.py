"""Errors as a user should meet them: the fact in one line, then the cure. Never a traceback, never a password."""

from typing import IO, Any

import click
import psycopg

NEWLINE = "\n"


class ForgeError(click.ClickException):
    """What is wrong, in one line; then, where there is one, what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {visible(self.message, but=NEWLINE)}", file=file, err=file is None)
        if self.hint:
            click.echo(f"Hint: {visible(self.hint, but=NEWLINE)}", file=file, err=file is None)


def one_line(text: str) -> str:
    return " ".join(text.split())


def visible(text: str, *, but: str = "") -> str:
    """What a database says, for a terminal: nothing in it moves the cursor, changes a colour or turns round a line."""
    return "".join(it if it.isprintable() or it in but else it.encode("unicode_escape").decode() for it in text)


def is_servers_trouble(error: psycopg.Error) -> bool:
    """No room, no memory, shut down, gone: the same command may do when that is mended."""
    return error.sqlstate is None or error.sqlstate[:2] in ("08", "53", "57", "58", "XX")


def from_database(error: psycopg.Error, where: str | None = None) -> ForgeError:
    """Say what PostgreSQL said: its message and detail in one line, its hint as the hint."""
    said = error.diag
    if said.message_primary is None:  # the connection failed or broke, so libpq speaks, and in several lines
        message, hint = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, None
    else:
        message, hint = said.message_primary, said.message_hint
        if said.message_detail:
            message += f" ({said.message_detail})"
    return ForgeError(one_line(f"{where}: {message}" if where else message), hint and one_line(hint))


def shown(value: Any) -> Any:
    """For templates, as their `finalize`: text that is no markup of ours, as in visible()."""
    return visible(value, but=NEWLINE) if type(value) is str else value
