"""The command line: every command explains itself, and what can be expected to fail fails in one clear line."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner

from forge_db import errors
from forge_db.cli import main
from forge_db.paths import ROOT


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example_of_itself(name: str) -> None:
    command = main.commands[name]
    assert command.get_short_help_str(), "say in one line what it does"
    assert "Examples:" in (command.help or "")
    assert f"forge-db {name}" in (command.help or "").partition("Examples:")[2]
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, f"say what {parameter.name} does"
    result = CliRunner().invoke(main, [name, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")


def test_it_says_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result = CliRunner().invoke(main, ["--version"], prog_name="forge-db")
    assert result.stdout == f"forge-db {project['version']}\n"


# What each shell makes of the script, without a terminal: zsh's own functions only print what they are given.
SHELLS = {
    "bash": "COMP_WORDS=({tool} emit) COMP_CWORD=1; _forge_db_completion {tool}; echo ${{COMPREPLY[@]}}",
    "zsh": "words=({tool} emit); CURRENT=2; _describe() {{ print -r -- ${{(P)3}} }}; _forge_db_completion",
    "fish": "complete -C '{tool} emit'",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_complete(shell: str) -> None:
    """Also where it is called by its path: it need not be among the shell's commands."""
    result = CliRunner().invoke(main, prog_name="forge-db", env={"_FORGE_DB_COMPLETE": f"{shell}_source"})
    assert result.exit_code == 0
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = "compdef() {{}}; " * (shell == "zsh") + "{source}\n" + SHELLS[shell]
    tool = Path(sys.executable).with_name("forge-db")
    done = subprocess.run(
        [shell, "-c", script.format(source=result.stdout, tool=tool)],
        env={**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("emit-pgtap")


def test_completion_knows_commands_and_options() -> None:
    def offered(words: str, place: int) -> list[str]:
        asked = {"_FORGE_DB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        said = CliRunner().invoke(main, prog_name="forge-db", env=asked).stdout
        return [line.partition(",")[2] for line in said.splitlines()]

    assert {"report", "reset"} <= set(offered("forge-db re", 1))
    assert "--database-url" in offered("forge-db report --", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld"], "No such command 'biuld'. Did you mean 'build'?"),
        (["build", "--chek"], "No such option '--chek'. (Did you mean one of: '--check'"),
        (["apply"], "Missing option '--database-url'"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_what_was_meant(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments, env={"FORGE_DATABASE_URL": None})
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (errors.ForgeError("it is so", "Do this."), "Error: it is so\nHint: Do this.\n"),
        (errors.ForgeError("it is so"), "Error: it is so\n"),
        (psycopg.OperationalError("connection failed\nin two lines"), "Error: connection failed\n"),
        (psycopg.OperationalError(), "Error: OperationalError\n"),
        (PermissionError(13, "Permission denied", "/some/file"), "Error: /some/file: Permission denied\n"),
    ],
)
def test_a_failure_is_one_line_and_a_hint(monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str) -> None:
    @click.command("fail")
    def fail() -> None:
        raise failure

    monkeypatch.setitem(main.commands, "fail", fail)
    result = CliRunner().invoke(main, ["fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)
