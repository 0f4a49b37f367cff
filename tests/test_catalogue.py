"""What every table and function owes, asked of the catalogue: a rule without a test drifts."""

import pytest

from harness.promises import OURS, PROMISES, Promise
from harness.session import Session

pytestmark = pytest.mark.access


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
def test_promise_is_kept_and_would_be_missed(db: Session, promise: Promise) -> None:
    db.as_owner()
    assert db.column(OURS + promise.query) == []
    db.run(promise.broken_by)
    assert db.column(OURS + promise.query) != [], "the check does not see what breaks the promise"
