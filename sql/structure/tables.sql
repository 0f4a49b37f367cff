-- Every table of ours with its comment. Partitions are left out: their parent stands for them.
select
    sch.nspname || '.' || rel.relname as table_name,
    obj_description(rel.oid, 'pg_class') as description
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where
    sch.nspname in ('public', 'private', 'archive')
    and rel.relkind in ('r', 'p')
    and not rel.relispartition
order by table_name;
