"""A machine without Node, a browser or Debian's packages: each target that needs one names it, the rest works."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import test_pg_cron
import test_report_in_browser
from forge_db.bench import pgbouncer
from forge_db.errors import ForgeError
from forge_db.paths import ROOT
from harness import clusters

pytestmark = pytest.mark.one_platform
# What make and its recipes call, and Python; nothing that has to be installed for single targets.
SHELL = "make sh bash env cat cmp cp mkdir rm ls pwd grep sed awk sort head tail basename dirname true false mv find tr"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A clone of the project in which everything of Python's is installed, on a path with a shell and make."""
    programs, clone = tmp_path / "bin", tmp_path / "clone"
    programs.mkdir()
    clone.mkdir()
    for name in SHELL.split():
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    hidden = {"node_modules", ".git", ".venv", ".forge"}
    for path in ROOT.iterdir():
        if path.name not in hidden:
            (clone / path.name).symlink_to(path)
    (clone / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (clone / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    pins = [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "constraints.txt")]
    (clone / ".venv" / ".installed").write_text(f"{clone.resolve()}\n{''.join(pins)}", encoding="utf-8")
    return clone


def make(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ours = ("SUPABASE_CLI", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # the suite may run under a make of its own
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        ["make", *arguments], cwd=bare, env=environment | {"PATH": str(bare.parent / "bin")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["types", "test-supabase-cli", "test-browser", "test-slow", "second-opinions"])
def test_without_node_a_target_says_how_to_get_it(bare: Path, target: str) -> None:
    done = make(bare, target)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert done.stderr.startswith(
        "error: npm is needed to install the Supabase CLI, and there is none\n"
        "hint: install Node.js 20 or newer, or set SUPABASE_CLI to the path of the CLI\n"
    )


@pytest.mark.parametrize("target", ["test-pgtap", "second-opinions"])
def test_without_pgtap_a_target_names_the_packages(bare: Path, target: str) -> None:
    (bare / "node_modules").mkdir()
    shutil.copy(ROOT / "package-lock.json", bare / "node_modules" / ".installed")
    done = make(bare, target)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert "hint: apt install postgresql-15 " in done.stderr
    assert "postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl\n" in done.stderr


def test_without_a_browser_its_tests_name_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(pytest.fail.Exception, match=r"Run: apt install chromium chromium-driver$"):
        test_report_in_browser.find_programs()


def test_without_pg_cron_its_tests_name_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "installed", list)
    with pytest.raises(pytest.fail.Exception, match=r"Run: apt install postgresql-15-cron$"):
        test_pg_cron.with_pg_cron()


def test_without_a_pooler_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ForgeError, match="PgBouncer is not installed") as refused:
        pgbouncer.program()
    assert refused.value.hint == "Run: apt install pgbouncer"


@pytest.mark.parametrize(("target", "arguments"), [("help", ""), ("build-migrations", "--check"), ("status", "--help")])
def test_what_needs_none_of_them_works(bare: Path, target: str, arguments: str) -> None:
    done = make(bare, target, f"ARGS={arguments}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tests_say_which_parts_are_left_out(bare: Path) -> None:
    done = make(bare, "test", "JOBS=0", "ARGS=--collect-only tests/test_missing_programs.py")
    assert "left out" in done.stdout, done.stdout + done.stderr
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("left out: ")]
    names, _, where = told.removeprefix("left out: ").partition("; ")
    assert names.split(", ") == [
        *("supabase_cli", "second_opinions", "pgtap", "pgbouncer", "pg_cron", "browser", "slow"),
    ]
    assert where == "`make help` names the target of each"
    targets = make(bare, "help").stdout
    for name in names.split(", "):
        assert f"make {'' if name == 'second_opinions' else 'test-'}{name.replace('_', '-')} " in targets
