"""Posts that rules change are sent as the rules have made them, once, and what follows them follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from forwarder.deliver import leases
from forwarder.deliver.desk import Desk
from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import (
    AccountKind,
    Deleted,
    DeliveryKind,
    Edited,
    Entity,
    Facts,
    Heard,
    Kind,
    Mode,
    SendOrder,
    SourceMessage,
    State,
)
from forwarder.outbox import due_lanes, random_id
from forwarder.rules import Passed
from forwarder.services.mappings import MappingService
from forwarder.services.rule_context import copies_of
from forwarder.services.rules import Owner, RuleService
from forwarder.services.takeback import TakebackService
from forwarder.trial import Trial
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, photo, post
from tests.integration.carriers import ScriptedFinder, ScriptedSender, Street, killed_in_the_middle

BOT, USER = AccountKind.BOT, AccountKind.USER
FOOTER = {"footer": "— {source_title}"}
NO_CATS = {"name": "no cats", "replace": {"words": ["cat"], "with": "dog"}}
SPLIT = ({"footer": "below"}, {"too_long": "split"})
LONG = "word " * 819
"""It leaves no room for a footer in its own message."""

both = pytest.mark.parametrize("kind", [BOT, USER])


async def rules(core: House, mapping: int, *written: dict[str, Any]) -> None:
    for one in written:
        await RuleService(core.db).add(Owner("mapping", mapping), one)


FOR_NOW = TelegramError("FLOOD_WAIT", code=420, seconds=5)
FOR_GOOD = TelegramError("Bad Request: something new", code=400)


async def half_sent(core: House, street: Street, refusal: TelegramError) -> tuple[int, ScriptedSender]:
    """A mapping of the bot's and its sender; of a split post the first message is there, the second was refused."""
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender = street.sender(BOT)
    sender.before.extend([None, refusal])
    await street.carrier(sender).carry(mapping)
    return mapping, sender


def edit_of(heard: SourceMessage, words: str, minutes: int = 1) -> Edited:
    return Edited(replace(heard, text=words, edit_date=heard.date + timedelta(minutes=minutes)))


def said(sender: ScriptedSender) -> list[list[str] | None]:
    """What each call carried anew; None where the server copied."""
    return [[part.text for part in order.rewrite.parts] if order.rewrite else None for order in sender.orders]


async def test_a_post_whose_file_reference_was_stale_goes_by_itself_a_moment_later(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, FOOTER)
    await core.hear(photo(1, words="words"))
    sender = street.sender(USER)
    sender.before.append(TelegramError("FILE_REFERENCE_EXPIRED", code=400))
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["reason"], row["attempts"]) == ("queued", "file_reference_expired", 1)
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "sent")]
    assert street.chat.posts(DIGEST) == [1]


async def due(core: House) -> list[int]:
    async with core.db.begin() as session:
        return [due.mapping_id for due in await due_lanes(session)]


async def copies(core: House, mapping: int) -> list[tuple[int, int]]:
    rows = await core.run(
        "select source_message_id, message_id from copies where mapping_id = :mapping order by message_id",
        mapping=mapping,
    )
    return [(row["source_message_id"], row["message_id"]) for row in rows]


@both
async def test_a_post_goes_out_as_the_rules_made_it_and_as_trying_them_shows(
    core: House, street: Street, kind: AccountKind
) -> None:
    mapping = await core.mapping(by=kind)
    await rules(core, mapping, FOOTER, NO_CATS)
    await core.hear(post(1, "A cat sat", entities=(Entity("bold", 2, 3),)))
    sender = street.sender(kind)
    await street.carrier(sender).carry(mapping)
    [order] = sender.orders
    assert order.rewrite is not None
    [part] = order.rewrite.parts
    assert (part.text, part.entities, order.mode) == (
        f"A dog sat\n\n— Chat {NEWS}", (Entity("bold", 2, 3),), Mode.COPY,
    )  # fmt: skip
    [tried] = await Trial(core.db, mapping).last(1)
    assert isinstance(tried.outcome, Passed)
    assert (tried.outcome.parts[0].text, tried.outcome.parts[0].entities) == (part.text, part.entities)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["revision"], row["details"]) == ("sent", 3, None)


async def test_what_rules_change_goes_by_itself_and_the_others_share_calls_in_order(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, NO_CATS)
    await core.hear(*(post(n, "cat" if n == 3 else None) for n in range(1, 6)))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4, 5]
    assert [(order.message_ids, order.rewrite is not None) for order in sender.orders] == [
        ((1, 2), False), ((3,), True), ((4, 5), False),
    ]  # fmt: skip


