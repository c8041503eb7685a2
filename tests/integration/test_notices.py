"""Who must be told of what: left with what it tells of, addressed to who can act, told once, forgotten when over."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.ingest.rows import stored_parts
from forwarder.intake import Intake
from forwarder.message import AccountKind, Deleted, SendOrder
from forwarder.models import Language, NoticeKind, Role, User
from forwarder.services.accounts import AccountService
from forwarder.services.mappings import MappingService, pause_by_program
from forwarder.services.notices import leave
from forwarder.services.telling import (
    AccountStopped,
    Addressee,
    HeldUnsure,
    MappingPaused,
    NoticeService,
    Quarantined,
)
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import ScriptedFinder, Street

BOT, USER = AccountKind.BOT, AccountKind.USER
OWNER, ADMIN, QUIET = 51, 52, 53
FORBIDDEN = TelegramError("CHAT_WRITE_FORBIDDEN", code=403)


async def person(core: House, number: int, language: Language = Language.EN, **values: object) -> None:
    async with core.db.begin() as session:
        await session.execute(insert(User).values(telegram_id=number, language=language, **values))


def notices_of(core: House) -> NoticeService:
    return NoticeService(core.db, [ADMIN, QUIET], stored_parts)


async def owned(core: House, owner: int | None = OWNER) -> int:
    """A mapping of somebody's, which an error has paused."""
    mapping = await core.mapping(created_by=owner)
    async with core.db.begin() as session:
        await pause_by_program(session, mapping, "topic_closed")
    return mapping


async def kinds(core: House) -> list[tuple[str, int, str]]:
    rows = await core.run("select kind, subject, reason from notices where done_at is null order by id")
    return [(row["kind"], row["subject"], row["reason"]) for row in rows]


