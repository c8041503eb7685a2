"""What rules are told of a post besides the post itself: its source's names, and our copies of what it links to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import SourceMessage
from forwarder.rules import Context, Rules, linked_posts
from forwarder.rules.changes import PostKey

CHANNEL_OFFSET = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class SourceNamed:
    """A mapping's source by its marked id and its names."""

    chat_id: int
    title: str
    username: str | None

    def context(self, parts: Sequence[SourceMessage]) -> Context:
        """Without copies. The name is the successor's alone where a post is from the group that it was before."""
        return Context(self.title, self.username if parts[0].chat_id == self.chat_id else None)


async def context_of(
    session: AsyncSession, mapping_id: int, source: SourceNamed, rules: Rules, parts: Sequence[SourceMessage]
) -> Context:
    """All that rules may ask for; copies are looked up only for posts whose rules want them."""
    context = source.context(parts)
    linked = linked_posts(rules, parts)
    if not linked:
        return context
    return Context(
        context.source_title, context.source_username, await copies_of(session, mapping_id, linked)
    )


# Mappings of the linked source, and of what it was before, into this destination: few, and found by indexes, as their
# copies are. One's own copy goes before another mapping's, what can be linked to before what cannot.
COPIES = text(
    """
    select distinct on (w.name, w.chat, w.message)
           w.name, w.chat, w.message, d.username, d.telegram_id, c.message_id as copy
      from unnest(cast(:names as text[]), cast(:chats as bigint[]), cast(:messages as bigint[]))
           as w (name, chat, message)
      join channels s on s.telegram_id = w.chat or lower(s.username) = w.name
      join mappings m on m.id = :mapping
      join mappings o on o.destination_id = m.destination_id
       and o.source_id in (s.id, (select n.id from channels n where n.telegram_id = s.migrated_to))
      join copies c on c.mapping_id = o.id and c.source_id = s.id and c.source_message_id = w.message
      join channels d on d.id = c.channel_id
     order by w.name, w.chat, w.message, (d.username is not null or d.telegram_id < :channels) desc,
              (o.id = m.id) desc, c.message_id
    """
)


async def copies_of(session: AsyncSession, mapping_id: int, posts: Sequence[PostKey]) -> dict[PostKey, str]:
    """Links to copies of these posts in the mapping's destination, of those that have one that can be linked to.

    Whichever mapping has brought them: a link is for the destination's readers, who see them all.
    """
    if not posts:
        return {}
    rows = await session.execute(
        COPIES,
        {
            "mapping": mapping_id,
            "channels": -CHANNEL_OFFSET,
            "names": [chat if isinstance(chat, str) else None for chat, _ in posts],
            "chats": [chat if isinstance(chat, int) else None for chat, _ in posts],
            "messages": [message for _, message in posts],
        },
    )
    found: dict[PostKey, str] = {}
    for row in rows:
        key = row.name if row.chat is None else row.chat
        if row.username:
            found[(key, row.message)] = f"https://t.me/{row.username}/{row.copy}"
        elif row.telegram_id < -CHANNEL_OFFSET:
            found[(key, row.message)] = f"https://t.me/c/{-row.telegram_id - CHANNEL_OFFSET}/{row.copy}"
    return found
