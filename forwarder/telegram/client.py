"""Telethon as we want it: honest about who calls, never asleep inside a call, never waiting for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from telethon import TelegramClient
from telethon.crypto import rsa

from forwarder import __version__
from forwarder.errors import SettingsError, TelegramError, Unavailable
from forwarder.telegram.errors import translated
from forwarder.telegram.message_box import WholeMessageBox
from forwarder.telegram.sessions import EncryptedSession

CALL_TIMEOUT = 20.0
CONNECT_TIMEOUT = 30.0
DEVICE_MODEL = "Telegram Message Forwarder"
FIRST_DC = 2


@dataclass(frozen=True, slots=True)
class MtprotoServer:
    """A server of one's own or of Telegram's test environment; ``key_pem`` is its RSA public key."""

    host: str
    port: int
    key_pem: str | None = None

    @classmethod
    def parse(cls, address: str, key_pem: str | None = None) -> MtprotoServer:
        host, _, port = address.rpartition(":")
        return cls(host.strip("[]"), int(port), key_pem)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Client(TelegramClient):
    """One login. Every request goes through :meth:`ask`, which connects where there is no connection.

    ``on_reconnect`` is awaited after each automatic reconnection: Telethon itself asks for nothing then, so
    what was missed stays missed until somebody asks.
    """

    def __init__(
        self, session: Any, api_id: int, api_hash: str, *, server: MtprotoServer | None, **kept: Any
    ):
        super().__init__(session, api_id, api_hash, **kept)
        self._where = str(server) if server is not None else "Telegram's servers"
        self._connecting = asyncio.Lock()
        self._connected_once = self._closed = False
        self.call_timeout = CALL_TIMEOUT
        self.on_reconnect: Callable[[], Awaitable[None]] | None = None
        self.place_is_kept = False
        self._message_box = WholeMessageBox(self._log["messagebox"])

    async def ready(self) -> None:
        """Connect unless connected.

        Raises :class:`~forwarder.errors.Unavailable` where nobody answers and after :meth:`close`, and
        :class:`~forwarder.errors.TelegramError` where the session is refused.
        """
        async with self._connecting:
            if self._closed:
                raise Unavailable("This process has let go of its login; whoever holds it goes on.")
            if self.is_connected():
                return
            try:
                async with translated(), asyncio.timeout(CONNECT_TIMEOUT):
                    if self._connected_once:
                        # The loops of a connection that was lost for good must end before new ones start.
                        # Before the first connection this would save empty update states over good ones.
                        await self.disconnect()
                    await self.connect()
                    self._connected_once = True
            except TelegramError as error:
                if error.code:
                    # A refused login must not keep its connection, which nobody else would close.
                    await self._sender.disconnect()
                    raise
                raise Unavailable(
                    f"Telegram at {self._where} does not answer. Check the network and "
                    "TELEGRAM_MTPROTO_ADDRESS; nothing is lost, waiting posts go on when it is back."
                ) from error

    async def start_anew(self) -> None:
        """Forget a login that Telegram has ended, and connect with a fresh key, ready for a new one. The session's file
        is left alone until the new one is there (``session.keep_login``).

        With the ended login's update states Telethon would ask what was missed, be refused, and disconnect in the
        middle of the new login. Raises as :meth:`ready` does.
        """
        async with self._connecting:
            await self.disconnect()
            self.session.forget_login()
            self._sender.auth_key.key = None
            self._message_box = WholeMessageBox(self._log["messagebox"])
            self._connected_once = False
        await self.ready()

    async def reconnected(self) -> None:
        """Connect unless connected, in the middle of work: an outage is a call that was never made.

        Raises :class:`~forwarder.errors.TelegramError` ``CONNECT_FAILED``.
        """
        if self.is_connected() and not self._closed:
            return
        try:
            await self.ready()
        except Unavailable as error:
            raise TelegramError("CONNECT_FAILED") from error

    async def ask(self, request: Any, timeout: float | None = None) -> Any:
        """The server's answer to one raw request.

        Raises :class:`~forwarder.errors.OutcomeUnknown` after ``timeout`` seconds (20 by default) without an
        answer: Telethon would wait for ever, and may still send the request after a reconnection.
        """
        await self.reconnected()
        try:
            async with translated(), asyncio.timeout(timeout or self.call_timeout):
                return await self(request)
        finally:
            # Telethon applies one chat's flood wait to the method everywhere; our own pace knows better.
            self._flood_waited_requests.clear()

    async def close(self) -> None:
        """Disconnect for good and save the session; harmless where there was no connection.

        Work that is still under way must not connect again by itself: somebody else has the login by then, and
        Telegram destroys one that is used on two connections.
        """
        self._closed = True
        async with self._connecting:
            if self._connected_once:
                await self.disconnect()

    async def _save_states_and_entities(self) -> None:
        """Telethon's own saving; the place is left out where somebody keeps it who knows what is stored."""
        kept = dict(self.session._update_states)
        await super()._save_states_and_entities()
        if self.place_is_kept:
            self.session._update_states = kept

    async def _handle_auto_reconnect(self) -> None:
        await super()._handle_auto_reconnect()
        if self.on_reconnect is not None:
            await self.on_reconnect()


def make_client(
    api_id: int,
    api_hash: str,
    session: EncryptedSession,
    server: MtprotoServer | None = None,
    *,
    listens: bool = False,
) -> Client:
    """A client that is not connected yet. Only one that ``listens`` is sent updates and catches up on them.

    Raises :class:`~forwarder.errors.SettingsError` for a key that is no RSA public key.
    """
    if server is not None:
        if server.key_pem is not None:
            rsa.add_key(pkcs1(server.key_pem), old=False)
        # A login that the server moved to another data centre of its own stays there.
        if session.dc_id in (0, FIRST_DC):
            session.set_dc(FIRST_DC, server.host, server.port)
    return Client(
        session,
        api_id,
        api_hash,
        server=server,
        use_ipv6=server is not None and ":" in server.host,
        timeout=10,
        # One try: what follows from an error is decided in forwarder.retry.
        request_retries=0,
        raise_last_call_error=True,
        flood_sleep_threshold=0,
        connection_retries=3,
        retry_delay=1,
        sequential_updates=True,
        receive_updates=listens,
        catch_up=listens,
        # Stable and true: Telegram asks third-party clients not to imitate official ones.
        device_model=DEVICE_MODEL,
        system_version="Linux",
        app_version=__version__,
    )


def pkcs1(pem: str) -> str:
    """The key in the one form that Telethon reads."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise SettingsError("TELEGRAM_MTPROTO_KEY is not a public key in PEM form.") from error
    if not isinstance(key, RSAPublicKey):
        raise SettingsError("TELEGRAM_MTPROTO_KEY is not an RSA key; MTProto servers have RSA keys.")
    return key.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
