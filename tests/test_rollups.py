"""Figures by day: equal to what one counts in the raw rows, whatever was written and in which order."""

import random
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import errors

from harness.client import join
from harness.databases import Database
from harness.people import Person, delete_account, sign_up
from harness.session import Session
from harness.world import STEPS

STEP = "select * from private.{}(%s)"
TODAY = datetime.now(UTC).date()

# What one would count, in other words than the rollups do. Each finds the differences, both ways.
DIFFERENCES = {
    "usage_daily": """
        select (created_at at time zone 'utc')::date as day, provider, count(*) as requests,
            count(case when status_code >= 400 or error_message is not null then 1 end) as errors,
            count(distinct user_id) as users
        from public.api_usage_logs group by 1, 2""",
    "user_usage_daily": """
        select (created_at at time zone 'utc')::date as day, user_id, provider, count(*) as requests,
            count(case when status_code >= 400 or error_message is not null then 1 end) as errors
        from public.api_usage_logs group by 1, 2, 3""",
    "latency_daily": """
        select (created_at at time zone 'utc')::date as day, provider, bucket, count(*) as requests
        from public.api_usage_logs
        inner join generate_series(-1, 600) as bucket on
            case bucket when -1 then response_time_ms = 0 else response_time_ms > 0
                and response_time_ms <= 1.04::float8 ^ bucket and response_time_ms > 1.04::float8 ^ (bucket - 1) end
        group by 1, 2, 3""",
    "prompts_daily": """
        select (created_at at time zone 'utc')::date as day, dimension, label, count(*) as prompts,
            count(case when status = 'completed' then 1 end) as completed,
            count(case when status = 'failed' then 1 end) as failed,
            sum(coalesce(tokens_used, 0)) as tokens_used, sum(coalesce(cost_usd, 0)) as cost_usd,
            count(distinct user_id) as users
        from public.prompt_history
        cross join lateral (values
            ('total', ''), ('provider', provider), ('framework', framework_id), ('model', model)
        ) as part (dimension, label)
        group by 1, 2, 3""",
    "user_sign_ins_daily": """
        select (signed_in_at at time zone 'utc')::date as day, user_id, count(*) as sign_ins
        from public.user_sessions group by 1, 2""",
    "activity_daily": """
        select day, sum(sign_ins) as sign_ins, count(distinct user_id) as active_users
        from (
            select (signed_in_at at time zone 'utc')::date as day, user_id, 1 as sign_ins from public.user_sessions
            union all
            select (created_at at time zone 'utc')::date, user_id, 0 from public.api_usage_logs
        ) as seen
        group by 1""",
    "feedback_analytics": """
        select date, count(*) as total_feedback,
            count(case when status in ('resolved', 'closed') then 1 end) as resolved_feedback,
            case when count(responded_at) > 0 then
                round(least(avg(extract(epoch from responded_at - created_at)) / 3600, 999.99), 2)
            end as avg_response_time_hours,
            round(avg(rating), 2) as avg_rating,
            (
                select jsonb_object_agg(feedback_type, number) from (
                    select feedback_type, count(*) as number from public.feedback as item
                    where (item.created_at at time zone 'utc')::date = date group by 1
                ) as counted
            ) as feedback_by_type,
            (
                select jsonb_object_agg(priority, number) from (
                    select priority, count(*) as number from public.feedback as item
                    where (item.created_at at time zone 'utc')::date = date group by 1
                ) as counted
            ) as feedback_by_priority
        from (select *, (created_at at time zone 'utc')::date as date from public.feedback) as feedback
        group by date""",
}


def differences(db: Session) -> dict[str, list[dict[str, Any]]]:
    """Where the figures are not what one would count."""
    with db.aside():
        db.as_owner()
        found = {}
        for table, counted in DIFFERENCES.items():
            schema = "public" if table == "feedback_analytics" else "private"
            columns = [
                column.name for column in db.execute(f"select * from ({counted}) as it limit 0").description or []
            ]
            kept = f"select {', '.join(columns)} from {schema}.{table}"
            found[table] = db.rows(f"(({kept}) except ({counted})) union all (({counted}) except ({kept}))")
    return {table: rows for table, rows in found.items() if rows}


def steps(db: Session) -> dict[str, int]:
    """A run of maintenance: how many figures each step changed."""
    with db.aside():
        db.as_owner()
        return {step: db.rows(STEP.format(step), [None])[0]["rows"] for step in STEPS}


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


# Exact ----------------------------------------------------------------------------------------------------------------

SOURCES = {
    "api_usage_logs": "created_at",
    "prompt_history": "created_at",
    "user_sessions": "signed_in_at",
    "feedback": "created_at",
}
CHANGES: dict[str, list[str]] = {
    "api_usage_logs": ["status_code", "error_message", "response_time_ms", "provider", "created_at"],
    "prompt_history": ["status", "tokens_used", "cost_usd", "created_at"],
    "user_sessions": ["signed_in_at"],
    "feedback": ["status", "priority", "rating", "responded_at", "created_at"],
}


