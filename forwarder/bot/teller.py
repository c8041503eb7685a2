"""Tells people what they did not ask for: pauses, stopped accounts, quarantine, posts of unknown outcome.

One process has the bot's updates, and only that one tells. Nobody gets more than a handful of such messages a
minute: what is too much for that comes together in one.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence

import structlog
from telegram import Bot, LinkPreviewOptions
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError

from forwarder.bot.screens.notices import digest, screen_of
from forwarder.bot.texts import Texts
from forwarder.bot.visit import Screen, politely
from forwarder.errors import Unavailable
from forwarder.services.telling import Addressee, Notice, NoticeService

log = structlog.get_logger(__name__)

SWEEP = 60.0
"""Seconds after which the notices are looked at without a notification."""

BURST = 4
BURST_SECONDS = 60.0
"""So many messages unasked may one person get in so many seconds."""

TRY_AGAIN = 30.0
NOBODY_PAUSE = 600.0
NOBODY_FOR = 86_400.0
"""A notice that reaches nobody is tried again every ten minutes, for a day."""


class Teller:
    """``woken`` yields whenever there may be something new to tell, and first of all once."""

    def __init__(
        self,
        bot: Bot,
        notices: NoticeService,
        woken: Callable[[], AsyncIterator[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bot, self._notices, self._woken, self._clock = bot, notices, woken, clock
        self._sent: dict[int, deque[float]] = defaultdict(deque)
        self._deaf: dict[int, float] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        listening = asyncio.create_task(self._listen(), name="teller-wake")
        try:
            while True:
                self._wake.clear()
                pause = await self._tell_surely()
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self) -> None:
        async for _ in self._woken():
            self._wake.set()

    async def _tell_surely(self) -> float:
        try:
            return await self.tell()
        except Unavailable as error:
            log.warning("notices_wait", reason=str(error))
        except Exception:
            # An outer door: whatever is wrong with a notice must not end the process that hears posts.
            log.exception("notices_not_told")
        return TRY_AGAIN

    async def tell(self) -> float:
        """Tell everybody what is due for them now; answer the seconds until there may be more."""
        # Asked before the rest: what becomes due while others are told is looked for right after, not at the sweep.
        due_in = await self._notices.due_in()
        late = SWEEP if due_in is None else min(due_in, SWEEP)
        for person, waiting in self._by_person(await self._notices.due()).items():
            late = min(late, await self._tell_one(person, waiting))
        await self._close()
        return max(0.1, late)

    def _by_person(self, due: Sequence[Notice]) -> dict[Addressee, list[Notice]]:
        found: dict[Addressee, list[Notice]] = defaultdict(list)
        for notice in due:
            for person in self._audience(notice):
                if person.telegram_id not in notice.told:
                    found[person].append(notice)
        return found

    def _audience(self, notice: Notice) -> tuple[Addressee, ...]:
        """Who can be reached: those who are meant, else their deputies."""
        return self._reachable(notice.people) or self._reachable(notice.deputies)

    def _reachable(self, people: tuple[Addressee, ...]) -> tuple[Addressee, ...]:
        now = self._clock()
        return tuple(person for person in people if self._deaf.get(person.telegram_id, 0.0) <= now)

    async def _tell_one(self, person: Addressee, waiting: list[Notice]) -> float:
        """Tell one person what waits for them. Answers the seconds until the rest may follow."""
        texts = Texts(person.language)
        left = self._left(person)
        if left == 0:
            return self._sent[person.telegram_id][0] + BURST_SECONDS - self._clock()
        if len(waiting) > left:
            parts = [(digest(texts, [notice.matter for notice in waiting]), waiting)]
        else:
            parts = [(screen_of(texts, notice.matter), [notice]) for notice in waiting]
        for screen, notices in parts:
            try:
                await self._send(person, screen)
            except (Forbidden, BadRequest) as error:
                log.warning("person_not_reached", telegram_id=person.telegram_id, reason=error.message)
                self._deaf[person.telegram_id] = self._clock() + NOBODY_PAUSE
                return 0.0  # their deputies are told at once
            except TelegramError as error:
                log.warning("notice_put_off", reason=error.message)
                return TRY_AGAIN
            for notice in notices:
                await self._notices.told(notice, person.telegram_id)
        return SWEEP

    def _left(self, person: Addressee) -> int:
        sent, now = self._sent[person.telegram_id], self._clock()
        while sent and sent[0] <= now - BURST_SECONDS:
            sent.popleft()
        return BURST - len(sent)

    async def _send(self, person: Addressee, screen: Screen) -> None:
        await politely(
            lambda: self._bot.send_message(
                person.telegram_id,
                screen.text,
                parse_mode=ParseMode.HTML,
                reply_markup=screen.keyboard,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )
        self._sent[person.telegram_id].append(self._clock())

    async def _close(self) -> None:
        """Close what everybody knows whom it can reach; put off what reaches nobody."""
        for notice in await self._notices.due():
            audience = self._audience(notice)
            if all(person.telegram_id in notice.told for person in audience) and (audience or notice.told):
                await self._notices.close(notice)
            elif not audience and (notice.age > NOBODY_FOR or not (notice.people or notice.deputies)):
                log.error("notice_reached_nobody", matter=type(notice.matter).__name__)
                await self._notices.close(notice)
            elif not audience:
                await self._notices.put_off(notice, NOBODY_PAUSE)
