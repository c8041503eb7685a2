"""How commands show lists: a table in a terminal, tab-separated lines where a program reads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Shows the rows; ``empty`` is the sentence for none (on stderr, so that a pipe reads nothing)."""
    if not rows:
        click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(_plain(cell) for cell in row))
        return
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(_escaped(cell) for cell in row))
    Console().print(drawn)


def moment(at: datetime | None) -> str:
    """Local time to the second, or nothing."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _plain(cell: object) -> str:
    return " ".join(str("" if cell is None else cell).split())


def _escaped(cell: object) -> str:
    # Titles of channels are not markup.
    return _plain(cell).replace("[", r"\[")
