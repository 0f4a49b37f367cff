-- 03_bridge.sql: the old client goes on working on the new schema until it is deployed anew.
--
--   profiles             a view of user_profiles, for its owner
--   prompt_history       'generating' is stored as 'pending', the provider is derived from the model
--   api_configurations   base64 of a key is decoded and sealed as it comes in
--
-- cleanup_old_prompt_history() and vibe_coding are part of the new schema. Nothing here opens what the new schema
-- closes: the view asks as its caller, and what the triggers change, the rules of the tables still judge. A key that is
-- stored does not come back in plain: a client that calls the provider itself needs the new version, see
-- docs/upgrade.md. Needs 02. Any number of runs end the same; cleanup_old_migrations.sql takes it down.

set search_path = pg_catalog, pg_temp;

do $$
begin
    if to_regprocedure('legacy.provider_of(text)') is null then
        raise exception '03_bridge.sql needs 02_map.sql'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Run 01_park.sql, 000, 001 and 02_map.sql first: see docs/upgrade.md.';
    end if;
end
$$;

-- profiles -----------------------------------------------------------------------
-- The old table showed everybody every name, which was the e-mail address. This shows what the caller may see anyway.
create or replace view public.profiles with (security_invoker) as
select
    profile.id,
    profile.user_id,
    profile.display_name,
    profile.avatar_url,
    profile.created_at,
    profile.updated_at
from public.user_profiles as profile;

comment on view public.profiles is 'Bridge: user_profiles by its old name, until the old client is gone.';

revoke all on public.profiles from public, anon, authenticated, service_role, app_admin;
grant select on public.profiles to authenticated;

-- prompt_history -----------------------------------------------------------------
create or replace function legacy.tg_prompt_history__bridge()
returns trigger
language plpgsql
volatile
-- Definer: nobody but the owner can name what it calls in legacy. Changes nothing but the row at hand.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' then
        -- What is finished stays finished: the old client may start anew on a row that it had given up.
        new.status := old.status;
        return new;
    end if;

    if new.provider is null then
        -- The old client: it names no provider, and a row without a status was completed by default.
        new.provider := legacy.provider_of(new.model);
        new.vibe_coding := coalesce(new.vibe_coding, false);
        if new.status is null or (new.status = 'pending' and new.ai_response is not null) then
            new.status := 'completed';
        end if;
    end if;
    if new.status = 'generating' then
        new.status := 'pending';
    end if;
    return new;
end
$$;

comment on function legacy.tg_prompt_history__bridge() is
'Trigger: what the old client writes to the history, in the words of the new schema.';

-- Before the triggers of the table, which fire by name.
create or replace trigger bridge_prompt_history_insert
before insert on public.prompt_history
for each row
when (new.provider is null or new.status = 'generating')
execute function legacy.tg_prompt_history__bridge();

create or replace trigger bridge_prompt_history_update
before update of status on public.prompt_history
for each row
when (new.status = 'generating')
execute function legacy.tg_prompt_history__bridge();

-- api_configurations -------------------------------------------------------------
-- Only the server may store what only the server can open, and the client's statement is not the server's. So the key
-- goes in sealed, in an envelope that a client may send, and in the same statement the owner relabels it.
create or replace function legacy.tg_api_configurations__seal()
returns trigger
language plpgsql
volatile
-- Definer: reads the encryption key. Seals for the row at hand and for no other.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Anything else than base64 of a key is for the table to refuse.
    if legacy.decode_key(new.api_key_encrypted) is not null then
        new.api_key_encrypted := 'enc:c1:' || substring(
            legacy.seal_key(new.user_id, new.provider, new.api_key_encrypted) from '[^:]*$'
        );
    end if;
    return new;
end
$$;

comment on function legacy.tg_api_configurations__seal() is
'Trigger: seals a key that the old client sends as base64.';

create or replace function legacy.tg_api_configurations__relabel()
returns trigger
language plpgsql
volatile
-- Definer: reads the encryption key, and writes what clients may not. Only the row at hand.
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if private.find_secret('app_encryption_key') is null then
        return null;
    end if;
    -- What opens with our secret for this row was sealed above. What a client sealed for itself does not open.
    update public.api_configurations as configuration
    set api_key_encrypted = 'enc:v1:' || known.key_id || ':' || substr(new.api_key_encrypted, length('enc:c1:') + 1)
    from private.encryption_keys() as known
    where configuration.id = new.id
        and known.is_current
        and private.unseal_api_key(new.api_key_encrypted, new.user_id, new.provider, known.secret) is not null;
    return null;  -- ignored: the trigger fires after the statement's own change
end
$$;

comment on function legacy.tg_api_configurations__relabel() is
'Trigger: marks a key that was sealed on its way in as sealed by the server.';

create or replace trigger bridge_api_configurations_seal
before insert or update of api_key_encrypted on public.api_configurations
for each row
when (new.api_key_encrypted not like 'enc:%')
execute function legacy.tg_api_configurations__seal();

create or replace trigger bridge_api_configurations_relabel
after insert or update of api_key_encrypted on public.api_configurations
for each row
when (new.api_key_encrypted like 'enc:c1:%')
execute function legacy.tg_api_configurations__relabel();

-- In flight ----------------------------------------------------------------------
-- A client that is waiting for an answer will update its row by id: these few are there before it can.
do $$
begin
    if to_regclass('legacy.prompt_history_mapped') is not null then
        insert into public.prompt_history (
            id, user_id, framework_id, framework_name, model, provider, user_input, ai_response, tone, length,
            vibe_coding, status, created_at, updated_at
        )
        select
            parked.id, parked.user_id, parked.framework_id, parked.framework_name, parked.model, parked.provider,
            parked.user_input, parked.ai_response, parked.tone, parked.length, parked.vibe_coding, parked.status,
            parked.created_at, parked.updated_at
        from legacy.prompt_history_mapped as parked
        where parked.status = 'pending'
            and parked.created_at > now() - interval '15 minutes'
            and octet_length(parked.user_input) <= 1048576
        on conflict do nothing;
    end if;
exception when integrity_constraint_violation or data_exception then
    null;  -- the copy looks at each row by itself
end
$$;

reset search_path;
