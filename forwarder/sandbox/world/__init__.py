"""The sandbox's world: one in-memory Telegram, pure and synchronous, behind both doors.

Chats are named by marked ids (users positive, basic groups ``-id``, channels and supergroups ``-100id``;
`ids`). Everything that can be refused raises `TelegramError(code, name, seconds)` with MTProto's own names.
The first argument of an operation is the account that acts.

* Accounts: ``create_user``, ``create_bot``, ``account``, ``by_phone``, ``by_token``, ``resolve_username``,
  ``block``, ``replace_account``.
* Chats: ``create_channel``, ``create_supergroup``, ``create_group``, ``change_chat``, ``create_invite``,
  ``revoke_invite``, ``chat``, ``chats_of``; members: ``join``, ``check_invite``, ``import_invite``,
  ``approve``, ``add_member``, ``leave``, ``promote``, ``restrict``, ``ban``, ``migrate_group``.
* Forums: ``create_forum``, ``toggle_forum``, ``create_topic``, ``edit_topic``, ``delete_topic``, ``topics_of``.
* Messages: ``send(actor, chat, Content | str, random_id=, options=Options(...))``, ``send_album``,
  ``forward(actor, source, numbers, target, ...) -> list[Message | None]``, ``copy``, ``edit(...,
  Edit(...))``, ``delete(...) -> numbers removed``, ``pin``, ``vote``.
* Buttons: ``press -> Query``, ``answer_callback``, ``share_chat``, ``offered_chats``.
* Files: ``add_photo``, ``add_document``, ``add_file``, ``file``, ``access_hash``, ``file_reference``,
  ``check_file``.
* Reading: ``message(viewer, chat, number)``, ``history``, ``deleted``, ``ever_sent``, ``dialogs``,
  ``top_message``, ``box(viewer, chat)`` (pts and log), ``hears(account, message)``, ``check_readable``.
* Watching: ``subscribe(callback)`` is told of every `events.Event` in order, inside the operation;
  ``with world.capture() as events`` collects those of the operations inside it; ``log`` lists executions.

All data lies in ``world.memory`` (`state.Memory`): plain dicts of dataclasses, which is what a snapshot
keeps. Uncertain behaviours and numbers are fields of `Rules`.
"""

from .accounts import Account, BotProfile
from .chats import ADMIN_RIGHTS, BANNED_RIGHTS, GENERAL_TOPIC, SEND_RIGHTS, Chat, Invite, Member, Topic
from .clock import Clock, ManualClock, SystemClock
from .editing import Edit
from .errors import TelegramError
from .markup import Button, ChatRequest, Markup
from .media import (
    Contact,
    Dice,
    Document,
    File,
    Game,
    Location,
    Media,
    Photo,
    Poll,
    Special,
    WebPage,
    album_class,
    file_of,
)
from .messages import Content, Deleted, Entity, Forward, MadeFrom, Message, Options, Quote, Service
from .state import Execution, Memory, Query, Rules
from .world import World

__all__ = [
    "ADMIN_RIGHTS",
    "BANNED_RIGHTS",
    "GENERAL_TOPIC",
    "SEND_RIGHTS",
    "Account",
    "BotProfile",
    "Button",
    "Chat",
    "ChatRequest",
    "Clock",
    "Contact",
    "Content",
    "Deleted",
    "Dice",
    "Document",
    "Edit",
    "Entity",
    "Execution",
    "File",
    "Forward",
    "Game",
    "Invite",
    "Location",
    "MadeFrom",
    "ManualClock",
    "Markup",
    "Media",
    "Member",
    "Memory",
    "Message",
    "Options",
    "Photo",
    "Poll",
    "Query",
    "Quote",
    "Rules",
    "Service",
    "Special",
    "SystemClock",
    "TelegramError",
    "Topic",
    "WebPage",
    "World",
    "album_class",
    "file_of",
]
