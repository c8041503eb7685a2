"""The sandbox's world by itself: numbering, memory, rights and time."""

from __future__ import annotations

import pytest

from forwarder.sandbox.world import (
    Account,
    Button,
    Chat,
    ChatRequest,
    Content,
    Edit,
    Entity,
    ManualClock,
    Markup,
    Options,
    Poll,
    Rules,
    TelegramError,
    World,
)
from forwarder.sandbox.world.events import MessagesDeleted, NewMessage


class Scene:
    def __init__(self, rules: Rules | None = None) -> None:
        self.clock = ManualClock()
        self.world = World(clock=self.clock, seed=7, rules=rules)
        self.owner: Account = self.world.create_user("Olga")
        self.other: Account = self.world.create_user("Otto")
        self.bot: Account = self.world.create_bot("Helper", owner=self.owner.id)
        self.channel: Chat = self.world.create_channel(self.owner.id, "Channel", username="channel_one")
        self.target: Chat = self.world.create_channel(self.owner.id, "Target")

    def photo(self) -> Content:
        return Content(media=self.world.add_photo(b"x"))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_service_messages_take_numbers_too(scene: Scene) -> None:
    assert [m.service is not None for m in scene.world.history(scene.channel.id)] == [True]
    assert scene.world.send(scene.owner.id, scene.channel.id, "one").id == 2


def test_pts_rises_by_the_count_of_each_event(scene: Scene) -> None:
    world, owner, channel = scene.world, scene.owner.id, scene.channel.id
    with world.capture() as events:
        posts = [world.send(owner, channel, text).id for text in ("a", "b", "c")]
        world.delete(owner, channel, posts[:2])
    steps = [
        (event.pts, event.pts_count) for event in events if isinstance(event, NewMessage | MessagesDeleted)
    ]
    assert [after - count for after, count in steps[1:]] == [after for after, _ in steps[:-1]]
    assert steps[-1][1] == 2


def test_private_messages_have_a_number_in_each_box(scene: Scene) -> None:
    world, person, bot = scene.world, scene.other.id, scene.bot.id
    world.send(scene.owner.id, bot, "another chat first")
    hello = world.send(person, bot, "/start")
    answer = world.send(bot, person, "hi", options=Options(reply_to=world.history(person, bot)[0].id))
    seen = world.history(bot, person)
    assert [(m.id, m.text) for m in seen] == [(hello.id, "/start"), (2, "hi")]
    assert answer.id == 3
    assert seen[1].reply_to == hello.id


def test_a_bot_may_not_write_first_nor_to_whom_blocked_it(scene: Scene) -> None:
    world = scene.world
    with pytest.raises(TelegramError, match="PEER_ID_INVALID"):
        world.send(scene.bot.id, scene.other.id, "hello")
    world.send(scene.other.id, scene.bot.id, "/start")
    world.send(scene.bot.id, scene.other.id, "hello")
    world.block(scene.other.id, scene.bot.id)
    with pytest.raises(TelegramError, match="403 USER_IS_BLOCKED"):
        world.send(scene.bot.id, scene.other.id, "again")


def test_a_random_id_is_remembered_even_after_the_message_is_gone(scene: Scene) -> None:
    world, owner, channel = scene.world, scene.owner.id, scene.channel.id
    first = world.send(owner, channel, "once", random_id=9)
    world.delete(owner, channel, [first.id])
    assert world.send(owner, channel, "twice", random_id=9) == first
    assert world.send(owner, scene.target.id, "elsewhere", random_id=9).text == "elsewhere"


def test_a_partly_known_batch_sends_only_the_rest(scene: Scene) -> None:
    world, owner = scene.world, scene.owner.id
    posts = [world.send(owner, scene.channel.id, text).id for text in "abc"]
    world.forward(owner, scene.channel.id, posts[:1], scene.target.id, random_ids=[1])
    made = world.forward(owner, scene.channel.id, posts, scene.target.id, random_ids=[1, 2, 3])
    assert [one and one.text for one in made] == ["a", "b", "c"]
    assert [m.text for m in world.history(scene.target.id)[1:]] == ["a", "b", "c"]


