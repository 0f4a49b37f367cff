-- 03_api_management.sql: which AI providers exist, whose keys we hold, what was called.
--
--   api_providers         the catalogue: limits, models and prices; staff write it
--   api_configurations    one encrypted key per user and provider
--   api_usage_logs        one row per call, partitioned by month
--   the life of a key     save, reveal, decrypt, record a verdict, rotate the encryption key
--   rate limits           what a user may still call, per minute and day
--   usage and cost        logging a call, adding up, pricing
--
-- Needs 01, 02. Indexes are in 06, policies and grants in 07: same tables, order and banners.

set search_path = pg_catalog, pg_temp;

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

-- Staff never see keys, so they must not be able to have them sent somewhere else either.
create or replace function private.tg_api_providers__keep_address()
returns trigger
language plpgsql
volatile
-- Invoker: current_user must be the caller's role.
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Which providers keys can be stored for is what the rule on api_configurations says.
    if current_user = 'app_admin' and exists (
        select from pg_catalog.pg_constraint as rule
        where rule.conrelid = 'public.api_configurations'::regclass
            and rule.conname = 'api_configurations_provider_is_known'
            and (
                strpos(pg_get_constraintdef(rule.oid), quote_literal(new.name)) > 0
                or (tg_op = 'UPDATE' and strpos(pg_get_constraintdef(rule.oid), quote_literal(old.name)) > 0)
            )
    ) then
        raise exception 'staff may not say where the keys for "%" are sent', new.name
            using errcode = 'insufficient_privilege', schema = 'public', table = 'api_providers',
                hint = 'Name and base_url of this provider are changed by a migration.';
    end if;
    return new;
end
$$;

comment on function private.tg_api_providers__keep_address() is
'Trigger: staff may neither redirect, rename nor replace a provider that keys can be stored for.';

create or replace trigger keep_api_providers_address_on_insert
before insert on public.api_providers
for each row execute function private.tg_api_providers__keep_address();

create or replace trigger keep_api_providers_address
before update of name, base_url on public.api_providers
for each row
when ((new.name, new.base_url) is distinct from (old.name, old.base_url))
execute function private.tg_api_providers__keep_address();

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
    -- The form only, because a CHECK is evaluated for every counted call. What is inside: see the trigger.
    constraint api_configurations_key_is_encrypted check (
        length(api_key_encrypted) <= 16384
        and api_key_encrypted ~ '^enc:(v1:[A-Za-z0-9_-]+|c1):[A-Za-z0-9+/]+={0,2}$'
    ),
    constraint api_configurations_validation_error_is_short check (length(validation_error) <= 2000),
    constraint api_configurations_usage_count_is_a_count check (usage_count >= 0)
-- Room in each page, so that counting a call stays on its page (HOT).
) with (fillfactor = 80);

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
comment on column public.api_configurations.updated_at is
'Last change; neither use nor rotation is one. Maintained by trigger.';

-- private.rotate_api_keys() seals the same keys anew, thousands at a time. What the triggers below do for a change of
-- one key takes longer than the sealing and is not needed there, so they stand aside, and the rotation leaves one line
-- in the audit log for each batch. Whoever could have them stand aside could replace keys unseen. So a setting, which
-- anybody may make at any moment, is not enough: it counts for the owner alone. In the owner's functions, which others
-- call with whatever settings they like, the trigger after the statement asks for a row that only a running rotation
-- can see.
create or replace function private.is_resealing()
returns boolean
language sql
stable
-- Without settings, so that PostgreSQL puts this in the place of the call. What the names mean was settled when the
-- function was made.
security invoker
return (
    current_setting('forge.resealing', true) is not distinct from 'on'
    and has_table_privilege('private.locks'::regclass, 'insert')
);

comment on function private.is_resealing() is
'True while keys are sealed anew; not yet proof of it, see confirm_api_configurations_resealing.';

create or replace function private.tg_api_configurations__confirm_resealing()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A rotation adds it before and removes it after the one statement: in no transaction is it ever there for another.
    if not exists (select from private.locks as held where held.name = 'resealing') then
        raise exception 'no rotation of keys is at work'
            using errcode = 'insufficient_privilege', schema = 'public', table = 'api_configurations',
                hint = 'reset forge.resealing;';
    end if;
    return null;  -- ignored: the trigger fires after the change
end
$$;

comment on function private.tg_api_configurations__confirm_resealing() is
'Trigger: refuses what was written as if by a rotation, and was not.';

-- All columns but usage_count and last_used_at: those, which every logged call writes, no trigger gives way for.
create or replace trigger confirm_api_configurations_resealing
after insert or update of id, user_id, provider, api_key_encrypted, is_active, is_validated, last_validated_at,
validation_error, created_at, updated_at on public.api_configurations
for each statement
when (private.is_resealing())
execute function private.tg_api_configurations__confirm_resealing();

-- A rule that fails shows the row to whoever no policy holds, and the log keeps it. So what could fail is refused
-- before the rule sees it: ciphertext, or a key that somebody forgot to encrypt, is in no message.
create or replace function private.tg_api_configurations__refuse_unencrypted()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'the API key is not encrypted'
        using errcode = 'check_violation', schema = 'public', table = 'api_configurations',
            constraint = 'api_configurations_key_is_encrypted',
            detail = 'Neither plain keys nor their base64 or hex are stored.',
            hint = 'Store the key with save_api_key(), or encrypt it yourself and send enc:c1:<base64>.';
end
$$;

comment on function private.tg_api_configurations__refuse_unencrypted() is
'Trigger: refuses what is not encrypted, without showing it; fires only for that.';

-- The condition is bound here: whoever writes a key cannot look up a name in private.
create or replace trigger refuse_api_configurations_unencrypted
before insert or update of api_key_encrypted on public.api_configurations
for each row
when (not private.is_resealing() and not private.is_key_envelope(new.api_key_encrypted))
execute function private.tg_api_configurations__refuse_unencrypted();