def any_value(random: random.Random, column: str, when: datetime) -> Any:
    """One that is allowed, at or after that time."""
    later = timedelta(days=random.choice([0, 0, 0, 1, 50]), seconds=random.randrange(10000))
    return {
        "user_id": None,
        "provider": random.choice(["openai", "gemini", "anthropic"]),
        "status_code": random.choice([None, 200, 200, 399, 400, 503]),
        "error_message": random.choice([None, None, "", "no answer"]),
        "response_time_ms": random.choice([None, 0, 1, 2, 25, random.randrange(100_000), 2**31 - 1]),
        "framework_id": random.choice(["roses", "ape", "made up"]),
        "model": random.choice(["gpt-4o", "claude"]),
        "tokens_used": random.choice([None, 0, 17, 2**31 - 1]),
        "cost_usd": random.choice([None, 0, "0.000001", "9999.999999"]),
        "feedback_type": random.choice(["bug", "feature", "general", "support"]),
        "priority": random.choice(["low", "medium", "high", "urgent"]),
        "rating": random.choice([None, 1, 5]),
        "responded_at": random.choice([None, when + later]),
        "created_at": when,
        "signed_in_at": when,
    }[column]


COLUMNS = {
    "api_usage_logs": ["provider", "status_code", "error_message", "response_time_ms", "created_at"],
    "prompt_history": ["provider", "framework_id", "model", "tokens_used", "cost_usd", "created_at"],
    "user_sessions": ["signed_in_at"],
    "feedback": ["feedback_type", "priority", "rating", "responded_at", "created_at"],
}


class Story:
    """A random sequence of writes by everybody, with runs of maintenance in between."""

    def __init__(self, db: Session, random: random.Random) -> None:
        self.db = db
        self.random = random
        self.people = [sign_up(db, f"{number}@example.com") for number in range(3)]

    def go_on(self) -> None:
        table = self.random.choice(list(SOURCES))
        step = self.random.choice(
            [self.insert, self.insert, self.insert, self.change, self.delete, self.run, self.part]
        )
        if self.random.random() < 0.03:
            self.leave()
        step(table)

    def moment(self) -> datetime:
        """Mostly today or a little earlier; the edges of days as well."""
        day = TODAY - timedelta(days=self.random.choice([-1, 0, 0, 0, 1, 1, 2, 5, 20, 45]))
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + self.random.choice(
            [timedelta(0), timedelta(hours=24, microseconds=-1), timedelta(seconds=self.random.randrange(86400))]
        )

    def insert(self, table: str) -> None:
        when = self.moment()
        row: dict[str, Any] = {column: any_value(self.random, column, when) for column in COLUMNS[table]}
        if self.random.random() < 0.2:
            row.pop(SOURCES[table])  # now
            row.pop("responded_at", None)
        self.db.add(table, user_id=self.random.choice(self.people).id, **row)

    def one(self, table: str) -> Any:
        ids = self.db.as_owner().column(f"select id from public.{table} order by id")
        return self.random.choice(ids) if ids else None

    def change(self, table: str) -> None:
        column, row_id = self.random.choice(CHANGES[table]), self.one(table)
        if row_id is None:
            return
        when = self.moment()
        if column == "status" and table == "prompt_history":
            value = self.random.choice(["completed", "failed"])
            self.db.run(
                "update public.prompt_history set status = %s where id = %s and status = 'pending'", [value, row_id]
            )
        elif column == "status":
            value = self.random.choice(["open", "in_progress", "resolved", "closed"])
            self.db.run(f"update public.{table} set status = %s where id = %s", [value, row_id])
        elif column == "created_at" and table == "feedback":
            self.db.run("update public.feedback set created_at = %s, responded_at = null where id = %s", [when, row_id])
        elif column == "responded_at":
            self.db.run("update public.feedback set responded_at = created_at + '90 minutes' where id = %s", [row_id])
        else:
            value = any_value(self.random, column, when)
            self.db.run(f"update public.{table} set {column} = %s where id = %s", [value, row_id])

    def delete(self, table: str) -> None:
        # Not past their time: what expires stays in the figures.
        fresh = "" if table != "prompt_history" else " and created_at > now() - interval '29 days'"
        if (row_id := self.one(table)) is not None:
            self.db.run(f"delete from public.{table} where id = %s{fresh}", [row_id])

    def leave(self) -> None:
        delete_account(self.db, self.people.pop(self.random.randrange(len(self.people))))
        self.people.append(sign_up(self.db, f"{self.random.random()}@example.com"))

    def run(self, _: str) -> None:
        steps(self.db)

    def part(self, _: str) -> None:
        """A step by itself, or one that has no time."""
        step = self.random.choice(STEPS)
        deadline = self.random.choice([None, "-infinity"])
        self.db.as_owner().rows(STEP.format(step), [deadline])


def tell(connection: psycopg.Connection, random: random.Random, length: int) -> None:
    with connection.transaction(force_rollback=True):
        db = Session(connection)
        story = Story(db, random)
        for _ in range(length):
            story.go_on()
        steps(db)
        assert differences(db) == {}
        assert not any(steps(db).values()), "a second run with nothing new writes nothing"


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=True), length=st.integers(1, 40))
@pytest.mark.one_platform
def test_the_figures_are_what_one_would_count(
    connection: psycopg.Connection, random: random.Random, length: int
) -> None:
    tell(connection, random, length)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_the_figures_are_what_one_would_count_after_long_sequences(connection: psycopg.Connection, seed: int) -> None:
    tell(connection, random.Random(seed), 600)


OLD_ROWS: dict[str, dict[str, Any]] = {
    "api_usage_logs": {"status_code": 399, "response_time_ms": 100},
    "prompt_history": {},
    "user_sessions": {},
    "feedback": {},
}
CHANGED = {
    "api_usage_logs": "status_code = 400",
    "prompt_history": "status = 'completed'",
    "user_sessions": None,
    "feedback": "status = 'resolved'",
}


@pytest.mark.parametrize("table", SOURCES)
def test_each_change_of_an_old_row_is_in_the_next_run(db: Session, alice: Person, table: str) -> None:
    time, days = SOURCES[table], [TODAY - timedelta(days=number) for number in (4, 6, 8, 45, 7)]

    def check() -> None:
        assert any(steps(db).values()), "the test is about nothing"
        assert differences(db) == {}
        assert db.truth(MARKS) == 0
        assert not any(steps(db).values()), "a second run with nothing new writes nothing"

    steps(db)
    row_id = db.add(table, user_id=alice.id, **OLD_ROWS[table], **{time: at(days[0])})
    check()
    if CHANGED[table]:
        db.as_owner().run(f"update public.{table} set {CHANGED[table]} where id = %s", [row_id])
        check()
    # The fourth is of another month, and so in another partition.
    for day in (days[1], TODAY, *days[2:]):
        db.as_owner().run(f"update public.{table} set {time} = %s where id = %s", [at(day), row_id])
        check()
    db.as_owner().run(f"delete from public.{table} where id = %s", [row_id])
    check()


@pytest.mark.one_platform
def test_the_first_run_counts_what_was_there_before(db: Session, alice: Person) -> None:
    """Before the installation had figures, nothing was marked."""
    for table, time in SOURCES.items():
        for days in (4, 100, 400):
            db.add(table, user_id=alice.id, **{time: at(TODAY - timedelta(days=days))})
    db.as_owner().run("delete from private.changed_days where source <> ''")
    steps(db)
    assert differences(db) == {}
    assert db.truth("select count(distinct day) from private.prompts_daily") == 3


# How a changed day is known -------------------------------------------------------------------------------------------

MARKS = "select count(*) from private.changed_days"


def step(db: Session, name: str, deadline: str | None = None) -> dict[str, Any]:
    with db.aside():
        (row,) = db.as_owner().rows(STEP.format(f"step_{name}"), [deadline])
        return row


def usage(db: Session, day: date, table: str = "usage_daily") -> int | None:
    found: int | None = db.truth(f"select sum(requests)::integer from private.{table} where day = %s", [day])
    return found


@pytest.mark.one_platform
def test_what_is_of_today_leaves_no_mark(db: Session, alice: Person) -> None:
    db.as_user(alice).run("select public.log_api_usage('openai')")
    prompt, message = db.add("prompt_history", user_id=alice.id), db.add("feedback", user_id=alice.id)
    db.run("update public.prompt_history set status = 'completed' where id = %s", [prompt])
    db.run("delete from public.prompt_history where id = %s", [prompt])
    db.run("delete from public.feedback where id = %s", [message])
    db.add("user_sessions", user_id=alice.id)
    db.run("delete from public.user_sessions")
    db.as_owner().run("update public.api_usage_logs set status_code = 500")
    db.run("delete from public.api_usage_logs where status_code = 500")
    assert db.truth(MARKS) == 0


def test_clients_need_no_rights_to_mark_a_day(db: Session, alice: Person) -> None:
    """Their own old rows they may change and delete."""
    old = at(TODAY - timedelta(days=5))
    ids = [db.add("prompt_history", user_id=alice.id, created_at=old) for _ in range(2)]
    message = db.add("feedback", user_id=alice.id, created_at=old)
    session = db.add("user_sessions", user_id=alice.id, signed_in_at=old)
    db.as_owner().run("delete from private.changed_days where source <> ''")
    db.as_user(alice)
    assert db.run("update public.prompt_history set status = 'completed' where id = %s", [ids[0]]) == 1
    assert db.run("update public.feedback set message = 'More.' where id = %s", [message]) == 1
    assert db.run("delete from public.user_sessions where id = %s", [session]) == 1
    assert sorted(db.as_owner().column("select source from private.changed_days")) == [
        "activity",
        "feedback",
        "prompts",
    ]
    db.run("delete from private.changed_days where source <> ''")
    db.as_user(alice).run("delete from public.prompt_history")
    assert db.truth(MARKS) == 1


@pytest.mark.one_platform
def test_a_transaction_marks_a_day_once(db: Session, alice: Person) -> None:
    for _ in range(3):
        db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY - timedelta(days=5)))
    assert db.truth(MARKS) == 1


@pytest.fixture
def alices(scratch: Database) -> Person:
    with scratch.connect() as owner:
        return join(owner, "alice@example.com")


