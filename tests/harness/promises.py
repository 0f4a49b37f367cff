"""What every table and function owes, as queries that name what breaks the promise.

Each promise comes with a statement that breaks it, so that the check is seen red before its green is believed.
"""

from typing import NamedTuple


class Promise(NamedTuple):
    """A query that finds nothing while the promise holds, and a way to make it find something."""

    broken_by: str
    query: str


# Relations, functions and schemas of ours, with the roles that requests run as.
OURS = """
    with schemas as (
        select oid, nspname from pg_namespace where nspname in ('public', 'private', 'archive')
    ),
    relations as (
        select class.*, schemas.nspname || '.' || class.relname as name
        from pg_class as class inner join schemas on schemas.oid = class.relnamespace
    ),
    tables as (select * from relations where relkind in ('r', 'p')),
    functions as (
        select proc.*, proc.oid::regprocedure::text as name
        from pg_proc as proc inner join schemas on schemas.oid = proc.pronamespace
    ),
    api_roles as (
        select oid, rolname from pg_roles where rolname in ('anon', 'authenticated', 'app_admin', 'service_role')
        union all
        select 0, 'PUBLIC'
    ),
    policies as (
        select policy.*, tables.name || ': ' || policy.polname as name,
            coalesce(pg_get_expr(policy.polqual, policy.polrelid), '') as using_text,
            coalesce(pg_get_expr(policy.polwithcheck, policy.polrelid), '') as check_text
        from pg_policy as policy inner join tables on tables.oid = policy.polrelid
    )
"""

TABLES = {
    "row level security is on, on partitions too": Promise(
        "alter table private.api_usage_logs_default disable row level security",
        "select name from tables where not relrowsecurity",
    ),
    "it has a policy": Promise(
        "create table public.stray (id uuid primary key)",
        "select name from tables where not exists (select from pg_policy where polrelid = tables.oid)",
    ),
    "it has a primary key": Promise(
        "create table public.stray (id uuid)",
        "select name from tables "
        "where not exists (select from pg_constraint where conrelid = tables.oid and contype = 'p')",
    ),
    "postgres owns it": Promise(
        "grant create on schema public to service_role; alter table public.feedback owner to service_role",
        "select name from relations where relowner <> 'postgres'::regrole",
    ),
    "it has a comment": Promise(
        "comment on table public.feedback is null",
        "select name from relations where relkind in ('r', 'p', 'v', 'm') and obj_description(oid, 'pg_class') is null",
    ),
    "every column has a comment": Promise(
        "comment on column public.feedback.rating is null",
        """
        select relations.name || '.' || attname
        from relations inner join pg_attribute on attrelid = relations.oid and attnum > 0 and not attisdropped
        where relkind in ('r', 'p', 'v', 'm') and not relispartition and col_description(attrelid, attnum) is null
        """,
    ),
    "every rule has a name that states it": Promise(
        "alter table public.feedback add check (rating <> 4)",
        """
        select conrelid::regclass || ': ' || conname
        from pg_constraint inner join tables on tables.oid = conrelid
        where contype in ('c', 'u', 'x') and not relispartition
            and (conname ~ '_(check|key|excl)[0-9]*$' or not starts_with(conname, relname))
        """,
    ),
    "a column with a default is not null": Promise(
        "alter table public.feedback alter status drop not null",
        """
        select tables.name || '.' || attname
        from tables inner join pg_attribute on attrelid = tables.oid and attnum > 0
        where atthasdef and attgenerated = '' and not attnotnull
        """,
    ),
    "no default depends on the session's time zone": Promise(
        "alter table public.feedback alter created_at set default timezone('utc', now())",
        """
        select tables.name || '.' || attname
        from tables inner join pg_attribute on attrelid = tables.oid and atthasdef
        inner join pg_attrdef on adrelid = attrelid and adnum = attnum
        where pg_get_expr(adbin, adrelid) ~* 'timezone|at time zone|localtime|current_date|current_time'
            or pg_get_expr(adbin, adrelid) ~ 'timestamp without'
        """,
    ),
    "every point in time has a time zone": Promise(
        "alter table public.feedback add seen_at timestamp",
        """
        select tables.name || '.' || attname
        from tables inner join pg_attribute on attrelid = tables.oid and attnum > 0
        where atttypid in ('timestamp'::regtype, 'time'::regtype)
        """,
    ),
    "updated_at is kept by a trigger": Promise(
        "alter table public.feedback disable trigger update_feedback_updated_at",
        """
        select tables.name
        from tables inner join pg_attribute on attrelid = tables.oid and attname = 'updated_at'
        -- What is archived keeps the time of its last change.
        where relnamespace <> 'archive'::regnamespace and not exists (
            select from pg_trigger
            where tgrelid = tables.oid and tgname = 'update_' || relname || '_updated_at'
                and tgfoid = 'public.update_updated_at_column'::regproc
                and tgenabled = 'O' and tgtype = 19
                -- On every update, or on that of any column but those that say how often and when a row was used.
                and (tgattr = '' or not exists (
                    select from pg_attribute as other
                    where other.attrelid = tables.oid and other.attnum > 0 and not other.attisdropped
                        and other.attname not in ('usage_count', 'last_used_at')
                        and other.attnum <> all (tgattr::smallint[])
                ))
        )
        """,
    ),
    "what clients may write has a size limit": Promise(
        "alter table public.feedback drop constraint feedback_message_is_short",
        """
        select distinct tables.name || '.' || attname
        from tables inner join pg_attribute on attrelid = tables.oid and attnum > 0
        cross join (values ('anon'), ('authenticated'), ('app_admin')) as client (role)
        where has_column_privilege(client.role, attrelid, attnum, 'insert, update')
            and (atttypid in ('text'::regtype, 'jsonb'::regtype) or (atttypid = 'varchar'::regtype and atttypmod = -1))
            and not exists (
                select from pg_constraint
                where conrelid = attrelid and contype = 'c' and attnum = any (conkey)
                    and pg_get_constraintdef(oid) ~ 'length|octet|private\\.is_'
            )
        """,
    ),
    "deleting an account is never refused by it": Promise(
        "alter table public.feedback drop constraint feedback_admin_user_id_fkey, "
        "add foreign key (admin_user_id) references auth.users (id)",
        """
        select conrelid::regclass || ': ' || conname from pg_constraint inner join tables on tables.oid = conrelid
        where contype = 'f' and confrelid = 'auth.users'::regclass and confdeltype not in ('c', 'n')
        """,
    ),
}

