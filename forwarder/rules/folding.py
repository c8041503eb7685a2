"""Words as people mean them: in any case, with ё for е, in full-width letters, with or without vowel signs."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

import re2

# What people leave out or write either way: ё, the dots of the Turkish İ and ı, the hamza over an alef, the
# Arabic vowel signs and the stroke that stretches words, soft hyphens and joiners between letters, and the marks that
# say how an emoji looks; the box around the digit of 1️⃣ ends a word as a space does.
ALIKE = str.maketrans(
    {"ё": "е", "ı": "i", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ـ": None, "\u0307": None, "\u00ad": None,
     "\u200b": None, "\u200c": None, "\u2060": None, "\ufeff": None, "\u20e3": " "}
    | {chr(sign): None for sign in (*range(0x64B, 0x653), *range(0xFE00, 0xFE10))}
)  # fmt: skip
ODD = re.compile("[" + "".join(chr(letter) for letter in ALIKE if letter != ord("ё")) + "]")
MOST_REMEMBERED = 50_000

LONGEST_LETTER = 31
"""A letter and the marks on it: to put thirty in order is quick (UAX 15, stream-safe text), thousands are not."""


class _Folds(dict[str, str]):
    """What a letter, with the marks that stand on it, is compared as."""

    def __missing__(self, letter: str) -> str:
        # Marks of a trade are no letters of the word they stand behind, whatever Unicode spells them as.
        compared = " " if letter in ("™", "℠") else letter
        folded = unicodedata.normalize("NFKC", compared).casefold()
        folded = unicodedata.normalize("NFKC", folded).translate(ALIKE)
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        self[letter] = folded
        return folded


FOLDS = _Folds()


def _folded_evenly(text: str) -> str | None:
    """The quick way for most texts: where every character is compared as one. None for others."""
    if text.isascii():
        return text.lower()
    folded = text.casefold()
    if len(folded) != len(text) or ODD.search(text) or not unicodedata.is_normalized("NFKC", text):
        return None
    return folded.replace("ё", "е")


def _folded_by_letter(text: str) -> str:
    return "".join(map(FOLDS.__getitem__, letters(text)))


class Folded:
    """A text as it is compared, which knows where in the original each stretch stands."""

    __slots__ = ("_ends", "_letters", "data")

    def __init__(self, original: str) -> None:
        even = _folded_evenly(original)
        self._letters: Sequence[str] | None = letters(original) if even is None else None
        folded = even if even is not None else _folded_by_letter(original)
        self.data = folded.encode()
        self._ends: tuple[list[int], list[int]] | None = None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original that a stretch of the folded text stands for."""
        if self._letters is None:
            return start, end
        if self._ends is None:
            self._ends = (
                list(accumulate(len(FOLDS[letter]) for letter in self._letters)),
                list(accumulate(map(len, self._letters))),
            )
        folded, original = self._ends
        first, last = bisect_right(folded, start), bisect_left(folded, end)
        while last + 1 < len(original) and _stands_on(self._letters[last + 1]):
            last += 1
        return (original[first - 1] if first else 0), original[last]


def _stands_on(letter: str) -> bool:
    """Whether it is a mark that belongs to the letter before it and is not compared."""
    return unicodedata.category(letter[0])[0] == "M" and not FOLDS[letter].strip()


@lru_cache(maxsize=16)
def folded(text: str) -> Folded:
    """The rules of a set ask for the same few texts again and again."""
    return Folded(text)


def letters(text: str) -> Sequence[str]:
    """Characters, each with the combining marks behind it where the text is not composed."""
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    found: list[str] = []
    for character in text:
        if found and unicodedata.combining(character) and len(found[-1]) < LONGEST_LETTER:
            found[-1] += character
        else:
            found.append(character)
    return found


def fold(text: str) -> str:
    """A word as it is compared."""
    even = _folded_evenly(text)
    return even if even is not None else _folded_by_letter(text)


NO_LETTER = r"[^\p{L}\p{M}\p{N}_]"
SILENT = re2.Options()
SILENT.log_errors = False
SILENT.max_mem = 64 << 20


FEW = 5
"""So many words are seen to be nowhere in a text sooner than RE2 sees it."""


class Phrases:
    """A set of words and phrases that is looked for in one pass, in time linear in the text.

    Whole words unless ``part``; the white space within a phrase stands for any white space.
    """

    def __init__(self, words: Sequence[str], *, part: bool) -> None:
        self._pattern = _compiled(tuple(words), part)
        self._few = _beginnings(words) if len(words) <= FEW else ()
        self._groups = range(1, self._pattern.groups + 1)

    def first(self, folded: Folded) -> tuple[int, int] | None:
        """Where in the original the first of them stands."""
        return next(self.each(folded), None)

    def each(self, folded: Folded) -> Iterator[tuple[int, int]]:
        """Where they stand in the original, left to right, without overlaps."""
        if self._few and not any(word in folded.data for word in self._few):
            return
        at = done = characters = taken = 0
        while (found := self._pattern.search(folded.data, at)) is not None:
            start, end = max(map(found.span, self._groups))  # one of them has matched, the others are at -1
            first = characters + len(folded.data[done:start].decode())
            characters = first + len(folded.data[start:end].decode())
            at = done = end
            where = folded.place(first, characters)
            # Two matches may stand for one letter of the original: of ß, which is compared as ss.
            if where[0] >= taken:
                yield where
                taken = where[1]


def _phrases(words: Sequence[str]) -> set[str]:
    return {" ".join(fold(word).split()) for word in words} - {""}


def _beginnings(words: Sequence[str]) -> tuple[bytes, ...]:
    """What stands in every text that has one of these phrases: a phrase's first word, whatever white space follows."""
    return tuple(phrase.split()[0].encode() for phrase in _phrases(words))


@lru_cache(maxsize=1024)
def _compiled(words: tuple[str, ...], part: bool) -> re2._Regexp:
    sides: dict[tuple[bool, bool], list[str]] = {}
    for phrase in sorted(_phrases(words), key=len, reverse=True):
        literal = r"\s+".join(re2.escape(word) for word in phrase.split())
        guarded = (False, False) if part else (_is_letter(phrase[0]), _is_letter(phrase[-1]))
        sides.setdefault(guarded, []).append(literal)
    alternatives = [
        (f"(?:^|{NO_LETTER})" if left else "")
        + f"({'|'.join(literals)})"
        + (f"(?:$|{NO_LETTER})" if right else "")
        for (left, right), literals in sides.items()
    ]
    return re2.compile("|".join(alternatives).encode(), SILENT)


def _is_letter(character: str) -> bool:
    """As ``NO_LETTER`` sees it: the vowel signs of Indian scripts are marks, and belong to their word."""
    return character == "_" or unicodedata.category(character)[0] in "LMN"
