-- history.sql: the history of a legacy installation of shape B or C.
insert into public.prompt_history (
    id, user_id, framework_id, framework_name, model, user_input, ai_response, tone, length, vibe_coding, status,
    created_at, updated_at
)
values
    ('00000000-0000-4000-d000-000000000001', '00000000-0000-4000-a000-000000000001', 'roses', 'R.O.S.E.S', 'openai',
        'Write a haiku.', 'An old silent pond', 'professional', 'medium', false, 'completed',
        now() - interval '200 days', now() - interval '200 days'),
    ('00000000-0000-4000-d000-000000000002', '00000000-0000-4000-a000-000000000001', 'ape', 'A.P.E', 'gemini',
        'Ünïcödé 日本語 🙂 ' || E'tab\there', 'Generation failed: timeout', null, null, null, 'failed',
        now() - interval '10 days', now() - interval '10 days'),
    ('00000000-0000-4000-d000-000000000003', '00000000-0000-4000-a000-000000000001', 'tag', 'T.A.G', 'anthropic',
        'Left alone.', 'Generating...', 'casual', 'short', true, 'generating', now() - interval '9 days',
        now() - interval '9 days'),
    ('00000000-0000-4000-d000-000000000004', '00000000-0000-4000-a000-000000000002', 'homemade', 'Home made', 'gpt-4',
        'No status.', 'An answer.', 'formal', 'long', true, null, now() - interval '8 days', now()),
    ('00000000-0000-4000-d000-000000000005', '00000000-0000-4000-a000-000000000002', 'era', 'E.R.A',
        'claude-3-sonnet-20240229', 'Whose model?', 'Anthropic''s.', 'creative', 'detailed', false, 'completed',
        now() - interval '7 days', now()),
    ('00000000-0000-4000-d000-000000000006', '00000000-0000-4000-a000-000000000002', 'era', 'E.R.A', 'llama-3',
        'Whose model?', 'Nobody knows.', '', '', false, 'completed', now() - interval '6 days', now()),
    -- More than the new schema takes.
    ('00000000-0000-4000-d000-000000000007', '00000000-0000-4000-a000-000000000002', 'race', 'R.A.C.E', 'openai',
        repeat('ten bytes ', 104858), 'Too long.', null, null, false, 'completed', now() - interval '5 days', now()),
    -- On its way while the database is upgraded.
    ('00000000-0000-4000-d000-000000000008', '00000000-0000-4000-a000-000000000001', 'race', 'R.A.C.E', 'openai',
        'Just now.', 'Generating...', 'friendly', 'medium', false, 'generating', now(), now());

-- And as many as fill some pages.
insert into public.prompt_history (
    user_id, framework_id, framework_name, model, user_input, ai_response, status, created_at, updated_at
)
select
    format('00000000-0000-4000-a000-%s', lpad((1 + number % 2)::text, 12, '0'))::uuid,
    'roses', 'R.O.S.E.S', 'openai', 'Prompt ' || number || repeat(' words', 50), 'Answer ' || number, 'completed',
    now() - make_interval(hours => 2000 - number), now() - make_interval(hours => 2000 - number)
from generate_series(1, 400) as number;
