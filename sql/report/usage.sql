-- Totals by day, from the figures that the daily maintenance works out; not of today, of which there is more to come.
-- No names and no labels: these are what somebody wrote. Prompts of a day are left out when fewer than five users made
-- them, as in get_prompt_analytics().
with calls as (
    select
        day,
        sum(requests) as requests,
        sum(errors) as errors
    from private.usage_daily
    group by day
),

prompts as (
    select
        day,
        prompts,
        failed,
        tokens_used,
        cost_usd
    from private.prompts_daily
    where dimension = 'total' and users >= 5
)

select
    one.started::date as day,
    coalesce(calls.requests, 0) as requests,
    coalesce(calls.errors, 0) as errors,
    coalesce(activity.active_users, 0) as active_users,
    coalesce(activity.sign_ins, 0) as sign_ins,
    prompts.prompts,
    prompts.failed,
    prompts.tokens_used,
    prompts.cost_usd
from generate_series(current_date - 90, current_date - 1, interval '1 day') as one (started)
left join calls on one.started = calls.day
left join private.activity_daily as activity on one.started = activity.day
left join prompts on one.started = prompts.day
order by one.started;
