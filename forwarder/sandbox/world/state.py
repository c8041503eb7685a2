"""What the world holds, and the plumbing that all its operations share."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from . import ids
from .accounts import Account
from .boxes import Box
from .chats import Chat
from .clock import Clock, SystemClock
from .errors import TelegramError
from .events import Event
from .media import Document, File, Photo
from .messages import Message

Observer = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """Numbers and uncertain behaviours. Where Telegram is not certain the default is the harsher one.

    Times in seconds, sizes in UTF-16 units. ``neighbours_become_album``: 2-10 single media of one kind,
    forwarded in one call, come out as an album (TDLib expects so). ``bots_read_public``: a bot may read
    public channels that it is no member of. ``keep_log``: how many events a box remembers for differences.
    """

    text_limit: int = 4096
    caption_limit: int = 1024
    caption_limit_premium: int = 4096
    entity_limit: int = 100
    edit_window: float = 172_800
    bot_delete_window: float = 172_800
    keep_channel_log: int = 100_000
    keep_account_log: int = 1_000_000
    neighbours_become_album: bool = True
    bots_read_public: bool = False
    reference_life: float = 3600.0


@dataclass(frozen=True, slots=True)
class Execution:
    """One operation that the world carried out, for verdicts."""

    at: datetime
    actor: int
    operation: str
    chat: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A pressed inline button that waits for the bot's answer."""

    id: int
    user: int
    bot: int
    at: datetime
    answered: bool = False


@dataclass(slots=True)
class Memory:
    """All of the world's data, in plain dicts of frozen values: what a snapshot has to keep.

    ``random_ids``: (account, chat, random id) to (box, message id), for ever. ``twins``: the copies of one
    private or group message, uid to {box: id}. ``started``: (person, bot) that may be written to by the bot.
    """

    accounts: dict[int, Account] = field(default_factory=dict)
    chats: dict[int, Chat] = field(default_factory=dict)
    boxes: dict[int, Box] = field(default_factory=dict)
    files: dict[int, File] = field(default_factory=dict)
    media: dict[int, Photo | Document] = field(default_factory=dict)
    usernames: dict[str, int] = field(default_factory=dict)
    random_ids: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)
    twins: dict[int, dict[int, int]] = field(default_factory=dict)
    started: set[tuple[int, int]] = field(default_factory=set)
    blocked: set[tuple[int, int]] = field(default_factory=set)
    queries: dict[int, Query] = field(default_factory=dict)
    votes: dict[int, dict[int, tuple[int, ...]]] = field(default_factory=dict)
    members_of: dict[int, set[int]] = field(default_factory=dict)
    next_uid: int = 1
    secret: bytes = b""


class State:
    """Memory, clock, chance and observers; the base of all layers of the world."""

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, rules: Rules | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.rules = rules or Rules()
        self.random = random.Random(seed)
        self.memory = Memory(secret=self.random.randbytes(16))
        self.log: deque[Execution] = deque(maxlen=200_000)
        self._observers: list[Observer] = []
        self._capture: list[Event] | None = None
        self.pending_random_ids: set[tuple[int, int, int]] = set()

    # -- observers ---------------------------------------------------------------------------------------

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Be told of every event, in order, inside the operation that causes it. Returns how to stop that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    @contextmanager
    def capture(self) -> Iterator[list[Event]]:
        """Collect the events of the operations inside the ``with``; observers are told of them as well."""
        outer, events = self._capture, list[Event]()
        self._capture = events
        try:
            yield events
        finally:
            self._capture = outer

    def _emit(self, event: Event) -> None:
        if self._capture is not None:
            self._capture.append(event)
        for observer in tuple(self._observers):
            observer(event)

    def _note(self, actor: int, operation: str, chat: int, numbers: tuple[int, ...]) -> None:
        self.log.append(Execution(self.clock.now(), actor, operation, chat, numbers))

    # -- look-ups ----------------------------------------------------------------------------------------

    def account(self, account_id: int) -> Account:
        """The person or bot with this id. Raises PEER_ID_INVALID."""
        account = self.memory.accounts.get(account_id)
        if account is None:
            raise TelegramError(400, "PEER_ID_INVALID")
        return account

    def chat(self, chat_id: int) -> Chat:
        """The channel, supergroup or group with this marked id. Raises CHANNEL_INVALID or CHAT_ID_INVALID."""
        chat = self.memory.chats.get(chat_id)
        if chat is None:
            raise TelegramError(400, "CHAT_ID_INVALID" if ids.is_group(chat_id) else "CHANNEL_INVALID")
        return chat

    def find_chat(self, chat_id: int) -> Chat | None:
        return self.memory.chats.get(chat_id)

    def box(self, viewer: int, chat_id: int) -> Box:
        """Where the messages of a chat lie for a viewer: the channel's own box, or the viewer's."""
        return self.memory.boxes[chat_id if ids.is_channel(chat_id) else viewer]

    def message(self, viewer: int, chat_id: int, message_id: int) -> Message | None:
        """One living message as the viewer's box numbers it, or None."""
        message = self.box(viewer, chat_id).get(message_id)
        return message if message is not None and message.chat == chat_id else None

    def take_uid(self) -> int:
        uid = self.memory.next_uid
        self.memory.next_uid += 1
        return uid

    def big_id(self) -> int:
        """A positive 62-bit number, as Telegram gives to files, polls, albums and queries."""
        return self.random.getrandbits(61) | 1 << 61