def test_two_albums_in_one_call_stay_two(scene: Scene) -> None:
    world, owner = scene.world, scene.owner.id
    albums = [world.send_album(owner, scene.channel.id, [scene.photo(), scene.photo()]) for _ in range(2)]
    numbers = [part.id for album in albums for part in album]
    made = [m for m in world.forward(owner, scene.channel.id, numbers, scene.target.id) if m is not None]
    assert made[0].grouped_id == made[1].grouped_id != made[2].grouped_id == made[3].grouped_id


def test_neighbours_stay_single_where_the_switch_says_so() -> None:
    scene = Scene(Rules(neighbours_become_album=False))
    posts = [scene.world.send(scene.owner.id, scene.channel.id, scene.photo()).id for _ in range(2)]
    made = scene.world.forward(scene.owner.id, scene.channel.id, posts, scene.target.id)
    assert [one.grouped_id for one in made if one is not None] == [None, None]


def test_an_edit_needs_a_change_and_its_time(scene: Scene) -> None:
    world, group = scene.world, scene.world.create_supergroup(scene.owner.id, "Group", username="the_group")
    world.join(scene.other.id, group.id)
    post = world.send(scene.other.id, group.id, "one")
    with pytest.raises(TelegramError, match="MESSAGE_NOT_MODIFIED"):
        world.edit(scene.other.id, group.id, post.id, Edit("one"))
    with pytest.raises(TelegramError, match="MESSAGE_AUTHOR_REQUIRED"):
        world.edit(scene.owner.id, group.id, post.id, Edit("mine"))
    scene.clock.advance(172_801)
    with pytest.raises(TelegramError, match="MESSAGE_EDIT_TIME_EXPIRED"):
        world.edit(scene.other.id, group.id, post.id, Edit("two"))


def test_bots_delete_within_48_hours_only(scene: Scene) -> None:
    world, channel = scene.world, scene.channel.id
    rights = frozenset({"post_messages", "delete_messages"})
    world.promote(scene.owner.id, channel, scene.bot.id, rights)
    post = world.send(scene.bot.id, channel, "old")
    scene.clock.advance(172_801)
    with pytest.raises(TelegramError, match="MESSAGE_DELETE_FORBIDDEN"):
        world.delete(scene.bot.id, channel, [post.id])
    assert world.delete(scene.owner.id, channel, [post.id]) == [post.id]


def test_slow_mode_ends_with_its_time(scene: Scene) -> None:
    world, group = scene.world, scene.world.create_supergroup(scene.owner.id, "Group", username="the_group")
    world.join(scene.other.id, group.id)
    world.change_chat(scene.owner.id, group.id, slow_mode=10)
    world.send(scene.other.id, group.id, "one")
    with pytest.raises(TelegramError, match="420 SLOWMODE_WAIT_10"):
        world.send(scene.other.id, group.id, "two")
    scene.clock.advance(10)
    world.send(scene.other.id, group.id, "two")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (Content("  "), "MESSAGE_EMPTY"),
        (Content("x" * 4097), "MESSAGE_TOO_LONG"),
        (Content("\N{GRINNING FACE}" * 2049), "MESSAGE_TOO_LONG"),
        (Content("abc", (Entity("bold", 1, 3),)), "ENTITY_BOUNDS_INVALID"),
        (Content(media=Poll(1, "?", ("only",))), "POLL_ANSWERS_INVALID"),
        (Content(media=Poll(1, "?", ("a", "b"), public_voters=True)), "BROADCAST_PUBLIC_VOTERS_FORBIDDEN"),
    ],
)
def test_what_can_not_be_sent_is_refused_by_name(scene: Scene, content: Content, name: str) -> None:
    with pytest.raises(TelegramError, match=name):
        scene.world.send(scene.owner.id, scene.channel.id, content)


def test_white_space_is_trimmed_and_entities_move_along(scene: Scene) -> None:
    sent = scene.world.send(scene.owner.id, scene.channel.id, Content("  ab ", (Entity("bold", 2, 3),)))
    assert (sent.text, sent.entities) == ("ab", (Entity("bold", 0, 2),))


