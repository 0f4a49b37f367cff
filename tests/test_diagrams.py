"""docs/diagrams.md and docs/diagrams/ show what the catalogue holds: all of it, legibly, and the same each time."""

import os
import re
import shutil
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from click.testing import CliRunner

from forge_db import diagrams
from forge_db.cli import main
from forge_db.diagrams import drawing, layout, model
from forge_db.diagrams.layout import Box, Frame, Layout, Line
from forge_db.diagrams.model import Model
from forge_db.errors import ForgeError
from harness.databases import Database

pytestmark = pytest.mark.one_platform
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found(connection: psycopg.Connection) -> Model:
    return model.read(connection)


@pytest.fixture(scope="module")
def files(found: Model) -> dict[str, str]:
    return diagrams.render(found)


def said(svg: str) -> list[str]:
    """Every text that a picture shows."""
    return ["".join(it.itertext()) for it in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_committed_files_are_what_the_catalogue_says(files: dict[str, str]) -> None:
    stale = diagrams.differing(files) + [path.name for path in diagrams.unknown(files)]
    assert stale == [], "run `make docs` and commit the result"


def test_each_time_they_are_the_same(found: Model, files: dict[str, str]) -> None:
    assert diagrams.render(found) == files


def test_every_table_is_in_one_domain_and_every_column_in_its_picture(connection: psycopg.Connection) -> None:
    found = model.read(connection)
    rows = connection.execute("""
        select nspname || '.' || relname, array_agg(attname::text) from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace join pg_attribute on attrelid = pg_class.oid
        where nspname in ('public', 'private', 'archive') and relkind in ('r', 'p') and not relispartition
            and attnum > 0 and not attisdropped
        group by 1
    """).fetchall()
    assert sorted(found.tables) == sorted(name for name, _ in rows)
    for name, columns in rows:
        domain = found.domain_of(name)
        assert domain
        assert domain.number, f"no schema file makes {name}"
        texts = said(drawing.domain(found, domain))
        assert name.removeprefix("public.") in texts
        assert set(columns) <= set(texts)


def test_every_foreign_key_is_drawn(connection: psycopg.Connection, files: dict[str, str], found: Model) -> None:
    keys = connection.execute("""
        select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
        join pg_class on conrelid = pg_class.oid
        where contype = 'f' and conparentid = 0 and not relispartition
            and connamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)
    """).fetchall()
    assert len(keys) == len(found.links) > 20
    for link in found.links:
        start = found.domain_of(link.table)
        assert start
        assert f"<title>{link.table}.{link.column} → {link.target}</title>" in files[f"diagrams/{start.slug}.svg"]
        ends = rf"^ +{diagrams.identifier(link.target)} \S+ {diagrams.identifier(link.table)} : \"{link.column}\"$"
        times = 1 + len({start, found.domain_of(link.target) or start})
        assert len(re.findall(ends, files["diagrams.md"], re.MULTILINE)) == times, "with its domain, and with all"


def test_what_opens_a_table_shows(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("alter table public.user_sessions disable row level security")
        connection.execute("grant usage on schema private to anon; grant select on private.secrets to anon")
        found = model.read(connection)
    sessions, secrets = found.tables["public.user_sessions"], found.tables["private.secrets"]
    assert not sessions.has_row_security
    assert not secrets.is_closed
    assert "no RLS" in said(drawing.overall(found))
    assert "| [private.secrets](DATABASE_STRUCTURE.md#privatesecrets) | on | S | – | – | – |" in diagrams.page(found)


def test_signs_say_how_many_and_what_may_be_missing(found: Model) -> None:
    links = {(it.table, it.column): it for it in found.links}
    profile, feedback = links["public.user_profiles", "user_id"], links["public.feedback", "category_id"]
    assert (profile.is_single, profile.is_optional) == (True, False)
    assert (feedback.is_single, feedback.is_optional) == (False, True)
    straight = ((0.0, 0.0), (30.0, 0.0), (70.0, 0.0), (100.0, 0.0))
    assert drawing.signs(profile, straight).count("M") == 2, "a bar at both ends"
    assert drawing.signs(feedback, straight).count("M") == 3, "a fork of two, and a bar"


def test_pictures_stand_by_themselves(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(text)
            assert "prefers-color-scheme: dark" in text
            assert re.findall(r"href=|src=|url\(|@import", text) == []


def test_nothing_covers_anything_else() -> None:
    boxes = [Box(f"table {number}", 120 + 20 * (number % 3), (30, *[19] * (number % 7))) for number in range(40)]
    lines = [Line("table 3", 1, "table 0"), Line("table 4", 2, "table 0"), Line("table 6", 1, "table 4")]
    placed = layout.place(boxes, lines)
    assert set(placed.boxes) == {box.name for box in boxes}
    for one, other in combinations(placed.boxes.values(), 2):
        beside = one.left >= other.left + other.width or other.left >= one.left + one.width
        below = one.top >= other.top + other.height or other.top >= one.top + one.height
        assert beside or below
    for line in lines:
        start, end = placed.boxes[line.start], placed.boxes[line.end]
        (left, top), (right, bottom) = placed.lines[line][0], placed.lines[line][-1]
        assert (left, top) == pytest.approx((end.left + end.width, end.top + 15), abs=1.5)
        assert (right, bottom) == pytest.approx((start.left, start.top + 30 + 19 * (line.row - 0.5)), abs=1.5)
    assert 0.8 < placed.width / placed.height < 2.5


def test_parts_take_the_shapes_with_which_least_is_empty() -> None:
    def shaped(name: str, *sizes: tuple[int, int]) -> list[Layout]:
        return [Layout(width, height, {name: Frame(0, 0, width, height)}, {}) for width, height in sizes]

    parts = [shaped("a", (100, 100), (300, 40)), shaped("b", (300, 60)), shaped("c", (300, 60), (100, 200))]
    chosen, placed = layout.pack_any(parts, gap=10)
    assert [it.width for it in chosen] == [300, 300, 300]
    assert (placed.width, placed.height) == (300, 180)
    assert layout.size(placed) < layout.size(layout.pack([shapes[0] for shapes in parts], gap=10))


def test_what_is_started_afterwards_has_the_fonts_of_the_machine(capfd: pytest.CaptureFixture[str]) -> None:
    """A browser without them crashes."""
    before = dict(os.environ)
    layout.place([Box("a", 10, (10,))], [])
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(ForgeError) as caught:
        layout.place([Box("a", 10, (10,))], [])
    assert "make install" in str(caught.value.hint)


def test_command(tmp_path: Path, scratch: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(diagrams.DOCS, tmp_path / "docs")
    monkeypatch.setattr(diagrams, "DOCS", tmp_path / "docs")
    run, url = CliRunner(), scratch.url("postgres")
    (tmp_path / "docs" / "diagrams" / "security-and-rls.svg").unlink()
    (tmp_path / "docs" / "diagrams" / "of-old.svg").touch()
    stale = run.invoke(main, ["diagrams", "--check", "--database-url", url])
    assert (stale.exit_code, "diagrams/of-old.svg, diagrams/security-and-rls.svg" in stale.output) == (1, True)
    assert "make docs" in stale.output
    written = run.invoke(main, ["diagrams", "--database-url", url])
    assert written.output == "wrote docs/diagrams/security-and-rls.svg\nremoved docs/diagrams/of-old.svg\n"
    assert run.invoke(main, ["diagrams", "--check", "--database-url", url]).exit_code == 0
