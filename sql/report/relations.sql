-- Every table that a check may name: partitions and the platform's among them.
select sch.nspname || '.' || rel.relname as relation_name
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive', 'auth') and rel.relkind in ('r', 'p', 'm')
order by sch.nspname, rel.relname;