INDEXES = {
    "every foreign key is covered": Promise(
        "drop index public.idx_feedback_category_id",
        """
        select conrelid::regclass || ': ' || conname
        from pg_constraint inner join tables on tables.oid = conrelid
        where contype = 'f' and not exists (
            select from pg_index
            where indrelid = conrelid and indisvalid and indpred is null
                and (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
        )
        """,
    ),
    "none repeats another": Promise(
        "create index feedback_once_more on public.feedback (user_id)",
        """
        select one.indexrelid::regclass || ' is the beginning of ' || other.indexrelid::regclass
        from pg_index as one inner join tables on tables.oid = one.indrelid
        inner join pg_index as other on other.indrelid = one.indrelid and other.indexrelid <> one.indexrelid
        where not one.indisunique and one.indexprs is null and other.indexprs is null
            and coalesce(one.indpred::text, '') = coalesce(other.indpred::text, '')
            and starts_with(other.indkey::text || ' ', one.indkey::text || ' ')
            and starts_with(other.indclass::text || ' ', one.indclass::text || ' ')
        """,
    ),
    "no unique rule repeats another": Promise(
        "create unique index feedback_tags_twice on public.feedback_tags (name)",
        """
        select one.indexrelid::regclass::text
        from pg_index as one inner join tables on tables.oid = one.indrelid
        inner join pg_index as other on other.indrelid = one.indrelid and other.indexrelid < one.indexrelid
        where one.indisunique and other.indisunique and one.indkey::int2[] = other.indkey::int2[]
            and coalesce(one.indpred::text, '') = coalesce(other.indpred::text, '')
        """,
    ),
}