async def test_a_permanent_error_leaves_one_notice_with_the_pause(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(FORBIDDEN)
    await street.carrier(sender).carry(mapping)
    assert await kinds(core) == [("mapping_paused", mapping, "no_right_to_post")]
    [notice] = await notices_of(core).due()
    assert isinstance(notice.matter, MappingPaused)
    assert (notice.matter.mapping.reason, notice.matter.held) == ("no_right_to_post", 2)


async def test_a_pause_that_is_undone_tells_nobody(core: House) -> None:
    mapping = await core.mapping()

    async def undone() -> None:
        async with core.db.begin() as session:
            await pause_by_program(session, mapping, "topic_closed")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await undone()
    assert await kinds(core) == []


async def test_a_persons_pause_is_no_news(core: House) -> None:
    mapping = await core.mapping()
    await MappingService(core.db).pause(mapping, actor=OWNER)
    assert await kinds(core) == []


@pytest.mark.parametrize(("state", "reason"), [("disabled", None), ("paused", "paused")])
async def test_a_late_error_does_not_change_what_a_person_decided(
    core: House, street: Street, state: str, reason: str | None
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)

    async def decided_meanwhile(_: SendOrder) -> None:
        service = MappingService(core.db)
        await (service.disable(mapping) if state == "disabled" else service.pause(mapping))
        raise FORBIDDEN

    sender.before.append(decided_meanwhile)
    await street.carrier(sender).carry(mapping)
    [row] = await core.run("select state, reason from mappings where id = :id", id=mapping)
    assert (row["state"], row["reason"]) == (state, reason)
    assert await kinds(core) == []


async def test_the_owner_is_told_in_their_language_and_administrators_stand_in(core: House) -> None:
    await person(core, OWNER, Language.RU)
    await person(core, QUIET, alerts=False)
    await owned(core)
    [notice] = await notices_of(core).due()
    assert notice.people == (Addressee(OWNER, Language.RU),)
    assert notice.deputies == (Addressee(ADMIN, Language.EN),)


@pytest.mark.parametrize("owner", [None, 99, OWNER])
async def test_without_an_owner_who_may_act_administrators_are_told(core: House, owner: int | None) -> None:
    await person(core, OWNER, role=Role.VIEWER)
    await person(core, ADMIN, Language.RU)
    await person(core, QUIET, alerts=False)
    await owned(core, owner)
    [notice] = await notices_of(core).due()
    assert notice.people == (Addressee(ADMIN, Language.RU),)


async def test_what_is_over_before_it_was_told_is_not_told(core: House) -> None:
    mapping = await owned(core)
    await MappingService(core.db).resume(mapping, send=True)
    assert await notices_of(core).due() == ()
    assert await kinds(core) == []


async def test_a_notice_is_told_once_and_a_new_pause_anew(core: House) -> None:
    mapping = await owned(core)
    service = notices_of(core)
    [notice] = await service.due()
    await service.told(notice, ADMIN)
    [again] = await service.due()
    assert again.told == {ADMIN}
    await service.close(again)
    assert await service.due() == ()
    await MappingService(core.db).resume(mapping, send=True)
    async with core.db.begin() as session:
        await pause_by_program(session, mapping, "topic_closed")
    [new] = await service.due()
    assert new.told == frozenset()


async def test_what_happens_while_a_notice_is_told_is_told_too_after_a_quiet_time(core: House) -> None:
    async def trouble() -> None:
        async with core.db.begin() as session:
            await leave(session, NoticeKind.QUARANTINED, core.bot)

    await core.run("insert into quarantine (account_id, raw, error) values (:a, 'x', 'x')", a=core.bot)
    service = notices_of(core)
    await trouble()
    [notice] = await service.due()
    await trouble()
    await service.told(notice, ADMIN)
    await service.close(notice)
    assert await service.due() == ()
    assert 500 < (await service.due_in() or 0) <= 600
    await core.run("update notices set not_before = clock_timestamp()")
    [later] = await service.due()
    assert later.told == frozenset()
    await service.close(later)
    await trouble()
    assert await service.due() == (), "the next word comes after the quiet time"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (TelegramError("PEER_FLOOD"), "stopped"),
        (TelegramError("AUTH_KEY_UNREGISTERED", code=401), "signed_out"),
    ],
)
async def test_an_account_that_is_stopped_is_told_of_once(
    core: House, street: Street, error: TelegramError, state: str
) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1))
    for mapping in (first, second):
        sender = street.sender(USER)
        sender.before.append(error)
        await street.carrier(sender, holder=f"w{mapping}").carry(mapping)
    [notice] = await notices_of(core).due()
    assert isinstance(notice.matter, AccountStopped)
    assert (notice.matter.account.id, notice.matter.account.state) == (core.user, state)
    service = AccountService(core.db)
    await service.stop(core.user, "session_lost", signed_out=True)
    assert len(await kinds(core)) == 1
    await service.start(core.user, actor=ADMIN)
    assert await notices_of(core).due() == ()


async def test_held_posts_of_unknown_outcome_are_told_of_and_settled(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1))
    sender = street.sender(BOT)
    sender.after.append(OutcomeUnknown("DISCONNECTED"))
    blind = ScriptedFinder(street.chat, error=AccountNotReady("nobody can read the destination"))
    carrier = street.carrier(sender, finder=blind)
    await carrier.carry(mapping)
    await street.called_long_ago()
    await street.due_now()
    await carrier.carry(mapping)
    [notice] = await notices_of(core).due()
    assert isinstance(notice.matter, HeldUnsure)
    assert (notice.matter.number, notice.matter.posts) == (1, (1,))

    assert await MappingService(core.db).settle_unsure(mapping, again=False) == 1
    assert await core.states(mapping) == [(1, "sent")]
    assert await notices_of(core).due() == ()


@pytest.mark.parametrize(("paused", "state"), [(False, "queued"), (True, "held")])
async def test_posts_of_unknown_outcome_are_sent_again_as_new_ones(
    core: House, paused: bool, state: str
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1))
    await core.set_state(mapping, "held", reason="unsure", unsettled=True)
    service = MappingService(core.db)
    if paused:
        await service.pause(mapping)
    await service.settle_unsure(mapping, again=True)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["epoch"], row["unsettled"]) == (state, 1, False)


