"""Calls functions and reads views as every role, and compares what they answer with what the base tables hold.

Three questions. Who may call it? Does it answer what the contract's own query finds, no less and no more? Does the
answer stay the same when every row that the caller may not read is taken away? Be it a text, a sum or an error: if it
changes, it has told something.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from forge_db.access import world
from forge_db.access.calls import Call, calls, error, filled, vain
from forge_db.access.catalogue import Function
from forge_db.access.causes import Cause, Outcome
from forge_db.access.contract import Routine
from forge_db.access.failures import Failure
from forge_db.access.observations import Observation
from forge_db.access.session import Rows
from forge_db.access.stage import Stage

Answered = list[tuple[Call, Outcome]]


def functions(stage: Stage, role: str) -> Iterator[Failure]:
    """Every function as one role."""
    yield from permissions(stage, role)
    asked: list[tuple[Routine, Function | None]] = []
    for routine, function in _known(stage):
        if role in stage.contract.usage.get(function.schema, ()) and stage.contract.is_for(routine, role):
            if routine.truth is None and routine.then is None:
                hint = "Add truth, a query for what it must answer, or then, a condition that must hold after it."
                raise error(stage.contract, routine, f"nothing is said of what {routine.name} answers", hint)
            asked.append((routine, function))
    if asked:
        yield from _ask(stage, role, asked)


def permissions(stage: Stage, role: str) -> Iterator[Failure]:
    """Whether a role may call each function, or not, as it should."""
    for routine, function in _known(stage):
        may_reach = role in stage.contract.usage.get(function.schema, ())
        yield from _may_call(stage, role, function, may_reach, stage.contract.is_for(routine, role))


def _known(stage: Stage) -> Iterator[tuple[Routine, Function]]:
    """The functions of the contract that are there."""
    spelt = stage.spelt()
    for routine in stage.contract.functions:
        function = stage.catalogue.functions.get(spelt[routine.name] or "")
        if function is not None:
            yield routine, function


def views(stage: Stage, role: str) -> Iterator[Failure]:
    """Every view as one role."""
    asked: list[tuple[Routine, Function | None]] = []
    for view in (it for it in stage.contract.views if it.name in stage.catalogue.relations):
        if stage.contract.is_for(view, role):
            if view.truth is None:
                raise error(stage.contract, view, f"nothing is said of what {view.name} shows", "Add truth, a query.")
            asked.append((view, None))
            continue
        found = stage.session.attempt(stage.speaker(role), f"select * from {view.name}")
        if found.cause is not Cause.TABLE_GRANT:
            yield Failure(view.name, f"read by {role}", Cause.TABLE_GRANT, said(found))
    if asked:
        yield from _ask(stage, role, asked)


# Who may -------------------------------------------------------------------------------------------------------------


def _may_call(stage: Stage, role: str, function: Function, may_reach: bool, may_call: bool) -> Iterator[Failure]:
    """Whoever may not call it is refused by the grant; in a closed schema by that, and by the grant were it open."""
    statement = f"select {vain(function)}"
    if not may_reach:
        found = stage.session.attempt(stage.speaker(role), statement)
        if found.cause is not Cause.SCHEMA_GRANT:
            yield Failure(function.name, f"call by {role}", Cause.SCHEMA_GRANT, said(found), statement=statement)
    with stage.session.undone():
        stage.session.own(f"grant usage on schema {function.schema} to {role}")
        found = stage.session.attempt(stage.speaker(role), statement)
    # What else a call in vain comes to is not what is asked here, nor that it may not call another in its turn.
    refused = found.cause is Cause.FUNCTION_GRANT and found.message.endswith(f" {function.short}")
    reached = found if refused else Outcome(Cause.ALLOWED)
    expected = Cause.ALLOWED if may_call else Cause.FUNCTION_GRANT
    if reached.cause is not expected:
        what = f"call by {role}" if may_reach else f"call by {role}, given usage of the schema"
        yield Failure(function.name, what, expected, str(reached), statement=statement)
    if may_reach:
        seen = Observation(function.name, role, "call", None, "", statement, frozenset({expected}), reached)
        stage.observed.append(seen)


# What it answers -----------------------------------------------------------------------------------------------------


def _ask(stage: Stage, role: str, asked: Sequence[tuple[Routine, Function | None]]) -> Iterator[Failure]:
    """Ask in a world where everybody has rows, and again in one without those that the caller may not know of."""
    with stage.session.undone():
        world.populate(stage)
        before = world.snapshot(stage)
        answered: dict[str, Answered] = {}
        for routine, function in asked:
            with _prepared(stage, role, routine):
                start = world.snapshot(stage) if routine.before else before
                made = calls(stage, routine, function)
                compared = [_compare(stage, role, call, start) for call in made]
                whole = [stage.session.attempt(stage.speaker(role), call.whole) for call in made]
            yield from (failure for failures in compared for failure in failures)
            if all(answer.sqlstate for answer in whole):
                yield Failure(routine.name, f"call by {role}", "at least one call succeeds", said(whole[-1]))
            answered[routine.name] = list(zip(made, whole, strict=True))
        if not stage.contract.roles[role].bypasses_policies:
            for revealed in {str(routine.reveals): routine.reveals for routine, _ in asked}.values():
                with stage.session.undone():
                    world.remove_unseen(stage, role, revealed)
                    for routine in (it for it, _ in asked if it.reveals == revealed):
                        with _prepared(stage, role, routine):
                            yield from _ask_again(stage, role, answered[routine.name])


@contextmanager
def _prepared(stage: Stage, role: str, routine: Routine) -> Iterator[None]:
    """Do what the contract says must be done before a function can answer."""
    with stage.session.undone():
        if routine.before:
            stage.session.own(filled(stage, role, Call(routine, "", "", {}), routine.before))
        yield


def _ask_again(stage: Stage, role: str, answered: Answered) -> Iterator[Failure]:
    for call, before in answered:
        after = stage.session.attempt(stage.speaker(role), call.whole)
        if _gist(after) == _gist(before):
            continue
        again = stage.session.attempt(stage.speaker(role), call.whole)
        if _gist(again) != _gist(after) and (before.message, len(before.rows)) == (after.message, len(after.rows)):
            continue  # it answers with something new each time
        yield Failure(
            call.routine.name,
            f"call by {role}, with and without the rows that it may not know of",
            "the same answer",
            f"with them {said(before)}, without them {said(after)}",
            statement=call.whole,
        )


def _gist(answer: Outcome) -> tuple[str, str, list[str]]:
    return answer.message, answer.advice, sorted(map(str, answer.rows))


def _compare(stage: Stage, role: str, call: Call, before: world.Snapshot) -> list[Failure]:
    """One call: its answer against the truth before it, and what it has changed against what it may."""
    routine = call.routine
    truth = stage.session.own(filled(stage, role, call, routine.truth)) if routine.truth else None
    differences: list[tuple[str, str]] = []
    with stage.session.speaking(stage.speaker(role), call.statement, may_write=call.may_write) as answer:
        if answer.sqlstate and answer.cause is not Cause.TRIGGER:
            differences.append(("an answer, or an error of its own", said(answer)))
        elif truth is not None and not _agrees(truth, answer):
            differences.append((f"answers the truth: {shown(truth)}", said(answer)))
        if not answer.sqlstate and routine.then:
            first = answer.rows[0][0] if answer.rows and answer.rows[0] else None
            after = stage.session.own(filled(stage, role, call, routine.then, first))
            if after != (("t",),):
                differences.append((f"then holds: {' '.join(routine.then.split())}", shown(after)))
        if call.may_write and not answer.sqlstate and world.digest(stage) != before.digest:
            differences += (("changes nothing else", it) for it in _changes(stage, role, routine, before))
    what = f"call by {role}"
    return [Failure(routine.name, what, *it, statement=call.statement) for it in differences]


def _agrees(truth: Rows, answer: Outcome) -> bool:
    """Where the truth has no row, the call must fail or answer nothing."""
    if not truth:
        return bool(answer.sqlstate) or all(value is None for row in answer.rows for value in row)
    return not answer.sqlstate and sorted(map(str, truth)) == sorted(map(str, answer.rows))


def _changes(stage: Stage, role: str, routine: Routine, before: world.Snapshot) -> Iterator[str]:
    """What a call has changed and may not, in words."""
    for was, now in world.differences(before, world.snapshot(stage)):
        row = was or now
        assert row is not None
        kind = world.kind_of(stage, row, role)
        if row.table not in routine.changes or not routine.changes[row.table].holds(kind):
            done = "inserts" if was is None else "deletes" if now is None else "updates"
            yield f"{done} a row of {row.table}: {kind}"


def said(answer: Outcome) -> str:
    return str(answer) if answer.sqlstate else shown(answer.rows)


def shown(rows: Rows) -> str:
    """The rows, as far as that helps."""
    text = "; ".join(", ".join("null" if value is None else value for value in row) for row in rows[:5])
    text = text if len(text) <= 200 else f"{text[:200]}…"
    return text if len(rows) == 1 else f"{len(rows)} rows: {text}".removesuffix(": ")
