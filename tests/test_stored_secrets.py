"""Secrets of the server: where the functions of the owner put them, what they refuse, what a new key needs."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from harness import keys
from harness.examples import envelope
from harness.people import Person
from harness.session import Session

pytestmark = pytest.mark.one_platform

VAULT = Path(__file__).parent / "harness" / "vault.sql"
KEEP = "select private.keep_secret(%s, %s)"
CHANGE = "select private.change_encryption_key()"
CURRENT, PREVIOUS, DSN = "app_encryption_key", "app_encryption_key_previous", "maintenance_dsn"
FIRST, SECOND = "1" * 32, "2" * 32


def stored(db: Session) -> dict[str, str]:
    return {row["name"]: row["secret"] for row in db.as_owner().rows("select name, secret from private.secrets")}


def seal(db: Session, person: Person) -> None:
    """With whatever is the current encryption key."""
    with db.aside():
        db.as_user(person).value("select public.save_api_key('openai', %s)", [keys.KEYS["openai"]])


@pytest.fixture
def vault(db: Session, connection: psycopg.Connection) -> Session:
    connection.execute("set local role none; set local session authorization default")
    connection.execute(VAULT.read_bytes())
    return db.as_owner()


def vaulted(db: Session) -> dict[str, str]:
    rows = db.as_owner().rows("select name, decrypted_secret from vault.decrypted_secrets")
    return {row["name"]: row["decrypted_secret"] for row in rows}


# Where they go --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "", "app_encryption_keys", "jwt_secret"])
def test_only_what_is_needed_has_a_name(db: Session, name: str | None) -> None:
    db.as_owner()
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(KEEP, [name, FIRST])
    assert str(refusal.value.diag.message_hint).startswith("Names: app_encryption_key")


@pytest.mark.parametrize(
    ("name", "length", "fits"),
    [
        (CURRENT, 31, False),
        (CURRENT, 32, True),
        (PREVIOUS, 31, False),
        (CURRENT, 4097, False),
        (DSN, 0, False),
        (DSN, 1, True),
        (DSN, 4096, True),
        (DSN, 4097, False),
    ],
)
def test_a_secret_is_neither_empty_nor_a_book_nor_easily_guessed(
    db: Session, name: str, length: int, fits: bool
) -> None:
    secret = "x" * length
    db.as_owner()
    if fits:
        assert db.value(KEEP, [name, secret]) == "private.secrets"
    else:
        with db.refuses(errors.InvalidParameterValue) as refusal:
            db.value(KEEP, [name, secret])
        assert refusal.value.diag.message_hint == "Make a key with: openssl rand -base64 32"
    assert stored(db) == ({name: secret} if fits else {})


def test_one_secret_is_stored_replaced_or_removed_and_no_other(db: Session) -> None:
    db.as_owner()
    for name in (CURRENT, PREVIOUS, DSN):
        db.value(KEEP, [name, FIRST])
    assert db.value(KEEP, [CURRENT, SECOND]) == "private.secrets"
    assert stored(db) == {CURRENT: SECOND, PREVIOUS: FIRST, DSN: FIRST}
    assert db.value(KEEP, [PREVIOUS, None]) == "private.secrets"
    assert stored(db) == {CURRENT: SECOND, DSN: FIRST}
    assert db.value("select private.find_secret(%s)", [CURRENT]) == SECOND
    assert db.value("select private.find_secret(%s)", [PREVIOUS]) is None


def test_vault_has_one_entry_of_each_name(vault: Session) -> None:
    vault.run("insert into private.secrets (name, secret) values (%s, %s), (%s, %s)", [CURRENT, FIRST, DSN, FIRST])
    vault.value("select vault.create_secret('of others', 'theirs')")
    for secret in (FIRST, SECOND):
        assert vault.value(KEEP, [CURRENT, secret]) == "vault"
        assert vaulted(vault) == {CURRENT: secret, "theirs": "of others"}
        assert stored(vault) == {DSN: FIRST}, "in one place only"
    vault.value(KEEP, [PREVIOUS, FIRST])
    assert vaulted(vault) == {CURRENT: SECOND, PREVIOUS: FIRST, "theirs": "of others"}
    assert vault.value("select private.find_secret(%s)", [CURRENT]) == SECOND
    assert vault.value(KEEP, [CURRENT, None]) == "vault"
    assert vaulted(vault) == {PREVIOUS: FIRST, "theirs": "of others"}
    vault.value(KEEP, [DSN, None])
    assert (vaulted(vault), stored(vault)) == ({PREVIOUS: FIRST, "theirs": "of others"}, {})


# What may go ----------------------------------------------------------------------------------------------------------


def test_the_previous_key_stays_while_something_is_sealed_with_it(db: Session, alice: Person) -> None:
    db.as_owner().value(KEEP, [CURRENT, FIRST])
    seal(db, alice)
    assert db.value(KEEP, [PREVIOUS, None]) == "private.secrets", "there is none"
    db.value(KEEP, [PREVIOUS, FIRST])
    assert db.value(KEEP, [PREVIOUS, None]) == "private.secrets", "nothing needs it"
    db.value(KEEP, [PREVIOUS, FIRST])
    db.value(KEEP, [CURRENT, SECOND])
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refusal:
        db.value(KEEP, [PREVIOUS, None])
    assert refusal.value.diag.message_hint == "Run: forge-db rotate-keys"
    assert db.value(KEEP, [PREVIOUS, FIRST]) == "private.secrets", "it may be said once more"
    assert db.value(KEEP, [DSN, None]) == "private.secrets", "this is about no key"
    db.run("select public.rotate_api_keys()")
    assert db.value(KEEP, [PREVIOUS, None]) == "private.secrets"


def test_what_was_never_there_may_go(db: Session, alice: Person) -> None:
    """Although keys are sealed with another that nobody has any more."""
    db.as_owner().value(KEEP, [CURRENT, FIRST])
    seal(db, alice)
    db.value(KEEP, [CURRENT, SECOND])
    assert db.value(KEEP, [PREVIOUS, None]) == "private.secrets"


# A new encryption key -------------------------------------------------------------------------------------------------


def test_the_first_encryption_key_has_none_before_it(db: Session, alice: Person) -> None:
    """What clients seal for themselves is nothing to it."""
    db.add("api_configurations", user_id=alice.id, provider="openai", api_key_encrypted=envelope())
    assert db.as_owner().value(CHANGE) == "private.secrets"
    found = stored(db)
    assert found.keys() == {CURRENT}
    assert len(found[CURRENT]) >= 32


def test_a_new_encryption_key_keeps_the_one_before_it(db: Session, alice: Person) -> None:
    db.as_owner().value(KEEP, [CURRENT, FIRST])
    db.value(KEEP, [PREVIOUS, SECOND])
    seal(db, alice)
    db.value(CHANGE)
    found = stored(db)
    assert found[PREVIOUS] == FIRST
    assert found[CURRENT] not in (FIRST, SECOND)
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refusal:
        db.value(CHANGE)
    assert refusal.value.diag.message_detail == "1 keys are sealed with an older one."
    assert stored(db) == found


@pytest.mark.parametrize("is_used", [True, False])
def test_a_key_of_the_session_is_kept_where_something_is_sealed_with_it(
    db: Session, alice: Person, is_used: bool
) -> None:
    setting: dict[str, Any] = {PREVIOUS: FIRST} if is_used else {}
    db.as_owner().value("select set_config('app.encryption_key', %s, true)", [FIRST])
    if is_used:
        db.run(
            "insert into public.api_configurations (user_id, provider, api_key_encrypted) select %(who)s, 'openai', "
            "private.seal_api_key(%(who)s, 'openai', %(key)s, known.key_id, known.secret) "
            "from private.encryption_keys() as known",
            {"who": alice.id, "key": keys.KEYS["openai"]},
        )
    db.value(CHANGE)
    found = stored(db)
    assert {name: secret for name, secret in found.items() if name != CURRENT} == setting
