-- Schemas that are not PostgreSQL's own, and what each role may do there, by whatever way.
select
    sch.nspname as name,
    holder.rolname as owner_name,
    array(
        select actor.role_name
        from unnest(%(roles)s::text []) as actor (role_name)
        where pg_catalog.has_schema_privilege(actor.role_name, sch.oid, 'usage')
    ) as usable_by,
    array(
        select actor.role_name
        from unnest(%(roles)s::text []) as actor (role_name)
        where pg_catalog.has_schema_privilege(actor.role_name, sch.oid, 'create')
    ) as creatable_by
from pg_catalog.pg_namespace as sch
inner join pg_catalog.pg_roles as holder on sch.nspowner = holder.oid
where sch.nspname <> 'information_schema' and sch.nspname not like 'pg\_%%'
order by name;
