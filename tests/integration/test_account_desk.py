"""Questions to an account cross from one process to another and come back as values or as the same errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from forwarder.account_desk import AccountDesk, answer
from forwarder.db import Database
from forwarder.errors import AccountNotReady, ForwarderError, InvalidRequest, OutcomeUnknown, TelegramError
from forwarder.message import (
    AccountKind,
    ChatCard,
    ChatKind,
    DeleteOrder,
    Entity,
    Fetched,
    FindOrder,
    Heard,
    HistoryPage,
    Kind,
    Mode,
    Origin,
    Remembered,
    SourceMessage,
    Span,
    Topic,
    Unreadable,
    Wish,
)
from forwarder.models import AccountRequest

CARD = ChatCard(
    chat_id=-1001234567890,
    kind=ChatKind.SUPERGROUP,
    title="Новости \U0001f4f0",
    username="news",
    forum=True,
    slow_mode=10,
    linked_chat_id=-1009876543210,
    access_hash=-8_765_432_109_876_543_210,
    top_id=77,
    may_read=True,
)
REMEMBERED = Remembered(5, Kind.PHOTO, ("now", "before"), "mt:photo:1", in_album=True)
ORDER = FindOrder(
    -1001, (5, 6), -1002, Mode.COPY, after_id=40, known_ids=frozenset({41, 43}), remembered=(REMEMBERED,)
)

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
FETCHED = Fetched(
    (
        SourceMessage(
            -1001, 5, AT, Kind.PHOTO, Heard.POLL, "Привет \U0001f30d", (Entity("bold", 0, 6),), "77", "mt:photo:1",
            edit_date=AT, topic_id=3, reply_to=4, origin=Origin(-1003, 9), protected=True, forwarded=AT,
        ),
        SourceMessage(-1001, 6, AT, Kind.TEXT, Heard.POLL, "plain"),
    ),
    empty=(7,),
    elsewhere=(8,),
    unreadable=(Unreadable(9, b"\x00\xff"),),
)  # fmt: skip

TOPICS = {-1001: (Topic(1, "General"), Topic(7, "Новости", closed=True))}

Look = Callable[[str], Awaitable[ChatCard]]


class Account:
    """Both sides of an account's answers, as told by the test."""

    def __init__(self) -> None:
        self.card: ChatCard | ForwarderError = CARD
        self.found: tuple[int, ...] | None = (42, 44)
        self.orders: list[FindOrder] = []
        self.deleted: list[DeleteOrder] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def look_up(self, reference: str) -> ChatCard:
        await self.hold.wait()
        if isinstance(self.card, ForwarderError):
            raise self.card
        return self.card

    async def topics(self, chat_id: int) -> tuple[Topic, ...] | None:
        return TOPICS.get(chat_id)

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        self.orders.append(order)
        return self.found

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        return {chat_id: 70 - chat_id for chat_id in chat_ids}

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        assert (chat_id, list(message_ids)) == (-1001, [5, 6, 7, 8])
        return FETCHED

    async def delete(self, order: DeleteOrder) -> None:
        if isinstance(self.card, ForwarderError):
            raise self.card
        self.deleted.append(order)


@pytest.fixture
async def db(emptied_database_url: str) -> AsyncIterator[Database]:
    database = Database(emptied_database_url)
    yield database
    await database.close()


@pytest.fixture
async def account(db: Database) -> AsyncIterator[Account]:
    account, stop = Account(), asyncio.Event()
    answering = asyncio.create_task(answer(db, AccountKind.USER, account, account, stop, chats=account))
    yield account
    stop.set()
    account.hold.set()
    await asyncio.wait_for(answering, 10)


async def open_questions(db: Database) -> int:
    async with db.begin() as session:
        asked = select(func.count()).select_from(AccountRequest).where(AccountRequest.state == "asked")
        return await session.scalar(asked) or 0


async def a_question_is_open(db: Database) -> None:
    async with asyncio.timeout(10):
        while True:
            if await open_questions(db):
                return
            await asyncio.sleep(0.02)


async def test_a_card_comes_back_as_it_was(db: Database, account: Account) -> None:
    assert await AccountDesk(db).look_up("@news") == CARD


async def test_an_order_crosses_whole_and_its_ids_come_back(db: Database, account: Account) -> None:
    assert await AccountDesk(db).find(ORDER) == (42, 44)
    assert account.orders == [ORDER]
    account.found = None
    assert await AccountDesk(db).find(ORDER) is None


async def test_messages_cross_whole_and_their_texts_do_not_stay_behind(
    db: Database, account: Account
) -> None:
    assert await AccountDesk(db).fetch(-1001, [5, 6, 7, 8]) == FETCHED
    async with db.begin() as session:
        assert await session.scalar(select(func.count()).select_from(AccountRequest)) == 0


async def test_tops_and_deletions_are_asked_for_from_afar(db: Database, account: Account) -> None:
    desk, order = AccountDesk(db), DeleteOrder(-1002, (4, 5))
    assert await desk.tops([-1001, -1002]) == {-1001: 1071, -1002: 1072}
    await desk.delete(order)
    assert account.deleted == [order]
    account.card = TelegramError("MESSAGE_DELETE_FORBIDDEN", code=403)
    with pytest.raises(TelegramError, match="MESSAGE_DELETE_FORBIDDEN"):
        await desk.delete(order)


