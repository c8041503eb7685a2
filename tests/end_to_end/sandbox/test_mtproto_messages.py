"""What real Telethon sends, changes and reads in the sandbox; the world is the judge."""

from __future__ import annotations

import io

import pytest
from telethon import errors, functions, types

from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import (
    Button,
    Content,
    Document,
    Edit,
    Markup,
    Options,
    Photo,
    Poll,
    TelegramError,
)

from .conftest import Stage, eventually

Forward = functions.messages.ForwardMessagesRequest
Send = functions.messages.SendMessageRequest


def picture(name: str = "one.jpg") -> io.BytesIO:
    file = io.BytesIO(b"\xff\xd8\xff" + name.encode())
    file.name = name
    return file


async def test_a_text_with_formatting_arrives_as_it_was_sent(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    client.parse_mode = "html"
    sent = await client.send_message(
        "source_channel", "\N{GRINNING FACE} <b>bold</b> <a href='https://e.org/'>x</a>"
    )
    message = stage.world.history(stage.channel.id)[-1]
    assert (message.id, message.text) == (sent.id, "\N{GRINNING FACE} bold x")
    assert [(e.kind, e.offset, e.length) for e in message.entities] == [("bold", 3, 4), ("text_link", 8, 1)]


async def test_links_and_tags_of_a_text_are_found_as_far_as_there_is_room_beside_its_own_formatting(
    stage: Stage,
) -> None:
    client = await stage.login(stage.owner)
    client.parse_mode = "html"
    await client.send_message("source_channel", "#news at https://e.org/a, not <code>#code</code>")
    found = stage.world.history(stage.channel.id)[-1].entities
    assert [(e.kind, e.offset, e.length) for e in found] == [
        ("hashtag", 0, 5),
        ("url", 9, 15),
        ("code", 30, 5),
    ]
    await client.send_message("source_channel", "<b>x</b>y" * 100 + " #news")
    assert {e.kind for e in stage.world.history(stage.channel.id)[-1].entities} == {"bold"}


async def test_photos_documents_albums_and_polls_are_kept_and_can_be_fetched(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    photo = await client.send_file(stage.channel.id, picture(), caption="see")
    note = io.BytesIO(b"some text")
    note.name = "note.txt"
    document = await client.send_file(stage.channel.id, note, force_document=True)
    album = await client.send_file(stage.channel.id, [picture("a.jpg"), picture("b.jpg")], caption=["A", "B"])
    question = types.InputMediaPoll(
        types.Poll(
            0,
            types.TextWithEntities("Well?", []),
            [types.InputPollAnswer(types.TextWithEntities(text, [])) for text in ("yes", "no")],
            0,
        )
    )
    await client.send_message(stage.channel.id, file=question)
    kept = stage.world.history(stage.channel.id)[1:]
    assert [type(message.media) for message in kept] == [Photo, Document, Photo, Photo, Poll]
    assert [message.text for message in kept] == ["see", "", "A", "B", ""]
    assert kept[2].grouped_id == kept[3].grouped_id == album[0].grouped_id is not None
    assert await client.download_media(photo, bytes) == b"\xff\xd8\xffone.jpg"
    assert await client.download_media(document, bytes) == b"some text"
    assert kept[-1].media.options == ("yes", "no")


async def test_a_forward_has_a_header_and_a_copy_has_none(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    original = stage.world.send(stage.owner.id, stage.channel.id, "news")
    for drop in (False, True):
        await client.forward_messages(stage.target.id, original.id, stage.channel.id, drop_author=drop)
    forwarded, copied = stage.world.history(stage.target.id)[-2:]
    assert (forwarded.forward.author, forwarded.forward.channel_post) == (stage.channel.id, original.id)
    assert copied.forward is None
    assert copied.made_from.id == original.id


async def test_a_batch_skips_what_is_gone_and_keeps_albums_whole(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    world, owner, source = stage.world, stage.owner.id, stage.channel.id
    first = world.send(owner, source, "one")
    gone = world.send(owner, source, "two")
    album = world.send_album(owner, source, [Content(media=world.add_photo(b"x")) for _ in range(3)])
    world.delete(owner, source, [gone.id])
    numbers = [first.id, gone.id, *(part.id for part in album)]
    made = await client.forward_messages(stage.target.id, numbers, source)
    assert [one and one.raw_text for one in made] == ["one", None, "", "", ""]
    groups = {message.grouped_id for message in world.history(stage.target.id)[-3:]}
    assert len(groups) == 1
    assert groups.isdisjoint({None, album[0].grouped_id})


async def test_single_photos_forwarded_together_become_an_album(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    photos = [
        stage.world.send(stage.owner.id, stage.channel.id, Content(media=stage.world.add_photo(b"x")))
        for _ in range(2)
    ]
    await client.forward_messages(stage.target.id, [photo.id for photo in photos], stage.channel.id)
    first, second = stage.world.history(stage.target.id)[-2:]
    assert first.grouped_id == second.grouped_id is not None


async def test_edits_and_deletions_reach_the_world(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    sent = await client.send_message(stage.channel.id, "first")
    edited = await client.edit_message(stage.channel.id, sent.id, "second")
    assert edited.raw_text == "second"
    with pytest.raises(errors.MessageNotModifiedError):
        await client.edit_message(stage.channel.id, sent.id, "second")
    await client.delete_messages(stage.channel.id, [sent.id])
    assert [entry.message.text for entry in stage.world.deleted(stage.channel.id)] == ["second"]
    empty = await client.get_messages(stage.channel.id, ids=[sent.id])
    assert empty == [None]


async def test_a_used_random_id_sends_nothing_from_any_login(stage: Stage) -> None:
    first, second = await stage.login(stage.owner), await stage.login(stage.owner)
    target = await first.get_input_entity("source_channel")
    one = await first(Send(target, "once", random_id=77))
    two = await second(Send(await second.get_input_entity("source_channel"), "twice", random_id=77))
    ids = [[u.id for u in answer.updates if isinstance(u, types.UpdateMessageID)] for answer in (one, two)]
    assert ids[0] == ids[1]
    assert [message.text for message in stage.world.history(stage.channel.id)[1:]] == ["once"]


async def test_a_call_whose_answer_was_lost_is_repeated_without_a_second_message(stage: Stage) -> None:
    original = stage.world.send(stage.owner.id, stage.channel.id, "news")
    client = await stage.login(stage.owner)
    source = await client.get_input_entity(stage.channel.id)
    target = await client.get_input_entity(stage.target.id)
    stage.sandbox.gate.faults.add(
        FaultRule(action="cut", moment="after", method="messages.forwardMessages", times=1)
    )
    answer = await client(Forward(source, [original.id], target, random_id=[5]))
    assert any(isinstance(update, types.UpdateMessageID) for update in answer.updates)
    assert [message.text for message in stage.world.history(stage.target.id)[1:]] == ["news"]


async def test_a_second_call_with_a_running_random_id_is_a_duplicate(stage: Stage) -> None:
    first = await stage.login(stage.owner)
    second = await stage.login(stage.owner, request_retries=0)
    target = await first.get_input_entity("source_channel")
    other = await second.get_input_entity("source_channel")
    stage.sandbox.gate.faults.add(
        FaultRule(action="delay", moment="before", method="messages.sendMessage", seconds=0.5, times=1)
    )
    slow = first.loop.create_task(first(Send(target, "once", random_id=9)))
    await eventually(lambda: stage.world.pending_random_ids)
    with pytest.raises(errors.RandomIdDuplicateError):
        await second(Send(other, "once", random_id=9))
    await slow
    assert len(stage.world.history(stage.channel.id)) == 2


async def test_rights_are_enforced_by_name(stage: Stage) -> None:
    client = await stage.login(stage.reader)
    await client.get_input_entity("source_channel")
    with pytest.raises(errors.ChatAdminRequiredError):
        await client.send_message("source_channel", "may I?")
    stage.world.ban(stage.owner.id, stage.channel.id, stage.reader.id)
    with pytest.raises(errors.ChannelPrivateError):
        await client.get_messages("source_channel", limit=1)


async def test_protected_content_is_not_forwarded(stage: Stage) -> None:
    original = stage.world.send(stage.owner.id, stage.channel.id, "secret")
    stage.world.change_chat(stage.owner.id, stage.channel.id, protected=True)
    client = await stage.login(stage.owner)
    assert (await client.get_entity("source_channel")).noforwards
    with pytest.raises(errors.ChatForwardsRestrictedError):
        await client.forward_messages(stage.target.id, original.id, stage.channel.id)


async def test_slow_mode_holds_members_and_refuses_batches(stage: Stage) -> None:
    group = stage.world.create_supergroup(stage.owner.id, "Slow", username="slow_group")
    stage.world.join(stage.reader.id, group.id)
    stage.world.change_chat(stage.owner.id, group.id, slow_mode=30)
    client = await stage.login(stage.reader)
    await client.send_message("slow_group", "one")
    with pytest.raises(errors.SlowModeWaitError) as wait:
        await client.send_message("slow_group", "two")
    assert 0 < wait.value.seconds <= 31
    posts = [stage.world.send(stage.owner.id, stage.channel.id, text).id for text in ("a", "b")]
    with pytest.raises(errors.BadRequestError, match="cannot forward multiple messages"):
        await client.forward_messages("slow_group", posts, "source_channel")


async def test_limits_of_text_and_batches_hold(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    with pytest.raises(errors.MessageTooLongError):
        await client(Send(await client.get_input_entity("source_channel"), "x" * 4097))
    with pytest.raises(errors.MessageIdInvalidError):
        await client.forward_messages(stage.target.id, [999], "source_channel")


async def test_a_wrong_access_hash_is_refused(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    foreign = types.InputChannel(stage.channel.id * -1 - 10**12, 12345)
    with pytest.raises(errors.ChannelInvalidError):
        await client(functions.channels.GetMessagesRequest(foreign, [types.InputMessageID(1)]))


async def test_an_expired_file_reference_is_refused(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    photo = await client.send_file(stage.channel.id, picture())
    media = types.InputMediaPhoto(
        types.InputPhoto(photo.photo.id, photo.photo.access_hash, photo.photo.file_reference[:-1] + b"!")
    )
    with pytest.raises(errors.FileReferenceInvalidError):
        await client.send_message(stage.target.id, file=media)


async def test_dialogs_and_peer_dialogs_tell_top_message_and_pts(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    post = stage.world.send(stage.owner.id, stage.channel.id, "top")
    dialogs = await client.get_dialogs()
    assert [dialog.id for dialog in dialogs] == [stage.channel.id, stage.target.id]
    assert dialogs[0].message.raw_text == "top"
    peers = [types.InputDialogPeer(await client.get_input_entity(dialog.id)) for dialog in dialogs]
    answer = await client(functions.messages.GetPeerDialogsRequest(peers))
    states = {dialog.top_message: dialog.pts for dialog in answer.dialogs}
    assert states[post.id] == stage.world.box(0, stage.channel.id).pts


async def test_history_pages_through_everything(stage: Stage) -> None:
    for number in range(250):
        stage.world.send(stage.owner.id, stage.channel.id, f"n{number}")
    client = await stage.login(stage.reader)
    seen = [
        m.raw_text async for m in client.iter_messages("source_channel", reverse=True, min_id=1, wait_time=0)
    ]
    assert seen == [f"n{number}" for number in range(250)]


async def test_invite_links_lead_inside(stage: Stage) -> None:
    invite = stage.world.create_invite(stage.owner.id, stage.target.id)
    client = await stage.login(stage.reader)
    preview = await client(functions.messages.CheckChatInviteRequest(invite.hash))
    assert preview.title == "Target"
    await client(functions.messages.ImportChatInviteRequest(invite.hash))
    assert stage.world.chat(stage.target.id).inside(stage.reader.id)
    with pytest.raises(errors.UserAlreadyParticipantError):
        await client(functions.messages.ImportChatInviteRequest(invite.hash))
    with pytest.raises(errors.InviteHashExpiredError):
        await client(functions.messages.CheckChatInviteRequest("nosuchhash"))


async def test_full_channel_and_participants_are_told(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    full = await client(functions.channels.GetFullChannelRequest("source_channel"))
    assert full.full_chat.participants_count == 2
    assert {user.id for user in await client.get_participants("source_channel")} == {
        stage.owner.id,
        stage.reader.id,
    }


async def test_a_pressed_button_is_answered_by_the_bot(stage: Stage) -> None:
    bot = stage.world.create_bot("Helper")
    stage.world.send(stage.reader.id, bot.id, "/start")
    menu = Markup("inline", ((Button("Go", data=b"go"),),))
    stage.world.send(bot.id, stage.reader.id, "menu", options=Options(markup=menu))
    stage.world.subscribe(
        lambda event: (
            stage.world.answer_callback(bot.id, event.query_id, text="done")
            if type(event).__name__ == "CallbackPressed"
            else None
        )
    )
    client = await stage.login(stage.reader)
    await client.get_dialogs()
    message = (await client.get_messages(bot.id, limit=1))[0]
    assert [[button.text for button in row] for row in message.buttons] == [["Go"]]
    assert (await message.click(0)).message == "done"


async def test_the_world_and_the_door_tell_an_edit_of_a_forward_the_same(stage: Stage) -> None:
    original = stage.world.send(stage.owner.id, stage.channel.id, "news")
    made = stage.world.forward(stage.owner.id, stage.channel.id, [original.id], stage.target.id)[0]
    with pytest.raises(TelegramError, match="MESSAGE_ID_INVALID"):
        stage.world.edit(stage.owner.id, stage.target.id, made.id, Edit("other"))
    client = await stage.login(stage.owner)
    with pytest.raises(errors.MessageIdInvalidError):
        await client.edit_message(stage.target.id, made.id, "other")


async def test_a_message_in_the_name_of_a_channel_is_shown_as_the_channels(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    talk = stage.world.create_supergroup(stage.owner.id, "Talk", username="talk_here").id
    peer = await client.get_input_entity("talk_here")
    send_as = await client.get_input_entity("source_channel")
    await client(Send(peer, "in its name", send_as=send_as))
    assert stage.world.history(talk)[-1].from_id == stage.channel.id
    seen = await client.get_messages(peer, limit=1)
    assert seen[0].from_id == types.PeerChannel(send_as.channel_id)


async def test_a_forward_takes_no_message_to_reply_to(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    peer = await client.get_input_entity("source_channel")
    post = stage.world.send(stage.owner.id, stage.channel.id, "post").id
    with pytest.raises(errors.RPCError, match="REPLY_TO_INVALID"):
        await client(Forward(peer, [post], peer, random_id=[5], reply_to=types.InputReplyToMessage(post)))
