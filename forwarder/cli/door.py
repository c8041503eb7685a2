"""The outer door: whatever a person can cause ends here as a sentence on stderr and an exit status."""

from __future__ import annotations

import select
import sys
import traceback
from typing import Any

import click
from structlog import get_logger

from forwarder.errors import ForwarderError, TelegramError, Unavailable
from forwarder.message import AccountKind
from forwarder.redact import redact_text
from forwarder.retry import decide
from forwarder.settings import Settings, load_settings

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended: 128 and the number of SIGINT."""


class Refusal(click.ClickException):
    """A sentence without click's ``Error:`` before it."""

    def __init__(self, sentence: str, exit_status: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_status  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Door(click.Group):
    """A group of commands whose errors are sentences. DEBUG_MODE shows where they came from, too."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ForwarderError as error:
            _show_where(error)
            raise Refusal(sentence(error), error.exit_status) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                raise  # `manage.py … | head`: click ends quietly
            if (told := _translated(error)) is not None:
                _show_where(error)
                raise Refusal(str(told), told.exit_status) from error
            # Nothing a person did: a bug, recorded whole for whoever mends it.
            get_logger(__name__).exception("command failed", command=ctx.invoked_subcommand)
            raise Refusal(
                f"manage.py met an error of its own ({type(error).__name__}); the log has the details.", 1
            ) from error


def sentence(error: ForwarderError) -> str:
    """What the error says; Telegram's bare names get words around them."""
    if isinstance(error, TelegramError) and error.name == "CONNECT_FAILED":
        return (
            "Telegram does not answer. Check the network and, where they are set, TELEGRAM_BOT_API_URL and "
            "TELEGRAM_MTPROTO_ADDRESS."
        )
    if isinstance(error, TelegramError):
        reason = decide(error, api=AccountKind.USER, order="read").reason.replace("_", " ")
        return f"Telegram refused: {error} ({reason})."
    return redact_text(str(error))


def _translated(error: Exception) -> ForwarderError | None:
    # Only what has gone wrong needs these libraries here.
    import redis.exceptions
    import sqlalchemy.exc

    if isinstance(error, redis.exceptions.RedisError):
        return Unavailable(
            f"Redis does not answer ({redact_text(str(error))}). Start it, or correct REDIS_URL; "
            "nothing is lost, waiting posts go on when it is back."
        )
    if (
        isinstance(error, sqlalchemy.exc.ProgrammingError)
        and "UndefinedTable" in type(getattr(error, "orig", None)).__name__
    ):
        return ForwarderError("The database has no tables of ours yet: run `manage.py db upgrade`.")
    return None


def _nobody_reads() -> bool:
    """Whether it was our own output's reader that went away, and no server."""
    output = select.poll()
    output.register(sys.stdout, select.POLLERR)
    return bool(output.poll(0))


def _show_where(error: BaseException) -> None:
    try:
        settings: Settings | None = load_settings()
    except ForwarderError:
        settings = None
    if settings is not None and settings.debug_mode:
        click.echo(redact_text("".join(traceback.format_exception(error))), err=True)
