-- What functions and views answer, to every role that may ask them, in a small world where everybody has rows of every kind.
-- Generated from tests/access_contract.toml by `forge-db emit-pgtap`: change that, not this. `supabase test db` runs it.

begin;

set local search_path = public, extensions;
set local client_min_messages = warning;
select plan(61);

-- The world -------------------------------------------------------------------------------------------------------

insert into auth.users (id, aud, role, email) values
('70726f62-6500-4000-8000-000000000001', 'authenticated', 'authenticated', 'authenticated@probe.example'),
('70726f62-6500-4000-8000-000000000002', 'authenticated', 'app_admin', 'app_admin@probe.example'),
('70726f62-6500-4000-8000-000000000003', 'authenticated', 'authenticated', 'stranger@probe.example'),
('70726f62-6500-4000-8000-000000000004', 'authenticated', 'authenticated', 'bystander@probe.example');
grant app_admin to current_user;

insert into public.user_sessions (user_id) values ('70726f62-6500-4000-8000-000000000001');
insert into public.user_sessions (user_id) values ('70726f62-6500-4000-8000-000000000002');
insert into public.user_sessions (user_id) values ('70726f62-6500-4000-8000-000000000003');
insert into public.api_configurations (user_id, provider, api_key_encrypted) values ('70726f62-6500-4000-8000-000000000001', 'openai', 'enc:c1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5ufo6err7O3u7/Dx8vM=');
insert into public.api_configurations (user_id, provider, api_key_encrypted) values ('70726f62-6500-4000-8000-000000000002', 'openai', 'enc:c1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5ufo6err7O3u7/Dx8vM=');
insert into public.api_configurations (user_id, provider, api_key_encrypted) values ('70726f62-6500-4000-8000-000000000003', 'openai', 'enc:c1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5ufo6err7O3u7/Dx8vM=');
insert into public.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000001', 'probe_16');
insert into public.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000002', 'probe_17');
insert into public.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000003', 'probe_18');
insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000001', 'probe_19', 'probe_19', 'probe_19', 'probe_19', 'probe_19');
insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000002', 'probe_20', 'probe_20', 'probe_20', 'probe_20', 'probe_20');
insert into public.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000003', 'probe_21', 'probe_21', 'probe_21', 'probe_21', 'probe_21');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000001', 'probe_22', 'probe_22', 'probe_22', 'false', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000001', 'probe_23', 'probe_23', 'probe_23', 'true', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000001', 'probe_24', 'probe_24', 'probe_24', 'false', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000001', 'probe_25', 'probe_25', 'probe_25', 'true', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000002', 'probe_26', 'probe_26', 'probe_26', 'false', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000002', 'probe_27', 'probe_27', 'probe_27', 'true', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000002', 'probe_28', 'probe_28', 'probe_28', 'false', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000002', 'probe_29', 'probe_29', 'probe_29', 'true', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000003', 'probe_30', 'probe_30', 'probe_30', 'false', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000003', 'probe_31', 'probe_31', 'probe_31', 'true', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000003', 'probe_32', 'probe_32', 'probe_32', 'false', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values ('70726f62-6500-4000-8000-000000000003', 'probe_33', 'probe_33', 'probe_33', 'true', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values (null, 'probe_34', 'probe_34', 'probe_34', 'false', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values (null, 'probe_35', 'probe_35', 'probe_35', 'true', 'false');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values (null, 'probe_36', 'probe_36', 'probe_36', 'false', 'true');
insert into public.prompt_templates (user_id, name, framework_id, template_content, is_public, is_active) values (null, 'probe_37', 'probe_37', 'probe_37', 'true', 'true');
insert into public.api_providers (name, display_name, base_url, is_enabled) values ('probe_38', 'probe_38', 'https://example.com/38', 'false');
insert into public.api_providers (name, display_name, base_url, is_enabled) values ('probe_39', 'probe_39', 'https://example.com/39', 'true');
insert into public.prompt_frameworks (name, display_name, description, components, template, is_enabled) values ('probe_40', 'probe_40', 'probe_40', '[{"name": "task", "label": "Task", "description": "What to do.", "required": true}]', 'Do {{task}}.', 'false');
insert into public.prompt_frameworks (name, display_name, description, components, template, is_enabled) values ('probe_41', 'probe_41', 'probe_41', '[{"name": "task", "label": "Task", "description": "What to do.", "required": true}]', 'Do {{task}}.', 'true');
insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_42', 'application', 'true', 'boolean', 'probe_42', 'false');
insert into public.system_config (key, category, value, value_type, description, is_public) values ('probe_43', 'application', 'true', 'boolean', 'probe_43', 'true');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_44', 'open');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_45', 'in_progress');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_46', 'resolved');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000001', 'probe_47', 'closed');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000002', 'probe_48', 'open');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000002', 'probe_49', 'in_progress');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000002', 'probe_50', 'resolved');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000002', 'probe_51', 'closed');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_52', 'open');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_53', 'in_progress');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_54', 'resolved');
insert into public.feedback (user_id, message, status) values ('70726f62-6500-4000-8000-000000000003', 'probe_55', 'closed');
insert into public.feedback (user_id, message, status) values (null, 'probe_56', 'open');
insert into public.feedback (user_id, message, status) values (null, 'probe_57', 'in_progress');
insert into public.feedback (user_id, message, status) values (null, 'probe_58', 'resolved');
insert into public.feedback (user_id, message, status) values (null, 'probe_59', 'closed');
insert into public.feedback_categories (name, is_active) values ('probe_60', 'false');
insert into public.feedback_categories (name, is_active) values ('probe_61', 'true');
insert into public.feedback_tags (name, is_active) values ('probe_62', 'false');
insert into public.feedback_tags (name, is_active) values ('probe_63', 'true');
insert into public.feedback (id, user_id, message) values ('00000000-0000-4000-9000-000000000001', '70726f62-6500-4000-8000-000000000001', 'probe_64');
insert into public.feedback_tags (id, name) values ('00000000-0000-4000-9000-000000000002', 'probe_66');
insert into public.feedback_tag_assignments (feedback_id, tag_id) values ('00000000-0000-4000-9000-000000000001', '00000000-0000-4000-9000-000000000002');
insert into public.feedback (id, user_id, message) values ('00000000-0000-4000-9000-000000000003', '70726f62-6500-4000-8000-000000000002', 'probe_67');
insert into public.feedback_tags (id, name) values ('00000000-0000-4000-9000-000000000004', 'probe_69');
insert into public.feedback_tag_assignments (feedback_id, tag_id) values ('00000000-0000-4000-9000-000000000003', '00000000-0000-4000-9000-000000000004');
insert into public.feedback (id, user_id, message) values ('00000000-0000-4000-9000-000000000005', '70726f62-6500-4000-8000-000000000003', 'probe_70');
insert into public.feedback_tags (id, name) values ('00000000-0000-4000-9000-000000000006', 'probe_72');
insert into public.feedback_tag_assignments (feedback_id, tag_id) values ('00000000-0000-4000-9000-000000000005', '00000000-0000-4000-9000-000000000006');
insert into public.feedback (id, user_id, message) values ('00000000-0000-4000-9000-000000000007', null, 'probe_73');
insert into public.feedback_tags (id, name) values ('00000000-0000-4000-9000-000000000008', 'probe_75');
insert into public.feedback_tag_assignments (feedback_id, tag_id) values ('00000000-0000-4000-9000-000000000007', '00000000-0000-4000-9000-000000000008');
insert into public.feedback_analytics (date) values ('2001-03-18');
insert into public.audit_log (actor_id, actor_role, action, table_name) values ('70726f62-6500-4000-8000-000000000001', 'probe_77', 'insert', 'probe_77');
insert into public.audit_log (actor_id, actor_role, action, table_name) values ('70726f62-6500-4000-8000-000000000002', 'probe_78', 'insert', 'probe_78');
insert into public.audit_log (actor_id, actor_role, action, table_name) values ('70726f62-6500-4000-8000-000000000003', 'probe_79', 'insert', 'probe_79');
insert into public.audit_log (actor_id, actor_role, action, table_name) values (null, 'probe_80', 'insert', 'probe_80');
insert into public.security_events (user_id, event_type) values ('70726f62-6500-4000-8000-000000000001', 'probe_81');
insert into public.security_events (user_id, event_type) values ('70726f62-6500-4000-8000-000000000002', 'probe_82');
insert into public.security_events (user_id, event_type) values ('70726f62-6500-4000-8000-000000000003', 'probe_83');
insert into public.security_events (user_id, event_type) values (null, 'probe_84');
insert into private.secrets (name, secret) values ('app_encryption_key', 'probe_85');
insert into private.rate_limits (provider, per_minute, per_day) values ('probe_86', '87', '87');
insert into private.rate_limit_counters (user_id, provider, minute_start, minute_count, day_start, day_count) values ('70726f62-6500-4000-8000-000000000001', 'probe_87', '2001-01-01 00:00:27+00', '88', '2001-01-01 00:00:27+00', '88');
insert into private.rate_limit_counters (user_id, provider, minute_start, minute_count, day_start, day_count) values ('70726f62-6500-4000-8000-000000000002', 'probe_88', '2001-01-01 00:00:28+00', '89', '2001-01-01 00:00:28+00', '89');
insert into private.rate_limit_counters (user_id, provider, minute_start, minute_count, day_start, day_count) values ('70726f62-6500-4000-8000-000000000003', 'probe_89', '2001-01-01 00:00:29+00', '90', '2001-01-01 00:00:29+00', '90');
insert into private.usage_requests (user_id, request_id, log_id) values ('70726f62-6500-4000-8000-000000000001', '00000000-0000-4000-a000-00000000005a', '00000000-0000-4000-a000-00000000005a');
insert into private.usage_requests (user_id, request_id, log_id) values ('70726f62-6500-4000-8000-000000000002', '00000000-0000-4000-a000-00000000005b', '00000000-0000-4000-a000-00000000005b');
insert into private.usage_requests (user_id, request_id, log_id) values ('70726f62-6500-4000-8000-000000000003', '00000000-0000-4000-a000-00000000005c', '00000000-0000-4000-a000-00000000005c');
insert into public.prompt_history (id, user_id, framework_id, framework_name, model, provider, user_input) values ('00000000-0000-4000-9000-000000000009', '70726f62-6500-4000-8000-000000000004', 'probe_94', 'probe_94', 'probe_94', 'probe_94', 'probe_94');
insert into public.prompt_history (id, user_id, framework_id, framework_name, model, provider, user_input) values ('00000000-0000-4000-9000-00000000000a', '70726f62-6500-4000-8000-000000000004', 'probe_96', 'probe_96', 'probe_96', 'probe_96', 'probe_96');
insert into public.prompt_history (id, user_id, framework_id, framework_name, model, provider, user_input) values ('00000000-0000-4000-9000-00000000000b', '70726f62-6500-4000-8000-000000000004', 'probe_98', 'probe_98', 'probe_98', 'probe_98', 'probe_98');
insert into private.spent_costs (user_id, provider, tokens_used, cost_usd) values ('70726f62-6500-4000-8000-000000000001', 'probe_99', '100', '100');
insert into private.spent_costs (user_id, provider, tokens_used, cost_usd) values ('70726f62-6500-4000-8000-000000000002', 'probe_100', '1', '1');
insert into private.spent_costs (user_id, provider, tokens_used, cost_usd) values ('70726f62-6500-4000-8000-000000000003', 'probe_101', '2', '2');
insert into private.uncounted_uses (template_id) values ('00000000-0000-4000-a000-000000000066');
insert into private.rollups (source, rolled_up_to) values ('usage', '2001-04-14');
insert into private.changed_days (source, day) values ('usage', '2001-04-15');
insert into private.usage_daily (day, provider, requests, errors, users) values ('2001-04-16', 'probe_105', '6', '6', '6');
insert into private.latency_daily (day, provider, bucket, requests) values ('2001-04-17', 'probe_106', '7', '7');
insert into private.user_usage_daily (day, user_id, provider, requests, errors) values ('2001-04-18', '70726f62-6500-4000-8000-000000000001', 'probe_107', '8', '8');
insert into private.user_usage_daily (day, user_id, provider, requests, errors) values ('2001-04-19', '70726f62-6500-4000-8000-000000000002', 'probe_108', '9', '9');
insert into private.user_usage_daily (day, user_id, provider, requests, errors) values ('2001-04-20', '70726f62-6500-4000-8000-000000000003', 'probe_109', '10', '10');
insert into private.prompts_daily (day, dimension, label, prompts, completed, failed, tokens_used, cost_usd, users) values ('2001-04-21', 'total', 'probe_110', '11', '0', '11', '11', '11', '11');
insert into private.expired_prompts_daily (day, dimension, label, prompts, completed, failed, tokens_used, cost_usd) values ('2001-04-22', 'probe_111', 'probe_111', '12', '12', '12', '12', '12');
insert into private.user_sign_ins_daily (day, user_id, sign_ins) values ('2001-04-23', '70726f62-6500-4000-8000-000000000001', '13');
insert into private.user_sign_ins_daily (day, user_id, sign_ins) values ('2001-04-24', '70726f62-6500-4000-8000-000000000002', '14');
insert into private.user_sign_ins_daily (day, user_id, sign_ins) values ('2001-04-25', '70726f62-6500-4000-8000-000000000003', '15');
insert into private.activity_daily (day, sign_ins, active_users) values ('2001-04-26', '16', '16');
insert into private.maintenance_runs (deadline) values ('2001-01-01 00:00:56+00');
insert into private.size_snapshots (relation_name, taken_on, heap_bytes, index_bytes, total_bytes) values ('probe_117', '2001-04-28', '18', '18', '18');
insert into private.log_files (first_line, read_to) values ('0000000000000000000000000000000000000000000000000000000000000000', '19');
insert into private.locks (name) values ('en');
insert into archive.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000001', 'probe_120');
insert into archive.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000002', 'probe_121');
insert into archive.api_usage_logs (user_id, provider) values ('70726f62-6500-4000-8000-000000000003', 'probe_122');
insert into archive.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000001', 'probe_123', 'probe_123', 'probe_123', 'probe_123', 'probe_123');
insert into archive.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000002', 'probe_124', 'probe_124', 'probe_124', 'probe_124', 'probe_124');
insert into archive.prompt_history (user_id, framework_id, framework_name, model, provider, user_input) values ('70726f62-6500-4000-8000-000000000003', 'probe_125', 'probe_125', 'probe_125', 'probe_125', 'probe_125');
insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row) values ('70726f62-6500-4000-8000-000000000001', 'probe_126', '00000000-0000-4000-a000-00000000007e', 'adjusted', 'probe_126', '{}');
insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row) values ('70726f62-6500-4000-8000-000000000002', 'probe_127', '00000000-0000-4000-a000-00000000007f', 'adjusted', 'probe_127', '{}');
insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row) values ('70726f62-6500-4000-8000-000000000003', 'probe_128', '00000000-0000-4000-a000-000000000080', 'adjusted', 'probe_128', '{}');
insert into archive.unmigrated (user_id, legacy_table, legacy_id, outcome, reason, legacy_row) values (null, 'probe_129', '00000000-0000-4000-a000-000000000081', 'adjusted', 'probe_129', '{}');

