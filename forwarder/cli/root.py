"""All commands together."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from forwarder import __version__, log
from forwarder.cli.audit import audit
from forwarder.cli.backfill import backfill
from forwarder.cli.channels import channel
from forwarder.cli.database import db
from forwarder.cli.demo import demo
from forwarder.cli.door import Door
from forwarder.cli.late import answer_outage, set_
from forwarder.cli.login import login
from forwarder.cli.mappings import mapping
from forwarder.cli.processes import beat, bot, flower, ingest, worker
from forwarder.cli.rules import rule
from forwarder.cli.run import run
from forwarder.cli.sandbox import sandbox
from forwarder.cli.takeback import takeback
from forwarder.cli.why import why

COMMANDS = (
    run,
    demo,
    login,
    bot,
    ingest,
    worker,
    beat,
    flower,
    sandbox,
    db,
    channel,
    mapping,
    rule,
    why,
    backfill,
    audit,
    takeback,
)


class InOrder(Door):
    """Lists the commands in the order in which one needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [command.name or "" for command in COMMANDS]


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="telegram-message-forwarder")
def cli() -> None:
    """Brings posts from source channels to destination channels.

    Settings come from the environment and from .env (see .env.example). Begin with `demo`, which needs
    none, or with `run`, which needs BOT_TOKEN.
    """
    # What goes wrong before a command has read its settings is logged without secrets, too.
    log.configure(level="WARNING", process="manage", stream=sys.stderr)


for command in COMMANDS:
    cli.add_command(command)
for command in (answer_outage, set_):
    mapping.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1 for a refusal, 2 for bad settings or usage."""
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
