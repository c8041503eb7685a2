"""Older posts come behind all live ones: each once, whole, in order, and never more ahead than the window."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.backfill import Backfiller, BackfillService, BackfillView
from forwarder.backfill.runner import WINDOW
from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import Heard, HistoryPage, Kind, SourceMessage, Span, Wish
from forwarder.models import BackfillState
from forwarder.outbox import BULK, Due
from forwarder.services import retention
from forwarder.services.mappings import MappingService
from forwarder.services.rules import Owner, RuleService
from forwarder.services.why import explain
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, post

OLD = datetime.now(UTC) - timedelta(days=90)
PAGE = 100


@dataclass
class History:
    """A chat's messages as a reader pages through them; ``refusal`` is raised in place of a page."""

    messages: list[SourceMessage] = field(default_factory=list)
    refusal: TelegramError | None = None
    asked: list[int] = field(default_factory=list)

    async def span(self, chat_id: int, wish: Wish, ceiling: int) -> Span:
        first = wish.from_id or 1
        return Span(first, ceiling, sum(first <= m.message_id <= ceiling for m in self.messages))

    async def page(self, chat_id: int, after: int) -> HistoryPage:
        self.asked.append(after)
        if self.refusal is not None:
            raise self.refusal
        found = [message for message in self.messages if message.message_id > after][:PAGE]
        return HistoryPage(tuple(found), found[-1].message_id if found else None)


@dataclass
class Desk:
    history: History
    house: House

    async def span(self, accounts: Sequence[int], chat_id: int, wish: Wish, ceiling: int) -> Span:
        assert set(accounts) == {self.house.user, self.house.bot}
        assert accounts[0] == self.house.user
        return await self.history.span(chat_id, wish, ceiling)


@dataclass
class Run:
    """The service and the reader over one house."""

    house: House
    history: History
    service: BackfillService
    reader: Backfiller
    rung: list[Due]

    async def begin(self, mapping: int, wish: Wish | None = None) -> BackfillView:
        plan = await self.service.plan(mapping, wish or Wish())
        return await self.service.start(mapping, plan.span)

    async def read_all(self, turns: int = 30) -> None:
        for _ in range(turns):
            await self.reader.turn()

    async def send_all(self, mapping: int) -> None:
        """As if a worker had sent what is queued."""
        await self.house.run(
            "update deliveries set state = 'sent', done_at = clock_timestamp()"
            " where mapping_id = :mapping and state = 'queued'",
            mapping=mapping,
        )


@pytest.fixture
async def run(core: House) -> Run:
    history, rung = History(), list[Due]()

    async def ring(dues: Sequence[Due]) -> None:
        rung.extend(dues)

    reader = Backfiller(core.db, core.ingest._dedup, {core.user: history}, ring)
    return Run(core, history, BackfillService(core.db, Desk(history, core)), reader, rung)


def old(*ids: int) -> list[SourceMessage]:
    return [post(number, date=OLD, heard=Heard.CATCH_UP) for number in ids]


async def test_older_posts_are_queued_as_bulk_in_source_order_up_to_the_start(run: Run) -> None:
    mapping = await run.house.mapping(start_after=5)
    run.history.messages = old(1, 2, 4, 5, 6)
    await run.begin(mapping)
    await run.read_all()
    rows = await run.house.deliveries(mapping)
    assert [(row["position"], row["class"], row["state"]) for row in rows] == [
        (number, BULK, "queued") for number in (1, 2, 4, 5)
    ]
    assert [(due.mapping_id, due.klass) for due in run.rung] == [(mapping, BULK)]


async def test_a_run_is_done_when_all_is_read_and_finished(run: Run) -> None:
    mapping = await run.house.mapping(start_after=3)
    run.history.messages = old(1, 3)
    begun = await run.begin(mapping)
    await run.read_all()
    view = await run.service.get(begun.id)
    assert (view.state, view.queued, view.open, view.expected) == (BackfillState.RUNNING, 2, 2, 2)
    await run.send_all(mapping)
    await run.reader.turn()
    view = await run.service.get(begun.id)
    assert (view.state, view.done, view.cursor) == (BackfillState.DONE, 2, 3)


