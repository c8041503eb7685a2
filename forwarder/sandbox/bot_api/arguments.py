"""The parameters of one request, however they were sent, read with the Bot API's own patience.

Numbers may come as text, booleans as "true", objects as JSON text
(https://core.telegram.org/bots/api#making-requests).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ApiError, bad_request

JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with the request."""

    name: str
    content: bytes
    mime_type: str


class Arguments:
    """Typed access to parameters. Raises `ApiError` 400 for what can't be read as asked."""

    def __init__(self, values: JsonObject, uploads: Mapping[str, Upload] | None = None) -> None:
        self._values = values
        self._uploads = uploads or {}

    def has(self, name: str) -> bool:
        return self._values.get(name) not in (None, "")

    def raw(self, name: str) -> object:
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        return default if value is None else value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str, default: int = 0) -> int:
        value = self._values.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value) if isinstance(value, str | int | float) else default
        except ValueError:
            return default

    def real(self, name: str) -> float:
        value = self._values.get(name)
        try:
            return float(value) if isinstance(value, str | int | float) else 0.0
        except ValueError:
            return 0.0

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name)
        if value is None or value == "":
            return default
        return str(value).lower() in ("true", "yes", "1")

    def structure(self, name: str) -> object:
        """An object or array, sent as such or as JSON text; None when absent."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def mapping(self, name: str) -> JsonObject:
        """An object; empty when absent."""
        value = self.structure(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad_request(f"object expected as {name.replace('_', ' ')}")
        return value

    def sequence(self, name: str) -> list[object]:
        """An array; empty when absent."""
        value = self.structure(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise bad_request(f"expected an Array of {name.replace('_', ' ')}")
        return value

    def numbers(self, name: str) -> list[int]:
        try:
            return [int(str(one)) for one in self.sequence(name)]
        except ValueError as error:
            raise bad_request(f"expected an Array of Integer in {name}") from error

    def upload(self, name: str) -> Upload | None:
        """The uploaded file of that field, or the one that ``attach://`` in that field points to."""
        value = self._values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            return self.attached(value)
        return self._uploads.get(name)

    def attached(self, reference: str) -> Upload:
        found = self._uploads.get(reference.removeprefix("attach://"))
        if found is None:
            raise bad_request(f"file must be non-empty: there is no attachment {reference!r}")
        return found

    def nested(self, values: JsonObject) -> Arguments:
        """Arguments of an object inside these (an item of an album), with the same uploads."""
        return Arguments(values, self._uploads)

    def required_number(self, name: str, text: str) -> int:
        if not self.has(name):
            raise ApiError(400, text)
        return self.number(name)
