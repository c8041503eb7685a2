"""Whatever rules do to a post, what is left of its text keeps the formatting that it had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder.message import Entity, Kind
from forwarder.rules import Passed, decide
from forwarder.rules.entities import length_in_units
from tests.unit.rules.posts import CONTEXT, photo, those_that_load

LETTERS = [chr(n) for n in (*range(0x4E00, 0x4E60), *range(0x20000, 0x20020))]
"""Each stands once in a text, so that it is known again wherever it comes to stand; the last take two units."""

SPOKEN = (
    "sale",
    "SALE",
    "ёлка",
    "😀",
    "#tag",
    "@name_one",
    "https://t.me/news/5",
    "t.me/x",
    "\n",
    "\n\n",
    " ",
    ".",
)

CHANGES: list[dict[str, Any]] = [
    {"replace": {"words": ["sale", "елка"], "with": "новое 😀", "keep_case": True}},
    {"replace": {"words": ["a", "😀"], "with": "", "part": True}},
    {"replace": {"regex": r"(?i)s(\w)le|\.", "with": r"\1"}},
    {"remove_links": True},
    {"remove_links": ["t.me"]},
    {"replace_links": {"with": "https://b.example"}},
    {"source_links": True},
    {"remove_mentions": True},
    {"replace_mentions": {"with": "@b"}},
    {"remove_hashtags": True},
    {"remove_signature": True},
    {"remove_signature": ["sale"]},
    {"cut": 20},
    {"cut": {"length": 40, "ending": "😀"}},
    {"header": "<b>{source_title}</b>\n"},
    {"footer": "<i>{post_link}</i> <code>{date}</code>"},
    {"too_long": "split"},
]
TYPES = ("bold", "italic", "underline", "code", "blockquote")
MOST = 60
"""Formatted stretches of a post: header and footer add to them, and Telegram takes a hundred."""


@st.composite
def texts(draw: st.DrawFn) -> str:
    letters = iter(draw(st.permutations(LETTERS)))
    pieces = draw(st.lists(st.one_of(st.integers(1, 6), st.sampled_from(SPOKEN)), max_size=25))
    words = [
        piece if isinstance(piece, str) else "".join(next(letters, "") for _ in range(piece))
        for piece in pieces
    ]
    return draw(st.sampled_from(["", " "])).join(words)


def stretches(text: str) -> st.SearchStrategy[list[Entity]]:
    places = st.integers(0, len(text))
    return st.lists(st.builds(stretch, st.just(text), st.sampled_from(TYPES), places, places), max_size=MOST)


def stretch(text: str, kind: str, start: int, end: int) -> Entity:
    start, end = min(start, end), max(start, end)
    return Entity(kind, length_in_units(text[:start]), length_in_units(text[start:end]))


def formatting(text: str, entities: Iterable[Entity]) -> dict[str, frozenset[str]]:
    """What each letter that stands once in the text is formatted as."""
    found: dict[str, set[str]] = {letter: set() for letter in text if letter in LETTERS}
    for entity in entities:
        data = text.encode("utf-16-le")[2 * entity.offset : 2 * (entity.offset + entity.length)]
        for letter in data.decode("utf-16-le", "ignore"):
            if letter in found:
                found[letter].add(entity.type)
    return {letter: frozenset(types) for letter, types in found.items()}


@given(st.data(), texts(), st.lists(st.sampled_from(CHANGES), min_size=1, max_size=6))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_left_of_a_text_keeps_the_formatting_that_it_had(
    data: st.DataObject, text: str, written: list[dict[str, Any]]
) -> None:
    entities = data.draw(stretches(text))
    kind = data.draw(st.sampled_from([Kind.TEXT, Kind.PHOTO]))
    outcome = decide(those_that_load(written), [photo(text, *entities, kind=kind)], CONTEXT)
    if not isinstance(outcome, Passed):
        return
    before = formatting(text, entities)
    [part] = outcome.parts
    for left in (part, outcome.rest):
        if left is not None:
            after = formatting(left.text, left.entities)
            assert after == {letter: before[letter] for letter in after}
