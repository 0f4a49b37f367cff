"""The disk of the server is full: the error says in what state the database is, nothing is lost, and with room again
the same command goes on.

The disk is a small one in memory, which only root can make.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from forge_db import accounts, platform
from forge_db.cli import main
from harness import clusters, legacy, psql
from harness.client import join
from harness.databases import SUPERUSER, Database
from harness.legacy import ADA
from harness.servers import Own, own_database
from test_upgrade import expected, fates

pytestmark = [pytest.mark.one_platform, pytest.mark.slow]

ROOM = 12 * 2**20  # bytes, less than what is to be written
GROW = (
    "insert into {} (user_id, framework_id, framework_name, model, user_input, {}status) "
    "select %s, 'ape', 'A.P.E', 'gpt-4', string_agg(md5(n || '-' || m), ''), {}'completed' "
    "from generate_series(1, 300) as n, generate_series(1, 2500) as m group by n"
)


@pytest.fixture
def disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="forge-") as folder:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=800m,mode=755", "tmpfs", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            pytest.skip(f"a small disk needs root: {made.stderr.strip()}")
        account = accounts.account_for(Path(folder))
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """But for a little."""
    left = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize - ROOM)
    try:
        yield
    finally:
        filler.unlink()


def up_again(database: Database) -> None:
    """Where the log of changes had no room, the server has gone down; it comes back by itself, or is started."""
    server = database.server
    assert isinstance(server, Own)
    limit = time.monotonic() + 120
    while True:
        try:
            server.start()
            with database.connect() as owner:
                owner.execute("select 1")
        except psycopg.OperationalError:
            assert time.monotonic() < limit
            time.sleep(0.2)
        else:
            return


def run(command: str, database: Database, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, *arguments, "--database-url", database.url()])


def bare(database: Database, name: str) -> Database:
    platform.install(database.server.url(SUPERUSER), name, passwords=database.server.passwords)
    return Database(database.server, name)


def test_it_is_said_nothing_is_lost_and_with_room_it_goes_on(disk: Path) -> None:
    settings = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
    with own_database(disk, clusters.installed()[0], **settings) as database:
        folder = f"--migrations={disk / 'migrations'}"
        with database.connect() as owner:
            ada = join(owner, "ada@example.com")
            owner.execute(GROW.format("public.prompt_history", "provider, ", "'openai', ").encode(), [ada.id])
        with tempfile.TemporaryDirectory() as elsewhere:
            backup = str(Path(elsewhere, "backup"))
            assert run("backup", database, backup).exit_code == 0
            restore(bare(database, "restored"), backup, disk)
        old = bare(database, "old")
        legacy.install(old, "C")
        with old.connect() as owner:
            owner.execute("alter table public.prompt_history disable trigger user")
            owner.execute(GROW.format("public.prompt_history", "ai_response, ", "'', ").encode(), [ADA])
        upgrade(old, folder, disk)


def restore(target: Database, backup: str, disk: Path) -> None:
    before = psql.dump(target)
    with full(disk):
        result = run("restore", target, backup)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    error, hint = result.stderr.splitlines()[-2:]
    assert "No space left on device" in error or "the connection broke" in error
    assert ("nothing was changed" in error) == ("as empty as before" in hint)
    assert "run this again" in hint
    up_again(target)
    assert psql.dump(target) == before
    again = run("restore", target, backup)
    assert again.exit_code == 0, again.output
    with target.connect() as owner:
        assert owner.execute("select count(*) from public.prompt_history").fetchone() == (300,)


def upgrade(old: Database, folder: str, disk: Path) -> None:
    before = psql.dump(old)
    with full(disk):
        result = run("upgrade", old, folder)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    hint = result.stderr.splitlines()[-1]
    assert hint.startswith("Hint: ")
    assert "un this again" in hint or "it goes on from there" in hint
    up_again(old)
    assert run("upgrade", old, folder, "--undo").exit_code == 0
    assert psql.dump(old) == before
    with full(disk):
        assert run("upgrade", old, folder).exit_code == 1
    up_again(old)
    again = run("upgrade", old, folder)
    assert again.exit_code == 0, again.output
    wanted = expected("C")
    wanted["prompt_history"] |= {"parked": 708, "copied": 707}
    assert fates(old) == wanted
