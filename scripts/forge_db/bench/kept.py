"""What an interrupted run has measured, for the next one to go on from: each finding under what it follows from."""

import hashlib
import json
from pathlib import Path
from typing import Any

Finding = dict[str, Any]


def digest(*of: object) -> str:
    """The same for the same, in another process too."""
    return hashlib.sha256("\0".join(map(str, of)).encode()).hexdigest()[:16]


class Kept:
    """A file of findings, written after each, under another name first: an interruption leaves the last one whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._found: dict[str, Finding] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._found = {}

    def get(self, key: str) -> Finding | None:
        return self._found.get(key)

    def put(self, key: str, finding: Finding) -> None:
        self._found[key] = finding
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(json.dumps(self._found, indent=1), encoding="utf-8")
        unfinished.replace(self.path)

    def forget(self) -> None:
        self._found = {}
        self.path.unlink(missing_ok=True)
