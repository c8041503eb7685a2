"""Edits and deletions of messages that we have."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.ingest.rows import entities_json, entities_rows, facts_json
from forwarder.ingest.sources import Source
from forwarder.message import AccountKind, Deleted, DeliveryKind, Edited, Heard, SourceMessage
from forwarder.outbox import FIX, FIX_AGAIN, HAS_RULES, MAY_HAVE_COPIES, Due, ended_without_success

# The names that the two APIs have for one medium cannot be compared; a text may have got a medium. (The source's
# row is locked, so nobody changes the message between the two looks at it.) A bot is not told that a post is silent:
# its edits leave that as it was heard.
EDIT = text(
    """
    update messages m
       set text = :text, entities = cast(:entities as jsonb), edit_date = :edit_date,
           kind = case when n.other then :kind else m.kind end,
           media_id = case when n.other then :media else m.media_id end,
           file_id = case when n.other and cast(:file as text) is null
                           and coalesce(m.edit_date, to_timestamp(0))
                                < cast(:edit_date as timestamptz) - interval '1 ms' then null
                          else coalesce(:file, m.file_id) end,
           facts = cast(:facts as jsonb) || case when :by_bot and m.facts ? 'silent' then '{"silent": true}'::jsonb
                                                 else '{}' end,
           replaced = m.replaced or n.other
      from (select id, coalesce(left(media_id, 3) = left(cast(:media as text), 3) and media_id <> :media
                                or media_id is null and kind = 'text' and cast(:media as text) is not null,
                                false) as other
              from messages where channel_id = :channel and message_id = :id) n
     where m.id = n.id and m.deleted_at is null
       and coalesce(m.edit_date, to_timestamp(0))
           < coalesce(cast(:edit_date as timestamptz), to_timestamp(0))
             + case when :read then interval '0' else interval '1 ms' end
       and (m.text <> :text or m.entities <> cast(:entities as jsonb) or n.other)
    returning m.post_id
    """
)


# Buttons change nothing of a copy, but a post that still waits may be one that a rule refuses for them.
PUT_BUTTONS = text(
    """
    update messages
       set facts = case when :buttons then facts || '{"buttons": true}' else facts - 'buttons' end,
           edit_date = greatest(edit_date, cast(:edit_date as timestamptz))
     where channel_id = :channel and message_id = :id and deleted_at is null and (facts ? 'buttons') <> :buttons
       and coalesce(edit_date, to_timestamp(0)) <= coalesce(cast(:edit_date as timestamptz), to_timestamp(0))
    """
)


# What does not differ in any of what EDIT, name_file and PUT_BUTTONS look at.
DIFFERENT = text(
    """
    select distinct m.channel_id, m.message_id
      from json_to_recordset(cast(:edits as json)) as e (
           channel int, id bigint, text text, entities jsonb, media text, file text, buttons boolean)
      join messages m on m.channel_id = e.channel and m.message_id = e.id and m.deleted_at is null
     where m.text <> e.text or m.entities <> e.entities
        or left(m.media_id, 3) = left(e.media, 3) and m.media_id <> e.media
        or m.media_id is null and e.media is not null
        or e.file is not null and m.file_id is distinct from e.file
        or (m.facts ? 'buttons') <> e.buttons
    """
)

Change = tuple[Source, Edited | Deleted]


async def real_changes(session: AsyncSession, changes: Sequence[Change]) -> list[Change]:
    """Without the edits of messages that read as they did: one statement, however many are read again.

    Nearly all messages that are read again for what was not heard have not changed. Of a message that has, every
    edit counts: the last may be back to what we have.
    """
    edits = [
        {
            "channel": source.id,
            "id": change.message.message_id,
            "text": change.message.text,
            "entities": entities_rows(change.message.entities),
            "media": change.message.media_id,
            "file": change.message.file_id,
            "buttons": change.message.facts.buttons,
        }
        for source, change in changes
        if isinstance(change, Edited)
    ]
    if not edits:
        return list(changes)
    rows = await session.execute(DIFFERENT, {"edits": json.dumps(edits)})
    different = {(row.channel_id, row.message_id) for row in rows}
    return [
        (source, change)
        for source, change in changes
        if isinstance(change, Deleted) or (source.id, change.message.message_id) in different
    ]


async def apply_edit(session: AsyncSession, source: Source, message: SourceMessage) -> list[Due]:
    """Take over an edit of a message we have, and queue it where a copy may exist already.

    An edit of a post that is still queued changes the row only: what is sent is read when it is sent. An
    edit that changes neither text nor medium (a reaction, a view) is none; of one that puts buttons below, or takes
    them away, the row alone knows. What was read from the server may
    be older than an edit that was pushed meanwhile: it counts only when it is younger than what we have.
    """
    await keep_earlier_text(session, source, message)
    changed = await session.scalar(
        EDIT,
        {
            "channel": source.id,
            "id": message.message_id,
            "text": message.text,
            "entities": entities_json(message.entities),
            "edit_date": message.edit_date,
            "read": message.heard in (Heard.POLL, Heard.CATCH_UP),
            "media": message.media_id,
            "kind": message.kind.value,
            "file": message.file_id,
            "facts": facts_json(message.facts),
            "by_bot": message.heard is Heard.BOT,
        },
    )
    if changed is None and message.file_id is not None:
        changed = await name_file(session, source, message)
    if changed is None:
        values = {"channel": source.id, "id": message.message_id, "edit_date": message.edit_date}
        await session.execute(PUT_BUTTONS, values | {"buttons": message.facts.buttons})
        return []
    return await queue_fix(session, changed, DeliveryKind.EDIT, [message.message_id])


async def name_file(session: AsyncSession, source: Source, message: SourceMessage) -> int | None:
    """Keep what the bot calls the medium, whoever is the first to hear that it was replaced.

    Answers the post where that is known already: the bot can edit its copy now. The date, just before the edit's, says
    that the name is of this edit, and lets whoever hears of it next apply it all the same.
    """
    post: int | None = await session.scalar(
        text(
            "update messages set file_id = :file,"
            " edit_date = greatest(edit_date, cast(:edited as timestamptz) - interval '1 ms')"
            " where channel_id = :channel and message_id = :id"
            " and file_id is distinct from :file and deleted_at is null"
            " returning case when replaced then post_id end"
        ),
        {
            "channel": source.id,
            "id": message.message_id,
            "file": message.file_id,
            "edited": message.edit_date,
        },
    )
    return post


async def keep_earlier_text(session: AsyncSession, source: Source, message: SourceMessage) -> None:
    """Remember what an edit takes away while a copy of unknown outcome may have been made of it: the copy will be
    looked for by what it says."""
    await session.execute(
        text(
            """
            update messages m set earlier = earlier || to_jsonb(m.text)
             where channel_id = :channel and message_id = :id and m.text <> :text
               and not earlier @> to_jsonb(m.text)
               and exists (select 1 from deliveries d where d.post_id = m.post_id and d.kind = 'post'
                              and (d.state in ('sending', 'unsure') or d.unsettled))
            """
        ),
        {"channel": source.id, "id": message.message_id, "text": message.text},
    )


async def apply_deletion(session: AsyncSession, source: Source, message_ids: Sequence[int]) -> list[Due]:
    """Mark messages as deleted, withdraw posts that were not sent, queue the deletion of copies."""
    rows = (
        await session.execute(
            text(
                """
                update messages set deleted_at = clock_timestamp()
                 where channel_id = :channel and message_id = any(:ids) and deleted_at is null
                returning post_id, message_id
                """
            ),
            {"channel": source.id, "ids": list(message_ids)},
        )
    ).all()
    gone: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        gone[row.post_id].append(row.message_id)
    due: list[Due] = []
    for post_id, ids in gone.items():
        withdrawn = await session.scalars(
            text(
                """
                update deliveries d set state = 'withdrawn', reason = 'deleted_at_source', done_at = clock_timestamp()
                 where d.id = any(array(
                       select q.id from deliveries q
                        where q.post_id = :post and q.done_at is null
                          and ((q.kind = 'post' and q.state in ('queued', 'held') and not q.unsettled)
                               or (q.kind = 'edit' and q.state = 'queued'))
                          and not exists (select 1 from messages m
                                           where m.post_id = q.post_id and m.deleted_at is null)
                        order by q.id for no key update))
                returning case when d.kind = 'post' then d.id end
                """
            ),
            {"post": post_id},
        )
        due += await ended_without_success(session, [i for i in withdrawn if i is not None])
        due += await queue_fix(session, post_id, DeliveryKind.DELETE, ids)
        if left := list(await session.scalars(LEFT, {"post": post_id})):
            # What rules have put around the text may have stood on a part that is gone.
            due += await queue_fix(session, post_id, DeliveryKind.EDIT, left, after_deletion=True)
    return due


LEFT = text("select message_id from messages where post_id = :post and deleted_at is null")


QUEUE_FIX = text(
    f"""
    insert into deliveries as d (mapping_id, post_id, kind, class, position, parts, state, reason)
    select p.mapping_id, p.post_id, :kind, :class, p.position, cast(:parts as bigint[]),
           case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end
      from deliveries p join mappings m on m.id = p.mapping_id and m.state <> 'disabled'
     where p.post_id = :post and p.kind = 'post'
       and {MAY_HAVE_COPIES} and (p.state not in ('failed', 'withdrawn') or :kind = 'delete')
       and case when :kind = 'edit' then m.edit_sync else m.delete_sync end
       and (not :after_deletion or m.delete_sync and {HAS_RULES})
     order by p.id for share of p
    on conflict (mapping_id, post_id, kind) do update
       set parts = array(select distinct unnest(d.parts || excluded.parts) order by 1), {FIX_AGAIN}
    returning d.id, d.mapping_id, d.state,
              (select l.route from lanes l where l.mapping_id = d.mapping_id) as route,
              (select m.important from mappings m where m.id = d.mapping_id) as important
    """  # noqa: S608 - what is put in is a literal
)


async def queue_fix(
    session: AsyncSession,
    post_id: int,
    kind: DeliveryKind,
    message_ids: Sequence[int],
    *,
    after_deletion: bool = False,
) -> list[Due]:
    """Queue an edit or deletion of these messages in every mapping that has sent the post or is sending it.

    A post that waits after a call of unknown outcome counts as being sent: if that call was executed after all,
    the repeated one answers with its message, which has the old text. Quick edits coalesce: the row collects the
    parts, and one that is being applied is applied again. The lock on the post's row makes a result that is
    being recorded wait, or be seen: no edit is left behind a post that has just failed. ``after_deletion``: only in
    mappings whose rules have a say, and which follow deletions.
    """
    rows = await session.execute(
        QUEUE_FIX,
        {
            "post": post_id,
            "kind": kind.value,
            "class": FIX,
            "parts": sorted(message_ids),
            "after_deletion": after_deletion,
        },
    )
    return [
        Due(r.mapping_id, r.id, AccountKind(r.route), FIX, r.important) for r in rows if r.state == "queued"
    ]
