"""Setting up through the control bot, as a person would: every channel and mapping by its buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from forwarder.demo import stage
from forwarder.demo.hand import Hand, latest, newer
from forwarder.demo.house import Telegram
from forwarder.message import Mode

PICKER = "📢 Pick a channel"
MODES = {Mode.FORWARD: "↪️ Forward", Mode.COPY: "📄 Copy"}
SIDES = {
    "source": ("📥 Sources", "➕ Add a source", "New source", "is a source now"),
    "destination": ("📤 Destinations", "➕ Add a destination", "New destination", "is a destination now"),
}
BY_FORWARD = frozenset({"science"})
BY_ID = frozenset({"partner"})


async def set_up(telegram: Telegram, say: Callable[[str], None]) -> None:
    """All channels and mappings of the stage. Raises ForwarderError with the bot's words on a refusal."""
    owner = telegram.control.person(telegram.users[stage.OWNER])
    hand = Hand(owner, telegram.bot)
    await hand.type("/start", latest("📥 Sources"))
    for side, chats in (("source", stage.SOURCES), ("destination", stage.DESTINATIONS)):
        await add_all(hand, telegram, side, chats, say)
    await hand.type("/start", latest("🔀 Mappings", "➕ New mapping"))
    for batch in batches():
        await map_together(hand, *batch)
        say(f"  mapped by {batch[2]}: {', '.join(batch[0])} -> {', '.join(batch[1])}")


async def add_all(
    hand: Hand, telegram: Telegram, side: str, chats: Iterable[stage.Chat], say: Callable[[str], None]
) -> None:
    opens, adds, asks, added = SIDES[side]
    await hand.type("/start", latest(opens))
    screen = await hand.press(opens, latest(adds))
    assert screen.last is not None
    listed = screen.last.id
    for chat in chats:
        before = max(message.id for message in (await hand.screen()).messages)
        await hand.press(adds, newer(before, asks), under=listed)
        done = newer(before, f"{chat.title} {added}")
        if chat.key in BY_FORWARD:
            owner = telegram.users[stage.OWNER]
            post = await telegram.control.post(owner, telegram.chats[chat.key], {"text": "Welcome."})
            await hand.forward(telegram.chats[chat.key], post[0], done)
            how = "a forwarded post"
        elif chat.bot and (side == "destination" or chat.username is None):
            await hand.share(PICKER, telegram.chats[chat.key], done)
            how = "the chat picker"
        else:
            how = reference(telegram, chat)
            await hand.type(how, done)
        say(f"  {side} {chat.title}: added by {how}")


def reference(telegram: Telegram, chat: stage.Chat) -> str:
    """What a person would type to name the chat."""
    if chat.username is not None:
        return f"@{chat.username}"
    return str(telegram.chats[chat.key]) if chat.key in BY_ID else telegram.invites[chat.key]


Batch = tuple[tuple[str, ...], tuple[str, ...], Mode]


def batches() -> list[Batch]:
    """The mappings in as few goes as the bot's dialog allows: sources times destinations, one mode each."""
    goes: dict[tuple[Mode, tuple[str, ...]], list[str]] = {}
    for source in stage.SOURCES:
        for mode in Mode:
            there = tuple(
                one.destination for one in stage.MAPPINGS if (one.source, one.mode) == (source.key, mode)
            )
            if there:
                goes.setdefault((mode, there), []).append(source.key)
    return [(tuple(sources), there, mode) for (mode, there), sources in goes.items()]


async def map_together(
    hand: Hand, sources: tuple[str, ...], destinations: tuple[str, ...], mode: Mode
) -> None:
    titles = {chat.key: chat.title for chat in (*stage.SOURCES, *stage.DESTINATIONS)}
    await hand.press("➕ New mapping", latest("1 of 4"))
    for key in sources:
        await hand.press(f"▫️ {titles[key]}", latest("1 of 4", f"☑️ {titles[key]}"))
    await hand.press("Next (", latest("2 of 4"))
    for key in destinations:
        await hand.press(f"▫️ {titles[key]}", latest("2 of 4", f"☑️ {titles[key]}"))
    await hand.press("Next (", latest("3 of 4"))
    await hand.press(MODES[mode], latest("4 of 4"))
    await hand.press("✅ Create", latest(f"Created: {len(sources) * len(destinations)} "))
