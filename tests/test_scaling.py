"""docs/scaling.md does what it says: its statements are run, a replica serves, a failover loses nothing.

On servers of one's own, for roles, settings and standbys belong to a whole server.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from forge_db.bench import pgbouncer
from forge_db.paths import ROOT
from forge_db.server import Server
from harness import clusters
from harness.databases import SUPERUSER, Database
from harness.replicas import private_server, standby
from pooling.senders import Sender, senders
from world.arguments import calls
from world.stage import staged

pytestmark = pytest.mark.one_platform
TEXT = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
PATIENCE = 120.0  # seconds
ENOUGH = 200


def block(section: str, language: str) -> str:
    """The one block of a language in a section."""
    text = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (found,) = [it for it in text if it.startswith(f"{section}\n")]
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", found, re.MULTILINE | re.DOTALL)
    return str(code)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def column(connection: psycopg.Connection, query: str) -> list[str]:
    return [value for (value,) in connection.execute(query.encode()).fetchall()]


@pytest.fixture(scope="module")
def primary() -> Iterator[Database]:
    with private_server(clusters.installed()[0]) as database:
        yield database


def test_every_block_is_tried() -> None:
    tried = {("A pooler in front", "ini"), ("Limits for each role", "sql"), ("A replica for readers", "sh")}
    tried |= {("Failover", "sql"), ("When somebody holds a lock", "sql")}
    found = set()
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        found |= {(part.partition("\n")[0], it) for it in re.findall(r"^```(\w+)\n", part, re.MULTILINE)}
    assert found == tried


# A pooler -------------------------------------------------------------------------------------------------------------


def test_the_pooler_that_is_measured_is_the_one_that_is_shown() -> None:
    """`make test-pgbouncer` sees that nothing crosses in it."""
    shown = {line for line in block("A pooler in front", "ini").splitlines() if "=" in line}
    measured = set(pgbouncer.INI.splitlines())
    own = ("default_pool_size", "max_db_connections", "max_client_conn", "auth_file", "forge")
    assert {line for line in shown if not line.startswith(own)} <= measured
    assert "pool_mode = transaction" in shown


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(primary: Database) -> Iterator[Database]:
    """With the limits of the document, said by who owns the schema, and afterwards without them."""
    with primary.connect(autocommit=True) as owner:
        for _ in range(2):
            owner.execute(block("Limits for each role", "sql").encode())
    yield primary
    with primary.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute("alter role authenticator connection limit -1")
        admin.execute("alter role authenticator reset idle_in_transaction_session_timeout")


def test_connections_of_the_api_are_counted(limited: Database) -> None:
    limit = int(re.findall(r"connection limit (\d+)", TEXT)[0])
    opened = []
    try:
        opened += [limited.connect("authenticator") for _ in range(limit)]
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            limited.connect("authenticator")
        limited.connect().close()  # the operator still gets in
    finally:
        for connection in opened:
            connection.close()


def test_each_role_has_its_limits(limited: Database) -> None:
    with limited.connect() as owner:
        stored: dict[str, str] = dict(
            owner.execute(
                "select rolname::text, array_to_string(rolconfig, ' ') from pg_roles where rolconfig is not null"
            ).fetchall()
        )
    for role, setting in re.findall(r"alter role (\w+) set (\w+ = '\w+');", block("Limits for each role", "sql")):
        assert re.sub("[ ']", "", setting) in stored[role].split()


@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_who_waits_for_too_long_is_told(limited: Database, limit: str) -> None:
    """A raw session of an API role may lock a table that it may write; whoever is behind it is not kept for ever."""
    with limited.connect("authenticator") as holder, limited.connect("authenticator", autocommit=True) as other:
        holder.execute("set role authenticated")
        holder.execute("lock table public.prompt_history in access exclusive mode")
        other.execute(f"set {limit} = '50ms'".encode())
        other.execute("set role authenticated")
        with pytest.raises((errors.LockNotAvailable, errors.QueryCanceled)):
            other.execute("select from public.prompt_history")


def test_an_idle_holder_of_a_lock_is_thrown_out(limited: Database) -> None:
    with limited.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute("alter role authenticator set idle_in_transaction_session_timeout = '100ms'")
    with limited.connect("authenticator") as holder, limited.connect("authenticator", autocommit=True) as other:
        holder.execute("set role authenticated")
        with suppress(errors.IdleInTransactionSessionTimeout):  # as soon as that, on a slow machine
            holder.execute("lock table public.prompt_history in access exclusive mode")
        other.execute("set role authenticated")
        other.execute("set statement_timeout = '2min'")
        other.execute("set lock_timeout = '2min'")
        assert other.execute("select from public.prompt_history").rowcount == 0
        with pytest.raises(psycopg.Error):
            holder.execute("select 1")
        assert holder.broken


def test_the_operator_ends_who_holds_a_lock(limited: Database) -> None:
    with limited.connect("authenticator") as holder, limited.connect(autocommit=True) as owner:
        holder.execute("set role authenticated")
        holder.execute("lock table public.prompt_history in access exclusive mode")
        text = block("When somebody holds a lock", "sql").replace("interval '1 minute'", "interval '0'")
        until(lambda: owner.execute(text.encode()).fetchall() == [(holder.info.backend_pid, True)])
        with pytest.raises(psycopg.OperationalError):
            holder.execute("select 1")


# A replica ------------------------------------------------------------------------------------------------------------


def test_the_command_makes_a_standby(primary: Database, tmp_path: Path) -> None:
    target = tmp_path / "standby"
    done = subprocess.run(
        ["bash", "-e", "-c", block("A replica for readers", "sh")],
        env={
            **os.environ,
            "STANDBY": str(target),
            "SERVER_URL": primary.url(SUPERUSER),
            "PATH": f"{primary.server.binaries.directory}:{os.environ['PATH']}",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"standby.signal", "PG_VERSION"} <= {it.name for it in target.iterdir()}


class Writers:
    """Clients that add prompts as fast as they can, and note what was acknowledged."""

    def __init__(self, url: str, crowd: list[Sender]) -> None:
        self.name = uuid4().hex
        self.acknowledged: list[str] = []
        self.unexpected: list[Exception] = []
        self.stop = Event()
        self.threads = [Thread(target=self._write, args=(url, it)) for it in crowd if it.id]

    def _write(self, url: str, sender: Sender) -> None:
        number = 0
        try:
            with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
                while not self.stop.is_set():
                    number += 1
                    words = f"{self.name} {sender.id} {number}"
                    connection.execute("begin")
                    connection.execute(sender.opening().encode())
                    connection.execute(sender.adding(words).encode())
                    connection.execute("commit")
                    self.acknowledged.append(words)
        except psycopg.OperationalError:
            return  # the server is gone
        except Exception as error:
            self.unexpected.append(error)

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


STABLE = """
    select proname::text from pg_proc as function
    where pronamespace = 'public'::regnamespace and provolatile <> 'v' and prorettype <> 'trigger'::regtype
        and exists (select from aclexplode(proacl) where grantee <> proowner)
