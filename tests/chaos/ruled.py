"""What rules are to make of a chaos' posts, said once more in the plainest way. Pure; it knows no rule of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from forwarder.demo.verdict import Expected, Seen

CHANNEL_OFFSET = 1_000_000_000_000
CAPTIONED = frozenset({"photo", "video", "document"})
BEGINS = "Read in"
WORDS = " ".join(f"word{number}" for number in range(133))
"""As long as a footer may be; together with a caption longer than a caption may be."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Rules of a lane, and what they call its source.

    What the derby is in is refused, a word amid formatted text is said otherwise, and below stands a footer.
    ``split``: that is so long that captions are split in two; it ends with the post's link, by which the second message
    is known.
    """

    title: str
    split: bool

    def to_json(self) -> dict[str, Any]:
        """As `RuleService` wants them."""
        footer = f"{BEGINS} <i>{{source_title}}</i>"
        rules: list[dict[str, Any]] = [
            {"name": "no sport", "deny": {"words": ["the derby"]}},
            {"replace": {"words": ["monday"], "with": "tuesday"}},
            {"footer": f"{footer} {WORDS} {{post_link}}" if self.split else footer},
        ]
        return {"rules": [*rules, {"too_long": "split"}] if self.split else rules}

    def asked(self, post: Expected) -> Expected | None:
        """The post as it is to arrive; one that is refused as if it had been deleted.

        None for what was edited after it said what is refused: whether it passes depends on when it was looked at.
        """
        if "derby" in "".join((*post.versions, *(message.content for message in post.messages))):
            return None if post.edited else replace(post, deleted=True)
        first, *others = post.messages
        return replace(
            post,
            messages=(replace(first, content=self._changed(first.content, post)), *others),
            versions=tuple(self._changed(version, post) for version in post.versions),
        )

    def _changed(self, content: str, post: Expected) -> str:
        """The content of a post's first message, which alone has a text, as `observe.content` writes it."""
        text, entities, media = json.loads(content)
        if media is not None and media["kind"] not in CAPTIONED:
            return content
        before, monday, after = text.partition("Monday")
        if monday:
            moved = len("Tuesday") - len("Monday")
            entities = [
                [kind, start + moved if start > units(before) else start, length, url]
                for kind, start, length, url in entities
            ]
            text = f"{before}Tuesday{after}"
        text = f"{text}\n\n{BEGINS} {self.title}"
        entities.append(["italic", units(text) - units(self.title), units(self.title), ""])
        if self.split:
            link = link_to(post)
            text = f"{text} {WORDS} {link}"
            entities.append(["url", units(text) - units(link), units(link), ""])
        return written(text, entities, media)


def link_to(post: Expected) -> str:
    return f"https://t.me/c/{-post.source - CHANNEL_OFFSET}/{post.messages[0].id}"


def rejoined(there: Sequence[Seen], posts: Sequence[Expected]) -> list[Seen]:
    """A chat with second messages put back behind the first ones, where both are there or both have gone.

    A second message that has gone alone is left out: after an edit the first has room for everything, or lacks it.
    One that has no first message stands for itself, and nobody has asked for it.
    """
    if not posts:
        return list(there)
    by_link = {link_to(post): post.messages[0].identity for post in posts}
    kept: list[Seen] = []
    for one in there:
        text, entities, _ = json.loads(one.content)
        identity = None if BEGINS in text else by_link.get(text.rpartition(" ")[2])
        firsts = [
            n for n, other in enumerate(kept) if other.identity == identity and other.deleted == one.deleted
        ]
        for n in firsts:
            kept[n] = replace(kept[n], content=behind(kept[n].content, text, entities))
        if identity is None or not (firsts or one.deleted):
            kept.append(one)
    return kept


def behind(first: str, text: str, entities: Sequence[Sequence[Any]]) -> str:
    """Both messages as one; they were parted at a space."""
    begun, kinds, media = json.loads(first)
    moved = [[kind, start + units(begun) + 1, length, url] for kind, start, length, url in entities]
    return written(f"{begun} {text}", [*kinds, *moved], media)


def written(text: str, entities: Sequence[Sequence[Any]], media: object) -> str:
    return json.dumps([text, sorted(entities), media], ensure_ascii=False, sort_keys=True)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
