"""What people do: insert, update, delete, call a function, sign in, be dismissed, leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Said = tuple[str, Sequence[Any]]
DEFAULT = object()


@dataclass(frozen=True)
class Insert:
    table: str
    columns: Mapping[str, Any]
    ending: str = ""

    def sql(self) -> Said:
        names, places = ", ".join(self.columns), ", ".join(["%s"] * len(self.columns))
        return f"insert into {self.table} ({names}) values ({places}){self.ending}", [*self.columns.values()]


@dataclass(frozen=True)
class Update:
    """Of one row by its id, or of every row that the policies let the caller have."""

    table: str
    columns: Mapping[str, Any]
    row_id: str | None = None
    ending: str = ""

    def sql(self) -> Said:
        given = {column: value for column, value in self.columns.items() if value is not DEFAULT}
        assigned = ", ".join(f"{column} = {'%s' if column in given else 'default'}" for column in self.columns)
        where, values = _where(self.row_id)
        return f"update {self.table} set {assigned}{where}{self.ending}", [*given.values(), *values]


@dataclass(frozen=True)
class Delete:
    table: str
    row_id: str | None = None
    ending: str = ""

    def sql(self) -> Said:
        where, values = _where(self.row_id)
        return f"delete from {self.table}{where}{self.ending}", values


@dataclass(frozen=True)
class Call:
    function: str
    arguments: Mapping[str, Any]

    def sql(self) -> Said:
        named = ", ".join(f"{argument} => %s" for argument in self.arguments)
        return f"select to_jsonb(answer) from public.{self.function}({named}) as answer", [*self.arguments.values()]


@dataclass(frozen=True)
class SignIn:
    account: str

    def sql(self) -> Said:
        return "update auth.users set last_sign_in_at = clock_timestamp() where id = %s", [self.account]


@dataclass(frozen=True)
class Dismiss:
    """Staff no more; the token that was issued before still says otherwise."""

    account: str

    def sql(self) -> Said:
        return "update auth.users set role = 'authenticated' where id = %s", [self.account]


@dataclass(frozen=True)
class Leave:
    account: str

    def sql(self) -> Said:
        return "delete from auth.users where id = %s", [self.account]


Statement = Insert | Update | Delete | Call | SignIn | Dismiss | Leave


def _where(row_id: str | None) -> Said:
    return ("", []) if row_id is None else (" where id = %s", [row_id])
