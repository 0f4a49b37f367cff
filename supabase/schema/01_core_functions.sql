-- 01_core_functions.sql: what every later file stands on.
--
--   schemas      private (helpers, secrets, counters) and archive (cold rows); neither is exposed through the API
--   app_admin    the database role of staff
--   system_config and its readers: settings, feature flags, limits
--   validators   shapes that a CHECK cannot state in one line
--
-- Needs a Supabase project, or the stand-in for its platform in sql/platform/.

-- Guard ------------------------------------------------------------------------
-- A bare \i runs on after an error. So the first block names the problem and turns the session read-only, the second
-- one raises it: whatever psql tries next creates nothing.
-- A function in public would be taken for a built-in one where its arguments fit better, and in an old database anybody
-- may have made one there.
set search_path = pg_catalog, pg_temp;

do $$
declare
    v_missing text;
    v_foreign text;
    v_problem text;
    v_hint text;
begin
    select string_agg(needed.name, ', ')
    into v_missing
    from (
        values
            ('schema auth', to_regnamespace('auth') is not null),
            ('table auth.users', to_regclass('auth.users') is not null),
            ('function auth.uid()', to_regprocedure('auth.uid()') is not null),
            ('role anon', to_regrole('anon') is not null),
            ('role authenticated', to_regrole('authenticated') is not null),
            ('role service_role', to_regrole('service_role') is not null),
            ('role authenticator', to_regrole('authenticator') is not null)
    ) as needed (name, is_there)
    where not needed.is_there;

    -- What exists is kept, with its owner: who owns a table passes its policies, who owns a function may change it.
    select string_agg(format('%s of %s', owned.object, role.rolname), ', ' order by owned.object)
    into v_foreign
    from (
        select format('schema %I', namespace.nspname) as object, namespace.nspowner as owner
        from pg_catalog.pg_namespace as namespace
        where namespace.nspname in ('public', 'private', 'archive')
        union all
        select format('table %I.%I', namespace.nspname, class.relname), class.relowner
        from pg_catalog.pg_class as class
        inner join pg_catalog.pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname in ('public', 'private', 'archive') and class.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        union all
        select format('function %s', proc.oid::regprocedure), proc.proowner
        from pg_catalog.pg_proc as proc
        inner join pg_catalog.pg_namespace as namespace on proc.pronamespace = namespace.oid
        where namespace.nspname in ('public', 'private', 'archive')
        union all
        select format('type %I.%I', namespace.nspname, type.typname), type.typowner
        from pg_catalog.pg_type as type
        inner join pg_catalog.pg_namespace as namespace on type.typnamespace = namespace.oid
        where namespace.nspname in ('public', 'private', 'archive') and type.typtype in ('d', 'e', 'r')
    ) as owned
    inner join pg_catalog.pg_roles as role on owned.owner = role.oid
    where role.rolname in ('anon', 'authenticated', 'service_role', 'authenticator', 'app_admin');

    if current_setting('server_version_num')::integer < 150000 then
        v_problem := format('PostgreSQL 15 or newer is needed, this is %s', current_setting('server_version'));
        v_hint := 'Upgrade the server, or connect to another one.';
    elsif v_missing is not null then
        v_problem := format('this database lacks what Supabase provides: %s', v_missing);
        v_hint := 'On plain PostgreSQL run this first, as a superuser, from the project root, in a new session: '
            || 'psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql';
    elsif v_foreign is not null then
        v_problem := format('roles of the API own what is to be ours: %s', left(v_foreign, 1000));
        v_hint := 'Nothing was changed. See what it is and who made it, then drop it, or give it to the owner of the schema.';
    elsif exists (
        select
        from (
            values
                ('public.profiles', 'user_id', false),
                ('public.api_configurations', 'is_validated', true),
                ('public.user_preferences', 'theme', true),
                ('public.prompt_history', 'provider', true),
                ('public.feedback', 'feedback_type', true)
        ) as legacy (table_name, column_name, is_new)
        where exists (
            select from pg_catalog.pg_class as class
            where class.oid = to_regclass(legacy.table_name) and class.relkind = 'r'
        )
        and legacy.is_new <> exists (
            select from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = to_regclass(legacy.table_name) and attribute.attname = legacy.column_name
        )
    ) then
        v_problem := 'this database holds a legacy PromptCraft Forge installation';
        v_hint := 'Nothing was changed. To bring it over with its data: forge-db upgrade, or psql as docs/upgrade.md says.';
    elsif exists (
        select from pg_catalog.pg_extension as extension
        where extension.extname = 'pgcrypto' and extension.extnamespace <> to_regnamespace('extensions')
    ) then
        v_problem := 'the extension pgcrypto is not in the schema extensions';
        v_hint := 'Run: create schema if not exists extensions; alter extension pgcrypto set schema extensions;';
    end if;

    perform set_config('forge.problem', coalesce(v_problem, ''), false);
    perform set_config('forge.hint', coalesce(v_hint, ''), false);
    if v_problem is not null then
        perform set_config('default_transaction_read_only', 'on', false);
    end if;
