"""The bridge: every query of the old client, unchanged, as PostgREST sends it; and nothing is more open for it.

What is asked here is what the services of the first version asked. The same in the words of the new schema is in
test_legacy_client.py.
"""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from forge_db.access import contract, prober
from forge_db.access.source import Source
from forge_db.paths import UPGRADE
from harness.examples import envelope
from harness.keys import KEYS, configure
from harness.people import Person
from harness.postgrest import call, delete, insert, read, update
from harness.refusal import Guard
from harness.session import Session

pytestmark = pytest.mark.access

# What 02 needs to find: an installation that is parked, here without a table.
PARKED = """
    create schema legacy;
    create table legacy.parked (kind varchar(20), name text, definition text);
    create function legacy.what_is_public() returns setof text language sql as 'select null::text where false';
"""
NOW = datetime.now(UTC)
SINCE = (">=", NOW - timedelta(days=7))
PROMPT = {
    "framework_id": "ape",
    "framework_name": "A.P.E",
    "model": "gemini",
    "user_input": "Explain recursion to a child.",
    "tone": "professional",
    "length": "detailed",
    "vibe_coding": False,
}
WAITING = {"ai_response": "Generating...", "status": "generating"}


def btoa(key: str) -> str:
    return b64encode(key.encode("latin-1")).decode()


def put_up(connection: psycopg.Connection) -> None:
    for sql in (PARKED, *((UPGRADE / name).read_text(encoding="utf-8") for name in ("02_map.sql", "03_bridge.sql"))):
        connection.execute(sql.encode())


@pytest.fixture
def bridged(db: Session) -> Session:
    """A new installation with the bridge."""
    db.as_owner()
    put_up(db._connection)
    configure(db)
    return db


class Mine(NamedTuple):
    user: UUID
    key: UUID
    prompt: UUID
    feedback: UUID


@pytest.fixture
def my(bridged: Session, alice: Person, bob: Person) -> Mine:
    """Alice's rows, beside which Bob's lie. Alice speaks."""
    rows = {}
    for person in (bob, alice):
        rows[person] = Mine(
            person.id,
            bridged.add("api_configurations", user_id=person.id),
            bridged.add("prompt_history", user_id=person.id, ai_response="Generating..."),
            bridged.add("feedback", user_id=person.id),
        )
    bridged.as_user(alice)
    return rows[alice]


Ask = Callable[[Session, Mine], Any]
THEIR_PROMPTS = (
    "select array_agg(concat_ws('|', provider, status, ai_response) order by created_at, user_input) "
    "from public.prompt_history where user_id = %s"
)
THEIR_KEYS = (
    "select array_agg(concat_ws('|', provider, is_active, private.open_api_key(api_key_encrypted, user_id, provider)) "
    "order by provider) from public.api_configurations where user_id = %s and api_key_encrypted like 'enc:v1:%%'"
)
THEIR_FEEDBACK = "select array_agg(message order by created_at, message) from public.feedback where user_id = %s"
PREFERENCES = (
    "select concat_ws('|', selected_model, selected_framework, vibe_coding) "
    "from public.user_preferences where user_id = %s"
)
NOTHING = "select null where %s::uuid is not null"

