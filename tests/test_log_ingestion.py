"""forge-db ingest-log: refusals and failed sign-ins in PostgreSQL's own log, each recorded once, and nothing secret."""

import csv
import io
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict

from forge_db import log_files, migrations, paths, platform
from forge_db.cli import main
from forge_db.server import SUPERUSER, Server
from harness.clusters import Cluster
from harness.databases import Database, built_migrations

# In the order in which csvlog writes them; jsonlog writes the same by name.
FIELDS = (
    "timestamp", "user", "dbname", "pid", "remote_host", "session_id", "line_num", "ps", "session_start", "vxid",
    "txid", "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position",
    "context", "statement", "cursor_position", "location", "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip
AN_HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=123000)
SWORDFISH = "swordfish"

Lines = list[dict[str, Any]]
Run = Callable[..., Result]


def line(number: int, message: str = "permission denied for table api_configurations", **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": AN_HOUR_AGO.strftime("%Y-%m-%d %H:%M:%S.123 UTC"),
        "user": "authenticator",
        "pid": 11,
        "remote_host": "192.0.2.7",
        "remote_port": 5000,
        "session_id": "6921c3a4.2b3f",
        "line_num": number,
        "error_severity": "ERROR",
        "state_code": "42501",
        "message": message,
        "statement": f"select '{SWORDFISH}'\nfrom \"x\"",
        "detail": f"parameters: $1 = '{SWORDFISH}'",
        **fields,
    }


def as_json(lines: Lines) -> str:
    return "".join(json.dumps(item) + "\n" for item in lines)


def as_csv(lines: Lines) -> str:
    text = io.StringIO()
    for item in lines:
        host = f"{item['remote_host']}:{item['remote_port']}" if item.get("remote_port") else item["remote_host"]
        csv.writer(text, lineterminator="\n").writerow([{**item, "remote_host": host}.get(name, "") for name in FIELDS])
    return text.getvalue()


# How a file is read does not depend on the platform; what PostgreSQL writes is tried on each version, at the end.
each_once = pytest.mark.one_platform
formats = pytest.mark.parametrize("write", [as_json, as_csv], ids=["jsonlog", "csvlog"])


@pytest.fixture
def run(scratch: Database) -> Run:
    def run(*files: Path) -> Result:
        return CliRunner().invoke(main, ["ingest-log", "--database-url", scratch.url(), *map(str, files)])

    return run


@pytest.fixture
def written(scratch: Database, tmp_path: Path) -> Callable[..., Path]:
    """A log with these lines, of this database unless they say otherwise."""

    def written(write: Callable[[Lines], str], *lines: dict[str, Any], name: str = "postgresql.log") -> Path:
        path = tmp_path / name
        path.write_text(write([{"dbname": scratch.name, **item} for item in lines]), encoding="utf-8")
        return path

    return written


def events(owner: psycopg.Connection) -> list[Any]:
    owner.rollback()
    return owner.execute(
        "select event_type, severity, details, host(ip_address), created_at, log_line from public.security_events "
        'order by log_line collate "C"'
    ).fetchall()


# What is recorded -----------------------------------------------------------------------------------------------------


@each_once
@formats
def test_a_refusal_is_recorded_with_what_was_refused_and_when(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, scratch: Database, write: Callable[[Lines], str]
) -> None:
    result = run(written(write, line(1)))
    assert (result.exit_code, result.output) == (0, "1 events recorded\n")
    details = {
        "sqlstate": "42501", "role": "authenticator", "database": scratch.name, "object": "api_configurations",
    }  # fmt: skip
    assert events(owner) == [("statement_refused", "info", details, "192.0.2.7", AN_HOUR_AGO, "6921c3a4.2b3f.1")]


@each_once
@formats
@pytest.mark.parametrize("state", ["28P01", "28000"])
def test_a_failed_sign_in_is_recorded_also_to_another_database(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str], state: str
) -> None:
    run(written(write, line(1, 'password failed for user "postgres"', error_severity="FATAL", state_code=state,
                            dbname="template1", user="postgres", remote_host="2001:db8::1")))  # fmt: skip
    ((event_type, severity, details, address, _, _),) = events(owner)
    assert (event_type, severity, address) == ("authentication_failed", "warning", "2001:db8::1")
    assert (details["role"], details["database"]) == ("postgres", "template1")


