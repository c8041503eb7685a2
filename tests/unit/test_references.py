"""What people write to name a chat or a post."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.errors import InvalidRequest
from forwarder.references import NamedPlace, Reference, parse_place, parse_post_link, parse_reference

UNDERSTOOD = [
    ("@durov", Reference(username="durov")),
    ("  @durov ", Reference(username="durov")),
    ("t.me/durov", Reference(username="durov")),
    ("https://t.me/durov", Reference(username="durov")),
    ("http://www.telegram.me/durov/", Reference(username="durov")),
    ("HTTPS://T.ME/Durov", Reference(username="Durov")),
    ("https://telegram.dog/durov?boost", Reference(username="durov")),
    ("https://durov.t.me", Reference(username="durov")),
    ("https://durov.t.me/15", Reference(username="durov", message_id=15)),
    ("https://t.me/s/durov/15", Reference(username="durov", message_id=15)),
    ("https://t.me/durov/15", Reference(username="durov", message_id=15)),
    ("https://t.me/durov/15?single", Reference(username="durov", message_id=15)),
    ("https://t.me/forum/3/15", Reference(username="forum", topic_id=3, message_id=15)),
    ("https://t.me/c/1234567890/15", Reference(chat_id=-1001234567890, message_id=15)),
    ("https://t.me/c/1234567890/3/15", Reference(chat_id=-1001234567890, topic_id=3, message_id=15)),
    ("https://t.me/c/1234567890", Reference(chat_id=-1001234567890)),
    ("https://t.me/+AbCdEf_12-34567", Reference(invite="AbCdEf_12-34567")),
    ("https://t.me/joinchat/AbCdEf_12-34567", Reference(invite="AbCdEf_12-34567")),
    ("tg://join?invite=AbCdEf_12-34567", Reference(invite="AbCdEf_12-34567")),
    ("tg://resolve?domain=durov", Reference(username="durov")),
    ("tg://resolve?domain=durov&post=15", Reference(username="durov", message_id=15)),
    ("-1001234567890", Reference(chat_id=-1001234567890)),
    ("-4242", Reference(chat_id=-4242)),
]

GARBAGE = [
    "", " ", "durov", "@", "@ab", "@1abc", "@du rov", "@имя", "12345", "-0", "--5", "-", "-１２３",
    "https://example.com/durov", "https://t.me/", "https://t.me/addstickers/Cats", "https://t.me/c/abc/1",
    "https://t.me/durov/abc", "https://t.me/durov/1/2/3", "https://t.me/+", "https://t.me/joinchat",
    "https://t.me/c/0/1", "tg://resolve?domain=", "x" * 5000, "@" + "a" * 40, "https://t.me/durov/0",
    "https://evil.example/?x=t.me/durov", "\x00@durov",
]  # fmt: skip


@pytest.mark.parametrize(("text", "reference"), UNDERSTOOD)
def test_a_reference_is_understood(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_gets_a_sentence_that_says_what_to_write(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Write @name") as refusal:
        parse_reference(text)
    assert refusal.value.code == "bad_reference"
    assert len(str(refusal.value)) < 300


@given(st.text(max_size=80))
def test_no_text_whatever_is_anything_but_understood_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except InvalidRequest:
        return
    named = [found.username, found.chat_id, found.invite]
    assert sum(value is not None for value in named) == 1


@pytest.mark.parametrize(
    "text", ["https://t.me/durov", "@durov", "-1001234567890", "https://t.me/+AbCdEf_12"]
)
def test_a_chat_alone_is_no_link_to_a_post(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_post_link(text)


def test_a_link_to_a_post_names_chat_and_post() -> None:
    assert parse_post_link("https://t.me/c/1234567890/15").message_id == 15


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("3", NamedPlace("3")),
        ("3/15", NamedPlace("3", 15)),
        (" @forum/15 ", NamedPlace("@forum", 15)),
        ("-1001234567890", NamedPlace("-1001234567890")),
        ("-1001234567890/15", NamedPlace("-1001234567890", 15)),
        ("https://t.me/c/1234567890/15", NamedPlace("-1001234567890", 15)),
        ("https://t.me/c/1234567890/15/77", NamedPlace("-1001234567890", 15)),
        ("t.me/forum/15", NamedPlace("@forum", 15)),
        ("t.me/forum", NamedPlace("@forum")),
        ("@forum/news", NamedPlace("@forum/news")),
        ("@forum/0", NamedPlace("@forum/0")),
    ],
)
def test_a_place_is_a_chat_and_a_topic(text: str, place: NamedPlace) -> None:
    assert parse_place(text) == place
