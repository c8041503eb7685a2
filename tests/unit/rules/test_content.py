"""Which posts are the same to deduplication, and which are not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import Entity, Kind, SourceMessage
from forwarder.rules import content_hash
from tests.unit.rules import posts
from tests.unit.rules.posts import post as message


def photo(medium: str | None, text: str = "") -> SourceMessage:
    return posts.photo(text, media_id=medium)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9  news\n", "Cafe\u0301 news"),
        ("Важно", "ВАЖНО"),
        ("ＳＡＬＥ 😀", "sale\u00a0😀"),
        ("خبر\nعاجل", "خبر عاجل"),
        ("\ufee3\ufeae\ufea3\ufe92\ufe8e 2026", "مرحبا ２０２６"),
        ("и\u0306од, Ёлка", "ЙОД, е\u0308лка"),
        ("👨\u200d👩\u200d👧  Мост ОТКРЫТ", "👨\u200d👩\u200d👧 мост\nоткрыт"),
        ("https://a.example/p?utm_source=tg&id=5", "https://a.example/p?id=5&utm_medium=x&fbclid=1"),
        ("см. https://a.example/?yclid=7.", "см. https://a.example/."),
    ],
)
def test_texts_that_differ_only_in_how_they_are_written_are_the_same(one: str, other: str) -> None:
    assert content_hash((message(one),)) == content_hash((message(other),))


MIXED = "абёйЖЩQrstéüẞ مرحباةّ😀🇷🇺👨\u200d👩\u200d👧 \n\u00a0"


@given(st.text(alphabet=MIXED), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_neither_form_nor_case_nor_white_space_makes_a_text_another(text: str, form: str) -> None:
    written = unicodedata.normalize(form, text.upper().replace(" ", " \n ") + " ")  # type: ignore[arg-type]
    assert content_hash((message(written),)) == content_hash((message(text),))


@pytest.mark.parametrize("text", ["Новый мост", "The new bridge", "جسر جديد", "🌉🎉"])
def test_in_every_script_the_same_words_with_another_medium_or_none_are_another_post(text: str) -> None:
    digests = {content_hash((one,)) for one in (message(text), photo("x", text), photo("y", text))}
    assert len(digests) == 3
    assert content_hash((photo("x", text),)) == content_hash((photo("x", f" {text.swapcase()}\n"),))


def marked(text: str, link: str) -> SourceMessage:
    """With a link that the server has marked; all before it is in letters of one unit, but for emoji."""
    start = len(text[: text.index(link)].encode("utf-16-le")) // 2
    return message(text, Entity("url", start, len(link)))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("site.ru/p?utm_source=x", "site.ru/p", True),
        ("site.ru/p?UTM_Source=x&id=5", "SITE.ru/p?id=5&yclid=7", True),
        ("сайт.рф/п?utm_source=x", "сайт.рф/п", True),
        ("site.ru/p?id=5", "site.ru/p?id=6", False),
        ("site.ru/p?utm_source=x", "site.ru/q", False),
    ],
)
@pytest.mark.parametrize("words", ["😀 İ Смотри LINK!", "See LINK", "انظر LINK"])
def test_what_counts_readers_is_no_content_of_a_link_without_a_scheme(
    words: str, one: str, other: str, same: bool
) -> None:
    posts = [marked(words.replace("LINK", link), link) for link in (one, other)]
    assert (content_hash((posts[0],)) == content_hash((posts[1],))) is same


def test_a_question_that_no_server_calls_a_link_stays_as_it_is() -> None:
    assert content_hash((message("site.ru/p?utm_source=x"),)) != content_hash((message("site.ru/p"),))


def hidden(url: str) -> SourceMessage:
    return message("Читать дальше", Entity("text_link", 0, 6, url=url))


def test_the_links_behind_words_count_but_not_what_counts_their_readers() -> None:
    assert content_hash((hidden("https://a.example/1?utm_source=x"),)) == content_hash(
        (hidden("https://a.example/1"),)
    )
    assert content_hash((hidden("https://a.example/1"),)) != content_hash((hidden("https://a.example/2"),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((message("a"),), (message("b"),)),
        ((message("https://a.example/?id=1"),), (message("https://a.example/?id=2"),)),
        ((photo("x", "a"),), (photo("y", "a"),)),
        ((photo("x"),), (photo("y"),)),
        ((photo("x", "a"),), (photo("x", "b"),)),
        ((photo("x"), photo("y")), (photo("y"), photo("x"))),
        ((photo("x"), photo("y")), (photo("x"),)),
        ((message("a"),), (photo("x", "a"),)),
        ((photo("x", "a"), photo("y")), (photo("x"), photo("y", "a"))),
    ],
)
def test_different_content_has_different_digests(
    one: tuple[SourceMessage, ...], other: tuple[SourceMessage, ...]
) -> None:
    assert content_hash(one) != content_hash(other)


@pytest.mark.parametrize(
    "parts",
    [
        (message("  "),),
        (photo(None),),
        (photo(None, "caption"),),
        (message("question", kind=Kind.POLL),),
        (photo("x"), photo(None)),
    ],
)
def test_where_there_is_nothing_to_compare_there_is_no_digest(parts: tuple[SourceMessage, ...]) -> None:
    assert content_hash(parts) is None


@given(
    st.text(alphabet=st.characters(exclude_categories=[])), st.sampled_from(["", "https://[x?utm_a=1", "?"])
)
def test_any_text_has_a_digest(text: str, link: str) -> None:
    said = f"x {text} http://{text}?{text} {link}"
    urls = (Entity("url", start, 9) for start in (0, 2, 5, len(text)))
    assert content_hash((message(said, *urls),)) is not None
