"""Every killer on the database as it is: a killer that fails there kills nothing.

What each test uses and how long it takes is kept in .forge/ until its module, or anything that all of them stand on,
changes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from forge_db.access import prober
from forge_db.access.contract import Contract
from forge_db.paths import ROOT, STATE
from harness.databases import SUPERUSER, Platform
from mutants import bench
from mutants.suite import Copy, Suite, module

KEPT = STATE / "mutants" / "baseline.json"
PROBER = "the prober"

Records = dict[str, dict[str, Any]]


def establish(
    suite: Suite, contract: Contract, platform: Platform, jobs: int, progress: Callable[[int, int], None]
) -> tuple[Records, list[str]]:
    """What each test uses, and what fails although nothing is broken."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in (*suite.items, *suite.rules):
        modules.setdefault(module(item), []).append(item)
    common = _digest(
        path
        for folder in ("tests/harness", "tests/world", "scripts/forge_db", "sql/access")
        for path in (ROOT / folder).rglob("*.*")
    )
    common += _digest([ROOT / "tests/conftest.py", ROOT / "tests/access_contract.toml"]) + platform.template_dbname
    keys = {name: common + _digest([items[0].path]) for name, items in modules.items()} | {PROBER: common}
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = {
        name: it
        for name, it in kept.items()
        if it["key"] == keys.get(name)
        and set(it["records"]) >= {item.nodeid for item in modules.get(name, [])}
        and not any(record["failed"] for record in it["records"].values())
    }
    # The longest first, so that no core waits for another at the end.
    missing = sorted(keys.keys() - kept.keys(), key=lambda name: (name == PROBER, len(modules.get(name, ()))))[::-1]

    def record(name: str, copy: Copy) -> Records:
        suite.on(copy)
        return _probe(contract, copy) if name == PROBER else suite.record(modules[name])

    failed: list[str] = []
    for done, (name, answer) in enumerate(bench.each(missing, record, platform, jobs, patience=600.0), 1):
        progress(done, len(missing))
        if answer.error or answer.timed_out:
            failed.append(f"{name}: {answer.error or 'it does not end'}")
        else:
            kept[name] = {"key": keys[name], "records": answer.value}
            failed += [f"{test}: {it['failed']}" for test, it in answer.value.items() if it["failed"]]
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1))
    return {test: record for it in kept.values() for test, record in it["records"].items()}, failed


def _probe(contract: Contract, platform: Copy) -> Records:
    with psycopg.connect(
        platform.database(platform.template_dbname).url(SUPERUSER), prepare_threshold=None
    ) as connection:
        failures = prober.examine(connection, contract).failures
    return {PROBER: {"seconds": 0.0, "used": None, "failed": str(failures[0]) if failures else ""}}


def _digest(paths: Iterable[Path]) -> str:
    texts = [path.read_bytes() for path in sorted(paths) if path.is_file() and path.suffix != ".pyc"]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]
