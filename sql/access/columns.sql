-- Columns of tables and views, with what a value must be to fit.
select
    col.attrelid::int8 as relation,
    col.attname as name,
    pg_catalog.quote_ident(col.attname) as quoted,
    pg_catalog.format_type(col.atttypid, col.atttypmod) as type_name,
    base.typname as base_type,
    base.typtype = 'e' as is_enum,
    col.attnotnull as is_not_null,
    col.atthasdef as has_default,
    col.attgenerated <> '' or col.attidentity = 'a' as is_generated,
    case when col.attgenerated = '' then pg_catalog.pg_get_expr(def.adbin, def.adrelid) end as default_value,
    case
        when base.typname in ('varchar', 'bpchar') and col.atttypmod > 4 then col.atttypmod - 4
    end as max_length,
    array(
        select enu.enumlabel::text
        from pg_catalog.pg_enum as enu
        where enu.enumtypid = base.oid
        order by enu.enumsortorder
    ) as labels
from pg_catalog.pg_attribute as col
inner join pg_catalog.pg_type as given on col.atttypid = given.oid
inner join pg_catalog.pg_type as base on coalesce(nullif(given.typbasetype, 0), given.oid) = base.oid
left join pg_catalog.pg_attrdef as def on col.attrelid = def.adrelid and col.attnum = def.adnum
where
    col.attrelid = any(%(relations)s::oid [])
    and col.attnum > 0
    and not col.attisdropped
order by col.attrelid, col.attnum;
