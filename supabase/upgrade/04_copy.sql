-- 04_copy.sql: the parked rows into the new tables, while clients work.
--
-- A range of blocks at a time, newest first, each compared and committed with the note of how far the copy is: whatever
-- ends the session, run it again and it goes on there. A row that breaks a rule is found by halving its range, and kept
-- whole in archive.unmigrated. Needs 01 to 03 and, where keys are stored, an encryption key. Not in one transaction:
--
--   psql -v ON_ERROR_STOP=1 -f supabase/upgrade/04_copy.sql

set search_path = pg_catalog, pg_temp;

do $$
begin
    if to_regclass('legacy.parked') is null or to_regprocedure('legacy.provider_of(text)') is null then
        raise exception '04_copy.sql needs a parked legacy installation, the new schema and 02_map.sql'
            using errcode = 'object_not_in_prerequisite_state', hint = 'See docs/upgrade.md for the order.';
    end if;
end
$$;

create table if not exists legacy.progress (
    table_name varchar(63) primary key,
    copied_to varchar(63) not null,
    sort_order integer not null,
    rewritten oid not null,
    blocks bigint not null,
    blocks_left bigint not null,
    copied bigint not null default 0,
    adjusted bigint not null default 0,
    superseded bigint not null default 0,
    set_aside bigint not null default 0,
    finished_at timestamptz
);

alter table legacy.progress enable row level security;

comment on table legacy.progress is 'How far the copy of each parked table is, and what became of its rows.';
comment on column legacy.progress.table_name is 'The parked table.';
comment on column legacy.progress.copied_to is 'The table in public that takes its rows.';
comment on column legacy.progress.sort_order is 'Which is copied first.';
comment on column legacy.progress.rewritten is 'The file of the parked table: another one means that rows have moved.';
comment on column legacy.progress.blocks is 'Blocks of the parked table.';
comment on column legacy.progress.blocks_left is 'Blocks that are not copied yet, the first ones.';
comment on column legacy.progress.copied is 'Rows that are in the new table as the map shows them.';
comment on column legacy.progress.adjusted is 'The same, but for what its reason in archive.unmigrated says.';
comment on column legacy.progress.superseded is
'Rows in whose place their owner had made a newer one: see archive.unmigrated.';
comment on column legacy.progress.set_aside is 'Rows that are in archive.unmigrated only.';
comment on column legacy.progress.finished_at is 'When the last block was done.';

create or replace function legacy.columns_of(table_name text, compared boolean default false)
returns text[]
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(attribute.attname::text order by attribute.attnum)
    from pg_catalog.pg_attribute as attribute
    where attribute.attrelid = to_regclass('legacy.' || quote_ident(table_name || '_mapped'))
        and attribute.attnum > 0
        and attribute.attname not in ('place', 'problem')
        -- Sealed anew each time. What is inside is compared below.
        and not (compared and attribute.attname = 'api_key_encrypted')
$$;

comment on function legacy.columns_of(text, boolean) is 'The columns that the map of a table fills.';

create or replace function legacy.keep(table_name text, place tid, outcome text, reason text)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row, api_key_encrypted) '
        'select parked.user_id, $1, parked.id, $2, $3, to_jsonb(parked) - ''api_key_encrypted'', '
        '    to_jsonb(parked) ->> ''api_key_encrypted'' '
        'from legacy.%I as parked where parked.ctid = $4 '
        'on conflict on constraint unmigrated_row_is_kept_once do nothing', table_name
    )
    using table_name, outcome, reason, place;
end
$$;

comment on function legacy.keep(text, tid, text, text) is 'Keeps a parked row whole in archive.unmigrated.';

create or replace function legacy.differing(table_name text, target text, first_block bigint, end_block bigint)
returns bigint
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text[] := legacy.columns_of(table_name, compared => true);
    v_differing bigint;
