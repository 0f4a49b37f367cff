"""supabase/types is up to date; wrong code does not compile against it; real rows and real answers fit."""

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, TypeAdapter, ValidationError

import forge_types
from forge_db import access, cli, client_types, shapes
from forge_db.access import world
from forge_db.access.stage import Stage
from forge_db.client_types import TARGET
from forge_db.errors import ForgeError
from forge_db.shapes import Shapes
from harness import keys, people
from harness.databases import Database, Platform
from harness.node import compiled
from harness.session import Session
from harness.world import roll_up

DECLARED = re.compile(r"^ {6}(\w+):", re.MULTILINE)


def committed() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in TARGET.iterdir() if path.is_file()}


def stale(written: dict[str, str]) -> list[str]:
    return sorted(name for name, text in written.items() if committed().get(name) != text)


# What is written ------------------------------------------------------------------------------------------------------


@pytest.mark.one_platform
def test_layer_on_top_is_up_to_date(connection: psycopg.Connection) -> None:
    written = client_types.narrow(connection, access.load())
    assert not stale(written), "run `make types` and commit the result"
    assert set(committed()) == {*written, *client_types.GENERATED}


@pytest.mark.supabase_cli
@pytest.mark.one_platform
def test_what_the_cli_generates_is_up_to_date(scratch: Database) -> None:
    try:
        assert not stale(client_types.generate(f"{scratch.url()}?sslmode=disable")), "run `make types` and commit"
    except ForgeError as error:
        pytest.fail(f"{error.message}. {error.hint}", pytrace=False)


def test_types_name_what_an_api_role_reaches_and_no_more() -> None:
    text = committed()["database.types.ts"]
    tables, _, rest = text.partition("Views: {")
    functions = DECLARED.findall(rest.partition("Functions: {")[2].partition("Enums: {")[0])
    terms = access.load()
    assert DECLARED.findall(tables.partition("Tables: {")[2]) == sorted(
        name.removeprefix("public.") for name, table in terms.tables.items() if table.cells
    )
    assert set(functions) == {
        it.name.partition("(")[0].removeprefix("public.")
        for it in terms.functions
        if it.name.startswith("public.") and it.roles
    }


def test_without_node_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client_types, "NODE", tmp_path)
    monkeypatch.delenv("SUPABASE_CLI", raising=False)
    with pytest.raises(ForgeError, match="supabase is not installed") as refused:
        client_types.generate("postgresql://nobody@localhost/nothing")
    assert "make types" in str(refused.value.hint)


@pytest.mark.one_platform
def test_command_writes_what_is_stale_and_nothing_else(
    connection: psycopg.Connection, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_types, "ROOT", tmp_path)
    monkeypatch.setattr(client_types, "TARGET", tmp_path / "types")
    monkeypatch.setattr(client_types, "generate", lambda _: {"old.ts": "new", "same.ts": ""})
    monkeypatch.setattr(client_types, "narrow", lambda *_: {"missing.ts": "new"})
    (tmp_path / "types").mkdir()
    for name in ("old.ts", "same.ts"):
        (tmp_path / "types" / name).write_text("")
    url = f"--database-url={platform.database(connection.info.dbname).url()}"
    run = partial(CliRunner().invoke, cli.main, catch_exceptions=False)
    refused = run(["types", url, "--check"])
    assert (refused.exit_code, (tmp_path / "types" / "old.ts").read_text()) == (1, "")
    assert "stale: missing.ts, old.ts" in refused.output
    assert run(["types", url]).output == "wrote supabase/types/missing.ts\nwrote supabase/types/old.ts\n"
    assert run(["types", url, "--check"]).output == "types is up to date\n"


# What does not compile ------------------------------------------------------------------------------------------------

