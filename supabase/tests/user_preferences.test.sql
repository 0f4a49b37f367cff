-- public.user_preferences: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(83);

-- People: the first one speaks -----------------------------------------------------------------------------------

insert into auth.users (id, aud, role, email) values
('70726f62-6500-4000-8000-000000000001', 'authenticated', 'authenticated', 'me@probe.example'),
('70726f62-6500-4000-8000-000000000003', 'authenticated', 'authenticated', 'stranger@probe.example'),
('70726f62-6500-4000-8000-000000000004', 'authenticated', 'authenticated', 'bystander@probe.example');
grant app_admin to current_user;

create function pg_temp.speak_as(speaker text) returns void language plpgsql as $$
declare
    me uuid := case when speaker in ('authenticated', 'app_admin') then '70726f62-6500-4000-8000-000000000001' end;
begin
    perform set_config('request.jwt.claims', json_build_object('sub', me, 'role', speaker)::text, true);
    perform set_config('role', speaker, true);
end
$$;

-- Rows ------------------------------------------------------------------------------------------------------------

delete from public.user_preferences;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('own', $$insert into public.user_preferences (user_id, selected_model) values ('70726f62-6500-4000-8000-000000000001', 'openai')$$),
('another''s', $$insert into public.user_preferences (user_id, selected_model) values ('70726f62-6500-4000-8000-000000000003', 'openai')$$);

-- What becomes of a statement, on one kind of row after the other: the number of rows that it met, or the SQLSTATE that
-- refused it; once, if it is always the same. "insert" stands for the row's own. Nothing of it remains.
create function pg_temp.outcomes(speaker text, statement text) returns text language plpgsql as $$
declare
    kind record;
    sent text := statement;
    outcome text;
    outcomes text[] := '{}';
begin
    for kind in select * from pg_temp.kinds order by nth loop
        begin
            if statement like 'insert%' then
                sent := kind.row || substr(statement, 7);
            else
                execute kind.row;
            end if;
            begin
                perform pg_temp.speak_as(speaker);
                execute sent;
                get diagnostics outcome = row_count;
            exception when others then
                outcome := sqlstate;
            end;
            raise exception using errcode = 'UNDO1';
        exception when sqlstate 'UNDO1' then
            outcomes := outcomes || outcome;
        end;
    end loop;
    return case when outcomes[1] = all (outcomes) then outcomes[1] else array_to_string(outcomes, ' ') end;
end
$$;

-- Rights ----------------------------------------------------------------------------------------------------------

-- What a role may do by whatever way it came to it: by itself, as a member, as one of the public. '*' is all columns,
-- also those to come.
create function pg_temp.rights(role_name text, table_name text) returns table (privilege text, columns text[])
language sql as $$
    select * from (select privilege, case
        when has_table_privilege(role_name, table_name, privilege) then array['*']
        when privilege in ('select', 'insert', 'update', 'references') then array(
            select attname::text from pg_attribute
            where attrelid = table_name::regclass and attnum > 0 and not attisdropped
                and has_column_privilege(role_name, table_name, attnum, privilege)
            order by attname
        )
        else array[]::text[]
    end as columns
    from unnest(string_to_array(
        'select insert update delete truncate references trigger'
        || case when current_setting('server_version_num')::int >= 170000 then ' maintain' else '' end, ' '
    )) as privilege) as rights
    where columns <> '{}'
$$;

select is_empty(
    $$ select * from pg_temp.rights('anon', 'public.user_preferences') $$,
    'anon has no rights'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.user_preferences') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{auto_cleanup, enable_analytics, enable_feedback, enable_history, enable_notifications,
        language, max_history_days, monthly_budget_usd, selected_framework, selected_model, theme,
        user_id, vibe_coding}'::text[]),
    ('update', '{auto_cleanup, enable_analytics, enable_feedback, enable_history, enable_notifications,
        language, max_history_days, monthly_budget_usd, selected_framework, selected_model, theme,
        updated_at, vibe_coding}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.user_preferences') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{auto_cleanup, enable_analytics, enable_feedback, enable_history, enable_notifications,
        language, max_history_days, monthly_budget_usd, selected_framework, selected_model, theme,
        user_id, vibe_coding}'::text[]),
    ('update', '{auto_cleanup, enable_analytics, enable_feedback, enable_history, enable_notifications,
        language, max_history_days, monthly_budget_usd, selected_framework, selected_model, theme,
        updated_at, vibe_coding}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.user_preferences') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{*}'::text[]),
    ('update', '{*}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'service_role has these rights and no others'
);

