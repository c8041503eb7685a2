"""The words of the field: where a post comes from, and what PostgreSQL can store of a text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import (
    FINAL_STATES,
    Heard,
    Kind,
    Origin,
    SourceMessage,
    State,
    without_nul,
)
from forwarder.services.repeats import keys_of


def message(text: str = "", **values: Any) -> SourceMessage:
    fields: dict[str, Any] = {"chat_id": -1001, "message_id": 1, "kind": Kind.TEXT} | values
    return SourceMessage(date=datetime.now(UTC), heard=Heard.PUSH, text=text, **fields)


def test_a_forward_and_its_origin_share_a_key() -> None:
    original = message("a", chat_id=-5, message_id=7)
    forward = message("b", chat_id=-6, message_id=1, origin=Origin(-5, 7))
    assert keys_of((original,))[0] == keys_of((forward,))[0]


def test_the_same_message_id_of_another_chat_is_another_origin() -> None:
    assert keys_of((message("a"),))[0] != keys_of((message("a", chat_id=-2),))[0]


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_can_be_stored(text: str) -> None:
    stored = without_nul(text)
    assert "\x00" not in stored
    stored.encode("utf-8")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_an_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert without_nul(text) == text


def test_final_states_are_told_by_the_states_themselves() -> None:
    assert {state for state in State if state.final} == FINAL_STATES
    assert State.UNSURE not in FINAL_STATES
