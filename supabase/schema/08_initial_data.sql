-- 08_initial_data.sql: what a new installation starts with.
--
--   system_config          settings, feature flags, limits, thresholds
--   api_providers          three AI providers with models, prices, limits and key patterns
--   prompt_frameworks      the nine frameworks
--   prompt_templates       system templates, at least one for each framework
--   feedback_categories    a small tree of topics
--   feedback_tags          labels for triage
--
-- Needs 01 to 07.
--
-- Every statement adds the rows that are missing and touches none that are there: what staff changed stays changed,
-- and a second run does nothing. A row that was deleted or renamed comes back, so switch off what is not wanted
-- (is_enabled, is_active, the value of a setting) instead of deleting it.

set search_path = pg_catalog, pg_temp;

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where not exists (
        select from pg_catalog.pg_policies as policy
        where policy.tablename = 'security_events' and policy.policyname = 'Admins can view security events'
    );
end
$$;

do $$
begin
    if not exists (
        select from pg_catalog.pg_policies as policy
        where policy.tablename = 'security_events' and policy.policyname = 'Admins can view security events'
    ) then
        raise exception '08_initial_data.sql needs 07_security_and_rls.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/07_security_and_rls.sql';
    end if;
end
$$;

-- system_config ----------------------------------------------------------------
-- By category. Public settings are what clients read when they start; the rest is for the database's own jobs and for
-- staff. No secrets: see 01_core_functions.sql. Access never depends on a flag alone: policies and grants decide.
insert into public.system_config (
    key, category, is_public, value_type, value, min_value, max_value, allowed_values, description
)
select
    setting.key,
    section.category,
    coalesce(setting.public, false) as is_public,
    setting.type,
    setting.value,
    setting.min,
    setting.max,
    setting.allowed,
    setting.description
