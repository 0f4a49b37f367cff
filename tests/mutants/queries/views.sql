select rel.oid::regclass::text as spelt, sch.nspname || '.' || rel.relname as name, rel.relkind::text as kind
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive') and rel.relkind in ('v', 'm')
order by name;
