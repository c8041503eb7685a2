"""Conditions as they are written: ``{"words": ["sale"], "part": true}``, ``{"any": [{…}, {…}]}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import re2

from forwarder.message import Facts, Kind, SourceMessage
from forwarder.rules import conditions as c
from forwarder.rules.folding import Phrases, fold
from forwarder.rules.marks import Mark, domain_of, tag_name
from forwarder.rules.patterns import read_pattern
from forwarder.rules.post import ALBUM, SourcePost
from forwarder.rules.problems import wrong
from forwarder.rules.reading import LONGEST_WORD, MOST_WORDS, Place, listed, shown

DEEPEST = 8
MOST_TOGETHER = 50
LARGEST_ID = 2**53
LARGEST_SIZE = 8 << 30
LONGEST_DURATION = 7 * 24 * 3600
LONGEST_POST = 100_000
NO_DOMAIN = re.compile(
    r"[\s/@:?#\\]"
)  # parts of a link, which would be left out: t.me/name would mean all of t.me
NO_NAME = re.compile(r"[\s/:]")  # a link to somebody names nobody that a post mentions
EXAMPLE = '{"words": ["sale"]}'
TOGETHER = '[{"words": ["sale"]}, {"links": true}]'

KINDS = (*(kind.value for kind in Kind if kind is not Kind.SERVICE), ALBUM)


def read_condition(place: Place, depth: int = 1) -> c.Condition:
    """Raises InvalidRequest with the place of what is wrong."""
    if depth > DEEPEST:
        raise wrong("rule_too_deep", place=place.path, most=DEEPEST)
    if not isinstance(place.value, dict):
        raise wrong("rule_not_object", place=place.path, example=EXAMPLE)
    named = [word for word in place.value if word in CONDITIONS]
    if len(named) != 1:
        unknown = [word for word in place.value if word not in CONDITIONS]
        if not named and unknown:
            raise wrong(
                "rule_unknown_word", place=place.path, word=shown(unknown[0]), known=listed(CONDITIONS)
            )
        raise wrong(
            "rule_condition_missing",
            place=place.path,
            known=listed(CONDITIONS),
            example=f'{{"all": {TOGETHER}}}',
        )
    read, options = CONDITIONS[named[0]]
    fields = place.object(named, options, EXAMPLE)
    return read(fields.pop(named[0]), fields, depth)


Read = Callable[[Place, Mapping[str, Place], int], c.Condition]


def _all(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.All(tuple(read_condition(item, depth + 1) for item in place.items(MOST_TOGETHER, TOGETHER)))


def _any(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.AnyOf(tuple(read_condition(item, depth + 1) for item in place.items(MOST_TOGETHER, TOGETHER)))


def _not(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.Not(read_condition(place, depth + 1))


def _kind(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    if isinstance(place.value, str):
        return c.OfKind(frozenset({place.choice(KINDS)}))
    return c.OfKind(frozenset(item.choice(KINDS) for item in place.items(len(KINDS), '["photo", "album"]')))


def read_words(place: Place) -> tuple[str, ...]:
    """Words that have something left to compare when they are folded."""
    words = place.texts()
    for word in words:
        if not fold(word).strip():
            raise wrong("rule_odd_character", place=place.path)
    return words


def _words(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    words, part = read_words(place), read_flag(options, "part")
    if read_flag(options, "every"):
        return c.AllWords(tuple(phrases_of(place, (word,), part=part) for word in words))
    return c.AnyWord(phrases_of(place, words, part=part))


def phrases_of(place: Place, words: tuple[str, ...], *, part: bool) -> Phrases:
    """Raises ``rule_many_words`` for what would take RE2 seconds, or more than its memory: a letter can be compared
    as eighteen."""
    with suppress(re2.error):
        if sum(len(fold(word)) for word in words) <= MOST_WORDS * LONGEST_WORD:
            return Phrases(words, part=part)
    raise wrong("rule_many_words", place=place.path)


def read_flag(options: Mapping[str, Place], name: str) -> bool:
    return options[name].flag() if name in options else False


def _regex(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.Matches(read_pattern(place))


def read_domains(place: Place) -> c.ToDomain:
    domains = []
    for word in place.texts('["example.com"]'):
        domain = domain_of(word.removeprefix("*."))
        if NO_DOMAIN.search(word) or "." not in domain or "" in domain.split("."):
            raise wrong("rule_bad_domain", place=place.path, word=shown(word))
        domains.append(domain)
    return c.ToDomain(frozenset(domains))


def read_names(place: Place) -> c.Named:
    names = []
    for word in place.texts('["news"]'):
        name = tag_name(word.strip())
        if not name or NO_NAME.search(name):
            raise wrong("rule_bad_name", place=place.path, word=shown(word))
        names.append(name)
    return c.Named(frozenset(names))


def _marked(read_post: Callable[[SourcePost], Sequence[Mark]], read_wanted: Callable[[Place], Any]) -> Read:
    def read(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
        if isinstance(place.value, bool):
            return c.Marked(read_post, c.everything, present=place.value)
        return c.Marked(read_post, read_wanted(place))

    return read


def read_id(place: Place) -> int:
    if type(place.value) is not int or not 0 < abs(place.value) <= LARGEST_ID:
        raise wrong("rule_bad_id", place=place.path)
    return place.value


def _ids(number: Callable[[Facts], int | None], there: Callable[[Facts], object] | None = None) -> Read:
    """A list of ids, or true and false for whether there is one at all."""

    def read(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
        if isinstance(place.value, bool) and there is not None:
            return c.Is(lambda part: bool(there(part.facts)), present=place.value)
        found = [read_id(item) for item in place.items(MOST_TOGETHER, "[-1001234567890]")]
        return c.OneOf(lambda part: number(part.facts), frozenset(found))

    return read


def _flag(fact: Callable[[SourceMessage], object]) -> Read:
    def read(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
        return c.Is(lambda part: bool(fact(part)), present=place.flag())

    return read


def read_range(place: Place, largest: int) -> tuple[int, int]:
    fields = place.object((), ("min", "max"), '{"max": 100}')
    least = fields["min"].whole(0, largest) if "min" in fields else 0
    most = fields["max"].whole(0, largest) if "max" in fields else largest
    if not fields or least > most:
        raise wrong("rule_empty_range", place=place.path, least=least, most=most)
    return least, most


def _between(number: Callable[[SourceMessage], int | None], largest: int) -> Read:
    def read(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
        return c.Between(number, *read_range(place, largest))

    return read


def _length(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.TextLength(*read_range(place, LONGEST_POST))


def _file_name(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    return c.FileNamed(tuple(map(fold, read_words(place))), at_end=False)


def _extension(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    endings = tuple("." + fold(word).lstrip(".*") for word in read_words(place))
    if "." in endings:
        raise wrong("rule_bad_name", place=place.path, word=".")
    return c.FileNamed(endings, at_end=True)


def _time(place: Place, options: Mapping[str, Place], depth: int) -> c.Condition:
    fields = place.object(
        ("from", "to", "zone"), (), '{"from": "09:00", "to": "18:00", "zone": "Europe/Moscow"}'
    )
    begins, ends = fields["from"].time(), fields["to"].time()
    if begins == ends:
        raise wrong("rule_same_times", place=place.path)
    return c.PostedBetween(begins, ends, fields["zone"].zone())


CONDITIONS: Mapping[str, tuple[Read, tuple[str, ...]]] = {
    "all": (_all, ()),
    "any": (_any, ()),
    "not": (_not, ()),
    "kind": (_kind, ()),
    "words": (_words, ("part", "every")),
    "regex": (_regex, ()),
    "links": (_marked(lambda post: post.links, read_domains), ()),
    "mentions": (_marked(lambda post: post.mentions, read_names), ()),
    "hashtags": (_marked(lambda post: post.tags("hashtag"), read_names), ()),
    "cashtags": (_marked(lambda post: post.tags("cashtag"), read_names), ()),
    "commands": (_marked(lambda post: post.tags("bot_command"), read_names), ()),
    "sender": (_ids(lambda facts: facts.sender_id), ()),
    "anonymous": (_flag(lambda part: part.facts.anonymous), ()),
    "via_bot": (_ids(lambda facts: facts.via_bot, lambda facts: facts.via_bot), ()),
    "forwarded_from": (_ids(lambda facts: facts.forwarded_from, lambda facts: facts.forwarded), ()),
    "size": (_between(lambda part: part.facts.size, LARGEST_SIZE), ()),
    "duration": (_between(lambda part: part.facts.duration, LONGEST_DURATION), ()),
    "file_name": (_file_name, ()),
    "extension": (_extension, ()),
    "length": (_length, ()),
    "reply": (_flag(lambda part: part.reply_to), ()),
    "buttons": (_flag(lambda part: part.facts.buttons), ()),
    "silent": (_flag(lambda part: part.facts.silent), ()),
    "time": (_time, ()),
}
