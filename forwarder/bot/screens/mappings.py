"""The list of mappings, and the card of one: pause, resume, disable."""

from __future__ import annotations

from forwarder.bot.cb import (
    DisableMapping,
    Held,
    NewMapping,
    OpenBackfill,
    OpenLate,
    OpenMapping,
    OpenMappings,
    OpenMenu,
    PauseMapping,
    Press,
    ResumeMapping,
    SettleUnsure,
)
from forwarder.bot.keyboards import LABEL, listed, outage_answers, pager, rows
from forwarder.bot.repair_presses import AuditMapping, TakeBackRecent
from forwarder.bot.review_presses import OpenReviews
from forwarder.bot.texts import Html, Texts, shortened
from forwarder.bot.visit import Screen, Visit
from forwarder.message import Route
from forwarder.models import MappingState
from forwarder.services.lag import Backlog
from forwarder.services.values import ChannelName, MappingCounts, MappingView, Trouble

PAGE = 8
TROUBLES = 3
FALLS_BEHIND = 20
"""Waiting posts from which it is worth a line: a minute's worth of a destination (20 a minute)."""

MARKS = {MappingState.ACTIVE: "▶️", MappingState.PAUSED: "⏸", MappingState.DISABLED: "⏹"}


async def open_mappings(visit: Visit, press: OpenMappings) -> None:
    texts = visit.texts
    of = press.channel_id or None
    found = await visit.services.mappings.list(press.page, PAGE, channel_id=of)
    title = texts("mappings", total=found.total) if found.total else texts("mappings.none")
    if of is not None:
        channel = await visit.services.channels.get(of)
        title = texts("mappings.of", title=channel.title, total=found.total)
    await visit.show(
        Screen(
            title,
            rows(
                *listed(found, label, lambda mapping: OpenMapping(mapping.id, found.page)),
                pager(found.page, found.pages, lambda page: OpenMappings(page, press.channel_id)),
                [(texts.plain("button.new_mapping"), NewMapping())] if visit.person.may_change else None,
                [(texts.plain("button.menu"), OpenMenu())],
            ),
        )
    )


def label(mapping: MappingView) -> str:
    half = (LABEL - 8) // 2
    source, destination = shortened(mapping.source.title, half), shortened(mapping.destination.title, half)
    return f"{MARKS[mapping.state]} {source} → {destination}"


async def open_mapping(visit: Visit, press: OpenMapping) -> None:
    await show(visit, await visit.services.mappings.get(press.mapping_id), press.page)


async def pause(visit: Visit, press: PauseMapping) -> None:
    visit.must_change()
    mapping = await visit.services.mappings.pause(press.mapping_id, actor=visit.actor)
    visit.alert(visit.texts.plain("mapping.paused"))
    await show(visit, mapping, press.page)


async def resume(visit: Visit, press: ResumeMapping) -> None:
    """Resume; where something was held meanwhile, ask first what to do with it."""
    visit.must_change()
    texts = visit.texts
    if press.held is Held.ASK:
        counts = await visit.services.mappings.counts(press.mapping_id)
        if counts.paused:
            await visit.show(ask_what_to_do(texts, press, counts))
            return
    send = press.held is not Held.SKIP
    await visit.services.channels.look_again(await visit.services.mappings.get(press.mapping_id))
    mapping = await visit.services.mappings.resume(press.mapping_id, send=send, actor=visit.actor)
    visit.alert(texts.plain("mapping.resumed"))
    await show(visit, mapping, press.page)


async def settle_unsure(visit: Visit, press: SettleUnsure) -> None:
    visit.must_change()
    await visit.services.mappings.settle_unsure(
        press.mapping_id, again=press.again, until=press.until, actor=visit.actor
    )
    visit.alert(visit.texts.plain("unsure.settled"))
    await show(visit, await visit.services.mappings.get(press.mapping_id), 0)


def ask_what_to_do(texts: Texts, press: ResumeMapping, counts: MappingCounts) -> Screen:
    number, page = press.mapping_id, press.page
    return Screen(
        texts("mapping.resume.ask", number=number, n=counts.paused),
        rows(
            [
                (texts.plain("button.send_held"), ResumeMapping(number, page, Held.SEND)),
                (texts.plain("button.skip_held"), ResumeMapping(number, page, Held.SKIP)),
            ],
            [(texts.plain("button.back"), OpenMapping(number, page))],
        ),
    )


async def disable(visit: Visit, press: DisableMapping) -> None:
    visit.must_change()
    texts = visit.texts
    if press.sure:
        mapping = await visit.services.mappings.disable(press.mapping_id, actor=visit.actor)
        visit.alert(texts.plain("mapping.disabled"))
        await show(visit, mapping, press.page)
        return
    mapping = await visit.services.mappings.get(press.mapping_id)
    counts = await visit.services.mappings.counts(press.mapping_id)
    await visit.show(
        Screen(
            texts(
                "mapping.disable.ask",
                number=mapping.id,
                source=mapping.source.title,
                destination=mapping.destination.title,
                n=counts.queued + counts.held,
            ),
            rows(
                [(texts.plain("button.disable_sure"), DisableMapping(mapping.id, press.page, sure=True))],
                [(texts.plain("button.back"), OpenMapping(mapping.id, press.page))],
            ),
        )
    )


