"""What a wait teaches: which window was too fast, and how much of it is left."""

from dataclasses import replace

import pytest

from forwarder.pace.learning import (
    HOLD,
    HOLD_BUNCHED,
    HOLD_UNEXPLAINED,
    LEAST_UNEXPLAINED,
    LONGEST_HOLD,
    Lesson,
    Seen,
    chat_alone,
    guess,
    lesson_of,
)
from forwarder.pace.limits import BOT_LIMITS, PRESETS, Preset, Window, tempo_of

FULL = Lesson(1.0, 0.0)


def second(used: int = 0, gap: float | None = 1.04) -> Seen:
    return Seen(1, 1.0, FULL, used, gap)


def minute(used: int) -> Seen:
    return Seen(20, 60.0, FULL, used, 1.04)


@pytest.mark.parametrize(
    ("windows", "asked", "place", "share"),
    [
        ([second(), minute(12)], 48, 1, 0.6),
        ([second(), minute(3)], 57, 1, 0.15),
        ([second(), minute(2)], 1, 0, 0.88),
        ([second(), minute(1)], 4, 0, 1 / 4.04),
        ([Seen(30, 1.0, FULL, 20, 0.02)], 1, 0, 20 / 30),
        ([Seen(30, 1.0, FULL, 30, 0.02)], 1, 0, 0.95),
        ([Seen(20, 1.0, FULL, 3, 0.3), Seen(180, 60.0, FULL, 150, 0.3)], 1, 1, 150 / 180),
    ],
)
def test_the_window_that_has_to_be_lowered_least_is_blamed(
    windows: list[Seen], asked: float, place: int, share: float
) -> None:
    found = guess(windows, asked, now=100.0)
    assert found is not None
    assert (found.place, found.share) == (place, pytest.approx(share))


def test_a_minute_is_not_blamed_for_a_wait_of_seconds_when_it_has_just_begun() -> None:
    """Telegram would have asked for the rest of the minute. Where the minute was used well it may count otherwise."""
    windows = [Seen(10, 1.0, FULL, 3, 0.1, proven=9), Seen(200, 60.0, FULL, 27, 0.1, oldest=2.0)]
    found = guess(windows, 4, now=100.0)
    assert found is not None
    assert found.place == 0
    assert lesson_of(windows[0], found, 100.0).hold == HOLD_UNEXPLAINED
    for longer in (replace(windows[1], oldest=56.0), replace(windows[1], used=100)):
        found = guess([windows[0], longer], 4, now=100.0)
        assert found is not None
        assert found.place == 1


def test_no_wait_more_than_halves_a_window() -> None:
    window = Seen(30, 1.0, FULL, 12, 0.1)
    found = guess([window], 1, now=100.0)
    assert found is not None
    assert lesson_of(window, found, 100.0) == Lesson(0.5, 100.0, HOLD)


def test_a_wait_far_below_what_was_allowed_is_believed_only_for_minutes_and_only_so_far() -> None:
    now = 10_000.0
    lesson = FULL
    for _ in range(5):
        window = Seen(30, 1.0, lesson, 3, 0.1)
        found = guess([window], 1, now=now)
        assert found is not None
        lesson = lesson_of(window, found, now)
        if lesson.share == LEAST_UNEXPLAINED:
            break
        assert lesson.hold == HOLD_UNEXPLAINED
    assert lesson.share == LEAST_UNEXPLAINED
    window = Seen(30, 1.0, lesson, 6, 0.1)
    found = guess([window], 1, now=now)
    assert found is not None
    assert lesson_of(window, found, now).share == pytest.approx(0.2), "Telegram still objects: believed now"


def test_a_window_recovers_after_its_hold_and_slowly() -> None:
    lesson = Lesson(0.5, 100.0, HOLD)
    assert lesson.share_at(100.0 + HOLD) == 0.5
    assert 0.5 < lesson.share_at(100.0 + HOLD + 600) < 0.7
    assert lesson.share_at(100.0 + HOLD + 86_400) == 1.0


def test_a_window_that_meets_the_same_limit_again_is_held_for_longer_each_time() -> None:
    lesson, now = Lesson(0.5, 0.0, HOLD), 0.0
    holds = []
    for _ in range(6):
        now += lesson.hold + 60
        window = Seen(20, 60.0, lesson, 10, 1.0)
        found = guess([window], 30, now)
        assert found is not None
        lesson = lesson_of(window, found, now)
        assert lesson.share == pytest.approx(0.5)
        holds.append(lesson.hold)
    assert holds == sorted(holds)
    assert holds[0] == 2 * HOLD
    assert holds[-1] == LONGEST_HOLD