begin
    execute format(
        'select count(*) from legacy.%I as parked left join public.%I as copied on copied.id = parked.id '
        'where parked.place >= $1 and parked.place < $2 '
        '    and md5(row(%s)::text) is distinct from md5(row(%s)::text)',
        table_name || '_mapped', target,
        (select string_agg(format('parked.%I', name), ', ') from unnest(v_columns) as listed (name)),
        -- As the map has it, whatever type the column has: a cast on one side only would compare notations.
        (select string_agg(format('copied.%I', name), ', ') from unnest(v_columns) as listed (name))
    )
    into v_differing
    using format('(%s,0)', first_block)::tid, format('(%s,0)', end_block)::tid;

    if v_differing = 0 and target = 'api_configurations' then
        select count(*)
        into v_differing
        from legacy.api_configurations as parked
        inner join public.api_configurations as copied on parked.id = copied.id
        where parked.ctid >= format('(%s,0)', first_block)::tid
            and parked.ctid < format('(%s,0)', end_block)::tid
            and private.open_api_key(copied.api_key_encrypted, copied.user_id, copied.provider)
                is distinct from coalesce(legacy.decode_key(parked.api_key_encrypted), '');
    end if;
    return v_differing;
end
$$;

comment on function legacy.differing(text, text, bigint, bigint) is
'How many rows of a range of blocks are not in the new table as the map shows them, by a checksum of each.';

create or replace function legacy.copy_row(table_name text, target text, place tid)
returns text
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text;
    v_problem text;
    v_is_there boolean;
begin
    select string_agg(quote_ident(name), ', ') into v_columns
    from unnest(legacy.columns_of(table_name)) as listed (name);

    begin
        execute format(
            'insert into public.%I (%s) select %s from legacy.%I as parked where parked.place = $1',
            target, v_columns, v_columns, table_name || '_mapped'
        )
        using place;
    exception
        when unique_violation then
            execute format(
                'select exists (select from public.%I as newer inner join legacy.%I as parked on newer.id = parked.id '
                'where parked.ctid = $1)', target, table_name
            )
            into v_is_there
            using place;
            if not v_is_there then
                perform legacy.keep(table_name, place, 'superseded', 'the owner had made a newer row: ' || sqlerrm);
                return 'superseded';
            end if;
        when integrity_constraint_violation or data_exception then
            perform legacy.keep(table_name, place, 'set aside', sqlerrm);
            return 'set aside';
    end;

    execute format('select problem from legacy.%I as parked where parked.place = $1', table_name || '_mapped')
    into v_problem
    using place;
    if v_problem is null then
        return 'copied';
    end if;
    perform legacy.keep(table_name, place, 'adjusted', v_problem);
    return 'adjusted';
end
$$;

comment on function legacy.copy_row(text, text, tid) is
'Copies one parked row and says what became of it: copied, adjusted, superseded or set aside.';

create or replace function legacy.copy_range(table_name text, target text, first_block bigint, end_block bigint)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text;
    v_from tid := format('(%s,0)', first_block);
    v_to tid := format('(%s,0)', end_block);
    v_middle bigint := (first_block + end_block) / 2;
    v_copied bigint;
    v_place tid;
    v_outcome text;
    v_done jsonb := '{}';
begin
    select string_agg(quote_ident(name), ', ') into v_columns
    from unnest(legacy.columns_of(table_name)) as listed (name);

    -- Usually nothing is wrong with any of them.
    begin
        execute format(
            'insert into public.%I (%s) select %s from legacy.%I as parked '
            'where parked.place >= $1 and parked.place < $2 and parked.problem is null',
            target, v_columns, v_columns, table_name || '_mapped'
        )
        using v_from, v_to;
        get diagnostics v_copied = row_count;
        if legacy.differing(table_name, target, first_block, end_block) = 0 then
            return jsonb_build_object('copied', v_copied);
        end if;
        raise integrity_constraint_violation;
    exception when integrity_constraint_violation or data_exception then
        null;  -- looked at more closely below
    end;

    if end_block - first_block > 1 then
        with half as (
            select legacy.copy_range(table_name, target, v_middle, end_block) as done
            union all
            select legacy.copy_range(table_name, target, first_block, v_middle)
        )

        select jsonb_object_agg(summed.outcome, summed.rows)
        into v_done
        from (
            select part.key as outcome, sum(part.value::bigint) as rows
            from half
            cross join lateral jsonb_each_text(half.done) as part
            group by part.key
        ) as summed;
        return coalesce(v_done, '{}');
    end if;

    for v_place in
        execute format('select parked.ctid from legacy.%I as parked where ctid >= $1 and ctid < $2', table_name)
        using v_from, v_to
    loop
        v_outcome := legacy.copy_row(table_name, target, v_place);
        v_done := jsonb_set(v_done, array[v_outcome], to_jsonb(coalesce((v_done ->> v_outcome)::bigint, 0) + 1));
    end loop;
    return v_done;
