-- Every function that only triggers call, with the number of triggers that do.
select
    sch.nspname as schema_name,
    func.proname || '()' as signature,
    'trigger' as result,
    case func.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
    case when func.prosecdef then 'definer' else 'invoker' end as security,
    null as callers,
    obj_description(func.oid, 'pg_proc') as description
from pg_catalog.pg_proc as func
inner join pg_catalog.pg_namespace as sch on func.pronamespace = sch.oid
where
    sch.nspname in ('public', 'private', 'archive')
    and func.prorettype = 'trigger'::regtype
order by sch.nspname desc, signature asc;
