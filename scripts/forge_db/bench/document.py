"""docs/benchmarks.md and its chart, written from docs/benchmarks.json, which holds what a full run has measured."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from forge_db import paths
from forge_db.bench import data
from forge_db.bench.sizes import FULL
from forge_db.report import charts, facts

DOCS = paths.ROOT / "docs"
MEASURED = "benchmarks.json"
PAGES = ("benchmarks.md", "benchmarks.svg")
# The colours of the report's page, which a drawing that stands alone has to bring along.
LIGHT = "--ink: #1b1f24; --quiet: #57606a; --rule: #d0d7de; --c1: #0969da;"
DARK = "--ink: #e6edf3; --quiet: #9da7b1; --rule: #30363d; --c1: #58a6ff;"

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
    results = found["results"]
    grown = [it for it in results if it["name"].startswith("growth_")]
    page = environment.get_template("benchmarks.md.j2").render(
        **found,
        compared=[it for it in results if it not in grown and not without_bar(it)],
        grown=grown,
        shown=[it for it in results if without_bar(it)],
        failing=[it for it in results if not it["holds"]],
        full=asdict(FULL),
        designs=designs(),
        planned=[it for it in results if it["plans"]],
    )
    return dict(zip(PAGES, (page, chart(results)), strict=True))


def designs() -> dict[str, Found]:
    """What bars rest on, and how to undo it."""
    return tomllib.loads((data.FOLDER / "designs.toml").read_text(encoding="utf-8"))


def without_bar(result: Found) -> bool:
    """Only there to compare with."""
    return bool(re.fullmatch(rf"≤ {facts.NO_BAR}", result["bar"]))


def chart(results: list[Found]) -> str:
    """How many times better than asked each ratio is, the best first."""
    margins = {
        it["name"]: facts.margin(it["ratio"], it["bar"]) for it in results if not it["name"].startswith("growth_")
    }
    ranked = sorted(((margin, name) for name, margin in margins.items() if margin), reverse=True)
    drawn = str(charts.times([name for _, name in ranked], {"times": [margin for margin, _ in ranked]}))
    style = f":root {{ {LIGHT} font-family: sans-serif; }} @media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}"
    # Without a script, and with a name that is no other each time: the same figures, the same file.
    drawn = re.sub(r"<script.*?</script>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"chart-[0-9a-f-]{36}", "chart", drawn)
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{style}</style>", drawn, count=1) + "\n"
