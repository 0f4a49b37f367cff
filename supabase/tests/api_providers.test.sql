-- public.api_providers: what every role may do with it, tried with real statements.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(57);

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

delete from public.api_providers;

create temporary table kinds (nth integer generated always as identity, kind text, row text);
insert into kinds (kind, row) values
('is_enabled', $$insert into public.api_providers (name, display_name, base_url) values ('probe_1', 'probe_1', 'https://example.com/1')$$),
('not is_enabled', $$insert into public.api_providers (name, display_name, base_url, is_enabled) values ('probe_2', 'probe_2', 'https://example.com/2', 'false')$$);

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
    $$ select * from pg_temp.rights('anon', 'public.api_providers') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'anon has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('authenticated', 'public.api_providers') $$,
    $$ values
    ('select', '{*}'::text[])
    $$,
    'authenticated has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('app_admin', 'public.api_providers') $$,
    $$ values
    ('select', '{*}'::text[]),
    ('insert', '{base_url, display_name, is_enabled, max_requests_per_day, max_requests_per_minute, name,
        supported_models, validation_rules}'::text[]),
    ('update', '{base_url, display_name, is_enabled, max_requests_per_day, max_requests_per_minute, name,
        supported_models, updated_at, validation_rules}'::text[]),
    ('delete', '{*}'::text[])
    $$,
    'app_admin has these rights and no others'
);
select set_eq(
    $$ select * from pg_temp.rights('service_role', 'public.api_providers') $$,
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
--   1. is_enabled
--   2. not is_enabled

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('anon', $$select * from public.api_providers$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.api_providers set display_name = 'probe_5'$$, '42501'),
    ('anon', $$delete from public.api_providers$$, '42501'),
    ('authenticated', $$select * from public.api_providers$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.api_providers set display_name = 'probe_5'$$, '42501'),
    ('authenticated', $$delete from public.api_providers$$, '42501'),
    ('service_role', $$select * from public.api_providers$$, '1'),
    ('service_role', $$insert$$, '1'),
    ('service_role', $$insert returning id$$, '1'),
    ('service_role', $$insert on conflict (name) do update set display_name = 'probe_5'$$, '1'),
    ('service_role', $$update public.api_providers set display_name = 'probe_5'$$, '1'),
    ('service_role', $$update public.api_providers set display_name = 'probe_5' where id is not null returning id$$, '1'),
    ('service_role', $$update public.api_providers set is_enabled = 'false'$$, '1'),
    ('service_role', $$update public.api_providers set is_enabled = 'true'$$, '1'),
    ('service_role', $$delete from public.api_providers$$, '1'),
    ('service_role', $$delete from public.api_providers where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'app_admin' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.api_providers;

select is(pg_temp.outcomes(speaker, statement), expected, speaker || ': ' || statement)
from (values
    ('app_admin', $$select * from public.api_providers$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$insert returning id$$, '1'),
    ('app_admin', $$insert on conflict (name) do update set display_name = 'probe_5'$$, '1'),
    ('app_admin', $$update public.api_providers set display_name = 'probe_5'$$, '1'),
    ('app_admin', $$update public.api_providers set display_name = 'probe_5' where id is not null returning id$$, '1'),
    ('app_admin', $$update public.api_providers set base_url = 'https://example.com/6'$$, '1'),
    ('app_admin', $$update public.api_providers set max_requests_per_day = '11'$$, '1'),
    ('app_admin', $$update public.api_providers set max_requests_per_minute = '10'$$, '1'),
    ('app_admin', $$update public.api_providers set name = 'probe_4'$$, '1'),
    ('app_admin', $$update public.api_providers set supported_models = '[{ "id": "model-1", "display_name": "Model 1", "context_window": 1000, "max_output_tokens": 100, "is_default": true, "prices": [{"valid_from": "2025-01-01", "input_usd_per_million": 1, "output_usd_per_million": 2}]}]'$$, '1'),
    ('app_admin', $$update public.api_providers set updated_at = '2001-01-01 00:00:14+00'$$, '1'),
    ('app_admin', $$update public.api_providers set validation_rules = '{}'$$, '1'),
    ('app_admin', $$update public.api_providers set is_enabled = 'false'$$, '1'),
    ('app_admin', $$update public.api_providers set is_enabled = 'true'$$, '1'),
    ('app_admin', $$delete from public.api_providers$$, '1'),
    ('app_admin', $$delete from public.api_providers where id is not null returning id$$, '1')
) as tried (speaker, statement, expected);

-- A second lock: should every grant slip in, and no trigger speak first, the policies alone hold --------------------

grant select, insert, update, delete on public.api_providers to anon, authenticated, app_admin;
alter table public.api_providers disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('app_admin', $$select * from public.api_providers$$, '1'),
    ('app_admin', $$insert$$, '1'),
    ('app_admin', $$update public.api_providers set display_name = 'probe_5'$$, '1'),
    ('app_admin', $$update public.api_providers set is_enabled = 'false'$$, '1'),
    ('app_admin', $$update public.api_providers set is_enabled = 'true'$$, '1'),
    ('app_admin', $$delete from public.api_providers$$, '1')
) as tried (speaker, statement, expected);

update auth.users set role = 'authenticated' where id = '70726f62-6500-4000-8000-000000000001';
delete from public.api_providers;

alter table public.api_providers disable trigger user;
select is(pg_temp.outcomes(speaker, statement), expected, speaker || ', given every grant: ' || statement)
from (values
    ('anon', $$select * from public.api_providers$$, '1 0'),
    ('anon', $$insert$$, '42501'),
    ('anon', $$update public.api_providers set display_name = 'probe_5'$$, '0'),
    ('anon', $$update public.api_providers set is_enabled = 'false'$$, '0'),
    ('anon', $$update public.api_providers set is_enabled = 'true'$$, '0'),
    ('anon', $$delete from public.api_providers$$, '0'),
    ('authenticated', $$select * from public.api_providers$$, '1 0'),
    ('authenticated', $$insert$$, '42501'),
    ('authenticated', $$update public.api_providers set display_name = 'probe_5'$$, '0'),
    ('authenticated', $$update public.api_providers set is_enabled = 'false'$$, '0'),
    ('authenticated', $$update public.api_providers set is_enabled = 'true'$$, '0'),
    ('authenticated', $$delete from public.api_providers$$, '0')
) as tried (speaker, statement, expected);

select * from finish();
rollback;
