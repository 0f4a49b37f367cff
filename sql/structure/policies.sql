-- Every policy: what it is for, whom it is for, which rows it opens.
select
    pol.schemaname || '.' || pol.tablename as table_name,
    pol.policyname as policy_name,
    lower(pol.cmd) as command,
    lower(pol.permissive) = 'restrictive' as is_restrictive,
    array_to_string(pol.roles, ', ') as roles,
    regexp_replace(coalesce(pol.qual, pol.with_check), '\s+', ' ', 'g') as row_condition
from pg_catalog.pg_policies as pol
inner join pg_catalog.pg_namespace as sch on pol.schemaname = sch.nspname
inner join pg_catalog.pg_class as rel on sch.oid = rel.relnamespace and pol.tablename = rel.relname
where
    pol.schemaname in ('public', 'private', 'archive')
    and not rel.relispartition
order by
    table_name, array_position(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'ALL'], pol.cmd), policy_name;