POLICIES = {
    "it names its roles": Promise(
        "create policy stray on public.audit_log for select using (actor_id = (select auth.uid()))",
        "select name from policies where 0 = any (polroles)",
    ),
    "one for each table, command and role": Promise(
        "create policy stray on public.audit_log for select to app_admin, authenticated using (row_id is null)",
        """
        select polrelid::regclass || ' ' || polcmd::text || ' ' || role::regrole
        from policies cross join unnest(polroles) as role
        where polpermissive group by polrelid, polcmd, role having count(*) > 1
        """,
    ),
    "one command each, unless it refuses": Promise(
        "create policy stray on public.audit_log for all to app_admin using (row_id is null)",
        "select name from policies where polpermissive and polcmd = '*'",
    ),
    "UPDATE looks at the row before and after": Promise(
        'drop policy "Users can update own profile" on public.user_profiles; '
        'create policy "Users can update own profile" on public.user_profiles for update to authenticated '
        "using ((select auth.uid()) = user_id)",
        "select name from policies where polcmd = 'w' and (using_text = '' or check_text = '')",
    ),
    "asks who is calling once, not for each row": Promise(
        "create policy stray on public.audit_log for select to authenticated using (actor_id = auth.uid())",
        """
        select name from policies
        where replace(using_text || check_text, '( SELECT auth.uid() AS uid)', '') ~ 'auth\\.|current_setting'
        """,
    ),
    "none opens every row to whoever comes": Promise(
        "create policy stray on public.audit_log for select to app_admin using (true)",
        "select name from policies where polpermissive and 'true' in (using_text, check_text)",
    ),
    "what is for staff asks whether the caller is staff now": Promise(
        'alter policy "Admins can update tags" on public.feedback_tags with check ((select auth.uid()) is not null)',
        """
        select name from policies
        where polroles = array['app_admin'::regrole::oid]
            and (using_text !~ 'is_admin\\(\\)|^$' or check_text !~ 'is_admin\\(\\)|^$')
        """,
    ),
    "what asks whether the caller is staff is for staff alone": Promise(
        'alter policy "Admins can update tags" on public.feedback_tags to app_admin, authenticated',
        """
        select name from policies
        where using_text || check_text ~ 'is_admin\\(\\)' and polroles <> array['app_admin'::regrole::oid]
        """,
    ),
    "none trusts what users write about themselves": Promise(
        "create policy stray on public.audit_log for select to authenticated using "
        "(((select auth.jwt()) -> 'user_metadata' ->> 'admin') = 'true')",
        "select name from policies where using_text || check_text ~ 'user_metadata'",
    ),
}

FUNCTIONS = {
    "it pins search_path to where nobody else creates": Promise(
        "create function public.stray() returns int language sql as 'select 1'",
        # But four, for speed (docs/decisions.md): bodies that were bound when they were made leave no name to look up.
        """
        select name from functions
        where not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)
            and (prosqlbody is null or prosecdef or proname not in (
                'check_rate_limit', 'log_api_usage', 'seal_api_key', 'is_resealing'
            ))
        """,
    ),
    "it has a comment": Promise(
        "comment on function public.is_admin() is null",
        "select name from functions where obj_description(oid, 'pg_proc') is null",
    ),
    "postgres owns it": Promise(
        "grant create on schema public to service_role; alter function public.is_admin() owner to service_role",
        "select name from functions where proowner <> 'postgres'::regrole",
    ),
    "PUBLIC may not execute it": Promise(
        "create function private.stray() returns int language sql return 1",
        """
        select functions.name from functions, aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl
        where acl.grantee = 0
        """,
    ),
    "with its owner's rights only out of reach": Promise(
        "alter function public.is_admin() security definer",
        "select name from functions where prosecdef and pronamespace <> 'private'::regnamespace",
    ),
    "with its owner's rights not for visitors": Promise(
        "grant execute on function private.unpublish_prompt_template(uuid) to anon",
        "select name from functions where prosecdef and has_function_privilege('anon', oid, 'execute')",
    ),
    "with its owner's rights only through a function of the caller's": Promise(
        "grant execute on function private.unpublish_prompt_template(uuid) to service_role",
        """
        select functions.name || ' by ' || rolname
        from functions, aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl, api_roles
        where prosecdef and acl.grantee = api_roles.oid and not exists (
            select from pg_depend inner join functions as wrapper on wrapper.oid = objid
            where refclassid = 'pg_proc'::regclass and refobjid = functions.oid and not wrapper.prosecdef
                and has_function_privilege(rolname, wrapper.oid, 'execute')
        )
        """,
    ),
    "a trigger function is for triggers": Promise(
        "grant execute on function private.tg_limit_staff_update() to service_role",
        """
        select functions.name || ' by ' || rolname
        from functions, aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl, api_roles
        where prorettype = 'trigger'::regtype and acl.grantee = api_roles.oid
        """,
    ),
}

