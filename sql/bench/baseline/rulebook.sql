-- rulebook.sql: the rulebook's policies and indexes on its own tables, by the patterns that it gives for any table.
--
-- After rulebook_tables.sql, which holds its statements word for word.

grant usage on schema rulebook to authenticated;
grant select, insert, update, delete on all tables in schema rulebook to authenticated;

do $$
declare
    v_table record;
begin
    for v_table in
        select
            class.relname as name,
            -- "Index columns that are queried": where the state is, else what a log is asked by.
            min(attribute.attname) filter (where attribute.attname = 'user_id') as owner,
            min(attribute.attname) filter (where attribute.attname = 'created_at') as made,
            coalesce(
                min(attribute.attname) filter (where attribute.attname = 'status'),
                min(attribute.attname) filter (where attribute.attname = 'provider')
            ) as state
        from pg_class as class
        inner join pg_attribute as attribute on class.oid = attribute.attrelid
        where class.relnamespace = 'rulebook'::regnamespace and class.relkind = 'r'
        group by class.relname
    loop
        execute format('alter table rulebook.%I enable row level security', v_table.name);
        execute format('create index on rulebook.%I (created_at)', v_table.name);
        if v_table.state is not null then
            execute format('create index on rulebook.%I (%I)', v_table.name, v_table.state);
        end if;
        continue when v_table.owner is null;

        execute format('create index on rulebook.%I (user_id)', v_table.name);
        if v_table.state is not null then
            execute format('create index on rulebook.%I (user_id, %I)', v_table.name, v_table.state);
        end if;
        execute format(
            'create policy "Users can view own data" on rulebook.%I for select using (auth.uid() = user_id)',
            v_table.name
        );
        execute format(
            'create policy "Users can insert own data" on rulebook.%I for insert with check (auth.uid() = user_id)',
            v_table.name
        );
        execute format(
            'create policy "Users can update own data" on rulebook.%I for update using (auth.uid() = user_id)',
            v_table.name
        );
        execute format(
            'create policy "Users can delete own data" on rulebook.%I for delete using (auth.uid() = user_id)',
            v_table.name
        );
    end loop;
end
$$;
