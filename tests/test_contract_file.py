"""The contract's file: what is wrong with it is said with the line, the name, and the nearest name there is."""

import re

import psycopg
import pytest

from forge_db.access import contract, prober, rules
from forge_db.access.contract import PATH, Contract, parse
from forge_db.access.rules import Kind
from forge_db.access.source import Source
from forge_db.errors import ForgeError

TEXT = PATH.read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    """The contract with its one `old` replaced."""
    assert TEXT.count(old) == 1, f"{old!r} stands there {TEXT.count(old)} times"
    return TEXT.replace(old, new)


def line_of(text: str, word: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if word in line)


OWNED = """[tables.user_sessions]
owner                = "user_id"
authenticated.select = "own"
authenticated.delete = "own\""""


def mistaken(old: str, new: str) -> str:
    assert old in OWNED
    return OWNED.replace(old, new)


# What is written instead, by which word it is found, what is said, what is meant.
MISTAKES = {
    "role": (mistaken("authenticated.delete", "authentcated.delete"), "authentcated", "unknown role", "authenticated"),
    "command": (mistaken("authenticated.delete", "authenticated.delte"), "delte", 'unknown command "delte"', "delete"),
    "word of a rule": (mistaken('delete = "own"', 'delete = "own adn is_active"'), "adn", '"adn" is not expected', ""),
    "value of a rule": (mistaken('delete = "own"', 'delete = "status = open"'), "open", "wants a value in quotes", ""),
    "sign in a rule": (mistaken('delete = "own"', 'delete = "own & open"'), "&", '"& open" is not understood', ""),
    "bracket": (mistaken('delete = "own"', 'delete = "(own"'), '"(own"', "a bracket is not closed", ""),
    "rule that ends": (mistaken('delete = "own"', 'delete = "own and"'), '"own and"', "ends too early", ""),
    "key of a cell": (mistaken('delete = "own"', 'delete = { row = "own" }'), "{ row", 'unknown key "row"', "rows"),
    "columns of a delete": (mistaken('delete = "own"', 'delete = { columns = "id" }'), "{ columns", "no columns", ""),
    "columns to repeat": (mistaken('delete = "own"', 'insert = { columns = "as anon" }'), '"as', "repeats nothing", ""),
    "owner": (mistaken('owner                = "user_id"', ""), "authenticated.select", "the table has no owner", ""),
}


@pytest.mark.parametrize(("section", "word", "message", "near"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_named_with_its_line(section: str, word: str, message: str, near: str) -> None:
    text = changed(OWNED, section)
    with pytest.raises(ForgeError) as caught:
        parse(Source(text, "tests/access_contract.toml"))
    said = re.fullmatch(r"tests/access_contract.toml line (\d+): (.*)", caught.value.message)
    assert said is not None, caught.value.message
    part = text[text.index("[tables.user_sessions]") :]
    assert int(said[1]) == line_of(text, "[tables.user_sessions]") + line_of(part, word) - 1
    assert message in said[2]
    assert near in (caught.value.hint or "")


def test_section_that_is_unknown() -> None:
    with pytest.raises(ForgeError, match='unknown section "tabels"') as caught:
        parse(Source(f"{TEXT}\n[tabels.x]\n", "contract"))
    assert caught.value.hint == 'Did you mean "tables"?'


def test_what_is_no_toml_is_said_with_its_line() -> None:
    with pytest.raises(ForgeError, match=r"contract is not TOML: .*line 1"):
        Source("[roles\n\n", "contract")


def test_file_that_is_missing() -> None:
    with pytest.raises(ForgeError, match="is missing"):
        contract.load(PATH.with_name("nowhere.toml"))


# What needs the database to be wrong ----------------------------------------------------------------------------------

# What is written, and instead of what; the name that is absent, and the one that is meant.
ABSENT = {
    "table": ("[tables.feedback_tags]", "[tables.feedback_tgas]", "public.feedback_tgas", "public.feedback_tags"),
    "column": ('= "message, rating, updated_at"', '= "mesage, rating, updated_at"', "mesage", "message"),
    "column of a rule": ("own and status = 'open'", "own and stauts = 'open'", "stauts", "status"),
    "function": (
        "get_public_config()",
        "get_public_confg()",
        "public.get_public_confg()",
        "public.get_public_config()",
    ),
    "closed table": ("    secrets, ", "    secerts, ", "private.secerts", "private.secrets"),
    "schema": ('private = "", archive', 'privat = "", archive', "privat", "private"),
}


@pytest.mark.one_platform
@pytest.mark.parametrize(("old", "new", "name", "near"), ABSENT.values(), ids=ABSENT)
def test_absent_name_is_a_failure_with_its_line(
    connection: psycopg.Connection, old: str, new: str, name: str, near: str
) -> None:
    text = changed(old, new)
    report = prober.examine(connection, parse(Source(text, "contract")), only=["catalogue"])
    (failure,) = [it for it in report.failures if it.subject == name]
    assert failure.what.endswith(f"named in contract line {line_of(text, new)}")
    assert f'Did you mean "{near}"?' in failure.observed


# Rules ----------------------------------------------------------------------------------------------------------------

DRAFT = {"is_public": "false", "status": "open"}
SHARED = {"is_public": "true", "status": "closed"}


@pytest.mark.parametrize(
    ("text", "own_draft", "own_shared", "others_draft", "others_shared"),
    [
        ("all", True, True, True, True),
        ("own", True, True, False, False),
        ("is_public", False, True, False, True),
        ("not is_public", True, False, True, False),
        ("status = 'open'", True, False, True, False),
        ("own or is_public", True, True, False, True),
        ("own and is_public or status = 'open'", True, True, True, False),
        ("own and (is_public or status = 'closed')", False, True, False, False),
        ("not (own or is_public)", False, False, True, False),
        ("unowned", False, False, False, False),
    ],
)
def test_rule_means_these_rows(
    text: str, own_draft: bool, own_shared: bool, others_draft: bool, others_shared: bool
) -> None:
    rule = rules.parse(text)
    kinds = [Kind(owner, states) for owner in ("own", "other") for states in (DRAFT, SHARED)]
    assert [rule.holds(kind) for kind in kinds] == [own_draft, own_shared, others_draft, others_shared]


def test_kind_says_what_row_it_is() -> None:
    assert str(Kind("own", DRAFT)) == "own, not is_public, status = 'open'"
    assert str(Kind("other", {})) == "another's"
    assert str(Kind("", {})) == "any"


def test_role_holds_what_it_inherits() -> None:
    terms: Contract = contract.load()
    table = terms.tables["public.feedback"]
    assert terms.held("app_admin") == ("app_admin", "authenticated")
    assert terms.granted(table, "authenticated", "update") == {"message", "rating", "updated_at"}
    columns = terms.granted(table, "app_admin", "update")
    assert columns is not None
    assert {"message", "admin_response"} <= columns
    assert terms.granted(table, "service_role", "update") is None
    assert terms.granted(table, "anon", "update") == set()