end
$$;

do $$
begin
    if current_setting('forge.problem') <> '' then
        raise exception '%', current_setting('forge.problem')
            using errcode = 'object_not_in_prerequisite_state', hint = current_setting('forge.hint');
    end if;
end
$$;

-- Schemas ----------------------------------------------------------------------
create schema if not exists extensions;
create schema if not exists private;
create schema if not exists archive;

-- Nobody but the owner may even look a name up there. What a policy, a CHECK or a wrapper calls in private was bound
-- when that was created, so it needs EXECUTE and no USAGE. What runs with its owner's rights is therefore closed before
-- its wrapper is there: whatever stops an installation half-way, nobody calls it before 07 says who may.
revoke all on schema private, archive from public, anon, authenticated, service_role;

comment on schema private is 'Helpers, secrets, counters and rollups. Never exposed through the API.';
comment on schema archive is 'Cold rows, kept by month. Never exposed through the API.';

-- What says that we made it goes with us (supabase/rollback); where the platform gives it to somebody else, it stays.
do $$
begin
    if not exists (select from pg_catalog.pg_extension as extension where extension.extname = 'pgcrypto') then
        create extension pgcrypto with schema extensions;
        begin
            comment on extension pgcrypto is 'Made by PromptCraft Forge.';
        exception when insufficient_privilege then
            null;
        end;
    end if;
end
$$;

-- Functions --------------------------------------------------------------------
-- Every function here sets search_path to pg_catalog, pg_temp. Not to '': then pg_temp is searched first for types, and
-- whoever can make a temporary domain called jsonb has its CHECK run as the owner of the function that says jsonb.

-- app_admin --------------------------------------------------------------------
-- Staff are a database role and not a flag in a table: a policy "own row or is_admin()" cannot use the user_id index,
-- and only a role can hold column grants of its own. auth.users.role = 'app_admin' makes Supabase Auth issue tokens
-- with this role, and PostgREST switch to it. Member of authenticated, because a role of ours cannot be given USAGE
-- on the schema auth, and staff are users as well.
do $$
begin
    if to_regrole('app_admin') is null then
        create role app_admin nologin inherit;
    end if;
    -- Roles outlive databases: what an earlier installation granted may not be ours to grant again.
    if not pg_has_role('app_admin', 'authenticated', 'usage') then
        grant authenticated to app_admin;
    end if;
    if not pg_has_role('authenticator', 'app_admin', 'member') then
        grant app_admin to authenticator;
    end if;
end
$$;

create or replace function private.is_staff_account()
returns boolean
language sql
stable
-- Definer: nobody may read auth.users. Says one thing about the caller, and nothing about anybody else.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from auth.users as account
        where account.id = (select auth.uid())
            and account.role = 'app_admin'
            and account.deleted_at is null
            and (account.banned_until is null or account.banned_until < now())
    )
$$;

revoke all on function private.is_staff_account() from public;

comment on function private.is_staff_account() is 'True when the account in the token is staff now.';

-- Both: the role says what the token was issued for, the account what is true now. A token outlives a dismissal.
create or replace function public.is_admin()
returns boolean
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return current_user = 'app_admin' and private.is_staff_account();

comment on function public.is_admin() is
'True when the caller is staff: the request runs as the role app_admin, for an account that is staff now.';

-- updated_at -------------------------------------------------------------------
create or replace function public.update_updated_at_column()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Clients send updated_at as well; the server's clock wins.
    new.updated_at := now();
    return new;
end
$$;

comment on function public.update_updated_at_column() is
'Trigger: stamps updated_at on every update, whatever the client sent.';

-- Validators -------------------------------------------------------------------
-- CHECK constraints call these as the writing role, so 07 grants EXECUTE to whoever may write the column.
-- Strict: null in, null out, which a CHECK lets pass.

create or replace function private.is_web_url(url text)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- The scheme is what matters: javascript: and data: must never reach an href or a src.
    select url ~ '^https?://[^[:space:]<>"]+$' and length(url) <= 2048
$$;

comment on function private.is_web_url(text) is 'True for an http or https URL of at most 2048 characters.';

create or replace function private.is_email(address text)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Loose on purpose: only a message that arrives proves an address.
    select address ~ '^[^@[:space:]<>"]+@[^@[:space:]<>"]+\.[^@[:space:]<>".]+$' and length(address) <= 254
$$;

comment on function private.is_email(text) is 'True for what looks like one e-mail address.';

create or replace function private.is_json_object(document jsonb, max_octets integer)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_typeof(document) = 'object' and octet_length(document::text) <= max_octets
$$;

