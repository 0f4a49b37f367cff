"""What an operator reads about load and size: figures that are right, advice that follows from what is there."""

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import errors

from harness.databases import SUPERUSER, Database
from harness.figures import Raw, made_up
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

READERS = (
    "get_database_stats()",
    "get_slow_queries()",
    "get_index_usage()",
    "get_index_advice()",
    "get_storage_growth()",
    "get_connection_stats()",
)
SNAPSHOT = "select rows, is_complete from private.step_snapshot_sizes(%s)"


@pytest.mark.parametrize("reader", READERS)
def test_only_the_server_and_the_owner_read(db: Session, alice: Person, carol: Person, reader: str) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows(f"select * from public.{reader}")
    db.as_server().rows(f"select * from public.{reader}")
    db.as_owner().rows(f"select * from public.{reader}")


def test_every_reader_promises_to_write_nothing(db: Session) -> None:
    names = [reader.partition("(")[0] for reader in READERS] + ["health_check", "integrity_check", "security_audit"]
    assert db.as_owner().column(
        "select distinct provolatile from pg_proc "
        "where proname = any (%s) or proname ~ '^(health|integrity|security)__'",
        [names],
    ) == ["s"]


@pytest.mark.parametrize("days", [0, -1, 3651, None])
def test_days_that_make_no_sense_are_refused(db: Session, days: int | None) -> None:
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.as_server().rows("select * from public.get_storage_growth(%s::integer)", [days])
    assert refusal.value.diag.message_hint == "Pass 1 to 3650."


@pytest.mark.parametrize("rows", [0, -1, 1001, None])
def test_a_list_of_no_possible_length_is_refused(db: Session, rows: int | None) -> None:
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.as_server().rows("select * from public.get_slow_queries(%s::integer)", [rows])
    assert refusal.value.diag.message_hint == "Pass 1 to 1000."


@pytest.mark.parametrize("call", ["get_storage_growth(days => '1; drop table x')", "get_slow_queries('1 or true')"])
def test_what_is_no_number_is_refused(db: Session, call: str) -> None:
    with db.refuses(errors.InvalidTextRepresentation):
        db.as_server().rows(f"select * from public.{call}")


def test_every_table_is_measured_once_and_partitions_with_theirs(db: Session) -> None:
    rows = db.as_owner().rows("select * from public.get_database_stats()")
    wanted = db.column(
        "select relnamespace::regnamespace || '.' || relname from pg_class "
        "where not relispartition and relkind in ('r', 'p', 'm') "
        "and relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace) order by 1"
    )
    assert sorted(row["table_name"] for row in rows) == sorted(wanted)
    feedback = next(row for row in rows if row["table_name"] == "public.feedback")
    assert feedback["total_bytes"] == db.value("select pg_total_relation_size('public.feedback')")
    assert feedback["heap_bytes"] == db.value("select pg_relation_size('public.feedback')")
    assert feedback["index_bytes"] == db.value("select pg_indexes_size('public.feedback')")
    logs = next(row for row in rows if row["table_name"] == "public.api_usage_logs")
    assert logs["total_bytes"] == db.value(
        "select sum(pg_total_relation_size(relid)) from pg_partition_tree('public.api_usage_logs')"
    )


def test_figures_follow_what_happens(scratch: Database) -> None:
    with scratch.connect(autocommit=True) as owner:
        owner.execute("insert into public.feedback_tags (name) select 'tag ' || n from generate_series(1, 100) as n")
        owner.execute("delete from public.feedback_tags where name like 'tag 1%'")
        owner.execute("analyze public.feedback_tags; select pg_stat_force_next_flush()")
        owner.execute("select 1")
        (row,) = owner.execute(
            "select row_estimate, rows_inserted, rows_deleted, dead_rows, last_vacuum is null, last_analyze is null "
            "from public.get_database_stats() where table_name = 'public.feedback_tags'"
        ).fetchall()
    assert row == (100, 100, 12, 12, True, False)


def test_a_locked_table_is_measured_all_the_same(scratch: Database) -> None:
    size = (
        "select heap_bytes, index_bytes, total_bytes from private.measure_relation('public.prompt_templates'::regclass)"
    )
    with scratch.connect() as holder, scratch.connect(autocommit=True) as owner:
        owner.execute("vacuum (analyze) public.prompt_templates")
        before = owner.execute(size).fetchone()
        holder.execute("lock table public.prompt_templates")
        locked = owner.execute(size).fetchone()
    assert before is not None
    assert locked is not None
    # All but the free space map and the like.
    assert locked[0] == before[0]
    assert 0 < locked[1] <= before[1]
    assert locked[0] + locked[1] <= locked[2] <= before[2]


