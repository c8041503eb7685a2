"""Adding a source or a destination: by the chat picker, a name, a link, an id, or a forwarded post."""

from __future__ import annotations

from telegram import Message, MessageOriginChannel, MessageOriginChat, ReplyKeyboardRemove
from telegram.constants import ChatAction

from forwarder.bot.cb import AddChannel, Side
from forwarder.bot.dialog import Adding
from forwarder.bot.keyboards import REQUESTS, chat_picker
from forwarder.bot.screens import channels
from forwarder.bot.visit import Visit
from forwarder.errors import ForwarderError
from forwarder.message import AccountKind


async def ask(visit: Visit, press: AddChannel) -> None:
    visit.must_change()
    await visit.remember(Adding(press.side))
    alone = await visit.services.accounts.active(AccountKind.USER) is None
    await visit.say(
        visit.texts(f"add.{press.side}"), chat_picker(visit.texts, press.side, bot_must_join=alone)
    )


async def by_picker(visit: Visit, message: Message) -> None:
    """A chat was chosen with Telegram's own list; its button says which side it is for."""
    shared = message.chat_shared
    side = REQUESTS.get(shared.request_id) if shared is not None else None
    if shared is None or side is None:
        await visit.say(visit.texts("stale"))
        return
    await add(visit, side, str(shared.chat_id))


async def by_message(visit: Visit, message: Message, side: Side) -> None:
    """The answer to :func:`ask` as a text or a forwarded post."""
    origin = message.forward_origin
    if isinstance(origin, MessageOriginChannel):
        await add(visit, side, str(origin.chat.id))
    elif isinstance(origin, MessageOriginChat):
        await add(visit, side, str(origin.sender_chat.id))
    elif origin is not None:
        await visit.say(visit.texts("add.forward_hidden"))
    elif visit.text:
        await add(visit, side, visit.text)
    else:
        await visit.say(visit.texts("add.text_wanted"))


async def add(visit: Visit, side: Side, reference: str) -> None:
    """Add the chat and show its card; on a refusal the dialog stays open for another try."""
    visit.must_change()
    texts = visit.texts
    await visit.bot.send_chat_action(visit.person.telegram_id, ChatAction.TYPING)
    try:
        channel = await visit.services.channels.add(
            reference,
            as_source=side is Side.SOURCE,
            as_destination=side is Side.DESTINATION,
            actor=visit.actor,
        )
    except ForwarderError as error:
        again = texts("add.once_more") if await visit.dialog() is not None else None
        await visit.say(texts.lines(texts.error(error), again))
        return
    await visit.remember(None)
    await visit.services.mappings.refresh_routes(channel.id)
    await visit.say(texts(f"add.done.{side}", title=channel.title), ReplyKeyboardRemove())
    screen = channels.card(visit, channel, side)
    await visit.say(screen.text, screen.keyboard)
