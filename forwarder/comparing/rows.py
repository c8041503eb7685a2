"""What our rows say about a mapping's posts and copies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind, State, is_basic_group
from forwarder.models import MappingState
from forwarder.outbox import WINDOW_BEGINS
from forwarder.services.kept_rules import rules_of
from forwarder.services.mapping_rows import missing


@dataclass(frozen=True, slots=True)
class Terms:
    """A mapping as a comparison needs it. ``mark`` is the highest id of the source that was heard or is known to be
    empty, ``newest_copy`` the highest id of the destination that is known to be ours. ``verbatim`` and
    ``deletions`` say that copies follow their posts' edits, unchanged by rules, and their posts' deletions."""

    mapping_id: int
    state: MappingState
    reason: str | None
    route: AccountKind
    source_id: int
    source: int
    source_topic: int
    destination_id: int
    destination: int
    destination_topic: int
    start_after: int
    verbatim: bool
    ruled: bool
    deletions: bool
    listener: int | None
    mark: int
    newest_copy: int
    listener_kind: AccountKind | None


async def terms_of(session: AsyncSession, mapping_id: int) -> Terms:
    """Raises NotFound ``mapping_not_found``."""
    row = (
        await session.execute(
            text(
                """
                select m.id as mapping_id, m.state, m.reason, l.route,
                       s.id as source_id, s.telegram_id as source, m.source_topic, s.listener_id as listener,
                       d.id as destination_id, d.telegram_id as destination, m.destination_topic, m.start_after,
                       m.edit_sync as verbatim, m.delete_sync as deletions,
                       coalesce((select max(mark) from marks where channel_id = s.id), m.start_after) as mark,
                       coalesce((select max(message_id) from copies where channel_id = d.id), 0) as newest_copy,
                       (select kind from accounts where id = s.listener_id) as listener_kind
                  from mappings m join lanes l on l.mapping_id = m.id
                  join channels s on s.id = m.source_id join channels d on d.id = m.destination_id
                 where m.id = :mapping
                """
            ),
            {"mapping": mapping_id},
        )
    ).one_or_none()
    if row is None:
        raise missing(mapping_id)
    kind = AccountKind(row.listener_kind) if row.listener_kind is not None else None
    ruled = bool((await rules_of(session, [mapping_id]))[mapping_id].rules)
    return Terms(
        **{
            **row._mapping,
            "state": MappingState(row.state),
            "route": AccountKind(row.route),
            "listener_kind": kind,
            "ruled": ruled,
            "verbatim": row.verbatim and not ruled,
        }
    )


@dataclass(frozen=True, slots=True)
class Records:
    """Whose copies the destination's messages are: of which source message of this mapping, or of another mapping.

    A text that rules have split in two has one copy; its second message is like a foreign one, for nobody to judge.
    ``rests`` are such second messages of ours, by the source message that they belong to.
    """

    ours: dict[int, int]
    foreign: frozenset[int]
    rests: dict[int, int]


async def records_of(session: AsyncSession, terms: Terms, first: int) -> Records:
    """From the id ``first`` of the destination on."""
    if is_basic_group(terms.destination):
        # Its messages have other ids for each account: what one has recorded says nothing to another.
        return Records({}, frozenset(), {})
    rows = await session.execute(
        text(
            """
            select c.message_id, c.source_message_id, c.mapping_id = :mapping and c.source_id = :source as ours,
                   exists (
                        select 1 from copies e
                         where e.mapping_id = c.mapping_id and e.source_message_id = c.source_message_id
                           and e.source_id = c.source_id and e.message_id < c.message_id)
                   and (:ruled or exists (
                        select 1 from messages m
                          join deliveries d on d.post_id = m.post_id and d.mapping_id = c.mapping_id
                                           and d.kind = 'post'
                         where m.channel_id = c.source_id and m.message_id = c.source_message_id
                           and d.sent_ids[cardinality(d.message_ids) + 1] = c.message_id)) as rest
              from copies c where c.channel_id = :channel and c.message_id >= :first
            """
        ),
        {
            "mapping": terms.mapping_id,
            "source": terms.source_id,
            "channel": terms.destination_id,
            "first": first,
            "ruled": terms.ruled,
        },
    )
    found = rows.all()
    return Records(
        {row.message_id: row.source_message_id for row in found if row.ours and not row.rest},
        frozenset(row.message_id for row in found if row.rest or not row.ours),
        {row.message_id: row.source_message_id for row in found if row.ours and row.rest},
    )


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a source message's post in this mapping. ``deleting`` and ``editing`` say that its copies were
    or are to be deleted, and that an edit of them is under way; ``begun`` that its first message is there, and what
    follows it is still to be sent or put in. ``state`` is None where it has no delivery."""

    state: State | None = None
    reason: str | None = None
    delivery_id: int | None = None
    post_id: int | None = None
    deleting: bool = False
    editing: bool = False
    own_copy: bool = False
    forgotten: bool = False
    begun: bool = False


