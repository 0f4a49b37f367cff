"""The life of a key: stored sealed, opened by the server only and only in its row, replaced, switched off, revealed.

Alice stores keys, Bob is another user, Carol is staff. The encryption key comes from private.secrets unless a test says
otherwise.
"""

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from harness import keys, postgrest, shapes
from harness.examples import envelope
from harness.keys import ENCRYPTION_KEY, KEYS
from harness.people import Person
from harness.refusal import Guard
from harness.session import Session

OPENAI = KEYS["openai"]
SAVE = "select public.save_api_key(%s, %s)"
REVEAL = "select public.reveal_api_key(%s)"
DECRYPT = "select public.decrypt_api_key(%s, %s)"
STORED = "select api_key_encrypted from public.api_configurations where user_id = %s and provider = %s"
VAULT = Path(__file__).parent / "harness" / "vault.sql"


@pytest.fixture
def sealed(db: Session) -> None:
    """A server that can seal keys."""
    keys.configure(db)


@pytest.fixture
def saved(db: Session, alice: Person) -> Any:
    """Alice has stored a key for OpenAI, and speaks."""
    keys.configure(db)
    return db.as_user(alice).value(SAVE, ["openai", OPENAI])


def opened(db: Session, person: Person, provider: str = "openai") -> Any:
    """What the server reads."""
    with db.aside():
        return db.as_server().value(DECRYPT, [person.id, provider])


def everything(db: Session) -> Any:
    return db.truth(
        "select coalesce(jsonb_agg(to_jsonb(item) order by id), '[]') from public.api_configurations as item"
    )


def says_nothing_of(error: psycopg.Error, *secrets: str) -> None:
    """Neither the beginning nor the end of a secret is in anything that the server says."""
    told = f"{error} {error.diag.message_detail} {error.diag.message_hint} {error.diag.context}"
    for secret in secrets:
        if len(secret) >= 12:
            assert secret[:12] not in told
            assert secret[-12:] not in told


# Storing --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("provider", KEYS)
def test_a_key_is_stored_sealed_and_opened_by_the_server(db: Session, alice: Person, provider: str) -> None:
    config = db.as_user(alice).value(SAVE, [provider, KEYS[provider]])
    stored = db.value(STORED, [alice.id, provider])
    kind, version, key_id, payload = stored.split(":")
    assert (kind, version, len(key_id)) == ("enc", "v1", 12)
    assert KEYS[provider].encode() not in b64decode(payload)
    assert opened(db, alice, provider) == KEYS[provider]
    assert db.value("select id from public.api_configurations") == config


@pytest.mark.usefixtures("sealed")
def test_a_key_is_stored_through_the_api(db: Session, alice: Person) -> None:
    postgrest.call(db.as_user(alice), "save_api_key", provider="openai", api_key=OPENAI)
    assert opened(db, alice) == OPENAI


@pytest.mark.usefixtures("alice", "saved")
def test_two_users_with_the_same_key_have_different_ciphertexts(db: Session, bob: Person) -> None:
    db.as_user(bob).value(SAVE, ["openai", OPENAI])
    assert db.truth("select count(distinct substring(api_key_encrypted from 20)) from public.api_configurations") == 2
    assert opened(db, bob) == OPENAI


