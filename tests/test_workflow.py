"""GitHub would run the workflow as it stands, and nobody else can make it run what they like.

Asked of actionlint and zizmor, which `make second-opinions` installs.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from forge_db.errors import ForgeError
from forge_db.paths import ROOT
from second_opinions.toolbox import program

pytestmark = [pytest.mark.second_opinions, pytest.mark.one_platform]

WORKFLOW = ROOT / ".github/workflows/ci.yml"


def answer(*command: str | Path) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def findings(workflow: Path) -> list[str]:
    """What either tool says of a workflow."""
    try:
        zizmor = program("zizmor", "zizmor")
    except ForgeError as error:
        pytest.fail(f"{error.message}. {error.hint}", pytrace=False)
    # Offline: what a tag points to today is another matter than how the file is written.
    audited = answer(zizmor, "--offline", "--no-exit-codes", "--format=json", workflow)
    linted = answer("node", ROOT / "tests/second_opinions/actionlint.mjs", workflow)
    return [f"{it['ident']}: {it['desc']}" for it in audited] + [f"{it['kind']}: {it['message']}" for it in linted]


def test_nothing_is_found_in_the_workflow() -> None:
    assert findings(WORKFLOW) == []


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ("timeout-minutes: 60", "timeout-minuets: 60", 'unexpected key "timeout-minuets"'),
        ("matrix.version }} from", "matrix.versoin }} from", 'property "versoin" is not defined'),
        ("- run: make up", "- run: echo ${{ github.event.pull_request.title }}", "template-injection"),
        ("@820762786026740c76f36085b0efc47a31fe5020 # v7.0.0", "@v7", "unpinned-uses"),
        ("persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("permissions:\n  contents: read\n", "", "excessive-permissions"),
    ],
)
def test_a_mistake_is_found(written: str, instead: str, says: str, tmp_path: Path) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert written in text
    mistaken = tmp_path / ".github/workflows/ci.yml"
    mistaken.parent.mkdir(parents=True)
    mistaken.write_text(text.replace(written, instead, 1), encoding="utf-8")
    assert says in "\n".join(findings(mistaken))
