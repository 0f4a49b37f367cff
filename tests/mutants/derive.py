"""Every mutant that the live catalogue has room for, class by class as it lists them.

A change that would change nothing is no mutant: a policy that is true already, a role that inherits what it would be
given.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from mutants.guards import guards
from mutants.mutant import Kind, Mutant

QUERIES = Path(__file__).with_name("queries")
SIGNED_IN = "(select auth.uid()) is not null"
CALLERS = ("anon", "authenticated", "app_admin", "service_role")
ACTION = re.compile(r" ON (DELETE|UPDATE) (CASCADE|RESTRICT|SET NULL|SET DEFAULT)( \(.*?\))?")
SHOWN = 70  # characters of a condition in the name of its mutant

Row = dict[str, Any]


class Source:
    """The rows of the queries, each with the table that it is about."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.tables: dict[int, Row] = {row["oid"]: row for row in self.rows("tables")}

    def rows(self, query: str) -> list[Row]:
        text = (QUERIES / f"{query}.sql").read_text(encoding="utf-8")
        return self.connection.cursor(row_factory=dict_row).execute(text.encode(), {}).fetchall()

    def of_tables(self, query: str) -> Iterator[tuple[Row, Row]]:
        for row in self.rows(query):
            if row["relation"] in self.tables:
                yield self.tables[row["relation"]], row


def mutants(connection: psycopg.Connection[Any]) -> list[Mutant]:
    """All of them, each with a name of its own, and a statement that means the same whatever the search path."""
    connection.execute("select set_config('search_path', '', false)")
    source = Source(connection)
    parts = (policies, row_security, relation_grants, views, functions, constraints, columns, unique_indexes, triggers)
    found = [mutant for part in parts for mutant in part(source)]
    twice = [name for name, times in Counter(it.name for it in found).items() if times > 1]
    assert not twice, f"several mutants are called {twice}"
    return found


# Policies, grants, views ----------------------------------------------------------------------------------------------


def policies(source: Source) -> Iterator[Mutant]:
    for table, policy in source.of_tables("policies"):
        subject, on = table["name"], f"{policy['quoted']} on {table['spelt']}"
        what = f'policy "{policy["name"]}"'
        # A policy for several roles is about each of them.
        whose = policy["roles"][0] if len(policy["roles"]) == 1 else ""
        words = ("staff",) if whose == "app_admin" else ()
        yield Mutant(Kind.POLICY, subject, f"{what} dropped", f"drop policy {on}", whose, words)
        for clause, text in (("using", policy["using_text"]), ("with check", policy["check_text"])):
            for word, expression in (("true", "true"), ("false", "false"), ("signed in", SIGNED_IN)):
                if text is not None and text != word:
                    change = f"alter policy {on} {clause} ({expression})"
                    yield Mutant(Kind.POLICY, subject, f"{what} {clause} {word}", change, whose, words)
        yield from _to_others(subject, what, on, set(policy["roles"]), is_permissive=policy["is_permissive"])


def _to_others(subject: str, what: str, on: str, given: set[str], *, is_permissive: bool) -> Iterator[Mutant]:
    """A permissive policy opens more to more roles, a restrictive one closes less to fewer."""
    if not is_permissive:
        # Staff are users as well, and no policy holds the server.
        held = given - {"service_role", *(["app_admin"] if "authenticated" in given else [])}
        for role in sorted(held if len(given) > 1 else ()):
            to = ", ".join(sorted(given - {role}))
            yield Mutant(Kind.POLICY, subject, f"{what} not to {role}", f"alter policy {on} to {to}", role)
    elif "public" not in given:
        for role in ("anon", "authenticated", "app_admin"):
            # Staff are users as well: what users are given they have.
            if role not in given and not (role == "app_admin" and "authenticated" in given):
                to = ", ".join(sorted(given | {role}))
                yield Mutant(Kind.POLICY, subject, f"{what} to {role} too", f"alter policy {on} to {to}", role)
        yield Mutant(Kind.POLICY, subject, f"{what} to public", f"alter policy {on} to public")


def row_security(source: Source) -> Iterator[Mutant]:
    for table in source.tables.values():
        if table["has_row_security"]:
            yield Mutant(
                Kind.ROW_SECURITY,
                table["name"],
                "row level security off",
                f"alter table {table['spelt']} disable row level security",
            )


def relation_grants(source: Source) -> Iterator[Mutant]:
    for table, grant in source.of_tables("relation_grants"):
        column = grant["column_name"]
        on = f" ({grant['quoted']})" if column else ""
        change, verb, preposition = ("revoked", "revoke", "from") if grant["is_held"] else ("granted", "grant", "to")
        yield Mutant(
            Kind.COLUMN_GRANT if column else Kind.TABLE_GRANT,
            table["name"],
            f"{grant['privilege']}{f' ({column})' if column else ''} {change} {preposition} {grant['role']}",
            f"{verb} {grant['privilege']}{on} on {table['spelt']} {preposition} {grant['role']}",
            grant["role"],
            (column,) if column else (),
        )


