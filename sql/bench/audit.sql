-- audit.sql: one table twice: with nothing on it, and with the audit of ours.
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

grant select, update on bench.unaudited, bench.audited to authenticated;

create trigger update_unaudited_updated_at
before update on bench.unaudited
for each row execute function public.update_updated_at_column();

create trigger update_audited_updated_at
before update on bench.audited
for each row execute function public.update_updated_at_column();

-- As in 07.
select private.audit_updates(
    'bench.audited',
    array['number', 'name', 'description', 'template', 'components', 'examples', 'is_enabled', 'sort_order']
);

analyze bench.unaudited;
analyze bench.audited;
