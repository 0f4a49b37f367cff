-- 07_security_and_rls.sql: who may do what.
--
-- Four callers: anon (a visitor), authenticated (a user, on own rows), app_admin (staff) and service_role (the server;
-- it bypasses policies and still needs grants). Per table: first everything is taken back, because Supabase may have
-- handed every privilege to the API roles when the table was made; then each role gets what is named here. What is
-- not named is refused. SELECT is granted on whole tables (select=* needs every column), INSERT and UPDATE by column.
--
-- Every policy names its role and its one command, and calls auth.uid() in a sub-select: once per statement, not per
-- row. Staff have policies of their own and not an OR in everyone's: an OR cannot use the index. These ask is_admin()
-- besides, so that the role alone, without a token of somebody who is staff now, opens nothing.
--
-- Needs 01 to 06. Same tables, order and banners as there.

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('public.idx_feedback_tag_assignments_tag_id') is null;
end
$$;

do $$
begin
    if to_regclass('public.idx_feedback_tag_assignments_tag_id') is null then
        raise exception
            '07_security_and_rls.sql needs 06_indexes_and_performance.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/06_indexes_and_performance.sql';
    end if;
end
$$;

-- audit_log --------------------------------------------------------------------
-- What changed, when, and by whom. No foreign key but the actor's, so that a line outlives what it tells of.
create table if not exists public.audit_log (
    id uuid default gen_random_uuid() primary key,
    actor_id uuid references auth.users (id) on delete set null,
    actor_role varchar(63) not null,
    action varchar(20) not null,
    table_name varchar(63) not null,
    row_id uuid,
    changes jsonb,
    request_id text,
    ip_address inet,
    user_agent text,
    created_at timestamptz not null default now(),
    constraint audit_log_action_is_known check (action in ('insert', 'update', 'delete', 'truncate')),
    constraint audit_log_changes_are_small_object check (private.is_json_object(changes, 1048576)),
    constraint audit_log_request_id_is_short check (length(request_id) <= 200),
    constraint audit_log_user_agent_is_short check (length(user_agent) <= 1000)
);

alter table public.audit_log enable row level security;

comment on table public.audit_log is 'Who changed what, when, from where. Append-only, for staff.';
comment on column public.audit_log.id is 'Surrogate key.';
comment on column public.audit_log.actor_id is
'Account that made the change; null for the server, or once the account is gone.';
comment on column public.audit_log.actor_role is 'Database role that made the change.';
comment on column public.audit_log.action is 'insert, update, delete or truncate.';
comment on column public.audit_log.table_name is 'Table that was changed.';
comment on column public.audit_log.row_id is 'Row that was changed; null for a whole table.';
comment on column public.audit_log.changes is 'JSON object: column to {old, new}, only what changed. Never a secret.';
comment on column public.audit_log.request_id is 'Request that made the change, where a header named it.';
comment on column public.audit_log.ip_address is 'Client address. Cleared when the actor''s account goes.';
comment on column public.audit_log.user_agent is 'Client software. Cleared when the actor''s account goes.';
comment on column public.audit_log.created_at is 'When the change was made.';

-- security_events --------------------------------------------------------------
create table if not exists public.security_events (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete set null,
    event_type varchar(50) not null,
    severity varchar(20) not null default 'info',
    details jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamptz not null default now(),
    constraint security_events_event_type_is_snake_case check (event_type ~ '^[a-z][a-z0-9_]*$'),
    constraint security_events_severity_is_known check (severity in ('info', 'warning', 'critical')),
    constraint security_events_details_are_small_object check (private.is_json_object(details, 65536)),
    constraint security_events_user_agent_is_short check (length(user_agent) <= 1000)
);

alter table public.security_events enable row level security;

comment on table public.security_events is 'Refusals, failures and oddities. Append-only, for staff.';
comment on column public.security_events.id is 'Surrogate key.';
comment on column public.security_events.user_id is
'Account concerned; null where unknown, or once the account is gone.';
comment on column public.security_events.event_type is 'What happened, snake_case.';
comment on column public.security_events.severity is 'info, warning or critical.';
comment on column public.security_events.details is 'JSON object with what is known. Never a secret.';
comment on column public.security_events.ip_address is 'Client address. Cleared when the account goes.';
comment on column public.security_events.user_agent is 'Client software. Cleared when the account goes.';
comment on column public.security_events.created_at is 'When it happened.';

-- Append-only ------------------------------------------------------------------
-- No role holds UPDATE, DELETE or TRUNCATE here; the triggers hold for the owner too, so that a slip in a migration or
-- in a definer function cannot rewrite history.
create or replace function private.tg_refuse_rewriting_history()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The column that names the account, in tg_argv[0].
    v_personal text[] := array[tg_argv[0], 'ip_address', 'user_agent'];
