"""feedback_tags and what wears them: staff label, authors see the labels on their own. More in test_catalogues.py."""

from typing import Any

import pytest
from psycopg import errors

from harness import shapes
from harness.people import Person
from harness.refusal import Guard
from harness.rights import by_caller, insertable, updatable
from harness.session import Session

pytestmark = pytest.mark.access

TABLE = "feedback_tag_assignments"


@pytest.fixture
def labels(db: Session, alice: Person, bob: Person) -> dict[str, Any]:
    tag = db.add("feedback_tags")
    return {
        name: db.add(TABLE, feedback_id=db.add("feedback", user_id=user_id), tag_id=tag)
        for name, user_id in (("alice", alice.id), ("bob", bob.id), ("visitor", None))
    }


def test_staff_write_every_column_of_a_tag(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, "feedback_tags") == ["name", "description", "color", "is_active"]
    assert updatable(db, "feedback_tags") == ["name", "description", "color", "is_active", "updated_at"]


def test_each_caller_has_these_commands(db: Session, alice: Person, carol: Person) -> None:
    assert by_caller(db, TABLE, alice, carol) == {
        "visitor": "",
        "user": "select",
        "staff": "select insert update delete",
        "server": "select insert update delete",
    }


def test_staff_choose_message_and_tag(db: Session, carol: Person) -> None:
    db.as_staff(carol)
    assert insertable(db, TABLE) == ["feedback_id", "tag_id"]
    assert updatable(db, TABLE) == ["feedback_id", "tag_id"]


def test_authors_see_the_labels_on_their_own_feedback(db: Session, alice: Person, labels: dict[str, Any]) -> None:
    db.as_user(alice).sees(TABLE, [labels["alice"]])


def test_staff_and_the_server_see_all(db: Session, carol: Person, labels: dict[str, Any]) -> None:
    db.as_staff(carol).sees(TABLE, labels.values())
    db.as_server().sees(TABLE, labels.values())


@pytest.mark.usefixtures("labels")
def test_a_grant_that_slips_in_opens_nothing(db: Session, alice: Person) -> None:
    db.as_owner().run("grant insert, update, delete on public.feedback_tag_assignments to authenticated")
    row = {
        "feedback_id": db.add("feedback", user_id=alice.id),
        "tag_id": db.add("feedback_tags"),
    }
    db.as_user(alice)
    assert shapes.update(db, TABLE, {"tag_id": row["tag_id"]}) == 0
    assert shapes.delete(db, TABLE) == 0
    with db.refuses(errors.InsufficientPrivilege, by=Guard.POLICY):
        shapes.insert(db, TABLE, row)


@pytest.mark.usefixtures("labels")
def test_staff_label_and_unlabel(db: Session, carol: Person) -> None:
    feedback, tag, other = db.add("feedback"), db.add("feedback_tags"), db.add("feedback_tags")
    db.as_staff(carol)
    for shape in shapes.INSERT_SHAPES:
        with db.undone():
            assert shapes.insert(db, TABLE, {"feedback_id": feedback, "tag_id": tag}, shape) == 1
    for shape in shapes.WRITE_SHAPES:
        with db.undone():
            assert shapes.update(db, TABLE, {"tag_id": other}, shape) == 3
        with db.undone():
            assert shapes.delete(db, TABLE, shape) == 3


@pytest.mark.parametrize("table", ["feedback", "feedback_tags"])
@pytest.mark.usefixtures("labels")
def test_labels_go_with_the_message_and_with_the_tag(db: Session, table: str) -> None:
    db.as_server().run(f"delete from public.{table}")
    assert db.value("select count(*) from public.feedback_tag_assignments") == 0
