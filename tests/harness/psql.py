"""The programs psql and pg_dump, as somebody uses them who installs by hand."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from forge_db.paths import ROOT
from harness.databases import Database


def run(database: Database, *arguments: str, typed: str | None = None, user: str = "postgres") -> str:
    """What psql said on both channels, run in the project's root."""
    done = subprocess.run(
        [database.server.binaries.tool("psql"), "-X", "-q", *arguments, database.url(user)],
        input=typed,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def files(database: Database, paths: Iterable[Path]) -> str:
    """psql -f, one process and one transaction for each file, up to the first error."""
    said = ""
    for path in paths:
        said += run(database, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(path))
        if "ERROR:" in said:
            break
    return said


def include(database: Database, paths: Iterable[Path]) -> str:
    r"""A bare \i for each file, typed into one session, which goes on after an error."""
    return run(database, typed="".join(f"\\i {path.relative_to(ROOT)}\n" for path in paths))


def dump(database: Database, *options: str) -> str:
    """Everything that the database holds, as pg_dump writes it."""
    done = subprocess.run(
        [
            database.server.binaries.tool("pg_dump"),
            "--restrict-key=promptcraft",
            "--exclude-schema=supabase_migrations",
            *options,
            database.url(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # pg_dump names the roles of a policy in the order in which it finds them.
    return re.sub(r"(?<= TO )\w+(?:, \w+)+", lambda roles: ", ".join(sorted(roles[0].split(", "))), done.stdout)


def traces(database: Database) -> set[tuple[Any, ...]]:
    """What anything that a script makes, changes or only begins to write would leave behind."""
    query = " union all ".join(
        f"select '{catalogue}', oid, xmin::text::bigint from {catalogue}"
        for catalogue in (
            "pg_class", "pg_proc", "pg_namespace", "pg_type", "pg_constraint", "pg_policy", "pg_trigger", "pg_attrdef",
            "pg_extension", "pg_default_acl",
        )
    )  # fmt: skip
    sizes = "select 'size', oid, pg_relation_size(oid) from pg_class where relkind = 'r' and oid > 16384"
    with database.connect() as connection:
        return set(connection.execute(f"{query} union all {sizes}"))
