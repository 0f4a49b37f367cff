"""The pictures of figures, drawn by pygal in the page's own colours, so that they follow its theme."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup
from pygal.style import Style

# pygal leaves a finder of its plugins behind, of a kind that Python 3.11 warns of at every import to come.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="var(--quiet)",
    foreground_strong="var(--ink)",
    foreground_subtle="var(--rule)",
    guide_stroke_color="var(--rule)",
    guide_stroke_dasharray="0",
    major_guide_stroke_color="var(--rule)",
    major_guide_stroke_dasharray="0",
    colors=("var(--c1)", "var(--c2)", "var(--c3)"),
    font_family="inherit",
    label_font_size=12,
    major_label_font_size=12,
    legend_font_size=13,
    no_data_font_size=14,
    opacity=".85",
    opacity_hover="1",
    transition="0s",
)
COMMON = {
    "style": STYLE,
    "js": [],
    "disable_xml_declaration": True,
    "explicit_size": False,
    "legend_at_bottom": True,
    "legend_at_bottom_columns": 5,
    "legend_box_size": 12,
    "margin": 8,
    "margin_right": 36,
}


def legend(series: Mapping[str, object]) -> dict[str, Any]:
    """Where there is more than one. With fewer than it has columns, pygal leaves it less room than it takes."""
    return {"show_legend": True, "margin_bottom": 28} if len(series) > 1 else {"show_legend": False}


def over_time(days: Sequence[Any], series: Mapping[str, Sequence[float | None]], unit: str = "") -> Markup:
    """Lines by day, one under the other in the same chart, from zero."""
    chart = pygal.Line(
        width=860, height=280, fill=len(series) == 1, show_dots=len(days) < 20, dots_size=3,
        x_labels_major_every=max(1, len(days) // 8), show_minor_x_labels=False, truncate_label=10,
        include_x_axis=True, min_scale=3, max_scale=6, value_formatter=lambda value: short(value, unit),
        **COMMON | legend(series),
    )  # fmt: skip
    chart.x_labels = [f"{day:%d %b}" for day in days]
    for name, values in series.items():
        chart.add(name, [None if value is None else float(value) for value in values], stroke_style={"width": 2})
    return drawn(chart)


def bars(names: Sequence[str], series: Mapping[str, Sequence[float]], unit: str = "") -> Markup:
    """A line for each name, its bars one behind the other."""
    series = {name: [float(value) for value in values] for name, values in series.items()}
    return listed(pygal.HorizontalStackedBar, names, series, value_formatter=lambda value: short(value, unit))


def times(names: Sequence[str], values: Sequence[float]) -> Markup:
    """A bar for each name: to the right of 1 for what is more, to the left and in red for what is less."""
    drawn = [it if it >= 1 else {"value": it, "color": "var(--critical)"} for it in values]
    return listed(
        pygal.HorizontalBar, names, {"times": drawn}, logarithmic=True, zero=1,
        value_formatter=lambda value: f"{value:g}×",
    )  # fmt: skip


def listed(kind: Any, names: Sequence[str], series: Mapping[str, Sequence[Any]], **options: Any) -> Markup:
    chart = kind(
        width=860, height=70 + 26 * len(names), spacing=6, truncate_label=60, min_scale=3, max_scale=6,
        **COMMON | legend(series) | options,
    )  # fmt: skip
    # From the top, as one reads.
    chart.x_labels = list(reversed(names))
    for name, values in series.items():
        chart.add(name, list(reversed(values)))
    return drawn(chart)


def drawn(chart: Any) -> Markup:
    """Without the comments that name the drawing program, and without what its script would need."""
    text = chart.render(is_unicode=True)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<desc class="(?:x|y|x_label|value|x centered|y centered)[^"]*">.*?</desc>', "", text)
    return Markup(text)  # pygal escapes what it is given


def short(value: float, unit: str = "") -> str:
    """As one reads a figure: 1.2 million, 340 kB, $3.20."""
    if unit == "B":
        return octets(value)
    if unit == "$":
        return f"${value:,.2f}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}{unit}"
    return f"{value:.4g}{unit}"


def octets(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