comment on function private.is_json_object(jsonb, integer) is 'True for a JSON object of at most max_octets as text.';

create or replace function private.is_model_price_list(prices jsonb)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case jsonb_typeof(prices)
        when 'array' then (
            select coalesce(
                count(*) > 0
                -- datetime() refuses 2025-13-45, which a pattern would let through.
                and bool_and(price @? '$.valid_from.datetime("YYYY-MM-DD")')
                and bool_and(coalesce((price @@ '$.input_usd_per_million >= 0'), false))
                and bool_and(coalesce((price @@ '$.output_usd_per_million >= 0'), false))
                and count(distinct price ->> 'valid_from') = count(*),
                false
            )
            from jsonb_array_elements(prices) as price
        )
        else false
    end
$$;

comment on function private.is_model_price_list(jsonb) is
'True for a non-empty array of {valid_from, input_usd_per_million, output_usd_per_million}, one per date.';

create or replace function private.is_model_list(models jsonb)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
-- Bound at creation: whoever writes the column cannot look up a name in private.
return case jsonb_typeof(models)
    when 'array'
        then
            octet_length(models::text) <= 262144 and (
                select
                    coalesce(
                        bool_and(coalesce(model @@ '$.id.type() == "string"', false))
                        and bool_and(length(model ->> 'id') between 1 and 50)
                        and bool_and(coalesce(model @@ '$.display_name.type() == "string"', false))
                        and bool_and(coalesce(model @@ '$.context_window > 0', false))
                        and bool_and(coalesce(model @@ '$.max_output_tokens > 0', false))
                        and bool_and(coalesce(private.is_model_price_list(model -> 'prices'), false))
                        and count(distinct model ->> 'id') = count(*)
                        and count(*) filter (where model @@ '$.is_default == true') = 1,
                        false
                    )
                from jsonb_array_elements(models) as model
            )
    else false
end;

comment on function private.is_model_list(jsonb) is
'True for an array of models {id, display_name, context_window, max_output_tokens, is_default, prices}: '
'unique ids of at most 50 characters, exactly one default.';

create or replace function private.is_rate_limit_list(limits jsonb)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case jsonb_typeof(limits)
        when 'object' then not exists (
            select
            from jsonb_each(limits) as provider
            cross join lateral jsonb_each(
                -- An empty or misplaced value becomes an entry that is refused.
                case when jsonb_typeof(provider.value) = 'object' and provider.value <> '{}'
                    then provider.value else '{"": null}'
                end
            ) as item
            where item.key not in ('per_minute', 'per_day')
                or not coalesce(item.value @@ 'strict $ >= 1 && $ <= 10000000 && $.floor() == $', false)
        )
        else false
    end
$$;

comment on function private.is_rate_limit_list(jsonb) is
'True for an object of providers, each with per_minute, per_day or both: whole numbers from 1 to 10000000.';

create or replace function private.is_component_list(components jsonb)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case jsonb_typeof(components)
        when 'array' then octet_length(components::text) <= 65536 and (
            select coalesce(
                bool_and(coalesce(component ->> 'name' ~ '^[a-z][a-z0-9_]{0,49}$', false))
                and bool_and(coalesce(component @@ '$.label.type() == "string"', false))
                and bool_and(coalesce(component @@ '$.description.type() == "string"', false))
                and bool_and(coalesce(component @@ '$.required.type() == "boolean"', false))
                and count(distinct component ->> 'name') = count(*),
                false
            )
            from jsonb_array_elements(components) as component
        )
        else false
    end
$$;

comment on function private.is_component_list(jsonb) is
'True for a non-empty array of framework components {name, label, description, required} with unique names.';

create or replace function private.is_variable_list(variables jsonb)
returns boolean
language sql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case jsonb_typeof(variables)
        when 'array' then octet_length(variables::text) <= 65536 and (
            select
                count(*) <= 50
                and count(distinct variable ->> 'name') = count(*)
                and coalesce(bool_and(coalesce(variable ->> 'name' ~ '^[a-z][a-z0-9_]{0,49}$', false)), true)
                and coalesce(bool_and(
                    coalesce(jsonb_typeof(variable -> 'description'), 'string') in ('string', 'null')
                ), true)
                and coalesce(bool_and(coalesce(jsonb_typeof(variable -> 'required'), 'boolean') = 'boolean'), true)
                and coalesce(bool_and(
                    coalesce(jsonb_typeof(variable -> 'default'), 'string') in ('string', 'null')
                ), true)
                and coalesce(bool_and(
                    variable -> 'max_length' is null
                    or coalesce(
                        variable @@ 'strict $.max_length > 0 && $.max_length <= 100000
                            && $.max_length.floor() == $.max_length',
                        false
                    )
                ), true)
            from jsonb_array_elements(variables) as variable
        )
        else false
    end
