"""The notices that the bot works off: what is to be told now, to whom, and who has been told.

Who was told is noted after each message. A bot that is killed between the two tells that one person once more;
nobody is told never.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import NotFound
from forwarder.models import Account, AccountState, Language, MappingState, NoticeKind, Role, User
from forwarder.models import Mapping as MappingRow
from forwarder.services import mapping_rows, reviews
from forwarder.services.accounts import AccountView, view_of
from forwarder.services.notices import quiet_after
from forwarder.services.values import MappingView

MOST = 500
SHOWN_POSTS = 10


@dataclass(frozen=True, slots=True)
class MappingPaused:
    """``held`` counts the posts that wait for a decision."""

    mapping: MappingView
    held: int


@dataclass(frozen=True, slots=True)
class AccountStopped:
    account: AccountView


@dataclass(frozen=True, slots=True)
class Quarantined:
    """``account`` heard the updates."""

    account: AccountView
    number: int


@dataclass(frozen=True, slots=True)
class HeldUnsure:
    """``posts`` are the source's message ids of the first few of the ``number`` that are held.

    ``until``: when the last of these was called, in microseconds since 1970; one that is held later was called later.
    """

    mapping: MappingView
    number: int
    posts: tuple[int, ...]
    until: int


@dataclass(frozen=True, slots=True)
class HeldByOutage:
    """``number`` posts that appeared while nobody listened wait for an answer."""

    mapping: MappingView
    number: int


@dataclass(frozen=True, slots=True)
class HeldForReview:
    """``number`` posts of a mapping wait for somebody's word, ``first`` the longest."""

    mapping: MappingView
    number: int
    first: reviews.Card


Matter = MappingPaused | AccountStopped | Quarantined | HeldUnsure | HeldByOutage | HeldForReview


@dataclass(frozen=True, slots=True)
class Addressee:
    telegram_id: int
    language: Language


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell. ``people`` are to be told; where none of them can be reached, ``deputies`` are.

    ``told`` have been told already; ``age`` is in seconds.
    """

    id: int
    version: int
    matter: Matter
    people: tuple[Addressee, ...]
    deputies: tuple[Addressee, ...]
    told: frozenset[int]
    age: float


class NoticeService:
    """``admin_ids`` are the administrators, as the settings name them; ``stored`` as of ``ReviewService``."""

    def __init__(self, db: Database, admin_ids: Collection[int], stored: reviews.Stored) -> None:
        self._db, self._stored = db, stored
        self._admin_ids = frozenset(admin_ids)

    async def due(self) -> tuple[Notice, ...]:
        """What is to be told now, oldest first. What is no longer so is closed on the way."""
        async with self._db.begin() as session:
            rows = (
                await session.execute(
                    text(
                        """
                        select id, kind, subject, version, told,
                               extract(epoch from clock_timestamp() - created_at)::float8 as age
                          from notices where done_at is null
                           and (not_before is null or not_before <= clock_timestamp())
                         order by id limit :most
                        """
                    ),
                    {"most": MOST},
                )
            ).all()
            if not rows:
                return ()
            users = {user.telegram_id: user for user in await session.scalars(select(User))}
            administrators = self._administrators(users)
            found: list[Notice] = []
            for row in rows:
                matter = await self._matter(session, NoticeKind(row.kind), row.subject)
                if matter is None:
                    await _close(session, row.id, row.version)
                    continue
                owner = await self._owner(session, matter, users)
                found.append(
                    Notice(
                        id=row.id,
                        version=row.version,
                        matter=matter,
                        people=owner or administrators,
                        deputies=administrators if owner else (),
                        told=frozenset(row.told),
                        age=row.age,
                    )
                )
            return tuple(found)

    async def due_in(self) -> float | None:
        """Seconds until the next notice that was put off is due; None where there is none."""
        async with self._db.begin() as session:
            seconds: float | None = await session.scalar(
                text(
                    "select extract(epoch from min(not_before) - clock_timestamp())::float8 from notices"
                    " where done_at is null and not_before > clock_timestamp()"
                )
            )
            return seconds

    async def told(self, notice: Notice, person: int) -> None:
        """Note that somebody has read this version, or at least was sent it."""
        async with self._db.begin() as session:
            await session.execute(
                text(
                    "update notices set told = array_append(told, :person)"
                    " where id = :id and version = :version and not (:person = any(told))"
                ),
                {"id": notice.id, "version": notice.version, "person": person},
            )

    async def close(self, notice: Notice) -> None:
        """Everybody knows. What happened meanwhile keeps it open, and is told after the quiet time."""
        async with self._db.begin() as session:
            await _close(session, notice.id, notice.version)

    async def put_off(self, notice: Notice, seconds: float) -> None:
        async with self._db.begin() as session:
            await session.execute(
                text(
                    "update notices set not_before = clock_timestamp() + make_interval(secs => :seconds)"
                    " where id = :id and done_at is null"
                ),
                {"id": notice.id, "seconds": seconds},
            )

    def _administrators(self, users: dict[int, User]) -> tuple[Addressee, ...]:
        """Those who want alerts; one who never spoke to the bot wants them, and hears English."""
        return tuple(
            Addressee(number, Language(users[number].language) if number in users else Language.EN)
            for number in sorted(self._admin_ids)
            if number not in users or users[number].alerts
        )

    async def _owner(
        self, session: AsyncSession, matter: Matter, users: dict[int, User]
    ) -> tuple[Addressee, ...]:
        """The mapping's owner, where the matter is theirs to settle and they still may."""
        if not isinstance(matter, MappingPaused | HeldByOutage | HeldForReview):
            return ()
        number = await session.scalar(select(MappingRow.created_by).where(MappingRow.id == matter.mapping.id))
        if number is None or number not in users | dict.fromkeys(self._admin_ids):
            return ()
        if number not in users:
            return (Addressee(number, Language.EN),)
        if users[number].role == Role.VIEWER and number not in self._admin_ids:
            return ()
        return (Addressee(number, Language(users[number].language)),)

    async def _matter(self, session: AsyncSession, kind: NoticeKind, subject: int) -> Matter | None:
        """How it stands with the subject now; None where there is nothing to tell any more."""
        match kind:
            case NoticeKind.MAPPING_PAUSED:
                return await _paused(session, subject)
            case NoticeKind.HELD_UNSURE:
                return await _held_unsure(session, subject)
            case NoticeKind.OUTAGE:
                return await _held_by_outage(session, subject)
            case NoticeKind.REVIEW:
                cards = await reviews.cards(session, subject, 0, 1, self._stored)
                number = await reviews.count(session, subject)
                return HeldForReview(cards[0].mapping, number, cards[0]) if cards else None
            case NoticeKind.ACCOUNT_STOPPED:
                account = await session.get(Account, subject)
                gone = account is None or account.state in (AccountState.ACTIVE, AccountState.DELETED)
                return None if account is None or gone else AccountStopped(view_of(account))
            case NoticeKind.QUARANTINED:
                account = await session.get(Account, subject)
                number = await session.scalar(
                    text("select count(*) from quarantine where account_id = :id"), {"id": subject}
                )
                return Quarantined(view_of(account), number) if account is not None and number else None


