"""One client's TCP connection: packets in and out, its session, and what it still has to acknowledge."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import functions, types

from forwarder.sandbox.network import Line

from . import envelope
from .cipher import BadPacket, Packet, decrypt, encrypt
from .envelope import Inner
from .handshake import Handshake
from .keys import Login
from .transport import Framing, detect

if TYPE_CHECKING:
    from .door import MtprotoDoor

_log = logging.getLogger("sandbox.mtproto")

KEY_UNKNOWN = struct.pack("<i", -404)
_BAD_SALT = 48
_TOO_OLD, _TOO_NEW = 300, 30
_REMEMBERED = 2000
_CONTAINER_BYTES = 512 * 1024
_CONTAINER_COUNT = 100

Seen = dict[int, int]


class Connection:
    """Reads packets, hands requests to the door's calls, and writes answers and pushes.

    All that is sent within one turn of the event loop goes out as one packet. ``wants_updates`` is set by the
    first call of a logged-in client that was not made "without updates".
    """

    def __init__(self, door: MtprotoDoor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.door = door
        self.login: Login | None = None
        self.session = 0
        self.wants_updates = False
        self.muted = False
        self.closed = False
        self._reader = reader
        self._writer = writer
        self._framing: Framing | None = None
        self._inbound: Line[bytes] = Line(door.network, self._take_in)
        self._outbound: Line[bytes] = Line(door.network, writer.write)
        self._handshake = Handshake(door.server_key, door.keys)
        self._sent_content = 0
        self._last_msg_id = 0
        self._out: list[Inner] = []
        self._flush_due = False
        self._unacked: OrderedDict[int, Seen] = OrderedDict()
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._recent_set: set[int] = set()

    @property
    def account(self) -> int | None:
        return self.login.account if self.login is not None else None

    # -- reading -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until the client goes away or the connection is cut."""
        try:
            self._framing = await detect(self._reader)
            while not self.closed:
                self._inbound.send(await self._framing.read(self._reader))
                if self._writer.transport.get_write_buffer_size() > 4 * 1024 * 1024:
                    await self._writer.drain()
        except asyncio.IncompleteReadError:
            pass
        except ConnectionError as reason:
            _log.info("A client is let go: %s", reason)
        except Exception:  # the outer door, as below
            _log.exception("A connection broke.")
        finally:
            self.close()

    def _take_in(self, packet: bytes) -> None:
        if self.closed:
            return
        try:
            self._receive(packet)
        except (ConnectionError, BadPacket, struct.error) as reason:
            _log.info("A client is let go: %s", reason)
            self.close()
        except Exception:  # the outer door: one client's nonsense must not stop the server
            _log.exception("A connection broke.")
            self.close()

    def close(self) -> None:
        """End the connection now; what was not written yet is lost."""
        if not self.closed:
            self.closed = True
            self._inbound.cut()
            self._outbound.cut()
            self.door.left(self)
            with contextlib.suppress(RuntimeError):  # the loop may be closing
                self._writer.transport.abort()

    def _receive(self, packet: bytes) -> None:
        if len(packet) < 8:
            raise ConnectionError("A packet without a key id.")
        key_id = int.from_bytes(packet[:8], "little")
        if key_id == 0:
            self._exchange(packet)
            return
        login = self.door.keys.get(key_id)
        if login is None:
            self._write(KEY_UNKNOWN)
            return
        incoming = decrypt(login.key, packet[8:])
        if self.login is not login or self.session != incoming.session:
            self._begin(login, incoming)
        if not self._acceptable(incoming):
            return
        for message in envelope.opened(incoming.msg_id, incoming.seqno, incoming.body):
            self._message(message)

    def _exchange(self, packet: bytes) -> None:
        request = BinaryReader(packet[20:]).tgread_object()
        body = bytes(self._handshake.answer(request))
        self._write(struct.pack("<qqi", 0, self._next_msg_id(answer=True), len(body)) + body)

    def _begin(self, login: Login, incoming: Packet) -> None:
        self.login, self.session = login, incoming.session
        self._sent_content = 0
        self._unacked.clear()
        self.door.arrived(self)

    def _acceptable(self, incoming: Packet) -> bool:
        """Salt and time are right; else the client is told, in a message of its own, and asks again."""
        assert self.login is not None
        seconds = incoming.msg_id >> 32
        now = time.time()
        wrong: Any = None
        if seconds < now - _TOO_OLD:
            wrong = types.BadMsgNotification(incoming.msg_id, incoming.seqno, 16)
        elif seconds > now + _TOO_NEW:
            wrong = types.BadMsgNotification(incoming.msg_id, incoming.seqno, 17)
        elif incoming.salt != self.login.salt:
            wrong = types.BadServerSalt(incoming.msg_id, incoming.seqno, _BAD_SALT, self.login.salt)
        if wrong is None:
            return True
        self._flush()
        self._enqueue(bytes(wrong), answer=True, content=False)
        self._flush()
        return False

    # -- messages ----------------------------------------------------------------------------------------

    def _message(self, message: Inner) -> None:
        if message.seqno & 1 and self._seen_before(message.msg_id):
            return
        try:
            thing = BinaryReader(message.body).tgread_object()
        except TypeNotFoundError as error:
            self.door.calls.unknown(self, message.msg_id, f"constructor {error.invalid_constructor_id:#x}")
            return
        if isinstance(thing, types.MsgsAck):
            self._acknowledged(thing.msg_ids)
        elif isinstance(thing, functions.PingRequest | functions.PingDelayDisconnectRequest):
            pong = types.Pong(message.msg_id, thing.ping_id)
            self._enqueue(bytes(pong), answer=True, content=False)
        elif isinstance(thing, functions.GetFutureSaltsRequest):
            salts = types.FutureSalts(message.msg_id, int(time.time()), [])
            self._enqueue(bytes(salts), answer=True, content=False)
        elif isinstance(thing, types.MsgsStateReq):
            states = types.MsgsStateInfo(message.msg_id, "\x04" * len(thing.msg_ids))
            self._enqueue(bytes(states), answer=True, content=True)
        elif not isinstance(thing, types.MsgsStateInfo | types.MsgsAllInfo | types.MsgResendReq):
            self.door.calls.begin(self, message.msg_id, thing)

    def _seen_before(self, msg_id: int) -> bool:
        if msg_id in self._recent_set:
            return True
        if len(self._recent) == _REMEMBERED:
            self._recent_set.discard(self._recent[0])
        self._recent.append(msg_id)
        self._recent_set.add(msg_id)
        return False

    def _acknowledged(self, msg_ids: list[int]) -> None:
        """The client has these messages: the states of channels that they carried are known to it now."""
        if self.login is None:
            return
        for msg_id in msg_ids:
            for chat, pts in self._unacked.pop(msg_id, {}).items():
                if pts > self.login.seen.get(chat, 0):
                    self.login.seen[chat] = pts

    # -- writing -----------------------------------------------------------------------------------------

    def answer(self, request_id: int, body: bytes, seen: Seen | None = None) -> None:
        """Answer a request. ``seen``: the states of channels that the client learns by it."""
        self._enqueue(envelope.rpc_result(request_id, body), answer=True, content=True, seen=seen)

    def push(self, body: bytes, seen: Seen | None = None) -> None:
        """Send what was not asked for."""
        self._enqueue(body, answer=False, content=True, seen=seen)

    def _next_msg_id(self, *, answer: bool) -> int:
        """Odd and rising: 1 mod 4 for answers, 3 mod 4 for the rest."""
        number = int(time.time() * 2**32) & ~3
        number = max(number, (self._last_msg_id & ~3) + 4) | (1 if answer else 3)
        self._last_msg_id = number
        return number

    def _enqueue(self, body: bytes, *, answer: bool, content: bool, seen: Seen | None = None) -> None:
        if self.closed:
            return
        msg_id = self._next_msg_id(answer=answer)
        seqno = self._sent_content * 2 + (1 if content else 0)
        self._sent_content += 1 if content else 0
        if seen:
            self._unacked[msg_id] = seen
            if len(self._unacked) > _REMEMBERED * 5:
                self._unacked.popitem(last=False)
        self._out.append(Inner(msg_id, seqno, body))
        if not self._flush_due:
            self._flush_due = True
            self.door.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        waiting, self._out = self._out, []
        bundle: list[Inner] = []
        size = 0
        for message in waiting:
            if bundle and (size + len(message.body) > _CONTAINER_BYTES or len(bundle) == _CONTAINER_COUNT):
                self._write_messages(bundle)
                bundle, size = [], 0
            bundle.append(message)
            size += len(message.body)
        if bundle:
            self._write_messages(bundle)

    def _write_messages(self, messages: list[Inner]) -> None:
        if self.login is None or self.closed:
            return
        if len(messages) == 1:
            one = messages[0]
        else:
            one = Inner(self._next_msg_id(answer=False), self._sent_content * 2, envelope.container(messages))
        packet = Packet(self.login.salt, self.session, one.msg_id, one.seqno, one.body)
        self._write(encrypt(self.login.key, self.login.key_id, packet))

    def _write(self, packet: bytes) -> None:
        if self._framing is not None and not self._writer.is_closing():
            self._outbound.send(self._framing.wrap(packet))