LATE = "insert into public.api_usage_logs (user_id, provider, created_at) values (%s, 'openai', %s)"
COUNTED = "select coalesce(sum(requests), 0)::integer from private.usage_daily where day = %s"
RUN = "select rows, is_complete from private.step_roll_up_usage(null)"


def counted(database: Database, day: date) -> int:
    with database.connect() as owner:
        owner.execute(RUN)
        row = owner.execute(COUNTED, [day]).fetchone()
        assert row is not None
        return int(row[0])


def test_what_is_committed_after_a_run_is_in_the_next_one(scratch: Database, alices: Person) -> None:
    """Also where a mark of somebody else's was there, which that run has taken away."""
    day = TODAY - timedelta(days=5)
    with scratch.connect() as first, scratch.connect() as second:
        first.execute(LATE, [alices.id, at(day)])
        first.commit()
        second.execute("set lock_timeout = '2s'")
        first.execute(LATE, [alices.id, at(day)])
        second.execute(LATE, [alices.id, at(day)])  # waits for nobody
        assert counted(scratch, day) == 1
        second.commit()
        assert counted(scratch, day) == 2
        first.commit()
        assert counted(scratch, day) == 3


@pytest.mark.one_platform
def test_of_two_runs_the_second_waits(scratch: Database, alices: Person) -> None:
    with scratch.connect() as first, scratch.connect() as second:
        first.execute(RUN)
        second.execute("set lock_timeout = '100ms'")
        with pytest.raises(errors.LockNotAvailable):
            second.execute(RUN)
        second.rollback()
        second.execute("select private.step_roll_up_prompts(null)")  # another matter
    with scratch.connect() as first, scratch.connect() as second:
        first.execute(RUN)
        waiting = threading.Thread(target=lambda: second.execute(RUN))
        waiting.start()
        first.execute(LATE, [alices.id, at(TODAY)])
        first.commit()
        waiting.join()
        # It began before that row was there, and counted after it had waited.
        row = second.execute(COUNTED, [TODAY]).fetchone()
        assert row == (1,)


@pytest.mark.one_platform
def test_days_on_which_nothing_ran_are_counted_later(db: Session, alice: Person) -> None:
    """Their rows left no mark: they came on their day."""
    steps(db)
    db.as_owner().run(
        "update private.rollups set rolled_up_to = %s where source = 'usage'", [TODAY - timedelta(days=6)]
    )
    db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY - timedelta(days=3)))
    db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY - timedelta(days=7)))
    db.run("delete from private.changed_days where source <> ''")
    step(db, "roll_up_usage", "-infinity")  # had no time, and must not say that it has come so far
    steps(db)
    assert usage(db, TODAY - timedelta(days=3)) == 1
    assert db.truth("select rolled_up_to from private.rollups where source = 'usage'") == TODAY
    assert usage(db, TODAY - timedelta(days=7)) == 1, "the day before: what was written while that run went on"


@pytest.mark.one_platform
def test_a_clock_that_was_put_right_stops_nothing(db: Session, alice: Person) -> None:
    steps(db)
    db.as_owner().run(
        "update private.rollups set rolled_up_to = %s where source = 'usage'", [TODAY + timedelta(days=9)]
    )
    db.as_user(alice).run("select public.log_api_usage('openai')")
    steps(db)
    assert usage(db, TODAY) == 1


@pytest.mark.one_platform
def test_without_time_nothing_is_done_and_nothing_forgotten(db: Session, alice: Person) -> None:
    db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY - timedelta(days=5)))
    for name in ("roll_up_usage", "roll_up_prompts", "roll_up_activity", "feedback_analytics", "refresh_views"):
        assert step(db, name, "-infinity") == {"rows": 0, "is_complete": False}
    assert usage(db, TODAY - timedelta(days=5)) is None
    assert step(db, "roll_up_usage")["is_complete"] is True
    assert usage(db, TODAY - timedelta(days=5)) == 1


@pytest.mark.one_platform
def test_a_run_that_stops_has_done_the_latest_days(db: Session, alice: Person) -> None:
    """The days are taken month by month, the latest first. A month that is slow uses up the time."""
    months = [TODAY, TODAY - timedelta(days=40), TODAY - timedelta(days=80)]
    for day in months:
        db.add("api_usage_logs", user_id=alice.id, created_at=at(day))
    db.as_owner().run(
        """
        create function private.dawdle() returns trigger language plpgsql as $$
        begin
            if new.day::text = current_setting('test.slow_day') then
                perform pg_sleep(date_part('epoch', current_setting('test.until')::timestamptz - clock_timestamp()));
            end if;
            return new;
        end $$;
        create trigger dawdle before insert on private.usage_daily for each row execute function private.dawdle()
        """
    )

    def stopped(slow_day: date) -> list[int | None]:
        until = db.value("select (clock_timestamp() + '1 second')::text")
        db.rows(
            "select set_config('test.until', %s, true), set_config('test.slow_day', %s, true)", [until, str(slow_day)]
        )
        assert step(db, "roll_up_usage", until)["is_complete"] is False
        return [usage(db, day) for day in months]

    assert stopped(months[0]) == [1, None, None]
    assert stopped(months[0]) == [1, None, None], "the latest days come first each time"
    assert stopped(months[1]) == [1, 1, None]
    db.rows("select set_config('test.slow_day', '', true)")
    assert step(db, "roll_up_usage")["is_complete"] is True
    assert [usage(db, day) for day in months] == [1, 1, 1]


