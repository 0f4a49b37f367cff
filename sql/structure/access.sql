-- What each API role holds on each table, inherited or not: the command alone for every column, else the columns.
select
    sch.nspname || '.' || rel.relname as table_name,
    actor.role_name,
    string_agg(
        privilege_of.command || case
            when has_table_privilege(actor.role_name, rel.oid, privilege_of.command) then ''
            else ' (' || some_columns.names || ')'
        end,
        ', '
        order by privilege_of.place
    ) as privileges
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
cross join (
    values ('anon', 1), ('authenticated', 2), ('app_admin', 3), ('service_role', 4)
) as actor (role_name, place)
cross join (
    values ('select', 1), ('insert', 2), ('update', 3), ('delete', 4)
) as privilege_of (command, place)
cross join
    lateral (
        select string_agg(col.attname, ', ' order by col.attnum) as names
        from pg_catalog.pg_attribute as col
        where
            col.attrelid = rel.oid
            and col.attnum > 0
            and not col.attisdropped
            and privilege_of.command <> 'delete'
            -- CASE, because DELETE is no privilege of a column and would be an error.
            and has_column_privilege(
                actor.role_name,
                rel.oid,
                col.attnum,
                case privilege_of.command when 'delete' then 'select' else privilege_of.command end
            )
    ) as some_columns
where
    sch.nspname in ('public', 'private', 'archive')
    and rel.relkind in ('r', 'p')
    and not rel.relispartition
    and (
        has_table_privilege(actor.role_name, rel.oid, privilege_of.command)
        or some_columns.names is not null
    )
group by sch.nspname, rel.relname, actor.role_name, actor.place
order by table_name, actor.place;
