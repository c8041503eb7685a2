"""Each change with its examples, in Russian, English, Arabic and with emoji."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from forwarder.message import Entity, Kind
from forwarder.rules import Context, Passed, Refused, linked_posts, parse
from forwarder.rules.frame import Button
from tests.unit.rules.posts import CONTEXT, SOURCE, made, photo, post, text_of

LINK = "https://a.example/p"

TEXTS = [
    # words, in the case of what they replace
    ({"replace": {"words": ["кот"], "with": "пёс"}}, "Кот, КОТ, кот и который", "Пёс, ПЁС, пёс и который"),
    ({"replace": {"words": ["кот"], "with": "пёс", "keep_case": False}}, "Кот, КОТ", "пёс, пёс"),
    ({"replace": {"words": ["кот"], "with": "пёс", "part": True}}, "котики", "пёсики"),
    ({"replace": {"words": ["елка"], "with": "сосна"}}, "Ёлка! е\u0308лка", "Сосна! сосна"),
    ({"replace": {"words": ["a", "b"], "with": "😀"}}, "a b c", "😀 😀 c"),
    ({"replace": {"words": ["s"], "with": "z", "part": True}}, "ß", "z"),
    ({"replace": {"words": ["اعلان"], "with": "خبر"}}, "هذا إِعْلَان", "هذا خبر"),
    ({"replace": {"words": ["x"], "with": ""}}, "a x b", "a  b"),
    ({"replace": {"words": ["❤"], "with": "любовь", "part": True}}, "моя❤\ufe0f!", "моялюбовь!"),
    ({"replace": {"words": ["1"], "with": "один"}}, "1\ufe0f\u20e3 и 1\ufe0f\u20e3", "один и один"),
    ({"replace": {"words": ["кот"], "with": "пёс"}}, "❗\ufe0fКот❗\ufe0fкот", "❗\ufe0fПёс❗\ufe0fпёс"),
    ({"replace": {"words": ["اعلان"], "with": "خبر"}}, "هذا اعلانُ", "هذا خبر"),
    # patterns with groups
    ({"replace": {"regex": r"(\d+) руб", "with": r"\1 ₽"}}, "100 руб 😀 20 руб", "100 ₽ 😀 20 ₽"),
    ({"replace": {"regex": r"(?P<a>\w+)-(\w+)", "with": r"\2\\\g<a>\n"}}, "one-two", "two\\one"),
    ({"replace": {"regex": "b*", "with": "x"}}, None, None),
    ({"replace": {"regex": "(a)|(b)", "with": r"[\2]"}}, "ab", "[][b]"),
    # links: the visible go with the space they leave, the hidden leave their words
    ({"remove_links": True}, f"До {LINK} после", "До после"),
    ({"remove_links": True}, f"Раз\n\n{LINK}\n\nдва", "Раз\n\nдва"),
    ({"remove_links": True}, f"Читай: {LINK}.", "Читай:."),
    ({"remove_links": ["b.example"]}, f"{LINK} https://b.example", LINK),
    ({"replace_links": {"domains": ["a.example"], "with": "https://c.example"}}, f"😀 {LINK}!", "😀 https://c.example!"),
    ({"remove_mentions": True}, "Пиши @ivan_petrov сейчас", "Пиши сейчас"),
    ({"remove_mentions": ["ivan_petrov"]}, "@ivan_petrov @anna_k", "@anna_k"),
    ({"replace_mentions": {"with": "@we_all"}}, "От @ivan_petrov", "От @we_all"),
    ({"remove_hashtags": True}, "текст #раз\n\n#два #три\n\nконец", "текст\n\nконец"),
    ({"remove_hashtags": ["раз"]}, "#Раз #два", "#два"),
    ({"remove_hashtags": True}, "خبر #عاجل اليوم", "خبر اليوم"),
    # signatures
    ({"remove_signature": ["подписаться"]}, "Новость\n\n👉 Подписаться\n@channel_one", "Новость"),
    ({"remove_signature": ["подписаться"]}, "Подписаться? Нет.\n1\n2\n3\n4\n5", "Подписаться? Нет.\n1\n2\n3\n4\n5"),
    ({"remove_signature": True}, "Новость\n\n👉 @channel_one | #тег", "Новость"),
    ({"remove_signature": True}, "Новость\n\nот @channel_one", "Новость\n\nот @channel_one"),
    ({"remove_signature": True}, "@channel_one", "@channel_one"),
    # cut
    ({"cut": 20}, "Дорогие друзья, мы открылись", "Дорогие друзья, мы…"),
    ({"cut": {"length": 20, "ending": " →"}}, "Дорогие друзья, мы открылись", "Дорогие друзья, мы →"),
    # links to the source's posts lead to our copies, where there are any
    ({"source_links": True}, "см. https://t.me/news/5 и https://t.me/news/9",
     "см. https://t.me/digest/50 и https://t.me/news/9"),
    ({"source_links": True}, "https://t.me/c/1234567890/6", "https://t.me/digest/60"),
    # captions only
    ({"drop_caption": True}, "текст", "текст"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "expected"), [row for row in TEXTS if row[1] is not None])
def test_texts_become_what_the_rule_says(rule: dict[str, Any], text: str, expected: str) -> None:
    assert text_of(rule, text) == expected


def entities_after(rule: dict[str, Any], text: str, *entities: Entity) -> tuple[str, list[tuple[str, str]]]:
    """The new text, and what each piece of formatting lies on (texts without letters of two units)."""
    outcome = made([rule], post(text, *entities))
    assert isinstance(outcome, Passed)
    [part] = outcome.parts
    return part.text, [(e.type, part.text[e.offset :][: e.length]) for e in part.entities]


def test_formatting_follows_the_words_it_is_on() -> None:
    rule = {"replace": {"words": ["кот"], "with": "крокодил"}}
    text, found = entities_after(rule, "кот и дом", Entity("bold", 0, 3), Entity("italic", 6, 3))
    assert (text, found) == ("крокодил и дом", [("bold", "крокодил"), ("italic", "дом")])


def test_a_hidden_link_that_is_removed_leaves_its_words_and_other_formatting() -> None:
    hidden = Entity("text_link", 0, 4, url=LINK)
    assert entities_after({"remove_links": True}, "сюда", Entity("bold", 0, 4), hidden) == (
        "сюда",
        [("bold", "сюда")],
    )
    outcome = made([{"replace_links": {"with": "https://c.example"}}], post("сюда", hidden))
    assert isinstance(outcome, Passed)
    assert outcome.parts[0].entities == (Entity("text_link", 0, 4, url="https://c.example"),)


def test_a_person_mentioned_by_words_stays_as_words_or_becomes_a_name() -> None:
    person = Entity("text_mention", 3, 4, user_id=5)
    assert entities_after({"remove_mentions": True}, "От Анны", person) == ("От Анны", [])
    assert entities_after({"replace_mentions": {"with": "@we_all"}}, "От Анны", person) == ("От @we_all", [])


def test_hidden_links_to_source_posts_are_rewritten_too() -> None:
    outcome = made([{"source_links": True}], post("тут", Entity("text_link", 0, 3, url="t.me/News/5?single")))
    assert isinstance(outcome, Passed)
    assert outcome.parts[0].entities[0].url == "https://t.me/digest/50"


def test_the_linked_posts_are_named_only_where_a_rule_asks() -> None:
    linking = post("https://t.me/News/5 https://t.me/c/1234567890/6 https://a.example")
    asked = parse({"rules": [{"source_links": True}]})
    assert linked_posts(asked, [linking]) == (("news", 5), (SOURCE, 6))
    assert linked_posts(parse({}), [linking]) == ()


def test_header_and_footer_are_filled_and_formatted() -> None:
    rules = [
        {"header": "<b>{source_title}</b> ({source_username}), {date}"},
        {"footer": "{hashtags}\n✍️ {author}\n<a href='{post_link}'>источник 😀</a> {{x}} &lt;"},
    ]
    outcome = made(rules, post("Текст #a #b #a"))
    assert isinstance(outcome, Passed)
    [part] = outcome.parts
    assert part.text == "Новости (@news), 25.11.2026\n\nТекст #a #b #a\n\n#a #b\nисточник 😀 {x} <"
    units = part.text.encode("utf-16-le")
    covered = [
        (e.type, units[2 * e.offset :][: 2 * e.length].decode("utf-16-le"), e.url) for e in part.entities
    ]
    assert covered == [("bold", "Новости", None), ("text_link", "источник 😀", "https://t.me/news/7")]
    assert outcome.by == ("header #1", "footer #2")


MOSCOW, TOKYO, HERE = "Europe/Moscow", "Asia/Tokyo", "Pacific/Honolulu"


@pytest.mark.parametrize(
    ("rules", "day"),
    [
        ([], "24.11.2026"),
        ([{"zone": MOSCOW}], "25.11.2026"),
        ([{"quiet": {"from": "01:00", "to": "02:00", "zone": MOSCOW}}], "25.11.2026"),
        ([{"days": {"days": ["mon"], "zone": MOSCOW}}], "25.11.2026"),
        ([{"at_most": {"a_day": 1, "zone": MOSCOW}}], "25.11.2026"),
        # The last one counts, as a mapping's own rules come behind its lists'; a zone that nobody wrote does not.
        ([{"days": {"days": ["mon"], "zone": HERE}}, {"at_most": {"a_day": 1, "zone": TOKYO}}], "25.11.2026"),
        ([{"days": {"days": ["mon"], "zone": MOSCOW}}, {"at_most": {"a_day": 1}}], "25.11.2026"),
        ([{"zone": HERE}, {"days": {"days": ["mon"], "zone": TOKYO}}], "24.11.2026"),
    ],
)
def test_a_date_is_that_of_the_rules_own_zone_and_not_of_where_it_was_read(
    rules: list[dict[str, Any]], day: str
) -> None:
    moment = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    for read_in in (UTC, ZoneInfo(TOKYO), ZoneInfo(HERE)):
        outcome = made([*rules, {"footer": "{date}"}], post("x", date=moment.astimezone(read_in)))
        assert isinstance(outcome, Passed)
        assert outcome.parts[0].text == f"x\n\n{day}"


def test_a_private_source_is_linked_by_its_number_and_a_basic_group_not_at_all() -> None:
    rule = {"footer": '<a href="{post_link}">источник</a>'}
    private, group = post("x"), post("x", chat_id=-77)
    for message, entities in ((private, 1), (group, 0)):
        outcome = made([rule], message, context=Context("Тайное"))
        assert isinstance(outcome, Passed)
        assert (outcome.parts[0].text, len(outcome.parts[0].entities)) == ("x\n\nисточник", entities)
    outcome = made([{"footer": "{post_link}"}], private, context=Context("Тайное"))
    assert isinstance(outcome, Passed)
    assert outcome.parts[0].text.endswith("https://t.me/c/1234567890/7")


@pytest.mark.parametrize(("name", "link"), [("news", "https://t.me/news?x=1"), (None, None)])
def test_a_name_in_a_link_has_no_sign_and_without_a_name_there_is_no_link(
    name: str | None, link: str | None
) -> None:
    address = "https://t.me/{source_username}?x=1"
    rules = [{"footer": f'<a href="{address}">тут</a>'}, {"button": {"text": "x", "url": address}}]
    outcome = made(rules, post("x"), context=Context("Новости", name))
    assert isinstance(outcome, Passed)
    assert [e.url for e in outcome.parts[0].entities] == ([link] if link else [])
    assert outcome.button == (Button("x", link) if link else None)


def test_in_an_album_the_part_with_the_caption_carries_header_and_footer() -> None:
    outcome = made([{"footer": "F"}], photo(), photo("подпись", number=8), photo(number=9))
    assert isinstance(outcome, Passed)
    assert [part.text for part in outcome.parts] == ["", "подпись\n\nF", ""]
    assert [part.changed for part in outcome.parts] == [False, True, False]
    outcome = made([{"footer": "F"}], photo(), photo(number=8))
    assert isinstance(outcome, Passed)
    assert [part.text for part in outcome.parts] == ["F", ""]


@pytest.mark.parametrize("kind", [Kind.STICKER, Kind.POLL, Kind.VIDEO_NOTE, Kind.UNKNOWN])
def test_kinds_without_a_caption_go_as_they_are(kind: Kind) -> None:
    outcome = made([{"header": "H"}, {"replace": {"words": ["a"], "with": "b"}}], photo("a", kind=kind))
    assert isinstance(outcome, Passed)
    assert outcome.untouched


def test_a_caption_is_dropped_and_its_footer_stays() -> None:
    outcome = made([{"drop_caption": True}, {"footer": "F"}], photo("подпись"))
    assert isinstance(outcome, Passed)
    assert outcome.parts[0].text == "F"


def test_preview_spoiler_and_button_go_with_the_post() -> None:
    button = {"button": {"text": "В {source_title}", "url": "{post_link}"}}
    outcome = made([{"preview": False}, button], post("x"))
    assert isinstance(outcome, Passed)
    assert (outcome.preview, outcome.button) == (False, Button("В Новости", "https://t.me/news/7"))
    assert not outcome.untouched
    assert not outcome.parts[0].changed
    outcome = made([{"spoiler": "all"}, {"preview": False}], photo("тайна 😀"))
    assert isinstance(outcome, Passed)
    assert (outcome.spoiler, outcome.preview) == (True, None)
    assert outcome.parts[0].entities == (Entity("spoiler", 0, 8),)


LONG = "слово " * 160  # 960 characters


def test_too_long_for_a_caption_is_cut_and_the_footer_stays_whole() -> None:
    outcome = made([{"footer": "F" * 200}], photo(LONG))
    assert isinstance(outcome, Passed)
    text = outcome.parts[0].text
    assert len(text) <= 1024
    assert text.endswith("слово…\n\n" + "F" * 200)
    assert outcome.rest is None


def test_too_long_for_a_caption_is_split_where_that_is_set() -> None:
    outcome = made([{"footer": "F" * 200}, {"too_long": "split"}], photo(LONG))
    assert isinstance(outcome, Passed)
    assert outcome.rest is not None
    assert len(outcome.parts[0].text) <= 1024
    assert outcome.rest.text.endswith("F" * 200)
    assert outcome.by == ("footer #1", "too_long #2")


def test_every_caption_of_an_album_fits() -> None:
    grown = {"replace": {"words": ["a"], "with": "b" * 900}}
    outcome = made([grown], photo("a a", album_id="x"), photo("a a", number=8, album_id="x"))
    assert isinstance(outcome, Passed)
    assert [part.text for part in outcome.parts] == ["b" * 900 + "…"] * 2


def test_a_long_caption_that_no_rule_changed_is_left_alone() -> None:
    outcome = made([{"replace": {"words": ["xyz"], "with": "a"}}, {"too_long": "split"}], photo("а" * 3000))
    assert isinstance(outcome, Passed)
    assert outcome.untouched


def test_a_text_of_which_nothing_is_left_is_refused_by_the_rule_that_took_it() -> None:
    rules: list[dict[str, Any]] = [{"cut": 100}, {"name": "без ссылок", "remove_links": True}]
    assert made(rules, post(LINK)) == Refused("без ссылок", (), "nothing_left")


@pytest.mark.parametrize("around", [{"header": "H"}, {"footer": "<b>{post_link}</b>"}])
def test_header_and_footer_do_not_stand_for_a_text_of_which_nothing_is_left(around: dict[str, Any]) -> None:
    rules: list[dict[str, Any]] = [around, {"remove_links": True}]
    assert made(rules, post(f" {LINK} ")) == Refused("remove_links #2", (), "nothing_left")
    assert isinstance(made(rules, photo(LINK)), Passed)


@pytest.mark.parametrize("left", ["\u200b", "\u2800", "\u200e \ufeff\n\u3164", "\ufe0f"])
def test_what_nobody_sees_is_nothing(left: str) -> None:
    rule = {"replace": {"words": ["реклама"], "with": left}}
    assert made([rule], post("реклама")) == Refused("replace #1", (), "nothing_left")
    assert text_of(rule, "реклама 😀") == f"{left.lstrip()} 😀"
    assert isinstance(made([rule], photo("реклама")), Passed)


def test_a_rest_of_which_nothing_is_seen_is_not_sent() -> None:
    unseen = "{author}\n" + "\u200b" * 100  # the line of a field that is empty is left out
    outcome = made([{"footer": unseen}, {"too_long": "split"}], photo("a" * 1023))
    assert isinstance(outcome, Passed)
    assert outcome.rest is None


def bolds(number: int) -> list[Entity]:
    return [Entity("bold", 2 * n, 1) for n in range(number)]


def test_a_message_has_no_more_formatting_than_telegram_takes_and_keeps_that_of_the_footer() -> None:
    found = [Entity("hashtag", 1, 2)]
    outcome = made([{"footer": '<a href="{post_link}">источник</a>'}], post("x " * 150, *bolds(100), *found))
    assert isinstance(outcome, Passed)
    kinds = [entity.type for entity in outcome.parts[0].entities]
    assert (kinds.count("bold"), kinds.count("text_link"), len(kinds)) == (99, 1, 100)
    outcome = made([{"header": "<b>x</b> " * 105}, {"cut": 200}], post("x " * 150, *bolds(100)))
    assert isinstance(outcome, Passed)
    assert len(outcome.parts[0].entities) == 100


def test_formatting_that_no_rule_touches_is_never_too_much() -> None:
    outcome = made([{"replace": {"words": ["y"], "with": "z"}}], post("x " * 150, *bolds(120)))
    assert isinstance(outcome, Passed)
    assert (outcome.untouched, len(outcome.parts[0].entities)) == (True, 120)


def test_a_post_without_rules_is_the_source_to_the_letter() -> None:
    strange = post("a\ud800b", Entity("bold", 99, 5))
    for rules in ([], [{"replace": {"words": ["x"], "with": "y"}}]):
        outcome = made(rules, strange, context=CONTEXT)
        assert isinstance(outcome, Passed)
        assert outcome.untouched
        assert (outcome.parts[0].text, outcome.parts[0].entities) == (strange.text, strange.entities)
