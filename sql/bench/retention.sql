-- retention.sql: ten months of usage logs, by month as we keep them and in one table.
--
-- After baseline/delete_retention.sql. How many rows: an argument.

-- Where the three oldest months end.
create or replace function bench.retention_ends()
returns timestamptz
language sql
stable
as $$ select (date_trunc('month', now() at time zone 'utc') - interval '7 months') at time zone 'utc' $$;

create or replace procedure bench.fill_usage_logs(row_count bigint)
language plpgsql
as $$
declare
    v_first timestamptz := bench.retention_ends() - interval '3 months';
    v_month record;
begin
    for v_month in select month.relation from private.usage_months('public.api_usage_logs') as month loop
        execute format('drop table %s', v_month.relation);
    end loop;
    truncate private.api_usage_logs_default, bench.plain_usage_logs;
    perform private.ensure_api_usage_months((v_first at time zone 'utc')::date, 14);

    insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
    select
        bench.user_id(1 + number % 1000),
        'openai',
        '/v1/chat/completions',
        number % 2000,
        200,
        v_first + (now() - v_first) * (number::float / row_count)
    from generate_series(0, row_count - 1) as number;
    insert into bench.plain_usage_logs
    select log.* from public.api_usage_logs as log;

    update public.system_config
    set value = to_jsonb(extract(day from now() - bench.retention_ends())::integer - 1)
    where key = 'retention_days_api_usage_logs';
    update public.system_config
    set value = 'false'
    where key = 'archive_enabled';
end
$$;
