"""Which request is answered by which function, and what a function is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telethon.tl import types

from forwarder.sandbox.gate import Call
from forwarder.sandbox.mtproto.keys import Login
from forwarder.sandbox.mtproto.tl.messages import Sight
from forwarder.sandbox.mtproto.tl.peers import read_channel, read_peer, read_user
from forwarder.sandbox.mtproto.tl.updates import write_box_event, write_random_ids, write_updates
from forwarder.sandbox.world import Account, Message, TelegramError, World
from forwarder.sandbox.world import ids as marked
from forwarder.sandbox.world.events import BoxEvent, Event, MessageEdited, MessagesDeleted, NewMessage

if TYPE_CHECKING:
    from forwarder.sandbox.mtproto.connection import Connection
    from forwarder.sandbox.mtproto.door import MtprotoDoor

Handler = Callable[["Caller", Any], Any]


class Caller:
    """The client that a request came from: whose it is, and what it sees.

    ``seen`` collects the states of channels that the answer tells the client.
    """

    def __init__(self, door: MtprotoDoor, connection: Connection) -> None:
        if connection.login is None:
            raise TelegramError(401, "AUTH_KEY_UNREGISTERED")
        self.door = door
        self.connection = connection
        self.login: Login = connection.login
        self.seen: dict[int, int] = {}

    @property
    def world(self) -> World:
        return self.door.world

    @property
    def viewer(self) -> int:
        """The account's id; 0 before the login."""
        return self.login.account or 0

    @property
    def account(self) -> Account:
        return self.world.account(self.viewer)

    def sight(self) -> Sight:
        return Sight(self.world, self.viewer)

    def peer(self, peer: Any) -> int:
        return read_peer(self.world, self.viewer, peer)

    def channel(self, channel: Any) -> int:
        return read_channel(self.world, self.viewer, channel).id

    def user(self, user: Any) -> int:
        return read_user(self.world, self.viewer, user)

    # -- answers -----------------------------------------------------------------------------------------

    def updates(self, events: Sequence[Event], *, extra: Sequence[Any] = (), name: Sequence[int] = ()) -> Any:
        """What the caller's own call changed, as far as the caller sees it."""
        boxed = self.own_events(events)
        sight = self.sight()
        sight.name(*name)
        updates: list[Any] = [*write_random_ids(self.viewer, boxed), *extra]
        updates.extend(write_box_event(sight, event) for event in boxed)
        self._learn(boxed)
        return write_updates(sight, updates)

    def replay(self, messages: Sequence[Message], random_ids: Sequence[int]) -> Any:
        """The answer to a call whose random ids were used before: the first call's messages, pts unmoved."""
        sight = self.sight()
        updates: list[Any] = [
            types.UpdateMessageID(message.id, random_id)
            for message, random_id in zip(messages, random_ids, strict=True)
        ]
        for message in messages:
            box = self.world.memory.boxes[message.box]
            updates.append(write_box_event(sight, NewMessage(message.box, box.pts, 0, message)))
        return write_updates(sight, updates)

    def own_events(self, events: Sequence[Event]) -> list[BoxEvent]:
        return [
            event
            for event in events
            if isinstance(event, NewMessage | MessageEdited | MessagesDeleted)
            and (marked.is_channel(event.box) or event.box == self.viewer)
        ]

    def _learn(self, events: Sequence[BoxEvent]) -> None:
        """The answer tells new states of channels, if nothing is missing before them."""
        for event in events:
            known = self.seen.get(event.box, self.login.seen.get(event.box, 0))
            if marked.is_channel(event.box) and known >= event.pts - event.pts_count:
                self.seen[event.box] = event.pts


@dataclass(frozen=True, slots=True)
class Method:
    """One request type: its function, its name, and who may call it."""

    name: str
    handler: Handler
    anonymous: bool
    bots: bool
    people: bool

    def describe(self, caller: Caller, request: Any) -> Call:
        """The call as the gate sees it. ``chat`` is where it goes to, as far as it can be told."""
        return Call(
            "mtproto",
            caller.login.account,
            self.name,
            chat=_target(request, caller.viewer),
            messages=_count(self.name, request),
            params=_Params(request),
        )

    def random_ids(self, request: Any) -> list[int]:
        """The random ids that a sending request carries."""
        if isinstance(media := getattr(request, "multi_media", None), list):
            return [item.random_id for item in media]
        found = getattr(request, "random_id", None)
        if found is None:
            return []
        return list(found) if isinstance(found, list) else [found]


_METHODS: dict[type, Method] = {}


def answers(
    *requests: type, anonymous: bool = False, bots: bool = True, people: bool = True
) -> Callable[[Handler], Handler]:
    """Register the function that answers these requests."""

    def register(handler: Handler) -> Handler:
        for request in requests:
            _METHODS[request] = Method(_name(request), handler, anonymous, bots, people)
        return handler

    return register


def find(request: type) -> Method | None:
    return _METHODS.get(request)


def method_names() -> list[str]:
    """All methods that the door knows."""
    return sorted(method.name for method in _METHODS.values())


def _name(request: type) -> str:
    area = request.__module__.rsplit(".", 1)[-1]
    name = request.__name__.removesuffix("Request")
    name = name[0].lower() + name[1:]
    return name if area == "functions" else f"{area}.{name}"


def _target(request: Any, viewer: int) -> int | None:
    for field in ("to_peer", "peer", "channel"):
        peer = getattr(request, field, None)
        if isinstance(peer, types.InputPeerChannel | types.InputChannel):
            return marked.channel_chat(peer.channel_id)
        if isinstance(peer, types.InputPeerChat):
            return marked.group_chat(peer.chat_id)
        if isinstance(peer, types.InputPeerUser | types.InputUser):
            return int(peer.user_id)
        if isinstance(peer, types.InputPeerSelf):
            return viewer
    return None


def _count(name: str, request: Any) -> int:
    match name:
        case "messages.sendMessage" | "messages.sendMedia" | "messages.editMessage":
            return 1
        case "messages.sendMultiMedia":
            return len(request.multi_media)
        case "messages.forwardMessages":
            return len(request.id)
        case _:
            return 0


class _Params(Mapping[str, object]):
    """Plain values of a request, for fault rules that look at them; most calls are looked at by none.

    Messages asked for by their ids are these ids.
    """

    __slots__ = ("_request",)

    def __init__(self, request: Any) -> None:
        self._request = request

    def __getitem__(self, name: str) -> object:
        value = _plain(vars(self._request)[name])
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in vars(self._request).items() if _plain(value) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _plain(value: Any) -> object | None:
    """The value for others to look at; None where it is nothing plain."""
    if isinstance(value, list):
        numbers = [one.id if isinstance(one, types.InputMessageID) else one for one in value]
        return numbers if all(isinstance(one, int) for one in numbers) else None
    return value if isinstance(value, str | int | bool) else None
