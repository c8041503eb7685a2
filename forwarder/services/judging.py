"""What the rules of mappings make of posts: asked when their deliveries are made, and again just before they go."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest, RuleFailed
from forwarder.message import SourceMessage, State
from forwarder.outbox import Result, RuledBy
from forwarder.rules import Context, Refused, Rules, decide
from forwarder.services.rules import CARRIED_OUT, TIMES, kept_rules, read_kept

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
            place = str(error.fields.get("place", "rules"))
            unread = Result(State.FAILED, "rules_unreadable", by=RuledBy(place, (), kept.revision))
            stopped |= dict.fromkeys(of_mapping, unread)
            continue
        found = ((one, ruling(rules, posts[one[1]])) for one in of_mapping)
        stopped |= {one: result for one, result in found if result is not None}
    return stopped


def ruling(rules: Rules, parts: Parts) -> Result | None:
    """What the rules make of a post; None where it goes as it is."""
    try:
        outcome = decide(rules, parts, Context())
    except RuleFailed as error:
        return Result(State.FAILED, "rule_failed", by=RuledBy(error.rule, (), rules.revision))
    if isinstance(outcome, Refused):
        by = RuledBy(outcome.rule, outcome.words, rules.revision)
        return Result(State.FILTERED, outcome.reason, by=by)
    # Such rules are refused when they are saved. Where one is kept all the same, no post goes as if it were not.
    undone = [rule.label for rule in rules.rules if rule.verb in TIMES and rule.verb not in CARRIED_OUT]
    undone += () if outcome.untouched else outcome.by
    if undone:
        return Result(State.FAILED, "rule_not_carried_out", by=RuledBy(undone[0], (), rules.revision))
    return None


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
