"""Mappings: refused where they cannot work, and their deliveries held, sent on or withdrawn with them."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import AccountNotReady, InvalidRequest, NotFound
from forwarder.message import AccountKind, ChatKind, Mode, Route
from forwarder.models import MappingState
from forwarder.services import mapping_rows
from forwarder.services.values import Rights
from tests.integration.services.house import House, chat


async def deliver(db: Database, mapping: int, *states: str, kind: str = "post") -> None:
    """One delivery in each state, of a post of its own in the mapping's source."""
    async with db.begin() as session:
        for state in states:
            final = state in ("sent", "failed", "filtered", "duplicate", "withdrawn")
            await session.execute(
                text(
                    """
                    with place as (
                        select m.source_id, coalesce(max(p.position), 0) + 1 as position
                          from mappings m left join posts p on p.channel_id = m.source_id
                         where m.id = :mapping group by m.source_id),
                    post as (
                        insert into posts (channel_id, position, state)
                        select source_id, position, 'ready' from place returning id, position)
                    insert into deliveries
                           (mapping_id, post_id, kind, class, position, state, reason, account_id, done_at)
                    select :mapping, id, :kind, case when :kind = 'post' then 1 else 0 end, position, :state,
                           case when :state = 'held' then 'paused'
                                when :state not in ('queued', 'sending', 'sent') then 'test' end,
                           case when :state = 'sending' then (select min(id) from accounts) end,
                           case when :final then clock_timestamp() end from post
                    """
                ),
                {"mapping": mapping, "state": state, "kind": kind, "final": final},
            )


async def states(db: Database, mapping: int) -> list[tuple[str, str | None]]:
    async with db.begin() as session:
        rows = await session.execute(
            text("select state, reason from deliveries where mapping_id = :m order by id"), {"m": mapping}
        )
        return [(row.state, row.reason) for row in rows]


async def pair(house: House, **how: bool) -> int:
    source = await house.source(-1001, "Source", top_id=40, **how)
    destination = await house.destination(-1002, "Destination", **how)
    start = await house.channels.start_id(source)
    return (await house.mappings.create(source, destination, mode=Mode.COPY, start_after=start, actor=5)).id


async def test_a_mapping_starts_after_the_newest_post_and_takes_the_bot_where_it_can(house: House) -> None:
    view = await house.mappings.get(await pair(house))
    assert (view.start_after, view.lane_route, view.route, view.state) == (
        40,
        Route.BOT,
        Route.AUTO,
        "active",
    )
    async with house.db.begin() as session:
        marks = (await session.execute(text("select account_id, mark from marks"))).all()
        audit = (
            await session.execute(text("select actor, action, subject from audit_log order by id"))
        ).all()
    assert marks == [(house.user_id, 40)]
    assert tuple(audit[-1]) == (5, "mapping.create", f"mapping:{view.id}")


async def test_the_user_account_carries_what_the_bot_does_not_see(house: House) -> None:
    view = await house.mappings.get(await pair(house, bot=False))
    assert view.lane_route is Route.USER


async def test_a_source_that_is_followed_already_keeps_its_mark(house: House) -> None:
    source, first = await house.source(-1001), await house.destination(-1002)
    second = await house.destination(-1003)
    await house.mappings.create(source, first, mode=Mode.COPY, start_after=40)
    await house.mappings.create(source, second, mode=Mode.COPY, start_after=60)
    async with house.db.begin() as session:
        assert (await session.scalars(text("select mark from marks"))).all() == [40]


async def test_a_source_taken_up_again_starts_from_now(house: House) -> None:
    mapping = await pair(house)
    before = await house.mappings.disable(mapping)
    again = await house.mappings.create(
        before.source.id, before.destination.id, mode=Mode.FORWARD, start_after=90
    )
    assert (again.id, again.state, again.start_after, again.mode) == (mapping, "active", 90, "forward")
    assert again.revision > before.revision
    async with house.db.begin() as session:
        assert (await session.scalars(text("select mark from marks"))).all() == [90]


