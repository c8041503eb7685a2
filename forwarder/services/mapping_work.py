"""What happens to a mapping's deliveries when a person or the program pauses, resumes or disables it.

The functions run in the caller's transaction. They take the mapping's row first, as ingest does when it
decides what a new delivery's first state is, so that none is left behind queued in a paused mapping.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.outbox import WINDOW_BEGINS, Due, ended_without_success
from forwarder.services.rules import TIMES

PAUSED = "paused"
"""The reason of a delivery that is held because its mapping is paused; ingest writes it too."""
SKIPPED = "skipped"
MAPPING_DISABLED = "mapping_disabled"

# What a worker may be about to send is locked in the order that it takes too. What waited by a rule of time forgets
# until when: the rules may be others when the mapping goes on, and are asked then.
HOLD = text(
    """
    update deliveries set state = 'held', reason = 'paused',
           not_before = case when reason is null or reason <> all(:times) then not_before end
     where id = any(array(select id from deliveries where mapping_id = :mapping and done_at is null
                             and state = 'queued' order by id for no key update))
    """
)
LET_GO = text(
    """
    update deliveries set state = 'queued', reason = null
     where mapping_id = :mapping and state = 'held' and reason = 'paused'
    """
)
# One of unknown outcome may have arrived: it is seen to its end, or a repeat of it would take its place beside it.
SKIP_POSTS = text(
    """
    update deliveries set state = 'withdrawn', reason = 'skipped', done_at = clock_timestamp(),
           revision = (select m.revision from mappings m where m.id = :mapping)
     where mapping_id = :mapping and kind = 'post' and state = 'held' and reason = 'paused' and not unsettled
    returning id
    """
)
WITHDRAW = text(
    """
    update deliveries set state = 'withdrawn', reason = 'mapping_disabled', done_at = clock_timestamp(),
           revision = (select m.revision from mappings m where m.id = :mapping)
     where id = any(array(select id from deliveries where mapping_id = :mapping and done_at is null
                             and state in ('queued', 'held') order by id for no key update))
    returning id, kind
    """
)

# What was being sent when its mapping was disabled, and did not end by it: a wait, a lost worker, an unknown outcome.
WITHDRAW_LEFT = text(
    """
    update deliveries d set state = 'withdrawn', reason = 'mapping_disabled', done_at = clock_timestamp(),
           unsettled = d.unsettled or d.state in ('sending', 'unsure'), revision = m.revision
      from mappings m
     where m.id = d.mapping_id and d.id = any(array(
           select q.id from mappings o
             join lanes l on l.mapping_id = o.id and (l.lease_until is null or l.lease_until < clock_timestamp())
             join deliveries q on q.mapping_id = o.id and q.done_at is null
            where o.state = 'disabled' order by q.id for no key update of q))
    returning d.id, d.kind
    """
)

SEND_UNSURE_AGAIN = text(
    """
    update deliveries set state = case when :paused then 'held' else 'queued' end,
           reason = case when :paused then 'paused' when sent_ids is not null then 'sent_again' end, attempts = 0,
           epoch = epoch + 1, not_before = null, reserved = 0, unsettled = sent_ids is not null
     where mapping_id = :mapping and done_at is null and state = 'held' and reason = 'unsure'
       and (cast(:until as bigint) is null
            or coalesce(extract(epoch from claimed_at) * 1000000, 0) <= cast(:until as bigint))
    """
)
# Of what rules have split only the first message can have arrived: the second is never sent before that is known. Ids
# of 0 are those that nobody knows.
FIRST_ARRIVED = text(
    """
    update deliveries set state = case when :paused then 'held' else 'queued' end,
           reason = case when :paused then 'paused' else 'sent_again' end, attempts = 0, not_before = null,
           reserved = 0, unsettled = true, sent_ids = array_fill(cast(0 as bigint), array[cardinality(message_ids)])
     where mapping_id = :mapping and done_at is null and state = 'held' and reason = 'unsure' and sent_ids is null
       and details #>> '{rewrite,rest}' is not null and details #>> '{rewrite,captions_follow}' = 'false'
       and (cast(:until as bigint) is null
            or coalesce(extract(epoch from claimed_at) * 1000000, 0) <= cast(:until as bigint))
    """
)
UNSURE_ARRIVED = text(
    f"""
    with changed as (
        update deliveries set state = 'sent', reason = null, unsettled = false, done_at = clock_timestamp()
         where mapping_id = :mapping and done_at is null and state = 'held' and reason = 'unsure'
           and (cast(:until as bigint) is null
                or coalesce(extract(epoch from claimed_at) * 1000000, 0) <= cast(:until as bigint))
        returning id, mapping_id),
    confirmed as ({WINDOW_BEGINS})
    select count(*) from changed
    """  # noqa: S608 - what is put in is a literal
)


async def hold(session: AsyncSession, mapping_id: int) -> int:
    """Hold what is queued; what is being sent at this moment ends as it ends. Answer how many are held."""
    held = await session.execute(HOLD, {"mapping": mapping_id, "times": list(TIMES)})
    return held.rowcount  # type: ignore[attr-defined, no-any-return]  # an UPDATE answers a CursorResult


async def let_go(session: AsyncSession, mapping_id: int, *, send: bool) -> list[int]:
    """Queue what was held by the pause, or skip its posts. Answer the lanes that have work now.

    Edits and deletions of posts that were sent before the pause are applied either way: skipping news
    does not mean leaving wrong text standing.
    """
    lanes = {mapping_id}
    if not send:
        skipped = (await session.scalars(SKIP_POSTS, {"mapping": mapping_id})).all()
        lanes |= await _settle(session, skipped)
    await session.execute(LET_GO, {"mapping": mapping_id})
    return sorted(lanes)


async def withdraw(session: AsyncSession, mapping_id: int) -> list[int]:
    """Withdraw what is queued or held. Answer other lanes that have work now because of it."""
    gone = (await session.execute(WITHDRAW, {"mapping": mapping_id})).all()
    return sorted(await _settle(session, [row.id for row in gone if row.kind == "post"]))


async def withdraw_left(session: AsyncSession) -> list[Due]:
    """Withdraw what workers have left behind in disabled mappings. Answer other lanes that have work because of it."""
    gone = (await session.execute(WITHDRAW_LEFT)).all()
    return await ended_without_success(session, [row.id for row in gone if row.kind == "post"])


async def _settle(session: AsyncSession, ended: Sequence[int]) -> set[int]:
    """Let the first duplicates of posts that ended unsent take their place."""
    if not ended:
        return set()
    return {due.mapping_id for due in await ended_without_success(session, ended)}


async def settle_unsure(
    session: AsyncSession, mapping_id: int, until: int | None, *, again: bool, paused: bool
) -> int:
    """Do with posts of unknown outcome what a person decided; answer how many there were.

    The window of deduplication of those that arrived begins now: when they did is not known. Those of which the first
    message has arrived, and a second is to follow, go on.
    """
    values: dict[str, object] = {"mapping": mapping_id, "until": until}
    if not again:
        first = await session.execute(FIRST_ARRIVED, {**values, "paused": paused})
        going_on: int = first.rowcount  # type: ignore[attr-defined]  # an UPDATE answers a CursorResult
        return going_on + (await session.scalar(UNSURE_ARRIVED, values) or 0)
    settled = await session.execute(SEND_UNSURE_AGAIN, {**values, "paused": paused})
    return settled.rowcount  # type: ignore[attr-defined, no-any-return]  # an UPDATE answers a CursorResult
