"""The MTProto door: a data centre that unmodified Telethon takes for Telegram's.

``transport`` cuts packets, ``handshake`` and ``cipher`` make them secret, ``envelope`` opens containers,
``connection`` is one client's TCP connection, ``calls`` carries requests out (`rpc`, by area), ``pushes``
brings the world's events to those who have to hear of them, ``tl`` turns values into Telegram's constructors
and back.
"""

from .door import MtprotoDoor, PreparedSession
from .keys import KeyRing, Login, ServerKey

__all__ = ["KeyRing", "Login", "MtprotoDoor", "PreparedSession", "ServerKey"]
