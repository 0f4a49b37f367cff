-- updates.sql: prompts that wait for their answer, in ours and in the rulebook's table.
--
-- After the rulebook's tables. Settings: bench.prompts, how many there are at most. Run as postgres.

insert into public.prompt_history (
    id, user_id, framework_id, framework_name, model, provider, user_input, status
)
select
    bench.user_id(number) as id,
    bench.user_id(1 + number % current_setting('bench.users')::bigint) as user_id,
    'roses' as framework_id,
    'R.O.S.E.S' as framework_name,
    'gpt-4o' as model,
    'openai' as provider,
    repeat('A question that waits for its answer. ', 20) as user_input,
    'pending' as status
from generate_series(1, least(current_setting('bench.prompts')::bigint, 10000)) as number;

insert into rulebook.prompt_history (
    id, user_id, framework_id, framework_name, model, provider, user_input, status
)
select
    history.id,
    history.user_id,
    history.framework_id,
    history.framework_name,
    history.model,
    history.provider,
    history.user_input,
    history.status
from public.prompt_history as history;

-- Each is completed by a transaction of its own, as a client does it.
create or replace procedure bench.complete(history regclass, first_one bigint, last_one bigint, answer text)
language plpgsql
as $$
begin
    for v_number in first_one .. last_one loop
        execute format(
            'update %s set status = ''completed'', ai_response = $2, tokens_used = 100 where id = $1', history
        ) using bench.user_id(v_number), answer;
        commit;
    end loop;
end
$$;
