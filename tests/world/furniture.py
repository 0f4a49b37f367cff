"""What stands in the world at the beginning: for everyone a row of every kind that the contract tells apart."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any

from psycopg.types.json import Jsonb

from forge_db.access.catalogue import ACCOUNTS, Catalogue, Relation
from forge_db.access.contract import Contract
from harness.examples import MODEL, example
from harness.people import Person
from harness.session import Session

# Columns that take any words.
WORDS = {"admin_response", "bio", "description", "display_name", "error_code", "message", "user_input"}
# What rules ask for besides booleans.
STATES = {"status": ("open", "resolved")}
# Whose a row is.
OWNERS = ("user_id", "actor_id")
# What points to a person besides the account.
PERSONAL = {
    "contact_email": "someone@example.com",
    "contact_name": "Someone",
    "user_agent": "Browser",
    "ip_address": "192.0.2.1",
}
# Seed data that would only make the world larger.
PRUNED = ("system_config", "prompt_templates", "prompt_frameworks", "feedback_categories", "feedback_tags")

_numbers = count(1)


def marked(words: str) -> str:
    """Words that no other row has, so that they tell where they were read."""
    return f"{words} <{next(_numbers)}>"


def valid_row(relation: Relation) -> dict[str, Any]:
    """The example of a table, with words that no other row has."""
    row = example(relation.name.removeprefix("public."))
    return {name: marked(value) if name in WORDS else value for name, value in row.items()}


def furnish(db: Session, contract: Contract, catalogue: Catalogue, people: list[Person]) -> None:
    """Fill every table."""
    db.as_owner()
    for table in PRUNED:
        db.run(f"delete from public.{table}")
    db.run("update public.api_providers set supported_models = %s, validation_rules = null", [Jsonb([MODEL])])
    db.run("insert into private.secrets (name, secret) values ('app_encryption_key', %s)", ["for tests " * 4])
    for relation in sorted(catalogue.tables, key=lambda it: len(parents(it))):
        personal = {name: value for name, value in PERSONAL.items() if name in relation.columns}
        for columns in _kinds(db, contract, relation, people):
            db.add(relation.name.removeprefix("public."), **valid_row(relation), **personal, **columns)
    for person in people:
        db.add("prompt_history", user_id=person.id, created_at=datetime.now(UTC) - timedelta(days=400))


def _kinds(db: Session, contract: Contract, relation: Relation, people: list[Person]) -> list[dict[str, Any]]:
    """The columns that make one row of each kind."""
    owners = [name for name in OWNERS if name in relation.columns]
    if any(rule.kind == "u" and rule.column_names == owners for rule in relation.constraints):
        return []  # made at sign-up
    choices: dict[str, list[Any]] = {name: [*STATES.get(name, (True, False))] for name in asked(contract, relation)}
    for owner in owners:
        choices[owner] = [*(person.id for person in people), *([] if relation.columns[owner].is_not_null else [None])]
    # A row for each row of the one parent, and of the others one will do.
    for number, (parent, target) in enumerate(parents(relation).items()):
        choices[parent] = db.column(f"select id from {target}")[: None if number == 0 else 1]
    rows = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    for rule in relation.constraints:
        if rule.kind == "u" and set(rule.column_names) <= choices.keys():
            rows = _apart(rows, rule.column_names)
    return rows


def _apart(rows: list[dict[str, Any]], unique: Sequence[str]) -> list[dict[str, Any]]:
    """Those that may stand beside each other, of every kind in turn."""
    kinds: dict[str, deque[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(repr({name: row[name] for name in row if name not in unique}), deque()).append(row)
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    waiting = deque(kinds.values())
    while waiting:
        kind = waiting.popleft()
        while kind and (key := tuple(kind[0][name] for name in unique)) in kept:
            kind.popleft()
        if kind:
            kept[key] = kind.popleft()
            waiting.append(kind)
    return list(kept.values())


def parents(relation: Relation) -> dict[str, str]:
    """The columns that must point to a row of another table, and the table."""
    keys = relation.foreign_keys.items()
    return {name: target for name, target in keys if target != ACCOUNTS and relation.columns[name].is_required}


def asked(contract: Contract, relation: Relation) -> tuple[str, ...]:
    """The columns that the contract's rules ask for."""
    return tuple(contract.tables[relation.name].asked) if relation.name in contract.tables else ()


def defaults(db: Session, contract: Contract, catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """What a row holds where nothing is given, in the columns that rules ask for; elsewhere nothing."""
    found = {}
    for relation in catalogue.tables:
        values = {name: relation.columns[name].default_value for name in asked(contract, relation)}
        known = {name: db.as_owner().value(f"select to_jsonb({value})") for name, value in values.items() if value}
        found[relation.name] = {**dict.fromkeys(relation.columns), **known}
    return found
