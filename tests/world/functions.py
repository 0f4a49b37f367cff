"""What a function of the API answers and does by the contract. The name of a model is that of its function.

A function that has no model is held to what holds for every function: restraint.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from forge_db.access.contract import Routine
from harness.refusal import Guard
from world.arguments import API_KEYS, WORD
from world.model import ANYTHING, CHECK, GRANTS, INVALID, NOBODY, REFERENCE, UNKNOWN, Effect, refused, without
from world.rows import Caller, Key, Row, World

Arguments = Mapping[str, Any]
Model = Callable[[World, Caller, Arguments], Effect]


def routines(world: World, name: str) -> list[Routine]:
    """What the contract says of a function."""
    return [it for it in world.contract.functions if it.name.startswith(f"public.{name}(")]


def is_callable(world: World, caller: Caller, name: str) -> bool:
    """Whether the contract lets a caller call a function."""
    return any(role in it.roles for it in routines(world, name) for role in world.contract.held(caller.role))


def call(world: World, caller: Caller, name: str, arguments: Arguments) -> Effect | None:
    """What a call does; None where there is no model."""
    if not is_callable(world, caller, name):
        return refused(*GRANTS)
    return MODELS[name](world, caller, arguments) if name in MODELS else None


# Models ---------------------------------------------------------------------------------------------------------------


def _mine(world: World, caller: Caller, table: str, **columns: Any) -> dict[Key, Row]:
    wanted = {"user_id": caller.account, **columns}
    return {key: row for key, row in world.of(f"public.{table}") if wanted.items() <= row.items()}


def _provider(world: World, name: str) -> Row:
    return next((row for _, row in world.of("public.api_providers") if row["name"] == name), {})


def personal(model: Model) -> Model:
    """Of a function that first of all asks who is calling."""

    @wraps(model)
    def asking(world: World, caller: Caller, given: Arguments) -> Effect:
        return model(world, caller, given) if caller.account else refused(NOBODY)

    return asking


def _first(rows: list[Any]) -> Any:
    return rows[0]


def is_admin(world: World, caller: Caller, _given: Arguments) -> Effect:
    return Effect(answer=world.standing(caller) == "app_admin", reading=_first)


def get_public_config(world: World, _caller: Caller, _given: Arguments) -> Effect:
    settings = {row["key"]: row["value"] for _, row in world.of("public.system_config") if row["is_public"]}
    return Effect(answer=settings, reading=_first)


def is_feature_enabled(world: World, caller: Caller, given: Arguments) -> Effect:
    seen = world.sees(caller)
    flags = [row for key, row in world.of("public.system_config") if key in seen and row["key"] == given["flag"]]
    is_on = any(row["category"] == "feature_flag" and row["value"] is True for row in flags)
    return Effect(answer=is_on, reading=_first)


def unpublish_prompt_template(world: World, caller: Caller, given: Arguments) -> Effect:
    if world.standing(caller) != "app_admin":
        return refused(Guard.RAISED)
    key = Key("public.prompt_templates", given["template_id"])
    was_public = key in world and world[key]["is_public"]
    return Effect(changed={key: {"is_public": False}} if was_public else {}, answer=was_public, reading=_first)


def respond_to_feedback(world: World, caller: Caller, given: Arguments) -> Effect:
    key = Key("public.feedback", given["feedback_id"])
    if key not in world:
        return refused(UNKNOWN)
    if world.standing(caller) != "app_admin":
        # Who was dismissed still has what is theirs, as any user.
        is_theirs = world.reaches(caller, "update", key.table, world[key])
        return refused(Guard.RAISED if is_theirs else UNKNOWN)
    stamped = {"admin_user_id": caller.account} if world[key]["admin_response"] != given["response"] else {}
    status = given.get("new_status", "resolved")
    return Effect(changed={key: {"admin_response": given["response"], "status": status, **stamped}})


def render_prompt_template(world: World, caller: Caller, given: Arguments) -> Effect:
    key = Key("public.prompt_templates", given["template_id"])
    if key not in world.sees(caller) or not world[key]["is_active"]:
        return refused(UNKNOWN)
    if "topic" not in given.get("variables", ""):
        return refused(INVALID)
    return Effect(changed={key: {"usage_count": world[key]["usage_count"] + 1}})


@personal
def save_api_key(world: World, caller: Caller, given: Arguments) -> Effect:
    if not _provider(world, given["provider"]).get("is_enabled"):
        return refused(UNKNOWN)
    if API_KEYS.get(given["provider"]) != given["api_key"]:
        return refused(INVALID, CHECK)
    found = _mine(world, caller, "api_configurations", provider=given["provider"])
    if found:
        return Effect(changed={key: {"api_key_encrypted": ANYTHING, "is_active": True} for key in found})
    if caller.account not in world.accounts:
        return refused(REFERENCE)
    return Effect(added=[("public.api_configurations", {"user_id": caller.account, "provider": given["provider"]})])


@personal
def reveal_api_key(_world: World, _caller: Caller, _given: Arguments) -> Effect:
    return refused(Guard.RAISED)  # the feature flag is off


@personal
def check_rate_limit(world: World, caller: Caller, given: Arguments) -> Effect:
    limits = _provider(world, given["provider"])
    keys = _mine(world, caller, "api_configurations", provider=given["provider"], is_active=True)
    if not limits.get("is_enabled") or not keys:
        return refused(UNKNOWN)
    used = (str(caller.account), str(given["provider"]))
    # At midnight the count begins anew.
    left = [limits["max_requests_per_day"] - count - 1 for count in (world.used[used], 0)]
    return Effect(answer=True, reading=lambda rows: rows[0]["remaining_day"] in left, used=used)


@personal
def log_api_usage(world: World, caller: Caller, given: Arguments) -> Effect:
    if caller.account not in world.accounts:
        return refused(REFERENCE, UNKNOWN)
    request = (str(caller.account), str(given.get("request_id")))
    if "request_id" in given and world.used[request]:
        return Effect()
    if not _provider(world, given["provider"]):
        return refused(UNKNOWN)
    keys = _mine(world, caller, "api_configurations", provider=given["provider"])
    return Effect(
        added=[("public.api_usage_logs", {"user_id": caller.account, "provider": given["provider"]})],
        changed={key: {"usage_count": row["usage_count"] + 1} for key, row in keys.items()},
        used=request,
    )


def get_usage_summary(world: World, caller: Caller, _given: Arguments) -> Effect:
    return Effect(answer=len(_mine(world, caller, "api_usage_logs")), reading=lambda rows: rows[0]["requests"])


def get_prompt_stats(world: World, caller: Caller, given: Arguments) -> Effect:
    since = datetime.now(UTC) - timedelta(days=given.get("days", 7))
    prompts = _mine(world, caller, "prompt_history").values()
    recent = [row for row in prompts if datetime.fromisoformat(row["created_at"]) >= since]
    return Effect(answer=len(recent), reading=lambda rows: rows[0]["total"])


@personal
def search_prompt_history(world: World, caller: Caller, _given: Arguments) -> Effect:
    found = {key.id for key, row in _mine(world, caller, "prompt_history").items() if WORD in row["user_input"]}
    return Effect(answer=found, reading=lambda rows: {row["id"] for row in rows})


def cleanup_old_prompt_history(world: World, caller: Caller, _given: Arguments) -> Effect:
    kept = [row["max_history_days"] for row in _mine(world, caller, "user_preferences").values()] or [30]
    since = datetime.now(UTC) - timedelta(days=kept[0])
    prompts = _mine(world, caller, "prompt_history")
    old = {key for key, row in prompts.items() if datetime.fromisoformat(row["created_at"]) < since}
    return replace(without(world, old), answer=len(old), reading=_first)


def _named(row: Row) -> set[Any]:
    """Whom a row is about; not who of the staff answered it."""
    return {row[column] for column in ("user_id", "actor_id", "subject_id") if row.get(column) is not None}


@personal
def export_my_data(world: World, caller: Caller, _given: Arguments) -> Effect:
    """Every row that names the caller as its owner, actor or subject, and no row that is about anybody else."""
    mine = {key for key, row in world.of() if caller.account is not None and caller.account in _named(row)}

    def reading(answer: list[Any]) -> set[Key]:
        listed = {table: rows for table, rows in (answer[0] or {}).items() if isinstance(rows, list)}
        tables = [(table if "." in table else f"public.{table}", row) for table, rows in listed.items() for row in rows]
        strange = [(table, row) for table, row in tables if caller.account not in _named(row)]
        assert not strange, f"the export holds what is about others: {strange}"
        found = {Key(table.removesuffix("_about_user"), row["id"]) for table, row in tables if "id" in row}
        return {key for key in found if key.table in world.rows}

    return Effect(answer=mine, reading=reading)


MODELS: Mapping[str, Model] = {
    model.__name__: model
    for model in (
        is_admin,
        get_public_config,
        is_feature_enabled,
        unpublish_prompt_template,
        respond_to_feedback,
        render_prompt_template,
        save_api_key,
        reveal_api_key,
        check_rate_limit,
        log_api_usage,
        get_usage_summary,
        get_prompt_stats,
        search_prompt_history,
        cleanup_old_prompt_history,
        export_my_data,
    )
}
