-- 02_map.sql: how a parked row reads in the new schema. One view per table, one column per column of the new one.
--
-- The copy inserts what these views show and compares against them; docs/upgrade.md lists what they map. A column that
-- is not named here keeps the default of the new table. Needs 01, and 000 and 001 of supabase/migrations. Any number of
-- runs end the same.

set search_path = pg_catalog, pg_temp;

do $$
begin
    if to_regclass('legacy.parked') is null or to_regclass('archive.unmigrated') is null then
        raise exception '02_map.sql needs a parked legacy installation and the new schema'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Run 01_park.sql, then 000 and 001 of supabase/migrations, then this: see docs/upgrade.md.';
    end if;
end
$$;

-- Once, at the first run: what is in public now and was not when the old tables were parked, for undo.sql.
do $$
begin
    insert into legacy.parked (kind, name)
    select 'made', made.identity
    from legacy.what_is_public() as made (identity)
    where not exists (select from legacy.parked as known where known.kind = 'made')
        and not exists (select from legacy.parked as known where known.kind = 'present' and known.name = made.identity);
end
$$;

create or replace function legacy.parked_at()
returns timestamptz
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select parked.definition::timestamptz
    from legacy.parked
    where parked.kind = 'note' and parked.name = 'parked at'
$$;

comment on function legacy.parked_at() is 'When the old tables were parked.';

create or replace function legacy.provider_of(model text)
returns text
language sql
stable
-- Definer: the bridge calls it for clients, who may see fewer providers.
security definer
set search_path = pg_catalog, pg_temp
as $$
    -- The old client stores the provider's name as the model. Other values are from other hands.
    select coalesce(
        (select known.name from public.api_providers as known where known.name = lower(model)),
        (
            select known.name
            from public.api_providers as known
            where known.supported_models @> jsonb_build_array(jsonb_build_object('id', model))
            order by known.name
            limit 1
        ),
        case
            when model ~* '^(gpt|chatgpt|o[1-9]|davinci|text-davinci)' then 'openai'
            when model ~* '^(gemini|palm|bard)' then 'gemini'
            when model ~* '^claude' then 'anthropic'
        end,
        'unknown'
    )
$$;

comment on function legacy.provider_of(text) is
'The provider of a model: by its name, by the catalogue of models, by how the name begins; else unknown.';

create or replace function legacy.decode_key(stored text)
returns text
language plpgsql
immutable
strict
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
begin
    -- What is not base64 but happens to decode gives anything else than printable ASCII. Escaped are backslashes and
    -- what is not ASCII, so a backslash means one or the other.
    v_key := encode(decode(stored, 'base64'), 'escape');
    return case when v_key ~ '^[!-~]+$' and strpos(v_key, E'\\') = 0 then v_key end;
exception when data_exception then
    return null;
end
$$;

comment on function legacy.decode_key(text) is
'The API key that the old client stored as base64; null for anything else. No key holds a space or a backslash.';

create or replace function legacy.seal_key(user_id uuid, provider text, stored text)
returns text
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- What could not be read is sealed as nothing: the row says whose key is missing, and opens to no key.
    select private.seal_api_key(
        user_id, provider, coalesce(legacy.decode_key(stored), ''), known.key_id, known.secret
    )
    from private.encryption_keys() as known
    where known.is_current
$$;

comment on function legacy.seal_key(uuid, text, text) is
'What the old client stored for a key, sealed for its row. Raises an error when no encryption key is configured.';

