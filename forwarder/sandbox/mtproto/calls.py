"""Requests: unwrapped, let through the gate, executed, answered."""

from __future__ import annotations

import asyncio
import inspect
import logging
import struct
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from forwarder.sandbox.gate import GO, Call, Gate, Order
from forwarder.sandbox.world import TelegramError

from .envelope import of_no_layer
from .rpc import Caller, Method, find

if TYPE_CHECKING:
    from .connection import Connection
    from .door import MtprotoDoor

_log = logging.getLogger("sandbox.mtproto")

_WRAPPERS = (
    functions.InvokeWithLayerRequest,
    functions.InitConnectionRequest,
    functions.InvokeAfterMsgRequest,
    functions.InvokeAfterMsgsRequest,
    functions.InvokeWithoutUpdatesRequest,
    functions.InvokeWithMessagesRangeRequest,
    functions.InvokeWithTakeoutRequest,
)
_TRUE, _FALSE, _VECTOR = 0x997275B5, 0xBC799737, 0x1CB5C415


class Calls:
    """Carries out what clients ask for, one call at a time unless it has to wait."""

    def __init__(self, door: MtprotoDoor, gate: Gate) -> None:
        self._door = door
        self._gate = gate
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self, connection: Connection, msg_id: int, request: Any) -> None:
        """Take a request in; it is answered at once if nothing makes it wait."""
        request = self._unwrapped(connection, request)
        method = find(type(request))
        if method is None:
            self.unknown(connection, msg_id, f"{type(request).__module__}.{type(request).__name__}")
            return
        caller = Caller(self._door, connection)
        try:
            self._check_login(caller, method)
            call = method.describe(caller, request)
            order = self._gate.before(call)
            if order.error is not None:
                raise order.error
        except TelegramError as error:
            self._refuse(connection, msg_id, error)
            return
        if order.cut:
            connection.close()
        elif order.drop:
            return
        elif order.delay:
            self._spawn(self._later(order.delay, caller, msg_id, method, request, call))
        else:
            self._execute(caller, msg_id, method, request, call)

    def unknown(self, connection: Connection, msg_id: int, name: str) -> None:
        """Say loudly that the sandbox lacks something, and refuse it as Telegram would."""
        self._gate.unknown("mtproto", connection.account, name)
        _log.error("The sandbox has no %s.", name)
        self._refuse(connection, msg_id, TelegramError(400, "METHOD_INVALID"))

    async def stop(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    # -- before ------------------------------------------------------------------------------------------

    def _unwrapped(self, connection: Connection, request: Any) -> Any:
        while isinstance(request, _WRAPPERS):
            if isinstance(request, functions.InvokeWithoutUpdatesRequest):
                connection.muted = True
            if isinstance(request, functions.InitConnectionRequest) and connection.login is not None:
                connection.login.device = f"{request.device_model}, {request.app_version}"
            request = request.query
        return request

    def _check_login(self, caller: Caller, method: Method) -> None:
        login = caller.login
        if login.duplicated:
            raise TelegramError(406, "AUTH_KEY_DUPLICATED")
        if login.account is None:
            if method.anonymous:
                return
            raise TelegramError(401, "SESSION_PASSWORD_NEEDED" if login.pending else "AUTH_KEY_UNREGISTERED")
        is_bot = caller.world.account(login.account).bot is not None
        if is_bot and not method.bots:
            raise TelegramError(400, "BOT_METHOD_INVALID")
        if not is_bot and not method.people:
            raise TelegramError(400, "USER_BOT_REQUIRED")
        if not caller.connection.muted:
            caller.connection.wants_updates = True

    # -- executing ---------------------------------------------------------------------------------------

    async def _later(
        self, delay: float, caller: Caller, msg_id: int, method: Method, request: Any, call: Call
    ) -> None:
        """A call that is still running when a second one with its random ids comes in."""
        keys = method.random_ids(request)
        peer = call.chat if call.chat is not None else 0
        try:
            caller.world.begin_random_ids(caller.viewer, peer, keys)
        except TelegramError as error:
            self._refuse(caller.connection, msg_id, error)
            return
        try:
            await asyncio.sleep(delay)
        finally:
            caller.world.end_random_ids(caller.viewer, peer, keys)
        self._execute(caller, msg_id, method, request, call)

    def _execute(self, caller: Caller, msg_id: int, method: Method, request: Any, call: Call) -> None:
        try:
            self._check_running(caller, method, request, call)
            with self._door.pushes.caused_by(caller.connection):
                result = method.handler(caller, request)
            body = b"" if inspect.isawaitable(result) else _encoded(result)
        except TelegramError as error:
            self._finish(caller, msg_id, call, error=error)
        except Exception as broken:  # the outer door: a bug in the sandbox must be seen, not hang a client
            self._broken(caller, msg_id, call, broken)
        else:
            if inspect.isawaitable(result):
                self._spawn(self._await(caller, msg_id, call, result))
            else:
                self._finish(caller, msg_id, call, body=body)

    def _check_running(self, caller: Caller, method: Method, request: Any, call: Call) -> None:
        keys = method.random_ids(request)
        if keys and caller.world.pending_random_ids and call.chat is not None:
            caller.world.begin_random_ids(caller.viewer, call.chat, keys)
            caller.world.end_random_ids(caller.viewer, call.chat, keys)

    async def _await(self, caller: Caller, msg_id: int, call: Call, result: Awaitable[Any]) -> None:
        try:
            body = _encoded(await result)
        except TelegramError as error:
            self._finish(caller, msg_id, call, error=error)
        except Exception as broken:  # the outer door, as above
            self._broken(caller, msg_id, call, broken)
        else:
            self._finish(caller, msg_id, call, body=body)

    # -- after -------------------------------------------------------------------------------------------

    def _finish(
        self,
        caller: Caller,
        msg_id: int,
        call: Call,
        *,
        body: bytes = b"",
        error: TelegramError | None = None,
    ) -> None:
        order = self._gate.after(call, error)
        if error is not None:
            body = bytes(types.RpcError(error.code, error.wire_name))
        if order is GO or order == GO:
            caller.connection.answer(msg_id, body, caller.seen)
        elif order.delay:
            self._spawn(self._answer_later(order, caller, msg_id, body))
        else:
            self._answer_as_told(order, caller, msg_id, body)

    def _answer_as_told(self, order: Order, caller: Caller, msg_id: int, body: bytes) -> None:
        if order.cut:
            caller.connection.close()
        elif order.error is not None:
            self._refuse(caller.connection, msg_id, order.error)
        elif not order.drop:
            caller.connection.answer(msg_id, of_no_layer(body) if order.odd else body, caller.seen)

    async def _answer_later(self, order: Order, caller: Caller, msg_id: int, body: bytes) -> None:
        await asyncio.sleep(order.delay)
        self._answer_as_told(order, caller, msg_id, body)

    def _refuse(self, connection: Connection, msg_id: int, error: TelegramError) -> None:
        connection.answer(msg_id, bytes(types.RpcError(error.code, error.wire_name)))

    def _broken(self, caller: Caller, msg_id: int, call: Call, broken: Exception) -> None:
        _log.error("The sandbox failed in %s.", call.method, exc_info=broken)
        self._gate.unknown("mtproto", call.account, f"{call.method}: {broken!r}")
        self._finish(caller, msg_id, call, error=TelegramError(500, "SANDBOX_BROKEN"))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = self._door.loop.create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)


def _encoded(result: Any) -> bytes:
    if result is True:
        return struct.pack("<I", _TRUE)
    if result is False:
        return struct.pack("<I", _FALSE)
    if isinstance(result, list):
        return struct.pack("<Ii", _VECTOR, len(result)) + b"".join(bytes(one) for one in result)
    return bytes(result)
