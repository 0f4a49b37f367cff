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