from jsonb_each($json${
    "application": [
        {"key": "app_name", "public": true, "type": "text", "value": "PromptCraft Forge",
         "description": "Name that clients show in titles and messages."},
        {"key": "app_version", "public": true, "type": "text", "value": "1.0.0",
         "description": "Version of the installation, as clients show it."},
        {"key": "support_contact", "public": true, "type": "text", "value": "",
         "description": "E-mail address or URL that clients show as the contact. Empty: none is shown."},
        {"key": "default_provider", "public": true, "type": "text", "value": "openai",
         "allowed": ["openai", "gemini", "anthropic"],
         "description": "AI provider that a new account starts with."},
        {"key": "default_framework", "public": true, "type": "text", "value": "roses",
         "allowed": ["roses", "ape", "tag", "era", "race", "rise", "care", "coast", "trace"],
         "description": "Prompt framework that a new account starts with."},
        {"key": "default_theme", "public": true, "type": "text", "value": "dark",
         "allowed": ["light", "dark", "system"],
         "description": "Colour theme that a new account starts with, and that visitors see."},
        {"key": "default_tone", "public": true, "type": "text", "value": "professional",
         "allowed": ["professional", "casual", "friendly", "formal", "creative"],
         "description": "Tone that clients preselect for a new prompt."},
        {"key": "default_length", "public": true, "type": "text", "value": "medium",
         "allowed": ["short", "medium", "long", "detailed"],
         "description": "Length that clients preselect for a new prompt."}
    ],
    "feature_flag": [
        {"key": "history", "public": true, "type": "boolean", "value": true,
         "description": "Clients keep and show the history of users whose preferences allow it. Off: no prompt is stored."},
        {"key": "templates", "public": true, "type": "boolean", "value": true,
         "description": "Clients offer reusable prompt templates. Off: users store no new ones and render none."},
        {"key": "template_sharing", "public": true, "type": "boolean", "value": true,
         "description": "Clients offer to publish own templates for everyone. Off: no further one becomes public."},
        {"key": "feedback", "public": true, "type": "boolean", "value": true,
         "description": "Clients offer the feedback form to signed-in users. Off: theirs is refused."},
        {"key": "anonymous_feedback", "public": true, "type": "boolean", "value": true,
         "description": "Clients offer the feedback form to visitors as well. Off: theirs is refused."},
        {"key": "analytics", "public": true, "type": "boolean", "value": false,
         "description": "Clients offer statistics pages: own usage to users, dashboards to staff. For clients alone."},
        {"key": "vibe_coding", "public": true, "type": "boolean", "value": true,
         "description": "Clients offer the vibe-coding mode when a prompt is written. For clients alone."},
        {"key": "client_key_reveal", "public": true, "type": "boolean", "value": false,
         "description": "reveal_api_key() hands users their own keys in plain text. Off: only the server decrypts."}
    ],
    "rate_limit": [
        {"key": "max_api_requests_per_minute", "public": true, "type": "integer", "value": 60, "min": 1, "max": 100000,
         "description": "Requests per user, provider and minute; a provider's own limit holds where it is lower."},
        {"key": "max_api_requests_per_day", "public": true, "type": "integer", "value": 1000, "min": 1, "max": 10000000,
         "description": "Requests per user, provider and day; a provider's own limit holds where it is lower."},
        {"key": "rate_limit_overrides", "type": "object", "value": {},
         "description": "What replaces both, by provider: {\"openai\": {\"per_minute\": 120, \"per_day\": 5000}}."}
    ],
    "maintenance": [
        {"key": "maintenance_mode", "public": true, "type": "boolean", "value": false,
         "description": "Clients show a maintenance notice and send no new requests. For clients alone."},
        {"key": "maintenance_message", "public": true, "type": "text", "value": "We are back in a few minutes.",
         "description": "Text of the notice while maintenance_mode is on."},
        {"key": "maintenance_schedule", "type": "text", "value": "0 3 * * *",
         "description": "When schedule_maintenance() lets the daily job run: a cron expression, in UTC."},
        {"key": "maintenance_time_budget_seconds", "type": "integer", "value": 1800, "min": 10, "max": 21600,
         "description": "Seconds after which the daily job stops; the next run goes on from there."},
        {"key": "maintenance_batch_size", "type": "integer", "value": 10000, "min": 100, "max": 100000,
         "description": "Rows deleted or moved in one slice. Larger is faster and holds locks longer."},
        {"key": "maintenance_lock_timeout_ms", "type": "integer", "value": 2000, "min": 100, "max": 60000,
         "description": "Milliseconds that a step of the daily job waits for a lock before it gives way to users."},
        {"key": "partition_months_ahead", "type": "integer", "value": 3, "min": 1, "max": 24,
         "description": "Months of api_usage_logs and of the archive for which partitions are made in advance."},
        {"key": "max_prompt_history_days", "public": true, "type": "integer", "value": 30, "min": 1, "max": 3650,
         "description": "Days that prompt history is kept where a user's preferences do not say."},
        {"key": "retention_days_api_usage_logs", "type": "integer", "value": 90, "min": 31, "max": 3650,
         "description": "Days that usage logs stay in their table. Whole months older than that are archived."},
        {"key": "retention_days_user_sessions", "type": "integer", "value": 90, "min": 1, "max": 3650,
         "description": "Days that a sign-in is listed."},
        {"key": "retention_days_audit_log", "type": "integer", "value": 730, "min": 30, "max": 3650,
         "description": "Days that the audit log is kept."},
        {"key": "retention_days_security_events", "type": "integer", "value": 365, "min": 30, "max": 3650,
         "description": "Days that security events are kept."},
        {"key": "retention_days_rate_limit_counters", "type": "integer", "value": 7, "min": 2, "max": 90,
         "description": "Days that an unused rate-limit counter is kept."},
        {"key": "retention_days_rollups", "type": "integer", "value": 1095, "min": 90, "max": 3650,
         "description": "Days that daily totals are kept; they outlive the rows they sum up."},
        {"key": "archive_enabled", "type": "boolean", "value": true,
         "description": "Old usage logs and history move to the schema archive. Off: they are deleted."},
        {"key": "retention_days_archive", "type": "integer", "value": 365, "min": 31, "max": 3650,
         "description": "Days that a month stays in the archive before it is dropped."},
        {"key": "health_connections_percent", "type": "integer", "value": 80, "min": 10, "max": 100,
         "description": "health_check() warns when this share of max_connections is in use."},
        {"key": "health_transaction_minutes", "type": "integer", "value": 15, "min": 1, "max": 1440,
         "description": "health_check() warns about a transaction that has been open for longer."},
        {"key": "health_lock_wait_seconds", "type": "integer", "value": 30, "min": 1, "max": 3600,
         "description": "health_check() warns about a statement that has waited for a lock for longer."},
        {"key": "health_dead_rows_percent", "type": "integer", "value": 20, "min": 1, "max": 100,
         "description": "health_check() warns about a table of which a larger share is dead rows."},
        {"key": "health_cache_hit_percent", "type": "number", "value": 95, "min": 0, "max": 100,
         "description": "health_check() warns when a smaller share of block reads is served from memory."},
        {"key": "health_wraparound_percent", "type": "integer", "value": 50, "min": 10, "max": 100,
         "description": "health_check() warns about a table that has used up this share of its transaction ids."},
        {"key": "health_replication_lag_seconds", "type": "integer", "value": 60, "min": 1, "max": 86400,
         "description": "health_check() warns about a standby that is further behind."},
        {"key": "health_maintenance_hours", "type": "integer", "value": 26, "min": 1, "max": 720,
         "description": "health_check() warns when the daily job has not succeeded for longer."},
        {"key": "health_bloat_percent", "type": "integer", "value": 50, "min": 1, "max": 100,
         "description": "health_check() warns about a table of which a larger share is empty space."},
        {"key": "health_slot_wal_mb", "type": "integer", "value": 1024, "min": 1, "max": 1048576,
         "description": "health_check() warns about a replication slot that keeps more megabytes of WAL."},
        {"key": "health_growth_percent", "type": "integer", "value": 50, "min": 1, "max": 10000,
         "description": "health_check() warns when the tables grow by a larger share in a week."},
        {"key": "health_growth_mb", "type": "integer", "value": 1024, "min": 1, "max": 1048576,
         "description": "Megabytes in a week below which growth is never worth a warning."},
        {"key": "health_unused_index_mb", "type": "integer", "value": 10, "min": 1, "max": 1048576,
         "description": "Megabytes from which an index that nothing reads is worth a warning."},
        {"key": "health_unused_index_days", "type": "integer", "value": 30, "min": 1, "max": 3650,
         "description": "Days for which nothing has read an index before it counts as unused."},
        {"key": "slow_query_ms", "type": "integer", "value": 500, "min": 1, "max": 600000,
         "description": "Mean milliseconds from which a statement is listed as slow."}
    ],
    "security": [
        {"key": "security_staff_idle_days", "type": "integer", "value": 90, "min": 1, "max": 3650,
         "description": "Days without a sign-in after which security_audit() asks whether somebody is still staff."},
        {"key": "client_address_header", "type": "text", "value": "cf-connecting-ip",
         "allowed": ["cf-connecting-ip", "true-client-ip", "fly-client-ip", "x-real-ip", "x-forwarded-for", "none"],
         "description": "Header that the audit takes a client's address from: one that the proxy always overwrites."},
        {"key": "suspicious_requests_per_minute", "type": "integer", "value": 300, "min": 10, "max": 100000,
         "description": "Logged requests of one user in a minute from which a burst is reported."},
        {"key": "suspicious_failures_per_hour", "type": "integer", "value": 50, "min": 1, "max": 100000,
         "description": "Failed requests of one user in an hour from which they are reported."},
        {"key": "suspicious_denials_per_hour", "type": "integer", "value": 20, "min": 1, "max": 100000,
         "description": "Refused statements of one user in an hour from which they are reported."},
        {"key": "suspicious_denied_tables_per_hour", "type": "integer", "value": 5, "min": 1, "max": 100,
         "description": "Different tables refused to one user in an hour from which probing is reported."},
        {"key": "suspicious_failed_sign_ins_per_hour", "type": "integer", "value": 10, "min": 1, "max": 100000,
         "description": "Failed sign-ins to one account in an hour from which they are reported."},
        {"key": "suspicious_addresses_per_day", "type": "integer", "value": 5, "min": 1, "max": 1000,
         "description": "Different network addresses of one user in a day from which they are reported."},
        {"key": "suspicious_usual_sign_ins", "type": "integer", "value": 5, "min": 1, "max": 1000,
         "description": "Earlier sign-ins of a user from which one from another network or agent is reported."},
        {"key": "security_events_per_minute", "type": "integer", "value": 120, "min": 1, "max": 100000,
         "description": "Events of one type that log_security_event() records in a minute; further ones are dropped."}
    ],
    "analytics": [
        {"key": "enable_analytics", "public": true, "type": "boolean", "value": false,
         "description": "Clients record page views and clicks of users whose preferences allow it."},
        {"key": "analytics_default_days", "public": true, "type": "integer", "value": 30, "min": 1, "max": 366,
         "description": "Days that a statistics page covers when it opens."},
        {"key": "rollup_recompute_days", "type": "integer", "value": 2, "min": 1, "max": 31,
         "description": "Latest days whose totals every run computes again, for rows that arrive late."}
    ]
}$json$) as section (category, settings)
cross join
    jsonb_to_recordset(section.settings)
        as setting (
            key text, public boolean, type text, value jsonb, min numeric, max numeric, allowed jsonb, description text
        )