def test_replacing_a_key_takes_its_verdict_and_keeps_its_counters(db: Session, alice: Person, saved: Any) -> None:
    db.as_server().run("select public.record_api_key_validation(%s, 'openai', true)", [alice.id])
    db.as_user(alice).run("select public.log_api_usage('openai')")
    db.run("update public.api_configurations set is_active = false")
    again = db.value(SAVE, ["openai", OPENAI[:-1] + "2"])
    assert again == saved
    (row,) = db.rows(
        "select is_active, is_validated, last_validated_at, validation_error, usage_count, "
        "last_used_at is not null as used from public.api_configurations"
    )
    assert row == {
        "is_active": True,
        "is_validated": False,
        "last_validated_at": None,
        "validation_error": None,
        "usage_count": 1,
        "used": True,
    }
    assert opened(db, alice) == OPENAI[:-1] + "2"


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_stored_for_its_own_provider_only(db: Session, alice: Person, provider: str, kind: str) -> None:
    db.as_user(alice)
    if kind == provider:
        db.value(SAVE, [provider, KEYS[kind]])
        return
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(SAVE, [provider, KEYS[kind]])
    name = db.value("select display_name from public.api_providers where name = %s", [kind])
    assert refusal.value.diag.message_detail == f"It looks like a key of {name}."
    says_nothing_of(refusal.value, KEYS[kind])


