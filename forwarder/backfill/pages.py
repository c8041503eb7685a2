"""Which part of a page can be stored now: an album whose other parts may come with the next page waits for them."""

from __future__ import annotations

from forwarder.collect import ALBUM_PARTS
from forwarder.message import HistoryPage, SourceMessage

ALBUM_REACH = 20
"""Ids without a part of it behind an album's last known part that prove it complete."""


def cut(page: HistoryPage, after: int, last: int) -> HistoryPage | None:
    """The messages of a page from above ``after`` up to ``last`` that are whole, and how far that goes.

    None where the page holds nothing but the beginning of an album: more must be read first.
    """
    more = page.through is not None and page.through < last
    through = min(last, page.through) if page.through is not None else last
    found = tuple(message for message in page.messages if after < message.message_id <= last)
    if more and (begins := unfinished(found, through)) is not None:
        through = begins - 1
        found = tuple(message for message in found if message.message_id < begins)
        if through <= after:
            return None
    return HistoryPage(found, through)


def unfinished(found: tuple[SourceMessage, ...], through: int) -> int | None:
    """The first id of the album that these messages end with, if it may have more parts."""
    if not found or found[-1].album_id is None or through - found[-1].message_id >= ALBUM_REACH:
        return None
    parts = [message.message_id for message in found if message.album_id == found[-1].album_id]
    return parts[0] if len(parts) < ALBUM_PARTS else None


def joined(page: HistoryPage, following: HistoryPage) -> HistoryPage:
    return HistoryPage(page.messages + following.messages, following.through)
