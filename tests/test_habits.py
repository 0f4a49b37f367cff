"""What editors, pre-commit, GitHub and a reader find in this project names things that are there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from forge_db import binaries
from forge_db.paths import ROOT
from harness.databases import REGIMES

PROGRAMS = Path(sys.executable).parent


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def steps(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


HOOKS = {hook["id"]: hook for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]}
# Files that each hook must take, and one in which it finds something.
TAKES = {
    "ruff": ("scripts/forge_db/cli.py", "bad.py", "import os\n"),
    "ruff-format": ("scripts/forge_db/cli.py", "bad.py", "x = [1,2 ]\n"),
    "sqlfluff": ("sql/structure/tables.sql", "bad.sql", "SELECT 1 as X;\n"),
    "migrations": ("supabase/schema/01_core_functions.sql", "", ""),
}


def test_every_hook_is_tried_here() -> None:
    assert set(HOOKS) == set(TAKES)


@pytest.mark.parametrize("name", HOOKS)
def test_hook_runs_what_the_project_has(name: str, tmp_path: Path) -> None:
    hook, (good, bad, text) = HOOKS[name], TAKES[name]
    program, *arguments = hook["entry"].split()
    assert hook["language"] == "system", "nothing is downloaded"
    assert program.startswith(".venv/bin/")
    call = [str(PROGRAMS / Path(program).name), *arguments]
    if "files" in hook:
        assert re.search(hook["files"], good)
    passes = hook.get("pass_filenames", True)
    done = subprocess.run([*call, *([good] if passes else [])], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if bad:
        shutil.copy(ROOT / ".sqlfluff", tmp_path)
        (tmp_path / bad).write_text(text, encoding="utf-8")
        subprocess.run([*call, bad], cwd=tmp_path, capture_output=True, check=False)
        changed = (tmp_path / bad).read_text(encoding="utf-8") != text
        again = subprocess.run([*call, bad], cwd=tmp_path, capture_output=True, check=False)
        assert changed or again.returncode == 1, "it finds something, or mends it, which stops the commit too"


def test_workflow_runs_what_ci_runs_and_every_version_in_both_regimes() -> None:
    jobs = read(".github/workflows/ci.yml")["jobs"]
    assert ".ci/run" in steps(jobs["everything"]).splitlines()
    versions = jobs["versions"]
    assert versions["strategy"]["matrix"]["version"] == list(binaries.SUPPORTED)
    for regime in REGIMES:
        assert f"--platform pg${{{{ matrix.version }}}}-{regime}" in steps(versions)


def test_every_target_that_a_workflow_or_the_loop_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    sources = [".github/workflows/ci.yml", ".ci/run", "CONTRIBUTING.md"]
    for source in sources:
        named = re.findall(r"(?:^|`|run: )make ([a-z-]+)", (ROOT / source).read_text(encoding="utf-8"), re.MULTILINE)
        assert named
        assert [name for name in named if name not in targets] == [], source


def test_workflow_may_only_read() -> None:
    assert read(".github/workflows/ci.yml")["permissions"] == {"contents": "read"}


def test_editor_settings_agree_with_the_checks() -> None:
    settings = (ROOT / ".editorconfig").read_text(encoding="utf-8")
    for checked in ("pyproject.toml", ".sqlfluff"):
        length = re.search(r"(?:line-length|max_line_length) = (\d+)", (ROOT / checked).read_text(encoding="utf-8"))
        assert length
        assert f"max_line_length = {length[1]}" in settings


@pytest.mark.parametrize("name", ["06_indexes_and_performance", "07_security_and_rls"])
def test_the_head_of_a_long_file_names_its_parts_in_order(name: str) -> None:
    """Those that are about one table are found by the table's name."""
    text = (ROOT / f"supabase/schema/{name}.sql").read_text(encoding="utf-8")
    head, body = text.split("\nset search_path", 1)
    parts = re.findall(r"^-- ([A-Z].*?) -{4,}$", body, re.MULTILINE)
    assert parts
    read_to = 0
    for part in parts:
        found = head.find(part.rpartition(": ")[2], read_to)
        assert found > 0, f"{part} is not named, or not where it comes"
        read_to = found
