"""What is old goes: each kind by its own setting, slice by slice, and nothing that is younger."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from harness.client import join
from harness.databases import Database
from harness.people import Person, sign_up
from harness.session import Session
from harness.world import populate
from test_account_deletion import traces
from test_configuration import configure

DAYS = "select now() - make_interval(days => %s, mins => %s)"


def ago(db: Session, days: int, minutes: int = 0) -> Any:
    return db.truth(DAYS, [days, minutes])


def step(db: Session, name: str, deadline: str = "infinity") -> tuple[int, bool]:
    """What the owner's step says: rows, and whether it came to its end."""
    with db.aside():
        (row,) = db.as_owner().rows(f"select * from private.step_{name}(%s)", [deadline])
    return row["rows"], row["is_complete"]


# By age ---------------------------------------------------------------------------------------------------------------

AGED = {
    "user_sessions": ("expire_sessions", "public.user_sessions (user_id, signed_in_at) values (%s, %s)"),
    "rate_limit_counters": (
        "expire_counters",
        "private.rate_limit_counters (user_id, provider, minute_start, minute_count, day_start, day_count) "
        "values (%s, 'p' || random(), '2020-01-01', 1, %s, 1)",
    ),
    "usage_requests": (
        "expire_request_ids",
        "private.usage_requests (user_id, request_id, log_id, created_at) "
        "values (%s, gen_random_uuid(), gen_random_uuid(), %s)",
    ),
    "spent_costs": (
        "expire_totals",
        "private.spent_costs (user_id, provider, created_at, tokens_used, cost_usd) "
        "values (%s, 'p' || random(), %s, 1, 1)",
    ),
    "maintenance_runs": (
        "expire_runs",
        "private.maintenance_runs (id, started_at, deadline) values (coalesce(null, gen_random_uuid(), %s), %s, now())",
    ),
}


def add_aged(db: Session, table: str, person: Person, days: int, minutes: int = 0) -> None:
    at = ago(db, days, minutes)
    with db.aside():
        db.as_owner().run("insert into " + AGED[table][1], [person.id, at])


def count(db: Session, table: str) -> int:
    schema = "public" if table == "user_sessions" else "private"
    found: int = db.truth(f"select count(*) from {schema}.{table}")
    return found


@pytest.mark.parametrize(
    ("table", "setting", "days", "chosen"),
    [
        ("user_sessions", "retention_days_user_sessions", 90, 3),
        ("rate_limit_counters", "retention_days_rate_limit_counters", 7, 30),
        ("usage_requests", None, 1, 1),
        ("spent_costs", "retention_days_rollups", 1095, 400),
        ("maintenance_runs", None, 90, 90),
    ],
)
def test_rows_go_when_their_days_are_over_and_not_before(
    db: Session, alice: Person, table: str, setting: str | None, days: int, chosen: int
) -> None:
    name = AGED[table][0]
    for limit in (days, chosen):
        if limit != days:
            assert setting
            configure(db, setting, limit)
        add_aged(db, table, alice, limit, 1)
        add_aged(db, table, alice, limit, -1)
        add_aged(db, table, alice, 0)
        assert step(db, name) == (1 if limit <= days else 0 + 1, True)
        assert step(db, name) == (0, True)
        db.as_owner().run(f"delete from {AGED[table][1].split(' ')[0]} where true")


@pytest.mark.parametrize("table", AGED)
def test_a_missing_setting_means_its_default(db: Session, alice: Person, table: str) -> None:
    add_aged(db, table, alice, 0)
    db.as_owner().run("delete from public.system_config")
    assert step(db, AGED[table][0]) == (0, True)
    add_aged(db, table, alice, 4000)
    assert step(db, AGED[table][0]) == (1, True)


def test_a_counter_that_still_counts_stays_whatever_the_setting_says(db: Session, alice: Person) -> None:
    db.as_owner().run(
        "update public.system_config set min_value = 1, value = '1' where key = 'retention_days_rate_limit_counters'"
    )
    add_aged(db, "rate_limit_counters", alice, 1, 1)
    assert step(db, "expire_counters") == (0, True)


# In slices ------------------------------------------------------------------------------------------------------------


