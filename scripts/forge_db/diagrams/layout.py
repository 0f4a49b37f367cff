"""Where things go: Graphviz places boxes of given sizes and leads the lines around them.

It is given no text to measure, so that the result does not depend on the fonts of a machine.
"""

import importlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from forge_db.errors import ForgeError

# Otherwise the library reads the system's and complains on stderr about what it does not understand.
FONTS = Path(__file__).with_name("fonts.conf")

# Width by height of what comes out.
SHAPE = 1.5

# What is tried, in tenths of the width that it would have were nothing empty.
WIDTHS = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 25)

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node: its size, and the heights of its rows from the top, to which lines lead by number."""

    name: str
    width: int
    rows: tuple[int, ...]

    @property
    def height(self) -> int:
        return sum(self.rows)


@dataclass(frozen=True)
class Line:
    """From a row of one box to the head of another, which comes to stand as many columns to its left."""

    start: str
    row: int
    end: str
    columns: int = 1


@dataclass(frozen=True)
class Frame:
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """In pixels from the top left corner. A line is a Bézier curve: a point, then three for each piece."""

    width: float
    height: float
    boxes: dict[str, Frame]
    lines: dict[Line, tuple[Point, ...]]

    def moved(self, x: float, y: float) -> "Layout":
        boxes = {name: Frame(it.left + x, it.top + y, it.width, it.height) for name, it in self.boxes.items()}
        lines = {line: tuple((a + x, b + y) for a, b in points) for line, points in self.lines.items()}
        return Layout(self.width, self.height, boxes, lines)


def place(boxes: Sequence[Box], lines: Sequence[Line]) -> Layout:
    """Place boxes: those that hang together by lines, and the parts beside each other."""
    return placings(boxes, lines)[0]


def placings(boxes: Sequence[Box], lines: Sequence[Line]) -> list[Layout]:
    """The same in several shapes, the one that a screen has first."""
    parts = [one_part([box for box in boxes if box.name in names], lines) for names in connected(boxes, lines)]
    return packings(parts, gap=28)


def connected(boxes: Sequence[Box], lines: Sequence[Line]) -> list[set[str]]:
    """The names that lines join, the largest parts first, the others as they come."""
    parts = [{box.name} for box in boxes]
    for line in lines:
        joined = [part for part in parts if part & {line.start, line.end}]
        parts = [part for part in parts if part not in joined]
        parts.insert(0, set().union(*joined))
    return sorted(parts, key=len, reverse=True)


def one_part(boxes: Sequence[Box], lines: Sequence[Line]) -> Layout:
    """By Graphviz, from what is pointed to on the left to what points to it on the right."""
    names = {box.name for box in boxes}
    lines = [line for line in lines if line.start in names]
    with no_fonts():
        answer = json.loads(library().AGraph(dot(boxes, lines)).draw(format="json", prog="dot"))
    left, bottom, right, top = map(float, answer["bb"].split(","))

    def points(said: str) -> list[Point]:
        pairs = (map(float, pair.split(",")) for pair in said.split())
        return [(round(x - left, 1), round(top - y, 1)) for x, y in pairs]

    centres = {item["name"]: points(item["pos"])[0] for item in answer["objects"] if "pos" in item}
    frames = {
        box.name: Frame(x - box.width / 2, y - box.height / 2, box.width, box.height)
        for number, box in enumerate(boxes)
        for x, y in [centres[f"n{number}"]]
    }
    curves = {lines[int(edge["id"])]: tuple(points(edge["pos"])) for edge in answer.get("edges", [])}
    return Layout(right - left, top - bottom, frames, curves)


@contextmanager
def no_fonts() -> Iterator[None]:
    """For Graphviz alone: a browser that is started later needs the machine's."""
    if "FONTCONFIG_FILE" in os.environ:
        yield
        return
    os.environ["FONTCONFIG_FILE"] = str(FONTS)
    try:
        yield
    finally:
        del os.environ["FONTCONFIG_FILE"]


