-- upgrade.sql: much history in a legacy installation, which is in this database already. How much: bench.prompts.
insert into auth.users (id, email)
select
    format('00000000-0000-4000-8000-%s', lpad(number::text, 12, '0'))::uuid as id,
    number || '@example.com' as email
from generate_series(1, 1000) as number;

insert into public.prompt_history (
    user_id, framework_id, framework_name, model, user_input, ai_response, status, created_at, updated_at
)
select
    format('00000000-0000-4000-8000-%s', lpad((1 + number % 1000)::text, 12, '0'))::uuid as user_id,
    'roses' as framework_id,
    'R.O.S.E.S' as framework_name,
    'openai' as model,
    'Prompt ' || number || repeat(' and some words more', 10) as user_input,
    'Answer ' || number || repeat(' and what it says', 20) as ai_response,
    'completed' as status,
    now() - make_interval(secs => number) as created_at,
    now() - make_interval(secs => number) as updated_at
from generate_series(1, current_setting('bench.prompts')::integer) as number;

analyze public.prompt_history;
