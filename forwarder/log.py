"""One log for everything: our events and those of Celery, Telethon, httpx and SQLAlchemy, without secrets.

JSON lines where a machine reads, colours where a person does. Every line passes :mod:`forwarder.redact`
last but for its rendering, so that nothing a later processor adds slips by.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from forwarder import __version__
from forwarder.errors import SettingsError
from forwarder.redact import redact, redact_mapping, redact_text, register_secrets

__all__ = ["bind", "bound", "configure", "get_logger", "register_secrets", "start_sentry"]

# httpx logs every URL at INFO, and the Bot API carries the token in the URL. The others tell every step.
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "asyncio": logging.WARNING,
    "telethon": logging.WARNING,
    "telegram": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "kombu": logging.WARNING,
    # "Task received": half a millisecond of each post's way, to say what its end says again.
    "celery.worker.strategy": logging.WARNING,
    "amqp": logging.WARNING,
    "tornado.access": logging.WARNING,
}
# Even for debugging these stay quiet: what they say at DEBUG contains URLs and whole message texts.
_ALWAYS_QUIET = {"httpx", "httpcore", "telethon", "telegram", "sqlalchemy"}


def get_logger(**values: object) -> structlog.stdlib.BoundLogger:
    """A logger; ``log.info("delivery sent", delivery=5)``: the event is a fixed phrase, ids are values."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(**values))


def bind(**values: object) -> None:
    """Binds ids (``delivery``, ``mapping``, ``lane``) to all later lines of this task or thread."""
    structlog.contextvars.bind_contextvars(**values)


def bound(**values: object) -> AbstractContextManager[None]:
    """The same for the length of a ``with`` block."""
    return structlog.contextvars.bound_contextvars(**values)


def configure(
    *,
    level: str = "INFO",
    debug: bool = False,
    log_file: Path | None = None,
    process: str = "forwarder",
    stream: TextIO | None = None,
) -> None:
    """Sets up structlog and the standard library's logging for this process; may be called again.

    ``stream`` defaults to standard output: readable when that is a terminal, else JSON. ``log_file`` always
    gets JSON. Raises SettingsError when ``log_file`` cannot be written.
    """
    stream = stream or sys.stdout
    handlers: list[logging.Handler] = [_stream_handler(stream, process)]
    if log_file is not None:
        handlers.append(_file_handler(log_file, process))

    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "_forwarder", False)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler._forwarder = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else level)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet if name in _ALWAYS_QUIET or not debug else logging.DEBUG)
    logging.captureWarnings(True)

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            # Here too, because handlers that are not ours (Sentry's, a test's) see the record as it is now.
            _redact_event,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def start_sentry(dsn: str, *, process: str) -> None:
    """Sends errors to Sentry, redacted, without local variables, request bodies or personal data."""
    import sentry_sdk  # ten megabytes that only those pay who use it

    sentry_sdk.init(
        dsn=dsn,
        release=__version__,
        server_name=process,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=20,
        before_send=_before_send,
        before_breadcrumb=_before_breadcrumb,
    )


def _before_send(event: Any, hint: Mapping[str, Any]) -> Any:
    return redact_mapping(event, depth=16)


def _before_breadcrumb(crumb: Any, hint: Mapping[str, Any]) -> Any:
    return redact_mapping(crumb)


def _stream_handler(stream: TextIO, process: str) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    if stream.isatty():
        renderer: Processor = structlog.dev.ConsoleRenderer(
            exception_formatter=_plain_traceback, pad_event_to=36, sort_keys=False
        )
        handler.setFormatter(_formatter(process, renderer, json=False))
    else:
        handler.setFormatter(_formatter(process, _json_renderer(), json=True))
    return handler


def _file_handler(path: Path, process: str) -> logging.Handler:
    # Several processes write to one file. A handler that rotates by itself would rename it under the others;
    # this one appends (short lines are atomic) and notices when logrotate has moved the file.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"LOG_FILE cannot be written ({path}: {error.strerror}): name a file in a directory that this "
            "user may write to, or remove LOG_FILE."
        ) from None
    handler.setFormatter(_formatter(process, _json_renderer(), json=True))
    return handler


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=redact)


def _formatter(process: str, renderer: Processor, *, json: bool) -> logging.Formatter:
    def name_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True) if json else _LOCAL_TIME,
        name_process,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if json:
        last.append(structlog.processors.format_exc_info)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.ExtraAdder()],
        processors=[*shared, *last, _redact_event, renderer],
    )


_LOCAL_TIME = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> MutableMapping[str, Any]:
    # exc_info stays an exception for the terminal's renderer, which redacts its text itself.
    exc_info = event.pop("exc_info", None)
    clean: MutableMapping[str, Any] = redact_mapping(event)
    if exc_info:
        clean["exc_info"] = exc_info
    return clean


def _plain_traceback(sio: TextIO, exc_info: ExcInfo) -> None:
    text = structlog.processors.ExceptionRenderer()(None, "", {"exc_info": exc_info}).get("exception", "")
    sio.write("\n" + redact_text(text))