begin
    -- The one way to change a line: its account goes, and what points to the person goes with it.
    if tg_op = 'UPDATE'
        and to_jsonb(new) ->> tg_argv[0] is null
        and to_jsonb(old) ->> tg_argv[0] is not null
        and to_jsonb(new) - v_personal = to_jsonb(old) - v_personal
    then
        new.ip_address := null;
        new.user_agent := null;
        return new;
    end if;

    raise exception '%.% is append-only', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name,
            detail = format('%s was refused.', tg_op),
            hint = 'Add a line that corrects the earlier one.';
end
$$;

comment on function private.tg_refuse_rewriting_history() is
'Trigger: refuses UPDATE, DELETE and TRUNCATE, but for the trace that a deleted account leaves.';

create or replace trigger refuse_rewriting_audit_log
before update or delete on public.audit_log
for each row execute function private.tg_refuse_rewriting_history('actor_id');

create or replace trigger refuse_truncating_audit_log
before truncate on public.audit_log
for each statement execute function private.tg_refuse_rewriting_history('actor_id');

create or replace trigger refuse_rewriting_security_events
before update or delete on public.security_events
for each row execute function private.tg_refuse_rewriting_history('user_id');

create or replace trigger refuse_truncating_security_events
before truncate on public.security_events
for each statement execute function private.tg_refuse_rewriting_history('user_id');

-- No statistics on what points to a person: see 06.
alter table public.audit_log
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

alter table public.security_events
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

-- What staff look at first, newest on top; then the foreign key.
create index if not exists idx_audit_log_created_at on public.audit_log (created_at desc);
create index if not exists idx_audit_log_actor_id on public.audit_log (actor_id);
create index if not exists idx_security_events_created_at on public.security_events (created_at desc);
create index if not exists idx_security_events_user_id on public.security_events (user_id);

-- Export -----------------------------------------------------------------------
create or replace function private.personal_tables()
returns table (relation regclass, owner_column name, hidden_columns text[])
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- From the catalogue, so that a new table with an owner is in the export without anybody thinking of it. Who
    -- answered a message (admin_user_id) does not own it. Secrets stay out, and words for the search are no data.
    select
        rule.conrelid::regclass,
        owner.attname,
        array(
            select hidden.attname::text
            from pg_catalog.pg_attribute as hidden
            where hidden.attrelid = rule.conrelid
                and (hidden.attname = 'api_key_encrypted' or hidden.atttypid = 'tsvector'::regtype)
        )
    from pg_catalog.pg_constraint as rule
    inner join pg_catalog.pg_class as class on rule.conrelid = class.oid
    inner join pg_catalog.pg_attribute as owner
        on rule.conrelid = owner.attrelid and rule.conkey[1] = owner.attnum
    where rule.contype = 'f'
        and rule.confrelid = 'auth.users'::regclass
        and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not class.relispartition
        and owner.attname in ('user_id', 'actor_id')
    order by rule.conrelid::regclass::text
$$;

comment on function private.personal_tables() is
'Every table that holds rows of a user, the column that says whose, and the columns that are left out of an export.';