async def test_a_forward_that_rules_change_goes_as_a_copy_where_the_mapping_allows_one(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(mode="forward")
    await rules(core, mapping, NO_CATS)
    heard = post(2, "cat")
    await core.hear(post(1), heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [order.mode for order in sender.orders] == [Mode.FORWARD, Mode.COPY]
    await core.hear(edit_of(heard, "two cat"))
    await street.carrier(sender).carry(mapping)
    assert [edit.text for edit in sender.edits] == ["two dog"]


async def test_a_forward_that_rules_change_fails_by_the_rule_where_no_copy_is_allowed(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(mode="forward", copy_fallback=False)
    await rules(core, mapping, NO_CATS)
    await core.hear(post(1, "cat"), post(2))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [2]
    [failed, _] = await core.deliveries(mapping)
    assert (failed["state"], failed["reason"], failed["details"]["rule"]) == (
        "failed", "forward_cannot_be_changed", "no cats",
    )  # fmt: skip


async def test_what_cannot_be_copied_is_not_forwarded_where_that_would_show_what_rules_took_away(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"drop_caption": True})
    await core.hear(photo(1, words="secret"))
    sender = street.sender(BOT)
    sender.before.append(TelegramError("Bad Request: message can't be copied", code=400))
    await street.carrier(sender).carry(mapping)
    assert (said(sender), street.chat.arrived) == ([[""]], [])
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["reason"]) == ("failed", "cannot_copy")


async def test_links_to_source_posts_lead_to_their_copies(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    await core.run("update channels set username = 'digest' where telegram_id = :chat", chat=DIGEST)
    await rules(core, mapping, {"source_links": True})
    sender = street.sender(USER)
    await core.hear(post(1))
    await street.carrier(sender).carry(mapping)
    [(_, copy)] = await copies(core, mapping)
    await core.hear(post(2, "see https://t.me/news/1"))
    await street.carrier(sender).carry(mapping)
    assert said(sender) == [None, [f"see https://t.me/digest/{copy}"]]


async def test_links_lead_to_copies_that_another_mapping_has_brought_to_the_same_destination(
    core: House, street: Street
) -> None:
    news, other = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    elsewhere = await core.mapping(OTHER, ARCHIVE)
    await core.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    await core.run("update channels set username = 'digest' where telegram_id = :chat", chat=DIGEST)
    for mapping in (other, elsewhere):
        await rules(core, mapping, {"source_links": True})
    sender = street.sender(USER)
    await core.hear(post(1), post(2))
    await street.carrier(sender).carry(news)
    [(_, first), (_, second)] = await copies(core, news)
    heard = post(1, "see https://t.me/news/1", chat=OTHER)
    await core.hear(heard)
    for mapping in (other, elsewhere):
        await street.carrier(sender).carry(mapping)
    wanted = f"see https://t.me/digest/{first}"
    assert said(sender)[-2:] == [[wanted], None], "readers elsewhere do not see it"
    [tried] = await Trial(core.db, other).words(heard.text)
    assert tried.rewrite is not None
    assert tried.rewrite.parts[0].text == wanted
    await core.hear(edit_of(heard, "see https://t.me/news/2 and https://t.me/news/3"))
    await street.carrier(sender).carry(other)
    assert [edit.text for edit in sender.edits] == [
        f"see https://t.me/digest/{second} and https://t.me/news/3"
    ]


async def test_of_two_copies_a_link_leads_to_the_own_one(core: House, street: Street) -> None:
    first, second = await core.mapping(), await core.mapping(source_topic=7)
    await core.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    for mapping, copy in ((first, 90), (second, 91)):
        await core.run(
            "insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)"
            " select destination_id, :copy, id, source_id, 1, 'copy', 'user' from mappings where id = :mapping",
            mapping=mapping, copy=copy,
        )  # fmt: skip
    await core.run("update channels set username = 'digest' where telegram_id = :chat", chat=DIGEST)
    for mapping, copy in ((first, 90), (second, 91)):
        async with core.db.begin() as session:
            found = await copies_of(session, mapping, [("news", 1), (NEWS, 1), ("news", 2)])
        assert found == dict.fromkeys([("news", 1), (NEWS, 1)], f"https://t.me/digest/{copy}")


async def test_an_edit_in_the_last_moment_before_a_post_is_set_sending_is_not_lost(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, NO_CATS)
    heard = post(1, "old cat")
    await core.hear(heard)
    start, edits = Desk.start, [edit_of(heard, "new cat")]

    async def start_late(desk: Desk, *arguments: Any) -> Any:
        if edits:
            await core.hear(edits.pop())
        return await start(desk, *arguments)

    monkeypatch.setattr(Desk, "start", start_late)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert said(sender) == [["new dog"]]
    assert await core.states(mapping, "edit") == []


async def test_a_call_that_was_lost_is_repeated_as_it_was_whatever_the_rules_say_now(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, NO_CATS)
    await core.hear(post(1, "cat"))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    async with killed_in_the_middle(street, carrier, sender, mapping, executed=True):
        await RuleService(core.db).remove(Owner("mapping", mapping), 1)
        await street.carrier(sender, holder="w2").carry(mapping)
    assert said(sender) == [["dog"], ["dog"]]
    assert street.chat.doubled == []
    assert (await core.states(mapping), (await core.deliveries(mapping))[0]["revision"]) == ([(1, "sent")], 2)


async def test_a_changed_copy_of_unknown_fate_is_looked_for_by_what_was_sent(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, NO_CATS)
    await core.hear(post(1, "cat"))
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)
    sender.after.append(OutcomeUnknown("TIMEOUT"))
    await street.carrier(sender, finder=finder).carry(mapping)
    await street.due_now()
    await street.carrier(sender, finder=finder).carry(mapping)
    [asked] = finder.asked
    assert [(one.texts, one.rewritten) for one in asked.remembered] == [(("dog",), True)]
    assert (len(sender.orders), await core.states(mapping)) == (1, [(1, "sent")])


async def test_a_caption_that_was_left_to_the_server_is_looked_for_as_the_source_read_by_then(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"button": {"text": "Source", "url": "https://example.org/"}})
    heard = photo(1, words="old")
    await core.hear(heard)
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)

    async def edit_meanwhile(_: SendOrder) -> None:
        await core.hear(edit_of(heard, "new"))

    sender.before.append(edit_meanwhile)
    sender.after.append(OutcomeUnknown("TIMEOUT"))
    await street.carrier(sender, finder=finder).carry(mapping)
    await street.due_now()
    await street.carrier(sender, finder=finder).carry(mapping)
    [[wanted]] = [asked.remembered for asked in finder.asked]
    assert (set(wanted.texts), wanted.rewritten) == ({"old", "new"}, False)


