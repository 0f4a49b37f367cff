-- 02_user_management.sql: who our users are beyond what Supabase Auth knows.
--
--   user_profiles       what people show of themselves, one row per account
--   user_preferences    what they chose, one row per account
--   user_sessions       when they signed in
--   two triggers on auth.users: sign-up makes the first two rows, sign-in writes the third
--
-- Needs 01. Indexes are in 06, policies and grants in 07: same tables, order and banners.

set search_path = pg_catalog, pg_temp;

do $$
begin
    -- psql's bare \i runs on after an error: with the session read-only, nothing below is created.
    perform set_config('default_transaction_read_only', 'on', false)
    where to_regclass('private.secrets') is null;
end
$$;

do $$
begin
    if to_regclass('private.secrets') is null then
        raise exception '02_user_management.sql needs 01_core_functions.sql, which has not been run to its end'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'In a new session, from the project root: '
                    'psql -v ON_ERROR_STOP=1 -f supabase/schema/01_core_functions.sql';
    end if;
end
$$;

-- user_profiles ----------------------------------------------------------------
create table if not exists public.user_profiles (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    display_name varchar(100),
    avatar_url text,
    bio text,
    preferences jsonb,
    is_active boolean not null default true,
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_profiles_one_per_user unique (user_id),
    constraint user_profiles_avatar_url_is_web_url check (private.is_web_url(avatar_url)),
    constraint user_profiles_bio_is_short check (length(bio) <= 5000),
    constraint user_profiles_preferences_are_small_object check (private.is_json_object(preferences, 65536))
);

alter table public.user_profiles enable row level security;

comment on table public.user_profiles is 'What a user shows of themselves. One row per account, made at sign-up.';
comment on column public.user_profiles.id is 'Surrogate key.';
comment on column public.user_profiles.user_id is 'The account. The row goes when the account goes.';
comment on column public.user_profiles.display_name is 'Name to show; null until known.';
comment on column public.user_profiles.avatar_url is 'Picture: an http or https URL.';
comment on column public.user_profiles.bio is 'About the user, in their own words.';
comment on column public.user_profiles.preferences is 'Free JSON object for the client, at most 64 kB.';
comment on column public.user_profiles.is_active is
'A mark of staff''s, for clients to show. It locks nobody out: ban the account in Supabase Auth for that.';
comment on column public.user_profiles.last_login_at is 'Latest sign-in. Maintained by the trigger on auth.users.';
comment on column public.user_profiles.created_at is 'When the profile was made.';
comment on column public.user_profiles.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_user_profiles_updated_at
before update on public.user_profiles
for each row execute function public.update_updated_at_column();

-- Column grants cannot keep staff from other people's words: app_admin inherits what authenticated may write to its
-- own row, and the staff policy opens every row.
create or replace function private.tg_limit_staff_update()
returns trigger
language plpgsql
volatile
-- Invoker: current_user must be the caller's role.
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_staff boolean;
    v_refused text;
begin
    if current_user <> 'app_admin' then
        return new;
    end if;

    -- A token outlives a dismissal: whoever is not of the staff any more keeps its grants, on own rows.
    v_is_staff := (select public.is_admin());
    -- On own rows staff are users, who may correct what they sent while it is open.
    if v_is_staff and old.user_id = (select auth.uid()) and coalesce(to_jsonb(old) ->> 'status', 'open') = 'open' then
        return new;
    end if;

    select string_agg(changed.key, ', ' order by changed.key)
    into v_refused
    from jsonb_each(to_jsonb(new)) as changed
    where changed.value is distinct from to_jsonb(old) -> changed.key
        and changed.key <> 'updated_at'
        and (changed.key = any(tg_argv)) <> v_is_staff;

    if v_refused is not null then
        raise exception '%', format(
            case when v_is_staff then 'staff may not change %s of another user''s row' else 'only staff may change %s' end,
            v_refused
        )
            using errcode = 'insufficient_privilege', schema = tg_table_schema, table = tg_table_name,
                hint = case
                    when v_is_staff then format('Staff may change: %s.', array_to_string(tg_argv, ', '))
                    else 'This account is not staff any more. Sign in again.'
                end;
    end if;
    return new;
end
$$;

