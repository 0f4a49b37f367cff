"""What a function of the API is called with: rows of other people as well as the caller's."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from forge_db.access.catalogue import Function
from world.rows import Caller, World
from world.statements import Call

API_KEYS = {
    "openai": "sk-proj-" + "a1B2" * 10,
    "gemini": "AIza" + "c3D4e" * 7,
    "anthropic": "sk-ant-api03-" + "e5F6" * 20,
}
# A word of the prompts that nobody has rewritten.
WORD = "haiku"
OF_TYPE: Mapping[str, list[Any]] = {
    "integer": [30],
    "bigint": [30],
    "numeric": [1],
    "boolean": [True],
    "jsonb": ["{}"],
    "date": [datetime.now(UTC).date()],
    "timestamp with time zone": [datetime.now(UTC)],
}


def bare(function: Function) -> str:
    """A function's name without its schema and arguments."""
    return function.name.partition("(")[0].removeprefix("public.")


def choices(world: World, caller: Caller, function: Function, argument: str, given: Mapping[str, Any]) -> list[Any]:
    """What an argument may be. What is likely to have an effect comes more than once."""
    known: Mapping[str, list[Any]] = {
        "provider": [*_own_providers(world, caller) * 4, *_column(world, "api_providers", "name")],
        "api_key": [API_KEYS.get(given.get("provider", ""), "sk-unknown"), *API_KEYS.values()],
        "query": [WORD],
        "framework": _column(world, "prompt_frameworks", "name"),
        "flag": _column(world, "system_config", "key"),
        "variables": ['{"topic": "words"}'],
        "request_id": [str(UUID(int=1))],
        "new_status": ["resolved"],
        "user_id": [*world.people],
    }
    if argument in known:
        return known[argument]
    if function.arguments[argument] == "uuid":
        stem = argument.removesuffix("_id")
        return [key.id for key, _ in world.of() if stem in key.table] or [key.id for key, _ in world.of()]
    return OF_TYPE.get(function.arguments[argument], ["words"])


def calls(world: World, caller: Caller, function: Function) -> Iterator[Call]:
    """A function with one choice of arguments after the other."""
    for turn in range(3 if function.required else 1):
        given: dict[str, Any] = {}
        for argument in function.required:
            known = choices(world, caller, function, argument, given)
            given[argument] = known[turn % len(known)]
        yield Call(bare(function), given)


def _own_providers(world: World, caller: Caller) -> list[str]:
    return [row["provider"] for _, row in world.of("public.api_configurations") if row["user_id"] == caller.account]


def _column(world: World, table: str, name: str) -> list[Any]:
    return [row[name] for _, row in world.of(f"public.{table}")]
