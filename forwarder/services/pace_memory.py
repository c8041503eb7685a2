"""What PostgreSQL knows of the pace: all that an emptied Redis must be told before anything is sent."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.message import AccountKind
from forwarder.pace import Learned, Memory, Sent, Wait

WAITS = """
select account_id, chat_id, method, extract(epoch from until - clock_timestamp())::float8 as seconds
  from flood_waits where until > clock_timestamp()
"""

LESSONS = """
select account_id, field, share, hold, extract(epoch from clock_timestamp() - learned_at)::float8 as ago
  from pace_lessons where learned_at > clock_timestamp() - interval '7 days'
"""

# By the second for the last minutes, by ten minutes before: only the windows of a day look so far back.
SENT = """
select d.route, d.account_id, c.telegram_id as chat_id, sum(coalesce(cardinality(d.sent_ids), 1)) as messages,
       extract(epoch from clock_timestamp() - max(d.done_at))::float8 as ago
  from deliveries d join mappings m on m.id = d.mapping_id join channels c on c.id = m.destination_id
 where d.done_at > clock_timestamp() - interval '1 day' and d.state = 'sent' and d.kind = 'post'
   and d.account_id is not null and d.route is not null
 group by d.route, d.account_id, c.telegram_id,
          case when d.done_at > clock_timestamp() - interval '3 minutes' then date_trunc('second', d.done_at)
               else date_bin('10 minutes', d.done_at, 'epoch') end
 order by max(d.done_at)
"""


async def recall(db: Database) -> Memory:
    """Running waits, what was learned, and what was sent in the last day."""
    async with db.begin() as session:
        waits = [
            Wait(r.account_id, r.chat_id, r.method if r.chat_id is not None else None, r.seconds)
            for r in await session.execute(text(WAITS))
        ]
        learned = [
            Learned(r.account_id, r.field, r.share, r.hold, r.ago)
            for r in await session.execute(text(LESSONS))
        ]
        sent = [
            Sent(AccountKind(r.route), r.account_id, r.chat_id, int(r.messages), r.ago)
            for r in await session.execute(text(SENT))
        ]
    return Memory(tuple(waits), tuple(learned), tuple(sent))


async def keep(session: AsyncSession, learned: Learned) -> None:
    """Remember what a wait taught."""
    await session.execute(
        text(
            """
            insert into pace_lessons (account_id, field, share, hold, learned_at)
            values (:account, :field, :share, :hold, clock_timestamp())
            on conflict (account_id, field) do update
               set share = excluded.share, hold = excluded.hold, learned_at = excluded.learned_at
            """
        ),
        {
            "account": learned.account_id,
            "field": learned.field,
            "share": learned.share,
            "hold": learned.hold,
        },
    )
