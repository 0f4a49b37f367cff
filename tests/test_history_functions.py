"""The history: searched, counted, cleaned up; its statuses run forward, and who wants none has none."""

import base64
import random
import threading
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from harness import postgrest, shapes
from harness.client import Client, join
from harness.databases import Database
from harness.examples import example
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

SEARCH = "select * from public.search_prompt_history(%s, %s, %s, %s)"
STATS = "select public.get_prompt_stats(%s)"
CLEANUP = "select public.cleanup_old_prompt_history()"
TABLE = "prompt_history"


def search(db: Session, query: str | None, size: int | None = 20, after: Any = None) -> list[dict[str, Any]]:
    created_at, row_id = (after["created_at"], after["id"]) if after else (None, None)
    return db.rows(SEARCH, [query, size, created_at, row_id])


def ask(db: Session, person: Person, question: str, answer: str | None = None, **columns: Any) -> Any:
    return db.add(TABLE, user_id=person.id, user_input=question, ai_response=answer, **columns)


def speaks(db: Session, person: Person, language: str) -> None:
    with db.aside():
        db.as_user(person).run("update public.user_preferences set language = %s", [language])


# Finding --------------------------------------------------------------------------------------------------------------


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("haiku", {1, 2}),
        ("HAIKU", {1, 2}),
        ("databases", {1, 3}),
        ("database", {1, 3}),
        ("haiku databases", {1}),
        ("haiku or tables", {1, 2, 3}),
        ("haiku -spring", {1}),
        ("-haiku databases", {3}),
        ('"tables in databases"', {3}),
        ('"databases in tables"', set()),
        ("running", {4}),
        ("ran", set()),
        ("gpt-4o", {4}),
        ("gpt 4o", {4}),
        ("alice@example.com", {5}),
        ("example", {5}),
        ("https://example.com/path?x=1", {5}),
        ("snake_case_name", {5}),
        ("case", {5}),
        ("café", {6}),
        ("日本語", {6}),
        ("наука", {6}),
        ("the", {2, 3}),
        ("nothing", set()),
        ("!!!", set()),
        ("-", set()),
        ('"', set()),
        ("&|!()<->:*", set()),
        ("haiku:*", {1, 2}),
        ("'; drop table x; --", set()),
        ("\\", set()),
    ],
)
def test_words_are_found_as_in_a_web_search(db: Session, alice: Person, query: str, found: set[int]) -> None:
    texts = {
        1: ("Write a haiku about databases.", None),
        2: ("Write a haiku about the spring.", None),
        3: ("What is in them?", "The tables in databases."),
        4: ("How do I run gpt-4o?", None),
        5: ("alice@example.com asked about snake_case_name at https://example.com/path?x=1", None),
        6: ("café 日本語 наука", None),
    }
    ids = {ask(db, alice, *texts[number]): number for number in texts}
    assert {ids[row["id"]] for row in search(db.as_user(alice), query)} == found


def test_a_match_comes_with_rank_and_highlights(db: Session, alice: Person) -> None:
    question, answer = "Write a haiku about databases.", "Rows in a database. Silent rows."
    row_id = ask(db, alice, question, answer, framework_name="A.P.E", model="m")
    (row,) = search(db.as_user(alice), "database")
    assert row.pop("rank") > 0
    assert row.pop("created_at") == db.value("select now()")
    assert row == {
        "id": row_id,
        "framework_name": "A.P.E",
        "model": "m",
        "status": "pending",
        "user_input_highlight": "Write a haiku about **databases**",
        "ai_response_highlight": "Rows in a **database**. Silent rows",
    }


def test_without_an_answer_there_is_none_to_highlight(db: Session, alice: Person) -> None:
    ask(db, alice, "haiku")
    assert search(db.as_user(alice), "haiku")[0]["ai_response_highlight"] is None


