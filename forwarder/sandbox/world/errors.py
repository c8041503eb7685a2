"""The one error that the world raises: what Telegram's servers answer to a refused call."""

from __future__ import annotations


class TelegramError(Exception):
    """A refusal, with Telegram's own name for it.

    ``name`` is the name of the MTProto error list; where that name carries a number (``FLOOD_WAIT_X``) the
    number is ``seconds`` (or another quantity), and `wire_name` is what travels: ``FLOOD_WAIT_17``.
    Source of names and codes: https://core.telegram.org/api/errors and the tables of each method.
    """

    def __init__(self, code: int, name: str, seconds: int | None = None) -> None:
        super().__init__(code, name, seconds)
        self.code = code
        self.name = name
        self.seconds = seconds

    @property
    def wire_name(self) -> str:
        """The text that a client receives: the number stands in the place of the final X."""
        if self.seconds is None:
            return self.name
        if self.name.endswith("_X"):
            return f"{self.name[:-1]}{self.seconds}"
        return f"{self.name}_{self.seconds}"

    def __str__(self) -> str:
        return f"{self.code} {self.wire_name}"
