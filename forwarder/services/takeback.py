"""Taking posts back: their copies are deleted wherever they went, what is not sent yet is withdrawn.

Copies go by ordinary deliveries of kind ``delete``: in the order of their lane, at its pace, and by whoever may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.models import MappingState
from forwarder.outbox import FIX, FIX_AGAIN, MAY_HAVE_COPIES, ended_without_success
from forwarder.services import audit, mapping_rows
from forwarder.services.values import ChannelName
from forwarder.services.why import find_post

TAKEN_BACK = "taken_back"
"""The reason of a post that was withdrawn before it was sent."""

LONGEST_MINUTES = 60 * 24 * 366

Ring = Callable[[Sequence[int]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Affected:
    """What taking back means for one mapping. ``copies`` counts messages of the destination, ``unsent`` posts."""

    mapping_id: int
    destination: ChannelName
    state: MappingState
    deliveries: tuple[int, ...]
    copies: int
    unsent: int


@dataclass(frozen=True, slots=True)
class Takeback:
    """``reachable`` are the mappings in which it can be done; a disabled one carries nothing out any more.

    ``until``: the second, since 1970, at which the minutes end that were asked for; 0 where none were.
    """

    affected: tuple[Affected, ...]
    until: int = 0

    @property
    def reachable(self) -> tuple[Affected, ...]:
        return tuple(one for one in self.affected if one.state is not MappingState.DISABLED)

    @property
    def copies(self) -> int:
        return sum(one.copies for one in self.reachable)

    @property
    def unsent(self) -> int:
        return sum(one.unsent for one in self.reachable)

    @property
    def deliveries(self) -> tuple[int, ...]:
        return tuple(number for one in self.reachable for number in one.deliveries)


class TakebackService:
    def __init__(self, db: Database, ring: Ring | None = None) -> None:
        self._db = db
        self._ring = ring

    async def of_post(self, link: str) -> Takeback:
        """What taking back the post behind a link means: a link to the source's post, or to one of its copies.

        Raises InvalidRequest (``bad_reference``, ``not_a_message_link``), NotFound (``channel_not_found``,
        ``post_not_kept``, ``nothing_to_take_back``).
        """
        async with self._db.begin() as session:
            post_id = await find_post(session, link)
            if post_id is None:
                raise NotFound(
                    "post_not_kept",
                    f"{link} is no post that is known here: it was never heard, or so long ago that only its "
                    "copies are left. Delete these by hand.",
                    reference=link,
                )
            return something(await affected(session, "p.post_id = :post", post=post_id))

    async def of_delivery(self, delivery_id: int) -> Takeback:
        """Like ``of_post``, for the post of a delivery. Raises NotFound ``nothing_to_take_back``."""
        async with self._db.begin() as session:
            post = "p.post_id = (select post_id from deliveries where id = :delivery)"
            return something(await affected(session, post, delivery=delivery_id))

    async def of_minutes(self, mapping_id: int, minutes: int, until: int = 0) -> Takeback:
        """What taking back a mapping's posts of the last minutes means, by when they were sent.

        ``until`` is that of an earlier answer, for the same minutes again and not for what was sent since then.

        Raises NotFound (``mapping_not_found``, ``nothing_to_take_back``), InvalidRequest (``bad_minutes``).
        """
        if not 0 < minutes <= LONGEST_MINUTES:
            raise InvalidRequest(
                "bad_minutes", f"Minutes go from 1 to {LONGEST_MINUTES:,} (a year).", most=LONGEST_MINUTES
            )
        async with self._db.begin() as session:
            await mapping_rows.one(session, mapping_id)
            end = until or int(await session.scalar(NEXT_SECOND) or 0)
            found = await affected(session, RECENT, mapping=mapping_id, minutes=minutes, until=end)
            return replace(something(found), until=end)

    async def carry_out(self, takeback: Takeback, *, actor: int | None = None) -> int:
        """Queue the deletions and withdraw what is unsent; answer how many posts are taken back."""
        wanted = list(takeback.deliveries)
        async with self._db.begin() as session:
            # Withdrawn first: what is being sent at this moment is not, and gets its deletion.
            withdrawn = (await session.scalars(WITHDRAW, {"ids": wanted, "reason": TAKEN_BACK})).all()
            lanes = {due.mapping_id for due in await ended_without_success(session, withdrawn)}
            queued = (await session.execute(QUEUE_DELETIONS, {"ids": wanted, "class": FIX})).all()
            lanes |= {row.mapping_id for row in queued}
            for one in takeback.reachable:
                await audit.record(
                    session, actor, "mapping.takeback", f"mapping:{one.mapping_id}", posts=len(one.deliveries)
                )
        if self._ring is not None:
            await self._ring(sorted(lanes))
        return len(withdrawn) + len(queued)


def something(takeback: Takeback) -> Takeback:
    """Raises NotFound ``nothing_to_take_back`` where there is nothing to do."""
    if not takeback.affected:
        raise NotFound(
            "nothing_to_take_back", "There is nothing to take back: no copies were made, or they are gone."
        )
    return takeback


RECENT = """p.mapping_id = :mapping and p.state in ('sent', 'failed', 'withdrawn')
               and p.done_at > to_timestamp(:until) - make_interval(mins => :minutes)
               and p.done_at <= to_timestamp(:until)"""
NEXT_SECOND = text("select ceil(extract(epoch from clock_timestamp()))")


async def affected(session: AsyncSession, which: str, **values: object) -> Takeback:
    """The deliveries that ``which`` chooses, by mapping; without those whose deletion is done or under way."""
    rows = await session.execute(
        text(
            f"""
            select p.mapping_id, m.state, m.destination_id, array_agg(p.id order by p.position, p.id) as ids,
                   sum((select count(*) from unnest(p.sent_ids) as sent (id) where id <> 0))::int as copies,
                   (count(*) filter (where p.state in ('queued', 'held') and not p.unsettled))::int as unsent
              from deliveries p join mappings m on m.id = p.mapping_id
             where p.kind = 'post' and (p.state in ('queued', 'held') or {MAY_HAVE_COPIES}) and {which}
               and not exists (select 1 from deliveries g where g.mapping_id = p.mapping_id
                                  and g.post_id = p.post_id and g.kind = 'delete'
                                  and (g.state = 'sent' or g.done_at is null)
                                  and g.parts @> array(select message_id from messages where post_id = p.post_id))
             group by 1, 2, 3 order by 1
            """  # noqa: S608 - one of three constant texts
        ),
        values,
    )
    found = rows.all()
    names = await mapping_rows.channel_names(session, {row.destination_id for row in found})
    return Takeback(
        tuple(
            Affected(
                row.mapping_id,
                names[row.destination_id],
                MappingState(row.state),
                tuple(row.ids),
                row.copies or 0,
                row.unsent,
            )
            for row in found
        )
    )


WITHDRAW = text(
    """
    update deliveries set state = 'withdrawn', reason = :reason, done_at = clock_timestamp()
     where id = any(array(
           select id from deliveries
            where id = any(:ids) and kind = 'post' and state in ('queued', 'held') and not unsettled
            order by id for no key update))
    returning id
    """
)

# Like the deletions that follow the source's, but whatever the mapping's setting says: a person wants it.
QUEUE_DELETIONS = text(
    f"""
    insert into deliveries as d (mapping_id, post_id, kind, class, position, parts, state, reason)
    select p.mapping_id, p.post_id, 'delete', :class, p.position,
           array(select x.message_id from messages x where x.post_id = p.post_id order by 1),
           case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end
      from deliveries p join mappings m on m.id = p.mapping_id and m.state <> 'disabled'
     where p.id = any(:ids) and p.kind = 'post'
       and {MAY_HAVE_COPIES}
     order by p.id for share of p
    on conflict (mapping_id, post_id, kind) do update
       set parts = excluded.parts, {FIX_AGAIN}
    returning d.mapping_id
    """  # noqa: S608 - what is put in is a literal
)
