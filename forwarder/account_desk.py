"""Questions to an account that another process holds, as rows in ``account_requests``.

Whoever has no login of its own (the bot, a bot worker) asks; the process that holds the login answers.
NOTIFY wakes both sides; a notification that was lost is made up for by looking at the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import structlog
from sqlalchemy import delete, func, select, text, update

from forwarder.account_wire import (
    LONGEST_ANSWER,
    Json,
    card_from,
    error_from,
    error_json,
    fetched_from,
    fetched_json,
    find_order_from,
    find_order_json,
    wish_from,
    wish_json,
)
from forwarder.db import Database, notify
from forwarder.errors import AccountNotReady, ForwarderError, NobodyAnswers
from forwarder.message import AccountKind, ChatCard, DeleteOrder, Fetched, FindOrder, Span, Topic, Wish
from forwarder.models import AccountRequest, RequestState
from forwarder.seam import Chats, Directory, Finder, Historian

log = structlog.get_logger(__name__)

ASKED = "account_asked"
ANSWERED = "account_answered"
LOOK_UP = "look_up"
TOPICS = "topics"
FIND = "find"
TOPS = "tops"
FETCH = "fetch"
DELETE = "delete"
SPAN = "span"

AT_ONCE = 4
LOOK_AGAIN = 5.0


class AccountDesk:
    """A :class:`~forwarder.seam.Directory`, ``Finder`` and ``Chats`` from afar: it asks whoever holds the login.

    Everything raises NobodyAnswers where nobody answers within ``timeout`` seconds.
    """

    def __init__(self, db: Database, kind: AccountKind = AccountKind.USER) -> None:
        self._db = db
        self._kind = kind

    async def look_up(self, reference: str, timeout: float = 15.0) -> ChatCard:
        return card_from(await self._ask(LOOK_UP, {"reference": reference}, timeout))

    async def topics(self, chat_id: int, timeout: float = 15.0) -> tuple[Topic, ...] | None:
        topics = (await self._ask(TOPICS, {"chat": chat_id}, timeout))["topics"]
        return tuple(Topic(**one) for one in topics) if topics is not None else None

    async def find(self, order: FindOrder, timeout: float = 20.0) -> tuple[int, ...] | None:
        ids = (await self._ask(FIND, find_order_json(order), timeout))["message_ids"]
        return tuple(ids) if ids is not None else None

    async def tops(self, chat_ids: Sequence[int], timeout: float = 20.0) -> dict[int, int]:
        answered = await self._ask(TOPS, {"chats": list(chat_ids)}, timeout)
        return dict(answered["tops"])

    async def fetch(self, chat_id: int, message_ids: Sequence[int], timeout: float = 40.0) -> Fetched:
        return fetched_from(
            await self._ask(FETCH, {"chat": chat_id, "message_ids": list(message_ids)}, timeout)
        )

    async def delete(self, order: DeleteOrder, timeout: float = 20.0) -> None:
        await self._ask(DELETE, {"chat": order.destination, "message_ids": list(order.message_ids)}, timeout)

    async def span(
        self, accounts: Sequence[int], chat_id: int, wish: Wish, ceiling: int, timeout: float = 40.0
    ) -> Span:
        """Where older messages are, asked of the first of these accounts (by row id) whose login is held."""
        payload = {
            "accounts": list(accounts),
            "chat": chat_id,
            "wish": wish_json(wish),
            "ceiling": ceiling,
        }
        return Span(**await self._ask(SPAN, payload, timeout))

    async def _ask(self, question: str, payload: Json, timeout: float) -> Json:
        request_id: int | None = None
        heard = cast(AsyncGenerator[str, None], self._db.listen(ANSWERED))
        try:
            async with contextlib.aclosing(heard), asyncio.timeout(timeout):
                async for payload_heard in heard:
                    if request_id is None:
                        # Written only now that the answer's notification cannot be missed.
                        request_id = await self._write(question, payload)
                    elif payload_heard not in ("", str(request_id)):
                        continue
                    row = await self._read(request_id)
                    if row is not None and row.state != RequestState.ASKED:
                        if question == FETCH:
                            # The answer holds texts of messages; nobody needs it any more.
                            await self._withdraw(request_id)
                        return answer_or_raise(row)
        except TimeoutError:
            pass
        await self._withdraw(request_id)
        raise NobodyAnswers(
            f"No process that holds the {self._kind.value} account's login answered within {timeout:g} s. "
            + (
                "Start `manage.py worker --user`."
                if self._kind is AccountKind.USER
                else "Start `manage.py bot`."
            )
        )

    async def _write(self, question: str, payload: Json) -> int:
        async with self._db.begin() as session:
            row = AccountRequest(account_kind=self._kind.value, question=question, payload=payload)
            session.add(row)
            await session.flush()
            await notify(session, ASKED, self._kind.value)
            return row.id

    async def _read(self, request_id: int) -> AccountRequest | None:
        async with self._db.begin() as session:
            return await session.get(AccountRequest, request_id)

    async def _withdraw(self, request_id: int | None) -> None:
        """So that a login that comes back later is not busy with questions nobody waits for."""
        if request_id is None:
            await self._db.check()
            return
        async with self._db.begin() as session:
            await session.execute(delete(AccountRequest).where(AccountRequest.id == request_id))


async def answer(
    db: Database,
    kind: AccountKind,
    directory: Directory | None,
    finder: Finder | None,
    stop: asyncio.Event,
    *,
    chats: Chats | None = None,
    historians: Mapping[int, Historian] | None = None,
) -> None:
    """Answer what is asked of the account until ``stop`` is set; up to four questions at a time.

    Runs in the process that holds the login. A question it has nobody for is refused at once.
    """
    clerk = Clerk(db, kind, directory, finder, chats, historians or {})
    await clerk.tidy()
    woken = asyncio.Event()
    listening = asyncio.create_task(wake(db, kind, woken), name="account-desk-listen")
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            await clerk.take_open()
            waking = asyncio.create_task(woken.wait())
            await asyncio.wait((waking, stopping), timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            woken.clear()
    finally:
        for task in (listening, stopping):
            task.cancel()
        await asyncio.gather(listening, stopping, return_exceptions=True)
        await clerk.finish()


async def wake(db: Database, kind: AccountKind, woken: asyncio.Event) -> None:
    async for payload in db.listen(ASKED):
        if payload in ("", kind.value):
            woken.set()


@dataclass(frozen=True, slots=True)
class Asked:
    id: int
    question: str
    payload: Json


class Clerk:
    """Takes open questions and writes their answers; no transaction is open while Telegram is asked."""

    def __init__(
        self,
        db: Database,
        kind: AccountKind,
        directory: Directory | None,
        finder: Finder | None,
        chats: Chats | None,
        historians: Mapping[int, Historian],
    ) -> None:
        self._db = db
        self._kind = kind
        self._directory = directory
        self._finder = finder
        self._chats = chats
        self._historians = historians
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def tidy(self) -> None:
        """Forget old answers, and questions whose askers have long given up."""
        async with self._db.begin() as session:
            await session.execute(
                delete(AccountRequest).where(
                    AccountRequest.account_kind == self._kind.value,
                    AccountRequest.asked_at < func.clock_timestamp() - text("interval '1 hour'"),
                )
            )

    async def take_open(self) -> None:
        # An answer may be recorded while the open rows are being read: it is not to be given twice.
        at_work = set(self._at_work)
        try:
            async with self._db.begin() as session:
                rows = await session.execute(
                    select(AccountRequest.id, AccountRequest.question, AccountRequest.payload)
                    .where(
                        AccountRequest.state == RequestState.ASKED,
                        AccountRequest.account_kind == self._kind.value,
                    )
                    .order_by(AccountRequest.id)
                )
                asked = [Asked(*row) for row in rows]
        except ForwarderError as error:
            log.warning("account_desk_waits", error=str(error))
            return
        for item in asked:
            if item.id not in at_work:
                self._at_work[item.id] = asyncio.create_task(
                    self._serve(item), name=f"account-desk-{item.id}"
                )

    async def finish(self) -> None:
        """Give up what is being answered: the asker is told by its own timeout."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, asked: Asked) -> None:
        try:
            async with self._places:
                state, reply = await self._reply(asked)
                await self._record(asked.id, state, reply)
        except ForwarderError as error:
            log.warning("account_desk_answer_not_recorded", request=asked.id, error=str(error))
        finally:
            self._at_work.pop(asked.id, None)

    async def _reply(self, asked: Asked) -> tuple[RequestState, Json]:
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                return RequestState.ANSWERED, await self._ask_account(asked)
        except Exception as error:  # the asker waits for an answer, also for one that is a bug of ours
            if not isinstance(error, ForwarderError | TimeoutError):
                log.error("account_desk_failed", request=asked.id, question=asked.question, exc_info=error)
            return RequestState.REFUSED, error_json(error)

    async def _ask_account(self, asked: Asked) -> Json:
        if asked.question == LOOK_UP and self._directory is not None:
            return asdict(await self._directory.look_up(asked.payload["reference"]))
        if asked.question == TOPICS and self._directory is not None:
            topics = await self._directory.topics(asked.payload["chat"])
            return {"topics": [asdict(one) for one in topics] if topics is not None else None}
        if asked.question == FIND and self._finder is not None:
            found = await self._finder.find(find_order_from(asked.payload))
            return {"message_ids": list(found) if found is not None else None}
        if self._chats is not None and asked.question in (TOPS, FETCH, DELETE):
            return await ask_chats(self._chats, asked)
        if asked.question == SPAN:
            for account in asked.payload["accounts"]:
                if (historian := self._historians.get(account)) is not None:
                    return asdict(await ask_span(historian, asked.payload))
        raise AccountNotReady(
            f"The {self._kind.value} account cannot answer a question of kind {asked.question}."
        )

    async def _record(self, request_id: int, state: RequestState, reply: Json) -> None:
        async with self._db.begin() as session:
            await session.execute(
                update(AccountRequest)
                .where(AccountRequest.id == request_id, AccountRequest.state == RequestState.ASKED)
                .values(state=state.value, answer=reply, answered_at=func.clock_timestamp())
            )
            await notify(session, ANSWERED, str(request_id))


async def ask_span(historian: Historian, payload: Json) -> Span:
    return await historian.span(payload["chat"], wish_from(payload["wish"]), payload["ceiling"])


async def ask_chats(chats: Chats, asked: Asked) -> Json:
    payload = asked.payload
    if asked.question == TOPS:
        return {"tops": [list(pair) for pair in (await chats.tops(payload["chats"])).items()]}
    if asked.question == FETCH:
        return fetched_json(await chats.fetch(payload["chat"], payload["message_ids"]))
    await chats.delete(DeleteOrder(payload["chat"], tuple(payload["message_ids"])))
    return {}


def answer_or_raise(row: AccountRequest) -> Json:
    """The answer, or the same error that the answering process met."""
    answered: Json = row.answer or {}
    if row.state == RequestState.ANSWERED:
        return answered
    raise error_from(answered)
