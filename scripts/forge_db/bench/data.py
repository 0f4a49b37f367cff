"""The SQL that fills the database: files of sql/bench, each run once."""

import psycopg

from forge_db import paths
from forge_db.bench.sizes import Size
from forge_db.server import SUPERUSER

FOLDER = paths.ROOT / "sql" / "bench"
# Word for word, and so in public, where ours are.
RULEBOOK = "baseline/rulebook_tables.sql"


def script(name: str) -> str:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text.replace("public.", "rulebook.") if name == RULEBOOK else text


def account(name: str) -> str:
    """Who runs a file."""
    return SUPERUSER if name == "history.sql" else "postgres"


def load(connection: psycopg.Connection, name: str, size: Size) -> None:
    """Run a file, as the account it asks for."""
    for setting, value in size.settings().items():
        connection.execute("select set_config(%s, %s, false)", [setting, value])
    connection.execute(script(name).encode())
