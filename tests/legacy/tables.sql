-- tables.sql: a legacy installation as its migrations leave it, shape A: a trigger stops every insert into the history.
-- Written after what was found in real ones, not copied. The grants are those of a project from before 2026, which a
-- dump brings along wherever it is restored.

create function public.update_updated_at_column() returns trigger
language plpgsql
as $$
begin
    new.updated_at = now();
    return new;
end;
$$;

-- profiles
create table public.profiles (
    id uuid not null default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade unique,
    display_name text,
    avatar_url text,
    created_at timestamp with time zone not null default now(),
    updated_at timestamp with time zone not null default now()
);
alter table public.profiles enable row level security;
create policy "Profiles are viewable by everyone" on public.profiles for select using (true);
create policy "Users can update their own profile" on public.profiles for update using (auth.uid() = user_id);
create policy "Users can insert their own profile" on public.profiles for insert with check (auth.uid() = user_id);

create trigger update_profiles_updated_at
before update on public.profiles
for each row execute function public.update_updated_at_column();

create function public.handle_new_user() returns trigger
language plpgsql
security definer
set search_path = public
as $$
begin
    insert into public.profiles (user_id, display_name) values (new.id, new.email);
    return new;
end;
$$;

create trigger on_auth_user_created
after insert on auth.users
for each row execute function public.handle_new_user();

-- api_configurations
create table public.api_configurations (
    id uuid not null default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    provider varchar(50) not null check (provider in ('openai', 'gemini', 'anthropic')),
    api_key_encrypted text not null,
    is_active boolean default true,
    created_at timestamp with time zone not null default timezone('utc'::text, now()),
    updated_at timestamp with time zone not null default timezone('utc'::text, now()),
    unique (user_id, provider)
);
alter table public.api_configurations enable row level security;
create policy "Users can view own api configurations" on public.api_configurations
for select using (auth.uid() = user_id);
create policy "Users can insert own api configurations" on public.api_configurations
for insert with check (auth.uid() = user_id);
create policy "Users can update own api configurations" on public.api_configurations
for update using (auth.uid() = user_id);
create policy "Users can delete own api configurations" on public.api_configurations
for delete using (auth.uid() = user_id);
create index idx_api_configurations_user_id on public.api_configurations (user_id);
create index idx_api_configurations_provider on public.api_configurations (provider);
create trigger update_api_configurations_updated_at
before update on public.api_configurations
for each row execute function public.update_updated_at_column();

-- user_preferences
create table public.user_preferences (
    id uuid not null default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    selected_model varchar(50) not null check (selected_model in ('openai', 'gemini', 'anthropic')),
    selected_framework varchar(50) not null default 'roses' check (
        selected_framework in ('roses', 'ape', 'tag', 'era', 'race', 'rise', 'care', 'coast', 'trace')
    ),
    created_at timestamp with time zone not null default timezone('utc'::text, now()),
    updated_at timestamp with time zone not null default timezone('utc'::text, now()),
    unique (user_id)
);
alter table public.user_preferences add column vibe_coding boolean default false;
alter table public.user_preferences enable row level security;
create policy "Users can view own preferences" on public.user_preferences for select using (auth.uid() = user_id);
create policy "Users can insert own preferences" on public.user_preferences
for insert with check (auth.uid() = user_id);
create policy "Users can update own preferences" on public.user_preferences for update using (auth.uid() = user_id);
create policy "Users can delete own preferences" on public.user_preferences for delete using (auth.uid() = user_id);
create index idx_user_preferences_user_id on public.user_preferences (user_id);
create trigger update_user_preferences_updated_at
before update on public.user_preferences
for each row execute function public.update_updated_at_column();

-- prompt_history
create table public.prompt_history (
    id uuid not null default gen_random_uuid() primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    framework_id varchar(50) not null,
    framework_name varchar(100) not null,
    model varchar(50) not null,
    user_input text not null,
    ai_response text not null,
    tone varchar(50),
    length varchar(50),
    vibe_coding boolean default false,
    status varchar(20) default 'completed' check (status in ('generating', 'completed', 'failed')),
    created_at timestamp with time zone not null default timezone('utc'::text, now()),
    updated_at timestamp with time zone not null default timezone('utc'::text, now())
);
alter table public.prompt_history enable row level security;
create policy "Users can view own prompt history" on public.prompt_history for select using (auth.uid() = user_id);
create policy "Users can insert own prompt history" on public.prompt_history
for insert with check (auth.uid() = user_id);
create policy "Users can update own prompt history" on public.prompt_history for update using (auth.uid() = user_id);
create policy "Users can delete own prompt history" on public.prompt_history for delete using (auth.uid() = user_id);
create index idx_prompt_history_user_id on public.prompt_history (user_id);
create index idx_prompt_history_created_at on public.prompt_history (created_at);
create index idx_prompt_history_framework_id on public.prompt_history (framework_id);
create index idx_prompt_history_model on public.prompt_history (model);

create function public.cleanup_old_prompt_history() returns void
language plpgsql
as $$
begin
    delete from public.prompt_history where created_at < now() - interval '7 days';
end;
$$;

create function public.trigger_cleanup_old_prompt_history() returns trigger
language plpgsql
as $$
begin
    -- Fails for every row: an id is no number.
    if (new.id::text)::bigint % 50 = 0 then
        perform public.cleanup_old_prompt_history();
    end if;
    return new;
end;
$$;

create trigger cleanup_prompt_history_trigger
after insert on public.prompt_history
for each row execute function public.trigger_cleanup_old_prompt_history();

-- feedback
create table public.feedback (
    id uuid not null default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete cascade,
    message text not null,
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone default now()
);
alter table public.feedback enable row level security;
create policy "Users can view their own feedback" on public.feedback for select using (auth.uid() = user_id);
create policy "Users can insert their own feedback" on public.feedback for insert with check (auth.uid() = user_id);
create policy "Users can update their own feedback" on public.feedback for update using (auth.uid() = user_id);
create policy "Users can delete their own feedback" on public.feedback for delete using (auth.uid() = user_id);
create index idx_feedback_user_id on public.feedback (user_id);
create index idx_feedback_created_at on public.feedback (created_at);
create trigger update_feedback_updated_at
before update on public.feedback
for each row execute function public.update_updated_at_column();

grant all on all tables in schema public to anon, authenticated, service_role;
grant all on all functions in schema public to anon, authenticated, service_role;
