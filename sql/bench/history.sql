-- history.sql: prompts to page and to search: one in 20,000 holds a rare word, every second a common one.
--
-- Settings: bench.first and bench.last, which; bench.users, bench.prompts. Run as the superuser: without triggers.

set session_replication_role = replica;
-- The words of many prompts, indexed at once by the VACUUM that follows.
set gin_pending_list_limit = '1GB';

with added as (
    insert into public.prompt_history (
        user_id, framework_id, framework_name, model, provider, user_input, ai_response, status, created_at, updated_at
    )
    select
        bench.owner_of(series.number, current_setting('bench.users')::bigint) as user_id,
        'roses' as framework_id,
        'R.O.S.E.S' as framework_name,
        'gpt-4o' as model,
        'openai' as provider,
        phrase.user_input,
        phrase.ai_response,
        case series.number % 33 when 5 then 'pending' when 6 then 'failed' else 'completed' end as status,
        bench.moment(series.number) as created_at,
        bench.moment(series.number) as updated_at
    from
        generate_series(
            current_setting('bench.first')::bigint, current_setting('bench.last')::bigint
        ) as series (number)
    inner join bench.texts as phrase
        on phrase.number = series.number % least(20000, current_setting('bench.prompts')::bigint)
    order by created_at
    returning id, user_id, created_at, ai_response
)

insert into private.prompt_search (history_id, user_id, created_at, words)
select
    added.id,
    added.user_id,
    added.created_at,
    phrase.words
from added
inner join bench.texts as phrase on added.ai_response = phrase.ai_response;

reset gin_pending_list_limit;
reset session_replication_role;
