"""Changing the encryption key: every key is sealed anew, can be read all the while, and survives being interrupted."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import errors

from forge_db import platform as stand_in
from forge_db.cli import main
from forge_db.server import Server
from harness import keys
from harness.client import Client, join
from harness.clusters import Cluster
from harness.databases import SUPERUSER, Database, built_migrations
from harness.examples import envelope
from harness.keys import ENCRYPTION_KEY, KEYS
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

OLD, NEW = ENCRYPTION_KEY, "The-New-One/" + ENCRYPTION_KEY
SECRET = """
    insert into private.secrets (name, secret) values (%s, %s)
    on conflict (name) do update set secret = excluded.secret
"""
ROTATE = "select * from public.rotate_api_keys(%s, %s)"

# Many users, each with a key that can be told from their id.
PLAIN = "'sk-proj-' || md5(user_id::text)"
USERS = """
    insert into auth.users (id, email)
    select gen_random_uuid(), number || '@example.com' from generate_series(1, %s) as number
"""
SEAL = f"""
    insert into public.api_configurations (user_id, provider, api_key_encrypted)
    select user_id, 'openai', private.seal_api_key(user_id, 'openai', {PLAIN}, known.key_id, known.secret)
    from (select id as user_id from auth.users) as account, private.encryption_keys() as known
    where known.is_current
"""
# open_api_key() raises an error for a key that does not open.
WRONG = f"""
    select count(*) from public.api_configurations
    where private.open_api_key(api_key_encrypted, user_id, provider) is distinct from {PLAIN}
"""


def fill(database: Database, users: int) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute(SECRET, ["app_encryption_key", OLD])
        owner.execute(USERS, [users])
        owner.execute(SEAL)


def change(database: Database) -> None:
    """The operator's first step, by hand: the new key, and the old one as the previous."""
    with database.connect() as owner:
        owner.execute(SECRET, ["app_encryption_key_previous", OLD])
        owner.execute(SECRET, ["app_encryption_key", NEW])


def asked(database: Database, query: str) -> Any:
    with database.connect() as owner:
        ((value,),) = owner.execute(query).fetchall()
        return value


def forge(database: Database, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"FORGE_DATABASE_URL": database.url()})


# What it does ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(db: Session, alice: Person, bob: Person) -> list[Person]:
    """Alice and Bob, each with a key sealed with the old encryption key, which is the previous one now."""
    keys.configure(db, OLD)
    for person in (alice, bob):
        db.as_user(person).value("select public.save_api_key('openai', %s)", [KEYS["openai"]])
    keys.configure(db, OLD, "app_encryption_key_previous")
    keys.configure(db, NEW)
    return [alice, bob]


def readable(db: Session, people: list[Person]) -> bool:
    with db.aside():
        db.as_server()
        return all(
            db.value("select public.decrypt_api_key(%s, 'openai')", [person.id]) == KEYS["openai"] for person in people
        )


def test_every_key_is_sealed_anew_and_can_be_read_at_each_step(db: Session, people: list[Person]) -> None:
    assert readable(db, people)
    assert db.truth("select private.stale_api_keys()") == 2
    db.as_server()
    (first,) = db.rows(ROTATE, [1, None])
    assert (first["resealed"], first["unreadable"]) == (1, 0)
    assert readable(db, people)
    (second,) = db.rows(ROTATE, [1, first["last_id"]])
    assert (second["resealed"], second["unreadable"]) == (1, 0)
    assert db.rows(ROTATE, [1, second["last_id"]]) == [{"resealed": 0, "unreadable": 0, "last_id": None}]
    assert db.truth("select private.stale_api_keys()") == 0
    db.as_owner().run("delete from private.secrets where name = 'app_encryption_key_previous'")
    assert readable(db, people)


def test_beginning_again_is_harmless(db: Session, people: list[Person]) -> None:
    db.as_server().rows(ROTATE, [1, None])
    sealed = "select jsonb_object_agg(user_id, api_key_encrypted) from public.api_configurations"
    before = db.truth(sealed)
    db.as_server().rows(ROTATE, [100, None])
    after = db.truth(sealed)
    assert sum(before[user] == after[user] for user in before) == 1
    assert db.rows(ROTATE, [100, None]) == [{"resealed": 0, "unreadable": 0, "last_id": None}]
    assert readable(db, people)


def test_neither_verdicts_nor_counters_change(db: Session, alice: Person, people: list[Person]) -> None:
    facts = (
        "select is_active, is_validated, last_validated_at, usage_count "
        "from public.api_configurations where user_id = %s"
    )
    db.as_server().run("select public.record_api_key_validation(%s, 'openai', true)", [alice.id])
    db.as_user(alice).run("select public.log_api_usage('openai')")
    before = db.rows(facts, [alice.id])
    assert db.as_server().rows(ROTATE, [100, None])[0]["resealed"] == len(people)
    assert db.as_user(alice).rows(facts, [alice.id]) == before


