"""What a Celery worker process is behind its tasks: one event loop with the clients, and the account's lease.

Tasks run in threads and hand their coroutine to the loop. A worker for the bot is ready at once; one for the
user account takes its queues when it holds the lease of the session, and gives them up with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from celery import Celery

from forwarder.account_desk import AccountDesk, answer
from forwarder.backfill import Backfiller
from forwarder.deliver import Carrier
from forwarder.deputy import WithDeputy
from forwarder.errors import AccountNotReady, ForwarderError, SessionError, TelegramError, Unavailable
from forwarder.message import AccountKind, FindOrder
from forwarder.outcome import Outcome
from forwarder.processes.bots_login import BotsLogin, bots_login
from forwarder.processes.ended_login import EndedLogin, note_end, signed_out, watch
from forwarder.processes.life import TRY_AGAIN, Hold, Outage, any_of, holding, lease_name, live_until, pause
from forwarder.seam import Chats, Finder, Historian
from forwarder.services.accounts import SESSION_LOST
from forwarder.services.reopening import Reopening
from forwarder.settings import Settings
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.chats import InTurn, MtprotoChats
from forwarder.telegram.client import Client
from forwarder.telegram.directory import UserDirectory
from forwarder.telegram.errors import translated
from forwarder.telegram.finder import MtprotoFinder
from forwarder.telegram.history import BotHistory, UserHistory
from forwarder.telegram.login import connected, whoami
from forwarder.telegram.user_sender import UserSender
from forwarder.upkeep import Upkeep
from forwarder.wiring import House, make_carrier, open_bot, open_client, open_house

log = structlog.get_logger(__name__)

USER_QUEUES = ("user.live", "user.bulk")
START_TIME = 10.0
"""Seconds that a task waits for its worker to be ready; then it is tried again later."""

T = TypeVar("T")

TakeQueues = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Queues:
    """How a worker takes and gives up queues; both may be called from the loop's thread."""

    take: TakeQueues
    give_up: TakeQueues


