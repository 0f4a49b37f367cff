-- 01_park.sql: the tables and functions of a legacy installation, out of the way of the new ones.
--
-- They move to the schema legacy by renaming, so nothing is rewritten, and all of what they are moves with them: rows,
-- indexes, policies, grants. undo.sql moves them back. Clients wait from here to the end of the transaction, so let
-- everything up to 03 be one; see docs/upgrade.md:
--
--   psql -1 -v ON_ERROR_STOP=1 -f supabase/upgrade/01_park.sql -f supabase/migrations/000_initial_schema.sql
--       -f supabase/migrations/001_seed_data.sql -f supabase/upgrade/02_map.sql -f supabase/upgrade/03_bridge.sql
--
-- Waits a second at most for whoever uses the tables, then gives up with 55P03 and has changed nothing: run it again.
-- A second run finds the tables parked and changes nothing.

set search_path = pg_catalog, pg_temp;

do $$
declare
    -- What 000 makes, and a legacy installation never had.
    c_new constant text[] := array[
        'user_profiles', 'user_sessions', 'api_providers', 'api_usage_logs', 'prompt_frameworks', 'prompt_templates',
        'feedback_categories', 'feedback_tags', 'feedback_analytics', 'system_config'
    ];
    c_versions constant text[] := array[
        '20250101000000', '20250101000001', '20250101000002', '20250101000003',
        '20250824183127', '20250824183209', '20250824183243', '20250824183244'
    ];
    v_tables text[];
    v_new text[];
    v_recorded text[] := '{}';
    v_function regprocedure;
    v_trigger record;
    v_name text;
