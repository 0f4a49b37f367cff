-- Those that no constraint owns.
select
    rel.oid::int8 as relation,
    idx.indexrelid::regclass::text as spelt,
    cls.relname as name
from pg_catalog.pg_index as idx
inner join pg_catalog.pg_class as cls on idx.indexrelid = cls.oid
inner join pg_catalog.pg_class as rel on idx.indrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive') and idx.indisunique and not cls.relispartition
    and not exists (select from pg_catalog.pg_constraint as con where con.conindid = idx.indexrelid)
order by rel.relname, cls.relname;
