"""A person's hand on the control bot: touches, waits for the screen, tries again where it does not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from forwarder.errors import ForwarderError
from forwarder.sandbox.client import ControlError, RemotePerson
from forwarder.sandbox.person import Screen

LOOK_EVERY = 0.05
SCROLLED = 100
"""Messages that the person scrolls back."""
PATIENCE = 6.0
"""Seconds to wait for a screen before trying again."""
TRIES = 6
BREATH = 0.34
"""Seconds between two touches: the bot listens to 30 in ten seconds of one person."""

Wanted = Callable[[Screen], bool]


class Hand:
    """Works one bot as one person."""

    def __init__(self, person: RemotePerson, bot: int) -> None:
        self._person, self._bot = person, bot
        self._touched = 0.0

    async def screen(self) -> Screen:
        return await self._person.screen(self._bot, SCROLLED)

    async def until(self, wanted: Wanted, touch: Callable[[], Awaitable[object]], what: str) -> Screen:
        """Touch until the screen is as wanted; nothing is touched when it is so already.

        Raises ForwarderError with what is on the screen instead.
        """
        for _ in range(TRIES):
            if wanted(screen := await self.screen()):
                return screen
            await self._breathe()
            try:
                await touch()
            except ControlError:  # the button is not there yet, or the bot is just being restarted
                await asyncio.sleep(1.0)
                continue
            if (found := await self._wait(wanted)) is not None:
                return found
        last = (await self.screen()).last
        shown = f"“{last.text}” with {last.labels()}" if last is not None else "nothing"
        raise ForwarderError(f"The control bot did not come to “{what}”; it shows {shown}.")

    async def type(self, text: str, wanted: Wanted) -> Screen:
        """Send a text."""
        return await self.until(wanted, lambda: self._person.type(self._bot, text), text)

    async def press(self, label: str, wanted: Wanted, *, under: int | None = None) -> Screen:
        """Press the button that shows ``label``, under the message ``under`` or the latest that has it."""

        async def touch() -> None:
            for message in reversed((await self.screen()).messages):
                for shown in message.labels() if under in (None, message.id) else ():
                    if label in shown:
                        await self._person.press(self._bot, shown, message.id)
                        return
            raise ControlError(f"no button {label!r}")

        return await self.until(wanted, touch, label)

    async def share(self, button: str, chat: int, wanted: Wanted) -> Screen:
        """Choose a chat with Telegram's own list behind the button."""
        return await self.until(wanted, lambda: self._person.share_chat(self._bot, button, chat), button)

    async def forward(self, chat: int, message: int, wanted: Wanted) -> Screen:
        """Forward a post to the bot."""
        return await self.until(
            wanted, lambda: self._person.forward_to(self._bot, chat, [message]), "a forwarded post"
        )

    async def _wait(self, wanted: Wanted) -> Screen | None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if wanted(screen := await self.screen()):
                return screen
            await asyncio.sleep(LOOK_EVERY)
        return None

    async def _breathe(self) -> None:
        await asyncio.sleep(max(0.0, self._touched + BREATH - time.monotonic()))
        self._touched = time.monotonic()


def latest(*words: str) -> Wanted:
    """The bot's latest message, or its buttons, show all these words."""

    def wanted(screen: Screen) -> bool:
        last = screen.last
        return last is not None and all(
            word in last.text or any(word in label for label in last.labels()) for word in words
        )

    return wanted


def newer(than: int, word: str) -> Wanted:
    """A message of the bot's that came after ``than`` shows the word."""

    def wanted(screen: Screen) -> bool:
        return any(
            word in message.text for message in screen.messages if message.id > than and not message.mine
        )

    return wanted
