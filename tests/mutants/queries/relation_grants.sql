-- What each role of the API could hold on a table or a column of it, and whether it does. Nobody writes by column what
-- is granted on the whole table, so a column has room for a grant only where the table has none.
with api_roles as (
    select rolname::text as role from pg_catalog.pg_roles
    where rolname in ('anon', 'authenticated', 'app_admin', 'service_role')
),

relations as (
    select rel.*, sch.nspname
    from pg_catalog.pg_class as rel
    inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
    where sch.nspname in ('public', 'private', 'archive') and rel.relkind in ('r', 'p', 'v', 'm') and not rel.relispartition
),

on_table as (
    select
        rel.oid,
        who.role,
        what.privilege,
        exists (
            select from pg_catalog.aclexplode(rel.relacl) as acl
            where acl.grantee = who.role::regrole and lower(acl.privilege_type) = what.privilege
        ) as is_held
    from relations as rel
    cross join api_roles as who
    cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
        as what (privilege)
    where rel.relkind in ('r', 'p') or what.privilege = 'select'
),

on_column as (
    select
        rel.oid,
        who.role,
        what.privilege,
        col.attname,
        exists (
            select from pg_catalog.aclexplode(col.attacl) as acl
            where acl.grantee = who.role::regrole and lower(acl.privilege_type) = what.privilege
        ) as is_held
    from relations as rel
    inner join pg_catalog.pg_attribute as col on rel.oid = col.attrelid and col.attnum > 0 and not col.attisdropped
    cross join api_roles as who
    cross join unnest(array['select', 'insert', 'update']) as what (privilege)
    -- In a closed schema a column shows no more than its table.
    where rel.nspname = 'public' and rel.relkind in ('r', 'p')
)

select tab.oid::int8 as relation, tab.role, tab.privilege, null as column_name, null as quoted, tab.is_held
from on_table as tab
where tab.is_held or not exists (
    -- What it has from a role that it is a member of.
    select from on_table as other
    where other.oid = tab.oid and other.privilege = tab.privilege and other.is_held
        and pg_catalog.pg_has_role(tab.role, other.role, 'usage')
)
union all
select col.oid::int8, col.role, col.privilege, col.attname, pg_catalog.quote_ident(col.attname), col.is_held
from on_column as col
where col.is_held or not exists (
    select from on_table as tab
    where tab.oid = col.oid and tab.is_held and tab.privilege = col.privilege
        and pg_catalog.pg_has_role(col.role, tab.role, 'usage')
) and not exists (
    select from on_column as other
    where other.oid = col.oid and other.attname = col.attname and other.privilege = col.privilege and other.is_held
        and pg_catalog.pg_has_role(col.role, other.role, 'usage')
)
order by relation, role, privilege, column_name;
