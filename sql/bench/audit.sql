-- audit.sql: one table three times: with nothing on it, with the audit of ours, with the trigger that one finds.
--
-- Run as postgres, after load.sql. Deterministic.

create table bench.unaudited (
    id uuid primary key,
    number integer not null unique,
    name varchar(100) not null,
    description text,
    template text not null,
    components jsonb not null,
    examples jsonb,
    is_enabled boolean not null default true,
    sort_order integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
) with (fillfactor = 70);

insert into bench.unaudited (id, number, name, description, template, components)
select
    bench.user_id(number) as id,
    number,
    'row ' || number as name,
    repeat('description ', 8) as description,
    repeat('a text of some length, ', 15) as template,
    '[{"name": "task", "label": "Task", "description": "What to do.", "required": true}]'::jsonb as components
from generate_series(1, 20000) as number;

create table bench.audited (like bench.unaudited including all) with (fillfactor = 70);
insert into bench.audited (id, number, name, description, template, components)
select
    original.id,
    original.number,
    original.name,
    original.description,
    original.template,
    original.components
from bench.unaudited as original;

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

grant select, update on bench.unaudited, bench.audited, bench.commonly_audited to authenticated;

create trigger update_unaudited_updated_at
before update on bench.unaudited
for each row execute function public.update_updated_at_column();

create trigger update_audited_updated_at
before update on bench.audited
for each row execute function public.update_updated_at_column();

create trigger update_commonly_audited_updated_at
before update on bench.commonly_audited
for each row execute function public.update_updated_at_column();

-- As in 07.
select private.audit_updates(
    'bench.audited',
    array['number', 'name', 'description', 'template', 'components', 'examples', 'is_enabled', 'sort_order']
);

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

analyze bench.unaudited;
analyze bench.audited;
analyze bench.commonly_audited;
