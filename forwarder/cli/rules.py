"""``rule``: what passes a mapping, what changes, and when it goes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from forwarder.bot.texts import Texts, plain
from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.ids import ChatReference
from forwarder.cli.show import moment, table
from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.message import NewPart, Rewrite, SourceMessage
from forwarder.models import Language
from forwarder.rules import (
    Hold,
    NotBefore,
    Passed,
    Refused,
    Rules,
    Withdraw,
    check_rule,
    read_json,
)
from forwarder.rules.entities import from_utf16
from forwarder.rules.examples import CONDITION_EXAMPLES, VERB_EXAMPLES
from forwarder.rules.templates import FIELDS
from forwarder.services.rules import RuleService, owner_of
from forwarder.trial import Trial, Tried

TEXTS = Texts(Language.EN)
LONGEST_SHOWN = 100
MOST_TRIED = 1000
WORDED = frozenset(verb for verb, value in VERB_EXAMPLES.items() if isinstance(value, str))
"""Verbs with a text behind them, whatever it looks like: a footer may be ``[news]`` or ``2026``."""

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)


class TriedMapping(click.ParamType[int]):
    """A mapping as the other commands name it, ``7`` or ``mapping:7``."""

    name = "mapping"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            owner = owner_of(str(value))
        except InvalidRequest as error:
            self.fail(str(error), param, ctx)
        if owner.kind == "list":
            self.fail(
                "a list has no posts of its own: try one of its mappings, which `manage.py list show "
                f"{owner.number}` names.",
                param,
                ctx,
            )
        return owner.number


@click.group()
def rule() -> None:
    """Rules: what passes a mapping, what changes, and when it goes.

    OWNER is a mapping's number, or list:NUMBER for the rules that a list (see `manage.py list`) gives to all its
    mappings. Filters (allow, deny) look at the source's post, whatever their place in the list. `rule help` shows all
    verbs.
    """


@rule.command("help")
def help_() -> None:
    """All verbs and conditions, each with an example of what stands behind it."""
    click.echo("Verbs, as in `manage.py rule add 7 VERB VALUE`:\n")
    _show_examples("rule", VERB_EXAMPLES)
    click.echo('\nConditions of allow and deny, as in `manage.py rule add 7 deny \'{"words": ["sale"]}\'`:\n')
    _show_examples("condition", CONDITION_EXAMPLES)
    click.echo(
        f"\nFields of header, footer and button: {' '.join(f'{{{name}}}' for name in FIELDS)}."
        "\nTheir tags: <b> <i> <u> <s> <code> <tg-spoiler> <blockquote> <a href>. Patterns are RE2's, where \\w is"
        " a Latin letter\nand \\p{L} any; (?i) ignores case. Ids are numbers. `length` counts characters,\nand `cut`"
        " Telegram's UTF-16 units, of which most emoji have two."
    )


@rule.command(context_settings={"ignore_unknown_options": True})
@click.argument("owner")
@click.argument("verb")
@click.argument("value")
@click.option("--name", help="What the rule is called where it refuses a post.")
@click.option("--at", type=int, help="Put it in as this number [the last].")
def add(owner: str, verb: str, value: str, name: str | None, at: int | None) -> None:
    """Add a rule. VALUE is JSON, or a text as it is.

    \b
    Examples:
      manage.py rule add 7 deny '{"words": ["реклама", "sale"]}' --name "no adverts"
      manage.py rule add 7 allow '{"any": [{"hashtags": ["news"]}, {"kind": "video"}]}'
      manage.py rule add 7 quiet '{"from": "23:00", "to": "07:00", "zone": "Europe/Moscow"}'
      manage.py rule add 7 footer '{source_title} · <a href="{post_link}">source</a>'
      manage.py rule add list:2 deny '{"regex": "(?i)promo ?code"}'
    """
    written: dict[str, Any] = {verb: _value(verb, value)}
    if name is not None:
        written["name"] = name
    check_rule(written)  # what is wrong with the rule itself is said without a database
    target = owner_of(owner)
    rules = with_database(tool_settings(), lambda db: RuleService(db).add(target, written, at=at))
    number = at or len(rules.rules)
    on = str(target.number) if target.kind == "mapping" else "MAPPING"
    click.echo(
        f"Rule {number} of {target}: {rules.rules[number - 1].label}. Try it with `manage.py rule try {on}`."
    )


@rule.command("list")
@click.argument("owner")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="The whole set as JSON, as `rule set` takes it, even where it does not read.",
)
def list_(owner: str, as_json: bool) -> None:
    """The rules of OWNER in their order, and their revision.

    \b
    Examples:
      manage.py rule list 7
      manage.py rule list list:2 --json
    """
    target = owner_of(owner)
    settings = tool_settings()
    if as_json:
        kept = with_database(settings, lambda db: RuleService(db).kept(target))
        click.echo(json.dumps(kept.written or {"rules": []}, ensure_ascii=False, indent=1))
        return

    async def work(db: Database) -> tuple[Rules, tuple[tuple[int, int], ...]]:
        service = RuleService(db)
        inherits = target.kind == "mapping"
        return await service.get(target), await service.lists_of(target.number) if inherits else ()

    rules, lists = with_database(settings, work)
    table(("number", "name", "verb", "what"), _rows(rules), empty=f"No rules of {target} yet: add one.")
    # Beside the table, so that a pipe reads rules and nothing else.
    click.echo(f"Revision {rules.revision} of {target}.", err=True)
    for number, revision in lists:
        click.echo(f"Before these it goes by the rules of list:{number}, revision {revision}.", err=True)


@rule.command("set")
@click.argument("owner")
def set_(owner: str) -> None:
    """Replace all rules of OWNER by the JSON on standard input, as `rule list --json` shows it.

    \b
    Examples:
      manage.py rule set 8 < rules.json
      manage.py rule list 7 --json | manage.py rule set 8
    """
    target, written = owner_of(owner), read_json(sys.stdin.read())
    rules = with_database(tool_settings(), lambda db: RuleService(db).replace(target, written))
    click.echo(f"{_counted(rules)} of {target}.")


@rule.command()
@click.argument("owner")
@click.argument("numbers", type=int, nargs=-1, required=True)
def order(owner: str, numbers: tuple[int, ...]) -> None:
    """Put the rules of OWNER into another order, by their NUMBERS in the old one.

    \b
    Example:
      manage.py rule order 7 3 1 2     makes the third the first
    """
    target = owner_of(owner)
    rules = with_database(tool_settings(), lambda db: RuleService(db).order(target, numbers))
    table(("number", "name", "verb", "what"), _rows(rules), empty="No rules.")


@rule.command()
@click.argument("owner")
@click.argument("number", type=int)
def remove(owner: str, number: int) -> None:
    """Remove rule NUMBER of OWNER.

    \b
    Examples:
      manage.py rule remove 7 2
      manage.py rule remove list:2 1
    """
    target = owner_of(owner)
    rules = with_database(tool_settings(), lambda db: RuleService(db).remove(target, number))
    click.echo(f"Removed; {target} has {_counted(rules)}.")


@rule.command("try", cls=ChatReference)
@click.argument("mapping", type=TriedMapping())
@click.argument("link", required=False)
@click.option("--last", type=click.IntRange(1, MOST_TRIED), help="The newest posts of the source [20].")
@click.option("--text", help="A text as if it had just been posted.")
def try_(mapping: int, link: str | None, last: int | None, text: str | None) -> None:
    """What the rules of MAPPING make of the post at LINK, of the last posts, or of a text. Nothing is sent.

    \b
    Examples:
      manage.py rule try 7 https://t.me/news/123
      manage.py rule try 7 --last 20
      manage.py rule try 7 --text "Big SALE today"
    """
    if (link is not None) + (last is not None) + (text is not None) > 1:
        raise click.UsageError("Say one of LINK, --last and --text.")
    if text is not None and not text.strip():
        raise click.UsageError("Write a text behind --text.")

    async def work(db: Database) -> list[Tried]:
        trial = Trial(db, mapping)
        if link is not None:
            return await trial.post(link)
        return await trial.words(text) if text is not None else await trial.last(last or 20)

    tried = with_database(tool_settings(), work)
    if not tried:
        what = (
            "No such post is kept here; try another"
            if link
            else "No post of its source is kept here yet; try a link"
        )
        click.echo(f"{what}, or --text.", err=True)
    for one in tried:
        for line in told(one):
            click.echo(line)


def told(tried: Tried) -> list[str]:
    """One post's story as lines of text."""
    first = tried.parts[0]
    lines = [f"{first.message_id} {'album' if len(tried.parts) > 1 else first.kind}: {verdict(tried)}"]
    match tried.goes:
        case NotBefore(at, why):
            lines.append("  " + TEXTS.plain("goes.not_before", at=moment(at), reason=TEXTS.reason(why)))
        case Hold(expires):
            lines.append("  " + TEXTS.plain("goes.hold", at=moment(expires)))
        case Withdraw(why):
            reason = TEXTS.refusal(why, tried.withdrawn_by, ())
            lines.append("  " + TEXTS.plain("goes.withdraw", reason=reason))
    if tried.rewrite is not None:
        lines += [f"  {line}" for line in _changes(tried.parts, tried.rewrite)]
    if isinstance(tried.outcome, Passed):
        if tried.mode is None:
            lines.append("  " + TEXTS.plain("goes.nowhere"))
        elif tried.rewrite is not None and tried.forwards:
            lines.append("  " + TEXTS.plain("goes.copied"))
    return lines


