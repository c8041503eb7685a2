"""Buttons as values: what is packed is unpacked, and nothing else is."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.bot import cb
from forwarder.bot.keyboards import REQUESTS, chat_picker, pager, rows
from forwarder.bot.rooms import ROOMS
from forwarder.bot.texts import Texts
from forwarder.message import Mode
from forwarder.models import Language

LARGEST = 2**31 - 1
"""Ids of channels and mappings are PostgreSQL integers."""


def presses() -> st.SearchStrategy[cb.Press]:
    return st.one_of(*(st.builds(kind, **values(kind)) for kind in cb.KINDS.values()))


def values(kind: type[cb.Press]) -> dict[str, st.SearchStrategy[object]]:
    hints = get_type_hints(kind)
    found: dict[str, st.SearchStrategy[object]] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        hint = hints[field.name]
        if hint is bool:
            found[field.name] = st.booleans()
        elif hint is int:
            found[field.name] = st.integers(0, LARGEST)
        else:
            found[field.name] = st.sampled_from(list(hint))
    return found


@given(presses())
def test_every_press_survives_the_way_through_telegram(press: cb.Press) -> None:
    packed = cb.encode(press)
    assert 1 <= len(packed.encode()) <= 64
    assert cb.decode(packed) == press


@given(st.text(max_size=64))
def test_foreign_data_is_no_press_or_a_well_formed_one(data: str) -> None:
    press = cb.decode(data)
    assert press is None or isinstance(press, cb.Press)


@pytest.mark.parametrize(
    "data",
    [
        "",
        ":",
        "c",
        "c:1",
        "c:1:source",
        "c:x:source:0",
        "c:1:nowhere:0",
        "c:1:source:0:9",
        "md:1:0:2",
        "lang:fr",
        "c:" + "9" * 40 + ":source:0",
        "unknown:1",
    ],
)
def test_old_or_broken_data_is_no_press(data: str) -> None:
    assert cb.decode(data) is None


def test_what_telegram_would_refuse_is_refused_here() -> None:
    with pytest.raises(ValueError, match="64|bytes"):
        cb.encode(cb.OpenChannel(10**60, cb.Side.SOURCE, 0))


def test_every_press_has_a_room() -> None:
    assert set(ROOMS) == set(cb.KINDS.values())


def test_one_page_needs_no_pager_and_several_turn_round() -> None:
    assert pager(0, 1, cb.TurnChoices) is None
    row = pager(0, 3, cb.TurnChoices)
    assert row is not None
    assert [press for _, press in row] == [cb.TurnChoices(2), cb.Nothing(), cb.TurnChoices(1)]


def test_long_labels_are_shortened_and_empty_rows_left_out() -> None:
    markup = rows([("x" * 100, cb.OpenMenu())], None, [])
    assert [[len(button.text) for button in row] for row in markup.inline_keyboard] == [[40]]


@pytest.mark.parametrize("language", list(Language))
def test_the_picker_asks_for_rights_only_where_the_bot_must_work(language: Language) -> None:
    texts = Texts(language)
    source = chat_picker(texts, cb.Side.SOURCE, bot_must_join=False).keyboard[0]
    alone = chat_picker(texts, cb.Side.SOURCE, bot_must_join=True).keyboard[0]
    destination = chat_picker(texts, cb.Side.DESTINATION, bot_must_join=False).keyboard[0]
    assert [button.request_chat.bot_administrator_rights for button in source] == [None, None]  # type: ignore[union-attr]
    assert [button.request_chat.bot_administrator_rights.can_post_messages for button in alone] == [
        False,
        False,
    ]  # type: ignore[union-attr]
    assert [button.request_chat.bot_administrator_rights.can_post_messages for button in destination] == [
        True,
        False,
    ]  # type: ignore[union-attr]
    for row, side in ((source, cb.Side.SOURCE), (destination, cb.Side.DESTINATION)):
        assert {REQUESTS[button.request_chat.request_id] for button in row} == {side}  # type: ignore[union-attr]
    for button in destination:
        asked = button.request_chat  # type: ignore[union-attr]
        granted, held = asked.bot_administrator_rights.to_dict(), asked.user_administrator_rights.to_dict()
        assert all(held[name] for name, value in granted.items() if value), "Telegram wants a superset"


def test_modes_are_both_offered() -> None:
    assert cb.decode(cb.encode(cb.ChooseMode(Mode.COPY))) == cb.ChooseMode(Mode.COPY)
