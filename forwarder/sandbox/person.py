"""A person's side of the sandbox: what somebody with a phone in hand sees and does.

The same deeds are offered to other processes by `control`. Everything goes through the world's own rules:
a button
that is not on the screen can't be pressed, a chat that a picker would not offer can't be shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .world import Content, Edit, Markup, Message, TelegramError, World
from .world.detect import found_entities
from .world.events import CallbackAnswered, Event
from .world.markup import Button


class CannotDo(Exception):
    """What a person can't do because it is not there to be done; the text says what is there instead."""


@dataclass(frozen=True, slots=True)
class ShownButton:
    """A button as a person sees it. ``data`` is what the bot gets, ``asks_chat`` marks a chat picker."""

    label: str
    data: str | None = None
    url: str | None = None
    asks_chat: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A message on the screen, with its inline buttons by rows. ``mine``: the person's own."""

    id: int
    mine: bool
    text: str
    buttons: tuple[tuple[ShownButton, ...], ...] = ()
    media: str = ""
    edited: bool = False

    def labels(self) -> list[str]:
        return [button.label for row in self.buttons for button in row]


@dataclass(frozen=True, slots=True)
class Screen:
    """The end of a chat: messages oldest first, the reply keyboard, and the bot's latest answer to a
    button.
    """

    messages: tuple[Shown, ...]
    keyboard: tuple[tuple[ShownButton, ...], ...] = ()
    toast: str = ""

    @property
    def last(self) -> Shown | None:
        """The latest message that is not the person's own."""
        return next((message for message in reversed(self.messages) if not message.mine), None)

    def has(self, text: str) -> bool:
        """Whether a message or a button shows this text."""
        shown = [label for row in self.keyboard for label in (button.label for button in row)]
        shown += [part for message in self.messages for part in (message.text, *message.labels())]
        return any(text in part for part in shown)


