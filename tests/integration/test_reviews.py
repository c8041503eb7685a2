"""Posts that wait for somebody's word: nothing goes without it, and one word counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from forwarder.cli.root import cli
from forwarder.errors import NotFound
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Deleted, Edited
from forwarder.services import reviewing
from forwarder.services.mappings import MappingService
from forwarder.services.reviews import Card, ReviewService, Said
from forwarder.services.rules import Owner, RuleService
from forwarder.services.telling import HeldForReview, NoticeService
from tests.builders import DIGEST, NEWS, OTHER, House, album, post
from tests.integration.carriers import Street

USER = AccountKind.USER
REVIEW = {"review": {"hours": 5, "then": "withdraw"}}
OR_SEND = {"review": {"hours": 5, "then": "send"}}


async def rule(core: House, mapping: int, *rules: dict[str, Any]) -> None:
    for one in rules or (REVIEW,):
        await RuleService(core.db).add(Owner("mapping", mapping), one)


async def reviewed(core: House, *rules: dict[str, Any], source: int = NEWS) -> int:
    mapping = await core.mapping(source)
    await rule(core, mapping, *rules)
    return mapping


async def outcomes(core: House, mapping: int) -> list[tuple[int, str, str | None]]:
    return [(row["position"], row["state"], row["reason"]) for row in await core.deliveries(mapping)]


async def waiting(core: House, mapping: int | None = None) -> tuple[Card, ...]:
    return (await ReviewService(core.db, stored_parts).list(mapping, 0, 100)).items


async def give(core: House, message: int, *, approve: bool = True, mapping: int | None = None) -> None:
    [card] = [card for card in await waiting(core, mapping) if card.message_id == message]
    answer = await ReviewService(core.db, stored_parts).decide(
        card.delivery_id, approve=approve, stamp=card.stamp
    )
    assert answer.said is Said.DONE


async def test_who_decides_sees_the_post_as_the_rules_make_it(core: House) -> None:
    footer = {"footer": "— seen by us"}
    mapping = await reviewed(core, REVIEW, footer, {"too_long": "split"})
    long = ("word " * 819).strip()
    await core.hear(post(1, "a cat"), post(2, long), *album("a", 3, 4))
    await core.hear(post(5))
    texts = [(card.text, card.changed) for card in await waiting(core, mapping)]
    assert texts[0] == ("a cat\n\n— seen by us", True)
    assert texts[1] == (f"{long}\n\n— seen by us", True)
    plain = await reviewed(core, REVIEW, source=OTHER)
    await core.hear(post(1, "a dog", chat=OTHER))
    assert [(card.text, card.changed) for card in await waiting(core, plain)] == [("a dog", False)]


async def expire(core: House, hours: float = 6) -> int:
    await core.run(
        "update deliveries set not_before = not_before - make_interval(secs => :secs) where state = 'held'",
        secs=hours * 3600,
    )
    await core.run("update reviews set asked_at = asked_at - make_interval(secs => :s)", s=hours * 3600)
    async with core.db.begin() as session:
        return (await reviewing.expire(session))[0]


async def test_a_post_waits_until_it_is_approved_and_only_then_goes(core: House, street: Street) -> None:
    mapping = await reviewed(core)
    received = await core.hear(post(1, "words"))
    assert received.due == []
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.arrived == []
    [card] = await waiting(core, mapping)
    assert (card.message_id, card.text, card.parts, card.sends) == (1, "words", 1, False)
    assert timedelta(hours=4.9) < card.until - datetime.now(UTC) < timedelta(hours=5.1)
    await give(core, 1)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]
    assert await waiting(core) == ()


async def test_a_rejected_post_never_goes_and_says_so(core: House, street: Street) -> None:
    mapping = await reviewed(core)
    await core.hear(post(1))
    await give(core, 1, approve=False)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await outcomes(core, mapping) == [(1, "withdrawn", "rejected")]
    assert street.chat.arrived == []


async def test_what_waits_holds_up_nobody_and_what_is_approved_goes_in_order(
    core: House, street: Street
) -> None:
    mapping = await reviewed(core)
    await core.hear(*(post(n) for n in range(1, 5)))
    await give(core, 3)
    await give(core, 2)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [2, 3]
    await give(core, 1)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [2, 3, 1]
    assert [card.message_id for card in await waiting(core)] == [4]


async def test_two_taps_at_once_are_one_decision(core: House) -> None:
    mapping = await reviewed(core)
    await core.hear(*(post(n) for n in range(1, 9)))
    service = ReviewService(core.db, stored_parts)
    for card in await waiting(core):
        answers = await asyncio.gather(
            *(service.decide(card.delivery_id, approve=n % 2 == 0, actor=n) for n in range(6))
        )
        [first] = [answer for answer in answers if answer.said is Said.DONE]
        others = [answer for answer in answers if answer.said is not Said.DONE]
        assert {(answer.said, answer.approved) for answer in others} == {(Said.BEFORE, first.approved)}
        [row] = await core.run("select approved from reviews where delivery_id = :id", id=card.delivery_id)
        assert row["approved"] is first.approved
    assert {state for _, state in await core.states(mapping)} <= {"queued", "withdrawn"}
    entries = await core.run(
        "select 1 from audit_log where action like 'review.%' and subject = :subject",
        subject=f"mapping:{mapping}",
    )
    assert len(entries) == 8


@pytest.mark.parametrize(
    ("written", "state", "reason", "goes"),
    [(REVIEW, "withdrawn", "review_expired", []), (OR_SEND, "sent", None, [1])],
)
async def test_what_nobody_answers_expires_as_the_rule_says(
    core: House, street: Street, written: dict[str, Any], state: str, reason: str | None, goes: list[int]
) -> None:
    mapping = await reviewed(core, written)
    await core.hear(post(1))
    assert await expire(core, hours=4) == 0
    assert await core.states(mapping) == [(1, "held")]
    assert await expire(core, hours=2) == 1
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await outcomes(core, mapping) == [(1, state, reason)]
    assert street.chat.posts(DIGEST) == goes
    assert await expire(core) == 0


async def test_an_old_post_has_its_hours_from_when_it_is_asked_about(core: House, street: Street) -> None:
    mapping = await reviewed(core)
    await core.hear(post(1, date=datetime.now(UTC) - timedelta(minutes=50)))
    await core.run("update messages set date = date - interval '3 years'")
    await core.run("update deliveries set state = 'queued', reason = null, not_before = null")
    await core.run("delete from reviews")
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await outcomes(core, mapping) == [(1, "held", "review")]
    [card] = await waiting(core)
    assert card.until > datetime.now(UTC) + timedelta(hours=4)


async def test_a_rule_that_came_while_posts_waited_has_each_of_them_reviewed(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    await rule(core, mapping)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.arrived == []
    assert [card.message_id for card in await waiting(core)] == [1, 2]
    [notice] = await core.run("select version, kind from notices")
    assert notice["kind"] == "review"


async def test_an_edit_while_a_post_waits_is_what_people_see_and_decide_about(
    core: House, street: Street
) -> None:
    mapping = await reviewed(core)
    heard = post(1, "before")
    await core.hear(heard)
    [seen] = await waiting(core)
    await core.hear(Edited(replace(heard, text="after", edit_date=heard.date + timedelta(minutes=1))))
    service = ReviewService(core.db, stored_parts)
    answer = await service.decide(seen.delivery_id, approve=True, stamp=seen.stamp)
    assert answer.said is Said.EDITED
    assert await core.states(mapping) == [(1, "held")]
    [now] = await waiting(core)
    assert now.text == "after"
    await give(core, 1)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_a_post_that_is_edited_after_it_was_approved_and_before_it_went_is_asked_about_anew(
    core: House, street: Street
) -> None:
    mapping = await reviewed(core, REVIEW, {"delay": 10})
    heard = post(1, "before")
    await core.hear(heard)
    await give(core, 1)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert (await outcomes(core, mapping))[0][2] == "delay"
    await core.hear(Edited(replace(heard, text="after", edit_date=heard.date + timedelta(minutes=1))))
    await core.run("update messages set date = date - interval '11 minutes'")
    await street.due_now()
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await outcomes(core, mapping) == [(1, "held", "review")]
    [card] = await waiting(core)
    assert card.text == "after"
    assert card.until > datetime.now(UTC) + timedelta(hours=4)
    await give(core, 1)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_a_post_that_is_deleted_at_its_source_waits_no_longer(core: House) -> None:
    mapping = await reviewed(core)
    await core.hear(post(1))
    [card] = await waiting(core)
    await core.hear(Deleted(NEWS, (1,)))
    assert await outcomes(core, mapping) == [(1, "withdrawn", "deleted_at_source")]
    assert await waiting(core) == ()
    answer = await ReviewService(core.db, stored_parts).decide(card.delivery_id, approve=True)
    assert (answer.said, answer.approved, answer.reason) == (Said.BEFORE, None, "deleted_at_source")
    assert await expire(core) == 0
    assert await core.run("select 1 from reviews") == []


async def test_a_rejected_first_copy_gives_its_place_to_the_next(core: House) -> None:
    first, second = await reviewed(core), await core.mapping(OTHER)
    await core.hear(post(1, "the same words"))
    await core.hear(post(1, "the same words", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]
    rung: list[int] = []

    async def ring(lanes: Any) -> None:
        rung.extend(lanes)

    [card] = await waiting(core, first)
    await ReviewService(core.db, stored_parts, ring).decide(card.delivery_id, approve=False)
    assert await core.states(second) == [(1, "queued")]
    assert sorted(rung) == sorted([first, second])


async def test_what_is_approved_in_a_paused_mapping_goes_when_it_is_resumed(
    core: House, street: Street
) -> None:
    mapping = await reviewed(core)
    await core.hear(post(1))
    service = MappingService(core.db)
    await service.pause(mapping)
    assert await outcomes(core, mapping) == [(1, "held", "review")]
    await give(core, 1)
    assert await outcomes(core, mapping) == [(1, "held", "paused")]
    await service.resume(mapping, send=True)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_when_the_rule_is_removed_what_waited_goes_and_other_hours_count_from_the_beginning(
    core: House, street: Street
) -> None:
    mapping = await reviewed(core)
    await core.hear(post(1))
    longer = {"rules": [{"review": {"hours": 20}}]}
    await RuleService(core.db).replace(Owner("mapping", mapping), longer)
    [card] = await waiting(core)
    assert card.until > datetime.now(UTC) + timedelta(hours=19)
    await RuleService(core.db).remove(Owner("mapping", mapping), 1)
    assert await waiting(core) == ()
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_filters_are_asked_first_and_nobody_reviews_what_they_refuse(core: House) -> None:
    mapping = await reviewed(core, REVIEW, {"deny": {"words": ["sale"]}})
    await core.hear(post(1, "sale"), post(2))
    assert [card.message_id for card in await waiting(core)] == [2]
    assert await core.states(mapping) == [(1, "filtered"), (2, "held")]


async def test_an_album_waits_whole_and_shows_its_caption(core: House) -> None:
    mapping = await reviewed(core)
    first, second, *others = album("a", 1, 2, 3)
    await core.hear(first, replace(second, text="caption"), *others, post(4))
    await core.settle()
    album_card, single = await waiting(core, mapping)
    assert (album_card.parts, album_card.kind, album_card.text) == (3, "photo", "caption")
    assert single.message_id == 4


async def test_owners_are_told_once_of_all_that_waits_and_not_of_what_is_decided(core: House) -> None:
    mapping = await reviewed(core)
    service = NoticeService(core.db, [5], stored_parts)
    await core.hear(post(1, "first words"), post(2))
    assert await service.due() == ()  # what comes together is told together
    await core.run("update notices set not_before = null")
    [notice] = await service.due()
    assert isinstance(notice.matter, HeldForReview)
    assert (notice.matter.mapping.id, notice.matter.number, notice.matter.first.text) == (
        mapping,
        2,
        "first words",
    )
    await ReviewService(core.db, stored_parts).decide_all(mapping, approve=True)
    assert await service.due() == ()
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]


async def test_more_that_comes_within_a_minute_of_the_notice_is_told_after_it(core: House) -> None:
    await reviewed(core)
    service = NoticeService(core.db, [5], stored_parts)
    await core.hear(post(1))
    await core.run("update notices set not_before = null")
    [notice] = await service.due()
    await core.hear(post(2))
    await service.close(notice)
    assert await service.due() == ()
    seconds = await service.due_in()
    assert seconds is not None
    assert 50 < seconds <= 60


async def test_many_that_wait_come_in_pages(core: House) -> None:
    mapping = await reviewed(core)
    await core.hear(*(post(n) for n in range(1, 8)))
    service = ReviewService(core.db, stored_parts)
    page = await service.list(mapping, 1, 3)
    assert ([card.message_id for card in page.items], page.page, page.pages, page.total) == (
        [4, 5, 6],
        1,
        3,
        7,
    )
    last = await service.list(None, 99, 3)
    assert ([card.message_id for card in last.items], last.page) == ([7], 2)
    assert await service.count() == 7


async def test_what_was_never_asked_about_is_refused_with_a_sentence(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    [row] = await core.deliveries(mapping)
    for number in (row["id"], 12345):
        with pytest.raises(NotFound) as refused:
            await ReviewService(core.db, stored_parts).decide(number, approve=True)
        assert refused.value.code == "review_not_found"


async def test_the_word_is_given_from_the_command_line(
    core: House, module_database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await reviewed(core)
    await core.hear(*(post(n, f"words of {n}") for n in range(1, 5)))
    first, second, third, _ = (card.delivery_id for card in await waiting(core))
    for name, value in (("DATABASE_URL", module_database_url), ("REDIS_URL", redis_db), ("ENV_FILE", "")):
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> tuple[int, list[str]]:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["review", *arguments])
        return result.exit_code, result.output.splitlines()

    status, listed = await run("list")
    assert status == 0
    assert [line.split("\t")[0] for line in listed[1:3]] == [str(first), str(second)]
    assert listed[1].split("\t")[-2:] == ["left out", "words of 1"]
    assert await run("approve", str(first), str(second)) == (
        0,
        [f"{first}: approved.", f"{second}: approved."],
    )
    status, said = await run("reject", str(first))
    assert (status, said) == (
        0,
        [f"{first}: Already approved by the command line, or because time ran out."],
    )
    assert await run("reject", "--mapping", str(mapping)) == (0, [f"Mapping {mapping}: 2 posts rejected."])
    status, said = await run("approve", str(third))
    assert "Already rejected" in said[0]
    assert [state for _, state in await core.states(mapping)] == [
        "queued",
        "queued",
        "withdrawn",
        "withdrawn",
    ]
    status, said = await run("approve")
    assert (status, "their numbers from `review list`" in said[-1]) == (2, True)
    status, said = await run("approve", "99999999")
    assert (status, "No post number 99999999 waits" in said[-1]) == (1, True)
    status, said = await run("list", "99999999")
    assert (status, "There is no mapping #99999999" in said[-1]) == (1, True)