# What the service asks, what it must be answered, and what is then stored.
QUERIES: dict[str, tuple[Ask, Any, str, Any]] = {
    "apiConfig.getUserApiConfigs": (
        lambda db, my: len(
            read(db, "api_configurations", "provider, api_key_encrypted, is_active",
                 {"user_id": my.user, "is_active": True})
        ), 1, NOTHING, None,
    ),
    "apiConfig.saveApiConfig: is there one?": (
        lambda db, my: len(read(db, "api_configurations", "id", {"user_id": my.user, "provider": "openai"})),
        1, NOTHING, None,
    ),
    "apiConfig.saveApiConfig: replace": (
        lambda db, my: update(
            db, "api_configurations",
            {"api_key_encrypted": btoa(KEYS["openai"]), "is_active": True, "updated_at": NOW}, {"id": my.key},
        ), 1, THEIR_KEYS, [f"openai|t|{KEYS['openai']}"],
    ),
    "apiConfig.saveApiConfig: add": (
        lambda db, my: insert(
            db, "api_configurations",
            {"user_id": my.user, "provider": "gemini", "api_key_encrypted": btoa(KEYS["gemini"]), "is_active": True},
        ), [{"?column?": 1}], THEIR_KEYS, [f"gemini|t|{KEYS['gemini']}"],
    ),
    "apiConfig.deleteApiConfig": (
        lambda db, my: update(
            db, "api_configurations", {"is_active": False}, {"user_id": my.user, "provider": "openai"}
        ), 1, "select array_agg(is_active) from public.api_configurations where user_id = %s", [False],
    ),
    "apiConfig.getAllUserConfigs": (
        lambda db, my: [
            row["id"] == str(my.key)
            for row in read(db, "api_configurations", "*", {"user_id": my.user, "is_active": True})
        ], [True], NOTHING, None,
    ),
    "apiConfig.testDatabaseConnection": (
        lambda db, _: len(read(db, "api_configurations", "id", limit=1)), 1, NOTHING, None,
    ),
    "userPreferences.getDefaultModel": (
        lambda db, my: read(
            db, "api_configurations", "provider", {"user_id": my.user, "is_active": True}, order="created_at asc",
            limit=1,
        ), [{"provider": "openai"}], NOTHING, None,
    ),
    "userPreferences.getUserPreferences": (
        lambda db, my: read(
            db, "user_preferences", "selected_model, selected_framework, vibe_coding", {"user_id": my.user}
        ), [{"selected_model": "openai", "selected_framework": "roses", "vibe_coding": False}], NOTHING, None,
    ),
    "userPreferences.saveUserPreferences: change": (
        lambda db, my: update(
            db, "user_preferences", {"selected_model": "gemini", "vibe_coding": True},
            {"id": read(db, "user_preferences", "id", {"user_id": my.user})[0]["id"]},
        ), 1, PREFERENCES, "gemini|roses|t",
    ),
    "userPreferences.saveUserPreferences: add": (
        lambda db, my: delete(db, "user_preferences", {"user_id": my.user}) and insert(
            db, "user_preferences",
            {"user_id": my.user, "selected_model": "gemini", "selected_framework": "race", "vibe_coding": True},
        ), [{"?column?": 1}], PREFERENCES, "gemini|race|t",
    ),
    "promptHistory.savePromptHistoryInput: is the table there?": (
        lambda db, _: read(db, "prompt_history", "count", limit=1), [{"count": 1}], NOTHING, None,
    ),
    "promptHistory.savePromptHistoryInput": (
        lambda db, my: [
            row["ai_response"]
            for row in insert(db, "prompt_history", PROMPT | WAITING | {"user_id": my.user}, returning="*")
        ], ["Generating..."], THEIR_PROMPTS, ["gemini|pending|Generating...", "openai|pending|Generating..."],
    ),
    "promptHistory.updatePromptHistoryResponse": (
        lambda db, my: update(
            db, "prompt_history", {"ai_response": "A haiku.", "status": "completed", "updated_at": NOW},
            {"id": my.prompt, "user_id": my.user},
        ), 1, THEIR_PROMPTS, ["openai|completed|A haiku."],
    ),
    "promptHistory.updatePromptHistoryStatus: generating": (
        lambda db, my: update(
            db, "prompt_history", {"status": "generating", "updated_at": NOW}, {"id": my.prompt, "user_id": my.user}
        ), 1, THEIR_PROMPTS, ["openai|pending|Generating..."],
    ),
    "promptHistory.updatePromptHistoryStatus: failed, and generating again": (
        lambda db, my: [
            update(db, "prompt_history", change | {"updated_at": NOW}, {"id": my.prompt, "user_id": my.user})
            for change in (
                {"status": "failed", "ai_response": "Generation failed: timeout"}, {"status": "generating"},
            )
        ], [1, 1], THEIR_PROMPTS, ["openai|failed|Generation failed: timeout"],
    ),
    "promptHistory.savePromptHistory": (
        lambda db, my: [
            (row["status"], row["provider"], row["vibe_coding"])
            for row in insert(
                db, "prompt_history", PROMPT | {"user_id": my.user, "ai_response": "Done."}, returning="*"
            )
        ], [("completed", "gemini", False)], THEIR_PROMPTS, ["gemini|completed|Done.", "openai|pending|Generating..."],
    ),
    "promptHistory.getPromptHistory": (
        lambda db, my: len(
            read(db, "prompt_history", "*", {"user_id": my.user, "created_at": SINCE}, order="created_at desc",
                 limit=50)
        ), 1, NOTHING, None,
    ),
    "promptHistory.getPromptHistoryStats": (
        lambda db, my: [
            len(row["ai_response"]) for row in read(db, "prompt_history", "*",
                                                    {"user_id": my.user, "created_at": SINCE})
        ], [len("Generating...")], NOTHING, None,
    ),
    "promptHistory.deletePromptHistory": (
        lambda db, my: delete(db, "prompt_history", {"id": my.prompt, "user_id": my.user}), 1, THEIR_PROMPTS, None,
    ),
    "promptHistory.clearAllPromptHistory": (
        lambda db, my: delete(db, "prompt_history", {"user_id": my.user}), 1, THEIR_PROMPTS, None,
    ),
    "promptHistory.cleanupOldRecords": (
        lambda db, _: call(db, "cleanup_old_prompt_history"), 0, THEIR_PROMPTS, ["openai|pending|Generating..."],
    ),
    "feedback.submitFeedback": (
        lambda db, my: [
            row["message"]
            for row in insert(db, "feedback", {"user_id": my.user, "message": "More!"}, returning="*")
        ], ["More!"], THEIR_FEEDBACK, ["More!", "The copy button does nothing."],
    ),
    "feedback.submitFeedback: display name": (
        lambda db, my: read(db, "profiles", "display_name", {"user_id": my.user}), [{"display_name": "alice"}],
        NOTHING, None,
    ),
    "feedback.getUserFeedback": (
        lambda db, my: len(read(db, "feedback", "*", {"user_id": my.user}, order="created_at desc")), 1, NOTHING, None,
    ),
    "feedback.deleteFeedback": (
        lambda db, my: delete(db, "feedback", {"id": my.feedback, "user_id": my.user}), 1, THEIR_FEEDBACK, None,
    ),
    "tests: are the tables there?": (
        lambda db, _: [read(db, table, "*", limit=0) for table in ("prompt_history", "profiles")], [[], []],
        NOTHING, None,
    ),
}  # fmt: skip

