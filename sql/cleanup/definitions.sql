-- Everything that makes the schema what it is, each with a digest of its definition. Run by forge-db when it writes
-- cleanup_old_migrations.sql, and by that file. Left out: partitions by month, which come and go; what belongs to
-- an extension; the bridge.
with
relations as (
    select
        relation.oid,
        relation.relkind,
        relation.relacl,
        relation.relowner,
        relation.relrowsecurity,
        relation.relforcerowsecurity,
        relation.reloptions,
        relation.relpersistence,
        relation.relreplident,
        format('%I.%I', namespace.nspname, relation.relname) as name
    from pg_catalog.pg_class as relation
    inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
    where
        namespace.nspname in ('public', 'private', 'archive')
        and relation.relkind in ('r', 'p', 'v', 'm')
        and not relation.relispartition
),

-- A list of grants, as one text. Not the owner's, and not MAINTAIN, which came with PostgreSQL 17.
granted as (
    select
        acl.table_id,
        string_agg(
            format(
                '%s may %s%s%s', coalesce(grantee.rolname, 'public'), privilege.privilege_type, acl.of_column,
                case when privilege.is_grantable then ' with grant option' end
            ), e'\n'
            order by grantee.rolname, acl.of_column, privilege.privilege_type
        ) as granted_to
    from (
        select
            relations.oid as table_id,
            relations.relacl as acl,
            relations.relowner,
            '' as of_column
        from relations
        union all
        select
            field.attrelid as table_id,
            field.attacl as acl,
            relations.relowner,
            format(' (%s)', field.attname) as of_column
        from pg_catalog.pg_attribute as field
        inner join relations on field.attrelid = relations.oid
        where not field.attisdropped
    ) as acl
    cross join lateral aclexplode(acl.acl) as privilege
    left join pg_catalog.pg_roles as grantee on privilege.grantee = grantee.oid
    where privilege.grantee <> acl.relowner and privilege.privilege_type <> 'MAINTAIN'
    group by acl.table_id
),

