"""Posts that wait for somebody's word: how waiting begins and ends, in the caller's transaction.

A post that waits is ``held`` and lets go of its lane: what comes behind it is not held up by people. One that is
approved is queued, and follows in the order of the source behind nothing that has gone already. An approval is of
the post as it read; one that is edited before it goes is asked about anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest
from forwarder.models import NoticeKind
from forwarder.outbox import Due, count_from_now, ended_without_success
from forwarder.services import notices
from forwarder.services.kept_rules import kept_rules, read_kept

REVIEW = "review"
"""The reason of a post that is held until somebody has given their word."""

COLLECT_SECONDS = 2.0
"""So long the notice waits, to tell of what comes together with one message."""

BATCH = 1000

# What of a post changes with an edit and with nothing else; a whole number that a button can carry.
STAMP = """
    (select hashtextextended(string_agg(concat_ws(chr(31), x.message_id, x.text, x.entities,
                                                  extract(epoch from x.edit_date), x.replaced),
                                        chr(30) order by x.message_id), 0) & 2147483647
       from messages x where x.post_id = d.post_id and x.deleted_at is null)
"""

HOLD = text(
    """
    update deliveries d
       set state = 'held', reason = 'review', not_before = clock_timestamp() + make_interval(hours => n.hours)
      from unnest(cast(:ids as bigint[]), cast(:hours as int[])) as n (id, hours)
     where d.id = n.id and d.state = 'queued'
    returning d.id, d.mapping_id
    """
)

# Whoever was asked before and has not answered goes on being asked, from the same time on.
ASKED = text(
    """
    insert into reviews as r (delivery_id)
    select id from deliveries where id = any(:ids) and state = 'held' and reason = 'review' order by id
    on conflict (delivery_id) do update
       set asked_at = case when r.decided_at is null then r.asked_at else clock_timestamp() end,
           decided_at = null, approved = null, decided_by = null, stamp = null
    returning r.delivery_id
    """
)

STANDINGS = text(
    f"""
    select d.post_id, r.asked_at, r.approved, r.stamp = {STAMP} as same
      from reviews r join deliveries d on d.id = r.delivery_id
     where d.mapping_id = :mapping and d.post_id = any(:posts) and d.kind = 'post'
    """  # noqa: S608 - what is put in is a literal
)

OVERDUE = """
      from reviews r join deliveries d on d.id = r.delivery_id
     where r.decided_at is null and d.state = 'held' and d.reason = 'review' and d.not_before <= clock_timestamp()
"""
CONCERNED = text(f"select distinct d.mapping_id {OVERDUE}")
EXPIRED = text(
    f"select d.id, d.mapping_id {OVERDUE} and d.mapping_id = any(:mappings) order by d.id limit :batch"
)

# Deleted at the source, or their mapping disabled, before anybody had decided.
FORGET_ENDED = text(
    "delete from reviews r using deliveries d"
    " where d.id = r.delivery_id and r.decided_at is null and d.done_at is not null"
)

LOCK_MAPPINGS = text("select id, state from mappings where id = any(:ids) order by id for no key update")

DECIDE = text(
    f"""
    with waiting as (
        select id from deliveries
         where id = any(:ids) and state = 'held' and reason = 'review' order by id for no key update
    ), decided as (
        update reviews r set decided_at = clock_timestamp(), approved = :approved, decided_by = :by,
               stamp = coalesce({STAMP}, 0)
          from deliveries d join waiting w on w.id = d.id
         where r.delivery_id = d.id and r.decided_at is null
        returning r.delivery_id as id
    )
    update deliveries d
       set state = case when not :approved then 'withdrawn' when m.state = 'paused' then 'held' else 'queued' end,
           reason = case when not :approved then :reason when m.state = 'paused' then 'paused' end,
           not_before = null, done_at = case when not :approved then clock_timestamp() end,
           revision = case when :approved then d.revision else m.revision end
      from decided c, mappings m
     where d.id = c.id and m.id = d.mapping_id
    returning d.id
    """  # noqa: S608 - what is put in is a literal
)


RETIME = text(
    """
    update deliveries d set not_before = r.asked_at + make_interval(hours => n.hours)
      from unnest(cast(:mappings as int[]), cast(:hours as int[])) as n (mapping, hours), reviews r
     where d.mapping_id = n.mapping and d.done_at is null and d.state = 'held' and d.reason = 'review'
       and r.delivery_id = d.id
    """
)

LET_GO = text(
    """
    update deliveries d set state = case when m.state = 'paused' then 'held' else 'queued' end,
           reason = case when m.state = 'paused' then 'paused' end, not_before = null
      from mappings m
     where m.id = any(:mappings) and d.mapping_id = m.id and d.done_at is null
       and d.state = 'held' and d.reason = 'review'
    returning d.mapping_id
    """
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a reviewer has said of a post; an answer that was about another text is none."""

    asked: datetime | None
    approved: bool | None