# --- a text that is too long for one message


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("a\tb", "a b"),
        ("\u202bword\u202c", "word"),
        ("one\r\ntwo", "one\ntwo"),
        ("a\u200e\u200e\u200fb", "a\u200c\u200c\u200fb"),
        ("word \u202c", "word"),
    ],
)
async def test_a_changed_copy_is_looked_for_as_the_bot_api_will_have_written_it(
    core: House, street: Street, written: str, reads: str
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"replace": {"words": ["cat"], "with": written}})
    await core.hear(post(1, "cat"))
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)
    sender.after.append(OutcomeUnknown("TIMEOUT"))
    await street.carrier(sender, finder=finder).carry(mapping)
    await street.called_long_ago()
    await street.due_now()
    await street.carrier(sender, finder=finder).carry(mapping)
    [wanted] = finder.asked[0].remembered
    assert reads in wanted.texts


@both
async def test_what_does_not_fit_follows_in_a_message_of_its_own(
    core: House, street: Street, kind: AccountKind
) -> None:
    mapping = await core.mapping(by=kind)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender = street.sender(kind)
    await street.carrier(sender).carry(mapping)
    [first], [second] = [texts for texts in said(sender) if texts is not None]
    assert (first, second) == (LONG.strip(), "below")
    [(_, one), (_, two)] = await copies(core, mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["sent_ids"], row["message_ids"], row["details"]) == (
        "sent",
        [one, two],
        [1],
        None,
    )
    assert [order.random_ids for order in sender.orders] == [
        (random_id(mapping, NEWS, 1, DeliveryKind.POST, 0),),
        (random_id(mapping, NEWS, 1, DeliveryKind.POST, 0, rest=True),),
    ]
    await core.hear(Deleted(NEWS, (1,)))
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(one, two)]


@both
async def test_a_second_message_that_is_refused_for_now_is_sent_later_and_the_first_not_again(
    core: House, street: Street, kind: AccountKind
) -> None:
    mapping = await core.mapping(by=kind)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()), post(2, "next"))
    sender = street.sender(kind)
    sender.before.extend([None, TelegramError("FLOOD_WAIT", code=420, seconds=5)])
    await street.carrier(sender).carry(mapping)
    [row, _] = await core.deliveries(mapping)
    assert (row["state"], row["sent_ids"]) == ("queued", [500])
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await RuleService(core.db).remove(Owner("mapping", mapping), 2)
    await street.carrier(sender).carry(mapping)
    assert [copy for _, _, copy in street.chat.arrived] == [500, 501, 502]
    assert said(sender)[2] == ["below"]
    assert await core.states(mapping) == [(1, "sent"), (2, "sent")]


