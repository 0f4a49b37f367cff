"""Whatever text a function is given stays text: each text argument of each function, from the catalogue, is fed SQL.

Text that reaches a statement unquoted ends in what it says being done, or in a syntax error. Neither happens.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import class_row

from harness.people import Person
from harness.session import Session

pytestmark = pytest.mark.one_platform

DONE = "create table public.injected ()"
TEXTS = [
    f"'; {DONE}; --",
    f"x'); {DONE}; --",
    f'"; {DONE}; --',
    f"$$; {DONE}; --",
    f"\\'; {DONE}; --",
    f"0; {DONE}",
    "%I %L %s %1$s",
    "' \" $$ $q$ \\ ;",
]
FUNCTIONS = """
    select
        format('%I.%I', nspname, proname) as name,
        format('%s.%s(%s)', nspname, proname, oidvectortypes(proargtypes)) as signature,
        prokind::text as kind,
        array(select format_type(item, null) from unnest(proargtypes) as item) as types,
        coalesce(proargnames, array_fill(''::text, array[pronargs::integer])) as names
    from pg_proc as pro inner join pg_namespace as sch on sch.oid = pronamespace
    where nspname in ('public', 'private') and prorettype <> 'trigger'::regtype and prokind in ('f', 'p')
        and not exists (select from pg_depend where objid = pro.oid and deptype = 'e')
    order by 2
"""
# What else a function asks for, so that it comes to use the text.
NAMED = {
    "provider": "openai",
    "kind": "health",
    "framework": "roses",
    "model": "gpt-4o",
    "time_zone": "UTC",
    "source": "usage",
    "key": "max_prompt_history_days",
    "name": "app_encryption_key",
}
TYPED = {
    "bigint": "1",
    "boolean": "true",
    "date": "2026-01-01",
    "date[]": "{2026-01-01}",
    "double precision": "1",
    "inet": "192.0.2.1",
    "integer": "1",
    "json": "{}",
    "jsonb": "{}",
    "numeric": "1",
    "regclass": "public.audit_log",
    "timestamp with time zone": "2026-01-01",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


@dataclass(frozen=True)
class Function:
    name: str
    signature: str
    kind: str
    types: list[str]
    names: list[str]


def fed(text: str, type_name: str) -> str | None:
    """The text as a value of this type; nothing for a type that holds none."""
    if type_name in ("text", "character varying", "name"):
        return text
    if type_name in ("text[]", "character varying[]", "name[]"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{"{escaped}"}}'
    return json.dumps({text: text}) if type_name in ("json", "jsonb") else None


def calls(function: Function) -> Iterator[sql.Composed]:
    others = [TYPED.get(it, NAMED.get(name, "words")) for it, name in zip(function.types, function.names, strict=False)]
    begin = sql.SQL("call" if function.kind == "p" else "select * from")
    for number, type_name in enumerate(function.types):
        for value in filter(None, (fed(text, type_name) for text in TEXTS)):
            given = [*others[:number], value, *others[number + 1 :]]
            arguments = sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(it), sql.SQL(named))
                for it, named in zip(given, function.types, strict=True)
            )
            yield sql.SQL("{} {}({})").format(begin, sql.SQL(function.name), arguments)


def is_done(connection: psycopg.Connection, call: sql.Composed) -> bool:
    """Whether a call took its text for a part of a statement."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(call)
            return connection.execute("select to_regclass('public.injected') is not null").fetchone() == (True,)
    except errors.SyntaxError:
        return True
    except psycopg.Error:
        return False


def taken_in(db: Session, connection: psycopg.Connection, alice: Person) -> set[str]:
    """The functions that a text gets into."""
    with connection.cursor(row_factory=class_row(Function)) as cursor:
        functions = cursor.execute(FUNCTIONS).fetchall()
    tries = [(function.signature, call) for function in functions for call in calls(function)]
    assert len(tries) > 500
    db.as_owner()
    connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps(alice.claims())])
    connection.execute("set local statement_timeout = '2s'")
    return {signature for signature, call in tries if is_done(connection, call)}


def test_no_text_becomes_part_of_a_statement(db: Session, connection: psycopg.Connection, alice: Person) -> None:
    assert taken_in(db, connection, alice) == set()


PLANTED = {
    "private.quotes(integer, text)": (
        "private.quotes(number integer, words text)", "execute 'select ''' || words || '''';"
    ),
    "private.formats(text, text)": (
        "private.formats(provider text, words text)",
        "if provider = 'openai' then execute format('select 1 from %s', words); end if;",
    ),
    "private.lists(text[])": ("private.lists(many text[])", "execute 'select ' || array_to_string(many, ',');"),
    "private.keys(jsonb)": (
        "private.keys(given jsonb)", "execute 'select 1 as ' || (select jsonb_object_keys(given) limit 1);"
    ),
}  # fmt: skip


def test_what_is_taken_in_is_found(db: Session, connection: psycopg.Connection, alice: Person) -> None:
    db.as_owner()
    for head, body in PLANTED.values():
        db.run(f"create function {head} returns void language plpgsql as $body$ begin {body} end $body$")
    assert taken_in(db, connection, alice) == set(PLANTED)
