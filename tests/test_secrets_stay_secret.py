"""Secrets are in no log, no statistics, no record and no export, with the server logging everything it can.

The log is a log of every statement with every parameter: what is not found there is found nowhere. That it would be
found is seen first, by a call that leaves it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from click.testing import CliRunner

from forge_db.cli import main
from forge_db.paths import ROOT
from harness import keys
from harness.client import Client, join
from harness.databases import SUPERUSER, Database
from harness.keys import KEYS
from harness.people import Person

# Nobody else's: the log is one for all databases of a server, and other workers write there too.
OPENAI = "sk-proj-" + token_hex(24)
ENCRYPTION_KEY = keys.new_encryption_key()
VAULT = Path(__file__).parent / "harness" / "vault.sql"
EVERYTHING = {
    "log_statement": "'all'",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "'debug5'",
    "log_min_messages": "'debug1'",
    "log_error_verbosity": "'verbose'",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "debug_print_parse": "on",
    "debug_print_plan": "off",
}
PLANS = {
    "session_preload_libraries": "'auto_explain'",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_verbose": "on",
    "auto_explain.log_nested_statements": "on",
}


DOCUMENT = ROOT / "docs" / "keys-and-limits.md"
THIS_DATABASE = "(select oid from pg_database where datname = current_database())"


def configure(database: Database, settings: Mapping[str, str]) -> None:
    with database.connect(SUPERUSER, autocommit=True) as admin:
        for setting, value in settings.items():
            admin.execute(f"alter database {database.name} set {setting} = {value}")


def documented_settings(version: int) -> dict[str, str]:
    """What the document tells whoever logs statements to set."""
    _, block, _ = re.split("```ini\n|```", DOCUMENT.read_text(encoding="utf-8").partition("about logs")[2], maxsplit=2)
    found = re.findall(r"^ *([\w.]+) = (\S+)(?:.*from PostgreSQL (\d+) on)?", block, re.MULTILINE)
    return {setting: value for setting, value, since in found if int(since or 0) <= version}


class Watch:
    """What the server has written since the watch began, for this database or another."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.log = database.server.log
        self.begin = self.log.stat().st_size

    def since(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.begin)
            return log.read().decode(errors="replace")

    def saw(self, *secrets: str) -> list[str]:
        """Those of which the beginning, the end, or the hex of it was written."""
        written = self.since()
        assert self.database.name in written or "statement:" in written, "nothing was logged, so nothing is proved"
        forms = ((it, (it[:16], it[-16:], it.encode().hex()[:24])) for it in secrets)
        return [it for it, parts in forms if any(part in written for part in parts)]


@pytest.fixture
def watch(scratch: Database) -> Watch:
    """From now on, sessions in this database log everything."""
    configure(scratch, EVERYTHING)
    return Watch(scratch)


@pytest.fixture
def alice(scratch: Database) -> Person:
    with scratch.connect() as owner:
        return join(owner, "alice@example.com")


@pytest.fixture
def sealed(scratch: Database, alice: Person) -> None:
    """Before the watch: a server with an encryption key, and a key of Alice's. Nothing of it is logged."""
    with scratch.connect() as owner:
        owner.execute("insert into private.secrets (name, secret) values ('app_encryption_key', %s)", [ENCRYPTION_KEY])
    with Client.of(scratch, alice) as client:
        client.value("select public.save_api_key('openai', %s)", [OPENAI])


def forge(database: Database, *arguments: str, typed: str | None = None) -> str:
    result = CliRunner().invoke(main, arguments, input=typed, env={"FORGE_DATABASE_URL": database.url()})
    assert result.exit_code == 0, result.output
    return result.output


def stored(database: Database) -> dict[str, str]:
    with database.connect() as owner:
        return dict(owner.execute("select name, secret from private.secrets").fetchall())


def ciphertexts(database: Database) -> list[str]:
    with database.connect() as owner:
        return [
            row[0].split(":")[-1] for row in owner.execute("select api_key_encrypted from public.api_configurations")
        ]


# The tool -------------------------------------------------------------------------------------------------------------


def test_the_tool_brings_a_secret_past_the_log(scratch: Database, watch: Watch) -> None:
    secrets = {"app_encryption_key": keys.new_encryption_key(), "maintenance_dsn": "host=x password=" + "p4ssw0rd" * 4}
    for name, secret in secrets.items():
        said = forge(scratch, "secret", name, typed=f"{secret}\n")
        assert said == f"{name} is in private.secrets\n"
    assert stored(scratch) == secrets
    assert "select private.keep_secret" in watch.since()
    assert watch.saw(*secrets.values()) == []


def test_the_tool_changes_and_removes_a_secret(scratch: Database, watch: Watch) -> None:
    first, second = keys.new_encryption_key(), keys.new_encryption_key()
    forge(scratch, "secret", "app_encryption_key", typed=first)
    forge(scratch, "secret", "app_encryption_key", typed=f"{second}\r\n")
    assert stored(scratch) == {"app_encryption_key": second}
    forge(scratch, "secret", "app_encryption_key", "--remove")
    assert stored(scratch) == {}
    assert watch.saw(first, second) == []


