-- load.sql: what every workload stands on: users, each with a key, schemas for baselines, and how rows are spread.
--
-- Settings: bench.users and bench.prompts, how many. Run as postgres in a migrated and seeded database. Deterministic.

create schema if not exists bench;
create schema if not exists rulebook;
grant usage on schema bench to authenticated;

comment on schema bench is 'Baselines of the benchmarks: what one would have otherwise.';
comment on schema rulebook is 'The same tables as the rulebook gives them.';

-- What has been loaded, in the transaction that loaded it: an interrupted run goes on from there.
create table if not exists bench.loaded (
    name text,
    part integer,
    primary key (name, part)
);

create table if not exists bench.clock as select now() as started_at;

create or replace function bench.user_id(number bigint)
returns uuid
language sql
immutable
as $$ select ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;

-- Whose a row is: of 100,000, user 1 has 4,600, user 2 has 73 and user 3 has 4. The others' shares fall with their
-- number, from a hundred times the last one's.
create or replace function bench.owner_of(number bigint, users bigint)
returns uuid
language sql
immutable
as $$
    select bench.user_id(
        case
            when number % 1000 < 46 then 1
            when number % 100000 between 500 and 572 then 2
            when number % 25000 = 999 then 3
            else 4 + floor((users - 3) * power((hashint8(number) & 65535) / 65536.0, 2))::bigint
        end
    )
$$;

-- When a row was made: any number of them, from the first, is spread evenly over 14 months.
create or replace function bench.moment(number bigint)
returns timestamptz
language sql
stable
as $$
    select
        clock.started_at
        - (number * 0.618033988749894848 - floor(number * 0.618033988749894848))::float8 * interval '14 months'
    from bench.clock as clock
$$;

-- What people write and are answered, with its words taken apart once: to do that for each prompt would take minutes.
create table if not exists bench.texts as
select
    phrase.number,
    phrase.user_input,
    phrase.ai_response,
    setweight(to_tsvector('pg_catalog.simple', private.searchable(phrase.user_input)), 'A')
    || setweight(to_tsvector('pg_catalog.english', private.searchable(phrase.user_input)), 'B')
    || setweight(to_tsvector('pg_catalog.english', private.searchable(phrase.ai_response)), 'C')
    || setweight(to_tsvector('pg_catalog.simple', private.searchable(phrase.ai_response)), 'D') as words
from (
    select
        place.number,
        (
            select
                string_agg(
                    'word' || (5000 * power((hashint8(place.number * 31 + word) & 65535) / 65536.0, 3))::integer, ' '
                )
            from generate_series(1, 12) as word
        )
        || case when place.number = 7 then ' zyzzyva' else '' end
        || case when place.number % 2 = 0 then ' common' else '' end as user_input,
        'A short answer, number ' || place.number || '.' as ai_response
    from generate_series(0, least(20000, current_setting('bench.prompts')::bigint) - 1) as place (number)
) as phrase;

create unique index if not exists texts_number on bench.texts (number);

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

-- Months for all moments, and for a run that goes on next month.
select private.ensure_api_usage_months((now() - interval '14 months')::date, 17);

analyze bench.texts;
analyze auth.users;
analyze public.api_configurations;
