"""What is sent in place of a post that rules have changed. Pure."""

from __future__ import annotations

from dataclasses import replace

from forwarder.message import (
    AccountKind,
    Button,
    Entity,
    Kind,
    Look,
    NewPart,
    Rewrite,
    SourceMessage,
    look_of,
)
from forwarder.rules import fitting, marks
from forwarder.rules.decide import Part, Passed, main_part
from forwarder.rules.entities import from_utf16, length_in_units
from forwarder.rules.post import WITH_CAPTION

COVERED = frozenset({Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION})
"""Kinds that can be behind a spoiler."""

GROUPS = (frozenset({Kind.PHOTO, Kind.VIDEO}), frozenset({Kind.DOCUMENT}), frozenset({Kind.AUDIO}))
"""What a bot may put together in an album (https://core.telegram.org/bots/api#sendmediagroup)."""

BUTTONLESS = frozenset({Kind.DICE})
"""Kinds that Telegram forwards also where a copy is asked for, and so without a button."""


def rewrite_of(
    passed: Passed, kind: AccountKind, caption_limit: int = fitting.CAPTION_LIMIT
) -> Rewrite | None:
    """None where the post goes as it is: nothing is changed that an account of this kind can change.

    Only bots have buttons, and albums none. What is of no kind that we know goes whole.
    """
    parts = new_parts(passed, caption_limit)
    if any(part.kind is Kind.UNKNOWN for part in parts):
        return None
    button = button_of(passed, kind)
    rest = None
    if passed.rest is not None:
        whole = main_part([part.source for part in passed.parts])
        assert whole is not None, "only what has a text can have too much of it"
        rest = NewPart(whole.message_id, Kind.TEXT, passed.rest.text, passed.rest.entities, changed=True)
    looks = [look_of(part.source.facts) for part in passed.parts]
    touched = any(
        part.changed or part.cover or part.look != look for part, look in zip(parts, looks, strict=True)
    )
    if not touched and rest is None and button is None:
        return None
    follow = kind is AccountKind.BOT and len(parts) > 1 and not in_one_call(parts)
    return Rewrite(parts, rest, button, follow)


def button_of(passed: Passed, kind: AccountKind) -> Button | None:
    """The button below a post, where an account of this kind can put one there."""
    single = len(passed.parts) == 1 and passed.parts[0].source.kind not in BUTTONLESS
    return passed.button if kind is AccountKind.BOT and single else None


def new_parts(passed: Passed, caption_limit: int = fitting.CAPTION_LIMIT) -> tuple[NewPart, ...]:
    """Each part as it is to read and look."""
    return tuple(new_part(passed, part, caption_limit) for part in passed.parts)


def new_part(passed: Passed, part: Part, caption_limit: int) -> NewPart:
    source = part.source
    text, entities = part.text, part.entities
    coverable = source.kind in COVERED
    cover = coverable and passed.spoiler and not source.facts.spoiler
    if source.kind in WITH_CAPTION and (len(passed.parts) > 1 or cover) and not part.changed:
        # Only its author's Premium allowed it; what is sent anew, covered or beside a part that rules have changed, is
        # ours.
        text, entities = cut(text, entities, caption_limit)
    return NewPart(
        source.message_id,
        source.kind,
        text,
        entities,
        part.changed,
        look_after(passed, part),
        spoiler=coverable and (passed.spoiler or source.facts.spoiler),
        cover=cover,
        file_id=source.file_id,
    )


def cut(text: str, entities: tuple[Entity, ...], limit: int) -> tuple[str, tuple[Entity, ...]]:
    if length_in_units(text) <= limit and len(entities) <= fitting.MOST_ENTITIES:
        return text, entities
    return fitting.as_sent(fitting.cut(from_utf16(text, entities), limit))


def look_after(passed: Passed, part: Part) -> Look:
    """How a text shows its preview: as the rules want it, else as the source does, of a link that is still there."""
    source, look = part.source, look_of(part.source.facts)
    if source.kind is not Kind.TEXT:
        return look
    links = links_of(part.text, part.entities)
    if part.changed and look.preview_url is not None and not keeps_preview(source, look.preview_url, links):
        look = replace(look, preview_url=None, preview_large=None)
    if passed.preview is not None and (links or look.preview_url is not None):
        look = replace(look, preview_hidden=not passed.preview)
    return look


def keeps_preview(source: SourceMessage, url: str, links: frozenset[str]) -> bool:
    """Whether a preview that was chosen is of a link that the rules have left; one that the text never showed stays
    where they have taken no link away."""
    before = links_of(source.text, source.entities)
    return bare(url) in links or (bare(url) not in before and before <= links)


def links_of(text: str, entities: tuple[Entity, ...]) -> frozenset[str]:
    return frozenset(bare(mark.target) for mark in marks.links(from_utf16(text, entities)))


def bare(link: str) -> str:
    return link.lower().removeprefix("https://").removeprefix("http://").rstrip("/")


def in_one_call(parts: tuple[NewPart, ...]) -> bool:
    """Whether a bot can send these anew as an album: it has heard each medium, and they are of kinds that go
    together."""
    kinds = {part.kind for part in parts}
    return all(part.file_id is not None for part in parts) and any(kinds <= group for group in GROUPS)
