"""Every verb and condition that looks at a text, in Russian, English, Arabic and with emoji.

In the rows Ⓐ is a text, Ⓑ a word, Ⓒ another one and Ⓣ a tag, in each of the four. Ⓐ stands in bold, and stays so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from forwarder.message import Entity, Kind, SourceMessage
from forwarder.rules import CONDITIONS, VERBS, Outcome, Passed, Refused
from forwarder.rules.entities import length_in_units
from tests.unit.rules.posts import CONTEXT, made, photo, post

SAID = {
    "Russian": {"Ⓐ": "Ёлки у моста", "Ⓑ": "реклама", "Ⓒ": "объявление", "Ⓣ": "новости"},
    "English": {"Ⓐ": "Straße by the bridge", "Ⓑ": "sale", "Ⓒ": "offer", "Ⓣ": "news"},
    "Arabic": {"Ⓐ": "مَرْحَبًا بالجسر", "Ⓑ": "اعلان", "Ⓒ": "خبر", "Ⓣ": "اخبار"},
    "emoji": {"Ⓐ": "👨‍👩‍👧 1️⃣ 🇷🇺 👍🏽", "Ⓑ": "🔥", "Ⓒ": "🎉🎉", "Ⓣ": "t"},
}
LETTERS = {
    "Russian": re.compile("[а-яё]", re.IGNORECASE),
    "English": re.compile("[a-z]", re.IGNORECASE),
    "Arabic": re.compile("[\u0621-\u064a]"),
    "emoji": re.compile("[\U0001f1e6-\U0001faff]"),
}
NO_WORDS = re.compile(r"https?://[!-~]+|@\w+|/start|\$BTC|\.pdf|#t\b", re.ASCII)

LINK, NAME = "https://a.example/p", "@some_name"

# name: (what stands behind the verb or condition, the post, what is refused with these words)
CONDITION_ROWS: dict[str, tuple[Any, str, str | None]] = {
    "words": ({"words": ["Ⓑ"]}, "Ⓐ Ⓑ!", "Ⓑ"),
    "words, every": ({"words": ["Ⓐ", "Ⓑ"], "every": True}, "Ⓐ, Ⓑ", "Ⓐ|Ⓑ"),
    "words, none": ({"words": ["Ⓑ"]}, "Ⓐ", None),
    "regex": ({"regex": "(?i)Ⓑ$"}, "Ⓐ Ⓑ", "Ⓑ"),
    "links": ({"links": ["a.example"]}, f"Ⓐ {LINK} Ⓑ", LINK),
    "links, hidden": ({"links": ["b.example"]}, "Ⓐ Ⓑ", "https://b.example/"),
    "mentions": ({"mentions": [NAME]}, f"Ⓐ {NAME} Ⓑ", NAME),
    "hashtags": ({"hashtags": ["Ⓣ"]}, "Ⓐ #Ⓣ Ⓑ", "#Ⓣ"),
    "cashtags": ({"cashtags": ["btc"]}, "Ⓐ $BTC Ⓑ", "$BTC"),
    "commands": ({"commands": ["start"]}, "Ⓐ /start Ⓑ", "/start"),
    "file_name": ({"file_name": ["Ⓑ"]}, "Ⓐ", "Ⓐ Ⓑ.pdf"),
    "extension": ({"extension": ["pdf"]}, "Ⓐ", "Ⓐ Ⓑ.pdf"),
    "length": ({"length": {"min": 2, "max": 50}}, "Ⓐ Ⓑ", "N"),
    "length, longer": ({"length": {"min": 50}}, "Ⓐ Ⓑ", None),
    "all": ({"all": [{"words": ["Ⓑ"]}, {"hashtags": ["Ⓣ"]}]}, "Ⓐ Ⓑ #Ⓣ", "Ⓑ|#Ⓣ"),
    "any": ({"any": [{"words": ["Ⓒ"]}, {"words": ["Ⓑ"]}]}, "Ⓐ Ⓑ", "Ⓑ"),
    "not": ({"not": {"words": ["Ⓑ"]}}, "Ⓐ", ""),
}
# name: (the rule, the post, what is seen of it)
VERB_ROWS: dict[str, tuple[dict[str, Any], str, str]] = {
    "allow": ({"allow": {"words": ["Ⓑ"]}}, "Ⓐ", "not_allowed"),
    "allow, passes": ({"allow": {"words": ["Ⓑ"]}}, "Ⓐ Ⓑ", "Ⓐ Ⓑ"),
    "deny": ({"deny": {"words": ["Ⓑ"]}}, "Ⓐ Ⓑ", "denied"),
    "replace": ({"replace": {"words": ["Ⓑ"], "with": "Ⓒ"}}, "Ⓐ Ⓑ!", "Ⓐ Ⓒ!"),
    "replace by regex": ({"replace": {"regex": "(Ⓑ)(!)", "with": r"\2\1\1"}}, "Ⓐ Ⓑ!", "Ⓐ !ⒷⒷ"),
    "remove_links": ({"remove_links": True}, f"Ⓐ {LINK} Ⓑ", "Ⓐ Ⓑ"),
    "replace_links": ({"replace_links": {"with": "https://b.example"}}, f"Ⓐ {LINK} Ⓑ", "Ⓐ https://b.example Ⓑ"),
    "source_links": ({"source_links": True}, "Ⓐ https://t.me/news/5 Ⓑ", "Ⓐ https://t.me/digest/50 Ⓑ"),
    "remove_mentions": ({"remove_mentions": True}, f"Ⓐ {NAME} Ⓑ", "Ⓐ Ⓑ"),
    "replace_mentions": ({"replace_mentions": {"with": "@we_all"}}, f"Ⓐ {NAME} Ⓑ", "Ⓐ @we_all Ⓑ"),
    "remove_hashtags": ({"remove_hashtags": ["Ⓣ"]}, "Ⓐ #Ⓣ Ⓑ", "Ⓐ Ⓑ"),
    "remove_signature": ({"remove_signature": ["Ⓑ"]}, f"Ⓐ\n\nⒷ {NAME}", "Ⓐ"),
    "remove_signature of marks": ({"remove_signature": True}, f"Ⓐ\n\n{NAME} | {LINK}", "Ⓐ"),
    "cut": ({"cut": {"length": 24, "ending": " →"}}, "Ⓐ " + "Ⓑ" * 40, "Ⓐ →"),
    "drop_caption": ({"drop_caption": True}, "Ⓐ Ⓑ", ""),
    "header": ({"header": "Ⓑ <i>{source_username}</i>"}, "Ⓐ", "Ⓑ @news\n\nⒶ"),
    "footer": ({"footer": '<a href="{post_link}">Ⓑ</a>'}, "Ⓐ", "Ⓐ\n\nⒷ"),
    "preview": ({"preview": False}, f"Ⓐ {LINK}", f"Ⓐ {LINK} (no preview)"),
    "spoiler": ({"spoiler": "all"}, "Ⓐ Ⓑ", "‖Ⓐ Ⓑ‖ (covered)"),
    "button": ({"button": {"text": "Ⓑ", "url": LINK}}, "Ⓐ", f"Ⓐ [Ⓑ]({LINK})"),
    "too_long": ({"too_long": "split"}, "Ⓐ", "Ⓐ ++ Ⓒ Ⓒ Ⓒ Ⓒ Ⓒ Ⓒ"),
}  # fmt: skip


WITHOUT_TEXT = {
    "kind", "sender", "anonymous", "via_bot", "forwarded_from", "size", "duration", "reply", "buttons", "silent",
    "time", "delay", "quiet", "days", "at_most", "review", "zone",
}  # fmt: skip
ON_MEDIA = ("file_name", "extension", "drop_caption", "spoiler", "too_long")


def verb_of(name: str) -> str:
    return re.split(",| by | of ", name)[0]


def in_words(value: Any, script: str) -> Any:
    """The same value with the words of a script."""
    if isinstance(value, dict):
        return {name: in_words(one, script) for name, one in value.items()}
    if isinstance(value, list):
        return [in_words(one, script) for one in value]
    if isinstance(value, str):
        for sign, words in SAID[script].items():
            value = value.replace(sign, words)
    return value


def source(name: str, text: str, script: str) -> SourceMessage:
    words = SAID[script]
    entities = [Entity("bold", 0, length_in_units(words["Ⓐ"]))]
    if name == "links, hidden":
        size = length_in_units(words["Ⓑ"])
        entities.append(Entity("text_link", length_in_units(text) - size, size, url="https://b.example/"))
    if verb_of(name) not in ON_MEDIA:
        return post(text, *entities)
    kind = Kind.DOCUMENT if name in ("file_name", "extension") else Kind.PHOTO
    return photo(text, *entities, kind=kind, file_name=in_words("Ⓐ Ⓑ.pdf", script))


def stretch(text: str, entity: Entity) -> str:
    units = text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def seen(outcome: Outcome) -> str:
    """What a reader sees of the first part; why nothing goes, where nothing does."""
    if isinstance(outcome, Refused):
        return outcome.reason
    [part] = outcome.parts
    text = part.text
    if any(e.type == "spoiler" and stretch(part.text, e) == part.text for e in part.entities):
        text = f"‖{text}‖"
    text += f" ++ {outcome.rest.text}" if outcome.rest is not None else ""
    text += f" [{outcome.button.text}]({outcome.button.url})" if outcome.button is not None else ""
    text += " (no preview)" if outcome.preview is False else ""
    return text + (" (covered)" if outcome.spoiler else "")


@pytest.mark.parametrize("script", SAID)
@pytest.mark.parametrize("name", CONDITION_ROWS)
def test_conditions_hold_in_every_script(name: str, script: str) -> None:
    condition, text, words = in_words(list(CONDITION_ROWS[name]), script)
    outcome = made([{"deny": condition}], source(name, text, script))
    if words is None:
        assert isinstance(outcome, Passed)
    else:
        said = words.replace("N", str(len(text))) if name == "length" else words
        assert outcome == Refused("deny #1", tuple(said.split("|")) if said else (), "denied")


@pytest.mark.parametrize("script", SAID)
@pytest.mark.parametrize("name", VERB_ROWS)
def test_verbs_do_what_they_say_in_every_script(name: str, script: str) -> None:
    rule, text, expected = in_words(list(VERB_ROWS[name]), script)
    rules, context = [rule], CONTEXT
    if name == "too_long":
        rules.append({"footer": in_words("Ⓒ Ⓒ Ⓒ Ⓒ Ⓒ Ⓒ", script)})
        context = replace(CONTEXT, caption_limit=24)
    outcome = made(rules, source(name, text, script), context=context)
    assert seen(outcome) == expected
    if isinstance(outcome, Passed) and (text := outcome.parts[0].text):
        [bold] = [e for e in outcome.parts[0].entities if e.type == "bold"]
        assert stretch(text, bold) == SAID[script]["Ⓐ"]


def scripts_in(row: Any) -> set[str]:
    """Those whose letters are in it. Links, names and the words of rules themselves are no English."""
    words = NO_WORDS.sub("", " ".join(texts_in(row)))
    found = {script for script, letters in LETTERS.items() if letters.search(words)}
    return found - {"English"} if found & {"Russian", "Arabic", "emoji"} else found


def texts_in(row: Any) -> Iterator[str]:
    if isinstance(row, dict | list | tuple):
        for one in row.values() if isinstance(row, dict) else row:
            yield from texts_in(one)
    elif isinstance(row, str):
        yield row


def test_every_verb_and_condition_that_looks_at_a_text_has_an_example_in_every_script() -> None:
    scripts = defaultdict(set)
    for name, row in (CONDITION_ROWS | VERB_ROWS).items():
        for script in SAID:
            scripts[verb_of(name)] |= scripts_in(in_words(list(row), script)[1:])
    wanted = (set(VERBS) | set(CONDITIONS)) - WITHOUT_TEXT
    assert {name: set(LETTERS) - scripts[name] for name in wanted if set(LETTERS) - scripts[name]} == {}
    assert {"replace by regex", "remove_signature of marks"} <= set(VERB_ROWS)
