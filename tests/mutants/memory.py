"""Who noticed which mutant the last time: asked first the next time, and not at all where a run is resumed.

What a run sees is kept in .forge/: a verdict holds while the schema, what all tests stand on, what the mutant is and
who noticed it are the same. killers.toml, which is committed, says of each table and function which tests notice most
of what is broken there. It is only about the order: a test that is gone costs nothing, one that is missing some time.
"""

import hashlib
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from forge_db.paths import STATE
from mutants.mutant import FOR_RULES, Kill, Mutant

ASKED = ("test", "rule")  # who is asked one by one
PROBER = "prober"  # who notices the rest, with the contract
KEPT = STATE / "mutants" / "kills.json"
FIRST = Path(__file__).with_name("killers.toml")
HEAD = """\
# Which tests notice most of what is broken in a table or function, likeliest first. Only about the order in which
# `make test-mutants` asks: written by it, with --write-killers, after a whole run.

"""


class Memory:
    def __init__(self, stands_on: str, modules: Mapping[str, str], kept: Path = KEPT, first: Path = FIRST) -> None:
        """`stands_on` names the state of everything that verdicts depend on, `modules` that of each test module, and of
        the prober.
        """
        self.stands_on, self.modules, self.path = stands_on, modules, kept
        self.kept: dict[str, dict[str, str]] = json.loads(kept.read_text()) if kept.exists() else {}
        self.first: dict[str, list[str]] = tomllib.loads(first.read_text()) if first.exists() else {}

    def keep(self, mutant: Mutant, kill: Kill | None) -> None:
        """At the end of a way: a mutant that nobody notices any more is forgotten."""
        self.kept.pop(mutant.name, None)
        if kill is not None:
            self.kept[mutant.name] = {**kill._asdict(), "key": self._key(mutant, kill)}

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.kept, indent=0, sort_keys=True), encoding="utf-8")
        new.replace(self.path)

    def verdict(self, mutant: Mutant) -> Kill | None:
        """What became of it, where nothing has changed that could change that."""
        if (kept := self.kept.get(mutant.name)) is None:
            return None
        kill = Kill(kept["by"], kept["which"], kept["said"])
        return kill if kept["key"] == self._key(mutant, kill) else None

    def killer(self, mutant: Mutant) -> str:
        """The test or rule that noticed it the last time."""
        kept = self.kept.get(mutant.name, {})
        return kept["which"] if kept.get("by") in ASKED else ""

    def killers(self, mutant: Mutant) -> set[str]:
        """The tests and rules that have noticed it, or its like."""
        return {self.killer(mutant), *self.first.get(mutant.subject, ())} - {""}

    def counts(self) -> Counter[tuple[str, str]]:
        """How often tests, and modules, have noticed what was broken in a table or function."""
        found: Counter[tuple[str, str]] = Counter()
        for name, kept in self.kept.items():
            subject = name.partition(": ")[0]
            found.update(((subject, kept["which"]), (subject, stem(kept["which"]))))
        for subject, tests in self.first.items():
            for test in tests:
                found.update(((subject, test), (subject, stem(test))))
        return found

    def write_first(self, names: Mapping[str, Mutant], path: Path = FIRST) -> None:
        """Write killers.toml."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for name, kept in sorted(self.kept.items()):
            if name in names and kept["by"] in ASKED and names[name].kind not in FOR_RULES:
                counts[names[name].subject][kept["which"]] += 1
        lines = []
        for subject in sorted(counts):
            tests = "".join(f"    {json.dumps(test)},\n" for test, _ in counts[subject].most_common())
            lines.append(f"{json.dumps(subject)} = [\n{tests}]\n")
        path.write_text(HEAD + "".join(lines), encoding="utf-8")

    def _key(self, mutant: Mutant, kill: Kill) -> str:
        state = self.modules.get(kill.which.partition("::")[0] if kill.by in ASKED else PROBER, "")
        statement = hashlib.sha256(mutant.statement.encode()).hexdigest()[:12]
        return f"{self.stands_on} {state} {statement}"


def stem(test: str) -> str:
    """The module of a test."""
    return Path(test.partition("::")[0]).stem
