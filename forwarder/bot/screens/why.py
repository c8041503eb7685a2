"""``/why LINK``: the story of one post."""

from __future__ import annotations

from telegram import InlineKeyboardMarkup

from forwarder.bot.keyboards import rows
from forwarder.bot.repair_presses import TakeBackPost
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Visit
from forwarder.errors import InvalidRequest
from forwarder.message import DeliveryKind, State
from forwarder.references import parse_post_link
from forwarder.services.values import ChannelName
from forwarder.services.why import Behind, DeliveryStory, Explanation

SHOWN_DELIVERIES = 15


async def tell(visit: Visit, link: str) -> None:
    if not link:
        await visit.say(visit.texts("why.usage"))
        return
    told = await visit.services.explain(link)
    await visit.say(story(visit.texts, told), take_back(visit, told))


def is_link(text: str) -> bool:
    """Whether a person has sent nothing but a link to a message."""
    try:
        parse_post_link(text)
    except InvalidRequest:
        return False
    return True


def take_back(visit: Visit, told: Explanation) -> InlineKeyboardMarkup | None:
    """A button to take the post back, where there is something to take back and the person may."""
    if not visit.person.may_change:
        return None
    live = (State.SENT, State.QUEUED, State.SENDING, State.UNSURE, State.HELD)
    for delivery in told.deliveries:
        if delivery.kind is DeliveryKind.POST and delivery.state in live:
            return rows([(visit.texts.plain("button.takeback"), TakeBackPost(delivery.delivery_id))])
    return None


def story(texts: Texts, told: Explanation) -> Html:
    """The explanation as HTML; :func:`forwarder.bot.texts.plain` makes it plain for a terminal."""
    copy = texts("why.copy", copy=told.copy_in.title) if told.copy_in is not None else None
    heard = None
    if told.heard is not None:
        heard = texts("why.heard", when=texts.when(told.heard_at), how=texts(f"why.heard.{told.heard}"))
    lines: list[str | None] = [
        copy,
        texts("why.title", title=told.source.title, message=told.message_id),
        heard,
        texts("why.album", n=len(told.album)) if told.album else None,
        texts("why.edited", when=texts.when(told.edited_at)) if told.edited_at else None,
        texts("why.deleted", when=texts.when(told.deleted_at)) if told.deleted_at else None,
        texts(f"why.note.{told.note}") if told.note else None,
    ]
    for delivery in told.deliveries[:SHOWN_DELIVERIES]:
        lines += ["", delivery_text(texts, delivery)]
    if len(told.deliveries) > SHOWN_DELIVERIES:
        lines.append(texts("new.more", n=len(told.deliveries) - SHOWN_DELIVERIES))
    for mapping in told.without[:SHOWN_DELIVERIES]:
        lines.append(
            texts(
                "why.without",
                destination=mapping.destination.title,
                mapping=mapping.mapping_id,
                reason=texts.reason(mapping.reason),
            )
        )
    if told.note is None and not told.deliveries and not told.without:
        lines.append(texts("why.no_mapping"))
    return texts.lines(*lines)


def delivery_text(texts: Texts, delivery: DeliveryStory) -> Html:
    by = None
    if delivery.route is not None and delivery.mode is not None:
        by = texts(
            "why.delivery.by",
            mode=texts(f"mode.{delivery.mode}"),
            route=texts(f"route.{delivery.route}"),
            account=delivery.account or "",
        )
    copies = Html(", ".join(link(delivery.destination, sent) for sent in delivery.copies))
    return texts.lines(
        texts(
            "why.delivery",
            what=texts(f"why.kind.{delivery.kind}"),
            destination=delivery.destination.title,
            mapping=delivery.mapping_id,
            state=texts(f"state.{delivery.state}"),
        ),
        texts("why.backfill") if delivery.backfilled else None,
        texts("why.delivery.reason", reason=reason_text(texts, delivery)) if delivery.reason else None,
        texts("why.copy_stays") if delivery.rule and delivery.kind is DeliveryKind.EDIT else None,
        revision_text(texts, delivery),
        by,
        texts(
            "why.delivery.times",
            queued=texts.when(delivery.queued_at),
            done=texts.when(delivery.done_at) if delivery.done_at else "—",
        ),
        until_text(texts, delivery),
        behind_text(texts, delivery.behind) if delivery.behind else None,
        texts("why.delivery.attempts", n=delivery.attempts) if delivery.attempts else None,
        texts("why.delivery.copies", copies=copies) if copies else None,
    )


def until_text(texts: Texts, delivery: DeliveryStory) -> Html | None:
    """When it is tried again, or until when somebody may say what becomes of it."""
    if delivery.not_before is None:
        return None
    held = delivery.state is State.HELD
    return texts("why.delivery.until" if held else "why.delivery.next", when=texts.when(delivery.not_before))


def behind_text(texts: Texts, behind: Behind) -> Html:
    when = texts.when(behind.until)
    if behind.reason is None:
        return texts("why.delivery.behind", post=behind.message_id, when=when)
    return texts(
        "why.delivery.behind.reason", post=behind.message_id, when=when, reason=texts.reason(behind.reason)
    )


def reason_text(texts: Texts, delivery: DeliveryStory) -> Html:
    if delivery.reason is not None and delivery.rule is not None:
        return texts.refusal(delivery.reason, delivery.rule, delivery.words, delivery.owner)
    return texts.reason(delivery.reason)


def revision_text(texts: Texts, delivery: DeliveryStory) -> Html | None:
    """By which state of the mapping's rules it was decided, and of its lists' where these are known."""
    if delivery.revision is None:
        return None
    if not delivery.lists:
        return texts("why.delivery.revision", n=delivery.revision)
    lists = Html(", ".join(texts("why.list", list=number, n=of) for number, of in delivery.lists))
    return texts("why.delivery.revision.lists", n=delivery.revision, lists=lists)


def link(channel: ChannelName, message_id: int) -> str:
    """A link to a message, as Telegram makes it (core.telegram.org/api/links#message-links)."""
    if channel.username:
        return f'<a href="https://t.me/{channel.username}/{message_id}">{message_id}</a>'
    if channel.telegram_id < -1_000_000_000_000:
        own_id = -1_000_000_000_000 - channel.telegram_id
        return f'<a href="https://t.me/c/{own_id}/{message_id}">{message_id}</a>'
    return str(message_id)