comment on function private.tg_limit_staff_update() is
'Trigger: on rows of others staff may change only the columns named in the trigger''s arguments, and nobody else them.';

create or replace trigger limit_staff_update_of_user_profiles
before update on public.user_profiles
for each row execute function private.tg_limit_staff_update('is_active', 'updated_at');

-- user_preferences -------------------------------------------------------------
create table if not exists public.user_preferences (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    selected_model varchar(50) not null,
    selected_framework varchar(50) not null default 'roses',
    theme varchar(20) not null default 'dark',
    language varchar(10) not null default 'en',
    enable_notifications boolean not null default true,
    enable_analytics boolean not null default true,
    enable_history boolean not null default true,
    enable_feedback boolean not null default true,
    max_history_days integer not null default 30,
    auto_cleanup boolean not null default true,
    vibe_coding boolean not null default false,
    monthly_budget_usd decimal(10, 2),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_preferences_one_per_user unique (user_id),
    constraint user_preferences_model_is_known check (selected_model in ('openai', 'gemini', 'anthropic')),
    constraint user_preferences_framework_is_known check (
        selected_framework in ('roses', 'ape', 'tag', 'era', 'race', 'rise', 'care', 'coast', 'trace')
    ),
    constraint user_preferences_theme_is_known check (theme in ('light', 'dark', 'system')),
    constraint user_preferences_language_is_a_tag check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'),
    constraint user_preferences_history_days_are_sane check (max_history_days between 1 and 3650),
    -- Not >= 0 alone, which NaN is too.
    constraint user_preferences_budget_is_not_negative check (monthly_budget_usd between 0 and 99999999.99)
);

alter table public.user_preferences enable row level security;

comment on table public.user_preferences is 'What a user chose. One row per account, made at sign-up.';
comment on column public.user_preferences.id is 'Surrogate key.';
comment on column public.user_preferences.user_id is 'The account. The row goes when the account goes.';
comment on column public.user_preferences.selected_model is 'Provider chosen: openai, gemini or anthropic.';
comment on column public.user_preferences.selected_framework is
'Prompt framework chosen, as in prompt_frameworks.name.';
comment on column public.user_preferences.theme is 'light, dark or system.';
comment on column public.user_preferences.language is 'Language tag such as en or pt-BR; search stems by it.';
comment on column public.user_preferences.enable_notifications is 'Whether the user wants notifications.';
comment on column public.user_preferences.enable_analytics is 'Whether the user agrees to analytics.';
comment on column public.user_preferences.enable_history is 'Whether prompts are kept in prompt_history.';
comment on column public.user_preferences.enable_feedback is 'Whether the user is asked for feedback.';
comment on column public.user_preferences.max_history_days is 'Days that prompts are kept, 1 to 3650.';
comment on column public.user_preferences.auto_cleanup is 'Whether maintenance deletes prompts past max_history_days.';
comment on column public.user_preferences.vibe_coding is 'Whether the client starts in vibe-coding mode.';
comment on column public.user_preferences.monthly_budget_usd is
'US dollars a month the user means to spend at most; null for no budget.';
comment on column public.user_preferences.created_at is 'When the preferences were made.';
comment on column public.user_preferences.updated_at is 'Last change to any column. Maintained by trigger.';

create or replace trigger update_user_preferences_updated_at
before update on public.user_preferences
for each row execute function public.update_updated_at_column();

-- user_sessions ----------------------------------------------------------------
-- One row per sign-in, so that a user can recognise the one that was not theirs. No token of any kind: what is not
-- here cannot leak. Signing a device out is Supabase Auth's business; deleting a row only clears the list.
create table if not exists public.user_sessions (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    signed_in_at timestamptz not null default now(),
    ip_address inet,
    user_agent text,
    created_at timestamptz not null default now(),
    constraint user_sessions_user_agent_is_short check (length(user_agent) <= 1000)
);

alter table public.user_sessions enable row level security;

comment on table public.user_sessions is 'Sign-ins of a user, newest first in the client. Written by trigger only.';
comment on column public.user_sessions.id is 'Surrogate key.';
comment on column public.user_sessions.user_id is 'The account. The row goes when the account goes.';
comment on column public.user_sessions.signed_in_at is 'When Supabase Auth recorded the sign-in.';
comment on column public.user_sessions.ip_address is 'Client address, where Supabase Auth recorded one.';
comment on column public.user_sessions.user_agent is 'Client software, where Supabase Auth recorded it.';
comment on column public.user_sessions.created_at is 'When the row was written.';

