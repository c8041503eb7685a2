"""What the bot says unasked: every matter in both languages, with a remedy, and fit for Telegram."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder import retry
from forwarder.bot.screens.notices import digest, screen_of
from forwarder.bot.texts import Texts, plain
from forwarder.message import AccountKind, Mode, Route
from forwarder.models import AccountState, Language, MappingState
from forwarder.retry import Verdict
from forwarder.services.accounts import LOGIN_GONE, AccountView
from forwarder.services.telling import (
    AccountStopped,
    HeldByOutage,
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


MATTERS: list[Matter] = [
    MappingPaused(MAPPING, 5),
    MappingPaused(MAPPING, 0),
    AccountStopped(account(AccountState.STOPPED, "spam_limited")),
    AccountStopped(account(AccountState.SIGNED_OUT, "session_lost")),
    Quarantined(account(AccountState.ACTIVE, ""), 3),
    HeldUnsure(MAPPING, 14, tuple(range(1, 11))),
    HeldByOutage(MAPPING, 12),
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
