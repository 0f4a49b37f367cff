-- roles.sql: the roles that every Supabase project has, for a PostgreSQL server that is not one. LOCAL USE ONLY.
--
-- Run once per server, as a superuser, then database.sql in each database:
--
--   psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql
--
-- Any number of runs leave the same roles. Sets no passwords: until you do, nobody can log in as one of these roles
-- where the server asks for a password. On a Supabase project it changes nothing and says so.

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
        v_problem := format('this server has a platform of its own (found: %s)', v_platform);
        v_hint := 'Nothing was changed. The stand-in is for plain PostgreSQL and local use only. '
            || 'On a Supabase project apply the migrations alone: npx supabase db push';
    elsif current_setting('is_superuser') <> 'on' then
        v_problem := format('a superuser is needed to install the stand-in, and %s is not one', current_user);
        v_hint := 'Nothing was changed. Connect as the superuser of this server.';
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

-- "is already a member" and the like are what a second run is for.
set client_min_messages = warning;

-- Roles ------------------------------------------------------------------------
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'anon', 'authenticated', 'service_role', 'authenticator', 'postgres', 'dashboard_user', 'pgbouncer',
        'supabase_admin', 'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin',
        'supabase_replication_admin', 'supabase_etl_admin', 'supabase_read_only_user', 'supabase_privileged_role'
    ]
    loop
        if to_regrole(v_role) is null then
            execute format('create role %I', v_role);
            -- In the same statement as its birth: a role without the mark counts as the real platform's.
            execute format('comment on role %I is %L', v_role, 'Stand-in for Supabase''s role. Local use only.');
        end if;
    end loop;
end
$$;

-- What requests run as. Members of nothing, so they can do what they are granted and no more.
alter role anon nologin inherit;
alter role authenticated nologin inherit;
alter role service_role nologin inherit bypassrls;

-- What PostgREST connects as, and becomes one of the three from. NOINHERIT: by itself it may do nothing.
alter role authenticator login noinherit;

alter role supabase_admin login superuser inherit createdb createrole replication bypassrls;
alter role supabase_auth_admin login noinherit;
alter role supabase_storage_admin login noinherit createrole;
alter role supabase_realtime_admin nologin noinherit;
alter role supabase_replication_admin login replication;
alter role supabase_etl_admin login replication;
alter role supabase_read_only_user login bypassrls;
alter role supabase_privileged_role nologin;
alter role dashboard_user nologin createrole createdb replication;
alter role pgbouncer login;

-- Memberships ------------------------------------------------------------------
grant anon to authenticator;
grant authenticated to authenticator;
grant service_role to authenticator;
grant authenticator to supabase_storage_admin;
grant pg_read_all_data to supabase_etl_admin;
grant pg_read_all_data to supabase_read_only_user;

-- Settings ---------------------------------------------------------------------
-- They hold for a login and do not follow SET ROLE: PostgREST reads them here and sets them for each request.
-- session_preload_libraries = safeupdate is left out: where the library is missing it would refuse every login.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_admin set search_path = '$user', public, auth, extensions;
alter role supabase_auth_admin set search_path = 'auth';
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = 'storage';

-- postgres ---------------------------------------------------------------------
-- The owner of everything we make: powerful, and not a superuser. Where a server's own superuser is called postgres
-- it stays as it is, because that server has other users than us and may have no other superuser.
do $$
declare
    v_role text;
begin
    if (select role.rolsuper from pg_catalog.pg_roles as role where role.rolname = 'postgres') then
        raise warning 'postgres is a superuser here and stays one; on Supabase it is not'
            using hint = 'Fine for a server of your own. Row level security never applies to it.';
        return;
    end if;

    alter role postgres login inherit createdb createrole replication bypassrls;
    alter role postgres set search_path = '$user', public, extensions;
    grant supabase_privileged_role to postgres;

    -- From 16 on CREATEROLE reaches only roles held WITH ADMIN OPTION; 15 needs none, and has none on Supabase.
    foreach v_role in array array[
        'anon', 'authenticated', 'service_role', 'pg_monitor', 'pg_read_all_data', 'pg_signal_backend'
    ]
    loop
        if current_setting('server_version_num')::integer >= 160000 then
            execute format('grant %I to postgres with admin option', v_role);
        else
            execute format('grant %I to postgres', v_role);
        end if;
    end loop;
    if current_setting('server_version_num')::integer >= 160000 then
        grant authenticator, pg_create_subscription to postgres with admin option;
    end if;
end
$$;

reset client_min_messages;