HEAD = """
import { createClient } from "@supabase/supabase-js";
import type { Database, Result, Tables, TablesInsert, UserDatabase } from "./supabase/types/forge.types";
const user = createClient<UserDatabase>("https://example.supabase.co", "key");
const server = createClient<Database>("https://example.supabase.co", "key");
const owner = "3f0c9b1e-5b1c-4a52-9d2e-1f0e6a1b2c3d";
export async function run() {
"""
PROMPT = "user_id: owner, framework_id: 'roses', framework_name: 'R', model: 'm', provider: 'openai', user_input: 'x'"
RIGHT = {
    "insert": f"await user.from('prompt_history').insert({{ {PROMPT}, status: 'pending' }});",
    "update": "await user.from('prompt_history').update({ status: 'failed' }).eq('id', owner);",
    "filter": "await user.from('feedback').select('id, status').eq('status', 'open');",
    "union": "const status: Tables<'feedback'>['status'] = 'in_progress'; return status;",
    "shape": "const { data } = await user.from('prompt_templates').select('variables').single();"
    " return data?.variables?.[0]?.max_length?.toFixed();",
    "models": "const { data } = await user.from('api_providers').select('supported_models').single();"
    " return data?.supported_models?.map((it) => it.prices[0]?.input_usd_per_million.toFixed(2));",
    "analytics": "const { data } = await server.rpc('get_api_analytics', { days: 7 });"
    " return data?.by_day.map((it) => (it.providers['openai']?.p95_ms ?? 0) + (it.error_rate ?? 0));",
    "prompt analytics": "const { data } = await server.rpc('get_prompt_analytics', { days: 7 });"
    " return data?.by_framework['roses']?.cost_usd.toFixed();",
    "feedback analytics": "const it: Result<'get_feedback_analytics'>['by_day'] = {};"
    " return it['2026-01-01']?.average_rating?.toFixed();",
    "row of a function": "const { data } = await user.rpc('check_rate_limit', { provider: 'openai' });"
    " return data?.allowed ? data.remaining_day?.toFixed() : data?.retry_after_seconds?.toFixed();",
    "rows of a function": "const { data } = await user.rpc('search_prompt_history', { query: 'x' });"
    " return data?.map((it) => it.status === 'completed' && it.ai_response_highlight?.length);",
    "checks": "const { data } = await server.rpc('health_check');"
    " return data?.checks.filter((it) => it.status === 'critical').map((it) => it.hint?.length);",
    "row of figures": "const { data } = await server.rpc('get_connection_stats');"
    " return data?.map((it) => it.role_name.length + it.percent_of_limit);",
    "shape without null": "const { data } = await user.from('prompt_frameworks').select('components').single();"
    " return data?.components.map((it) => it.label.length);",
    "object": "await user.from('feedback').insert({ message: 'x', browser_info: { name: 'x', tabs: [1] } });",
    "address": "const { data } = await user.from('user_sessions').select('ip_address').single();"
    " return data?.ip_address?.length;",
    "staff": "await server.rpc('respond_to_feedback', { feedback_id: owner, response: 'x', new_status: 'closed' });",
    "server's column": "await server.from('prompt_templates').update({ usage_count: 0 }).eq('id', owner);",
    "null where the table has it": "const it: Tables<'feedback'> | null = null; return it as unknown;",
}
WRONG = {
    "column of an insert": f"await user.from('prompt_history').insert({{ {PROMPT}, modle: 'x' }});",
    "column of an update": "await user.from('user_preferences').update({ colour: 'x' }).eq('user_id', owner);",
    "column of a select": "const { data } = await user.from('feedback').select('id, state').single(); return data!.id;",
    "column of a filter": "await user.from('feedback').select('id').eq('stat', 'open');",
    "table": "await user.from('prompts').select('id');",
    "function": "await user.rpc('check_rate_limits', { provider: 'openai' });",
    "argument": "await user.rpc('check_rate_limit', { name: 'openai' });",
    "missing argument": "await user.rpc('save_api_key', { provider: 'openai' });",
    "status outside the list": f"await user.from('prompt_history').insert({{ {PROMPT}, status: 'done' }});",
    "status in an update": "await user.from('prompt_history').update({ status: 'done' }).eq('id', owner);",
    "status in a filter": "await user.from('feedback').select('id').eq('status', 'new');",
    "status in a list": "await user.from('feedback').select('id').in('status', ['open', 'new']);",
    "severity of the server": "await server.rpc('log_security_event', { event_type: 'x', severity: 'high' });",
    "text for an object": "await user.from('feedback').insert({ message: 'x', browser_info: 'Chrome' });",
    "key of a template's variable": "await user.from('prompt_templates').update({ variables: [{ nam: 'x' }] });",
    "column of an embedded table": "const { data } = await user.from('feedback').select('feedback_categories(nam)')"
    ".single(); return data!.feedback_categories!.nam;",
    "forgotten null of an embedded row": "const { data } = await user.from('feedback')"
    ".select('feedback_categories(name)').single(); return data!.feedback_categories.name;",
    "forgotten null of an address": "const { data } = await user.from('user_sessions').select('ip_address').single();"
    " return data!.ip_address.length;",
    "forgotten null of a figure": "const { data } = await server.rpc('get_connection_stats');"
    " return data?.map((it) => it.longest_transaction_seconds.toFixed());",
    "status of staff": "await server.rpc('respond_to_feedback', "
    "{ feedback_id: owner, response: 'x', new_status: 'done' });",
    "missing required field": "await user.from('prompt_history').insert({ user_id: owner, model: 'm' });",
    "one required field": "const { data } = await user.from('prompt_history')"
    f".insert({{ {PROMPT.rpartition(', ')[0]} }}).select('id').single(); return data;",
    "required field of a type": "const it: TablesInsert<'feedback'> = { rating: 5 }; return it;",
    "null where the table has none": "const it: Tables<'feedback'>['message'] = null; return it;",
    "forgotten null": "const { data } = await user.from('feedback').select('rating').single();"
    " return data!.rating.toFixed();",
    "column that users may not write": "await user.from('prompt_templates').update({ usage_count: 0 });",
    "column that users may not insert": "await user.from('feedback').insert({ message: 'x', status: 'closed' });",
    "table without writing": "await user.from('user_sessions').insert({ user_id: owner });",
    "function of the server": "await user.rpc('decrypt_api_key', { user_id: owner, provider: 'openai' });",
    "table of staff only": "await user.from('audit_log').select('id');",
    "key of analytics": "const it: Result<'get_api_analytics'>['p90_ms'] = 1; return it;",
    "figure that may be missing": "return (it: Result<'get_prompt_analytics'>) => it.cost_usd.toFixed();",
    "shape of feedback's figures": "const it: Result<'get_feedback_analytics'>['by_day'] = []; return it.length;",
    "key of a shape": "const it: Result<'health_check'>['checks'][0]['state'] = 'ok'; return it;",
}

