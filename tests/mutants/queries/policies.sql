select
    rel.oid::int8 as relation,
    policy.polname as name,
    pg_catalog.quote_ident(policy.polname) as quoted,
    policy.polpermissive as is_permissive,
    pg_catalog.pg_get_expr(policy.polqual, policy.polrelid) as using_text,
    pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid) as check_text,
    array(
        select case member when 0 then 'public' else member::regrole::text end
        from unnest(policy.polroles) as member
    ) as roles
from pg_catalog.pg_policy as policy
inner join pg_catalog.pg_class as rel on policy.polrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
where sch.nspname in ('public', 'private', 'archive')
order by sch.nspname, rel.relname, policy.polname;