async def test_a_post_that_is_deleted_between_its_two_messages_leaves_none_of_them(
    core: House, street: Street
) -> None:
    mapping, sender = await half_sent(core, street, FOR_NOW)
    await core.hear(Deleted(NEWS, (1,)))
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await street.carrier(sender).carry(mapping)
    assert [copy for _, _, copy in street.chat.arrived] == [500, 501]
    assert [order.message_ids for order in sender.deletions] == [(500, 501)]


async def test_who_has_lost_the_lane_during_the_first_call_leaves_the_second_to_its_new_holder(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    slow, quick, finder = street.sender(BOT), street.sender(BOT), ScriptedFinder(street.chat)

    async def another_goes_on(_: SendOrder) -> None:
        await street.lease_runs_out()
        await street.called_long_ago()
        await street.carrier(quick, holder="w2", finder=finder).carry(mapping)

    slow.after.append(another_goes_on)
    await street.carrier(slow).carry(mapping)
    assert [texts and texts[0] for texts in (*said(slow), *said(quick))] == [LONG.strip(), "below"]
    assert (await core.states(mapping), len(street.chat.arrived)) == ([(1, "sent")], 2)


async def test_a_lane_lost_just_after_the_first_call_keeps_that_it_was_made(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)

    async def lane_is_taken(_: SendOrder) -> None:
        await core.run("update lanes set holder = 'w2', fence = fence + 1")

    sender.after.append(lane_is_taken)
    await street.carrier(sender).carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["sent_ids"], len(sender.orders)) == ("sending", [500], 1)
    await street.lease_runs_out()
    for _ in range(2):
        await street.called_long_ago()
        await street.due_now()
        await street.carrier(sender, holder="w3", finder=finder).carry(mapping)
    assert (await core.states(mapping), len(street.chat.arrived)) == ([(1, "sent")], 2)


@pytest.mark.parametrize("executed", [True, False])
async def test_a_second_message_of_unknown_fate_is_looked_for_by_itself(
    core: House, street: Street, executed: bool
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)
    (sender.after if executed else sender.before).extend([None, OutcomeUnknown("TIMEOUT")])
    await street.carrier(sender, finder=finder).carry(mapping)
    for _ in range(3):
        await street.called_long_ago()
        await street.due_now()
        await street.carrier(sender, finder=finder).carry(mapping)
    assert [one.texts for one in finder.asked[0].remembered] == [("below",)]
    assert len(street.chat.arrived) == 2
    assert (await core.states(mapping), (await core.deliveries(mapping))[0]["sent_ids"]) == (
        [(1, "sent")], [500, 501],
    )  # fmt: skip


@pytest.mark.parametrize("executed", [True, False])
@both
async def test_a_worker_killed_between_two_messages_leaves_neither_out_nor_doubles_one(
    core: House, street: Street, kind: AccountKind, executed: bool
) -> None:
    mapping = await core.mapping(by=kind)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender, finder = street.sender(kind), ScriptedFinder(street.chat)
    carrier = street.carrier(sender, finder=finder)
    async with killed_in_the_middle(street, carrier, sender, mapping, executed=executed):
        for holder in ("w2", "w3", "w4"):
            await street.called_long_ago()
            await street.due_now()
            await street.carrier(sender, finder=finder, holder=holder).carry(mapping)
    assert len(street.chat.arrived) == 2
    assert (await core.states(mapping), len(await copies(core, mapping))) == ([(1, "sent")], 2)


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_failed_after_its_first_message_goes_on_with_the_second_when_it_is_sent_again(
    core: House, street: Street, deleted: bool
) -> None:
    mapping, sender = await half_sent(core, street, FOR_GOOD)
    [row] = await core.deliveries(mapping)
    assert row["state"] == "failed"
    await street.queue.send_again(row["id"])
    if deleted:
        await core.hear(Deleted(NEWS, (1,)))
    await street.carrier(sender).carry(mapping)
    assert [texts and texts[0][:5] for texts in said(sender)] == ["word ", "below", "below"]
    assert (len(street.chat.arrived), await core.states(mapping)) == (2, [(1, "sent")])
    assert [order.message_ids for order in sender.deletions] == ([(500, 501)] if deleted else [])