# What the compiler says of each, so that none is refused for a slip of the pen.
SAID = {
    "column of an insert": "Type 'string' is not assignable to type 'never'",
    "column of an update": "'colour' does not exist",
    "column of a select": "column 'state' does not exist on 'feedback'",
    "column of a filter": "'\"stat\"' is not assignable",
    "table": "'\"prompts\"' is not assignable",
    "function": "'\"check_rate_limits\"' is not assignable",
    "argument": "'name' does not exist",
    "missing argument": "Property 'api_key' is missing",
    "status outside the list": "'\"done\"' is not assignable to type 'PromptHistoryStatus",
    "status in an update": "'\"done\"' is not assignable to type 'PromptHistoryStatus",
    "status in a filter": "'\"new\"' is not assignable to parameter of type 'NonNullable<FeedbackStatus>'",
    "status in a list": "'\"new\"' is not assignable to type 'FeedbackStatus'",
    "severity of the server": "'\"high\"' is not assignable to type 'SecurityEventsSeverity",
    "text for an object": "'string' is not assignable to type 'Record<string, Json>'",
    "key of a template's variable": "'nam' does not exist in type 'TemplateVariable'",
    "column of an embedded table": "column 'nam' does not exist on 'feedback_categories'",
    "forgotten null of an embedded row": "Object is possibly 'null'",
    "forgotten null of an address": "Object is possibly 'null'",
    "forgotten null of a figure": "'it.longest_transaction_seconds' is possibly 'null'",
    "status of staff": "'\"done\"' is not assignable to type 'FeedbackStatus",
    "missing required field": "is missing the following properties",
    "one required field": "Property 'user_input' is missing",
    "required field of a type": "Property 'message' is missing",
    "null where the table has none": "'null' is not assignable to type 'string'",
    "forgotten null": "Object is possibly 'null'",
    "column that users may not write": "'usage_count' does not exist",
    "column that users may not insert": "Type 'string' is not assignable to type 'never'",
    "table without writing": "Type 'string' is not assignable to type 'never'",
    "function of the server": "'\"decrypt_api_key\"' is not assignable",
    "table of staff only": "'\"audit_log\"' is not assignable",
    "key of analytics": "'p90_ms' does not exist",
    "figure that may be missing": "'it.cost_usd' is possibly 'undefined'",
    "shape of feedback's figures": "'never[]' is not assignable to type 'Record<string, FeedbackFigures>'",
    "key of a shape": "'state' does not exist on type 'Check'",
}