@pytest.mark.usefixtures("people")
def test_what_only_the_client_can_open_is_left_alone(db: Session, alice: Person) -> None:
    db.add("api_configurations", user_id=alice.id, provider="gemini", api_key_encrypted=envelope())
    db.as_server().rows(ROTATE, [100, None])
    assert db.truth("select api_key_encrypted from public.api_configurations where provider = 'gemini'") == envelope()


def test_what_cannot_be_opened_is_counted_and_stays(db: Session, bob: Person, people: list[Person]) -> None:
    db.as_owner().run("update public.api_configurations set user_id = %s, provider = 'gemini' where user_id = %s",
                      [bob.id, people[0].id])  # fmt: skip
    stays = "select api_key_encrypted from public.api_configurations where provider = 'gemini'"
    before = db.truth(stays)
    (row,) = db.as_server().rows(ROTATE, [100, None])
    assert (row["resealed"], row["unreadable"]) == (1, 1)
    assert db.truth(stays) == before


@pytest.mark.usefixtures("people")
def test_without_the_previous_key_nothing_is_lost(db: Session) -> None:
    db.as_owner().run("delete from private.secrets where name = 'app_encryption_key_previous'")
    (row,) = db.as_server().rows(ROTATE, [100, None])
    assert (row["resealed"], row["unreadable"]) == (0, 2)


def test_being_sealed_anew_is_no_change_of_the_configuration(db: Session, people: list[Person]) -> None:
    db.as_owner().run("alter table public.api_configurations disable trigger update_api_configurations_updated_at")
    db.run("update public.api_configurations set updated_at = '2020-01-01'")
    db.run("alter table public.api_configurations enable trigger update_api_configurations_updated_at")
    assert db.as_server().value("select resealed from public.rotate_api_keys()") == len(people)
    assert db.truth("select bool_and(updated_at = '2020-01-01') from public.api_configurations") is True


def test_the_audit_has_one_line_for_each_batch(db: Session, people: list[Person]) -> None:
    line = """
        select actor_role, row_id, subject_id, changes -> 'api_key_encrypted' as change from public.audit_log
        where table_name = 'api_configurations' and action = 'update' and created_at = now()
    """
    old, new = db.as_owner().column("select key_id from private.encryption_keys() order by is_current")
    (done,) = db.as_server().rows(ROTATE, [100, None])
    assert db.rows(ROTATE, [100, None])[0]["resealed"] == 0
    assert db.as_owner().rows(line) == [
        {
            "actor_role": "service_role",
            "row_id": None,
            "subject_id": None,
            "change": {
                "old": f"enc:v1:{old}:",
                "new": f"enc:v1:{new}:",
                "rows": len(people),
                "after_id": None,
                "last_id": str(done["last_id"]),
            },
        }
    ]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("size", [0, -1, 100001, None])
def test_an_impossible_batch_is_refused(db: Session, size: int | None) -> None:
    db.as_server()
    with db.refuses(errors.InvalidParameterValue):
        db.rows(ROTATE, [size, None])
    assert db.truth("select private.stale_api_keys()") == 2


def test_only_the_server_rotates(db: Session, alice: Person, carol: Person) -> None:
    for speak, person in ((db.as_user, alice), (db.as_staff, carol)):
        speak(person)
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.rows(ROTATE, [1, None])


# Others at work meanwhile ---------------------------------------------------------------------------------------------


