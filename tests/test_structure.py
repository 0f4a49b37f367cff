"""docs/DATABASE_STRUCTURE.md lists what the database holds, and is as new as the schema, whatever server it runs on."""

import psycopg

from forge_db import structure


def test_document_is_what_the_catalogue_says(connection: psycopg.Connection) -> None:
    wanted = structure.render(connection)
    assert structure.TARGET.read_text(encoding="utf-8") == wanted, "stale: run `make docs` and commit the result"
