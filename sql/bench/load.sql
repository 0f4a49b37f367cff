-- load.sql: what every workload stands on: users, each with a key, and a schema for baselines.
--
-- Settings: bench.users, how many. Run as postgres in a migrated and seeded database. Deterministic.

create schema if not exists bench;
create schema if not exists rulebook;
grant usage on schema bench to authenticated;

comment on schema bench is 'Baselines of the benchmarks: what one would have otherwise.';
comment on schema rulebook is 'The same tables as the rulebook gives them.';

create or replace function bench.user_id(number bigint)
returns uuid
language sql
immutable
as $$ select ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;

insert into private.secrets (name, secret)
values ('app_encryption_key', 'benchmark-benchmark-benchmark-benchmark')
on conflict (name) do nothing;

insert into auth.users (id, aud, role, email)
select
    bench.user_id(number) as id,
    'authenticated' as aud,
    'authenticated' as role,
    number || '@example.com' as email
from generate_series(1, current_setting('bench.users')::bigint) as number
on conflict do nothing;

insert into public.api_configurations (user_id, provider, api_key_encrypted)
select
    bench.user_id(person.number) as user_id,
    'openai' as provider,
    private.seal_api_key(
        bench.user_id(person.number),
        'openai',
        'sk-proj-' || md5(person.number::text) || md5(person.number::text),
        known.key_id,
        known.secret
    ) as api_key_encrypted
from generate_series(1, current_setting('bench.users')::bigint) as person (number)
cross join private.encryption_keys() as known
where known.is_current
on conflict do nothing;

analyze auth.users;
analyze public.api_configurations;
