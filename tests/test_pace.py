"""What keeps the pace, in figures that no other program on the machine changes: pages read, WAL, updates on their page.

Each is seen to fail where its design is undone, in the same test. How fast it all is: `make bench`.
"""

import json
import re
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


def pages(connection: psycopg.Connection, statement: str, *, user: str | None, role: str = "authenticated") -> int:
    """Pages that a statement reads, which is then undone; of a change or a lock, those in which it finds its rows."""
    with connection.transaction(force_rollback=True):
        if user:
            connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": user})])
            connection.execute(f"set local role {role}".encode())
        for _ in range(2):  # what is tidied up the first time is not what it costs
            with connection.transaction(force_rollback=True):
                row = connection.execute(f"explain (analyze, buffers, format json) {statement}".encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    parts = plan["Plans"] if plan["Node Type"] in ("ModifyTable", "LockRows") else [plan]
    # What is asked once is counted where it is asked.
    scans = [part for part in parts if part.get("Parent Relationship") != "InitPlan"]
    return sum(scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] for scan in scans)


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

# What policies ask, as the owner would write it: he knows who it is about, and that staff are staff.
KNOWN = {"( SELECT auth.uid() AS uid)": f"'{USER}'::uuid", "( SELECT public.is_admin() AS is_admin)": "true"}
# What may be asked of each table, by whom, and what the policies then ask. Rows are locked instead of updated: the same
# policies ask, those for reading too, and no old rows are left for the next statement to read.
ALLOWED = """
    with policies as (
        select class.oid, role.rolname::text as role, command.letter,
            string_agg(format('(%s)', pg_get_expr(rule.polqual, class.oid)), ' or ' order by rule.polname) as asked
        from pg_policy as rule
        inner join pg_class as class on rule.polrelid = class.oid
        cross join (values ('r'), ('w'), ('d')) as command (letter)
        cross join pg_roles as role
        where class.relnamespace = 'public'::regnamespace
            and rule.polpermissive
            and rule.polcmd::text in ('*', command.letter)
            and role.rolname in ('anon', 'authenticated', 'app_admin')
            and exists (select from unnest(rule.polroles) as named where pg_has_role(role.oid, named, 'usage'))
        group by class.oid, role.rolname, command.letter
    ),
    columns as (
        select policies.oid, policies.role,
            string_agg(format('%I', attname), ', ' order by attnum) as readable,
            max(format('%I', attname)) filter (
                where has_column_privilege(policies.role, policies.oid, attnum, 'update')
            ) as writable
        from policies
        inner join pg_attribute on attrelid = policies.oid and attnum > 0
        where policies.letter = 'r' and has_column_privilege(policies.role, policies.oid, attnum, 'select')
        group by policies.oid, policies.role
    )
    select policies.oid::regclass::text, policies.role, format('select %s from %s', readable, policies.oid::regclass),
        '', policies.asked
    from policies inner join columns using (oid, role) where policies.letter = 'r'
    union all
    select policies.oid::regclass::text, policies.role,
        format('select %s from %s', writable, policies.oid::regclass), ' for update',
        format('(%s) and (%s)', policies.asked, seen.asked)
    from policies
    inner join columns using (oid, role)
    inner join policies as seen using (oid, role)
    where policies.letter = 'w' and seen.letter = 'r' and columns.writable is not null
    union all
    select policies.oid::regclass::text, policies.role, format('delete from %s', policies.oid::regclass),
        '', policies.asked
    from policies
    where policies.letter = 'd' and has_table_privilege(policies.role, policies.oid, 'delete')
    order by 1, 2, 3
"""


def test_no_policy_reads_more_than_the_owner_with_a_filter(admin: psycopg.Connection) -> None:
    """Of every table, for every role that policies let in; a new table is among them by itself."""
    admin.execute("update auth.users set role = 'app_admin' where id = %s", [USER])
    owned = [
        str(name)
        for (name,) in admin.execute(
            "select relname from pg_class inner join pg_attribute on attrelid = pg_class.oid and attname = 'user_id' "
            "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
        if name in EXAMPLES
    ]
    for table in owned:
        row = EXAMPLES[table]()
        columns = ", ".join(["user_id", *row])
        values = ", ".join(["id", *["%s"] * len(row)])
        admin.execute(
            f"insert into public.{table} ({columns}) select {values} from auth.users".encode(), list(row.values())
        )
    admin.execute("vacuum analyze")
    admin.execute("set search_path = ''")  # names are written in full
    who_asks = pages(admin, "select public.is_admin()", user=USER, role="app_admin")
    allowed = admin.execute(ALLOWED.encode()).fetchall()
    assert len({table for table, *_ in allowed}) > len(owned) >= 8
    for table, role, statement, end, asked in allowed:
        floor: float = who_asks * asked.count("public.is_admin()")
        for call, known in KNOWN.items():
            asked = asked.replace(call, known)
        assert not re.search("auth[.]|is_admin", asked), (table, asked)
        floor += 1.1 * pages(admin, f"{statement} where {asked} {end}", user=None)
        assert pages(admin, statement + end, user=USER, role=role) <= floor, (table, role, statement)
        if role == "authenticated" and table.removeprefix("public.") in owned:
            wide = f'create policy "A second one" on {table} to authenticated using ((select public.is_admin()))'
            with undone(admin, wide):
                assert pages(admin, statement + end, user=USER, role=role) > floor, (table, statement)
