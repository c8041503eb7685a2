"""Trying rules: what they would make of posts that are stored, or of a text that somebody writes.

The same functions decide here and on delivery, so what is shown is what will happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Heard, Kind, Mode, Rewrite, SourceMessage
from forwarder.rules import Counters, Decision, Outcome, Passed, Rules, decide, rewrite_of, when
from forwarder.services import mapping_rows
from forwarder.services.judging import way_of
from forwarder.services.kept_rules import rules_of
from forwarder.services.rule_context import SourceNamed, context_of
from forwarder.services.values import MappingView
from forwarder.services.why import find_post


@dataclass(frozen=True, slots=True)
class Tried:
    """``goes`` is None for a refused post. ``rewrite`` is what the account that carries the mapping sends in its place,
    None where the post goes as it is; ``mode`` is how it goes, None where it may not go at all; ``forwards`` says
    that its mapping would forward it."""

    parts: tuple[SourceMessage, ...]
    outcome: Outcome
    goes: Decision | None
    rewrite: Rewrite | None
    mode: Mode | None
    forwards: bool = False


class Trial:
    def __init__(self, db: Database, mapping_id: int) -> None:
        self._db = db
        self._mapping_id = mapping_id

    async def last(self, number: int) -> list[Tried]:
        """The newest posts of the mapping's source that are stored, oldest first."""
        async with self._db.begin() as session:
            mapping = await mapping_rows.one(session, self._mapping_id)
            ids = await session.scalars(
                text("select id from posts where channel_id = :channel order by position desc limit :number"),
                {"channel": mapping.source.id, "number": number},
            )
            return await self._tried(session, mapping, list(ids)[::-1])

    async def post(self, link: str) -> list[Tried]:
        """The post that a link names, whatever its source; none where it is not stored.

        Raises InvalidRequest or NotFound as ``find_post`` does.
        """
        async with self._db.begin() as session:
            mapping = await mapping_rows.one(session, self._mapping_id)
            found = await find_post(session, link)
            return await self._tried(session, mapping, [] if found is None else [found])

    async def words(self, said: str) -> list[Tried]:
        """A text as if it had just appeared in the source."""
        async with self._db.begin() as session:
            mapping = await mapping_rows.one(session, self._mapping_id)
            post = SourceMessage(
                mapping.source.telegram_id, 1, datetime.now(UTC), Kind.TEXT, Heard.PUSH, text=said
            )
            return [await self._one(session, mapping, await self._rules(session), (post,))]

    async def _rules(self, session: AsyncSession) -> Rules:
        return (await rules_of(session, [self._mapping_id]))[self._mapping_id]

    async def _tried(self, session: AsyncSession, mapping: MappingView, posts: Sequence[int]) -> list[Tried]:
        rules, parts = await self._rules(session), await stored_parts(session, posts)
        return [await self._one(session, mapping, rules, parts[post]) for post in posts if post in parts]

    async def _one(
        self, session: AsyncSession, mapping: MappingView, rules: Rules, parts: tuple[SourceMessage, ...]
    ) -> Tried:
        source = SourceNamed(mapping.source.telegram_id, mapping.source.title, mapping.source.username)
        outcome = decide(rules, parts, await context_of(session, mapping.id, source, rules, parts))
        if not isinstance(outcome, Passed):
            return Tried(parts, outcome, None, None, None)
        goes = when(rules.when, datetime.now(UTC), parts[0].date, Counters())
        rewrite = rewrite_of(outcome, AccountKind(mapping.lane_route.value))
        mode = way_of(mapping.mode, rewrite, copy_allowed=mapping.settings.copy_fallback)
        return Tried(parts, outcome, goes, rewrite, mode, mapping.mode is Mode.FORWARD)
