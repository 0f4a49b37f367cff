"""The calls to make of a function or view, and the contract's queries about them with the names filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from forge_db.access.catalogue import Function
from forge_db.access.contract import Contract, Routine
from forge_db.access.session import literal
from forge_db.access.stage import Stage
from forge_db.errors import ForgeError

MOST = 200


@dataclass(frozen=True)
class Call:
    """One call: for what the truth is about, and for all that it answers; with the arguments as SQL expressions."""

    routine: Routine
    statement: str
    whole: str
    arguments: Mapping[str, str]
    may_write: bool = False


def calls(stage: Stage, routine: Routine, function: Function | None) -> list[Call]:
    """Every value of each argument with each of the others'; for a view, which has none, one look."""
    if function is None:
        return [_call(routine, routine.name, {}, False)]
    given = routine.given
    if missing := [name for name in function.required if name not in given]:
        hint = f'Add given = {{ {missing[0]} = "select …" }}, or one value in SQL.'
        raise error(stage.contract, routine, f'argument "{missing[0]}" of {routine.name} is given no values', hint)
    values = {name: _values(stage, routine, function, name, text) for name, text in given.items()}
    combined = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    if not 0 < len(combined) <= MOST:
        raise error(
            stage.contract, routine, f"{len(combined)} calls of {routine.name}", f"Give values for 1 to {MOST}."
        )
    return [_call(routine, expression(function, it), it, function.is_volatile) for it in combined]


def _call(routine: Routine, source: str, arguments: Mapping[str, str], may_write: bool) -> Call:
    part = f"select {routine.columns} from {source} as answer"
    return Call(routine, part, f"select * from {source}", arguments, may_write)


def _values(stage: Stage, routine: Routine, function: Function, name: str, text: str) -> list[str]:
    """The values that the contract gives an argument: what a query finds, or one expression."""
    if name not in function.arguments:
        raise error(stage.contract, routine, f'{routine.name} has no argument "{name}"')
    query = text if text.strip().startswith("select") else f"select {text}"
    found = stage.session.own(f"select distinct given.value::text from ({query}) as given (value) order by 1")
    return [f"{literal(value)}::{function.arguments[name]}" for (value,) in found]


def expression(function: Function, arguments: Mapping[str, str]) -> str:
    """A call by the names of the arguments."""
    given = ", ".join(f"{name} => {value}" for name, value in arguments.items())
    return f"{function.name.partition('(')[0]}({given})"


def vain(function: Function) -> str:
    """A call that only asks whether one may.

    The nulls are sub-selects: of a plain null a strict function is never called, whoever may call it.
    """
    types = function.argument_types[: len(function.required)]
    return f"{function.name.partition('(')[0]}({', '.join(f'(select null::{name})' for name in types)})"


def filled(stage: Stage, role: str, call: Call, text: str, answer: str | None = None) -> str:
    """A query of the contract's with its :names replaced."""
    me = f"{literal(stage.accounts.get(role))}::uuid"
    values = {"role": literal(role), "me": me, "answer": literal(answer), **call.arguments}

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise error(
                stage.contract, call.routine, f'"{found[0]}" stands for nothing', f"There is {', '.join(values)}."
            )
        return values[found[1]]

    return re.sub(r"(?<![:\w]):([a-z_]+)", value, text)


def error(contract: Contract, routine: Routine, message: str, hint: str | None = None) -> ForgeError:
    """What is wrong with an entry of the contract, with its line."""
    place = f'"{routine.name}'
    return contract.source.error(message, routine.section, place, nth=routine.nth, hint=hint)
