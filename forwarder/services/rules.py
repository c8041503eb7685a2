"""RuleService: the rules of mappings and lists as they are kept, and as they hold for a mapping.

A mapping goes by the rules of the lists that it belongs to, in the order of their numbers, and then by its own. A
list's revision counts the changes of its rules; a mapping's counts all that changes what holds for it, its lists'
rules among it. Outcomes store the mapping's revision they were decided by, and its lists' where a rule stopped them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Values
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.models import ChannelList, Mapping, MappingState
from forwarder.outbox import count_from_now
from forwarder.rules import Rules, check_times, parse, to_json, wrong
from forwarder.services import audit, mapping_checks, mapping_rows, reviewing
from forwarder.services.kept_rules import kept_rules, lists_of, read_kept, read_set

TIMES = frozenset({"delay", "quiet", "days", "at_most"})
"""Verbs that put posts off; also the reasons of posts that wait for them."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rules: a mapping's or a list's, by number."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"


def owner_of(word: str) -> Owner:
    """``7`` or ``mapping:7`` is a mapping, ``list:2`` a list. Raises InvalidRequest ``rule_no_target``."""
    kind, _, number = word.rpartition(":")
    counts = number.isascii() and number.isdigit() and len(number) <= 10 and 0 < int(number) < 2**31
    if kind in ("", "mapping", "list") and counts:
        return Owner(kind or "mapping", int(number))
    raise wrong("rule_no_target", word=word[:60])


@dataclass(frozen=True, slots=True)
class Kept:
    """An owner's own rules as they are kept, whether they read or not."""

    written: object
    revision: int


class RuleService:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, owner: Owner) -> Rules:
        """The owner's own rules. Raises NotFound, InvalidRequest ``rules_unreadable``."""
        kept = await self.kept(owner)
        return read_set(str(owner), kept.written, kept.revision)

    async def kept(self, owner: Owner) -> Kept:
        """The same unread: what is to be mended has to be seen. Raises NotFound."""
        async with self._db.begin() as session:
            return await self._kept(session, owner, lock=False)

    async def lists_of(self, mapping_id: int) -> tuple[tuple[int, int], ...]:
        """The lists whose rules a mapping goes by besides, by number, each with its revision."""
        async with self._db.begin() as session:
            return tuple(one for row in await kept_rules(session, [mapping_id]) for one in lists_of(row))

    async def add(
        self, owner: Owner, rule: Values[str, Any], *, at: int | None = None, actor: int | None = None
    ) -> Rules:
        """Put a rule in as number ``at``, else at the end. Raises InvalidRequest with the place of what is wrong."""

        def put(rules: list[Any]) -> list[Any]:
            place = len(rules) + 1 if at is None else at
            if not 1 <= place <= len(rules) + 1:
                raise wrong("rule_not_number", place="at", least=1, most=len(rules) + 1)
            return [*rules[: place - 1], dict(rule), *rules[place - 1 :]]

        return await self._change(owner, put, actor, "rule.add")

    async def remove(self, owner: Owner, number: int, *, actor: int | None = None) -> Rules:
        def take(rules: list[Any]) -> list[Any]:
            if not 1 <= number <= len(rules):
                raise wrong("rule_no_such", number=number, count=len(rules))
            return [*rules[: number - 1], *rules[number:]]

        return await self._change(owner, take, actor, "rule.remove")

    async def order(self, owner: Owner, numbers: Sequence[int], *, actor: int | None = None) -> Rules:
        """The same rules in another order, each named once by its number now."""

        def sort(rules: list[Any]) -> list[Any]:
            if sorted(numbers) != list(range(1, len(rules) + 1)):
                raise wrong("rule_bad_order", count=len(rules))
            return [rules[number - 1] for number in numbers]

        return await self._change(owner, sort, actor, "rule.order")

    async def replace(self, owner: Owner, written: object, *, actor: int | None = None) -> Rules:
        """A whole new set, as an object with ``rules``, whatever the old one was."""
        rules = to_json(parse(written)).get("rules", [])
        return await self._change(owner, rules, actor, "rule.replace")

    async def _change(
        self,
        owner: Owner,
        change: Callable[[list[Any]], list[Any]] | list[Any],
        actor: int | None,
        action: str,
    ) -> Rules:
        """``change`` makes new rules of the old ones, or is them."""
        async with self._db.begin() as session:
            before = await self._kept(session, owner, lock=True)
            new = change(rules_in(owner, before.written)) if callable(change) else change
            rules = parse({"rules": new}, before.revision + 1)
            await self._write(session, owner, rules)
            await audit.record(session, actor, action, str(owner), rules=len(rules.rules))
            return rules

    async def _kept(self, session: AsyncSession, owner: Owner, *, lock: bool) -> Kept:
        if owner.kind == "mapping":
            if not lock:
                await mapping_rows.one(session, owner.number)
                found = await session.get_one(Mapping, owner.number)
            else:
                found = await mapping_rows.locked(session, owner.number)
                mapping_checks.refuse_disabled(found)
            return Kept(found.rules, found.revision)
        kept = await session.get(ChannelList, owner.number, with_for_update=lock or None)
        if kept is None:
            raise no_list(owner.number)
        return Kept({"rules": kept.settings.get("rules", [])}, kept.revision)

    async def _write(self, session: AsyncSession, owner: Owner, rules: Rules) -> None:
        if owner.kind == "mapping":
            mapping = await session.get_one(Mapping, owner.number)
            mapping.rules, mapping.revision = to_json(rules), rules.revision
            changed = [owner.number]
        else:
            kept = await session.get_one(ChannelList, owner.number)
            kept.settings = (
                {**kept.settings, **to_json(rules)} if rules.rules else without_rules(kept.settings)
            )
            kept.revision = rules.revision
            await session.flush()
            changed = await mappings_in(session, owner.number)
            await raise_revisions(session, changed)
        await hold_anew(session, changed)