async def test_many_questions_at_once_each_get_their_own_answer(db: Database, account: Account) -> None:
    desk = AccountDesk(db)
    assert await asyncio.gather(*(desk.look_up(f"@news{n}") for n in range(8))) == [CARD] * 8


async def test_a_refusal_keeps_its_code_and_fields(db: Database, account: Account) -> None:
    account.card = InvalidRequest("not_a_member", "Join it first.", title="News", chat_id=-1001)
    with pytest.raises(InvalidRequest, match="Join it first") as refusal:
        await AccountDesk(db).look_up("t.me/+hash")
    assert (refusal.value.code, refusal.value.fields) == ("not_a_member", {"title": "News", "chat_id": -1001})


@pytest.mark.parametrize(
    "error",
    [
        TelegramError("FLOOD_WAIT", code=420, seconds=31),
        OutcomeUnknown("PARTIAL_ALBUM"),
        TelegramError("moved", migrate_to=-1003),
    ],
)
async def test_telegrams_own_errors_cross_unchanged(
    db: Database, account: Account, error: TelegramError
) -> None:
    account.card = error
    with pytest.raises(TelegramError) as met:
        await AccountDesk(db).look_up("@news")
    assert type(met.value) is type(error)
    assert (met.value.name, met.value.seconds, met.value.migrate_to) == (
        error.name,
        error.seconds,
        error.migrate_to,
    )


async def test_a_question_nobody_answers_is_withdrawn_with_a_sentence(db: Database) -> None:
    with pytest.raises(AccountNotReady, match="worker --user"):
        await AccountDesk(db).look_up("@news", timeout=0.5)
    assert await open_questions(db) == 0


async def test_a_question_asked_before_the_login_was_held_is_answered_afterwards(db: Database) -> None:
    asking = asyncio.create_task(AccountDesk(db).look_up("@news"))
    await a_question_is_open(db)
    stop = asyncio.Event()
    answering = asyncio.create_task(answer(db, AccountKind.USER, Account(), None, stop))
    assert await asking == CARD
    stop.set()
    await asyncio.wait_for(answering, 10)


async def test_a_question_to_another_account_is_left_to_it(db: Database, account: Account) -> None:
    with pytest.raises(AccountNotReady, match=r"manage\.py bot"):
        await AccountDesk(db, AccountKind.BOT).look_up("@news", timeout=0.5)


async def test_a_question_the_holder_cannot_answer_is_refused_at_once(db: Database) -> None:
    stop = asyncio.Event()
    answering = asyncio.create_task(answer(db, AccountKind.BOT, None, Account(), stop))
    with pytest.raises(AccountNotReady, match="cannot answer"):
        await AccountDesk(db, AccountKind.BOT).look_up("@news")
    stop.set()
    await asyncio.wait_for(answering, 10)


async def test_stopping_does_not_wait_for_a_slow_answer(db: Database) -> None:
    account, stop = Account(), asyncio.Event()
    account.hold.clear()
    answering = asyncio.create_task(answer(db, AccountKind.USER, account, None, stop))
    asking = asyncio.create_task(AccountDesk(db).look_up("@news", timeout=2))
    await a_question_is_open(db)
    stop.set()
    await asyncio.wait_for(answering, 1.5)
    with pytest.raises(AccountNotReady):
        await asking


async def test_each_of_many_questions_is_put_to_the_account_once(db: Database, account: Account) -> None:
    desk = AccountDesk(db)
    orders = [FindOrder(-1001, (number,), -1002, Mode.COPY, after_id=0) for number in range(1, 17)]
    await asyncio.gather(*(desk.find(order) for order in orders))
    assert sorted(order.message_ids for order in account.orders) == [order.message_ids for order in orders]


@pytest.mark.usefixtures("account")
async def test_topics_cross_and_so_does_that_there_are_none_to_list(db: Database) -> None:
    assert await AccountDesk(db).topics(-1001) == TOPICS[-1001]
    assert await AccountDesk(db).topics(-1002) is None


class Historian:
    """Knows one span, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Wish, int]] = []

    async def span(self, chat_id: int, wish: Wish, ceiling: int) -> Span:
        self.asked.append((chat_id, wish, ceiling))
        return Span(3, 9, 7)

    async def page(self, chat_id: int, after: int) -> HistoryPage:
        raise AssertionError("whoever holds the login reads the pages itself")


async def test_a_wish_crosses_whole_to_the_first_account_whose_login_is_held(db: Database) -> None:
    historian, stop = Historian(), asyncio.Event()
    answering = asyncio.create_task(answer(db, AccountKind.USER, None, None, stop, historians={8: historian}))
    wish = Wish(since=datetime(2026, 1, 2, tzinfo=UTC), until_id=9)
    assert await AccountDesk(db).span([7, 8], -1001, wish, 40) == Span(3, 9, 7)
    assert historian.asked == [(-1001, wish, 40)]
    with pytest.raises(AccountNotReady, match="cannot answer"):
        await AccountDesk(db).span([7], -1001, wish, 40)
    stop.set()
    await asyncio.wait_for(answering, 10)
