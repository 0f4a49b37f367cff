-- Every function that is not a trigger: how it runs, who may call it by name, what it does.
select
    sch.nspname as schema_name,
    func.proname || '(' || pg_get_function_arguments(func.oid) || ')' as signature,
    pg_get_function_result(func.oid) as result,
    case func.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
    case when func.prosecdef then 'definer' else 'invoker' end as security,
    string_agg(actor.role_name, ', ' order by actor.place) filter (
        where has_function_privilege(actor.role_name, func.oid, 'execute')
        and has_schema_privilege(actor.role_name, sch.oid, 'usage')
    ) as callers,
    obj_description(func.oid, 'pg_proc') as description
from pg_catalog.pg_proc as func
inner join pg_catalog.pg_namespace as sch on func.pronamespace = sch.oid
cross join (
    values ('anon', 1), ('authenticated', 2), ('app_admin', 3), ('service_role', 4)
) as actor (role_name, place)
where
    sch.nspname in ('public', 'private', 'archive')
    and func.prorettype <> 'trigger'::regtype
group by func.oid, sch.nspname
order by sch.nspname desc, signature asc;
