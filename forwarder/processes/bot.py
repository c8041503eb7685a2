"""``manage.py bot``: the only getUpdates loop.

Posts are stored before they are confirmed; the rest is the control bot's, which answers in lines of its own, so
that a slow answer never holds up a post.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from forwarder.account_desk import AccountDesk
from forwarder.backfill import BackfillService
from forwarder.bot import commands
from forwarder.bot.application import Door, build_application
from forwarder.bot.progress import ProgressMessages
from forwarder.bot.teller import Teller
from forwarder.bot.visit import BotServices
from forwarder.comparing.audit import Auditor
from forwarder.comparing.mending import Mender
from forwarder.errors import AccountNotReady, TelegramError
from forwarder.health import Health
from forwarder.ingest.rows import stored_parts
from forwarder.intake import Intake
from forwarder.message import AccountKind
from forwarder.missed import MissedPosts
from forwarder.processes.life import (
    GRACE,
    TRY_AGAIN,
    Hold,
    any_of,
    live_until,
    pause,
    stop_on_signals,
    work_under_lease,
)
from forwarder.processes.opening import opened_house
from forwarder.services.channels import ChannelService
from forwarder.services.groups import GroupService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.notices import NOTICES
from forwarder.services.reopening import Reopening
from forwarder.services.reviews import ReviewService
from forwarder.services.takeback import TakebackService
from forwarder.services.telling import NoticeService
from forwarder.services.tempo import TempoService
from forwarder.services.users import UserService
from forwarder.services.why import explain
from forwarder.settings import Settings
from forwarder.telegram.bot_directory import BotDirectory
from forwarder.telegram.bot_sender import Bot
from forwarder.telegram.bot_updates import BotPoller
from forwarder.telegram.errors import translated
from forwarder.wiring import House, open_bot

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    stop = stop_on_signals()
    async with opened_house(settings, "bot", stop) as house:
        if house is None:
            return 0
        beating = asyncio.create_task(house.heart.beat_forever())
        try:
            await work_under_lease(
                house.db, "bot:updates", house.holder, stop, lambda hold: poll(house, hold, stop)
            )
        finally:
            beating.cancel()
            await house.heart.stop()
    return 0


async def poll(house: House, hold: Hold, stop: asyncio.Event) -> None:
    """Poll and answer while the lease is ours: Telegram serves one poller of a token only."""
    bot = open_bot(house.settings)
    account_id = None
    try:
        account_id = await introduce(house, bot, stop)
    finally:
        if account_id is None:
            await bot.shutdown()
    if account_id is None:
        return
    intake = Intake(house.db, house.ingest, account_id, AccountKind.BOT, house.queue.ring)
    services = services_of(house, bot)
    application = build_application(bot, services)
    door = Door(application, keep_pace(house, account_id))
    poller = BotPoller(bot, intake.store, door.feed, intake.quarantine)
    notices = NoticeService(house.db, house.settings.admin_ids, stored_parts)
    teller = Teller(bot, notices, lambda: house.db.listen(NOTICES))
    progress = ProgressMessages(bot, services.backfills, services.users)
    storing = asyncio.create_task(intake.run())
    await application.initialize()
    hold.at_work = True
    log.info("polling", account=account_id)
    missed = missed_posts(house, account_id, intake)

    async def hear() -> None:
        if missed is not None:
            await missed.fetch()
        await poller.run()

    try:
        await live_until(
            stop_polling(poller, stop, hold), publish(house, bot), hear(), teller.run(), progress.run()
        )
    except AccountNotReady as error:
        await house.accounts.stop(account_id, error.reason or "token_refused", signed_out=True)
        raise
    finally:
        await door.close(GRACE / 2)
        await intake.drain(GRACE / 4)
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)
        await application.shutdown()


def missed_posts(house: House, account_id: int, intake: Intake) -> MissedPosts | None:
    """None without API_ID: then nobody can read what Telegram has not kept for the bot."""
    if not house.settings.has_user:
        return None
    return MissedPosts(house.db, AccountDesk(house.db), account_id, intake.store, intake.quarantine)


def keep_pace(house: House, account_id: int) -> Callable[[], Awaitable[None]]:
    """What keeps a share of the bot's pace for an answer that is about to be given."""

    async def keep() -> None:
        try:
            await house.pace.people(account_id)
        except (RedisError, OSError) as error:
            # Then the answer takes its chances among the posts.
            log.warning("pace_not_kept_for_answers", error=type(error).__name__)

    return keep


async def publish(house: House, bot: Bot) -> None:
    """Show the bot's commands in its menu; without them it works as well, so trouble is only noted."""
    try:
        async with translated():
            await commands.publish(bot, house.settings.admin_ids)
    except TelegramError as error:
        log.warning("commands_not_published", reason=error.name)
    await asyncio.Event().wait()


async def introduce(house: House, bot: Bot, stop: asyncio.Event) -> int | None:
    """Ask Telegram who the bot is, again while it does not answer; None when asked to stop meanwhile.

    Raises AccountNotReady for a token that Telegram refuses.
    """
    while not stop.is_set():
        try:
            async with translated():
                await bot.initialize()
            return await house.accounts.register(AccountKind.BOT, bot.id, bot.username)
        except TelegramError as error:
            if error.code in (401, 404):
                raise AccountNotReady(
                    "Telegram refuses BOT_TOKEN. Copy the token again from @BotFather and start anew."
                ) from error
            log.error("bot_api_does_not_answer", reason=error.name)
            await pause(TRY_AGAIN, stop)
    return None


async def stop_polling(poller: BotPoller, stop: asyncio.Event, hold: Hold) -> None:
    """Ask the poller to end by itself, so that what came is stored and confirmed."""
    await any_of(stop, hold.lost)
    poller.stop()
    await asyncio.sleep(GRACE / 2)


def services_of(house: House, bot: Bot) -> BotServices:
    desk = AccountDesk(house.db) if house.settings.has_user else None
    return BotServices(
        users=UserService(house.db, house.settings.admin_ids),
        accounts=house.accounts,
        channels=ChannelService(house.db, BotDirectory(bot), desk),
        mappings=MappingService(house.db, house.queue.ring_lanes),
        topics=Reopening(house.db, house.queue.ring_lanes),
        groups=GroupService(house.db),
        late=LateService(house.db, house.queue.ring_lanes),
        reviews=ReviewService(house.db, stored_parts, house.queue.ring_lanes),
        backfills=BackfillService(house.db, desk, house.queue.ring_lanes),
        tempo=TempoService(house.db, desk),
        status=Health(house.db, house.redis, house.queue),
        explain=lambda link: explain(house.db, link),
        takeback=TakebackService(house.db, house.queue.ring_lanes),
        auditor=Auditor(house.db, desk) if desk else None,
        mender=Mender(house.db, desk, house.ingest, house.places) if desk else None,
    )
