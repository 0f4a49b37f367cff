-- Every trigger of ours, on our tables and on auth.users, with what its function says it does.
select
    sch.nspname || '.' || rel.relname as table_name,
    trg.tgname as trigger_name,
    regexp_replace(obj_description(trg.tgfoid, 'pg_proc'), '^Trigger: ', '') as description
from pg_catalog.pg_trigger as trg
inner join pg_catalog.pg_class as rel on trg.tgrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
inner join pg_catalog.pg_proc as func on trg.tgfoid = func.oid
inner join pg_catalog.pg_namespace as home on func.pronamespace = home.oid
where
    home.nspname in ('public', 'private')
    and not trg.tgisinternal
    and not rel.relispartition
order by table_name, trigger_name;