$$;

comment on function private.is_variable_list(jsonb) is
'True for an array of at most 50 template variables {name, description, required, default, max_length}, unique names.';

create or replace function private.is_key_envelope(envelope text)
returns boolean
language plpgsql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload text;
    v_octets bytea;
    v_outside integer := 0;
begin
    -- enc:v1:<key id>:<base64> is sealed here, enc:c1:<base64> by a client that encrypts for itself.
    if length(envelope) > 16384 or envelope !~ '^enc:(v1:[A-Za-z0-9_-]+|c1):[A-Za-z0-9+/]*={0,2}$' then
        return false;
    end if;
    v_payload := split_part(envelope, ':', -1);
    -- Base64 proves nothing: the old client's "encryption" was base64. A hex dump is base64 by chance, and so is a
    -- Google key; random octets are either once in 16 million times at most.
    if length(v_payload) % 4 <> 0 or v_payload ~ '^([0-9a-fA-F]+=*|AIza.*)$' then
        return false;
    end if;
    -- Half of the octets of ciphertext lie outside ASCII, and four do at least: most often among the first ten. Text, its
    -- hex, its base64 and its UTF-16 have none there.
    v_octets := decode(v_payload, 'base64');
    if octet_length(v_octets) < 28 then
        return false;
    end if;
    for v_place in 0 .. octet_length(v_octets) - 1 loop
        v_outside := v_outside + (get_byte(v_octets, v_place) >> 7);
        if v_outside = 4 then
            return true;
        end if;
    end loop;
    return false;
end
$$;

comment on function private.is_key_envelope(text) is
'True for an encrypted API key: enc:v1:<key id>:<base64> or enc:c1:<base64>. False for a plain key, its base64 or hex.';

-- system_config ----------------------------------------------------------------
-- One row per setting. The row carries its own rules (type, range, allowed values), so that staff can change a value
-- and not break what reads it.
create table if not exists public.system_config (
    id uuid default gen_random_uuid() primary key,
    key varchar(100) not null,
    category varchar(30) not null,
    value jsonb not null,
    value_type varchar(20) not null,
    min_value numeric,
    max_value numeric,
    allowed_values jsonb,
    description text not null,
    is_public boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint system_config_key_is_unique unique (key),
    constraint system_config_key_is_snake_case check (key ~ '^[a-z][a-z0-9_]*$'),
    -- Anyone who may read settings would read the secret; secrets live in Vault or private.secrets.
    constraint system_config_holds_no_secrets check (key !~ '(password|secret|encryption_key|api_key)'),
    constraint system_config_category_is_known check (
        category in ('application', 'feature_flag', 'rate_limit', 'maintenance', 'security', 'analytics')
    ),
    constraint system_config_value_type_is_known check (
        value_type in ('boolean', 'integer', 'number', 'text', 'object', 'array')
    ),
    constraint system_config_feature_flag_is_boolean check (category <> 'feature_flag' or value_type = 'boolean'),
    constraint system_config_range_is_ordered check (min_value <= max_value),
    constraint system_config_allowed_values_are_a_small_list check (
        jsonb_typeof(allowed_values) = 'array' and octet_length(allowed_values::text) <= 16384
    ),
    -- What staff did must outlive the staff member who would rather it did not.
    constraint system_config_records_are_kept check (
        key not in ('retention_days_audit_log', 'retention_days_security_events') or value >= '30'::jsonb
    ),
    constraint system_config_value_is_small check (octet_length(value::text) <= 65536),
    constraint system_config_description_is_short check (length(description) between 1 and 1000)
);

alter table public.system_config enable row level security;

comment on table public.system_config is
'Settings, feature flags, limits: one typed and validated row each. Clients see the rows marked is_public.';
comment on column public.system_config.id is 'Surrogate key.';
comment on column public.system_config.key is 'Name of the setting, snake_case.';
comment on column public.system_config.category is
'What the setting belongs to: application, feature_flag, rate_limit, …';
comment on column public.system_config.value is 'The value, of the type that value_type names.';
comment on column public.system_config.value_type is 'boolean, integer, number, text, object or array.';
comment on column public.system_config.min_value is 'Smallest number allowed; null for no limit.';
comment on column public.system_config.max_value is 'Largest number allowed; null for no limit.';
comment on column public.system_config.allowed_values is 'JSON array of the only values allowed; null for any.';
comment on column public.system_config.description is 'What the setting does, its unit, and who reads it.';
comment on column public.system_config.is_public is 'True when clients, signed in or not, may read it.';
comment on column public.system_config.created_at is 'When the setting was added.';
comment on column public.system_config.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace function private.tg_system_config__check_value()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found text := jsonb_typeof(new.value);
    v_expected text := case new.value_type
        when 'integer' then 'number' when 'text' then 'string' else new.value_type
    end;
    v_number numeric;
