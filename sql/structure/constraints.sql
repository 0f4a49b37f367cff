-- Every constraint by its name, which is what a client sees in an error: keys first, then checks.
select
    sch.nspname || '.' || rel.relname as table_name,
    con.conname as constraint_name,
    pg_get_constraintdef(con.oid, true) as definition
from pg_catalog.pg_constraint as con
inner join pg_catalog.pg_class as rel on con.conrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where
    sch.nspname in ('public', 'private', 'archive')
    and not rel.relispartition
    and con.contype in ('p', 'u', 'f', 'c')
order by table_name, array_position(array['p', 'u', 'f', 'c'], con.contype::text), constraint_name;
