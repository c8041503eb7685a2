"""Posts become deliveries: once, in order, whole, and only when nothing before them is missing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.ingest.rows import stored_parts
from forwarder.message import (
    AccountKind,
    Deleted,
    Edited,
    Empty,
    Entity,
    Facts,
    Heard,
    Kind,
    Mode,
    Origin,
)
from forwarder.outbox import ended_without_success
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, photo, post
from tests.integration.carriers import wait_for_lock

BOT, USER = AccountKind.BOT, AccountKind.USER


async def test_posts_become_deliveries_of_each_mapping_in_source_order(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    received = await core.hear(post(3), post(1), post(2))
    assert received.stored == 3
    assert await core.states(first) == [(1, "queued"), (2, "queued"), (3, "queued")]
    assert await core.states(second) == await core.states(first)
    assert {due.mapping_id for due in received.due} == {first, second}


async def test_a_post_heard_again_changes_nothing(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    again = await core.hear(post(1), post(1))
    assert again.stored == 0
    assert again.due == []
    assert await core.states(mapping) == [(1, "queued")]


async def test_two_listeners_at_once_store_a_post_once(core: House) -> None:
    mapping = await core.mapping()
    news = [post(number) for number in range(1, 9)]
    await asyncio.gather(
        *(core.hear(item, by=kind) for item in news for kind in (USER, BOT)), core.hear(*news)
    )
    assert await core.states(mapping) == [(number, "queued") for number in range(1, 9)]


async def test_what_the_bot_heard_waits_until_the_listener_has_come_so_far(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(2), by=BOT)
    assert await core.states(mapping) == []
    await core.hear(post(1), post(2))
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]


async def test_a_source_that_only_the_bot_reads_needs_no_gapless_ids(core: House) -> None:
    mapping = await core.mapping(listener=BOT)
    await core.hear(post(5), by=BOT)
    await core.hear(post(9), by=BOT)
    assert await core.states(mapping) == [(5, "queued"), (9, "queued")]


async def test_a_hole_holds_later_posts_until_it_is_filled(core: House) -> None:
    mapping = await core.mapping()
    received = await core.hear(post(1), post(4))
    assert received.holes == {NEWS: (2, 3)}
    assert await core.states(mapping) == [(1, "queued")]
    await core.hear(post(3))
    assert await core.states(mapping) == [(1, "queued")]
    filled = await core.hear(post(2, heard=Heard.CATCH_UP))
    assert filled.holes == {}
    assert [position for position, _ in await core.states(mapping)] == [1, 2, 3, 4]


async def test_a_hole_that_is_proven_empty_lets_later_posts_go(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(3))
    assert await core.states(mapping) == []
    await core.hear(Empty(NEWS, (1, 2)))
    assert await core.states(mapping) == [(3, "queued")]


async def test_service_messages_are_known_ids_but_no_posts(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, kind=Kind.SERVICE), post(2))
    assert await core.states(mapping) == [(2, "queued")]


async def test_a_chat_that_is_no_source_is_passed_over(core: House) -> None:
    await core.mapping()
    received = await core.hear(post(1, chat=OTHER), Deleted(OTHER, (1,)))
    assert received.stored == 0
    assert await core.run("select 1 from messages") == []


async def test_posts_from_before_the_start_are_not_delivered(core: House) -> None:
    mapping = await core.mapping(start_after=10)
    later = await core.mapping(destination=ARCHIVE, start_after=12)
    await core.hear(post(10), post(11), post(12), post(13))
    assert await core.states(mapping) == [(11, "queued"), (12, "queued"), (13, "queued")]
    assert await core.states(later) == [(13, "queued")]


async def test_old_posts_at_or_below_the_mark_are_not_taken_again(core: House) -> None:
    await core.mapping(start_after=10)
    old = datetime.now(UTC) - timedelta(days=3)
    assert (await core.hear(post(4, date=old))).stored == 0


async def test_a_paused_mapping_holds_and_a_disabled_one_gets_nothing(core: House) -> None:
    paused = await core.mapping(state="paused")
    disabled = await core.mapping(destination=ARCHIVE, state="disabled")
    received = await core.hear(post(1))
    assert received.due == []
    [row] = await core.deliveries(paused)
    assert (row["state"], row["reason"]) == ("held", "paused")
    assert await core.deliveries(disabled) == []


async def test_a_topics_mapping_gets_posts_of_its_topic_only(core: House) -> None:
    mapping = await core.mapping(source_topic=7)
    await core.hear(post(1), post(2, topic_id=7))
    assert await core.states(mapping) == [(2, "queued")]


async def test_a_mapping_of_general_gets_what_lies_in_no_topic(core: House) -> None:
    mapping = await core.mapping(source_topic=1)
    await core.hear(post(1), post(2, topic_id=7))
    assert await core.states(mapping) == [(1, "queued")]


async def test_nul_and_lone_surrogates_do_not_keep_a_post_from_being_stored(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, "a\x00b\ud83dc"))
    assert await core.states(mapping) == [(1, "queued")]
    [row] = await core.run("select text from messages")
    assert row["text"] == "ab\ufffdc"


async def test_entities_come_back_as_they_were_stored(core: House) -> None:
    await core.mapping()
    entities = (Entity("bold", 0, 4), Entity("text_link", 5, 2, url="https://example.org"))
    await core.hear(post(1, entities=entities))
    async with core.db.begin() as session:
        from forwarder.outbox import parts_of

        [row] = await core.run("select id from posts")
        [part] = await parts_of(session, row["id"])
    assert part.entities == entities


# --- albums


async def test_an_album_of_ten_is_complete_at_once(core: House) -> None:
    mapping = await core.mapping()
    received = await core.hear(*album("a", *range(1, 11)))
    assert received.look_again == {}
    assert await core.states(mapping) == [(1, "queued")]


async def test_an_album_is_complete_when_a_later_post_comes(core: House) -> None:
    mapping = await core.mapping()
    received = await core.hear(*album("a", 1, 2, 3))
    assert 0 < received.look_again[NEWS] <= 2
    assert await core.states(mapping) == []
    await core.hear(post(4))
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]


async def test_an_album_is_complete_by_silence(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2))
    await core.settle()
    assert await core.states(mapping) == []
    await core.run("update posts set last_part_at = clock_timestamp() - interval '3 seconds'")
    settled = await core.settle()
    assert [due.mapping_id for due in settled.due] == [mapping]
    assert await core.states(mapping) == [(1, "queued")]


async def test_an_album_whose_parts_come_apart_and_out_of_order_is_one_post(core: House) -> None:
    mapping = await core.mapping()
    parts = album("a", 1, 2, 3)
    await core.hear(parts[2])
    await core.hear(parts[0])
    await core.hear(parts[1], post(4))
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]
    rows = await core.run("select distinct post_id from messages where album_id = 'a'")
    assert len(rows) == 1


async def test_a_straggler_of_a_closed_album_is_a_post_of_its_own(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    await core.hear(*album("a", 4), post(5))
    assert await core.states(mapping) == [(1, "queued"), (3, "queued"), (4, "queued"), (5, "queued")]


async def test_an_album_behind_a_hole_waits_and_is_not_torn(core: House) -> None:
    mapping = await core.mapping()
    parts = album("a", 1, 2, 3)
    await core.hear(parts[0], parts[2], post(4))
    assert await core.states(mapping) == []
    await core.hear(parts[1])
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]
    rows = await core.run("select distinct post_id from messages where album_id = 'a'")
    assert len(rows) == 1


# --- edits and deletions


async def test_an_edit_of_a_queued_post_changes_what_will_be_sent_and_queues_nothing(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    received = await core.hear(Edited(post(1, "better")))
    assert received.due == []
    assert [row["text"] for row in await core.run("select text from messages")] == ["better"]
    assert await core.deliveries(mapping, "edit") == []


@pytest.mark.parametrize("state", ["sending", "sent"])
async def test_an_edit_of_a_post_that_is_out_is_queued_for_its_copy(core: House, state: str) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, state)
    received = await core.hear(Edited(post(1, "better")))
    [row] = await core.deliveries(mapping, "edit")
    assert (row["state"], row["class"], row["parts"]) == ("queued", 0, [1])
    assert [(due.mapping_id, due.klass) for due in received.due] == [(mapping, 0)]


@pytest.mark.parametrize("state", ["queued", "held"])
async def test_an_edit_after_a_call_of_unknown_outcome_is_queued(core: House, state: str) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, state, reason="outcome_unknown", unsettled=True)
    await core.hear(Edited(post(1, "better")))
    assert await core.states(mapping, "edit") == [(1, "queued")]


@pytest.mark.parametrize(("state", "reason"), [("filtered", "rule"), ("failed", "x"), ("withdrawn", "x")])
async def test_an_edit_of_a_post_that_was_never_sent_does_nothing(
    core: House, state: str, reason: str
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, state, reason=reason)
    assert (await core.hear(Edited(post(1, "better")))).due == []
    assert await core.deliveries(mapping, "edit") == []


async def test_an_edit_of_an_unknown_post_does_nothing_and_proves_nothing(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(Edited(post(1, "new")))
    await core.hear(post(2))
    assert await core.states(mapping) == []
    assert await core.run("select 1 from messages where message_id = 1") == []


async def test_a_reaction_is_no_edit(core: House) -> None:
    mapping = await core.mapping()
    heard = post(1)
    await core.hear(heard)
    await core.set_state(mapping, "sent")
    assert (await core.hear(Edited(heard))).due == []


async def test_of_edits_heard_together_the_last_counts_even_where_it_takes_the_first_back(
    core: House,
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, "first"))
    await core.set_state(mapping, "sent")
    now = datetime.now(UTC)
    await core.hear(
        Edited(replace(post(1, "other"), edit_date=now)),
        Edited(replace(post(1, "first"), edit_date=now + timedelta(seconds=1))),
    )
    assert await core.run("select text from messages") == [{"text": "first"}]
    assert await core.states(mapping, "edit") == [(1, "queued")]


async def test_messages_that_are_read_again_unchanged_cost_one_statement_together(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await core.mapping()
    heard = [post(number, f"post {number}") for number in range(1, 41)]
    await core.hear(*heard)
    asked: list[object] = []
    real = AsyncSession.execute

    async def counted(self: AsyncSession, statement: Any, *args: Any, **values: Any) -> Any:
        asked.append(statement)
        return await real(self, statement, *args, **values)

    monkeypatch.setattr(AsyncSession, "execute", counted)
    assert (await core.hear(*map(Edited, heard))).due == []
    assert len(asked) <= 3


async def test_edits_coalesce_and_one_that_is_being_applied_is_applied_again(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    await core.set_state(mapping, "sent")
    await core.hear(Edited(photo(1, words="x", album_id="a")))
    await core.hear(Edited(photo(2, words="y", album_id="a")))
    [row] = await core.deliveries(mapping, "edit")
    assert (row["parts"], row["again"]) == ([1, 2], False)
    await core.set_state(mapping, "sending", "edit")
    await core.hear(Edited(photo(1, words="z", album_id="a")))
    [row] = await core.deliveries(mapping, "edit")
    assert (row["state"], row["again"]) == ("sending", True)


async def test_an_edit_that_was_applied_is_queued_anew_by_the_next(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await core.hear(Edited(post(1, "x")))
    await core.set_state(mapping, "sent", "edit")
    await core.hear(Edited(post(1, "y")))
    assert await core.states(mapping, "edit") == [(1, "queued")]


async def test_edits_and_deletions_are_held_while_the_mapping_is_paused(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await core.run("update mappings set state = 'paused', reason = 'x'")
    received = await core.hear(Edited(post(1, "x")), Deleted(NEWS, (1,)))
    assert received.due == []
    assert await core.states(mapping, "delete") == [(1, "held")]


async def test_edits_and_deletions_follow_the_mappings_settings(core: House) -> None:
    mapping = await core.mapping(edit_sync=False, delete_sync=False)
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    assert (await core.hear(Edited(post(1, "x")), Deleted(NEWS, (1,)))).due == []


async def test_a_post_deleted_before_it_was_sent_is_withdrawn(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    await core.hear(Deleted(NEWS, (1,)))
    [gone, stays] = await core.deliveries(mapping)
    assert (gone["state"], gone["reason"]) == ("withdrawn", "deleted_at_source")
    assert stays["state"] == "queued"


async def test_a_post_deleted_after_it_was_sent_takes_its_copy_along(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await core.hear(Deleted(NEWS, (1,)))
    [row] = await core.deliveries(mapping, "delete")
    assert (row["state"], row["parts"]) == ("queued", [1])


async def test_a_post_of_unknown_outcome_that_is_deleted_is_not_given_up(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "queued", unsettled=True)
    await core.hear(Deleted(NEWS, (1,)))
    assert await core.states(mapping) == [(1, "queued")]
    assert await core.states(mapping, "delete") == [(1, "queued")]


async def test_a_part_deleted_from_a_queued_album_leaves_the_rest(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2, 3), post(4))
    await core.hear(Deleted(NEWS, (2,)))
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]
    await core.hear(Deleted(NEWS, (1, 3)))
    assert await core.states(mapping) == [(1, "withdrawn"), (4, "queued")]


async def test_a_post_deleted_while_it_was_collected_makes_no_delivery(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(2))
    await core.hear(Deleted(NEWS, (2,)))
    await core.hear(post(1))
    assert await core.states(mapping) == [(1, "queued")]


async def test_a_deletion_of_an_unheard_message_proves_its_id_empty(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(2))
    await core.hear(Deleted(NEWS, (1,)))
    assert await core.states(mapping) == [(2, "queued")]


# --- duplicates


async def two_sources(core: House, **values: object) -> tuple[int, int]:
    first = await core.mapping(NEWS, DIGEST, **values)
    second = await core.mapping(OTHER, DIGEST, **values)
    return first, second


async def test_the_same_content_from_another_source_is_a_duplicate(core: House) -> None:
    first, second = await two_sources(core)
    await core.hear(post(1, "Breaking  news"))
    received = await core.hear(post(1, "breaking news".replace("b", "B"), chat=OTHER))
    [original] = await core.deliveries(first)
    [copy] = await core.deliveries(second)
    assert (copy["state"], copy["duplicate_of"]) == ("duplicate", original["id"])
    assert received.due == []


async def test_the_same_origin_from_another_source_is_a_duplicate(core: House) -> None:
    _, second = await two_sources(core)
    await core.hear(post(1, "as first told"))
    await core.hear(
        post(9, "told again", chat=OTHER, origin=Origin(NEWS, 1)), Empty(OTHER, tuple(range(1, 9)))
    )
    assert await core.states(second) == [(9, "duplicate")]


async def test_a_repeat_in_the_same_source_is_a_duplicate_only_where_set(core: House) -> None:
    across = await core.mapping()
    strict = await core.mapping(destination=ARCHIVE, dedup="all")
    await core.hear(post(1, "hello"), post(2, "hello"), post(3, "hello"))
    assert await core.states(across) == [(1, "queued"), (2, "queued"), (3, "queued")]
    assert await core.states(strict) == [(1, "queued"), (2, "duplicate"), (3, "duplicate")]


async def test_a_repeat_that_comes_later_is_a_duplicate_too_where_all_repeats_are(core: House) -> None:
    strict = await core.mapping(dedup="all")
    other = await core.mapping(OTHER)
    await core.hear(post(1, "hello"))
    await core.hear(post(2, "hello"))
    await core.hear(post(1, "hello", chat=OTHER))
    [first, _] = await core.deliveries(strict)
    assert await core.states(strict) == [(1, "queued"), (2, "duplicate")]
    [from_other] = await core.deliveries(other)
    assert (from_other["state"], from_other["duplicate_of"]) == ("duplicate", first["id"])


async def test_a_duplicate_of_a_duplicate_hangs_on_the_first_copy(core: House) -> None:
    strict = await core.mapping(dedup="all")
    await core.hear(post(1, "hello"), post(2, "hello"), post(3, "hello", origin=Origin(NEWS, 2)))
    first, *others = await core.deliveries(strict)
    assert [row["duplicate_of"] for row in others] == [first["id"], first["id"]]


async def test_photos_without_captions_are_equal_only_by_their_medium(core: House) -> None:
    _, second = await two_sources(core)
    await core.hear(photo(1, "mt:photo:7"))
    await core.hear(photo(1, "mt:photo:8", chat=OTHER), photo(2, "mt:photo:7", chat=OTHER))
    assert await core.states(second) == [(1, "queued"), (2, "duplicate")]


async def test_a_photo_that_the_bot_heard_first_is_known_by_the_listeners_name(core: House) -> None:
    _, second = await two_sources(core)
    await core.hear(photo(1, "bot:AgAD", heard=Heard.BOT), by=BOT)
    await core.hear(photo(1, "mt:photo:7"))
    await core.hear(photo(1, "mt:photo:7", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]


async def test_another_destination_has_its_own_memory(core: House) -> None:
    await core.mapping(NEWS, DIGEST)
    elsewhere = await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1, "hello"))
    await core.hear(post(1, "hello", chat=OTHER))
    assert await core.states(elsewhere) == [(1, "queued")]


async def test_after_the_window_the_same_content_may_come_again(core: House) -> None:
    _, second = await two_sources(core)
    await core.hear(post(1, "hello"))
    await core.run("update deliveries set state = 'sent', done_at = clock_timestamp()")
    await core.run("update fingerprints set until = clock_timestamp() - interval '1 second'")
    await core.hear(post(1, "hello", chat=OTHER))
    assert await core.states(second) == [(1, "queued")]


async def test_a_post_that_waits_for_longer_than_the_window_keeps_its_place(core: House) -> None:
    first, second = await two_sources(core)
    await core.hear(post(1, "hello"))
    await core.run("update fingerprints set until = clock_timestamp() - interval '3 days'")
    await core.hear(post(1, "hello", chat=OTHER))
    [waiting], [again] = await core.deliveries(first), await core.deliveries(second)
    assert (again["state"], again["duplicate_of"]) == ("duplicate", waiting["id"])


async def test_without_dedup_everything_goes(core: House) -> None:
    _, second = await two_sources(core, dedup="off")
    await core.hear(post(1, "hello"))
    await core.hear(post(1, "hello", chat=OTHER))
    assert await core.states(second) == [(1, "queued")]


async def test_the_first_duplicate_takes_the_place_of_a_copy_that_was_not_sent(core: House) -> None:
    first, second = await two_sources(core)
    third = await core.mapping(ARCHIVE, DIGEST)
    for chat in (NEWS, OTHER, ARCHIVE):
        await core.hear(post(1, "hello", chat=chat))
    [original] = await core.deliveries(first)
    await core.set_state(first, "failed", reason="x")
    async with core.db.begin() as session:
        due = await ended_without_success(session, [original["id"]])
    [heir] = await core.deliveries(second)
    [last] = await core.deliveries(third)
    assert (heir["state"], heir["duplicate_of"]) == ("queued", None)
    assert (last["state"], last["duplicate_of"]) == ("duplicate", heir["id"])
    assert [d.mapping_id for d in due] == [second]
    await core.hear(post(2, "hello", chat=ARCHIVE))
    assert await core.states(third) == [(1, "duplicate"), (2, "duplicate")]


async def test_a_disabled_mapping_inherits_nothing_and_a_paused_one_holds(core: House) -> None:
    first, second = await two_sources(core)
    third = await core.mapping(ARCHIVE, DIGEST)
    for chat in (NEWS, OTHER, ARCHIVE):
        await core.hear(post(1, "hello", chat=chat))
    await core.run("update mappings set state = 'disabled' where id = :id", id=second)
    await core.run("update mappings set state = 'paused' where id = :id", id=third)
    [original] = await core.deliveries(first)
    await core.set_state(first, "failed", reason="x")
    async with core.db.begin() as session:
        assert await ended_without_success(session, [original["id"]]) == []
    assert await core.states(second) == [(1, "duplicate")]
    assert await core.states(third) == [(1, "held")]


async def test_a_first_copy_that_is_deleted_hands_its_place_on(core: House) -> None:
    _, second = await two_sources(core)
    await core.hear(post(1, "hello"))
    await core.hear(post(1, "hello", chat=OTHER))
    received = await core.hear(Deleted(NEWS, (1,)))
    assert [due.mapping_id for due in received.due] == [second]
    assert await core.states(second) == [(1, "queued")]


async def test_the_same_news_from_many_sources_at_once_are_delivered_once(core: House) -> None:
    chats = [-2001, -2002, -2003, -2004]
    mappings = [await core.mapping(chat, DIGEST) for chat in chats]
    words = ["alpha", "beta", "gamma", "delta"]

    async def tell(chat: int, turned: list[str]) -> None:
        await core.hear(*(post(n, word, chat=chat) for n, word in enumerate(turned, 1)))

    await asyncio.gather(
        *(tell(chat, words if number % 2 else words[::-1]) for number, chat in enumerate(chats))
    )
    states = [state for mapping in mappings for _, state in await core.states(mapping)]
    assert sorted(states) == ["duplicate"] * 12 + ["queued"] * 4


@pytest.mark.parametrize("words", ["hello", "another text"])
async def test_a_duplicate_that_comes_while_the_first_copy_fails_is_not_lost(core: House, words: str) -> None:
    first, second = await two_sources(core)
    await core.hear(post(1, "hello"))
    [row] = await core.deliveries(first)

    async def fail() -> None:
        async with core.db.begin() as session:
            await session.execute(
                text("update deliveries set state = 'failed', reason = 'x', done_at = now() where id = :id"),
                {"id": row["id"]},
            )
            await ended_without_success(session, [row["id"]])

    async with core.db.begin() as session:
        heard = post(1, words, chat=OTHER, origin=Origin(NEWS, 1) if words != "hello" else None)
        await core.ingest.receive(session, core.user, AccountKind.USER, [heard])
        failing = asyncio.create_task(fail())
        await wait_for_lock(core)
    await failing
    assert await core.states(second) == [(1, "queued")]


# --- our own copies


async def test_our_own_copy_is_not_sent_back_to_where_it_came_from(core: House) -> None:
    there = await core.mapping(NEWS, DIGEST)
    back = await core.mapping(DIGEST, NEWS)
    await core.run(
        "insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)"
        " values (:channel, 1, :mapping, 1, 5, 'copy', 'user')",
        channel=core.channels[DIGEST],
        mapping=there,
    )
    await core.hear(post(1, chat=DIGEST), post(2, chat=DIGEST))
    assert await core.states(back) == [(2, "queued")]


async def test_our_own_posts_are_fed_into_a_chat_that_the_bot_listens_to(core: House) -> None:
    await core.mapping(NEWS, DIGEST)
    onward = await core.mapping(DIGEST, ARCHIVE, listener=BOT)
    await core.run(
        "update channels set listener_id = :bot where telegram_id = :chat", bot=core.bot, chat=DIGEST
    )
    await core.hear(post(1, "hello"))
    [row] = await core.run("select id from posts")
    async with core.db.begin() as session:
        due = await core.ingest.feed_own(session, core.bot, DIGEST, row["id"], [(1, 77)], Mode.FORWARD, 9)
    assert [d.mapping_id for d in due] == [onward]
    assert await core.states(onward) == [(77, "queued")]
    [message] = await core.run("select * from messages where message_id = 77")
    assert (message["text"], message["heard"], message["origin_message"]) == ("hello", "own", 1)
    assert message["topic_id"] == 9


async def test_our_own_posts_are_not_fed_in_where_a_user_account_listens(core: House) -> None:
    await core.mapping(NEWS, DIGEST)
    await core.mapping(DIGEST, ARCHIVE)
    await core.hear(*album("a", 1, 2), post(3))
    [row] = await core.run("select id from posts where album_id = 'a'")
    async with core.db.begin() as session:
        due = await core.ingest.feed_own(session, core.bot, DIGEST, row["id"], [(1, 77), (2, 78)], Mode.COPY)
    assert due == []
    assert await core.run("select 1 from messages where message_id in (77, 78)") == []


# --- media that were replaced


async def test_another_medium_is_an_edit_that_says_so(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(photo(1, "mt:photo:1"), photo(2, "mt:photo:2"))
    await core.set_state(mapping, "sent")
    await core.hear(
        Edited(post(1, "", kind=Kind.VIDEO, media_id="mt:doc:9")), Edited(photo(2, "mt:photo:2", "words"))
    )
    rows = await core.run("select message_id, kind, media_id, replaced from messages order by 1")
    assert [tuple(row.values()) for row in rows] == [
        (1, "video", "mt:doc:9", True),
        (2, "photo", "mt:photo:2", False),
    ]
    assert [row["parts"] for row in await core.deliveries(mapping, "edit")] == [[1], [2]]


@pytest.mark.parametrize("first", ["bot", "user"])
@pytest.mark.parametrize("words", ["", "and other words"])
async def test_the_bots_name_of_the_new_medium_is_kept_whoever_hears_first(
    core: House, first: str, words: str
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(photo(1, "mt:photo:1"))
    await core.set_state(mapping, "sent")
    by_bot = Edited(photo(1, "bot:two", words, heard=Heard.BOT, file_id="file-two"))
    by_user = Edited(photo(1, "mt:photo:2", words))
    await core.hear(by_bot if first == "bot" else by_user, by=BOT if first == "bot" else USER)
    await core.set_state(mapping, "failed", kind="edit", reason="medium_not_heard")
    received = await core.hear(by_user if first == "bot" else by_bot, by=USER if first == "bot" else BOT)
    assert received.due, "now the bot can do it"
    [row] = await core.run("select replaced, file_id from messages")
    assert (row["replaced"], row["file_id"]) == (True, "file-two")
    assert (await core.hear(by_bot, by=BOT)).due == []


@pytest.mark.parametrize("order", ["user", "user, bot", "bot, user"])
async def test_the_name_of_the_first_medium_does_not_stand_for_one_that_took_its_place(
    core: House, order: str
) -> None:
    mapping = await core.mapping(by=BOT)
    heard = photo(1, "mt:photo:1", "words")
    await core.hear(heard)
    await core.hear(replace(heard, heard=Heard.BOT, media_id="bot:one", file_id="file-one"), by=BOT)
    await core.set_state(mapping, "sent")
    later = heard.date + timedelta(minutes=1)
    edits = {
        "user": Edited(replace(heard, media_id="mt:photo:2", edit_date=later)),
        "bot": Edited(
            replace(heard, heard=Heard.BOT, media_id="bot:two", file_id="file-two", edit_date=later)
        ),
    }
    for who in order.split(", "):
        await core.hear(edits[who], by=BOT if who == "bot" else USER)
    [row] = await core.run("select replaced, file_id from messages")
    assert (row["replaced"], row["file_id"]) == (True, None if order == "user" else "file-two")
    again = Edited(
        replace(heard, text="other words", media_id="mt:photo:2", edit_date=later + timedelta(minutes=1))
    )
    await core.hear(again)
    [row] = await core.run("select text, file_id from messages")
    assert (row["text"], row["file_id"]) == ("other words", None if order == "user" else "file-two")


async def test_a_text_that_got_a_medium_is_of_another_kind(core: House) -> None:
    await core.mapping()
    await core.hear(post(1, "words"))
    await core.hear(Edited(photo(1, "mt:photo:5", "words")))
    [row] = await core.run("select kind, replaced from messages")
    assert (row["kind"], row["replaced"]) == ("photo", True)


async def test_facts_of_a_message_are_kept_and_follow_an_edit(core: House) -> None:
    await core.mapping()
    first = Facts(author="An\x00n", size=0, duration=12, silent=True)
    await core.hear(post(1, "words", facts=first))
    async with core.db.begin() as session:
        [number] = await session.scalars(text("select id from posts"))
        assert (await stored_parts(session, [number]))[number][0].facts == replace(first, author="Ann")
    await core.hear(Edited(post(1, "other words", facts=Facts(buttons=True))))
    async with core.db.begin() as session:
        assert (await stored_parts(session, [number]))[number][0].facts == Facts(buttons=True)


async def silence_of_all(house: House) -> list[bool]:
    rows = await house.run("select facts from messages order by message_id")
    return [bool(row["facts"].get("silent")) for row in rows]


async def test_that_a_post_is_silent_is_learnt_from_the_account_also_where_the_bot_heard_it_first(
    core: House,
) -> None:
    await core.mapping()
    by_account = [
        post(1, facts=Facts(silent=True, author="Ann")),
        photo(2, facts=Facts(silent=True)),
        post(3),
    ]
    by_bot = [
        replace(
            message,
            heard=Heard.BOT,
            media_id=message.media_id and "bot:AgAD",
            facts=replace(message.facts, silent=False),
        )
        for message in by_account
    ]
    await core.hear(*by_bot, by=BOT)
    await core.hear(*by_account)
    assert await silence_of_all(core) == [True, True, False]
    assert [row["media_id"] for row in await core.run("select media_id from messages order by message_id")] == [
        None, f"mt:photo:{NEWS}:2", None,
    ]  # fmt: skip
    [first] = await core.run("select facts from messages where message_id = 1")
    assert first["facts"] == {"author": "Ann", "silent": True}


async def test_an_edit_that_the_bot_hears_does_not_make_a_silent_post_loud(core: House) -> None:
    await core.mapping()
    await core.hear(*(post(number, facts=Facts(silent=True)) for number in (1, 2)))
    await core.hear(Edited(post(1, "new", heard=Heard.BOT, facts=Facts(buttons=True))), by=BOT)
    await core.hear(Edited(post(2, "new", heard=Heard.PUSH)))
    assert await silence_of_all(core) == [True, False]
    [first] = await core.run("select facts from messages where message_id = 1")
    assert first["facts"] == {"buttons": True, "silent": True}


# --- basic groups

GROUP = -77


async def test_of_a_basic_group_only_the_listeners_ids_count(core: House) -> None:
    await core.channel(GROUP, kind="group")
    mapping = await core.mapping(GROUP, DIGEST, start_after=30)
    await core.hear(post(31, "words", chat=GROUP))
    await core.hear(post(8, "words", chat=GROUP, heard=Heard.BOT), by=BOT)
    await core.settle(GROUP)
    assert await core.states(mapping) == [(31, "queued")]
