"""One broken thing, and what noticed it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What is broken. The value is how the report calls it."""

    POLICY = "policies"
    ROW_SECURITY = "row level security"
    TABLE_GRANT = "grants on tables"
    COLUMN_GRANT = "grants on columns"
    VIEW = "views"
    EXECUTE = "grants on functions"
    RIGHTS = "definer and invoker"
    SEARCH_PATH = "search_path"
    GUARD = "guards in functions"
    CONSTRAINT = "constraints"
    NOT_NULL = "not null"
    UNIQUE_INDEX = "unique indexes"
    ACTION = "foreign key actions"
    TRIGGER = "triggers"
    DEFAULT = "defaults"


# No statement of a caller's shows these, or hardly any: a rule does.
FOR_RULES = {Kind.SEARCH_PATH, Kind.RIGHTS, Kind.VIEW}


@dataclass(frozen=True)
class Mutant:
    """What is broken in which table, view or function, and how.

    role    whom it is about, if it is one role
    words   what a test that is about it may mention
    seen_in the tables whose triggers it is part of, where nothing else shows that it is used
    """

    kind: Kind
    subject: str
    change: str
    statement: str
    role: str = ""
    words: tuple[str, ...] = ()
    seen_in: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.subject}: {self.change}"

    @property
    def short(self) -> str:
        """The name of the table or function, as a test would say it."""
        return self.subject.partition("(")[0].partition(".")[2]


class Kill(NamedTuple):
    """What noticed a mutant: the prober, a test or a rule; which; and what it said."""

    by: str
    which: str
    said: str
