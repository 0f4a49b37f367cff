"""What probes stand on: contract and catalogue, an account for every caller, tables that hold what a probe needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import product
from typing import Any

import psycopg

from forge_db.access import candidates
from forge_db.access import catalogue as catalogues
from forge_db.access.catalogue import ACCOUNTS, Catalogue, Relation, Rights
from forge_db.access.contract import COMMANDS, Contract, Table
from forge_db.access.observations import Observation
from forge_db.access.rows import Builder, Values
from forge_db.access.rules import Kind
from forge_db.access.session import Session, Speaker, literal
from forge_db.access.source import nearest
from forge_db.errors import ForgeError

SIGN_UP = """
    insert into auth.users (id, aud, role, email, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
    values ({id}, 'authenticated', {role}, {email}, '{{}}', '{{}}', now(), now())
"""
STRANGER = "stranger"
BYSTANDER = "bystander"


class Stage:
    """Accounts and rows for probes, in a session's transaction."""

    def __init__(self, session: Session, contract: Contract) -> None:
        self.session = session
        self.contract = contract
        self.catalogue: Catalogue = catalogues.load(session, contract.usage, contract.roles)
        self.accounts: dict[str, str] = {}
        self.observed: list[Observation] = []
        session.may_become(contract.roles)
        for name, role in contract.roles.items():
            if role.signs_in:
                self._sign_up(name, name)
        for name in (STRANGER, BYSTANDER):
            self._sign_up(name, "authenticated")
        self.builder = Builder(session, self.catalogue, contract.samples, self.accounts[BYSTANDER])

    @classmethod
    @contextmanager
    def on(cls, connection: psycopg.Connection[Any], contract: Contract) -> Iterator["Stage"]:
        """A stage on a connection, of which nothing remains."""
        with Session.on(connection, contract.owner) as session:
            yield cls(session, contract)

    def _sign_up(self, name: str, role: str) -> None:
        account = f"70726f62-6500-4000-8000-{len(self.accounts) + 1:012x}"  # of "probe": nobody else's
        email = literal(f"{name}@probe.example")
        self.session.own(SIGN_UP.format(id=literal(account), role=literal(role), email=email))
        self.accounts[name] = account

    def speaker(self, role: str) -> Speaker:
        return Speaker(role, self.accounts.get(role))

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables of the contract, and the closed ones, whose owner is the account that they point to."""
        closed = (self.catalogue.relations[name] for name in self.contract.closed if name in self.catalogue.relations)
        owned = {
            it.name: [name for name, target in it.foreign_keys.items() if target == ACCOUNTS]
            for it in closed
            if it.is_table
        }
        return {**self.contract.tables, **{name: Table(name, tuple(owner[:1]), {}) for name, owner in owned.items()}}

    def relation(self, table: Table) -> Relation:
        """The table itself, with all that the contract says of its columns."""
        source, known = self.contract.source, self.catalogue.relations
        if table.name not in known:
            there = f'the database has no table "{table.name}"'
            raise source.error(there, table.section, hint=nearest(table.name, known))
        found = known[table.name]
        for column in (*table.asked, *table.owner[:1]):
            if column not in found.columns:
                there = f'{table.name} has no column "{column}"'
                raise source.error(there, table.section, column, hint=nearest(column, found.columns))
        return found

    def rights(self, role: str, relation: Relation) -> Rights:
        return catalogues.rights(self.session, role, relation)

    def spelt(self) -> dict[str, str | None]:
        """The functions of the contract as the database spells them; None for what it has not."""
        query = "select name, to_regprocedure(name)::text as spelt from unnest(%(names)s::text[]) as name"
        names = [it.name for it in self.contract.functions]
        return {row["name"]: row["spelt"] for row in self.session.query(query, {"names": names})}

    # Kinds of rows ---------------------------------------------------------------------------------------------------

    def kinds(self, table: Table, role: str) -> list[Kind]:
        """Every kind of row that the rules of a table tell apart, as a role sees them."""
        owners = [""]
        if table.owner:
            owners = [*(["own"] if role in self.accounts else []), "other"]
            owners += ["unowned"] if self.may_be_unowned(table) else []
        domains = [self.told_apart(table, column) for column in table.asked]
        return [
            Kind(owner, dict(zip(table.asked, states, strict=True))) for owner in owners for states in product(*domains)
        ]

    def domain(self, table: Table, column: str) -> list[str]:
        """The values of a column that its table's rules ask for."""
        relation = self.relation(table)
        if found := candidates.domain(relation, relation.columns[column]):
            return found
        raise self.contract.source.error(
            f'a rule asks for "{column}", whose values cannot be listed',
            table.section,
            column,
            hint="Ask for a boolean, an enum, or a column whose check lists its values.",
        )

    def told_apart(self, table: Table, column: str) -> list[str]:
        """The values that the rules name, and one that stands for the rest."""
        named = table.asked[column]
        rest = [value for value in self.domain(table, column) if value not in named]
        return [*named, *rest[:1]]

    def may_be_unowned(self, table: Table) -> bool:
        relation = self.relation(table)
        for column in table.owner[:-1]:
            relation = self.catalogue.relations[relation.foreign_keys[column]]
        return not relation.columns[table.owner[-1]].is_not_null

    def fixed(self, table: Table, kind: Kind, role: str) -> Values:
        """The values that make a row of this kind, whatever else it holds."""
        values = {column: literal(value) for column, value in kind.states.items()}
        if kind.owner:
            account = {"own": self.accounts.get(role), "other": self.accounts[STRANGER], "unowned": None}[kind.owner]
            values |= self.owned(self.relation(table), table.owner, account)
        return values

    def owned(self, relation: Relation, path: tuple[str, ...], account: str | None) -> Values:
        """The value that makes a row an account's: its id, or the key of a row of theirs that is made for it."""
        column, *rest = path
        if not rest:
            return {column: literal(account)}
        parent = self.catalogue.relations[relation.foreign_keys[column]]
        return {column: self.builder.build(parent, self.owned(parent, tuple(rest), account))}

    # Tables ----------------------------------------------------------------------------------------------------------

    def leave_to_policies(self, relation: Relation, role: str) -> None:
        """Give a role every right on a table's rows, and keep triggers from speaking before the policies do."""
        # The lock first: a vacuum that holds it would wait for the grant's row of pg_class, and neither would end.
        self.session.own(
            f"alter table {relation.name} disable trigger user; "
            f"grant {', '.join(COMMANDS)} on {relation.name} to {role}"
        )

    def empty(self, relation: Relation, condition: str = "true") -> None:
        """Have no such rows in a table, even in one that only grows."""
        delete = f"delete from {relation.name} as t where {condition}"
        if not self.session.try_own(delete).sqlstate:
            return
        awake = [trigger for trigger in relation.triggers if trigger.state != "D"]
        states = {"O": "enable", "A": "enable always", "R": "enable replica"}
        for trigger in awake:
            self.session.own(f'alter table {relation.name} disable trigger "{trigger.name}"')
        self.session.own(delete)
        for trigger in awake:
            self.session.own(f'alter table {relation.name} {states[trigger.state]} trigger "{trigger.name}"')

    def refuse_large(self, relation: Relation, limit: int = 10_000) -> None:
        """Probing empties a table for a while, which is no thing to do to a large one."""
        ((rows,),) = self.session.own(f"select count(*) from (select from {relation.name} limit {limit}) as found")
        if int(rows or 0) >= limit:
            raise ForgeError(
                f"{relation.name} holds {limit} rows or more",
                "Use a database that holds little, as `make up` makes it.",
            )
