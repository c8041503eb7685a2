"""The places in deduplication that deliveries ask for, and those that ask once more because they are queued again.

Who failed has given its place up: others may have taken it since, or would take it while what is queued again waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest
from forwarder.message import State
from forwarder.models import Dedup
from forwarder.outbox import HOLD_KEYS
from forwarder.services.dedup import DeduplicationService
from forwarder.services.repeats import Candidate, Repeat, keys_of
from forwarder.services.reviews import Stored


def candidate_of(row: Any, keys: tuple[bytes, ...]) -> Candidate:
    """What asks for its place in a destination, from a delivery's row with its mapping's and the keys of its post."""
    return Candidate(
        delivery_id=row.id,
        post_id=row.post_id,
        destination_id=row.destination_id,
        topic=row.destination_topic,
        source_id=row.source_id,
        dedup=Dedup(row.dedup),
        hours=row.dedup_hours,
        keys=keys,
        group=row.dedup_group,
    )


class Places:
    """``stored`` as of ``ReviewService``: the kept parts of posts."""

    def __init__(self, dedup: DeduplicationService, stored: Stored) -> None:
        self._dedup, self._stored = dedup, stored

    async def hold(self, session: AsyncSession, mapping_id: int) -> None:
        """Hold a mapping's source, and the mapping as it is, as ingest does; before anything of it is changed.

        Who changes groups holds the sources, too: no place is taken in a group that is about to end.
        """
        await session.execute(HOLD_SOURCE, {"mapping": mapping_id})
        await session.execute(HOLD_MAPPING, {"mapping": mapping_id})

    async def take(self, session: AsyncSession, deliveries: Sequence[int]) -> dict[int, Repeat]:
        """Reserve the places of these deliveries, as if they were new; answer which are duplicates, and of what.

        Those have no place. Which places the others ask for is what their posts say now; what they have still is
        theirs to have again. Edits and deletions ask for none, nor do posts of which nothing is kept any more, or
        of mappings without deduplication.
        """
        rows = (await session.execute(ASKING, {"ids": list(deliveries)})).all()
        if not rows:
            return {}
        parts = await self._stored(session, [row.post_id for row in rows])
        asking = [
            candidate_of(row, keys_of(tuple(parts[row.post_id]))) for row in rows if row.post_id in parts
        ]
        ids = [one.delivery_id for one in asking]
        await session.execute(text(HOLD_KEYS), {"ids": ids})
        await self._dedup.release(session, ids)
        return await self._dedup.reserve(session, asking)


async def repeat_of(session: AsyncSession, delivery_id: int, first: int) -> InvalidRequest:
    """Why a delivery is not queued again, though a person wants it: the first copy, and what can be done."""
    row = (await session.execute(FIRST, {"id": first})).one()
    begins = f"Delivery {delivery_id} is not queued again: the same content"
    other = f"post {row.position} of {row.title}, by mapping {row.mapping_id} (delivery {first}"
    fields = {"post": row.position, "title": row.title, "mapping": row.mapping_id}
    if row.state == State.SENT:
        return InvalidRequest(
            "repeat_sent",
            f"{begins} was sent there as {other}). Nothing is missing there; this one can be queued again "
            f"{row.dedup_hours} hours after that.",
            **fields,
            hours=row.dedup_hours,
        )
    if row.state == State.HELD:
        return InvalidRequest(
            "repeat_held",
            f"{begins} is to be sent there as {other}, which is held). Let that one go; if it ends unsent, queue this "
            "one again.",
            **fields,
        )
    return InvalidRequest(
        "repeat_waits",
        f"{begins} is on its way there as {other}, not sent so far). Wait for that one; if it ends unsent, queue this "
        "one again.",
        **fields,
    )


HOLD_SOURCE = text(
    "select 1 from channels where id = (select source_id from mappings where id = :mapping) for no key update"
)
HOLD_MAPPING = text("select 1 from mappings where id = :mapping for share")

ASKING = text(
    """
    select d.id, d.post_id, m.source_id, m.dedup, m.dedup_hours, m.destination_id, m.destination_topic, c.dedup_group
      from deliveries d join mappings m on m.id = d.mapping_id join channels c on c.id = m.destination_id
     where d.id = any(:ids) and d.kind = 'post' and d.state in ('queued', 'held', 'sent') order by d.id
    """
)

FIRST = text(
    """
    select d.mapping_id, d.state, m.dedup_hours, p.position, c.title
      from deliveries d join mappings m on m.id = d.mapping_id
      join posts p on p.id = d.post_id join channels c on c.id = p.channel_id
     where d.id = :id
    """
)
