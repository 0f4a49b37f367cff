-- 06_indexes_and_performance.sql: every index, and the query that each one serves; maintenance, retention, archive.
--
-- What has no index here has a reason: a unique rule already leads with the column (user_profiles, user_preferences,
-- api_configurations, the catalogues), or an index would cost more than it gives (prompt_history.status).
-- Every foreign key is covered, or deleting an account would scan the table.
--
-- After the tables: Rollups (usage, prompts, activity, a run), Analytics, Statistics, Maintenance,
-- Retention and archive, Growth, Performance readers.
--
-- Needs 01 to 05. Policies and grants are in 07: same tables, order and banners.

set search_path = pg_catalog, pg_temp;

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('public.feedback_analytics') is null;
end
$$;

do $$
begin
    if to_regclass('public.feedback_analytics') is null then
        raise exception '06_indexes_and_performance.sql needs 05_feedback_system.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/05_feedback_system.sql';
    end if;
end
$$;

-- archive.unmigrated -----------------------------------------------------------
-- The export of what is held about a user; the cascade.
create index if not exists idx_unmigrated_user_id
on archive.unmigrated (user_id);

-- user_sessions ----------------------------------------------------------------
-- The session list, newest first; the policies; the cascade.
create index if not exists idx_user_sessions_user_id_signed_in_at
on public.user_sessions (user_id, signed_in_at desc);

-- api_usage_logs ---------------------------------------------------------------
-- A user's usage over some days; the policy; the cascade. Nothing else: partitions find the month, and each further
-- index costs every logged call. Not BRIN, which decays once freed space is filled with newer rows.
create index if not exists idx_api_usage_logs_user_id_created_at
on public.api_usage_logs (user_id, created_at);

-- prompt_history ---------------------------------------------------------------
-- History pages by OFFSET or by (created_at, id), all four policies, retention by age, the cascade.
-- No index on status, and no INCLUDE: pending to completed would no longer be a HOT update, and a covered prompt
-- over 2.7 kB could not be inserted at all.
create index if not exists idx_prompt_history_user_id_created_at_id
on public.prompt_history (user_id, created_at desc, id desc);

-- prompt_templates -------------------------------------------------------------
-- "My templates"; the policies; the cascade.
create index if not exists idx_prompt_templates_user_id
on public.prompt_templates (user_id);

-- The gallery of shared templates, most used first; the other half of the SELECT policy.
create index if not exists idx_prompt_templates_public_usage_count
on public.prompt_templates (usage_count desc)
where is_public and is_active;

-- prompt_search ----------------------------------------------------------------
-- Searches of one user for rare words. For common ones it is cheaper to walk the user's rows in time order: the next.
create index if not exists idx_prompt_search_user_id_words
on private.prompt_search using gin (user_id, words);

-- Searches for common words, newest first; the cascade from auth.users.
create index if not exists idx_prompt_search_user_id_created_at_history_id
on private.prompt_search (user_id, created_at desc, history_id desc);

-- feedback_categories ----------------------------------------------------------
-- The children of a category; the foreign key.
create index if not exists idx_feedback_categories_parent_id
on public.feedback_categories (parent_id);

-- feedback ---------------------------------------------------------------------
-- "My feedback", newest first; the policies; ON DELETE SET NULL.
create index if not exists idx_feedback_user_id_created_at
on public.feedback (user_id, created_at desc);

-- The triage queue: what is not done yet, oldest first.
create index if not exists idx_feedback_unfinished_created_at
on public.feedback (created_at)
where status in ('open', 'in_progress');

-- Messages under a topic; ON DELETE SET NULL.
create index if not exists idx_feedback_category_id
on public.feedback (category_id);

-- What a member of staff answered; ON DELETE SET NULL.
create index if not exists idx_feedback_admin_user_id
on public.feedback (admin_user_id);

-- feedback_tag_assignments -----------------------------------------------------
-- Messages with a label; the cascade from feedback_tags. The unique rule leads with feedback_id.
create index if not exists idx_feedback_tag_assignments_tag_id
on public.feedback_tag_assignments (tag_id);

-- archive.api_usage_logs -------------------------------------------------------
-- A user's usage over months that were archived; the cascade. Months bring theirs along when they are attached.
create index if not exists idx_archive_api_usage_logs_user_id_created_at
on archive.api_usage_logs (user_id, created_at);

-- archive.prompt_history -------------------------------------------------------
-- The cascade; a person's data.
create index if not exists idx_archive_prompt_history_user_id
on archive.prompt_history (user_id);

-- Rollups ----------------------------------------------------------------------
-- Figures by day (UTC), worked out again from the raw rows for the days that changed, and for no others. They equal
-- what one would count in the raw rows, as long as these are kept; then the figures stay as they are.
--
--   How a changed day is known. A row of today needs no mark: every run counts the latest days anyway. What is written
--   to another day marks it, once for each transaction, so that nobody ever waits for a mark of somebody else's, and a
--   run takes away only marks whose rows it sees. The conditions of the triggers keep this off the path of a new row.
--   How its rows are found. By the month's partition, or by an index on the time; never by reading the whole table.

-- The rows of a day that changed; cleaning up by age. created_at never changes, so updates stay HOT.
create index if not exists idx_prompt_history_created_at
on public.prompt_history (created_at);

create index if not exists idx_user_sessions_signed_in_at
on public.user_sessions (signed_in_at);

create index if not exists idx_feedback_created_at
on public.feedback (created_at);

create table if not exists private.rollups (
    source varchar(20) primary key,
    rolled_up_to date not null,
    frozen_before date,
    constraint rollups_source_is_known check (source in ('usage', 'prompts', 'activity', 'feedback')),
    constraint rollups_frozen_before_is_rolled_up check (frozen_before <= rolled_up_to)
);

alter table private.rollups enable row level security;

comment on table private.rollups is 'How far the figures by day have come.';
comment on column private.rollups.source is 'usage, prompts, activity or feedback.';
comment on column private.rollups.rolled_up_to is 'The day (UTC) of the latest run.';
comment on column private.rollups.frozen_before is
'Days before this one are not counted again: their raw rows may be gone. Null: every day is.';

create table if not exists private.changed_days (
    source varchar(20) not null,
    day date not null,
    changed_by xid8 not null default pg_current_xact_id(),
    changed_at timestamptz not null default now(),
    primary key (source, day, changed_by),
    constraint changed_days_source_is_known check (source in ('usage', 'prompts', 'activity', 'feedback'))
);

alter table private.changed_days enable row level security;

comment on table private.changed_days is 'Days that a run must count again, because their rows have changed.';
comment on column private.changed_days.source is 'Which figures, as in rollups.';
comment on column private.changed_days.day is 'The day (UTC).';
comment on column private.changed_days.changed_by is
'The transaction that changed it. Each has its own mark, so that none waits for another.';
comment on column private.changed_days.changed_at is 'When that transaction began: since then the day waits.';

create or replace function private.tg_mark_changed_day()
returns trigger
language plpgsql
volatile
-- Definer: clients have no access to the marks.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_times timestamptz[];
begin
    -- Of the whole row only the time is looked at: it may hold megabytes.
    if tg_argv[0] = 'activity' then
        v_times := array[old.signed_in_at, new.signed_in_at];
    else
        v_times := array[old.created_at, new.created_at];
    end if;

    insert into private.changed_days (source, day)
    select tg_argv[0], (changed.at at time zone 'utc')::date
    from unnest(v_times) as changed (at)
    where changed.at is not null
    on conflict do nothing;
    return null;  -- ignored: the trigger fires after the statement
end
$$;

comment on function private.tg_mark_changed_day() is
'Trigger: marks the day of a row that is not of today. Its argument: which figures.';

