"""Measurements that are no comparison of two scripts: a function each, which yields its lines of the table."""

from collections.abc import Callable, Iterator

from forge_db.bench.results import Result
from forge_db.bench.special import rate_limits, retention, rollups, rotation, upgrades
from forge_db.bench.stage import Stage

SPECIAL: dict[str, Callable[[Stage], Iterator[Result]]] = {
    "rate_limit_exact": rate_limits.exact,
    "rate_limit_denied_wal": rate_limits.denied_wal,
    "rate_limit_growth": rate_limits.growth,
    "rotation": rotation.rotation,
    "retention": retention.retention,
    "rollups": rollups.rollups,
    "upgrade": upgrades.upgraded,
}