end
$$;

comment on function legacy.copy_range(text, text, bigint, bigint) is
'Copies the rows of some blocks, and compares them. Returns how many were copied, adjusted, superseded, set aside.';

create or replace function legacy.complete_accounts()
returns bigint
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profiles bigint;
    v_preferences bigint;
begin
    -- What a sign-up makes, for those who have none. Stamped with the time of the parking, so that what a user
    -- changes later shows as later.
    insert into public.user_profiles (user_id, created_at, updated_at)
    select account.id, legacy.parked_at(), legacy.parked_at()
    from auth.users as account
    where not exists (select from public.user_profiles as profile where profile.user_id = account.id)
    on conflict (user_id) do nothing;
    get diagnostics v_profiles = row_count;

    insert into public.user_preferences (
        user_id, selected_model, selected_framework, theme, auto_cleanup, created_at, updated_at
    )
    select
        account.id,
        private.config_text('default_provider', 'openai'),
        private.config_text('default_framework', 'roses'),
        private.config_text('default_theme', 'dark'),
        false,
        legacy.parked_at(),
        legacy.parked_at()
    from auth.users as account
    where not exists (select from public.user_preferences as preference where preference.user_id = account.id)
    on conflict (user_id) do nothing;
    get diagnostics v_preferences = row_count;
    return v_profiles + v_preferences;
end
$$;

comment on function legacy.complete_accounts() is
'Makes the profile and the preferences of accounts that have none. Returns how many rows.';

create or replace function legacy.begin_copy()
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into legacy.progress (table_name, copied_to, sort_order, rewritten, blocks, blocks_left)
    select known.name, known.target, known.number, pg_relation_filenode(class.oid), size.blocks, size.blocks
    from (
        values
            (1, 'user_preferences', 'user_preferences'),
            (2, 'profiles', 'user_profiles'),
            (3, 'api_configurations', 'api_configurations'),
            (4, 'feedback', 'feedback'),
            (5, 'prompt_history', 'prompt_history')
    ) as known (number, name, target)
    inner join pg_catalog.pg_class as class on class.oid = to_regclass('legacy.' || known.name)
    cross join lateral (
        select pg_relation_size(class.oid) / current_setting('block_size')::bigint as blocks
    ) as size
    on conflict (table_name) do nothing;

    -- A table that was rewritten or restored has its rows elsewhere: then from its end once more. What is copied stays.
    update legacy.progress as progress
    set
        rewritten = pg_relation_filenode(class.oid),
        blocks = pg_relation_size(class.oid) / current_setting('block_size')::bigint,
        blocks_left = pg_relation_size(class.oid) / current_setting('block_size')::bigint,
        copied = 0, adjusted = 0, superseded = 0, set_aside = 0
    from pg_catalog.pg_class as class
    where class.oid = to_regclass('legacy.' || progress.table_name)
        and progress.rewritten <> pg_relation_filenode(class.oid)
        and progress.finished_at is null;

    -- Before anything is copied, rather than half-way.
    if exists (
        select from legacy.progress where progress.table_name = 'api_configurations' and progress.blocks_left > 0
    ) then
        perform private.encryption_keys();
    end if;
end
$$;

comment on function legacy.begin_copy() is
'Notes what there is to copy, unless that is noted. Raises an error when keys are to be sealed and nothing is there to '
'seal them with.';

create or replace function legacy.copy_batch(max_blocks integer default 1024)
returns text
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_progress legacy.progress;
    v_first bigint;
    v_done jsonb;
