"""Commands of a document, as somebody types them into a shell."""

import os
import subprocess
import sys
from pathlib import Path

from forge_db.paths import ROOT
from harness.databases import Database


def sh(database: Database, commands: str, **variables: str) -> str:
    """What the commands said, run from the project root; every one of them must succeed."""
    programs = [str(Path(sys.executable).parent), str(Path(database.server.binaries.tool("psql")).parent)]
    done = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database.url(),
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
