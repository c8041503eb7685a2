"""The verbs of rules, and how what stands behind each is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from forwarder.rules import changes, conditions, frame, marks
from forwarder.rules import when as times
from forwarder.rules.entities import length_in_units
from forwarder.rules.fitting import ENDING, TEXT_LIMIT
from forwarder.rules.marks import Mark
from forwarder.rules.patterns import read_pattern, read_replacement
from forwarder.rules.problems import wrong
from forwarder.rules.read_conditions import (
    phrases_of,
    read_condition,
    read_domains,
    read_flag,
    read_names,
    read_words,
)
from forwarder.rules.reading import Place, shown
from forwarder.rules.templates import LINK, read_address, read_line, read_template

LONGEST_DELAY = 30 * 24 * 60
LONGEST_REVIEW = 30 * 24
SHORTEST_CUT = 20
LONGEST_ENDING = 10  # UTF-16 units
MOST_A_DAY = 10_000


@dataclass(frozen=True, slots=True)
class Filter:
    """``allow`` refuses what the condition does not hold for, else what it does hold for."""

    condition: conditions.Condition
    allow: bool


@dataclass(frozen=True, slots=True)
class Several:
    """A rule that does more than one thing."""

    actions: tuple[object, ...]


def _replace(place: Place) -> changes.Change:
    fields = place.object(
        ("with",), ("words", "regex", "part", "keep_case"), '{"words": ["old"], "with": "new"}'
    )
    if ("words" in fields) == ("regex" in fields):
        raise wrong("rule_verb_missing", place=place.path, known="words, regex")
    if "regex" in fields:
        for name in ("part", "keep_case"):
            if name in fields:
                raise wrong("rule_unknown_word", place=place.path, word=name, known="regex, with")
        pattern = read_pattern(fields["regex"])
        return changes.ReplacePattern(pattern, read_replacement(fields["with"], pattern))
    keep_case = fields["keep_case"].flag() if "keep_case" in fields else True
    words = phrases_of(fields["words"], read_words(fields["words"]), part=read_flag(fields, "part"))
    return changes.ReplaceWords(words, fields["with"].storable(), keep_case)


def _wanted(place: Place | None, read: Callable[[Place], Callable[[Mark], bool]]) -> Callable[[Mark], bool]:
    """All of them for true, or those of a list."""
    if place is None or (isinstance(place.value, bool) and place.true()):
        return conditions.everything
    return read(place)


def _remove_links(place: Place) -> changes.Change:
    return changes.RemoveMarks(marks.links, _wanted(place, read_domains))


def _remove_mentions(place: Place) -> changes.Change:
    return changes.RemoveMarks(marks.mentions, _wanted(place, read_names))


def _remove_hashtags(place: Place) -> changes.Change:
    return changes.RemoveMarks(changes.hashtags, _wanted(place, read_names))


def _replace_links(place: Place) -> changes.Change:
    fields = place.object(("with",), ("domains",), '{"domains": ["a.example"], "with": "https://b.example"}')
    link = fields["with"].text()
    if not LINK.fullmatch(link):
        raise wrong("rule_bad_link", place=fields["with"].path, word=shown(link))
    return changes.ReplaceLinks(_wanted(fields.get("domains"), read_domains), link)


def _replace_mentions(place: Place) -> changes.Change:
    fields = place.object(("with",), ("names",), '{"names": ["@old"], "with": "@new"}')
    return changes.ReplaceMentions(_wanted(fields.get("names"), read_names), fields["with"].text(100))


def _remove_signature(place: Place) -> changes.Change:
    if isinstance(place.value, bool) and place.true():
        return changes.RemoveSignature(None)
    return changes.RemoveSignature(phrases_of(place, read_words(place), part=True))


def _source_links(place: Place) -> changes.Change:
    place.true()
    return changes.SourceLinks()


def _cut(place: Place) -> changes.Change:
    if not isinstance(place.value, dict):
        return changes.CutAt(place.whole(SHORTEST_CUT, TEXT_LIMIT), ENDING)
    fields = place.object(("length",), ("ending",), '{"length": 500, "ending": "…"}')
    ending = _ending(fields["ending"]) if "ending" in fields else ENDING
    return changes.CutAt(fields["length"].whole(SHORTEST_CUT, TEXT_LIMIT), ending)


def _ending(place: Place) -> str:
    """It must leave room for the text."""
    ending = place.text(LONGEST_ENDING)
    if length_in_units(ending) > LONGEST_ENDING:
        raise wrong("rule_long_ending", place=place.path, most=LONGEST_ENDING)
    return ending


def _drop_caption(place: Place) -> changes.Change:
    place.true()
    return changes.DropCaption()


def _spoiler(place: Place) -> object:
    chosen = place.choice(("media", "text", "all"))
    if chosen == "all":
        return Several((frame.Spoiler(), changes.HideText()))
    return frame.Spoiler() if chosen == "media" else changes.HideText()


def _button(place: Place) -> frame.ButtonRule:
    fields = place.object(("text",), ("url",), '{"text": "Source", "url": "{post_link}"}')
    place = fields.get("url", Place(f"{place.path}.url", "{post_link}"))
    address = read_address(place)
    if address[0].text.lower().startswith("tg://user"):
        # Telegram refuses the whole message where the person's settings forbid it, or the bot does not know them.
        raise wrong("rule_user_link", place=place.path)
    return frame.ButtonRule(read_line(fields["text"]), address)


def _quiet(place: Place) -> times.Quiet:
    fields = place.object(
        ("from", "to", "zone"), (), '{"from": "23:00", "to": "07:00", "zone": "Europe/Moscow"}'
    )
    begins, ends = fields["from"].time(), fields["to"].time()
    if begins == ends:
        raise wrong("rule_same_times", place=place.path)
    return times.Quiet(begins, ends, fields["zone"].zone())


def _days(place: Place) -> times.OnDays:
    fields = place.object(("days", "zone"), (), '{"days": ["mon", "tue"], "zone": "Europe/Moscow"}')
    days = [item.choice(times.DAYS) for item in fields["days"].items(7, '["mon", "tue"]')]
    return times.OnDays(frozenset(map(times.DAYS.index, days)), fields["zone"].zone())


def _at_most(place: Place) -> times.AtMost:
    fields = place.object(
        ("a_day",), ("rest", "zone"), '{"a_day": 20, "rest": "wait", "zone": "Europe/Moscow"}'
    )
    zone = fields["zone"].zone() if "zone" in fields else ZoneInfo("UTC")
    rest = fields["rest"].choice(("wait", "withdraw")) if "rest" in fields else "wait"
    return times.AtMost(fields["a_day"].whole(1, MOST_A_DAY), rest == "withdraw", zone)


def _review(place: Place) -> times.Review:
    fields = place.object(("hours",), ("then",), '{"hours": 24, "then": "withdraw"}')
    then = fields["then"].choice(("withdraw", "send")) if "then" in fields else "withdraw"
    return times.Review(fields["hours"].whole(1, LONGEST_REVIEW), then == "send")


VERBS: Mapping[str, Callable[[Place], object]] = {
    "allow": lambda place: Filter(read_condition(place), allow=True),
    "deny": lambda place: Filter(read_condition(place), allow=False),
    "replace": _replace,
    "remove_links": _remove_links,
    "replace_links": _replace_links,
    "source_links": _source_links,
    "remove_mentions": _remove_mentions,
    "replace_mentions": _replace_mentions,
    "remove_hashtags": _remove_hashtags,
    "remove_signature": _remove_signature,
    "cut": _cut,
    "drop_caption": _drop_caption,
    "header": lambda place: frame.Header(read_template(place)),
    "footer": lambda place: frame.Footer(read_template(place)),
    "preview": lambda place: frame.Preview(place.flag()),
    "spoiler": _spoiler,
    "button": _button,
    "zone": lambda place: frame.DateZone(place.zone()),
    "too_long": lambda place: frame.TooLong(place.choice(("cut", "split")) == "split"),
    "delay": lambda place: times.Delay(place.whole(1, LONGEST_DELAY)),
    "quiet": _quiet,
    "days": _days,
    "at_most": _at_most,
    "review": _review,
}

ONLY_ONCE = (
    frame.Header, frame.Footer, frame.Preview, frame.Spoiler, frame.ButtonRule, frame.DateZone,
    frame.TooLong,
    times.Delay, times.OnDays, times.AtMost, times.Review,
)  # fmt: skip
