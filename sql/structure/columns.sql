-- Every column: type, whether it may be null, default, comment.
select
    sch.nspname || '.' || rel.relname as table_name,
    col.attname as column_name,
    format_type(col.atttypid, col.atttypmod) as data_type,
    not col.attnotnull as is_nullable,
    pg_get_expr(preset.adbin, preset.adrelid) as default_value,
    col_description(rel.oid, col.attnum) as description
from pg_catalog.pg_attribute as col
inner join pg_catalog.pg_class as rel on col.attrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
left join pg_catalog.pg_attrdef as preset on rel.oid = preset.adrelid and col.attnum = preset.adnum
where
    sch.nspname in ('public', 'private', 'archive')
    and rel.relkind in ('r', 'p')
    and not rel.relispartition
    and col.attnum > 0
    and not col.attisdropped
order by table_name, col.attnum;
