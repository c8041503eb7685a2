"""After an old backup: what was sent since is found and recorded, what is unclear is held, the rest is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.comparing.reading import Read
from forwarder.comparing.restored import Compared, Restoration, pause, proven_empty
from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import AccountKind
from forwarder.services.mappings import MappingService
from tests import builders
from tests.builders import House
from tests.integration.carriers import Street
from tests.integration.desk import DIGEST, NEWS, Chats, no_wait, post

BOT = AccountKind.BOT


@pytest.fixture
def chats(street: Street) -> Chats:
    return Chats(street)


def restoration(core: House, chats: Chats) -> Restoration:
    return Restoration(core.db, chats, core.ingest, MappingService(core.db), no_wait)


async def sent_and_forgotten(core: House, street: Street, chats: Chats) -> int:
    """Posts 1 to 5 (3 and 4 are an album) were sent by the bot; the rows know nothing after post 2."""
    mapping = await core.mapping(NEWS, DIGEST, by=BOT)
    await core.hear(*chats.post(post(1), post(2), *builders.album("a", 3, 4, chat=NEWS), post(5)))
    await street.carrier(street.sender(BOT)).carry(mapping)
    chats.see()
    await core.run("delete from copies where source_message_id > 2")
    await core.run("delete from deliveries where position > 2")
    await core.run("delete from messages where message_id > 2")
    await core.run("delete from posts where position > 2")
    await core.run("update marks set mark = 2, known = '{}'")
    await core.run("delete from fingerprints")
    return mapping


async def test_what_was_sent_is_recorded_and_only_the_rest_is_sent(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await sent_and_forgotten(core, street, chats)
    chats.post(post(6))
    assert await pause(core.db) == 1
    again = restoration(core, chats)
    compared = await again.compare()
    assert compared == (Compared(mapping, found=2, left=1),)
    assert [state for _, state in await core.states(mapping)] == ["sent", "sent", "sent", "sent", "held"]
    assert await again.compare() == (Compared(mapping, left=1),)
    await street.carrier(street.sender(BOT)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4, 5]
    assert (await again.go_on(compared))[0].problem is None
    await street.carrier(street.sender(BOT)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4, 5, 6]
    assert street.chat.doubled == []


async def test_a_post_that_was_queued_in_the_backup_and_sent_after_it_is_found(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await core.mapping(NEWS, DIGEST, by=BOT)
    await core.hear(*chats.post(post(1), post(2)))
    await street.carrier(street.sender(BOT)).carry(mapping)
    chats.see()
    await core.run("delete from copies")
    await core.run(
        "update deliveries set state = 'queued', done_at = null, sent_ids = null where position = 1"
    )
    await core.run(
        "update deliveries set state = 'sending', done_at = null, sent_ids = null where position = 2"
    )
    await pause(core.db)
    assert await restoration(core, chats).compare() == (Compared(mapping, found=2),)
    assert await core.states(mapping) == [(1, "sent"), (2, "sent")]


async def test_what_may_be_a_copy_of_an_earlier_text_is_held_for_a_person(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await sent_and_forgotten(core, street, chats)
    later = datetime.now(UTC) + timedelta(minutes=1)
    chats.post(replace(chats.source[5], text="it says something else now", edit_date=later))
    await pause(core.db)
    assert await restoration(core, chats).compare() == (Compared(mapping, found=1, doubtful=1),)
    [last] = [row for row in await core.deliveries(mapping) if row["position"] == 5]
    assert (last["state"], last["reason"], last["unsettled"]) == ("held", "unsure", True)


async def test_a_half_sent_album_is_held_for_a_person(core: House, street: Street, chats: Chats) -> None:
    mapping = await sent_and_forgotten(core, street, chats)
    chats.lose(next(c for c, m in chats.there.items() if m.media_id == chats.source[4].media_id))
    await pause(core.db)
    assert await restoration(core, chats).compare() == (Compared(mapping, found=1, doubtful=1),)


async def test_what_cannot_be_read_stays_paused_and_says_why(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await sent_and_forgotten(core, street, chats)
    await pause(core.db)
    again = restoration(core, chats)
    chats.errors = [TelegramError("CHANNEL_PRIVATE", code=400)]
    compared = await again.go_on(await again.compare())
    assert "can read" in (compared[0].problem or "")
    assert (await MappingService(core.db).get(mapping)).reason == "restored"


async def test_a_mapping_that_a_person_has_paused_is_compared_but_not_resumed(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await sent_and_forgotten(core, street, chats)
    await MappingService(core.db).pause(mapping)
    assert await pause(core.db) == 0
    again = restoration(core, chats)
    compared = await again.go_on(await again.compare())
    assert compared == (Compared(mapping, found=2),)
    assert (await MappingService(core.db).get(mapping)).reason == "paused"


async def test_without_a_pause_nothing_is_compared(core: House, street: Street, chats: Chats) -> None:
    await core.run("delete from audit_log")
    with pytest.raises(InvalidRequest, match="db restored"):
        await restoration(core, chats).compare()


def test_an_id_is_proven_empty_only_below_an_old_message() -> None:
    now = datetime.now(UTC)
    old, young = post(5, date=now - timedelta(minutes=1)), post(9, date=now)
    assert proven_empty(Read(1, 12, (old, young), empty=(3, 7, 11), elsewhere=(4,)), now) == (3, 4)


async def test_the_window_of_what_was_found_begins_then(core: House, street: Street, chats: Chats) -> None:
    mapping = await core.mapping(NEWS, DIGEST, by=BOT)
    await core.hear(*chats.post(post(1)))
    await street.carrier(street.sender(BOT)).carry(mapping)
    chats.see()
    await core.run("delete from copies")
    await core.run("update deliveries set state = 'queued', done_at = null, sent_ids = null")
    # It had waited for thirty hours when the backup was made.
    await core.run("update fingerprints set until = clock_timestamp() - interval '6 hours'")
    await pause(core.db)
    assert (await restoration(core, chats).compare())[0].found == 1
    other = await core.mapping(builders.OTHER, DIGEST)
    await core.hear(post(1, chats.source[1].text, chat=builders.OTHER))
    assert await core.states(other) == [(1, "duplicate")]
