"""What became of a job, and what follows from it for others."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask
from forwarder.message import DeliveryKind, State
from forwarder.outbox.jobs import array, in_order
from forwarder.outbox.values import ALONE, WINDOW_BEGINS, Done, LaneHeld, Worker

FLOOD = "^(flood(?!_premium)|too many)"
"""The waits that may be an account's; a slow mode is its chat's, and a premium one the transfer's."""


async def note_wait(
    session: AsyncSession,
    worker: Worker,
    lane: LaneHeld,
    name: str,
    family: str,
    seconds: float,
    *,
    whole: bool,
    alone: bool = False,
    through: float | None = None,
) -> bool:
    """Keep a wait that Telegram asked for; answer whether it holds the whole account.

    A wait concerns that method in that chat first; when a second chat meets one while it runs, the account as well,
    but for one that is known to be the chat's ``alone``. ``through``: seconds since a call of this family was made that
    was answered well, for then no such wait of before is the account's.
    """
    return bool(
        await session.scalar(
            text(
                """
                with seen as (
                    select :whole or (not :alone and :name ~* :flood and exists (
                        select 1 from flood_waits w
                         where w.account_id = :account and w.until > clock_timestamp() and w.name ~* :flood
                           and w.chat_id is distinct from :chat
                           and (cast(:through as float8) is null or w.method <> :family
                                or w.seen_at > clock_timestamp() - make_interval(secs => :through)))) as whole),
                kept as (
                    insert into flood_waits (account_id, method, chat_id, name, seconds, until)
                    select :account, :family, held.chat, :name, :seconds,
                           clock_timestamp() + make_interval(secs => :seconds)
                      from seen, unnest(case when not whole then array[cast(:chat as bigint)]
                                             when :whole then array[cast(null as bigint)]
                                             else array[cast(:chat as bigint), null] end) as held (chat)
                    returning chat_id)
                select bool_or(chat_id is null) from kept
                """
            ),
            {
                "account": worker.account_id,
                "chat": lane.destination,
                "name": name,
                "family": family,
                "seconds": seconds,
                "whole": whole,
                "alone": alone,
                "through": through,
                "flood": FLOOD,
            },
        )
    )


async def end_waits(session: AsyncSession, worker: Worker, ago: float) -> None:
    """No wait that was met ``ago`` seconds ago or before holds the account as a whole; those of single chats stand."""
    await session.execute(
        text(
            "update flood_waits set until = clock_timestamp()"
            " where account_id = :account and chat_id is null and until > clock_timestamp()"
            " and seen_at < clock_timestamp() - make_interval(secs => :ago)"
        ),
        {"account": worker.account_id, "ago": ago},
    )


def record(done: Sequence[Done], worker: Worker) -> list[Ask]:
    """Write what became of jobs: sends that succeeded, then everything else. The lanes must be locked before.

    A success is accepted even from a holder that lost its lease, by (delivery, epoch): the message is in
    the destination whoever holds the lane. Any other result of a lost lease is dropped, because the new
    holder has judged for itself; so is one for a row that somebody else has ended or held since. A change that
    came while an edit or deletion was being applied outlives a final result: it is applied too.
    """
    sent = [d for d in done if d.result.state is State.SENT]
    other = [d for d in done if d.result.state is not State.SENT]
    put_off = [d for d in done if d.result.put_off_by is not None]
    return [
        *in_order([d.job.delivery_id for d in done]),
        *([record_sent(sent, worker)] if sent else []),
        *([record_other(other, worker)] if other else []),
        *([ask_anew(put_off, worker)] if put_off else []),
    ]


def ends_posts(done: Sequence[Done]) -> list[int]:
    """Posts that end without success: what hung on them is closed by :func:`ended_without_success`."""
    return [
        d.job.delivery_id
        for d in done
        if d.result.state.final and d.result.state is not State.SENT and d.job.kind is DeliveryKind.POST
    ]


RECORD_OTHER = text(
    """
    update deliveries d
       set state = case when d.again and n.final then 'queued' else n.state end,
           reason = case when d.again and n.final then null else n.reason end, reserved = n.place,
           not_before = case when n.wait is null then null
                             else clock_timestamp() + make_interval(secs => n.wait) end,
           attempts = d.attempts + n.attempt, epoch = d.epoch + n.new_epoch, mode = coalesce(n.mode, d.mode),
           unsettled = coalesce(n.unsettled, d.unsettled or d.state in ('sending', 'unsure')),
           batch = case when n.reason = :alone then null else d.batch end,
           done_at = case when n.final and not d.again then clock_timestamp() end, again = d.again and not n.final,
           details = coalesce(cast(n.details as jsonb), case when d.details ? 'rewrite' then d.details end),
           revision = coalesce(n.revision, d.revision)
      from unnest(cast(:ids as bigint[]), cast(:fences as bigint[]), cast(:epochs as int[]), cast(:was as text[]),
                  cast(:states as text[]), cast(:reasons as text[]), cast(:places as smallint[]),
                  cast(:waits as float8[]), cast(:attempts as int[]), cast(:new_epochs as int[]),
                  cast(:modes as text[]), cast(:final as boolean[]), cast(:unsettled as boolean[]),
                  cast(:details as text[]), cast(:revisions as int[]))
               as n (id, fence, epoch, was, state, reason, place, wait, attempt, new_epoch, mode, final, unsettled,
                     details, revision),
           lanes l
     where d.id = n.id and d.epoch = n.epoch and d.state in ('sending', n.was)
       and l.mapping_id = d.mapping_id and l.holder = :holder and l.fence = n.fence
    returning d.id
    """
)


