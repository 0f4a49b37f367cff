"""`forge-db backup` and `forge-db restore`: everything comes back, nothing is overwritten, damage is noticed."""

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from forge_db import backup, binaries, sealing, upgrade
from forge_db.cli import main
from forge_db.errors import ForgeError
from harness import legacy, psql
from harness.client import Client, join
from harness.databases import Database, Platform


def run(command: str, folder: Path, database: Database) -> Result:
    return CliRunner().invoke(main, [command, str(folder), "--database-url", database.url()])


@pytest.fixture
def lived_in(scratch: Database) -> Database:
    """A database with people, their rows, a sealed key and staff."""
    with scratch.connect() as owner:
        sealing.have_encryption_key(owner)
        ada = join(owner, "ada@example.com")
        staff = join(owner, "staff@example.com")
        owner.execute("update auth.users set role = 'app_admin' where id = %s", [staff.id])
        owner.execute(
            "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) "
            "select %s, 'ape', 'A.P.E', 'm', 'openai', 'Ünïcödé 日本語 🙂 ' || n from generate_series(1, 50) as n",
            [ada.id],
        )
        owner.commit()
    with Client.of(scratch, ada) as client:
        client.value("select public.save_api_key('openai', 'sk-' || repeat('k', 48))")
        client.rows("select public.log_api_usage('openai')")
        client.rows("insert into public.feedback (user_id, message) values (auth.uid(), 'Kept') returning 1")
    return scratch


def dump(database: Database) -> str:
    """Rows lie in the order in which they were written; PostgreSQL shows what it has read back with other brackets."""
    return re.sub(r"[()]|::text(\[\])?", "", "\n".join(sorted(psql.dump(database).splitlines())))


