"""Whether one message is a copy of another, by what both say now. Pure.

Both must have been read over MTProto: the two APIs have names of their own for one medium.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from forwarder.message import Kind, Mode, SourceMessage


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a copy of one source message may look like. ``date`` is what a forward's header says of a person's post;
    before ``edited`` it may also have said something that nobody of us has heard."""

    kind: Kind
    texts: frozenset[str]
    media_id: str | None
    in_album: bool
    date: datetime | None = None
    edited: datetime | None = None


def wanted_of(source: SourceMessage, earlier: Iterable[str] = ()) -> Wanted:
    """``earlier`` are texts that the message has had before."""
    return Wanted(
        kind=source.kind,
        texts=frozenset((source.text, *earlier)),
        media_id=source.media_id,
        in_album=source.album_id is not None,
        date=source.forwarded or source.date,
        edited=source.edit_date,
    )


def same_post(mode: Mode, wanted: Wanted, copy: SourceMessage) -> bool:
    """Whether ``copy`` carries what is wanted, and its header if it is to be a forward."""
    return same_header(mode, wanted, copy) and same_content(wanted, copy)


def may_be_earlier(mode: Mode, wanted: Wanted, copy: SourceMessage) -> bool:
    """Whether ``copy`` may carry what the source said before it was edited."""
    return (
        wanted.edited is not None
        and copy.date <= wanted.edited
        and same_thing(wanted, copy)
        and same_header(mode, wanted, copy)
    )


def same_thing(wanted: Wanted, copy: SourceMessage) -> bool:
    """The same kind and medium, whatever the text."""
    return (copy.kind, copy.media_id) == (wanted.kind, wanted.media_id)


def same_header(mode: Mode, wanted: Wanted, copy: SourceMessage) -> bool:
    if mode is Mode.FORWARD:
        # People's posts are forwarded with a name and the date of the first appearance only.
        return copy.forwarded is not None and copy.forwarded == wanted.date
    # Telegram forwards a dice also where a copy was asked for; nothing else of ours has a header.
    return copy.forwarded is None or wanted.kind is Kind.DICE


def same_content(wanted: Wanted, copy: SourceMessage) -> bool:
    if not same_thing(wanted, copy):
        return False
    # An edit after the send changes the text here but not there; the medium alone tells them apart then.
    if wanted.edited is not None and wanted.media_id is not None:
        return True
    return copy.text in wanted.texts


UNCLEAN = re.compile("[\x00-\x09\x0b-\x1f\u2028-\u202e\u0333\u033f\u030a]|[\u200e\u200f](?=[\u200e\u200f])")
"""What the Bot API takes out of a text, or puts other characters for (``clean_input_string`` in TDLib)."""


def as_a_bot_writes(words: str) -> str:
    """How a text reads when a bot has sent it."""
    return UNCLEAN.sub(clean, words).strip()


def clean(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\u200e\u200f":
        return "\u200c"
    return " " if character < " " and character != "\r" else ""
