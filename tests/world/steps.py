"""Turns bytes into what somebody does to which rows.

hypothesis varies and shortens bytes. What they mean follows from the rows that there are when their turn comes, and is
the same in every run. A sequence has a theme: few tables and functions, at which people meet.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from forge_db.access.catalogue import ACCOUNTS, Function, Relation
from world import functions, model
from world.arguments import bare, choices
from world.furniture import WORDS, asked, marked, parents, valid_row
from world.rows import Caller, World
from world.statements import DEFAULT, Call, Delete, Dismiss, Insert, Leave, SignIn, Statement, Update

T = TypeVar("T")
Subject = Relation | Function

# How many bytes make a theme, and how many a step.
THEME, STEP = 4, 12
COMMANDS = ["insert", "update", "update", "delete"]
# What staff set, besides words and switches.
CHOICES = {
    ("public.feedback", "status"): ("open", "resolved", "closed"),
    ("public.feedback", "priority"): ("low", "high"),
}
# Arguments with a default that are given now and then.
OPTIONAL = ("variables", "request_id")
INSERT_ENDINGS = ("", " returning id", " on conflict do nothing")
WRITE_ENDINGS = ("", " returning id")


class Dice:
    """Bytes that choose. Zero takes the first choice, so that is what is left when a failure is made simple."""

    def __init__(self, numbers: bytes) -> None:
        self._numbers = iter(numbers)

    def pick(self, known: Sequence[T]) -> T:
        return known[next(self._numbers, 0) % len(known)]

    def mostly(self, likely: Sequence[T], rare: Sequence[T]) -> T:
        """In three cases of four one of the likely ones, where there are any."""
        return self.pick(self.pick([likely, likely, likely, rare]) or rare or likely)


def subjects(world: World) -> list[Subject]:
    """What a statement can be about."""
    return [*world.catalogue.tables, *world.catalogue.functions.values()]


def theme(numbers: bytes, world: World) -> list[Subject]:
    known = subjects(world)
    return [known[number % len(known)] for number in numbers]


def statement(dice: Dice, about: Sequence[Subject], world: World, caller: Caller) -> Statement:
    """Somebody's next statement: mostly on the theme, and mostly such as the contract allows on some rows."""
    if caller.account and dice.pick(range(24)) == 23:
        return _fate(caller.account, dice.pick(range(3)))
    open_to_caller = [it for it in about if is_open(world, caller, it)]
    subject = dice.mostly(open_to_caller or about, subjects(world))
    if isinstance(subject, Function):
        return _call(world, caller, subject, dice)
    match dice.mostly([it for it in COMMANDS if model.is_granted(world, caller, it, subject.name)], COMMANDS):
        case "insert":
            return _insert(world, caller, subject, dice)
        case "update":
            return _update(world, caller, subject, dice)
        case _:
            return Delete(subject.name, _target(world, caller, "delete", subject, dice), dice.pick(WRITE_ENDINGS))


def is_open(world: World, caller: Caller, subject: Subject) -> bool:
    """Whether a caller can do anything with a table or function."""
    if isinstance(subject, Function):
        return functions.is_callable(world, caller, bare(subject))
    return any(model.is_granted(world, caller, command, subject.name) for command in COMMANDS)


def known_values(world: World, relation: Relation, name: str) -> Iterator[Any]:
    """Values that a column may be given; none where only its rules would know."""
    target = relation.foreign_keys.get(name, "")
    if relation.columns[name].base_type == "bool":
        yield from (True, False)
    elif name in WORDS:
        yield marked("words")
    elif target not in ("", ACCOUNTS, relation.name):
        yield from world.rows[target]
    else:
        yield from CHOICES.get((relation.name, name), ())


def _fate(account: str, number: int) -> Statement:
    return (SignIn(account), Dismiss(account), Leave(account))[number]


def _target(world: World, caller: Caller, command: str, relation: Relation, dice: Dice) -> str | None:
    """A row that the caller can reach, or any row, or all of them."""
    reached = [key.id for key, row in world.of(relation.name) if world.reaches(caller, command, relation.name, row)]
    return dice.mostly(reached, [None, dice.pick([None, *world.rows[relation.name]])])


def _insert(world: World, caller: Caller, relation: Relation, dice: Dice) -> Insert:
    columns = valid_row(relation)
    if "user_id" in relation.columns:
        columns["user_id"] = dice.pick([caller.account, caller.account, dice.pick([*world.people, None])])
    for name, target in parents(relation).items():
        columns[name] = dice.pick([*world.rows[target], None])
    for name in asked(world.contract, relation):
        if relation.columns[name].base_type == "bool" and dice.pick([True, False]):
            columns[name] = dice.pick([True, False])
    return Insert(relation.name, columns, dice.pick(INSERT_ENDINGS))


def _update(world: World, caller: Caller, relation: Relation, dice: Dice) -> Update:
    row_id = _target(world, caller, "update", relation, dice)
    terms = world.contract.tables.get(relation.name)
    granted = world.contract.granted(terms, caller.role, "update") if terms else set()
    values = {name: list(known_values(world, relation, name)) for name in relation.columns}
    within = [name for name, known in values.items() if known and (granted is None or name in granted)]
    beyond = [name for name in values if granted is not None and name not in granted]
    # What others may write is more tempting than what nobody may.
    by_others = {name for cell in terms.cells.values() for name in cell.columns or ()} if terms else set()
    tempting = [name for name in beyond if name in by_others]
    name = dice.mostly(within, dice.pick([tempting or beyond, beyond]))
    value = dice.pick(values[name]) if name in within else DEFAULT
    return Update(relation.name, {name: value}, row_id, dice.pick(WRITE_ENDINGS))


def _call(world: World, caller: Caller, function: Function, dice: Dice) -> Call:
    optional = [name for name in OPTIONAL if name in function.arguments and dice.pick([True, False])]
    values: dict[str, Any] = {}
    for argument in [*function.required, *optional]:
        values[argument] = dice.pick(choices(world, caller, function, argument, values) or [None])
    return Call(bare(function), values)
