-- 05_feedback_system.sql: what people tell us and what we did about it.
--
--   feedback_categories         a tree of topics; staff write it
--   feedback                    one message, its triage and our answer
--   feedback_tags               labels for triage; staff write them
--   feedback_tag_assignments    which message carries which label
--   feedback_analytics          figures by day, made by maintenance
--
-- Needs 01 to 04. Indexes are in 06, policies and grants in 07: same tables, order and banners.

set search_path = pg_catalog, pg_temp;

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regprocedure('public.unpublish_prompt_template(uuid)') is null;
end
$$;

do $$
begin
    if to_regprocedure('public.unpublish_prompt_template(uuid)') is null then
        raise exception '05_feedback_system.sql needs 04_prompt_management.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/04_prompt_management.sql';
    end if;
end
$$;

-- feedback_categories ----------------------------------------------------------
create table if not exists public.feedback_categories (
    id uuid default gen_random_uuid() primary key,
    name varchar(100) not null,
    description text,
    parent_id uuid references public.feedback_categories (id),
    is_active boolean not null default true,
    sort_order integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint feedback_categories_name_is_unique unique (name),
    constraint feedback_categories_name_is_not_blank check (name ~ '[^[:space:]]'),
    constraint feedback_categories_description_is_short check (length(description) <= 1000),
    constraint feedback_categories_is_not_its_own_parent check (parent_id <> id)
);

alter table public.feedback_categories enable row level security;

comment on table public.feedback_categories is 'Topics of feedback, as a tree.';
comment on column public.feedback_categories.id is 'Surrogate key.';
comment on column public.feedback_categories.name is 'Name that programs use, unique in the whole tree.';
comment on column public.feedback_categories.description is 'What belongs under it.';
comment on column public.feedback_categories.parent_id is
'Category above; null at the top. A category with children cannot be deleted.';
comment on column public.feedback_categories.is_active is
'False hides the category from clients. Kept when the seed is run again.';
comment on column public.feedback_categories.sort_order is 'Position among its siblings, ascending.';
comment on column public.feedback_categories.created_at is 'When the category was added.';
comment on column public.feedback_categories.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace function private.tg_feedback_categories__refuse_cycle()
returns trigger
language plpgsql
volatile
-- Definer: the walk must see every ancestor, whatever policies show the caller.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Two sessions could each close one half of a circle that neither sees. One at a time; the walk below starts
    -- after the wait, with a snapshot that holds what the other one committed.
    perform from private.locks as held where held.name = 'feedback_categories' for update;

    if exists (
        with recursive ancestor as (
            select new.parent_id as id
            union
            select category.parent_id
            from public.feedback_categories as category
            inner join ancestor on category.id = ancestor.id
            where category.parent_id is not null
        )

        select from ancestor
        where ancestor.id = new.id
    ) then
        raise exception 'category "%" would become its own ancestor', new.name
            using errcode = 'check_violation', schema = 'public', table = 'feedback_categories',
                constraint = 'feedback_categories_are_a_tree',
                hint = 'Choose a parent that is not below this category.';
    end if;
    return new;
end
$$;

comment on function private.tg_feedback_categories__refuse_cycle() is
'Trigger: no category is its own ancestor, also when two sessions move categories at once.';

create or replace trigger refuse_feedback_categories_cycle
before insert or update of id, parent_id on public.feedback_categories
for each row
when (new.parent_id is not null)
execute function private.tg_feedback_categories__refuse_cycle();

create or replace trigger update_feedback_categories_updated_at
before update on public.feedback_categories
for each row execute function public.update_updated_at_column();

