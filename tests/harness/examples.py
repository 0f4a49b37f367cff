"""One valid row of every table, as short as its rules allow. A test states the columns that it is about."""

from base64 import b64encode
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any

from psycopg.types.json import Jsonb

_numbers = count(1)


def number() -> int:
    """A number that no other row of this run has, for what must be unique."""
    return next(_numbers)


def envelope(salt: int = 0) -> str:
    """A key as a client encrypts it: bytes that are nobody's text."""
    return "enc:c1:" + b64encode(bytes((salt + 200 + byte) % 256 for byte in range(44))).decode()


COMPONENT = {"name": "task", "label": "Task", "description": "What to do.", "required": True}
PRICE = {"valid_from": "2025-01-01", "input_usd_per_million": 1.25, "output_usd_per_million": 10}
MODEL = {
    "id": "model-1",
    "display_name": "Model 1",
    "context_window": 128000,
    "max_output_tokens": 16384,
    "is_default": True,
    "prices": [PRICE],
}

EXAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "api_configurations": lambda: {"provider": "openai", "api_key_encrypted": envelope()},
    "api_providers": lambda: {
        "name": f"provider_{number()}",
        "display_name": "Provider",
        "base_url": "https://api.example.com/v1",
        "supported_models": Jsonb([MODEL]),
    },
    "api_usage_logs": lambda: {"provider": "openai", "endpoint": "/v1/chat/completions", "status_code": 200},
    "audit_log": lambda: {"actor_role": "app_admin", "action": "update", "table_name": "system_config"},
    "feedback": lambda: {"message": "The copy button does nothing."},
    "feedback_analytics": lambda: {"date": date(2001, 1, 1) + timedelta(days=number())},
    "feedback_categories": lambda: {"name": f"category {number()}"},
    "feedback_tag_assignments": dict,
    "feedback_tags": lambda: {"name": f"tag {number()}"},
    "prompt_frameworks": lambda: {
        "name": f"framework_{number()}",
        "display_name": "Framework",
        "description": "When one sentence is enough.",
        "components": Jsonb([COMPONENT]),
        "template": "Do {{task}}.",
    },
    "prompt_history": lambda: {
        "framework_id": "roses",
        "framework_name": "R.O.S.E.S",
        "model": "gpt-4o",
        "provider": "openai",
        "user_input": "Write a haiku about databases.",
    },
    "prompt_templates": lambda: {
        "name": f"template {number()}",
        "framework_id": "roses",
        "template_content": "Write about {{topic}}.",
    },
    "security_events": lambda: {"event_type": "sign_in_refused"},
    "system_config": lambda: {
        "key": f"setting_{number()}",
        "category": "application",
        "value": Jsonb(1),
        "value_type": "integer",
        "description": "For a test.",
    },
    "user_preferences": lambda: {"selected_model": "openai"},
    "user_profiles": dict,
    "user_sessions": dict,
}


def example(table: str) -> dict[str, Any]:
    assert table in EXAMPLES, f"{table} has no example row yet: add one to EXAMPLES in tests/harness/examples.py"
    return EXAMPLES[table]()