@each_once
def test_a_flood_is_cut_off_and_drowns_nobody(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection
) -> None:
    owner.execute("update public.system_config set value = '10' where key = 'security_events_per_minute'")
    owner.commit()
    denied = "permission denied for table feedback"
    flood = [line(number, denied, remote_host="192.0.2.66") for number in range(1, 31)]
    others = [line(number, denied, remote_host=f"192.0.2.{number}") for number in (41, 42)]
    path = written(as_json, *flood, *others)
    assert run(path).output == "11 events recorded\n"
    found = [event[3] for event in events(owner) if event[0] == "statement_refused"]
    assert (len(found), set(found)) == (10, {"192.0.2.66", "192.0.2.41", "192.0.2.42"})
    ((_, severity, details, _, at, _),) = [event for event in events(owner) if event[0] == "events_dropped"]
    assert (severity, details) == ("warning", {"event_type": "statement_refused", "per_minute": 10, "dropped": 22})
    assert at == AN_HOUR_AGO.replace(second=0, microsecond=0)

    # What comes later of that minute finds no room either; another kind, and another minute, do.
    late = (AN_HOUR_AGO + timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S.000 UTC")
    more = [line(51, denied), line(52, denied, timestamp=late), line(53, state_code="28P01", error_severity="FATAL")]
    run(written(as_json, *flood, *others, *more))
    assert [event[5][-2:] for event in events(owner) if event[5][-2:] in ("51", "52", "53")] == ["51", "52", "53"]
    dropped = [event[2]["dropped"] for event in events(owner) if event[0] == "events_dropped"]
    assert dropped == [22, 1]


@each_once
@formats
def test_what_is_neither_is_passed_over(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str]
) -> None:
    others = [
        line(1, state_code="00000", error_severity="LOG"),
        line(2, state_code="23505"),
        line(3, dbname="somebody_elses"),
        line(4, timestamp="2001-01-01 00:00:00.000 UTC"),
        line(5, timestamp="2099-01-01 00:00:00.000 UTC"),
        line(6, timestamp="2026-99-99 00:00:00.000 UTC"),
        # What Python takes for a time, and PostgreSQL does not; and what is none at all.
        line(7, timestamp="2026-W47-1 UTC"),
        line(8, timestamp="2026-11-23 UTC"),
        line(7, session_id="'; drop table public.feedback; --"),
    ]
    result = run(written(write, *others))
    assert (result.exit_code, result.output) == (0, "0 events recorded\n")
    assert events(owner) == []


@each_once
@formats
def test_nothing_secret_is_copied(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str]
) -> None:
    """Statements, parameters, messages; and a password that somebody typed as a name."""
    lines = [
        line(1, f"permission denied for table {SWORDFISH}"),
        line(2, f'password authentication failed for user "{SWORDFISH}"', user=SWORDFISH, dbname=SWORDFISH,
             error_severity="FATAL", state_code="28P01", application_name=SWORDFISH, remote_host="[local]",
             remote_port=None),
        line(3, f"keys of {SWORDFISH}@example.com are secret", context=SWORDFISH, hint=SWORDFISH),
    ]  # fmt: skip
    assert run(written(write, *lines)).exit_code == 0
    found = events(owner)
    assert len(found) == 3
    assert SWORDFISH not in str(found)
    assert SWORDFISH not in str(owner.execute("select log_files::text from private.log_files").fetchall())


# Once -----------------------------------------------------------------------------------------------------------------


@each_once
@formats
def test_a_file_is_read_on_from_where_it_was(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str], scratch: Database
) -> None:
    path = written(write, line(1))
    assert run(path).output == "1 events recorded\n"
    assert run(path).output == "0 events recorded\n"
    with path.open("a") as file:
        file.write(write([line(2, dbname=scratch.name)]))
    assert run(path).output == "1 events recorded\n"
    assert [row[-1] for row in events(owner)] == ["6921c3a4.2b3f.1", "6921c3a4.2b3f.2"]
    # What has been read is not even looked at again.
    text = path.read_bytes()
    path.write_bytes(text.replace(b"2b3f,2,", b"2b3f,9,").replace(b'"line_num": 2', b'"line_num": 9'))
    assert run(path).output == "0 events recorded\n"


