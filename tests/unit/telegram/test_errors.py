"""Every exception of both libraries becomes one of ours, by name."""

from __future__ import annotations

import asyncio
import inspect

import httpx
import pytest
import telegram.error as bot_errors
from telethon import errors as mt
from telethon.errors import rpc_message_to_error
from telethon.tl import functions, types

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.telegram.errors import NAMES, translate, translated

REQUEST = functions.help.GetConfigRequest()


def answered(name: str, code: int) -> TelegramError:
    """What the server's own ``rpc_error`` becomes on its way through Telethon and our door."""
    ours = translate(rpc_message_to_error(types.RpcError(code, name), REQUEST))
    assert ours is not None
    return ours


def made(cls: type[Exception]) -> Exception:
    """An instance of any exception class of either library."""
    if cls is mt.MultiError:
        return mt.MultiError([None, made(mt.FloodWaitError)], [1, None], [REQUEST, REQUEST])
    if cls is mt.BadMessageError:
        return mt.BadMessageError(REQUEST, 16)
    if cls is mt.InvalidBufferError:
        return mt.InvalidBufferError((404).to_bytes(4, "little"))
    values = {"request": REQUEST, "message": "SOME_NAME", "code": 400, "new_chat_id": -1001, "retry_after": 5}
    parameters = [
        parameter
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.name != "self"
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    return cls(*(values.get(parameter.name, 1) for parameter in parameters))


def exceptions_of(*modules: object) -> list[type[Exception]]:
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    return sorted(found, key=lambda cls: cls.__qualname__)


@pytest.fixture(autouse=True)
def durations_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.mark.parametrize("cls", exceptions_of(mt, mt.common, mt.rpcbaseerrors), ids=lambda cls: cls.__name__)
def test_every_exception_of_telethon_is_translated(cls: type[Exception]) -> None:
    ours = translate(made(cls))
    assert isinstance(ours, TelegramError)
    assert ours.name
    assert "\\d" not in ours.name


@pytest.mark.parametrize("cls", exceptions_of(bot_errors), ids=lambda cls: cls.__name__)
def test_every_exception_of_python_telegram_bot_is_translated(cls: type[Exception]) -> None:
    assert isinstance(translate(made(cls)), TelegramError)


@pytest.mark.parametrize("name", sorted(mt.rpc_errors_dict))
def test_a_name_that_telethon_knows_comes_through_as_it_was_sent(name: str) -> None:
    code = abs(mt.rpc_errors_dict[name].code or 400)
    assert answered(name, code).name == name.upper()


@pytest.mark.parametrize(
    ("sent", "code", "name", "seconds"),
    [
        ("FLOOD_WAIT_37", 420, "FLOOD_WAIT", 37),
        ("FLOOD_WAIT_0", 420, "FLOOD_WAIT", 0),
        ("SLOWMODE_WAIT_9", 420, "SLOWMODE_WAIT", 9),
        ("FLOOD_PREMIUM_WAIT_3", 420, "FLOOD_PREMIUM_WAIT", 3),
        ("SOME_NEW_WAIT_12", 420, "SOME_NEW_WAIT", 12),
        ("FROZEN_METHOD_INVALID", 420, "FROZEN_METHOD_INVALID", None),
        ("ALLOW_PAYMENT_REQUIRED_50", 403, "ALLOW_PAYMENT_REQUIRED", None),
        ("INTERDC_2_CALL_ERROR", 500, "INTERDC_CALL_ERROR", None),
        ("TOPIC_CLOSED", 406, "TOPIC_CLOSED", None),
        ("PAYMENT_UNSUPPORTED", 406, "PAYMENT_UNSUPPORTED", None),
        ("Timeout", -503, "TIMEOUT", None),
    ],
)
def test_numbers_leave_the_name_and_waits_become_seconds(
    sent: str, code: int, name: str, seconds: float | None
) -> None:
    ours = answered(sent, code)
    assert (ours.name, ours.seconds) == (name, seconds)


@pytest.mark.parametrize("name", ["RPC_CALL_FAIL", "RANDOM_ID_DUPLICATE", "NEVER_HEARD_OF"])
def test_a_500_leaves_the_outcome_open(name: str) -> None:
    ours = answered(name, 500)
    assert isinstance(ours, OutcomeUnknown)
    assert ours.name == name


def test_a_refusal_leaves_nothing_open() -> None:
    assert not isinstance(answered("CHAT_WRITE_FORBIDDEN", 403), OutcomeUnknown)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), ConnectionError("cut")])
def test_a_lost_connection_leaves_the_outcome_open(error: Exception) -> None:
    assert isinstance(translate(error), OutcomeUnknown)


def network_error(
    cause: Exception, cls: type[bot_errors.NetworkError] = bot_errors.NetworkError
) -> Exception:
    error = cls(f"httpx.{type(cause).__name__}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        network_error(httpx.ConnectError("refused")),
        network_error(httpx.ConnectTimeout("slow"), bot_errors.TimedOut),
        network_error(httpx.PoolTimeout("full"), bot_errors.TimedOut),
    ],
)
def test_a_request_that_never_left_is_no_open_outcome(error: Exception) -> None:
    ours = translate(error)
    assert ours is not None
    assert not isinstance(ours, OutcomeUnknown)
    assert ours.name == "CONNECT_FAILED"


@pytest.mark.parametrize(
    "error",
    [
        network_error(httpx.ReadTimeout("slow"), bot_errors.TimedOut),
        network_error(httpx.RemoteProtocolError("cut")),
        network_error(httpx.ReadError("cut")),
        bot_errors.NetworkError("Internal Server Error: restart"),
        bot_errors.NetworkError("Bad Gateway (502)"),
        bot_errors.TelegramError("Invalid server response"),
    ],
)
def test_a_request_whose_answer_was_lost_is_an_open_outcome(error: Exception) -> None:
    assert isinstance(translate(error), OutcomeUnknown)


def test_a_permanent_400_is_no_network_trouble() -> None:
    ours = translate(bot_errors.BadRequest("Bad Request: chat not found"))
    assert ours is not None
    assert not isinstance(ours, OutcomeUnknown)
    assert (ours.name, ours.code) == ("Chat not found", 400)


def test_the_wait_and_the_new_id_are_read_from_their_own_fields() -> None:
    waiting = translate(bot_errors.RetryAfter(31))
    moved = translate(bot_errors.ChatMigrated(-100777))
    assert waiting is not None
    assert moved is not None
    assert (waiting.seconds, moved.migrate_to) == (31, -100777)


async def test_a_bug_of_ours_is_not_dressed_as_telegrams() -> None:
    with pytest.raises(KeyError):
        async with translated():
            raise KeyError("ours")


async def test_a_future_that_telethon_cancelled_is_a_lost_connection() -> None:
    with pytest.raises(OutcomeUnknown):
        async with translated():
            raise asyncio.CancelledError


async def test_a_task_that_is_cancelled_stays_cancelled() -> None:
    async def call() -> None:
        async with translated():
            await asyncio.sleep(60)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_no_two_errors_share_a_class_by_accident() -> None:
    assert len(NAMES) > 500