create or replace function private.tg_api_configurations__refuse_quietly()
returns trigger
language plpgsql
volatile
-- Invoker: asks whether a policy holds the caller.
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_client boolean := row_security_active(tg_relid);
    v_column text;
    v_rule text;
begin
    if v_is_client and new.api_key_encrypted like 'enc:v1:%' and not exists (
        select from public.api_configurations as stored
        where stored.user_id = new.user_id
            and stored.provider = new.provider
            and stored.api_key_encrypted = new.api_key_encrypted
    ) then
        raise exception 'only the server seals keys as enc:v1'
            using errcode = 'check_violation', schema = 'public', table = 'api_configurations',
                constraint = 'api_configurations_key_is_encrypted',
                hint = 'Store the key with save_api_key(), or encrypt it yourself and send enc:c1:<base64>.';
    end if;

    v_column := case
        when new.user_id is null then 'user_id'
        when new.provider is null then 'provider'
        when new.api_key_encrypted is null then 'api_key_encrypted'
    end;
    if v_column is not null and not v_is_client then
        raise exception 'column "%" of api_configurations is null', v_column
            using errcode = 'not_null_violation', schema = 'public', table = 'api_configurations', column = v_column;
    end if;

    v_rule := case
        when new.provider not in ('openai', 'gemini', 'anthropic') then 'provider_is_known'
        when length(new.validation_error) > 2000 then 'validation_error_is_short'
        when new.usage_count < 0 then 'usage_count_is_a_count'
    end;
    if v_rule is not null and not v_is_client then
        raise exception 'api_configurations: %', replace(v_rule, '_', ' ')
            using errcode = 'check_violation', schema = 'public', table = 'api_configurations',
                constraint = 'api_configurations_' || v_rule,
                detail = 'This row breaks the rule; it is not shown, because it holds a key.';
    end if;
    return new;
end
$$;

comment on function private.tg_api_configurations__refuse_quietly() is
'Trigger: refuses whatever the rules would refuse, without showing the row.';

-- Only where one of these columns is written. Every logged call counts on its key, and a condition that is looked at
-- costs as much as that update itself: PostgreSQL reads each anew, from its text, in every statement.
create or replace trigger refuse_api_configurations_quietly
before insert or update of user_id, provider, api_key_encrypted, validation_error on public.api_configurations
for each row
when (not private.is_resealing())
execute function private.tg_api_configurations__refuse_quietly();

create or replace trigger refuse_api_configurations_miscount
before update of usage_count on public.api_configurations
for each row
when (new.usage_count < 0)
execute function private.tg_api_configurations__refuse_quietly();

-- A verdict belongs to the key it was passed on: a client that replaces its ciphertext must not keep the green tick.
create or replace function private.tg_api_configurations__reset_verdict()
returns trigger
language plpgsql
volatile
-- Invoker: current_user must be the caller's role. Functions of ours run as the owner and know what they do: rotation
-- changes the ciphertext and not the key.
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_user in ('authenticated', 'app_admin', 'service_role')
        and new.last_validated_at is not distinct from old.last_validated_at
    then
        new.is_validated := false;
        new.last_validated_at := null;
        new.validation_error := null;
    end if;
    return new;
end
$$;

comment on function private.tg_api_configurations__reset_verdict() is
'Trigger: a replaced key, or one moved to another provider, is not validated any more. Counters stay.';

create or replace trigger reset_api_configurations_verdict
before update of api_key_encrypted, provider on public.api_configurations
for each row
when (
    not private.is_resealing()
    and (new.api_key_encrypted, new.provider) is distinct from (old.api_key_encrypted, old.provider)
)
execute function private.tg_api_configurations__reset_verdict();

-- Neither being used is a change of the configuration, so all columns but usage_count and last_used_at; nor is being
-- sealed anew.
create or replace trigger update_api_configurations_updated_at
before update of id, user_id, provider, api_key_encrypted, is_active, is_validated, last_validated_at,
validation_error, created_at, updated_at on public.api_configurations
for each row
when (not private.is_resealing())
execute function public.update_updated_at_column();

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
set search_path = pg_catalog, pg_temp
-- Nobody who runs the maintenance wants to hear that a new partition had no policy yet.
set client_min_messages = warning
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
        v_name := 'api_usage_logs_' || to_char(v_from at time zone 'utc', 'YYYY_MM');
        continue when to_regclass('private.' || v_name) is not null;

        -- The CHECK says what the partition's bounds say, so that attaching the month, here and later to the archive,
        -- need not read it.
        execute format(
            'create table private.%1$I ('
            '    like public.api_usage_logs including defaults including constraints,'
            '    constraint %2$I check (created_at >= %3$L and created_at < %4$L)'
            ')', v_name, v_name || '_holds_its_month', v_from, v_to
        );
        perform private.close_partition(format('private.%I', v_name)::regclass);
        -- No statistics on what people wrote: see 06. A partition does not take this over from its parent.
        execute format(
            'alter table private.%I '
            'alter column endpoint set statistics 0, alter column error_message set statistics 0', v_name
        );
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

alter table private.api_usage_logs_default
alter column endpoint set statistics 0,
alter column error_message set statistics 0;

do $$
begin
    perform private.close_partition('private.api_usage_logs_default');
    perform private.ensure_api_usage_months((now() at time zone 'utc')::date, 3);
end
$$;

-- archive.api_usage_logs ---------------------------------------------------------
-- Takes whole months by detaching and attaching: no row is written, so none can be lost or doubled.
create table if not exists archive.api_usage_logs (
    like public.api_usage_logs including defaults including constraints including comments,
    primary key (id, created_at),
    constraint api_usage_logs_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
) partition by range (created_at);

alter table archive.api_usage_logs enable row level security;

comment on table archive.api_usage_logs is
'Months of api_usage_logs past retention_days_api_usage_logs. Rows still go when the account goes.';

