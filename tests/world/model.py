"""What a statement does by the contract: refused for which reason, or which rows come, change and go."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from forge_db.access.catalogue import ACCOUNTS
from harness.refusal import Guard
from world.furniture import OWNERS, PERSONAL
from world.rows import Caller, Key, Row, World
from world.statements import Delete, Dismiss, Insert, Leave, SignIn, Update

# Why a statement is refused: what guards, where SQLSTATE 42501 has several meanings, else the SQLSTATE.
GRANTS = frozenset({Guard.TABLE_GRANT, Guard.COLUMN_GRANT, Guard.FUNCTION_GRANT, Guard.SCHEMA_GRANT})
NOT_NULL, REFERENCE, UNIQUE, CHECK = "23502", "23503", "23505", "23514"
KEEPS_NO_HISTORY, UNKNOWN, INVALID, NOBODY = "PT403", "PT404", "22023", "28000"

ANYTHING = object()


@dataclass(frozen=True)
class Effect:
    """What is to be expected. Where several rows are in the way, any of their refusals may come first.

    reading    what to make of a function's answer before it is compared
    used       what the caller has used up by it
    """

    refusals: frozenset[str] = frozenset()
    added: Sequence[tuple[str, Mapping[str, Any]]] = ()
    changed: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    removed: frozenset[Key] = frozenset()
    count: Any = ANYTHING
    answer: Any = ANYTHING
    reading: Callable[[list[Any]], Any] = list
    used: tuple[str, str] | None = None


NOTHING = Effect(count=0)


def refused(*reasons: str) -> Effect:
    return Effect(frozenset(reasons))


def is_granted(
    world: World, caller: Caller, command: str, table: str, columns: Iterable[str] = (), *, reads: bool = False
) -> bool:
    """Whether a caller's role may name these columns in a command, and read the table if the statement does."""
    terms = world.contract.tables.get(table)
    if terms is None or (reads and not world.contract.cells(terms, caller.role, "select")):
        return False
    granted = world.contract.granted(terms, caller.role, command)
    return granted is None or (bool(granted) and granted.issuperset(columns))


def is_reached(world: World, caller: Caller, command: str, table: str, row: Row, *, reads: bool) -> bool:
    """Whoever reads a column, in WHERE or RETURNING, must also see the row."""
    commands = [command, "select"] if reads else [command]
    return all(world.reaches(caller, it, table, row) for it in commands)


# Inserts --------------------------------------------------------------------------------------------------------------


def insert(world: World, caller: Caller, it: Insert, defaults: Row) -> Effect:
    given = {column: value.obj if isinstance(value, Jsonb) else value for column, value in it.columns.items()}
    new = {**defaults, **given}
    relation = world.catalogue.relations[it.table]
    reads = "returning" in it.ending
    if not is_granted(world, caller, "insert", it.table, given, reads=reads):
        return refused(*GRANTS)
    if it.table == "public.prompt_history" and new["user_id"] == caller.account and keeps_no_history(world, caller):
        return refused(KEEPS_NO_HISTORY)
    if not is_reached(world, caller, "insert", it.table, new, reads=reads):
        return refused(Guard.POLICY)
    if any(relation.columns[column].is_not_null and value is None for column, value in given.items()):
        return refused(NOT_NULL)
    if has_twins(world, it.table, {"": new}):
        return NOTHING if "on conflict" in it.ending else refused(UNIQUE)
    for column, target in relation.foreign_keys.items():
        there = world.accounts if target == ACCOUNTS else world.rows[target]
        if new[column] is not None and new[column] not in there:
            return refused(REFERENCE)
    return Effect(added=[(it.table, given)], count=1)


def keeps_no_history(world: World, caller: Caller) -> bool:
    """The one rule for which a table looks at another: what the caller has chosen in user_preferences."""
    rows = [row for _, row in world.of("public.user_preferences") if row["user_id"] == caller.account]
    return any(not row["enable_history"] for row in rows)


def has_twins(world: World, table: str, changes: Mapping[str, Row]) -> bool:
    """Whether a unique rule is broken once these rows are there."""
    rows = [*{**world.rows[table], **changes}.values()]
    for rule in world.catalogue.relations[table].constraints:
        if rule.kind == "u" and not rule.is_partial:
            values = [tuple(row[column] for column in rule.column_names) for row in rows]
            whole = [value for value in values if None not in value]
            if len(set(whole)) < len(whole):
                return True
    return False