@pytest.mark.one_platform
@pytest.mark.parametrize("column", ["user_input", "ai_response"])
@pytest.mark.parametrize(("octets", "shown"), [(500, "x" * 60), (501, "x" * 50 + " " + "x" * 10)])
def test_a_long_word_is_cut_in_the_highlight_of_a_long_text(
    db: Session, alice: Person, column: str, octets: int, shown: str
) -> None:
    text = f"é needle {'x' * 60}"
    text += " " * (octets - len(text.encode()))
    db.add(TABLE, **{"user_id": alice.id, "user_input": "needle", column: text})
    assert search(db.as_user(alice), "needle")[0][f"{column}_highlight"] == f"**needle** {shown}"


def test_what_was_asked_weighs_more_than_what_was_answered(db: Session, alice: Person) -> None:
    asked, answered = ask(db, alice, "haiku", "x y z"), ask(db, alice, "x y z", "haiku")
    rank = {row["id"]: row["rank"] for row in search(db.as_user(alice), "haiku")}
    assert rank[asked] > rank[answered]


def test_an_answer_is_found_once_it_is_there_and_its_prompt_no_longer_once_deleted(db: Session, alice: Person) -> None:
    row_id = ask(db, alice, "Write a haiku.")
    db.as_user(alice)
    assert search(db, "cherry") == []
    db.run("update public.prompt_history set ai_response = 'Cherry blossoms.', status = 'completed'")
    assert [row["id"] for row in search(db, "cherries")] == [row_id]
    db.run("update public.prompt_history set ai_response = 'Snow.'")
    assert search(db, "cherry") == []
    assert len(search(db, "snow")) == 1
    db.run("delete from public.prompt_history")
    assert search(db, "haiku") == []
    assert db.truth("select count(*) from private.prompt_search") == 0


@pytest.mark.parametrize(
    ("language", "text", "query"),
    [
        ("en", "The horses were running.", "horse runs"),
        ("de", "Die Häuser stehen am Meer.", "Haus"),
        ("de-AT", "Die Häuser stehen am Meer.", "häuser"),
        ("es", "Las canciones más bonitas", "canción"),
        ("fr", "Les chevaux mangeaient", "cheval"),
        ("pt-BR", "As meninas correram", "menina"),
        ("ru", "Красивые слова", "слово"),
        ("tr", "Kitaplar okudum", "kitap"),
        ("ja", "俳句 について", "俳句"),
        ("zh-Hant", "詩 歌", "詩"),
        ("xx", "plain words", "words"),
    ],
)
def test_words_are_stemmed_in_the_users_language(
    db: Session, alice: Person, language: str, text: str, query: str
) -> None:
    speaks(db, alice, language)
    ask(db, alice, text)
    ask(db, alice, "x", text)
    assert len(search(db.as_user(alice), query)) == 2


def test_after_a_change_of_language_everything_is_found_by_its_exact_words(db: Session, alice: Person) -> None:
    question, answer = ask(db, alice, "The running horses"), ask(db, alice, "x", "The running horses")
    speaks(db, alice, "de")
    db.as_user(alice)
    assert {row["id"] for row in search(db, "running horses")} == {question, answer}
    later = ask(db, alice, "Die Häuser")
    assert [row["id"] for row in search(db, "Haus")] == [later]
    speaks(db, alice, "en")
    assert [row["id"] for row in search(db, "Häuser")] == [later]
    assert {row["id"] for row in search(db, "horse")} == {question, answer}


def test_who_deleted_the_preferences_can_search(db: Session, alice: Person) -> None:
    db.as_user(alice).run("delete from public.user_preferences")
    ask(db, alice, "haikus")
    assert len(search(db, "haikus")) == 1


