"""``review``: posts that wait for somebody's word, and the word."""

from __future__ import annotations

import click

from forwarder.bot.texts import Texts
from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.show import moment, table
from forwarder.cli.why import called
from forwarder.db import Database
from forwarder.ingest.rows import stored_parts
from forwarder.models import Language
from forwarder.services.reviews import Answer, Card, ReviewService, Said

TEXTS = Texts(Language.EN)
LONGEST_TEXT = 60
MOST = 1000


@click.group()
def review() -> None:
    """Posts that wait for review: list them, approve them, reject them.

    \b
    Examples:
      manage.py rule add 7 review '{"hours": 24, "then": "withdraw"}'
      manage.py review list
      manage.py review approve 1041 1042
      manage.py review reject --mapping 7
    """


@review.command("list")
@click.argument("mapping", type=int, required=False)
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True)
def list_(mapping: int | None, limit: int) -> None:
    """What waits, the longest first; of one MAPPING, or of all."""
    found = with_database(tool_settings(), lambda db: ReviewService(db, stored_parts).list(mapping, 0, limit))
    table(
        ("number", "mapping", "from", "post", "what", "until", "then", "text"),
        [_row(card) for card in found.items],
        empty="No post waits for review.",
    )
    if found.total > len(found.items):
        click.echo(f"{found.total - len(found.items):,} more: --limit {min(MOST, found.total)}", err=True)


@review.command()
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1)
@click.option("--mapping", type=int, help="All that waits of this mapping now.")
def approve(numbers: tuple[int, ...], mapping: int | None) -> None:
    """Let the posts with these NUMBERS go (see `review list`), or all of a mapping."""
    _decide(numbers, mapping, approve=True)


@review.command()
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1)
@click.option("--mapping", type=int, help="All that waits of this mapping now.")
def reject(numbers: tuple[int, ...], mapping: int | None) -> None:
    """Leave the posts with these NUMBERS out (see `review list`), or all of a mapping."""
    _decide(numbers, mapping, approve=False)


def _decide(numbers: tuple[int, ...], mapping: int | None, *, approve: bool) -> None:
    if bool(numbers) == (mapping is not None):
        raise click.UsageError("Say which posts: their numbers from `review list`, or --mapping N.")
    word = "approved" if approve else "rejected"

    async def work(db: Database) -> list[str]:
        service = ReviewService(db, stored_parts)
        if mapping is not None:
            count = await service.decide_all(mapping, approve=approve)
            return [f"Mapping {mapping}: {count:,} {'post' if count == 1 else 'posts'} {word}."]
        return [
            f"{number}: {_word(await service.decide(number, approve=approve), word)}" for number in numbers
        ]

    for line in with_database(tool_settings(), work):
        click.echo(line)


def _word(answer: Answer, word: str) -> str:
    if answer.said is Said.DONE:
        return f"{word}."
    if answer.approved is None:
        return TEXTS.plain("review.ended", reason=TEXTS.reason(answer.reason))
    before = "approved" if answer.approved else "rejected"
    return TEXTS.plain(f"review.before.{before}", who=answer.by or TEXTS.plain("review.nobody"))


def _row(card: Card) -> tuple[object, ...]:
    text = " ".join(card.text.split())
    what = f"album of {card.parts}" if card.parts > 1 else str(card.kind)
    return (
        card.delivery_id,
        card.mapping.id,
        called(card.source),
        card.message_id,
        what,
        moment(card.until),
        "sent" if card.sends else "left out",
        text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…",
    )
