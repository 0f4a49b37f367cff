-- history.sql: prompts to search: one user has 46 of each 1,000, one prompt in 20,000 holds a rare word, every second a
-- common one.
--
-- Settings: bench.prompts, how many. Run as the superuser: without triggers, so that the words are indexed in one go.

set session_replication_role = replica;

insert into public.prompt_history (
    user_id, framework_id, framework_name, model, provider, user_input, ai_response, status, created_at
)
select
    bench.user_id(
        case when number % 1000 < 46 then 1 else 2 + number % (current_setting('bench.users')::bigint - 1) end
    ) as user_id,
    'roses' as framework_id,
    'R.O.S.E.S' as framework_name,
    'gpt-4o' as model,
    'openai' as provider,
    (
        select string_agg('word' || (5000 * power((hashint8(number * 31 + place) & 65535) / 65536.0, 3))::integer, ' ')
        from generate_series(1, 12) as place
    )
    || case when number % 20000 = 7 then ' zyzzyva' else '' end
    || case when number % 2 = 0 then ' common' else '' end as user_input,
    'A short answer, number ' || number || '.' as ai_response,
    'completed' as status,
    now() - number * interval '20 seconds' as created_at
from generate_series(1, current_setting('bench.prompts')::bigint) as number;

insert into private.prompt_search (history_id, user_id, created_at, words)
select
    history.id,
    history.user_id,
    history.created_at,
    setweight(to_tsvector('pg_catalog.simple', private.searchable(history.user_input)), 'A')
    || setweight(to_tsvector('pg_catalog.english', private.searchable(history.user_input)), 'B')
    || setweight(to_tsvector('pg_catalog.english', private.searchable(history.ai_response)), 'C')
    || setweight(to_tsvector('pg_catalog.simple', private.searchable(history.ai_response)), 'D') as words
from public.prompt_history as history;

reset session_replication_role;
