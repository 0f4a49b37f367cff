-- upgrade_baseline.sql: the tables that the history of a legacy installation is copied to, without anything that guards
-- or counts, and the plainest way to fill them. In a database where that history is parked.
create table public.plain_prompts (like public.prompt_history including all);

alter table public.plain_prompts
add foreign key (user_id) references auth.users (id) on delete cascade;

create table public.plain_words (like private.prompt_search including all);

create procedure public.copy_plainly()
language sql
begin atomic
    insert into public.plain_prompts (
        id, user_id, framework_id, framework_name, model, provider, user_input, ai_response, tone, length, vibe_coding,
        status, created_at, updated_at
    )
    select
        parked.id,
        parked.user_id,
        parked.framework_id,
        parked.framework_name,
        parked.model,
        parked.provider,
        parked.user_input,
        parked.ai_response,
        parked.tone,
        parked.length,
        parked.vibe_coding,
        parked.status,
        parked.created_at,
        parked.updated_at
    from legacy.prompt_history_mapped as parked;

    insert into public.plain_words (history_id, user_id, created_at, words)
    select
        prompt.id,
        prompt.user_id,
        prompt.created_at,
        setweight(to_tsvector('pg_catalog.simple', private.searchable(prompt.user_input)), 'A')
        || setweight(to_tsvector('pg_catalog.english', private.searchable(prompt.user_input)), 'B')
        || setweight(to_tsvector('pg_catalog.english', private.searchable(prompt.ai_response)), 'C')
        || setweight(to_tsvector('pg_catalog.simple', private.searchable(prompt.ai_response)), 'D') as words
    from public.plain_prompts as prompt;
end;
