"""The list of accepted findings lets through what it names, and nothing is on it that is not found any more."""

import sys
from pathlib import Path

import pytest

from forge_db.binaries import Binaries
from forge_db.errors import ForgeError
from forge_db.server import Server
from harness.databases import Database
from second_opinions.findings import Entry, Finding, load, objections
from second_opinions.toolbox import Subject, answer, program

LEAK = Finding("leak", "public.feedback.Everyone (select to anon) [all]", "it\nleaks")


def entry(*where: str, rule: str = "leak") -> Entry:
    return Entry((rule,), where, "meant")


def test_the_list_of_this_project_can_be_read() -> None:
    assert all(load().values())


@pytest.mark.parametrize("place", [LEAK.where, "*", "public.*", "* to anon) [all]"])
def test_a_finding_that_is_named_is_let_through(place: str) -> None:
    assert objections([LEAK], [entry(place)]) == []


@pytest.mark.parametrize(
    "accepted",
    [entry("public.feedback"), entry("*", rule="other"), entry("*[abcdefghijkl]*"), entry("PUBLIC.*")],
    ids=["part-of-the-name", "other-rule", "brackets-are-no-set", "other-case"],
)
def test_a_finding_that_is_not_named_is_an_objection(accepted: Entry) -> None:
    new, stale = objections([LEAK], [accepted])
    assert new == f"leak at {LEAK.where}: it leaks"
    assert stale.startswith("accepted and not found any more: ")


def test_what_is_not_found_any_more_is_an_objection() -> None:
    accepted = Entry(("leak", "hole"), ("public.feedback.*", "public.gone"), "meant")
    assert objections([LEAK], [accepted]) == [
        "accepted and not found any more: leak at public.gone",
        "accepted and not found any more: hole at public.feedback.*",
        "accepted and not found any more: hole at public.gone",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'rules = ["a"]\nwhere = ["b"]',
        'rules = ["a"]\nwhere = ["b"]\nreason = " "',
        'rules = ["a"]\nwhere = []\nreason = "c"',
        'rules = []\nwhere = ["b"]\nreason = "c"',
        'rules = "a"\nwhere = ["b"]\nreason = "c"',
        'rules = ["a"]\nwhere = [""]\nreason = "c"',
        'rules = ["a"]\nwhere = ["b"]\nreason = "c"\nuntil = "2030"',
    ],
    ids=["no-reason", "blank-reason", "nowhere", "no-rule", "rule-is-no-list", "blank-place", "unknown-key"],
)
def test_an_entry_that_is_not_whole_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(f"[[tool]]\n{text}\n", encoding="utf-8")
    with pytest.raises(ForgeError, match=r"accepted.toml: \[\[tool\]\] .* is not as it should be"):
        load(path)


def test_a_list_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text("[[tool]", encoding="utf-8")
    with pytest.raises(ForgeError, match=r"accepted.toml is not valid TOML"):
        load(path)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("", "ended with 0 and said: nothing"),
        ("print('fine')", "ended with 0 and said: fine"),
        ("import sys; sys.exit(2)", "ended with 2"),
        ("import os; os.abort()", "ended with -6"),
        ("import sys; sys.exit('no connection')", "ended with 1 and said: no connection"),
    ],
    ids=["silent", "not-json", "exit-2", "killed", "exit-1-without-an-answer"],
)
def test_a_tool_that_does_not_answer_has_failed(script: str, says: str, subject: Subject) -> None:
    with pytest.raises(ForgeError, match=says):
        answer(subject, sys.executable, "-c", script)


def test_a_tool_that_answers_is_heard(subject: Subject) -> None:
    assert answer(subject, sys.executable, "-c", "print('[1]'); raise SystemExit(1)") == [1]


def test_a_tool_that_is_not_there_has_failed(subject: Subject) -> None:
    with pytest.raises(ForgeError, match="did not run"):
        answer(subject, str(subject.folder / "tool"))
    with pytest.raises(ForgeError, match="no-such-tool is not installed") as refused:
        program("no-such-tool", "tool")
    assert refused.value.hint == "Run `make second-opinions`, which installs it."


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """Shows a tool nothing but a folder."""
    return Subject(Database(Server(tmp_path, Binaries(tmp_path, 15)), "none"), tmp_path, tmp_path)