create table if not exists archive.api_usage_logs_default partition of archive.api_usage_logs default;
comment on table archive.api_usage_logs_default is
'Archived api_usage_logs that no month covers: should be empty; months come whole.';
alter table archive.api_usage_logs_default enable row level security;

do $$
begin
    perform private.close_partition('archive.api_usage_logs_default');
end
$$;

-- The life of a key --------------------------------------------------------------
-- Each public function is a wrapper, bound to its worker in private when it is made: the caller needs EXECUTE on both
-- and no USAGE on private, so nobody can call a worker by its name.

create or replace function private.save_api_key(provider text, api_key text)
returns uuid
language plpgsql
volatile
-- Definer: reads the encryption key, and writes verdict columns that clients may not write. Only ever the caller's row.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := private.require_user();
    v_provider public.api_providers;
    v_other text;
    v_id uuid;
begin
    -- No message here repeats the key, not even a part of it.
    select known.* into v_provider
    from public.api_providers as known
    where known.name = save_api_key.provider and known.is_enabled;
    if not found then
        perform private.refuse_provider(save_api_key.provider);
    end if;

    if api_key is null or api_key = '' then
        raise exception 'the API key is empty'
            using errcode = 'invalid_parameter_value',
                hint = format('Copy the key from %s again.', v_provider.display_name);
    elsif length(api_key) > 1000 then
        raise exception 'the API key is too long: % characters', length(api_key)
            using errcode = 'invalid_parameter_value', hint = 'A key has at most 1000 characters.';
    elsif api_key ~ '[[:space:][:cntrl:]]' then
        raise exception 'the API key contains white space'
            using errcode = 'invalid_parameter_value',
                hint = 'Remove spaces and line breaks, also before and after the key.';
    elsif api_key !~ '^[\x21-\x7e]+$' then
        raise exception 'the API key contains characters that no key has'
            using errcode = 'invalid_parameter_value',
                hint = 'Copy the key instead of typing it: some letters of other alphabets look like Latin ones.';
    end if;

    if api_key !~ v_provider.api_key_pattern then
        select known.display_name into v_other
        from public.api_providers as known
        where known.name <> v_provider.name and save_api_key.api_key ~ known.api_key_pattern
        order by known.name
        limit 1;
        raise exception 'this is not a key of %', v_provider.display_name
            using errcode = 'invalid_parameter_value',
                detail = case
                    when v_other is null then 'It does not look like a key of any provider known here.'
                    else format('It looks like a key of %s.', v_other)
                end,
                hint = coalesce(v_provider.validation_rules ->> 'description', 'Copy the key again.');
    end if;
    select known.display_name into v_other
    from public.api_providers as known
    where known.name <> v_provider.name and save_api_key.api_key ~ known.api_key_pattern
    order by known.name
    limit 1;
    if found then
        raise exception 'this key could belong to % or to %', v_provider.display_name, v_other
            using errcode = 'invalid_parameter_value',
                hint = 'The key patterns of these providers overlap: ask staff to mend api_providers.api_key_pattern.';
    end if;

    insert into public.api_configurations as configuration (user_id, provider, api_key_encrypted)
    select
        v_user_id,
        v_provider.name,
        private.seal_api_key(v_user_id, v_provider.name, save_api_key.api_key, known.key_id, known.secret)
    from private.encryption_keys() as known
    where known.is_current
    on conflict on constraint api_configurations_one_key_per_provider do update
    set
        api_key_encrypted = excluded.api_key_encrypted,
        is_active = true,
        is_validated = false,
        last_validated_at = null,
        validation_error = null
    returning configuration.id into v_id;
    return v_id;
end
$$;

revoke all on function private.save_api_key(text, text) from public;

comment on function private.save_api_key(text, text) is 'Worker of public.save_api_key.';

create or replace function private.refuse_provider(provider text)
returns void
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'no enabled provider is called "%"', left(coalesce(provider, 'null'), 50)
        using errcode = 'PT404',
            hint = format(
                'Providers: %s. Names are lower case.',
                (
                    select coalesce(string_agg(known.name, ', ' order by known.name), 'none')
                    from public.api_providers as known
                    where known.is_enabled
                )
            );
end
$$;

comment on function private.refuse_provider(text) is 'Raises the error for an unknown or disabled provider.';

create or replace function public.save_api_key(provider text, api_key text)
returns uuid
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.save_api_key(provider, api_key);

comment on function public.save_api_key(text, text) is
'Checks, encrypts and stores the caller''s key for a provider, in place of an earlier one. '
'Returns the configuration''s id.';

create or replace function private.decrypt_api_key(user_id uuid, provider text)
returns text
language plpgsql
stable
-- Definer: reads the encryption key. Only the server may call it.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_envelope text;
begin
    select configuration.api_key_encrypted into v_envelope
    from public.api_configurations as configuration
    where configuration.user_id = decrypt_api_key.user_id
        and configuration.provider = decrypt_api_key.provider
        and configuration.is_active;
    if not found then
        raise exception 'no active key for provider "%" is stored', left(coalesce(provider, 'null'), 50)
            using errcode = 'PT404', hint = 'Store one with save_api_key().';
    end if;
    begin
        return private.open_api_key(v_envelope, decrypt_api_key.user_id, decrypt_api_key.provider);
    exception when data_exception then
        -- An envelope that does not open here may have been put here.
        perform private.record_refusal(
            'api_key_unreadable', 'warning', decrypt_api_key.user_id, jsonb_build_object('provider', provider)
        );
        raise;
    end;
end
$$;

revoke all on function private.decrypt_api_key(uuid, text) from public;

comment on function private.decrypt_api_key(uuid, text) is
'Worker of public.decrypt_api_key and public.reveal_api_key.';

create or replace function public.decrypt_api_key(user_id uuid, provider text)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.decrypt_api_key(user_id, provider);

