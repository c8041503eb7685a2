"""The main menu, help, and the settings."""

from __future__ import annotations

from dataclasses import replace

from telegram import ReplyKeyboardRemove

from forwarder.bot.cb import (
    Cancel,
    NewMapping,
    Nothing,
    OpenAdmin,
    OpenChannels,
    OpenHelp,
    OpenMappings,
    OpenMenu,
    OpenSettings,
    SetAlerts,
    SetLanguage,
    Side,
)
from forwarder.bot.keyboards import rows
from forwarder.bot.review_presses import OpenReviews
from forwarder.bot.texts import Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.models import Language
from forwarder.services.users import Person


async def open_menu(visit: Visit, press: OpenMenu) -> None:
    await visit.show(await menu(visit))


async def menu(visit: Visit) -> Screen:
    texts, services = visit.texts, visit.services
    counts = texts(
        "menu.counts",
        sources=(await services.channels.list(0, 1, Side.SOURCE)).total,
        destinations=(await services.channels.list(0, 1, Side.DESTINATION)).total,
        mappings=(await services.mappings.list(0, 1)).total,
    )
    waiting = await services.reviews.count()
    return Screen(
        texts.lines(texts("menu"), "", counts),
        rows(
            [
                (texts.plain("button.sources"), OpenChannels(Side.SOURCE)),
                (texts.plain("button.destinations"), OpenChannels(Side.DESTINATION)),
            ],
            [(texts.plain("button.reviews", n=waiting), OpenReviews())] if waiting else None,
            [(texts.plain("button.mappings"), OpenMappings())],
            [(texts.plain("button.new_mapping"), NewMapping())] if visit.person.may_change else None,
            [
                (texts.plain("button.settings"), OpenSettings()),
                (texts.plain("button.help"), OpenHelp()),
            ],
            [(texts.plain("button.admin"), OpenAdmin())] if visit.person.administrates else None,
        ),
    )


async def start(visit: Visit) -> None:
    """``/start``: the menu as a new message; a dialog that was open is left."""
    if await visit.dialog() is not None:
        await visit.remember(None)
        await visit.say(visit.texts("cancelled"), ReplyKeyboardRemove())
    screen = await menu(visit)
    await visit.say(screen.text, screen.keyboard)


async def open_help(visit: Visit, press: OpenHelp) -> None:
    await visit.show(Screen(visit.texts("help"), rows([(visit.texts.plain("button.menu"), OpenMenu())])))


async def cancel(visit: Visit, press: Cancel) -> None:
    """The button under a screen: the dialog ends, and the menu stands in its place."""
    await visit.remember(None)
    visit.alert(visit.texts.plain("cancelled"))
    await visit.show(await menu(visit))


async def cancel_by_text(visit: Visit) -> None:
    """``/cancel``, or the button of the reply keyboard."""
    open_dialog = await visit.dialog() is not None
    await visit.remember(None)
    await visit.say(visit.texts("cancelled" if open_dialog else "nothing_to_cancel"), ReplyKeyboardRemove())
    screen = await menu(visit)
    await visit.say(screen.text, screen.keyboard)


async def open_settings(visit: Visit, press: OpenSettings) -> None:
    await visit.show(settings(visit.texts, visit.person))


def settings(texts: Texts, person: Person) -> Screen:
    """Alerts are for administrators; what concerns a mapping of one's own is always told."""
    alerts = "on" if person.alerts else "off"
    other = "off" if person.alerts else "on"
    return Screen(
        texts.lines(texts("settings"), texts(f"settings.alerts.{alerts}") if person.administrates else None),
        rows(
            [(texts.plain(f"button.language.{language}"), SetLanguage(language)) for language in Language],
            [(texts.plain(f"button.alerts.{other}"), SetAlerts(not person.alerts))]
            if person.administrates
            else None,
            [(texts.plain("button.menu"), OpenMenu())],
        ),
    )


async def set_language(visit: Visit, press: SetLanguage) -> None:
    await visit.services.users.set_language(visit.actor, press.language)
    visit.texts = Texts(press.language)
    visit.alert(visit.texts.plain("settings.language"))
    await visit.show(settings(visit.texts, visit.person))


async def set_alerts(visit: Visit, press: SetAlerts) -> None:
    visit.must_administrate()
    await visit.services.users.set_alerts(visit.actor, press.on)
    visit.person = replace(visit.person, alerts=press.on)
    await visit.show(settings(visit.texts, visit.person))


async def nothing(visit: Visit, press: Nothing) -> None:
    """The press is answered, and that is all."""