@pytest.mark.parametrize("refusal", [FOR_NOW, FOR_GOOD], ids=["before it fails", "after"])
async def test_an_edit_of_what_failed_after_its_first_message_is_made_when_it_is_sent_again(
    core: House, street: Street, refusal: TelegramError
) -> None:
    mapping, sender = await half_sent(core, street, refusal)
    await core.hear(edit_of(post(1), LONG.replace("word", "wood").strip()))
    if refusal is FOR_NOW:
        sender.before.append(FOR_GOOD)
        await core.run("delete from flood_waits")
        await street.redis.flushdb()
        await street.due_now()
        await street.carrier(sender).carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], sender.edits) == ("failed", [])
    await street.queue.send_again(row["id"])
    await street.carrier(sender).carry(mapping)
    assert [texts and texts[0] for texts in said(sender)][-1] == "below"
    assert [(edit.message_id, edit.text[:4]) for edit in sender.edits] == [(500, "wood"), (501, "belo")]


async def test_what_failed_after_its_first_message_leaves_none_when_its_source_is_deleted(
    core: House, street: Street
) -> None:
    mapping, sender = await half_sent(core, street, FOR_GOOD)
    await core.hear(Deleted(NEWS, (1,)))
    assert await due(core) == [mapping]
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500,)]
    assert await due(core) == []


async def test_a_deletion_that_came_between_two_messages_is_done_though_the_second_fails(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    sender = street.sender(BOT)

    async def delete_meanwhile(_: SendOrder) -> None:
        await core.hear(Deleted(NEWS, (1,)))
        raise TelegramError("Bad Request: something new", code=400)

    sender.before.extend([None, delete_meanwhile])
    await street.carrier(sender).carry(mapping)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500,)]


async def test_a_post_skipped_between_its_two_messages_leaves_none_when_its_source_is_deleted(
    core: House, street: Street
) -> None:
    mapping, sender = await half_sent(core, street, FOR_NOW)
    await core.hear(Deleted(NEWS, (1,)))
    service = MappingService(core.db)
    await service.pause(mapping)
    await service.resume(mapping, send=False)
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500, 501)], "it was seen to its end before"
    assert await core.run("select 1 from deliveries where done_at is null") == []


async def test_what_was_taken_back_after_its_first_message_is_sent_again_whole(
    core: House, street: Street
) -> None:
    mapping, sender = await half_sent(core, street, FOR_GOOD)
    service = TakebackService(core.db)
    await service.carry_out(await service.of_minutes(mapping, 5))
    await street.carrier(sender).carry(mapping)
    [row] = [row for row in await core.deliveries(mapping) if row["state"] == "failed"]
    await street.queue.send_again(row["id"])
    await street.carrier(sender).carry(mapping)
    assert [texts and texts[0][:5] for texts in said(sender)][2:] == ["word ", "below"]


async def test_what_failed_after_its_first_message_can_be_taken_back(core: House, street: Street) -> None:
    mapping, sender = await half_sent(core, street, FOR_GOOD)
    service = TakebackService(core.db)
    takeback = await service.of_minutes(mapping, 5)
    assert (takeback.copies, takeback.unsent) == (1, 0)
    await service.carry_out(takeback)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500,)]


# --- edits


@both
async def test_an_edit_passes_the_same_rules(core: House, street: Street, kind: AccountKind) -> None:
    mapping = await core.mapping(by=kind)
    button = {"button": {"text": "Source", "url": "https://example.org/"}}
    await rules(core, mapping, NO_CATS, FOOTER, button)
    heard = post(1, "a cat")
    await core.hear(heard)
    sender = street.sender(kind)
    await street.carrier(sender).carry(mapping)
    await core.hear(edit_of(heard, "a big cat"))
    await street.carrier(sender).carry(mapping)
    [edit] = sender.edits
    assert edit.text == f"a big dog\n\n— Chat {NEWS}"
    assert (edit.button is not None) == (kind is BOT)
    assert (sender.orders[0].rewrite and sender.orders[0].rewrite.button is not None) == (kind is BOT)


async def test_an_edit_changes_both_messages_of_a_text_and_takes_the_second_away_when_it_fits(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, *SPLIT)
    heard = post(1, LONG.strip())
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    await core.hear(edit_of(heard, LONG.replace("word", "wood").strip()))
    await street.carrier(sender).carry(mapping)
    assert [(edit.message_id, edit.text[:5]) for edit in sender.edits] == [(500, "wood "), (501, "below")]
    await core.hear(edit_of(heard, "short", 2))
    await street.carrier(sender).carry(mapping)
    assert (sender.edits[-1].message_id, sender.edits[-1].text) == (500, "short\n\nbelow")
    assert [order.message_ids for order in sender.deletions] == [(501,)]
    assert await copies(core, mapping) == [(1, 500)]
    await core.hear(edit_of(heard, LONG.strip(), 3))
    await street.carrier(sender).carry(mapping)
    last = sender.edits[-1]
    assert (last.message_id, last.text.endswith("…\n\nbelow"), len(last.text) <= 4096) == (500, True, True)
    assert len(sender.orders) == 2