def test_everything_comes_back(lived_in: Database, empty_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    made = run("backup", folder, lived_in)
    assert made.exit_code == 0, made.output
    assert {path.name for path in folder.iterdir()} == {
        "SHA256SUMS", "accounts.dump", "database.dump", "hooks.sql", "manifest.json"
    }  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    before = dump(empty_database)
    restored = run("restore", folder, empty_database)
    assert restored.exit_code == 0, restored.output
    assert dump(empty_database) == dump(lived_in)
    assert dump(empty_database) != before
    with lived_in.connect() as old, empty_database.connect() as new:
        query = "select private.open_api_key(api_key_encrypted, user_id, provider) from public.api_configurations"
        assert new.execute(query).fetchall() == old.execute(query).fetchall() == [("sk-" + "k" * 48,)]
        ((history,),) = new.execute("select count(*) from supabase_migrations.schema_migrations").fetchall()
        assert history == 2
        join(new, "new@example.com")
        assert new.execute("select count(*) from public.user_profiles").fetchone() == (3,), "the triggers are there"


@pytest.mark.one_platform
def test_nothing_is_overwritten(lived_in: Database, empty_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    assert run("backup", folder, lived_in).exit_code == 0
    again = run("backup", folder, lived_in)
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    before = psql.dump(lived_in)
    refused = run("restore", folder, lived_in)
    assert (refused.exit_code, "holds the schema already" in refused.stderr) == (1, True)
    assert psql.dump(lived_in) == before
    with empty_database.connect() as owner:
        join(owner, "somebody@example.com")
    refused = run("restore", folder, empty_database)
    assert (refused.exit_code, "has accounts" in refused.stderr) == (1, True)


@pytest.fixture
def whole(lived_in: Database, tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    backup.backup(lived_in.url(), folder, lambda _: None)
    return folder


def sums(folder: Path) -> None:
    """Make the checksums those of the files as they are."""
    names = [line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    (folder / "SHA256SUMS").write_text("".join(f"{backup._digest(folder / name)}  {name}\n" for name in names))


def edit(folder: Path, **facts: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | facts))
    sums(folder)


@pytest.mark.one_platform
def test_what_is_damaged_or_foreign_is_refused(whole: Path, empty_database: Database) -> None:
    before = psql.dump(empty_database)
    dump = (whole / "database.dump").read_bytes()
    manifest = (whole / "manifest.json").read_bytes()

    def refused(says: str) -> None:
        result = run("restore", whole, empty_database)
        assert (result.exit_code, says in result.stderr) == (1, True), result.output
        assert "Traceback" not in result.output
        assert psql.dump(empty_database) == before

    (whole / "database.dump").write_bytes(dump[:-1] + b"x")
    refused("is not what was written")
    (whole / "database.dump").write_bytes(dump[: len(dump) // 2])
    sums(whole)
    refused("Nothing was changed")
    (whole / "database.dump").write_bytes(dump)
    edit(whole, project="another")
    refused("is a backup of 'another'")
    (whole / "manifest.json").write_bytes(manifest)
    hooks = (whole / "hooks.sql").read_text()
    for strange in ("\\! touch stolen\n", "drop table auth.users;\n", hooks.strip()[:-1] + " \\! touch stolen;\n"):
        (whole / "hooks.sql").write_text(hooks + strange)
        sums(whole)
        refused("holds more than triggers")
    (whole / "hooks.sql").write_text(hooks)
    edit(whole, migrations=["000", "001", "29990101000000"])
    refused("made by a newer version of this project: it has the migrations 29990101000000")
    (whole / "SHA256SUMS").unlink()
    refused("is no backup made by forge-db")


# In the contents of the archive, in the place of as many bytes: the end of a statement, and a name in a comment.
HIDDEN = {
    b"Helpers, secrets, counters and rollups.": b"';\n\\! touch stolen\n--".ljust(39, b"x"),
    b"SCHEMA private": b"x\n\\! touch s\nx",
}


@pytest.mark.one_platform
@pytest.mark.parametrize("found", HIDDEN, ids=["a statement", "a name"])
def test_no_command_of_psql_hides_in_a_dump(
    whole: Path, empty_database: Database, tmp_path: Path, found: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever restores a backup of others lets its SQL run in the database. A shell it must not have."""
    monkeypatch.chdir(tmp_path)
    there = set(tmp_path.iterdir())
    dump = (whole / "database.dump").read_bytes()
    assert found in dump
    (whole / "database.dump").write_bytes(dump.replace(found, HIDDEN[found], 1))
    sums(whole)
    before = psql.dump(empty_database)
    result = run("restore", whole, empty_database)
    assert set(tmp_path.iterdir()) == there
    if result.exit_code:  # a name stands in a comment, where its line breaks are taken out
        assert "backslash commands are restricted" in result.stderr
        assert psql.dump(empty_database) == before


@pytest.mark.one_platform
def test_programs_that_would_let_it_are_refused(
    whole: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run

    def old(command: list[Any], **options: Any) -> Any:
        done = real(command, **options)
        for target in (str(it).removeprefix("--file=") for it in command if str(it).startswith("--file=")):
            text = Path(target).read_text(encoding="utf-8")
            Path(target).write_text(re.sub(r"^\\(un)?restrict.*$", "", text, flags=re.MULTILINE), encoding="utf-8")
        return done

    monkeypatch.setattr(subprocess, "run", old)
    result = run("restore", whole, empty_database)
    assert (result.exit_code, "is too old to be given a backup" in result.stderr) == (1, True), result.output


@pytest.mark.one_platform
def test_a_connection_that_breaks_at_the_commit_is_not_called_nothing(
    whole: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have committed: nobody can know, and the message says how to find out."""
    real = subprocess.run
    broken: list[str] = []

    def breaking(command: list[Any], **options: Any) -> Any:
        if "-1" not in command:
            return real(command, **options)
        # The first time before the commit; the second time after it, before psql hears of it.
        last = [] if broken else ["-c", "select pg_terminate_backend(pg_backend_pid())"]
        done = real([*command, *last], **options)
        broken.append(done.stderr)
        if len(broken) == 1:
            assert done.returncode == 2
            return done
        done.returncode = 2
        return done

    monkeypatch.setattr(subprocess, "run", breaking)
    for _ in range(2):
        result = run("restore", whole, empty_database)
        assert result.exit_code == 1
        assert "it is not known whether the restore was committed" in result.stderr
        assert "nothing was changed" not in result.stderr.lower()
        assert f"forge-db restore {whole} --verify" in result.stderr
    again = run("restore", whole, empty_database)
    assert "--verify says whether it is whole" in again.stderr
    verified = CliRunner().invoke(main, ["restore", str(whole), "--verify", "--database-url", empty_database.url()])
    assert (verified.exit_code, verified.stdout) == (0, "restored\n"), verified.output
    with empty_database.connect() as owner:
        owner.execute("delete from public.feedback")
    missing = CliRunner().invoke(main, ["restore", str(whole), "--verify", "--database-url", empty_database.url()])
    assert (missing.exit_code, "public.feedback: 0 instead of 1" in missing.stderr) == (1, True)


@pytest.mark.one_platform
def test_a_full_disk_on_this_machine_is_said(
    whole: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = psql.dump(empty_database)
    with monkeypatch.context() as patched:
        patched.setattr(backup, "_blank", full)
        result = run("restore", whole, empty_database)
    assert result.exit_code == 1
    assert "no room in" in result.stderr
    assert "Nothing was changed. Make room there, or set TMPDIR" in result.stderr
    assert psql.dump(empty_database) == before


@pytest.mark.one_platform
def test_between_an_upgrade_and_its_cleanup_what_is_parked_is_in_the_backup(
    empty_database: Database, platform: Platform, tmp_path: Path
) -> None:
    legacy.install(empty_database, "C")
    upgrade.upgrade(empty_database.url(), lambda _: None, legacy.migrations(tmp_path))
    folder = tmp_path / "backup"
    backup.backup(empty_database.url(), folder, lambda _: None)
    with platform.clone(f"{os.getpid()}_second", migrated=False) as second:
        backup.restore(second.url(), folder, lambda _: None)
        assert dump(second) == dump(empty_database)
        assert upgrade.report(second.url()) == upgrade.report(empty_database.url())


@pytest.mark.one_platform
def test_a_restore_that_is_not_complete_is_noticed(whole: Path, empty_database: Database) -> None:
    """The verification must be able to fail."""
    rows = json.loads((whole / "manifest.json").read_text())["rows"]
    edit(whole, rows=rows | {"public.feedback": 2})
    result = run("restore", whole, empty_database)
    assert result.exit_code == 1
    assert "rows are missing: public.feedback: 1 instead of 2" in result.stderr


@pytest.mark.one_platform
def test_a_difference_in_a_grant_is_noticed(whole: Path, empty_database: Database) -> None:
    made = json.loads((whole / "manifest.json").read_text())
    assert backup.restore(empty_database.url(), whole, lambda _: None) == made
    with empty_database.connect() as owner:
        owner.execute("grant select on public.feedback to anon")
        with pytest.raises(ForgeError, match=r"defined differently: grants public\.feedback"):
            backup.verify(owner, made, lambda _: None)


@pytest.mark.one_platform
def test_a_missing_program_is_said(lived_in: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "postgres").symlink_to(binaries.find().tool("postgres"))
    monkeypatch.setattr(binaries, "find", lambda: binaries.Binaries(programs, 17))
    result = run("backup", tmp_path / "backup", lived_in)
    assert (result.exit_code, "pg_dump is missing in" in result.stderr) == (1, True)
    assert "FORGE_PG_BIN" in result.stderr
    assert not (tmp_path / "backup").exists()
    monkeypatch.setattr(binaries, "find", lambda: binaries.Binaries(programs, 14))
    result = run("backup", tmp_path / "backup", lived_in)
    assert "set FORGE_PG_BIN to their directory" in result.stderr


@pytest.mark.one_platform
def test_the_password_is_on_no_command_line(
    lived_in: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = backup._run

    def watched(command: list[str], url: str, what: str) -> None:
        seen.append(command)
        real(command, url, what)

    monkeypatch.setattr(backup, "_run", watched)
    backup.backup(lived_in.url(), tmp_path / "backup", lambda _: None)
    password = lived_in.server.passwords["postgres"]
    assert seen
    assert not any(password in word for command in seen for word in command)
    assert os.environ.get("PGPASSWORD") != password


@pytest.mark.one_platform
def test_what_is_not_ours_is_not_backed_up(empty_database: Database, tmp_path: Path) -> None:
    result = run("backup", tmp_path / "backup", empty_database)
    assert result.exit_code == 1
    assert "does not hold the PromptCraft Forge schema" in result.stderr
    assert list(tmp_path.iterdir()) == []
