"""What holds for every function: it changes rows of the caller only, and tells nothing of hidden ones."""

import json
import re
from collections.abc import Mapping

from forge_db.access.rules import Rule
from world.functions import routines
from world.rows import Caller, Key, World
from world.statements import Call

# Marked words and ids.
TELLING = re.compile(r"<\d+>|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def may_change(world: World, caller: Caller, name: str, key: Key) -> bool:
    """Whether a function may touch a row: the caller's own, or one that the contract names among its changes."""
    owner = world.owner(key)
    if owner is not None and owner == caller.account:
        return True
    return any(_is_among(world, caller, it.changes or {}, key) for it in routines(world, name))


def given_away(world: World, caller: Caller, text: str, call: Call | None = None) -> set[str]:
    """What a text has of rows that the caller neither sees nor, by the contract, learns of by this call."""
    given = json.dumps([*call.arguments.values()], default=str) if call else ""
    told = {it for it in TELLING.findall(text) if it not in given and it != caller.account}
    if not told:
        return set()
    seen = world.sees(caller)
    for routine in routines(world, call.function) if call else ():
        seen |= {key for key, _ in world.of() if _is_among(world, caller, routine.reveals or {}, key)}
    known = "".join(json.dumps(row) for key, row in world.of() if key in seen)
    hidden = "".join(json.dumps(row) for key, row in world.of() if key not in seen)
    return {it for it in told if it in hidden and it not in known}


def _is_among(world: World, caller: Caller, rules: Mapping[str, Rule], key: Key) -> bool:
    return key.table in rules and rules[key.table].holds(world.kind(caller, key.table, world[key]))
