"""A set of rules: read from JSON, checked whole, and written back as it was.

``{"rules": [{"name": "no adverts", "deny": {"words": ["реклама"]}}, {"footer": "{post_link}"}]}``. A rule is an
object with one verb and, if one likes, a name. Filters look at the source post, whatever their place in the list;
changes follow each other in the order of the list; header, footer and the rest come last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from forwarder.rules.changes import Change
from forwarder.rules.frame import DateZone
from forwarder.rules.problems import wrong
from forwarder.rules.read_verbs import ONLY_ONCE, VERBS, Filter, Several
from forwarder.rules.reading import Place, listed, shown
from forwarder.rules.when import (
    AtMost,
    Counters,
    Delay,
    NotBefore,
    OnDays,
    Quiet,
    Review,
    When,
    is_free,
    when,
)

MOST_RULES = 100
LONGEST_NAME = 60
UTC_ZONE = ZoneInfo("UTC")
EXAMPLE = '{"deny": {"words": ["sale"]}}'

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it is called, what it does, and how it was written."""

    label: str
    verb: str
    action: object
    written: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """``revision`` is stored with every outcome that these rules have decided. ``lists`` are those whose rules are
    among them, by number, each with the revision of its own rules."""

    rules: tuple[Rule, ...] = ()
    revision: int = 1
    lists: tuple[tuple[int, int], ...] = ()
    filters: tuple[tuple[str, Filter], ...] = field(init=False, compare=False)
    changes: tuple[tuple[str, Change], ...] = field(init=False, compare=False)
    when: When = field(init=False, compare=False)
    zone: ZoneInfo = field(init=False, compare=False)
    _single: Mapping[type, tuple[str, object]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        actions = [(rule.label, action) for rule in self.rules for action in actions_of(rule)]
        fill = object.__setattr__
        fill(self, "filters", tuple((label, a) for label, a in actions if isinstance(a, Filter)))
        fill(self, "changes", tuple((label, a) for label, a in actions if hasattr(a, "apply")))
        fill(self, "_single", {type(a): (label, a) for label, a in actions if isinstance(a, ONLY_ONCE)})
        fill(self, "when", When(
            self.one(Delay), tuple(a for _, a in actions if isinstance(a, Quiet)),
            self.one(OnDays), self.one(AtMost), self.one(Review),
        ))  # fmt: skip
        fill(self, "zone", self._zone())

    def one(self, kind: type[T]) -> T | None:
        """The action of a kind of which a set has at most one."""
        found = self._single.get(kind)
        return cast(T, found[1]) if found is not None else None

    def label_of(self, kind: type) -> str:
        """What the rule with that action is called."""
        return self._single[kind][0] if kind in self._single else ""

    def _zone(self) -> ZoneInfo:
        """On whose calendar a date is read: as set, else as in the last rule of time that names a zone, else UTC."""
        if (chosen := self.one(DateZone)) is not None:
            return chosen.zone
        named = [
            action.zone
            for rule in self.rules
            if isinstance(action := rule.action, Quiet | OnDays | AtMost)
            and "zone" in rule.written[rule.verb]
        ]
        return named[-1] if named else UTC_ZONE


NO_RULES = Rules()


def actions_of(rule: Rule) -> tuple[object, ...]:
    return rule.action.actions if isinstance(rule.action, Several) else (rule.action,)


def parse(written: object, revision: int = 1) -> Rules:
    """The set that was written as an object with ``rules``, or as nothing at all (``{}``).

    Raises InvalidRequest, with the place of what is wrong, for whatever could fail later.
    """
    whole = Place("rules", written)
    fields = whole.object((), ("rules",), '{"rules": []}')
    if not fields or fields["rules"].value == []:
        return Rules((), revision)
    rules = tuple(
        parse_rule(Place(f"rules[{number}]", item.value), number)
        for number, item in enumerate(
            Place("rules", fields["rules"].value).items(MOST_RULES, f"[{EXAMPLE}]"), 1
        )
    )
    _check_together(rules)
    found = Rules(rules, revision)
    check_times(found)
    return found


def check_rule(written: object) -> None:
    """Raises InvalidRequest for what is wrong with a rule by itself."""
    parse_rule(Place("rule", written), 1)


def parse_rule(place: Place, number: int) -> Rule:
    """One rule; ``number`` names it where it has no name."""
    if not isinstance(place.value, dict):
        raise wrong("rule_not_object", place=place.path, example=EXAMPLE)
    verbs = [word for word in place.value if word != "name"]
    if len(verbs) != 1:
        raise wrong("rule_verb_missing", place=place.path, known=listed(VERBS))
    fields = place.object((), ("name", *VERBS), EXAMPLE)
    verb = verbs[0]
    name = " ".join(fields["name"].text(LONGEST_NAME).split()) if "name" in fields else f"{verb} #{number}"
    return Rule(name, verb, VERBS[verb](fields[verb]), place.value)


def to_json(rules: Rules) -> dict[str, Any]:
    """The set as it is stored; ``parse`` reads it back."""
    return {"rules": [dict(rule.written) for rule in rules.rules]} if rules.rules else {}


def read_json(text: str) -> object:
    """What a person has typed. Raises ``rule_bad_json`` with line and column, or ``rule_word_twice``."""
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise wrong("rule_bad_json", reason=error.msg, line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise wrong("rule_bad_json", reason="too deep", line=1, column=1) from error
    except ValueError as error:
        # Python reads no number of more than some thousand digits.
        raise wrong("rule_bad_json", reason="a number is too long", line=1, column=1) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; what stands in it twice is refused, for JSON would keep the last without a word."""
    found: dict[str, Any] = {}
    for word, value in pairs:
        if word in found:
            raise wrong("rule_word_twice", word=shown(word))
        found[word] = value
    return found


def _check_together(rules: Sequence[Rule]) -> None:
    seen: dict[object, str] = {}
    for number, rule in enumerate(rules, 1):
        place = f"rules[{number}]"
        if rule.label in seen:
            raise wrong("rule_same_name", place=place, word=rule.label, other=seen[rule.label])
        seen[rule.label] = place
        for action in actions_of(rule):
            if isinstance(action, ONLY_ONCE):
                if type(action) in seen:
                    raise wrong("rule_only_once", place=place, word=rule.verb, other=seen[type(action)])
                seen[type(action)] = place


def leaves_time(times: When, start: datetime) -> bool:
    """Whether a post of that time may go within a month."""
    decided = when(times, start, start, Counters())
    return not isinstance(decided, NotBefore) or (
        (decided.at - start).days <= 31 and is_free(times, decided.at)
    )


def check_times(rules: Rules, mapping_id: int | None = None) -> None:
    """Refuses quiet hours and days that together leave no time at all, be it in one half of the year: those of
    different zones move against each other with the clocks. ``mapping_id`` is for those of a mapping and its lists,
    which have no common numbers."""
    times = When(quiet=rules.when.quiet, days=rules.when.days)
    if not all(leaves_time(times, datetime(2026, month, 5, tzinfo=UTC)) for month in (1, 7)):
        last = max(n for n, rule in enumerate(rules.rules, 1) if isinstance(rule.action, Quiet | OnDays))
        place = (
            f"rules[{last}]" if mapping_id is None else f"mapping:{mapping_id}, {rules.rules[last - 1].label}"
        )
        raise wrong("rule_never", place=place)
