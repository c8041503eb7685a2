"""The texts: complete in both languages, and whole for every code that the program can raise."""

from __future__ import annotations

import re
import string
from dataclasses import fields as fields_of
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder import retry
from forwarder.bot.texts import TEXTS, Html, Texts, plain, plural_ru
from forwarder.errors import InvalidRequest, TelegramError, Unavailable
from forwarder.models import Language
from forwarder.services.kept_rules import read_set

ROOT = Path(__file__).resolve().parents[3] / "forwarder"
RAISED = re.compile(r'(?:InvalidRequest|NotFound)\(\s*"([a-z_]+)"')
USED = re.compile(r'texts(?:\.plain)?\(\s*"([a-z_.]+)"')


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    assert set(TEXTS[Language.RU]) == set(TEXTS[Language.EN])


@pytest.mark.parametrize("key", sorted(TEXTS[Language.EN]))
def test_both_languages_say_the_same_values(key: str) -> None:
    assert placeholders(TEXTS[Language.RU][key]) == placeholders(TEXTS[Language.EN][key])


@pytest.mark.parametrize("language", list(Language))
def test_plurals_have_a_form_for_every_number(language: Language) -> None:
    forms = {Language.EN: 2, Language.RU: 3}[language]
    for key, text in TEXTS[language].items():
        for _, _, spec, _ in string.Formatter().parse(text):
            if spec and spec.startswith("plural:"):
                assert len(spec.removeprefix("plural:").split("|")) == forms, key


@pytest.mark.parametrize("language", list(Language))
def test_tags_are_closed(language: Language) -> None:
    for key, text in TEXTS[language].items():
        for tag in ("b", "i", "code"):
            assert text.count(f"<{tag}>") == text.count(f"</{tag}>"), key


@pytest.mark.parametrize("language", list(Language))
def test_commands_and_alerts_fit_telegram(language: Language) -> None:
    for key, text in TEXTS[language].items():
        if key.startswith("command."):
            assert 1 <= len(text) <= 256
        if key.startswith("button."):
            assert len(text) <= 40, key


def sources() -> list[str]:
    return [path.read_text() for path in ROOT.rglob("*.py") if "sandbox" not in path.parts]


def test_every_refusal_has_a_sentence() -> None:
    codes = {code for source in sources() for code in RAISED.findall(source)}
    assert codes - {key.removeprefix("error.") for key in TEXTS[Language.EN]} == set()


def test_every_text_that_a_room_asks_for_exists() -> None:
    used = {key for path in (ROOT / "bot").rglob("*.py") for key in USED.findall(path.read_text())}
    assert used - set(TEXTS[Language.EN]) == set()


def test_every_reason_that_follows_from_an_error_has_words() -> None:
    decisions = [*retry.MTPROTO.values(), *(decision for _, decision in retry.BOT_API), retry.UNKNOWN]
    assert fields_of(retry.Decision)[1].name == "reason"
    missing = {decision.reason for decision in decisions} - {
        key.removeprefix("reason.") for key in TEXTS[Language.EN]
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("number", "form"), [(0, 2), (1, 0), (2, 1), (4, 1), (5, 2), (11, 2), (12, 2), (21, 0), (22, 1), (111, 2)]
)
def test_russian_counts_as_russians_do(number: int, form: int) -> None:
    assert plural_ru(number) == form


def test_what_people_write_cannot_become_markup() -> None:
    text = Texts(Language.EN)("channel.title", title="<b>&{x}")
    assert text == "<b>&lt;b&gt;&amp;{x}</b>"
    assert Texts(Language.EN)("channel.title", title=Html("<i>x</i>")) == "<b><i>x</i></b>"
    assert plain(text) == "<b>&{x}"


def test_an_error_speaks_the_persons_language_and_falls_back_on_its_own_sentence() -> None:
    russian = Texts(Language.RU)
    assert "уже есть" in russian.error(InvalidRequest("mapping_exists", "It exists.", mapping=7))
    assert russian.error(InvalidRequest("never_heard_of", "A <sentence>.")) == "A &lt;sentence&gt;."
    assert russian.error(InvalidRequest("mapping_exists", "Without its number.")) == "Without its number."
    assert "База данных" in russian.error(Unavailable("down"))
    assert "CHAT_X" in russian.error(TelegramError("CHAT_X"))


def test_what_is_wrong_with_kept_rules_is_told_in_the_persons_language() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_set("list:2", {"rules": [{"cut": "long"}]})
    said = plain(Texts(Language.RU).error(refused.value))
    assert said.startswith("Сохранённые правила list:2 не читаются. rules[1].cut: напишите целое число ")
    assert "write" not in said
    assert plain(Texts(Language.EN).error(refused.value)) == str(refused.value)


def test_unknown_reasons_are_shown_as_they_are() -> None:
    assert Texts(Language.RU).reason("brand_<new>") == "brand_&lt;new&gt;"
    assert Texts(Language.RU).reason(None) == ""


def test_times_say_their_zone_and_the_day_only_when_it_is_another() -> None:
    now = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
    texts = Texts(Language.EN)
    assert texts.when(now + timedelta(minutes=5), now) == "14:05 UTC"
    assert texts.when(now - timedelta(days=1), now) == "21.11.2026 14:00 UTC"
    assert texts.when(None) == "never"