@pytest.mark.supabase_cli
def test_right_code_compiles_and_wrong_code_does_not(tmp_path: Path) -> None:
    """All in one run of the compiler: a file each."""
    files = {f"right-{number}.ts": f"{HEAD}{line}\n}}" for number, line in enumerate(RIGHT.values())}
    files |= {f"wrong-{number}.ts": f"{HEAD}{line}\n}}" for number, line in enumerate(WRONG.values())}
    said = compiled(tmp_path, files)
    refused: dict[str, list[str]] = {}
    # What is indented belongs to the error above it.
    for name, error in re.findall(r"^(\w+-\d+)\.ts\(.*?\): (.*\n(?:  .*\n)*)", f"{said}\n", re.MULTILINE):
        refused.setdefault(name, []).append(error)
    assert [it for number, it in enumerate(RIGHT) if f"right-{number}" in refused] == [], said
    for number, it in enumerate(WRONG):
        (error,) = refused[f"wrong-{number}"]
        assert SAID[it] in error, it


# What fits ------------------------------------------------------------------------------------------------------------


def title(table: str) -> str:
    return "".join(word.capitalize() for word in table.split("_"))


@pytest.mark.one_platform
def test_every_row_fits_its_model(connection: psycopg.Connection) -> None:
    """Rows of every kind, as psycopg and as PostgREST give them."""
    with Stage.on(connection, access.load()) as stage:
        world.populate(stage)
        for name in stage.contract.tables:
            model: type[BaseModel] = getattr(forge_types, f"{title(name.removeprefix('public.'))}Row")
            rows = stage.session.query(f"select * from {name}", {})
            assert rows, f"{name} has no row to try"
            for row in [
                *rows,
                *(it["row"] for it in stage.session.query(f"select to_jsonb(t) as row from {name} t", {})),
            ]:
                model.model_validate(row, extra="forbid")


def test_a_status_outside_the_list_does_not_fit() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(forge_types.FeedbackStatus)
    assert adapter.validate_python("open") == "open"
    with pytest.raises(ValidationError):
        adapter.validate_python("done")


def fits(shape: str, value: Any) -> None:
    """Hold a value against a type of shapes.toml, by which a key more is wrong as well."""
    known = {**Shapes.load().shapes, **dict.fromkeys(vars(forge_types), ())}
    adapter: TypeAdapter[Any] = TypeAdapter(eval(shapes.python(shape, known), {**vars(forge_types)}))
    adapter.validate_python(value, strict=True, extra="forbid")


