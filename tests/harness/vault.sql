-- A stand-in for Supabase Vault, by its documented interface: what is stored is ciphertext, what the view shows is not,
-- and postgres writes through the two functions only. Run as the superuser.
create schema vault;

create table vault.secrets (
    id uuid primary key default gen_random_uuid(),
    name text unique,
    description text not null default '',
    secret text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create function vault.stand_in_cipher(plain text) returns text
language sql
security definer
set search_path = ''
as $$ select encode(extensions.pgp_sym_encrypt(plain, 'root key of the server'), 'base64') $$;

create function vault.stand_in_decipher(cipher text) returns text
language sql
security definer
set search_path = ''
as $$ select extensions.pgp_sym_decrypt(decode(cipher, 'base64'), 'root key of the server') $$;

create view vault.decrypted_secrets as
select
    id,
    name,
    description,
    secret,
    vault.stand_in_decipher(secret) as decrypted_secret,
    created_at,
    updated_at
from vault.secrets;

create function vault.create_secret(new_secret text, new_name text default null, new_description text default '')
returns uuid
language sql
security definer
set search_path = ''
as $$
    insert into vault.secrets (secret, name, description)
    values (vault.stand_in_cipher(new_secret), new_name, new_description)
    returning id
$$;

create function vault.update_secret(
    secret_id uuid, new_secret text default null, new_name text default null, new_description text default null
)
returns void
language sql
security definer
set search_path = ''
as $$
    update vault.secrets
    set
        secret = coalesce(vault.stand_in_cipher(new_secret), secret),
        name = coalesce(new_name, name),
        description = coalesce(new_description, description),
        updated_at = now()
    where id = secret_id
$$;

revoke all on all functions in schema vault from public;
grant usage on schema vault to postgres, service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to postgres, service_role;
grant execute on function
vault.create_secret(text, text, text),
vault.update_secret(uuid, text, text, text),
vault.stand_in_decipher(text)
to postgres, service_role;
