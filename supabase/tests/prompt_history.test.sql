-- public.prompt_history: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(73);

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

delete from public.prompt_history;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('own', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000001', 'probe_1', 'probe_1', 'probe_1', 'probe_1', 'probe_1')$$),
('another''s', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000003', 'probe_2', 'probe_2', 'probe_2', 'probe_2', 'probe_2')$$);

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
    $$ select * from pg_temp.rights('anon', 'public.prompt_history') $$,
    'anon has no rights'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.prompt_history') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{ai_response, cost_usd, error_code, error_message, framework_id, framework_name, length,
        max_tokens, model, processing_time_ms, provider, status, temperature, tokens_used, tone,
        user_id, user_input, vibe_coding}'::text[]),
    ('update', '{ai_response, cost_usd, error_code, error_message, processing_time_ms, status, tokens_used,
        updated_at}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.prompt_history') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{ai_response, cost_usd, error_code, error_message, framework_id, framework_name, length,
        max_tokens, model, processing_time_ms, provider, status, temperature, tokens_used, tone,
        user_id, user_input, vibe_coding}'::text[]),
    ('update', '{ai_response, cost_usd, error_code, error_message, processing_time_ms, status, tokens_used,
        updated_at}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.prompt_history') $$,
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
    ('anon', $$select * from public.prompt_history$$, '42501'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.prompt_history set framework_id = 'probe_11'$$, '42501'),
    ('anon', $$delete from public.prompt_history$$, '42501'),
    ('authenticated', $$select * from public.prompt_history$$, '1 0'),
    ('authenticated', $$insert$$, '1 42501'),
    ('authenticated', $$insert returning id$$, '1 42501'),
    ('authenticated', $$insert on conflict (id) do update set ai_response = 'probe_16'$$, '1 42501'),
    ('authenticated', $$update public.prompt_history set ai_response = 'probe_16'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set ai_response = 'probe_16' where id is not null returning id$$, '1 0'),
    ('authenticated', $$update public.prompt_history set cost_usd = '25'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set error_code = 'probe_27'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set error_message = 'probe_26'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set processing_time_ms = '23'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set status = 'completed'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set tokens_used = '24'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set updated_at = '2001-01-01 00:00:29+00'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('authenticated', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('authenticated', $$delete from public.prompt_history$$, '1 0'),
    ('authenticated', $$delete from public.prompt_history where id is not null returning id$$, '1 0'),
    ('service_role', $$select * from public.prompt_history$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (id) do update set framework_id = 'probe_11'$$, '1'),
    ('service_role', $$update public.prompt_history set framework_id = 'probe_11'$$, '1'),
    ('service_role', $$update public.prompt_history set framework_id = 'probe_11' where id is not null returning id$$, '1'),
    ('service_role', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '1'),
    ('service_role', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1'),
    ('service_role', $$delete from public.prompt_history$$, '1'),
    ('service_role', $$delete from public.prompt_history where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.prompt_history;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.prompt_history$$, '1 0'),
    ('app_admin', $$insert$$, '1 42501'),
    ('app_admin', $$insert returning id$$, '1 42501'),
    ('app_admin', $$insert on conflict (id) do update set ai_response = 'probe_16'$$, '1 42501'),
    ('app_admin', $$update public.prompt_history set ai_response = 'probe_16'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set ai_response = 'probe_16' where id is not null returning id$$, '1 0'),
    ('app_admin', $$update public.prompt_history set cost_usd = '25'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set error_code = 'probe_27'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set error_message = 'probe_26'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set processing_time_ms = '23'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set status = 'completed'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set tokens_used = '24'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set updated_at = '2001-01-01 00:00:29+00'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('app_admin', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('app_admin', $$delete from public.prompt_history$$, '1 0'),
    ('app_admin', $$delete from public.prompt_history where id is not null returning id$$, '1 0')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.prompt_history to anon, authenticated, app_admin;
alter table public.prompt_history disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.prompt_history$$, '1 0'),
    ('app_admin', $$insert$$, '1 42501'),
    ('app_admin', $$update public.prompt_history set ai_response = 'probe_16'$$, '1 0'),
    ('app_admin', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501 0'),
    ('app_admin', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1 0'),
    ('app_admin', $$delete from public.prompt_history$$, '1 0')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.prompt_history;

alter table public.prompt_history disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.prompt_history$$, '0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.prompt_history set framework_id = 'probe_11'$$, '0'),
    ('anon', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('anon', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('anon', $$delete from public.prompt_history$$, '0'),
    ('authenticated', $$select * from public.prompt_history$$, '1 0'),
    ('authenticated', $$insert$$, '1 42501'),
    ('authenticated', $$update public.prompt_history set ai_response = 'probe_16'$$, '1 0'),
    ('authenticated', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501 0'),
    ('authenticated', $$update public.prompt_history set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1 0'),
    ('authenticated', $$delete from public.prompt_history$$, '1 0')
) as tried (speaker, statement, expected);

-- The same on rows that differ in what should not matter -------------------------------------------------------------

delete from kinds;
insert into kinds (kind, row) values
('own; vibe_coding = ''false'', status = ''pending''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_3', 'probe_3', 'probe_3', 'probe_3', 'probe_3', 'false', 'pending')$$),
('own; vibe_coding = ''true'', status = ''completed''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_4', 'probe_4', 'probe_4', 'probe_4', 'probe_4', 'true', 'completed')$$),
('own; vibe_coding = ''false'', status = ''failed''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_5', 'probe_5', 'probe_5', 'probe_5', 'probe_5', 'false', 'failed')$$),
('another''s; vibe_coding = ''false'', status = ''pending''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_6', 'probe_6', 'probe_6', 'probe_6', 'probe_6', 'false', 'pending')$$),
('another''s; vibe_coding = ''true'', status = ''completed''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_7', 'probe_7', 'probe_7', 'probe_7', 'probe_7', 'true', 'completed')$$),
('another''s; vibe_coding = ''false'', status = ''failed''', $$insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input, vibe_coding, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_8', 'probe_8', 'probe_8', 'probe_8', 'probe_8', 'false', 'failed')$$);
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant, rows of other values: ' || statement)
from (values
    ('authenticated', $$select * from public.prompt_history$$, '1 1 1 0 0 0'),
    ('authenticated', $$update public.prompt_history set ai_response = 'probe_16'$$, '1 1 1 0 0 0'),
    ('authenticated', $$delete from public.prompt_history$$, '1 1 1 0 0 0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
