"""Messages of both libraries become the same values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import telegram
from hypothesis import given
from hypothesis import strategies as st
from telethon.tl import types

from forwarder.message import NO_FACTS, Entity, Facts, Heard, Kind, Origin, SourceMessage
from forwarder.telegram import bot_values, telethon_values
from forwarder.telegram.telethon_entities import PLAIN, from_telethon, to_telethon

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHANNEL = types.PeerChannel(1234567890)
CHAT_ID = -1001234567890

DETECTED_BY_SERVER = {"bank_card"}


def message(**fields: Any) -> types.Message:
    return types.Message(**{"id": 7, "peer_id": CHANNEL, "date": NOW, "message": "", **fields})


def document(*attributes: Any) -> types.MessageMediaDocument:
    return types.MessageMediaDocument(
        document=types.Document(77, 1, b"", NOW, "a/b", 1, 2, attributes=list(attributes))
    )


def video(*, round_message: bool = False) -> types.DocumentAttributeVideo:
    return types.DocumentAttributeVideo(1.0, 1, 1, round_message=round_message)


def audio(*, voice: bool = False) -> types.DocumentAttributeAudio:
    return types.DocumentAttributeAudio(1, voice=voice)


PHOTO = types.MessageMediaPhoto(photo=types.Photo(55, 1, b"", NOW, [], 2))
GEO = types.GeoPoint(1.0, 2.0, 3)

MEDIA = [
    (None, Kind.TEXT, None),
    (types.MessageMediaWebPage(types.WebPageEmpty(1)), Kind.TEXT, None),
    (PHOTO, Kind.PHOTO, "mt:photo:55"),
    (types.MessageMediaPhoto(ttl_seconds=5), Kind.UNKNOWN, None),
    (document(), Kind.DOCUMENT, "mt:doc:77"),
    (document(video()), Kind.VIDEO, "mt:doc:77"),
    (document(video(), types.DocumentAttributeAnimated()), Kind.ANIMATION, "mt:doc:77"),
    (document(video(round_message=True)), Kind.VIDEO_NOTE, "mt:doc:77"),
    (document(audio()), Kind.AUDIO, "mt:doc:77"),
    (document(audio(voice=True)), Kind.VOICE, "mt:doc:77"),
    (
        document(types.DocumentAttributeSticker("", types.InputStickerSetEmpty()), video()),
        Kind.STICKER,
        "mt:doc:77",
    ),
    (types.MessageMediaDocument(), Kind.UNKNOWN, None),
    (types.MessageMediaGeo(GEO), Kind.LOCATION, None),
    (types.MessageMediaVenue(GEO, "", "", "", "", ""), Kind.VENUE, None),
    (types.MessageMediaContact("1", "a", "b", "", 0), Kind.CONTACT, None),
    (types.MessageMediaDice(3, "x"), Kind.DICE, None),
    (types.MessageMediaUnsupported(), Kind.UNKNOWN, None),
    (types.MessageMediaGame(None), Kind.UNKNOWN, None),
]


@pytest.mark.parametrize(("media", "kind", "media_id"), MEDIA)
def test_a_medium_of_mtproto_has_its_kind_and_identity(media: Any, kind: Kind, media_id: str | None) -> None:
    value = telethon_values.to_source(message(media=media), Heard.PUSH)
    assert (value.kind, value.media_id) == (kind, media_id)


def test_a_message_of_mtproto_is_read_whole() -> None:
    header = types.MessageFwdHeader(NOW, from_id=types.PeerChannel(999), channel_post=5)
    value = telethon_values.to_source(
        message(
            message="hi", grouped_id=4, noforwards=True, edit_date=NOW, fwd_from=header,
            reply_to=types.MessageReplyHeader(reply_to_msg_id=3),
        ),
        Heard.CATCH_UP,
    )  # fmt: skip
    assert (value.chat_id, value.message_id, value.text, value.album_id) == (CHAT_ID, 7, "hi", "4")
    assert value.origin == Origin(-1000000000999, 5)
    assert (value.protected, value.edit_date, value.reply_to, value.topic_id) == (True, NOW, 3, 0)
    assert value.heard is Heard.CATCH_UP


@pytest.mark.parametrize(
    ("header", "topic", "reply"),
    [
        (None, 0, None),
        (types.MessageReplyHeader(reply_to_msg_id=9, forum_topic=True), 9, None),
        (types.MessageReplyHeader(reply_to_msg_id=12, reply_to_top_id=9, forum_topic=True), 9, 12),
        (types.MessageReplyHeader(reply_to_msg_id=12, reply_to_top_id=9), 0, 12),
        (types.MessageReplyHeader(reply_to_msg_id=12, reply_to_peer_id=types.PeerChannel(3)), 0, None),
        (
            types.MessageReplyHeader(
                forum_topic=True, reply_to_msg_id=12, reply_to_peer_id=types.PeerChannel(3), reply_to_top_id=9
            ),
            9,
            None,
        ),
    ],
)
def test_topic_and_reply_are_told_apart(header: Any, topic: int, reply: int | None) -> None:
    value = telethon_values.to_source(message(reply_to=header), Heard.PUSH)
    assert (value.topic_id, value.reply_to) == (topic, reply)


def test_a_forward_from_a_person_has_no_origin() -> None:
    header = types.MessageFwdHeader(NOW, from_id=types.PeerUser(5))
    assert telethon_values.to_source(message(fwd_from=header), Heard.PUSH).origin is None


def test_a_service_message_is_one_in_both() -> None:
    service = types.MessageService(7, CHANNEL, NOW, types.MessageActionPinMessage())
    assert telethon_values.to_source(service, Heard.PUSH).kind is Kind.SERVICE
    assert bot_values.to_source(bot_message(new_chat_title="New")).kind is Kind.SERVICE


def bot_message(**fields: Any) -> telegram.Message:
    raw = {
        "message_id": 7,
        "date": int(NOW.timestamp()),
        "chat": {"id": CHAT_ID, "type": "channel"},
        **fields,
    }
    made = telegram.Message.de_json(raw, None)
    assert made is not None
    return made


FILE = {"file_id": "f", "file_unique_id": "u", "duration": 1, "width": 1, "height": 1, "length": 1}
SIZES = [{**FILE, "file_unique_id": "small"}, {**FILE, "file_unique_id": "large"}]
STICKER = {**FILE, "is_animated": False, "is_video": False, "type": "regular"}
PLACE = {"longitude": 1.0, "latitude": 2.0}

BOT_MEDIA = [
    ({"text": "hi"}, Kind.TEXT, None),
    ({"photo": SIZES}, Kind.PHOTO, "bot:large"),
    ({"video": FILE}, Kind.VIDEO, "bot:u"),
    ({"animation": FILE, "document": FILE}, Kind.ANIMATION, "bot:u"),
    ({"video_note": FILE}, Kind.VIDEO_NOTE, "bot:u"),
    ({"voice": FILE}, Kind.VOICE, "bot:u"),
    ({"audio": FILE}, Kind.AUDIO, "bot:u"),
    ({"document": FILE}, Kind.DOCUMENT, "bot:u"),
    ({"sticker": STICKER}, Kind.STICKER, "bot:u"),
    ({"location": PLACE}, Kind.LOCATION, None),
    ({"venue": {"location": PLACE, "title": "a", "address": "b"}, "location": PLACE}, Kind.VENUE, None),
    ({"contact": {"phone_number": "1", "first_name": "a"}}, Kind.CONTACT, None),
    ({"dice": {"value": 3, "emoji": "x"}}, Kind.DICE, None),
    ({"something_of_tomorrow": {"a": 1}}, Kind.UNKNOWN, None),
]


@pytest.mark.parametrize(("fields", "kind", "media_id"), BOT_MEDIA)
def test_a_medium_of_the_bot_api_has_its_kind_and_identity(
    fields: dict[str, Any], kind: Kind, media_id: str | None
) -> None:
    value = bot_values.to_source(bot_message(**fields))
    assert (value.kind, value.media_id) == (kind, media_id)


def test_a_message_of_the_bot_api_is_read_whole() -> None:
    origin = {
        "type": "channel",
        "date": 1,
        "chat": {"id": -1009, "type": "channel"},
        "message_id": 5,
    }
    reply = {"message_id": 3, "date": 1, "chat": {"id": CHAT_ID, "type": "channel"}, "text": "x"}
    value = bot_values.to_source(
        bot_message(
            caption="hi", photo=SIZES, media_group_id="44", has_protected_content=True,
            forward_origin=origin, reply_to_message=reply, edit_date=int(NOW.timestamp()),
            caption_entities=[{"type": "bold", "offset": 0, "length": 2}],
        )
    )  # fmt: skip
    assert (value.chat_id, value.message_id, value.text, value.album_id) == (CHAT_ID, 7, "hi", "44")
    assert (value.origin, value.reply_to, value.protected) == (Origin(-1009, 5), 3, True)
    assert value.entities == (Entity("bold", 0, 2),)
    assert (value.date, value.edit_date, value.heard) == (NOW, NOW, Heard.BOT)


def test_facts_are_the_same_over_both_ways() -> None:
    """Of a video forwarded from a channel through an inline bot, with a button, under a spoiler."""
    over_mtproto = telethon_values.to_source(
        message(
            media=types.MessageMediaDocument(
                document=types.Document(
                    77, 1, b"", NOW, "a/b", 9000, 2,
                    attributes=[types.DocumentAttributeVideo(12.4, 1, 1), types.DocumentAttributeFilename("a.mp4")],
                ),
                spoiler=True,
            ),
            fwd_from=types.MessageFwdHeader(NOW, from_id=types.PeerChannel(9), channel_post=5),
            via_bot_id=44, post=True, post_author="Ann", silent=True,
            reply_markup=types.ReplyInlineMarkup([]),
        ),
        Heard.PUSH,
    )  # fmt: skip
    over_bot = bot_values.to_source(
        bot_message(
            video={**FILE, "duration": 12, "file_size": 9000, "file_name": "a.mp4"}, has_media_spoiler=True,
            forward_origin={
                "type": "channel", "date": 1, "chat": {"id": -1000000000009, "type": "channel"}, "message_id": 5
            },
            via_bot={"id": 44, "is_bot": True, "first_name": "b"}, author_signature="Ann",
            reply_markup={"inline_keyboard": [[{"text": "a", "url": "https://a.example"}]]},
        )
    )  # fmt: skip
    expected = Facts(
        author="Ann", via_bot=44, forwarded=True, forwarded_from=-1000000000009, size=9000, duration=12,
        file_name="a.mp4", buttons=True, silent=True, spoiler=True,
    )  # fmt: skip
    assert over_mtproto.facts == expected
    assert over_bot.facts == replace(expected, silent=False)  # the Bot API does not say it


POLL_OVER_BOT: dict[str, Any] = {
    "id": "1", "question": "Кто? 😀", "type": "regular", "total_voter_count": 0, "is_closed": False,
    "is_anonymous": True, "allows_multiple_answers": False, "allows_revoting": False, "members_only": False,
    "options": [{"text": text, "voter_count": 0, "persistent_id": text} for text in ("я", "ты")],
}  # fmt: skip


def poll_over_mtproto(description: str = "", *entities: Any) -> SourceMessage:
    said = [types.TextWithEntities(word, []) for word in ("Кто? 😀", "я", "ты")]
    answers = [types.PollAnswer(text=text, option=bytes([n])) for n, text in enumerate(said[1:])]
    poll = types.Poll(id=1, question=said[0], answers=answers, hash=0)
    media = types.MessageMediaPoll(poll=poll, results=types.PollResults())
    heard = message(media=media, message=description, entities=list(entities))
    return telethon_values.to_source(heard, Heard.PUSH)


def test_what_a_poll_asks_and_offers_is_the_same_over_both_ways() -> None:
    over_mtproto, over_bot = poll_over_mtproto(), bot_values.to_source(bot_message(poll=POLL_OVER_BOT))
    assert over_mtproto.facts.poll == over_bot.facts.poll == "Кто? 😀\nя\nты"
    assert over_mtproto.text == over_bot.text == ""


def test_what_stands_above_a_poll_is_the_same_over_both_ways() -> None:
    over_mtproto = poll_over_mtproto("😀 тут", types.MessageEntityTextUrl(3, 3, "https://a.example/"))
    link = {"type": "text_link", "offset": 3, "length": 3, "url": "https://a.example/"}
    described = POLL_OVER_BOT | {"description": "😀 тут", "description_entities": [link]}
    over_bot = bot_values.to_source(bot_message(poll=described))
    assert (over_bot.kind, over_bot.text) == (over_mtproto.kind, over_mtproto.text) == (Kind.POLL, "😀 тут")
    assert over_bot.entities == over_mtproto.entities
    assert len(over_bot.entities) == 1


def test_a_plain_text_has_no_facts() -> None:
    assert telethon_values.to_source(message(message="hi", post=True), Heard.PUSH).facts == NO_FACTS
    assert bot_values.to_source(bot_message(text="hi")).facts == NO_FACTS


def test_a_photo_is_as_big_as_its_largest_size() -> None:
    sizes = [types.PhotoSize("m", 1, 1, 500), types.PhotoSizeProgressive("y", 2, 2, [100, 4000])]
    media = types.MessageMediaPhoto(photo=types.Photo(55, 1, b"", NOW, sizes, 2))
    assert telethon_values.to_source(message(media=media), Heard.PUSH).facts.size == 4000


def test_an_administrator_who_posts_as_the_group_is_anonymous() -> None:
    group = {"id": CHAT_ID, "type": "supergroup"}
    over_mtproto = telethon_values.to_source(message(from_id=CHANNEL), Heard.PUSH).facts
    over_bot = bot_values.to_source(bot_message(text="x", chat=group, sender_chat=group)).facts
    assert over_mtproto == over_bot == Facts(sender_id=CHAT_ID, anonymous=True)
    person = {"id": 5, "is_bot": False, "first_name": "a"}
    heard = bot_values.to_source(
        bot_message(text="x", chat=group, from_user=person, **{"from": person})
    ).facts
    assert (heard.sender_id, heard.anonymous) == (5, False)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"type": "user", "sender_user": {"id": 5, "is_bot": False, "first_name": "a"}}, 5),
        ({"type": "chat", "sender_chat": {"id": -7, "type": "group"}}, -7),
        ({"type": "hidden_user", "sender_user_name": "a"}, None),
    ],
)
def test_who_a_forward_is_from_is_told_where_the_header_says_it(
    origin: dict[str, Any], expected: int | None
) -> None:
    facts = bot_values.to_source(bot_message(text="x", forward_origin={**origin, "date": 1})).facts
    assert (facts.forwarded, facts.forwarded_from) == (True, expected)


def test_the_first_message_of_a_topic_is_no_reply() -> None:
    root = {"message_id": 9, "date": 1, "chat": {"id": CHAT_ID, "type": "supergroup"}}
    value = bot_values.to_source(
        bot_message(text="x", is_topic_message=True, message_thread_id=9, reply_to_message=root)
    )
    assert (value.topic_id, value.reply_to) == (9, None)


PLACES = st.tuples(st.integers(0, 4000), st.integers(1, 500))
SHARED = sorted((set(PLAIN.values()) - DETECTED_BY_SERVER) | {"blockquote", "expandable_blockquote"})
ENTITIES = st.one_of(
    st.builds(lambda name, at: Entity(name, *at), st.sampled_from(SHARED), PLACES),
    st.builds(lambda at, url: Entity("text_link", *at, url=url), PLACES, st.sampled_from(["https://a.example/"])),
    st.builds(lambda at, user: Entity("text_mention", *at, user_id=user), PLACES, st.integers(1, 2**52)),
    st.builds(lambda at, name: Entity("pre", *at, language=name), PLACES, st.sampled_from([None, "python"])),
    st.builds(lambda at, file: Entity("custom_emoji", *at, custom_emoji_id=file), PLACES, st.integers(1, 99)),
)  # fmt: skip


@given(st.lists(ENTITIES, max_size=8))
def test_formatting_survives_the_way_to_the_bot_api_and_back(entities: list[Entity]) -> None:
    assert list(bot_values.from_bot(bot_values.to_bot(entities))) == entities


@given(st.lists(ENTITIES, max_size=8))
def test_formatting_survives_the_way_to_mtproto_and_back(entities: list[Entity]) -> None:
    def known(user_id: int) -> types.InputUser:
        return types.InputUser(user_id, 1)

    sent = to_telethon(entities, known)
    # The server answers a mention by the plain id of the person.
    heard = [
        types.MessageEntityMentionName(item.offset, item.length, item.user_id.user_id)
        if isinstance(item, types.InputMessageEntityMentionName)
        else item
        for item in sent
    ]
    assert list(from_telethon(heard)) == entities


def test_a_mention_of_somebody_unknown_is_left_out_and_the_rest_stays() -> None:
    entities = [Entity("text_mention", 0, 3, user_id=5), Entity("bold", 4, 2)]
    assert from_telethon(to_telethon(entities, lambda user_id: None)) == (Entity("bold", 4, 2),)


def test_formatting_of_tomorrow_is_left_out() -> None:
    assert from_telethon([types.MessageEntityUnknown(0, 3)]) == ()
    assert bot_values.to_bot([Entity("sparkle", 0, 3)]) == []