on conflict (key) do nothing;

-- api_providers ----------------------------------------------------------------
-- Prices are US dollars per million tokens of a standard request, as published by the providers in November 2026.
-- Surcharges for very long prompts and discounts for caches and batches are not modelled. Add a price that changes as
-- a new entry with its date, and leave the old one: what was used before that date cost the old price. Models that
-- their provider has switched off stay in the list, with retired_on: history and logs still name them.
--
-- The patterns tell the providers apart: an Anthropic key is "sk-" and then characters that an OpenAI key may hold as
-- well, so OpenAI's pattern must exclude it (and OpenRouter's sk-or-). They mean the same in PostgreSQL and JavaScript.
insert into public.api_providers (
    name, display_name, base_url, api_key_pattern, validation_rules,
    max_requests_per_minute, max_requests_per_day, supported_models
)
values
(
    'openai',
    'OpenAI',
    'https://api.openai.com/v1',
    '^sk-(?!ant-|or-)[A-Za-z0-9_-]{32,}$',
    $json${
        "min_length": 35, "max_length": 300, "prefix": "sk-", "not_prefixes": ["sk-ant-", "sk-or-"],
        "description": "Starts with sk-, sk-proj-, sk-svcacct- or sk-admin-; letters, digits, - and _ only."
    }$json$,
    60,
    1000,
    $json$[
        {"id": "gpt-6.2-sol", "display_name": "GPT-6.2 Sol", "is_default": true,
         "context_window": 1050000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-11-17", "input_usd_per_million": 2, "output_usd_per_million": 10}]},
        {"id": "gpt-6.2-astra", "display_name": "GPT-6.2 Astra", "is_default": false,
         "context_window": 1050000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-11-17", "input_usd_per_million": 8, "output_usd_per_million": 40}]},
        {"id": "gpt-6.1-terra", "display_name": "GPT-6.1 Terra", "is_default": false,
         "context_window": 1050000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-10-26", "input_usd_per_million": 1, "output_usd_per_million": 5}]},
        {"id": "gpt-6-luna", "display_name": "GPT-6 Luna", "is_default": false,
         "context_window": 1050000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-09-22", "input_usd_per_million": 0.1, "output_usd_per_million": 0.5}]},
        {"id": "gpt-4o", "display_name": "GPT-4o", "is_default": false, "retired_on": "2027-01-14",
         "context_window": 128000, "max_output_tokens": 16384,
         "prices": [{"valid_from": "2024-05-13", "input_usd_per_million": 5, "output_usd_per_million": 15},
                    {"valid_from": "2024-10-02", "input_usd_per_million": 2.5, "output_usd_per_million": 10}]},
        {"id": "gpt-4o-mini", "display_name": "GPT-4o mini", "is_default": false, "retired_on": "2027-01-14",
         "context_window": 128000, "max_output_tokens": 16384,
         "prices": [{"valid_from": "2024-07-18", "input_usd_per_million": 0.15, "output_usd_per_million": 0.6}]},
        {"id": "gpt-4-turbo", "display_name": "GPT-4 Turbo", "is_default": false, "retired_on": "2026-10-23",
         "context_window": 128000, "max_output_tokens": 4096,
         "prices": [{"valid_from": "2024-04-09", "input_usd_per_million": 10, "output_usd_per_million": 30}]},
        {"id": "gpt-4", "display_name": "GPT-4", "is_default": false, "retired_on": "2026-10-23",
         "context_window": 8192, "max_output_tokens": 8192,
         "prices": [{"valid_from": "2023-03-14", "input_usd_per_million": 30, "output_usd_per_million": 60}]},
        {"id": "gpt-3.5-turbo", "display_name": "GPT-3.5 Turbo", "is_default": false, "retired_on": "2026-10-23",
         "context_window": 16385, "max_output_tokens": 4096,
         "prices": [{"valid_from": "2024-02-16", "input_usd_per_million": 0.5, "output_usd_per_million": 1.5}]}
    ]$json$
),
(
    'gemini',
    'Google Gemini',
    'https://generativelanguage.googleapis.com/v1',
    -- Standard keys (AIza) and the authorization keys (AQ.) that Google has issued instead since May 2026.
    '^(AIza[A-Za-z0-9_-]{35}|AQ\.[A-Za-z0-9_-]{40,})$',
    $json${
        "min_length": 39, "max_length": 300,
        "description": "AIza and 35 more characters, or AQ. and 40 or more; letters, digits, - and _ only."
    }$json$,
    60,
    1000,
    $json$[
        {"id": "gemini-3.8-flash", "display_name": "Gemini 3.8 Flash", "is_default": true,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2026-09-02", "input_usd_per_million": 0.75, "output_usd_per_million": 3.75},
                    {"valid_from": "2027-01-01", "input_usd_per_million": 1.5, "output_usd_per_million": 7.5}]},
        {"id": "gemini-4-carbon", "display_name": "Gemini 4 Carbon", "is_default": false,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2026-11-10", "input_usd_per_million": 2, "output_usd_per_million": 10},
                    {"valid_from": "2026-12-01", "input_usd_per_million": 4, "output_usd_per_million": 20}]},
        {"id": "gemini-4-argon", "display_name": "Gemini 4 Argon", "is_default": false,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2026-10-13", "input_usd_per_million": 2, "output_usd_per_million": 10},
                    {"valid_from": "2026-12-01", "input_usd_per_million": 4, "output_usd_per_million": 20}]},
        {"id": "gemini-4-hydrogen", "display_name": "Gemini 4 Hydrogen", "is_default": false,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2026-11-12", "input_usd_per_million": 1.5, "output_usd_per_million": 7.5}]},
        {"id": "gemini-3.5-flash-lite", "display_name": "Gemini 3.5 Flash-Lite", "is_default": false,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2026-07-21", "input_usd_per_million": 0.3, "output_usd_per_million": 2.5}]},
        {"id": "gemini-2.5-flash-lite", "display_name": "Gemini 2.5 Flash-Lite", "is_default": false,
         "context_window": 1048576, "max_output_tokens": 65536,
         "prices": [{"valid_from": "2025-07-22", "input_usd_per_million": 0.1, "output_usd_per_million": 0.4}]},
        {"id": "gemini-1.5-pro", "display_name": "Gemini 1.5 Pro", "is_default": false, "retired_on": "2025-09-29",
         "context_window": 2097152, "max_output_tokens": 8192,
         "prices": [{"valid_from": "2024-10-01", "input_usd_per_million": 1.25, "output_usd_per_million": 5}]},
        {"id": "gemini-1.5-flash", "display_name": "Gemini 1.5 Flash", "is_default": false, "retired_on": "2025-09-29",
         "context_window": 1048576, "max_output_tokens": 8192,
         "prices": [{"valid_from": "2024-08-12", "input_usd_per_million": 0.075, "output_usd_per_million": 0.3}]},
        {"id": "gemini-pro", "display_name": "Gemini 1.0 Pro", "is_default": false, "retired_on": "2025-02-15",
         "context_window": 32760, "max_output_tokens": 2048,
         "prices": [{"valid_from": "2024-05-02", "input_usd_per_million": 0.5, "output_usd_per_million": 1.5}]}
    ]$json$
),
(
    'anthropic',
    'Anthropic Claude',
    'https://api.anthropic.com/v1',
    '^sk-ant-[A-Za-z0-9_-]{33,}$',
    $json${
        "min_length": 40, "max_length": 300, "prefix": "sk-ant-",
        "description": "Starts with sk-ant-, today mostly sk-ant-api03-; letters, digits, - and _ only."
    }$json$,
    60,
    1000,
    $json$[
        {"id": "claude-sonnet-5-5", "display_name": "Claude Sonnet 5.5", "is_default": true,
         "context_window": 1000000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-09-28", "input_usd_per_million": 2, "output_usd_per_million": 10}]},
        {"id": "claude-fable-5-1", "display_name": "Claude Fable 5.1", "is_default": false,
         "context_window": 1000000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-09-01", "input_usd_per_million": 10, "output_usd_per_million": 50}]},
        {"id": "claude-opus-5-5", "display_name": "Claude Opus 5.5", "is_default": false,
         "context_window": 1000000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-09-22", "input_usd_per_million": 4, "output_usd_per_million": 20}]},
        {"id": "claude-haiku-5-5", "display_name": "Claude Haiku 5.5", "is_default": false,
         "context_window": 1000000, "max_output_tokens": 128000,
         "prices": [{"valid_from": "2026-10-07", "input_usd_per_million": 0.1, "output_usd_per_million": 0.5}]},
        {"id": "claude-sonnet-4-6", "display_name": "Claude Sonnet 4.6", "is_default": false,
         "context_window": 1000000, "max_output_tokens": 64000,
         "prices": [{"valid_from": "2026-02-17", "input_usd_per_million": 3, "output_usd_per_million": 15}]},
        {"id": "claude-haiku-4-5-20251001", "display_name": "Claude Haiku 4.5", "is_default": false,
         "context_window": 200000, "max_output_tokens": 64000,
         "prices": [{"valid_from": "2025-10-15", "input_usd_per_million": 1, "output_usd_per_million": 5}]},
        {"id": "claude-3-opus-20240229", "display_name": "Claude 3 Opus", "is_default": false,
         "retired_on": "2026-01-05", "context_window": 200000, "max_output_tokens": 4096,
         "prices": [{"valid_from": "2024-03-04", "input_usd_per_million": 15, "output_usd_per_million": 75}]},
        {"id": "claude-3-sonnet-20240229", "display_name": "Claude 3 Sonnet", "is_default": false,
         "retired_on": "2025-07-21", "context_window": 200000, "max_output_tokens": 4096,
         "prices": [{"valid_from": "2024-03-04", "input_usd_per_million": 3, "output_usd_per_million": 15}]},
        {"id": "claude-3-haiku-20240307", "display_name": "Claude 3 Haiku", "is_default": false,
         "retired_on": "2026-04-20", "context_window": 200000, "max_output_tokens": 4096,
         "prices": [{"valid_from": "2024-03-13", "input_usd_per_million": 0.25, "output_usd_per_million": 1.25}]}
    ]$json$
)
on conflict (name) do nothing;

-- prompt_frameworks ------------------------------------------------------------
-- Components stand in the order of the letters; the template has one {{placeholder}} for each. The prompt of the worked
-- example is rendered from its values and not written out, so that it cannot differ from the template.
with framework (name, display_name, sort_order, description, components, template, example_title, example_values) as (
    values
    (
        'roses', 'R.O.S.E.S Framework', 1,
        'The most thorough framework, and the default. Choose it for complex work where the answer depends on the '
        'situation: plans, strategies, analyses, long documents. For a quick question it asks too much: take A.P.E.',
        $json$[
            {"name": "role", "label": "Role", "required": true,
             "description": "Who the model should be: profession, experience, point of view."},
            {"name": "objective", "label": "Objective", "required": true,
             "description": "What you want to achieve, in one sentence that can be checked."},
            {"name": "steps", "label": "Steps", "required": true,
             "description": "What to do, in order, one line for each step."},
            {"name": "expected_solution", "label": "Expected Solution", "required": true,
             "description": "What a finished answer looks like: form, length, level of detail."},
            {"name": "scenario", "label": "Scenario", "required": true,
             "description": "The situation: who is involved, what is known, which limits apply."}
        ]$json$,
        $$Act as {{role}}.

Objective: {{objective}}

Work through these steps:
{{steps}}

Expected solution: {{expected_solution}}

Scenario: {{scenario}}$$,
        'Plan a product launch',
        $json${
            "role": "a product marketing manager who has launched several developer tools",
            "objective": "Plan the launch of our backup tool so that 500 developers try it in the first month.",
            "steps": "1. Name two audiences.\n2. Choose a channel for each.\n3. Plan week by week.\n4. List the risks.",
            "expected_solution": "A table by week with owner and goal, then the risks as a list. Two pages at most.",
            "scenario": "We are four people with 3,000 euros and a mailing list of 1,200 readers."
        }$json$
    ),
    (
        'ape', 'A.P.E Framework', 2,
        'Three lines and you are done. Choose it for quick, action-oriented tasks where the model knows the subject '
        'and only needs to hear what you want and why: summaries, rewrites, short texts, ideas.',
        $json$[
            {"name": "action", "label": "Action", "required": true,
             "description": "What the model should do. Start with a verb."},
            {"name": "purpose", "label": "Purpose", "required": true,
             "description": "Why you need it, and who will read it."},
            {"name": "expectation", "label": "Expectation", "required": true,
             "description": "What you want back: form, length, tone."}
        ]$json$,
        $${{action}}

Purpose: {{purpose}}

Expectation: {{expectation}}$$,
        'Shorten a report for the board',
        $json${
            "action": "Summarize the quarterly sales report below.",
            "purpose": "The board has five minutes on Monday to decide whether we hire two more people.",
            "expectation": "Five bullet points with one number each, then one sentence that recommends yes or no."
        }$json$
    ),
    (
        'tag', 'T.A.G Framework', 3,
        'Problem, method, target. Choose it for straightforward problem solving when you know how to tackle the task '
        'and how to measure success: fixing, comparing, calculating, sorting.',
        $json$[
            {"name": "task", "label": "Task", "required": true,
             "description": "The problem, with the facts that are needed to solve it."},
            {"name": "action", "label": "Action", "required": true,
             "description": "How to go about it: method, tools, what to look at."},
            {"name": "goal", "label": "Goal", "required": true,
             "description": "What must be true once the problem is solved."}
        ]$json$,
        $$Task: {{task}}

Action: {{action}}

Goal: {{goal}}$$,
        'Make a slow page fast',
        $json${
            "task": "Our product page takes six seconds to load on a phone. The report of a speed test follows.",
            "action": "Go from the largest delay to the smallest; name a fix and its effort for each.",
            "goal": "A list of fixes, cheapest first, that together bring the page under two seconds."
        }$json$
    ),
    (
        'era', 'E.R.A Framework', 4,
        'The result first, then the person who delivers it. Choose it for role playing and for answers that live on a '
        'point of view: interviews, negotiations, the opinion of an expert, characters in a story.',
        $json$[
            {"name": "expectation", "label": "Expectation", "required": true,
             "description": "What the conversation or text should leave you with."},
            {"name": "role", "label": "Role", "required": true,
             "description": "Whom the model plays: position, character, knowledge, manner."},
            {"name": "action", "label": "Action", "required": true,
             "description": "What this person does, and how the exchange begins."}
        ]$json$,
        $$What I expect: {{expectation}}

You are {{role}}. Stay in this role.

{{action}}$$,
        'Practise asking for a raise',
        $json${
            "expectation": "I want to practise asking for a raise of 8 percent and learn where my arguments are weak.",
            "role": "the head of a department of 30 people, friendly but hard to persuade without numbers",
            "action": "Open the conversation and answer briefly. After ten exchanges, step out and comment on them."
        }$json$
    ),
    (
        'race', 'R.A.C.E Framework', 5,
        'The framework for business. Choose it for professional texts and decisions that must fit a company, a market '
        'or a reader: e-mails, proposals, briefings, job advertisements.',
        $json$[
            {"name": "role", "label": "Role", "required": true,
             "description": "The professional whose work you need."},
            {"name": "action", "label": "Action", "required": true,
             "description": "What this person should do for you. Start with a verb."},
            {"name": "context", "label": "Context", "required": true,
             "description": "Company, reader, history: what an outsider would have to ask."},
            {"name": "expectation", "label": "Expectation", "required": true,
             "description": "What you want back: form, length, tone, what to leave out."}
        ]$json$,
        $$You are {{role}}.

{{action}}

Context: {{context}}

Expectation: {{expectation}}$$,
        'Answer a complaint about a late delivery',
        $json${
            "role": "a customer service lead in a furniture shop",
            "action": "Write the answer to a customer whose table arrived three weeks late.",
            "context": "A calm customer of six years. The carrier was at fault; we may refund 10 percent.",
            "expectation": "At most 120 words, warm, without excuses, with the offer in the second paragraph."
        }$json$
    ),
    (
        'rise', 'R.I.S.E Framework', 6,
        'From material to result. Choose it for process-driven work on something you bring along, such as notes, data '
        'or a draft: extracting, converting, reviewing, reporting.',
        $json$[
            {"name": "request", "label": "Request", "required": true,
             "description": "What should be made of the material."},
            {"name": "input", "label": "Input", "required": true,
             "description": "The material itself, or a description of it."},
            {"name": "scenario", "label": "Scenario", "required": true,
             "description": "Where the material comes from and what the result is used for."},
            {"name": "expectation", "label": "Expectation", "required": true,
             "description": "Form of the result, and what to do with gaps and contradictions."}
        ]$json$,
        $$Request: {{request}}

Input:
{{input}}

Scenario: {{scenario}}

Expectation: {{expectation}}$$,
        'Turn interview notes into findings',
        $json${
            "request": "Group these interview notes into findings.",
            "input": "Ana: cannot find the export.\nBen: exports weekly, wants a schedule.\nChen: no tax column.",
            "scenario": "Three customers talked about our accounting software; the product team plans with the result.",
            "expectation": "One heading per finding with the names behind it. Say what the notes leave open."
        }$json$
    ),
    (
        'care', 'C.A.R.E Framework', 7,
        'Shows the model what good looks like. Choose it for educational and training content, and whenever an example '
        'says more than a description: lessons, guides, exercises, texts in a given style.',
        $json$[
            {"name": "context", "label": "Context", "required": true,
             "description": "Who learns or reads, what they know already, where it is used."},
            {"name": "action", "label": "Action", "required": true,
             "description": "What the model should make. Start with a verb."},
            {"name": "result", "label": "Result", "required": true,
             "description": "What the audience can do or know afterwards."},
            {"name": "example", "label": "Example", "required": true,
             "description": "A sample in the form and style you want."}
        ]$json$,
        $$Context: {{context}}

{{action}}

Result: {{result}}

Follow this example:
{{example}}$$,
        'Write exercises on fractions',
        $json${
            "context": "Children of ten who can add fractions that have the same denominator.",
            "action": "Write five word problems on adding fractions with different denominators.",
            "result": "The children find a common denominator by themselves and say why they need one.",
            "example": "Mia drinks 1/2 litre of water in the morning and 1/4 litre at noon. How much is that together?"
        }$json$
    ),
    (
        'coast', 'C.O.A.S.T Framework', 8,
        'For undertakings with many parts. Choose it for complex multi-step processes, when actions depend on each '
        'other and one piece of the work is due now: campaigns, migrations, events, onboarding.',
        $json$[
            {"name": "context", "label": "Context", "required": true,
             "description": "Background: who, where, what came before, which limits apply."},
            {"name": "objective", "label": "Objective", "required": true,
             "description": "What the whole undertaking should achieve, and by when."},
            {"name": "actions", "label": "Actions", "required": true,
             "description": "What has to be done, in any order."},
            {"name": "steps", "label": "Steps", "required": true,
             "description": "The order of work: what must be finished before what."},
            {"name": "task", "label": "Task", "required": true,
             "description": "What the model should deliver now."}
        ]$json$,
        $$Context: {{context}}

Objective: {{objective}}

Actions:
{{actions}}

Steps:
{{steps}}

Your task now: {{task}}$$,
        'Move an office without losing a working day',
        $json${
            "context": "A company of 25 people moves to rooms two streets away on the last weekend of March.",
            "objective": "On Monday at nine everyone works at the new desks, with telephone and network.",
            "actions": "- order the network line\n- book the carrier\n- label desks and boxes\n- inform the customers",
            "steps": "The line first: it takes six weeks. Labels before the carrier comes. Customers two weeks ahead.",
            "task": "Write the schedule as a table: week, what, who, how we notice that it is done."
        }$json$
    ),
    (
        'trace', 'T.R.A.C.E Framework', 9,
        'Leaves little to chance. Choose it for detailed, instruction-based prompts that must be followed to the '
        'letter: technical work, checks against rules, reviews, anything that is done the same way every time.',
        $json$[
            {"name": "task", "label": "Task", "required": true,
             "description": "The piece of work, named in one sentence."},
            {"name": "role", "label": "Role", "required": true,
             "description": "The specialist who does it, and to which standard."},
            {"name": "action", "label": "Action", "required": true,
             "description": "What to do in detail, and what not to do."},
            {"name": "context", "label": "Context", "required": true,
             "description": "System, versions, rules, and the material to work on."},
            {"name": "expectation", "label": "Expectation", "required": true,
             "description": "Exact form of the answer, and when it counts as complete."}
        ]$json$,
        $$Task: {{task}}

Role: {{role}}

Action: {{action}}

Context: {{context}}

Expectation: {{expectation}}$$,
        'Read a rental contract',
        $json${
            "task": "List the clauses of the rental contract below that burden the tenant.",
            "role": "A legal assistant who reads precisely and gives no legal advice.",
            "action": "Go clause by clause and quote each burden word for word. Do not judge whether it is valid.",
            "context": "An apartment in Vienna, rented for five years. The tenant knows no legal terms.",
            "expectation": "A table of clause, quote and meaning in plain words, then three questions to ask."
        }$json$
    )
),

-- Split at the braces, a template is text, name, text, name, …
rendered as (
    select
        framework.name,
        string_agg(
            case
                when piece.position % 2 = 1 then piece.content
                else framework.example_values::jsonb ->> piece.content
            end,
            '' order by piece.position
        ) as prompt
    from framework
    cross join regexp_split_to_table(framework.template, '[{]{2}|[}]{2}') with ordinality as piece (content, position)
    group by framework.name
)

insert into public.prompt_frameworks (name, display_name, sort_order, description, components, template, examples)
select
    framework.name,
    framework.display_name,
    framework.sort_order,
    framework.description,
    framework.components::jsonb,
    framework.template,
    jsonb_build_array(jsonb_build_object(
        'title', framework.example_title,
        'values', framework.example_values::jsonb,
        'prompt', rendered.prompt
    )) as examples
from framework
inner join rendered on framework.name = rendered.name
on conflict (name) do nothing;

-- prompt_templates -------------------------------------------------------------
-- Nobody owns them, everybody may use them. Each placeholder is declared among the variables and each variable is used.
-- What may be left out carries its default twice: in the text for whoever renders it, in the declaration for forms.
insert into public.prompt_templates (name, framework_id, is_public, description, template_content, variables)
values
(
    'Project plan with risks', 'roses', true,
    'Turns an idea into a plan by phases, with owners and risks.',
    $$Act as an experienced project manager in {{industry|a small company}}.

Objective: Plan the project "{{project}}" so that it is finished by {{deadline}}.

Work through these steps:
1. State in two sentences what is part of the project and what is not.
2. Divide the work into phases, each with a result that can be checked.
3. Name the role that is responsible for each phase.
4. List the five largest risks, with an early sign and a countermeasure for each.

Expected solution: A table of the phases with dates, then the risks as a list. At most two pages.

Scenario: {{situation}}$$,
    $json$[
        {"name": "project", "required": true, "default": null, "max_length": 200,
         "description": "What the project is called or about."},
        {"name": "deadline", "required": true, "default": null, "max_length": 100,
         "description": "A date or a time span."},
        {"name": "situation", "required": true, "default": null, "max_length": 4000,
         "description": "Team, budget, constraints."},
        {"name": "industry", "required": false, "default": "a small company", "max_length": 100,
         "description": "Kind of organization."}
    ]$json$
),
(
    'Summary for busy readers', 'ape', true,
    'Condenses a long text into key points and what follows from them.',
    $$Summarize the text below in {{language|the language of the text}}.

Purpose: {{reader}} has one minute and must know what to do next.

Expectation: {{points|five}} bullet points, most important first, then one sentence that says what follows.
Use only what the text says.

Text:
{{text}}$$,
    $json$[
        {"name": "text", "required": true, "default": null, "max_length": 50000,
         "description": "The text to summarize."},
        {"name": "reader", "required": true, "default": null, "max_length": 200,
         "description": "Who reads the summary."},
        {"name": "points", "required": false, "default": "five", "max_length": 20,
         "description": "Number of bullet points."},
        {"name": "language", "required": false, "default": "the language of the text", "max_length": 50,
         "description": "Language of the summary."}
    ]$json$
),
(
    'Error message explained', 'tag', true,
    'Finds the likely cause of an error, and how to make sure.',
    $$Task: Explain this error from {{system}} and remove its cause.

{{error}}

What happened before: {{history|nothing known}}

Action: Name the three most likely causes, most likely first.
For each, give one check that confirms or rules it out, and the smallest fix.

Goal: After at most three checks I know which cause it is, and nothing was changed that was not broken.$$,
    $json$[
        {"name": "error", "required": true, "default": null, "max_length": 20000,
         "description": "The message, as complete as possible, without passwords and keys."},
        {"name": "system", "required": true, "default": null, "max_length": 200,
         "description": "Program or service, with its version."},
        {"name": "history", "required": false, "default": "nothing known", "max_length": 4000,
         "description": "What was changed or tried before."}
    ]$json$
),
(
    'Job interview practice', 'era', true,
    'Plays the interviewer and tells you afterwards how you did.',
    $$What I expect: To go into the interview for {{position}} with practised answers, and to know my weak spots.

You are the person who decides on this position at {{company|a company of 200 people}}: polite, attentive, and not
satisfied with general phrases. Stay in this role.

Ask me {{questions|eight}} questions, one at a time, and wait for each answer. Follow up when I stay vague.
Then step out of the role and tell me my best answer, my weakest one, and how to improve it.

About me: {{background}}$$,
    $json$[
        {"name": "position", "required": true, "default": null, "max_length": 200,
         "description": "The job you apply for."},
        {"name": "background", "required": true, "default": null, "max_length": 4000,
         "description": "Your experience, strengths and gaps."},
        {"name": "company", "required": false, "default": "a company of 200 people", "max_length": 200,
         "description": "Kind of employer."},
        {"name": "questions", "required": false, "default": "eight", "max_length": 20,
         "description": "Number of questions."}
    ]$json$
),
(
    'Business e-mail', 'race', true,
    'Writes an e-mail that says what you want and keeps the relationship.',
    $$You are an assistant who has written for managers for ten years.

Write an e-mail to {{recipient}} that achieves this: {{aim}}

Context: {{context}}

Expectation: A subject line, then at most {{words|150}} words in a tone that is {{tone|friendly and direct}}.
The request stands in the first three lines, with a date.$$,
    $json$[
        {"name": "recipient", "required": true, "default": null, "max_length": 200,
         "description": "Who gets it, and how you know each other."},
        {"name": "aim", "required": true, "default": null, "max_length": 1000,
         "description": "What should happen once it is read."},
        {"name": "context", "required": true, "default": null, "max_length": 8000,
         "description": "What happened so far."},
        {"name": "tone", "required": false, "default": "friendly and direct", "max_length": 100,
         "description": "How it should sound."},
        {"name": "words", "required": false, "default": "150", "max_length": 20,
         "description": "Largest number of words."}
    ]$json$
),
(
    'Meeting notes to action items', 'rise', true,
    'Extracts decisions, tasks and open questions from rough notes.',
    $$Request: Turn my notes into minutes.

Input:
{{notes}}

Scenario: {{meeting}}. The minutes go to everyone who was there and to those who were absent.

Expectation: Three sections: decisions; tasks as a table of what, who, until when; open questions.
Write "not named" where the notes give no person or date. Add nothing that is not in the notes.$$,
    $json$[
        {"name": "notes", "required": true, "default": null, "max_length": 50000,
         "description": "Your notes or a transcript."},
        {"name": "meeting", "required": true, "default": null, "max_length": 300,
         "description": "Subject and date of the meeting."}
    ]$json$
),
(
    'Lesson plan', 'care', true,
    'Plans a lesson by phases, with a check of what was learned.',
    $$Context: {{learners}} learn about {{topic}}. We have {{minutes|45}} minutes.

Plan the lesson: opening, new material, practice, check. For each phase say what I do and what the learners do.

Result: {{goal}}

Follow this example:
Opening (5 min): I show a picture of a leaking tap and ask what it costs in a year. Learners estimate in pairs.$$,
    $json$[
        {"name": "topic", "required": true, "default": null, "max_length": 200,
         "description": "What is taught."},
        {"name": "learners", "required": true, "default": null, "max_length": 500,
         "description": "Who they are, how many, what they know."},
        {"name": "goal", "required": true, "default": null, "max_length": 500,
         "description": "What they can do afterwards."},
        {"name": "minutes", "required": false, "default": "45", "max_length": 20,
         "description": "Length of the lesson."}
    ]$json$
),
(
    'Content calendar', 'coast', true,
    'Plans posts for several weeks, from theme to publication.',
    $$Context: {{organization}} publishes on {{channels}} for {{audience}}.

Objective: {{objective}}

Actions:
- find themes that the audience looks for
- write, illustrate and schedule the posts
- answer comments and measure the effect

Steps: Themes are fixed before any writing. Each post is reviewed two days before it appears. Figures are read every
week and change the plan of the next one.

Your task now: Fill a table for {{weeks|four}} weeks with date, channel, theme, headline and call to action.
Mark the three posts to start with.$$,
    $json$[
        {"name": "organization", "required": true, "default": null, "max_length": 300,
         "description": "Who publishes."},
        {"name": "channels", "required": true, "default": null, "max_length": 300,
         "description": "Where, for example a blog and a newsletter."},
        {"name": "audience", "required": true, "default": null, "max_length": 300,
         "description": "Who should read it."},
        {"name": "objective", "required": true, "default": null, "max_length": 500,
         "description": "What the posts should achieve, and by when."},
        {"name": "weeks", "required": false, "default": "four", "max_length": 20,
         "description": "Number of weeks."}
    ]$json$
),
(
    'Code review', 'trace', true,
    'Reviews code: errors first, style last.',
    $$Task: Review the {{language}} code below.

Role: A senior developer who answers for this code in production.

Action: Look, in this order, for wrong results, unhandled errors, security holes, slow spots and unclear names.
Quote the line, say what goes wrong with which input, and show the smallest change. Do not rewrite what works.

Context: {{context|nothing is known but the code}}

{{code}}

Expectation: Findings ordered by severity, each with line, problem and fix. If there are none, say so.
Close with the one change that matters most.$$,
    $json$[
        {"name": "code", "required": true, "default": null, "max_length": 50000,
         "description": "The code, without secrets."},
        {"name": "language", "required": true, "default": null, "max_length": 100,
         "description": "Programming language, with its version."},
        {"name": "context", "required": false, "default": "nothing is known but the code", "max_length": 4000,
         "description": "What the code is for, and who calls it."}
    ]$json$
)
on conflict (name) where user_id is null do nothing;

-- feedback_categories ----------------------------------------------------------
-- The six topics that clients have always offered, then what staff sort them into.
insert into public.feedback_categories (name, sort_order, description)
values
('general', 1, 'Anything that fits nowhere else.'),
('bug_report', 2, 'Something does not work, or not as described.'),
('feature_request', 3, 'Something is missing.'),
('improvement', 4, 'Something works and could be better.'),
('complaint', 5, 'Something went wrong for the user and needs an answer.'),
('praise', 6, 'Something is good as it is.')
on conflict (name) do nothing;

insert into public.feedback_categories (name, parent_id, sort_order, description)
select
    child.name,
    parent.id,
    child.sort_order,
    child.description
from (
    values
    ('question', 'general', 1, 'How something is done or what it means.'),
    ('documentation', 'general', 2, 'Help texts that are missing, wrong or unclear.'),
    ('bug_generation', 'bug_report', 1, 'A prompt fails, hangs or gives a wrong result.'),
    ('bug_interface', 'bug_report', 2, 'Layout, buttons, display, accessibility.'),
    ('bug_account', 'bug_report', 3, 'Sign-up, sign-in, profile, preferences.'),
    ('bug_api_keys', 'bug_report', 4, 'Saving, checking or using an API key.'),
    ('bug_performance', 'bug_report', 5, 'It works, but too slowly.'),
    ('feature_framework', 'feature_request', 1, 'A prompt framework, or a change to one.'),
    ('feature_provider', 'feature_request', 2, 'An AI provider or a model.'),
    ('feature_template', 'feature_request', 3, 'Templates and variables.'),
    ('feature_history', 'feature_request', 4, 'History, search, export, statistics.'),
    ('improvement_prompts', 'improvement', 1, 'Quality of the prompts that come out.'),
    ('improvement_usability', 'improvement', 2, 'Fewer steps, clearer words, better defaults.'),
    ('complaint_cost', 'complaint', 1, 'Costs and limits.'),
    ('complaint_privacy', 'complaint', 2, 'Handling of personal data and keys.'),
    ('complaint_support', 'complaint', 3, 'Late, missing or unhelpful answers.')
) as child (name, parent_name, sort_order, description)
inner join public.feedback_categories as parent on child.parent_name = parent.name
on conflict (name) do nothing;

-- feedback_tags ----------------------------------------------------------------
insert into public.feedback_tags (name, color, description)
values
('needs-info', '#EAB308', 'Waiting for an answer from the author.'),
('reproduced', '#DC2626', 'We have seen it happen ourselves.'),
('cannot-reproduce', '#6B7280', 'We tried and it did not happen.'),
('duplicate', '#9CA3AF', 'Reported before; the other message is worked on.'),
('known-issue', '#F97316', 'Already on the list of known problems.'),
('quick-win', '#22C55E', 'Little work, noticeable effect.'),
('planned', '#3B82F6', 'Accepted and scheduled.'),
('wont-do', '#1F2937', 'Decided against; the answer says why.'),
('security', '#B91C1C', 'May affect keys, accounts or data. Look at it first.'),
('accessibility', '#8B5CF6', 'Keeps someone from using the application at all.'),
('mobile', '#06B6D4', 'Happens on telephones or tablets.'),
('follow-up', '#EC4899', 'Tell the author when it is done.')
on conflict (name) do nothing;

reset search_path;
