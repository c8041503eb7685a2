"""ChannelService: the chats that are sources and destinations, and what each account may do there."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import AccountNotReady, InvalidRequest, NotFound, TelegramError
from forwarder.message import AccountKind, ChatCard, ChatKind, Topic
from forwarder.models import Channel, ListChannel, MappingState, Mark
from forwarder.models import Mapping as MappingRow
from forwarder.seam import Directory
from forwarder.services import audit, channel_rows, groups, migration
from forwarder.services.resolve import KNOWN_BUT_CLOSED, Findings, ask_accounts
from forwarder.services.topics import chosen_topic, topics_of
from forwarder.services.values import BY_PERSON, ChannelView, MappingView, Page, Rights, page_bounds


class ChannelService:
    """``bot`` and ``user`` answer questions about chats as our accounts; either may be absent."""

    def __init__(self, db: Database, bot: Directory | None, user: Directory | None) -> None:
        self._db = db
        both: Mapping[AccountKind, Directory | None] = {AccountKind.BOT: bot, AccountKind.USER: user}
        self._directories = {kind: directory for kind, directory in both.items() if directory is not None}

    async def add(
        self,
        reference: str,
        *,
        as_source: bool = False,
        as_destination: bool = False,
        actor: int | None = None,
    ) -> ChannelView:
        """Resolve the chat as every account and keep it as a source, a destination or both.

        Raises InvalidRequest with code ``bad_reference``, ``chat_not_found``, ``chat_not_found_now``,
        ``not_a_member``, ``private_chat_unsupported``, ``unreadable_by_all`` (source),
        ``protected_content`` (source) or ``no_right_to_post`` (destination); AccountNotReady when nobody
        could answer.
        """
        if not (as_source or as_destination):
            raise InvalidRequest("no_side", "Say what the chat is to be: a source, a destination, or both.")
        try:
            findings = await ask_accounts(self._directories, reference)
        except InvalidRequest as error:
            if error.code not in KNOWN_BUT_CLOSED:
                raise
            raise _closed_to_all(reference, as_source) from error
        card = findings.card
        _refuse_unfit(card, findings, as_source=as_source, as_destination=as_destination)
        async with self._db.begin() as session:
            row = await channel_rows.store(
                session, card, as_source=as_source, as_destination=as_destination, actor=actor
            )
            await self._note(session, row, findings)
            sides = [side for side, on in (("source", as_source), ("destination", as_destination)) if on]
            await audit.record(
                session, actor, "channel.add", f"channel:{row.id}", sides=sides, telegram_id=card.chat_id
            )
            return (await channel_rows.views(session, [row]))[0]

    async def check(self, channel_id: int) -> ChannelView:
        """Ask the accounts anew about the chat; what a silent account was allowed stays as it was known."""
        before = await self.get(channel_id)
        try:
            findings = await ask_accounts(self._directories, str(before.telegram_id))
        except InvalidRequest as error:
            if error.code not in KNOWN_BUT_CLOSED and error.code != "chat_not_found":
                raise
            findings = Findings(cards={}, refused=dict.fromkeys(self._directories, error))
        async with self._db.begin() as session:
            row = await self._row(session, channel_id)
            if findings.cards and findings.card.chat_id == row.telegram_id:
                row = await channel_rows.store(
                    session,
                    findings.card,
                    as_source=row.is_source,
                    as_destination=row.is_destination,
                    actor=None,
                )
            await self._note(session, row, findings)
            return (await channel_rows.views(session, [row]))[0]

    async def look_again(self, mapping: MappingView) -> None:
        """Check both chats of a mapping that an error has paused: what was wrong may be mended.

        Where nobody answers now, what was known before stays.
        """
        if mapping.state is not MappingState.PAUSED or mapping.reason == BY_PERSON:
            return
        for channel in (mapping.source, mapping.destination):
            try:
                await self.check(channel.id)
            except (AccountNotReady, TelegramError):
                return

    async def start_id(self, channel_id: int) -> int:
        """The newest message id of a source now: a mapping made at this moment starts after it.

        0 for a source that only the bot reads: the bot hears nothing older than now, so everything heard
        counts. Raises AccountNotReady when the listening account does not answer.
        """
        channel = await self.get(channel_id)
        if channel.listener is not AccountKind.USER:
            return 0
        directory = self._directories.get(AccountKind.USER)
        if directory is None:
            raise AccountNotReady(
                "The user account that listens to this source is not set up: log in with `manage.py login`."
            )
        return (await directory.look_up(str(channel.telegram_id))).top_id

    async def topics(self, channel_id: int) -> tuple[Topic, ...]:
        """The topics of a forum that can be offered, the busiest first; none for any other chat."""
        channel = await self.get(channel_id)
        return (await topics_of(self._db, self._directories, channel))[0] if channel.forum else ()

    async def topic(self, channel_id: int, topic_id: int) -> Topic:
        """One topic of a forum. Raises InvalidRequest ``not_a_forum``, or ``no_such_topic`` where that is known."""
        channel = await self.get(channel_id)
        if not channel.forum:
            channel = await self.check(channel_id)
        known, complete = (
            await topics_of(self._db, self._directories, channel) if channel.forum else ((), True)
        )
        return chosen_topic(channel, topic_id, known, all_known=complete)

    async def list(
        self, page: int = 0, size: int = 8, side: str | None = None, query: str = ""
    ) -> Page[ChannelView]:
        """Channels by title; ``side`` is ``source``, ``destination`` or None for all."""
        wanted = channel_rows.on_side(side, query)
        async with self._db.begin() as session:
            total = await session.scalar(select(func.count()).select_from(Channel).where(wanted)) or 0
            page, pages = page_bounds(total, page, size)
            rows = await session.scalars(
                select(Channel)
                .where(wanted)
                .order_by(func.lower(Channel.title), Channel.id)
                .offset(page * size)
                .limit(size)
            )
            return Page(await channel_rows.views(session, rows.all()), page, pages, total)

    async def get(self, reference: int | str) -> ChannelView:
        """One channel by its number, marked Telegram id or @name. Raises NotFound."""
        async with self._db.begin() as session:
            return (await channel_rows.views(session, [await self._row(session, reference)]))[0]

    async def remove(self, channel_id: int, *, side: str | None = None, actor: int | None = None) -> None:
        """Forget the channel, or only one side of it.

        Refused (``channel_in_use``) while mappings that are not disabled use it; the sentence names them.
        A channel with a history stays as a row that is neither source nor destination.
        """
        async with self._db.begin() as session:
            row = await self._row(session, channel_id)
            columns = {"source": [MappingRow.source_id], "destination": [MappingRow.destination_id]}
            sides = columns.get(side or "", [MappingRow.source_id, MappingRow.destination_id])
            mine = or_(*(column == channel_id for column in sides))
            using = (
                await session.scalars(
                    select(MappingRow.id)
                    .where(mine, MappingRow.state != MappingState.DISABLED)
                    .order_by(MappingRow.id)
                )
            ).all()
            if using:
                named = ", ".join(f"#{number}" for number in using[:10])
                raise InvalidRequest(
                    "channel_in_use",
                    f"{row.title} is used by the mappings {named}. Disable them first.",
                    title=row.title,
                    mappings=named,
                )
            if side != "source":
                await groups.leave_in(session, row.id)
            await _forget(session, row, side)
            await audit.record(session, actor, "channel.remove", f"channel:{channel_id}", side=side or "both")

    async def access_changed(self, chat_id: int, account: AccountKind, rights: Rights) -> ChannelView | None:
        """Note what Telegram just said about an account's rights; None for a chat that is none of ours."""
        async with self._db.begin() as session:
            row = await session.scalar(select(Channel).where(Channel.telegram_id == chat_id))
            if row is None:
                return None
            await channel_rows.store_access(session, row.id, {account: rights}, {})
            await channel_rows.settle_listener(session, row)
            await session.flush()
            return (await channel_rows.views(session, [row]))[0]

    async def note_protection(self, flags: Mapping[int, bool]) -> None:
        """Note which chats (marked ids) protect their content now; what is none of ours is passed over."""
        async with self._db.begin() as session:
            await channel_rows.note_protection(session, flags)

    async def migrated(self, old_chat_id: int, new_chat_id: int) -> tuple[int, ...]:
        """Note that a basic group became a supergroup; answer the mappings that moved with it."""
        async with self._db.begin() as session:
            return await migration.move(session, old_chat_id, new_chat_id)

    async def _note(self, session: AsyncSession, row: Channel, findings: Findings) -> None:
        hashes = {kind: card.access_hash for kind, card in findings.cards.items()}
        await channel_rows.store_access(session, row.id, findings.rights(), hashes)
        user = findings.cards.get(AccountKind.USER)
        await channel_rows.settle_listener(session, row, user.top_id if user else 0)
        await session.flush()

    async def _row(self, session: AsyncSession, reference: int | str) -> Channel:
        row = await channel_rows.find(session, reference)
        if row is None:
            raise NotFound(
                "channel_not_found",
                f"There is no channel {reference} here. See the list of channels, or add it first.",
                reference=reference,
            )
        return row