@contextmanager
def in_the_background(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """Runs beside the block, and has ended after it. What it returned is in the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    try:
        yield results
    finally:
        thread.join(timeout=30)
        assert not thread.is_alive(), "it waits for ever"
    assert results, "it failed"


def await_lock(database: Database) -> None:
    """Until somebody in this database waits for a lock."""
    waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    while asked(database, waits) == 0:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


@pytest.fixture
def alices(scratch: Database) -> Person:
    """In a database with real commits: Alice, with a key sealed with the old encryption key."""
    with scratch.connect() as owner:
        owner.execute(SECRET, ["app_encryption_key", OLD])
        alice = join(owner, "alice@example.com")
    with Client.of(scratch, alice) as client:
        client.value("select public.save_api_key('openai', %s)", [KEYS["openai"]])
    return alice


def rotate(database: Database) -> Any:
    with database.connect(autocommit=True) as owner:
        return owner.execute(ROTATE, [100, None]).fetchone()


def reads(database: Database, person: Person) -> Any:
    with Client.server(database) as server:
        return server.value("select public.decrypt_api_key(%s, 'openai')", [person.id])


def test_a_key_that_is_replaced_meanwhile_is_not_put_back(scratch: Database, alices: Person) -> None:
    """Sealed while the old key was the current one. The rotation waits, and must then see what was written."""
    replaced = KEYS["openai"][:-8] + "Replaced"
    with Client.of(scratch, alices) as client, client.transaction() as request:
        request.execute("select public.save_api_key('openai', %s)", [replaced])
        change(scratch)
        with in_the_background(lambda: rotate(scratch)) as results:
            await_lock(scratch)
            request.execute("commit")
            request.execute("begin")
    assert results[0][:2] == (1, 0)
    assert reads(scratch, alices) == replaced
    assert asked(scratch, "select private.stale_api_keys()") == 0


def test_a_call_that_is_counted_meanwhile_stays_counted(scratch: Database, alices: Person) -> None:
    change(scratch)
    with Client.of(scratch, alices) as client, client.transaction() as request:
        request.execute("select public.log_api_usage('openai')")
        with in_the_background(lambda: rotate(scratch)):
            await_lock(scratch)
            request.execute("commit")
            request.execute("begin")
    assert asked(scratch, "select usage_count from public.api_configurations") == 1
    assert reads(scratch, alices) == KEYS["openai"]


def test_who_is_storing_a_key_when_the_encryption_key_changes_finishes_first(scratch: Database, alices: Person) -> None:
    replaced = KEYS["openai"][:-8] + "Replaced"
    with Client.of(scratch, alices) as client, client.transaction() as request:
        request.execute("select public.save_api_key('openai', %s)", [replaced])
        with in_the_background(lambda: asked(scratch, "select private.change_encryption_key()")):
            await_lock(scratch)
            request.execute("commit")
            request.execute("begin")
    assert reads(scratch, alices) == replaced
    assert asked(scratch, "select private.stale_api_keys()") == 1
    assert rotate(scratch)[:2] == (1, 0)
    assert reads(scratch, alices) == replaced


@pytest.mark.one_platform
def test_two_rotations_at_once_share_the_work(scratch: Database) -> None:
    fill(scratch, 300)
    change(scratch)
    with in_the_background(lambda: rotate(scratch)) as others:
        mine = rotate(scratch)
    rest = rotate(scratch)
    while rest[2] is not None:
        rest = rotate(scratch)
    assert mine[1] == others[0][1] == 0
    assert asked(scratch, "select private.stale_api_keys()") == 0
    assert asked(scratch, WRONG) == 0


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_makes_a_new_key_and_seals_everything(scratch: Database) -> None:
    fill(scratch, 25)
    said = forge(scratch, "rotate-keys", "--new-key", "--batch-size", "10")
    assert (said.exit_code, said.stdout) == (0, "25 keys sealed with the current encryption key\n")
    assert "a new encryption key is in private.secrets" in said.stderr
    assert asked(scratch, WRONG) == 0
    assert forge(scratch, "rotate-keys").stdout == "0 keys sealed with the current encryption key\n"
    assert forge(scratch, "secret", "app_encryption_key_previous", "--remove").exit_code == 0
    assert asked(scratch, WRONG) == 0


def test_the_command_goes_on_where_it_stopped(scratch: Database) -> None:
    fill(scratch, 25)
    change(scratch)
    with scratch.connect(autocommit=True) as owner:
        owner.execute(ROTATE, [10, None])
    assert forge(scratch, "rotate-keys").stdout == "15 keys sealed with the current encryption key\n"


def test_the_command_says_what_it_could_not_open(scratch: Database) -> None:
    fill(scratch, 3)
    with scratch.connect() as owner:
        owner.execute(SECRET, ["app_encryption_key", NEW])
    said = forge(scratch, "rotate-keys")
    assert said.exit_code == 1
    assert "3 keys cannot be opened and stay as they are" in said.stderr
    assert "app_encryption_key_previous" in said.stderr


def test_neither_the_previous_key_goes_nor_another_comes_while_it_is_needed(scratch: Database) -> None:
    fill(scratch, 3)
    change(scratch)
    for arguments, message in (
        (
            ["secret", "app_encryption_key_previous", "--remove"],
            "keys are still sealed with the previous encryption key",
        ),
        (["rotate-keys", "--new-key"], "the last change of the encryption key is not finished"),
    ):
        said = forge(scratch, *arguments)
        assert said.exit_code == 1
        assert message in said.stderr
        assert "forge-db rotate-keys" in said.stderr
    assert asked(scratch, WRONG) == 0


def test_a_key_that_comes_from_the_session_is_replaced_by_a_stored_one(scratch: Database) -> None:
    fill(scratch, 1)
    with scratch.connect(options=f"-c app.encryption_key={OLD}") as owner:
        owner.execute("delete from private.secrets where true")
        owner.execute("select private.change_encryption_key()")
    assert asked(scratch, "select private.stale_api_keys()") == 1
    assert asked(scratch, WRONG) == 0


def test_the_key_is_not_changed_where_nobody_knows_what_opens_the_old_ones(scratch: Database) -> None:
    fill(scratch, 1)
    with scratch.connect() as owner:
        owner.execute("delete from private.secrets where true")
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match="no encryption key is configured"):
            owner.execute("select private.change_encryption_key()")


def test_two_commands_at_once_share_the_work(scratch: Database) -> None:
    fill(scratch, 1)
    with scratch.connect(autocommit=True) as owner:
        # What used to stop it, and may be taken by any session.
        owner.execute("select pg_advisory_lock(7064002)")
        said = forge(scratch, "rotate-keys")
    assert said.exit_code == 0


# Killed ---------------------------------------------------------------------------------------------------------------


@contextmanager
def somebody_reading(database: Database, pause: float = 0.01) -> Iterator[None]:
    """Reads keys at random all through the block; one that cannot be read, or is wrong, fails it."""
    over, wrong = threading.Event(), list[str]()

    def read() -> None:
        query = f"{WRONG} and id in (select id from public.api_configurations order by random() limit 20)"
        while not over.is_set():
            with suppress(psycopg.OperationalError), database.connect(autocommit=True) as owner:
                try:
                    while not over.is_set():
                        ((count,),) = owner.execute(query).fetchall()
                        wrong.extend(["a key is another"] * count)
                        time.sleep(pause)
                except errors.DataException as error:
                    wrong.append(str(error))
            time.sleep(pause)  # the server is down

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not wrong, wrong[0]


def begin(database: Database, batch: int) -> subprocess.Popen[bytes]:
    """The command in a process of its own, which can be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", "from forge_db.cli import main; main()", "rotate-keys", "--batch-size", str(batch)],
        env={"FORGE_DATABASE_URL": database.url(), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_at_random(
    database: Database,
    kill: Callable[[subprocess.Popen[bytes]], None],
    *,
    kills: int,
    batch: int,
    chance: random.Random,
) -> int:
    """Begin, kill after some progress, begin again. How often it was killed at work."""
    stale = "select private.stale_api_keys()"
    killed = 0
    for _ in range(kills):
        left = asked(database, stale)
        if left == 0:
            break
        process = begin(database, batch)
        goal = max(0, left - chance.randrange(1, 1 + left // 2))
        while process.poll() is None and asked(database, stale) > goal:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        killed += process.poll() is None
        kill(process)
        process.wait()
        assert asked(database, stale) <= left
    return killed


def finish(database: Database) -> None:
    assert forge(database, "rotate-keys").exit_code == 0
    assert asked(database, "select private.stale_api_keys()") == 0
    with database.connect() as owner:
        owner.execute("delete from private.secrets where name = 'app_encryption_key_previous'")
    assert asked(database, WRONG) == 0


SIZES = [pytest.param(1000, 2, 20, id="small"), pytest.param(100_000, 15, 500, id="large", marks=pytest.mark.slow)]


@pytest.mark.one_platform
@pytest.mark.parametrize(("users", "kills", "batch"), SIZES)
def test_the_command_can_be_killed_at_any_moment(scratch: Database, users: int, kills: int, batch: int) -> None:
    fill(scratch, users)
    change(scratch)
    with somebody_reading(scratch):
        killed = kill_at_random(
            scratch, lambda process: process.kill(), kills=kills, batch=batch, chance=random.Random(4)
        )
        assert killed, "it was too fast to be killed"
        finish(scratch)


@pytest.fixture
def mortal(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    """A database on a server of its own, with durability on, that may be killed."""
    server = Server(tmp_path / "server", cluster.binaries)
    server.start()
    try:
        stand_in.install(server.url(SUPERUSER), "mortal", passwords=server.passwords)
        database = Database(server, "mortal")
        with database.connect(autocommit=True) as owner:
            for text in built_migrations().values():
                owner.execute(text.encode())
        yield database
    finally:
        server.destroy()


@pytest.mark.parametrize(("users", "kills", "batch"), SIZES)
def test_the_server_can_be_killed_at_any_moment(mortal: Database, users: int, kills: int, batch: int) -> None:
    def kill_server(_: subprocess.Popen[bytes]) -> None:
        pid = mortal.server.pid
        assert pid is not None
        subprocess.run(["kill", "-9", str(pid)], check=True)
        mortal.server.start()

    fill(mortal, users)
    change(mortal)
    with somebody_reading(mortal):
        assert kill_at_random(mortal, kill_server, kills=kills, batch=batch, chance=random.Random(5))
        finish(mortal)
