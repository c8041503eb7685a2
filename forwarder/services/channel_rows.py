"""Channels as rows: reading them for the screens, and writing what the accounts found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind, ChatCard, ChatKind
from forwarder.models import Account, Channel, ChannelAccess, DedupGroup, MappingState, Mark, Message
from forwarder.models import Mapping as MappingRow
from forwarder.services.accounts import active_accounts
from forwarder.services.values import Access, ChannelView, Rights

NOW = func.clock_timestamp()

SOURCES_CHANGED = "sources_changed"
"""The notification that tells the listener to look at its sources: one of them is new."""

PROTECTED_CONTENT = "protected_content"
"""The health of a source whose content Telegram does not let be forwarded or copied."""


async def as_moved(session: AsyncSession, channel_id: int) -> int:
    """The supergroup that a group has become while somebody was still choosing it; else the channel itself."""
    moved_to = select(Channel.migrated_to).where(Channel.id == channel_id).scalar_subquery()
    return await session.scalar(select(Channel.id).where(Channel.telegram_id == moved_to)) or channel_id


async def views(session: AsyncSession, rows: Sequence[Channel]) -> tuple[ChannelView, ...]:
    """The rows with the rights of the accounts that act now, and how many mappings use them."""
    ids = [row.id for row in rows]
    acting = await active_accounts(session)
    access = await session.execute(
        select(ChannelAccess, Account.kind)
        .join(Account, Account.id == ChannelAccess.account_id)
        .where(ChannelAccess.channel_id.in_(ids), Account.id.in_(acting.values()))
        .order_by(Account.kind)
    )
    rights: dict[int, list[Access]] = {}
    for found, kind in access:
        rights.setdefault(found.channel_id, []).append(_access(found, AccountKind(kind)))
    listeners = dict((await session.execute(select(Account.id, Account.kind))).all())
    from_here = await _used(session, ids, "source_id")
    to_here = await _used(session, ids, "destination_id")
    groups = await _groups(session, [row.dedup_group for row in rows if row.dedup_group is not None])
    return tuple(
        ChannelView(
            id=row.id,
            telegram_id=row.telegram_id,
            kind=ChatKind(row.kind),
            title=row.title,
            username=row.username,
            protected=row.protected,
            forum=row.forum,
            slow_mode=row.slow_mode,
            linked_chat_id=row.linked_chat_id,
            migrated_to=row.migrated_to,
            is_source=row.is_source,
            is_destination=row.is_destination,
            active=row.active,
            health=row.health,
            listener=AccountKind(listeners[row.listener_id]) if row.listener_id in listeners else None,
            access=tuple(rights.get(row.id, ())),
            mappings_from=from_here.get(row.id, 0),
            mappings_to=to_here.get(row.id, 0),
            group=groups.get(row.dedup_group or 0),
        )
        for row in rows
    )


async def _groups(session: AsyncSession, ids: Sequence[int]) -> dict[int, str]:
    if not ids:
        return {}
    found = await session.execute(select(DedupGroup.id, DedupGroup.name).where(DedupGroup.id.in_(ids)))
    return {row.id: row.name for row in found}


async def _used(session: AsyncSession, ids: Sequence[int], column: str) -> dict[int, int]:
    side = MappingRow.__table__.c[column]
    counted = await session.execute(
        select(side, func.count())
        .where(side.in_(ids), MappingRow.state != MappingState.DISABLED)
        .group_by(side)
    )
    return {channel_id: int(count) for channel_id, count in counted}


def _access(row: ChannelAccess, kind: AccountKind) -> Access:
    return Access(
        row.account_id,
        kind,
        Rights(row.may_read, row.may_post, row.may_edit, row.may_delete, row.slowed),
        row.checked_at,
    )


async def find(session: AsyncSession, reference: int | str) -> Channel | None:
    """A channel by its row id (a small positive number), its marked Telegram id, or its @name."""
    text = str(reference).strip()
    wanted: ColumnElement[bool]
    if text.lstrip("-").isdecimal() and len(text) <= 20:
        number = int(text)
        wanted = Channel.telegram_id == number if number < 0 else Channel.id == number
        if abs(number) >= 2**63 or (number >= 2**31):
            return None
    else:
        name = text.removeprefix("https://").removeprefix("http://").removeprefix("t.me/").removeprefix("@")
        wanted = func.lower(Channel.username) == name.lower()
    row: Channel | None = await session.scalar(
        select(Channel).where(wanted).order_by(Channel.id.desc()).limit(1)
    )
    return row


def on_side(side: str | None, query: str) -> ColumnElement[bool]:
    """The condition of a list: one side (``source``, ``destination``) or all, and a part of the name."""
    conditions: list[ColumnElement[bool]] = [Channel.migrated_to.is_(None)]
    if side == "source":
        conditions.append(Channel.is_source.is_(True))
    elif side == "destination":
        conditions.append(Channel.is_destination.is_(True))
    else:
        conditions.append(or_(Channel.is_source, Channel.is_destination))
    if query:
        part = query.removeprefix("@")
        conditions.append(
            or_(
                Channel.title.icontains(part, autoescape=True),
                Channel.username.icontains(part, autoescape=True),
            )
        )
    return and_(*conditions)


async def store(
    session: AsyncSession, card: ChatCard, *, as_source: bool, as_destination: bool, actor: int | None
) -> Channel:
    """Insert or refresh the channel; sides are only ever added here."""
    stmt = insert(Channel).values(
        telegram_id=card.chat_id,
        kind=card.kind,
        title=card.title,
        username=card.username,
        protected=card.protected,
        forum=card.forum,
        slow_mode=card.slow_mode,
        linked_chat_id=card.linked_chat_id,
        is_source=as_source,
        is_destination=as_destination,
        created_by=actor,
    )
    fresh = ("kind", "title", "username", "protected", "forum", "slow_mode", "linked_chat_id")
    stored = await session.scalar(
        stmt.on_conflict_do_update(
            index_elements=[Channel.telegram_id],
            set_={
                **{name: stmt.excluded[name] for name in fresh},
                "is_source": or_(Channel.is_source, stmt.excluded.is_source),
                "is_destination": or_(Channel.is_destination, stmt.excluded.is_destination),
                "active": True,
            },
        ).returning(Channel.id)
    )
    row = await session.get(Channel, stored, populate_existing=True)
    assert row is not None
    return row


async def store_access(
    session: AsyncSession,
    channel_id: int,
    rights: Mapping[AccountKind, Rights],
    hashes: Mapping[AccountKind, int | None],
) -> None:
    """Note what the accounts that act now may do in the channel."""
    acting = await active_accounts(session)
    for kind, allowed in rights.items():
        if kind not in acting:
            continue
        stmt = insert(ChannelAccess).values(
            channel_id=channel_id,
            account_id=acting[kind],
            access_hash=hashes.get(kind),
            may_read=allowed.may_read,
            may_post=allowed.may_post,
            may_edit=allowed.may_edit,
            may_delete=allowed.may_delete,
            slowed=allowed.slowed,
            checked_at=NOW,
        )
        await session.execute(
            stmt.on_conflict_do_update(
                index_elements=[ChannelAccess.channel_id, ChannelAccess.account_id],
                set_={
                    "access_hash": func.coalesce(stmt.excluded.access_hash, ChannelAccess.access_hash),
                    **{
                        name: stmt.excluded[name]
                        for name in ("may_read", "may_post", "may_edit", "may_delete", "slowed")
                    },
                    "checked_at": NOW,
                },
            )
        )


async def settle_listener(session: AsyncSession, row: Channel, top_id: int = 0) -> None:
    """Choose whose mark decides what is complete: the user account where it reads the channel, else the bot.

    When the listener of a source in use changes, the new one begins above what was heard already, so
    that nothing between is passed over and nothing older is dug up; ``top_id`` is where it begins when
    nothing was heard yet. Health is noted along the way.
    """
    acting = await active_accounts(session)
    rows = await session.scalars(select(ChannelAccess).where(ChannelAccess.channel_id == row.id))
    access = {found.account_id: found for found in rows}
    readers = [
        acting[kind]
        for kind in (AccountKind.USER, AccountKind.BOT)
        if kind in acting and acting[kind] in access and access[acting[kind]].may_read
    ]
    posters = [one for one in acting.values() if one in access and access[one].may_post]
    row.health = _health(row, readable=bool(readers), postable=bool(posters))
    before = row.listener_id
    if readers and before != readers[0]:
        row.listener_id = readers[0]
        await session.flush()
        await _begin_mark(session, row.id, before, readers[0], top_id, acting)


async def note_protection(session: AsyncSession, flags: Mapping[int, bool]) -> None:
    """Note which chats (marked ids) protect their content, as Telegram has just shown it; others are none of ours."""
    rows = await session.scalars(
        select(Channel)
        .where(
            or_(
                and_(Channel.telegram_id.in_([chat for chat, on in flags.items() if on]), ~Channel.protected),
                and_(
                    Channel.telegram_id.in_([chat for chat, on in flags.items() if not on]), Channel.protected
                ),
            )
        )
        .order_by(Channel.id)
        .with_for_update(key_share=True)
    )
    for row in rows.all():
        row.protected = flags[row.telegram_id]
        if row.is_source and row.health in (None, PROTECTED_CONTENT):
            row.health = PROTECTED_CONTENT if row.protected else None
    await session.flush()


def _health(row: Channel, *, readable: bool, postable: bool) -> str | None:
    if row.is_source and not readable:
        return "unreadable"
    if row.is_source and row.protected:
        return PROTECTED_CONTENT
    if row.is_destination and not postable:
        return "no_right_to_post"
    return None


async def _begin_mark(
    session: AsyncSession,
    channel_id: int,
    before: int | None,
    listener: int,
    top_id: int,
    acting: Mapping[AccountKind, int],
) -> None:
    if before is None or await session.get(Mark, (channel_id, before)) is None:
        return  # nobody listens for a mapping yet: the first mapping sets the mark
    mark = 0
    if listener == acting.get(AccountKind.USER):
        heard = await session.scalar(
            select(func.max(Message.message_id)).where(Message.channel_id == channel_id)
        )
        mark = heard or top_id
    await start_mark(session, channel_id, listener, mark)


async def start_mark(session: AsyncSession, channel_id: int, account_id: int, mark: int) -> None:
    """Begin to follow the source at ``mark``, unless the account follows it already."""
    await session.execute(
        insert(Mark).values(channel_id=channel_id, account_id=account_id, mark=mark).on_conflict_do_nothing()
    )
