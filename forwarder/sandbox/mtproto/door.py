"""The MTProto door: the TCP server, who is connected, and what the parts of the door share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from forwarder.sandbox.gate import Gate
from forwarder.sandbox.network import Network
from forwarder.sandbox.world import World

from .calls import Calls
from .connection import Connection
from .keys import KeyRing, ServerKey
from .logins import Logins
from .pushes import Pushes
from .uploads import Uploads

_log = logging.getLogger("sandbox.mtproto")


@dataclass(frozen=True, slots=True)
class PreparedSession:
    """All that a client needs to connect as somebody without logging in."""

    dc: int
    host: str
    port: int
    auth_key: bytes


class MtprotoDoor:
    """A data centre of one: DC 2, with all accounts at home in it.

    ``duplicate_grace`` (seconds): how long two connections may share an auth key before the key is destroyed;
    a client that reconnects needs a moment until its old connection is seen to end.
    """

    DC = 2

    def __init__(
        self,
        world: World,
        gate: Gate,
        network: Network | None = None,
        *,
        server_key: ServerKey | None = None,
        keys: KeyRing | None = None,
        duplicate_grace: float = 0.3,
    ) -> None:
        self.world = world
        self.network = network or Network()
        self.server_key = server_key or ServerKey.generate()
        self.keys = keys or KeyRing()
        self.logins = Logins(self)
        self.uploads = Uploads()
        self.calls = Calls(self, gate)
        self.pushes = Pushes(self, gate)
        self.host = ""
        self.port = 0
        self.loop: asyncio.AbstractEventLoop
        self._grace = duplicate_grace
        self._connections: set[Connection] = set()
        self._by_account: dict[int, set[Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Port 0 takes a free one. Raises OSError when the address is taken."""
        self.loop = asyncio.get_running_loop()
        self._unsubscribe = self.world.subscribe(self.pushes.notice)
        self._server = await asyncio.start_server(self._accept, host, port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Close everything; the world stays as it is."""
        if self._server is None:
            return
        self._unsubscribe()
        self._server.close()
        self.cut()
        self.pushes.stop()
        await self.calls.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def prepared_session(self, account: int) -> PreparedSession:
        """A login without the ceremony: its auth key is known to the server already."""
        self.world.account(account)
        return PreparedSession(self.DC, self.host, self.port, self.keys.prepare(account).key)

    def cut(self, account: int | None = None) -> int:
        """Close the connections of one account, or all of them; returns how many."""
        chosen = [one for one in self._connections if account is None or one.account == account]
        for connection in chosen:
            connection.close()
        return len(chosen)

    # -- connections -------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self._connections.add(connection)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await connection.run()
        except asyncio.CancelledError:  # the server stops; the streams' own callback must not log it
            connection.close()
        finally:
            self._tasks.discard(task)

    def arrived(self, connection: Connection) -> None:
        """A connection has shown its auth key."""
        self.file(connection)
        login = connection.login
        if login is not None and login.account is not None and len(self._sharing(connection)) > 1:
            self.loop.call_later(self._grace, self._check_duplicate, connection)

    def file(self, connection: Connection) -> None:
        """Put a connection where its account's connections are; called again after a login or logout."""
        for connections in self._by_account.values():
            connections.discard(connection)
        if connection.account is not None and not connection.closed:
            self._by_account.setdefault(connection.account, set()).add(connection)

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for connections in self._by_account.values():
            connections.discard(connection)

    def with_key(self, key_id: int) -> list[Connection]:
        return [c for c in self._connections if c.login is not None and c.login.key_id == key_id]

    def online(self) -> Iterable[int]:
        """Accounts with at least one connection."""
        return [account for account, connections in self._by_account.items() if connections]

    def listeners(self, account: int) -> list[Connection]:
        """The account's connections that want updates."""
        return [one for one in self._by_account.get(account, ()) if one.wants_updates]

    def _sharing(self, connection: Connection) -> list[Connection]:
        assert connection.login is not None
        return [one for one in self.with_key(connection.login.key_id) if not one.closed]

    def _check_duplicate(self, connection: Connection) -> None:
        """One authorised key on two live connections: Telegram destroys it.

        Source: AUTH_KEY_DUPLICATED at https://core.telegram.org/api/errors.
        """
        login = connection.login
        if connection.closed or login is None or login.account is None:
            return
        sharing = self._sharing(connection)
        if len(sharing) < 2:
            return
        _log.warning("Account %s uses one auth key on two connections: the key is destroyed.", login.account)
        login.account, login.duplicated = None, True
        for one in sharing:
            self.file(one)