begin
    if v_found = 'number' then
        v_number := new.value::numeric;
    end if;

    -- A trigger and not a CHECK, because the message must say what is allowed.
    if v_found is distinct from v_expected or (new.value_type = 'integer' and v_number <> trunc(v_number)) then
        raise exception 'setting "%" takes a value of type %', new.key, new.value_type
            using errcode = 'check_violation', schema = 'public', table = 'system_config',
                constraint = 'system_config_value_has_its_type',
                detail = format('The value given is %s.', case when v_found = v_expected then 'a number with decimals'
                    else 'of the JSON type ' || v_found end),
                hint = format('Write it as JSON, for example %s.', case new.value_type
                    when 'boolean' then 'true' when 'integer' then '30' when 'number' then '0.5'
                    when 'text' then '"dark"' when 'object' then '{}' else '[]' end);
    end if;

    -- These hold whatever the row allows, because jobs run by them at night.
    if (new.value_type = 'integer' and v_number not between -2147483648 and 2147483647)
        or (new.key ~ '^(retention_days_|max_prompt_history_days$)' and (
            new.value_type <> 'integer' or v_number not between 1 and 3650
        ))
    then
        raise exception 'setting "%" is out of range', new.key
            using errcode = 'check_violation', schema = 'public', table = 'system_config',
                constraint = 'system_config_value_is_in_range',
                detail = format('The value given is %s.', left(new.value::text, 100)),
                hint = case when new.value_type = 'integer' and new.key !~ '^(retention_days_|max_prompt_history_days$)'
                    then 'Allowed: -2147483648 to 2147483647.' else 'Allowed: whole days, 1 to 3650.' end;
    end if;

    if new.key = 'maintenance_schedule'
        and coalesce(new.value #>> '{}' !~ '^[0-9*,/-]+( [0-9*,/-]+){4}$', true)
    then
        raise exception 'setting "%" is not a cron expression', new.key
            using errcode = 'check_violation', schema = 'public', table = 'system_config',
                constraint = 'system_config_value_is_allowed',
                detail = format('The value given is %s.', left(new.value::text, 100)),
                hint = 'Minute, hour, day of the month, month, day of the week, for example "0 3 * * *".';
    end if;

    if v_number < new.min_value or v_number > new.max_value then
        raise exception 'setting "%" is out of range', new.key
            using errcode = 'check_violation', schema = 'public', table = 'system_config',
                constraint = 'system_config_value_is_in_range',
                detail = format('The value given is %s.', v_number),
                hint = format('Allowed: %s to %s.', coalesce(new.min_value::text, 'any'),
                    coalesce(new.max_value::text, 'any'));
    end if;

    -- Not @>, which is content with a part of an allowed object.
    if jsonb_typeof(new.allowed_values) = 'array'
        and new.value not in (select item.value from jsonb_array_elements(new.allowed_values) as item)
    then
        raise exception 'setting "%" does not take this value', new.key
            using errcode = 'check_violation', schema = 'public', table = 'system_config',
                constraint = 'system_config_value_is_allowed',
                detail = format('The value given is %s.', left(new.value::text, 100)),
                hint = format('Allowed: %s.', new.allowed_values);
    end if;

    return new;
end
$$;

comment on function private.tg_system_config__check_value() is
'Trigger: the value has the setting''s type, lies in its range and among its allowed values.';

create or replace trigger check_system_config_value
before insert or update on public.system_config
for each row execute function private.tg_system_config__check_value();

create or replace function private.tg_system_config__refuse_limits()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'setting "%" is not a list of limits', new.key
        using errcode = 'check_violation', schema = 'public', table = 'system_config',
            constraint = 'system_config_value_has_its_type',
            detail = format('The value given is %s.', left(new.value::text, 100)),
            hint = 'Write {"openai": {"per_minute": 120, "per_day": 5000}}: whole numbers from 1 to 10000000. '
                'To switch a provider off, set api_providers.is_enabled.';
end
$$;

comment on function private.tg_system_config__refuse_limits() is
'Trigger: refuses overrides that are no list of limits; fires only for these. They are read before every call.';

-- The condition is bound here: whoever writes a setting cannot look up a name in private.
create or replace trigger refuse_system_config_limits
before insert or update on public.system_config
for each row
when (new.key = 'rate_limit_overrides' and not private.is_rate_limit_list(new.value))
execute function private.tg_system_config__refuse_limits();

create or replace trigger update_system_config_updated_at
before update on public.system_config
for each row execute function public.update_updated_at_column();

-- Configuration readers --------------------------------------------------------
-- For functions of ours, run by their owner. A setting that is missing must not stop a sign-up or a nightly job, so
-- every reader takes the value to fall back on.

create or replace function private.config_boolean(key text, fallback boolean)
returns boolean
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select config.value::boolean from public.system_config as config
            where config.key = config_boolean.key and config.value_type = 'boolean'),
        fallback
    )
