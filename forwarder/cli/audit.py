"""``audit``: read source and destination again, say what differs, mend it."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.moment import Moment
from forwarder.cli.show import table
from forwarder.comparing.audit import Auditor
from forwarder.comparing.mending import Mended, Mender
from forwarder.comparing.report import Audit, signs
from forwarder.db import Database
from forwarder.settings import Need

SHOWN = 50
REASONS = {
    "copy_gone": "it was sent, and its copy is gone",
    "never_queued": "it was never queued",
    "forgotten": "it is older than what is kept here",
}


@click.command()
@click.argument("mapping", type=int)
@click.option(
    "--since", type=Moment(), help="Posts from then on: 2026-11-25, 90m, 6h, 3d [the mapping's first]."
)
@click.option(
    "--repair", is_flag=True, help="Send what is missing, edit what is out of date, and ask before deleting."
)
@click.option("--yes", is_flag=True, help="With --repair: delete doubles and strays without asking.")
def audit(mapping: int, since: datetime | None, repair: bool, yes: bool) -> None:
    """Read source and destination of MAPPING again, and list what differs.

    It needs an account that can read both: `manage.py run` or `manage.py worker --user` must be running. Missing
    posts are queued behind all live ones.

    \b
    Examples:
      manage.py audit 4 --since 3d
      manage.py audit 4 --since 2026-11-25 --repair
    """
    settings = tool_settings(Need.USER)

    async def look(db: Database) -> Audit:
        from forwarder.account_desk import AccountDesk

        return await Auditor(db, AccountDesk(db)).audit(mapping, since)

    found = with_database(settings, look)
    click.echo(verdict(found))
    for line in notes(found):
        click.echo(line)
    if not found.good:
        table(("what", "post", "copy", "note"), differences(found)[:SHOWN], empty="")
        if len(differences(found)) > SHOWN:
            click.echo(f"... and {len(differences(found)) - SHOWN:,} more.")
    if not repair or found.good:
        return
    delete = bool(found.doubles or found.strays) and (yes or _asked(found))

    async def mend(db: Database) -> Mended:
        from forwarder.account_desk import AccountDesk
        from forwarder.ingest import Ingest
        from forwarder.ingest.rows import stored_parts
        from forwarder.services.dedup import DeduplicationService
        from forwarder.services.places import Places

        dedup = DeduplicationService()
        mender = Mender(db, AccountDesk(db), Ingest(dedup), Places(dedup, stored_parts))
        return await mender.mend(found, delete=delete)

    click.echo(mended_in_words(mapping, with_database(settings, mend)))


def verdict(found: Audit) -> str:
    """``1,204 posts, 1,204 copies, 0 missing, 0 double``, and what else is wrong."""
    said = [
        _many(found.posts, "post", "posts"),
        _many(found.copies, "copy", "copies"),
        f"{len(found.missing):,} missing",
        f"{len(found.doubles):,} double",
    ]
    more = (
        (len(found.partial), "incomplete"),
        (len(found.strays), "stray"),
        (len(found.stale), "out of date"),
        (len(found.unrecorded), "not recorded"),
    )
    return ", ".join([*said, *(f"{count:,} {what}" for count, what in more if count)])


def notes(found: Audit) -> list[str]:
    said = [f"  {found.waiting:,} more on their way"] if found.waiting else []
    return said + [
        f"  {count:,} without a copy: {reason.replace('_', ' ')}" for reason, count in found.explained.items()
    ]


def differences(found: Audit) -> list[tuple[object, ...]]:
    """What differs, as lines of a table."""
    lines: list[tuple[object, ...]] = [
        ("missing", lack.post[0].message_id, "", REASONS.get(lack.reason, lack.reason.replace("_", " ")))
        for lack in found.missing
    ]
    lines += [("incomplete", post[0].message_id, "", "parts of it lack") for post in found.partial]
    lines += [("double", one.source, one.copy, f"known {signs(one.how)}") for one in found.doubles]
    lines += [
        ("stray", one.source, one.copy, "its post, or what it follows, is deleted") for one in found.strays
    ]
    lines += [("out of date", one.source, one.copy, "its post was edited") for one in found.stale]
    lines += [("not recorded", *one.pairs[0], "it is there, and we did not know") for one in found.unrecorded]
    return lines


def _asked(found: Audit) -> bool:
    count = _many(len(found.doubles) + len(found.strays), "message", "messages")
    if not sys.stdin.isatty():
        raise click.UsageError(f"--repair would delete {count}: say --yes, too.")
    return click.confirm(f"Delete {count} from the destination?")


def mended_in_words(mapping: int, mended: Mended) -> str:
    said = f"{mended.queued:,} queued again, {mended.deleted:,} deleted, {mended.edited:,} edits queued, "
    said += f"{mended.recorded:,} recorded as sent."
    if mended.repeats:
        said += (
            f"\n{_many(mended.repeats, 'post was', 'posts were')} not queued: the destination has the same content by "
            "another delivery, or is about to get it; `manage.py why LINK` names that one."
        )
    if mended.unheard:
        said += (
            f"\n{_many(len(mended.unheard), 'post was', 'posts were')} never heard; bring them with "
            f"`manage.py backfill {mapping} --from-id {min(mended.unheard)}`."
        )
    return said


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