async def _forget(session: AsyncSession, row: Channel, side: str | None) -> None:
    row.is_source = row.is_source and side == "destination"
    row.is_destination = row.is_destination and side == "source"
    out_of = [one for one, on in (("source", row.is_source), ("destination", row.is_destination)) if not on]
    await session.execute(
        delete(ListChannel).where(ListChannel.channel_id == row.id, ListChannel.side.in_(out_of))
    )
    if row.is_source or row.is_destination:
        await session.flush()
        return
    row.active = False
    row.health = None
    await session.flush()
    await session.execute(delete(Mark).where(Mark.channel_id == row.id))
    used = await session.scalar(
        select(MappingRow.id)
        .where(or_(MappingRow.source_id == row.id, MappingRow.destination_id == row.id))
        .limit(1)
    )
    if used is None:
        await session.execute(delete(Channel).where(Channel.id == row.id))
    else:
        await session.execute(update(Channel).where(Channel.id == row.id).values(listener_id=None))


def _closed_to_all(reference: str, as_source: bool) -> InvalidRequest:
    if as_source:
        return InvalidRequest(
            "unreadable_by_all",
            f"Neither the bot nor the user account can read {reference}. "
            "Make the bot an administrator there, or join with the user account.",
            reference=reference,
        )
    return InvalidRequest(
        "no_right_to_post",
        f"Neither the bot nor the user account may post in {reference}. "
        "Make one of them an administrator there with the right to post.",
        reference=reference,
        title=reference,
    )


def _refuse_unfit(card: ChatCard, findings: Findings, *, as_source: bool, as_destination: bool) -> None:
    if card.kind is ChatKind.PRIVATE:
        raise InvalidRequest(
            "private_chat_unsupported",
            f"{card.title} is a private chat; only channels and groups can be sources or destinations.",
            title=card.title,
        )
    cards = findings.cards.values()
    if as_source and not any(one.may_read for one in cards):
        raise _closed_to_all(card.title, as_source=True)
    if as_source and card.protected:
        raise InvalidRequest(
            "protected_content",
            f"{card.title} protects its content: Telegram does not let it be forwarded or copied. "
            "Its owner can lift this in the channel's settings.",
            title=card.title,
        )
    if as_destination and not any(one.may_post for one in cards):
        raise _closed_to_all(card.title, as_source=False)
