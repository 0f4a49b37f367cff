-- rate_limits.sql: a limiter that does nothing, and how the limits and the counters are set before each measurement.

-- What no limiter can do without: a call that runs with its owner's rights.
create or replace function bench.does_nothing()
returns boolean
language plpgsql
security definer
set search_path = ''
as $$ begin return false; end $$;

create unlogged table if not exists bench.passed (number integer default 1);
grant insert on bench.passed to authenticated;

-- How many rows of the hot user are logged today, and what the day allows.
create or replace procedure bench.set_rate_limits(logged integer, per_minute integer, per_day integer)
language plpgsql
as $$
begin
    truncate bench.passed;
    delete from public.api_usage_logs;
    insert into public.api_usage_logs (user_id, provider, created_at)
    select bench.user_id(1), 'openai', now() - interval '2 minutes' - random() * interval '1 hour'
    from generate_series(1, logged);
    update public.system_config set value = '100000' where key = 'max_api_requests_per_minute';
    update public.system_config set value = '10000000' where key = 'max_api_requests_per_day';
    update public.api_providers set max_requests_per_minute = per_minute, max_requests_per_day = per_day
    where name = 'openai';
    delete from private.rate_limit_counters;
    insert into private.rate_limit_counters (user_id, provider, minute_start, minute_count, day_start, day_count)
    select bench.user_id(1), 'openai', date_trunc('minute', now()), 0, date_trunc('day', now(), 'UTC'), logged;
end
$$;
