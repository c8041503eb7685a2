"""The control port: the Python API of the sandbox for other processes, as JSON over HTTP.

``POST /<verb>`` with a JSON object answers ``{"result": ...}``, or status 400 and
``{"error": "<sentence>"}``.
`VERBS` lists what can be asked. It has no password: it listens where it is told to, the loopback by default.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from .bot_api.arguments import Arguments
from .bot_api.errors import ApiError
from .exports import deleted_json, message_json, screen_json
from .faults import rule_from_json, rule_to_json
from .limits import NO_QUOTAS, Quotas
from .person import CannotDo, Screen
from .scripts import contents_from_json, plant, post
from .server import Sandbox
from .traffic import MEASURING
from .world import TelegramError

_log = logging.getLogger("sandbox.control")
_LARGEST = 256 * 1024 * 1024

Json = dict[str, object]
Verb = Callable[[Sandbox, Arguments], object | Awaitable[object]]


class ControlPort:
    """The HTTP server of the control port."""

    def __init__(self, sandbox: Sandbox, snapshot_file: Path | None = None) -> None:
        self.sandbox = sandbox
        self.snapshot_file = snapshot_file
        self._server: HTTPServer | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        sockets = bind_sockets(port, host, family=socket.AF_INET)
        application = Application(
            [(r"/(\w+)", _Handler, {"control": self})], log_function=lambda handler: None
        )
        self._server = HTTPServer(application, max_buffer_size=_LARGEST)
        self._server.add_sockets(sockets)
        self.sandbox.control_port = sockets[0].getsockname()[1]
        return self.sandbox.control_port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()
            self._server = None


class _Handler(RequestHandler):
    def initialize(self, control: ControlPort) -> None:
        self._control = control

    async def get(self, verb: str) -> None:
        await self.post(verb)

    async def post(self, verb: str) -> None:
        try:
            self._reply({"result": await self._do(verb)})
        except (CannotDo, TelegramError, ApiError, ValueError, KeyError, OSError) as error:
            self.set_status(400)
            self._reply({"error": _sentence(error)})

    async def _do(self, verb: str) -> object:
        values = json.loads(self.request.body or b"{}")
        if not isinstance(values, dict):
            raise ValueError("The body of a control request must be a JSON object.")
        if verb == "snapshot":
            return self._snapshot(Arguments(values))
        deed = VERBS.get(verb)
        if deed is None:
            raise ValueError(f"The control port does not know {verb!r}; it knows {', '.join(sorted(VERBS))}.")
        result = deed(self._control.sandbox, Arguments(values))
        return await result if inspect.isawaitable(result) else result

    def _snapshot(self, arguments: Arguments) -> str:
        chosen = arguments.text("file")
        path = Path(chosen) if chosen else self._control.snapshot_file
        if path is None:
            raise ValueError('Say in "file" where to save the snapshot.')
        self._control.sandbox.save(path)
        return str(path)

    def _reply(self, body: Mapping[str, object]) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(body))


def _sentence(error: Exception) -> str:
    if isinstance(error, TelegramError):
        return f"Telegram refuses: {error.wire_name}"
    if isinstance(error, KeyError):
        return str(error.args[0]) if error.args else "Something is missing."
    return error.text if isinstance(error, ApiError) else str(error)


# -- the verbs -------------------------------------------------------------------------------------------


def _status(sandbox: Sandbox, arguments: Arguments) -> Json:
    record = sandbox.gate.record
    return {
        "mtproto": sandbox.mtproto_address,
        "bot_api": sandbox.bot_api_url,
        "key": sandbox.rsa_public_pem,
        "limit_scale": sandbox.gate.limits.scale,
        "flood_waits_met": record.flood_waits_met,
        "unknown_methods": [one.method for one in record.unknown],
        "calls": dict(record.by_method),
        "outcomes": dict(record.by_outcome),
        "online": sorted(sandbox.mtproto.online()),
        "delay": sandbox.network.delay,
        "pid": os.getpid(),
    }


def _seed(sandbox: Sandbox, arguments: Arguments) -> Json:
    return plant(sandbox.world, arguments.mapping("seed")).to_json()


def _login_code(sandbox: Sandbox, arguments: Arguments) -> str:
    return sandbox.login_code(arguments.text("phone"))


def _prepared_session(sandbox: Sandbox, arguments: Arguments) -> Json:
    session = sandbox.prepared_session(arguments.number("account"))
    key = session.auth_key.hex()
    return {"dc": session.dc, "host": session.host, "port": session.port, "auth_key": key}


def _post(sandbox: Sandbox, arguments: Arguments) -> list[int]:
    contents = contents_from_json(sandbox.world, arguments.mapping("post"))
    return post(sandbox.world, arguments.number("account"), arguments.number("chat"), contents)


async def _edit(sandbox: Sandbox, arguments: Arguments) -> bool:
    person = sandbox.person(arguments.number("account"))
    await person.edit(arguments.number("chat"), arguments.number("message"), arguments.text("text"))
    return True


async def _delete(sandbox: Sandbox, arguments: Arguments) -> bool:
    person = sandbox.person(arguments.number("account"))
    await person.delete(arguments.number("chat"), arguments.numbers("messages"))
    return True


async def _forward(sandbox: Sandbox, arguments: Arguments) -> bool:
    person = sandbox.person(arguments.number("account"))
    await person.forward_to(arguments.number("to"), arguments.number("chat"), arguments.numbers("messages"))
    return True


async def _promote(sandbox: Sandbox, arguments: Arguments) -> bool:
    rights = frozenset(str(name) for name in arguments.sequence("rights"))
    person = sandbox.person(arguments.number("account"))
    await person.promote(arguments.number("chat"), arguments.number("who"), rights)
    return True


def _ban(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.world.ban(arguments.number("account"), arguments.number("chat"), arguments.number("who"))
    return True


def _join(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.world.join(arguments.number("account"), arguments.number("chat"))
    return True


def _leave(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.world.leave(arguments.number("account"), arguments.number("chat"))
    return True


def _invite(sandbox: Sandbox, arguments: Arguments) -> str:
    invite = sandbox.world.create_invite(arguments.number("account"), arguments.number("chat"))
    return f"https://t.me/+{invite.hash}"


def _change_chat(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.world.change_chat(
        arguments.number("account"),
        arguments.number("chat"),
        title=arguments.text("title") or None,
        protected=arguments.flag("protected") if arguments.has("protected") else None,
        slow_mode=arguments.number("slow_mode") if arguments.raw("slow_mode") is not None else None,
    )
    return True


async def _type(sandbox: Sandbox, arguments: Arguments) -> int:
    return await sandbox.person(arguments.number("account")).type(
        arguments.number("bot"), arguments.text("text")
    )


async def _press(sandbox: Sandbox, arguments: Arguments) -> bool:
    message = arguments.number("message") or None
    person = sandbox.person(arguments.number("account"))
    await person.press(arguments.number("bot"), arguments.text("button"), message)
    return True


async def _share(sandbox: Sandbox, arguments: Arguments) -> int:
    person = sandbox.person(arguments.number("account"))
    return await person.share_chat(
        arguments.number("bot"), arguments.text("button"), arguments.number("chat")
    )


def _screen(sandbox: Sandbox, arguments: Arguments) -> Json:
    person = sandbox.person(arguments.number("account"))
    return screen_json(person.screen(arguments.number("bot"), arguments.number("count", 20)))


async def _wait_screen(sandbox: Sandbox, arguments: Arguments) -> Json:
    """Wait until the bot's latest message shows ``text`` (and is newer than ``after``)."""
    text, after = arguments.text("text"), arguments.number("after")

    def wanted(screen: Screen) -> bool:
        last = screen.last
        return last is not None and last.id > after and screen.has(text)

    person = sandbox.person(arguments.number("account"))
    screen = await person.wait_screen(
        arguments.number("bot"), wanted, timeout=arguments.real("timeout") or 10.0
    )
    return screen_json(screen)