async def fates_of(session: AsyncSession, terms: Terms, ids: Collection[int]) -> dict[int, Fate]:
    """By source message id; ids of which nothing is known are left out."""
    rows = await session.execute(
        FATES, {"mapping": terms.mapping_id, "source": terms.source_id, "ids": list(ids)}
    )
    fates = {
        row.message_id: Fate(
            State(row.state) if row.state is not None else None,
            row.reason,
            row.delivery_id,
            row.post_id,
            row.deleting,
            row.editing,
            begun=row.begun,
        )
        for row in rows
    }
    for number in await session.scalars(OWN_COPIES, values(terms, ids)):
        fates[number] = Fate(own_copy=True)
    for number in await session.scalars(FORGOTTEN, values(terms, ids)):
        fates.setdefault(number, Fate(forgotten=True))
    return fates


def values(terms: Terms, ids: Collection[int]) -> dict[str, object]:
    return {
        "mapping": terms.mapping_id,
        "source": terms.source_id,
        "destination": terms.destination_id,
        "ids": list(ids),
    }


FATES = text(
    """
    select m.message_id, m.post_id, d.id as delivery_id, d.state, d.reason,
           exists (select 1 from deliveries g where g.mapping_id = :mapping and g.post_id = m.post_id
                      and g.kind = 'delete' and g.state <> 'failed' and m.message_id = any(g.parts)) as deleting,
           exists (select 1 from deliveries g where g.mapping_id = :mapping and g.post_id = m.post_id
                      and g.kind = 'edit' and g.done_at is null) as editing,
           coalesce(d.state <> 'sent' and d.sent_ids is not null and d.details ? 'rewrite', false) as begun
      from messages m left join deliveries d on d.post_id = m.post_id and d.mapping_id = :mapping and d.kind = 'post'
     where m.channel_id = :source and m.message_id = any(:ids)
    """
)

OWN_COPIES = text(
    """
    select c.message_id from copies c join mappings o on o.id = c.mapping_id
     where c.channel_id = :source and c.message_id = any(:ids) and o.source_id = :destination
    """
)

FORGOTTEN = text(
    """
    select id from handled h, unnest(cast(:ids as bigint[])) as id
     where h.mapping_id = :mapping and h.channel_id = :source and h.ids @> id
    """
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """Copies that stand in the destination: (source message id, copy id) of one post."""

    pairs: tuple[tuple[int, int], ...]
    mode: str
    delivery_id: int | None


async def adopt(
    session: AsyncSession, terms: Terms, found: Sequence[Adopted], states: Sequence[State]
) -> int:
    """Record copies that were found, and as sent their deliveries that are in one of ``states``; answer how many
    deliveries changed. Their window of deduplication begins now, where they have kept their places. What follows the
    first message of a post that rules have split is still to be sent, by its delivery."""
    changed = 0
    for one in found:
        sources, copies = [source for source, _ in one.pairs], [copy for _, copy in one.pairs]
        await session.execute(
            RECORD_COPIES,
            {
                "channel": terms.destination_id,
                "mapping": terms.mapping_id,
                "source": terms.source_id,
                "mode": one.mode,
                "route": terms.route.value,
                "sources": sources,
                "copies": copies,
            },
        )
        if one.delivery_id is not None:
            changed += await session.scalar(
                RECORD_SENT,
                {
                    "id": one.delivery_id,
                    "mode": one.mode,
                    "route": terms.route.value,
                    "sources": sources,
                    "copies": copies,
                    "states": [state.value for state in states],
                },
            )
    return changed


RECORD_COPIES = text(
    """
    insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)
    select :channel, copy, :mapping, :source, source, :mode, :route
      from unnest(cast(:copies as bigint[]), cast(:sources as bigint[])) as pair (copy, source)
    on conflict (channel_id, message_id) do update
       set mapping_id = excluded.mapping_id, source_id = excluded.source_id, mode = excluded.mode,
           source_message_id = excluded.source_message_id
    """
)

RECORD_SENT = text(
    f"""
    with changed as (
        update deliveries set state = 'sent', reason = null, message_ids = :sources, sent_ids = :copies, mode = :mode,
               route = :route, not_before = null, reserved = 0, unsettled = false, again = false,
               done_at = clock_timestamp()
         where id = :id and state = any(:states) and not (sent_ids is not null and coalesce(details ? 'rewrite', false))
        returning id, mapping_id),
    confirmed as ({WINDOW_BEGINS})
    select count(*) from changed
    """  # noqa: S608 - what is put in is a literal
)
