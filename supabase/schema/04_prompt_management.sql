-- 04_prompt_management.sql: how prompts are built, what was asked and answered, what is worth keeping as a template.
--
--   prompt_frameworks    the nine frameworks; staff write them
--   prompt_history       what a user asked and got
--   prompt_templates     reusable prompts: system, own, or shared with everyone
--   rendering            placeholders filled in, declared variables checked
--   search, statistics   over a user's own history; cleanup; the export of everything held about a user
--
-- Needs 01 to 03. Indexes are in 06, policies and grants in 07: same tables, order and banners.

set search_path = pg_catalog, pg_temp;

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('private.api_usage_logs_default') is null;
end
$$;

do $$
begin
    if to_regclass('private.api_usage_logs_default') is null then
        raise exception '04_prompt_management.sql needs 03_api_management.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/03_api_management.sql';
    end if;
end
$$;

-- Placeholders -----------------------------------------------------------------
-- {{name}} or {{name|default text}}; \{{ stands for two plain braces, \\{{ for a backslash before a placeholder.
-- Frameworks and templates are both written in it.

create or replace function private.parse_placeholders(content text)
returns table (literal text, name text, fallback text)
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Backslashes, two braces, and what makes a placeholder of them.
    c_braces constant text :=
        '(\\*)\{\{([ ]*([a-z][a-z0-9_]{0,49})[ ]*(?:\|((?:[^{}]|\}(?!\})|\{(?!\{))*))?\}\})?';
    -- One pass finds what lies between and one what is there. A pass for each placeholder would take half a minute.
    v_between text[] := regexp_split_to_array(content, c_braces);
    v_found text[];
    v_number integer := 0;
    v_at integer := 1;
begin
    for v_found in select regexp_matches(content, c_braces, 'g') loop
        v_number := v_number + 1;
        v_at := v_at + length(v_between[v_number]) + length(v_found[1]);
        literal := v_between[v_number] || repeat(E'\\', length(v_found[1]) / 2);
        if length(v_found[1]) % 2 = 1 then
            literal := literal || '{{' || coalesce(v_found[2], '');
            name := null;
            fallback := null;
        elsif v_found[2] is null then
            raise exception 'character % begins no placeholder: %', v_at, left(substr(content, v_at), 30)
                using errcode = 'invalid_parameter_value',
                    hint = 'Write {{name}} or {{name|default}} with a lower-case name, or \{{ for plain braces.';
        else
            name := v_found[3];
            fallback := v_found[4];
        end if;
        v_at := v_at + 2 + coalesce(length(v_found[2]), 0);
        return next;
    end loop;

    literal := v_between[v_number + 1];
    name := null;
    fallback := null;
    return next;
end
$$;

comment on function private.parse_placeholders(text) is
'A text in parts, in order: literal text, then the placeholder that follows it, if any, with its default.';

create or replace function private.check_placeholders(content text, declared jsonb)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_used text[];
    v_undeclared text;
    v_unused text;
    v_too_long text;
begin
    select array_agg(distinct used.name order by used.name)
    into v_used
    from private.parse_placeholders(content) as used
    where used.name is not null;

    select string_agg(used.name, ', ')
    into v_undeclared
    from unnest(v_used) as used (name)
    where not declared @> jsonb_build_array(jsonb_build_object('name', used.name));

    select
        string_agg(variable.entry ->> 'name', ', ') filter (
            where variable.entry ->> 'name' = any(v_used) is not true
        ),
        string_agg(variable.entry ->> 'name', ', ') filter (
            where length(variable.entry ->> 'default') > (variable.entry ->> 'max_length')::integer
        )
    into v_unused, v_too_long
    from jsonb_array_elements(declared) as variable (entry);

    if v_undeclared is not null or v_unused is not null then
        raise exception 'the text and its variables do not fit together'
            using errcode = 'check_violation', constraint = 'placeholders_are_declared',
                detail = concat_ws(
                    ' ', 'Not declared: ' || left(v_undeclared, 500) || '.', 'Not used: ' || left(v_unused, 500) || '.'
                ),
                hint = 'Declare each {{placeholder}} once, and use each variable. '
                    'Leave variables null to declare none.';
    elsif v_too_long is not null then
        raise exception 'a default is longer than its max_length: %', left(v_too_long, 500)
            using errcode = 'check_violation', constraint = 'placeholders_are_declared',
                hint = 'Shorten the default, or raise max_length.';
    end if;
end
$$;

comment on function private.check_placeholders(text, jsonb) is
'Raises an error that names the placeholders which are not declared and the variables which are not used.';

create or replace function private.render_text(content text, declared jsonb, given jsonb)
returns text
language plpgsql
immutable
-- Definer: nobody but the owner can name what it calls in private. Reads no table.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_given jsonb := coalesce(given, '{}');
    v_declared jsonb;
    v_literals text[];
    v_names text[];
    v_fallbacks text[];
    v_problem text;
    v_length bigint;
begin
    if jsonb_typeof(v_given) <> 'object' then
        raise exception 'variables are a JSON object'
            using errcode = 'invalid_parameter_value', detail = format('Found: %s.', jsonb_typeof(v_given)),
                hint = 'Pass {"name": "value"}.';
    end if;

    select jsonb_object_agg(variable.entry ->> 'name', variable.entry)
    into v_declared
    from jsonb_array_elements(declared) as variable (entry);

    select
        array_agg(part.literal order by part.number),
        array_agg(part.name order by part.number),
        array_agg(part.fallback order by part.number)
    into v_literals, v_names, v_fallbacks
    from private.parse_placeholders(content) with ordinality as part (literal, name, fallback, number);

    select string_agg(variable.key, ', ' order by variable.key) into v_problem
    from jsonb_each(v_given) as variable
    where jsonb_typeof(variable.value) not in ('string', 'number', 'boolean', 'null');
    if v_problem is not null then
        raise exception 'not a text: %', left(v_problem, 500)
            using errcode = 'invalid_parameter_value', hint = 'A variable is a text, a number, true or false.';
    end if;

    select string_agg(variable.key, ', ' order by variable.key) into v_problem
    from jsonb_object_keys(v_given) as variable (key)
    where not exists (select from unnest(v_names) as used (name) where used.name = variable.key);
    if v_problem is not null then
        raise exception 'unknown variables: %', left(v_problem, 500)
            using errcode = 'invalid_parameter_value',
                hint = format('This text has: %s.', coalesce(
                    (select string_agg(distinct used.name, ', ') from unnest(v_names) as used (name)), 'none'
                ));
    end if;

    select string_agg(variable.key, ', ' order by variable.key) into v_problem
    from jsonb_each_text(v_given) as variable
    where length(variable.value) > coalesce((v_declared -> variable.key ->> 'max_length')::integer, 100000);
    if v_problem is not null then
        raise exception 'too long: %', left(v_problem, 500)
            using errcode = 'string_data_right_truncation',
                hint = 'See max_length in the template''s variables; without one it is 100000 characters.';
    end if;

    -- A value of the caller's, else the default in the text, else the declared one, else nothing where not required.
    select string_agg(distinct used.name, ', ') into v_problem
    from unnest(v_names, v_fallbacks) as used (name, fallback)
    where used.name is not null
        and coalesce(v_given ->> used.name, used.fallback, v_declared -> used.name ->> 'default') is null
        and (v_declared -> used.name ->> 'required')::boolean is not false;
    if v_problem is not null then
        raise exception 'missing variables: %', left(v_problem, 500)
            using errcode = 'invalid_parameter_value', hint = 'Pass a value for each.';
    end if;

    -- Before the text is built, so that no short request can ask for a gigabyte.
    select sum(
        used.times * length(coalesce(v_given ->> used.name, used.fallback, v_declared -> used.name ->> 'default', ''))
    )
    into v_length
    from (
        select part.name, part.fallback, count(*) as times
        from unnest(v_names, v_fallbacks) as part (name, fallback)
        group by part.name, part.fallback
    ) as used;
    if v_length > 1000000 then
        raise exception 'the rendered text would be too long'
            using errcode = 'program_limit_exceeded', hint = 'All values together may have 1000000 characters.';
    end if;

    -- Values are put between the parts and not into the text: braces in a value stay what they are.
    return (
        select string_agg(
            part.literal
            || coalesce(v_given ->> part.name, part.fallback, v_declared -> part.name ->> 'default', ''),
            '' order by part.number
        )
        from unnest(v_literals, v_names, v_fallbacks) with ordinality as part (literal, name, fallback, number)
    );
end
$$;

revoke all on function private.render_text(text, jsonb, jsonb) from public;

comment on function private.render_text(text, jsonb, jsonb) is
'A text with its placeholders filled in. Names what is missing, unknown, too long or not a text.';

-- prompt_frameworks ------------------------------------------------------------
create table if not exists public.prompt_frameworks (
    id uuid default gen_random_uuid() primary key,
    name varchar(50) not null,
    display_name varchar(100) not null,
    description text not null,
    components jsonb not null,
    template text not null,
    examples jsonb,
    is_enabled boolean not null default true,
    sort_order integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint prompt_frameworks_name_is_unique unique (name),
    constraint prompt_frameworks_name_is_lowercase check (name ~ '^[a-z][a-z0-9_]*$'),
    constraint prompt_frameworks_description_is_short check (length(description) between 1 and 5000),
    constraint prompt_frameworks_components_are_listed check (private.is_component_list(components)),
    constraint prompt_frameworks_template_is_short check (length(template) between 1 and 20000),
    constraint prompt_frameworks_examples_are_a_small_list check (
        jsonb_typeof(examples) = 'array' and octet_length(examples::text) <= 262144
    )
);

alter table public.prompt_frameworks enable row level security;

comment on table public.prompt_frameworks is
'Ways to structure a prompt: R.O.S.E.S, A.P.E, T.A.G, E.R.A, R.A.C.E, R.I.S.E, C.A.R.E, C.O.A.S.T, T.R.A.C.E.';
comment on column public.prompt_frameworks.id is 'Surrogate key.';
comment on column public.prompt_frameworks.name is 'Name that other tables use as framework_id: roses, ape, …';
comment on column public.prompt_frameworks.display_name is 'Name to show.';
comment on column public.prompt_frameworks.description is 'When to choose this framework.';
comment on column public.prompt_frameworks.components is
'JSON array of {name, label, description, required}, in the order of the letters.';
comment on column public.prompt_frameworks.template is 'Prompt text with one {{placeholder}} per component.';
comment on column public.prompt_frameworks.examples is 'JSON array of worked examples: {title, values, prompt}.';
comment on column public.prompt_frameworks.is_enabled is
'False hides the framework from clients. Kept when the seed is run again.';
comment on column public.prompt_frameworks.sort_order is 'Position in lists, ascending.';
comment on column public.prompt_frameworks.created_at is 'When the framework was added.';
comment on column public.prompt_frameworks.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace function private.tg_prompt_frameworks__check_template()
returns trigger
language plpgsql
volatile
-- Definer: nobody but the owner can name what it calls in private. Reads no table.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- What is no list of components is for the CHECK to refuse.
    if private.is_component_list(new.components) then
        perform private.check_placeholders(new.template, new.components);
    end if;
    return new;
end
$$;

comment on function private.tg_prompt_frameworks__check_template() is
'Trigger: the template has one placeholder for each component, and no other.';

create or replace trigger check_prompt_frameworks_template
before insert or update of template, components on public.prompt_frameworks
for each row execute function private.tg_prompt_frameworks__check_template();

create or replace trigger update_prompt_frameworks_updated_at
before update on public.prompt_frameworks
for each row execute function public.update_updated_at_column();

-- prompt_history ---------------------------------------------------------------
-- A row is written when the request starts and updated when the answer comes. The free space in each page keeps that
-- update on its page (HOT), as long as no index holds a column it changes: see 06.
create table if not exists public.prompt_history (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    framework_id varchar(50) not null,
    framework_name varchar(100) not null,
    model varchar(50) not null,
    provider varchar(50) not null,
    user_input text not null,
    ai_response text,
    tone varchar(50),
    length varchar(50),
    temperature decimal(3, 2),
    max_tokens integer,
    vibe_coding boolean not null default false,
    processing_time_ms integer,
    tokens_used integer,
    cost_usd decimal(10, 6),
    status varchar(20) not null default 'pending',
    error_message text,
    error_code varchar(50),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Octets, because their number is known without unpacking the value.
    constraint prompt_history_user_input_is_under_1_mb check (octet_length(user_input) <= 1048576),
    constraint prompt_history_ai_response_is_under_2_mb check (octet_length(ai_response) <= 2097152),
    constraint prompt_history_temperature_is_valid check (temperature between 0 and 2),
    constraint prompt_history_max_tokens_is_positive check (max_tokens > 0),
    constraint prompt_history_processing_time_is_not_negative check (processing_time_ms >= 0),
    constraint prompt_history_tokens_used_is_not_negative check (tokens_used >= 0),
    -- Not >= 0 alone, which NaN is too.
    constraint prompt_history_cost_is_not_negative check (cost_usd between 0 and 9999.999999),
    constraint prompt_history_status_is_known check (status in ('pending', 'completed', 'failed')),
    constraint prompt_history_error_message_is_short check (length(error_message) <= 10000)
) with (fillfactor = 85);

alter table public.prompt_history enable row level security;

comment on table public.prompt_history is
'What a user asked and what came back. Private to the user: staff have no access.';
comment on column public.prompt_history.id is 'Surrogate key.';
comment on column public.prompt_history.user_id is 'Owner. The rows go when the account goes.';
comment on column public.prompt_history.framework_id is 'Framework used, as in prompt_frameworks.name.';
comment on column public.prompt_history.framework_name is 'Framework''s name as it was shown, R.O.S.E.S.';
comment on column public.prompt_history.model is 'Model that was called.';
comment on column public.prompt_history.provider is 'Provider that was called, as in api_providers.name.';
comment on column public.prompt_history.user_input is 'What the user asked; up to 1 MB.';
comment on column public.prompt_history.ai_response is 'What came back, up to 2 MB; null while pending.';
comment on column public.prompt_history.tone is 'Tone asked for: professional, casual, friendly, formal, creative.';
comment on column public.prompt_history.length is 'Length asked for: short, medium, long, detailed.';
comment on column public.prompt_history.temperature is 'Sampling temperature, 0 to 2.';
comment on column public.prompt_history.max_tokens is 'Largest answer asked for, in tokens.';
comment on column public.prompt_history.vibe_coding is 'Whether vibe-coding mode was on.';
comment on column public.prompt_history.processing_time_ms is 'Milliseconds from request to answer.';
comment on column public.prompt_history.tokens_used is 'Tokens in and out.';
comment on column public.prompt_history.cost_usd is
'Price in US dollars at the time of the call. Not revised when prices change.';
comment on column public.prompt_history.status is 'pending, completed or failed.';
comment on column public.prompt_history.error_message is 'What went wrong, for the user.';
comment on column public.prompt_history.error_code is 'What went wrong, for a program.';
comment on column public.prompt_history.created_at is 'When the request was made.';
comment on column public.prompt_history.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace function private.tg_prompt_history__respect_preferences()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Clients, who may read no other preferences than their own, and the server. What the owner of the tables copies
    -- is not judged.
    if current_user in ('authenticated', 'app_admin', 'service_role') and exists (
        select from public.user_preferences as preference
        where preference.user_id = new.user_id and not preference.enable_history
    ) then
        raise exception 'this user keeps no history'
            using errcode = 'PT403', schema = 'public', table = 'prompt_history',
                hint = 'Do not store the prompt, or set user_preferences.enable_history.';
    end if;
    return new;
end
$$;

comment on function private.tg_prompt_history__respect_preferences() is
'Trigger: stores nothing for a user who has switched enable_history off.';

create or replace trigger respect_prompt_history_preferences
before insert on public.prompt_history
for each row execute function private.tg_prompt_history__respect_preferences();

create or replace trigger require_prompt_history_feature
before insert on public.prompt_history
for each row
when (current_user in ('anon', 'authenticated', 'app_admin', 'service_role'))
execute function private.tg_require_feature('history');

create or replace function private.tg_prompt_history__keep_status_forward()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'a prompt that is % does not become %', old.status, new.status
        using errcode = 'check_violation', schema = 'public', table = 'prompt_history',
            constraint = 'prompt_history_status_runs_forward',
            hint = 'pending becomes completed or failed, and stays so. Store a new attempt as a new row.';
end
$$;

comment on function private.tg_prompt_history__keep_status_forward() is
'Trigger: refuses a status that runs backwards; fires only for one that does.';

create or replace trigger keep_prompt_history_status_forward
before update of status on public.prompt_history
for each row
when (old.status <> 'pending' and new.status <> old.status)
execute function private.tg_prompt_history__keep_status_forward();

create or replace trigger update_prompt_history_updated_at
before update on public.prompt_history
for each row execute function public.update_updated_at_column();

-- What a prompt cost stays spent when the prompt is cleaned up: a month's budget must not fill again by itself. Kept by
-- the quarter of an hour, so that days come out right in every time zone.
create table if not exists private.spent_costs (
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null,
    created_at timestamptz not null default now(),
    tokens_used bigint not null,
    cost_usd decimal(14, 6) not null,
    primary key (user_id, created_at, provider)
);

alter table private.spent_costs enable row level security;

comment on table private.spent_costs is
'Tokens and cost of prompts that are not in prompt_history any more, by quarter of an hour. Kept by trigger.';
comment on column private.spent_costs.user_id is 'Who asked. The rows go when the account goes.';
comment on column private.spent_costs.provider is 'Provider that was called.';
comment on column private.spent_costs.created_at is 'Begin of the quarter of an hour in which the prompts were made.';
comment on column private.spent_costs.tokens_used is 'Their tokens, in and out.';
comment on column private.spent_costs.cost_usd is 'Their price in US dollars.';

create or replace function private.tg_prompt_history__keep_costs()
returns trigger
language plpgsql
volatile
-- Definer: clients have no access to the sums.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into private.spent_costs as spent (user_id, provider, created_at, tokens_used, cost_usd)
    select
        gone.user_id,
        gone.provider,
        date_bin('15 minutes', gone.created_at, '2000-01-01 00:00:00+00'),
        coalesce(sum(gone.tokens_used), 0),
        coalesce(sum(gone.cost_usd), 0)
    from gone
    -- Not for an account that is being deleted.
    inner join auth.users as account on gone.user_id = account.id
    where gone.tokens_used > 0 or gone.cost_usd > 0
    group by 1, 2, 3
    on conflict on constraint spent_costs_pkey do update
    set tokens_used = spent.tokens_used + excluded.tokens_used, cost_usd = spent.cost_usd + excluded.cost_usd;
    return null;  -- ignored: the trigger fires after the statement
end
$$;

comment on function private.tg_prompt_history__keep_costs() is
'Trigger: adds up what deleted prompts had cost.';

create or replace trigger keep_prompt_history_costs
after delete on public.prompt_history
referencing old table as gone
for each statement execute function private.tg_prompt_history__keep_costs();

-- archive.prompt_history ---------------------------------------------------------
-- By the month in which a row was archived and not by that of the prompt: users keep their history for one day or for
-- ten years, and all of it is kept equally long here. The columns are those of prompt_history, in that order.
create table if not exists archive.prompt_history (
    like public.prompt_history including defaults including constraints including comments,
    archived_at timestamptz not null default now(),
    primary key (id, archived_at),
    constraint prompt_history_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
) partition by range (archived_at);

alter table archive.prompt_history enable row level security;

comment on table archive.prompt_history is
'Prompts past their owner''s max_history_days, by month of archiving. Rows still go when the account goes.';
comment on column archive.prompt_history.archived_at is 'When maintenance moved it here; decides the partition.';

create or replace function private.ensure_archive_months(first_month date, months integer)
returns integer
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
-- Bounds are written into statements: as text that reads back as the same moment, whoever asks.
set datestyle = 'ISO, MDY'
set timezone = 'UTC'
as $$
declare
    v_from timestamptz;
    v_to timestamptz;
    v_name text;
    v_made integer := 0;
begin
    for v_offset in 0 .. months - 1 loop
        -- Months are cut in UTC, whatever the session's time zone.
        v_from := (date_trunc('month', first_month::timestamp) + make_interval(months => v_offset)) at time zone 'utc';
        v_to := (v_from at time zone 'utc' + interval '1 month') at time zone 'utc';
        v_name := 'prompt_history_' || to_char(v_from at time zone 'utc', 'YYYY_MM');
        continue when to_regclass('archive.' || v_name) is not null;

        execute format(
            'create table archive.%I partition of archive.prompt_history for values from (%L) to (%L)',
            v_name, v_from, v_to
        );
        perform private.close_partition(format('archive.%I', v_name)::regclass);
        execute format(
            'comment on table archive.%I is %L', v_name,
            'Prompts archived in ' || to_char(v_from at time zone 'utc', 'YYYY-MM') || ' (UTC).'
        );
        v_made := v_made + 1;
    end loop;
    return v_made;
end
$$;

comment on function private.ensure_archive_months(date, integer) is
'Makes the partitions of archive.prompt_history for so many months from the one first_month lies in. How many.';

do $$
begin
    perform private.ensure_archive_months((now() at time zone 'utc')::date, 3);
end
$$;

-- prompt_templates -------------------------------------------------------------
create table if not exists public.prompt_templates (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete cascade,
    name varchar(100) not null,
    description text,
    framework_id varchar(50) not null,
    template_content text not null,
    variables jsonb,
    is_public boolean not null default false,
    is_active boolean not null default true,
    -- Counted when a template is rendered: 07 grants no client a write.
    usage_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint prompt_templates_name_is_not_blank check (name ~ '[^[:space:]]'),
    constraint prompt_templates_description_is_short check (length(description) <= 5000),
    constraint prompt_templates_content_is_short check (length(template_content) between 1 and 100000),
    constraint prompt_templates_variables_are_declared check (private.is_variable_list(variables)),
    constraint prompt_templates_usage_count_is_a_count check (usage_count >= 0)
);

alter table public.prompt_templates enable row level security;

-- System templates have no owner, so their name is what the seed finds them by.
create unique index if not exists prompt_templates_system_name_key
on public.prompt_templates (name)
where user_id is null;

comment on table public.prompt_templates is
'Reusable prompts with variables: own ones, public ones, and system templates that nobody owns.';
comment on column public.prompt_templates.id is 'Surrogate key.';
comment on column public.prompt_templates.user_id is
'Owner; null for a system template. The rows go when the account goes.';
comment on column public.prompt_templates.name is 'Name to show.';
comment on column public.prompt_templates.description is 'What the template is for.';
comment on column public.prompt_templates.framework_id is 'Framework used, as in prompt_frameworks.name.';
comment on column public.prompt_templates.template_content is 'Text with {{name}} or {{name|default}} placeholders.';
comment on column public.prompt_templates.variables is
'JSON array of {name, description, required, default, max_length}.';
comment on column public.prompt_templates.is_public is 'True shows the template to everyone, signed in or not.';
comment on column public.prompt_templates.is_active is 'False hides the template from everyone but its owner.';
comment on column public.prompt_templates.usage_count is 'How often it was rendered. Not writable by clients.';
comment on column public.prompt_templates.created_at is 'When the template was made.';
comment on column public.prompt_templates.updated_at is 'Last change, use not counted. Maintained by trigger.';

create or replace function private.tg_prompt_templates__check_content()
returns trigger
language plpgsql
volatile
-- Definer: nobody but the owner can name what it calls in private. Reads no table.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- What is no list of variables is for the CHECK to refuse.
    if coalesce(private.is_variable_list(new.variables), true) then
        perform private.check_placeholders(new.template_content, new.variables);
    end if;
    return new;
end
$$;

comment on function private.tg_prompt_templates__check_content() is
'Trigger: placeholders are well formed, and fit the declared variables where there are any.';

create or replace trigger check_prompt_templates_content
before insert or update of template_content, variables on public.prompt_templates
for each row execute function private.tg_prompt_templates__check_content();

-- Being used is not a change of the template.
-- System templates are staff's own business.
create or replace trigger require_prompt_templates_feature
before insert on public.prompt_templates
for each row
when (new.user_id is not null and current_user in ('anon', 'authenticated', 'app_admin', 'service_role'))
execute function private.tg_require_feature('templates');

create or replace trigger require_template_sharing_on_insert
before insert on public.prompt_templates
for each row
when (
    new.is_public and new.user_id is not null
    and current_user in ('anon', 'authenticated', 'app_admin', 'service_role')
)
execute function private.tg_require_feature('template_sharing');

create or replace trigger require_template_sharing
before update of is_public on public.prompt_templates
for each row
when (
    new.is_public and not old.is_public and new.user_id is not null
    and current_user in ('anon', 'authenticated', 'app_admin', 'service_role')
)
execute function private.tg_require_feature('template_sharing');

create or replace trigger update_prompt_templates_updated_at
before update on public.prompt_templates
for each row
when (new.usage_count = old.usage_count)
execute function public.update_updated_at_column();

-- Taking a shared template down ------------------------------------------------
-- Not an UPDATE of staff's own: the row that comes out is private again, staff may not see it, and an UPDATE with a
-- WHERE clause must leave a row that its author may see.
create or replace function private.unpublish_prompt_template(template_id uuid)
returns boolean
language plpgsql
volatile
-- Definer: see above. Touches is_public of one public template and answers no more than "was public".
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not private.is_staff_account() then
        raise exception 'only staff may do this'
            using errcode = 'insufficient_privilege', hint = 'Sign in with a staff account.';
    end if;
    update public.prompt_templates as template
    set is_public = false
    where template.id = unpublish_prompt_template.template_id and template.is_public;
    return found;
end
$$;

revoke all on function private.unpublish_prompt_template(uuid) from public;

comment on function private.unpublish_prompt_template(uuid) is 'Worker of public.unpublish_prompt_template.';

create or replace function public.unpublish_prompt_template(template_id uuid)
returns boolean
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
-- Bound at creation, so the caller needs EXECUTE on the worker and no USAGE on its schema.
return private.unpublish_prompt_template(template_id);

comment on function public.unpublish_prompt_template(uuid) is
'Staff: makes a shared template private to its owner again. True when it was public.';

-- Rendering --------------------------------------------------------------------
-- Uses that could not be counted because somebody held the template's row. No foreign key: its check would wait for the
-- same row.
create table if not exists private.uncounted_uses (
    id uuid default gen_random_uuid() primary key,
    template_id uuid not null
);

alter table private.uncounted_uses enable row level security;

comment on table private.uncounted_uses is
'Renderings while the template''s row was locked: the next one, or daily_maintenance(), adds them to usage_count.';
comment on column private.uncounted_uses.id is 'Surrogate key.';
comment on column private.uncounted_uses.template_id is 'Which template; it may be gone.';

create or replace function private.count_uses(template_id uuid, uses integer)
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
-- Whoever holds the row for longer must not keep everybody else from using the template.
set lock_timeout = '100ms'
as $$
declare
    v_waiting bigint;
begin
    with waiting as (
        delete from private.uncounted_uses as used
        where used.template_id = count_uses.template_id
        returning used.id
    )

    select count(*) into v_waiting from waiting;
    update public.prompt_templates as template
    set usage_count = template.usage_count + uses + v_waiting
    where template.id = count_uses.template_id and uses + v_waiting > 0;
    return v_waiting;
exception when lock_not_available then
    insert into private.uncounted_uses (template_id)
    select count_uses.template_id from generate_series(1, uses);
    return 0;
end
$$;

comment on function private.count_uses(uuid, integer) is
'Adds to usage_count, with what is in uncounted_uses; while the row is locked the uses go there. Returns how many came '
'from there.';

create or replace function private.render_and_count(template_id uuid, content text, declared jsonb, given jsonb)
returns text
language plpgsql
volatile
-- Definer: users may not write the counter. The wrapper hands in what the caller's own policies let it read.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text;
begin
    perform private.require_feature('templates');
    v_text := private.render_text(content, declared, given);
    perform private.count_uses(render_and_count.template_id, 1);
    return v_text;
end
$$;

revoke all on function private.render_and_count(uuid, text, jsonb, jsonb) from public;

comment on function private.render_and_count(uuid, text, jsonb, jsonb) is 'Worker of public.render_prompt_template.';

-- Volatile, or PostgreSQL 18 calls it while it plans, whether or not there is something to refuse.
create or replace function private.refuse_unknown(kind text, name text)
returns text
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'there is no % "%"', kind, left(coalesce(name, 'null'), 100)
        using errcode = 'PT404', hint = 'It may be switched off, or not be yours.';
end
$$;

comment on function private.refuse_unknown(text, text) is 'Raises the error for something that the caller cannot see.';

create or replace function public.render_prompt_template(template_id uuid, variables jsonb default '{}')
returns text
language sql
volatile
-- Invoker: the policies decide which templates there are.
security invoker
set search_path = pg_catalog, pg_temp
return coalesce(
    (
        select private.render_and_count(template.id, template.template_content, template.variables, $2)
        from public.prompt_templates as template
        where template.id = $1 and template.is_active
    ),
    private.refuse_unknown('template', $1::text)
);

comment on function public.render_prompt_template(uuid, jsonb) is
'The text of a system, public or own template with its variables filled in. Counts one use.';

create or replace function public.render_prompt_framework(framework text, variables jsonb default '{}')
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return coalesce(
    (
        select private.render_text(known.template, known.components, $2)
        from public.prompt_frameworks as known
        where known.name = $1 and known.is_enabled
    ),
    private.refuse_unknown('framework', $1)
);

comment on function public.render_prompt_framework(text, jsonb) is
'The template of a framework with its components filled in.';

-- Search -----------------------------------------------------------------------
-- Row level security keeps text-search indexes from being used (their operators are not leakproof): 1,011 ms against
-- 0.8 ms for a user with 46,000 rows. So the vectors live beside the table, reached by a function that filters by the
-- caller itself.
-- What says that we made it goes with us (supabase/rollback); where the platform gives it to somebody else, it stays.
do $$
begin
    if not exists (select from pg_catalog.pg_extension as extension where extension.extname = 'btree_gin') then
        create extension btree_gin with schema extensions;
        begin
            comment on extension btree_gin is 'Made by PromptCraft Forge.';
        exception when insufficient_privilege then
            null;
        end;
    end if;
end
$$;

create table if not exists private.prompt_search (
    history_id uuid primary key references public.prompt_history (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null,
    words tsvector not null
);

alter table private.prompt_search enable row level security;

comment on table private.prompt_search is
'Words of each prompt and answer, for search_prompt_history(). Kept by trigger.';
comment on column private.prompt_search.history_id is 'The row of prompt_history. Goes with it.';
comment on column private.prompt_search.user_id is 'Owner, as in prompt_history.';
comment on column private.prompt_search.created_at is 'As in prompt_history, for pages in time order.';
comment on column private.prompt_search.words is
'Words as written and as stemmed in the owner''s language; the question weighs more.';

create or replace function private.search_language(user_id uuid)
returns regconfig
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case split_part(
        (
            select preference.language
            from public.user_preferences as preference
            where preference.user_id = search_language.user_id
        ), '-', 1
    )
        when 'da' then 'pg_catalog.danish'
        when 'de' then 'pg_catalog.german'
        when 'en' then 'pg_catalog.english'
        when 'es' then 'pg_catalog.spanish'
        when 'fi' then 'pg_catalog.finnish'
        when 'fr' then 'pg_catalog.french'
        when 'hu' then 'pg_catalog.hungarian'
        when 'it' then 'pg_catalog.italian'
        when 'nb' then 'pg_catalog.norwegian'
        when 'nl' then 'pg_catalog.dutch'
        when 'nn' then 'pg_catalog.norwegian'
        when 'no' then 'pg_catalog.norwegian'
        when 'pt' then 'pg_catalog.portuguese'
        when 'ro' then 'pg_catalog.romanian'
        when 'ru' then 'pg_catalog.russian'
        when 'sv' then 'pg_catalog.swedish'
        when 'tr' then 'pg_catalog.turkish'
        else 'pg_catalog.simple'
    end::regconfig;
end
$$;

comment on function private.search_language(uuid) is
'Text-search configuration for the language of a user; simple where there is none for it.';

create or replace function private.searchable(content text)
returns text
language plpgsql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The beginning is enough to find a text by, and a vector has a limit of 1 MB that must never refuse an answer.
    -- Only letters and digits: on '@a1' or 'a_' over and over, the parser of PostgreSQL takes minutes to find out that
    -- it is no address.
    return translate(left(content, 50000), $punctuation$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$punctuation$, repeat(' ', 32));
end
$$;

comment on function private.searchable(text) is 'What of a text is indexed for the search: its words, no punctuation.';

create or replace function private.tg_prompt_history__index_words()
returns trigger
language plpgsql
volatile
-- Definer: clients have no access to the words.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_language regconfig := private.search_language(new.user_id);
    v_asked text := private.searchable(new.user_input);
    v_answered text := private.searchable(coalesce(new.ai_response, ''));
begin
    -- As written besides stemmed: what was stored under another language is still found by its exact words.
    insert into private.prompt_search (history_id, user_id, created_at, words)
    values (
        new.id,
        new.user_id,
        new.created_at,
        setweight(to_tsvector('pg_catalog.simple', v_asked), 'A')
        || setweight(to_tsvector(v_language, v_asked), 'B')
        || setweight(to_tsvector(v_language, v_answered), 'C')
        || setweight(to_tsvector('pg_catalog.simple', v_answered), 'D')
    )
    on conflict (history_id) do update
    set words = excluded.words;
    return null;  -- ignored: the trigger fires after the change
end
$$;

comment on function private.tg_prompt_history__index_words() is
'Trigger: keeps the searchable words of a prompt and its answer.';

create or replace trigger index_prompt_history_words
after insert or update of user_input, ai_response on public.prompt_history
for each row execute function private.tg_prompt_history__index_words();

create or replace function private.search_prompt_history(
    query text, page_size integer, before_created_at timestamptz, before_id uuid
)
returns table (
    id uuid,
    framework_name varchar,
    model varchar,
    status varchar,
    created_at timestamptz,
    rank real,
    user_input_highlight text,
    ai_response_highlight text
)
language plpgsql
stable
-- Definer: only so can the index on the words be used. Filters by the caller, whom it takes from the token.
security definer
set search_path = pg_catalog, pg_temp
-- A rare and a common word want different plans.
set plan_cache_mode = force_custom_plan
as $$
declare
    v_user_id uuid := private.require_user();
    v_language regconfig := private.search_language(v_user_id);
    v_words text;
    v_query tsquery;
    v_highlight constant text := 'MaxFragments=2, StartSel=**, StopSel=**';
begin
    if search_prompt_history.query is null or btrim(search_prompt_history.query) = '' then
        raise exception 'nothing to search for'
            using errcode = 'invalid_parameter_value', hint = 'Pass one or more words.';
    elsif length(search_prompt_history.query) > 1000 then
        raise exception 'the query is too long: % characters', length(search_prompt_history.query)
            using errcode = 'invalid_parameter_value', hint = 'A query has at most 1000 characters.';
    elsif page_size is null or page_size not between 1 and 100 then
        raise exception 'a page of % rows is not possible', coalesce(page_size::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass a page_size from 1 to 100.';
    elsif (before_created_at is null) <> (before_id is null) then
        raise exception 'a page begins after a row: its created_at and its id'
            using errcode = 'invalid_parameter_value', hint = 'Pass both before_created_at and before_id, or neither.';
    end if;

    -- Punctuation goes as it does from what is indexed, but for quotes and for the minus before a word.
    v_words := translate(
        search_prompt_history.query, $punctuation$!#$%&'()*+,./:;<=>?@[\]^_`{|}~$punctuation$, repeat(' ', 30)
    );
    v_words := regexp_replace(v_words, '([^\s"])-', '\1 ', 'g');
    v_query := websearch_to_tsquery(v_language, v_words) || websearch_to_tsquery('pg_catalog.simple', v_words);

    return query
    with page as materialized (
        select found.history_id, found.created_at, ts_rank(found.words, v_query) as rank
        from private.prompt_search as found
        where found.user_id = v_user_id
            and found.words @@ v_query
            and (
                search_prompt_history.before_id is null
                or (found.created_at, found.history_id)
                < (search_prompt_history.before_created_at, search_prompt_history.before_id)
            )
        order by found.created_at desc, found.history_id desc
        limit search_prompt_history.page_size
    )

    select
        history.id,
        history.framework_name,
        history.model,
        history.status,
        history.created_at,
        page.rank,
        ts_headline(v_language, shown.user_input, v_query, v_highlight),
        ts_headline(v_language, shown.ai_response, v_query, v_highlight)
    from page
    inner join public.prompt_history as history on page.history_id = history.id
    -- Very long words are cut in what is long enough for them to matter: here too the parser takes minutes for some.
    cross join lateral (
        select
            case
                when octet_length(history.user_input) <= 500 then history.user_input
                else regexp_replace(left(history.user_input, 10000), '(\S{50})', '\1 ', 'g')
            end as user_input,
            case
                when octet_length(history.ai_response) <= 500 then history.ai_response
                else regexp_replace(left(history.ai_response, 10000), '(\S{50})', '\1 ', 'g')
            end as ai_response
    ) as shown
    order by history.created_at desc, history.id desc;
end
$$;

revoke all on function private.search_prompt_history(text, integer, timestamptz, uuid) from public;

comment on function private.search_prompt_history(text, integer, timestamptz, uuid) is
'Worker of public.search_prompt_history.';

create or replace function public.search_prompt_history(
    query text,
    page_size integer default 20,
    before_created_at timestamptz default null,
    before_id uuid default null
)
returns table (
    id uuid,
    framework_name varchar,
    model varchar,
    status varchar,
    created_at timestamptz,
    rank real,
    user_input_highlight text,
    ai_response_highlight text
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        found.id,
        found.framework_name,
        found.model,
        found.status,
        found.created_at,
        found.rank,
        found.user_input_highlight,
        found.ai_response_highlight
    from private.search_prompt_history($1, $2, $3, $4) as found;
end;

comment on function public.search_prompt_history(text, integer, timestamptz, uuid) is
'The caller''s prompts and answers that match the words (as in a web search: "a phrase", or, -not), newest first, with '
'rank and highlights. Next page: pass created_at and id of the last row.';

-- Statistics and cleanup -------------------------------------------------------
create or replace function private.check_days(days integer)
returns integer
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if days is null or days not between 1 and 3650 then
        raise exception '% is not a number of days to look back', coalesce(days::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass 1 to 3650.';
    end if;
    return days;
end
$$;

comment on function private.check_days(integer) is 'Its argument, or an error when that is not 1 to 3650.';

create or replace function private.get_prompt_stats(days integer)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- One pass over the caller's rows; by name, because staff read no more than their own here either.
    with mine as (
        select
            history.framework_name,
            history.model,
            history.status,
            (history.created_at at time zone current_setting('TimeZone'))::date as day,
            length(history.ai_response) as answer_length,
            coalesce(history.tokens_used, 0) as tokens,
            coalesce(history.cost_usd, 0) as cost
        from public.prompt_history as history
        where history.user_id = (select auth.uid())
            and history.created_at >= now() - make_interval(days => days)
    )

    select jsonb_build_object(
        'days', days,
        'total', count(*),
        'completed', count(*) filter (where mine.status = 'completed'),
        'failed', count(*) filter (where mine.status = 'failed'),
        'pending', count(*) filter (where mine.status = 'pending'),
        'success_rate', round(
            count(*) filter (where mine.status = 'completed')::numeric
            / nullif(count(*) filter (where mine.status <> 'pending'), 0), 4
        ),
        'average_response_length', round(avg(mine.answer_length)),
        'tokens_used', coalesce(sum(mine.tokens), 0),
        'cost_usd', coalesce(sum(mine.cost), 0),
        'by_framework', coalesce((
            select jsonb_object_agg(counted.framework_name, counted.number)
            from (select framework_name, count(*) as number from mine group by framework_name) as counted
        ), '{}'),
        'by_model', coalesce((
            select jsonb_object_agg(counted.model, counted.number)
            from (select model, count(*) as number from mine group by model) as counted
        ), '{}'),
        'by_day', coalesce((
            select jsonb_object_agg(counted.day, counted.number)
            from (select day, count(*) as number from mine group by day) as counted
        ), '{}')
    )
    from mine
$$;

comment on function private.get_prompt_stats(integer) is 'Worker of public.get_prompt_stats.';

create or replace function public.get_prompt_stats(days integer default 7)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_prompt_stats(private.check_days(days));

comment on function public.get_prompt_stats(integer) is
'Figures over the caller''s prompts of the last days: totals, success rate, mean answer length, tokens, cost, and '
'numbers by framework, by model and by day in the session''s time zone.';

create or replace function public.cleanup_old_prompt_history()
returns integer
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with gone as (
        delete from public.prompt_history as history
        where history.user_id = (select auth.uid())
            and history.created_at < now() - make_interval(days => coalesce(
                (
                    select preference.max_history_days
                    from public.user_preferences as preference
                    where preference.user_id = (select auth.uid())
                ),
                (
                    select config.value::integer
                    from public.system_config as config
                    where config.key = 'max_prompt_history_days'
                ),
                30
            ))
        returning 1
    )

    select count(*)::integer from gone
$$;

comment on function public.cleanup_old_prompt_history() is
'Deletes the caller''s prompts older than their max_history_days. Returns how many.';

create or replace function private.get_usage_summary(days integer)
returns jsonb
language sql
stable
-- Definer: clients have no access to what deleted prompts had cost. Only ever the caller's rows.
security definer
set search_path = pg_catalog, pg_temp
as $$
    -- Days are those of the session's time zone (PostgREST: Prefer: timezone=…), from the first to today.
    with span as (
        select
            clock.zone,
            clock.today,
            clock.today - days + 1 as first_day,
            least(clock.today - days + 1, date_trunc('month', clock.today)::date)::timestamp
                at time zone clock.zone as begins
        from (
            select current_setting('TimeZone') as zone, (now() at time zone current_setting('TimeZone'))::date as today
        ) as clock
    ),

    calls as (
        select
            log.provider,
            (log.created_at at time zone span.zone)::date as day,
            log.response_time_ms,
            (log.status_code >= 400 or log.error_message is not null) is true as is_error
        from span
        cross join lateral (
            select recent.provider, recent.created_at, recent.response_time_ms, recent.status_code, recent.error_message
            from public.api_usage_logs as recent
            where recent.user_id = (select auth.uid())
                and recent.created_at >= span.first_day::timestamp at time zone span.zone
            union all
            select cold.provider, cold.created_at, cold.response_time_ms, cold.status_code, cold.error_message
            from archive.api_usage_logs as cold
            where cold.user_id = (select auth.uid())
                and cold.created_at >= span.first_day::timestamp at time zone span.zone
        ) as log
    ),

    -- From the first day or that of the month, for the budget.
    prompts as (
        select
            costs.provider,
            (costs.created_at at time zone span.zone)::date as day,
            coalesce(costs.tokens_used, 0) as tokens,
            coalesce(costs.cost_usd, 0) as cost
        from span
        cross join lateral (
            select history.provider, history.created_at, history.tokens_used, history.cost_usd
            from public.prompt_history as history
            where history.user_id = (select auth.uid())
                and history.created_at >= span.begins
            union all
            select spent.provider, spent.created_at, spent.tokens_used, spent.cost_usd
            from private.spent_costs as spent
            where spent.user_id = (select auth.uid())
                and spent.created_at >= span.begins
        ) as costs
    ),

    called as (
        select
            calls.provider,
            calls.day,
            count(*) as requests,
            count(*) filter (where calls.is_error) as errors,
            round(percentile_cont(0.5) within group (order by calls.response_time_ms)) as p50,
            round(percentile_cont(0.95) within group (order by calls.response_time_ms)) as p95,
            round(percentile_cont(0.99) within group (order by calls.response_time_ms)) as p99
        from calls
        group by calls.provider, calls.day
    ),

    spent as (
        select
            prompts.provider,
            prompts.day,
            coalesce(sum(prompts.tokens), 0) as tokens,
            coalesce(sum(prompts.cost), 0) as cost
        from prompts
        group by prompts.provider, prompts.day
    ),

    per_cell as (
        select
            coalesce(called.day, spent.day) as day,
            coalesce(called.provider, spent.provider) as provider,
            coalesce(called.requests, 0) as requests,
            coalesce(called.errors, 0) as errors,
            called.p50,
            called.p95,
            called.p99,
            coalesce(spent.tokens, 0) as tokens,
            coalesce(spent.cost, 0) as cost
        from called
        full outer join spent on called.day = spent.day and called.provider = spent.provider
    ),

    per_day as (
        select
            calendar.day::date as day,
            coalesce(sum(per_cell.requests), 0) as requests,
            coalesce(sum(per_cell.errors), 0) as errors,
            coalesce(sum(per_cell.tokens), 0) as tokens,
            coalesce(sum(per_cell.cost), 0) as cost,
            coalesce(
                jsonb_object_agg(
                    per_cell.provider,
                    jsonb_build_object(
                        'requests', per_cell.requests,
                        'errors', per_cell.errors,
                        'error_rate', round(per_cell.errors::numeric / nullif(per_cell.requests, 0), 4),
                        'p50_ms', per_cell.p50,
                        'p95_ms', per_cell.p95,
                        'p99_ms', per_cell.p99,
                        'tokens', per_cell.tokens,
                        'cost_usd', per_cell.cost
                    )
                ) filter (where per_cell.provider is not null),
                '{}'
            ) as providers
        from span
        cross join lateral generate_series(span.first_day::timestamp, span.today::timestamp, interval '1 day')
            as calendar (day)
        left join per_cell on calendar.day::date = per_cell.day
        group by calendar.day
    ),

    budget as (
        select
            preference.monthly_budget_usd as budget,
            coalesce((
                select sum(spent.cost)
                from spent
                where spent.day >= (select date_trunc('month', today)::date from span)
            ), 0) as spent
        from (select auth.uid() as user_id) as caller
        left join public.user_preferences as preference on caller.user_id = preference.user_id
    )

    select jsonb_build_object(
        'time_zone', (select zone from span),
        'from', (select first_day from span),
        'to', (select today from span),
        'requests', sum(per_day.requests),
        'errors', sum(per_day.errors),
        'error_rate', round(sum(per_day.errors) / nullif(sum(per_day.requests), 0), 4),
        'tokens', sum(per_day.tokens),
        'cost_usd', sum(per_day.cost),
        'budget', (
            select jsonb_build_object(
                'monthly_budget_usd', budget.budget,
                'spent_this_month_usd', budget.spent,
                'is_exceeded', coalesce(budget.spent > budget.budget, false)
            )
            from budget
        ),
        'days', jsonb_agg(
            jsonb_build_object(
                'day', per_day.day,
                'requests', per_day.requests,
                'errors', per_day.errors,
                'error_rate', round(per_day.errors / nullif(per_day.requests, 0), 4),
                'tokens', per_day.tokens,
                'cost_usd', per_day.cost,
                'providers', per_day.providers
            )
            order by per_day.day
        )
    )
    from per_day
$$;

revoke all on function private.get_usage_summary(integer) from public;

comment on function private.get_usage_summary(integer) is 'Worker of public.get_usage_summary.';

create or replace function public.get_usage_summary(days integer default 30)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.get_usage_summary(private.check_days(days));

comment on function public.get_usage_summary(integer) is
'The caller''s usage of the last days, per day (days without use included) and provider: requests, errors, error rate, '
'latency percentiles, tokens, cost; and this month''s cost against the budget in user_preferences.';

reset search_path;
