"""Sources under lock, and how far their listeners have heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Progress
from forwarder.db import Ask, Database, in_session


@dataclass(frozen=True, slots=True)
class Source:
    """A source under our lock. ``gate_account`` is the account whose mark decides what is complete.

    ``goes_on_as`` is the channel whose mappings want its posts: its own id, or its successor's where it is a
    group that became a supergroup.
    """

    id: int
    chat_id: int
    gate_account: int | None
    goes_on_as: int


@dataclass(frozen=True, slots=True)
class OpenPost:
    """A post among the rows that is still collecting; ``silent_for`` is seconds since its last part came."""

    id: int
    position: int
    album_id: str | None
    silent_for: float
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows say of a source while it is under our lock.

    ``progress`` is that of the account in question, None where it has none yet; ``start`` is then the id after
    which the source's first mapping begins. ``marks`` are those of all accounts. ``stored`` are the ids that we
    have of those asked for. ``follows`` says that the basic group that this one was still has posts to deliver:
    they go first, for a minute at most, or what can never be complete there would hold up this one for ever.
    """

    progress: Progress | None
    start: int
    marks: Mapping[int, int]
    stored: frozenset[int]
    open_posts: tuple[OpenPost, ...]
    follows: bool


# Whose mappings want its posts is read after the lock: a group that became a supergroup while we waited is seen here
# with its successor's chat, but with the mappings of before.
LOCK_SOURCES = text(
    """
    select c.id, c.telegram_id, c.listener_id
      from channels c
     where c.telegram_id = any(cast(:chats as bigint[])) and c.is_source
       and exists (select 1 from mappings m
                    where m.state <> 'disabled'
                      and m.source_id in (c.id, (select n.id from channels n where n.telegram_id = c.migrated_to)))
       and (c.kind <> 'group' or cast(:account as int) is null
            or coalesce(c.listener_id, :account) = :account)
     order by c.id for no key update of c
    """
)

READ_STANDING = text(
    """
    select c.id, k.mark, k.known,
           coalesce((select n.id from channels n where n.telegram_id = c.migrated_to), c.id) as goes_on_as,
           case when k.mark is null then (select min(m.start_after) from mappings m
                                           where m.source_id = c.id and m.state <> 'disabled') end as start,
           (select json_object_agg(a.account_id, a.mark) from marks a where a.channel_id = c.id) as marks,
           array(select (select m.message_id from messages m where m.channel_id = c.id and m.message_id = i)
                   from unnest(cast(w.ids as bigint[])) as i) as stored,
           (select json_agg(json_build_array(
                       p.id, p.position, p.album_id,
                       extract(epoch from clock_timestamp() - p.last_part_at)::float8,
                       array(select m.message_id from messages m where m.post_id = p.id order by 1))
                     order by p.position)
              from posts p where p.channel_id = c.id and p.state = 'collecting') as open_posts,
           c.kind = 'supergroup' and exists (
               select 1 from channels o join posts p on p.channel_id = o.id
                where o.migrated_to = c.telegram_id and p.state = 'collecting'
                  and p.last_part_at > clock_timestamp() - interval '1 minute') as follows
      from unnest(cast(:chats as bigint[]), cast(:ids as text[])) as w (chat, ids)
      join channels c on c.telegram_id = w.chat and c.is_source
      left join marks k on k.channel_id = c.id and k.account_id = cast(:account as int)
    """
)


async def lock_and_read(
    session: AsyncSession, ids: Mapping[int, Collection[int]], account_id: int | None = None
) -> tuple[dict[int, Source], dict[int, Standing]]:
    """Lock the channels among these chats that are sources of a mapping that is not disabled, and read them.

    ``ids`` are message ids to look for, by chat; the sources are answered by chat, what the rows say of them by
    source id. A group that became a supergroup goes on as a source for what was heard in it before, and its mappings
    are its successor's. Messages of a basic group have other ids for each account: of those that ``account_id``
    hears, only the listener's own count.

    Reading is a statement of its own after the locking one: what it sees is younger than the lock. Each message is
    looked for by a subquery of its own, which finds it by the index whatever the planner believes of the table.
    """
    if not ids:
        return {}, {}
    chats = sorted(ids)
    wanted = ["{" + ",".join(map(str, ids[chat])) + "}" for chat in chats]
    locked, read = await in_session(
        session,
        Ask(LOCK_SOURCES, {"chats": chats, "account": account_id}),
        Ask(READ_STANDING, {"chats": chats, "ids": wanted, "account": account_id}),
    )
    goes_on_as = {row.id: row.goes_on_as for row in read}
    sources = {
        row.telegram_id: Source(row.id, row.telegram_id, row.listener_id, goes_on_as[row.id])
        for row in locked
    }
    ours = {source.id for source in sources.values()}
    return sources, {row.id: standing_of(row) for row in read if row.id in ours}


def standing_of(row: Any) -> Standing:
    return Standing(
        progress=Progress(row.mark, tuple((span.lower, span.upper) for span in row.known))
        if row.mark is not None
        else None,
        start=row.start or 0,
        marks={int(account): mark for account, mark in (row.marks or {}).items()},
        stored=frozenset(number for number in row.stored if number is not None),
        open_posts=tuple(
            OpenPost(number, position, album, silent_for, tuple(ids))
            for number, position, album, silent_for, ids in row.open_posts or ()
        ),
        follows=row.follows,
    )


async def source_chats(db: Database) -> frozenset[int]:
    """Every chat whose messages may be wanted; who changes them gives notice (``SOURCES_CHANGED``)."""
    async with db.begin() as session:
        return frozenset(await session.scalars(text("select telegram_id from channels where is_source")))


async def heard_by_user(session: AsyncSession, chat_id: int) -> bool:
    return bool(
        await session.scalar(
            text(
                "select a.kind = 'user' from channels c join accounts a on a.id = c.listener_id"
                " where c.telegram_id = :chat"
            ),
            {"chat": chat_id},
        )
    )
