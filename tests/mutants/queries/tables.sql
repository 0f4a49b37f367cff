-- Tables of ours, with what the rows of a partition are guarded by.
select
    rel.oid::int8 as oid,
    sch.nspname || '.' || rel.relname as name,
    rel.oid::regclass::text as spelt,
    rel.relispartition as is_partition,
    rel.relrowsecurity as has_row_security
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive') and rel.relkind in ('r', 'p')
order by name;