# Growth ---------------------------------------------------------------------------------------------------------------


def test_a_day_has_one_snapshot_of_each_table(db: Session) -> None:
    db.as_owner()
    (first,) = db.rows(SNAPSHOT, [None])
    assert first == {"rows": len(db.rows("select * from public.get_database_stats()")), "is_complete": True}
    assert db.rows(SNAPSHOT, ["infinity"]) == [{"rows": 0, "is_complete": True}]
    assert db.column("select distinct taken_on from private.size_snapshots") == [
        db.value("select (now() at time zone 'utc')::date")
    ]


def test_a_snapshot_without_time_is_left_for_the_next_run(db: Session) -> None:
    assert db.as_owner().rows(SNAPSHOT, ["-infinity"]) == [{"rows": 0, "is_complete": False}]
    assert db.value("select count(*) from private.size_snapshots") == 0


def test_old_snapshots_go(db: Session) -> None:
    days = db.as_owner().value("select value::integer from public.system_config where key = 'retention_days_rollups'")
    for age in (days, days + 1):
        db.run(
            "insert into private.size_snapshots (relation_name, taken_on, heap_bytes, index_bytes, total_bytes) "
            "values ('public.gone', (now() at time zone 'utc')::date - %s::integer, 0, 0, 0)",
            [age],
        )
    db.run(SNAPSHOT, [None])
    assert db.value("select count(*) from private.size_snapshots where relation_name = 'public.gone'") == 1


def test_maintenance_takes_the_snapshot(db: Session) -> None:
    steps = db.as_owner().value("select public.daily_maintenance() -> 'steps'")
    assert [it["status"] for it in steps if it["name"] == "snapshot_sizes"] == ["ok"]
    assert db.value("select count(*) from private.size_snapshots") > 10


def test_growth_is_measured_from_the_first_day_of_the_span(db: Session) -> None:
    db.as_owner().run(SNAPSHOT, [None])
    db.run("update private.size_snapshots set taken_on = taken_on - 10, total_bytes = total_bytes - 8000")
    db.run(
        "insert into private.size_snapshots (relation_name, taken_on, heap_bytes, index_bytes, total_bytes) "
        "select relation_name, taken_on - 90, 0, 0, 0 from private.size_snapshots"
    )
    grown = "select * from public.get_storage_growth({}) where table_name = 'public.feedback'"
    (row,) = db.rows(grown.format(30))
    assert row["growth_bytes"] == 8000
    assert row["bytes_per_day"] == 800
    assert isinstance(row["measured_since"], date)
    assert float(row["growth_percent"]) == round(100 * 8000 / (row["total_bytes"] - 8000), 1)
    (row,) = db.rows(grown.format(365))
    assert row["growth_bytes"] == row["total_bytes"]
    (row,) = db.rows(grown.format(9))
    assert (row["measured_since"], row["growth_bytes"]) == (None, None)


# Indexes --------------------------------------------------------------------------------------------------------------


def advice(db: Session, subject: str) -> list[dict[str, Any]]:
    return db.as_owner().rows("select * from public.get_index_advice() where subject = %s", [subject])


def test_there_is_nothing_to_advise_on_a_fresh_installation(db: Session) -> None:
    assert db.as_owner().rows("select * from public.get_index_advice()") == []


def test_a_foreign_key_without_an_index_is_found_with_the_cure(db: Session) -> None:
    db.as_owner().run("drop index public.idx_feedback_category_id")
    (found,) = advice(db, "category_id")
    assert found["advice"] == "missing for foreign key"
    assert found["command"] == "create index concurrently on public.feedback (category_id);"
    db.run(found["command"].replace(" concurrently", ""))
    assert advice(db, "category_id") == []