"""


def test_a_replica_serves_every_reader_while_writes_go_on_and_takes_over_without_a_loss() -> None:
    """One pair of servers for both, for they take long to make."""
    with private_server(clusters.installed()[0]) as database, standby(database.server) as follower:
        replica = Database(follower, database.name)
        crowd = senders(database, users=4)
        read_everything(database, replica, crowd)
        fail_over(database, replica, crowd)


def read_everything(database: Database, replica: Database, crowd: list[Sender]) -> None:
    with database.connect(SUPERUSER) as connection, staged(connection, keep=True) as stage:
        world = stage.beginning.world
        actors = [stage.cast[name] for name in ("alice", "carol", "server")]
        openings = [Sender.of(connection, it.speaker, it.caller.account).opening() for it in actors]
        wanted = set(column(connection, STABLE))
    assert {"health_check", "get_api_analytics", "search_prompt_history"} <= wanted
    answered: set[str] = set()
    stopped: list[str] = []
    with (
        replica.connect(autocommit=True) as reader,
        replica.connect("authenticator", autocommit=True) as pooled,
        Writers(database.url("authenticator"), crowd) as writers,
    ):
        until(lambda: len(writers.acknowledged) >= 10)
        until(lambda: writers.acknowledged[9] in column(reader, "select user_input from public.prompt_history"))
        for actor, opening in zip(actors, openings, strict=True):
            for function in world.catalogue.functions.values():
                for call in calls(world, actor.caller, function):
                    if call.function not in wanted:
                        continue
                    try:
                        with pooled.transaction():
                            pooled.execute(opening.encode())
                            pooled.execute(*call.sql())
                    except errors.InsufficientPrivilege:
                        continue  # it is for others
                    except psycopg.Error as refused:
                        # A refusal of its own, of a model that nobody has, is an answer.
                        if isinstance(refused, errors.ReadOnlySqlTransaction) or "recovery" in str(refused):
                            stopped.append(f"{call}: {refused}")
                    answered.add(call.function)
        assert all(thread.is_alive() for thread in writers.threads), writers.unexpected
    assert not writers.unexpected
    assert (stopped, answered) == ([], wanted)


def fail_over(database: Database, replica: Database, crowd: list[Sender]) -> None:
    with database.connect(SUPERUSER, autocommit=True) as admin:
        # The servers of the tests do not wait for anything unless they are told to.
        admin.execute(f"alter database {database.name} set synchronous_commit = on".encode())
        for statement in filter(str.strip, block("Failover", "sql").split(";")):
            admin.execute(statement.encode())
        until(lambda: column(admin, "select sync_state from pg_stat_replication") == ["sync"])
    with Writers(database.url("authenticator"), crowd) as writers:
        until(lambda: len(writers.acknowledged) >= ENOUGH)
        kill(database.server)
    assert not writers.unexpected
    with replica.connect(SUPERUSER, autocommit=True) as admin:
        assert admin.execute("select pg_promote()").fetchone() == (True,)
        kept = set(column(admin, "select user_input from public.prompt_history"))
    assert set(writers.acknowledged) <= kept
    # What was under way when the server died is there or not: one statement of each client at most.
    added = {words for words in kept if words.startswith(f"{writers.name} ")}
    assert len(added) - len(writers.acknowledged) <= len(writers.threads)
    with Writers(replica.url("authenticator"), crowd) as writers:
        until(lambda: len(writers.acknowledged) >= 10)
    assert not writers.unexpected


def kill(server: Server) -> None:
    """As when the power goes: nothing is said to anybody. Its children see that it is gone, and end."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