@each_once
@formats
def test_rotation_loses_nothing_and_doubles_nothing(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str]
) -> None:
    first = written(write, line(1), line(2))
    run(first)
    with first.open("a") as file:
        file.write(write([line(3, dbname=owner.info.dbname)]))
    rotated = first.rename(first.with_name("postgresql.log.1"))
    second = written(write, line(4))
    assert run(rotated, second).output == "2 events recorded\n"
    assert run(second, rotated).output == "0 events recorded\n"
    assert len(events(owner)) == 4


@each_once
@formats
def test_a_line_that_is_in_two_files_is_one(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str]
) -> None:
    """copytruncate, a restored copy, a position that was lost."""
    run(written(write, line(1), line(2)))
    assert run(written(write, line(2), line(3), name="copy.log")).output == "1 events recorded\n"
    owner.execute("delete from private.log_files")
    owner.commit()
    assert run(written(write, line(1), line(2))).output == "0 events recorded\n"
    assert len(events(owner)) == 3


@each_once
@formats
def test_another_file_that_begins_with_the_same_line_hides_nothing(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str], scratch: Database
) -> None:
    run(written(write, line(1), *(line(50 + number, state_code="00000") for number in range(9)), name="longer.log"))
    path = written(write, line(1), line(2))
    assert run(path).output == "1 events recorded\n"
    for number in range(3, 20):  # past the end of the other
        with path.open("a") as file:
            file.write(write([line(number, dbname=scratch.name)]))
        assert run(path).output == "1 events recorded\n"
    assert len(events(owner)) == 19


@each_once
def test_what_is_no_line_stops_nothing(run: Run, written: Callable[..., Path], owner: psycopg.Connection) -> None:
    path = written(as_json, line(1), line(2, state_code=[]), line(3, state_code={"42501": 1}))
    with path.open("a") as file:
        file.write('{"state_code": ' + "[" * 200_000 + "\n" + as_json([line(4, dbname=owner.info.dbname)]))
    result = run(path)
    assert (result.exit_code, "2 events recorded" in result.output, "1 lines" in result.output) == (0, True, True)