def no_list(named: int | str) -> NotFound:
    return NotFound("list_not_found", f"There is no list {named}. See `manage.py list list`.", list=named)


async def mappings_in(session: AsyncSession, list_id: int) -> list[int]:
    """The mappings that belong to a list, disabled ones too."""
    return list(await session.scalars(MAPPINGS_IN, {"list": list_id}))


async def raise_revisions(session: AsyncSession, mapping_ids: Sequence[int]) -> None:
    """Other rules of lists hold for these mappings from now on."""
    await session.execute(RAISE_REVISIONS, {"mappings": list(mapping_ids)})


async def hold_anew(session: AsyncSession, changed: Sequence[int]) -> None:
    """Let what waits in these mappings go by the rules that hold now. Raises InvalidRequest ``rule_never``."""
    await session.flush()
    await check_joined_times(session, changed)
    await ask_anew(session, changed)


async def ask_anew(session: AsyncSession, changed: Sequence[int]) -> None:
    """The same where nobody can be refused: rules that together leave no time let posts wait until they are mended."""
    await session.execute(HOLD_LANES, {"mappings": list(changed)})
    waited = await session.scalars(ASK_AGAIN, {"mappings": list(changed), "times": list(TIMES)})
    await count_from_now(session, sorted(set(waited)))
    await reviewing.ask_again(session, changed)


async def check_joined_times(session: AsyncSession, mapping_ids: Sequence[int]) -> None:
    """A list's quiet hours and days and the mapping's own may together leave no time. Raises InvalidRequest
    ``rule_never``. Disabled mappings send nothing: they are looked at when they are made anew."""
    at_work = await session.scalars(
        select(Mapping.id).where(Mapping.id.in_(mapping_ids), Mapping.state != MappingState.DISABLED)
    )
    for kept in await kept_rules(session, at_work.all()):
        try:
            rules = read_kept(kept)
        except InvalidRequest:
            # Changed by hand, and told when it is asked: it does not keep anybody from mending it.
            continue
        check_times(rules, kept.id)


def without_rules(settings: Values[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "rules"}


def rules_in(owner: Owner, written: object) -> list[Any]:
    """The rules of a set, of which some may not read: they can be removed one by one."""
    if isinstance(written, dict) and isinstance(rules := written.get("rules", []), list):
        return rules
    return list(to_json(read_set(str(owner), written)).get("rules", []))


MAPPINGS_IN = text(
    """
    select m.id from mappings m
      join list_channels s on s.side = 'source' and s.channel_id = m.source_id
      join list_channels d on d.side = 'destination' and d.channel_id = m.destination_id and d.list_id = s.list_id
     where s.list_id = :list order by m.id
    """
)

# In the order of their numbers, so that two lists that are changed at once do not wait for each other in a circle.
RAISE_REVISIONS = text(
    """
    update mappings set revision = revision + 1
     where id in (select id from mappings where id = any(:mappings) order by id for no key update)
    """
)

# Before deliveries, as who records takes them: whoever is putting off a post of these lanes by the rules of before is
# waited for, and seen below.
HOLD_LANES = text(
    "select 1 from lanes where mapping_id = any(:mappings) order by mapping_id for no key update"
)

# What waits for a rule of time is asked about anew when the rules change; the relay rings for it.
ASK_AGAIN = text(
    """
    update deliveries set not_before = null, reason = null
     where id = any(array(
           select id from deliveries
            where mapping_id = any(:mappings) and done_at is null and state = 'queued' and kind = 'post'
              and reserved = 0 and not unsettled and reason = any(:times) order by id for no key update))
    returning mapping_id
    """
)
