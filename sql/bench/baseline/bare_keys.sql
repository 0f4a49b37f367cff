-- keys.sql: where else a key could be stored: encrypted in one call, and in a table with nothing around it.

create table if not exists bench.bare_keys (
    id uuid default gen_random_uuid(),
    user_id uuid,
    provider varchar(50),
    api_key bytea
);

grant insert on bench.bare_keys to authenticated;