@pytest.mark.usefixtures("saved")
def test_a_key_that_fits_two_patterns_is_not_guessed_at(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.api_providers set api_key_pattern = '^sk-' where name = 'anthropic'")
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(SAVE, ["openai", OPENAI])
    assert "could belong to" in str(refusal.value)


BAD_KEYS = {
    "null": None,
    "empty": "",
    "a space before": " " + OPENAI,
    "a space after": OPENAI + " ",
    "a space inside": OPENAI[:20] + " " + OPENAI[20:],
    "a line break after": OPENAI + "\n",
    "a line break inside": OPENAI[:20] + "\r\n" + OPENAI[20:],
    "a tab": OPENAI + "\t",
    "a no-break space": OPENAI + "\u00a0",
    "a zero-width space": OPENAI[:20] + "\u200b" + OPENAI[20:],
    "a byte order mark": "\ufeff" + OPENAI,
    "a control character": OPENAI + "\x01",
    "a delete character": OPENAI + "\x7f",
    "a NUL escape": OPENAI + "\\u0000",
    "another NUL escape": OPENAI + "\\x00",
    "a percent-encoded NUL": OPENAI + "%00",
    "a Cyrillic s": "\u0455" + OPENAI[1:],
    "a Greek omicron": OPENAI[:-1] + "\u03bf",
    "full-width letters": "\uff53\uff4b" + OPENAI[2:],
    "an en dash": OPENAI.replace("-", "\u2013", 1),
    "a combining accent": OPENAI + "\u0301",
    "right-to-left": "\u202e" + OPENAI,
    "an emoji": OPENAI + "\U0001f511",
    "quotes": f'"{OPENAI}"',
    "a name before it": f"OPENAI_API_KEY={OPENAI}",
    "Bearer": f"Bearer {OPENAI}",
    "too short": OPENAI[:20],
    "base64": b64encode(OPENAI.encode()).decode(),
    "an envelope": envelope(),
    "JSON": json.dumps({"key": OPENAI}),
    "SQL": OPENAI + "'; drop table public.api_configurations; --",
    "a megabyte": "sk-" + "A7" * 524288,
    "a thousand and one": "sk-" + "A" * 998,
}


@pytest.mark.one_platform
@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.usefixtures("saved")
def test_a_bad_key_is_refused_and_changes_nothing(db: Session, alice: Person, key: str | None) -> None:
    before = everything(db)
    db.as_user(alice)
    with db.refuses(errors.InvalidParameterValue) as refusal:
        db.value(SAVE, ["openai", key])
    assert refusal.value.diag.message_hint
    assert len(str(refusal.value)) < 1000
    says_nothing_of(refusal.value, key or "", OPENAI)
    assert everything(db) == before


@pytest.mark.usefixtures("sealed")
def test_a_nul_character_never_arrives(db: Session, alice: Person) -> None:
    """Not in SQL, where psycopg stops it, and not in the JSON that PostgREST hands on."""
    db.as_user(alice)
    with db.refuses(psycopg.DataError):
        db.value(SAVE, ["openai", OPENAI + "\0"])
    with db.refuses(errors.UntranslatableCharacter) as refusal:
        db.value(
            "select public.save_api_key('openai', sent ->> 'api_key') from (select %s::json as sent) as body",
            [json.dumps({"api_key": OPENAI + "\0"})],
        )
    assert OPENAI[:20] not in f"{refusal.value.diag.message_primary} {refusal.value.diag.message_detail}"


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("provider", ["OpenAI", "OPENAI", "openai ", "acme", "", None, "'; select 1; --", "x" * 100000])
def test_an_unknown_provider_names_the_ones_there_are(db: Session, alice: Person, provider: str | None) -> None:
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(SAVE, [provider, OPENAI])
    assert refusal.value.diag.sqlstate == "PT404"
    assert refusal.value.diag.message_hint == "Providers: anthropic, gemini, openai. Names are lower case."
    assert len(str(refusal.value)) < 500
    says_nothing_of(refusal.value, OPENAI)


@pytest.mark.usefixtures("sealed")
def test_no_key_is_stored_for_a_provider_that_is_switched_off(db: Session, alice: Person) -> None:
    db.as_owner().run("update public.api_providers set is_enabled = false where name = 'openai'")
    db.as_user(alice)
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(SAVE, ["openai", OPENAI])
    assert refusal.value.diag.sqlstate == "PT404"


@pytest.mark.usefixtures("sealed")
def test_a_provider_that_the_table_does_not_know_is_refused_without_the_key(db: Session, alice: Person) -> None:
    """Staff can add a provider; which ones keys are stored for is a rule of the table."""
    db.add("api_providers", name="acme", api_key_pattern="^acme-")
    db.as_user(alice)
    with db.refuses(errors.CheckViolation, constraint="api_configurations_provider_is_known") as refusal:
        db.value(SAVE, ["acme", "acme-" + OPENAI])
    assert "enc:" not in str(refusal.value)
    says_nothing_of(refusal.value, OPENAI)


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("call", [(SAVE, ["openai", OPENAI]), (REVEAL, ["openai"])], ids=["save", "reveal"])
def test_only_who_is_signed_in_has_keys(db: Session, call: tuple[str, list[str]]) -> None:
    db.as_token("authenticated", '{"role": "authenticated"}')
    with db.refuses(errors.InvalidAuthorizationSpecification):
        db.value(*call)
    for speak in (db.as_visitor, db.as_server):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value(*call)


# Opening --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("saved")
def test_nobody_but_the_server_opens_keys(db: Session, alice: Person, carol: Person) -> None:
    for speak in (db.as_visitor, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
            db.value(DECRYPT, [alice.id, "openai"])


@pytest.mark.usefixtures("saved")
def test_a_key_that_is_switched_off_is_not_opened(db: Session, alice: Person) -> None:
    assert db.run("update public.api_configurations set is_active = false") == 1
    db.as_server()
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(DECRYPT, [alice.id, "openai"])
    assert refusal.value.diag.sqlstate == "PT404"
    db.as_user(alice).run("update public.api_configurations set is_active = true")
    assert opened(db, alice) == OPENAI


@pytest.mark.parametrize("provider", ["gemini", "OpenAI", None])
@pytest.mark.usefixtures("saved")
def test_a_key_that_is_not_there_is_not_found(db: Session, alice: Person, provider: str | None) -> None:
    db.as_server()
    with db.refuses(errors.DatabaseError) as refusal:
        db.value(DECRYPT, [alice.id, provider])
    assert refusal.value.diag.sqlstate == "PT404"


@pytest.mark.usefixtures("saved")
def test_a_ciphertext_opens_in_its_own_row_only(db: Session, alice: Person, bob: Person) -> None:
    stored = db.value(STORED, [alice.id, "openai"])
    db.as_owner().run(
        "insert into public.api_configurations (user_id, provider, api_key_encrypted) values (%s, 'openai', %s), "
        "(%s, 'gemini', %s)",
        [bob.id, stored, alice.id, stored],
    )
    db.as_server()
    for person, provider in ((bob, "openai"), (alice, "gemini")):
        with db.refuses(errors.DataException) as refusal:
            db.value(DECRYPT, [person.id, provider])
        says_nothing_of(refusal.value, OPENAI, stored)
    assert opened(db, alice) == OPENAI


@pytest.mark.usefixtures("saved")
def test_a_ciphertext_with_any_octet_changed_does_not_open(db: Session, alice: Person) -> None:
    opens = """
        select count(*) from (select decode(split_part(%(stored)s, ':', 4), 'base64') as octets) as sealed,
            generate_series(0, octet_length(octets) - 1) as position, unnest(array[1, 128]) as change
        where private.unseal_api_key(
            'enc:v1:x:' || translate(encode(
                set_byte(octets, position, get_byte(octets, position) # change), 'base64'), E'\\n', ''),
            %(user)s, 'openai', %(secret)s) is not null
    """
    stored = db.value(STORED, [alice.id, "openai"])
    assert db.truth(opens, {"stored": stored, "user": alice.id, "secret": ENCRYPTION_KEY}) == 0


@pytest.mark.usefixtures("sealed")
def test_a_ciphertext_of_another_making_does_not_open(db: Session, alice: Person) -> None:
    """pgcrypto would open it: without integrity, so that one could change it, or with a key that takes long to make."""
    others = (", disable-mdc=1", ", s2k-mode=3, s2k-count=65011712", ", s2k-digest-algo=sha1", ", cipher-algo=aes128")
    for option, opens in (("", 1), *((other, 0) for other in others)):
        made = """
            select count(private.unseal_api_key(
                'enc:v1:x:' || translate(encode(extensions.pgp_sym_encrypt(
                    %s || ':openai:sk-x', %s,
                    'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0' || %s
                ), 'base64'), E'\\n', ''),
                %s, 'openai', %s))
        """
        assert db.truth(made, [str(alice.id), ENCRYPTION_KEY, option, alice.id, ENCRYPTION_KEY]) == opens


@pytest.mark.usefixtures("saved")
def test_a_forged_envelope_says_only_that_it_cannot_be_opened(db: Session, alice: Person) -> None:
    forged = db.value(STORED, [alice.id, "openai"])[:20] + b64encode(bytes(range(100, 200))).decode()
    db.as_owner().run("update public.api_configurations set api_key_encrypted = %s", [forged])
    db.as_server()
    with db.refuses(errors.DataException) as refusal:
        db.value(DECRYPT, [alice.id, "openai"])
    says_nothing_of(refusal.value, forged, ENCRYPTION_KEY)


# Revealing ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("saved")
def test_keys_are_revealed_only_while_staff_allow_it(db: Session, alice: Person, carol: Person) -> None:
    flag = "update public.system_config set value = %s where key = 'client_key_reveal'"
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.value(REVEAL, ["openai"])
    assert db.as_staff(carol).run(flag, ["true"]) == 1
    assert db.as_user(alice).value(REVEAL, ["openai"]) == OPENAI
    db.as_staff(carol).run(flag, ["false"])
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.RAISED):
        db.value(REVEAL, ["openai"])
    event = db.truth("select jsonb_agg(jsonb_build_array(user_id, event_type, details)) from public.security_events")
    assert event == [[str(alice.id), "api_key_revealed", {"provider": "openai"}]]


@pytest.mark.usefixtures("saved")
def test_nobody_reveals_the_key_of_another(db: Session, bob: Person, carol: Person) -> None:
    db.as_owner().run("update public.system_config set value = 'true' where key = 'client_key_reveal'")
    for speak, person in ((db.as_user, bob), (db.as_staff, carol)):
        speak(person)
        with db.refuses(errors.DatabaseError) as refusal:
            db.value(REVEAL, ["openai"])
        assert refusal.value.diag.sqlstate == "PT404"


# Verdicts -------------------------------------------------------------------------------------------------------------

VERDICT = "select public.record_api_key_validation(%s, %s, %s, %s)"
SHOWN = "select is_validated, last_validated_at is not null as checked, validation_error from public.api_configurations"


@pytest.mark.usefixtures("saved")
def test_the_server_records_what_the_provider_said(db: Session, alice: Person) -> None:
    db.as_server().run(VERDICT, [alice.id, "openai", True, "ignored"])
    assert db.rows(SHOWN) == [{"is_validated": True, "checked": True, "validation_error": None}]
    db.run(VERDICT, [alice.id, "openai", False, f"Incorrect API key provided: {OPENAI}. See ?key={KEYS['gemini']}&v=1"])
    (row,) = db.rows(SHOWN)
    assert row == {
        "is_validated": False,
        "checked": True,
        "validation_error": "Incorrect API key provided: [key] See ?key=[key]&v=1",
    }
    db.run(VERDICT, [alice.id, "openai", False, None])
    assert db.rows(SHOWN)[0]["validation_error"] == "refused"
    db.run(VERDICT, [alice.id, "openai", False, "x" * 5000])
    assert len(db.rows(SHOWN)[0]["validation_error"]) == 2000


@pytest.mark.usefixtures("saved")
def test_a_verdict_needs_a_key_and_a_verdict(db: Session, alice: Person, bob: Person) -> None:
    db.as_server()
    for person, provider in ((bob, "openai"), (alice, "gemini"), (alice, "OpenAI")):
        with db.refuses(errors.DatabaseError) as refusal:
            db.run(VERDICT, [person.id, provider, True, None])
        assert refusal.value.diag.sqlstate == "PT404"
    with db.refuses(errors.InvalidParameterValue):
        db.run(VERDICT, [alice.id, "openai", None, None])
    db.as_user(alice)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.FUNCTION_GRANT):
        db.run(VERDICT, [alice.id, "openai", True, None])


