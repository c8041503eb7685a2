"""Inline buttons pressed and answered, and chats shared with a bot."""

from __future__ import annotations

from . import ids, rights
from .chats import Chat
from .editing import Editing
from .errors import TelegramError
from .events import CallbackAnswered, CallbackPressed
from .markup import ChatRequest
from .messages import Message, Service
from .state import Query

QUERY_LIFE = 15.0


class Buttons(Editing):
    """Layer: what people do with a bot's keyboards."""

    def press(self, actor: int, chat_id: int, message_id: int, data: bytes) -> Query:
        """A person presses a callback button under a bot's message. Raises MESSAGE_ID_INVALID,
        DATA_INVALID.
        """
        message = self._own_view(actor, chat_id, message_id)
        if message is None or message.markup is None or message.markup.kind != "inline":
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        bot = self.account(message.sent_by)
        if bot.bot is None:
            raise TelegramError(400, "BOT_INVALID")
        if not any(button.data == data for row in message.markup.rows for button in row):
            raise TelegramError(400, "DATA_INVALID")
        query = Query(self.big_id(), actor, bot.id, self.clock.now())
        self.memory.queries[query.id] = query
        seen_by_bot = next((twin for twin in self.twins(message) if twin.box in (bot.id, chat_id)), message)
        instance = self.memory.boxes[seen_by_bot.box].owner ^ 0x5A5A5A5A
        self._emit(CallbackPressed(query.at, query.id, actor, bot.id, seen_by_bot, data, instance))
        self._note(actor, "press", chat_id, (message_id,))
        return query

    def answer_callback(
        self, bot: int, query_id: int, *, text: str = "", alert: bool = False, url: str = ""
    ) -> None:
        """The bot's answer. Raises QUERY_ID_INVALID when it is not waited for (any more),
        MESSAGE_TOO_LONG.
        """
        query = self.memory.queries.get(query_id)
        if query is None or query.bot != bot or query.answered:
            raise TelegramError(400, "QUERY_ID_INVALID")
        if (self.clock.now() - query.at).total_seconds() > QUERY_LIFE:
            raise TelegramError(400, "QUERY_ID_INVALID")
        if len(text) > 200:
            raise TelegramError(400, "MESSAGE_TOO_LONG")
        self.memory.queries[query_id] = Query(query.id, query.user, query.bot, query.at, answered=True)
        self._emit(CallbackAnswered(self.clock.now(), query_id, text, alert, url))

    # -- sharing a chat ----------------------------------------------------------------------------------

    def share_chat(self, actor: int, bot: int, request: ChatRequest, chat_id: int) -> Message:
        """A person answers a "choose a chat" button; the bot gets the rights it asked for and a service
        message.

        Raises CHAT_ADMIN_REQUIRED, BUTTON_INVALID when the chat is not one that the button offers.
        Source: shareChatWithBot in TDLib's td_api.tl.
        """
        chat = self.chat(chat_id)
        if not self.offers(actor, bot, request, chat):
            raise TelegramError(400, "BUTTON_INVALID")
        if request.bot_rights is not None and not self._bot_has(chat, bot, request.bot_rights):
            self.promote(actor, chat_id, bot, request.bot_rights | self._rights_of(chat, bot) | {"other"})
        elif request.bot_is_member and not chat.inside(bot):
            self.add_member(actor, chat_id, bot)
        shared = Service(
            "chat_shared",
            button_id=request.request_id,
            chat=chat_id,
            title=chat.title if request.want_title else "",
            username=(chat.username or "") if request.want_username else "",
        )
        message = self.place_service(actor, bot, shared)
        self._note(actor, "share_chat", bot, (message.id,))
        return message

    def offers(self, actor: int, bot: int, request: ChatRequest, chat: Chat) -> bool:
        """Whether a client would offer this chat for that button."""
        member = chat.member(actor)
        if member is None or not member.inside or request.channel != chat.broadcast:
            return False
        if request.has_username is not None and request.has_username != chat.public:
            return False
        if request.forum is not None and request.forum != chat.forum:
            return False
        if request.created and member.role != "creator":
            return False
        if request.user_rights is not None and not all(member.may(right) for right in request.user_rights):
            return False
        if request.bot_rights is not None and not self._bot_has(chat, bot, request.bot_rights):
            return member.may("add_admins") and all(member.may(right) for right in request.bot_rights)
        return not request.bot_is_member or chat.inside(bot) or member.may("invite_users")

    def offered_chats(self, actor: int, bot: int, request: ChatRequest) -> list[Chat]:
        return [chat for chat in self.chats_of(actor) if self.offers(actor, bot, request, chat)]

    def _bot_has(self, chat: Chat, bot: int, wanted: frozenset[str]) -> bool:
        member = chat.member(bot)
        return member is not None and member.is_admin and all(member.may(right) for right in wanted)

    def _rights_of(self, chat: Chat, account: int) -> frozenset[str]:
        member = chat.member(account)
        return member.rights if member is not None and member.is_admin else frozenset()

    # -- who hears what ----------------------------------------------------------------------------------

    def hears(self, account_id: int, message: Message) -> bool:
        """Whether a message of a box is delivered to this account as an update.

        People hear all in their chats. Bots do not hear other bots (bot-to-bot mode is not assumed), in
        groups with privacy mode only commands, replies to them and mentions unless they are admins, and
        service messages.
        """
        account = self.account(account_id)
        if ids.is_user(message.chat):
            return True
        chat = self.chat(message.chat)
        member = chat.member(account_id)
        if member is None or not member.inside:
            return False
        if account.bot is None or message.sent_by == account_id:
            return True
        if self.account(message.sent_by).bot is not None:
            return False
        if message.service is not None or not account.bot.privacy or member.is_admin:
            return True
        return self._meant_for(account_id, account.username or "", message)

    def _meant_for(self, bot: int, username: str, message: Message) -> bool:
        if message.text.startswith("/") or f"@{username}".lower() in message.text.lower():
            return True
        replied = self.message(bot, message.chat, message.reply_to) if message.reply_to else None
        return replied is not None and replied.sent_by == bot

    def check_readable(self, actor: int, chat_id: int) -> None:
        """Raises CHANNEL_PRIVATE and its kin when the actor can't read the chat."""
        if not ids.is_user(chat_id):
            rights.check_read(
                self.chat(chat_id), self.account(actor), bots_read_public=self.rules.bots_read_public
            )
