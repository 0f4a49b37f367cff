-- Every index that no key constraint made.
select
    sch.nspname || '.' || rel.relname as table_name,
    idx.indexrelid::regclass::text as index_name,
    regexp_replace(pg_get_indexdef(idx.indexrelid), '^.* USING ', '') as definition
from pg_catalog.pg_index as idx
inner join pg_catalog.pg_class as rel on idx.indrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
left join pg_catalog.pg_constraint as con on idx.indexrelid = con.conindid and con.contype in ('p', 'u')
where
    sch.nspname in ('public', 'private', 'archive')
    and not rel.relispartition
    and con.oid is null
order by table_name, index_name;
