"""The sandbox as one thing: a world, a guarded gate, and the two doors.

::

    sandbox = await Sandbox.start()
    olga = sandbox.world.create_user("Olga")
    ...                                     # point clients at sandbox.mtproto_address and sandbox.bot_api_url
    await sandbox.stop()
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from . import snapshot as snapshots
from .bot_api import BotApiDoor
from .guard import Guard
from .limits import Quotas
from .mtproto.door import MtprotoDoor, PreparedSession
from .mtproto.keys import KeyRing, ServerKey
from .network import Network
from .person import Person
from .snapshot import Snapshot
from .world import Clock, Rules, World


class Sandbox:
    """A running local Telegram. Make one with `start`."""

    def __init__(
        self, world: World, gate: Guard, network: Network, mtproto: MtprotoDoor, bot_api: BotApiDoor
    ) -> None:
        self.world = world
        self.gate = gate
        self.network = network
        self.mtproto = mtproto
        self.bot_api = bot_api
        self.control_port = 0
        self._people: list[Person] = []

    @classmethod
    async def start(
        cls,
        host: str = "127.0.0.1",
        mtproto_port: int = 0,
        http_port: int = 0,
        *,
        world: World | None = None,
        clock: Clock | None = None,
        seed: int = 0,
        rules: Rules | None = None,
        quotas: Quotas | None = None,
        limits_scale: float = 1.0,
        snapshot: Snapshot | None = None,
        server_key: ServerKey | None = None,
        delay: float = 0.0,
    ) -> Sandbox:
        """Open both doors. A ``snapshot`` brings back a world with its keys, and its ports where none is
        given.

        A ``world`` made beforehand takes the place of ``clock`` and ``rules``.
        ``quotas`` and ``limits_scale``: see `limits`; ``delay``: see `network`. Raises OSError when a port is taken.
        """
        world = world or World(clock=clock, seed=seed, rules=rules)
        keys = KeyRing()
        if snapshot is not None:
            snapshots.restore_world(world, snapshot)
            keys.logins = {login.key_id: login for login in snapshot.logins}
            server_key = ServerKey.from_pem(snapshot.server_key)
            mtproto_port, http_port = mtproto_port or snapshot.ports[0], http_port or snapshot.ports[1]
        gate = Guard(world, quotas=quotas, scale=limits_scale, seed=seed)
        network = Network(delay)
        mtproto = MtprotoDoor(world, gate, network, server_key=server_key, keys=keys)
        bot_api = BotApiDoor(world, gate, network)
        for saved in snapshot.inboxes if snapshot is not None else ():
            bot_api.updates.restore(snapshots.inbox_from(saved))
        await mtproto.start(host, mtproto_port)
        try:
            await bot_api.start(host, http_port)
        except OSError:
            await mtproto.stop()
            raise
        return cls(world, gate, network, mtproto, bot_api)

    async def stop(self) -> None:
        """Close both doors and every connection; the world stays readable."""
        for person in self._people:
            person.close()
        await asyncio.gather(self.mtproto.stop(), self.bot_api.stop())

    # -- addresses ---------------------------------------------------------------------------------------

    @property
    def mtproto_address(self) -> str:
        """``host:port``, for TELEGRAM_MTPROTO_ADDRESS."""
        return self.mtproto.address

    @property
    def bot_api_url(self) -> str:
        """For TELEGRAM_BOT_API_URL."""
        return self.bot_api.url

    @property
    def rsa_public_pem(self) -> str:
        """PKCS #1, for TELEGRAM_MTPROTO_KEY and ``telethon.crypto.rsa.add_key``."""
        return self.mtproto.server_key.public_pem

    # -- people and control ------------------------------------------------------------------------------

    def person(self, account: int) -> Person:
        """The person's side of a user account."""
        for known in self._people:
            if known.id == account:
                return known
        self.world.account(account)
        self._people.append(Person(self.world, account))
        return self._people[-1]

    def login_code(self, phone: str) -> str:
        """The login code that was sent to a phone. Raises KeyError when none was asked for."""
        return self.mtproto.logins.code_for(phone)

    def prepared_session(self, account: int) -> PreparedSession:
        """A login of an account without the ceremony."""
        return self.mtproto.prepared_session(account)

    def cut(self, account: int | None = None) -> int:
        """Cut the connections of an account (None: of all) at both doors; how many there were."""
        return self.mtproto.cut(account) + self.bot_api.cut(account)

    # -- snapshot ----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The present state. It shares values with the running world: encode it before anything else runs."""
        return Snapshot(
            memory=self.world.memory,
            chance=self.world.random.getstate(),
            log=tuple(self.world.log),
            monotonic=self.world.clock.monotonic(),
            server_key=self.mtproto.server_key.private_pem,
            logins=tuple(self.mtproto.keys.logins.values()),
            inboxes=tuple(snapshots.inbox_state(inbox) for inbox in self.bot_api.updates.inboxes()),
            ports=(self.mtproto.port, self.bot_api.port, self.control_port),
        )

    def save(self, path: Path) -> None:
        """Write a snapshot file."""
        snapshots.save(self.snapshot(), path)