# When the raw rows are gone -------------------------------------------------------------------------------------------

OLD = TODAY - timedelta(days=200)


def test_what_was_archived_stays_in_the_figures(db: Session, alice: Person) -> None:
    db.as_owner().run("select private.ensure_api_usage_months(%s, 1)", [OLD])
    for _ in range(3):
        db.add("api_usage_logs", user_id=alice.id, created_at=at(OLD))
    db.add("user_sessions", user_id=alice.id, signed_in_at=at(OLD))
    steps(db)
    report = db.as_server().value("select public.daily_maintenance(60)")
    assert report["status"] == "ok", report
    assert db.truth("select count(*) from public.api_usage_logs") == 0
    assert db.truth("select count(*) from public.user_sessions") == 0
    assert (usage(db, OLD), usage(db, OLD, "user_usage_daily")) == (3, 3)
    # What comes later still would be all that there is to count.
    db.add("api_usage_logs", user_id=alice.id, created_at=at(OLD))
    db.add("user_sessions", user_id=alice.id, signed_in_at=at(OLD))
    steps(db)
    assert usage(db, OLD) == 3
    assert (
        db.truth("select (sign_ins, active_users)::text from private.activity_daily where day = %s", [OLD]) == "(1,1)"
    )
    assert db.truth(MARKS) == 0


@pytest.mark.parametrize(
    ("setting", "source", "days_ago", "first"),
    [
        ("retention_days_api_usage_logs", "usage", 31, None),
        ("retention_days_user_sessions", "activity", 10, TODAY - timedelta(days=9)),
    ],
)
@pytest.mark.one_platform
def test_days_freeze_when_retention_may_take_their_rows(
    db: Session, setting: str, source: str, days_ago: int, first: date | None
) -> None:
    db.as_owner().run("update public.system_config set value = to_jsonb(%s::int) where key = %s", [days_ago, setting])
    steps(db)
    frozen = db.value("select frozen_before from private.rollups where source = %s", [source])
    # Usage goes by whole months.
    assert frozen == (first or (TODAY - timedelta(days=31)).replace(day=1))
    # A longer retention brings nothing back.
    db.run("update public.system_config set value = to_jsonb(300) where key = %s", [setting])
    steps(db)
    assert db.value("select frozen_before from private.rollups where source = %s", [source]) == frozen


@pytest.mark.one_platform
def test_a_deleted_account_stays_in_the_totals_of_frozen_days_only(db: Session, alice: Person, bob: Person) -> None:
    recent = TODAY - timedelta(days=3)
    for person in (alice, bob):
        for day in (OLD, recent):
            db.add("api_usage_logs", user_id=person.id, created_at=at(day))
            db.add("user_sessions", user_id=person.id, signed_in_at=at(day))
    steps(db)
    delete_account(db, alice)
    assert usage(db, OLD, "user_usage_daily") == 1, "at once, not by the next run"
    assert db.truth("select count(*) from private.user_sign_ins_daily") == 2
    steps(db)
    assert (usage(db, OLD), usage(db, recent)) == (2, 1)
    active = "select active_users from private.activity_daily where day = %s"
    assert (db.truth(active, [OLD]), db.truth(active, [recent])) == (2, 1)


