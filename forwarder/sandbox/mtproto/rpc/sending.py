"""messages.send*, forwardMessages, edit and delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.entities import read_entities
from forwarder.sandbox.mtproto.tl.inputs import read_media
from forwarder.sandbox.mtproto.tl.markup import read_markup
from forwarder.sandbox.world import Content, Edit, Message, Options, Quote, TelegramError, WebPage
from forwarder.sandbox.world import ids as marked
from forwarder.sandbox.world.detect import first_link, with_found

from .registry import Caller, answers


def _options(caller: Caller, request: Any) -> Options:
    if getattr(request, "schedule_date", None) is not None:
        raise TelegramError(400, "SCHEDULE_DATE_INVALID")
    reply = request.reply_to
    named = reply if isinstance(reply, types.InputReplyToMessage) else None
    return Options(
        reply_to=named.reply_to_msg_id or None if named is not None else None,
        quote=Quote(
            named.quote_text, read_entities(named.quote_entities, caller.user), named.quote_offset or 0
        )
        if named is not None and named.quote_text
        else None,
        topic=(named.top_msg_id if named is not None else getattr(request, "top_msg_id", None)) or None,
        markup=read_markup(getattr(request, "reply_markup", None)),
        silent=bool(request.silent),
        noforwards=bool(request.noforwards),
        send_as=caller.peer(request.send_as) if getattr(request, "send_as", None) is not None else None,
    )


def _content(caller: Caller, text: str | None, entities: Any, media: Any) -> Content:
    def uploaded(file: Any) -> tuple[bytes, str]:
        return caller.door.uploads.take(caller.viewer, file)

    return Content(
        text or "",
        with_found(text or "", read_entities(entities, caller.user)),
        read_media(caller.world, caller.viewer, media, uploaded) if media is not None else None,
    )


def _with_page(content: Content, request: Any, media: Any) -> Content:
    """The preview that was asked for, else that of the first link, unless none is wanted."""
    content = replace(content, inverted=bool(request.invert_media))
    if content.media is not None or getattr(request, "no_webpage", None):
        return content
    if isinstance(media, types.InputMediaWebPage):
        large = True if media.force_large_media else False if media.force_small_media else None
        return replace(content, page=WebPage(media.url, large))
    link = first_link(content.text, content.entities)
    return replace(content, page=WebPage(link)) if link else content


def _known(caller: Caller, chat: int, random_ids: Sequence[int]) -> list[Message | None]:
    """What earlier calls with these random ids sent. Raises RANDOM_ID_EMPTY for a zero."""
    if any(number == 0 for number in random_ids):
        raise TelegramError(400, "RANDOM_ID_EMPTY")
    return [caller.world.replayed(caller.viewer, chat, number) for number in random_ids]


def _answer(
    caller: Caller,
    events: Sequence[Any],
    sent: Sequence[Message | None],
    known: Sequence[Message | None],
    random_ids: Sequence[int],
) -> Any:
    """New messages as the caller's updates; what was sent by an earlier call once more."""
    updates = caller.updates(events)
    pairs = zip(sent, known, random_ids, strict=True)
    old = [(message, number) for message, earlier, number in pairs if message is not None and earlier]
    if old:
        again = caller.replay([message for message, _ in old], [number for _, number in old])
        updates.updates.extend(again.updates)
        have = {user.id for user in updates.users}
        updates.users.extend(user for user in again.users if user.id not in have)
        have = {chat.id for chat in updates.chats}
        updates.chats.extend(chat for chat in again.chats if chat.id not in have)
    return updates


@answers(functions.messages.SendMessageRequest)
def send_message(caller: Caller, request: Any) -> Any:
    return _send_one(caller, request, None)


@answers(functions.messages.SendMediaRequest)
def send_media(caller: Caller, request: Any) -> Any:
    return _send_one(caller, request, request.media)


def _send_one(caller: Caller, request: Any, media: Any) -> Any:
    chat = caller.peer(request.peer)
    known = _known(caller, chat, [request.random_id])
    if known[0] is not None:
        return caller.replay([known[0]], [request.random_id])
    content = _with_page(_content(caller, request.message, request.entities, media), request, media)
    with caller.world.capture() as events:
        caller.world.send(
            caller.viewer, chat, content, random_id=request.random_id, options=_options(caller, request)
        )
    return caller.updates(events)


