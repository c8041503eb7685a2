"""The judge: what should stand in each chat, held against what stands there. Pure; it asks nobody.

It looks at the world of the local Telegram alone: never at the forwarder's tables or logs. A message's
``identity`` is what its content is known by (the file, or the marker in its text), in sources and
destinations alike; no two messages of a script share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from forwarder.message import Mode


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the world. ``content`` is text, entities and medium in a form that can be compared;
    ``origin`` is (chat, message) of the forward header; ``deleted``: it stood here once."""

    chat: int
    id: int
    identity: str
    content: str = field(repr=False)
    album: str | None = None
    origin: tuple[int, int] | None = None
    sender: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """A post that was made. ``versions`` has the contents its first message has ever had, the newest last."""

    number: int
    source: int
    messages: tuple[Seen, ...]
    versions: tuple[str, ...] = ()
    deleted: bool = False

    @property
    def edited(self) -> bool:
        return len(self.versions) > 1


@dataclass(frozen=True, slots=True)
class Way:
    """A mapping, by the chats' ids."""

    source: int
    destination: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of posts per mapping, but for ``posted`` (posts) and ``doubled`` (messages too many).

    ``expected`` leaves out what was deleted at the source; ``delivered`` is there whole. A post that is lost
    in two mappings counts two.
    """

    posted: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    wrong_content: int = 0
    wrong_place: int = 0
    album_split: int = 0
    stale_edit: int = 0
    undeleted: int = 0
    faults: tuple[str, ...] = ()
    """The first few, in words."""

    @property
    def good(self) -> bool:
        """Everything expected was delivered, and no fault was found."""
        return self.expected == self.delivered and not any(self.counts().values())

    def counts(self) -> dict[str, int]:
        """The faults by name."""
        passed = {"posted", "expected", "delivered", "faults"}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in passed}


FAULTS_TOLD = 20


class _Tally:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []

    def fault(self, name: str, sentence: str, number: int = 1) -> None:
        self.counts[name] += number
        self.told.append(f"{name}: {sentence}")


def judge(posts: Sequence[Expected], ways: Sequence[Way], world: Mapping[int, Sequence[Seen]]) -> Verdict:
    """``world`` has every message that ever stood in each chat, sources and destinations, by number."""
    tally = _Tally()
    by_identity = {message.identity: post for post in posts for message in post.messages}
    for way in ways:
        own = sorted(
            (post for post in posts if post.source == way.source), key=lambda post: post.messages[0].id
        )
        _judge_way(way, own, world.get(way.destination, ()), tally)
    _find_strays(posts, ways, world, by_identity, tally)
    return Verdict(
        posted=len(posts),
        faults=tuple(tally.told[:FAULTS_TOLD]),
        **tally.counts,
    )


def _judge_way(way: Way, posts: Sequence[Expected], there: Sequence[Seen], tally: _Tally) -> None:
    copies: dict[str, list[Seen]] = {}
    for message in there:
        copies.setdefault(message.identity, []).append(message)
    albums = Counter(message.album for message in there if message.album and not message.deleted)
    newest = 0
    for post in posts:
        found = [copies.get(message.identity, []) for message in post.messages]
        name = f"post {post.number} in chat {way.destination}"
        if extra := sum(len(of_one) - 1 for of_one in found if len(of_one) > 1):
            tally.fault("doubled", f"{name}: {extra} too many", extra)
        living = [[one for one in of_one if not one.deleted] for of_one in found]
        if post.deleted:
            if any(living):
                tally.fault("undeleted", name)
            continue
        tally.counts["expected"] += 1
        if not all(living):
            tally.fault("lost", f"{name}: {sum(not one for one in living)} of {len(living)} messages")
            continue
        tally.counts["delivered"] += 1
        first = [of_one[0] for of_one in living]
        newest = _judge_order(first, newest, name, tally)
        _judge_album(first, albums, name, tally)
        _judge_content(way, post, first, name, tally)


def _judge_order(copies: Sequence[Seen], newest: int, name: str, tally: _Tally) -> int:
    """A post is out of order when one that came before it in the source stands after it here."""
    ids = [copy.id for copy in copies]
    if ids[0] < newest or ids != sorted(ids):
        tally.fault("out_of_order", name)
    return max(newest, *ids)


def _judge_album(copies: Sequence[Seen], albums: Counter[str], name: str, tally: _Tally) -> None:
    """An album is one album here too, and nothing else is in it; a single message is in none."""
    album = copies[0].album
    together = all(copy.album == album for copy in copies)
    whole = album is None if len(copies) == 1 else album is not None and albums[album] == len(copies)
    if not (together and whole):
        tally.fault("album_split", name)


def _judge_content(way: Way, post: Expected, copies: Sequence[Seen], name: str, tally: _Tally) -> None:
    wrong = ""
    for place, (message, copy) in enumerate(zip(post.messages, copies, strict=True)):
        header = (way.source, message.id) if way.mode is Mode.FORWARD else None
        if copy.origin != header:
            wrong = f"its header says {copy.origin}, not {header}"
        versions = post.versions if place == 0 and post.versions else (message.content,)
        if copy.content == versions[-1]:
            continue
        # A forward shows what its source said when it was sent, and nobody can edit it afterwards.
        if copy.content in versions and way.mode is Mode.FORWARD:
            continue
        if copy.content in versions:
            tally.fault("stale_edit", name)
        else:
            wrong = "it reads otherwise than its source"
    if wrong:
        tally.fault("wrong_content", f"{name}: {wrong}")


def _find_strays(
    posts: Iterable[Expected],
    ways: Iterable[Way],
    world: Mapping[int, Sequence[Seen]],
    by_identity: Mapping[str, Expected],
    tally: _Tally,
) -> None:
    """Messages that stand where nothing asked for them, or that nobody posted."""
    asked = {(way.source, way.destination) for way in ways}
    own = {(post.source, message.id) for post in posts for message in post.messages}
    for chat, messages in world.items():
        for message in messages:
            if (chat, message.id) in own:
                continue
            post = by_identity.get(message.identity)
            if post is None or (post.source, chat) not in asked:
                tally.fault("wrong_place", f"message {message.id} in chat {chat} ({message.identity})")
