"""What went wrong reaches the people who can mend it, in the bot, and one tap lets the posts go on."""

from __future__ import annotations

import asyncio

from forwarder.message import AccountKind, Mode, Route
from forwarder.sandbox.person import Person
from forwarder.services.accounts import AccountService

from .conftest import PATIENCE, POSTER, Town, eventually, said, shown


def tellings(town: Town, person: Person, words: str) -> int:
    """How many of the bot's messages say this."""
    return len(said(person.screen(town.robot), words))


async def test_a_lost_right_is_told_with_its_remedy_and_one_tap_sends_what_was_held(
    town: Town, olga: Person
) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    await shown(town, olga, "Message forwarder")
    await town.map(source, target, Mode.COPY, Route.USER)
    town.post(source, "before")
    await eventually(lambda: town.texts(target) == ["before"])

    town.world.promote(town.owner, target, town.user, frozenset())
    town.post(source, "one")
    town.post(source, "two")
    card = await shown(town, olga, "is paused")
    assert all(part in card.text for part in ("News → Copies", "Reason:", "What to do:"))
    assert card.labels() == ["▶️ Resume and send", "⏭ Resume and skip", "🔀 Open the mapping"]

    town.world.promote(town.owner, target, town.user, POSTER)
    town.post(source, "three")
    await olga.press(town.robot, "▶️ Resume and send")
    await eventually(lambda: town.texts(target) == ["before", "one", "two", "three"])
    # The card becomes the mapping's own, and there was but one.
    await eventually(lambda: tellings(town, olga, "is paused") == 0)


async def test_protection_switched_on_holds_queued_posts_until_it_is_lifted(town: Town, olga: Person) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "bot", "user-worker", "beat")
    await shown(town, olga, "Message forwarder")
    await town.map(source, target, Mode.COPY, Route.BOT)
    town.post(source, "queued before the protection")
    await eventually(lambda: town.counted("deliveries"))
    town.world.change_chat(town.owner, source, protected=True)
    await eventually(lambda: town.counted("channels where protected"))

    others = town.supervisor
    assert others is not None
    try:
        await town.start("worker")
        await shown(town, olga, "is paused")
        assert tellings(town, olga, "the source protects its content") == 1
        assert town.texts(target) == [], "Telegram would let the bot copy it"
        await olga.press(town.robot, "▶️ Resume and send")
        await olga.wait_screen(town.robot, lambda screen: "protects its content" in screen.toast, PATIENCE)

        town.world.change_chat(town.owner, source, protected=False)
        await olga.press(town.robot, "▶️ Resume and send")
        await eventually(lambda: town.texts(target) == ["queued before the protection"])
    finally:
        await asyncio.to_thread(others.stop)


async def nothing_to_tell(town: Town) -> bool:
    return not await town.counted("notices where done_at is null")


async def test_a_listener_that_is_signed_out_is_told_of_once(town: Town, olga: Person) -> None:
    await AccountService(town.db).register(AccountKind.USER, town.user, "uwe_user")
    logins = town.sandbox.mtproto.logins
    ended = [login for login in town.sandbox.mtproto.keys.logins.values() if login.account == town.user]
    for login in ended:
        logins.log_out(login)

    await town.start("ingest", "bot")
    card = await shown(town, olga, "is signed out")
    assert "manage.py login" in card.text

    def looks_again() -> bool:
        """It does when somebody has written its file, and finds no login either."""
        (town.folder / "sessions" / "user.session").touch()
        return any(login.device for login in ended)

    for _ in range(2):
        for login in ended:
            login.device = ""
        await eventually(looks_again)
    await eventually(lambda: nothing_to_tell(town))
    assert tellings(town, olga, "is signed out") == 1
