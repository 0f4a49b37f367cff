"""One PostgreSQL cluster that belongs to the project: made on first use, started, stopped, found again.

It listens on 127.0.0.1 only and asks for passwords that nobody had to think of. PostgreSQL refuses to run as root, so
root hands it to another account, and keeps its files where that account can reach them.
"""

import hashlib
import json
import locale
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from forge_db import accounts
from forge_db.binaries import Binaries
from forge_db.errors import ForgeError

PORTS = range(54322, 54822)  # the first is that of Supabase's own local database
SUPERUSER = "supabase_admin"
LOGINS = (SUPERUSER, "postgres", "authenticator", "supabase_auth_admin")
PATIENCE = 60.0  # seconds for a start, which may have to recover from a crash first
AGONY = 20.0  # seconds for what a killed server leaves behind to end
LARGE_LOG = 10_000_000  # bytes

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # As on Supabase. GMT is the same and needs no time zone files, which small containers lack.
    "timezone": "UTC" if Path("/usr/share/zoneinfo/UTC").exists() else "GMT",
}
# For databases that a test run throws away: a crash may lose them.
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "64MB",
}


class Server:
    """A cluster in a directory. Objects are cheap: several may speak for the same cluster, from several processes."""

    def __init__(self, home: Path, binaries: Binaries, *, durable: bool = True, port: int | None = None) -> None:
        self.home = home.absolute()
        self.binaries = binaries
        self.durable = durable
        self.wanted_port = port

    # where it is -----------------------------------------------------------------------------------------------------

    @cached_property
    def directory(self) -> Path:
        """Where the cluster's files are: the home, or for root, when the server's account cannot get there, elsewhere.

        The name elsewhere follows from the home's path, so a later run finds the same files.
        """
        if self.home.exists() and not os.access(self.home, os.R_OK | os.W_OK | os.X_OK):
            raise accounts.belongs_to_other(self.home)
        if os.geteuid() != 0 or (self.home / "data").exists():
            return self.home
        elsewhere = accounts.ELSEWHERE / hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        account = accounts.account_for(self.home)
        if elsewhere.exists() or not accounts.may_enter(account, self.home):
            return elsewhere
        return self.home

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def port(self) -> int | None:
        """The port it listens on, or used last; None before the first start."""
        path = self.directory / "port"
        return int(path.read_text()) if path.exists() else None

    @property
    def pid(self) -> int | None:
        """Process id of the server; None if it does not run, whatever a file left behind says."""
        pid = self._recorded_pid()
        return pid if pid is not None and self._is_ours(pid) else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    def url(self, user: str = "postgres", database: str = "postgres") -> str:
        """How one of the server's own accounts connects."""
        if self.port is None:
            raise ForgeError("the local database has not been started yet", "Run `make up`.")
        return f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    @property
    def passwords(self) -> dict[str, str]:
        """The accounts that can log in, and their passwords, which the first start makes."""
        path = self.directory / "credentials.json"
        try:
            found: dict[str, str] = json.loads(path.read_text())
        except FileNotFoundError:
            raise ForgeError(
                f"{path} is missing, so nobody knows the passwords of the database beside it",
                "Restore the file, or run `make reset` to begin with an empty database.",
            ) from None
        return found

    # what it does ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Have it running, whatever state the last run left it in."""
        accounts.create_directory(self.home)
        with accounts.lock(self.home / "lock"):
            if self.data.exists():
                self._refuse_other_version()
            running = self.pid
            if running is not None and self.wanted_port in (None, self.port):
                if self._await_answer(running):
                    return  # else it was dying when we looked
            elif running is not None:
                self._choose_port()  # fails here, while the old one still works
                self._halt()
            if not self.data.exists():
                self._initialise()
            if self.log.exists() and self.log.stat().st_size > LARGE_LOG:
                self.log.replace(self.log.with_suffix(".log.old"))
            self._launch()

    def stop(self) -> None:
        """Have it stopped. Open connections are cut, their transactions rolled back."""
        if self.home.exists():
            with accounts.lock(self.home / "lock"):
                self._halt()

    def destroy(self) -> None:
        """Delete the cluster with everything in it. Port and passwords stay."""
        if self.home.exists():
            with accounts.lock(self.home / "lock"):
                self._halt()
                if self.data.exists():
                    shutil.rmtree(self.data)

    # how -------------------------------------------------------------------------------------------------------------

    @cached_property
    def _account(self) -> pwd.struct_passwd | None:
        """Who runs the server: None for whoever runs this, which must not be root."""
        return accounts.account_for(self.data)

    @cached_property
    def _programs(self) -> Binaries:
        """The server's programs where its account can run them, which for root may mean a copy."""
        return (
            self.binaries if accounts.may_run(self._account, self.binaries) else accounts.reachable_copy(self.binaries)
        )

    @property
    def _settings(self) -> dict[str, str]:
        settings = SETTINGS | ({} if self.durable else THROWAWAY)
        libraries = self.binaries.directory.parent / "lib"
        if any([*libraries.glob("pg_stat_statements.*"), *libraries.glob("postgresql/pg_stat_statements.*")]):
            # as on every Supabase project
            settings["shared_preload_libraries"] = "pg_stat_statements"
        return settings

    def _initialise(self) -> None:
        accounts.create_directory(self.directory)
        credentials = self.directory / "credentials.json"
        if not credentials.exists():
            accounts.write(
                credentials, json.dumps({login: secrets.token_urlsafe(18) for login in LOGINS}, indent=2) + "\n"
            )

        # Under another name first: a run that is interrupted leaves no half of a cluster behind.
        unfinished = self.directory / "data.new"
        password = self.directory / "password.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        accounts.write(password, self.passwords[SUPERUSER])
        if self._account:
            for path in (unfinished, password):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        try:
            done = subprocess.run(
                [
                    self._programs.tool("initdb"),
                    f"--pgdata={unfinished}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    f"--locale={_locale()}",
                    "--lc-messages=C",
                    *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
                ],
                check=False,
                capture_output=True,
                text=True,
                **self._process(),
            )
        finally:
            password.unlink()
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ForgeError(f"initdb failed: {_last_problem(done.stderr)}", f"It was asked to use {self.directory}.")
        unfinished.rename(self.data)

    def _refuse_other_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(self.binaries.version):
            raise ForgeError(
                f"the local database was made by PostgreSQL {made_by}, this is {self.binaries.version}",
                "Set or unset FORGE_PG_BIN as it was then, or run `make reset` to begin with an empty database.",
            )

    def _launch(self) -> None:
        """Start the server, on another port if the usual one is taken, once the remains of a crash are gone."""
        self._remove_stale_pid_file()
        deadline = time.monotonic() + AGONY
        while True:
            port = self._choose_port()
            begin = self.log.stat().st_size if self.log.exists() else 0
            if self._await_answer(self._spawn(port)):
                return
            said = self._said_since(begin)
            port_was_taken = "could not create any TCP/IP sockets" in said
            # Killed with -9, the server leaves processes that need a moment to notice.
            dying = "pre-existing shared memory block" in said or "lock file" in said
            if not (port_was_taken or dying) or time.monotonic() > deadline:
                raise ForgeError(f"PostgreSQL did not start: {_last_problem(said)}", f"Its log is {self.log}.")
            time.sleep(0.3)

    def _spawn(self, port: int) -> int:
        """Start the program so that it outlives us and holds none of our pipes. Returns its process id."""
        command = [self._programs.tool("postgres"), "-D", str(self.data)]
        for name, value in (self._settings | {"port": str(port)}).items():
            command += ["-c", f"{name}={value}"]
        accounts.write(self.directory / "port", f"{port}\n")
        if not self.log.exists():
            accounts.write(self.log, "")
        with self.log.open("ab") as log:
            # The shell ends at once: the server is nobody's child, and leaves us no corpse to bury.
            shell = subprocess.run(
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                check=True,
                **self._process(),
            )
        return int(shell.stdout)

    def _await_answer(self, pid: int) -> bool:
        """Wait until the server answers. False if it has ended instead."""
        deadline = time.monotonic() + PATIENCE
        while True:
            problem = "it is still starting"
            # Before it listens, who answers on the port may be another server that was faster to take it.
            if self._listens(pid):
                try:
                    psycopg.connect(self.url(SUPERUSER, "template1"), connect_timeout=5).close()
                    return True
                except psycopg.OperationalError as error:
                    problem = _last_problem(str(error))
                    if "password authentication failed" in str(error):
                        file = self.directory / "credentials.json"
                        raise ForgeError(
                            f"the passwords in {file} are not those of the database beside it",
                            "Restore the file, or run `make reset` to begin with an empty database.",
                        ) from error
            if _has_ended(pid):
                return False
            if time.monotonic() > deadline:
                raise ForgeError(
                    f"PostgreSQL does not answer on port {self.port}: {problem}", f"Its log is {self.log}."
                )
            time.sleep(0.05)

    def _listens(self, pid: int) -> bool:
        """Whether the process has written into its data directory that it accepts connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return lines[:1] == [str(pid)] and [line.strip() for line in lines[7:8]] in (["ready"], ["standby"])

    def _halt(self) -> None:
        pid = self.pid
        if pid is None:
            return
        # Fast shutdown; and if that hangs, the immediate one, from which the next start recovers.
        for kind in (signal.SIGINT, signal.SIGQUIT):
            os.kill(pid, kind)
            deadline = time.monotonic() + PATIENCE / 2
            while time.monotonic() < deadline:
                if not self.running:
                    return
                time.sleep(0.05)
        raise ForgeError(f"the server (process {pid}) does not stop", f"Its log is {self.log}.")

    def _choose_port(self) -> int:
        if self.wanted_port is not None:
            if not _is_free(self.wanted_port):
                raise ForgeError(
                    f"port {self.wanted_port} is in use by another program",
                    "Set FORGE_PORT to another one, or unset it to have a free one chosen.",
                )
            return self.wanted_port
        if self.port is not None and _is_free(self.port):
            return self.port
        # The first ones are left to the databases that people connect to.
        candidates = PORTS if self.durable else PORTS[100:]
        port = next(filter(_is_free, candidates), None)
        if port is None:
            hint = "Stop what uses them, or set FORGE_PORT to a free one."
            raise ForgeError(f"no port from {candidates[0]} to {candidates[-1]} is free", hint)
        return port

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        except PermissionError:
            raise accounts.belongs_to_other(self.data) from None

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is this cluster's server, and not one that came by its number later."""
        command = _command(pid)
        if str(self.data) in command:
            return True
        try:  # the project may have been moved since
            return "postgres" in command and Path(f"/proc/{pid}/cwd").samefile(self.data)
        except OSError:
            return False

    def _remove_stale_pid_file(self) -> None:
        """PostgreSQL copes with a file that names no process, but not with one that names somebody else's.

        Only when that is certain: a server whose file is gone would let a second one onto its data.
        """
        pid = self._recorded_pid()
        command = _command(pid) if pid is not None else ""
        if command and "postgres" not in command:
            (self.data / "postmaster.pid").unlink()

    def _said_since(self, begin: int) -> str:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def _process(self) -> dict[str, Any]:
        """How to run PostgreSQL's programs: as the right user, from nowhere, in English, without our PG settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        environment |= {"LC_ALL": "C"}
        icu = self._programs.directory.parent / "share" / "icu"
        if icu.is_dir():  # only packages for musl bring it
            environment["ICU_DATA"] = str(icu)
        return {"env": environment, "cwd": "/", **accounts.as_user(self._account)}


# small questions to the system ---------------------------------------------------------------------------------------


def _command(pid: int) -> str:
    """The command line of a process; empty if there is none, or only its corpse."""
    if not Path("/proc/self/cmdline").exists():
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(asked, check=False, capture_output=True, text=True).stdout
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _has_ended(pid: int) -> bool:
    """Whether a process that was started is gone. Asked twice: while it becomes another program, it has no command."""
    if _command(pid):
        return False
    time.sleep(0.2)
    return not _command(pid)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _locale() -> str:
    """C.UTF-8 sorts the same everywhere and knows the letters of every language; not every system has it."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _last_problem(output: str) -> str:
    """Of what a program said, the line that tells why it stopped."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    problems = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "ERROR:", "error:"))]
    line = (problems or lines or ["it gave no reason"])[0]
    for word in ("FATAL:", "PANIC:", "ERROR:", "error:"):
        line = line.rpartition(word)[2].strip()
    return line
