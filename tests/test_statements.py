"""Splitting SQL: by the semicolons that end a statement, with nothing lost.

test_supabase_cli.py compares with the CLI itself.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_db.statements import Statement, split

PIECES = [
    *("select 1", ";", "\n", " ", "'a;b'", "'it''s'", "e'a\\';b'", "$$ ; $$", "$t$ $$;$$ $t$", "a$b$", "-- c;'\n", "-"),
    *(
        "/* ; /* x */ ' */",
        '"a;""b"',
        "(",
        ")",
        "begin atomic",
        "case when x then y end",
        "end",
        "$1",
        "\\echo",
        "\u00e9",
    ),
]


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split(sql)]


@pytest.mark.parametrize(
    "statement",
    [
        "select 'a;b', 'it''s;', \"c;\"\"d\"",
        "select e'it\\'s;', E'\\\\', U&'d;', b'01'",
        "select e'one'\n    'two\\';'",
        "select $$a;b$$, $tag$ $$;$$ $tag$, $é$;$é$",
        "select a$b$c, $1",
        "select 1 -- not the end;\n + 1",
        "select /* nor; /* here; */ ; */ 1",
        "create rule r as on insert to t do also (select 1; select 2)",
        "create function f() returns int language sql begin atomic select 1; select case when true then 2 end; end",
        "create function f() returns int language sql BEGIN\n ATOMIC end",
        "create procedure p() begin atomic insert into t values (1); /* x */ end",
        "-- why\ncreate table t (a int, b text default ';')",
    ],
)
def test_one_statement_stays_one(statement: str) -> None:
    assert texts(f"{statement};\nselect 2;") == [statement, "select 2"]


def test_comments_go_with_what_follows_them() -> None:
    assert texts("-- head\n\nselect 1; -- tail\n/* next */ select 2;\n-- last\n") == [
        "-- head\n\nselect 1",
        "-- tail\n/* next */ select 2",
        "-- last",
    ]


def test_nothing_is_no_statement() -> None:
    assert texts(" ;;\n; \ufeff") == []


def test_a_statement_knows_its_code_and_line() -> None:
    assert split("\n-- why\nselect 1;\nselect\n2") == [
        Statement("-- why\nselect 1", "select 1", 3, True),
        Statement("select\n2", "select\n2", 4, False),
    ]


@pytest.mark.parametrize(
    ("sql", "alone", "control"),
    [
        ("select 1", False, False),
        ("create unique index concurrently i on t (a)", True, False),
        ("create index i on concurrently (a)", False, False),
        ("drop index concurrently i", True, False),
        ("reindex (verbose) table concurrently t", True, False),
        ("-- c\nVACUUM (analyze) t", True, False),
        ("alter system set x = 1", True, False),
        ("begin", False, True),
        ("start transaction read only", False, True),
        ("commit and chain", False, True),
        ("ROLLBACK work", False, True),
        ("rollback work to savepoint s", False, False),
        ("beginning", False, False),
    ],
)
def test_what_cannot_be_in_a_transaction_is_known(sql: str, alone: bool, control: bool) -> None:
    [statement] = split(sql)
    assert (statement.runs_alone, statement.controls_transaction) == (alone, control)


@given(st.lists(st.sampled_from(PIECES)).map(" ".join) | st.text())
def test_nothing_is_lost(sql: str) -> None:
    def essence(text: str) -> str:
        return "".join(text.replace(";", "").replace("\ufeff", "").split())

    assert essence("".join(texts(sql))) == essence(sql)