$$;

comment on function private.config_boolean(text, boolean) is 'A boolean setting, or the fallback where it is missing.';

create or replace function private.config_integer(key text, fallback integer)
returns integer
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select config.value::integer from public.system_config as config
            where config.key = config_integer.key and config.value_type = 'integer'),
        fallback
    )
$$;

comment on function private.config_integer(text, integer) is 'An integer setting, or the fallback where it is missing.';

create or replace function private.config_number(key text, fallback numeric)
returns numeric
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select config.value::numeric from public.system_config as config
            where config.key = config_number.key and config.value_type in ('number', 'integer')),
        fallback
    )
$$;

comment on function private.config_number(text, numeric) is 'A number setting, or the fallback where it is missing.';

create or replace function private.config_text(key text, fallback text)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select config.value #>> '{}' from public.system_config as config
            where config.key = config_text.key and config.value_type = 'text'),
        fallback
    )
$$;

comment on function private.config_text(text, text) is 'A text setting, or the fallback where it is missing.';

create or replace function public.get_public_config()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_object_agg(config.key, config.value), '{}')
    from public.system_config as config
    where config.is_public
$$;

comment on function public.get_public_config() is
'Every public setting as one JSON object, key to value: what a client reads when it starts.';

create or replace function public.is_feature_enabled(flag text)
returns boolean
language sql
stable
-- Invoker: a flag that is not public stays unknown, and so off, to clients.
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select config.value::boolean from public.system_config as config
            where config.key = flag and config.category = 'feature_flag'),
        false
    )
$$;

comment on function public.is_feature_enabled(text) is
'True when the feature flag is on and the caller may read it; an unknown flag is off.';

create or replace function private.require_feature(flag text)
returns void
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A flag that is missing switches nothing off.
    if not private.config_boolean(flag, true) then
        raise exception 'the feature "%" is switched off', flag
            using errcode = 'PT403',
                hint = format('Staff can switch it on: the flag %s in system_config.', flag);
    end if;
end
$$;

comment on function private.require_feature(text) is 'Raises an error while a feature flag is off.';

create or replace function private.tg_require_feature()
returns trigger
language plpgsql
volatile
-- Definer: a flag that clients cannot read holds them as well.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform private.require_feature(tg_argv[0]);
    return new;
end
$$;

comment on function private.tg_require_feature() is
'Trigger: refuses what clients add while the feature flag in the trigger''s argument is off.';

-- private.secrets --------------------------------------------------------------
-- The last resort for a server without Vault: whoever reads a backup reads this. The schema is closed, the table has
-- no grants and its one policy refuses.
create table if not exists private.secrets (
    name varchar(100) primary key,
    secret text not null,
    description text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint secrets_name_is_known check (name ~ '^(app_encryption_key(_[a-z0-9_]+)?|maintenance_dsn)$'),
    constraint secrets_secret_has_content check (length(secret) between 1 and 4096)
);

alter table private.secrets enable row level security;

comment on table private.secrets is
'Server-side secrets where there is no Vault: app_encryption_key, maintenance_dsn. Owner only.';
comment on column private.secrets.name is 'Same name as the secret would have in Vault.';
comment on column private.secrets.secret is 'The secret itself, in plain text: prefer Vault.';
comment on column private.secrets.description is 'What it is for and how to renew it.';
comment on column private.secrets.created_at is 'When it was stored.';
comment on column private.secrets.updated_at is 'Last change. Maintained by trigger.';

create or replace trigger update_secrets_updated_at
before update on private.secrets
for each row execute function public.update_updated_at_column();

-- A CHECK that fails shows the row, and a log keeps it: so what could fail is refused before the CHECK sees it.
create or replace function private.tg_secrets__refuse_quietly()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(new.name !~ '^(app_encryption_key(_[a-z0-9_]+)?|maintenance_dsn)$', true) then
        raise exception 'no secret has this name'
            using errcode = 'check_violation', schema = 'private', table = 'secrets',
                constraint = 'secrets_name_is_known',
                hint = 'Names: app_encryption_key, app_encryption_key_previous, maintenance_dsn.';
    elsif coalesce(length(new.secret) not between 1 and 4096, true) then
        raise exception 'a secret has 1 to 4096 characters'
            using errcode = 'check_violation', schema = 'private', table = 'secrets',
                constraint = 'secrets_secret_has_content';
    end if;
    return new;
end
$$;

comment on function private.tg_secrets__refuse_quietly() is
'Trigger: what the rules of the table would refuse, with a message that does not show the row.';

create or replace trigger refuse_secrets_quietly
before insert or update on private.secrets
for each row execute function private.tg_secrets__refuse_quietly();