def _history(sandbox: Sandbox, arguments: Arguments) -> Json:
    """Living and deleted messages of a chat; private chats and groups need ``viewer``."""
    world, chat = sandbox.world, arguments.number("chat")
    viewer = arguments.number("viewer") or None
    return {
        "messages": [message_json(world, message) for message in world.history(chat, viewer)],
        "deleted": [deleted_json(world, gone) for gone in world.deleted(chat, viewer)],
    }


def _calls(sandbox: Sandbox, arguments: Arguments) -> list[Json]:
    return [
        call.to_json()
        for call in sandbox.gate.record.calls(
            account=arguments.number("account") or None,
            method=arguments.text("method") or None,
            chat=arguments.number("chat") or None,
        )
    ]


def _add_fault(sandbox: Sandbox, arguments: Arguments) -> int:
    return sandbox.gate.faults.add(rule_from_json(arguments.mapping("rule")))


def _remove_fault(sandbox: Sandbox, arguments: Arguments) -> bool:
    return sandbox.gate.faults.remove(arguments.number("number"))


def _faults(sandbox: Sandbox, arguments: Arguments) -> Json:
    faults = sandbox.gate.faults
    return {
        str(number): {**rule_to_json(rule), "struck": faults.struck(number)}
        for number, rule in faults.rules().items()
    }


def _clear_faults(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.gate.faults.clear()
    return True


def _limits(sandbox: Sandbox, arguments: Arguments) -> float:
    """Set the scale, and switch the quotas on or off with ``enforced``."""
    quotas = None
    if arguments.has("enforced"):
        quotas = Quotas() if arguments.flag("enforced") else NO_QUOTAS
    scale = arguments.real("scale") if arguments.has("scale") else None
    sandbox.gate.limits.configure(quotas=quotas, scale=scale)
    return sandbox.gate.limits.scale


def _hold(sandbox: Sandbox, arguments: Arguments) -> bool:
    """Make an account meet a flood wait of ``seconds``, everywhere or in one chat."""
    chat = arguments.number("chat") or None
    sandbox.gate.limits.hold(arguments.number("account"), chat, arguments.real("seconds"))
    return True


def _peer_flood(sandbox: Sandbox, arguments: Arguments) -> bool:
    sandbox.gate.limits.set_peer_flood(arguments.number("account"), arguments.flag("on", True))
    return True


def _cut(sandbox: Sandbox, arguments: Arguments) -> int:
    return sandbox.cut(arguments.number("account") or None)


VERBS: dict[str, Verb] = {
    "status": _status,
    "seed": _seed,
    "login_code": _login_code,
    "prepared_session": _prepared_session,
    "post": _post,
    "edit": _edit,
    "delete": _delete,
    "forward": _forward,
    "promote": _promote,
    "ban": _ban,
    "join": _join,
    "leave": _leave,
    "invite": _invite,
    "change_chat": _change_chat,
    "type": _type,
    "press": _press,
    "share": _share,
    "screen": _screen,
    "wait_screen": _wait_screen,
    "history": _history,
    "calls": _calls,
    "add_fault": _add_fault,
    "remove_fault": _remove_fault,
    "faults": _faults,
    "clear_faults": _clear_faults,
    "limits": _limits,
    "hold": _hold,
    "peer_flood": _peer_flood,
    "cut": _cut,
    **MEASURING,
}
