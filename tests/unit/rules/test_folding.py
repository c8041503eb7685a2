"""Letters are compared alike whichever way they are folded, and found again in the original."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from forwarder.rules.folding import FOLDS, Folded, Phrases, _folded_by_letter, _folded_evenly

LETTERS = st.text(
    st.sampled_from("aAбЁё\u0308İıßﬁＡإـ\u064eक्ष😀🏽\u200d❤\ufe0f1\u20e3\u2060 .,_"), max_size=20
)


def test_the_quick_way_agrees_with_the_careful_one_on_every_character() -> None:
    quick = ((letter, _folded_evenly(letter)) for letter in map(chr, range(0x20000)))
    assert [letter for letter, even in quick if even is not None and even != FOLDS[letter]] == []


@given(LETTERS)
def test_the_quick_way_agrees_with_the_careful_one_on_whole_texts(text: str) -> None:
    even = _folded_evenly(text)
    assert even is None or even == _folded_by_letter(text)


@given(LETTERS, st.text(st.sampled_from("aбёßfiإक"), min_size=1, max_size=3), LETTERS)
def test_a_word_is_found_where_it_stands(before: str, word: str, after: str) -> None:
    text = f"{before} {word} {after}"
    places = list(Phrases((word,), part=True).each(Folded(text)))
    begins, ends = len(before) + 1, len(before) + 1 + len(word)
    assert any(start < ends and end > begins for start, end in places)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))
