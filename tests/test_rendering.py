r"""Templates: placeholders, defaults, escapes; what is declared is checked; what is filled in is never read again.

{{name}} and {{name|default}} are placeholders; \{{ is two plain braces, \\{{ a backslash before a placeholder.
"""

import json
import re
import threading
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.json import Jsonb

from harness import postgrest
from harness.client import Client, join
from harness.databases import Database
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

RENDER = "select public.render_prompt_template(%s, %s)"
RENDER_TEXT = "select private.render_text(%s, null, %s)"
FRAMEWORK = "select public.render_prompt_framework(%s, %s)"


def template(db: Session, person: Person | None, content: str, variables: Any = None, **columns: Any) -> Any:
    row = {"template_content": content, "variables": None if variables is None else Jsonb(variables)} | columns
    return db.add("prompt_templates", user_id=person and person.id, **row)


def render(db: Session, template_id: Any, given: Any = None) -> Any:
    return db.value(RENDER, [template_id, Jsonb({} if given is None else given)])


def rendered(db: Session, person: Person, content: str, given: Any = None, variables: Any = None) -> Any:
    template_id = template(db, person, content, variables)
    return render(db.as_user(person), template_id, given)


# Placeholders ---------------------------------------------------------------------------------------------------------

TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("Hello.", {}, "Hello."),
    ("Write about {{topic}}.", {"topic": "cats"}, "Write about cats."),
    ("{{a}}{{b}}{{a}}", {"a": "1", "b": "2"}, "121"),
    ("{{ topic }}", {"topic": "cats"}, "cats"),
    ("{{topic|dogs}}", {}, "dogs"),
    ("{{topic|dogs}}", {"topic": "cats"}, "cats"),
    ("{{topic|dogs}}", {"topic": None}, "dogs"),
    ("{{topic|dogs}}", {"topic": ""}, ""),
    ("{{topic|}}", {}, ""),
    ("{{topic| two words, \n and a line }}", {}, " two words, \n and a line "),
    ("{{topic|a|b}}", {}, "a|b"),
    ("{{topic|{one} and } and {}}", {}, "{one} and } and {"),
    ("{{a|x}}{{a|y}}", {}, "xy"),
    ("{a} } { }} }", {}, "{a} } { }} }"),
    ("{{topic}}}", {"topic": "x"}, "x}"),
    (r"\{{topic}}", {}, "{{topic}}"),
    (r"\{{topic|x}} {{topic}}", {"topic": "y"}, "{{topic|x}} y"),
    (r"\{{ and \{{", {}, "{{ and {{"),
    (r"C:\\{{folder}}", {"folder": "x"}, r"C:\x"),
    (r"\\\{{folder}}", {}, r"\{{folder}}"),
    (r"\\\\{{folder}}", {"folder": "x"}, r"\\x"),
    (r"a \ b \n {", {}, r"a \ b \n {"),
    ("{{n}}", {"n": 5}, "5"),
    ("{{n}}", {"n": 1.5}, "1.5"),
    ("{{n}}", {"n": True}, "true"),
    ("é{{topic}}日本{{topic}}🙂", {"topic": "Ω"}, "éΩ日本Ω🙂"),
    ("{{topic}}", {"topic": "'; drop table x; --"}, "'; drop table x; --"),
    ("{{topic}}", {"topic": r"\1 \0 \\ & $1 %s"}, r"\1 \0 \\ & $1 %s"),
    ("{{" + "a" * 50 + "}}", {"a" * 50: "x"}, "x"),
    ("{{topic|" + "d" * 50000 + "}}", {}, "d" * 50000),
]


