-- or_is_admin.sql: the policy that one finds, which lets staff in by an OR; and ours again.
--
-- Called before each measurement: rows and indexes are the same for both.

create or replace procedure bench.let_staff_in_by_or(wanted boolean)
language plpgsql
as $$
begin
    if wanted then
        alter policy "Users can view own prompt history" on public.prompt_history
        using ((select auth.uid()) = user_id or (select public.is_admin()));
    else
        alter policy "Users can view own prompt history" on public.prompt_history
        using ((select auth.uid()) = user_id);
    end if;
end
$$;
