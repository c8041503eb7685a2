"""What is sent in place of a post that rules have changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder.message import AccountKind, Button, Entity, Facts, Heard, Kind, Rewrite, SourceMessage
from forwarder.rules import Context, Passed, decide, parse, rewrite_of

BOT, USER = AccountKind.BOT, AccountKind.USER
LINK = "https://example.org/"
BUTTON = {"button": {"text": "Source", "url": LINK}}


def message(number: int = 1, kind: Kind = Kind.TEXT, words: str = "", **values: Any) -> SourceMessage:
    return SourceMessage(
        -1001, number, datetime(2026, 1, 1, tzinfo=UTC), kind, Heard.PUSH, text=words, **values
    )


def made(kind: AccountKind, rules: list[dict[str, Any]], *parts: SourceMessage) -> Rewrite | None:
    outcome = decide(parse({"rules": rules}), parts, Context("News"))
    assert isinstance(outcome, Passed)
    return rewrite_of(outcome, kind)


@pytest.mark.parametrize(
    ("rules", "post"),
    [
        ([{"replace": {"words": ["cat"], "with": "dog"}}], message(words="a dog")),
        ([{"footer": "below"}], message(kind=Kind.STICKER)),
        ([{"footer": "below"}], message(kind=Kind.UNKNOWN, words="x")),
        ([{"spoiler": "media"}], message(kind=Kind.VOICE)),
        ([{"spoiler": "media"}], message(kind=Kind.PHOTO, facts=Facts(spoiler=True))),
        ([{"preview": False}], message(words="no link")),
        ([{"preview": False}], message(words=LINK, facts=Facts(preview_hidden=True))),
        ([{"preview": True}], message(words=LINK)),
        ([{"drop_caption": True}], message(kind=Kind.PHOTO)),
        ([BUTTON], message(kind=Kind.DICE)),
    ],
)
def test_what_an_account_would_send_no_differently_goes_as_it_is(
    rules: list[dict[str, Any]], post: SourceMessage
) -> None:
    assert made(BOT, rules, post) is None


def test_only_a_bot_has_buttons_and_an_album_has_none() -> None:
    album = [message(n, Kind.PHOTO, album_id="a") for n in (1, 2)]
    assert made(USER, [BUTTON], message(words="x")) is None
    assert made(BOT, [BUTTON], *album) is None
    rewrite = made(BOT, [BUTTON], message(words="x"))
    assert rewrite is not None
    assert (rewrite.button, rewrite.hides) == (Button("Source", LINK), False)


@pytest.mark.parametrize(
    ("words", "entities", "rules", "kept"),
    [
        (f"see {LINK} cat", (), [], True),
        (f"see {LINK} cat", (), [{"remove_links": True}], False),
        ("see cat", (Entity("text_link", 0, 3, url="https://example.org"),), [{"remove_links": True}], False),
        ("see cat", (), [{"remove_links": True}], True),
        ("see https://other.org cat", (), [{"remove_links": True}], False),
        (f"see {LINK} cat", (), [{"replace_links": {"with": "https://b.example"}}], False),
    ],
)
def test_a_preview_that_was_chosen_stays_while_rules_leave_its_link(
    words: str, entities: tuple[Entity, ...], rules: list[dict[str, Any]], kept: bool
) -> None:
    post = message(words=words, entities=entities, facts=Facts(preview_url=LINK, preview_large=True))
    rewrite = made(USER, [{"replace": {"words": ["cat"], "with": "dog"}}, *rules], post)
    assert rewrite is not None
    [part] = rewrite.parts
    assert (part.look.preview_url, part.look.preview_large) == ((LINK, True) if kept else (None, None))


@pytest.mark.parametrize(("shown", "hidden"), [(True, True), (False, False)])
def test_a_preview_is_shown_or_hidden_against_the_sources_will(shown: bool, hidden: bool) -> None:
    rewrite = made(USER, [{"preview": shown}], message(words=LINK, facts=Facts(preview_hidden=hidden)))
    assert rewrite is not None
    [part] = rewrite.parts
    assert (part.look.preview_hidden, part.changed) == (not shown, False)


@pytest.mark.parametrize(
    ("kinds", "heard", "follow"),
    [
        ((Kind.PHOTO, Kind.VIDEO), True, False),
        ((Kind.DOCUMENT, Kind.DOCUMENT), True, False),
        ((Kind.AUDIO, Kind.AUDIO), True, False),
        ((Kind.PHOTO, Kind.DOCUMENT), True, True),
        ((Kind.PHOTO, Kind.ANIMATION), True, True),
        ((Kind.PHOTO, Kind.PHOTO), False, True),
    ],
)
def test_a_bots_album_is_sent_anew_where_it_has_heard_it_and_its_kinds_go_together(
    kinds: tuple[Kind, ...], heard: bool, follow: bool
) -> None:
    parts = [
        message(n, kind, album_id="a", file_id="f" if heard or n else None) for n, kind in enumerate(kinds)
    ]
    rewrite = made(BOT, [{"footer": "below"}], *parts)
    assert rewrite is not None
    assert (rewrite.captions_follow, rewrite.further_calls) == (follow, int(follow))
    by_user = made(USER, [{"footer": "below"}], *parts)
    assert by_user is not None
    assert not by_user.captions_follow


def test_a_caption_that_only_premium_allowed_is_cut_beside_one_that_rules_have_changed() -> None:
    parts = [message(1, Kind.PHOTO, "cat", album_id="a"), message(2, Kind.PHOTO, "x" * 2000, album_id="a")]
    rewrite = made(USER, [{"replace": {"words": ["cat"], "with": "dog"}}], *parts)
    assert rewrite is not None
    assert [len(part.text) for part in rewrite.parts] == [3, 1024]
    rewrite = made(BOT, [BUTTON], replace(parts[1], album_id=None))
    assert rewrite is not None
    assert len(rewrite.parts[0].text) == 2000


def test_a_caption_that_only_premium_allowed_is_cut_under_a_medium_that_rules_cover() -> None:
    photo = message(1, Kind.PHOTO, "x" * 2000)
    for kind in (BOT, USER):
        rewrite = made(kind, [{"spoiler": "media"}], photo)
        assert rewrite is not None
        assert [(part.cover, len(part.text)) for part in rewrite.parts] == [(True, 1024)]
    assert made(USER, [{"spoiler": "media"}], replace(photo, facts=Facts(spoiler=True))) is None


def test_formatting_beside_a_changed_part_is_no_more_than_telegram_takes() -> None:
    many = tuple(Entity("bold", n, 1) for n in range(120))
    parts = [
        message(1, Kind.PHOTO, "cat", album_id="a"),
        message(2, Kind.PHOTO, "x" * 120, entities=many, album_id="a"),
    ]
    rewrite = made(USER, [{"replace": {"words": ["cat"], "with": "dog"}}], *parts)
    assert rewrite is not None
    assert [len(part.entities) for part in rewrite.parts] == [0, 100]


def test_what_does_not_fit_belongs_to_the_part_with_the_text_though_that_stays_as_it_was() -> None:
    long = "x" * 1020
    parts = [message(1, Kind.PHOTO, album_id="a"), message(2, Kind.PHOTO, long, album_id="a")]
    rewrite = made(USER, [{"footer": "below"}, {"too_long": "split"}], *parts)
    assert rewrite is not None
    assert rewrite.rest is not None
    assert (rewrite.rest.message_id, rewrite.rest.kind, rewrite.rest.text) == (2, Kind.TEXT, "below")
    assert [part.text for part in rewrite.parts] == ["", long]


def test_where_nothing_can_follow_a_long_text_is_cut_whatever_the_rules_say() -> None:
    rules = parse({"rules": [{"footer": "below"}, {"too_long": "split"}]})
    outcome = decide(rules, [message(words="word " * 819)], Context(alone=True))
    assert isinstance(outcome, Passed)
    assert (outcome.rest, outcome.parts[0].text.endswith("…\n\nbelow")) == (None, True)