@pytest.mark.one_platform
def test_figures_go_when_their_own_time_is_over(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.system_config set value = '90' where key = 'retention_days_rollups'")
    gone, kept = TODAY - timedelta(days=91), TODAY - timedelta(days=90)
    steps(db)
    for day in (gone, kept):
        db.as_owner().run("insert into private.usage_daily values (%s, 'openai', 1, 0, 1)", [day])
        db.run("insert into private.latency_daily values (%s, 'openai', 1, 1)", [day])
        db.run("insert into private.user_usage_daily values (%s, %s, 'openai', 1, 0)", [day, alice.id])
        db.run("insert into private.user_sign_ins_daily values (%s, %s, 1)", [day, alice.id])
        db.run("insert into private.activity_daily values (%s, 1, 1)", [day])
        db.run("insert into private.prompts_daily values (%s, 'total', '', 1, 0, 0, 0, 0, 1)", [day])
        db.run("insert into private.expired_prompts_daily values (%s, 'total', '', '1', 1, 0, 0, 0, 0)", [day])
    steps(db)
    for table in (
        *("usage_daily", "latency_daily", "user_usage_daily", "user_sign_ins_daily", "activity_daily"),
        *("prompts_daily", "expired_prompts_daily"),
    ):
        assert db.column(f"select day from private.{table}") == [kept], table


# Prompts that expire --------------------------------------------------------------------------------------------------

PROMPTS = "select prompts, completed, failed, tokens_used, cost_usd::text, users from private.prompts_daily"
TOTAL = PROMPTS + " where day = %s and dimension = 'total'"


def prompts(db: Session, day: date) -> tuple[Any, ...] | None:
    with db.aside():
        rows = db.as_owner().rows(TOTAL, [day])
        return tuple(rows[0].values()) if rows else None


def keep_for(db: Session, person: Person, days: int) -> None:
    db.as_owner().run("update public.user_preferences set max_history_days = %s where user_id = %s", [days, person.id])


def ask(db: Session, person: Person, day: date, **columns: Any) -> Any:
    return db.add("prompt_history", user_id=person.id, created_at=at(day), tokens_used=10, cost_usd="0.5", **columns)


def test_prompts_that_were_cleaned_up_stay_in_the_figures(db: Session, alice: Person, bob: Person) -> None:
    day = TODAY - timedelta(days=5)
    keep_for(db, alice, 3)
    ask(db, alice, day, status="completed")
    ask(db, alice, day, status="failed")
    ask(db, bob, day)
    steps(db)
    before = prompts(db, day)
    assert before == (3, 1, 1, 30, "1.500000", 2)
    assert db.as_user(alice).value("select public.cleanup_old_prompt_history()") == 2
    steps(db)
    assert prompts(db, day) == before
    # Maintenance removes what bob keeps for shorter now, by archiving it.
    keep_for(db, bob, 1)
    assert db.as_server().value("select public.daily_maintenance(60)")["status"] == "ok"
    steps(db)
    assert prompts(db, day) == before
    assert db.truth("select count(*) from public.prompt_history") == 0
    assert not any(steps(db).values())


@pytest.mark.one_platform
def test_prompts_that_expire_before_they_are_counted_are_counted_all_the_same(db: Session, alice: Person) -> None:
    day = TODAY - timedelta(days=40)
    ask(db, alice, day, status="completed")
    ask(db, alice, day, provider="gemini")
    db.as_user(alice).run("select public.cleanup_old_prompt_history()")
    steps(db)
    # Who had made them nobody knows any more.
    assert prompts(db, day) == (2, 1, 0, 20, "1.000000", 0)
    by = "select dimension || ' ' || label || ' ' || prompts from private.prompts_daily"
    assert set(db.as_owner().column(by)) == {
        *("total  2", "provider openai 1", "provider gemini 1", "framework roses 2", "model gpt-4o 2")
    }


@pytest.mark.one_platform
def test_where_no_preference_says_how_long_the_setting_does(db: Session, alice: Person) -> None:
    db.as_owner().run("delete from public.user_preferences where user_id = %s", [alice.id])
    db.run("update public.system_config set value = '7' where key = 'max_prompt_history_days'")
    expired, fresh = TODAY - timedelta(days=8), TODAY - timedelta(days=6)
    for day in (expired, fresh):
        db.run("delete from public.prompt_history where id = %s", [ask(db, alice, day)])
    steps(db)
    assert (prompts(db, expired) is not None, prompts(db, fresh)) == (True, None)


@pytest.mark.one_platform
def test_what_its_owner_takes_back_is_not_counted_any_more(db: Session, alice: Person) -> None:
    day = TODAY - timedelta(days=5)
    row_id = ask(db, alice, day)
    ask(db, alice, day)
    steps(db)
    db.as_user(alice).run("delete from public.prompt_history where id = %s", [row_id])
    steps(db)
    assert prompts(db, day) == (1, 0, 0, 10, "0.500000", 1)


@pytest.mark.one_platform
def test_a_deleted_account_takes_its_prompts_out_of_the_figures(db: Session, alice: Person) -> None:
    """Not what had expired before: nobody knows any more whose that was."""
    expired, fresh = TODAY - timedelta(days=40), TODAY - timedelta(days=5)
    ask(db, alice, expired)
    ask(db, alice, fresh)
    db.as_user(alice).run("select public.cleanup_old_prompt_history()")
    ask(db, alice, expired)
    steps(db)
    delete_account(db, alice)
    steps(db)
    assert prompts(db, expired) == (1, 0, 0, 10, "0.500000", 1)
    assert prompts(db, fresh) is None


@pytest.mark.one_platform
def test_what_expires_in_many_transactions_is_put_together(scratch: Database, alices: Person) -> None:
    day = TODAY - timedelta(days=40)
    insert = "insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, "
    insert += "created_at) values (%s, 'roses', 'R.O.S.E.S', 'm', 'openai', 'x', %s)"
    with scratch.connect() as first, scratch.connect() as second:
        for connection in (first, second, first):
            connection.execute(insert, [alices.id, at(day)])
            connection.commit()
        first.execute("delete from public.prompt_history where ctid = (select min(ctid) from public.prompt_history)")
        second.execute("set lock_timeout = '2s'")
        # Waits for no other that removes prompts of the same day.
        second.execute("delete from public.prompt_history where ctid = (select max(ctid) from public.prompt_history)")
        second.commit()
        first.commit()
        rows = "select prompts from private.expired_prompts_daily where dimension = 'total'"
        assert first.execute(rows).fetchall() == [(1,), (1,)]
        first.execute("select private.step_roll_up_prompts(null)")
        assert first.execute(rows).fetchall() == [(2,)]
        assert first.execute("select prompts from private.prompts_daily where dimension = 'total'").fetchall() == [(3,)]


# Cost -----------------------------------------------------------------------------------------------------------------


@pytest.mark.one_platform
def test_the_rows_of_a_day_are_found_without_reading_the_table(db: Session, alice: Person) -> None:
    db.as_owner().run(
        "insert into public.prompt_history "
        "(user_id, framework_id, framework_name, model, provider, user_input, created_at) "
        "select %s, 'roses', 'R.O.S.E.S', 'm', 'openai', 'x', now() - number * interval '1 hour' "
        "from generate_series(1, 3000) as number",
        [alice.id],
    )
    db.run("analyze public.prompt_history")
    (before,) = db.rows("select seq_scan from pg_stat_xact_all_tables where relid = 'public.prompt_history'::regclass")
    db.value("select private.roll_up_prompts(array[%s::date])", [TODAY - timedelta(days=50)])
    (after,) = db.rows("select seq_scan from pg_stat_xact_all_tables where relid = 'public.prompt_history'::regclass")
    assert before == after
    assert prompts(db, TODAY - timedelta(days=50)) == (24, 0, 0, 0, "0.000000", 1)


def test_only_the_month_is_read(db: Session, alice: Person) -> None:
    db.as_owner().run("select private.ensure_api_usage_months(%s, 4)", [TODAY - timedelta(days=80)])
    for days_ago in (0, 40, 80):
        db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY - timedelta(days=days_ago)))
    read = """
        select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::integer from pg_stat_xact_all_tables
        where schemaname = 'private' and relname ~ '^api_usage_logs_'"""
    before = db.as_owner().value(read)
    db.value("select private.roll_up_usage(array[%s::date])", [TODAY])
    assert db.value(read) - before == 1


