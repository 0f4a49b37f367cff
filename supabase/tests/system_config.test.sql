-- public.system_config: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(54);

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

delete from public.system_config;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('is_public', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_1', 'application', 'true', 'boolean', 'probe_1', 'true')$$),
('not is_public', $$insert into public.system_config (key, category, value, value_type, description) values ('probe_2', 'application', 'true', 'boolean', 'probe_2')$$);

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
    $$ select * from pg_temp.rights('anon', 'public.system_config') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'anon has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.system_config') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.system_config') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{allowed_values, category, description, is_public, key, max_value, min_value, value, value_type}'::text[]),
    ('update', '{description, is_public, updated_at, value}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.system_config') $$,
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
--   1. is_public
--   2. not is_public

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.system_config$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.system_config set category = 'feature_flag'$$, '42501'),
    ('anon', $$delete from public.system_config$$, '42501'),
    ('authenticated', $$select * from public.system_config$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.system_config set category = 'feature_flag'$$, '42501'),
    ('authenticated', $$delete from public.system_config$$, '42501'),
    ('service_role', $$select * from public.system_config$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (key) do update set category = 'feature_flag'$$, '1'),
    ('service_role', $$update public.system_config set category = 'feature_flag'$$, '1'),
    ('service_role', $$update public.system_config set category = 'feature_flag' where id is not null returning id$$, '1'),
    ('service_role', $$update public.system_config set is_public = 'false'$$, '1'),
    ('service_role', $$update public.system_config set is_public = 'true'$$, '1'),
    ('service_role', $$delete from public.system_config$$, '1'),
    ('service_role', $$delete from public.system_config where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.system_config;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.system_config$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$insert returning id$$, '1'),
    ('app_admin', $$insert on conflict (key) do update set value = 'true'$$, '1'),
    ('app_admin', $$update public.system_config set value = 'true'$$, '1'),
    ('app_admin', $$update public.system_config set value = 'true' where id is not null returning id$$, '1'),
    ('app_admin', $$update public.system_config set description = 'probe_17'$$, '1'),
    ('app_admin', $$update public.system_config set updated_at = '2001-01-01 00:00:20+00'$$, '1'),
    ('app_admin', $$update public.system_config set is_public = 'false'$$, '1'),
    ('app_admin', $$update public.system_config set is_public = 'true'$$, '1'),
    ('app_admin', $$delete from public.system_config$$, '42501')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.system_config to anon, authenticated, app_admin;
alter table public.system_config disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.system_config$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$update public.system_config set value = 'true'$$, '1'),
    ('app_admin', $$update public.system_config set is_public = 'false'$$, '1'),
    ('app_admin', $$update public.system_config set is_public = 'true'$$, '1'),
    ('app_admin', $$delete from public.system_config$$, '0')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.system_config;

alter table public.system_config disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.system_config$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.system_config set category = 'feature_flag'$$, '0'),
    ('anon', $$update public.system_config set is_public = 'false'$$, '0'),
    ('anon', $$update public.system_config set is_public = 'true'$$, '0'),
    ('anon', $$delete from public.system_config$$, '0'),
    ('authenticated', $$select * from public.system_config$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.system_config set category = 'feature_flag'$$, '0'),
    ('authenticated', $$update public.system_config set is_public = 'false'$$, '0'),
    ('authenticated', $$update public.system_config set is_public = 'true'$$, '0'),
    ('authenticated', $$delete from public.system_config$$, '0')
) as tried (speaker, statement, expected);

-- The same on rows that differ in what should not matter -------------------------------------------------------------

delete from kinds;
insert into kinds (kind, row) values
('is_public; category = ''application'', value_type = ''boolean''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_3', 'application', 'true', 'boolean', 'probe_3', 'true')$$),
('is_public; category = ''feature_flag'', value_type = ''integer''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_4', 'application', '1', 'integer', 'probe_4', 'true')$$),
('is_public; category = ''rate_limit'', value_type = ''number''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_5', 'application', '1', 'number', 'probe_5', 'true')$$),
('is_public; category = ''maintenance'', value_type = ''text''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_6', 'rate_limit', '"text"', 'text', 'probe_6', 'true')$$),
('is_public; category = ''security'', value_type = ''object''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_7', 'maintenance', '{}', 'object', 'probe_7', 'true')$$),
('is_public; category = ''analytics'', value_type = ''array''', $$insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_8', 'maintenance', '[]', 'array', 'probe_8', 'true')$$);
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant, rows of other values: ' || statement)
from (values
    ('authenticated', $$select * from public.system_config$$, '1'),
    ('authenticated', $$update public.system_config set category = 'feature_flag'$$, '0'),
    ('authenticated', $$delete from public.system_config$$, '0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