@answers(functions.messages.SendMultiMediaRequest)
def send_multi_media(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    random_ids = [item.random_id for item in request.multi_media]
    known = _known(caller, chat, random_ids)
    if known and all(known):
        return caller.replay([message for message in known if message is not None], random_ids)
    inverted = bool(request.invert_media)
    items = [
        replace(_content(caller, item.message, item.entities, item.media), inverted=inverted)
        for item in request.multi_media
    ]
    with caller.world.capture() as events:
        sent = caller.world.send_album(
            caller.viewer, chat, items, random_ids=random_ids, options=_options(caller, request)
        )
    return _answer(caller, events, sent, known, random_ids)


@answers(functions.messages.ForwardMessagesRequest)
def forward_messages(caller: Caller, request: Any) -> Any:
    source, target = caller.peer(request.from_peer), caller.peer(request.to_peer)
    if len(request.random_id) != len(request.id):
        raise TelegramError(400, "RANDOM_ID_INVALID")
    if len(set(request.random_id)) != len(request.random_id):
        raise TelegramError(500, "RANDOM_ID_DUPLICATE")
    known = _known(caller, target, request.random_id)
    if isinstance(request.reply_to, types.InputReplyToMessage):
        # It "can only contain an inputReplyToMonoForum" (core.telegram.org/method/messages.forwardMessages).
        raise TelegramError(400, "REPLY_TO_INVALID")
    with caller.world.capture() as events:
        sent = caller.world.forward(
            caller.viewer,
            source,
            request.id,
            target,
            random_ids=request.random_id,
            drop_author=bool(request.drop_author),
            drop_captions=bool(request.drop_media_captions),
            options=_options(caller, request),
        )
    return _answer(caller, events, sent, known, request.random_id)


@answers(functions.messages.EditMessageRequest)
def edit_message(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    content = _content(caller, request.message, request.entities, request.media)
    old = caller.world.message(caller.viewer, chat, request.id)
    if old is not None and old.media is None:
        content = _with_page(content, request, request.media)
    edit = Edit(
        text=request.message,
        entities=content.entities,
        media=content.media,
        page=content.page,
        inverted=bool(request.invert_media),
        markup=read_markup(request.reply_markup) if caller.account.bot else None,
    )
    with caller.world.capture() as events:
        caller.world.edit(caller.viewer, chat, request.id, edit)
    return caller.updates(events)


@answers(functions.channels.DeleteMessagesRequest)
def delete_channel_messages(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    removed = caller.world.delete(caller.viewer, chat, request.id)
    pts = caller.world.memory.boxes[chat].pts
    if removed and caller.login.seen.get(chat, 0) >= pts - len(removed):
        caller.seen[chat] = pts
    return types.messages.AffectedMessages(pts, len(removed))


@answers(functions.messages.DeleteMessagesRequest)
def delete_messages(caller: Caller, request: Any) -> Any:
    """Delete by numbers of the caller's own box: private chats and basic groups."""
    box = caller.world.memory.boxes[caller.viewer]
    by_chat: dict[int, list[int]] = {}
    for number in request.id:
        message = box.get(number)
        if message is not None:
            by_chat.setdefault(message.chat, []).append(number)
    removed = 0
    for chat, numbers in by_chat.items():
        removed += len(caller.world.delete(caller.viewer, chat, numbers, revoke=bool(request.revoke)))
    return types.messages.AffectedMessages(box.pts, removed)


@answers(functions.messages.UpdatePinnedMessageRequest)
def update_pinned_message(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    if marked.is_user(chat) or request.unpin:
        raise TelegramError(400, "CHAT_NOT_MODIFIED")
    with caller.world.capture() as events:
        caller.world.pin(caller.viewer, chat, request.id)
    return caller.updates(events)


@answers(functions.messages.SendVoteRequest, bots=False)
def send_vote(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    options = tuple(option[0] for option in request.options if option)
    caller.world.vote(caller.viewer, chat, request.msg_id, options)
    return caller.updates(())
