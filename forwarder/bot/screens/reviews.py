"""Posts that wait for somebody's word: one on each page, with its text, its link, and the two words."""

from __future__ import annotations

from forwarder.bot.cb import OpenMapping, OpenMenu, Press
from forwarder.bot.keyboards import pager, rows
from forwarder.bot.review_presses import Decide, OpenReviews
from forwarder.bot.screens.why import link
from forwarder.bot.texts import Html, Texts, shortened
from forwarder.bot.visit import Screen, Visit
from forwarder.services.reviews import Answer, Card, Said
from forwarder.services.values import Page

LONGEST_TITLE = 60
LONGEST_TEXT = 1500
"""Characters of a post that are shown; its link leads to the rest."""


async def open_reviews(visit: Visit, press: OpenReviews) -> None:
    found = await visit.services.reviews.list(press.mapping_id or None, press.page, 1)
    await visit.show(screen(visit.texts, found, press.mapping_id, may_decide=visit.person.may_change))


async def decide(visit: Visit, press: Decide) -> None:
    visit.must_change()
    answer = await visit.services.reviews.decide(
        press.delivery_id, approve=press.approve, stamp=press.stamp, actor=visit.actor
    )
    visit.alert(word_of(visit.texts, answer), loud=answer.said is not Said.DONE)
    await open_reviews(visit, OpenReviews(press.mapping_id, press.page))


def word_of(texts: Texts, answer: Answer) -> str:
    match answer.said:
        case Said.DONE:
            return texts.plain("review.approved" if answer.approved else "review.rejected")
        case Said.EDITED:
            return texts.plain("review.edited")
        case Said.BEFORE if answer.approved is None:
            return texts.plain("review.ended", reason=texts.reason(answer.reason))
        case Said.BEFORE:
            word = "approved" if answer.approved else "rejected"
            return texts.plain(f"review.before.{word}", who=answer.by or texts.plain("review.nobody"))


def screen(texts: Texts, found: Page[Card], mapping_id: int, *, may_decide: bool) -> Screen:
    back: tuple[str, Press] = (
        (texts.plain("button.open_mapping"), OpenMapping(mapping_id))
        if mapping_id
        else (texts.plain("button.menu"), OpenMenu())
    )
    if not found.items:
        return Screen(texts("reviews.none"), rows([back]))
    [card] = found.items
    return Screen(
        texts.lines(texts("reviews", n=found.total), "", card_text(texts, card)),
        rows(
            words(texts, card, mapping_id, found.page) if may_decide else None,
            pager(found.page, found.pages, lambda page: OpenReviews(mapping_id, page)),
            [back],
        ),
    )


def words(texts: Texts, card: Card, mapping_id: int, page: int) -> list[tuple[str, Press]]:
    return [
        (
            texts.plain(f"button.{word}"),
            Decide(card.delivery_id, card.stamp, approve, mapping_id, page),
        )
        for word, approve in (("approve", True), ("reject", False))
    ]


def card_text(texts: Texts, card: Card) -> Html:
    mapping = card.mapping
    what = texts("review.album", n=card.parts) if card.parts > 1 else texts(f"review.kind.{card.kind}")
    return texts.lines(
        texts(
            "review.post",
            number=mapping.id,
            source=shortened(card.source.title, LONGEST_TITLE),
            destination=shortened(mapping.destination.title, LONGEST_TITLE),
        ),
        texts(
            "review.what",
            what=what,
            link=Html(link(card.source, card.message_id)),
            when=texts.when(card.posted_at),
        ),
        texts("review.until.send" if card.sends else "review.until.leave", when=texts.when(card.until)),
        texts("review.changed") if card.changed and card.text else None,
        texts("review.text", text=shortened(card.text, LONGEST_TEXT)) if card.text else None,
    )
