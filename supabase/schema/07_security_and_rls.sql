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
-- First what is watched: audit_log, security_events, private.log_files, Append-only, Audit, Security events,
-- The server's own log, Suspicious activity, Export, Checks (Health, Integrity, Security). Then who may do what:
-- Schemas, each table, Functions.
--
-- Needs 01 to 06. Same tables, order and banners as there.

set search_path = pg_catalog, pg_temp;

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
-- What changed, when, and by whom. No foreign key but to accounts, so that a line outlives what it tells of.
create table if not exists public.audit_log (
    id uuid default gen_random_uuid() primary key,
    actor_id uuid references auth.users (id) on delete set null,
    actor_role varchar(63) not null,
    action varchar(20) not null,
    table_name varchar(63) not null,
    row_id uuid,
    subject_id uuid references auth.users (id) on delete set null,
    changes jsonb,
    request_id text,
    ip_address inet,
    user_agent text,
    created_at timestamptz not null default now(),
    constraint audit_log_action_is_known check (action in ('insert', 'update', 'delete', 'truncate')),
    -- Spelt out: for ten thousand lines, calling a function that says the same takes longer than writing them.
    constraint audit_log_changes_are_small_object check (
        jsonb_typeof(changes) = 'object' and octet_length(changes::text) <= 1048576
    ),
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
comment on column public.audit_log.table_name is 'Table that was changed, with its schema unless that is public.';
comment on column public.audit_log.row_id is
'Row that was changed; null for a whole table, and for an account, which subject_id names.';
comment on column public.audit_log.subject_id is
'Account whose row was changed; null for a row of nobody, or once the account is gone.';
comment on column public.audit_log.changes is
'JSON object: column to {old, new}, only what changed. Secrets and texts to users as "[hidden]".';
comment on column public.audit_log.request_id is 'Request that made the change, where a header named it.';
comment on column public.audit_log.ip_address is
'Client address, from the header that client_address_header names. Cleared when the actor''s account goes.';
comment on column public.audit_log.user_agent is
'Client software, as it calls itself. Cleared when the actor''s account goes.';
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
    log_line varchar(60),
    created_at timestamptz not null default now(),
    constraint security_events_once_per_log_line unique (log_line),
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
comment on column public.security_events.log_line is
'Line of the server''s log that it was read from, as session.number; null for what was recorded by a function.';
comment on column public.security_events.created_at is 'When it happened.';

-- private.log_files ------------------------------------------------------------
-- How far forge-db ingest-log has read. A file is known by its first line and not by its name, so that rotation is no
-- new file and a new file under an old name is one.
create table if not exists private.log_files (
    first_line varchar(64) primary key,
    read_to bigint not null,
    read_at timestamptz not null default now(),
    constraint log_files_first_line_is_a_digest check (first_line ~ '^[0-9a-f]{64}$'),
    constraint log_files_read_to_is_a_position check (read_to >= 0)
);

alter table private.log_files enable row level security;

comment on table private.log_files is 'Logs of the server that have been read for security_events, and how far.';
comment on column private.log_files.first_line is 'SHA-256 of the first line of the file, in hex.';
comment on column private.log_files.read_to is 'Octets that have been read.';
comment on column private.log_files.read_at is 'When it was last read.';

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
    -- The columns that name an account; the address is that of the first.
    v_personal text[] := tg_argv[0:] || array['ip_address', 'user_agent'];
    v_old jsonb;
    v_new jsonb;
    v_is_forgetting boolean := false;
begin
    -- The one way to remove a line: private.forget_old_lines(), and never within a month.
    if tg_op = 'DELETE' and current_setting('forge.forgetting', true) = 'on'
        and old.created_at < now() - interval '30 days'
    then
        return old;
    end if;

    -- The one way to change a line: an account is gone, and what points to the person goes with it.
    if tg_op = 'UPDATE' then
        v_old := to_jsonb(old);
        v_new := to_jsonb(new);
        if v_new - v_personal = v_old - v_personal then
            select bool_and(named.new is not distinct from named.old or (named.new is null and not exists (
                select from auth.users as account where account.id = named.old::uuid
            ))) and bool_or(named.new is distinct from named.old)
            into v_is_forgetting
            from (select v_old ->> item as old, v_new ->> item as new from unnest(tg_argv[0:]) as item) as named;
        end if;
        if v_is_forgetting and v_new ->> tg_argv[0] is distinct from v_old ->> tg_argv[0] then
            new.ip_address := null;
            new.user_agent := null;
            return new;
        elsif v_is_forgetting
            and (new.ip_address, new.user_agent) is not distinct from (old.ip_address, old.user_agent)
        then
            return new;
        end if;
    end if;

    raise exception '%.% is append-only', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name,
            detail = format('%s was refused.', tg_op),
            hint = case tg_op when 'DELETE' then 'Old lines go by private.forget_old_lines().'
                else 'Add a line that corrects the earlier one.' end;
end
$$;

comment on function private.tg_refuse_rewriting_history() is
'Trigger: refuses UPDATE, DELETE and TRUNCATE, but for the traces of a deleted account and lines past retention.';

create or replace trigger refuse_rewriting_audit_log
before update or delete on public.audit_log
for each row execute function private.tg_refuse_rewriting_history('actor_id', 'subject_id');

create or replace trigger refuse_truncating_audit_log
before truncate on public.audit_log
for each statement execute function private.tg_refuse_rewriting_history('actor_id', 'subject_id');

create or replace trigger refuse_rewriting_security_events
before update or delete on public.security_events
for each row execute function private.tg_refuse_rewriting_history('user_id');

create or replace trigger refuse_truncating_security_events
before truncate on public.security_events
for each statement execute function private.tg_refuse_rewriting_history('user_id');

create or replace function private.forget_old_lines(relation regclass, batch_size integer)
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days integer;
    v_rows bigint;
begin
    if relation is null or relation not in ('public.audit_log'::regclass, 'public.security_events'::regclass) then
        raise exception '% is not a record of this kind', coalesce(relation::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass audit_log or security_events.';
    elsif batch_size is null or batch_size not between 1 and 1000000 then
        raise exception 'a batch of % lines is not possible', coalesce(batch_size::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Pass a batch_size from 1 to 1000000.';
    end if;

    v_days := case relation
        when 'public.audit_log'::regclass then private.config_integer('retention_days_audit_log', 730)
        else private.config_integer('retention_days_security_events', 365)
    end;

    perform set_config('forge.forgetting', 'on', true);
    execute format(
        'delete from %1$s where id in (select id from %1$s where created_at < $1 order by created_at limit $2)',
        relation
    )
    -- Not below a month, whatever the setting says; the trigger holds to that by itself.
    using now() - make_interval(days => greatest(v_days, 30)), batch_size;
    get diagnostics v_rows = row_count;
    perform set_config('forge.forgetting', 'off', true);
    return v_rows;
end
$$;

comment on function private.forget_old_lines(regclass, integer) is
'Retention: deletes the oldest lines of audit_log or security_events past their days, a batch at a time. How many.';

-- No statistics on what points to a person: see 06.
alter table public.audit_log
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

alter table public.security_events
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

-- What staff look at first, newest on top; then the foreign keys.
create index if not exists idx_audit_log_created_at on public.audit_log (created_at desc);
create index if not exists idx_audit_log_actor_id on public.audit_log (actor_id);
create index if not exists idx_audit_log_subject_id on public.audit_log (subject_id);
create index if not exists idx_security_events_created_at on public.security_events (created_at desc);
create index if not exists idx_security_events_user_id on public.security_events (user_id);

-- Audit ------------------------------------------------------------------------
-- What is recorded and how to read it: docs/audit.md. Two kinds of triggers, by what they cost (`forge-db bench`).
-- Where staff may change many rows at once: one call for each statement, over its transition tables. Where users or
-- jobs write often and little of it is of interest: one call for each row that is. Both get the columns to record.

create or replace function private.request_context(
    out actor_id uuid, out actor_role text, out request_id text, out ip_address inet, out user_agent text
)
returns record
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claimed_id uuid;
    v_headers jsonb;
    v_header text;
begin
    -- Not current_user, which is the owner here: the role that the session has taken, else its login.
    actor_role := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    -- Claims and headers that cannot be read must not fail what is being recorded: what is unknown stays null.
    begin
        v_claimed_id := auth.uid();
        v_headers := nullif(current_setting('request.headers', true), '')::jsonb;
    exception when others then
        v_headers := coalesce(v_headers, '{}');
    end;
    if v_headers is not null then
        request_id := left(coalesce(
            v_headers ->> 'sb-request-id', v_headers ->> 'x-request-id', v_headers ->> 'cf-ray'
        ), 200);
    end if;

    if v_claimed_id is not null then
        actor_id := (select account.id from auth.users as account where account.id = v_claimed_id);
        if actor_id is null then
            return;  -- a token outlives its account; where it comes from would point to somebody who is gone
        end if;
    end if;

    if v_headers is null then
        user_agent := nullif(left(current_setting('application_name'), 1000), '');
        ip_address := inet_client_addr();
        return;
    end if;
    user_agent := left(v_headers ->> 'user-agent', 1000);
    -- One header and no other in its place: what the proxy does not write, the client may. Of a list the last entry,
    -- for a proxy adds its own at the end.
    v_header := (
        select config.value #>> '{}' from public.system_config as config where config.key = 'client_address_header'
    );
    begin
        ip_address := substring(v_headers ->> coalesce(v_header, 'cf-connecting-ip') from '([^, /]*) *$')::inet;
    exception when others then
        ip_address := null;
    end;
end
$$;

comment on function private.request_context() is
'Who makes this request, in which role, and from where; null for what is not known. Never raises an error.';

create or replace function private.shorten_changes(changes jsonb)
returns jsonb
-- Called for every line, and plpgsql keeps its plans.
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Nothing that a table accepts comes near; what some later column may hold must not fail the write.
    if pg_column_size(changes) > 100000 and octet_length(changes::text) > 1048576 then
        return (
            select jsonb_object_agg(changed.key, '"[too long]"'::jsonb) from jsonb_object_keys(changes) as changed (key)
        );
    end if;
    return changes;
end
$$;

comment on function private.shorten_changes(jsonb) is
'Changes as they are, or only their names where they are too long.';

create or replace function private.audit_diff(old_row jsonb, new_row jsonb, columns text[])
returns jsonb
-- One comparison for each column, and no query: comparing two sets of pairs costs three times as much.
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_column text;
    v_changes jsonb := '{}'::jsonb;
begin
    foreach v_column in array columns loop
        continue when coalesce(old_row -> v_column, 'null') = coalesce(new_row -> v_column, 'null');
        v_changes := v_changes || jsonb_build_object(
            v_column,
            case
                -- Whichever trigger asks, these are not shown: that they were set, changed or cleared is all.
                when v_column in ('api_key_encrypted', 'secret', 'admin_response') then jsonb_build_object(
                    'old', case when old_row -> v_column <> 'null' then '[hidden]' end,
                    'new', case when new_row -> v_column <> 'null' then '[hidden]' end
                )
                else jsonb_build_object('old', old_row -> v_column, 'new', new_row -> v_column)
            end
        );
    end loop;
    return private.shorten_changes(nullif(v_changes, '{}'));
end
$$;

comment on function private.audit_diff(jsonb, jsonb, text[]) is
'Column to {old, new} for those of the columns that differ; null where none does. Secrets are hidden.';

create or replace function private.tg_audit_row()
returns trigger
language plpgsql
volatile
-- Definer: nobody may write audit_log, and nobody's own write may fail for that.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from record := private.request_context();
    v_old jsonb := to_jsonb(old);
    v_new jsonb := to_jsonb(new);
    v_row jsonb := coalesce(v_new, v_old);
    v_is_account boolean := tg_relid = 'auth.users'::regclass;
    v_subject_id uuid := (v_row ->> case when v_is_account then 'id' else 'user_id' end)::uuid;
begin
    insert into public.audit_log (
        actor_id, actor_role, action, table_name, row_id, subject_id, changes, request_id, ip_address, user_agent
    )
    values (
        v_from.actor_id,
        v_from.actor_role,
        lower(tg_op),
        case when tg_table_schema = 'public' then '' else tg_table_schema || '.' end || tg_table_name,
        -- The id of an account stands in the one column that forgets it.
        case when not v_is_account then (v_row ->> 'id')::uuid end,
        -- Its rows may be going because it has gone.
        case
            when v_subject_id is not null
                then (select account.id from auth.users as account where account.id = v_subject_id)
        end,
        private.audit_diff(v_old, v_new, tg_argv[0:]),
        v_from.request_id,
        v_from.ip_address,
        v_from.user_agent
    );
    return null;  -- ignored: the trigger fires after the change
end
$$;

comment on function private.tg_audit_row() is
'Trigger: adds a line to audit_log about one row, with those of the columns in its arguments that changed.';

create or replace function private.tg_audit_truncate()
returns trigger
language plpgsql
volatile
-- Definer: nobody may write audit_log, and nobody's own write may fail for that.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from record := private.request_context();
begin
    insert into public.audit_log (actor_id, actor_role, action, table_name, request_id, ip_address, user_agent)
    values (
        v_from.actor_id, v_from.actor_role, 'truncate', tg_table_name, v_from.request_id, v_from.ip_address,
        v_from.user_agent
    );
    return null;  -- ignored: the trigger fires after the change
end
$$;

comment on function private.tg_audit_truncate() is 'Trigger: adds a line to audit_log about a table that was emptied.';

-- Where staff work: a function for each table, made from its columns, because comparing columns costs a third of
-- turning both rows into jsonb first. It is called for every update, also for one that changes nothing: what could
-- spare it the look would have to be remembered in the session, and whoever makes the update may change what a
-- session remembers.
create or replace function private.audit_updates(relation regclass, columns text[])
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $make$
declare
    v_schema text := (
        select class.relnamespace::regnamespace::text from pg_catalog.pg_class as class
        where class.oid = audit_updates.relation
    );
    v_table text := (
        select class.relname from pg_catalog.pg_class as class where class.oid = audit_updates.relation
    );
    v_list text := (
        select string_agg(format('%I', item.name), ', ' order by item.place)
        from unnest(audit_updates.columns) with ordinality as item (name, place)
    );
    v_changes text := (
        select string_agg(
            format(
                'case when before.%1$I is distinct from after.%1$I then jsonb_build_object(%1$L, '
                || case
                    -- That it was set, changed or cleared is all.
                    when item.name in ('api_key_encrypted', 'secret', 'admin_response') then
                        'jsonb_build_object(''old'', case when before.%1$I is not null then ''[hidden]'' end, '
                        '''new'', case when after.%1$I is not null then ''[hidden]'' end)'
                    else 'jsonb_build_object(''old'', before.%1$I, ''new'', after.%1$I)'
                end || ') else ''{}'' end',
                item.name
            ),
            E'\n                || ' order by item.place
        )
        from unnest(audit_updates.columns) with ordinality as item (name, place)
    );
    v_subject text := case when exists (
        select from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = audit_updates.relation
            and attribute.attname = 'user_id' and not attribute.attisdropped
    ) then 'coalesce(after.user_id, before.user_id)' else 'null::uuid' end;
begin
    execute format(
        $create$
create or replace function private.%1$I()
returns trigger
language plpgsql
volatile
-- Definer: nobody may write audit_log, and nobody's own write may fail for that.
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_from record;
begin
    -- One row as a rule, or none, and that is compared without joining anything. Of two, each differs from the other.
    if not exists (
        select
        from (select id, %2$s from old_rows limit 2) as before, (select id, %2$s from new_rows limit 2) as after
        where before is distinct from after
    ) then
        return null;
    end if;

    v_from := private.request_context();
    insert into public.audit_log (
        actor_id, actor_role, action, table_name, row_id, subject_id, changes, request_id, ip_address, user_agent
    )
    select
        v_from.actor_id,
        v_from.actor_role,
        item.action,
        tg_table_name,
        item.id,
        -- Its rows may be going because it has gone.
        (select account.id from auth.users as account where account.id = item.user_id),
        private.shorten_changes(item.changes),
        v_from.request_id,
        v_from.ip_address,
        v_from.user_agent
    from (
        select
            coalesce(after.id, before.id) as id,
            %3$s as user_id,
            -- A row whose id was changed: the old one is gone, a new one is there.
            case when before.id is null then 'insert' when after.id is null then 'delete' else 'update' end as action,
            %4$s as changes
        from old_rows as before
        -- A full join cannot be done by nested loops, which a plan made for one row would use for thousands.
        full join new_rows as after on before.id = after.id
        offset 0
    ) as item
    where item.changes <> '{}';
    return null;  -- ignored: the trigger fires after the change
end
$body$
        $create$,
        'tg_audit_' || v_table, v_list, v_subject, v_changes
    );
    execute format(
        'comment on function private.%I() is %L', 'tg_audit_' || v_table,
        format('Trigger: adds a line to audit_log for each row of %s that an update changed.', v_table)
    );
    execute format(
        'create or replace trigger %2$I after update on %1$s referencing old table as old_rows new table as new_rows '
        'for each statement execute function private.%3$I()',
        format('%I.%I', v_schema, v_table), format('audit_%s_update', v_table), 'tg_audit_' || v_table
    );
end
$make$;

comment on function private.audit_updates(regclass, text[]) is
'Makes the function and the trigger that record what updates change in these columns of a table.';

do $$
declare
    v_audited record;
    v_arguments text;
begin
    for v_audited in
        select audited.name, string_to_array(audited.columns, ', ') as columns
        from (
            values
                (
                    'system_config',
                    'key, category, value, value_type, min_value, max_value, allowed_values, description, is_public'
                ),
                (
                    'api_providers',
                    'name, display_name, base_url, api_key_pattern, is_enabled, max_requests_per_minute, '
                    'max_requests_per_day, supported_models, validation_rules'
                ),
                (
                    'prompt_frameworks',
                    'name, display_name, description, components, template, examples, is_enabled, sort_order'
                ),
                ('feedback_categories', 'name, description, parent_id, is_active, sort_order'),
                ('feedback_tags', 'name, description, color, is_active'),
                ('feedback_tag_assignments', 'feedback_id, tag_id'),
                -- Triage. What people wrote, and who they are, is not for the record.
                ('feedback', 'status, priority, category_id, admin_response')
        ) as audited (name, columns)
    loop
        perform private.audit_updates(format('public.%I', v_audited.name)::regclass, v_audited.columns);
        v_arguments := array_to_string(v_audited.columns, ', ');
        -- A message that arrives is no change.
        if v_audited.name <> 'feedback' then
            execute format(
                'create or replace trigger audit_%1$s_insert after insert on public.%1$I '
                'for each row execute function private.tg_audit_row(%2$s)', v_audited.name, v_arguments
            );
        end if;
        execute format(
            'create or replace trigger audit_%1$s_delete after delete on public.%1$I '
            'for each row execute function private.tg_audit_row(%2$s)', v_audited.name, v_arguments
        );
        execute format(
            'create or replace trigger audit_%1$s_truncate after truncate on public.%1$I '
            'for each statement execute function private.tg_audit_truncate()', v_audited.name
        );
    end loop;
end
$$;

-- System templates only: what users write is theirs. Being used is not a change.
create or replace trigger audit_prompt_templates_insert
after insert on public.prompt_templates
for each row
when (new.user_id is null)
execute function private.tg_audit_row(
    'name', 'description', 'framework_id', 'template_content', 'variables', 'is_public', 'is_active'
);

create or replace trigger audit_prompt_templates_update
after update on public.prompt_templates
for each row
when (
    (old.user_id is null or new.user_id is null)
    and (
        old.user_id, old.name, old.description, old.framework_id, old.template_content, old.variables, old.is_public,
        old.is_active
    ) is distinct from (
        new.user_id, new.name, new.description, new.framework_id, new.template_content, new.variables, new.is_public,
        new.is_active
    )
)
execute function private.tg_audit_row(
    'name', 'description', 'framework_id', 'template_content', 'variables', 'is_public', 'is_active'
);

create or replace trigger audit_prompt_templates_delete
after delete on public.prompt_templates
for each row
when (old.user_id is null)
execute function private.tg_audit_row(
    'name', 'description', 'framework_id', 'template_content', 'variables', 'is_public', 'is_active'
);

-- What staff do to rows of users: taking a shared template down, marking a profile.
create or replace trigger audit_prompt_templates_moderation
after update on public.prompt_templates
for each row
when (
    old.user_id is not null and new.user_id is not null
    and old.is_public is distinct from new.is_public
    and current_setting('role', true) is distinct from 'authenticated'
)
execute function private.tg_audit_row('is_public');

create or replace trigger audit_user_profiles_moderation
after update on public.user_profiles
for each row
when (old.is_active is distinct from new.is_active)
execute function private.tg_audit_row('is_active');

-- Keys: whose, for which provider, whether in use. Being used is not a change.
create or replace trigger audit_api_configurations_insert
after insert on public.api_configurations
for each row execute function private.tg_audit_row('provider', 'api_key_encrypted', 'is_active');

create or replace trigger audit_api_configurations_update
after update of user_id, provider, api_key_encrypted, is_active on public.api_configurations
for each row
when (
    not private.is_resealing()
    and (old.user_id, old.provider, old.api_key_encrypted, old.is_active)
    is distinct from (new.user_id, new.provider, new.api_key_encrypted, new.is_active)
)
execute function private.tg_audit_row('provider', 'api_key_encrypted', 'is_active');

create or replace trigger audit_api_configurations_delete
after delete on public.api_configurations
for each row execute function private.tg_audit_row('provider', 'api_key_encrypted', 'is_active');

create or replace trigger audit_prompt_templates_truncate
after truncate on public.prompt_templates
for each statement execute function private.tg_audit_truncate();

create or replace trigger audit_api_configurations_truncate
after truncate on public.api_configurations
for each statement execute function private.tg_audit_truncate();

create or replace trigger audit_secrets
after insert or update or delete on private.secrets
for each row execute function private.tg_audit_row('name', 'secret', 'description');

-- Accounts: the role, which makes staff; locking out; going.
create or replace trigger audit_users_insert
after insert on auth.users
for each row
when (new.role is distinct from 'authenticated')
execute function private.tg_audit_row('role', 'banned_until', 'deleted_at');

create or replace trigger audit_users_update
after update on auth.users
for each row
when (
    (old.role, old.banned_until, old.deleted_at) is distinct from (new.role, new.banned_until, new.deleted_at)
)
execute function private.tg_audit_row('role', 'banned_until', 'deleted_at');

create or replace trigger audit_users_delete
after delete on auth.users
for each row execute function private.tg_audit_row('role', 'banned_until', 'deleted_at');

-- Security events --------------------------------------------------------------
create or replace function private.log_security_event(
    event_type text, severity text, details jsonb, user_id uuid, ip_address inet, user_agent text
)
returns uuid
language plpgsql
volatile
-- Definer: nobody may write security_events. Only the server may call it: what a client says of itself is no evidence.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit integer := private.config_integer('security_events_per_minute', 120);
    v_details jsonb := details;
    v_id uuid;
begin
    if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,49}$' then
        raise exception 'an event needs a type'
            using errcode = 'invalid_parameter_value',
                hint = 'Pass a name in snake_case of at most 50 characters, such as sign_in_failed.';
    elsif severity is null or severity not in ('info', 'warning', 'critical') then
        raise exception 'there is no severity "%"', left(coalesce(severity, 'null'), 50)
            using errcode = 'invalid_parameter_value', hint = 'Pass info, warning or critical.';
    elsif details is not null and not private.is_json_object(details, 16384) then
        raise exception 'the details of an event are a JSON object of at most 16384 octets'
            using errcode = 'invalid_parameter_value', hint = 'Leave out what is not needed to understand it.';
    elsif user_id is not null
        and not exists (select from auth.users as account where account.id = log_security_event.user_id)
    then
        raise exception 'there is no account %', user_id
            using errcode = 'PT404', hint = 'Pass the id of an account, or null.';
    end if;

    -- One kind of event that floods must not drown the others, nor fill the disk.
    if (
        select count(*) >= v_limit
        from (
            select from public.security_events as event
            where event.created_at > now() - interval '1 minute'
                and event.event_type = log_security_event.event_type
            limit v_limit
        ) as latest
    ) then
        if not exists (
            select from public.security_events as event
            where event.created_at > now() - interval '1 minute'
                and event.event_type = 'events_dropped'
                and event.details ->> 'event_type' = log_security_event.event_type
        ) then
            insert into public.security_events (event_type, severity, details)
            values (
                'events_dropped', 'warning',
                jsonb_build_object('event_type', log_security_event.event_type, 'per_minute', v_limit)
            );
        end if;
        return null;
    end if;

    if private.redact_api_keys(v_details::text) <> v_details::text then
        begin
            v_details := private.redact_api_keys(v_details::text)::jsonb;
        exception when others then
            v_details := '{"redacted": true}';  -- the key was not in quotes
        end;
    end if;

    insert into public.security_events (user_id, event_type, severity, details, ip_address, user_agent)
    values (
        log_security_event.user_id, log_security_event.event_type, log_security_event.severity, v_details,
        log_security_event.ip_address, left(log_security_event.user_agent, 1000)
    )
    returning id into v_id;
    return v_id;
end
$$;

revoke all on function private.log_security_event(text, text, jsonb, uuid, inet, text) from public;

comment on function private.log_security_event(text, text, jsonb, uuid, inet, text) is
'Worker of public.log_security_event.';

create or replace function public.log_security_event(
    event_type text,
    severity text default 'info',
    details jsonb default null,
    user_id uuid default null,
    ip_address inet default null,
    user_agent text default null
)
returns uuid
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
return private.log_security_event(event_type, severity, details, user_id, ip_address, user_agent);

comment on function public.log_security_event(text, text, jsonb, uuid, inet, text) is
'Server: records a security event, such as a failed sign-in. Returns its id, or null where there have been too many of '
'its type in the last minute: then events_dropped says so. What looks like an API key is cut from the details.';

-- A refusal rolls back what recorded it, so it is recorded through another session, where there is one to use. Called
-- just before the error is raised, and never the cause of another: what is not recorded is in the server's log.
create or replace function private.record_refusal(event_type text, severity text, user_id uuid, details jsonb)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_dsn text := private.find_secret('maintenance_dsn');
    -- Wherever dblink was installed.
    v_schema text := (
        select extension.extnamespace::regnamespace::text
        from pg_catalog.pg_extension as extension
        where extension.extname = 'dblink'
    );
    v_from record;
begin
    -- Enough of one user is enough, and leaves room for the others.
    if v_dsn is null
        or v_schema is null
        or (
            select count(*) >= 10
            from (
                select from public.security_events as event
                where event.created_at > clock_timestamp() - interval '1 minute'
                    and event.event_type = record_refusal.event_type
                    and event.user_id is not distinct from record_refusal.user_id
                limit 10
            ) as latest
        )
    then
        return;
    end if;

    v_from := private.request_context();
    begin
        -- One at a time: whoever is refused a thousand times at once must not open a thousand connections. Not a row
        -- but the table, which a read-only transaction may lock as well; a standby may not, and has nobody to shut out.
        if not pg_is_in_recovery() then
            lock table private.locks in share update exclusive mode nowait;
        end if;
        -- Opened and closed by one call. A connection that has a name stays open when the statement is cancelled
        -- between two calls, and the caller could go on in it as the owner.
        execute format('select recorded.id from %s.dblink($1, $2) as recorded (id uuid)', v_schema)
        using v_dsn || case
            when v_dsn ~ '^postgres(ql)?://' then case when strpos(v_dsn, '?') > 0 then '&' else '?' end
            else ' '
        end || 'connect_timeout=2',
        format(
            'set statement_timeout = 1000; set lock_timeout = 500; '
            'select private.log_security_event(%L, %L, %L::jsonb, %L::uuid, %L::inet, %L)',
            event_type, severity, details, user_id, v_from.ip_address, v_from.user_agent
        );
    exception when others then
        null;  -- a record that cannot be written must not fail what is refused
    end;
end
$$;

comment on function private.record_refusal(text, text, uuid, jsonb) is
'Records what is about to be refused, through the maintenance connection where there is one. Never raises an error.';

-- The server's own log ----------------------------------------------------------
create or replace function private.ingest_log_lines(first_line text, read_to bigint, lines jsonb)
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rows bigint;
begin
    with line as (
        -- Of a line only what names something that exists: whoever mistypes a password as a name has it in the log, and
        -- it stays there. Statements and messages are not looked at.
        select
            case when item.is_sign_in then 'authentication_failed' else 'statement_refused' end as event_type,
            case when item.is_sign_in then 'warning' else 'info' end as severity,
            jsonb_strip_nulls(jsonb_build_object(
                'sqlstate', item.sqlstate,
                'role', (select role.rolname from pg_catalog.pg_roles as role where role.rolname = item.role),
                'database',
                (select db.datname from pg_catalog.pg_database as db where db.datname = item.database),
                'object', case
                    when exists (select from pg_catalog.pg_class as class where class.relname = item.object)
                        or exists (select from pg_catalog.pg_proc as routine where routine.proname = item.object)
                        or exists (select from pg_catalog.pg_namespace as space where space.nspname = item.object)
                        then item.object
                end
            )) as details,
            item.address,
            item.logged_at,
            date_trunc('minute', item.logged_at) as minute,
            item.log_line,
            -- Whoever floods the log takes turns with everybody else.
            row_number() over (
                partition by item.is_sign_in, date_trunc('minute', item.logged_at), item.address, item.role
                order by item.logged_at, item.log_line
            ) as turn
        from (
            select
                raw.*,
                raw.severity = 'FATAL' as is_sign_in,
                -- Whatever the zone is called in the log: it is this one.
                raw.at at time zone current_setting('log_timezone') as logged_at,
                raw.session || '.' || raw.number as log_line
            from jsonb_to_recordset(lines) as raw (
                at timestamp, session text, number bigint, sqlstate text, severity text, role text, database text,
                address inet, object text
            )
        ) as item
        where item.sqlstate in ('42501', '28P01', '28000')
            -- A statement in another database of the server is not about this one; a sign-in may be.
            and (item.is_sign_in or item.database = current_database())
            and item.logged_at
            > now() - make_interval(days => private.config_integer('retention_days_security_events', 365))
            and item.logged_at <= now() + interval '1 day'
            and not exists (select from public.security_events as known where known.log_line = item.log_line)
    ),

    -- As many of one kind in a minute as others may report.
    room as (
        select
            minute.event_type,
            minute.minute,
            private.config_integer('security_events_per_minute', 120) as per_minute,
            (
                select count(*) from public.security_events as event
                where event.event_type = minute.event_type
                    and event.created_at >= minute.minute
                    and event.created_at < minute.minute + interval '1 minute'
            ) as taken
        from (select distinct line.event_type, line.minute from line) as minute
    ),

    placed as (
        select
            line.*,
            room.per_minute,
            row_number() over (
                partition by line.event_type, line.minute order by line.turn, line.logged_at, line.log_line
            ) + room.taken <= room.per_minute as has_room
        from line
        inner join room on line.event_type = room.event_type and line.minute = room.minute
    )

    insert into public.security_events (event_type, severity, details, ip_address, created_at, log_line)
    select placed.event_type, placed.severity, placed.details, placed.address, placed.logged_at, placed.log_line
    from placed
    where placed.has_room
    union all
    select
        'events_dropped', 'warning',
        jsonb_build_object(
            'event_type', placed.event_type, 'per_minute', min(placed.per_minute), 'dropped', count(*)
        ),
        null, placed.minute, min(placed.log_line)
    from placed
    where not placed.has_room
    group by placed.event_type, placed.minute
    on conflict on constraint security_events_once_per_log_line do nothing;
    get diagnostics v_rows = row_count;

    insert into private.log_files as known (first_line, read_to)
    values (ingest_log_lines.first_line, ingest_log_lines.read_to)
    on conflict on constraint log_files_pkey do update
    set read_to = excluded.read_to, read_at = now();
    delete from private.log_files as known where known.read_at < now() - interval '1 year';
    return v_rows;
end
$$;

comment on function private.ingest_log_lines(text, bigint, jsonb) is
'Adds refusals and failed sign-ins from the server''s log to security_events, each once, and remembers how far the '
'file has been read. Returns how many were new.';

-- Suspicious activity ----------------------------------------------------------
create or replace function private.suspicious_rules()
returns table (place integer, name text)
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- What reads the most rows comes last, so that a short night leaves the others done.
    select rule.place, rule.name
    from (
        values
        (1, 'many_refusals'),
        (2, 'probing'),
        (3, 'many_failed_sign_ins'),
        (4, 'many_addresses'),
        (5, 'unusual_sign_in'),
        (6, 'many_failed_requests'),
        (7, 'request_burst')
    ) as rule (place, name)
    order by rule.place
$$;

comment on function private.suspicious_rules() is 'What detect_suspicious_activity() looks for, in this order.';

create or replace function private.find_suspicious(rule text)
returns table (
    event_type text, severity text, user_id uuid, ip_address inet, details jsonb, since timestamptz
)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- One day and the hour that it may begin in the middle of.
    v_since timestamptz := date_trunc('hour', now() - interval '1 day', 'UTC');
    v_threshold integer;
begin
    -- Whoever it is: the account, where it is known; else the address and the database role.
    case rule
    when 'many_refusals' then
        v_threshold := private.config_integer('suspicious_denials_per_hour', 20);
        return query
        select
            'many_refusals', 'warning', event.user_id, event.ip_address,
            jsonb_strip_nulls(jsonb_build_object(
                'role', event.details ->> 'role', 'count', count(*), 'threshold', v_threshold
            )),
            date_trunc('hour', event.created_at, 'UTC')
        from public.security_events as event
        where event.created_at >= v_since and event.event_type in ('statement_refused', 'api_key_refused')
        group by event.user_id, event.ip_address, event.details ->> 'role', date_trunc('hour', event.created_at, 'UTC')
        having count(*) >= v_threshold;
    when 'probing' then
        v_threshold := private.config_integer('suspicious_denied_tables_per_hour', 5);
        return query
        select
            'probing', 'critical', event.user_id, event.ip_address,
            jsonb_strip_nulls(jsonb_build_object(
                'role', event.details ->> 'role', 'count', count(distinct event.details ->> 'object'),
                'threshold', v_threshold
            )),
            date_trunc('hour', event.created_at, 'UTC')
        from public.security_events as event
        where event.created_at >= v_since and event.event_type = 'statement_refused'
        group by event.user_id, event.ip_address, event.details ->> 'role', date_trunc('hour', event.created_at, 'UTC')
        having count(distinct event.details ->> 'object') >= v_threshold;
    when 'many_failed_sign_ins' then
        v_threshold := private.config_integer('suspicious_failed_sign_ins_per_hour', 10);
        return query
        select
            'many_failed_sign_ins', 'critical', event.user_id, null::inet,
            jsonb_strip_nulls(jsonb_build_object(
                'role', event.details ->> 'role', 'count', count(*), 'threshold', v_threshold
            )),
            date_trunc('hour', event.created_at, 'UTC')
        from public.security_events as event
        where event.created_at >= v_since and event.event_type in ('authentication_failed', 'sign_in_failed')
        -- From however many addresses.
        group by event.user_id, event.details ->> 'role', date_trunc('hour', event.created_at, 'UTC')
        having count(*) >= v_threshold;
    when 'many_addresses' then
        v_threshold := private.config_integer('suspicious_addresses_per_day', 5);
        return query
        select
            'many_addresses', 'warning', session.user_id, null::inet,
            jsonb_build_object('count', count(distinct session.ip_address), 'threshold', v_threshold),
            date_trunc('day', session.signed_in_at, 'UTC')
        from public.user_sessions as session
        where session.signed_in_at >= date_trunc('day', v_since, 'UTC')
        group by session.user_id, date_trunc('day', session.signed_in_at, 'UTC')
        having count(distinct session.ip_address) >= v_threshold;
    when 'unusual_sign_in' then
        v_threshold := private.config_integer('suspicious_usual_sign_ins', 5);
        return query
        select
            'unusual_sign_in',
            case when usual.is_other_network and usual.is_other_agent then 'warning' else 'info' end,
            session.user_id, session.ip_address,
            jsonb_build_object(
                'network', usual.is_other_network, 'agent', usual.is_other_agent, 'sign_ins', usual.sign_ins
            ),
            session.signed_in_at
        from public.user_sessions as session
        cross join lateral (
            select
                count(*) as sign_ins,
                -- Phones change their address all the time, and seldom their network; programs their version.
                session.ip_address is not null
                and not coalesce(bool_or(
                    network(set_masklen(earlier.ip_address, case family(earlier.ip_address) when 4 then 24 else 48 end))
                    >>= session.ip_address
                ), false) as is_other_network,
                session.user_agent is not null
                and not coalesce(bool_or(
                    regexp_replace(earlier.user_agent, '[0-9._]+', '', 'g')
                    = regexp_replace(session.user_agent, '[0-9._]+', '', 'g')
                ), false) as is_other_agent
            from public.user_sessions as earlier
            where earlier.user_id = session.user_id and earlier.signed_in_at < session.signed_in_at
        ) as usual
        where session.signed_in_at >= v_since
            and usual.sign_ins >= v_threshold
            and (usual.is_other_network or usual.is_other_agent);
    when 'many_failed_requests' then
        v_threshold := private.config_integer('suspicious_failures_per_hour', 50);
        return query
        select
            'many_failed_requests', 'warning', logged.user_id, null::inet,
            jsonb_build_object('count', count(*), 'threshold', v_threshold),
            date_trunc('hour', logged.created_at, 'UTC')
        from public.api_usage_logs as logged
        -- A call that got no answer has an error and no status.
        where logged.created_at >= v_since and (logged.status_code >= 400 or logged.error_message is not null)
        group by logged.user_id, date_trunc('hour', logged.created_at, 'UTC')
        having count(*) >= v_threshold;
    when 'request_burst' then
        v_threshold := private.config_integer('suspicious_requests_per_minute', 300);
        return query
        select
            'request_burst', 'warning', logged.user_id, null::inet,
            jsonb_build_object('count', count(*), 'threshold', v_threshold),
            date_trunc('minute', logged.created_at, 'UTC')
        from public.api_usage_logs as logged
        where logged.created_at >= v_since
        group by logged.user_id, date_trunc('minute', logged.created_at, 'UTC')
        having count(*) >= v_threshold;
    else
        raise exception 'there is no rule "%"', left(coalesce(rule, 'null'), 50)
            using errcode = 'invalid_parameter_value', hint = 'See private.suspicious_rules().';
    end case;
end
$$;

comment on function private.find_suspicious(text) is
'What a rule finds in the last day: whose, from where, how much, since when. Writes nothing.';

create or replace function private.detect_suspicious_activity()
returns table (
    event_type text, severity text, user_id uuid, ip_address inet, details jsonb, since timestamptz
)
language sql
stable
-- Definer: reads what happened to every user. Only the server may call it.
security definer
set search_path = pg_catalog, pg_temp
as $$
    select found.event_type, found.severity, found.user_id, found.ip_address, found.details, found.since
    from private.suspicious_rules() as rule
    cross join lateral private.find_suspicious(rule.name) as found
    order by
        array_position(array['critical', 'warning', 'info'], found.severity), found.since desc
$$;

revoke all on function private.detect_suspicious_activity() from public;

comment on function private.detect_suspicious_activity() is 'Worker of public.detect_suspicious_activity.';

create or replace function public.detect_suspicious_activity()
returns table (
    event_type text, severity text, user_id uuid, ip_address inet, details jsonb, since timestamptz
)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select
        found.event_type,
        found.severity,
        found.user_id,
        found.ip_address,
        found.details,
        found.since
    from private.detect_suspicious_activity() as found;
end;

comment on function public.detect_suspicious_activity() is
'Server: what looks like misuse in the last day, worst first: bursts, many failures or refusals, probing, sign-ins '
'from elsewhere. Thresholds: system_config, category security. Writes nothing; the maintenance records it.';

create or replace function private.step_detect_suspicious_activity(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rule record;
    v_count bigint;
begin
    rows := 0;
    is_complete := true;
    for v_rule in select known.name from private.suspicious_rules() as known loop
        if clock_timestamp() >= deadline then
            is_complete := false;
            exit;
        end if;
        -- Once for each of what was found, however often it is looked for.
        insert into public.security_events (user_id, event_type, severity, details, ip_address)
        select
            found.user_id, found.event_type, found.severity,
            found.details || jsonb_build_object('since', moment.utc), found.ip_address
        from private.find_suspicious(v_rule.name) as found
        -- The same text in whichever time zone the session is.
        cross join lateral to_char(found.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment (utc)
        where not exists (
            select from public.security_events as known
            where known.created_at >= now() - interval '3 days'
                and known.event_type = found.event_type
                and known.user_id is not distinct from found.user_id
                and known.ip_address is not distinct from found.ip_address
                and known.details ->> 'role' is not distinct from found.details ->> 'role'
                and known.details ->> 'since' = moment.utc
        );
        get diagnostics v_count = row_count;
        rows := rows + v_count;
    end loop;
    return next;
end
$$;

comment on function private.step_detect_suspicious_activity(timestamptz) is
'Step: what detect_suspicious_activity() finds is recorded in security_events, once.';

create or replace function private.forget_until(relation regclass, deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_size integer := private.config_integer('maintenance_batch_size', 10000);
    v_count bigint;
begin
    rows := 0;
    loop
        v_count := private.forget_old_lines(relation, v_size);
        rows := rows + v_count;
        is_complete := v_count < v_size;
        exit when is_complete or clock_timestamp() >= deadline;
    end loop;
    return next;
end
$$;

comment on function private.forget_until(regclass, timestamptz) is
'Deletes lines past their retention, a batch at a time until the deadline.';

create or replace function private.step_expire_audit_log(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select gone.rows, gone.is_complete from private.forget_until('public.audit_log', deadline) as gone
$$;

comment on function private.step_expire_audit_log(timestamptz) is
'Step: lines of audit_log older than retention_days_audit_log go.';

create or replace function private.step_expire_security_events(deadline timestamptz)
returns table (rows bigint, is_complete boolean)
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select gone.rows, gone.is_complete from private.forget_until('public.security_events', deadline) as gone
$$;

comment on function private.step_expire_security_events(timestamptz) is
'Step: events older than retention_days_security_events go.';

-- Export -----------------------------------------------------------------------
create or replace function private.personal_tables()
returns table (title text, relation regclass, owner_column name, hidden_columns text[])
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- From the catalogue, so that a new table with an owner is in the export without anybody thinking of it. Who
    -- answered a message (admin_user_id) does not own it. What staff did to a user's rows (subject_id) is about the
    -- user, but who of them did it, and from where, is about somebody else. Secrets stay out, and words for the search
    -- are no data.
    select
        case class.relnamespace
            when 'public'::regnamespace then class.relname::text
            else class.relnamespace::regnamespace || '.' || class.relname
        end
        || case owner.attname when 'subject_id' then '_about_user' else '' end,
        rule.conrelid::regclass,
        owner.attname,
        array(
            select hidden.attname::text
            from pg_catalog.pg_attribute as hidden
            where hidden.attrelid = rule.conrelid
                and (
                    hidden.attname = 'api_key_encrypted'
                    or hidden.atttypid = 'tsvector'::regtype
                    or (
                        owner.attname = 'subject_id'
                        and hidden.attname in ('actor_id', 'request_id', 'ip_address', 'user_agent')
                    )
                )
        )
    from pg_catalog.pg_constraint as rule
    inner join pg_catalog.pg_class as class on rule.conrelid = class.oid
    inner join pg_catalog.pg_attribute as owner
        on rule.conrelid = owner.attrelid and rule.conkey[1] = owner.attnum
    where rule.contype = 'f'
        and rule.confrelid = 'auth.users'::regclass
        and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not class.relispartition
        and owner.attname in ('user_id', 'actor_id', 'subject_id')
    order by 1
$$;

comment on function private.personal_tables() is
'Every table that holds rows of a user: its title in an export, the column that says whose, and the columns left out.';

create or replace function private.account_data(user_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Kept by Supabase Auth. What of it is about the person, and no credentials.
    select to_jsonb(person)
    from (
        select
            account.id,
            account.email,
            account.phone,
            account.raw_user_meta_data as user_metadata,
            account.created_at,
            account.last_sign_in_at
        from auth.users as account
        where account.id = account_data.user_id
    ) as person
$$;

comment on function private.account_data(uuid) is 'What an account holds about its person; null for no account.';

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

    v_export := jsonb_build_object('account', private.account_data(export_user_data.user_id));
    for v_table in select personal.* from private.personal_tables() as personal loop
        execute format(
            'select coalesce(jsonb_agg(to_jsonb(item) - $2), ''[]'') as items from %s as item where item.%I = $1',
            v_table.relation, v_table.owner_column
        )
        into v_found
        using export_user_data.user_id, v_table.hidden_columns;
        v_export := v_export || jsonb_build_object(v_table.title, v_found.items);
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

revoke all on function private.export_my_data() from public;

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

-- Checks -----------------------------------------------------------------------
-- A check is a function without arguments in private, called health__<name>, integrity__<name> or security__<name>. It
-- returns what private.check_result() or private.check_list() makes, writes nothing, and does not wait for locks: the
-- one who holds them may be what is looked for. private.run_checks() finds it by its name, and docs/operations.md says
-- what to do about it.

create or replace function private.check_result(
    status text, value numeric, threshold numeric, detail text, hint text
)
returns jsonb
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'status', coalesce(status, 'ok'),
        'value', value,
        'threshold', threshold,
        'detail', detail,
        'hint', case when status <> 'ok' then hint end
    )
$$;

comment on function private.check_result(text, numeric, numeric, text, text) is
'The answer of a check. The hint, a command, is kept where something is to be done.';

create or replace function private.check_list(severity text, found text[], what text, hint text)
returns jsonb
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Names the first few: a document of a million lines helps nobody.
    select case
        when coalesce(cardinality(found), 0) = 0 then private.check_result('ok', 0, 0, 'None: ' || what || '.', null)
        else private.check_result(
            severity,
            cardinality(found),
            0,
            format(
                'Found %s: %s: %s%s', cardinality(found), what, array_to_string(found[:5], ', '),
                case when cardinality(found) > 5 then ', …' else '.' end
            ),
            hint
        )
    end
$$;

comment on function private.check_list(text, text[], text, text) is
'The answer of a check that looks for things there should be none of.';

create or replace function private.grade(value numeric, warning_from numeric, critical_from numeric)
returns text
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case when value >= critical_from then 'critical' when value >= warning_from then 'warning' else 'ok' end
$$;

comment on function private.grade(numeric, numeric, numeric) is
'ok, warning or critical, for a value of which more is worse. What is not known is ok.';

create or replace function private.sees_all_sessions()
returns boolean
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- To others the views show sessions without saying what they do, and that would look like all being well.
    if not pg_has_role('pg_read_all_stats', 'usage') then
        raise exception 'what other sessions do is shown to members of pg_monitor; as a superuser: grant pg_monitor to %',
            quote_ident(current_user)
            using errcode = 'insufficient_privilege';
    end if;
    return true;
end
$$;

comment on function private.sees_all_sessions() is
'True; an error where the statistics views hide from the current role what other sessions do.';

create or replace function private.run_checks(kind text)
returns jsonb
language plpgsql
stable
-- Definer: looks at every table, and at the sessions of others. Only the server may call it.
security definer
set search_path = pg_catalog, pg_temp
-- A table that somebody has locked is a finding and nothing to wait for.
set lock_timeout = '500ms'
as $$
declare
    v_name text;
    v_check jsonb;
    v_checks jsonb := '[]'::jsonb;
    v_worst text;
begin
    if kind is null or kind not in ('health', 'integrity', 'security') then
        raise exception 'no checks are called "%"', left(coalesce(kind, 'null'), 50)
            using errcode = 'invalid_parameter_value', hint = 'Pass health, integrity or security.';
    end if;

    for v_name in
        select substr(proc.proname, length(kind) + 3)
        from pg_catalog.pg_proc as proc
        where proc.pronamespace = 'private'::regnamespace
            and proc.pronargs = 0
            and starts_with(proc.proname, kind || '__')
    loop
        -- Each by itself: one that fails must not cost the others.
        begin
            execute format('select private.%I()', kind || '__' || v_name) into v_check;
        exception
            when insufficient_privilege then
                v_check := private.check_result('ok', null, null, 'Not available: ' || sqlerrm || '.', null);
            when others then
                v_check := private.check_result(
                    'warning', null, null, format('The check failed: %s (%s).', sqlerrm, sqlstate),
                    format('select private.%I();', kind || '__' || v_name)
                );
        end;
        v_checks := v_checks || (jsonb_build_object('name', v_name) || v_check);
    end loop;

    select
        coalesce(jsonb_agg(item.entry order by worst.place, item.entry ->> 'name'), '[]'),
        coalesce((array_agg(item.entry ->> 'status' order by worst.place))[1], 'ok')
    into v_checks, v_worst
    from jsonb_array_elements(v_checks) as item (entry)
    cross join lateral (
        select array_position(array['critical', 'warning', 'ok'], item.entry ->> 'status') as place
    ) as worst;
    return jsonb_build_object('status', v_worst, 'checked_at', clock_timestamp(), 'checks', v_checks);
end
$$;

revoke all on function private.run_checks(text) from public;

comment on function private.run_checks(text) is
'Worker of health_check, integrity_check and security_audit: runs every check of one kind, the worst first.';

create or replace function public.health_check()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.run_checks('health');

comment on function public.health_check() is
'Server: is the database well? {status, checked_at, checks: [{name, status, value, threshold, detail, hint}]}, the '
'worst first; a hint is a command. Reads statistics only: it costs milliseconds, whatever the tables hold.';

create or replace function public.integrity_check()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.run_checks('integrity');

comment on function public.integrity_check() is
'Server: does the data agree with itself? Result as of health_check(). Reads most tables whole, some seconds for each '
'million rows: call it at night and without a short statement_timeout.';

create or replace function public.security_audit()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
return private.run_checks('security');

comment on function public.security_audit() is
'Server: is every lock still in place? Result as of health_check(). Reads the catalogue, and the keys that are stored.';

-- Health -----------------------------------------------------------------------
create or replace function private.health__connections()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        private.grade(used.percent, most.percent, (most.percent + 100) / 2.0),
        used.percent,
        most.percent,
        format('%s of %s connections are in use, %s percent.',
            used.connections, private.connection_limit(), used.percent),
        'select * from public.get_connection_stats();'
    )
    from (
        select count(*) as connections, round(100.0 * count(*) / private.connection_limit(), 1) as percent
        from pg_catalog.pg_stat_activity as activity
        where activity.backend_type = 'client backend'
    ) as used
    cross join (select private.config_integer('health_connections_percent', 80) as percent) as most
    where private.sees_all_sessions()
$$;

comment on function private.health__connections() is 'Check: connections against the limit.';

create or replace function private.health__long_transactions()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        private.grade(longest.minutes, most.minutes, most.minutes * 4),
        longest.minutes,
        most.minutes,
        case when longest.minutes is null then 'No other transaction is open.'
            else format('%s has been open for %s minutes.', longest.what, longest.minutes) end,
        longest.command
    )
    from (select private.config_integer('health_transaction_minutes', 15) as minutes) as most
    left join lateral (
        select
            open.what,
            open.command,
            round((date_part('epoch', statement_timestamp() - open.since) / 60)::numeric, 1) as minutes
        from (
            select
                format('The transaction of process %s (%s, %s)', activity.pid, activity.usename, activity.state),
                format('select pg_terminate_backend(%s);', activity.pid),
                activity.xact_start
            from pg_catalog.pg_stat_activity as activity
            where activity.pid <> pg_backend_pid() and activity.backend_type = 'client backend'
            union all
            select
                format('The prepared transaction %L', waiting.gid),
                format('rollback prepared %L;', waiting.gid),
                waiting.prepared
            from pg_catalog.pg_prepared_xacts as waiting
        ) as open (what, command, since)
        where open.since is not null
        order by open.since
        limit 1
    ) as longest on true
    where private.sees_all_sessions()
$$;

comment on function private.health__long_transactions() is
'Check: transactions that have been open for long, prepared ones too: nothing that is newer can be cleaned up.';

create or replace function private.health__lock_waits()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        private.grade(longest.seconds, most.seconds, most.seconds * 10),
        longest.seconds,
        most.seconds,
        case when longest.seconds is null then 'Nobody waits for a lock.'
            else format(
                'Process %s has waited for %s seconds for %s; %s wait in all.',
                longest.pid, longest.seconds,
                coalesce('process ' || nullif(longest.blocker, 0), 'a prepared transaction'), longest.waiting
            ) end,
        -- A prepared transaction belongs to no process.
        case longest.blocker
            when 0 then 'select gid, prepared, owner from pg_prepared_xacts order by prepared;'
            else format('select pg_terminate_backend(%s);', longest.blocker)
        end
    )
    from (select private.config_integer('health_lock_wait_seconds', 30) as seconds) as most
    left join lateral (
        select
            held.pid,
            (pg_blocking_pids(held.pid))[1] as blocker,
            count(*) over () as waiting,
            round(date_part('epoch', statement_timestamp() - held.waitstart)::numeric, 1) as seconds
        from pg_catalog.pg_locks as held
        where not held.granted
        order by held.waitstart
        limit 1
    ) as longest on true
$$;

comment on function private.health__lock_waits() is 'Check: statements that wait for a lock, and who holds it.';

create or replace function private.health__dead_rows()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        private.grade(worst.percent, most.percent, null),
        worst.percent,
        most.percent,
        case when worst.percent is null then 'No table has many dead rows.'
            else format('Of %s, %s percent are dead rows: %s.', worst.relation, worst.percent, worst.dead_rows) end,
        format('vacuum (analyze) %s;', worst.relation)
    )
    from (select private.config_integer('health_dead_rows_percent', 20) as percent) as most
    left join lateral (
        select
            stat.relid::regclass as relation,
            stat.n_dead_tup as dead_rows,
            round(100.0 * stat.n_dead_tup / (stat.n_live_tup + stat.n_dead_tup), 1) as percent
        from pg_catalog.pg_stat_all_tables as stat
        -- A handful of rows is not worth a vacuum, whatever their share.
        where stat.n_dead_tup >= 1000
            and stat.schemaname in ('public', 'private', 'archive', 'auth')
        order by 3 desc
        limit 1
    ) as worst on true
$$;

comment on function private.health__dead_rows() is 'Check: rows that are dead and not vacuumed away.';

create or replace function private.health__bloat()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Octets per row now, against the fewest of the daily snapshots. Estimates from column widths would be wrong here:
    -- what people wrote has no statistics (see 06).
    select private.check_result(
        private.grade(worst.percent, most.percent, null),
        worst.percent,
        most.percent,
        case when worst.percent is null then 'No table takes more for each row than it once did.'
            else format('Of %s, %s percent are empty space: it once took less for each row.',
                worst.relation_name, worst.percent) end,
        format('vacuum (full, analyze) %s;', worst.relation_name)
    )
    from (select private.config_integer('health_bloat_percent', 50) as percent) as most
    left join lateral (
        select
            sizes.relation_name,
            round(100 * (1 - least_ever.octets_per_row * sizes.row_estimate / sizes.heap_bytes), 1) as percent
        from (
            select
                min(coalesce(pg_partition_root(class.oid)::oid, class.oid)::regclass::text) as relation_name,
                sum(class.reltuples)::numeric as row_estimate,
                sum(class.relpages) * current_setting('block_size')::numeric as heap_bytes
            from pg_catalog.pg_class as class
            where class.relkind in ('r', 'm')
                and class.reltuples >= 0
                and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            group by coalesce(pg_partition_root(class.oid)::oid, class.oid)
        ) as sizes
        inner join (
            select earlier.relation_name, min(earlier.heap_bytes::numeric / earlier.row_estimate) as octets_per_row
            from private.size_snapshots as earlier
            where earlier.row_estimate >= 1000
            group by earlier.relation_name
        ) as least_ever on sizes.relation_name = least_ever.relation_name
        -- From 8 MB on: less is not worth locking a table for.
        where sizes.heap_bytes >= 8388608
        order by 2 desc
        limit 1
    ) as worst on worst.percent > 0
$$;

comment on function private.health__bloat() is
'Check: tables whose rows take much more space than they did on the best day of the snapshots.';

create or replace function private.health__wraparound()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- 2^31 transactions apart, older looks like newer; the server stops writing shortly before.
    select private.check_result(
        private.grade(oldest.percent, most.percent, (most.percent + 100) / 2.0),
        oldest.percent,
        most.percent,
        format('%s has used up %s percent of the transaction ids.', oldest.relation, oldest.percent),
        format('vacuum (freeze, verbose) %s;', oldest.relation)
    )
    from (select private.config_integer('health_wraparound_percent', 50) as percent) as most
    cross join lateral (
        select
            class.oid::regclass as relation,
            round(100 * used.ids::numeric / 2147483648, 1) as percent
        from pg_catalog.pg_class as class
        cross join lateral (
            select greatest(
                age(class.relfrozenxid),
                case when class.relminmxid::text::bigint > 0 then mxid_age(class.relminmxid) else 0 end
            ) as ids
        ) as used
        where class.relkind in ('r', 'm', 't')
        order by used.ids desc
        limit 1
    ) as oldest
$$;

comment on function private.health__wraparound() is 'Check: age of the oldest transaction id and multixact in use.';

create or replace function private.health__cache_hits()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        case when hits.percent < least_share.percent then 'warning' else 'ok' end,
        hits.percent,
        least_share.percent,
        case when hits.percent is null then 'Too few blocks were read to tell.'
            else format('%s percent of %s block reads were served from memory.', hits.percent, hits.reads) end,
        'select * from public.get_slow_queries();'
    )
    from (select private.config_number('health_cache_hit_percent', 95) as percent) as least_share
    left join lateral (
        select
            stat.blks_hit + stat.blks_read as reads,
            round(100.0 * stat.blks_hit / (stat.blks_hit + stat.blks_read), 1) as percent
        from pg_catalog.pg_stat_database as stat
        -- A server that has just been started has read nothing twice.
        where stat.datname = current_database() and stat.blks_hit + stat.blks_read >= 10000
    ) as hits on true
$$;

comment on function private.health__cache_hits() is 'Check: share of block reads that were served from memory.';

create or replace function private.health__replication_lag()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        private.grade(slowest.seconds, most.seconds, most.seconds * 10),
        slowest.seconds,
        most.seconds,
        case when slowest.seconds is null then 'No standby is attached.'
            else format('%s is %s seconds behind.', slowest.who, slowest.seconds) end,
        slowest.command
    )
    from (select private.config_integer('health_replication_lag_seconds', 60) as seconds) as most
    left join lateral (
        select
            behind.who,
            behind.command,
            round(date_part('epoch', coalesce(behind.lag, '0'))::numeric, 1) as seconds
        from (
            select
                format('The standby %s', coalesce(nullif(standby.application_name, ''), standby.client_addr::text)),
                'select * from pg_stat_replication;',
                standby.replay_lag
            from pg_catalog.pg_stat_replication as standby
            union all
            -- Asked on the standby itself: what it has received and not replayed, and how old that is.
            select
                'This standby',
                'select pg_is_wal_replay_paused(), * from pg_stat_wal_receiver;',
                case
                    when pg_last_wal_receive_lsn() is distinct from pg_last_wal_replay_lsn()
                        then statement_timestamp() - pg_last_xact_replay_timestamp()
                end
            where pg_is_in_recovery()
        ) as behind (who, command, lag)
        order by 3 desc
        limit 1
    ) as slowest on true
    where private.sees_all_sessions()
$$;

comment on function private.health__replication_lag() is 'Check: how far standbys are behind, where there are any.';

create or replace function private.health__replication_slots()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        case when worst.wal_status in ('unreserved', 'lost') then 'critical'
            else private.grade(worst.megabytes, most.megabytes, most.megabytes * 10) end,
        worst.megabytes,
        most.megabytes,
        case when worst.slot_name is null then 'There are no replication slots.'
            else format(
                'Slot %s (%s) keeps %s MB of WAL.', worst.slot_name,
                case when worst.active then 'in use' else 'not in use' end, coalesce(worst.megabytes, 0)
            ) end,
        format('select pg_drop_replication_slot(%L);', worst.slot_name)
    )
    from (select private.config_integer('health_slot_wal_mb', 1024) as megabytes) as most
    left join lateral (
        select
            slot.slot_name,
            slot.active,
            slot.wal_status,
            round(
                pg_wal_lsn_diff(
                    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
                    slot.restart_lsn
                ) / 1048576, 1
            ) as megabytes
        from pg_catalog.pg_replication_slots as slot
        order by slot.wal_status in ('unreserved', 'lost') desc nulls last, 4 desc nulls last
        limit 1
    ) as worst on true
$$;

comment on function private.health__replication_slots() is
'Check: WAL that a replication slot keeps on disk for somebody who may never come back.';

create or replace function private.health__invalid_indexes()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(known.index_name order by known.index_name),
        'indexes that could not be built',
        format('reindex index concurrently %s;', min(known.index_name))
    )
    from private.our_indexes() as known
    where not known.is_valid
$$;

comment on function private.health__invalid_indexes() is
'Check: indexes whose building failed. They cost every write and serve no query; a unique one is no rule yet.';

create or replace function private.health__unused_indexes()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(unused.index_name order by unused.index_name),
        format('indexes of %s MB or more that nothing has read for %s days',
            private.config_integer('health_unused_index_mb', 10),
            private.config_integer('health_unused_index_days', 30)),
        format('drop index concurrently %s;', min(unused.index_name))
    )
    from private.unused_indexes() as unused
$$;

comment on function private.health__unused_indexes() is 'Check: indexes that only cost.';

create or replace function private.health__duplicate_indexes()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(
            repeated.index_name || ' (as ' || repeated.repeats || ')' order by repeated.index_name, repeated.repeats
        ),
        'indexes that repeat another',
        format('drop index concurrently %s;', min(repeated.index_name))
    )
    from private.duplicate_indexes() as repeated
$$;

comment on function private.health__duplicate_indexes() is 'Check: indexes that serve nothing which another does not.';

create or replace function private.health__scheduled_jobs()
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_failed text[];
    v_first bigint;
begin
    if to_regclass('cron.job_run_details') is null then
        return private.check_result('ok', null, 0, 'pg_cron is not installed.', null);
    end if;
    -- By the latest run of each job: one that has worked since is well.
    select array_agg(format('%s (%s)', latest.job_name, latest.message) order by latest.jobid), min(latest.jobid)
    into v_failed, v_first
    from (
        select distinct on (job.jobid)
            job.jobid,
            coalesce(job.jobname, left(job.command, 50)) as job_name,
            run.status,
            left(coalesce(run.return_message, 'no message'), 200) as message
        from cron.job as job
        inner join cron.job_run_details as run on job.jobid = run.jobid
        where run.start_time > statement_timestamp() - interval '8 days'
        order by job.jobid, run.start_time desc
    ) as latest
    where latest.status = 'failed';

    return private.check_list(
        'warning', v_failed, 'scheduled jobs whose last run failed',
        format('select * from cron.job_run_details where jobid = %s order by start_time desc limit 5;', v_first)
    );
end
$$;

comment on function private.health__scheduled_jobs() is 'Check: jobs of pg_cron that failed, where there is pg_cron.';

create or replace function private.health__last_maintenance()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- One that was never run is as old as the installation.
    select private.check_result(
        case when latest.status in ('failed', 'interrupted') and late.grade = 'ok' then 'warning' else late.grade end,
        done.hours,
        most.hours,
        case when latest.status is null
            then format('Nothing has run in the %s hours since the installation.', done.hours)
            else format('The latest run: %s. The last that did all it should: %s hours ago.',
                latest.status, done.hours) end,
        case when latest.status in ('failed', 'interrupted')
            then 'select steps from private.maintenance_runs order by started_at desc limit 1;'
            else 'select public.daily_maintenance();' end
    )
    from (select private.config_integer('health_maintenance_hours', 26) as hours) as most
    cross join (
        select round((date_part('epoch', statement_timestamp() - greatest(
            (select max(run.finished_at) from private.maintenance_runs as run where run.status = 'ok'),
            (select min(config.created_at) from public.system_config as config)
        )) / 3600)::numeric, 1) as hours
    ) as done
    cross join lateral (select private.grade(done.hours, most.hours, most.hours * 4) as grade) as late
    left join lateral (
        select run.status
        from private.maintenance_runs as run
        order by run.started_at desc
        limit 1
    ) as latest on true
$$;

comment on function private.health__last_maintenance() is
'Check: the daily job has come to its end lately, and its latest run has not failed.';

create or replace function private.health__growth()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- From the snapshots alone: asking for sizes would wait for whoever has a table locked.
    select private.check_result(
        case when grown.megabytes >= private.config_integer('health_growth_mb', 1024)
            then private.grade(grown.percent, most.percent, null) else 'ok' end,
        grown.percent,
        most.percent,
        case when grown.since is null then 'There are no snapshots of two days yet.'
            else format('%s percent (%s MB) more than on %s.', grown.percent, round(grown.megabytes), grown.since) end,
        'select * from public.get_storage_growth(7);'
    )
    from (select private.config_integer('health_growth_percent', 50) as percent) as most
    left join lateral (
        select
            earlier.taken_on as since,
            (latest.total_bytes - earlier.total_bytes) / 1048576 as megabytes,
            round(100 * (latest.total_bytes - earlier.total_bytes) / nullif(earlier.total_bytes, 0), 1) as percent
        from (
            select known.taken_on, sum(known.total_bytes)::numeric as total_bytes
            from private.size_snapshots as known
            group by known.taken_on
            order by known.taken_on desc
            limit 1
        ) as latest
        inner join lateral (
            select known.taken_on, sum(known.total_bytes)::numeric as total_bytes
            from private.size_snapshots as known
            where known.taken_on between latest.taken_on - 7 and latest.taken_on - 1
            group by known.taken_on
            order by known.taken_on
            limit 1
        ) as earlier on true
    ) as grown on true
$$;

comment on function private.health__growth() is 'Check: growth of all tables in a week, by the daily snapshots.';

create or replace function private.health__usage_months()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_result(
        case when stray.exist or ahead.months < 1 then 'warning' else 'ok' end,
        ahead.months,
        1,
        format('Partitions of api_usage_logs are made for %s months ahead; %s.', ahead.months,
            case when stray.exist then 'rows wait in the default partition' else 'the default partition is empty' end),
        'select private.ensure_api_usage_months((now() at time zone ''utc'')::date, 3);'
    )
    from (select exists (select from private.api_usage_logs_default) as exist) as stray
    cross join (
        select count(*) as months
        from pg_catalog.generate_series(1, 24) as month
        where to_regclass('private.api_usage_logs_' || to_char(
            date_trunc('month', statement_timestamp() at time zone 'utc') + make_interval(months => month), 'YYYY_MM'
        )) is not null
    ) as ahead
$$;

comment on function private.health__usage_months() is
'Check: the partition of next month is there, and no row of api_usage_logs lies outside every month.';

-- Integrity --------------------------------------------------------------------
create or replace function private.integrity__catalogue_lists()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- What a CHECK lists and what the catalogue offers are changed apart: by a migration the one, by staff the other.
    with rule (relation, name, catalogue) as (
        values
            ('public.api_configurations'::regclass, 'api_configurations_provider_is_known', 'api_providers'),
            ('public.user_preferences'::regclass, 'user_preferences_model_is_known', 'api_providers'),
            ('public.user_preferences'::regclass, 'user_preferences_framework_is_known', 'prompt_frameworks')
    ),

    listed as (
        select rule.catalogue, rule.name as place, word.parts[1] as entry, false as is_setting
        from rule
        left join pg_catalog.pg_constraint as stated
            on rule.relation = stated.conrelid and rule.name = stated.conname
        cross join lateral regexp_matches(
            coalesce(pg_get_constraintdef(stated.oid), ''), '''([^'']+)''', 'g'
        ) as word (parts)
        union all
        select setting.catalogue, config.key, allowed.entry, true
        from (values ('default_provider', 'api_providers'), ('default_framework', 'prompt_frameworks'))
            as setting (key, catalogue)
        inner join public.system_config as config on setting.key = config.key
        cross join lateral jsonb_array_elements_text(config.allowed_values) as allowed (entry)
    ),

    offered as (
        select 'api_providers' as catalogue, provider.name::text as entry
        from public.api_providers as provider
        union all
        select 'prompt_frameworks', framework.name
        from public.prompt_frameworks as framework
    ),

    difference as (
        select format('%s (%s allows it, %s lacks it)', listed.entry, listed.place, listed.catalogue) as entry,
            case when listed.is_setting
                then format(
                    'update public.system_config set allowed_values = allowed_values - %L where key = %L;',
                    listed.entry, listed.place
                )
                else 'psql -v ON_ERROR_STOP=1 -f supabase/schema/08_initial_data.sql'
            end as command
        from listed
        where not exists (
            select from offered where (offered.catalogue, offered.entry) = (listed.catalogue, listed.entry)
        )
        union all
        select format('%s (in %s, not allowed by %s)', offered.entry, offered.catalogue, rule.name),
            'select conname, pg_get_constraintdef(oid) from pg_constraint where conname ~ ''_is_known$'';'
        from offered
        inner join rule on offered.catalogue = rule.catalogue
        where not exists (select from listed where (listed.place, listed.entry) = (rule.name, offered.entry))
    )

    select private.check_list(
        'warning', array_agg(difference.entry order by difference.entry), 'lists and catalogues that differ',
        -- First what the seed adds again, for that is most: a row that was deleted is missing in every list.
        min(difference.command)
    )
    from difference
$$;

comment on function private.integrity__catalogue_lists() is
'Check: the names that CHECK rules and settings list are those of the catalogues.';

create or replace function private.integrity__orphans()
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rule record;
    v_rows bigint;
    v_found text[];
begin
    -- Foreign keys do not hold while triggers are off: a restore, replication, a superuser in a hurry.
    for v_rule in
        select
            stated.conrelid::regclass as child,
            stated.confrelid::regclass as parent,
            stated.conname as name,
            string_agg(
                format('parent.%I = child.%I', target.attname, source.attname), ' and ' order by part.position
            ) as pairs,
            string_agg(format('child.%I is not null', source.attname), ' and ' order by part.position) as filled
        from pg_catalog.pg_constraint as stated
        cross join lateral unnest(stated.conkey, stated.confkey) with ordinality as part (child, parent, position)
        inner join pg_catalog.pg_attribute as source
            on stated.conrelid = source.attrelid and part.child = source.attnum
        inner join pg_catalog.pg_attribute as target
            on stated.confrelid = target.attrelid and part.parent = target.attnum
        where stated.contype = 'f'
            and stated.conparentid = 0
            and stated.connamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        group by stated.oid
        order by stated.conrelid::regclass::text, stated.conname
    loop
        execute format(
            'select count(*) from (select from %s as child where %s '
            'and not exists (select from %s as parent where %s) limit 1000) as lost',
            v_rule.child, v_rule.filled, v_rule.parent, v_rule.pairs
        ) into v_rows;
        if v_rows > 0 then
            v_found := v_found || format('%s in %s (%s)', v_rows, v_rule.child, v_rule.name);
        end if;
    end loop;
    return private.check_list(
        'critical', v_found, 'rows that point to rows that are gone', 'select public.daily_maintenance();'
    );
end
$$;

comment on function private.integrity__orphans() is
'Check: every foreign key holds, whatever has happened to its triggers.';

create or replace function private.integrity__unvalidated_rules()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(format('%s on %s', stated.conname, stated.conrelid::regclass) order by stated.conname),
        'rules that the rows from before them need not meet',
        min(format('alter table %s validate constraint %I;', stated.conrelid::regclass, stated.conname))
    )
    from pg_catalog.pg_constraint as stated
    where not stated.convalidated
        and stated.connamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
$$;

comment on function private.integrity__unvalidated_rules() is 'Check: every constraint holds for every row.';

create or replace function private.integrity__settings()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(config.key::text order by config.key),
        'settings that break their own rules',
        format(
            'select value, value_type, min_value, max_value, allowed_values from public.system_config where key = %L;',
            min(config.key)
        )
    )
    from public.system_config as config
    where jsonb_typeof(config.value) <> case config.value_type
            when 'integer' then 'number' when 'text' then 'string' else config.value_type
        end
        or case when jsonb_typeof(config.value) = 'number' then
            config.value::numeric < config.min_value
            or config.value::numeric > config.max_value
            or (config.value_type = 'integer' and config.value::numeric <> trunc(config.value::numeric))
        end
        or case when jsonb_typeof(config.allowed_values) = 'array' then
            config.value not in (select item.value from jsonb_array_elements(config.allowed_values) as item)
        end
$$;

comment on function private.integrity__settings() is 'Check: each setting has its type, its range, its allowed values.';

create or replace function private.integrity__unknown_frameworks()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with used as (
        select history.framework_id as name, 'prompt_history' as place, count(*) as rows
        from public.prompt_history as history
        group by history.framework_id
        union all
        select template.framework_id, 'prompt_templates', count(*)
        from public.prompt_templates as template
        group by template.framework_id
    )

    select private.check_list(
        'warning',
        array_agg(format('%s (%s in %s)', used.name, used.rows, used.place) order by used.rows desc, used.name),
        'frameworks that prompt_frameworks does not know',
        'select name from public.prompt_frameworks order by name;'
    )
    from used
    where not exists (select from public.prompt_frameworks as known where known.name = used.name)
$$;

comment on function private.integrity__unknown_frameworks() is
'Check: what prompts and templates name as their framework is in the catalogue.';

create or replace function private.integrity__unknown_models()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Of the last month: models retire, and what was asked of them stays.
    with used as (
        select history.provider, history.model, 'prompt_history' as place, count(*) as rows
        from public.prompt_history as history
        where history.created_at >= statement_timestamp() - interval '30 days'
        group by history.provider, history.model
        union all
        select log.provider, null, 'api_usage_logs', count(*)
        from public.api_usage_logs as log
        where log.created_at >= statement_timestamp() - interval '30 days'
        group by log.provider
    )

    select private.check_list(
        'warning',
        array_agg(
            format('%s (%s in %s)', concat_ws(': ', used.provider, used.model), used.rows, used.place)
            order by used.rows desc, used.provider, used.model
        ),
        'providers or models that api_providers does not know',
        'select name, supported_models from public.api_providers;'
    )
    from used
    where not exists (
        select from public.api_providers as known
        where known.name = used.provider
            and (
                used.model is null
                or known.supported_models is null
                or known.supported_models @> jsonb_build_array(jsonb_build_object('id', used.model))
            )
    )
$$;

comment on function private.integrity__unknown_models() is
'Check: providers and models that were called in the last 30 days are in the catalogue.';

create or replace function private.integrity__missing_profiles()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Sign-up never fails for a profile that cannot be made, and users may delete their own.
    with lacking as (
        select account.id, held.place
        from auth.users as account
        cross join (values ('user_profiles'), ('user_preferences')) as held (place)
        where account.deleted_at is null
            and case held.place
                when 'user_profiles' then not exists (
                    select from public.user_profiles as profile where profile.user_id = account.id
                )
                else not exists (
                    select from public.user_preferences as preference where preference.user_id = account.id
                )
            end
        limit 1000
    )

    select private.check_list(
        'warning',
        array_agg(format('%s (%s)', lacking.id, lacking.place) order by lacking.id, lacking.place),
        'accounts without a profile or preferences',
        case max(lacking.place)
            when 'user_profiles' then 'insert into public.user_profiles (user_id) '
                'select id from auth.users where deleted_at is null on conflict (user_id) do nothing;'
            else 'insert into public.user_preferences (user_id, selected_model) '
                'select id, ''openai'' from auth.users where deleted_at is null on conflict (user_id) do nothing;'
        end
    )
    from lacking
$$;

comment on function private.integrity__missing_profiles() is 'Check: every account has a profile and preferences.';

create or replace function private.integrity__category_cycles()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with recursive walk as (
        select category.id as start, category.name, category.parent_id as id
        from public.feedback_categories as category
        where category.parent_id is not null
        union
        select walk.start, walk.name, category.parent_id
        from walk
        inner join public.feedback_categories as category on walk.id = category.id
        where category.parent_id is not null
    )

    select private.check_list(
        'critical',
        array_agg(walk.name::text order by walk.name),
        'categories that are their own ancestors',
        format('update public.feedback_categories set parent_id = null where name = %L;', min(walk.name))
    )
    from walk
    where walk.id = walk.start
$$;

comment on function private.integrity__category_cycles() is 'Check: the categories of feedback are a tree.';

create or replace function private.integrity__key_envelopes()
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known text[];
    v_found text[];
    v_lost text;
begin
    begin
        select array_agg(known.key_id) into v_known from private.encryption_keys() as known;
    exception when object_not_in_prerequisite_state then
        v_known := '{}';  -- no encryption key: then nothing that was sealed here opens
    end;

    -- What an envelope looks like from outside: which key it needs, and where encrypted data with integrity begins.
    select
        array_agg(format('%s (%s)', damaged.id, damaged.reason) order by damaged.reason, damaged.id),
        min(damaged.id::text) filter (where damaged.is_lost)
    into v_found, v_lost
    from (
        select judged.id, judged.reason, judged.reason in ('damaged', 'not an envelope') as is_lost
        from (
            select
                stored.id,
                case
                    when not private.is_key_envelope(stored.api_key_encrypted) then 'not an envelope'
                    when stored.api_key_encrypted not like 'enc:v1:%' then null
                    when split_part(stored.api_key_encrypted, ':', 3) <> all (v_known)
                        then 'sealed with a key that is not configured'
                    when get_byte(decode(split_part(stored.api_key_encrypted, ':', 4), 'base64'), 14) <> 210
                        then 'damaged'
                end as reason
            from public.api_configurations as stored
        ) as judged
        where judged.reason is not null
        limit 1000
    ) as damaged;

    return private.check_list(
        'critical', v_found, 'stored API keys that cannot be opened',
        coalesce(
            -- What is damaged stays so. Its owner stores the key again.
            format('delete from public.api_configurations where id = %L;', v_lost),
            'forge-db secret app_encryption_key_previous < the-old-key && forge-db rotate-keys'
        )
    );
end
$$;

comment on function private.integrity__key_envelopes() is
'Check: every stored API key is an envelope that parses, sealed with an encryption key that is configured.';

create or replace function private.integrity__prompt_search()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Presence, owner and time of each row, which is what an index of either table holds: no row is read. Not the
    -- words: the language they were stemmed in may have changed since.
    with drifted as (
        select history.id
        from public.prompt_history as history
        where not exists (
            select from private.prompt_search as search
            where search.user_id = history.user_id
                and search.created_at = history.created_at
                and search.history_id = history.id
        )
        limit 1000
    )

    select private.check_list(
        'warning',
        array_agg(drifted.id::text order by drifted.id),
        'prompts that the search does not know, or under another owner or time',
        format(
            'delete from private.prompt_search where history_id = %1$L; '
            'update public.prompt_history set user_input = user_input where id = %1$L;', min(drifted.id::text)
        )
    )
    from drifted
$$;

comment on function private.integrity__prompt_search() is 'Check: the words for the search are beside every prompt.';

create or replace function private.integrity__rate_limits()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(coalesce(wanted.provider, known.provider)::text order by coalesce(wanted.provider, known.provider)),
        'providers whose worked-out limits are not those of api_providers and system_config',
        'select private.refresh_rate_limits();'
    )
    from private.effective_rate_limits() as wanted
    full join private.rate_limits as known on wanted.provider = known.provider
    where (wanted.per_minute, wanted.per_day) is distinct from (known.per_minute, known.per_day)
$$;

comment on function private.integrity__rate_limits() is
'Check: the limits that are enforced follow from the providers and the settings.';

create or replace function private.integrity__usage_counters()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- A counter may be ahead of the logs, which are archived and came later than some keys. It is never behind.
    with behind as (
        select stored.id
        from public.api_configurations as stored
        inner join (
            select log.user_id, log.provider, configuration.created_at, count(*) as calls
            from public.api_usage_logs as log
            inner join public.api_configurations as configuration
                on log.user_id = configuration.user_id
                and log.provider = configuration.provider
                and log.created_at >= configuration.created_at
            group by log.user_id, log.provider, configuration.created_at
        ) as logged on stored.user_id = logged.user_id and stored.provider = logged.provider
        where stored.usage_count < logged.calls
        limit 1000
    )

    select private.check_list(
        'warning',
        array_agg(behind.id::text order by behind.id),
        'keys that count fewer calls than are logged',
        format(
            'update public.api_configurations as stored set usage_count = (select count(*) '
            'from public.api_usage_logs as log where log.user_id = stored.user_id and log.provider = stored.provider '
            'and log.created_at >= stored.created_at) where id = %L;', min(behind.id::text)
        )
    )
    from behind
$$;

comment on function private.integrity__usage_counters() is 'Check: no key counts fewer calls than its log holds.';

create or replace function private.integrity__rollups()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Only days that are neither to be counted again nor so old that their rows may be gone.
    with due as (
        select
            known.source,
            greatest(
                known.frozen_before,
                known.rolled_up_to - private.config_integer('retention_days_rollups', 1095)
            ) as first_day,
            known.rolled_up_to - private.config_integer('rollup_recompute_days', 2) as last_day
        from private.rollups as known
    ),

    -- Added up by day before the figures are set apart: of a million rows some hundred are left.
    logged as (
        select
            (log.created_at at time zone 'utc')::date as day,
            count(*) as requests,
            count(*) filter (where log.status_code >= 400 or log.error_message is not null) as errors
        from public.api_usage_logs as log
        group by 1
    ),

    prompted as (
        select
            (history.created_at at time zone 'utc')::date as day,
            count(*) as prompts,
            count(*) filter (where history.status = 'completed') as completed,
            sum(history.tokens_used) as tokens
        from public.prompt_history as history
        group by 1
    ),

    figure (source, day, name, number) as (
        select 'usage', total.day, measure.name, measure.number
        from private.usage_daily as total
        cross join lateral (values ('requests', total.requests), ('errors', total.errors)) as measure (name, number)
        union all
        select 'usage', logged.day, measure.name, -measure.number
        from logged
        cross join lateral (values ('requests', logged.requests), ('errors', logged.errors)) as measure (name, number)
        union all
        select 'prompts', total.day, measure.name, measure.number
        from private.prompts_daily as total
        cross join lateral (
            values ('prompts', total.prompts), ('completed', total.completed), ('tokens', total.tokens_used)
        ) as measure (name, number)
        where total.dimension = 'total'
        union all
        select 'prompts', expired.day, measure.name, -measure.number
        from private.expired_prompts_daily as expired
        cross join lateral (
            values ('prompts', expired.prompts), ('completed', expired.completed), ('tokens', expired.tokens_used)
        ) as measure (name, number)
        where expired.dimension = 'total'
        union all
        select 'prompts', prompted.day, measure.name, -measure.number
        from prompted
        cross join lateral (
            values ('prompts', prompted.prompts), ('completed', prompted.completed), ('tokens', prompted.tokens)
        ) as measure (name, number)
        union all
        select 'activity', total.day, 'sign-ins', total.sign_ins
        from private.activity_daily as total
        union all
        select 'activity', (session.signed_in_at at time zone 'utc')::date, 'sign-ins', -count(*)
        from public.user_sessions as session
        group by 2
        union all
        select 'feedback', total.date, 'messages', total.total_feedback
        from public.feedback_analytics as total
        union all
        select 'feedback', (item.created_at at time zone 'utc')::date, 'messages', -count(*)
        from public.feedback as item
        group by 2
    ),

    difference as (
        select figure.source, figure.day, figure.name, sum(figure.number) as number
        from figure
        inner join due on figure.source = due.source
        where figure.day >= coalesce(due.first_day, '-infinity')
            and figure.day <= due.last_day
            and not exists (
                select from private.changed_days as changed
                where changed.source = figure.source and changed.day = figure.day
            )
        group by figure.source, figure.day, figure.name
        having sum(figure.number) <> 0
        limit 1000
    )

    select private.check_list(
        'warning',
        array_agg(
            format('%s of %s (%s%s)', difference.name, difference.day, case when difference.number > 0 then '+' end,
                difference.number)
            order by difference.day desc, difference.source, difference.name
        ),
        'daily figures that are not what the raw rows add up to',
        format(
            'insert into private.changed_days (source, day) values %s; select public.daily_maintenance();',
            string_agg(distinct format('(%L, %L)', difference.source, difference.day), ', ')
        )
    )
    from difference
$$;

comment on function private.integrity__rollups() is 'Check: the daily figures are what the raw rows add up to.';

-- Security ---------------------------------------------------------------------
create or replace function private.security__row_security()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'critical',
        array_agg(class.oid::regclass::text order by class.oid::regclass::text),
        'tables without row level security',
        min(format('alter table %s enable row level security;', class.oid::regclass))
    )
    from pg_catalog.pg_class as class
    where class.relkind in ('r', 'p')
        and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not class.relrowsecurity
$$;

comment on function private.security__row_security() is 'Check: row level security is on everywhere, partitions too.';

create or replace function private.security__tables_without_policies()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(class.oid::regclass::text order by class.oid::regclass::text),
        'tables without a policy',
        'psql -v ON_ERROR_STOP=1 -f supabase/schema/07_security_and_rls.sql'
    )
    from pg_catalog.pg_class as class
    where class.relkind in ('r', 'p')
        and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not exists (select from pg_catalog.pg_policy as policy where policy.polrelid = class.oid)
$$;

comment on function private.security__tables_without_policies() is
'Check: every table has a policy. Without one a table is closed, and one statement away from being open.';

create or replace function private.security__open_policies()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'critical',
        array_agg(
            format('%I on %s', policy.polname, policy.polrelid::regclass) order by policy.polrelid, policy.polname
        ),
        'policies that hold for everybody or for every row',
        min(format('drop policy %I on %s;', policy.polname, policy.polrelid::regclass))
    )
    from pg_catalog.pg_policy as policy
    inner join pg_catalog.pg_class as class on policy.polrelid = class.oid
    where class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and policy.polpermissive
        and (
            0 = any (policy.polroles)
            or pg_get_expr(policy.polqual, policy.polrelid) = 'true'
            or pg_get_expr(policy.polwithcheck, policy.polrelid) = 'true'
            -- Neither a column nor a function decides, so each row is like the other: 1 = 1, or it is shut.
            or (
                'false' <> any (array_remove(array[
                    pg_get_expr(policy.polqual, policy.polrelid), pg_get_expr(policy.polwithcheck, policy.polrelid)
                ], null))
                and not exists (
                    select from pg_catalog.pg_depend as bond
                    where bond.classid = 'pg_catalog.pg_policy'::regclass
                        and bond.objid = policy.oid
                        and (bond.refclassid = 'pg_catalog.pg_proc'::regclass or bond.refobjsubid > 0)
                )
            )
        )
$$;

comment on function private.security__open_policies() is
'Check: no policy is always true, and each names its roles.';

create or replace function private.security__definer_functions()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- A worker in private is granted together with the wrapper that is bound to it: nobody can call it by its name.
    select private.check_list(
        'critical',
        array_agg(format('%s by %s', exposed.proc, exposed.caller) order by exposed.proc, exposed.caller),
        'functions with their owner''s rights that may be called',
        min(format('revoke execute on routine %s from %s;', exposed.proc, exposed.caller))
    )
    from (
        select proc.oid::regprocedure::text as proc, coalesce(role.rolname, 'public') as caller
        from pg_catalog.pg_proc as proc
        cross join lateral aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) as given
        left join pg_catalog.pg_roles as role on given.grantee = role.oid
        where proc.prosecdef
            and proc.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            and (given.grantee = 0 or role.rolname in ('anon', 'authenticated', 'app_admin', 'service_role'))
            and (
                given.grantee = 0
                or proc.pronamespace = 'public'::regnamespace
                or not exists (
                    select from pg_catalog.pg_depend as bond
                    inner join pg_catalog.pg_proc as wrapper on bond.objid = wrapper.oid
                    where bond.classid = 'pg_catalog.pg_proc'::regclass
                        and bond.refclassid = 'pg_catalog.pg_proc'::regclass
                        and bond.refobjid = proc.oid
                        and not wrapper.prosecdef
                        and has_function_privilege(given.grantee, wrapper.oid, 'execute')
                    union all
                    -- Called by a policy.
                    select from pg_catalog.pg_depend as bond
                    where bond.classid = 'pg_catalog.pg_policy'::regclass
                        and bond.refclassid = 'pg_catalog.pg_proc'::regclass
                        and bond.refobjid = proc.oid
                )
            )
    ) as exposed
$$;

comment on function private.security__definer_functions() is
'Check: SECURITY DEFINER functions are out of reach, but for the workers behind a wrapper.';

create or replace function private.security__search_path()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        case when bool_or(proc.prosecdef) then 'critical' else 'warning' end,
        array_agg(proc.oid::regprocedure::text order by proc.prosecdef desc, proc.oid::regprocedure::text),
        'functions that look names up where their caller says',
        min(format('alter routine %s set search_path = pg_catalog, pg_temp;', proc.oid::regprocedure))
    )
    from pg_catalog.pg_proc as proc
    where proc.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not coalesce(proc.proconfig @> array['search_path=pg_catalog, pg_temp'], false)
        -- What names mean in a body that was bound when the function was made, no search_path changes.
        and (proc.prosqlbody is null or proc.prosecdef)
        -- An aggregate has no body: its functions have.
        and proc.prokind <> 'a'
        and not exists (
            select from pg_catalog.pg_depend as bond where bond.objid = proc.oid and bond.deptype = 'e'
        )
$$;

comment on function private.security__search_path() is
'Check: every function of ours pins its search_path, or its body was bound when it was made.';

create or replace function private.security__views()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- A materialized view asks nobody: it may only lie where nobody reads.
    select private.check_list(
        'critical',
        array_agg(class.oid::regclass::text order by class.oid::regclass::text),
        'views that show what their owner may see',
        min(case class.relkind
            when 'v' then format('alter view %s set (security_invoker = true);', class.oid::regclass)
            else format('alter materialized view %s set schema private;', class.oid::regclass)
        end)
    )
    from pg_catalog.pg_class as class
    where (
            class.relkind = 'v'
            and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            and not coalesce(
                class.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false
            )
        )
        or (class.relkind = 'm' and class.relnamespace = 'public'::regnamespace)
$$;

comment on function private.security__views() is 'Check: every view asks with its reader''s rights.';

create or replace function private.security__wide_grants()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with client as (
        select role.oid, role.rolname::text as name
        from pg_catalog.pg_roles as role
        where role.rolname in ('anon', 'authenticated', 'app_admin', 'service_role')
        union all
        select 0::oid, 'public'
    ),

    space as (
        select namespace.oid, namespace.nspname, namespace.nspacl, namespace.nspowner
        from pg_catalog.pg_namespace as namespace
        where namespace.nspname in ('public', 'private', 'archive')
    ),

    held (kind, object, privilege, grantee, is_grantable, is_needed) as (
        select
            case when class.relkind = 'S' then 'sequence ' else '' end,
            class.oid::regclass::text, given.privilege_type, client.name, given.is_grantable,
            given.grantee <> 0
            and space.nspname = 'public'
            and given.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            and (given.privilege_type not in ('INSERT', 'UPDATE') or client.name = 'service_role')
        from pg_catalog.pg_class as class
        inner join space on class.relnamespace = space.oid
        cross join lateral aclexplode(class.relacl) as given
        inner join client on given.grantee = client.oid
        union all
        select
            '', class.oid::regclass::text, format('%s (%I)', given.privilege_type, attribute.attname), client.name,
            given.is_grantable,
            given.grantee <> 0 and space.nspname = 'public' and given.privilege_type <> 'REFERENCES'
        from pg_catalog.pg_class as class
        inner join space on class.relnamespace = space.oid
        inner join pg_catalog.pg_attribute as attribute on class.oid = attribute.attrelid
        cross join lateral aclexplode(attribute.attacl) as given
        inner join client on given.grantee = client.oid
        union all
        select
            'routine ', proc.oid::regprocedure::text, given.privilege_type, client.name, given.is_grantable,
            given.grantee <> 0
        from pg_catalog.pg_proc as proc
        inner join space on proc.pronamespace = space.oid
        cross join lateral aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) as given
        inner join client on given.grantee = client.oid
        union all
        select
            'schema ', quote_ident(space.nspname), given.privilege_type, client.name, given.is_grantable,
            given.privilege_type <> 'CREATE' and space.nspname = 'public'
        from space
        cross join lateral aclexplode(coalesce(space.nspacl, acldefault('n', space.nspowner))) as given
        inner join client on given.grantee = client.oid
    )

    select private.check_list(
        'critical',
        array_agg(
            format('%s on %s%s to %s', held.privilege, held.kind, held.object, held.grantee)
            order by held.object, held.grantee, held.privilege
        ),
        'grants that nobody needs',
        min(format(
            -- What was passed on goes too.
            'revoke %s%s on %s%s from %s%s;', case when held.is_needed then 'grant option for ' end,
            held.privilege, held.kind, held.object, held.grantee, case when held.is_grantable then ' cascade' end
        ))
    )
    from held
    where held.is_grantable or not held.is_needed
$$;

comment on function private.security__wide_grants() is
'Check: clients write by column, nobody may TRUNCATE or pass a right on, PUBLIC has nothing, private and archive are '
'shut.';

create or replace function private.security__stored_secrets()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(stored.name::text order by stored.name),
        'secrets in private.secrets, where every backup holds them',
        case when to_regclass('vault.secrets') is null
            then 'select name, updated_at from private.secrets;'
            else 'select private.keep_secret(name, secret) from private.secrets;' end
    )
    from private.secrets as stored
$$;

comment on function private.security__stored_secrets() is
'Check: secrets lie in Vault, not in a table.';

create or replace function private.security__plain_keys()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- By their place only: what is in it must not show up here.
    with plain as (
        select format('api_configurations %s', stored.id) as place
        from public.api_configurations as stored
        where not private.is_key_envelope(stored.api_key_encrypted)
        limit 1000
    )

    select private.check_list(
        'critical',
        array_agg(plain.place order by plain.place),
        'API keys that are not encrypted; they have leaked',
        format('delete from public.api_configurations where id = %L;', split_part(min(plain.place), ' ', 2))
    )
    from plain
$$;

comment on function private.security__plain_keys() is 'Check: no API key is stored as it is, nor as its base64 or hex.';

create or replace function private.security__key_rotation()
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_stale bigint;
begin
    if private.find_secret('app_encryption_key') is null then
        return private.check_result('ok', null, 0, 'No encryption key is configured.', null);
    end if;
    v_stale := private.stale_api_keys();
    return private.check_result(
        private.grade(v_stale, 1, null), v_stale, 0,
        format('%s API keys are sealed with an older encryption key.', v_stale), 'forge-db rotate-keys'
    );
end
$$;

comment on function private.security__key_rotation() is 'Check: a change of the encryption key was carried to its end.';

create or replace function private.security__owners()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Whoever owns the checks owns the rest. A table's owner passes its policies, a function's lends out its rights.
    with owned as (
        select class.oid::regclass::text as object, class.relowner as owner, 'table' as kind
        from pg_catalog.pg_class as class
        where class.relkind in ('r', 'p', 'v', 'm', 'S')
            and class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        union all
        select proc.oid::regprocedure::text, proc.proowner, 'function'
        from pg_catalog.pg_proc as proc
        where proc.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        union all
        select namespace.nspname::text, namespace.nspowner, 'schema'
        from pg_catalog.pg_namespace as namespace
        where namespace.nspname in ('private', 'archive')
    )

    select private.check_list(
        'critical',
        array_agg(format('%s (%s)', owned.object, owned.owner::regrole) order by owned.object),
        format('objects that %s does not own', current_user),
        min(format('alter %s %s owner to %I;', owned.kind, owned.object, current_user))
    )
    from owned
    where owned.owner <> current_user::regrole
$$;

comment on function private.security__owners() is 'Check: everything belongs to the one who installed it.';

create or replace function private.security__roles()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with odd (description, command) as (
        -- Requests run as these: what they have, every visitor or user may have.
        select
            format('%s has %s', role.rolname, power.name),
            format('alter role %I no%s;', role.rolname, lower(power.name))
        from pg_catalog.pg_roles as role
        cross join lateral (
            values
                ('SUPERUSER', role.rolsuper),
                ('CREATEROLE', role.rolcreaterole),
                ('CREATEDB', role.rolcreatedb),
                ('REPLICATION', role.rolreplication),
                ('BYPASSRLS', role.rolbypassrls and role.rolname <> 'service_role'),
                ('LOGIN', role.rolcanlogin and role.rolname <> 'authenticator')
        ) as power (name, is_held)
        where role.rolname in ('anon', 'authenticated', 'app_admin', 'service_role', 'authenticator')
            and power.is_held
        union all
        -- Nor may they become somebody else. Staff are users besides.
        select
            format('%s is a member of %s', member.rolname, granted.rolname),
            format(
                'revoke %I from %I%s;', granted.rolname, member.rolname, ' granted by ' || quote_ident(giver.rolname)
            )
        from pg_catalog.pg_auth_members as bond
        inner join pg_catalog.pg_roles as member on bond.member = member.oid
        inner join pg_catalog.pg_roles as granted on bond.roleid = granted.oid
        left join pg_catalog.pg_roles as giver on bond.grantor = giver.oid
        where (
                member.rolname in ('anon', 'authenticated', 'service_role')
                or (member.rolname = 'app_admin' and granted.rolname <> 'authenticated')
                or (
                    member.rolname = 'authenticator'
                    and granted.rolname not in ('anon', 'authenticated', 'app_admin', 'service_role')
                )
            )
        union all
        -- And nobody but the platform becomes the server, staff or the owner, or passes policies anyway.
        select
            format('%s is a member of %s', member.rolname, granted.rolname),
            format(
                'revoke %I from %I%s;', granted.rolname, member.rolname, ' granted by ' || quote_ident(giver.rolname)
            )
        from pg_catalog.pg_auth_members as bond
        inner join pg_catalog.pg_roles as member on bond.member = member.oid
        inner join pg_catalog.pg_roles as granted on bond.roleid = granted.oid
        left join pg_catalog.pg_roles as giver on bond.grantor = giver.oid
        where granted.rolname in ('service_role', 'app_admin', 'authenticator', current_user)
            and member.oid <> 10
            and member.rolname not in ('anon', 'authenticated', 'app_admin', 'service_role', 'authenticator')
            and member.rolname <> current_user
            and member.rolname !~ '^(supabase_|cli_login_|dashboard_user$|pgbouncer$|postgres$)'
        union all
        select
            format('%s has %s', role.rolname, power.name),
            format('alter role %I no%s;', role.rolname, lower(power.name))
        from pg_catalog.pg_roles as role
        cross join lateral (
            values ('SUPERUSER', role.rolsuper), ('BYPASSRLS', role.rolbypassrls and not role.rolsuper)
        ) as power (name, is_held)
        where power.is_held
            and role.oid <> 10
            and role.rolname not in ('anon', 'authenticated', 'app_admin', 'service_role', 'authenticator')
            and role.rolname <> current_user
            and role.rolname !~ '^(supabase_|postgres$)'
    )

    select private.check_list(
        'critical', array_agg(odd.description order by odd.description), 'roles with more power than they need',
        min(odd.command)
    )
    from odd
$$;

comment on function private.security__roles() is
'Check: the roles of requests have no powers, and only the platform''s own roles may become the server or staff.';

create or replace function private.security__staff_accounts()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Supabase Auth issues tokens for whatever role stands in the account.
    with odd as (
        select
            account.id,
            case
                when account.role <> 'app_admin' then 'tokens for the role ' || account.role
                when account.is_anonymous then 'anonymous'
                when account.email_confirmed_at is null and account.phone_confirmed_at is null then 'not confirmed'
                when account.deleted_at is not null then 'deleted'
                when account.banned_until > statement_timestamp() then 'banned'
                when coalesce(account.last_sign_in_at, account.created_at)
                    < statement_timestamp()
                    - make_interval(days => private.config_integer('security_staff_idle_days', 90))
                    then 'not seen for long'
            end as reason,
            account.role <> 'app_admin' as is_critical
        from auth.users as account
        where account.role not in ('', 'anon', 'authenticated')
    )

    select case
        when count(odd.reason) = 0
            then private.check_result('ok', 0, 0, format('%s staff accounts, all in order.', count(*)), null)
        else private.check_list(
            case when bool_or(odd.is_critical) then 'critical' else 'warning' end,
            array_agg(format('%s (%s)', odd.id, odd.reason) order by odd.is_critical desc, odd.id)
            filter (where odd.reason is not null),
            'staff accounts to look at',
            format(
                'update auth.users set role = ''authenticated'' where id = %L;',
                (array_agg(odd.id order by odd.is_critical desc, odd.id) filter (where odd.reason is not null))[1]
            )
        )
    end
    from odd
$$;

comment on function private.security__staff_accounts() is
'Check: accounts with the role of staff are confirmed, seen lately, and none has a role above that.';

create or replace function private.security__grants_regime()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select private.check_list(
        'warning',
        array_agg(distinct given.privilege_type || ' on new ' || kind.name),
        'rights that clients get on whatever is made in the schema public (automatic grants)',
        min(format(
            'alter default privileges for role %I in schema public revoke all on %s '
            'from anon, authenticated, service_role;', current_user, kind.name
        ))
    )
    from pg_catalog.pg_default_acl as preset
    cross join lateral aclexplode(preset.defaclacl) as given
    inner join pg_catalog.pg_roles as role on given.grantee = role.oid
    inner join (values ('r', 'tables'), ('f', 'functions')) as kind (code, name)
        on preset.defaclobjtype = kind.code::"char"
    where preset.defaclrole = current_user::regrole
        and preset.defaclnamespace = 'public'::regnamespace
        and role.rolname in ('anon', 'authenticated')
        and given.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'EXECUTE')
$$;

comment on function private.security__grants_regime() is
'Check: a new table or function is closed until somebody grants something.';

create or replace function private.security__triggers()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Half of the rules are triggers, and so is every foreign key.
    select private.check_list(
        'critical',
        array_agg(
            format('%I on %s', guard.tgname, guard.tgrelid::regclass)
            order by guard.tgrelid::regclass::text, guard.tgname
        ),
        'triggers that are switched off',
        min(format('alter table %s enable trigger %I;', guard.tgrelid::regclass, guard.tgname))
    )
    from pg_catalog.pg_trigger as guard
    inner join pg_catalog.pg_class as class on guard.tgrelid = class.oid
    where guard.tgenabled not in ('O', 'A')
        and (
            class.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
            or class.oid = 'auth.users'::regclass
        )
$$;

comment on function private.security__triggers() is 'Check: no trigger is switched off, also none on auth.users.';

-- Schemas ----------------------------------------------------------------------
grant usage on schema public to anon, authenticated, service_role;
revoke create on schema public from public, anon, authenticated, service_role, app_admin;
revoke all on schema private, archive from public, anon, authenticated, service_role, app_admin;

-- system_config ----------------------------------------------------------------
-- Everyone: the settings marked public. Staff: all of them. What a setting allows is not theirs to say, nor may they
-- delete one and make it anew: limits keep records from being silenced and maintenance from being stopped.
revoke all on public.system_config from public, anon, authenticated, service_role, app_admin;
grant select on public.system_config to anon, authenticated;
grant insert (key, category, value, value_type, min_value, max_value, allowed_values, description, is_public),
update (value, description, is_public, updated_at) on public.system_config to app_admin;
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

-- private.secrets --------------------------------------------------------------
-- Owner only. The policy is a second lock, should a grant ever slip in.
revoke all on private.secrets from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches secrets through the API" on private.secrets;
create policy "Nobody reaches secrets through the API" on private.secrets
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.locks ----------------------------------------------------------------
-- Owner only: a lock that others could take would not be worth having.
revoke all on private.locks from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches locks through the API" on private.locks;
create policy "Nobody reaches locks through the API" on private.locks
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- archive.unmigrated -----------------------------------------------------------
-- Owner only: written by the upgrade, read by whoever sorts out what it left.
revoke all on archive.unmigrated from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches unmigrated rows through the API" on archive.unmigrated;
create policy "Nobody reaches unmigrated rows through the API" on archive.unmigrated
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
-- Everyone: the enabled ones. Staff: all of it but what keys look like: whether a key is accepted would tell about it.
revoke all on public.api_providers from public, anon, authenticated, service_role, app_admin;
grant select on public.api_providers to anon, authenticated;
grant insert (
    name, display_name, base_url, is_enabled, max_requests_per_minute, max_requests_per_day,
    supported_models, validation_rules
),
update (
    name, display_name, base_url, is_enabled, max_requests_per_minute, max_requests_per_day,
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
-- User: own keys, but not the verdicts and counters. Staff: nothing; keys are none of their business. Server: all, but
-- a key that is stored never becomes somebody else's.
revoke all on public.api_configurations from public, anon, authenticated, service_role, app_admin;
grant select, delete,
insert (user_id, provider, api_key_encrypted, is_active),
update (provider, api_key_encrypted, is_active, updated_at) on public.api_configurations to authenticated;
grant select, insert, delete,
update (
    provider, api_key_encrypted, is_active, is_validated, last_validated_at, validation_error, usage_count,
    last_used_at, updated_at
) on public.api_configurations to service_role;

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

-- private.uncounted_uses -----------------------------------------------------
-- Owner only: reached by functions that name their caller.
revoke all on private.uncounted_uses from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches uncounted uses through the API" on private.uncounted_uses;
create policy "Nobody reaches uncounted uses through the API" on private.uncounted_uses
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

-- archive.api_usage_logs ------------------------------------------------------
-- Owner only: reached by functions that name their caller, and by maintenance.
revoke all on archive.api_usage_logs from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches archived usage through the API" on archive.api_usage_logs;
create policy "Nobody reaches archived usage through the API" on archive.api_usage_logs
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- archive.prompt_history ------------------------------------------------------
-- Owner only: reached by functions that name their caller, and by maintenance.
revoke all on archive.prompt_history from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches archived prompts through the API" on archive.prompt_history;
create policy "Nobody reaches archived prompts through the API" on archive.prompt_history
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.log_files ------------------------------------------------------------
-- Owner only: forge-db ingest-log connects as the owner.
revoke all on private.log_files from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches positions in logs through the API" on private.log_files;
create policy "Nobody reaches positions in logs through the API" on private.log_files
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.maintenance_runs ----------------------------------------------------
-- Owner only: reached by functions that name their caller, and by maintenance.
revoke all on private.maintenance_runs from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches runs of the maintenance through the API" on private.maintenance_runs;
create policy "Nobody reaches runs of the maintenance through the API" on private.maintenance_runs
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.size_snapshots -----------------------------------------------------
-- Owner only: written by maintenance, read by health_check() and get_storage_growth().
revoke all on private.size_snapshots from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches size snapshots through the API" on private.size_snapshots;
create policy "Nobody reaches size snapshots through the API" on private.size_snapshots
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

-- private.rollups ------------------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.rollups from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches the state of rollups through the API" on private.rollups;
create policy "Nobody reaches the state of rollups through the API" on private.rollups
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.changed_days -------------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.changed_days from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches changed days through the API" on private.changed_days;
create policy "Nobody reaches changed days through the API" on private.changed_days
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.usage_daily --------------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.usage_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches usage figures through the API" on private.usage_daily;
create policy "Nobody reaches usage figures through the API" on private.usage_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.latency_daily ------------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.latency_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches latency figures through the API" on private.latency_daily;
create policy "Nobody reaches latency figures through the API" on private.latency_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.user_usage_daily ---------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.user_usage_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches usage figures by user through the API" on private.user_usage_daily;
create policy "Nobody reaches usage figures by user through the API" on private.user_usage_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.prompts_daily ------------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.prompts_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches prompt figures through the API" on private.prompts_daily;
create policy "Nobody reaches prompt figures through the API" on private.prompts_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.expired_prompts_daily ----------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.expired_prompts_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches figures of expired prompts through the API" on private.expired_prompts_daily;
create policy "Nobody reaches figures of expired prompts through the API" on private.expired_prompts_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.user_sign_ins_daily ------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.user_sign_ins_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches figures of signing in by user through the API" on private.user_sign_ins_daily;
create policy "Nobody reaches figures of signing in by user through the API" on private.user_sign_ins_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.activity_daily -----------------------------------------------------
-- Owner only: read by functions for staff, written by maintenance.
revoke all on private.activity_daily from public, anon, authenticated, service_role, app_admin;

drop policy if exists "Nobody reaches activity figures through the API" on private.activity_daily;
create policy "Nobody reaches activity figures through the API" on private.activity_daily
as restrictive
for all to anon, authenticated, app_admin, service_role
using (false)
with check (false);

-- private.weekly_retention, private.published_prompts --------------------------
-- Owner only. A materialized view has no policies: nobody holds a grant on it, nor USAGE on its schema.
revoke all on private.weekly_retention, private.published_prompts
from public, anon, authenticated, service_role, app_admin;

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
private.rotate_api_keys(integer, uuid),
public.health_check(),
public.integrity_check(),
public.security_audit(),
private.run_checks(text),
public.get_database_stats(),
private.get_database_stats(),
public.get_slow_queries(integer),
private.get_slow_queries(integer),
public.get_index_usage(),
private.get_index_usage(),
public.get_index_advice(),
private.get_index_advice(),
public.get_storage_growth(integer),
private.get_storage_growth(integer),
public.get_connection_stats(),
private.get_connection_stats(),
public.log_security_event(text, text, jsonb, uuid, inet, text),
private.log_security_event(text, text, jsonb, uuid, inet, text),
public.detect_suspicious_activity(),
private.detect_suspicious_activity(),
public.generate_daily_feedback_analytics(date),
private.generate_daily_feedback_analytics(date),
public.daily_maintenance(integer),
private.daily_maintenance(integer),
public.schedule_maintenance(),
private.schedule_maintenance(),
public.analyze_all_tables(),
private.analyze_all_tables(),
public.vacuum_all_tables(),
private.vacuum_all_tables()
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.estimate_cost(text, text, integer, integer),
public.decrypt_api_key(uuid, text),
private.decrypt_api_key(uuid, text),
public.record_api_key_validation(uuid, text, boolean, text),
private.record_api_key_validation(uuid, text, boolean, text),
public.rotate_api_keys(integer, uuid),
private.rotate_api_keys(integer, uuid),
public.health_check(),
public.integrity_check(),
public.security_audit(),
private.run_checks(text),
public.get_database_stats(),
private.get_database_stats(),
public.get_slow_queries(integer),
private.get_slow_queries(integer),
public.get_index_usage(),
private.get_index_usage(),
public.get_index_advice(),
private.get_index_advice(),
public.get_storage_growth(integer),
private.get_storage_growth(integer),
public.get_connection_stats(),
private.get_connection_stats(),
public.log_security_event(text, text, jsonb, uuid, inet, text),
private.log_security_event(text, text, jsonb, uuid, inet, text),
public.detect_suspicious_activity(),
private.detect_suspicious_activity(),
public.generate_daily_feedback_analytics(date),
private.generate_daily_feedback_analytics(date),
public.daily_maintenance(integer),
private.daily_maintenance(integer),
public.schedule_maintenance(),
private.schedule_maintenance(),
public.analyze_all_tables(),
private.analyze_all_tables(),
public.vacuum_all_tables(),
private.vacuum_all_tables()
to service_role;

-- Staff. The worker is granted with its wrapper: without USAGE on private nobody can name it.
revoke all on function
public.respond_to_feedback(uuid, text, varchar),
public.unpublish_prompt_template(uuid),
private.unpublish_prompt_template(uuid),
public.get_user_activity(integer),
private.get_user_activity(integer),
public.get_api_analytics(integer),
private.get_api_analytics(integer),
public.get_prompt_analytics(integer),
private.get_prompt_analytics(integer),
public.get_feedback_analytics(integer),
private.get_feedback_analytics(integer)
from public, anon, authenticated, service_role, app_admin;
grant execute on function
public.respond_to_feedback(uuid, text, varchar),
public.unpublish_prompt_template(uuid),
private.unpublish_prompt_template(uuid),
public.get_user_activity(integer),
private.get_user_activity(integer),
public.get_api_analytics(integer),
private.get_api_analytics(integer),
public.get_prompt_analytics(integer),
private.get_prompt_analytics(integer),
public.get_feedback_analytics(integer),
private.get_feedback_analytics(integer)
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
private.is_key_envelope(text),
private.is_resealing()
from public, anon, authenticated, service_role, app_admin;
grant execute on function private.is_email(text), private.is_json_object(jsonb, integer)
to anon, authenticated, service_role;
grant execute on function
private.is_web_url(text),
private.is_variable_list(jsonb),
private.is_key_envelope(text),
private.is_resealing()
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
private.tg_api_configurations__confirm_resealing(),
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
private.forget_old_lines(regclass, integer),
private.request_context(),
private.audit_diff(jsonb, jsonb, text[]),
private.tg_audit_row(),
private.tg_audit_truncate(),
private.shorten_changes(jsonb),
private.audit_updates(regclass, text[]),
private.tg_audit_system_config(),
private.tg_audit_api_providers(),
private.tg_audit_prompt_frameworks(),
private.tg_audit_feedback_categories(),
private.tg_audit_feedback_tags(),
private.tg_audit_feedback_tag_assignments(),
private.tg_audit_feedback(),
private.record_refusal(text, text, uuid, jsonb),
private.ingest_log_lines(text, bigint, jsonb),
private.suspicious_rules(),
private.find_suspicious(text),
private.step_detect_suspicious_activity(timestamptz),
private.forget_until(regclass, timestamptz),
private.step_expire_audit_log(timestamptz),
private.step_expire_security_events(timestamptz),
private.personal_tables(),
private.account_data(uuid),
private.export_user_data(uuid),
private.config_boolean(text, boolean),
private.config_integer(text, integer),
private.config_text(text, text),
private.config_number(text, numeric),
private.require_feature(text),
private.tg_require_feature(),
private.find_secret(text),
private.encryption_keys(),
private.seal_api_key(uuid, text, text, text, text),
private.unseal_api_key(text, uuid, text, text),
private.open_api_key(text, uuid, text),
private.redact_api_keys(text),
private.stale_api_keys(),
private.keep_secret(text, text),
private.change_encryption_key(),
private.require_user(),
private.refuse_provider(text),
private.search_language(uuid),
private.parse_placeholders(text),
private.check_placeholders(text, jsonb),
private.tg_prompt_frameworks__check_template(),
private.tg_prompt_history__respect_preferences(),
private.tg_prompt_history__keep_status_forward(),
private.searchable(text),
private.tg_prompt_history__index_words(),
private.tg_prompt_history__keep_costs(),
private.tg_prompt_templates__check_content(),
private.close_partition(regclass),
private.tg_mark_changed_day(),
private.tg_mark_days_of_gone_rows(),
private.tg_prompt_history__keep_figures(),
private.roll_up_usage(date[]),
private.roll_up_prompts(date[]),
private.roll_up_activity(date[]),
private.roll_up_feedback(date[]),
private.days_with_rows(text),
private.first_day_kept(text),
private.forget_rollups(text, date),
private.roll_up(text, timestamptz),
private.step_roll_up_usage(timestamptz),
private.step_roll_up_prompts(timestamptz),
private.step_roll_up_activity(timestamptz),
private.step_feedback_analytics(timestamptz),
private.step_refresh_views(timestamptz),
private.require_staff(),
private.ensure_api_usage_months(date, integer),
private.effective_rate_limits(),
private.measure_relation(oid),
private.table_sizes(),
private.step_snapshot_sizes(timestamptz),
private.statistics_since(),
private.our_indexes(),
private.unused_indexes(),
private.duplicate_indexes(),
private.uncovered_foreign_keys(),
private.scanned_columns(),
private.connection_limit(),
private.redact_statement(text),
private.check_result(text, numeric, numeric, text, text),
private.check_list(text, text[], text, text),
private.grade(numeric, numeric, numeric),
private.sees_all_sessions(),
private.health__connections(),
private.health__long_transactions(),
private.health__lock_waits(),
private.health__dead_rows(),
private.health__bloat(),
private.health__wraparound(),
private.health__cache_hits(),
private.health__replication_lag(),
private.health__replication_slots(),
private.health__invalid_indexes(),
private.health__unused_indexes(),
private.health__duplicate_indexes(),
private.health__scheduled_jobs(),
private.health__last_maintenance(),
private.health__growth(),
private.health__usage_months(),
private.integrity__catalogue_lists(),
private.integrity__orphans(),
private.integrity__unvalidated_rules(),
private.integrity__settings(),
private.integrity__unknown_frameworks(),
private.integrity__unknown_models(),
private.integrity__missing_profiles(),
private.integrity__category_cycles(),
private.integrity__key_envelopes(),
private.integrity__prompt_search(),
private.integrity__rate_limits(),
private.integrity__usage_counters(),
private.integrity__rollups(),
private.security__row_security(),
private.security__tables_without_policies(),
private.security__open_policies(),
private.security__definer_functions(),
private.security__search_path(),
private.security__views(),
private.security__wide_grants(),
private.security__stored_secrets(),
private.security__plain_keys(),
private.security__key_rotation(),
private.security__owners(),
private.security__roles(),
private.security__staff_accounts(),
private.security__grants_regime(),
private.security__triggers(),
private.ensure_archive_months(date, integer),
private.maintenance_steps(),
private.maintenance_backend(),
private.begin_maintenance(integer),
private.take_up_maintenance(uuid),
private.take_step(text, timestamptz),
private.continue_maintenance(uuid, interval),
private.finish_maintenance(uuid),
private.maintenance_command(),
private.maintained_tables(),
private.vacuum_by_connection(text),
private.vacuum_by_schedule(),
private.expire_rows(regclass, name[], interval, timestamptz),
private.retention_days(text, integer),
private.usage_months(regclass),
private.step_expire_sessions(timestamptz),
private.step_expire_counters(timestamptz),
private.step_expire_request_ids(timestamptz),
private.step_count_uses(timestamptz),
private.count_uses(uuid, integer),
private.step_expire_totals(timestamptz),
private.step_expire_runs(timestamptz),
private.step_archive_prompts(timestamptz),
private.step_archive_usage(timestamptz),
private.step_drop_archive(timestamptz),
private.step_make_months(timestamptz),
private.step_remove_orphans(timestamptz),
private.step_analyze(timestamptz)
from public, anon, authenticated, service_role, app_admin;

reset search_path;
