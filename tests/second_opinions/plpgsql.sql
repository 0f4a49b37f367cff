-- One row for each function, and for each trigger of one; as many as there are complaints, where there are any.
with functions as (
    select
        proc.oid,
        proc.prorettype = 'trigger'::regtype as is_trigger,
        trigger.tgrelid,
        trigger.tgoldtable,
        trigger.tgnewtable
    from pg_proc as proc
    inner join pg_namespace as schema on proc.pronamespace = schema.oid
    inner join pg_language as language on proc.prolang = language.oid
    left join pg_trigger as trigger on proc.oid = trigger.tgfoid
    where schema.nspname in ('public', 'private', 'archive') and language.lanname = 'plpgsql'
)

select distinct
    concat_ws(' on ', functions.oid::regproc, functions.tgrelid::regclass) as name,
    functions.is_trigger,
    complaint.sqlstate,
    complaint.message
from functions
left join lateral extensions.plpgsql_check_function_tb(
    functions.oid,
    coalesce(functions.tgrelid, 0),
    fatal_errors := false,
    extra_warnings := true,
    performance_warnings := false,
    security_warnings := true,
    oldtable := functions.tgoldtable,
    newtable := functions.tgnewtable
) as complaint on true
order by name, complaint.sqlstate, complaint.message