@pytest.mark.one_platform
@pytest.mark.parametrize(("content", "given", "text"), TEXTS)
def test_a_text_with_its_placeholders_filled_in(
    db: Session, alice: Person, content: str, given: dict[str, Any], text: str
) -> None:
    assert rendered(db, alice, content, given) == text


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("content", "position"),
    [
        ("{{", 1),
        ("Hello {{", 7),
        ("{{}}", 1),
        ("{{ }}", 1),
        ("{{Topic}}", 1),
        ("{{1st}}", 1),
        ("{{_a}}", 1),
        ("{{a b}}", 1),
        ("{{a-b}}", 1),
        ("{{a.b}}", 1),
        ("{{naïve}}", 1),
        ("{{topic", 1),
        ("{{topic}", 1),
        ("{{topic|x}", 1),
        ("{{topic|{{other}}}}", 1),
        ("{{{topic}}}", 1),
        ("{{{{", 1),
        ("{{\ttopic}}", 1),
        ("{{" + "a" * 51 + "}}", 1),
        ("é{{a}}日 {{", 9),
        (r"\{{a}} {{", 8),
        (r"\\{{", 3),
        ('{{"role": "user"}}', 1),
    ],
)
def test_what_is_no_placeholder_is_refused_where_it_is(db: Session, alice: Person, content: str, position: int) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        template(db, alice, content)
    said = refusal.value.diag
    assert (said.message_primary or "").startswith(f"character {position} begins no placeholder: ")
    assert r"\{{" in (said.message_hint or "")


# A model in Python of what a template means.
BRACES = re.compile(r"(\\*)\{\{([ ]*([a-z][a-z0-9_]{0,49})[ ]*(?:\|((?:[^{}]|\}(?!\})|\{(?!\{))*))?\}\})?")


def expected(content: str, given: dict[str, str]) -> tuple[str, str]:
    """The problem, or none and the text."""
    problems = set()

    def one(found: re.Match[str]) -> str:
        slashes, rest, name, fallback = found.groups()
        before = "\\" * (len(slashes) // 2)
        if len(slashes) % 2:
            return before + "{{" + (rest or "")
        if rest is None:
            problems.add("begins no placeholder")
        elif given.get(name, fallback) is None:
            problems.add("missing variables")
        return before + str(given.get(name, fallback))

    text = BRACES.sub(one, content)
    return min(problems, default=""), text


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "{{",
        "}}",
        "\\",
        "|",
        " ",
        "a",
        "b",
        "name",
        "{{a}}",
        "{{b|x}}",
        "{{ name }}",
        r"\{{",
        "é",
        "\n",
        "'",
        "$",
    ]
)
CONTENTS = st.lists(PIECES, min_size=1, max_size=15).map("".join)
VALUES = st.dictionaries(st.sampled_from(["a", "b", "name"]), CONTENTS | st.text(max_size=20))


@pytest.mark.one_platform
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS, given=VALUES)
@example(content="{{a}}", given={"a": "{{b}}", "b": "{{a}}"})
@example(content="{{a}}{{b|x}}", given={"a": "{", "b": "{name}}"})
@example(content=r"\{{a}}{{a}}", given={"a": "\\"})
def test_values_are_never_expanded_again(db: Session, content: str, given: dict[str, str]) -> None:
    """Whatever the template and the values hold: the text is that of a model which puts each value in once."""
    names = {found[3] for found in BRACES.finditer(content) if found[3] and len(found[1]) % 2 == 0}
    given = {name: value.replace("\0", "") for name, value in given.items() if name in names}
    problem, text = expected(content, given)
    if not problem:
        assert db.truth(RENDER_TEXT, [content, Jsonb(given)]) == text
        return
    db.as_owner()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(RENDER_TEXT, [content, Jsonb(given)])
    assert problem in str(refusal.value)