begin
    -- Two copies at once take turns.
    select progress.* into v_progress
    from legacy.progress
    where progress.finished_at is null
    order by progress.sort_order
    limit 1
    for update;
    if not found then
        return null;
    end if;

    v_first := greatest(v_progress.blocks_left - max_blocks, 0);
    v_done := case when v_progress.blocks_left > 0 then
        legacy.copy_range(v_progress.table_name, v_progress.copied_to, v_first, v_progress.blocks_left)
    end;
    update legacy.progress
    set
        blocks_left = v_first,
        copied = progress.copied + coalesce((v_done ->> 'copied')::bigint, 0),
        adjusted = progress.adjusted + coalesce((v_done ->> 'adjusted')::bigint, 0),
        superseded = progress.superseded + coalesce((v_done ->> 'superseded')::bigint, 0),
        set_aside = progress.set_aside + coalesce((v_done ->> 'set aside')::bigint, 0),
        finished_at = case when v_first = 0 then clock_timestamp() end
    where progress.table_name = v_progress.table_name
    returning progress.* into v_progress;

    if not exists (select from legacy.progress where progress.finished_at is null) then
        perform legacy.complete_accounts();
    end if;
    return format(
        '%s: %s rows, %s%%', v_progress.table_name,
        v_progress.copied + v_progress.adjusted + v_progress.superseded + v_progress.set_aside,
        100 * (v_progress.blocks - v_progress.blocks_left) / greatest(v_progress.blocks, 1)
    );
end
$$;

comment on function legacy.copy_batch(integer) is
'Copies the next blocks and says how far it is; null when all is copied. A transaction of the caller''s holds both.';

create or replace function legacy.report()
returns table (
    table_name text, parked bigint, copied bigint, adjusted bigint, superseded bigint, set_aside bigint,
    changed_since bigint, deleted_since bigint, waiting bigint, wrong bigint
)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_progress legacy.progress;
    v_columns text[];
begin
    for v_progress in select progress.* from legacy.progress order by progress.sort_order loop
        v_columns := legacy.columns_of(v_progress.table_name, compared => true);
        table_name := v_progress.table_name;
        -- Each parked row is exactly one of these.
        execute format(
            'select count(*), '
            '    count(*) filter (where fate = ''copied''), count(*) filter (where fate = ''adjusted''), '
            '    count(*) filter (where fate = ''superseded''), count(*) filter (where fate = ''set aside''), '
            '    count(*) filter (where fate = ''changed''), count(*) filter (where fate = ''deleted''), '
            '    count(*) filter (where fate = ''waiting''), count(*) filter (where fate = ''wrong'') '
            'from ('
            '    select case '
            '        when kept.outcome in (''superseded'', ''set aside'') then kept.outcome '
            '        when copied.id is null and parked.place < $2 then ''waiting'' '
            '        when copied.id is null then ''deleted'' '
            '        when copied.updated_at is distinct from parked.updated_at then ''changed'' '
            '        when md5(row(%s)::text) is distinct from md5(row(%s)::text) then ''wrong'' '
            '        else coalesce(kept.outcome, ''copied'') '
            '    end as fate '
            '    from legacy.%I as parked '
            '    left join public.%I as copied on copied.id = parked.id '
            '    left join archive.unmigrated as kept on kept.legacy_table = $1 and kept.legacy_id = parked.id '
            ') as accounted',
            (select string_agg(format('parked.%I', name), ', ') from unnest(v_columns) as listed (name)),
            (select string_agg(format('copied.%I', name), ', ') from unnest(v_columns) as listed (name)),
            v_progress.table_name || '_mapped', v_progress.copied_to
        )
        into parked, copied, adjusted, superseded, set_aside, changed_since, deleted_since, waiting, wrong
        using v_progress.table_name, format('(%s,0)', v_progress.blocks_left)::tid;
        return next;
    end loop;
end
$$;

comment on function legacy.report() is
'What became of every parked row, each in one column. Waiting: not copied yet; wrong: differs and nobody changed it.';

-- However long it takes.
set statement_timeout = 0;

select legacy.begin_copy();

-- Not in functions: only here can each batch be committed.
do $$
declare
    v_progress text;
begin
    loop
        v_progress := legacy.copy_batch();
        commit;
        exit when v_progress is null;
        raise notice '%', v_progress;
    end loop;
end
$$;

reset search_path;
