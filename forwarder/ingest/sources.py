"""Sources under lock, and how far their listeners have heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Progress
from forwarder.message import AccountKind, News, SourceMessage


@dataclass(frozen=True, slots=True)
class Source:
    """A source under our lock. ``gate_account`` is the account whose mark decides what is complete.

    ``may_follow`` says that it is a supergroup, which may have been a basic group before.
    """

    id: int
    chat_id: int
    gate_account: int | None
    may_follow: bool


async def lock_sources(
    session: AsyncSession, chat_ids: set[int], account_id: int | None = None
) -> dict[int, Source]:
    """Lock the channels among these chats that are sources of a mapping that is not disabled.

    A group that became a supergroup goes on as a source for what was heard in it before, and its mappings are
    its successor's. Messages of a basic group have other ids for each account: of those that ``account_id``
    hears, only the listener's own count.
    """
    if not chat_ids:
        return {}
    rows = await session.execute(
        text(
            """
            select c.id, c.telegram_id, c.listener_id, c.kind = 'supergroup' as may_follow from channels c
             where c.telegram_id = any(:chats) and c.is_source
               and exists (select 1 from mappings m where m.state <> 'disabled' and m.source_id = coalesce(
                     (select n.id from channels n where n.telegram_id = c.migrated_to), c.id))
               and (c.kind <> 'group' or cast(:account as int) is null
                    or coalesce(c.listener_id, :account) = :account)
             order by c.id for no key update of c
            """
        ),
        {"chats": list(chat_ids), "account": account_id},
    )
    return {row.telegram_id: Source(row.id, row.telegram_id, row.listener_id, row.may_follow) for row in rows}


async def predecessor_collects(session: AsyncSession, source: Source) -> bool:
    """Whether the basic group that this one was still has posts to deliver: they go first.

    For a minute at most, or what can never be complete there would hold up this one for ever.
    """
    return source.may_follow and bool(
        await session.scalar(
            text(
                """
                select exists (select 1 from channels o join posts p on p.channel_id = o.id
                                where o.migrated_to = :chat and p.state = 'collecting'
                                  and p.last_part_at > clock_timestamp() - interval '1 minute')
                """
            ),
            {"chat": source.chat_id},
        )
    )


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


async def progress_of(
    session: AsyncSession, source: Source, account_id: int, kind: AccountKind, news: Sequence[News]
) -> Progress:
    """This listener's mark. Where it has none yet it begins where the first mapping began."""
    row = (
        await session.execute(
            text("select mark, known from marks where channel_id = :channel and account_id = :account"),
            {"channel": source.id, "account": account_id},
        )
    ).one_or_none()
    if row is not None:
        spans = tuple((span.lower, span.upper) for span in row.known)
        return Progress(row.mark, spans)
    start = await session.scalar(
        text("select min(start_after) from mappings where source_id = :id and state <> 'disabled'"),
        {"id": source.id},
    )
    ids = [item.message_id for item in news if isinstance(item, SourceMessage)]
    if kind is AccountKind.USER and start:
        return Progress(start)
    return Progress(min(ids) - 1 if ids else start or 0)


async def save_progress(session: AsyncSession, source: Source, account_id: int, progress: Progress) -> None:
    await session.execute(
        text(
            """
            insert into marks (channel_id, account_id, mark, known)
            values (:channel, :account, :mark, cast(:known as int8multirange))
            on conflict (channel_id, account_id) do update
               set mark = excluded.mark, known = excluded.known, checked_at = clock_timestamp()
            """
        ),
        {
            "channel": source.id,
            "account": account_id,
            "mark": progress.mark,
            "known": multirange(progress.known),
        },
    )


def multirange(spans: Sequence[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{low},{high})" for low, high in spans) + "}"


async def gate(session: AsyncSession, source: Source) -> int:
    """The mark that decides: the listener's own, or where it has none the highest of any account."""
    return int(
        await session.scalar(
            text(
                """
                select coalesce(max(mark) filter (where account_id = :listener), max(mark), 0)
                  from marks where channel_id = :channel
                """
            ),
            {"channel": source.id, "listener": source.gate_account},
        )
        or 0
    )
