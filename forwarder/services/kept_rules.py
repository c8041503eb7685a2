"""The rules that hold for mappings, as they are kept: those of a mapping's lists before its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.rules import NO_RULES, Rules, parse


async def rules_of(session: AsyncSession, mapping_ids: Sequence[int]) -> dict[int, Rules]:
    """The rules that hold for each mapping, its lists' before its own. Parsed once for each revision.

    Raises InvalidRequest where what is kept does not read (it was changed by hand).
    """
    return {row.id: read_kept(row) for row in await kept_rules(session, mapping_ids)}


async def kept_rules(session: AsyncSession, mapping_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The rules of each mapping as they are kept; read by :func:`read_kept`, each by itself."""
    rows = await session.execute(
        text(
            """
            select m.id, m.revision, clock_timestamp() as now, cast(m.rules as text) as own,
                   c.telegram_id as chat, c.title, c.username,
                   array(select cast(l.settings -> 'rules' as text) from lists l
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
    return together(row.own, tuple(row.lists), row.revision)


@lru_cache(maxsize=4096)
def together(own: str, lists: tuple[str, ...], revision: int) -> Rules:
    """Of what a set has once (a footer, a delay), the mapping's own counts, else that of the last list."""
    if own == "{}" and not lists:
        return NO_RULES if revision == NO_RULES.revision else Rules((), revision)
    sets = [parse({"rules": json.loads(kept)}) for kept in lists] + [parse(json.loads(own))]
    return Rules(tuple(rule for one in sets for rule in one.rules), revision)
