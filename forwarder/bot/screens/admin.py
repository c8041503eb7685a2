"""``/admin``, for administrators: is all well, and who may use the bot."""

from __future__ import annotations

from collections.abc import Iterable

from forwarder.bot.cb import OpenAdmin, OpenMenu, StartAccount
from forwarder.bot.keyboards import Row, rows
from forwarder.bot.screens.mappings import trouble_line
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.models import AccountState, Role
from forwarder.services.status import AccountStatus, ProcessStatus, QueueStatus, Status, WaitStatus
from forwarder.services.values import MappingView

SHOWN_WAITS = 10
SHOWN_TROUBLES = 5
SHOWN_OUTAGES = 10
LARGEST_ID = 2**52
"""Telegram's ids of people have at most 52 significant bits (core.telegram.org/bots/api#user)."""


async def open_admin(visit: Visit, press: OpenAdmin) -> None:
    visit.must_administrate()
    texts = visit.texts
    status = await visit.services.status.status()
    await visit.show(
        Screen(
            status_text(texts, status),
            rows(
                *(start_button(texts, account) for account in status.accounts),
                [
                    (texts.plain("button.refresh"), OpenAdmin()),
                    (texts.plain("button.menu"), OpenMenu()),
                ],
            ),
        )
    )


def status_text(texts: Texts, status: Status) -> Html:
    return texts.lines(
        texts("admin", when=f"{status.at:%H:%M:%S} UTC"),
        "",
        texts("admin.processes"),
        *(process_lines(texts, status.processes)),
        "",
        texts("admin.accounts") if status.accounts else None,
        *(line for account in status.accounts for line in account_lines(texts, account)),
        "" if status.accounts else None,
        texts("admin.queues", total=sum(queue.waiting for queue in status.queues)),
        *(queue_line(texts, queue) for queue in status.queues if queue.waiting),
        "",
        texts("admin.waits") if status.waits else texts("admin.no_waits"),
        *(wait_line(texts, wait) for wait in status.waits[:SHOWN_WAITS]),
        texts("new.more", n=len(status.waits) - SHOWN_WAITS) if len(status.waits) > SHOWN_WAITS else None,
        "",
        texts(
            "admin.deliveries",
            failed=status.failed,
            unsure=status.unsure,
            held=status.held,
            quarantined=status.quarantined,
        ),
        texts("admin.alerts") if status.alerts else None,
        *(line for mapping in status.alerts for line in alert_lines(texts, mapping)),
        texts("admin.outages") if status.outages else None,
        *(outage_line(texts, mapping, posts) for mapping, posts in status.outages[:SHOWN_OUTAGES]),
        *(trouble_line(texts, trouble, with_mapping=True) for trouble in status.troubles[:SHOWN_TROUBLES]),
        "",
        texts("admin.people"),
    )


def process_lines(texts: Texts, processes: Iterable[ProcessStatus]) -> list[Html]:
    lines = [
        texts(
            "admin.process.alive" if process.alive else "admin.process.dead",
            name=process.name,
            when=texts.when(process.seen_at),
        )
        for process in processes
    ]
    return lines or [texts("admin.process.none")]


def start_button(texts: Texts, account: AccountStatus) -> Row | None:
    """For an account that only a person can let work again; one that is signed out needs a login."""
    if account.state != AccountState.STOPPED:
        return None
    name = f"@{account.username}" if account.username else texts.plain(f"account.{account.kind}")
    return [(texts.plain("button.start_account", name=name), StartAccount(account.account_id))]


async def start_account(visit: Visit, press: StartAccount) -> None:
    """Lanes that waited for the account are rung by the relay within seconds."""
    visit.must_administrate()
    await visit.services.accounts.start(press.account_id, actor=visit.actor)
    visit.alert(visit.texts.plain("account.started"))
    await open_admin(visit, OpenAdmin())


def account_lines(texts: Texts, account: AccountStatus) -> list[Html]:
    lines = [account_line(texts, account)]
    remedy = texts.remedy(account.reason)
    if account.state != AccountState.ACTIVE and remedy is not None:
        lines.append(texts("admin.remedy", remedy=remedy))
    return lines


def alert_lines(texts: Texts, mapping: MappingView) -> list[Html]:
    lines = [
        texts(
            "admin.alert",
            number=mapping.id,
            source=mapping.source.title,
            destination=mapping.destination.title,
            reason=texts.reason(mapping.reason),
        )
    ]
    remedy = texts.remedy(mapping.reason)
    return [*lines, texts("admin.remedy", remedy=remedy)] if remedy is not None else lines


def outage_line(texts: Texts, mapping: MappingView, posts: int) -> Html:
    source, destination = mapping.source.title, mapping.destination.title
    return texts("admin.outage", number=mapping.id, source=source, destination=destination, n=posts)


def account_line(texts: Texts, account: AccountStatus) -> Html:
    kind = texts(f"account.{account.kind}")
    name = f"@{account.username}" if account.username else ""
    if account.state == AccountState.ACTIVE and account.wait_until is not None:
        return texts("admin.account.waits", kind=kind, name=name, when=texts.when(account.wait_until))
    if account.state == AccountState.ACTIVE:
        return texts("admin.account.active", kind=kind, name=name)
    state = "signed_out" if account.state == AccountState.SIGNED_OUT else "stopped"
    return texts(f"admin.account.{state}", kind=kind, name=name, reason=texts.reason(account.reason))


def queue_line(texts: Texts, queue: QueueStatus) -> Html:
    if queue.oldest_seconds is None or queue.oldest_seconds < 60:
        return texts("admin.queue", name=queue.name, waiting=queue.waiting)
    minutes = round(queue.oldest_seconds / 60)
    return texts("admin.queue.age", name=queue.name, waiting=queue.waiting, minutes=minutes)


def wait_line(texts: Texts, wait: WaitStatus) -> Html:
    return texts(
        "admin.wait",
        account=texts(f"account.{wait.account}"),
        chat=wait.chat or texts("admin.wait.everywhere"),
        name=wait.name,
        until=texts.when(wait.until),
        n=wait.waiting,
    )


async def allow(visit: Visit, words: list[str]) -> None:
    """``/allow ID [viewer]``"""
    visit.must_administrate()
    person = person_id(words)
    role = Role.VIEWER if words[1:] == [Role.VIEWER.value] else Role.OPERATOR
    if person is None or (words[1:] and words[1:] not in ([Role.VIEWER.value], [Role.OPERATOR.value])):
        await visit.say(visit.texts("admin.allow.usage"))
        return
    await visit.services.users.allow(person, role, actor=visit.actor)
    await visit.say(visit.texts("admin.allowed", telegram_id=person))


async def deny(visit: Visit, words: list[str]) -> None:
    """``/deny ID``"""
    visit.must_administrate()
    person = person_id(words)
    if person is None or len(words) > 1:
        await visit.say(visit.texts("admin.deny.usage"))
        return
    await visit.services.users.deny(person, actor=visit.actor)
    await visit.say(visit.texts("admin.denied", telegram_id=person))


def person_id(words: list[str]) -> int | None:
    if not words or not words[0].isdecimal() or len(words[0]) > 16:
        return None
    number = int(words[0])
    return number if 0 < number < LARGEST_ID else None
