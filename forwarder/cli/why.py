"""``why``: what happened to one post."""

from __future__ import annotations

import click

from forwarder.bot.texts import Texts, plain
from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.show import moment
from forwarder.message import DeliveryKind, State
from forwarder.models import Language
from forwarder.services.values import ChannelName
from forwarder.services.why import DeliveryStory, Explanation, MappingStory, explain

TEXTS = Texts(Language.EN)
NOTES = {
    "not_heard": "No such post has been heard so far.",
    "passed_over": "The listener is past this id: it was empty, or came before the source was followed.",
    "not_a_source": "This channel is not a source.",
    "collecting": "It waits until its album, or a gap before it, is complete.",
    "service": "It is a service message, which is passed over.",
    "forgotten": "The copy is ours; its source post is no longer kept.",
}
WITHOUT = {
    "before_start": "the post is older than the mapping",
    "mapping_disabled": "the mapping is disabled",
    "other_topic": "the post is in another topic",
    "own_copy": "the post is itself a copy that came from there",
}
STATES = {
    State.QUEUED: "waits its turn",
    State.SENDING: "is being sent",
    State.UNSURE: "was sent without an answer; the copy is being looked for",
    State.HELD: "is held",
    State.SENT: "was sent",
    State.FAILED: "failed",
    State.FILTERED: "was filtered",
    State.DUPLICATE: "was there already",
    State.WITHDRAWN: "was withdrawn",
}


@click.command()
@click.argument("link")
def why(link: str) -> None:
    """What happened to the post at LINK (https://t.me/name/123), a source's or one of our copies, and why."""
    story = with_database(tool_settings(), lambda db: explain(db, link))
    for line in lines(story):
        click.echo(line)


def lines(story: Explanation) -> list[str]:
    """The story as lines of text."""
    told = [f"Post {story.message_id} of {called(story.source)}" + (f", {story.kind}" if story.kind else "")]
    if story.copy_in is not None:
        told.append(f"  The link is to our copy in {called(story.copy_in)}.")
    if len(story.album) > 1:
        told.append(f"  An album of {len(story.album)}: {', '.join(map(str, story.album))}.")
    for label, at in (
        ("posted", story.posted_at),
        ("heard", story.heard_at),
        ("edited", story.edited_at),
        ("deleted", story.deleted_at),
    ):
        if at is not None:
            how = f" ({story.heard})" if label == "heard" and story.heard else ""
            told.append(f"  {label} {moment(at)}{how}")
    if story.note is not None:
        told.append(f"  {NOTES.get(story.note, story.note)}")
    told += [_delivery(one) for one in story.deliveries]
    told += [_without(one) for one in story.without]
    if not story.deliveries and not story.without and story.note is None:
        told.append("  No mapping takes posts from this source.")
    return told


def called(channel: ChannelName) -> str:
    """A channel by its title and what one can look it up by."""
    return f"{channel.title} ({'@' + channel.username if channel.username else channel.telegram_id})"


def _delivery(one: DeliveryStory) -> str:
    what = {DeliveryKind.POST: "", DeliveryKind.EDIT: "the edit ", DeliveryKind.DELETE: "the deletion "}
    parts = [f"  -> {called(one.destination)}, mapping {one.mapping_id}: {what[one.kind]}{STATES[one.state]}"]
    if one.reason and one.rule is not None:
        parts.append(f"({plain(TEXTS.refusal(one.reason, one.rule, one.words, one.owner))})")
        parts += ["and the copy stays as it was"] if one.kind is DeliveryKind.EDIT else []
    elif one.reason:
        parts.append(f"({plain(TEXTS.reason(one.reason))})")
    if one.revision is not None:
        lists = [f"revision {of} of list:{number}" for number, of in one.lists]
        parts.append(f"({', '.join([f'revision {one.revision} of the mapping', *lists])})")
    if one.state is State.DUPLICATE and one.duplicate_of is not None:
        parts.append(f"as delivery {one.duplicate_of}")
    if one.done_at is not None:
        parts.append(f"at {moment(one.done_at)}")
    elif one.not_before is not None:
        parts.append(f"until {moment(one.not_before)}")
    if one.behind is not None:
        why = f" ({plain(TEXTS.reason(one.behind.reason))})" if one.behind.reason else ""
        parts.append(
            f"behind post {one.behind.message_id}, which waits{why} until {moment(one.behind.until)}"
        )
    if one.mode and one.route:
        parts.append(f"({one.mode} by {one.account or one.route}, attempt {max(1, one.attempts)})")
    if one.backfilled:
        parts.append("as an older post behind all live ones")
    if one.copies:
        parts.append("copy " + ", ".join(map(str, one.copies)))
    return " ".join(parts)


def _without(one: MappingStory) -> str:
    return f"  -> {called(one.destination)}, mapping {one.mapping_id}: not sent, {WITHOUT[one.reason]}"