@pytest.mark.one_platform
@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Incorrect API key provided: sk-proj-********abcd.", "Incorrect API key provided: [key]"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "Authorization: Bearer [key]"),
        ('{"api_key": "abc123", "model": "x"}', '{"api_key": "[key]", "model": "x"}'),
        ("x-api-key: 0123456789", "x-api-key: [key]"),
        ("GET /v1?alt=sse&key=AIzaSyX1&b=2", "GET /v1?alt=sse&key=[key]&b=2"),
        ("?access_token=abc", "?access_token=[key]"),
        ("xai-0123456789 and gsk_0123456789", "[key] and [key]"),
        ("JWT eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired", "JWT [key] expired"),
        ("Eyjafjallajökull. Eyjafjallajökull.Katla", "Eyjafjallajökull. Eyjafjallajökull.Katla"),
        ("A risk-assessment of the task-force.", "A risk-assessment of the task-force."),
        ("Rate limit reached for gpt-4o", "Rate limit reached for gpt-4o"),
    ],
)
def test_what_looks_like_a_key_is_cut_from_messages(db: Session, message: str, kept: str) -> None:
    assert db.truth("select private.redact_api_keys(%s)", [message]) == kept


# Clients that write the table -----------------------------------------------------------------------------------------


def utf16(text: str) -> str:
    return b64encode(text.encode("utf-16-le")).decode()


