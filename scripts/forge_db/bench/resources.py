"""What a size needs of the machine, said before anything is loaded."""

import os
import shutil
from pathlib import Path

import click

from forge_db.bench.sizes import Size

GB = 1_000_000_000
# Octets that a row takes with its indexes, its words and its copy in the rulebook's table, measured.
PROMPT, CALL, USER = 1_800, 700, 2_000
WRITTEN_AHEAD = 5 * GB  # max_wal_size, and what is written until a checkpoint ends
# The data is kept untouched and measured in a copy; a half and a quarter of it are kept as well.
COPIES = 2.75
CLIENTS = GB // 2


def memory_wanted(size: Size) -> int:
    """For shared_buffers: a part of what is measured, within what a small machine can spare."""
    return max(128_000_000, min(2 * GB, _rows(size) // 2))


def disk_wanted(size: Size) -> int:
    return int(_rows(size) * COPIES) + (GB if size.quick else WRITTEN_AHEAD)


def _rows(size: Size) -> int:
    return size.prompts * PROMPT + size.logged * CALL + size.users * USER


def demand(size: Size, folder: Path, kept: int) -> None:
    """Refuse a size that does not fit, before it is half loaded. Kept: octets of an earlier run that count as free."""
    wanted, free = disk_wanted(size), shutil.disk_usage(_existing(folder)).free + kept
    if free < wanted:
        raise click.UsageError(
            f"{size.prompts:,} prompts and {size.logged:,} calls need {gigabytes(wanted)} of disk, "
            f"and {gigabytes(free)} are free in {_existing(folder)}. Choose less: --prompts, --calls, or --quick."
        )
    wanted, available = memory_wanted(size) + CLIENTS, memory_available()
    if available < wanted:
        raise click.UsageError(
            f"{size.prompts:,} prompts and {size.logged:,} calls need {gigabytes(wanted)} of memory, "
            f"and {gigabytes(available)} are available. Choose less: --prompts, --calls, or --quick."
        )


def memory_available() -> int:
    """What programs can have without swapping; all there is, where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def gigabytes(octets: int) -> str:
    return f"{octets / GB:.1f} GB"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
