"""What became of each mutant, what was accepted, and the report.

equivalent.toml names the mutants that no test can notice because nothing that anybody can observe changes, each with
its reason. It is reviewed like code: an entry that names no mutant, one that a test does notice, and more entries than
two in a hundred fail the run.
"""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from forge_db.access.source import nearest
from forge_db.errors import ForgeError
from mutants.mutant import Kind, Mutant

ACCEPTED = Path(__file__).with_name("equivalent.toml")
MOST = 0.02


@dataclass(frozen=True)
class Verdict:
    """`by` and `which` are empty for a mutant that survived, `error` says why one was not tried."""

    mutant: Mutant
    by: str = ""
    which: str = ""
    said: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def survived(self) -> bool:
        return not self.by and not self.error


def accepted(path: Path = ACCEPTED) -> dict[str, str]:
    """The mutants that are known to change nothing, and why."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    except tomllib.TOMLDecodeError as error:
        raise ForgeError(f"{path.name} is no TOML: {error}") from None
    found: dict[str, str] = {}
    for entry in entries:
        if set(entry) != {"mutant", "reason"} or not all(isinstance(it, str) and it.strip() for it in entry.values()):
            raise ForgeError(f"{path.name}: an entry has a mutant and a reason, both of them text: {entry}")
        if entry["mutant"] in found:
            raise ForgeError(f"{path.name} names {entry['mutant']} twice")
        found[entry["mutant"]] = " ".join(entry["reason"].split())
    return found


def objections(entries: Mapping[str, str], every: Collection[str], verdicts: Iterable[Verdict]) -> list[str]:
    """What is wrong with the list of accepted mutants."""
    found = [f"names no mutant: {name}. {nearest(name, every)}" for name in entries if name not in every]
    if len(entries) > MOST * len(every):
        found.append(f"has {len(entries)} entries, which is more than {MOST:.0%} of {len(every)} mutants")
    for verdict in verdicts:
        if verdict.by and verdict.mutant.name in entries:
            found.append(f"accepts a mutant that {verdict.by} {verdict.which} notices: {verdict.mutant.name}")
    return found


def survivors(verdicts: Iterable[Verdict], entries: Mapping[str, str]) -> list[Verdict]:
    return [it for it in verdicts if it.survived and it.mutant.name not in entries]


def table(verdicts: Iterable[Verdict], entries: Mapping[str, str]) -> str:
    """How many of each kind, and who noticed them."""
    columns = ("prober", "test", "rule", "contract", "accepted", "survived", "error")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for it in verdicts:
        equivalent = "accepted" if it.mutant.name in entries else "survived"
        what = "error" if it.error else it.by or equivalent
        counts[it.mutant.kind][what] += 1
        counts["all"][what] += 1
    lines = [f"{'':<22}{'mutants':>9}" + "".join(f"{name:>9}" for name in columns)]
    for kind in (*(str(it) for it in Kind), "all"):
        if kind in counts:
            told = "".join(f"{counts[kind][name] or '·':>9}" for name in columns)
            lines.append(f"{kind:<22}{counts[kind].total():>9}{told}")
    return "\n".join(lines)


def by_name(verdicts: Iterable[Verdict], entries: Mapping[str, str]) -> str:
    """Every mutant with its fate, for whoever wants to know what guards a thing."""
    lines = []
    for it in sorted(verdicts, key=lambda it: (it.mutant.kind, it.mutant.name)):
        if it.error:
            fate = f"ERROR     {it.error}"
        elif it.by:
            fate = f"killed    by {it.by} {it.which}: {it.said}"
        elif it.mutant.name in entries:
            fate = f"accepted  {entries[it.mutant.name]}"
        else:
            fate = "SURVIVED"
        lines.append(f"{it.mutant.name}\n    {' '.join(fate.split())[:300]} ({it.seconds:.1f} s)")
    return "\n".join(lines) + "\n"