async def test_an_edit_whose_second_message_is_gone_goes_into_the_first_alone(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, *SPLIT)
    heard = post(1, LONG.strip())
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)

    async def done() -> None: ...

    sender.fix_answers.extend([done, TelegramError("MESSAGE_ID_INVALID")])
    await core.hear(edit_of(heard, LONG.replace("word", "wood").strip()))
    await street.carrier(sender).carry(mapping)
    last = sender.edits[-1]
    assert (last.message_id, last.text.endswith("…\n\nbelow"), len(last.text) <= 4096) == (500, True, True)
    assert await core.states(mapping, "edit") == [(1, "sent")]
    assert await copies(core, mapping) == [(1, 500)]


async def test_what_goes_around_the_text_moves_with_the_caption_of_an_album(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, {"footer": "below"})
    parts = album("a", 1, 2)
    await core.hear(*parts, post(3, "after"))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert said(sender)[0] == ["below", ""]
    await core.hear(edit_of(parts[1], "caption"))
    await street.carrier(sender).carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, ""), (501, "caption\n\nbelow")]


@pytest.mark.parametrize("ruled", [True, False])
async def test_what_goes_around_the_text_moves_when_the_part_with_the_caption_is_deleted(
    core: House, street: Street, ruled: bool
) -> None:
    mapping = await core.mapping()
    if ruled:
        await rules(core, mapping, {"footer": "below"})
    parts = [replace(part, text=word) for part, word in zip(album("a", 1, 2), ("caption", ""), strict=True)]
    await core.hear(*parts, post(3, "after"))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    await core.hear(Deleted(NEWS, (1,)))
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500,)]
    assert [(edit.message_id, edit.text) for edit in sender.edits] == ([(501, "below")] if ruled else [])
    await core.hear(Deleted(NEWS, (2,)))
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.deletions][1:] == [(500, 501)]
    assert await core.run("select 1 from deliveries where done_at is null") == []


@pytest.mark.parametrize("tag", ["#tag", "#" + "t" * 200], ids=["in one message", "in two"])
async def test_what_goes_around_the_text_follows_an_edit_of_another_part_of_the_album(
    core: House, street: Street, tag: str
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, {"footer": "{hashtags}"}, {"too_long": "split"})
    words = ("word " * 180).strip()
    parts = [replace(part, text=text) for part, text in zip(album("a", 1, 2), (words, tag), strict=True)]
    parts[1] = replace(parts[1], entities=(Entity("hashtag", 0, len(tag)),))
    await core.hear(*parts, post(3, "after"))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    await core.hear(edit_of(replace(parts[1], entities=()), "no more"))
    await street.carrier(sender).carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, words), (501, "no more")]
    assert [order.message_ids for order in sender.deletions] == ([(502,)] if len(tag) > 9 else [])


@pytest.mark.parametrize("ruled", [False, True])
@both
async def test_a_medium_that_takes_anothers_place_is_covered_as_it_is_in_the_source(
    core: House, street: Street, kind: AccountKind, ruled: bool
) -> None:
    mapping = await core.mapping(by=kind)
    if ruled:
        await rules(core, mapping, FOOTER)
    heard = photo(1, "mt:photo:1", words="x")
    await core.hear(heard)
    sender = street.sender(kind)
    await street.carrier(sender).carry(mapping)
    other = replace(heard, media_id="mt:photo:2", file_id="file", facts=Facts(spoiler=True))
    await core.hear(edit_of(other, "x"))
    await street.carrier(sender).carry(mapping)
    assert [(edit.medium is not None, edit.cover) for edit in sender.edits] == [(True, True)]


