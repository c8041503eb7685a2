"""Every error the forwarder raises on purpose, on one screen.

An error's text is a sentence for the person who reads it: it names the thing and says what to do.
Errors that come from Telegram carry Telegram's own name; what follows from a name is decided in
:mod:`forwarder.retry`, never by the class of an exception.
"""

from __future__ import annotations


class ForwarderError(Exception):
    """Anything that ends in a sentence on the screen or in the chat, never in a traceback."""

    exit_status = 1


class SettingsError(ForwarderError):
    """Settings are missing, malformed or placeholders; the text names all of them at once."""

    exit_status = 2


class Unavailable(ForwarderError):
    """PostgreSQL, Redis or Telegram does not answer."""


class SessionError(ForwarderError):
    """A session file cannot be read, opened with this key, or is held by another process."""


class SessionInUse(SessionError):
    """Another process of ours holds the session file's lease."""


class AccountNotReady(ForwarderError):
    """The account has no login, is stopped, or no process of ours holds its session.

    ``reason`` is the code of what ended its login, where that is known.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class NobodyAnswers(AccountNotReady):
    """The process that holds the account's login is away for now: what was asked may be asked again."""


class InvalidRequest(ForwarderError):
    """What a person asked for cannot be done as asked; the text says why and what would work.

    ``code`` names the case for the bot, which has the sentence in the person's language;
    ``fields`` are the values that the sentence mentions.
    """

    def __init__(self, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


class NotFound(InvalidRequest):
    """The channel, mapping, account or post that was named does not exist."""


class RuleFailed(ForwarderError):
    """A rule broke on a post, which therefore is not sent; ``rule`` is what the rule is called."""

    def __init__(self, rule: str, kind: str) -> None:
        super().__init__(f"The rule “{rule}” broke on this post ({kind}). Change the rule, or remove it.")
        self.rule = rule


class NotUnderstood(ForwarderError):
    """A message is there and cannot be read by this version; the others go on without it."""

    def __init__(self, chat_id: int, message_id: int) -> None:
        super().__init__(
            f"Message {message_id} of chat {chat_id} is in a form that this version cannot read. Update the program."
        )


class TelegramError(ForwarderError):
    """What Telegram answered instead of a result, or that it did not answer.

    ``name`` is the MTProto name (``CHAT_WRITE_FORBIDDEN``) or the Bot API's description in the
    form that :mod:`forwarder.retry` matches. ``seconds`` is the wait that the server asked for.
    """

    def __init__(
        self, name: str, *, code: int = 0, seconds: float | None = None, migrate_to: int | None = None
    ) -> None:
        super().__init__(name if seconds is None else f"{name} ({seconds:g} s)")
        self.name = name
        self.code = code
        self.seconds = seconds
        self.migrate_to = migrate_to


class OutcomeUnknown(TelegramError):
    """The call may have been executed: its answer was lost, late, or an error of the server's own."""
