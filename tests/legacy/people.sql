-- people.sql: the data of a legacy installation, all but the history. Every oddity that was met, and plain rows.
-- Ids are made to be read: a user's ends in its number.
insert into auth.users (id, aud, role, email, is_anonymous, phone, raw_user_meta_data, created_at)
values
    ('00000000-0000-4000-a000-000000000001', 'authenticated', 'authenticated', 'ada@example.com', false, null, '{}',
        now() - interval '90 days'),
    ('00000000-0000-4000-a000-000000000002', 'authenticated', 'authenticated', 'bob@example.com', false, null, '{}',
        now() - interval '80 days'),
    ('00000000-0000-4000-a000-000000000003', 'authenticated', 'authenticated', null, true, null, '{}', now()),
    ('00000000-0000-4000-a000-000000000004', 'authenticated', 'authenticated', null, false, '4912345', '{}', now()),
    ('00000000-0000-4000-a000-000000000005', 'authenticated', 'authenticated', 'eve@example.com', false, null, '{}',
        now()),
    ('00000000-0000-4000-a000-000000000006', 'authenticated', 'authenticated', 'no.profile@example.com', false, null,
        '{}', now()),
    ('00000000-0000-4000-a000-000000000007', 'authenticated', 'authenticated', 'long@example.com', false, null, '{}',
        now());

-- Sign-up made a profile each, named after the e-mail address.
delete from public.profiles where user_id = '00000000-0000-4000-a000-000000000006';
update public.profiles set display_name = '' where user_id = '00000000-0000-4000-a000-000000000005';
update public.profiles set avatar_url = 'https://example.com/bob.png'
where user_id = '00000000-0000-4000-a000-000000000002';
update public.profiles set display_name = repeat('Zoë ', 30), avatar_url = 'javascript:alert(1)'
where user_id = '00000000-0000-4000-a000-000000000007';

insert into public.user_preferences (user_id, selected_model, selected_framework, vibe_coding, created_at, updated_at)
values
    ('00000000-0000-4000-a000-000000000001', 'anthropic', 'coast', true, now() - interval '80 days',
        now() - interval '3 days'),
    ('00000000-0000-4000-a000-000000000002', 'gemini', 'roses', null, now() - interval '70 days',
        now() - interval '70 days');

insert into public.api_configurations (id, user_id, provider, api_key_encrypted, is_active)
values
    -- Keys of each provider, as btoa() wrote them.
    ('00000000-0000-4000-b000-000000000001', '00000000-0000-4000-a000-000000000001', 'openai',
        encode('sk-proj-Zq7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0TyLegacyMarker1', 'base64'), true),
    ('00000000-0000-4000-b000-000000000002', '00000000-0000-4000-a000-000000000001', 'gemini',
        encode('AIzaSy7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0TyGmn', 'base64'), null),
    ('00000000-0000-4000-b000-000000000003', '00000000-0000-4000-a000-000000000001', 'anthropic',
        replace(encode('sk-ant-api03-Wk3Lm8Xw1Rt6Vb2Nc9Kd4Fg7Hj0Ps5TyLegacyMarker', 'base64'), E'\n', ''), false),
    -- Not base64: somebody stored the key as it is.
    ('00000000-0000-4000-b000-000000000004', '00000000-0000-4000-a000-000000000002', 'openai',
        'sk-proj-PlainPlainPlainPlainPlainPlainPlainPlain1', true),
    -- Nothing.
    ('00000000-0000-4000-b000-000000000005', '00000000-0000-4000-a000-000000000002', 'gemini', '', true),
    -- Base64, of what is no key of this provider.
    ('00000000-0000-4000-b000-000000000006', '00000000-0000-4000-a000-000000000002', 'anthropic',
        encode('my-key', 'base64'), true),
    -- Decodes, to no text.
    ('00000000-0000-4000-b000-000000000007', '00000000-0000-4000-a000-000000000005', 'openai', 'abcdefgh', true),
    -- Base64 of Latin-1, which btoa() takes.
    ('00000000-0000-4000-b000-000000000008', '00000000-0000-4000-a000-000000000005', 'gemini',
        encode('\x736b2de4f6fc', 'base64'), true);

insert into public.feedback (id, user_id, message, created_at, updated_at)
values
    ('00000000-0000-4000-c000-000000000001', '00000000-0000-4000-a000-000000000001', 'More frameworks, please!',
        now() - interval '60 days', now() - interval '60 days'),
    ('00000000-0000-4000-c000-000000000002', null, 'Who am I?', now() - interval '50 days', now() - interval '50 days'),
    ('00000000-0000-4000-c000-000000000003', '00000000-0000-4000-a000-000000000002', 'Hi', null, null),
    ('00000000-0000-4000-c000-000000000004', '00000000-0000-4000-a000-000000000002', E' \n', now(), now()),
    ('00000000-0000-4000-c000-000000000005', '00000000-0000-4000-a000-000000000005', '', now(), null),
    ('00000000-0000-4000-c000-000000000006', '00000000-0000-4000-a000-000000000005', repeat('very long ', 2001),
        now(), now());
