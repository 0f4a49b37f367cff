"""docs/benchmarks.md and its chart, written from docs/benchmarks.json, which holds what a full run has measured."""

import json
import re
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from forge_db import paths
from forge_db.bench import data
from forge_db.bench.results import NO_BAR, OUT_OF_REACH
from forge_db.bench.sizes import FULL
from forge_db.report import charts, facts

DOCS = paths.ROOT / "docs"
MEASURED = "benchmarks.json"
PAGES = ("benchmarks.md", "benchmarks.svg")
# The colours of the report's page, which a drawing that stands alone has to bring along.
LIGHT = "--ink: #1b1f24; --quiet: #57606a; --rule: #d0d7de; --c1: #0969da;"
DARK = "--ink: #e6edf3; --quiet: #9da7b1; --rule: #30363d; --c1: #58a6ff;"
# What a reader of the reckoning replaces by figures of their own.
PROMPTS_A_DAY = 20
BUSIEST_HOUR = 0.15  # of a day's prompts
SHARE_IN_USE = 0.5  # the rest is kept for peaks and maintenance

Found = Mapping[str, Any]


def read(folder: Path = DOCS) -> Found:
    found: Found = json.loads((folder / MEASURED).read_text(encoding="utf-8"))
    return found


def write(found: Found, folder: Path = DOCS) -> list[Path]:
    """The measurements, and what is written from them."""
    texts = {MEASURED: json.dumps(found, indent=1, ensure_ascii=False) + "\n", **render(found)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


def render(found: Found) -> dict[str, str]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: text.replace("|", "\\|")
    environment.filters["figures"] = lambda value: f"{float(f'{value:.2g}'):,.10g}"
    results = found["results"]
    grown = [it for it in results if it["name"].startswith("growth_")]
    page = environment.get_template("benchmarks.md.j2").render(
        **found,
        compared=[it for it in results if it not in grown and not without_bar(it)],
        grown=grown,
        shown=[it for it in results if without_bar(it) and it["baseline"]],
        carried=carried(results),
        barred=[it for it in results if not without_bar(it)],
        failing=[it for it in results if not it["holds"]],
        beyond=[it for it in results if it["holds"] and it["bar"].endswith(OUT_OF_REACH)],
        full=asdict(FULL),
        designs=designs(),
        planned=[it for it in results if it["plans"]],
    )
    return dict(zip(PAGES, (page, chart(results)), strict=True))


def designs() -> dict[str, Found]:
    """What bars rest on, and how to undo it."""
    return tomllib.loads((data.FOLDER / "designs.toml").read_text(encoding="utf-8"))


def without_bar(result: Found) -> bool:
    """Only there to compare with, or to reckon with."""
    return bool(result["bar"] == NO_BAR)


def carried(results: Sequence[Found]) -> Found | None:
    """What one machine carries, by the requests of one prompt; nothing where they were not measured."""
    middle = {
        it["name"].removeprefix("capacity_"): statistics.median(it["measured"]["ours"])
        for it in results
        if it["name"].startswith("capacity_")
    }
    if not middle:
        return None
    speeds = {name: middle[name] for name in ("limits", "prompt", "log", "page")}
    each = sum(1 / speed for speed in speeds.values())  # seconds of the machine
    users = SHARE_IN_USE / each / (PROMPTS_A_DAY * BUSIEST_HOUR / 3600)
    return {
        "speeds": speeds,
        "milliseconds": 1000 * each,
        "prompts": 1 / each,
        "users": users,
        "octets": (middle["prompt_space"], middle["log_space"]),
        "gigabytes": users * PROMPTS_A_DAY * (middle["prompt_space"] + middle["log_space"]) / 1e9,
        "page_share": 1 / speeds["page"] / each,
        "assumed": {"a_day": PROMPTS_A_DAY, "busiest": BUSIEST_HOUR, "in_use": SHARE_IN_USE},
    }


def chart(results: list[Found]) -> str:
    """How many times better than asked each ratio is, the best first."""
    margins = {
        it["name"]: facts.margin(it["ratio"], it["bar"]) for it in results if not it["name"].startswith("growth_")
    }
    ranked = sorted(((margin, name) for name, margin in margins.items() if margin), reverse=True)
    drawn = str(charts.times([name for _, name in ranked], [margin for margin, _ in ranked]))
    style = f":root {{ {LIGHT} font-family: sans-serif; }} @media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}"
    # Without a script, and with a name that is no other each time: the same figures, the same file.
    drawn = re.sub(r"<script.*?</script>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"chart-[0-9a-f-]{36}", "chart", drawn)
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{style}</style>", drawn, count=1) + "\n"
