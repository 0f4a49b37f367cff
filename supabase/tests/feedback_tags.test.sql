-- public.feedback_tags: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(53);

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

delete from public.feedback_tags;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('is_active', $$insert into public.feedback_tags (name) values ('probe_1')$$),
('not is_active', $$insert into public.feedback_tags (name, is_active) values ('probe_2', 'false')$$);

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
    $$ select * from pg_temp.rights('anon', 'public.feedback_tags') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'anon has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.feedback_tags') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.feedback_tags') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{color, description, is_active, name}'::text[]),
    ('update', '{color, description, is_active, name, updated_at}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.feedback_tags') $$,
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
--   1. is_active
--   2. not is_active

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.feedback_tags$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.feedback_tags set description = 'probe_5'$$, '42501'),
    ('anon', $$delete from public.feedback_tags$$, '42501'),
    ('authenticated', $$select * from public.feedback_tags$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.feedback_tags set description = 'probe_5'$$, '42501'),
    ('authenticated', $$delete from public.feedback_tags$$, '42501'),
    ('service_role', $$select * from public.feedback_tags$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (name) do update set description = 'probe_5'$$, '1'),
    ('service_role', $$update public.feedback_tags set description = 'probe_5'$$, '1'),
    ('service_role', $$update public.feedback_tags set description = 'probe_5' where id is not null returning id$$, '1'),
    ('service_role', $$update public.feedback_tags set is_active = 'false'$$, '1'),
    ('service_role', $$update public.feedback_tags set is_active = 'true'$$, '1'),
    ('service_role', $$delete from public.feedback_tags$$, '1'),
    ('service_role', $$delete from public.feedback_tags where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.feedback_tags;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.feedback_tags$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$insert returning id$$, '1'),
    ('app_admin', $$insert on conflict (name) do update set description = 'probe_5'$$, '1'),
    ('app_admin', $$update public.feedback_tags set description = 'probe_5'$$, '1'),
    ('app_admin', $$update public.feedback_tags set description = 'probe_5' where id is not null returning id$$, '1'),
    ('app_admin', $$update public.feedback_tags set color = '#12ab34'$$, '1'),
    ('app_admin', $$update public.feedback_tags set name = 'probe_4'$$, '1'),
    ('app_admin', $$update public.feedback_tags set updated_at = '2001-01-01 00:00:09+00'$$, '1'),
    ('app_admin', $$update public.feedback_tags set is_active = 'false'$$, '1'),
    ('app_admin', $$update public.feedback_tags set is_active = 'true'$$, '1'),
    ('app_admin', $$delete from public.feedback_tags$$, '1'),
    ('app_admin', $$delete from public.feedback_tags where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.feedback_tags to anon, authenticated, app_admin;
alter table public.feedback_tags disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.feedback_tags$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$update public.feedback_tags set description = 'probe_5'$$, '1'),
    ('app_admin', $$update public.feedback_tags set is_active = 'false'$$, '1'),
    ('app_admin', $$update public.feedback_tags set is_active = 'true'$$, '1'),
    ('app_admin', $$delete from public.feedback_tags$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.feedback_tags;

alter table public.feedback_tags disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.feedback_tags$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.feedback_tags set description = 'probe_5'$$, '0'),
    ('anon', $$update public.feedback_tags set is_active = 'false'$$, '0'),
    ('anon', $$update public.feedback_tags set is_active = 'true'$$, '0'),
    ('anon', $$delete from public.feedback_tags$$, '0'),
    ('authenticated', $$select * from public.feedback_tags$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.feedback_tags set description = 'probe_5'$$, '0'),
    ('authenticated', $$update public.feedback_tags set is_active = 'false'$$, '0'),
    ('authenticated', $$update public.feedback_tags set is_active = 'true'$$, '0'),
    ('authenticated', $$delete from public.feedback_tags$$, '0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
