-- What a row must obey: checks, foreign keys, unique rules (also partial ones, which are indexes only).
select
    con.conrelid::int8 as relation,
    con.conname as name,
    con.contype::text as kind,
    array(
        select col.attname::text
        from pg_catalog.pg_attribute as col
        where col.attrelid = con.conrelid and col.attnum = any(con.conkey)
        order by array_position(con.conkey, col.attnum)
    ) as column_names,
    pg_catalog.pg_get_constraintdef(con.oid) as definition,
    case when con.confrelid <> 0 then con.confrelid::regclass::text end as target_name,
    false as is_partial
from pg_catalog.pg_constraint as con
where con.conrelid = any(%(relations)s::oid [])
union all
select
    ind.indrelid::int8 as relation,
    rel.relname as name,
    'u' as kind,
    array(
        select col.attname::text
        from pg_catalog.pg_attribute as col
        where col.attrelid = ind.indrelid and col.attnum = any(ind.indkey)
    ) as column_names,
    pg_catalog.pg_get_indexdef(ind.indexrelid) as definition,
    null as target_name,
    ind.indpred is not null as is_partial
from pg_catalog.pg_index as ind
inner join pg_catalog.pg_class as rel on ind.indexrelid = rel.oid
where
    ind.indrelid = any(%(relations)s::oid [])
    and ind.indisunique
    and not exists (
        select
        from pg_catalog.pg_constraint as con
        where con.conindid = ind.indexrelid
    )
order by relation, name;
