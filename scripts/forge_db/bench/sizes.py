"""How much data there is, and how long each measurement takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Rows to load, and rounds of so many seconds to measure."""

    users: int
    prompts: int
    logged: int
    rounds: int
    seconds: int
    quick: bool = False

    def settings(self) -> dict[str, str]:
        return {f"bench.{name}": str(getattr(self, name)) for name in ("users", "prompts", "logged")}

    @property
    def data(self) -> tuple[int, int, int]:
        """What decides the rows, and so what they are kept under."""
        return self.users, self.prompts, self.logged


FULL = Size(users=10_000, prompts=2_000_000, logged=5_000_000, rounds=5, seconds=1)
QUICK = Size(users=1_000, prompts=20_000, logged=40_000, rounds=1, seconds=1, quick=True)
