"""Posts are taken back: copies are deleted in their lane, what is unsent is withdrawn, what is gone stays gone."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from forwarder.cli.root import cli
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind, DeleteOrder
from forwarder.services.takeback import TakebackService
from tests.builders import ARCHIVE, DIGEST, OTHER, House, album, post
from tests.integration.carriers import Street

CITY = -1001000000001
BOT, USER = AccountKind.BOT, AccountKind.USER


def link(message_id: int) -> str:
    return f"https://t.me/c/1000000001/{message_id}"


async def carried(core: House, street: Street, *destinations: int, **values: object) -> list[int]:
    """Post 1 and the album 2-3, sent into each destination; answers the mappings."""
    mappings = [await core.mapping(CITY, destination, **values) for destination in destinations]  # type: ignore[arg-type]
    await core.hear(post(1, chat=CITY), *album("a", 2, 3, chat=CITY), post(4, chat=CITY))
    for mapping in mappings:
        await street.carrier(street.sender(USER)).carry(mapping)
    return mappings


async def test_one_post_is_deleted_wherever_it_went(core: House, street: Street) -> None:
    first, second = await carried(core, street, DIGEST, ARCHIVE)
    service = TakebackService(core.db)
    found = await service.of_post(link(3))
    assert [(one.mapping_id, one.copies, one.unsent) for one in found.affected] == [
        (first, 2, 0),
        (second, 2, 0),
    ]
    assert await service.carry_out(found) == 2
    sender = street.sender(USER)
    for mapping in (first, second):
        await street.carrier(sender).carry(mapping)
    copies = {
        chat: tuple(c for d, m, c in street.chat.arrived if d == chat and m in (2, 3))
        for chat in (DIGEST, ARCHIVE)
    }
    assert sender.deletions == [DeleteOrder(chat, ids) for chat, ids in copies.items()]


async def test_a_link_to_a_copy_leads_to_all_its_siblings(core: House, street: Street) -> None:
    city = -1001000000002
    first, second = await carried(core, street, city, ARCHIVE)
    [copy] = [c for d, m, c in street.chat.arrived if d == city and m == 1]
    found = await TakebackService(core.db).of_post(f"https://t.me/c/1000000002/{copy}")
    assert [(one.mapping_id, one.copies) for one in found.affected] == [(first, 1), (second, 1)]


async def test_what_has_not_been_sent_is_withdrawn(core: House, street: Street) -> None:
    mapping = await core.mapping(CITY)
    await core.hear(post(1, chat=CITY), post(2, chat=CITY))
    service = TakebackService(core.db)
    found = await service.of_post(link(1))
    assert (found.copies, found.unsent) == (0, 1)
    await service.carry_out(found)
    assert await core.states(mapping) == [(1, "withdrawn"), (2, "queued")]
    assert await core.deliveries(mapping, "delete") == []


async def test_a_post_taken_back_while_it_is_being_sent_is_deleted_once_it_has_arrived(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(CITY)
    await core.hear(post(1, chat=CITY))
    service = TakebackService(core.db)
    sender = street.sender(USER)

    async def regret(_: object) -> None:
        await service.carry_out(await service.of_post(link(1)))

    sender.after.append(regret)
    await street.carrier(sender).carry(mapping)
    [(_, _, copy)] = street.chat.arrived
    assert sender.deletions == [DeleteOrder(DIGEST, (copy,))]


async def test_the_last_minutes_of_a_mapping_are_taken_back_and_older_posts_stay(
    core: House, street: Street
) -> None:
    [mapping] = await carried(core, street, DIGEST, delete_sync=False)
    await core.run("update deliveries set done_at = done_at - interval '11 minutes' where position = 1")
    service = TakebackService(core.db)
    found = await service.of_minutes(mapping, 10)
    assert (len(found.deliveries), found.copies) == (2, 3)
    assert await service.carry_out(found) == 2
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert sum(len(order.message_ids) for order in sender.deletions) == 3
    with pytest.raises(NotFound, match="nothing to take back"):
        await service.of_minutes(mapping, 10)


async def test_a_word_about_minutes_does_not_concern_what_was_sent_after_the_question(
    core: House, street: Street
) -> None:
    [mapping] = await carried(core, street, DIGEST, delete_sync=False)
    service = TakebackService(core.db)
    asked = await service.of_minutes(mapping, 10)
    later = "update deliveries set done_at = to_timestamp(:until) + interval '1 second' where position = 1"
    await core.run(later, until=asked.until)
    again = await service.of_minutes(mapping, 10, asked.until)
    assert set(again.deliveries) < set(asked.deliveries)
    assert len(again.deliveries) == len(asked.deliveries) - 1


async def test_a_paused_mapping_deletes_when_it_is_resumed_and_a_disabled_one_not_at_all(
    core: House, street: Street
) -> None:
    first, second, third = await carried(core, street, DIGEST, ARCHIVE, OTHER)
    await core.run("update mappings set state = 'paused', reason = 'paused' where id = :id", id=first)
    await core.run("update mappings set state = 'disabled' where id = :id", id=second)
    service = TakebackService(core.db)
    found = await service.of_post(link(1))
    assert [one.mapping_id for one in found.affected] == [first, second, third]
    assert found.copies == 2
    await service.carry_out(found)
    rows = await core.run("select mapping_id, state, reason from deliveries where kind = 'delete' order by 1")
    assert [(r["mapping_id"], r["state"], r["reason"]) for r in rows] == [
        (first, "held", "paused"),
        (third, "queued", None),
    ]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("https://t.me/c/1000000001", "not_a_message_link"),
        ("nonsense here", "bad_reference"),
        ("https://t.me/c/1000000001/99", "post_not_kept"),
        ("https://t.me/nobody_here/1", "channel_not_found"),
    ],
)
async def test_a_wrong_link_is_refused_by_its_own_sentence(core: House, asked: str, code: str) -> None:
    await core.mapping(CITY)
    with pytest.raises(InvalidRequest) as refusal:
        await TakebackService(core.db).of_post(asked)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("mapping", "minutes", "code"), [(0, 5, "mapping_not_found"), (None, 0, "bad_minutes")]
)
async def test_a_wrong_mapping_or_time_is_refused(
    core: House, mapping: int | None, minutes: int, code: str
) -> None:
    number = await core.mapping(CITY)
    with pytest.raises(InvalidRequest) as refusal:
        await TakebackService(core.db).of_minutes(number if mapping is None else mapping, minutes)
    assert refusal.value.code == code


async def test_the_command_shows_asks_and_does(
    core: House, street: Street, module_database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [mapping] = await carried(core, street, DIGEST)
    for name, value in (("DATABASE_URL", module_database_url), ("REDIS_URL", redis_db), ("ENV_FILE", "")):
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["takeback", *arguments])
        return result.exit_code, result.output

    status, shown = await run("--post", link(2), "--dry-run")
    assert (status, shown.splitlines()[1].split("\t")[2:5]) == (0, ["1", "2", "0"])
    status, refused = await run("--post", link(2))
    assert (status, "Delete 2 copies: say --yes" in refused) == (2, True)
    assert await core.deliveries(mapping, "delete") == []
    status, done = await run(str(mapping), "--minutes", "5", "--yes")
    assert (status, "3 posts are being taken back." in done) == (0, True)
    assert len(await core.deliveries(mapping, "delete")) == 3
    status, nothing = await run("--post", link(2), "--yes")
    assert (status, "nothing to take back" in nothing) == (1, True)