async def test_live_posts_go_first_and_are_not_brought_again(run: Run) -> None:
    mapping = await run.house.mapping(start_after=2)
    run.history.messages = old(1, 2, 3, 4)
    await run.house.hear(post(3))
    await run.begin(mapping)
    await run.reader.turn()
    await run.house.hear(post(4))
    await run.read_all()
    assert [row["position"] for row in await run.house.deliveries(mapping)] == [3, 4, 1, 2]


async def test_service_messages_and_gaps_are_passed_over_and_counted(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = [post(1, kind=Kind.SERVICE, date=OLD), *old(5, 9)]
    begun = await run.begin(mapping)
    await run.read_all()
    view = await run.service.get(begun.id)
    assert (view.read, view.passed, view.queued) == (3, 1, 2)


async def test_albums_are_whole_across_the_end_of_a_page(run: Run) -> None:
    mapping = await run.house.mapping(start_after=200)
    run.history.messages = [
        *old(*range(1, 99)),
        *album("a", *range(99, 105), date=OLD),
        *old(*range(105, 120)),
    ]
    await run.begin(mapping)
    await run.read_all()
    rows = await run.house.run(
        "select p.position, count(*) as parts from posts p join messages m on m.post_id = p.id"
        " where p.album_id is not null group by 1"
    )
    assert [(row["position"], row["parts"]) for row in rows] == [(99, 6)]
    assert [row["position"] for row in await run.house.deliveries(mapping)][97:100] == [98, 99, 105]


async def test_a_page_with_nothing_but_a_torn_album_is_read_further(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.integration.test_backfill.PAGE", 2)
    mapping = await run.house.mapping(start_after=50)
    run.history.messages = [*album("a", 1, 2, 3, 4, 5, date=OLD), *old(6)]
    await run.begin(mapping)
    await run.read_all()
    assert [row["position"] for row in await run.house.deliveries(mapping)] == [1, 6]
    assert len(await run.house.run("select 1 from messages where album_id = 'a'")) == 5


async def test_reading_waits_for_sending_so_that_the_outbox_stays_small(run: Run) -> None:
    mapping = await run.house.mapping(start_after=2000)
    run.history.messages = old(*range(1, 1501))
    await run.begin(mapping)
    await run.read_all()
    waiting = len(await run.house.deliveries(mapping))
    assert WINDOW / 2 < waiting <= WINDOW
    await run.send_all(mapping)
    await run.reader.turn()
    assert len(await run.house.deliveries(mapping)) == waiting + PAGE


async def test_what_the_mappings_rules_refuse_is_filtered_and_not_sent(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    await RuleService(run.house.db).add(Owner("mapping", mapping), {"deny": {"words": ["sale"]}})
    run.history.messages = [*old(1), post(2, "sale", date=OLD, heard=Heard.CATCH_UP), *old(3)]
    await run.begin(mapping)
    await run.read_all()
    assert await run.house.states(mapping) == [(1, "queued"), (2, "filtered"), (3, "queued")]


async def test_the_same_range_again_brings_nothing_twice(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1, 2, 3)
    await run.begin(mapping)
    await run.read_all()
    await run.send_all(mapping)
    await run.reader.turn()
    again = await run.begin(mapping)
    await run.read_all()
    assert [row["state"] for row in await run.house.deliveries(mapping)] == ["sent"] * 3
    assert (await run.service.get(again.id)).passed == 3


async def test_what_retention_has_forgotten_is_not_brought_again(run: Run) -> None:
    mapping = await run.house.mapping()
    await run.house.hear(post(1), *album("a", 2, 3), post(4))
    await run.house.set_state(mapping, "sent")
    for statement in (
        "update posts set created_at = created_at - interval '40 days'",
        "update deliveries set done_at = done_at - interval '40 days'",
        "delete from fingerprints",
    ):
        await run.house.run(statement)
    assert await retention.forget_posts(run.house.db, 30) == 3
    await run.house.run("update mappings set start_after = 10")
    run.history.messages = [*old(1), *album("a", 2, 3, date=OLD), *old(4, 5)]
    begun = await run.begin(mapping)
    await run.read_all()
    assert [row["position"] for row in await run.house.deliveries(mapping)] == [5]
    assert (await run.service.get(begun.id)).passed == 4


async def test_another_mapping_of_the_source_shares_the_rows_and_gets_its_own_deliveries(run: Run) -> None:
    first = await run.house.mapping()
    await run.house.hear(post(1), post(2))
    second = await run.house.mapping(destination=ARCHIVE, start_after=2)
    run.history.messages = old(1, 2)
    await run.begin(second)
    await run.read_all()
    assert await run.house.states(second) == [(1, "queued"), (2, "queued")]
    assert await run.house.states(first) == [(1, "queued"), (2, "queued")]
    assert len(await run.house.run("select 1 from messages")) == 2


async def test_what_a_listener_has_not_come_to_is_left_to_it_first(run: Run) -> None:
    live = await run.house.mapping()
    await run.house.hear(post(1), post(4))
    late = await run.house.mapping(destination=ARCHIVE, start_after=4)
    run.history.messages = old(1, 2, 3, 4)
    await run.begin(late)
    await run.read_all()
    assert await run.house.states(late) == [(1, "queued")], "2 is a hole that the listener is about to fill"
    await run.house.hear(post(2), post(3))
    await run.read_all()
    assert [position for position, _ in await run.house.states(late)] == [1, 2, 3, 4]
    assert [position for position, _ in await run.house.states(live)] == [1, 2, 3, 4]


async def test_a_paused_run_reads_nothing_and_holds_what_is_queued_until_it_goes_on(run: Run) -> None:
    mapping = await run.house.mapping(start_after=900)
    run.history.messages = old(*range(1, 301))
    begun = await run.begin(mapping)
    await run.reader.turn()
    await run.service.pause(begun.id)
    await run.read_all()
    assert {row["state"] for row in await run.house.deliveries(mapping)} == {"held"}
    assert len(await run.house.deliveries(mapping)) == PAGE
    resumed = await run.service.resume(begun.id)
    assert resumed.state is BackfillState.RUNNING
    await run.read_all()
    assert [row["state"] for row in await run.house.deliveries(mapping)] == ["queued"] * 300


async def test_a_mapping_that_goes_on_does_not_let_a_paused_run_go(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1)
    begun = await run.begin(mapping)
    await run.reader.turn()
    service = MappingService(run.house.db)
    await service.pause(mapping)
    await run.service.pause(begun.id)
    await service.resume(mapping, send=True)
    assert await run.house.states(mapping) == [(1, "held")]
    await service.pause(mapping)
    await run.service.resume(begun.id)
    assert await run.house.states(mapping) == [(1, "held")]
    await service.resume(mapping, send=True)
    assert await run.house.states(mapping) == [(1, "queued")]


async def test_a_stopped_run_withdraws_what_was_not_sent_and_a_later_one_brings_it(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1, 2, 3)
    begun = await run.begin(mapping)
    await run.reader.turn()
    await run.house.run("update deliveries set state = 'sent', done_at = now() where position = 1")
    stopped = await run.service.stop(begun.id)
    assert (stopped.state, stopped.done) == (BackfillState.STOPPED, 1)
    assert await run.house.states(mapping) == [(1, "sent"), (2, "withdrawn"), (3, "withdrawn")]
    await run.begin(mapping)
    await run.read_all()
    assert await run.house.states(mapping) == [(1, "sent"), (2, "queued"), (3, "queued")]


async def test_a_disabled_mapping_ends_its_run(run: Run) -> None:
    mapping = await run.house.mapping(start_after=900)
    run.history.messages = old(*range(1, 301))
    begun = await run.begin(mapping)
    await run.reader.turn()
    await MappingService(run.house.db).disable(mapping)
    await run.read_all()
    view = await run.service.get(begun.id)
    assert (view.state, view.reason) == (BackfillState.STOPPED, "mapping_disabled")
    assert {row["state"] for row in await run.house.deliveries(mapping)} == {"withdrawn"}


async def test_a_repeat_of_what_the_destination_has_is_a_duplicate(run: Run) -> None:
    await run.house.mapping(OTHER, DIGEST)
    mapping = await run.house.mapping(NEWS, DIGEST, start_after=9)
    await run.house.hear(post(1, "the same", chat=OTHER))
    run.history.messages = [post(1, "the same", date=OLD), *old(2)]
    await run.begin(mapping)
    await run.read_all()
    assert await run.house.states(mapping) == [(1, "duplicate"), (2, "queued")]


async def test_a_wait_that_telegram_asks_for_puts_reading_off(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1)
    run.history.refusal = TelegramError("FLOOD_WAIT", code=420, seconds=60)
    begun = await run.begin(mapping)
    await run.read_all()
    assert len(run.history.asked) == 1
    view = await run.service.get(begun.id)
    assert (view.state, view.reason) == (BackfillState.RUNNING, "flood_wait")
    assert view.not_before is not None


async def test_a_source_that_cannot_be_read_any_more_pauses_the_run_with_the_reason(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1)
    run.history.refusal = TelegramError("CHANNEL_PRIVATE", code=400)
    begun = await run.begin(mapping)
    await run.read_all()
    view = await run.service.get(begun.id)
    assert (view.state, view.reason) == (BackfillState.PAUSED, "chat_unreachable")
    run.history.refusal = None
    await run.service.resume(begun.id)
    await run.read_all()
    assert await run.house.states(mapping) == [(1, "queued")]


@pytest.mark.parametrize(
    ("preparation", "code"),
    [
        ("update mappings set state = 'disabled'", "backfill_mapping_off"),
        ("update mappings set state = 'paused', reason = 'paused'", "backfill_mapping_off"),
        ("update channel_access set may_read = false", "backfill_unreadable"),
        ("update channels set protected = true where is_source", "protected_content"),
        ("update mappings set start_after = 0", "backfill_nothing"),
    ],
)
async def test_what_cannot_be_brought_is_refused_and_nothing_is_queued(
    run: Run, preparation: str, code: str
) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1)
    await run.house.run(preparation)
    with pytest.raises(InvalidRequest) as refused:
        await run.begin(mapping)
    assert refused.value.code == code
    assert await run.house.run("select 1 from backfills") == []


async def test_an_impossible_range_and_a_second_run_are_refused(run: Run) -> None:
    mapping = await run.house.mapping(start_after=9)
    run.history.messages = old(1)
    with pytest.raises(InvalidRequest) as empty:
        await run.begin(mapping, Wish(from_id=10))
    assert empty.value.code == "backfill_nothing"
    await run.begin(mapping)
    with pytest.raises(InvalidRequest) as second:
        await run.begin(mapping)
    assert second.value.code == "backfill_runs"


async def test_without_a_login_that_reads_histories_there_is_a_sentence(core: House) -> None:
    mapping = await core.mapping(start_after=9)
    with pytest.raises(InvalidRequest, match="API_ID"):
        await BackfillService(core.db, None).plan(mapping, Wish(last=10))


async def test_where_only_the_bot_reads_the_range_ends_below_its_first_post(run: Run) -> None:
    mapping = await run.house.mapping()
    await run.house.hear(post(1))
    await run.house.run("update deliveries set position = 41")
    run.history.messages = old(40)
    assert (await run.service.plan(mapping, Wish())).span.last == 40


async def test_why_says_that_a_post_was_brought_by_a_backfill(run: Run) -> None:
    mapping = await run.house.mapping(start_after=1)
    await run.house.run("update channels set username = 'news' where is_source")
    await run.house.hear(post(2))
    run.history.messages = old(1)
    await run.begin(mapping)
    await run.read_all()
    stories = [await explain(run.house.db, f"https://t.me/news/{number}") for number in (1, 2)]
    assert [story.deliveries[0].backfilled for story in stories] == [True, False]


async def test_reading_goes_on_behind_the_page_that_was_stored_whoever_reads(run: Run) -> None:
    mapping = await run.house.mapping(start_after=900)
    run.history.messages = old(*range(1, 151))
    await run.begin(mapping)
    await run.reader.turn()
    # Two readers at once, as when a login has just changed hands: one of them finds the cursor moved.
    other = Backfiller(run.house.db, run.house.ingest._dedup, {run.house.user: run.history}, nobody)
    await asyncio.gather(run.reader.turn(), other.turn())
    await run.read_all()
    assert [row["position"] for row in await run.house.deliveries(mapping)] == list(range(1, 151))


async def nobody(dues: Sequence[Due]) -> None:
    """No bell."""