-- feedback ---------------------------------------------------------------------
-- user_id is set null and not cascaded: an answered message is evidence, and stays without a name on it.
create table if not exists public.feedback (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete set null,
    message text not null,
    feedback_type varchar(50) not null default 'general',
    priority varchar(20) not null default 'medium',
    status varchar(20) not null default 'open',
    contact_email varchar(255),
    contact_name varchar(100),
    user_agent text,
    browser_info jsonb,
    device_info jsonb,
    admin_response text,
    admin_user_id uuid references auth.users (id) on delete set null,
    responded_at timestamptz,
    rating integer,
    category_id uuid references public.feedback_categories (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint feedback_message_is_not_blank check (message ~ '[^[:space:]]'),
    constraint feedback_message_is_short check (length(message) <= 20000),
    constraint feedback_type_is_known check (feedback_type in ('bug', 'feature', 'general', 'support')),
    constraint feedback_priority_is_known check (priority in ('low', 'medium', 'high', 'urgent')),
    constraint feedback_status_is_known check (status in ('open', 'in_progress', 'resolved', 'closed')),
    constraint feedback_contact_email_is_email check (private.is_email(contact_email)),
    constraint feedback_user_agent_is_short check (length(user_agent) <= 1000),
    constraint feedback_browser_info_is_small_object check (private.is_json_object(browser_info, 16384)),
    constraint feedback_device_info_is_small_object check (private.is_json_object(device_info, 16384)),
    constraint feedback_admin_response_is_short check (length(admin_response) <= 20000),
    constraint feedback_rating_is_1_to_5 check (rating between 1 and 5)
);

alter table public.feedback enable row level security;

comment on table public.feedback is 'What users and visitors tell us, how it was triaged, what we answered.';
comment on column public.feedback.id is 'Surrogate key.';
comment on column public.feedback.user_id is 'Author; null for a visitor, or once the account is gone.';
comment on column public.feedback.message is 'What they said. Only the author may change it, while it is open.';
comment on column public.feedback.feedback_type is 'bug, feature, general or support.';
comment on column public.feedback.priority is 'low, medium, high or urgent. Set by staff.';
comment on column public.feedback.status is 'open, in_progress, resolved or closed. Set by staff.';
comment on column public.feedback.contact_email is 'Where to answer. Cleared when the account goes.';
comment on column public.feedback.contact_name is 'Whom to answer. Cleared when the account goes.';
comment on column public.feedback.user_agent is 'Client software. Cleared when the account goes.';
comment on column public.feedback.browser_info is
'JSON object from the client, at most 16 kB. Cleared when the account goes.';
comment on column public.feedback.device_info is
'JSON object from the client, at most 16 kB. Cleared when the account goes.';
comment on column public.feedback.admin_response is 'Our answer. Set by staff.';
comment on column public.feedback.admin_user_id is 'Who answered; null once that account is gone. Stamped by trigger.';
comment on column public.feedback.responded_at is 'When the answer last changed. Stamped by trigger.';
comment on column public.feedback.rating is 'Satisfaction from 1 to 5, from the author.';
comment on column public.feedback.category_id is 'Topic, as in feedback_categories.';
comment on column public.feedback.created_at is 'When it was sent.';
comment on column public.feedback.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger limit_staff_update_of_feedback
before update on public.feedback
for each row execute function private.tg_limit_staff_update(
    'status', 'priority', 'category_id', 'admin_response', 'admin_user_id', 'responded_at', 'updated_at'
);

create or replace function private.tg_feedback__stamp_response()
returns trigger
language plpgsql
volatile
-- Invoker: current_user must be the caller's role.
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Who answered, and when, are facts. The server may set them, for an answer that it brings from elsewhere.
    if current_user = 'app_admin' then
        new.admin_user_id := (select auth.uid());
        new.responded_at := now();
    end if;
    return new;
end
$$;

comment on function private.tg_feedback__stamp_response() is
'Trigger: an answer written by staff carries their account and the time.';

create or replace trigger stamp_feedback_response
before update on public.feedback
for each row
when (new.admin_response is distinct from old.admin_response)
execute function private.tg_feedback__stamp_response();

create or replace function private.tg_feedback__forget_author()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    new.contact_email := null;
    new.contact_name := null;
    new.user_agent := null;
    new.browser_info := null;
    new.device_info := null;
    return new;
end
$$;

comment on function private.tg_feedback__forget_author() is
'Trigger: when the author''s account goes, everything that points to them goes as well.';

create or replace trigger forget_feedback_author
before update on public.feedback
for each row
when (old.user_id is not null and new.user_id is null)
execute function private.tg_feedback__forget_author();

create or replace trigger require_feedback_feature
before insert on public.feedback
for each row
when (new.user_id is not null and current_user in ('anon', 'authenticated', 'app_admin', 'service_role'))
execute function private.tg_require_feature('feedback');

create or replace trigger require_anonymous_feedback_feature
before insert on public.feedback
for each row
when (new.user_id is null and current_user in ('anon', 'authenticated', 'app_admin', 'service_role'))
execute function private.tg_require_feature('anonymous_feedback');

create or replace trigger update_feedback_updated_at
before update on public.feedback
for each row execute function public.update_updated_at_column();

create or replace function public.respond_to_feedback(
    feedback_id uuid,
    response text,
    new_status varchar default 'resolved'
)
returns public.feedback
language plpgsql
volatile
-- Invoker: the staff policy and column grants decide, here as in a plain UPDATE.
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_feedback public.feedback;
begin
    if response is null or response !~ '[^[:space:]]' then
        raise exception 'an answer needs some text'
            using errcode = 'invalid_parameter_value',
                hint = 'To change the status alone, update feedback.status.';
    end if;
    if new_status is null then
        raise exception 'an answer needs a status'
            using errcode = 'invalid_parameter_value',
                hint = 'Pass open, in_progress, resolved or closed, or leave new_status out for resolved.';
    end if;

    update public.feedback as item
    set
        admin_response = respond_to_feedback.response,
        status = respond_to_feedback.new_status
    where item.id = respond_to_feedback.feedback_id
    returning item.* into v_feedback;

    if not found then
        raise exception 'there is no feedback %', coalesce(feedback_id::text, 'null')
            using errcode = 'PT404', hint = 'Pass the id of a row of feedback.';
    end if;
    return v_feedback;
end
$$;

comment on function public.respond_to_feedback(uuid, text, varchar) is
'Staff: answers a message and sets its status. Returns the row, stamped with who answered and when.';

-- feedback_tags ----------------------------------------------------------------
create table if not exists public.feedback_tags (
    id uuid default gen_random_uuid() primary key,
    name varchar(50) not null,
    description text,
    color varchar(7) not null default '#3B82F6',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint feedback_tags_name_is_unique unique (name),
    constraint feedback_tags_name_is_not_blank check (name ~ '[^[:space:]]'),
    constraint feedback_tags_description_is_short check (length(description) <= 1000),
    constraint feedback_tags_color_is_hex check (color ~ '^#[0-9A-Fa-f]{6}$')
);

alter table public.feedback_tags enable row level security;

comment on table public.feedback_tags is 'Labels for triage.';
comment on column public.feedback_tags.id is 'Surrogate key.';
comment on column public.feedback_tags.name is 'Name of the label, unique.';
comment on column public.feedback_tags.description is 'When to use it.';
comment on column public.feedback_tags.color is 'Colour as #RRGGBB.';
comment on column public.feedback_tags.is_active is
'False hides the label from clients. Kept when the seed is run again.';
comment on column public.feedback_tags.created_at is 'When the label was added.';
comment on column public.feedback_tags.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_feedback_tags_updated_at
before update on public.feedback_tags
for each row execute function public.update_updated_at_column();

-- feedback_tag_assignments -----------------------------------------------------
create table if not exists public.feedback_tag_assignments (
    id uuid default gen_random_uuid() primary key,
    feedback_id uuid not null references public.feedback (id) on delete cascade,
    tag_id uuid not null references public.feedback_tags (id) on delete cascade,
    created_at timestamptz not null default now(),
    constraint feedback_tag_assignments_once_per_feedback unique (feedback_id, tag_id)
);

alter table public.feedback_tag_assignments enable row level security;

comment on table public.feedback_tag_assignments is
'Which message carries which label. Staff write it; authors see their own.';
comment on column public.feedback_tag_assignments.id is 'Surrogate key.';
comment on column public.feedback_tag_assignments.feedback_id is 'The message.';
comment on column public.feedback_tag_assignments.tag_id is 'The label.';
comment on column public.feedback_tag_assignments.created_at is 'When the label was put on.';

-- feedback_analytics -----------------------------------------------------------
create table if not exists public.feedback_analytics (
    id uuid default gen_random_uuid() primary key,
    date date not null,
    total_feedback integer not null default 0,
    resolved_feedback integer not null default 0,
    avg_response_time_hours decimal(5, 2),
    avg_rating decimal(3, 2),
    feedback_by_type jsonb,
    feedback_by_priority jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint feedback_analytics_one_per_day unique (date),
    constraint feedback_analytics_resolved_is_part_of_total check (resolved_feedback between 0 and total_feedback),
    constraint feedback_analytics_response_time_is_not_negative check (
        avg_response_time_hours between 0 and 999.99
    ),
    constraint feedback_analytics_avg_rating_is_1_to_5 check (avg_rating between 1 and 5),
    constraint feedback_analytics_by_type_is_small_object check (private.is_json_object(feedback_by_type, 16384)),
    constraint feedback_analytics_by_priority_is_small_object check (
        private.is_json_object(feedback_by_priority, 16384)
    )
);

alter table public.feedback_analytics enable row level security;

comment on table public.feedback_analytics is 'Feedback figures, one row per day (UTC). For staff.';
comment on column public.feedback_analytics.id is 'Surrogate key.';
comment on column public.feedback_analytics.date is 'The day (UTC) that the messages were sent.';
comment on column public.feedback_analytics.total_feedback is 'Messages sent that day.';
comment on column public.feedback_analytics.resolved_feedback is 'Of these, how many are resolved or closed.';
comment on column public.feedback_analytics.avg_response_time_hours is
'Mean hours from message to answer; null without answers.';
comment on column public.feedback_analytics.avg_rating is 'Mean rating; null without ratings.';
comment on column public.feedback_analytics.feedback_by_type is 'JSON object: feedback_type to number of messages.';
comment on column public.feedback_analytics.feedback_by_priority is 'JSON object: priority to number of messages.';
comment on column public.feedback_analytics.created_at is 'When the row was made.';
comment on column public.feedback_analytics.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_feedback_analytics_updated_at
before update on public.feedback_analytics
for each row execute function public.update_updated_at_column();

create or replace function private.roll_up_feedback(days date[])
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
    with item as materialized (
        select
            (feedback.created_at at time zone 'utc')::date as day,
            feedback.feedback_type,
            feedback.priority,
            feedback.rating,
            feedback.status in ('resolved', 'closed') as is_resolved,
            case when feedback.responded_at is not null
                then greatest(extract(epoch from feedback.responded_at - feedback.created_at), 0) / 3600
            end as response_hours
        from public.feedback as feedback
        where feedback.created_at >= v_from
            and feedback.created_at < v_to
            and (feedback.created_at at time zone 'utc')::date = any(days)
    ),

    figures as materialized (
        select
            item.day,
            count(*) as total_feedback,
            count(*) filter (where item.is_resolved) as resolved_feedback,
            -- As much as the column holds: six weeks.
            case when count(item.response_hours) > 0
                then round(least(avg(item.response_hours), 999.99), 2)
            end as avg_response_time_hours,
            round(avg(item.rating), 2) as avg_rating
        from item
        group by item.day
    ),

    by_type as (
        select counted.day, jsonb_object_agg(counted.feedback_type, counted.number) as numbers
        from (
            select item.day, item.feedback_type, count(*) as number
            from item
            group by item.day, item.feedback_type
        ) as counted
        group by counted.day
    ),

    by_priority as (
        select counted.day, jsonb_object_agg(counted.priority, counted.number) as numbers
        from (
            select item.day, item.priority, count(*) as number
            from item
            group by item.day, item.priority
        ) as counted
        group by counted.day
    ),

    written as (
        insert into public.feedback_analytics as known (
            date, total_feedback, resolved_feedback, avg_response_time_hours, avg_rating,
            feedback_by_type, feedback_by_priority
        )
        select
            figures.day,
            figures.total_feedback,
            figures.resolved_feedback,
            figures.avg_response_time_hours,
            figures.avg_rating,
            by_type.numbers,
            by_priority.numbers
        from figures
        inner join by_type on figures.day = by_type.day
        inner join by_priority on figures.day = by_priority.day
        on conflict on constraint feedback_analytics_one_per_day do update
        set
            total_feedback = excluded.total_feedback,
            resolved_feedback = excluded.resolved_feedback,
            avg_response_time_hours = excluded.avg_response_time_hours,
            avg_rating = excluded.avg_rating,
            feedback_by_type = excluded.feedback_by_type,
            feedback_by_priority = excluded.feedback_by_priority
        where (
            known.total_feedback, known.resolved_feedback, known.avg_response_time_hours, known.avg_rating,
            known.feedback_by_type, known.feedback_by_priority
        ) is distinct from (
            excluded.total_feedback, excluded.resolved_feedback, excluded.avg_response_time_hours, excluded.avg_rating,
            excluded.feedback_by_type, excluded.feedback_by_priority
        )
        returning 1
    ),

    gone as (
        delete from public.feedback_analytics as known
        where known.date = any(days) and not exists (
            select from figures
            where figures.day = known.date
        )
        returning 1
    )

    select (select count(*) from written) + (select count(*) from gone) into v_rows;
    return v_rows;
end
$$;

comment on function private.roll_up_feedback(date[]) is
'Makes feedback_analytics of these days again; a day without messages has no row. Returns how many rows changed.';

create or replace function private.generate_daily_feedback_analytics(day date)
returns public.feedback_analytics
language plpgsql
volatile
-- Definer: nobody but maintenance writes the table.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_figures public.feedback_analytics;
begin
    if day is null or not isfinite(day) or day > (now() at time zone 'utc')::date then
        raise exception '% is not a day that has begun', coalesce(day::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass a day (UTC) up to today.';
    end if;

    perform private.roll_up_feedback(array[day]);
    select figures.* into v_figures
    from public.feedback_analytics as figures
    where figures.date = generate_daily_feedback_analytics.day;
    return v_figures;
end
$$;

revoke all on function private.generate_daily_feedback_analytics(date) from public;

comment on function private.generate_daily_feedback_analytics(date) is
'Worker of public.generate_daily_feedback_analytics.';

create or replace function public.generate_daily_feedback_analytics(day date)
returns public.feedback_analytics
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.generate_daily_feedback_analytics(day);

comment on function public.generate_daily_feedback_analytics(date) is
'Server: makes the row of one day (UTC) in feedback_analytics again and returns it; nulls for a day without messages. '
'Maintenance calls it for the days that changed.';

reset search_path;
