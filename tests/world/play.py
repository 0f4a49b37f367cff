"""Plays statements on the database and on the model at once, and compares the two after each."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from world import functions, model, restraint
from world.model import ANYTHING, Effect
from world.observer import AUTH, Outcome, Sight
from world.rows import Caller, Key, Row, World
from world.stage import Stage
from world.statements import Call, Delete, Dismiss, Insert, Leave, SignIn, Statement, Update
from world.steps import Dice, Subject, statement

# What triggers of ours add to, whatever happens. Lines are only added; who sees them is checked as everywhere.
RECORDS = {"public.audit_log", "public.security_events"}
# Who acts how often.
CROWD = [*["alice", "bob"] * 4, *["carol", "dan"] * 3, "visitor", "server"]


class Done(NamedTuple):
    """A kind of statement that somebody has tried."""

    role: str
    kind: str
    was_refused: bool


@dataclass
class Play:
    stage: Stage
    done: Counter[Done] = field(default_factory=Counter)

    def take(self, before: Sight, about: list[Subject], numbers: bytes, tell: Callable[[str], None]) -> Sight:
        """One step: what is expected, what happens, what everybody sees then. Nothing, where all numbers are zero."""
        if not any(numbers):
            return before
        dice = Dice(numbers)
        who = dice.pick(CROWD)
        caller = self.stage.cast[who].caller
        deed = statement(dice, about, before.world, caller)
        tell(f"{who}: {deed}")
        effect = expected(before.world, caller, deed, self.stage.defaults)
        outcome = self.stage.observer.say(AUTH if isinstance(deed, SignIn | Dismiss | Leave) else who, *deed.sql())
        tell(f"    {outcome}")
        self.done[Done(caller.role, type(deed).__name__, bool(outcome.refusal))] += 1
        # What is refused is rolled back as a whole.
        after = before if outcome.refusal else self.stage.observer.look(before)
        if effect is None:
            check_unknown(before.world, after.world, caller, deed, outcome)
        else:
            check(before.world, after.world, effect, outcome)
            if effect.used:
                after = replace(after, world=replace(after.world, used=after.world.used + Counter([effect.used])))
        if after is not before:
            self.check_views(after)
            if caller.role in ("authenticated", "anon"):
                self.check_privacy(who, before, after)
        return after

    def check_views(self, sight: Sight) -> None:
        """Everybody sees exactly what the contract shows them."""
        for name, actor in self.stage.cast.items():
            assert_same(f"what {name} sees", sight.seen[name], sight.world.sees(actor.caller))

    def check_privacy(self, who: str, before: Sight, after: Sight) -> None:
        """The same without any contract: what users and visitors do shows to another user in public rows only."""
        public = before.seen["visitor"] | after.seen["visitor"]
        changed = difference(before.world, after.world).changed.keys()
        for name, actor in self.stage.cast.items():
            if name != who and actor.caller.role == "authenticated":
                differing = before.seen[name] ^ after.seen[name] | changed & after.seen[name]
                assert differing <= public, f"{who} changed what {name} sees: {differing - public}"

    def check_experience(self) -> None:
        """A run in which somebody got nowhere, or was refused nothing, says nothing."""
        for role in ("authenticated", "app_admin", "service_role"):
            for was_refused in (True, False):
                tried = [it for it in self.done if (it.role, it.was_refused) == (role, was_refused)]
                assert tried, f"{role} was refused {'nothing' if was_refused else 'everything'}"
        for kind in (Insert, Update, Delete, Call, SignIn, Dismiss, Leave):
            assert any(it.kind == kind.__name__ and not it.was_refused for it in self.done), f"nothing came of {kind}"


def expected(world: World, caller: Caller, deed: Statement, defaults: Mapping[str, Row]) -> Effect | None:
    """What the contract makes of a statement; None for a function that has no model."""
    match deed:
        case Insert():
            return model.insert(world, caller, deed, defaults[deed.table])
        case Update():
            return model.update(world, caller, deed)
        case Delete():
            return model.delete(world, caller, deed)
        case Call():
            return functions.call(world, caller, deed.function, deed.arguments)
        case SignIn():
            return model.sign_in(world, deed)
        case Dismiss():
            return model.dismiss(world, deed)
        case Leave():
            return model.leave(world, deed)


# Comparisons ----------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """The rows that came, those that went, and of the others the columns that changed."""

    added: list[Key]
    removed: Set[Key]
    changed: dict[Key, set[str]]


def difference(before: World, after: World) -> Difference:
    tables = [it for it in after.rows if before.rows.get(it) is not after.rows[it]]
    then, now = (dict(world.of(*tables)) if tables else {} for world in (before, after))
    changed = {key: {name for name in row if row[name] != now[key][name]} for key, row in then.items() if key in now}
    return Difference(
        [key for key in now if key not in then and key.table not in RECORDS],
        then.keys() - now.keys(),
        {key: names for key, names in changed.items() if names},
    )


def check(before: World, after: World, effect: Effect, outcome: Outcome) -> None:
    """What happened is what the model says, in the rows and in the answer."""
    if effect.refusals:
        assert outcome.refusal in effect.refusals, f"{outcome}, and no refusal by {', '.join(effect.refusals)}"
        return
    assert not outcome.refusal, f"refused against the contract: {outcome.message}"
    if effect.count is not ANYTHING:
        assert outcome.count == effect.count, f"{outcome.count} rows instead of {effect.count}"
    check_answer(effect, outcome)
    found = difference(before, after)
    assert_same("rows that are gone", found.removed, effect.removed)
    assert_same("rows that changed", found.changed.keys(), set(_changed(before, effect)))
    for key, columns in effect.changed.items():
        check_change(before, key, after[key], found.changed.get(key, set()), columns)
    check_additions(after, found.added, effect)


def _changed(before: World, effect: Effect) -> Iterator[Key]:
    """The rows in which something is to become what it was not."""
    for key, columns in effect.changed.items():
        if any(value is ANYTHING or before[key][name] != value for name, value in columns.items()):
            yield key


def check_answer(effect: Effect, outcome: Outcome) -> None:
    if effect.answer is not ANYTHING and not outcome.refusal:
        answer = effect.reading([row[0] for row in outcome.rows])
        assert answer == effect.answer, f"the answer is {answer} instead of {effect.answer}"


def check_change(before: World, key: Key, row: Row, changed: set[str], columns: Mapping[str, Any]) -> None:
    """The columns hold what was to be written. Besides them there is only such change as no client may write.

    The server is no client: it may write what functions and triggers of ours write.
    """
    wrong = {name: row[name] for name, value in columns.items() if value is not ANYTHING and row[name] != value}
    assert not wrong, f"{key} has {wrong} instead of {dict(columns)}"
    cells = before.contract.tables[key.table].cells.items()
    by_clients = {name for (role, _), cell in cells if role != "service_role" for name in cell.columns or ()}
    by_clients -= {"updated_at"}
    assert not changed & by_clients - columns.keys(), f"{key} changed in {changed}, and not only in {set(columns)}"


def check_additions(after: World, added: list[Key], effect: Effect) -> None:
    """For each row that was to come one has come that holds what was given, and no other."""
    left = list(added)
    for table, columns in effect.added:
        found = next((key for key in left if key.table == table and columns.items() <= after[key].items()), None)
        assert found, f"no new row of {table} has {columns}"
        left.remove(found)
    assert not left, f"nobody should have added {left}"


def check_unknown(before: World, after: World, caller: Caller, deed: Statement, outcome: Outcome) -> None:
    """What holds for every function: for those whom the contract names, and no row of others touched or told."""
    assert isinstance(deed, Call)
    assert outcome.refusal not in model.GRANTS, f"{caller.role} may not call {deed.function}, against the contract"
    found = difference(before, after)
    touched = [(before, key) for key in {*found.removed, *found.changed}]
    touched += [(after, key) for key in {*found.added, *found.changed}]
    for world, key in touched:
        assert restraint.may_change(world, caller, deed.function, key), f"{deed.function} touched {key}"
    told = restraint.given_away(before, caller, said(outcome), deed)
    assert not told, f"{deed.function} tells {caller} of {told}"


def said(outcome: Outcome) -> str:
    """Everything that came back."""
    return json.dumps(outcome.rows, default=str) + outcome.message


def assert_same(what: str, found: Set[Key], wanted: Set[Key]) -> None:
    """Two sets, with their differences where they are not the same."""
    assert found == wanted, f"{what}: missing {sorted(wanted - found)}, extra {sorted(found - wanted)}"
