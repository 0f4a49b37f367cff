-- What the roles of the contract are by themselves, and whose members.
select
    actor.rolname as name,
    actor.rolbypassrls as bypasses_policies,
    actor.rolcanlogin as logs_in,
    actor.rolinherit as is_inheriting,
    actor.rolsuper or actor.rolcreaterole or actor.rolcreatedb or actor.rolreplication as is_powerful,
    array(
        select parent.rolname::text
        from pg_catalog.pg_auth_members as membership
        inner join pg_catalog.pg_roles as parent on membership.roleid = parent.oid
        where membership.member = actor.oid
        order by parent.rolname
    ) as member_of
from pg_catalog.pg_roles as actor
where actor.rolname = any(%(roles)s)
order by name;
