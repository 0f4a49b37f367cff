-- database.sql: what every Supabase database has, for one that has not. LOCAL USE ONLY.
--
--   schemas          public (owned by the database's owner), extensions with pgcrypto, auth
--   auth.users       the columns of Supabase Auth, and its owner; the rest of auth is left out
--   auth.uid()       and role(), email(), jwt(): what the request's token says
--   default grants   what an object in public is born with
--
-- Needs roles.sql. Run as a superuser, connected to the database; any number of runs end the same:
--
--   psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql
--
-- Supabase has two regimes of default grants. `explicit` (new projects, and what is used here unless told otherwise)
-- leaves the API roles next to nothing on a new object, `auto` (older projects) gives them everything. To choose:
--
--   PGOPTIONS='-c forge.grants_regime=auto' psql -v ON_ERROR_STOP=1 -f …
--
-- Left out: vault, storage, realtime, supautils, safeupdate. On a Supabase project it changes nothing and says so.

-- Guard ------------------------------------------------------------------------
-- psql without ON_ERROR_STOP runs on after an error. So the first block names the problem and turns the session
-- read-only, and the second one raises it: whatever psql tries next changes nothing.
do $$
declare
    v_platform text;
    v_problem text;
    v_hint text;
begin
    -- The stand-in marks what it makes by a comment, so what has none was made by somebody else.
    select string_agg(sign.name, ', ')
    into v_platform
    from (
        values
            ('settings of supautils', exists (
                select from pg_catalog.pg_settings as setting where setting.name like 'supautils.%'
            )),
            ('extension supabase_vault', exists (
                select from pg_catalog.pg_available_extensions as extension where extension.name = 'supabase_vault'
            )),
            ('table auth.schema_migrations', to_regclass('auth.schema_migrations') is not null),
            ('schema auth', exists (
                select
                from pg_catalog.pg_namespace as namespace
                where namespace.nspname = 'auth'
                    and coalesce(obj_description(namespace.oid, 'pg_namespace'), '') not like 'Stand-in for Supabase%'
            )),
            ('role supabase_auth_admin', exists (
                select
                from pg_catalog.pg_roles as role
                where role.rolname = 'supabase_auth_admin'
                    and coalesce(shobj_description(role.oid, 'pg_authid'), '') not like 'Stand-in for Supabase%'
            ))
    ) as sign (name, is_there)
    where sign.is_there;

    if current_setting('server_version_num')::integer < 150000 then
        v_problem := format('PostgreSQL 15 or newer is needed, this is %s', current_setting('server_version'));
        v_hint := 'Upgrade the server, or connect to another one.';
    elsif v_platform is not null then
        v_problem := format('this database has a platform of its own (found: %s)', v_platform);
        v_hint := 'Nothing was changed. The stand-in is for plain PostgreSQL and local use only. '
            || 'On a Supabase project apply the migrations alone: npx supabase db push';
    elsif current_setting('is_superuser') <> 'on' then
        v_problem := format('a superuser is needed to install the stand-in, and %s is not one', current_user);
        v_hint := 'Nothing was changed. Connect as the superuser of this server.';
    elsif to_regrole('supabase_auth_admin') is null then
        v_problem := 'the roles of the platform are missing';
        v_hint := 'Run this first: psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql';
    elsif exists (
        select from pg_catalog.pg_extension as extension
        where extension.extname = 'pgcrypto' and extension.extnamespace is distinct from to_regnamespace('extensions')
    ) then
        v_problem := 'the extension pgcrypto is not in the schema extensions';
        v_hint := 'Run: create schema if not exists extensions; alter extension pgcrypto set schema extensions;';
    elsif coalesce(current_setting('forge.grants_regime', true), '') not in ('', 'explicit', 'auto') then
        v_problem := format('forge.grants_regime is "%s"', current_setting('forge.grants_regime'));
        v_hint := 'It is either explicit or auto.';
    end if;

    perform set_config('forge.problem', coalesce(v_problem, ''), false);
    perform set_config('forge.hint', coalesce(v_hint, ''), false);
    if v_problem is not null then
        perform set_config('default_transaction_read_only', 'on', false);
    end if;
end
$$;

do $$
begin
    if current_setting('forge.problem') <> '' then
        raise exception '%', current_setting('forge.problem')
            using errcode = 'object_not_in_prerequisite_state', hint = current_setting('forge.hint');
    end if;
end
$$;

-- "already exists, skipping" is what a second run is for.
set client_min_messages = warning;

-- Database and schemas ---------------------------------------------------------
do $$
begin
    execute format('alter database %I owner to postgres', current_database());

    -- The comment comes with the schema or not at all: an auth without it counts as the real platform's.
    if to_regnamespace('auth') is null then
        create schema auth authorization supabase_admin;
        comment on schema auth is 'Stand-in for Supabase Auth. Local use only.';
    end if;
end
$$;

-- As in a database made by 15 or newer, whatever made this one: only the database's owner creates in public.
alter schema public owner to pg_database_owner;
revoke create on schema public from public;
grant usage on schema public to postgres, anon, authenticated, service_role;

create schema if not exists extensions;
alter schema extensions owner to postgres;
grant usage on schema extensions to anon, authenticated, service_role, dashboard_user;

-- Not grantable by postgres, so a role of ours reaches auth only as a member of authenticated.
grant usage on schema auth to postgres, anon, authenticated, service_role, dashboard_user;
grant all on schema auth to supabase_auth_admin;

-- Extensions -------------------------------------------------------------------
-- Owned by supabase_admin, so that postgres cannot alter or comment on them.
set role supabase_admin;

create extension if not exists pgcrypto with schema extensions;

-- Also on every project, but not part of every PostgreSQL package, and nothing of ours fails without them.
do $$
declare
    v_extension text;
begin
    for v_extension in
        select extension.name
        from pg_catalog.pg_available_extensions as extension
        where extension.name in ('uuid-ossp', 'pg_stat_statements')
    loop
        execute format('create extension if not exists %I with schema extensions', v_extension);
    end loop;
end
$$;

reset role;

-- auth.users -------------------------------------------------------------------
-- All columns of Supabase Auth in its order, because a sign-up writes most of them. E-mail is not unique by itself:
-- single sign-on may bring an address that somebody already uses.
create table if not exists auth.users (
    instance_id                 uuid,
    id                          uuid not null,
    aud                         varchar(255),
    role                        varchar(255),
    email                       varchar(255),
    encrypted_password          varchar(255),
    email_confirmed_at          timestamptz,
    invited_at                  timestamptz,
    confirmation_token          varchar(255),
    confirmation_sent_at        timestamptz,
    recovery_token              varchar(255),
    recovery_sent_at            timestamptz,
    email_change_token_new      varchar(255),
    email_change                varchar(255),
    email_change_sent_at        timestamptz,
    last_sign_in_at             timestamptz,
    raw_app_meta_data           jsonb,
    raw_user_meta_data          jsonb,
    is_super_admin              boolean,
    created_at                  timestamptz,
    updated_at                  timestamptz,
    phone                       text default null,
    phone_confirmed_at          timestamptz,
    phone_change                text default '',
    phone_change_token          varchar(255) default '',
    phone_change_sent_at        timestamptz,
    confirmed_at                timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current  varchar(255) default '',
    email_change_confirm_status smallint default 0,
    banned_until                timestamptz,
    reauthentication_token      varchar(255) default '',
    reauthentication_sent_at    timestamptz,
    is_sso_user                 boolean not null default false,
    deleted_at                  timestamptz,
    is_anonymous                boolean not null default false,
    constraint users_pkey primary key (id),
    constraint users_phone_key unique (phone),
    constraint users_email_change_confirm_status_check check (email_change_confirm_status between 0 and 2)
);

create unique index if not exists users_email_partial_key on auth.users (email) where is_sso_user = false;
create index if not exists users_instance_id_email_idx on auth.users (instance_id, lower(email));
create index if not exists users_instance_id_idx on auth.users (instance_id);

alter table auth.users owner to supabase_auth_admin;
alter table auth.users enable row level security;

comment on table auth.users is 'Auth: Stores user login data within a secure schema.';

-- postgres may do all to the rows and nothing to the table; the API roles nothing at all.
grant all on auth.users to postgres, dashboard_user;
grant select on auth.users to postgres with grant option;

-- What the token says ----------------------------------------------------------
-- PostgREST puts the token's claims into the setting request.jwt.claims for one transaction; what is left after it is
-- the empty string, not null. The older setting per claim wins where somebody sets it. Plain SQL functions without
-- search_path or parallel safety, as on the platform: code that is right only with better ones is wrong there.
create or replace function auth.uid()
returns uuid
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
    )::uuid