def test_all_goes_in_one_pass_whatever_the_slices(db: Session, alice: Person) -> None:
    configure(db, "maintenance_batch_size", 100)
    db.as_owner().run(
        "insert into public.user_sessions (user_id, signed_in_at) "
        "select %s, now() - make_interval(days => n) from generate_series(1, 2000) as n",
        [alice.id],
    )
    assert step(db, "expire_sessions") == (1910, True)
    assert count(db, "user_sessions") == 90


def test_past_the_deadline_a_step_stops_after_a_slice_and_later_goes_on(db: Session, alice: Person) -> None:
    configure(db, "maintenance_batch_size", 100)
    db.as_owner().run(
        "insert into public.user_sessions (user_id, signed_in_at) "
        "select %s, '2020-01-01' from generate_series(1, 2000)",
        [alice.id],
    )
    removed, slices, is_complete = 0, 0, False
    while not is_complete:
        rows, is_complete = step(db, "expire_sessions", "-infinity")
        removed, slices = removed + rows, slices + 1
        assert rows < 1000
    assert (removed, count(db, "user_sessions")) == (2000, 0)
    assert slices > 2


def test_a_slice_has_about_as_many_rows_as_the_setting_says(scratch: Database) -> None:
    """By the rows that a page holds, which ANALYZE counts."""
    with scratch.connect(autocommit=True) as owner:
        person = join(owner, "alice@example.com")
        owner.execute(
            "insert into public.user_sessions (user_id, signed_in_at) "
            "select %s, '2020-01-01' from generate_series(1, 20000)",
            [person.id],
        )
        owner.execute("analyze public.user_sessions")
        owner.execute("update public.system_config set value = '5000' where key = 'maintenance_batch_size'")
        row = owner.execute("select rows, is_complete from private.step_expire_sessions('-infinity')").fetchone()
        assert row is not None
        assert 4500 <= row[0] <= 5500
        assert row[1] is False


# Rows that somebody holds ---------------------------------------------------------------------------------------------


def stepped(owner: psycopg.Connection, name: str, deadline: str = "infinity") -> tuple[int, bool]:
    """A step that would rather fail than wait."""
    owner.execute("set lock_timeout = '1ms'")
    row = owner.execute(f"select rows, is_complete from private.step_{name}(%s)", [deadline]).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.one_platform
def test_a_row_that_somebody_holds_stays_and_the_others_go(scratch: Database) -> None:
    with scratch.connect(autocommit=True) as owner, scratch.connect() as holder:
        person = join(owner, "alice@example.com")
        owner.execute(
            "insert into public.user_sessions (user_id, signed_in_at) select %s, '2020-01-01' "
            "from generate_series(1, 100)",
            [person.id],
        )
        holder.execute("select from public.user_sessions limit 1 for update")
        assert stepped(owner, "expire_sessions") == (99, False)
        assert stepped(owner, "expire_sessions") == (0, False)
        holder.rollback()
        assert stepped(owner, "expire_sessions") == (1, True)


@pytest.mark.one_platform
def test_a_run_that_has_left_a_row_out_remembers_it_to_its_end(scratch: Database) -> None:
    with scratch.connect(autocommit=True) as owner, scratch.connect() as holder:
        person = join(owner, "alice@example.com")
        owner.execute("update public.system_config set value = '100' where key = 'maintenance_batch_size'")
        owner.execute(
            "insert into public.user_sessions (user_id, signed_in_at) select %s, '2020-01-01' "
            "from generate_series(1, 2000)",
            [person.id],
        )
        holder.execute("select from public.user_sessions order by ctid limit 1 for update")
        removed, slices = 0, 0
        while removed < 1999:
            rows, is_complete = stepped(owner, "expire_sessions", "-infinity")
            assert is_complete is False
            removed, slices = removed + rows, slices + 1
        assert slices > 2


