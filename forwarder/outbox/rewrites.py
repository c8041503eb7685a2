"""Posts that rules have changed: what is sent in their place is kept while the outcome is open, and so is how far a
post has come that takes several calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask
from forwarder.message import Button, Entity, Kind, Look, NewPart, Rewrite
from forwarder.outbox.values import Job, LaneHeld, Worker


def rewrite_json(rewrite: Rewrite | None) -> str | None:
    """As ``details`` of a delivery keep it; never logged."""
    return None if rewrite is None else json.dumps({"rewrite": asdict(rewrite)}, ensure_ascii=False)


def rewrite_from(details: str | None) -> Rewrite | None:
    """None where ``details`` say something else, or nothing."""
    kept = json.loads(details).get("rewrite") if details else None
    if kept is None:
        return None
    return Rewrite(
        tuple(part_from(part) for part in kept["parts"]),
        part_from(kept["rest"]) if kept["rest"] is not None else None,
        Button(**kept["button"]) if kept["button"] is not None else None,
        kept["captions_follow"],
    )


def part_from(kept: dict[str, Any]) -> NewPart:
    typed = {
        "kind": Kind(kept["kind"]),
        "entities": tuple(Entity(**entity) for entity in kept["entities"]),
        "look": Look(**kept["look"]),
    }
    return NewPart(**{**kept, **typed})


BEGUN = text(
    """
    with begun as (
        update deliveries d set sent_ids = cast(:sent_ids as bigint[])
         where d.id = :id and d.epoch = :epoch and d.state in ('sending', 'unsure')
        returning d.id, d.mapping_id
    ), kept as (
        insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)
        select :channel, copy, b.mapping_id, :source, source, 'copy', :route
          from begun b, unnest(cast(:sources as bigint[]), cast(:sent_ids as bigint[])) as pair (source, copy)
        on conflict (channel_id, message_id) do nothing)
    select 1 from begun b join lanes l using (mapping_id) where l.holder = :holder and l.fence = :fence
    """
)


def note_begun(lane: LaneHeld, job: Job, sent_ids: Sequence[int], worker: Worker) -> Ask:
    """Keep that a rewritten post's first call is done, before the further ones are made; answers a row where these are
    still this holder's to make. That the copies are there is true whoever says so."""
    return Ask(
        BEGUN,
        {
            "id": job.delivery_id,
            "epoch": job.epoch,
            "sent_ids": list(sent_ids),
            "sources": list(job.message_ids),
            "channel": lane.destination_id,
            "source": job.source_id,
            "route": worker.kind.value,
            "holder": worker.holder,
            "fence": lane.fence,
        },
    )


REST_OF = text(
    """
    select sent_ids[cardinality(message_ids) + 1] from deliveries
     where mapping_id = :mapping and post_id = :post and kind = 'post'
       and cardinality(sent_ids) > cardinality(message_ids)
    """
)


async def rest_of(session: AsyncSession, lane: LaneHeld, job: Job) -> int | None:
    """The copy that holds what of the post's text did not fit into the first."""
    rest: int | None = await session.scalar(REST_OF, {"mapping": lane.mapping_id, "post": job.post_id})
    return rest


async def forget_rest(session: AsyncSession, lane: LaneHeld, job: Job, rest: int) -> None:
    """A post whose text fits into one message again has no second one any more."""
    await session.execute(
        text(
            "update deliveries set sent_ids = sent_ids[1:cardinality(message_ids)]"
            " where mapping_id = :mapping and post_id = :post and kind = 'post'"
        ),
        {"mapping": lane.mapping_id, "post": job.post_id},
    )
    await session.execute(
        text("delete from copies where channel_id = :channel and message_id = :rest"),
        {"channel": lane.destination_id, "rest": rest},
    )
