"""How much may be sent: the windows of each kind of account, their presets, and limits of one's own.

The published limits are in telegram-facts (the Bots FAQ): about 30 messages a second overall, 1 a second
and 20 a minute in one group or channel. They count messages: an album of ten takes ten places. Telegram
publishes nothing for user accounts; people report waits above 200 forwards a minute and after two thousand
in a row, and bans of young accounts for less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MARGIN = 0.035
"""Seconds by which slots are further apart than they need be, for the ways of calls vary."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` messages in any ``seconds``."""

    limit: int
    seconds: float

    @property
    def length(self) -> float:
        """Seconds that we keep to: longer than Telegram's, for the network between our clock and its.

        A call is counted when it arrives. How late it arrives varies by milliseconds, whatever the length.
        """
        return self.seconds * 1.003 + MARGIN


@dataclass(frozen=True, slots=True)
class Limits:
    """The windows of one kind of account: over all chats, in one chat, and for edits in one chat."""

    account: tuple[Window, ...] = ()
    chat: tuple[Window, ...] = ()
    edits: tuple[Window, ...] = ()

    def scaled(self, factor: float) -> Limits:
        """Limits ``factor`` times as high, for a sandbox whose own limits are scaled so."""

        def stretch(windows: tuple[Window, ...]) -> tuple[Window, ...]:
            return tuple(Window(max(1, round(w.limit * factor)), w.seconds) for w in windows)

        return Limits(stretch(self.account), stretch(self.chat), stretch(self.edits))


@dataclass(frozen=True, slots=True)
class Tempo:
    """The limits of both kinds of account."""

    bot: Limits
    user: Limits

    def scaled(self, factor: float) -> Tempo:
        return Tempo(self.bot.scaled(factor), self.user.scaled(factor))


class Preset(StrEnum):
    NORMAL = "normal"
    CAREFUL = "careful"  # for accounts that are new to Telegram, or new to sending much
    OFF = "off"  # for a Telegram without limits: benchmarks, a test server of one's own


PER_CHAT = (Window(1, 1.0), Window(20, 60.0))

BOT_LIMITS = Limits(account=(Window(30, 1.0),), chat=PER_CHAT, edits=(Window(20, 60.0),))
USER_LIMITS = Limits(
    account=(Window(20, 1.0), Window(180, 60.0), Window(10_000, 86_400.0)),
    chat=PER_CHAT,
    edits=(Window(20, 60.0),),
)

PRESETS: Mapping[Preset, Tempo] = {
    Preset.NORMAL: Tempo(BOT_LIMITS, USER_LIMITS),
    Preset.CAREFUL: Tempo(
        Limits(
            account=(Window(15, 1.0),), chat=(Window(1, 2.0), Window(12, 60.0)), edits=(Window(10, 60.0),)
        ),
        Limits(
            account=(Window(2, 1.0), Window(40, 60.0), Window(1_000, 86_400.0)),
            chat=(Window(1, 3.0), Window(8, 60.0)),
            edits=(Window(8, 60.0),),
        ),
    ),
    Preset.OFF: Tempo(Limits(), Limits()),
}


def tempo_of(
    preset: Preset,
    *,
    scale: float = 1.0,
    bot_account: tuple[Window, ...] | None = None,
    bot_chat: tuple[Window, ...] | None = None,
    user_account: tuple[Window, ...] | None = None,
    user_chat: tuple[Window, ...] | None = None,
) -> Tempo:
    """The limits in force: the preset's, where none of one's own are given."""
    chosen = PRESETS[preset]
    bot, user = chosen.bot, chosen.user
    return Tempo(
        replace(bot, account=_or(bot_account, bot.account), chat=_or(bot_chat, bot.chat)),
        replace(user, account=_or(user_account, user.account), chat=_or(user_chat, user.chat)),
    ).scaled(scale)


def _or(own: tuple[Window, ...] | None, preset: tuple[Window, ...]) -> tuple[Window, ...]:
    return preset if own is None else own
