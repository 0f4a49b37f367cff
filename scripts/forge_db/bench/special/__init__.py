"""Measurements that are no comparison of two scripts: a function each, which yields its lines of the table.

Each runs in a database of its own, which holds users and their keys.
"""

from collections.abc import Callable, Iterator

from forge_db.bench.results import Result
from forge_db.bench.special import (
    capacity,
    installs,
    pooling,
    rate_limits,
    retention,
    rollups,
    rotation,
    suites,
    updates,
    upgrades,
)
from forge_db.bench.stage import Stage

SPECIAL: dict[str, Callable[[Stage], Iterator[Result]]] = {
    "capacity": capacity.capacity,
    "rate_limit_exact": rate_limits.exact,
    "rate_limit_denied_wal": rate_limits.denied_wal,
    "rate_limit_growth": rate_limits.growth,
    "rotation": rotation.rotation,
    "pooling": pooling.pooled,
    "updates": updates.updates,
    "retention": retention.retention,
    "rollups": rollups.rollups,
    "upgrade": upgrades.upgraded,
    "install": installs.installation,
    "probes": suites.probes,
}
