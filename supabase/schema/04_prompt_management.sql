-- 04_prompt_management.sql: how prompts are built, what was asked and answered, what is worth keeping as a template.
--
--   prompt_frameworks    the nine frameworks; staff write them
--   prompt_history       what a user asked and got
--   prompt_templates     reusable prompts: system, own, or shared with everyone
--
-- Needs 01 to 03. Indexes are in 06, policies and grants in 07: same tables, order and banners.

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('private.api_usage_logs_default') is null;
end
$$;

do $$
begin
    if to_regclass('private.api_usage_logs_default') is null then
        raise exception '04_prompt_management.sql needs 03_api_management.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/03_api_management.sql';
    end if;
end
$$;

-- prompt_frameworks ------------------------------------------------------------
create table if not exists public.prompt_frameworks (
    id uuid default gen_random_uuid() primary key,
    name varchar(50) not null,
    display_name varchar(100) not null,
    description text not null,
    components jsonb not null,
    template text not null,
    examples jsonb,
    is_enabled boolean not null default true,
    sort_order integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint prompt_frameworks_name_is_unique unique (name),
    constraint prompt_frameworks_name_is_lowercase check (name ~ '^[a-z][a-z0-9_]*$'),
    constraint prompt_frameworks_description_is_short check (length(description) between 1 and 5000),
    constraint prompt_frameworks_components_are_listed check (private.is_component_list(components)),
    constraint prompt_frameworks_template_is_short check (length(template) between 1 and 20000),
    constraint prompt_frameworks_examples_are_a_small_list check (
        jsonb_typeof(examples) = 'array' and octet_length(examples::text) <= 262144
    )
);

alter table public.prompt_frameworks enable row level security;

comment on table public.prompt_frameworks is
'Ways to structure a prompt: R.O.S.E.S, A.P.E, T.A.G, E.R.A, R.A.C.E, R.I.S.E, C.A.R.E, C.O.A.S.T, T.R.A.C.E.';
comment on column public.prompt_frameworks.id is 'Surrogate key.';
comment on column public.prompt_frameworks.name is 'Name that other tables use as framework_id: roses, ape, …';
comment on column public.prompt_frameworks.display_name is 'Name to show.';
comment on column public.prompt_frameworks.description is 'When to choose this framework.';
comment on column public.prompt_frameworks.components is
'JSON array of {name, label, description, required}, in the order of the letters.';
comment on column public.prompt_frameworks.template is 'Prompt text with one {{placeholder}} per component.';
comment on column public.prompt_frameworks.examples is 'JSON array of worked examples: {title, values, prompt}.';
comment on column public.prompt_frameworks.is_enabled is
'False hides the framework from clients. Kept when the seed is run again.';
comment on column public.prompt_frameworks.sort_order is 'Position in lists, ascending.';
comment on column public.prompt_frameworks.created_at is 'When the framework was added.';
comment on column public.prompt_frameworks.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_prompt_frameworks_updated_at
before update on public.prompt_frameworks
for each row execute function public.update_updated_at_column();

-- prompt_history ---------------------------------------------------------------
-- A row is written when the request starts and updated when the answer comes. The free space in each page keeps that
-- update on its page (HOT), as long as no index holds a column it changes: see 06.
create table if not exists public.prompt_history (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    framework_id varchar(50) not null,
    framework_name varchar(100) not null,
    model varchar(50) not null,
    provider varchar(50) not null,
    user_input text not null,
    ai_response text,
    tone varchar(50),
    length varchar(50),
    temperature decimal(3, 2),
    max_tokens integer,
    vibe_coding boolean not null default false,
    processing_time_ms integer,
    tokens_used integer,
    cost_usd decimal(10, 6),
    status varchar(20) not null default 'pending',
    error_message text,
    error_code varchar(50),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Octets, because their number is known without unpacking the value.
    constraint prompt_history_user_input_is_under_1_mb check (octet_length(user_input) <= 1048576),
    constraint prompt_history_ai_response_is_under_2_mb check (octet_length(ai_response) <= 2097152),
    constraint prompt_history_temperature_is_valid check (temperature between 0 and 2),
    constraint prompt_history_max_tokens_is_positive check (max_tokens > 0),
    constraint prompt_history_processing_time_is_not_negative check (processing_time_ms >= 0),
    constraint prompt_history_tokens_used_is_not_negative check (tokens_used >= 0),
    constraint prompt_history_cost_is_not_negative check (cost_usd >= 0),
    constraint prompt_history_status_is_known check (status in ('pending', 'completed', 'failed')),
    constraint prompt_history_error_message_is_short check (length(error_message) <= 10000)
) with (fillfactor = 85);

alter table public.prompt_history enable row level security;

comment on table public.prompt_history is
'What a user asked and what came back. Private to the user: staff have no access.';
comment on column public.prompt_history.id is 'Surrogate key.';
comment on column public.prompt_history.user_id is 'Owner. The rows go when the account goes.';
comment on column public.prompt_history.framework_id is 'Framework used, as in prompt_frameworks.name.';
comment on column public.prompt_history.framework_name is 'Framework''s name as it was shown, R.O.S.E.S.';
comment on column public.prompt_history.model is 'Model that was called.';
comment on column public.prompt_history.provider is 'Provider that was called, as in api_providers.name.';
comment on column public.prompt_history.user_input is 'What the user asked; up to 1 MB.';
comment on column public.prompt_history.ai_response is 'What came back, up to 2 MB; null while pending.';
comment on column public.prompt_history.tone is 'Tone asked for: professional, casual, friendly, formal, creative.';
comment on column public.prompt_history.length is 'Length asked for: short, medium, long, detailed.';
comment on column public.prompt_history.temperature is 'Sampling temperature, 0 to 2.';
comment on column public.prompt_history.max_tokens is 'Largest answer asked for, in tokens.';
comment on column public.prompt_history.vibe_coding is 'Whether vibe-coding mode was on.';
comment on column public.prompt_history.processing_time_ms is 'Milliseconds from request to answer.';
comment on column public.prompt_history.tokens_used is 'Tokens in and out.';
comment on column public.prompt_history.cost_usd is
'Price in US dollars at the time of the call. Not revised when prices change.';
comment on column public.prompt_history.status is 'pending, completed or failed.';
comment on column public.prompt_history.error_message is 'What went wrong, for the user.';
comment on column public.prompt_history.error_code is 'What went wrong, for a program.';
comment on column public.prompt_history.created_at is 'When the request was made.';
comment on column public.prompt_history.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_prompt_history_updated_at
before update on public.prompt_history
for each row execute function public.update_updated_at_column();

-- prompt_templates -------------------------------------------------------------
create table if not exists public.prompt_templates (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete cascade,
    name varchar(100) not null,
    description text,
    framework_id varchar(50) not null,
    template_content text not null,
    variables jsonb,
    is_public boolean not null default false,
    is_active boolean not null default true,
    -- Counted when a template is rendered: 07 grants no client a write.
    usage_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint prompt_templates_name_is_not_blank check (btrim(name) <> ''),
    constraint prompt_templates_description_is_short check (length(description) <= 5000),
    constraint prompt_templates_content_is_short check (length(template_content) between 1 and 100000),
    constraint prompt_templates_variables_are_declared check (private.is_variable_list(variables)),
    constraint prompt_templates_usage_count_is_a_count check (usage_count >= 0)
);

alter table public.prompt_templates enable row level security;

-- System templates have no owner, so their name is what the seed finds them by.
create unique index if not exists prompt_templates_system_name_key
on public.prompt_templates (name)
where user_id is null;

comment on table public.prompt_templates is
'Reusable prompts with variables: own ones, public ones, and system templates that nobody owns.';
comment on column public.prompt_templates.id is 'Surrogate key.';
comment on column public.prompt_templates.user_id is
'Owner; null for a system template. The rows go when the account goes.';
comment on column public.prompt_templates.name is 'Name to show.';
comment on column public.prompt_templates.description is 'What the template is for.';
comment on column public.prompt_templates.framework_id is 'Framework used, as in prompt_frameworks.name.';
comment on column public.prompt_templates.template_content is 'Text with {{name}} or {{name|default}} placeholders.';
comment on column public.prompt_templates.variables is
'JSON array of {name, description, required, default, max_length}.';
comment on column public.prompt_templates.is_public is 'True shows the template to everyone, signed in or not.';
comment on column public.prompt_templates.is_active is 'False hides the template from everyone but its owner.';
comment on column public.prompt_templates.usage_count is 'How often it was rendered. Not writable by clients.';
comment on column public.prompt_templates.created_at is 'When the template was made.';
comment on column public.prompt_templates.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_prompt_templates_updated_at
before update on public.prompt_templates
for each row execute function public.update_updated_at_column();

-- Taking a shared template down ------------------------------------------------
-- Not an UPDATE of staff's own: the row that comes out is private again, staff may not see it, and an UPDATE with a
-- WHERE clause must leave a row that its author may see.
create or replace function private.unpublish_prompt_template(template_id uuid)
returns boolean
language plpgsql
volatile
-- Definer: see above. Touches is_public of one public template and answers no more than "was public".
security definer
set search_path = ''
as $$
begin
    update public.prompt_templates as template
    set is_public = false
    where template.id = unpublish_prompt_template.template_id and template.is_public;
    return found;
end
$$;

comment on function private.unpublish_prompt_template(uuid) is 'Worker of public.unpublish_prompt_template.';

create or replace function public.unpublish_prompt_template(template_id uuid)
returns boolean
language sql
volatile
security invoker
set search_path = ''
-- Bound at creation, so the caller needs EXECUTE on the worker and no USAGE on its schema.
return private.unpublish_prompt_template(template_id);

comment on function public.unpublish_prompt_template(uuid) is
'Staff: makes a shared template private to its owner again. True when it was public.';
