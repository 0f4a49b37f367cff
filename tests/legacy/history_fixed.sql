-- history_fixed.sql: what the owner of a legacy installation ran by hand when the history refused every row. After it:
-- shape B. The trigger is gone with the table, its functions stay.
drop table public.prompt_history cascade;
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
grant all on public.prompt_history to anon, authenticated, service_role;
