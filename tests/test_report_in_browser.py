"""The report in a real browser: it loads without a complaint, is found one's way in, and can be used by everybody.

Contrast, labels and roles are checked by axe-core, in both themes.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webelement import WebElement

from forge_db import report
from forge_db.paths import ROOT
from harness.databases import Database

pytestmark = [pytest.mark.browser, pytest.mark.one_platform]
PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# Nothing that calls home, and no window.
OPTIONS = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--window-size=1440,1000"),
)
LINE = {"what": "a search", "ours": "5/s", "baseline": "10/s", "ratio": "2.00", "bar": "≤ 3", "holds": True}


def find_programs() -> None:
    if missing := [package for program, package in PROGRAMS.items() if not shutil.which(program)]:
        pytest.fail(f"no browser to test with. Run: apt install {' '.join(missing)}", pytrace=False)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    find_programs()
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for option in OPTIONS:
        options.add_argument(option)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(connection: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With everything that can be on it, access as tried included."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "bench.json").write_text(json.dumps({"results": [{"name": "search_rare", **LINE}]}), encoding="utf-8")
    connection.rollback()  # whatever transaction another module's reading has begun: it would keep its figures
    with connection.transaction(force_rollback=True):
        fill(connection)
        tried = report.facts.observe(connection)
        # Which indexes it used would else be known a second later.
        connection.execute("select pg_stat_force_next_flush()")
    with connection.transaction(force_rollback=True):
        fill(connection)
        text = report.page(report.facts.read(connection), tried, folder / "bench.json")
    (folder / "report.html").write_text(text, encoding="utf-8")
    return folder / "report.html"


def fill(connection: psycopg.Connection) -> None:
    """A month of figures."""
    for statement in (
        "set local session_replication_role = replica",
        """insert into private.usage_daily (day, provider, requests, errors, users)
        select current_date - each, 'openai', 1000 + 40 * each, each, 9 from generate_series(1, 30) as each""",
        """insert into private.prompts_daily
            (day, dimension, label, prompts, completed, failed, tokens_used, cost_usd, users)
        select current_date - each, 'total', '', 60, 50, 10, 1000 * each, each / 7.0, 5
        from generate_series(1, 30) as each""",
        """insert into private.size_snapshots
            (relation_name, taken_on, row_estimate, heap_bytes, index_bytes, total_bytes)
        select 'public.feedback', current_date - each, 1, 8192 * (30 - each), 8192, 8192 * (31 - each)
        from generate_series(1, 29) as each""",
    ):
        connection.execute(statement.encode())


@pytest.fixture
def opened(browser: Chrome, page: Path) -> Chrome:
    browser.get("about:blank")
    browser.get(page.as_uri())
    return browser


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def search(browser: Chrome, text: str) -> list[str]:
    field = find(browser, "#search")
    field.clear()
    field.send_keys(text)
    return [it.text.split("\n")[1] for it in browser.find_elements(By.CSS_SELECTOR, "#results a")]


def test_loads_without_a_complaint_and_shows_every_section(opened: Chrome) -> None:
    assert opened.execute(Command.GET_LOG, {"type": "browser"})["value"] == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    for name in report.SECTIONS:
        section = find(opened, f"#{name}")
        assert section.is_displayed()
        assert section.size["height"] > 100, name
        assert len(section.text) > 60, name
    charts = opened.find_elements(By.CSS_SELECTOR, ".chart svg")
    assert len(charts) >= 8
    for chart in charts:
        assert chart.size["height"] > 80
    assert not opened.find_elements(By.CSS_SELECTOR, ".empty")
    wide = opened.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "nothing sticks out of the page"


CUT_OFF = """
    return [...document.querySelectorAll('svg.pygal-chart')].flatMap(chart => {
        const legend = chart.querySelector('.legends'), frame = chart.getBoundingClientRect();
        const found = legend?.getBoundingClientRect();
        return found ? [found.bottom - frame.bottom, found.right - frame.right] : [];
    })
