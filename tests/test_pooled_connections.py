"""One connection serves everybody in turn, as in PostgREST's pool: no request finds anything of the one before it.

With real logins and real commits. A session holds nothing between two requests, however the first one ended; and with
PgBouncer between them, thousands of requests of many users at once stay apart on a few server connections.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import psycopg
import pytest
from psycopg import errors

from forge_db.bench import pgbouncer
from forge_db.bench.pgbouncer import CONNECTIONS, PgBouncer
from forge_db.errors import ForgeError
from harness.databases import SUPERUSER, Database
from pooling.ends import ENDS
from pooling.load import Load
from pooling.senders import Sender, senders
from pooling.session import Memory
from world.arguments import calls
from world.stage import staged

pytestmark = pytest.mark.one_platform

REQUESTS = 300
TRUTH = "select user_id::text, user_input from public.prompt_history"
LOGINS = "select count(*) from pg_stat_activity where usename = 'authenticator' and datname = current_database()"


@pytest.fixture
def shared(scratch: Database) -> Iterator[psycopg.Connection]:
    """The connection of a pool: PostgREST's login, which begins and ends each transaction itself."""
    with scratch.connect("authenticator", autocommit=True, prepare_threshold=None) as connection:
        yield connection


def truth(database: Database) -> Counter[tuple[str, str]]:
    with database.connect() as owner:
        return Counter(owner.execute(TRUTH).fetchall())


@pytest.mark.access
def test_a_session_holds_nothing_between_two_requests(scratch: Database, shared: psycopg.Connection) -> None:
    chance, crowd = random.Random(1), senders(scratch, users=12)
    memory, written = Memory(shared), truth(scratch)
    for number in range(REQUESTS):
        sender, (name, end) = chance.choice(crowd), chance.choice([*ENDS.items()])
        what = f"request {number} of {sender}: {name}"
        shared.execute(f"begin; {sender.opening()}".encode())
        answer = shared.execute(sender.question.encode()).fetchone()
        assert answer is not None
        assert not sender.objection(answer), what
        if sender.id:
            shared.execute(sender.adding(what).encode())
            written[sender.id, what] += end.keeps
        with pytest.raises(end.error) if end.error else nullcontext():
            shared.execute(end.statement.encode())
        shared.execute(end.then.encode())
        assert memory.held() == set(), f"after {what}"
        with pytest.raises(errors.InsufficientPrivilege):
            shared.execute("select from public.prompt_history")
    assert truth(scratch) == +written


@pytest.mark.access
def test_no_function_leaves_anything_in_the_session(scratch: Database, shared: psycopg.Connection) -> None:
    with scratch.connect(SUPERUSER) as connection, staged(connection, keep=True) as stage:
        world = stage.beginning.world
        actors = [stage.cast[name] for name in ("alice", "carol", "server")]
        openings = [Sender.of(connection, it.speaker, it.caller.account).opening() for it in actors]
    memory = Memory(shared)
    for actor, opening in zip(actors, openings, strict=True):
        for function in world.catalogue.functions.values():
            for call in calls(world, actor.caller, function):
                with suppress(psycopg.Error), shared.transaction():
                    shared.execute(opening.encode())
                    shared.execute(*call.sql())
                assert memory.held() == set(), f"{actor.caller.role}: {call}"


# That the checks above can fail ---------------------------------------------------------------------------------------

LEFT_BEHIND = {
    "a role": "set role authenticated",
    "a token": "select set_config('request.jwt.claims', '{}', false)",
    "a time zone": "set timezone = 'Asia/Kolkata'",
    "a search path": "set search_path = public",
    "a time limit": "set statement_timeout = 5000",
    "a prepared statement": "prepare one as select 1",
    "a cursor": "declare one cursor with hold for select 1",
    "an ear": "listen one",
    "a lock": "select pg_advisory_lock(1)",
    "a temporary table": "create temporary table one ()",
}


@pytest.mark.access
@pytest.mark.parametrize("statement", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_whatever_a_request_leaves_behind_is_found(shared: psycopg.Connection, statement: str) -> None:
    memory = Memory(shared)
    assert memory.held() == set()
    with shared.transaction():
        shared.execute(statement.encode())
    assert memory.held() != set()


# PgBouncer ------------------------------------------------------------------------------------------------------------


def is_installed() -> bool:
    try:
        return bool(pgbouncer.program())
    except ForgeError:
        return False


in_short = pytest.mark.skipif(not is_installed(), reason="pgbouncer is not installed: apt install pgbouncer")


@pytest.mark.parametrize(
    "requests", [pytest.param(1_000, marks=in_short), pytest.param(10_000, marks=pytest.mark.pgbouncer)]
)
def test_nothing_crosses_between_the_users_of_a_pooler(scratch: Database, requests: int) -> None:
    crowd = senders(scratch, users=50)
    before = truth(scratch)
    with PgBouncer.before(scratch.server, scratch.name) as pooler:
        load = Load(pooler.url, crowd)
        load.run(requests)
        with scratch.connect(autocommit=True) as owner:
            deadline = time.monotonic() + 20  # a server process that was told to end takes its moment
            while owner.execute(LOGINS).fetchall() > [(CONNECTIONS,)] and time.monotonic() < deadline:
                time.sleep(0.05)
            ((connections,),) = owner.execute(LOGINS).fetchall()
    assert not load.crossings, load.crossings[:5]
    assert truth(scratch) == before + load.written
    # Otherwise little was shared, and little could have crossed. One that was cut off last is not replaced any more.
    assert connections <= CONNECTIONS
    assert load.served.total() == requests
    assert len(load.served) == len(crowd)
    assert sum(len(served) > len(crowd) / 2 for served in load.backends.values()) >= CONNECTIONS


@pytest.mark.pgbouncer
def test_a_token_told_to_the_session_crosses(scratch: Database) -> None:
    """The same load sees it when settings are not local to the transaction."""
    crowd = senders(scratch, users=50)
    with PgBouncer.before(scratch.server, scratch.name) as pooler:
        load = Load(pooler.url, crowd, is_local=False)
        load.run(1_000)
    assert load.crossings
