-- Every column: its type, and the part that it has in keys.
select
    sch.nspname || '.' || rel.relname as table_name,
    col.attname as column_name,
    format_type(col.atttypid, col.atttypmod) as data_type,
    not col.attnotnull as is_nullable,
    coalesce(bool_or(con.contype = 'p'), false) as is_primary,
    coalesce(bool_or(con.contype = 'f'), false) as is_foreign,
    coalesce(bool_or(con.contype = 'u'), false) as is_unique
from pg_catalog.pg_attribute as col
inner join pg_catalog.pg_class as rel on col.attrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
left join pg_catalog.pg_constraint as con
    on rel.oid = con.conrelid and col.attnum = any(con.conkey) and con.contype in ('p', 'f', 'u')
where
    sch.nspname in ('public', 'private', 'archive')
    and rel.relkind in ('r', 'p')
    and not rel.relispartition
    and col.attnum > 0
    and not col.attisdropped
group by sch.nspname, rel.relname, col.attnum, col.attname, col.atttypid, col.atttypmod, col.attnotnull
order by table_name, col.attnum;
