-- 03_api_management.sql: which AI providers exist, whose keys we hold, what was called.
--
--   api_providers         the catalogue: limits, models and prices; staff write it
--   api_configurations    one encrypted key per user and provider
--   api_usage_logs        one row per call, partitioned by month
--
-- Needs 01, 02. Indexes are in 06, policies and grants in 07: same tables, order and banners.

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('public.user_sessions') is null;
end
$$;

do $$
begin
    if to_regclass('public.user_sessions') is null then
        raise exception '03_api_management.sql needs 02_user_management.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/02_user_management.sql';
    end if;
end
$$;

-- api_providers ----------------------------------------------------------------
create table if not exists public.api_providers (
    id uuid default gen_random_uuid() primary key,
    name varchar(50) not null,
    display_name varchar(100) not null,
    base_url text not null,
    api_key_pattern text,
    is_enabled boolean not null default true,
    max_requests_per_minute integer not null default 60,
    max_requests_per_day integer not null default 1000,
    supported_models jsonb,
    validation_rules jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint api_providers_name_is_unique unique (name),
    constraint api_providers_name_is_lowercase check (name ~ '^[a-z][a-z0-9_]*$'),
    -- Keys travel to this address.
    constraint api_providers_base_url_is_https check (private.is_web_url(base_url) and base_url like 'https:%'),
    -- Matching once is how PostgreSQL says whether a pattern compiles (2201B when it does not).
    constraint api_providers_key_pattern_compiles check (
        length(api_key_pattern) <= 500 and '' ~ api_key_pattern in (true, false)
    ),
    constraint api_providers_minute_limit_is_positive check (max_requests_per_minute > 0),
    constraint api_providers_day_limit_is_positive check (max_requests_per_day > 0),
    constraint api_providers_models_are_priced check (private.is_model_list(supported_models)),
    constraint api_providers_rules_are_small_object check (private.is_json_object(validation_rules, 16384))
);

alter table public.api_providers enable row level security;

comment on table public.api_providers is
'The AI providers that prompts can be sent to, with limits, models and prices.';
comment on column public.api_providers.id is 'Surrogate key.';
comment on column public.api_providers.name is 'Name that other tables use: openai, gemini, anthropic.';
comment on column public.api_providers.display_name is 'Name to show.';
comment on column public.api_providers.base_url is 'Root of the provider''s API; https only.';
comment on column public.api_providers.api_key_pattern is
'Regular expression that the provider''s keys match, and no other provider''s.';
comment on column public.api_providers.is_enabled is
'False hides the provider from clients. Kept when the seed is run again.';
comment on column public.api_providers.max_requests_per_minute is 'Requests that one user may make in a minute.';
comment on column public.api_providers.max_requests_per_day is 'Requests that one user may make in a day (UTC).';
comment on column public.api_providers.supported_models is
'Models with context window and US dollar prices per million tokens, each valid from a date.';
comment on column public.api_providers.validation_rules is
'Hints for a client that checks a key as it is typed: lengths, prefix.';
comment on column public.api_providers.created_at is 'When the provider was added.';
comment on column public.api_providers.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_api_providers_updated_at
before update on public.api_providers
for each row execute function public.update_updated_at_column();

-- api_configurations -----------------------------------------------------------
-- Changing a key is an update, not a new row: nobody needs last year's key, and one row per provider keeps the choice
-- of "which key do we use" out of every query.
create table if not exists public.api_configurations (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null,
    api_key_encrypted text not null,
    is_active boolean not null default true,
    -- Facts about the key, not wishes of its owner: 07 grants no client a write.
    is_validated boolean not null default false,
    last_validated_at timestamptz,
    validation_error text,
    usage_count integer not null default 0,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint api_configurations_one_key_per_provider unique (user_id, provider),
    constraint api_configurations_provider_is_known check (provider in ('openai', 'gemini', 'anthropic')),
    constraint api_configurations_key_is_encrypted check (private.is_key_envelope(api_key_encrypted)),
    constraint api_configurations_validation_error_is_short check (length(validation_error) <= 2000),
    constraint api_configurations_usage_count_is_a_count check (usage_count >= 0)
);

alter table public.api_configurations enable row level security;

comment on table public.api_configurations is 'A user''s key for one AI provider. Ciphertext only.';
comment on column public.api_configurations.id is 'Surrogate key.';
comment on column public.api_configurations.user_id is 'Owner. The row goes when the account goes.';
comment on column public.api_configurations.provider is 'Provider name as in api_providers.name.';
comment on column public.api_configurations.api_key_encrypted is
'The sealed key: enc:v1:<key id>:<base64>, or enc:c1:<base64> where the client encrypts for itself.';
comment on column public.api_configurations.is_active is
'Owner''s switch. False is how clients delete: the key is kept, unused.';
comment on column public.api_configurations.is_validated is 'True once the provider has accepted this key.';
comment on column public.api_configurations.last_validated_at is 'Last check of the key, whether it passed or failed.';
comment on column public.api_configurations.validation_error is 'Why the last check failed; null if it passed.';
comment on column public.api_configurations.usage_count is 'Calls logged with this key.';
comment on column public.api_configurations.last_used_at is 'Time of the latest logged call; null if never used.';
comment on column public.api_configurations.created_at is 'When the key was first stored.';
comment on column public.api_configurations.updated_at is 'Last change to any column. Maintained by trigger.';

