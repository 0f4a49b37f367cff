-- delete_retention.sql: usage logs in one table, as one would have them otherwise: old rows go by DELETE.

create table if not exists bench.plain_usage_logs (
    like public.api_usage_logs including defaults including constraints,
    primary key (id, created_at)
);

create index if not exists plain_usage_logs_user_id_created_at on bench.plain_usage_logs (user_id, created_at);
