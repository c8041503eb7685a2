"""New mappings in four steps: sources, destinations, mode, confirmation. Every pair becomes a mapping."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from forwarder.bot.cb import (
    AddChannel,
    Cancel,
    ChoicesDone,
    ChooseMode,
    ChooseTopic,
    ConfirmMappings,
    NewMapping,
    OpenMappings,
    OpenMenu,
    SetChoice,
    Side,
    Step,
    StepBack,
    TurnChoices,
)
from forwarder.bot.dialog import Draft
from forwarder.bot.keyboards import checklist, pager, rows
from forwarder.bot.screens import topics
from forwarder.bot.screens.channels import label
from forwarder.bot.texts import Html
from forwarder.bot.visit import Screen, Visit
from forwarder.errors import ForwarderError
from forwarder.message import Mode

PAGE = 8
MOST_PAIRS = 50
"""Mappings that one confirmation makes; more would not fit one message."""
SHOWN_PAIRS = 15
WARNED_PAIRS = 5

TOPIC_SIDES = {Step.SOURCE_TOPICS: Side.SOURCE, Step.DESTINATION_TOPICS: Side.DESTINATION}
SIDES = {Step.SOURCES: Side.SOURCE, Step.DESTINATIONS: Side.DESTINATION}
BACK = {
    Step.DESTINATIONS: Step.SOURCES,
    Step.DESTINATION_TOPICS: Step.DESTINATIONS,
    Step.MODE: Step.DESTINATIONS,
    Step.CONFIRM: Step.MODE,
}
AFTER_TOPICS = {Step.SOURCE_TOPICS: Step.DESTINATIONS, Step.DESTINATION_TOPICS: Step.MODE}


async def begin(visit: Visit, press: NewMapping) -> None:
    visit.must_change()
    for side, missing in ((Side.SOURCE, "new.no_sources"), (Side.DESTINATION, "new.no_destinations")):
        if not (await visit.services.channels.list(0, 1, side)).total:
            texts = visit.texts
            await visit.show(
                Screen(
                    texts(missing),
                    rows(
                        [(texts.plain(f"button.add.{side}"), AddChannel(side))],
                        [(texts.plain("button.menu"), OpenMenu())],
                    ),
                )
            )
            return
    if press.source_id:
        await go_on(visit, Draft(Step.DESTINATIONS, sources=(press.source_id,)))
    else:
        await go_on(visit, Draft())


async def choose(visit: Visit, press: SetChoice) -> None:
    draft = await current(visit)
    if draft is None or SIDES.get(draft.step) is not press.side:
        return
    chosen = tuple(one for one in draft.chosen if one != press.channel_id)
    if press.ticked:
        chosen = draft.chosen if press.channel_id in draft.chosen else (*chosen, press.channel_id)
    if press.side is Side.SOURCE:
        await go_on(visit, replace(draft, sources=chosen))
    else:
        await go_on(visit, replace(draft, destinations=chosen))


async def turn(visit: Visit, press: TurnChoices) -> None:
    draft = await current(visit)
    if draft is not None:
        await go_on(visit, replace(draft, page=press.page))


async def choices_done(visit: Visit, press: ChoicesDone) -> None:
    draft = await current(visit)
    if draft is None or SIDES.get(draft.step) is not press.side:
        return
    if not draft.chosen:
        visit.alert(visit.texts.plain("new.choose_first"))
    elif len(draft.pairs) > MOST_PAIRS:
        visit.alert(visit.texts.plain("new.too_many", n=len(draft.pairs), limit=MOST_PAIRS), loud=True)
    else:
        await ask_topics(visit, topics.forgotten(replace(draft, step=topics.TOPICS_OF[draft.step], page=0)))


async def ask_topics(visit: Visit, draft: Draft) -> None:
    """Ask for the topic of the next forum; when none is left, go on to the step after topics."""
    forum = await topics.next_forum(visit, draft)
    if forum:
        await go_on(visit, replace(draft, forum=forum))
    else:
        await go_on(visit, replace(draft, step=AFTER_TOPICS[draft.step], forum=0, page=0))


async def choose_topic(visit: Visit, press: ChooseTopic) -> None:
    draft = await current(visit)
    if draft is None or (draft.forum, TOPIC_SIDES.get(draft.step)) != (press.forum_id, press.side):
        return
    topic = await visit.services.channels.topic(draft.forum, press.topic_id) if press.topic_id else None
    await ask_topics(visit, topics.with_topic(draft, topic))


async def topic_by_text(visit: Visit, draft: Draft) -> None:
    """A link of a topic was sent while it was asked for; one that comes again has been an answer already."""
    visit.must_change()
    message = visit.update.effective_message
    number = message.message_id if message else 0
    if number <= draft.answered:
        return
    topic = await topics.by_text(visit, draft)
    await ask_topics(visit, replace(topics.with_topic(draft, topic), answered=number))


async def choose_mode(visit: Visit, press: ChooseMode) -> None:
    draft = await current(visit)
    if draft is not None and draft.pairs:
        await go_on(visit, replace(draft, step=Step.CONFIRM, mode=press.mode))


async def back(visit: Visit, press: StepBack) -> None:
    draft = await current(visit)
    if draft is not None and draft.step is press.step:
        back_to = BACK.get(draft.step, Step.SOURCES)
        await go_on(visit, topics.forgotten(replace(draft, step=back_to, page=0)))


async def current(visit: Visit) -> Draft | None:
    """The draft that the pressed button belongs to; says so when there is none any more."""
    visit.must_change()
    draft = await visit.dialog()
    if isinstance(draft, Draft):
        return draft
    visit.alert(visit.texts.plain("stale"), loud=True)
    return None


async def go_on(visit: Visit, draft: Draft) -> None:
    await visit.remember(draft)
    if draft.step in SIDES:
        await visit.show(await choice(visit, draft))
    elif draft.step in AFTER_TOPICS:
        await visit.show(await topics.choice(visit, draft))
    elif draft.step is Step.MODE:
        await visit.show(mode_screen(visit))
    else:
        await visit.show(await confirmation(visit, draft))


async def choice(visit: Visit, draft: Draft) -> Screen:
    texts = visit.texts
    found = await visit.services.channels.list(draft.page, PAGE, SIDES[draft.step])
    done = (
        texts.plain("button.next_chosen", n=len(draft.chosen)) if draft.chosen else texts.plain("button.next")
    )
    side = SIDES[draft.step]
    steps = [(texts.plain("button.back"), StepBack(draft.step))] if draft.step is Step.DESTINATIONS else []
    return Screen(
        texts(f"new.{draft.step}"),
        rows(
            *checklist(
                found,
                draft.chosen,
                lambda channel: channel.id,
                label,
                lambda number, ticked: SetChoice(number, side, ticked),
            ),
            pager(found.page, found.pages, TurnChoices),
            [*steps, (done, ChoicesDone(side))],
            [(texts.plain("button.cancel"), Cancel())],
        ),
    )


def mode_screen(visit: Visit) -> Screen:
    texts = visit.texts
    return Screen(
        texts("new.mode"),
        rows(
            [(texts.plain(f"button.mode.{mode}"), ChooseMode(mode)) for mode in Mode],
            [(texts.plain("button.back"), StepBack(Step.MODE)), (texts.plain("button.cancel"), Cancel())],
        ),
    )


async def confirmation(visit: Visit, draft: Draft) -> Screen:
    texts = visit.texts
    titles = await titles_of(visit, (*draft.sources, *draft.destinations))
    lines = [
        texts(
            "new.pair",
            source=topics.named(visit, titles[source], draft.source_topic(source)),
            destination=topics.named(visit, titles[destination], draft.destination_topic(destination)),
        )
        for source, destination in draft.pairs[:SHOWN_PAIRS]
    ]
    rest = len(draft.pairs) - len(lines)
    return Screen(
        texts.lines(
            texts("new.confirm", n=len(draft.pairs), mode=texts(f"mode.{draft.mode}")),
            *lines,
            texts("new.more", n=rest) if rest else None,
        ),
        rows(
            [(texts.plain("button.create"), ConfirmMappings())],
            [(texts.plain("button.back"), StepBack(Step.CONFIRM)), (texts.plain("button.cancel"), Cancel())],
        ),
    )


async def titles_of(visit: Visit, channels: Iterable[int]) -> dict[int, str]:
    return {number: (await visit.services.channels.get(number)).title for number in set(channels)}


async def confirm(visit: Visit, press: ConfirmMappings) -> None:
    """Create every pair; what can't be created is said pair by pair."""
    draft = await current(visit)
    if draft is None or draft.step is not Step.CONFIRM:
        return
    texts = visit.texts
    await visit.answer()
    await visit.show(Screen(texts("new.working")))
    titles = await titles_of(visit, (*draft.sources, *draft.destinations))
    starts = await start_ids(visit, draft.sources)
    created, failures = list[tuple[int, int]](), list[Html]()
    for source, destination in draft.pairs:
        try:
            start = starts[source]
            if isinstance(start, ForwarderError):
                raise start
            await visit.services.mappings.create(
                source,
                destination,
                mode=draft.mode,
                start_after=start,
                source_topic=draft.source_topic(source).topic_id,
                destination_topic=draft.destination_topic(destination).topic_id,
                actor=visit.actor,
            )
            created.append((source, destination))
        except ForwarderError as error:
            why = texts.error(error)
            failures.append(
                texts("new.failure", source=titles[source], destination=titles[destination], why=why)
            )
    await visit.remember(None)
    await visit.show(
        Screen(
            texts.lines(
                texts("new.done", n=len(created)) if created else None,
                texts("new.failed", n=len(failures)) if failures else None,
                *failures[:SHOWN_PAIRS],
                *await warnings(visit, created),
            ),
            rows(
                [
                    (texts.plain("button.mappings"), OpenMappings()),
                    (texts.plain("button.new_mapping"), NewMapping()),
                ],
                [(texts.plain("button.menu"), OpenMenu())],
            ),
        )
    )


async def warnings(visit: Visit, created: Sequence[tuple[int, int]]) -> list[Html]:
    """A line for each of the first few pairs whose source posts faster than the destination may receive."""
    asked = (visit.services.tempo.too_fast(*pair) for pair in created[:WARNED_PAIRS])
    found = [warning for warning in await asyncio.gather(*asked) if warning is not None]
    return [visit.texts("new.too_fast", **asdict(warning)) for warning in found]


async def start_ids(visit: Visit, sources: Iterable[int]) -> dict[int, int | ForwarderError]:
    """Where each source stands now, asked once for each, or why that can't be told."""
    starts: dict[int, int | ForwarderError] = {}
    for source in sources:
        try:
            starts[source] = await visit.services.channels.start_id(source)
        except ForwarderError as error:
            starts[source] = error
    return starts