@pytest.mark.one_platform
def test_columns_of_jsonb_have_their_shapes(db: Session) -> None:
    """What the seeds hold, and what users and triggers add."""
    ada = people.sign_up(db, "ada@example.com")
    variables = [{"name": "a"}, {"name": "b", "description": "B", "required": True, "default": "x", "max_length": 5}]
    db.add("prompt_templates", user_id=ada.id, template_content="{{a}} {{b}}", variables=json.dumps(variables))
    db.add("feedback", browser_info=json.dumps({"name": "x", "plugins": []}), device_info=json.dumps({"memory_gb": 8}))
    db.as_owner().run("update public.user_profiles set preferences = %s", [json.dumps({"compact": True})])
    db.add("security_events", details=json.dumps({"role": "anon", "count": 3}))
    db.as_owner().run("update public.api_providers set validation_rules = %s", [json.dumps({"prefix": "sk-"})])
    db.as_owner().run("select private.roll_up_feedback(array[(now() at time zone 'utc')::date])")
    tried = set()
    for place, shape in Shapes.load().columns.items():
        table, _, column = place.partition(".")
        for value in db.as_owner().column(f"select {column} from public.{table} where {column} is not null"):
            fits(shape, value)
            tried.add(place)
    assert tried == set(Shapes.load().columns)


CALLS = {
    "check_rate_limit": "'openai'",
    "search_prompt_history": "'probe'",
    "respond_to_feedback": None,  # a row of a table, tried as such
    "generate_daily_feedback_analytics": None,
    "get_slow_queries": None,  # tried below
    "log_security_event": "'sign_in_failed', 'warning'",
}
ANALYTICS = ("get_api_analytics", "get_prompt_analytics", "get_feedback_analytics")
ROWS = (
    "search_prompt_history", "detect_suspicious_activity", "get_connection_stats", "get_database_stats",
    "get_index_advice", "get_index_usage", "get_storage_growth", "rotate_api_keys",
)  # fmt: skip
# What the readers of the database find something in.
NOTICED = """
    insert into public.security_events (event_type, severity, details)
    select 'statement_refused', 'warning', jsonb_build_object('role', 'anon', 'object', n)
    from generate_series(1, 20) as n;
    create table public.stray (id integer primary key, stray_id integer references public.stray);
    insert into private.size_snapshots (relation_name, taken_on, heap_bytes, index_bytes, total_bytes)
    values ('public.feedback', current_date - 1, 1, 1, 2)
"""
SCHEDULER = """
    create schema if not exists cron;
    create table cron.job (jobid bigint, jobname text);
    create function cron.schedule(text, text, text) returns bigint language sql return 1;
    create function cron.unschedule(bigint) returns boolean language sql return true
"""


@pytest.mark.one_platform
def test_answers_of_functions_have_their_shapes(db: Session) -> None:
    ada, staff = people.sign_up(db, "ada@example.com"), people.sign_up(db, "staff@example.com", role="app_admin")
    db.add("api_configurations", user_id=ada.id)
    db.add("prompt_history", user_id=ada.id, user_input="probe", ai_response="probe", tokens_used=5, cost_usd="0.1")
    db.add("prompt_history", user_id=ada.id, user_input="probe")
    db.as_user(ada).run("select public.log_api_usage('openai', '/v1', 1, 1, 250, 200, null, gen_random_uuid())")
    db.as_owner().run(SCHEDULER)
    db.as_owner().run(NOTICED)
    keys.configure(db)
    speakers = {"authenticated": partial(db.as_user, ada), "app_admin": partial(db.as_staff, staff)}
    callers = {it.name.partition("(")[0]: it.roles for it in access.load().functions}
    for name, shape in Shapes.load().results.items():
        arguments = CALLS.get(name, "")
        if arguments is None:
            continue
        speak = next((speakers[it] for it in callers[f"public.{name}"] if it in speakers), db.as_server)()
        found = [
            row["item"] for row in speak.rows(f"select to_jsonb(it) as item from public.{name}({arguments}) as it")
        ]
        assert found, name
        fits(shape, found if name in ROWS else found[0])


@pytest.mark.one_platform
def test_slow_queries_have_their_shape(db: Session) -> None:
    if not db.as_owner().value("select exists (select from pg_extension where extname = 'pg_stat_statements')"):
        pytest.skip("pg_stat_statements is not installed on this server")
    db.as_owner().run("update public.system_config set value = '1' where key = 'slow_query_ms'")
    found: list[Any] = []
    for _ in range(100):  # what others run on this server may push it out of the list meanwhile
        db.as_owner().run("select pg_sleep(0.02)")
        found = db.as_server().column("select to_jsonb(it) from public.get_slow_queries() as it")
        if found:
            break
    fits(Shapes.load().results["get_slow_queries"], found)
    assert found