-- A verdict belongs to the key it was passed on: a client that replaces its ciphertext must not keep the green tick.
create or replace function private.tg_api_configurations__reset_verdict()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
    new.is_validated := false;
    new.last_validated_at := null;
    new.validation_error := null;
    return new;
end
$$;

comment on function private.tg_api_configurations__reset_verdict() is
'Trigger: a replaced key, or one moved to another provider, is not validated any more. Counters stay.';

create or replace trigger reset_api_configurations_verdict
before update on public.api_configurations
for each row
when (
    (new.api_key_encrypted, new.provider) is distinct from (old.api_key_encrypted, old.provider)
    and new.last_validated_at is not distinct from old.last_validated_at
)
execute function private.tg_api_configurations__reset_verdict();

create or replace trigger update_api_configurations_updated_at
before update on public.api_configurations
for each row execute function public.update_updated_at_column();

-- api_usage_logs ---------------------------------------------------------------
-- By month: dropping a month is instant and gives its space back, deleting one rewrites the table. The key holds
-- created_at because the key of a partitioned table must hold the column it is partitioned by.
create table if not exists public.api_usage_logs (
    id uuid default gen_random_uuid() not null,
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null,
    endpoint text,
    request_size integer,
    response_size integer,
    response_time_ms integer,
    status_code integer,
    error_message text,
    created_at timestamptz not null default now(),
    primary key (id, created_at),
    constraint api_usage_logs_endpoint_is_short check (length(endpoint) <= 2048),
    constraint api_usage_logs_request_size_is_not_negative check (request_size >= 0),
    constraint api_usage_logs_response_size_is_not_negative check (response_size >= 0),
    constraint api_usage_logs_response_time_is_not_negative check (response_time_ms >= 0),
    constraint api_usage_logs_status_code_is_http check (status_code between 100 and 599),
    constraint api_usage_logs_error_message_is_short check (length(error_message) <= 10000)
) partition by range (created_at);

alter table public.api_usage_logs enable row level security;

comment on table public.api_usage_logs is 'One row per call to a provider. Append-only; partitioned by month (UTC).';
comment on column public.api_usage_logs.id is 'Unique together with created_at.';
comment on column public.api_usage_logs.user_id is 'Who made the call. The rows go when the account goes.';
comment on column public.api_usage_logs.provider is 'Provider name as in api_providers.name.';
comment on column public.api_usage_logs.endpoint is 'Path that was called, without secrets.';
comment on column public.api_usage_logs.request_size is 'Octets sent.';
comment on column public.api_usage_logs.response_size is 'Octets received.';
comment on column public.api_usage_logs.response_time_ms is 'Milliseconds from request to answer.';
comment on column public.api_usage_logs.status_code is 'HTTP status of the answer; null if there was none.';
comment on column public.api_usage_logs.error_message is 'What went wrong; null if nothing did.';
comment on column public.api_usage_logs.created_at is 'When the call was logged; decides the partition.';

-- Partitions live in private: they are reached through the parent only, and the API does not list them.
create or replace function private.close_partition(partition regclass)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
    -- A partition asked for by its own name answers to its own policies, not to its parent's.
    execute format('alter table %s enable row level security', partition);
    execute format('drop policy if exists "Nobody reaches a partition directly" on %s', partition);
    execute format(
        'create policy "Nobody reaches a partition directly" on %s as restrictive for all '
        'to anon, authenticated, app_admin, service_role using (false) with check (false)', partition
    );
    execute format('revoke all on %s from public, anon, authenticated, service_role, app_admin', partition);
end
$$;

comment on function private.close_partition(regclass) is
'Shuts a partition against everyone but its parent''s queries.';

create or replace function private.ensure_api_usage_months(first_month date, months integer)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
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
        v_name := 'api_usage_logs_' || to_char(v_from at time zone 'utc', 'YYYY_MM');
        continue when to_regclass('private.' || v_name) is not null;

        execute format(
            'create table private.%I (like public.api_usage_logs including defaults including constraints)', v_name
        );
        perform private.close_partition(format('private.%I', v_name)::regclass);
        execute format(
            'comment on table private.%I is %L', v_name,
            'api_usage_logs of ' || to_char(v_from at time zone 'utc', 'YYYY-MM') || ' (UTC).'
        );
        -- Rows that came while no month covered them wait in the default partition, and would block the attach.
        lock table private.api_usage_logs_default in access exclusive mode;
        execute format(
            'with moved as ('
            '    delete from private.api_usage_logs_default where created_at >= %L and created_at < %L returning *'
            ') insert into private.%I select * from moved', v_from, v_to, v_name
        );
        execute format(
            'alter table public.api_usage_logs attach partition private.%I for values from (%L) to (%L)',
            v_name, v_from, v_to
        );
        v_made := v_made + 1;
    end loop;
    return v_made;
end
$$;

comment on function private.ensure_api_usage_months(date, integer) is
'Makes the partitions of so many months from the one first_month lies in, where they are missing. Returns how many.';

create table if not exists private.api_usage_logs_default partition of public.api_usage_logs default;
comment on table private.api_usage_logs_default is
'api_usage_logs that no month covers: should be empty; maintenance makes the months.';
alter table private.api_usage_logs_default enable row level security;

do $$
begin
    perform private.close_partition('private.api_usage_logs_default');
    perform private.ensure_api_usage_months((now() at time zone 'utc')::date, 3);
end
$$;
