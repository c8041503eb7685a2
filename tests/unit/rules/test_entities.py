"""No edit breaks formatting: it stays inside the text, and on what it was on."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import Entity
from forwarder.rules.entities import (
    BOUND_TO_TEXT,
    Edit,
    Rich,
    edited,
    from_utf16,
    joined,
    length_in_units,
    part_of,
    stripped,
    to_utf16,
)
from forwarder.rules.fitting import cut, split

LETTERS = st.text(st.sampled_from("ab ё\n😀🇷👩\u200d\ufe0f\u0301م,."), max_size=40)
TYPES = st.sampled_from(["bold", "italic", "text_link", "code", "url", "hashtag", "custom_emoji"])


def bold(start: int, length: int) -> Entity:
    return Entity("bold", start, length)


@st.composite
def riches(draw: st.DrawFn) -> Rich:
    text = draw(LETTERS)
    places = st.tuples(TYPES, st.integers(-3, 90), st.integers(-3, 90))
    return from_utf16(
        text, [Entity(kind, start, length) for kind, start, length in draw(st.lists(places, max_size=6))]
    )


@st.composite
def riches_with_edits(draw: st.DrawFn) -> tuple[Rich, list[Edit]]:
    rich = draw(riches())
    places = sorted(draw(st.lists(st.integers(0, len(rich.text)), max_size=8)))
    pairs = zip(places[::2], places[1::2], strict=False)
    return rich, [Edit(start, end, draw(riches()), draw(st.booleans())) for start, end in pairs]


def sound(rich: Rich) -> bool:
    inside = all(e.length > 0 and 0 <= e.offset <= len(rich.text) - e.length for e in rich.entities)
    return inside and list(rich.entities) == sorted(rich.entities, key=lambda e: (e.offset, -e.length))


def formats(entities: Iterable[Entity], at: int) -> list[str]:
    """What lies on a character, but for what says what its text is."""
    return sorted(
        e.type for e in entities if e.offset <= at < e.offset + e.length and e.type not in BOUND_TO_TEXT
    )


@given(st.text(max_size=30), st.lists(st.builds(bold, st.integers(-9, 99), st.integers(-9, 99)), max_size=5))
def test_whatever_telegram_says_is_read_as_sound_formatting(text: str, entities: list[Entity]) -> None:
    rich = from_utf16(text, entities)
    assert sound(rich)
    again, units = to_utf16(rich)
    assert all(e.offset >= 0 and e.offset + e.length <= length_in_units(again) for e in units)
    assert from_utf16(again, units) == rich


@given(riches_with_edits())
def test_no_edit_puts_formatting_outside_the_text(case: tuple[Rich, list[Edit]]) -> None:
    assert sound(edited(*case))


@given(riches_with_edits())
def test_untouched_text_keeps_its_formatting(case: tuple[Rich, list[Edit]]) -> None:
    rich, edits = case
    after = edited(rich, edits)
    shift = 0
    for number, edit in enumerate([*edits, Edit(len(rich.text), len(rich.text))]):
        for at in range(edits[number - 1].end if number else 0, edit.start):
            assert after.text[at + shift] == rich.text[at]
            assert formats(after.entities, at + shift) == formats(rich.entities, at)
        shift += len(edit.text.text) - (edit.end - edit.start)


@given(riches_with_edits())
def test_what_says_what_its_text_is_goes_when_that_changes(case: tuple[Rich, list[Edit]]) -> None:
    rich, edits = case
    plain = [Edit(e.start, e.end, Rich(e.text.text)) for e in edits]
    kept = [e for e in edited(rich, plain).entities if e.type in BOUND_TO_TEXT]
    untouched = [
        e for e in rich.entities
        if e.type in BOUND_TO_TEXT and not any(d.start < e.offset + e.length and d.end > e.offset for d in edits)
    ]  # fmt: skip
    assert sorted((e.type, e.length) for e in kept) == sorted((e.type, e.length) for e in untouched)


@given(riches(), st.integers(20, 60))
def test_what_is_cut_or_split_fits_and_is_sound(rich: Rich, limit: int) -> None:
    short = cut(rich, limit)
    first, second = split(rich, limit)
    assert sound(short)
    assert sound(first)
    assert sound(second)
    assert max(length_in_units(short.text), length_in_units(first.text)) <= limit
    assert "".join((first.text + second.text).split()) == "".join(rich.text.split())


@given(riches(), riches())
def test_two_texts_behind_each_other_keep_what_they_were(one: Rich, other: Rich) -> None:
    both = joined(one, other)
    assert sound(both)
    unbound = [e for e in one.entities if e.type not in BOUND_TO_TEXT]
    assert [e for e in part_of(both, 0, len(one.text)).entities if e.type not in BOUND_TO_TEXT] == unbound


TABLE = [
    # an edit inside formatting: it grows and shrinks with it
    ("ab CD ef", bold(0, 8), Edit(3, 5, Rich("дорого")), [(0, 12)]),
    # the whole of it: the new text is as the old was
    ("ab CD ef", bold(3, 2), Edit(3, 5, Rich("дорого")), [(3, 6)]),
    # split: the new text stays plain
    ("ab CD ef", bold(0, 8), Edit(3, 5, Rich("xyz"), split=True), [(0, 3), (6, 3)]),
    # trimmed at its end, and at its beginning
    ("ab CD ef", bold(0, 4), Edit(3, 8, Rich("!")), [(0, 3)]),
    ("ab CD ef", bold(4, 4), Edit(0, 5, Rich("!")), [(1, 3)]),
    # within: gone
    ("ab CD ef", bold(3, 1), Edit(2, 6, Rich("-")), []),
    # cut out
    ("ab CD ef", bold(3, 2), Edit(3, 5), []),
    # put in front of it and behind it: it does not grow
    ("ab CD ef", bold(3, 2), Edit(3, 3, Rich("new ")), [(7, 2)]),
    ("ab CD ef", bold(3, 2), Edit(5, 5, Rich(" new")), [(3, 2)]),
]


@pytest.mark.parametrize(("text", "entity", "edit", "places"), TABLE)
def test_formatting_is_kept_trimmed_or_split(
    text: str, entity: Entity, edit: Edit, places: list[tuple[int, int]]
) -> None:
    after = edited(Rich(text, (entity,)), [edit])
    assert [(e.offset, e.length) for e in after.entities] == places


def test_telegram_counts_units_and_an_emoji_has_two() -> None:
    rich = from_utf16("😀 жирно 👨‍👩‍👧", [bold(3, 5)])
    assert rich.text[rich.entities[0].offset :][: rich.entities[0].length] == "жирно"
    assert to_utf16(edited(rich, [Edit(0, 1, Rich("😀😀"))]))[1] == (bold(5, 5),)


def test_half_an_emoji_does_not_count() -> None:
    rich = from_utf16("😀a😀b", [bold(1, 3), bold(1, 1), bold(3, 2), bold(4, 9)])
    assert [(e.offset, e.length) for e in rich.entities] == [(0, 2), (0, 1), (2, 2), (2, 1)]


def test_white_space_at_the_ends_goes_and_formatting_stays_on_its_words() -> None:
    assert stripped(Rich("\n  жирно  ", (bold(0, 10),))) == Rich("жирно", (bold(0, 5),))
    assert stripped(Rich(" \n ", (bold(0, 3),))) == Rich()


@pytest.mark.parametrize("seen_as_one", ["👨‍👩‍👧‍👦", "🇷🇺", "👍🏽", "e\u0301", "❤\ufe0f"])
def test_what_is_seen_as_one_character_is_not_cut_in_two(seen_as_one: str) -> None:
    word = "x" * 18 + seen_as_one + "y" * 30
    for limit in range(19, 32):
        kept = cut(Rich(word), limit).text.removesuffix("…").lstrip("x").rstrip("y")
        assert kept in ("", seen_as_one)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Дорогие друзья, мы открылись", 20, "Дорогие друзья, мы…"),
        ("мама мыла раму", 14, "мама мыла раму"),
        ("one two three", 8, "one two…"),
        ("اهلا وسهلا بكم جميعا", 12, "اهلا وسهلا…"),
        ("a" * 30, 10, "a" * 9 + "…"),
        ("😀" * 10, 7, "😀😀😀…"),
    ],
)
def test_a_text_is_cut_behind_a_word(text: str, limit: int, expected: str) -> None:
    assert cut(Rich(text), limit).text == expected


def test_a_text_is_split_between_paragraphs_before_lines_before_words() -> None:
    assert split(Rich("aaa bbb\n\nccc ddd\neee"), 18)[0].text == "aaa bbb\n\nccc ddd"
    assert split(Rich("aaaa bbbb\n\ncc\ndddd eeee"), 14)[0].text == "aaaa bbbb"
    assert [part.text for part in split(Rich("aaaa bbbb"), 6)] == ["aaaa", "bbbb"]
