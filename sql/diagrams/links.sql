-- Every foreign key: from which column of which table, to which table; whether there may be none, or at most one.
select
    sch.nspname || '.' || rel.relname as table_name,
    other_sch.nspname || '.' || other.relname as target_name,
    col.attname as column_name,
    not col.attnotnull as is_optional,
    exists(
        select 1 from pg_catalog.pg_constraint as one
        where one.conrelid = con.conrelid and one.contype in ('p', 'u') and one.conkey <@ con.conkey
    ) as is_single
from pg_catalog.pg_constraint as con
inner join pg_catalog.pg_class as rel on con.conrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
inner join pg_catalog.pg_class as other on con.confrelid = other.oid
inner join pg_catalog.pg_namespace as other_sch on other.relnamespace = other_sch.oid
inner join pg_catalog.pg_attribute as col on con.conrelid = col.attrelid and con.conkey[1] = col.attnum
where
    con.contype = 'f'
    and sch.nspname in ('public', 'private', 'archive')
    and not rel.relispartition
    and not other.relispartition
order by table_name, column_name, target_name;