create or replace function private.export_user_data(user_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
    v_found record;
    v_rows bigint := 0;
    v_octets bigint;
    v_export jsonb;
begin
    -- Known without unpacking the texts, so that a long history is refused at once.
    select coalesce(sum(octet_length(history.user_input) + coalesce(octet_length(history.ai_response), 0)), 0)
    into v_octets
    from public.prompt_history as history
    where history.user_id = export_user_data.user_id;

    for v_table in select personal.* from private.personal_tables() as personal loop
        if v_rows <= 100000 and v_octets <= 50000000 then
            -- As text: what compresses well on disk does not in memory.
            execute format(
                'select count(*) as rows, coalesce(sum(octet_length(part.item::text)), 0) as octets '
                'from (select item from %s as item where item.%I = $1 limit 100001) as part',
                v_table.relation, v_table.owner_column
            )
            into v_found
            using export_user_data.user_id;
            v_rows := v_rows + v_found.rows;
            v_octets := case v_table.relation
                when 'public.prompt_history'::regclass then v_octets else v_octets + v_found.octets
            end;
        end if;
    end loop;
    if v_rows > 100000 or v_octets > 50000000 then
        raise exception 'this is too much for one document'
            using errcode = 'program_limit_exceeded', detail = 'A document holds at most 100000 rows and 50 MB.',
                hint = 'Read the tables in pages, or let the operator run: forge-db export-user';
    end if;

    -- The account itself is kept by Supabase Auth: what of it is about the person, and no credentials.
    select jsonb_build_object('account', to_jsonb(person))
    into v_export
    from (
        select
            account.id,
            account.email,
            account.phone,
            account.raw_user_meta_data as user_metadata,
            account.created_at,
            account.last_sign_in_at
        from auth.users as account
        where account.id = export_user_data.user_id
    ) as person;

    for v_table in select personal.* from private.personal_tables() as personal loop
        execute format(
            'select coalesce(jsonb_agg(to_jsonb(item) - $2), ''[]'') as items from %s as item where item.%I = $1',
            v_table.relation, v_table.owner_column
        )
        into v_found
        using export_user_data.user_id, v_table.hidden_columns;
        v_export := v_export || jsonb_build_object(replace(v_table.relation::text, 'public.', ''), v_found.items);
    end loop;
    return v_export;
end
$$;

comment on function private.export_user_data(uuid) is
'Everything held about a user as one JSON object: the account, and table to rows.';

create or replace function private.export_my_data()
returns jsonb
language plpgsql
stable
-- Definer: what is held about the caller is also in tables that they may not read. Only ever the caller's rows.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return private.export_user_data(private.require_user());
end
$$;

comment on function private.export_my_data() is 'Worker of public.export_my_data.';

create or replace function public.export_my_data()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.export_my_data();

comment on function public.export_my_data() is
'Everything that is held about the caller, as one JSON object, table to rows; without secrets.';

-- Schemas ----------------------------------------------------------------------
grant usage on schema public to anon, authenticated, service_role;
revoke create on schema public from public, anon, authenticated, service_role, app_admin;
revoke all on schema private, archive from public, anon, authenticated, service_role, app_admin;

-- system_config ----------------------------------------------------------------
-- Everyone: the settings marked public. Staff: all of them.
revoke all on public.system_config from public, anon, authenticated, service_role, app_admin;
grant select on public.system_config to anon, authenticated;
grant insert (key, category, value, value_type, min_value, max_value, allowed_values, description, is_public),
update (value, min_value, max_value, allowed_values, description, is_public, updated_at),
delete on public.system_config to app_admin;
grant select, insert, update, delete on public.system_config to service_role;

drop policy if exists "Everyone can view public settings" on public.system_config;
create policy "Everyone can view public settings" on public.system_config
for select to anon, authenticated
using (is_public);

drop policy if exists "Admins can view all settings" on public.system_config;
create policy "Admins can view all settings" on public.system_config
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert settings" on public.system_config;
create policy "Admins can insert settings" on public.system_config
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update settings" on public.system_config;
create policy "Admins can update settings" on public.system_config
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete settings" on public.system_config;
create policy "Admins can delete settings" on public.system_config
for delete to app_admin
using ((select public.is_admin()));

-- private.secrets --------------------------------------------------------------
-- Owner only. The policy is a second lock, should a grant ever slip in.
revoke all on private.secrets from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches secrets through the API" on private.secrets;
create policy "Nobody reaches secrets through the API" on private.secrets
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- user_profiles ----------------------------------------------------------------
-- User: own row, but for is_active and last_login_at. Staff: read all, switch is_active.
revoke all on public.user_profiles from public, anon, authenticated, service_role, app_admin;
grant select, delete,
insert (user_id, display_name, avatar_url, bio, preferences),
update (display_name, avatar_url, bio, preferences, updated_at) on public.user_profiles to authenticated;
grant update (is_active) on public.user_profiles to app_admin;
grant select, insert, update, delete on public.user_profiles to service_role;

drop policy if exists "Users can view own profile" on public.user_profiles;
create policy "Users can view own profile" on public.user_profiles
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can insert own profile" on public.user_profiles;
create policy "Users can insert own profile" on public.user_profiles
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own profile" on public.user_profiles;
create policy "Users can update own profile" on public.user_profiles
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own profile" on public.user_profiles;
-- Not one that staff have switched off: the next would be on again.
create policy "Users can delete own profile" on public.user_profiles
for delete to authenticated
using ((select auth.uid()) = user_id and is_active);

drop policy if exists "Admins can view all profiles" on public.user_profiles;
create policy "Admins can view all profiles" on public.user_profiles
for select to app_admin
using ((select public.is_admin()));

-- Which columns of others they may change: trigger limit_staff_update_of_user_profiles.
drop policy if exists "Admins can update all profiles" on public.user_profiles;
create policy "Admins can update all profiles" on public.user_profiles
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

-- user_preferences -------------------------------------------------------------
-- User: own row. Nothing for staff.
revoke all on public.user_preferences from public, anon, authenticated, service_role, app_admin;
grant select, delete,
insert (
    user_id, selected_model, selected_framework, theme, language, enable_notifications, enable_analytics,
    enable_history, enable_feedback, max_history_days, auto_cleanup, vibe_coding, monthly_budget_usd
),
update (
    selected_model, selected_framework, theme, language, enable_notifications, enable_analytics,
    enable_history, enable_feedback, max_history_days, auto_cleanup, vibe_coding, monthly_budget_usd, updated_at
) on public.user_preferences to authenticated;
grant select, insert, update, delete on public.user_preferences to service_role;

drop policy if exists "Users can view own preferences" on public.user_preferences;
create policy "Users can view own preferences" on public.user_preferences
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can insert own preferences" on public.user_preferences;
create policy "Users can insert own preferences" on public.user_preferences
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own preferences" on public.user_preferences;
create policy "Users can update own preferences" on public.user_preferences
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own preferences" on public.user_preferences;
create policy "Users can delete own preferences" on public.user_preferences
for delete to authenticated
using ((select auth.uid()) = user_id);

-- user_sessions ----------------------------------------------------------------
-- User: see and clear the own list. Staff: read all. Nobody inserts: the trigger on auth.users does. No update: a
-- sign-in is a fact.
revoke all on public.user_sessions from public, anon, authenticated, service_role, app_admin;
grant select, delete on public.user_sessions to authenticated;
grant select, delete on public.user_sessions to service_role;

drop policy if exists "Users can view own sessions" on public.user_sessions;
create policy "Users can view own sessions" on public.user_sessions
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own sessions" on public.user_sessions;
create policy "Users can delete own sessions" on public.user_sessions
for delete to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Admins can view all sessions" on public.user_sessions;
create policy "Admins can view all sessions" on public.user_sessions
for select to app_admin
using ((select public.is_admin()));

-- api_providers ----------------------------------------------------------------
-- Everyone: the enabled ones. Staff: all of it.
revoke all on public.api_providers from public, anon, authenticated, service_role, app_admin;
grant select on public.api_providers to anon, authenticated;
grant insert (
    name, display_name, base_url, api_key_pattern, is_enabled, max_requests_per_minute, max_requests_per_day,
    supported_models, validation_rules
),
update (
    name, display_name, base_url, api_key_pattern, is_enabled, max_requests_per_minute, max_requests_per_day,
    supported_models, validation_rules, updated_at
),
delete on public.api_providers to app_admin;
grant select, insert, update, delete on public.api_providers to service_role;

drop policy if exists "Everyone can view enabled providers" on public.api_providers;
create policy "Everyone can view enabled providers" on public.api_providers
for select to anon, authenticated
using (is_enabled);

drop policy if exists "Admins can view all providers" on public.api_providers;
create policy "Admins can view all providers" on public.api_providers
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert providers" on public.api_providers;
create policy "Admins can insert providers" on public.api_providers
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update providers" on public.api_providers;
create policy "Admins can update providers" on public.api_providers
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete providers" on public.api_providers;
create policy "Admins can delete providers" on public.api_providers
for delete to app_admin
using ((select public.is_admin()));

-- api_configurations -----------------------------------------------------------
-- User: own keys, but not the verdicts and counters. Staff: nothing; keys are none of their business.
revoke all on public.api_configurations from public, anon, authenticated, service_role, app_admin;
grant select, delete,
insert (user_id, provider, api_key_encrypted, is_active),
update (provider, api_key_encrypted, is_active, updated_at) on public.api_configurations to authenticated;
grant select, insert, update, delete on public.api_configurations to service_role;

drop policy if exists "Users can view own api configurations" on public.api_configurations;
create policy "Users can view own api configurations" on public.api_configurations
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can insert own api configurations" on public.api_configurations;
create policy "Users can insert own api configurations" on public.api_configurations
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own api configurations" on public.api_configurations;
create policy "Users can update own api configurations" on public.api_configurations
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own api configurations" on public.api_configurations;
create policy "Users can delete own api configurations" on public.api_configurations
for delete to authenticated
using ((select auth.uid()) = user_id);

-- api_usage_logs ---------------------------------------------------------------
-- User: read own. Staff: read all. No insert: a log that its subject can write proves nothing, so log_api_usage() does.
-- No update or delete for anyone: old months are dropped whole.
revoke all on public.api_usage_logs from public, anon, authenticated, service_role, app_admin;
grant select on public.api_usage_logs to authenticated, service_role;

drop policy if exists "Users can view own usage logs" on public.api_usage_logs;
create policy "Users can view own usage logs" on public.api_usage_logs
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Admins can view all usage logs" on public.api_usage_logs;
create policy "Admins can view all usage logs" on public.api_usage_logs
for select to app_admin
using ((select public.is_admin()));

-- prompt_frameworks ------------------------------------------------------------
-- Everyone: the enabled ones. Staff: all of it.
revoke all on public.prompt_frameworks from public, anon, authenticated, service_role, app_admin;
grant select on public.prompt_frameworks to anon, authenticated;
grant insert (name, display_name, description, components, template, examples, is_enabled, sort_order),
update (name, display_name, description, components, template, examples, is_enabled, sort_order, updated_at),
delete on public.prompt_frameworks to app_admin;
grant select, insert, update, delete on public.prompt_frameworks to service_role;

drop policy if exists "Everyone can view enabled frameworks" on public.prompt_frameworks;
create policy "Everyone can view enabled frameworks" on public.prompt_frameworks
for select to anon, authenticated
using (is_enabled);

drop policy if exists "Admins can view all frameworks" on public.prompt_frameworks;
create policy "Admins can view all frameworks" on public.prompt_frameworks
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert frameworks" on public.prompt_frameworks;
create policy "Admins can insert frameworks" on public.prompt_frameworks
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update frameworks" on public.prompt_frameworks;
create policy "Admins can update frameworks" on public.prompt_frameworks
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete frameworks" on public.prompt_frameworks;
create policy "Admins can delete frameworks" on public.prompt_frameworks
for delete to app_admin
using ((select public.is_admin()));

-- prompt_history ---------------------------------------------------------------
-- User: own rows. What was asked is not rewritten: only what came back is updated. Staff: nothing.
revoke all on public.prompt_history from public, anon, authenticated, service_role, app_admin;
grant select, delete,
insert (
    user_id, framework_id, framework_name, model, provider, user_input, ai_response, tone, length, temperature,
    max_tokens, vibe_coding, processing_time_ms, tokens_used, cost_usd, status, error_message, error_code
),
update (
    ai_response, processing_time_ms, tokens_used, cost_usd, status, error_message, error_code, updated_at
) on public.prompt_history to authenticated;
grant select, insert, update, delete on public.prompt_history to service_role;

drop policy if exists "Users can view own prompt history" on public.prompt_history;
create policy "Users can view own prompt history" on public.prompt_history
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can insert own prompt history" on public.prompt_history;
create policy "Users can insert own prompt history" on public.prompt_history
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own prompt history" on public.prompt_history;
create policy "Users can update own prompt history" on public.prompt_history
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own prompt history" on public.prompt_history;
create policy "Users can delete own prompt history" on public.prompt_history
for delete to authenticated
using ((select auth.uid()) = user_id);

-- prompt_templates -------------------------------------------------------------
-- Visitor: what is shared. User: what is shared and all own ones, but not the counter. Staff: the system templates;
-- to take down a user's they call unpublish_prompt_template().
revoke all on public.prompt_templates from public, anon, authenticated, service_role, app_admin;
grant select on public.prompt_templates to anon;
grant select, delete,
insert (user_id, name, description, framework_id, template_content, variables, is_public, is_active),
update (
    name, description, framework_id, template_content, variables, is_public, is_active, updated_at
) on public.prompt_templates to authenticated;
grant select, insert, update, delete on public.prompt_templates to service_role;

drop policy if exists "Visitors can view public templates" on public.prompt_templates;
create policy "Visitors can view public templates" on public.prompt_templates
for select to anon
using (is_public and is_active);

drop policy if exists "Users can view own and public templates" on public.prompt_templates;
create policy "Users can view own and public templates" on public.prompt_templates
for select to authenticated
using ((select auth.uid()) = user_id or (is_public and is_active));

drop policy if exists "Users can insert own templates" on public.prompt_templates;
create policy "Users can insert own templates" on public.prompt_templates
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own templates" on public.prompt_templates;
create policy "Users can update own templates" on public.prompt_templates
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can delete own templates" on public.prompt_templates;
create policy "Users can delete own templates" on public.prompt_templates
for delete to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Admins can view system templates" on public.prompt_templates;
create policy "Admins can view system templates" on public.prompt_templates
for select to app_admin
using (user_id is null and (select public.is_admin()));

drop policy if exists "Admins can insert system templates" on public.prompt_templates;
create policy "Admins can insert system templates" on public.prompt_templates
for insert to app_admin
with check (user_id is null and (select public.is_admin()));

drop policy if exists "Admins can update system templates" on public.prompt_templates;
create policy "Admins can update system templates" on public.prompt_templates
for update to app_admin
using (user_id is null and (select public.is_admin()))
with check (user_id is null and (select public.is_admin()));

drop policy if exists "Admins can delete system templates" on public.prompt_templates;
create policy "Admins can delete system templates" on public.prompt_templates
for delete to app_admin
using (user_id is null and (select public.is_admin()));

-- private.rate_limits --------------------------------------------------------
-- Owner only: kept by triggers, read by check_rate_limit().
revoke all on private.rate_limits from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches rate limits through the API" on private.rate_limits;
create policy "Nobody reaches rate limits through the API" on private.rate_limits
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.rate_limit_counters ------------------------------------------------
-- Owner only: reached by functions that name their caller.
revoke all on private.rate_limit_counters from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches rate limit counters through the API" on private.rate_limit_counters;
create policy "Nobody reaches rate limit counters through the API" on private.rate_limit_counters
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.usage_requests -----------------------------------------------------
-- Owner only: reached by functions that name their caller.
revoke all on private.usage_requests from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches request ids through the API" on private.usage_requests;
create policy "Nobody reaches request ids through the API" on private.usage_requests
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.spent_costs --------------------------------------------------------
-- Owner only: reached by functions that name their caller.
revoke all on private.spent_costs from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches spent costs through the API" on private.spent_costs;
create policy "Nobody reaches spent costs through the API" on private.spent_costs
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.prompt_search ------------------------------------------------------
-- Owner only: reached by functions that name their caller.
revoke all on private.prompt_search from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches search words through the API" on private.prompt_search;
create policy "Nobody reaches search words through the API" on private.prompt_search
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- feedback_categories ----------------------------------------------------------
-- Everyone: the active ones. Staff: all of it.
revoke all on public.feedback_categories from public, anon, authenticated, service_role, app_admin;
grant select on public.feedback_categories to anon, authenticated;
grant insert (name, description, parent_id, is_active, sort_order),
update (name, description, parent_id, is_active, sort_order, updated_at),
delete on public.feedback_categories to app_admin;
grant select, insert, update, delete on public.feedback_categories to service_role;

drop policy if exists "Everyone can view active categories" on public.feedback_categories;
create policy "Everyone can view active categories" on public.feedback_categories
for select to anon, authenticated
using (is_active);

drop policy if exists "Admins can view all categories" on public.feedback_categories;
create policy "Admins can view all categories" on public.feedback_categories
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert categories" on public.feedback_categories;
create policy "Admins can insert categories" on public.feedback_categories
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update categories" on public.feedback_categories;
create policy "Admins can update categories" on public.feedback_categories
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete categories" on public.feedback_categories;
create policy "Admins can delete categories" on public.feedback_categories
for delete to app_admin
using ((select public.is_admin()));

-- feedback ---------------------------------------------------------------------
-- Visitor: send, with nobody's name on it. User: send, read and delete own, correct message and rating while it is
-- open. Staff: read all, triage and answer. admin_user_id and responded_at are stamped by trigger.
revoke all on public.feedback from public, anon, authenticated, service_role, app_admin;
grant insert (
    user_id, message, feedback_type, contact_email, contact_name, user_agent, browser_info, device_info, rating,
    category_id
) on public.feedback to anon;
grant select, delete,
insert (
    user_id, message, feedback_type, contact_email, contact_name, user_agent, browser_info, device_info, rating,
    category_id
),
update (message, rating, updated_at) on public.feedback to authenticated;
grant update (status, priority, category_id, admin_response) on public.feedback to app_admin;
grant select, insert, update, delete on public.feedback to service_role;

drop policy if exists "Visitors can insert feedback without an owner" on public.feedback;
create policy "Visitors can insert feedback without an owner" on public.feedback
for insert to anon
with check (user_id is null);

drop policy if exists "Users can view own feedback" on public.feedback;
create policy "Users can view own feedback" on public.feedback
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Users can insert own feedback" on public.feedback;
create policy "Users can insert own feedback" on public.feedback
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists "Users can update own open feedback" on public.feedback;
create policy "Users can update own open feedback" on public.feedback
for update to authenticated
using ((select auth.uid()) = user_id and status = 'open')
with check ((select auth.uid()) = user_id and status = 'open');

drop policy if exists "Users can delete own feedback" on public.feedback;
create policy "Users can delete own feedback" on public.feedback
for delete to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists "Admins can view all feedback" on public.feedback;
create policy "Admins can view all feedback" on public.feedback
for select to app_admin
using ((select public.is_admin()));

-- Which columns of others they may change: trigger limit_staff_update_of_feedback.
drop policy if exists "Admins can update all feedback" on public.feedback;
create policy "Admins can update all feedback" on public.feedback
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

-- feedback_tags ----------------------------------------------------------------
-- Everyone: the active ones. Staff: all of it.
revoke all on public.feedback_tags from public, anon, authenticated, service_role, app_admin;
grant select on public.feedback_tags to anon, authenticated;
grant insert (name, description, color, is_active),
update (name, description, color, is_active, updated_at),
delete on public.feedback_tags to app_admin;
grant select, insert, update, delete on public.feedback_tags to service_role;

drop policy if exists "Everyone can view active tags" on public.feedback_tags;
create policy "Everyone can view active tags" on public.feedback_tags
for select to anon, authenticated
using (is_active);

drop policy if exists "Admins can view all tags" on public.feedback_tags;
create policy "Admins can view all tags" on public.feedback_tags
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert tags" on public.feedback_tags;
create policy "Admins can insert tags" on public.feedback_tags
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update tags" on public.feedback_tags;
create policy "Admins can update tags" on public.feedback_tags
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete tags" on public.feedback_tags;
create policy "Admins can delete tags" on public.feedback_tags
for delete to app_admin
using ((select public.is_admin()));

-- feedback_tag_assignments -----------------------------------------------------
-- User: the labels on own feedback. Staff: all of it.
revoke all on public.feedback_tag_assignments from public, anon, authenticated, service_role, app_admin;
grant select on public.feedback_tag_assignments to authenticated;
grant insert (feedback_id, tag_id),
update (feedback_id, tag_id),
delete on public.feedback_tag_assignments to app_admin;
grant select, insert, update, delete on public.feedback_tag_assignments to service_role;

drop policy if exists "Users can view tags of own feedback" on public.feedback_tag_assignments;
create policy "Users can view tags of own feedback" on public.feedback_tag_assignments
for select to authenticated
using (
    feedback_id in (
        select item.id from public.feedback as item
        where item.user_id = (select auth.uid())
    )
);

drop policy if exists "Admins can view all tag assignments" on public.feedback_tag_assignments;
create policy "Admins can view all tag assignments" on public.feedback_tag_assignments
for select to app_admin
using ((select public.is_admin()));

drop policy if exists "Admins can insert tag assignments" on public.feedback_tag_assignments;
create policy "Admins can insert tag assignments" on public.feedback_tag_assignments
for insert to app_admin
with check ((select public.is_admin()));

drop policy if exists "Admins can update tag assignments" on public.feedback_tag_assignments;
create policy "Admins can update tag assignments" on public.feedback_tag_assignments
for update to app_admin
using ((select public.is_admin()))
with check ((select public.is_admin()));

drop policy if exists "Admins can delete tag assignments" on public.feedback_tag_assignments;
create policy "Admins can delete tag assignments" on public.feedback_tag_assignments
for delete to app_admin
using ((select public.is_admin()));

-- feedback_analytics -----------------------------------------------------------
-- Staff: read. Maintenance writes it as the owner.
revoke all on public.feedback_analytics from public, anon, authenticated, service_role, app_admin;
grant select on public.feedback_analytics to app_admin, service_role;

drop policy if exists "Admins can view feedback analytics" on public.feedback_analytics;
create policy "Admins can view feedback analytics" on public.feedback_analytics
for select to app_admin
using ((select public.is_admin()));

-- audit_log --------------------------------------------------------------------
-- Staff: read. Nobody writes it but triggers.
revoke all on public.audit_log from public, anon, authenticated, service_role, app_admin;
grant select on public.audit_log to app_admin, service_role;

drop policy if exists "Admins can view the audit log" on public.audit_log;
create policy "Admins can view the audit log" on public.audit_log
for select to app_admin
using ((select public.is_admin()));

-- security_events --------------------------------------------------------------
-- Staff: read. Nobody writes it but functions of ours.
revoke all on public.security_events from public, anon, authenticated, service_role, app_admin;
grant select on public.security_events to app_admin, service_role;

drop policy if exists "Admins can view security events" on public.security_events;
create policy "Admins can view security events" on public.security_events
for select to app_admin
using ((select public.is_admin()));

-- Functions --------------------------------------------------------------------
-- PostgreSQL lets PUBLIC execute every new function, and Supabase may name the API roles besides: both are taken back.

-- Anyone.
revoke all on function
public.get_public_config(),
public.is_feature_enabled(text)
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.get_public_config(),
public.is_feature_enabled(text)
to anon, authenticated, service_role;

-- Whoever is signed in.
revoke all on function public.is_admin(), private.is_staff_account()
from public, anon, authenticated, service_role, app_admin;
grant execute on function public.is_admin(), private.is_staff_account()
to authenticated, service_role;

-- Users. The worker is granted with its wrapper: without USAGE on private nobody can name it.
revoke all on function
public.save_api_key(text, text),
private.save_api_key(text, text),
public.reveal_api_key(text),
private.reveal_api_key(text),
public.check_rate_limit(text),
private.consume_rate_limit(text, timestamptz),
public.log_api_usage(text, text, integer, integer, integer, integer, text, uuid),
private.log_api_usage(text, text, integer, integer, integer, integer, text, uuid),
public.get_usage_summary(integer),
private.get_usage_summary(integer),
public.estimate_cost(text, text, integer, integer),
public.render_prompt_template(uuid, jsonb),
private.render_and_count(uuid, text, jsonb, jsonb),
public.render_prompt_framework(text, jsonb),
private.render_text(text, jsonb, jsonb),
private.refuse_unknown(text, text),
public.search_prompt_history(text, integer, timestamptz, uuid),
private.search_prompt_history(text, integer, timestamptz, uuid),
public.get_prompt_stats(integer),
private.get_prompt_stats(integer),
private.check_days(integer),
public.cleanup_old_prompt_history(),
public.export_my_data(),
private.export_my_data()
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.save_api_key(text, text),
private.save_api_key(text, text),
public.reveal_api_key(text),
private.reveal_api_key(text),
public.check_rate_limit(text),
private.consume_rate_limit(text, timestamptz),
public.log_api_usage(text, text, integer, integer, integer, integer, text, uuid),
private.log_api_usage(text, text, integer, integer, integer, integer, text, uuid),
public.get_usage_summary(integer),
private.get_usage_summary(integer),
public.estimate_cost(text, text, integer, integer),
public.render_prompt_template(uuid, jsonb),
private.render_and_count(uuid, text, jsonb, jsonb),
public.render_prompt_framework(text, jsonb),
private.render_text(text, jsonb, jsonb),
private.refuse_unknown(text, text),
public.search_prompt_history(text, integer, timestamptz, uuid),
private.search_prompt_history(text, integer, timestamptz, uuid),
public.get_prompt_stats(integer),
private.get_prompt_stats(integer),
private.check_days(integer),
public.cleanup_old_prompt_history(),
public.export_my_data(),
private.export_my_data()
to authenticated;

-- The server.
revoke all on function
public.decrypt_api_key(uuid, text),
private.decrypt_api_key(uuid, text),
public.record_api_key_validation(uuid, text, boolean, text),
private.record_api_key_validation(uuid, text, boolean, text),
public.rotate_api_keys(integer, uuid),
private.rotate_api_keys(integer, uuid)
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.estimate_cost(text, text, integer, integer),
public.decrypt_api_key(uuid, text),
private.decrypt_api_key(uuid, text),
public.record_api_key_validation(uuid, text, boolean, text),
private.record_api_key_validation(uuid, text, boolean, text),
public.rotate_api_keys(integer, uuid),
private.rotate_api_keys(integer, uuid)
to service_role;

-- Staff. The worker is granted with its wrapper: without USAGE on private nobody can name it.
revoke all on function
public.respond_to_feedback(uuid, text, varchar),
public.unpublish_prompt_template(uuid),
private.unpublish_prompt_template(uuid)
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.respond_to_feedback(uuid, text, varchar),
public.unpublish_prompt_template(uuid),
private.unpublish_prompt_template(uuid)
to app_admin;

-- Validators: whoever may write a column that their CHECK guards.
revoke all on function
private.is_web_url(text),
private.is_email(text),
private.is_json_object(jsonb, integer),
private.is_model_price_list(jsonb),
private.is_model_list(jsonb),
private.is_component_list(jsonb),
private.is_variable_list(jsonb),
private.is_rate_limit_list(jsonb),
private.is_key_envelope(text)
from public, anon, authenticated, service_role, app_admin;
grant execute on function private.is_email(text), private.is_json_object(jsonb, integer)
to anon, authenticated, service_role;
grant execute on function private.is_web_url(text), private.is_variable_list(jsonb), private.is_key_envelope(text)
to authenticated, service_role;
grant execute on function
private.is_model_price_list(jsonb),
private.is_model_list(jsonb),
private.is_rate_limit_list(jsonb),
private.is_component_list(jsonb)
to app_admin, service_role;

-- Triggers and helpers of the owner: nobody. Firing a trigger needs no EXECUTE.
revoke all on function
public.update_updated_at_column(),
private.tg_system_config__check_value(),
private.tg_system_config__refuse_limits(),
private.tg_api_providers__keep_address(),
private.tg_api_configurations__refuse_unencrypted(),
private.tg_limit_staff_update(),
private.tg_users__create_account(),
private.tg_users__record_sign_in(),
private.tg_secrets__refuse_quietly(),
private.tg_api_configurations__refuse_quietly(),
private.tg_api_configurations__reset_verdict(),
private.tg_refresh_rate_limits(),
private.refresh_rate_limits(),
private.tg_feedback_categories__refuse_cycle(),
private.tg_feedback__stamp_response(),
private.tg_feedback__forget_author(),
private.tg_refuse_rewriting_history(),
private.personal_tables(),
private.export_user_data(uuid),
private.config_boolean(text, boolean),
private.config_integer(text, integer),
private.config_text(text, text),
private.find_secret(text),
private.encryption_keys(),
private.seal_api_key(uuid, text, text, text, text),
private.unseal_api_key(text, uuid, text, text),
private.open_api_key(text, uuid, text),
private.redact_api_keys(text),
private.require_user(),
private.refuse_provider(text),
private.search_language(text),
private.parse_placeholders(text),
private.check_placeholders(text, jsonb),
private.tg_prompt_frameworks__check_template(),
private.tg_prompt_history__respect_preferences(),
private.tg_prompt_history__keep_status_forward(),
private.searchable(text),
private.highlight(regconfig, text, tsquery),
private.tg_prompt_history__index_words(),
private.tg_prompt_history__keep_costs(),
private.tg_prompt_templates__check_content(),
private.close_partition(regclass),
private.ensure_api_usage_months(date, integer)
from public, anon, authenticated, service_role, app_admin;
