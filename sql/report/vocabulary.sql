-- Every word in the source of our functions, and PostgreSQL's own tables: what a check says by itself is made of these.
with sources as (
    select coalesce(func.prosrc, '') || ' ' || coalesce(pg_get_function_sqlbody(func.oid), '') as source
    from pg_catalog.pg_proc as func
    inner join pg_catalog.pg_namespace as sch on func.pronamespace = sch.oid
    where sch.nspname in ('public', 'private')
)

select distinct lower((regexp_matches(sources.source, '[[:alpha:]_]+', 'g'))[1]) as word
from sources
union
select rel.relname::text as word
from pg_catalog.pg_class as rel
where rel.relnamespace = 'pg_catalog'::regnamespace
order by word;
