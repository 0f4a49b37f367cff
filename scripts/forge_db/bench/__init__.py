"""What the schema costs, as ratios: each workload against its baseline, interleaved in one run on a server of its own.

Durability is on, the order is reversed every other round, and the medians are compared: a ratio says more than a
figure, which depends on the machine. The workloads and their baselines are in sql/bench/.
"""

import click

from forge_db.bench import command

commands: list[click.Command] = [command.command]