@pytest.mark.parametrize(
    ("made", "is_repeated"),
    [
        ("create index {} on public.feedback (user_id)", True),
        ("create index {} on public.feedback (user_id, created_at desc)", True),
        ("create index {} on public.feedback_tags (name)", True),
        ("create unique index {} on public.feedback_tags (name)", True),
        ("create index {} on public.feedback (user_id, created_at)", False),
        ("create index {} on public.feedback (user_id) where rating = 1", False),
        ("create index {} on public.feedback using hash (user_id)", False),
        ("create index {} on public.feedback (lower(status))", False),
        ("create index {} on public.feedback (updated_at)", False),
        ("create unique index {} on public.feedback (user_id, id)", False),
        ("create index {} on public.feedback_tags (name text_pattern_ops)", False),
        ('create index {} on public.feedback_tags (name collate "C")', False),
    ],
)
def test_an_index_that_repeats_another_is_found_and_no_other(db: Session, made: str, is_repeated: bool) -> None:
    db.as_owner().run(made.format("once_more"))
    found = advice(db, "public.once_more")
    assert [it["advice"] for it in found] == ["duplicate"] * is_repeated
    assert [it["command"] for it in found] == ["drop index concurrently public.once_more;"] * is_repeated
    assert len(db.rows("select * from public.get_index_advice()")) == is_repeated, "not the one that is repeated"


def test_a_filter_without_an_index_is_found_where_statements_use_it(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        try:
            admin.execute("select from extensions.pg_stat_statements limit 1")
        except psycopg.Error:
            pytest.skip("pg_stat_statements is not loaded on this server")
    with scratch.connect(autocommit=True) as owner:
        owner.execute(
            "insert into public.feedback (message, status) select 'x', 'closed' from generate_series(1, 1500)"
        )
        for _ in range(101):
            owner.execute("select count(*) from public.feedback where contact_name = 'Ada'")
        owner.execute("select pg_stat_force_next_flush()")
        found = owner.execute("select * from public.get_index_advice()").fetchall()
        assert [it[:3] for it in found] == [("missing for filter", "public.feedback", "contact_name")]
        assert found[0][4] == "create index concurrently on public.feedback (contact_name);"
        owner.execute("create index on public.feedback (contact_name)")
        assert owner.execute("select * from public.get_index_advice()").fetchall() == []


def test_use_of_an_index_is_counted(scratch: Database) -> None:
    use = "select scans from public.get_index_usage() where index_name = 'public.feedback_tags_name_is_unique'"
    with scratch.connect(autocommit=True) as owner:
        before = owner.execute(use).fetchone()
        owner.execute("set enable_seqscan = off; select from public.feedback_tags where name = 'mobile'")
        owner.execute("select pg_stat_force_next_flush()")
        owner.execute("select 1")
        after = owner.execute(use).fetchone()
    assert before is not None
    assert after == (before[0] + 1,)


# Statements and connections -------------------------------------------------------------------------------------------


def test_slow_statements_are_listed_from_the_threshold_on(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        try:
            admin.execute("select from extensions.pg_stat_statements limit 1")
        except psycopg.Error:
            pytest.skip("pg_stat_statements is not loaded on this server")
    listed = "select query, calls, mean_ms from public.get_slow_queries(1000) where query like '%%sleep%%'"
    with scratch.connect(autocommit=True) as owner:
        owner.execute("update public.system_config set value = '400' where key = 'slow_query_ms'")
        # With parameters of the client's: the extension keeps constants of a statement whose entry is thrown out
        # meanwhile, and on this server others write many.
        owner.execute("select pg_sleep(%s)", [0.5])
        owner.execute("select pg_sleep(%s), 'quick'", [0.01])
        ((query, calls, mean),) = [row for row in owner.execute(listed).fetchall() if "get_slow" not in row[0]]
    assert query == "select pg_sleep($1)"
    assert calls == 1
    assert mean >= 500


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("alter role postgres password 'hunter2'", "alter role postgres password [hidden]"),
        ("/* 'a' */ ALTER ROLE postgres\nPASSWORD $x$hunter2$x$ valid until '2030'", "[hidden]"),
        ("set app.encryption_key to hunter2", "set app.encryption_key to [hidden]"),
        (" SET local app.encryption_key=hunter2", " SET local app.encryption_key= [hidden]"),
        ("alter role anon\nset app.encryption_key = hunter2", "alter role anon\nset app.encryption_key = [hidden]"),
        ("update a set b = $1 where c = $2",) * 2,
        ("select -- hunter2\n $1", "select [hidden]"),
        ("select $1, 4111111111111111, b", "select $1, [hidden]"),
        ("select * from a1234567 limit 50 offset $1234567",) * 2,
        ("create user mapping for a server b options (password E'hunter2')",
         "create user mapping for a server b options (password E[hidden]"),
        ("do $$ begin perform 'hunter2'; end $$", "do [hidden]"),
        ("refresh materialized view concurrently private.weekly_retention",) * 2,
        ("\n select * from x where y = $1 and z in ($2, $3)",) * 2,
        ("WITH a AS (select $1) insert into b select * from a",) * 2,
        ("select public.save_api_key($1, 'sk-proj-hunter2hunter2')", "select public.save_api_key($1, [hidden]"),
        ("select $1 where 'hunter2' = $2", "select $1 where [hidden]"),
        ("insert into a values ($$hunter2$$, $x$hunter2$x$)", "insert into a values ([hidden]"),
        ("call b($1, sk-proj-hunter2hunter2)", "call b($1, [key])"),
    ],
)  # fmt: skip
def test_no_secret_in_a_statement_is_listed(db: Session, statement: str, shown: str) -> None:
    assert db.as_owner().value("select private.redact_statement(%s)", [statement]) == shown


