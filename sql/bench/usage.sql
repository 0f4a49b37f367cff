-- usage.sql: calls that are logged already.
--
-- Settings: bench.first and bench.last, which; bench.users. Run as the superuser: without triggers.

set session_replication_role = replica;

insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    bench.owner_of(number, current_setting('bench.users')::bigint) as user_id,
    (array['openai', 'gemini', 'anthropic'])[1 + number % 3] as provider,
    '/v1/chat/completions' as endpoint,
    number % 2000 as response_time_ms,
    case when number % 50 = 0 then 500 else 200 end as status_code,
    bench.moment(number) as created_at
from generate_series(current_setting('bench.first')::bigint, current_setting('bench.last')::bigint) as number
order by created_at;

reset session_replication_role;
