"""What the bot says, in the person's language. Values put into a text are escaped for Telegram's HTML."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from forwarder.bot.texts import (
    backfills_en,
    backfills_ru,
    en,
    groups_en,
    groups_ru,
    late_en,
    late_ru,
    lists_en,
    lists_ru,
    notices_en,
    notices_ru,
    repairs_en,
    repairs_ru,
    reviews_en,
    reviews_ru,
    ru,
    rules_en,
    rules_ru,
    topics_en,
    topics_ru,
)
from forwarder.errors import (
    AccountNotReady,
    ForwarderError,
    InvalidRequest,
    TelegramError,
    Unavailable,
)
from forwarder.models import Language

TEXTS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: en.TEXTS
    | notices_en.TEXTS
    | repairs_en.TEXTS
    | late_en.TEXTS
    | topics_en.TEXTS
    | rules_en.TEXTS
    | reviews_en.TEXTS
    | groups_en.TEXTS
    | lists_en.TEXTS
    | backfills_en.TEXTS,
    Language.RU: ru.TEXTS
    | notices_ru.TEXTS
    | repairs_ru.TEXTS
    | late_ru.TEXTS
    | topics_ru.TEXTS
    | rules_ru.TEXTS
    | reviews_ru.TEXTS
    | groups_ru.TEXTS
    | lists_ru.TEXTS
    | backfills_ru.TEXTS,
}
TAG = re.compile(r"</?[a-z]+(?: [^>]*)?>")


class Html(str):
    """Text that is HTML already and is put into another text as it is."""

    __slots__ = ()


def plural_en(number: int) -> int:
    return 0 if number == 1 else 1


def plural_ru(number: int) -> int:
    """Which of the three Russian forms goes with a number: 1 пост, 2 поста, 5 постов."""
    if number % 10 == 1 and number % 100 != 11:
        return 0
    if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14:
        return 1
    return 2


PLURALS = {Language.EN: plural_en, Language.RU: plural_ru}


class _Formatter(string.Formatter):
    """``{n:plural:post|posts}`` gives the form that goes with the number; everything else is escaped."""

    def __init__(self, language: Language) -> None:
        self._form = PLURALS[language]

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("plural:"):
            return format_spec.removeprefix("plural:").split("|")[self._form(int(value))]
        if isinstance(value, Html):
            return str(value)
        return html.escape(str(format(value, format_spec)), quote=False)


class Texts:
    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = TEXTS[language]
        self._formatter = _Formatter(language)

    def __call__(self, key: str, **fields: object) -> Html:
        """The text as HTML, with the fields put in."""
        return Html(self._formatter.vformat(self._texts[key], (), fields))

    def plain(self, key: str, **fields: object) -> str:
        """The text without HTML: for buttons and alerts."""
        return plain(self(key, **fields))

    def has(self, key: str) -> bool:
        return key in self._texts

    def reason(self, code: str | None) -> Html:
        """Why a delivery or a mapping is where it is; an unknown code is shown as it is."""
        key = f"reason.{code}"
        return self(key) if code and self.has(key) else Html(html.escape(code or "", quote=False))

    def refusal(self, reason: str, rule: str, words: Sequence[str], owner: str = "") -> Html:
        """Which rule stopped a post, and the words that did it; just the reason where it is no rule's.

        ``owner`` is whose rules do not read; rows from before it was kept have none."""
        if not self.has(f"refused.{reason}"):
            return self.reason(reason)
        known = ".words" if words and self.has(f"refused.{reason}.words") else ""
        if not owner and self.has(f"refused.{reason}.unowned"):
            known = ".unowned"
        return self(f"refused.{reason}{known}", rule=rule, words=", ".join(words), owner=owner)

    def remedy(self, code: str | None) -> Html | None:
        """What a person can do about a reason; None where nothing is known to help."""
        key = f"remedy.{code}"
        return self(key) if code and self.has(key) else None

    def error(self, error: ForwarderError) -> Html:
        """The sentence for an error, in the person's language where there is one."""
        if isinstance(error, InvalidRequest):
            key = f"error.{error.code}"
            if self.has(key):
                try:
                    return self(key, **{name: self._said(value) for name, value in error.fields.items()})
                except KeyError:
                    pass  # raised elsewhere with other fields: its own sentence is complete
        elif isinstance(error, Unavailable):
            return self("error.unavailable")
        elif isinstance(error, AccountNotReady):
            return self("error.account_not_ready")
        elif isinstance(error, TelegramError):
            return self("error.telegram", name=error.name)
        return Html(html.escape(str(error), quote=False))

    def _said(self, value: object) -> object:
        """What goes into a sentence; an error that is the cause of another is told in the same language."""
        return self.error(value) if isinstance(value, ForwarderError) else value

    def when(self, moment: datetime | None, now: datetime | None = None) -> str:
        """A time as people read it: the hour alone today, with the day otherwise; in UTC, and says so."""
        if moment is None:
            return self.plain("never")
        moment, now = moment.astimezone(UTC), (now or datetime.now(UTC)).astimezone(UTC)
        pattern = "%H:%M" if moment.date() == now.date() else "%d.%m.%Y %H:%M"
        return f"{moment.strftime(pattern)} UTC"

    def lines(self, *lines: str | None) -> Html:
        """Lines of HTML, one below the other; None is left out."""
        return Html("\n".join(line for line in lines if line is not None))


def plain(markup: str) -> str:
    """HTML of ours as plain text."""
    return html.unescape(TAG.sub("", markup))


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def every(key: str) -> Sequence[str]:
    """The text of a button in every language: a person may press one that was shown before a change."""
    return [Texts(language).plain(key) for language in Language]
