"""Which older posts a person means by what they typed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from forwarder.errors import InvalidRequest
from forwarder.message import Wish

DAYS = ("%Y-%m-%d", "%d.%m.%Y")
MOMENT = r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4})(?: \d{1,2}:\d{2})?"
ID = r"#[0-9]{1,10}"
ANSWER = re.compile(
    rf"(?P<start>{MOMENT}|{ID}|[0-9]{{1,9}})?(?:(?:\s*[-–—]\s*|\s+)(?P<end>{MOMENT}|#?[0-9]{{1,10}}))?",
    re.ASCII,
)


def wish(text: str) -> Wish:
    """``250`` is the newest so many, ``2026-11-25`` the day or ``2026-11-25 14:00`` the moment (UTC) to begin with,
    ``#1200`` the id to begin with. An end may follow: ``2026-11-01 - 2026-11-25``, ``#1200 - #1500``; the end's day or
    id is meant too. An end alone, ``- #1500``, is all up to it.

    Raises InvalidRequest ``backfill_not_understood`` or ``backfill_ends_early``.
    """
    found = ANSWER.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise not_understood()
    start, end = found["start"], found["end"]
    last = from_id = since = until = until_id = None
    if start is None:
        pass
    elif start.isdecimal():
        last = above_zero(start)
    elif start.startswith("#"):
        from_id = above_zero(start[1:])
    else:
        since = moment(start)
    if end is None:
        pass
    elif end.startswith("#") or (end.isdecimal() and from_id):
        until_id = above_zero(end.removeprefix("#"))
    else:
        until = after(end)
    if (since and until and until <= since) or (from_id and until_id and until_id < from_id):
        raise InvalidRequest("backfill_ends_early", f"{text} ends before it begins.", range=text)
    return Wish(last, since, from_id, until, until_id)


def above_zero(digits: str) -> int:
    if int(digits) < 1:
        raise not_understood()
    return int(digits)


def moment(text: str) -> datetime:
    """A day's midnight, or the moment, in UTC."""
    for day in DAYS:
        for pattern in (day, f"{day} %H:%M"):
            try:
                return datetime.strptime(text, pattern).replace(tzinfo=UTC)
            except ValueError:
                continue
    raise not_understood()


def after(text: str) -> datetime:
    """The moment that a range ends before: a day is meant whole."""
    end = moment(text)
    try:
        return end if ":" in text else end + timedelta(days=1)
    except OverflowError:
        return end


def not_understood() -> InvalidRequest:
    return InvalidRequest(
        "backfill_not_understood",
        "Send a number of posts, such as 250, a date, such as 2026-11-25, or the number of the first post, such as "
        "#1200. An end may follow: 2026-11-01 - 2026-11-25.",
    )