-- private.locks ----------------------------------------------------------------
-- What only one session may do at a time, a row for each. Locked rows and no advisory locks: those are numbers, which
-- any session that speaks SQL may take, and then keep for as long as it likes.
create table if not exists private.locks (
    name varchar(30) primary key,
    constraint locks_name_is_snake_case check (name ~ '^[a-z][a-z_]*$')
);

alter table private.locks enable row level security;

comment on table private.locks is 'What one session may do at a time: it locks the row. The owner''s functions do so.';
comment on column private.locks.name is 'What it is for.';

insert into private.locks (name) values ('maintenance'), ('feedback_categories')
on conflict do nothing;

-- archive.unmigrated -----------------------------------------------------------
-- What the upgrade from a legacy installation could not bring over as it was: supabase/upgrade/. Nothing else writes
-- here. It outlives the old tables, so that no row is ever lost with them.
create table if not exists archive.unmigrated (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete cascade,
    legacy_table varchar(63) not null,
    legacy_id uuid not null,
    outcome varchar(20) not null,
    reason text not null,
    legacy_row jsonb not null,
    api_key_encrypted text,
    created_at timestamptz not null default now(),
    constraint unmigrated_row_is_kept_once unique (legacy_table, legacy_id),
    constraint unmigrated_outcome_is_known check (outcome in ('adjusted', 'set aside', 'superseded'))
);

alter table archive.unmigrated enable row level security;

comment on table archive.unmigrated is
'Rows of a legacy installation that the rules of the new tables cannot hold as they were, whole. Owner only.';
comment on column archive.unmigrated.id is 'Surrogate key.';
comment on column archive.unmigrated.user_id is 'Whose row it is; null for nobody''s. It goes when the account goes.';
comment on column archive.unmigrated.legacy_table is 'Legacy table that the row is from.';
comment on column archive.unmigrated.legacy_id is 'Id that the row had there; a row that was adjusted has it still.';
comment on column archive.unmigrated.outcome is
'adjusted: brought over but for what the reason names; superseded: there was a newer one; set aside: only here.';
comment on column archive.unmigrated.reason is 'Which rule it breaks.';
comment on column archive.unmigrated.legacy_row is 'The row as it was, column to value; without the next column.';
comment on column archive.unmigrated.api_key_encrypted is
'What stood there for an API key and could not be read. It may be a plain key, so it is apart: no export has it.';
comment on column archive.unmigrated.created_at is 'When the upgrade put it here.';

-- Secrets ----------------------------------------------------------------------
create or replace function private.find_secret(name text)
returns text
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_secret text;
begin
    -- Vault first: it alone keeps a secret out of backups.
    if to_regclass('vault.decrypted_secrets') is not null then
        select vaulted.decrypted_secret
        into v_secret
        from vault.decrypted_secrets as vaulted
        where vaulted.name = find_secret.name;
    end if;

    return coalesce(
        v_secret, (select stored.secret from private.secrets as stored where stored.name = find_secret.name)
    );
end
$$;

comment on function private.find_secret(text) is
'A secret by name, as the owner stored it: from Vault, else from private.secrets; null if nowhere.';

-- Encryption -------------------------------------------------------------------
-- OpenPGP symmetric encryption with AES-256 and an integrity check, from pgcrypto. Owner and provider are sealed in
-- with the key, so that a ciphertext copied to another row does not open there. The secret is long and random, so the
-- slow key derivation that protects short passphrases (s2k-mode 3, 0.3 ms a key) would protect nothing.

create or replace function private.encryption_keys()
returns table (key_id text, secret text, is_current boolean)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_current text := private.find_secret('app_encryption_key');
    v_previous text := private.find_secret('app_encryption_key_previous');
begin
    -- Any session may set what it likes: that counts only where the owner has stored neither.
    if v_current is null and v_previous is null then
        v_current := nullif(current_setting('app.encryption_key', true), '');
        v_previous := nullif(current_setting('app.encryption_key_previous', true), '');
    end if;
    if v_current is null then
        raise exception 'no encryption key is configured'
            using errcode = 'object_not_in_prerequisite_state',
                detail = 'API keys are sealed with the secret app_encryption_key.',
                hint = 'Make one (openssl rand -base64 32) and put it in Vault (vault.create_secret), or, on a server of '
                    'your own, in private.secrets (forge-db secret) or in the setting app.encryption_key of the sessions.';
    end if;
    if length(v_current) < 32 then
        raise exception 'the encryption key is too short'
            using errcode = 'object_not_in_prerequisite_state',
                detail = 'app_encryption_key needs at least 32 random characters.',
                hint = 'Make one with: openssl rand -base64 32';
    end if;

    -- The id says which key an envelope needs, and nothing about the key itself.
    return query
    select
        left(encode(sha256(convert_to('key id of ' || known.secret, 'utf8')), 'hex'), 12),
        known.secret,
        known.is_current
    from (values (v_current, true), (v_previous, false)) as known (secret, is_current)
    where known.secret is not null;
