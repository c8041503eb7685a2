"""Each filter with its examples, in Russian, English, Arabic and with emoji."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder.message import Entity, Kind, SourceMessage
from forwarder.rules import Refused
from tests.unit.rules.posts import SOURCE, made, photo, post


def words_that_did(condition: dict[str, Any], *parts: SourceMessage) -> tuple[str, ...] | None:
    """What a deny rule with this condition gives as its reason, None where the post passes."""
    outcome = made([{"deny": condition}], *parts)
    return outcome.words if isinstance(outcome, Refused) else None


WORDS = [
    # whole words, any case
    ({"words": ["реклама"]}, "Тут РЕКЛАМА!", ("РЕКЛАМА",)),
    ({"words": ["реклама"]}, "рекламировать", None),
    ({"words": ["реклам"], "part": True}, "Рекламировать", ("Реклам",)),
    ({"words": ["sale"]}, "Big SALE today", ("SALE",)),
    ({"words": ["sale"]}, "wholesale", None),
    ({"words": ["sale"]}, "sale_price", None),
    # ё and е, either way round; й is a letter of its own
    ({"words": ["елка"]}, "Ёлка", ("Ёлка",)),
    ({"words": ["ёлка"]}, "ЕЛКА", ("ЕЛКА",)),
    ({"words": ["елка"]}, "е\u0308лка", ("е\u0308лка",)),
    ({"words": ["мои"]}, "мой дом", None),
    # full-width letters, ligatures, ß, the Turkish dotted İ
    ({"words": ["sale"]}, "ＳＡＬＥ", ("ＳＡＬＥ",)),
    ({"words": ["office"]}, "oﬃce", ("oﬃce",)),
    ({"words": ["strasse"]}, "Straße", ("Straße",)),
    ({"words": ["istanbul"]}, "İSTANBUL", ("İSTANBUL",)),
    # Arabic with and without vowel signs, hamza, and the stretching stroke
    ({"words": ["اعلان"]}, "هذا إِعْلَان", ("إِعْلَان",)),
    ({"words": ["إعلان"]}, "اعـــلان مهم", ("اعـــلان",)),
    ({"words": ["علان"]}, "اعلان", None),
    # Hindi vowel signs belong to their word
    ({"words": ["हिन्द"]}, "हिन्दी", None),
    # phrases over any white space; the longer of two that begin alike does not hide the shorter
    ({"words": ["купить дом"]}, "Купить\n  дом", ("Купить\n  дом",)),
    ({"words": ["new york", "new"]}, "a new yorker", ("new",)),
    # emoji and signs are no letters: nothing around them matters
    ({"words": ["🔥"]}, "огонь🔥огонь", ("🔥",)),
    ({"words": ["#ad"]}, "x#ad", ("#ad",)),
    ({"words": ["c++"]}, "I like c++!", ("c++",)),
    ({"words": ["."]}, "abc", None),
    # nor are the marks that say how an emoji looks, nor what has no width
    ({"words": ["реклама"]}, "❗\ufe0fРеклама", ("Реклама",)),
    ({"words": ["реклама"]}, "Реклама⚡\ufe0f", ("Реклама",)),
    ({"words": ["sale"]}, "❤\ufe0fsale❤\ufe0e", ("sale",)),
    ({"words": ["اعلان"]}, "📣\ufe0fإعلان", ("إعلان",)),
    ({"words": ["реклама"]}, "1\ufe0f\u20e3Реклама", ("Реклама",)),
    ({"words": ["❤"]}, "мы❤\ufe0fвас", ("❤\ufe0f",)),
    ({"words": ["❤\ufe0f"]}, "мы❤вас", ("❤",)),
    ({"words": ["1\ufe0f\u20e3 место"]}, "1\u20e3 место", ("1\u20e3 место",)),
    ({"words": ["1\ufe0f\u20e3"]}, "10 мест", None),
    ({"words": ["реклама"]}, "рек\u2060лама", ("рек\u2060лама",)),
    # a mark of a trade is no letter, though Unicode spells it as two
    ({"words": ["sale"]}, "Big Sale™!", ("Sale",)),
    ({"words": ["sale™"]}, "a sale", ("sale",)),
    ({"words": ["sale tm"]}, "a Sale™", None),
    # one of many
    ({"words": ["кот", "пёс", "конь", "уж", "ёж", "лось", "new york"]}, "Ужин в New  York", ("New  York",)),
    ({"words": ["кот", "пёс", "конь", "уж", "ёж", "лось", "new york"]}, "New Yorker", None),
    # any of them, or all
    ({"words": ["кот", "пёс"]}, "Пес и кот", ("Пес",)),
    ({"words": ["кот", "пёс"], "every": True}, "Пес и кот", ("кот", "Пес")),
    ({"words": ["кот", "пёс"], "every": True}, "кот", None),
]


@pytest.mark.parametrize(("condition", "text", "expected"), WORDS)
def test_words(condition: dict[str, Any], text: str, expected: tuple[str, ...] | None) -> None:
    assert words_that_did(condition, post(text)) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\d{3}-\d{2}", "тел 123-45", ("123-45",)),
        (r"(?i)скидк\w*", "СКИДКА", ("СКИДК",)),  # RE2's \w is ASCII …
        (r"(?i)скидк\p{L}*", "СКИДКА 😀", ("СКИДКА",)),  # … and \p{L} is every letter
        (r"^Важно", "Не Важно", None),
        (r"(?m)^اعلان", "x\nاعلان", ("اعلان",)),
        ("[😀-😎]", "ура 😃", ("😃",)),
    ],
)
def test_patterns(pattern: str, text: str, expected: tuple[str, ...] | None) -> None:
    assert words_that_did({"regex": pattern}, post(text)) == expected


def hidden(start: int, length: int, url: str) -> Entity:
    return Entity("text_link", start, length, url=url)


MARKS = [
    ({"links": True}, post("см. https://a.example/x, да"), ("https://a.example/x",)),
    ({"links": True}, post("тут", hidden(0, 3, "https://b.example")), ("https://b.example",)),
    ({"links": True}, post("a.example", Entity("url", 0, 9)), ("a.example",)),
    ({"links": True}, post("файл.txt и т.д."), None),
    ({"links": True}, post("т.д. WWW.a.example, t.me/b"), ("WWW.a.example", "t.me/b")),
    ({"links": True}, post("tg://resolve?domain=a"), ("tg://resolve?domain=a",)),
    ({"links": True}, post("İ, İSTANBUL: HTTPS://a.example"), ("HTTPS://a.example",)),
    ({"links": True}, post("https://a.example", Entity("code", 0, 17)), None),
    ({"links": False}, post("без ссылок 😀"), ()),
    ({"links": False}, post("https://a.example"), None),
    (
        {"links": ["example.com"]},
        post("http://www.Shop.EXAMPLE.com:80/a?b"),
        ("http://www.Shop.EXAMPLE.com:80/a?b",),
    ),
    ({"links": ["example.com"]}, post("https://notexample.com"), None),
    ({"links": ["t.me"]}, post("x", hidden(0, 1, "tg://resolve?domain=a")), ("tg://resolve?domain=a",)),
    ({"links": ["x.example"]}, post("https://" + "a." * 120 + "x.example"), ("https://" + "a." * 46,)),
    (
        {"links": ["x.example"]},
        post("https://" + "a." * 123 + "x.example"),
        None,
    ),  # longer than a name can be
    ({"links": ["пример.рф"]}, post("https://xn--e1afmkfd.xn--p1ai/"), ("https://xn--e1afmkfd.xn--p1ai/",)),
    ({"links": ["a.example"]}, post("https://[broken"), None),
    ({"mentions": True}, post("пиши @ivan_petrov"), ("@ivan_petrov",)),
    ({"mentions": ["@Ivan_Petrov"]}, post("пиши @ivan_petrov"), ("@ivan_petrov",)),
    ({"mentions": True}, post("mail a@example.com"), None),
    ({"mentions": True}, post("Иван", Entity("text_mention", 0, 4, user_id=5)), ("5",)),
    ({"hashtags": True}, post("да #Новости_2026!"), ("#Новости_2026",)),
    ({"hashtags": ["новости"]}, post("#НОВОСТИ"), ("#НОВОСТИ",)),
    ({"hashtags": ["#اخبار"]}, post("اليوم #أخبار"), ("#أخبار",)),
    ({"hashtags": True}, post("№ #1 и a#b"), None),
    ({"hashtags": False}, post("#a"), None),
    ({"cashtags": ["btc"]}, post("купи $BTC"), ("$BTC",)),
    ({"cashtags": True}, post("за $100"), None),
    ({"commands": True}, post("жми /start@my_bot"), ("/start@my_bot",)),
    ({"commands": ["start"]}, post("/start@my_bot"), ("/start@my_bot",)),
    ({"commands": True}, post("и/или"), None),
]


@pytest.mark.parametrize(("condition", "message", "expected"), MARKS)
def test_links_mentions_and_tags(
    condition: dict[str, Any], message: SourceMessage, expected: tuple[str, ...] | None
) -> None:
    assert words_that_did(condition, message) == expected


FACTS = [
    ({"kind": "photo"}, photo(), ("photo",)),
    ({"kind": ["poll", "dice"]}, photo(), None),
    ({"sender": [42]}, post(sender_id=42), ("42",)),
    ({"sender": [42]}, post(), None),
    ({"anonymous": True}, post(anonymous=True), ()),
    ({"anonymous": False}, post(anonymous=True), None),
    ({"via_bot": True}, post(via_bot=9), ()),
    ({"via_bot": [9]}, post(via_bot=9), ("9",)),
    ({"forwarded_from": True}, post(forwarded_from=None), ()),
    ({"forwarded_from": False}, post("своё"), ()),
    ({"forwarded_from": [SOURCE]}, post(forwarded_from=SOURCE), (str(SOURCE),)),
    ({"forwarded_from": [-1]}, post(forwarded_from=SOURCE), None),
    ({"size": {"max": 1000}}, photo(size=1000), ("1000",)),
    ({"size": {"min": 1001}}, photo(size=1000), None),
    ({"size": {"max": 1000}}, post("no file"), None),
    ({"duration": {"min": 10, "max": 60}}, photo(kind=Kind.VIDEO, duration=30), ("30",)),
    (
        {"file_name": ["отчёт"]},
        photo(kind=Kind.DOCUMENT, file_name="Отчет за май.PDF"),
        ("Отчет за май.PDF",),
    ),
    ({"extension": ["pdf"]}, photo(kind=Kind.DOCUMENT, file_name="a.PDF"), ("a.PDF",)),
    ({"extension": [".gz"]}, photo(kind=Kind.DOCUMENT, file_name="a.pdf"), None),
    ({"length": {"max": 3}}, post("ура"), ("3",)),
    ({"length": {"min": 2}}, post("😀"), None),
    ({"reply": True}, post(reply_to=3), ()),
    ({"reply": False}, post(reply_to=3), None),
    ({"buttons": True}, post(buttons=True), ()),
    ({"silent": True}, post(silent=True), ()),
    ({"time": {"from": "14:00", "to": "16:00", "zone": "Europe/Moscow"}}, post("x"), ("15:00",)),
    ({"time": {"from": "16:00", "to": "14:00", "zone": "Europe/Moscow"}}, post("x"), None),
    ({"time": {"from": "23:00", "to": "15:01", "zone": "Europe/Moscow"}}, post("x"), ("15:00",)),
]


@pytest.mark.parametrize(("condition", "message", "expected"), FACTS)
def test_facts(condition: dict[str, Any], message: SourceMessage, expected: tuple[str, ...] | None) -> None:
    assert words_that_did(condition, message) == expected


def test_the_hour_is_the_walls_in_that_zone_on_that_day() -> None:
    """11:30 UTC is 12:30 in Berlin in winter and 13:30 in summer."""
    condition = {"time": {"from": "13:00", "to": "14:00", "zone": "Europe/Berlin"}}
    summer, winter = datetime(2026, 7, 1, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, 11, 30, tzinfo=UTC)
    assert words_that_did(condition, post("x", date=summer)) == ("13:30",)
    assert words_that_did(condition, post("x", date=winter)) is None


def test_an_album_is_one_post_of_all_its_parts() -> None:
    parts = (photo("первая", album_id="a"), photo("РЕКЛАМА", number=8, album_id="a", kind=Kind.VIDEO))
    assert words_that_did({"kind": "album"}, *parts) == ("album",)
    assert words_that_did({"kind": "album"}, photo()) is None
    assert words_that_did({"kind": ["video"]}, *parts) == ("video",)
    assert words_that_did({"words": ["реклама"]}, *parts) == ("РЕКЛАМА",)


POLL = photo(kind=Kind.POLL, poll="Сколько стоит реклама? #цены\nA hundred\nhttps://casino.example 🎰\nاعلان")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"words": ["реклама"]}, ("реклама",)),
        ({"words": ["hundred", "إعلان"], "every": True}, ("hundred", "اعلان")),
        ({"regex": "[🎰]"}, ("🎰",)),
        ({"links": ["casino.example"]}, ("https://casino.example",)),
        ({"hashtags": ["цены"]}, ("#цены",)),
        ({"words": ["спорт"]}, None),
    ],
)
def test_filters_see_what_a_poll_asks_and_offers(
    condition: dict[str, Any], expected: tuple[str, ...] | None
) -> None:
    assert words_that_did(condition, POLL) == expected


CAT_OR_DOG: dict[str, Any] = {
    "any": [{"words": ["кот"]}, {"all": [{"words": ["пёс"]}, {"not": {"links": True}}]}]
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Кот", ("Кот",)), ("пёс", ("пёс",)), ("пёс https://a.example", None), ("рыба", None)],
)
def test_conditions_combine(text: str, expected: tuple[str, ...] | None) -> None:
    assert words_that_did(CAT_OR_DOG, post(text)) == expected


def test_allow_refuses_what_it_does_not_hold_for_and_says_which_rule_it_was() -> None:
    rules = [{"name": "только новости", "allow": {"hashtags": ["новости"]}}, {"deny": {"words": ["спорт"]}}]
    assert made(rules, post("погода")) == Refused("только новости", (), "not_allowed")
    assert made(rules, post("#новости спорт")) == Refused("deny #2", ("спорт",), "denied")
    assert not isinstance(made(rules, post("#новости")), Refused)
