"""Tries what is closed, and what is no table: schemas, tables out of reach, sequences."""

from collections.abc import Callable, Iterator

from forge_db.access import shapes
from forge_db.access.catalogue import Relation
from forge_db.access.causes import Cause, Outcome
from forge_db.access.failures import Failure
from forge_db.access.rows import insert
from forge_db.access.session import Speaker
from forge_db.access.stage import Stage
from forge_db.access.tables import CLOSED

Attempt = Callable[[Speaker, str], Outcome]

NOTHING = '"nothing has this name"'


def schemas(stage: Stage, role: str) -> Iterator[Failure]:
    """Look a name up in each schema, and create something there."""
    for schema, users in stage.contract.usage.items():
        look, create = f"select from {schema}.{NOTHING}", f"create table {schema}.probe ()"
        found = stage.session.attempt(stage.speaker(role), look)
        may_look = found.sqlstate == "42P01"  # no such table, and not: no such right
        if may_look is not (role in users):
            yield Failure(
                f"schema {schema}",
                f"usage by {role}",
                "allowed" if role in users else "refused",
                str(found),
                statement=look,
            )
        found = stage.session.attempt(stage.speaker(role), create)
        if found.cause is not Cause.SCHEMA_GRANT:
            yield Failure(f"schema {schema}", f"create by {role}", Cause.SCHEMA_GRANT, str(found), statement=create)


def closed(stage: Stage, role: str) -> Iterator[Failure]:
    """What nobody reaches: refused for the schema; and, should every grant slip in, by its policies."""
    names = [*stage.contract.closed, *(it.name for it in stage.catalogue.partitions)]
    for relation in (stage.catalogue.relations[name] for name in names if name in stage.catalogue.relations):
        statement = f"select from {relation.name}"
        found = stage.session.attempt(stage.speaker(role), statement)
        if found.cause is not Cause.SCHEMA_GRANT:
            yield Failure(relation.name, f"select by {role}", Cause.SCHEMA_GRANT, str(found), statement=statement)
        if relation.is_table and not stage.contract.roles[role].bypasses_policies:
            with stage.session.undone():
                yield from with_every_grant(stage, role, relation)


def with_every_grant(stage: Stage, role: str, relation: Relation, attempt: Attempt | None = None) -> Iterator[Failure]:
    # What a row of it points to first: a trigger there may make one of its own.
    pointers = stage.builder.pointers(relation)
    stage.empty(relation)
    values = stage.builder.find(relation, pointers)
    row = stage.builder.place(relation, values)
    schema = relation.name.partition(".")[0]
    stage.session.own(f"grant usage on schema {schema} to {role}")
    stage.leave_to_policies(relation, role)
    if not stage.contract.roles[role].logs_in:
        # Nor may a policy open it to those whom requests are made by.
        stage.session.own(f"create policy probe on {relation.name} to {role} using (true) with check (true)")
    # Some tables have nothing but their key.
    columns = [name for name, it in relation.columns.items() if not it.is_generated]
    column = next((name for name in columns if name not in relation.key), columns[0])
    tried = {
        "select": shapes.selects(relation, row)[0].text,
        "insert": insert(relation, values),
        "update": f"update {relation.name} set {relation.columns[column].quoted} = {values.get(column, 'default')}",
        "delete": shapes.deletes(relation, row)[0].text,
    }
    for command, statement in tried.items():
        found = (attempt or stage.session.attempt)(stage.speaker(role), statement)
        if found.cause is Cause.ALLOWED and not found.count:
            found = Outcome(Cause.FILTERED)
        if found.cause not in CLOSED:
            what = f"{command} by {role}, given every grant"
            yield Failure(relation.name, what, " or ".join(sorted(CLOSED)), str(found), statement=statement)


def sequences(stage: Stage, role: str) -> Iterator[Failure]:
    """Draw from each sequence, set it, read it."""
    for name, entry in stage.contract.sequences.items():
        if name not in stage.catalogue.relations:
            continue
        held = {privilege for holder in stage.contract.held(role) for privilege in entry.get(holder, ())}
        tried = {
            f"select nextval('{name}')": bool(held & {"usage", "update"}),
            f"select setval('{name}', 1)": "update" in held,
            f"select last_value from {name}": "select" in held,
        }
        for statement, may in tried.items():
            found = stage.session.attempt(stage.speaker(role), statement)
            if may is not (found.cause is Cause.ALLOWED):
                expected = Cause.ALLOWED if may else Cause.SEQUENCE_GRANT
                yield Failure(name, f"use by {role}", expected, str(found), statement=statement)
