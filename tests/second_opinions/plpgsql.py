"""plpgsql_check itself: `supabase db lint` leaves out trigger functions, and asks for fewer warnings."""

from pathlib import Path

from forge_db.errors import ForgeError
from second_opinions.findings import Finding
from second_opinions.toolbox import Subject

QUERY = Path(__file__).with_name("plpgsql.sql").read_text(encoding="utf-8")


def check(subject: Subject) -> list[Finding]:
    """Every function of ours, and every trigger with the row of its table."""
    subject.extend("plpgsql_check")
    rows = subject.ask(QUERY)
    triggers = {name for name, is_trigger, *_ in rows if is_trigger}
    if not triggers or len(rows) == len(triggers):
        raise ForgeError("plpgsql_check was given no trigger, or nothing but triggers")
    return [Finding(sqlstate, f"{name}: {message}") for name, _, sqlstate, message in rows if sqlstate]
