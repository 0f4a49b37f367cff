"""A small world in which functions and views are asked: rows of everybody, of every kind, in every table at once."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

from forge_db.access.catalogue import Relation
from forge_db.access.contract import Table
from forge_db.access.rules import NOTHING, Kind, Rule
from forge_db.access.session import literal
from forge_db.access.stage import BYSTANDER, STRANGER, Stage
from forge_db.errors import ForgeError

Place = tuple[str, str]  # a table, and the key of a row in it


class Found(NamedTuple):
    """A row that is there: where, whose, in which state, and a digest of all it holds."""

    table: str
    key: str
    account: str | None
    states: Mapping[str, str]
    digest: str


def populate(stage: Stage) -> None:
    """Have rows of every account, of nobody, and in every state that a rule asks for; also where nobody can reach."""
    accounts = [account for name, account in stage.accounts.items() if name != BYSTANDER]
    for table in stage.tables.values():
        relation = stage.relation(table)
        owners: list[str | None] = [None]
        if table.owner:
            owners = [*accounts, *([None] if stage.may_be_unowned(table) else [])]
        for account, states in product(owners, product(*(stage.domain(table, name) for name in table.asked))):
            fixed = {name: literal(value) for name, value in zip(table.asked, states, strict=True)}
            owned = stage.owned(relation, table.owner, account) if table.owner else {}
            try:
                stage.builder.place(relation, stage.builder.find(relation, {**fixed, **owned}))
            except ForgeError:
                # There may be only one, and a trigger has made it.
                there = " and ".join(f"{relation.columns[name].quoted} = {value}" for name, value in owned.items())
                if not owned or stage.session.own(f"select from {relation.name} where {there} limit 1") == ():
                    raise


def rows(stage: Stage, table: Table) -> Iterator[Found]:
    """What a table holds."""
    relation = stage.relation(table)
    asked = "".join(f", t.{relation.columns[name].quoted}::text" for name in table.asked)
    owner, joined = "null::text", ""
    if table.owner:
        *path, last = table.owner
        alias, at = "t", relation
        for place, column in enumerate(path):
            parent = stage.catalogue.relations[at.foreign_keys[column]]
            (target,) = (parent.columns[name].quoted for name in parent.key)
            joined += f" left join {parent.name} as p{place} on p{place}.{target} = {alias}.{at.columns[column].quoted}"
            alias, at = f"p{place}", parent
        owner = f"{alias}.{at.columns[last].quoted}::text"
    query = f"select {_key(relation)}, {owner}, md5(t::text){asked} from {relation.name} as t{joined}"
    for found, account, digest, *states in stage.session.own(query):
        yield Found(table.name, str(found), account, dict(zip(table.asked, map(str, states), strict=True)), str(digest))


def kind_of(stage: Stage, row: Found, role: str) -> Kind:
    """What kind of row it is to a role's account."""
    if not stage.tables[row.table].owner:
        return Kind("", row.states)
    if row.account is None:
        return Kind("unowned", row.states)
    return Kind("own" if row.account == stage.accounts.get(role) else "other", row.states)


def remove_unseen(stage: Stage, role: str, reveals: Mapping[str, Rule]) -> None:
    """Take away every row that a role may not know of, and the accounts of which it may know nothing.

    It may know what it may read, what the contract says is revealed, and in closed tables what is about itself. What
    such a row points to stays as well, because the row would not be the same without it.
    """
    known, unknown = set[Place](), set[Place]()
    owners: dict[Place, str | None] = {}
    for table in stage.tables.values():
        readable = stage.contract.rule(table, role, "select")
        revealed = reveals.get(table.name, NOTHING)
        for row in rows(stage, table):
            kind = kind_of(stage, row, role)
            is_own_affair = table.name in stage.contract.closed and kind.owner != "other"
            is_known = readable.holds(kind) or revealed.holds(kind) or is_own_affair
            (known if is_known else unknown).add((row.table, row.key))
            owners[row.table, row.key] = row.account
    pointed = pointers(stage)
    reached = list(known)
    while reached:
        reached = [place for start in reached for place in pointed.get(start, ()) if place in unknown]
        unknown.difference_update(reached)
    for name, relation in ((name, stage.relation(table)) for name, table in stage.tables.items()):
        if keys := [literal(key) for table, key in unknown if table == name]:
            stage.empty(relation, f"{_key(relation)} in ({', '.join(keys)})")
    kept = {account for place, account in owners.items() if place not in unknown}
    for account in (stage.accounts[name] for name in (BYSTANDER, STRANGER)):
        if account not in kept:
            stage.session.own(f"delete from auth.users where id = {literal(account)}")


def pointers(stage: Stage) -> dict[Place, list[Place]]:
    """Which rows each row points to, among the tables that we know."""
    found: dict[Place, list[Place]] = {}
    for name, table in stage.tables.items():
        relation = stage.relation(table)
        for column, target in relation.foreign_keys.items():
            if target in stage.tables:
                query = (
                    f"select {_key(relation)}, array[t.{relation.columns[column].quoted}::text]::text from {name} as t"
                )
                for key, pointed in stage.session.own(query):
                    found.setdefault((name, str(key)), []).append((target, str(pointed)))
    return found


def _key(relation: Relation) -> str:
    """The key of a row as one text."""
    return f"array[{', '.join(f't.{relation.columns[name].quoted}::text' for name in relation.key)}]::text"


class Snapshot(NamedTuple):
    """All rows by table and key, and one digest of everything that is stored."""

    rows: Mapping[tuple[str, str], Found]
    digest: str


def snapshot(stage: Stage) -> Snapshot:
    found = (row for table in stage.tables.values() for row in rows(stage, table))
    return Snapshot({(row.table, row.key): row for row in found}, digest(stage))


def differences(before: Snapshot, after: Snapshot) -> Iterator[tuple[Found | None, Found | None]]:
    """Each row that changed, as it was and as it is."""
    for key in sorted(before.rows.keys() | after.rows.keys()):
        was, now = before.rows.get(key), after.rows.get(key)
        if was is None or now is None or was.digest != now.digest:
            yield was, now


def digest(stage: Stage) -> str:
    """One text for everything that our tables hold."""
    tables = [it.name for it in stage.catalogue.relations.values() if it.is_table and not it.is_partition]
    each = (f"(select coalesce(sum(hashtextextended(t::text, 0)), 0) from {name} as t)" for name in tables)
    ((found,),) = stage.session.own(f"select concat_ws(' ', {', '.join(each)})")
    return str(found)
