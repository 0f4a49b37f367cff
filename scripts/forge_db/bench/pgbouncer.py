"""A PgBouncer in transaction mode before one database, for as long as a test wants it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from forge_db.errors import ForgeError
from forge_db.server import Server

CONNECTIONS = 8
CLIENTS = 200
PATIENCE = 20.0  # seconds
LOGIN = "authenticator"

INI = """
[databases]
{database} = host={host} port={port} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {connections}
max_db_connections = {connections}
max_client_conn = {clients}
logfile = {folder}/log
"""


@dataclass(frozen=True)
class PgBouncer:
    url: str

    @classmethod
    @contextmanager
    def before(
        cls,
        server: Server,
        database: str,
        *,
        user: str = LOGIN,
        connections: int = CONNECTIONS,
        clients: int = CLIENTS,
    ) -> Iterator["PgBouncer"]:
        """Start one, which logs in to the database as PostgREST does and asks clients for the same password."""
        login = {name: str(value) for name, value in conninfo_to_dict(server.url(user, database)).items()}
        port = _free_port()
        with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
            names = {"database": database, "host": login["host"], "port": login["port"], "folder": folder}
            ini = Path(folder, "ini")
            ini.write_text(INI.format(**names, listen_port=port, connections=connections, clients=clients))
            Path(folder, "users").write_text(f'"{user}" "{login["password"]}"\n')
            process = _start(ini, account=server.data)
            try:
                url = make_conninfo(server.url(user, database), host="127.0.0.1", port=port)
                _await_answer(process, url, Path(folder, "log"))
                yield cls(url)
            finally:
                process.terminate()
                process.wait(PATIENCE)


def program() -> str:
    """Debian keeps it where only root looks."""
    found = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise ForgeError("PgBouncer is not installed", "Run: apt install pgbouncer")
    return found


def _start(ini: Path, *, account: Path) -> "subprocess.Popen[bytes]":
    """It refuses to run as root, so root has it run by whoever owns the database's files."""
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = account.stat()
        identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        for path in (ini.parent, *ini.parent.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)
    return subprocess.Popen([program(), "-q", str(ini)], stdin=subprocess.DEVNULL, cwd="/", **identity)


def _await_answer(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text() if log.exists() else ""
                raise RuntimeError(f"PgBouncer does not answer: {error}\n{said}") from error
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