@pytest.mark.one_platform
@pytest.mark.parametrize(
    "content",
    [
        "{{a}}" * 20000,
        "é{{a}}" * 16000,
        r"\{{" * 33000,
        "{{a|" * 25000,
        "{" * 100000,
        "\\" * 100000,
        "{{a|" + "x" * 99000,
        "{{a|" + "{}" * 49000 + "}}",
        (" {{" + " " * 10) * 7000,
    ],
    ids=lambda content: content[:8],
)
def test_no_template_takes_long(db: Session, alice: Person, content: str) -> None:
    """A parser that reads the rest again for each placeholder takes half a minute for the first of these."""
    db.as_user(alice).run("set local statement_timeout = '8s'")
    with suppress(errors.InvalidParameterValue), db.undone():
        db.run(
            "insert into public.prompt_templates (user_id, name, framework_id, template_content) "
            "values (%s, 'x', 'roses', %s)",
            [alice.id, content],
        )


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "missing variables: audience, topic"),
        ({"topic": "x"}, "missing variables: audience"),
        ({"topic": "x", "audience": None}, "missing variables: audience"),
        ({"topic": "x", "audience": "y", "tone": "z"}, "unknown variables: tone"),
        ({"Topic": "x", "topic": "x", "audience": "y"}, "unknown variables: Topic"),
        ({"topic": ["x"], "audience": {"y": 1}}, "not a text: audience, topic"),
        ([], "variables are a JSON object"),
        ("topic", "variables are a JSON object"),
        (5, "variables are a JSON object"),
        ([{"topic": "x"}], "variables are a JSON object"),
    ],
    ids=json.dumps,
)
def test_what_is_wrong_with_the_values_is_named(db: Session, alice: Person, given: Any, message: str) -> None:
    template_id = template(db, alice, "{{topic}} for {{audience}} in {{place|Rome}}")
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        render(db, template_id, given)
    assert refusal.value.diag.message_primary == message
    assert refusal.value.diag.message_hint
    assert db.truth("select usage_count from public.prompt_templates where id = %s", [template_id]) == 0


def test_json_null_is_no_object_and_sql_null_is_none(db: Session, alice: Person) -> None:
    template_id = template(db, alice, "Hello.")
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue):
        db.value(RENDER, [template_id, Jsonb(None)])
    assert db.value(RENDER, [template_id, None]) == "Hello."
    assert db.value("select public.render_prompt_template(%s)", [template_id]) == "Hello."


DECLARED = [
    {"name": "topic", "description": "What about.", "required": True, "max_length": 5},
    {"name": "tone", "default": "plain", "max_length": 10},
    {"name": "place", "required": False},
]
CONTENT = "{{topic}}/{{tone}}/{{place}}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"topic": "cats"}, "cats/plain/"),
        ({"topic": "cats!", "tone": "warm", "place": "Rome"}, "cats!/warm/Rome"),
        ({"topic": "ééééé", "tone": ""}, "ééééé//"),
        ({"topic": "cats", "tone": None}, "cats/plain/"),
    ],
)
def test_declared_defaults_and_requirements_hold(db: Session, alice: Person, given: dict[str, Any], text: str) -> None:
    assert rendered(db, alice, CONTENT, given, DECLARED) == text


def test_a_default_in_the_text_goes_before_a_declared_one(db: Session, alice: Person) -> None:
    content = "{{tone|warm}} {{tone}}"
    assert rendered(db, alice, content, {}, [{"name": "tone", "default": "plain"}]) == "warm plain"


def test_an_optional_variable_without_a_default_is_nothing(db: Session, alice: Person) -> None:
    assert rendered(db, alice, "a{{x}}b", {}, [{"name": "x", "required": False}]) == "ab"