async def _close(session: AsyncSession, notice_id: int, version: int) -> None:
    await session.execute(
        text(
            """
            update notices n
               set done_at = case when version = :version then clock_timestamp() end,
                   not_before = case when version <> :version and q.seconds > 0
                                     then clock_timestamp() + make_interval(secs => q.seconds) end
              from json_each_text(cast(:quiet as json)) as e (kind, said)
             cross join lateral (select cast(e.said as float8) as seconds) q
             where n.id = :id and n.done_at is null and n.kind = e.kind
            """
        ),
        {
            "id": notice_id,
            "version": version,
            "quiet": json.dumps({kind.value: quiet_after(kind) for kind in NoticeKind}),
        },
    )


async def _paused(session: AsyncSession, mapping_id: int) -> Matter | None:
    mapping = await _mapping(session, mapping_id)
    if mapping is None or mapping.state is not MappingState.PAUSED:
        return None
    return MappingPaused(mapping, (await mapping_rows.counts(session, mapping_id)).paused)


async def _held_unsure(session: AsyncSession, mapping_id: int) -> Matter | None:
    mapping = await _mapping(session, mapping_id)
    held = (
        await session.execute(
            text(
                "select position, coalesce(cast(extract(epoch from claimed_at) * 1000000 as bigint), 0) as called"
                " from deliveries where mapping_id = :mapping and done_at is null"
                " and state = 'held' and reason = 'unsure' order by position"
            ),
            {"mapping": mapping_id},
        )
    ).all()
    if mapping is None or not held:
        return None
    posts = tuple(row.position for row in held[:SHOWN_POSTS])
    return HeldUnsure(mapping, len(held), posts, max(row.called for row in held))


async def _held_by_outage(session: AsyncSession, mapping_id: int) -> Matter | None:
    mapping = await _mapping(session, mapping_id)
    if mapping is None:
        return None
    number = (await mapping_rows.counts(session, mapping_id)).outage
    return HeldByOutage(mapping, number) if number else None


async def _mapping(session: AsyncSession, mapping_id: int) -> MappingView | None:
    try:
        return await mapping_rows.one(session, mapping_id)
    except NotFound:
        return None
