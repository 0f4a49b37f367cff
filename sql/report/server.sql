-- Where this was read.
select
    current_setting('server_version') as postgres_version,
    current_database() as database_name,
    pg_is_in_recovery() as is_standby,
    pg_database_size(current_database()) as total_bytes,
    now() at time zone 'utc' as read_at;
