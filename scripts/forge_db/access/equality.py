"""The contract against the catalogue: whatever one of them names and the other does not is a failure."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from forge_db.access.catalogue import Catalogue, Grant, Relation
from forge_db.access.contract import Contract, Routine, Table
from forge_db.access.failures import Failure
from forge_db.access.source import nearest

KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence"}
Right = tuple[str, str, str | None]  # grantee, privilege, column


def compare(contract: Contract, catalogue: Catalogue, spelt: dict[str, str | None]) -> list[Failure]:
    """Every difference that needs no statement to be seen."""
    parts: tuple[Callable[[Contract, Catalogue], Iterable[Failure]], ...] = (
        _roles, _schemas, _relations, _columns, _partitions, _policies, _grants, _defaults,
    )  # fmt: skip
    found = [failure for part in parts for failure in part(contract, catalogue)]
    return found + list(_functions(contract, catalogue, spelt))


def _absent(
    contract: Contract, what: str, name: str, known: Iterable[str], section: str, *words: str, nth: int = 1
) -> Failure:
    return Failure(
        name,
        f"{what}, named in {contract.source.at(section, *words, nth=nth)}",
        f"has the {what} {name}",
        f"has no such {what}. {nearest(name, known)}",
    )


def _unnamed(contract: Contract, what: str, name: str) -> Failure:
    return Failure(name, f"{what} in the database", f"{contract.source.name} does not name it", f"has this {what}")


# Roles and schemas ---------------------------------------------------------------------------------------------------


def _roles(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    for name, role in contract.roles.items():
        if name not in catalogue.roles:
            yield _absent(contract, "role", name, catalogue.roles, "roles", name)
            continue
        facts = catalogue.roles[name]
        compared = {
            "bypasses policies": (role.bypasses_policies, facts.bypasses_policies),
            "logs in": (role.logs_in, facts.logs_in),
            "inherits what it is a member of": (not role.becomes, facts.is_inheriting),
            "may create, replicate or is a superuser": (False, facts.is_powerful),
            "is a member of": (sorted(role.inherits + role.becomes), sorted(facts.member_of)),
        }
        for what, (expected, observed) in compared.items():
            if expected != observed:
                yield Failure(f"role {name}", what, _say(expected), _say(observed))


def _schemas(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    for name in contract.usage.keys() - catalogue.schemas.keys():
        yield _absent(contract, "schema", name, catalogue.schemas, "schemas", "usage", name)
    for name, schema in catalogue.schemas.items():
        if name in contract.platform:
            continue
        if name not in contract.usage:
            yield _unnamed(contract, "schema", name)
        elif set(schema.usable_by) != set(contract.usage[name]):
            yield Failure(f"schema {name}", "usage", _say(sorted(contract.usage[name])), _say(sorted(schema.usable_by)))
        if schema.creatable_by:
            yield Failure(f"schema {name}", "create", "nobody", _say(schema.creatable_by))


def _say(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "nobody"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# Tables and what is like them ----------------------------------------------------------------------------------------


def _relations(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    views = {it.name: it.nth for it in contract.views}
    named = {*contract.tables, *contract.closed, *views, *contract.sequences}
    for relation in catalogue.relations.values():
        if relation.name not in named and not relation.is_partition:
            yield _unnamed(contract, KINDS[relation.kind], relation.name)
        if relation.owner_name != contract.owner:
            yield Failure(relation.name, "owner", contract.owner, relation.owner_name)
        if relation.is_table and not relation.has_row_security:
            yield Failure(relation.name, "row level security", "on", "off")
        if relation.is_table and not relation.key and not relation.is_partition:
            yield Failure(relation.name, "primary key", "there is one", "none")
        if relation.has_rules:
            yield Failure(relation.name, "rewrite rule", "no table has one", "has one, which no policy holds")
    known = catalogue.relations
    for table in contract.tables.values():
        if table.name not in known:
            yield _absent(contract, "table", table.name, known, table.section)
    for name in contract.closed:
        if name not in known:
            schema, _, word = name.partition(".")
            yield _absent(contract, "table", name, known, "closed", schema, word)
    for name, nth in views.items():
        if name not in known:
            yield _absent(contract, "view", name, known, "views", name, nth=nth)
    for name in contract.sequences.keys() - known.keys():
        yield _absent(contract, "sequence", name, known, "sequences", name)


def _columns(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    for table in contract.tables.values():
        relation = catalogue.relations.get(table.name)
        if relation is None:
            continue
        for (role, command), cell in table.cells.items():
            for column in sorted(
                {*(cell.columns or ()), *(column for column, _ in cell.rule.asked)} - relation.columns.keys()
            ):
                yield _absent(contract, "column", column, relation.columns, table.section, f"{role}.{command}", column)
        yield from _owner(contract, catalogue, table, relation)


def _owner(contract: Contract, catalogue: Catalogue, table: Table, relation: Relation) -> Iterator[Failure]:
    for place, column in enumerate(table.owner):
        target = relation.foreign_keys.get(column)
        if column not in relation.columns:
            yield _absent(contract, "column", column, relation.columns, table.section, "owner")
            return
        if place < len(table.owner) - 1:
            if target is None or target not in contract.tables:
                yield Failure(
                    table.name, f"owner, by {column}", "points to a table of the contract", f"points to {target}"
                )
                return
            relation = catalogue.relations[target]


def _partitions(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    parents = {it.oid: it for it in catalogue.relations.values()}
    for partition in catalogue.partitions:
        if partition.name.startswith("public."):
            yield Failure(partition.name, "schema of a partition", "one that is closed", "public")
        if partition.parent not in parents:
            yield _unnamed(contract, "partition of something else's", partition.name)


def _policies(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    for relation in catalogue.relations.values():
        for policy in relation.policies:
            for role in policy.roles:
                if role not in contract.roles:
                    what = f'policy "{policy.name}"'
                    yield Failure(relation.name, what, "names roles of the contract", f"is for {role or 'PUBLIC'}")


# Grants --------------------------------------------------------------------------------------------------------------


def _grants(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    wanted: dict[str, set[Right]] = {name: set() for name in catalogue.relations}
    for table in contract.tables.values():
        wanted[table.name] = set(_wanted(contract, table))
    for view in contract.views:
        wanted[view.name] = {(role, "select", None) for role in _direct(contract, view.roles)}
    for name, entry in contract.sequences.items():
        wanted[name] = {(role, privilege, None) for role, held in entry.items() for privilege in held}
    for name, relation in catalogue.relations.items():
        found = [it for it in catalogue.grants if it.kind == "relation" and it.name == name]
        yield from _difference(relation.name, wanted[name], found)


def _wanted(contract: Contract, table: Table) -> Iterator[Right]:
    """The grants that a table's cells need: what a role inherits is not granted to it again."""
    for (role, command), cell in table.cells.items():
        inherited = [contract.granted(table, parent, command) for parent in contract.roles[role].inherits]
        if None in inherited:
            continue
        if cell.columns is None:
            yield role, command, None
            continue
        for column in set(cell.columns).difference(*(columns or () for columns in inherited)):
            yield role, command, column


