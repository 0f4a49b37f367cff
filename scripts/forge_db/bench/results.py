"""What a measurement says: one line of the table, with the figures behind it."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

# The bar of what is only there to compare with, or to reckon with.
NO_BAR = "–"
# Where the floor itself misses a bar, no design can meet it: half of the floor is asked.
OUT_OF_REACH = " (out of reach)"


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    name: str
    what: str
    ours: str
    baseline: str
    ratio: str
    bar: str
    holds: bool
    # Every figure, by side; and what PostgreSQL said about one call of each: the pages it touched, and its plan.
    measured: Mapping[str, list[float]] = field(default_factory=dict)
    buffers: Mapping[str, int] = field(default_factory=dict)
    plans: Mapping[str, str] = field(default_factory=dict)


def spread(speeds: list[float]) -> str:
    middle = statistics.median(speeds)
    return f"{middle:,.0f}/s ±{(max(speeds) - min(speeds)) / 2 / middle:.0%}"


def seconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin
