-- Triggers that somebody wrote, when they fire, and their state: O origin, D disabled, A always, R replica.
select
    trg.tgrelid::int8 as relation,
    trg.tgname as name,
    trg.tgenabled::text as state,
    pg_catalog.pg_get_triggerdef(trg.oid) as definition
from pg_catalog.pg_trigger as trg
where trg.tgrelid = any(%(relations)s::oid []) and not trg.tgisinternal
order by trg.tgrelid, trg.tgname;
