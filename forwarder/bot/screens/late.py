"""Late posts: the question after an outage, and what a mapping does where its source is faster than its destination."""

from __future__ import annotations

from forwarder.bot.cb import (
    EVERY,
    AnswerOutage,
    OpenLate,
    OpenMapping,
    Press,
    SetAfterOutage,
    SetSkipAfter,
)
from forwarder.bot.keyboards import rows
from forwarder.bot.screens import mappings
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.models import AfterOutage
from forwarder.services.values import MappingView

HOURS = (1, 6, 24)


async def answer_outage(visit: Visit, press: AnswerOutage) -> None:
    visit.must_change()
    last = None if press.last == EVERY else press.last
    answered = await visit.services.late.answer_outage(press.mapping_id, last, actor=visit.actor)
    visit.alert(visit.texts.plain("outage.answered", sent=answered.sent, skipped=answered.skipped))
    await mappings.show(visit, await visit.services.mappings.get(press.mapping_id), 0)


async def open_late(visit: Visit, press: OpenLate) -> None:
    await show(visit, await visit.services.mappings.get(press.mapping_id), press.page)


async def set_after_outage(visit: Visit, press: SetAfterOutage) -> None:
    visit.must_change()
    late = visit.services.late
    await show(visit, await late.after_outage(press.mapping_id, press.policy, actor=visit.actor), press.page)


async def set_skip_after(visit: Visit, press: SetSkipAfter) -> None:
    visit.must_change()
    late = visit.services.late
    await show(
        visit, await late.skip_after(press.mapping_id, press.hours or None, actor=visit.actor), press.page
    )


async def show(visit: Visit, mapping: MappingView, page: int) -> None:
    texts, number = visit.texts, mapping.id
    policies: list[tuple[str, Press]] = [
        (
            ticked(texts.plain(f"button.after_outage.{policy}"), policy is mapping.settings.after_outage),
            SetAfterOutage(number, policy, page),
        )
        for policy in AfterOutage
    ]
    hours: list[tuple[str, Press]] = [
        (
            ticked(texts.plain("button.skip_after", n=n), n == mapping.settings.skip_hours),
            SetSkipAfter(number, n, page),
        )
        for n in HOURS
    ]
    catch_up = ticked(texts.plain("button.catch_up"), mapping.settings.skip_hours is None)
    await visit.show(
        Screen(
            texts.lines(
                texts(
                    "late", number=number, source=mapping.source.title, destination=mapping.destination.title
                ),
                "",
                texts(f"late.after_outage.{mapping.settings.after_outage}"),
                lag_line(texts, mapping),
            ),
            rows(
                policies if visit.person.may_change else None,
                [(catch_up, SetSkipAfter(number, 0, page))] if visit.person.may_change else None,
                hours if visit.person.may_change else None,
                [(texts.plain("button.back"), OpenMapping(number, page))],
            ),
        )
    )


def lag_line(texts: Texts, mapping: MappingView) -> Html:
    hours = mapping.settings.skip_hours
    return texts("late.catch_up") if hours is None else texts("late.skip", n=hours)


def ticked(label: str, on: bool) -> str:
    return f"✓ {label}" if on else label
