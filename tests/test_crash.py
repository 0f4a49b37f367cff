"""The server is killed in the middle of a run: nothing is lost or counted twice, and the next run completes."""

import threading
import time
from pathlib import Path

import psycopg
import pytest

from harness import clusters
from harness.client import join
from harness.servers import Own, own_database

ROWS = 3000
SLOW = """
    create function public.take_time() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.2); return null; end $$;
    create trigger take_time after delete on public.prompt_history
    for each statement execute function public.take_time();
    update public.system_config set value = '100' where key = 'maintenance_batch_size';
"""
PLACES = """
    select
        (select count(*) from public.prompt_history),
        (select count(*) from archive.prompt_history),
        (select count(distinct id) from (
            select id from public.prompt_history union all select id from archive.prompt_history) as row),
        (select coalesce(sum(cost_usd), 0) from private.spent_costs)
"""


@pytest.mark.one_platform
def test_killed_half_way_the_next_run_completes(tmp_path: Path) -> None:
    with own_database(tmp_path, clusters.installed()[0], synchronous_commit="on") as database:
        with database.connect(autocommit=True) as login:
            person = join(login, "alice@example.com")
            login.execute(SLOW.encode())
            login.execute(
                "insert into public.prompt_history "
                "(user_id, framework_id, framework_name, model, provider, user_input, cost_usd, created_at) "
                "select %s, 'ape', 'A.P.E', 'm', 'openai', 'x', 0.5, now() - interval '40 days' "
                "from generate_series(1, %s) as n",
                [person.id, ROWS],
            )
            command = login.execute("select private.maintenance_command()").fetchone()
            assert command is not None

        def maintain() -> None:
            with pytest.raises(psycopg.Error), database.connect(autocommit=True) as worker:
                worker.execute(str(command[0]).encode())

        thread = threading.Thread(target=maintain)
        thread.start()
        with database.connect(autocommit=True) as watcher:
            while thread.is_alive() and not watcher.execute("select 1 from archive.prompt_history limit 1").fetchone():
                time.sleep(0.05)
            assert isinstance(database.server, Own)
            database.server.kill()
        thread.join()
        database.server.start()

        with database.connect(autocommit=True) as login:
            left, moved, distinct, spent = login.execute(PLACES).fetchone() or (0, 0, 0, 0)
            assert 0 < moved < ROWS, "the test is about a run that was cut off"
            assert (left + moved, distinct, spent) == (ROWS, ROWS, moved / 2)
            login.execute("drop trigger take_time on public.prompt_history")
            login.execute(str(command[0]).encode())
            assert login.execute(PLACES).fetchone() == (0, ROWS, ROWS, ROWS / 2)
            statuses = login.execute("select status from private.maintenance_runs order by started_at").fetchall()
            assert statuses == [("interrupted",), ("ok",)]
