"""The log is one, readable by its reader, and keeps secrets."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentry_sdk
import structlog
from telethon.errors import TypeNotFoundError

from forwarder import log, redact
from forwarder.errors import SettingsError

TOKEN = "700000001:AAF_0123456789abcdefghijklmnopqrstuv"
KEY = "p29sgUq7UwDcpFaUSZDq18FBNPx78Z52xo4-a6Gckq8="  # the same in each process, for it names a test


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def log_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in log._QUIET}
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    logging.captureWarnings(False)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    redact._registered.clear()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**values: object) -> io.StringIO:
    stream = io.StringIO()
    log.configure(stream=stream, process="test", **values)  # type: ignore[arg-type]
    return stream


def test_a_machine_reads_json_with_level_time_process_and_bound_ids() -> None:
    stream = configured()
    with log.bound(delivery=5, lane=7):
        log.get_logger().info("delivery sent", mapping=3)
    log.get_logger().info("idle")
    first, second = lines(stream)
    assert (
        first.items()
        >= {
            "event": "delivery sent",
            "level": "info",
            "process": "test",
            "delivery": 5,
            "lane": 7,
            "mapping": 3,
        }.items()
    )
    assert str(first["timestamp"]).endswith("Z")
    assert "delivery" not in second


def test_a_terminal_gets_readable_lines() -> None:
    stream = Terminal()
    log.configure(stream=stream, process="test")
    log.get_logger().warning("flood wait", seconds=31)
    shown = stream.getvalue()
    assert "flood wait" in shown
    assert "seconds" in shown
    with pytest.raises(json.JSONDecodeError):
        json.loads(shown)


def test_other_libraries_lines_go_the_same_way() -> None:
    stream = configured()
    logging.getLogger("celery.worker").info("task %s done", 12)
    [line] = lines(stream)
    assert line.items() >= {"event": "task 12 done", "logger": "celery.worker", "process": "test"}.items()


def test_httpx_never_tells_its_urls_even_for_debugging() -> None:
    stream = configured(debug=True)
    logging.getLogger("httpx").info("GET https://api.telegram.org/bot%s/getMe", TOKEN)
    logging.getLogger("httpx").debug("more")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"GET https://api.telegram.org/bot{TOKEN}/getMe", TOKEN),
        (f"key {KEY}", KEY),
        ("postgresql+psycopg://user:hunter2@db/x", "hunter2"),
        ("redis://:hunter2@r:6379/0", "hunter2"),
        ("connect(api_hash='0123456789abcdef')", "0123456789abcdef"),
        ("sign_in(phone='+79991234567')", "79991234567"),
        ("https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.example/5", "0123456789abcdef"),
    ],
)
def test_what_has_a_secrets_shape_is_starred_wherever_it_stands(said: str, secret: str) -> None:
    stream = configured()
    logger = log.get_logger()
    logger.info(said)
    logger.info("value", url=said, nested={"list": [said, (said,)]})
    logging.getLogger("somebody").warning("as argument %s", said)
    logging.getLogger("somebody").warning("as extra", extra={"where": said})
    try:
        raise ValueError(said)
    except ValueError as error:
        logger.exception("failed", error=error)
    shown = stream.getvalue()
    assert len(lines(stream)) == 5
    assert secret not in shown
    assert "***" in shown


def test_registered_secrets_are_starred_in_tracebacks_on_a_terminal_too() -> None:
    log.register_secrets(["s3same-open", "abc"])
    stream = Terminal()
    log.configure(stream=stream)
    try:
        raise ValueError("s3same-open abc")
    except ValueError:
        log.get_logger().exception("failed")
    assert "s3same-open" not in stream.getvalue()
    assert "ValueError: *** abc" in stream.getvalue()


def test_message_texts_are_dropped_and_phones_starred_by_their_key() -> None:
    stream = configured()
    log.get_logger().info(
        "heard",
        text="private",
        caption="private",
        message_text="private",
        phone="+7999",
        post={"text": "private"},
    )
    [line] = lines(stream)
    assert "private" not in json.dumps(line)
    assert line["phone"] == "***"
    assert not {"text", "caption", "message_text"} & line.keys()


def test_the_file_gets_json_and_survives_being_moved(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "forwarder.log"
    log.configure(stream=Terminal(), log_file=path)
    log.get_logger().info("one")
    path.rename(tmp_path / "old.log")
    log.get_logger().info("two")
    assert json.loads((tmp_path / "old.log").read_text())["event"] == "one"
    assert json.loads(path.read_text())["event"] == "two"


def test_a_log_file_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="LOG_FILE cannot be written"):
        log.configure(log_file=tmp_path / "file" / "x.log")


def test_configuring_twice_does_not_double_lines() -> None:
    configured()
    stream = configured()
    log.get_logger().info("once")
    assert len(lines(stream)) == 1


def test_a_value_whose_repr_fails_does_not_cost_the_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    stream = configured()
    log.get_logger().info("odd", value=Broken())
    assert "whose repr failed" in str(lines(stream)[0]["value"])


def test_sentry_reports_are_redacted_and_carry_no_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(sentry_sdk, "init", lambda **options: given.update(options))
    log.start_sentry("https://k@sentry.example/1", process="worker")
    assert given["include_local_variables"] is False
    assert given["send_default_pii"] is False
    event = {"exception": {"values": [{"value": f"bad token {TOKEN}"}]}, "extra": {"text": "private"}}
    sent = given["before_send"](event, {})  # type: ignore[operator]
    assert TOKEN not in str(sent)
    assert "private" not in str(sent)


def test_a_row_that_postgresql_refuses_does_not_reach_the_log() -> None:
    said = redact.redact_text('null value in "kind"\nDETAIL:  Failing row contains (1, our\nsecret plans).')
    assert said == 'null value in "kind"\nDETAIL: ***'


def test_the_word_that_explains_how_to_write_an_address_is_no_secret() -> None:
    said = redact.redact_text("write postgresql://user:password@host:5432/name, not redis://:hunter22@host")
    assert said == "write postgresql://user:password@host:5432/name, not redis://:***@host"


def test_what_telethon_could_not_decode_does_not_reach_the_log() -> None:
    said = redact.redact_text(str(TypeNotFoundError(0x0DD0DD0D, b"\x01our secret plans")))
    assert said.endswith("Remaining bytes: ***")
