"""Times as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

AGO = re.compile(r"(\d{1,5})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[datetime]):
    """``2026-11-25``, ``2026-11-25 14:00``, or ``90m``, ``6h``, ``3d`` for so long ago; local time."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        if (ago := AGO.fullmatch(value)) is not None:
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        try:
            at = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value} is no time: write 2026-11-25, “2026-11-25 14:00”, 90m, 6h or 3d.", param, ctx)
        if at > now:
            self.fail(f"{value} has not come yet.", param, ctx)
        return at