async def test_posts_heard_before_the_mapping_do_not_enter_it(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    async with house.db.begin() as session:
        await session.execute(
            text(
                "insert into messages (channel_id, message_id, kind, heard, date)"
                " values (:channel, 45, 'text', 'push', clock_timestamp())"
            ),
            {"channel": source},
        )
    view = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=44)
    assert view.start_after == 45


async def test_a_pair_is_mapped_once(house: House) -> None:
    view = await house.mappings.get(await pair(house))
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(view.source.id, view.destination.id, mode=Mode.COPY, start_after=0)
    assert (refused.value.code, refused.value.fields["mapping"]) == ("mapping_exists", view.id)


async def both(house: House, number: int, title: str) -> int:
    house.bot.sees(chat(number, title))
    house.user.sees(chat(number, title))
    return (await house.channels.add(str(number), as_source=True, as_destination=True)).id


async def test_a_mapping_onto_itself_is_refused(house: House) -> None:
    one = await both(house, -1001, "One")
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(one, one, mode=Mode.COPY, start_after=0)
    assert refused.value.code == "mapping_onto_itself"


async def test_a_loop_is_refused_and_its_way_is_named(house: House) -> None:
    one, two, three = [await both(house, -1001 - n, t) for n, t in enumerate(["One", "Two", "Three"])]
    await house.mappings.create(one, two, mode=Mode.COPY, start_after=0)
    second = await house.mappings.create(two, three, mode=Mode.COPY, start_after=0)
    await house.mappings.pause(second.id)
    with pytest.raises(InvalidRequest, match="Three → One → Two → Three") as refused:
        await house.mappings.create(three, one, mode=Mode.COPY, start_after=0)
    assert refused.value.code == "mapping_closes_loop"
    await house.mappings.disable(second.id)
    assert (await house.mappings.create(three, one, mode=Mode.COPY, start_after=0)).state == "active"


async def test_a_loop_through_a_discussion_group_is_refused(house: House) -> None:
    group = await both(house, -1009, "Talk")
    house.bot.sees(chat(-1001, "News", linked=-1009))
    news = (await house.channels.add("-1001", as_destination=True)).id
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(group, news, mode=Mode.COPY, start_after=0)
    assert refused.value.code == "mapping_closes_loop"