create or replace function private.tg_mark_days_of_gone_rows()
returns trigger
language plpgsql
volatile
-- Definer: clients have no access to the marks.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_argv[0] = 'activity' then
        insert into private.changed_days (source, day)
        select distinct tg_argv[0], (gone.signed_in_at at time zone 'utc')::date
        from gone
        where (gone.signed_in_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
        on conflict do nothing;
    else
        insert into private.changed_days (source, day)
        select distinct tg_argv[0], (gone.created_at at time zone 'utc')::date
        from gone
        where (gone.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
        on conflict do nothing;
    end if;
    return null;  -- ignored: the trigger fires after the statement
end
$$;

comment on function private.tg_mark_days_of_gone_rows() is
'Trigger: marks the days of deleted rows that are not of today. Its argument: which figures.';

-- The condition is read anew, from its text, in every statement, so it is short: log_api_usage() stamps with now().
create or replace trigger mark_late_api_usage_log
after insert on public.api_usage_logs
for each row
when (new.created_at <> now())
execute function private.tg_mark_changed_day('usage');

create or replace trigger mark_changed_api_usage_log
after update on public.api_usage_logs
for each row
when (
    (old.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
    or (new.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
)
execute function private.tg_mark_changed_day('usage');

-- A row that moves to another month is deleted there and inserted here, and no trigger sees it go but this.
create or replace trigger mark_moved_api_usage_logs
after update on public.api_usage_logs
referencing old table as gone
for each statement execute function private.tg_mark_days_of_gone_rows('usage');

create or replace trigger mark_gone_api_usage_logs
after delete on public.api_usage_logs
referencing old table as gone
for each statement execute function private.tg_mark_days_of_gone_rows('usage');

create or replace trigger mark_late_user_session
after insert on public.user_sessions
for each row
when ((new.signed_in_at at time zone 'utc')::date <> (now() at time zone 'utc')::date)
execute function private.tg_mark_changed_day('activity');

create or replace trigger mark_changed_user_session
after update on public.user_sessions
for each row
when (
    (old.signed_in_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
    or (new.signed_in_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
)
execute function private.tg_mark_changed_day('activity');

create or replace trigger mark_gone_user_sessions
after delete on public.user_sessions
referencing old table as gone
for each statement execute function private.tg_mark_days_of_gone_rows('activity');

create or replace trigger mark_late_prompt
after insert on public.prompt_history
for each row
when ((new.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date)
execute function private.tg_mark_changed_day('prompts');

create or replace trigger mark_changed_prompt
after update on public.prompt_history
for each row
when (
    (old.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
    or (new.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
)
execute function private.tg_mark_changed_day('prompts');

create or replace trigger mark_gone_prompts
after delete on public.prompt_history
referencing old table as gone
for each statement execute function private.tg_mark_days_of_gone_rows('prompts');

create or replace trigger mark_late_feedback
after insert on public.feedback
for each row
when ((new.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date)
execute function private.tg_mark_changed_day('feedback');

create or replace trigger mark_changed_feedback
after update on public.feedback
for each row
when (
    (old.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
    or (new.created_at at time zone 'utc')::date <> (now() at time zone 'utc')::date
)
execute function private.tg_mark_changed_day('feedback');

create or replace trigger mark_gone_feedback
after delete on public.feedback
referencing old table as gone
for each statement execute function private.tg_mark_days_of_gone_rows('feedback');

-- Rollups: usage ---------------------------------------------------------------
create table if not exists private.usage_daily (
    day date not null,
    provider varchar(50) not null,
    requests bigint not null,
    errors bigint not null,
    users bigint not null,
    primary key (day, provider),
    constraint usage_daily_errors_are_part_of_requests check (errors between 0 and requests)
);

alter table private.usage_daily enable row level security;

comment on table private.usage_daily is 'Calls by day and provider. Stays when raw rows or accounts go.';
comment on column private.usage_daily.day is 'The day (UTC).';
comment on column private.usage_daily.provider is 'Provider that was called.';
comment on column private.usage_daily.requests is 'Calls.';
comment on column private.usage_daily.errors is 'Of these, how many failed: status 400 and above, or an error message.';
comment on column private.usage_daily.users is 'How many users made them.';

create table if not exists private.latency_daily (
    day date not null,
    provider varchar(50) not null,
    bucket smallint not null,
    requests bigint not null,
    primary key (day, provider, bucket)
);

alter table private.latency_daily enable row level security;

comment on table private.latency_daily is
'Response times by day and provider, in buckets each 4% wider than the last: percentiles of any span, within 2%.';
comment on column private.latency_daily.day is 'The day (UTC).';
comment on column private.latency_daily.provider is 'Provider that was called.';
comment on column private.latency_daily.bucket is
'Times above 1.04^(bucket - 1) and up to 1.04^bucket milliseconds; -1 for none at all.';
comment on column private.latency_daily.requests is 'Calls that took so long.';

create table if not exists private.user_usage_daily (
    day date not null,
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null,
    requests bigint not null,
    errors bigint not null,
    primary key (day, user_id, provider),
    constraint user_usage_daily_errors_are_part_of_requests check (errors between 0 and requests)
);

alter table private.user_usage_daily enable row level security;

comment on table private.user_usage_daily is 'Calls by day, user and provider.';
comment on column private.user_usage_daily.day is 'The day (UTC).';
comment on column private.user_usage_daily.user_id is 'Who made the calls. The rows go when the account goes.';
comment on column private.user_usage_daily.provider is 'Provider that was called.';
comment on column private.user_usage_daily.requests is 'Calls.';
comment on column private.user_usage_daily.errors is 'Of these, how many failed.';

-- The cascade; when a user was active.
create index if not exists idx_user_usage_daily_user_id_day
on private.user_usage_daily (user_id, day);

create or replace function private.roll_up_usage(days date[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz := (select min(day) from unnest(days) as day)::timestamp at time zone 'utc';
    v_to timestamptz := ((select max(day) from unnest(days) as day) + 1)::timestamp at time zone 'utc';
    v_rows bigint;
begin
    -- One statement, so that all three tables tell of the same rows, and these are read once.
    with counted as materialized (
        select
            (log.created_at at time zone 'utc')::date as day,
            log.user_id,
            log.provider,
            log.response_time_ms,
            count(*) as requests,
            count(*) filter (where log.status_code >= 400 or log.error_message is not null) as errors
        from public.api_usage_logs as log
        where log.created_at >= v_from
            and log.created_at < v_to
            and (log.created_at at time zone 'utc')::date = any(days)
        group by 1, 2, 3, 4
    ),

    by_user as materialized (
        select
            counted.day,
            counted.user_id,
            counted.provider,
            sum(counted.requests)::bigint as requests,
            sum(counted.errors)::bigint as errors
        from counted
        group by 1, 2, 3
    ),

    totals as materialized (
        select
            by_user.day,
            by_user.provider,
            sum(by_user.requests)::bigint as requests,
            sum(by_user.errors)::bigint as errors,
            count(*) as users
        from by_user
        group by 1, 2
    ),

    times as materialized (
        select
            counted.day,
            counted.provider,
            case when counted.response_time_ms = 0 then -1
                else ceil(ln(counted.response_time_ms::double precision) / ln(1.04::double precision))
            end::smallint as bucket,
            sum(counted.requests)::bigint as requests
        from counted
        where counted.response_time_ms is not null
        group by 1, 2, 3
    ),

    written_by_user as (
        insert into private.user_usage_daily as known (day, user_id, provider, requests, errors)
        select by_user.day, by_user.user_id, by_user.provider, by_user.requests, by_user.errors
        from by_user
        on conflict on constraint user_usage_daily_pkey do update
        set requests = excluded.requests, errors = excluded.errors
        where (known.requests, known.errors) is distinct from (excluded.requests, excluded.errors)
        returning known.day
    ),

    gone_by_user as (
        delete from private.user_usage_daily as known
        where known.day = any(days) and not exists (
            select from by_user
            where by_user.day = known.day and by_user.user_id = known.user_id and by_user.provider = known.provider
        )
        returning known.day
    ),

    written_totals as (
        insert into private.usage_daily as known (day, provider, requests, errors, users)
        select totals.day, totals.provider, totals.requests, totals.errors, totals.users
        from totals
        on conflict on constraint usage_daily_pkey do update
        set requests = excluded.requests, errors = excluded.errors, users = excluded.users
        where (known.requests, known.errors, known.users)
            is distinct from (excluded.requests, excluded.errors, excluded.users)
        returning known.day
    ),

    gone_totals as (
        delete from private.usage_daily as known
        where known.day = any(days) and not exists (
            select from totals
            where totals.day = known.day and totals.provider = known.provider
        )
        returning known.day
    ),

    written_times as (
        insert into private.latency_daily as known (day, provider, bucket, requests)
        select times.day, times.provider, times.bucket, times.requests
        from times
        on conflict on constraint latency_daily_pkey do update
        set requests = excluded.requests
        where known.requests <> excluded.requests
        returning 1
    ),

    gone_times as (
        delete from private.latency_daily as known
        where known.day = any(days) and not exists (
            select from times
            where times.day = known.day and times.provider = known.provider and times.bucket = known.bucket
        )
        returning 1
    ),

    -- Who called a provider was active. The totals as well: rows by user may have gone with their account.
    activity as (
        insert into private.changed_days (source, day)
        select 'activity', touched.day from written_by_user as touched
        union
        select 'activity', touched.day from gone_by_user as touched
        union
        select 'activity', touched.day from written_totals as touched
        union
        select 'activity', touched.day from gone_totals as touched
        on conflict do nothing
    )

    select
        (select count(*) from written_by_user) + (select count(*) from gone_by_user)
        + (select count(*) from written_totals) + (select count(*) from gone_totals)
        + (select count(*) from written_times) + (select count(*) from gone_times)
    into v_rows;
    return v_rows;
end
$$;

comment on function private.roll_up_usage(date[]) is
'Counts the calls of these days again; days of one month are read in one go. Returns how many figures changed.';

-- Rollups: prompts -------------------------------------------------------------
-- No table of these figures by user: who keeps prompts for a day does not want to be counted by name for three years.
create table if not exists private.prompts_daily (
    day date not null,
    dimension varchar(20) not null,
    label varchar(50) not null,
    prompts bigint not null,
    completed bigint not null,
    failed bigint not null,
    tokens_used bigint not null,
    cost_usd numeric(20, 6) not null,
    users bigint not null,
    primary key (day, dimension, label),
    constraint prompts_daily_dimension_is_known check (dimension in ('total', 'provider', 'framework', 'model')),
    constraint prompts_daily_outcomes_are_part_of_prompts check (completed + failed <= prompts)
);

alter table private.prompts_daily enable row level security;

comment on table private.prompts_daily is
'Prompts by day, in all and by provider, framework and model. Stays when raw rows or accounts go.';
comment on column private.prompts_daily.day is 'The day (UTC).';
comment on column private.prompts_daily.dimension is 'total, provider, framework or model.';
comment on column private.prompts_daily.label is 'Which provider, framework or model; empty for the total.';
comment on column private.prompts_daily.prompts is 'Prompts that were made.';
comment on column private.prompts_daily.completed is 'Of these, how many were answered.';
comment on column private.prompts_daily.failed is 'Of these, how many failed. The rest is pending.';
comment on column private.prompts_daily.tokens_used is 'Their tokens, in and out.';
comment on column private.prompts_daily.cost_usd is 'Their price in US dollars.';
comment on column private.prompts_daily.users is 'How many users made them, as long as the prompts were kept.';

create table if not exists private.expired_prompts_daily (
    day date not null,
    dimension varchar(20) not null,
    label varchar(50) not null,
    expired_by xid8 not null default pg_current_xact_id(),
    prompts bigint not null,
    completed bigint not null,
    failed bigint not null,
    tokens_used bigint not null,
    cost_usd numeric(20, 6) not null,
    primary key (day, dimension, label, expired_by)
);

alter table private.expired_prompts_daily enable row level security;

comment on table private.expired_prompts_daily is
'The part of prompts_daily that cannot be counted any more, because the prompts were kept for as long as was wished.';
comment on column private.expired_prompts_daily.day is 'The day (UTC) on which the prompts were made.';
comment on column private.expired_prompts_daily.dimension is 'total, provider, framework or model.';
comment on column private.expired_prompts_daily.label is 'Which provider, framework or model; empty for the total.';
comment on column private.expired_prompts_daily.expired_by is
'The transaction that removed them. Each has rows of its own, so that none waits for another.';
comment on column private.expired_prompts_daily.prompts is 'Prompts that were made.';
comment on column private.expired_prompts_daily.completed is 'Of these, how many were answered.';
comment on column private.expired_prompts_daily.failed is 'Of these, how many failed.';
comment on column private.expired_prompts_daily.tokens_used is 'Their tokens, in and out.';
comment on column private.expired_prompts_daily.cost_usd is 'Their price in US dollars.';

create or replace function private.tg_prompt_history__keep_figures()
returns trigger
language plpgsql
volatile
-- Definer: clients have no access to the figures.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- What its owner takes back is not counted any more, nor is what goes with an account. What is cleaned up because
    -- its time is over was there, and stays in the figures.
    insert into private.expired_prompts_daily as known (
        day, dimension, label, prompts, completed, failed, tokens_used, cost_usd
    )
    select
        (gone.created_at at time zone 'utc')::date,
        case
            when grouping(gone.provider) = 0 then 'provider'
            when grouping(gone.framework_id) = 0 then 'framework'
            when grouping(gone.model) = 0 then 'model'
            else 'total'
        end,
        coalesce(gone.provider, gone.framework_id, gone.model, ''),
        count(*),
        count(*) filter (where gone.status = 'completed'),
        count(*) filter (where gone.status = 'failed'),
        coalesce(sum(gone.tokens_used), 0),
        coalesce(sum(gone.cost_usd), 0)
    from gone
    inner join auth.users as account on gone.user_id = account.id
    left join public.user_preferences as preference on gone.user_id = preference.user_id
    where gone.created_at < now() - make_interval(days => coalesce(
        preference.max_history_days, private.config_integer('max_prompt_history_days', 30)
    ))
    group by grouping sets (
        ((gone.created_at at time zone 'utc')::date),
        ((gone.created_at at time zone 'utc')::date, gone.provider),
        ((gone.created_at at time zone 'utc')::date, gone.framework_id),
        ((gone.created_at at time zone 'utc')::date, gone.model)
    )
    on conflict on constraint expired_prompts_daily_pkey do update
    set
        prompts = known.prompts + excluded.prompts,
        completed = known.completed + excluded.completed,
        failed = known.failed + excluded.failed,
        tokens_used = known.tokens_used + excluded.tokens_used,
        cost_usd = known.cost_usd + excluded.cost_usd;
    return null;  -- ignored: the trigger fires after the statement
end
$$;

comment on function private.tg_prompt_history__keep_figures() is
'Trigger: prompts deleted past their owner''s max_history_days stay in the figures of their day.';

create or replace trigger keep_prompt_history_figures
after delete on public.prompt_history
referencing old table as gone
for each statement execute function private.tg_prompt_history__keep_figures();

create or replace function private.roll_up_prompts(days date[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz := (select min(day) from unnest(days) as day)::timestamp at time zone 'utc';
    v_to timestamptz := ((select max(day) from unnest(days) as day) + 1)::timestamp at time zone 'utc';
    v_rows bigint;
begin
    with there as materialized (
        select
            (history.created_at at time zone 'utc')::date as day,
            case
                when grouping(history.provider) = 0 then 'provider'
                when grouping(history.framework_id) = 0 then 'framework'
                when grouping(history.model) = 0 then 'model'
                else 'total'
            end as dimension,
            coalesce(history.provider, history.framework_id, history.model, '') as label,
            count(*) as prompts,
            count(*) filter (where history.status = 'completed') as completed,
            count(*) filter (where history.status = 'failed') as failed,
            coalesce(sum(history.tokens_used), 0) as tokens_used,
            coalesce(sum(history.cost_usd), 0) as cost_usd,
            count(distinct history.user_id) as users
        from public.prompt_history as history
        where history.created_at >= v_from
            and history.created_at < v_to
            and (history.created_at at time zone 'utc')::date = any(days)
        group by grouping sets (
            ((history.created_at at time zone 'utc')::date),
            ((history.created_at at time zone 'utc')::date, history.provider),
            ((history.created_at at time zone 'utc')::date, history.framework_id),
            ((history.created_at at time zone 'utc')::date, history.model)
        )
    ),

    expired as (
        select
            part.day,
            part.dimension,
            part.label,
            sum(part.prompts)::bigint as prompts,
            sum(part.completed)::bigint as completed,
            sum(part.failed)::bigint as failed,
            sum(part.tokens_used)::bigint as tokens_used,
            sum(part.cost_usd) as cost_usd
        from private.expired_prompts_daily as part
        where part.day = any(days)
        group by 1, 2, 3
    ),

    figures as materialized (
        select
            day,
            dimension,
            label,
            coalesce(there.prompts, 0) + coalesce(expired.prompts, 0) as prompts,
            coalesce(there.completed, 0) + coalesce(expired.completed, 0) as completed,
            coalesce(there.failed, 0) + coalesce(expired.failed, 0) as failed,
            coalesce(there.tokens_used, 0) + coalesce(expired.tokens_used, 0) as tokens_used,
            coalesce(there.cost_usd, 0) + coalesce(expired.cost_usd, 0) as cost_usd,
            -- How many users made the prompts that are gone was counted while they were there.
            greatest(
                coalesce(there.users, 0), case when expired.prompts is not null then coalesce(known.users, 0) end
            ) as users
        from there
        full outer join expired using (day, dimension, label)
        left join private.prompts_daily as known using (day, dimension, label)
    ),

    written as (
        insert into private.prompts_daily as known (
            day, dimension, label, prompts, completed, failed, tokens_used, cost_usd, users
        )
        select
            figures.day,
            figures.dimension,
            figures.label,
            figures.prompts,
            figures.completed,
            figures.failed,
            figures.tokens_used,
            figures.cost_usd,
            figures.users
        from figures
        on conflict on constraint prompts_daily_pkey do update
        set
            prompts = excluded.prompts,
            completed = excluded.completed,
            failed = excluded.failed,
            tokens_used = excluded.tokens_used,
            cost_usd = excluded.cost_usd,
            users = excluded.users
        where known is distinct from excluded
        returning 1
    ),

    gone as (
        delete from private.prompts_daily as known
        where known.day = any(days) and not exists (
            select from figures
            where figures.day = known.day and figures.dimension = known.dimension and figures.label = known.label
        )
        returning 1
    )

    select (select count(*) from written) + (select count(*) from gone) into v_rows;

    -- What many transactions have left is put into one.
    with gone as (
        delete from private.expired_prompts_daily as part
        where part.day = any(days) and exists (
            select from private.expired_prompts_daily as other
            where other.day = part.day and other.dimension = part.dimension and other.label = part.label
                and other.expired_by <> part.expired_by
        )
        returning part.*
    )

    insert into private.expired_prompts_daily (
        day, dimension, label, prompts, completed, failed, tokens_used, cost_usd
    )
    select
        gone.day,
        gone.dimension,
        gone.label,
        sum(gone.prompts),
        sum(gone.completed),
        sum(gone.failed),
        sum(gone.tokens_used),
        sum(gone.cost_usd)
    from gone
    group by 1, 2, 3;
    return v_rows;
end
$$;

comment on function private.roll_up_prompts(date[]) is
'Counts the prompts of these days again, and adds what has expired. Returns how many figures changed.';

-- Rollups: activity ------------------------------------------------------------
create table if not exists private.user_sign_ins_daily (
    day date not null,
    user_id uuid not null references auth.users (id) on delete cascade,
    sign_ins bigint not null,
    primary key (day, user_id)
);

alter table private.user_sign_ins_daily enable row level security;

comment on table private.user_sign_ins_daily is 'Sign-ins by day and user.';
comment on column private.user_sign_ins_daily.day is 'The day (UTC).';
comment on column private.user_sign_ins_daily.user_id is 'Who signed in. The rows go when the account goes.';
comment on column private.user_sign_ins_daily.sign_ins is 'How many times.';

-- The cascade; when a user was active.
create index if not exists idx_user_sign_ins_daily_user_id_day
on private.user_sign_ins_daily (user_id, day);

create table if not exists private.activity_daily (
    day date primary key,
    sign_ins bigint not null,
    active_users bigint not null
);

alter table private.activity_daily enable row level security;

comment on table private.activity_daily is 'Activity by day. Stays when raw rows or accounts go.';
comment on column private.activity_daily.day is 'The day (UTC).';
comment on column private.activity_daily.sign_ins is 'Sign-ins.';
comment on column private.activity_daily.active_users is 'How many users signed in or called a provider.';

create or replace function private.roll_up_activity(days date[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz := (select min(day) from unnest(days) as day)::timestamp at time zone 'utc';
    v_to timestamptz := ((select max(day) from unnest(days) as day) + 1)::timestamp at time zone 'utc';
    v_rows bigint;
begin
    with counted as materialized (
        select
            (session.signed_in_at at time zone 'utc')::date as day,
            session.user_id,
            count(*) as sign_ins
        from public.user_sessions as session
        where session.signed_in_at >= v_from
            and session.signed_in_at < v_to
            and (session.signed_in_at at time zone 'utc')::date = any(days)
        group by 1, 2
    ),

    totals as materialized (
        select
            seen.day,
            sum(seen.sign_ins)::bigint as sign_ins,
            count(distinct seen.user_id) as active_users
        from (
            select counted.day, counted.user_id, counted.sign_ins
            from counted
            union all
            select used.day, used.user_id, 0
            from private.user_usage_daily as used
            where used.day = any(days)
        ) as seen
        group by 1
    ),

    written_by_user as (
        insert into private.user_sign_ins_daily as known (day, user_id, sign_ins)
        select counted.day, counted.user_id, counted.sign_ins
        from counted
        on conflict on constraint user_sign_ins_daily_pkey do update
        set sign_ins = excluded.sign_ins
        where known.sign_ins <> excluded.sign_ins
        returning 1
    ),

    gone_by_user as (
        delete from private.user_sign_ins_daily as known
        where known.day = any(days) and not exists (
            select from counted
            where counted.day = known.day and counted.user_id = known.user_id
        )
        returning 1
    ),

    written_totals as (
        insert into private.activity_daily as known (day, sign_ins, active_users)
        select totals.day, totals.sign_ins, totals.active_users
        from totals
        on conflict on constraint activity_daily_pkey do update
        set sign_ins = excluded.sign_ins, active_users = excluded.active_users
        where (known.sign_ins, known.active_users) is distinct from (excluded.sign_ins, excluded.active_users)
        returning 1
    ),

    gone_totals as (
        delete from private.activity_daily as known
        where known.day = any(days) and not exists (
            select from totals
            where totals.day = known.day
        )
        returning 1
    )

    select
        (select count(*) from written_by_user) + (select count(*) from gone_by_user)
        + (select count(*) from written_totals) + (select count(*) from gone_totals)
    into v_rows;
    return v_rows;
end
$$;

comment on function private.roll_up_activity(date[]) is
'Counts the sign-ins and active users of these days again. Returns how many figures changed.';

-- Rollups: a run ---------------------------------------------------------------
create or replace function private.days_with_rows(source text)
returns setof date
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    case source
        when 'usage' then
            return query select distinct (log.created_at at time zone 'utc')::date from public.api_usage_logs as log;
        when 'prompts' then
            return query
            select distinct (history.created_at at time zone 'utc')::date from public.prompt_history as history;
        when 'activity' then
            return query
            select (session.signed_in_at at time zone 'utc')::date from public.user_sessions as session
            union
            select used.day from private.user_usage_daily as used;
        when 'feedback' then
            return query select distinct (item.created_at at time zone 'utc')::date from public.feedback as item;
    end case;
end
$$;

comment on function private.days_with_rows(text) is 'Every day that has raw rows, for the first run: reads the table.';

create or replace function private.first_day_kept(source text)
returns date
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Retention takes whole months of usage logs, and single sign-ins. Prompts that expire are kept in the figures.
    select case source
        when 'usage' then date_trunc('month', today.day - make_interval(
            days => private.config_integer('retention_days_api_usage_logs', 90)
        ))::date
        when 'activity' then today.day::date - private.config_integer('retention_days_user_sessions', 90) + 1
    end
    from (select date_trunc('day', now() at time zone 'utc') as day) as today
$$;

comment on function private.first_day_kept(text) is
'The first day (UTC) of which retention takes no raw rows; null where it takes none, or the figures need none.';

create or replace function private.forget_rollups(source text, before date)
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table regclass;
    v_gone bigint;
    v_rows bigint := 0;
begin
    foreach v_table in array case source
        when 'usage' then array[
            'private.usage_daily', 'private.latency_daily', 'private.user_usage_daily'
        ]::regclass[]
        when 'prompts' then array['private.prompts_daily', 'private.expired_prompts_daily']::regclass[]
        when 'activity' then array['private.activity_daily', 'private.user_sign_ins_daily']::regclass[]
        else '{}'::regclass[]
    end loop
        execute format('delete from %s where day < $1', v_table) using before;
        get diagnostics v_gone = row_count;
        v_rows := v_rows + v_gone;
    end loop;
    return v_rows;
end
$$;

comment on function private.forget_rollups(text, date) is 'Deletes the figures of the days before. Returns how many.';

create or replace function private.roll_up(source text, deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today date := (now() at time zone 'utc')::date;
    v_oldest date := v_today - private.config_integer('retention_days_rollups', 1095);
    v_latest date;
    v_state private.rollups;
    v_part record;
begin
    rows := 0;
    is_complete := true;

    insert into private.rollups (source, rolled_up_to)
    values (roll_up.source, v_today)
    on conflict on constraint rollups_pkey do nothing;
    if found then
        insert into private.changed_days (source, day)
        select roll_up.source, there.day from private.days_with_rows(roll_up.source) as there (day)
        on conflict do nothing;
    end if;
    -- One run at a time: of two, the one that began earlier could write what it counted last.
    select known.* into v_state from private.rollups as known where known.source = roll_up.source for update;
    v_oldest := greatest(v_oldest, v_state.frozen_before);
    v_latest := least(v_state.rolled_up_to, v_today) - private.config_integer('rollup_recompute_days', 2) + 1;

    for v_part in
        -- The latest days first: those are looked at.
        select
            due.is_latest,
            date_trunc('month', due.day::timestamp) as month,
            array_agg(due.day) as days
        from (
            select latest.day::date as day, true as is_latest
            from generate_series(v_latest::timestamp, v_today::timestamp, interval '1 day') as latest (day)
            union
            select changed.day, changed.day between v_latest and v_today
            from private.changed_days as changed
            where changed.source = roll_up.source and changed.day >= v_oldest
        ) as due
        group by 1, 2
        order by 1 desc, 2 desc
    loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        -- First the marks, then the rows: what is committed in between is counted, and counted again.
        delete from private.changed_days as changed
        where changed.source = roll_up.source and changed.day = any(v_part.days);
        rows := rows + case source
            when 'usage' then private.roll_up_usage(v_part.days)
            when 'prompts' then private.roll_up_prompts(v_part.days)
            when 'activity' then private.roll_up_activity(v_part.days)
            when 'feedback' then private.roll_up_feedback(v_part.days)
        end;
    end loop;

    -- All the latest days are done, or none of what follows.
    if is_complete or not v_part.is_latest then
        update private.rollups as known
        set rolled_up_to = v_today
        where known.source = roll_up.source and known.rolled_up_to < v_today;
    end if;
    if is_complete then
        update private.rollups as known
        set frozen_before = private.first_day_kept(roll_up.source)
        where known.source = roll_up.source
            and private.first_day_kept(roll_up.source) > coalesce(known.frozen_before, '-infinity');
        delete from private.changed_days as changed
        where changed.source = roll_up.source and changed.day < v_oldest;
        rows := rows + private.forget_rollups(
            source, v_today - private.config_integer('retention_days_rollups', 1095)
        );
    end if;
    return next;
end
$$;

comment on function private.roll_up(text, timestamptz) is
'Counts again what has changed, a month at a time until the deadline. Returns how many figures changed.';

create or replace function private.step_roll_up_usage(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select run.rows, run.is_complete from private.roll_up('usage', deadline) as run
$$;

comment on function private.step_roll_up_usage(timestamptz) is 'Step of maintenance: calls by day.';

create or replace function private.step_roll_up_prompts(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select run.rows, run.is_complete from private.roll_up('prompts', deadline) as run
$$;

comment on function private.step_roll_up_prompts(timestamptz) is 'Step of maintenance: prompts by day.';

create or replace function private.step_roll_up_activity(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select run.rows, run.is_complete from private.roll_up('activity', deadline) as run
$$;

comment on function private.step_roll_up_activity(timestamptz) is
'Step of maintenance: sign-ins and active users by day; after step_roll_up_usage, because calls are activity.';

create or replace function private.step_feedback_analytics(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select run.rows, run.is_complete from private.roll_up('feedback', deadline) as run
$$;

comment on function private.step_feedback_analytics(timestamptz) is 'Step of maintenance: feedback_analytics.';

-- Analytics --------------------------------------------------------------------
-- What staff are shown, small enough to be made anew each day. Nothing in them names a person: what an account leaves
-- in a materialized view would outlive the account until the next run.
create materialized view if not exists private.weekly_retention as
with account as (
    select
        person.id,
        date_trunc('week', person.created_at at time zone 'utc')::date as sign_up_week
    from auth.users as person
    where person.created_at >= now() - interval '53 weeks' and person.deleted_at is null
),

cohort as (
    select
        account.sign_up_week,
        count(*) as account_count
    from account
    group by account.sign_up_week
),

seen as (
    select
        used.user_id,
        date_trunc('week', used.day::timestamp)::date as monday
    from private.user_usage_daily as used
    union
    select
        signed.user_id,
        date_trunc('week', signed.day::timestamp)::date as monday
    from private.user_sign_ins_daily as signed
),

active as (
    select
        account.sign_up_week,
        seen.monday,
        count(*) as active_users
    from seen
    inner join account on seen.user_id = account.id
    group by account.sign_up_week, seen.monday
)

select
    cohort.sign_up_week,
    elapsed.weeks as weeks_later,
    cohort.account_count,
    coalesce(active.active_users, 0) as active_users
from cohort
cross join
    generate_series(
        0, (date_trunc('week', now() at time zone 'utc')::date - cohort.sign_up_week) / 7
    ) as elapsed (weeks)
left join active
    on cohort.sign_up_week = active.sign_up_week and cohort.sign_up_week + elapsed.weeks * 7 = active.monday;

comment on materialized view private.weekly_retention is
'Of the accounts made in a week of the last year, how many were active so many weeks later. Weeks: Monday, UTC.';
comment on column private.weekly_retention.sign_up_week is 'The Monday of the week in which the accounts were made.';
comment on column private.weekly_retention.weeks_later is 'Weeks since then; 0 is the same week.';
comment on column private.weekly_retention.account_count is 'Accounts made in that week that still exist.';
comment on column private.weekly_retention.active_users is 'How many of them signed in or called a provider.';

-- Refreshing it while it is read.
create unique index if not exists idx_weekly_retention_sign_up_week_weeks_later
on private.weekly_retention (sign_up_week, weeks_later);

-- Staff may read who called a provider on a day, and must not find out what that one used a prompt for. So nothing is
-- shown of fewer than five users, and nothing from which that could be worked out: of a day, the parts with fewer are
-- put together with the next larger one, so that no part is the difference of two others. Today is not over, and could
-- be watched growing by one prompt. A setting would be no safeguard: staff write the settings.
create materialized view if not exists private.published_prompts as
with known as (
    select
        'framework' as dimension,
        framework.name as label
    from public.prompt_frameworks as framework
    union
    select
        'provider' as dimension,
        provider.name as label
    from public.api_providers as provider
    union
    select
        'model' as dimension,
        listed.model ->> 'id' as label
    from public.api_providers as provider
    cross join jsonb_array_elements(provider.supported_models) as listed (model)
    union
    select
        'total' as dimension,
        '' as label
),

named as (
    select
        figures.day,
        figures.dimension,
        -- Users may write any name; only those of the catalogue are nobody's words.
        coalesce(known.label, 'other') as label,
        sum(figures.prompts) as prompts,
        sum(figures.completed) as completed,
        sum(figures.failed) as failed,
        sum(figures.tokens_used) as tokens_used,
        sum(figures.cost_usd) as cost_usd,
        max(figures.users) >= 5 as has_enough
    from private.prompts_daily as figures
    left join known on figures.dimension = known.dimension and figures.label = known.label
    where figures.day < (now() at time zone 'utc')::date
    group by figures.day, figures.dimension, coalesce(known.label, 'other')
),

ranked as (
    select
        named.*,
        not bool_and(named.has_enough) over whole
        and row_number() over (
            partition by named.day, named.dimension
            order by named.has_enough desc, named.prompts asc, named.label asc
        ) = 1 as fills_up
    from named
    inner join named as total on named.day = total.day and total.dimension = 'total' and total.has_enough
    window whole as (partition by named.day, named.dimension)
)

select
    ranked.day,
    ranked.dimension,
    case when ranked.has_enough and not ranked.fills_up then ranked.label else 'few users' end as label,
    sum(ranked.prompts)::bigint as prompts,
    sum(ranked.completed)::bigint as completed,
    sum(ranked.failed)::bigint as failed,
    sum(ranked.tokens_used)::bigint as tokens_used,
    sum(ranked.cost_usd) as cost_usd
from ranked
group by
    ranked.day,
    ranked.dimension,
    case when ranked.has_enough and not ranked.fills_up then ranked.label else 'few users' end;

comment on materialized view private.published_prompts is
'prompts_daily as staff may see it: nothing of fewer than five users, and no names but those of the catalogue.';
comment on column private.published_prompts.day is 'The day (UTC); days with fewer than five users are left out.';
comment on column private.published_prompts.dimension is 'total, provider, framework or model.';
comment on column private.published_prompts.label is
'As in prompts_daily; other where the catalogue has no such name, few users for what is put together.';
comment on column private.published_prompts.prompts is 'Prompts that were made.';
comment on column private.published_prompts.completed is 'Of these, how many were answered.';
comment on column private.published_prompts.failed is 'Of these, how many failed.';
comment on column private.published_prompts.tokens_used is 'Their tokens, in and out.';
comment on column private.published_prompts.cost_usd is 'Their price in US dollars.';

-- Refreshing it while it is read; the days that staff ask for.
create unique index if not exists idx_published_prompts_day_dimension_label
on private.published_prompts (day, dimension, label);

create or replace function private.step_refresh_views(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_view regclass;
begin
    rows := 0;
    is_complete := true;
    foreach v_view in array array['private.weekly_retention', 'private.published_prompts']::regclass[] loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        rows := rows - pg_stat_get_xact_tuples_inserted(v_view) - pg_stat_get_xact_tuples_deleted(v_view);
        -- Concurrently: who reads it meanwhile does not wait, and rows that did not change are not written.
        execute format('refresh materialized view concurrently %s', v_view);
        rows := rows + pg_stat_get_xact_tuples_inserted(v_view) + pg_stat_get_xact_tuples_deleted(v_view);
    end loop;
    return next;
end
$$;

comment on function private.step_refresh_views(timestamptz) is
'Step of maintenance: refreshes the materialized views; after the rollups.';

create or replace function private.require_staff()
returns void
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not private.is_staff_account() then
        raise exception 'only staff may do this'
            using errcode = 'insufficient_privilege', hint = 'Sign in with a staff account.';
    end if;
end
$$;

comment on function private.require_staff() is 'Raises an error when the account in the token is not staff now.';

create or replace function private.get_user_activity(days integer)
returns jsonb
language plpgsql
stable
-- Definer: the figures are in private. Names nobody.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_to date := (now() at time zone 'utc')::date;
    v_from date := v_to - days + 1;
begin
    perform private.require_staff();
    return (
        with seen as (
            select used.user_id, used.day
            from private.user_usage_daily as used
            where used.day between v_from and v_to
            union
            select signed.user_id, signed.day
            from private.user_sign_ins_daily as signed
            where signed.day between v_from and v_to
        ),

        account as (
            select
                (person.created_at at time zone 'utc')::date as day,
                count(*) as sign_ups
            from auth.users as person
            where person.created_at >= v_from::timestamp at time zone 'utc' and person.deleted_at is null
            group by 1
        ),

        by_day as (
            select
                calendar.day::date as day,
                coalesce(account.sign_ups, 0) as sign_ups,
                coalesce(figures.sign_ins, 0) as sign_ins,
                coalesce(figures.active_users, 0) as active_users
            from generate_series(v_from::timestamp, v_to::timestamp, interval '1 day') as calendar (day)
            left join private.activity_daily as figures on calendar.day::date = figures.day
            left join account on calendar.day::date = account.day
        ),

        cohort as (
            select
                retention.sign_up_week,
                retention.account_count as accounts,
                jsonb_agg(retention.active_users order by retention.weeks_later) as active_users
            from private.weekly_retention as retention
            where retention.sign_up_week >= date_trunc('week', v_from::timestamp)::date
            group by 1, 2
        )

        select jsonb_build_object(
            'days', get_user_activity.days,
            'from', v_from,
            'to', v_to,
            'sign_ups', (select sum(by_day.sign_ups) from by_day),
            'sign_ins', (select sum(by_day.sign_ins) from by_day),
            'active_users', (select count(distinct seen.user_id) from seen),
            'active_days_per_active_user', (
                select round(count(*)::numeric / nullif(count(distinct seen.user_id), 0), 2) from seen
            ),
            'by_day', (select jsonb_agg(to_jsonb(by_day) order by by_day.day) from by_day),
            'retention', coalesce(
                (select jsonb_agg(to_jsonb(cohort) order by cohort.sign_up_week) from cohort), '[]'
            )
        )
    );
end
$$;

revoke all on function private.get_user_activity(integer) from public;

comment on function private.get_user_activity(integer) is 'Worker of public.get_user_activity.';

create or replace function public.get_user_activity(days integer default 30)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_user_activity(private.check_days(days));

comment on function public.get_user_activity(integer) is
'Staff: sign-ups, sign-ins and active users of so many days up to today (UTC), and how many of each week''s new '
'accounts were active 0, 1, 2, … weeks later. As of the latest run of maintenance.';

create or replace function private.get_api_analytics(days integer)
returns jsonb
language plpgsql
stable
-- Definer: the figures are in private. Names nobody.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_to date := (now() at time zone 'utc')::date;
    v_from date := v_to - days + 1;
begin
    perform private.require_staff();
    return (
        -- By day and provider, by day, by provider, and in all, which is there without a call as well: a null stands
        -- for all of them.
        with calls as (
            select
                figures.day,
                figures.provider,
                coalesce(sum(figures.requests), 0) as requests,
                coalesce(sum(figures.errors), 0) as errors
            from private.usage_daily as figures
            where figures.day between v_from and v_to
            group by cube (figures.day, figures.provider)
        ),

        times as (
            select
                figures.day,
                figures.provider,
                figures.bucket,
                sum(figures.requests) as requests
            from private.latency_daily as figures
            where figures.day between v_from and v_to
            group by cube (figures.day, figures.provider), figures.bucket
        ),

        running as (
            select
                times.day,
                times.provider,
                -- The middle of the bucket, from which its ends are equally far in percent.
                case when times.bucket < 0 then 0 else round(2 * power(1.04, times.bucket) / 2.04) end as ms,
                sum(times.requests) over (partition by times.day, times.provider order by times.bucket)
                / sum(times.requests) over (partition by times.day, times.provider) as share
            from times
        ),

        percentiles as (
            select
                running.day,
                running.provider,
                min(running.ms) filter (where running.share >= 0.5) as p50_ms,
                min(running.ms) filter (where running.share >= 0.95) as p95_ms,
                min(running.ms) filter (where running.share >= 0.99) as p99_ms
            from running
            group by 1, 2
        ),

        figures as (
            select
                calls.day,
                calls.provider,
                jsonb_build_object(
                    'requests', calls.requests,
                    'errors', calls.errors,
                    'error_rate', round(calls.errors / nullif(calls.requests, 0), 4),
                    'p50_ms', percentiles.p50_ms,
                    'p95_ms', percentiles.p95_ms,
                    'p99_ms', percentiles.p99_ms
                ) as item
            from calls
            left join percentiles
                on calls.day is not distinct from percentiles.day
                and calls.provider is not distinct from percentiles.provider
        ),

        by_day as (
            select
                calendar.day::date as day,
                coalesce(
                    (array_agg(figures.item) filter (where figures.day is not null and figures.provider is null))[1],
                    '{"requests": 0, "errors": 0}'
                ) as item,
                coalesce(
                    jsonb_object_agg(figures.provider, figures.item) filter (where figures.provider is not null), '{}'
                ) as providers
            from generate_series(v_from::timestamp, v_to::timestamp, interval '1 day') as calendar (day)
            left join figures on calendar.day::date = figures.day
            group by calendar.day
        )

        select jsonb_build_object('days', get_api_analytics.days, 'from', v_from, 'to', v_to)
            || (select figures.item from figures where figures.day is null and figures.provider is null)
            || jsonb_build_object(
                'by_provider', coalesce(
                    (
                        select jsonb_object_agg(figures.provider, figures.item)
                        from figures
                        where figures.day is null and figures.provider is not null
                    ),
                    '{}'
                ),
                'by_day', (
                    select jsonb_agg(
                        jsonb_build_object('day', by_day.day, 'providers', by_day.providers) || by_day.item
                        order by by_day.day
                    )
                    from by_day
                )
            )
    );
end
$$;

revoke all on function private.get_api_analytics(integer) from public;

comment on function private.get_api_analytics(integer) is 'Worker of public.get_api_analytics.';

create or replace function public.get_api_analytics(days integer default 30)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_api_analytics(private.check_days(days));

comment on function public.get_api_analytics(integer) is
'Staff: calls, errors and response times (percentiles within 2%) of so many days up to today (UTC), by provider and '
'day. As of the latest run of maintenance.';

create or replace function private.get_prompt_analytics(days integer)
returns jsonb
language plpgsql
stable
-- Definer: the figures are in private. Tells of no group smaller than five users.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_to date := (now() at time zone 'utc')::date - 1;
    v_from date := v_to - days + 1;
begin
    perform private.require_staff();
    return (
        with sums as (
            select
                figures.day,
                figures.dimension,
                figures.label,
                sum(figures.prompts) as prompts,
                sum(figures.completed) as completed,
                sum(figures.failed) as failed,
                sum(figures.tokens_used) as tokens_used,
                sum(figures.cost_usd) as cost_usd
            from private.published_prompts as figures
            where figures.day between v_from and v_to
            group by grouping sets ((figures.day, figures.dimension, figures.label), (figures.dimension, figures.label))
        ),

        figures as (
            select
                sums.day,
                sums.dimension,
                sums.label,
                jsonb_build_object(
                    'prompts', sums.prompts,
                    'completed', sums.completed,
                    'failed', sums.failed,
                    'pending', sums.prompts - sums.completed - sums.failed,
                    'success_rate', round(sums.completed / nullif(sums.completed + sums.failed, 0), 4),
                    'tokens_used', sums.tokens_used,
                    'cost_usd', sums.cost_usd
                ) as item
            from sums
        )

        select jsonb_build_object('days', get_prompt_analytics.days, 'from', v_from, 'to', v_to)
            || coalesce(
                (select figures.item from figures where figures.day is null and figures.dimension = 'total'),
                '{"prompts": 0}'
            )
            || jsonb_build_object(
                'days_with_too_few_users', (
                    select count(*)
                    from private.prompts_daily as kept
                    where kept.day between v_from and v_to
                        and kept.dimension = 'total'
                        and not exists (
                            select from private.published_prompts as shown
                            where shown.day = kept.day
                        )
                )
            )
            || (
                select jsonb_object_agg('by_' || part.dimension, coalesce(part.items, '{}'))
                from (
                    select
                        dimension.name as dimension,
                        jsonb_object_agg(figures.label, figures.item) filter (where figures.label is not null) as items
                    from unnest(array['provider', 'framework', 'model']) as dimension (name)
                    left join figures on dimension.name = figures.dimension and figures.day is null
                    group by dimension.name
                ) as part
            )
            || jsonb_build_object(
                'by_day', coalesce(
                    (
                        select jsonb_agg(jsonb_build_object('day', figures.day) || figures.item order by figures.day)
                        from figures
                        where figures.day is not null and figures.dimension = 'total'
                    ),
                    '[]'
                )
            )
    );
end
$$;

revoke all on function private.get_prompt_analytics(integer) from public;

comment on function private.get_prompt_analytics(integer) is 'Worker of public.get_prompt_analytics.';

create or replace function public.get_prompt_analytics(days integer default 30)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_prompt_analytics(private.check_days(days));

comment on function public.get_prompt_analytics(integer) is
'Staff: prompts, success, tokens and cost of so many days up to yesterday (UTC), by provider, framework, model and '
'day. Groups of fewer than five users are put together as "few users"; days with fewer are left out. As of the '
'latest run of maintenance.';

create or replace function private.get_feedback_analytics(days integer)
returns jsonb
language plpgsql
stable
-- Definer, as the other three: one answer for staff, whatever policies say elsewhere. Names nobody.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_to date := (now() at time zone 'utc')::date;
    v_from date := v_to - days + 1;
begin
    perform private.require_staff();
    return (
        -- From the messages themselves: they are few, and categories and labels change after the day.
        with item as materialized (
            select
                feedback.id,
                (feedback.created_at at time zone 'utc')::date as day,
                feedback.feedback_type,
                feedback.priority,
                feedback.status,
                coalesce(category.name, 'none') as category,
                feedback.rating,
                feedback.status in ('resolved', 'closed') as is_resolved,
                case when feedback.responded_at is not null
                    then greatest(extract(epoch from feedback.responded_at - feedback.created_at), 0) / 3600
                end as response_hours
            from public.feedback as feedback
            left join public.feedback_categories as category on feedback.category_id = category.id
            where feedback.created_at >= v_from::timestamp at time zone 'utc'
                and feedback.created_at < (v_to + 1)::timestamp at time zone 'utc'
        ),

        part as (
            select
                case
                    when grouping(listed.day) = 0 then 'day'
                    when grouping(listed.feedback_type) = 0 then 'type'
                    when grouping(listed.priority) = 0 then 'priority'
                    when grouping(listed.status) = 0 then 'status'
                    when grouping(listed.category) = 0 then 'category'
                    else 'total'
                end as dimension,
                coalesce(
                    listed.day::text, listed.feedback_type, listed.priority, listed.status, listed.category, ''
                ) as label,
                jsonb_build_object(
                    'messages', count(*),
                    'resolved', count(*) filter (where listed.is_resolved),
                    'answered', count(listed.response_hours),
                    'average_response_hours', round(avg(listed.response_hours), 2),
                    'median_response_hours', round(
                        (percentile_cont(0.5) within group (order by listed.response_hours))::numeric, 2
                    ),
                    'rated', count(listed.rating),
                    'average_rating', round(avg(listed.rating), 2)
                ) as item
            from item as listed
            group by grouping sets (
                (), (listed.day), (listed.feedback_type), (listed.priority), (listed.status), (listed.category)
            )
            union all
            select
                'tag',
                tag.name,
                jsonb_build_object(
                    'messages', count(*),
                    'resolved', count(*) filter (where listed.is_resolved),
                    'answered', count(listed.response_hours),
                    'average_response_hours', round(avg(listed.response_hours), 2),
                    'median_response_hours', round(
                        (percentile_cont(0.5) within group (order by listed.response_hours))::numeric, 2
                    ),
                    'rated', count(listed.rating),
                    'average_rating', round(avg(listed.rating), 2)
                )
            from item as listed
            inner join public.feedback_tag_assignments as assignment on listed.id = assignment.feedback_id
            inner join public.feedback_tags as tag on assignment.tag_id = tag.id
            group by tag.name
        )

        select jsonb_build_object('days', get_feedback_analytics.days, 'from', v_from, 'to', v_to)
            || (select part.item from part where part.dimension = 'total')
            || (
                select jsonb_object_agg('by_' || listed.dimension, coalesce(listed.items, '{}'))
                from (
                    select
                        dimension.name as dimension,
                        jsonb_object_agg(part.label, part.item) filter (where part.label is not null) as items
                    from unnest(array['type', 'priority', 'status', 'category', 'tag', 'day']) as dimension (name)
                    left join part on dimension.name = part.dimension
                    group by dimension.name
                ) as listed
            )
    );
end
$$;

revoke all on function private.get_feedback_analytics(integer) from public;

comment on function private.get_feedback_analytics(integer) is 'Worker of public.get_feedback_analytics.';

create or replace function public.get_feedback_analytics(days integer default 30)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_feedback_analytics(private.check_days(days));

comment on function public.get_feedback_analytics(integer) is
'Staff: messages, answers, hours until the answer and ratings of so many days up to today (UTC), by type, priority, '
'status, category, tag and day.';

-- Statistics -------------------------------------------------------------------
-- The planner's estimates are made from statistics over all rows, whatever the policies show, and a client may ask for
-- an estimate (Prefer: count=planned). Of what people wrote, where they were and how to reach them, the common values
-- could be found by comparing estimates. No query of ours filters by these columns, so the planner loses nothing. What
-- stays guessable: which user ids exist, and how many rows each has.
alter table public.user_profiles
alter column display_name set statistics 0,
alter column avatar_url set statistics 0,
alter column bio set statistics 0;

alter table public.user_sessions
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

alter table public.api_configurations
alter column api_key_encrypted set statistics 0,
alter column validation_error set statistics 0;

alter table public.api_usage_logs
alter column endpoint set statistics 0,
alter column error_message set statistics 0;

alter table public.prompt_history
alter column user_input set statistics 0,
alter column ai_response set statistics 0,
alter column error_message set statistics 0;

alter table public.prompt_templates
alter column name set statistics 0,
alter column description set statistics 0,
alter column template_content set statistics 0;

alter table public.feedback
alter column message set statistics 0,
alter column contact_email set statistics 0,
alter column contact_name set statistics 0,
alter column user_agent set statistics 0,
alter column admin_response set statistics 0;

-- Maintenance ------------------------------------------------------------------
-- One engine, two ways to run it. daily_maintenance() does everything in the transaction of whoever calls it. The
-- scheduled job takes the same steps slice by slice with a commit after each, so that what it locks is free again after
-- a second, and a server that dies loses one slice.
--
-- A step is a function private.step_<name>(deadline) returns table (rows bigint, is_complete boolean). It stops when
-- the deadline has passed, with is_complete false, and goes on from there when it is called again.

create table if not exists private.maintenance_runs (
    id uuid default gen_random_uuid() primary key,
    started_at timestamptz not null default now(),
    deadline timestamptz not null,
    finished_at timestamptz,
    status varchar(20) not null default 'running',
    steps jsonb not null default '[]',
    backend_pid integer not null default pg_backend_pid(),
    -- A statement that commits on its way is never within a transaction: the first one begins with it.
    statement_started_at timestamptz not null default now(),
    constraint maintenance_runs_status_is_known check (
        status in ('running', 'ok', 'incomplete', 'failed', 'interrupted')
    )
);

alter table private.maintenance_runs enable row level security;

comment on table private.maintenance_runs is 'Runs of the maintenance, for 90 days.';
comment on column private.maintenance_runs.id is 'Surrogate key.';
comment on column private.maintenance_runs.started_at is 'When the run began.';
comment on column private.maintenance_runs.deadline is 'When it has to stop.';
comment on column private.maintenance_runs.finished_at is 'When it ended; null while it runs, or if it never did.';
comment on column private.maintenance_runs.status is
'running; ok; incomplete: out of time, the next run goes on; failed: a step did; interrupted: never came to its end.';
comment on column private.maintenance_runs.steps is
'JSON array of {name, status, rows, milliseconds, error}, in the order in which they ran.';

comment on column private.maintenance_runs.backend_pid is 'Process of the session that runs it.';
comment on column private.maintenance_runs.statement_started_at is
'When the statement that runs it began. A process that is in another one is not at it any more.';

-- The last run, for health_check().
create index if not exists idx_maintenance_runs_started_at
on private.maintenance_runs (started_at desc);

create or replace function private.maintenance_steps()
returns table (place integer, name text, needs text[], is_brief boolean)
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- needs: steps that must have come to their end in the same run. What sums up rows goes before what removes them.
    -- is_brief: taken even when the time is up. These change partitions and so lock tables that everybody uses; they
    -- come last, because in daily_maintenance() whatever is locked stays so to the end.
    select step.place, step.name, step.needs::text[], step.is_brief
    from (
        values
        (100, 'roll_up_usage', '{}', false),
        (110, 'roll_up_prompts', '{}', false),
        (120, 'roll_up_activity', '{roll_up_usage}', false),
        (130, 'feedback_analytics', '{}', false),
        (140, 'refresh_views', '{}', false),
        (150, 'detect_suspicious_activity', '{}', false),
        (200, 'expire_sessions', '{roll_up_activity}', false),
        (210, 'expire_counters', '{}', false),
        (220, 'expire_request_ids', '{}', false),
        (225, 'count_uses', '{}', false),
        (230, 'expire_audit_log', '{}', false),
        (240, 'expire_security_events', '{}', false),
        (250, 'expire_totals', '{}', false),
        (260, 'expire_runs', '{}', false),
        (300, 'archive_prompts', '{roll_up_prompts}', false),
        (400, 'remove_orphans', '{}', false),
        (500, 'analyze', '{}', false),
        (510, 'snapshot_sizes', '{}', false),
        (910, 'archive_usage', '{roll_up_usage}', true),
        (920, 'drop_archive', '{}', true),
        (930, 'make_months', '{}', true)
    ) as step (place, name, needs, is_brief)
    order by step.place
$$;

comment on function private.maintenance_steps() is
'The steps of the maintenance in their order: name, the steps that must be done before, whether it always has time.';

create or replace function private.maintenance_backend()
returns integer
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        -- Whoever has locked the row is named in it by its transaction.
        (
            select held.pid
            from private.locks as lock
            inner join pg_catalog.pg_locks as held on held.transactionid = lock.xmax
            where lock.name = 'maintenance'
                and held.locktype = 'transactionid' and held.granted
                and held.pid <> pg_backend_pid()
        ),
        -- A run in several transactions is without the lock from the end of one to the begin of the next.
        (
            select activity.pid
            from private.maintenance_runs as run
            inner join pg_catalog.pg_stat_activity as activity on run.backend_pid = activity.pid
            where run.status = 'running'
                and run.statement_started_at = activity.query_start
                and activity.state = 'active'
                and activity.pid <> pg_backend_pid()
        )
    )
$$;

comment on function private.maintenance_backend() is
'The process that runs the maintenance, other than this one; null where none does.';

create or replace function private.begin_maintenance(time_budget_seconds integer)
returns uuid
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_budget integer := coalesce(
        time_budget_seconds, private.config_integer('maintenance_time_budget_seconds', 1800)
    );
    -- Milliseconds; 0 for none.
    v_timeout integer := (
        select setting.setting::integer from pg_catalog.pg_settings as setting where setting.name = 'statement_timeout'
    );
    v_is_alone boolean;
    v_backend_pid integer;
    v_id uuid;
begin
    if v_budget not between 1 and 21600 then
        raise exception 'a time budget of % seconds is not possible', v_budget
            using errcode = 'invalid_parameter_value',
                hint = 'Pass 1 to 21600 seconds, or null for the configured one.';
    end if;

    perform from private.locks as held where held.name = 'maintenance' for update skip locked;
    v_is_alone := found;
    v_backend_pid := private.maintenance_backend();
    if v_backend_pid is not null or not v_is_alone then
        raise exception 'maintenance is running already'
            using errcode = 'PT409',
                detail = format('Process %s.', coalesce(v_backend_pid::text, 'unknown')),
                hint = 'Wait until it has finished.'
                    || coalesce(format(' To stop it: select pg_terminate_backend(%s)', v_backend_pid), '');
    end if;

    perform set_config('forge.maintenance_positions', '', false);
    -- Whoever was at it before is gone.
    update private.maintenance_runs
    set status = 'interrupted'
    where status = 'running';

    insert into private.maintenance_runs (started_at, deadline)
    values (
        clock_timestamp(),
        least(
            clock_timestamp() + make_interval(secs => v_budget),
            -- Stop by ourselves before the server does, which would undo everything.
            statement_timestamp() + make_interval(secs => 0.75 * nullif(v_timeout, 0) / 1000)
        )
    )
    returning id into v_id;
    return v_id;
end
$$;

comment on function private.begin_maintenance(integer) is
'Begins a run, unless one is running: then an error says so. Returns its id.';

create or replace function private.take_step(name text, deadline timestamptz)
returns jsonb
language plpgsql
volatile
security invoker
-- So that what is set below ends with this function.
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_started timestamptz := clock_timestamp();
    v_rows bigint := 0;
    v_is_complete boolean;
    v_error text;
    v_code text;
begin
    perform set_config('lock_timeout', private.config_integer('maintenance_lock_timeout_ms', 2000)::text, true);
    -- What a step did before it failed is undone; what other steps did is not.
    begin
        execute format('select step.rows, step.is_complete from private.%I($1) as step', 'step_' || take_step.name)
        into v_rows, v_is_complete
        using take_step.deadline;
    exception when others then
        get stacked diagnostics v_error = message_text, v_code = returned_sqlstate;
        v_error := format('%s (%s)', v_error, v_code);
        v_rows := 0;
    end;
    return jsonb_build_object(
        'name', take_step.name,
        'status', case when v_error is not null then 'failed' when v_is_complete then 'ok' else 'incomplete' end,
        'rows', coalesce(v_rows, 0),
        'milliseconds', round(1000 * date_part('epoch', clock_timestamp() - v_started)::numeric, 1),
        'error', v_error
    );
end
$$;

comment on function private.take_step(text, timestamptz) is
'Runs one step in a subtransaction and reports it: {name, status, rows, milliseconds, error}.';

create or replace function private.take_up_maintenance(run_id uuid)
returns private.maintenance_runs
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run private.maintenance_runs;
begin
    -- Held to the end of each transaction, and taken again in the next. Whoever asks in between is told that there is
    -- a run, and only one that could not know has ended it.
    perform from private.locks as held where held.name = 'maintenance' for update;
    select run.* into v_run
    from private.maintenance_runs as run
    where run.id = take_up_maintenance.run_id and run.status = 'running';
    if not found then
        raise exception 'another session has taken the maintenance over'
            using errcode = 'PT409', hint = 'What this run has done is done; the other one goes on from there.';
    end if;
    return v_run;
end
$$;

comment on function private.take_up_maintenance(uuid) is
'Locks out other runs for this transaction and returns the run, unless another has begun meanwhile.';

create or replace function private.continue_maintenance(run_id uuid, slice interval)
returns boolean
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run private.maintenance_runs;
    v_step record;
    v_before jsonb;
    v_entry jsonb;
    v_deadline timestamptz;
begin
    select run.* into v_run from private.take_up_maintenance(continue_maintenance.run_id) as run;

    -- The step that used up its last slice, else the next one.
    v_before := v_run.steps -> -1;
    if v_before ->> 'status' = 'running' then
        v_run.steps := v_run.steps - -1;
    else
        v_before := '{"rows": 0, "milliseconds": 0}';
    end if;
    select step.* into v_step
    from private.maintenance_steps() as step
    order by step.place
    offset jsonb_array_length(v_run.steps)
    limit 1;
    if not found then
        return false;
    end if;

    if exists (
        select from unnest(v_step.needs) as needed (name)
        where not v_run.steps @> jsonb_build_array(jsonb_build_object('name', needed.name, 'status', 'ok'))
    ) then
        v_entry := jsonb_build_object(
            'name', v_step.name, 'status', 'skipped', 'rows', 0, 'milliseconds', 0,
            'error', format('needs %s to be complete', array_to_string(v_step.needs, ', '))
        );
    elsif clock_timestamp() >= v_run.deadline and not v_step.is_brief then
        v_entry := v_before || jsonb_build_object(
            'name', v_step.name,
            'status', case when v_before ? 'name' then 'incomplete' else 'skipped' end,
            'error', 'out of time'
        );
    else
        v_deadline := case
            when v_step.is_brief then clock_timestamp() + slice
            else least(clock_timestamp() + slice, v_run.deadline)
        end;
        v_entry := private.take_step(v_step.name, v_deadline);
        -- One that stopped for another reason than time would not get further now either.
        if v_entry ->> 'status' = 'incomplete' and clock_timestamp() >= v_deadline then
            v_entry := jsonb_set(v_entry, '{status}', '"running"');
        end if;
        v_entry := v_entry || jsonb_build_object(
            'rows', (v_entry ->> 'rows')::bigint + (v_before ->> 'rows')::bigint,
            'milliseconds', (v_entry ->> 'milliseconds')::numeric + (v_before ->> 'milliseconds')::numeric
        );
    end if;

    update private.maintenance_runs as run
    set steps = v_run.steps || jsonb_build_array(v_entry)
    where run.id = continue_maintenance.run_id;
    return true;
end
$$;

comment on function private.continue_maintenance(uuid, interval) is
'Takes the next step of a run, or the next slice of a long one. False when none is left.';

create or replace function private.finish_maintenance(run_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run private.maintenance_runs := private.take_up_maintenance(finish_maintenance.run_id);
begin
    update private.maintenance_runs as run
    set
        finished_at = clock_timestamp(),
        status = case
            when run.steps @? '$[*] ? (@.status == "failed")' then 'failed'
            when run.steps @? '$[*] ? (@.status != "ok")' then 'incomplete'
            else 'ok'
        end
    where run.id = finish_maintenance.run_id
    returning run.* into v_run;
    perform set_config('forge.maintenance_positions', '', false);

    return jsonb_build_object(
        'status', v_run.status,
        'started_at', v_run.started_at,
        'finished_at', v_run.finished_at,
        'milliseconds',
        round(1000 * date_part('epoch', v_run.finished_at - v_run.started_at)::numeric, 1),
        'steps', v_run.steps
    );
end
$$;

comment on function private.finish_maintenance(uuid) is 'Ends a run and reports it.';

create or replace function private.daily_maintenance(time_budget_seconds integer)
returns jsonb
language plpgsql
volatile
-- Definer: the server has no access to what is maintained. Takes no name and no condition from its caller.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run_id uuid := private.begin_maintenance(time_budget_seconds);
begin
    while private.continue_maintenance(v_run_id, '6 hours') loop
        null;  -- each round is a step
    end loop;
    return private.finish_maintenance(v_run_id);
end
$$;

revoke all on function private.daily_maintenance(integer) from public;

comment on function private.daily_maintenance(integer) is 'Worker of public.daily_maintenance.';

create or replace function public.daily_maintenance(time_budget_seconds integer default null)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.daily_maintenance(time_budget_seconds);

comment on function public.daily_maintenance(integer) is
'Server: sums up, removes and archives what is old, makes partitions, refreshes statistics. Stops when its time is up '
'and goes on next time. Returns {status, steps: [{name, status, rows, milliseconds, error}]}.';

create or replace function private.maintenance_command()
returns text
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $function$
    -- Not a procedure: one that commits cannot pin its search_path.
    select $command$do $maintenance$
declare
    v_run_id pg_catalog.uuid := private.begin_maintenance(null);
begin
    commit;
    while private.continue_maintenance(v_run_id, '1 second') loop
        commit;
    end loop;
    perform private.finish_maintenance(v_run_id);
end
$maintenance$
$command$
$function$;

comment on function private.maintenance_command() is
'The statement that takes all steps of the maintenance with a commit after each slice: what the scheduled job runs.';

create or replace function private.schedule_maintenance()
returns text
language plpgsql
volatile
-- Definer: the jobs belong to the owner, and the server has no access to pg_cron.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_schedule text := private.config_text('maintenance_schedule', '0 3 * * *');
begin
    if to_regnamespace('cron') is null then
        return 'Nothing is scheduled: pg_cron is not installed in this database. Install it (create extension pg_cron) '
            'and call schedule_maintenance() again, or let another scheduler run this once a day: '
            'psql -c "select public.daily_maintenance()"';
    end if;
    -- The job of this name is replaced.
    execute 'select cron.schedule($1, $2, $3)'
    using 'forge_daily_maintenance', v_schedule, private.maintenance_command();
    return format('Scheduled: forge_daily_maintenance at "%s" (UTC).', v_schedule);
end
$$;

revoke all on function private.schedule_maintenance() from public;

comment on function private.schedule_maintenance() is 'Worker of public.schedule_maintenance.';

create or replace function public.schedule_maintenance()
returns text
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.schedule_maintenance();

comment on function public.schedule_maintenance() is
'Server: lets pg_cron run the maintenance as the setting maintenance_schedule says. Returns what it did, or what to do '
'where pg_cron is not installed.';

create or replace function private.maintained_tables()
returns table (relation regclass, name text)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- What holds rows: a partitioned table is its partitions.
    select class.oid::regclass, format('%I.%I', class.relnamespace::regnamespace::text, class.relname)
    from pg_catalog.pg_class as class
    where class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and class.relkind in ('r', 'm')
        and class.relpersistence = 'p'
        and pg_has_role(class.relowner, 'usage')
    order by 2
$$;

comment on function private.maintained_tables() is
'Every table and materialized view of ours that holds rows, partitions included.';

create or replace function private.analyze_all_tables()
returns jsonb
language plpgsql
volatile
-- Definer: only the owner may analyze a table.
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_table record;
    v_started timestamptz;
    v_error text;
    v_report jsonb := '[]'::jsonb;
begin
    for v_table in
        select maintained.relation::text as name from private.maintained_tables() as maintained
        union all
        -- Partitioned tables have statistics of their own, which autovacuum never makes.
        select format('%I.%I', class.relnamespace::regnamespace::text, class.relname)
        from pg_catalog.pg_class as class
        where class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            and class.relkind = 'p'
        order by 1
    loop
        v_started := clock_timestamp();
        v_error := null;
        begin
            execute format('analyze %s', v_table.name);
        exception when lock_not_available then
            v_error := 'somebody holds a lock on it';
        end;
        v_report := v_report || jsonb_build_object(
            'table', v_table.name,
            'status', case when v_error is null then 'ok' else 'failed' end,
            'milliseconds', round(1000 * date_part('epoch', clock_timestamp() - v_started)::numeric, 1),
            'error', v_error
        );
    end loop;
    return v_report;
end
$$;

revoke all on function private.analyze_all_tables() from public;

comment on function private.analyze_all_tables() is 'Worker of public.analyze_all_tables.';

create or replace function public.analyze_all_tables()
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.analyze_all_tables();

comment on function public.analyze_all_tables() is
'Server: refreshes the planner''s statistics of every table. Returns [{table, status, milliseconds, error}].';

-- VACUUM cannot run inside a function, so somebody else has to: a second session, or pg_cron.
create or replace function private.vacuum_by_connection(dsn text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Wherever dblink was installed.
    v_schema text := (
        select extension.extnamespace::regnamespace::text
        from pg_catalog.pg_extension as extension
        where extension.extname = 'dblink'
    );
    v_name constant text := 'forge_maintenance';
    v_table record;
    v_started timestamptz;
    v_is_here boolean;
    v_error text;
    v_code text;
    v_report jsonb := '[]'::jsonb;
begin
    if v_schema is null then
        raise exception 'the extension dblink is not installed'
            using errcode = 'feature_not_supported',
                hint = 'Run as a superuser: create extension dblink with schema extensions';
    end if;

    begin
        execute format('select %I.dblink_connect($1, $2)', v_schema) using v_name, dsn;
    exception when others then
        -- Not the message of the driver, which may repeat parts of the connection string.
        get stacked diagnostics v_code = returned_sqlstate;
        raise exception 'the maintenance connection cannot be opened (%)', v_code
            using errcode = 'sqlclient_unable_to_establish_sqlconnection',
                hint = 'Check the secret maintenance_dsn: host, port, dbname, user and password of the owner of the '
                    'tables. The server must ask for that password.';
    end;

    begin
        -- Vacuuming another database would look just as well.
        execute format(
            'select found.is_here from %I.dblink($1, format('
            '    ''select current_database() = %%L and pg_postmaster_start_time() = %%L::timestamptz'','
            '    current_database(), pg_postmaster_start_time()'
            ')) as found (is_here boolean)', v_schema
        )
        into v_is_here
        using v_name;
        if not v_is_here then
            raise exception 'the maintenance connection leads to another database'
                using errcode = 'sqlclient_unable_to_establish_sqlconnection',
                    hint = 'Correct the secret maintenance_dsn.';
        end if;

        -- Somebody who waits for a lock of ours while we wait for them is seen by no deadlock detector.
        execute format('select %I.dblink_exec($1, $2)', v_schema)
        using v_name, format(
            'set statement_timeout = 0; set lock_timeout = %s',
            private.config_integer('maintenance_lock_timeout_ms', 2000)
        );

        for v_table in select maintained.name from private.maintained_tables() as maintained loop
            v_started := clock_timestamp();
            v_error := null;
            begin
                execute format('select %I.dblink_exec($1, $2)', v_schema)
                using v_name, format('vacuum (analyze) %s', v_table.name);
            exception when others then
                get stacked diagnostics v_error = message_text;
            end;
            v_report := v_report || jsonb_build_object(
                'table', v_table.name,
                'status', case when v_error is null then 'ok' else 'failed' end,
                'milliseconds', round(1000 * date_part('epoch', clock_timestamp() - v_started)::numeric, 1),
                'error', v_error
            );
        end loop;
    -- Others are not those who cancel: left open, the connection of the owner would be the caller's.
    exception when query_canceled or assert_failure or others then
        execute format('select %I.dblink_disconnect($1)', v_schema) using v_name;
        raise;
    end;
    execute format('select %I.dblink_disconnect($1)', v_schema) using v_name;
    return v_report;
end
$$;

comment on function private.vacuum_by_connection(text) is
'Vacuums every table through a second session, which dblink opens. Reports each table.';

create or replace function private.vacuum_by_schedule()
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_job record;
    v_report jsonb := '[]'::jsonb;
begin
    -- Those of the last time, also for tables that are gone.
    for v_job in
        execute 'select jobid from cron.job where starts_with(jobname, ''forge_vacuum '')'
    loop
        execute 'select cron.unschedule($1)' using v_job.jobid;
    end loop;

    -- One VACUUM in each job, because two statements would be one transaction. Four jobs a minute, so that they leave
    -- workers for others. A date, because pg_cron knows no "once".
    for v_job in
        select
            maintained.name,
            now() at time zone 'utc'
            + make_interval(mins => 1 + (row_number() over (order by maintained.name))::integer / 4) as at
        from private.maintained_tables() as maintained
    loop
        execute 'select cron.schedule($1, $2, $3)'
        using
            'forge_vacuum ' || v_job.name,
            to_char(v_job.at, 'FMMI FMHH24 FMDD FMMM *'),
            format('vacuum (analyze) %s', v_job.name);
        v_report := v_report || jsonb_build_object(
            'table', v_job.name, 'status', 'scheduled', 'milliseconds', 0, 'error', null
        );
    end loop;
    return v_report;
end
$$;

comment on function private.vacuum_by_schedule() is
'Lets pg_cron vacuum every table within the next minutes, each in a job of its own. Reports each table.';

create or replace function private.vacuum_all_tables()
returns jsonb
language plpgsql
volatile
-- Definer: reads the maintenance connection, and schedules as the owner.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_dsn text := private.find_secret('maintenance_dsn');
begin
    if v_dsn is not null then
        return private.vacuum_by_connection(v_dsn);
    elsif to_regnamespace('cron') is not null then
        return private.vacuum_by_schedule();
    end if;
    raise exception 'VACUUM needs a session of its own, and nothing here can open one'
        using errcode = 'feature_not_supported',
            hint = 'Either store a connection string of the owner as the secret maintenance_dsn (forge-db secret '
                'maintenance_dsn) and install dblink, or install pg_cron (create extension pg_cron). '
                'By hand: psql -c "vacuum (analyze)"';
end
$$;

revoke all on function private.vacuum_all_tables() from public;

comment on function private.vacuum_all_tables() is 'Worker of public.vacuum_all_tables.';

create or replace function public.vacuum_all_tables()
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.vacuum_all_tables();

comment on function public.vacuum_all_tables() is
'Server: vacuums every table, through the connection in the secret maintenance_dsn, else by jobs of pg_cron. '
'Returns [{table, status, milliseconds, error}].';

-- Retention and archive --------------------------------------------------------
create or replace function private.expire_rows(
    relation regclass, moments name[], age interval, deadline timestamptz
)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_blocks bigint := pg_relation_size(relation) / current_setting('block_size')::bigint;
    v_slice bigint;
    -- How far the slices of this run have come, by table.
    v_positions jsonb := coalesce(nullif(current_setting('forge.maintenance_positions', true), ''), '{}')::jsonb;
    v_from bigint := coalesce((v_positions #>> array[relation::text, 'from'])::bigint, 0);
    v_has_skipped boolean := coalesce((v_positions #>> array[relation::text, 'has_skipped'])::boolean, false);
    v_condition text := (
        select format('greatest(%s) < %L', string_agg(format('item.%I', moment), ', '), now() - age)
        from unnest(moments) as moment
    );
    v_due tid[];
    v_count bigint;
begin
    -- From the first block to the last, some at a time: one pass over the table, and no index that only this would use.
    select greatest(
        1,
        private.config_integer('maintenance_batch_size', 10000)
        / coalesce(
            -- What was counted when the table was far smaller says nothing of how full its pages are.
            case
                when v_blocks <= 2 * class.relpages
                    then nullif(greatest(class.reltuples, 0) / nullif(class.relpages, 0), 0)
            end,
            100
        )
    )
    into v_slice
    from pg_catalog.pg_class as class
    where class.oid = relation;

    rows := 0;
    while v_from < v_blocks loop
        execute format(
            'select array_agg(item.ctid) from %s as item where item.ctid >= %L and item.ctid < %L and (%s)',
            relation, format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + v_slice)::tid, v_condition
        ) into v_due;
        -- A row that somebody holds is left for the next time: to wait for it would fail, and undo the step for all.
        execute format(
            'delete from %1$s as item where item.ctid = any(array('
            'select item.ctid from %1$s as item where item.ctid = any($1) and (%2$s) for update skip locked'
            '))', relation, v_condition
        ) using v_due;
        get diagnostics v_count = row_count;
        v_has_skipped := v_has_skipped or v_count < coalesce(cardinality(v_due), 0);
        rows := rows + v_count;
        v_from := v_from + v_slice;
        exit when clock_timestamp() >= deadline;
    end loop;
    is_complete := v_from >= v_blocks and not v_has_skipped;
    v_positions := v_positions - relation::text;
    if v_from < v_blocks then
        v_positions := v_positions || jsonb_build_object(
            relation::text, jsonb_build_object('from', v_from, 'has_skipped', v_has_skipped)
        );
    end if;
    perform set_config('forge.maintenance_positions', v_positions::text, false);
    return next;
end
$$;

comment on function private.expire_rows(regclass, name[], interval, timestamptz) is
'Deletes the rows whose latest moment is older than this, slice by slice until the deadline. Complete once it has come '
'to the end and has left out no row that somebody held.';

create or replace function private.retention_days(key text, fallback integer)
returns interval
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select make_interval(days => greatest(private.config_integer(key, fallback), 1))
$$;

comment on function private.retention_days(text, integer) is 'A setting in days as an interval, at least one day.';

create or replace function private.step_expire_sessions(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select expired.rows, expired.is_complete
    from private.expire_rows(
        'public.user_sessions', '{signed_in_at}', private.retention_days('retention_days_user_sessions', 90), deadline
    ) as expired
$$;

comment on function private.step_expire_sessions(timestamptz) is
'Step: sign-ins older than retention_days_user_sessions go.';

create or replace function private.step_expire_counters(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Never one that still counts, whatever the setting says.
    select expired.rows, expired.is_complete
    from private.expire_rows(
        'private.rate_limit_counters',
        '{minute_start, day_start}',
        greatest(private.retention_days('retention_days_rate_limit_counters', 7), '2 days'),
        deadline
    ) as expired
$$;

comment on function private.step_expire_counters(timestamptz) is
'Step: rate-limit counters unused for retention_days_rate_limit_counters go.';

create or replace function private.step_expire_request_ids(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select expired.rows, expired.is_complete
    from private.expire_rows(
        'private.usage_requests', '{created_at}', '1 day', deadline
    ) as expired
$$;

comment on function private.step_expire_request_ids(timestamptz) is
'Step: request ids that log_api_usage() has remembered for a day go.';

create or replace function private.step_count_uses(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_template_id uuid;
begin
    rows := 0;
    is_complete := true;
    for v_template_id in select distinct used.template_id from private.uncounted_uses as used loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        -- What somebody holds is left for the next run: whoever holds many would keep the steps that follow from theirs.
        perform from public.prompt_templates as template
        where template.id = v_template_id
        for no key update skip locked;
        continue when not found and exists (
            select from public.prompt_templates as template where template.id = v_template_id
        );
        rows := rows + private.count_uses(v_template_id, 0);
    end loop;
    return next;
end
$$;

comment on function private.step_count_uses(timestamptz) is
'Step: renderings of templates whose row was locked are counted.';

create or replace function private.step_expire_totals(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select expired.rows, expired.is_complete
    from private.expire_rows(
        'private.spent_costs',
        '{created_at}',
        -- A month's budget needs the month.
        greatest(private.retention_days('retention_days_rollups', 1095), '90 days'),
        deadline
    ) as expired
$$;

comment on function private.step_expire_totals(timestamptz) is
'Step: totals of what is gone, older than retention_days_rollups, go.';

create or replace function private.step_expire_runs(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select expired.rows, expired.is_complete
    from private.expire_rows(
        'private.maintenance_runs', '{started_at}', '90 days', deadline
    ) as expired
$$;

comment on function private.step_expire_runs(timestamptz) is 'Step: runs of the maintenance older than 90 days go.';

create or replace function private.step_archive_prompts(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_archived boolean := private.config_boolean('archive_enabled', true);
    v_days integer := private.config_integer('max_prompt_history_days', 30);
    v_batch integer := private.config_integer('maintenance_batch_size', 10000);
    v_user_id uuid := '00000000-0000-0000-0000-000000000000'::uuid;
    v_held_user_id uuid;
    v_has_skipped boolean := false;
    v_found record;
    v_count bigint;
begin
    rows := 0;
    is_complete := false;
    if v_is_archived and to_regclass(
        'archive.prompt_history_' || to_char(now() at time zone 'utc', 'YYYY_MM')
    ) is null then
        return next;  -- make_months has not run for a long time; it comes later in this run
        return;
    end if;

    loop
        -- User by user, each by the index: where nothing is old, this reads next to nothing.
        select array_agg(old.ctid) as rows, (array_agg(old.user_id order by old.user_id desc))[1] as user_id
        into v_found
        from (
            select item.ctid, item.user_id
            from (
                select
                    account.id,
                    now() - make_interval(days => coalesce(preference.max_history_days, v_days)) as cutoff
                from auth.users as account
                left join public.user_preferences as preference on account.id = preference.user_id
                where account.id >= v_user_id
                    and account.id is distinct from v_held_user_id
                    and coalesce(preference.auto_cleanup, true)
            ) as keeper
            cross join lateral (
                select history.ctid, history.user_id
                from public.prompt_history as history
                where history.user_id = keeper.id and history.created_at < keeper.cutoff
            ) as item
            order by item.user_id
            limit v_batch
        ) as old;
        is_complete := v_found.rows is null and not v_has_skipped;
        exit when v_found.rows is null;

        -- One statement, so a row is in one place or the other and never in both or neither. What somebody changed,
        -- deleted or holds meanwhile is left for the next time: to wait would fail, and undo the step for all.
        if v_is_archived then
            with moved as (
                delete from public.prompt_history as history
                where history.ctid = any(array(
                    select free.ctid
                    from public.prompt_history as free
                    where free.ctid = any(v_found.rows)
                    for update skip locked
                ))
                returning history.*
            )

            insert into archive.prompt_history
            select moved.* from moved;
        else
            delete from public.prompt_history as history
            where history.ctid = any(array(
                select free.ctid
                from public.prompt_history as free
                where free.ctid = any(v_found.rows)
                for update skip locked
            ));
        end if;
        get diagnostics v_count = row_count;
        rows := rows + v_count;
        exit when clock_timestamp() >= deadline;
        v_user_id := v_found.user_id;
        if v_count < cardinality(v_found.rows) then
            v_has_skipped := true;
            -- Who holds as many rows as a batch has does not hold up those who come after.
            v_held_user_id := case
                when v_count < cardinality(v_found.rows) / 2.0 then v_user_id else v_held_user_id
            end;
        end if;
    end loop;
    return next;
end
$$;

comment on function private.step_archive_prompts(timestamptz) is
'Step: prompts past their owner''s max_history_days, where auto_cleanup is on, move to the archive or go.';

create or replace function private.usage_months(parent regclass)
returns table (relation regclass, name name, begins timestamptz, ends timestamptz)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select month.oid::regclass, month.relname, month.begins at time zone 'utc',
        (month.begins + interval '1 month') at time zone 'utc'
    from (
        select class.oid, class.relname, to_date(right(class.relname, 7), 'YYYY_MM')::timestamp as begins
        from pg_catalog.pg_inherits as part
        inner join pg_catalog.pg_class as class on part.inhrelid = class.oid
        where part.inhparent = usage_months.parent and class.relname ~ '_[0-9]{4}_[0-9]{2}$'
    ) as month
    order by month.begins
$$;

comment on function private.usage_months(regclass) is
'The monthly partitions of a table, oldest first, with the time that each covers.';

create or replace function private.step_archive_usage(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_month record;
begin
    rows := 0;
    is_complete := true;
    for v_month in
        select month.*, greatest(class.reltuples, 0)::bigint as estimate
        from private.usage_months('public.api_usage_logs') as month
        inner join pg_catalog.pg_class as class on month.relation = class.oid
        where month.ends < now() - private.retention_days('retention_days_api_usage_logs', 90)
    loop
        begin
            if not private.config_boolean('archive_enabled', true) then
                execute format('drop table %s', v_month.relation);
            elsif to_regclass(format('archive.%I', v_month.name)) is null then
                execute format('alter table public.api_usage_logs detach partition %s', v_month.relation);
                execute format('alter table %s set schema archive', v_month.relation);
                execute format(
                    'alter table archive.api_usage_logs attach partition archive.%I for values from (%L) to (%L)',
                    v_month.name, v_month.begins, v_month.ends
                );
            else
                -- Came in after the month had been archived.
                execute format('insert into archive.api_usage_logs select * from %s', v_month.relation);
                execute format('drop table %s', v_month.relation);
            end if;
            rows := rows + v_month.estimate;
        exception when lock_not_available then
            is_complete := false;  -- users first; the next run tries again
        end;
        if clock_timestamp() >= deadline or not is_complete then
            is_complete := false;
            exit;
        end if;
    end loop;
    return next;
end
$$;

comment on function private.step_archive_usage(timestamptz) is
'Step: months of api_usage_logs that ended more than retention_days_api_usage_logs ago move to the archive or go. '
'Counts rows as the planner estimates them.';

create or replace function private.step_drop_archive(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_archived interval := private.retention_days('retention_days_archive', 365);
    v_month record;
begin
    rows := 0;
    is_complete := true;
    for v_month in
        select month.relation, greatest(class.reltuples, 0)::bigint as estimate
        from (
            -- Usage came here retention_days_api_usage_logs after its month, prompts in the month itself.
            select
                cold.relation,
                cold.ends + private.retention_days('retention_days_api_usage_logs', 90) as archived_at
            from private.usage_months('archive.api_usage_logs') as cold
            union all
            select cold.relation, cold.ends
            from private.usage_months('archive.prompt_history') as cold
        ) as month
        inner join pg_catalog.pg_class as class on month.relation = class.oid
        where month.archived_at < now() - v_archived
    loop
        begin
            execute format('drop table %s', v_month.relation);
            rows := rows + v_month.estimate;
        exception when lock_not_available then
            is_complete := false;
        end;
        if clock_timestamp() >= deadline or not is_complete then
            is_complete := false;
            exit;
        end if;
    end loop;
    return next;
end
$$;

comment on function private.step_drop_archive(timestamptz) is
'Step: months that have been in the archive for retention_days_archive are dropped. Counts estimated rows.';

create or replace function private.step_make_months(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today date := (now() at time zone 'utc')::date;
    v_months integer := 1 + private.config_integer('partition_months_ahead', 3);
    v_month date;
begin
    -- Both lock auth.users for a moment, for the foreign key.
    rows := private.ensure_archive_months(v_today, v_months) + private.ensure_api_usage_months(v_today, v_months);
    -- Rows that no month covered, from before the months were made or from an import.
    for v_month in
        select distinct date_trunc('month', stray.created_at at time zone 'utc')::date
        from private.api_usage_logs_default as stray
    loop
        exit when clock_timestamp() >= deadline;
        rows := rows + private.ensure_api_usage_months(v_month, 1);
    end loop;
    is_complete := not exists (select from private.api_usage_logs_default as stray);
    return next;
end
$$;

comment on function private.step_make_months(timestamptz) is
'Step: partitions for the months to come, and for rows that none covered. Counts the partitions made.';

create or replace function private.step_remove_orphans(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
    v_count bigint;
begin
    rows := 0;
    is_complete := true;
    -- Foreign keys leave no orphans; a restore without triggers does, and so does a superuser in a hurry. Each key's
    -- own ON DELETE is made up for; all keys of a table at once, because a row that is updated must satisfy the others.
    -- In random order, so that little time each night still reaches every table.
    for v_table in
        select
            rule.child,
            string_agg(rule.is_orphan, ' or ') filter (where rule.confdeltype = 'c') as is_lost,
            string_agg(rule.is_orphan, ' or ') filter (where rule.confdeltype = 'n') as is_loose,
            string_agg(rule.mended, ', ') filter (where rule.confdeltype = 'n') as mended
        from (
            select
                key.conrelid::regclass as child,
                key.confdeltype,
                format(
                    'item.%1$I is not null and not exists (select from %2$s as parent where parent.%3$I = item.%1$I)',
                    own.attname, key.confrelid::regclass, theirs.attname
                ) as is_orphan,
                format(
                    '%1$I = (select parent.%3$I from %2$s as parent where parent.%3$I = item.%1$I)',
                    own.attname, key.confrelid::regclass, theirs.attname
                ) as mended
            from pg_catalog.pg_constraint as key
            inner join pg_catalog.pg_class as class on key.conrelid = class.oid
            inner join pg_catalog.pg_attribute as own on key.conrelid = own.attrelid and key.conkey[1] = own.attnum
            inner join pg_catalog.pg_attribute as theirs
                on key.confrelid = theirs.attrelid and key.confkey[1] = theirs.attnum
            where key.contype = 'f'
                and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
                and not class.relispartition
        ) as rule
        group by rule.child
        order by random()
    loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        if v_table.is_lost is not null then
            execute format('delete from %s as item where %s', v_table.child, v_table.is_lost);
            get diagnostics v_count = row_count;
            rows := rows + v_count;
        end if;
        if v_table.is_loose is not null then
            execute format('update %s as item set %s where %s', v_table.child, v_table.mended, v_table.is_loose);
            get diagnostics v_count = row_count;
            rows := rows + v_count;
        end if;
    end loop;
    return next;
end
$$;

comment on function private.step_remove_orphans(timestamptz) is
'Step: rows whose foreign key points to nothing go, or lose the pointer, as the key''s ON DELETE says.';

create or replace function private.step_analyze(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
begin
    rows := 0;
    is_complete := true;
    -- What has changed, most changed first; then the partitioned tables, which autovacuum leaves alone.
    for v_table in
        with changed as (
            select maintained.relation, stats.n_mod_since_analyze as changes
            from private.maintained_tables() as maintained
            inner join pg_catalog.pg_stat_user_tables as stats on maintained.relation = stats.relid
            where stats.n_mod_since_analyze > 0
        )

        select changed.relation, changed.changes
        from changed
        union all
        select part.inhparent::regclass, 0
        from pg_catalog.pg_inherits as part
        inner join changed on part.inhrelid = changed.relation
        group by part.inhparent
        order by 2 desc
    loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        begin
            execute format('analyze %s', v_table.relation);
            rows := rows + v_table.changes;
        exception when lock_not_available then
            is_complete := false;
        end;
    end loop;
    return next;
end
$$;

comment on function private.step_analyze(timestamptz) is
'Step: statistics of tables that have changed since the last time. Counts changed rows.';

-- Growth -----------------------------------------------------------------------
create or replace function private.measure_relation(
    relation oid, out heap_bytes bigint, out index_bytes bigint, out total_bytes bigint
)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
-- To measure is to wait for whoever rebuilds the table, and at such times somebody wants to know what goes on.
set lock_timeout = '100ms'
as $$
begin
    heap_bytes := pg_relation_size(relation);
    index_bytes := pg_indexes_size(relation);
    total_bytes := pg_total_relation_size(relation);
exception when lock_not_available then
    -- As of the last VACUUM or ANALYZE.
    select
        class.relpages * block.size,
        indexes.pages * block.size,
        (class.relpages + indexes.pages + coalesce(beside.relpages, 0)) * block.size
    into heap_bytes, index_bytes, total_bytes
    from pg_catalog.pg_class as class
    cross join (select current_setting('block_size')::bigint) as block (size)
    left join pg_catalog.pg_class as beside on class.reltoastrelid = beside.oid
    cross join lateral (
        select coalesce(sum(part.relpages), 0) as pages
        from pg_catalog.pg_index as held
        inner join pg_catalog.pg_class as part on held.indexrelid = part.oid
        where held.indrelid = class.oid
    ) as indexes
    where class.oid = measure_relation.relation;
end
$$;

comment on function private.measure_relation(oid) is
'Size of a table or index. Of one that somebody else has locked: as of the last VACUUM or ANALYZE.';

create or replace function private.table_sizes()
returns table (
    relation_name text, row_estimate bigint, heap_bytes bigint, index_bytes bigint, total_bytes bigint
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Partitions count for the table they are a part of: they come and go, it grows. Rows are -1 until counted once.
    select
        min(root.oid::regclass::text),
        sum(class.reltuples) filter (where class.reltuples >= 0)::bigint,
        coalesce(sum(size.heap_bytes), 0)::bigint,
        coalesce(sum(size.index_bytes), 0)::bigint,
        coalesce(sum(size.total_bytes), 0)::bigint
    from pg_catalog.pg_class as class
    inner join pg_catalog.pg_class as root on coalesce(pg_partition_root(class.oid), class.oid) = root.oid
    cross join lateral private.measure_relation(class.oid) as size
    where root.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and class.relkind in ('r', 'm')
    group by root.oid
$$;

comment on function private.table_sizes() is
'Estimated rows and size of each table and materialized view, partitions with their table.';

create table if not exists private.size_snapshots (
    relation_name text not null,
    taken_on date not null,
    row_estimate bigint,
    heap_bytes bigint not null,
    index_bytes bigint not null,
    total_bytes bigint not null,
    primary key (relation_name, taken_on)
);

alter table private.size_snapshots enable row level security;

comment on table private.size_snapshots is
'Size of each table, once a day: what growth and bloat are measured against. Written by maintenance.';
comment on column private.size_snapshots.relation_name is 'Table, with its schema. Partitions count for their table.';
comment on column private.size_snapshots.taken_on is 'Day (UTC).';
comment on column private.size_snapshots.row_estimate is
'Rows, as of the last VACUUM or ANALYZE; null before the first.';
comment on column private.size_snapshots.heap_bytes is 'The rows, without what is stored out of line.';
comment on column private.size_snapshots.index_bytes is 'All indexes together.';
comment on column private.size_snapshots.total_bytes is 'Everything: rows, indexes, and what is stored out of line.';

create or replace function private.step_snapshot_sizes(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_today date := (now() at time zone 'utc')::date;
    v_days integer := private.config_integer('retention_days_rollups', 1095);
begin
    rows := 0;
    is_complete := coalesce(clock_timestamp() < deadline, true);
    if is_complete then
        insert into private.size_snapshots as known (
            relation_name, taken_on, row_estimate, heap_bytes, index_bytes, total_bytes
        )
        select sizes.relation_name, v_today, sizes.row_estimate, sizes.heap_bytes, sizes.index_bytes, sizes.total_bytes
        from private.table_sizes() as sizes
        -- One a day: the first.
        on conflict on constraint size_snapshots_pkey do nothing;
        get diagnostics rows = row_count;

        delete from private.size_snapshots as known
        where known.taken_on < v_today - v_days;
    end if;
    return next;
end
$$;

comment on function private.step_snapshot_sizes(timestamptz) is
'Step of the daily maintenance: the sizes of today. Returns the tables measured; a second run on a day adds none.';

-- Performance readers ------------------------------------------------------------
-- Each public function is a wrapper, for the server; the workers run as the owner, who may see what other sessions do
-- and which statements they run. None writes: they serve on a read replica as well.
create or replace function private.statistics_since()
returns timestamptz
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Never reset: since the installation.
    select coalesce(
        (select stat.stats_reset from pg_catalog.pg_stat_database as stat where stat.datname = current_database()),
        (select min(config.created_at) from public.system_config as config)
    )
$$;

comment on function private.statistics_since() is 'Since when the use of tables and indexes has been counted.';

create or replace function private.our_indexes()
returns table (
    index_id oid,
    table_id oid,
    index_name text,
    table_name text,
    heap_bytes bigint,
    scans bigint,
    last_scan timestamptz,
    is_unique boolean,
    is_valid boolean,
    covers_foreign_key boolean
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Those of partitions answer for themselves; what they are parts of holds no rows.
    select
        entry.indexrelid,
        entry.indrelid,
        namespace.nspname || '.' || class.relname,
        entry.indrelid::regclass::text,
        class.relpages * current_setting('block_size')::bigint,
        coalesce(stat.idx_scan, 0),
        (to_jsonb(stat) ->> 'last_idx_scan')::timestamptz,  -- since PostgreSQL 16
        entry.indisunique,
        entry.indisvalid and entry.indisready,
        exists (
            select from pg_catalog.pg_constraint as rule
            where rule.conrelid = entry.indrelid
                and rule.contype = 'f'
                and (entry.indkey::smallint[])[0:cardinality(rule.conkey) - 1] @> rule.conkey
        )
    from pg_catalog.pg_index as entry
    inner join pg_catalog.pg_class as class on entry.indexrelid = class.oid
    inner join pg_catalog.pg_namespace as namespace on class.relnamespace = namespace.oid
    left join pg_catalog.pg_stat_all_indexes as stat on entry.indexrelid = stat.indexrelid
    where class.relkind = 'i' and namespace.nspname in ('public', 'private', 'archive')
$$;

comment on function private.our_indexes() is
'Every index of ours: size as of the last VACUUM or ANALYZE, use, and whether a foreign key needs it.';

create or replace function private.unused_indexes()
returns table (index_name text, table_name text, heap_bytes bigint)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Not what a unique rule or a foreign key needs, nor one of a partition, which goes with the table's.
    select known.index_name, known.table_name, known.heap_bytes
    from private.our_indexes() as known
    inner join pg_catalog.pg_class as class on known.index_id = class.oid
    where known.scans = 0
        and known.is_valid
        and not (known.is_unique or known.covers_foreign_key or class.relispartition)
        and known.heap_bytes >= private.config_integer('health_unused_index_mb', 10) * 1048576::bigint
        and private.statistics_since()
            < statement_timestamp() - make_interval(days => private.config_integer('health_unused_index_days', 30))
$$;

comment on function private.unused_indexes() is
'Indexes of some size that nothing has read for long, on this server: a replica may use them.';

create or replace function private.duplicate_indexes()
returns table (index_name text, table_name text, repeats text, heap_bytes bigint)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- One that begins as another does serves nothing that the other does not. A unique one is a rule as well, so it
    -- repeats only one with the very same columns; of two alike the younger goes.
    select one_known.index_name, one_known.table_name, other.indexrelid::regclass::text, one_known.heap_bytes
    from private.our_indexes() as one_known
    inner join pg_catalog.pg_index as one on one_known.index_id = one.indexrelid
    inner join pg_catalog.pg_class as one_class on one.indexrelid = one_class.oid
    inner join pg_catalog.pg_index as other on one.indrelid = other.indrelid and one.indexrelid <> other.indexrelid
    inner join pg_catalog.pg_class as other_class on other.indexrelid = other_class.oid
    where one_class.relam = other_class.relam
        and other.indisvalid
        and not one_class.relispartition
        and one.indexprs is null
        and other.indexprs is null
        and pg_get_expr(one.indpred, one.indrelid) is not distinct from pg_get_expr(other.indpred, other.indrelid)
        and starts_with(other.indkey::text || ' ', one.indkey::text || ' ')
        and starts_with(other.indclass::text || ' ', one.indclass::text || ' ')
        and starts_with(other.indcollation::text || ' ', one.indcollation::text || ' ')
        and starts_with(other.indoption::text || ' ', one.indoption::text || ' ')
        and (
            (not one.indisunique and (one.indkey::text <> other.indkey::text or other.indisunique))
            or (
                one.indisunique = other.indisunique
                and one.indkey::text = other.indkey::text
                and one.indexrelid > other.indexrelid
            )
        )
$$;

comment on function private.duplicate_indexes() is 'Indexes that serve nothing which another does not serve.';

create or replace function private.uncovered_foreign_keys()
returns table (table_name text, constraint_name text, column_names text)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select
        rule.conrelid::regclass::text,
        rule.conname::text,
        (
            select string_agg(quote_ident(attribute.attname), ', ' order by part.position)
            from unnest(rule.conkey) with ordinality as part (number, position)
            inner join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = rule.conrelid and part.number = attribute.attnum
        )
    from pg_catalog.pg_constraint as rule
    where rule.contype = 'f'
        and rule.conparentid = 0
        and rule.connamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not exists (
            select from pg_catalog.pg_index as entry
            where entry.indrelid = rule.conrelid
                and entry.indisvalid
                and entry.indpred is null
                and (entry.indkey::smallint[])[0:cardinality(rule.conkey) - 1] @> rule.conkey
        )
$$;

comment on function private.uncovered_foreign_keys() is
'Foreign keys without an index: deleting the row they point to reads the whole table.';

create or replace function private.scanned_columns()
returns table (table_name text, column_name text, sequential_scans bigint, rows_per_scan bigint, calls bigint)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_statements text;
begin
    select format('%I.pg_stat_statements', namespace.nspname)
    into v_statements
    from pg_catalog.pg_extension as extension
    inner join pg_catalog.pg_namespace as namespace on extension.extnamespace = namespace.oid
    where extension.extname = 'pg_stat_statements';

    -- A table of some size that is often read from end to end, and the columns without an index that its statements
    -- compare. From their text, so a hint where to look and no proof.
    return query execute format($query$
        select
            read.relation,
            quote_ident(attribute.attname),
            read.scans,
            read.rows_per_scan,
            sum(statement.calls)::bigint
        from (
            select
                root.oid,
                min(root.oid::regclass::text) as relation,
                min(root.relname) as name,
                sum(stat.seq_scan)::bigint as scans,
                (sum(stat.seq_tup_read) / nullif(sum(stat.seq_scan), 0))::bigint as rows_per_scan
            from pg_catalog.pg_stat_all_tables as stat
            inner join pg_catalog.pg_class as root on coalesce(pg_partition_root(stat.relid), stat.relid) = root.oid
            where root.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
            group by root.oid
        ) as read
        inner join pg_catalog.pg_attribute as attribute on read.oid = attribute.attrelid
        inner join %1$s as statement
            on statement.query ilike '%%' || read.name || '%%'
            and statement.query ~* (
                '\mwhere\M.*\m' || attribute.attname || '"?\s*(=|<|>|~|\m(in|like|ilike|between|is)\M)'
            )
        where read.scans >= 100
            and read.rows_per_scan >= 1000
            and attribute.attnum > 0
            and not attribute.attisdropped
            and statement.query ~* '^\s*(with|select|update|delete)\M'
            and statement.dbid = (
                select database.oid from pg_catalog.pg_database as database
                where database.datname = current_database()
            )
            and not exists (
                select from pg_catalog.pg_index as entry
                where entry.indrelid = read.oid and entry.indisvalid and entry.indkey[0] = attribute.attnum
            )
        group by 1, 2, 3, 4
        $query$,
        coalesce(v_statements, '(select null::text as query, 0::bigint as calls, 0::oid as dbid where false)')
    );
exception when object_not_in_prerequisite_state then
    return;  -- pg_stat_statements is installed and not loaded
end
$$;

comment on function private.scanned_columns() is
'Columns that frequent statements compare, in tables that are read from end to end, and that no index leads with.';

create or replace function private.redact_statement(statement text)
returns text
language plpgsql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- What a setting is set to needs no quotes.
    v_set integer := regexp_instr(statement, '^\s*?(?:set|alter)\M.*?(?:=|\mto\M)', 1, 1, 1, 'i');
begin
    -- pg_stat_statements puts $1 for what queries name and keeps everything else to the letter: ALTER ROLE with its
    -- password, comments, and a query whose entry was reset or thrown out while it ran. A normalised query holds no
    -- literal.
    return private.redact_api_keys(regexp_replace(
        case when v_set > 0 then left(statement, v_set - 1) || ' [hidden]' else statement end,
        '(''|--|/\*|\$(?!\d)[^$\s]*\$|(?<![\w$])\d{6,}).*', '[hidden]'
    ));
end
$$;

comment on function private.redact_statement(text) is
'A statement up to the first literal, value of a setting or comment that it spells out, and without API keys.';

create or replace function private.get_slow_queries(max_rows integer)
returns table (
    query text,
    role_name text,
    calls bigint,
    mean_ms numeric,
    max_ms numeric,
    total_seconds numeric,
    rows_per_call numeric,
    cache_hit_percent numeric
)
language plpgsql
stable
-- Definer: the statements of others are shown to the owner, who is a member of pg_read_all_stats.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_statements text;
begin
    if max_rows is null or max_rows not between 1 and 1000 then
        raise exception 'a list of % statements is not possible', coalesce(max_rows::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass 1 to 1000.';
    end if;
    select format('%I.pg_stat_statements', namespace.nspname)
    into v_statements
    from pg_catalog.pg_extension as extension
    inner join pg_catalog.pg_namespace as namespace on extension.extnamespace = namespace.oid
    where extension.extname = 'pg_stat_statements';
    if not found then
        raise exception 'pg_stat_statements is not installed'
            using errcode = 'feature_not_supported',
                hint = 'Add it to shared_preload_libraries, restart the server, then run: '
                    'create extension pg_stat_statements with schema extensions;';
    end if;

    return query execute format(
        $query$
        select
            private.redact_statement(statement.query),
            statement.userid::regrole::text,
            statement.calls,
            round(statement.mean_exec_time::numeric, 2),
            round(statement.max_exec_time::numeric, 2),
            round((statement.total_exec_time / 1000)::numeric, 2),
            round(statement.rows::numeric / nullif(statement.calls, 0), 1),
            round(
                100.0 * statement.shared_blks_hit
                / nullif(statement.shared_blks_hit + statement.shared_blks_read, 0), 1
            )
        from %s as statement
        where statement.dbid = (
                select database.oid from pg_catalog.pg_database as database
                where database.datname = current_database()
            )
            and statement.mean_exec_time >= $1
        order by statement.total_exec_time desc
        limit $2
        $query$,
        v_statements
    )
    using private.config_integer('slow_query_ms', 500), max_rows;
end
$$;

revoke all on function private.get_slow_queries(integer) from public;

comment on function private.get_slow_queries(integer) is 'Worker of public.get_slow_queries.';

create or replace function public.get_slow_queries(max_rows integer default 20)
returns table (
    query text,
    role_name text,
    calls bigint,
    mean_ms numeric,
    max_ms numeric,
    total_seconds numeric,
    rows_per_call numeric,
    cache_hit_percent numeric
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        slow.query,
        slow.role_name,
        slow.calls,
        slow.mean_ms,
        slow.max_ms,
        slow.total_seconds,
        slow.rows_per_call,
        slow.cache_hit_percent
    from private.get_slow_queries($1) as slow;
end;

comment on function public.get_slow_queries(integer) is
'Server: statements that take at least slow_query_ms on average, the most time in all first. '
'Needs pg_stat_statements, which every Supabase project has.';

create or replace function private.get_index_usage()
returns table (
    table_name text,
    index_name text,
    bytes bigint,
    scans bigint,
    last_scan timestamptz,
    is_unique boolean,
    is_valid boolean,
    counted_since timestamptz
)
language sql
stable
-- Definer: the server has no access to private.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        known.table_name,
        known.index_name,
        known.heap_bytes,
        known.scans,
        known.last_scan,
        known.is_unique,
        known.is_valid,
        private.statistics_since()
    from private.our_indexes() as known
    order by known.scans, known.heap_bytes desc, known.index_name
$$;

revoke all on function private.get_index_usage() from public;

comment on function private.get_index_usage() is 'Worker of public.get_index_usage.';

create or replace function public.get_index_usage()
returns table (
    table_name text,
    index_name text,
    bytes bigint,
    scans bigint,
    last_scan timestamptz,
    is_unique boolean,
    is_valid boolean,
    counted_since timestamptz
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        counted.table_name,
        counted.index_name,
        counted.bytes,
        counted.scans,
        counted.last_scan,
        counted.is_unique,
        counted.is_valid,
        counted.counted_since
    from private.get_index_usage() as counted;
end;

comment on function public.get_index_usage() is
'Server: every index with its size (as of the last VACUUM or ANALYZE) and use, the least used first. '
'When it was last used is known from PostgreSQL 16 on.';

create or replace function private.get_index_advice()
returns table (advice text, table_name text, subject text, reason text, command text)
language sql
stable
-- Definer: the server has no access to private.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        'missing for foreign key',
        uncovered.table_name,
        uncovered.column_names,
        'Deleting what ' || uncovered.constraint_name || ' points to reads the whole table.',
        format('create index concurrently on %s (%s);', uncovered.table_name, uncovered.column_names)
    from private.uncovered_foreign_keys() as uncovered
    union all
    select
        'missing for filter',
        scanned.table_name,
        scanned.column_name,
        format(
            '%s statements compare it; %s scans read %s rows each.',
            scanned.calls, scanned.sequential_scans, scanned.rows_per_scan
        ),
        format('create index concurrently on %s (%s);', scanned.table_name, scanned.column_name)
    from private.scanned_columns() as scanned
    union all
    select
        'unused',
        unused.table_name,
        unused.index_name,
        format(
            'Not read since %s; %s.', private.statistics_since()::date, pg_size_pretty(unused.heap_bytes)
        ),
        format('drop index concurrently %s;', unused.index_name)
    from private.unused_indexes() as unused
    union all
    select
        'duplicate',
        repeated.table_name,
        repeated.index_name,
        format('%s serves whatever it serves.', repeated.repeats),
        format('drop index concurrently %s;', repeated.index_name)
    from private.duplicate_indexes() as repeated
    union all
    select
        'invalid',
        known.table_name,
        known.index_name,
        'Building it failed: it is kept up to date and never used.',
        format('reindex index concurrently %s;', known.index_name)
    from private.our_indexes() as known
    where not known.is_valid
    order by 1, 2, 3
$$;

revoke all on function private.get_index_advice() from public;

comment on function private.get_index_advice() is 'Worker of public.get_index_advice.';

create or replace function public.get_index_advice()
returns table (advice text, table_name text, subject text, reason text, command text)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        given.advice,
        given.table_name,
        given.subject,
        given.reason,
        given.command
    from private.get_index_advice() as given;
end;

comment on function public.get_index_advice() is
'Server: indexes that are missing (for a foreign key, for a frequent filter), unused, duplicate or invalid, each with '
'the command. Advice for filters is read from the text of statements: try it before you keep it.';

create or replace function private.get_storage_growth(days integer)
returns table (
    table_name text,
    total_bytes bigint,
    heap_bytes bigint,
    index_bytes bigint,
    row_estimate bigint,
    measured_since date,
    growth_bytes bigint,
    growth_percent numeric,
    bytes_per_day bigint
)
language plpgsql
stable
-- Definer: the server has no access to private.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform private.check_days(get_storage_growth.days);
    return query
    select
        sizes.relation_name,
        sizes.total_bytes,
        sizes.heap_bytes,
        sizes.index_bytes,
        sizes.row_estimate,
        first.taken_on,
        sizes.total_bytes - first.total_bytes,
        round(100.0 * (sizes.total_bytes - first.total_bytes) / nullif(first.total_bytes, 0), 1),
        (sizes.total_bytes - first.total_bytes) / greatest((now() at time zone 'utc')::date - first.taken_on, 1)
    from private.table_sizes() as sizes
    left join lateral (
        select earlier.taken_on, earlier.total_bytes
        from private.size_snapshots as earlier
        where earlier.relation_name = sizes.relation_name
            and earlier.taken_on >= (now() at time zone 'utc')::date - get_storage_growth.days
        order by earlier.taken_on
        limit 1
    ) as first on true
    order by sizes.total_bytes - first.total_bytes desc nulls last, sizes.total_bytes desc;
end
$$;

revoke all on function private.get_storage_growth(integer) from public;

comment on function private.get_storage_growth(integer) is 'Worker of public.get_storage_growth.';

create or replace function public.get_storage_growth(days integer default 30)
returns table (
    table_name text,
    total_bytes bigint,
    heap_bytes bigint,
    index_bytes bigint,
    row_estimate bigint,
    measured_since date,
    growth_bytes bigint,
    growth_percent numeric,
    bytes_per_day bigint
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        growth.table_name,
        growth.total_bytes,
        growth.heap_bytes,
        growth.index_bytes,
        growth.row_estimate,
        growth.measured_since,
        growth.growth_bytes,
        growth.growth_percent,
        growth.bytes_per_day
    from private.get_storage_growth($1) as growth;
end;

comment on function public.get_storage_growth(integer) is
'Server: size of each table now, and what it has grown since the first daily snapshot of the last days.';

create or replace function private.connection_limit()
returns integer
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Without what is kept for superusers and, since PostgreSQL 16, for whoever may use the reserve.
    select current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0)
$$;

comment on function private.connection_limit() is 'How many connections there can be, the reserve not counted.';

create or replace function private.get_connection_stats()
returns table (
    role_name text,
    state text,
    connections bigint,
    waiting_for_locks bigint,
    longest_transaction_seconds integer,
    percent_of_limit numeric
)
language sql
stable
-- Definer: what the sessions of others do is shown to the owner, who is a member of pg_read_all_stats.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(activity.usename::text, '(none)'),
        coalesce(activity.state, 'unknown'),
        count(*),
        count(*) filter (where activity.wait_event_type = 'Lock'),
        max(date_part('epoch', statement_timestamp() - activity.xact_start))::integer,
        round(100.0 * count(*) / private.connection_limit(), 1)
    from pg_catalog.pg_stat_activity as activity
    where activity.backend_type = 'client backend'
    group by 1, 2
    order by 3 desc, 1, 2
$$;

revoke all on function private.get_connection_stats() from public;

comment on function private.get_connection_stats() is 'Worker of public.get_connection_stats.';

create or replace function public.get_connection_stats()
returns table (
    role_name text,
    state text,
    connections bigint,
    waiting_for_locks bigint,
    longest_transaction_seconds integer,
    percent_of_limit numeric
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        counted.role_name,
        counted.state,
        counted.connections,
        counted.waiting_for_locks,
        counted.longest_transaction_seconds,
        counted.percent_of_limit
    from private.get_connection_stats() as counted;
end;

comment on function public.get_connection_stats() is
'Server: connections to the whole server by role and state, and which share of the limit they are.';

create or replace function private.get_database_stats()
returns table (
    table_name text,
    row_estimate bigint,
    dead_rows bigint,
    total_bytes bigint,
    heap_bytes bigint,
    index_bytes bigint,
    sequential_scans bigint,
    index_scans bigint,
    rows_inserted bigint,
    rows_updated bigint,
    rows_deleted bigint,
    last_vacuum timestamptz,
    last_analyze timestamptz
)
language sql
stable
-- Definer: the server has no access to private.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        sizes.relation_name,
        sizes.row_estimate,
        counted.dead_rows,
        sizes.total_bytes,
        sizes.heap_bytes,
        sizes.index_bytes,
        counted.sequential_scans,
        counted.index_scans,
        counted.rows_inserted,
        counted.rows_updated,
        counted.rows_deleted,
        counted.last_vacuum,
        counted.last_analyze
    from private.table_sizes() as sizes
    left join (
        select
            coalesce(pg_partition_root(stat.relid)::oid, stat.relid)::regclass::text as relation_name,
            sum(stat.n_dead_tup)::bigint as dead_rows,
            sum(stat.seq_scan)::bigint as sequential_scans,
            sum(stat.idx_scan)::bigint as index_scans,
            sum(stat.n_tup_ins)::bigint as rows_inserted,
            sum(stat.n_tup_upd)::bigint as rows_updated,
            sum(stat.n_tup_del)::bigint as rows_deleted,
            max(greatest(stat.last_vacuum, stat.last_autovacuum)) as last_vacuum,
            max(greatest(stat.last_analyze, stat.last_autoanalyze)) as last_analyze
        from pg_catalog.pg_stat_all_tables as stat
        group by 1
    ) as counted on sizes.relation_name = counted.relation_name
    order by sizes.total_bytes desc, sizes.relation_name
$$;

revoke all on function private.get_database_stats() from public;

comment on function private.get_database_stats() is 'Worker of public.get_database_stats.';

create or replace function public.get_database_stats()
returns table (
    table_name text,
    row_estimate bigint,
    dead_rows bigint,
    total_bytes bigint,
    heap_bytes bigint,
    index_bytes bigint,
    sequential_scans bigint,
    index_scans bigint,
    rows_inserted bigint,
    rows_updated bigint,
    rows_deleted bigint,
    last_vacuum timestamptz,
    last_analyze timestamptz
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        stats.table_name,
        stats.row_estimate,
        stats.dead_rows,
        stats.total_bytes,
        stats.heap_bytes,
        stats.index_bytes,
        stats.sequential_scans,
        stats.index_scans,
        stats.rows_inserted,
        stats.rows_updated,
        stats.rows_deleted,
        stats.last_vacuum,
        stats.last_analyze
    from private.get_database_stats() as stats;
end;

comment on function public.get_database_stats() is
'Server: each table, partitions with theirs, the largest first: rows, dead rows, bytes, how it is read and written, '
'when it was last vacuumed and analyzed.';

reset search_path;
