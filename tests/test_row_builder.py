"""The row builder makes a valid row of any table, by what the catalogue says of it, and says so where it cannot."""

import psycopg
import pytest

from forge_db import access
from forge_db.access.contract import PATH, parse
from forge_db.access.prober import UNTRIED
from forge_db.access.rows import insert
from forge_db.access.source import Source
from forge_db.access.stage import BYSTANDER, Stage
from forge_db.errors import ForgeError

pytestmark = pytest.mark.one_platform

TABLES = {
    "nothing required": "id uuid default gen_random_uuid() primary key, note text",
    "every plain type": """
        id uuid primary key, a text not null, b varchar(3) not null, c integer not null, d numeric(4, 2) not null,
        e boolean not null, f date not null, g timestamptz not null, h jsonb not null, i inet not null,
        j interval not null, k text[] not null, l bytea not null, m bigint not null, n name not null
    """,
    "an enum and a domain": "id uuid primary key, mood public.mood not null, code public.code not null",
    "a list of values": "id uuid primary key, kind text not null check (kind in ('a', 'it''s', 'c'))",
    "an exact length": "id uuid primary key, colour varchar(7) not null check (colour ~ '^#[0-9a-f]{6}$')",
    "an address": "id uuid primary key, url text not null check (private.is_web_url(url) and url like 'https:%')",
    "an e-mail address": "id uuid primary key, email text not null check (private.is_email(email))",
    "words of a pattern": "id uuid primary key, name text not null check (name ~ '^(draft_one|final)$')",
    "numbers in a range": "id uuid primary key, share numeric not null check (share between 0.4 and 0.6)",
    "columns that must agree": """
        id uuid primary key, kind text not null check (kind in ('none', 'some')), number integer not null,
        check ((kind = 'some') = (number > 90)), check (kind <> 'none')
    """,
    "a null that a check forbids": "id uuid primary key, a text, b text, check (a is not null or b is not null)",
    "what our samples are for": "id uuid primary key, key text not null check (private.is_key_envelope(key))",
    "an object for json": "id uuid primary key, a jsonb not null check (jsonb_typeof(a) = 'number')",
    "rows it points to": """
        id uuid primary key, owner uuid not null references auth.users,
        tag uuid not null references public.feedback_tags,
        assignment uuid not null references public.feedback_tag_assignments
    """,
    "itself": "id uuid primary key, parent uuid references public.stray (id)",
    "a key of two columns": "a date, b uuid, primary key (a, b)",
    "a generated column": "id uuid primary key, a integer not null, b integer generated always as (a + 1) stored",
    "an identity": "id bigint generated always as identity primary key, a text",
    "names that need quotes": 'id uuid primary key, "order" text not null, "Camel Case" integer not null',
}  # fmt: skip


def made(connection: psycopg.Connection, statements: str) -> None:
    connection.execute(f"set local session authorization postgres; {statements}".encode())
    connection.execute("set local session authorization default")


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_rows_of_any_table_are_built(connection: psycopg.Connection, columns: str) -> None:
    with connection.transaction(force_rollback=True):
        made(
            connection,
            "create type public.mood as enum ('calm', 'busy'); create domain public.code as varchar(2);"
            f"create table public.stray ({columns})",
        )
        with Stage.on(connection, access.load()) as stage:
            relation = stage.catalogue.relations["public.stray"]
            for count in (1, 2, 3):  # unique rules: each row is another one
                row = stage.builder.place(relation, stage.builder.find(relation, {}))
                assert stage.session.own(f"select count(*) from public.stray where {row.match}") == (("1",),)
                assert stage.session.own("select count(*) from public.stray") == ((str(count),),)


def test_every_table_of_ours_can_be_filled_and_every_column_changed(connection: psycopg.Connection) -> None:
    with Stage.on(connection, access.load()) as stage:
        for relation in stage.catalogue.tables:
            with stage.session.undone():
                pointers = stage.builder.pointers(relation)
                stage.empty(relation)
                row = stage.builder.place(relation, stage.builder.find(relation, pointers))
                columns = [name for name, it in relation.columns.items() if not it.is_generated]
                others = stage.builder.others(relation, row, columns)
                kept = [name for name in columns if others[name] == "null" and relation.columns[name].is_not_null]
                assert kept == [], relation.name


def test_trigger_that_asks_for_two_columns_at_once_is_satisfied(connection: psycopg.Connection) -> None:
    with Stage.on(connection, access.load()) as stage:
        relation = stage.catalogue.relations["public.system_config"]
        for kind in ("boolean", "integer", "object"):
            values = stage.builder.find(relation, {"value_type": f"'{kind}'"})
            assert values["value_type"] == f"'{kind}'"


def test_row_that_cannot_be_is_an_error_that_says_why(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        made(
            connection,
            "create table public.stray (id uuid primary key, a text not null constraint never check (a <> a))",
        )
        with Stage.on(connection, access.load()) as stage:
            relation = stage.catalogue.relations["public.stray"]
            with pytest.raises(ForgeError, match=r"no valid row of public.stray was found: .*never") as caught:
                stage.builder.find(relation, {})
            assert "[samples]" in (caught.value.hint or "")
            with pytest.raises(ForgeError, match=r"public\.stray, a = 'x' was found"):
                stage.builder.find(relation, {"a": "'x'"})


def test_builder_leaves_what_it_was_given_alone(connection: psycopg.Connection) -> None:
    with Stage.on(connection, access.load()) as stage:
        relation = stage.catalogue.relations["public.feedback"]
        account = f"'{stage.accounts[BYSTANDER]}'"
        values = stage.builder.find(relation, {"status": "'closed'", "user_id": account}, {"rating": "'5'"})
        assert (values["status"], values["user_id"], values["rating"]) == ("'closed'", account, "'5'")
        assert insert(relation, values).startswith(
            "insert into public.feedback (user_id, message, status, rating) values"
        )


def test_rule_that_no_row_meets_is_a_failure(connection: psycopg.Connection) -> None:
    text = PATH.read_text(encoding="utf-8").replace('= "is_enabled"', '= "is_enabled and not is_enabled"')
    report = access.examine(connection, parse(Source(text, "contract")), only=["api_providers-anon"])
    assert any(it.what == UNTRIED and "no kind of row" in it.observed for it in report.failures), str(report)
