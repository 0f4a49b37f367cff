-- public.feedback: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(98);

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

delete from public.feedback;
insert into public.feedback_categories (id, name) values ('00000000-0000-4000-9000-000000000001', 'probe_19');

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('own, status = ''open''', $$insert into public.feedback (user_id, message) values ('70726f62-6500-4000-8000-000000000001', 'probe_1')$$),
('own, status = ''in_progress''', $$insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_2', 'in_progress')$$),
('another''s, status = ''open''', $$insert into public.feedback (user_id, message) values ('70726f62-6500-4000-8000-000000000003', 'probe_3')$$),
('another''s, status = ''in_progress''', $$insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_4', 'in_progress')$$),
('nobody''s, status = ''open''', $$insert into public.feedback (user_id, message) values (null, 'probe_5')$$),
('nobody''s, status = ''in_progress''', $$insert into public.feedback (user_id, message, status) values (null, 'probe_6', 'in_progress')$$);

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

select set_eq(
    $$ select * from pg_temp.rights('anon', 'public.feedback') $$,
    $$ values
    ('insert', '{browser_info, category_id, contact_email, contact_name, device_info, feedback_type, message,
        rating, user_agent, user_id}'::text[])
    $$,
    'anon has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.feedback') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{browser_info, category_id, contact_email, contact_name, device_info, feedback_type, message,
        rating, user_agent, user_id}'::text[]),
    ('update', '{message, rating, updated_at}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.feedback') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{browser_info, category_id, contact_email, contact_name, device_info, feedback_type, message,
        rating, user_agent, user_id}'::text[]),
    ('update', '{admin_response, category_id, message, priority, rating, status, updated_at}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.feedback') $$,
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
--   1. own, status = 'open'
--   2. own, status = 'in_progress'
--   3. another's, status = 'open'
--   4. another's, status = 'in_progress'
--   5. nobody's, status = 'open'
--   6. nobody's, status = 'in_progress'

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.feedback$$, '42501'),
    ('anon', $$insert$$, '42501 42501 42501 42501 1 42501'),
    ('anon', $$insert returning id$$, '42501'),
    ('anon', $$insert on conflict (id) do update set message = 'probe_22'$$, '42501'),
    ('anon', $$update public.feedback set message = 'probe_22'$$, '42501'),
    ('anon', $$delete from public.feedback$$, '42501'),
    ('authenticated', $$select * from public.feedback$$, '1 1 0 0 0 0'),
    ('authenticated', $$insert$$, '1 42501 42501 42501 42501 42501'),
    ('authenticated', $$insert returning id$$, '1 42501 42501 42501 42501 42501'),
    ('authenticated', $$insert on conflict (id) do update set message = 'probe_22'$$, '1 42501 42501 42501 42501 42501'),
    ('authenticated', $$update public.feedback set message = 'probe_22'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set message = 'probe_22' where id is not null returning id$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set rating = '1'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set updated_at = '2001-01-01 00:00:36+00'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('authenticated', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('authenticated', $$update public.feedback set user_id = null$$, '42501'),
    ('authenticated', $$update public.feedback set status = 'open'$$, '42501'),
    ('authenticated', $$update public.feedback set status = 'in_progress'$$, '42501'),
    ('authenticated', $$update public.feedback set status = 'resolved'$$, '42501'),
    ('authenticated', $$update public.feedback set status = 'closed'$$, '42501'),
    ('authenticated', $$delete from public.feedback$$, '1 1 0 0 0 0'),
    ('authenticated', $$delete from public.feedback where id is not null returning id$$, '1 1 0 0 0 0'),
    ('service_role', $$select * from public.feedback$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (id) do update set message = 'probe_22'$$, '1'),
    ('service_role', $$update public.feedback set message = 'probe_22'$$, '1'),
    ('service_role', $$update public.feedback set message = 'probe_22' where id is not null returning id$$, '1'),
    ('service_role', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '1'),
    ('service_role', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1'),
    ('service_role', $$update public.feedback set user_id = null$$, '1'),
    ('service_role', $$update public.feedback set status = 'open'$$, '1'),
    ('service_role', $$update public.feedback set status = 'in_progress'$$, '1'),
    ('service_role', $$update public.feedback set status = 'resolved'$$, '1'),
    ('service_role', $$update public.feedback set status = 'closed'$$, '1'),
    ('service_role', $$delete from public.feedback$$, '1'),
    ('service_role', $$delete from public.feedback where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.feedback;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.feedback$$, '1'),
    ('app_admin', $$insert$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$insert returning id$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$insert on conflict (id) do update set message = 'probe_22'$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$update public.feedback set message = 'probe_22'$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$update public.feedback set message = 'probe_22' where id is not null returning id$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$update public.feedback set admin_response = 'probe_31'$$, '1'),
    ('app_admin', $$update public.feedback set category_id = '00000000-0000-4000-9000-000000000001'$$, '1'),
    ('app_admin', $$update public.feedback set priority = 'low'$$, '1'),
    ('app_admin', $$update public.feedback set rating = '1'$$, '1 42501 42501 42501 42501 42501'),
    ('app_admin', $$update public.feedback set updated_at = '2001-01-01 00:00:36+00'$$, '1'),
    ('app_admin', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501'),
    ('app_admin', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '42501'),
    ('app_admin', $$update public.feedback set user_id = null$$, '42501'),
    ('app_admin', $$update public.feedback set status = 'open'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'in_progress'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'resolved'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'closed'$$, '1'),
    ('app_admin', $$delete from public.feedback$$, '1 1 0 0 0 0'),
    ('app_admin', $$delete from public.feedback where id is not null returning id$$, '1 1 0 0 0 0')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.feedback to anon, authenticated, app_admin;
alter table public.feedback disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.feedback$$, '1'),
    ('app_admin', $$insert$$, '1 1 42501 42501 42501 42501'),
    ('app_admin', $$update public.feedback set message = 'probe_22'$$, '1'),
    ('app_admin', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '1'),
    ('app_admin', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1'),
    ('app_admin', $$update public.feedback set user_id = null$$, '1'),
    ('app_admin', $$update public.feedback set status = 'open'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'in_progress'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'resolved'$$, '1'),
    ('app_admin', $$update public.feedback set status = 'closed'$$, '1'),
    ('app_admin', $$delete from public.feedback$$, '1 1 0 0 0 0')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.feedback;

alter table public.feedback disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.feedback$$, '0'),
    ('anon', $$insert$$, '42501 42501 42501 42501 1 1'),
    ('anon', $$update public.feedback set message = 'probe_22'$$, '0'),
    ('anon', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('anon', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('anon', $$update public.feedback set user_id = null$$, '0'),
    ('anon', $$update public.feedback set status = 'open'$$, '0'),
    ('anon', $$update public.feedback set status = 'in_progress'$$, '0'),
    ('anon', $$update public.feedback set status = 'resolved'$$, '0'),
    ('anon', $$update public.feedback set status = 'closed'$$, '0'),
    ('anon', $$delete from public.feedback$$, '0'),
    ('authenticated', $$select * from public.feedback$$, '1 1 0 0 0 0'),
    ('authenticated', $$insert$$, '1 1 42501 42501 42501 42501'),
    ('authenticated', $$update public.feedback set message = 'probe_22'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000003'$$, '42501 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set user_id = '70726f62-6500-4000-8000-000000000001'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set user_id = null$$, '42501 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set status = 'open'$$, '1 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set status = 'in_progress'$$, '42501 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set status = 'resolved'$$, '42501 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set status = 'closed'$$, '42501 0 0 0 0 0'),
    ('authenticated', $$delete from public.feedback$$, '1 1 0 0 0 0')
) as tried (speaker, statement, expected);

-- The same on rows that differ in what should not matter -------------------------------------------------------------

delete from kinds;
insert into kinds (kind, row) values
('own, status = ''open''; feedback_type = ''bug'', priority = ''low''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000001', 'probe_7', 'bug', 'low')$$),
('own, status = ''open''; feedback_type = ''feature'', priority = ''medium''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000001', 'probe_8', 'feature', 'medium')$$),
('own, status = ''open''; feedback_type = ''general'', priority = ''high''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000001', 'probe_9', 'general', 'high')$$),
('own, status = ''open''; feedback_type = ''support'', priority = ''urgent''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000001', 'probe_10', 'support', 'urgent')$$),
('another''s, status = ''open''; feedback_type = ''bug'', priority = ''low''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000003', 'probe_11', 'bug', 'low')$$),
('another''s, status = ''open''; feedback_type = ''feature'', priority = ''medium''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000003', 'probe_12', 'feature', 'medium')$$),
('another''s, status = ''open''; feedback_type = ''general'', priority = ''high''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000003', 'probe_13', 'general', 'high')$$),
('another''s, status = ''open''; feedback_type = ''support'', priority = ''urgent''', $$insert into public.feedback (user_id, message, feedback_type, priority) values ('70726f62-6500-4000-8000-000000000003', 'probe_14', 'support', 'urgent')$$),
('nobody''s, status = ''open''; feedback_type = ''bug'', priority = ''low''', $$insert into public.feedback (user_id, message, feedback_type, priority) values (null, 'probe_15', 'bug', 'low')$$),
('nobody''s, status = ''open''; feedback_type = ''feature'', priority = ''medium''', $$insert into public.feedback (user_id, message, feedback_type, priority) values (null, 'probe_16', 'feature', 'medium')$$),
('nobody''s, status = ''open''; feedback_type = ''general'', priority = ''high''', $$insert into public.feedback (user_id, message, feedback_type, priority) values (null, 'probe_17', 'general', 'high')$$),
('nobody''s, status = ''open''; feedback_type = ''support'', priority = ''urgent''', $$insert into public.feedback (user_id, message, feedback_type, priority) values (null, 'probe_18', 'support', 'urgent')$$);
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant, rows of other values: ' || statement)
from (values
    ('authenticated', $$select * from public.feedback$$, '1 1 1 1 0 0 0 0 0 0 0 0'),
    ('authenticated', $$update public.feedback set message = 'probe_22'$$, '1 1 1 1 0 0 0 0 0 0 0 0'),
    ('authenticated', $$delete from public.feedback$$, '1 1 1 1 0 0 0 0 0 0 0 0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