def pack(parts: Sequence[Layout], gap: float) -> Layout:
    """Parts beside and below each other, in an order that reads, and in a shape that a screen has."""
    return packings(parts, gap)[0]


def packings(parts: Sequence[Layout], gap: float) -> list[Layout]:
    """The same in several shapes, the one that a screen has first."""
    widest = max(part.width for part in parts)
    ideal = sqrt(SHAPE * sum((part.width + gap) * (part.height + gap) for part in parts))
    tried = [_pack(parts, gap, max(widest, ideal * tenths / 10)) for tenths in WIDTHS]
    return sorted({(it.width, it.height): it for it in tried}.values(), key=size)


def size(it: Layout) -> tuple[float, float]:
    """The height of the screen that it needs, and how much of that it fills."""
    return max(it.width / SHAPE, it.height), it.width * it.height


def pack_any(parts: Sequence[Sequence[Layout]], gap: float) -> tuple[list[Layout], Layout]:
    """Parts of which each may take one of several shapes: those with which least is empty, and how they are packed."""
    chosen = [shapes[0] for shapes in parts]
    best = pack(chosen, gap)
    is_better = True
    while is_better:
        is_better = False
        for number, shapes in enumerate(parts):
            for shape in shapes:
                other = [*chosen[:number], shape, *chosen[number + 1 :]]
                packed = pack(other, gap)
                if size(packed) < size(best):
                    chosen, best, is_better = other, packed, True
    return chosen, best


def _pack(parts: Sequence[Layout], gap: float, width: float) -> Layout:
    """Each part at the highest free corner, and there as far left as it goes."""
    placed: list[Frame] = []
    boxes: dict[str, Frame] = {}
    lines: dict[Line, tuple[Point, ...]] = {}
    for part in parts:
        columns = sorted({0.0, *(it.left + it.width + gap for it in placed)})
        rows = sorted({0.0, *(it.top + it.height + gap for it in placed)})
        x, y = next(
            (x, y)
            for y in rows
            for x in columns
            if x + part.width <= width and not any(_overlap(x, y, part, it, gap) for it in placed)
        )
        placed.append(Frame(x, y, part.width, part.height))
        moved = part.moved(x, y)
        boxes |= moved.boxes
        lines |= moved.lines
    right, bottom = (max(it.left + it.width for it in placed), max(it.top + it.height for it in placed))
    return Layout(right, bottom, boxes, lines)


def _overlap(x: float, y: float, part: Layout, other: Frame, gap: float) -> bool:
    return (
        x < other.left + other.width + gap
        and other.left < x + part.width + gap
        and y < other.top + other.height + gap
        and other.top < y + part.height + gap
    )


def dot(boxes: Sequence[Box], lines: Sequence[Line]) -> str:
    """The graph in Graphviz's language. A box is a table of empty cells, one for each row; it goes by its number."""
    said = ["rankdir=LR; nodesep=0.35; ranksep=0.9; node [shape=plain]; edge [dir=none]"]
    said += [f"n{number} [label=<{cells(box)}>]" for number, box in enumerate(boxes)]
    numbers = {box.name: number for number, box in enumerate(boxes)}
    for number, line in enumerate(lines):
        ends = f"n{numbers[line.end]}:r0:e -> n{numbers[line.start]}:r{line.row}:w"
        said.append(f'{ends} [id="{number}" minlen={line.columns}]')
    return "digraph {\n" + ";\n".join(said) + "\n}"


def cells(box: Box) -> str:
    rows = "".join(
        f'<TR><TD PORT="r{number}" FIXEDSIZE="TRUE" WIDTH="{box.width}" HEIGHT="{height}"></TD></TR>'
        for number, height in enumerate(box.rows)
    )
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'


def library() -> Any:
    try:
        return importlib.import_module("pygraphviz")
    except ImportError as error:
        raise ForgeError(
            f"the diagrams are laid out by the Python package pygraphviz, and it cannot be loaded: {error}",
            "Run `make install`; where there is no wheel of it: apt install graphviz libgraphviz-dev, then again.",
        ) from error
