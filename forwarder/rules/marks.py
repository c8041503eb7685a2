"""Links, mentions, hashtags and the like in a text: where they are and what they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from forwarder.rules.entities import Rich
from forwarder.rules.folding import fold

# The server marks these in every text; after an edit of ours they are found again by what they look like. The sign
# comes first in each pattern, what must not stand before it second: that is how ``re`` finds the sign quickly.
LOOKS = {
    "url": re.compile(r"(?:https?://|tg://|www\.|t\.me/)[^\s<>]+"),  # looked for in lower case
    "mention": re.compile(r"@(?<![\w@./]@)[A-Za-z]\w{3,31}\b", re.ASCII),
    "hashtag": re.compile(r"#(?<![\w#&/]#)(?=\w*[^\W\d])\w+"),
    "cashtag": re.compile(r"\$(?<![\w$]\$)[A-Z]{3,8}\b(?!\w)"),
    "bot_command": re.compile(r"/(?<![\w/<>:.@]/)[a-z]\w{0,31}(?:@\w+)?\b", re.ASCII | re.IGNORECASE),
}
SIGNS = {"mention": "@", "hashtag": "#", "cashtag": "$", "bot_command": "/"}
BEHIND_A_LINK = ".,;:!?)]}»”’\"'…"
CODE = frozenset({"code", "pre"})
LONGEST_HOST = 254
"""Longer names lead nowhere (RFC 1035, 2.3.4, and a dot behind them); each dot of one costs as much as it is long."""


class Mark(NamedTuple):
    """A stretch of the text in characters. ``target`` is what it names: a link's address, a tag as it is written.

    ``hidden`` is a link, or a mention of somebody without a name, behind other words.
    """

    start: int
    end: int
    target: str
    hidden: bool = False


@lru_cache(maxsize=16)
def links(rich: Rich) -> Sequence[Mark]:
    hidden = [
        Mark(e.offset, e.offset + e.length, e.url or "", hidden=True)
        for e in rich.entities
        if e.type == "text_link"
    ]
    if not hidden:
        return marks(rich, "url")
    return tuple(sorted([*hidden, *marks(rich, "url")], key=lambda mark: (mark.start, mark.end)))


@lru_cache(maxsize=16)
def mentions(rich: Rich) -> Sequence[Mark]:
    """``@name`` anywhere, and people who are mentioned by their words alone, by their ids."""
    hidden = [
        Mark(e.offset, e.offset + e.length, str(e.user_id), hidden=True)
        for e in rich.entities
        if e.type == "text_mention"
    ]
    if not hidden:
        return marks(rich, "mention")
    return tuple(sorted([*hidden, *marks(rich, "mention")], key=lambda mark: (mark.start, mark.end)))


@lru_cache(maxsize=16)
def marks(rich: Rich, kind: str) -> tuple[Mark, ...]:
    """Those of one kind, as the server marked them and as they look, left to right without overlaps."""
    if not rich.text:
        return ()
    places = {(e.offset, e.offset + e.length) for e in rich.entities if e.type == kind}
    looks = _looks(rich.text, kind)
    if not looks and not places:
        return ()
    taken = [*places, *[(e.offset, e.offset + e.length) for e in rich.entities if e.type in CODE]]
    for start, end in looks:
        if (start, end) not in places and not any(
            start < other_end and other < end for other, other_end in taken
        ):
            places.add((start, end))
    return tuple([Mark(start, end, rich.text[start:end]) for start, end in sorted(places)])


def _looks(text: str, kind: str) -> list[tuple[int, int]]:
    if kind == "url":
        return _link_looks(text)
    first = text.find(SIGNS[kind])
    return [found.span() for found in LOOKS[kind].finditer(text, first)] if first >= 0 else []


def _link_looks(text: str) -> list[tuple[int, int]]:
    # One of these stands in every link, no further behind its beginning than in https://.
    scheme, dot = text.find("://"), text.find(".")
    if scheme < 0 and dot < 0:
        return []
    first = min(scheme, dot) if scheme >= 0 and dot >= 0 else max(scheme, dot)
    skipped = max(first - len("https"), 0)
    places = []
    # Of all letters İ alone becomes two in lower case, and would move what follows it.
    for found in LOOKS["url"].finditer(text[skipped:].replace("İ", "i").lower()):
        start = skipped + found.start()
        if start == 0 or not (text[start - 1].isalnum() or text[start - 1] in "_@"):
            places.append((start, start + len(found[0].rstrip(BEHIND_A_LINK))))
    return places


@lru_cache(maxsize=1024)
def domain_of(link: str) -> str:
    """The host that a link leads to, folded and without ``www.``; nothing for what is no link."""
    if link.lower().startswith("tg:"):
        return "t.me"
    try:
        host = urlsplit(link if "://" in link else f"//{link}").hostname or ""
    except ValueError:
        return ""
    if len(host) > LONGEST_HOST:
        return ""
    return fold(_readable(host)).removeprefix("www.").rstrip(".")


def in_domain(link: str, domains: frozenset[str]) -> bool:
    """Whether a link leads to one of the domains or below it."""
    host = domain_of(link)
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False


def _readable(host: str) -> str:
    """``xn--e1afmkfd.xn--p1ai`` as ``пример.рф``."""
    if "xn--" not in host:
        return host
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


@lru_cache(maxsize=1024)
def tag_name(tag: str) -> str:
    """A hashtag, mention or command as it is compared: folded, without its sign and without ``@bot``."""
    return fold(tag).lstrip("#@$/").partition("@")[0]
