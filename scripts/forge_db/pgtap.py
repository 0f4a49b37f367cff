"""supabase/tests/*.test.sql: the access contract as pgTAP tests, for whom `supabase test db` is the way to test."""

from typing import Any

import click
import jinja2
import psycopg

from forge_db import local, migrations
from forge_db.access import contract, script
from forge_db.access.contract import Contract
from forge_db.access.session import literal
from forge_db.access.stage import BYSTANDER, STRANGER, Stage
from forge_db.errors import ForgeError
from forge_db.paths import ROOT

SOURCES = ROOT / "sql" / "pgtap"
TARGET = ROOT / "supabase" / "tests"
SUFFIX = ".test.sql"
PEOPLE = {"me": script.ME, "stranger": STRANGER, "bystander": BYSTANDER}


def render(connection: psycopg.Connection[Any], terms: Contract) -> dict[str, str]:
    """The tests, by file name. The database says which values its rules accept; nothing remains in it."""
    with Stage.on(connection, terms) as stage:
        # Rows are made beside those that are there, and a local database may have a key by now.
        stage.session.own("delete from private.secrets")
        accounts = {name: stage.accounts[account] for name, account in PEOPLE.items()}
        template = environment().get_template("table.sql.j2")
        tables = {
            f"{table.name.removeprefix('public.')}{SUFFIX}": template.render(
                script=script.write(stage, table), people=accounts
            ).lstrip()
            for table in terms.tables.values()
        }
        return tables | {f"catalogue{SUFFIX}": catalogue(stage), f"functions{SUFFIX}": answers(stage)}


def catalogue(stage: Stage) -> str:
    """The tests of what there is."""
    template = environment().get_template("catalogue.sql.j2")
    terms = stage.contract
    readers = [(view.name, role) for view in terms.views for role in terms.roles if terms.is_for(view, role)]
    found = {"terms": terms, "relations": relations(terms), "functions": functions(stage), "readers": readers}
    return template.render(found).lstrip()


def answers(stage: Stage) -> str:
    """The tests of what functions and views answer."""
    rows, questions = script.ask(stage)
    template = environment().get_template("functions.sql.j2")
    return template.render(rows=rows, questions=questions, accounts=stage.accounts).lstrip()


def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["literal"] = literal
    return made


def relations(terms: Contract) -> list[str]:
    """Everything that the contract names, in the order of the alphabet."""
    return sorted([*terms.tables, *terms.closed, *(it.name for it in terms.views), *terms.sequences])


def functions(stage: Stage) -> list[tuple[str, list[str]]]:
    """Each function that somebody may call, as the catalogue spells its types, and who that is."""
    spelt = {
        row["name"]: row["spelt"]
        for row in stage.session.query(
            "select known.name, format('%%s.%%s(%%s)', nspname, proname, oidvectortypes(proargtypes)) as spelt "
            "from unnest(%(names)s::text[]) as known (name) "
            "inner join pg_proc on pg_proc.oid = to_regprocedure(known.name) "
            "inner join pg_namespace on pronamespace = pg_namespace.oid",
            {"names": [it.name for it in stage.contract.functions]},
        )
    }
    for routine in stage.contract.functions:
        if routine.name not in spelt:
            raise ForgeError(f"the database has no function {routine.name}", "Run `make test-rls`.")
    found = {
        spelt[it.name]: sorted(role for role in stage.contract.roles if stage.contract.is_for(it, role))
        for it in stage.contract.functions
    }
    return sorted((name, callers) for name, callers in found.items() if callers)


@click.command("emit-pgtap")
@click.option("--database-url", metavar="URL", help="A migrated database. Default: the local one.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is stale.")
def command(database_url: str | None, check: bool) -> None:
    """Write the access contract as pgTAP tests: supabase/tests/*.test.sql.

    The database is asked which values its rules accept. Rows are made for it, and everything is rolled back.

    \b
    Examples:
      forge-db emit-pgtap            with the local database that `make up` started
      forge-db emit-pgtap --check    whether the files are what the contract says
    """
    with migrations.connect(database_url or local.url()) as connection:
        wanted = render(connection, contract.load())
    current = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob(f"*{SUFFIX}")}
    stale = sorted(name for name in wanted.keys() | current.keys() if wanted.get(name) != current.get(name))
    if not stale:
        click.echo(f"{TARGET.relative_to(ROOT)} is up to date")
    elif check:
        raise ForgeError(f"stale: {', '.join(stale)}", "Run `forge-db emit-pgtap` and commit the result.")
    for name in () if check else stale:
        if name in wanted:
            TARGET.mkdir(exist_ok=True)
            (TARGET / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (TARGET / name).unlink()
        click.echo(f"{'wrote' if name in wanted else 'removed'} supabase/tests/{name}")


commands: list[click.Command] = [command]
