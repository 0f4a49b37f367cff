-- Tables, views, materialized views, foreign tables and sequences of the schemas in question.
select
    rel.oid::int8 as oid,
    rel.oid::regclass::text as name,
    rel.relkind::text as kind,
    holder.rolname as owner_name,
    rel.relrowsecurity as has_row_security,
    parent.inhparent::int8 as parent,
    coalesce(primary_key.column_names, array[]::text[]) as key,
    rewriting.has_rules,
    pg_catalog.pg_get_expr(rel.relpartbound, rel.oid) as bound,
    array(
        select col.attname::text
        from pg_catalog.pg_partitioned_table as part
        inner join pg_catalog.pg_attribute as col on part.partrelid = col.attrelid and col.attnum = any(part.partattrs)
        where part.partrelid = parent.inhparent
    ) as partitioned_by
from pg_catalog.pg_class as rel
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
inner join pg_catalog.pg_roles as holder on rel.relowner = holder.oid
left join pg_catalog.pg_inherits as parent on rel.oid = parent.inhrelid
cross join
    lateral (
        select coalesce(bool_or(rew.rulename <> '_RETURN'), false) as has_rules
        from pg_catalog.pg_rewrite as rew
        where rew.ev_class = rel.oid
    ) as rewriting
left join lateral (
    select array_agg(col.attname::text order by array_position(con.conkey, col.attnum)) as column_names
    from pg_catalog.pg_constraint as con
    inner join pg_catalog.pg_attribute as col on con.conrelid = col.attrelid and col.attnum = any(con.conkey)
    where con.conrelid = rel.oid and con.contype = 'p'
) as primary_key on true
where
    sch.nspname = any(%(schemas)s)
    and rel.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and not exists (
        select from pg_catalog.pg_depend as dep
        where dep.classid = 'pg_catalog.pg_class'::regclass and dep.objid = rel.oid and dep.deptype = 'e'
    )
order by name;
