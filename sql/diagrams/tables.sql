-- Every table of ours: whether policies guard it, and whether it is cut into partitions.
select
    sch.nspname || '.' || rel.relname as table_name,
    rel.relrowsecurity as has_row_security,
    rel.relkind = 'p' as is_partitioned,
    obj_description(rel.oid, 'pg_class') as description
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where
    sch.nspname in ('public', 'private', 'archive')
    and rel.relkind in ('r', 'p')
    and not rel.relispartition
order by table_name;
