-- bare_heap.sql: the floor that PostgreSQL sets: a log without index, key or rule.

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

grant insert on bench.bare_usage_logs to authenticated;

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