# Rules ----------------------------------------------------------------------------------------------------------------

FIGURES: dict[str, dict[str, Any]] = {
    "rollups": {"source": "usage", "rolled_up_to": TODAY},
    "changed_days": {"source": "usage", "day": TODAY, "changed_by": "1", "changed_at": at(TODAY)},
    "usage_daily": {"day": TODAY, "provider": "openai", "requests": 1, "errors": 1, "users": 1},
    "latency_daily": {"day": TODAY, "provider": "openai", "bucket": 1, "requests": 1},
    "user_usage_daily": {"day": TODAY, "user_id": None, "provider": "openai", "requests": 1, "errors": 1},
    "prompts_daily": {
        **dict.fromkeys(("prompts", "tokens_used", "cost_usd", "users"), 1),
        "day": TODAY,
        "dimension": "total",
        "label": "",
        "completed": 1,
        "failed": 0,
    },
    "expired_prompts_daily": {
        **dict.fromkeys(("prompts", "completed", "failed", "tokens_used", "cost_usd"), 1),
        "day": TODAY,
        "dimension": "total",
        "label": "",
        "expired_by": "1",
    },
    "user_sign_ins_daily": {"day": TODAY, "user_id": None, "sign_ins": 1},
    "activity_daily": {"day": TODAY, "sign_ins": 1, "active_users": 1},
}
BROKEN = [
    ("rollups", "rollups_source_is_known", {"source": "weather"}),
    ("rollups", "rollups_frozen_before_is_rolled_up", {"frozen_before": TODAY + timedelta(days=1)}),
    ("changed_days", "changed_days_source_is_known", {"source": "weather"}),
    ("usage_daily", "usage_daily_errors_are_part_of_requests", {"errors": 2}),
    ("usage_daily", "usage_daily_errors_are_part_of_requests", {"errors": -1}),
    ("user_usage_daily", "user_usage_daily_errors_are_part_of_requests", {"errors": 2}),
    ("prompts_daily", "prompts_daily_dimension_is_known", {"dimension": "user"}),
    ("prompts_daily", "prompts_daily_outcomes_are_part_of_prompts", {"failed": 1}),
]


def put(db: Session, table: str, person: Person, **columns: Any) -> None:
    row = FIGURES[table] | ({"user_id": person.id} if "user_id" in FIGURES[table] else {}) | columns
    db.as_owner().run(
        f"insert into private.{table} ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})", list(row.values())
    )


@pytest.mark.parametrize("table", FIGURES)
@pytest.mark.one_platform
def test_figures_are_whole_and_there_once(db: Session, alice: Person, table: str) -> None:
    for column in FIGURES[table]:
        with db.refuses(errors.NotNullViolation) as refusal:
            put(db, table, alice, **{column: None})
        assert refusal.value.diag.column_name == column
    put(db, table, alice)
    with db.refuses(errors.UniqueViolation, constraint=f"{table}_pkey"):
        put(db, table, alice)


@pytest.mark.parametrize(("table", "rule", "columns"), BROKEN)
@pytest.mark.one_platform
def test_figures_that_cannot_be_are_refused(
    db: Session, alice: Person, table: str, rule: str, columns: dict[str, Any]
) -> None:
    with db.refuses(errors.CheckViolation, constraint=rule):
        put(db, table, alice, **columns)


@pytest.mark.parametrize("table", ["user_usage_daily", "user_sign_ins_daily"])
@pytest.mark.one_platform
def test_figures_by_user_are_of_an_account(db: Session, alice: Person, table: str) -> None:
    with db.refuses(errors.ForeignKeyViolation):
        put(db, table, alice, user_id="00000000-0000-4000-8000-000000000001")


