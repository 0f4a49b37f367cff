-- counting_limiter.sql: the limiter that counts log rows, as it is commonly written: two counts, then an insert.
--
-- It counts public.api_usage_logs, whose index (user_id, created_at) serves it well.

create or replace function bench.count_and_log(provider text)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
    v_user_id uuid := auth.uid();
    v_limits public.api_providers;
    v_count integer;
begin
    select * into v_limits
    from public.api_providers as known
    where known.name = count_and_log.provider and known.is_enabled;

    select count(*) into v_count
    from public.api_usage_logs as log
    where log.user_id = v_user_id
        and log.provider = count_and_log.provider
        and log.created_at > now() - interval '1 minute';
    if v_count >= v_limits.max_requests_per_minute then
        return false;
    end if;

    select count(*) into v_count
    from public.api_usage_logs as log
    where log.user_id = v_user_id
        and log.provider = count_and_log.provider
        and log.created_at > now() - interval '1 day';
    if v_count >= v_limits.max_requests_per_day then
        return false;
    end if;

    insert into public.api_usage_logs (user_id, provider) values (v_user_id, count_and_log.provider);
    return true;
end
$$;
