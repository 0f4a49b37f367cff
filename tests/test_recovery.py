"""docs/backup.md does what it says: a server is lost, and comes back as it was between two commits."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_db import accounts
from forge_db.paths import ROOT
from harness import clusters
from harness.client import join
from harness.databases import SUPERUSER, Database
from harness.servers import Own, own_database

TEXT = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
ARCHIVING, RECOVERY = re.findall(r"^```ini\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(BASE_BACKUP,) = re.findall(r"^pg_basebackup .*$", TEXT, re.MULTILINE)


def settings(block: str) -> dict[str, str]:
    found = (line.partition(" = ") for line in block.splitlines())
    return {name: value.strip("'") for name, _, value in found}


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the server's account can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="forge-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.one_platform
def test_a_lost_server_comes_back_as_it_was_between_two_commits(home: Path) -> None:
    archive = home / "archive"
    archive.mkdir()
    binaries = clusters.installed()[0]
    archiving = {name: value.replace("/archive", str(archive)) for name, value in settings(ARCHIVING).items()}
    with own_database(home, binaries, **archiving) as database:
        server = database.server
        assert isinstance(server, Own)
        _give(server, archive)
        base = home / "base"
        base.mkdir(mode=0o700)
        _give(server, base)
        command = BASE_BACKUP.replace("$BASE", str(base)).replace("$SERVER_URL", server.url(SUPERUSER, "postgres"))
        program, _, options = command.partition(" ")
        process = server._process()
        done = subprocess.run(
            ["sh", "-ec", f"{shlex.quote(server._programs.tool(program))} {options}"],
            capture_output=True, text=True, check=False, **process,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

        moment = _two_commits(database, archive)
        server.kill()
        shutil.rmtree(server.data)

        shutil.move(base, server.data)
        recovery = RECOVERY.replace("/archive", str(archive))
        recovery, replaced = re.subn(r"(?<=recovery_target_time = ').*(?=')", moment, recovery)
        assert replaced == 1
        with (server.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(recovery)
        (server.data / "recovery.signal").touch()
        _give(server, server.data / "recovery.signal")
        server.start()

        deadline = time.monotonic() + 60
        with database.connect(autocommit=True) as owner:
            while owner.execute("select pg_is_in_recovery()").fetchone() == (True,):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert owner.execute("select message from public.feedback order by 1").fetchall() == [("before",)]
            assert owner.execute("select public.integrity_check() ->> 'status'").fetchone() == ("ok",)
            join(owner, "new@example.com")


def _two_commits(database: Database, archive: Path) -> str:
    """Write, take the time, write again; all of it archived. Returns the time in between."""
    with database.connect(autocommit=True) as owner:
        ada = join(owner, "ada@example.com")
        add = "insert into public.feedback (user_id, message) values (%s, %s)"
        owner.execute(add, [ada.id, "before"])
        time.sleep(0.05)
        row = owner.execute("select clock_timestamp()::text").fetchone()
        assert row is not None
        time.sleep(0.05)
        owner.execute(add, [ada.id, "after"])
    with database.connect(SUPERUSER, autocommit=True) as admin:
        last = admin.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
    assert last is not None
    deadline = time.monotonic() + 30
    while not (archive / last[0]).exists():
        assert time.monotonic() < deadline, "not archived"
        time.sleep(0.05)
    return str(row[0])


def _give(server: Own, path: Path) -> None:
    """To the account that runs the server."""
    account = accounts.account_for(server.data)
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)
