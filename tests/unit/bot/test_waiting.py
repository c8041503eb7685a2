"""A wait is said with how many posts it holds and until when, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder.bot.screens.admin import wait_line
from forwarder.bot.screens.mappings import card_text
from forwarder.bot.texts import Texts, plain
from forwarder.message import AccountKind, Mode, Route
from forwarder.models import Language, MappingState
from forwarder.services.lag import Backlog
from forwarder.services.status import WaitStatus
from forwarder.services.values import ChannelName, MappingCounts, MappingSettings, MappingView

DUE = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
MAPPING = MappingView(
    id=7,
    source=ChannelName(1, -1001, "News", None),
    source_topic=0,
    destination=ChannelName(2, -1002, "Copies", None),
    destination_topic=0,
    mode=Mode.COPY,
    route=Route.AUTO,
    lane_route=Route.BOT,
    state=MappingState.ACTIVE,
    reason=None,
    settings=MappingSettings(),
    revision=1,
    start_after=0,
    created_at=DUE,
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.EN, "37 posts are waiting, next try 22.11.2026 14:05 UTC"),
        (Language.RU, "Ждут 37 постов, следующая попытка 22.11.2026 14:05 UTC"),
    ],
)
def test_a_mapping_says_how_many_posts_wait_and_when_the_next_is_tried(
    language: Language, words: str
) -> None:
    counts = MappingCounts(queued=37, next_try_at=DUE)
    assert words in plain(card_text(Texts(language), MAPPING, counts, (), Backlog()))


def test_a_mapping_that_waits_for_no_time_says_none() -> None:
    counts = MappingCounts(queued=37)
    assert "next try" not in plain(card_text(Texts(Language.EN), MAPPING, counts, (), Backlog()))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.EN, "until 22.11.2026 14:05 UTC; 37 posts are waiting"),
        (Language.RU, "до 22.11.2026 14:05 UTC; ждут 37 постов"),
    ],
)
def test_the_state_says_what_each_wait_holds(language: Language, words: str) -> None:
    wait = WaitStatus("FLOOD_WAIT", AccountKind.BOT, "send", "Copies", DUE, 37)
    assert words in plain(wait_line(Texts(language), wait))
