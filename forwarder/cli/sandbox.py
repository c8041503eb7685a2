"""``sandbox``: the local Telegram, a program of its own."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from forwarder.cli.start import ROOT


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="A local Telegram to try things on; --help lists its own options.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> NoReturn:
    """A local Telegram. All arguments go to it."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    argv = [sys.executable, "-m", "forwarder.sandbox", *arguments]
    os.execve(sys.executable, argv, os.environ | {"PYTHONPATH": path})
