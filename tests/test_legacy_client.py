"""The client that is in use keeps working: each of its queries, as PostgREST sends it for a signed-in user.

Adapted as the client was to the columns of this schema: history names its provider and begins as pending, keys are
encrypted before they are sent, the profile is in user_profiles. Alice asks; Bob has the same rows, and none of them may
turn up in an answer or change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from harness.examples import envelope
from harness.people import Person
from harness.postgrest import call, delete, insert, read, update
from harness.session import Session

pytestmark = pytest.mark.access

NOW = datetime.now(UTC)
SINCE = (">=", NOW - timedelta(days=7))
NEW_KEY = {"api_key_encrypted": envelope(7), "is_active": True}
PREFERENCES = {"selected_model": "gemini", "selected_framework": "race", "vibe_coding": True}
PROMPT = {
    "framework_id": "ape",
    "framework_name": "A.P.E",
    "model": "gemini",
    "provider": "gemini",
    "user_input": "Explain recursion to a child.",
    "tone": "professional",
    "length": "detailed",
    "vibe_coding": False,
}


@dataclass(frozen=True)
class Rows:
    """What a user has when the client asks."""

    user: UUID
    key: UUID
    prompt: UUID
    old_prompt: UUID
    feedback: UUID


def rows_of(db: Session, person: Person) -> Rows:
    return Rows(
        person.id,
        db.add("api_configurations", user_id=person.id),
        db.add("prompt_history", user_id=person.id),
        db.add("prompt_history", user_id=person.id, created_at=NOW - timedelta(days=8)),
        db.add("feedback", user_id=person.id),
    )


@pytest.fixture
def my(db: Session, alice: Person, bob: Person) -> Rows:
    """Alice's rows, beside which Bob's lie. Alice speaks."""
    rows_of(db, bob)
    mine = rows_of(db, alice)
    db.as_user(alice)
    return mine


def ids(rows: list[dict[str, Any]]) -> list[UUID]:
    return [UUID(row["id"]) for row in rows]


class Query(NamedTuple):
    """What the client asks, and the answer that it must get."""

    send: Callable[[Session, Rows], Any]
    answer: Callable[[Rows], Any]


QUERIES = {
    "apiConfig.getUserApiConfigs": Query(
        lambda db, my: read(
            db, "api_configurations", "provider, api_key_encrypted, is_active", {"user_id": my.user, "is_active": True}
        ),
        lambda _: [{"provider": "openai", "api_key_encrypted": envelope(), "is_active": True}],
    ),
    "apiConfig.saveApiConfig: is there one?": Query(
        lambda db, my: ids(read(db, "api_configurations", "id", {"user_id": my.user, "provider": "openai"})),
        lambda my: [my.key],
    ),
    "apiConfig.saveApiConfig: is there another?": Query(
        lambda db, my: read(db, "api_configurations", "id", {"user_id": my.user, "provider": "gemini"}),
        lambda _: [],
    ),
    "apiConfig.getAllUserConfigs": Query(
        lambda db, my: ids(read(db, "api_configurations", "*", {"user_id": my.user, "is_active": True})),
        lambda my: [my.key],
    ),
    "apiConfig.testDatabaseConnection": Query(
        lambda db, _: ids(read(db, "api_configurations", "id", limit=1)),
        lambda my: [my.key],
    ),
    "userPreferences.getDefaultModel": Query(
        lambda db, my: read(
            db,
            "api_configurations",
            "provider",
            {"user_id": my.user, "is_active": True},
            order="created_at asc",
            limit=1,
        ),
        lambda _: [{"provider": "openai"}],
    ),
    "userPreferences.getUserPreferences": Query(
        lambda db, my: read(
            db, "user_preferences", "selected_model, selected_framework, vibe_coding", {"user_id": my.user}
        ),
        lambda _: [{"selected_model": "openai", "selected_framework": "roses", "vibe_coding": False}],
    ),
    "userPreferences.saveUserPreferences: are there any?": Query(
        lambda db, my: len(read(db, "user_preferences", "id", {"user_id": my.user})),
        lambda _: 1,
    ),
    "promptHistory.savePromptHistoryInput: is the table there?": Query(
        lambda db, _: read(db, "prompt_history", "count", limit=1),
        lambda _: [{"count": 2}],
    ),
    "promptHistory.getPromptHistory": Query(
        lambda db, my: ids(
            read(
                db, "prompt_history", "*", {"user_id": my.user, "created_at": SINCE}, order="created_at desc", limit=50
            )
        ),
        lambda my: [my.prompt],
    ),
    "promptHistory.getPromptHistoryStats": Query(
        lambda db, my: ids(read(db, "prompt_history", "*", {"user_id": my.user, "created_at": SINCE})),
        lambda my: [my.prompt],
    ),
    "feedback.submitFeedback: display name": Query(
        lambda db, my: read(db, "user_profiles", "display_name", {"user_id": my.user}),
        lambda _: [{"display_name": "alice"}],
    ),
    "feedback.getUserFeedback": Query(
        lambda db, my: ids(read(db, "feedback", "*", {"user_id": my.user}, order="created_at desc")),
        lambda my: [my.feedback],
    ),
    "tests: is the table there?": Query(
        lambda db, _: read(db, "prompt_history", "*", limit=0),
        lambda _: [],
    ),
}


class Change(NamedTuple):
    """What the client writes, and what the owner of the database then finds."""

    send: Callable[[Session, Rows], Any]
    truth: str
    found: Any


HER_KEYS = (
    "select array_agg(provider || ' ' || is_active order by provider) from public.api_configurations where user_id = %s"
)
HER_PREFERENCES = (
    "select selected_model || ' ' || selected_framework || ' ' || vibe_coding "
    "from public.user_preferences where user_id = %s"
)
HER_PROMPTS = (
    "select array_agg(concat(status, ': ', ai_response) order by created_at, status, ai_response nulls first) "
    "from public.prompt_history where user_id = %s"
)
HER_FEEDBACK = "select coalesce(array_agg(message), '{}') from public.feedback where user_id = %s"

CHANGES = {
    "apiConfig.saveApiConfig: replace": Change(
        lambda db, my: update(db, "api_configurations", NEW_KEY | {"updated_at": NOW}, {"id": my.key}) == 1,
        "select array_agg(api_key_encrypted) from public.api_configurations where user_id = %s",
        [envelope(7)],
    ),
    "apiConfig.saveApiConfig: add": Change(
        lambda db, my: insert(db, "api_configurations", NEW_KEY | {"user_id": my.user, "provider": "gemini"}),
        HER_KEYS,
        ["gemini true", "openai true"],
    ),
    "apiConfig.deleteApiConfig": Change(
        lambda db, my: (
            update(db, "api_configurations", {"is_active": False}, {"user_id": my.user, "provider": "openai"}) == 1
        ),
        HER_KEYS,
        ["openai false"],
    ),
    "userPreferences.saveUserPreferences: change": Change(
        lambda db, my: update(db, "user_preferences", PREFERENCES, {"user_id": my.user}) == 1,
        HER_PREFERENCES,
        "gemini race true",
    ),
    "userPreferences.saveUserPreferences: one of them": Change(
        lambda db, my: update(db, "user_preferences", {"vibe_coding": True}, {"user_id": my.user}) == 1,
        HER_PREFERENCES,
        "openai roses true",
    ),
    "userPreferences.saveUserPreferences: add": Change(
        lambda db, my: (
            delete(db, "user_preferences", {"user_id": my.user})
            and insert(db, "user_preferences", PREFERENCES | {"user_id": my.user})
        ),
        HER_PREFERENCES,
        "gemini race true",
    ),
    "promptHistory.savePromptHistoryInput": Change(
        lambda db, my: insert(
            db,
            "prompt_history",
            PROMPT | {"user_id": my.user, "ai_response": "Generating...", "status": "pending"},
            returning="*",
        )[0]["id"],
        HER_PROMPTS,
        ["pending: ", "pending: ", "pending: Generating..."],
    ),
    "promptHistory.savePromptHistory": Change(
        lambda db, my: insert(
            db,
            "prompt_history",
            PROMPT | {"user_id": my.user, "ai_response": "A haiku.", "status": "completed"},
            returning="*",
        )[0]["created_at"],
        HER_PROMPTS,
        ["pending: ", "completed: A haiku.", "pending: "],
    ),
    "promptHistory.updatePromptHistoryResponse": Change(
        lambda db, my: (
            update(
                db,
                "prompt_history",
                {"ai_response": "A haiku.", "status": "completed", "updated_at": NOW},
                {"id": my.prompt, "user_id": my.user},
            )
            == 1
        ),
        HER_PROMPTS,
        ["pending: ", "completed: A haiku."],
    ),
    "promptHistory.updatePromptHistoryStatus": Change(
        lambda db, my: (
            update(
                db,
                "prompt_history",
                {"status": "failed", "updated_at": NOW, "ai_response": "Generation failed: timeout"},
                {"id": my.prompt, "user_id": my.user},
            )
            == 1
        ),
        HER_PROMPTS,
        ["pending: ", "failed: Generation failed: timeout"],
    ),
    "promptHistory.deletePromptHistory": Change(
        lambda db, my: delete(db, "prompt_history", {"id": my.old_prompt, "user_id": my.user}) == 1,
        HER_PROMPTS,
        ["pending: "],
    ),
    "promptHistory.clearAllPromptHistory": Change(
        lambda db, my: delete(db, "prompt_history", {"user_id": my.user}) == 2,
        HER_PROMPTS,
        None,
    ),
    "promptHistory.cleanupOldRecords": Change(
        lambda db, my: (
            update(db, "user_preferences", {"max_history_days": 7}, {"user_id": my.user})
            and call(db, "cleanup_old_prompt_history") == 1
        ),
        HER_PROMPTS,
        ["pending: "],
    ),
    "feedback.submitFeedback": Change(
        lambda db, my: (
            insert(db, "feedback", {"user_id": my.user, "message": "More!"}, returning="*")[0]["status"] == "open"
        ),
        HER_FEEDBACK,
        ["The copy button does nothing.", "More!"],
    ),
    "feedback.deleteFeedback": Change(
        lambda db, my: delete(db, "feedback", {"id": my.feedback, "user_id": my.user}) == 1,
        HER_FEEDBACK,
        [],
    ),
    "tests: delete what was added": Change(
        lambda db, my: (
            delete(
                db,
                "prompt_history",
                {"id": insert(db, "prompt_history", PROMPT | {"user_id": my.user}, returning="*")[0]["id"]},
            )
            == 1
        ),
        HER_PROMPTS,
        ["pending: ", "pending: "],
    ),
}

# One number for everything of Bob's that a change of Alice's could touch.
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
def test_the_client_reads(db: Session, my: Rows, query: Query) -> None:
    assert query.send(db, my) == query.answer(my)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_client_writes(db: Session, my: Rows, bob: Person, change: Change) -> None:
    his = db.truth(HIS, {"bob": bob.id})
    assert change.send(db, my) not in (None, False)
    assert db.truth(change.truth, [my.user]) == change.found
    assert db.truth(HIS, {"bob": bob.id}) == his
