"""What a user account sends to show a medium again."""

from __future__ import annotations

from datetime import UTC, datetime

from telethon.tl import types

from forwarder.telegram.source_content import input_media

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def photo(number: int) -> types.Photo:
    return types.Photo(number, 2, b"fresh", DAY, [], 1)


def document(number: int) -> types.Document:
    return types.Document(number, 2, b"fresh", DAY, "video/mp4", 3, 1, [])


def test_a_video_keeps_its_cover_and_where_it_begins() -> None:
    sent = input_media(
        types.MessageMediaDocument(document=document(5), video_cover=photo(6), video_timestamp=7)
    )
    assert sent == types.InputMediaDocument(
        types.InputDocument(5, 2, b"fresh"), video_cover=types.InputPhoto(6, 2, b"fresh"), video_timestamp=7
    )
    assert bytes(sent)


def test_a_live_photo_goes_on_moving() -> None:
    sent = input_media(types.MessageMediaPhoto(photo=photo(5), live_photo=True, video=document(6)))
    assert sent == types.InputMediaPhoto(
        types.InputPhoto(5, 2, b"fresh"), live_photo=True, video=types.InputDocument(6, 2, b"fresh")
    )
    assert bytes(sent)