# Updates --------------------------------------------------------------------------------------------------------------


def update(world: World, caller: Caller, it: Update) -> Effect:
    reads = bool(it.row_id or it.ending)
    if not is_granted(world, caller, "update", it.table, it.columns, reads=reads):
        return refused(*GRANTS)
    terms, standing = world.contract.tables[it.table], world.standing(caller)
    changed: dict[Key, Mapping[str, Any]] = {}
    refusals = set[str]()
    for key, row in _hits(world, caller, "update", it):
        changed[key] = {column: value for column, value in it.columns.items() if row[column] != value}
        writable = world.contract.writable(terms, standing, "update", world.kind(caller, it.table, row))
        if writable is not None and not writable.issuperset(changed[key]):
            refusals.add(Guard.RAISED)
        if not is_reached(world, caller, "update", it.table, {**row, **changed[key]}, reads=reads):
            refusals.add(Guard.POLICY)
    if has_twins(world, it.table, {key.id: {**world[key], **columns} for key, columns in changed.items()}):
        refusals.add(UNIQUE)
    return refused(*refusals) if refusals else Effect(changed=changed, count=len(changed))


def _hits(world: World, caller: Caller, command: str, it: Update | Delete) -> list[tuple[Key, Row]]:
    reads = bool(it.row_id or it.ending)
    rows = [(key, row) for key, row in world.of(it.table) if it.row_id in (None, key.id)]
    return [(key, row) for key, row in rows if is_reached(world, caller, command, it.table, row, reads=reads)]


# Deletes --------------------------------------------------------------------------------------------------------------


def delete(world: World, caller: Caller, it: Delete) -> Effect:
    if not is_granted(world, caller, "delete", it.table, reads=bool(it.row_id or it.ending)):
        return refused(*GRANTS)
    hits = {key for key, _ in _hits(world, caller, "delete", it)}
    return without(world, hits, count=len(hits))


def without(world: World, removed: set[Key], *, account: str | None = None, count: Any = ANYTHING) -> Effect:
    """These rows go, and the account; what points to them goes along, lets go of them, or keeps them from going."""
    gone, changed, kept_by = set(removed), dict[Key, dict[str, Any]](), set[Key]()
    waiting = [*removed, *([Key(ACCOUNTS, account)] if account else [])]
    while waiting:
        for pointer in world.pointing_to(waiting.pop()):
            if pointer.on_delete == "CASCADE" and pointer.key not in gone:
                gone.add(pointer.key)
                waiting.append(pointer.key)
            elif pointer.on_delete == "SET NULL":
                changed.setdefault(pointer.key, {})[pointer.column] = None
            elif pointer.on_delete == "":
                kept_by.add(pointer.key)
    if kept_by - gone:
        return refused(REFERENCE)
    left = {key: columns for key, columns in changed.items() if key not in gone}
    return Effect(changed=left, removed=frozenset(gone), count=count)


# Accounts -------------------------------------------------------------------------------------------------------------


def sign_in(world: World, it: SignIn) -> Effect:
    if it.account not in world.accounts:
        return NOTHING
    profiles = [key for key, row in world.of("public.user_profiles") if row["user_id"] == it.account]
    session = ("public.user_sessions", {"user_id": it.account})
    return Effect(added=[session], changed={key: {"last_login_at": ANYTHING} for key in profiles}, count=1)


def dismiss(world: World, it: Dismiss) -> Effect:
    return Effect(count=int(it.account in world.accounts))


def leave(world: World, it: Leave) -> Effect:
    """What belongs to the account goes with it; from what stays, everything that points to the person."""
    if it.account not in world.accounts:
        return NOTHING
    effect = without(world, set(), account=it.account, count=1)
    changed = {}
    for key, columns in effect.changed.items():
        was_theirs = any(name in columns for name in OWNERS)
        forgotten = [name for name in PERSONAL if was_theirs and world[key].get(name) is not None]
        changed[key] = {**columns, **dict.fromkeys(forgotten)}
    return Effect(changed=changed, removed=effect.removed, count=1)
