"""A new key for everything that is encrypted.

Where the time of a key goes, by a profile: of 26 µs of the processor 13 are opening and sealing, 7 the update itself,
for which the baseline takes 8, and the rest is finding the keys and asking the triggers, all of which stand aside. With
those at work, and a line in the audit log for each key, it was 121.
"""

import statistics
from collections.abc import Callable, Iterator

from forge_db import sealing
from forge_db.bench.results import Result, seconds, spread
from forge_db.bench.stage import Stage


def rotation(stage: Stage) -> Iterator[Result]:
    """Sealing every key anew, in batches, against plain updates of the same rows; the floor only opens and seals."""
    rows, times = stage.size.users, dict[str, list[float]](ours=[], flag=[], column=[], floor=[])
    work: dict[str, Callable[[], None]] = {
        "ours": lambda: _rotate(stage),
        "flag": lambda: stage.run("update public.api_configurations set is_validated = is_validated"),
        "column": lambda: stage.run("update public.api_configurations set api_key_encrypted = api_key_encrypted"),
        "floor": lambda: stage.run(
            "select count(private.seal_api_key(item.user_id, item.provider, private.unseal_api_key("
            "item.api_key_encrypted, item.user_id, item.provider, known.secret), known.key_id, known.secret)) "
            "from public.api_configurations as item cross join private.encryption_keys() as known "
            "where known.is_current"
        ),
    }
    for number in range(stage.size.rounds):
        for side in sorted(work, reverse=number % 2 == 0):
            if side == "ours":
                stage.run("select private.change_encryption_key()")
            stage.run("vacuum public.api_configurations")
            times[side].append(rows / seconds(work[side]))
    ours, floor = (statistics.median(times[side]) for side in ("ours", "floor"))
    for name, side, updated in (
        ("rotation", "flag", "one plain update of the same rows"),
        ("rotation_column", "column", "one update that writes back the same column of the same rows"),
    ):
        baseline = statistics.median(times[side])
        yield Result(
            name, f"rotate_api_keys, {rows:,} keys, against {updated}", spread(times["ours"]), spread(times[side]),
            f"{ours / baseline:.2f} (floor {floor / baseline:.2f})", "≥ 0.3", ours / baseline >= 0.3, times,
        )  # fmt: skip


def _rotate(stage: Stage) -> None:
    with stage.connect() as owner:
        sealing.rotate(owner, sealing.BATCH, lambda _: None)