class WorkerProcess:
    """``run`` lives for as long as the process; the other methods are what the tasks call."""

    def __init__(self, settings: Settings, kind: AccountKind, celery: Celery, queues: Queues) -> None:
        self._settings, self._kind, self._celery, self._queues = settings, kind, celery, queues
        self._stop = asyncio.Event()
        self._house: asyncio.Future[House] = asyncio.Future()
        self._carrier: asyncio.Future[Carrier] = asyncio.Future()

    async def run(self) -> None:
        """Open the house and keep the account at work until :meth:`stop`."""
        name = "worker" if self._kind is AccountKind.BOT else "user-worker"
        outage = Outage()
        while not self._stop.is_set():
            try:
                async with open_house(
                    self._settings, name, celery=self._celery, pool_size=10, ping=False
                ) as house:
                    self._house.set_result(house)
                    outage.over()
                    beating = asyncio.create_task(house.heart.beat_forever())
                    try:
                        await (self._be_bot(house) if self._kind is AccountKind.BOT else self._be_user(house))
                    finally:
                        self._house = asyncio.Future()
                        beating.cancel()
                        await house.heart.stop()
            except Unavailable as error:
                await outage.wait(error, self._stop)

    async def stop(self) -> None:
        """Take no more work and let what is under way end."""
        if self._carrier.done():
            await self._carrier.result().stop()
        self._stop.set()

    async def carry(self, lanes: Sequence[int]) -> list[Outcome]:
        """Carry these lanes side by side. Raises Unavailable or AccountNotReady; the rows wait."""
        carrier = await self._wait_for(self._carrier)
        return list(await asyncio.gather(*(carrier.carry(lane) for lane in lanes)))

    async def relay(self) -> int:
        return await (await self._wait_for(self._house)).queue.relay()

    async def sweep(self) -> str:
        return await (await self._upkeep()).sweep()

    async def retention(self) -> str:
        return await (await self._upkeep()).retention()

    async def reopen(self) -> str:
        """Let mappings go on whose topic is open again; only the user account can ask for topics."""
        house = await self._wait_for(self._house)
        if not self._settings.has_user:
            return "no account lists topics"
        resumed = await Reopening(house.db, house.queue.ring_lanes).look(AccountDesk(house.db))
        return f"let {len(resumed)} mappings go on"

    async def _upkeep(self) -> Upkeep:
        house = await self._wait_for(self._house)
        return Upkeep(
            house.db, house.redis, house.ingest, house.queue, house.pace, house.settings.retention_days
        )

    async def _wait_for(self, part: asyncio.Future[T]) -> T:
        """A task that comes while the process stops must not hold it up: what it waits for would not come."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((part, stopping), timeout=START_TIME, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if part.done():
            return part.result()
        if self._stop.is_set():
            raise AccountNotReady("This worker is stopping; the posts wait for the next one.")
        raise AccountNotReady("This worker has not got its account yet; the posts wait.")

    async def _at_work(self, carrier: Carrier, end: Awaitable[None]) -> None:
        self._carrier.set_result(carrier)
        renewing = asyncio.create_task(carrier.renew_forever())
        try:
            await end
        finally:
            carrier.give_up()
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._carrier = asyncio.Future()

    async def _be_bot(self, house: House) -> None:
        bot = open_bot(self._settings)
        while not self._stop.is_set():
            try:
                async with translated():
                    await bot.initialize()
                account_id = await house.accounts.register(AccountKind.BOT, bot.id, bot.username)
                break
            except TelegramError as error:
                log.error("bot_not_ready", reason=error.name)
                await pause(TRY_AGAIN, self._stop)
        else:
            return
        try:
            sender = BotSender(bot, account_id)
            desk = AccountDesk(house.db) if self._settings.has_user else None
            carrier = make_carrier(house, WithDeputy(sender, desk) if desk else sender, desk)
            log.info("sending", account=account_id, route="bot")
            await self._at_work(carrier, any_of(self._stop))
        finally:
            await bot.shutdown()

    async def _be_user(self, house: House) -> None:
        """Send as the account, whenever its login's lease is ours; while it is signed out, wait for the next login."""
        name = lease_name(self._settings.sender_session)
        ended = EndedLogin(self._settings.sender_session)
        while not self._stop.is_set():
            async with holding(house.db, name, house.holder, self._stop) as hold:
                if hold is None:
                    return
                over = await self._while_held(house, hold, ended)
            if over is not None:
                await self._without_user(house, ended.wait(over, self._stop))

    async def _while_held(self, house: House, hold: Hold, ended: EndedLogin) -> AccountNotReady | None:
        """Answers what ended the login, if that is what ended the work."""
        try:
            await self._use_login(house, hold, ended)
        except AccountNotReady as error:
            ended.ends()
            return error
        except (SessionError, TelegramError, Unavailable) as error:
            log.error("account_not_ready", reason=str(error))
            await pause(TRY_AGAIN, self._stop)
        return None

    async def _use_login(self, house: House, hold: Hold, ended: EndedLogin) -> None:
        """Raises AccountNotReady where Telegram has ended the login."""
        user = open_client(self._settings, self._settings.sender_session)
        try:
            await connected(user)
            me = await whoami(user)
            if me is None:
                await note_end(house, user)
                raise signed_out(self._settings.sender_session)
            account_id = await house.accounts.register(AccountKind.USER, me.id, me.username)
            async with bots_login(house, self._stop) as bots:
                await self._send_as(house, user, account_id, bots, hold.lost, ended)
        finally:
            await user.close()

    async def _send_as(
        self,
        house: House,
        user: Client,
        account_id: int,
        bots: BotsLogin,
        lost: asyncio.Event,
        ended: EndedLogin,
    ) -> None:
        bot = bots.client
        finder = either(MtprotoFinder(user), MtprotoFinder(bot) if bot else None)
        chats = chats_of(user, bot)
        historians = {account_id: UserHistory(user), **await self._bots_history(house, bot)}
        answering = self._answering(house, UserDirectory(user), finder, chats, historians)
        sender = UserSender(user, account_id)
        carrier = make_carrier(house, WithDeputy(sender, chats) if chats else sender, finder)
        watching = watch(house, user, self._settings.sender_session)
        self._queues.take(USER_QUEUES)
        ended.lives()
        log.info("sending", account=account_id, route="user")
        try:
            end = any_of(self._stop, lost, bots.lost)
            await self._at_work(carrier, live_until(end, *answering, watching))
        except AccountNotReady as error:
            await house.accounts.stop(account_id, error.reason or SESSION_LOST, signed_out=True)
            raise
        finally:
            self._queues.give_up(USER_QUEUES)

    async def _without_user(self, house: House, next_login: Coroutine[Any, Any, None]) -> None:
        """Answer by the bot's own login what it can answer, until there is a login of the account again."""
        try:
            async with bots_login(house, self._stop, patience=1.0) as bots:
                if bots.elsewhere:
                    await next_login
                    return
                bot = bots.client
                answering = self._answering(
                    house,
                    None,
                    MtprotoFinder(bot) if bot else None,
                    chats_of(None, bot),
                    await self._bots_history(house, bot),
                )
                await live_until(next_login, any_of(bots.lost), *answering)
        except ForwarderError as error:
            log.error("account_not_ready", reason=str(error))
            await pause(TRY_AGAIN, self._stop)
        finally:
            next_login.close()

    def _answering(
        self,
        house: House,
        directory: UserDirectory | None,
        finder: Finder | None,
        chats: Chats | None,
        historians: Mapping[int, Historian],
    ) -> tuple[Coroutine[Any, Any, None], ...]:
        """What others ask of the account, and its backfills."""
        asked = answer(
            house.db, AccountKind.USER, directory, finder, self._stop, chats=chats, historians=historians
        )
        return asked, Backfiller(house.db, house.dedup, historians, house.queue.ring).run()

    async def _bots_history(self, house: House, bot: Client | None) -> dict[int, Historian]:
        """Who can read older posts without the user account, by account."""
        if bot is None or (me := await whoami(bot)) is None:
            return {}
        return {await house.accounts.register(AccountKind.BOT, me.id, me.username): BotHistory(bot)}


def chats_of(user: Client | None, bot: Client | None) -> Chats | None:
    """Read chats by the account, and by the bot's second login where the account is in none or not in these."""
    chats = [MtprotoChats(client) for client in (user, bot) if client is not None]
    return InTurn(*chats) if len(chats) == 2 else next(iter(chats), None)


def either(first: Finder | None, second: Finder | None) -> Finder | None:
    """Look by the first login, and by the second where the first cannot read the chats."""
    if first is None or second is None:
        return first or second
    return FirstThenSecond(first, second)


@dataclass(frozen=True, slots=True)
class FirstThenSecond:
    first: Finder
    second: Finder

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        try:
            return await self.first.find(order)
        except AccountNotReady:
            return await self.second.find(order)
