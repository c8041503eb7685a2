"""The command line of ``manage.py``: one module per group of commands, one outer door for all."""

from forwarder.cli.root import main

__all__ = ["main"]
