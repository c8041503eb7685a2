"""The HTTP server: ``/bot<token>/<method>`` and ``/file/bot<token>/<path>``, GET and POST."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import socket
from collections.abc import Mapping

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from forwarder.sandbox.gate import Call, Gate, Order
from forwarder.sandbox.network import Network
from forwarder.sandbox.world import Account, TelegramError, World

from .arguments import Arguments, Upload
from .errors import ApiError, bad_request, translated
from .methods import METHODS, Method
from .polling import CONFLICT, Polling
from .request import Desk, Request, named_chat
from .updates import Updates

_log = logging.getLogger("sandbox.bot_api")
_LOGGED_OUT_FOR = 600.0
_LARGEST_REQUEST = 64 * 1024 * 1024


class BotApiDoor:
    """The Bot API of one world. ``port`` is the real one after `start`."""

    def __init__(self, world: World, gate: Gate, network: Network | None = None) -> None:
        self.world = world
        self.gate = gate
        self.network = network or Network()
        self.updates = Updates(world, gate)
        self.polling = Polling(world.clock)
        self.desks: dict[int, Desk] = {}
        self.port = 0
        self.host = ""
        self._server: HTTPServer | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self._handlers: set[BotHandler] = set()

    @property
    def url(self) -> str:
        """What goes into TELEGRAM_BOT_API_URL."""
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        sockets = bind_sockets(port, host, family=socket.AF_INET)
        application = Application(
            [
                (r"/bot([^/]+)/(?:test/)?(\w+)", BotHandler, {"door": self}),
                (r"/file/bot([^/]+)/(?:test/)?\w+/file_(\d+)", FileHandler, {"door": self}),
                (r".*", NowhereHandler),
            ],
            log_function=lambda handler: None,
        )
        self._server = HTTPServer(application, max_buffer_size=_LARGEST_REQUEST)
        self._server.add_sockets(sockets)
        self.host, self.port = host, sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, close every connection and forget who waits."""
        self.updates.close()
        if self._server is not None:
            self._server.stop()
        self.cut(None)
        for task in tuple(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        if self._server is not None:
            await self._server.close_all_connections()
            self._server = None

    def cut(self, account: int | None) -> int:
        """Close the connections whose requests of this bot (None: of all bots) are under way; how many."""
        found = [handler for handler in self._handlers if account is None or handler.account == account]
        for handler in found:
            handler.hang_up()
        return len(found)

    def enter(self, handler: BotHandler, task: asyncio.Task[None]) -> None:
        """A request begins."""
        self._handlers.add(handler)
        self._waiting.add(task)

    def leave(self, handler: BotHandler, task: asyncio.Task[None]) -> None:
        """A request has ended."""
        self._handlers.discard(handler)
        self._waiting.discard(task)

    def desk(self, bot: int) -> Desk:
        """What is kept for a bot; made at its first call."""
        if bot not in self.desks:
            self.desks[bot] = Desk({}, {}, self.world.clock.monotonic())
        return self.desks[bot]

    def bot(self, token: str) -> Account:
        """The bot of a token. Raises 401, or 404 for what can't be a token, as the official server does."""
        if ":" not in token:
            raise ApiError(404, "")
        account = self.world.by_token(token)
        if account is None:
            raise ApiError(401, "")
        desk = self.desk(account.id)
        if desk.logged_out is not None:
            if self.world.clock.monotonic() - desk.logged_out < _LOGGED_OUT_FOR:
                raise bad_request("Logged out")
            desk.logged_out = None
        return account

    def method(self, bot: Account, name: str) -> Method:
        """Raises 404 for an unknown method, after saying so loudly."""
        method = METHODS.get(name.lower())
        if method is None:
            self.gate.unknown("bot_api", bot.id, name)
            raise ApiError(404, "method not found")
        return method


class BotHandler(RequestHandler):
    """One request to ``/bot<token>/<method>``."""

    def initialize(self, door: BotApiDoor) -> None:
        self._door = door
        self._task: asyncio.Task[None] | None = None
        self._dead = False
        self.account: int | None = None

    async def get(self, token: str, name: str) -> None:
        await self._serve(token, name)

    async def post(self, token: str, name: str) -> None:
        await self._serve(token, name)

    def on_connection_close(self) -> None:
        """The client has gone: a long poll of its ends quietly."""
        self._dead = True
        if self._task is not None:
            self._task.cancel()

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self._dead = True
        if self._task is not None:
            self._task.cancel()
        connection = self.request.connection
        stream = getattr(connection, "stream", None)
        if stream is not None:
            stream.close()

    async def _serve(self, token: str, name: str) -> None:
        task = self._task = asyncio.create_task(self._answer(token, name))
        self._door.enter(self, task)
        try:
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("The Bot API door failed in %s.", name, exc_info=error)
                self._write(ApiError(500, "Internal Server Error"))
        finally:
            self._door.leave(self, task)

    async def _answer(self, token: str, name: str) -> None:
        try:
            bot = self._door.bot(token)
            self.account = bot.id
            method = self._door.method(bot, name)
            arguments = self._arguments()
        except ApiError as error:
            self._write(error)
            return
        await self._travel()
        await self._pass_gate(bot, method, arguments)

    async def _travel(self) -> None:
        if self._door.network.delay:
            await asyncio.sleep(self._door.network.delay)

    async def _pass_gate(self, bot: Account, method: Method, arguments: Arguments) -> None:
        gate, call = self._door.gate, self._call(bot, method, arguments)
        try:
            order = gate.before(call)
        except TelegramError as error:
            self._write(translated(error, method.deed))
            return
        if not await self._obey(order, method):
            return
        try:
            answer: object = await self._carry_out(bot, method, arguments)
            failure: TelegramError | None = None
        except TelegramError as error:
            answer, failure = translated(error, method.deed), error
        except ApiError as error:
            answer, failure = error, _as_telegram(error)
        except asyncio.CancelledError:
            gate.after(call, TelegramError(499, "CONNECTION_CLOSED"))
            raise
        if await self._obey(gate.after(call, failure), method):
            await self._travel()
            self._write(answer)

    async def _carry_out(self, bot: Account, method: Method, arguments: Arguments) -> object:
        door = self._door
        request = Request(
            door.world, bot, arguments, door.updates.inbox(bot.id), door.polling, door.desk(bot.id)
        )
        answer = method.handler(request)
        return await answer if inspect.isawaitable(answer) else answer

    def _call(self, bot: Account, method: Method, arguments: Arguments) -> Call:
        """The call as gate, limits and faults see it; what can't be read is refused later, by the method."""
        try:
            messages = method.counts(arguments)
        except ApiError:
            messages = 1
        chat = named_chat(self._door.world, arguments)
        source = named_chat(self._door.world, arguments, "from_chat_id")
        params: dict[str, object] = {"from_chat_id": source, "message_id": arguments.number("message_id")}
        return Call("bot_api", bot.id, method.name, chat, messages, params)

    async def _obey(self, order: Order, method: Method) -> bool:
        """Do as the gate says; False when the usual way ends here."""
        if order.delay:
            await asyncio.sleep(order.delay)
        if order.cut:
            self._task = None
            self.hang_up()
            return False
        if order.drop:
            await asyncio.Event().wait()  # until the client hangs up or the door closes
        if order.http_status is not None:
            self._write(_http_error(order))
            return False
        if order.error is not None:
            self._write(translated(order.error, method.deed))
            return False
        return True

    def _arguments(self) -> Arguments:
        values: dict[str, object] = {
            name: found[-1].decode(errors="replace") for name, found in self.request.arguments.items()
        }
        if self.request.headers.get("Content-Type", "").startswith("application/json") and self.request.body:
            try:
                body = json.loads(self.request.body)
            except ValueError as error:
                raise bad_request("can't parse request: invalid JSON object") from error
            if not isinstance(body, dict):
                raise bad_request("can't parse request: JSON object expected")
            values.update(body)
        return Arguments(values, _uploads(self))

    def _write(self, answer: object) -> None:
        if self._dead or self._finished:
            return
        if isinstance(answer, ApiError):
            self.set_status(answer.status)
            if answer.retry_after is not None:
                self.set_header("Retry-After", str(answer.retry_after))
            body: Mapping[str, object] = answer.to_json()
        else:
            body = {"ok": True, "result": answer}
        self.set_header("Content-Type", "application/json")
        try:
            self.write(json.dumps(body, ensure_ascii=False))
        except StreamClosedError:
            self._dead = True


def _uploads(handler: RequestHandler) -> dict[str, Upload]:
    return {
        name: Upload(files[-1].filename, files[-1].body, files[-1].content_type)
        for name, files in handler.request.files.items()
    }


def _as_telegram(error: ApiError) -> TelegramError:
    """A refusal of the door's own, for the record: its wording stands for a name."""
    if error.retry_after is not None:
        return TelegramError(420, "FLOOD_WAIT_X", error.retry_after)
    return TelegramError(error.status, error.description)


def _http_error(order: Order) -> ApiError:
    """The answer to an "http" fault."""
    status = order.http_status or 500
    if status == 429:
        wait = order.error.seconds if order.error is not None and order.error.seconds else 1
        return translated(TelegramError(420, "FLOOD_WAIT_X", wait))
    words = {409: CONFLICT, 500: "Internal Server Error: restart", 502: "Bad Gateway", 504: "Gateway Timeout"}
    return ApiError(status, words.get(status, "Internal Server Error" if status >= 500 else "HTTP error"))


class FileHandler(RequestHandler):
    """Downloads of what getFile named."""

    def initialize(self, door: BotApiDoor) -> None:
        self._door = door

    def get(self, token: str, number: str) -> None:
        try:
            self._door.bot(token)
            file = self._door.world.file(int(number))
        except ApiError as error:
            self.set_status(error.status)
            self.write(error.to_json())
            return
        except TelegramError:
            self.set_status(404)
            self.write(ApiError(404, "file not found").to_json())
            return
        self.set_header("Content-Type", file.mime_type)
        self.write(file.content)


class NowhereHandler(RequestHandler):
    """Everything else: 404, as the official server answers."""

    def prepare(self) -> None:
        self.set_status(404)
        self.finish(ApiError(404, "").to_json())