@pytest.mark.one_platform
def test_one_source_is_rolled_up_and_no_other(db: Session) -> None:
    steps(db)
    db.as_owner().run("delete from private.changed_days where true")
    db.run("update private.rollups set rolled_up_to = rolled_up_to - 1 where true")
    old, recent = TODAY - timedelta(days=1200), TODAY - timedelta(days=40)
    for source in ("usage", "prompts"):
        for day in (old, recent, recent - timedelta(days=40), TODAY):
            db.run("insert into private.changed_days (source, day) values (%s, %s)", [source, day])
    db.rows("select * from private.roll_up('usage', null)")
    marked = db.rows("select source, day from private.changed_days order by source, day")
    assert [row["source"] for row in marked] == ["prompts"] * 4, "nothing of this one is left, and nothing else is gone"
    known = db.rows("select source, rolled_up_to from private.rollups")
    assert {row["source"] for row in known if row["rolled_up_to"] == TODAY} == {"usage"}
    assert len(known) == 4


@pytest.mark.one_platform
def test_out_of_time_the_marks_stay(db: Session) -> None:
    steps(db)
    db.as_owner().run("delete from private.changed_days where true")
    for day in (TODAY, TODAY - timedelta(days=40)):
        db.run("insert into private.changed_days (source, day) values ('usage', %s)", [day])
    (answer,) = db.rows("select * from private.roll_up('usage', '-infinity')")
    assert answer == {"rows": 0, "is_complete": False}
    assert db.value("select count(*) from private.changed_days") == 2


@pytest.mark.one_platform
def test_a_count_that_is_made_again_changes_what_has_changed_and_nothing_else(
    db: Session, alice: Person, bob: Person
) -> None:
    """Each figure has one thing that tells it from every other: the day, the user, the provider, the response time."""
    days = [TODAY - timedelta(days=3), TODAY - timedelta(days=2)]
    ids = [
        db.add("api_usage_logs", user_id=person.id, provider=provider, created_at=at(day), response_time_ms=time)
        for person, provider, day, time in (
            (alice, "openai", days[0], 25),
            (alice, "openai", days[0], 900),
            (alice, "gemini", days[0], 40),
            (bob, "openai", days[0], 25),
            (bob, "anthropic", days[1], 60),
        )
    ]

    def count() -> int:
        found: int = db.as_owner().value("select private.roll_up_usage(%s)", [days])
        return found

    # By user, in all, by response time.
    assert count() == 4 + 3 + 4
    assert count() == 0
    db.run("update public.api_usage_logs set status_code = 500 where id = %s", [ids[3]])
    assert count() == 1 + 1
    db.run("delete from public.api_usage_logs where id = %s", [ids[2]])
    assert count() == 1 + 1 + 1
    kept = "select day, user_id, provider, requests::integer, errors::integer from private.user_usage_daily"
    assert {tuple(row.values()) for row in db.rows(kept)} == {
        (days[0], alice.id, "openai", 2, 0),
        (days[0], bob.id, "openai", 1, 1),
        (days[1], bob.id, "anthropic", 1, 0),
    }


@pytest.mark.one_platform
def test_a_day_that_changes_during_a_run_is_for_the_next_one(db: Session, alice: Person) -> None:
    steps(db)
    late, old = TODAY - timedelta(days=20), TODAY - timedelta(days=40)
    db.add("api_usage_logs", user_id=alice.id, created_at=at(TODAY))
    db.add("api_usage_logs", user_id=alice.id, created_at=at(old))
    db.as_owner().run(
        f"""
        create function private.change_a_day() returns trigger language plpgsql as $$
        begin
            insert into private.changed_days (source, day) values ('usage', '{late}') on conflict do nothing;
            return null;
        end $$;
        create trigger change_a_day after insert on private.usage_daily
        for each row when (new.day > '{old}') execute function private.change_a_day()
        """
    )
    assert step(db, "roll_up_usage")["is_complete"] is True
    assert (usage(db, TODAY), usage(db, old)) == (1, 1)
    assert db.column("select day from private.changed_days where source = 'usage'") == [late]


@pytest.mark.one_platform
def test_the_parts_of_the_days_that_are_counted_are_put_together(db: Session) -> None:
    days = [TODAY - timedelta(days=3), TODAY - timedelta(days=2)]
    for day in days:
        for part in ("1", "2"):
            db.as_owner().run(
                "insert into private.expired_prompts_daily values (%s, 'total', '', %s, 1, 0, 0, 0, 0)", [day, part]
            )
    db.value("select private.roll_up_prompts(%s)", [days[:1]])
    parts = db.column("select prompts::integer from private.expired_prompts_daily order by day, expired_by")
    assert parts == [2, 1, 1]


@pytest.mark.one_platform
def test_a_part_that_is_alone_is_not_written_again(db: Session) -> None:
    day = TODAY - timedelta(days=3)
    db.as_owner().run("insert into private.expired_prompts_daily values (%s, 'total', '', '1', 1, 0, 0, 0, 0)", [day])
    db.value("select private.roll_up_prompts(%s)", [[day]])
    assert db.column("select expired_by::text from private.expired_prompts_daily") == ["1"]
