-- Every right that somebody else than its owner holds on something of ours, as it was granted. The column of a table
-- right is null. An empty grantee is PUBLIC.
with held as (
    select
        'relation' as kind,
        rel.oid,
        rel.oid::regclass::text as name,
        null::text as column_name,
        rel.relowner as owner_oid,
        rel.relacl as acl
    from pg_catalog.pg_class as rel
    inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
    where sch.nspname = any(%(schemas)s) and rel.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select
        'relation' as kind,
        rel.oid,
        rel.oid::regclass::text as name,
        col.attname::text as column_name,
        rel.relowner as owner_oid,
        col.attacl as acl
    from pg_catalog.pg_attribute as col
    inner join pg_catalog.pg_class as rel on col.attrelid = rel.oid
    inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
    where sch.nspname = any(%(schemas)s) and col.attacl is not null and not col.attisdropped
    union all
    select
        'function' as kind,
        pro.oid,
        pro.oid::regprocedure::text as name,
        null::text as column_name,
        pro.proowner as owner_oid,
        coalesce(pro.proacl, pg_catalog.acldefault('f', pro.proowner)) as acl
    from pg_catalog.pg_proc as pro
    inner join pg_catalog.pg_namespace as sch on pro.pronamespace = sch.oid
    where sch.nspname = any(%(schemas)s)
    union all
    select
        'default' as kind,
        def.oid,
        coalesce(sch.nspname::text, 'every schema') as name,
        def.defaclobjtype::text as column_name,
        def.defaclrole as owner_oid,
        def.defaclacl as acl
    from pg_catalog.pg_default_acl as def
    left join pg_catalog.pg_namespace as sch on def.defaclnamespace = sch.oid
    -- What an object in public is born with is the platform's to say, and ours to take back.
    where sch.nspname is null or (sch.nspname = any(%(schemas)s) and sch.nspname <> 'public')
)

select
    held.kind,
    held.oid::int8 as oid,
    held.name,
    held.column_name,
    coalesce(grantee.rolname, '') as grantee,
    lower(acl.privilege_type) as privilege,
    acl.is_grantable
from held
cross join lateral pg_catalog.aclexplode(held.acl) as acl
left join pg_catalog.pg_roles as grantee on acl.grantee = grantee.oid
where acl.grantee <> held.owner_oid
order by held.name, held.column_name, grantee.rolname, acl.privilege_type;