def test_a_foreign_quiz_can_be_copied_only_by_who_knows_its_answer(scene: Scene) -> None:
    world = scene.world
    world.promote(scene.owner.id, scene.target.id, scene.bot.id, frozenset({"post_messages"}))
    group = world.create_supergroup(scene.other.id, "Group", username="the_group")
    world.join(scene.owner.id, group.id)
    quiz = world.send(scene.other.id, group.id, Content(media=Poll(1, "?", ("a", "b"), True, (1,))))
    with pytest.raises(TelegramError, match="QUIZ_ANSWER_MISSING"):
        world.copy(scene.owner.id, group.id, quiz.id, scene.target.id)
    world.vote(scene.owner.id, group.id, quiz.id, (1,))
    assert world.copy(scene.owner.id, group.id, quiz.id, scene.target.id).media is not None


def test_a_shared_chat_grants_the_bot_what_it_asked_for(scene: Scene) -> None:
    world = scene.world
    request = ChatRequest(1, bot_rights=frozenset({"post_messages"}))
    shared = world.share_chat(scene.owner.id, scene.bot.id, request, scene.target.id)
    assert shared.service is not None
    assert shared.service.chat == scene.target.id
    world.send(scene.bot.id, scene.target.id, "now I may")
    with pytest.raises(TelegramError, match="BUTTON_INVALID"):
        world.share_chat(scene.other.id, scene.bot.id, request, scene.target.id)


def test_a_pressed_button_may_be_answered_once(scene: Scene) -> None:
    world = scene.world
    world.send(scene.other.id, scene.bot.id, "/start")
    menu = Options(markup=Markup("inline", ((Button("Go", data=b"go"),),)))
    world.send(scene.bot.id, scene.other.id, "menu", options=menu)
    shown = world.history(scene.bot.id, scene.other.id)[-1]
    query = world.press(scene.other.id, scene.bot.id, shown.id, b"go")
    world.answer_callback(scene.bot.id, query.id)
    with pytest.raises(TelegramError, match="QUERY_ID_INVALID"):
        world.answer_callback(scene.bot.id, query.id)


def test_a_migrated_group_points_to_its_successor(scene: Scene) -> None:
    world = scene.world
    group = world.create_group(scene.owner.id, "Small", (scene.other.id,))
    world.send(scene.other.id, group.id, "hello")
    new = world.migrate_group(scene.owner.id, group.id)
    assert (group.migrated_to, new.migrated_from) == (new.id, group.id)
    assert new.inside(scene.other.id)
    with pytest.raises(TelegramError, match="CHAT_ID_INVALID"):
        world.send(scene.other.id, group.id, "anybody?")


def test_what_was_deleted_is_kept_for_the_verdict(scene: Scene) -> None:
    world, owner, channel = scene.world, scene.owner.id, scene.channel.id
    post = world.send(owner, channel, "gone")
    world.delete(owner, channel, [post.id])
    assert world.message(owner, channel, post.id) is None
    assert [(entry.message.text, entry.by) for entry in world.deleted(channel)] == [("gone", owner)]
    assert post in world.ever_sent(channel)


def test_a_person_writes_in_the_name_of_their_own_channel_and_of_no_other(scene: Scene) -> None:
    world, channel = scene.world, scene.channel.id
    talk = world.create_supergroup(scene.owner.id, "Talk").id
    world.add_member(scene.owner.id, talk, scene.other.id)
    shown = world.send(scene.owner.id, talk, "ours", options=Options(send_as=channel))
    assert (shown.from_id, shown.sent_by) == (channel, scene.owner.id)
    with pytest.raises(TelegramError, match="SEND_AS_PEER_INVALID"):
        world.send(scene.other.id, talk, "theirs", options=Options(send_as=channel))
    with pytest.raises(TelegramError, match="SEND_AS_PEER_INVALID"):
        world.send(scene.owner.id, channel, "not in a channel", options=Options(send_as=channel))
