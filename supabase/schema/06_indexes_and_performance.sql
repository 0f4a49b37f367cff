-- 06_indexes_and_performance.sql: every index, and the query that each one serves.
--
-- What has no index here has a reason: a unique rule already leads with the column (user_profiles, user_preferences,
-- api_configurations, the catalogues), or an index would cost more than it gives (prompt_history.status).
-- Every foreign key is covered, or deleting an account would scan the table.
--
-- Needs 01 to 05. Policies and grants are in 07: same tables, order and banners.

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('public.feedback_analytics') is null;
end
$$;

do $$
begin
    if to_regclass('public.feedback_analytics') is null then
        raise exception '06_indexes_and_performance.sql needs 05_feedback_system.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/05_feedback_system.sql';
    end if;
end
$$;

-- user_sessions ----------------------------------------------------------------
-- The session list, newest first; the policies; the cascade.
create index if not exists idx_user_sessions_user_id_signed_in_at
on public.user_sessions (user_id, signed_in_at desc);

-- api_usage_logs ---------------------------------------------------------------
-- A user's usage over some days; the policy; the cascade. Nothing else: partitions find the month, and each further
-- index costs every logged call. Not BRIN, which decays once freed space is filled with newer rows.
create index if not exists idx_api_usage_logs_user_id_created_at
on public.api_usage_logs (user_id, created_at);

-- prompt_history ---------------------------------------------------------------
-- History pages by OFFSET or by (created_at, id), all four policies, retention by age, the cascade.
-- No index on status, and no INCLUDE: pending to completed would no longer be a HOT update, and a covered prompt
-- over 2.7 kB could not be inserted at all.
create index if not exists idx_prompt_history_user_id_created_at_id
on public.prompt_history (user_id, created_at desc, id desc);

-- prompt_templates -------------------------------------------------------------
-- "My templates"; the policies; the cascade.
create index if not exists idx_prompt_templates_user_id
on public.prompt_templates (user_id);

-- The gallery of shared templates, most used first; the other half of the SELECT policy.
create index if not exists idx_prompt_templates_public_usage_count
on public.prompt_templates (usage_count desc)
where is_public and is_active;

-- prompt_search ----------------------------------------------------------------
-- Searches of one user for rare words. For common ones it is cheaper to walk the user's rows in time order: the next.
create index if not exists idx_prompt_search_user_id_words
on private.prompt_search using gin (user_id, words);

-- Searches for common words, newest first; the cascade from auth.users.
create index if not exists idx_prompt_search_user_id_created_at_history_id
on private.prompt_search (user_id, created_at desc, history_id desc);

-- feedback_categories ----------------------------------------------------------
-- The children of a category; the foreign key.
create index if not exists idx_feedback_categories_parent_id
on public.feedback_categories (parent_id);

-- feedback ---------------------------------------------------------------------
-- "My feedback", newest first; the policies; ON DELETE SET NULL.
create index if not exists idx_feedback_user_id_created_at
on public.feedback (user_id, created_at desc);

-- The triage queue: what is not done yet, oldest first.
create index if not exists idx_feedback_unfinished_created_at
on public.feedback (created_at)
where status in ('open', 'in_progress');

-- Messages under a topic; ON DELETE SET NULL.
create index if not exists idx_feedback_category_id
on public.feedback (category_id);

-- What a member of staff answered; ON DELETE SET NULL.
create index if not exists idx_feedback_admin_user_id
on public.feedback (admin_user_id);

-- feedback_tag_assignments -----------------------------------------------------
-- Messages with a label; the cascade from feedback_tags. The unique rule leads with feedback_id.
create index if not exists idx_feedback_tag_assignments_tag_id
on public.feedback_tag_assignments (tag_id);

-- Statistics -------------------------------------------------------------------
-- The planner's estimates are made from statistics over all rows, whatever the policies show, and a client may ask for
-- an estimate (Prefer: count=planned). Of what people wrote, where they were and how to reach them, the common values
-- could be found by comparing estimates. No query of ours filters by these columns, so the planner loses nothing. What
-- stays guessable: which user ids exist, and how many rows each has.
alter table public.user_profiles
alter column display_name set statistics 0,
alter column avatar_url set statistics 0,
alter column bio set statistics 0;

alter table public.user_sessions
alter column ip_address set statistics 0,
alter column user_agent set statistics 0;

alter table public.api_configurations
alter column api_key_encrypted set statistics 0,
alter column validation_error set statistics 0;

alter table public.api_usage_logs
alter column endpoint set statistics 0,
alter column error_message set statistics 0;

alter table public.prompt_history
alter column user_input set statistics 0,
alter column ai_response set statistics 0,
alter column error_message set statistics 0;

alter table public.prompt_templates
alter column name set statistics 0,
alter column description set statistics 0,
alter column template_content set statistics 0;

alter table public.feedback
alter column message set statistics 0,
alter column contact_email set statistics 0,
alter column contact_name set statistics 0,
alter column user_agent set statistics 0,
alter column admin_response set statistics 0;
