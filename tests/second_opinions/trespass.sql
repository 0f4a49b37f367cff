-- Each public table: its name, its DDL in words that trespass reads, how many policies it has, whether rows have an
-- owner, and whether a visitor or a user may touch it. An alias in a policy would make it give up: ( select f() as f ).
select
    class.relname,
    format('create table public.%I (', class.relname)
    || (
        select string_agg(
            format('%I %s', attribute.attname, format_type(attribute.atttypid, null))
            || case when attribute.attnotnull then ' not null' else '' end,
            ', '
            order by attribute.attnum
        )
        from pg_attribute as attribute
        where attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped
    )
    || ');'
    || case
        when class.relrowsecurity then format(E'\nalter table %s enable row level security;', class.oid::regclass)
        else ''
    end
    || coalesce(policy.statements, '')
    || coalesce(granted.statements, ''),
    coalesce(policy.number, 0),
    exists (
        select from pg_attribute as attribute
        where attribute.attrelid = class.oid and attribute.attname = 'user_id'
    ),
    granted.statements is not null
from pg_class as class
left join lateral (
    select
        count(*) as number,
        string_agg(
            format(
                E'\ncreate policy %I on %s as %s for %s to %s',
                each.policyname, class.oid::regclass, each.permissive, each.cmd, array_to_string(each.roles, ', ')
            )
            || coalesce(' using (' || regexp_replace(each.qual, ' AS \w+\)', ')', 'g') || ')', '')
            || coalesce(' with check (' || regexp_replace(each.with_check, ' AS \w+\)', ')', 'g') || ')', '')
            || ';',
            ''
            order by each.policyname
        ) as statements
    from pg_policies as each
    where each.schemaname = 'public' and each.tablename = class.relname
) as policy on true
left join lateral (
    select string_agg(format(E'\ngrant %s on %s to %s;', right_to, class.oid::regclass, role), '') as statements
    from unnest(array['anon', 'authenticated']) as role
    cross join unnest(array['select', 'insert', 'update', 'delete']) as right_to
    where case right_to
        when 'delete' then has_table_privilege(role, class.oid, right_to)
        else has_any_column_privilege(role, class.oid, right_to)
    end
) as granted on true
where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p')
order by class.relname
