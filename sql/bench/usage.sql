-- usage.sql: calls that are logged already: in ours, in a bare heap and in the rulebook's table.
--
-- After baseline/bare_heap.sql and the rulebook's tables.
-- Settings: bench.logged, how many rows each holds before.

-- What no log that its subject cannot write can do without: a call that runs with its owner's rights, and one row.
create or replace function bench.logs_into_heap(
    provider text, endpoint text, request_size integer, response_size integer, response_time_ms integer,
    status_code integer
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    insert into bench.bare_usage_logs (
        user_id, provider, endpoint, request_size, response_size, response_time_ms, status_code
    )
    values (auth.uid(), $1, $2, $3, $4, $5, $6);
end
$$;

truncate bench.bare_usage_logs, rulebook.api_usage_logs;

insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    bench.user_id(1 + number % current_setting('bench.users')::bigint) as user_id,
    (array['openai', 'gemini', 'anthropic'])[1 + number % 3] as provider,
    '/v1/chat/completions' as endpoint,
    number % 2000 as response_time_ms,
    200 as status_code,
    now() - number * interval '100 milliseconds' as created_at
from generate_series(1, current_setting('bench.logged')::bigint) as number;

insert into bench.bare_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    log.user_id,
    log.provider,
    log.endpoint,
    log.response_time_ms,
    log.status_code,
    log.created_at
from public.api_usage_logs as log;

insert into rulebook.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    log.user_id,
    log.provider,
    log.endpoint,
    log.response_time_ms,
    log.status_code,
    log.created_at
from public.api_usage_logs as log;

analyze public.api_usage_logs;
analyze bench.bare_usage_logs;
analyze rulebook.api_usage_logs;
