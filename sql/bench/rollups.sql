-- rollups.sql: days full of calls.

create or replace procedure bench.log_calls(per_day bigint, first_day integer, last_day integer, users bigint)
language sql
as $$
    insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
    select
        bench.user_id(1 + (number * 7919 + days_ago) % users),
        (array['openai', 'gemini', 'anthropic'])[1 + number % 3],
        '/v1/chat/completions',
        (number * 31) % 5000,
        case when number % 50 = 0 then 500 else 200 end,
        -- The first half of a day: today's is not over.
        date_trunc('day', now(), 'UTC') - make_interval(days => days_ago) + number * interval '12 hours' / per_day
    from generate_series(last_day, first_day, -1) as days_ago
    cross join generate_series(1, per_day) as number
$$;

create or replace procedure bench.log_new_calls(calls bigint, users bigint)
language sql
as $$
    insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code)
    select
        bench.user_id(1 + (number * 6007) % users),
        (array['openai', 'gemini', 'anthropic'])[1 + number % 3],
        '/new',
        (number * 37) % 5000,
        200
    from generate_series(1, calls) as number
$$;

truncate public.api_usage_logs;
