-- public.security_events: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(44);

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

delete from public.security_events;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('own', $$insert into public.security_events (user_id, event_type) values ('70726f62-6500-4000-8000-000000000001', 'probe_1')$$),
('another''s', $$insert into public.security_events (user_id, event_type) values ('70726f62-6500-4000-8000-000000000003', 'probe_2')$$),
('nobody''s', $$insert into public.security_events (user_id, event_type) values (null, 'probe_3')$$);

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
    $$ select * from pg_temp.rights('anon', 'public.security_events') $$,
    'anon has no rights'
);
select is_empty(
    $$ select * from pg_temp.rights('authenticated', 'public.security_events') $$,
    'authenticated has no rights'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.security_events') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.security_events') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'service_role has these rights and no others'
);

-- Statements ------------------------------------------------------------------------------------------------------
-- What becomes of each on a row that is
--   1. own
--   2. another's
--   3. nobody's

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.security_events$$, '42501'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.security_events set event_type = 'probe_1'$$, '42501'),
    ('anon', $$delete from public.security_events$$, '42501'),
    ('authenticated', $$select * from public.security_events$$, '42501'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.security_events set event_type = 'probe_1'$$, '42501'),
    ('authenticated', $$delete from public.security_events$$, '42501'),
    ('service_role', $$select * from public.security_events$$, '1'),
    ('service_role', $$insert$$, '42501'),
    ('service_role', $$update public.security_events set event_type = 'probe_1'$$, '42501'),
    ('service_role', $$delete from public.security_events$$, '42501')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.security_events;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.security_events$$, '1'),
    ('app_admin', $$insert$$, '42501'),
    ('app_admin', $$update public.security_events set event_type = 'probe_1'$$, '42501'),
    ('app_admin', $$delete from public.security_events$$, '42501')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.security_events to anon, authenticated, app_admin;
alter table public.security_events disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.security_events$$, '1'),
    ('app_admin', $$insert$$, '42501'),
    ('app_admin', $$update public.security_events set event_type = 'probe_1'$$, '0'),
    ('app_admin', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('app_admin', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('app_admin', $$update public.security_events set user_id = null$$, '0'),
    ('app_admin', $$delete from public.security_events$$, '0')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.security_events;

alter table public.security_events disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.security_events$$, '0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.security_events set event_type = 'probe_1'$$, '0'),
    ('anon', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('anon', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('anon', $$update public.security_events set user_id = null$$, '0'),
    ('anon', $$delete from public.security_events$$, '0'),
    ('authenticated', $$select * from public.security_events$$, '0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.security_events set event_type = 'probe_1'$$, '0'),
    ('authenticated', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000003'$$, '0'),
    ('authenticated', $$update public.security_events set user_id = '70726f62-6500-4000-8000-000000000001'$$, '0'),
    ('authenticated', $$update public.security_events set user_id = null$$, '0'),
    ('authenticated', $$delete from public.security_events$$, '0')
) as tried (speaker, statement, expected);

-- The same on rows that differ in what should not matter -------------------------------------------------------------

delete from kinds;
insert into kinds (kind, row) values
('own; severity = ''info''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000001', 'probe_4', 'info')$$),
('own; severity = ''warning''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000001', 'probe_5', 'warning')$$),
('own; severity = ''critical''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000001', 'probe_6', 'critical')$$),
('another''s; severity = ''info''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000003', 'probe_7', 'info')$$),
('another''s; severity = ''warning''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000003', 'probe_8', 'warning')$$),
('another''s; severity = ''critical''', $$insert into public.security_events (user_id, event_type, severity) values ('70726f62-6500-4000-8000-000000000003', 'probe_9', 'critical')$$),
('nobody''s; severity = ''info''', $$insert into public.security_events (user_id, event_type, severity) values (null, 'probe_10', 'info')$$),
('nobody''s; severity = ''warning''', $$insert into public.security_events (user_id, event_type, severity) values (null, 'probe_11', 'warning')$$),
('nobody''s; severity = ''critical''', $$insert into public.security_events (user_id, event_type, severity) values (null, 'probe_12', 'critical')$$);
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant, rows of other values: ' || statement)
from (values
    ('authenticated', $$select * from public.security_events$$, '0'),
    ('authenticated', $$update public.security_events set event_type = 'probe_1'$$, '0'),
    ('authenticated', $$delete from public.security_events$$, '0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
