"""What the rules of mappings make of posts: asked when their deliveries are made, and again just before they go."""

from __future__ import annotations

import json
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest, RuleFailed
from forwarder.message import AccountKind, Mode, Rewrite, SourceMessage, State
from forwarder.outbox import LaneHeld, Result, RuledBy
from forwarder.rules import (
    Context,
    Counters,
    Hold,
    NotBefore,
    Passed,
    Refused,
    Rules,
    Withdraw,
    decide,
    rewrite_of,
    when,
)
from forwarder.rules.when import AtMost, Review, moment
from forwarder.services import reviewing
from forwarder.services.kept_rules import kept_rules, lists_of, read_kept
from forwarder.services.rule_context import SourceNamed, context_of

log = structlog.get_logger(__name__)

BY_TIME = frozenset({"review", "delay", "quiet", "days", "at_most"})
"""Verbs that say when."""

Parts = Sequence[SourceMessage]
Asked = tuple[int, int]
"""A mapping and a post."""


async def judge(
    session: AsyncSession, asked: Collection[Asked], posts: Mapping[int, Parts]
) -> dict[Asked, Result]:
    """What becomes of those that do not go: refused ones are filtered, and what breaks fails by its name.

    Posts of which ``posts`` has no parts are passed over: nothing of them is left to send.
    """
    stopped: dict[Asked, Result] = {}
    for kept in await kept_rules(session, sorted({mapping for mapping, _ in asked})):
        of_mapping = [one for one in asked if one[0] == kept.id and one[1] in posts]
        try:
            rules = read_kept(kept)
        except InvalidRequest as error:
            stopped |= dict.fromkeys(of_mapping, unreadable(kept, error))
            continue
        source = named(kept)
        for one in of_mapping:
            parts = posts[one[1]]
            outcome = ruling(rules, parts, source.context(parts))
            if isinstance(outcome, Result):
                stopped[one] = outcome
    return stopped


@dataclass(frozen=True, slots=True)
class Going:
    """How many posts of a run may go now, and what becomes of the one behind them. A post that goes changed goes by
    itself, as ``rewrite``; ``revision`` is that of the rules."""

    count: int
    stopped: Result | None = None
    rewrite: Rewrite | None = None
    revision: int | None = None


async def going(
    session: AsyncSession,
    lane: LaneHeld,
    kind: AccountKind,
    queue: Sequence[int],
    posts: Mapping[int, Parts],
) -> Going:
    """What the rules make of these posts, in their order, where an account of this kind sends them."""
    [kept] = await kept_rules(session, [lane.mapping_id])
    try:
        rules = read_kept(kept)
    except InvalidRequest as error:
        return Going(0, unreadable(kept, error))
    sent = await sent_today(session, lane.mapping_id, rules.when.at_most, kept.now)
    words = (
        await reviewing.standings(session, lane.mapping_id, queue) if rules.when.review is not None else {}
    )
    for before, post in enumerate(queue):
        if not (parts := posts.get(post)):
            continue
        context = await context_of(session, lane.mapping_id, named(kept), rules, parts)
        outcome = ruling(rules, parts, context)
        if isinstance(outcome, Result):
            return Going(before, outcome)
        word = words.get(post, reviewing.NOBODY)
        posted = await appeared(session, post, parts[0].date, kept.now)
        put_off = waiting(rules, posted, kept.now, sent + before, word)
        if put_off is not None:
            return Going(before, put_off)
        try:
            rewrite = rewrite_of(outcome, kind)
        except Exception as error:
            log_broken(error)
            return Going(before, broken(rules, outcome.by))
        if rewrite is None:
            continue
        if way_of(lane.mode, rewrite, copy_allowed=lane.copy_fallback) is None:
            return Going(before, stays_a_forward(outcome, rules))
        return Going(before) if before else Going(1, None, rewrite, rules.revision)
    return Going(len(queue), revision=rules.revision)


async def as_they_go(
    session: AsyncSession, asked: Collection[Asked], posts: Mapping[int, Parts]
) -> dict[Asked, str]:
    """The texts of those that rules change, as they would go now: an album's first caption, and what follows."""
    changed: dict[Asked, str] = {}
    for kept in await kept_rules(session, sorted({mapping for mapping, _ in asked})):
        try:
            rules = read_kept(kept)
        except InvalidRequest:
            continue
        for one in asked:
            if one[0] != kept.id or not (parts := posts.get(one[1])):
                continue
            outcome = ruling(rules, parts, await context_of(session, kept.id, named(kept), rules, parts))
            if isinstance(outcome, Passed) and (outcome.rest or any(part.changed for part in outcome.parts)):
                words = [next((part.text for part in outcome.parts if part.text), "")]
                words += [outcome.rest.text] if outcome.rest else []
                changed[one] = "\n\n".join(filter(None, words))
    return changed


async def edited(session: AsyncSession, lane: LaneHeld, parts: Parts, *, alone: bool) -> Passed | Result:
    """What the rules make of a post whose copies are to follow an edit. ``alone``: it has no second message."""
    [kept] = await kept_rules(session, [lane.mapping_id])
    try:
        rules = read_kept(kept)
    except InvalidRequest as error:
        return unreadable(kept, error)
    context = await context_of(session, lane.mapping_id, named(kept), rules, parts)
    return ruling(rules, parts, replace(context, alone=alone))


def named(kept: Row[Any]) -> SourceNamed:
    return SourceNamed(kept.chat, kept.title, kept.username)


