"""What keeps the pace, in figures that no other program on the machine changes: pages read, WAL, updates on their page.

Each is seen to fail where its design is undone, in the same test. How fast it all is: `make bench`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from forge_db.paths import ROOT
from harness.databases import SUPERUSER, Database
from harness.examples import EXAMPLES

pytestmark = pytest.mark.one_platform

PEOPLE = 1500
USER = "00000000-0000-4000-8000-000000000001"
PAGE = "select id, framework_name, model, status, user_input, created_at from public.prompt_history {} limit 50"
NEWEST = "order by created_at desc, id desc"


@pytest.fixture
def admin(scratch: Database) -> Iterator[psycopg.Connection]:
    """Without triggers: many rows at once, and people without the rest of their accounts."""
    with scratch.connect(SUPERUSER, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set random_page_cost = 1.1")  # as on Supabase
        connection.execute(
            "insert into auth.users (id, aud, role) "
            "select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'authenticated', 'authenticated' "
            "from generate_series(1, %s) as n",
            [PEOPLE],
        )
        yield connection


def pages(connection: psycopg.Connection, statement: str, *, user: str | None) -> int:
    """The pages that a statement reads, which is then undone; of a change, those in which it finds its rows."""
    with connection.transaction(force_rollback=True):
        if user:
            connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": user})])
            connection.execute("set local role authenticated")
        for _ in range(2):  # what is tidied up the first time is not what it costs
            with connection.transaction(force_rollback=True):
                row = connection.execute(f"explain (analyze, buffers, format json) {statement}".encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    parts = plan["Plans"] if plan["Node Type"] == "ModifyTable" else [plan]
    return sum(part["Shared Hit Blocks"] + part["Shared Read Blocks"] for part in parts)


@contextmanager
def undone(connection: psycopg.Connection, *statements: str) -> Iterator[None]:
    """A design, taken back for as long as the block lasts."""
    with connection.transaction(force_rollback=True):
        for statement in statements:
            connection.execute(statement.encode())
        yield


# The history ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def history(admin: psycopg.Connection) -> psycopg.Connection:
    """20,000 prompts: 6,000 are one user's, 300 another's, a hundred others have the rest."""
    admin.execute(
        "insert into public.prompt_history "
        "(user_id, framework_id, framework_name, model, provider, user_input, status, created_at) "
        "select ('00000000-0000-4000-8000-' || lpad((case when n % 1000 < 300 then 1 when n % 1000 < 315 then 2 "
        "else 3 + n % 100 end)::text, 12, '0'))::uuid, 'ape', 'A.P.E', 'm', 'openai', repeat('word ', 20), "
        "'pending', now() - n * interval '1 minute' from generate_series(1, 20000) as n"
    )
    admin.execute("vacuum analyze public.prompt_history")
    return admin


BY_OR = (
    'alter policy "Users can view own prompt history" on public.prompt_history '
    "using ((select auth.uid()) = user_id or (select public.is_admin()))"
)
# The second one serves the analytics, and whoever has most of the newest prompts.
WITHOUT_INDEX = (
    "drop index public.idx_prompt_history_user_id_created_at_id",
    "drop index public.idx_prompt_history_created_at",
)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_without_a_filter_reads_what_the_owner_reads_with_one(history: psycopg.Connection, number: int) -> None:
    user = f"{USER[:-1]}{number}"
    for where in ("", f"where user_id = '{user}'"):
        floor = pages(history, PAGE.format(f"where user_id = '{user}' {NEWEST}"), user=None)
        assert pages(history, PAGE.format(f"{where} {NEWEST}"), user=user) <= 1.1 * floor
    with undone(history, BY_OR):
        # The many rows of the heaviest are among the newest of all.
        assert number == 1 or pages(history, PAGE.format(NEWEST), user=user) > 5 * floor
    with undone(history, *WITHOUT_INDEX):
        assert pages(history, PAGE.format(NEWEST), user=user) > 2 * floor


def test_a_page_far_down_reads_what_the_first_one_reads(history: psycopg.Connection) -> None:
    row = history.execute(
        "select created_at, id from public.prompt_history where user_id = %s "
        "order by created_at desc, id desc offset 4999 limit 1", [USER],
    ).fetchone()  # fmt: skip
    assert row is not None
    keyset = PAGE.format(f"where (created_at, id) < ('{row[0]}', '{row[1]}') {NEWEST}")
    first = pages(history, PAGE.format(NEWEST), user=USER)
    assert pages(history, keyset, user=USER) <= 1.5 * first
    assert pages(history, PAGE.format(f"{NEWEST} offset 5000"), user=USER) >= 15 * first
    with undone(history, *WITHOUT_INDEX):
        assert pages(history, keyset, user=USER) > 1.5 * first


# Writing --------------------------------------------------------------------------------------------------------------

FINISH = (
    "update {}.prompt_history set status = 'completed', tokens_used = 100 "
    "where id in (select id from {}.prompt_history order by id limit 500)"
)
HOT = "select pg_stat_get_xact_tuples_hot_updated('{}.prompt_history'::regclass)"


def finished(connection: psycopg.Connection, schema: str) -> tuple[float, int]:
    """500 prompts completed: the share of HOT updates, and the octets of WAL."""
    with connection.transaction(force_rollback=True):
        before, row, after = (
            connection.execute(statement.encode()).fetchone()
            for statement in (
                HOT.format(schema),
                f"explain (analyze, wal, format json) {FINISH.format(schema, schema)}",
                HOT.format(schema),
            )
        )
    assert before is not None
    assert row is not None
    assert after is not None
    return (after[0] - before[0]) / 500, row[0][0]["Plan"]["WAL Bytes"]


def test_a_prompt_that_is_completed_stays_on_its_page(history: psycopg.Connection) -> None:
    for file in ("rulebook_tables.sql", "rulebook.sql"):
        text = (ROOT / "sql" / "bench" / "baseline" / file).read_text(encoding="utf-8")
        history.execute("create schema if not exists rulebook")
        history.execute(text.replace("public.", "rulebook.").encode())
    history.execute(
        "insert into rulebook.prompt_history "
        "(id, user_id, framework_id, framework_name, model, provider, user_input, status, created_at) "
        "select id, user_id, framework_id, framework_name, model, provider, user_input, status, created_at "
        "from public.prompt_history"
    )
    history.execute("vacuum analyze rulebook.prompt_history")
    hot, wal = finished(history, "public")
    rulebook_hot, rulebook_wal = finished(history, "rulebook")
    assert hot >= 0.95
    assert rulebook_hot == 0
    assert wal <= 0.85 * rulebook_wal
    with undone(history, "create index on public.prompt_history (status)"):
        assert finished(history, "public")[0] == 0


# Every policy on every table ------------------------------------------------------------------------------------------

# What a user sees beside own rows, as the owner would ask for it.
BESIDE = {"prompt_templates": "or (is_public and is_active)"}
OWNED = """
    select class.relname::text, rule.polname::text, rule.polcmd::text
    from pg_policy as rule
    inner join pg_class as class on rule.polrelid = class.oid
    inner join pg_attribute as owner on owner.attrelid = class.oid and owner.attname = 'user_id'
    where class.relnamespace = 'public'::regnamespace
        and rule.polcmd in ('r', 'd')
        and rule.polpermissive
        and 'authenticated'::regrole = any(rule.polroles)
        and has_table_privilege(
            'authenticated', class.oid, case rule.polcmd when 'r' then 'select' else 'delete' end
        )
    order by 1, 2