-- The views. Columns that this installation does not have, because it stopped at an earlier file, read as null.
do $$
declare
    c_columns constant jsonb := '{
        "profiles": ["id", "user_id", "display_name", "avatar_url", "created_at", "updated_at"],
        "user_preferences": [
            "id", "user_id", "selected_model", "selected_framework", "vibe_coding", "created_at", "updated_at"
        ],
        "api_configurations": [
            "id", "user_id", "provider", "api_key_encrypted", "is_active", "created_at", "updated_at"
        ],
        "prompt_history": [
            "id", "user_id", "framework_id", "framework_name", "model", "user_input", "ai_response", "tone", "length",
            "vibe_coding", "status", "created_at", "updated_at"
        ],
        "feedback": ["id", "user_id", "message", "created_at", "updated_at"]
    }';
    c_types constant jsonb := '{
        "created_at": "timestamptz", "updated_at": "timestamptz", "vibe_coding": "boolean", "is_active": "boolean"
    }';
    -- Every table has place (where the row lies) and problem (what the new row lacks; null if nothing) besides.
    c_views constant jsonb := jsonb_build_object(
        'profiles', $view$
            select
                place, id, user_id,
                left(display_name, 100) as display_name,
                case when private.is_web_url(avatar_url) then avatar_url end as avatar_url,
                created_at, updated_at,
                nullif(concat_ws(
                    '; ',
                    case when length(display_name) > 100 then 'display_name is over 100 characters and was cut' end,
                    case when not private.is_web_url(avatar_url) then 'avatar_url is no web address; left out' end
                ), '') as problem
            from old$view$,
        'user_preferences', $view$
            select
                place, id, user_id, selected_model, selected_framework,
                coalesce(vibe_coding, false) as vibe_coding,
                -- Nobody was asked whether old prompts may be deleted.
                false as auto_cleanup,
                created_at, updated_at,
                null::text as problem
            from old$view$,
        'api_configurations', $view$
            select
                place, id, user_id, provider,
                legacy.seal_key(user_id, provider, api_key_encrypted) as api_key_encrypted,
                -- Null was never true to the old client, which asks for is_active = true.
                coalesce(is_active, false) and legacy.decode_key(api_key_encrypted) is not null as is_active,
                case
                    when legacy.decode_key(api_key_encrypted) is null
                        then 'This key could not be read when the database was upgraded. Enter it again.'
                    when not exists (
                        select from public.api_providers as known
                        where known.name = provider
                            and legacy.decode_key(api_key_encrypted) ~ known.api_key_pattern
                    ) then 'This does not look like a key of this provider. Check it.'
                end as validation_error,
                created_at, updated_at,
                case when legacy.decode_key(api_key_encrypted) is null
                    then 'api_key_encrypted is no base64 of an API key; a new key is needed'
                end as problem
            from old$view$,
        'prompt_history', $view$
            select
                place, id, user_id, framework_id, framework_name, model,
                case when model in ('openai', 'gemini', 'anthropic') then model else legacy.provider_of(model) end
                    as provider,
                user_input, ai_response, tone, length,
                coalesce(vibe_coding, false) as vibe_coding,
                case coalesce(status, 'completed') when 'generating' then 'pending' else coalesce(status, 'completed')
                end as status,
                created_at, updated_at,
                null::text as problem
            from old$view$,
        'feedback', $view$
            select
                place, id, user_id, message,
                coalesce(created_at, updated_at, legacy.parked_at()) as created_at,
                coalesce(updated_at, created_at, legacy.parked_at()) as updated_at,
                null::text as problem
            from old$view$
    );
    v_table text;
    v_columns text;
begin
    for v_table in select jsonb_object_keys(c_columns) loop
        continue when to_regclass('legacy.' || v_table) is null;

        select string_agg(
            case
                when attribute.attname is not null then format('parked.%I', wanted.name)
                else format('null::%s as %I', coalesce(c_types ->> wanted.name, 'text'), wanted.name)
            end, ', ' order by wanted.number
        )
        into v_columns
        from jsonb_array_elements_text(c_columns -> v_table) with ordinality as wanted (name, number)
        left join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = to_regclass('legacy.' || v_table) and attribute.attname = wanted.name
                and attribute.attnum > 0 and not attribute.attisdropped;

        execute format(
            'create or replace view legacy.%I with (security_invoker) as '
            'with old as not materialized (select parked.ctid as place, %s from legacy.%I as parked)%s',
            v_table || '_mapped', v_columns, v_table, c_views ->> v_table
        );
        execute format(
            'comment on view legacy.%I is %L', v_table || '_mapped',
            'What the rows of the parked ' || v_table || ' become in the new schema.'
        );
    end loop;
end
$$;

reset search_path;