-- The question ----------------------------------------------------------------------------------------------------

create temporary table questions (
    speaker text, name text, before text, call text, truth text, afterwards text,
    argument_names text[], argument_types text[], argument_values text
);
insert into questions values
(
    'authenticated', 'public.is_admin()',
    '',
    'select * from public.is_admin() as answer',
    'select :role = ''app_admin''',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'app_admin', 'public.is_admin()',
    '',
    'select * from public.is_admin() as answer',
    'select :role = ''app_admin''',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.is_admin()',
    '',
    'select * from public.is_admin() as answer',
    'select :role = ''app_admin''',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'anon', 'public.get_public_config()',
    '',
    'select * from public.get_public_config() as answer',
    'select jsonb_object_agg(key, value) from public.system_config where is_public',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'authenticated', 'public.get_public_config()',
    '',
    'select * from public.get_public_config() as answer',
    'select jsonb_object_agg(key, value) from public.system_config where is_public',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'app_admin', 'public.get_public_config()',
    '',
    'select * from public.get_public_config() as answer',
    'select jsonb_object_agg(key, value) from public.system_config where is_public',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_public_config()',
    '',
    'select * from public.get_public_config() as answer',
    'select jsonb_object_agg(key, value) from public.system_config where is_public',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'anon', 'public.is_feature_enabled(text)',
    '',
    'select * from public.is_feature_enabled(flag => :flag) as answer',
    'select coalesce(bool_or(value = ''true''), false) from public.system_config where key = :flag and category = ''feature_flag'' and (is_public or :role in (''app_admin'', ''service_role''))',
    '',
    '{flag}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select key from public.system_config where category in (''feature_flag'', ''analytics'')) as a0 (value)'
),
(
    'authenticated', 'public.is_feature_enabled(text)',
    '',
    'select * from public.is_feature_enabled(flag => :flag) as answer',
    'select coalesce(bool_or(value = ''true''), false) from public.system_config where key = :flag and category = ''feature_flag'' and (is_public or :role in (''app_admin'', ''service_role''))',
    '',
    '{flag}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select key from public.system_config where category in (''feature_flag'', ''analytics'')) as a0 (value)'
),
(
    'app_admin', 'public.is_feature_enabled(text)',
    '',
    'select * from public.is_feature_enabled(flag => :flag) as answer',
    'select coalesce(bool_or(value = ''true''), false) from public.system_config where key = :flag and category = ''feature_flag'' and (is_public or :role in (''app_admin'', ''service_role''))',
    '',
    '{flag}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select key from public.system_config where category in (''feature_flag'', ''analytics'')) as a0 (value)'
),
(
    'service_role', 'public.is_feature_enabled(text)',
    '',
    'select * from public.is_feature_enabled(flag => :flag) as answer',
    'select coalesce(bool_or(value = ''true''), false) from public.system_config where key = :flag and category = ''feature_flag'' and (is_public or :role in (''app_admin'', ''service_role''))',
    '',
    '{flag}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select key from public.system_config where category in (''feature_flag'', ''analytics'')) as a0 (value)'
),
(
    'authenticated', 'public.save_api_key(text,text)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40))',
    'select * from public.save_api_key(provider => :provider, api_key => :api_key) as answer',
    '',
    'select user_id = :me and provider = :provider and api_key_encrypted like ''enc:v1:%'' and not is_validated from public.api_configurations where id::text = :answer',
    '{provider, api_key}', '{text, text}',
    'select distinct array[a0.value::text, a1.value::text]::text[] from (select ''openai'') as a0 (value) cross join (select ''sk-proj-'' || repeat(''Ab1_'', 30)) as a1 (value)'
),
(
    'app_admin', 'public.save_api_key(text,text)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40))',
    'select * from public.save_api_key(provider => :provider, api_key => :api_key) as answer',
    '',
    'select user_id = :me and provider = :provider and api_key_encrypted like ''enc:v1:%'' and not is_validated from public.api_configurations where id::text = :answer',
    '{provider, api_key}', '{text, text}',
    'select distinct array[a0.value::text, a1.value::text]::text[] from (select ''openai'') as a0 (value) cross join (select ''sk-proj-'' || repeat(''Ab1_'', 30)) as a1 (value)'
),
(
    'authenticated', 'public.reveal_api_key(text)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40)); update public.system_config set value = ''true'' where key = ''client_key_reveal''; update public.api_configurations set api_key_encrypted = private.seal_api_key(user_id, provider, ''key of '' || user_id, known.key_id, known.secret) from private.encryption_keys() as known',
    'select * from public.reveal_api_key(provider => :provider) as answer',
    'select ''key of '' || user_id from public.api_configurations where user_id = :me and provider = :provider',
    '',
    '{provider}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select provider from public.api_configurations) as a0 (value)'
),
(
    'app_admin', 'public.reveal_api_key(text)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40)); update public.system_config set value = ''true'' where key = ''client_key_reveal''; update public.api_configurations set api_key_encrypted = private.seal_api_key(user_id, provider, ''key of '' || user_id, known.key_id, known.secret) from private.encryption_keys() as known',
    'select * from public.reveal_api_key(provider => :provider) as answer',
    'select ''key of '' || user_id from public.api_configurations where user_id = :me and provider = :provider',
    '',
    '{provider}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select provider from public.api_configurations) as a0 (value)'
),
(
    'service_role', 'public.decrypt_api_key(uuid,text)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40)); update public.api_configurations set api_key_encrypted = private.seal_api_key(user_id, provider, ''key of '' || user_id, known.key_id, known.secret) from private.encryption_keys() as known',
    'select * from public.decrypt_api_key(user_id => :user_id, provider => :provider) as answer',
    'select ''key of '' || user_id from public.api_configurations where user_id = :user_id and provider = :provider',
    '',
    '{user_id, provider}', '{uuid, text}',
    'select distinct array[a0.value::text, a1.value::text]::text[] from (select id from auth.users) as a0 (value) cross join (select provider from public.api_configurations) as a1 (value)'
),
(
    'service_role', 'public.record_api_key_validation(uuid,text,boolean,text)',
    '',
    'select * from public.record_api_key_validation(user_id => :user_id, provider => :provider, is_valid => :is_valid) as answer',
    '',
    'select is_validated from public.api_configurations where user_id = :user_id and provider = :provider',
    '{user_id, provider, is_valid}', '{uuid, text, boolean}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text]::text[] from (select user_id from public.api_configurations) as a0 (value) cross join (select ''openai'') as a1 (value) cross join (select true) as a2 (value)'
),
(
    'service_role', 'public.rotate_api_keys(integer,uuid)',
    'select private.keep_secret(''app_encryption_key'', repeat(''k'', 40)); update public.api_configurations set api_key_encrypted = private.seal_api_key(user_id, provider, ''key of '' || user_id, known.key_id, known.secret) from private.encryption_keys() as known; select private.change_encryption_key()',
    'select resealed, unreadable from public.rotate_api_keys() as answer',
    'select count(*), 0 from public.api_configurations',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'authenticated', 'public.check_rate_limit(text)',
    '',
    'select allowed, limit_scope, retry_after_seconds from public.check_rate_limit(provider => :provider) as answer',
    'select true, null, 0 from public.api_configurations as configuration inner join public.api_providers as known on configuration.provider = known.name where known.name = :provider and known.is_enabled and configuration.user_id = :me and configuration.is_active',
    '',
    '{provider}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select name from public.api_providers) as a0 (value)'
),
(
    'app_admin', 'public.check_rate_limit(text)',
    '',
    'select allowed, limit_scope, retry_after_seconds from public.check_rate_limit(provider => :provider) as answer',
    'select true, null, 0 from public.api_configurations as configuration inner join public.api_providers as known on configuration.provider = known.name where known.name = :provider and known.is_enabled and configuration.user_id = :me and configuration.is_active',
    '',
    '{provider}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select name from public.api_providers) as a0 (value)'
),
(
    'authenticated', 'public.log_api_usage(text,text,integer,integer,integer,integer,text,uuid)',
    '',
    'select * from public.log_api_usage(provider => :provider, status_code => :status_code, request_id => :request_id) as answer',
    '',
    'select user_id = :me and status_code = 200 from public.api_usage_logs where id::text = :answer',
    '{provider, status_code, request_id}', '{text, integer, uuid}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text]::text[] from (select ''openai'') as a0 (value) cross join (select 200) as a1 (value) cross join (select ''00000000-0000-4000-9000-000000000001'') as a2 (value)'
),
(
    'app_admin', 'public.log_api_usage(text,text,integer,integer,integer,integer,text,uuid)',
    '',
    'select * from public.log_api_usage(provider => :provider, status_code => :status_code, request_id => :request_id) as answer',
    '',
    'select user_id = :me and status_code = 200 from public.api_usage_logs where id::text = :answer',
    '{provider, status_code, request_id}', '{text, integer, uuid}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text]::text[] from (select ''openai'') as a0 (value) cross join (select 200) as a1 (value) cross join (select ''00000000-0000-4000-9000-000000000001'') as a2 (value)'
),
(
    'authenticated', 'public.get_usage_summary(integer)',
    '',
    'select answer ->> ''requests'' from public.get_usage_summary(days => :days) as answer',
    'select count(*) from ( select user_id, created_at from public.api_usage_logs union all select user_id, created_at from archive.api_usage_logs ) as log where user_id = :me and created_at > now() - interval ''5 days''',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'app_admin', 'public.get_usage_summary(integer)',
    '',
    'select answer ->> ''requests'' from public.get_usage_summary(days => :days) as answer',
    'select count(*) from ( select user_id, created_at from public.api_usage_logs union all select user_id, created_at from archive.api_usage_logs ) as log where user_id = :me and created_at > now() - interval ''5 days''',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'authenticated', 'public.estimate_cost(text,text,integer,integer)',
    '',
    'select * from public.estimate_cost(provider => :provider, model => :model, prompt_tokens => :prompt_tokens, completion_tokens => :completion_tokens) as answer',
    'select round(((price ->> ''input_usd_per_million'')::numeric + 2 * (price ->> ''output_usd_per_million'')::numeric), 6) from public.api_providers, jsonb_array_elements(supported_models) as model, jsonb_array_elements(model -> ''prices'') as price where name = :provider and is_enabled and model ->> ''id'' = :model and (price ->> ''valid_from'')::date <= current_date order by price ->> ''valid_from'' desc limit 1',
    '',
    '{provider, model, prompt_tokens, completion_tokens}', '{text, text, integer, integer}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text, a3.value::text]::text[] from (select name from public.api_providers) as a0 (value) cross join (select model ->> ''id'' from public.api_providers, jsonb_array_elements(supported_models) as model) as a1 (value) cross join (select 1000000) as a2 (value) cross join (select 2000000) as a3 (value)'
),
(
    'app_admin', 'public.estimate_cost(text,text,integer,integer)',
    '',
    'select * from public.estimate_cost(provider => :provider, model => :model, prompt_tokens => :prompt_tokens, completion_tokens => :completion_tokens) as answer',
    'select round(((price ->> ''input_usd_per_million'')::numeric + 2 * (price ->> ''output_usd_per_million'')::numeric), 6) from public.api_providers, jsonb_array_elements(supported_models) as model, jsonb_array_elements(model -> ''prices'') as price where name = :provider and is_enabled and model ->> ''id'' = :model and (price ->> ''valid_from'')::date <= current_date order by price ->> ''valid_from'' desc limit 1',
    '',
    '{provider, model, prompt_tokens, completion_tokens}', '{text, text, integer, integer}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text, a3.value::text]::text[] from (select name from public.api_providers) as a0 (value) cross join (select model ->> ''id'' from public.api_providers, jsonb_array_elements(supported_models) as model) as a1 (value) cross join (select 1000000) as a2 (value) cross join (select 2000000) as a3 (value)'
),
(
    'service_role', 'public.estimate_cost(text,text,integer,integer)',
    '',
    'select * from public.estimate_cost(provider => :provider, model => :model, prompt_tokens => :prompt_tokens, completion_tokens => :completion_tokens) as answer',
    'select round(((price ->> ''input_usd_per_million'')::numeric + 2 * (price ->> ''output_usd_per_million'')::numeric), 6) from public.api_providers, jsonb_array_elements(supported_models) as model, jsonb_array_elements(model -> ''prices'') as price where name = :provider and is_enabled and model ->> ''id'' = :model and (price ->> ''valid_from'')::date <= current_date order by price ->> ''valid_from'' desc limit 1',
    '',
    '{provider, model, prompt_tokens, completion_tokens}', '{text, text, integer, integer}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text, a3.value::text]::text[] from (select name from public.api_providers) as a0 (value) cross join (select model ->> ''id'' from public.api_providers, jsonb_array_elements(supported_models) as model) as a1 (value) cross join (select 1000000) as a2 (value) cross join (select 2000000) as a3 (value)'
),
(
    'authenticated', 'public.render_prompt_template(uuid,jsonb)',
    '',
    'select * from public.render_prompt_template(template_id => :template_id) as answer',
    'select template_content from public.prompt_templates where id = :template_id and is_active and (user_id = :me or is_public or (user_id is null and :role = ''app_admin''))',
    '',
    '{template_id}', '{uuid}',
    'select distinct array[a0.value::text]::text[] from (select id from public.prompt_templates where template_content like ''probe%'') as a0 (value)'
),
(
    'app_admin', 'public.render_prompt_template(uuid,jsonb)',
    '',
    'select * from public.render_prompt_template(template_id => :template_id) as answer',
    'select template_content from public.prompt_templates where id = :template_id and is_active and (user_id = :me or is_public or (user_id is null and :role = ''app_admin''))',
    '',
    '{template_id}', '{uuid}',
    'select distinct array[a0.value::text]::text[] from (select id from public.prompt_templates where template_content like ''probe%'') as a0 (value)'
),
(
    'authenticated', 'public.render_prompt_framework(text,jsonb)',
    '',
    'select * from public.render_prompt_framework(framework => :framework, variables => :variables) as answer',
    'select ''Do it.'' from public.prompt_frameworks where name = :framework and is_enabled',
    '',
    '{framework, variables}', '{text, jsonb}',
    'select distinct array[a0.value::text, a1.value::text]::text[] from (select name from public.prompt_frameworks where name like ''probe%'') as a0 (value) cross join (select ''{"task": "it"}'') as a1 (value)'
),
(
    'app_admin', 'public.render_prompt_framework(text,jsonb)',
    '',
    'select * from public.render_prompt_framework(framework => :framework, variables => :variables) as answer',
    'select ''Do it.'' from public.prompt_frameworks where name = :framework and is_enabled',
    '',
    '{framework, variables}', '{text, jsonb}',
    'select distinct array[a0.value::text, a1.value::text]::text[] from (select name from public.prompt_frameworks where name like ''probe%'') as a0 (value) cross join (select ''{"task": "it"}'') as a1 (value)'
),
(
    'authenticated', 'public.search_prompt_history(text,integer,timestamp with time zone,uuid)',
    '',
    'select id from public.search_prompt_history(query => :query) as answer',
    'select id from public.prompt_history where user_id = :me',
    '',
    '{query}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select ''probe'') as a0 (value)'
),
(
    'app_admin', 'public.search_prompt_history(text,integer,timestamp with time zone,uuid)',
    '',
    'select id from public.search_prompt_history(query => :query) as answer',
    'select id from public.prompt_history where user_id = :me',
    '',
    '{query}', '{text}',
    'select distinct array[a0.value::text]::text[] from (select ''probe'') as a0 (value)'
),
(
    'authenticated', 'public.get_prompt_stats(integer)',
    '',
    'select answer ->> ''total'' from public.get_prompt_stats(days => :days) as answer',
    'select count(*) from public.prompt_history where user_id = :me',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'app_admin', 'public.get_prompt_stats(integer)',
    '',
    'select answer ->> ''total'' from public.get_prompt_stats(days => :days) as answer',
    'select count(*) from public.prompt_history where user_id = :me',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'authenticated', 'public.cleanup_old_prompt_history()',
    'update public.prompt_history set created_at = now() - interval ''31 days''',
    'select * from public.cleanup_old_prompt_history() as answer',
    'select count(*) from public.prompt_history where user_id = :me',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'app_admin', 'public.cleanup_old_prompt_history()',
    'update public.prompt_history set created_at = now() - interval ''31 days''',
    'select * from public.cleanup_old_prompt_history() as answer',
    'select count(*) from public.prompt_history where user_id = :me',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'authenticated', 'public.export_my_data()',
    '',
    'select answer -> ''prompt_history'', jsonb_array_length(answer -> ''security_events'') from public.export_my_data() as answer',
    'select jsonb_agg(to_jsonb(item)), (select count(*) from public.security_events where user_id = :me) from public.prompt_history as item where user_id = :me',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'app_admin', 'public.export_my_data()',
    '',
    'select answer -> ''prompt_history'', jsonb_array_length(answer -> ''security_events'') from public.export_my_data() as answer',
    'select jsonb_agg(to_jsonb(item)), (select count(*) from public.security_events where user_id = :me) from public.prompt_history as item where user_id = :me',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.health_check()',
    '',
    'select answer ->> ''status'' in (''ok'', ''warning'', ''critical''), answer::text like ''%The check failed%'' from public.health_check() as answer',
    'select true, false',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.integrity_check()',
    '',
    'select answer ->> ''status'' in (''ok'', ''warning'', ''critical''), answer::text like ''%The check failed%'' from public.integrity_check() as answer',
    'select true, false',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.security_audit()',
    '',
    'select answer ->> ''status'' in (''ok'', ''warning'', ''critical''), answer::text like ''%The check failed%'' from public.security_audit() as answer',
    'select true, false',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_database_stats()',
    '',
    'select count(*) filter (where table_name = ''public.feedback'') from public.get_database_stats() as answer',
    'select 1',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_storage_growth(integer)',
    '',
    'select count(*) filter (where table_name = ''public.feedback'') from public.get_storage_growth(days => :days) as answer',
    'select 1',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 30) as a0 (value)'
),
(
    'service_role', 'public.get_index_usage()',
    '',
    'select count(*) filter (where index_name = ''public.feedback_pkey'') from public.get_index_usage() as answer',
    'select 1',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_index_advice()',
    '',
    'select count(*) from public.get_index_advice() as answer',
    'select 0',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_connection_stats()',
    '',
    'select sum(connections) > 0 from public.get_connection_stats() as answer',
    'select true',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.get_slow_queries(integer)',
    '',
    'select count(*) >= 0 from public.get_slow_queries() as answer',
    'select true',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.log_security_event(text,text,jsonb,uuid,inet,text)',
    '',
    'select * from public.log_security_event(event_type => :event_type, severity => :severity, user_id => :user_id) as answer',
    '',
    'select event_type = ''sign_in_failed'' and severity = ''warning'' and user_id = :user_id from public.security_events where id::text = :answer',
    '{event_type, severity, user_id}', '{text, text, uuid}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text]::text[] from (select ''sign_in_failed'') as a0 (value) cross join (select ''warning'') as a1 (value) cross join (select id from auth.users) as a2 (value)'
),
(
    'service_role', 'public.detect_suspicious_activity()',
    'update public.system_config set value = ''1'' where key = ''suspicious_addresses_per_day''',
    'select event_type, user_id from public.detect_suspicious_activity() as answer',
    'select distinct ''many_addresses'', user_id from public.user_sessions where ip_address is not null',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'app_admin', 'public.respond_to_feedback(uuid,text,character varying)',
    '',
    'select * from public.respond_to_feedback(feedback_id => :feedback_id, response => :response, new_status => :new_status) as answer',
    '',
    'select admin_response = ''Thank you.'' and status = ''closed'' and admin_user_id = :me and responded_at = now() from public.feedback where id = :feedback_id',
    '{feedback_id, response, new_status}', '{uuid, text, character varying}',
    'select distinct array[a0.value::text, a1.value::text, a2.value::text]::text[] from (select id from public.feedback) as a0 (value) cross join (select ''Thank you.'') as a1 (value) cross join (select ''closed'') as a2 (value)'
),
(
    'app_admin', 'public.unpublish_prompt_template(uuid)',
    '',
    'select * from public.unpublish_prompt_template(template_id => :template_id) as answer',
    'select is_public from public.prompt_templates where id = :template_id',
    'select not is_public from public.prompt_templates where id = :template_id',
    '{template_id}', '{uuid}',
    'select distinct array[a0.value::text]::text[] from (select id from public.prompt_templates) as a0 (value)'
),
(
    'app_admin', 'public.get_user_activity(integer)',
    '',
    'select answer -> ''sign_ups'' from public.get_user_activity(days => :days) as answer',
    'select count(*) from auth.users where created_at > now() - interval ''6 days''',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'app_admin', 'public.get_api_analytics(integer)',
    'select private.step_roll_up_usage(null)',
    'select answer -> ''requests'' from public.get_api_analytics(days => :days) as answer',
    'select count(*) from public.api_usage_logs where created_at > now() - interval ''6 days''',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'app_admin', 'public.get_prompt_analytics(integer)',
    '',
    'select answer -> ''prompts'' from public.get_prompt_analytics(days => :days) as answer',
    'select 0',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'app_admin', 'public.get_feedback_analytics(integer)',
    '',
    'select answer -> ''messages'' from public.get_feedback_analytics(days => :days) as answer',
    'select count(*) from public.feedback where created_at > now() - interval ''6 days''',
    '',
    '{days}', '{integer}',
    'select distinct array[a0.value::text]::text[] from (select 7) as a0 (value)'
),
(
    'service_role', 'public.generate_daily_feedback_analytics(date)',
    '',
    'select * from public.generate_daily_feedback_analytics(day => :day) as answer',
    '',
    'select total_feedback = (select count(*) from public.feedback) from public.feedback_analytics where date = :day',
    '{day}', '{date}',
    'select distinct array[a0.value::text]::text[] from (select (now() at time zone ''utc'')::date) as a0 (value)'
),
(
    'service_role', 'public.daily_maintenance(integer)',
    '',
    'select answer ->> ''status'' from public.daily_maintenance() as answer',
    'select ''ok''',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.analyze_all_tables()',
    '',
    'select jsonb_path_query_array(answer, ''$[*] ? (@.status != "ok")'') from public.analyze_all_tables() as answer',
    'select ''[]''::jsonb',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.schedule_maintenance()',
    '',
    'select left(answer, 20) from public.schedule_maintenance() as answer',
    'select ''Nothing is scheduled''',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
),
(
    'service_role', 'public.vacuum_all_tables()',
    'create schema cron; create table cron.job (jobid bigint, jobname text); create function cron.schedule(text, text, text) returns bigint language sql return 1; create function cron.unschedule(bigint) returns boolean language sql return true',
    'select jsonb_path_query_array(answer, ''$[*] ? (@.status != "scheduled")'') from public.vacuum_all_tables() as answer',
    'select ''[]''::jsonb',
    '',
    '{}', '{}',
    'select distinct array[]::text[]'
);

