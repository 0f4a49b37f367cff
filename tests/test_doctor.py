"""`forge-db doctor` says what is missing and how to mend it; it fails only for what `make up` and `make test` need."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forge_db import doctor
from forge_db.cli import main
from forge_db.paths import ROOT

PACKAGES = {
    "pgbouncer": "pgbouncer",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "pg_prove": "libtap-parser-sourcehandler-pgtap-perl",
    "pg_cron": "postgresql-15-cron",
    "pgtap": "postgresql-15-pgtap",
    "plpgsql_check": "postgresql-15-plpgsql-check",
    "postgresql 15": "postgresql-15",
}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a shell, make and apt on its path, and nothing of Debian's PostgreSQL."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "apt-get"):
        put(programs, name, "")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(doctor, "SYSTEM", tmp_path / "postgresql")
    monkeypatch.setattr(doctor, "EXTENSIONS", tmp_path / "extension")
    monkeypatch.setattr(doctor, "MODULES", tmp_path / "node_modules")
    monkeypatch.delenv("FORGE_PG_BIN", raising=False)
    return programs


def put(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text(f"#!{shutil.which('sh') or '/bin/sh'}\necho '{says}'\n")
    (folder / name).chmod(0o755)


def run() -> Result:
    return CliRunner().invoke(main, ["doctor"])


def state(result: Result, name: str) -> tuple[str, str]:
    """How a thing is, and the command below it."""
    found = re.search(rf"^(ok|missing|too old|stale) +{re.escape(name)}  .*\n( +(\S.*))?", result.stdout, re.MULTILINE)
    assert found, f"{name} is not in\n{result.output}"
    return found[1], found[3] or ""


@pytest.mark.usefixtures("bare")
def test_without_what_single_targets_need_it_says_how_to_get_it_and_is_content() -> None:
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    for name, package in PACKAGES.items():
        assert state(result, name) == ("missing", f"apt install {package}")
    assert state(result, "node") == ("missing", "apt install nodejs npm")
    assert state(result, "npm packages") == ("missing", "make install-supabase-cli")
    assert state(result, "packages")[0] == "ok"
    assert result.stdout.endswith("What `make up` and `make test` need is there\n")


def test_what_is_there_is_found(bare: Path, tmp_path: Path) -> None:
    for name in ("pgbouncer", "chromium", "npm"):
        put(bare, name, "1.0")
    put(bare, "node", "v22.1.0")
    (tmp_path / "node_modules").mkdir()
    shutil.copy(doctor.LOCK, tmp_path / "node_modules" / ".installed")
    result = run()
    for name in ("pgbouncer", "chromium", "node", "npm packages", "postgresql"):
        assert state(result, name)[0] == "ok"
    assert "v22.1.0" in result.stdout


def test_what_is_too_old_or_stale_is_told(bare: Path, tmp_path: Path) -> None:
    put(bare, "node", "v18.19.0")
    put(bare, "npm", "9.2.0")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / ".installed").write_text("{}")
    result = run()
    assert state(result, "node")[0] == "too old"
    assert "20 or newer" in state(result, "node")[1]
    assert state(result, "npm packages") == ("stale", "make install-supabase-cli")
    assert result.exit_code == 0


@pytest.mark.usefixtures("bare")
def test_a_postgresql_of_another_version_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "postgres", "postgres (PostgreSQL) 14.9")
    monkeypatch.setenv("FORGE_PG_BIN", str(tmp_path))
    result = run()
    found, command = state(result, "postgresql")
    assert (found, result.exit_code) == ("too old", 1)
    assert command.startswith("Point FORGE_PG_BIN at one of these")


def test_a_driver_of_another_version_is_told(bare: Path) -> None:
    put(bare, "chromium", "Chromium 141.0.1 built on Debian")
    put(bare, "chromedriver", "ChromeDriver 139.0.2")
    assert state(run(), "chromedriver") == ("stale", "apt install chromium chromium-driver")
    put(bare, "chromedriver", "ChromeDriver 141.0.9")
    assert state(run(), "chromedriver") == ("ok", "")


def test_a_program_that_does_not_run_is_missing(bare: Path) -> None:
    (bare / "pgbouncer").write_text(f"#!{shutil.which('sh') or '/bin/sh'}\necho no such library >&2; exit 127\n")
    (bare / "pgbouncer").chmod(0o755)
    result = run()
    assert state(result, "pgbouncer") == ("missing", "apt install pgbouncer")
    assert "for make test-pgbouncer: does not run" in result.stdout


@pytest.mark.usefixtures("bare")
def test_without_graphviz_only_the_diagrams_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    result = run()
    found, command = state(result, "pygraphviz")
    assert (found, result.exit_code) == ("missing", 0)
    assert command.startswith("apt install graphviz libgraphviz-dev ")


@pytest.mark.usefixtures("bare")
def test_packages_of_another_version_fail_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("click==0.0.1\nno-such-package==1.0\npygraphviz==2.0.4\n")
    monkeypatch.setattr(doctor, "CONSTRAINTS", pins)
    result = run()
    assert state(result, "packages") == ("stale", "make install")
    assert "no-such-package 1.0 is missing" in result.stdout
    assert (result.exit_code, "need packages" in result.stderr) == (1, True)


@pytest.mark.parametrize("missing", ["make", "postgresql"])
def test_without_what_everything_needs_it_fails(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "make":
        (bare / "make").unlink()
    else:
        monkeypatch.setenv("FORGE_PG_BIN", str(tmp_path))
    result = run()
    assert state(result, missing)[0] == "missing"
    assert state(result, missing)[1]
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: `make up` and `make test` need {missing}\n")


def test_without_apt_it_names_the_package_all_the_same(bare: Path) -> None:
    (bare / "apt-get").unlink()
    assert state(run(), "pgbouncer") == ("missing", "install what Debian calls pgbouncer")


def test_a_program_that_hangs_or_breaks_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "node"
    broken.write_bytes(b"\x7fnothing")
    broken.chmod(0o755)
    assert doctor.reported(str(broken)) == "does not run"
    assert doctor.reported(sys.executable).startswith("Python 3.")


@pytest.mark.usefixtures("bare")
def test_every_package_that_continuous_integration_installs_is_asked_for() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    installed = re.search(r"apt-get install -yqq --no-install-recommends \\\n(.*?) >/dev/null", script, re.DOTALL)
    assert installed
    told = run().stdout
    for package in installed[1].replace("\\", "").split():
        assert package in told, package
