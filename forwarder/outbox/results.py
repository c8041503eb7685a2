"""What became of a job, and what follows from it for others."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind, DeliveryKind, State
from forwarder.outbox.lanes import still_ours
from forwarder.outbox.values import Due, Job, LaneHeld, Result, Worker


async def note_wait(
    session: AsyncSession,
    worker: Worker,
    lane: LaneHeld,
    name: str,
    family: str,
    seconds: float,
    *,
    whole: bool,
) -> bool:
    """Keep a wait that Telegram asked for; answer whether it holds the whole account.

    A wait concerns that method in that chat first; when a second chat meets one while it runs, the account.
    """
    return bool(
        await session.scalar(
            text(
                """
                with seen as (
                    select :whole or (:name ~* '^(flood|too many)' and exists (
                        select 1 from flood_waits w
                         where w.account_id = :account and w.until > clock_timestamp() and w.name ~* '^(flood|too many)'
                           and w.chat_id is distinct from :chat)) as whole)
                insert into flood_waits (account_id, method, chat_id, name, seconds, until)
                select :account, :family, case when whole then null else cast(:chat as bigint) end, :name,
                       :seconds, clock_timestamp() + make_interval(secs => :seconds) from seen
                returning chat_id is null
                """
            ),
            {
                "account": worker.account_id,
                "chat": lane.destination,
                "name": name,
                "family": family,
                "seconds": seconds,
                "whole": whole,
            },
        )
    )


async def record(
    session: AsyncSession, job: Job, lane: LaneHeld, worker: Worker, result: Result
) -> list[Due]:
    """Write what became of a job; answer other lanes that have work now because of it.

    A success is accepted even from a holder that lost its lease, by (delivery, epoch): the message is in
    the destination whoever holds the lane. Any other result of a lost lease is dropped, because the new
    holder has judged for itself; so is one for a row that somebody else has ended or held since. A change that
    came while an edit or deletion was being applied outlives a final result: it is applied too.
    """
    ours = await still_ours(session, lane, worker)
    if result.state is State.SENT and (ours or job.kind is DeliveryKind.POST):
        return await record_sent(session, job, lane, worker, result)
    if not ours:
        return []
    changed = await session.scalar(
        text(
            """
            update deliveries
               set state = case when again and :final then 'queued' else :state end,
                   reason = case when again and :final then null else cast(:reason as text) end, reserved = :place,
                   not_before = case when cast(:wait as float8) is null then null
                                     else clock_timestamp() + make_interval(secs => cast(:wait as float8)) end,
                   attempts = attempts + :attempt, epoch = epoch + :epoch,
                   mode = coalesce(cast(:mode as text), mode),
                   unsettled = coalesce(cast(:unsettled as boolean), unsettled or state in ('sending', 'unsure')),
                   done_at = case when :final and not again then clock_timestamp() end,
                   again = again and not :final
             where id = :id and epoch = :old_epoch and state in ('sending', :was)
            returning state
            """
        ),
        {
            "id": job.delivery_id,
            "state": result.state.value,
            "reason": result.reason,
            "place": int(result.place),
            "wait": result.wait,
            "attempt": int(result.attempt),
            "epoch": int(result.new_epoch),
            "mode": result.mode.value if result.mode else None,
            "final": result.state.final,
            "unsettled": result.unsettled,
            "old_epoch": job.epoch,
            "was": job.state.value,
        },
    )
    if changed is not None and result.state.final and job.kind is DeliveryKind.POST:
        return await ended_without_success(session, [job.delivery_id])
    return []


async def record_sent(
    session: AsyncSession, job: Job, lane: LaneHeld, worker: Worker, result: Result
) -> list[Due]:
    changed = await session.scalar(
        text(
            """
            update deliveries set state = case when again then 'queued' else 'sent' end, reason = null,
                   sent_ids = coalesce(cast(:sent_ids as bigint[]), sent_ids), not_before = null, reserved = 0,
                   mode = coalesce(cast(:mode as text), mode), account_id = :account, route = :route,
                   done_at = case when again then null else clock_timestamp() end, again = false, unsettled = false
             where id = :id and epoch = :epoch and state <> 'sent'
            returning id
            """
        ),
        {
            "id": job.delivery_id,
            "epoch": job.epoch,
            "sent_ids": [i or 0 for i in result.sent_ids] if result.sent_ids else None,
            "mode": result.mode.value if result.mode else None,
            "account": worker.account_id,
            "route": worker.kind.value,
        },
    )
    if changed is None or job.kind is not DeliveryKind.POST:
        return []
    pairs = [(s, c) for s, c in zip(result.message_ids, result.sent_ids, strict=True) if c is not None]
    await session.execute(
        text(
            """
            with confirmed as (
                update fingerprints set until = clock_timestamp() + make_interval(hours => m.dedup_hours)
                  from mappings m where delivery_id = :delivery and m.id = :mapping)
            insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)
            select :channel, copy, :mapping, :source, source, :mode, :route
              from unnest(cast(:copies as bigint[]), cast(:sources as bigint[])) as pair (copy, source)
            on conflict (channel_id, message_id) do nothing
            """
        ),
        {
            "channel": lane.destination_id,
            "delivery": job.delivery_id,
            "mapping": lane.mapping_id,
            "source": job.source_id,
            "copies": [c for _, c in pairs],
            "sources": [s for s, _ in pairs],
            "mode": (result.mode or lane.mode).value,
            "route": worker.kind.value,
        },
    )
    return []


async def ended_without_success(session: AsyncSession, deliveries: Sequence[int]) -> list[Due]:
    """Close what hung on post deliveries that ended unsent: their edits, and the place they held as first copies.

    The first duplicate of each takes its place, in the same transaction, and is queued (or held, where its
    mapping is paused; a disabled mapping inherits nothing).
    """
    await session.execute(
        text(
            """
            update deliveries f set state = 'withdrawn', reason = 'post_not_sent', done_at = clock_timestamp()
              from deliveries p
             where p.id = any(:ids) and f.mapping_id = p.mapping_id and f.post_id = p.post_id
               and f.kind <> 'post' and f.done_at is null
            """
        ),
        {"ids": list(deliveries)},
    )
    heirs = (
        await session.execute(
            text(
                """
                update deliveries d
                   set state = case when m.state = 'paused' then 'held' else 'queued' end,
                       reason = case when m.state = 'paused' then 'paused' end, duplicate_of = null, done_at = null
                  from (select distinct on (o.duplicate_of) o.id, o.duplicate_of as first
                          from deliveries o join mappings n on n.id = o.mapping_id and n.state <> 'disabled'
                         where o.state = 'duplicate' and o.duplicate_of = any(:ids)
                         order by o.duplicate_of, o.id) heir,
                       lanes l, mappings m
                 where d.id = heir.id and l.mapping_id = d.mapping_id and m.id = d.mapping_id
                returning d.id, d.mapping_id, d.state, heir.first, d.class, l.route, m.important, m.source_id
                """
            ),
            {"ids": list(deliveries)},
        )
    ).all()
    for heir in heirs:
        await session.execute(
            text(
                "update deliveries set duplicate_of = :heir where state = 'duplicate' and duplicate_of = :first"
            ),
            {"heir": heir.id, "first": heir.first},
        )
        await session.execute(
            text(
                "update fingerprints set delivery_id = :heir, source_id = :source where delivery_id = :first"
            ),
            {"heir": heir.id, "source": heir.source_id, "first": heir.first},
        )
    await session.execute(
        text("delete from fingerprints where delivery_id = any(:ids)"), {"ids": list(deliveries)}
    )
    return [
        Due(h.mapping_id, h.id, AccountKind(h.route), h._mapping["class"], h.important)
        for h in heirs
        if h.state == "queued"
    ]
