select
    pro.oid::int8 as oid,
    pg_catalog.format(
        '%%s.%%s(%%s)', sch.nspname, pro.proname, pg_catalog.oidvectortypes(pro.proargtypes)
    ) as name,
    pg_catalog.format(
        '%%I.%%I(%%s)', sch.nspname, pro.proname, pg_catalog.pg_get_function_identity_arguments(pro.oid)
    ) as spelt,
    pro.proname as short,
    pro.prokind::text as kind,
    pro.prosecdef as is_definer,
    pro.prorettype = 'boolean'::regtype as answers_boolean,
    array(select split_part(setting, '=', 1) from unnest(pro.proconfig) as setting) as settings,
    case when pro.prokind <> 'a' then pg_catalog.pg_get_functiondef(pro.oid) end as definition,
    coalesce(pg_catalog.pg_get_function_sqlbody(pro.oid), pro.prosrc) as body,
    array(
        select coalesce(grantee.rolname::text, 'public')
        from pg_catalog.aclexplode(coalesce(pro.proacl, pg_catalog.acldefault('f', pro.proowner))) as acl
        left join pg_catalog.pg_roles as grantee on acl.grantee = grantee.oid
        where acl.grantee <> pro.proowner
        order by 1
    ) as granted_to,
    -- Put in the place of the call, it is seen nowhere: what it is part of is seen.
    array(
        select distinct pg_catalog.format('%%s.%%s', parent.nspname, rel.relname)
        from pg_catalog.pg_depend as bond
        inner join pg_catalog.pg_trigger as tgr on bond.classid = 'pg_trigger'::regclass and bond.objid = tgr.oid
        inner join pg_catalog.pg_class as rel on tgr.tgrelid = rel.oid
        inner join pg_catalog.pg_namespace as parent on rel.relnamespace = parent.oid
        where bond.refclassid = 'pg_proc'::regclass and bond.refobjid = pro.oid
            and lan.lanname = 'sql' and pro.proconfig is null
    ) as seen_in
from pg_catalog.pg_proc as pro
inner join pg_catalog.pg_namespace as sch on pro.pronamespace = sch.oid
inner join pg_catalog.pg_language as lan on pro.prolang = lan.oid
where sch.nspname in ('public', 'private', 'archive')
order by name;