def test_with_vault_a_secret_goes_there_and_nowhere_else(scratch: Database, watch: Watch) -> None:
    in_table, first, second = (keys.new_encryption_key() for _ in range(3))
    forge(scratch, "secret", "app_encryption_key", typed=in_table)
    with scratch.connect(SUPERUSER) as admin:
        admin.execute(VAULT.read_bytes())
    for secret in (first, second):
        assert forge(scratch, "secret", "app_encryption_key", typed=secret) == "app_encryption_key is in vault\n"
        assert stored(scratch) == {}
    with scratch.connect() as owner:
        assert owner.execute("select private.find_secret('app_encryption_key')").fetchone() == (second,)
        assert owner.execute("select count(*) from vault.secrets where secret = %s", [second]).fetchone() == (0,)
    forge(scratch, "secret", "app_encryption_key", "--remove")
    with scratch.connect() as owner:
        assert owner.execute("select count(*) from vault.secrets").fetchone() == (0,)
    assert watch.saw(in_table, first) == []


BAD_SECRETS = {
    "nothing": ("", "standard input is empty"),
    "two lines": (f"{ENCRYPTION_KEY}\n{ENCRYPTION_KEY}\n", "line breaks"),
    "a NUL": (f"{ENCRYPTION_KEY}\0", "control characters"),
    "too short": ("0123456789-too-short", "at least 32"),
    "too long": ("0123456789abcdef" * 257, "1 to 4096 characters"),
}


@pytest.mark.one_platform
@pytest.mark.parametrize(("typed", "message"), BAD_SECRETS.values(), ids=BAD_SECRETS)
def test_a_bad_secret_is_refused_and_repeated_nowhere(
    scratch: Database, watch: Watch, typed: str, message: str
) -> None:
    result = CliRunner().invoke(
        main, ["secret", "app_encryption_key"], input=typed, env={"FORGE_DATABASE_URL": scratch.url()}
    )
    assert result.exit_code == 1
    assert message in result.stderr
    assert stored(scratch) == {}
    for secret in filter(None, typed.splitlines()):
        assert secret[:12] not in result.output
        assert secret[:12] not in watch.since()


@pytest.mark.usefixtures("sealed")
def test_a_new_encryption_key_is_made_where_nobody_reads_it(scratch: Database, watch: Watch) -> None:
    before = ciphertexts(scratch)
    assert "1 keys sealed" in forge(scratch, "rotate-keys", "--new-key")
    made = stored(scratch)
    assert made["app_encryption_key_previous"] == ENCRYPTION_KEY
    assert made["app_encryption_key"] not in ("", ENCRYPTION_KEY)
    assert watch.saw(OPENAI, *made.values(), *before) == []


# Clients --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sealed")
def test_a_key_in_a_parameter_reaches_a_log_of_all_parameters_and_no_other(
    scratch: Database, watch: Watch, alice: Person
) -> None:
    """PostgreSQL logs a statement before it runs it, so only the settings can keep a key out: see the docs."""
    configure(scratch, PLANS)
    another = "sk-proj-" + token_hex(24)
    with Client.of(scratch, alice) as client:
        client.value("select public.save_api_key('openai', %s)", [another])
    assert watch.saw(another) == [another], "this way of looking finds what is there"

    configure(scratch, documented_settings(scratch.server.binaries.version))
    watch = Watch(scratch)
    with Client.of(scratch, alice) as client:
        client.value("select public.save_api_key('openai', %s)", [OPENAI])
        with pytest.raises(psycopg.Error):
            client.value("select public.save_api_key('anthropic', %s)", [OPENAI])
        with pytest.raises(psycopg.Error):
            client.value(
                "insert into public.api_configurations (user_id, provider, api_key_encrypted) "
                "values (%s, 'gemini', %s)",
                [alice.id, OPENAI],
            )
    assert "save_api_key" in watch.since()
    assert "Query Text:" in watch.since()
    assert watch.saw(OPENAI, ENCRYPTION_KEY) == []


@pytest.mark.usefixtures("sealed")
def test_what_comes_out_is_never_logged(scratch: Database, watch: Watch, alice: Person) -> None:
    with scratch.connect() as owner:
        owner.execute("update public.system_config set value = 'true' where key = 'client_key_reveal'")
    with Client.server(scratch) as server:
        assert server.value("select public.decrypt_api_key(%s, 'openai')", [alice.id]) == OPENAI
    with Client.of(scratch, alice) as client:
        assert client.value("select public.reveal_api_key('openai')") == OPENAI
        client.rows("select * from public.api_configurations")
    assert "reveal_api_key" in watch.since()
    assert watch.saw(OPENAI, ENCRYPTION_KEY, *ciphertexts(scratch)) == []


