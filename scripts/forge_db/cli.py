"""The command forge-db: gathers the commands of every module and turns expected failures into clear errors.

Exit status: 0 done or nothing to do, 1 a check or the work failed, 2 called wrongly.
"""

import importlib
import pkgutil
from typing import Any

import click
import psycopg

import forge_db
from forge_db.errors import ForgeError, from_database


class Forge(click.Group):
    """A group whose commands never end in a traceback for something that can be expected to happen."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click ends quietly, as a command in a pipe should
            raise
        except psycopg.Error as error:
            raise from_database(error) from error
        except OSError as error:
            raise ForgeError(f"{error.filename or 'system'}: {error.strerror or error}") from error


@click.group("forge-db", cls=Forge, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="promptcraft-forge-db", message="%(prog)s %(version)s")
def main() -> None:
    """Build, run and check the PromptCraft Forge database.

    \b
    Examples:
      forge-db build --help
      eval "$(_FORGE_DB_COMPLETE=bash_source forge-db)"    completion for this shell
    """


for _module in pkgutil.iter_modules(forge_db.__path__, "forge_db."):
    if _module.name != __name__:
        for _command in getattr(importlib.import_module(_module.name), "commands", ()):
            main.add_command(_command)
