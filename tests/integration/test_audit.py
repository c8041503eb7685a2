"""An audit tells the truth whatever our rows say, and what it mends is mended by ordinary deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder.comparing.audit import Auditor
from forwarder.comparing.mending import Mended, Mender
from forwarder.comparing.report import Audit
from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import AccountKind, Edited
from forwarder.outbox import ended_without_success
from forwarder.services.rules import Owner, RuleService
from tests import builders
from tests.builders import OTHER, House
from tests.integration.carriers import Street
from tests.integration.desk import ARCHIVE, DIGEST, NEWS, Chats, no_wait, post

USER = AccountKind.USER
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def chats(street: Street) -> Chats:
    return Chats(street)


async def audited(core: House, chats: Chats, mapping: int, since: datetime | None = None) -> Audit:
    return await Auditor(core.db, chats, no_wait).audit(mapping, since)


async def mend(core: House, chats: Chats, found: Audit, *, delete: bool = True) -> Mended:
    return await Mender(core.db, chats, core.ingest, chats.street.places).mend(found, delete=delete)


async def five_sent(core: House, street: Street, chats: Chats, **values: Any) -> int:
    """Two posts, an album of two, and a post; heard, sent, and standing in the destination."""
    mapping = await core.mapping(NEWS, DIGEST, **values)
    await core.hear(*chats.post(post(1), post(2), *builders.album("a", 3, 4, chat=NEWS), post(5)))
    await street.carrier(street.sender(USER)).carry(mapping)
    chats.see()
    return mapping


async def test_where_all_is_well_the_numbers_are_equal(core: House, street: Street, chats: Chats) -> None:
    mapping = await five_sent(core, street, chats)
    found = await audited(core, chats, mapping)
    assert (found.posts, found.copies, found.good) == (4, 4, True)


async def test_it_tells_the_truth_though_our_rows_have_forgotten_the_copies(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    await core.run("delete from copies")
    found = await audited(core, chats, mapping)
    assert (found.posts, found.copies, len(found.missing), len(found.doubles)) == (4, 4, 0, 0)
    assert len(found.unrecorded) == 4
    assert (await mend(core, chats, found)).recorded == 4
    assert (await audited(core, chats, mapping)).good
    assert len(await core.run("select 1 from copies")) == 5


async def test_the_second_message_of_a_text_that_rules_have_split_is_no_double(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await core.mapping(NEWS, DIGEST)
    for rule in ({"footer": "below"}, {"too_long": "split"}):
        await RuleService(core.db).add(Owner("mapping", mapping), rule)
    await core.hear(*chats.post(replace(post(1), text=("word " * 819).strip())))
    await street.carrier(street.sender(USER)).carry(mapping)
    chats.see()
    [_, rest] = sorted(chats.there)
    chats.there[rest] = replace(chats.there[rest], text="below")
    found = await audited(core, chats, mapping)
    assert (found.posts, found.copies, found.doubles, found.good) == (1, 1, (), True)


@pytest.mark.parametrize("for_good", [False, True])
async def test_a_text_that_rules_have_split_does_not_count_as_sent_after_its_first_message(
    core: House, street: Street, chats: Chats, for_good: bool
) -> None:
    mapping = await core.mapping(NEWS, DIGEST)
    for rule in ({"footer": "below"}, {"too_long": "split"}):
        await RuleService(core.db).add(Owner("mapping", mapping), rule)
    await core.hear(*chats.post(replace(post(1), text=("word " * 819).strip())))
    sender = street.sender(USER)
    name, seconds = ("SOMETHING_NEW", None) if for_good else ("FLOOD_WAIT", 5)
    sender.before.extend([None, TelegramError(name, code=400, seconds=seconds)])
    await street.carrier(sender).carry(mapping)
    chats.see()
    found = await audited(core, chats, mapping)
    assert (found.posts, len(found.partial), found.unrecorded, found.good) == (
        1, int(for_good), (), not for_good,
    )  # fmt: skip
    await mend(core, chats, found)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["sent_ids"]) == ("failed" if for_good else "queued", [500])
    if for_good:
        await street.queue.send_again(row["id"])
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await street.carrier(sender).carry(mapping)
    assert (await core.states(mapping), len(street.chat.arrived)) == ([(1, "sent")], 2)


@pytest.mark.parametrize("gone", ["the post", "its first message"])
async def test_the_second_message_of_a_text_that_rules_have_split_goes_with_its_first(
    core: House, street: Street, chats: Chats, gone: str
) -> None:
    mapping = await core.mapping(NEWS, DIGEST)
    for rule in ({"footer": "below"}, {"too_long": "split"}):
        await RuleService(core.db).add(Owner("mapping", mapping), rule)
    await core.hear(*chats.post(replace(post(1), text=("word " * 819).strip()), post(2)))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    chats.see()
    [first, rest, _] = sorted(chats.there)
    chats.there[rest] = replace(chats.there[rest], text="below")
    if gone == "the post":
        del chats.source[1]  # and nobody of ours has heard of that
    else:
        chats.lose(first)
    found = await audited(core, chats, mapping)
    assert (len(found.missing), found.doubles) == (int(gone == "its first message"), ())
    await mend(core, chats, found)
    assert rest not in chats.there
    await street.carrier(sender).carry(mapping)
    chats.see()
    assert len(chats.there) == (1 if gone == "the post" else 3), (
        "what is sent again has its two messages, once"
    )


async def test_it_tells_the_truth_though_our_rows_say_sent(core: House, street: Street, chats: Chats) -> None:
    mapping = await five_sent(core, street, chats)
    [second] = [copy for copy, message in chats.there.items() if message.text == chats.source[2].text]
    chats.lose(second)
    found = await audited(core, chats, mapping)
    assert [(lack.post[0].message_id, lack.reason) for lack in found.missing] == [(2, "copy_gone")]
    assert (await mend(core, chats, found)).queued == 1
    await street.carrier(street.sender(USER)).carry(mapping)
    chats.see()
    assert (await audited(core, chats, mapping)).good
    assert sorted(chats.texts()) == sorted(message.text for message in chats.source.values())


async def test_a_post_that_waits_is_not_missing_and_one_without_a_delivery_is(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    await core.hear(*chats.post(post(6)))
    chats.post(post(7))  # not heard so far
    found = await audited(core, chats, mapping)
    assert (found.waiting, found.missing) == (2, ())
    await core.run("delete from deliveries where position in (5, 6)")
    await core.run("delete from copies where source_message_id = 5")
    [last] = [copy for copy, message in chats.there.items() if message.text == chats.source[5].text]
    chats.lose(last)
    found = await audited(core, chats, mapping)
    assert [lack.reason for lack in found.missing] == ["never_queued", "never_queued"]
    assert (await mend(core, chats, found)).queued == 2
    assert [row["class"] for row in await core.deliveries(mapping) if row["state"] == "queued"] == [2, 2]


async def test_what_was_decided_is_explained(core: House, street: Street, chats: Chats) -> None:
    mapping = await five_sent(core, street, chats)
    await core.hear(*chats.post(post(6), post(7)))
    await core.set_state(mapping, "sent")
    await core.run("update deliveries set state = 'filtered', reason = 'words' where position = 6;")
    await core.run("update deliveries set state = 'withdrawn', reason = 'skipped' where position = 7")
    found = await audited(core, chats, mapping)
    assert (found.posts, found.good) == (4, True)
    assert found.explained == {"skipped": 1, "words": 1}


async def test_doubles_and_strays_are_deleted_only_when_that_is_wanted(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    before = chats.texts()
    chats.put(600, chats.source[1])
    chats.put(601, post(9, "people talk"))
    found = await audited(core, chats, mapping)
    assert [(one.source, one.copy) for one in found.doubles] == [(1, 600)]
    assert (await mend(core, chats, found, delete=False)).deleted == 0
    assert (await mend(core, chats, await audited(core, chats, mapping))).deleted == 1
    assert chats.texts() == [*before, "people talk"]
    gone = chats.source.pop(1)
    stray = await audited(core, chats, mapping)
    assert [one.source for one in stray.strays] == [1]
    await mend(core, chats, stray)
    assert gone.text not in chats.texts()


async def test_a_copy_out_of_date_is_edited_by_a_delivery(core: House, street: Street, chats: Chats) -> None:
    mapping = await five_sent(core, street, chats)
    chats.post(replace(chats.source[2], text="corrected", edit_date=datetime.now(UTC)))
    found = await audited(core, chats, mapping)
    assert [one.source for one in found.stale] == [2]
    assert (await mend(core, chats, found)).edited == 1
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [order.text for order in sender.edits] == ["corrected"]


async def test_an_edit_that_is_on_its_way_is_not_called_out_of_date(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    [edited] = chats.post(replace(chats.source[2], text="corrected", edit_date=datetime.now(UTC)))
    await core.hear(Edited(edited))
    assert (await audited(core, chats, mapping)).good


async def test_posts_that_we_never_heard_are_left_to_a_backfill(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    await core.run("update marks set mark = 8")
    chats.post(post(7), post(8))
    mended = await mend(core, chats, await audited(core, chats, mapping))
    assert (mended.queued, mended.unheard) == (0, (7, 8))


async def test_only_posts_since_a_time_are_read(core: House, street: Street, chats: Chats) -> None:
    mapping = await core.mapping(NEWS, DIGEST, start_after=1497)
    old = [post(number, date=LONG_AGO + timedelta(minutes=number)) for number in range(1, 1500)]
    await core.hear(*chats.post(*old[-2:]), *chats.post(post(1500)))
    chats.post(*old)
    await street.carrier(street.sender(USER)).carry(mapping)
    chats.see()
    found = await audited(core, chats, mapping, datetime.now(UTC) - timedelta(hours=1))
    assert (found.posts, found.copies, found.good) == (1, 1, True)
    assert chats.pages < 40


async def test_a_bot_that_may_not_ask_for_the_newest_id_finds_it(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    chats.silent_about_tops = True
    assert (await audited(core, chats, mapping)).good


async def test_a_wait_is_sat_out_and_a_closed_chat_is_a_sentence(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    chats.errors = [
        TelegramError("FLOOD_WAIT", code=420, seconds=3),
        TelegramError("RPC_CALL_FAIL", code=500),
    ]
    assert (await audited(core, chats, mapping)).good
    chats.errors = [TelegramError("CHANNEL_PRIVATE", code=400)]
    with pytest.raises(InvalidRequest, match="can read"):
        await audited(core, chats, mapping)


async def test_a_message_that_cannot_be_read_is_never_taken_for_one_that_is_missing(
    core: House, street: Street, chats: Chats
) -> None:
    mapping = await five_sent(core, street, chats)
    chats.odd = {max(chats.there)}
    with pytest.raises(InvalidRequest, match="cannot read"):
        await audited(core, chats, mapping)


async def test_a_mapping_that_is_unknown_or_disabled_is_refused(
    core: House, street: Street, chats: Chats
) -> None:
    with pytest.raises(InvalidRequest, match="no mapping"):
        await audited(core, chats, 0)
    mapping = await five_sent(core, street, chats)
    await core.run("update mappings set state = 'disabled' where id = :id", id=mapping)
    with pytest.raises(InvalidRequest, match="disabled"):
        await mend(core, chats, await audited(core, chats, mapping))


async def test_copies_of_another_mapping_are_left_alone(core: House, street: Street, chats: Chats) -> None:
    mapping = await five_sent(core, street, chats, dedup="off")
    other = await core.mapping(ARCHIVE, DIGEST, dedup="off")
    await core.hear(post(1, chats.source[1].text, chat=ARCHIVE))
    await street.carrier(street.sender(USER)).carry(other)
    [copy] = [
        row["message_id"] for row in await core.run("select * from copies where mapping_id = :o", o=other)
    ]
    chats.put(copy, chats.source[1])
    assert (await audited(core, chats, mapping)).good


async def repeated(core: House, street: Street, chats: Chats, state: str) -> tuple[int, int]:
    """Post 1 of a mapping failed, and another source's repeat of it has its place; answers that mapping and the
    other's."""
    mapping, other = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(*chats.post(post(1)))
    await core.hear(post(1, chats.source[1].text, chat=OTHER))
    [row] = await core.deliveries(mapping)
    await core.set_state(mapping, "failed", reason="content_limit")
    async with core.db.begin() as session:
        await ended_without_success(session, [row["id"]])
    await core.set_state(other, state)
    return mapping, other