def test_a_value_that_is_too_long_is_named(db: Session, alice: Person) -> None:
    template_id = template(db, alice, CONTENT, DECLARED)
    db.as_user(alice)
    with db.refuses(errors.StringDataRightTruncation) as refusal:
        render(db, template_id, {"topic": "cats!!", "tone": "x" * 11})
    assert refusal.value.diag.message_primary == "too long: tone, topic"
    undeclared = template(db, alice, "{{topic}}")
    assert render(db, undeclared, {"topic": "é" * 100000}) == "é" * 100000
    with db.refuses(errors.StringDataRightTruncation):
        render(db, undeclared, {"topic": "x" * 100001})


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("content", "variables", "given"),
    [
        ("{{a}}" * 20000, None, {"a": "x" * 100000}),
        ("{{a}}" * 20000, [{"name": "a", "default": "x" * 60000}], {}),
        ("{{a}}" * 12, None, {"a": "x" * 90000}),
    ],
    ids=["value", "default", "just too much"],
)
def test_a_short_request_cannot_ask_for_a_gigabyte(
    db: Session, alice: Person, content: str, variables: Any, given: dict[str, str]
) -> None:
    template_id = template(db, alice, content, variables)
    db.as_user(alice)
    with db.refuses(errors.ProgramLimitExceeded) as refusal:
        render(db, template_id, given)
    assert "too long" in str(refusal.value)


# Declared at write time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "variables", "detail"),
    [
        ("{{topic}} {{tone}}", [{"name": "topic"}], "Not declared: tone."),
        ("{{topic}}", [{"name": "topic"}, {"name": "tone"}], "Not used: tone."),
        ("{{a}}", [{"name": "b"}], "Not declared: a. Not used: b."),
        ("{{a}}", [], "Not declared: a."),
        (r"\{{a}}", [{"name": "a"}], "Not used: a."),
    ],
)
@pytest.mark.parametrize("shape", ["insert", "update content", "update variables"])
def test_what_is_used_is_declared_and_what_is_declared_is_used(
    db: Session, alice: Person, shape: str, content: str, variables: Any, detail: str
) -> None:
    if shape != "insert":
        template_id = template(db, alice, "Hello.", [])
    db.as_user(alice)
    with db.refuses(errors.CheckViolation, constraint="placeholders_are_declared") as refusal:
        if shape == "insert":
            db.run(
                "insert into public.prompt_templates (user_id, name, framework_id, template_content, variables) "
                "values (%s, 'x', 'roses', %s, %s)",
                [alice.id, content, Jsonb(variables)],
            )
        else:
            db.run(
                "update public.prompt_templates set template_content = %s, variables = %s where id = %s",
                [content, Jsonb(variables), template_id],
            )
    assert refusal.value.diag.message_detail == detail


def test_without_declarations_anything_may_be_used(db: Session, alice: Person) -> None:
    assert rendered(db, alice, "{{a}}{{b}}", {"a": 1, "b": 2}, None) == "12"


def test_a_default_fits_its_own_length(db: Session, alice: Person) -> None:
    with db.refuses(errors.CheckViolation, constraint="placeholders_are_declared") as refusal:
        template(db, alice, "{{a}}", [{"name": "a", "default": "xxxxxx", "max_length": 5}])
    assert "longer than its max_length: a" in str(refusal.value)


@pytest.mark.one_platform
@pytest.mark.parametrize(
    "variables",
    [
        [None],
        [[]],
        [[{"name": "topic"}]],
        ["topic"],
        [{"name": ["topic"]}],
        [{"name": "topic", "max_length": 10.5}],
        [{"name": "topic", "max_length": [5]}],
        [{"name": "topic", "max_length": 100001}],
        [{"name": "topic", "default": {"a": 1}}],
        {"name": "topic"},
        "topic",
        None,
    ],
    ids=json.dumps,
)
def test_declarations_of_another_shape_are_refused(db: Session, alice: Person, variables: Any) -> None:
    db.as_user(alice)
    with db.refuses(errors.CheckViolation, constraint="prompt_templates_variables_are_declared"):
        db.run(
            "insert into public.prompt_templates (user_id, name, framework_id, template_content, variables) "
            "values (%s, 'x', 'roses', '{{topic}}', %s)",
            [alice.id, Jsonb(variables)],
        )


# Whose ----------------------------------------------------------------------------------------------------------------


