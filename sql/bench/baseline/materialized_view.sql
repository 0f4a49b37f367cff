-- materialized_view.sql: the figures as one would have them otherwise: by user, over all calls.
--
-- After rollups.sql.

create materialized view if not exists bench.user_usage as
select
    log.user_id,
    log.provider,
    (log.created_at at time zone 'utc')::date as day,
    count(*) as requests,
    count(*) filter (where log.status_code >= 400 or log.error_message is not null) as errors
from public.api_usage_logs as log
group by log.user_id, log.provider, (log.created_at at time zone 'utc')::date;

create unique index if not exists user_usage_key on bench.user_usage (user_id, provider, day);
