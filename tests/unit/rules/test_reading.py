"""Ill-formed rules are refused when they are saved, with the place; well-formed ones never break on a post."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder.errors import InvalidRequest, RuleFailed
from forwarder.message import Button, Entity, Kind, SourceMessage
from forwarder.rules import (
    CONDITIONS,
    PROBLEMS,
    VERBS,
    Context,
    Counters,
    Passed,
    Rules,
    decide,
    marks,
    parse,
    read_json,
    to_json,
    when,
)
from forwarder.rules.entities import length_in_units, says_something
from forwarder.rules.folding import FOLDS, folded
from tests.unit.rules.posts import CONTEXT, SOURCE, photo, post, those_that_load

ROOT = Path(__file__).resolve().parents[3] / "forwarder"
DEEP: Any = {"words": ["x"]}
for _ in range(9):
    DEEP = {"not": DEEP}
VAST = [f"{n}" + "\ufdfa" * 190 for n in range(40)]  # each of these is compared as eighteen letters

REFUSED = [
    ([], "rule_not_object", "rules"),
    ({"rule": []}, "rule_unknown_word", "rules"),
    ({"rules": {}}, "rule_not_list", "rules"),
    ([5], "rule_not_object", "rules[1]"),
    ([{"deny": {"words": ["x"]}, "allow": {"words": ["x"]}}], "rule_verb_missing", "rules[1]"),
    ([{"name": "x"}], "rule_verb_missing", "rules[1]"),
    ([{"forbid": True}], "rule_unknown_word", "rules[1]"),
    ([{"name": "", "cut": 100}], "rule_not_text", "rules[1].name"),
    ([{"cut": 100}, {"deny": {"word": ["x"]}}], "rule_unknown_word", "rules[2].deny"),
    ([{"deny": {}}], "rule_condition_missing", "rules[1].deny"),
    ([{"deny": {"links": True, "words": ["x"]}}], "rule_condition_missing", "rules[1].deny"),
    ([{"deny": {"not": {"part": True, "words": ["x"], "regex": "y"}}}], "rule_condition_missing", "rules[1].deny.not"),
    ([{"deny": {"words": []}}], "rule_not_list", "rules[1].deny.words"),
    ([{"deny": {"words": ["x", ""]}}], "rule_not_text", "rules[1].deny.words[2]"),
    ([{"deny": {"words": ["\u0640"]}}], "rule_odd_character", "rules[1].deny.words"),
    ([{"deny": {"words": ["a\x00"]}}], "rule_odd_character", "rules[1].deny.words[1]"),
    ([{"deny": {"words": ["\ud800"]}}], "rule_odd_character", "rules[1].deny.words[1]"),
    ([{"deny": {"words": ["x"], "part": 1}}], "rule_not_flag", "rules[1].deny.part"),
    ([{"deny": {"any": [{"all": [{"regex": "("}]}]}}], "rule_bad_pattern", "rules[1].deny.any[1].all[1].regex"),
    ([{"deny": {"regex": "(?=x)"}}], "rule_bad_pattern", "rules[1].deny.regex"),
    ([{"deny": {"regex": "(a)\\1"}}], "rule_bad_pattern", "rules[1].deny.regex"),
    ([{"deny": {"regex": "((a{100}){100}){100}"}}], "rule_bad_pattern", "rules[1].deny.regex"),
    ([{"deny": {"regex": "x*"}}], "rule_empty_pattern", "rules[1].deny.regex"),
    ([{"deny": DEEP}], "rule_too_deep", "rules[1].deny" + ".not" * 8),
    ([{"deny": {"kind": "movie"}}], "rule_not_choice", "rules[1].deny.kind"),
    ([{"deny": {"links": ["no domain"]}}], "rule_bad_domain", "rules[1].deny.links"),
    ([{"deny": {"links": ["t.me/spam"]}}], "rule_bad_domain", "rules[1].deny.links"),
    ([{"deny": {"links": ["https://t.me"]}}], "rule_bad_domain", "rules[1].deny.links"),
    ([{"deny": {"links": ["tg:resolve"]}}], "rule_bad_domain", "rules[1].deny.links"),
    ([{"remove_links": ["@name.one"]}], "rule_bad_domain", "rules[1].remove_links"),
    ([{"remove_links": ["слово"]}], "rule_bad_domain", "rules[1].remove_links"),
    ([{"replace_links": {"domains": [".ru"], "with": "https://a.example"}}], "rule_bad_domain",
     "rules[1].replace_links.domains"),
    ([{"deny": {"hashtags": ["#a b"]}}], "rule_bad_name", "rules[1].deny.hashtags"),
    ([{"deny": {"mentions": ["https://t.me/ivan"]}}], "rule_bad_name", "rules[1].deny.mentions"),
    ([{"replace_mentions": {"names": ["t.me/ivan"], "with": "x"}}], "rule_bad_name", "rules[1].replace_mentions.names"),
    ([{"deny": {"sender": ["@ivan"]}}], "rule_bad_id", "rules[1].deny.sender[1]"),
    ([{"deny": {"sender": [True]}}], "rule_bad_id", "rules[1].deny.sender[1]"),
    ([{"deny": {"size": {"min": 5, "max": 4}}}], "rule_empty_range", "rules[1].deny.size"),
    ([{"deny": {"size": {}}}], "rule_empty_range", "rules[1].deny.size"),
    ([{"deny": {"size": {"max": 1.5}}}], "rule_not_number", "rules[1].deny.size.max"),
    ([{"deny": {"time": {"from": "24:00", "to": "1:00", "zone": "UTC"}}}], "rule_bad_time", "rules[1].deny.time.from"),
    ([{"replace": {"with": "x"}}], "rule_verb_missing", "rules[1].replace"),
    ([{"replace": {"words": ["a"]}}], "rule_word_missing", "rules[1].replace"),
    ([{"replace": {"regex": "(a)", "with": "\\2"}}], "rule_bad_group", "rules[1].replace.with"),
    ([{"replace": {"regex": "(a)", "with": "\\g<b>"}}], "rule_bad_group", "rules[1].replace.with"),
    ([{"replace": {"regex": "a", "with": "", "part": True}}], "rule_unknown_word", "rules[1].replace"),
    ([{"replace_links": {"with": "my site"}}], "rule_bad_link", "rules[1].replace_links.with"),
    ([{"remove_links": False}], "rule_not_true", "rules[1].remove_links"),
    ([{"remove_signature": False}], "rule_not_true", "rules[1].remove_signature"),
    ([{"remove_hashtags": 1}], "rule_not_list", "rules[1].remove_hashtags"),
    ([{"drop_caption": False}], "rule_not_true", "rules[1].drop_caption"),
    ([{"header": "{title}"}], "rule_bad_field", "rules[1].header"),
    ([{"header": "}"}], "rule_bad_field", "rules[1].header"),
    ([{"header": "<b>\u200b</b>\n"}], "rule_not_seen", "rules[1].header"),
    ([{"footer": "\u200b"}], "rule_not_seen", "rules[1].footer"),
    ([{"button": {"text": "\u2800"}}], "rule_not_seen", "rules[1].button.text"),
    ([{"button": {"text": "x", "url": "TG://user?id=5"}}], "rule_user_link", "rules[1].button.url"),
    ([{"header": "<b>x"}], "rule_bad_tag", "rules[1].header"),
    ([{"header": "<b><i>x</b></i>"}], "rule_bad_tag", "rules[1].header"),
    ([{"header": "<script>x</script>"}], "rule_bad_tag", "rules[1].header"),
    ([{"header": "a < b"}], "rule_bad_tag", "rules[1].header"),
    ([{"header": '<a href="javascript:x">x</a>'}], "rule_bad_link", "rules[1].header"),
    ([{"button": {"text": "x", "url": "nowhere"}}], "rule_bad_link", "rules[1].button.url"),
    ([{"button": {"text": "x", "url": "https://x"}}], "rule_bad_link", "rules[1].button.url"),
    ([{"button": {"text": "x", "url": "https://{source_title}/x.y"}}], "rule_bad_link", "rules[1].button.url"),
    ([{"button": {"text": "x", "url": "https://{author}.example/"}}], "rule_bad_link", "rules[1].button.url"),
    ([{"footer": '<a href="http://localhost:80/a.b">x</a>'}], "rule_bad_link", "rules[1].footer"),
    ([{"replace_links": {"with": "https://.x"}}], "rule_bad_link", "rules[1].replace_links.with"),
    ([{"cut": {"length": 20, "ending": "😀" * 6}}], "rule_long_ending", "rules[1].cut.ending"),
    ([{"deny": {"words": VAST}}], "rule_many_words", "rules[1].deny.words"),
    ([{"deny": {"any": [{"words": VAST, "part": True}]}}], "rule_many_words", "rules[1].deny.any[1].words"),
    ([{"replace": {"words": VAST, "with": ""}}], "rule_many_words", "rules[1].replace.words"),
    ([{"remove_signature": VAST}], "rule_many_words", "rules[1].remove_signature"),
    ([{"cut": 5}], "rule_not_number", "rules[1].cut"),
    ([{"cut": True}], "rule_not_number", "rules[1].cut"),
    ([{"header": "a"}, {"header": "b"}], "rule_only_once", "rules[2]"),
    ([{"spoiler": "media"}, {"spoiler": "all"}], "rule_only_once", "rules[2]"),
    ([{"name": "a", "cut": 100}, {"name": "a", "cut": 200}], "rule_same_name", "rules[2]"),
    ([{"quiet": {"from": "23:00", "to": "07:00", "zone": "Mars/Olympus"}}], "rule_bad_zone", "rules[1].quiet.zone"),
    ([{"quiet": {"from": "23:00", "to": "07:00", "zone": "../etc/passwd"}}], "rule_bad_zone", "rules[1].quiet.zone"),
    ([{"quiet": {"from": "23:00", "to": "07:00", "zone": "Europe"}}], "rule_bad_zone", "rules[1].quiet.zone"),
    ([{"zone": "Mars/Olympus"}], "rule_bad_zone", "rules[1].zone"),
    # names that some machines have, for something of their own
    ([{"zone": "localtime"}], "rule_bad_zone", "rules[1].zone"),
    ([{"zone": "right/Europe/Moscow"}], "rule_bad_zone", "rules[1].zone"),
    ([{"zone": "UTC"}, {"zone": "Europe/Moscow"}], "rule_only_once", "rules[2]"),
    ([{"quiet": {"from": "07:00", "to": "07:00", "zone": "UTC"}}], "rule_same_times", "rules[1].quiet"),
    ([{"quiet": {"from": "00:00", "to": "12:00", "zone": "UTC"}},
      {"quiet": {"from": "12:00", "to": "00:00", "zone": "UTC"}}], "rule_never", "rules[2]"),
    ([{"quiet": {"from": f"{n:02}:00", "to": f"{(n + 1) % 24:02}:00", "zone": "UTC"}} for n in range(24)],
     "rule_never", "rules[24]"),
    ([{"quiet": {"from": "00:00", "to": "12:00", "zone": "UTC"}},  # an hour is left in winter, none in summer
      {"quiet": {"from": "13:00", "to": "01:00", "zone": "Europe/London"}}], "rule_never", "rules[2]"),
    ([{"days": {"days": ["monday"], "zone": "UTC"}}], "rule_not_choice", "rules[1].days.days[1]"),
    ([{"cut": 100 + n} for n in range(101)], "rule_not_list", "rules"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "code", "place"), REFUSED)
def test_what_is_wrong_is_said_with_its_place(written: Any, code: str, place: str) -> None:
    bare = isinstance(written, dict) or written == []
    with pytest.raises(InvalidRequest) as refused:
        parse(written if bare else {"rules": written})
    assert (refused.value.code, refused.value.fields["place"]) == (code, place)
    assert place in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "http://user@a.example:8080/x?y#z", "https://пример.рф/", "tg://resolve?domain=a"],
)
def test_a_link_leads_to_a_host_with_a_dot_or_into_telegram(url: str) -> None:
    outcome = decide(parse({"rules": [{"button": {"text": "x", "url": url}}]}), [post("x")], CONTEXT)
    assert isinstance(outcome, Passed)
    assert outcome.button == Button("x", url)


def test_quiet_hours_may_leave_one_minute_of_the_day() -> None:
    hours = [(f"{n:02}:00", f"{n + 1:02}:00") for n in range(23)] + [("23:00", "23:59")]
    parse({"rules": [{"quiet": {"from": begins, "to": ends, "zone": "UTC"}} for begins, ends in hours]})


def test_json_that_is_none_is_refused_with_line_and_column() -> None:
    with pytest.raises(InvalidRequest, match="line 2, column 3"):
        read_json('{"cut":\n  }')
    with pytest.raises(InvalidRequest):
        read_json("[" * 100_000)
    with pytest.raises(InvalidRequest, match="a number is too long"):
        read_json(f'{{"cut": {"1" * 5000}}}')


def test_a_word_that_stands_twice_in_one_object_is_refused_for_only_one_would_count() -> None:
    with pytest.raises(InvalidRequest, match="“words”") as refused:
        read_json('{"deny": {"words": ["a"], "words": ["b"]}}')
    assert refused.value.code == "rule_word_twice"
    assert read_json('[{"words": 1}, {"words": 2}]') == [{"words": 1}, {"words": 2}]


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ([{"deny": {"links": True, "words": ["x"]}}], '{"all": ['),
        ([{"deny": {"words": 5}}], '["sale", "buy now"]'),
        ([{"deny": {"links": 5}}], '["example.com"]'),
        ([{"deny": {"hashtags": 5}}], '["news"]'),
        ([{"deny": {"sender": 5}}], "[-1001234567890]"),
        ([{"deny": {"any": {}}}], '[{"words": ["sale"]}, {"links": true}]'),
        ([{"days": {"days": "mon", "zone": "UTC"}}], '["mon", "tue"]'),
        ([{"source_links": False}], "remove the rule"),
        ([{"cut": 100}, {"header": "a"}, {"header": "b"}], "rules[2]"),
        ([{"cut": 100}, {"name": "a", "cut": 100}, {"name": "a", "cut": 200}], "rules[2]"),
        ([{"header": "<a>x</a>"}], '<a href="…">'),
    ],
)
def test_a_refusal_says_what_would_help(written: Any, remedy: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse({"rules": written})
    assert remedy in str(refused.value)


def test_the_name_of_a_rule_stands_in_one_line() -> None:
    assert parse({"rules": [{"name": " no\n adverts ", "cut": 100}]}).rules[0].label == "no adverts"


def test_every_problem_can_be_met_and_every_one_that_is_raised_has_its_sentence() -> None:
    sources = "".join(path.read_text() for path in ROOT.rglob("*.py"))
    raised = set(re.findall(r'wrong\(\s*"(rule_[a-z_]+)"', sources))
    assert raised == set(PROBLEMS)


def test_a_set_is_stored_as_it_was_written_and_reads_back_the_same() -> None:
    written = {"rules": [{"name": "один", "deny": {"words": ["х"]}}, {"cut": 100}]}
    rules = parse(written, 7)
    assert to_json(rules) == json.loads(json.dumps(written))
    assert (parse(to_json(rules), 7).rules[0].label, rules.revision) == ("один", 7)
    assert to_json(parse({})) == {}


def test_a_rule_that_breaks_lets_nothing_through_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = parse({"rules": [{"name": "хрупкое", "deny": {"words": ["x"]}}]})
    monkeypatch.setattr("forwarder.rules.conditions.AnyWord.holds", lambda self, post: 1 // 0)
    with pytest.raises(RuleFailed, match="хрупкое") as failed:
        decide(rules, [post("y")], CONTEXT)
    assert "y" not in str(failed.value).replace("хрупкое", "").split()


def test_a_post_that_no_rule_can_read_fails_as_one_on_which_they_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = parse({"rules": [{"name": "one", "deny": {"words": ["x"]}}, {"name": "other", "cut": 100}]})
    monkeypatch.setattr("forwarder.rules.post.from_utf16", lambda text, entities: 1 // 0)
    with pytest.raises(RuleFailed, match="one, other"):
        decide(rules, [post("y")], CONTEXT)


# --- whatever can be written

LETTERS = st.text(st.sampled_from("aAеЁ ж😀🇷\u0301\u200d\ufe0f\u20e3\u200b\u2800إ\n.,#@/$:<>{}"), max_size=30)
WORDS = st.one_of(
    LETTERS, st.sampled_from(["sale", "https://t.me/news/5", "t.me", "#tag", "@name_one", "{post_link}"])
)
NUMBERS = st.one_of(st.integers(-5, 5), st.integers(0, 5000))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "nowhere"])
TIMES = st.sampled_from(["00:00", "02:30", "23:59", "12:00", "25:00"])
PATTERNS = st.one_of(
    LETTERS, st.sampled_from([r"\w+", r"(a)|(?P<b>😀)", r"\S", ".", r"(?i)ё|[[:alpha:]]", "$", "^a"])
)
RANGES = st.fixed_dictionaries({}, optional={"min": NUMBERS, "max": NUMBERS})
HOURS = st.fixed_dictionaries({"from": TIMES, "to": TIMES, "zone": ZONES})
LISTS = st.one_of(st.booleans(), st.lists(WORDS, max_size=3))
IDS = st.one_of(st.booleans(), st.lists(st.sampled_from([SOURCE, 42, "x"]), max_size=2))

FLAGS = st.booleans()
LISTED = ("links", "mentions", "hashtags", "cashtags", "commands", "extension", "file_name")

LEAVES = st.one_of(
    st.fixed_dictionaries({"words": LISTS}, optional={"part": FLAGS, "every": FLAGS}),
    st.fixed_dictionaries({"regex": PATTERNS}),
    *(st.fixed_dictionaries({n: LISTS}) for n in LISTED),
    *(st.fixed_dictionaries({n: RANGES}) for n in ("size", "duration", "length")),
    *(st.fixed_dictionaries({n: IDS}) for n in ("sender", "via_bot", "forwarded_from")),
    *(st.fixed_dictionaries({n: st.booleans()}) for n in ("anonymous", "reply", "buttons", "silent")),
    st.fixed_dictionaries({"kind": st.sampled_from(["photo", "album", "x"])}),
    st.fixed_dictionaries({"time": HOURS}),
)  # fmt: skip
CONDITION = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=4,
)
FILLED = [
    "<b>{source_title}</b>\n{author}",
    "<a href='{post_link}'>{hashtags}</a>",
    "{date}",
    "<b>x</b>y" * 110,
]
TEMPLATES = st.one_of(WORDS, st.sampled_from(FILLED))
FILLINGS = st.sampled_from(["x" * 900, r"\0\0", r"\1", r"\g<b>", "\\"])
SOME_DAYS = st.lists(st.sampled_from(["mon", "tue", "x"]), max_size=2)
RESTS = st.sampled_from(["wait", "withdraw"])
WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    "allow": CONDITION,
    "deny": CONDITION,
    "replace": st.one_of(
        st.fixed_dictionaries({"words": LISTS, "with": WORDS}, optional={"part": FLAGS, "keep_case": FLAGS}),
        st.fixed_dictionaries({"regex": PATTERNS, "with": FILLINGS}),
    ),
    "remove_links": LISTS,
    "replace_links": st.fixed_dictionaries({"with": st.just("https://b.example")}, optional={"domains": LISTS}),
    "source_links": st.booleans(),
    "remove_mentions": LISTS,
    "replace_mentions": st.fixed_dictionaries({"with": WORDS}, optional={"names": LISTS}),
    "remove_hashtags": LISTS,
    "remove_signature": LISTS,
    "cut": st.one_of(NUMBERS, st.fixed_dictionaries({"length": NUMBERS, "ending": LETTERS})),
    "drop_caption": st.booleans(),
    "header": TEMPLATES,
    "footer": TEMPLATES,
    "preview": st.booleans(),
    "spoiler": st.sampled_from(["media", "text", "all", "none"]),
    "button": st.fixed_dictionaries({"text": TEMPLATES}, optional={"url": WORDS}),
    "zone": ZONES,
    "too_long": st.sampled_from(["cut", "split"]),
    "delay": NUMBERS,
    "quiet": HOURS,
    "days": st.fixed_dictionaries({"days": SOME_DAYS, "zone": ZONES}),
    "at_most": st.fixed_dictionaries({"a_day": NUMBERS}, optional={"rest": RESTS, "zone": ZONES}),
    "review": st.fixed_dictionaries({"hours": NUMBERS}, optional={"then": st.sampled_from(["send", "withdraw"])}),
}  # fmt: skip
RULE = st.one_of(*(st.fixed_dictionaries({verb: value}) for verb, value in WRITTEN.items()))
TYPES = ["bold", "text_link", "url", "hashtag", "mention", "code", "text_mention", "custom_emoji"]


def entity(kind: str, start: int, length: int) -> Entity:
    return Entity(kind, start, length, url="https://t.me/news/5" if kind == "text_link" else None)


PLACES = st.integers(-2, 60)
SOME = st.lists(st.builds(entity, st.sampled_from(TYPES), PLACES, PLACES), max_size=5)
ENTITIES = st.one_of(
    SOME,
    st.builds(
        lambda n, more: [entity("bold", i % 40, 1) for i in range(n)] + more, st.integers(95, 120), SOME
    ),
)
SAID = st.lists(WORDS, max_size=8).map(" ".join)


def test_every_verb_and_condition_is_written_somewhere_above() -> None:
    assert set(WRITTEN) == set(VERBS)
    described = repr(CONDITION) + repr(LEAVES)
    assert [
        name for name in CONDITIONS if repr(name) not in described and name not in ("all", "any", "not")
    ] == []


def check(rules: Rules, text: str, entities: list[Entity], kind: Kind) -> None:
    parts = [photo(text, *entities, kind=kind, file_name=text, sender_id=42), photo(text, number=8)]
    for given_parts in (parts[:1], parts):
        outcome = decide(rules, given_parts, Context("Имя 😀", None, CONTEXT.copies))
        if isinstance(outcome, Passed):
            for part in outcome.parts:
                units = length_in_units(part.text)
                if part.changed:
                    assert part.source.kind is not Kind.TEXT or says_something(part.text)
                    assert len(part.entities) <= 100
                    assert all(e.offset >= 0 and 0 < e.length <= units - e.offset for e in part.entities)
                    assert units <= (4096 if part.source.kind is Kind.TEXT else 1024)
                    part.text.encode()
            if outcome.rest is not None:
                assert 0 < length_in_units(outcome.rest.text) <= 4096
                assert says_something(outcome.rest.text)
                assert len(outcome.rest.entities) <= 100
    now = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    when(rules.when, now, now - timedelta(minutes=5), Counters(lambda start, end: 3))


@given(RULE, SAID, ENTITIES, st.sampled_from([Kind.TEXT, Kind.PHOTO, Kind.STICKER]))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_rule_that_loads_never_breaks_on_a_post_nor_its_formatting(
    rule: dict[str, Any], text: str, entities: list[Entity], kind: Kind
) -> None:
    try:
        rules = parse({"rules": [rule]})
    except InvalidRequest:
        return
    assert to_json(parse(json.loads(json.dumps(to_json(rules))))) == to_json(rules)
    check(rules, text, entities, kind)


@given(st.lists(RULE, min_size=2, max_size=8), SAID, ENTITIES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_rules_that_load_alone_work_together(
    written: list[dict[str, Any]], text: str, entities: list[Entity]
) -> None:
    check(those_that_load(written), text, entities, Kind.TEXT)


NAMES = st.sampled_from(["rules", "name", *VERBS, *CONDITIONS]) | LETTERS
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(ANY_JSON)
@settings(max_examples=200, deadline=None)
def test_any_json_at_all_is_read_or_refused_with_a_sentence(written: Any) -> None:
    for attempt in (written, {"rules": written}, {"rules": [written]}):
        try:
            rules = parse(attempt)
        except InvalidRequest:
            continue
        check(rules, "Sale #tag 😀", [], Kind.TEXT)


HOSTILE = {
    "aaa": "a" * 4096, "ababa": "ab" * 2048, "tags": "#a " * 1365, "links": "t.me/a " * 585, "at": "@" * 4096,
    "marks": "a" + "\u0301" * 4095, "flags": "🇷" * 2048, "newlines": "a\n\n" * 1365, "dots": "www." * 1024,
    "lines": "#a\n" * 1365, "names": "@name_a " * 512, "spaces": "#a" + " " * 4094, "selectors": "❤\ufe0f" * 2048,
    "accents": "a" + "\u0301\u0323" * 2047, "copies": "t.me/news/5\n" * 341, "people": "ab" * 2048,
}  # fmt: skip
COSTLY: list[dict[str, Any]] = [
    {"deny": {"regex": r"(a|a|ab)*c"}},
    {"deny": {"regex": r"(\w+\s?)+@"}},
    {"deny": {"words": ["a" * n + "b" for n in range(1, 199)], "part": True}},
    {"replace": {"words": ["a", "b"], "with": "x" * 900, "part": True}},
    {"replace": {"regex": r"x(.*y)?", "with": r"\0\0"}},
    {"remove_hashtags": True},
    {"remove_links": True},
    {"remove_mentions": True},
    {"remove_signature": True},
    {"replace": {"regex": r".", "with": r"\0\0\0\0\0\0\0\0"}},
    {"too_long": "split"},
]
LATER: list[dict[str, Any]] = [
    {
        "deny": {
            "all": [{"links": ["x.example"]}, {"mentions": ["@x"]}, {"hashtags": ["x"]}, {"commands": True}]
        }
    },
    {"source_links": True},
    {"replace_links": {"domains": ["t.me"], "with": "https://b.example/" + "x" * 900}},
    {"replace_mentions": {"with": "x" * 90}},
    {"replace_links": {"with": "https://b.example"}},
    {"remove_signature": ["zzz"]},
    {"spoiler": "text"},
    {"cut": 4000},
    {"header": "<b>{hashtags}</b>"},
    {"footer": '<a href="{post_link}">{source_title}</a> {hashtags}'},
]
SETS = {
    "taken out": COSTLY,
    "put in": LATER,
    "only removed": [rule for rule in COSTLY if "remove" in str(rule)],
}


def seconds(rules: Rules, parts: list[SourceMessage]) -> float:
    """The best of several runs, none of which finds anything remembered from the one before."""
    timed = []
    for _ in range(3):
        for remembered in (folded, marks.links, marks.mentions, marks.marks, marks.domain_of, marks.tag_name):
            remembered.cache_clear()
        FOLDS.clear()
        began = time.process_time()
        decide(rules, parts, CONTEXT)
        timed.append(time.process_time() - began)
    return min(timed)


def test_lines_are_taken_out_of_any_text_in_time_that_grows_with_it() -> None:
    rules = parse({"rules": [{"remove_hashtags": True}]})
    long, short = ([post("😀" + "#a\n" * lines)] for lines in (40_000, 5_000))
    assert seconds(rules, long) < 24 * seconds(rules, short)


def plain(text: str) -> list[SourceMessage]:
    return [post(text)]


def crowded(text: str) -> list[SourceMessage]:
    """An album, each part with a hundred stretches of all kinds, over much of the text and beside each other."""
    size = len(text)
    many = [entity(TYPES[n % len(TYPES)], (size * n) // 100, size if n % 3 else 2) for n in range(100)]
    return [photo(text, *many, number=n, album_id="a") for n in (1, 2)]


@pytest.mark.parametrize("written", SETS.values(), ids=SETS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_makes_rules_slow(text: str, written: list[dict[str, Any]]) -> None:
    """Eight times the text takes about eight times as long (sixty-four times where time grows with the square)."""
    rules = parse({"rules": written})

    less = text[: len(text) // 8]
    for parts in (plain, crowded):
        decide(rules, parts(text), CONTEXT)
        whole = seconds(rules, parts(text))
        assert whole < 1.5  # whatever they let it grow to, also on a machine with much else to do
        assert whole < 24 * seconds(rules, parts(less))


UNITS = st.one_of(
    WORDS, st.lists(WORDS, min_size=1, max_size=3).map(" ".join), st.sampled_from("aё😀#@/.\n \u0301")
)
SHORT, LONG = 1600, 12_800


@given(st.lists(RULE, min_size=1, max_size=8), UNITS.filter(bool))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_rules_at_all_take_more_than_linear_time(written: list[dict[str, Any]], unit: str) -> None:
    """A text of eight times the length takes less than twenty-four times as long (the square is sixty-four)."""
    rules = those_that_load(written)
    short, long = ([post((unit * length)[:length])] for length in (SHORT, LONG))
    for _ in range(3):  # a machine with much else to do may disturb one measure
        if (whole := seconds(rules, long)) < 0.005 or whole < 24 * seconds(rules, short):
            return
    pytest.fail(f"{whole:.3f} s for {LONG} characters")