def test_own_public_and_system_templates_render(db: Session, alice: Person, bob: Person) -> None:
    mine = template(db, alice, "mine")
    shared = template(db, bob, "shared", is_public=True)
    systems = template(db, None, "system", is_public=True)
    db.as_user(alice)
    assert [render(db, it) for it in (mine, shared, systems)] == ["mine", "shared", "system"]


def test_others_private_and_inactive_templates_do_not(db: Session, alice: Person, bob: Person, carol: Person) -> None:
    hidden = (
        template(db, bob, "private"),
        template(db, bob, "switched off", is_public=True, is_active=False),
        template(db, None, "draft", is_public=False),
    )
    for speak, person in ((db.as_user, alice), (db.as_staff, carol)):
        for template_id in (*hidden[:2], *([hidden[2]] if person is alice else []), None):
            speak(person)
            with db.refuses(errors.DatabaseError) as refusal:
                render(db, template_id)
            assert refusal.value.diag.sqlstate == "PT404"
            assert "private" not in str(refusal.value).replace("private.refuse_unknown", "")
    assert render(db.as_staff(carol), hidden[2]) == "draft"


def test_an_own_template_that_is_switched_off_does_not_render(db: Session, alice: Person) -> None:
    template_id = template(db, alice, "off", is_active=False)
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        render(db, template_id)
    assert refusal.value.diag.sqlstate == "PT404"


def test_only_who_is_signed_in_renders(db: Session, alice: Person) -> None:
    template_id = template(db, None, "system", is_public=True)
    for speak in (db.as_visitor, db.as_server):
        speak()
        for call in ((RENDER, [template_id, None]), (FRAMEWORK, ["roses", None])):
            with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
                db.value(*call)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
        db.as_user(alice).value("select private.render_and_count(%s, 'x', null, null)", [template_id])


# Counting -------------------------------------------------------------------------------------------------------------


def test_each_use_counts_once_whoever_uses_it(db: Session, alice: Person, bob: Person) -> None:
    template_id = template(db, bob, "{{a|x}}", is_public=True, updated_at="2020-01-01")
    for person in (alice, bob, alice):
        postgrest.call(
            db.as_user(person), "render_prompt_template", template_id=template_id, variables=Jsonb({"a": "y"})
        )
    counted = "select usage_count, updated_at = '2020-01-01' as unchanged from public.prompt_templates where id = %s"
    assert db.as_user(bob).rows(counted, [template_id]) == [{"usage_count": 3, "unchanged": True}]
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        db.run("update public.prompt_templates set usage_count = 100")


