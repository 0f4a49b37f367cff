-- usage.sql: where else a call could be logged: a bare heap, and the rulebook's table to the letter.
--
-- Settings: bench.logged, how many rows each holds before.

create table if not exists bench.bare_usage_logs (
    id uuid default gen_random_uuid(),
    user_id uuid,
    provider varchar(50),
    endpoint text,
    request_size integer,
    response_size integer,
    response_time_ms integer,
    status_code integer,
    error_message text,
    created_at timestamptz default now()
);

create table if not exists bench.rulebook_usage_logs (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references auth.users (id) on delete cascade not null,
    provider varchar(50) not null,
    endpoint text,
    request_size integer,
    response_size integer,
    response_time_ms integer,
    status_code integer,
    error_message text,
    created_at timestamptz default timezone('utc'::text, now()) not null
);

create index if not exists rulebook_usage_logs_user_id on bench.rulebook_usage_logs (user_id);
create index if not exists rulebook_usage_logs_created_at on bench.rulebook_usage_logs (created_at);
create index if not exists rulebook_usage_logs_provider on bench.rulebook_usage_logs (provider);
create index if not exists rulebook_usage_logs_user_id_provider on bench.rulebook_usage_logs (user_id, provider);

grant insert on bench.bare_usage_logs, bench.rulebook_usage_logs to authenticated;

alter table bench.rulebook_usage_logs enable row level security;
drop policy if exists "Users can insert own usage logs" on bench.rulebook_usage_logs;
create policy "Users can insert own usage logs" on bench.rulebook_usage_logs
for insert to authenticated
with check (auth.uid() = user_id);

-- What no log that its subject cannot write can do without: a call that runs with its owner's rights, and one row.
create or replace function bench.logs_into_heap(
    provider text, endpoint text, request_size integer, response_size integer, response_time_ms integer,
    status_code integer
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    insert into bench.bare_usage_logs (
        user_id, provider, endpoint, request_size, response_size, response_time_ms, status_code
    )
    values (auth.uid(), $1, $2, $3, $4, $5, $6);
end
$$;

truncate bench.bare_usage_logs, bench.rulebook_usage_logs;

insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    bench.user_id(1 + number % current_setting('bench.users')::bigint) as user_id,
    (array['openai', 'gemini', 'anthropic'])[1 + number % 3] as provider,
    '/v1/chat/completions' as endpoint,
    number % 2000 as response_time_ms,
    200 as status_code,
    now() - number * interval '100 milliseconds' as created_at
from generate_series(1, current_setting('bench.logged')::bigint) as number;

insert into bench.bare_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    log.user_id,
    log.provider,
    log.endpoint,
    log.response_time_ms,
    log.status_code,
    log.created_at
from public.api_usage_logs as log;

insert into bench.rulebook_usage_logs (user_id, provider, endpoint, response_time_ms, status_code, created_at)
select
    log.user_id,
    log.provider,
    log.endpoint,
    log.response_time_ms,
    log.status_code,
    log.created_at
from public.api_usage_logs as log;

analyze public.api_usage_logs;
analyze bench.bare_usage_logs;
analyze bench.rulebook_usage_logs;
