"""One example of each verb and condition, as it is written: for help texts, and held by a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERB_EXAMPLES: Mapping[str, Any] = {
    "allow": {"hashtags": ["news"]},
    "deny": {"words": ["sale", "реклама"]},
    "replace": {"words": ["old"], "with": "new"},
    "remove_links": ["casino.example"],
    "replace_links": {"domains": ["a.example"], "with": "https://b.example"},
    "source_links": True,
    "remove_mentions": True,
    "replace_mentions": {"names": ["@old_name"], "with": "@new_name"},
    "remove_hashtags": ["ad"],
    "remove_signature": ["Subscribe"],
    "cut": 500,
    "drop_caption": True,
    "header": "<b>{source_title}</b>",
    "footer": '<a href="{post_link}">source</a>, {date}',
    "preview": False,
    "spoiler": "media",
    "button": {"text": "Source", "url": "{post_link}"},
    "zone": "Europe/Moscow",
    "too_long": "split",
    "delay": 10,
    "quiet": {"from": "23:00", "to": "07:00", "zone": "Europe/Moscow"},
    "days": {"days": ["mon", "tue", "wed", "thu", "fri"], "zone": "Europe/Moscow"},
    "at_most": {"a_day": 20, "rest": "wait", "zone": "Europe/Moscow"},
    "review": {"hours": 24, "then": "withdraw"},
}

CONDITION_EXAMPLES: Mapping[str, Any] = {
    "all": [{"kind": "photo"}, {"length": {"min": 20}}],
    "any": [{"links": True}, {"mentions": True}],
    "not": {"forwarded_from": True},
    "kind": ["photo", "video", "album"],
    "words": ["sale", "buy now"],
    "regex": r"(?i)\d+ ?(rub|₽)",
    "links": ["casino.example"],
    "mentions": ["@some_bot"],
    "hashtags": ["news"],
    "cashtags": ["BTC"],
    "commands": ["start"],
    "sender": [123456789],
    "anonymous": True,
    "via_bot": True,
    "forwarded_from": [-1001234567890],
    "size": {"max": 20_000_000},
    "duration": {"min": 5, "max": 600},
    "file_name": ["report"],
    "extension": ["pdf", "epub"],
    "length": {"min": 20},
    "reply": True,
    "buttons": True,
    "silent": True,
    "time": {"from": "09:00", "to": "18:00", "zone": "Europe/Moscow"},
}