@pytest.mark.parametrize("what", ["captions", "an edit", "an edit of two messages"])
async def test_who_has_lost_the_lane_between_two_edits_leaves_the_second_to_its_new_holder(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    mapping = await core.mapping(by=BOT)
    sender = street.sender(BOT)
    carrier = street.carrier(sender, holder="slow")

    async def stopped_for_a_while() -> None:
        monkeypatch.setattr(leases, "LEAST_LEASE", 11.0)

    if what == "an edit of two messages":
        await rules(core, mapping, *SPLIT)
        long = post(1, LONG.strip())
        await core.hear(long)
        await carrier.carry(mapping)
        await core.hear(edit_of(long, LONG.replace("word", "wood").strip()))
    else:
        await rules(core, mapping, {"footer": "below"})
        parts = [replace(part, text=word) for part, word in zip(album("a", 1, 2), "ab", strict=True)]
        await core.hear(*parts, post(3, "after"))
        if what == "an edit":
            await carrier.carry(mapping)
            await core.hear(edit_of(parts[0], "c"), edit_of(parts[1], "d"))
    sender.edits.clear()
    sender.fix_answers.append(stopped_for_a_while)
    await carrier.carry(mapping)
    assert [edit.message_id for edit in sender.edits] == [500]
    monkeypatch.undo()
    await street.lease_runs_out()
    other = street.sender(BOT)
    await street.carrier(other, holder="quick").carry(mapping)
    assert [edit.message_id for edit in other.edits] == [500, 501]
    assert await core.run("select 1 from deliveries where done_at is null") == []


# --- albums and media by the bot


async def test_an_album_that_the_bot_has_not_heard_gets_its_captions_after_it(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"footer": "below"})
    await core.hear(*album("a", 1, 2), post(3, "after"))
    sender = street.sender(BOT)
    sender.fix_answers.append(TelegramError("Too Many Requests: retry after 5", code=429, seconds=5))
    await street.carrier(sender).carry(mapping)
    assert (await core.deliveries(mapping))[0]["sent_ids"] == [500, 501]
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await street.carrier(sender).carry(mapping)
    assert sender.orders[0].rewrite is not None
    assert sender.orders[0].rewrite.captions_follow
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, "below")] * 2
    assert await core.states(mapping) == [(1, "sent"), (3, "sent")]


async def test_a_part_that_somebody_has_deleted_meanwhile_keeps_no_caption_from_the_others(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"footer": "below"})
    parts = [replace(part, text=word) for part, word in zip(album("a", 1, 2), "ab", strict=True)]
    await core.hear(*parts, post(3, "after"))
    sender = street.sender(BOT)
    sender.fix_answers.append(TelegramError("Bad Request: message to edit not found", code=400))
    await street.carrier(sender).carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, "a\n\nbelow"), (501, "b")]
    assert await core.states(mapping) == [(1, "sent"), (3, "sent")]


@pytest.mark.parametrize("first", [BOT, USER])
async def test_the_bots_names_of_files_are_kept_whoever_hears_a_post_first(
    core: House, street: Street, first: AccountKind
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"footer": "below"})
    by_user = album("a", 1, 2)
    by_bot = [replace(one, heard=Heard.BOT, file_id=f"file {one.message_id}") for one in by_user]
    heard = {BOT: by_bot, USER: by_user}
    await core.hear(*heard[first], by=first)
    await core.hear(*heard[USER if first is BOT else BOT], by=USER if first is BOT else BOT)
    await core.hear(post(3, "after"))
    sender = street.sender(BOT)
    await street.carrier(sender).carry(mapping)
    assert sender.orders[0].rewrite is not None
    assert [part.file_id for part in sender.orders[0].rewrite.parts] == ["file 1", "file 2"]
    assert not sender.orders[0].rewrite.captions_follow


async def test_a_medium_that_the_bot_is_yet_to_hear_is_covered_when_it_has(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, {"spoiler": "media"})
    heard = photo(1, words="x")
    await core.hear(heard)
    sender = street.sender(BOT)
    sender.before.append(TelegramError("COVER_NOT_HEARD", code=400))
    await street.carrier(sender).carry(mapping)
    assert (await core.deliveries(mapping))[0]["reason"] == "cannot_cover"
    await core.hear(replace(heard, heard=Heard.BOT, file_id="file"), by=BOT)
    await street.due_now()
    await street.carrier(sender).carry(mapping)
    assert sender.orders[-1].rewrite is not None
    [part] = sender.orders[-1].rewrite.parts
    assert (part.cover, part.file_id, await core.states(mapping)) == (True, "file", [(1, "sent")])


async def test_a_button_below_a_poll_is_the_bots_and_the_poll_is_copied(core: House, street: Street) -> None:
    by_bot, by_user = await core.mapping(by=BOT), await core.mapping(NEWS, ARCHIVE)
    for mapping in (by_bot, by_user):
        await rules(core, mapping, {"button": {"text": "Source", "url": "https://example.org/"}}, FOOTER)
    await core.hear(post(1, "", kind=Kind.POLL))
    for mapping, kind, anew in ((by_bot, BOT, True), (by_user, USER, False)):
        sender = street.sender(kind)
        await street.carrier(sender).carry(mapping)
        [order] = sender.orders
        assert (order.rewrite is not None) == anew


