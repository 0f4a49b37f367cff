-- Functions, procedures and aggregates of the schemas in question.
select
    pro.oid::int8 as oid,
    pro.oid::regprocedure::text as name,
    holder.rolname as owner_name,
    pro.prosecdef as is_definer,
    pro.provolatile = 'v' as is_volatile,
    pro.prokind::text as kind,
    coalesce(pro.proargnames, array[]::text[]) as argument_names,
    array(
        select pg_catalog.format_type(argument.type_oid, null)
        from unnest(pro.proargtypes) with ordinality as argument (type_oid, place)
        order by argument.place
    ) as argument_types,
    pro.pronargdefaults as default_count
from pg_catalog.pg_proc as pro
inner join pg_catalog.pg_namespace as sch on pro.pronamespace = sch.oid
inner join pg_catalog.pg_roles as holder on pro.proowner = holder.oid
where
    sch.nspname = any(%(schemas)s)
    and not exists (
        select from pg_catalog.pg_depend as dep
        where dep.classid = 'pg_catalog.pg_proc'::regclass and dep.objid = pro.oid and dep.deptype = 'e'
    )
order by name;
