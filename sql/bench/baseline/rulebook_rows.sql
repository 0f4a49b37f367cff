-- rulebook_rows.sql: our rows in the rulebook's tables.
--
-- Between rulebook_tables.sql and rulebook.sql, whose indexes come afterwards. Run as the superuser: without triggers.

set session_replication_role = replica;

insert into rulebook.prompt_history (
    id, user_id, framework_id, framework_name, model, provider, user_input, ai_response, status, created_at, updated_at
)
select
    ours.id,
    ours.user_id,
    ours.framework_id,
    ours.framework_name,
    ours.model,
    ours.provider,
    ours.user_input,
    ours.ai_response,
    ours.status,
    ours.created_at,
    ours.updated_at
from public.prompt_history as ours;

insert into rulebook.api_usage_logs (
    id, user_id, provider, endpoint, response_time_ms, status_code, created_at
)
select
    ours.id,
    ours.user_id,
    ours.provider,
    ours.endpoint,
    ours.response_time_ms,
    ours.status_code,
    ours.created_at
from public.api_usage_logs as ours;

reset session_replication_role;