def _changes(parts: Sequence[SourceMessage], rewrite: Rewrite) -> Iterator[str]:
    """What is sent in another way than it stands in the source."""
    sources = {part.message_id: part for part in parts}
    for part in rewrite.parts:
        source = sources[part.message_id]
        if part.text != source.text:
            yield from (f"- {line}" for line in source.text.splitlines())
            yield from (f"+ {line}" for line in part.text.splitlines())
        before, after = _hidden_links(source), _hidden_links(part)
        yield from (f"- {link}" for link in before if link not in after)
        yield from (f"+ {link}" for link in after if link not in before)
        if _covered(part) and not _covered(source):
            yield TEXTS.plain("goes.text_covered")
        if part.cover:
            yield TEXTS.plain("goes.medium_covered")
        if part.look.preview_hidden != source.facts.preview_hidden:
            hidden = part.look.preview_hidden
            yield TEXTS.plain("goes.preview_hidden" if hidden else "goes.preview_shown")
    if rewrite.rest is not None:
        yield from (f"++ {line}" for line in rewrite.rest.text.splitlines())
        yield from (f"++ {link}" for link in _hidden_links(rewrite.rest))
    if rewrite.button is not None:
        yield f"[{rewrite.button.text}] {rewrite.button.url}"


def _hidden_links(part: SourceMessage | NewPart) -> list[str]:
    """``words → address`` of each link that stands behind words."""
    rich = from_utf16(part.text, part.entities)
    return [
        f"{rich.text[e.offset : e.offset + e.length]} → {e.url}"
        for e in rich.entities
        if e.type == "text_link"
    ]


