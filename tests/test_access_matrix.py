"""docs/access_matrix.md and .html show what is observed now, and are pages that one can open anywhere."""

import re
from html.parser import HTMLParser

import psycopg
import pytest

from forge_db import access, matrix
from forge_db.access import contract
from forge_db.access.contract import Contract
from forge_db.access.source import Source
from forge_db.errors import ForgeError
from forge_db.matrix import DOCS, PAGES

pytestmark = [pytest.mark.access, pytest.mark.one_platform]


@pytest.fixture(scope="module")
def terms() -> Contract:
    return access.load()


@pytest.fixture(scope="module")
def pages(connection: psycopg.Connection, terms: Contract) -> dict[str, str]:
    return matrix.render(connection, terms)


@pytest.mark.parametrize("page", PAGES)
def test_committed_page_is_up_to_date(pages: dict[str, str], page: str) -> None:
    if not matrix.same(DOCS / page, pages[page]):
        changed = "\n".join(matrix.difference(DOCS / PAGES[0], pages[PAGES[0]]))
        pytest.fail(f"docs/{page} is stale; if this is meant, run `forge-db matrix`:\n{changed}", pytrace=False)


def test_every_table_and_role_is_there(pages: dict[str, str], terms: Contract) -> None:
    for text in pages.values():
        for name in (*terms.tables, "anon", "authenticated", "app_admin", "service_role"):
            assert name in text


def test_what_a_change_opens_is_in_the_difference(connection: psycopg.Connection, terms: Contract) -> None:
    tables = {name: terms.tables[name] for name in ("public.feedback_tags", "public.user_sessions")}
    few = Contract(**{**vars(terms), "tables": tables})
    before = matrix.render(connection, few)
    with connection.transaction(force_rollback=True):
        connection.execute("set local session authorization postgres")
        connection.execute("grant update (color) on public.feedback_tags to authenticated")
        connection.execute("alter table public.user_sessions disable row level security")
        connection.execute("set local session authorization default")
        after = matrix.render(connection, few)
    changed = set(after[PAGES[0]].splitlines()) - set(before[PAGES[0]].splitlines())
    assert any(line.startswith("| another's | nothing | select, delete |") for line in changed), changed
    assert before[PAGES[1]] != after[PAGES[1]]


MISSPELT = {
    "table": (
        "[tables.user_profiles]",
        "[tables.user_profile]",
        'no table "public.user_profile"',
        "public.user_profiles",
    ),
    "owner": ('owner                = "user_id"', 'owner = "user_idd"', 'no column "user_idd"', "user_id"),
    "state": ("own and is_active", "own and is_activ", 'no column "is_activ"', "is_active"),
}


@pytest.mark.parametrize(("right", "wrong", "message", "meant"), MISSPELT.values(), ids=MISSPELT)
def test_a_name_that_the_database_lacks_is_told_by_line(
    connection: psycopg.Connection, right: str, wrong: str, message: str, meant: str
) -> None:
    lines = contract.PATH.read_text(encoding="utf-8").replace(right, wrong, 1).splitlines()
    number = next(number for number, line in enumerate(lines, 1) if wrong in line)
    with pytest.raises(ForgeError) as caught:
        matrix.render(connection, contract.parse(Source("\n".join(lines), "tests/access_contract.toml")))
    assert caught.value.message.startswith(f"tests/access_contract.toml line {number}: ")
    assert message in caught.value.message
    assert caught.value.hint == f'Did you mean "{meant}"?'


def test_it_is_the_same_each_time(connection: psycopg.Connection, terms: Contract) -> None:
    few = Contract(**{**vars(terms), "tables": {"public.user_sessions": terms.tables["public.user_sessions"]}})
    assert matrix.render(connection, few) == matrix.render(connection, few)


class Page(HTMLParser):
    """What a page refers to, and the squares that say nothing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.silent = 0
        self.squares = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.outside += [str(given[name]) for name in ("src", "href", "data") if name in given]
        if tag == "td":
            self.squares += 1
            self.silent += not (given.get("title") and given.get("class") and given.get("data-who"))


def test_html_is_one_file_in_which_every_square_tells_its_cause(pages: dict[str, str]) -> None:
    text = pages["access_matrix.html"]
    page = Page(text)
    assert [it for it in page.outside if not it.startswith("#")] == []
    assert "@import" not in text
    assert "url(" not in text
    assert page.squares > 500
    assert page.silent == 0


def test_html_has_colours_for_light_and_dark(pages: dict[str, str]) -> None:
    text = pages["access_matrix.html"]
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    names = re.findall(r"(--[a-z-]+):", light)
    assert names == re.findall(r"(--[a-z-]+):", dark)
    for scheme in (light, dark):
        colours = dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6})", scheme))
        pairs = [(f"{name}-ink", name) for name in ("--yes", "--some", "--policy", "--grant")]
        for ink, ground in [*pairs, ("--ink", "--page"), ("--quiet", "--page")]:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG, of which 4.5 is asked for text."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
