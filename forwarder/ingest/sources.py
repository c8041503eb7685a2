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
    """A source under our lock. ``gate_account`` is the account whose mark decides what is complete."""

    id: int
    chat_id: int
    gate_account: int | None


async def lock_sources(session: AsyncSession, chat_ids: set[int]) -> dict[int, Source]:
    """Lock the channels among these chats that are sources of a mapping that is not disabled.

    A group that became a supergroup goes on as a source for what was heard in it before, and its mappings are
    its successor's.
    """
    if not chat_ids:
        return {}
    rows = await session.execute(
        text(
            """
            select c.id, c.telegram_id, c.listener_id from channels c
             where c.telegram_id = any(:chats) and c.is_source
               and exists (select 1 from mappings m where m.state <> 'disabled' and m.source_id = coalesce(
                     (select n.id from channels n where n.telegram_id = c.migrated_to), c.id))
             order by c.id for no key update of c
            """
        ),
        {"chats": list(chat_ids)},
    )
    return {row.telegram_id: Source(row.id, row.telegram_id, row.listener_id) for row in rows}


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
