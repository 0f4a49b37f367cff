-- audit_snippet.sql: the same table with the trigger that one finds.
--
-- After audit.sql.

create table bench.commonly_audited (like bench.unaudited including all) with (fillfactor = 70);
insert into bench.commonly_audited (id, number, name, description, template, components)
select
    original.id,
    original.number,
    original.name,
    original.description,
    original.template,
    original.components
from bench.unaudited as original;

grant select, update on bench.commonly_audited to authenticated;

create trigger update_commonly_audited_updated_at
before update on bench.commonly_audited
for each row execute function public.update_updated_at_column();

-- What one finds when one looks for an audit trigger: for each row, the two sets of pairs compared by a full join.
create table bench.common_log (like public.audit_log including all);

create or replace function bench.tg_common_audit()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_changes jsonb;
begin
    select jsonb_object_agg(
        coalesce(before.key, after.key), jsonb_build_object('old', before.value, 'new', after.value)
    )
    into v_changes
    from jsonb_each(to_jsonb(old)) as before
    full join jsonb_each(to_jsonb(new)) as after on before.key = after.key
    where before.value is distinct from after.value;

    insert into bench.common_log (actor_id, actor_role, action, table_name, row_id, changes, ip_address, user_agent)
    values (
        auth.uid(), session_user, 'update', tg_table_name, new.id, v_changes, inet_client_addr(),
        current_setting('application_name')
    );
    return null;
end
$$;

create trigger audit_commonly
after update on bench.commonly_audited
for each row execute function bench.tg_common_audit();

analyze bench.commonly_audited;