def views(source: Source) -> Iterator[Mutant]:
    for view in source.rows("views"):
        if view["kind"] == "v":
            change = f"alter view {view['spelt']} set (security_invoker = false)"
            yield Mutant(Kind.VIEW, view["name"], "security_invoker off", change)
        for role in CALLERS:
            yield from _view_grant(source, view, role)


def _view_grant(source: Source, view: Row, role: str) -> Iterator[Mutant]:
    ((held,),) = source.connection.execute(
        "select exists (select from pg_class, aclexplode(relacl) as acl where pg_class.oid = %s::regclass "
        "and acl.grantee = %s::regrole and acl.privilege_type = 'SELECT')",
        [view["spelt"], role],
    ).fetchall()
    change, verb, preposition = ("revoked", "revoke", "from") if held else ("granted", "grant", "to")
    yield Mutant(
        Kind.VIEW,
        view["name"],
        f"select {change} {preposition} {role}",
        f"{verb} select on {view['spelt']} {preposition} {role}",
        role,
    )


# Functions ------------------------------------------------------------------------------------------------------------


def functions(source: Source) -> Iterator[Mutant]:
    for function in source.rows("functions"):
        name, spelt, words = function["name"], function["spelt"], (function["short"],)
        given = set(function["granted_to"])
        yield Mutant(
            Kind.EXECUTE, name, "revoke from public undone", f"grant execute on function {spelt} to public", words=words
        )
        for role in CALLERS:
            if role in given:
                revoke = f"revoke execute on function {spelt} from {role}"
                yield Mutant(Kind.EXECUTE, name, f"execute revoked from {role}", revoke, role, words)
            elif not (role == "app_admin" and "authenticated" in given):
                grant = f"grant execute on function {spelt} to {role}"
                yield Mutant(Kind.EXECUTE, name, f"revoke from {role} undone", grant, role, words)
        now, then = ("definer", "invoker") if function["is_definer"] else ("invoker", "definer")
        swap = f"alter function {spelt} security {then}"
        yield Mutant(Kind.RIGHTS, name, f"{then} instead of {now}", swap, words=words)
        if "search_path" in function["settings"]:
            reset = f"alter function {spelt} reset search_path"
            yield Mutant(Kind.SEARCH_PATH, name, "search_path removed", reset, words=words)
        yield from _guards(function)


def _guards(function: Row) -> Iterator[Mutant]:
    body, definition = function["body"], function["definition"]
    if definition is None:
        return
    at = definition.rindex(body)
    seen: Counter[str] = Counter()
    for guard in guards(body, answers_boolean=function["answers_boolean"]):
        text = re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", guard.text)).strip()
        short = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
        seen[short] += 1
        which = f", {seen[short]}" if seen[short] > 1 else ""
        changed = definition[:at] + guard.negated(body) + definition[at + len(body) :]
        words, seen_in = (function["short"],), tuple(function["seen_in"])
        yield Mutant(Kind.GUARD, function["name"], f"not <{short}>{which}", changed, words=words, seen_in=seen_in)


# What every row owes --------------------------------------------------------------------------------------------------


def constraints(source: Source) -> Iterator[Mutant]:
    for table, constraint in source.of_tables("constraints"):
        words = (constraint["name"], *constraint["column_names"])
        drop = f"alter table {table['spelt']} drop constraint {constraint['quoted']}"
        what = f"constraint {constraint['name']}"
        yield Mutant(Kind.CONSTRAINT, table["name"], f"{what} dropped", f"{drop} cascade", words=words)
        if constraint["kind"] == "f" and (constraint["on_delete"], constraint["on_update"]) != ("a", "a"):
            plain = ACTION.sub("", constraint["definition"])
            again = f"{drop}, add constraint {constraint['quoted']} {plain}"
            yield Mutant(Kind.ACTION, table["name"], f"{what} without action", again, words=words)


def columns(source: Source) -> Iterator[Mutant]:
    for table, column in source.of_tables("columns"):
        alter = f"alter table {table['spelt']} alter column {column['quoted']} drop"
        words = (column["name"],)
        if column["is_not_null"]:
            yield Mutant(
                Kind.NOT_NULL, table["name"], f"{column['name']} may be null", f"{alter} not null", words=words
            )
        if column["has_default"]:
            yield Mutant(
                Kind.DEFAULT, table["name"], f"{column['name']} without default", f"{alter} default", words=words
            )


def unique_indexes(source: Source) -> Iterator[Mutant]:
    for table, index in source.of_tables("unique_indexes"):
        drop = f"drop index {index['spelt']} cascade"
        yield Mutant(Kind.UNIQUE_INDEX, table["name"], f"index {index['name']} dropped", drop, words=(index["name"],))


def triggers(source: Source) -> Iterator[Mutant]:
    for trigger in source.rows("triggers"):
        drop = f"drop trigger {trigger['quoted']} on {trigger['table_spelt']}"
        words = (trigger["name"], trigger["function_name"])
        yield Mutant(Kind.TRIGGER, trigger["table_name"], f"trigger {trigger['name']} dropped", drop, words=words)
