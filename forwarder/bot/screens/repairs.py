"""Taking posts back, and comparing a mapping with its destination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from forwarder.bot.cb import OpenMapping, Press
from forwarder.bot.keyboards import rows
from forwarder.bot.repair_presses import AuditMapping, MendMapping, TakeBackPost, TakeBackRecent
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.comparing.mending import Mended
from forwarder.comparing.report import Audit
from forwarder.errors import AccountNotReady
from forwarder.models import MappingState
from forwarder.services.takeback import Takeback

MINUTES = (5, 30, 120)
HOURS = (1, 24, 168)
SHOWN = 10


async def take_back_post(visit: Visit, press: TakeBackPost) -> None:
    visit.must_change()
    found = await visit.services.takeback.of_delivery(press.delivery_id)
    await take_back(visit, found, TakeBackPost(press.delivery_id, sure=True), sure=press.sure)


async def take_back_recent(visit: Visit, press: TakeBackRecent) -> None:
    visit.must_change()
    number = press.mapping_id
    if not press.minutes:
        choices: list[tuple[str, Press]] = [
            (visit.texts.plain("button.minutes", n=minutes), TakeBackRecent(number, minutes))
            for minutes in MINUTES
        ]
        await ask(visit, visit.texts("takeback.ask.minutes", number=number), choices, number)
        return
    found = await visit.services.takeback.of_minutes(number, press.minutes, press.until)
    confirmed = TakeBackRecent(number, press.minutes, sure=True, until=found.until)
    await take_back(visit, found, confirmed, sure=press.sure)


async def take_back(visit: Visit, found: Takeback, confirmed: Press, *, sure: bool) -> None:
    texts = visit.texts
    if sure:
        taken = await visit.services.takeback.carry_out(found, actor=visit.actor)
        await visit.show(Screen(texts("takeback.done", n=taken)))
        return
    lines = [
        texts(
            f"takeback.line.{one.state}" if one.state is not MappingState.ACTIVE else "takeback.line",
            number=one.mapping_id,
            destination=one.destination.title,
            n=one.copies,
        )
        for one in found.affected[:SHOWN]
    ]
    if len(found.affected) > SHOWN:
        lines.append(texts("new.more", n=len(found.affected) - SHOWN))
    title = texts("takeback.ask", n=found.copies, unsent=found.unsent)
    sure_button = (
        [(texts.plain("button.takeback_sure"), confirmed)] if found.deliveries else None
    )  # what only disabled mappings have sent cannot be taken back by us
    await visit.show(Screen(texts.lines(title, "", *lines), rows(sure_button)))


async def audit(visit: Visit, press: AuditMapping) -> None:
    number = press.mapping_id
    if not press.hours:
        choices: list[tuple[str, Press]] = [
            (visit.texts.plain("button.hours", n=hours), AuditMapping(number, hours)) for hours in HOURS
        ]
        await ask(visit, visit.texts("audit.ask", number=number), choices, number)
        return
    found = await compared(visit, number, press.hours)
    mends: list[tuple[str, Press]] = []
    if visit.person.may_change and not found.good:
        mends.append((visit.texts.plain("button.mend"), MendMapping(number, press.hours)))
        if extra := len(found.doubles) + len(found.strays):
            mends.append(
                (
                    visit.texts.plain("button.mend_delete", n=extra),
                    MendMapping(number, press.hours, delete=True),
                )
            )
    await ask(visit, told(visit.texts, found), mends, number)


async def mend(visit: Visit, press: MendMapping) -> None:
    visit.must_change()
    found = await compared(visit, press.mapping_id, press.hours)
    if visit.services.mender is None:
        raise not_set_up()
    mended = await visit.services.mender.mend(found, delete=press.delete, actor=visit.actor)
    await ask(visit, done(visit.texts, mended), [], press.mapping_id)


async def compared(visit: Visit, mapping_id: int, hours: int) -> Audit:
    if visit.services.auditor is None:
        raise not_set_up()
    await visit.show(Screen(visit.texts("audit.reading", number=mapping_id)))
    return await visit.services.auditor.audit(mapping_id, datetime.now(UTC) - timedelta(hours=hours))


def not_set_up() -> AccountNotReady:
    return AccountNotReady(
        "Reading chats again needs API_ID, API_HASH and a running `manage.py worker --user`."
    )


async def ask(visit: Visit, text: Html, choices: list[tuple[str, Press]], mapping_id: int) -> None:
    back: list[tuple[str, Press]] = [(visit.texts.plain("button.back"), OpenMapping(mapping_id, 0))]
    await visit.show(Screen(text, rows(*([choice] for choice in choices), back)))


def told(texts: Texts, found: Audit) -> Html:
    counts = (
        ("partial", found.partial),
        ("stray", found.strays),
        ("stale", found.stale),
        ("unrecorded", found.unrecorded),
    )
    return texts.lines(
        texts("audit.title", number=found.terms.mapping_id),
        texts(
            "audit.counts",
            posts=found.posts,
            copies=found.copies,
            missing=len(found.missing),
            doubles=len(found.doubles),
        ),
        *(texts(f"audit.{what}", n=len(those)) for what, those in counts if those),
        texts("audit.waiting", n=found.waiting) if found.waiting else None,
        *(texts("audit.explained", n=n, reason=texts.reason(code)) for code, n in found.explained.items()),
        texts("audit.good") if found.good else None,
    )


def done(texts: Texts, mended: Mended) -> Html:
    return texts.lines(
        texts(
            "audit.mended",
            queued=mended.queued,
            deleted=mended.deleted,
            edited=mended.edited,
            recorded=mended.recorded,
        ),
        texts("audit.repeats", n=mended.repeats) if mended.repeats else None,
        texts("audit.unheard", n=len(mended.unheard)) if mended.unheard else None,
    )