DISGUISES = {
    "plain": OPENAI,
    "base64": b64encode(OPENAI.encode()).decode(),
    "url-safe base64": urlsafe_b64encode(OPENAI.encode()).decode(),
    "hex": OPENAI.encode().hex(),
    "UTF-16": utf16(OPENAI),
    "marked": f"enc:c1:{OPENAI}",
    "base64 marked": "enc:c1:" + b64encode(OPENAI.encode()).decode(),
    "hex marked": "enc:c1:" + OPENAI.encode().hex(),
    "hex in capitals marked": "enc:c1:" + OPENAI.encode().hex().upper(),
    "base64 twice": "enc:c1:" + b64encode(b64encode(OPENAI.encode())).decode(),
    "base64 of hex": "enc:c1:" + b64encode(OPENAI.encode().hex().encode()).decode(),
    "UTF-16 marked": "enc:c1:" + utf16(OPENAI),
    "a Google key that is base64": "enc:c1:" + KEYS["gemini"] + "=",
    "marked as sealed": "enc:v1:0123456789ab:" + b64encode(OPENAI.encode()).decode(),
    "another version": envelope().replace("c1", "c2"),
    "shouted": envelope().upper(),
    "not base64": "enc:c1:" + "*" * 60,
    "too short": "enc:c1:" + b64encode(bytes(range(200, 227))).decode(),
    "nothing inside": "enc:c1:",
    "a line break": envelope() + "\n",
    "empty": "",
    "too long": "enc:c1:" + b64encode(bytes(range(256)) * 50).decode(),
}


