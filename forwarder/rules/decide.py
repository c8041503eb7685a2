"""What the rules make of a post: pure, the same for delivery, for "try it" and for "why?"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zoneinfo import ZoneInfo

from forwarder.errors import RuleFailed
from forwarder.message import Button, Entity, Kind, SourceMessage
from forwarder.rules import fitting, marks
from forwarder.rules.changes import PostKey, Setting, SourceLinks, post_key
from forwarder.rules.entities import Rich, from_utf16, joined_by, length_in_units, says_something, stripped
from forwarder.rules.frame import ButtonRule, Footer, Header, Preview, Spoiler, TooLong
from forwarder.rules.post import WITH_TEXT, SourcePost
from forwarder.rules.ruleset import Rules
from forwarder.rules.templates import Template

T = TypeVar("T")

BETWEEN = Rich("\n\n")
CHANNEL_OFFSET = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Context:
    """What the post itself does not say. ``copies`` has links to our copies in the destination of the posts that
    ``linked_posts`` names. ``caption_limit`` is the sending account's. ``alone`` says that nothing can follow the
    post, as it cannot where a copy is edited: what is too long is cut then, whatever the rules say."""

    source_title: str = ""
    source_username: str | None = None
    copies: Mapping[PostKey, str] = field(default_factory=dict)
    caption_limit: int = fitting.CAPTION_LIMIT
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A source message as it goes out: text or caption, in UTF-16 units. ``changed``: not as it is in the source."""

    source: SourceMessage
    text: str
    entities: tuple[Entity, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """What did not fit: a text message that follows the post."""

    text: str
    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """``preview`` is None where the source's own choice stays. ``by`` names the rules that changed something.
    ``framed``: there are rules that put something around the text, though perhaps not around this one."""

    parts: tuple[Part, ...]
    rest: Rest | None = None
    preview: bool | None = None
    spoiler: bool = False
    button: Button | None = None
    by: tuple[str, ...] = ()
    framed: bool = field(default=False, compare=False)

    @property
    def untouched(self) -> bool:
        """Whether the post can go as it is, server-side."""
        return not (
            any(part.changed for part in self.parts)
            or self.rest or self.spoiler or self.button or self.preview is not None
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """``reason``: ``denied``, ``not_allowed``, or ``nothing_left`` of a text. ``words`` are those that did it."""

    rule: str
    words: tuple[str, ...]
    reason: str


Outcome = Passed | Refused


def decide(rules: Rules, parts: Sequence[SourceMessage], context: Context) -> Outcome:
    """Whether the post passes, and as what. Raises RuleFailed for a rule that breaks: it lets nothing through."""
    if not rules.rules:
        return Passed(tuple(_as_it_is(part) for part in parts))
    by: dict[str, None] = {}
    try:
        post = SourcePost(parts)
        return _refusal(rules, post) or _changed(rules, post, context, by)
    except RuleFailed:
        raise
    except Exception as error:
        # In what rules do together, such as fitting what has grown: those that have changed something are named.
        names = by or [rule.label for rule in rules.rules]
        raise RuleFailed(", ".join(names), type(error).__name__) from error


def linked_posts(rules: Rules, parts: Sequence[SourceMessage]) -> tuple[PostKey, ...]:
    """The posts that this one links to, where the rules want to know our copies of them."""
    if not any(isinstance(change, SourceLinks) for _, change in rules.changes):
        return ()
    found = (
        post_key(mark.target) for part in parts for mark in marks.links(from_utf16(part.text, part.entities))
    )
    return tuple(dict.fromkeys(key for key in found if key is not None))


def _refusal(rules: Rules, post: SourcePost) -> Refused | None:
    label = ""
    try:
        for label, rule in rules.filters:
            words = rule.condition.holds(post)
            if rule.allow and words is None:
                return Refused(label, (), "not_allowed")
            if not rule.allow and words is not None:
                return Refused(label, words, "denied")
    except Exception as error:
        raise RuleFailed(label, type(error).__name__) from error
    return None


def _changed(rules: Rules, post: SourcePost, context: Context, by: dict[str, None]) -> Outcome:
    """``by`` collects the names of the rules that change something."""
    values = (
        values_of(post, context, rules.zone)
        if rules.one(Header) or rules.one(Footer) or rules.one(ButtonRule)
        else {}
    )
    main = main_part(post.parts)
    parts: list[Part] = []
    rest = None
    for part, before in zip(post.parts, post.texts, strict=True):
        rich = before
        if part.kind in WITH_TEXT:
            rich = _rewritten(rules, rich, Setting(part.kind, context.copies), by)
        if part is main:
            if part.kind is Kind.TEXT and rich != before and not says_something(rich.text):
                # Header and footer are for something to stand between.
                return Refused(next(reversed(by), ""), (), "nothing_left")
            rich, rest = _framed(rules, rich, before, values, limit_of(part, context), by, context.alone)
        elif rich != before:
            rich = fitting.cut(rich, limit_of(part, context))
        if rich == before:
            parts.append(_as_it_is(part))
            continue
        text, entities = fitting.as_sent(stripped(rich))
        if part.kind is Kind.TEXT and not says_something(text):
            return Refused(next(reversed(by), ""), (), "nothing_left")
        parts.append(Part(part, text, entities, changed=True))
    return _dressed(rules, tuple(parts), rest, values, by)


def _rewritten(rules: Rules, rich: Rich, setting: Setting, by: dict[str, None]) -> Rich:
    """The text after all changes, each of which gets what the one before has left."""
    label = ""
    try:
        for label, change in rules.changes:
            new = change.apply(rich, setting)
            if new is not rich and new != rich:
                by[label] = None
            rich = new
    except Exception as error:
        raise RuleFailed(label, type(error).__name__) from error
    return rich


def _framed(
    rules: Rules,
    body: Rich,
    before: Rich,
    values: Mapping[str, str],
    limit: int,
    by: dict[str, None],
    alone: bool,
) -> tuple[Rich, Rest | None]:
    """The text between header and footer, and what of it must go into a message of its own."""
    above, below = _filled(rules, Header, values, by), _filled(rules, Footer, values, by)
    whole = _around(above, body, below)
    if whole == before:
        return whole, None
    few = fitting.with_few(body, fitting.MOST_ENTITIES - len(above.entities) - len(below.entities))
    if few is not body:
        body = few
        whole = _around(above, body, below)
    if length_in_units(whole.text) <= limit:
        return whole, None
    too_long = rules.one(TooLong)
    by[rules.label_of(TooLong) or "too_long"] = None
    if too_long is not None and too_long.split and not alone:
        first, second = fitting.split(whole, limit)
        return first, _rest(second)
    room = limit - length_in_units(_around(above, Rich("x"), below).text) + 1
    return fitting.cut(_around(above, fitting.cut(body, max(room, 0)), below), limit), None


def _rest(rich: Rich) -> Rest | None:
    text, entities = fitting.as_sent(fitting.cut(rich, fitting.TEXT_LIMIT))
    return Rest(text, entities) if says_something(text) else None


def _filled(
    rules: Rules, kind: type[Header] | type[Footer], values: Mapping[str, str], by: dict[str, None]
) -> Rich:
    rule = rules.one(kind)
    if rule is None:
        return Rich()
    template: Template = rule.template
    filled = stripped(_by(rules.label_of(kind), template.fill, values))
    if filled.text:
        by[rules.label_of(kind)] = None
    return filled


def _around(above: Rich, body: Rich, below: Rich) -> Rich:
    """Those that say something, a blank line between them."""
    return joined_by(BETWEEN, (above, body, below))


def _dressed(
    rules: Rules, parts: tuple[Part, ...], rest: Rest | None, values: Mapping[str, str], by: dict[str, None]
) -> Passed:
    preview, button = rules.one(Preview), rules.one(ButtonRule)
    filled = _by(rules.label_of(ButtonRule), button.fill, values) if button is not None else None
    text_alone = len(parts) == 1 and parts[0].source.kind is Kind.TEXT
    spoiler = rules.one(Spoiler) is not None and not text_alone
    for kind, used in ((Preview, preview is not None), (ButtonRule, filled is not None), (Spoiler, spoiler)):
        if used:
            by[rules.label_of(kind)] = None
    shown = preview.shown if preview is not None and text_alone else None
    framed = rules.one(Header) is not None or rules.one(Footer) is not None
    return Passed(parts, rest, shown, spoiler, filled, tuple(by), framed)


def main_part(parts: Sequence[SourceMessage]) -> SourceMessage | None:
    """The part that carries header and footer: the first with a text, else the first that may have one."""
    able = [part for part in parts if part.kind in WITH_TEXT]
    return next((part for part in able if part.text), able[0] if able else None)


def limit_of(part: SourceMessage, context: Context) -> int:
    """UTF-16 units."""
    return fitting.TEXT_LIMIT if part.kind is Kind.TEXT else context.caption_limit


def values_of(post: SourcePost, context: Context, zone: ZoneInfo) -> dict[str, str]:
    """What the fields of templates stand for; '' for what this post has not. ``zone`` says which day it appeared on."""
    first = post.parts[0]
    day = first.date.astimezone(zone)
    name = context.source_username
    if name:
        link = f"https://t.me/{name}/{first.message_id}"
    elif first.chat_id < -CHANNEL_OFFSET:
        link = f"https://t.me/c/{-first.chat_id - CHANNEL_OFFSET}/{first.message_id}"
    else:
        link = ""
    return {
        "source_title": context.source_title,
        "source_username": f"@{name}" if name else "",
        "post_link": link,
        "author": first.facts.author or "",
        "date": f"{day.day:02}.{day.month:02}.{day.year}",
        "hashtags": " ".join(dict.fromkeys(mark.target for mark in post.tags("hashtag"))),
    }


def _as_it_is(part: SourceMessage) -> Part:
    return Part(part, part.text, part.entities, changed=False)


def _by(label: str, work: Callable[..., T], *values: object) -> T:
    """What a rule answers. Whatever breaks in it is told with its name, for the delivery fails with that."""
    try:
        return work(*values)
    except Exception as error:
        raise RuleFailed(label, type(error).__name__) from error