end
$$;

comment on function private.encryption_keys() is
'The encryption key in use, and the previous one while keys are being rotated. Raises an error when there is none.';

create or replace function private.seal_api_key(
    user_id uuid, provider text, api_key text, key_id text, secret text
)
returns text
language sql
volatile
-- Without settings, so that PostgreSQL puts this in the place of the call: a rotation makes it for every key. What the
-- names mean was settled when the function was made.
security invoker
return 'enc:v1:' || key_id || ':' || replace(
    encode(
        extensions.pgp_sym_encrypt(
            user_id::text || ':' || provider || ':' || api_key,
            secret,
            'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0'
        ),
        'base64'
    ),
    E'\n', ''
);

comment on function private.seal_api_key(uuid, text, text, text, text) is
'Seals an API key for one row: the envelope opens for this user and provider only.';

create or replace function private.unseal_api_key(envelope text, user_id uuid, provider text, secret text)
returns text
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_prefix text := unseal_api_key.user_id::text || ':' || unseal_api_key.provider || ':';
    v_octets bytea;
    v_sealed text;
begin
    v_octets := decode(split_part(envelope, ':', -1), 'base64');
    -- As seal_api_key() writes it: no other way to make a key of the secret, which may be told to take long. What was
    -- encrypted begins fourteen octets on, and 0xd2 says: with integrity. pgcrypto would open one without.
    if substr(v_octets, 1, 6) <> '\xc30c04090108' or get_byte(v_octets, 14) <> 210 then
        return null;
    end if;
    v_sealed := extensions.pgp_sym_decrypt(v_octets, secret);
    return case when starts_with(v_sealed, v_prefix) then substr(v_sealed, length(v_prefix) + 1) end;
exception when others then
    return null;  -- the caller says what could not be opened; the reason holds nothing that helps an honest one
end
$$;

comment on function private.unseal_api_key(text, uuid, text, text) is
'The API key in an envelope, or null when it is damaged, sealed with another secret, or meant for another row.';

create or replace function private.open_api_key(envelope text, user_id uuid, provider text)
returns text
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_api_key text;
begin
    if envelope like 'enc:c1:%' then
        raise exception 'this key was encrypted by the client, and only the client can open it'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Store the key with save_api_key() to let the server open it.';
    end if;

    select private.unseal_api_key(
        open_api_key.envelope, open_api_key.user_id, open_api_key.provider, known.secret
    )
    into v_api_key
    from private.encryption_keys() as known
    where known.key_id = split_part(open_api_key.envelope, ':', 3);

    if v_api_key is null then
        raise exception 'the stored key cannot be opened'
            using errcode = 'data_exception',
                detail = 'It is damaged, or sealed with an encryption key that is not configured any more, '
                    'or was copied from another row.',
                hint = 'Configure the old key as app_encryption_key_previous, or store the key again.';
    end if;
    return v_api_key;
end
$$;

comment on function private.open_api_key(text, uuid, text) is
'The API key in a stored envelope. Raises an error, without any part of it, when it cannot be opened.';

create or replace function private.redact_api_keys(message text)
returns text
-- Runs for every logged call, and plpgsql keeps its plans.
language plpgsql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Nearly every message holds none of these, and the search for what surrounds them costs six times as much.
    if message !~* 'sk-|xai-|gsk_|AIza|AQ\.|eyJ|bearer|key|token' then
        return message;
    end if;
    -- Providers repeat keys in their errors, and Gemini takes them in the URL. The first line: keys of providers, and
    -- signed tokens, known by their beginning; the second: whatever is named as one.
    return regexp_replace(
        message,
        '(?<![A-Za-z])(?:sk-|xai-|gsk_|AIza|AQ\.|eyJ[A-Za-z0-9_-]+\.)[A-Za-z0-9_*.…-]{6,}'
        '|(Bearer\s+|(?:api[-_]?key|access[-_]?token|[?&](?:key|token))["'']?\s*[:=]\s*["'']?)[^\s"''&,;)}]+',
        '\1[key]',
        'gi'
    );
end
$$;

comment on function private.redact_api_keys(text) is
'A message with everything in it that looks like an API key taken out.';

-- The caller -------------------------------------------------------------------
create or replace function private.require_user()
returns uuid
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if (select auth.uid()) is null then
        raise exception 'nobody is signed in'
            using errcode = 'invalid_authorization_specification',
                hint = 'Send the access token of a signed-in user.';
    end if;
    return (select auth.uid());
end
$$;

comment on function private.require_user() is 'Id of the signed-in user. Raises an error when nobody is.';

reset search_path;
