"""The whole world: all layers together, and what tests and verdicts read from it."""

from __future__ import annotations

from . import ids
from .files import Files
from .messages import Deleted, Message


class World(Files):
    """A Telegram in memory: synchronous, deterministic for a seed, moved by its clock."""

    def history(self, chat_id: int, viewer: int | None = None) -> list[Message]:
        """All living messages of a chat, oldest first; private chats and groups need the viewer's box."""
        owner = self._owner(chat_id, viewer)
        box = self.memory.boxes[owner]
        return [box.messages[number] for number in box.order.get(chat_id, ())]

    def deleted(self, chat_id: int, viewer: int | None = None) -> list[Deleted]:
        """What was deleted in a chat, in the order of the messages' numbers."""
        box = self.memory.boxes[self._owner(chat_id, viewer)]
        gone = (entry for entry in box.deleted.values() if entry.message.chat == chat_id)
        return sorted(gone, key=lambda entry: entry.message.id)

    def ever_sent(self, chat_id: int, viewer: int | None = None) -> list[Message]:
        """Living and deleted messages of a chat by number: all that ever arrived there."""
        dead = [entry.message for entry in self.deleted(chat_id, viewer)]
        return sorted([*self.history(chat_id, viewer), *dead], key=lambda message: message.id)

    def dialogs(self, account: int) -> list[int]:
        """The chats of an account, the one with the newest message first."""
        chats = {chat.id for chat in self.chats_of(account)} | set(self.memory.boxes[account].order)
        tops = {chat: self.top_message(account, chat) for chat in chats}
        dated = [(top.date, top.uid, chat) for chat, top in tops.items() if top is not None]
        return [chat for _, _, chat in sorted(dated, reverse=True)]

    def top_message(self, account: int, chat_id: int) -> Message | None:
        return self.box(account, chat_id).top(chat_id)

    def _owner(self, chat_id: int, viewer: int | None) -> int:
        if ids.is_channel(chat_id):
            return chat_id
        if viewer is None:
            raise ValueError(f"Chat {chat_id} has no messages of its own: say in whose box to look.")
        return viewer
