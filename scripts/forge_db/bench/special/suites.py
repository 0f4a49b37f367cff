"""How fast access is tried: the prober, against a psql for each of its statements, and against pgTAP with pg_prove."""

import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import psycopg

from forge_db import access, binaries, migrations, paths, pgtap, platform
from forge_db.access.causes import Outcome
from forge_db.access.session import Session, Speaker
from forge_db.access.stage import Stage as Scene
from forge_db.bench.results import Result, seconds, spread
from forge_db.bench.stage import Stage
from forge_db.errors import ForgeError
from forge_db.server import SUPERUSER, Server

BAR = 3
SAMPLE = 200
# To see that it runs: what is tried, and proved, of all there is.
LITTLE = ("feedback_tags", "schemas")
NAME = "measured_suite"


class Listener(Session):
    """Remembers what is tried, as one would give it to psql."""

    def __init__(self, connection: psycopg.Connection, owner: str) -> None:
        super().__init__(connection, owner)
        self.said: list[str] = []

    def attempt(self, speaker: Speaker, statement: str) -> Outcome:
        self.said.append(f"begin; {self._become(speaker)}; {statement}; rollback")
        return super().attempt(speaker, statement)


def probes(stage: Stage) -> Iterator[Result]:
    """On a server without durability, as the tests have it; where pgTAP is installed, on the PostgreSQL that has it."""
    with_tap = next((it for it in binaries.installed() if _has_pgtap(it)), None)
    server = Server(stage.server.home / "suites", with_tap or stage.server.binaries, durable=False)
    server.destroy()
    server.start()
    try:
        platform.install(server.url(SUPERUSER), NAME, passwords=server.passwords)
        migrations.apply(server.url("postgres", NAME), paths.MIGRATIONS)
        only = LITTLE if stage.size.quick else None
        said = _statements(server, only)
        sample = said[:: max(1, len(said) // SAMPLE)]
        work: dict[str, tuple[int, Callable[[], None]]] = {
            "ours": (len(said), partial(_probe, server, only)),
            "psql": (len(sample), partial(_by_psql, server, sample)),
        }
        if with_tap:
            with psycopg.connect(server.url(SUPERUSER, NAME), autocommit=True) as admin:
                admin.execute("create extension pgtap schema extensions")
            files = [path for path in sorted(pgtap.TARGET.glob("*.sql")) if not only or path.name.startswith(only)]
            work["pgTAP"] = (_planned(files), partial(_by_pg_prove, server, files))
        else:
            click.echo("pgTAP is not measured: apt install postgresql-15-pgtap "
                       "libtap-parser-sourcehandler-pgtap-perl", err=True)  # fmt: skip
        speeds: dict[str, list[float]] = {side: [] for side in work}
        for number in range(min(stage.size.rounds, 2)):
            for side in sorted(work, reverse=number % 2 == 0):
                count, run = work[side]
                speeds[side].append(count / seconds(run))
    finally:
        server.destroy()
    ours = statistics.median(speeds["ours"])
    counted = {"psql": f"a psql for each of {len(sample)} of them", "pgTAP": f"{work.get('pgTAP', [0])[0]} in pg_prove"}
    for side in list(work)[1:]:
        ratio = ours / statistics.median(speeds[side])
        yield Result(
            f"probes_{side.lower()}",
            f"statements tried in a second: {len(said):,} by the prober, against {counted[side]}",
            spread(speeds["ours"]), spread(speeds[side]), f"{ratio:.1f}", f"≥ {BAR}", ratio >= BAR,
            {"ours": speeds["ours"], "baseline": speeds[side]},
        )  # fmt: skip


def _has_pgtap(found: binaries.Binaries) -> bool:
    control = Path(f"/usr/share/postgresql/{found.version}/extension/pgtap.control")  # as Debian packages it
    return control.exists() and found.directory.is_relative_to(binaries.SYSTEM) and bool(shutil.which("pg_prove"))


def _statements(server: Server, only: Collection[str] | None) -> list[str]:
    terms = access.load()
    with psycopg.connect(server.url(SUPERUSER, NAME)) as connection, Listener.on(connection, terms.owner) as session:
        scene = Scene(session, terms)
        for case in access.cases(terms):
            if only is None or case.subject.removeprefix("public.") in only:
                case.run(scene)
        return session.said if isinstance(session, Listener) else []


def _probe(server: Server, only: Collection[str] | None) -> None:
    with psycopg.connect(server.url(SUPERUSER, NAME)) as connection:
        if found := access.examine(
            connection, access.load(), only and [*only, *(f"public.{it}" for it in only)]
        ).failures:
            raise ForgeError(f"the prober found {len(found)} failures", "`make test-rls` names them.")


def _by_psql(server: Server, statements: list[str]) -> None:
    psql, url = server.binaries.tool("psql"), server.url(SUPERUSER, NAME)
    for statement in statements:  # most are refused, as they should be
        subprocess.run([psql, "-Xqc", statement, url], capture_output=True, check=False)


def _by_pg_prove(server: Server, files: Sequence[Path]) -> None:
    psql, url = server.binaries.tool("psql"), server.url("postgres", NAME)
    done = subprocess.run(
        ["pg_prove", f"--psql-bin={psql}", f"--dbname={url}", *map(str, files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ForgeError("pg_prove failed", "`make test-pgtap` says where.")


def _planned(files: Sequence[Path]) -> int:
    texts = (path.read_text(encoding="utf-8") for path in files)
    return sum(int(number) for text in texts for number in re.findall(r"select plan\((\d+)\)", text))