def test_what_no_constant_was_taken_out_of_is_not_listed_whole(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        try:
            admin.execute("select from extensions.pg_stat_statements limit 1")
        except psycopg.Error:
            pytest.skip("pg_stat_statements is not loaded on this server")
    with scratch.connect(autocommit=True) as owner:
        owner.execute("update public.system_config set value = '40' where key = 'slow_query_ms'")
        owner.execute("do $$ begin perform pg_sleep(0.05), 'hunter2'; end $$")
        found = owner.execute("select query from public.get_slow_queries(1000)").fetchall()
    assert ("do [hidden]",) in found
    assert "hunter2" not in str(found)


def test_without_pg_stat_statements_it_says_how_to_have_it(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner()
    with db.aside():
        connection.execute(f"set local role none; set local session authorization {SUPERUSER}")
        connection.execute("drop extension if exists pg_stat_statements cascade")
    with db.refuses(errors.FeatureNotSupported) as refusal:
        db.as_server().rows("select * from public.get_slow_queries()")
    assert "create extension pg_stat_statements" in str(refusal.value.diag.message_hint)
    assert db.as_server().rows("select * from public.get_index_advice()") == []


def test_connections_are_counted_by_role_and_state(scratch: Database) -> None:
    with scratch.connect("authenticator") as other, scratch.connect(autocommit=True) as owner:
        other.execute("select 1")
        rows = owner.execute(
            "select connections, longest_transaction_seconds, percent_of_limit from public.get_connection_stats() "
            "where role_name = 'authenticator' and state = 'idle in transaction'"
        ).fetchall()
    assert rows[0][0] >= 1
    assert rows[0][1] >= 0
    assert rows[0][2] > 0


@pytest.mark.one_platform
def test_only_clients_are_connections_and_only_locks_are_waited_for(db: Session) -> None:
    def session(kind: str, event: str | None, seconds: int) -> dict[str, Any]:
        return {
            "usename": "somebody", "state": "active", "wait_event_type": event, "backend_type": kind,
            "xact_start": Raw(f"now() - interval '{seconds} seconds'"),
        }  # fmt: skip

    made_up(
        db,
        "private.get_connection_stats()",
        {"statement_timestamp()": "now()", "private.connection_limit()": "200"},
        pg_stat_activity=[
            session("client backend", "Lock", 10),
            session("client backend", "Client", 20),
            session("client backend", None, 5),
            session("autovacuum worker", "Lock", 99),
        ],
    )
    assert db.rows("select * from public.get_connection_stats()") == [
        {
            "role_name": "somebody", "state": "active", "connections": 3, "waiting_for_locks": 1,
            "longest_transaction_seconds": 20, "percent_of_limit": Decimal("1.5"),
        }
    ]  # fmt: skip


@pytest.mark.one_platform
def test_which_indexes_a_foreign_key_needs(db: Session) -> None:
    """Those that begin with its columns, in whatever order."""
    db.as_owner().execute("""
        create table private.parent (a int, b int, c int, primary key (a, b));
        create table private.stuff (
            a int, b int, c int check (c > 0), foreign key (a, b) references private.parent (a, b)
        );
        create index begins on private.stuff (b, a, c);
        create index too_short on private.stuff (a);
        create index comes_later on private.stuff (c, a, b);
        create index of_parent on private.parent (a, b, c)
    """)
    rows = db.rows("select index_name, covers_foreign_key from private.our_indexes()")
    found = {row["index_name"]: row["covers_foreign_key"] for row in rows}
    assert {name: found[f"private.{name}"] for name in ("begins", "too_short", "comes_later", "of_parent")} == {
        "begins": True,
        "too_short": False,
        "comes_later": False,
        "of_parent": False,
    }


@pytest.mark.one_platform
def test_rows_are_added_up_where_they_have_been_counted(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner()
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        part = "oid in (select inhrelid from pg_inherits where inhparent = 'public.api_usage_logs'::regclass)"
        connection.execute(f"update pg_class set reltuples = -1 where {part}")
        counted = "update pg_class set reltuples = 70 where oid = 'private.api_usage_logs_default'::regclass"
        connection.execute(counted)
    rows = "select row_estimate from private.table_sizes() where relation_name = 'public.api_usage_logs'"
    assert db.value(rows) == 70


@pytest.mark.one_platform
def test_a_table_that_cannot_be_measured_is_estimated(db: Session, connection: psycopg.Connection) -> None:
    """From its pages, those of its indexes and of what lies beside it, as they were counted last."""
    made_up(
        db,
        "private.measure_relation(oid)",
        {"heap_bytes := pg_relation_size(relation);": "raise lock_not_available;"},
    )
    db.execute("""
        create table private.stuff (a text primary key, b text);
        create index stuff_b on private.stuff (b);
        create table private.bare (a int)
    """)
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        pages = "update pg_class set relpages = %s where oid = "
        for number, which in (
            (100, "'private.stuff'::regclass"),
            (7, "'private.stuff_pkey'::regclass"),
            (3, "'private.stuff_b'::regclass"),
            (50, "'private.bare'::regclass"),
            (20, "(select reltoastrelid from pg_class where oid = 'private.stuff'::regclass)"),
        ):
            connection.execute(pages + which, [number])
    measured = "select heap_bytes / 8192 as heap, index_bytes / 8192 as indexes, total_bytes / 8192 as total "
    assert db.rows(f"{measured} from private.measure_relation('private.stuff'::regclass)") == [
        {"heap": 100, "indexes": 10, "total": 130}
    ]
    assert db.rows(f"{measured} from private.measure_relation('private.bare'::regclass)") == [
        {"heap": 50, "indexes": 0, "total": 50}
    ]


@pytest.mark.one_platform
def test_every_table_of_ours_is_analyzed(db: Session) -> None:
    report = db.as_server().value("select public.analyze_all_tables()")
    expected = db.truth(
        "select array_agg(relnamespace::regnamespace || '.' || relname order by 1) from pg_class "
        "where relnamespace::regnamespace::text in ('public', 'private', 'archive') and relkind in ('r', 'm', 'p')"
    )
    assert sorted(it["table"] for it in report) == sorted(expected)
    assert {(it["status"], it["error"]) for it in report} == {("ok", None)}


@pytest.mark.one_platform
def test_an_index_that_nobody_needs_is_unused(db: Session, connection: psycopg.Connection) -> None:
    db.as_owner().execute("""
        create table private.stuff (id int primary key, user_id uuid references auth.users (id), words text, part int)
            partition by list (id);
        create table private.stuff_1 partition of private.stuff for values in (1);
        create table private.plain (id int primary key, user_id uuid references auth.users (id), words text);
        create index of_part on private.stuff (words);
        create index of_key on private.plain (user_id);
        create index unused on private.plain (words);
        create index too_small on private.plain (words, id);
        create index broken on private.plain (words, id, user_id)
    """)
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        connection.execute("update pg_index set indisvalid = false where indexrelid = 'private.broken'::regclass")
        connection.execute(
            "update pg_class set relpages = case relname when 'too_small' then 127 else 128 end "
            "where relkind = 'i' "
            "and (relname ~ '^(stuff|plain)_' or relname in ('of_key', 'unused', 'too_small', 'broken'))"
        )
    db.run("update public.system_config set min_value = 1, value = '1' where key = 'health_unused_index_mb'")
    found = "select index_name, table_name, heap_bytes from private.unused_indexes()"
    made_up(db, "private.unused_indexes()", {"private.statistics_since()": "(now() - interval '31 days')"})
    assert db.rows(found) == [{"index_name": "private.unused", "table_name": "private.plain", "heap_bytes": 2**20}]
    made_up(db, "private.unused_indexes()", {"(now() - interval '31 days')": "(now() - interval '29 days')"})
    assert db.rows(found) == []
    made_up(
        db,
        "private.unused_indexes()",
        {"(now() - interval '29 days')": "(now() - interval '31 days')", "known.scans": "(known.scans + 1)"},
    )
    assert db.rows(found) == []
