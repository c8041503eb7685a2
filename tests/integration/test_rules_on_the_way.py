"""Posts that a mapping's rules refuse never travel, and what they cannot decide about does not either."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from forwarder.message import AccountKind, Edited, Facts, Heard
from forwarder.services.rules import Owner, RuleService
from forwarder.services.why import DeliveryStory, explain
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, post
from tests.integration.carriers import Street

USER = AccountKind.USER
NO_SALE = {"name": "no sale", "deny": {"words": ["sale"]}}


async def rule(core: House, mapping: int, *rules: dict[str, Any]) -> None:
    for one in rules or (NO_SALE,):
        await RuleService(core.db).add(Owner("mapping", mapping), one)


async def told(core: House, message: int) -> tuple[DeliveryStory, ...]:
    await core.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    return (await explain(core.db, f"https://t.me/news/{message}")).deliveries


async def test_a_refused_post_is_filtered_when_it_is_heard_and_says_by_what(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping)
    received = await core.hear(post(1, "Big SALE"), post(2))
    assert await core.states(mapping) == [(1, "filtered"), (2, "queued")]
    assert len(received.due) == 1
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [2]
    [story] = await told(core, 1)
    assert (story.reason, story.rule, story.words, story.revision) == ("denied", "no sale", ("SALE",), 2)
    [filtered, _] = await core.deliveries(mapping)
    assert (filtered["revision"], filtered["done_at"] is None) == (2, False)


async def test_one_mapping_refuses_what_another_takes_and_an_album_counts_by_its_caption(core: House) -> None:
    strict, free = await core.mapping(), await core.mapping(NEWS, ARCHIVE)
    await rule(core, strict)
    first, *others = album("a", 1, 2)
    await core.hear(replace(first, text="sale"), *others, post(3))
    await core.settle()
    assert await core.states(strict) == [(1, "filtered"), (3, "queued")]
    assert await core.states(free) == [(1, "queued"), (3, "queued")]


async def test_a_refused_post_takes_no_place_as_the_first_of_its_duplicates(core: House) -> None:
    strict, free = await core.mapping(), await core.mapping(OTHER, DIGEST)
    await rule(core, strict)
    await core.hear(post(1, "a long sale of many words"))
    await core.hear(post(1, "a long sale of many words", chat=OTHER))
    assert await core.states(strict) == [(1, "filtered")]
    assert await core.states(free) == [(1, "queued")]


async def test_a_rule_that_came_while_a_post_waited_still_refuses_it(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2, "sale"), post(3))
    await rule(core, mapping)
    outcome = await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 3]
    assert await core.states(mapping) == [(1, "sent"), (2, "filtered"), (3, "sent")]
    assert "sale" not in str(outcome)


async def test_a_waiting_post_that_was_edited_is_judged_as_it_reads_when_it_goes(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping)
    heard = post(1)
    await core.hear(heard)
    await core.hear(Edited(replace(heard, text="sale", edit_date=heard.date + timedelta(minutes=1))))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert (street.chat.arrived, await core.states(mapping)) == ([], [(1, "filtered")])


@pytest.mark.parametrize("refused", [True, False])
async def test_a_waiting_post_that_was_given_buttons_or_lost_them_is_judged_by_that(
    core: House, street: Street, refused: bool
) -> None:
    mapping = await core.mapping()
    heard = post(1, facts=Facts(buttons=not refused))
    await core.hear(heard)
    await rule(core, mapping, {"deny": {"buttons": True}})
    later, other = heard.date + timedelta(minutes=1), Facts(buttons=refused)
    await core.hear(Edited(replace(heard, facts=other, edit_date=later)))
    # What was read before that edit, and comes after it, says nothing of it.
    await core.hear(Edited(replace(heard, heard=Heard.CATCH_UP, edit_date=None)))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await core.states(mapping) == [(1, "filtered" if refused else "sent")]


async def test_buttons_that_come_or_go_are_no_edit_of_a_copy(core: House, street: Street) -> None:
    mapping = await core.mapping()
    heard = post(1)
    await core.hear(heard)
    await street.carrier(street.sender(USER)).carry(mapping)
    later = heard.date + timedelta(minutes=1)
    received = await core.hear(Edited(replace(heard, facts=Facts(buttons=True), edit_date=later)))
    assert (received.due, await core.states(mapping, "edit")) == ([], [])


async def test_a_list_refuses_for_its_mappings(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, "sale"))
    [row] = await core.run("insert into lists (name) values ('l') returning id")
    for side, chat in (("source", NEWS), ("destination", DIGEST)):
        await core.run(
            "insert into list_channels values (:list, :channel, :side)",
            list=row["id"],
            channel=core.channels[chat],
            side=side,
        )
    await RuleService(core.db).add(Owner("list", row["id"]), NO_SALE)
    await street.carrier(street.sender(USER)).carry(mapping)
    await core.hear(post(2, "sale"))
    assert await core.states(mapping) == [(1, "filtered"), (2, "filtered")]
    await RuleService(core.db).add(Owner("list", row["id"]), {"footer": "x"})
    for message in (1, 2):  # told by what it was decided, whatever the list has become
        [story] = await told(core, message)
        assert (story.revision, story.lists) == (2, ((row["id"], 2),))


async def test_the_first_of_its_duplicates_that_is_refused_late_gives_its_place_away(
    core: House, street: Street
) -> None:
    strict, free = await core.mapping(), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, "a long sale of many words"))
    await core.hear(post(1, "a long sale of many words", chat=OTHER))
    assert await core.states(free) == [(1, "duplicate")]
    await rule(core, strict)
    await street.carrier(street.sender(USER)).carry(strict)
    assert await core.states(free) == [(1, "queued")]


async def test_an_edit_that_is_refused_leaves_the_copy_and_says_so(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await rule(core, mapping)
    heard = post(1)
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    await core.hear(Edited(replace(heard, text="sale", edit_date=heard.date + timedelta(minutes=1))))
    await street.carrier(sender).carry(mapping)
    assert sender.edits == []
    [sent, edit] = await told(core, 1)
    assert (sent.state, edit.state, edit.reason, edit.words) == ("sent", "filtered", "denied", ("sale",))
    await core.hear(Edited(replace(heard, text="fine", edit_date=heard.date + timedelta(minutes=2))))
    await street.carrier(sender).carry(mapping)
    assert [one.text for one in sender.edits] == ["fine"]


async def test_an_edit_of_a_post_that_was_filtered_leaves_it_filtered(core: House) -> None:
    mapping = await core.mapping()
    await rule(core, mapping)
    heard = post(1, "sale")
    await core.hear(heard)
    await core.hear(Edited(replace(heard, text="fine", edit_date=heard.date + timedelta(minutes=1))))
    assert await core.states(mapping) == [(1, "filtered")]
    assert await core.states(mapping, "edit") == []


FRAGILE: list[dict[str, Any]] = [
    NO_SALE,
    {"name": "no cats", "replace": {"words": ["cat"], "with": "dog"}},
    {"name": "below", "footer": "the end"},
    {"name": "in two", "too_long": "split"},
    {"name": "later", "delay": 1},
]
FILTER = ("forwarder.rules.conditions.AnyWord.holds", "no sale")
CHANGE = ("forwarder.rules.changes.ReplaceWords.apply", "no cats")
FRAME = ("forwarder.rules.templates.Template.fill", "below")
FITTING = ("forwarder.rules.fitting.with_few", "no cats, below")
TIME = ("forwarder.services.judging.when", "later")
WHOLE = ("forwarder.services.judging.rewrite_of", "no cats, below")  # where no single rule can be named


def break_it(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("secret words")

    monkeypatch.setattr(what, broken)


def without_secrets(logs: Any) -> bool:
    return "secret" not in str(logs)


@pytest.mark.parametrize(("what", "name"), [FILTER, CHANGE, FRAME, FITTING])
async def test_a_rule_that_breaks_at_hearing_fails_the_post_by_its_name_and_no_other_mappings(
    core: House, monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:
    mapping, other = await core.mapping(), await core.mapping(NEWS, ARCHIVE)
    await rule(core, mapping, *FRAGILE)
    break_it(monkeypatch, what)
    with structlog.testing.capture_logs() as logs:
        await core.hear(post(1, "secret words of a cat"))
    assert await core.states(mapping) == [(1, "failed")]
    assert await core.states(other) == [(1, "queued")]
    story, _ = await told(core, 1)
    assert (story.reason, story.rule) == ("rule_failed", name)
    assert without_secrets(logs)


@pytest.mark.parametrize(("what", "name"), [FILTER, CHANGE, FRAME, FITTING, TIME, WHOLE])
async def test_a_rule_that_breaks_at_sending_fails_the_post_by_its_name_and_sends_nothing(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping, *FRAGILE)
    await core.hear(post(1, "secret words of a cat", date=datetime.now(UTC) - timedelta(minutes=2)))
    break_it(monkeypatch, what)
    with structlog.testing.capture_logs() as logs:
        await street.carrier(street.sender(USER)).carry(mapping)
    assert (street.chat.arrived, await core.states(mapping)) == ([], [(1, "failed")])
    [story] = await told(core, 1)
    assert (story.reason, story.rule) == ("rule_failed", name)
    assert without_secrets(logs)


@pytest.mark.parametrize(("what", "name"), [FILTER, CHANGE, FRAME, FITTING])
async def test_a_rule_that_breaks_on_an_edit_fails_it_by_its_name_and_leaves_the_copy(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping, *FRAGILE)
    heard = post(1, "a cat", date=datetime.now(UTC) - timedelta(minutes=2))
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    break_it(monkeypatch, what)
    with structlog.testing.capture_logs() as logs:
        await core.hear(Edited(replace(heard, text="secret words of a cat", edit_date=datetime.now(UTC))))
        await street.carrier(sender).carry(mapping)
    assert sender.edits == []
    sent, edit = await told(core, 1)
    assert (sent.state, edit.state, edit.reason, edit.rule) == ("sent", "failed", "rule_failed", name)
    assert without_secrets(logs)


async def test_rules_of_time_are_not_asked_about_edits(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping, FRAGILE[-1])
    heard = post(1, "a cat", date=datetime.now(UTC) - timedelta(minutes=2))
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    break_it(monkeypatch, TIME[0])
    await core.hear(Edited(replace(heard, text="a dog", edit_date=datetime.now(UTC))))
    await street.carrier(sender).carry(mapping)
    assert [one.text for one in sender.edits] == ["a dog"]


@pytest.mark.parametrize(
    ("written", "by"),
    [({"rules": [{"deny": {"regex": "("}}]}, "rules[1].deny.regex"), (["nonsense"], "rules")],
)
async def test_rules_that_cannot_be_gone_by_let_nothing_through(
    core: House, street: Street, written: object, by: str
) -> None:
    mapping, other = await core.mapping(), await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1))
    await core.keep_rules(mapping, written)
    await core.hear(post(2))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.arrived == []
    for message in (1, 2):
        [story] = [one for one in await told(core, message) if one.mapping_id == mapping]
        assert (story.reason, story.rule, story.owner) == ("rules_unreadable", by, f"mapping:{mapping}")
    assert await core.states(other) == [(1, "queued"), (2, "queued")]
    await core.keep_rules(mapping, {})
    await core.run("update deliveries set state = 'queued', done_at = null, epoch = epoch + 1")
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]


# --- when


async def waits(core: House, mapping: int) -> list[tuple[str, str | None, int | None]]:
    """State, reason and minutes left of each delivery."""
    rows = await core.run(
        "select state, reason, round(extract(epoch from not_before - clock_timestamp()) / 60)::int as minutes"
        " from deliveries where mapping_id = :mapping order by position",
        mapping=mapping,
    )
    return [(row["state"], row["reason"], row["minutes"]) for row in rows]


async def test_a_delayed_post_waits_with_its_reason_and_those_behind_it_follow_in_order(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping, {"delay": 10})
    await core.hear(post(1), post(2, date=datetime.now(UTC) - timedelta(minutes=30)))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await waits(core, mapping) == [("queued", "delay", 10), ("queued", None, None)]
    assert street.chat.arrived == []
    await core.run("update messages set date = date - interval '11 minutes'")
    await street.due_now()
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]


async def test_in_quiet_hours_posts_wait_and_go_when_the_rule_is_removed(core: House, street: Street) -> None:
    mapping = await core.mapping()
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=2), now + timedelta(hours=2)
    await rule(core, mapping, {"quiet": {"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}", "zone": "UTC"}})
    await core.hear(post(1))
    await street.carrier(street.sender(USER)).carry(mapping)
    [(state, reason, minutes)] = await waits(core, mapping)
    assert (state, reason) == ("queued", "quiet")
    assert minutes is not None
    assert 118 <= minutes <= 120
    await RuleService(core.db).remove(Owner("mapping", mapping), 1)
    assert await street.queue.relay() == 1
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


@pytest.mark.parametrize(("rest", "state"), [("wait", "queued"), ("withdraw", "withdrawn")])
async def test_what_is_more_than_the_days_number_waits_for_tomorrow_or_is_withdrawn(
    core: House, street: Street, rest: str, state: str
) -> None:
    mapping = await core.mapping()
    await rule(core, mapping, {"at_most": {"a_day": 2, "rest": rest, "zone": "UTC"}})
    await core.hear(*(post(number) for number in range(1, 5)))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    third = (await waits(core, mapping))[2]
    assert third[:2] == (state, "at_most")
    if rest == "withdraw":
        [story] = await told(core, 3)
        assert (story.reason, story.rule) == ("at_most", "at_most #1")
    await core.run("update deliveries set done_at = done_at - interval '1 day' where state = 'sent'")
    await street.due_now()
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == ([1, 2, 3, 4] if rest == "wait" else [1, 2])
