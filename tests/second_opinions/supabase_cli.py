"""The Supabase CLI: the advisors that the dashboard shows, and `db lint`."""

from typing import Any

from forge_db.errors import ForgeError
from second_opinions.findings import Finding
from second_opinions.toolbox import Subject, answer, supabase_cli

QUIET = {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1"}


def advisors(subject: Subject) -> list[Finding]:
    """Lints of the catalogue, for security and for speed."""
    found = _ask(subject, "advisors", "--type=all", "--level=info", "--fail-on=info")
    return [Finding(lint["name"], _object(lint), lint["detail"]) for lint in found]


def db_lint(subject: Subject) -> list[Finding]:
    """PL/pgSQL functions that could not run."""
    subject.extend("plpgsql_check")
    found = _ask(subject, "lint", "--level=warning", "--fail-on=warning")
    return [
        Finding(issue["sqlState"], f"{checked['function']}: {issue['message']}")
        for checked in found
        for issue in checked["issues"]
    ]


def _ask(subject: Subject, *arguments: str) -> list[dict[str, Any]]:
    given = answer(
        subject,
        supabase_cli(),
        "db",
        *arguments,
        f"--remote={subject.database.url()}",
        "--output-format=json",
        "--agent=no",
        environment=QUIET,
    )
    if "results" not in given:
        raise ForgeError(f"supabase db {arguments[0]} failed: {given}")
    found: list[dict[str, Any]] = given["results"]
    return found


def _object(lint: dict[str, Any]) -> str:
    """What the lint is about; where it names nothing, its own key for it does."""
    about = lint.get("metadata") or {}
    return f"{about['schema']}.{about['name']}" if "schema" in about and "name" in about else str(lint["cacheKey"])