GRANTS = {
    "nobody may TRUNCATE, REFERENCE, add triggers or maintain": Promise(
        "grant truncate on private.api_usage_logs_default to service_role",
        """
        select relations.name || ' ' || privilege_type || ' to ' || rolname
        from relations, aclexplode(relacl) as acl, api_roles
        where acl.grantee = api_roles.oid and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        """,
    ),
    "clients write by column": Promise(
        "grant update on public.feedback to app_admin",
        """
        select relations.name || ' ' || privilege_type || ' to ' || rolname
        from relations, aclexplode(relacl) as acl, api_roles
        where acl.grantee = api_roles.oid and privilege_type in ('INSERT', 'UPDATE') and rolname <> 'service_role'
        """,
    ),
    "clients read whole tables, for select=* needs every column": Promise(
        "grant select (message) on public.feedback to anon",
        """
        select relations.name || '.' || attname || ' to ' || rolname
        from relations inner join pg_attribute on attrelid = relations.oid, aclexplode(attacl) as acl, api_roles
        where acl.grantee = api_roles.oid and privilege_type not in ('INSERT', 'UPDATE')
        """,
    ),
    "nobody may pass one on": Promise(
        "grant select on public.feedback to service_role with grant option",
        """
        select relations.name || ' by ' || rolname from relations, aclexplode(relacl) as acl, api_roles
        where acl.grantee = api_roles.oid and is_grantable
        """,
    ),
    "nothing to PUBLIC": Promise(
        "grant select on public.feedback to public",
        "select relations.name from relations, aclexplode(relacl) as acl where acl.grantee = 0",
    ),
    "nothing outside public": Promise(
        "grant select on private.secrets to service_role",
        """
        select relations.name || ' to ' || rolname from relations, aclexplode(relacl) as acl, api_roles
        where acl.grantee = api_roles.oid and relnamespace <> 'public'::regnamespace
        """,
    ),
    "schemas can be used in public and created in nowhere": Promise(
        "grant usage on schema private to app_admin",
        """
        select schemas.nspname || ' ' || privilege_type || ' to ' || rolname
        from schemas, api_roles, (values ('USAGE'), ('CREATE')) as schema_right (privilege_type)
        where rolname <> 'PUBLIC' and has_schema_privilege(rolname, schemas.oid, privilege_type)
            and (nspname, privilege_type) <> ('public', 'USAGE')
        """,
    ),
    "no view shows more than its reader may see": Promise(
        "create view public.stray as select message from public.feedback",
        """
        select name from relations
        where relkind = 'v' and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)
        """,
    ),
    "app_admin is a user with more rights and no power over roles": Promise(
        "alter role app_admin createrole",
        """
        select 'app_admin' where not exists (
            select from pg_roles
            where rolname = 'app_admin' and rolinherit and pg_has_role('authenticator', oid, 'member')
                and pg_has_role(oid, 'authenticated', 'usage') and not pg_has_role(oid, 'service_role', 'member')
                and not (rolsuper or rolcreaterole or rolcreatedb or rolcanlogin or rolreplication or rolbypassrls)
        )
        """,
    ),
}

PROMISES = {
    f"{kind}: {statement}": promise
    for kind, promises in (
        ("table", TABLES),
        ("index", INDEXES),
        ("policy", POLICIES),
        ("function", FUNCTIONS),
        ("grant", GRANTS),
    )
    for statement, promise in promises.items()
}
