"""Channels: what the accounts say becomes rows, and what cannot work is refused with its reason."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from forwarder.errors import AccountNotReady, InvalidRequest, NotFound
from forwarder.message import AccountKind, ChatKind, Mode
from forwarder.services.values import Rights
from tests.integration.services.house import House, chat


async def test_a_source_is_heard_by_the_user_account_where_it_reads(house: House) -> None:
    house.user.sees(chat(-1001, "News", username="news", posts=False, access_hash=77))
    house.bot.sees(chat(-1001, "News", username="news", posts=False))
    view = await house.channels.add("@news", as_source=True, actor=5)
    assert (view.telegram_id, view.title, view.is_source, view.is_destination) == (-1001, "News", True, False)
    assert view.listener is AccountKind.USER
    assert view.rights(AccountKind.USER) == Rights(may_read=True)
    assert view.health is None


async def test_a_source_that_only_the_bot_reads_is_heard_by_the_bot(house: House) -> None:
    house.bot.sees(chat(-1001))
    house.user.refuses("-1001", "chat_unreadable")
    view = await house.channels.add("-1001", as_source=True)
    assert view.listener is AccountKind.BOT
    assert view.rights(AccountKind.USER) == Rights()
    assert await house.channels.start_id(view.id) == 0


async def test_what_one_account_finds_by_invite_link_the_other_is_asked_by_id(house: House) -> None:
    house.user.sees(chat(-1001), "https://t.me/+abcdef")
    house.bot.sees(chat(-1001))
    view = await house.channels.add("https://t.me/+abcdef", as_destination=True)
    assert view.rights(AccountKind.BOT) == Rights(True, True, True, True)
    assert house.bot.asked == ["https://t.me/+abcdef", "-1001"]


async def test_a_silent_user_account_does_not_keep_the_bot_from_adding(house: House) -> None:
    house.user.silent = AccountNotReady("nobody holds the login")
    house.bot.sees(chat(-1001))
    view = await house.channels.add("-1001", as_destination=True)
    assert view.rights(AccountKind.BOT) == Rights(True, True, True, True)
    assert view.rights(AccountKind.USER) is None


@pytest.mark.parametrize(
    ("bot", "user", "side", "code"),
    [
        (None, None, "source", "chat_not_found"),
        ("chat_unreadable", "not_a_member", "source", "unreadable_by_all"),
        ("chat_unreadable", "chat_unreadable", "destination", "no_right_to_post"),
        ("bad_reference", "bad_reference", "source", "bad_reference"),
        (chat(-1001, posts=False), chat(-1001, posts=False), "destination", "no_right_to_post"),
        (chat(-1001, reads=False), chat(-1001, reads=False), "source", "unreadable_by_all"),
        (chat(-1001, protected=True), None, "source", "protected_content"),
        (chat(5, kind=ChatKind.PRIVATE), None, "source", "private_chat_unsupported"),
    ],
)
async def test_what_cannot_work_is_refused_by_name(
    house: House, bot: object, user: object, side: str, code: str
) -> None:
    for directory, answer in ((house.bot, bot), (house.user, user)):
        if isinstance(answer, str):
            directory.refuses("@it", answer)
        elif answer is not None:
            directory.sees(answer, "@it")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest) as refused:
        await house.channels.add("@it", as_source=side == "source", as_destination=side == "destination")
    assert refused.value.code == code
    assert (await house.channels.list()).total == 0


async def test_a_chat_unknown_to_the_bot_while_the_account_is_silent_may_exist(house: House) -> None:
    house.user.silent = AccountNotReady("nobody holds the login")
    with pytest.raises(InvalidRequest) as refused:
        await house.channels.add("@it", as_source=True)
    assert refused.value.code == "chat_not_found_now"


async def test_protected_content_is_no_obstacle_for_a_destination(house: House) -> None:
    house.bot.sees(chat(-1001, protected=True))
    assert (await house.channels.add("-1001", as_destination=True)).protected


async def test_adding_again_adds_the_other_side(house: House) -> None:
    await house.source(-1001)
    house.user.sees(chat(-1001, "Renamed"))
    view = await house.channels.add("-1001", as_destination=True)
    assert (view.is_source, view.is_destination, view.title) == (True, True, "Renamed")


async def test_a_check_notes_rights_that_are_gone(house: House) -> None:
    channel = await house.destination(-1001)
    house.bot.sees(chat(-1001, posts=False))
    house.user.refuses("-1001", "chat_unreadable")
    view = await house.channels.check(channel)
    assert view.health == "no_right_to_post"
    assert view.rights(AccountKind.USER) == Rights()


async def test_a_check_that_nobody_can_answer_changes_nothing(house: House) -> None:
    channel = await house.destination(-1001)
    house.bot.silent = house.user.silent = AccountNotReady("down")
    with pytest.raises(AccountNotReady):
        await house.channels.check(channel)
    assert (await house.channels.get(channel)).health is None


async def test_a_channel_in_use_is_not_removed_and_the_mapping_is_named(house: House) -> None:
    source, destination = await house.source(-1001), await house.destination(-1002)
    mapping = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    with pytest.raises(InvalidRequest, match=f"#{mapping.id}") as refused:
        await house.channels.remove(source)
    assert refused.value.code == "channel_in_use"
    await house.mappings.disable(mapping.id)
    await house.channels.remove(source)
    assert [item.id for item in (await house.channels.list()).items] == [destination]


async def test_a_channel_without_a_history_is_forgotten_entirely(house: House) -> None:
    channel = await house.source(-1001)
    await house.channels.remove(channel, actor=5)
    with pytest.raises(NotFound):
        await house.channels.get(channel)


async def test_pages_are_ordered_by_title_and_end_where_the_list_ends(house: House) -> None:
    for number, title in enumerate(["delta", "Alpha", "charlie", "Bravo", "echo"]):
        await house.source(-1001 - number, title)
    first = await house.channels.list(0, 2, "source")
    assert ([item.title for item in first.items], first.pages, first.total) == (["Alpha", "Bravo"], 3, 5)
    last = await house.channels.list(99, 2, "source")
    assert ([item.title for item in last.items], last.page) == (["echo"], 2)
    assert (await house.channels.list(0, 2, "destination")).total == 0
    assert [item.title for item in (await house.channels.list(query="LPH")).items] == ["Alpha"]
    assert (await house.channels.list(query="%")).total == 0


async def test_a_channel_is_found_by_number_id_and_name(house: House) -> None:
    house.user.sees(chat(-1001, username="News_one"))
    view = await house.channels.add("@News_one", as_source=True)
    for reference in (view.id, str(view.id), -1001, "-1001", "@news_ONE", "https://t.me/news_one"):
        assert (await house.channels.get(reference)).id == view.id
    for reference in ("@nobody", "99", "-5", "9" * 30, ""):
        with pytest.raises(NotFound):
            await house.channels.get(reference)


async def test_losing_the_user_account_hands_listening_to_the_bot_with_a_mark(house: House) -> None:
    source, destination = await house.source(-1001, top_id=40), await house.destination(-1002)
    await house.mappings.create(source, destination, mode=Mode.COPY, start_after=40)
    view = await house.channels.access_changed(-1001, AccountKind.USER, Rights())
    assert view is not None
    assert view.listener is AccountKind.BOT
    async with house.db.begin() as session:
        marks = dict((await session.execute(text("select account_id, mark from marks"))).all())
    assert marks == {house.user_id: 40, house.bot_id: 0}


async def test_rights_in_a_strange_chat_concern_nobody(house: House) -> None:
    assert await house.channels.access_changed(-1999, AccountKind.BOT, Rights(True)) is None


async def test_a_source_that_becomes_protected_shows_it_until_it_is_free_again(house: House) -> None:
    await house.source(-1001)
    await house.channels.note_protection({-1001: True, -1999: True})
    view = await house.channels.get(-1001)
    assert (view.protected, view.health) == (True, "protected_content")
    await house.channels.note_protection({-1001: False})
    view = await house.channels.get(-1001)
    assert (view.protected, view.health) == (False, None)


async def test_mappings_follow_a_group_that_became_a_supergroup(house: House) -> None:
    source, destination = await house.source(-55), await house.destination(-1002)
    mapping = await house.mappings.create(source, destination, mode=Mode.COPY, start_after=30)
    assert await house.channels.migrated(-55, -100055) == (mapping.id,)
    assert await house.channels.migrated(-55, -100055) == ()
    moved = await house.mappings.get(mapping.id)
    assert (moved.source.telegram_id, moved.start_after) == (-100055, 0)
    assert (await house.channels.get(source)).migrated_to == -100055
    assert (await house.channels.get(-100055)).is_source
    assert await house.channels.migrated(-777, -100777) == ()