def _difference(name: str, wanted: set[Right], found: list[Grant]) -> Iterator[Failure]:
    for grant in found:
        if grant.is_grantable:
            yield Failure(
                name, f"{grant.privilege} to {grant.grantee or 'PUBLIC'}", "not to be passed on", "with grant option"
            )
    held = {(it.grantee, it.privilege, it.column_name) for it in found}
    for grantee, privilege in sorted({(it[0], it[1]) for it in wanted ^ held}):
        named, granted = ({it[2] for it in rights if it[:2] == (grantee, privilege)} for rights in (wanted, held))
        what = f"grant of {privilege} to {grantee or 'PUBLIC'}"
        if missing := named - granted:
            yield Failure(name, what, f"on {_list(missing)}", "not granted")
        if extra := granted - named:
            note = "a grant on the whole table makes every list of columns void" if None in extra and named else ""
            yield Failure(name, what, f"not on {_list(extra)}", f"granted on {_list(extra)}", note=note)


def _list(columns: set[str | None]) -> str:
    return ", ".join(sorted("all of it" if column is None else column for column in columns))


def _defaults(contract: Contract, catalogue: Catalogue) -> Iterator[Failure]:
    for grant in catalogue.grants:
        if grant.kind == "default" and (grant.grantee in contract.roles or grant.grantee == ""):
            what = f"default {grant.privilege} to {grant.grantee or 'PUBLIC'}"
            yield Failure(f"new objects in {grant.name}", what, "born closed", "born open")


def _direct(contract: Contract, roles: Iterable[str]) -> set[str]:
    """The roles that need a grant of their own: what one inherits it has."""
    given = set(roles)
    return {role for role in given if not given & set(contract.held(role)[1:])}


# Functions -----------------------------------------------------------------------------------------------------------


def _functions(contract: Contract, catalogue: Catalogue, spelt: dict[str, str | None]) -> Iterator[Failure]:
    known = {name.split("(")[0]: name for name in catalogue.functions}
    named: dict[str, Routine] = {}
    for routine in contract.functions:
        name = spelt[routine.name]
        if name is None or name not in catalogue.functions:
            near = chain(known.values(), catalogue.functions)
            yield _absent(contract, "function", routine.name, near, "functions", f'"{routine.name}', nth=routine.nth)
            continue
        if name in named:
            yield Failure(name, "function of the contract", "named once", f"named again in entry {routine.nth}")
        named[name] = routine
    for name, function in catalogue.functions.items():
        if name not in named:
            yield _unnamed(contract, "function", name)
            continue
        if function.owner_name != contract.owner:
            yield Failure(name, "owner", contract.owner, function.owner_name)
        wanted: set[Right] = {(role, "execute", None) for role in _direct(contract, named[name].roles)}
        found = [it for it in catalogue.grants if it.kind == "function" and it.oid == function.oid]
        yield from _difference(name, wanted, found)