@pytest.mark.one_platform
@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("speaker", ["user", "server", "owner"])
def test_only_ciphertext_is_stored_and_nothing_else_is_repeated(
    db: Session, alice: Person, speaker: str, disguise: str
) -> None:
    {"user": lambda: db.as_user(alice), "server": db.as_server, "owner": db.as_owner}[speaker]()
    row = {"user_id": alice.id, "provider": "openai", "api_key_encrypted": disguise}
    for shape in shapes.INSERT_SHAPES:
        with db.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted") as refusal:
            shapes.insert(db, "api_configurations", row, shape)
        says_nothing_of(refusal.value, disguise, OPENAI)
        assert "Failing row" not in str(refusal.value)
    db.add("api_configurations", user_id=alice.id)
    with db.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted") as refusal:
        db.run("update public.api_configurations set api_key_encrypted = %s where user_id = %s", [disguise, alice.id])
    says_nothing_of(refusal.value, disguise, OPENAI)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("provider = 'acme'", errors.CheckViolation),
        ("provider = null", errors.NotNullViolation),
        ("api_key_encrypted = null", errors.NotNullViolation),
        ("usage_count = -1", errors.CheckViolation),
        ("validation_error = repeat('x', 2001)", errors.CheckViolation),
    ],
)
@pytest.mark.parametrize("speaker", ["server", "owner"])
@pytest.mark.usefixtures("saved")
def test_no_refusal_shows_the_row_to_who_no_policy_holds(
    db: Session, speaker: str, change: str, error: type[psycopg.Error]
) -> None:
    """PostgreSQL's own DETAIL would: Failing row contains (…, enc:v1:…)."""
    db.as_server() if speaker == "server" else db.as_owner()
    with db.refuses(error) as refusal:
        db.run(f"update public.api_configurations set {change}")
    assert "enc:" not in str(refusal.value)
    assert "Failing row" not in str(refusal.value)


@pytest.mark.usefixtures("saved")
def test_nor_does_one_that_only_the_owner_meets(db: Session) -> None:
    """The server may not even try: a stored key belongs to whom it belongs."""
    change = "update public.api_configurations set user_id = null"
    with db.refuses(errors.NotNullViolation) as refusal:
        db.as_owner().run(change)
    assert "enc:" not in str(refusal.value)
    with db.refuses(errors.InsufficientPrivilege, by=Guard.COLUMN_GRANT):
        db.as_server().run(change)


def test_every_rule_of_the_table_is_refused_quietly(db: Session) -> None:
    """A new rule needs a line in tg_api_configurations__refuse_quietly, or its DETAIL shows ciphertext."""
    rules = db.as_owner().column(
        "select conname from pg_constraint where conrelid = 'public.api_configurations'::regclass and contype = 'c'"
    )
    assert set(rules) == {
        "api_configurations_key_is_encrypted",
        "api_configurations_provider_is_known",
        "api_configurations_usage_count_is_a_count",
        "api_configurations_validation_error_is_short",
    }
    may_be_null = db.column(
        "select attname from pg_attribute where attrelid = 'public.api_configurations'::regclass and attnum > 0 "
        "and attnotnull and not atthasdef"
    )
    assert set(may_be_null) == {"user_id", "provider", "api_key_encrypted"}


