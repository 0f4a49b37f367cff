"""Template databases, and clones of them.

A template is built once per server, grant regime and state of the sources, and kept between runs: its name holds a
digest of everything it is made from, so a test never runs on stale SQL.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql.janitor import DatabaseJanitor

from forge_db import assemble, migrations, paths, platform
from forge_db.server import Server
from harness.clusters import Cluster

Regime = Literal["explicit", "auto"]
REGIMES: tuple[Regime, ...] = ("explicit", "auto")
PREFIX = "forge_test_"
SUPERUSER = "supabase_admin"


@dataclass(frozen=True)
class Database:
    """A database of one test server."""

    server: Server
    name: str

    def url(self, user: str = "postgres") -> str:
        return self.server.url(user, self.name)

    def connect(self, user: str = "postgres", **options: Any) -> psycopg.Connection:
        """Log in for real, with a session of one's own."""
        return psycopg.connect(self.url(user), **options)


class Platform:
    """One server in one grant regime. Has what pytest-postgresql asks of a fixture that `depends_on` names."""

    options = ""
    maintenance_dbname = "postgres"

    def __init__(self, cluster: Cluster, regime: Regime) -> None:
        self.cluster = cluster
        self.regime = regime
        self.name = f"pg{cluster.major}-{regime}"
        self.dbname = f"{PREFIX}{os.getpid()}_scratch"
        self.bare = template_name(regime, platform_sources())
        self.template_dbname = template_name(regime, {**platform_sources(), **built_migrations()})
        login = conninfo_to_dict(cluster.server.url("postgres"))
        self.user, self.password = str(login["user"]), str(login["password"])
        self.host, self.port = str(login["host"]), int(str(login["port"]))

    def __repr__(self) -> str:
        return self.name

    def database(self, name: str) -> Database:
        return Database(self.cluster.server, name)

    def janitor(self, name: str, template: str | None = None) -> DatabaseJanitor:
        """Makes and drops a database as `postgres`, so that `postgres` owns it as on Supabase."""
        return DatabaseJanitor(
            user=self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            dbname=name,
            template_dbname=template,
        )

    @contextmanager
    def clone(self, name: str, *, migrated: bool = True) -> Iterator[Database]:
        """A database of one's own for a while: with our migrations, or with the platform only."""
        database = self.database(PREFIX + name)
        self.janitor(database.name, self.template_dbname if migrated else self.bare).init()
        try:
            yield database
        finally:
            # As the superuser, whose own sessions nobody else may end.
            with psycopg.connect(database.server.url(SUPERUSER), autocommit=True) as admin:
                drop(admin, database.name)


def built_migrations() -> Mapping[str, str]:
    """The migrations as the schema files stand now, whatever lies in supabase/migrations."""
    return assemble.build(paths.SCHEMA, paths.TEMPLATES)


def platform_sources() -> Mapping[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(paths.PLATFORM.glob("*.sql"))}


def template_name(regime: str, sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()
    return f"{PREFIX}{regime}_{digest[:12]}"


def sweep(server: Server) -> None:
    """Drop what earlier runs left: databases of tests, templates of other sources, and the role they made."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as admin:
        wanted = {
            template_name(regime, sources)
            for regime in REGIMES
            for sources in (platform_sources(), {**platform_sources(), **built_migrations()})
        }
        found = {
            str(name)
            for (name,) in admin.execute("select datname from pg_database where starts_with(datname, %s)", [PREFIX])
        }
        for name in sorted(found - wanted):
            drop(admin, name)
        if not found & wanted:
            # Roles outlive databases; a migration must be seen making its own.
            with suppress(errors.DependentObjectsStillExist):
                admin.execute("drop role if exists app_admin")


def drop(admin: psycopg.Connection, name: str) -> None:
    # One whose removal was interrupted cannot be altered, only removed.
    if admin.execute("select from pg_database where datname = %s and datistemplate", [name]).rowcount:
        admin.execute(sql.SQL("alter database {} is_template false").format(sql.Identifier(name)))
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def prepare(cluster: Cluster, regime: Regime) -> Platform:
    """A regime of a running server, with its two templates built unless they are there."""
    ready = Platform(cluster, regime)
    with cluster.setting_up(), psycopg.connect(cluster.server.url(SUPERUSER), autocommit=True) as admin:
        make(admin, ready.bare, lambda name: install_platform(ready, name))
        make(admin, ready.template_dbname, lambda name: apply_migrations(ready, name))
    return ready


def make(admin: psycopg.Connection, name: str, build: Callable[[str], None]) -> None:
    """Build under another name first, so that what has the right name is whole."""
    if admin.execute("select from pg_database where datname = %s", [name]).rowcount:
        return
    unfinished = f"{name}_unfinished"
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(unfinished)))
    build(unfinished)
    admin.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(unfinished), sql.Identifier(name)))


def install_platform(ready: Platform, name: str) -> None:
    server = ready.cluster.server
    platform.install(server.url(SUPERUSER), name, regime=ready.regime, passwords=server.passwords)


def apply_migrations(ready: Platform, name: str) -> None:
    ready.janitor(name, ready.bare).init()
    with tempfile.TemporaryDirectory() as folder:
        for file, text in built_migrations().items():
            Path(folder, file).write_text(text, encoding="utf-8")
        migrations.apply(ready.database(name).url(), Path(folder))
