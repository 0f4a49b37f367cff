"""A server of one's own, and a hot standby of it: for what looks at a whole server, and would see other tests there."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forge_db import accounts, migrations, platform
from forge_db.binaries import Binaries
from forge_db.server import LOGINS, Server
from harness import databases
from harness.databases import SUPERUSER, Database

NAME = "forge"


@contextmanager
def private_server(binaries: Binaries) -> Iterator[Database]:
    """A new server with one database, migrated and seeded."""
    with _home() as home:
        server = Server(home / "primary", binaries, durable=False)
        server.start()
        try:
            platform.install(
                server.url(SUPERUSER), NAME, passwords={login: server.passwords[login] for login in LOGINS}
            )
            folder = home / "migrations"
            folder.mkdir()
            for file, text in databases.built_migrations().items():
                (folder / file).write_text(text, encoding="utf-8")
            database = Database(server, NAME)
            migrations.apply(database.url(), folder)
            yield database
        finally:
            server.stop()


@contextmanager
def standby(primary: Server) -> Iterator[Server]:
    """A hot standby, made with pg_basebackup, that follows."""
    with _home() as home:
        server = Server(home / "standby", primary.binaries, durable=False)
        accounts.create_directory(server.home)
        accounts.create_directory(server.directory)
        server.data.mkdir(mode=0o700)
        account = accounts.account_for(server.data)
        if account:
            os.chown(server.data, account.pw_uid, account.pw_gid)
        process = primary._process()
        process["env"] |= {"PGPASSWORD": primary.passwords[SUPERUSER]}
        subprocess.run(
            [
                primary._programs.tool("pg_basebackup"),
                *("-h", "127.0.0.1", "-p", str(primary.port), "-U", SUPERUSER, "-D", str(server.data)),
                *("--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            **process,
        )
        with (server.data / "postgresql.auto.conf").open("a") as settings:
            settings.write("wal_receiver_status_interval = 1s\n")
        shutil.copy(primary.directory / "credentials.json", server.directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _home() -> Iterator[Path]:
    """A directory that the server's account can reach, as pytest's own are not."""
    home = Path(tempfile.mkdtemp(prefix="forge-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