"""


def test_no_legend_of_a_chart_is_cut_off(opened: Chrome) -> None:
    beyond = opened.execute_script(CUT_OFF)
    assert len(beyond) >= 2
    assert all(it <= 0 for it in beyond), beyond


def test_search_finds_and_leads_there(opened: Chrome) -> None:
    assert search(opened, "feedback")[0] == "public.feedback"
    assert "public.check_rate_limit(provider text)" in search(opened, "check_rate")[0] or search(opened, "check_rate")
    assert search(opened, "prompt_history.cost_usd")[0] == "public.prompt_history.cost_usd"
    assert search(opened, "no such thing") == []
    assert "Nothing of that name" in find(opened, "#results").text
    search(opened, "user_sessions")
    find(opened, "#search").send_keys(Keys.ENTER)
    details = find(opened, "[id='table-public.user_sessions']")
    assert details.get_attribute("open")
    assert opened.execute_script("return document.activeElement.closest('details')?.id") == "table-public.user_sessions"
    assert 0 <= details.rect["y"] - opened.execute_script("return scrollY") < 200


def test_keyboard_alone_is_enough(opened: Chrome) -> None:
    body = find(opened, "body")
    body.send_keys(Keys.TAB)
    assert opened.switch_to.active_element.text == "To the content"
    body.send_keys("/")
    assert opened.switch_to.active_element.get_attribute("id") == "search"
    opened.switch_to.active_element.send_keys("feedback_tags", Keys.ARROW_DOWN, Keys.NULL)
    assert opened.switch_to.active_element.tag_name == "a"
    opened.switch_to.active_element.send_keys(Keys.ARROW_UP)
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not find(opened, "#results").is_displayed()
    tab = find(opened, "[role=tab]")
    tab.send_keys(Keys.ARROW_RIGHT)
    assert find(opened, "#drawing-core-functions").is_displayed()
    assert not find(opened, "#drawing-all").is_displayed()


def test_a_link_opens_what_it_leads_to(browser: Chrome, page: Path) -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + "#column-public.feedback.rating")
    assert find(browser, "[id='table-public.feedback']").get_attribute("open")
    browser.get("about:blank")
    browser.get(page.as_uri())
    browser.execute_script(
        "document.querySelector('#drawing-all a').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    link = find(browser, "#drawing-all a").get_attribute("href")
    assert link


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_labels_and_roles(opened: Chrome, theme: str) -> None:
    if not AXE.is_file():
        pytest.fail("axe-core is not installed. Run: npm ci", pytrace=False)
    if opened.execute_script("return isDark()") != (theme == "dark"):
        find(opened, "#theme").click()
    ground = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[theme]
    opened.execute_script(
        "for (const it of ['table-public.feedback', 'table-private.secrets']) document.getElementById(it).open = true;"
        "document.querySelectorAll('details.more').forEach(it => it.open = true);"
        "document.querySelector('details[data-kind=function]').open = true"
    )
    search(opened, "feedback")
    # What the same lines of the template have made is looked at five times, not two hundred.
    opened.execute_script(
        "for (const it of ['details[data-kind=function]', '#access .scroll', '#access h3', '#sizes tr', '#indexes tr',"
        "'#usage tr', 'details[data-kind=table]:not([open])', '#drawing-all .er-card'])"
        "  [...document.querySelectorAll(it)].slice(5).forEach(one => one.remove())"
    )
    opened.execute_script(AXE.read_text(encoding="utf-8"))
    opened.set_script_timeout(120)
    # The roles are the same in both.
    only = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}[theme]
    found: dict[str, Any] = opened.execute_async_script("axe.run(arguments[0]).then(arguments[1])", only)
    told = [(it["id"], it["help"], [node["html"][:160] for node in it["nodes"][:3]]) for it in found["violations"]]
    assert told == []
    assert found["passes"]


def test_is_fast_with_two_hundred_tables(scratch: Database, browser: Chrome, tmp_path: Path) -> None:
    with scratch.connect("postgres", autocommit=True) as owner:
        columns = ", ".join(f"column_{number} integer" for number in range(12))
        owner.execute(
            f"""do $$ begin for i in 1..165 loop
                execute format('create table public.more_%s (id uuid primary key, {columns})', i);
            end loop; end $$""".encode()
        )
        text = report.render(owner)
    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    assert len(text.encode()) < 2_000_000
    browser.get(file.as_uri())
    assert len(browser.find_elements(By.CSS_SELECTOR, "details[data-kind=table]")) > 200
    assert search(browser, "more_77")[0] == "public.more_77"
    took = browser.execute_script("""
        const field = document.getElementById('search'), begin = performance.now();
        field.value = 'column'; field.dispatchEvent(new Event('input'));
        return performance.now() - begin""")
    assert took < 1000, "milliseconds of a search; about twenty on a quiet machine"