@pytest.mark.one_platform
@pytest.mark.parametrize("is_archived", [True, False])
def test_a_prompt_that_somebody_holds_stays_and_the_others_go(scratch: Database, is_archived: bool) -> None:
    """As many as a batch takes: whoever holds those stops nobody else's."""
    with scratch.connect(autocommit=True) as owner, scratch.connect() as holder:
        people = sorted(
            (join(owner, f"{name}@example.com") for name in ("alice", "bob", "carol")), key=lambda it: it.id
        )
        owner.execute("update public.system_config set value = '100' where key = 'maintenance_batch_size'")
        owner.execute("update public.system_config set value = %s where key = 'archive_enabled'", [Jsonb(is_archived)])
        for person in people:
            owner.execute(
                "insert into public.prompt_history "
                "(user_id, framework_id, framework_name, model, provider, user_input, created_at) "
                "select %s, 'ape', 'A.P.E', 'm', 'openai', 'x', now() - interval '40 days' "
                "from generate_series(1, 150)",
                [person.id],
            )
        holder.execute(
            "select from public.prompt_history where id in "
            "(select id from public.prompt_history where user_id = %s limit 120) for update",
            [people[1].id],
        )
        owner.execute("select private.step_make_months('infinity')")
        removed, is_complete = stepped(owner, "archive_prompts")
        assert is_complete is False
        assert 300 <= removed <= 330
        left = owner.execute("select user_id, count(*) from public.prompt_history group by user_id").fetchall()
        assert left == [(people[1].id, 450 - removed)]
        holder.rollback()
        assert stepped(owner, "archive_prompts") == (450 - removed, True)
        archived = owner.execute("select count(*), count(distinct id) from archive.prompt_history").fetchone()
        assert archived == ((450, 450) if is_archived else (0, 0))


@pytest.mark.one_platform
def test_who_holds_a_few_prompts_is_gone_on_with(scratch: Database) -> None:
    """By step_archive_prompts() all the others go in one run, although there are more than a batch takes."""
    with scratch.connect(autocommit=True) as owner, scratch.connect() as holder:
        person = join(owner, "alice@example.com")
        owner.execute("update public.system_config set value = '100' where key = 'maintenance_batch_size'")
        owner.execute(
            "insert into public.prompt_history "
            "(user_id, framework_id, framework_name, model, provider, user_input, created_at) "
            "select %s, 'ape', 'A.P.E', 'm', 'openai', 'x', now() - interval '40 days' from generate_series(1, 250)",
            [person.id],
        )
        # Some in each batch, whatever the order in which these come.
        holder.execute(
            "select from public.prompt_history where ctid in (select ctid from ("
            "select ctid, row_number() over (order by ctid) % 10 as number from public.prompt_history"
            ") as item where number = 0) for update"
        )
        owner.execute("select private.step_make_months('infinity')")
        assert stepped(owner, "archive_prompts") == (225, False)
        holder.rollback()
        assert stepped(owner, "archive_prompts") == (25, True)


# Prompts: each user's own days ----------------------------------------------------------------------------------------


def prefer(db: Session, person: Person, days: int, *, cleanup: bool = True) -> None:
    db.as_owner().run(
        "update public.user_preferences set max_history_days = %s, auto_cleanup = %s where user_id = %s",
        [days, cleanup, person.id],
    )


def add_prompts(db: Session, person: Person, *days: int) -> list[UUID]:
    """One a minute older than so many days, for each."""
    return [db.add("prompt_history", user_id=person.id, created_at=ago(db, number, 1)) for number in days]


def kept(db: Session, person: Person) -> list[UUID]:
    with db.aside():
        return db.as_owner().column("select id from public.prompt_history where user_id = %s", [person.id])


@pytest.mark.parametrize("is_archived", [True, False])
def test_prompts_are_kept_as_long_as_their_owner_says(
    db: Session, alice: Person, bob: Person, carol: Person, is_archived: bool
) -> None:
    configure(db, "archive_enabled", is_archived)
    prefer(db, alice, 5)
    prefer(db, bob, 400)
    prefer(db, carol, 1, cleanup=False)
    ids = {person.id: add_prompts(db, person, 0, 4, 5, 300, 400, 5000) for person in (alice, bob, carol)}
    assert step(db, "archive_prompts") == (6, True)
    assert kept(db, alice) == ids[alice.id][:2]
    assert kept(db, bob) == ids[bob.id][:4]
    assert kept(db, carol) == ids[carol.id]
    archived = set(db.as_owner().column("select id from archive.prompt_history"))
    assert archived == (({*ids[alice.id][2:]} | {*ids[bob.id][4:]}) if is_archived else set())
    assert step(db, "archive_prompts") == (0, True)


def test_who_has_no_preferences_keeps_what_the_setting_says(db: Session, alice: Person) -> None:
    db.as_owner().run("delete from public.user_preferences where user_id = %s", [alice.id])
    configure(db, "max_prompt_history_days", 7)
    ids = add_prompts(db, alice, 6, 7)
    assert step(db, "archive_prompts") == (1, True)
    assert kept(db, alice) == ids[:1]


