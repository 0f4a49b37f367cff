-- growth.sql: what the workloads of growth.toml look up: some prompts of the heavy user, and where his 100th page ends.
--
-- Run as postgres.

create table bench.some_prompts as
select
    row_number() over (order by history.id) - 1 as number,
    history.id
from public.prompt_history as history
where history.user_id = bench.user_id(1)
order by history.id
limit 1000;

create unique index some_prompts_number on bench.some_prompts (number);

create table bench.deep_page as
select
    placed.number,
    placed.id,
    placed.created_at
from (
    select
        history.id,
        history.created_at,
        row_number() over (order by history.created_at desc, history.id desc) as number,
        count(*) over () as total
    from public.prompt_history as history
    where history.user_id = bench.user_id(1)
) as placed
where placed.number = least(5000, placed.total / 2);

grant select on bench.some_prompts, bench.deep_page to authenticated;

-- Nobody is denied.
update public.system_config set value = '100000'
where key = 'max_api_requests_per_minute';
update public.system_config set value = '10000000'
where key = 'max_api_requests_per_day';
update public.api_providers set max_requests_per_minute = 100000, max_requests_per_day = 10000000;

analyze bench.some_prompts;
analyze bench.deep_page;
