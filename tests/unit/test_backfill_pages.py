"""What of a page can be stored: albums only when they are whole."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from forwarder.backfill.pages import ALBUM_REACH, cut, joined
from forwarder.message import Heard, HistoryPage, Kind, SourceMessage

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int, album: str | None = None) -> SourceMessage:
    return SourceMessage(-1001, number, LONG_AGO, Kind.PHOTO, Heard.CATCH_UP, album_id=album)


def ids(page: HistoryPage | None) -> list[int] | None:
    return None if page is None else [m.message_id for m in page.messages]


def test_only_what_lies_in_the_range_is_taken() -> None:
    page = HistoryPage(tuple(message(number) for number in range(1, 9)), 8)
    whole = cut(page, 2, 5)
    assert ids(whole) == [3, 4, 5]
    assert whole is not None
    assert whole.through == 5


def test_an_album_at_the_end_waits_for_the_next_page() -> None:
    page = HistoryPage((message(1), message(2, "a"), message(3, "a")), 3)
    whole = cut(page, 0, 100)
    assert ids(whole) == [1]
    assert whole is not None
    assert whole.through == 1


def test_an_album_is_whole_with_ten_parts_or_far_from_the_end_or_where_nothing_follows() -> None:
    ten = tuple(message(number, "a") for number in range(1, 11))
    assert ids(cut(HistoryPage(ten, 10), 0, 100)) == list(range(1, 11))
    two = ten[:2]
    assert ids(cut(HistoryPage(two, 2 + ALBUM_REACH), 0, 100)) == [1, 2]
    assert cut(HistoryPage(two, 1 + ALBUM_REACH), 0, 100) is None
    assert ids(cut(HistoryPage(two, None), 0, 100)) == [1, 2]
    assert ids(cut(HistoryPage(two, 2), 0, 2)) == [1, 2]


def test_where_nothing_follows_the_whole_range_is_done() -> None:
    whole = cut(HistoryPage((), None), 5, 70)
    assert whole is not None
    assert whole.through == 70


@st.composite
def channels(draw: st.DrawFn) -> list[SourceMessage]:
    """A channel's messages: single ones and albums of 2 to 10, with gaps."""
    found: list[SourceMessage] = []
    number = 0
    for album in range(draw(st.integers(1, 8))):
        number += draw(st.integers(1, 30))
        parts = draw(st.sampled_from([1, 1, 2, 5, 10]))
        for _ in range(parts):
            found.append(message(number, f"album {album}" if parts > 1 else None))
            number += 1
    return found


@given(channels(), st.integers(1, 12))
def test_however_the_pages_fall_every_message_comes_once_and_no_album_is_torn(
    chat: list[SourceMessage], size: int
) -> None:
    def read(after: int) -> HistoryPage:
        found = [m for m in chat if m.message_id > after][:size]
        return HistoryPage(tuple(found), found[-1].message_id if found else None)

    cursor, last, stored = 0, chat[-1].message_id, list[SourceMessage]()
    while cursor < last:
        page = read(cursor)
        while (whole := cut(page, cursor, last)) is None:
            assert page.through is not None
            page = joined(page, read(page.through))
        assert whole.through is not None
        assert whole.through > cursor
        torn = {m.album_id for m in stored} & {m.album_id for m in whole.messages} - {None}
        assert not torn
        stored += whole.messages
        cursor = whole.through
    assert stored == chat