begin
    -- The first table is what only a legacy installation has. The others keep their names and lack a column.
    select
        array_agg(relation.name order by relation.name) filter (where not relation.is_new),
        array_agg(relation.name order by relation.name) filter (where relation.is_new)
    into v_tables, v_new
    from (
        select known.name, known.is_new <> exists (
            select from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = class.oid and attribute.attname = known.column_name
        ) as is_new
        from (
            values
                ('profiles', 'user_id', true),
                ('user_preferences', 'theme', false),
                ('api_configurations', 'is_validated', false),
                ('prompt_history', 'provider', false),
                ('feedback', 'feedback_type', false)
        ) as known (name, column_name, is_new)
        inner join pg_catalog.pg_class as class
            on class.oid = to_regclass('public.' || known.name) and class.relkind in ('r', 'p')
        -- A table of that name without the column is somebody else's.
        where known.name <> 'profiles' or exists (
            select from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = class.oid and attribute.attname = 'user_id'
        )
        union all
        select known.name, true
        from unnest(c_new) as known (name)
        where to_regclass('public.' || known.name) is not null
    ) as relation;

    if to_regclass('supabase_migrations.schema_migrations') is not null then
        execute 'select coalesce(array_agg(version order by version), ''{}'') '
            'from supabase_migrations.schema_migrations' into v_recorded;
    end if;

    if to_regclass('legacy.parked') is not null then
        if v_tables is not null then
            raise exception 'a legacy installation is parked, and there is another one: %',
                array_to_string(v_tables, ', ')
                using errcode = 'object_not_in_prerequisite_state',
                    hint = 'Nothing was changed. Rename the tables in public, or finish or undo the first upgrade.';
        end if;
        raise notice 'the legacy tables are parked already';
        return;
    elsif v_tables is null then
        raise exception 'there is no legacy installation in this database'
            using errcode = 'object_not_in_prerequisite_state',
                hint = case
                    when v_new is null then 'Nothing was changed. To install: forge-db apply, or supabase db push.'
                    else 'Nothing was changed. The new schema is installed; there is nothing to upgrade.'
                end;
    elsif v_new is not null or v_recorded && array['000', '001'] then
        raise exception 'this database is half a legacy installation and half a newer one'
            using errcode = 'object_not_in_prerequisite_state',
                detail = format(
                    'Legacy tables: %s. Newer tables: %s. Recorded migrations: %s.',
                    array_to_string(v_tables, ', '),
                    coalesce(array_to_string(v_new, ', '), 'none'),
                    coalesce(nullif(array_to_string(v_recorded, ', '), ''), 'none')
                ),
                hint = 'Nothing was changed. Somebody ran 000 over the old tables. Make a backup; then drop the newer '
                    'tables, if nothing in them is wanted, take 000 and 001 off the record '
                    '(supabase migration repair --status reverted 000 001), and run this again.';
    elsif to_regnamespace('legacy') is not null then
        raise exception 'there is a schema legacy already, and it is not from this upgrade'
            using errcode = 'duplicate_schema', hint = 'Nothing was changed. Rename that schema and run this again.';
    end if;

    -- Whoever waits here makes all others wait behind it.
    perform set_config('lock_timeout', '1s', true);
    -- All at once, so that nobody meets one table here and another one there.
    execute 'lock table ' || (
        select string_agg(format('public.%I', parked.name), ', ') from unnest(v_tables) as parked (name)
    ) || ' in access exclusive mode';

    create schema legacy;
    revoke all on schema legacy from public;
    comment on schema legacy is
    'The legacy installation, parked while it is upgraded. Never exposed; cleanup_old_migrations.sql drops it.';

    create table legacy.parked (
        kind varchar(20) not null,
        name text not null,
        definition text,
        primary key (kind, name)
    );
    alter table legacy.parked enable row level security;
    comment on table legacy.parked is 'What was there and what was made, for undo.sql and cleanup.';
    comment on column legacy.parked.kind is
    'table, function, trigger: moved from public; version: taken off the record of migrations; present: what else was '
    'in public; made: what the new schema has put there; note: a fact.';
    comment on column legacy.parked.name is 'Its name, with what tells it from others of that name.';
    comment on column legacy.parked.definition is 'How it was, as far as moving it does not keep that.';

    -- Signing up goes on while nobody makes profiles: the copy makes what is missing.
    create function legacy.tg_users__keep_sign_up_open()
    returns trigger
    language plpgsql
    volatile
    security invoker
    set search_path = pg_catalog, pg_temp
    as $body$
    begin
        return null;
    end
    $body$;
    comment on function legacy.tg_users__keep_sign_up_open() is
    'Trigger: nothing. In the place of handle_new_user() until 000 puts a new one there.';

    insert into legacy.parked (kind, name, definition)
    values
        ('note', 'parked at', clock_timestamp()::text),
        ('note', 'app_admin was there', (to_regrole('app_admin') is not null)::text),
        ('note', 'grants of public', (select nspacl::text from pg_namespace where nspname = 'public'));

    for v_trigger in
        select trigger.tgname, pg_get_triggerdef(trigger.oid) as definition
        from pg_catalog.pg_trigger as trigger
        where trigger.tgrelid = 'auth.users'::regclass
            and trigger.tgfoid = to_regprocedure('public.handle_new_user()')
            and not trigger.tgisinternal
    loop
        insert into legacy.parked (kind, name, definition)
        values ('trigger', v_trigger.tgname, v_trigger.definition);
        -- Replaced, because postgres may create triggers on auth.users and not drop them.
        execute format(
            'create or replace trigger %I after insert on auth.users '
            'for each row execute function legacy.tg_users__keep_sign_up_open()', v_trigger.tgname
        );
    end loop;

    foreach v_name in array v_tables loop
        execute format('alter table public.%I set schema legacy', v_name);
        insert into legacy.parked (kind, name) values ('table', v_name);
    end loop;

    -- Triggers of the parked tables know their functions by number and not by name.
    for v_function in
        select function.oid
        from pg_catalog.pg_proc as function
        where function.pronamespace = 'public'::regnamespace
            and function.pronargs = 0
            and function.proname in (
                'update_updated_at_column', 'handle_new_user', 'cleanup_old_prompt_history',
                'trigger_cleanup_old_prompt_history'
            )
    loop
        insert into legacy.parked (kind, name)
        values ('function', (select proname from pg_catalog.pg_proc where oid = v_function));
        execute format('alter function %s set schema legacy', v_function);
    end loop;

    create function legacy.what_is_public()
    returns setof text
    language sql
    stable
    security invoker
    set search_path = pg_catalog, pg_temp
    as $body$
        select case class.relkind
            when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence '
            when 'f' then 'foreign table ' else 'table '
        end || format('public.%I', class.relname)
        from pg_catalog.pg_class as class
        where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        union all
        select format('type public.%I', kind.typname)
        from pg_catalog.pg_type as kind
        left join pg_catalog.pg_class as class on kind.typrelid = class.oid
        where kind.typnamespace = 'public'::regnamespace
            and (kind.typtype in ('d', 'e', 'r') or class.relkind = 'c')
        union all
        select format('routine public.%I(%s)', function.proname, oidvectortypes(function.proargtypes))
        from pg_catalog.pg_proc as function
        where function.pronamespace = 'public'::regnamespace
        union all
        select format('extension %I', extension.extname)
        from pg_catalog.pg_extension as extension
    $body$;
    comment on function legacy.what_is_public() is
    'Every table, view, sequence, type and routine in public, and the extensions, as DROP names them.';

    insert into legacy.parked (kind, name)
    select 'present', present.identity
    from legacy.what_is_public() as present (identity);

    -- The CLI refuses versions whose files are gone.
    if v_recorded && c_versions then
        execute 'with gone as ('
            '    delete from supabase_migrations.schema_migrations as record where version = any($1) '
            '    returning version, to_jsonb(record)::text as definition'
            ') insert into legacy.parked (kind, name, definition) select ''version'', version, definition from gone'
        using c_versions;
    end if;

    raise notice 'parked in the schema legacy: %', array_to_string(v_tables, ', ');
end
$$;

reset search_path;