@pytest.mark.one_platform
@pytest.mark.parametrize("function", ANALYTICS)
@pytest.mark.parametrize("has_rows", [False, True], ids=["empty", "full"])
def test_analytics_have_their_shape_with_and_without_figures(db: Session, function: str, has_rows: bool) -> None:
    staff = people.sign_up(db, "staff@example.com", role="app_admin")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for number in range(6 if has_rows else 0):  # of fewer users than five nothing is told
        person = people.sign_up(db, f"{number}@example.com")
        db.add("api_usage_logs", user_id=person.id, created_at=yesterday, response_time_ms=10 if number else None)
        db.add("prompt_history", user_id=person.id, created_at=yesterday, status="completed", tokens_used=5)
        db.add("feedback", user_id=person.id, rating=5 if number else None)
        db.as_owner().run(
            "insert into public.feedback_tag_assignments (feedback_id, tag_id) select feedback.id, tag.id "
            "from public.feedback, (select id from public.feedback_tags order by id limit 1) as tag "
            "where feedback.user_id = %s", [person.id]
        )  # fmt: skip
    roll_up(db)
    answer = db.as_staff(staff).value(f"select public.{function}(7)")
    fits(Shapes.load().results[function], answer)
    assert all(bool(answer[key]) is has_rows for key in answer if key.startswith("by_") and key != "by_day"), answer


@pytest.mark.one_platform
def test_every_answer_of_rows_or_jsonb_has_a_shape(db: Session) -> None:
    """PostgreSQL does not say what may be null in it, and the CLI takes it for what may not."""
    answers = db.as_owner().column(
        """
        select proname::text from pg_proc inner join pg_type on prorettype = pg_type.oid
        where pronamespace = 'public'::regnamespace and (proretset or typtype = 'c' or typname in ('json', 'jsonb'))
        """
    )
    assert set(answers) <= set(Shapes.load().results)


NULLABLE = """
import type { Database } from "./supabase/types/forge.types";
type Rows = Database["public"]["Tables"];
type Nullable = {
  [Name in keyof Rows]: { [Column in keyof Rows[Name]["Row"]]: null extends Rows[Name]["Row"][Column] ? true : false };
};
export const nullable: Nullable = %s;
"""


@pytest.mark.supabase_cli
@pytest.mark.one_platform
def test_a_column_is_nullable_only_if_its_table_says_so(connection: psycopg.Connection, tmp_path: Path) -> None:
    """Each column of each table, in TypeScript and in Python."""
    tables: dict[str, dict[str, bool]] = {}
    with Stage.on(connection, access.load()) as stage:
        for name in stage.contract.tables:
            columns = stage.catalogue.relations[name].columns.values()
            tables[name.removeprefix("public.")] = {it.name: not it.is_not_null for it in columns}
    for name, nullable in tables.items():
        model: type[BaseModel] = getattr(forge_types, f"{title(name)}Row")
        for column, field in model.model_fields.items():
            assert field.annotation is Any or (type(None) in get_args(field.annotation)) is nullable[column], column
    assert compiled(tmp_path, {"nullable.ts": NULLABLE % json.dumps(tables)}) == ""


@pytest.mark.one_platform
def test_results_name_functions_and_the_columns_that_they_declare(db: Session) -> None:
    known = Shapes.load()
    declared = {
        row["proname"]: row["columns"]
        for row in db.as_owner().rows(
            """
            select
                proname::text,
                array(
                    select item.name from unnest(proargnames, proargmodes) as item (name, mode)
                    where item.mode in ('o', 't')
                ) as columns
            from pg_proc where pronamespace = 'public'::regnamespace
            """
        )
    }
    for name, shape in known.results.items():
        if columns := declared[name]:
            assert list(known.shapes[shape.removesuffix("[]")]) == columns
