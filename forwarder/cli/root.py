"""All commands together."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from forwarder import __version__, log
from forwarder.cli.door import Door

COMMANDS = {
    "run": "run",
    "demo": "demo",
    "login": "login",
    "bot": "processes",
    "ingest": "processes",
    "worker": "processes",
    "beat": "processes",
    "flower": "processes",
    "sandbox": "sandbox",
    "db": "database",
    "channel": "channels",
    "mapping": "mappings",
    "list": "lists",
    "rule": "rules",
    "review": "reviews",
    "why": "why",
    "backfill": "backfill",
    "audit": "audit",
    "takeback": "takeback",
}
"""Each command's module: a process that runs for months does not keep in memory what other commands need."""


NAMES = {"list": "list_"}
"""Where a command cannot be called as it is typed."""


class InOrder(Door):
    """Lists the commands in the order in which one needs them, and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(
            import_module(f"forwarder.cli.{module}"), NAMES.get(cmd_name, cmd_name)
        )
        return command


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="telegram-message-forwarder")
def cli() -> None:
    """Brings posts from source channels to destination channels.

    Settings come from the environment and from .env (see .env.example). Begin with `demo`, which needs
    none, or with `run`, which needs BOT_TOKEN.
    """
    # What goes wrong before a command has read its settings is logged without secrets, too.
    log.configure(level="WARNING", process="manage", stream=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1 for a refusal, 2 for bad settings or usage."""
    if sys.stdin is None:
        # A shell has closed it (`<&-`): nobody answers, and no connection of ours may take its place.
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    try:
        status = cli.main(arguments, standalone_mode=False, prog_name="manage.py")
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        # Ctrl-C at a question; the shell needs its prompt on a line of its own.
        print(file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0