async def test_two_mappings_made_at_once_cannot_close_a_loop_together(house: House) -> None:
    one, two = await both(house, -1001, "One"), await both(house, -1002, "Two")
    results = await asyncio.gather(
        house.mappings.create(one, two, mode=Mode.COPY, start_after=0),
        house.mappings.create(two, one, mode=Mode.COPY, start_after=0),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["InvalidRequest", "MappingView"]


async def test_a_pair_that_no_single_account_can_carry_is_refused(house: House) -> None:
    house.user.sees(chat(-1001, "Source", posts=False))
    house.bot.sees(chat(-1002, "Destination"))
    source = (await house.channels.add("-1001", as_source=True)).id
    destination = (await house.channels.add("-1002", as_destination=True)).id
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    assert refused.value.code == "no_route"


async def test_only_what_was_added_for_a_side_is_used_on_it(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    for wrong in ((destination, destination), (source, source)):
        with pytest.raises(InvalidRequest) as refused:
            await house.mappings.create(*wrong, mode=Mode.COPY, start_after=0)
        assert refused.value.code in ("not_a_source", "not_a_destination")
    with pytest.raises(NotFound):
        await house.mappings.create(source, 999, mode=Mode.COPY, start_after=0)


async def test_a_pause_holds_what_is_queued_and_leaves_the_rest(house: House) -> None:
    mapping = await pair(house)
    await deliver(house.db, mapping, "queued", "sending", "sent", "queued")
    view = await house.mappings.pause(mapping, actor=5)
    assert (view.state, view.reason) == ("paused", "paused")
    assert await states(house.db, mapping) == [
        ("held", "paused"),
        ("sending", None),
        ("sent", None),
        ("held", "paused"),
    ]


async def test_resuming_sends_what_was_held_when_asked_to(house: House) -> None:
    mapping = await pair(house)
    await deliver(house.db, mapping, "queued", "queued")
    await house.mappings.pause(mapping)
    house.rung.clear()
    view = await house.mappings.resume(mapping, send=True)
    assert view.state == "active"
    assert await states(house.db, mapping) == [("queued", None)] * 2
    assert house.rung == [mapping]


async def test_resuming_skips_posts_when_asked_to_but_still_applies_edits(house: House) -> None:
    mapping = await pair(house)
    await deliver(house.db, mapping, "queued")
    await deliver(house.db, mapping, "queued", kind="edit")
    await house.mappings.pause(mapping)
    await house.mappings.resume(mapping, send=False)
    assert await states(house.db, mapping) == [("withdrawn", "skipped"), ("queued", None)]


async def test_skipping_a_first_copy_lets_its_duplicate_go(house: House) -> None:
    mapping = await pair(house)
    other_source = await house.source(-1003, "Other")
    view = await house.mappings.get(mapping)
    other = await house.mappings.create(other_source, view.destination.id, mode=Mode.COPY, start_after=0)
    await deliver(house.db, mapping, "queued")
    async with house.db.begin() as session:
        await session.execute(
            text(
                """
                with post as (insert into posts (channel_id, position, state)
                              values (:channel, 1, 'ready') returning id)
                insert into deliveries
                       (mapping_id, post_id, kind, class, position, state, reason, duplicate_of, done_at)
                select :other, post.id, 'post', 1, 1, 'duplicate', 'same_content',
                       (select id from deliveries where mapping_id = :mapping), clock_timestamp() from post
                """
            ),
            {"channel": other_source, "other": other.id, "mapping": mapping},
        )
    await house.mappings.pause(mapping)
    await house.mappings.resume(mapping, send=False)
    assert await states(house.db, other.id) == [("queued", None)]
    assert set(house.rung) == {mapping, other.id}


async def test_disabling_withdraws_what_was_queued_or_held(house: House) -> None:
    mapping = await pair(house)
    await deliver(house.db, mapping, "queued", "held", "sending", "sent")
    view = await house.mappings.disable(mapping)
    assert view.state == "disabled"
    assert await states(house.db, mapping) == [
        ("withdrawn", "mapping_disabled"),
        ("withdrawn", "mapping_disabled"),
        ("sending", None),
        ("sent", None),
    ]
    for change in (
        house.mappings.pause(mapping),
        house.mappings.resume(mapping, send=True),
        house.mappings.disable(mapping),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await change
        assert refused.value.code == "mapping_disabled"


async def test_counts_tell_every_state_of_the_posts(house: House) -> None:
    mapping = await pair(house)
    await deliver(house.db, mapping, "queued", "queued", "held", "sent", "sent", "sent", "failed", "unsure")
    await deliver(house.db, mapping, "sent", kind="edit")
    counts = await house.mappings.counts(mapping)
    assert (counts.queued, counts.held, counts.sent, counts.failed, counts.unsure) == (2, 1, 3, 1, 1)
    assert counts.last_sent_at is not None
    assert [t.state for t in await house.mappings.troubles(mapping)] == ["unsure", "failed"]
    assert [t.state for t in await house.mappings.troubles(limit=1)] == ["unsure"]


async def test_lists_leave_out_the_disabled_and_find_by_either_name(house: House) -> None:
    mapping = await pair(house)
    assert (await house.mappings.list()).items[0].id == mapping
    assert (await house.mappings.list(query="destin")).total == 1
    assert (await house.mappings.list(query="nothing")).total == 0
    await house.mappings.disable(mapping)
    assert (await house.mappings.list()).total == 0
    assert (await house.mappings.list(state=MappingState.DISABLED)).total == 1


async def test_a_lost_right_moves_the_lane_to_the_account_that_has_it(house: House) -> None:
    mapping = await pair(house)
    view = await house.mappings.get(mapping)
    await house.channels.access_changed(-1002, AccountKind.BOT, Rights())
    routing = await house.mappings.refresh_routes(view.destination.id)
    assert routing.rerouted == (mapping,)
    assert (await house.mappings.get(mapping)).lane_route is Route.USER


async def test_a_mapping_nobody_can_carry_pauses_and_goes_on_when_rights_return(house: House) -> None:
    mapping = await pair(house)
    destination = (await house.mappings.get(mapping)).destination.id
    await deliver(house.db, mapping, "queued")
    for kind in AccountKind:
        await house.channels.access_changed(-1002, kind, Rights())
    assert (await house.mappings.refresh_routes(destination)).paused == (mapping,)
    paused = await house.mappings.get(mapping)
    assert (paused.state, paused.reason) == ("paused", "no_route")
    assert await states(house.db, mapping) == [("held", "paused")]
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.resume(mapping, send=True)
    assert refused.value.code == "no_route"
    await house.channels.access_changed(-1002, AccountKind.BOT, Rights(True, True))
    assert (await house.mappings.refresh_routes(destination)).resumed == (mapping,)
    assert await states(house.db, mapping) == [("queued", None)]


async def test_what_a_person_paused_does_not_go_on_by_itself(house: House) -> None:
    mapping = await pair(house)
    destination = (await house.mappings.get(mapping)).destination.id
    for kind in AccountKind:
        await house.channels.access_changed(-1002, kind, Rights())
    await house.mappings.refresh_routes(destination)
    await house.mappings.pause(mapping, actor=5)
    await house.channels.access_changed(-1002, AccountKind.BOT, Rights(True, True))
    assert (await house.mappings.refresh_routes(destination)).resumed == ()
    assert (await house.mappings.get(mapping)).state == "paused"


async def test_a_stopped_account_carries_no_new_mapping(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    await house.accounts.stop(house.bot_id, "spam_limited")
    view = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    assert view.lane_route is Route.USER


async def test_an_unknown_mapping_is_named(house: House) -> None:
    for change in (house.mappings.get(99), house.mappings.pause(99), house.mappings.disable(99)):
        with pytest.raises(NotFound, match="#99"):
            await change


async def test_before_an_error_s_pause_ends_the_chats_are_looked_at_again(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    mapping = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    await house.channels.note_protection({-1001: True})
    paused = await house.mappings.pause(mapping.id, reason="protected_content")
    with pytest.raises(InvalidRequest, match="protects its content"):
        await house.mappings.resume(mapping.id, send=True)
    await house.channels.look_again(paused)
    resumed = await house.mappings.resume(mapping.id, send=True)
    assert resumed.state == "active"


async def test_where_nobody_answers_what_was_known_stays(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    mapping = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    paused = await house.mappings.pause(mapping.id, reason="chat_unreachable")
    house.bot.silent = house.user.silent = AccountNotReady("down")
    await house.channels.look_again(paused)
    assert (await house.mappings.resume(mapping.id, send=True)).state == "active"


@pytest.mark.parametrize(("listens", "route"), [(True, Route.USER), (False, Route.BOT)])
async def test_a_basic_group_is_carried_by_who_hears_it(house: House, listens: bool, route: Route) -> None:
    for directory in (house.bot, house.user):
        directory.sees(chat(-77, "Talk", kind=ChatKind.GROUP, reads=directory is house.bot or listens))
        directory.sees(chat(-1002, "Destination"))
    source = (await house.channels.add("-77", as_source=True)).id
    destination = (await house.channels.add("-1002", as_destination=True)).id
    other = Route.BOT if route is Route.USER else Route.USER
    with pytest.raises(InvalidRequest, match="No account can carry"):
        await house.mappings.create(source, destination, mode=Mode.COPY, route=other, start_after=0)
    made = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    assert made.lane_route is route


@pytest.mark.parametrize("number", [-1, 0, 99, 2**31, 10**30])
async def test_a_number_that_no_mapping_can_have_is_not_found(db: Database, number: int) -> None:
    for look in (mapping_rows.one, mapping_rows.locked):
        async with db.begin() as session:
            with pytest.raises(NotFound, match=f"no mapping #{number}"):
                await look(session, number)
