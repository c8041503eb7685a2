"""Trying rules: what they would make of posts that are stored, or of a text that somebody writes.

The same functions decide here and on delivery, so what is shown is what will happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Heard, Kind, Mode, Rewrite, SourceMessage, State, look_of
from forwarder.outbox import Result
from forwarder.rules import (
    Decision,
    Hold,
    NotBefore,
    Now,
    Outcome,
    Passed,
    Refused,
    Rules,
    Withdraw,
    rewrite_of,
)
from forwarder.rules.frame import ButtonRule, Preview, Spoiler
from forwarder.services import mapping_rows
from forwarder.services.judging import appeared, broken, ruling, sent_today, waiting, way_of
from forwarder.services.kept_rules import rules_of
from forwarder.services.reviewing import NOBODY, standings
from forwarder.services.rule_context import SourceNamed, context_of
from forwarder.services.values import MappingView
from forwarder.services.why import find_post


@dataclass(frozen=True, slots=True)
class Tried:
    """``goes`` is None for a refused post, or one that a rule breaks on. ``rewrite`` is what the account that carries
    the mapping sends in its place, None where the post goes as it is; ``mode`` is how it goes, None where it may not go
    at all; ``forwards`` says that its mapping would forward it. ``by`` names the rules that change what is sent,
    ``withdrawn_by`` the one that withdraws it."""

    parts: tuple[SourceMessage, ...]
    outcome: Outcome
    goes: Decision | None
    rewrite: Rewrite | None
    mode: Mode | None
    forwards: bool = False
    by: tuple[str, ...] = ()
    withdrawn_by: str = ""


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
        return [
            await self._one(session, mapping, rules, parts[post], post) for post in posts if post in parts
        ]

    async def _one(
        self,
        session: AsyncSession,
        mapping: MappingView,
        rules: Rules,
        parts: tuple[SourceMessage, ...],
        post: int | None = None,
    ) -> Tried:
        source = SourceNamed(mapping.source.telegram_id, mapping.source.title, mapping.source.username)
        outcome = ruling(rules, parts, await context_of(session, mapping.id, source, rules, parts))
        if isinstance(outcome, Result):
            return stopped(parts, outcome)
        now = datetime.now(UTC)
        sent = await sent_today(session, mapping.id, rules.when.at_most, now)
        word = NOBODY
        if post is not None and rules.when.review is not None:
            word = (await standings(session, mapping.id, [post])).get(post, NOBODY)
        posted = await appeared(session, post, parts[0].date, now)
        put_off = waiting(rules, posted, now, sent, word)
        if put_off is not None and put_off.state is State.FAILED:
            return stopped(parts, put_off)
        try:
            rewrite = rewrite_of(outcome, AccountKind(mapping.lane_route.value))
        except Exception:  # as on delivery: whatever breaks is that post's end and no other's
            return stopped(parts, broken(rules, outcome.by))
        mode = way_of(mapping.mode, rewrite, copy_allowed=mapping.settings.copy_fallback)
        forwards, by = mapping.mode is Mode.FORWARD, those_that_did(rules, outcome, rewrite)
        last = put_off.by.rule if put_off is not None and put_off.by is not None else ""
        return Tried(parts, outcome, decision(put_off, now), rewrite, mode, forwards, by, last)


def stopped(parts: tuple[SourceMessage, ...], result: Result) -> Tried:
    """A post that the rules refuse, or break on."""
    rule, words = (result.by.rule, result.by.words) if result.by is not None else ("", ())
    return Tried(parts, Refused(rule, words, result.reason or ""), None, None, None)


def decision(put_off: Result | None, now: datetime) -> Decision:
    if put_off is None:
        return Now()
    until = now + timedelta(seconds=put_off.wait or 0)
    if put_off.state is State.HELD:
        return Hold(until)
    reason = put_off.reason or ""
    return NotBefore(until, reason) if put_off.state is State.QUEUED else Withdraw(reason)


def those_that_did(rules: Rules, passed: Passed, rewrite: Rewrite | None) -> tuple[str, ...]:
    """The rules that change what this account sends. A button, a preview or a cover may come to nothing with it."""
    if rewrite is None:
        return ()
    looks = {part.message_id: look_of(part.facts) for part in (one.source for one in passed.parts)}
    idle = set()
    if rewrite.button is None:
        idle.add(rules.label_of(ButtonRule))
    if all(part.look.preview_hidden == looks[part.message_id].preview_hidden for part in rewrite.parts):
        idle.add(rules.label_of(Preview))
    if not any(part.cover for part in rewrite.parts) and not any(part.changed for part in rewrite.parts):
        idle.add(rules.label_of(Spoiler))
    return tuple(label for label in passed.by if label not in idle)