-- Statements ------------------------------------------------------------------------------------------------------
-- What becomes of each on a row that is
--   1. own
--   2. another's

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.user_preferences$$, '42501'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.user_preferences set selected_model = 'gemini'$$, '42501'),
    ('anon', $$delete from public.user_preferences$$, '42501'),
    ('authenticated', $$select * from public.user_preferences$$, '1 0'),
    ('authenticated', $$insert$$, '1 42501'),
    ('authenticated', $$insert returning id$$, '1 42501'),
    ('authenticated', $$insert on conflict (user_id) do update set selected_model = 'gemini'$$, '1 42501'),
    ('authenticated', $$update public.user_preferences set selected_model = 'gemini'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set selected_model = 'gemini' where id is not null returning id$$, '1 0'),
    ('authenticated', $$update public.user_preferences set auto_cleanup = 'false'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set enable_analytics = 'false'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set enable_feedback = 'false'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set enable_history = 'false'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set enable_notifications = 'false'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set language = 'en'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set max_history_days = '32'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set monthly_budget_usd = '35'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set selected_framework = 'ape'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set theme = 'light'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set updated_at = '2001-01-01 00:00:36+00'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set vibe_coding = 'true'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('authenticated', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('authenticated', $$delete from public.user_preferences$$, '1 0'),
    ('authenticated', $$delete from public.user_preferences where id is not null returning id$$, '1 0'),
    ('service_role', $$select * from public.user_preferences$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (user_id) do update set selected_model = 'gemini'$$, '1'),
    ('service_role', $$update public.user_preferences set selected_model = 'gemini'$$, '1'),
    ('service_role', $$update public.user_preferences set selected_model = 'gemini' where id is not null returning id$$, '1'),
    ('service_role', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '1'),
    ('service_role', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1'),
    ('service_role', $$delete from public.user_preferences$$, '1'),
    ('service_role', $$delete from public.user_preferences where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.user_preferences;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.user_preferences$$, '1 0'),
    ('app_admin', $$insert$$, '1 42501'),
    ('app_admin', $$insert returning id$$, '1 42501'),
    ('app_admin', $$insert on conflict (user_id) do update set selected_model = 'gemini'$$, '1 42501'),
    ('app_admin', $$update public.user_preferences set selected_model = 'gemini'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set selected_model = 'gemini' where id is not null returning id$$, '1 0'),
    ('app_admin', $$update public.user_preferences set auto_cleanup = 'false'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set enable_analytics = 'false'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set enable_feedback = 'false'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set enable_history = 'false'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set enable_notifications = 'false'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set language = 'en'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set max_history_days = '32'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set monthly_budget_usd = '35'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set selected_framework = 'ape'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set theme = 'light'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set updated_at = '2001-01-01 00:00:36+00'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set vibe_coding = 'true'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('app_admin', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('app_admin', $$delete from public.user_preferences$$, '1 0'),
    ('app_admin', $$delete from public.user_preferences where id is not null returning id$$, '1 0')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.user_preferences to anon, authenticated, app_admin;
alter table public.user_preferences disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.user_preferences$$, '1 0'),
    ('app_admin', $$insert$$, '1 42501'),
    ('app_admin', $$update public.user_preferences set selected_model = 'gemini'$$, '1 0'),
    ('app_admin', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501 0'),
    ('app_admin', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1 0'),
    ('app_admin', $$delete from public.user_preferences$$, '1 0')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.user_preferences;

alter table public.user_preferences disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.user_preferences$$, '0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.user_preferences set selected_model = 'gemini'$$, '0'),
    ('anon', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('anon', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('anon', $$delete from public.user_preferences$$, '0'),
    ('authenticated', $$select * from public.user_preferences$$, '1 0'),
    ('authenticated', $$insert$$, '1 42501'),
    ('authenticated', $$update public.user_preferences set selected_model = 'gemini'$$, '1 0'),
    ('authenticated', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501 0'),
    ('authenticated', $$update public.user_preferences set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1 0'),
    ('authenticated', $$delete from public.user_preferences$$, '1 0')
) as tried (speaker, statement, expected);

-- The same on rows that differ in what should not matter -------------------------------------------------------------

delete from kinds;
insert into kinds (kind, row) values
('own; selected_model = ''openai'', selected_framework = ''roses'', theme = ''light'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'openai', 'roses', 'light', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('own; selected_model = ''gemini'', selected_framework = ''ape'', theme = ''dark'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'gemini', 'ape', 'dark', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('own; selected_model = ''anthropic'', selected_framework = ''tag'', theme = ''system'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'anthropic', 'tag', 'system', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('own; selected_model = ''openai'', selected_framework = ''era'', theme = ''light'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'openai', 'era', 'light', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('own; selected_model = ''gemini'', selected_framework = ''race'', theme = ''dark'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'gemini', 'race', 'dark', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('own; selected_model = ''anthropic'', selected_framework = ''rise'', theme = ''system'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'anthropic', 'rise', 'system', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('own; selected_model = ''openai'', selected_framework = ''care'', theme = ''light'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'openai', 'care', 'light', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('own; selected_model = ''gemini'', selected_framework = ''coast'', theme = ''dark'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'gemini', 'coast', 'dark', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('own; selected_model = ''anthropic'', selected_framework = ''trace'', theme = ''system'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000001', 'anthropic', 'trace', 'system', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('another''s; selected_model = ''openai'', selected_framework = ''roses'', theme = ''light'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'openai', 'roses', 'light', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('another''s; selected_model = ''gemini'', selected_framework = ''ape'', theme = ''dark'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'gemini', 'ape', 'dark', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('another''s; selected_model = ''anthropic'', selected_framework = ''tag'', theme = ''system'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'anthropic', 'tag', 'system', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('another''s; selected_model = ''openai'', selected_framework = ''era'', theme = ''light'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'openai', 'era', 'light', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('another''s; selected_model = ''gemini'', selected_framework = ''race'', theme = ''dark'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'gemini', 'race', 'dark', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('another''s; selected_model = ''anthropic'', selected_framework = ''rise'', theme = ''system'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'anthropic', 'rise', 'system', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('another''s; selected_model = ''openai'', selected_framework = ''care'', theme = ''light'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'openai', 'care', 'light', 'false', 'false', 'false', 'false', 'false', 'false')$$),
('another''s; selected_model = ''gemini'', selected_framework = ''coast'', theme = ''dark'', enable_notifications = ''true'', enable_analytics = ''true'', enable_history = ''true'', enable_feedback = ''true'', auto_cleanup = ''true'', vibe_coding = ''true''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'gemini', 'coast', 'dark', 'true', 'true', 'true', 'true', 'true', 'true')$$),
('another''s; selected_model = ''anthropic'', selected_framework = ''trace'', theme = ''system'', enable_notifications = ''false'', enable_analytics = ''false'', enable_history = ''false'', enable_feedback = ''false'', auto_cleanup = ''false'', vibe_coding = ''false''', $$insert into public.user_preferences (user_id, selected_model, selected_framework, theme, enable_notifications, enable_analytics, enable_history, enable_feedback, auto_cleanup, vibe_coding) values ('70726f62-6500-4000-8000-000000000003', 'anthropic', 'trace', 'system', 'false', 'false', 'false', 'false', 'false', 'false')$$);
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant, rows of other values: ' || statement)
from (values
    ('authenticated', $$select * from public.user_preferences$$, '1 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0'),
    ('authenticated', $$update public.user_preferences set selected_model = 'gemini'$$, '1 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0'),
    ('authenticated', $$delete from public.user_preferences$$, '1 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