class Person:
    """One user of the sandbox. Chats are marked ids, a bot's chat is the bot's id."""

    def __init__(self, world: World, account: int) -> None:
        self._world = world
        self.id = account
        self._toasts: dict[int, str] = {}
        self._pressed: dict[int, int] = {}
        self._news = asyncio.Event()
        self._stop_watching = world.subscribe(self._notice)

    def close(self) -> None:
        """Look away: the person no longer follows what happens."""
        self._stop_watching()

    def _notice(self, event: Event) -> None:
        if isinstance(event, CallbackAnswered) and event.query_id in self._pressed:
            self._toasts[self._pressed[event.query_id]] = event.text
        self._news.set()

    # -- looking -----------------------------------------------------------------------------------------

    def screen(self, bot: int, count: int = 20) -> Screen:
        """The last ``count`` messages of the chat with a bot, as they stand now."""
        history = self._world.history(bot, viewer=self.id)
        shown = tuple(self._shown(message) for message in history[-count:])
        return Screen(shown, _rows(self._keyboard(bot)), self._toasts.get(bot, ""))

    def _shown(self, message: Message) -> Shown:
        inline = message.markup if message.markup is not None and message.markup.kind == "inline" else None
        text = message.text if message.service is None else f"({message.service.kind.replace('_', ' ')})"
        return Shown(
            id=message.id,
            mine=message.sent_by == self.id,
            text=text,
            buttons=_rows(inline),
            media=type(message.media).__name__.lower() if message.media is not None else "",
            edited=message.edit_date is not None,
        )

    def _keyboard(self, bot: int) -> Markup | None:
        """The reply keyboard in force: the latest one that has not been removed."""
        for message in reversed(self._world.history(bot, viewer=self.id)):
            if message.markup is not None and message.markup.kind in ("reply", "remove"):
                return message.markup if message.markup.kind == "reply" else None
        return None

    async def wait_screen(self, bot: int, wanted: Callable[[Screen], bool], timeout: float = 10.0) -> Screen:
        """The screen as soon as it is as wanted. Raises CannotDo with what it shows when it never is."""
        end = asyncio.get_running_loop().time() + timeout
        while not wanted(screen := self.screen(bot)):
            self._news.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self._news.wait()
            except TimeoutError:
                last = screen.last
                seen = f"{last.text!r} with the buttons {last.labels()}" if last else "nothing"
                raise CannotDo(f"After {timeout:g} s the bot's latest message is still {seen}.") from None
        return screen

    # -- talking to a bot --------------------------------------------------------------------------------

    async def type(self, bot: int, text: str) -> int:
        """Send a text; commands, links and names in it are found as Telegram finds them. Returns its
        number.
        """
        return self._world.send(self.id, bot, Content(text, found_entities(text))).id

    async def press(self, bot: int, button: str, message: int | None = None) -> None:
        """Press a button by label or callback data, under ``message`` or the latest message that has it.

        A plain button of the reply keyboard types its label. Raises CannotDo when there is no such button.
        """
        for shown in reversed(self._world.history(bot, viewer=self.id)):
            if shown.markup is None or shown.markup.kind != "inline" or message not in (None, shown.id):
                continue
            found = shown.markup.find(button)
            if found is not None and found.data is not None:
                self._toasts.pop(bot, None)
                query = self._world.press(self.id, bot, shown.id, found.data)
                self._pressed[query.id] = bot
                return
        keyboard = self._keyboard(bot) if message is None else None
        found = keyboard.find(button) if keyboard is not None else None
        if found is None or found.request is not None:
            raise CannotDo(f"There is no button {button!r} to press; there are {self._labels(bot)}.")
        await self.type(bot, found.text)

    def _labels(self, bot: int) -> list[str]:
        screen = self.screen(bot)
        inline = [label for message in screen.messages for label in message.labels()]
        return inline + [button.label for row in screen.keyboard for button in row]

    async def share_chat(self, bot: int, button: str, chat: int) -> int:
        """Answer a "choose a chat" button with a chat; the bot gets the rights it asked for, as on a phone.

        Raises CannotDo when there is no such button or it does not offer that chat.
        """
        keyboard = self._keyboard(bot)
        found = keyboard.find(button) if keyboard is not None else None
        if found is None or found.request is None:
            raise CannotDo(f"There is no chat picker {button!r}; there are {self._labels(bot)}.")
        try:
            return self._world.share_chat(self.id, bot, found.request, chat).id
        except TelegramError as error:
            if error.name != "BUTTON_INVALID":
                raise
            offered = [one.title for one in self._world.offered_chats(self.id, bot, found.request)]
            name = self._world.peer_name(chat)
            raise CannotDo(f"The picker {button!r} does not offer {name!r}, only {offered}.") from None

    async def forward_to(self, bot: int, chat: int, numbers: Sequence[int]) -> None:
        """Forward messages of a chat to a bot (or to any chat)."""
        self._world.forward(self.id, chat, numbers, bot)

    # -- running channels --------------------------------------------------------------------------------

    async def post(self, chat: int, content: Content | str) -> int:
        """Post into a chat; returns the message's number."""
        whole = Content(content, found_entities(content)) if isinstance(content, str) else content
        return self._world.send(self.id, chat, whole).id

    async def post_album(self, chat: int, items: Sequence[Content]) -> list[int]:
        return [message.id for message in self._world.send_album(self.id, chat, items)]

    async def edit(self, chat: int, number: int, text: str) -> None:
        """Give a message another text or caption."""
        self._world.edit(self.id, chat, number, Edit(text, found_entities(text)))

    async def delete(self, chat: int, numbers: Sequence[int]) -> None:
        self._world.delete(self.id, chat, numbers)

    async def promote(self, chat: int, account: int, rights: frozenset[str]) -> None:
        """Make somebody (usually a bot) an administrator with these rights; with none, not any longer."""
        self._world.promote(self.id, chat, account, rights)


def _rows(markup: Markup | None) -> tuple[tuple[ShownButton, ...], ...]:
    return tuple(tuple(_shown_button(button) for button in row) for row in markup.rows) if markup else ()


def _shown_button(button: Button) -> ShownButton:
    data = button.data.decode(errors="replace") if button.data is not None else None
    return ShownButton(button.text, data, button.url, button.request is not None)