async def test_a_changed_copy_in_a_chat_that_is_a_source_is_heard_as_it_reads_there(
    core: House, street: Street
) -> None:
    first = await core.mapping(by=BOT)
    await core.channel(DIGEST, listener=BOT)
    await core.run(
        "update channels set listener_id = :bot where telegram_id = :chat", bot=core.bot, chat=DIGEST
    )
    second = await core.mapping(DIGEST, ARCHIVE, by=BOT)
    await rules(core, first, *SPLIT, NO_CATS)
    await core.hear(post(1, "cat " + LONG[5:].strip()))
    await street.carrier(street.sender(BOT)).carry(first)
    texts = await core.run(
        "select m.text from messages m join channels c on c.id = m.channel_id where c.telegram_id = :chat"
        " order by m.message_id",
        chat=DIGEST,
    )
    assert [row["text"][:9] for row in texts] == ["dog word ", "below"]
    assert [state for _, state in await core.states(second)] == ["queued", "queued"]


async def test_the_states_of_a_post_that_rules_leave_alone_are_those_of_any_other(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rules(core, mapping, NO_CATS, {"preview": False}, {"spoiler": "media"})
    covered = photo(2, words="x", facts=Facts(spoiler=True))
    await core.hear(post(1, "no link"), covered)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert said(sender) == [None]
    assert {row["state"] for row in await core.deliveries(mapping)} == {State.SENT}


@both
@pytest.mark.parametrize(("words", "state"), [("a dog", "filtered"), ("a cat", "sent"), ("a bird", "sent")])
async def test_an_edit_in_the_last_moment_is_judged_also_where_the_server_would_copy_the_post(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, kind: AccountKind, words: str, state: str
) -> None:
    mapping = await core.mapping(by=kind)
    await rules(core, mapping, NO_CATS, {"deny": {"words": ["dog"]}})
    heard = post(2, "plain")
    await core.hear(post(1, "first"), heard)
    start, edits = Desk.start, [edit_of(heard, words)]

    async def start_late(desk: Desk, call: Any) -> Any:
        if edits and call.jobs[-1].position == 2:
            await core.hear(edits.pop())
        return await start(desk, call)

    monkeypatch.setattr(Desk, "start", start_late)
    sender = street.sender(kind)
    await street.carrier(sender).carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, state)]
    assert (said(sender)[-1] == ["a dog"]) is (words == "a cat")
    assert await core.states(mapping, "edit") == []


async def test_a_second_message_is_sent_by_whoever_has_the_lane_now(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    bot, finder = street.sender(BOT), ScriptedFinder(street.chat)
    bot.before.extend([None, TelegramError("FLOOD_WAIT", code=420, seconds=5)])
    await street.carrier(bot).carry(mapping)
    await core.run("update lanes set route = 'user'")
    user = street.sender(USER)
    for _ in range(4):
        await street.called_long_ago()
        await street.due_now()
        await street.carrier(user, finder=finder).carry(mapping)
    assert await core.states(mapping) == [(1, "sent")]
    assert [texts and texts[0] for texts in (*said(bot), *said(user))] == [LONG.strip(), "below", "below"]
    assert len(street.chat.arrived) == 2


async def test_a_second_message_that_nobody_could_look_for_is_sent_when_a_person_says_so(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    await core.hear(post(1, LONG.strip()))
    bot, user = street.sender(BOT), street.sender(USER)
    bot.before.extend([None, TelegramError("FLOOD_WAIT", code=420, seconds=5)])
    await street.carrier(bot).carry(mapping)
    await core.run("update lanes set route = 'user'")
    await street.called_long_ago()
    await street.due_now()
    await street.carrier(user).carry(mapping)
    assert await core.states(mapping) == [(1, "held")]
    assert await MappingService(core.db).settle_unsure(mapping, again=True) == 1
    await street.carrier(user).carry(mapping)
    assert (await core.states(mapping), said(user)) == ([(1, "sent")], [["below"]])
    assert len(street.chat.arrived) == 2


async def test_a_second_message_follows_the_first_that_a_person_has_seen_arrive(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await rules(core, mapping, *SPLIT)
    heard = post(1, LONG.strip())
    await core.hear(heard)
    sender = street.sender(BOT)
    sender.after.append(OutcomeUnknown("TIMEOUT"))
    for _ in range(2):
        await street.carrier(sender).carry(mapping)
        await street.called_long_ago()
        await street.due_now()
    assert await core.states(mapping) == [(1, "held")]
    assert await MappingService(core.db).settle_unsure(mapping, again=False) == 1
    await street.carrier(sender).carry(mapping)
    assert (await core.states(mapping), said(sender)[1:]) == ([(1, "sent")], [["below"]])
    assert len(street.chat.arrived) == 2
    await core.hear(edit_of(heard, "short"))
    await street.carrier(sender).carry(mapping)
    assert (sender.edits, sender.deletions) == ([], []), "nobody knows which message the first is"
