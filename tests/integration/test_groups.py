"""Destinations in one group: what is the same goes to one of them, and nothing that was sent is forgotten."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from forwarder.cli.root import cli
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind, ChatKind
from forwarder.outbox import Due, ended_without_success
from forwarder.services.channels import ChannelService
from forwarder.services.groups import GroupService
from forwarder.services.migration import move
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, photo, post
from tests.integration.carriers import Street

USER = AccountKind.USER
WORDS = "the same words"


async def grouped(core: House, *destinations: int, name: str = "papers") -> None:
    for destination in destinations:
        number = await core.channel(destination)
        await core.run("update channels set is_destination = true where id = :id", id=number)
        await GroupService(core.db).join(number, name)


async def failed(core: House, mapping: int) -> list[Due]:
    """The one post of a mapping ends unsent; answers what became due by that."""
    [row] = await core.deliveries(mapping)
    await core.set_state(mapping, "failed", reason="content_limit")
    async with core.db.begin() as session:
        return await ended_without_success(session, [row["id"]])


async def test_a_post_goes_to_one_destination_of_a_group_and_the_other_row_names_it(
    core: House, street: Street
) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1))
    [sent], [again] = await core.deliveries(first), await core.deliveries(second)
    assert (sent["state"], again["state"], again["duplicate_of"]) == ("queued", "duplicate", sent["id"])
    for mapping in (first, second):
        await street.carrier(street.sender(USER)).carry(mapping)
    assert (street.chat.posts(DIGEST), street.chat.posts(ARCHIVE)) == ([1], [])


async def test_the_same_content_from_another_source_goes_to_no_other_destination_of_the_group(
    core: House,
) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1, WORDS), photo(2, "mt:photo:7"))
    await core.hear(
        post(1, WORDS.upper(), chat=OTHER), photo(2, "mt:photo:7", chat=OTHER), post(3, chat=OTHER)
    )
    assert await core.states(first) == [(1, "queued"), (2, "queued")]
    assert await core.states(second) == [(1, "duplicate"), (2, "duplicate"), (3, "queued")]


async def test_two_groups_and_those_in_none_have_each_their_own_memory(core: House) -> None:
    third = -1005
    await grouped(core, DIGEST, name="one")
    await grouped(core, ARCHIVE, name="two")
    mappings = [await core.mapping(NEWS, chat) for chat in (DIGEST, ARCHIVE, third)]
    await core.hear(post(1, WORDS))
    assert [await core.states(mapping) for mapping in mappings] == [[(1, "queued")]] * 3


async def test_a_source_that_repeats_itself_goes_on_doing_so_into_one_destination(core: House) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1, WORDS), post(2, WORDS))
    assert await core.states(first) == [(1, "queued"), (2, "queued")]
    assert await core.states(second) == [(1, "duplicate"), (2, "duplicate")]


async def test_a_mapping_without_deduplication_brings_its_posts_also_in_a_group(core: House) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    await core.mapping(NEWS, DIGEST)
    free = await core.mapping(NEWS, ARCHIVE, dedup="off")
    await core.hear(post(1))
    assert await core.states(free) == [(1, "queued")]


async def test_the_next_destination_of_the_group_gets_what_the_first_could_not(core: House) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    later = await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    [due] = await failed(core, first)
    assert due.mapping_id == second
    assert await core.states(second) == [(1, "queued")]
    await core.hear(post(1, WORDS, chat=OTHER))
    [copy], [heir] = await core.deliveries(later), await core.deliveries(second)
    assert (copy["state"], copy["duplicate_of"]) == ("duplicate", heir["id"])


async def test_what_a_destination_has_got_it_brings_into_its_group_and_keeps_when_it_leaves(
    core: House,
) -> None:
    service = GroupService(core.db)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, ARCHIVE)
    again = await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    await grouped(core, DIGEST, ARCHIVE)
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")], "the group knows what a member knew"
    assert await service.leave(core.channels[DIGEST])
    await core.hear(post(2, WORDS, chat=OTHER))
    assert (await core.states(again))[-1] == (2, "duplicate"), "it has got that itself"
    assert (await core.states(second))[-1] == (2, "queued"), "who is left has not"
    assert await core.states(first) == [(1, "queued")]


async def test_a_first_copy_that_left_the_group_leaves_no_wrong_memory_behind(core: House) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    other = await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    await GroupService(core.db).leave(core.channels[DIGEST])
    await failed(core, first)
    assert await core.states(second) == [(1, "queued")]
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(other) == [(1, "queued")], "it has never had that"


async def test_who_inherits_after_the_first_copy_left_the_group_holds_the_groups_place(core: House) -> None:
    third = -1005
    await grouped(core, DIGEST, ARCHIVE, third)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    again = await core.mapping(OTHER, third)
    await core.hear(post(1, WORDS))
    await GroupService(core.db).leave(core.channels[DIGEST])
    await failed(core, first)
    assert await core.states(second) == [(1, "queued")]
    await core.hear(post(1, WORDS, chat=OTHER))
    [copy], [heir] = await core.deliveries(again), await core.deliveries(second)
    assert (copy["state"], copy["duplicate_of"]) == ("duplicate", heir["id"])


async def test_an_emptied_redis_forgets_nothing_that_was_sent(
    core: House, street: Street, redis_db: str
) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1, WORDS))
    await street.carrier(street.sender(USER)).carry(first)
    async with Redis.from_url(redis_db) as client:
        await client.flushall()
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]


async def test_a_group_that_becomes_a_supergroup_stays_in_its_group_with_what_it_knew(core: House) -> None:
    house, super_house = -77, -1000000000077
    await core.channel(house, kind=ChatKind.GROUP)
    await grouped(core, house, ARCHIVE)
    first, second = await core.mapping(NEWS, house), await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1, WORDS))
    async with core.db.begin() as session:
        await move(session, house, super_house)
    await core.hear(post(2, "other words"))
    await core.hear(post(1, WORDS, chat=OTHER), post(2, "other words", chat=OTHER))
    assert await core.states(first) == [(1, "queued"), (2, "queued")]
    assert await core.states(second) == [(1, "duplicate"), (2, "duplicate")]


async def test_what_was_sent_to_a_group_counts_in_the_supergroup_that_it_became(core: House) -> None:
    house, super_house = -77, -1000000000077
    await core.channel(house, kind=ChatKind.GROUP)
    await core.mapping(NEWS, house)
    second = await core.mapping(OTHER, house)
    await core.hear(post(1, WORDS))
    async with core.db.begin() as session:
        await move(session, house, super_house)
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]


async def test_groups_are_made_by_their_first_destination_and_end_with_their_last(core: House) -> None:
    service = GroupService(core.db)
    await grouped(core, DIGEST, ARCHIVE)
    assert await service.join(core.channels[DIGEST], " Papers ") == "papers"
    [group] = await service.list()
    assert (group.name, {one.telegram_id for one in group.destinations}) == ("papers", {DIGEST, ARCHIVE})
    await service.join(core.channels[DIGEST], "магазины")
    assert [one.name for one in await service.list()] == ["papers", "магазины"]
    view = await ChannelService(core.db, None, None).get(core.channels[DIGEST])
    assert view.group == "магазины"
    await service.leave(core.channels[DIGEST])
    assert not await service.leave(core.channels[DIGEST])
    assert [one.name for one in await service.list()] == ["papers"]


async def test_a_destination_that_is_forgotten_leaves_its_group(core: House) -> None:
    await grouped(core, DIGEST, ARCHIVE)
    await core.run("update channels set is_source = true where id = :id", id=core.channels[DIGEST])
    channels = ChannelService(core.db, None, None)
    await channels.remove(core.channels[DIGEST], side="destination")
    [group] = await GroupService(core.db).list()
    assert [one.telegram_id for one in group.destinations] == [ARCHIVE]
    await channels.remove(core.channels[ARCHIVE])
    assert await GroupService(core.db).list() == ()


async def test_those_who_join_at_once_are_all_in_one_group(core: House) -> None:
    chats = [-1000000000100 - n for n in range(6)]
    numbers = [await core.channel(chat) for chat in chats]
    await core.run("update channels set is_destination = true")
    service = GroupService(core.db)
    await asyncio.gather(*(service.join(number, "papers") for number in numbers))
    [group] = await service.list()
    assert len(group.destinations) == 6


async def test_a_group_may_be_joined_at_the_moment_when_its_last_destination_leaves(core: House) -> None:
    await grouped(core, DIGEST)
    service, last = GroupService(core.db), core.channels[DIGEST]
    number = await core.channel(ARCHIVE)
    await core.run("update channels set is_destination = true")
    for _ in range(15):
        await asyncio.gather(service.leave(last), service.join(number, "papers"))
        [group] = await service.list()
        assert [one.id for one in group.destinations] == [number]
        last, number = number, last


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
async def test_a_name_that_is_none_is_refused(core: House, name: str) -> None:
    await grouped(core, DIGEST)
    with pytest.raises(InvalidRequest) as refused:
        await GroupService(core.db).join(core.channels[DIGEST], name)
    assert refused.value.code == "bad_group_name"


async def test_only_destinations_that_are_there_are_grouped(core: House) -> None:
    await core.mapping()
    service = GroupService(core.db)
    with pytest.raises(InvalidRequest) as refused:
        await service.join(core.channels[NEWS], "papers")
    assert refused.value.code == "not_a_destination"
    with pytest.raises(NotFound):
        await service.join(99_999, "papers")
    assert await service.list() == ()


async def test_groups_are_set_from_the_command_line(
    core: House, module_database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grouped(core, DIGEST)
    for name, value in (("DATABASE_URL", module_database_url), ("REDIS_URL", redis_db), ("ENV_FILE", "")):
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["channel", "group", *arguments])
        return result.exit_code, result.output

    assert await run(str(DIGEST), "papers") == (0, f"Chat {DIGEST} is in the group “papers” now.\n")
    assert await run(str(DIGEST), "--none") == (0, f"Chat {DIGEST} is in no group now.\n")
    assert await run(str(DIGEST), "--none") == (0, f"Chat {DIGEST} is in no group.\n")
    status, said = await run(str(DIGEST))
    assert (status, "Say the group's NAME, or --none." in said) == (2, True)
