"""Completion also where the tool is called by its path.

click's scripts for zsh and fish ask for it by its name, and .venv/bin is not where the shell looks for that.
"""

from click.shell_completion import FishComplete, ZshComplete, add_completion_class

BY_NAME = " %(prog_name)s)"  # the end of the line that asks the tool


class Zsh(ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "    (( ! $+commands[%(prog_name)s] )) && return 1\n", ""
    ).replace(BY_NAME, " ${(Q)words[1]})")


class Fish(FishComplete):
    source_template = FishComplete.source_template.replace(BY_NAME, " (commandline -opc)[1])")


add_completion_class(Zsh)
add_completion_class(Fish)
