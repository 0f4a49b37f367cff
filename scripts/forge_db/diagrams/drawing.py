"""Diagrams as SVG: Graphviz says where things go, a template draws them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, hypot

import jinja2

from forge_db.diagrams import layout
from forge_db.diagrams.layout import Box, Frame, Layout, Line, Point
from forge_db.diagrams.model import COMMANDS, ROLES, Column, Domain, Link, Model, Table
from forge_db.errors import shown
from forge_db.paths import ROOT

TEMPLATES = ROOT / "docs"
HEAD, ROW, FOOT = 30, 19, 42
# Widths of a character: of names in a head, and of the fixed-width rows. On the safe side of what browsers use.
BOLD, MONO = 7.9, 7.0
MARGIN, PADDING = 24, 16
# Of the heads, by domain; white is legible on each. On a dark ground the frames and signs are lighter.
HUES = ("#52525b", "#475569", "#7c3aed", "#0369a1", "#047857", "#b45309", "#be185d", "#b91c1c", "#4d7c0f")
HUES_ON_DARK = ("#a1a1aa", "#94a3b8", "#a78bfa", "#38bdf8", "#34d399", "#fbbf24", "#f472b6", "#f87171", "#a3e635")
# How much may stand in one column before there are two.
TALL = 900


@dataclass(frozen=True)
class Card:
    """A table as it is drawn: which of its columns are shown, and what those point to that no line leads to."""

    name: str
    domain: int
    table: Table | None
    columns: tuple[Column, ...] = ()
    pointers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """The name; what is not public is told apart by its schema."""
        return self.name.removeprefix("public.")

    def right(self, column: Column) -> str:
        """What stands opposite a column's name."""
        pointer = self.pointers.get(column.name)
        return f"→ {pointer}" if pointer else column.data_type + "?" * column.is_nullable

    @property
    def width(self) -> float:
        if not self.table:
            return BOLD * len(self.head) + 28
        rows = [MONO * (len(it.name) + len(self.right(it))) + 58 for it in self.columns]
        return max([BOLD * len(self.head) + 82, 216, *rows])

    def box(self, width: float) -> Box:
        rows = (HEAD, *(ROW for _ in self.columns), *([FOOT] if self.table else []))
        return Box(self.name, int(width) // 2 * 2 + 2, rows)

    def row_of(self, column: str) -> int:
        names = [it.name for it in self.columns]
        return names.index(column) + 1 if column in names else 0


@dataclass(frozen=True)
class Group:
    """A domain in the overall diagram."""

    number: int
    title: str
    frame: Frame


def domain(model: Model, it: Domain, href: str = "") -> str:
    """One domain with all columns; what it points to elsewhere by name. With links, a part of a page that has them."""
    links = model.links_of(it)
    cards = [Card(table.name, it.number, table, table.columns) for table in it.tables]
    own = {card.name for card in cards}
    for name in sorted({name for link in links for name in (link.table, link.target)} - own):
        other = model.domain_of(name)
        cards.append(Card(name, other.number if other else 0, None))
    width = max(card.width for card in cards)
    boxes = [card.box(width if card.table else card.width) for card in cards]
    lines = spread(boxes, [Line(it.table, row_in(cards, it), it.target) for it in links])
    return draw(it.title, it.summary, cards, dict(zip(lines, links, strict=True)), layout.place(boxes, lines), (), href)


def spread(boxes: Sequence[Box], lines: Sequence[Line]) -> list[Line]:
    """Those that only point to the same table, as most do to the accounts, in as many columns as look well."""
    heights = {box.name: box.height for box in boxes}
    ends = Counter(name for line in lines for name in {line.start, line.end})
    leaves = [line for line in lines if ends[line.start] == 1]
    count = min(3, ceil(sum(heights[line.start] for line in leaves) / TALL)) or 1
    filled = dict.fromkeys(range(1, count + 1), 0)
    columns: dict[Line, int] = {}
    for line in sorted(leaves, key=lambda line: -heights[line.start]):
        columns[line] = min(filled, key=lambda column: filled[column])
        filled[columns[line]] += heights[line.start]
    return [replace(line, columns=columns.get(line, 1)) for line in lines]


def overall(model: Model, href: str = "") -> str:
    """All tables with their keys, by domain. What leads out of a domain is said in its row."""
    cards: list[Card] = []
    links: dict[Line, Link] = {}
    for it in model.domains:
        names = {table.name for table in it.tables}
        leading = {(link.table, link.column): link.target for link in model.links if link.target not in names}
        for table in it.tables:
            shown = tuple(column for column in table.columns if {"PK", "FK"} & set(column.keys))
            pointers = {column: target for (name, column), target in leading.items() if name == table.name}
            cards.append(Card(table.name, it.number, table, shown, pointers))
        own = [link for link in model.links if {link.table, link.target} <= names]
        links |= {Line(link.table, row_in(cards, link), link.target): link for link in own}
    width = max(card.width for card in cards)
    shapes = []
    for it in model.domains:
        boxes = [card.box(width) for card in cards if card.domain == it.number]
        within = [line for line in links if any(box.name == line.start for box in boxes)]
        shapes.append([framed(inner) for inner in layout.placings(boxes, within)])
    groups, placed = layout.pack_any(shapes, gap=24)
    frames = [
        Group(it.number, it.title, around(it, placed, group)) for it, group in zip(model.domains, groups, strict=True)
    ]
    return draw("The whole database", "all tables with their keys, by subject.", cards, links, placed, frames, href)


def framed(inner: Layout) -> Layout:
    """With room for the frame of its domain and for the title."""
    moved = inner.moved(PADDING, PADDING + HEAD - 8)
    return replace(moved, width=inner.width + 2 * PADDING, height=inner.height + 2 * PADDING + HEAD - 8)


def around(it: Domain, placed: Layout, group: Layout) -> Frame:
    boxes = [placed.boxes[table.name] for table in it.tables]
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    return Frame(left - PADDING, top - PADDING - HEAD + 8, group.width, group.height)


def row_in(cards: Sequence[Card], link: Link) -> int:
    return next((card.row_of(link.column) for card in cards if card.name == link.table), 0)


def draw(
    title: str,
    summary: str,
    cards: Sequence[Card],
    links: Mapping[Line, Link],
    placed: Layout,
    groups: Sequence[Group],
    href: str,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=shown,  # not every character that a name may have is one of XML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["px"] = lambda number: f"{number:.1f}".removesuffix(".0")
    return environment.get_template("diagrams/diagram.svg.j2").render(
        title=title,
        summary=summary,
        cards=cards,
        placed=placed,
        groups=groups,
        links=[(link, path(placed.lines[line]), signs(link, placed.lines[line])) for line, link in links.items()],
        domains={card.name: card.domain for card in cards},
        roles=ROLES,
        commands=COMMANDS,
        head=HEAD,
        row=ROW,
        margin=MARGIN,
        hues=HUES,
        hues_on_dark=HUES_ON_DARK,
        href=href,
    )


def path(points: Sequence[Point]) -> str:
    first, *rest = (f"{x:g},{y:g}" for x, y in points)
    return f"M{first} C{' '.join(rest)}"


def signs(link: Link, points: Sequence[Point]) -> str:
    """The signs at both ends: a crow's foot where many rows point, a bar for one, a ring for none."""
    # Graphviz led it from the table that is pointed to.
    target, source = towards(points[0], points[1]), towards(points[-1], points[-2])
    return " ".join([*(foot(*source) if not link.is_single else bar(*source, 6)), *bar(*target, 6)])


def towards(end: Point, control: Point) -> tuple[Point, Point]:
    """An end of a line, and the direction in which the line leaves it."""
    dx, dy = control[0] - end[0], control[1] - end[1]
    length = hypot(dx, dy) or 1
    return end, (dx / length, dy / length)


def foot(end: Point, way: Point) -> Iterable[str]:
    (x, y), (dx, dy) = end, way
    for side in (-1, 1):
        yield f"M{x + 10 * dx:.1f},{y + 10 * dy:.1f} L{x - side * 5 * dy:.1f},{y + side * 5 * dx:.1f}"


def bar(end: Point, way: Point, distance: int) -> Iterable[str]:
    (x, y), (dx, dy) = end, way
    x, y = x + distance * dx, y + distance * dy
    yield f"M{x - 5 * dy:.1f},{y + 5 * dx:.1f} L{x + 5 * dy:.1f},{y - 5 * dx:.1f}"