# One number for everything of Bob's that a query of Alice's could touch.
HIS = """
    select md5(string_agg(everything, '' order by everything))
    from (
        select keys::text as everything from public.api_configurations as keys where user_id = %(bob)s
        union all select preferences::text from public.user_preferences as preferences where user_id = %(bob)s
        union all select prompts::text from public.prompt_history as prompts where user_id = %(bob)s
        union all select feedback::text from public.feedback where user_id = %(bob)s
    ) as his
"""


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_old_client_is_answered(bridged: Session, my: Mine, bob: Person, query: tuple[Ask, Any, str, Any]) -> None:
    ask, answer, truth, stored = query
    his = bridged.truth(HIS, {"bob": bob.id})
    assert ask(bridged, my) == answer
    if truth != NOTHING:
        assert bridged.truth(truth, [my.user]) == stored
    assert bridged.truth(HIS, {"bob": bob.id}) == his


def test_names_are_seen_by_their_owners_only(bridged: Session, my: Mine) -> None:
    assert [row["user_id"] for row in read(bridged, "profiles")] == [str(my.user)]
    bridged.as_visitor()
    with bridged.refuses(errors.InsufficientPrivilege, by=Guard.TABLE_GRANT):
        read(bridged, "profiles", "display_name")


@pytest.mark.parametrize("key", ["sk-plain", "", "abcdefgh", btoa("sk-äöü"), btoa("two words"), "enc:v1:k:YQ=="])
def test_what_is_no_key_is_refused_as_without_the_bridge(bridged: Session, my: Mine, key: str) -> None:
    with bridged.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted"):
        update(bridged, "api_configurations", {"api_key_encrypted": key}, {"id": my.key})


@pytest.mark.parametrize("configured", [True, False])
def test_what_a_client_seals_for_itself_stays_as_it_is(bridged: Session, my: Mine, configured: bool) -> None:
    if not configured:
        with bridged.aside():
            bridged.as_owner().run("delete from private.secrets")
    assert update(bridged, "api_configurations", {"api_key_encrypted": envelope(7)}, {"id": my.key}) == 1
    assert bridged.truth("select api_key_encrypted from public.api_configurations where id = %s", [my.key]) == envelope(
        7
    )


def test_the_bridge_serves_no_stranger(bridged: Session, my: Mine, bob: Person) -> None:
    with bridged.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        insert(bridged, "prompt_history", PROMPT | WAITING | {"user_id": bob.id})
    with bridged.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        insert(
            bridged,
            "api_configurations",
            {"user_id": bob.id, "provider": "gemini", "api_key_encrypted": btoa(KEYS["gemini"]), "is_active": True},
        )
    with bridged.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
        bridged.rows("select legacy.seal_key(%s, 'openai', 'eA==')", [my.user])


def test_the_new_client_notices_nothing(bridged: Session, my: Mine) -> None:
    (row,) = insert(
        bridged, "prompt_history", PROMPT | {"provider": "openai", "user_id": my.user, "ai_response": ""}, returning="*"
    )
    assert (row["provider"], row["status"]) == ("openai", "pending")


VIEWS = """
[[views]]
names = ["public.profiles"]
roles = "authenticated"
truth = '''
    select id, user_id, display_name, avatar_url, created_at, updated_at from public.user_profiles
    where user_id = :me or :role = 'app_admin'
'''
"""


@pytest.mark.one_platform
def test_the_bridge_opens_nothing(bridged: Session) -> None:
    """The access contract holds as it stands; the view is all there is to add."""
    text = contract.PATH.read_text(encoding="utf-8")
    widened = text.replace('"auth, extensions, supabase_migrations"', '"auth, extensions, supabase_migrations, legacy"')
    assert widened != text
    with_bridge = contract.parse(Source(f"{widened}\n{VIEWS}", "bridge.toml"))
    only = ["public.prompt_history", "public.api_configurations", "public.user_profiles", "views"]
    connection = bridged._connection
    connection.execute("set local session authorization default")
    report = prober.examine(connection, with_bridge, only)
    assert report.failures == [], str(report)
    connection.execute("grant select on public.profiles to anon")
    assert prober.examine(connection, with_bridge, ["views"]).failures