-- A text of the contract with its :names replaced.
create function pg_temp.filled(text, names text[], literals text[]) returns text language plpgsql as $$
declare
    filled text := $1;
begin
    for place in 1 .. coalesce(cardinality(names), 0) loop
        filled := regexp_replace(
            filled, '(?<![:\w]):' || names[place] || '\M', replace(literals[place], '\', '\\'), 'g'
        );
    end loop;
    return filled;
end
$$;

-- What is wrong with the answers to a question, if anything is: each call's rows against what the base tables hold. Where
-- the truth has no row, the call must fail or answer nothing. Nothing of it remains.
create function pg_temp.fault(question questions) returns text language plpgsql as $$
declare
    me text := case question.speaker
        when 'authenticated' then '70726f62-6500-4000-8000-000000000001' when 'app_admin' then '70726f62-6500-4000-8000-000000000002'
    end;
    names text[] := question.argument_names || array['me', 'role'];
    given text[];
    literals text[];
    truth text[];
    answer text[];
    first text;
    holds boolean;
    succeeded boolean;
    successes integer := 0;
    calls integer := 0;
begin
    if question.before <> '' then
        execute pg_temp.filled(question.before, array['me'], array[quote_nullable(me) || '::uuid']);
    end if;
    for given in execute question.argument_values loop
        calls := calls + 1;
        literals := array(
            select quote_nullable(value) || '::' || type from unnest(given, question.argument_types) as known (value, type)
        ) || array[quote_nullable(me) || '::uuid', quote_literal(question.speaker)];
        begin
            if question.truth <> '' then
                execute format(
                    'select array(select it::text from (%s) as it order by 1)',
                    pg_temp.filled(question.truth, names, literals)
                )
                into truth;
            end if;
            begin
                perform
                    set_config('request.jwt.claims', json_build_object('sub', me, 'role', question.speaker)::text, true),
                    set_config('role', question.speaker, true);
                execute format(
                    'select coalesce(array_agg(it::text order by it::text), ''{}''), '
                    '(array_agg((select value from json_each_text(row_to_json(it)) limit 1)))[1] from (%s) as it',
                    pg_temp.filled(question.call, names, literals)
                )
                into answer, first;
                succeeded := true;
                successes := successes + 1;
            exception when others then
                succeeded := false;
                answer := array[sqlstate];
                if question.truth = '' or truth <> '{}' then
                    raise;
                end if;
                truth := answer;
            end;
            perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
            if question.truth <> '' and truth = '{}' and array_to_string(answer, '') ~ '^[(,)]*$' then
                truth := answer;
            end if;
            if question.truth <> '' and answer is distinct from truth then
                return format('of %s it answers %s, and not %s', given, left(answer::text, 500), left(truth::text, 500));
            end if;
            if question.afterwards <> '' and succeeded then
                execute pg_temp.filled(question.afterwards, names || array['answer'], literals || quote_nullable(first))
                into holds;
                if holds is not true then
                    return format('of %s it answers %s, and then does not hold: %s', given, first, question.afterwards);
                end if;
            end if;
            raise exception using errcode = 'UNDO1';
        exception when sqlstate 'UNDO1' then
            null;
        end;
    end loop;
    return case when successes = 0 then format('none of %s calls succeeded', calls) end;
end
$$;

-- `before` is undone as well: each question starts from the same world.
create function pg_temp.answered(question questions) returns text language plpgsql as $$
declare
    fault text;
begin
    begin
        fault := pg_temp.fault(question);
        raise exception using errcode = 'UNDO2';
    exception
        when sqlstate 'UNDO2' then return coalesce(fault, 'as it should');
        when others then return format('%s (%s)', sqlerrm, sqlstate);
    end;
end
$$;

select is(pg_temp.answered(question), 'as it should', question.speaker || ' asks ' || question.name)
from questions as question;

select * from finish();
rollback;