@each_once
@formats
def test_a_line_that_is_still_being_written_waits(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str], scratch: Database
) -> None:
    path = written(write, line(1))
    whole = write([line(2, dbname=scratch.name)])
    text = path.read_text()
    for cut in (len(whole) // 2, len(whole) - 1):
        path.write_text(text + whole[:cut])
        run(path)
        assert len(events(owner)) == 1
    path.write_text(text + whole)
    assert run(path).output == "1 events recorded\n"


@each_once
def test_a_long_file_is_read_in_parts_and_an_interrupted_run_goes_on(written: Callable[..., Path]) -> None:
    path = written(as_json, *[line(number) for number in range(1, 8)])
    found = list(log_files.batches(path, 0, lines=3))
    assert [len(batch.refusals) for batch in found] == [3, 3, 1]
    assert found[-1].read_to == path.stat().st_size
    assert [len(batch.refusals) for batch in log_files.batches(path, found[0].read_to)] == [4]


# Bad input ------------------------------------------------------------------------------------------------------------


@each_once
def test_lines_that_cannot_be_read_are_counted(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection
) -> None:
    path = written(as_json, line(1))
    path.write_bytes(path.read_bytes() + b"{not json\n\xff\xfe\n[1]\n" + as_json([line(2, dbname="x")]).encode())
    result = run(path)
    assert result.exit_code == 0
    assert "3 lines could not be read" in result.output
    assert len(events(owner)) == 1


@each_once
def test_another_format_is_named(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "postgresql.log"
    path.write_text("2026-11-22 15:03:11 UTC [11] ERROR:  permission denied for table feedback\n")
    result = run(path)
    assert result.exit_code == 1
    assert "jsonlog or csvlog" in result.output
    assert "Traceback" not in result.output


@each_once
def test_a_file_that_is_not_there_and_one_that_is_empty(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "none.json").exit_code == 1
    assert run(tmp_path).exit_code == 1
    empty = tmp_path / "empty.json"
    empty.touch()
    assert run(empty).output == "0 events recorded\n"
    assert CliRunner().invoke(main, ["ingest-log"]).exit_code == 2


# The real thing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def logging_server(cluster: Cluster) -> Iterator[Server]:
    """A server of one's own that writes both formats, and calls its time zone something odd."""
    server = Server(paths.STATE / "test" / f"{cluster.major}_logging", cluster.binaries, durable=False)
    server.destroy()
    server.start()
    try:
        with psycopg.connect(server.url(SUPERUSER, "template1"), autocommit=True) as admin:
            for setting in (
                "logging_collector = on",
                "log_destination = 'jsonlog,csvlog'",
                "log_filename = 'forge.log'",
                "log_timezone = '<+0530>-05:30'",
            ):
                admin.execute(f"alter system set {setting}".encode())
        server.stop()
        server.start()
        yield server
    finally:
        server.destroy()


def test_what_postgresql_itself_writes_is_read(logging_server: Server, tmp_path: Path) -> None:
    server = logging_server
    for file, text in built_migrations().items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    platform.install(server.url(SUPERUSER, "template1"), "forge", passwords=server.passwords)
    migrations.apply(server.url("postgres", "forge"), tmp_path)
    with psycopg.connect(server.url("authenticator", "forge")) as client:
        client.execute("set role anon")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(f"select '{SWORDFISH}' from public.api_configurations")
    with suppress(psycopg.OperationalError):
        psycopg.connect(server.url("postgres", "forge").replace(server.passwords["postgres"], SWORDFISH))
    # To a database whose name is no text: PostgreSQL writes the octets as they came.
    login = conninfo_to_dict(server.url("postgres"))
    subprocess.run(
        [server.binaries.tool("psql"), "-h", "127.0.0.1", "-p", str(login["port"]), "-U", "postgres", b"\xff\xfe"],
        env={**os.environ, "PGPASSWORD": SWORDFISH}, capture_output=True, check=False,
    )  # fmt: skip
    found = []
    for name in ("forge.json", "forge.csv"):
        path = server.data / "log" / name
        result = CliRunner().invoke(
            main, ["ingest-log", "--database-url", server.url("postgres", "forge"), str(path)], catch_exceptions=False
        )
        found.append((result.exit_code, result.output))
    # The second file tells the same once more.
    assert found == [(0, "3 events recorded\n"), (0, "0 events recorded\n")]
    with psycopg.connect(server.url("postgres", "forge")) as owner:
        rows = owner.execute(
            "select event_type, details ->> 'role', details ->> 'object', host(ip_address), "
            "abs(extract(epoch from now() - created_at)) < 120 from public.security_events order by 1"
        ).fetchall()
    assert rows == [
        ("authentication_failed", "postgres", None, "127.0.0.1", True),
        ("authentication_failed", "postgres", None, "127.0.0.1", True),
        ("statement_refused", "authenticator", "api_configurations", "127.0.0.1", True),
    ]


# What a client writes into the log -----------------------------------------------------------------------------------


@formats
@pytest.mark.parametrize("octets", [200_000, log_files.LONGEST_RECORD])
@pytest.mark.one_platform
def test_a_long_statement_neither_forges_a_line_nor_hides_the_next(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str], octets: int
) -> None:
    """A line of the log within a statement, and so much before it that reading has to begin anew somewhere."""
    forged = as_csv([line(66, dbname="postgres", user="postgres", error_severity="FATAL", state_code="28P01",
                          statement="", detail="")])  # fmt: skip
    text = "x" * (octets - 100) + "\n" * 200 + forged + "\n"
    result = run(written(write, line(1, statement=text), line(2)))
    assert result.exit_code == 0, result.output
    is_read = octets < log_files.LONGEST_RECORD
    assert [event[-1] for event in events(owner)] == ["6921c3a4.2b3f.1"] * is_read + ["6921c3a4.2b3f.2"]
    assert ("1 lines could not be read" in result.output) is not is_read


@pytest.mark.one_platform
def test_a_statement_of_many_lines_is_read_in_one_pass(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection
) -> None:
    begin = time.monotonic()
    run(written(as_csv, line(1, statement="\n" * 1_000_000)))
    assert time.monotonic() - begin < 20
    assert len(events(owner)) == 1


@formats
@pytest.mark.one_platform
def test_a_link_local_address_does_not_stop_the_reading(
    run: Run, written: Callable[..., Path], owner: psycopg.Connection, write: Callable[[Lines], str]
) -> None:
    result = run(written(write, line(1, remote_host="fe80::1%eth0"), line(2)))
    assert (result.exit_code, result.output) == (0, "2 events recorded\n")
    assert [event[3] for event in events(owner)] == ["fe80::1", "192.0.2.7"]
