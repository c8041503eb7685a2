"""What real Telethon hears: pushes, differences, and what happens when the network fails."""

from __future__ import annotations

from typing import Any

from telethon import TelegramClient, events, functions, types

from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Content, Edit, Rules

from .conftest import MakeStage, Stage, eventually


def listen(client: TelegramClient, *kinds: Any) -> list[Any]:
    """Collect what the client's handlers are given."""
    heard: list[Any] = []

    async def handler(event: Any) -> None:
        heard.append(event)

    for kind in kinds or (events.NewMessage(),):
        client.add_event_handler(handler, kind)
    return heard


async def test_members_hear_new_edited_and_deleted_posts(stage: Stage) -> None:
    client = await stage.login(stage.reader)
    await client.get_dialogs()
    heard = listen(client, events.NewMessage(), events.MessageEdited(), events.MessageDeleted())
    post = stage.world.send(stage.owner.id, stage.channel.id, "one")
    stage.world.edit(stage.owner.id, stage.channel.id, post.id, Edit("two"))
    stage.world.delete(stage.owner.id, stage.channel.id, [post.id])
    await eventually(lambda: len(heard) == 3)
    names = [type(event).__qualname__.split(".")[0] for event in heard]
    assert sorted(names) == ["MessageDeleted", "MessageEdited", "NewMessage"]
    assert {event.chat_id for event in heard} == {stage.channel.id}


async def test_an_albums_parts_share_their_group(stage: Stage) -> None:
    client = await stage.login(stage.reader)
    heard = listen(client)
    photos = [Content(media=stage.world.add_photo(b"x")) for _ in range(3)]
    stage.world.send_album(stage.owner.id, stage.channel.id, photos)
    await eventually(lambda: len(heard) == 3)
    assert len({event.message.grouped_id for event in heard}) == 1


async def test_the_accounts_other_login_hears_what_one_login_sends(stage: Stage) -> None:
    sender, listener = await stage.login(stage.owner), await stage.login(stage.owner)
    own, other = listen(sender), listen(listener)
    await sender.send_message("source_channel", "from here")
    await eventually(lambda: other)
    assert other[0].raw_text == "from here"
    assert own == []


async def test_strangers_hear_nothing(stage: Stage) -> None:
    stranger = stage.world.create_user("Sam")
    client, member = await stage.login(stranger), await stage.login(stage.reader)
    nothing, heard = listen(client), listen(member)
    stage.world.send(stage.owner.id, stage.channel.id, "members only")
    await eventually(lambda: heard)
    assert nothing == []


async def test_a_client_without_updates_is_left_alone(stage: Stage) -> None:
    quiet, member = await stage.login(stage.reader, receive_updates=False), await stage.login(stage.reader)
    heard = listen(member)
    stage.world.send(stage.owner.id, stage.channel.id, "hello")
    await eventually(lambda: heard)
    assert quiet._updates_queue.empty()
    assert len(stage.sandbox.mtproto.listeners(stage.reader.id)) == 1


async def missed(stage: Stage, count: int) -> list[str]:
    """Disconnect a listener, post, connect again with catch-up; what it hears of it."""
    client = await stage.login(stage.reader)
    await client.get_dialogs()
    heard = listen(client)
    stage.world.send(stage.owner.id, stage.channel.id, "before")
    await eventually(lambda: heard)
    await client.disconnect()
    for number in range(count):
        stage.world.send(stage.owner.id, stage.channel.id, f"n{number}")
    again = stage.client(client.session, catch_up=True, sequential_updates=True)
    texts = listen(again)
    await again.connect()
    await again.catch_up()
    # Posted earlier, it would itself lie in the hole that a difference too long leaves.
    asked = "updates.getChannelDifference"
    await eventually(lambda: any(stage.sandbox.gate.record.calls(method=asked)))
    after = stage.world.send(stage.owner.id, stage.channel.id, "after")
    await eventually(lambda: any(event.id == after.id for event in texts), 20)
    return [event.raw_text for event in texts]


async def test_950_missed_posts_are_heard_in_order_after_a_disconnect(stage: Stage) -> None:
    texts = await missed(stage, 950)
    assert list(dict.fromkeys(texts)) == [*(f"n{number}" for number in range(950)), "after"]


async def test_a_difference_too_long_leaves_a_hole_and_goes_on(make_stage: MakeStage) -> None:
    stage = await make_stage(Rules(keep_channel_log=20))
    texts = await missed(stage, 100)
    assert texts[-1] == "after"
    assert "n0" not in texts


async def test_too_long_is_said_once_with_the_newest_messages(make_stage: MakeStage) -> None:
    stage = await make_stage(Rules(keep_channel_log=20))
    for number in range(100):
        stage.world.send(stage.owner.id, stage.channel.id, f"n{number}")
    client = await stage.login(stage.reader)
    channel = await client.get_input_entity("source_channel")

    async def difference(pts: int) -> Any:
        everything = types.ChannelMessagesFilterEmpty()
        return await client(functions.updates.GetChannelDifferenceRequest(channel, everything, pts, 100))

    first = await difference(2)
    assert isinstance(first, types.updates.ChannelDifferenceTooLong)
    assert first.messages[0].message == "n99"
    second = await difference(first.dialog.pts)
    assert isinstance(second, types.updates.ChannelDifferenceEmpty)


async def test_a_difference_names_the_random_ids_of_the_caller_alone(stage: Stage) -> None:
    sender, reader = await stage.login(stage.owner), await stage.login(stage.reader)
    answers = []
    for client in (sender, reader):
        target = await client.get_input_entity("source_channel")
        if client is sender:
            await client(functions.messages.SendMessageRequest(target, "mine", random_id=42))
        request = functions.updates.GetChannelDifferenceRequest(
            target, types.ChannelMessagesFilterEmpty(), 1, 100
        )
        answers.append((await client(request)).other_updates)
    assert [update.random_id for update in answers[0]] == [42]
    assert answers[1] == []


async def test_a_cut_client_comes_back_and_hears_on(stage: Stage) -> None:
    client = await stage.login(stage.reader)
    await client.get_dialogs()
    heard = listen(client)
    assert stage.sandbox.cut(stage.reader.id) == 1
    await eventually(lambda: stage.sandbox.mtproto.listeners(stage.reader.id))
    stage.world.send(stage.owner.id, stage.channel.id, "still here")
    await eventually(lambda: heard)
    login = stage.sandbox.mtproto.keys.of_account(stage.reader.id)[0]
    assert not login.duplicated


async def test_a_lost_push_is_fetched_when_the_next_one_shows_the_gap(stage: Stage) -> None:
    client = await stage.login(stage.reader, sequential_updates=True)
    await client.get_dialogs()
    heard = listen(client)
    stage.sandbox.gate.faults.add(FaultRule(action="drop", moment="push", method="new_message", times=1))
    for text in ("lost", "heard"):
        stage.world.send(stage.owner.id, stage.channel.id, text)
    await eventually(lambda: len(heard) == 2)
    assert [event.raw_text for event in heard] == ["lost", "heard"]


async def test_private_messages_to_a_bot_are_heard_by_it(stage: Stage) -> None:
    bot = stage.world.create_bot("Helper")
    client = await stage.login(bot)
    heard = listen(client)
    stage.world.send(stage.reader.id, bot.id, "/start")
    await eventually(lambda: heard)
    await heard[0].respond("hello")
    assert stage.world.history(bot.id, stage.reader.id)[-1].text == "hello"
