"""What was seen: one statement of a caller's, what the contract says of it, and what came of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from forge_db.access.causes import Cause, Outcome
from forge_db.access.failures import Failure
from forge_db.access.rules import Kind

REFUSED = (Cause.FILTERED, Cause.POLICY)


@dataclass(frozen=True)
class Observation:
    """A command on one kind of row in one shape.

    It names `columns` to write or read, and is about `column` if it is about one; the row would turn into `becomes`.
    """

    table: str
    role: str
    command: str
    kind: Kind | None
    shape: str
    statement: str
    expected: frozenset[Cause]
    outcome: Outcome
    columns: tuple[str, ...] = ()
    column: str = ""
    becomes: Kind | None = None
    every_grant: bool = False

    @property
    def is_as_expected(self) -> bool:
        return self.outcome.cause in self.expected

    @property
    def what(self) -> str:
        return f"{self.command} by {self.role}" + (", given every grant" if self.every_grant else "")

    @property
    def row(self) -> str:
        return " → ".join(str(kind) for kind in (self.kind, self.becomes) if kind)


def failures(observations: Iterable[Observation]) -> Iterator[Failure]:
    """What was not as expected. A hole that some shapes hide is said to be one."""
    seen = list(observations)
    masking: dict[tuple[str, ...], list[str]] = {}
    for it in seen:
        if it.outcome.cause in REFUSED and it.command in ("insert", "update"):
            masking.setdefault(_place(it), []).append(it.shape)
    for it in seen:
        if it.is_as_expected:
            continue
        notes = (
            ["a second lock: the policies must hold by themselves, should a grant slip in"] if it.every_grant else []
        )
        if it.outcome.cause is Cause.ALLOWED and _place(it) in masking:
            notes.append(f"blocked only by the SELECT policy: {', '.join(masking[_place(it)])}")
        yield Failure(
            subject=it.table,
            what=it.what,
            expected=" or ".join(sorted(it.expected)),
            observed=str(it.outcome),
            row=it.row,
            column=it.column,
            shape=it.shape,
            statement=it.statement,
            note="; ".join(notes),
        )


def _place(it: Observation) -> tuple[str, ...]:
    """What the shapes of one statement have in common."""
    return it.table, it.what, it.row, it.column