def unreadable(kept: Row[Any], error: InvalidRequest) -> Result:
    place, owner = str(error.fields["place"]), str(error.fields["owner"])
    return Result(
        State.FAILED, "rules_unreadable", by=RuledBy(place, (), kept.revision, lists_of(kept), owner)
    )


def by_rule(rules: Rules, rule: str, words: tuple[str, ...] = ()) -> RuledBy:
    return RuledBy(rule, words, rules.revision, rules.lists)


def way_of(mode: Mode, rewrite: Rewrite | None, *, copy_allowed: bool) -> Mode | None:
    """How a post goes in a mapping of this mode: a forward cannot be changed. None where nothing may go."""
    if rewrite is None or mode is Mode.COPY:
        return mode
    return Mode.COPY if copy_allowed else None


def stays_a_forward(passed: Passed, rules: Rules) -> Result:
    """A forward shows what its author wrote; where the mapping allows no copy in its place, nothing goes."""
    rule = passed.by[0] if passed.by else ""
    return Result(State.FAILED, "forward_cannot_be_changed", by=by_rule(rules, rule))


def ruling(rules: Rules, parts: Parts, context: Context) -> Passed | Result:
    """What the rules make of a post: what goes, or why nothing does."""
    try:
        outcome = decide(rules, parts, context)
    except RuleFailed as error:
        return Result(State.FAILED, "rule_failed", by=by_rule(rules, error.rule))
    if isinstance(outcome, Refused):
        return Result(State.FILTERED, outcome.reason, by=by_rule(rules, outcome.rule, outcome.words))
    return outcome


def log_broken(error: Exception) -> None:
    """Where a rule broke, without its words: they may be a post's."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.error("rule_broken", error=type(error).__name__, at=f"{last.name}:{last.lineno}")


def broken(rules: Rules, names: Collection[str]) -> Result:
    """What becomes of a post on which rules stumble that are asked together: it fails by their names."""
    return Result(State.FAILED, "rule_failed", by=by_rule(rules, ", ".join(names)))


def waiting(
    rules: Rules, posted: datetime, now: datetime, sent: int, word: reviewing.Standing
) -> Result | None:
    """What the rules of time make of a post, ``sent`` posts of the mapping having gone today; None where it goes."""
    counters = Counters(lambda start, end: sent if start <= now < end else 0, word.approved, word.asked)
    try:
        decision = when(rules.when, now, posted, counters)
    except Exception as error:
        log_broken(error)
        return broken(rules, [rule.label for rule in rules.rules if rule.verb in BY_TIME])
    if isinstance(decision, Hold):
        return Result(State.HELD, reviewing.REVIEW, wait=(decision.expires - now).total_seconds())
    if isinstance(decision, NotBefore):
        wait = (decision.at - now).total_seconds()
        return Result(State.QUEUED, decision.reason, wait=wait, put_off_by=rules.revision)
    if isinstance(decision, Withdraw):
        rule = rules.label_of(AtMost if decision.reason == "at_most" else Review)
        return Result(State.WITHDRAWN, decision.reason, by=by_rule(rules, rule))
    return None


async def appeared(session: AsyncSession, post: int | None, date: datetime, now: datetime) -> datetime:
    """Since when a post is delayed. A date that lies in the future is not believed: it is as old as its hearing."""
    if date <= now:
        return date
    heard: datetime | None = await session.scalar(HEARD, {"post": post})
    return min(date, heard or now)


HEARD = text("select min(heard_at) from messages where post_id = :post")


async def sent_today(session: AsyncSession, mapping_id: int, rule: AtMost | None, now: datetime) -> int:
    """Posts that the mapping has sent, or may have, on the day that it is in the rule's zone; no more than matter."""
    if rule is None:
        return 0
    midnight = datetime.min.time()
    day = now.astimezone(rule.zone).date()
    begin, end = (moment(day + timedelta(days=n), midnight, rule.zone) for n in (0, 1))
    values = {"mapping": mapping_id, "begin": begin, "end": end, "most": rule.a_day}
    return int(await session.scalar(SENT, values) or 0)


# A post counts on the day of its call, also where it was seen, or said, only later that it had arrived, and where
# nobody knows yet: the day's number is not exceeded whatever comes out. What a comparison found has had no call of
# which we know.
SENT = text(
    """
    select count(*) from (
        select 1 from deliveries
         where mapping_id = :mapping and kind = 'post' and done_at >= :begin
           and (state = 'sent' or sent_ids is not null or unsettled) and claimed_at >= :begin and claimed_at < :end
        union all
        select 1 from deliveries
         where mapping_id = :mapping and kind = 'post' and done_at is null
           and (unsettled or state in ('sending', 'unsure')) and claimed_at >= :begin and claimed_at < :end
         limit :most) sent
    """
)

STOP = text(
    """
    update deliveries d
       set state = n.state, reason = n.reason, details = cast(n.details as jsonb), revision = n.revision,
           done_at = clock_timestamp()
      from json_to_recordset(cast(:stopped as json)) as n (id bigint, state text, reason text, details text,
                                                           revision int)
     where d.id = n.id
    """
)


async def stop(session: AsyncSession, stopped: Mapping[int, Result]) -> None:
    """End new deliveries, on which nothing hangs yet."""
    rows = [
        {
            "id": delivery,
            "state": result.state.value,
            "reason": result.reason,
            "details": result.by.details if result.by else None,
            "revision": result.by.revision if result.by else None,
        }
        for delivery, result in stopped.items()
    ]
    if rows:
        await session.execute(STOP, {"stopped": json.dumps(rows)})
