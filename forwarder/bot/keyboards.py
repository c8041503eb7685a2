"""Keyboards: rows of presses, pages of a list, choices with ticks, and the native chat picker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from telegram import (
    ChatAdministratorRights,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    KeyboardButtonRequestChat,
    ReplyKeyboardMarkup,
)

from forwarder.bot.cb import EVERY, AnswerOutage, Nothing, Press, Side, encode
from forwarder.bot.texts import Texts, shortened
from forwarder.services.values import Page

LABEL = 40
"""Characters of a label that a phone shows in one row."""

LAST = (1, 5, 20)
"""How many of the newest posts of an outage may be sent with one tap."""

T = TypeVar("T")
Row = Sequence[tuple[str, Press]]

REQUESTS: dict[int, Side] = {1: Side.SOURCE, 2: Side.SOURCE, 3: Side.DESTINATION, 4: Side.DESTINATION}
"""What a shared chat is meant to be, by the request id of the button: odd for channels, even for groups."""


def rows(*lines: Row | None) -> InlineKeyboardMarkup:
    """Rows of buttons; None is left out."""
    return InlineKeyboardMarkup(
        [
            [
                InlineKeyboardButton(shortened(label, LABEL), callback_data=encode(what))
                for label, what in line
            ]
            for line in lines
            if line
        ]
    )


def pager(page: int, pages: int, turn: Callable[[int], Press]) -> Row | None:
    """The row that turns pages, round at the ends; None where there is only one."""
    if pages < 2:
        return None
    return [
        ("‹", turn((page - 1) % pages)),
        (f"{page + 1} / {pages}", Nothing()),
        ("›", turn((page + 1) % pages)),
    ]


def outage_answers(texts: Texts, mapping_id: int, held: int) -> list[Row]:
    """What may be done with the posts that an outage has held: all, the last few, none."""
    few = [(texts.plain("button.outage.last", n=n), AnswerOutage(mapping_id, n)) for n in LAST if n < held]
    every = (texts.plain("button.outage.all", n=held), AnswerOutage(mapping_id, EVERY))
    return [[every], few, [(texts.plain("button.outage.none"), AnswerOutage(mapping_id, 0))]]


def listed(items: Page[T], label: Callable[[T], str], opens: Callable[[T], Press]) -> Iterable[Row]:
    """One row for each item of a page."""
    return [[(label(item), opens(item))] for item in items.items]


def checklist(
    items: Page[T],
    chosen: Collection[int],
    number: Callable[[T], int],
    label: Callable[[T], str],
    tick: Callable[[int, bool], Press],
) -> Iterable[Row]:
    """One row for each item, ticked where it is chosen; ``tick`` is given what the press shall make of it."""
    return [
        [(("☑️ " if there else "▫️ ") + label(item), tick(number(item), not there))]
        for item in items.items
        for there in (number(item) in chosen,)
    ]


def rights(*, post: bool, edit: bool, delete: bool) -> ChatAdministratorRights:
    """The rights of an administrator, all others off; a plain administrator may read."""
    return ChatAdministratorRights(
        is_anonymous=False,
        can_manage_chat=True,
        can_delete_messages=delete,
        can_manage_video_chats=False,
        can_restrict_members=False,
        can_promote_members=False,
        can_change_info=False,
        can_invite_users=False,
        can_post_stories=False,
        can_edit_stories=False,
        can_delete_stories=False,
        can_post_messages=post,
        can_edit_messages=edit,
    )


def adders_rights(granted: ChatAdministratorRights) -> ChatAdministratorRights:
    """What the person must hold to make the bot an administrator; Telegram wants a superset of the bot's."""
    return ChatAdministratorRights(**{**granted.to_dict(), "can_promote_members": True})


def chat_picker(texts: Texts, side: Side, *, bot_must_join: bool) -> ReplyKeyboardMarkup:
    """Buttons that open Telegram's own list of chats.

    For a destination, or where the bot alone can listen, the chosen chat makes the bot its administrator
    with the rights asked for (core.telegram.org/bots/api#keyboardbuttonrequestchat).
    """
    first = 1 if side is Side.SOURCE else 3
    buttons = []
    for offset, key, is_channel in ((0, "button.pick_channel", True), (1, "button.pick_group", False)):
        granted = None
        if side is Side.DESTINATION:
            granted = rights(post=is_channel, edit=is_channel, delete=True)
        elif bot_must_join:
            granted = rights(post=False, edit=False, delete=False)
        buttons.append(
            KeyboardButton(
                texts.plain(key),
                request_chat=KeyboardButtonRequestChat(
                    request_id=first + offset,
                    chat_is_channel=is_channel,
                    request_title=True,
                    request_username=True,
                    bot_administrator_rights=granted,
                    user_administrator_rights=adders_rights(granted) if granted else None,
                ),
            )
        )
    return ReplyKeyboardMarkup(
        [buttons, [KeyboardButton(texts.plain("button.cancel"))]],
        resize_keyboard=True,
        one_time_keyboard=True,
        input_field_placeholder=texts.plain("add.placeholder"),
    )