@pytest.mark.parametrize("state", ["queued", "sent"])
async def test_what_the_destination_gets_from_another_source_is_not_sent_beside_it(
    core: House, street: Street, chats: Chats, state: str
) -> None:
    mapping, other = await repeated(core, street, chats, state)
    found = await audited(core, chats, mapping)
    assert [lack.reason for lack in found.missing] == ["content_limit"]
    mended = await mend(core, chats, found)
    assert (mended.queued, mended.repeats) == (0, 1)
    [row], [first] = await core.deliveries(mapping), await core.deliveries(other)
    assert (row["state"], row["duplicate_of"]) == ("duplicate", first["id"])
    again = await audited(core, chats, mapping)
    assert (again.missing, again.explained) == ((), {"same_content": 1})


async def test_what_was_not_sent_beside_another_goes_when_that_ends_unsent(
    core: House, street: Street, chats: Chats
) -> None:
    mapping, other = await repeated(core, street, chats, "queued")
    await mend(core, chats, await audited(core, chats, mapping))
    [row] = await core.deliveries(other)
    await core.set_state(other, "failed", reason="content_limit")
    async with core.db.begin() as session:
        await ended_without_success(session, [row["id"]])
    assert await core.states(mapping) == [(1, "queued")]


@pytest.mark.parametrize("lost", ["delivery", "copy", "neither"])
async def test_a_repeat_of_what_is_queued_again_is_a_duplicate_of_it(
    core: House, street: Street, chats: Chats, lost: str
) -> None:
    mapping, other = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(*chats.post(post(1)))
    if lost == "copy":
        await street.carrier(street.sender(USER)).carry(mapping)
    await core.run("delete from fingerprints")
    if lost == "delivery":
        await core.run("delete from deliveries")
    elif lost == "neither":
        await core.set_state(mapping, "failed", reason="content_limit")
    mended = await mend(core, chats, await audited(core, chats, mapping))
    assert (mended.queued, mended.repeats) == (1, 0)
    [row] = await core.deliveries(mapping)
    await core.hear(post(1, chats.source[1].text, chat=OTHER))
    [copy] = await core.deliveries(other)
    assert (row["state"], copy["state"], copy["duplicate_of"]) == ("queued", "duplicate", row["id"])


@pytest.mark.parametrize("state", ["failed", "held"])
async def test_what_is_found_there_is_known_there_from_then_on(
    core: House, street: Street, chats: Chats, state: str
) -> None:
    mapping, other = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(*chats.post(post(1)))
    # It waited for thirty hours before its call.
    await core.run("update fingerprints set until = clock_timestamp() - interval '6 hours'")
    [row] = await core.deliveries(mapping)
    await core.set_state(mapping, state, reason="unsure")
    async with core.db.begin() as session:
        await ended_without_success(session, [row["id"]])
    chats.put(500, chats.source[1])
    assert (await mend(core, chats, await audited(core, chats, mapping))).recorded == 1
    await core.hear(post(1, chats.source[1].text, chat=OTHER))
    assert (await core.states(mapping), await core.states(other)) == ([(1, "sent")], [(1, "duplicate")])
