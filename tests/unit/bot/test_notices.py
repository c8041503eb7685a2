"""What the bot says unasked: every matter in both languages, with a remedy, and fit for Telegram."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forwarder import retry
from forwarder.bot.screens.notices import digest, screen_of
from forwarder.bot.texts import Texts, plain
from forwarder.message import AccountKind, Kind, Mode, Route
from forwarder.models import AccountState, Language, MappingState
from forwarder.retry import Verdict
from forwarder.services.accounts import LOGIN_GONE, AccountView
from forwarder.services.reviews import Card
from forwarder.services.telling import (
    AccountStopped,
    HeldByOutage,
    HeldForReview,
    HeldUnsure,
    MappingPaused,
    Matter,
    Quarantined,
)
from forwarder.services.values import ChannelName, MappingSettings, MappingView

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MAPPING = MappingView(
    id=7,
    source=ChannelName(1, -1001, "Ne<w>s" + "x" * 250, None),
    source_topic=0,
    destination=ChannelName(2, -1002, "Copies", None),
    destination_topic=0,
    mode=Mode.COPY,
    route=Route.AUTO,
    lane_route=Route.BOT,
    state=MappingState.PAUSED,
    reason="no_right_to_post",
    settings=MappingSettings(),
    revision=1,
    start_after=0,
    created_at=NOW,
)


def account(state: AccountState, reason: str) -> AccountView:
    return AccountView(3, AccountKind.USER, 800, "carrier", state, reason, None, None)


CARD = Card(12, MAPPING, MAPPING.source, 5, Kind.TEXT, 1, "<i>" * 2000, False, NOW, NOW, False, 77)

MATTERS: list[Matter] = [
    MappingPaused(MAPPING, 5),
    MappingPaused(MAPPING, 0),
    AccountStopped(account(AccountState.STOPPED, "spam_limited")),
    AccountStopped(account(AccountState.SIGNED_OUT, "session_lost")),
    Quarantined(account(AccountState.ACTIVE, ""), 3),
    HeldUnsure(MAPPING, 14, tuple(range(1, 11)), 14),
    HeldByOutage(MAPPING, 12),
    HeldForReview(MAPPING, 3, CARD),
    HeldForReview(MAPPING, 1, replace(CARD, kind=Kind.PHOTO, parts=4, text="", sends=True)),
]

DECISIONS = [*retry.MTPROTO.values(), *(decision for _, decision in retry.BOT_API)]


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("verdict", [Verdict.PAUSE_MAPPING, Verdict.STOP_ACCOUNT])
def test_every_permanent_error_has_a_remedy(language: Language, verdict: Verdict) -> None:
    reasons = {decision.reason for decision in DECISIONS if decision.verdict is verdict} | {"no_route"}
    assert [reason for reason in sorted(reasons) if Texts(language).remedy(reason) is None] == []


def test_a_login_that_is_gone_is_a_reason_to_stop() -> None:
    assert {d.reason for d in DECISIONS if d.verdict is Verdict.STOP_ACCOUNT} >= LOGIN_GONE


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("matter", MATTERS)
def test_every_matter_has_its_words_its_remedy_and_buttons(language: Language, matter: Matter) -> None:
    texts = Texts(language)
    screen = screen_of(texts, matter)
    assert texts.plain("notice.remedy", remedy="") in screen.text
    assert screen.keyboard is not None
    assert screen.keyboard.inline_keyboard
    assert "Ne<w>s" not in screen.text


def test_a_pause_names_both_ends_the_reason_and_the_ways_on() -> None:
    screen = screen_of(Texts(Language.EN), MATTERS[0])
    words = plain(screen.text)
    assert all(part in words for part in ("#7", "Ne<w>s", "Copies", "no right to post", "5 posts wait"))
    assert screen.keyboard is not None
    data = [button.callback_data for row in screen.keyboard.inline_keyboard for button in row]
    assert data == ["mr:7:0:send", "mr:7:0:skip", "m:7:0"]


@pytest.mark.parametrize("language", list(Language))
def test_many_matters_fit_one_message(language: Language) -> None:
    screen = digest(Texts(language), MATTERS * 100)
    assert len(screen.text) < 4096
    assert str(len(MATTERS) * 100) in screen.text


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(Kind))
def test_a_post_for_review_shows_its_kind_its_link_its_words_and_both_answers(
    language: Language, kind: Kind
) -> None:
    card = replace(CARD, kind=kind, source=ChannelName(1, -1001, "News", "news"), text="<b>words</b>")
    screen = screen_of(Texts(language), HeldForReview(MAPPING, 2, card))
    assert Texts(language).plain(f"review.kind.{kind}") in screen.text
    assert "https://t.me/news/5" in screen.text
    assert "&lt;b&gt;words&lt;/b&gt;" in screen.text
    assert screen.keyboard is not None
    data = [button.callback_data for row in screen.keyboard.inline_keyboard for button in row]
    assert data == ["rd:12:77:1:7:0", "rd:12:77:0:7:0", "rv:7:0", "m:7:0"]


def test_the_longest_post_for_review_fits_one_message() -> None:
    screen = screen_of(Texts(Language.RU), HeldForReview(MAPPING, 1, replace(CARD, text="\U0001f680" * 4096)))
    assert len(screen.text.encode("utf-16-le")) // 2 < 4096
