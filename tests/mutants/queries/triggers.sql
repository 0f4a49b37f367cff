-- On tables of ours, and ours on tables of the platform.
select
    rel.oid::int8 as relation,
    sch.nspname || '.' || rel.relname as table_name,
    rel.oid::regclass::text as table_spelt,
    trg.tgname as name,
    pg_catalog.quote_ident(trg.tgname) as quoted,
    pro.proname as function_name
from pg_catalog.pg_trigger as trg
inner join pg_catalog.pg_class as rel on trg.tgrelid = rel.oid
inner join pg_catalog.pg_namespace as sch on rel.relnamespace = sch.oid
inner join pg_catalog.pg_proc as pro on trg.tgfoid = pro.oid
inner join pg_catalog.pg_namespace as home on pro.pronamespace = home.oid
where not trg.tgisinternal and trg.tgparentid = 0 and home.nspname in ('public', 'private', 'archive')
order by table_name, trg.tgname;