def test_slices_of_prompts_cross_users_and_miss_none(db: Session) -> None:
    configure(db, "maintenance_batch_size", 100)
    people = [sign_up(db, f"user{number}@example.com") for number in range(5)]
    for number, person in enumerate(people):
        db.as_owner().run(
            "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, "
            "created_at) select %s, 'ape', 'A', 'm', 'openai', 'x', now() - make_interval(days => n) "
            "from generate_series(1, %s) as n",
            [person.id, 60 + 70 * number],
        )
    total = sum(60 + 70 * number - 30 for number in range(5))
    rows, slices = 0, 0
    while True:
        moved, is_complete = step(db, "archive_prompts", "-infinity")
        rows, slices = rows + moved, slices + 1
        assert moved <= 100
        if is_complete:
            break
    assert (rows, db.truth("select count(*) from archive.prompt_history")) == (total, total)
    assert db.truth("select count(*) from public.prompt_history") == 150
    assert slices > total // 100


# Orphans --------------------------------------------------------------------------------------------------------------


def test_orphans_go_as_their_foreign_key_says(db: Session, alice: Person, bob: Person) -> None:
    populate(db, alice)
    populate(db, bob)
    others = {
        table: db.truth(f"select count(*) from {table} where user_id = %s", [bob.id])
        for table in ("public.prompt_history", "archive.api_usage_logs", "private.prompt_search")
    }
    assert step(db, "remove_orphans") == (0, True)
    # As a restore does that leaves triggers out.
    db._connection.execute("set local role none; set local session authorization default")
    db._connection.execute("set local session_replication_role = replica")
    db._connection.execute("delete from auth.users where id = %s", [alice.id])
    db._connection.execute("set local session_replication_role = origin")
    db.as_owner()
    assert db.value("select count(*) from public.user_profiles where user_id = %s", [alice.id]) == 1
    rows, is_complete = step(db, "remove_orphans")
    assert (rows > 10, is_complete) == (True, True)
    assert traces(db, alice) == {}
    for table, number in others.items():
        assert db.truth(f"select count(*) from {table} where user_id = %s", [bob.id]) == number
    assert step(db, "remove_orphans") == (0, True)


# What nobody may ask for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-5, 0])
def test_a_retention_that_would_take_everything_cannot_be_set(db: Session, carol: Person, value: int) -> None:
    db.as_staff(carol)
    with db.refuses(errors.CheckViolation, constraint="system_config_value_is_in_range"):
        db.run("update public.system_config set value = %s where key = 'retention_days_user_sessions'", [Jsonb(value)])


@pytest.mark.parametrize("relation", ["public.nothing", "public.feedback; drop table x", "'", ""])
def test_a_table_that_does_not_exist_is_refused(db: Session, relation: str) -> None:
    db.as_owner()
    with db.refuses(errors.DatabaseError):
        db.rows("select * from private.expire_rows(%s::text::regclass, '{created_at}', '0', 'infinity')", [relation])


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("rows_a_page", "pages", "goes"),
    [
        (1000, 40, 10),  # ten pages of a thousand rows are a batch
        (
            1000,
            19,
            40,
        ),  # counted when the table was less than half as large: a hundred rows a page, as if never counted
        (1000, 20, 10),
    ],
)
def test_a_slice_is_about_a_batch(
    db: Session, connection: psycopg.Connection, rows_a_page: int, pages: int, goes: int
) -> None:
    """However full the pages are; so much goes in one slice, after which the time is up."""
    db.as_owner().execute("create table private.stuff (words text, moment timestamptz default '-infinity')")
    db.run("alter table private.stuff alter column words set storage plain")
    db.run("insert into private.stuff (words) select repeat('x', 3900) from generate_series(1, 80)")
    with db.aside():
        connection.execute("set local role none; set local session authorization default")
        connection.execute(
            "update pg_class set relpages = %s, reltuples = %s where oid = 'private.stuff'::regclass",
            [pages, pages * rows_a_page],
        )
    assert db.value("select pg_relation_size('private.stuff') / current_setting('block_size')::bigint") == 40
    (found,) = db.rows("select * from private.expire_rows('private.stuff', '{moment}', '0', '-infinity')")
    assert found == {"rows": goes * 2, "is_complete": goes == 40}
