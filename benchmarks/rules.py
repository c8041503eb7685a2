"""How many posts a second pass a set of 20 rules on one core, and what each rule costs.

Posts of 40 to 2,000 characters in Russian, English, Arabic and with emoji, with links, hashtags and formatting; every
filter lets most of them through, so that every rule has its work. A rule's cost is that of a set of it alone.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.measure import Figures, Wishes
from forwarder.message import Entity, Heard, Kind, SourceMessage
from forwarder.rules import Context, Counters, Passed, Rules, decide, parse, when
from forwarder.rules.entities import length_in_units

POSTS = 2000
TO_REACH = "at least 2,000 with all 20 rules"
ALL = "all 20 rules"

SAID = {
    "ru": "сегодня в городе открыли новый мост через реку и ёлку на площади жители рады погода хорошая",
    "en": "the new bridge over the river was opened today people are happy and the weather is fine",
    "ar": "افتتح اليوم جسر جديد فوق النهر والناس سعداء والطقس جميل",
    "emoji": "🔥 🎉 новость 👨‍👩‍👧 today 🇷🇺 река 👍🏽",
}
EXTRAS = (
    "https://news.example/path?id=5",
    "#новости",
    "#bridge_2026",
    "@city_news",
    "t.me/news/5",
    "$BTC",
    "100 руб",
)
ADVERTS = [f"реклама{n}" for n in range(50)]
ZONE = "Europe/Moscow"

RULES: list[dict[str, Any]] = [
    {"deny": {"words": ["реклама", "промокод", "casino", "اعلان", *ADVERTS]}},
    {"deny": {"words": ["подпи", "скидк", "giveaway"], "part": True}},
    {"deny": {"regex": r"(?i)(купи|buy)\s+(сейчас|now)|\+7\d{10}"}},
    {"deny": {"links": ["casino.example", "ads.example", "bit.ly"]}},
    {"deny": {"mentions": ["spam_bot", "ads_bot"]}},
    {"deny": {"hashtags": ["ad", "реклама", "promo"]}},
    {
        "deny": {
            "any": [{"kind": ["poll", "dice"]}, {"forwarded_from": [-1001]}, {"size": {"min": 100_000_000}}]
        }
    },
    {"allow": {"all": [{"length": {"min": 5}}, {"not": {"buttons": True}}]}},
    {"deny": {"time": {"from": "03:00", "to": "05:00", "zone": ZONE}}},
    {"replace": {"words": ["подпишись", "city_news"], "with": "смотри"}},
    {"replace": {"regex": r"(\d+) руб", "with": r"\1 ₽"}},
    {"remove_mentions": ["city_news"]},
    {"remove_hashtags": ["bridge_2026"]},
    {"replace_links": {"domains": ["news.example"], "with": "https://other.example/"}},
    {"source_links": True},
    {"remove_signature": ["подписаться"]},
    {"header": "<b>{source_title}</b>"},
    {"footer": '<a href="{post_link}">источник</a> · {date}\n{hashtags}'},
    {"too_long": "split"},
    {"quiet": {"from": "23:00", "to": "07:00", "zone": ZONE}},
]
CONTEXT = Context("Новости", "news", {("news", 5): "https://t.me/digest/50"})
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={ALL: TO_REACH})
    posts = [post_of(random.Random(number), number) for number in range(wishes.part(POSTS))]
    sets = {f"{number}. {next(iter(rule))}": parse({"rules": [rule]}) for number, rule in enumerate(RULES, 1)}
    everything = parse({"rules": RULES})
    for _ in range(wishes.runs):
        figures.add(ALL, len(posts) / seconds(everything, posts), "posts/s of one core")
        for name, rules in sets.items():
            figures.add(name, 1e6 * seconds(rules, posts) / len(posts), "µs/post alone")
    passed = sum(isinstance(decide(everything, [post], CONTEXT), Passed) for post in posts)
    figures.notes.append(f"{passed} of {len(posts)} posts passed the filters.")
    return figures


def seconds(rules: Rules, posts: list[SourceMessage]) -> float:
    """Processor time to decide about all of them."""
    began = time.process_time()
    for post in posts:
        decide(rules, (post,), CONTEXT)
        when(rules.when, NOON, post.date, Counters())
    return time.process_time() - began


def post_of(chance: random.Random, number: int) -> SourceMessage:
    words = SAID[chance.choice(list(SAID))].split()
    text = " ".join(chance.choice(words) for _ in range(chance.choice((8, 30, 60, 120, 300))))
    text += "\n\n" + " ".join(chance.sample(EXTRAS, 3))
    entities = []
    for kind, begins in (("url", "https://"), ("hashtag", "#"), ("mention", "@"), ("bold", text[:6])):
        at = text.find(begins)
        if at >= 0:
            length = len(text[at:].split()[0])
            entities.append(Entity(kind, length_in_units(text[:at]), length_in_units(text[at : at + length])))
    kind = chance.choice((Kind.TEXT, Kind.TEXT, Kind.PHOTO))
    return SourceMessage(-1001234567890, number + 1, NOON, kind, Heard.PUSH, text, tuple(entities))