comment on function public.decrypt_api_key(uuid, text) is 'Server: the plain API key of a user for a provider.';

create or replace function private.reveal_api_key(provider text)
returns text
language plpgsql
volatile
-- Definer: reads the encryption key. Only ever the caller's own API key, and only while staff allow it.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := private.require_user();
    v_api_key text;
begin
    if not private.config_boolean('client_key_reveal', false) then
        perform private.record_refusal('api_key_refused', 'info', v_user_id, null);
        raise exception 'keys are not revealed to clients'
            using errcode = 'insufficient_privilege',
                hint = 'Let the server call the provider. Staff can switch on the feature flag client_key_reveal.';
    end if;
    v_api_key := private.decrypt_api_key(v_user_id, reveal_api_key.provider);
    insert into public.security_events (user_id, event_type, severity, details, ip_address, user_agent)
    select
        v_user_id, 'api_key_revealed', 'info', jsonb_build_object('provider', reveal_api_key.provider),
        context.ip_address, context.user_agent
    from private.request_context() as context;
    return v_api_key;
end
$$;

revoke all on function private.reveal_api_key(text) from public;

comment on function private.reveal_api_key(text) is 'Worker of public.reveal_api_key.';

create or replace function public.reveal_api_key(provider text)
returns text
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.reveal_api_key(provider);

comment on function public.reveal_api_key(text) is
'The caller''s own API key in plain text, while the feature flag client_key_reveal is on. Every use is recorded.';

create or replace function private.record_api_key_validation(
    user_id uuid, provider text, is_valid boolean, error_message text
)
returns void
language plpgsql
volatile
-- Definer: nobody but the owner can name what it calls in private. Only the server may call it.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if is_valid is null then
        raise exception 'a verdict is true or false'
            using errcode = 'invalid_parameter_value', hint = 'Pass is_valid.';
    end if;
    update public.api_configurations as configuration
    set
        is_validated = record_api_key_validation.is_valid,
        last_validated_at = clock_timestamp(),
        validation_error = case
            when record_api_key_validation.is_valid then null
            else left(private.redact_api_keys(coalesce(record_api_key_validation.error_message, 'refused')), 2000)
        end
    where configuration.user_id = record_api_key_validation.user_id
        and configuration.provider = record_api_key_validation.provider;
    if not found then
        raise exception 'no key for provider "%" is stored', left(coalesce(provider, 'null'), 50)
            using errcode = 'PT404', hint = 'Check the user id and the provider.';
    end if;
end
$$;

revoke all on function private.record_api_key_validation(uuid, text, boolean, text) from public;

comment on function private.record_api_key_validation(uuid, text, boolean, text) is
'Worker of public.record_api_key_validation.';

create or replace function public.record_api_key_validation(
    user_id uuid, provider text, is_valid boolean, error_message text default null
)
returns void
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.record_api_key_validation(user_id, provider, is_valid, error_message);

comment on function public.record_api_key_validation(uuid, text, boolean, text) is
'Server: records whether the provider accepted a user''s key. Anything that looks like a key is cut from the message.';

create or replace function private.rotate_api_keys(batch_size integer, after_id uuid)
returns table (resealed integer, unreadable integer, last_id uuid)
language plpgsql
volatile
-- Definer: reads the encryption keys. Only the server may call it.
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_after_id uuid := coalesce(rotate_api_keys.after_id, '00000000-0000-0000-0000-000000000000');
    v_keys record;
    v_lost integer;
