"""Mends what an audit found: by ordinary deliveries where something is to be sent or edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.comparing.report import Audit, Lack
from forwarder.comparing.rows import Adopted, Terms, adopt
from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.ingest import Ingest
from forwarder.ingest.deliveries import mark_late_duplicates
from forwarder.message import AccountKind, DeleteOrder, Edited, State
from forwarder.models import MappingState
from forwarder.outbox import BULK, FIX, FIX_AGAIN
from forwarder.seam import Chats
from forwarder.services import audit as audit_log
from forwarder.services.places import Places

OPEN = (State.QUEUED, State.HELD, State.UNSURE, State.FAILED)
"""Deliveries whose copy was found count as sent from these states; one that is being sent records itself."""

PER_DELETION = 100


@dataclass(frozen=True, slots=True)
class Mended:
    """How many posts were queued again, copies deleted, edits queued, and posts recorded as sent that are there.

    ``repeats`` are missing posts that were not queued: what they say is there by another delivery, or on its way.
    ``unheard`` are ids of missing posts that our rows do not have: a backfill brings them.
    """

    queued: int = 0
    deleted: int = 0
    edited: int = 0
    recorded: int = 0
    unheard: tuple[int, ...] = ()
    repeats: int = 0


class Mender:
    """``chats`` deletes what is doubled: a delivery knows all copies of a post only, not one too many."""

    def __init__(self, db: Database, chats: Chats, ingest: Ingest, places: Places) -> None:
        self._db, self._chats, self._ingest, self._places = db, chats, ingest, places

    async def mend(self, found: Audit, *, delete: bool, actor: int | None = None) -> Mended:
        """Record, queue and, where ``delete`` says so, delete what is doubled or stray.

        Raises InvalidRequest ``mapping_disabled`` for a mapping that carries nothing out any more; TelegramError where
        a deletion is refused.
        """
        terms = found.terms
        refuse_disabled(terms)
        deleted = await self._delete(found) if delete else 0
        async with self._db.begin() as session:
            await self._places.hold(session, terms.mapping_id)
            copies = [Adopted(one.pairs, one.mode, one.fate.delivery_id) for one in found.unrecorded]
            await adopt(session, terms, copies, OPEN)
            await self._places.take(session, failed_before(found))
            queued, repeats = await self._queue(session, terms, found.missing)
            edited = await self._edit(session, found)
            mended = Mended(queued, deleted, edited, len(copies), unheard(found.missing), repeats)
            await audit_log.record(
                session,
                actor,
                "mapping.mend",
                f"mapping:{terms.mapping_id}",
                queued=queued,
                deleted=deleted,
                edited=edited,
                recorded=len(copies),
                repeats=repeats,
            )
        return mended

    async def _delete(self, found: Audit) -> int:
        ids = sorted(match.copy for match in (*found.doubles, *found.strays))
        for start in range(0, len(ids), PER_DELETION):
            part = ids[start : start + PER_DELETION]
            await self._chats.delete(DeleteOrder(found.terms.destination, tuple(part)))
            async with self._db.begin() as session:
                await session.execute(
                    text("delete from copies where channel_id = :channel and message_id = any(:ids)"),
                    {"channel": found.terms.destination_id, "ids": part},
                )
        return len(ids)

    async def _queue(self, session: AsyncSession, terms: Terms, missing: Sequence[Lack]) -> tuple[int, int]:
        """Queue posts that our rows have, behind everything live; answer how many, and how many repeat what others
        bring: these end as duplicates. Records of copies that are not there are forgotten first."""
        ids = [part.message_id for lack in missing for part in lack.post]
        await session.execute(
            text(
                "delete from copies where mapping_id = :mapping and source_id = :source"
                " and source_message_id = any(:ids)"
            ),
            {"mapping": terms.mapping_id, "source": terms.source_id, "ids": ids},
        )
        posts = [lack.fate.post_id for lack in missing if lack.fate.post_id is not None]
        values = {"mapping": terms.mapping_id, "posts": posts, "class": BULK}
        queued = list(await session.scalars(QUEUE, values))
        repeats = await self._places.take(session, queued)
        await mark_late_duplicates(session, repeats)
        return len(queued) - len(repeats), len(repeats)

    async def _edit(self, session: AsyncSession, found: Audit) -> int:
        """Give the copies the source's text again; our rows may not know it either."""
        terms = found.terms
        if not found.edited:
            return 0
        if terms.listener is not None:
            kind = terms.listener_kind or AccountKind.USER
            await self._ingest.receive(session, terms.listener, kind, [Edited(m) for m in found.edited])
        rows = await session.execute(
            QUEUE_EDITS,
            {
                "mapping": terms.mapping_id,
                "source": terms.source_id,
                "ids": [message.message_id for message in found.edited],
                "class": FIX,
            },
        )
        return len(rows.all())


def refuse_disabled(terms: Terms) -> None:
    if terms.state is MappingState.DISABLED:
        raise InvalidRequest(
            "mapping_disabled",
            f"Mapping #{terms.mapping_id} is disabled: it sends nothing any more.",
            mapping=terms.mapping_id,
        )


def unheard(missing: Sequence[Lack]) -> tuple[int, ...]:
    return tuple(part.message_id for lack in missing if lack.fate.post_id is None for part in lack.post)


def failed_before(found: Audit) -> list[int]:
    """Deliveries whose copies are there though they failed, and gave their places up for it."""
    return [
        one.fate.delivery_id
        for one in found.unrecorded
        if one.fate.state is State.FAILED and one.fate.delivery_id is not None
    ]


# A new epoch: Telegram answers a random id that it knows with the message that is not there any more.
QUEUE = text(
    """
    insert into deliveries as d (mapping_id, post_id, kind, class, position, state, reason, revision)
    select m.id, p.id, 'post', :class, p.position, case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end, m.revision
      from posts p join mappings m on m.id = :mapping where p.id = any(:posts)
     order by p.position for share of m
    on conflict (mapping_id, post_id, kind) do update
       set class = excluded.class, state = excluded.state, reason = excluded.reason, done_at = null, attempts = 0,
           epoch = d.epoch + 1, not_before = null, reserved = 0, sent_ids = null, unsettled = false
     where d.state in ('sent', 'failed')
    returning d.id
    """
)

QUEUE_EDITS = text(
    f"""
    insert into deliveries as d (mapping_id, post_id, kind, class, position, parts, state, reason)
    select p.mapping_id, p.post_id, 'edit', :class, p.position, array_agg(x.message_id order by x.message_id),
           case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end
      from deliveries p join mappings m on m.id = p.mapping_id join messages x on x.post_id = p.post_id
     where p.mapping_id = :mapping and p.kind = 'post' and p.state = 'sent'
       and x.channel_id = :source and x.message_id = any(:ids)
     group by p.mapping_id, p.post_id, p.position, m.state
    on conflict (mapping_id, post_id, kind) do update
       set parts = array(select distinct unnest(d.parts || excluded.parts) order by 1), {FIX_AGAIN}
    returning d.id
    """  # noqa: S608 - what is put in is a literal
)
