"""feedback_categories: a tree, whoever writes it and however many at once. Access is in test_catalogues.py."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors

from harness.databases import Database
from harness.people import Person
from harness.rights import insertable, updatable
from harness.session import Session

TABLE = "feedback_categories"
COLUMNS = ["name", "description", "parent_id", "is_active", "sort_order"]
MOVE = "update public.feedback_categories set parent_id = %s where id = %s"


@pytest.fixture
def chain(db: Session) -> list[Any]:
    """Five categories, each below the one before."""
    ids: list[Any] = [None]
    for _ in range(5):
        ids.append(db.add(TABLE, parent_id=ids[-1]))
    return ids[1:]


@pytest.mark.access
def test_staff_write_every_column_but_the_id_and_the_clock(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, TABLE) == COLUMNS
    assert updatable(db, TABLE) == [*COLUMNS, "updated_at"]


def test_no_category_is_its_own_parent(db: Session) -> None:
    category = db.add(TABLE)
    db.as_owner().run("alter table public.feedback_categories disable trigger user")
    with db.refuses(errors.CheckViolation, constraint="feedback_categories_is_not_its_own_parent"):
        db.run(MOVE, [category, category])


@pytest.mark.parametrize("below", range(5))
def test_no_category_moves_below_itself(db: Session, carol: Person, chain: list[Any], below: int) -> None:
    db.as_staff(carol)
    with db.refuses(errors.CheckViolation, constraint="feedback_categories_are_a_tree"):
        db.run(MOVE, [chain[below], chain[0]])


def test_a_category_hidden_from_its_mover_still_counts(db: Session, chain: list[Any]) -> None:
    db.as_owner().run("update public.feedback_categories set is_active = false")
    db.as_server()
    with db.refuses(errors.CheckViolation, constraint="feedback_categories_are_a_tree"):
        db.run(MOVE, [chain[4], chain[0]])


def test_one_statement_closes_no_circle_either(db: Session, chain: list[Any]) -> None:
    db.as_owner().run(MOVE, [None, chain[1]])
    swap = (
        "update public.feedback_categories set parent_id = case id when %s then %s::uuid else %s::uuid end "
        "where id in (%s, %s)"
    )
    with db.refuses(errors.CheckViolation, constraint="feedback_categories_are_a_tree"):
        db.run(swap, [chain[0], chain[1], chain[0], chain[0], chain[1]])


def test_categories_move_anywhere_else(db: Session, carol: Person, chain: list[Any]) -> None:
    db.as_staff(carol)
    for category, parent in ((chain[4], chain[0]), (chain[4], None), (chain[0], chain[4])):
        assert db.run(MOVE, [parent, category]) == 1


def test_a_category_with_children_cannot_be_deleted(db: Session, carol: Person, chain: list[Any]) -> None:
    delete = "delete from public.feedback_categories where id = %s"
    db.as_staff(carol)
    with db.refuses(errors.ForeignKeyViolation, constraint="feedback_categories_parent_id_fkey"):
        db.run(delete, [chain[0]])
    feedback = db.add("feedback", category_id=chain[4])
    assert db.run(delete, [chain[4]]) == 1
    assert db.truth("select category_id from public.feedback where id = %s", [feedback]) is None


def test_two_sessions_close_no_circle_together(scratch: Database) -> None:
    """Each makes the other's category its parent; neither sees what the other has not committed."""
    create = "insert into public.feedback_categories (name) values ('one'), ('two') returning id"
    with scratch.connect() as postgres:
        one, two = (row[0] for row in postgres.execute(create))

    def move(category: Any, parent: Any) -> str:
        with scratch.connect() as session:
            session.execute("select 1 from public.feedback_categories")
            session.execute("select pg_sleep(0.1)")
            try:
                session.execute(MOVE, [parent, category])
                session.execute("select pg_sleep(0.2)")
            except psycopg.errors.CheckViolation as error:
                return str(error.diag.constraint_name)
            return "moved"

    with ThreadPoolExecutor() as pool:
        answers = {it.result() for it in (pool.submit(move, one, two), pool.submit(move, two, one))}
    assert answers == {"moved", "feedback_categories_are_a_tree"}
