-- Policies with their roles; an empty one is PUBLIC.
select
    pol.polrelid::int8 as relation,
    pol.polname as name,
    case pol.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
    end as command,
    pol.polpermissive as is_permissive,
    array(
        select coalesce(actor.rolname::text, '')
        from unnest(pol.polroles) as grantee (oid)
        left join pg_catalog.pg_roles as actor on grantee.oid = actor.oid
        order by actor.rolname
    ) as roles
from pg_catalog.pg_policy as pol
inner join pg_catalog.pg_class as rel on pol.polrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname = any(%(schemas)s)
order by pol.polrelid, pol.polname;
