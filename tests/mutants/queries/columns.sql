select
    col.attrelid::int8 as relation,
    col.attname as name,
    pg_catalog.quote_ident(col.attname) as quoted,
    col.attnotnull and not exists (
        select from pg_catalog.pg_index as key
        where key.indrelid = col.attrelid and key.indisprimary and col.attnum = any(key.indkey)
    ) and col.attidentity = '' as is_not_null,
    col.atthasdef and col.attgenerated = '' as has_default
from pg_catalog.pg_attribute as col
inner join pg_catalog.pg_class as rel on col.attrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive') and rel.relkind in ('r', 'p') and not rel.relispartition
    and col.attnum > 0 and not col.attisdropped
order by sch.nspname, rel.relname, col.attnum;