def test_everybody_finds_their_own_staff_too(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    for person in (alice, bob):
        ask(db, person, "haiku")
    for speak, person, count in ((db.as_user, alice, 1), (db.as_user, bob, 1), (db.as_staff, carol, 0)):
        speak(person)
        assert len(search(db, "haiku")) == count
    db.as_token("authenticated", '{"role": "authenticated"}')
    with db.refuses(errors.InvalidAuthorizationSpecification):
        search(db, "haiku")
    for outsider in (db.as_visitor, db.as_server):
        outsider()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            search(db, "haiku")


@pytest.mark.parametrize(
    ("query", "size", "after"),
    [
        (None, 20, None),
        ("", 20, None),
        ("   ", 20, None),
        ("x" * 1001, 20, None),
        ("x", 0, None),
        ("x", -1, None),
        ("x", 101, None),
        ("x", None, None),
        ("x", 20, {"created_at": None, "id": "00000000-0000-0000-0000-000000000000"}),
        ("x", 20, {"created_at": "2026-01-01", "id": None}),
    ],
)
def test_an_impossible_search_is_refused(
    db: Session, alice: Person, query: str | None, size: int | None, after: Any
) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        search(db, query, size, after)
    assert refusal.value.diag.message_hint


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_are_complete_and_hold_nothing_twice(db: Session, alice: Person, bob: Person, size: int) -> None:
    """Also where many prompts have the same time, down to the microsecond."""
    now = datetime.now(UTC)
    ids = {ask(db, alice, f"haiku {number}", created_at=now - timedelta(minutes=number // 10)) for number in range(45)}
    ask(db, alice, "sonnet")
    ask(db, bob, "haiku")
    db.as_user(alice)
    pages, after = [], None
    while page := search(db, "haiku", size, after):
        pages.append([row["id"] for row in page])
        after = page[-1]
    found = [row_id for page in pages for row_id in page]
    assert len(found) == len(set(found)) == 45
    assert set(found) == ids
    assert all(len(page) == size for page in pages[:-1])
    ordered = db.column(
        "select id from public.prompt_history where user_input like 'haiku%' order by created_at desc, id desc"
    )
    assert found == ordered


def test_what_is_added_while_paging_moves_no_row(db: Session, alice: Person) -> None:
    for number in range(4):
        ask(db, alice, "haiku", created_at=datetime.now(UTC) - timedelta(hours=number))
    db.as_user(alice)
    first = search(db, "haiku", 2)
    ask(db, alice, "haiku", created_at=datetime.now(UTC) + timedelta(hours=1))
    second = search(db, "haiku", 2, first[-1])
    assert len(second) == 2
    assert not {row["id"] for row in first} & {row["id"] for row in second}


# Whatever an answer holds ---------------------------------------------------------------------------------------------


def distinct_words(letters: str, length: int, number: int) -> str:
    text = "".join(random.Random(1).choices(letters, k=length * number))
    return " ".join(text[start : start + length] for start in range(0, len(text), length))


HEAVY = {
    "500 kB of distinct words": distinct_words(ascii_lowercase, 8, 55_000),
    "2 MB of distinct words": distinct_words(ascii_lowercase, 8, 222_000),
    "a base64 blob": base64.b64encode(random.Random(2).randbytes(700_000)).decode(),
    "one word of 2 MB": "a" * 2_000_000,
    "distinct words of four octets a letter": distinct_words("𐐀𐐁𐐂𐐃𐐄𐐅𐐆𐐇𐐈𐐉𐐊𐐋", 6, 20_000),
    "emoji": "🙂" * 400_000,
    "combining marks": "a" + "\u0301" * 500_000,
    "control characters": "".join(chr(code) for code in range(1, 32)) * 10_000,
    "something like addresses": "@a1" * 300_000,
    "something like hosts": "a_" * 400_000,
    "something like paths": "/~" * 400_000,
    "something like URLs": "http://a" * 100_000,
    "something like markup": "<a " * 300_000,
    "something like numbers": "1e" * 400_000,
    "something like versions": "1." * 400_000,
    "hyphens": "a-" * 400_000,
    "quotes": "'" * 500_000,
    "backslashes": "\\" * 500_000,
}


@pytest.mark.one_platform
@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY)
def test_no_answer_is_refused_because_of_the_search(db: Session, alice: Person, text: str) -> None:
    """And none takes so long that the request ends: PostgreSQL's parser needs minutes for some of these."""
    row = {"user_id": alice.id, "user_input": f"needle {text[: 1_000_000 // 4]}"}
    db.as_user(alice)
    assert shapes.insert(db, TABLE, example(TABLE) | row) == 1
    assert db.run("update public.prompt_history set ai_response = %s, status = 'completed'", [text]) == 1
    assert len(search(db, "needle")) == 1


@pytest.mark.one_platform
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    query=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50),
)
def test_neither_text_nor_query_can_be_anything_that_fails(db: Session, alice: Person, text: str, query: str) -> None:
    ask(db, alice, text, text)
    db.as_user(alice)
    if query.strip(" ") == "":
        with db.refuses(errors.InvalidParameterValue):
            search(db, query)
    else:
        search(db, query)


@pytest.mark.one_platform
def test_two_answers_at_once_do_not_block_each_other(scratch: Database) -> None:
    with scratch.connect() as owner:
        people = [join(owner, f"{number}@example.com") for number in range(4)]

    def write(person: Person) -> None:
        with Client.of(scratch, person) as client:
            for number in range(10):
                with client.transaction() as request:
                    request.execute(
                        "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, "
                        "user_input) values (%s, 'roses', 'R', 'm', 'openai', %s)",
                        [person.id, f"haiku {number}"],
                    )
            found.append(len(client.rows(SEARCH, ["haiku", 100, None, None])))

    found: list[int] = []
    threads = [threading.Thread(target=write, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [10] * 4


# Figures --------------------------------------------------------------------------------------------------------------


def test_the_figures_that_clients_used_to_work_out(db: Session, alice: Person, bob: Person) -> None:
    now = datetime.now(UTC)
    for columns in (
        {"status": "completed", "ai_response": "x" * 10, "tokens_used": 100, "cost_usd": "0.5", "model": "gpt-4o"},
        {
            "status": "completed",
            "ai_response": "é" * 20,
            "tokens_used": 50,
            "model": "gpt-4o",
            "framework_name": "A.P.E",
        },
        {"status": "failed", "error_code": "x", "model": "gemini-pro", "created_at": now - timedelta(days=2)},
        {"status": "pending", "cost_usd": "0.25", "model": "gpt-4o"},
        {"status": "pending", "model": "gpt-4o", "framework_name": "T.A.G"},
        {"status": "completed", "created_at": now - timedelta(days=8), "cost_usd": "100"},
    ):
        db.add(TABLE, user_id=alice.id, **columns)
    db.add(TABLE, user_id=bob.id, status="completed")
    db.as_user(alice).run("set local timezone = 'UTC'")
    assert postgrest.call(db, "get_prompt_stats", days=7) == {
        "days": 7,
        "total": 5,
        "completed": 2,
        "failed": 1,
        "pending": 2,
        "success_rate": 0.6667,
        "average_response_length": 15,
        "tokens_used": 150,
        "cost_usd": 0.75,
        "by_framework": {"R.O.S.E.S": 3, "A.P.E": 1, "T.A.G": 1},
        "by_model": {"gpt-4o": 4, "gemini-pro": 1},
        "by_day": {str(now.date()): 4, str((now - timedelta(days=2)).date()): 1},
    }
    assert db.value("select public.get_prompt_stats() ->> 'days'") == "7"


def test_without_prompts_there_are_figures_too(db: Session, alice: Person) -> None:
    assert db.as_user(alice).value(STATS, [30]) == {
        "days": 30, "total": 0, "completed": 0, "failed": 0, "pending": 0, "success_rate": None,
        "average_response_length": None, "tokens_used": 0, "cost_usd": 0,
        "by_framework": {}, "by_model": {}, "by_day": {},
    }  # fmt: skip


def test_staff_get_their_own_figures(db: Session, alice: Person, carol: Person) -> None:
    db.add(TABLE, user_id=alice.id)
    assert db.as_staff(carol).value(STATS, [30])["total"] == 0


@pytest.mark.parametrize("days", [0, -1, 3651, 100000, None])
def test_an_impossible_number_of_days_is_refused(db: Session, alice: Person, days: int | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue):
        db.value(STATS, [days])


# Cleaning up ----------------------------------------------------------------------------------------------------------


def test_what_is_older_than_the_user_wants_goes(db: Session, alice: Person, bob: Person) -> None:
    now = datetime.now(UTC)
    kept = db.add(TABLE, user_id=alice.id, created_at=now - timedelta(days=7) + timedelta(minutes=1))
    for days in (8, 400):
        db.add(TABLE, user_id=alice.id, created_at=now - timedelta(days=days))
    bobs = db.add(TABLE, user_id=bob.id, created_at=now - timedelta(days=400))
    db.as_user(alice).run("update public.user_preferences set max_history_days = 7")
    assert db.value(CLEANUP) == 2
    assert db.value(CLEANUP) == 0
    db.sees(TABLE, [kept])
    db.as_user(bob).sees(TABLE, [bobs])
    assert db.truth("select count(*) from private.prompt_search") == 2


def test_without_preferences_the_configured_days_count(db: Session, alice: Person) -> None:
    db.as_user(alice).run("delete from public.user_preferences")
    kept = db.add(TABLE, user_id=alice.id, created_at=datetime.now(UTC) - timedelta(days=9))
    assert db.value(CLEANUP) == 0
    db.as_owner().run("update public.system_config set value = '10' where key = 'max_prompt_history_days'")
    db.add(TABLE, user_id=alice.id, created_at=datetime.now(UTC) - timedelta(days=11))
    assert db.as_user(alice).value(CLEANUP) == 1
    db.sees(TABLE, [kept])
    db.as_owner().run("delete from public.system_config where key = 'max_prompt_history_days'")
    assert db.as_user(alice).value(CLEANUP) == 0


def test_staff_clean_up_their_own(db: Session, alice: Person, carol: Person) -> None:
    db.add(TABLE, user_id=alice.id, created_at="2020-01-01")
    assert db.as_staff(carol).value(CLEANUP) == 0
    assert db.truth("select count(*) from public.prompt_history") == 1


# Statuses, and no history ---------------------------------------------------------------------------------------------

FORWARD = {
    ("pending", "pending"),
    ("pending", "completed"),
    ("pending", "failed"),
    ("completed", "completed"),
    ("failed", "failed"),
}


@pytest.mark.parametrize("speaker", ["user", "server", "owner"])
@pytest.mark.parametrize("before", ["pending", "completed", "failed"])
@pytest.mark.parametrize("after", ["pending", "completed", "failed"])
def test_a_status_runs_forward_whoever_moves_it(
    db: Session, alice: Person, speaker: str, before: str, after: str
) -> None:
    row_id = db.add(TABLE, user_id=alice.id, status=before)
    {"user": lambda: db.as_user(alice), "server": db.as_server, "owner": db.as_owner}[speaker]()
    change = "update public.prompt_history set status = %s where id = %s"
    if (before, after) in FORWARD:
        assert db.run(change, [after, row_id]) == 1
    else:
        with db.refuses(errors.CheckViolation, constraint="prompt_history_status_runs_forward"):
            db.run(change, [after, row_id])


@pytest.mark.parametrize("speaker", ["user", "server"])
def test_who_keeps_no_history_has_none_stored_by_anybody(db: Session, alice: Person, speaker: str) -> None:
    db.add(TABLE, user_id=alice.id)
    db.as_user(alice).run("update public.user_preferences set enable_history = false")
    if speaker == "server":
        db.as_server()
    with db.refuses(errors.DatabaseError) as refusal:
        shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id})
    assert refusal.value.diag.sqlstate == "PT403"
    assert db.truth("select count(*) from public.prompt_history") == 1, "what was kept before is the user's to delete"
    db.as_user(alice).run("update public.user_preferences set enable_history = true")
    assert shapes.insert(db, TABLE, example(TABLE) | {"user_id": alice.id}) == 1
