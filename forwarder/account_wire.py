"""How questions to an account, and its answers, are written as JSON: turned into values here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from forwarder.errors import AccountNotReady, ForwarderError, InvalidRequest, OutcomeUnknown, TelegramError
from forwarder.message import (
    ChatCard,
    ChatKind,
    Entity,
    Facts,
    Fetched,
    FindOrder,
    Heard,
    Kind,
    Mode,
    Origin,
    Remembered,
    SourceMessage,
    Unreadable,
    Wish,
)

LONGEST_ANSWER = 30.0
"""Seconds that an account may take over one answer."""

Json = dict[str, Any]
"""What a jsonb column holds."""


def card_from(answer_json: Json) -> ChatCard:
    known = {field.name for field in fields(ChatCard)}
    values = {name: value for name, value in answer_json.items() if name in known}
    return ChatCard(**{**values, "kind": ChatKind(values["kind"])})


def find_order_json(order: FindOrder) -> Json:
    return {
        "source": order.source,
        "message_ids": list(order.message_ids),
        "destination": order.destination,
        "mode": order.mode.value,
        "after_id": order.after_id,
        "known_ids": sorted(order.known_ids),
        "remembered": [asdict(one) for one in order.remembered],
        "topic": order.topic,
    }


def find_order_from(payload: Json) -> FindOrder:
    return FindOrder(
        source=payload["source"],
        message_ids=tuple(payload["message_ids"]),
        destination=payload["destination"],
        mode=Mode(payload["mode"]),
        after_id=payload["after_id"],
        known_ids=frozenset(payload["known_ids"]),
        remembered=tuple(
            Remembered(**{**one, "kind": Kind(one["kind"]), "texts": tuple(one["texts"])})
            for one in payload.get("remembered", ())
        ),
        topic=payload.get("topic", 0),
    )


def fetched_json(fetched: Fetched) -> Json:
    return {
        "messages": [message_json(message) for message in fetched.messages],
        "empty": list(fetched.empty),
        "elsewhere": list(fetched.elsewhere),
        "unreadable": [[one.message_id, one.raw.hex()] for one in fetched.unreadable],
    }


def fetched_from(answered: Json) -> Fetched:
    return Fetched(
        tuple(message_from(one) for one in answered["messages"]),
        tuple(answered["empty"]),
        tuple(answered["elsewhere"]),
        tuple(Unreadable(number, bytes.fromhex(raw)) for number, raw in answered.get("unreadable", ())),
    )


def message_json(message: SourceMessage) -> Json:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(message).items()
    }


def message_from(values: Json) -> SourceMessage:
    moments = {
        name: datetime.fromisoformat(values[name]) if values[name] is not None else None
        for name in ("date", "edit_date", "forwarded")
    }
    typed = {
        "kind": Kind(values["kind"]),
        "heard": Heard(values["heard"]),
        "entities": tuple(Entity(**one) for one in values["entities"]),
        "origin": Origin(**values["origin"]) if values["origin"] is not None else None,
        "facts": Facts(**values["facts"]),
    }
    return SourceMessage(**{**values, **moments, **typed})


def wish_json(wish: Wish) -> Json:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(wish).items()
    }


def wish_from(values: Json) -> Wish:
    moments = {
        name: datetime.fromisoformat(values[name]) if values[name] is not None else None
        for name in ("since", "until")
    }
    return Wish(**{**values, **moments})


def error_json(error: Exception) -> Json:
    if isinstance(error, InvalidRequest):
        plain = {
            name: value if isinstance(value, str | int | bool | None) else str(value)
            for name, value in error.fields.items()
        }
        return {"error": "invalid", "code": error.code, "text": str(error), "fields": plain}
    if isinstance(error, TelegramError):
        return {
            "error": "unknown_outcome" if isinstance(error, OutcomeUnknown) else "telegram",
            "name": error.name,
            "code": error.code,
            "seconds": error.seconds,
            "migrate_to": error.migrate_to,
        }
    if isinstance(error, ForwarderError):
        return {"error": "not_ready", "text": str(error)}
    if isinstance(error, TimeoutError):
        return {
            "error": "not_ready",
            "text": f"Telegram did not answer within {LONGEST_ANSWER:g} s. Try again.",
        }
    return {"error": "not_ready", "text": "The account could not answer; the log says why. Try again."}


def error_from(answered: Json) -> ForwarderError:
    kinds: dict[str, Callable[[], ForwarderError]] = {
        "invalid": lambda: InvalidRequest(answered["code"], answered["text"], **answered["fields"]),
        "telegram": lambda: telegram_error(TelegramError, answered),
        "unknown_outcome": lambda: telegram_error(OutcomeUnknown, answered),
    }
    make = kinds.get(str(answered.get("error")))
    return (
        make()
        if make is not None
        else AccountNotReady(str(answered.get("text", "The account is not ready.")))
    )


def telegram_error(kind: type[TelegramError], answered: Json) -> TelegramError:
    return kind(
        answered["name"],
        code=answered["code"],
        seconds=answered["seconds"],
        migrate_to=answered["migrate_to"],
    )