async def show(visit: Visit, mapping: MappingView, page: int) -> None:
    counts = await visit.services.mappings.counts(mapping.id)
    troubles = await visit.services.mappings.troubles(mapping.id, TROUBLES)
    backlog = (await visit.services.late.backlogs([mapping.id]))[mapping.id]
    texts, change = visit.texts, visit.person.may_change
    buttons: list[tuple[str, Press]] = []
    if change and mapping.state is MappingState.ACTIVE:
        buttons.append((texts.plain("button.pause"), PauseMapping(mapping.id, page)))
    if change and mapping.state is MappingState.PAUSED:
        buttons.append((texts.plain("button.resume"), ResumeMapping(mapping.id, page)))
    if change and mapping.state is not MappingState.DISABLED:
        buttons.append((texts.plain("button.disable"), DisableMapping(mapping.id, page)))
    await visit.show(
        Screen(
            card_text(texts, mapping, counts, troubles, backlog),
            rows(
                *(outage_answers(texts, mapping.id, counts.outage) if change and counts.outage else ()),
                [(texts.plain("button.reviews", n=counts.review), OpenReviews(mapping.id))]
                if counts.review
                else None,
                buttons,
                [(texts.plain("button.backfill"), OpenBackfill(mapping.id, page))]
                if mapping.state is not MappingState.DISABLED
                else None,
                repairs_row(texts, mapping.id) if change else None,
                [
                    (texts.plain("button.late"), OpenLate(mapping.id, page)),
                    (texts.plain("button.refresh"), OpenMapping(mapping.id, page)),
                ],
                [
                    (texts.plain("button.back"), OpenMappings(page)),
                    (texts.plain("button.menu"), OpenMenu()),
                ],
            ),
        )
    )


def repairs_row(texts: Texts, mapping_id: int) -> list[tuple[str, Press]]:
    return [
        (texts.plain("button.audit"), AuditMapping(mapping_id)),
        (texts.plain("button.takeback_recent"), TakeBackRecent(mapping_id)),
    ]


def card_text(
    texts: Texts,
    mapping: MappingView,
    counts: MappingCounts,
    troubles: tuple[Trouble, ...],
    backlog: Backlog,
) -> Html:
    state = texts(f"mapping.state.{mapping.state}", reason=texts.reason(mapping.reason))
    remedy = texts.remedy(mapping.reason)
    chosen = "mapping.route.auto" if mapping.route is Route.AUTO else "mapping.route"
    more = counts.duplicate or counts.filtered or counts.withdrawn or counts.unsure
    return texts.lines(
        texts(
            "mapping.title",
            number=mapping.id,
            source=place(texts, mapping.source, mapping.source_topic),
            destination=place(texts, mapping.destination, mapping.destination_topic),
        ),
        "",
        state,
        texts("notice.remedy", remedy=remedy) if remedy else None,
        texts("mapping.mode", mode=texts(f"mode.{mapping.mode}")),
        texts(chosen, route=texts(f"route.{mapping.lane_route}")),
        "",
        texts(
            "mapping.counts",
            sent=counts.sent,
            waiting=counts.waiting,
            held=counts.held,
            failed=counts.failed,
        ),
        texts(
            "mapping.counts.more",
            duplicate=counts.duplicate,
            filtered=counts.filtered,
            withdrawn=counts.withdrawn,
            unsure=counts.unsure,
        )
        if more
        else None,
        texts("mapping.last_sent", when=texts.when(counts.last_sent_at)),
        texts("mapping.next_try", n=counts.queued, when=texts.when(counts.next_try_at))
        if counts.next_try_at
        else None,
        backlog_line(texts, backlog),
        texts("mapping.outage", n=counts.outage) if counts.outage else None,
        texts("mapping.review", n=counts.review) if counts.review else None,
        texts("mapping.troubles") if troubles else None,
        *(trouble_line(texts, trouble) for trouble in troubles),
    )


def backlog_line(texts: Texts, backlog: Backlog) -> Html | None:
    """Said where it matters: what waited an hour ago was not sent meanwhile, or more came than went."""
    if backlog.growth > 0 and backlog.now >= FALLS_BEHIND:
        return texts("mapping.backlog", now=backlog.now, ago=backlog.hour_ago)
    if backlog.growth < 0 and backlog.hour_ago >= FALLS_BEHIND:
        return texts("mapping.backlog.shrinks", now=backlog.now, ago=backlog.hour_ago)
    return None


def place(texts: Texts, channel: ChannelName, topic: int) -> str:
    return texts.plain("mapping.topic", title=channel.title, topic=topic) if topic else channel.title


def trouble_line(texts: Texts, trouble: Trouble, *, with_mapping: bool = False) -> Html:
    return texts(
        "trouble.line.mapping" if with_mapping else "trouble.line",
        when=texts.when(trouble.at),
        mapping=trouble.mapping_id,
        source=trouble.source.title,
        destination=trouble.destination.title,
        message=trouble.message_id,
        state=texts(f"state.{trouble.state}"),
        reason=texts.reason(trouble.reason),
    )
