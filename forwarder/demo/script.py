"""What is posted, edited and deleted, and when: the same for the same seed.

Each message has content of its own, so that its copies are known by what they say and no copy is taken for a
repeat. A post is named by its number; its marker (``№0042``) stands in every text and stays through edits.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from forwarder.demo.stage import SOURCES, Chat

POSTS_PER_SECOND = 4.0
EDITED = 0.14
DELETED = 0.06
CAPTIONED = frozenset({"text", "formatted", "photo", "document", "video", "album", "documents"})
KINDS = {
    "text": 26, "formatted": 20, "photo": 14, "album": 14, "document": 7, "poll": 7, "documents": 4,
    "video": 4, "contact": 2, "location": 2,
}  # fmt: skip
"""How often each kind comes, relatively."""

_SUBJECTS = (
    "The council", "A new bridge", "The harbour", "Line 7", "The museum", "A storm front", "The derby",
    "The central bank", "An old comet", "The night market", "The river", "A quiet street", "Мэрия", "Каток",
)  # fmt: skip
_EVENTS = (
    "opens on Monday", "is delayed again", "draws a record crowd", "moves north", "wants volunteers",
    "surprises everyone", "is back after ten years", "is new", "открывается в субботу", "goes on 🎉",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One message as the sandbox is told to post it; ``media`` names a kind and a seed of its own."""

    text: str = ""
    entities: tuple[dict[str, object], ...] = ()
    media: dict[str, object] | None = None

    def to_json(self) -> dict[str, object]:
        written: dict[str, object] = {}
        if self.text:
            written["text"] = self.text
        if self.entities:
            written["entities"] = list(self.entities)
        if self.media is not None:
            written["media"] = self.media
        return written


@dataclass(frozen=True, slots=True)
class Post:
    """A message, or an album of two to ten."""

    number: int
    source: str
    kind: str
    parts: tuple[Part, ...] = field(repr=False)

    def to_json(self) -> dict[str, object]:
        if len(self.parts) == 1:
            return self.parts[0].to_json()
        return {"album": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Edit:
    """Give the first message of a post another text or caption."""

    number: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a post whole."""

    number: int


Act = Post | Edit | Delete


@dataclass(frozen=True, slots=True)
class Step:
    """One act, ``at`` so many seconds after the beginning."""

    at: float
    act: Act


def write_script(
    seed: int,
    posts: int,
    *,
    first: int = 1,
    rate: float = POSTS_PER_SECOND,
    sources: Sequence[Chat] = SOURCES,
) -> list[Step]:
    """The steps in the order of time. Numbers begin with ``first``; ``rate`` is in posts a second."""
    heard = frozenset(chat.key for chat in sources if chat.account)
    chance = random.Random(f"{seed}:{first}")
    steps: list[Step] = []
    kinds = _kinds(chance, posts)
    for offset in range(posts):
        # Every source has its turn in each round, in an order that changes.
        if offset % len(sources) == 0:
            order = chance.sample([chat.key for chat in sources], len(sources))
        number, source = first + offset, order[offset % len(sources)]
        at = (offset + chance.random() * 0.9) / rate
        post = Post(number, source, kinds[offset], _parts(kinds[offset], number, seed, chance))
        steps.append(Step(at, post))
        steps += _later(post, at, chance, deletions=source in heard)
    return sorted(steps, key=lambda step: step.at)


def marker(number: int) -> str:
    """What every text of a post contains."""
    return f"№{number:04d}"


def _kinds(chance: random.Random, posts: int) -> list[str]:
    """Each kind at least once where there is room, then by weight."""
    every = list(KINDS)[:posts]
    rest = chance.choices(list(KINDS), list(KINDS.values()), k=posts - len(every))
    mixed = every + rest
    chance.shuffle(mixed)
    return mixed


def _later(post: Post, at: float, chance: random.Random, *, deletions: bool) -> list[Step]:
    """What happens to the post afterwards: some at once, before it can have been sent, some much later."""
    drawn = chance.random()
    if drawn < DELETED and deletions:
        return [Step(at + _moment(chance), Delete(post.number))]
    if drawn < DELETED + EDITED and post.kind in CAPTIONED:
        first = at + _moment(chance)
        edits = [Step(first, Edit(post.number, _edited(post, 1)))]
        if chance.random() < 0.3:
            edits.append(Step(first + chance.uniform(0.05, 2.0), Edit(post.number, _edited(post, 2))))
        return edits
    return []


def _moment(chance: random.Random) -> float:
    return chance.choice((chance.uniform(0.01, 0.1), chance.uniform(0.5, 3.0), chance.uniform(5.0, 15.0)))


def _edited(post: Post, times: int) -> str:
    return f"{marker(post.number)} Correction {times}: what was said here was said too soon."


def _sentence(number: int, chance: random.Random) -> str:
    return f"{marker(number)} {chance.choice(_SUBJECTS)} {chance.choice(_EVENTS)}."


def _parts(kind: str, number: int, seed: int, chance: random.Random) -> tuple[Part, ...]:
    text = _sentence(number, chance)
    if kind == "text":
        return (Part(text),)
    if kind == "formatted":
        return (_formatted(number, chance),)
    if kind in ("album", "documents"):
        what = "photo" if kind == "album" else "document"
        count = chance.randint(2, 10)
        return tuple(
            Part(text if index == 0 else "", media=_file(what, number, index, seed)) for index in range(count)
        )
    if kind == "poll":
        return (
            Part(media={"kind": "poll", "question": f"{text} Will it?", "options": ["Yes", "No", "Later"]}),
        )
    if kind == "contact":
        return (
            Part(media={"kind": "contact", "phone": f"+99966{number:06d}", "first_name": marker(number)}),
        )
    if kind == "location":
        return (Part(media={"kind": "location", "latitude": number / 100, "longitude": seed % 90 + 0.5}),)
    return (Part(text, media=_file(kind, number, 0, seed)),)


def _file(kind: str, number: int, index: int, seed: int) -> dict[str, object]:
    written: dict[str, object] = {"kind": kind, "seed": (seed * 100_000 + number) * 16 + index}
    if kind == "document":
        written |= {"name": f"report-{number}-{index}.pdf", "mime_type": "application/pdf"}
    return written


def _formatted(number: int, chance: random.Random) -> Part:
    """A text with entities; the astral sign in front makes UTF-16 offsets differ from characters."""
    pieces: list[tuple[str, dict[str, object] | None]] = [
        ("📌 ", None),
        (marker(number), {"type": "bold"}),
        (" ", None),
        (chance.choice(_SUBJECTS), {"type": "italic"}),
        (f" {chance.choice(_EVENTS)}, see ", None),
        ("the report", {"type": "text_link", "url": f"https://example.org/{number}"}),
        (" and ", None),
        (f"code {number}", {"type": "code"}),
        (".", None),
    ]
    return Part("".join(piece for piece, _ in pieces), _entities(pieces))


def _entities(pieces: Sequence[tuple[str, dict[str, object] | None]]) -> tuple[dict[str, object], ...]:
    found: list[dict[str, object]] = []
    offset = 0
    for piece, style in pieces:
        length = len(piece.encode("utf-16-le")) // 2
        if style is not None:
            found.append({**style, "offset": offset, "length": length})
        offset += length
    return tuple(found)
