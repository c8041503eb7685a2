"""The rules that hold for mappings, as they are kept: those of a mapping's lists before its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest
from forwarder.rules import NO_RULES, Rule, Rules, parse

OWN = 0
"""Stands for a list's number where a mapping's own rules are meant."""


async def rules_of(session: AsyncSession, mapping_ids: Sequence[int]) -> dict[int, Rules]:
    """The rules that hold for each mapping, its lists' before its own. Parsed once for each revision.

    Raises InvalidRequest ``rules_unreadable`` where what is kept does not read (it was changed by hand).
    """
    return {row.id: read_kept(row) for row in await kept_rules(session, mapping_ids)}


async def kept_rules(session: AsyncSession, mapping_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The rules of each mapping as they are kept; read by :func:`read_kept`, each by itself."""
    rows = await session.execute(
        text(
            """
            select m.id, m.revision, clock_timestamp() as now, cast(m.rules as text) as own,
                   c.telegram_id as chat, c.title, c.username,
                   array(select array[cast(l.id as text), cast(l.settings -> 'rules' as text),
                                      cast(l.revision as text)] from lists l
                           join list_channels s on s.list_id = l.id and s.side = 'source'
                           join list_channels d on d.list_id = l.id and d.side = 'destination'
                          where s.channel_id = m.source_id and d.channel_id = m.destination_id
                            and l.settings ? 'rules' order by l.id) as lists
              from mappings m join channels c on c.id = m.source_id where m.id = any(:ids)
            """
        ),
        {"ids": list(mapping_ids)},
    )
    return rows.all()


def read_kept(row: Row[Any]) -> Rules:
    """Raises InvalidRequest as :func:`rules_of` does."""
    lists = tuple((int(number), kept, int(revision)) for number, kept, revision in row.lists)
    if row.own == "{}" and not lists:
        return NO_RULES if row.revision == NO_RULES.revision else Rules((), row.revision)
    return together(row.id, row.own, lists, row.revision)


def lists_of(row: Row[Any]) -> tuple[tuple[int, int], ...]:
    """The lists whose rules hold too, by number, each with the revision of its own."""
    return tuple((int(number), int(revision)) for number, _, revision in row.lists)


@lru_cache(maxsize=4096)
def together(mapping: int, own: str, lists: tuple[tuple[int, str, int], ...], revision: int) -> Rules:
    """Of what a set has once (a footer, a delay), the mapping's own counts, else that of the last list.

    ``lists`` has each list's number, its rules and their revision.
    """
    sets = [
        (number, read_set(f"list:{number}", {"rules": json.loads(kept)}).rules) for number, kept, _ in lists
    ]
    sets.append((OWN, read_set(f"mapping:{mapping}", json.loads(own)).rules))
    names = Counter(rule.label for _, rules in sets for rule in rules)
    covering = [number for number, rules in sets if any(rule.verb == "spoiler" for rule in rules)]
    held = tuple(
        rule if number == OWN else of_list(number, rule, names)
        for number, rules in sets
        for rule in rules
        # Its half that covers the text is a change like others; both halves are the last set's.
        if rule.verb != "spoiler" or number == covering[-1]
    )
    return Rules(held, revision, tuple((number, of) for number, _, of in lists))


def read_set(owner: str, written: object, revision: int = 1) -> Rules:
    """A set as it is kept. Raises InvalidRequest ``rules_unreadable``, which says whose it is, where it is wrong, and
    what mends it."""
    try:
        return parse(written, revision)
    except InvalidRequest as error:
        raise InvalidRequest(
            "rules_unreadable",
            f"The rules kept for {owner} do not read. {error} See them with `manage.py rule list {owner} --json` and "
            f"write them anew with `manage.py rule set {owner}`.",
            owner=owner,
            place=str(error.fields.get("place", "rules")),
            problem=error,
        ) from error


def of_list(number: int, rule: Rule, names: Mapping[str, int]) -> Rule:
    """A rule without a name says whose it is, for its place could be that of a rule of the mapping's own; and one that
    is called as another is."""
    alone = "name" in rule.written and names[rule.label] == 1
    return rule if alone else replace(rule, label=f"list:{number} {rule.label}")
