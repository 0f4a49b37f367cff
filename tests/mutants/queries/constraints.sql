-- Not those of a partition: it has them from its parent, or they repeat its bounds, which hold without them.
select
    con.conrelid::int8 as relation,
    con.conname as name,
    pg_catalog.quote_ident(con.conname) as quoted,
    con.contype::text as kind,
    pg_catalog.pg_get_constraintdef(con.oid) as definition,
    con.confdeltype::text as on_delete,
    con.confupdtype::text as on_update,
    array(
        select col.attname from pg_catalog.pg_attribute as col
        where col.attrelid = con.conrelid and col.attnum = any(con.conkey)
    ) as column_names
from pg_catalog.pg_constraint as con
inner join pg_catalog.pg_class as rel on con.conrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive') and con.contype in ('c', 'f', 'p', 'u', 'x')
    and con.conparentid = 0 and con.coninhcount = 0 and not rel.relispartition
order by sch.nspname, rel.relname, con.conname;