# Shards ---------------------------------------------------------------------------------------------------------------

TABLES = """
    with item as (
        select
            class.oid,
            namespace.nspname,
            namespace.nspname || '.' || class.relname as name,
            owner.attnotnull as is_owned,
            owner.attnum as owner
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        left join pg_attribute as owner
            on class.oid = owner.attrelid and owner.attname = 'user_id' and not owner.attisdropped
        where class.relkind in ('r', 'p') and not class.relispartition
            and namespace.nspname in ('public', 'private', 'archive')
    )

    select
        item.name,
        item.is_owned,
        array(
            select rule.conname::text from pg_constraint as rule
            where rule.conrelid = item.oid and rule.contype in ('p', 'u') and item.owner <> all(rule.conkey)
            order by 1
        ) as keys,
        exists (
            select from pg_constraint as rule
            inner join item as parent on rule.confrelid = parent.oid
            where rule.conrelid = item.oid and rule.contype = 'f' and parent.owner is not null
        ) as is_part
    from item
    order by item.nspname <> 'public', item.name
"""
# What rows of every user are looked up with, and what changes rarely.
COPIED = [
    *("public.api_providers", "public.prompt_frameworks", "public.feedback_categories", "public.feedback_tags"),
    *("public.system_config", "private.rate_limits"),
]


def sharding(owner: psycopg.Connection) -> str:
    """The table of the document, from the catalogue."""
    lines = ["| table | place | what must change |", "|---|---|---|"]
    for name, is_owned, keys, is_part in owner.execute(TABLES).fetchall():
        change = [f"`user_id` into `{key}`" for key in keys]
        place = "sharded"
        if is_owned is None:
            place, change = "copied" if name in COPIED else "coordinator", []
            if is_part:
                place, change = "sharded", ["gets the `user_id` of what it points to"]
        elif not is_owned:
            change.append("rows of nobody get an id")
        lines.append(f"| `{name}` | {place} | {', '.join(change) or '–'} |")
    return "\n".join(lines) + "\n"


def test_the_tables_of_a_sharded_database_are_those_there_are(connection: psycopg.Connection) -> None:
    names = {name for name, *_ in connection.execute(TABLES).fetchall()}
    assert set(COPIED) <= names
    wanted = sharding(connection)
    assert wanted in TEXT, f"docs/scaling.md has another list than the catalogue:\n{wanted}"