"""


def test_no_policy_reads_more_than_the_owner_with_a_filter(admin: psycopg.Connection) -> None:
    """Of every table that has an owner, reading and deleting; a new table is among them by itself."""
    policies = admin.execute(OWNED).fetchall()
    tables = sorted({table for table, _, _ in policies})
    assert len(tables) >= 8
    for table in tables:
        row = EXAMPLES[table]()
        columns = ", ".join(["user_id", *row])
        values = ", ".join(["id", *["%s"] * len(row)])
        admin.execute(
            f"insert into public.{table} ({columns}) select {values} from auth.users".encode(), list(row.values())
        )
        admin.execute(f"vacuum analyze public.{table}".encode())
    for table, policy, command in policies:
        verb = "select *" if command == "r" else "delete"
        beside = BESIDE.get(table, "") if command == "r" else ""
        floor = pages(admin, f"{verb} from public.{table} where user_id = '{USER}' {beside}", user=None)
        assert pages(admin, f"{verb} from public.{table}", user=USER) <= 1.1 * floor, (table, policy)
        for_staff = (
            f"for {'select' if command == 'r' else 'delete'} to authenticated using ((select public.is_admin()))"
        )
        with undone(admin, f'create policy "A second one" on public.{table} {for_staff}'):
            assert pages(admin, f"{verb} from public.{table}", user=USER) > 1.1 * floor, (table, policy)
