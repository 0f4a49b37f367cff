-- undo.sql: the legacy installation back in its place, as it was, and the new schema gone. Until cleanup has run.
--
-- In one transaction; clients wait meanwhile. What the new schema holds that the old one does not would be lost: if
-- there is any, nothing is done, and the error counts it. To lose it all the same, say so in the session:
--
--   psql -v ON_ERROR_STOP=1 -f supabase/upgrade/undo.sql
--   PGOPTIONS='-c forge.discard=newer-rows' psql -v ON_ERROR_STOP=1 -f supabase/upgrade/undo.sql
--
-- A second run finds nothing to undo and changes nothing.

set search_path = pg_catalog, pg_temp;

do $$
declare
    v_messages text := current_setting('client_min_messages');
    v_made text;
    v_parked record;
    v_personal record;
    v_count bigint;
    v_newer text[] := '{}';
    v_name text;
begin
    if to_regclass('legacy.parked') is null then
        raise notice 'nothing to undo: no legacy installation is parked here';
        return;
    end if;

    if to_regclass('supabase_migrations.schema_migrations') is not null then
        execute 'select string_agg(version, '', '' order by version) from supabase_migrations.schema_migrations '
            'where version > ''001'' and version not in (select name from legacy.parked)'
        into v_name;
        if v_name is not null then
            raise exception 'later migrations have been applied: %', v_name
                using errcode = 'object_not_in_prerequisite_state',
                    hint = 'Nothing was changed. Roll those back first, and take them off the record.';
        end if;
    end if;

    perform set_config('lock_timeout', '5s', true);

    -- From here on nobody writes, so what is counted is what would be lost.
    for v_parked in
        select substr(made.name, length('table ') + 1) as name
        from legacy.parked as made
        where made.kind = 'made' and made.name like 'table %' and to_regclass(substr(made.name, 7)) is not null
        order by 1
    loop
        execute format('lock table %s in access exclusive mode', v_parked.name);
    end loop;

    if to_regprocedure('private.personal_tables()') is not null then
        for v_personal in
            -- Signing in, being recorded and being searched are no work of a user's.
            select personal.relation, personal.owner_column, class.relname, map.map
            from private.personal_tables() as personal
            inner join pg_catalog.pg_class as class on class.oid = personal.relation
            cross join lateral (
                select to_regclass(format('legacy.%I', case class.relname
                    when 'user_profiles' then 'profiles' else class.relname
                end || '_mapped')) as map
            ) as map
            where class.relnamespace = 'public'::regnamespace
                and class.relname not in ('user_sessions', 'audit_log', 'security_events')
        loop
            if v_personal.map is not null then
                execute format(
                    'select count(*) from %s as newer left join %s as parked on parked.id = newer.id '
                    'where newer.updated_at > legacy.parked_at() '
                    'and newer.updated_at is distinct from parked.updated_at', v_personal.relation, v_personal.map
                ) into v_count;
            else
                execute format('select count(*) from %s where %I is not null', v_personal.relation,
                    v_personal.owner_column) into v_count;
            end if;
            if v_count > 0 then
                v_newer := v_newer || format('%s: %s', v_personal.relname, v_count);
            end if;
        end loop;
    end if;
    if v_newer <> '{}' and coalesce(current_setting('forge.discard', true), '') <> 'newer-rows' then
        raise exception 'rows written or changed since the upgrade would be lost: %', array_to_string(v_newer, ', ')
            using errcode = 'object_in_use',
                hint = 'Nothing was changed. Save them, or lose them: PGOPTIONS=''-c forge.discard=newer-rows'', '
                    'forge-db upgrade --undo --discard-newer-rows.';
    end if;

    -- The new schema: what was not in public when the old tables were parked, and our two schemas. The triggers on
    -- auth.users go with their functions, which are ours to drop; the triggers are not.
    perform set_config('client_min_messages', 'warning', true);
    drop schema if exists private cascade;
    drop schema if exists archive cascade;
    drop view if exists public.profiles;
    for v_made in
        select regexp_replace(made.name, '^(.*?)(public\..*)$', 'drop \1 if exists \2')
        from legacy.parked as made
        where made.kind = 'made' and made.name like '% public.%'
        order by made.name desc
    loop
        execute v_made || ' cascade';
    end loop;
    for v_made in
        select made.name from legacy.parked as made where made.kind = 'made' and made.name like 'extension %'
    loop
        begin
            execute 'drop ' || v_made;
        exception when dependent_objects_still_exist or insufficient_privilege then
            raise warning '% stays: %', v_made, sqlerrm;
        end;
    end loop;

    -- The old one.
    for v_parked in select parked.kind, parked.name from legacy.parked where kind in ('table', 'function') loop
        execute format(
            'alter %s legacy.%I%s set schema public', v_parked.kind, v_parked.name,
            case v_parked.kind when 'function' then '()' else '' end
        );
    end loop;
    for v_parked in select parked.name, parked.definition from legacy.parked where parked.kind = 'trigger' loop
        execute regexp_replace(v_parked.definition, '^CREATE TRIGGER', 'create or replace trigger');
    end loop;

    -- The record of migrations, and who may do what in public.
    if to_regclass('supabase_migrations.schema_migrations') is not null then
        execute 'delete from supabase_migrations.schema_migrations where version in (''000'', ''001'')';
        execute 'insert into supabase_migrations.schema_migrations '
            'select (jsonb_populate_record(null::supabase_migrations.schema_migrations, definition::jsonb)).* '
            'from legacy.parked where kind = ''version'' on conflict do nothing';
    end if;
    drop schema legacy cascade;

    perform set_config('client_min_messages', v_messages, true);
    raise notice 'the legacy installation is back';
end
$$;

reset search_path;
