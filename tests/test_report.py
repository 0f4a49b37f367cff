"""`forge-db report`: one page that tells what there is and how it is, and nothing that anybody has stored."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from forge_db import report
from forge_db.access import contract
from forge_db.access.contract import Contract
from forge_db.cli import main
from forge_db.errors import ForgeError
from forge_db.report import charts, facts
from harness.databases import SUPERUSER, Database

pytestmark = pytest.mark.one_platform
MARKER = "zq7xkw"
# A value of every type that is no text, for rows that no rule checks.
VALUES = {
    "uuid": "gen_random_uuid()",
    "bool": "true",
    "date": "current_date - 1",
    "timestamptz": "now() - interval '1 day'",
    "inet": "'192.0.2.7'",
    "xid8": "'7'",
}
TEXTS = ("text", "varchar", "bpchar", "name", "tsvector")


@pytest.fixture(scope="module")
def page(connection: psycopg.Connection) -> str:
    connection.rollback()  # whatever transaction another module's reading has begun: the report begins its own
    return report.render(connection)


@pytest.fixture
def reader(scratch: Database) -> Iterator[psycopg.Connection]:
    with scratch.connect("postgres", autocommit=True) as connection:
        yield connection


def value_of(type_name: str) -> str:
    if type_name == "jsonb":
        return f"""'{{"{MARKER}": "{MARKER}"}}'"""
    return f"'{MARKER}'" if type_name in TEXTS else VALUES.get(type_name, "1")


def plant(connection: psycopg.Connection) -> int:
    """A row in every table, the marker in every column that holds text: no rule and no trigger stands in the way."""
    connection.execute("set session_replication_role = replica")
    checks = connection.execute("""
        select conrelid::regclass::text, conname from pg_constraint join pg_class on pg_class.oid = conrelid
        where contype = 'c' and coninhcount = 0
            and connamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
    """).fetchall()
    for table, name in checks:
        connection.execute(f'alter table {table} drop constraint "{name}"'.encode())
    columns = connection.execute("""
        select attrelid::regclass::text, array_agg(attname::text), array_agg(typname::text) from pg_attribute
        join pg_class on pg_class.oid = attrelid join pg_type on pg_type.oid = atttypid
        where relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            and relkind in ('r', 'p') and not relispartition and attnum > 0 and attgenerated = '' and attidentity = ''
        group by attrelid
    """).fetchall()
    planted = 0
    for table, names, types in columns:
        values = [value_of(it) for it in types]
        listed = ", ".join(f'"{name}"' for name in names)
        connection.execute(f"insert into {table} ({listed}) values ({', '.join(values)})".encode())
        planted += sum(it in (*TEXTS, "jsonb") for it in types)
    connection.execute("set session_replication_role = origin")
    return planted


def test_what_is_stored_is_not_on_the_page(scratch: Database) -> None:
    with scratch.connect(SUPERUSER, autocommit=True) as connection:
        assert plant(connection) > 100
        # What would show it if the page did not take care: totals by name, secrets by name, sizes by name.
        names = connection.execute("select name from private.secrets").fetchall()
        assert (MARKER,) in names
    with scratch.connect("postgres", autocommit=True) as reader:
        page = report.render(reader)
    assert MARKER not in page
    assert "192.0.2.7" not in page
    assert "stored_secrets" in page
    assert "Found 1: secrets in private.secrets, where every backup holds them." in page


def test_page_tells_everything_about_the_schema(connection: psycopg.Connection, page: str) -> None:
    told = set(re.findall(r'data-name="([^"]+)"', page))
    rows = connection.execute("""
        select 'table', relnamespace::regnamespace || '.' || relname, obj_description(oid, 'pg_class') from pg_class
        where relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            and relkind in ('r', 'p') and not relispartition
        union all
        select 'function', pronamespace::regnamespace || '.' || proname || '(' || pg_get_function_arguments(oid) || ')',
            obj_description(oid, 'pg_proc')
        from pg_proc
        where pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
    """).fetchall()
    assert len(rows) > 200
    for kind, name, comment in rows:
        escaped = name.replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in told, f"{kind} {name}"
        assert comment is None or comment[:30].split("'")[0].split("<")[0] in page
    assert len(page.encode()) < 2_000_000


def test_page_needs_nothing_else(page: str) -> None:
    loads = re.findall(r'(?:src|href|action|srcset|poster)="([^"#][^"]*)"', page)
    assert set(loads) == {"data:,"}
    assert re.findall(r"url\(['\"]?(?:\w+:|/)|@import|fetch\(|XMLHttpRequest|<iframe", page) == []
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for target in set(re.findall(r'href="#([^"]+)"', page)):
        assert target in ids, f"a link to #{target} leads nowhere"


def test_writes_nothing_unless_it_is_told_to_try(reader: psycopg.Connection) -> None:
    reader.execute("set default_transaction_read_only = on")
    assert report.render(reader)
    with pytest.raises(ForgeError, match="read-only"):
        report.render(reader, try_access=True)


def test_tried_access_is_on_the_page_and_leaves_no_trace(
    reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = contract.load()
    few = Contract(**{**vars(terms), "tables": {"public.user_sessions": terms.tables["public.user_sessions"]}})
    monkeypatch.setattr(contract, "load", lambda: few)
    before = reader.execute("select count(*) from auth.users").fetchone()
    page = report.render(reader, try_access=True)
    assert 'title="authenticated select: allowed"' in page
    assert 'title="anon select: refused: no grant on the table"' in page
    assert reader.execute("select count(*) from auth.users").fetchone() == before


def test_what_is_tried_is_not_in_the_figures(reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    read = facts.read
    monkeypatch.setattr(facts, "read", lambda it: done.append("read") or read(it))  # type: ignore[func-returns-value]
    monkeypatch.setattr(facts, "observe", lambda _: done.append("tried") or facts.Access())  # type: ignore[func-returns-value]
    report.render(reader, try_access=True)
    assert done == ["read", "tried"]


def test_figures_over_time(scratch: Database, reader: psycopg.Connection) -> None:
    assert "There are no figures yet" in report.render(reader)
    with scratch.connect(SUPERUSER, autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")
        superuser.execute("""
            insert into private.usage_daily (day, provider, requests, errors, users)
            select current_date - each, 'openai', 1000 + each, 7, 1 from generate_series(0, 30) as each
        """)
        superuser.execute("""
            insert into private.prompts_daily
                (day, dimension, label, prompts, completed, failed, tokens_used, cost_usd, users)
            values (current_date - 2, 'total', '', 60, 50, 10, 123456, 9.87, 5),
                (current_date - 3, 'total', '', 61, 50, 10, 654321, 6.54, 4)
        """)
    page = report.render(reader)
    for caption in ("Requests and errors by day", "Prompts by day", "Tokens by day", "Cost by day, in US dollars"):
        assert caption in page
    assert "1,030" in page
    assert "1,000" not in page, "today is not over"
    assert "123,456" in page
    assert "$9.87" in page
    assert "654,321" not in page, "four users made these"


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("Found 2: things: public.feedback, somebody's secret.", "Found 2: things: public.feedback."),
        ("Found 1: things: a, b: c.", "Found 1: things."),
        ("Found 1: things: public.feedback (a, b).", "Found 1: things: public.feedback (…."),
        ("The things of 3.5 users.", "The things of 3.5 …."),
        ("None: things.", "None: things."),
    ],
)
def test_checks_are_told_in_words_of_our_own(detail: str, told: str) -> None:
    check = {"detail": detail, "hint": "delete from x", "value": 2, "threshold": 0, "status": "warning"}
    answer = facts.told(check, {"public.feedback"}, {"found", "things", "none", "the", "of"})
    assert (answer["detail"], answer["hint"]) == (told, None)


def test_nothing_that_the_checks_say_by_themselves_is_left_out(page: str) -> None:
    details = dict(re.findall(r'data-kind="check" data-name="(\w+)" data-about="([^"]*)"', page))
    assert len(details) > 40
    # What these two tell of is other sessions, and who they are is left out.
    assert [it for it in details if "…" in details[it] and it not in ("lock_waits", "long_transactions")] == []


@pytest.mark.parametrize(
    ("ratio", "bar", "times"),
    [
        ("2.00", "≥ 8", 0.25),
        ("0.50", "≤ 1.5", 3),
        ("0.50 (floor 0.25)", "≤ 1.5", 3),
        ("1/500", "≤ 1/5", 100),
        ("", "≥ 98%", None),
        ("0.9", "–", None),
    ],
)
def test_benchmarks_are_compared_with_their_bars(ratio: str, bar: str, times: float | None) -> None:
    assert facts.margin(ratio, bar) == (None if times is None else pytest.approx(times))


def test_benchmarks_on_the_page(reader: psycopg.Connection, tmp_path: Path) -> None:
    line: dict[str, Any] = {"name": "search_rare", "what": "a search", "ours": "5/s", "baseline": "10/s"}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"results": [{**line, "ratio": "2.00", "bar": "≤ 3", "holds": True, "measured": {}}]}))
    page = report.render(reader, bench=file)
    assert "search_rare" in page
    assert "How many times better than asked" in page
    file.write_text('{"results": []}')
    report.render(reader, bench=file)
    file.write_text('{"results": [{"name": "search_rare"}]}')
    with pytest.raises(ForgeError) as caught:
        report.render(reader, bench=file)
    assert "forge-db bench --json" in str(caught.value.hint)


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (8192, "8.19 kB"), (5_000_000, "5 MB"), (3e12, "3 TB")])
def test_sizes_are_written_as_one_reads_them(value: float, text: str) -> None:
    assert charts.octets(value) == text


def test_command(scratch: Database, empty_database: Database, tmp_path: Path) -> None:
    file, run = tmp_path / "report.html", CliRunner()
    done = run.invoke(main, ["report", str(file), "--database-url", scratch.url("postgres")])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.fullmatch(rf"wrote {file}, 0\.\d MB\n", done.stdout)
    assert "As granted; nothing was tried" in file.read_text(encoding="utf-8")
    bare = run.invoke(main, ["report", str(file), "--database-url", empty_database.url("postgres")])
    assert (bare.exit_code, "forge-db apply" in bare.stderr) == (1, True)
    nowhere = run.invoke(main, ["report", str(tmp_path / "no" / "x.html"), "--database-url", scratch.url("postgres")])
    assert (nowhere.exit_code, "No such file or directory" in nowhere.stderr) == (1, True)
    assert run.invoke(main, ["report"]).exit_code == 2