@pytest.mark.usefixtures("sealed")
def test_a_client_that_encrypts_for_itself_keeps_its_secret(db: Session, alice: Person) -> None:
    row = {"user_id": alice.id, "provider": "openai", "api_key_encrypted": envelope()}
    postgrest.insert(db.as_user(alice), "api_configurations", row)
    db.as_server()
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refusal:
        db.value(DECRYPT, [alice.id, "openai"])
    assert "only the client can open it" in str(refusal.value)
    says_nothing_of(refusal.value, envelope())
    assert db.as_user(alice).value(SAVE, ["openai", OPENAI])
    assert opened(db, alice) == OPENAI


@pytest.mark.usefixtures("saved")
def test_a_client_writes_no_seal_of_ours_but_may_write_back_what_it_read(db: Session, alice: Person) -> None:
    read = db.value(STORED, [alice.id, "openai"])
    row = {"user_id": alice.id, "provider": "openai", "api_key_encrypted": read, "is_active": False}
    upsert = sql.SQL(
        "insert into public.api_configurations ({}) values ({}) on conflict (user_id, provider) do update "
        "set is_active = excluded.is_active, api_key_encrypted = excluded.api_key_encrypted"
    ).format(sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row)))
    assert db.run(upsert.as_string(), list(row.values())) == 1
    forged = read[:30] + ("A" if read[30] != "A" else "B") + read[31:]
    for statement, values in (
        (upsert.as_string(), [alice.id, "openai", forged, True]),
        (upsert.as_string(), [alice.id, "gemini", read, True]),
        ("update public.api_configurations set api_key_encrypted = %s", [forged]),
    ):
        with db.refuses(errors.CheckViolation, constraint="api_configurations_key_is_encrypted") as refusal:
            db.run(statement, values)
        says_nothing_of(refusal.value, forged)


@pytest.mark.parametrize("speaker", ["user", "server"])
@pytest.mark.usefixtures("saved")
def test_a_client_that_replaces_the_ciphertext_loses_the_verdict(db: Session, alice: Person, speaker: str) -> None:
    db.as_server().run(VERDICT, [alice.id, "openai", True, None])
    if speaker == "user":
        db.as_user(alice)
    db.run("update public.api_configurations set is_active = true")
    assert db.rows(SHOWN)[0]["is_validated"] is True
    db.run("update public.api_configurations set api_key_encrypted = %s", [envelope()])
    assert db.rows(SHOWN) == [{"is_validated": False, "checked": False, "validation_error": None}]


# Where the encryption key comes from ----------------------------------------------------------------------------------

SETTING = "select set_config('app.encryption_key', %s, true)"


def test_without_an_encryption_key_the_error_names_three_ways(db: Session, alice: Person) -> None:
    db.as_user(alice)
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refusal:
        db.value(SAVE, ["openai", OPENAI])
    hint = refusal.value.diag.message_hint or ""
    assert all(way in hint for way in ("Vault", "app.encryption_key", "private.secrets"))
    says_nothing_of(refusal.value, OPENAI)


def test_a_short_encryption_key_is_refused_and_not_repeated(db: Session, alice: Person) -> None:
    keys.configure(db, "too-short-to-be-a-key")
    db.as_user(alice)
    with db.refuses(errors.ObjectNotInPrerequisiteState) as refusal:
        db.value(SAVE, ["openai", OPENAI])
    says_nothing_of(refusal.value, OPENAI, "too-short-to-be-a-key")


