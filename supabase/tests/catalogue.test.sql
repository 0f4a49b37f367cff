-- What there is: roles, schemas, tables, functions, and who may use which. Whatever is not named here is a failure.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
select plan(12);

-- Roles and schemas -----------------------------------------------------------------------------------------------

select set_eq(
    $$
    select
        rolname::text, rolbypassrls, rolcanlogin, rolinherit, rolsuper or rolcreaterole or rolcreatedb or rolreplication,
        array(
            select parent.rolname::text from pg_auth_members inner join pg_roles as parent on roleid = parent.oid
            where member = actor.oid order by parent.rolname
        )
    from pg_roles as actor where rolname = any(array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator'])
    $$,
    $$ values
    ('anon', false, false, true, false, '{}'::text[]),
    ('authenticated', false, false, true, false, '{}'::text[]),
    ('app_admin', false, false, true, false, '{authenticated}'::text[]),
    ('service_role', true, false, true, false, '{}'::text[]),
    ('authenticator', false, true, false, false, '{anon, app_admin, authenticated, service_role}'::text[])
    $$,
    'roles: bypasses policies, logs in, inherits, is powerful, is a member of'
);
select set_eq(
    $$
    select role_name, nspname::text, privilege
    from unnest(array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']) as role_name, pg_namespace, unnest(array['usage', 'create']) as privilege
    where nspname in ('public', 'private', 'archive') and has_schema_privilege(role_name, oid, privilege)
    $$,
    $$ values
    ('anon', 'public', 'usage'),
    ('authenticated', 'public', 'usage'),
    ('app_admin', 'public', 'usage'),
    ('service_role', 'public', 'usage'),
    ('authenticator', 'public', 'usage')
    $$,
    'schemas: who may use them; nobody creates there'
);

-- Tables and what is like them --------------------------------------------------------------------------------------
-- Every table, view and sequence of ours. A partition has no name of its own here: it is as closed as private is.
create temporary view relations as
select
    rel.oid, rel.relkind, rel.relispartition, rel.relrowsecurity, rel.relowner, rel.relacl,
    nspname || '.' || relname as name
from pg_class as rel inner join pg_namespace as sch on rel.relnamespace = sch.oid
where nspname in ('public', 'private', 'archive') and relkind in ('r', 'p', 'v', 'm', 'f', 'S');

select set_eq(
    'select name from relations where not relispartition',
    $$ values
    ('archive.api_usage_logs'),
    ('archive.prompt_history'),
    ('archive.unmigrated'),
    ('private.activity_daily'),
    ('private.changed_days'),
    ('private.expired_prompts_daily'),
    ('private.latency_daily'),
    ('private.locks'),
    ('private.log_files'),
    ('private.maintenance_runs'),
    ('private.prompt_search'),
    ('private.prompts_daily'),
    ('private.published_prompts'),
    ('private.rate_limit_counters'),
    ('private.rate_limits'),
    ('private.rollups'),
    ('private.secrets'),
    ('private.size_snapshots'),
    ('private.spent_costs'),
    ('private.uncounted_uses'),
    ('private.usage_daily'),
    ('private.usage_requests'),
    ('private.user_sign_ins_daily'),
    ('private.user_usage_daily'),
    ('private.weekly_retention'),
    ('public.api_configurations'),
    ('public.api_providers'),
    ('public.api_usage_logs'),
    ('public.audit_log'),
    ('public.feedback'),
    ('public.feedback_analytics'),
    ('public.feedback_categories'),
    ('public.feedback_tag_assignments'),
    ('public.feedback_tags'),
    ('public.prompt_frameworks'),
    ('public.prompt_history'),
    ('public.prompt_templates'),
    ('public.security_events'),
    ('public.system_config'),
    ('public.user_preferences'),
    ('public.user_profiles'),
    ('public.user_sessions')
    $$,
    'tables, views and sequences are these'
);
select is_empty(
    $$ select name from relations where relkind in ('r', 'p') and not relrowsecurity $$,
    'row level security is on, for every table and partition'
);
select is_empty(
    $$ select name from relations where pg_get_userbyid(relowner) <> 'postgres' $$,
    'all of it belongs to postgres'
);
select is_empty(
    $$ select name from relations where relispartition and starts_with(name, 'public.') $$,
    'partitions are out of the reach of requests'
);

-- Out of reach twice: no rights, and no policy that lets anybody see or write a row, should one slip in.
create temporary view closed as
select * from relations
where relispartition or name in (
    'private.secrets',
    'private.rate_limits',
    'private.rate_limit_counters',
    'private.usage_requests',
    'private.prompt_search',
    'private.spent_costs',
    'private.uncounted_uses',
    'private.rollups',
    'private.changed_days',
    'private.usage_daily',
    'private.latency_daily',
    'private.user_usage_daily',
    'private.prompts_daily',
    'private.expired_prompts_daily',
    'private.user_sign_ins_daily',
    'private.activity_daily',
    'private.weekly_retention',
    'private.published_prompts',
    'private.maintenance_runs',
    'private.size_snapshots',
    'private.log_files',
    'private.locks',
    'archive.api_usage_logs',
    'archive.prompt_history',
    'archive.unmigrated'
);
select is_empty(
    $$
    select name, role_name
    from closed, unnest(array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']) as role_name
    where has_table_privilege(role_name, oid, 'select, insert, update, delete, truncate, references, trigger')
        or has_any_column_privilege(role_name, oid, 'select, insert, update, references')
    $$,
    'nobody has a right to what is closed'
);
select is_empty(
    $$
    select name, polname
    from closed inner join pg_policy on polrelid = closed.oid
    where coalesce(pg_get_expr(polqual, polrelid), 'false') <> 'false'
        or coalesce(pg_get_expr(polwithcheck, polrelid), 'false') <> 'false'
    $$,
    'no policy opens what is closed'
);

-- Policies and grants -----------------------------------------------------------------------------------------------

select is_empty(
    $$
    select name, polname, role_oid::regrole
    from pg_policy inner join relations on polrelid = relations.oid cross join unnest(polroles) as role_oid
    where role_oid <> all (array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']::regrole[])
    $$,
    'every policy is for named roles of the contract'
);
select is_empty(
    $$
    select name, grantee::regrole, privilege_type
    from (
        select name, relowner, (aclexplode(relacl)).* from relations
        union all
        select name || '.' || attname, relowner, (aclexplode(attacl)).*
        from relations inner join pg_attribute on attrelid = oid
    ) as held
    where grantee <> relowner and (is_grantable or grantee <> all (array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']::regrole[]))
    $$,
    'rights are held by roles of the contract, who may not pass them on'
);
select is_empty(
    $$
    select nspname, acl.*
    from pg_default_acl left join pg_namespace on defaclnamespace = pg_namespace.oid, aclexplode(defaclacl) as acl
    where (nspname is null or nspname in ('public', 'private', 'archive') and nspname <> 'public')
        and acl.grantee = any (array[0] || array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']::regrole[]::oid[]) and acl.grantee <> defaclrole
    $$,
    'what is made later is born closed, but for what the platform does in public'
);

-- Functions ---------------------------------------------------------------------------------------------------------
-- By whatever way a role came to it, be it as one of the public.

select set_eq(
    $$
    select format('%s.%s(%s)', nspname, proname, oidvectortypes(proargtypes)), string_agg(role_name, ', ' order by role_name)
    from pg_proc inner join pg_namespace on pronamespace = pg_namespace.oid, unnest(array['anon', 'authenticated', 'app_admin', 'service_role', 'authenticator']) as role_name
    where nspname in ('public', 'private', 'archive') and has_function_privilege(role_name, pg_proc.oid, 'execute')
    group by 1
    $$,
    $$ values
    ('private.analyze_all_tables()', 'service_role'),
    ('private.check_days(integer)', 'app_admin, authenticated'),
    ('private.consume_rate_limit(text, timestamp with time zone)', 'app_admin, authenticated'),
    ('private.daily_maintenance(integer)', 'service_role'),
    ('private.decrypt_api_key(uuid, text)', 'service_role'),
    ('private.detect_suspicious_activity()', 'service_role'),
    ('private.export_my_data()', 'app_admin, authenticated'),
    ('private.generate_daily_feedback_analytics(date)', 'service_role'),
    ('private.get_api_analytics(integer)', 'app_admin'),
    ('private.get_connection_stats()', 'service_role'),
    ('private.get_database_stats()', 'service_role'),
    ('private.get_feedback_analytics(integer)', 'app_admin'),
    ('private.get_index_advice()', 'service_role'),
    ('private.get_index_usage()', 'service_role'),
    ('private.get_prompt_analytics(integer)', 'app_admin'),
    ('private.get_prompt_stats(integer)', 'app_admin, authenticated'),
    ('private.get_slow_queries(integer)', 'service_role'),
    ('private.get_storage_growth(integer)', 'service_role'),
    ('private.get_usage_summary(integer)', 'app_admin, authenticated'),
    ('private.get_user_activity(integer)', 'app_admin'),
    ('private.is_component_list(jsonb)', 'app_admin, service_role'),
    ('private.is_email(text)', 'anon, app_admin, authenticated, service_role'),
    ('private.is_json_object(jsonb, integer)', 'anon, app_admin, authenticated, service_role'),
    ('private.is_key_envelope(text)', 'app_admin, authenticated, service_role'),
    ('private.is_model_list(jsonb)', 'app_admin, service_role'),
    ('private.is_model_price_list(jsonb)', 'app_admin, service_role'),
    ('private.is_rate_limit_list(jsonb)', 'app_admin, service_role'),
    ('private.is_resealing()', 'app_admin, authenticated, service_role'),
    ('private.is_staff_account()', 'app_admin, authenticated, service_role'),
    ('private.is_variable_list(jsonb)', 'app_admin, authenticated, service_role'),
    ('private.is_web_url(text)', 'app_admin, authenticated, service_role'),
    ('private.log_api_usage(text, text, integer, integer, integer, integer, text, uuid)', 'app_admin, authenticated'),
    ('private.log_security_event(text, text, jsonb, uuid, inet, text)', 'service_role'),
    ('private.record_api_key_validation(uuid, text, boolean, text)', 'service_role'),
    ('private.refuse_unknown(text, text)', 'app_admin, authenticated'),
    ('private.render_and_count(uuid, text, jsonb, jsonb)', 'app_admin, authenticated'),
    ('private.render_text(text, jsonb, jsonb)', 'app_admin, authenticated'),
    ('private.reveal_api_key(text)', 'app_admin, authenticated'),
    ('private.rotate_api_keys(integer, uuid)', 'service_role'),
    ('private.run_checks(text)', 'service_role'),
    ('private.save_api_key(text, text)', 'app_admin, authenticated'),
    ('private.schedule_maintenance()', 'service_role'),
    ('private.search_prompt_history(text, integer, timestamp with time zone, uuid)', 'app_admin, authenticated'),
    ('private.unpublish_prompt_template(uuid)', 'app_admin'),
    ('private.vacuum_all_tables()', 'service_role'),
    ('public.analyze_all_tables()', 'service_role'),
    ('public.check_rate_limit(text)', 'app_admin, authenticated'),
    ('public.cleanup_old_prompt_history()', 'app_admin, authenticated'),
    ('public.daily_maintenance(integer)', 'service_role'),
    ('public.decrypt_api_key(uuid, text)', 'service_role'),
    ('public.detect_suspicious_activity()', 'service_role'),
    ('public.estimate_cost(text, text, integer, integer)', 'app_admin, authenticated, service_role'),
    ('public.export_my_data()', 'app_admin, authenticated'),
    ('public.generate_daily_feedback_analytics(date)', 'service_role'),
    ('public.get_api_analytics(integer)', 'app_admin'),
    ('public.get_connection_stats()', 'service_role'),
    ('public.get_database_stats()', 'service_role'),
    ('public.get_feedback_analytics(integer)', 'app_admin'),
    ('public.get_index_advice()', 'service_role'),
    ('public.get_index_usage()', 'service_role'),
    ('public.get_prompt_analytics(integer)', 'app_admin'),
    ('public.get_prompt_stats(integer)', 'app_admin, authenticated'),
    ('public.get_public_config()', 'anon, app_admin, authenticated, service_role'),
    ('public.get_slow_queries(integer)', 'service_role'),
    ('public.get_storage_growth(integer)', 'service_role'),
    ('public.get_usage_summary(integer)', 'app_admin, authenticated'),
    ('public.get_user_activity(integer)', 'app_admin'),
    ('public.health_check()', 'service_role'),
    ('public.integrity_check()', 'service_role'),
    ('public.is_admin()', 'app_admin, authenticated, service_role'),
    ('public.is_feature_enabled(text)', 'anon, app_admin, authenticated, service_role'),
    ('public.log_api_usage(text, text, integer, integer, integer, integer, text, uuid)', 'app_admin, authenticated'),
    ('public.log_security_event(text, text, jsonb, uuid, inet, text)', 'service_role'),
    ('public.record_api_key_validation(uuid, text, boolean, text)', 'service_role'),
    ('public.render_prompt_framework(text, jsonb)', 'app_admin, authenticated'),
    ('public.render_prompt_template(uuid, jsonb)', 'app_admin, authenticated'),
    ('public.respond_to_feedback(uuid, text, character varying)', 'app_admin'),
    ('public.reveal_api_key(text)', 'app_admin, authenticated'),
    ('public.rotate_api_keys(integer, uuid)', 'service_role'),
    ('public.save_api_key(text, text)', 'app_admin, authenticated'),
    ('public.schedule_maintenance()', 'service_role'),
    ('public.search_prompt_history(text, integer, timestamp with time zone, uuid)', 'app_admin, authenticated'),
    ('public.security_audit()', 'service_role'),
    ('public.unpublish_prompt_template(uuid)', 'app_admin'),
    ('public.vacuum_all_tables()', 'service_role')
    $$,
    'functions: who may call them'
);

select * from finish();
rollback;
