"""The commands about secrets: put one in place, and seal all keys with a new one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from forge_db import local, migrations, sealing
from forge_db.errors import ForgeError

NAMES = ("app_encryption_key", "app_encryption_key_previous", "maintenance_dsn")


@click.command()
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@click.option("--remove", is_flag=True, help="Take it away instead.")
@click.option("--database-url", envvar="FORGE_DATABASE_URL", metavar="URL", help="Default: the local database.")
def secret(name: str, remove: bool, database_url: str | None) -> None:
    """Put a secret into Vault, or into private.secrets where there is no Vault. It is read from standard input.

    Names: app_encryption_key, app_encryption_key_previous, maintenance_dsn.

    \b
    Examples:
      openssl rand -base64 32 | forge-db secret app_encryption_key
      forge-db secret maintenance_dsn < dsn.txt
      forge-db secret app_encryption_key_previous --remove
    """
    text = None if remove else _read(name)
    with _connect(database_url) as connection:
        place = sealing.keep(connection, name, text)
    click.echo(f"{name} {'removed from' if remove else 'is in'} {place}")


@click.command("rotate-keys")
@click.option("--new-key", is_flag=True, help="First make a new encryption key; the old one stays as the previous.")
@click.option(
    "--batch-size", type=click.IntRange(1, 100_000), default=sealing.BATCH, show_default=True, help="Keys at a time."
)
@click.option("--database-url", envvar="FORGE_DATABASE_URL", metavar="URL", help="Default: the local database.")
def rotate_keys(new_key: bool, batch_size: int, database_url: str | None) -> None:
    """Seal every API key with the current encryption key.

    Each batch is a transaction of its own: stop it at any moment and run it again, it goes on from there. Every key can
    be read all the while. Afterwards the previous encryption key can go; keep it with backups from before.

    \b
    Examples:
      forge-db rotate-keys --new-key
      forge-db rotate-keys
      forge-db secret app_encryption_key_previous --remove
    """
    with _connect(database_url) as connection:
        if new_key:
            place = sealing.change_encryption_key(connection)
            click.echo(f"a new encryption key is in {place}", err=True)
        with click.progressbar(length=sealing.stale(connection), label="Sealing keys", file=sys.stderr) as progress:
            resealed, unreadable = sealing.rotate(connection, batch_size, progress.update)
    click.echo(f"{resealed} keys sealed with the current encryption key")
    if unreadable:
        raise ForgeError(
            f"{unreadable} keys cannot be opened and stay as they are",
            "Put the encryption key they were sealed with into app_encryption_key_previous and run this again.",
        )


commands: list[click.Command] = [secret, rotate_keys]


def _read(name: str) -> str:
    """The secret from standard input; somebody who types it does not see it."""
    if sys.stdin.isatty():
        text: str = click.prompt(name, hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not text:
        raise ForgeError("standard input is empty", f"Example: openssl rand -base64 32 | forge-db secret {name}")
    if not text.isprintable():
        raise ForgeError("the secret holds line breaks or control characters", "Send it as one line.")
    return text


@contextmanager
def _connect(database_url: str | None) -> Iterator[psycopg.Connection]:
    with migrations.connect(database_url or local.url()) as connection:
        yield connection
