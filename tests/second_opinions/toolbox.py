"""Where the tools are, what they are shown, and how to run one so that it cannot fail unnoticed."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from forge_db.errors import ForgeError, from_database, one_line
from forge_db.paths import ROOT, STATE
from harness.databases import SUPERUSER, Database

ENVIRONMENTS = STATE / "second-opinions"
SCHEMAS = ("public", "private", "archive")
PACKAGES = "postgresql-15 postgresql-15-plpgsql-check postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl"
# Some put words in the order of a Python set: the same schema is to be described in the same words.
ORDERLY = {"PYTHONHASHSEED": "0"}
UNCHANGED: Mapping[str, str] = MappingProxyType({})


class Subject(NamedTuple):
    """What a tool looks at: a database of its own, the files that made it, and a folder to write in."""

    database: Database
    migrations: Path
    folder: Path

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows from the catalogue, in which every name is written with its schema."""
        with self.database.connect() as connection:
            connection.execute("set search_path = ''")
            return connection.execute(query.encode()).fetchall()

    def extend(self, extension: str) -> None:
        with self.database.connect(SUPERUSER) as connection:
            try:
                connection.execute(
                    sql.SQL("create extension if not exists {} schema extensions").format(sql.Identifier(extension))
                )
            except psycopg.Error as error:
                raise ForgeError(from_database(error, extension).message, f"Run: apt install {PACKAGES}") from error

    def tables(self, condition: str = "true") -> set[str]:
        """Our tables, partitions among them, as schema.name."""
        names = ", ".join(f"'{schema}'" for schema in SCHEMAS)
        return {
            str(name)
            for (name,) in self.ask(
                f"select class.oid::regclass from pg_class as class inner join pg_namespace as schema "
                f"on class.relnamespace = schema.oid "
                f"where schema.nspname in ({names}) and class.relkind in ('r', 'p') and {condition}"
            )
        }


def program(tool: str, name: str) -> str:
    """A program of a Python package, in its own environment."""
    path = ENVIRONMENTS / tool / "bin" / name
    if not path.is_file():
        raise ForgeError(f"{tool} is not installed", "Run `make second-opinions`, which installs it.")
    return str(path)


def supabase_cli() -> str:
    path = Path(os.environ.get("SUPABASE_CLI") or ROOT / "node_modules" / ".bin" / "supabase")
    if not path.exists():
        raise ForgeError(f"no Supabase CLI at {path}", "Run `make second-opinions`, which installs it.")
    return str(path)


def run(
    subject: Subject, command: str, *arguments: str | Path, environment: Mapping[str, str] = UNCHANGED
) -> subprocess.CompletedProcess[str]:
    """Run a tool that ends with 0 when it is content and with 1 when it is not. Anything else is a crash."""
    try:
        done = subprocess.run(
            [command, *arguments],
            cwd=subject.folder,  # where no settings of somebody else lie about
            env={**os.environ, **ORDERLY, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ForgeError(f"{Path(command).name} did not run: {error}") from error
    if done.returncode not in (0, 1):
        raise _broken(command, done)
    return done


def answer(subject: Subject, command: str, *arguments: str | Path, environment: Mapping[str, str] = UNCHANGED) -> Any:
    """Run a tool and read the JSON that it prints."""
    done = run(subject, command, *arguments, environment=environment)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise _broken(command, done) from error


def _broken(command: str, done: subprocess.CompletedProcess[str]) -> ForgeError:
    said = one_line(done.stderr or done.stdout or "nothing")[-500:]
    return ForgeError(f"{Path(command).name} ended with {done.returncode} and said: {said}")