$$;

create or replace function auth.role()
returns text
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
    )::text
$$;

create or replace function auth.email()
returns text
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
    )::text
$$;

create or replace function auth.jwt()
returns jsonb
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;

alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;

comment on function auth.uid() is 'Id of the user who sent the request; null without a token.';
comment on function auth.role() is 'Database role that the request''s token names.';
comment on function auth.email() is 'E-mail address in the request''s token.';
comment on function auth.jwt() is 'All claims of the request''s token.';

-- Default grants ---------------------------------------------------------------
-- What an object in public is born with. Here for both who create there, and below the regime's difference.
alter default privileges for role postgres in schema public
grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on functions to postgres, anon, authenticated, service_role;

alter default privileges for role supabase_admin in schema public
grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema public
grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema public
grant all on functions to postgres, anon, authenticated, service_role;

-- These three statements and no more, so TRUNCATE, REFERENCES, TRIGGER and MAINTAIN on tables, UPDATE on sequences,
-- and PUBLIC's EXECUTE on functions remain. It is what the platform does, and what a migration has to cope with.
do $$
begin
    if coalesce(current_setting('forge.grants_regime', true), '') in ('', 'explicit') then
        alter default privileges for role postgres in schema public
        revoke select, insert, update, delete on tables from anon, authenticated, service_role;
        alter default privileges for role postgres in schema public
        revoke usage, select on sequences from anon, authenticated, service_role;
        alter default privileges for role postgres in schema public
        revoke execute on functions from anon, authenticated, service_role;
    end if;
end
$$;

reset client_min_messages;