def test_a_long_wait_that_only_the_chats_windows_explain_is_the_chats_alone() -> None:
    account = guess([Seen(30, 1.0, FULL, 10, 0.1)], 46, now=0.0)
    assert chat_alone(guess([second(), minute(12)], 46, now=0.0), account, 46)
    # Any window asks for a second.
    assert not chat_alone(guess([second(), minute(12)], 1, now=0.0), account, 1)


def test_a_long_wait_that_the_accounts_window_explains_may_be_the_accounts() -> None:
    account = guess([Seen(180, 60.0, FULL, 100, 0.1)], 55, now=0.0)
    assert not chat_alone(guess([second(), minute(5)], 55, now=0.0), account, 55)


def test_nothing_is_learned_where_there_is_no_window() -> None:
    assert guess([], 5, now=0.0) is None


def test_own_limits_stand_in_place_of_the_presets_and_are_scaled_with_it() -> None:
    tempo = tempo_of(Preset.NORMAL, scale=2, bot_chat=(Window(5, 10.0),))
    assert tempo.bot.chat == (Window(10, 10.0),)
    assert tempo.bot.account == (Window(60, 1.0),)
    assert tempo.user == PRESETS[Preset.NORMAL].user.scaled(2)


def test_careful_is_slower_than_normal_everywhere_and_off_has_no_windows() -> None:
    careful, off = PRESETS[Preset.CAREFUL], tempo_of(Preset.OFF)
    for slow, fast in zip(careful.bot.account, BOT_LIMITS.account, strict=True):
        assert slow.limit / slow.seconds < fast.limit / fast.seconds
    assert off.bot == off.user
    assert off.bot.account == off.bot.chat == off.bot.edits == ()


def test_user_accounts_have_a_daily_ceiling() -> None:
    for preset in (Preset.NORMAL, Preset.CAREFUL):
        assert max(window.seconds for window in PRESETS[preset].user.account) == 86_400


def test_waits_that_no_window_explains_lower_the_pace_a_little_and_never_to_a_crawl() -> None:
    lesson = FULL
    for now in range(0, 100, 10):
        window = Seen(30, 1.0, lesson, 1, 0.5)
        found = guess([window], 20, float(now))
        assert found is not None
        lesson = lesson_of(window, found, float(now))
    assert lesson.share == pytest.approx(0.3)
    assert lesson.hold < HOLD


def test_calls_that_may_have_arrived_together_lower_the_pace_once_and_only_for_a_while() -> None:
    bunched = Seen(30, 1.0, FULL, 30, 0.02, bunched=True)
    found = guess([bunched], 1, now=5.0)
    assert found is not None
    lesson = lesson_of(bunched, found, 5.0)
    assert (lesson.share, lesson.hold) == (0.95, HOLD_BUNCHED)
    again = guess([replace(bunched, lesson=lesson)], 1, now=6.0)
    assert again is not None
    assert again.share == lesson.share


def test_a_window_that_has_taken_more_of_late_is_not_to_blame() -> None:
    chat = Seen(1, 1.0, FULL, 1, 1.05)
    account = Seen(30, 1.0, Lesson(0.5, 0.0), 10, 0.05, proven=15)
    found = guess([chat, account], 2, now=60.0)
    assert found is not None
    assert found.place == 0
    unproven = guess([chat, replace(account, proven=10)], 2, now=60.0)
    assert unproven is not None
    assert unproven.place == 1


def test_moods_of_telegram_in_a_row_do_not_lower_the_pace_to_a_crawl() -> None:
    """Six hundred a minute come and go, and some waits of ten seconds have nothing to do with them."""
    lesson, now = Lesson(1.0, 0.0), 0.0
    for used in (610, 590, 600, 605, 580, 600):
        now += 70.0
        window = Seen(3600, 60.0, lesson, used, 0.1, proven=640)
        found = guess([window], 9.0, now)
        assert found is not None
        lesson = lesson_of(window, found, now)
        assert lesson.hold == HOLD_UNEXPLAINED
    assert lesson.share >= LEAST_UNEXPLAINED
    assert lesson.share_at(now + 600) == 1.0


def test_a_measured_limit_counts_at_once_even_while_others_were_under_way() -> None:
    known = Seen(30, 1.0, Lesson(0.95, 5.0), 15, 0.02)
    found = guess([known], 1, now=5.5)
    assert found is not None
    assert found.share == 0.5
