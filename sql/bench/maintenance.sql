-- maintenance.sql: what people do in a day, for daily_maintenance() to work through; and as if they had not done it.

create or replace procedure bench.work_for_a_day(calls bigint, users bigint)
language sql
as $$
    insert into public.api_usage_logs (user_id, provider, endpoint, response_time_ms, status_code)
    select
        bench.owner_of(number, users),
        (array['openai', 'gemini', 'anthropic'])[1 + number % 3],
        '/v1/chat/completions',
        number % 2000,
        case when number % 50 = 0 then 500 else 200 end
    from generate_series(1, calls) as number;

    insert into public.prompt_history (
        user_id, framework_id, framework_name, model, provider, user_input, ai_response, status
    )
    select
        bench.owner_of(series.number, users), 'roses', 'R.O.S.E.S', 'gpt-4o', 'openai',
        phrase.user_input, phrase.ai_response, 'completed'
    from generate_series(1, calls / 4) as series (number)
    inner join bench.texts as phrase on phrase.number = series.number % (select count(*) from bench.texts);
$$;

create or replace procedure bench.forget_the_day()
language sql
as $$
    delete from public.api_usage_logs;
    delete from public.prompt_history;
$$;