NOBODY = Standing(None, None)
"""Of a post that nobody was asked about."""


async def begin(session: AsyncSession, hours: Mapping[int, int]) -> frozenset[int]:
    """Let new deliveries wait so many hours each; answer those that do."""
    values = {"ids": list(hours), "hours": list(hours.values())}
    held = (await session.execute(HOLD, values)).all() if hours else []
    if held:
        await session.execute(ASKED, {"ids": [row.id for row in held]})
        await _tell(session, {row.mapping_id for row in held})
    return frozenset(row.id for row in held)


async def begun(session: AsyncSession, mapping_id: int, deliveries: Sequence[int]) -> None:
    """Ask about deliveries that a worker has held just now, in the transaction that held them."""
    if (await session.scalars(ASKED, {"ids": list(deliveries)})).all():
        await _tell(session, {mapping_id})


async def standings(session: AsyncSession, mapping_id: int, posts: Sequence[int]) -> dict[int, Standing]:
    """By post, of those that anybody was ever asked about."""
    rows = await session.execute(STANDINGS, {"mapping": mapping_id, "posts": list(posts)})
    return {
        row.post_id: Standing(None, None)
        if row.approved is not None and not row.same
        else Standing(row.asked_at, row.approved)
        for row in rows
    }


async def decide(
    session: AsyncSession,
    deliveries: Sequence[int],
    *,
    approved: bool,
    by: int | None,
    reason: str = "rejected",
) -> tuple[list[int], list[Due]]:
    """Give the word about those of these that still wait; answer them, and the lanes that inherit work.

    The rows of their mappings must be locked. Whoever comes second finds nothing that waits: the first word counts.
    """
    values = {"ids": list(deliveries), "approved": approved, "by": by, "reason": reason}
    decided = list(await session.scalars(DECIDE, values))
    heirs = await ended_without_success(session, decided) if decided and not approved else []
    return decided, heirs


async def expire(session: AsyncSession) -> tuple[int, list[Due]]:
    """Decide, as each mapping's rule says, about posts that nobody has answered for in time; answer how many, and the
    lanes that inherit work."""
    await session.execute(FORGET_ENDED)
    concerned = list(await session.scalars(CONCERNED))
    if not concerned:
        return 0, []
    await session.execute(LOCK_MAPPINGS, {"ids": concerned})
    # Read after the wait for them: somebody may have given these posts more time.
    waiting: dict[int, list[int]] = defaultdict(list)
    for row in await session.execute(EXPIRED, {"mappings": concerned, "batch": BATCH}):
        waiting[row.mapping_id].append(row.id)
    sends = await sending(session, waiting)
    ids = {
        go: sorted(i for m, those in waiting.items() if (m in sends) is go for i in those)
        for go in (True, False)
    }
    sent, _ = await decide(session, ids[True], approved=True, by=None)
    gone, heirs = await decide(session, ids[False], approved=False, by=None, reason="review_expired")
    return len(sent) + len(gone), heirs


async def sending(session: AsyncSession, mappings: Collection[int]) -> set[int]:
    """Those whose unanswered posts go. Posts of a mapping that reviews none any more, or whose rules do not read, are
    left to the worker, who asks the rules before it sends."""
    found = set()
    for kept in await kept_rules(session, sorted(mappings)):
        try:
            review = read_kept(kept).when.review
        except InvalidRequest:
            review = None
        if review is None or review.then_send:
            found.add(kept.id)
    return found


async def hours_of(session: AsyncSession, mappings: Collection[int]) -> dict[int, int]:
    """How long posts wait, of those of these mappings whose rules have them reviewed."""
    found = {}
    for kept in await kept_rules(session, sorted(mappings)):
        try:
            review = read_kept(kept).when.review
        except InvalidRequest:
            continue  # its posts fail by themselves
        if review is not None:
            found[kept.id] = review.hours
    return found


async def ask_again(session: AsyncSession, mappings: Collection[int]) -> None:
    """The rules of these mappings have changed: what waits goes on waiting as they say now, from when it began, or is
    queued. The relay rings for it."""
    hours = await hours_of(session, mappings)
    await session.execute(RETIME, {"mappings": list(hours), "hours": list(hours.values())})
    let_go = await session.scalars(LET_GO, {"mappings": [one for one in mappings if one not in hours]})
    await count_from_now(session, sorted(set(let_go)))


async def _tell(session: AsyncSession, mappings: Collection[int]) -> None:
    for mapping_id in sorted(mappings):
        await notices.leave(session, NoticeKind.REVIEW, mapping_id, REVIEW, wait=COLLECT_SECONDS)
