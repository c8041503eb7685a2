"""Older posts: which ones, are you sure, and how far it is."""

from __future__ import annotations

from datetime import UTC, datetime

from forwarder.backfill import BackfillView, Plan
from forwarder.bot.cb import (
    Act,
    ChangeBackfill,
    OpenBackfill,
    OpenMapping,
    PlanBackfill,
    Press,
    StartBackfill,
)
from forwarder.bot.dialog import Backfilling
from forwarder.bot.keyboards import rows
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.bot.wishes import wish
from forwarder.message import Span, Wish
from forwarder.models import BackfillState

CHOICES = (10, 100, 1000)
BAR = 12


async def open_backfill(visit: Visit, press: OpenBackfill) -> None:
    """The run that is under way, or the question."""
    run = await visit.services.backfills.newest(press.mapping_id)
    if run is not None and run.ended_at is None:
        await visit.show(progress(visit.texts, run, shown_in=visit.shown_in))
        return
    visit.must_change()
    mapping = await visit.services.mappings.get(press.mapping_id)
    texts, number = visit.texts, mapping.id
    await visit.remember(Backfilling(number))
    await visit.show(
        Screen(
            texts("backfill.ask", number=number, source=mapping.source.title),
            rows(
                [(texts.plain("button.backfill.last", n=n), PlanBackfill(number, n)) for n in CHOICES],
                [(texts.plain("button.backfill.all"), PlanBackfill(number, 0))],
                [(texts.plain("button.back"), OpenMapping(number, press.page))],
            ),
        )
    )


async def by_text(visit: Visit, dialog: Backfilling) -> None:
    """The answer in words; one that nobody understands leaves the question open."""
    visit.must_change()
    found = await visit.services.backfills.plan(dialog.mapping_id, wish(visit.text))
    screen = confirmation(visit.texts, found)
    await visit.say(screen.text, screen.keyboard)


async def plan(visit: Visit, press: PlanBackfill) -> None:
    visit.must_change()
    found = await visit.services.backfills.plan(press.mapping_id, Wish(last=press.last or None))
    await visit.remember(None)
    await visit.show(confirmation(visit.texts, found))


def confirmation(texts: Texts, found: Plan) -> Screen:
    mapping, span = found.mapping, found.span
    return Screen(
        texts(
            "backfill.confirm",
            number=mapping.id,
            source=mapping.source.title,
            destination=mapping.destination.title,
            n=span.total,
        ),
        rows(
            [
                (
                    texts.plain("button.backfill.start"),
                    StartBackfill(mapping.id, span.first, span.last, span.total),
                )
            ],
            [(texts.plain("button.back"), OpenBackfill(mapping.id))],
        ),
    )


async def start(visit: Visit, press: StartBackfill) -> None:
    """Begin; the pressed message shows from now on how far it is."""
    visit.must_change()
    span = Span(press.first_id, press.last_id, press.total)
    run = await visit.services.backfills.start(
        press.mapping_id, span, actor=visit.actor, shown=visit.shown_in
    )
    await visit.remember(None)
    await visit.show(progress(visit.texts, run))


async def change(visit: Visit, press: ChangeBackfill) -> None:
    visit.must_change()
    runs = visit.services.backfills
    act = {Act.PAUSE: runs.pause, Act.RESUME: runs.resume, Act.STOP: runs.stop}[press.act]
    run = await act(press.backfill_id, actor=visit.actor)
    await visit.show(progress(visit.texts, run, shown_in=visit.shown_in))


def progress(texts: Texts, run: BackfillView, *, shown_in: tuple[int, int] | None = None) -> Screen:
    """How far a run is, with the buttons that change it.

    The message that follows a run by itself leads nowhere else while it does; one elsewhere has a way back.
    """
    follows = shown_in in (None, run.shown)
    return Screen(
        progress_text(texts, run),
        rows(
            buttons(texts, run),
            [(texts.plain("button.refresh"), OpenBackfill(run.mapping.id))]
            if not follows and run.ended_at is None
            else None,
            [(texts.plain("button.open_mapping"), OpenMapping(run.mapping.id))]
            if not follows or run.ended_at is not None
            else None,
        ),
    )


def buttons(texts: Texts, run: BackfillView) -> list[tuple[str, Press]]:
    if run.ended_at is not None:
        return []
    first = Act.RESUME if run.state is BackfillState.PAUSED else Act.PAUSE
    return [(texts.plain(f"button.backfill.{act}"), ChangeBackfill(run.id, act)) for act in (first, Act.STOP)]


def progress_text(texts: Texts, run: BackfillView) -> Html:
    share = run.done / run.expected if run.expected else 1.0
    full = min(BAR, int(share * BAR))
    why = run.reason if run.reason not in ("paused", "stopped") else None
    left = run.seconds_left
    return texts.lines(
        texts(
            f"backfill.{run.state}",
            number=run.mapping.id,
            source=run.mapping.source.title,
            destination=run.mapping.destination.title,
        ),
        f"{'▰' * full}{'▱' * (BAR - full)} {int(share * 100)}%",
        texts("backfill.numbers", done=run.done, total=run.expected),
        texts("backfill.passed", n=run.passed) if run.passed else None,
        texts("backfill.rate", rate=round(run.rate)) if run.rate else None,
        texts("backfill.left", minutes=max(1, round(left / 60))) if left is not None else None,
        texts("backfill.mapping_paused") if run.waits_for_mapping else None,
        texts("backfill.why", reason=texts.reason(why)) if why else None,
        texts("backfill.until", when=texts.when(run.not_before))
        if run.not_before and run.not_before > datetime.now(UTC)
        else None,
    )
