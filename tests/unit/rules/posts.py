"""Posts for the tables of examples, and the shortest way from a rule to what it makes of one."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from forwarder.errors import InvalidRequest
from forwarder.message import Entity, Facts, Heard, Kind, SourceMessage
from forwarder.rules import Context, Outcome, Passed, Rules, decide, parse

SOURCE = -1001234567890
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONTEXT = Context(
    "Новости", "news", {("news", 5): "https://t.me/digest/50", (SOURCE, 6): "https://t.me/digest/60"}
)


FACTS = {field.name for field in fields(Facts)}


def post(text: str = "", *entities: Entity, number: int = 7, **values: Any) -> SourceMessage:
    """A text; values that a message has not are facts."""
    facts = {
        name: values.pop(name)
        for name in tuple(values)
        if name in Facts.__dataclass_fields__ and name != "forwarded"
    }
    if "forwarded_from" in facts:
        facts["forwarded"] = True
    given: dict[str, Any] = {
        "kind": Kind.TEXT,
        "heard": Heard.PUSH,
        "date": NOON,
        "chat_id": SOURCE,
    } | values
    return SourceMessage(message_id=number, text=text, entities=entities, facts=Facts(**facts), **given)


def photo(text: str = "", *entities: Entity, number: int = 7, **values: Any) -> SourceMessage:
    return post(
        text, *entities, number=number, **{"kind": Kind.PHOTO, "media_id": f"mt:photo:{number}"} | values
    )


def made(rules: list[dict[str, Any]], *parts: SourceMessage, context: Context = CONTEXT) -> Outcome:
    return decide(parse({"rules": rules}), parts, context)


def text_of(rule: dict[str, Any], text: str, *entities: Entity) -> str:
    outcome = made([rule], post(text, *entities))
    assert isinstance(outcome, Passed), outcome
    return outcome.parts[0].text


def those_that_load(written: list[dict[str, Any]]) -> Rules:
    """A set of them, without those that are refused beside the ones before."""
    sound: list[dict[str, Any]] = []
    for rule in written:
        try:
            parse({"rules": [*sound, rule]})
        except InvalidRequest:
            continue
        sound.append(rule)
    return parse({"rules": sound})
