"""Nobody's statements change what another one sees, beyond what the contract shows to both.

hypothesis makes up sequences of statements of users, staff, visitors, the server and Supabase Auth. After each of them
the rows must be what a small model of the contract says (tests/world), and everybody must see exactly those rows that
the contract shows them. 100 sequences, shared out over the platforms; with `make test-slow` 2,000; or any number:

    make test-rls FORGE_SEQUENCES=500 FORGE_SEED=7 ARGS="-k non_interference"
"""

import os

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from harness import clusters
from harness.databases import REGIMES, Platform
from world.play import Play
from world.stage import staged
from world.steps import STEP, THEME, theme

SEQUENCES = int(os.environ.get("FORGE_SEQUENCES", "100"))
SEED = int(os.environ.get("FORGE_SEED", "1"))
# In one piece: in a list hypothesis would repeat few steps. One that is all zeros is no step.
BYTES = THEME + 30 * STEP


@pytest.mark.access
def test_nobody_changes_what_another_sees_beyond_the_contract(
    request: pytest.FixtureRequest, platform: Platform, connection: psycopg.Connection
) -> None:
    known = [f"pg{binaries.version}-{regime}" for binaries in clusters.installed() for regime in REGIMES]
    chosen = request.config.getoption("--platform") or known
    play(connection, -(-SEQUENCES // len(chosen)), SEED + 1000 * known.index(platform.name))


@pytest.mark.slow
@pytest.mark.one_platform
def test_nobody_changes_it_in_2000_sequences_either(connection: psycopg.Connection) -> None:
    play(connection, 2000, SEED)


def play(connection: psycopg.Connection, sequences: int, chance: int) -> None:
    with staged(connection) as stage:
        played = Play(stage)
        played.check_views(stage.beginning)

        @seed(chance)
        @settings(
            max_examples=sequences,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            database=None,
            deadline=None,
        )
        @given(st.binary(min_size=BYTES, max_size=BYTES))
        def run(numbers: bytes) -> None:
            note(f"FORGE_SEED={SEED}, {sequences} sequences beginning with seed {chance}")
            with stage.db.undone():
                sight = stage.beginning
                about = theme(numbers[:THEME], sight.world)
                for start in range(THEME, BYTES, STEP):
                    sight = played.take(sight, about, numbers[start : start + STEP], note)

        run()
        played.check_experience()