def record_other(done: Sequence[Done], worker: Worker) -> Ask:
    """Waits, failures and everything else that is no success; answers the rows that it changed."""
    return Ask(
        RECORD_OTHER,
        {
            "ids": [d.job.delivery_id for d in done],
            "fences": [d.lane.fence for d in done],
            "epochs": [d.job.epoch for d in done],
            "was": [d.job.state.value for d in done],
            "states": [d.result.state.value for d in done],
            "reasons": [d.result.reason for d in done],
            "places": [int(d.result.place) for d in done],
            "waits": [d.result.wait for d in done],
            "attempts": [int(d.result.attempt) for d in done],
            "new_epochs": [int(d.result.new_epoch) for d in done],
            "modes": [d.result.mode.value if d.result.mode else None for d in done],
            "final": [d.result.state.final for d in done],
            "unsettled": [d.result.unsettled for d in done],
            "details": [d.result.by.details if d.result.by else None for d in done],
            "revisions": [d.result.by.revision if d.result.by else None for d in done],
            "alone": ALONE,
            "holder": worker.holder,
        },
    )


# Other rules may have been written between the look at them and this. Whoever writes them takes the lanes too, so that
# either sees what the other did.
ASK_ANEW = text(
    """
    update deliveries d set not_before = null, reason = null
      from unnest(cast(:ids as bigint[]), cast(:fences as bigint[]), cast(:revisions as int[]))
               as n (id, fence, revision),
           lanes l, mappings m
     where d.id = n.id and d.state = 'queued' and d.reserved = 0 and not d.unsettled
       and l.mapping_id = d.mapping_id and l.holder = :holder and l.fence = n.fence
       and m.id = d.mapping_id and m.revision <> n.revision
    """
)


def ask_anew(done: Sequence[Done], worker: Worker) -> Ask:
    """Posts that were put off by rules that do not hold any more wait no longer."""
    return Ask(
        ASK_ANEW,
        {
            "ids": [d.job.delivery_id for d in done],
            "fences": [d.lane.fence for d in done],
            "revisions": [d.result.put_off_by for d in done],
            "holder": worker.holder,
        },
    )


RECORD_SENT = text(
    f"""
    with changed as (
        update deliveries d
           set state = case when d.again then 'queued' else 'sent' end, reason = null,
               sent_ids = coalesce(cast(n.sent_ids as bigint[]), d.sent_ids), not_before = null, reserved = 0,
               mode = coalesce(n.mode, d.mode), account_id = :account, route = :route, details = null,
               done_at = case when d.again then null else clock_timestamp() end, again = false, unsettled = false
          from unnest(cast(:ids as bigint[]), cast(:fences as bigint[]), cast(:epochs as int[]),
                      cast(:sent_ids as text[]), cast(:modes as text[])) as n (id, fence, epoch, sent_ids, mode)
         where d.id = n.id and d.epoch = n.epoch and d.state <> 'sent'
           and (d.kind = 'post' or exists (select 1 from lanes l where l.mapping_id = d.mapping_id
                                              and l.holder = :holder and l.fence = n.fence))
        returning d.id, d.mapping_id, d.kind),
    confirmed as ({WINDOW_BEGINS})
    insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)
    select n.channel, n.copy, c.mapping_id, n.source, n.message, n.mode, :route
      from unnest(cast(:deliveries as bigint[]), cast(:channels as int[]), cast(:copies as bigint[]),
                  cast(:sources as int[]), cast(:messages as bigint[]), cast(:copy_modes as text[]))
               as n (delivery, channel, copy, source, message, mode)
      join changed c on c.id = n.delivery and c.kind = 'post'
    on conflict (channel_id, message_id) do nothing
    """  # noqa: S608 - what is put in is a literal
)


def record_sent(done: Sequence[Done], worker: Worker) -> Ask:
    pairs = [
        (d, source, copy)
        for d in done
        for source, copy in zip(d.result.message_ids, d.result.sent_ids, strict=True)
        if copy is not None
    ]
    return Ask(
        RECORD_SENT,
        {
            "ids": [d.job.delivery_id for d in done],
            "fences": [d.lane.fence for d in done],
            "epochs": [d.job.epoch for d in done],
            "sent_ids": [
                array([i or 0 for i in d.result.sent_ids]) if d.result.sent_ids else None for d in done
            ],
            "modes": [d.result.mode.value if d.result.mode else None for d in done],
            "deliveries": [d.job.delivery_id for d, _, _ in pairs],
            "channels": [d.lane.destination_id for d, _, _ in pairs],
            "copies": [copy for _, _, copy in pairs],
            "sources": [d.job.source_id for d, _, _ in pairs],
            "messages": [source for _, source, _ in pairs],
            "copy_modes": [(d.result.mode or d.lane.mode).value for d, _, _ in pairs],
            "account": worker.account_id,
            "route": worker.kind.value,
            "holder": worker.holder,
        },
    )
