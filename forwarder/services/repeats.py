"""Which posts say again what a destination has, or will have: pure, over the keys by which posts are known."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forwarder.message import SourceMessage
from forwarder.models import Dedup
from forwarder.rules import content_hash

Place = tuple[int, int, bytes]
"""Scope, topic and key: what a fingerprint is known by."""

ORIGIN = struct.Struct(">qq")
"""A chat and a message, as a key; those of content are of another length."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that asks for its place in a destination, which may be in a ``group``. ``hours`` is its mapping's
    window."""

    delivery_id: int
    post_id: int
    destination_id: int
    topic: int
    source_id: int
    dedup: Dedup
    hours: int
    keys: tuple[bytes, ...]
    group: int | None = None

    @property
    def scope(self) -> tuple[int, int]:
        """What remembers its keys: the group, or else the destination with its topic."""
        return (-self.group, 0) if self.group is not None else (self.destination_id, self.topic)

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple((*self.scope, key) for key in self.keys)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a key: a delivery, and the source and the post that it is of. ``known``: it had it before this call."""

    delivery_id: int
    source_id: int
    post_id: int | None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a duplicate repeats, and the ``keys`` by which it asks for a place itself when that one ends unsent."""

    first: int
    keys: tuple[bytes, ...]


def keys_of(parts: tuple[SourceMessage, ...]) -> tuple[bytes, ...]:
    """The keys under which a post is known in a destination: its origin, and its content if it has one.

    An album's origin is its first part's. It is not hashed, so that the places of one source's posts lie together in
    the index, those of its newest at hand.
    """
    first = parts[0]
    chat, message = (
        (first.origin.chat_id, first.origin.message_id) if first.origin else (first.chat_id, first.message_id)
    )
    keys = [ORIGIN.pack(chat, message)]
    content = content_hash(parts)
    if content is not None:
        keys.append(content)
    return tuple(keys)


def is_repeat(candidate: Candidate, owner: Owner) -> bool:
    """Whether what the owner of a key brings makes this one a duplicate: the same post always does, the same content
    where it is another source's, or where the mapping wants no repeats in one source either."""
    same_post = owner.post_id == candidate.post_id
    return same_post or candidate.dedup is Dedup.ALL or owner.source_id != candidate.source_id


def judged(
    candidates: Sequence[Candidate], taken: Mapping[Place, Owner]
) -> tuple[dict[int, Owner], dict[Place, Owner]]:
    """Which of these are duplicates, and of whom, and who has each place then: as if they came one by one.

    A duplicate has no place, so that nothing is compared with it. What was known before is named first, for whoever
    repeats that has written nothing.
    """
    holders, brought = dict(taken), dict[tuple[int, int, int], Owner]()
    duplicates: dict[int, Owner] = {}
    for one in sorted(candidates, key=lambda c: c.delivery_id):
        post = (one.post_id, one.destination_id, one.topic)
        found = [brought[post]] if post in brought else []
        if one.dedup is not Dedup.OFF:
            found += [holders[place] for place in one.places if place in holders]
        found = [owner for owner in found if owner.delivery_id != one.delivery_id and is_repeat(one, owner)]
        if found:
            duplicates[one.delivery_id] = next((owner for owner in found if owner.known), found[0])
            continue
        own = Owner(one.delivery_id, one.source_id, one.post_id)
        brought[post] = own
        if one.dedup is not Dedup.OFF:
            for place in one.places:
                holders.setdefault(place, own)
    return duplicates, holders