@pytest.mark.parametrize("again", [False, True])
async def test_a_word_about_posts_of_unknown_outcome_concerns_those_that_were_told(
    core: House, again: bool
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    unsure = "update deliveries set state = 'held', reason = 'unsure', unsettled = true, claimed_at = clock_timestamp()"
    await core.run(f"{unsure} where position = 2")
    async with core.db.begin() as session:
        await leave(session, NoticeKind.HELD_UNSURE, mapping, "unsure")
    [notice] = await notices_of(core).due()
    assert isinstance(notice.matter, HeldUnsure)
    # An older post of the source that a backfill brings later is none of those that were told.
    await core.run(f"{unsure} where position = 1")
    service = MappingService(core.db)
    assert await service.settle_unsure(mapping, again=again, until=notice.matter.until) == 1
    assert await core.states(mapping) == [(1, "held"), (2, "queued" if again else "sent")]
    await core.run(f"{unsure}, done_at = null where position = 2")
    assert await service.settle_unsure(mapping, again=again, until=notice.matter.until) == 0, (
        "it was sent again since"
    )


async def test_the_window_of_what_a_person_says_arrived_begins_then(core: House) -> None:
    words = "the same words"
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, words))
    # It waited for thirty hours before its call.
    await core.run("update fingerprints set until = clock_timestamp() - interval '6 hours'")
    await core.set_state(first, "held", reason="unsure", unsettled=True)
    assert await MappingService(core.db).settle_unsure(first, again=False) == 1
    await core.hear(post(1, words, chat=OTHER))
    assert (await core.states(first), await core.states(second)) == ([(1, "sent")], [(1, "duplicate")])


async def test_an_update_in_quarantine_is_told_of(core: House) -> None:
    async def ring(_: object) -> None: ...

    intake = Intake(core.db, core.ingest, core.bot, BOT, ring)
    await intake.quarantine(b"raw", ValueError("odd"))
    [notice] = await notices_of(core).due()
    assert isinstance(notice.matter, Quarantined)
    assert (notice.matter.number, notice.matter.account.id) == (1, core.bot)


async def test_telegrams_word_that_a_source_is_protected_holds_all_its_mappings(
    core: House, street: Street
) -> None:
    refused, other = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, OTHER, by=BOT)
    await core.hear(post(1))
    sender, bot = street.sender(USER), street.sender(BOT)
    sender.before.append(TelegramError("CHAT_FORWARDS_RESTRICTED", code=400))
    await street.carrier(sender).carry(refused)
    await street.carrier(bot, holder="w2").carry(other)
    assert bot.orders == [], "a bot could copy it, and must not"
    assert await kinds(core) == [
        ("mapping_paused", refused, "protected_content"),
        ("mapping_paused", other, "protected_content"),
    ]


@pytest.mark.parametrize(("state", "expected"), [("disabled", "duplicate"), ("paused", "held")])
async def test_an_heir_waits_with_its_mapping_and_a_disabled_one_inherits_nothing(
    core: House, state: str, expected: str
) -> None:
    first = await core.mapping(NEWS, DIGEST)
    second = await core.mapping(OTHER, DIGEST)
    third = await core.mapping(ARCHIVE, DIGEST)
    await core.hear(post(1, "the same words"))
    await core.hear(post(1, "the same words", chat=OTHER))
    await core.hear(post(1, "the same words", chat=ARCHIVE))
    await core.run("update mappings set state = :state where id = :id", state=state, id=second)
    await core.hear(Deleted(NEWS, (1,)))
    assert await core.states(first) == [(1, "withdrawn")]
    assert await core.states(second) == [(1, expected)]
    assert await core.states(third) == [(1, "queued" if state == "disabled" else "duplicate")]
