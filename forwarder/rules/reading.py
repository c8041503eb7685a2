"""Reading rules as they were written: each value knows its place, and says what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from forwarder.message import without_nul
from forwarder.rules.problems import wrong

LONGEST_WORD = 200
MOST_WORDS = 500
LONGEST_TEXT = 1000
TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the JSON and where it stands. Every reader raises InvalidRequest with that place."""

    path: str
    value: Any

    def object(
        self, required: Iterable[str], optional: Iterable[str] = (), example: str = "{}"
    ) -> dict[str, Place]:
        """Its fields by name, all of them known, none of the required ones missing."""
        if not isinstance(self.value, dict):
            raise wrong("rule_not_object", place=self.path, example=example)
        required, known = tuple(required), (*required, *optional)
        for name in self.value:
            if name not in known:
                raise wrong("rule_unknown_word", place=self.path, word=shown(name), known=listed(known))
        for name in required:
            if name not in self.value:
                raise wrong("rule_word_missing", place=self.path, word=name)
        return {name: Place(f"{self.path}.{name}", value) for name, value in self.value.items()}

    def items(self, most: int, example: str) -> list[Place]:
        if not isinstance(self.value, list) or not 1 <= len(self.value) <= most:
            raise wrong("rule_not_list", place=self.path, most=most, example=example)
        return [Place(f"{self.path}[{number}]", value) for number, value in enumerate(self.value, 1)]

    def text(self, most: int = LONGEST_TEXT) -> str:
        if not isinstance(self.value, str) or not self.value.strip() or len(self.value) > most:
            raise wrong("rule_not_text", place=self.path, most=most)
        return self.storable()

    def storable(self) -> str:
        """A text that may be empty, without what PostgreSQL refuses."""
        if not isinstance(self.value, str) or len(self.value) > LONGEST_TEXT:
            raise wrong("rule_not_text", place=self.path, most=LONGEST_TEXT)
        if without_nul(self.value) != self.value:
            raise wrong("rule_odd_character", place=self.path)
        return self.value

    def texts(self, example: str = '["sale", "buy now"]') -> tuple[str, ...]:
        """A list of short texts, or one alone."""
        if isinstance(self.value, str):
            return (self.text(LONGEST_WORD),)
        return tuple(item.text(LONGEST_WORD) for item in self.items(MOST_WORDS, example))

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise wrong("rule_not_flag", place=self.path)
        return self.value

    def true(self) -> bool:
        """For what can only be switched on: to switch it off, one removes the rule."""
        if self.value is not True:
            raise wrong("rule_not_true", place=self.path)
        return True

    def whole(self, least: int, most: int) -> int:
        if type(self.value) is not int or not least <= self.value <= most:
            raise wrong("rule_not_number", place=self.path, least=least, most=most)
        return self.value

    def choice(self, known: Sequence[str]) -> str:
        if not isinstance(self.value, str) or self.value not in known:
            raise wrong("rule_not_choice", place=self.path, known=listed(known))
        return self.value

    def time(self) -> time:
        found = TIME.fullmatch(self.value) if isinstance(self.value, str) else None
        if found is None:
            raise wrong("rule_bad_time", place=self.path)
        return time(int(found[1]), int(found[2]))

    def zone(self) -> ZoneInfo:
        if not isinstance(self.value, str) or self.value not in shipped_zones():
            raise wrong("rule_bad_zone", place=self.path, word=shown(self.value))
        return ZoneInfo(self.value)


@lru_cache(maxsize=1)
def shipped_zones() -> frozenset[str]:
    """IANA's names, which every machine knows by the package ``tzdata``. A machine's own, such as localtime, mean
    something else on the next, or nothing."""
    return frozenset((resources.files("tzdata") / "zones").read_text("utf-8").split())


def listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def shown(value: object) -> str:
    """A value as it may stand in a sentence."""
    words = without_nul(str(value))
    return words if len(words) <= 60 else words[:57] + "..."
