-- trigger_again.sql: the other script run by hand, which puts the trigger back. After it: shape C. There are rows, and
-- new ones are refused.
create trigger cleanup_prompt_history_trigger
after insert on public.prompt_history
for each row execute function public.trigger_cleanup_old_prompt_history();
