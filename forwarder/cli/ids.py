"""Chat ids as arguments: they begin with a dash, as options do."""

from __future__ import annotations

import re

import click

_ID = re.compile(r"-[0-9]+(?:/[0-9]+)?")
_MINUS = "\u2212"


class ChatReference(click.Command):
    """A command whose arguments may be chat ids: ``-1001234567890`` is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Ids pass click's parser with a typographical minus, and become themselves again."""
        parsed = super().parse_args(ctx, [_MINUS + arg[1:] if _ID.fullmatch(arg) else arg for arg in args])
        for name, value in ctx.params.items():
            if isinstance(value, tuple):
                ctx.params[name] = tuple(_itself(one) for one in value)
            else:
                ctx.params[name] = _itself(value)
        return parsed


def _itself(value: object) -> object:
    return "-" + value[1:] if isinstance(value, str) and value.startswith(_MINUS) else value
