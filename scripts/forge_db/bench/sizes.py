"""How much data there is, and how long each measurement takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much data, and how long to look."""

    users: int
    logged: int
    prompts: int
    rounds: int
    seconds: int

    def settings(self) -> dict[str, str]:
        return {f"bench.{name}": str(getattr(self, name)) for name in ("users", "logged", "prompts")}


FULL = Size(users=10_000, logged=300_000, prompts=1_000_000, rounds=7, seconds=5)
QUICK = Size(users=1_000, logged=20_000, prompts=40_000, rounds=3, seconds=1)