def _covered(part: SourceMessage | NewPart) -> bool:
    return any(entity.type == "spoiler" for entity in part.entities)


def verdict(tried: Tried) -> str:
    if isinstance(tried.outcome, Refused):
        return plain(TEXTS.refusal(tried.outcome.reason, tried.outcome.rule, tried.outcome.words))
    if not tried.by:
        return TEXTS.plain("passed.untouched")
    return TEXTS.plain("passed.changed", rules=", ".join(tried.by))


def _value(verb: str, value: str) -> Any:
    """JSON where it looks like it, else the text itself."""
    if verb in WORDED:
        return read_json(value) if QUOTED.fullmatch(value) else value
    if value[:1] in ("{", "[", '"') or value in ("true", "false") or NUMBER.fullmatch(value):
        return read_json(value)
    return value


def _counted(rules: Rules) -> str:
    return f"{len(rules.rules)} {'rule' if len(rules.rules) == 1 else 'rules'}"


def _rows(rules: Rules) -> list[tuple[object, ...]]:
    return [
        (number, one.label, one.verb, _short(one.written[one.verb]))
        for number, one in enumerate(rules.rules, 1)
    ]


def _short(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def _show_examples(kind: str, examples: Mapping[str, Any]) -> None:
    for word, value in examples.items():
        click.echo(f"  {word:<17} {TEXTS.plain(f'{kind}.{word}')}")
        click.echo(f"  {'':<17} {json.dumps(value, ensure_ascii=False)}")
