"""The control port from the other side: a thin asynchronous client for demos and tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from tornado.httpclient import HTTPError
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .person import Screen, Shown, ShownButton


class ControlError(Exception):
    """The sandbox could not do what was asked; the text is its own sentence."""


class ControlClient:
    """Talks to a sandbox in another process. ``url`` is ``http://host:port`` of its control port.

    Results are plain JSON values as `control` describes them; `call` reaches every verb, the methods are the
    common ones by name. Raises ControlError for refusals, OSError when nobody answers.
    """

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._http = SimpleAsyncHTTPClient(force_instance=True, max_body_size=1 << 30)

    async def __aenter__(self) -> ControlClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    async def call(self, verb: str, **values: object) -> Any:
        """Ask for any verb of the control port."""
        try:
            answer = await self._http.fetch(
                f"{self._url}/{verb}",
                method="POST",
                body=json.dumps(values),
                request_timeout=self._timeout,
                raise_error=False,
            )
        except HTTPError as error:
            raise ControlError(f"The sandbox at {self._url} did not answer {verb!r}: {error}") from error
        if answer.code == 599:
            raise ControlError(f"The sandbox at {self._url} did not answer {verb!r}: {answer.error}")
        body = json.loads(answer.body)
        if answer.code != 200:
            raise ControlError(body.get("error", f"status {answer.code}"))
        return body["result"]

    async def seed(self, seed: Mapping[str, object]) -> dict[str, dict[str, dict[str, Any]]]:
        """Make a world; returns users, bots and chats by the seed's keys."""
        made: dict[str, dict[str, dict[str, Any]]] = await self.call("seed", seed=dict(seed))
        return made

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.call("status")
        return found

    async def post(self, account: int, chat: int, post: Mapping[str, object]) -> list[int]:
        """Post as somebody (the form of posts: `scripts`); returns the messages' numbers."""
        numbers: list[int] = await self.call("post", account=account, chat=chat, post=dict(post))
        return numbers

    async def edit(self, account: int, chat: int, message: int, text: str) -> None:
        await self.call("edit", account=account, chat=chat, message=message, text=text)

    async def delete(self, account: int, chat: int, messages: Sequence[int]) -> None:
        await self.call("delete", account=account, chat=chat, messages=list(messages))

    async def history(self, chat: int, viewer: int | None = None) -> dict[str, list[dict[str, Any]]]:
        """``messages`` and ``deleted`` of a chat, oldest first (`exports.message_json`)."""
        found: dict[str, list[dict[str, Any]]] = await self.call("history", chat=chat, viewer=viewer)
        return found

    async def login_code(self, phone: str) -> str:
        return str(await self.call("login_code", phone=phone))

    async def add_fault(self, **rule: object) -> int:
        """Put a fault rule into force (the words of `faults.FaultRule`); returns its number."""
        return int(await self.call("add_fault", rule=rule))

    def person(self, account: int) -> RemotePerson:
        """The person's side of a user, with the methods of `person.Person`."""
        return RemotePerson(self, account)


class RemotePerson:
    """A person in another process."""

    def __init__(self, client: ControlClient, account: int) -> None:
        self._client = client
        self.id = account

    async def type(self, bot: int, text: str) -> int:
        return int(await self._client.call("type", account=self.id, bot=bot, text=text))

    async def press(self, bot: int, button: str, message: int | None = None) -> None:
        await self._client.call("press", account=self.id, bot=bot, button=button, message=message)

    async def share_chat(self, bot: int, button: str, chat: int) -> int:
        return int(await self._client.call("share", account=self.id, bot=bot, button=button, chat=chat))

    async def forward_to(self, bot: int, chat: int, numbers: Sequence[int]) -> None:
        await self._client.call("forward", account=self.id, to=bot, chat=chat, messages=list(numbers))

    async def screen(self, bot: int, count: int = 20) -> Screen:
        return _screen(await self._client.call("screen", account=self.id, bot=bot, count=count))

    async def wait_screen(self, bot: int, text: str, *, after: int = 0, timeout: float = 10.0) -> Screen:
        """The screen once it shows ``text`` and the bot's latest message is newer than ``after``.

        Raises ControlError with what it shows instead when ``timeout`` seconds have passed.
        """
        return _screen(
            await self._client.call(
                "wait_screen", account=self.id, bot=bot, text=text, after=after, timeout=timeout
            )
        )


def _screen(values: Mapping[str, Any]) -> Screen:
    messages = tuple(
        Shown(**{**message, "buttons": _rows(message["buttons"])}) for message in values["messages"]
    )
    return Screen(messages, _rows(values["keyboard"]), values["toast"])


def _rows(rows: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[tuple[ShownButton, ...], ...]:
    return tuple(tuple(ShownButton(**button) for button in row) for row in rows)