def test_the_setting_of_a_session_is_enough(db: Session, alice: Person) -> None:
    db.as_user(alice).value(SETTING, [ENCRYPTION_KEY])
    db.value(SAVE, ["openai", OPENAI])
    assert opened(db, alice) == OPENAI
    db.value(SETTING, [""])
    db.as_server()
    with db.refuses(errors.ObjectNotInPrerequisiteState):
        db.value(DECRYPT, [alice.id, "openai"])


def test_the_sources_are_asked_in_their_order(db: Session, connection: psycopg.Connection, alice: Person) -> None:
    """Vault, then the private table, then the setting: each is only asked when those before it have nothing."""
    secrets = {source: f"{source}: {keys.new_encryption_key()}" for source in ("vault", "setting", "table")}
    expected = "select left(encode(sha256(convert_to('key id of ' || %s, 'utf8')), 'hex'), 12)"
    key_id = "select key_id from private.encryption_keys() where is_current"

    db.as_owner().value(SETTING, [secrets["setting"]])
    assert db.truth(key_id) == db.truth(expected, [secrets["setting"]])

    keys.configure(db, secrets["table"])
    assert db.truth(key_id) == db.truth(expected, [secrets["table"]])

    connection.execute("set local role none; set local session authorization default")
    connection.execute(VAULT.read_bytes())
    db.as_owner()
    assert db.truth(key_id) == db.truth(expected, [secrets["table"]])
    db.value("select vault.create_secret(%s, 'app_encryption_key', 'Seals API keys.')", [secrets["vault"]])
    assert db.truth(key_id) == db.truth(expected, [secrets["vault"]])

    db.as_user(alice).value(SAVE, ["openai", OPENAI])
    assert opened(db, alice) == OPENAI


@pytest.mark.usefixtures("sealed")
def test_no_session_brings_a_key_of_its_own(db: Session, alice: Person) -> None:
    """Neither to seal with, nor to open what it has brought with it."""
    theirs = keys.new_encryption_key()
    known = "select array_agg(key_id order by key_id) from private.encryption_keys()"
    before = db.truth(known)
    db.as_user(alice).value(SETTING, [theirs])
    db.value("select set_config('app.encryption_key_previous', %s, true)", [theirs])
    db.value(SAVE, ["openai", OPENAI])
    assert db.truth(known) == before
    db.as_server().value(SETTING, [""])
    assert opened(db, alice) == OPENAI


def test_a_key_in_vault_can_be_changed_by_its_documented_functions(
    db: Session, connection: psycopg.Connection, alice: Person
) -> None:
    connection.execute("set local role none; set local session authorization default")
    connection.execute(VAULT.read_bytes())
    db.as_owner().value("select vault.create_secret(%s, 'app_encryption_key')", [ENCRYPTION_KEY])
    db.as_user(alice).value(SAVE, ["openai", OPENAI])
    db.as_owner().value("select vault.create_secret(%s, 'app_encryption_key_previous')", [ENCRYPTION_KEY])
    db.run(
        "select vault.update_secret(id, %s) from vault.decrypted_secrets where name = 'app_encryption_key'",
        [keys.new_encryption_key()],
    )
    assert opened(db, alice) == OPENAI
    db.as_owner().run("select * from public.rotate_api_keys()")
    db.run("delete from vault.secrets where name = 'app_encryption_key_previous'")
    assert opened(db, alice) == OPENAI


@pytest.mark.usefixtures("sealed")
def test_no_caller_sees_the_encryption_key(db: Session, alice: Person, carol: Person) -> None:
    for speak in (db.as_visitor, db.as_server, lambda: db.as_user(alice), lambda: db.as_staff(carol)):
        speak()
        for statement in (
            "select * from private.secrets",
            "select private.find_secret('app_encryption_key')",
            "select * from private.encryption_keys()",
        ):
            with db.refuses(errors.InsufficientPrivilege, by=Guard.SCHEMA_GRANT):
                db.rows(statement)