begin
    if batch_size is null or batch_size not between 1 and 100000 then
        raise exception 'a batch of % keys is not possible', coalesce(batch_size::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass a batch_size from 1 to 100000.';
    end if;
    select
        max(known.key_id) filter (where known.is_current) as key_id,
        max(known.secret) filter (where known.is_current) as secret,
        'enc:v1:' || max(known.key_id) filter (where known.is_current) || ':' as prefix,
        max(known.secret) filter (where not known.is_current) as old_secret,
        'enc:v1:' || max(known.key_id) filter (where not known.is_current) || ':' as old_prefix
    into v_keys
    from private.encryption_keys() as known;

    -- Says that this is a rotation; another one waits here until this has ended, and then sees what it has done.
    insert into private.locks (name) values ('resealing');

    with stale as (
        select
            configuration.id,
            starts_with(configuration.api_key_encrypted, v_keys.old_prefix) as is_known
        from public.api_configurations as configuration
        where configuration.id > v_after_id
            and configuration.api_key_encrypted like 'enc:v1:%'
            and not starts_with(configuration.api_key_encrypted, v_keys.prefix)
        order by configuration.id
        limit rotate_api_keys.batch_size
    )

    select
        (array_agg(stale.id order by stale.id desc))[1],
        count(*) filter (where stale.is_known is not true)
    into last_id, v_lost
    from stale;

    -- A row changes from the old to the new key in one statement, so every key can be read at every moment. Should
    -- somebody be storing a new key, this waits, and seals what was stored then.
    perform set_config('forge.resealing', 'on', true);
    with changed as (
        update public.api_configurations as configuration
        set api_key_encrypted = coalesce(
            private.seal_api_key(
                configuration.user_id,
                configuration.provider,
                private.unseal_api_key(
                    configuration.api_key_encrypted, configuration.user_id, configuration.provider, v_keys.old_secret
                ),
                v_keys.key_id,
                v_keys.secret
            ),
            configuration.api_key_encrypted
        )
        where configuration.id > v_after_id
            and configuration.id <= last_id
            and starts_with(configuration.api_key_encrypted, v_keys.old_prefix)
        returning starts_with(configuration.api_key_encrypted, v_keys.prefix) as is_resealed
    )

    select
        count(*) filter (where changed.is_resealed),
        v_lost + count(*) filter (where not changed.is_resealed)
    into resealed, unreadable
    from changed;
    perform set_config('forge.resealing', 'off', true);
    delete from private.locks where name = 'resealing';

    if resealed > 0 then
        insert into public.audit_log (
            actor_id, actor_role, action, table_name, changes, request_id, ip_address, user_agent
        )
        select
            context.actor_id,
            context.actor_role,
            'update',
            'api_configurations',
            jsonb_build_object('api_key_encrypted', jsonb_build_object(
                'old', v_keys.old_prefix, 'new', v_keys.prefix,
                'rows', resealed, 'after_id', rotate_api_keys.after_id, 'last_id', last_id
            )),
            context.request_id,
            context.ip_address,
            context.user_agent
        from private.request_context() as context;
    end if;
    return next;
end
$$;

revoke all on function private.rotate_api_keys(integer, uuid) from public;

comment on function private.rotate_api_keys(integer, uuid) is 'Worker of public.rotate_api_keys.';

create or replace function public.rotate_api_keys(batch_size integer default 1000, after_id uuid default null)
returns table (resealed integer, unreadable integer, last_id uuid)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        rotated.resealed,
        rotated.unreadable,
        rotated.last_id
    from private.rotate_api_keys($1, $2) as rotated;
end;

comment on function public.rotate_api_keys(integer, uuid) is
'Server: seals the next keys with the current encryption key. Call it, each time in a transaction of its own and with '
'the last_id it returned, until last_id is null. Stopping in between loses nothing.';

create or replace function private.stale_api_keys()
returns bigint
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select count(*)
    from public.api_configurations as configuration
    where configuration.api_key_encrypted like 'enc:v1:%'
        and split_part(configuration.api_key_encrypted, ':', 3) <> (
            select known.key_id from private.encryption_keys() as known where known.is_current
        )
$$;

comment on function private.stale_api_keys() is 'How many keys are not sealed with the current encryption key yet.';

-- For who may write to Vault or private.secrets anyway: puts a secret where find_secret() looks first. A statement that
-- names a secret ends up in the log, so bring it by COPY: forge-db secret does.
create or replace function private.keep_secret(name text, secret text)
returns text
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_vault_id uuid;
begin
    if keep_secret.name is null
        or keep_secret.name not in ('app_encryption_key', 'app_encryption_key_previous', 'maintenance_dsn')
    then
        raise exception 'no secret has this name'
            using errcode = 'invalid_parameter_value',
                hint = 'Names: app_encryption_key, app_encryption_key_previous, maintenance_dsn.';
    elsif length(keep_secret.secret) > 4096
        or length(keep_secret.secret) < 1
        or (keep_secret.name like 'app_encryption_key%' and length(keep_secret.secret) < 32)
    then
        raise exception 'a secret has 1 to 4096 characters, an encryption key at least 32'
            using errcode = 'invalid_parameter_value', hint = 'Make a key with: openssl rand -base64 32';
    elsif keep_secret.secret is null
        and keep_secret.name = 'app_encryption_key_previous'
        and private.find_secret(keep_secret.name) is not null
        and private.stale_api_keys() > 0
    then
        raise exception 'keys are still sealed with the previous encryption key'
            using errcode = 'object_not_in_prerequisite_state', hint = 'Run: forge-db rotate-keys';
    end if;

    if to_regclass('vault.secrets') is not null then
        select vaulted.id into v_vault_id from vault.secrets as vaulted where vaulted.name = keep_secret.name;
        if keep_secret.secret is null then
            delete from vault.secrets as vaulted where vaulted.id = v_vault_id;
        elsif v_vault_id is null then
            perform vault.create_secret(keep_secret.secret, keep_secret.name);
        else
            perform vault.update_secret(v_vault_id, keep_secret.secret);
        end if;
    end if;

    if keep_secret.secret is null or to_regclass('vault.secrets') is not null then
        delete from private.secrets as stored where stored.name = keep_secret.name;
    else
        insert into private.secrets as stored (name, secret)
        values (keep_secret.name, keep_secret.secret)
        on conflict on constraint secrets_pkey do update set secret = excluded.secret;
    end if;
    return case when to_regclass('vault.secrets') is null then 'private.secrets' else 'vault' end;
end
$$;

comment on function private.keep_secret(text, text) is
'Puts a secret into Vault, or into private.secrets where there is no Vault; null removes it. Returns which.';

create or replace function private.change_encryption_key()
returns text
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Made here, so that it is in no statement and no log.
    v_new text := translate(encode(extensions.gen_random_bytes(32), 'base64'), E'\n', '');
    v_current text;
begin
    -- Whoever is storing a key finishes first, with the old one; whoever comes later finds the new one.
    lock table public.api_configurations in share row exclusive mode;
    if exists (
        select from public.api_configurations as configuration where configuration.api_key_encrypted like 'enc:v1:%'
    ) then
        -- Not to be found: an error, or nothing would open those.
        select known.secret into v_current from private.encryption_keys() as known where known.is_current;
    else
        v_current := private.find_secret('app_encryption_key');
    end if;
    if v_current is not null then
        if private.stale_api_keys() > 0 then
            raise exception 'the last change of the encryption key is not finished'
                using errcode = 'object_not_in_prerequisite_state',
                    detail = format('%s keys are sealed with an older one.', private.stale_api_keys()),
                    hint = 'Run: forge-db rotate-keys';
        end if;
        perform private.keep_secret('app_encryption_key_previous', v_current);
    end if;
    return private.keep_secret('app_encryption_key', v_new);
end
$$;

comment on function private.change_encryption_key() is
'Makes a new encryption key and keeps the old one as the previous. rotate_api_keys() then seals every key anew.';

-- Rate limits ------------------------------------------------------------------
-- One row per user and provider holds both windows. Counting log rows instead lets 9 to 16% too many through, and gets
-- slower with every logged row. Half of each page stays free, so that every update is a HOT update.
create table if not exists private.rate_limit_counters (
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null,
    minute_start timestamptz not null,
    minute_count integer not null,
    day_start timestamptz not null,
    day_count integer not null,
    primary key (user_id, provider)
) with (fillfactor = 50);

alter table private.rate_limit_counters enable row level security;

comment on table private.rate_limit_counters is
'Requests that each user has used up in the running minute and day (UTC).';
comment on column private.rate_limit_counters.user_id is 'Who calls. The row goes when the account goes.';
comment on column private.rate_limit_counters.provider is 'Provider that is called.';
comment on column private.rate_limit_counters.minute_start is 'Begin of the minute that minute_count belongs to.';
comment on column private.rate_limit_counters.minute_count is 'Requests allowed in that minute.';
comment on column private.rate_limit_counters.day_start is 'Begin of the day (UTC) that day_count belongs to.';
comment on column private.rate_limit_counters.day_count is 'Requests allowed on that day.';

-- What each enabled provider allows, worked out when a limit changes and not whenever it is asked for: the question
-- comes before every call to a provider, the change a few times a year.
create table if not exists private.rate_limits (
    provider varchar(50) primary key,
    per_minute integer not null,
    per_day integer not null
);

alter table private.rate_limits enable row level security;

comment on table private.rate_limits is
'Requests a user may make, by enabled provider: from api_providers and system_config. Kept by triggers on both.';
comment on column private.rate_limits.provider is 'Provider name as in api_providers.name.';
comment on column private.rate_limits.per_minute is 'Requests a minute.';
comment on column private.rate_limits.per_day is 'Requests a day (UTC).';

create or replace function private.effective_rate_limits()
returns table (provider varchar, per_minute integer, per_day integer)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- The provider's limit, but at most the general one, unless an override names another.
    select
        provider.name,
        coalesce(
            (override.limits ->> 'per_minute')::integer,
            least(provider.max_requests_per_minute, private.config_integer('max_api_requests_per_minute', null))
        ),
        coalesce(
            (override.limits ->> 'per_day')::integer,
            least(provider.max_requests_per_day, private.config_integer('max_api_requests_per_day', null))
        )
    from public.api_providers as provider
    left join lateral (
        select config.value -> provider.name as limits
        from public.system_config as config
        where config.key = 'rate_limit_overrides'
    ) as override on true
    where provider.is_enabled
$$;

comment on function private.effective_rate_limits() is
'What each enabled provider allows, worked out from api_providers and system_config.';

create or replace function private.refresh_rate_limits()
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One at a time, and each sees what the one before has changed. Readers do not wait.
    lock table private.rate_limits in share row exclusive mode;

    delete from private.rate_limits as known
    where not exists (
        select from public.api_providers as provider
        where provider.name = known.provider and provider.is_enabled
    );

    insert into private.rate_limits as known (provider, per_minute, per_day)
    select effective.provider, effective.per_minute, effective.per_day
    from private.effective_rate_limits() as effective
    on conflict on constraint rate_limits_pkey do update
    set per_minute = excluded.per_minute, per_day = excluded.per_day
    where (known.per_minute, known.per_day) is distinct from (excluded.per_minute, excluded.per_day);
end
$$;

comment on function private.refresh_rate_limits() is 'Works out private.rate_limits again.';

create or replace function private.tg_refresh_rate_limits()
returns trigger
language plpgsql
volatile
-- Definer: staff who change a limit have no access to private.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform private.refresh_rate_limits();
    return null;  -- ignored: the trigger fires after the statement
end
$$;

comment on function private.tg_refresh_rate_limits() is
'Trigger: limits follow the providers and the settings they are made from.';

create or replace trigger refresh_rate_limits
after insert or update or delete or truncate on public.api_providers
for each statement execute function private.tg_refresh_rate_limits();

create or replace trigger refresh_rate_limits
after insert or update or delete or truncate on public.system_config
for each statement execute function private.tg_refresh_rate_limits();

do $$
begin
    perform private.refresh_rate_limits();
end
$$;

-- A type with a name, because a function that returns a nameless row cannot be replaced by its worker: see below. In
-- public, where generated types describe it. It was in private once, and moves with the functions that return it.
do $$
begin
    if to_regtype('private.rate_limit_verdict') is not null then
        alter type private.rate_limit_verdict set schema public;
    elsif to_regtype('public.rate_limit_verdict') is null then
        create type public.rate_limit_verdict as (
            allowed boolean,
            limit_scope text,
            remaining_minute integer,
            remaining_day integer,
            retry_after_seconds integer
        );
    end if;
end
$$;

comment on type public.rate_limit_verdict is 'What check_rate_limit() answers.';
comment on column public.rate_limit_verdict.allowed is 'Whether the request may be made; then it is used up.';
comment on column public.rate_limit_verdict.limit_scope is 'Which limit is used up, minute or day; null if allowed.';
comment on column public.rate_limit_verdict.remaining_minute is 'Requests left in this minute.';
comment on column public.rate_limit_verdict.remaining_day is 'Requests left on this day (UTC).';
comment on column public.rate_limit_verdict.retry_after_seconds is 'When to ask again; 0 if allowed.';

create or replace function private.consume_rate_limit(provider text, at timestamptz)
returns public.rate_limit_verdict
language plpgsql
volatile
-- Definer: a counter that its subject can write limits nothing. Only ever the caller's row.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := auth.uid();
    v_verdict public.rate_limit_verdict;
    v_behind interval;
    v_minute timestamptz;
    v_minute_count integer;
    v_day timestamptz;
    v_day_count integer;
    v_per_minute integer;
    v_per_day integer;
    v_has_key boolean;
begin
    -- A window counts while it lasts, and for a minute or a day before it begins: whoever asked before somebody else
    -- opened it belongs in it. Begins it later still, then it was left by a clock that has been put right.
    loop
        -- A denial is decided by this plain read: it takes no lock and writes nothing. The sums are done outside it,
        -- which is half the work: plpgsql has them ready, and a query does not.
        select
            counter.minute_start,
            counter.minute_count,
            counter.day_start,
            counter.day_count,
            most.per_minute,
            most.per_day
        into v_minute, v_minute_count, v_day, v_day_count, v_per_minute, v_per_day
        from private.rate_limit_counters as counter
        inner join private.rate_limits as most on counter.provider = most.provider
        where counter.user_id = v_user_id and counter.provider = consume_rate_limit.provider;
        if at < v_minute - interval '1 minute' or at >= v_minute + interval '1 minute' then
            v_minute_count := 0;
        end if;
        if at < v_day - interval '24 hours' or at >= v_day + interval '24 hours' then
            v_day_count := 0;
        end if;
        if v_day_count >= v_per_day then
            return (
                false, 'day'::text, greatest(v_per_minute - v_minute_count, 0), 0,
                ceil(date_part('epoch', v_day + interval '24 hours' - at))::integer
            );
        elsif v_minute_count >= v_per_minute then
            return (
                false, 'minute'::text, 0, v_per_day - v_day_count,
                ceil(date_part('epoch', v_minute + interval '1 minute' - at))::integer
            );
        end if;

        v_behind := coalesce(v_behind, clock_timestamp() - at);
        -- Nearly always both windows have begun, and one more fits in.
        update private.rate_limit_counters as counter
        set minute_count = counter.minute_count + 1, day_count = counter.day_count + 1
        where counter.user_id = v_user_id
            and counter.provider = consume_rate_limit.provider
            and at >= counter.minute_start - interval '1 minute'
            and at < counter.minute_start + interval '1 minute'
            and at >= counter.day_start - interval '24 hours'
            and at < counter.day_start + interval '24 hours'
            and counter.minute_count < v_per_minute
            and counter.day_count < v_per_day
            and exists (
                select from public.api_configurations as configuration
                where configuration.user_id = v_user_id
                    and configuration.provider = consume_rate_limit.provider
                    and configuration.is_active
            )
        returning true, null, v_per_minute - counter.minute_count, v_per_day - counter.day_count, 0
        into v_verdict;
        exit when found;

        v_user_id := private.require_user();
        select
            most.per_minute,
            most.per_day,
            exists (
                select from public.api_configurations as configuration
                where configuration.user_id = v_user_id
                    and configuration.provider = most.provider
                    and configuration.is_active
            )
        into v_per_minute, v_per_day, v_has_key
        from private.rate_limits as most
        where most.provider = consume_rate_limit.provider;
        if not found then
            perform private.refuse_provider(consume_rate_limit.provider);
        elsif not v_has_key then
            raise exception 'no active key for provider "%" is stored', consume_rate_limit.provider
                using errcode = 'PT404', hint = 'Store one with save_api_key().';
        end if;

        v_minute := date_bin('1 minute', at, '2000-01-01 00:00:00+00');
        v_day := date_bin('1 day', at, '2000-01-01 00:00:00+00');
        insert into private.rate_limit_counters as counter (
            user_id, provider, minute_start, minute_count, day_start, day_count
        )
        values (v_user_id, consume_rate_limit.provider, v_minute, 1, v_day, 1)
        on conflict on constraint rate_limit_counters_pkey do update
        set
            minute_start = case
                when counter.minute_start between v_minute and v_minute + interval '1 minute' then counter.minute_start
                else v_minute
            end,
            minute_count = case
                when counter.minute_start between v_minute and v_minute + interval '1 minute'
                    then counter.minute_count + 1
                else 1
            end,
            day_start = case
                when counter.day_start between v_day and v_day + interval '24 hours' then counter.day_start
                else v_day
            end,
            day_count = case
                when counter.day_start between v_day and v_day + interval '24 hours' then counter.day_count + 1
                else 1
            end
        where case
            when counter.minute_start between v_minute and v_minute + interval '1 minute'
                then counter.minute_count < v_per_minute
            -- Whoever waited here for the row may meet a minute that began meanwhile: that is not a clock put right.
            else counter.minute_start < v_minute or counter.minute_start > clock_timestamp() - v_behind
        end
        and (
            counter.day_start not between v_day and v_day + interval '24 hours'
            or counter.day_count < v_per_day
        )
        returning true, null, v_per_minute - counter.minute_count, v_per_day - counter.day_count, 0
        into v_verdict;
        exit when found;

        -- Others took the last ones, or the minute is over: look again.
        at := clock_timestamp() - v_behind;
    end loop;
    return v_verdict;
end
$$;

revoke all on function private.consume_rate_limit(text, timestamptz) from public;

comment on function private.consume_rate_limit(text, timestamptz) is
'Worker of public.check_rate_limit; takes the time, so that every boundary can be tested.';

create or replace function public.check_rate_limit(provider text)
returns public.rate_limit_verdict
language sql
volatile
-- Without settings of its own, unlike most, so that PostgreSQL puts the worker in its place when a statement is
-- planned. Otherwise it plans this body in every call, which takes longer than many a call does. What the names here
-- mean was settled when the function was made: no search_path changes it.
security invoker
-- Not now(): a transaction that has been open for a while would count in a minute that is over.
return private.consume_rate_limit(provider, clock_timestamp());

comment on function public.check_rate_limit(text) is
'Uses up one request to a provider if the caller has one left. When not allowed: which limit (limit_scope minute or '
'day) and in how many seconds to retry. Call it in a request of its own: the row is locked until the transaction ends.';

-- Usage and cost ---------------------------------------------------------------
-- A client that got no answer sends the same request id again, and must not be counted twice. Kept for a day.
create table if not exists private.usage_requests (
    user_id uuid not null references auth.users (id) on delete cascade,
    request_id uuid not null,
    log_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (user_id, request_id)
);

alter table private.usage_requests enable row level security;

comment on table private.usage_requests is 'Request ids that log_api_usage() has seen, for a day.';
comment on column private.usage_requests.user_id is 'Who sent the request. The rows go when the account goes.';
comment on column private.usage_requests.request_id is 'The id that the client chose.';
comment on column private.usage_requests.log_id is 'The row of api_usage_logs that it became.';
comment on column private.usage_requests.created_at is 'When it was first seen.';

create or replace function private.log_api_usage(
    provider text,
    endpoint text,
    request_size integer,
    response_size integer,
    response_time_ms integer,
    status_code integer,
    error_message text,
    request_id uuid
)
returns uuid
language plpgsql
volatile
-- Definer: a log that its subject can write proves nothing. Stamps user and time itself.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := auth.uid();
    v_log_id uuid := gen_random_uuid();
    v_known_id uuid;
    v_endpoint text := left(private.redact_api_keys(endpoint), 2048);
    v_error_message text := left(private.redact_api_keys(error_message), 10000);
begin
    if v_user_id is null then
        perform private.require_user();
    elsif least(request_size, response_size, response_time_ms) < 0 then
        raise exception 'sizes and times are not negative'
            using errcode = 'invalid_parameter_value',
                detail = format('request_size %s, response_size %s, response_time_ms %s.',
                    coalesce(request_size::text, 'null'), coalesce(response_size::text, 'null'),
                    coalesce(response_time_ms::text, 'null')),
                hint = 'Pass octets and milliseconds, or null where they are not known.';
    elsif status_code not between 100 and 599 then
        raise exception '% is not an HTTP status', status_code
            using errcode = 'invalid_parameter_value',
                hint = 'Pass 100 to 599, or null when there was no answer.';
    end if;

    if request_id is not null then
        -- Waits for a twin that is under way, and then finds what it wrote.
        insert into private.usage_requests as seen (user_id, request_id, log_id)
        values (v_user_id, log_api_usage.request_id, v_log_id)
        on conflict do nothing;
        if not found then
            select seen.log_id into v_known_id
            from private.usage_requests as seen
            where seen.user_id = v_user_id and seen.request_id = log_api_usage.request_id;
            return v_known_id;
        end if;
    end if;

    update public.api_configurations as configuration
    set usage_count = configuration.usage_count + 1, last_used_at = now()
    where configuration.user_id = v_user_id and configuration.provider = log_api_usage.provider;
    if not found then
        -- A call that was under way when staff switched the provider off is logged as well.
        perform from public.api_providers as known where known.name = log_api_usage.provider;
        if not found then
            perform private.refuse_provider(log_api_usage.provider);
        end if;
    end if;

    insert into public.api_usage_logs (
        id, user_id, provider, endpoint, request_size, response_size, response_time_ms, status_code, error_message
    )
    values (
        v_log_id,
        v_user_id,
        log_api_usage.provider,
        v_endpoint,
        log_api_usage.request_size,
        log_api_usage.response_size,
        log_api_usage.response_time_ms,
        log_api_usage.status_code,
        v_error_message
    );

    return v_log_id;
end
$$;

revoke all on function private.log_api_usage(text, text, integer, integer, integer, integer, text, uuid) from public;

comment on function private.log_api_usage(text, text, integer, integer, integer, integer, text, uuid) is
'Worker of public.log_api_usage.';

create or replace function public.log_api_usage(
    provider text,
    endpoint text default null,
    request_size integer default null,
    response_size integer default null,
    response_time_ms integer default null,
    status_code integer default null,
    error_message text default null,
    request_id uuid default null
)
returns uuid
language sql
volatile
-- Without settings of its own: PostgreSQL puts the worker in its place, as it does for check_rate_limit().
security invoker
return private.log_api_usage(
    provider, endpoint, request_size, response_size, response_time_ms, status_code, error_message, request_id
);

comment on function public.log_api_usage(text, text, integer, integer, integer, integer, text, uuid) is
'Logs one call of the caller to a provider and counts it on the key. The same request_id is logged once. '
'Returns the log''s id.';

create or replace function public.estimate_cost(
    provider text, model text, prompt_tokens integer, completion_tokens integer
)
returns numeric
language plpgsql
stable
-- Invoker: everyone may read the price list of enabled providers.
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_models jsonb;
    v_price jsonb;
begin
    if prompt_tokens is null or completion_tokens is null or least(prompt_tokens, completion_tokens) < 0 then
        raise exception 'numbers of tokens are not negative and not null'
            using errcode = 'invalid_parameter_value', hint = 'Pass 0 where there are none.';
    end if;

    select known.supported_models into v_models
    from public.api_providers as known
    where known.name = estimate_cost.provider and known.is_enabled;
    if not found then
        raise exception 'no enabled provider is called "%"', left(coalesce(provider, 'null'), 50)
            using errcode = 'PT404', hint = 'See api_providers.name. Names are lower case.';
    end if;

    -- The price of today: the latest one that has begun.
    select price.entry into v_price
    from jsonb_array_elements(v_models) as listed (entry)
    cross join lateral jsonb_array_elements(listed.entry -> 'prices') as price (entry)
    where listed.entry ->> 'id' = estimate_cost.model
        and (price.entry ->> 'valid_from')::date <= (now() at time zone 'utc')::date
    order by (price.entry ->> 'valid_from')::date desc
    limit 1;
    if not found then
        raise exception 'provider "%" has no price for model "%"', provider, left(coalesce(model, 'null'), 50)
            using errcode = 'PT404',
                hint = format('Models: %s.', (
                    select string_agg(listed.entry ->> 'id', ', ')
                    from jsonb_array_elements(v_models) as listed (entry)
                ));
    end if;

    return round(
        (
            prompt_tokens * (v_price ->> 'input_usd_per_million')::numeric
            + completion_tokens * (v_price ->> 'output_usd_per_million')::numeric
        ) / 1000000,
        6
    );
end
$$;

comment on function public.estimate_cost(text, text, integer, integer) is
'US dollars that a request costs at today''s prices. Store it with the request: recorded cost never changes.';

reset search_path;