def test_uses_at_the_same_time_are_all_counted(scratch: Database) -> None:
    with scratch.connect() as owner:
        people = [join(owner, f"{number}@example.com") for number in range(8)]
        template_id = owner.execute(
            "update public.prompt_templates set template_content = 'x', variables = null "
            "where id = (select id from public.prompt_templates where user_id is null limit 1) returning id"
        ).fetchone()
    texts: list[Any] = []

    def use(person: Person) -> None:
        with Client.of(scratch, person) as client:
            texts.extend(client.value("select public.render_prompt_template(%s)", template_id) for _ in range(10))

    threads = [threading.Thread(target=use, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["x"] * 80
    with scratch.connect() as owner:
        assert owner.execute("select sum(usage_count) from public.prompt_templates").fetchone() == (80,)


def test_nobody_waits_for_whoever_holds_the_row(scratch: Database) -> None:
    with scratch.connect() as owner:
        person = join(owner, "reader@example.com")
        template_id = owner.execute(
            "update public.prompt_templates set template_content = 'x', variables = null "
            "where id = (select id from public.prompt_templates where user_id is null limit 1) returning id"
        ).fetchone()
    counted = "select usage_count from public.prompt_templates where id = %s"
    with scratch.connect() as holder, holder.transaction():
        holder.execute("select from public.prompt_templates where id = %s for update", template_id)
        with Client.of(scratch, person) as client:
            client.value("select set_config('statement_timeout', '5s', false)")
            for _ in range(2):
                assert client.value("select public.render_prompt_template(%s)", template_id) == "x"
            assert client.value(counted, template_id) == 0
    with Client.of(scratch, person) as client:
        assert client.value("select public.render_prompt_template(%s)", template_id) == "x"
        assert client.value(counted, template_id) == 3, "the next use counts those as well"
    with scratch.connect() as owner:
        assert owner.execute("select count(*) from private.uncounted_uses").fetchone() == (0,)


def test_maintenance_counts_what_was_left(db: Session, bob: Person) -> None:
    template_id = template(db, bob, "x", is_public=True, updated_at="2020-01-01")
    db.as_owner().run(
        "insert into private.uncounted_uses (template_id) values (%s), (%s), (gen_random_uuid())",
        [template_id, template_id],
    )
    step = "select rows, is_complete from private.step_count_uses(%s)"
    assert db.rows(step, ["-infinity"]) == [{"rows": 0, "is_complete": False}]
    assert db.rows(step, ["infinity"]) == [{"rows": 3, "is_complete": True}]
    counted = "select usage_count, updated_at = '2020-01-01' as unchanged from public.prompt_templates where id = %s"
    assert db.rows(counted, [template_id]) == [{"usage_count": 2, "unchanged": True}]
    assert db.rows(step, ["infinity"]) == [{"rows": 0, "is_complete": True}]


def test_templates_that_somebody_holds_do_not_keep_the_maintenance(scratch: Database) -> None:
    with scratch.connect() as holder, scratch.connect(autocommit=True) as owner:
        user_id = uuid4()
        owner.execute("insert into auth.users (id, email) values (%s, 'held@example.com')", [user_id])
        owner.execute(
            "with held as (insert into public.prompt_templates (user_id, name, framework_id, template_content) "
            "select %s, 'held ' || n, 'roses', 'x' from generate_series(1, 100) as n returning id) "
            "insert into private.uncounted_uses (template_id) select id from held",
            [user_id],
        )
        holder.execute("select from public.prompt_templates where name <> 'held 100' for update")
        # Waiting for each as long as such a step may would take twice the time that it is given.
        step = "select rows, is_complete from private.step_count_uses(clock_timestamp() + interval '5 seconds')"
        assert owner.execute(step).fetchone() == (1, True)
        holder.rollback()
        assert owner.execute(step).fetchone() == (99, True)


# Frameworks -----------------------------------------------------------------------------------------------------------


def test_every_frameworks_examples_render_as_they_say(db: Session, alice: Person) -> None:
    frameworks = db.as_user(alice).rows("select name, examples from public.prompt_frameworks")
    assert len(frameworks) == 9
    for framework in frameworks:
        assert framework["examples"]
        for shown in framework["examples"]:
            assert db.value(FRAMEWORK, [framework["name"], Jsonb(shown["values"])]) == shown["prompt"]


def test_a_framework_says_what_is_missing(db: Session, alice: Person) -> None:
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(FRAMEWORK, ["ape", Jsonb({"action": "x"})])
    assert refusal.value.diag.message_primary == "missing variables: expectation, purpose"


@pytest.mark.parametrize("name", ["ROSES", "acme", "", None, "x" * 100000])
def test_an_unknown_framework_is_not_found(db: Session, alice: Person, name: str | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(FRAMEWORK, [name, Jsonb({})])
    assert refusal.value.diag.sqlstate == "PT404"
    assert len(str(refusal.value)) < 400


def test_every_system_template_renders(db: Session, alice: Person) -> None:
    templates = db.as_user(alice).rows("select id, variables from public.prompt_templates where user_id is null")
    assert len(templates) >= 9
    for row in templates:
        given = {variable["name"]: "x" for variable in row["variables"] or []}
        assert "{{" not in render(db, row["id"], given)
