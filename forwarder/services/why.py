"""What happened to one post, and why: the answer to "it did not arrive"."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind, DeliveryKind, Heard, Kind, Mode, Route, State
from forwarder.models import (
    Account,
    Channel,
    Copy,
    Delivery,
    Mapping,
    MappingState,
    Mark,
    Message,
    Post,
    PostState,
)
from forwarder.outbox import BULK, first_class
from forwarder.references import parse_reference
from forwarder.services.mapping_rows import name_of
from forwarder.services.mapping_work import MAPPING_DISABLED, SKIPPED
from forwarder.services.values import ChannelName

OF_THE_MAPPING = frozenset(
    {MAPPING_DISABLED, SKIPPED, "too_old", "outage_skipped", "at_most", "rejected", "review_expired"}
)
"""Reasons of what the mapping's settings, its rules or its people withdrew."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The post that a lane waits for: its number in its source, why it waits, and until when."""

    message_id: int
    reason: str | None
    until: datetime


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """What one delivery came to. ``copies`` are message ids in the destination, as far as they are known.

    ``backfilled`` says that it was queued behind all live ones. ``rule`` is the one that stopped it, by ``words``.
    ``revision`` is that of the mapping and its rules, where one of these has decided it, or the mapping has changed;
    ``lists`` are those whose rules held besides, where one of all these stopped it, by number with their own revisions.
    ``owner`` says whose rules do not read, where it failed for that. ``behind`` is the post in front, where that waits
    and this one with it.
    """

    delivery_id: int
    mapping_id: int
    kind: DeliveryKind
    destination: ChannelName
    state: State
    reason: str | None
    mode: Mode | None
    route: Route | None
    account: str | None
    attempts: int
    queued_at: datetime
    tried_at: datetime | None
    done_at: datetime | None
    not_before: datetime | None
    copies: tuple[int, ...]
    duplicate_of: int | None
    backfilled: bool = False
    rule: str | None = None
    words: tuple[str, ...] = ()
    revision: int | None = None
    lists: tuple[tuple[int, int], ...] = ()
    owner: str = ""
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class MappingStory:
    """A mapping of the source that made no delivery of the post; ``reason`` is the code of why."""

    mapping_id: int
    destination: ChannelName
    state: MappingState
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The story of one source post.

    ``note`` is a code where there is more to say than the deliveries do: ``not_heard`` (no such message
    came to us so far), ``passed_over`` (the listener is beyond this id: it was empty, or came before the
    source was followed), ``not_a_source``, ``collecting`` (waits until its album, or a gap before it, is
    complete) or None. ``copy_of`` is set when the link was to one of our copies.
    """

    source: ChannelName
    message_id: int
    note: str | None = None
    copy_in: ChannelName | None = None
    kind: Kind | None = None
    heard: Heard | None = None
    heard_at: datetime | None = None
    posted_at: datetime | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    album: tuple[int, ...] = ()
    deliveries: tuple[DeliveryStory, ...] = ()
    without: tuple[MappingStory, ...] = field(default=())


async def explain(db: Database, reference: str) -> Explanation:
    """The story of the post that a message link names: a source post, or a copy that we made.

    Raises InvalidRequest (``bad_reference``, ``not_a_message_link``) or NotFound (``channel_not_found``).
    """
    async with db.begin() as session:
        channel, message_id = await _place(session, reference)
        message = await _message(session, channel.id, message_id)
        if message is not None:
            return await _story(session, channel, message, None)
        copy = await session.get(Copy, (channel.id, message_id))
        if copy is None:
            return await _unheard(session, channel, message_id)
        source = await session.scalar(
            select(Channel)
            .join(Mapping, Mapping.source_id == Channel.id)
            .where(Mapping.id == copy.mapping_id)
        )
        assert source is not None
        original = await _message(session, source.id, copy.source_message_id)
        if original is None:
            return Explanation(
                name_of(source), copy.source_message_id, note="forgotten", copy_in=name_of(channel)
            )
        return await _story(session, source, original, channel)


async def find_post(session: AsyncSession, reference: str) -> int | None:
    """The post behind a link to it or to one of its copies; None for one that is not kept. Raises as ``explain``."""
    channel, message_id = await _place(session, reference)
    message = await _message(session, channel.id, message_id)
    if message is None and (copy := await session.get(Copy, (channel.id, message_id))) is not None:
        message = await _message(session, copy.source_id, copy.source_message_id)
    return message.post_id if message is not None else None


async def _place(session: AsyncSession, reference: str) -> tuple[Channel, int]:
    parsed = parse_reference(reference)
    if parsed.message_id is None:
        raise InvalidRequest(
            "not_a_message_link",
            f"{reference} is no link to a message. Copy the link of the post itself, like https://t.me/name/123.",
            reference=reference,
        )
    return await _channel(session, parsed.chat_id, parsed.username, reference), parsed.message_id


async def _channel(
    session: AsyncSession, chat_id: int | None, username: str | None, reference: str
) -> Channel:
    wanted: ColumnElement[bool] = Channel.telegram_id == chat_id
    if chat_id is None:
        wanted = func.lower(Channel.username) == (username or "").lower()
    channel = await session.scalar(select(Channel).where(wanted).limit(1))
    if channel is None:
        raise NotFound(
            "channel_not_found",
            f"{reference} is in no channel that is a source or a destination here.",
            reference=reference,
        )
    return channel


async def _message(session: AsyncSession, channel_id: int, message_id: int) -> Message | None:
    found: Message | None = await session.scalar(
        select(Message).where(Message.channel_id == channel_id, Message.message_id == message_id)
    )
    return found


async def _unheard(session: AsyncSession, channel: Channel, message_id: int) -> Explanation:
    note = "not_a_source"
    if channel.is_source:
        mark = await session.scalar(select(func.max(Mark.mark)).where(Mark.channel_id == channel.id))
        note = "passed_over" if mark is not None and message_id <= mark else "not_heard"
    return Explanation(name_of(channel), message_id, note=note)


async def _story(
    session: AsyncSession, source: Channel, message: Message, copy_in: Channel | None
) -> Explanation:
    post = await session.get(Post, message.post_id) if message.post_id is not None else None
    album: tuple[int, ...] = ()
    if post is not None and post.album_id is not None:
        parts = await session.scalars(
            select(Message.message_id).where(Message.post_id == post.id).order_by(Message.message_id)
        )
        album = tuple(parts)
    collecting = post is not None and post.state == PostState.COLLECTING
    return Explanation(
        source=name_of(source),
        message_id=message.message_id,
        note="collecting" if collecting else "service" if message.kind == Kind.SERVICE else None,
        copy_in=name_of(copy_in) if copy_in is not None else None,
        kind=Kind(message.kind),
        heard=Heard(message.heard),
        heard_at=message.heard_at,
        posted_at=message.date,
        edited_at=message.edit_date,
        deleted_at=message.deleted_at,
        album=album,
        deliveries=await _deliveries(session, post.id) if post is not None else (),
        without=await _without(session, source.id, post.id, post.position) if post and not collecting else (),
    )


async def _deliveries(session: AsyncSession, post_id: int) -> tuple[DeliveryStory, ...]:
    rows = await session.execute(
        select(Delivery, Channel, Account, Mapping.revision)
        .join(Mapping, Mapping.id == Delivery.mapping_id)
        .join(Channel, Channel.id == Mapping.destination_id)
        .outerjoin(Account, Account.id == Delivery.account_id)
        .where(Delivery.post_id == post_id)
        .order_by(Delivery.mapping_id, Delivery.id)
    )
    found = rows.all()
    behind = {
        row.id: Behind(row.message_id, row.reason, row.not_before)
        for row in await session.execute(BEHIND, {"post": post_id})
    }
    return tuple(
        DeliveryStory(
            delivery_id=delivery.id,
            mapping_id=delivery.mapping_id,
            kind=DeliveryKind(delivery.kind),
            destination=name_of(channel),
            state=State(delivery.state),
            reason=delivery.reason,
            mode=Mode(delivery.mode) if delivery.mode else None,
            route=Route(delivery.route) if delivery.route else None,
            account=_named(account),
            attempts=delivery.attempts,
            queued_at=delivery.created_at,
            tried_at=delivery.claimed_at,
            done_at=delivery.done_at,
            not_before=delivery.not_before,
            copies=tuple(sent for sent in delivery.sent_ids or () if sent),
            duplicate_of=delivery.duplicate_of,
            backfilled=delivery.klass == BULK,
            rule=(details := stopped_by(delivery)).get("rule"),
            words=tuple(details.get("words", ())),
            revision=delivery.revision if was_decided(delivery, now) else None,
            lists=tuple((number, revision) for number, revision in details.get("lists", ())),
            owner=details.get("owner", ""),
            behind=behind.get(delivery.id),
        )
        for delivery, channel, account, now in found
    )


# The head of the lane, as whoever carries it sees it, or of its live posts where one of a backfill is in front.
BEHIND = text(
    f"""
    select d.id, p.position as message_id, h.reason, h.not_before
      from deliveries d
     cross join lateral (
        select o.id, o.post_id, o.reason, o.not_before from deliveries o
         where o.mapping_id = d.mapping_id and o.done_at is null and o.state <> 'held' and o.class <= d.class
           and o.class >= least(d.class, {first_class("d.mapping_id")})
         order by o.class, o.position, o.id limit 1) h
      join posts p on p.id = h.post_id
     where d.post_id = :post and d.kind = 'post' and d.state = 'queued' and d.not_before is null
       and h.id <> d.id and h.not_before > clock_timestamp()
    """  # noqa: S608 - what is put in is a literal
)


def stopped_by(delivery: Delivery) -> dict[str, Any]:
    """What is kept of the rule that stopped a delivery, until it is queued again."""
    stopped = delivery.state in (State.FILTERED, State.FAILED, State.WITHDRAWN)
    return delivery.details if stopped and delivery.details is not None else {}


def was_decided(delivery: Delivery, now: int) -> bool:
    """Whether it could have ended otherwise by another revision of the mapping, whose present one is ``now``."""
    if delivery.state == State.SENT:
        return now > 1
    by_mapping = delivery.state == State.WITHDRAWN and delivery.reason in OF_THE_MAPPING
    return by_mapping or "rule" in stopped_by(delivery)


def _named(account: Account | None) -> str | None:
    if account is None:
        return None
    if account.username:
        return f"@{account.username}"
    return "bot" if account.kind == AccountKind.BOT else "user account"


async def _without(
    session: AsyncSession, source_id: int, post_id: int, position: int
) -> tuple[MappingStory, ...]:
    rows = await session.execute(
        select(Mapping, Channel)
        .join(Channel, Channel.id == Mapping.destination_id)
        .where(
            Mapping.source_id == source_id,
            ~select(text("1"))
            .where(Delivery.mapping_id == Mapping.id, Delivery.post_id == post_id)
            .correlate(Mapping)
            .exists(),
        )
        .order_by(Mapping.id)
    )
    found = []
    for mapping, channel in rows:
        if position <= mapping.start_after:
            reason = "before_start"
        elif mapping.state == MappingState.DISABLED:
            reason = "mapping_disabled"
        elif mapping.source_topic:
            reason = "other_topic"
        else:
            reason = "own_copy"  # the post is itself a copy that came from there
        found.append(MappingStory(mapping.id, name_of(channel), MappingState(mapping.state), reason))
    return tuple(found)