pieces as (
    select
        'columns' as kind,
        relations.name,
        string_agg(
            format(
                '%s %s%s%s%s%s%s', field.attname, format_type(field.atttypid, field.atttypmod),
                case
                    when field.attcollation <> kind.typcollation then ' collate ' || field.attcollation::regcollation
                end,
                case when field.attnotnull then ' not null' end,
                case when field.attgenerated = '' then ' default ' else ' generated as ' end
                || pg_get_expr(fallback.adbin, fallback.adrelid),
                case when field.attidentity <> '' then ' identity ' || field.attidentity::text end,
                -- Estimates tell of rows that a policy hides.
                case when field.attstattarget >= 0 then ' statistics ' || field.attstattarget end
            ), e'\n'
            order by field.attname
        ) as definition
    from relations
    inner join pg_catalog.pg_attribute as field
        on relations.oid = field.attrelid and field.attnum > 0 and not field.attisdropped
    inner join pg_catalog.pg_type as kind on field.atttypid = kind.oid
    left join pg_catalog.pg_attrdef as fallback
        on field.attrelid = fallback.adrelid and field.attnum = fallback.adnum
    group by relations.name
    union all
    select
        'constraints' as kind,
        relations.name,
        string_agg(
            format('%s %s', bound.conname, pg_get_constraintdef(bound.oid)), e'\n'
            order by bound.conname
        ) as definition
    from relations
    inner join pg_catalog.pg_constraint as bound on relations.oid = bound.conrelid and bound.contype <> 'n'
    group by relations.name
    union all
    select
        'policies' as kind,
        relations.name,
        format(
            e'row level security %s%s\n%s',
            case when relations.relrowsecurity then 'enabled' else 'disabled' end,
            case when relations.relforcerowsecurity then ', forced' end,
            string_agg(
                format(
                    '%s: %s for %s to %s using %s with check %s', guard.polname,
                    case when guard.polpermissive then 'permissive' else 'restrictive' end,
                    case guard.polcmd
                        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
                        else 'all'
                    end,
                    array(
                        select coalesce(role.rolname, 'public') as rolname
                        from unnest(guard.polroles) as chosen (oid)
                        left join pg_catalog.pg_roles as role on chosen.oid = role.oid
                        order by role.rolname
                    ),
                    coalesce(pg_get_expr(guard.polqual, guard.polrelid), 'nothing'),
                    coalesce(pg_get_expr(guard.polwithcheck, guard.polrelid), 'the same')
                ), e'\n'
                order by guard.polname
            )
        ) as definition
    from relations
    left join pg_catalog.pg_policy as guard on relations.oid = guard.polrelid
    where relations.relkind in ('r', 'p')
    group by relations.name, relations.relrowsecurity, relations.relforcerowsecurity
    union all
    select
        'grants' as kind,
        relations.name,
        coalesce(granted.granted_to, '') as definition
    from relations
    left join granted on relations.oid = granted.table_id
    union all
    select
        'triggers' as kind,
        relations.name,
        string_agg(
            format(
                '%s%s', pg_get_triggerdef(hook.oid),
                case hook.tgenabled
                    when 'D' then ' (disabled)' when 'R' then ' (on replicas)' when 'A' then ' (always)'
                end
            ), e'\n'
            order by hook.tgname
        ) as definition
    from (
        select
            relations.oid,
            relations.name
        from relations
        union all
        select
            'auth.users'::regclass as oid,
            'auth.users' as name
    ) as relations
    inner join pg_catalog.pg_trigger as hook on relations.oid = hook.tgrelid and not hook.tgisinternal
    inner join pg_catalog.pg_proc as worker on hook.tgfoid = worker.oid
    where
        worker.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        -- On our tables a trigger of anybody's counts, but the bridge's.
        or (relations.name <> 'auth.users' and worker.pronamespace is distinct from to_regnamespace('legacy'))
    group by relations.name
    union all
    select
        'index' as kind,
        format('%I.%I', namespace.nspname, relation.relname) as name,
        pg_get_indexdef(held.indexrelid) || case when held.indisvalid then '' else ' (invalid)' end as definition
    from pg_catalog.pg_index as held
    inner join relations on held.indrelid = relations.oid
    inner join pg_catalog.pg_class as relation on held.indexrelid = relation.oid
    inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
    union all
    select
        'view' as kind,
        relations.name,
        format('%s %s', relations.reloptions, pg_get_viewdef(relations.oid)) as definition
    from relations
    where relations.relkind in ('v', 'm')
    union all
    -- What a crash or a subscriber would find in it, and who may change all of it. The owner is whoever installed us.
    select
        'keeping' as kind,
        relations.name,
        format(
            '%s, replica identity %s%s%s',
            case relations.relpersistence when 'u' then 'unlogged' else 'logged' end, relations.relreplident,
            case
                when relations.relowner <> installed.nspowner
                    then ', owned by ' || pg_get_userbyid(relations.relowner)
            end,
            -- A view's are with its text.
            case
                when relations.relkind in ('r', 'p') then ', ' || (
                    select string_agg(parameter, ', ' order by parameter)
                    from unnest(relations.reloptions) as parameter
                )
            end
        ) as definition
    from relations
    inner join pg_catalog.pg_namespace as installed on installed.nspname = 'private'
    union all
    -- The roles of callers: one that bypasses row security, or is in a role that reads everything, undoes every policy.
    select
        'role' as kind,
        caller.rolname::text as name,
        format(
            '%s%s%s%s%sin %s%s', case when caller.rolsuper then 'superuser, ' end,
            case when caller.rolbypassrls then 'bypasses row security, ' end,
            case when caller.rolcreaterole then 'makes roles, ' end,
            case when caller.rolcreatedb then 'makes databases, ' end,
            case when caller.rolreplication then 'replicates, ' end,
            array(
                select pg_get_userbyid(membership.roleid) as rolname
                from pg_catalog.pg_auth_members as membership
                where membership.member = caller.oid
                order by rolname
            ),
            -- How long a statement may take is the operator's business.
            (
                select string_agg(', set ' || item.setting, '' order by item.setting)
                from pg_catalog.pg_db_role_setting as given
                cross join lateral unnest(given.setconfig) as item (setting)
                where given.setrole = caller.oid and item.setting not like '%timeout=%'
            )
        ) as definition
    from pg_catalog.pg_roles as caller
    where caller.rolname in ('anon', 'authenticated', 'app_admin')
    union all
    -- What happens besides, or instead.
    select
        'rule' as kind,
        format('%s: %s', relations.name, rewritten.rulename) as name,
        pg_get_ruledef(rewritten.oid) as definition
    from pg_catalog.pg_rewrite as rewritten
    inner join relations on rewritten.ev_class = relations.oid and rewritten.rulename <> '_RETURN'
    union all
    select
        'event trigger' as kind,
        hook.evtname::text as name,
        format('%s %s %s', hook.evtevent, hook.evtenabled, hook.evtfoid::regproc) as definition
    from pg_catalog.pg_event_trigger as hook
    inner join pg_catalog.pg_proc as worker on hook.evtfoid = worker.oid
    inner join pg_catalog.pg_namespace as installed on installed.nspname = 'private'
    -- The platform has some.
    where
        hook.evtowner = installed.nspowner
        or worker.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
    union all
    -- What leaves the database, what is told of it by estimates, and what whoever comes may do with what comes.
    select
        'publication' as kind,
        format('%I of %I.%I', published.pubname, published.schemaname, published.tablename) as name,
        'publishes' as definition
    from pg_catalog.pg_publication_tables as published
    where published.schemaname in ('public', 'private', 'archive')
    union all
    select
        'statistics' as kind,
        format('%s: %s', relations.name, known.stxname) as name,
        pg_get_statisticsobjdef(known.oid) as definition
    from pg_catalog.pg_statistic_ext as known
    inner join relations on known.stxrelid = relations.oid
    union all
    select
        'default privileges' as kind,
        format('%s: %s', namespace.nspname, fallback.defaclobjtype) as name,
        string_agg(fallback.defaclacl::text, e'\n' order by fallback.defaclacl::text) as definition
    from pg_catalog.pg_default_acl as fallback
    inner join pg_catalog.pg_namespace as namespace on fallback.defaclnamespace = namespace.oid
    -- Those of public are the platform's.
    where namespace.nspname in ('private', 'archive')
    group by namespace.nspname, fallback.defaclobjtype
    union all
    select
        'function' as kind,
        format('%s.%I(%s)', worker.pronamespace::regnamespace, worker.proname, oidvectortypes(worker.proargtypes))
            as name,
        format(
            e'returns %s, language %s, %s%s%s%s%s%s\n%s\n%s', pg_get_function_result(worker.oid), language.lanname,
            case worker.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
            case when worker.prosecdef then ', security definer' end,
            case when worker.proisstrict then ', strict' end,
            case when worker.proleakproof then ', leakproof' end,
            case
                when worker.proowner <> installed.nspowner then ', owned by ' || pg_get_userbyid(worker.proowner)
            end,
            ', set ' || array_to_string(worker.proconfig, ', '),
            coalesce(pg_get_function_sqlbody(worker.oid), worker.prosrc),
            (
                select
                    string_agg(
                        format(
                            '%s may %s%s', coalesce(grantee.rolname, 'public'), privilege.privilege_type,
                            case when privilege.is_grantable then ' with grant option' end
                        ), e'\n'
                        order by grantee.rolname
                    )
                from aclexplode(coalesce(worker.proacl, acldefault('f', worker.proowner))) as privilege
                left join pg_catalog.pg_roles as grantee on privilege.grantee = grantee.oid
                where privilege.grantee <> worker.proowner
            )
        ) as definition
    from pg_catalog.pg_proc as worker
    inner join pg_catalog.pg_language as language on worker.prolang = language.oid
    inner join pg_catalog.pg_namespace as installed on installed.nspname = 'private'
    where
        worker.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
        and not exists (
            select from pg_catalog.pg_depend as member
            where member.objid = worker.oid and member.deptype = 'e'
        )
    union all
    select
        'schema' as kind,
        namespace.nspname::text as name,
        (
            select
                string_agg(
                    format('%s may %s', coalesce(grantee.rolname, 'public'), privilege.privilege_type), e'\n'
                    order by grantee.rolname, privilege.privilege_type
                )
            from aclexplode(namespace.nspacl) as privilege
            left join pg_catalog.pg_roles as grantee on privilege.grantee = grantee.oid
            where privilege.grantee <> namespace.nspowner and grantee.rolname is distinct from 'postgres'
        ) as definition
    from pg_catalog.pg_namespace as namespace
    where namespace.nspname in ('public', 'private', 'archive')
    union all
    select
        'seed' as kind,
        seed.name,
        'is there' as definition
    from (
        select 'provider ' || known.name as name from public.api_providers as known
        union all
        select 'framework ' || known.name as name from public.prompt_frameworks as known
        union all
        select 'category ' || known.name as name from public.feedback_categories as known
        union all
        select 'setting ' || known.key as name from public.system_config as known
    ) as seed
)

-- PostgreSQL 15 names a table before each column where 16 does not: without such names both say the same. Those of
-- schemas stay. And a list of varchar is shown in another way once it has been dumped and restored.
select
    pieces.kind,
    pieces.name,
    left(md5(translate(replace(
        replace(
            regexp_replace(
                coalesce(pieces.definition, ''),
                '\m(?!(public|private|archive|auth|extensions|pg_catalog)\M)[a-z_0-9]+\.(?=[a-z_"*])', '', 'g'
            ), '::text[]', ''
        ), 'character varying)::text', 'character varying)'
    ), e'() \n\t', '')), 16) as digest,
    pieces.definition
from pieces
order by pieces.kind, pieces.name;
