"""What the bot says unasked: one matter with its remedy and its buttons, or many in one message."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.bot.cb import (
    Held,
    OpenAdmin,
    OpenMapping,
    OpenMappings,
    ResumeMapping,
    SettleUnsure,
    StartAccount,
)
from forwarder.bot.keyboards import outage_answers, rows
from forwarder.bot.review_presses import OpenReviews
from forwarder.bot.screens import reviews
from forwarder.bot.texts import Html, Texts, shortened
from forwarder.bot.visit import Screen
from forwarder.models import AccountState
from forwarder.services.accounts import AccountView
from forwarder.services.telling import (
    AccountStopped,
    HeldByOutage,
    HeldForReview,
    HeldUnsure,
    MappingPaused,
    Matter,
    Quarantined,
)
from forwarder.services.values import MappingView

SHOWN = 10
LONGEST_TITLE = 60


def screen_of(texts: Texts, matter: Matter) -> Screen:
    match matter:
        case MappingPaused():
            return paused(texts, matter)
        case AccountStopped(account):
            return stopped(texts, account)
        case Quarantined():
            return quarantined(texts, matter)
        case HeldUnsure():
            return unsure(texts, matter)
        case HeldByOutage():
            return outage(texts, matter)
        case HeldForReview():
            return review(texts, matter)


def digest(texts: Texts, matters: Sequence[Matter]) -> Screen:
    """Many matters at once: a line for each of the first few, and the way to the lists."""
    return Screen(
        texts.lines(
            texts("notice.digest", n=len(matters)),
            *(line_of(texts, matter) for matter in matters[:SHOWN]),
            texts("new.more", n=len(matters) - SHOWN) if len(matters) > SHOWN else None,
        ),
        rows(
            [(texts.plain("button.mappings"), OpenMappings())],
            [(texts.plain("button.admin"), OpenAdmin())]
            if not all(isinstance(matter, MappingPaused | HeldByOutage | HeldForReview) for matter in matters)
            else None,
        ),
    )


def line_of(texts: Texts, matter: Matter) -> Html:
    match matter:
        case MappingPaused(mapping):
            return texts("notice.line.paused", **pair(mapping), reason=texts.reason(mapping.reason))
        case HeldUnsure(mapping):
            return texts("notice.line.unsure", **pair(mapping), n=matter.number)
        case HeldByOutage(mapping):
            return texts("notice.line.outage", **pair(mapping), n=matter.number)
        case HeldForReview(mapping):
            return texts("notice.line.review", **pair(mapping), n=matter.number)
        case AccountStopped(account):
            return texts("notice.line.account", **named(texts, account), reason=texts.reason(account.reason))
        case Quarantined():
            return texts("notice.line.quarantine", n=matter.number)


def paused(texts: Texts, matter: MappingPaused) -> Screen:
    mapping = matter.mapping
    held = texts("notice.held", n=matter.held) if matter.held else texts("notice.held.none")
    return Screen(
        texts.lines(
            texts("notice.paused", **pair(mapping)),
            "",
            *reason_and_remedy(texts, mapping.reason),
            held,
        ),
        rows(
            [(texts.plain("button.resume_send"), ResumeMapping(mapping.id, 0, Held.SEND))],
            [(texts.plain("button.resume_skip"), ResumeMapping(mapping.id, 0, Held.SKIP))],
            [(texts.plain("button.open_mapping"), OpenMapping(mapping.id))],
        ),
    )


def stopped(texts: Texts, account: AccountView) -> Screen:
    state = "signed_out" if account.state is AccountState.SIGNED_OUT else "stopped"
    names = named(texts, account)
    again = texts.plain("button.start_account", name=names["name"] or names["account"])
    return Screen(
        texts.lines(
            texts(f"notice.{state}.{account.kind}", name=names["name"]),
            "",
            *reason_and_remedy(texts, account.reason),
            texts("notice.account.waits"),
        ),
        rows(
            [(again, StartAccount(account.id))] if account.state is AccountState.STOPPED else None,
            [(texts.plain("button.admin"), OpenAdmin())],
        ),
    )


def quarantined(texts: Texts, matter: Quarantined) -> Screen:
    return Screen(
        texts.lines(
            texts("notice.quarantine", n=matter.number, **named(texts, matter.account)),
            texts("notice.remedy", remedy=texts("notice.quarantine.remedy")),
        ),
        rows([(texts.plain("button.admin"), OpenAdmin())]),
    )


def unsure(texts: Texts, matter: HeldUnsure) -> Screen:
    posts = [texts.plain("notice.unsure.post", post=post) for post in matter.posts]
    if matter.number > len(posts):
        posts.append(texts.plain("new.more", n=matter.number - len(posts)))
    number = matter.mapping.id
    return Screen(
        texts.lines(
            texts("notice.unsure", **pair(matter.mapping), n=matter.number, posts=", ".join(posts)),
            texts("notice.remedy", remedy=texts("notice.unsure.remedy")),
        ),
        rows(
            [
                (texts.plain("button.unsure_arrived"), SettleUnsure(number, again=False, until=matter.until)),
                (texts.plain("button.unsure_again"), SettleUnsure(number, again=True, until=matter.until)),
            ],
            [(texts.plain("button.open_mapping"), OpenMapping(number))],
        ),
    )


def outage(texts: Texts, matter: HeldByOutage) -> Screen:
    number = matter.mapping.id
    return Screen(
        texts.lines(
            texts("notice.outage", **pair(matter.mapping), n=matter.number),
            "",
            texts("notice.remedy", remedy=texts("notice.outage.remedy")),
        ),
        rows(
            *outage_answers(texts, number, matter.number),
            [(texts.plain("button.open_mapping"), OpenMapping(number))],
        ),
    )


def review(texts: Texts, matter: HeldForReview) -> Screen:
    number = matter.mapping.id
    return Screen(
        texts.lines(
            texts("notice.review", number=number, n=matter.number),
            "",
            reviews.card_text(texts, matter.first),
            "",
            texts("notice.remedy", remedy=texts("notice.review.remedy", n=matter.number)),
        ),
        rows(
            reviews.words(texts, matter.first, number, 0),
            [(texts.plain("button.reviews", n=matter.number), OpenReviews(number))],
            [(texts.plain("button.open_mapping"), OpenMapping(number))],
        ),
    )


def reason_and_remedy(texts: Texts, reason: str | None) -> list[Html]:
    remedy = texts.remedy(reason)
    lines = [texts("notice.reason", reason=texts.reason(reason))]
    return [*lines, texts("notice.remedy", remedy=remedy)] if remedy is not None else lines


def pair(mapping: MappingView) -> dict[str, object]:
    return {
        "number": mapping.id,
        "source": shortened(mapping.source.title, LONGEST_TITLE),
        "destination": shortened(mapping.destination.title, LONGEST_TITLE),
    }


def named(texts: Texts, account: AccountView) -> dict[str, str]:
    return {
        "account": texts.plain(f"account.{account.kind}"),
        "name": f"@{account.username}" if account.username else "",
    }
