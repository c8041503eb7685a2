"""The stage of the chaos: seven sources, sixteen destinations and lanes on both routes, some by rules."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from forwarder.account_desk import AccountDesk
from forwarder.db import Database
from forwarder.demo import stage
from forwarder.demo.house import House, Telegram
from forwarder.demo.stage import Chat
from forwarder.demo.verdict import Way
from forwarder.errors import ForwarderError
from forwarder.message import AccountKind, Mode, Route
from forwarder.models import WhenUnsure
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.mappings import MappingService
from forwarder.services.rules import Owner, RuleService
from forwarder.services.values import ChannelView, MappingSettings
from forwarder.telegram.bot_directory import BotDirectory
from forwarder.telegram.bot_sender import make_bot
from tests.chaos.ruled import Ruling

RIGHTS = [*stage.POSTING, "other"]
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A mapping to be made; ``source`` and ``destination`` are keys of chats; ``ruling`` are its rules, if any."""

    source: str
    destination: str
    mode: Mode
    route: Route
    when_unsure: WhenUnsure
    ruling: Ruling | None = None


SOURCES = (
    *(Chat(f"both{n}", f"Source heard by both {n}", bot=True, account=True) for n in range(4)),
    Chat("bots", "Source heard by the bot alone", bot=True),
    *(Chat(f"users{n}", f"Source heard by the account alone {n}", account=True) for n in range(2)),
)
BOT_DESTINATIONS = tuple(
    # The account sees half of them: there it can look for a copy of unknown fate, elsewhere the bot must.
    Chat(f"by-bot{n}", f"Filled by the bot {n}", bot=True, account=n % 2 == 0)
    for n in range(8)
)
USER_DESTINATIONS = tuple(Chat(f"by-user{n}", f"Filled by the account {n}", account=True) for n in range(8))
DESTINATIONS = (*BOT_DESTINATIONS, *USER_DESTINATIONS)


def _lanes() -> tuple[Lane, ...]:
    lanes: list[Lane] = []
    for route, sources, destinations in (
        (Route.BOT, [s for s in SOURCES if s.bot], BOT_DESTINATIONS),
        (Route.USER, [s for s in SOURCES if s.account], USER_DESTINATIONS),
    ):
        for index, source in enumerate(sources):
            for step in range(3 if route is Route.USER else 4):
                number = (index * 3 + step * 2 + step // 2) % len(destinations)
                mode = Mode.FORWARD if (index + step) % 2 else Mode.COPY
                lanes.append(
                    Lane(
                        source.key,
                        destinations[number].key,
                        mode,
                        route,
                        WhenUnsure.AGAIN if step % 2 else WhenUnsure.HOLD,
                        Ruling(source.title, split=step == 1) if mode is Mode.COPY and step < 2 else None,
                    )
                )
    return tuple(lanes)


LANES = _lanes()


def seed() -> dict[str, object]:
    """The stage as a seed file of the sandbox; the bot is made administrator by `admit_bot`."""
    return stage.seed(SOURCES, DESTINATIONS)


async def admit_bot(telegram: Telegram) -> None:
    """Make the bot an administrator where it posts."""
    for chat in BOT_DESTINATIONS:
        await telegram.control.call(
            "promote",
            account=telegram.users[stage.OWNER],
            chat=telegram.chats[chat.key],
            who=telegram.bot,
            rights=RIGHTS,
        )


def ways(telegram: Telegram, route: Route) -> dict[Way, Lane]:
    """The lanes of a route by the chats' ids."""
    return {
        Way(telegram.chats[lane.source], telegram.chats[lane.destination], lane.mode): lane
        for lane in LANES
        if lane.route is route
    }


async def set_up(house: House) -> dict[int, Lane]:
    """Channels and mappings, by the services that the control bot uses; the lanes by their mappings' numbers."""
    await _registered(house.db)
    bot = make_bot(house.telegram.bot_token, house.telegram.bot_api, connections=4)
    try:
        channels = ChannelService(house.db, BotDirectory(bot), AccountDesk(house.db))
        mappings, rules = MappingService(house.db), RuleService(house.db)
        views: dict[str, ChannelView] = {}
        for chat in (*SOURCES, *DESTINATIONS):
            views[chat.key] = await _add(channels, chat, house.telegram.chats[chat.key])
        starts = {chat.key: await channels.start_id(views[chat.key].id) for chat in SOURCES}
        made = {}
        for lane in LANES:
            mapping = await mappings.create(
                views[lane.source].id,
                views[lane.destination].id,
                mode=lane.mode,
                route=lane.route,
                start_after=starts[lane.source],
                settings=MappingSettings(when_unsure=lane.when_unsure),
            )
            if lane.ruling is not None:
                await rules.replace(Owner("mapping", mapping.id), lane.ruling.to_json())
            made[mapping.id] = lane
        return made
    finally:
        await bot.shutdown()
        await bot.request.shutdown()


async def _add(channels: ChannelService, chat: Chat, chat_id: int) -> ChannelView:
    """Add a chat and ask again until every account of ours that is in it has answered."""
    is_source = chat in SOURCES
    wanted = {
        kind for kind, there in ((AccountKind.BOT, chat.bot), (AccountKind.USER, chat.account)) if there
    }
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            view = await channels.add(str(chat_id), as_source=is_source, as_destination=not is_source)
            able = {kind for kind in wanted if (rights := view.rights(kind)) and rights.may_read}
            if able == wanted:
                return view
            reason = f"only {', '.join(able) or 'nobody'} answered"
        except ForwarderError as error:
            reason = str(error)
        if asyncio.get_running_loop().time() > deadline:
            raise ForwarderError(f"{chat.title} could not be set up: {reason}.")


async def _registered(db: Database) -> None:
    accounts = AccountService(db)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while {account.kind for account in await accounts.list()} != set(AccountKind):
        if asyncio.get_running_loop().time() > deadline:
            raise ForwarderError("The forwarder's accounts did not sign in.")
        await asyncio.sleep(0.1)