-- Sign-up ----------------------------------------------------------------------
create or replace function private.tg_users__create_account()
returns trigger
language plpgsql
volatile
-- Definer: the trigger fires as supabase_auth_admin, who holds no rights in public.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metadata jsonb := coalesce(new.raw_user_meta_data, '{}');
    v_avatar_url text := v_metadata ->> 'avatar_url';
begin
    -- An error here would fail the sign-up with a 500. Each step is caught by itself: a name that does not fit must
    -- not cost the user a profile, nor a profile the preferences.
    begin
        insert into public.user_profiles (user_id, display_name, avatar_url)
        values (
            new.id,
            -- Never the whole e-mail address: a display name is shown to others.
            left(coalesce(
                nullif(btrim(v_metadata ->> 'display_name'), ''),
                nullif(btrim(v_metadata ->> 'full_name'), ''),
                nullif(btrim(v_metadata ->> 'name'), ''),
                nullif(split_part(new.email, '@', 1), '')
            ), 100),
            case when private.is_web_url(v_avatar_url) then v_avatar_url end
        )
        on conflict (user_id) do nothing;
    exception when others then
        raise warning 'profile of new user % made without metadata: %', new.id, sqlerrm;
        begin
            insert into public.user_profiles (user_id) values (new.id) on conflict (user_id) do nothing;
        exception when others then
            raise warning 'no profile made for new user %: %', new.id, sqlerrm;
        end;
    end;

    begin
        insert into public.user_preferences (user_id, selected_model, selected_framework, theme)
        values (
            new.id,
            private.config_text('default_provider', 'openai'),
            private.config_text('default_framework', 'roses'),
            private.config_text('default_theme', 'dark')
        )
        on conflict (user_id) do nothing;
    exception when others then
        raise warning 'preferences of new user % made without configured defaults: %', new.id, sqlerrm;
        begin
            insert into public.user_preferences (user_id, selected_model) values (new.id, 'openai')
            on conflict (user_id) do nothing;
        exception when others then
            raise warning 'no preferences made for new user %: %', new.id, sqlerrm;
        end;
    end;

    return null;  -- ignored: the trigger fires after the insert
end
$$;

comment on function private.tg_users__create_account() is
'Trigger: a new account gets a profile and preferences. Never fails the sign-up.';

-- create or replace, because postgres may create triggers on auth.users and not drop them.
create or replace trigger on_auth_user_created
after insert on auth.users
for each row execute function private.tg_users__create_account();

-- Sign-in ----------------------------------------------------------------------
create or replace function private.tg_users__record_sign_in()
returns trigger
language plpgsql
volatile
-- Definer: the trigger fires as supabase_auth_admin, who holds no rights in public.
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ip_address inet;
    v_user_agent text;
begin
    update public.user_profiles
    set last_login_at = new.last_sign_in_at
    where user_id = new.id;

    -- Supabase Auth writes its session before it stamps last_sign_in_at, in the same transaction. Its table is absent
    -- where only the stand-in for the platform is.
    if to_regclass('auth.sessions') is not null then
        select session.ip, left(session.user_agent, 1000)
        into v_ip_address, v_user_agent
        from auth.sessions as session
        where session.user_id = new.id
        order by session.created_at desc
        limit 1;
    end if;

    insert into public.user_sessions (user_id, signed_in_at, ip_address, user_agent)
    values (new.id, new.last_sign_in_at, v_ip_address, v_user_agent);

    return null;  -- ignored: the trigger fires after the update
exception when others then
    -- Nobody is kept out because a list could not be written.
    raise warning 'sign-in of user % not recorded: %', new.id, sqlerrm;
    return null;
end
$$;

comment on function private.tg_users__record_sign_in() is
'Trigger: a sign-in updates last_login_at and adds to the session list. Never fails the sign-in.';

create or replace trigger on_auth_user_signed_in
after update of last_sign_in_at on auth.users
for each row
when (new.last_sign_in_at is distinct from old.last_sign_in_at and new.last_sign_in_at is not null)
execute function private.tg_users__record_sign_in();

reset search_path;