@pytest.mark.usefixtures("sealed")
def test_no_failure_inside_writes_a_secret(scratch: Database, watch: Watch, alice: Person) -> None:
    """Rules broken by whoever no policy holds, keys that do not open, a rotation without the previous key."""
    before = ciphertexts(scratch)
    with scratch.connect(autocommit=True) as owner:
        for statement in (
            "update public.api_configurations set provider = 'acme'",
            "update public.api_configurations set user_id = null",
            "update public.api_configurations set usage_count = -1",
            "update public.api_configurations set usage_count = 2147483647 + usage_count + 1",
            "insert into public.api_configurations select * from public.api_configurations",
            "insert into public.api_configurations (user_id, provider, api_key_encrypted) "
            "select gen_random_uuid(), provider, api_key_encrypted from public.api_configurations",
            "update private.secrets set name = 'misspelt_key'",
            "update private.secrets set name = null",
            "update private.secrets set secret = repeat(secret, 200)",
            "insert into private.secrets select * from private.secrets",
        ):
            with pytest.raises(psycopg.Error):
                owner.execute(statement)
        owner.execute("update private.secrets set secret = reverse(secret)")
        owner.execute("select * from public.rotate_api_keys()")
        with pytest.raises(psycopg.errors.DataException):
            owner.execute("select public.decrypt_api_key(%s, 'openai')", [alice.id])
    assert "app_encryption_key" in watch.since()
    assert watch.saw(OPENAI, ENCRYPTION_KEY, ENCRYPTION_KEY[::-1], *before) == []


# Statistics, records, export ------------------------------------------------------------------------------------------


@pytest.fixture
def statistics(scratch: Database) -> Iterator[psycopg.Connection]:
    """pg_stat_statements, as whoever may read all of it."""
    with scratch.connect(SUPERUSER, autocommit=True) as admin:
        admin.execute("create extension if not exists pg_stat_statements with schema extensions")
        # Of this database only: a statement that runs elsewhere meanwhile would be kept with its constants.
        admin.execute(f"select extensions.pg_stat_statements_reset(0, {THIS_DATABASE}, 0)")
        yield admin


@pytest.mark.usefixtures("sealed")
def test_statistics_hold_no_secret_even_if_one_was_written_into_the_statement(
    scratch: Database, statistics: psycopg.Connection, alice: Person
) -> None:
    thrown_out = "select dealloc from extensions.pg_stat_statements_info"
    for _ in range(20):
        before = statistics.execute(thrown_out).fetchone()
        with Client.of(scratch, alice) as client:
            client.rows(f"select public.save_api_key('openai', '{OPENAI}')")
            with pytest.raises(psycopg.Error):
                client.rows(f"select public.save_api_key('gemini', '{OPENAI}')")
        forge(scratch, "secret", "app_encryption_key_previous", typed=ENCRYPTION_KEY)
        forge(scratch, "rotate-keys", "--new-key")
        counted = "\n".join(
            row[0]
            for row in statistics.execute(
                f"select query from extensions.pg_stat_statements where dbid = {THIS_DATABASE}"
            )
        )
        if statistics.execute(thrown_out).fetchone() == before:
            break
        # Where many are written, an entry may be thrown out while its statement runs, and is kept with its constants.
        statistics.execute(f"select extensions.pg_stat_statements_reset(0, {THIS_DATABASE}, 0)")
    assert "save_api_key" in counted
    assert "keep_secret" in counted
    for secret in (OPENAI, ENCRYPTION_KEY, *stored(scratch).values(), *ciphertexts(scratch)):
        assert secret[:12] not in counted


@pytest.mark.usefixtures("sealed")
def test_neither_records_nor_the_export_hold_a_secret(scratch: Database, alice: Person) -> None:
    with scratch.connect() as owner:
        owner.execute("update public.system_config set value = 'true' where key = 'client_key_reveal'")
    with Client.server(scratch) as server:
        server.rows(
            "select public.record_api_key_validation(%s, 'openai', false, %s)",
            [alice.id, f"Invalid key {OPENAI}, sorry"],
        )
    with Client.of(scratch, alice) as client:
        client.rows("select public.reveal_api_key('openai')")
        client.rows(
            "select public.log_api_usage('openai', %s, 1, 1, 1, 401, %s)",
            [f"/v1/models?key={KEYS['gemini']}", f"Incorrect API key provided: {OPENAI}"],
        )
        export = json.dumps(client.value("select public.export_my_data()"))
    with scratch.connect() as owner:
        records = "\n".join(
            row[0]
            for table in ("audit_log", "security_events", "api_usage_logs")
            for row in owner.execute(f"select to_jsonb(item)::text from public.{table} as item")
        )
    assert "api_key_revealed" in records
    assert "api_key_revealed" in export
    for secret in (OPENAI, KEYS["gemini"], ENCRYPTION_KEY, *ciphertexts(scratch)):
        for text in (records, export):
            assert secret[8:24] not in text
            assert secret[-12:] not in text
