"""Every killer on the database as it is: a killer that fails there kills nothing.

What each test uses and how long it takes is kept in .forge/ until its module, or anything that all of them stand on,
changes.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_db.paths import ROOT, STATE
from harness.databases import Platform
from mutants import bench
from mutants.memory import PROBER
from mutants.suite import Copy, Suite, commits, module

KEPT = STATE / "mutants" / "baseline.json"

Records = dict[str, dict[str, Any]]


def establish(
    suite: Suite, items: Iterable[pytest.Item], platform: Platform, jobs: int, progress: Callable[[int, int], None]
) -> tuple[Records, list[str]]:
    """What each of these tests uses, and what fails although nothing is broken."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(module(item) + (" in copies" if commits(item) else ""), []).append(item)
    common = stands_on(platform)
    tool = _tool()
    keys = {name: common + _of_module(items[0].path, tool) for name, items in modules.items()}
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = {
        name: it
        for name, it in kept.items()
        if it["key"] == keys.get(name)
        and set(it["records"]) >= {item.nodeid for item in modules[name]}
        and not any(record["failed"] for record in it["records"].values())
    }
    # The longest first, so that no core waits for another at the end.
    missing = sorted(keys.keys() - kept.keys(), key=lambda name: -len(modules[name]))

    def record(name: str, copy: Copy) -> Records:
        suite.on(copy)
        return suite.record(modules[name], Copy(platform, platform.template_dbname))

    KEPT.parent.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for done, (name, answer) in enumerate(bench.each(deque(missing), record, platform, jobs, patience=600.0), 1):
        progress(done, len(missing))
        if answer.error or answer.timed_out:
            failed.append(f"{name}: {answer.error or 'it does not end'}")
        else:
            kept[name] = {"key": keys[name], "records": answer.value}
            failed += [f"{test}: {it['failed']}" for test, it in answer.value.items() if it["failed"]]
            KEPT.write_text(json.dumps(kept))
    return {test: record for it in kept.values() for test, record in it["records"].items()}, failed


def stands_on(platform: Platform) -> str:
    """The state of the schema, and of what every test stands on."""
    tests = digest(_files("tests/harness", "tests/world", "sql/access"))
    return platform.template_dbname + tests + digest([ROOT / "tests/conftest.py", ROOT / "tests/access_contract.toml"])


def modules() -> dict[str, str]:
    """The state of each module, by the name that its tests begin with; and of the prober."""
    tool = _tool()
    found = {str(path.relative_to(ROOT)): _of_module(path, tool) for path in (ROOT / "tests").glob("test_*.py")}
    return found | {PROBER: digest(_files("scripts/forge_db/access"))}


def _tool() -> str:
    return digest(_files("scripts/forge_db"))


def _of_module(path: Path, tool: str) -> str:
    """What a module is about besides the database: the tool counts where it is spoken of."""
    return digest([path]) + (tool if "forge_db" in path.read_text(encoding="utf-8") else "")


def _files(*folders: str) -> Iterator[Path]:
    return (path for folder in folders for path in (ROOT / folder).rglob("*.*"))


def digest(paths: Iterable[Path]) -> str:
    texts = [path.read_bytes() for path in sorted(paths) if path.is_file() and path.suffix != ".pyc"]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]
