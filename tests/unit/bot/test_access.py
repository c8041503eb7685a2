"""The pace of one person, their dialog, and what a membership allows."""

from __future__ import annotations

import pytest
from telegram import (
    ChatMember,
    ChatMemberBanned,
    ChatMemberLeft,
    ChatMemberMember,
    ChatMemberOwner,
    User,
)

from forwarder.bot.access import Pace, RateLimit
from forwarder.bot.cb import Side
from forwarder.bot.dialog import Adding, Dialog, Draft, Step, from_json, to_json
from forwarder.bot.membership import rights_of
from forwarder.message import Mode
from forwarder.services.values import Rights


def test_a_person_in_a_hurry_is_told_once_and_heard_again_later() -> None:
    now = [0.0]
    limit = RateLimit(calls=3, seconds=10, clock=lambda: now[0])
    assert [limit.check(1) for _ in range(5)] == [Pace.FINE, Pace.FINE, Pace.FINE, Pace.TOLD, Pace.QUIET]
    assert limit.check(2) is Pace.FINE, "one person's hurry is no other's trouble"
    now[0] = 4.0
    assert limit.wait(1) == 6
    now[0] = 10.0
    assert limit.check(1) is Pace.FINE


@pytest.mark.parametrize(
    "dialog",
    [
        Adding(Side.DESTINATION),
        Draft(),
        Draft(Step.CONFIRM, sources=(1, 2), destinations=(3,), mode=Mode.COPY, page=2),
    ],
)
def test_a_dialog_survives_being_stored(dialog: Dialog) -> None:
    assert from_json(to_json(dialog)) == dialog


@pytest.mark.parametrize(
    "stored",
    [None, {}, {"name": "other"}, {"name": "adding", "side": "up"}, {"name": "draft", "step": "sources"}],
)
def test_a_dialog_of_another_version_is_none(stored: dict[str, object] | None) -> None:
    assert from_json(stored) is None


def test_every_source_goes_to_every_destination() -> None:
    assert Draft(sources=(1, 2), destinations=(3, 4)).pairs == ((1, 3), (1, 4), (2, 3), (2, 4))


ROBOT = User(7, "Robot", is_bot=True)


@pytest.mark.parametrize(
    ("member", "chat", "reads", "rights"),
    [
        (ChatMemberOwner(ROBOT, is_anonymous=False), "channel", False, Rights(True, True, True, True)),
        (ChatMemberMember(ROBOT), "supergroup", False, Rights(False, True, True, False, slowed=True)),
        (ChatMemberMember(ROBOT), "supergroup", True, Rights(True, True, True, False, slowed=True)),
        (ChatMemberLeft(ROBOT), "channel", True, Rights()),
        (ChatMemberBanned(ROBOT, until_date=None), "supergroup", True, Rights()),  # type: ignore[arg-type]
    ],
)
def test_rights_follow_from_the_membership(
    member: ChatMember, chat: str, reads: bool, rights: Rights
) -> None:
    assert rights_of(member, chat, reads_groups=reads) == rights
